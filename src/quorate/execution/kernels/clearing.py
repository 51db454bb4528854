"""What a clearing house is made of; the same functions as `spec.clearing`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.rows import (
    T_FEEDS,
    T_PARAMETERS,
    T_VOTERS,
    bytes_any,
    bytes_copy,
    bytes_equal,
)
from quorate.execution.kernels.scalars import funding_shift
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.codes import MarketKind, Reject
from quorate.types.limits import (
    BAND_MAX_PPM,
    BANDS_PER_MARKET,
    FEEDS_MAX,
    GLOBAL_BOUNDS,
    PPM,
    PRICE_TICKS_MAX,
    RISK_BOUNDS,
    TIME_MS_MAX,
    VOTER_WEIGHT_MAX,
    VOTERS_MAX,
)

i8 = np.int64
R = Reject
OK, MARKET_MUST_EXIST = int(R.OK), int(R.MARKET_MUST_EXIST)
NO_CLEARING, OUT_OF_RANGE = int(R.MARKET_HAS_NO_CLEARING), int(R.PARAMETER_OUT_OF_RANGE)
FEED_MUST_EXIST, PRICE_RANGE = int(R.FEED_MUST_EXIST), int(R.PRICE_MUST_BE_IN_RANGE)
TABLE_FULL = int(R.TABLE_FULL_SEND_LATER)
SPOT, SERIES_SET = int(MarketKind.SPOT), int(R.SERIES_ALREADY_SET)
# Numba freezes these into the machine code, and the code's cache is keyed by all sources.
BOUNDS_OF_RISK = np.array(RISK_BOUNDS, np.int64)
BOUNDS_OF_GLOBALS = np.array(GLOBAL_BOUNDS, np.int64)
RISKS, GLOBALS_COUNT = len(RISK_PARAMETERS), len(GLOBALS)
P_MODE, P_FEED = RISK_PARAMETERS.index("mode"), RISK_PARAMETERS.index("feed")


@helper
def feed_add(s, slot, price_ticks, hi, lo):
    """Add a price feed under the next free number, and room for everybody's votes on it.

    Its name are the bytes of two int64.
    """
    ledger = s.ledger[0]
    if slot != ledger["feeds_high"] or slot >= FEEDS_MAX:
        return FEED_MUST_EXIST
    if price_ticks < 0 or price_ticks > PRICE_TICKS_MAX:
        return PRICE_RANGE
    ledger["feeds_high"] = slot + 1
    ledger["votes_high"] = (slot + 1) * VOTERS_MAX
    for vote in range(slot * VOTERS_MAX, (slot + 1) * VOTERS_MAX):
        s.votes_dirty[vote] = 1
    row = s.feeds[slot]
    for j in range(8):
        row["name"][j] = (hi >> (8 * j)) & 255
        row["name"][8 + j] = (lo >> (8 * j)) & 255
    row["price_ticks"] = price_ticks
    s.small_dirty[T_FEEDS] = 1
    return OK


@helper
def voter_put(s, address, weight):
    """Give an address a vote on prices, change its weight, or (0) take it away."""
    if not bytes_any(address) or weight < 0 or weight > VOTER_WEIGHT_MAX:
        return OUT_OF_RANGE
    ledger = s.ledger[0]
    slot = i8(0)
    while slot < ledger["voters_high"] and not bytes_equal(s.voters[slot]["address"], address):
        slot += 1
    if slot == VOTERS_MAX:
        return TABLE_FULL
    if slot == ledger["voters_high"]:
        ledger["voters_high"] = slot + 1
        bytes_copy(s.voters[slot]["address"], address)
    s.voters[slot]["weight"] = weight
    s.small_dirty[T_VOTERS] = 1
    return OK


# --- a market's risk -----------------------------------------------------------------------------
@helper
def risk_code(s, market, parameter, value):
    """Whether a market's risk parameter, by its number, may have a value."""
    if market <= 0 or market >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    if s.markets[market]["kind"] == SPOT:
        return NO_CLEARING
    if parameter < 0 or parameter >= RISKS:
        return OUT_OF_RANGE
    if value < BOUNDS_OF_RISK[parameter, 0] or value > BOUNDS_OF_RISK[parameter, 1]:
        return OUT_OF_RANGE
    if parameter == P_FEED and value >= s.ledger[0]["feeds_high"]:
        return FEED_MUST_EXIST
    if parameter == P_FEED and s.series[market]["state"] != 0:
        return SERIES_SET
    return OK


