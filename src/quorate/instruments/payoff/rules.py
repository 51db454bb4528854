"""Scalar rules of payoffs: what an instruction does, and between which values its result lies.

Integers in, integers out; the subset of `execution/rules`, compiled from this one source. An
instruction takes up to three operands; a condition is 1 or 0. Values and ends of intervals lie
within +-PAYOFF_VALUE_MAX, so that no sum of two passes int64; `fits` and `range_fits` are asked
before a result is formed.

The claim that the checker rests on, for each op: if a_low <= a <= a_high, and likewise b and c,
then `range_fits` implies `fits`, and low_after <= apply <= high_after.
"""

from quorate.types.limits import PAYOFF_VALUE_MAX
from quorate.types.payoff_codes import Op

CONST = int(Op.CONST)
INPUT = int(Op.INPUT)
ADD = int(Op.ADD)
SUB = int(Op.SUB)
MUL = int(Op.MUL)
DIV = int(Op.DIV)
MIN = int(Op.MIN)
MAX = int(Op.MAX)
ABS = int(Op.ABS)
LT = int(Op.LT)
LE = int(Op.LE)
EQ = int(Op.EQ)
NOT = int(Op.NOT)
AND = int(Op.AND)
OR = int(Op.OR)
SELECT = int(Op.SELECT)

# An instruction is one word: op + 64 * a + 64**2 * b + 64**3 * c. CONST has its constant in place
# of a, b and c, INPUT its number in place of a, DIV its divisor in place of b and c.
FIELD = 64
B_PLACE = FIELD**2
C_PLACE = FIELD**3


def product_fits(a: int, b: int) -> bool:
    """Whether |a * b| <= PAYOFF_VALUE_MAX, for |a|, |b| <= PAYOFF_VALUE_MAX."""
    size_a = abs(a)
    size_b = abs(b)
    if size_b == 0:
        return True
    return size_a <= PAYOFF_VALUE_MAX // size_b


def sum_fits(total: int) -> bool:
    """Whether a sum or difference of two values is again a value."""
    return -PAYOFF_VALUE_MAX <= total and total <= PAYOFF_VALUE_MAX


def fits(op: int, a: int, b: int) -> bool:
    """Whether the result of an instruction is within +-PAYOFF_VALUE_MAX."""
    if op == ADD:
        return sum_fits(a + b)
    if op == SUB:
        return sum_fits(a - b)
    if op == MUL:
        return product_fits(a, b)
    return True


def truth(holds: bool) -> int:
    """Return 1 for what holds, else 0."""
    if holds:
        return 1
    return 0


def apply(op: int, a: int, b: int, c: int) -> int:
    """Return the result of an instruction that `fits`. DIV: b is its divisor, at least 1."""
    if op == ADD:
        return a + b
    if op == SUB:
        return a - b
    if op == MUL:
        return a * b
    if op == DIV:
        return a // b
    if op == MIN:
        return min(a, b)
    if op == MAX:
        return max(a, b)
    if op == ABS:
        return abs(a)
    if op == LT:
        return truth(a < b)
    if op == LE:
        return truth(a <= b)
    if op == EQ:
        return truth(a == b)
    if op == NOT:
        return 1 - a
    if op == AND:
        return min(a, b)
    if op == OR:
        return max(a, b)
    if a == 1:  # SELECT
        return b
    return c


# --- intervals -----------------------------------------------------------------------------------


def range_fits(op: int, a_low: int, a_high: int, b_low: int, b_high: int) -> bool:
    """Whether the result `fits` for every a and b of the intervals."""
    if op == ADD:
        return sum_fits(a_low + b_low) and sum_fits(a_high + b_high)
    if op == SUB:
        return sum_fits(a_low - b_high) and sum_fits(a_high - b_low)
    if op == MUL:
        return product_fits(max(abs(a_low), abs(a_high)), max(abs(b_low), abs(b_high)))
    return True


def abs_low(a_low: int, a_high: int) -> int:
    """Return the least |a| of an interval."""
    if a_low > 0:
        return a_low
    if a_high < 0:
        return -a_high
    return 0


def low_after(
    op: int, a_low: int, a_high: int, b_low: int, b_high: int, c_low: int, c_high: int
) -> int:
    """Return a lower bound of the result over the intervals, where `range_fits`."""
    if op == ADD:
        return a_low + b_low
    if op == SUB:
        return a_low - b_high
    if op == MUL:
        return min(a_low * b_low, a_low * b_high, a_high * b_low, a_high * b_high)
    if op == DIV:
        return a_low // b_low
    if op == MIN:
        return min(a_low, b_low)
    if op == MAX:
        return max(a_low, b_low)
    if op == AND:
        return min(a_low, b_low)
    if op == OR:
        return max(a_low, b_low)
    if op == ABS:
        return abs_low(a_low, a_high)
    if op == LT:
        return truth(a_high < b_low)
    if op == LE:
        return truth(a_high <= b_low)
    if op == EQ:
        return truth(a_low == a_high and b_low == b_high and a_low == b_low)
    if op == NOT:
        return 1 - a_high
    if a_low == 1:  # SELECT
        return b_low
    if a_high == 0:
        return c_low
    return min(b_low, c_low)


def high_after(
    op: int, a_low: int, a_high: int, b_low: int, b_high: int, c_low: int, c_high: int
) -> int:
    """Return an upper bound of the result over the intervals, where `range_fits`."""
    if op == ADD:
        return a_high + b_high
    if op == SUB:
        return a_high - b_low
    if op == MUL:
        return max(a_low * b_low, a_low * b_high, a_high * b_low, a_high * b_high)
    if op == DIV:
        return a_high // b_low
    if op == MIN:
        return min(a_high, b_high)
    if op == MAX:
        return max(a_high, b_high)
    if op == AND:
        return min(a_high, b_high)
    if op == OR:
        return max(a_high, b_high)
    if op == ABS:
        return max(abs(a_low), abs(a_high))
    if op == LT:
        return truth(a_low < b_high)
    if op == LE:
        return truth(a_low <= b_high)
    if op == EQ:
        return truth(a_low <= b_high and b_low <= a_high)
    if op == NOT:
        return 1 - a_low
    if a_low == 1:  # SELECT
        return b_high
    if a_high == 0:
        return c_high
    return max(b_high, c_high)


# --- relations -----------------------------------------------------------------------------------
# A fact says x + gap <= y, with gap 0 or 1, of the values of two instructions.


def low_above(y_low: int, x_low: int, gap: int) -> int:
    """Return a lower bound of y, given x + gap <= y."""
    return max(y_low, x_low + gap)


def high_below(x_high: int, y_high: int, gap: int) -> int:
    """Return an upper bound of x, given x + gap <= y."""
    return min(x_high, y_high - gap)


def difference_low(low: int, gap: int) -> int:
    """Return a lower bound of y - x, given x + gap <= y and one that was known."""
    return max(low, gap)


def difference_high(high: int, gap: int) -> int:
    """Return an upper bound of x - y, given x + gap <= y and one that was known."""
    return min(high, -gap)
