"""Listing by rule; the same functions as `spec.options_listing`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.clearing import RISKS, risk_value, risk_write
from quorate.execution.kernels.governance import governs
from quorate.execution.kernels.options_products import range_high, range_low
from quorate.execution.kernels.options_series import (
    NO_ROOM,
    STRIKE,
    expiry_find,
    expiry_in_time,
    expiry_join,
    series_put,
)
from quorate.execution.kernels.rows import T_LISTINGS
from quorate.execution.kernels.scalars import (
    expiry_following,
    listing_sound,
    strike_nearest,
    strike_number,
)
from quorate.execution.options_rules import REACH_STRIKE
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import MarketStatus, Reject
from quorate.types.limits import (
    BANDS_PER_MARKET,
    LISTING_NAME_BYTES,
    LISTINGS_MAX,
    LISTINGS_PER_TICK,
    MARKETS_MAX,
)

i8 = np.int64
R = Reject
OK, GOVERNANCE_KEY = int(R.OK), int(R.GOVERNANCE_KEY_REQUIRED)
OUT_OF_RANGE, MARKET_MUST_EXIST = int(R.PARAMETER_OUT_OF_RANGE), int(R.MARKET_MUST_EXIST)
SERIES_NOT_LIVE, EXPIRY_RANGE = int(R.SERIES_NOT_LIVE), int(R.EXPIRY_OUT_OF_RANGE)
FRESH, STATUS_OPEN = int(FeedState.FRESH), int(MarketStatus.OPEN)


# --- the command ---------------------------------------------------------------------------------
@helper
def set_listing(s, signer, command):
    """Set a rule, the next one or one that is there; all zeros end it."""
    slot = i8(command["market"])
    s.now[0]["receipt_market"] = slot
    if not governs(s, signer):
        return GOVERNANCE_KEY
    high = s.ledger[0]["listings_high"]
    if slot > high or slot >= LISTINGS_MAX:
        return OUT_OF_RANGE
    if command["size"] == 0:
        if slot == high or not all_zero(command):
            return OUT_OF_RANGE
        listing_put(s, slot, command, i8(0))
        return OK
    code = listing_code(s, command)
    if code != OK:
        return code
    s.ledger[0]["listings_high"] = max(high, slot + 1)
    listing_put(s, slot, command, i8(1))
    return OK


@helper
def all_zero(command):
    """Whether a rule has no template and no number."""
    found = command["price"] | command["size"] | command["expiry_ms"] | command["order_id"]
    return found | command["cloid_hi"] | command["cloid_lo"] == 0


@helper
def listing_put(s, slot, command, used):
    """Write a rule that has listed nothing yet."""
    row = s.listings[slot]
    row["template"] = command["price"]
    row["period_ms"] = command["size"]
    row["offset_ms"] = command["expiry_ms"]
    row["expiries_ahead"] = command["order_id"]
    row["step_ticks"] = command["cloid_hi"]
    row["strikes_each_side"] = command["cloid_lo"]
    row["used"] = used
    row["done_expiry_ms"] = 0
    row["done_strike"] = 0
    s.small_dirty[T_LISTINGS] = 1


@helper
def listing_code(s, command):
    """Whether a rule's template and numbers are such that all it lists may be listed."""
    template, period_ms = command["price"], command["size"]
    ahead, each_side = command["order_id"], command["cloid_lo"]
    if template <= 0 or template >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    series = s.series[template]
    if series["expiry_ms"] == 0:
        return SERIES_NOT_LIVE
    if not listing_sound(period_ms, command["expiry_ms"], ahead, command["cloid_hi"], each_side):
        return OUT_OF_RANGE
    product = s.products[series["product"]]
    if product["reach"] & REACH_STRIKE == 0 and each_side != 0:
        return OUT_OF_RANGE
    time_ms = s.now[0]["time_ms"]
    last_ms = time_ms + s.parameters[0]["listing_least_ms"] + ahead * period_ms
    if not expiry_in_time(s, series["product"], last_ms):
        return EXPIRY_RANGE
    return OK


# --- the rule ------------------------------------------------------------------------------------
@helper
def listings_tick(s):
    """Phase 3 of a tick, behind the indexes: list what the rules want and what is not there."""
    s.budget[0]["left"] = LISTINGS_PER_TICK
    for slot in range(s.ledger[0]["listings_high"]):
        listing_tick(s, slot)


@helper
def listing_tick(s, slot):
    """Bring one rule up to date, as far as the tick's budget goes."""
    listing = s.listings[slot]
    if listing["used"] == 0:
        return
    template = listing["template"]
    product = s.products[s.series[template]["product"]]
    feed = s.feeds[s.risk[template]["feed"]]
    if feed["state"] != FRESH:
        return
    middle = i8(0)
    if product["reach"] & REACH_STRIKE:
        middle = strike_nearest(feed["price_ticks"], listing["step_ticks"])
    period_ms = listing["period_ms"]
    least_ms = s.parameters[0]["listing_least_ms"]
    first_ms = expiry_following(s.now[0]["time_ms"], least_ms, period_ms, listing["offset_ms"])
    if listing["done_expiry_ms"] == first_ms and listing["done_strike"] == middle:
        return
    budget = s.budget[0]
    budget["whole"] = 1
    for number in range(listing["expiries_ahead"]):
        if budget["left"] == 0:
            return
        strikes_list(s, slot, first_ms + number * period_ms, middle)
    if budget["whole"]:
        listing["done_expiry_ms"] = first_ms
        listing["done_strike"] = middle
        s.small_dirty[T_LISTINGS] = 1


