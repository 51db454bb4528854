"""Uncrossing at one price: how auctions end (phase 7), and how markets in batches trade.

The price is the one at which most trades; then the one that leaves the least surplus; then the
nearest to the mark; then the lower. At it the best bids meet the best asks, each side by price and
then by time, and both pay the maker's fee (a rebate is none here: no taker pays for it). Both are
judged as makers are in matching, before the price holds: what may not trade leaves the book, and
the price is found anew, at most ROUNDS_MAX times.

The price is tested against the bands that the auction has not used. A breach extends it by that
band's time. Work is bounded for all markets of a block together; what a bound leaves over goes on
in the next block, at the same price in an auction. Which market comes first turns by height.
"""

from dataclasses import dataclass, field

from quorate.execution import rules
from quorate.execution.spec.auctions import auction_begin
from quorate.execution.spec.bands import band_breached, band_use, bands_reset
from quorate.execution.spec.book import (
    order_cancel,
    order_dead,
    order_shrink,
    reserve,
)
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.funding import settle
from quorate.execution.spec.guards import interest_rose, reduces_alone
from quorate.execution.spec.makers import offered, spend
from quorate.execution.spec.margin import fee_rates, volume_add
from quorate.execution.spec.match import book_fill, long_change, maker_filled, market_traded
from quorate.execution.spec.positions import position_open
from quorate.execution.spec.rows import Market, Order
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Taker
from quorate.types.clearing_codes import AuctionKind, Guard, Mode, Phase, Switch
from quorate.types.codes import End, EventKind, MarketStatus, Side
from quorate.types.limits import (
    AUCTION_FILLS_PER_BLOCK,
    AUCTION_ORDERS_PER_BLOCK,
    AUCTION_ROUNDS_MAX,
    PROTECTIONS_PER_UNCROSSING_MAX,
)
from quorate.types.records import Table


@dataclass(slots=True)
class Work:
    """What a block's uncrossings have done: pairs looked at, dry and real, and fills.

    `hits`: groups of quotes that the present market's has frozen; one market's hold up no other's.
    """

    dry: int = 0
    real: int = 0
    fills: int = 0
    hits: int = 0

    def left(self) -> bool:
        """Whether another market may begin."""
        return self.real < AUCTION_ORDERS_PER_BLOCK and self.fills < AUCTION_FILLS_PER_BLOCK


@dataclass(slots=True)
class Run:
    """One uncrossing: the price, what traded, whether an order had to go, whether work ran out."""

    price: int
    lots: int = 0
    fills: int = 0
    changed: bool = False
    short: bool = False
    maker: Taker = field(default_factory=lambda: Taker(0, 0, 0, 0, 0, 0))


def auctions_end(c: Context) -> None:
    """Phase 7: uncross the markets whose auction is over, and those that trade in batches."""
    count = c.t.row(Table.LEDGER, 0).risk_high - 1
    work = Work()
    for k in range(count):
        market_end(c, 1 + (c.height + k) % count, work)


def market_end(c: Context, slot: int, work: Work) -> None:
    """Phase 7 of one market."""
    risk: Risk = c.t.row(Table.RISK, slot)
    if risk.mode == Mode.OFF or risk.phase == Phase.QUARANTINE:
        return
    market = c.t.row(Table.MARKETS, slot)
    if risk.phase == Phase.TRADING:
        if not crossed(c.t, market):
            return
        if risk.mode != Mode.BATCH:
            # What ended a quarantine or the batches may have left a crossed book behind.
            auction_begin(c, slot, AuctionKind.GAP, c.time_ms, 0)
            risk = c.t.row(Table.RISK, slot)
    elif c.time_ms < risk.auction_end_ms:
        return
    halted = MarketStatus.HALTED in (market.status, c.t.row(Table.PARAMETERS, 0).switch)
    if halted or risk.guard == Guard.HALT or not work.left():
        return
    work.hits = 0
    price = risk.auction_ticks
    surplus = 0
    if not price:
        price, _, surplus = settled_price(c, slot, work)
        if price:
            band = band_breached(c, slot, price, 0)
            if band >= 0:
                band_use(c, slot, AuctionKind.BAND_TRADE, price, band)
                return
    run = Run(price)
    if price:
        pairs(c, slot, run, work, dry=False)
    close(c, slot, run, surplus)


