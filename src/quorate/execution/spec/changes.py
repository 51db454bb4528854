"""Parameters of the clearing house that change by governance, at once or with notice.

At once (height 0) only where nobody can be hurt: a market's parameter while it has neither
positions nor orders, the venue's numbers and a schedule's tiers while no position that they touch
is open. Else a change is announced at least `notice_blocks` ahead, stands in CHANGES until then,
and takes effect in phase 1 of its height, in order of height and slot. `quorate what-if` shows
beforehand whom it would bring into liquidation.
"""

from quorate.execution import rules
from quorate.execution.spec.clearing import (
    global_change_code,
    global_put,
    risk_code,
    risk_put,
    risk_whole,
)
from quorate.execution.spec.clearing_rows import Change
from quorate.execution.spec.context import Context
from quorate.execution.spec.governance import governs, interest_open
from quorate.execution.spec.rows import MarginTierRow
from quorate.execution.spec.tables import Tables
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_codes import ChangeKind, Mode
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import (
    CHANGES_MAX,
    LEVERAGE_MAX,
    POSITION_NOTIONAL_MAX_E6,
    SCHEDULES_MAX,
    TIERS_PER_SCHEDULE,
)
from quorate.types.records import Table


# --- commands ------------------------------------------------------------------------------------
def set_risk(c: Context, market_slot: int, parameter: int, value: int, height: int) -> Reject:
    """Change a market's risk parameter."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    code = risk_change_code(c.t, market_slot, parameter, value)
    if code:
        return code
    market = c.t.row(Table.MARKETS, market_slot)
    busy = bool(market.open_interest_lots or market.orders_count)
    change = Change(height, ChangeKind.RISK, market_slot, parameter, value, c.height)
    return announce(c, change, busy)


def risk_change_code(t: Tables, market_slot: int, parameter: int, value: int) -> Reject:
    """Whether a risk parameter may change so, as the market's others stand.

    A clearing house begins when all its parameters are whole, and is never taken away again.
    """
    code = risk_code(t, market_slot, parameter, value)
    if code or RISK_PARAMETERS[parameter] != "mode":
        return code
    if value == Mode.OFF:
        off = t.row(Table.RISK, market_slot).mode == Mode.OFF
        return Reject.OK if off else Reject.PARAMETER_OUT_OF_RANGE
    return Reject.OK if risk_whole(t, market_slot) else Reject.PARAMETER_OUT_OF_RANGE


def set_global(c: Context, parameter: int, value: int, height: int) -> Reject:
    """Change a number of the venue."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    code = global_change_code(c.t, parameter, value)
    if code:
        return code
    change = Change(height, ChangeKind.GLOBAL, 0, parameter, value, c.height)
    return announce(c, change, interest_open(c.t, -1))