@helper
def risk_whole(s, market):
    """Whether all parameters but the mode are such as they may be: a new row is of zeros."""
    row = s.risk[market]
    for parameter in range(RISKS):
        if parameter != P_MODE:
            value = risk_value(row, parameter)
            if value < BOUNDS_OF_RISK[parameter, 0] or value > BOUNDS_OF_RISK[parameter, 1]:
                return False
    return row["feed"] < s.ledger[0]["feeds_high"]


@helper
def risk_put(s, market, parameter, value):
    """Write a parameter that `risk_code` admitted; return the value that it replaces."""
    ledger = s.ledger[0]
    for slot in range(ledger["risk_high"], market + 1):
        s.risk_dirty[slot] = 1
    if ledger["risk_high"] <= market:
        ledger["risk_high"] = market + 1
    row = s.risk[market]
    before = risk_value(row, parameter)
    risk_write(row, parameter, value)
    rules = s.markets[market]
    row["funding_shift"] = funding_shift(rules["price_max_ticks"], rules["quantum_e6"])
    s.risk_dirty[market] = 1
    return before


@helper
def band_code(s, market, band, tau_ms, up_ppm, down_ppm, auction_ms):
    """Whether a market may have that price band."""
    if market <= 0 or market >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    if s.risk[market]["mode"] == 0:
        return NO_CLEARING
    if band < 0 or band >= BANDS_PER_MARKET:
        return OUT_OF_RANGE
    if auction_ms == 0:
        return OK
    if up_ppm <= 0 or up_ppm > BAND_MAX_PPM or down_ppm <= 0 or down_ppm >= PPM:
        return OUT_OF_RANGE
    longest = TIME_MS_MAX // 4
    if tau_ms <= 0 or tau_ms > longest or auction_ms < 0 or auction_ms > longest:
        return OUT_OF_RANGE
    return OK


@helper
def band_put(s, market, band, tau_ms, up_ppm, down_ppm, auction_ms):
    """Write a band that `band_code` admitted, all but its samples. No auction: no band."""
    ledger = s.ledger[0]
    wanted = (market + 1) * BANDS_PER_MARKET
    for slot in range(ledger["bands_high"], wanted):
        s.bands_dirty[slot] = 1
    if ledger["bands_high"] < wanted:
        ledger["bands_high"] = wanted
    at = market * BANDS_PER_MARKET + band
    row = s.bands[at]
    row["tau_ms"] = tau_ms if auction_ms else i8(0)
    row["up_ppm"] = up_ppm if auction_ms else i8(0)
    row["down_ppm"] = down_ppm if auction_ms else i8(0)
    row["auction_ms"] = auction_ms
    s.bands_dirty[at] = 1


# --- the venue's numbers -------------------------------------------------------------------------
@helper
def global_code(parameter, value):
    """Whether a number of the venue may have a value."""
    if parameter < 0 or parameter >= GLOBALS_COUNT:
        return OUT_OF_RANGE
    if value < BOUNDS_OF_GLOBALS[parameter, 0] or value > BOUNDS_OF_GLOBALS[parameter, 1]:
        return OUT_OF_RANGE
    return OK


@helper
def global_put(s, parameter, value):
    """Write a number of the venue; return the value that it replaces."""
    row = s.parameters[0]
    before = global_value(row, parameter)
    global_write(row, parameter, value)
    s.small_dirty[T_PARAMETERS] = 1
    return before


# --- fields by number, in the order of clearing.GLOBALS and clearing.RISK_PARAMETERS -------------
@helper
def global_value(row, parameter):
    """A number of the venue."""
    if parameter == 0:
        return row["tick_ms"]
    if parameter == 1:
        return row["fresh_ms"]
    if parameter == 2:
        return row["reduce_ms"]
    if parameter == 3:
        return row["halt_ms"]
    if parameter == 4:
        return row["quorum_ppm"]
    if parameter == 5:
        return row["outlier_ppm"]
    if parameter == 6:
        return row["liquidations_max"]
    if parameter == 7:
        return row["notice_blocks"]
    if parameter == 8:
        return row["gap_auctions"]
    if parameter == 9:
        return row["gate_ms"]
    if parameter == 10:
        return row["fixing_window_ms"]
    if parameter == 11:
        return row["fixing_sample_ms"]
    return row["listing_least_ms"]


