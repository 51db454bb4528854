"""The compiled language gives what the plain one gives, word by word, on right and wrong input."""

import dataclasses
import random

import numpy as np
import pytest

from quorate.instruments.payoff import admission, batch, checker, compiler, kernels, machine
from quorate.instruments.payoff.catalogue import CATALOGUE
from quorate.instruments.payoff.language import PayoffError, declared, parse
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Input, Op
from tests.instruments.payoff import texts

pytestmark = pytest.mark.slow


def zeros(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.zeros(count, dtype=np.int64)


def random_text(draw: random.Random) -> str:
    """A payoff, or one with some bytes changed, or bytes alone."""
    text, _ = texts.written(texts.number(draw, draw.randint(1, 4), 2**50 - 1), draw)
    kind = draw.random()
    if kind < 0.4:
        at = draw.randrange(len(text))
        return text[:at] + draw.choice("() ,-f0_$/=") + text[at + draw.randint(0, 2) :]
    return text


def test_texts_compile_alike() -> None:
    draw = random.Random(7)
    refused = 0
    for _ in range(3000):
        content = list(random_text(draw).encode())
        plain = [0] * PAYOFF_CODE_MAX, [0] * PAYOFF_CODE_MAX, [0] * compiler.COMPILE_WORK
        fast = zeros(PAYOFF_CODE_MAX), zeros(PAYOFF_CODE_MAX), zeros(compiler.COMPILE_WORK)
        found = compiler.compile_text(content, len(content), *plain)
        array = np.array(content, dtype=np.int64)
        assert kernels.compile_now(array, len(content), *fast) == found
        for left, right in zip(plain, fast, strict=True):
            assert left == right.tolist()
        refused += found != 0
    assert 500 < refused < 2500


def random_code(draw: random.Random) -> list[int]:
    """The code of a payoff, perhaps with a word changed, or words alone."""
    try:
        code = list(parse(random_text(draw)).code)
    except PayoffError:
        code = [draw.randrange(2**63) for _ in range(3)]
    if draw.random() < 0.3:
        changed = draw.choice([draw.randrange(-(2**63), 2**63), draw.randrange(64**3)])
        code[draw.randrange(len(code))] = changed
    return code


def test_codes_are_judged_and_run_alike() -> None:
    draw = random.Random(8)
    verdicts: dict[int, int] = {}
    for _ in range(3000):
        code = random_code(draw)
        named = {word // 64 % 64 for word in code if word % 64 == Op.INPUT}
        names = [number.name.lower() for number in Input if number in named]
        ranges = {name: (1, draw.choice([1, 9, 2**20, 2**40 - 1])) for name in names}
        lows, highs = declared(ranges)
        work, out = [0] * checker.CHECK_WORK, [0] * checker.CHECK_OUT
        fast_work, fast_out = zeros(checker.CHECK_WORK), zeros(checker.CHECK_OUT)
        bounds = (0, draw.choice([100, PRICE_TICKS_MAX]))
        found = checker.check(code, len(code), lows, highs, *bounds, work, out)
        arrays = [np.array(part, dtype=np.int64) for part in (code, lows, highs)]
        words, low_array, high_array = arrays
        assert found == kernels.check_now(
            words, len(code), low_array, high_array, *bounds, fast_work, fast_out
        )
        assert work == fast_work.tolist() and out == fast_out.tolist()
        verdicts[found] = verdicts.get(found, 0) + 1
        inputs = [draw.randint(0, 2**40) for _ in range(PAYOFF_INPUTS)]
        values, fast_values = [0] * PAYOFF_CODE_MAX, zeros(PAYOFF_CODE_MAX)
        paid = machine.payoff_ticks(code, len(code), inputs, lows, highs, values)
        array = np.array(inputs, dtype=np.int64)
        assert paid == kernels.payoff_now(
            words, len(code), array, low_array, high_array, fast_values
        )
        assert values == fast_values.tolist()
    assert verdicts[0] > 200 and len(verdicts) > 6, verdicts


def test_listings_are_admitted_alike() -> None:
    ranges = {"fix": (1, 1000), "strike": (1, 1000)}
    lows, highs = (np.array(part, dtype=np.int64) for part in declared(ranges))
    for text, code_text in (
        ("max(fix - strike, 0)", "max(fix - strike, 0)"),
        ("max(fix - strike, 0)", "max(strike - fix, 0)"),
        ("max(fix -", "fix"),
        ("fix - strike", "fix - strike"),
    ):
        content = np.array(list(text.encode()), dtype=np.int64)
        code = np.array(parse(code_text).code, dtype=np.int64)
        sizes = (PAYOFF_CODE_MAX, PAYOFF_CODE_MAX, compiler.COMPILE_WORK, checker.CHECK_WORK)
        plain = [*([0] * size for size in sizes), [0] * admission.ADMISSION_OUT]
        fast = [*map(zeros, sizes), zeros(admission.ADMISSION_OUT)]
        wanted = admission.admit(
            content.tolist(), len(content), code.tolist(), len(code),
            lows.tolist(), highs.tolist(), 0, 999, *plain,
        )  # fmt: skip
        found = kernels.admit_now(
            content, len(content), code, len(code), lows, highs, 0, 999, *fast
        )
        assert found == wanted
        assert plain == [part.tolist() for part in fast]


def test_the_whole_catalogue_is_admitted_by_the_compiled_rules() -> None:
    broken = dataclasses.replace(CATALOGUE[1], bounds=(0, 5))
    assert batch.admissions(CATALOGUE)() == len(CATALOGUE)
    assert batch.admissions([*CATALOGUE, broken])() == len(CATALOGUE)
