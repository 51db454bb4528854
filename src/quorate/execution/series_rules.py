"""Scalar rules of a series' life: samples of a fixing, observations of a path, what is yet to come.

Integers in, integers out; the subset of `execution/rules`, compiled from this one source. Samples
lie on whole multiples of an interval, shifted by an offset; the *newest* one of a time is the last
that is not behind it.
"""

from quorate.execution.risk_rules import power_of_two
from quorate.execution.wide import mul_div_floor
from quorate.types.limits import (
    DAY_MS,
    FIXING_QUANTILES,
    OBSERVATION_LATE_MS,
    PAYOFF_RETURN_MAX_PPM,
    PAYOFF_SAMPLES_MAX,
    PPM,
)

ONE_FP = 2**40
BUMP_PART = 256  # of a price, by which it is moved for a delta
VOL_BUMP = 10_000_000  # by which a volatility is moved for a vega: one hundredth of 1.00
YEAR_MS = 365 * DAY_MS
# Edges of the parts of a fixing: how far out the last ones lie. A deviation beyond the greatest is
# taken for it: what makes the mean would have no probability that could be told.
EDGE_FP = 4 * ONE_FP
PARTS_DEVIATION_MAX_FP = 2 * ONE_FP
EDGE_END_FP = 2**45
PART_UNIT = 2**40 // FIXING_QUANTILES  # a sum over parts counts 1 / FIXING_QUANTILES of a tick


