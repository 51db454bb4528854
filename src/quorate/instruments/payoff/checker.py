"""The checker that a payoff passes before it is listed: a verifier of its code, by intervals.

From the declared ranges of observations and parameters it finds for each word an interval that
holds every value the word can have, and refuses code that is malformed, mixes numbers and
conditions, could pass +-PAYOFF_VALUE_MAX, or whose last value could leave the declared bounds.

Upon each word, in order:
1. its form is checked (`code.form_refusal`), and that its operands are of the kinds it takes;
2. the result must fit for all values of the operands' intervals (`rules.range_fits`);
3. its interval is formed from theirs (`rules.low_after`, `rules.high_after`), and narrowed by what
   words say of one another: x - max(x, y) <= 0, max(x, y) - x >= 0, likewise of min; x - x = 0;
   x * x >= 0;
4. for a SELECT, which is `if c then x else y`, the intervals of all words before it are formed
   again on the assumption that c holds, and once more that it does not (`assume`). Facts that the
   assumption gives (x < y, x <= y, x = y, a flag) narrow the intervals of x, of y and of the
   words y - x and x - y. The result lies in the interval of x under the first or that of y under
   the second.

Why this is sound: each word is evaluated in every run, so steps 1 to 3 hold of all runs, by
induction over the words. Step 4 says nothing about whether a word may overflow; it only narrows
the result of the SELECT. A run in which c holds is a run in which all facts of the assumption
hold, so by induction each value lies in the interval formed again; a run has c or not c.

Intervals are kept in `work`, which the caller hands in: see the offsets below.
"""

from quorate.instruments.payoff.code import (
    ARITY,
    CONDITION,
    GIVES,
    INSIDE,
    LOWER,
    NATURE_HIGH,
    NATURE_LOW,
    NUMBER,
    TAKES,
    TOUCHED,
    TOUCHED_DOWN,
    TOUCHED_UP,
    UPPER,
    Ints,
    IntsOut,
    a_of,
    b_of,
    c_of,
    constant_of,
    count_admitted,
    divisor_of,
    form_refusal,
    is_flag,
    op_of,
)
from quorate.instruments.payoff.rules import (
    AND,
    CONST,
    DIV,
    EQ,
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
    difference_high,
    difference_low,
    high_after,
    high_below,
    low_above,
    low_after,
    range_fits,
)
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Refusal

CODE_EMPTY = int(Refusal.CODE_EMPTY)
RANGE_OUTSIDE_NATURE = int(Refusal.RANGE_OUTSIDE_NATURE)
RANGE_WITHOUT_USE = int(Refusal.RANGE_WITHOUT_USE)
NUMBER_EXPECTED = int(Refusal.NUMBER_EXPECTED)
CONDITION_EXPECTED = int(Refusal.CONDITION_EXPECTED)
OVERFLOW_POSSIBLE = int(Refusal.OVERFLOW_POSSIBLE)
BOUNDS_INADMISSIBLE = int(Refusal.BOUNDS_INADMISSIBLE)
BOUNDS_BROKEN = int(Refusal.BOUNDS_BROKEN)

# Offsets in `work`, of PAYOFF_CODE_MAX numbers each unless more are said.
LOW = 0
HIGH = LOW + PAYOFF_CODE_MAX
KIND = HIGH + PAYOFF_CODE_MAX
NEAR_LOW = KIND + PAYOFF_CODE_MAX  # the intervals under an assumption
NEAR_HIGH = NEAR_LOW + PAYOFF_CODE_MAX
HELD = NEAR_HIGH + PAYOFF_CODE_MAX  # what an assumption says of a condition: a sum of the next two
FACT_X = HELD + PAYOFF_CODE_MAX  # two facts for each word
FACT_Y = FACT_X + 2 * PAYOFF_CODE_MAX
FACT_GAP = FACT_Y + 2 * PAYOFF_CODE_MAX
NAMED = FACT_GAP + 2 * PAYOFF_CODE_MAX  # by input: one more than the place that names it
CHECK_WORK = NAMED + PAYOFF_INPUTS
HELD_FALSE = 1
HELD_TRUE = 2

