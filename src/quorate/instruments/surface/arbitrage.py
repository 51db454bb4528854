"""Whether smiles admit arbitrage, decided for every strike at once, and the repair.

A test at grid points says nothing of the strikes between. Here each cell between two points of
x = middle + width * y, y a fixed table, gets a bound that holds in all of it, and the cells and the
two tails cover every strike; so a smile that passes is free of arbitrage, not only on a grid.

Butterfly: Durrleman's condition, in the smile's own units with theta = v**2,

    g = (1 - h)**2 - omega'**2 / (4 omega) - theta omega'**2 / 16 + omega'' / 2 >= 0,
    h = x omega' / (2 omega) = (1 - I / omega) / 2, I = omega - x omega'.

Why the bounds of a cell hold: omega is convex, so omega' rises and its ends bound it. Where
x omega' > 0 the intercept I falls away from x = 0 and omega rises, so that h is greatest at the end
far from 0 while I >= 0 there; where I < 0 the least omega of the cell bounds I / omega. Where
x omega' <= 0, h <= 0 and (1 - h)**2 >= 1. omega'' falls away from `middle`. G_MIN is more than all
roundings of the bound and of evaluation together.

Calendar: with the nearer smile in the units of the later one, d = later - nearer >= 0. In a cell
d' lies between the difference of the later's least slope to the nearer's greatest and the reverse,
and two lines bound d. It is asked for up to K / F = 16 either way, beyond which nothing is listed.
"""

from math import isqrt

import numpy as np
import numpy.typing as npt

from quorate.instruments.pricing.black76 import deviation_fp
from quorate.instruments.surface.smile import (
    ALPHA,
    FIT_TIME_MS,
    LEFT,
    MIDDLE,
    PLACE_MAX,
    RIGHT,
    SMILE_FIELDS,
    UNIT,
    UNIT_VOL_E9,
    VARIANCE_MIN,
    WIDTH,
    hypotenuse,
    ratio,
    scaled,
    variance_at,
    variance_least,
)

G_MIN = UNIT // 256
LOG_SIXTEEN_FP = 3_048_493_539_144  # ln 16 * 2**40
BLENDS = 64
CELLS_FIRST = 16
STRETCH = 16  # each further point lies a sixteenth further out
ROUNDING = 64  # more than what bringing a smile into other units may lower it
REPAIR_ROOMS = 3  # rows of SMILE_FIELDS that a repair works in

Ints = npt.NDArray[np.int64]  # one row, or several


