"""How a market goes into a call auction; the same functions as `spec.auctions`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.rows import emit_words
from quorate.types.clearing_codes import Mode, Phase, Switch
from quorate.types.codes import EventKind

i8 = np.int64
TRADING, AUCTION, QUARANTINE = int(Phase.TRADING), int(Phase.AUCTION), int(Phase.QUARANTINE)
MODE_OFF, CONTINUOUS, BATCH = int(Mode.OFF), int(Mode.CONTINUOUS), int(Mode.BATCH)
SWITCH_PHASE = int(Switch.PHASE)
AUCTION_BEGUN, SWITCHED = int(EventKind.AUCTION_BEGUN), int(EventKind.SWITCHED)


@helper
def trades_now(s, market):
    """Whether orders of a market match as they come; else they rest, and the book may cross."""
    risk = s.risk[market]
    if risk["mode"] == MODE_OFF:
        return True
    return risk["mode"] == CONTINUOUS and risk["phase"] == TRADING


@helper
def auction_begin(s, market, kind, until_ms, price):
    """Move a market into an auction that ends at `until_ms`, or extend the present one."""
    auction_open(s, market, kind, until_ms, price, i8(-1), i8(0))


@helper
def auction_open(s, market, kind, until_ms, price, band, reference):
    """Begin or extend; `price` is what breached `band` (-1: none) around `reference`, or 0."""
    risk = s.risk[market]
    if risk["phase"] == QUARANTINE:
        return
    if risk["phase"] == AUCTION and until_ms <= risk["auction_end_ms"]:
        return
    began = risk["phase"] == TRADING
    if began:
        risk["phase"] = AUCTION
        risk["auction_kind"] = kind
        risk["auction_begin_ms"] = s.now[0]["time_ms"]
        risk["auction_bands"] = 0
        risk["auction_ticks"] = 0
        risk["auction_lots"] = 0
    risk["auction_end_ms"] = until_ms
    s.risk_dirty[market] = 1
    zero = i8(0)
    low, high = risk["band_low_ticks"], risk["band_high_ticks"]
    emit_words(
        s, AUCTION_BEGUN, zero, kind, zero, market, zero, zero,
        until_ms, reference, price, low, high, band, zero, zero, zero, zero, zero,
    )  # fmt: skip
    if began:
        emit_words(
            s, SWITCHED, zero, SWITCH_PHASE, zero, market, zero, zero,
            AUCTION, TRADING, until_ms, zero, zero, zero, zero, zero, zero, zero, zero,
        )  # fmt: skip
