"""Trading commands: place, modify, cancel. Everything is judged first and applied afterwards."""

from quorate.execution import rules
from quorate.execution.spec.accounts import deadman_fired
from quorate.execution.spec.auctions import trades_now
from quorate.execution.spec.bands import band_breached
from quorate.execution.spec.book import (
    best_level,
    hold_e6,
    order_cancel,
    order_dead,
    order_shrink,
    position_key,
)
from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.guards import entry_code
from quorate.execution.spec.margin import assess, fee_rates
from quorate.execution.spec.match import fillable, owns, take
from quorate.execution.spec.perpetuals import perpetual_code
from quorate.execution.spec.positions import position_code, position_of
from quorate.execution.spec.protection import group_code
from quorate.execution.spec.rows import Account, Market, Order
from quorate.execution.spec.sessions import session_order_code, session_spot_code
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Taker
from quorate.execution.spec.trigger_rows import children_moved
from quorate.types.clearing_codes import ORDER_HAS_CHILDREN
from quorate.types.codes import (
    End,
    Flag,
    MarketKind,
    Reject,
    Side,
    Stp,
    Tif,
)
from quorate.types.limits import CASH_TRADING_MAX_E6, LEVELS_MAX, ORDERS_MAX, TIERS_PER_SCHEDULE
from quorate.types.records import Table


# --- place ---------------------------------------------------------------------------------------
def place(
    c: Context,
    taker: Taker,
    receipt: Receipt,
) -> Reject:
    """Judge a new order, match it, and rest what remains if it may rest."""
    code = market_code(c, taker.market, taker.flags, taker.tif)
    if code:
        return code
    market = c.t.row(Table.MARKETS, taker.market)
    code = size_code(market, taker.size) or price_code(market, taker) or place_code(c, taker)
    code = code or prepare(c, market, taker, 0)
    if code:
        return code
    take(c, taker)
    report(taker, receipt)
    return Reject.OK


def report(taker: Taker, receipt: Receipt) -> None:
    """Fill in a receipt from an order that has been through the book."""
    receipt.side, receipt.end, receipt.market = taker.side, taker.end, taker.market
    receipt.order_id, receipt.price = taker.order_id, taker.price
    receipt.filled, receipt.remaining = taker.filled, taker.remaining


def market_code(c: Context, slot: int, flags: int, tif: int) -> Reject:
    """Whether the market takes orders of that kind now."""
    if not 0 < slot < c.t.row(Table.LEDGER, 0).markets_high:
        return Reject.MARKET_MUST_EXIST
    market = c.t.row(Table.MARKETS, slot)
    code = entry_code(c, market, slot, flags, tif)
    if code:
        return code
    if market.kind == MarketKind.SPOT and flags & Flag.REDUCE_ONLY:
        return Reject.FLAGS_MUST_AGREE
    return Reject.OK


def size_code(market: Market, size: int) -> Reject:
    """Whether a size in lots is one of the market's."""
    if not 0 < size <= market.size_max_lots:
        return Reject.SIZE_MUST_BE_IN_RANGE
    if size % market.lot_step:
        return Reject.SIZE_MUST_BE_MULTIPLE_OF_LOT
    return Reject.OK


def price_code(market: Market, taker: Taker) -> Reject:
    """Whether a limit price in ticks is one of the market's."""
    if taker.flags & Flag.MARKET:
        return Reject.OK
    if not 0 < taker.price <= market.price_max_ticks:
        return Reject.PRICE_MUST_BE_IN_RANGE
    if taker.price % market.tick_step:
        return Reject.PRICE_MUST_BE_MULTIPLE_OF_TICK
    return Reject.OK


def place_code(c: Context, taker: Taker) -> Reject:
    """What only a new order, not a replaced one, must satisfy."""
    if taker.tif == Tif.GTT and taker.expiry_ms <= c.time_ms:
        return Reject.EXPIRY_MUST_BE_IN_THE_FUTURE
    account = c.t.row(Table.ACCOUNTS, c.account)
    if deadman_fired(account, c.time_ms):
        return Reject.DEADMAN_FIRED_WAIT_A_BLOCK
    if (taker.cloid_hi or taker.cloid_lo) and c.t.find_client(
        c.account, taker.cloid_hi, taker.cloid_lo
    ):
        return Reject.CLIENT_ID_ALREADY_OPEN
    if taker.group:
        code, taker.group_slot = group_code(c, taker.group)
        if code:
            return code
    if taker.tif in (Tif.GTC, Tif.GTT):
        if account.orders_count >= c.t.row(Table.PARAMETERS, 0).orders_per_account_max:
            return Reject.ORDERS_OPEN_TOO_MANY_CANCEL_SOME
        ledger = c.t.row(Table.LEDGER, 0)
        if not ledger.orders_free and ledger.orders_high >= ORDERS_MAX:
            return Reject.TABLE_FULL_SEND_LATER
        return level_code(c.t)
    return Reject.OK


