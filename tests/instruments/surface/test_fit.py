"""The fit finds the smile that pillars came from, keeps its bounds, and says when it cannot."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.surface import fit
from quorate.instruments.surface.fit import FIT_ROOMS, PILLARS
from quorate.instruments.surface.smile import (
    ALPHA,
    LEFT,
    MIDDLE,
    MIDDLE_MAX,
    RIGHT,
    SLOPE_MAX,
    SMILE_FIELDS,
    UNIT,
    UNIT_VOL_E9,
    VARIANCE_MIN,
    WIDTH,
    WIDTH_MAX,
    WIDTH_MIN,
    variance_at,
    variance_least,
)
from tests.instruments.surface.surface_world import DAY_MS, SHAPE, durrleman, fine_grid

Z = (-3, -2, -1.25, -0.6, 0, 0.6, 1.25, 2, 3)


def fitted(vols_e9: list[int], time_ms: int = 30 * DAY_MS) -> tuple[int, np.ndarray]:
    smile, near = np.zeros((2, SMILE_FIELDS), np.int64)
    room = np.zeros((FIT_ROOMS, PILLARS), np.int64)
    error = fit.fitted_into(np.array(vols_e9, np.int64), time_ms, near, smile, room)
    return error, smile


def pillars_of(row: tuple[int, ...]) -> list[int]:
    """Volatilities of the pillars of a smile, at 60 % at the money, by bisection on x."""
    found = []
    money = variance_at(0, *row)
    for z in Z:
        low, high = -40.0, 40.0
        for _ in range(80):
            x = (low + high) / 2
            omega = variance_at(int(x * UNIT), *row) / money
            if x * math.sqrt(UNIT / money) < z * math.sqrt(omega):
                low = x
            else:
                high = x
        omega = variance_at(int(low * UNIT), *row) / money
        found.append(round(600_000_000 * math.sqrt(omega)))
    return found


def errors_at_pillars(smile: np.ndarray, vols_e9: list[int]) -> list[float]:
    """Differences of volatility at each pillar's own place, as parts of that at the money."""
    row = [int(value) for value in smile[ALPHA : WIDTH + 1]]
    found = []
    for z, vol in zip(Z, vols_e9, strict=True):
        u = vol / vols_e9[4]
        found.append(abs(math.sqrt(variance_at(int(z * u * UNIT), *row) / UNIT) - u))
    return found


@settings(deadline=None, max_examples=40)
@given(
    st.floats(0.2, 0.9), st.floats(0.2, 0.9), st.floats(-1, 1), st.floats(0.4, 2.5)
)
def test_a_smile_is_found_from_its_pillars(
    left: float, right: float, middle: float, width: float
) -> None:
    alpha = 1 - width * math.sqrt(left * right) * 0.7
    row = tuple(round(value * UNIT) for value in (alpha, left, right, middle, width))
    if variance_least(row[0], row[1], row[2], row[4]) < UNIT // 4:
        return
    vols = pillars_of(row)
    _, smile = fitted(vols)
    assert max(errors_at_pillars(smile, vols)) < 0.02
    assert float(np.mean(errors_at_pillars(smile, vols))) < 0.005


def test_a_flat_vote_gives_a_flat_smile() -> None:
    error, smile = fitted([600_000_000] * PILLARS)
    assert error < 100 and smile[UNIT_VOL_E9] == 600_000_000
    assert max(errors_at_pillars(smile, [600_000_000] * PILLARS)) < 1e-4


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.one_of(st.just(0), st.integers(10_000_000, 5_000_000_000)),
        min_size=PILLARS,
        max_size=PILLARS,
    )
)
def test_every_fit_is_within_its_limits(vols: list[int]) -> None:
    error, smile = fitted(vols)
    voted = sum(vol > 0 for vol in vols)
    if vols[4] == 0 or voted < fit.PILLARS_MIN:
        assert error == -1 and smile[UNIT_VOL_E9] == 0
        return
    assert 0 <= error < 2**62
    assert 0 <= smile[LEFT] <= SLOPE_MAX and 0 <= smile[RIGHT] <= SLOPE_MAX
    assert abs(smile[MIDDLE]) <= MIDDLE_MAX and WIDTH_MIN <= smile[WIDTH] <= WIDTH_MAX
    least = variance_least(*(int(smile[at]) for at in (ALPHA, LEFT, RIGHT, WIDTH)))
    assert least >= VARIANCE_MIN and abs(int(smile[ALPHA])) < 2**37


@pytest.mark.parametrize("missing", [(0,), (0, 8), (0, 1, 8), (0, 1, 7, 8)])
def test_missing_wings_leave_a_fit(missing: tuple[int, ...]) -> None:
    vols = [int(600_000_000 * part) for part in SHAPE]
    for at in missing:
        vols[at] = 0
    error, smile = fitted(vols)
    whole = [int(600_000_000 * part) for part in SHAPE]
    errors = errors_at_pillars(smile, whole)
    assert error >= 0 and max(errors[2:7]) < 0.01


def test_a_fit_alone_may_hold_an_arbitrage() -> None:
    # So the tests of the repaired smiles can fail: here is a vote that needs the repair.
    vols = [4_000_000_000, 600_000_000, 590_000_000, 590_000_000, 600_000_000]
    vols += [590_000_000, 590_000_000, 600_000_000, 4_000_000_000]
    _, smile = fitted(vols, 900 * DAY_MS)
    assert np.min(durrleman(smile, fine_grid(smile))) < -0.01


def test_later_wings_are_no_flatter_than_nearer_ones() -> None:
    near = np.zeros(SMILE_FIELDS, np.int64)
    _, near = fitted([int(600_000_000 * part) for part in (2, 1.6, 1.3, 1.1, 1, 1.1, 1.3, 1.6, 2)])
    smile = np.zeros(SMILE_FIELDS, np.int64)
    room = np.zeros((FIT_ROOMS, PILLARS), np.int64)
    fit.fitted_into(np.full(PILLARS, 600_000_000), 31 * DAY_MS, near, smile, room)
    share = math.sqrt(30 / 31)
    assert smile[LEFT] >= near[LEFT] * share * 0.9999
    assert smile[RIGHT] >= near[RIGHT] * share * 0.9999
