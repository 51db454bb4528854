"""Conditional orders: placing them, cancelling them, and firing them in phase 4.

Size. A trigger with a size fires that. A child without one follows what its parent has filled; any
other one without a size fires the whole position, as it is then. The last two kinds only reduce
(in spot the first of them just sells or buys what the parent did), and end with NO_POSITION when
there is nothing that they could reduce and no parent is open any more.

Firing. Rows are examined in slot order, each once a block, and a part of them if there are many;
the cursor carries the rest over. A trigger of a market that is halted, in an auction or in
quarantine waits, and its trail with it. The order is placed and judged as one of the account's
own, without a session; if it is refused the trigger is gone all the same, and its event says why,
but one that found nobody on the other side stays, and tries again. An order that is larger than one
may be leaves its trigger armed for the rest (but not a limit order for the position). In a batch
market, which takes resting orders alone, a market order is a limit order at the watched price,
widened by the market's slippage.
"""

from quorate.execution import rules
from quorate.execution.spec.clearing_rows import Trigger
from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.margin import room_covered
from quorate.execution.spec.orders import place, size_code
from quorate.execution.spec.positions import position_of
from quorate.execution.spec.rows import Market
from quorate.execution.spec.series_state import series_ended
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Taker
from quorate.execution.spec.trigger_rows import (
    pair_end,
    trigger_drop,
    trigger_end,
    trigger_find,
    trigger_insert,
)
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
from quorate.types.codes import EventKind, Flag, MarketKind, MarketStatus, Reject, Tif
from quorate.types.limits import (
    PPM,
    TRIGGERS_EXAMINED_PER_BLOCK,
    TRIGGERS_FIRED_PER_BLOCK,
    TRIGGERS_MAX,
    TRIGGERS_PER_ACCOUNT_MAX,
)
from quorate.types.records import Table


# --- prices and positions ------------------------------------------------------------------------
def watched_ticks(t: Tables, market_slot: int, watch: int) -> int:
    """The price that a trigger looks at, 0 if there is none."""
    market: Market = t.row(Table.MARKETS, market_slot)
    if watch == Watch.MARK:
        return market.mark_ticks
    if watch == Watch.LAST:
        return market.last_ticks
    risk = t.row(Table.RISK, market_slot)
    if risk.mode == Mode.OFF:
        return 0
    return int(t.row(Table.FEEDS, risk.feed).price_ticks)


def market_waits(t: Tables, market_slot: int) -> bool:
    """Whether a market takes no orders at all now, or none that would trade."""
    if t.row(Table.MARKETS, market_slot).status == MarketStatus.HALTED:
        return True
    if t.row(Table.PARAMETERS, 0).switch == MarketStatus.HALTED:
        return True
    risk = t.row(Table.RISK, market_slot)
    return bool(risk.phase != Phase.TRADING or risk.guard == Guard.HALT)


def reducible_lots(t: Tables, account_slot: int, market_slot: int, side: int) -> int:
    """Lots of a perpetual position that an order of that side would reduce."""
    position = position_of(t.row(Table.ACCOUNTS, account_slot), market_slot)
    return rules.reducible(side, position.size) if position else 0


# --- the commands --------------------------------------------------------------------------------
def set_trigger(c: Context, row: Trigger, receipt: Receipt) -> Reject:
    """Judge a new conditional order and keep it. `row.flags` are those of the command."""
    code = form_code(c, row) or room_code(c)
    if code:
        return code
    flags, parent, follows = row.flags, 0, False
    row.flags &= TriggerFlag.REDUCE_ONLY
    row.account, row.state, row.placed_ms = c.account, TriggerState.ARMED, c.time_ms
    if row.parent_id or flags & TriggerFlag.CHILD_LAST:
        follows = not row.size
        code, parent = parent_code(c, row)
    elif not row.size:
        row.flags |= TriggerFlag.REDUCE_ONLY
        spot = c.t.row(Table.MARKETS, row.market).kind == MarketKind.SPOT
        if spot:
            code = Reject.SIZE_MUST_BE_IN_RANGE
        elif not reducible_lots(c.t, c.account, row.market, row.side):
            code = Reject.REDUCE_ONLY_WOULD_INCREASE
    if code:
        return code
    if follows:
        row.flags |= TRIGGER_FOLLOWS
        if c.t.row(Table.MARKETS, row.market).kind != MarketKind.SPOT:
            row.flags |= TriggerFlag.REDUCE_ONLY
    code = session_code(c, row) or passed_code(c, row, flags)
    pair = 0
    if not code and flags & TriggerFlag.PAIR_LAST:
        code, pair = pair_code(c)
    if code:
        return code
    trigger_keep(c, row, parent, pair)
    receipt.side, receipt.market, receipt.price = row.side, row.market, row.trigger_ticks
    receipt.order_id = c.last.trigger_id
    return Reject.OK


