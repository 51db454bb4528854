"""What a resting order may still trade: its owner is judged when a taker first meets it."""

from quorate.execution import rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.guards import reduces_alone
from quorate.execution.spec.margin import CROSS, Worth, bucket_of, bucket_worth, leg_worth
from quorate.execution.spec.options_margin import Leg
from quorate.execution.spec.perpetuals import reducing_room
from quorate.execution.spec.positions import position_of
from quorate.execution.spec.rows import Market, Order, Position
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Maker, Taker
from quorate.types.codes import End, MarketKind, Side
from quorate.types.records import Table


def maker_of(c: Context, taker: Taker, account: int) -> Maker:
    """The maker as this command's first look found it."""
    if account not in taker.makers:
        row = c.t.row(Table.ACCOUNTS, account)
        position = position_of(row, taker.market)
        own = Worth()
        if position is None:
            worth = bucket_worth(c.t, row, CROSS)
        else:
            size, bids, asks = position.size, position.bids, position.asks
            leg = Leg(taker.market, size, bids, asks, taker.interest_lots)
            bucket = bucket_of(row, taker.market)
            worth = bucket_worth(c.t, row, bucket, leg)
            own = leg_worth(c.t, row, bucket, leg)
        taker.makers[account] = Maker(worth, position.size if position else 0, own)
    return taker.makers[account]


def fill_cost(market: Market, order: Order, lots: int) -> int:
    """What a fill takes off a maker's equity at most: its loss against the mark, and a fee."""
    return max(-fill_gain(market, order, lots), 0) + fill_fee(market, order, lots)


def fill_gain(market: Market, order: Order, lots: int) -> int:
    """What a fill gains a maker against the mark; negative: it loses."""
    better_by = market.mark_ticks - order.price
    if order.side == Side.SELL:
        better_by = -better_by
    return rules.notional(better_by, lots, market.quantum_e6)


def fill_fee(market: Market, order: Order, lots: int) -> int:
    """The dearest fee that a fill may cost a maker."""
    value = rules.notional(order.price, lots, market.quantum_e6)
    return rules.ppm_ceil(value, order.hold_ppm)


def offered(
    c: Context, taker: Taker, market: Market, order: Order, left: int
) -> tuple[int, End]:
    """Lots of the `left` that a resting order may trade now, or 0 and why it must go."""
    wanted = min(order.remaining, left)
    if market.kind == MarketKind.SPOT and order.side == Side.SELL:
        return wanted, End.NONE
    maker = maker_of(c, taker, order.account)
    if market.kind == MarketKind.SPOT:
        holds = maker.worth.equity >= maker.worth.initial
        return (wanted, End.NONE) if holds else (0, End.MARGIN)
    equity = maker.worth.equity - maker.spent_e6
    reduce_only = reduces_alone(c.t, market, order)
    if not reduce_only and equity - fill_cost(market, order, wanted) >= maker.worth.initial:
        return wanted, End.NONE
    position = position_of(c.t.row(Table.ACCOUNTS, order.account), order.market) or Position()
    size = position.size + maker.tentative
    lots = min(wanted, rules.reducible(order.side, size))
    if lots and reduces(c.t, taker, market, order, maker, position, lots):
        return lots, End.NONE
    return 0, End.REDUCE_ONLY if reduce_only and not lots else End.MARGIN


def reduces(
    t: Tables,
    taker: Taker,
    market: Market,
    order: Order,
    maker: Maker,
    position: Position,
    lots: int,
) -> bool:
    """Whether a maker below initial margin may reduce its position by `lots` at its price.

    Judged from the command's beginning: what it has cost the maker and how far it has reduced the
    position, together with these lots, must fit the room that the bucket had then.
    """
    if not maker.worth.clears:
        return maker.worth.equity - maker.spent_e6 - fill_cost(market, order, lots) >= 0
    taken = abs(maker.tentative) + lots
    size, bids, asks = position.size, position.bids, position.asks
    if order.side == Side.BUY:
        size, bids = size + taken, bids - taken
    else:
        size, asks = size - taken, asks - taken
    row = t.row(Table.ACCOUNTS, order.account)
    leg = Leg(taker.market, size, bids, asks, taker.interest_lots)
    after = leg_worth(t, row, bucket_of(row, taker.market), leg)
    room = reducing_room(maker.worth, maker.own, after)
    gain = fill_gain(market, order, lots)
    return maker.spent_e6 - gain + fill_fee(market, order, lots) <= room


def spend(taker: Taker, market: Market, order: Order, lots: int) -> None:
    """Count what a fill costs the maker."""
    if order.account in taker.makers and market.kind != MarketKind.SPOT:
        taker.makers[order.account].spent_e6 += fill_cost(market, order, lots)