def _points() -> list[int]:
    """List y of the points right of the middle, in 1 / UNIT, by rising y, beginning with 0."""
    found = [UNIT * at // CELLS_FIRST for at in range(CELLS_FIRST + 1)]
    while found[-1] < 512 * UNIT:
        found.append(found[-1] + found[-1] // STRETCH)
    return found


_RIGHT = _points()
_ALL = [-y for y in reversed(_RIGHT[1:])] + _RIGHT
_ROOTS = [isqrt(y * y + UNIT * UNIT) for y in _ALL]
POINTS = len(_ALL)
POINT_Y = np.array(_ALL, dtype=np.int64)
POINT_ROOT = np.array(_ROOTS, dtype=np.int64)
POINT_LEAN = np.array([y * UNIT // r for y, r in zip(_ALL, _ROOTS, strict=True)], dtype=np.int64)
POINT_BEND = np.array([UNIT**4 // r**3 for r in _ROOTS], dtype=np.int64)


# --- a smile at a point of the table --------------------------------------------------------------
def point_place(at: int, middle: int, width: int) -> int:
    """Return x of a point."""
    return middle + scaled(int(POINT_Y[at]), width)


def point_variance(at: int, alpha: int, left: int, right: int, width: int) -> int:
    """Return omega at a point."""
    across = scaled(int(POINT_Y[at]), right - left) + scaled(int(POINT_ROOT[at]), right + left)
    return alpha + scaled(across, width) // 2


def point_slope(at: int, left: int, right: int) -> int:
    """Return omega' at a point."""
    return (right - left + scaled(right + left, int(POINT_LEAN[at]))) // 2


def point_bend(at: int, left: int, right: int, width: int) -> int:
    """Return omega'' at a point."""
    return scaled(right + left, int(POINT_BEND[at])) // 2 * UNIT // width


# --- butterfly ------------------------------------------------------------------------------------
def intercept_share(intercept: int, variance: int, variance_low: int) -> int:
    """Return a lower bound of I / omega, at most one; -2 UNIT where it may be below -1."""
    if intercept >= 0:
        if intercept >= variance:
            return UNIT
        return ratio(intercept, variance)
    if -intercept >= variance_low:
        return -2 * UNIT
    return -ratio(-intercept, variance_low) - 1


def density_bound(theta: int, share: int, steepest: int, variance_low: int, bend: int) -> int:
    """Return the lower bound of g from bounds of its parts; share is that of I / omega."""
    if share < -UNIT:
        return -UNIT
    square = scaled(steepest, steepest)
    return (
        scaled(UNIT + share, UNIT + share) // 4
        - square * 2**28 // variance_low
        - scaled(square, theta) // 16
        + bend // 2
    )


def cell_density(
    at: int, theta: int, alpha: int, left: int, right: int, middle: int, width: int
) -> int:
    """Return a lower bound of g between the points `at` and `at` + 1."""
    slope0 = point_slope(at, left, right)
    slope1 = point_slope(at + 1, left, right)
    variance0 = point_variance(at, alpha, left, right, width)
    variance1 = point_variance(at + 1, alpha, left, right, width)
    low = variance_least(alpha, left, right, width)
    if slope0 >= 0:
        low = variance0
    elif slope1 <= 0:
        low = variance1
    if low < VARIANCE_MIN:
        low = VARIANCE_MIN
    share = UNIT
    x1 = point_place(at + 1, middle, width)
    if x1 > 0 and slope1 > 0:
        share = intercept_share(variance1 - scaled(x1, slope1), variance1, low)
    x0 = point_place(at, middle, width)
    if x0 < 0 and slope0 < 0:
        other = intercept_share(variance0 - scaled(x0, slope0), variance0, low)
        if other < share:
            share = other
    steepest = slope1 if slope1 > -slope0 else -slope0
    outer = at + 1 if int(POINT_Y[at]) >= 0 else at
    return density_bound(theta, share, steepest, low, point_bend(outer, left, right, width))


def tail_density(theta: int, alpha: int, left: int, right: int, middle: int, width: int) -> int:
    """Return a lower bound of g beyond the last point on the right.

    The left tail is the right one of the mirrored smile. Out there I is at least the height at
    which the asymptote meets x = 0, and omega' is at most `right`.
    """
    last = POINTS - 1
    low = variance_least(alpha, left, right, width)
    share = UNIT
    if right > 0:
        edge = point_variance(last, alpha, left, right, width)
        if edge > low:
            low = edge
        meets = alpha - scaled(middle, right) - 1
        share = 0
        if meets < 0:
            share = intercept_share(meets, low, low)
    if low < VARIANCE_MIN:
        low = VARIANCE_MIN
    steepest = right
    slope = point_slope(last, left, right)
    if -slope > steepest:
        steepest = -slope
    return density_bound(theta, share, steepest, low, 0)


def butterfly_free(
    theta: int, alpha: int, left: int, right: int, middle: int, width: int, least: int
) -> bool:
    """Whether g >= `least` is proved for every strike; theta = v**2 in 1 / UNIT.

    Bounds: theta < 2**37, |alpha| <= 2**37, the others within the smile's limits; a width may fall
    below WIDTH_MIN, down to one.
    """
    if variance_least(alpha, left, right, width) < VARIANCE_MIN:
        return False
    if left == 0 and right == 0:
        return True
    if tail_density(theta, alpha, left, right, middle, width) < least:
        return False
    if tail_density(theta, alpha, right, left, -middle, width) < least:
        return False
    for at in range(POINTS - 1):
        if cell_density(at, theta, alpha, left, right, middle, width) < least:
            return False
    return True


# --- calendar -------------------------------------------------------------------------------------
def difference_low(d0: int, d1: int, slope_low: int, slope_high: int, length: int) -> int:
    """Return a lower bound of d in a cell of that length, from its ends and bounds of its slope."""
    if slope_low >= 0:
        return d0
    if slope_high <= 0:
        return d1
    # Two lines, down from the left end and up to the right one; `along` is where they meet.
    rise = d0 - d1 + scaled(length, slope_high)
    if rise <= 0:
        return d0
    fall = slope_high - slope_low
    along = length if rise >= scaled(length, fall) else ratio(rise, fall)
    return d0 + scaled(along, slope_low) - 1


def slope_at(x: int, left: int, right: int, middle: int, width: int) -> int:
    """Return omega' at x, off by a few units."""
    away = x - middle
    lean = ratio(abs(away), hypotenuse(away, width))
    if lean > UNIT:
        lean = UNIT
    if away < 0:
        lean = -lean
    return (right - left + scaled(right + left, lean)) // 2


def calendar_free(near: Ints, later: Ints, edge: int) -> bool:
    """Whether later >= near is proved for |x| <= edge, both in the units of the later one."""
    alpha1, left1, right1 = int(near[ALPHA]), int(near[LEFT]), int(near[RIGHT])
    middle1, width1 = int(near[MIDDLE]), int(near[WIDTH])
    alpha2, left2, right2 = int(later[ALPHA]), int(later[LEFT]), int(later[RIGHT])
    middle2, width2 = int(later[MIDDLE]), int(later[WIDTH])
    x0 = -edge
    slope1 = slope_at(x0, left1, right1, middle1, width1)
    slope2 = slope_at(x0, left2, right2, middle2, width2)
    d0 = variance_at(x0, alpha2, left2, right2, middle2, width2)
    d0 -= variance_at(x0, alpha1, left1, right1, middle1, width1)
    for at in range(POINTS + 1):
        x1 = edge
        if at < POINTS:
            x1 = point_place(at, middle2, width2)
        if x1 > edge:
            x1 = edge
        if x1 <= x0:
            continue
        next1 = slope_at(x1, left1, right1, middle1, width1)
        next2 = slope_at(x1, left2, right2, middle2, width2)
        d1 = variance_at(x1, alpha2, left2, right2, middle2, width2)
        d1 -= variance_at(x1, alpha1, left1, right1, middle1, width1)
        if d0 < 0 or d1 < 0:
            return False
        if difference_low(d0, d1, slope2 - next1, next2 - slope1, x1 - x0) < 0:
            return False
        x0, d0, slope1, slope2 = x1, d1, next1, next2
    return True


# --- repair ---------------------------------------------------------------------------------------
def edge_of(unit_fp: int) -> int:
    """Return x of K / F = 16 in the units of a smile."""
    if LOG_SIXTEEN_FP // unit_fp >= PLACE_MAX // UNIT:
        return PLACE_MAX
    return ratio(LOG_SIXTEEN_FP, unit_fp)


def height_at_money(smile: Ints) -> int:
    """Return omega at the money."""
    return variance_at(
        0,
        int(smile[ALPHA]),
        int(smile[LEFT]),
        int(smile[RIGHT]),
        int(smile[MIDDLE]),
        int(smile[WIDTH]),
    )


def flat_into(smile: Ints, anchor: Ints) -> None:
    """Write the flat smile of the same volatility at the money, which no test refuses."""
    anchor[ALPHA] = height_at_money(smile)
    anchor[LEFT] = 0
    anchor[RIGHT] = 0
    anchor[MIDDLE] = smile[MIDDLE]
    anchor[WIDTH] = smile[WIDTH]


def nearer_into(near: Ints, share: int, nearer: Ints) -> None:
    """Write the nearer smile in the units of a later one; share: the ratio of their v, <= UNIT.

    Slopes, width and level are rounded up, so that it is not below what it stands for.
    """
    nearer[ALPHA] = scaled(int(near[ALPHA]), scaled(share, share)) + ROUNDING
    nearer[LEFT] = scaled(int(near[LEFT]), share) + 1
    nearer[RIGHT] = scaled(int(near[RIGHT]), share) + 1
    nearer[MIDDLE] = scaled(int(near[MIDDLE]), share)
    nearer[WIDTH] = scaled(int(near[WIDTH]), share) + 1


def blended_into(fit: Ints, anchor: Ints, blend: int, smile: Ints) -> None:
    """Write the smile that lies `blend` of BLENDS parts of the way to the anchor."""
    for at in range(ALPHA, WIDTH + 1):
        smile[at] = int(fit[at]) + (int(anchor[at]) - int(fit[at])) * blend // BLENDS


def smile_free(theta: int, nearer: Ints, edge: int, smile: Ints) -> bool:
    """Whether a smile passes both tests; edge 0: there is no nearer smile."""
    if edge > 0 and not calendar_free(nearer, smile, edge):
        return False
    return butterfly_free(
        theta,
        int(smile[ALPHA]),
        int(smile[LEFT]),
        int(smile[RIGHT]),
        int(smile[MIDDLE]),
        int(smile[WIDTH]),
        G_MIN,
    )


def blend_least(
    theta: int, nearer: Ints, edge: int, fit: Ints, anchor: Ints, smile: Ints
) -> int:
    """Write the first passing smile on the way to the anchor; return its blend.

    By bisection: the anchor itself, at BLENDS, needs no test.
    """
    blended_into(fit, anchor, 0, smile)
    if smile_free(theta, nearer, edge, smile):
        return 0
    refused = 0
    passed = BLENDS
    for _ in range(6):
        middle = (refused + passed) // 2
        blended_into(fit, anchor, middle, smile)
        if smile_free(theta, nearer, edge, smile):
            passed = middle
        else:
            refused = middle
    blended_into(fit, anchor, passed, smile)
    return passed


def lifted_vol_e9(vol_e9: int, time_ms: int, unit_fp: int) -> int:
    """Return the least volatility, by a few units, whose deviation in that time is unit_fp."""
    found = vol_e9
    for _ in range(4):
        own_fp = deviation_fp(found, time_ms)
        if own_fp >= unit_fp:
            break
        found = scaled(found, ratio(unit_fp, own_fp)) + 1
    return found


def repaired_into(near: Ints, smile: Ints, room: Ints) -> int:
    """Bring a fitted smile to the nearest on a path that admits no arbitrage; return how far.

    near: the repaired smile of the expiry before; its UNIT_VOL_E9 is 0 where there is none. First
    towards the flat smile until no butterfly is left, then towards the nearer smile, raised to the
    same height at the money, until no calendar spread is. Both ways end in a smile that passes:
    the flat one, and one whose total variance is the nearer's plus a constant, where h falls and
    the rest of g rises. Returns blends of 2 BLENDS in all, -1 if even the end fails by rounding
    (units of the two smiles thousands of times apart). room: REPAIR_ROOMS rows.
    """
    fit, anchor, nearer = room[0], room[1], room[2]
    time_ms = int(smile[FIT_TIME_MS])
    edge = 0
    share = UNIT
    if int(near[UNIT_VOL_E9]) > 0:
        near_fp = deviation_fp(int(near[UNIT_VOL_E9]), int(near[FIT_TIME_MS]))
        smile[UNIT_VOL_E9] = lifted_vol_e9(int(smile[UNIT_VOL_E9]), time_ms, near_fp)
        unit_fp = deviation_fp(int(smile[UNIT_VOL_E9]), time_ms)
        if unit_fp < near_fp:
            return -1
        edge = edge_of(unit_fp)
        share = ratio(near_fp, unit_fp) + 1
        if share > UNIT:
            share = UNIT
    unit_fp = deviation_fp(int(smile[UNIT_VOL_E9]), time_ms)
    theta = scaled(unit_fp // 2**10, unit_fp // 2**10) + 1
    for at in range(SMILE_FIELDS):
        fit[at] = smile[at]
    flat_into(fit, anchor)
    moved = blend_least(theta, nearer, 0, fit, anchor, smile)
    if edge == 0:
        return moved
    for at in range(SMILE_FIELDS):
        fit[at] = smile[at]
    nearer_into(near, share, nearer)
    nearer_into(near, share, anchor)
    rise = height_at_money(fit) - height_at_money(anchor)
    if rise > 0:
        anchor[ALPHA] = int(anchor[ALPHA]) + rise
    back = blend_least(theta, nearer, edge, fit, anchor, smile)
    if back == BLENDS and not butterfly_free(
        theta,
        int(smile[ALPHA]),
        int(smile[LEFT]),
        int(smile[RIGHT]),
        int(smile[MIDDLE]),
        int(smile[WIDTH]),
        0,
    ):
        return -1
    return moved + back