def level_code(t: Tables) -> Reject:
    """Whether a further price level fits."""
    ledger = t.row(Table.LEDGER, 0)
    if not ledger.levels_free and ledger.levels_high >= LEVELS_MAX:
        return Reject.TABLE_FULL_SEND_LATER
    return Reject.OK


# --- judgements that new and replaced orders share -----------------------------------------------
def prepare(c: Context, market: Market, taker: Taker, replaced: int) -> Reject:
    """Settle price and size of an order and judge its risk; `replaced` is the order it replaces."""
    code = cross_code(c, market, taker)
    if code:
        return code
    account = c.t.row(Table.ACCOUNTS, c.account)
    key = position_key(taker.market, market)
    if taker.flags & Flag.REDUCE_ONLY:
        position = position_of(account, key)
        lots = rules.reducible(taker.side, position.size if position else 0)
        if not lots or (taker.tif == Tif.FOK and lots < taker.size):
            return Reject.REDUCE_ONLY_WOULD_INCREASE
        taker.size = min(taker.size, lots)
    code = position_code(c.t, account, key)
    if code:
        return code
    schedule = market.fee_schedule
    taker.hold_ppm = c.t.row(Table.FEE_TIERS, schedule * TIERS_PER_SCHEDULE).taker_ppm
    _, taker.fee_ppm = fee_rates(c.t, account, schedule, c.time_ms)
    if market.kind == MarketKind.SPOT:
        code = spot_code(c, account, market, taker, replaced)
    else:
        code = perpetual_code(c, account, market, taker, replaced)
    if code:
        return code
    taker.remaining = taker.size
    if taker.tif == Tif.FOK:
        return fillable(c, taker)
    return Reject.OK


def cross_code(c: Context, market: Market, taker: Taker) -> Reject:
    """Settle a market order's price, keep post-only orders passive, refuse what cannot match.

    Where orders rest without matching, post-only ones may stand across the book.
    """
    if not trades_now(c.t, taker.market):
        if taker.tif in (Tif.IOC, Tif.FOK):
            return Reject.AUCTION_TAKES_RESTING_ORDERS_ALONE
        return Reject.OK
    opposite = best_level(market, 1 - taker.side)
    if not opposite:
        if taker.flags & Flag.MARKET:
            return Reject.NO_LIQUIDITY_FOR_MARKET_ORDER
        if taker.tif == Tif.IOC:
            return Reject.IMMEDIATE_WOULD_NOT_FILL
        return Reject.OK
    level = c.t.row(Table.LEVELS, opposite)
    best = level.price
    if taker.flags & Flag.MARKET:
        taker.price = rules.market_price(
            taker.side, best, market.slippage_max_ppm, market.tick_step, market.price_max_ticks
        )
    crossing = rules.crosses(taker.side, taker.price, best)
    if taker.flags & Flag.POST_ONLY:
        if crossing:
            if not taker.flags & Flag.SLIDE:
                return Reject.POST_ONLY_WOULD_CROSS
            step = market.tick_step
            taker.price = best - step if taker.side == Side.BUY else best + step
            if not 0 < taker.price <= market.price_max_ticks:
                return Reject.POST_ONLY_WOULD_CROSS
        return Reject.OK
    if taker.tif == Tif.IOC and not crossing:
        return Reject.IMMEDIATE_WOULD_NOT_FILL
    if taker.tif in (Tif.IOC, Tif.FOK) and crossing:
        if band_breached(c, taker.market, best, 0) >= 0:
            return Reject.PRICE_OUTSIDE_BAND
    if crossing and (taker.flags & Flag.STP_MASK) >> Flag.STP_SHIFT == Stp.CANCEL_TAKER:
        maker = c.t.row(Table.ORDERS, level.head)
        if owns(c, taker, maker.account) and not order_dead(c, maker):
            return Reject.SELF_TRADE_WOULD_CANCEL_TAKER
    return Reject.OK


