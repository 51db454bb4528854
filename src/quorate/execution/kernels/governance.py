"""Commands of governance and oracle; the same functions as `spec.governance`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import (
    MODE_OFF,
    QUARANTINE,
    SWITCH_PHASE,
    SWITCHED,
    TRADING,
    auction_begin,
)
from quorate.execution.kernels.rows import (
    T_ASSETS,
    T_CHAIN,
    T_FEE_TIERS,
    T_MARGIN_TIERS,
    T_VALIDATORS,
    bytes_copy,
    bytes_equal,
    emit_words,
)
from quorate.execution.kernels.scalars import (
    tier_deduction,
    tier_rate_ppm,
)
from quorate.execution.kernels.series_state import series_ended
from quorate.types.clearing_codes import AuctionKind, Switch
from quorate.types.codes import MarketKind, MarketStatus, Reject
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

i8 = np.int64
R = Reject
OK = int(R.OK)
GOVERNANCE_KEY, ORACLE_KEY = int(R.GOVERNANCE_KEY_REQUIRED), int(R.ORACLE_KEY_REQUIRED)
MARKET_MUST_EXIST = int(R.MARKET_MUST_EXIST)
MARKET_LISTED = int(R.MARKET_ALREADY_LISTED)
PARAMETERS_RANGE = int(R.MARKET_PARAMETERS_OUT_OF_RANGE)
ASSET_MUST_EXIST, ASSET_KNOWN = int(R.ASSET_MUST_EXIST), int(R.ASSET_ALREADY_KNOWN)
SCHEDULE_MUST_EXIST = int(R.SCHEDULE_MUST_EXIST)
STATUS_UNKNOWN = int(R.STATUS_MUST_BE_KNOWN)
PRICE_RANGE = int(R.PRICE_MUST_BE_IN_RANGE)
FIELD_RANGE = int(R.FIELD_MUST_BE_IN_RANGE)
TIER_FOLLOW = int(R.TIER_MUST_FOLLOW_THE_LAST)
NEEDS_NOTICE, SWITCH_STATUS = int(R.CHANGE_NEEDS_NOTICE), int(Switch.STATUS)
KIND_GAP = int(AuctionKind.GAP)
TABLE_FULL = int(R.TABLE_FULL_SEND_LATER)
UPGRADE_NOTICE, UPGRADE_FOLLOW = int(R.UPGRADE_NEEDS_NOTICE), int(R.UPGRADE_VERSION_MUST_FOLLOW)
MARK_FOLLOWS = int(R.MARK_FOLLOWS_ITS_FEED)
SPOT, PERPETUAL = int(MarketKind.SPOT), int(MarketKind.PERPETUAL)
SERIES = int(MarketKind.SERIES)
SERIES_NOT_LIVE = int(R.SERIES_NOT_LIVE)
STATUS_OPEN, STATUS_HALTED = int(MarketStatus.OPEN), int(MarketStatus.HALTED)
TIERS = TIERS_PER_SCHEDULE


@helper
def governs(s, signer):
    """Whether the governance account's own key signed."""
    return s.now[0]["session"] == 0 and bytes_equal(signer, s.parameters[0]["governance"])


