"""The payoff language compiled for kernels, from its one source.

Each function is given the names of all modules of this room, in which the functions are the
compiled ones. `compile_now`, `admit_now`, `check_now` and `payoff_now` are kernels of their own,
for tests, benches and views; kernels of `execution` call the helpers.
"""

from types import FunctionType
from typing import Any

import numpy as np

from quorate.compiled import helper, kernel
from quorate.instruments.payoff import admission, checker, code, compiler, lexer, machine, rules

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]

names: dict[str, Any] = {}
for _module in (rules, code, machine, checker, lexer, compiler, admission):
    for _name, _value in vars(_module).items():
        if not isinstance(_value, FunctionType):
            names[_name] = _value
        elif _value.__module__ == _module.__name__:
            assert _name not in names, _name
            names[_name] = helper(FunctionType(_value.__code__, names, _name))

run = names["run"]
payoff_ticks = names["payoff_ticks"]
check = names["check"]
compile_text = names["compile_text"]
admit = names["admit"]


@kernel("int64(int64[::1], int64, int64[::1], int64[::1], int64[::1])")
def compile_now(text: Ints, length: int, words: Ints, places: Ints, work: Ints) -> int:
    """Compile a text as `compiler.compile_text` does."""
    return int(compile_text(text, length, words, places, work))


@kernel(
    "int64(int64[::1], int64, int64[::1], int64, int64[::1], int64[::1], int64, int64,"
    " int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])"
)
def admit_now(
    text: Ints,
    length: int,
    words: Ints,
    count: int,
    lows: Ints,
    highs: Ints,
    bound_low: int,
    bound_high: int,
    own_words: Ints,
    places: Ints,
    compile_work: Ints,
    check_work: Ints,
    out: Ints,
) -> int:
    """Judge a listing as `admission.admit` does."""
    return int(
        admit(
            text, length, words, count, lows, highs, bound_low, bound_high,
            own_words, places, compile_work, check_work, out,
        )
    )  # fmt: skip


@kernel(
    "int64(int64[::1], int64, int64[::1], int64[::1], int64, int64, int64[::1], int64[::1])"
)
def check_now(
    words: Ints,
    count: int,
    lows: Ints,
    highs: Ints,
    bound_low: int,
    bound_high: int,
    work: Ints,
    out: Ints,
) -> int:
    """Check a code as `checker.check` does."""
    return int(check(words, count, lows, highs, bound_low, bound_high, work, out))


@kernel("int64(int64[::1], int64, int64[::1], int64[::1], int64[::1], int64[::1])")
def payoff_now(
    words: Ints, count: int, inputs: Ints, lows: Ints, highs: Ints, values: Ints
) -> int:
    """Run a code as `machine.payoff_ticks` does."""
    return int(payoff_ticks(words, count, inputs, lows, highs, values))
