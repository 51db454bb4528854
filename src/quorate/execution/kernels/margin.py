"""Margin; the same functions as `spec.margin`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.funding import funding_owed
from quorate.execution.kernels.options_margin import (
    ASKS,
    BIDS,
    LOTS,
    ORDER_ROW,
    ROW,
    has_options,
    options_need,
)
from quorate.execution.kernels.rows import position_of
from quorate.execution.kernels.scalars import (
    close_out,
    confidence_addon,
    health,
    maintenance,
    notional,
    oi_scaled_initial,
    open_interest_worth,
    ppm_ceil,
    worst_lots,
)
from quorate.types.clearing_codes import Standing
from quorate.types.codes import MarketKind
from quorate.types.limits import (
    PPM,
    TIERS_PER_SCHEDULE,
    TRIGGER_EQUITY_MIN_E6,
    VOLUME_MAX_E6,
    VOLUME_WINDOW_MS,
)
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED

i8 = np.int64
CROSS = 0
SERIES = int(MarketKind.SERIES)
HEALTHY, BANKRUPT = int(Standing.HEALTHY), int(Standing.BANKRUPT)


@helper
def tier_maintenance(s, schedule, value):
    """Maintenance margin of a worth: the last tier whose lower bound it reaches (FORMULAS 1)."""
    at = schedule * TIERS_PER_SCHEDULE
    for k in range(at + 1, at + TIERS_PER_SCHEDULE):
        tier = s.margin_tiers[k]
        if not tier["used"] or tier["lower_e6"] > value:
            break
        at = k
    tier = s.margin_tiers[at]
    return maintenance(value, tier["rate_ppm"], tier["deduction_e6"])


@helper
def position_maintenance(s, market, size):
    """Maintenance margin of a position of `size` lots, of either sign, at the mark."""
    row = s.markets[market]
    value = notional(row["mark_ticks"], abs(size), row["quantum_e6"])
    return tier_maintenance(s, row["margin_schedule"], value)


# --- buckets -------------------------------------------------------------------------------------
@helper
def clears(s, market):
    """Whether a market has a clearing house."""
    return market < s.ledger[0]["risk_high"] and s.risk[market]["mode"] != 0


@helper
def bucket_of(s, account, market):
    """Bucket in which the account trades a market: the market's own if isolated, else CROSS."""
    if market >= s.ledger[0]["risk_high"]:
        return i8(CROSS)
    cell = position_of(s, account, market)
    if cell >= 0 and i8(s.positions[cell]["flags"]) & POSITION_ISOLATED:
        return i8(market)
    return i8(CROSS)


@helper
def bucket_worth(s, account, bucket):
    """Leave equity, margin (initial), maintenance, close_out, value and clears in `now`."""
    zero = i8(0)
    bucket_entry(s, account, bucket, zero, zero, zero, zero, i8(-1))
    tiers_kept(s, account, bucket)
    options_add(s)


