"""The greeks of Black-76 without discounting, from the density and Mills' ratios of the price.

All are in 2**-40 and fractions of the forward. Delta is per unit of the forward; gamma is that of
delta times the forward, n(d1) / s; vega is per 1.00 of volatility; theta is per day and negative;
rho is per 1.00 of the rate at rate 0, where a premium is worth exp(-rate * time) of itself.
With d1 = h of `black76` where the strike is above the forward, and d1 = b and n(d1) = n(h) K / F
where it is below. The subset of the language of scalar rules; `greeks_fill` writes a row.
"""

from typing import Final

from quorate.instruments.pricing.black76 import (
    DAY_MS,
    distance_of_ratio_q52,
)
from quorate.instruments.pricing.fixed import (
    ONE,
    ONE_Q56,
    ONE_Q60,
    octaves,
    product_q52,
    quotient_q52,
)
from quorate.instruments.pricing.normal import TAIL_Q52, bell_q56, half_square_q52, mills_q56

# Columns of a row.
PRICE: Final = 0
DELTA: Final = 1
GAMMA: Final = 2
VEGA: Final = 3
THETA: Final = 4
RHO: Final = 5
COLUMNS: Final = 6

SECOND_MS: Final = 1000
GAMMA_MAX_FP: Final = 2**60
RHO_PRICE_MAX_FP: Final = 2**54


def gamma_fp(density_q56: int, deviation: int) -> int:
    """Return n(d1) / s in 2**-40, floored; at most GAMMA_MAX_FP. deviation in 2**-40, at least 1.

    density: n(d1) in 2**-56, at most 0.4.
    """
    first = density_q56 * 2**8
    whole = first // deviation
    if whole >= 2**44:
        return GAMMA_MAX_FP
    return whole * 2**16 + (first - whole * deviation) * 2**16 // deviation


def vega_fp(density_q56: int, root_q52: int) -> int:
    """Return n(d1) * sqrt(tau) in 2**-40, floored; root as `root_years_q52`."""
    return product_q52(density_q56, root_q52) // 2**16


def theta_fp(density_q56: int, deviation: int, time_ms: int) -> int:
    """Return -n(d1) * s / (2 * days) in 2**-40, rounded towards 0; time below 2**37 ms.

    A time of less than a second counts as one.
    """
    loss = product_q52(density_q56, deviation * 2**12) // 2**16
    time = time_ms if time_ms > SECOND_MS else SECOND_MS
    half_day = DAY_MS // 2
    return -(loss // time * half_day + loss % time * half_day // time)


def rho_fp(price_fp: int, root_q52: int) -> int:
    """Return -price * tau in 2**-40; a price beyond RHO_PRICE_MAX_FP counts as that.

    root as `root_years_q52`, below 2**55.
    """
    price = price_fp if price_fp < RHO_PRICE_MAX_FP else RHO_PRICE_MAX_FP
    return -product_q52(price, product_q52(root_q52, root_q52))


def edge_fill(ratio: int, call: bool, root_q52: int, row: list[int]) -> None:
    """Write the price and the greeks of an option without time value."""
    inside = ratio < ONE if call else ratio > ONE
    price = 0
    if inside:
        price = ONE - ratio if call else ratio - ONE
    row[PRICE] = price
    row[DELTA] = 0
    if inside:
        row[DELTA] = ONE if call else -ONE
    row[GAMMA] = 0
    row[VEGA] = 0
    row[THETA] = 0
    row[RHO] = rho_fp(price, root_q52)


def greeks_fill(
    ratio: int, deviation: int, root_q52: int, time_ms: int, call: bool, row: list[int]
) -> None:
    """Write the price, as `ratio_price_fp` has it, and the greeks into a row of COLUMNS integers.

    ratio: strike / forward in 2**-40, up to 2**62; deviation: s in 2**-40, from
    `root_deviation_fp` with the same root.
    """
    distance = 0
    if ratio > 0:
        distance = distance_of_ratio_q52(ratio)
    if ratio <= 0 or distance // 2**16 >= deviation:
        edge_fill(ratio, call, root_q52, row)
        return
    quotient = quotient_q52(distance, deviation)
    half = deviation * 2**11
    h = half - quotient
    if h < -TAIL_Q52:
        edge_fill(ratio, call, root_q52, row)
        return
    # Term by term as time_value_q60, of which this keeps the parts.
    square = half_square_q52(h)
    halvings = octaves(square)
    bell = bell_q56(square, halvings)
    far = mills_q56(half + quotient)
    near = mills_q56(h if h > 0 else -h)
    if h > 0:
        value = ONE_Q60 - (product_q52(bell, near + far) >> halvings)
    else:
        value = product_q52(bell, near - far) >> halvings
    density = bell >> halvings
    if ratio >= ONE:
        price = value // 2**20
        tail = product_q52(bell, near) >> (halvings + 4)
        delta = (ONE_Q56 - tail if h > 0 else tail) // 2**16
    else:
        price = product_q52(value, ratio) // 2**8
        density = product_q52(density, ratio * 2**12)
        delta = (ONE_Q56 - product_q52(density, far) // 2**4) // 2**16
    if ratio >= ONE and not call:
        price += ratio - ONE
    if ratio < ONE and call:
        price += ONE - ratio
    row[PRICE] = price
    row[DELTA] = delta if call else delta - ONE
    row[GAMMA] = gamma_fp(density, deviation)
    row[VEGA] = vega_fp(density, root_q52)
    row[THETA] = theta_fp(density, deviation, time_ms)
    row[RHO] = rho_fp(price, root_q52)
