"""The end of a series' trading; the same functions as `spec.expiries`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import AUCTION, MODE_OFF, SWITCH_PHASE, SWITCHED, TRADING
from quorate.execution.kernels.book import order_cancel
from quorate.execution.kernels.rows import emit_words
from quorate.types.codes import End, EventKind, MarketStatus
from quorate.types.options_codes import ExpiryState, SeriesState

i8 = np.int64
LIVE, EXPIRED = int(SeriesState.LIVE), int(SeriesState.EXPIRED)
FREE, HALTED = int(ExpiryState.FREE), int(MarketStatus.HALTED)
END_EXPIRY, SERIES_MOVED = int(End.EXPIRY), int(EventKind.SERIES_MOVED)


@helper
def any_due(s):
    """Whether an expiry in use lies at or before block time."""
    now_ms = s.now[0]["time_ms"]
    for slot in range(s.ledger[0]["expiries_high"]):
        row = s.expiries[slot]
        if row["state"] != FREE and row["expiry_ms"] > 0 and row["expiry_ms"] <= now_ms:
            return True
    return False


@helper
def expire(s, slot):
    """End a series' trading."""
    s.series[slot]["state"] = EXPIRED
    s.series_dirty[slot] = 1
    s.markets[slot]["status"] = HALTED
    s.markets_dirty[slot] = 1
    series_moved(s, slot, i8(LIVE))


@helper
def book_clear(s, slot, most):
    """Cancel up to `most` of a market's orders; return how many. See the spec."""
    cancels = i8(0)
    market = s.markets[slot]
    while cancels < most:
        level = i8(market["bid_best"])
        if not level:
            level = i8(market["ask_best"])
        if not level:
            break
        order_cancel(s, i8(s.levels[level]["head"]), END_EXPIRY)
        cancels += 1
    risk = s.risk[slot]
    if market["orders_count"] == 0 and risk["phase"] == AUCTION:
        risk["phase"] = TRADING
        risk["auction_kind"] = 0
        risk["auction_begin_ms"] = 0
        risk["auction_end_ms"] = 0
        risk["auction_bands"] = 0
        risk["auction_ticks"] = 0
        risk["auction_lots"] = 0
        s.risk_dirty[slot] = 1
        if risk["mode"] != MODE_OFF:
            zero = i8(0)
            emit_words(
                s, SWITCHED, zero, SWITCH_PHASE, zero, slot, zero, zero,
                TRADING, AUCTION, zero, zero, zero, zero, zero, zero, zero, zero, zero,
            )  # fmt: skip
    return cancels


@helper
def series_moved(s, slot, before):
    """Say that a series is in another state."""
    row = s.series[slot]
    market = s.markets[slot]
    zero = i8(0)
    emit_words(
        s, SERIES_MOVED, zero, row["state"], zero, slot, zero, zero,
        before, row["settle_ticks"], market["open_interest_lots"], market["mark_ticks"],
        zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
