"""The normal distribution in fixed point: Mills' ratio, density, distribution.

Everything rests on Mills' ratio M(z) = (1 - N(z)) / n(z), n the density: it falls slowly from 1.25
to 1 / z, so that a tail n(z) M(z) has a relative error as small in the tail as in the middle. The
subset of the language of scalar rules, as `fixed`.
"""

from typing import Final

import numpy as np

from quorate.instruments.pricing import tables
from quorate.instruments.pricing.fixed import (
    ONE_Q56,
    decay_q56,
    octaves,
    product_q52,
)
from quorate.instruments.pricing.tables import INVERSE_ROOT_TAU_Q52

MILLS: Final = np.array(tables.MILLS, np.int64)
MILLS.flags.writeable = False

TAIL_Q52: Final = 8 * 2**52  # beyond it the density is below 2**-47 and a price below 2**-50


def mills_q56(z_q52: int) -> int:
    """Return Mills' ratio in 2**-56, for 0 <= z < 20; error below 2**-52.

    A polynomial of degree 8 on each piece of width 1/8; its upper terms need 30 bits only.
    """
    index = z_q52 // 2**49
    w = (z_q52 - index * 2**49 - 2**48) * 2**4
    w_q30 = w // 2**22
    c = MILLS[index]
    series = int(c[7]) + int(c[8]) * w_q30 // 2**30
    series = int(c[6]) + series * w_q30 // 2**30
    series = int(c[5]) + series * w_q30 // 2**30
    series = int(c[4]) + series * w_q30 // 2**30
    series = int(c[3]) + product_q52(series, w)
    series = int(c[2]) + product_q52(series, w)
    series = int(c[1]) + product_q52(series, w)
    return int(c[0]) + product_q52(series, w)


def half_square_q52(z_q52: int) -> int:
    """Return z * z / 2 in 2**-52, for |z| < 2**8."""
    return product_q52(z_q52, z_q52) // 2


def bell_q56(half_q52: int, halvings: int) -> int:
    """Return the density n(z) times 2**halvings in 2**-56; half = z * z / 2, halvings its octaves.

    In (0.19, 0.4]; relative error below 2**-50.
    """
    return product_q52(decay_q56(half_q52, halvings), INVERSE_ROOT_TAU_Q52)


def density_q56(z_q52: int) -> int:
    """Return the density n(z) in 2**-56; 0 beyond TAIL on either side."""
    if z_q52 > TAIL_Q52 or z_q52 < -TAIL_Q52:
        return 0
    half = half_square_q52(z_q52)
    halvings = octaves(half)
    return bell_q56(half, halvings) >> halvings


def density_fp(z_fp: int) -> int:
    """Return the density n(z) in 2**-40; |z| < 2**50."""
    return density_q56(z_fp * 2**12) // 2**16


def distribution_q56(z_q52: int) -> int:
    """Return the distribution N(z) in 2**-56: 0 and 1 beyond TAIL on either side."""
    if z_q52 < 0:
        if z_q52 < -TAIL_Q52:
            return 0
        return product_q52(density_q56(z_q52), mills_q56(-z_q52)) // 2**4
    if z_q52 > TAIL_Q52:
        return ONE_Q56
    return ONE_Q56 - product_q52(density_q56(z_q52), mills_q56(z_q52)) // 2**4


def distribution_fp(z_fp: int) -> int:
    """Return the distribution N(z) in 2**-40; |z| < 2**50."""
    return distribution_q56(z_fp * 2**12) // 2**16
