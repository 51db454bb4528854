"""Scalar rules of observation: how index prices become what a payoff names.

The subset of `execution/rules`. Prices are ticks within [1, PRICE_TICKS_MAX]; a series has at most
PAYOFF_SAMPLES_MAX observations.
"""

from quorate.types.limits import PAYOFF_RETURN_MAX_PPM, PPM
from quorate.types.payoff_codes import Observation

BLOCK = int(Observation.BLOCK)
SAMPLED = int(Observation.SAMPLED)
CLOSE = int(Observation.CLOSE)


def interval_of(time_ms: int, interval_ms: int, offset_ms: int) -> int:
    """Return the number of the interval in which a time lies; interval_ms at least 1."""
    return (time_ms - offset_ms) // interval_ms


def is_observed(
    rule: int, time_ms: int, seen_ms: int, interval_ms: int, offset_ms: int
) -> bool:
    """Whether the index of a block is an observation; `seen_ms` is the last block with an index.

    BLOCK: each is. SAMPLED: the first of each interval. CLOSE asks whether the index of the block
    at `seen_ms` was the last of its interval, which is known once a later interval has begun; it is
    then that older index which is observed. `seen_ms` is 0 where there was none: the first block of
    a series is a sample, and closes nothing.
    """
    if rule == BLOCK:
        return True
    if rule != SAMPLED and rule != CLOSE:
        return False
    if seen_ms == 0:
        return rule == SAMPLED
    now = interval_of(time_ms, interval_ms, offset_ms)
    return now > interval_of(seen_ms, interval_ms, offset_ms)


def average(total: int, count: int) -> int:
    """Return the mean of observations from their sum, rounded down; 0 of none."""
    if count <= 0:
        return 0
    return total // count


def squared_return_ppm2(before: int, after: int) -> int:
    """Return the square of the return between two observations, in ppm squared.

    The return is |after - before| / before in ppm, rounded down, and counts as 100 % beyond that.
    """
    ppm = min(abs(after - before) * PPM // before, PAYOFF_RETURN_MAX_PPM)
    return ppm * ppm


def is_inside(price: int, lower: int, upper: int) -> bool:
    """Whether an observation lies in [lower, upper]."""
    return lower <= price and price <= upper


def touches_up(price: int, upper: int) -> bool:
    """Whether an observation is at or above an upper barrier; none is where it is 0."""
    return upper > 0 and price >= upper


def touches_down(price: int, lower: int) -> bool:
    """Whether an observation is at or below a lower barrier; none is where it is 0."""
    return lower > 0 and price <= lower
