"""The order book as linked rows: market -> best level -> worse levels; level -> oldest order ->
newer orders; account -> newest order -> its other orders.
"""

from quorate.execution import rules
from quorate.execution.spec.accounts import deadman_fired
from quorate.execution.spec.context import Context
from quorate.execution.spec.positions import position_close_if_empty, position_open
from quorate.execution.spec.rows import Account, Level, Market, Order
from quorate.execution.spec.tables import Tables, insert, remove
from quorate.types.codes import End, EventKind, MarketKind, Side
from quorate.types.records import ASSET_KEY, Table


def best_level(market: Market, side: int) -> int:
    """Slot of the best level of one side, or 0."""
    return market.bid_best if side == Side.BUY else market.ask_best


def position_key(market_slot: int, market: Market) -> int:
    """Key of the position row in which trades of a market are booked."""
    if market.kind == MarketKind.SPOT:
        return ASSET_KEY + market.base_asset
    return market_slot


def order_dead(c: Context, order: Order) -> End:
    """Why an order may not trade any more although it still stands in the book, or NONE."""
    if 0 < order.expiry_ms <= c.time_ms:
        return End.EXPIRED
    if deadman_fired(c.t.row(Table.ACCOUNTS, order.account), c.time_ms):
        return End.DEADMAN
    return End.NONE


# --- what an open order reserves -----------------------------------------------------------------
def hold_e6(market: Market, order: Order, lots: int) -> int:
    """Cash that a spot bid holds for `lots`: their notional and the dearest fee, rounded up."""
    value = rules.notional(order.price, lots, market.quantum_e6)
    return value + rules.ppm_ceil(value, order.hold_ppm)


def reserve(account: Account, market: Market, order: Order, before: int, after: int) -> None:
    """Move an order's reservation in its account from `before` to `after` open lots."""
    position = position_open(account, position_key(order.market, market))
    if order.side == Side.BUY:
        if market.kind == MarketKind.SPOT:
            account.held_e6 += hold_e6(market, order, after) - hold_e6(market, order, before)
        else:
            position.bids += after - before
    elif market.kind == MarketKind.SPOT:
        position.asks += (after - before) * market.lot_units
    else:
        position.asks += after - before


# --- putting an order in -------------------------------------------------------------------------
def order_rest(c: Context, order: Order) -> int:
    """Put an order at the end of the queue at its price; return its slot."""
    t = c.t
    slot = insert(t, Table.ORDERS, order)
    order = t.row(Table.ORDERS, slot)
    level_slot = level_at(t, order.market, order.side, order.price)
    level = t.row(Table.LEVELS, level_slot)
    order.level, order.older = level_slot, level.tail
    if level.tail:
        older = t.row(Table.ORDERS, level.tail)
        older.newer = slot
        t.put(Table.ORDERS, level.tail, older)
    else:
        level.head = slot
    level.tail = slot
    level.lots += order.remaining
    level.orders_count += 1
    t.put(Table.LEVELS, level_slot, level)

    account = t.row(Table.ACCOUNTS, order.account)
    market = t.row(Table.MARKETS, order.market)
    order.account_next = account.orders_head
    if account.orders_head:
        other = t.row(Table.ORDERS, account.orders_head)
        other.account_prev = slot
        t.put(Table.ORDERS, account.orders_head, other)
    account.orders_head = slot
    account.orders_count += 1
    reserve(account, market, order, 0, order.remaining)
    position_open(account, position_key(order.market, market)).orders_count += 1
    t.put(Table.ACCOUNTS, order.account, account)
    t.put(Table.ORDERS, slot, order)
    market.orders_count += 1
    t.put(Table.MARKETS, order.market, market)
    ledger = t.row(Table.LEDGER, 0)
    ledger.orders_live += 1
    t.put(Table.LEDGER, 0, ledger)
    return slot


def level_at(t: Tables, market_slot: int, side: int, price: int) -> int:
    """Level of that price, linked in between its neighbours if it is new."""
    better = t.seek_level(market_slot, side, price)
    level_checked(t, market_slot, side, price, better)
    if better and t.row(Table.LEVELS, better).price == price:
        return better
    market = t.row(Table.MARKETS, market_slot)
    worse = t.row(Table.LEVELS, better).worse if better else best_level(market, side)
    slot = insert(
        t,
        Table.LEVELS,
        Level(price=price, market=market_slot, side=side, better=better, worse=worse),
    )
    if better:
        row = t.row(Table.LEVELS, better)
        row.worse = slot
        t.put(Table.LEVELS, better, row)
    else:
        best_set(t, market_slot, side, slot)
    if worse:
        row = t.row(Table.LEVELS, worse)
        row.better = slot
        t.put(Table.LEVELS, worse, row)
    return slot


