"""Margin judgement of orders in perpetual markets; the same functions as `spec.perpetuals`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.guards import increase_code, narrow
from quorate.execution.kernels.margin import (
    bucket_entry,
    bucket_of,
    bucket_worth,
    leg_worth,
    standing_of,
)
from quorate.execution.kernels.rows import position_of
from quorate.execution.kernels.scalars import (
    loss_room,
    margin_with_mark_holds,
    narrowed_price,
    notional,
    ppm_ceil,
    reducible,
    worst_lots,
)
from quorate.execution.kernels.sessions import session_order_code, session_position_code
from quorate.types.clearing_codes import Standing
from quorate.types.codes import Reject, Side
from quorate.types.limits import CASH_TRADING_MAX_E6

i8 = np.int64
R = Reject
OK = int(R.OK)
BUY, SELL = int(Side.BUY), int(Side.SELL)
HEALTHY = int(Standing.HEALTHY)
CASH_BOUND = int(R.ACCOUNT_CASH_BEYOND_BOUND)
MARK_MISSING = int(R.MARK_PRICE_MISSING_WAIT)
POSITION_LIMIT = int(R.POSITION_WOULD_PASS_LIMIT)
MARGIN_INSUFFICIENT = int(R.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE)
PRE_LIQUIDATION = int(R.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE)


@helper
def perpetual_code(s, account):
    """Initial margin with the order at its riskiest, loss against the mark and fee included."""
    taker = s.taker[0]
    market_slot = taker["market"]
    market = s.markets[market_slot]
    mark, quantum = market["mark_ticks"], market["quantum_e6"]
    if not mark:
        return MARK_MISSING
    added = taker["size"]
    if taker["replaced"]:
        added -= s.orders[taker["replaced"]]["remaining"]
    bucket = bucket_of(s, account, market_slot)
    cash = s.accounts[account]["cash_e6"]
    size = bids = asks = i8(0)
    cell = position_of(s, account, market_slot)
    if cell >= 0:
        size = s.positions[cell]["size"]
        bids = s.positions[cell]["bids"]
        asks = s.positions[cell]["asks"]
        if bucket:
            cash = s.positions[cell]["isolated_e6"]
    worst_before = worst_lots(size, bids, asks)
    if taker["side"] == BUY:
        bids += added
        side_lots = abs(size + bids)
        side_before = abs(size + bids - added)
        reducing = bids <= reducible(i8(BUY), size)
    else:
        asks += added
        side_lots = abs(size - asks)
        side_before = abs(size - asks + added)
        reducing = asks <= reducible(i8(SELL), size)
    if abs(cash) > CASH_TRADING_MAX_E6 and not reducing:
        return CASH_BOUND
    if side_lots > market["position_max_lots"] and side_lots > side_before:
        return POSITION_LIMIT
    worst = worst_lots(size, bids, asks)
    code = increase_code(s, size, worst_before, worst)
    if code != OK:
        return code
    value = notional(taker["price"], taker["size"], quantum)
    bucket_entry(s, account, bucket, market_slot, size, bids, asks, i8(-1))
    margin = s.now[0]["equity"] - ppm_ceil(value, taker["hold_ppm"])
    equity = margin - max(order_loss(s), i8(0))
    code = session_order_code(s, value)
    if code == OK and worst > worst_before:
        code = session_position_code(s, notional(mark, worst, quantum), equity)
    if code != OK:
        return code
    if entered_at_mark(s, margin, s.now[0]["margin"]):
        return OK
    if not s.now[0]["clears"]:
        return OK if reducing and equity >= 0 else MARGIN_INSUFFICIENT
    bucket_worth(s, account, bucket)
    if reducing and reducing_holds(s, account, bucket, cell):
        return OK
    return MARGIN_INSUFFICIENT if standing_of(s) == HEALTHY else PRE_LIQUIDATION


@helper
def entered_at_mark(s, margin, initial):
    """Whether a margin bears the taker as the mark sees it (FORMULAS 15); no profit is counted."""
    taker = s.taker[0]
    market = s.markets[taker["market"]]
    mark = market["mark_ticks"]
    sign = i8(1) if taker["side"] == BUY else i8(-1)
    worse = max(taker["price"], mark) if sign > 0 else min(taker["price"], mark)
    return margin_with_mark_holds(
        margin, initial, sign, worse, mark, taker["size"], market["quantum_e6"]
    )


@helper
def order_loss(s):
    """What trading the taker at its limit loses against the mark; negative: it gains."""
    taker = s.taker[0]
    market = s.markets[taker["market"]]
    worse_by = taker["price"] - market["mark_ticks"]
    if taker["side"] != BUY:
        worse_by = -worse_by
    return notional(worse_by, taker["size"], market["quantum_e6"])


@helper
def reducing_room(s, equity, initial, maintenance, own_initial, own_maintenance):
    """What reducing a position may cost a bucket; what it requires then stands in `now`."""
    now = s.now[0]
    return loss_room(
        equity,
        initial,
        maintenance,
        initial - own_initial + now["own_initial"],
        maintenance - own_maintenance + now["own_maintenance"],
    )


@helper
def reducing_holds(s, account, bucket, cell):
    """Whether the bucket in `now`, below initial margin, may reduce by the taker; see the spec."""
    taker = s.taker[0]
    now = s.now[0]
    market_slot = taker["market"]
    market = s.markets[market_slot]
    position = s.positions[cell]
    size = position["size"]
    bids = position["bids"]
    asks = position["asks"]
    options = now["options"] != 0
    leg_worth(s, account, bucket, market_slot, size, bids, asks, i8(-1), options)
    own_initial = now["own_initial"]
    own_maintenance = now["own_maintenance"]
    replaced = s.orders[taker["replaced"]]["remaining"] if taker["replaced"] else i8(0)
    if taker["side"] == BUY:
        size += taker["size"]
        bids -= replaced
    else:
        size -= taker["size"]
        asks -= replaced
    leg_worth(s, account, bucket, market_slot, size, bids, asks, i8(-1), options)
    room = reducing_room(
        s, now["equity"], now["margin"], now["maintenance"], own_initial, own_maintenance
    )
    value = notional(taker["price"], taker["size"], market["quantum_e6"])
    if order_loss(s) + ppm_ceil(value, taker["hold_ppm"]) <= room:
        return True
    price = narrowed_price(
        taker["side"],
        market["mark_ticks"],
        taker["size"],
        market["quantum_e6"],
        room,
        taker["hold_ppm"],
        market["tick_step"],
        market["price_max_ticks"],
    )
    return narrow(s, price)
