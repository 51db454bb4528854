"""Series; the same functions as `spec.options_series`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.governance import governs
from quorate.execution.kernels.options_products import range_high, range_low
from quorate.execution.kernels.rows import T_EXPIRIES, emit_words
from quorate.execution.kernels.scalars import expiry_sound, fixing_first_ms, observed_next_ms
from quorate.types.codes import EventKind, MarketKind, MarketStatus, Reject
from quorate.types.limits import EXPIRIES_MAX, SMILE_PILLARS, VOTERS_MAX
from quorate.types.options import PARAMETERS
from quorate.types.options_codes import ExpiryState, SeriesState
from quorate.types.payoff_codes import Input

i8 = np.int64
R = Reject
OK, GOVERNANCE_KEY = int(R.OK), int(R.GOVERNANCE_KEY_REQUIRED)
TABLE_FULL = int(R.TABLE_FULL_SEND_LATER)
MARKET_MUST_EXIST, PRODUCT_MUST_EXIST = int(R.MARKET_MUST_EXIST), int(R.PRODUCT_MUST_EXIST)
SERIES_ALREADY_SET, NO_CLEARING = int(R.SERIES_ALREADY_SET), int(R.MARKET_HAS_NO_CLEARING)
PARAMETER_RANGE = int(R.SERIES_PARAMETER_OUT_OF_RANGE)
EXPIRY_RANGE, MARKET_RANGE = int(R.EXPIRY_OUT_OF_RANGE), int(R.MARKET_PARAMETERS_OUT_OF_RANGE)
SERIES, STATUS_OPEN = int(MarketKind.SERIES), int(MarketStatus.OPEN)
SERIES_LISTED = int(EventKind.SERIES_LISTED)
LIVE = int(SeriesState.LIVE)
EXPIRY_FREE, EXPIRY_OPEN = int(ExpiryState.FREE), int(ExpiryState.OPEN)
STRIKE = int(Input.STRIKE)
NO_ROOM = -1
assert tuple(Input(STRIKE + k).name.lower() for k in range(len(PARAMETERS))) == PARAMETERS


@helper
def set_series(s, signer, command):
    """Bind a market to its series and open it."""
    slot = i8(command["market"])
    s.now[0]["receipt_market"] = slot
    if not governs(s, signer):
        return GOVERNANCE_KEY
    code = series_code(s, slot, command)
    if code != OK:
        return code
    expiry_ms = command["expiry_ms"]
    expiry = i8(0)
    if expiry_ms:
        expiry = expiry_join(s, s.risk[slot]["feed"], expiry_ms)
        if expiry == NO_ROOM:
            return TABLE_FULL
    s.markets[slot]["status"] = STATUS_OPEN
    s.markets_dirty[slot] = 1
    row = s.series[slot]
    row["product"] = i8(command["side"])
    row["expiry"] = expiry
    row["expiry_ms"] = expiry_ms
    row["strike"] = command["price"]
    row["upper"] = command["size"]
    row["lower"] = command["order_id"]
    row["rebate"] = command["cloid_hi"]
    row["cap"] = command["cloid_lo"]
    row["rate"] = command["aux"]
    series_put(s, slot, i8(0))
    return OK


@helper
def series_code(s, slot, command):
    """Whether a market may become that series."""
    if slot <= 0 or slot >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    market = s.markets[slot]
    if market["kind"] != SERIES or s.series[slot]["state"] != 0:
        return SERIES_ALREADY_SET
    product = i8(command["side"])
    if product >= s.ledger[0]["products_high"]:
        return PRODUCT_MUST_EXIST
    if s.risk[slot]["mode"] == 0:
        return NO_CLEARING
    if not (
        parameter_sound(s, product, i8(0), command["price"])
        and parameter_sound(s, product, i8(1), command["size"])
        and parameter_sound(s, product, i8(2), command["order_id"])
        and parameter_sound(s, product, i8(3), command["cloid_hi"])
        and parameter_sound(s, product, i8(4), command["cloid_lo"])
        and parameter_sound(s, product, i8(5), command["aux"])
    ):
        return PARAMETER_RANGE
    if not expiry_in_time(s, product, command["expiry_ms"]):
        return EXPIRY_RANGE
    if s.products[product]["payoff_high"] > market["price_max_ticks"]:
        return MARKET_RANGE
    return OK


@helper
def expiry_in_time(s, product, expiry_ms):
    """Whether a series of a product may be listed now with an expiry."""
    row, least_ms = s.products[product], s.parameters[0]["listing_least_ms"]
    return expiry_sound(
        expiry_ms, s.now[0]["time_ms"], least_ms, row["reach"], row["rule"], row["sample_ms"]
    )


@helper
def parameter_sound(s, product, number, value):
    """Whether a parameter, by its place in options.PARAMETERS, lies in its declared range."""
    low = range_low(s, product, STRIKE + number)
    return low <= value and value <= range_high(s, product, STRIKE + number)


@helper
def series_put(s, slot, by_rule):
    """Let the series whose product, expiry, parameters and template stand in its row live."""
    row = s.series[slot]
    product = s.products[row["product"]]
    time_ms = s.now[0]["time_ms"]
    row["state"] = LIVE
    row["listed_ms"] = time_ms
    row["seen_next_ms"] = observed_next_ms(product["rule"], product["sample_ms"], time_ms)
    ledger = s.ledger[0]
    for at in range(ledger["series_high"], slot + 1):
        s.series_dirty[at] = 1
    s.series_dirty[slot] = 1
    ledger["series_high"] = max(ledger["series_high"], slot + 1)
    ledger["series_live"] += 1
    zero = i8(0)
    emit_words(
        s, SERIES_LISTED, zero, by_rule, zero, slot, zero, zero,
        row["product"], row["expiry"], row["expiry_ms"], row["strike"], row["upper"],
        row["lower"], row["rebate"], row["cap"], row["rate"], row["template"], zero,
    )  # fmt: skip


# --- expiries ------------------------------------------------------------------------------------
@helper
def expiry_find(s, feed, expiry_ms):
    """Row of an expiry that series use, or NO_ROOM."""
    for slot in range(s.ledger[0]["expiries_high"]):
        row = s.expiries[slot]
        if row["expiry_ms"] == expiry_ms and row["feed"] == feed and row["state"] == EXPIRY_OPEN:
            return i8(slot)
    return i8(NO_ROOM)


@helper
def expiry_free(s):
    """The lowest free row, else a new one; NO_ROOM if all are in use."""
    high = s.ledger[0]["expiries_high"]
    for slot in range(high):
        if s.expiries[slot]["state"] == EXPIRY_FREE:
            return i8(slot)
    return i8(high) if high < EXPIRIES_MAX else i8(NO_ROOM)


@helper
def expiry_join(s, feed, expiry_ms):
    """Row of an expiry for one more series, opened if it is missing; NO_ROOM without a row."""
    slot = expiry_find(s, feed, expiry_ms)
    if slot == NO_ROOM:
        slot = expiry_free(s)
        if slot == NO_ROOM:
            return slot
        expiry_open(s, slot, feed, expiry_ms)
    s.expiries[slot]["series_count"] += 1
    s.small_dirty[T_EXPIRIES] = 1
    return slot


@helper
def expiry_open(s, slot, feed, expiry_ms):
    """Begin an expiry in a row, with nobody's vote on its smile."""
    ledger = s.ledger[0]
    if slot == ledger["expiries_high"]:
        ledger["expiries_high"] = slot + 1
        ledger["smile_votes_high"] = (slot + 1) * VOTERS_MAX
    expiry_clear(s.expiries[slot])
    row = s.expiries[slot]
    row["feed"] = feed
    row["expiry_ms"] = expiry_ms
    row["state"] = EXPIRY_OPEN
    numbers = s.parameters[0]
    row["fix_next_ms"] = fixing_first_ms(
        expiry_ms, numbers["fixing_window_ms"], numbers["fixing_sample_ms"]
    )
    s.small_dirty[T_EXPIRIES] = 1
    for vote in range(slot * VOTERS_MAX, (slot + 1) * VOTERS_MAX):
        vote_clear(s.smile_votes[vote])
        s.smile_votes_dirty[vote] = 1


