"""What a payoff is expected to pay; the same functions as `spec.expected`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.observations import NONE, interval_of
from quorate.execution.kernels.outlook import moving_ms, samples_ahead
from quorate.execution.kernels.scalars import (
    fixing_deviation_fp,
    fixing_forward,
    mul_div_floor,
    observations_left,
    part_edge_fp,
    return_square_expected,
)
from quorate.execution.kernels.series_payoffs import (
    AVG,
    COUNT,
    FIRST,
    HIGH,
    INSIDE,
    LOW,
    REALIZED,
    payoff_inputs,
    payoff_of,
    touches,
)
from quorate.execution.series_rules import BUMP_PART, PART_UNIT, PARTS_DEVIATION_MAX_FP
from quorate.instruments.pricing.scalars import distribution_fp, root_deviation_fp, root_years_q52
from quorate.types.limits import FIXING_QUANTILES, PRICE_TICKS_MAX

i8 = np.int64


@helper
def bumped(price):
    """By how much a price is moved for a delta."""
    return max(price // BUMP_PART, i8(1))


@helper
def expected_ticks(s, slot, forward, vol):
    """Mean payoff for a forward and a volatility, in 1 / FIXING_QUANTILES of a tick."""
    row = s.series[slot]
    expiry = s.expiries[row["expiry"]]
    count = expiry["fix_count"]
    ahead = samples_ahead(s, row["expiry"])
    mean = fixing_forward(expiry["fix_sum"], count, ahead, forward)
    root = root_years_q52(moving_ms(s, row["expiry"]))
    deviation = fixing_deviation_fp(root_deviation_fp(vol, root), ahead, forward, count, mean)
    interval_ms = spacing(s, slot)
    to_come = observations_ahead(s, slot, interval_ms)
    square = return_square_expected(vol, interval_ms)
    fixing_parts(s, mean, deviation)
    total = i8(0)
    for at in range(FIXING_QUANTILES):
        if s.part_weights[at] > 0:
            projected(s, slot, s.part_prices[at], forward, to_come, square)
            paid = payoff_of(s, row["product"])
            total += mul_div_floor(s.part_weights[at], paid, PART_UNIT)
    return total


@helper
def fixing_parts(s, mean, deviation):
    """Write probability and mean price of the parts of a lognormal fixing; see the spec."""
    deviation = min(deviation, i8(PARTS_DEVIATION_MAX_FP))
    below = i8(0)
    mean_below = i8(0)
    for at in range(FIXING_QUANTILES):
        edge = i8(part_edge_fp(i8(at + 1), deviation))
        reach = i8(distribution_fp(edge))
        mean_reach = i8(distribution_fp(edge - deviation))
        weight = reach - below
        s.part_weights[at] = weight
        s.part_prices[at] = 1
        if weight > 0:
            price = i8(mul_div_floor(mean_reach - mean_below, mean, weight))
            s.part_prices[at] = min(max(price, i8(1)), i8(PRICE_TICKS_MAX))
        below = reach
        mean_below = mean_reach


@helper
def spacing(s, slot):
    """How far apart the observations of a path are; 0: there are none."""
    product = s.series[slot]["product"]
    if s.products[product]["rule"] == NONE:
        return i8(0)
    interval_ms = interval_of(s, product)
    if interval_ms == 0:
        interval_ms = max(s.parameters[0]["tick_ms"], i8(1))
    return interval_ms


@helper
def observations_ahead(s, slot, interval_ms):
    """How many observations of a path are to come."""
    if interval_ms == 0:
        return i8(0)
    row = s.series[slot]
    next_ms = row["seen_next_ms"]
    if interval_of(s, row["product"]) == 0:
        next_ms = s.now[0]["time_ms"] + interval_ms
    return i8(observations_left(next_ms, row["expiry_ms"], interval_ms, row["seen_count"]))


@helper
def projected(s, slot, fix, forward, to_come, square):
    """Write what a payoff reads at expiry if the fixing is `fix`."""
    row = s.series[slot]
    payoff_inputs(s, slot, fix, fix)
    if to_come == 0:
        return
    inputs = s.payoff_inputs
    seen = row["seen_count"]
    middle = (forward + fix) // 2
    low = min(forward, fix)
    high = max(forward, fix)
    if seen:
        low = min(low, row["seen_low"])
        high = max(high, row["seen_high"])
    else:
        inputs[FIRST] = forward
    inputs[LOW] = low
    inputs[HIGH] = high
    inputs[AVG] = (row["seen_sum"] + to_come * middle) // (seen + to_come)
    inputs[COUNT] = seen + to_come
    half = to_come // 2
    if row["lower"] <= forward and forward <= row["upper"]:
        inputs[INSIDE] += half
    if row["lower"] <= fix and fix <= row["upper"]:
        inputs[INSIDE] += to_come - half
    inputs[REALIZED] += to_come * square
    touches(s, low, high)