# --- the fixing ----------------------------------------------------------------------------------
def fixing_least(window_ms: int, sample_ms: int) -> int:
    """Return how many samples a fixing needs: half of those of its window, at least one."""
    return max(window_ms // sample_ms // 2, 1)


def fixing_newest_ms(time_ms: int, sample_ms: int) -> int:
    """Return the newest multiple of the fixing's interval at a time."""
    return time_ms // sample_ms * sample_ms


def fixing_passed(next_ms: int, newest_ms: int, expiry_ms: int, sample_ms: int) -> int:
    """Return how many multiples of the window have passed, from the next one on."""
    last_ms = min(newest_ms, fixing_newest_ms(expiry_ms, sample_ms))
    if last_ms < next_ms:
        return 0
    return (last_ms - next_ms) // sample_ms + 1


def fixing_takes(newest_ms: int, expiry_ms: int, count: int, least: int) -> bool:
    """Whether a multiple that has no price takes one: behind the expiry only while there are fewer
    than the least.
    """
    return newest_ms <= expiry_ms or count < least


def fixing_remaining(time_ms: int, expiry_ms: int, window_ms: int, sample_ms: int) -> int:
    """Return how many multiples of the window are still ahead of a time."""
    last_ms = fixing_newest_ms(expiry_ms, sample_ms)
    before_ms = max(
        fixing_newest_ms(time_ms, sample_ms), fixing_newest_ms(expiry_ms - window_ms, sample_ms)
    )
    return max((last_ms - before_ms) // sample_ms, 0)


def fixing_forward(total: int, count: int, remaining: int, forward: int) -> int:
    """Return what the fixing is expected to be: the samples there are, the forward for the rest
    (FORMULAS 13); the forward where there are none. Bound: a day of samples.
    """
    if count + remaining <= 0:
        return forward
    return (total + remaining * forward) // (count + remaining)


def fixing_time_ms(left_ms: int, window_ms: int) -> int:
    """Return the time for which a price moves as much as the mean over the window will.

    A mean over a time moves by the root of a third of it. Before the window that time is its last
    part; within, the time that is left. At least a millisecond.
    """
    if left_ms >= window_ms:
        return max(left_ms - 2 * window_ms // 3, 1)
    return max(left_ms // 3, 1)


def fixing_deviation_fp(
    deviation: int, remaining: int, forward: int, count: int, expected: int
) -> int:
    """Return the deviation of a fixing of which `count` samples are there: the share of the others.

    expected: as fixing_forward. At least 1.
    """
    if count <= 0 or expected <= 0:
        return max(deviation, 1)
    return max(
        mul_div_floor(deviation, remaining * forward, (count + remaining) * expected), 1
    )


# --- paths ---------------------------------------------------------------------------------------
def observed_newest_ms(time_ms: int, interval_ms: int, offset_ms: int) -> int:
    """Return the newest multiple of an interval, shifted by an offset, at a time."""
    return (time_ms - offset_ms) // interval_ms * interval_ms + offset_ms


def observation_takes(newest_ms: int, next_ms: int, expiry_ms: int, time_ms: int) -> bool:
    """Whether the newest multiple is observed now: not behind the expiry, and not too late."""
    if newest_ms < next_ms or newest_ms > expiry_ms:
        return False
    return time_ms - newest_ms <= OBSERVATION_LATE_MS


def return_square(before: int, price: int) -> int:
    """Return the square of the return between two prices, in ppm of ppm; the return is floored, at
    most PAYOFF_RETURN_MAX_PPM. Bounds: prices up to PRICE_TICKS_MAX; 0 without one before.
    """
    if before <= 0:
        return 0
    move = abs(price - before)
    if move >= before:
        return PAYOFF_RETURN_MAX_PPM * PAYOFF_RETURN_MAX_PPM
    part = move * PPM // before
    return part * part


def return_square_expected(vol_e9: int, interval_ms: int) -> int:
    """Return what the square of a return over an interval is expected to be, in ppm of ppm."""
    vol_ppm = vol_e9 // 1_000
    square = mul_div_floor(vol_ppm * vol_ppm, interval_ms, YEAR_MS)
    return min(square, PAYOFF_RETURN_MAX_PPM * PAYOFF_RETURN_MAX_PPM)


def observations_left(next_ms: int, expiry_ms: int, interval_ms: int, count: int) -> int:
    """Return how many observations are to come, of those that are still counted."""
    if next_ms > expiry_ms:
        return 0
    return min((expiry_ms - next_ms) // interval_ms + 1, PAYOFF_SAMPLES_MAX - count)


# --- models --------------------------------------------------------------------------------------
def part_edge_fp(at: int, deviation: int) -> int:
    """Return the normal quantile at which part `at` of a fixing begins, in 2**-40.

    Evenly from 4 below the middle to 4 above the middle of what makes the mean, which lies
    `deviation` higher, at most PARTS_DEVIATION_MAX_FP; the first and the last part are open.
    """
    if at <= 0:
        return -EDGE_END_FP
    if at >= FIXING_QUANTILES:
        return EDGE_END_FP
    return (2 * EDGE_FP + deviation) * at // FIXING_QUANTILES - EDGE_FP


def fixing_part(greek: int, count: int, remaining: int) -> int:
    """Return a greek of a fixing's price by the forward: the part of the samples to come."""
    if count <= 0:
        return greek
    return mul_div_floor(greek, remaining, count + remaining)


def delta_of(change: int, move: int) -> int:
    """Return a delta in 2**-40 from the sums of payoffs at a forward up and down by `move`."""
    return mul_div_floor(change, ONE_FP, 2 * FIXING_QUANTILES * move)


def gamma_of(change: int, move: int, forward: int) -> int:
    """Return gamma times the forward in 2**-40 from the second difference of the sums."""
    first = mul_div_floor(change, ONE_FP, FIXING_QUANTILES * move)
    return mul_div_floor(first, forward, move)


def vega_of(change: int, forward: int) -> int:
    """Return vega as a fraction of the forward in 2**-40 from sums VOL_BUMP apart."""
    return mul_div_floor(change * 100, ONE_FP, FIXING_QUANTILES * forward)


# --- perpetual series ----------------------------------------------------------------------------
def mean_towards_zero(total: int, count: int) -> int:
    """Return total / count, rounded towards zero; 0 < count."""
    mean = abs(total) // count
    return mean if total > 0 else -mean


def premium_step(ticks: int, quantum_e6: int, shift: int) -> int:
    """Return what a long of one lot pays for a premium in ticks, in 1e-6 quote / 2**shift.

    Bounds as for `risk_rules.funding_index_step`: |ticks| is at most the market's highest price.
    """
    return ticks * quantum_e6 * power_of_two(shift)


# --- what a trade moves --------------------------------------------------------------------------
def exposure_e6(lots: int, quantum_e6: int, forward: int, greek_fp: int) -> int:
    """Return lots times a greek that is a fraction of the forward, in 1e-6 quote, rounded down.

    Bounds: lots * quantum below 2**52; a worth beyond 2**62 counts as that.
    """
    worth = mul_div_floor(lots * quantum_e6, forward, 1)
    return mul_div_floor(greek_fp, worth, ONE_FP)