@helper
def bucket_entry(s, account, bucket, key, key_size, key_bids, key_asks, key_interest):
    """What an order's judgement needs of a bucket: equity, margin, value and clears in `now`.

    `legacy`: whether it holds a position in a market without a clearing house; `options`: whether
    one in a series.

    key: a market that would have these lots and orders, or 0; key_interest: its open interest; -1:
    as it stands.
    """
    row = s.accounts[account]
    high = s.ledger[0]["risk_high"]
    equity = i8(0) if bucket else row["cash_e6"] - row["held_e6"]
    initial = i8(0)
    total = i8(0)
    clearing = i8(0)
    legacy = i8(0)
    options = i8(0)
    left = i8(key)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(row["positions_count"])):
        position = s.positions[cell]
        market = i8(position["key"])
        if market >= ASSET_KEY:
            continue
        size = position["size"]
        if market < high:
            isolated = market if i8(position["flags"]) & POSITION_ISOLATED else i8(CROSS)
            if isolated != bucket:
                continue
            if bucket:
                equity += position["isolated_e6"]
            if position["funding_index"] != s.risk[market]["funding_index"]:
                equity -= funding_owed(s, cell, market)
        elif bucket:
            continue
        if not clears(s, market):
            legacy = i8(1)
        elif size:
            clearing = i8(1)
        lots = worst_lots(size, position["bids"], position["asks"])
        interest = i8(-1)
        if market == left:
            lots = worst_lots(key_size, key_bids, key_asks)
            interest = key_interest
            left = i8(0)
        mark_lot = s.markets[market]["mark_ticks"] * s.markets[market]["quantum_e6"]
        equity += mark_lot * size
        total += mark_lot * lots
        if s.markets[market]["kind"] == SERIES:
            options = i8(1)
        else:
            initial += entry_margin(s, market, mark_lot * lots, interest)
    if left:
        lots = worst_lots(key_size, key_bids, key_asks)
        value = notional(s.markets[left]["mark_ticks"], lots, s.markets[left]["quantum_e6"])
        total += value
        if s.markets[left]["kind"] == SERIES:
            options = i8(1)
        else:
            initial += entry_margin(s, left, value, key_interest)
    now = s.now[0]
    now["equity"] = equity
    now["value"] = total
    now["clears"] = clearing
    now["legacy"] = legacy
    now["options"] = options
    if options:
        options_net(s, account, bucket, key, key_size, key_bids, key_asks, key_interest)
        initial += now["options_initial"]
    now["margin"] = initial


@helper
def bucket_kept(s, account, bucket):
    """Leave the bucket's maintenance margin and close-out requirement in `now`."""
    zero = i8(0)
    tiers_kept(s, account, bucket)
    s.now[0]["options"] = 1 if has_options(s, account, bucket, zero) else 0
    if s.now[0]["options"]:
        options_net(s, account, bucket, zero, zero, zero, zero, i8(-1))
    options_add(s)


@helper
def options_add(s):
    """Add what the options of a bucket keep to its tiers."""
    now = s.now[0]
    if now["options"]:
        now["maintenance"] += now["options_kept"]
        now["close_out"] += now["options_close"]


@helper
def tiers_kept(s, account, bucket):
    """Leave the bucket's maintenance margin and close-out requirement by tiers in `now`."""
    high = s.ledger[0]["risk_high"]
    kept = i8(0)
    closing = i8(0)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        position = s.positions[cell]
        market = i8(position["key"])
        if market >= ASSET_KEY or (market >= high and bucket):
            continue
        if market < high:
            isolated = market if i8(position["flags"]) & POSITION_ISOLATED else i8(CROSS)
            if isolated != bucket:
                continue
        if s.markets[market]["kind"] == SERIES:
            continue
        if clears(s, market):
            own = position_maintenance(s, market, position["size"])
            kept += own
            closing += close_out(own, s.risk[market]["close_ppm"])
        else:
            # Where nobody is liquidated, half of what the riskiest side needs at entry.
            lots = worst_lots(position["size"], position["bids"], position["asks"])
            kept += position_maintenance(s, market, lots)
    s.now[0]["maintenance"] = kept
    s.now[0]["close_out"] = closing


@helper
def options_net(s, account, bucket, key, size, bids, asks, interest):
    """Leave in `now` what options require, less the tiers of perpetuals in their scan."""
    now = s.now[0]
    series = options_need(s, account, bucket, key, size, bids, asks)
    if series == 0:
        return
    for k in range(series, s.margin_counts[0]):
        market = s.margin_legs[k, ROW]
        lots = s.margin_legs[k, LOTS]
        buys = i8(0)
        sells = i8(0)
        for at in range(s.margin_counts[1]):
            if s.margin_orders[at, ORDER_ROW] == market:
                buys = s.margin_orders[at, BIDS]
                sells = s.margin_orders[at, ASKS]
        row = s.markets[market]
        value = notional(row["mark_ticks"], worst_lots(lots, buys, sells), row["quantum_e6"])
        opened = interest if market == key else i8(-1)
        own = position_maintenance(s, market, lots)
        now["options_initial"] -= entry_margin(s, market, value, opened)
        now["options_kept"] -= own
        now["options_close"] -= close_out(own, s.risk[market]["close_ppm"])


