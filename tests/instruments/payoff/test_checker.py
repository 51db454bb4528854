"""The checker: what it admits never faults and keeps its bounds; what it refuses, and where."""

import itertools
import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.payoff import admission, checker, compiler, machine
from quorate.instruments.payoff.language import (
    Payoff,
    PayoffError,
    Ranges,
    declared,
    evaluate,
    parse,
    verify,
)
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PAYOFF_VALUE_MAX, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Input, Op, Refusal
from tests.instruments.payoff import texts

PRICE = (1, PRICE_TICKS_MAX)
ANY = (0, PRICE_TICKS_MAX)
FLAG = (0, 1)


def word(op: Op, a: int = 0, b: int = 0, c: int = 0) -> int:
    """Write an instruction by hand."""
    return op + 64 * a + 64**2 * b + 64**3 * c


# --- what it says of values ----------------------------------------------------------------------


def intervals_of(
    payoff: Payoff, ranges: Ranges
) -> tuple[Refusal, int, list[tuple[int, int]]]:
    """Run the checker; return its refusal, its place, and the intervals of all words before it."""
    lows, highs = declared(ranges)
    work, out = [0] * checker.CHECK_WORK, [0] * checker.CHECK_OUT
    refusal = checker.check(payoff.code, len(payoff.code), lows, highs, *ANY, work, out)
    known = out[0] if refusal == Refusal.OVERFLOW_POSSIBLE else len(payoff.code)
    spans = list(zip(work[checker.LOW :], work[checker.HIGH :], strict=False))[:known]
    return Refusal(refusal), out[0], spans


def values_of(payoff: Payoff, observed: Mapping[str, int], ranges: Ranges) -> tuple[int, list[int]]:
    """Run the machine; return its fault and all values."""
    lows, highs = declared(ranges)
    inputs = [0] * PAYOFF_INPUTS
    for name, value in observed.items():
        inputs[Input[name.upper()]] = value
    values = [0] * PAYOFF_CODE_MAX
    return machine.run(payoff.code, len(payoff.code), inputs, lows, highs, values), values


def assert_sound(payoff: Payoff, ranges: Ranges, seen: list[dict[str, int]]) -> Refusal:
    """Check that what the checker says of the words of a code holds for the inputs given."""
    refusal, place, spans = intervals_of(payoff, ranges)
    if refusal not in (Refusal.NONE, Refusal.BOUNDS_BROKEN, Refusal.OVERFLOW_POSSIBLE):
        return refusal
    for observed in seen:
        fault, values = values_of(payoff, observed, ranges)
        if refusal == Refusal.OVERFLOW_POSSIBLE:
            assert fault == 0 or fault > place, payoff.text
        else:
            assert fault == 0, payoff.text
        for (low, high), value in zip(spans, values, strict=False):
            assert low <= value <= high, (payoff.text, ranges, observed)
        if refusal == Refusal.NONE:
            assert 0 <= values[len(payoff.code) - 1] <= PRICE_TICKS_MAX
    return refusal


def drawn(seed: int, depth: int, constant_max: int) -> tuple[Payoff | None, list[str]]:
    """Draw a payoff and the names in it; no payoff where its text is too long."""
    draw = random.Random(seed)
    tree = texts.number(draw, depth, constant_max)
    try:
        return parse(texts.written(tree, draw)[0]), texts.names_of(tree)
    except PayoffError:
        return None, []


