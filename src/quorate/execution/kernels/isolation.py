"""Isolated margin; the same functions as `spec.isolation`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.accounts import debit_code, stale
from quorate.execution.kernels.funding import funding_settle
from quorate.execution.kernels.margin import bucket_worth, clears, closing_fees
from quorate.execution.kernels.rows import (
    position_close_if_empty,
    position_code,
    position_of,
    position_open,
)
from quorate.execution.kernels.scalars import withdrawable_floor
from quorate.types.codes import Reject
from quorate.types.limits import CASH_MAX_E6, CASH_TRADING_MAX_E6, SUPPLY_MAX
from quorate.types.records import POSITION_ISOLATED

i8 = np.int64
R = Reject
QUOTE = 0
OK = int(R.OK)
MARKET_MUST_EXIST = int(R.MARKET_MUST_EXIST)
NO_CLEARING = int(R.MARKET_HAS_NO_CLEARING)
AMOUNT_POSITIVE = int(R.AMOUNT_MUST_BE_POSITIVE)
FLAT_FIRST = int(R.POSITION_MUST_BE_FLAT_FIRST)
INSUFFICIENT = int(R.ISOLATED_MARGIN_INSUFFICIENT)
GATED = int(R.WITHDRAWALS_GATED_WAIT)
CASH_BOUND = int(R.ACCOUNT_CASH_BEYOND_BOUND)


@helper
def isolate(s, market, amount):
    """Move margin from cash into a market's isolated position, or (negative) back."""
    if market <= 0 or market >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    if not clears(s, market):
        return NO_CLEARING
    if amount == 0 or amount > SUPPLY_MAX or amount < -SUPPLY_MAX:
        return AMOUNT_POSITIVE
    now = s.now[0]
    account = now["account"]
    cell = position_of(s, account, market)
    if cell >= 0 and not i8(s.positions[cell]["flags"]) & POSITION_ISOLATED:
        return FLAT_FIRST
    if amount > 0:
        code = inward_code(s, account, market, cell, amount)
    else:
        code = outward_code(s, account, market, cell, -amount)
    if code != OK:
        return code
    cell = position_open(s, account, market)
    position = s.positions[cell]
    position["flags"] = i8(position["flags"]) | POSITION_ISOLATED
    funding_settle(s, account, cell, market)
    position["isolated_e6"] += amount
    s.accounts[account]["cash_e6"] -= amount
    now["receipt_market"] = market
    now["receipt_filled"] = amount
    now["receipt_remaining"] = position["isolated_e6"]
    position_close_if_empty(s, account, market, False)
    s.accounts_dirty[account] = 1
    return OK


@helper
def inward_code(s, account, market, cell, amount):
    """Whether cash may go into an isolated position: it must be free."""
    code = position_code(s, account, market)
    if code == OK:
        code = debit_code(s, account, i8(QUOTE), amount)
    if code != OK:
        return code
    held = s.positions[cell]["isolated_e6"] if cell >= 0 else i8(0)
    return CASH_BOUND if held + amount > CASH_TRADING_MAX_E6 else OK


@helper
def outward_code(s, account, market, cell, amount):
    """Whether an isolated position can spare an amount, as a withdrawal is judged."""
    if cell < 0:
        return INSUFFICIENT
    if stale(s, s.now[0]["account"]):
        return GATED
    bucket_worth(s, account, market)
    now = s.now[0]
    floor = withdrawable_floor(now["margin"], now["value"])
    if now["equity"] - amount < floor + closing_fees(s, s.now[0]["account"], market):
        return INSUFFICIENT
    if s.positions[cell]["isolated_e6"] - amount < -CASH_TRADING_MAX_E6:
        return INSUFFICIENT
    if s.accounts[account]["cash_e6"] + amount > CASH_MAX_E6:
        return CASH_BOUND
    return OK
