"""The order book as linked rows; the same functions as `spec.book`."""

import numba
import numpy as np

from quorate.compiled import helper, linked
from quorate.execution.kernels.maps import order_index
from quorate.execution.kernels.rows import (
    emit,
    level_free,
    level_index,
    level_insert,
    level_seek,
    order_free,
    order_insert,
    position_close_if_empty,
    position_of,
    position_open,
)
from quorate.execution.kernels.scalars import (
    notional,
    ppm_ceil,
)
from quorate.execution.kernels.signatures import RECORD
from quorate.types.codes import End, EventKind, MarketKind, Side
from quorate.types.records import ASSET_KEY

i8 = np.int64
BUY = int(Side.BUY)
SPOT = int(MarketKind.SPOT)
END_NONE, END_EXPIRED, END_DEADMAN = int(End.NONE), int(End.EXPIRED), int(End.DEADMAN)
CANCELLED = int(EventKind.CANCELLED)



@helper
def best_level(s, market, side):
    """Slot of the best level of one side, or 0."""
    if side == BUY:
        return s.markets[market]["bid_best"]
    return s.markets[market]["ask_best"]


@helper
def position_key(s, market):
    """Key of the position row in which trades of a market are booked."""
    if s.markets[market]["kind"] == SPOT:
        return ASSET_KEY + s.markets[market]["base_asset"]
    return i8(market)


@helper
def deadman_fired(s, account):
    """Whether the account's dead-man switch is past its time."""
    at_ms = s.accounts[account]["deadman_ms"]
    return at_ms > 0 and at_ms <= s.now[0]["time_ms"]


@helper
def order_dead(s, slot):
    """Why an order may not trade any more although it still stands in the book, or NONE."""
    expiry_ms = s.orders[slot]["expiry_ms"]
    if expiry_ms > 0 and expiry_ms <= s.now[0]["time_ms"]:
        return END_EXPIRED
    if deadman_fired(s, i8(s.orders[slot]["account"])):
        return END_DEADMAN
    return END_NONE


# --- what an open order reserves -----------------------------------------------------------------
@helper
def hold_e6(s, slot, lots):
    """Cash that a spot bid holds for `lots`: their notional and the dearest fee, rounded up."""
    order = s.orders[slot]
    value = notional(order["price"], lots, s.markets[i8(order["market"])]["quantum_e6"])
    return value + ppm_ceil(value, i8(order["hold_ppm"]))


@helper
def reserve(s, slot, before, after):
    """Move an order's reservation in its account from `before` to `after` open lots."""
    order = s.orders[slot]
    account = i8(order["account"])
    market = i8(order["market"])
    cell = position_open(s, account, position_key(s, market))
    spot = s.markets[market]["kind"] == SPOT
    if order["side"] == BUY:
        if spot:
            s.accounts[account]["held_e6"] += hold_e6(s, slot, after) - hold_e6(s, slot, before)
        else:
            s.positions[cell]["bids"] += after - before
    elif spot:
        s.positions[cell]["asks"] += (after - before) * s.markets[market]["lot_units"]
    else:
        s.positions[cell]["asks"] += after - before
    s.accounts_dirty[account] = 1
    return cell


# --- putting an order in -------------------------------------------------------------------------
@helper
def order_rest(s):
    """Put what remains of the taker at the end of the queue at its price; return its slot."""
    taker = s.taker[0]
    account = s.now[0]["account"]
    market = taker["market"]
    slot = order_insert(s)
    order = s.orders[slot]
    order["order_id"] = taker["order_id"]
    order["price"] = taker["price"]
    order["size"] = taker["size"]
    order["remaining"] = taker["remaining"]
    order["expiry_ms"] = taker["expiry_ms"]
    order["cloid_hi"] = taker["cloid_hi"]
    order["cloid_lo"] = taker["cloid_lo"]
    order["placed_ms"] = s.now[0]["time_ms"]
    order["account"] = account
    order["market"] = market
    order["hold_ppm"] = taker["hold_ppm"]
    order["side"] = taker["side"]
    order["tif"] = taker["tif"]
    order["flags"] = taker["flags"] & 1 | taker["kept"]
    order["group"] = taker["group"]
    order["group_slot"] = taker["group_slot"]
    order_index(s, slot)

    level_slot = level_at(s, market, taker["side"], taker["price"])
    level = s.levels[level_slot]
    tail = i8(level["tail"])
    order["level"] = level_slot
    order["older"] = tail
    if tail:
        s.orders[tail]["newer"] = slot
        s.orders_dirty[tail] = 1
    else:
        level["head"] = slot
    level["tail"] = slot
    level["lots"] += taker["remaining"]
    level["orders_count"] += 1
    s.levels_dirty[level_slot] = 1

    row = s.accounts[account]
    head = i8(row["orders_head"])
    order["account_next"] = head
    if head:
        s.orders[head]["account_prev"] = slot
        s.orders_dirty[head] = 1
    row["orders_head"] = slot
    row["orders_count"] += 1
    cell = reserve(s, slot, i8(0), taker["remaining"])
    s.positions[cell]["orders_count"] += 1
    s.markets[market]["orders_count"] += 1
    s.markets_dirty[market] = 1
    s.ledger[0]["orders_live"] += 1
    return slot


