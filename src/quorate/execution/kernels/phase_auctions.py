"""The kernel of phase 7: auctions that end, markets in batches; see `spec.uncross`."""

import numba
import numpy as np

from quorate.compiled import helper, kernel
from quorate.execution.kernels.auctions import (
    AUCTION,
    BATCH,
    MODE_OFF,
    QUARANTINE,
    SWITCH_PHASE,
    SWITCHED,
    TRADING,
    auction_begin,
)
from quorate.execution.kernels.bands import band_breached, band_use, bands_reset
from quorate.execution.kernels.room import shortage
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.signatures import INT64S, RECORD
from quorate.execution.kernels.state import DONE, EVENT_ROWS
from quorate.execution.kernels.uncross import crossed, pairs, settled_price, work_left
from quorate.types.clearing_codes import AuctionKind, Guard
from quorate.types.codes import EventKind, MarketStatus
from quorate.types.limits import (
    AUCTION_ORDERS_PER_BLOCK,
    MARKETS_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    PROTECTIONS_PER_UNCROSSING_MAX,
)
from quorate.types.records import NO_BUNDLE

i8 = np.int64
STATUS_HALTED, GUARD_HALT = int(MarketStatus.HALTED), int(Guard.HALT)
KIND_NONE, KIND_GAP = int(AuctionKind.NONE), int(AuctionKind.GAP)
KIND_BATCH, BAND_TRADE = int(AuctionKind.BATCH), int(AuctionKind.BAND_TRADE)
AUCTION_ENDED = int(EventKind.AUCTION_ENDED)
# Of one market: an event for each pair looked at, dry and real, and what beginnings and ends say
# of every market there is.
EVENTS_OF_PAIRS, EVENTS_OF_ENDS = 2 * (AUCTION_ORDERS_PER_BLOCK + 1), 5
EVENTS_MAX = EVENTS_OF_PAIRS + EVENTS_OF_ENDS * MARKETS_MAX
# One fill can freeze two groups.
HITS_MAX = PROTECTIONS_PER_UNCROSSING_MAX + 1
assert EVENTS_MAX + HITS_MAX * (ORDERS_PER_ACCOUNT_MAX + 1) < EVENT_ROWS


@helper
def market_end(s, market):
    """Phase 7 of one market."""
    now = s.now[0]
    risk = s.risk[market]
    if risk["mode"] == MODE_OFF or risk["phase"] == QUARANTINE:
        return
    if risk["phase"] == TRADING:
        if not crossed(s, market):
            return
        if risk["mode"] != BATCH:
            auction_begin(s, market, KIND_GAP, now["time_ms"], i8(0))
    elif now["time_ms"] < risk["auction_end_ms"]:
        return
    if i8(s.markets[market]["status"]) == STATUS_HALTED:
        return
    if i8(s.parameters[0]["switch"]) == STATUS_HALTED or risk["guard"] == GUARD_HALT:
        return
    if not work_left(s):
        return
    now["uncross_hits"] = 0
    price = risk["auction_ticks"]
    surplus = i8(0)
    if price == 0:
        price = settled_price(s, market)
        surplus = now["uncross_surplus"]
        if price:
            band = band_breached(s, market, price, i8(0))
            if band >= 0:
                band_use(s, market, BAND_TRADE, price, band)
                return
    now["uncross_lots"] = 0
    now["uncross_fills"] = 0
    now["uncross_short"] = 0
    if price:
        pairs(s, market, price, False)
    close(s, market, price, surplus)


@helper
def close(s, market, price, surplus):
    """Note what was uncrossed; end the auction unless something is left to be done."""
    now = s.now[0]
    risk = s.risk[market]
    zero = i8(0)
    lots = risk["auction_lots"] + now["uncross_lots"]
    if risk["phase"] == AUCTION and crossed(s, market):
        risk["auction_ticks"] = price if now["uncross_short"] else zero
        risk["auction_lots"] = lots
        s.risk_dirty[market] = 1
        return
    kind, began_ms = risk["auction_kind"], risk["auction_begin_ms"]
    if risk["phase"] == TRADING:
        kind, began_ms = i8(KIND_BATCH), now["time_ms"]
        if lots == 0:
            return
    emit_words(
        s, AUCTION_ENDED, zero, kind, zero, market, zero, zero,
        price, lots, surplus, now["uncross_fills"], began_ms,
        zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
    if risk["phase"] == TRADING:
        return
    risk["phase"] = TRADING
    risk["auction_kind"] = KIND_NONE
    risk["auction_begin_ms"] = 0
    risk["auction_end_ms"] = 0
    risk["auction_bands"] = 0
    risk["auction_ticks"] = 0
    risk["auction_lots"] = 0
    s.risk_dirty[market] = 1
    emit_words(
        s, SWITCHED, zero, SWITCH_PHASE, zero, market, zero, zero,
        TRADING, AUCTION, zero, zero, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
    bands_reset(s, market, price if price else s.markets[market]["mark_ticks"])


@kernel(numba.types.int64(RECORD, INT64S))
def run_auctions(s, cursor):
    """Phase 7. Needs room before each market: what one market may freeze is bounded.

    cursor, int64[4]: begun, markets done.
    """
    now = s.now[0]
    if not cursor[0]:
        cursor[0] = 1
        now["bundle"] = NO_BUNDLE
        now["command"] = 0
        now["uncross_dry"] = 0
        now["uncross_real"] = 0
        now["uncross_done"] = 0
    pulled = i8(s.parameters[0]["orders_per_account_max"]) + 1
    count = s.ledger[0]["risk_high"] - 1
    events = EVENTS_OF_PAIRS + EVENTS_OF_ENDS * s.ledger[0]["markets_high"] + HITS_MAX * pulled
    while cursor[1] < count:
        short = shortage(s, events)
        if short != DONE:
            return short
        market_end(s, 1 + (now["height"] + cursor[1]) % count)
        cursor[1] += 1
    return DONE