def schedule_tier(c: Context, at: int, lower_e6: int, leverage_max: int, height: int) -> Reject:
    """Redefine any tier of a margin schedule, or append one; `at` = schedule * 8 + tier."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    code = tier_code(c.t, at, lower_e6, leverage_max)
    if code:
        return code
    change = Change(height, ChangeKind.TIER, at, leverage_max, lower_e6, c.height)
    return announce(c, change, interest_open(c.t, at // TIERS_PER_SCHEDULE))


def announce(c: Context, change: Change, busy: bool) -> Reject:
    """Apply a judged change now, or write it down until its height."""
    if not change.height:
        if busy:
            return Reject.CHANGE_NEEDS_NOTICE
        change_apply(c, change)
        return Reject.OK
    if change.height < c.height + max(c.t.row(Table.PARAMETERS, 0).notice_blocks, 1):
        return Reject.CHANGE_NEEDS_NOTICE
    ledger = c.t.row(Table.LEDGER, 0)
    slot = 0
    while slot < ledger.changes_high and c.t.row(Table.CHANGES, slot).height:
        slot += 1
    if slot == CHANGES_MAX:
        return Reject.CHANGES_TOO_MANY_WAIT
    ledger.changes_high = max(ledger.changes_high, slot + 1)
    ledger.changes_live += 1
    c.t.put(Table.LEDGER, 0, ledger)
    c.t.put(Table.CHANGES, slot, change)
    return Reject.OK


# --- phase 1 -------------------------------------------------------------------------------------
def changes_begin(c: Context) -> None:
    """Phase 1: the changes whose height has come, by height and then by slot."""
    while c.t.row(Table.LEDGER, 0).changes_live:
        first, slot = 0, 0
        for at in range(c.t.row(Table.LEDGER, 0).changes_high):
            height = c.t.row(Table.CHANGES, at).height
            if 0 < height <= c.height and (not first or height < first):
                first, slot = height, at
        if not first:
            return
        change = c.t.row(Table.CHANGES, slot)
        c.t.put(Table.CHANGES, slot, Change())
        ledger = c.t.row(Table.LEDGER, 0)
        ledger.changes_live -= 1
        c.t.put(Table.LEDGER, 0, ledger)
        change_apply(c, change)


def change_apply(c: Context, change: Change) -> None:
    """Write a change and say what it replaced.

    One that an earlier change has left no place for is dropped; its event has an end of 1.
    """
    end = 0
    if change.kind == ChangeKind.RISK:
        before = getattr(c.t.row(Table.RISK, change.market), RISK_PARAMETERS[change.parameter])
        code = risk_change_code(c.t, change.market, change.parameter, change.value)
        end = int(code != Reject.OK)
        if not end:
            risk_put(c.t, change.market, change.parameter, change.value)
    elif change.kind == ChangeKind.GLOBAL:
        before = getattr(c.t.row(Table.PARAMETERS, 0), GLOBALS[change.parameter])
        end = int(global_change_code(c.t, change.parameter, change.value) != Reject.OK)
        if not end:
            global_put(c.t, change.parameter, change.value)
    else:
        before = c.t.row(Table.MARGIN_TIERS, change.market).lower_e6
        end = int(tier_code(c.t, change.market, change.value, change.parameter) != Reject.OK)
        if not end:
            tier_put(c.t, change.market, change.value, change.parameter)
    c.emit_words(
        EventKind.CHANGED,
        change.parameter,
        change.value,
        before,
        change.height,
        end=end,
        code=change.kind,
        market=change.market,
    )


# --- tiers ---------------------------------------------------------------------------------------
def tier_code(t: Tables, at: int, lower_e6: int, leverage_max: int) -> Reject:
    """Whether a tier fits between its neighbours: lower bounds rise, and rates do not fall."""
    if not 0 <= at < SCHEDULES_MAX * TIERS_PER_SCHEDULE:
        return Reject.TIER_MUST_FOLLOW_THE_LAST
    if not 0 < leverage_max <= LEVERAGE_MAX:
        return Reject.FIELD_MUST_BE_IN_RANGE
    rate = rules.tier_rate_ppm(leverage_max)
    if at % TIERS_PER_SCHEDULE:
        before = t.row(Table.MARGIN_TIERS, at - 1)
        if not before.used or not before.lower_e6 < lower_e6 <= POSITION_NOTIONAL_MAX_E6:
            return Reject.TIER_MUST_FOLLOW_THE_LAST
        if rate < before.rate_ppm:
            return Reject.TIER_MUST_FOLLOW_THE_LAST
    elif lower_e6:
        return Reject.TIER_MUST_FOLLOW_THE_LAST
    if (at + 1) % TIERS_PER_SCHEDULE:
        after = t.row(Table.MARGIN_TIERS, at + 1)
        if after.used and (after.lower_e6 <= lower_e6 or after.rate_ppm < rate):
            return Reject.TIER_MUST_FOLLOW_THE_LAST
    return Reject.OK


def tier_put(t: Tables, at: int, lower_e6: int, leverage_max: int) -> None:
    """Write a tier that `tier_code` admitted, and all deductions behind it (FORMULAS 1)."""
    row = MarginTierRow(lower_e6, rules.tier_rate_ppm(leverage_max), 0, 1)
    for slot in range(at, at // TIERS_PER_SCHEDULE * TIERS_PER_SCHEDULE + TIERS_PER_SCHEDULE):
        if slot > at:
            row = t.row(Table.MARGIN_TIERS, slot)
            if not row.used:
                return
        if slot % TIERS_PER_SCHEDULE:
            before = t.row(Table.MARGIN_TIERS, slot - 1)
            row.deduction_e6 = rules.tier_deduction(
                before.deduction_e6, row.lower_e6, row.rate_ppm, before.rate_ppm
            )
        t.put(Table.MARGIN_TIERS, slot, row)
