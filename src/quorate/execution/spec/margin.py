"""Margin: what a bucket is worth and what it must keep; tiers, volumes and fee rates.

An account has one bucket for its cash and every position that is not isolated (number 0), and one
for each isolated position (its market's number). Cash is a quote balance: it falls by the notional
bought and rises by the notional sold, so that equity is cash plus every perpetual position at its
mark, exactly and without rounding, less the funding that positions have yet to pay. Open spot bids
hold cash; that cash is not equity. Spot balances are no collateral. Perpetuals require by tiers,
options by `options_margin`.
"""

from dataclasses import dataclass

from quorate.execution import entry_rules, risk_rules, rules
from quorate.execution.spec.funding import owed
from quorate.execution.spec.options_margin import Leg, legs_of, options_need
from quorate.execution.spec.positions import position_of
from quorate.execution.spec.rows import Account, MarginTierRow, Market
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import Mode, Standing
from quorate.types.codes import MarketKind
from quorate.types.limits import (
    TIERS_PER_SCHEDULE,
    TRIGGER_EQUITY_MIN_E6,
    VOLUME_MAX_E6,
    VOLUME_WINDOW_MS,
)
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED, Table

CROSS = 0  # bucket of the whole account


@dataclass(slots=True)
class Worth:
    """A bucket's equity, its three requirements, and the worth of its riskiest sides; 1e-6 quote.

    `clears`: whether it holds a position in a market with a clearing house.
    """

    equity: int = 0
    initial: int = 0
    maintenance: int = 0
    close_out: int = 0
    value: int = 0
    clears: bool = False


def margin_tier(t: Tables, schedule: int, value_e6: int) -> MarginTierRow:
    """Tier of a notional: the last one whose lower bound it reaches (FORMULAS 1)."""
    found: MarginTierRow = t.row(Table.MARGIN_TIERS, schedule * TIERS_PER_SCHEDULE)
    for k in range(1, TIERS_PER_SCHEDULE):
        tier = t.row(Table.MARGIN_TIERS, schedule * TIERS_PER_SCHEDULE + k)
        if not tier.used or tier.lower_e6 > value_e6:
            break
        found = tier
    return found


def tier_maintenance(t: Tables, market: Market, value_e6: int) -> int:
    """Maintenance margin of a worth in a market (FORMULAS 1)."""
    tier = margin_tier(t, market.margin_schedule, value_e6)
    return rules.maintenance(value_e6, tier.rate_ppm, tier.deduction_e6)


def position_maintenance(t: Tables, market_slot: int, size: int) -> int:
    """Maintenance margin of a position of `size` lots, of either sign, at the mark."""
    market = t.row(Table.MARKETS, market_slot)
    value = rules.notional(market.mark_ticks, abs(size), market.quantum_e6)
    return tier_maintenance(t, market, value)


# --- buckets -------------------------------------------------------------------------------------
def bucket_of(account: Account, market_slot: int) -> int:
    """Bucket in which the account trades a market: the market's own if isolated, else CROSS."""
    position = position_of(account, market_slot)
    return market_slot if position and position.flags & POSITION_ISOLATED else CROSS


def bucket_worth(
    t: Tables, account: Account, bucket: int = CROSS, changed: Leg | None = None
) -> Worth:
    """What a bucket is worth and must keep.

    changed: what an order or a trade would make of one of its markets. It tells requirements;
    equity stays that of the position as it is.
    """
    worth = Worth(equity=0 if bucket else account.cash_e6 - account.held_e6)
    for leg in legs_of(account, bucket, changed):
        require(t, worth, leg)
    for position in account.positions:
        isolated = position.key if position.flags & POSITION_ISOLATED else CROSS
        if position.key >= ASSET_KEY or isolated != bucket:
            continue
        market = t.row(Table.MARKETS, position.key)
        worth.equity += rules.notional(market.mark_ticks, position.size, market.quantum_e6)
        if bucket:
            worth.equity += position.isolated_e6
        worth.equity -= owed(t, position.key, position)
        if position.size and t.row(Table.RISK, position.key).mode != Mode.OFF:
            worth.clears = True
    options_require(t, worth, account, bucket, changed)
    return worth


def options_require(
    t: Tables, worth: Worth, account: Account, bucket: int, changed: Leg | None
) -> None:
    """Add what options require; perpetuals in their scan have no tiers beside it."""
    need = options_need(t, account, bucket, changed)
    worth.initial += need.initial
    worth.maintenance += need.maintenance
    worth.close_out += need.close_out
    for leg in need.scanned:
        tiers = Worth()
        require(t, tiers, leg)
        worth.initial -= tiers.initial
        worth.maintenance -= tiers.maintenance
        worth.close_out -= tiers.close_out


def leg_worth(t: Tables, account: Account, bucket: int, leg: Leg) -> Worth:
    """Requirements of a leg with all options of its bucket: what changes when the leg does."""
    worth = Worth()
    require(t, worth, leg)
    options_require(t, worth, account, bucket, leg)
    return worth


