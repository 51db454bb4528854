"""The wide products and quotients of execution/wide.py are exact: their code, limb by limb.

All other proofs take mul_div_floor and its kin as what their docstrings state. These show it, from
the code: a product's two parts, one digit of Knuth's division, the two digits of a quotient for
each length of divisor, the rounding of mul_div, the comparisons.
"""

from typing import Any, Final

from quorate.execution.wide import (
    mul_div_ceil,
    mul_div_floor,
    product_high,
    product_low,
    products_in_order,
    sizes_in_order,
    wide_quotient,
)
from quorate.formal.claims import Claim
from quorate.formal.hints import assume, shown
from quorate.types.limits import INT64_MAX, LIMB, QUOTIENT_MAX, WIDE_LOW

WIDE_PRODUCT: Final = 2**124


def product_is_exact(a_top: int, a_rest: int, b_top: int, b_rest: int) -> bool:
    """product_high * 2**62 + product_low = a * b, of factors below 2**63, products below 2**124."""
    a = a_top * LIMB + a_rest
    b = b_top * LIMB + b_rest
    assume(a * b < WIDE_PRODUCT)
    high = product_high(a, b)
    low = product_low(a, b)
    shown(a // LIMB == a_top and a % LIMB == a_rest)
    shown(b // LIMB == b_top and b % LIMB == b_rest)
    middle = a_top * b_rest + a_rest * b_top
    shown(a * b == a_top * b_top * WIDE_LOW + middle * LIMB + a_rest * b_rest)
    return high * WIDE_LOW + low == a * b and 0 <= low and low < WIDE_LOW and 0 <= high


def quotient_is_exact(high: int, low: int, divisor: int) -> bool:
    """wide_quotient is the floor of (high * 2**62 + low) / divisor."""
    assume(high < divisor)
    found = wide_quotient(high, low, divisor)
    value = high * WIDE_LOW + low
    return found * divisor <= value and value < found * divisor + divisor


# What the two claims above show, as functions: with them the rest is read.
def exact_high(a: int, b: int) -> int:
    """product_high, exactly."""
    return a * b // WIDE_LOW


def exact_low(a: int, b: int) -> int:
    """product_low, exactly."""
    return a * b % WIDE_LOW


def exact_quotient(high: int, low: int, divisor: int) -> int:
    """wide_quotient, exactly."""
    return (high * WIDE_LOW + low) // divisor


def mul_div_is_exact(a: int, b: int, c: int, up: bool) -> bool:
    """mul_div_floor and mul_div_ceil are exact, but for results kept within +-QUOTIENT_MAX."""
    assume(abs(a) * b < WIDE_PRODUCT)
    found = mul_div_ceil(a, b, c) if up else mul_div_floor(a, b, c)
    down = a * b // c
    size = abs(a) * b
    floor = size // c
    shown(size // WIDE_LOW * WIDE_LOW + size % WIDE_LOW == size)
    shown(floor * c <= size and size < floor * c + c)
    shown(size // WIDE_LOW < c or size >= c * WIDE_LOW)
    shown(size // WIDE_LOW >= c or size < c * WIDE_LOW)
    shown(size // WIDE_LOW < c or floor >= WIDE_LOW)
    shown(size // WIDE_LOW >= c or floor < WIDE_LOW)
    shown(a < 0 or down == floor)
    shown(a >= 0 or down == (-floor if floor * c == size else -floor - 1))
    whole = floor * c == size
    exact = down + 1 if up and not whole else down
    return found == max(-QUOTIENT_MAX, min(QUOTIENT_MAX, exact))


def order_is_exact(a: int, b: int, c: int, d: int) -> bool:
    """products_in_order compares a * b with c * d exactly."""
    assume(abs(a) * b < WIDE_PRODUCT and abs(c) * d < WIDE_PRODUCT)
    return products_in_order(a, b, c, d) == (a * b <= c * d)


def size_order_is_exact(a: int, b: int, c: int, d: int) -> bool:
    """sizes_in_order compares a * b with c * d exactly."""
    assume(a * b < WIDE_PRODUCT and c * d < WIDE_PRODUCT)
    return sizes_in_order(a, b, c, d) == (a * b <= c * d)


FACTOR: Final = (0, INT64_MAX)
SIGNED: Final = (-INT64_MAX, INT64_MAX)
WIDE: Final = "quorate.execution.wide"
MODELS: Final[dict[tuple[str, str], Any]] = {
    (WIDE, "product_high"): exact_high,
    (WIDE, "product_low"): exact_low,
    (WIDE, "wide_quotient"): exact_quotient,
}
CLAIMS: Final = [
    Claim(
        product_is_exact,
        {
            **dict.fromkeys(("a_top", "b_top"), (0, 2**32 - 1)),
            **dict.fromkeys(("a_rest", "b_rest"), (0, LIMB - 1)),
        },
        wide_axioms=False,
    ),
    *(
        Claim(
            quotient_is_exact,
            {
                "high": (0, 2**62 - 1),
                "low": (0, WIDE_LOW - 1),
                "divisor": (2 ** (62 - bits), 2 ** (63 - bits) - 1),
            },
            wide_axioms=False,
            named=f"quotient_is_exact of {63 - bits} bits",
        )
        for bits in range(63)
    ),
    Claim(
        mul_div_is_exact,
        {"a": SIGNED, "b": FACTOR, "c": (1, INT64_MAX)},
        {"up": (0, 1)},
        models=MODELS,
        wide_axioms=False,
    ),
    Claim(
        order_is_exact,
        {"a": SIGNED, "b": FACTOR, "c": SIGNED, "d": FACTOR},
        models=MODELS,
        wide_axioms=False,
    ),
    Claim(
        size_order_is_exact,
        dict.fromkeys(("a", "b", "c", "d"), FACTOR),
        models=MODELS,
        wide_axioms=False,
    ),
]
