"""The payoff checker is sound: what it admits neither overflows nor leaves its bounds.

By induction over the words of a code, on the functions that run (instruments/payoff):

1. `instruction`: for each op, if the operands lie in their intervals and `range_fits`, the result
   fits and lies between `low_after` and `high_after`.
2. `word`: so one step of the machine stays within what `form_interval` writes for it, for operands
   of any interval, equal operands and differences of a minimum or maximum among them.
3. `facts`, `narrowing`: what a condition is noted to say of its operands is true where it holds,
   and narrowing an interval by true facts keeps the value inside.
4. `program`: small codes of each shape, through the whole of `check` and `run`, with every declared
   range and bound open: where the checker admits, the machine gives no fault and stays in bounds.

What the induction rests on besides: the machine and the checker walk the words in order and read
earlier words only (`form_refusal`, shown in `operands_are_earlier`).
"""

from typing import Final

from quorate.formal.claims import Claim, Range
from quorate.formal.hints import assume, shown
from quorate.instruments.payoff.checker import (
    CHECK_OUT,
    CHECK_WORK,
    FACT_GAP,
    FACT_X,
    FACT_Y,
    HELD,
    HELD_FALSE,
    HELD_TRUE,
    HIGH,
    LOW,
    NEAR_HIGH,
    NEAR_LOW,
    check,
    facts_of,
    form_interval,
    narrow,
    operands_fit,
)
from quorate.instruments.payoff.code import (
    ARITY,
    a_of,
    b_of,
    c_of,
    divisor_of,
    form_refusal,
    op_of,
)
from quorate.instruments.payoff.machine import payoff_ticks, run
from quorate.instruments.payoff.rules import (
    ABS,
    ADD,
    AND,
    B_PLACE,
    C_PLACE,
    CONST,
    DIV,
    EQ,
    FIELD,
    INPUT,
    LE,
    LT,
    MAX,
    MIN,
    MUL,
    NOT,
    OR,
    SELECT,
    SUB,
    apply,
    fits,
    high_after,
    low_after,
    range_fits,
)
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PAYOFF_VALUE_MAX
from quorate.types.payoff_codes import Input, Op

# Inputs that the claims use: two numbers, a condition, and what that one needs.
X: Final = int(Input.REALIZED)
Y: Final = int(Input.AVG)
P: Final = int(Input.TOUCHED_UP)
UPPER: Final = int(Input.UPPER)


def word_of(op: int, a: int, b: int, c: int) -> int:
    """Give the word of an instruction."""
    return op + FIELD * a + B_PLACE * b + C_PLACE * c


# --- 1. instructions -----------------------------------------------------------------------------
def product_steps(a: int, a_low: int, a_high: int, b: int, b_low: int, b_high: int) -> bool:
    """Steps for a product: it lies between two at the ends of b, these between the corners."""
    shown(a * b <= max(a * b_low, a * b_high) and a * b >= min(a * b_low, a * b_high))
    shown(a * b_low <= max(a_low * b_low, a_high * b_low))
    shown(a * b_low >= min(a_low * b_low, a_high * b_low))
    shown(a * b_high <= max(a_low * b_high, a_high * b_high))
    shown(a * b_high >= min(a_low * b_high, a_high * b_high))
    return True


def size_steps(a: int, a_low: int, a_high: int, b: int, b_low: int, b_high: int) -> bool:
    """Steps for the size of a product: no corner passes the product of the larger ends."""
    a_size = max(abs(a_low), abs(a_high))
    b_size = max(abs(b_low), abs(b_high))
    for each in (a_low, a_high, a):
        for other in (b_low, b_high, b):
            shown(abs(each * other) <= a_size * b_size)
            shown(abs(each) * abs(other) <= a_size * b_size)
    return True


def kinds(op: int, a_low: int, a_high: int, b_low: int, b_high: int) -> bool:
    """What `kind_refusal` and `form_refusal` ensure of the operands of an op."""
    if op == DIV:
        return b_low == b_high and b_low >= 1
    if op in (NOT, SELECT):
        return 0 <= a_low and a_high <= 1
    if op in (AND, OR):
        return 0 <= a_low and a_high <= 1 and 0 <= b_low and b_high <= 1
    return True


