"""What a position owes in funding, and how it pays (FORMULAS 3).

A market's `funding_index` says what a long of one lot has paid since the beginning; a position
remembers where the index stood when it last paid. Paying moves money between the position's bucket
and the market's `funding_pool_e6`; what positions owe and the pool sum to the rounding residue.
`spec.rates` moves the index.
"""

from quorate.execution import risk_rules
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.rows import Account, Position
from quorate.execution.spec.tables import Tables
from quorate.types.records import POSITION_ISOLATED, Table


def owed(t: Tables, market_slot: int, position: Position) -> int:
    """What the position owes since it last paid, in 1e-6 quote; negative: it is owed."""
    risk: Risk = t.row(Table.RISK, market_slot)
    return risk_rules.funding_payment(
        position.size, risk.funding_index, position.funding_index, risk.funding_shift
    )


def settle(t: Tables, account: Account, position: Position, market_slot: int) -> None:
    """Pay what the position owes out of its bucket into the market's pool.

    Before anything changes its size, and when a row of no lots begins a position. `account` and
    `position` are copies that the caller puts; the pool is put here.
    """
    risk: Risk = t.row(Table.RISK, market_slot)
    if position.funding_index == risk.funding_index:
        return
    payment_e6 = owed(t, market_slot, position)
    position.funding_index = risk.funding_index
    if not payment_e6:
        return
    if position.flags & POSITION_ISOLATED:
        position.isolated_e6 -= payment_e6
    else:
        account.cash_e6 -= payment_e6
    risk.funding_pool_e6 += payment_e6
    t.put(Table.RISK, market_slot, risk)
