"""Black-76 without discounting: price, greeks and implied volatility, in integers.

With r = max(F, K) / min(F, K), y = ln r and s = sigma * sqrt(tau), the option that is out of the
money costs min(F, K) * u(y, s), call or put alike:

    u = N(h) - r N(-b),    h = s/2 - y/s,    b = s/2 + y/s,    n(h) = r n(b)
      = n(h) (M(-h) - M(b))           for h <= 0
      = 1 - n(h) (M(h) + M(b))        for h > 0

M is Mills' ratio (`normal`). The option in the money costs |F - K| more: parity is exact, and no
price passes its bounds, since 0 <= u <= 1.

Monotone. Both lines multiply a density by a factor, each with a small *relative* error, before the
only rounding. ln u changes with s by 1 / (M(-h) - M(b)) >= 0.79 and with y by M(b) times that
(likewise 1 - u), so that one step of 2**-40 of either moves the unrounded value by more than its
error (2**-48 for M(b) >= 2**-5): a price never moves the wrong way when the volatility, time,
strike or forward moves by one unit. docs/pricing.md gives the argument whole, and the tests walk
adjacent inputs.

Forward and strike are integers of one unit in [1, 2**40); their quotient is meant to be in
[1/8, 8], a volatility in [VOL_MIN_E9, VOL_MAX_E9] and a time in [TIME_MIN_MS, TIME_MAX_MS]. Beyond
these, prices keep their bounds and their order, and the stated errors are not claimed.
"""

from typing import Final

from quorate.instruments.pricing.fixed import (
    LN_ONE_Q52,
    ONE,
    ONE_Q60,
    ln_q52,
    octaves,
    product_q52,
    quotient_q52,
    ratio_fp,
    root_years_q52,
)
from quorate.instruments.pricing.normal import TAIL_Q52, bell_q56, half_square_q52, mills_q56

VOL_MIN_E9: Final = 10_000_000
VOL_MAX_E9: Final = 5_000_000_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
YEAR_MS: Final = 365 * DAY_MS
TIME_MIN_MS: Final = HOUR_MS
TIME_MAX_MS: Final = 3 * YEAR_MS
DEVIATION_MAX_FP: Final = 12 * 2**40  # from here on prices stay, within 6e-9 of their bound
VOL_CEILING_E9: Final = 2**41  # reaches the largest deviation from an hour on