def with_barriers(ranges: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Declare the barriers that the flags need."""
    for flag, barrier in (("touched_up", "upper"), ("touched_down", "lower")):
        if flag in ranges:
            ranges.setdefault(barrier, (1, 4))
    return ranges


@settings(max_examples=500)
@given(st.integers(0, 2**63), st.integers(1, 4))
def test_of_small_ranges_every_value_lies_in_its_interval(seed: int, depth: int) -> None:
    payoff, names = drawn(seed, depth, 4)
    if payoff is None:
        return
    draw = random.Random(seed + 1)
    ranges = {}
    for name in names:
        low = draw.randint(1, 4)
        ranges[name] = FLAG if name in texts.FLAGS else (low, low + draw.randint(0, 3))
    spans = [range(low, high + 1) for low, high in ranges.values()]
    every = [dict(zip(ranges, values, strict=True)) for values in itertools.product(*spans)]
    assert_sound(payoff, with_barriers(ranges), every)


@settings(max_examples=500)
@given(st.integers(0, 2**63), st.integers(1, 4), st.sampled_from([9, 10**6, 2**50 - 1]))
def test_of_wide_ranges_corners_and_random_values_lie_in_their_intervals(
    seed: int, depth: int, constant_max: int
) -> None:
    payoff, names = drawn(seed, depth, constant_max)
    if payoff is None:
        return
    draw = random.Random(seed + 1)
    ranges = {}
    for name in names:
        ends = sorted(draw.randint(1, 2 ** draw.randint(1, 40) - 1) for _ in range(2))
        ranges[name] = FLAG if name in texts.FLAGS else (ends[0], ends[1])
    seen = []
    for _ in range(20):
        near = draw.choice([*ranges.values(), (1, 1)])
        seen.append(
            {
                name: min(max(draw.choice([low, high, draw.randint(low, high), *near]), low), high)
                for name, (low, high) in ranges.items()
            }
        )
    assert_sound(payoff, with_barriers(ranges), seen)


def test_random_payoffs_are_admitted_and_refused_often_enough_to_say_something() -> None:
    found: dict[Refusal, int] = {}
    for seed in range(400):
        payoff, names = drawn(seed, 3, 9)
        if payoff is not None:
            ranges = {name: FLAG if name in texts.FLAGS else (1, 2**20) for name in names}
            refusal, _, _ = intervals_of(payoff, with_barriers(ranges))
            found[refusal] = found.get(refusal, 0) + 1
    assert found[Refusal.NONE] > 50 and found[Refusal.BOUNDS_BROKEN] > 50, found


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.builds(
                word,
                st.sampled_from(list(Op)),
                st.integers(0, 12),
                st.integers(0, 12),
                st.integers(0, 2),
            ),
            st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=12,
    ),
    st.integers(0, 2**32),
)
def test_code_that_no_compiler_wrote_is_refused_or_never_faults(code: list[int], seed: int) -> None:
    draw = random.Random(seed)
    named = {w // 64 % 64 for w in code if w > 0 and w % 64 == Op.INPUT}
    ranges = {n.name.lower(): (1, 1) for n in Input if n in named}
    payoff = Payoff(" " * len(code), tuple(code), tuple(range(len(code))))
    seen = [{name: draw.randint(0, 3) for name in ranges}]
    assert_sound(payoff, with_barriers(ranges), seen)


# --- what it can see -----------------------------------------------------------------------------

PRICES = {"fix": PRICE, "strike": PRICE}
SMALL = {"fix": (1, 100), "strike": (1, 100)}
LARGE = {"fix": (1, 2**30), "strike": (1, 2**30)}
SPREAD = {"fix": PRICE, "strike": PRICE, "upper": PRICE}
MOST = PRICE_TICKS_MAX
SEEN = [
    ("max(fix - strike, 0)", PRICES, (0, MOST - 1)),
    ("max(strike - fix, 0)", PRICES, (0, MOST - 1)),
    ("if fix > strike then fix - strike else 0", PRICES, (0, MOST - 1)),
    ("if strike < fix then fix - strike else 0", PRICES, (0, MOST - 1)),
    ("if fix >= strike then fix - strike else strike - fix", SMALL, (0, 99)),
    ("if fix <= strike then 0 else fix - strike", SMALL, (0, 99)),
    ("if not fix <= strike then fix - strike else 1", SMALL, (1, 99)),
    ("if fix - strike > 0 then fix - strike else 0", SMALL, (0, 99)),
    ("if fix > strike then (fix - strike) * 3 // 2 else 0", SMALL, (0, 148)),
    ("if fix > strike and fix < 50 then fix - strike else 0", SMALL, (0, 48)),
    ("if fix <= strike or fix >= 50 then 0 else fix - strike", SMALL, (0, 48)),
    ("if fix == strike then fix - strike else 0", SMALL, (0, 0)),
    ("if fix != 7 then 0 else fix", SMALL, (0, 7)),
    ("if fix > 200 then 0 - 5 else 3", SMALL, (3, 3)),
    ("if fix < 200 then 3 else 0 - 5", SMALL, (3, 3)),
    ("max(min(fix, upper) - strike, 0)", SPREAD, (0, MOST - 1)),
    ("max(fix, strike) - strike", SMALL, (0, 99)),
    ("fix - min(fix, strike)", SMALL, (0, 99)),
    ("max(fix, strike) - fix + (fix - min(strike, fix))", SMALL, (0, 198)),
    ("0 - (fix - max(fix, strike)) - (min(fix, strike) - fix)", SMALL, (0, 198)),
    ("fix - fix", SMALL, (0, 0)),
    ("(fix - strike) * (fix - strike)", SMALL, (0, 9801)),
    ("abs(fix - strike)", SMALL, (0, 99)),
    ("abs(fix + 2)", SMALL, (3, 102)),
    ("abs(0 - fix)", SMALL, (1, 100)),
    ("if touched then rebate else 0", {"touched": FLAG, "upper": PRICE, "rebate": (2, 9)}, (0, 9)),
    (
        "if touched_up and not touched_down then rebate else 1",
        {"touched_up": FLAG, "touched_down": FLAG, "upper": PRICE, "lower": PRICE}
        | {"rebate": (2, 9)},
        (1, 9),
    ),
    ("inside * 7", {"inside": (0, 96), "upper": PRICE, "lower": PRICE}, (0, 672)),
]


@pytest.mark.parametrize(("text", "ranges", "found"), SEEN, ids=[case[0] for case in SEEN])
def test_the_interval_that_it_finds(text: str, ranges: Ranges, found: tuple[int, int]) -> None:
    names = {number.name.lower() for number in parse(text).inputs()}
    used = {name: span for name, span in ranges.items() if name in names or "touched" in text}
    if "inside" in text:
        used = dict(ranges)
    verdict = verify(parse(text), used, ANY)
    assert (verdict.low, verdict.high) == found
    assert verify(parse(text), used, found) == verdict
    if found[0] > 0:
        with pytest.raises(PayoffError):
            verify(parse(text), used, (0, found[1] - 1))


# --- what it refuses -----------------------------------------------------------------------------

# Why, the text, ranges, bounds, and the column of the place.
REFUSED: list[tuple[Refusal, str, Ranges, tuple[int, int], int]] = [
    (Refusal.OVERFLOW_POSSIBLE, "fix * fix // 1000", {"fix": PRICE}, ANY, 5),
    (Refusal.OVERFLOW_POSSIBLE, "min(fix * 1_000_000_000, 5)", {"fix": PRICE}, ANY, 9),
    (Refusal.OVERFLOW_POSSIBLE, "fix*fix*3 + strike*strike*3", LARGE, ANY, 11),
    (Refusal.OVERFLOW_POSSIBLE, "(0 - fix*fix*3) + (0 - strike*strike*3)", LARGE, ANY, 17),
    (Refusal.OVERFLOW_POSSIBLE, "fix*fix*3 - (0 - strike*strike*3)", LARGE, ANY, 11),
    (Refusal.OVERFLOW_POSSIBLE, "0 - fix*fix*3 - strike*strike*3", LARGE, ANY, 15),
    # The side that overflows is never taken, but a run computes both.
    (
        Refusal.OVERFLOW_POSSIBLE,
        "if fix < 9 then fix * fix * fix else 0",
        {"fix": (1, 2**30)},
        ANY,
        27,
    ),
    (Refusal.BOUNDS_BROKEN, "fix * 2", {"fix": PRICE}, ANY, 5),  # unbounded: beyond any price
    (Refusal.BOUNDS_BROKEN, "fix - strike", SMALL, ANY, 5),
    (Refusal.BOUNDS_BROKEN, "max(fix - strike, 0)", SMALL, (0, 98), 1),  # lies about its most
    (Refusal.BOUNDS_BROKEN, "max(fix - strike, 0)", SMALL, (1, 99), 1),  # and about its least
    (Refusal.BOUNDS_BROKEN, "if fix > strike then strike - fix else 0", SMALL, ANY, 1),
    (Refusal.BOUNDS_BROKEN, "if fix > strike or fix > 9 then fix - strike else 0", SMALL, ANY, 1),
    (Refusal.BOUNDS_BROKEN, "if fix >= strike then fix - strike - 1 else 0", SMALL, ANY, 1),
    (Refusal.BOUNDS_INADMISSIBLE, "fix", {"fix": PRICE}, (-1, 5), 1),
    (Refusal.BOUNDS_INADMISSIBLE, "fix", {"fix": PRICE}, (0, PRICE_TICKS_MAX + 1), 1),
    (Refusal.BOUNDS_INADMISSIBLE, "fix", {"fix": PRICE}, (5, 4), 1),
    (Refusal.RANGE_OUTSIDE_NATURE, "1 + fix", {"fix": (0, 5)}, ANY, 5),
    (Refusal.RANGE_OUTSIDE_NATURE, "1 + fix", {"fix": (5, 4)}, ANY, 5),
    (Refusal.RANGE_OUTSIDE_NATURE, "1 + fix", {"fix": (1, PRICE_TICKS_MAX + 1)}, ANY, 5),
    (Refusal.RANGE_OUTSIDE_NATURE, "1 + fix", {}, ANY, 5),
    (Refusal.RANGE_OUTSIDE_NATURE, "count", {"count": (0, 2**20 + 1)}, ANY, 1),
    (Refusal.RANGE_OUTSIDE_NATURE, "if touched_up then 1 else 0", {"touched_up": FLAG}, ANY, 4),
    (Refusal.RANGE_OUTSIDE_NATURE, "if touched then 1 else 0", {"touched": FLAG}, ANY, 4),
    (Refusal.RANGE_OUTSIDE_NATURE, "inside", {"inside": (0, 5), "upper": PRICE}, ANY, 1),
    (Refusal.RANGE_WITHOUT_USE, "fix", {"fix": PRICE, "strike": PRICE}, ANY, 1),
    (Refusal.NUMBER_EXPECTED, "1 + (fix > 3)", {"fix": PRICE}, ANY, 3),
    (Refusal.NUMBER_EXPECTED, "fix > 3", {"fix": PRICE}, ANY, 5),
    (Refusal.NUMBER_EXPECTED, "max(fix > 3, 1)", {"fix": PRICE}, ANY, 1),
    (Refusal.NUMBER_EXPECTED, "if fix > 3 then fix > 4 else 0", {"fix": PRICE}, ANY, 1),
    (Refusal.NUMBER_EXPECTED, "if fix > 3 then 0 else fix > 4", {"fix": PRICE}, ANY, 1),
    (Refusal.NUMBER_EXPECTED, "(fix > 1) // 2", {"fix": PRICE}, ANY, 11),
    (Refusal.CONDITION_EXPECTED, "if fix then 1 else 0", {"fix": PRICE}, ANY, 1),
    (Refusal.CONDITION_EXPECTED, "if fix > 3 and fix then 1 else 0", {"fix": PRICE}, ANY, 12),
    (Refusal.CONDITION_EXPECTED, "if not fix then 1 else 0", {"fix": PRICE}, ANY, 4),
]


@pytest.mark.parametrize(
    ("refusal", "text", "ranges", "bounds", "column"), REFUSED, ids=[r[1] for r in REFUSED]
)
def test_a_payoff_is_refused_with_its_place_and_the_reason(
    refusal: Refusal, text: str, ranges: Ranges, bounds: tuple[int, int], column: int
) -> None:
    with pytest.raises(PayoffError) as caught:
        verify(parse(text), ranges, bounds)
    assert (caught.value.refusal, caught.value.column) == (refusal, column)


FORMS = [
    (Refusal.CODE_EMPTY, [], -1),
    (Refusal.CODE_EMPTY, [word(Op.CONST)] * (PAYOFF_CODE_MAX + 1), -1),
    (Refusal.INSTRUCTION_UNKNOWN, [word(Op.CONST), 0], 1),
    (Refusal.INSTRUCTION_UNKNOWN, [17], 0),
    (Refusal.INSTRUCTION_UNKNOWN, [-1], 0),
    (Refusal.INSTRUCTION_UNKNOWN, [-63], 0),  # CONST of -1
    (Refusal.OPERAND_NOT_EARLIER, [word(Op.ABS, 0)], 0),
    (Refusal.OPERAND_NOT_EARLIER, [word(Op.CONST), word(Op.ADD, 0, 1)], 1),
    (Refusal.OPERAND_NOT_EARLIER, [word(Op.CONST), word(Op.DIV, 1, 5)], 1),
    (Refusal.OPERAND_NOT_EARLIER, [word(Op.CONST), word(Op.SELECT, 0, 0, 2)], 1),
    (Refusal.OPERAND_UNUSED_NOT_ZERO, [word(Op.CONST), word(Op.ABS, 0, 1)], 1),
    (Refusal.OPERAND_UNUSED_NOT_ZERO, [word(Op.CONST), word(Op.ADD, 0, 0, 1)], 1),
    (Refusal.OPERAND_UNUSED_NOT_ZERO, [word(Op.INPUT, 0, 1)], 0),
    (Refusal.CONSTANT_TOO_LARGE, [Op.CONST + 64 * 2**50], 0),
    (Refusal.CONSTANT_TOO_LARGE, [word(Op.CONST), Op.DIV + 64**2 * 2**50], 1),
    (Refusal.INPUT_UNKNOWN, [word(Op.INPUT, 12)], 0),
    (Refusal.INPUT_UNKNOWN, [word(Op.INPUT, PAYOFF_INPUTS)], 0),
    (Refusal.DIVISOR_ZERO, [word(Op.CONST), word(Op.DIV, 0, 0)], 1),
]


@pytest.mark.parametrize(("refusal", "code", "place"), FORMS)
def test_malformed_code_is_refused_with_its_place(
    refusal: Refusal, code: list[int], place: int
) -> None:
    zeros = [0] * PAYOFF_INPUTS
    work, out = [0] * checker.CHECK_WORK, [0] * checker.CHECK_OUT
    found = checker.check(code, len(code), zeros, zeros, *ANY, work, out)
    assert (found, out[checker.OUT_PLACE]) == (refusal, place)


def test_every_refusal_of_a_code_is_met() -> None:
    met = {case[0] for case in FORMS} | {case[0] for case in REFUSED} | {Refusal.CODE_NOT_OF_TEXT}
    of_code = {refusal for refusal in Refusal if refusal >= Refusal.CODE_EMPTY}
    assert met == of_code | {Refusal.DIVISOR_ZERO}


def admitted(text: str, code: list[int], ranges: Ranges, bounds: tuple[int, int]) -> list[int]:
    """Ask for a listing; return the refusal, the place in the code and that in the text."""
    lows, highs = declared(ranges)
    content = list(text.encode())
    own, places = [0] * PAYOFF_CODE_MAX, [0] * PAYOFF_CODE_MAX
    works = [0] * compiler.COMPILE_WORK, [0] * checker.CHECK_WORK
    out = [0] * admission.ADMISSION_OUT
    found = admission.admit(
        content, len(content), code, len(code), lows, highs, *bounds, own, places, *works, out
    )
    return [found, out[checker.OUT_PLACE], out[admission.OUT_TEXT_PLACE]]


def test_a_listing_is_admitted_when_code_and_text_agree_and_the_checker_admits_the_code() -> None:
    text = "max(fix - strike, 0)"
    code = list(parse(text).code)
    other = list(parse("max(strike - fix, 0)").code)
    assert admitted(text, code, SMALL, (0, 99)) == [0, 4, 0]
    assert admitted(text, code, SMALL, (0, 98)) == [Refusal.BOUNDS_BROKEN, 4, 0]
    assert admitted(text, other, SMALL, (0, 99)) == [Refusal.CODE_NOT_OF_TEXT, 0, 4]
    longer = [*code, word(Op.ADD, 4, 4)]
    assert admitted(text, longer, SMALL, (0, 99)) == [Refusal.CODE_NOT_OF_TEXT, 5, 0]
    assert admitted(text, code[:4], SMALL, (0, 99)) == [Refusal.CODE_NOT_OF_TEXT, 4, 0]
    assert admitted(text, [], SMALL, (0, 99)) == [Refusal.CODE_NOT_OF_TEXT, 0, 4]
    assert admitted("fix - ", code, SMALL, (0, 99)) == [Refusal.VALUE_EXPECTED, -1, 6]
    spare = SMALL | {"avg": (1, 2)}
    assert admitted(text, code, spare, (0, 99)) == [Refusal.RANGE_WITHOUT_USE, -1, 0]


def test_the_machine_faults_where_no_checker_was_asked() -> None:
    broken: list[list[int]] = [
        [word(Op.CONST), word(Op.DIV, 0, 0)],
        [word(Op.CONST), 0],
        [word(Op.CONST), -1],
        [word(Op.CONST), word(Op.INPUT, 12)],
        [Op.CONST + 64 * 2**50, word(Op.MUL, 0, 0)],
    ]
    for code in broken:
        payoff = Payoff("", tuple(code), ())
        assert values_of(payoff, {}, {})[0] == 2
    huge = Payoff("", (Op.CONST + 64 * (2**56 - 1), word(Op.MUL, 0, 0)), ())
    with pytest.raises(ArithmeticError, match="#1 mul #0 #0"):
        evaluate(huge, {}, {})
    assert PAYOFF_VALUE_MAX < 2**62
