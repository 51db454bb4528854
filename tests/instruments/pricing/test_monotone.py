"""One unit more of an input never moves a price the wrong way; nor do steps of any size."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.pricing.black76 import (
    DEVIATION_MAX_FP,
    deviation_fp,
    price_fp,
    price_ticks,
    ratio_price_fp,
)
from quorate.instruments.pricing.fixed import ONE, ratio_fp
from tests.instruments.pricing.cases import Case, any_case

Ints = npt.NDArray[np.int64]
STEPS = 40


@given(any_case, st.integers(1, 10**9))
def test_volatility(case: Case, more: int) -> None:
    less = deviation_fp(case.vol_e9, case.time_ms)
    higher = deviation_fp(case.vol_e9 + more, case.time_ms)
    assert less <= higher
    prices = [price_fp(case.forward, case.strike, s, case.call) for s in (less, higher)]
    assert prices[0] <= prices[1]


@given(any_case, st.integers(1, 10**9))
def test_time(case: Case, more: int) -> None:
    less = deviation_fp(case.vol_e9, case.time_ms)
    higher = deviation_fp(case.vol_e9, case.time_ms + more)
    assert less <= higher
    prices = [price_fp(case.forward, case.strike, s, case.call) for s in (less, higher)]
    assert prices[0] <= prices[1]


@given(any_case, st.integers(1, 2**60).map(lambda n: n // 2 ** (n % 60) + 1))
def test_strike(case: Case, more: int) -> None:
    deviation = deviation_fp(case.vol_e9, case.time_ms)
    ratio = ratio_fp(case.strike, case.forward)
    change = ratio_price_fp(ratio + more, deviation, case.call) - ratio_price_fp(
        ratio, deviation, case.call
    )
    assert -more <= change <= 0 if case.call else 0 <= change <= more


@given(any_case, st.integers(1, 2**39).map(lambda n: n // 2 ** (n % 39) + 1), st.booleans())
def test_ticks(case: Case, more: int, up: bool) -> None:
    s = deviation_fp(case.vol_e9, case.time_ms)
    forward, strike, call = case.forward, case.strike, case.call
    price = price_ticks(forward, strike, s, call, up)
    if strike + more < 2**40:
        change = price_ticks(forward, strike + more, s, call, up) - price
        assert -more <= change <= 0 if call else 0 <= change <= more
    if forward + more < 2**40:
        change = price_ticks(forward + more, strike, s, call, up) - price
        assert 0 <= change <= more if call else -more <= change <= 0


def test_deviations_beyond_the_range() -> None:
    last = 0
    for step in range(1, 401):
        price = price_fp(10**9, 8 * 10**9, DEVIATION_MAX_FP * step // 400, True)
        assert price >= last
        last = price
    assert ONE * (1 - 6e-9) < last <= ONE


def spread(seed: int, count: int, low: float, high: float) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Deviations in 2**-40, and signed log moneyness up to ln 8, half of it near the money."""
    rng = np.random.default_rng(seed)
    s = np.exp(rng.uniform(math.log(low), math.log(high), count))
    far = rng.uniform(-1, 1, count) * math.log(8)
    near = np.clip(s * (s / 2 + rng.normal(0, 3, count)), -math.log(8), math.log(8))
    return (s * 2**40).astype(np.int64), np.where(rng.random(count) < 0.5, far, near)


def wrong_steps(walk: Callable[..., Any], *columns: Ints) -> list[int]:
    wrong = np.zeros(4, np.int64)
    padded = [np.ascontiguousarray(column) for column in columns]
    while len(padded) < 3:
        padded.append(np.zeros(1, np.int64))
    walk(*padded, STEPS, wrong)
    return [int(count) for count in wrong]


# Small deviations, where volatility moves most; large ones, where a price hardly moves at all.
@pytest.mark.slow
@pytest.mark.parametrize(("low", "high"), [(1.07e-4, 8.66), (7.0, 8.66)])
def test_adjacent(low: float, high: float) -> None:
    from tests.instruments.pricing import walk_kernel

    count = 20_000
    deviations, moneyness = spread(1, count, low, high)
    ratios = (np.exp(moneyness) * 2**40).astype(np.int64)
    assert wrong_steps(walk_kernel.fractions_walk, ratios, deviations) == [0] * 4
    distances = (np.abs(moneyness) * 2**52).astype(np.int64)
    assert wrong_steps(walk_kernel.values_walk, distances, deviations) == [0] * 4
    rng = np.random.default_rng(2)
    # Half of them so near the largest price that a tick is a unit of 2**-40.
    top = (2**40 - 100) / np.exp(np.maximum(moneyness, 0))
    small = np.exp(rng.uniform(5, 22, count))
    forwards = np.where(rng.random(count) < 0.5, top, small).astype(np.int64)
    strikes = np.maximum(1, forwards * np.exp(moneyness)).astype(np.int64)
    assert wrong_steps(walk_kernel.ticks_walk, forwards, strikes, deviations) == [0] * 4


@pytest.mark.slow
def test_adjacent_deviations() -> None:
    from tests.instruments.pricing import walk_kernel

    rng = np.random.default_rng(3)
    times = np.exp(rng.uniform(math.log(3.6e6), math.log(9.46e10), 100_000)).astype(np.int64)
    vols = (1e7 * 500 ** rng.random(100_000)).astype(np.int64)
    assert wrong_steps(walk_kernel.deviations_walk, vols, times) == [0] * 4
