"""Each product of the catalogue: admitted, bounded, without overflow, and zero-sum at settlement.

The machine's own `payoff_ticks` is translated on the product's compiled code, with every
observation and parameter any int64 whatever: the machine brings it into its declared range. Every
position settles by `notional`, as fills do.
"""

from typing import Final

from quorate.execution.rules import notional
from quorate.formal.claims import Claim, Range
from quorate.formal.hints import assume, shown
from quorate.instruments.payoff.catalogue import CATALOGUE
from quorate.instruments.payoff.checker import CHECK_OUT, CHECK_WORK, check
from quorate.instruments.payoff.language import declared
from quorate.instruments.payoff.machine import payoff_ticks
from quorate.types.limits import (
    PAYOFF_CODE_MAX,
    PAYOFF_INPUTS,
    PERPETUAL_LOTS_MAX,
    POSITION_NOTIONAL_MAX_E6,
    PRICE_TICKS_MAX,
    QUANTUM_E6_MAX,
)
from quorate.types.payoff_codes import Input

ANY: Final[Range] = (-(2**63), 2**63 - 1)
SIZE: Final[Range] = (-PERPETUAL_LOTS_MAX, PERPETUAL_LOTS_MAX)
PRICE: Final[Range] = (0, PRICE_TICKS_MAX)
QUANTUM: Final[Range] = (1, QUANTUM_E6_MAX)
CODES: Final = tuple(product.payoff().code for product in CATALOGUE)
RANGES: Final = tuple(
    tuple(map(tuple, declared(product.ranges))) for product in CATALOGUE
)
BOUNDS: Final = tuple(product.bounds for product in CATALOGUE)
NUMBERS: Final = tuple(int(each) for each in Input)


def admitted(product: int) -> bool:
    """The checker that the chain runs admits the product, with its ranges and bounds."""
    lows, highs = RANGES[product]
    low, high = BOUNDS[product]
    work = [0] * CHECK_WORK
    out = [0] * CHECK_OUT
    code = list(CODES[product])
    return check(code, len(code), lows, highs, low, high, work, out) == 0


def pays(product: int, first: list[int], rest: list[int]) -> int:
    """What a lot pays, in ticks, for observations and parameters in the order of their numbers."""
    lows, highs = RANGES[product]
    inputs = [0] * PAYOFF_INPUTS
    for at in range(len(NUMBERS)):
        inputs[NUMBERS[at]] = first[at] if at < len(first) else rest[at - len(first)]
    values = [0] * PAYOFF_CODE_MAX
    code = list(CODES[product])
    return payoff_ticks(code, len(code), inputs, lows, highs, values)


def product_holds(
    product: int,
    fix: int,
    spot: int,
    first: int,
    avg: int,
    low: int,
    high: int,
    count: int,
    inside: int,
    realized: int,
    touched_up: int,
    touched_down: int,
    touched: int,
    strike: int,
    upper: int,
    lower: int,
    rebate: int,
    cap: int,
    rate: int,
) -> bool:
    """Whatever is observed, a listed product pays within its declared bounds, and never faults."""
    observed = [fix, spot, first, avg, low, high, count, inside, realized, touched_up]
    named = [touched_down, touched, strike, upper, lower, rebate, cap, rate]
    found = pays(product, observed, named)
    least, most = BOUNDS[product]
    priced = 0 <= least and most <= PRICE_TICKS_MAX
    return priced and admitted(product) and least <= found and found <= most


def pair_settles(product: int, paid: int, quantum_e6: int, lots: int) -> bool:
    """What a long receives is what its short pays, to the unit, and neither passes int64.

    `paid` is any payoff within the bounds of the product, which `product_holds` shows it to be.
    """
    least, most = BOUNDS[product]
    assume(least <= paid and paid <= most)
    shown(paid * lots <= most * lots)
    shown(paid * lots * quantum_e6 <= most * lots * quantum_e6)
    assume(most * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    return notional(paid, lots, quantum_e6) + notional(paid, -lots, quantum_e6) == 0


def holders_settle(paid: int, quantum_e6: int, a: int, b: int, c: int, d: int) -> bool:
    """In any market, positions of four holders that sum to none settle to none."""
    assume(a + b + c + d == 0)
    sums = (
        notional(paid, a, quantum_e6)
        + notional(paid, b, quantum_e6)
        + notional(paid, c, quantum_e6)
        + notional(paid, d, quantum_e6)
    )
    return sums == (a + b + c + d) * (paid * quantum_e6) and sums == 0



def product_claims(name: str) -> list[Claim]:
    """Give the claims about one product; raises KeyError where there is none of that name."""
    numbers = {product.name: at for at, product in enumerate(CATALOGUE)}
    at = numbers[name]
    names = [each.name.lower() for each in Input]
    used = [each for each in names if each in CATALOGUE[at].ranges]
    return [
        Claim(
            product_holds,
            dict.fromkeys(used, ANY),
            {"product": (at,)} | {each: (0,) for each in names if each not in used},
            named=name,
        ),
        Claim(
            pair_settles,
            {"paid": PRICE, "quantum_e6": QUANTUM, "lots": (0, PERPETUAL_LOTS_MAX)},
            {"product": (at,)},
            named=f"{name}, settled",
        ),
    ]


PRODUCTS: Final = [product.name for product in CATALOGUE]
SETTLEMENT: Final = [
    Claim(
        holders_settle,
        {"paid": PRICE, "quantum_e6": QUANTUM} | dict.fromkeys(("a", "b", "c", "d"), SIZE),
        owed=False,
    ),
]
