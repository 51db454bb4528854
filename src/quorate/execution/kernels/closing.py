"""What every step of a liquidation shares; the same functions as `spec.closing`.

The position under liquidation stands in `s.closing[0]`.
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.funding import funding_settle
from quorate.execution.kernels.margin import bucket_worth, clears, leg_worth
from quorate.execution.kernels.match import book_fill, long_change
from quorate.execution.kernels.options_margin import has_options
from quorate.execution.kernels.rows import (
    emit_words,
    position_close_if_empty,
    position_of,
    position_open,
)
from quorate.execution.kernels.scalars import mul_div_floor, notional, zero_price
from quorate.execution.kernels.series_state import series_ended
from quorate.types.clearing_codes import Guard, Phase
from quorate.types.codes import EventKind, MarketStatus, Side
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED

i8 = np.int64
BUY, SELL = int(Side.BUY), int(Side.SELL)
CROSS = 0
GUARD_NONE = int(Guard.NONE)
AUCTION, QUARANTINE = int(Phase.AUCTION), int(Phase.QUARANTINE)
HALTED, POST_ONLY = int(MarketStatus.HALTED), int(MarketStatus.POST_ONLY)
LIQUIDATED = int(EventKind.LIQUIDATED)


@helper
def closing_set(s, account, bucket, market, standing):
    """Look at a position of a bucket, before a step."""
    closing = s.closing[0]
    size = i8(0)
    cell = position_of(s, account, market)
    if cell >= 0:
        size = s.positions[cell]["size"]
    bucket_worth(s, account, bucket)
    closing["account"] = account
    closing["bucket"] = bucket
    closing["market"] = market
    closing["standing"] = standing
    closing["equity"] = s.now[0]["equity"]
    closing["maintenance"] = s.now[0]["maintenance"]
    closing["size"] = size
    closing["sign"] = 1 if size > 0 else -1


# --- which positions can be worked on ------------------------------------------------------------
@helper
def in_bucket(s, cell, bucket):
    """Whether a position row of a market belongs to a bucket."""
    position = s.positions[cell]
    key = i8(position["key"])
    isolated = key if i8(position["flags"]) & POSITION_ISOLATED else i8(CROSS)
    return key < ASSET_KEY and isolated == bucket


@helper
def market_waits(s, market):
    """Whether liquidation waits for a market: no index, an auction, no takers, a series' end."""
    risk = s.risk[market]
    row = s.markets[market]
    return (
        risk["guard"] != GUARD_NONE
        or risk["phase"] == AUCTION
        or row["status"] == HALTED
        or row["status"] == POST_ONLY
        or row["mark_ticks"] == 0
        or series_ended(s, market)
    )


@helper
def is_open(s, cell):
    """Whether a position has lots that can be worked off now: in a market with a clearing house
    that neither is quarantined nor waits.
    """
    key = i8(s.positions[cell]["key"])
    if s.positions[cell]["size"] == 0 or not clears(s, key):
        return False
    return s.risk[key]["phase"] != QUARANTINE and not market_waits(s, key)


@helper
def workable(s, account, bucket):
    """Whether a bucket can be liquidated now: one of its positions can be worked off."""
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        if in_bucket(s, cell, bucket) and is_open(s, cell):
            return True
    return False


@helper
def market_after(s, account, bucket, market):
    """Next market by number in which the bucket has lots to be worked off, or 0."""
    found = i8(0)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        if in_bucket(s, cell, bucket) and is_open(s, cell):
            key = i8(s.positions[cell]["key"])
            if key > market and (found == 0 or key < found):
                found = key
    return found


@helper
def market_greatest(s, account, bucket):
    """Market of the bucket's position whose closing frees most, then lowest number, or 0."""
    found = i8(0)
    most = i8(-1)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        if in_bucket(s, cell, bucket) and is_open(s, cell):
            key, size = i8(s.positions[cell]["key"]), s.positions[cell]["size"]
            kept = leg_freed(s, account, bucket, key, size, abs(size))
            if kept > most or (kept == most and key < found):
                found = key
                most = kept
    return found


