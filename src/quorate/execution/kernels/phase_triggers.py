"""Phase 4, the kernel that fires triggers; the same functions as the end of `spec.triggers`."""

import numba
import numpy as np

from quorate.compiled import helper, kernel
from quorate.execution.kernels.maps import find_order
from quorate.execution.kernels.match import take
from quorate.execution.kernels.orders import placed, prepare
from quorate.execution.kernels.room import events_of_command, shortage
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import (
    market_price,
    order_lots,
    trail_best,
    trail_ticks,
    trigger_fires,
)
from quorate.execution.kernels.series_state import series_ended
from quorate.execution.kernels.signatures import INT64S, RECORD
from quorate.execution.kernels.state import DONE
from quorate.execution.kernels.trigger_rows import pair_end, trigger_drop, trigger_end
from quorate.execution.kernels.triggers import market_waits, position_lots, watched_ticks
from quorate.types.clearing_codes import (
    TRIGGER_FOLLOWS,
    Mode,
    TriggerEnd,
    TriggerFlag,
    TriggerKind,
    TriggerState,
)
from quorate.types.codes import EventKind, Flag, Reject, Tif
from quorate.types.limits import TRIGGERS_EXAMINED_PER_BLOCK, TRIGGERS_FIRED_PER_BLOCK
from quorate.types.records import NO_BUNDLE

i8 = np.int64
OK, NO_LIQUIDITY = int(Reject.OK), int(Reject.NO_LIQUIDITY_FOR_MARKET_ORDER)
REDUCE_ONLY, FOLLOWS = int(TriggerFlag.REDUCE_ONLY), TRIGGER_FOLLOWS
TRAILING, WAITING = int(TriggerKind.TRAILING), int(TriggerState.WAITING)
END_PARENT, END_NO_POSITION = int(TriggerEnd.PARENT), int(TriggerEnd.NO_POSITION)
END_EXPIRY = int(TriggerEnd.EXPIRY)
ORDER_REDUCE_ONLY, ORDER_MARKET = int(Flag.REDUCE_ONLY), int(Flag.MARKET)
MODE_BATCH = int(Mode.BATCH)
GTC, IOC = int(Tif.GTC), int(Tif.IOC)
TRIGGERED = int(EventKind.TRIGGERED)


@helper
def examine(s, slot):
    """Look at one row: end it, move its trail, or fire it; whether it fired."""
    row = s.triggers[slot]
    if not row["trigger_id"]:
        return False
    if series_ended(s, i8(row["market"])):
        trigger_end(s, slot, i8(END_EXPIRY))
        return False
    if row["parent_id"] and not find_order(s, row["parent_id"]):
        if row["state"] == WAITING:
            trigger_end(s, slot, i8(END_PARENT))
            return False
        row["parent_id"] = 0
        s.triggers_dirty[slot] = 1
    if row["state"] == WAITING:
        return False
    market, side, flags = i8(row["market"]), i8(row["side"]), i8(row["flags"])
    bound = row["size"] == 0 or (flags & FOLLOWS != 0 and flags & REDUCE_ONLY != 0)
    lots = position_lots(s, i8(row["account"]), market, side) if bound else i8(0)
    if bound and not lots and not row["parent_id"]:
        trigger_end(s, slot, i8(END_NO_POSITION))
        return False
    price = watched_ticks(s, market, i8(row["watch"]))
    if (bound and not lots) or not price or market_waits(s, market):
        return False
    level = i8(row["trigger_ticks"])
    kind = i8(row["kind"])
    if kind == TRAILING:
        best = trail_best(side, row["peak_ticks"], price)
        row["peak_ticks"] = best
        s.triggers_dirty[slot] = 1
        level = trail_ticks(side, best, row["trail_ppm"])
    if not trigger_fires(kind, side, price, level):
        return False
    fire(s, slot, price, level, lots)
    return True


@helper
def fire(s, slot, price, level, lots):
    """Place a trigger's order; `lots` are those of the position, for one that has no size."""
    row = s.triggers[slot]
    now = s.now[0]
    taker = s.taker[0]
    account = i8(row["account"])
    market = i8(row["market"])
    limit = i8(row["limit_ticks"])
    if not limit and s.risk[market]["mode"] == MODE_BATCH:
        found = s.markets[market]
        limit = market_price(
            i8(row["side"]), price, found["slippage_max_ppm"], found["tick_step"],
            found["price_max_ticks"],
        )  # fmt: skip
    own = i8(row["size"])
    size = own
    most = s.markets[market]["size_max_lots"]
    if size <= 0 or size > most:
        size = order_lots(own if own else lots, s.markets[market]["lot_step"], most)
    now["account"] = account
    now["session"] = 0
    taker["market"] = market
    taker["side"] = i8(row["side"])
    taker["tif"] = GTC if limit else IOC
    taker["flags"] = 0
    if row["flags"] & REDUCE_ONLY:
        taker["flags"] = ORDER_REDUCE_ONLY
    if not limit:
        taker["flags"] |= ORDER_MARKET
    taker["price"] = limit
    taker["size"] = size
    taker["expiry_ms"] = 0
    taker["cloid_hi"] = 0
    taker["cloid_lo"] = 0
    taker["group"] = 0
    code = placed(s)
    if code == OK:
        code = prepare(s)
    order_id = filled = remaining = end = i8(0)
    if code == OK:
        take(s)
        order_id = taker["order_id"]
        filled = taker["filled"]
        remaining = taker["remaining"]
        end = taker["end"]
    emit_words(
        s, TRIGGERED, end, code, i8(row["side"]), market, account, 0,
        row["trigger_id"], order_id, level, price, size, limit, filled, remaining, 0, 0, 0,
    )  # fmt: skip
    if code == NO_LIQUIDITY:
        return
    if own > size and code == OK:
        row["size"] = own - size
        s.triggers_dirty[slot] = 1
    elif code != OK or own or limit or lots <= size:
        pair_id = i8(row["pair_id"])
        trigger_drop(s, slot)
        pair_end(s, account, pair_id)


@kernel(numba.types.int64(RECORD, INT64S))
def triggers_tick(s, cursor):
    """Examine triggers from the committed cursor on, and fire those whose price has come.

    cursor, int64[4]: begun, slot, examined, fired. Stops before any row when an array could run
    short, says why, and goes on with the same cursor.
    """
    ledger = s.ledger[0]
    if not ledger["triggers_live"] and not cursor[0]:
        return DONE
    if not cursor[0]:
        cursor[0] = 1
        cursor[1] = ledger["trigger_cursor"]
        s.now[0]["bundle"] = NO_BUNDLE
        s.now[0]["command"] = 0
    high = ledger["triggers_high"]
    rows = high - 1
    most = min(rows, TRIGGERS_EXAMINED_PER_BLOCK)
    events = events_of_command(s)
    while cursor[2] < most and cursor[3] < TRIGGERS_FIRED_PER_BLOCK:
        short = shortage(s, events)
        if short != DONE:
            return short
        if cursor[1] <= 0 or cursor[1] >= high:
            cursor[1] = 1
        if examine(s, cursor[1]):
            cursor[3] += 1
        cursor[1] += 1
        cursor[2] += 1
    ledger["trigger_cursor"] = cursor[1] if cursor[2] < rows else 0
    s.now[0]["account"] = 0
    return DONE
