"""Matching: price first, then time. One loop for every order; a dry run of it for fill-or-kill.

Work is bounded: each resting order that the loop looks at counts as examined, whether it trades,
is cancelled (dead, without margin, self-trade) or stops the taker.

A maker is looked at once per command, before the taker's first fill with it. A fill that would add
to its position must leave its equity, less what this command's fills have cost it against the mark
and in fees, at its initial margin or above; otherwise its order counts as reduce-only, and a
reducing fill must leave that equity at zero or above. Fills move lots from order to position, which
never raises initial margin.

A taker's fee is rounded once for the whole order: each fill pays the difference of the fee on all
lots so far. A spot bid never pays more than it holds.

No fill leaves the price bands: before the first one that would, an order that may rest begins an
auction and rests; another one stops. In an auction, and in markets that trade in batches, orders
rest without matching.
"""

from quorate.execution import rules
from quorate.execution.spec.auctions import trades_now
from quorate.execution.spec.bands import band_breached, band_use
from quorate.execution.spec.book import (
    best_level,
    hold_e6,
    order_cancel,
    order_dead,
    order_remove,
    order_rest,
    order_shrink,
    position_key,
    reserve,
)
from quorate.execution.spec.context import Context
from quorate.execution.spec.funding import settle
from quorate.execution.spec.guards import interest_rose
from quorate.execution.spec.makers import offered, spend
from quorate.execution.spec.margin import fee_rates, volume_add
from quorate.execution.spec.positions import position_close_if_empty, position_open
from quorate.execution.spec.protection import Tentative, group_filled, group_would_hit
from quorate.execution.spec.rows import Account, Market, Order, Position
from quorate.execution.spec.takers import Taker
from quorate.execution.spec.trigger_rows import children_filled
from quorate.types.clearing_codes import ORDER_HAS_CHILDREN, AuctionKind
from quorate.types.codes import (
    End,
    EventKind,
    Flag,
    MarketKind,
    Reject,
    Side,
    Stp,
    Tif,
)
from quorate.types.limits import PROTECTIONS_PER_COMMAND_MAX, VOLUME_MAX_E6
from quorate.types.records import POSITION_ISOLATED, Table


def owns(c: Context, taker: Taker, maker_account: int) -> bool:
    """Whether maker and taker count as one for self-trade prevention."""
    if maker_account == c.account:
        return True
    if not taker.flags & Flag.STP_MASTER:
        return False
    taker_row = c.t.row(Table.ACCOUNTS, c.account)
    return bool(taker_row.address == c.t.row(Table.ACCOUNTS, maker_account).address)


def fillable(c: Context, taker: Taker) -> Reject:
    """Dry run of `take` for a fill-or-kill order: whether its whole size would trade."""
    parameters = c.t.row(Table.PARAMETERS, 0)
    market = c.t.row(Table.MARKETS, taker.market)
    taker.interest_lots = market.open_interest_lots
    left, fills, examined, hits = taker.size, 0, 0, 0
    groups: dict[int, Tentative] = {}
    level_slot = best_level(market, 1 - taker.side)
    while level_slot:
        level = c.t.row(Table.LEVELS, level_slot)
        if not rules.crosses(taker.side, taker.price, level.price):
            break
        if band_breached(c, taker.market, level.price, 0) >= 0:
            return Reject.PRICE_OUTSIDE_BAND
        slot = level.head
        while slot:
            order = c.t.row(Table.ORDERS, slot)
            if order.group_slot in groups and groups[order.group_slot].hit:
                slot = order.newer
                continue
            if (
                examined == parameters.orders_examined_per_command_max
                or fills == parameters.fills_per_command_max
                or hits == PROTECTIONS_PER_COMMAND_MAX
            ):
                return Reject.FILL_OR_KILL_BEYOND_WORK_LIMIT
            examined += 1
            if not order_dead(c, order):
                if owns(c, taker, order.account):
                    if stp_mode(taker) != Stp.CANCEL_MAKER:
                        return Reject.FILL_OR_KILL_NOT_FILLABLE
                else:
                    lots, _ = offered(c, taker, market, order, left)
                    if lots:
                        fills += 1
                        left -= lots
                        if not left:
                            return Reject.OK
                        spend(taker, market, order, lots)
                        if order.account in taker.makers:
                            sign = 1 if order.side == Side.BUY else -1
                            taker.makers[order.account].tentative += sign * lots
                        if order.group_slot and group_would_hit(c, groups, order, market, lots):
                            hits += 1
                            slot = order.newer
                            continue
                        if lots < order.remaining:
                            continue  # `match` looks at it again, finds nothing and cancels it
            slot = order.newer
        level_slot = level.worse
    return Reject.FILL_OR_KILL_NOT_FILLABLE


def stp_mode(taker: Taker) -> Stp:
    """The taker's self-trade mode."""
    return Stp((taker.flags & Flag.STP_MASK) >> Flag.STP_SHIFT)


