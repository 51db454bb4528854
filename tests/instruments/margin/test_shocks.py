"""Shocks of the scan against the vectors of FORMULAS 12 and against floats."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.margin import layout as at
from quorate.instruments.margin import shocks
from quorate.types.limits import DAY_MS, OPTION_TIME_MAX_MS, PPM, PRICE_TICKS_MAX

TIMES = st.integers(60_000, OPTION_TIME_MAX_MS)


@pytest.mark.parametrize(("days", "multiplier"), [(1, 2.387), (7, 1.774), (30, 1.5), (180, 1.396)])
def test_the_multipliers_of_formulas_12(days: int, multiplier: float) -> None:
    assert round(1 + shocks.horizon_ppm(days * DAY_MS) / 2 / PPM, 3) == multiplier


def test_there_are_23_regular_8_tails_2_skews_and_a_basis() -> None:
    assert (len(at.REGULAR), len(at.TAILS), at.SCAN, at.COLUMNS, at.OUTCOMES) == (23, 8, 31, 37, 34)
    assert set(at.REGULAR) == {(-180_000, at.VOL_UP), (180_000, at.VOL_UP)} | {
        (step * 45_000, vol)
        for step in range(-3, 4)
        for vol in (at.VOL_UP, at.VOL_SAME, at.VOL_DOWN)
    }


@given(TIMES)
def test_times_against_floats(time_ms: int) -> None:
    years = time_ms / (365 * DAY_MS)
    days = max(time_ms / DAY_MS, 1)
    horizon = (30 / days) ** (0.3 if days <= 30 else 0.13)
    assert shocks.horizon_ppm(time_ms) == pytest.approx(horizon * PPM, abs=2)
    discount = 0.98 * math.exp(-0.1 * years)
    assert 0 <= discount * PPM - shocks.discount_ppm(time_ms) < 1.1
    markup = min(1 / discount, 1.02 * math.exp(0.1 * years))
    assert -1e-3 <= shocks.markup_ppm(time_ms) - markup * PPM < 2.1
    assert shocks.discount_ppm(time_ms) <= PPM <= shocks.markup_ppm(time_ms) <= 2 * PPM
    assert 0 <= shocks.basis_weight_ppm(time_ms) - (0.5 + 2 * years) * PPM < 1.1


@given(TIMES, st.integers(-2_080_000, 2_080_000))
def test_skew_against_floats(time_ms: int, moneyness_ppm: int) -> None:
    root = math.sqrt(time_ms / (365 * DAY_MS))
    cap = 0.25 - 0.1 * root
    shift = moneyness_ppm / PPM * cap / max(0.01, 4 * 0.6 * root)
    expected = max(-cap, min(cap, shift)) * PPM
    assert shocks.skew_ppm(moneyness_ppm, time_ms) == pytest.approx(expected, rel=5e-4, abs=3)
    assert shocks.skew_ppm(-moneyness_ppm, time_ms) == -shocks.skew_ppm(moneyness_ppm, time_ms)


@given(st.integers(1, PRICE_TICKS_MAX), st.integers(-660_000, 5_000_000), st.integers(0, PPM))
def test_a_price_moves_by_the_share_that_is_not_fixed(
    price: int, shock_ppm: int, variable_ppm: int
) -> None:
    moved = shocks.price_moved(price, shock_ppm, variable_ppm)
    exact = price * (1 + shock_ppm * variable_ppm / PPM**2)
    assert 1 <= moved <= PRICE_TICKS_MAX
    if 1 <= exact <= PRICE_TICKS_MAX:
        assert moved == pytest.approx(exact, rel=2e-6, abs=2.1)
    assert shocks.price_moved(price, shock_ppm, 0) == price


def test_a_rising_volatility_reaches_forty_per_cent() -> None:
    one = 2**40
    assert shocks.deviation_up(one // 100, one // 10, PPM) == one // 10
    assert shocks.deviation_up(one // 10, one // 100, PPM) == one // 10 * 3 // 2 + 1
    assert shocks.deviation_down(one, 2 * PPM) == pytest.approx(one * 0.45, rel=1e-6)


@given(TIMES, st.integers(1, 2_000_000))
def test_modes_move_the_deviation_their_way(time_ms: int, moneyness_ppm: int) -> None:
    deviation = 2**38
    skew = shocks.skew_ppm(moneyness_ppm, time_ms)
    horizon = shocks.horizon_ppm(time_ms)
    moved = [
        shocks.deviation_moved(deviation, mode, 2**30, horizon, skew)
        for mode in range(at.WINGS_DOWN + 1)
    ]
    assert moved[at.VOL_SAME] == deviation
    assert moved[at.VOL_DOWN] < deviation < moved[at.VOL_UP]
    assert moved[at.SKEW_DOWN] <= deviation <= moved[at.SKEW_UP]
    assert moved[at.WINGS_UP] == moved[at.SKEW_UP]
    low = [
        shocks.deviation_moved(deviation, mode, 2**30, horizon, -skew)
        for mode in range(at.WINGS_DOWN + 1)
    ]
    assert low[at.SKEW_UP] <= deviation <= low[at.WINGS_UP]
    assert low[at.WINGS_UP] == moved[at.WINGS_UP]