@helper
def list_market(s, signer, head, more):
    """List a market under the next free number; it opens at once, a series with SET_SERIES."""
    s.now[0]["receipt_market"] = i8(head["market"])
    if not governs(s, signer):
        return GOVERNANCE_KEY
    slot = i8(head["market"])
    if slot != s.ledger[0]["markets_high"] or slot >= MARKETS_MAX:
        return MARKET_LISTED
    if not market_sound(head, more):
        return PARAMETERS_RANGE
    kind = i8(head["side"])
    base = i8(more["base_asset"])
    if kind == SPOT and (base <= 0 or base >= s.ledger[0]["assets_high"]):
        return ASSET_MUST_EXIST
    if not schedules_exist(s, kind, more):
        return SCHEDULE_MUST_EXIST
    s.ledger[0]["markets_high"] = slot + 1
    row = s.markets[slot]
    row["kind"] = kind
    row["status"] = STATUS_HALTED if kind == SERIES else STATUS_OPEN
    row["tick_step"] = head["price"]
    row["lot_step"] = head["size"]
    row["quantum_e6"] = head["expiry_ms"]
    row["price_max_ticks"] = head["order_id"]
    row["size_max_lots"] = head["cloid_hi"]
    row["position_max_lots"] = head["cloid_lo"]
    row["base_asset"] = base
    row["lot_units"] = more["lot_units"]
    row["margin_schedule"] = i8(more["margin_schedule"])
    row["fee_schedule"] = i8(more["fee_schedule"])
    row["slippage_max_ppm"] = more["slippage_max_ppm"]
    row["mark_ticks"] = head["aux"]
    row["mark_ms"] = s.now[0]["time_ms"] if head["aux"] else i8(0)
    bytes_copy(row["name"], more["name"])
    s.markets_dirty[slot] = 1
    return OK


@helper
def market_sound(head, more):
    """Whether no order, position or balance of the market can pass a limit."""
    tick, lot, quantum = head["price"], head["size"], head["expiry_ms"]
    price_max, size_max, position_max = head["order_id"], head["cloid_hi"], head["cloid_lo"]
    if tick <= 0 or tick > price_max or price_max > PRICE_TICKS_MAX:
        return False
    if lot <= 0 or lot > size_max or size_max > SIZE_LOTS_MAX:
        return False
    if head["aux"] > price_max or more["slippage_max_ppm"] > SLIPPAGE_MAX_PPM:
        return False
    if quantum <= 0 or quantum > QUANTUM_E6_MAX:
        return False
    if size_max > ORDER_NOTIONAL_MAX_E6 // quantum // price_max:
        return False
    kind = i8(head["side"])
    units = more["lot_units"]
    if kind == SERIES and head["aux"] != 0:
        return False
    if kind in (PERPETUAL, SERIES):
        most = POSITION_NOTIONAL_MAX_E6 // quantum // price_max
        if position_max > most or position_max > PERPETUAL_LOTS_MAX or position_max < size_max:
            return False
        return i8(more["base_asset"]) == 0 and units == 0
    if kind != SPOT or position_max != 0 or units <= 0:
        return False
    return size_max <= SUPPLY_MAX // units


@helper
def schedules_exist(s, kind, more):
    """Whether the fee schedule, and a perpetual's margin schedule, have a first tier."""
    fees = i8(more["fee_schedule"])
    margins = i8(more["margin_schedule"])
    if fees >= SCHEDULES_MAX or margins >= SCHEDULES_MAX:
        return False
    if not s.fee_tiers[fees * TIERS]["used"]:
        return False
    if kind == SPOT:
        return margins == 0
    return s.margin_tiers[margins * TIERS]["used"] != 0


