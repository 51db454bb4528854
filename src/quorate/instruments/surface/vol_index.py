"""The volatility index: 30 days of variance from option prices, without a model (FORMULAS 14).

The fair variance of an expiry is what a strip of options out of the money costs (Cboe, "Cboe
Volatility Index" white paper),

    w = sigma**2 T = 2 sum dK_i Q_i / K_i**2 - (F / K_0 - 1)**2,

undiscounted, dK half the distance of the neighbours, K_0 the first strike at or below the forward,
Q_0 the mean of call and put. Of two expiries around 30 days the total variances are interpolated in
time. Here the strip is of STRIP strikes a step apart in logarithms around the forward, priced from
the expiry's smile; the corner of the prices at the forward makes such a sum read high by up to
1e-4 of the index. An expiry that cannot be used gives no index: 0, never the one before.
"""

from math import isqrt

from quorate.instruments.pricing.black76 import price_ticks, root_deviation_fp
from quorate.instruments.pricing.fixed import root_years_q52
from quorate.instruments.surface.arbitrage import Ints
from quorate.instruments.surface.smile import (
    ALPHA,
    FIT_TIME_MS,
    LEFT,
    MIDDLE,
    RIGHT,
    UNIT,
    UNIT_VOL_E9,
    WIDTH,
    ratio,
    scaled,
    square_root,
    vol_e9_at,
)