def spot_code(
    c: Context, account: Account, market: Market, taker: Taker, replaced: int
) -> Reject:
    """Whether the balances cover a spot order at its limit price, fee included."""
    old = c.t.row(Table.ORDERS, replaced) if replaced else Order()
    value = rules.notional(taker.price, taker.size, market.quantum_e6)
    code = session_order_code(c, value)
    if code:
        return code
    if taker.side == Side.SELL:
        position = position_of(account, position_key(taker.market, market))
        free = position.size - position.asks if position else 0
        free += old.remaining * market.lot_units
        if free < taker.size * market.lot_units:
            return Reject.BALANCE_INSUFFICIENT
        return Reject.OK
    if abs(account.cash_e6) > CASH_TRADING_MAX_E6:
        return Reject.ACCOUNT_CASH_BEYOND_BOUND
    code = session_spot_code(c, account, market, taker, value)
    if code:
        return code
    cost = value + rules.ppm_ceil(value, taker.hold_ppm)
    freed = hold_e6(market, old, old.remaining) if replaced else 0
    equity, margin, _ = assess(c.t, account)
    if equity + freed - cost < margin:
        return Reject.BALANCE_INSUFFICIENT
    return Reject.OK


# --- modify --------------------------------------------------------------------------------------
def modify(
    c: Context, slot: int, price: int, size: int, flags: int, receipt: Receipt
) -> Reject:
    """Change price and total size. Only a pure shrink keeps the order's place in the queue."""
    order = c.t.row(Table.ORDERS, slot)
    if not slot or order.account != c.account or order_dead(c, order):
        return Reject.ORDER_NOT_FOUND
    market = c.t.row(Table.MARKETS, order.market)
    flags |= order.flags & Flag.REDUCE_ONLY
    taker = Taker(
        market=order.market,
        side=order.side,
        tif=order.tif,
        flags=flags,
        price=price,
        size=size,
        expiry_ms=order.expiry_ms,
        cloid_hi=order.cloid_hi,
        cloid_lo=order.cloid_lo,
        group=order.group,
        group_slot=order.group_slot,
        kept=order.flags & ORDER_HAS_CHILDREN,
    )
    code = size_code(market, size)
    if code:
        return code
    filled = order.size - order.remaining
    if size <= filled:
        return Reject.ORDER_ALREADY_FILLED_TO_THAT_SIZE
    open_lots = size - filled
    if price == order.price and open_lots <= order.remaining:
        # Like a cancel of a part: possible in every market status.
        order_shrink(c.t, slot, order.remaining - open_lots)
        order = c.t.row(Table.ORDERS, slot)
        order.size = size
        c.t.put(Table.ORDERS, slot, order)
        receipt.side, receipt.market, receipt.order_id = order.side, order.market, order.order_id
        receipt.price, receipt.remaining = price, open_lots
        return Reject.OK
    code = market_code(c, order.market, flags, order.tif) or price_code(market, taker)
    if code:
        return code
    taker.size = open_lots
    code = level_code(c.t) or prepare(c, market, taker, slot)
    if code:
        return code
    order_cancel(c, slot, End.REPLACED)
    take(c, taker)
    if taker.kept:
        children_moved(c.t, c.account, order.order_id, taker.order_id, taker.filled)
    report(taker, receipt)
    return Reject.OK


# --- cancel --------------------------------------------------------------------------------------
def cancel(c: Context, slot: int, receipt: Receipt) -> Reject:
    """Take one's own order out of the book; possible in every market status."""
    order = c.t.row(Table.ORDERS, slot)
    if not slot or order.account != c.account:
        return Reject.ORDER_NOT_FOUND
    receipt.side, receipt.market, receipt.order_id = order.side, order.market, order.order_id
    receipt.price = order.price
    order_cancel(c, slot, End.USER)
    return Reject.OK


def cancel_all(c: Context, market_slot: int, receipt: Receipt) -> Reject:
    """Cancel every order of the account, or those in one market; newest first."""
    if market_slot >= c.t.row(Table.LEDGER, 0).markets_high:
        return Reject.MARKET_MUST_EXIST
    slot = c.t.row(Table.ACCOUNTS, c.account).orders_head
    while slot:
        order = c.t.row(Table.ORDERS, slot)
        if market_slot in (0, order.market):
            order_cancel(c, slot, End.USER)
            receipt.filled += 1
        slot = order.account_next
    receipt.market = market_slot
    return Reject.OK
