"""Guards at the entry of an order; the same functions as `spec.guards`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import best_level
from quorate.execution.kernels.margin import clears
from quorate.execution.kernels.scalars import (
    aggressive,
    crosses,
    notional,
    price_far,
    price_within,
    reducible,
)
from quorate.execution.kernels.series_state import series_ended
from quorate.types.clearing_codes import Guard, Mode, Phase
from quorate.types.codes import Flag, MarketKind, MarketStatus, Reject, Tif

i8 = np.int64
R = Reject
OK = int(R.OK)
SERIES = int(MarketKind.SERIES)
OPEN, POST_ONLY = int(MarketStatus.OPEN), int(MarketStatus.POST_ONLY)
REDUCE_ONLY, HALTED = int(MarketStatus.REDUCE_ONLY), int(MarketStatus.HALTED)
GUARD_REDUCE_ONLY, GUARD_HALT = int(Guard.REDUCE_ONLY), int(Guard.HALT)
AUCTION, QUARANTINE = int(Phase.AUCTION), int(Phase.QUARANTINE)
BATCH = int(Mode.BATCH)
FLAG_REDUCE_ONLY, FLAG_POST_ONLY = int(Flag.REDUCE_ONLY), int(Flag.POST_ONLY)
FLAG_MARKET = int(Flag.MARKET)
IOC = int(Tif.IOC)
SERIES_NOT_LIVE = int(R.SERIES_NOT_LIVE)
MARKET_QUARANTINED = int(R.MARKET_QUARANTINED)
RESTING_ALONE = int(R.AUCTION_TAKES_RESTING_ORDERS_ALONE)
CHAIN_HALTED, CHAIN_REDUCE = int(R.CHAIN_HALTED), int(R.CHAIN_REDUCE_ONLY)
CHAIN_POST = int(R.CHAIN_POST_ONLY)
ACCOUNT_HALTED, ACCOUNT_REDUCE = int(R.ACCOUNT_HALTED), int(R.ACCOUNT_REDUCE_ONLY)
ACCOUNT_POST = int(R.ACCOUNT_POST_ONLY)
MARKET_HALTED, MARKET_REDUCE = int(R.MARKET_HALTED), int(R.MARKET_REDUCE_ONLY)
MARKET_POST = int(R.MARKET_POST_ONLY)
INDEX_MISSING, INDEX_STALE = int(R.INDEX_MISSING_MARKET_HALTED), int(R.INDEX_STALE_REDUCE_ONLY)
PRICE_TOO_FAR, AT_CAP = int(R.PRICE_TOO_FAR_FROM_INDEX), int(R.OPEN_INTEREST_AT_CAP)
RISING_TOO_FAST = int(R.OPEN_INTEREST_RISING_TOO_FAST)
BEYOND_TIER = int(R.POSITION_BEYOND_LAST_TIER)


@helper
def entry_code(s, slot, flags, tif):
    """Whether the acting account may send that kind of order into a market now."""
    if series_ended(s, slot):
        return SERIES_NOT_LIVE
    chain = i8(s.parameters[0]["switch"])
    account = i8(s.accounts[s.now[0]["account"]]["switch"])
    status = s.markets[slot]["status"]
    guard = i8(OPEN)
    waits = False
    if clears(s, slot):
        risk = s.risk[slot]
        if risk["phase"] == QUARANTINE:
            return MARKET_QUARANTINED
        if risk["guard"] == GUARD_HALT:
            guard = i8(HALTED)
        elif risk["guard"] == GUARD_REDUCE_ONLY:
            guard = i8(REDUCE_ONLY)
        waits = risk["mode"] == BATCH or risk["phase"] == AUCTION
    strictest = max(max(chain, account), max(status, guard))
    if strictest > OPEN:
        if strictest == HALTED:
            return status_code(
                strictest, chain, account, status,
                CHAIN_HALTED, ACCOUNT_HALTED, MARKET_HALTED, INDEX_MISSING,
            )  # fmt: skip
        if strictest == REDUCE_ONLY and not flags & FLAG_REDUCE_ONLY:
            return status_code(
                strictest, chain, account, status,
                CHAIN_REDUCE, ACCOUNT_REDUCE, MARKET_REDUCE, INDEX_STALE,
            )  # fmt: skip
        if strictest == POST_ONLY and not flags & FLAG_POST_ONLY:
            return status_code(
                strictest, chain, account, status, CHAIN_POST, ACCOUNT_POST, MARKET_POST, OK
            )
    if waits and s.risk[slot]["phase"] == AUCTION:
        # An auction's time is over: till it has uncrossed, new orders could only delay it.
        if s.now[0]["time_ms"] >= s.risk[slot]["auction_end_ms"]:
            return MARKET_HALTED
    if waits and (flags & FLAG_MARKET or tif >= IOC):
        return RESTING_ALONE
    return OK


@helper
def status_code(strictest, chain, account, status, of_chain, of_account, of_market, of_guard):
    """Code of the first that restricts as much as the strictest."""
    if chain == strictest:
        return of_chain
    if account == strictest:
        return of_account
    if status == strictest:
        return of_market
    return of_guard


@helper
def reduces_alone(s, slot):
    """Whether a resting order may only reduce its account's position."""
    order = s.orders[slot]
    market = i8(order["market"])
    if order["flags"] & FLAG_REDUCE_ONLY or s.markets[market]["status"] == REDUCE_ONLY:
        return True
    if i8(s.parameters[0]["switch"]) >= REDUCE_ONLY:
        return True
    if i8(s.accounts[i8(order["account"])]["switch"]) >= REDUCE_ONLY:
        return True
    return clears(s, market) and s.risk[market]["guard"] >= GUARD_REDUCE_ONLY