@helper
def global_write(row, parameter, value):
    """Write a number of the venue."""
    if parameter == 0:
        row["tick_ms"] = value
    elif parameter == 1:
        row["fresh_ms"] = value
    elif parameter == 2:
        row["reduce_ms"] = value
    elif parameter == 3:
        row["halt_ms"] = value
    elif parameter == 4:
        row["quorum_ppm"] = value
    elif parameter == 5:
        row["outlier_ppm"] = value
    elif parameter == 6:
        row["liquidations_max"] = value
    elif parameter == 7:
        row["notice_blocks"] = value
    elif parameter == 8:
        row["gap_auctions"] = value
    elif parameter == 9:
        row["gate_ms"] = value
    elif parameter == 10:
        row["fixing_window_ms"] = value
    elif parameter == 11:
        row["fixing_sample_ms"] = value
    else:
        row["listing_least_ms"] = value


@helper
def risk_value(row, parameter):
    """A market's risk parameter."""
    if parameter == 0:
        return row["mode"]
    if parameter == 1:
        return row["feed"]
    if parameter == 2:
        return row["mark_clamp_ppm"]
    if parameter == 3:
        return row["basis_ema_ms"]
    if parameter == 4:
        return row["book_ema_ms"]
    if parameter == 5:
        return row["impact_notional_e6"]
    if parameter == 6:
        return row["premium_interval_ms"]
    if parameter == 7:
        return row["funding_interval_ms"]
    if parameter == 8:
        return row["interest_e9"]
    if parameter == 9:
        return row["funding_clamp_e9"]
    if parameter == 10:
        return row["funding_cap_e9"]
    if parameter == 11:
        return row["price_far_ppm"]
    if parameter == 12:
        return row["oi_cap_lots"]
    if parameter == 13:
        return row["oi_rise_lots"]
    if parameter == 14:
        return row["oi_window_ms"]
    if parameter == 15:
        return row["oi_lower_e6"]
    if parameter == 16:
        return row["oi_upper_e6"]
    if parameter == 17:
        return row["close_ppm"]
    if parameter == 18:
        return row["liquidation_fee_ppm"]
    if parameter == 19:
        return row["slice_ppm"]
    if parameter == 20:
        return row["slice_min_e6"]
    if parameter == 21:
        return row["vault_notional_max_e6"]
    if parameter == 22:
        return row["insurance_draw_max_e6"]
    if parameter == 23:
        return row["confidence_ppm"]
    if parameter == 24:
        return row["disposal_interval_ms"]
    if parameter == 25:
        return row["disposal_full_lots"]
    if parameter == 26:
        return row["disposal_part_ppm"]
    if parameter == 27:
        return row["disposal_share_ppm"]
    if parameter == 28:
        return row["disposal_range_ppm"]
    return row["tier_max_e6"]


@helper
def risk_write(row, parameter, value):
    """Write a market's risk parameter."""
    if parameter == 0:
        row["mode"] = value
    elif parameter == 1:
        row["feed"] = value
    elif parameter == 2:
        row["mark_clamp_ppm"] = value
    elif parameter == 3:
        row["basis_ema_ms"] = value
    elif parameter == 4:
        row["book_ema_ms"] = value
    elif parameter == 5:
        row["impact_notional_e6"] = value
    elif parameter == 6:
        row["premium_interval_ms"] = value
    elif parameter == 7:
        row["funding_interval_ms"] = value
    elif parameter == 8:
        row["interest_e9"] = value
    elif parameter == 9:
        row["funding_clamp_e9"] = value
    elif parameter == 10:
        row["funding_cap_e9"] = value
    elif parameter == 11:
        row["price_far_ppm"] = value
    elif parameter == 12:
        row["oi_cap_lots"] = value
    elif parameter == 13:
        row["oi_rise_lots"] = value
    elif parameter == 14:
        row["oi_window_ms"] = value
    elif parameter == 15:
        row["oi_lower_e6"] = value
    elif parameter == 16:
        row["oi_upper_e6"] = value
    elif parameter == 17:
        row["close_ppm"] = value
    elif parameter == 18:
        row["liquidation_fee_ppm"] = value
    elif parameter == 19:
        row["slice_ppm"] = value
    elif parameter == 20:
        row["slice_min_e6"] = value
    elif parameter == 21:
        row["vault_notional_max_e6"] = value
    elif parameter == 22:
        row["insurance_draw_max_e6"] = value
    elif parameter == 23:
        row["confidence_ppm"] = value
    elif parameter == 24:
        row["disposal_interval_ms"] = value
    elif parameter == 25:
        row["disposal_full_lots"] = value
    elif parameter == 26:
        row["disposal_part_ppm"] = value
    elif parameter == 27:
        row["disposal_share_ppm"] = value
    elif parameter == 28:
        row["disposal_range_ppm"] = value
    else:
        row["tier_max_e6"] = value