INDEX_DAY_MS = 86_400_000
INDEX_YEAR_MS = 365 * INDEX_DAY_MS
TARGET_MS = 30 * INDEX_DAY_MS
NEAR_MIN_MS = 7 * INDEX_DAY_MS
STRIP_SIDE = 400
STRIP = 2 * STRIP_SIDE + 1
STRIP_FORWARD = 2**34
STRIP_REACH = 12  # deviations at the money to either side
STRIP_EDGE_FP = 4 * 2**40  # of ln(K / F), at most: K / F up to about 54
ROOT_OF_MONTHS = isqrt(365 * UNIT * UNIT // 30)  # root(365 / 30) in 1 / UNIT


def strip_term_fp(strike: int, apart: int, price: int) -> int:
    """Return apart * price / strike**2 in 2**-40, to nearest 2**-30 of each quotient.

    Bounds: 0 < strike < 2**40; apart and price below 2**8 strikes.
    """
    return ratio(apart, strike) * ratio(price, strike) // 2**20


def strip_variance_fp(strikes: Ints, prices: Ints, forward: int) -> int:
    """Return sigma**2 T of a strip in 2**-40; strikes rise, and one lies at or below the forward.

    prices: of the option out of the money; at K_0 the mean of the two.
    """
    last = len(strikes) - 1
    below = int(strikes[0])
    total = 0
    for at in range(last + 1):
        strike = int(strikes[at])
        if strike <= forward:
            below = strike
        before = int(strikes[at - 1]) if at > 0 else strike
        after = int(strikes[at + 1]) if at < last else strike
        twice = after - before  # twice dK; at an end, where dK is whole, once
        if at == 0 or at == last:
            twice *= 2
        total += strip_term_fp(strike, twice, int(prices[at]))
    over = ratio(forward - below, below)
    return total - over * over // 2**20


def strip_into(smile: Ints, left_ms: int, strikes: Ints, prices: Ints) -> None:
    """Write the strikes and prices of the strip of a smile; left_ms: the time left to its expiry.

    Steps of 1 / STRIP_SIDE of the reach, in logarithms.
    """
    root_q52 = root_years_q52(left_ms)
    reach_fp = STRIP_REACH * root_deviation_fp(int(smile[UNIT_VOL_E9]), root_q52)
    if reach_fp > STRIP_EDGE_FP:
        reach_fp = STRIP_EDGE_FP
    step = reach_fp // STRIP_SIDE // 2**10
    strikes[STRIP_SIDE] = STRIP_FORWARD
    for at in range(STRIP_SIDE):
        upper = int(strikes[STRIP_SIDE + at])
        lower = int(strikes[STRIP_SIDE - at])
        strikes[STRIP_SIDE + at + 1] = upper + scaled(upper, step) + 1
        strikes[STRIP_SIDE - at - 1] = lower - scaled(lower, step) - 1
    for at in range(STRIP):
        strike = int(strikes[at])
        vol_e9 = vol_e9_at(
            int(smile[UNIT_VOL_E9]),
            int(smile[ALPHA]),
            int(smile[LEFT]),
            int(smile[RIGHT]),
            int(smile[MIDDLE]),
            int(smile[WIDTH]),
            STRIP_FORWARD,
            strike,
            int(smile[FIT_TIME_MS]),
        )
        deviation = root_deviation_fp(vol_e9, root_q52)
        prices[at] = price_ticks(STRIP_FORWARD, strike, deviation, at > STRIP_SIDE, False)


def near_expiry(times_ms: Ints, usable: Ints) -> int:
    """Return the usable expiry that is the latest from 7 to below 30 days off, or -1."""
    found = -1
    for at in range(len(times_ms)):
        if NEAR_MIN_MS <= int(times_ms[at]) < TARGET_MS and int(usable[at]) > 0:
            if found < 0 or int(times_ms[at]) > int(times_ms[found]):
                found = at
    return found


def next_expiry(times_ms: Ints, usable: Ints) -> int:
    """Return the usable expiry that is the first from 30 days on, or -1."""
    found = -1
    for at in range(len(times_ms)):
        if int(times_ms[at]) >= TARGET_MS and int(usable[at]) > 0:
            if found < 0 or int(times_ms[at]) < int(times_ms[found]):
                found = at
    return found


def index_between_e9(near_fp: int, near_ms: int, next_fp: int, next_ms: int) -> int:
    """Return the index in 1e-9 from total variances of two expiries, rounded down; 0 for none.

    Bounds: the near time is below TARGET_MS and the next is not; variances below 2**47.
    """
    length = next_ms - near_ms
    share = ratio(TARGET_MS - near_ms, length)
    total_fp = scaled(near_fp, UNIT - share) + scaled(next_fp, share)
    if total_fp <= 0:
        return 0
    scale = 1
    for _ in range(8):
        if total_fp < 2**42:
            break
        total_fp //= 4
        scale *= 2
    deviation = square_root(total_fp * 2**20) * scale
    return scaled(scaled(deviation, ROOT_OF_MONTHS), 1_000_000_000)


def vol_index_e9(
    smiles: Ints, times_ms: Ints, confidence_ppm: Ints, strikes: Ints, prices: Ints
) -> int:
    """Return the index of a surface in 1e-9 a year, or 0 where an expiry is missing.

    times_ms: the time left to each expiry. confidence_ppm: 0 for a smile that is missing or stale.
    strikes, prices: STRIP each, to work in.
    """
    near = near_expiry(times_ms, confidence_ppm)
    after = next_expiry(times_ms, confidence_ppm)
    if near < 0 or after < 0:
        return 0
    strip_into(smiles[near], int(times_ms[near]), strikes, prices)
    near_fp = strip_variance_fp(strikes, prices, STRIP_FORWARD)
    strip_into(smiles[after], int(times_ms[after]), strikes, prices)
    next_fp = strip_variance_fp(strikes, prices, STRIP_FORWARD)
    return index_between_e9(near_fp, int(times_ms[near]), next_fp, int(times_ms[after]))


def vol_index_confidence_ppm(times_ms: Ints, confidence_ppm: Ints) -> int:
    """Return the confidence of the index: the smaller of its two expiries', 0 where it is none."""
    near = near_expiry(times_ms, confidence_ppm)
    after = next_expiry(times_ms, confidence_ppm)
    if near < 0 or after < 0:
        return 0
    first, second = int(confidence_ppm[near]), int(confidence_ppm[after])
    return first if first < second else second
