"""Commands of governance and oracle: markets, tiers, assets, marks, upgrades, validators."""

from quorate.execution import rules
from quorate.execution.spec.auctions import auction_begin
from quorate.execution.spec.context import Context
from quorate.execution.spec.rows import Asset, FeeTierRow, MarginTierRow, Market, Validator
from quorate.execution.spec.series_state import series_ended
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import AuctionKind, Mode, Phase, Switch
from quorate.types.codes import EventKind, MarketKind, MarketStatus, Reject
from quorate.types.limits import (
    ASSETS_MAX,
    LEVERAGE_MAX,
    MARKETS_MAX,
    ORDER_NOTIONAL_MAX_E6,
    PERPETUAL_LOTS_MAX,
    POSITION_NOTIONAL_MAX_E6,
    PRICE_TICKS_MAX,
    QUANTUM_E6_MAX,
    RATE_MAX_PPM,
    SCHEDULES_MAX,
    SIZE_LOTS_MAX,
    SLIPPAGE_MAX_PPM,
    SUPPLY_MAX,
    TIERS_PER_SCHEDULE,
    UPGRADE_NOTICE_BLOCKS_MIN,
    VALIDATOR_POWER_MAX,
    VALIDATOR_ROW_KEPT_BLOCKS,
    VALIDATOR_ROWS_MAX,
)
from quorate.types.records import Table


def governs(c: Context) -> bool:
    """Whether the governance account's own key signed."""
    return not c.session and c.signer == c.t.row(Table.PARAMETERS, 0).governance


def list_market(c: Context, slot: int, market: Market) -> Reject:
    """List a market under the next free number; it opens at once, a series with SET_SERIES."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    return market_list(c.t, slot, market, c.time_ms)


def market_list(t: Tables, slot: int, market: Market, time_ms: int) -> Reject:
    """Admit a market's parameters and write its row."""
    ledger = t.row(Table.LEDGER, 0)
    if slot != ledger.markets_high or slot >= MARKETS_MAX:
        return Reject.MARKET_ALREADY_LISTED
    if not market_sound(market):
        return Reject.MARKET_PARAMETERS_OUT_OF_RANGE
    if market.kind == MarketKind.SPOT and not 0 < market.base_asset < ledger.assets_high:
        return Reject.ASSET_MUST_EXIST
    if not schedules_exist(t, market):
        return Reject.SCHEDULE_MUST_EXIST
    ledger.markets_high += 1
    t.put(Table.LEDGER, 0, ledger)
    market.status = MarketStatus.OPEN
    if market.kind == MarketKind.SERIES:
        market.status = MarketStatus.HALTED
    market.mark_ms = time_ms if market.mark_ticks else 0
    t.put(Table.MARKETS, slot, market)
    return Reject.OK


def market_sound(m: Market) -> bool:
    """Whether no order, position or balance of the market can pass a limit.

    The bounds are checked by division, so that the check itself cannot overflow.
    """
    if not (0 < m.tick_step <= m.price_max_ticks <= PRICE_TICKS_MAX):
        return False
    if not (0 < m.lot_step <= m.size_max_lots <= SIZE_LOTS_MAX):
        return False
    if m.mark_ticks > m.price_max_ticks or m.slippage_max_ppm > SLIPPAGE_MAX_PPM:
        return False
    if not (0 < m.quantum_e6 <= QUANTUM_E6_MAX):
        return False
    if m.size_max_lots > ORDER_NOTIONAL_MAX_E6 // m.quantum_e6 // m.price_max_ticks:
        return False
    if m.kind == MarketKind.SERIES and m.mark_ticks:
        return False
    if m.kind in (MarketKind.PERPETUAL, MarketKind.SERIES):
        most = POSITION_NOTIONAL_MAX_E6 // m.quantum_e6 // m.price_max_ticks
        most = min(most, PERPETUAL_LOTS_MAX)
        return m.size_max_lots <= m.position_max_lots <= most and not (m.base_asset or m.lot_units)
    if m.kind != MarketKind.SPOT or m.position_max_lots or m.lot_units <= 0:
        return False
    return m.size_max_lots <= SUPPLY_MAX // m.lot_units


def schedules_exist(t: Tables, market: Market) -> bool:
    """Whether the market's fee schedule, and a perpetual's margin schedule, have a first tier."""
    if market.fee_schedule >= SCHEDULES_MAX or market.margin_schedule >= SCHEDULES_MAX:
        return False
    if not t.row(Table.FEE_TIERS, market.fee_schedule * TIERS_PER_SCHEDULE).used:
        return False
    if market.kind == MarketKind.SPOT:
        return market.margin_schedule == 0
    return bool(t.row(Table.MARGIN_TIERS, market.margin_schedule * TIERS_PER_SCHEDULE).used)


