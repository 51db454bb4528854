"""Auto-deleveraging: the last resort, against those who hold the other side of a market.

Lots that hedge nothing go first: of each account only what adds to its exposure to the index. Then,
if those do not suffice, lots of hedges. Within each round the highest unrealized profit over equity
goes first, compared exactly, then the lower account number. Nobody is wound up below zero equity.
"""

from dataclasses import dataclass
from functools import cmp_to_key

from quorate.execution import risk_rules, rules, wide
from quorate.execution.spec.closing import (
    Closing,
    closing_price,
    hand_over,
    loss_share_e6,
    receipt,
    value_e6,
)
from quorate.execution.spec.context import Context
from quorate.execution.spec.margin import bucket_of, bucket_worth
from quorate.execution.spec.positions import position_of
from quorate.execution.spec.rows import Account
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import LiquidationStep, Mode
from quorate.types.codes import EventKind, Side
from quorate.types.limits import DELEVERAGED_PER_STEP_MAX, E9
from quorate.types.records import ASSET_KEY, Table


@dataclass(slots=True)
class Counterparty:
    """Who holds the other side: profit and equity rank it, `lots` are what this round may take."""

    account: int
    profit_e6: int
    equity_e6: int
    lots: int


def deleverage(c: Context, closing: Closing, lots: int) -> tuple[int, bool]:
    """Wind up lots of a position against counterparties at its zero price, without fee.

    Return the lots done, and whether nobody is left who could take more. Nothing is done where the
    zero price lies beyond the market's prices, so that a debt would stay without a position.
    """
    t = c.t
    price = closing_price(t, closing, lots)
    mark = t.row(Table.MARKETS, closing.market).mark_ticks
    covered = value_e6(c, closing, lots, price) - value_e6(c, closing, lots, mark)
    if closing.worth.equity < 0 and covered < loss_share_e6(t, closing, lots):
        return 0, True
    need, places = lots, DELEVERAGED_PER_STEP_MAX
    exhausted = False
    for hedged in (False, True):
        if not places:
            exhausted = False
            break
        found = counterparties(t, closing, price, hedged)
        exhausted = len(found) <= places
        for other in found[:places]:
            if not need:
                break
            taken = min(need, other.lots)
            wind_up(c, closing, other, price, taken, need, hedged)
            need -= taken
            places -= 1
        if not need:
            break
    done = lots - need
    if done:
        risk = t.row(Table.RISK, closing.market)
        risk.deleveraged_lots += done
        t.put(Table.RISK, closing.market, risk)
        cash = value_e6(c, closing, done, price)
        receipt(c, closing, LiquidationStep.DELEVERAGED, price, done, 0, cash)
    return done, exhausted and need > 0


def delta_value_e6(t: Tables, account: Account, feed: int) -> int:
    """Signed worth of an account's positions in all markets of a feed."""
    total = 0
    for position in account.positions:
        if position.key >= ASSET_KEY:
            continue
        risk = t.row(Table.RISK, position.key)
        if risk.mode == Mode.OFF or risk.feed != feed:
            continue
        market = t.row(Table.MARKETS, position.key)
        total += rules.notional(market.mark_ticks, position.size, market.quantum_e6)
    return total


def counterparties(t: Tables, closing: Closing, price: int, hedged: bool) -> list[Counterparty]:
    """Everybody of whom this round may take lots, in the order in which they are taken."""
    found = []
    for account in range(1, t.row(Table.LEDGER, 0).accounts_high):
        row = t.row(Table.ACCOUNTS, account)
        position = position_of(row, closing.market)
        if position and position.size * closing.sign < 0 and account != closing.account:
            other = counterparty(t, closing, price, hedged, account, row)
            if other.lots:
                found.append(other)
    return sorted(found, key=cmp_to_key(goes_first))


def counterparty(
    t: Tables, closing: Closing, price: int, hedged: bool, account: int, row: Account
) -> Counterparty:
    """Rank an account that holds the other side, and say how much this round may take of it."""
    market = t.row(Table.MARKETS, closing.market)
    position = position_of(row, closing.market)
    assert position is not None
    worth = bucket_worth(t, row, bucket_of(row, closing.market))
    value = rules.notional(market.mark_ticks, abs(position.size), market.quantum_e6)
    profit = -closing.sign * (value - position.entry_e6)
    if worth.equity <= 0:
        return Counterparty(account, profit, worth.equity, 0)
    lots = abs(position.size)
    if not hedged:
        lots = unhedged(t, closing, row, position.size)
    loss_lot = closing.sign * (price - market.mark_ticks) * market.quantum_e6
    if loss_lot > 0:
        lots = min(lots, worth.equity // loss_lot)
    return Counterparty(account, profit, worth.equity, lots // market.lot_step * market.lot_step)


def unhedged(t: Tables, closing: Closing, row: Account, size: int) -> int:
    """Lots of a counterparty's position that hedge nothing."""
    market = t.row(Table.MARKETS, closing.market)
    delta = delta_value_e6(t, row, t.row(Table.RISK, closing.market).feed)
    return risk_rules.unhedged_lots(size, delta, market.mark_ticks, market.quantum_e6)


def goes_first(one: Counterparty, other: Counterparty) -> int:
    """-1 if `one` is taken before `other`: higher profit over equity, then lower account number."""
    if not wide.products_in_order(
        one.profit_e6, other.equity_e6, other.profit_e6, one.equity_e6
    ):
        return -1
    if not wide.products_in_order(
        other.profit_e6, one.equity_e6, one.profit_e6, other.equity_e6
    ):
        return 1
    return -1 if one.account < other.account else 1


def wind_up(
    c: Context,
    closing: Closing,
    other: Counterparty,
    price: int,
    lots: int,
    need: int,
    hedged: bool,
) -> None:
    """Close lots of both, and tell what a checker needs: sizes before, equity before and after."""
    t = c.t
    row = t.row(Table.ACCOUNTS, other.account)
    bucket = bucket_of(row, closing.market)
    theirs = position_of(row, closing.market)
    ours = position_of(t.row(Table.ACCOUNTS, closing.account), closing.market)
    assert theirs is not None and ours is not None
    bare = unhedged(t, closing, row, theirs.size)
    hand_over(c, closing.account, other.account, closing.market, lots, price)
    after = bucket_worth(t, t.row(Table.ACCOUNTS, other.account), bucket)
    c.emit_words(
        EventKind.DELEVERAGED,
        t.row(Table.MARKETS, closing.market).mark_ticks,
        price,
        lots,
        ours.size,
        theirs.size,
        bare,
        other.equity_e6,
        after.equity,
        value_e6(c, closing, lots, price),
        need,
        wide.mul_div_floor(other.profit_e6, E9, other.equity_e6),
        code=int(hedged),
        side=Side.BUY if closing.size > 0 else Side.SELL,
        market=closing.market,
        account=closing.account,
        counter_account=other.account,
    )