# What `check` writes to `out` besides its refusal: the place of the word, and an interval.
OUT_PLACE = 0
OUT_LOW = 1
OUT_HIGH = 2
CHECK_OUT = 3


def note_names(code: Ints, count: int, work: IntsOut) -> None:
    """Note for each input the last place that names it or, for a barrier, that needs it."""
    for number in range(PAYOFF_INPUTS):
        work[NAMED + number] = 0
    for place in range(count):
        if op_of(code[place]) == INPUT:
            number = a_of(code[place])
            work[NAMED + number] = place + 1
            if number in (TOUCHED_UP, INSIDE):
                work[NAMED + UPPER] = place + 1
            if number in (TOUCHED_DOWN, INSIDE):
                work[NAMED + LOWER] = place + 1


def range_refusal(lows: Ints, highs: Ints, work: IntsOut, out: IntsOut) -> int:
    """Return what is wrong with the declared ranges, given `note_names`, or 0.

    An input that is not named has the range 0 to 0. `touched` takes its barriers from those of
    `upper` and `lower` that have a range, and needs at least one.
    """
    touched = work[NAMED + TOUCHED]
    if touched != 0 and highs[UPPER] == 0 and highs[LOWER] == 0:
        out[OUT_PLACE] = touched - 1
        return RANGE_OUTSIDE_NATURE
    for number in range(PAYOFF_INPUTS):
        low = lows[number]
        high = highs[number]
        place = work[NAMED + number] - 1
        if place < 0 and low == 0 and high == 0:
            continue
        if place < 0 and touched != 0 and (number in (UPPER, LOWER)):
            place = touched - 1
        if place < 0:
            out[OUT_PLACE] = -1
            out[OUT_LOW] = number
            return RANGE_WITHOUT_USE
        if low < NATURE_LOW[number] or high > NATURE_HIGH[number] or low > high:
            out[OUT_PLACE] = place
            out[OUT_LOW] = NATURE_LOW[number]
            out[OUT_HIGH] = NATURE_HIGH[number]
            return RANGE_OUTSIDE_NATURE
    return 0


def kind_refusal(word: int, place: int, work: IntsOut) -> int:
    """Note the kind of a word's value; return what is wrong with those of its operands, or 0."""
    op = op_of(word)
    work[KIND + place] = GIVES[op]
    if op == INPUT and is_flag(a_of(word)):
        work[KIND + place] = CONDITION
    wanted = TAKES[op]
    wrong = CONDITION_EXPECTED if wanted == CONDITION else NUMBER_EXPECTED
    arity = ARITY[op]
    if op == SELECT:
        if work[KIND + a_of(word)] != CONDITION:
            return CONDITION_EXPECTED
    elif arity >= 1 and work[KIND + a_of(word)] != wanted:
        return wrong
    if arity >= 2 and work[KIND + b_of(word)] != wanted:
        return wrong
    if arity >= 3 and work[KIND + c_of(word)] != wanted:
        return wrong
    return 0


def part_of(word: int, op: int, part: int) -> bool:
    """Whether a word is `op` (MIN or MAX) of the value at the place `part` and another."""
    return op_of(word) == op and (a_of(word) == part or b_of(word) == part)


def never_negative(code: Ints, word: int) -> bool:
    """Whether a word is x * x, x - x, max(x, y) - x or x - min(x, y)."""
    op = op_of(word)
    a = a_of(word)
    b = b_of(word)
    if op == MUL:
        return a == b
    if op != SUB:
        return False
    return a == b or part_of(code[a], MAX, b) or part_of(code[b], MIN, a)


def never_positive(code: Ints, word: int) -> bool:
    """Whether a word is x - x, x - max(x, y) or min(x, y) - x."""
    if op_of(word) != SUB:
        return False
    a = a_of(word)
    b = b_of(word)
    return a == b or part_of(code[b], MAX, a) or part_of(code[a], MIN, b)


