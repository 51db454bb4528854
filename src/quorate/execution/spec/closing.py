"""What every step of a liquidation shares: the zero price, a trade without a book, the receipt."""

from dataclasses import dataclass

from quorate.execution import risk_rules, rules, wide
from quorate.execution.spec.context import Context
from quorate.execution.spec.funding import settle
from quorate.execution.spec.margin import CROSS, Worth, bucket_worth, leg_worth
from quorate.execution.spec.match import book_fill, long_change
from quorate.execution.spec.options_margin import Leg
from quorate.execution.spec.positions import position_close_if_empty, position_of, position_open
from quorate.execution.spec.rows import Account, Position
from quorate.execution.spec.series_state import series_ended
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import Guard, LiquidationStep, Mode, Phase, Standing
from quorate.types.codes import EventKind, MarketStatus, Side
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED, Table


@dataclass(slots=True)
class Closing:
    """A position under liquidation and the worth of its bucket, as the step found them.

    `size`: signed lots; `sign`: of the position.
    """

    account: int
    bucket: int
    market: int
    standing: Standing
    worth: Worth
    size: int
    sign: int


def closing_of(
    c: Context, account: int, bucket: int, market_slot: int, standing: Standing
) -> Closing:
    """Look at a position of a bucket, before a step."""
    row = c.t.row(Table.ACCOUNTS, account)
    position = position_of(row, market_slot)
    size = position.size if position else 0
    worth = bucket_worth(c.t, row, bucket)
    return Closing(account, bucket, market_slot, standing, worth, size, 1 if size > 0 else -1)


# --- which positions can be worked on ------------------------------------------------------------
def in_bucket(position: Position, bucket: int) -> bool:
    """Whether a position row of a market belongs to a bucket."""
    isolated = position.key if position.flags & POSITION_ISOLATED else CROSS
    return position.key < ASSET_KEY and isolated == bucket


def market_waits(t: Tables, market_slot: int) -> bool:
    """Whether liquidation waits for a market: no index, an auction, no takers, a series' end."""
    risk, market = t.row(Table.RISK, market_slot), t.row(Table.MARKETS, market_slot)
    return (
        risk.guard != Guard.NONE
        or risk.phase == Phase.AUCTION
        or market.status in (MarketStatus.HALTED, MarketStatus.POST_ONLY)
        or not market.mark_ticks
        or series_ended(t, market_slot)
    )


def is_open(t: Tables, position: Position) -> bool:
    """Whether a position has lots that can be worked off now: in a market with a clearing house
    that neither is quarantined nor waits.
    """
    risk = t.row(Table.RISK, position.key)
    if not position.size or risk.mode == Mode.OFF or risk.phase == Phase.QUARANTINE:
        return False
    return not market_waits(t, position.key)


def workable(t: Tables, account: Account, bucket: int) -> bool:
    """Whether a bucket can be liquidated now: one of its positions can be worked off."""
    return any(in_bucket(each, bucket) and is_open(t, each) for each in account.positions)


def market_after(t: Tables, account: Account, bucket: int, market_slot: int) -> int:
    """Next market by number in which the bucket has lots to be worked off, or 0."""
    found = 0
    for position in account.positions:
        if in_bucket(position, bucket) and is_open(t, position) and position.key > market_slot:
            if not found or position.key < found:
                found = position.key
    return found


def market_greatest(t: Tables, account: Account, bucket: int) -> int:
    """Market of the bucket's position whose closing frees most maintenance, then lowest number, or
    0: without options the position of the greatest maintenance.
    """
    found, most = 0, -1
    for position in account.positions:
        if in_bucket(position, bucket) and is_open(t, position):
            freed = leg_freed(t, account, bucket, position, abs(position.size))
            if freed > most or (freed == most and position.key < found):
                found, most = position.key, freed
    return found


def leg_freed(t: Tables, account: Account, bucket: int, position: Position, lots: int) -> int:
    """By how much a bucket's maintenance falls when so many lots of a position are closed."""
    market, size = position.key, position.size
    left = size - lots if size > 0 else size + lots
    before = leg_worth(t, account, bucket, Leg(market, size, position.bids, position.asks))
    after = leg_worth(t, account, bucket, Leg(market, left, position.bids, position.asks))
    return max(before.maintenance - after.maintenance, 0)


