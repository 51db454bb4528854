"""The rule that makes a smile of votes: pillars, medians, the pull of the book, and the fit.

A voter votes volatilities at fixed *pillars*: a pillar is a number z, and its strike is where the
log-moneyness is z deviations of the pillar's own volatility, ln(K / F) = z sigma(z) root(tau). So a
vote needs no reference of the venue's, stays right while the forward moves, and the stake-weighted
median can be taken pillar by pillar: whoever lies with less than half of the weight moves no pillar
beyond what honest voters said of it. For a smile without arbitrage z rises with the strike
(Fukasawa, "The normalizing transformation of the implied volatility smile", 2012), so that each
pillar is one strike.

In units of the volatility at the money a pillar is a point (x, omega) = (z u, u**2) with
u = sigma(z) / sigma(0): numbers of the size of one, whatever the expiry. The fit is Zeliade's
(De Marco and Martini, "Quasi-explicit calibration of Gatheral's SVI model", 2009): for a given
`middle` and `width` the other three parameters are linear and solved by least squares, with the
wings' slopes brought into their bounds; `middle` and `width` are searched on a grid, then ever
closer around the best. Every pass is of fixed length.

Roundings: quotients down. Least squares run in 1 / LEAST_UNIT, in which no sum passes int64.
"""

import numpy as np

from quorate.instruments.pricing.black76 import deviation_fp
from quorate.instruments.surface.arbitrage import Ints
from quorate.instruments.surface.smile import (
    ALPHA,
    FIT_TIME_MS,
    LEFT,
    MIDDLE,
    MIDDLE_MAX,
    RIGHT,
    SLOPE_MAX,
    SMILE_VOL_MAX_E9,
    SMILE_VOL_MIN_E9,
    UNIT,
    UNIT_VOL_E9,
    VARIANCE_MIN,
    WIDTH,
    WIDTH_MAX,
    WIDTH_MIN,
    hypotenuse,
    ratio,
    scaled,
    square_root,
)