def trigger_keep(c: Context, row: Trigger, parent: int, pair: int) -> None:
    """Give an admitted trigger its id and its place; `parent`, `pair` are slots or 0."""
    ledger = c.t.row(Table.LEDGER, 0)
    row.trigger_id = ledger.order_id_next
    ledger.order_id_next += 1
    c.t.put(Table.LEDGER, 0, ledger)
    c.last.trigger_id, c.last.trigger_command = row.trigger_id, c.command
    if parent:
        order = c.t.row(Table.ORDERS, parent)
        order.flags |= ORDER_HAS_CHILDREN
        c.t.put(Table.ORDERS, parent, order)
    if pair:
        other = c.t.row(Table.TRIGGERS, pair)
        row.pair_id, other.pair_id = other.trigger_id, row.trigger_id
        c.t.put(Table.TRIGGERS, pair, other)
    trigger_insert(c.t, row)


def form_code(c: Context, row: Trigger) -> Reject:
    """Whether market, flags, prices and size of a command make sense by themselves."""
    if not 0 < row.market < c.t.row(Table.LEDGER, 0).markets_high:
        return Reject.MARKET_MUST_EXIST
    market = c.t.row(Table.MARKETS, row.market)
    if market.status == MarketStatus.HALTED:
        return Reject.MARKET_HALTED
    both = TriggerFlag.WATCH_INDEX | TriggerFlag.WATCH_LAST
    if row.flags & both == both or (row.parent_id and row.flags & TriggerFlag.CHILD_LAST):
        return Reject.FLAGS_MUST_AGREE
    if market.kind == MarketKind.SPOT and row.flags & TriggerFlag.REDUCE_ONLY:
        return Reject.FLAGS_MUST_AGREE
    row.watch = Watch.MARK
    if row.flags & TriggerFlag.WATCH_INDEX:
        row.watch = Watch.INDEX
        if c.t.row(Table.RISK, row.market).mode == Mode.OFF:
            return Reject.MARKET_HAS_NO_CLEARING
    elif row.flags & TriggerFlag.WATCH_LAST:
        row.watch = Watch.LAST
    elif not market.mark_ticks:
        return Reject.MARK_PRICE_MISSING_WAIT
    if row.kind == TriggerKind.TRAILING:
        if not 0 < row.trail_ppm < PPM:
            return Reject.FIELD_MUST_BE_IN_RANGE
        if row.trigger_ticks:
            return Reject.PRICE_MUST_BE_IN_RANGE
    elif row.trail_ppm:
        return Reject.FIELD_MUST_BE_IN_RANGE
    elif not row.trigger_ticks:
        return Reject.PRICE_MUST_BE_IN_RANGE
    if max(row.trigger_ticks, row.limit_ticks) > market.price_max_ticks:
        return Reject.PRICE_MUST_BE_IN_RANGE
    if row.trigger_ticks % market.tick_step or row.limit_ticks % market.tick_step:
        return Reject.PRICE_MUST_BE_MULTIPLE_OF_TICK
    return size_code(market, row.size) if row.size else Reject.OK


def room_code(c: Context) -> Reject:
    """Whether the account may have one more trigger."""
    if c.t.row(Table.ACCOUNTS, c.account).triggers_count >= TRIGGERS_PER_ACCOUNT_MAX:
        return Reject.TRIGGERS_TOO_MANY_CANCEL_SOME
    if not room_covered(c.t, c.t.row(Table.ACCOUNTS, c.account)):
        return Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE
    ledger = c.t.row(Table.LEDGER, 0)
    if not ledger.triggers_free and ledger.triggers_high >= TRIGGERS_MAX:
        return Reject.TABLE_FULL_SEND_LATER
    return Reject.OK


