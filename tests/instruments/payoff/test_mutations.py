"""A checker with one rule changed is caught: by a value outside its interval, or by its verdicts.

A mutant is the whole checker, built anew from the source of its functions, with one text replaced
in one of them. The battery that every mutant has to pass is the one that the checker itself passes
here. The machine is never changed.
"""

import inspect
import itertools
import random
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

from quorate.instruments.payoff import checker, code, machine, rules
from quorate.instruments.payoff.language import Payoff, Ranges, declared, parse
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Input, Refusal
from tests.instruments.payoff import texts
from tests.instruments.payoff.test_checker import FORMS, REFUSED, SEEN

Names = dict[str, Any]


def mutant(function: str, old: str, new: str) -> Names:
    """Build the checker with one text of one function replaced."""
    names: Names = {}
    for module in (rules, code, checker):
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                names[name] = FunctionType(value.__code__, names, name)
            elif not isinstance(value, FunctionType):
                names[name] = value
    if function:
        owner = next(m for m in (rules, code, checker) if function in vars(m))
        source = inspect.getsource(getattr(owner, function))
        assert source.count(old) == 1, (function, old, source.count(old))
        exec(source.replace(old, new), names)
    return names


def small_payoffs() -> Iterator[tuple[Payoff, dict[str, tuple[int, int]]]]:
    """Give payoffs over ranges that are small enough to try every value."""
    shown = [
        "fix - strike", "strike - fix", "fix * strike", "(fix - 3) * (strike - 3)", "fix // 2",
        "(fix - 5) // 2", "min(fix, strike)", "max(fix, strike)", "abs(fix - 3)", "-fix",
        "abs(fix - 9)", "abs(fix)", "(fix - 3) * (fix - 3)", "fix - max(fix, strike)",
        "min(fix, strike) - fix", "max(fix, strike) - strike", "strike - min(fix, strike)",
        "if fix < strike then 1 else 0", "if fix <= strike then 1 else 0",
        "if fix == strike then 1 else 0", "if not fix < strike then 1 else 0",
        "if fix < strike and strike < 3 then fix else 7",
        "if fix < strike or strike < 3 then fix else strike",
        "if fix < strike then strike - fix else fix - strike",
        "if fix <= strike then strike - fix else fix - strike",
        "if fix == strike then fix - strike else 5",
        "if fix != strike then fix - strike else 5",
        "if fix < 3 then fix else strike", "if 3 < fix then fix else strike",
        "if fix <= 2 then fix else 2", "if fix >= 2 then 0 else fix",
        "if not (fix < 3 and strike < 3) then fix + strike else 9",
        "if not (fix < 3 or strike < 3) then fix + strike else 9",
        "if fix < 2 and fix > 2 then 9 else 1", "if fix < 9 then 1 else 5",
        "if fix > 9 then 1 else 5", "max(fix - 9, strike - 8)", "(0 - fix) * strike",
        "if touched_up then fix else strike", "if not touched_up then fix else strike",
        "if touched_up and fix > 2 then fix else strike",
        "if touched_up or fix > 2 then fix else strike",
        "if fix == 2 then fix else 0", "if not fix == 2 then fix else 0",
        "fix - min(fix, strike)", "min(fix, strike) - strike", "strike - max(fix, strike)",
        "(if fix < strike then 1 else 0) * (if strike <= fix then 1 else 0)",
    ]  # fmt: skip
    draw = random.Random(11)
    shown += [texts.written(texts.number(draw, 3, 3), draw)[0] for _ in range(150)]
    for text in shown:
        payoff = parse(text)
        for fix, strike in (((1, 4), (1, 4)), ((2, 3), (3, 6)), ((3, 3), (1, 3))):
            ranges = {"fix": fix, "strike": strike, "avg": (1, 2), "upper": (2, 2)}
            flags = dict.fromkeys(texts.FLAGS, (0, 1))
            named = {number.name.lower() for number in payoff.inputs()}
            if "touched_down" in named:
                named.add("lower")
            if "touched_up" in named:
                named.add("upper")
            every = ranges | flags | {"lower": (1, 1)}
            yield payoff, {name: every[name] for name in every if name in named}