def root_deviation_fp(vol_e9: int, root_q52: int) -> int:
    """Return sigma times a root of time (`root_years_q52`) in 2**-40, floored.

    At most DEVIATION_MAX_FP and at least 1. Bound: 0 <= root < 2**55.
    """
    vol = vol_e9
    if vol < 1:
        vol = 1
    if vol > VOL_CEILING_E9:
        vol = VOL_CEILING_E9
    # vol * root // 2**26, exact: the root in halves of 26 bits, the volatility in 28 and 13.
    root_high = root_q52 // 2**26
    root_low = root_q52 % 2**26
    if vol // 2**9 * root_high >= 12 * 10**9 * 2**17:  # below 2**62
        return DEVIATION_MAX_FP
    low = (vol // 2**13 * root_low + vol % 2**13 * root_low // 2**13) // 2**13
    scaled = vol * root_high + low  # below 2**60
    # Times 2**14 / 10**9 is 32 / 5**9: quotient and rest apart.
    found = scaled // 5**9 * 2**5 + scaled % 5**9 * 2**5 // 5**9
    if found > DEVIATION_MAX_FP:
        return DEVIATION_MAX_FP
    return found if found > 0 else 1


def deviation_fp(vol_e9: int, time_ms: int) -> int:
    """Return sigma * sqrt(tau) in 2**-40, for a year of 365 days; 0 < time_ms < 2**40."""
    return root_deviation_fp(vol_e9, root_years_q52(time_ms))


def time_value_q60(distance_q52: int, deviation: int) -> int:
    """Return u(y, s) in 2**-60: what the option out of the money costs, over min(F, K).

    distance: y = |ln(K / F)| in 2**-52; deviation: s in 2**-40, 1 to DEVIATION_MAX_FP.
    """
    if distance_q52 // 2**16 >= deviation:  # y / s >= 16, and h <= -10
        return 0
    quotient = quotient_q52(distance_q52, deviation)
    half = deviation * 2**11
    h = half - quotient
    if h < -TAIL_Q52:
        return 0
    square = half_square_q52(h)
    halvings = octaves(square)
    bell = bell_q56(square, halvings)
    far = mills_q56(half + quotient)
    if h > 0:
        return ONE_Q60 - (product_q52(bell, mills_q56(h) + far) >> halvings)
    # Above 0: the difference is at least s / (2 + h * h), 2**-47, and either term is off by 2**-52.
    return product_q52(bell, mills_q56(-h) - far) >> halvings


def distance_of_ratio_q52(ratio: int) -> int:
    """Return |ln(ratio)| in 2**-52 for a ratio in 2**-40, 1 to 2**62."""
    found = ln_q52(ratio) - LN_ONE_Q52
    return found if found >= 0 else -found


def ratio_price_fp(ratio: int, deviation: int, call: bool) -> int:
    """Return the price of a strike given as a fraction of the forward; all in 2**-40.

    Floored; ratio in 0 to 2**62. Call less put is ONE - ratio, exactly.
    """
    if ratio <= 0:
        return ONE if call else 0
    value = time_value_q60(distance_of_ratio_q52(ratio), deviation)
    if ratio >= ONE:
        price = value // 2**20
        return price if call else price + ratio - ONE
    # In [0, ratio]: u * ratio / 2**60, floored once.
    price = product_q52(value, ratio) // 2**8
    return price + ONE - ratio if call else price


def price_fp(forward: int, strike: int, deviation: int, call: bool) -> int:
    """Return the price as a fraction of the forward in 2**-40, floored; the strike's ratio too.

    Within 2**-39 of Black-76 and the bounds max(0, 1 - K/F), 1 of a call and max(0, K/F - 1), K/F
    of a put; call less put is ONE - ratio_fp(strike, forward). Never rises with a call's strike,
    never falls with a put's, nor with the deviation.
    """
    return ratio_price_fp(ratio_fp(strike, forward), deviation, call)


def price_ticks(forward: int, strike: int, deviation: int, call: bool, up: bool) -> int:
    """Return the price in the unit of forward and strike, rounded up or down as `up` says.

    Call less put is forward - strike, exactly. Within its bounds, and monotone in forward, strike
    and deviation, each by one unit.
    """
    distance = ln_q52(strike) - ln_q52(forward)
    low = forward
    if distance < 0:
        distance = -distance
        low = strike
    value = time_value_q60(distance, deviation)
    price = product_q52(value, low) // 2**8
    if up:
        price = -(product_q52(-value, low) // 2**8)
    if call and forward > strike:
        price += forward - strike
    elif not call and strike > forward:
        price += strike - forward
    return price


def implied_root_vol_e9(price: int, ratio: int, root_q52: int, call: bool) -> int:
    """Return the least volatility at which `ratio_price_fp` reaches a price; 0 where none can.

    price and ratio in 2**-40, root as `root_years_q52`. None can for a price on or beyond its
    bounds; one so near the upper bound that VOL_CEILING falls short of it has the ceiling.
    """
    low_price = 0  # of the bounds
    high_price = ONE if call else ratio
    if call and ratio < ONE:
        low_price = ONE - ratio
    if not call and ratio > ONE:
        low_price = ratio - ONE
    if ratio <= 0 or price <= low_price or price >= high_price:
        return 0
    otm_call = ratio >= ONE
    value = price - low_price
    distance = distance_of_ratio_q52(ratio)
    weight = ONE if otm_call else ratio
    below = 0
    reached = VOL_CEILING_E9
    for _ in range(41):  # VOL_CEILING is 2**41
        middle = (below + reached) // 2
        found = time_value_q60(distance, root_deviation_fp(middle, root_q52))
        if product_q52(found, weight) // 2**8 >= value:
            reached = middle
        else:
            below = middle
    return reached


def implied_vol_e9(price: int, forward: int, strike: int, time_ms: int, call: bool) -> int:
    """Return the least volatility at which `price_fp` reaches a price in 2**-40; 0 where none can.

    Re-priced it gives the price back, up to 2**-30 more: a step of 1e-9 in the volatility. For a
    time from an hour on.
    """
    return implied_root_vol_e9(price, ratio_fp(strike, forward), root_years_q52(time_ms), call)
