"""Insurance funds; the same functions as `spec.insurance`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.accounts import QUOTE, debit, debit_code
from quorate.execution.kernels.margin import clears
from quorate.execution.kernels.rows import emit_words
from quorate.types.clearing_codes import InsuranceFlow
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import INSURANCE_MAX_E6, SUPPLY_MAX

i8 = np.int64
VENUE = 0
INSURED = int(EventKind.INSURED)
DONATED, PAID = int(InsuranceFlow.DONATED), int(InsuranceFlow.PAID)
OK, OWNER_KEY = int(Reject.OK), int(Reject.OWNER_KEY_REQUIRED)
MARKET_MUST_EXIST = int(Reject.MARKET_MUST_EXIST)
NO_CLEARING = int(Reject.MARKET_HAS_NO_CLEARING)
AMOUNT_POSITIVE = int(Reject.AMOUNT_MUST_BE_POSITIVE)
SUPPLY_LIMIT = int(Reject.SUPPLY_WOULD_PASS_LIMIT)


@helper
def fund_e6(s, fund):
    """What a fund holds."""
    if fund == VENUE:
        return s.ledger[0]["insurance_e6"]
    return s.risk[fund]["insurance_e6"]


@helper
def fund_move(s, fund, amount, flow):
    """Move money into a fund, or (negative) out of it, and say so."""
    if fund == VENUE:
        s.ledger[0]["insurance_e6"] += amount
    else:
        s.risk[fund]["insurance_e6"] += amount
        s.risk_dirty[fund] = 1
    account = s.now[0]["account"]
    after = fund_e6(s, fund)
    emit_words(
        s, INSURED, 0, flow, 0, fund, account, 0, amount, after, 0, 0, 0, 0, 0, 0, 0, 0, 0
    )


@helper
def insurance_holds(s, market):
    """What the funds that answer for a market, or for the venue, could pay together."""
    if market == VENUE:
        return s.ledger[0]["insurance_e6"]
    risk = s.risk[market]
    drawable = max(risk["insurance_draw_max_e6"] - risk["insurance_drawn_e6"], i8(0))
    return risk["insurance_e6"] + min(s.ledger[0]["insurance_e6"], drawable)


@helper
def insurance_pays(s, market, loss):
    """Take a whole loss out of the funds that answer for a market, or nothing of it."""
    if loss > insurance_holds(s, market):
        return False
    risk = s.risk[market]
    own = min(loss, fund_e6(s, market))
    rest = loss - own
    if own:
        fund_move(s, market, -own, PAID)
    if rest:
        risk["insurance_drawn_e6"] += rest
        s.risk_dirty[market] = 1
        fund_move(s, i8(VENUE), -rest, PAID)
    return True


@helper
def donate(s, fund, amount):
    """Owner: give free cash to a market's fund, or to the venue's (0)."""
    if s.now[0]["session"]:
        return OWNER_KEY
    if fund >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    cleared = clears(s, fund) if fund else s.ledger[0]["risk_high"] != 0
    if not cleared:
        return NO_CLEARING
    if amount <= 0 or amount > SUPPLY_MAX:
        return AMOUNT_POSITIVE
    account = s.now[0]["account"]
    code = debit_code(s, account, QUOTE, amount)
    if code != OK:
        return code
    if fund_e6(s, fund) + amount > INSURANCE_MAX_E6:
        return SUPPLY_LIMIT
    debit(s, account, QUOTE, amount)
    s.accounts_dirty[account] = 1
    fund_move(s, fund, amount, DONATED)
    return OK
