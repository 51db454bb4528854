"""Scalar rules of option margin in the state; one source, in the subset of `rules`.

What the rules of a list of legs (`instruments/margin`) need is taken from committed rows alone, as
the last tick left them. The time that is left is counted from the next tick: the time of the last
one is not kept, and less time is left then.
"""

from quorate.types.limits import OPTION_TIME_MAX_MS, PPM

REQUIREMENT_MAX_E6 = 2**60  # no equity meets it, and sums with it stay within int64


def requirement_within(requirement_e6: int) -> int:
    """Return a requirement of legs within [0, REQUIREMENT_MAX_E6]."""
    if requirement_e6 < 0:
        return 0
    return requirement_e6 if requirement_e6 < REQUIREMENT_MAX_E6 else REQUIREMENT_MAX_E6


def margin_time_ms(expiry_ms: int, next_ms: int) -> int:
    """Return the time to an expiry for margin: at least a millisecond, also behind it."""
    left_ms = expiry_ms - next_ms
    if left_ms < 1:
        return 1
    return left_ms if left_ms < OPTION_TIME_MAX_MS else OPTION_TIME_MAX_MS


def fixing_whole(window_ms: int, sample_ms: int) -> int:
    """Return the number of samples of a whole fixing, at least 1."""
    if sample_ms < 1 or window_ms < sample_ms:
        return 1
    return window_ms // sample_ms


def unfixed_ppm(count: int, samples: int) -> int:
    """Return the share of a fixing that can still move: samples not taken, missing ones too."""
    if count >= samples:
        return 0
    return PPM * (samples - count) // samples


def expected_fix(total: int, count: int, samples: int, forward: int) -> int:
    """Return the fixing that is expected of `samples`: those taken, the forward for the others."""
    if count >= samples:
        return max(total // count, 1)
    return max((total + (samples - count) * forward) // samples, 1)


def around_mark(worth_e6: int, neutral_e6: int, mark_e6: int, most_e6: int) -> int:
    """Return a scenario's worth of a lot moved by what its mark differs from the model's.

    neutral: the model's worth without a shock; most: the highest payoff.
    """
    worth_e6 += mark_e6 - neutral_e6
    if worth_e6 < 0:
        return 0
    return worth_e6 if worth_e6 < most_e6 else most_e6
