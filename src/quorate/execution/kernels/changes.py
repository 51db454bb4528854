"""Parameters that change by governance; the same functions as `spec.changes`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.clearing import (
    P_MODE,
    global_change_code,
    global_put,
    global_value,
    risk_code,
    risk_put,
    risk_value,
    risk_whole,
)
from quorate.execution.kernels.governance import governs, interest_open
from quorate.execution.kernels.rows import T_CHANGES, T_MARGIN_TIERS, emit_words
from quorate.execution.kernels.scalars import tier_deduction, tier_rate_ppm
from quorate.types.clearing_codes import ChangeKind
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import (
    CHANGES_MAX,
    LEVERAGE_MAX,
    POSITION_NOTIONAL_MAX_E6,
    SCHEDULES_MAX,
    TIERS_PER_SCHEDULE,
)

i8 = np.int64
R = Reject
OK, GOVERNANCE_KEY = int(R.OK), int(R.GOVERNANCE_KEY_REQUIRED)
OUT_OF_RANGE, FIELD_RANGE = int(R.PARAMETER_OUT_OF_RANGE), int(R.FIELD_MUST_BE_IN_RANGE)
NEEDS_NOTICE, TOO_MANY = int(R.CHANGE_NEEDS_NOTICE), int(R.CHANGES_TOO_MANY_WAIT)
TIER_FOLLOW = int(R.TIER_MUST_FOLLOW_THE_LAST)
KIND_RISK, KIND_GLOBAL = int(ChangeKind.RISK), int(ChangeKind.GLOBAL)
KIND_TIER = int(ChangeKind.TIER)
CHANGED = int(EventKind.CHANGED)
TIERS = TIERS_PER_SCHEDULE


# --- commands ------------------------------------------------------------------------------------
@helper
def set_risk(s, signer, market, parameter, value, height):
    """Change a market's risk parameter."""
    s.now[0]["receipt_market"] = market
    if not governs(s, signer):
        return GOVERNANCE_KEY
    code = risk_change_code(s, market, parameter, value)
    if code != OK:
        return code
    row = s.markets[market]
    busy = row["open_interest_lots"] != 0 or row["orders_count"] != 0
    return announce(s, KIND_RISK, market, parameter, value, height, busy)


@helper
def risk_change_code(s, market, parameter, value):
    """Whether a risk parameter may change so, as the market's others stand."""
    code = risk_code(s, market, parameter, value)
    if code != OK or parameter != P_MODE:
        return code
    if value == 0:
        return OK if s.risk[market]["mode"] == 0 else OUT_OF_RANGE
    return OK if risk_whole(s, market) else OUT_OF_RANGE


