"""Product, exponential, logarithm and root in fixed point: integers in, one integer out.

The subset of the language of scalar rules: the same source runs as plain Python and compiled. A
name ends in the unit of what it returns: `_fp` is 2**-40, `_q52` is 2**-52, `_q56` is 2**-56.
Errors are absolute unless said otherwise; docs/pricing.md adds them up, and the tests measure them.
"""

from typing import Final

import numpy as np

from quorate.instruments.pricing import tables
from quorate.instruments.pricing.tables import (
    INVERSE_ROOT_YEAR_Q76,
    LN2_Q57,
    LOG2_E_Q26,
)

ONE: Final = 2**40  # of a fraction of the forward
ONE_Q52: Final = 2**52
ONE_Q56: Final = 2**56
ONE_Q60: Final = 2**60
HALF: Final = 2**26
LN_ONE_Q52: Final = 40 * LN2_Q57 // 2**5  # of ONE, as ln_q52 gives it

DECAY: Final = np.array(tables.DECAY, np.int64)
LOG_INVERSES: Final = np.array(tables.LOG_INVERSES, np.int64)
LOGS: Final = np.array(tables.LOGS, np.int64)
for _table in (DECAY, LOG_INVERSES, LOGS):
    _table.flags.writeable = False

# exp(-t) for |t| <= 2**-7 by its series: 1 / k!, in 2**-56.
DECAY_2: Final = ONE_Q56 // 2
DECAY_3: Final = ONE_Q56 // 6
DECAY_4: Final = ONE_Q56 // 24
DECAY_5: Final = ONE_Q56 // 120
DECAY_6: Final = ONE_Q56 // 720

# ln(1 + z) for |z| < 2**-6 by its series: 1 / k, in 2**-56.
LOG_3: Final = ONE_Q56 // 3
LOG_5: Final = ONE_Q56 // 5
LOG_6: Final = ONE_Q56 // 6
LOG_7: Final = ONE_Q56 // 7