def form_interval(
    code: Ints, place: int, lows: Ints, highs: Ints, work: IntsOut, low_at: int, high_at: int
) -> None:
    """Form a word's interval from those of its operands, which stand from low_at and high_at."""
    word = code[place]
    op = op_of(word)
    if op == CONST:
        work[low_at + place] = constant_of(word)
        work[high_at + place] = constant_of(word)
        return
    if op == INPUT:
        work[low_at + place] = lows[a_of(word)]
        work[high_at + place] = highs[a_of(word)]
        return
    a_low = work[low_at + a_of(word)]
    a_high = work[high_at + a_of(word)]
    b_low = 0
    b_high = 0
    c_low = 0
    c_high = 0
    if op == DIV:
        b_low = divisor_of(word)
        b_high = b_low
    elif ARITY[op] >= 2:
        b_low = work[low_at + b_of(word)]
        b_high = work[high_at + b_of(word)]
        if op == SELECT:
            c_low = work[low_at + c_of(word)]
            c_high = work[high_at + c_of(word)]
    low = low_after(op, a_low, a_high, b_low, b_high, c_low, c_high)
    high = high_after(op, a_low, a_high, b_low, b_high, c_low, c_high)
    if never_negative(code, word):
        low = max(low, 0)
    if never_positive(code, word):
        high = min(high, 0)
    work[low_at + place] = low
    work[high_at + place] = high


def operands_fit(word: int, work: Ints) -> bool:
    """Whether a word's result fits for all values of its operands' intervals."""
    op = op_of(word)
    if ARITY[op] < 2:
        return True
    a = a_of(word)
    b = b_of(word)
    return range_fits(op, work[LOW + a], work[HIGH + a], work[LOW + b], work[HIGH + b])


# --- assumptions ---------------------------------------------------------------------------------


def hold(work: IntsOut, place: int, truth_held: int) -> None:
    """Note that the assumption makes a condition true or false."""
    work[HELD + place] |= truth_held


def note_fact(work: IntsOut, facts: int, x: int, y: int, gap: int) -> int:
    """Note the fact x + gap <= y; return the new number of facts."""
    work[FACT_X + facts] = x
    work[FACT_Y + facts] = y
    work[FACT_GAP + facts] = gap
    return facts + 1


def facts_of(word: int, held: int, work: IntsOut, facts: int) -> int:
    """Note what one condition that holds, or does not, says of its operands; return the count."""
    op = op_of(word)
    a = a_of(word)
    b = b_of(word)
    if op == NOT:
        hold(work, a, HELD_TRUE + HELD_FALSE - held)
    elif (op == AND and held == HELD_TRUE) or (op == OR and held == HELD_FALSE):
        hold(work, a, held)
        hold(work, b, held)
    elif op == LT:
        if held == HELD_TRUE:
            return note_fact(work, facts, a, b, 1)
        return note_fact(work, facts, b, a, 0)
    elif op == LE:
        if held == HELD_TRUE:
            return note_fact(work, facts, a, b, 0)
        return note_fact(work, facts, b, a, 1)
    elif op == EQ and held == HELD_TRUE:
        facts = note_fact(work, facts, a, b, 0)
        return note_fact(work, facts, b, a, 0)
    return facts


def gather(code: Ints, condition: int, held: int, work: IntsOut) -> int:
    """Note all facts that a condition's truth implies; return their count, or -1 if it cannot be.

    Operands stand before what is made of them, so one sweep backwards meets each condition after
    all that speak of it.
    """
    for place in range(condition + 1):
        work[HELD + place] = 0
    work[HELD + condition] = held
    facts = 0
    for back in range(condition + 1):
        place = condition - back
        known = work[HELD + place]
        if known == HELD_TRUE + HELD_FALSE:
            return -1
        if known != 0:
            facts = facts_of(code[place], known, work, facts)
    return facts


def narrow(code: Ints, place: int, condition: int, facts: int, work: IntsOut) -> bool:
    """Narrow the interval of one word by the assumption; return whether a value is left."""
    low = max(work[NEAR_LOW + place], work[LOW + place])
    high = min(work[NEAR_HIGH + place], work[HIGH + place])
    if place <= condition:
        if work[HELD + place] == HELD_TRUE:
            low = max(low, 1)
        if work[HELD + place] == HELD_FALSE:
            high = min(high, 0)
    word = code[place]
    is_difference = op_of(word) == SUB
    for fact in range(facts):
        x = work[FACT_X + fact]
        y = work[FACT_Y + fact]
        gap = work[FACT_GAP + fact]
        if y == place:
            low = low_above(low, work[NEAR_LOW + x], gap)
        if x == place:
            high = high_below(high, work[NEAR_HIGH + y], gap)
        if is_difference and a_of(word) == y and b_of(word) == x:
            low = difference_low(low, gap)
        if is_difference and a_of(word) == x and b_of(word) == y:
            high = difference_high(high, gap)
    work[NEAR_LOW + place] = low
    work[NEAR_HIGH + place] = high
    return low <= high


