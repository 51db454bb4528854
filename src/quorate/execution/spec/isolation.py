"""Isolated margin: money set apart for one position, which is all that the position can lose."""

from quorate.execution import rules
from quorate.execution.spec.accounts import QUOTE, debit_code, stale
from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.funding import settle
from quorate.execution.spec.margin import bucket_worth, closing_fees
from quorate.execution.spec.positions import (
    position_close_if_empty,
    position_code,
    position_of,
    position_open,
)
from quorate.execution.spec.rows import Account, Position
from quorate.types.clearing_codes import Mode
from quorate.types.codes import Reject
from quorate.types.limits import CASH_MAX_E6, CASH_TRADING_MAX_E6, SUPPLY_MAX
from quorate.types.records import POSITION_ISOLATED, Table


def isolate(c: Context, market_slot: int, amount: int, receipt: Receipt) -> Reject:
    """Move margin from cash into a market's isolated position, or (negative) back.

    The first amount begins the isolation of a flat position without orders. The receipt's
    `filled` is what moved, `remaining` the isolated margin afterwards.
    """
    if not 0 < market_slot < c.t.row(Table.LEDGER, 0).markets_high:
        return Reject.MARKET_MUST_EXIST
    if c.t.row(Table.RISK, market_slot).mode == Mode.OFF:
        return Reject.MARKET_HAS_NO_CLEARING
    if not amount or abs(amount) > SUPPLY_MAX:
        return Reject.AMOUNT_MUST_BE_POSITIVE
    account = c.t.row(Table.ACCOUNTS, c.account)
    position = position_of(account, market_slot)
    if position is not None and not position.flags & POSITION_ISOLATED:
        return Reject.POSITION_MUST_BE_FLAT_FIRST
    if amount > 0:
        code = inward_code(c, account, market_slot, position, amount)
    else:
        code = outward_code(c, account, market_slot, position, -amount)
    if code:
        return code
    position = position_open(account, market_slot)
    position.flags |= POSITION_ISOLATED
    settle(c.t, account, position, market_slot)
    position.isolated_e6 += amount
    account.cash_e6 -= amount
    receipt.market, receipt.filled, receipt.remaining = market_slot, amount, position.isolated_e6
    position_close_if_empty(account, market_slot)
    c.t.put(Table.ACCOUNTS, c.account, account)
    return Reject.OK


def inward_code(
    c: Context, account: Account, market_slot: int, position: Position | None, amount: int
) -> Reject:
    """Whether cash may go into an isolated position: it must be free."""
    code = position_code(c.t, account, market_slot) or debit_code(c.t, account, QUOTE, amount)
    held = position.isolated_e6 if position else 0
    if not code and held + amount > CASH_TRADING_MAX_E6:
        return Reject.ACCOUNT_CASH_BEYOND_BOUND
    return code


def outward_code(
    c: Context, account: Account, market_slot: int, position: Position | None, amount: int
) -> Reject:
    """Whether an isolated position can spare an amount, as a withdrawal is judged and gated."""
    if position is None:
        return Reject.ISOLATED_MARGIN_INSUFFICIENT
    if stale(c.t, account):
        return Reject.WITHDRAWALS_GATED_WAIT
    worth = bucket_worth(c.t, account, market_slot)
    floor = rules.withdrawable_floor(worth.initial, worth.value)
    if worth.equity - amount < floor + closing_fees(c.t, account, market_slot):
        return Reject.ISOLATED_MARGIN_INSUFFICIENT
    if position.isolated_e6 - amount < -CASH_TRADING_MAX_E6:
        return Reject.ISOLATED_MARGIN_INSUFFICIENT
    if account.cash_e6 + amount > CASH_MAX_E6:
        return Reject.ACCOUNT_CASH_BEYOND_BOUND
    return Reject.OK