def level_checked(t: Tables, market_slot: int, side: int, price: int, better: int) -> None:
    """Hold what a search said against the links: `better` is as good, what follows it is worse."""
    follows = best_level(t.row(Table.MARKETS, market_slot), side)
    if better:
        level = t.row(Table.LEVELS, better)
        assert (level.market, level.side) == (market_slot, side)
        assert level.price == price or rules.crosses(1 - side, price, level.price)
        follows = level.worse
    if follows:
        behind = t.row(Table.LEVELS, follows).price
        assert behind != price and rules.crosses(side, price, behind), "seek told an untruth"


def best_set(t: Tables, market_slot: int, side: int, level: int) -> None:
    """Point a market at the best level of one side."""
    market = t.row(Table.MARKETS, market_slot)
    if side == Side.BUY:
        market.bid_best = level
    else:
        market.ask_best = level
    t.put(Table.MARKETS, market_slot, market)


# --- taking lots or orders out -------------------------------------------------------------------
def order_shrink(t: Tables, slot: int, lots: int) -> None:
    """Take `lots` off an order in place; its queue position stays."""
    order = t.row(Table.ORDERS, slot)
    account = t.row(Table.ACCOUNTS, order.account)
    market = t.row(Table.MARKETS, order.market)
    reserve(account, market, order, order.remaining, order.remaining - lots)
    t.put(Table.ACCOUNTS, order.account, account)
    order.remaining -= lots
    level = t.row(Table.LEVELS, order.level)
    level.lots -= lots
    t.put(Table.LEVELS, order.level, level)
    t.put(Table.ORDERS, slot, order)


def order_cancel(c: Context, slot: int, end: End) -> None:
    """Take an order out of the book and say why."""
    order = c.t.row(Table.ORDERS, slot)
    c.emit(
        EventKind.CANCELLED,
        side=order.side,
        end=end,
        market=order.market,
        account=order.account,
        order_id=order.order_id,
        price=order.price,
        size=order.size,
        remaining=order.remaining,
    )
    order_remove(c.t, slot)


def order_remove(t: Tables, slot: int) -> None:
    """Unlink an order everywhere and free its row; an empty level goes with it."""
    order = t.row(Table.ORDERS, slot)
    traded = not order.remaining
    if order.remaining:
        order_shrink(t, slot, order.remaining)
    level = t.row(Table.LEVELS, order.level)
    level.orders_count -= 1
    if order.older:
        row = t.row(Table.ORDERS, order.older)
        row.newer = order.newer
        t.put(Table.ORDERS, order.older, row)
    else:
        level.head = order.newer
    if order.newer:
        row = t.row(Table.ORDERS, order.newer)
        row.older = order.older
        t.put(Table.ORDERS, order.newer, row)
    else:
        level.tail = order.older
    t.put(Table.LEVELS, order.level, level)
    if not level.head:
        level_remove(t, order.level)

    account = t.row(Table.ACCOUNTS, order.account)
    market = t.row(Table.MARKETS, order.market)
    if order.account_prev:
        row = t.row(Table.ORDERS, order.account_prev)
        row.account_next = order.account_next
        t.put(Table.ORDERS, order.account_prev, row)
    else:
        account.orders_head = order.account_next
    if order.account_next:
        row = t.row(Table.ORDERS, order.account_next)
        row.account_prev = order.account_prev
        t.put(Table.ORDERS, order.account_next, row)
    account.orders_count -= 1
    key = position_key(order.market, market)
    position_open(account, key).orders_count -= 1
    position_close_if_empty(account, key, traded)
    t.put(Table.ACCOUNTS, order.account, account)
    market.orders_count -= 1
    t.put(Table.MARKETS, order.market, market)
    ledger = t.row(Table.LEDGER, 0)
    ledger.orders_live -= 1
    t.put(Table.LEDGER, 0, ledger)
    remove(t, Table.ORDERS, slot)


def level_remove(t: Tables, slot: int) -> None:
    """Unlink an empty level from its neighbours and free its row."""
    level = t.row(Table.LEVELS, slot)
    if level.better:
        row = t.row(Table.LEVELS, level.better)
        row.worse = level.worse
        t.put(Table.LEVELS, level.better, row)
    else:
        best_set(t, level.market, level.side, level.worse)
    if level.worse:
        row = t.row(Table.LEVELS, level.worse)
        row.better = level.better
        t.put(Table.LEVELS, level.worse, row)
    remove(t, Table.LEVELS, slot)
