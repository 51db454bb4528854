"""Scalar rules of a series' life: samples of a fixing, observations of a path, what is yet to come.

Integers in, integers out; the subset of `execution/rules`, compiled from this one source. Samples
lie on whole multiples of an interval, shifted by an offset; the *newest* one of a time is the last
that is not behind it.
"""

from quorate.execution.wide import mul_div_floor
from quorate.types.limits import (
    FIXING_SAMPLE_MS,
    FIXING_SAMPLES_MIN,
    FIXING_WINDOW_MS,
    OBSERVATION_LATE_MS,
    PAYOFF_RETURN_MAX_PPM,
    PPM,
)

BEFORE_WINDOW_MS = 2 * FIXING_WINDOW_MS // 3


# --- the fixing ----------------------------------------------------------------------------------
def fixing_newest_ms(time_ms: int) -> int:
    """Return the newest multiple of the fixing's interval at a time."""
    return time_ms // FIXING_SAMPLE_MS * FIXING_SAMPLE_MS


def fixing_passed(next_ms: int, newest_ms: int, expiry_ms: int) -> int:
    """Return how many multiples of the window have passed, from the next one on."""
    last_ms = min(newest_ms, fixing_newest_ms(expiry_ms))
    if last_ms < next_ms:
        return 0
    return (last_ms - next_ms) // FIXING_SAMPLE_MS + 1


def fixing_takes(newest_ms: int, next_ms: int, expiry_ms: int, count: int) -> bool:
    """Whether the newest multiple takes a price: each one once, and behind the expiry while fewer
    than FIXING_SAMPLES_MIN have one.
    """
    if newest_ms < next_ms:
        return False
    return newest_ms <= expiry_ms or count < FIXING_SAMPLES_MIN


def fixing_remaining(time_ms: int, expiry_ms: int) -> int:
    """Return how many multiples of the window are still ahead of a time."""
    last_ms = fixing_newest_ms(expiry_ms)
    before_ms = max(fixing_newest_ms(time_ms), fixing_newest_ms(expiry_ms - FIXING_WINDOW_MS))
    return max((last_ms - before_ms) // FIXING_SAMPLE_MS, 0)


def fixing_forward(total: int, count: int, remaining: int, forward: int) -> int:
    """Return what the fixing is expected to be: the samples there are, the forward for the rest
    (FORMULAS 13). Bounds: FIXING_SAMPLES of prices; count + remaining above 0, else the forward.
    """
    if count + remaining <= 0:
        return forward
    return (total + remaining * forward) // (count + remaining)


def fixing_time_ms(left_ms: int) -> int:
    """Return the time for which a price moves as much as the mean over the window will.

    A mean over a time moves by the root of a third of it. Before the window that time is its last
    part; within, the time that is left. At least a millisecond.
    """
    if left_ms >= FIXING_WINDOW_MS:
        return left_ms - BEFORE_WINDOW_MS
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