# --- index and open interest ---------------------------------------------------------------------
@helper
def increase_code(s, size, worst_before, worst):
    """Guards of FORMULAS 2 on the taker against position `size`; see the spec."""
    taker = s.taker[0]
    slot = taker["market"]
    if not clears(s, slot):
        return OK
    market = s.markets[slot]
    risk = s.risk[slot]
    index = s.feeds[risk["feed"]]["price_ticks"]
    if s.markets[taker["market"]]["kind"] == SERIES:
        index = s.markets[taker["market"]]["mark_ticks"]
    far = risk["price_far_ppm"]
    if far and index and price_far(taker["price"], index, far):
        return PRICE_TOO_FAR
    opening = max(taker["size"] - reducible(taker["side"], size), 0)
    interest = market["open_interest_lots"]
    cap = risk["oi_cap_lots"]
    if cap:
        if opening and interest + opening > cap:
            return AT_CAP
        if interest >= cap and index and aggressive(taker["side"], taker["price"], index):
            if not narrow(s, price_within(taker["side"], index, market["tick_step"])):
                return AT_CAP
    if opening and risk["oi_rise_lots"]:
        counted = i8(0) if window_over(s, slot) else risk["oi_window_lots"]
        if counted + opening > risk["oi_rise_lots"]:
            return RISING_TOO_FAST
    if risk["tier_max_e6"] and worst > worst_before:
        if notional(market["mark_ticks"], worst, market["quantum_e6"]) > risk["tier_max_e6"]:
            return BEYOND_TIER
    return OK


@helper
def narrow(s, price):
    """Give a market order a limit that is no worse than `price`; False if it would not trade."""
    taker = s.taker[0]
    market = taker["market"]
    if not taker["flags"] & FLAG_MARKET:
        return False
    if price <= 0 or price > s.markets[market]["price_max_ticks"]:
        return False
    level = best_level(s, market, 1 - taker["side"])
    if not crosses(taker["side"], price, s.levels[level]["price"]):
        return False
    taker["price"] = price
    return True


@helper
def window_over(s, market):
    """Whether the window in which rises of open interest are counted has passed."""
    risk = s.risk[market]
    return s.now[0]["time_ms"] >= risk["oi_window_begin_ms"] + risk["oi_window_ms"]


@helper
def interest_rose(s, market, lots):
    """Count a rise of open interest by `lots` (what is not above zero is none)."""
    if lots <= 0 or not clears(s, market) or not s.risk[market]["oi_rise_lots"]:
        return
    risk = s.risk[market]
    if window_over(s, market):
        risk["oi_window_begin_ms"] = s.now[0]["time_ms"]
        risk["oi_window_lots"] = 0
    risk["oi_window_lots"] += lots
    s.risk_dirty[market] = 1
