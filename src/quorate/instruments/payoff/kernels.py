"""Kernels of the payoff language of their own: for tests, benches and views."""

import numpy as np

from quorate.compiled import kernel
from quorate.instruments.payoff.scalars import admit, check, compile_text, payoff_ticks

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


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