def set_status(c: Context, slot: int, status: int) -> Reject:
    """Open, restrict or halt a market; a series that does not live stays halted."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    if not 0 < slot < c.t.row(Table.LEDGER, 0).markets_high:
        return Reject.MARKET_MUST_EXIST
    if not MarketStatus.OPEN <= status <= MarketStatus.HALTED:
        return Reject.STATUS_MUST_BE_KNOWN
    if series_ended(c.t, slot) and status != MarketStatus.HALTED:
        return Reject.SERIES_NOT_LIVE
    market = c.t.row(Table.MARKETS, slot)
    before, market.status = market.status, status
    c.t.put(Table.MARKETS, slot, market)
    risk = c.t.row(Table.RISK, slot)
    if risk.mode == Mode.OFF:
        return Reject.OK
    c.emit_words(EventKind.SWITCHED, status, before, code=Switch.STATUS, market=slot)
    if risk.phase == Phase.QUARANTINE and status == MarketStatus.OPEN:
        quarantine_lift(c, slot)
    return Reject.OK


def quarantine_lift(c: Context, slot: int) -> None:
    """Let a quarantined market trade again, through an auction that ends with this block."""
    risk = c.t.row(Table.RISK, slot)
    risk.phase = Phase.TRADING
    c.t.put(Table.RISK, slot, risk)
    c.emit_words(
        EventKind.SWITCHED, Phase.TRADING, Phase.QUARANTINE, code=Switch.PHASE, market=slot
    )
    auction_begin(c, slot, AuctionKind.GAP, c.time_ms, 0)


def interest_open(t: Tables, schedule: int) -> bool:
    """Whether a market with a clearing house has positions; of one margin schedule, or -1: any."""
    for slot in range(1, t.row(Table.LEDGER, 0).risk_high):
        market = t.row(Table.MARKETS, slot)
        if t.row(Table.RISK, slot).mode == Mode.OFF or not market.open_interest_lots:
            continue
        if schedule in (-1, market.margin_schedule):
            return True
    return False


def set_mark(c: Context, slot: int, mark_ticks: int) -> Reject:
    """Oracle: the mark price of a market, by which positions are valued from here on."""
    if c.session or c.signer != c.t.row(Table.PARAMETERS, 0).oracle:
        return Reject.ORACLE_KEY_REQUIRED
    if not 0 < slot < c.t.row(Table.LEDGER, 0).markets_high:
        return Reject.MARKET_MUST_EXIST
    market = c.t.row(Table.MARKETS, slot)
    if c.t.row(Table.RISK, slot).mode != Mode.OFF or market.kind == MarketKind.SERIES:
        return Reject.MARK_FOLLOWS_ITS_FEED
    if not 0 < mark_ticks <= market.price_max_ticks:
        return Reject.PRICE_MUST_BE_IN_RANGE
    market.mark_ticks, market.mark_ms = mark_ticks, c.time_ms
    c.t.put(Table.MARKETS, slot, market)
    return Reject.OK


def set_fee_tier(c: Context, at: int, volume_min_e6: int, maker: int, taker: int) -> Reject:
    """Define or redefine one tier of a fee schedule; `at` = schedule * 8 + tier."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    return fee_tier_put(c.t, at, volume_min_e6, maker, taker)


def fee_tier_put(t: Tables, at: int, volume_min_e6: int, maker: int, taker: int) -> Reject:
    """Tiers rise in volume without gaps and fall in rate; no pair of maker and taker costs us."""
    if not 0 <= at < SCHEDULES_MAX * TIERS_PER_SCHEDULE:
        return Reject.TIER_MUST_FOLLOW_THE_LAST
    tier = at % TIERS_PER_SCHEDULE
    if not 0 <= taker <= RATE_MAX_PPM or not -RATE_MAX_PPM <= maker <= taker:
        return Reject.FIELD_MUST_BE_IN_RANGE
    if tier == 0 and volume_min_e6 != 0:
        return Reject.TIER_MUST_FOLLOW_THE_LAST
    first = at - tier
    for k in range(TIERS_PER_SCHEDULE):
        other = t.row(Table.FEE_TIERS, first + k)
        if k < tier and not (
            other.used and other.volume_min_e6 < volume_min_e6 and other.taker_ppm >= taker
        ):
            return Reject.TIER_MUST_FOLLOW_THE_LAST
        if k > tier and other.used and not (
            other.volume_min_e6 > volume_min_e6 and other.taker_ppm <= taker
        ):
            return Reject.TIER_MUST_FOLLOW_THE_LAST
        if k != tier and other.used and (
            other.maker_ppm + taker < 0 or maker + other.taker_ppm < 0
        ):
            return Reject.FIELD_MUST_BE_IN_RANGE
    if maker + taker < 0:
        return Reject.FIELD_MUST_BE_IN_RANGE
    t.put(Table.FEE_TIERS, at, FeeTierRow(volume_min_e6, maker, taker, 1))
    return Reject.OK


