"""The inputs of a series' payoff, and the payoff (docs/payoffs.md): a run of the product's code."""

import struct

from quorate.execution.spec.options_rows import Product, Series
from quorate.instruments.payoff import machine
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Input

_CODE = struct.Struct(f"<{PAYOFF_CODE_MAX}q")
_RANGES = struct.Struct(f"<{2 * PAYOFF_INPUTS}q")


def payoff_inputs(row: Series, fix: int, spot: int) -> list[int]:
    """What a payoff reads, by `payoff_codes.Input`. A path that nobody saw is its end, the fix."""
    found = [0] * PAYOFF_INPUTS
    seen = row.seen_count
    low, high = (row.seen_low, row.seen_high) if seen else (fix, fix)
    found[Input.FIX], found[Input.SPOT] = fix, spot
    found[Input.FIRST] = row.seen_first if seen else fix
    found[Input.AVG] = row.seen_sum // seen if seen else fix
    found[Input.LOW], found[Input.HIGH] = low, high
    found[Input.COUNT], found[Input.INSIDE] = seen, row.seen_inside
    found[Input.REALIZED] = row.seen_realized
    found[Input.STRIKE], found[Input.UPPER] = row.strike, row.upper
    found[Input.LOWER], found[Input.REBATE] = row.lower, row.rebate
    found[Input.CAP], found[Input.RATE] = row.cap, row.rate
    touches(found, low, high)
    return found


def touches(inputs: list[int], low: int, high: int) -> None:
    """Write whether a path of that range has touched the barriers; one at 0 is none."""
    up = 0 < inputs[Input.UPPER] <= high
    down = 0 < inputs[Input.LOWER] and low <= inputs[Input.LOWER]
    inputs[Input.TOUCHED_UP], inputs[Input.TOUCHED_DOWN] = int(up), int(down)
    inputs[Input.TOUCHED] = int(up or down)


def payoff_of(product: Product, inputs: list[int]) -> int:
    """Payoff in ticks. The checker's admission makes a fault impossible; one would pay nothing."""
    ranges = _RANGES.unpack(product.ranges)
    values = [0] * PAYOFF_CODE_MAX
    paid = machine.payoff_ticks(
        _CODE.unpack(product.code), product.words, inputs, ranges[::2], ranges[1::2], values
    )
    return min(max(int(paid), 0), PRICE_TICKS_MAX)
