"""Margin judgement of orders in perpetual markets, by the bucket in which they would trade."""

from quorate.execution import entry_rules, risk_rules, rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.guards import increase_code, narrow
from quorate.execution.spec.margin import (
    Worth,
    bucket_of,
    bucket_worth,
    leg_worth,
    standing_of,
)
from quorate.execution.spec.options_margin import Leg
from quorate.execution.spec.positions import position_of
from quorate.execution.spec.rows import Account, Market, Order, Position
from quorate.execution.spec.sessions import session_order_code, session_position_code
from quorate.execution.spec.takers import Taker
from quorate.types.clearing_codes import Standing
from quorate.types.codes import Reject, Side
from quorate.types.limits import CASH_TRADING_MAX_E6
from quorate.types.records import Table


def perpetual_code(
    c: Context, account: Account, market: Market, taker: Taker, replaced: int
) -> Reject:
    """Initial margin with the order at its riskiest, loss against the mark and fee included.

    A fill moves lots from the order into the position, which never raises the riskiest side; so
    what holds here for the whole order at its limit holds after each fill that it takes.
    """
    old = c.t.row(Table.ORDERS, replaced) if replaced else Order()
    if not market.mark_ticks:
        return Reject.MARK_PRICE_MISSING_WAIT
    bucket = bucket_of(account, taker.market)
    position = position_of(account, taker.market) or Position()
    size, bids, asks = position.size, position.bids, position.asks
    worst_before = rules.worst_lots(size, bids, asks)
    if taker.side == Side.BUY:
        bids += taker.size - old.remaining
        side_lots = size + bids
        side_before = abs(side_lots - taker.size + old.remaining)
        reducing = bids <= rules.reducible(taker.side, size)
    else:
        asks += taker.size - old.remaining
        side_lots = size - asks
        side_before = abs(side_lots + taker.size - old.remaining)
        reducing = asks <= rules.reducible(taker.side, size)
    cash = position.isolated_e6 if bucket else account.cash_e6
    if abs(cash) > CASH_TRADING_MAX_E6 and not reducing:
        return Reject.ACCOUNT_CASH_BEYOND_BOUND
    if abs(side_lots) > market.position_max_lots and abs(side_lots) > side_before:
        return Reject.POSITION_WOULD_PASS_LIMIT
    worst = rules.worst_lots(size, bids, asks)
    code = increase_code(c, market, taker, size, worst_before, worst)
    if code:
        return code
    value = rules.notional(taker.price, taker.size, market.quantum_e6)
    worth = bucket_worth(c.t, account, bucket, Leg(taker.market, size, bids, asks))
    loss = max(order_loss(market, taker.side, taker.price, taker.size), 0)
    margin = worth.equity - rules.ppm_ceil(value, taker.hold_ppm)
    equity = margin - loss
    code = session_order_code(c, value)
    if not code and worst > worst_before:
        worst_value = rules.notional(market.mark_ticks, worst, market.quantum_e6)
        code = session_position_code(c, worst_value, worth.value, equity)
    if code:
        return code
    if entered_at_mark(market, taker, margin, worth.initial):
        return Reject.OK
    if not worth.clears:
        if reducing and equity >= 0:
            return Reject.OK
        return Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE
    before = bucket_worth(c.t, account, bucket)
    if reducing and reducing_holds(c, account, before, taker, position, old.remaining):
        return Reject.OK
    if standing_of(before) == Standing.HEALTHY:
        return Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE
    return Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE


def entered_at_mark(market: Market, taker: Taker, margin_e6: int, initial_e6: int) -> bool:
    """Whether a margin bears an order as the mark sees it (FORMULAS 15); no profit is counted."""
    buys = taker.side == Side.BUY
    worse = max(taker.price, market.mark_ticks) if buys else min(taker.price, market.mark_ticks)
    return risk_rules.margin_with_mark_holds(
        margin_e6,
        initial_e6,
        1 if buys else -1,
        worse,
        market.mark_ticks,
        taker.size,
        market.quantum_e6,
    )


def order_loss(market: Market, side: int, price: int, lots: int) -> int:
    """What trading `lots` at `price` loses against the mark; negative: it gains."""
    worse_by = price - market.mark_ticks if side == Side.BUY else market.mark_ticks - price
    return rules.notional(worse_by, lots, market.quantum_e6)


def reducing_room(before: Worth, own: Worth, after: Worth) -> int:
    """What reducing a position may cost a bucket (FORMULAS 5, see `loss_room`).

    own, after: what the position requires, with the bucket's options, before and afterwards.
    """
    return entry_rules.loss_room(
        before.equity,
        before.initial,
        before.maintenance,
        before.initial - own.initial + after.initial,
        before.maintenance - own.maintenance + after.maintenance,
    )


def reducing_holds(
    c: Context, account: Account, before: Worth, taker: Taker, position: Position, replaced: int
) -> bool:
    """Whether a bucket below initial margin may reduce by that order, at its limit or better.

    A market order is narrowed to the zero price where it would trade there. Requirements are
    convex in size and a price is linear, so what holds for the whole order holds for each part;
    but for the standard margin of options, where an offset may end within the order.
    """
    market = c.t.row(Table.MARKETS, taker.market)
    bucket = bucket_of(account, taker.market)
    size, bids, asks = position.size, position.bids, position.asks
    own = leg_worth(c.t, account, bucket, Leg(taker.market, size, bids, asks))
    if taker.side == Side.BUY:
        size, bids = size + taker.size, bids - replaced
    else:
        size, asks = size - taker.size, asks - replaced
    after = leg_worth(c.t, account, bucket, Leg(taker.market, size, bids, asks))
    room = reducing_room(before, own, after)
    value = rules.notional(taker.price, taker.size, market.quantum_e6)
    loss = order_loss(market, taker.side, taker.price, taker.size)
    if loss + rules.ppm_ceil(value, taker.hold_ppm) <= room:
        return True
    price = entry_rules.narrowed_price(
        taker.side,
        market.mark_ticks,
        taker.size,
        market.quantum_e6,
        room,
        taker.hold_ppm,
        market.tick_step,
        market.price_max_ticks,
    )
    return narrow(c, market, taker, price)