@helper
def set_status(s, signer, slot, status):
    """Open, restrict or halt a market; a series that does not live stays halted."""
    s.now[0]["receipt_market"] = slot
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if slot <= 0 or slot >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    if status < STATUS_OPEN or status > STATUS_HALTED:
        return STATUS_UNKNOWN
    if series_ended(s, slot) and status != STATUS_HALTED:
        return SERIES_NOT_LIVE
    before = i8(s.markets[slot]["status"])
    s.markets[slot]["status"] = status
    s.markets_dirty[slot] = 1
    risk = s.risk[slot]
    if risk["mode"] == MODE_OFF:
        return OK
    zero = i8(0)
    emit_words(
        s, SWITCHED, zero, SWITCH_STATUS, zero, slot, zero, zero,
        status, before, zero, zero, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
    if risk["phase"] == QUARANTINE and status == STATUS_OPEN:
        quarantine_lift(s, slot)
    return OK


@helper
def quarantine_lift(s, slot):
    """Let a quarantined market trade again, through an auction that ends with this block."""
    s.risk[slot]["phase"] = TRADING
    s.risk_dirty[slot] = 1
    zero = i8(0)
    emit_words(
        s, SWITCHED, zero, SWITCH_PHASE, zero, slot, zero, zero,
        TRADING, QUARANTINE, zero, zero, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
    auction_begin(s, slot, KIND_GAP, s.now[0]["time_ms"], zero)


@helper
def interest_open(s, schedule):
    """Whether a market with a clearing house has positions; of one margin schedule, or -1: any."""
    for slot in range(1, s.ledger[0]["risk_high"]):
        market = s.markets[slot]
        if s.risk[slot]["mode"] == MODE_OFF or market["open_interest_lots"] == 0:
            continue
        if schedule == -1 or i8(market["margin_schedule"]) == schedule:
            return True
    return False


@helper
def set_mark(s, signer, slot, mark):
    """Oracle: the mark price of a market, by which positions are valued from here on."""
    s.now[0]["receipt_market"] = slot
    s.now[0]["receipt_price"] = mark
    if s.now[0]["session"] or not bytes_equal(signer, s.parameters[0]["oracle"]):
        return ORACLE_KEY
    if slot <= 0 or slot >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    if s.risk[slot]["mode"] or s.markets[slot]["kind"] == SERIES:
        return MARK_FOLLOWS
    if mark <= 0 or mark > s.markets[slot]["price_max_ticks"]:
        return PRICE_RANGE
    s.markets[slot]["mark_ticks"] = mark
    s.markets[slot]["mark_ms"] = s.now[0]["time_ms"]
    s.markets_dirty[slot] = 1
    return OK


@helper
def set_fee_tier(s, signer, at, volume_min, maker, taker):
    """Tiers rise in volume without gaps and fall in rate; no pair of maker and taker costs us."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if at < 0 or at >= SCHEDULES_MAX * TIERS:
        return TIER_FOLLOW
    tier = at % TIERS
    if taker < 0 or taker > RATE_MAX_PPM or maker < -RATE_MAX_PPM or maker > taker:
        return FIELD_RANGE
    if tier == 0 and volume_min != 0:
        return TIER_FOLLOW
    for k in range(TIERS):
        other = s.fee_tiers[at - tier + k]
        used = other["used"] != 0
        lower = other["volume_min_e6"] < volume_min and other["taker_ppm"] >= taker
        upper = other["volume_min_e6"] > volume_min and other["taker_ppm"] <= taker
        if k < tier and not (used and lower):
            return TIER_FOLLOW
        if k > tier and used and not upper:
            return TIER_FOLLOW
        if k != tier and used:
            if other["maker_ppm"] + taker < 0 or maker + other["taker_ppm"] < 0:
                return FIELD_RANGE
    if maker + taker < 0:
        return FIELD_RANGE
    row = s.fee_tiers[at]
    row["volume_min_e6"] = volume_min
    row["maker_ppm"] = maker
    row["taker_ppm"] = taker
    row["used"] = 1
    s.small_dirty[T_FEE_TIERS] = 1
    return OK


@helper
def set_margin_tier(s, signer, at, lower, leverage_max):
    """Rate and deduction follow from the tier before (FORMULAS 1), so only the last may change."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if interest_open(s, at // TIERS):
        return NEEDS_NOTICE
    if at < 0 or at >= SCHEDULES_MAX * TIERS:
        return TIER_FOLLOW
    tier = at % TIERS
    if leverage_max <= 0 or leverage_max > LEVERAGE_MAX:
        return FIELD_RANGE
    if tier + 1 < TIERS and s.margin_tiers[at + 1]["used"]:
        return TIER_FOLLOW
    rate = tier_rate_ppm(leverage_max)
    deduction = i8(0)
    if tier == 0:
        if lower != 0:
            return TIER_FOLLOW
    else:
        before = s.margin_tiers[at - 1]
        if not before["used"] or lower <= before["lower_e6"] or lower > POSITION_NOTIONAL_MAX_E6:
            return TIER_FOLLOW
        if rate < before["rate_ppm"]:
            return TIER_FOLLOW
        deduction = tier_deduction(before["deduction_e6"], lower, rate, before["rate_ppm"])
    row = s.margin_tiers[at]
    row["lower_e6"] = lower
    row["rate_ppm"] = rate
    row["deduction_e6"] = deduction
    row["used"] = 1
    s.small_dirty[T_MARGIN_TIERS] = 1
    return OK


@helper
def add_asset(s, signer, slot, decimals, hi, lo):
    """Add an asset under the next free number; its name are the bytes of two int64."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if slot != s.ledger[0]["assets_high"] or slot >= ASSETS_MAX:
        return ASSET_KNOWN
    if decimals < 0 or decimals > 18:
        return FIELD_RANGE
    s.ledger[0]["assets_high"] = slot + 1
    row = s.assets[slot]
    row["decimals"] = decimals
    for j in range(8):
        row["name"][j] = (hi >> (8 * j)) & 255
        row["name"][8 + j] = (lo >> (8 * j)) & 255
    s.small_dirty[T_ASSETS] = 1
    return OK


@helper
def upgrade(s, signer, version, height):
    """Announce the next version of the rules and the height from which it holds."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if version != s.chain[0]["protocol_version"] + 1:
        return UPGRADE_FOLLOW
    if height < s.now[0]["height"] + UPGRADE_NOTICE_BLOCKS_MIN:
        return UPGRADE_NOTICE
    s.chain[0]["version_next"] = version
    s.chain[0]["version_next_height"] = height
    s.small_dirty[T_CHAIN] = 1
    return OK


# --- the register of validators ------------------------------------------------------------------
@helper
def validator_is(row, command):
    """Whether a row is that of the command's key."""
    if i8(row["key_type"]) != i8(command["key_type"]):
        return False
    size = row["key"].shape[0]
    j = 0
    while j < size and i8(row["key"][j]) == i8(command["key"][j]):
        j += 1
    return j == size


@helper
def validator_key_any(command):
    """Whether a key has a byte that is not zero."""
    found = i8(0)
    for j in range(command["key"].shape[0]):
        found |= i8(command["key"][j])
    return found != 0


@helper
def validator_slot(s, command):
    """Row of a key: its own, else that of the first settled removal, else the first unused one."""
    settled = s.now[0]["height"] - VALIDATOR_ROW_KEPT_BLOCKS
    free = i8(VALIDATOR_ROWS_MAX)
    for slot in range(VALIDATOR_ROWS_MAX):
        row = s.validators[slot]
        if i8(row["key_type"]) == 0:
            return min(free, i8(slot))
        if validator_is(row, command):
            return i8(slot)
        if row["power"] == 0 and row["changed_height"] <= settled:
            free = min(free, i8(slot))
    return free


@helper
def set_validator(s, signer, command):
    """Write a validator's power into the register; 0 asks that it be removed."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    power = command["power"]
    if power < 0 or power > VALIDATOR_POWER_MAX or not validator_key_any(command):
        return FIELD_RANGE
    slot = validator_slot(s, command)
    if slot == VALIDATOR_ROWS_MAX:
        return TABLE_FULL
    height = s.now[0]["height"]
    row = s.validators[slot]
    if not validator_is(row, command):
        bytes_copy(row["key"], command["key"])
        row["key_type"] = command["key_type"]
        row["power_before"] = 0
        row["height_before"] = 0
    elif row["power"] == power:
        return OK
    elif row["changed_height"] != height:
        row["power_before"] = row["power"]
        row["height_before"] = row["changed_height"]
    row["power"] = power
    row["changed_height"] = height
    s.small_dirty[T_VALIDATORS] = 1
    return OK