def instruction(
    op: int,
    a: int,
    a_low: int,
    a_high: int,
    b: int,
    b_low: int,
    b_high: int,
    c: int,
    c_low: int,
    c_high: int,
) -> bool:
    """The result of an instruction fits, and lies in the interval that is formed for it."""
    assume(a_low <= a and a <= a_high)
    assume(b_low <= b and b <= b_high)
    assume(c_low <= c and c <= c_high)
    assume(kinds(op, a_low, a_high, b_low, b_high))
    if op == MUL:
        product_steps(a, a_low, a_high, b, b_low, b_high)
        size_steps(a, a_low, a_high, b, b_low, b_high)
    assume(range_fits(op, a_low, a_high, b_low, b_high))
    if op == MUL:
        shown(max(abs(a_low), abs(a_high)) * max(abs(b_low), abs(b_high)) <= PAYOFF_VALUE_MAX)
    low = low_after(op, a_low, a_high, b_low, b_high, c_low, c_high)
    high = high_after(op, a_low, a_high, b_low, b_high, c_low, c_high)
    result = apply(op, a, b, c)
    inside = low <= result and result <= high
    return fits(op, a, b) and inside and -PAYOFF_VALUE_MAX <= low and high <= PAYOFF_VALUE_MAX


# --- 2. one word ---------------------------------------------------------------------------------
def word(
    new: int,
    before: int,
    a: int,
    a_low: int,
    a_high: int,
    b: int,
    b_low: int,
    b_high: int,
    c: int,
    c_low: int,
    c_high: int,
    n_low: int,
    n_high: int,
) -> bool:
    """A step of the machine gives no fault and stays within the interval that is formed for it.

    Places 0 to 2 have any value within any interval, 3 is the word before, 4 the new one.
    """
    assume(a_low <= a and a <= a_high)
    assume(b_low <= b and b <= b_high)
    assume(c_low <= c and c <= c_high)
    op = op_of(new)
    assume(op == DIV or kinds(op, a_low, a_high, b_low, b_high))
    code = [word_of(INPUT, 0, 0, 0), word_of(INPUT, 1, 0, 0), word_of(INPUT, 2, 0, 0), before, new]
    work = [0] * CHECK_WORK
    work[LOW], work[LOW + 1], work[LOW + 2], work[LOW + 3] = a_low, b_low, c_low, n_low
    work[HIGH], work[HIGH + 1], work[HIGH + 2], work[HIGH + 3] = a_high, b_high, c_high, n_high
    least = [-PAYOFF_VALUE_MAX] * 3
    most = [PAYOFF_VALUE_MAX] * 3
    values = [0] * PAYOFF_CODE_MAX
    run(code, 4, [a, b, c], least, most, values)
    assume(n_low <= values[3] and values[3] <= n_high)
    at = b_of(new)
    low, high = work[LOW + at], work[HIGH + at]
    if op == MUL:
        product_steps(a, a_low, a_high, values[at], low, high)
        size_steps(a, a_low, a_high, values[at], low, high)
    assume(operands_fit(new, work))
    if op == MUL:
        shown(max(abs(a_low), abs(a_high)) * max(abs(low), abs(high)) <= PAYOFF_VALUE_MAX)
    form_interval(code, 4, [a_low, b_low, c_low], [a_high, b_high, c_high], work, LOW, HIGH)
    fault = run(code, 5, [a, b, c], least, most, values)
    return fault == 0 and work[LOW + 4] <= values[4] and values[4] <= work[HIGH + 4]


def operands_are_earlier(word_given: int, place: int) -> bool:
    """What has the right form reads earlier words only, and divides by a constant above 0."""
    assume(form_refusal(word_given, place) == 0)
    op = op_of(word_given)
    arity = ARITY[op]
    first = arity < 1 or a_of(word_given) < place
    second = arity < 2 or b_of(word_given) < place
    third = arity < 3 or c_of(word_given) < place
    return first and second and third and (op != DIV or divisor_of(word_given) > 0)


# --- 3. facts and narrowing ----------------------------------------------------------------------
def facts(op: int, held: int, a: int, b: int) -> bool:
    """What a condition that is true, or false, is noted to say of its operands is so."""
    assume(kinds(op, a, a, b, b))
    assume(apply(op, a, b, 0) == held - HELD_FALSE)
    work = [0] * CHECK_WORK
    count = facts_of(word_of(op, 0, 1, 0), held, work, 0)
    good = 0 <= count and count <= 2
    values = [a, b]
    for at in range(2):
        if at < count:
            x = values[work[FACT_X + at]]
            y = values[work[FACT_Y + at]]
            good = good and x + work[FACT_GAP + at] <= y
        known = work[HELD + at]
        good = good and (known != HELD_TRUE or values[at] == 1)
        good = good and (known != HELD_FALSE or values[at] == 0)
    return good