def close(c: Context, slot: int, run: Run, surplus: int) -> None:
    """Note what was uncrossed; end the auction unless something is left to be done."""
    risk: Risk = c.t.row(Table.RISK, slot)
    market = c.t.row(Table.MARKETS, slot)
    lots = risk.auction_lots + run.lots
    if risk.phase == Phase.AUCTION and crossed(c.t, market):
        risk.auction_ticks = run.price if run.short else 0
        risk.auction_lots = lots
        c.t.put(Table.RISK, slot, risk)
        return
    kind, began_ms = risk.auction_kind, risk.auction_begin_ms
    if risk.phase == Phase.TRADING:
        kind, began_ms = AuctionKind.BATCH, c.time_ms
        if not lots:
            return
    c.emit_words(
        EventKind.AUCTION_ENDED,
        run.price,
        lots,
        surplus,
        run.fills,
        began_ms,
        code=kind,
        market=slot,
    )
    if risk.phase == Phase.TRADING:
        return
    risk.phase, risk.auction_kind = Phase.TRADING, AuctionKind.NONE
    risk.auction_begin_ms = risk.auction_end_ms = risk.auction_bands = 0
    risk.auction_ticks = risk.auction_lots = 0
    c.t.put(Table.RISK, slot, risk)
    c.emit_words(
        EventKind.SWITCHED, Phase.TRADING, Phase.AUCTION, code=Switch.PHASE, market=slot
    )
    bands_reset(c, slot, run.price or market.mark_ticks)


# --- the price -----------------------------------------------------------------------------------
def crossed(t: Tables, market: Market) -> bool:
    """Whether the best bid reaches the best ask."""
    if not market.bid_best or not market.ask_best:
        return False
    bid = t.row(Table.LEVELS, market.bid_best).price
    return bool(bid >= t.row(Table.LEVELS, market.ask_best).price)


def settled_price(c: Context, slot: int, work: Work) -> tuple[int, int, int]:
    """Price, lots and surplus of the orders that may trade; the others leave the book here."""
    for _ in range(AUCTION_ROUNDS_MAX):
        price = indicative(c.t, slot)[0]
        if not price:
            break
        run = Run(price)
        pairs(c, slot, run, work, dry=True)
        if not run.changed or run.short:
            break
    return indicative(c.t, slot)


def indicative(t: Tables, slot: int) -> tuple[int, int, int]:
    """Uncrossing price of a book as it stands, lots that trade, and surplus; zeros if none.

    Most trades anywhere between the last ask and the last bid that greedy pairing reaches. There
    one of the sides is just what trades, and bids less asks falls as the price rises, so that the
    prices of least surplus lie together.
    """
    market = t.row(Table.MARKETS, slot)
    low, high, lots = overlap(t, market)
    if not lots:
        return 0, 0, 0
    step = market.tick_step
    bids, bid = depth(t, market.bid_best, Side.BUY, low)
    asks, ask = depth(t, market.ask_best, Side.SELL, low)
    least = -1
    first = last = at = low
    while at <= high:
        # Bids fall behind the next price at which some stand, asks rise at theirs.
        end = high
        if bid:
            end = min(end, t.row(Table.LEVELS, bid).price)
        if ask:
            end = min(end, t.row(Table.LEVELS, ask).price - step)
        surplus = abs(bids - asks)
        if least < 0 or surplus < least:
            least, first = surplus, at
        if surplus == least:
            last = end
        at = end + step
        if bid and t.row(Table.LEVELS, bid).price < at:
            bids -= t.row(Table.LEVELS, bid).lots
            bid = t.row(Table.LEVELS, bid).better
        if ask and t.row(Table.LEVELS, ask).price <= at:
            asks += t.row(Table.LEVELS, ask).lots
            ask = t.row(Table.LEVELS, ask).worse
    return nearest(market.mark_ticks, first, last, step), lots, least