def checked(names: Names, payoff: Payoff, ranges: Ranges, bounds: tuple[int, int]) -> list[Any]:
    """Run a checker; return its refusal, its place and the intervals."""
    lows, highs = declared(ranges)
    work, out = [0] * checker.CHECK_WORK, [0] * checker.CHECK_OUT
    refusal = names["check"](payoff.code, len(payoff.code), lows, highs, *bounds, work, out)
    spans = list(zip(work[checker.LOW :], work[checker.HIGH :], strict=False))
    return [refusal, out[checker.OUT_PLACE], spans[: len(payoff.code)]]


def is_sound(names: Names) -> bool:
    """Whether no value of any run lies outside its interval."""
    for payoff, ranges in small_payoffs():
        lows, highs = declared(ranges)
        _, _, spans = checked(names, payoff, ranges, (0, PRICE_TICKS_MAX))
        values, inputs = [0] * PAYOFF_CODE_MAX, [0] * PAYOFF_INPUTS
        every = itertools.product(*(range(low, high + 1) for low, high in ranges.values()))
        for observed in every:
            for name, value in zip(ranges, observed, strict=True):
                inputs[Input[name.upper()]] = value
            assert machine.run(payoff.code, len(payoff.code), inputs, lows, highs, values) == 0
            if not all(a <= v <= b for (a, b), v in zip(spans, values, strict=False)):
                return False
    return True


def judges_rightly(names: Names) -> bool:
    """Whether a checker gives the verdicts and the intervals of the tables of test_checker."""
    for text, ranges, found in SEEN:
        payoff = parse(text)
        refusal, _, spans = checked(names, payoff, ranges_used(payoff, ranges), found)
        if refusal != 0 or spans[-1] != found:
            return False
    for refusal_wanted, text, ranges, bounds, column in REFUSED:
        payoff = parse(text)
        refusal, place, _ = checked(names, payoff, ranges, bounds)
        if refusal != refusal_wanted or (place >= 0 and payoff.places[place] + 1 != column):
            return False
    for refusal_wanted, words, place_wanted in FORMS:
        payoff = Payoff("", tuple(words), ())
        refusal, place, _ = checked(names, payoff, {}, (0, PRICE_TICKS_MAX))
        if (refusal, place) != (refusal_wanted, place_wanted):
            return False
    return True


def ranges_used(payoff: Payoff, ranges: Ranges) -> Ranges:
    """Leave out ranges that a payoff has no use for."""
    named = {number.name.lower() for number in payoff.inputs()}
    kept = named | ({"upper", "lower"} if named & {"touched_up", "touched", "inside"} else set())
    return {name: span for name, span in ranges.items() if name in kept}


