"""Black-76 twice more: in exact integers, far below our last place, and as QuantLib has it."""

from fractions import Fraction
from math import isqrt

import QuantLib

from tests.instruments.pricing.derivation import (
    BITS,
    ONE,
    exponential,
    fixed,
    logarithm,
    mills_at,
    pi,
)

LN2 = logarithm(Fraction(2))
ROOT_TAU = isqrt(2 * pi() << BITS)
KEPT_BITS = 160
FAR = 20  # beyond so many deviations the distribution is 0 or 1 within 2**-290


def times(a: int, b: int) -> int:
    return a * b >> BITS


def cut(value: int) -> Fraction:
    """A number of 2**-BITS with KEPT_BITS of them, so that series of it stay quick."""
    return Fraction(value >> (BITS - KEPT_BITS), 1 << KEPT_BITS)


def ln(x: Fraction) -> int:
    """ln x of any x > 0, halved or doubled into [2/3, 4/3] first."""
    octaves = 0
    while x > Fraction(4, 3):
        x /= 2
        octaves += 1
    while x < Fraction(2, 3):
        x *= 2
        octaves -= 1
    return logarithm(x) + octaves * LN2


def density(z: Fraction) -> int:
    return (ONE * ONE // exponential(z * z / 2) << BITS) // ROOT_TAU


def distribution(z: Fraction) -> Fraction:
    """N(z), within 2**-150."""
    if abs(z) >= FAR:
        return Fraction(int(z > 0))
    tail = Fraction(times(density(z), mills_at(abs(z))), ONE)
    return 1 - tail if z > 0 else tail


def black76(ratio: Fraction, deviation: Fraction, call: bool) -> Fraction:
    """Price over forward for strike over forward and s = sigma * sqrt(tau); within 2**-140."""
    y = Fraction(ln(ratio), ONE)
    d1 = cut(fixed(-y / deviation + deviation / 2))
    d2 = cut(fixed(-y / deviation - deviation / 2))
    price = distribution(d1) - ratio * distribution(d2)
    return price if call else price + ratio - 1


def quantlib(forward: int, strike: int, deviation: float, call: bool) -> float:
    """QuantLib's price over the forward."""
    kind = QuantLib.Option.Call if call else QuantLib.Option.Put
    return QuantLib.blackFormula(kind, strike, forward, deviation) / forward