def overlap(t: Tables, market: Market) -> tuple[int, int, int]:
    """Last ask and last bid price that pairing best with best reaches, and the lots it pairs."""
    bid, ask = market.bid_best, market.ask_best
    bid_left = ask_left = low = high = lots = 0
    while bid and ask:
        bid_row, ask_row = t.row(Table.LEVELS, bid), t.row(Table.LEVELS, ask)
        if bid_row.price < ask_row.price:
            break
        low, high = ask_row.price, bid_row.price
        bid_left = bid_left or bid_row.lots
        ask_left = ask_left or ask_row.lots
        pair = min(bid_left, ask_left)
        lots += pair
        bid_left -= pair
        ask_left -= pair
        if not bid_left:
            bid = bid_row.worse
        if not ask_left:
            ask = ask_row.worse
    return low, high, lots


def depth(t: Tables, level: int, side: int, price: int) -> tuple[int, int]:
    """Lots of a side that would trade at a price, and the level at which that changes above it.

    For bids the lowest one at or above the price, for asks the first one above it; 0: none.
    """
    lots = last = 0
    while level:
        row = t.row(Table.LEVELS, level)
        if not rules.crosses(side, row.price, price):
            break
        lots += row.lots
        last, level = level, row.worse
    return lots, last if side == Side.BUY else level


def nearest(mark: int, low: int, high: int, step: int) -> int:
    """Tick of [low, high] nearest to the mark, the lower of two; both ends are on the tick."""
    if mark <= low:
        return low
    if mark >= high:
        return high
    below = mark // step * step
    return below if mark - below <= below + step - mark else below + step


# --- pairing -------------------------------------------------------------------------------------
def first_order(t: Tables, level: int, side: int, price: int) -> int:
    """Oldest order of a level, 0 if the level does not trade at the price."""
    row = t.row(Table.LEVELS, level)
    return int(row.head) if level and rules.crosses(side, row.price, price) else 0


def next_order(t: Tables, order: Order, price: int) -> int:
    """The order behind: the next newer one of its level, else the first of the next level."""
    if order.newer:
        return order.newer
    return first_order(t, t.row(Table.LEVELS, order.level).worse, order.side, price)


def pairs(c: Context, slot: int, run: Run, work: Work, dry: bool) -> None:
    """Pair the best bids with the best asks at the run's price, to the end or until work runs out.

    Both dry and real, orders that may not trade leave the book, whole or in part.
    """
    t = c.t
    market = t.row(Table.MARKETS, slot)
    run.maker.market, run.maker.interest_lots = slot, market.open_interest_lots
    bid = first_order(t, market.bid_best, Side.BUY, run.price)
    ask = first_order(t, market.ask_best, Side.SELL, run.price)
    bid_left = ask_left = 0
    while bid and ask:
        if spent(work, dry):
            run.short = True
            return
        bid_row, ask_row = t.row(Table.ORDERS, bid), t.row(Table.ORDERS, ask)
        bid_left = bid_left or bid_row.remaining
        ask_left = ask_left or ask_row.remaining
        lots = min(bid_left, ask_left)
        bid_next = next_order(t, bid_row, run.price)
        ask_next = next_order(t, ask_row, run.price)
        market = t.row(Table.MARKETS, slot)
        bid_lots, bid_end = may_trade(c, run, market, bid_row, lots, ask_row)
        if bid_lots < lots:
            bid_left = cut(c, bid, bid_left, bid_lots, bid_end)
            run.changed = True
            bid = bid if bid_left else bid_next
            continue
        ask_lots, ask_end = may_trade(c, run, market, ask_row, lots, bid_row)
        if ask_lots < lots:
            ask_left = cut(c, ask, ask_left, ask_lots, ask_end)
            run.changed = True
            ask = ask if ask_left else ask_next
            continue
        spend(run.maker, market, bid_row, lots)
        spend(run.maker, market, ask_row, lots)
        if dry:
            run.maker.makers[bid_row.account].tentative += lots
            run.maker.makers[ask_row.account].tentative -= lots
        else:
            hits = cross_fill(c, bid, ask, lots, run.price)
            run.lots += lots
            run.fills += 1
            work.fills += 1
            if hits:
                # Orders behind may have gone with their group; the next pair is the book's best.
                work.hits += hits
                market = t.row(Table.MARKETS, slot)
                bid = first_order(t, market.bid_best, Side.BUY, run.price)
                ask = first_order(t, market.ask_best, Side.SELL, run.price)
                bid_left = ask_left = 0
                continue
        bid_left -= lots
        ask_left -= lots
        bid = bid if bid_left else bid_next
        ask = ask if ask_left else ask_next