def narrowing(
    place: int,
    new: int,
    x: int,
    y: int,
    gap: int,
    held: int,
    a: int,
    a_low: int,
    a_high: int,
    b: int,
    b_low: int,
    b_high: int,
    d_low: int,
    d_high: int,
    near_low: int,
    near_high: int,
) -> bool:
    """Narrowing an interval by a fact that is true of the values leaves the value inside.

    Places 0 and 1 are any values, 2 is made of them: a difference, or what else `new` says.
    """
    code = [word_of(INPUT, 0, 0, 0), word_of(INPUT, 1, 0, 0), new]
    values = [0] * PAYOFF_CODE_MAX
    fault = run(code, 3, [a, b], [-PAYOFF_VALUE_MAX] * 2, [PAYOFF_VALUE_MAX] * 2, values)
    assume(fault == 0)
    assume(a_low <= a and a <= a_high)
    assume(b_low <= b and b <= b_high)
    assume(d_low <= values[2] and values[2] <= d_high)
    assume(values[x] + gap <= values[y])
    assume(near_low <= values[place] and values[place] <= near_high)
    work = [0] * CHECK_WORK
    work[LOW], work[LOW + 1], work[LOW + 2] = a_low, b_low, d_low
    work[HIGH], work[HIGH + 1], work[HIGH + 2] = a_high, b_high, d_high
    work[NEAR_LOW], work[NEAR_LOW + 1], work[NEAR_LOW + 2] = a_low, b_low, d_low
    work[NEAR_HIGH], work[NEAR_HIGH + 1], work[NEAR_HIGH + 2] = a_high, b_high, d_high
    work[NEAR_LOW + place] = near_low
    work[NEAR_HIGH + place] = near_high
    work[FACT_X], work[FACT_Y], work[FACT_GAP] = x, y, gap
    work[HELD + place] = held
    assume(held == 0 or values[place] == held - HELD_FALSE)
    left = narrow(code, place, 2, 1, work)
    inside = work[NEAR_LOW + place] <= values[place] and values[place] <= work[NEAR_HIGH + place]
    return left and inside


# --- 4. whole programs ---------------------------------------------------------------------------
def program(
    kind: int,
    x: int,
    x_low: int,
    x_high: int,
    y: int,
    y_low: int,
    y_high: int,
    p: int,
    p_low: int,
    p_high: int,
    bound_low: int,
    bound_high: int,
) -> bool:
    """What the whole checker admits, the machine runs without fault, and within the bounds.

    Whatever is observed: x, y and p need not lie in the declared ranges.
    """
    code = list(PROGRAMS[kind])
    lows = [0] * PAYOFF_INPUTS
    highs = [0] * PAYOFF_INPUTS
    inputs = [0] * PAYOFF_INPUTS
    lows[X], highs[X], inputs[X] = x_low, x_high, x
    if names(code, Y):
        lows[Y], highs[Y], inputs[Y] = y_low, y_high, y
    if names(code, P):
        lows[P], highs[P], inputs[P] = p_low, p_high, p
        lows[UPPER], highs[UPPER] = 1, 1
    work = [0] * CHECK_WORK
    out = [0] * CHECK_OUT
    assume(check(code, len(code), lows, highs, bound_low, bound_high, work, out) == 0)
    values = [0] * PAYOFF_CODE_MAX
    found = payoff_ticks(code, len(code), inputs, lows, highs, values)
    return bound_low <= found and found <= bound_high


def names(code: list[int], number: int) -> bool:
    """Whether a code names an input."""
    found = False
    for place in range(len(code)):
        found = found or code[place] == word_of(INPUT, number, 0, 0)
    return found


IN_X: Final = word_of(INPUT, X, 0, 0)
IN_Y: Final = word_of(INPUT, Y, 0, 0)
IN_P: Final = word_of(INPUT, P, 0, 0)
PAIR: Final = (IN_X, IN_Y)
# Each op, each condition in an `if` that compares what it chooses, and the shapes of payoffs.
PROGRAMS: Final[tuple[tuple[int, ...], ...]] = (
    *((*PAIR, word_of(op, 0, 1, 0)) for op in (ADD, SUB, MIN, MAX)),
    (IN_X, word_of(ABS, 0, 0, 0)),
    (IN_X, word_of(DIV, 0, 7, 0)),
    (*PAIR, word_of(MAX, 0, 1, 0), word_of(SUB, 2, 1, 0)),
    (*PAIR, word_of(MIN, 0, 1, 0), word_of(SUB, 0, 2, 0)),
    (*PAIR, word_of(SUB, 0, 1, 0), word_of(CONST, 0, 0, 0), word_of(MAX, 2, 3, 0)),
    (*PAIR, word_of(SUB, 0, 1, 0), word_of(ABS, 2, 0, 0)),
    *(
        (*PAIR, word_of(op, 0, 1, 0), word_of(SUB, a, b, 0), word_of(CONST, 0, 0, 0), select)
        for op in (LT, LE, EQ)
        for a, b in ((0, 1), (1, 0))
        for select in (word_of(SELECT, 2, 3, 4), word_of(SELECT, 2, 4, 3))
    ),
    (*PAIR, word_of(LT, 0, 1, 0), word_of(NOT, 2, 0, 0), word_of(SELECT, 3, 0, 1)),
    (*PAIR, IN_P, word_of(SELECT, 2, 0, 1)),
    *(
        (*PAIR, IN_P, word_of(LT, 1, 0, 0), word_of(op, 2, 3, 0), word_of(SUB, 0, 1, 0))
        + (word_of(CONST, 0, 0, 0), word_of(SELECT, 4, a, b))
        for op in (AND, OR)
        for a, b in ((5, 6), (6, 5))
    ),
)

