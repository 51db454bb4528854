"""What a resting order may still trade; the same functions as `spec.makers`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.guards import reduces_alone
from quorate.execution.kernels.margin import (
    bucket_entry,
    bucket_kept,
    bucket_of,
    clears,
    leg_worth,
    position_maintenance,
)
from quorate.execution.kernels.options_margin import has_options
from quorate.execution.kernels.perpetuals import reducing_room
from quorate.execution.kernels.rows import position_of
from quorate.execution.kernels.scalars import notional, ppm_ceil, reducible, worst_lots
from quorate.types.codes import End, MarketKind, Side

i8 = np.int64
BUY = int(Side.BUY)
SPOT = int(MarketKind.SPOT)
# What `maker_maintenance` says beside an amount: the bucket has none, or it is not formed yet.
KEPT_NONE, KEPT_LATER = -1, -2
END_MARGIN, END_REDUCE_ONLY = int(End.MARGIN), int(End.REDUCE_ONLY)


@helper
def maker_seen(s, account, market):
    """Look at a maker, once per command: its bucket before the command's fills."""
    stamp = s.taker[0]["stamp"]
    if s.maker_stamp[account] == stamp:
        return
    s.maker_stamp[account] = stamp
    s.maker_tentative[account] = 0
    s.maker_spent[account] = 0
    interest = s.taker[0]["interest"]
    cell = i8(-1)
    if s.markets[market]["kind"] != SPOT:
        cell = position_of(s, account, market)
    now = s.now[0]
    if cell < 0:
        bucket_entry(s, account, i8(0), i8(0), i8(0), i8(0), i8(0), i8(-1))
    else:
        position = s.positions[cell]
        size, bids, asks = position["size"], position["bids"], position["asks"]
        bucket = bucket_of(s, account, market)
        bucket_entry(s, account, bucket, market, size, bids, asks, interest)
        if now["clears"]:
            options = now["options"] != 0
            leg_worth(s, account, bucket, market, size, bids, asks, interest, options)
            s.maker_own[account, 0] = now["own_initial"]
            s.maker_own[account, 1] = now["own_maintenance"]
    s.maker_equity[account] = now["equity"]
    s.maker_margin[account] = now["margin"]
    s.maker_maintenance[account] = KEPT_LATER if now["clears"] else KEPT_NONE
    grouped = now["legacy"] and s.accounts[account]["groups_count"]
    if now["clears"] and (now["options"] or grouped):
        # Its group may take orders out of other markets, on which their maintenance rests; and
        # what options keep is not a sum.
        bucket = bucket_of(s, account, market) if cell >= 0 else i8(0)
        bucket_kept(s, account, bucket)
        s.maker_maintenance[account] = now["maintenance"]


@helper
def maker_kept(s, account, market):
    """Maintenance margin of the maker's bucket before the command's fills.

    Most makers never need it. Where one does, its fills so far have moved its position in `market`
    alone, whose own part was noted at the first look.
    """
    if s.maker_maintenance[account] != KEPT_LATER:
        return s.maker_maintenance[account]
    bucket_kept(s, account, bucket_of(s, account, market))
    kept = s.now[0]["maintenance"] + s.maker_own[account, 1]
    cell = position_of(s, account, market)
    if cell >= 0:
        position = s.positions[cell]
        lots = position["size"]
        if not clears(s, market):
            lots = worst_lots(position["size"], position["bids"], position["asks"])
        kept -= position_maintenance(s, market, lots)
    s.maker_maintenance[account] = kept
    return kept


@helper
def fill_cost(s, slot, lots):
    """What a fill takes off a maker's equity at most: its loss against the mark, and a fee."""
    loss = -fill_gain(s, slot, lots)
    fee = fill_fee(s, slot, lots)
    return fee + loss if loss > 0 else fee


@helper
def fill_gain(s, slot, lots):
    """What a fill gains a maker against the mark; negative: it loses."""
    order = s.orders[slot]
    market = s.markets[i8(order["market"])]
    better_by = market["mark_ticks"] - order["price"]
    if order["side"] != BUY:
        better_by = -better_by
    return notional(better_by, lots, market["quantum_e6"])


@helper
def fill_fee(s, slot, lots):
    """The dearest fee that a fill may cost a maker."""
    order = s.orders[slot]
    value = notional(order["price"], lots, s.markets[i8(order["market"])]["quantum_e6"])
    return ppm_ceil(value, i8(order["hold_ppm"]))


@helper
def offered(s, slot, left, dry):
    """Lots of the `left` that a resting order may trade now, or 0: then it must go."""
    order = s.orders[slot]
    account = i8(order["account"])
    market = i8(order["market"])
    wanted = order["remaining"]
    if left < wanted:
        wanted = left
    spot = s.markets[market]["kind"] == SPOT
    if spot and order["side"] != BUY:
        return wanted
    maker_seen(s, account, market)
    equity = s.maker_equity[account]
    if spot:
        return wanted if equity >= s.maker_margin[account] else i8(0)
    if not reduces_alone(s, slot):
        if equity - s.maker_spent[account] - fill_cost(s, slot, wanted) >= s.maker_margin[account]:
            return wanted
    lots = reducible_lots(s, slot, dry)
    if lots > wanted:
        lots = wanted
    if lots and reduces(s, slot, lots, dry):
        return lots
    return i8(0)


@helper
def reduces(s, slot, lots, dry):
    """Whether a maker below initial margin may reduce its position by `lots`; see the spec."""
    order = s.orders[slot]
    account = i8(order["account"])
    market = i8(order["market"])
    equity = s.maker_equity[account]
    spent = s.maker_spent[account]
    if s.maker_maintenance[account] == KEPT_NONE:
        return equity - spent - fill_cost(s, slot, lots) >= 0
    position = s.positions[position_of(s, account, market)]
    taken = lots
    if dry:
        taken += abs(s.maker_tentative[account])
    size = position["size"]
    bids = position["bids"]
    asks = position["asks"]
    if order["side"] == BUY:
        size += taken
        bids -= taken
    else:
        size -= taken
        asks -= taken
    bucket = bucket_of(s, account, market)
    kept = maker_kept(s, account, market)
    options = has_options(s, account, bucket, market)
    interest = s.taker[0]["interest"]
    leg_worth(s, account, bucket, market, size, bids, asks, interest, options)
    room = reducing_room(
        s,
        equity,
        s.maker_margin[account],
        kept,
        s.maker_own[account, 0],
        s.maker_own[account, 1],
    )
    return spent - fill_gain(s, slot, lots) + fill_fee(s, slot, lots) <= room


@helper
def reducible_lots(s, slot, dry):
    """Lots by which an order may reduce its account's position."""
    order = s.orders[slot]
    account = i8(order["account"])
    cell = position_of(s, account, i8(order["market"]))
    size = s.positions[cell]["size"] if cell >= 0 else i8(0)
    if dry:
        size += s.maker_tentative[account]
    return reducible(i8(order["side"]), size)


@helper
def offered_why(s, slot):
    """Why a resting order that offers nothing must go."""
    order = s.orders[slot]
    if s.markets[i8(order["market"])]["kind"] == SPOT or reducible_lots(s, slot, False):
        return END_MARGIN
    return END_REDUCE_ONLY if reduces_alone(s, slot) else END_MARGIN


@helper
def spend(s, slot, lots):
    """Count what a fill costs the maker."""
    order = s.orders[slot]
    if s.markets[i8(order["market"])]["kind"] != SPOT:
        s.maker_spent[i8(order["account"])] += fill_cost(s, slot, lots)