@helper
def strikes_list(s, listing_slot, expiry_ms, middle):
    """List the missing strikes of one expiry, the nearest to the middle first."""
    listing = s.listings[listing_slot]
    template, step = listing["template"], listing["step_ticks"]
    each_side = listing["strikes_each_side"]
    product = s.series[template]["product"]
    if not expiry_in_time(s, product, expiry_ms):
        return
    low, high = range_low(s, product, STRIKE), range_high(s, product, STRIKE)
    strikes_mark(s, template, expiry_ms, middle, step, each_side)
    budget = s.budget[0]
    for number in range(2 * each_side + 1):
        strike = strike_number(middle, step, i8(number))
        if s.strikes_there[number] or strike < low or strike > high:
            continue
        if budget["left"] == 0 or not series_list(s, template, expiry_ms, strike):
            budget["whole"] = 0
            return
        budget["left"] -= 1


@helper
def strikes_mark(s, template_slot, expiry_ms, middle, step, each_side):
    """Mark the numbers of the rule's strikes that are listed for an expiry, alike otherwise."""
    for number in range(2 * each_side + 1):
        s.strikes_there[number] = 0
    template = s.series[template_slot]
    expiry = expiry_find(s, s.risk[template_slot]["feed"], expiry_ms)
    if expiry == NO_ROOM:
        return
    for slot in range(1, s.ledger[0]["series_high"]):
        row = s.series[slot]
        if row["expiry_ms"] != expiry_ms or row["expiry"] != expiry or not alike(row, template):
            continue
        away = row["strike"] - middle
        if away % step == 0 and abs(away // step) <= each_side:
            steps = away // step
            s.strikes_there[2 * steps - 1 if steps > 0 else -2 * steps] = 1


@helper
def alike(a, b):
    """Whether two series are of one product and differ at most in expiry and strike."""
    return (
        a["product"] == b["product"]
        and a["upper"] == b["upper"]
        and a["lower"] == b["lower"]
        and a["rebate"] == b["rebate"]
        and a["cap"] == b["cap"]
        and a["rate"] == b["rate"]
    )


@helper
def series_list(s, template_slot, expiry_ms, strike):
    """List one series like the template, as a new market; False without room for it."""
    slot = s.ledger[0]["markets_high"]
    if slot >= MARKETS_MAX:
        return False
    expiry = expiry_join(s, s.risk[template_slot]["feed"], expiry_ms)
    if expiry == NO_ROOM:
        return False
    market_copy(s, template_slot, slot)
    template, row = s.series[template_slot], s.series[slot]
    row["product"] = template["product"]
    row["expiry"] = expiry
    row["expiry_ms"] = expiry_ms
    row["strike"] = strike
    row["upper"] = template["upper"]
    row["lower"] = template["lower"]
    row["rebate"] = template["rebate"]
    row["cap"] = template["cap"]
    row["rate"] = template["rate"]
    row["template"] = template_slot
    series_put(s, slot, i8(1))
    return True


@helper
def market_copy(s, source, slot):
    """Make a market with another one's parameters, risk numbers and bands, and nothing else."""
    ledger = s.ledger[0]
    ledger["markets_high"] = slot + 1
    model, row = s.markets[source], s.markets[slot]
    row["kind"] = model["kind"]
    row["status"] = STATUS_OPEN
    row["tick_step"] = model["tick_step"]
    row["lot_step"] = model["lot_step"]
    row["quantum_e6"] = model["quantum_e6"]
    row["price_max_ticks"] = model["price_max_ticks"]
    row["size_max_lots"] = model["size_max_lots"]
    row["position_max_lots"] = model["position_max_lots"]
    row["base_asset"] = model["base_asset"]
    row["lot_units"] = model["lot_units"]
    row["margin_schedule"] = model["margin_schedule"]
    row["fee_schedule"] = model["fee_schedule"]
    row["slippage_max_ppm"] = model["slippage_max_ppm"]
    name_numbered(row["name"], model["name"], slot)
    s.markets_dirty[slot] = 1
    for at in range(ledger["risk_high"], slot + 1):
        s.risk_dirty[at] = 1
    ledger["risk_high"] = max(ledger["risk_high"], slot + 1)
    for parameter in range(RISKS):
        risk_write(s.risk[slot], i8(parameter), risk_value(s.risk[source], i8(parameter)))
    s.risk[slot]["funding_shift"] = s.risk[source]["funding_shift"]
    s.risk_dirty[slot] = 1
    bands_copy(s, source, slot)


@helper
def name_numbered(target, name, number):
    """Name a series that a rule lists: its template's name, shortened, and its own number.

    The target is of zeros.
    """
    at = 0
    while at < LISTING_NAME_BYTES and name[at] != 0:
        target[at] = name[at]
        at += 1
    target[at] = 45
    digits, rest = 1, number
    while rest >= 10:
        rest //= 10
        digits += 1
    rest = number
    for k in range(digits):
        target[at + digits - k] = 48 + rest % 10
        rest //= 10


@helper
def bands_copy(s, source, slot):
    """Give a market the bands of another one, without its samples."""
    ledger = s.ledger[0]
    high = ledger["bands_high"]
    if high <= source * BANDS_PER_MARKET:
        return
    for at in range(high, (slot + 1) * BANDS_PER_MARKET):
        s.bands_dirty[at] = 1
    ledger["bands_high"] = max(high, (slot + 1) * BANDS_PER_MARKET)
    for k in range(BANDS_PER_MARKET):
        model = s.bands[source * BANDS_PER_MARKET + k]
        row = s.bands[slot * BANDS_PER_MARKET + k]
        row["tau_ms"] = model["tau_ms"]
        row["up_ppm"] = model["up_ppm"]
        row["down_ppm"] = model["down_ppm"]
        row["auction_ms"] = model["auction_ms"]
        s.bands_dirty[slot * BANDS_PER_MARKET + k] = 1
