"""What a payoff is expected to pay: its mean over equally likely quantiles of the fixing.

The fixing is taken to be lognormal, with the variance and the mean that European marks use. Of the
path: what was seen stands. What is to come is taken from its two ends: the forward and the
quantile widen its range, their middle enters a mean, half of the observations to come lie at
either, and each return has the variance of the smile. So a mark of a product that depends on its
path knows that path up to now, and is coarse for what is to come: between its ends it sees no
touch, so a touch from here on counts about half of what it is worth. Stated in docs/options.md.
"""

from quorate.execution import series_rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.observations import interval_of
from quorate.execution.spec.options_rows import Expiry, Product, Series
from quorate.execution.spec.payoffs import payoff_inputs, payoff_of, touches
from quorate.execution.wide import mul_div_floor
from quorate.instruments.pricing.black76 import root_deviation_fp
from quorate.instruments.pricing.fixed import exp_fp, root_years_q52
from quorate.types.limits import FIXING_QUANTILES, PRICE_TICKS_MAX
from quorate.types.options_codes import ObservationRule
from quorate.types.payoff_codes import Input
from quorate.types.records import Table


def quantiles() -> int:
    """How many quantiles a mean is taken over."""
    return FIXING_QUANTILES


def bumped(price: int) -> int:
    """By how much a price is moved for a delta."""
    return max(price // series_rules.BUMP_PART, 1)


def expected_ticks(
    c: Context, row: Series, product: Product, expiry: Expiry, forward: int, vol_e9: int
) -> int:
    """Sum of the payoffs over the quantiles, for a forward and a volatility."""
    count = expiry.fix_count
    ahead = series_rules.fixing_remaining(c.time_ms, expiry.expiry_ms)
    mean = series_rules.fixing_forward(expiry.fix_sum, count, ahead, forward)
    root = root_years_q52(series_rules.fixing_time_ms(expiry.expiry_ms - c.time_ms))
    deviation = series_rules.fixing_deviation_fp(
        root_deviation_fp(vol_e9, root), ahead, forward, count, mean
    )
    to_come, interval_ms = observations_ahead(c, row, product)
    square = series_rules.return_square_expected(vol_e9, interval_ms)
    prices = fixing_quantiles(mean, deviation)
    total = 0
    for fix in prices:
        inputs = projected(row, fix, forward, to_come, square)
        total += payoff_of(product, inputs)
    return total


def fixing_quantiles(mean: int, deviation: int) -> list[int]:
    """Equally likely prices of a lognormal fixing, scaled so that their mean is its mean."""
    weights = []
    for at in range(FIXING_QUANTILES):
        weights.append(exp_fp(series_rules.quantile_exponent(at, deviation)))
    whole = sum(weights)
    return [
        min(max(mul_div_floor(FIXING_QUANTILES * weight, mean, whole), 1), PRICE_TICKS_MAX)
        for weight in weights
    ]


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
