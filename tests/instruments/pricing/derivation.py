"""The tables of quorate.instruments.pricing, derived anew in exact integer arithmetic.

Everything is an integer in units of 2**-BITS, far below the last place of any table. Run as a
program this prints tables.py; the test compares its numbers with the ones checked in.
"""

from fractions import Fraction
from math import isqrt

BITS = 640  # e**200 has 289 bits before the point
ONE = 1 << BITS
GUARD = 32

VALUE_BITS = 56
ARGUMENT_BITS = 52

MILLS_ROWS = 160
MILLS_DEGREE = 8
MILLS_HALF_WIDTH = Fraction(1, 16)
TAYLOR_DEGREE = 24

DECAY_ROWS = 45
DECAY_PER_ONE = 64
LOG_ROWS = 64
INVERSE_BITS = 9


def nearest(value: int, bits: int) -> int:
    """Round a number of 2**-BITS to the nearest one of 2**-bits."""
    drop = BITS - bits
    return (value + (1 << (drop - 1))) >> drop


def fixed(value: Fraction) -> int:
    return (value.numerator << BITS) // value.denominator


def exponential(x: Fraction) -> int:
    """e**x by its series; x >= 0."""
    total, term, k = 0, ONE << GUARD, 0
    while term:
        total += term
        k += 1
        term = term * x.numerator // (x.denominator * k)
    return total >> GUARD


def logarithm(x: Fraction) -> int:
    """ln x = 2 artanh((x - 1) / (x + 1)); x near 1."""
    z = (x - 1) / (x + 1)
    power = (z.numerator << (BITS + GUARD)) // z.denominator
    square = z * z
    total, k = 0, 1
    while power not in (0, -1):
        total += 2 * power // k
        power = power * square.numerator // square.denominator
        k += 2
    return total >> GUARD


def pi() -> int:
    """Machin: 16 arctan(1/5) - 4 arctan(1/239)."""

    def inverse_tangent(n: int) -> int:
        total, power, k = 0, (ONE << GUARD) // n, 1
        while power:
            total += power // k if k % 4 == 1 else -(power // k)
            power //= n * n
            k += 2
        return total

    return (16 * inverse_tangent(5) - 4 * inverse_tangent(239)) >> GUARD


def mills_at(c: Fraction) -> int:
    """(1 - N(c)) / n(c) = sqrt(pi / 2) e**(c*c/2) - (c + c**3/3 + c**5/15 + ...)."""
    whole = isqrt(pi() << (BITS - 1)) * exponential(c * c / 2) >> BITS
    square = c * c
    term, k, total = (c.numerator << (BITS + GUARD)) // c.denominator, 1, 0
    while term:
        total += term
        k += 2
        term = term * square.numerator // (square.denominator * k)
    return whole - (total >> GUARD)


def chebyshev(degree: int) -> list[int]:
    """Coefficients of T_degree, lowest first."""
    before, now = [1], [0, 1]
    for _ in range(degree - 1):
        following = [0] + [2 * a for a in now]
        for k, a in enumerate(before):
            following[k] -= a
        before, now = now, following
    return now


def economised(coefficients: list[int], degree: int) -> list[int]:
    """Lower the degree on [-1, 1]: the highest term is traded for its Chebyshev polynomial."""
    found = list(coefficients)
    while len(found) > degree + 1:
        top = len(found) - 1
        for k, a in enumerate(chebyshev(top)):
            found[k] -= found[top] * a >> (top - 1) if k < top else 0
        found.pop()
    return found