@helper
def level_at(s, market, side, price):
    """Level of that price, linked in between its neighbours if it is new."""
    better = level_seek(s, market, side, price)
    if better and s.levels[better]["price"] == price:
        return better
    worse = i8(s.levels[better]["worse"]) if better else best_level(s, market, side)
    slot = level_insert(s)
    row = s.levels[slot]
    row["price"] = price
    row["market"] = market
    row["side"] = side
    row["better"] = better
    row["worse"] = worse
    level_index(s, slot)
    if better:
        s.levels[better]["worse"] = slot
        s.levels_dirty[better] = 1
    else:
        best_set(s, market, side, slot)
    if worse:
        s.levels[worse]["better"] = slot
        s.levels_dirty[worse] = 1
    return slot


@helper
def best_set(s, market, side, level):
    """Point a market at the best level of one side."""
    if side == BUY:
        s.markets[market]["bid_best"] = level
    else:
        s.markets[market]["ask_best"] = level
    s.markets_dirty[market] = 1


# --- taking lots or orders out -------------------------------------------------------------------
@helper
def order_shrink(s, slot, lots):
    """Take `lots` off an order in place; its queue position stays."""
    order = s.orders[slot]
    remaining = order["remaining"]
    reserve(s, slot, remaining, remaining - lots)
    order["remaining"] = remaining - lots
    level = i8(order["level"])
    s.levels[level]["lots"] -= lots
    s.levels_dirty[level] = 1
    s.orders_dirty[slot] = 1


@helper
def order_remove(s, slot):
    """Unlink an order everywhere and free its row; an empty level goes with it."""
    order = s.orders[slot]
    traded = order["remaining"] == 0
    if not traded:
        order_shrink(s, slot, order["remaining"])
    level_slot = i8(order["level"])
    level = s.levels[level_slot]
    level["orders_count"] -= 1
    older = i8(order["older"])
    newer = i8(order["newer"])
    if older:
        s.orders[older]["newer"] = newer
        s.orders_dirty[older] = 1
    else:
        level["head"] = newer
    if newer:
        s.orders[newer]["older"] = older
        s.orders_dirty[newer] = 1
    else:
        level["tail"] = older
    s.levels_dirty[level_slot] = 1
    if not level["head"]:
        level_remove(s, level_slot)

    account = i8(order["account"])
    market = i8(order["market"])
    row = s.accounts[account]
    before = i8(order["account_prev"])
    after = i8(order["account_next"])
    if before:
        s.orders[before]["account_next"] = after
        s.orders_dirty[before] = 1
    else:
        row["orders_head"] = after
    if after:
        s.orders[after]["account_prev"] = before
        s.orders_dirty[after] = 1
    row["orders_count"] -= 1
    key = position_key(s, market)
    s.positions[position_of(s, account, key)]["orders_count"] -= 1
    position_close_if_empty(s, account, key, traded)
    s.accounts_dirty[account] = 1
    s.markets[market]["orders_count"] -= 1
    s.markets_dirty[market] = 1
    s.ledger[0]["orders_live"] -= 1
    order_free(s, slot)


@helper
def level_remove(s, slot):
    """Unlink an empty level from its neighbours and free its row."""
    row = s.levels[slot]
    better = i8(row["better"])
    worse = i8(row["worse"])
    if better:
        s.levels[better]["worse"] = worse
        s.levels_dirty[better] = 1
    else:
        best_set(s, i8(row["market"]), i8(row["side"]), worse)
    if worse:
        s.levels[worse]["better"] = better
        s.levels_dirty[worse] = 1
    level_free(s, slot)


@linked(numba.types.int64(RECORD, numba.types.int64, numba.types.int64))
def order_cancel(s, slot, end):
    """Take an order out of the book and say why. Returns its slot."""
    order = s.orders[slot]
    event = s.events[emit(s, CANCELLED)]
    event["side"] = order["side"]
    event["end"] = end
    event["market"] = order["market"]
    event["account"] = order["account"]
    event["order_id"] = order["order_id"]
    event["price"] = order["price"]
    event["size"] = order["size"]
    event["remaining"] = order["remaining"]
    order_remove(s, slot)
    return slot