@helper
def set_global(s, signer, parameter, value, height):
    """Change a number of the venue."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    code = global_change_code(s, parameter, value)
    if code != OK:
        return code
    busy = interest_open(s, i8(-1))
    return announce(s, KIND_GLOBAL, i8(0), parameter, value, height, busy)


@helper
def schedule_tier(s, signer, at, lower, leverage_max, height):
    """Redefine any tier of a margin schedule, or append one; `at` = schedule * 8 + tier."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    code = tier_code(s, at, lower, leverage_max)
    if code != OK:
        return code
    busy = interest_open(s, at // TIERS)
    return announce(s, KIND_TIER, at, leverage_max, lower, height, busy)


@helper
def announce(s, kind, market, parameter, value, height, busy):
    """Apply a judged change now, or write it down until its height."""
    if height == 0:
        if busy:
            return NEEDS_NOTICE
        change_apply(s, kind, market, parameter, value, height)
        return OK
    if height < s.now[0]["height"] + max(s.parameters[0]["notice_blocks"], 1):
        return NEEDS_NOTICE
    ledger = s.ledger[0]
    slot = i8(0)
    while slot < ledger["changes_high"] and s.changes[slot]["height"] != 0:
        slot += 1
    if slot == CHANGES_MAX:
        return TOO_MANY
    if slot == ledger["changes_high"]:
        ledger["changes_high"] = slot + 1
    ledger["changes_live"] += 1
    change_write(s, slot, height, kind, market, parameter, value, s.now[0]["height"])
    return OK


@helper
def change_write(s, slot, height, kind, market, parameter, value, announced):
    """Write a row of CHANGES."""
    row = s.changes[slot]
    row["height"] = height
    row["kind"] = kind
    row["market"] = market
    row["parameter"] = parameter
    row["value"] = value
    row["announced_height"] = announced
    s.small_dirty[T_CHANGES] = 1


# --- phase 1 -------------------------------------------------------------------------------------
@helper
def changes_begin(s):
    """Phase 1: the changes whose height has come, by height and then by slot."""
    ledger = s.ledger[0]
    zero = i8(0)
    while ledger["changes_live"]:
        first = slot = i8(0)
        for at in range(ledger["changes_high"]):
            height = s.changes[at]["height"]
            if height > 0 and height <= s.now[0]["height"] and (first == 0 or height < first):
                first = height
                slot = i8(at)
        if first == 0:
            return
        row = s.changes[slot]
        kind, market, parameter = row["kind"], row["market"], row["parameter"]
        value = row["value"]
        change_write(s, slot, zero, zero, zero, zero, zero, zero)
        ledger["changes_live"] -= 1
        change_apply(s, kind, market, parameter, value, first)


@helper
def change_apply(s, kind, market, parameter, value, height):
    """Write a change and say what it replaced; see the spec."""
    end = i8(0)
    if kind == KIND_RISK:
        before = risk_value(s.risk[market], parameter)
        if risk_change_code(s, market, parameter, value) != OK:
            end = i8(1)
        else:
            risk_put(s, market, parameter, value)
    elif kind == KIND_GLOBAL:
        before = global_value(s.parameters[0], parameter)
        if global_change_code(s, parameter, value) != OK:
            end = i8(1)
        else:
            global_put(s, parameter, value)
    else:
        before = s.margin_tiers[market]["lower_e6"]
        if tier_code(s, market, value, parameter) != OK:
            end = i8(1)
        else:
            tier_put(s, market, value, parameter)
    zero = i8(0)
    emit_words(
        s, CHANGED, end, kind, zero, market, zero, zero,
        parameter, value, before, height, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip


# --- tiers ---------------------------------------------------------------------------------------
@helper
def tier_code(s, at, lower, leverage_max):
    """Whether a tier fits between its neighbours: lower bounds rise, and rates do not fall."""
    if at < 0 or at >= SCHEDULES_MAX * TIERS:
        return TIER_FOLLOW
    if leverage_max <= 0 or leverage_max > LEVERAGE_MAX:
        return FIELD_RANGE
    rate = tier_rate_ppm(leverage_max)
    if at % TIERS:
        before = s.margin_tiers[at - 1]
        if not before["used"] or lower <= before["lower_e6"] or lower > POSITION_NOTIONAL_MAX_E6:
            return TIER_FOLLOW
        if rate < before["rate_ppm"]:
            return TIER_FOLLOW
    elif lower:
        return TIER_FOLLOW
    if (at + 1) % TIERS:
        after = s.margin_tiers[at + 1]
        if after["used"] and (after["lower_e6"] <= lower or after["rate_ppm"] < rate):
            return TIER_FOLLOW
    return OK


@helper
def tier_put(s, at, lower, leverage_max):
    """Write a tier that `tier_code` admitted, and all deductions behind it (FORMULAS 1)."""
    row = s.margin_tiers[at]
    row["lower_e6"] = lower
    row["rate_ppm"] = tier_rate_ppm(leverage_max)
    row["deduction_e6"] = 0
    row["used"] = 1
    s.small_dirty[T_MARGIN_TIERS] = 1
    for slot in range(at, at // TIERS * TIERS + TIERS):
        row = s.margin_tiers[slot]
        if not row["used"]:
            return
        if slot % TIERS:
            before = s.margin_tiers[slot - 1]
            row["deduction_e6"] = tier_deduction(
                before["deduction_e6"], row["lower_e6"], row["rate_ppm"], before["rate_ppm"]
            )