@helper
def entry_margin(s, key, value, interest):
    """Initial margin of a worth in a market, by its open interest and the index's confidence."""
    market = s.markets[key]
    entry = 2 * tier_maintenance(s, market["margin_schedule"], value)
    if not clears(s, key):
        return entry
    risk = s.risk[key]
    if risk["oi_upper_e6"]:
        if interest < 0:
            interest = market["open_interest_lots"]
        interest_e6 = open_interest_worth(interest, market["mark_ticks"], market["quantum_e6"])
        if interest_e6 > risk["oi_lower_e6"]:
            entry = oi_scaled_initial(
                entry, value, interest_e6, risk["oi_lower_e6"], risk["oi_upper_e6"]
            )
    if risk["confidence_ppm"]:
        confidence = s.feeds[risk["feed"]]["confidence_ppm"]
        if confidence < PPM:
            entry += confidence_addon(entry, confidence, risk["confidence_ppm"])
    return entry


@helper
def leg_worth(s, account, bucket, market, size, bids, asks, interest, options):
    """Leave in `own_initial` and `own_maintenance` what a leg requires, with all options of its
    bucket if it has any: what changes when the leg does.
    """
    now = s.now[0]
    row = s.markets[market]
    now["own_initial"] = 0
    now["own_maintenance"] = 0
    if row["kind"] != SERIES:
        lots = worst_lots(size, bids, asks)
        value = notional(row["mark_ticks"], lots, row["quantum_e6"])
        now["own_initial"] = entry_margin(s, market, value, interest)
        kept = size if clears(s, market) else lots
        now["own_maintenance"] = position_maintenance(s, market, kept)
    if options:
        options_net(s, account, bucket, market, size, bids, asks, interest)
        now["own_initial"] += now["options_initial"]
        now["own_maintenance"] += now["options_kept"]


@helper
def closing_fees(s, account, bucket):
    """What closing a bucket's positions at the mark may cost in fees, at the dearest rate."""
    total = i8(0)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        position = s.positions[cell]
        key = i8(position["key"])
        isolated = key if i8(position["flags"]) & POSITION_ISOLATED else i8(CROSS)
        if key >= ASSET_KEY or isolated != bucket:
            continue
        row = s.markets[key]
        value = notional(row["mark_ticks"], abs(position["size"]), row["quantum_e6"])
        tier = s.fee_tiers[row["fee_schedule"] * TIERS_PER_SCHEDULE]
        total += ppm_ceil(value, tier["taker_ppm"])
    return total


@helper
def standing_of(s):
    """State of the bucket whose worth stands in `now`; see the spec."""
    now = s.now[0]
    if not now["clears"]:
        return i8(BANKRUPT) if now["equity"] < 0 else i8(HEALTHY)
    return i8(health(now["equity"], now["margin"], now["maintenance"], now["close_out"]))


@helper
def keeps_count(s, account):
    """What an account must be worth for its triggers and groups: their tables are everybody's."""
    row = s.accounts[account]
    return (i8(row["triggers_count"]) + i8(row["groups_count"])) * TRIGGER_EQUITY_MIN_E6


@helper
def room_covered(s, account):
    """Whether an account is worth enough for one more trigger or group."""
    assess(s, account)
    return s.now[0]["equity"] >= keeps_count(s, account) + TRIGGER_EQUITY_MIN_E6


@helper
def assess(s, account):
    """Leave equity, initial margin and worth of the cross bucket in `now`; see the spec."""
    zero = i8(0)
    bucket_entry(s, account, i8(CROSS), zero, zero, zero, zero, i8(-1))


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