# --- prices --------------------------------------------------------------------------------------
def freed_e6(t: Tables, closing: Closing, lots: int) -> int:
    """By how much the bucket's maintenance falls when so many lots are closed, of the position as
    the step found it: of an order on the book this is asked once more when it has traded.
    """
    row = t.row(Table.ACCOUNTS, closing.account)
    position = position_of(row, closing.market) or Position(key=closing.market)
    position.size = closing.size
    return leg_freed(t, row, closing.bucket, position, lots)


def closing_price(t: Tables, closing: Closing, lots: int) -> int:
    """Zero price at which so many lots leave equity over maintenance as it is (FORMULAS 4, 5)."""
    market = t.row(Table.MARKETS, closing.market)
    return risk_rules.zero_price(
        closing.sign,
        market.mark_ticks,
        lots,
        market.quantum_e6,
        closing.worth.equity,
        closing.worth.maintenance,
        freed_e6(t, closing, lots),
        market.price_max_ticks,
    )


def loss_share_e6(t: Tables, closing: Closing, lots: int) -> int:
    """What so many lots carry of a bucket's negative equity, rounded up; 0 if it is not."""
    worth = closing.worth
    if worth.equity >= 0 or worth.maintenance <= 0:
        return max(-worth.equity, 0)
    return -wide.mul_div_floor(worth.equity, freed_e6(t, closing, lots), worth.maintenance)


# --- moving --------------------------------------------------------------------------------------
def hand_over(c: Context, giver: int, taker: int, market_slot: int, lots: int, price: int) -> None:
    """Move lots of one account's position to another one at a price: no book, no fee, no trace in
    the market's prices. Both pay their funding first.
    """
    t = c.t
    market = t.row(Table.MARKETS, market_slot)
    position = position_of(t.row(Table.ACCOUNTS, giver), market_slot)
    side = Side.SELL if position and position.size > 0 else Side.BUY
    for account, its_side in ((giver, side), (taker, 1 - side)):
        row = t.row(Table.ACCOUNTS, account)
        settle(t, row, position_open(row, market_slot), market_slot)
        after, _ = book_fill(row, market_slot, market, its_side, lots, price, 0)
        position_close_if_empty(row, market_slot, traded=True)
        t.put(Table.ACCOUNTS, account, row)
        market.open_interest_lots += long_change(after, its_side, lots)
    t.put(Table.MARKETS, market_slot, market)


def bucket_move(c: Context, account: int, market_slot: int, amount_e6: int) -> None:
    """Add money to the bucket in which an account holds a market, or (negative) take it."""
    row = c.t.row(Table.ACCOUNTS, account)
    position = position_of(row, market_slot)
    if position and position.flags & POSITION_ISOLATED:
        position.isolated_e6 += amount_e6
    else:
        row.cash_e6 += amount_e6
    c.t.put(Table.ACCOUNTS, account, row)


def value_e6(c: Context, closing: Closing, lots: int, price: int) -> int:
    """What the bucket receives for so many lots at a price; negative for a short position."""
    quantum = c.t.row(Table.MARKETS, closing.market).quantum_e6
    return closing.sign * rules.notional(price, lots, quantum)


# --- receipt -------------------------------------------------------------------------------------
def receipt(
    c: Context,
    closing: Closing,
    step: LiquidationStep,
    price: int,
    lots: int,
    fund_e6: int,
    cash_e6: int,
    counter_account: int = 0,
) -> None:
    """Emit LIQUIDATED. `cash_e6`: what the bucket received; what funds got, `fund_e6`, and what the
    other side got, price * lots, make it zero.
    """
    row = c.t.row(Table.ACCOUNTS, closing.account)
    after = bucket_worth(c.t, row, closing.bucket)
    c.emit_words(
        EventKind.LIQUIDATED,
        c.t.row(Table.MARKETS, closing.market).mark_ticks,
        price,
        lots,
        closing.size,
        closing.worth.equity,
        closing.worth.maintenance,
        after.equity,
        after.maintenance,
        0,
        fund_e6,
        cash_e6,
        end=closing.standing,
        code=step,
        side=Side.BUY if closing.size > 0 else Side.SELL,
        market=closing.market,
        account=closing.account,
        counter_account=counter_account,
    )
    if closing.market:
        risk = c.t.row(Table.RISK, closing.market)
        risk.liquidations_count += 1
        c.t.put(Table.RISK, closing.market, risk)