def require(t: Tables, worth: Worth, leg: Leg) -> None:
    """Add to a bucket's requirements those of a leg by its tiers; a series has none.

    In a market without a clearing house maintenance is half of the entry margin, and there is no
    close-out: nobody is liquidated in it.
    """
    market = t.row(Table.MARKETS, leg.market)
    lots = rules.worst_lots(leg.size, leg.bids, leg.asks)
    value = rules.notional(market.mark_ticks, lots, market.quantum_e6)
    worth.value += value
    if market.kind == MarketKind.SERIES:
        return
    worst = tier_maintenance(t, market, value)
    risk = t.row(Table.RISK, leg.market)
    if risk.mode == Mode.OFF:
        worth.initial += 2 * worst
        worth.maintenance += worst
        return
    initial = 2 * worst
    if risk.oi_upper_e6:
        interest = market.open_interest_lots if leg.interest_lots < 0 else leg.interest_lots
        interest_e6 = entry_rules.open_interest_worth(
            interest, market.mark_ticks, market.quantum_e6
        )
        initial = risk_rules.oi_scaled_initial(
            initial, value, interest_e6, risk.oi_lower_e6, risk.oi_upper_e6
        )
    if risk.confidence_ppm:
        confidence = t.row(Table.FEEDS, risk.feed).confidence_ppm
        initial += risk_rules.confidence_addon(initial, confidence, risk.confidence_ppm)
    kept = position_maintenance(t, leg.market, leg.size)
    worth.initial += initial
    worth.maintenance += kept
    worth.close_out += risk_rules.close_out(kept, risk.close_ppm)


def closing_fees(t: Tables, account: Account, bucket: int = CROSS) -> int:
    """What closing a bucket's positions at the mark may cost in fees, at the dearest rate."""
    total = 0
    for position in account.positions:
        isolated = position.key if position.flags & POSITION_ISOLATED else CROSS
        if position.key >= ASSET_KEY or isolated != bucket:
            continue
        market = t.row(Table.MARKETS, position.key)
        value = rules.notional(market.mark_ticks, abs(position.size), market.quantum_e6)
        tier = t.row(Table.FEE_TIERS, market.fee_schedule * TIERS_PER_SCHEDULE)
        total += rules.ppm_ceil(value, tier.taker_ppm)
    return total


def standing_of(worth: Worth) -> Standing:
    """State of a bucket; one without a position in a market with a clearing house is HEALTHY.

    Unless its equity is negative: that is BANKRUPT with or without positions.
    """
    if not worth.clears:
        return Standing.BANKRUPT if worth.equity < 0 else Standing.HEALTHY
    return Standing(
        risk_rules.health(worth.equity, worth.initial, worth.maintenance, worth.close_out)
    )


def assess(t: Tables, account: Account) -> tuple[int, int, int]:
    """Equity, initial margin and worth of the riskiest sides of the cross bucket."""
    worth = bucket_worth(t, account, CROSS)
    return worth.equity, worth.initial, worth.value


def keeps_count(account: Account) -> int:
    """What an account must be worth for its triggers and groups: their tables are everybody's."""
    return (account.triggers_count + account.groups_count) * TRIGGER_EQUITY_MIN_E6


def room_covered(t: Tables, account: Account) -> bool:
    """Whether an account is worth enough for one more trigger or group."""
    return assess(t, account)[0] >= keeps_count(account) + TRIGGER_EQUITY_MIN_E6


def volume_buckets(account: Account, time_ms: int) -> tuple[int, int]:
    """The account's volume in the window of `time_ms` and in the one before it."""
    window = time_ms // VOLUME_WINDOW_MS
    if account.volume_window == window:
        return account.volume_cur_e6, account.volume_prev_e6
    if account.volume_window + 1 == window:
        return 0, account.volume_cur_e6
    return 0, 0


def volume_add(account: Account, value_e6: int, time_ms: int) -> None:
    """Count a fill's worth towards the account's volume, saturating."""
    current, before = volume_buckets(account, time_ms)
    account.volume_cur_e6 = min(current + value_e6, VOLUME_MAX_E6)
    account.volume_prev_e6 = before
    account.volume_window = time_ms // VOLUME_WINDOW_MS


def fee_rates(t: Tables, account: Account, schedule: int, time_ms: int) -> tuple[int, int]:
    """Maker and taker rate in ppm by the account's volume of this window and the one before."""
    current, before = volume_buckets(account, time_ms)
    volume = current + before
    found = t.row(Table.FEE_TIERS, schedule * TIERS_PER_SCHEDULE)
    for k in range(1, TIERS_PER_SCHEDULE):
        tier = t.row(Table.FEE_TIERS, schedule * TIERS_PER_SCHEDULE + k)
        if not tier.used or tier.volume_min_e6 > volume:
            break
        found = tier
    return found.maker_ppm, found.taker_ppm
