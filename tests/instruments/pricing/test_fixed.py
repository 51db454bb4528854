"""The fixed-point functions against exact integer arithmetic: the errors that they state."""

import random
from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.pricing import fixed, normal, tables
from tests.instruments.pricing import derivation, oracle

Q52 = 2**52
Q56 = 2**56
SAMPLES = 300


def worst(errors: list[Fraction]) -> float:
    return float(max(abs(error) for error in errors))


def points(seed: int, low: int, high: int) -> list[int]:
    """Both ends and integers between, half of them uniform and half in the logarithm."""
    rng = random.Random(seed)
    spread = [rng.randint(low, high) for _ in range(SAMPLES // 2)]
    spread += [low + rng.randrange(2 ** rng.randint(1, (high - low).bit_length())) for _ in spread]
    return [low, high, *(point for point in spread if point <= high)]


def test_tables_are_derived() -> None:
    assert [list(row) for row in tables.MILLS] == derivation.mills_table()
    assert list(tables.DECAY) == derivation.decay_table()
    assert list(tables.LOG_INVERSES) == derivation.log_inverses()
    assert list(tables.LOGS) == derivation.log_table()
    for name, value in derivation.constants().items():
        assert getattr(tables, name) == value


def test_mills_polynomials_meet_the_function() -> None:
    errors = []
    for row in range(0, derivation.MILLS_ROWS, 7):
        coefficients = derivation.economised(derivation.mills_terms(row), derivation.MILLS_DEGREE)
        for step in range(-8, 9, 2):
            w = Fraction(step, 8)
            z = (2 * row + 1 + w) * derivation.MILLS_HALF_WIDTH
            value = sum(Fraction(a) * w**k for k, a in enumerate(coefficients))
            errors.append((value - derivation.mills_at(z)) / derivation.ONE)
    assert worst(errors) < 2**-54


@given(
    st.integers(-(2**60), 2**60),
    st.integers(-(2**53), 2**53),
)
def test_product(x: int, y: int) -> None:
    assert fixed.product_q52(x, y) == x * y // Q52
    assert fixed.product_q52(y, x) == x * y // Q52


@given(st.integers(0, 2**57 - 1), st.integers(1, 2**44 - 1))
def test_quotient(x: int, y: int) -> None:
    if x // 2**22 < y:
        assert fixed.quotient_q52(x, y) == x * 2**40 // y


@given(st.integers(0, 2**40 - 1), st.integers(1, 2**40 - 1))
def test_ratio(numerator: int, denominator: int) -> None:
    exact = numerator * 2**40 // denominator
    assert fixed.ratio_fp(numerator, denominator) == min(exact, 2**62)


def test_decay() -> None:
    errors = []
    for z in points(1, 0, 50 * Q52):
        halvings = fixed.octaves(z)
        found = fixed.decay_q56(z, halvings)
        exact = derivation.ONE * derivation.ONE // derivation.exponential(Fraction(z, Q52))
        errors.append(Fraction(found * derivation.ONE, Q56 * exact * 2**halvings) - 1)
        assert Q56 // 2 - 32 <= found <= Q56 + 32
    assert worst(errors) < 2**-51


def test_logarithm() -> None:
    errors = [
        Fraction(fixed.ln_q52(n), Q52) - Fraction(oracle.ln(Fraction(n)), derivation.ONE)
        for n in points(2, 1, 2**62 - 1)
    ]
    assert worst(errors) < 2**-49


@given(st.integers(1, 2**48 - 2))
def test_logarithm_rises(n: int) -> None:
    assert fixed.ln_q52(n) < fixed.ln_q52(n + 1)


def test_root() -> None:
    for n in points(3, 1, 2**62 - 1):
        assert abs(fixed.root_q28(n) - isqrt(n * 2**56)) <= 1, n


def test_root_of_years() -> None:
    for time_ms in points(4, 3_600_000, 2**40 - 1):
        exact = isqrt(time_ms * 2**200 // 31_536_000_000)
        found = fixed.root_years_q52(time_ms) << 48
        assert abs(found - exact) < exact / 2**38


@given(st.integers(1, 2**40 - 2))
def test_root_of_years_rises(time_ms: int) -> None:
    assert fixed.root_years_q52(time_ms) < fixed.root_years_q52(time_ms + 1)


def test_mills() -> None:
    errors = [
        Fraction(normal.mills_q56(z), Q56)
        - Fraction(derivation.mills_at(Fraction(z, Q52)), derivation.ONE)
        for z in points(5, 0, 20 * Q52 - 1)
    ]
    assert worst(errors) < 2**-52


def test_bell() -> None:
    errors = []
    for z in points(6, 0, 8 * Q52):
        half = normal.half_square_q52(z)
        halvings = fixed.octaves(half)
        exact = oracle.density(Fraction(z, Q52)) << halvings
        found = normal.bell_q56(half, halvings)
        errors.append(Fraction(found * derivation.ONE, Q56 * exact) - 1)
    assert worst(errors) < 2**-50


def test_distribution() -> None:
    for size in points(7, 0, 9 * Q52):
        for z in (size, -size):
            found = Fraction(normal.distribution_q56(z), Q56)
            assert abs(found - oracle.distribution(Fraction(z, Q52))) < Fraction(1, 2**49)


def test_exponential_and_logarithm() -> None:
    for x in points(8, -28 * 2**40, 15 * 2**40):
        found = Fraction(fixed.exp_fp(x), 2**40)
        grown = Fraction(derivation.exponential(Fraction(abs(x), 2**40)), derivation.ONE)
        exact = grown if x >= 0 else 1 / grown
        assert abs(found - exact) < max(1, exact) / 2**39
        if found > 0:
            back = Fraction(fixed.ln_fp(int(found * 2**40)), 2**40)
            assert abs(back - Fraction(x, 2**40)) < Fraction(3, 2**40) / min(1, found)


@pytest.mark.parametrize("x_fp", [-28 * 2**40 - 1, -(2**50)])
def test_exponential_far_below(x_fp: int) -> None:
    assert fixed.exp_fp(x_fp) == 0


def test_exponential_is_capped() -> None:
    assert fixed.exp_fp(2**50) == fixed.exp_fp(15 * 2**40) < 2**62
