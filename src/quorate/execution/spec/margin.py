"""Cross margin: what an account is worth, what it must keep, and what an order would add.

Cash is a quote balance: it falls by the notional bought and rises by the notional sold, so that
equity is cash plus every perpetual position at its mark, exactly and without rounding. Open spot
bids hold cash; that cash is not equity. Spot balances are no collateral yet. (The full risk engine,
with isolated margin and liquidation, comes later and takes the place of this module.)
"""

from quorate.execution import rules
from quorate.execution.spec.rows import Account, MarginTierRow, Market
from quorate.execution.spec.tables import Tables
from quorate.types.limits import TIERS_PER_SCHEDULE, VOLUME_MAX_E6, VOLUME_WINDOW_MS
from quorate.types.records import ASSET_KEY, Table


def margin_tier(t: Tables, schedule: int, value_e6: int) -> MarginTierRow:
    """Tier of a notional: the last one whose lower bound it reaches (FORMULAS 1)."""
    found: MarginTierRow = t.row(Table.MARGIN_TIERS, schedule * TIERS_PER_SCHEDULE)
    for k in range(1, TIERS_PER_SCHEDULE):
        tier = t.row(Table.MARGIN_TIERS, schedule * TIERS_PER_SCHEDULE + k)
        if not tier.used or tier.lower_e6 > value_e6:
            break
        found = tier
    return found


def initial_margin(t: Tables, market: Market, lots: int) -> tuple[int, int]:
    """Initial margin and worth, in 1e-6 quote, of `lots` at the mark."""
    value = rules.notional(market.mark_ticks, lots, market.quantum_e6)
    tier = margin_tier(t, market.margin_schedule, value)
    return rules.initial(value, tier.rate_ppm, tier.deduction_e6), value


def assess(
    t: Tables, account: Account, key: int = 0, worst_lots: int = -1
) -> tuple[int, int, int]:
    """Equity, initial margin and worth of the riskiest sides, each in 1e-6 quote.

    With `key`, that market's riskiest side is taken to be `worst_lots`, as an order would make it.
    """
    equity = account.cash_e6 - account.held_e6
    margin = 0
    value = 0
    for position in account.positions:
        if position.key >= ASSET_KEY:
            continue
        market = t.row(Table.MARKETS, position.key)
        equity += rules.notional(market.mark_ticks, position.size, market.quantum_e6)
        lots = rules.worst_lots(position.size, position.bids, position.asks)
        if position.key == key:
            lots = worst_lots
            key = 0
        margin_one, value_one = initial_margin(t, market, lots)
        margin += margin_one
        value += value_one
    if key:
        margin_one, value_one = initial_margin(t, t.row(Table.MARKETS, key), worst_lots)
        margin += margin_one
        value += value_one
    return equity, margin, value


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