def parent_code(c: Context, row: Trigger) -> tuple[Reject, int]:
    """Find a child's parent, and what it has filled; the parent's slot if it still rests."""
    order_id = row.parent_id or c.last.order_id
    slot = c.t.find_order(order_id)
    if slot:
        order = c.t.row(Table.ORDERS, slot)
        if order.account != c.account:
            return Reject.TRIGGER_NEEDS_ITS_PARENT, 0
        market, side, filled = order.market, order.side, order.size - order.remaining
    else:
        if row.parent_id or not c.last.filled:
            return Reject.TRIGGER_NEEDS_ITS_PARENT, 0
        market, side, filled = c.last.market, c.last.side, c.last.filled
    if not row.size:
        if market != row.market or side == row.side:
            return Reject.FLAGS_MUST_AGREE, 0
        row.size = filled
    row.parent_id = order_id if slot else 0
    if not filled:
        row.state = TriggerState.WAITING
    return Reject.OK, slot


def session_code(c: Context, row: Trigger) -> Reject:
    """A session key with limits may set triggers that reduce, and no others.

    Its limits are judged on an order's way into the book, where a trigger acts for the account.
    """
    if not c.session or row.flags & TriggerFlag.REDUCE_ONLY:
        return Reject.OK
    session = c.t.row(Table.SESSIONS, c.session)
    if session.order_notional_max_e6:
        return Reject.SESSION_ORDER_SIZE_LIMIT
    if session.position_notional_max_e6:
        return Reject.SESSION_POSITION_LIMIT
    return Reject.SESSION_LEVERAGE_LIMIT if session.leverage_max_e2 else Reject.OK


def passed_code(c: Context, row: Trigger, flags: int) -> Reject:
    """Whether a trigger without a parent would fire at once; a trail begins at today's price."""
    price = watched_ticks(c.t, row.market, row.watch)
    if row.kind == TriggerKind.TRAILING:
        if row.state == TriggerState.ARMED:
            row.peak_ticks = price
        return Reject.OK
    if row.parent_id or flags & TriggerFlag.CHILD_LAST:
        return Reject.OK
    if rules.trigger_fires(row.kind, row.side, price, row.trigger_ticks):
        return Reject.TRIGGER_PRICE_ALREADY_PASSED
    return Reject.OK


def pair_code(c: Context) -> tuple[Reject, int]:
    """The trigger of the command before this one, which has no pair yet."""
    slot = 0
    if c.last.trigger_id and c.last.trigger_command + 1 == c.command:
        slot = trigger_find(c.t, c.account, c.last.trigger_id)
    if not slot or c.t.row(Table.TRIGGERS, slot).pair_id:
        return Reject.TRIGGER_NEEDS_ITS_PAIR, 0
    return Reject.OK, slot


def cancel_trigger(c: Context, trigger_id: int, receipt: Receipt) -> Reject:
    """Take back one's own trigger, and with it its pair; id 0 takes back all, newest first."""
    if not trigger_id:
        head = c.t.row(Table.ACCOUNTS, c.account).triggers_head
        while head:
            trigger_end(c, head, TriggerEnd.USER)
            receipt.filled += 1
            head = c.t.row(Table.ACCOUNTS, c.account).triggers_head
        return Reject.OK
    slot = trigger_find(c.t, c.account, trigger_id)
    if not slot:
        return Reject.TRIGGER_NOT_FOUND
    row = c.t.row(Table.TRIGGERS, slot)
    receipt.side, receipt.market, receipt.order_id = row.side, row.market, trigger_id
    receipt.price = row.trigger_ticks
    trigger_end(c, slot, TriggerEnd.USER)
    return Reject.OK