# --- prices --------------------------------------------------------------------------------------
@helper
def freed_e6(s, lots):
    """By how much the bucket's maintenance falls when so many lots are closed; see the spec."""
    closing = s.closing[0]
    market, size = closing["market"], closing["size"]
    return leg_freed(s, closing["account"], closing["bucket"], market, size, lots)


@helper
def leg_freed(s, account, bucket, market, size, lots):
    """By how much a bucket's maintenance falls when so many lots of a position are closed."""
    bids = asks = i8(0)
    cell = position_of(s, account, market)
    if cell >= 0:
        position = s.positions[cell]
        bids, asks = position["bids"], position["asks"]
    left = size - lots if size > 0 else size + lots
    now = s.now[0]
    options = has_options(s, account, bucket, i8(0))
    leg_worth(s, account, bucket, market, size, bids, asks, i8(-1), options)
    before = now["own_maintenance"]
    leg_worth(s, account, bucket, market, left, bids, asks, i8(-1), options)
    return max(before - now["own_maintenance"], i8(0))


@helper
def closing_price(s, lots):
    """Zero price at which so many lots leave equity over maintenance as it is."""
    closing = s.closing[0]
    market = s.markets[closing["market"]]
    return zero_price(
        closing["sign"],
        market["mark_ticks"],
        lots,
        market["quantum_e6"],
        closing["equity"],
        closing["maintenance"],
        freed_e6(s, lots),
        market["price_max_ticks"],
    )


@helper
def loss_share_e6(s, lots):
    """What so many lots carry of a bucket's negative equity, rounded up; 0 if it is not."""
    closing = s.closing[0]
    equity = closing["equity"]
    if equity >= 0 or closing["maintenance"] <= 0:
        return max(-equity, i8(0))
    return -mul_div_floor(equity, freed_e6(s, lots), closing["maintenance"])


# --- moving --------------------------------------------------------------------------------------
@helper
def hand_over_side(s, account, market, side, lots, price):
    """One account's side of a trade without a book; its funding is paid first."""
    funding_settle(s, account, position_open(s, account, market), market)
    book_fill(s, account, market, market, side, lots, price, i8(0))
    after = s.now[0]["book_position"]
    position_close_if_empty(s, account, market, True)
    s.accounts_dirty[account] = 1
    s.markets[market]["open_interest_lots"] += long_change(after, side, lots)


@helper
def hand_over(s, giver, taker, market, lots, price):
    """Move lots of one account's position to another one at a price; see the spec."""
    cell = position_of(s, giver, market)
    side = i8(SELL) if cell >= 0 and s.positions[cell]["size"] > 0 else i8(BUY)
    hand_over_side(s, giver, market, side, lots, price)
    hand_over_side(s, taker, market, 1 - side, lots, price)
    s.markets_dirty[market] = 1


@helper
def bucket_move(s, account, market, amount):
    """Add money to the bucket in which an account holds a market, or (negative) take it."""
    cell = position_of(s, account, market)
    if cell >= 0 and i8(s.positions[cell]["flags"]) & POSITION_ISOLATED:
        s.positions[cell]["isolated_e6"] += amount
    else:
        s.accounts[account]["cash_e6"] += amount
    s.accounts_dirty[account] = 1


@helper
def value_e6(s, lots, price):
    """What the bucket receives for so many lots at a price; negative for a short position."""
    closing = s.closing[0]
    return closing["sign"] * notional(price, lots, s.markets[closing["market"]]["quantum_e6"])


# --- receipt -------------------------------------------------------------------------------------
@helper
def receipt(s, step, price, lots, fund, cash, counter_account):
    """Emit LIQUIDATED; see the spec."""
    closing = s.closing[0]
    market = closing["market"]
    bucket_worth(s, closing["account"], closing["bucket"])
    emit_words(
        s,
        LIQUIDATED,
        closing["standing"],
        step,
        BUY if closing["size"] > 0 else SELL,
        market,
        closing["account"],
        counter_account,
        s.markets[market]["mark_ticks"],
        price,
        lots,
        closing["size"],
        closing["equity"],
        closing["maintenance"],
        s.now[0]["equity"],
        s.now[0]["maintenance"],
        0,
        fund,
        cash,
    )
    if market:
        s.risk[market]["liquidations_count"] += 1
        s.risk_dirty[market] = 1