@helper
def expiry_clear(row):
    """Write zeros into a row of EXPIRIES."""
    row["feed"] = 0
    row["expiry_ms"] = 0
    row["state"] = 0
    row["series_count"] = 0
    row["fix_sum"] = 0
    row["fix_count"] = 0
    row["fix_missing"] = 0
    row["fix_next_ms"] = 0
    row["fix_ticks"] = 0
    row["forward_ticks"] = 0
    row["smile_ms"] = 0
    row["votes_count"] = 0
    row["spread_ppm"] = 0
    row["participation_ppm"] = 0
    row["confidence_ppm"] = 0
    pillars_clear(row)


@helper
def vote_clear(row):
    """Write zeros into a row of SMILE_VOTES."""
    row["time_ms"] = 0
    row["forward_ticks"] = 0
    pillars_clear(row)


assert SMILE_PILLARS == 9


@helper
def pillars_clear(row):
    """Write zeros into the volatilities of a row that has a smile."""
    row["vol_0_e9"] = 0
    row["vol_1_e9"] = 0
    row["vol_2_e9"] = 0
    row["vol_3_e9"] = 0
    row["vol_4_e9"] = 0
    row["vol_5_e9"] = 0
    row["vol_6_e9"] = 0
    row["vol_7_e9"] = 0
    row["vol_8_e9"] = 0