PILLARS = 9
PILLAR_AT_MONEY = 4
PILLARS_MIN = 5
_OUT = [part * UNIT // 100 for part in (60, 125, 200, 300)]
PILLAR_Z = np.array([*(-z for z in reversed(_OUT)), 0, *_OUT], dtype=np.int64)
PILLAR_WEIGHT = np.array(
    [part * UNIT // 100 for part in (40, 70, 90, 100, 100, 100, 90, 70, 40)], dtype=np.int64
)
SHARE_MAX = 8 * UNIT  # of a pillar's volatility to that at the money, and its inverse
LEAST_UNIT = 2**22
LEAST_DROP = UNIT // LEAST_UNIT
COLUMN_MIN = 2**36  # of a column's square, below which it says nothing
SEARCH_WIDTHS = 6
SEARCH_MIDDLES = 9
SEARCH_ROUNDS = 6
SLOPES_MAX = 16 * LEAST_UNIT
ERROR_DROP = 2**6
VARIANCE_LEAST = 2 * VARIANCE_MIN
FIT_ROOMS = 8  # rows of PILLARS that a fit works in

# Rows of the room.
_X, _G, _ONE, _AWAY, _REACH, _TARGET, _TRUE, _LOW = 0, 1, 2, 3, 4, 5, 6, 7


def points_into(vols_e9: Ints, room: Ints) -> int:
    """Write x, weight and omega of each pillar that was voted; return how many.

    A volatility of 0 is none. The weight is that of an error in volatility.
    """
    money = int(vols_e9[PILLAR_AT_MONEY])
    count = 0
    for at in range(PILLARS):
        vol_e9 = int(vols_e9[at])
        room[_G, at] = 0
        room[_X, at] = 0
        room[_TRUE, at] = 0
        if vol_e9 == 0:
            continue
        share = ratio(vol_e9, money)
        if share > SHARE_MAX:
            share = SHARE_MAX
        if share < UNIT // 8:
            share = UNIT // 8
        room[_X, at] = scaled(share, int(PILLAR_Z[at]))
        room[_G, at] = ratio(int(PILLAR_WEIGHT[at]), share) // LEAST_DROP
        room[_TRUE, at] = scaled(share, share)
        count += 1
    return count


def dot(room: Ints, a: int, b: int) -> int:
    """Return the product of two rows, in 1 / LEAST_UNIT**2."""
    total = 0
    for at in range(PILLARS):
        total += int(room[a, at]) * int(room[b, at])
    return total


def taken_out(room: Ints, row: int, base: int) -> int:
    """Take the part along row `base` out of a row; return how much, in 1 / LEAST_UNIT."""
    size = dot(room, base, base)
    if size < COLUMN_MIN:
        return 0
    part = dot(room, row, base) // (size // LEAST_UNIT)
    for at in range(PILLARS):
        room[row, at] = int(room[row, at]) - part * int(room[base, at]) // LEAST_UNIT
    return part


def wings_into(room: Ints, middle: int, width: int, smile: Ints) -> None:
    """Write the slopes that fit best for that middle and width, within their bounds.

    Least squares over 1, x - middle and the root by Gram and Schmidt.
    """
    for at in range(PILLARS):
        weight = int(room[_G, at])
        away = int(room[_X, at]) - middle
        room[_ONE, at] = weight
        room[_AWAY, at] = weight * (away // LEAST_DROP) // LEAST_UNIT
        room[_REACH, at] = weight * (hypotenuse(away, width) // LEAST_DROP) // LEAST_UNIT
        room[_TARGET, at] = weight * (int(room[_TRUE, at]) // LEAST_DROP) // LEAST_UNIT
    taken_out(room, _AWAY, _ONE)
    taken_out(room, _REACH, _ONE)
    taken_out(room, _TARGET, _ONE)
    shared = taken_out(room, _REACH, _AWAY)
    lean = bounded(taken_out(room, _TARGET, _AWAY), SLOPES_MAX)
    bend = bounded(taken_out(room, _TARGET, _REACH), SLOPES_MAX)
    lean -= shared * bend // LEAST_UNIT
    smile[LEFT] = within(int(room[_LOW, 0]), (bend - lean) * LEAST_DROP, SLOPE_MAX)
    smile[RIGHT] = within(int(room[_LOW, 1]), (bend + lean) * LEAST_DROP, SLOPE_MAX)


def within(low: int, value: int, high: int) -> int:
    """Bring a value between two bounds."""
    if value < low:
        return low
    return value if value < high else high


def bounded(value: int, most: int) -> int:
    """Bring a value within +-most."""
    return within(-most, value, most)


def error_of(room: Ints, middle: int, width: int, smile: Ints) -> int:
    """Complete the smile for that middle and width; return its weighted square error.

    The level is the weighted mean of what the wings leave, or what keeps the least variance.
    """
    wings_into(room, middle, width, smile)
    left, right = int(smile[LEFT]), int(smile[RIGHT])
    total = 0
    weights = 0
    for at in range(PILLARS):
        away = int(room[_X, at]) - middle
        shape = scaled(away, right - left) + scaled(hypotenuse(away, width), right + left)
        room[_AWAY, at] = int(room[_TRUE, at]) - shape // 2
        weight = int(room[_G, at]) * int(room[_G, at]) // LEAST_UNIT
        total += weight * (int(room[_AWAY, at]) // LEAST_DROP)
        weights += weight
    level = total // weights * LEAST_DROP
    least = VARIANCE_LEAST - scaled(width, square_root(left * right))
    if level < least:
        level = least
    smile[ALPHA] = level
    smile[MIDDLE] = middle
    smile[WIDTH] = width
    error = 0
    for at in range(PILLARS):
        left_over = (int(room[_AWAY, at]) - level) // LEAST_DROP
        part = int(room[_G, at]) * left_over // (LEAST_UNIT * ERROR_DROP)
        error += part * part
    return error


def least_slopes_into(near: Ints, vol_e9: int, time_ms: int, room: Ints) -> None:
    """Write the slopes of the nearer smile's wings, which the later one's must not fall below."""
    room[_LOW, 0] = 0
    room[_LOW, 1] = 0
    if int(near[UNIT_VOL_E9]) == 0:
        return
    near_fp = deviation_fp(int(near[UNIT_VOL_E9]), int(near[FIT_TIME_MS]))
    unit_fp = deviation_fp(vol_e9, time_ms)
    share = UNIT if near_fp >= unit_fp else ratio(near_fp, unit_fp)
    room[_LOW, 0] = within(0, scaled(int(near[LEFT]), share) + 1, SLOPE_MAX)
    room[_LOW, 1] = within(0, scaled(int(near[RIGHT]), share) + 1, SLOPE_MAX)


def fitted_into(vols_e9: Ints, time_ms: int, near: Ints, smile: Ints, room: Ints) -> int:
    """Fit a smile to the volatilities of the pillars; return its error, -1 where none can be.

    Needs the pillar at the money and PILLARS_MIN in all. Volatilities of 0 are missing; others are
    brought into what pricing admits. room: FIT_ROOMS rows. No test of arbitrage is made here.
    """
    smile[UNIT_VOL_E9] = 0
    smile[FIT_TIME_MS] = time_ms
    if int(vols_e9[PILLAR_AT_MONEY]) == 0 or points_into(vols_e9, room) < PILLARS_MIN:
        return -1
    unit_e9 = within(SMILE_VOL_MIN_E9, int(vols_e9[PILLAR_AT_MONEY]), SMILE_VOL_MAX_E9)
    least_slopes_into(near, unit_e9, time_ms, room)
    best, middle, width = -1, 0, UNIT
    for row in range(SEARCH_MIDDLES):
        for column in range(SEARCH_WIDTHS):
            tried = error_of(room, (row - 4) * UNIT // 2, WIDTH_MIN * 2**column, smile)
            if best < 0 or tried < best:
                best, middle, width = tried, (row - 4) * UNIT // 2, WIDTH_MIN * 2**column
    step = UNIT // 4
    for turn in range(SEARCH_ROUNDS):
        middle0, width0 = middle, width
        for row in range(3):
            for column in range(3):
                middle1 = bounded(middle0 + (row - 1) * step, MIDDLE_MAX)
                width1 = width0 + width0 * (column - 1) // 2 ** (turn + 2)
                width1 = within(WIDTH_MIN, width1, WIDTH_MAX)
                tried = error_of(room, middle1, width1, smile)
                if tried < best:
                    best, middle, width = tried, middle1, width1
        step //= 2
    best = error_of(room, middle, width, smile)
    smile[UNIT_VOL_E9] = unit_e9
    return best