def take(c: Context, taker: Taker) -> None:
    """Give the order an id, match it against the book, and rest or cancel what remains."""
    ledger = c.t.row(Table.LEDGER, 0)
    taker.order_id = ledger.order_id_next
    ledger.order_id_next += 1
    c.t.put(Table.LEDGER, 0, ledger)
    taker.makers.clear()  # what a dry run has taken has not happened
    taker.interest_lots = c.t.row(Table.MARKETS, taker.market).open_interest_lots
    match(c, taker)
    if not taker.remaining:
        if taker.end == End.NONE:
            taker.end = End.FILLED
        return
    if taker.end == End.NONE and taker.tif in (Tif.IOC, Tif.FOK):
        taker.end = End.IMMEDIATE
    if taker.end == End.NONE:
        order_rest(c, resting(c, taker))
    else:
        taker.remaining = 0


def resting(c: Context, taker: Taker) -> Order:
    """The row of what remains of an order."""
    return Order(
        order_id=taker.order_id,
        price=taker.price,
        size=taker.size,
        remaining=taker.remaining,
        expiry_ms=taker.expiry_ms,
        cloid_hi=taker.cloid_hi,
        cloid_lo=taker.cloid_lo,
        placed_ms=c.time_ms,
        account=c.account,
        market=taker.market,
        hold_ppm=taker.hold_ppm,
        side=taker.side,
        tif=taker.tif,
        flags=taker.flags & Flag.REDUCE_ONLY | taker.kept,
        group=taker.group,
        group_slot=taker.group_slot,
    )


def match(c: Context, taker: Taker) -> None:
    """Trade against the best resting orders until nothing more crosses or the work is done."""
    parameters = c.t.row(Table.PARAMETERS, 0)
    fills = examined = 0
    if not trades_now(c.t, taker.market):
        return
    while taker.remaining:
        market = c.t.row(Table.MARKETS, taker.market)
        level_slot = best_level(market, 1 - taker.side)
        if not level_slot:
            return
        level = c.t.row(Table.LEVELS, level_slot)
        if not rules.crosses(taker.side, taker.price, level.price):
            return
        if (
            examined == parameters.orders_examined_per_command_max
            or fills == parameters.fills_per_command_max
            or taker.hits == PROTECTIONS_PER_COMMAND_MAX
        ):
            taker.end = End.WORK_LIMIT
            return
        examined += 1
        slot = level.head
        maker = c.t.row(Table.ORDERS, slot)
        dead = order_dead(c, maker)
        if dead:
            order_cancel(c, slot, dead)
            continue
        if owns(c, taker, maker.account):
            if self_trade(c, taker, slot, maker):
                return
            continue
        lots, why = offered(c, taker, market, maker, taker.remaining)
        if not lots:
            order_cancel(c, slot, why)
            continue
        band = band_breached(c, taker.market, level.price, 0)
        if band >= 0:
            if taker.tif in (Tif.IOC, Tif.FOK):
                taker.end = End.BAND
            else:
                band_use(c, taker.market, AuctionKind.BAND_TRADE, level.price, band)
            return
        spend(taker, market, maker, lots)
        fill(c, taker, slot, lots)
        fills += 1


def self_trade(c: Context, taker: Taker, slot: int, maker: Order) -> bool:
    """Apply the taker's mode to its own resting order; return whether the taker stops.

    Lots that REDUCE_BOTH takes off leave the sizes as well: size less remaining is what filled.
    """
    mode = stp_mode(taker)
    if mode == Stp.REDUCE_BOTH:
        lots = min(taker.remaining, maker.remaining)
        taker.remaining -= lots
        taker.size -= lots
        if lots == maker.remaining:
            order_cancel(c, slot, End.SELF_TRADE)
        else:
            order_shrink(c.t, slot, lots)
            shrunk = c.t.row(Table.ORDERS, slot)
            shrunk.size -= lots
            c.t.put(Table.ORDERS, slot, shrunk)
            c.emit(
                EventKind.REDUCED,
                side=maker.side,
                end=End.SELF_TRADE,
                market=maker.market,
                account=maker.account,
                order_id=maker.order_id,
                price=maker.price,
                size=lots,
                remaining=maker.remaining - lots,
            )
        if not taker.remaining:
            taker.end = End.SELF_TRADE
        return not taker.remaining
    if mode != Stp.CANCEL_TAKER:
        order_cancel(c, slot, End.SELF_TRADE)
    if mode != Stp.CANCEL_MAKER:
        taker.end = End.SELF_TRADE
        return True
    return False