MUTANTS = [
    ("low_after", "a_low - b_high", "a_low - b_low"),
    ("low_after", "min(a_low * b_low, a_low * b_high, a_high", "min(a_low * b_low, a_high"),
    ("low_after", "return a_low // b_low", "return a_low // b_low + 1"),
    ("low_after", "truth(a_high < b_low)", "truth(a_high <= b_low)"),
    ("low_after", "truth(a_high <= b_low)", "truth(a_low <= b_low)"),
    ("low_after", "a_low == a_high and b_low == b_high and ", ""),
    ("low_after", "1 - a_high", "1 - a_low"),
    ("low_after", "return min(b_low, c_low)", "return b_low"),
    ("high_after", "a_high - b_low", "a_high - b_high"),
    ("high_after", "a_high * b_low, a_high * b_high)", "a_high * b_high)"),
    ("high_after", "a_high // b_low", "a_low // b_low"),
    ("high_after", "truth(a_low < b_high)", "truth(a_high < b_high)"),
    ("high_after", "truth(a_low <= b_high)", "truth(a_low < b_high)"),
    ("high_after", "a_low <= b_high and b_low <= a_high", "a_low == b_low"),
    ("high_after", "max(abs(a_low), abs(a_high))", "abs(a_high)"),
    ("high_after", "return max(b_high, c_high)", "return b_high"),
    ("abs_low", "return 0", "return min(abs(a_low), abs(a_high))"),
    ("range_fits", "sum_fits(a_high - b_low)", "sum_fits(a_high - b_high)"),
    ("range_fits", "return product_fits(max(abs(a_low), abs(a_high)), ", "return product_fits(0, "),
    ("product_fits", "PAYOFF_VALUE_MAX // size_b", "PAYOFF_VALUE_MAX"),
    ("low_above", "x_low + gap", "x_low + 1"),
    ("high_below", "y_high - gap", "y_high - 1"),
    ("difference_low", "max(low, gap)", "max(low, 1)"),
    ("difference_high", "min(high, -gap)", "min(high, -1)"),
    ("never_negative", "return a == b or ", "return "),
    ("never_negative", "part_of(code[a], MAX, b)", "part_of(code[b], MAX, a)"),
    ("never_negative", "part_of(code[b], MIN, a)", "part_of(code[a], MIN, b)"),
    ("never_negative", "op == MUL:\n        return a == b", "op == MUL:\n        return True"),
    ("never_positive", "part_of(code[b], MAX, a)", "part_of(code[a], MAX, b)"),
    ("never_positive", "part_of(code[a], MIN, b)", "part_of(code[b], MIN, a)"),
    ("facts_of", "HELD_TRUE + HELD_FALSE - held", "held"),
    ("facts_of", "op == AND and held == HELD_TRUE", "op == AND"),
    ("facts_of", "op == OR and held == HELD_FALSE", "op == OR"),
    ("facts_of", "note_fact(work, facts, a, b, 1)", "note_fact(work, facts, b, a, 1)"),
    ("facts_of", "note_fact(work, facts, b, a, 1)", "note_fact(work, facts, a, b, 1)"),
    ("facts_of", "elif op == EQ and held == HELD_TRUE", "elif op == EQ"),
    ("gather", "known == HELD_TRUE + HELD_FALSE", "known != 0"),
    ("narrow", "a_of(word) == y and b_of(word) == x", "a_of(word) == y or b_of(word) == x"),
    ("narrow", "a_of(word) == x and b_of(word) == y", "a_of(word) == y and b_of(word) == x"),
    ("narrow", "low = max(low, 1)", "low = max(low, 2)"),
    ("narrow", "high = min(high, 0)", "high = min(high, -1)"),
    ("narrow_select", "assume(code, select, HELD_FALSE,", "assume(code, select, HELD_TRUE,"),
    ("narrow_select", "low = min(low, work[NEAR_LOW + c_of(code[select])])", "pass"),
    ("kind_refusal", "if work[KIND + a_of(word)] != CONDITION", "if work[KIND + a_of(word)] > 1"),
    ("kind_refusal", "work[KIND + b_of(word)] != wanted", "work[KIND + b_of(word)] > 1"),
    ("kind_refusal", "work[KIND + c_of(word)] != wanted", "work[KIND + c_of(word)] > 1"),
    ("form_refusal", "a_of(word) >= place", "a_of(word) > place"),
    ("form_refusal", "b_of(word) >= place", "b_of(word) > place"),
    ("form_refusal", "c_of(word) >= place", "c_of(word) > place + 1"),
    ("form_refusal", "op > SELECT", "op > SELECT + 1"),
    ("leaf_refusal", "value > PAYOFF_CONSTANT_MAX", "value > 2 * PAYOFF_CONSTANT_MAX"),
    ("leaf_refusal", "op == DIV and value == 0", "op == DIV and value == -1"),
    ("range_refusal", "low < NATURE_LOW[number] or ", ""),
    ("range_refusal", " or low > high", ""),
    ("check", "out[OUT_LOW] < bound_low or ", ""),
    ("check", " or out[OUT_HIGH] > bound_high", ""),
    ("check", "not bounds_admitted(bound_low, bound_high)", "bound_low > bound_high"),
    ("check", "not operands_fit(code[place], work)", "False"),
    ("check", "work[KIND + count - 1] != NUMBER", "False"),
    ("count_admitted", "count <= PAYOFF_CODE_MAX", "count <= PAYOFF_CODE_MAX + 1"),
]


def survives(names: Names) -> bool:
    """Whether a checker passes the battery; one that crashes does not."""
    try:
        return judges_rightly(names) and is_sound(names)
    except (IndexError, ZeroDivisionError):
        return False


def test_the_checker_itself_passes_the_battery() -> None:
    names = mutant("", "", "")
    assert judges_rightly(names) and is_sound(names)
    assert names["check"] is not checker.check and Refusal(0) == Refusal.NONE


@pytest.mark.parametrize("change", MUTANTS, ids=[f"{m[0]}-{m[1][:30]}" for m in MUTANTS])
def test_a_changed_rule_is_caught(change: tuple[str, str, str]) -> None:
    assert not survives(mutant(*change))
