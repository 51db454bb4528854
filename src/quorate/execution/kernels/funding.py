"""Funding; the same functions as `spec.funding`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.scalars import funding_payment
from quorate.types.records import POSITION_ISOLATED

i8 = np.int64


@helper
def funding_owed(s, cell, market):
    """What the position in `cell`, of that market, owes since it last paid."""
    risk = s.risk[market]
    position = s.positions[cell]
    return funding_payment(
        position["size"], risk["funding_index"], position["funding_index"], risk["funding_shift"]
    )


@helper
def funding_settle(s, account, cell, market):
    """Pay what the position owes out of its bucket into the market's pool; see the spec."""
    risk = s.risk[market]
    position = s.positions[cell]
    if position["funding_index"] == risk["funding_index"]:
        return
    payment = funding_owed(s, cell, market)
    position["funding_index"] = risk["funding_index"]
    s.accounts_dirty[account] = 1
    if payment == 0:
        return
    if i8(position["flags"]) & POSITION_ISOLATED:
        position["isolated_e6"] -= payment
    else:
        s.accounts[account]["cash_e6"] -= payment
    risk["funding_pool_e6"] += payment
    s.risk_dirty[market] = 1