# --- phase 4 -------------------------------------------------------------------------------------
def triggers_tick(c: Context) -> None:
    """Examine triggers from the cursor on, and fire those whose price has come."""
    ledger = c.t.row(Table.LEDGER, 0)
    if not ledger.triggers_live:
        return
    high, slot = ledger.triggers_high, ledger.trigger_cursor
    rows, examined, fired = high - 1, 0, 0
    while examined < min(rows, TRIGGERS_EXAMINED_PER_BLOCK) and fired < TRIGGERS_FIRED_PER_BLOCK:
        if not 0 < slot < high:
            slot = 1
        if examine(c, slot):
            fired += 1
        slot += 1
        examined += 1
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.trigger_cursor = slot if examined < rows else 0
    c.t.put(Table.LEDGER, 0, ledger)
    c.account = 0


def examine(c: Context, slot: int) -> bool:
    """Look at one row: end it, move its trail, or fire it; whether it fired."""
    t = c.t
    row = t.row(Table.TRIGGERS, slot)
    if not row.trigger_id:
        return False
    if series_ended(t, row.market):
        trigger_end(c, slot, TriggerEnd.EXPIRY)
        return False
    if row.parent_id and not t.find_order(row.parent_id):
        if row.state == TriggerState.WAITING:
            trigger_end(c, slot, TriggerEnd.PARENT)
            return False
        row.parent_id = 0
        t.put(Table.TRIGGERS, slot, row)
    if row.state == TriggerState.WAITING:
        return False
    follows = row.flags & TRIGGER_FOLLOWS and row.flags & TriggerFlag.REDUCE_ONLY
    bound = not row.size or follows
    lots = reducible_lots(t, row.account, row.market, row.side) if bound else 0
    if bound and not lots and not row.parent_id:
        trigger_end(c, slot, TriggerEnd.NO_POSITION)
        return False
    price = watched_ticks(t, row.market, row.watch)
    if (bound and not lots) or not price or market_waits(t, row.market):
        return False
    level = row.trigger_ticks
    if row.kind == TriggerKind.TRAILING:
        row.peak_ticks = rules.trail_best(row.side, row.peak_ticks, price)
        t.put(Table.TRIGGERS, slot, row)
        row = t.row(Table.TRIGGERS, slot)
        level = rules.trail_ticks(row.side, row.peak_ticks, row.trail_ppm)
    if not rules.trigger_fires(row.kind, row.side, price, level):
        return False
    fire(c, slot, price, level, lots)
    return True


def fire(c: Context, slot: int, price: int, level: int, lots: int) -> None:
    """Place a trigger's order; `lots` are those of the position, for one that has no size."""
    row = c.t.row(Table.TRIGGERS, slot)
    market = c.t.row(Table.MARKETS, row.market)
    # A child of an order that was replaced may follow more than one order may be.
    size = row.size
    if not 0 < size <= market.size_max_lots:
        size = rules.order_lots(size or lots, market.lot_step, market.size_max_lots)
    rest = row.size - size
    flags = int(Flag.REDUCE_ONLY) if row.flags & TriggerFlag.REDUCE_ONLY else 0
    limit, tif = row.limit_ticks, Tif.GTC
    if not limit and c.t.row(Table.RISK, row.market).mode == Mode.BATCH:
        limit = rules.market_price(
            row.side, price, market.slippage_max_ppm, market.tick_step, market.price_max_ticks
        )
    if not limit:
        flags, tif = flags | Flag.MARKET, Tif.IOC
    c.account, c.session = row.account, 0
    receipt = Receipt()
    taker = Taker(row.market, row.side, tif, flags, limit, size)
    code = place(c, taker, receipt)
    c.emit_words(
        EventKind.TRIGGERED,
        row.trigger_id,
        receipt.order_id,
        level,
        price,
        size,
        limit,
        receipt.filled,
        receipt.remaining,
        end=receipt.end,
        code=code,
        side=row.side,
        market=row.market,
        account=row.account,
    )
    if code == Reject.NO_LIQUIDITY_FOR_MARKET_ORDER:
        return
    if rest > 0 and not code:
        row = c.t.row(Table.TRIGGERS, slot)
        row.size = rest
        c.t.put(Table.TRIGGERS, slot, row)
    elif code or row.size or limit or lots <= size:
        trigger_drop(c.t, slot)
        pair_end(c, row.account, row.pair_id)