def product_q52(x: int, y: int) -> int:
    """Return x * y // 2**52, exact; x * y in +-2**114, either factor in +-2**61.

    In halves of 26 bits: no partial sum passes 2**63 within these bounds.
    """
    x_high = x // HALF
    x_low = x % HALF
    y_high = y // HALF
    y_low = y % HALF
    return x_high * y_high + (x_high * y_low + x_low * y_high + x_low * y_low // HALF) // HALF


def quotient_q52(x_q52: int, y_fp: int) -> int:
    """Return x / y in 2**-52, floored, exact; 0 <= x < 2**57, 0 < y < 2**44, x / y < 2**10."""
    first = x_q52 * 2**6  # below 2**63; in 2**-18 of the quotient
    whole = first // y_fp
    rest = (first - whole * y_fp) * 2**17
    middle = rest // y_fp
    return (whole * 2**17 + middle) * 2**17 + (rest - middle * y_fp) * 2**17 // y_fp


def ratio_fp(numerator: int, denominator: int) -> int:
    """Return numerator / denominator in 2**-40, floored; 2**62 where it were more.

    Bounds: 0 <= numerator < 2**40, 0 < denominator < 2**40.
    """
    first = numerator * 2**22
    whole = first // denominator
    if whole >= 2**44:
        return 2**62
    return whole * 2**18 + (first - whole * denominator) * 2**18 // denominator


def octaves(z_q52: int) -> int:
    """Return how many halvings are taken out of exp(-z): z / ln 2, floored, or one less."""
    return z_q52 // HALF * LOG2_E_Q26 // ONE_Q52


def decay_q56(z_q52: int, halvings: int) -> int:
    """Return exp(-z) * 2**halvings in 2**-56, for 0 <= z <= 50 and halvings = octaves(z).

    Relative error below 2**-51, with which it may pass 1. A table at steps of 1/64, then the series
    to t**6.
    """
    rest_q52 = z_q52 - halvings * LN2_Q57 // 2**5
    index = rest_q52 // 2**46
    t = rest_q52 - index * 2**46 - 2**45
    t_q37 = t // 2**15  # below 2**30
    series = DECAY_5 - DECAY_6 // 2**20 * t_q37 // 2**17
    series = DECAY_4 - series // 2**20 * t_q37 // 2**17
    series = DECAY_3 - product_q52(series, t)
    series = DECAY_2 - product_q52(series, t)
    series = ONE_Q56 - product_q52(series, t)
    series = ONE_Q56 - product_q52(series, t)
    return product_q52(int(DECAY[index]), series) // 2**4


def ln_q52(n: int) -> int:
    """Return ln n in 2**-52 for 1 <= n < 2**62; error below 2**-49, strictly rising to 2**48.

    The mantissa in [1, 2) times a short inverse of its piece's middle is 1 + z, exactly for
    n < 2**53; then the series to z**7.
    """
    mantissa = n
    exponent = 52
    while mantissa >= 2**53:
        mantissa //= 2
        exponent += 1
    if mantissa < 2**21:
        mantissa *= 2**32
        exponent -= 32
    if mantissa < 2**37:
        mantissa *= 2**16
        exponent -= 16
    if mantissa < 2**45:
        mantissa *= 2**8
        exponent -= 8
    if mantissa < 2**49:
        mantissa *= 2**4
        exponent -= 4
    if mantissa < 2**51:
        mantissa *= 2**2
        exponent -= 2
    if mantissa < 2**52:
        mantissa *= 2
        exponent -= 1
    index = mantissa // 2**46 - 64
    z = (mantissa * int(LOG_INVERSES[index]) - 2**61) // 2**9
    z_q36 = z // 2**16  # below 2**30
    series = LOG_6 - LOG_7 // 2**22 * z_q36 // 2**14
    series = LOG_5 - series // 2**22 * z_q36 // 2**14
    series = ONE_Q56 // 4 - product_q52(series, z)
    series = LOG_3 - product_q52(series, z)
    series = ONE_Q56 // 2 - product_q52(series, z)
    series = ONE_Q56 - product_q52(series, z)
    return exponent * LN2_Q57 // 2**5 + int(LOGS[index]) + product_q52(z, series) // 2**4


def root_q28(n: int) -> int:
    """Return the square root of n in 2**-28, floored within 2**-30; 1 <= n < 2**62.

    The root of n * 4**j near 2**61 by Newton's method, then one step with the exact remainder.
    """
    scaled = n
    scale = 1
    if scaled < 2**30:
        scaled *= 2**32
        scale *= 2**16
    if scaled < 2**46:
        scaled *= 2**16
        scale *= 2**8
    if scaled < 2**54:
        scaled *= 2**8
        scale *= 2**4
    if scaled < 2**58:
        scaled *= 2**4
        scale *= 2**2
    if scaled < 2**60:
        scaled *= 2**2
        scale *= 2
    root = 2**30 + (scaled - 2**60) // (3 * 2**30)  # the chord: low by at most 1 / 17
    for _ in range(3):
        root = (root + scaled // root) // 2
    return (root * 2**28 + (scaled - root * root) * 2**27 // root) // scale


def root_years_q52(time_ms: int) -> int:
    """Return the square root of a time in years of 365 days, in 2**-52; rises with every ms.

    Bounds: 0 < time_ms < 2**40. Relative error below 2**-38 from an hour on.
    """
    return product_q52(root_q28(time_ms), INVERSE_ROOT_YEAR_Q76)


def ln_fp(x_fp: int) -> int:
    """Return ln x in 2**-40 of x in 2**-40, floored within 2**-50; 0 < x < 2**62."""
    return (ln_q52(x_fp) - LN_ONE_Q52) // 2**12


def exp_fp(x_fp: int) -> int:
    """Return exp(x) in 2**-40 of x in 2**-40, floored; 0 below -28, and capped from 15 on.

    Relative error below 2**-39, or absolute error below 2**-39 for negative x.
    """
    if x_fp < -28 * ONE:
        return 0
    x_q52 = x_fp * 2**12 if x_fp < 15 * ONE else 15 * ONE_Q52
    if x_q52 <= 0:
        halvings = octaves(-x_q52)
        return decay_q56(-x_q52, halvings) >> (halvings + 16)
    doublings = octaves(x_q52) + 1
    rest = doublings * LN2_Q57 // 2**5 - x_q52
    if rest < 0:  # octaves may be one short
        rest += LN2_Q57 // 2**5
        doublings += 1
    if doublings <= 16:
        return decay_q56(rest, 0) >> (16 - doublings)
    return decay_q56(rest, 0) << (doublings - 16)
