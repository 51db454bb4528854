"""Prices: against exact arithmetic, QuantLib and books, and what holds for every price."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.pricing.black76 import (
    DEVIATION_MAX_FP,
    YEAR_MS,
    deviation_fp,
    price_fp,
    price_ticks,
    ratio_price_fp,
    root_deviation_fp,
    time_value_q60,
)
from quorate.instruments.pricing.fixed import ONE, ratio_fp, root_years_q52
from tests.instruments.pricing import oracle
from tests.instruments.pricing.cases import Case, any_case, cases

prices = st.integers(1, 2**40 - 1)
deviations = st.integers(1, DEVIATION_MAX_FP)


def priced(case: Case) -> int:
    deviation = deviation_fp(case.vol_e9, case.time_ms)
    return price_fp(case.forward, case.strike, deviation, case.call)


def test_against_exact_arithmetic() -> None:
    """Within one unit of the exact price of the same ratio and deviation: only the last floor."""
    rng = random.Random(1)
    for case in cases(1, 400):
        ratio = ratio_fp(case.strike, case.forward)
        deviation = deviation_fp(case.vol_e9, case.time_ms) + rng.randrange(3)
        exact = oracle.black76(Fraction(ratio, ONE), Fraction(deviation, ONE), case.call)
        found = ratio_price_fp(ratio, deviation, case.call)
        assert -(2**-16) <= exact * ONE - found < 1 + 2**-16, case


def test_against_quantlib() -> None:
    for case in cases(2, 5000):
        exact = oracle.quantlib(case.forward, case.strike, case.deviation, case.call)
        assert abs(priced(case) / ONE - exact) < 4e-12, case


def test_ticks_against_quantlib() -> None:
    for case in cases(3, 5000):
        deviation = deviation_fp(case.vol_e9, case.time_ms)
        exact = oracle.quantlib(case.forward, case.strike, case.deviation, case.call) * case.forward
        low = price_ticks(case.forward, case.strike, deviation, case.call, False)
        high = price_ticks(case.forward, case.strike, deviation, case.call, True)
        slack = 1e-12 * case.forward
        assert low - slack <= exact <= high + slack, case
        assert 0 <= high - low <= 1


# Discounted prices as printed; forward and strike in 1e-9.
BOOKS = [
    # Hull, Options, Futures and Other Derivatives, Black's model: a put on crude oil futures.
    (20.0, 20.0, 0.25, 4 / 12, 0.09, False, "1.12"),
    # Haug, The Complete Guide to Option Pricing Formulas, 1.1.3: Brent futures, call and put.
    (19.0, 19.0, 0.28, 0.75, 0.10, True, "1.7011"),
    (19.0, 19.0, 0.28, 0.75, 0.10, False, "1.7011"),
    # Haug, 1.1.1: a call on a stock, 60 now, as one on its forward.
    (60 * math.exp(0.08 * 0.25), 65.0, 0.30, 0.25, 0.08, True, "2.1334"),
    # Hull, Black-Scholes-Merton: a stock at 42, call and put.
    (42 * math.exp(0.10 * 0.5), 40.0, 0.20, 0.5, 0.10, True, "4.76"),
    (42 * math.exp(0.10 * 0.5), 40.0, 0.20, 0.5, 0.10, False, "0.81"),
]


@pytest.mark.parametrize(("forward", "strike", "vol", "years", "rate", "call", "printed"), BOOKS)
def test_books(
    forward: float, strike: float, vol: float, years: float, rate: float, call: bool, printed: str
) -> None:
    unit = 10**9
    deviation = deviation_fp(round(vol * 1e9), round(years * YEAR_MS))
    ticks = price_ticks(round(forward * unit), round(strike * unit), deviation, call, False)
    found = ticks / unit * math.exp(-rate * years)
    assert f"{found:.{len(printed.split('.')[1])}f}" == printed


def parity_and_bounds(forward: int, strike: int, deviation: int) -> None:
    ratio = ratio_fp(strike, forward)
    call = price_fp(forward, strike, deviation, True)
    put = price_fp(forward, strike, deviation, False)
    assert call - put == ONE - ratio
    assert max(0, ONE - ratio) <= call <= ONE
    assert max(0, ratio - ONE) <= put <= ratio
    for up in (False, True):
        call = price_ticks(forward, strike, deviation, True, up)
        put = price_ticks(forward, strike, deviation, False, up)
        assert call - put == forward - strike
        assert max(0, forward - strike) <= call <= forward
        assert max(0, strike - forward) <= put <= strike


@given(prices, prices, deviations)
def test_parity_and_bounds(forward: int, strike: int, deviation: int) -> None:
    parity_and_bounds(forward, strike, deviation)


@given(any_case)
def test_parity_and_bounds_within_the_range(case: Case) -> None:
    parity_and_bounds(case.forward, case.strike, deviation_fp(case.vol_e9, case.time_ms))


@given(st.integers(0, 2**57), deviations)
def test_time_value_is_a_fraction(distance: int, deviation: int) -> None:
    assert 0 <= time_value_q60(distance, deviation) <= 2**60


@given(st.integers(0, 2**40), st.integers(1, 2**20))
def test_time_value_of_the_least_deviations(distance: int, deviation: int) -> None:
    """Where the difference of two Mills ratios is smallest it is still no less than 0."""
    assert 0 <= time_value_q60(distance, deviation) <= 2**60


def test_at_the_money_the_least_deviation_has_a_value() -> None:
    assert time_value_q60(0, 1) > 2**18


def test_strikes_beyond_all_ratios() -> None:
    assert price_fp(2**40 - 1, 0, ONE, True) == ONE
    assert price_fp(2**40 - 1, 0, ONE, False) == 0
    assert price_fp(1, 2**40 - 1, ONE, True) == 0
    assert price_fp(1, 2**40 - 1, ONE, False) == 2**62 - ONE


@given(st.integers(-5, 2**45), st.integers(1, 2**40 - 1))
def test_deviation(vol_e9: int, time_ms: int) -> None:
    root = root_years_q52(time_ms)
    exact = max(1, vol_e9) * root // (10**9 * 2**12)
    expected = max(1, min(exact, DEVIATION_MAX_FP))
    if vol_e9 > 2**41:
        expected = max(1, min(2**41 * root // (10**9 * 2**12), DEVIATION_MAX_FP))
    assert root_deviation_fp(vol_e9, root) == deviation_fp(vol_e9, time_ms) == expected