VALUE: Final[Range] = (-PAYOFF_VALUE_MAX, PAYOFF_VALUE_MAX)
ANY: Final[Range] = (-(2**63), 2**63 - 1)
OPS: Final = (ADD, SUB, MUL, DIV, MIN, MAX, ABS, LT, LE, EQ, NOT, AND, OR, SELECT)
ENDS: Final = ("a", "a_low", "a_high", "b", "b_low", "b_high", "c", "c_low", "c_high")
THIRD: Final = word_of(INPUT, 2, 0, 0)
WORDS: Final = [
    *((word_of(op, 0, 1, 2 if op == SELECT else 0), THIRD) for op in OPS if op not in (NOT, DIV)),
    *((word_of(op, 0, 0, 0), THIRD) for op in (ADD, SUB, MUL, NOT)),
    *((DIV + FIELD * 0 + B_PLACE * divisor, THIRD) for divisor in (1, 7, 10**9, 2**50 - 1)),
    *((word_of(SUB, 3, at, 0), word_of(MAX, 0, 1, 0)) for at in (0, 1)),
    *((word_of(SUB, at, 3, 0), word_of(MAX, 0, 1, 0)) for at in (0, 1)),
    *((word_of(SUB, 3, at, 0), word_of(MIN, 0, 1, 0)) for at in (0, 1)),
    *((word_of(SUB, at, 3, 0), word_of(MIN, 0, 1, 0)) for at in (0, 1)),
]
NARROWED: Final = [
    (place, new, x, y, gap)
    for place in (0, 1, 2)
    for new in (word_of(SUB, 0, 1, 0), word_of(SUB, 1, 0, 0), word_of(ADD, 0, 1, 0))
    for x, y in ((0, 1), (1, 0), (0, 2), (2, 1))
    for gap in (0, 1)
]
CONDITIONS: Final = (LT, LE, EQ, NOT, AND, OR)


def op_name(op: int) -> str:
    """Name an op in reports."""
    return Op(op).name.lower()


CLAIMS: Final = [
    *(
        Claim(
            instruction,
            dict.fromkeys(ENDS, VALUE),
            {"op": (op,)},
            named=f"instruction {op_name(op)}",
        )
        for op in OPS
    ),
    Claim(operands_are_earlier, {"word_given": ANY}, {"place": (0, 1, 2, 31, 63)}),
    *(
        Claim(
            word,
            {**dict.fromkeys(ENDS, VALUE), "n_low": VALUE, "n_high": VALUE},
            {"new": (new,), "before": (before,)},
            named=f"word {op_name(op_of(new))} {new:#o} after {before:#o}",
        )
        for new, before in WORDS
    ),
    *(
        Claim(
            facts,
            {"a": VALUE, "b": VALUE},
            {"op": (op,), "held": (HELD_FALSE, HELD_TRUE)},
            named=f"facts of {op_name(op)}",
        )
        for op in CONDITIONS
    ),
    *(
        Claim(
            narrowing,
            dict.fromkeys(
                ("a", "a_low", "a_high", "b", "b_low", "b_high", "d_low", "d_high")
                + ("near_low", "near_high"),
                VALUE,
            ),
            {"place": (place,), "new": (new,), "x": (x,), "y": (y,), "gap": (gap,)}
            | {"held": (0, HELD_FALSE, HELD_TRUE)},
            named=f"narrowing {place} of {new:#o}: {x} + {gap} <= {y}",
        )
        for place, new, x, y, gap in NARROWED
    ),
    *(
        Claim(
            program,
            dict.fromkeys(
                ("x", "x_low", "x_high", "y", "y_low", "y_high", "p", "p_low", "p_high")
                + ("bound_low", "bound_high"),
                ANY,
            ),
            {"kind": (kind,)},
            named=f"program {kind}",
        )
        for kind in range(len(PROGRAMS))
    ),
]
