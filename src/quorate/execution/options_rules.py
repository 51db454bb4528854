"""Scalar rules of products, series and listings: what may be listed, when, and at which strikes.

Integers in, integers out; the subset of `execution/rules`, compiled from this one source.
"""

from collections.abc import Sequence

from quorate.instruments.payoff.rules import FIELD, INPUT
from quorate.types.limits import (
    CLOSE_OFFSET_MS,
    DAY_MS,
    LISTING_EXPIRIES_MAX,
    LISTING_PERIOD_MS_MIN,
    LISTING_STRIKES_MAX,
    OBSERVATION_MS_MIN,
    OPTION_MS_MAX,
    PAYOFF_SAMPLES_MAX,
    PRICE_TICKS_MAX,
)
from quorate.types.options_codes import ObservationRule
from quorate.types.payoff_codes import Input

RULE_NONE = int(ObservationRule.NONE)
RULE_SAMPLED = int(ObservationRule.SAMPLED)
RULE_CLOSE = int(ObservationRule.CLOSE)

# A payoff's `reach` has the bit 2**k where it names input k.
REACH_FIX = 1 << Input.FIX
REACH_PATH = sum(1 << number for number in Input if Input.FIRST <= number <= Input.TOUCHED)
REACH_STRIKE = 1 << Input.STRIKE


# --- products ------------------------------------------------------------------------------------
def reach_of(code: Sequence[int], count: int) -> int:
    """Return the inputs that the first `count` words of a payoff's code name, as bits."""
    reach = 0
    for place in range(count):
        word = code[place]
        if word % FIELD == INPUT:
            reach |= 1 << (word // FIELD % FIELD)
    return reach


def sampling_sound(rule: int, sample_ms: int) -> bool:
    """Whether a product may be observed so: a sampled one has an interval, and no other has."""
    if rule == RULE_SAMPLED:
        return OBSERVATION_MS_MIN <= sample_ms and sample_ms <= DAY_MS
    return RULE_NONE <= rule and rule <= RULE_CLOSE and sample_ms == 0


def observation_sound(rule: int, reach: int) -> bool:
    """Whether a path is observed exactly where the payoff names it."""
    return (rule != RULE_NONE) == (reach & REACH_PATH != 0)


# --- series --------------------------------------------------------------------------------------
def expiry_sound(
    expiry_ms: int, time_ms: int, least_ms: int, reach: int, rule: int, sample_ms: int
) -> bool:
    """Whether a series of a product may be listed now with an expiry; 0 is none.

    Without an expiry there is no fixing and a path has no end, so the payoff may name neither. What
    is sampled ends before its samples pass PAYOFF_SAMPLES_MAX.
    """
    if expiry_ms == 0:
        return reach & (REACH_FIX | REACH_PATH) == 0
    if expiry_ms < time_ms + least_ms or expiry_ms > time_ms + OPTION_MS_MAX:
        return False
    if rule == RULE_SAMPLED:
        return (expiry_ms - time_ms) // sample_ms < PAYOFF_SAMPLES_MAX
    return True


def fixing_first_ms(expiry_ms: int, window_ms: int, sample_ms: int) -> int:
    """Return the time of the first sample of a fixing, by which an expiry begins."""
    return ((expiry_ms - window_ms) // sample_ms + 1) * sample_ms


def observed_next_ms(rule: int, sample_ms: int, time_ms: int) -> int:
    """Return the time of the first observation after a time; 0 where every tick is one, or none."""
    if rule == RULE_SAMPLED:
        return (time_ms // sample_ms + 1) * sample_ms
    if rule == RULE_CLOSE:
        return ((time_ms - CLOSE_OFFSET_MS) // DAY_MS + 1) * DAY_MS + CLOSE_OFFSET_MS
    return 0


# --- listings ------------------------------------------------------------------------------------
def listing_sound(
    period_ms: int, offset_ms: int, expiries: int, step_ticks: int, each_side: int
) -> bool:
    """Whether a rule of listing has numbers within their limits."""
    if period_ms < LISTING_PERIOD_MS_MIN or period_ms > OPTION_MS_MAX:
        return False
    if offset_ms < 0 or offset_ms >= period_ms:
        return False
    if expiries < 1 or expiries > LISTING_EXPIRIES_MAX:
        return False
    if step_ticks < 1 or step_ticks > PRICE_TICKS_MAX:
        return False
    return 0 <= each_side and each_side <= LISTING_STRIKES_MAX


def expiry_following(time_ms: int, least_ms: int, period_ms: int, offset_ms: int) -> int:
    """Return the first expiry of a rule that is more than `least_ms` ahead."""
    ahead = time_ms + least_ms - offset_ms
    return (ahead // period_ms + 1) * period_ms + offset_ms


def strike_nearest(index_ticks: int, step_ticks: int) -> int:
    """Return the multiple of the step that is nearest to the index; the upper one of two."""
    return (index_ticks + step_ticks // 2) // step_ticks * step_ticks


def strike_number(centre: int, step_ticks: int, number: int) -> int:
    """Return the strikes of a rule in the order in which it lists them: 0, +1, -1, +2, -2, ..."""
    steps = (number + 1) // 2
    if number % 2 == 0:
        steps = -steps
    return centre + steps * step_ticks
