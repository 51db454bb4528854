"""Conditional orders: the commands, and what both they and phase 4 ask; as `spec.triggers`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.maps import find_order
from quorate.execution.kernels.margin import room_covered
from quorate.execution.kernels.orders import size_code
from quorate.execution.kernels.rows import position_of
from quorate.execution.kernels.scalars import reducible, trigger_fires
from quorate.execution.kernels.trigger_rows import trigger_end, trigger_find, trigger_insert
from quorate.types.clearing_codes import (
    ORDER_HAS_CHILDREN,
    TRIGGER_FOLLOWS,
    Guard,
    Mode,
    Phase,
    TriggerEnd,
    TriggerFlag,
    TriggerKind,
    TriggerState,
    Watch,
)
from quorate.types.codes import MarketKind, MarketStatus, Reject
from quorate.types.limits import PPM, TRIGGERS_MAX, TRIGGERS_PER_ACCOUNT_MAX

i8 = np.int64
R = Reject
OK = int(R.OK)
SPOT = int(MarketKind.SPOT)
HALTED = int(MarketStatus.HALTED)
GUARD_HALT, TRADING = int(Guard.HALT), int(Phase.TRADING)
MODE_OFF = int(Mode.OFF)
MARK, INDEX, LAST = int(Watch.MARK), int(Watch.INDEX), int(Watch.LAST)
REDUCE_ONLY = int(TriggerFlag.REDUCE_ONLY)
WATCH_INDEX, WATCH_LAST = int(TriggerFlag.WATCH_INDEX), int(TriggerFlag.WATCH_LAST)
PAIR_LAST, CHILD_LAST = int(TriggerFlag.PAIR_LAST), int(TriggerFlag.CHILD_LAST)
TRAILING = int(TriggerKind.TRAILING)
WAITING, ARMED = int(TriggerState.WAITING), int(TriggerState.ARMED)
END_USER = int(TriggerEnd.USER)
MARKET_MUST_EXIST, MARKET_HALTED = int(R.MARKET_MUST_EXIST), int(R.MARKET_HALTED)
FLAGS_MUST_AGREE, FIELD_RANGE = int(R.FLAGS_MUST_AGREE), int(R.FIELD_MUST_BE_IN_RANGE)
NO_CLEARING, MARK_MISSING = int(R.MARKET_HAS_NO_CLEARING), int(R.MARK_PRICE_MISSING_WAIT)
PRICE_RANGE, PRICE_TICK = int(R.PRICE_MUST_BE_IN_RANGE), int(R.PRICE_MUST_BE_MULTIPLE_OF_TICK)
SIZE_RANGE, WOULD_INCREASE = int(R.SIZE_MUST_BE_IN_RANGE), int(R.REDUCE_ONLY_WOULD_INCREASE)
TOO_MANY, TABLE_FULL = int(R.TRIGGERS_TOO_MANY_CANCEL_SOME), int(R.TABLE_FULL_SEND_LATER)
NEEDS_PARENT, NEEDS_PAIR = int(R.TRIGGER_NEEDS_ITS_PARENT), int(R.TRIGGER_NEEDS_ITS_PAIR)
ALREADY_PASSED, NOT_FOUND = int(R.TRIGGER_PRICE_ALREADY_PASSED), int(R.TRIGGER_NOT_FOUND)
INSUFFICIENT = int(R.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE)
SESSION_ORDER, SESSION_POSITION = int(R.SESSION_ORDER_SIZE_LIMIT), int(R.SESSION_POSITION_LIMIT)
SESSION_LEVERAGE = int(R.SESSION_LEVERAGE_LIMIT)


# --- prices and positions ------------------------------------------------------------------------
@helper
def watched_ticks(s, market, watch):
    """The price that a trigger looks at, 0 if there is none."""
    if watch == MARK:
        return s.markets[market]["mark_ticks"]
    if watch == LAST:
        return s.markets[market]["last_ticks"]
    if s.risk[market]["mode"] == MODE_OFF:
        return i8(0)
    return s.feeds[s.risk[market]["feed"]]["price_ticks"]


@helper
def market_waits(s, market):
    """Whether a market takes no orders at all now, or none that would trade."""
    if s.markets[market]["status"] == HALTED or i8(s.parameters[0]["switch"]) == HALTED:
        return True
    return s.risk[market]["phase"] != TRADING or s.risk[market]["guard"] == GUARD_HALT


@helper
def position_lots(s, account, market, side):
    """Lots of a perpetual position that an order of that side would reduce."""
    cell = position_of(s, account, market)
    return reducible(side, s.positions[cell]["size"]) if cell >= 0 else i8(0)


# --- the commands --------------------------------------------------------------------------------
@helper
def set_trigger(s, command):
    """Judge a new conditional order and keep it."""
    draft = s.draft[0]
    draft["market"] = i8(command["market"])
    draft["side"] = i8(command["side"])
    draft["kind"] = i8(command["tif"])
    draft["flags"] = i8(command["flags"])
    draft["trigger_ticks"] = command["price"]
    draft["limit_ticks"] = command["expiry_ms"]
    draft["size"] = command["size"]
    draft["trail_ppm"] = command["aux"]
    draft["parent_id"] = command["order_id"]
    draft["peak_ticks"] = 0
    draft["parent"] = 0
    draft["state"] = ARMED
    code = form_code(s)
    if code == OK:
        code = room_code(s)
    if code != OK:
        return code
    flags = draft["flags"]
    draft["flags"] = flags & REDUCE_ONLY
    code = bound_code(s, flags)
    if code == OK:
        code = session_code(s)
    if code == OK:
        code = passed_code(s, flags)
    pair = i8(0)
    if code == OK and flags & PAIR_LAST:
        pair = pair_slot(s)
        if not pair:
            code = NEEDS_PAIR
    if code == OK:
        trigger_keep(s, pair)
    return code


@helper
def bound_code(s, flags):
    """What a trigger's size and its firing depend on: a parent, the position, or neither."""
    draft = s.draft[0]
    account = s.now[0]["account"]
    spot = s.markets[draft["market"]]["kind"] == SPOT
    if draft["parent_id"] or flags & CHILD_LAST:
        follows = draft["size"] == 0
        code = parent_code(s)
        if code == OK and follows:
            draft["flags"] |= TRIGGER_FOLLOWS
            if not spot:
                draft["flags"] |= REDUCE_ONLY
        return code
    if not draft["size"]:
        draft["flags"] |= REDUCE_ONLY
        if spot:
            return SIZE_RANGE
        if not position_lots(s, account, draft["market"], draft["side"]):
            return WOULD_INCREASE
    return OK


