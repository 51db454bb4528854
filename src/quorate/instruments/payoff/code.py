"""The form of a payoff's code: words, operands and inputs, and the checks of form alone.

The code of a payoff is at most PAYOFF_CODE_MAX words. Each makes one value from values of earlier
words; the last one's value is the payoff. There are no jumps and no names for places in memory, so
a run takes as many steps as there are words, and nothing has to be said about a stack.

Here and in the other modules of this room arrays are int64 arrays, or lists of integers, that the
caller hands in. Every function is a rule in the sense of `rules`: plain Python and compiled alike.
"""

from collections.abc import MutableSequence, Sequence

from quorate.instruments.payoff.rules import (
    B_PLACE,
    C_PLACE,
    CONST,
    DIV,
    FIELD,
    INPUT,
    SELECT,
)
from quorate.types.limits import (
    PAYOFF_CODE_MAX,
    PAYOFF_CONSTANT_MAX,
    PAYOFF_INPUTS,
    PAYOFF_RETURN_MAX_PPM,
    PAYOFF_SAMPLES_MAX,
    PRICE_TICKS_MAX,
)
from quorate.types.payoff_codes import Input, Op, Refusal

Ints = Sequence[int]
IntsOut = MutableSequence[int]

INSTRUCTION_UNKNOWN = int(Refusal.INSTRUCTION_UNKNOWN)
OPERAND_NOT_EARLIER = int(Refusal.OPERAND_NOT_EARLIER)
OPERAND_UNUSED_NOT_ZERO = int(Refusal.OPERAND_UNUSED_NOT_ZERO)
CONSTANT_TOO_LARGE = int(Refusal.CONSTANT_TOO_LARGE)
INPUT_UNKNOWN = int(Refusal.INPUT_UNKNOWN)
WORD_DIVISOR_ZERO = int(Refusal.DIVISOR_ZERO)

# What kind of value: a number or a condition.
NUMBER = 0
CONDITION = 1

# By op: how many operands are earlier values, of which kind, and the kind of the result. SELECT
# takes one condition and two numbers.
ARITY = (0, 0, 0, 2, 2, 2, 1, 2, 2, 1, 2, 2, 2, 1, 2, 2, 3)
TAKES = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0)
WORD_END = (FIELD, B_PLACE, C_PLACE, C_PLACE * FIELD)  # by arity, no word reaches it
GIVES = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0)
assert len(ARITY) == len(TAKES) == len(GIVES) == max(Op) + 1

_PRICE = (1, PRICE_TICKS_MAX)
_TICKS = (0, PRICE_TICKS_MAX)
_FLAG = (0, 1)
_NATURE: dict[int, tuple[int, int]] = {
    Input.FIX: _PRICE,
    Input.SPOT: _PRICE,
    Input.FIRST: _PRICE,
    Input.AVG: _PRICE,
    Input.LOW: _PRICE,
    Input.HIGH: _PRICE,
    Input.COUNT: (0, PAYOFF_SAMPLES_MAX),
    Input.INSIDE: (0, PAYOFF_SAMPLES_MAX),
    Input.REALIZED: (0, PAYOFF_SAMPLES_MAX * PAYOFF_RETURN_MAX_PPM**2),
    Input.TOUCHED_UP: _FLAG,
    Input.TOUCHED_DOWN: _FLAG,
    Input.TOUCHED: _FLAG,
    Input.STRIKE: _PRICE,
    Input.UPPER: _PRICE,
    Input.LOWER: _PRICE,
    Input.REBATE: _TICKS,
    Input.CAP: _TICKS,
    Input.RATE: _TICKS,
}
# By input: the least and the greatest value it can have; (1, 0) where there is no such input.
NATURE_LOW = tuple(_NATURE.get(k, (1, 0))[0] for k in range(PAYOFF_INPUTS))
NATURE_HIGH = tuple(_NATURE.get(k, (1, 0))[1] for k in range(PAYOFF_INPUTS))
FIRST_PARAMETER = int(Input.STRIKE)
TOUCHED_UP = int(Input.TOUCHED_UP)
TOUCHED_DOWN = int(Input.TOUCHED_DOWN)
TOUCHED = int(Input.TOUCHED)
INSIDE = int(Input.INSIDE)
UPPER = int(Input.UPPER)
LOWER = int(Input.LOWER)


def op_of(word: int) -> int:
    """Return the op of a word."""
    return word % FIELD


def a_of(word: int) -> int:
    """Return the first operand of a word: a place in the code, or the number of an input."""
    return word // FIELD % FIELD


def b_of(word: int) -> int:
    """Return the second operand of a word."""
    return word // B_PLACE % FIELD


def c_of(word: int) -> int:
    """Return the third operand of a word."""
    return word // C_PLACE % FIELD


def divisor_of(word: int) -> int:
    """Return the divisor of a DIV."""
    return word // B_PLACE


def constant_of(word: int) -> int:
    """Return the constant of a CONST."""
    return word // FIELD


def is_flag(number: int) -> bool:
    """Whether an input is a condition."""
    return number in (TOUCHED_UP, TOUCHED_DOWN, TOUCHED)


def is_input(number: int) -> bool:
    """Whether there is an input of this number."""
    if number < 0 or number >= PAYOFF_INPUTS:
        return False
    return NATURE_LOW[number] <= NATURE_HIGH[number]


def leaf_refusal(word: int, op: int) -> int:
    """Return what is wrong with the form of a CONST, an INPUT or a DIV, or 0."""
    if op == INPUT:
        if word >= B_PLACE:
            return OPERAND_UNUSED_NOT_ZERO
        return 0 if is_input(a_of(word)) else INPUT_UNKNOWN
    value = divisor_of(word) if op == DIV else constant_of(word)
    if value > PAYOFF_CONSTANT_MAX:
        return CONSTANT_TOO_LARGE
    if op == DIV and value == 0:
        return WORD_DIVISOR_ZERO
    return 0


def form_refusal(word: int, place: int) -> int:
    """Return what is wrong with the form of the word at a place of the code, or 0."""
    op = op_of(word)
    if word < 0 or op < CONST or op > SELECT:
        return INSTRUCTION_UNKNOWN
    arity = ARITY[op]
    if arity >= 1 and a_of(word) >= place:
        return OPERAND_NOT_EARLIER
    if op in (CONST, INPUT, DIV):
        return leaf_refusal(word, op)
    if (arity >= 2 and b_of(word) >= place) or (arity >= 3 and c_of(word) >= place):
        return OPERAND_NOT_EARLIER
    if word >= WORD_END[arity]:
        return OPERAND_UNUSED_NOT_ZERO
    return 0


def first_difference(code: Ints, count: int, other: Ints, other_count: int) -> int:
    """Return the first place at which two codes differ, or -1."""
    place = 0
    while place < count and place < other_count:
        if code[place] != other[place]:
            return place
        place += 1
    return -1 if count == other_count else place


def count_admitted(count: int) -> bool:
    """Whether a code may have so many words."""
    return 1 <= count and count <= PAYOFF_CODE_MAX