# --- one fill ------------------------------------------------------------------------------------
def fill(c: Context, taker: Taker, slot: int, lots: int) -> None:
    """Exchange `lots` at the maker's price: money, positions, fees, volumes, and the event."""
    t, maker = c.t, c.t.row(Table.ORDERS, slot)
    market = t.row(Table.MARKETS, taker.market)
    taker_row = t.row(Table.ACCOUNTS, c.account)
    maker_row = t.row(Table.ACCOUNTS, maker.account)
    value = rules.notional(maker.price, lots, market.quantum_e6)
    maker_ppm, _ = fee_rates(t, maker_row, market.fee_schedule, c.time_ms)
    maker_fee = rules.ppm_ceil(value, maker_ppm)
    left = maker.remaining - lots
    if market.kind == MarketKind.SPOT and maker.side == Side.BUY:
        freed = hold_e6(market, maker, maker.remaining) - hold_e6(market, maker, left)
        maker_fee = min(maker_fee, freed - value)
    taker.value_e6 += value
    taker_fee = rules.ppm_ceil(taker.value_e6, taker.fee_ppm) - taker.fee_e6
    taker.fee_e6 += taker_fee
    reserve(maker_row, market, maker, maker.remaining, left)
    key = position_key(taker.market, market)
    if market.kind != MarketKind.SPOT:
        settle(t, taker_row, position_open(taker_row, key), key)
        settle(t, maker_row, position_open(maker_row, key), key)
    taker_position, taker_realized = book_fill(
        taker_row, key, market, taker.side, lots, maker.price, taker_fee
    )
    maker_position, maker_realized = book_fill(
        maker_row, key, market, maker.side, lots, maker.price, maker_fee
    )
    taker.remaining -= lots
    taker.filled += lots
    volume_add(taker_row, value, c.time_ms)
    volume_add(maker_row, value, c.time_ms)
    c.emit(
        EventKind.FILL,
        side=taker.side,
        market=taker.market,
        account=c.account,
        counter_account=maker.account,
        order_id=taker.order_id,
        counter_order_id=maker.order_id,
        price=maker.price,
        size=lots,
        remaining=left,
        fee_e6=taker_fee,
        counter_fee_e6=maker_fee,
        position=taker_position,
        counter_position=maker_position,
        realized_e6=taker_realized,
        counter_realized_e6=maker_realized,
    )
    position_close_if_empty(taker_row, key, traded=True)
    t.put(Table.ACCOUNTS, c.account, taker_row)
    t.put(Table.ACCOUNTS, maker.account, maker_row)
    level = t.row(Table.LEVELS, maker.level)
    level.lots -= lots
    t.put(Table.LEVELS, maker.level, level)
    maker.remaining = left
    t.put(Table.ORDERS, slot, maker)
    market_traded(market, maker.price, value)
    if market.kind != MarketKind.SPOT:
        ups = ((taker_position, taker.side), (maker_position, maker.side))
        change = sum(long_change(position, side, lots) for position, side in ups)
        market.open_interest_lots += change
        interest_rose(c, taker.market, change)
    t.put(Table.MARKETS, taker.market, market)
    ledger = t.row(Table.LEDGER, 0)
    ledger.fees_e6 += taker_fee + maker_fee
    t.put(Table.LEDGER, 0, ledger)
    taker.hits += maker_filled(c, slot, market, lots, maker.price)


def maker_filled(c: Context, slot: int, market: Market, lots: int, price: int) -> bool:
    """What follows a resting order's fill: its triggers arm, it goes if it is empty, and its group
    is protected; whether that froze the group, so that other orders went too.
    """
    maker = c.t.row(Table.ORDERS, slot)
    if maker.flags & ORDER_HAS_CHILDREN:
        children_filled(c.t, maker.account, maker.order_id, lots)
    if not maker.remaining:
        order_remove(c.t, slot)
    return bool(maker.group_slot) and group_filled(c, maker, market, lots, price)


def book_fill(
    account: Account, key: int, market: Market, side: int, lots: int, price: int, fee_e6: int
) -> tuple[int, int]:
    """Book one side of a fill; return the position after it and the profit it realized."""
    sign = 1 if side == Side.BUY else -1
    paid_e6 = sign * rules.notional(price, lots, market.quantum_e6) + fee_e6
    position = position_open(account, key)
    if position.flags & POSITION_ISOLATED:
        position.isolated_e6 -= paid_e6
    else:
        account.cash_e6 -= paid_e6
    if market.kind == MarketKind.SPOT:
        position.size += sign * lots * market.lot_units
        return position.size, 0
    realized = entry_move(position, sign, lots, price * market.quantum_e6)
    total = position.realized_e6 + realized
    position.realized_e6 = max(-VOLUME_MAX_E6, min(total, VOLUME_MAX_E6))
    return position.size, realized


def entry_move(position: Position, sign: int, lots: int, lot_e6: int) -> int:
    """Move a position by signed lots worth `lot_e6` each; return the profit of what it closed."""
    size = position.size
    position.size += sign * lots
    if size * sign >= 0:
        position.entry_e6 += lots * lot_e6
        return 0
    closed = min(lots, abs(size))
    cost = rules.entry_closed(position.entry_e6, abs(size), closed)
    worth = closed * lot_e6
    position.entry_e6 += lots * lot_e6 - worth - cost
    return -sign * (worth - cost)


def long_change(position: int, side: int, lots: int) -> int:
    """Change in lots held long by one side of a fill, from the position after it."""
    before = position - lots if side == Side.BUY else position + lots
    return max(position, 0) - max(before, 0)


def market_traded(market: Market, price: int, value_e6: int) -> None:
    """Note a trade in the market's row."""
    market.last_ticks = price
    market.trades_count += 1
    market.volume_e6 = min(market.volume_e6 + value_e6, VOLUME_MAX_E6)
