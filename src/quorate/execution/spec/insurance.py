"""Insurance funds: one of each market with a clearing house, and one of the whole venue.

A loss in a market is paid by the market's own fund first, then by the venue's, of which each market
may draw so much in all. No market's fund ever pays for another one, so that the order in which
losses are worked off within a block cannot let one market's trouble reach another's fund.
"""

from quorate.execution.spec.accounts import QUOTE, debit, debit_code
from quorate.execution.spec.context import Context
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import InsuranceFlow, Mode
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import INSURANCE_MAX_E6, SUPPLY_MAX
from quorate.types.records import Table

VENUE = 0  # number of the venue's fund; a market's fund has the market's


def fund_e6(c: Context, fund: int) -> int:
    """What a fund holds."""
    if fund == VENUE:
        return int(c.t.row(Table.LEDGER, 0).insurance_e6)
    return int(c.t.row(Table.RISK, fund).insurance_e6)


def fund_move(c: Context, fund: int, amount_e6: int, flow: InsuranceFlow) -> None:
    """Move money into a fund, or (negative) out of it, and say so."""
    table, slot = (Table.LEDGER, 0) if fund == VENUE else (Table.RISK, fund)
    row = c.t.row(table, slot)
    row.insurance_e6 += amount_e6
    c.t.put(table, slot, row)
    words = (amount_e6, fund_e6(c, fund))
    c.emit_words(EventKind.INSURED, *words, code=flow, market=fund, account=c.account)


def insurance_holds(t: Tables, market_slot: int) -> int:
    """What the funds that answer for a market, or for the venue, could pay together."""
    if market_slot == VENUE:
        return int(t.row(Table.LEDGER, 0).insurance_e6)
    risk = t.row(Table.RISK, market_slot)
    drawable = max(risk.insurance_draw_max_e6 - risk.insurance_drawn_e6, 0)
    return int(risk.insurance_e6 + min(t.row(Table.LEDGER, 0).insurance_e6, drawable))


def insurance_pays(c: Context, market_slot: int, loss_e6: int) -> bool:
    """Take a whole loss out of the funds that answer for a market, or nothing of it."""
    if loss_e6 > insurance_holds(c.t, market_slot):
        return False
    own = min(loss_e6, fund_e6(c, market_slot))
    rest = loss_e6 - own
    if own:
        fund_move(c, market_slot, -own, InsuranceFlow.PAID)
    if rest:
        risk = c.t.row(Table.RISK, market_slot)
        risk.insurance_drawn_e6 += rest
        c.t.put(Table.RISK, market_slot, risk)
        fund_move(c, VENUE, -rest, InsuranceFlow.PAID)
    return True


def donate(c: Context, fund: int, amount: int) -> Reject:
    """Owner: give free cash to a market's fund, or to the venue's (0)."""
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    ledger = c.t.row(Table.LEDGER, 0)
    if fund >= ledger.markets_high:
        return Reject.MARKET_MUST_EXIST
    cleared = c.t.row(Table.RISK, fund).mode != Mode.OFF if fund else ledger.risk_high
    if not cleared:
        return Reject.MARKET_HAS_NO_CLEARING
    if not 0 < amount <= SUPPLY_MAX:
        return Reject.AMOUNT_MUST_BE_POSITIVE
    row = c.t.row(Table.ACCOUNTS, c.account)
    code = debit_code(c.t, row, QUOTE, amount)
    if code:
        return code
    if fund_e6(c, fund) + amount > INSURANCE_MAX_E6:
        return Reject.SUPPLY_WOULD_PASS_LIMIT
    debit(row, QUOTE, amount)
    c.t.put(Table.ACCOUNTS, c.account, row)
    fund_move(c, fund, amount, InsuranceFlow.DONATED)
    return Reject.OK
