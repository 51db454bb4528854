"""The machine that runs the code of a payoff with checked arithmetic.

A run takes one step for each word. An observation enters clamped into its declared range, so what
the checker assumed of it holds whatever is observed. The checker's admission makes a fault
impossible; the machine looks all the same, and gives a fault in place of a wrong number.
"""

from quorate.instruments.payoff.code import (
    ARITY,
    Ints,
    IntsOut,
    a_of,
    b_of,
    c_of,
    constant_of,
    divisor_of,
    is_input,
    op_of,
)
from quorate.instruments.payoff.rules import CONST, DIV, INPUT, SELECT, apply, fits

# By limits, no payoff is negative.
PAYOFF_FAULT = -1


def clamped(value: int, low: int, high: int) -> int:
    """Return the nearest value of an interval."""
    return min(max(value, low), high)


def run(
    code: Ints, count: int, inputs: Ints, lows: Ints, highs: Ints, values: IntsOut
) -> int:
    """Write the value of each of the first `count` words to `values`; return 0, or a fault.

    `inputs` are observations and parameters by their number; `lows` and `highs` are their declared
    ranges. `values` has room for PAYOFF_CODE_MAX numbers, and count is no more. A fault is one more
    than the place of the word that has no value: one that is not of the form that the checker
    admits, or whose result is not within +-PAYOFF_VALUE_MAX.
    """
    for place in range(count):
        word = code[place]
        op = op_of(word)
        if word < 0 or op < CONST or op > SELECT:
            return place + 1
        if op == CONST:
            values[place] = constant_of(word)
            continue
        if op == INPUT:
            number = a_of(word)
            if not is_input(number):
                return place + 1
            values[place] = clamped(inputs[number], lows[number], highs[number])
            continue
        a = values[a_of(word)]
        b = 0
        c = 0
        if op == DIV:
            b = divisor_of(word)
            if b == 0:
                return place + 1
        elif ARITY[op] >= 2:
            b = values[b_of(word)]
            if op == SELECT:
                c = values[c_of(word)]
        if not fits(op, a, b):
            return place + 1
        values[place] = apply(op, a, b, c)
    return 0


def payoff_ticks(
    code: Ints, count: int, inputs: Ints, lows: Ints, highs: Ints, values: IntsOut
) -> int:
    """Return the payoff in ticks, or PAYOFF_FAULT. Arguments as of `run`, count at least 1."""
    if run(code, count, inputs, lows, highs, values) != 0:
        return PAYOFF_FAULT
    return values[count - 1]
