"""What a payoff is expected to pay: its mean over parts of the distribution of the fixing.

The fixing is taken to be lognormal, with the variance and the mean that European marks use; each
part stands for its mean. Of the path: what was seen stands. What is to come is taken from its two
ends: the forward and the price of the part widen its range, their middle enters a mean, half of the
observations to come lie at either, and each return has the variance of the smile. So a mark of a
product that depends on its path knows that path up to now, and is coarse for what is to come:
between its ends it sees no touch, so a touch from here on counts about half of what it is worth.
Stated in docs/options.md.
"""

from quorate.execution import series_rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.observations import interval_of
from quorate.execution.spec.options_rows import Expiry, Product, Series
from quorate.execution.spec.outlook import moving_ms, samples_ahead
from quorate.execution.spec.series_payoffs import payoff_inputs, payoff_of, touches
from quorate.execution.wide import mul_div_floor
from quorate.instruments.pricing.black76 import root_deviation_fp
from quorate.instruments.pricing.fixed import root_years_q52
from quorate.instruments.pricing.normal import distribution_fp
from quorate.types.limits import FIXING_QUANTILES, PRICE_TICKS_MAX
from quorate.types.options_codes import ObservationRule
from quorate.types.payoff_codes import Input
from quorate.types.records import Table


def bumped(price: int) -> int:
    """By how much a price is moved for a delta."""
    return max(price // series_rules.BUMP_PART, 1)


def expected_ticks(
    c: Context, row: Series, product: Product, expiry: Expiry, forward: int, vol_e9: int
) -> int:
    """Mean payoff for a forward and a volatility, in 1 / FIXING_QUANTILES of a tick."""
    count = expiry.fix_count
    ahead = samples_ahead(c, expiry)
    mean = series_rules.fixing_forward(expiry.fix_sum, count, ahead, forward)
    root = root_years_q52(moving_ms(c, expiry))
    deviation = series_rules.fixing_deviation_fp(
        root_deviation_fp(vol_e9, root), ahead, forward, count, mean
    )
    to_come, interval_ms = observations_ahead(c, row, product)
    square = series_rules.return_square_expected(vol_e9, interval_ms)
    total = 0
    for weight, fix in fixing_parts(mean, deviation):
        paid = payoff_of(product, projected(row, fix, forward, to_come, square))
        total += mul_div_floor(weight, paid, series_rules.PART_UNIT)
    return total


def fixing_parts(mean: int, deviation: int) -> list[tuple[int, int]]:
    """Parts of a lognormal fixing by rising price: probability in 2**-40, and mean price.

    What lies of the whole mean in a part is the probability between its edges, each moved by the
    deviation; so the mean over the parts is the mean. A part of no probability is left out.
    """
    deviation = min(deviation, series_rules.PARTS_DEVIATION_MAX_FP)
    parts, below, mean_below = [], 0, 0
    for at in range(1, FIXING_QUANTILES + 1):
        edge = series_rules.part_edge_fp(at, deviation)
        reach, mean_reach = distribution_fp(edge), distribution_fp(edge - deviation)
        weight = reach - below
        if weight > 0:
            price = mul_div_floor(mean_reach - mean_below, mean, weight)
            parts.append((weight, min(max(price, 1), PRICE_TICKS_MAX)))
        below, mean_below = reach, mean_reach
    return parts


def observations_ahead(c: Context, row: Series, product: Product) -> tuple[int, int]:
    """How many observations of a path are to come, and how far apart they are."""
    if product.rule == ObservationRule.NONE:
        return 0, 0
    interval_ms, _ = interval_of(product)
    tick_ms = max(c.t.row(Table.PARAMETERS, 0).tick_ms, 1)
    next_ms = row.seen_next_ms if interval_ms else c.time_ms + tick_ms
    interval_ms = interval_ms or tick_ms
    return series_rules.observations_left(
        next_ms, row.expiry_ms, interval_ms, row.seen_count
    ), interval_ms


def projected(row: Series, fix: int, forward: int, to_come: int, square: int) -> list[int]:
    """What a payoff reads at expiry if the fixing is `fix`."""
    inputs = payoff_inputs(row, fix, fix)
    if not to_come:
        return inputs
    seen, middle = row.seen_count, (forward + fix) // 2
    low, high = min(forward, fix), max(forward, fix)
    if seen:
        low, high = min(low, row.seen_low), max(high, row.seen_high)
    else:
        inputs[Input.FIRST] = forward
    inputs[Input.LOW], inputs[Input.HIGH] = low, high
    inputs[Input.AVG] = (row.seen_sum + to_come * middle) // (seen + to_come)
    inputs[Input.COUNT] = seen + to_come
    half = to_come // 2
    if row.lower <= forward <= row.upper:
        inputs[Input.INSIDE] += half
    if row.lower <= fix <= row.upper:
        inputs[Input.INSIDE] += to_come - half
    inputs[Input.REALIZED] += to_come * square
    touches(inputs, low, high)
    return inputs