@helper
def trigger_keep(s, pair):
    """Give an admitted trigger its id and its place, and say so in the receipt."""
    draft = s.draft[0]
    now = s.now[0]
    trigger_id = s.ledger[0]["order_id_next"]
    s.ledger[0]["order_id_next"] = trigger_id + 1
    now["last_trigger"] = trigger_id
    now["last_trigger_command"] = now["command"]
    if draft["parent"]:
        s.orders[draft["parent"]]["flags"] |= ORDER_HAS_CHILDREN
        s.orders_dirty[draft["parent"]] = 1
    pair_id = i8(0)
    if pair:
        pair_id = i8(s.triggers[pair]["trigger_id"])
        s.triggers[pair]["pair_id"] = trigger_id
        s.triggers_dirty[pair] = 1
    row = s.triggers[trigger_insert(s, now["account"])]
    row["trigger_id"] = trigger_id
    row["trigger_ticks"] = draft["trigger_ticks"]
    row["limit_ticks"] = draft["limit_ticks"]
    row["size"] = draft["size"]
    row["trail_ppm"] = draft["trail_ppm"]
    row["peak_ticks"] = draft["peak_ticks"]
    row["parent_id"] = draft["parent_id"]
    row["pair_id"] = pair_id
    row["market"] = draft["market"]
    row["side"] = draft["side"]
    row["kind"] = draft["kind"]
    row["watch"] = draft["watch"]
    row["flags"] = draft["flags"]
    row["state"] = draft["state"]
    row["placed_ms"] = now["time_ms"]
    now["receipt_side"] = draft["side"]
    now["receipt_market"] = draft["market"]
    now["receipt_price"] = draft["trigger_ticks"]
    now["receipt_order"] = trigger_id


@helper
def form_code(s):
    """Whether market, flags, prices and size of a command make sense by themselves."""
    draft = s.draft[0]
    market_slot, flags = draft["market"], draft["flags"]
    if market_slot <= 0 or market_slot >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    market = s.markets[market_slot]
    if market["status"] == HALTED:
        return MARKET_HALTED
    if flags & WATCH_INDEX and flags & WATCH_LAST:
        return FLAGS_MUST_AGREE
    if draft["parent_id"] and flags & CHILD_LAST:
        return FLAGS_MUST_AGREE
    if market["kind"] == SPOT and flags & REDUCE_ONLY:
        return FLAGS_MUST_AGREE
    draft["watch"] = MARK
    if flags & WATCH_INDEX:
        draft["watch"] = INDEX
        if s.risk[market_slot]["mode"] == MODE_OFF:
            return NO_CLEARING
    elif flags & WATCH_LAST:
        draft["watch"] = LAST
    elif not market["mark_ticks"]:
        return MARK_MISSING
    return price_form_code(s)