def mills_terms(index: int) -> list[int]:
    """Taylor's terms of Mills' ratio around the middle of a piece, in w = (z - c) / half width.

    The ratio solves M' = z M - 1, so M[n + 1] = z M[n] + n M[n - 1] for its derivatives.
    """
    c = (2 * index + 1) * MILLS_HALF_WIDTH
    scale = MILLS_HALF_WIDTH.denominator
    derivatives = [mills_at(c)]
    derivatives.append(c.numerator * derivatives[0] // c.denominator - ONE)
    for n in range(1, TAYLOR_DEGREE):
        z_part = c.numerator * derivatives[n] // c.denominator
        derivatives.append(z_part + n * derivatives[n - 1])
    factorial, terms = 1, []
    for k, derivative in enumerate(derivatives):
        factorial *= max(k, 1)
        terms.append(derivative // (factorial * scale**k))
    return terms


def mills_row(index: int) -> list[int]:
    """The coefficients of one piece, as the table has them."""
    return [nearest(a, VALUE_BITS) for a in economised(mills_terms(index), MILLS_DEGREE)]


def mills_table() -> list[list[int]]:
    return [mills_row(index) for index in range(MILLS_ROWS)]


def decay_table() -> list[int]:
    """e**-x at the middles of the pieces of width 1 / DECAY_PER_ONE."""
    rows = []
    for index in range(DECAY_ROWS):
        grown = exponential(Fraction(2 * index + 1, 2 * DECAY_PER_ONE))
        rows.append(nearest((ONE << BITS) // grown, VALUE_BITS))
    return rows


def log_inverses() -> list[int]:
    """1 / c for the middle c of each piece of [1, 2), in 2**-INVERSE_BITS, to nearest."""
    rows = []
    for index in range(LOG_ROWS):
        middle = Fraction(2 * (LOG_ROWS + index) + 1, 2 * LOG_ROWS)
        rows.append(int(Fraction(1 << INVERSE_BITS) / middle + Fraction(1, 2)))
    return rows


def log_table() -> list[int]:
    """-ln of those inverses, as they are after rounding."""
    unit = 1 << INVERSE_BITS
    return [nearest(-logarithm(Fraction(a, unit)), ARGUMENT_BITS) for a in log_inverses()]


def constants() -> dict[str, int]:
    ln2 = logarithm(Fraction(2))
    return {
        "LN2_Q57": nearest(ln2, 57),
        "LOG2_E_Q26": (ONE << 26) // ln2,
        "INVERSE_ROOT_TAU_Q52": nearest((ONE * ONE) // isqrt(2 * pi() << BITS), 52),
        "INVERSE_ROOT_YEAR_Q76": nearest(isqrt((ONE * ONE) // 31_536_000_000), 76),
    }


def wrapped(name: str, numbers: list[int]) -> str:
    """One table as source, in lines of at most 100 columns."""
    lines, line = [f"{name} = ("], "   "
    for number in numbers:
        piece = f" {number},"
        if len(line) + len(piece) > 100:
            lines.append(line)
            line = "   "
        line += piece
    return "\n".join([*lines, line, ")"])


def printed() -> str:
    """The text of tables.py."""
    parts = [HEADER]
    parts.extend(f"{name}: Final = {value}" for name, value in constants().items())
    parts.append("")
    parts.append("# fmt: off")
    parts.append(wrapped("DECAY: Final", decay_table()))
    parts.append(wrapped("LOG_INVERSES: Final", log_inverses()))
    parts.append(wrapped("LOGS: Final", log_table()))
    parts.append("MILLS: Final = (")
    for row in mills_table():
        text = ", ".join(str(a) for a in row[:5])
        rest = ", ".join(str(a) for a in row[5:])
        parts.append(f"    ({text},\n     {rest}),")
    parts.append(")")
    parts.append("# fmt: on")
    return "\n".join(parts) + "\n"


HEADER = '''"""Numbers of the fixed-point functions; tests/instruments/pricing derives them anew.

A name ends in its unit: _Q52 is 2**-52. The tables without one are in 2**-56 (MILLS, DECAY),
2**-52 (LOGS) and 2**-9 (LOG_INVERSES). MILLS has one polynomial a piece of width 1/8, lowest
coefficient first, in the distance from the middle of the piece in units of 1/16: the Taylor series
of Mills' ratio, its degree lowered to 8 by Chebyshev polynomials (within 2**-54 of it).
"""

from typing import Final
'''

if __name__ == "__main__":
    print(printed(), end="")