def set_margin_tier(c: Context, at: int, lower_e6: int, leverage_max: int) -> Reject:
    """Append a tier to a margin schedule, or redefine its last; `at` = schedule * 8 + tier."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    if interest_open(c.t, at // TIERS_PER_SCHEDULE):
        return Reject.CHANGE_NEEDS_NOTICE
    return margin_tier_put(c.t, at, lower_e6, leverage_max)


def margin_tier_put(t: Tables, at: int, lower_e6: int, leverage_max: int) -> Reject:
    """Rate and deduction follow from the tier before (FORMULAS 1), so only the last may change."""
    if not 0 <= at < SCHEDULES_MAX * TIERS_PER_SCHEDULE:
        return Reject.TIER_MUST_FOLLOW_THE_LAST
    tier = at % TIERS_PER_SCHEDULE
    if not 0 < leverage_max <= LEVERAGE_MAX:
        return Reject.FIELD_MUST_BE_IN_RANGE
    if tier + 1 < TIERS_PER_SCHEDULE and t.row(Table.MARGIN_TIERS, at + 1).used:
        return Reject.TIER_MUST_FOLLOW_THE_LAST
    rate = rules.tier_rate_ppm(leverage_max)
    deduction = 0
    if tier == 0:
        if lower_e6 != 0:
            return Reject.TIER_MUST_FOLLOW_THE_LAST
    else:
        before = t.row(Table.MARGIN_TIERS, at - 1)
        if not before.used or not before.lower_e6 < lower_e6 <= POSITION_NOTIONAL_MAX_E6:
            return Reject.TIER_MUST_FOLLOW_THE_LAST
        if rate < before.rate_ppm:
            return Reject.TIER_MUST_FOLLOW_THE_LAST
        deduction = rules.tier_deduction(before.deduction_e6, lower_e6, rate, before.rate_ppm)
    t.put(Table.MARGIN_TIERS, at, MarginTierRow(lower_e6, rate, deduction, 1))
    return Reject.OK


def add_asset(c: Context, slot: int, decimals: int, name: bytes) -> Reject:
    """Add an asset under the next free number."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    return asset_add(c.t, slot, decimals, name)


def asset_add(t: Tables, slot: int, decimals: int, name: bytes) -> Reject:
    """Write an asset's row."""
    ledger = t.row(Table.LEDGER, 0)
    if slot != ledger.assets_high or slot >= ASSETS_MAX:
        return Reject.ASSET_ALREADY_KNOWN
    if not 0 <= decimals <= 18:
        return Reject.FIELD_MUST_BE_IN_RANGE
    ledger.assets_high += 1
    t.put(Table.LEDGER, 0, ledger)
    t.put(Table.ASSETS, slot, Asset(decimals=decimals, name=name))
    return Reject.OK


def upgrade(c: Context, version: int, height: int) -> Reject:
    """Announce the next version of the rules and the height from which it holds."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    chain = c.t.row(Table.CHAIN, 0)
    if version != chain.protocol_version + 1:
        return Reject.UPGRADE_VERSION_MUST_FOLLOW
    if height < c.height + UPGRADE_NOTICE_BLOCKS_MIN:
        return Reject.UPGRADE_NEEDS_NOTICE
    chain.version_next, chain.version_next_height = version, height
    c.t.put(Table.CHAIN, 0, chain)
    return Reject.OK


# --- the register of validators ------------------------------------------------------------------
def set_validator(c: Context, key_type: int, key: bytes, power: int) -> Reject:
    """Write a validator's power into the register; 0 asks that it be removed.

    The register holds what governance has said. Whoever was a validator from genesis on may be
    missing in it, so that a removal is recorded whether or not the key stands there.
    """
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    if not 0 <= power <= VALIDATOR_POWER_MAX or not any(key):
        return Reject.FIELD_MUST_BE_IN_RANGE
    slot = validator_slot(c.t, key_type, key, c.height)
    if slot == VALIDATOR_ROWS_MAX:
        return Reject.TABLE_FULL_SEND_LATER
    row = c.t.row(Table.VALIDATORS, slot)
    if (row.key_type, row.key) != (key_type, key):
        row = Validator(key=key, key_type=key_type)
    elif row.power == power:
        return Reject.OK
    elif row.changed_height != c.height:
        row.power_before, row.height_before = row.power, row.changed_height
    row.power, row.changed_height = power, c.height
    c.t.put(Table.VALIDATORS, slot, row)
    return Reject.OK


def validator_slot(t: Tables, key_type: int, key: bytes, height: int) -> int:
    """Row of a key: its own, else that of the first settled removal, else the first unused one.

    Rows are dense from 0 on, so that the first without a key type ends them. A removal younger
    than VALIDATOR_ROW_KEPT_BLOCKS is kept: an engine has yet to tell of it.
    """
    free = VALIDATOR_ROWS_MAX
    for slot in range(VALIDATOR_ROWS_MAX):
        row = t.row(Table.VALIDATORS, slot)
        if (row.key_type, row.key) == (key_type, key):
            return slot
        settled = not row.power and row.changed_height <= height - VALIDATOR_ROW_KEPT_BLOCKS
        if free == VALIDATOR_ROWS_MAX and (settled or not row.key_type):
            free = slot
        if not row.key_type:
            break
    return free