@helper
def price_form_code(s):
    """The part of `form_code` on prices and size."""
    draft = s.draft[0]
    market = s.markets[draft["market"]]
    price, limit, trail = draft["trigger_ticks"], draft["limit_ticks"], draft["trail_ppm"]
    if draft["kind"] == TRAILING:
        if trail <= 0 or trail >= PPM:
            return FIELD_RANGE
        if price:
            return PRICE_RANGE
    elif trail:
        return FIELD_RANGE
    elif not price:
        return PRICE_RANGE
    if price > market["price_max_ticks"] or limit > market["price_max_ticks"]:
        return PRICE_RANGE
    if price % market["tick_step"] or limit % market["tick_step"]:
        return PRICE_TICK
    if draft["size"]:
        return size_code(s, draft["market"], draft["size"])
    return OK


@helper
def room_code(s):
    """Whether the account may have one more trigger."""
    if s.accounts[s.now[0]["account"]]["triggers_count"] >= TRIGGERS_PER_ACCOUNT_MAX:
        return TOO_MANY
    if not room_covered(s, s.now[0]["account"]):
        return INSUFFICIENT
    ledger = s.ledger[0]
    if not ledger["triggers_free"] and ledger["triggers_high"] >= TRIGGERS_MAX:
        return TABLE_FULL
    return OK


@helper
def parent_code(s):
    """Find a child's parent, and what it has filled."""
    draft = s.draft[0]
    now = s.now[0]
    named = draft["parent_id"]
    order_id = named if named else now["last_order"]
    slot = find_order(s, order_id)
    if slot:
        order = s.orders[slot]
        if i8(order["account"]) != now["account"]:
            return NEEDS_PARENT
        market = i8(order["market"])
        side = i8(order["side"])
        filled = order["size"] - order["remaining"]
    else:
        if named or not now["last_filled"]:
            return NEEDS_PARENT
        market, side, filled = now["last_market"], now["last_side"], now["last_filled"]
    if not draft["size"]:
        if market != draft["market"] or side == draft["side"]:
            return FLAGS_MUST_AGREE
        draft["size"] = filled
    draft["parent_id"] = order_id if slot else i8(0)
    draft["parent"] = slot
    if not filled:
        draft["state"] = WAITING
    return OK


@helper
def session_code(s):
    """A session key with limits may set triggers that reduce, and no others."""
    session = s.now[0]["session"]
    if not session or s.draft[0]["flags"] & REDUCE_ONLY:
        return OK
    row = s.sessions[session]
    if row["order_notional_max_e6"]:
        return SESSION_ORDER
    if row["position_notional_max_e6"]:
        return SESSION_POSITION
    if row["leverage_max_e2"]:
        return SESSION_LEVERAGE
    return OK


@helper
def passed_code(s, flags):
    """Whether a trigger without a parent would fire at once; a trail begins at today's price."""
    draft = s.draft[0]
    price = watched_ticks(s, draft["market"], draft["watch"])
    if draft["kind"] == TRAILING:
        if draft["state"] == ARMED:
            draft["peak_ticks"] = price
        return OK
    if draft["parent_id"] or flags & CHILD_LAST:
        return OK
    if trigger_fires(draft["kind"], draft["side"], price, draft["trigger_ticks"]):
        return ALREADY_PASSED
    return OK


@helper
def pair_slot(s):
    """Slot of the trigger of the command before this one, which has no pair yet, or 0."""
    now = s.now[0]
    if not now["last_trigger"] or now["last_trigger_command"] + 1 != now["command"]:
        return i8(0)
    slot = trigger_find(s, now["account"], now["last_trigger"])
    if slot and s.triggers[slot]["pair_id"]:
        return i8(0)
    return slot


@helper
def cancel_trigger(s, trigger_id):
    """Take back one's own trigger, and with it its pair; id 0 takes back all, newest first."""
    now = s.now[0]
    account = now["account"]
    if not trigger_id:
        head = i8(s.accounts[account]["triggers_head"])
        while head:
            trigger_end(s, head, i8(END_USER))
            now["receipt_filled"] += 1
            head = i8(s.accounts[account]["triggers_head"])
        return OK
    slot = trigger_find(s, account, trigger_id)
    if not slot:
        return NOT_FOUND
    row = s.triggers[slot]
    now["receipt_side"] = i8(row["side"])
    now["receipt_market"] = i8(row["market"])
    now["receipt_order"] = trigger_id
    now["receipt_price"] = row["trigger_ticks"]
    trigger_end(s, slot, i8(END_USER))
    return OK
