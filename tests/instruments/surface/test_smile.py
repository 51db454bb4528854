"""A smile's numbers against exact integers, and its volatilities against floats."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.surface import smile
from quorate.instruments.surface.smile import MIDDLE_MAX, PLACE_MAX, SLOPE_MAX, UNIT

YEAR_MS = 365 * 86_400_000
slopes = st.integers(0, SLOPE_MAX)
middles = st.integers(-MIDDLE_MAX, MIDDLE_MAX)
widths = st.integers(smile.WIDTH_MIN, smile.WIDTH_MAX)


@given(st.integers(-(2**45), 2**45), st.integers(-(2**32), 2**32))
def test_a_scaled_product_is_exact(a: int, b: int) -> None:
    assert smile.scaled(a, b) == a * b // UNIT


@given(st.integers(0, 2**47 - 1), st.integers(1, 2**47 - 1))
def test_a_ratio_is_exact(a: int, b: int) -> None:
    a %= b * 2**32
    assert smile.ratio(a, b) == a * UNIT // b


@given(st.integers(0, 2**62 - 1))
def test_the_root_is_floored(n: int) -> None:
    assert smile.square_root(n) == math.isqrt(n)


@pytest.mark.parametrize("bits", range(62))
def test_the_root_at_the_ends_of_its_pieces(bits: int) -> None:
    for n in (2**bits - 1, 2**bits, 2**bits + 1):
        assert smile.square_root(n) == math.isqrt(n)


@given(st.integers(-(2**44) + 1, 2**44 - 1), st.integers(0, 2**34))
def test_the_hypotenuse_is_right_to_its_bound(a: int, b: int) -> None:
    true = math.isqrt((a * a + b * b) << 40) / 2**20
    assert abs(smile.hypotenuse(a, b) - true) <= true / 2**28 + 2


@given(st.integers(2**24, 2**48 - 1))
def test_the_deviation_ratio_is_right_to_its_bound(variance: int) -> None:
    true = math.isqrt((variance << 30) << 60) / 2**30
    assert abs(smile.deviation_ratio(variance) - true) <= true / 2**29 + 1


def variance_float(x: float, alpha: int, left: int, right: int, middle: int, width: int) -> float:
    away, width_float = x - middle / UNIT, width / UNIT
    lean, bend = (right - left) / 2 / UNIT, (right + left) / 2 / UNIT
    return alpha / UNIT + lean * away + bend * math.hypot(away, width_float)


@given(st.integers(-PLACE_MAX, PLACE_MAX), slopes, slopes, middles, widths)
def test_variance_against_floats(x: int, left: int, right: int, middle: int, width: int) -> None:
    true = variance_float(x / UNIT, UNIT, left, right, middle, width)
    found = smile.variance_at(x, UNIT, left, right, middle, width) / UNIT
    # The error is of the two wings' heights there, which may cancel.
    error = (abs(x) / UNIT + 8) * (left + right) / UNIT / 2**28 + 3 / UNIT
    assert abs(found - max(true, smile.VARIANCE_MIN / UNIT)) <= error


@given(slopes, slopes, widths)
def test_the_least_variance_is_below_every_other(left: int, right: int, width: int) -> None:
    least = smile.variance_least(UNIT, left, right, width)
    for step in range(-80, 81):
        x = step * UNIT // 8
        assert least <= smile.variance_at(x, UNIT, left, right, 0, width) + 16


@given(
    st.integers(10_000_000, 2_000_000_000),
    st.integers(3_600_000, 3 * YEAR_MS),
    st.integers(-2000, 2000),
)
def test_a_volatility_against_floats(vol_e9: int, time_ms: int, log_milli: int) -> None:
    forward = 2**37
    strike = round(forward * math.exp(log_milli / 1000))
    row = (UNIT // 4, UNIT // 2, UNIT // 3, UNIT // 8, UNIT)
    deviation = vol_e9 / 1e9 * math.sqrt(time_ms / YEAR_MS)
    x = math.log(strike / forward) / deviation
    x = min(max(x, -4096.0), 4096.0)
    true = vol_e9 / 1e9 * math.sqrt(variance_float(x, *row))
    true = min(max(true, 0.01), 5.0)
    found = smile.vol_e9_at(vol_e9, *row, forward, strike, time_ms) / 1e9
    assert found == pytest.approx(true, rel=2e-7)


def test_far_strikes_keep_to_the_ends() -> None:
    flat = (UNIT, 0, 0, 0, UNIT)
    assert smile.vol_e9_at(600_000_000, *flat, 1, 2**40 - 1, 3_600_000) == 600_000_000
    steep = (UNIT, SLOPE_MAX, SLOPE_MAX, 0, UNIT)
    for strike in (1, 2**40 - 1):
        found = smile.vol_e9_at(5_000_000_000, *steep, 2**20, strike, 3_600_000)
        assert found == smile.SMILE_VOL_MAX_E9


def test_a_volatility_rises_to_the_wings_where_the_smile_does() -> None:
    row = (UNIT // 4, UNIT // 2, UNIT // 2, 0, UNIT)
    found = [
        smile.vol_e9_at(600_000_000, *row, 10**6, 10**6 + 10**3 * step, YEAR_MS // 12)
        for step in range(2000)
    ]
    assert found == sorted(found)
