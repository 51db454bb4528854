"""Guards at the entry of an order: switches, the market's state, its index and open interest.

Chain, account, market and the market's guard each restrict orders by the values of MarketStatus;
the most restrictive counts, and of equals the first in that order gives the code. Cancels pass
everywhere.
"""

from quorate.execution import entry_rules, rules
from quorate.execution.spec.book import best_level
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.rows import Market, Order
from quorate.execution.spec.series_state import series_ended
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Taker
from quorate.types.clearing_codes import Guard, Mode, Phase
from quorate.types.codes import Flag, MarketKind, MarketStatus, Reject, Tif
from quorate.types.records import Table

# Codes by status of chain, account, market, guard.
CODES = {
    MarketStatus.HALTED: (
        Reject.CHAIN_HALTED,
        Reject.ACCOUNT_HALTED,
        Reject.MARKET_HALTED,
        Reject.INDEX_MISSING_MARKET_HALTED,
    ),
    MarketStatus.REDUCE_ONLY: (
        Reject.CHAIN_REDUCE_ONLY,
        Reject.ACCOUNT_REDUCE_ONLY,
        Reject.MARKET_REDUCE_ONLY,
        Reject.INDEX_STALE_REDUCE_ONLY,
    ),
    MarketStatus.POST_ONLY: (
        Reject.CHAIN_POST_ONLY,
        Reject.ACCOUNT_POST_ONLY,
        Reject.MARKET_POST_ONLY,
        Reject.OK,
    ),
}


def guard_status(risk: Risk) -> MarketStatus:
    """What the age of its index leaves of a market."""
    if risk.guard == Guard.HALT:
        return MarketStatus.HALTED
    return MarketStatus.REDUCE_ONLY if risk.guard == Guard.REDUCE_ONLY else MarketStatus.OPEN


def entry_code(c: Context, market: Market, slot: int, flags: int, tif: int) -> Reject:
    """Whether the acting account may send that kind of order into a market now."""
    if series_ended(c.t, slot):
        return Reject.SERIES_NOT_LIVE
    risk = c.t.row(Table.RISK, slot)
    if risk.mode != Mode.OFF and risk.phase == Phase.QUARANTINE:
        return Reject.MARKET_QUARANTINED
    statuses = (
        c.t.row(Table.PARAMETERS, 0).switch,
        c.t.row(Table.ACCOUNTS, c.account).switch,
        market.status,
        guard_status(risk) if risk.mode != Mode.OFF else MarketStatus.OPEN,
    )
    status = max(statuses)
    refused = (
        status == MarketStatus.HALTED
        or (status == MarketStatus.REDUCE_ONLY and not flags & Flag.REDUCE_ONLY)
        or (status == MarketStatus.POST_ONLY and not flags & Flag.POST_ONLY)
    )
    if refused:
        return CODES[MarketStatus(status)][statuses.index(status)]
    if uncrosses(c, risk):
        return Reject.MARKET_HALTED
    if risk.mode == Mode.BATCH or (risk.mode != Mode.OFF and risk.phase == Phase.AUCTION):
        if flags & Flag.MARKET or tif in (Tif.IOC, Tif.FOK):
            return Reject.AUCTION_TAKES_RESTING_ORDERS_ALONE
    return Reject.OK


def uncrosses(c: Context, risk: Risk) -> bool:
    """Whether an auction's time is over: till it has uncrossed, new orders could only delay it."""
    auction = risk.mode != Mode.OFF and risk.phase == Phase.AUCTION
    return bool(auction and c.time_ms >= risk.auction_end_ms)


def reduces_alone(t: Tables, market: Market, order: Order) -> bool:
    """Whether a resting order may only reduce its account's position."""
    if order.flags & Flag.REDUCE_ONLY or market.status == MarketStatus.REDUCE_ONLY:
        return True
    restricted = MarketStatus.REDUCE_ONLY
    if t.row(Table.PARAMETERS, 0).switch >= restricted:
        return True
    if t.row(Table.ACCOUNTS, order.account).switch >= restricted:
        return True
    risk = t.row(Table.RISK, order.market)
    return bool(risk.mode != Mode.OFF and risk.guard >= Guard.REDUCE_ONLY)


# --- index and open interest ---------------------------------------------------------------------
def increase_code(
    c: Context, market: Market, taker: Taker, size: int, worst_before: int, worst: int
) -> Reject:
    """Guards of FORMULAS 2 on an order against position `size`; a market order may be narrowed."""
    risk = c.t.row(Table.RISK, taker.market)
    if risk.mode == Mode.OFF:
        return Reject.OK
    index = c.t.row(Table.FEEDS, risk.feed).price_ticks
    if market.kind == MarketKind.SERIES:
        index = market.mark_ticks  # a premium is measured by its mark
    far = risk.price_far_ppm
    if far and index and entry_rules.price_far(taker.price, index, far):
        return Reject.PRICE_TOO_FAR_FROM_INDEX
    opening = max(taker.size - rules.reducible(taker.side, size), 0)
    interest = market.open_interest_lots
    if risk.oi_cap_lots:
        if opening and interest + opening > risk.oi_cap_lots:
            return Reject.OPEN_INTEREST_AT_CAP
        if interest >= risk.oi_cap_lots and index:
            within = entry_rules.price_within(taker.side, index, market.tick_step)
            if entry_rules.aggressive(taker.side, taker.price, index) and not narrow(
                c, market, taker, within
            ):
                return Reject.OPEN_INTEREST_AT_CAP
    if opening and risk.oi_rise_lots:
        counted = 0 if window_over(risk, c.time_ms) else risk.oi_window_lots
        if counted + opening > risk.oi_rise_lots:
            return Reject.OPEN_INTEREST_RISING_TOO_FAST
    if risk.tier_max_e6 and worst > worst_before:
        if rules.notional(market.mark_ticks, worst, market.quantum_e6) > risk.tier_max_e6:
            return Reject.POSITION_BEYOND_LAST_TIER
    return Reject.OK


def narrow(c: Context, market: Market, taker: Taker, price: int) -> bool:
    """Give a market order a limit that is no worse than `price`; False if it would not trade."""
    if not taker.flags & Flag.MARKET or not 0 < price <= market.price_max_ticks:
        return False
    level = c.t.row(Table.LEVELS, best_level(market, 1 - taker.side))
    if not rules.crosses(taker.side, price, level.price):
        return False
    taker.price = price
    return True


def window_over(risk: Risk, time_ms: int) -> bool:
    """Whether the window in which rises of open interest are counted has passed."""
    return bool(time_ms >= risk.oi_window_begin_ms + risk.oi_window_ms)


def interest_rose(c: Context, market_slot: int, lots: int) -> None:
    """Count a rise of open interest by `lots` (what is not above zero is none)."""
    risk = c.t.row(Table.RISK, market_slot)
    if lots <= 0 or risk.mode == Mode.OFF or not risk.oi_rise_lots:
        return
    if window_over(risk, c.time_ms):
        risk.oi_window_begin_ms, risk.oi_window_lots = c.time_ms, 0
    risk.oi_window_lots += lots
    c.t.put(Table.RISK, market_slot, risk)
