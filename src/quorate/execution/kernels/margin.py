"""Cross margin; the same functions as `spec.margin`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.scalars import (
    initial,
    notional,
    worst_lots,
)
from quorate.types.limits import TIERS_PER_SCHEDULE, VOLUME_MAX_E6, VOLUME_WINDOW_MS
from quorate.types.records import ASSET_KEY

i8 = np.int64


@helper
def initial_margin(s, schedule, value):
    """Initial margin of a notional: the last tier whose lower bound it reaches (FORMULAS 1)."""
    at = schedule * TIERS_PER_SCHEDULE
    for k in range(at + 1, at + TIERS_PER_SCHEDULE):
        tier = s.margin_tiers[k]
        if not tier["used"] or tier["lower_e6"] > value:
            break
        at = k
    tier = s.margin_tiers[at]
    return initial(value, tier["rate_ppm"], tier["deduction_e6"])


@helper
def assess(s, account, key, key_worst):
    """Leave equity, initial margin and worth of the riskiest sides in `now`; see the spec."""
    row = s.accounts[account]
    equity = row["cash_e6"] - row["held_e6"]
    margin = i8(0)
    total = i8(0)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(row["positions_count"])):
        position = s.positions[cell]
        position_key = i8(position["key"])
        if position_key >= ASSET_KEY:
            continue
        market = s.markets[position_key]
        mark = market["mark_ticks"]
        quantum = market["quantum_e6"]
        equity += notional(mark, position["size"], quantum)
        lots = worst_lots(position["size"], position["bids"], position["asks"])
        if position_key == key:
            lots = key_worst
            key = i8(0)
        value = notional(mark, lots, quantum)
        margin += initial_margin(s, market["margin_schedule"], value)
        total += value
    if key:
        market = s.markets[key]
        value = notional(market["mark_ticks"], key_worst, market["quantum_e6"])
        margin += initial_margin(s, market["margin_schedule"], value)
        total += value
    now = s.now[0]
    now["equity"] = equity
    now["margin"] = margin
    now["value"] = total


@helper
def volume_current(s, account, window):
    """The account's volume in `window`."""
    row = s.accounts[account]
    return row["volume_cur_e6"] if i8(row["volume_window"]) == window else i8(0)


@helper
def volume_before(s, account, window):
    """The account's volume in the window before `window`."""
    row = s.accounts[account]
    at = i8(row["volume_window"])
    if at == window:
        return row["volume_prev_e6"]
    if at + 1 == window:
        return row["volume_cur_e6"]
    return i8(0)


@helper
def volume_add(s, account, value):
    """Count a fill's worth towards the account's volume, saturating."""
    window = s.now[0]["time_ms"] // VOLUME_WINDOW_MS
    before = volume_before(s, account, window)
    current = volume_current(s, account, window) + value
    row = s.accounts[account]
    row["volume_cur_e6"] = current if current < VOLUME_MAX_E6 else i8(VOLUME_MAX_E6)
    row["volume_prev_e6"] = before
    row["volume_window"] = window


@helper
def fee_tier(s, account, schedule):
    """Index of the fee tier of the account by its volume of this window and the one before."""
    window = s.now[0]["time_ms"] // VOLUME_WINDOW_MS
    volume = volume_current(s, account, window) + volume_before(s, account, window)
    at = schedule * TIERS_PER_SCHEDULE
    for k in range(at + 1, at + TIERS_PER_SCHEDULE):
        tier = s.fee_tiers[k]
        if not tier["used"] or tier["volume_min_e6"] > volume:
            break
        at = k
    return at