def spent(work: Work, dry: bool) -> bool:
    """Count one more pair; say whether the block's work is used up instead."""
    if dry:
        work.dry += 1
        return work.dry > AUCTION_ORDERS_PER_BLOCK
    work.real += 1
    if work.hits >= PROTECTIONS_PER_UNCROSSING_MAX:
        return True
    return work.real > AUCTION_ORDERS_PER_BLOCK or work.fills >= AUCTION_FILLS_PER_BLOCK


def may_trade(
    c: Context, run: Run, market: Market, order: Order, lots: int, other: Order
) -> tuple[int, End]:
    """Lots of `lots` that an order may trade with another one, and why not more."""
    end = order_dead(c, order)
    if end:
        return 0, end
    if order.account == other.account and order.order_id > other.order_id:
        return 0, End.SELF_TRADE
    found, end = offered(c, run.maker, market, order, lots)
    if found and found < lots:
        return found, End.REDUCE_ONLY if reduces_alone(c.t, market, order) else End.MARGIN
    return found, end


def cut(c: Context, slot: int, left: int, lots: int, end: End) -> int:
    """Take off an order what it may not trade: of the `left` lots it keeps `lots`; return them."""
    order = c.t.row(Table.ORDERS, slot)
    if order.remaining == left and not lots:
        order_cancel(c, slot, end)
        return 0
    order_shrink(c.t, slot, left - lots)
    order = c.t.row(Table.ORDERS, slot)
    order.size -= left - lots
    c.t.put(Table.ORDERS, slot, order)
    c.emit(
        EventKind.REDUCED,
        side=order.side,
        end=end,
        market=order.market,
        account=order.account,
        order_id=order.order_id,
        price=order.price,
        size=left - lots,
        remaining=order.remaining,
    )
    return lots


def cross_fill(c: Context, bid: int, ask: int, lots: int, price: int) -> int:
    """Exchange `lots` between two resting orders at the uncrossing price; the event is a FILL.

    Returns how many groups of quotes that froze.
    """
    t = c.t
    buy, sell = t.row(Table.ORDERS, bid), t.row(Table.ORDERS, ask)
    market = t.row(Table.MARKETS, buy.market)
    value = rules.notional(price, lots, market.quantum_e6)
    fees, positions, gains = [], [], []
    opened = 0
    for slot, order in ((bid, buy), (ask, sell)):
        account = t.row(Table.ACCOUNTS, order.account)
        maker_ppm, _ = fee_rates(t, account, market.fee_schedule, c.time_ms)
        fee = rules.ppm_ceil(value, max(maker_ppm, 0))
        reserve(account, market, order, order.remaining, order.remaining - lots)
        settle(t, account, position_open(account, order.market), order.market)
        position, realized = book_fill(
            account, order.market, market, order.side, lots, price, fee
        )
        volume_add(account, value, c.time_ms)
        t.put(Table.ACCOUNTS, order.account, account)
        opened += long_change(position, order.side, lots)
        level = t.row(Table.LEVELS, order.level)
        level.lots -= lots
        t.put(Table.LEVELS, order.level, level)
        order.remaining -= lots
        t.put(Table.ORDERS, slot, order)
        fees.append(fee)
        positions.append(position)
        gains.append(realized)
    c.emit(
        EventKind.FILL,
        side=Side.BUY,
        market=buy.market,
        account=buy.account,
        counter_account=sell.account,
        order_id=buy.order_id,
        counter_order_id=sell.order_id,
        price=price,
        size=lots,
        remaining=sell.remaining,
        fee_e6=fees[0],
        counter_fee_e6=fees[1],
        position=positions[0],
        counter_position=positions[1],
        realized_e6=gains[0],
        counter_realized_e6=gains[1],
    )
    market_traded(market, price, value)
    market.open_interest_lots += opened
    interest_rose(c, buy.market, opened)
    t.put(Table.MARKETS, buy.market, market)
    ledger = t.row(Table.LEDGER, 0)
    ledger.fees_e6 += sum(fees)
    t.put(Table.LEDGER, 0, ledger)
    hits = int(maker_filled(c, bid, market, lots, price))
    return hits + maker_filled(c, ask, market, lots, price)