def assume(
    code: Ints, select: int, held: int, lows: Ints, highs: Ints, work: IntsOut
) -> bool:
    """Form the intervals of all words before a SELECT again, assuming its condition true or false.

    Returns whether the assumption can hold; the intervals say nothing if not.
    """
    condition = a_of(code[select])
    facts = gather(code, condition, held, work)
    if facts < 0:
        return False
    for place in range(select):
        work[NEAR_LOW + place] = work[LOW + place]
        work[NEAR_HIGH + place] = work[HIGH + place]
    for place in range(select):
        form_interval(code, place, lows, highs, work, NEAR_LOW, NEAR_HIGH)
        if not narrow(code, place, condition, facts, work):
            return False
    return True


def narrow_select(code: Ints, select: int, lows: Ints, highs: Ints, work: IntsOut) -> None:
    """Narrow the interval of a SELECT to what its two sides can be where each is taken."""
    low = work[HIGH + select]
    high = work[LOW + select]
    if assume(code, select, HELD_TRUE, lows, highs, work):
        low = min(low, work[NEAR_LOW + b_of(code[select])])
        high = max(high, work[NEAR_HIGH + b_of(code[select])])
    if assume(code, select, HELD_FALSE, lows, highs, work):
        low = min(low, work[NEAR_LOW + c_of(code[select])])
        high = max(high, work[NEAR_HIGH + c_of(code[select])])
    if low <= high:
        work[LOW + select] = max(low, work[LOW + select])
        work[HIGH + select] = min(high, work[HIGH + select])


# --- the whole -----------------------------------------------------------------------------------


def bounds_admitted(bound_low: int, bound_high: int) -> bool:
    """Whether a payoff may be declared to lie between these, in ticks."""
    return 0 <= bound_low and bound_low <= bound_high and bound_high <= PRICE_TICKS_MAX


def check(
    code: Ints,
    count: int,
    lows: Ints,
    highs: Ints,
    bound_low: int,
    bound_high: int,
    work: IntsOut,
    out: IntsOut,
) -> int:
    """Return a Refusal, or 0 for code that stays in its bounds whatever is observed.

    `lows` and `highs` are the declared ranges by input, `work` has CHECK_WORK numbers. `out` gets
    the place of the word that is refused, -1 where none is, and the interval that it was refused
    for; upon admission the place of the last word and the interval of the payoff.
    """
    out[OUT_PLACE] = -1
    out[OUT_LOW] = 0
    out[OUT_HIGH] = 0
    if not count_admitted(count):
        return CODE_EMPTY
    if not bounds_admitted(bound_low, bound_high):
        return BOUNDS_INADMISSIBLE
    for place in range(count):
        refusal = form_refusal(code[place], place)
        if refusal == 0:
            refusal = kind_refusal(code[place], place, work)
        if refusal != 0:
            out[OUT_PLACE] = place
            return refusal
    note_names(code, count, work)
    refusal = range_refusal(lows, highs, work, out)
    if refusal != 0:
        return refusal
    for place in range(count):
        out[OUT_PLACE] = place
        if not operands_fit(code[place], work):
            return OVERFLOW_POSSIBLE
        form_interval(code, place, lows, highs, work, LOW, HIGH)
        if op_of(code[place]) == SELECT:
            narrow_select(code, place, lows, highs, work)
    out[OUT_LOW] = work[LOW + count - 1]
    out[OUT_HIGH] = work[HIGH + count - 1]
    if work[KIND + count - 1] != NUMBER:
        return NUMBER_EXPECTED
    if out[OUT_LOW] < bound_low or out[OUT_HIGH] > bound_high:
        return BOUNDS_BROKEN
    return 0
