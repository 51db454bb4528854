"""Repaired smiles admit no arbitrage anywhere, and the tests of it refuse those that do."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.surface import arbitrage, steps
from quorate.instruments.surface.fit import PILLARS
from quorate.instruments.surface.kernels import renew
from quorate.instruments.surface.smile import (
    ALPHA,
    SMILE_FIELDS,
    UNIT,
    UNIT_VOL_E9,
    WIDTH_MIN,
)
from tests.instruments.surface.surface_world import (
    DAY_MS,
    SHAPE,
    black_call,
    durrleman,
    fine_grid,
    one_voter,
    smiles_of,
    total_variance,
)

# Anything that a voter may say, not only what a market would.
any_vols = st.lists(
    st.integers(10_000_000, 5_000_000_000), min_size=PILLARS, max_size=PILLARS
)
plausible_vols = st.builds(
    lambda level, tilt, noise: [
        min(max(int(level * s * (1 + tilt * (at - 4)) * (1 + n / 100) * 1e9), 10**7), 5 * 10**9)
        for at, (s, n) in enumerate(zip(SHAPE, noise, strict=True))
    ],
    st.floats(0.05, 3.0),
    st.floats(-0.12, 0.12),
    st.lists(st.integers(-25, 25), min_size=PILLARS, max_size=PILLARS),
)
times = st.lists(
    st.integers(3_600_000, 1095 * DAY_MS), min_size=1, max_size=5, unique=True
).map(sorted)


def refuted(args: tuple[object, ...]) -> list[str]:
    """Sentences about each arbitrage that a fine grid finds in the renewed smiles."""
    found = []
    before = None
    for row in smiles_of(args)[:-1]:
        if row[UNIT_VOL_E9] == 0:
            continue
        least = float(np.min(durrleman(row, fine_grid(row))))
        if least < 0:
            found.append(f"butterfly {least} in {row.tolist()}")
        if before is not None:
            k = np.sort(np.concatenate([fine_grid(row), fine_grid(before)]))
            k = k[np.abs(k) <= math.log(16)]
            later, nearer = total_variance(row, k), total_variance(before, k)
            worst = float(np.min((later - nearer) / nearer))
            if worst < -1e-7:
                found.append(f"calendar {worst} in {before.tolist()} {row.tolist()}")
        before = row
    return found


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.data(), times)
def test_no_votes_make_an_arbitrage(data: st.DataObject, times_ms: list[int]) -> None:
    vols = [data.draw(st.one_of(any_vols, plausible_vols)) for _ in times_ms]
    args = one_voter(vols, times_ms)
    renew(*args)
    assert refuted(args) == []


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(plausible_vols, st.integers(DAY_MS // 4, 400 * DAY_MS))
def test_prices_of_calls_fall_and_are_convex(vols: list[int], time_ms: int) -> None:
    args = one_voter([vols], [time_ms])
    renew(*args)
    row = smiles_of(args)[0]
    k = fine_grid(row)[::20]
    k = np.unique(k[np.abs(k) <= math.log(16)])
    strikes = np.exp(k)
    calls = black_call(k, np.sqrt(total_variance(row, k)))
    slopes = np.diff(calls) / np.diff(strikes)
    noise = 1e-14 / np.diff(strikes)
    assert np.all(slopes <= noise) and np.all(slopes >= -1 - noise)
    assert np.all(np.diff(slopes) >= -(noise[1:] + noise[:-1]))


@settings(deadline=None, max_examples=60)
@given(plausible_vols, st.integers(DAY_MS, 400 * DAY_MS), st.integers(1, 100))
def test_passing_time_makes_no_butterfly(vols: list[int], time_ms: int, percent: int) -> None:
    args = one_voter([vols], [time_ms])
    renew(*args)
    row = smiles_of(args)[0]
    # All volatilities kept, the total variance is a part of what it was.
    assert np.min(durrleman(row, fine_grid(row), percent / 100)) >= 0


def smile_row(theta: float, *parts: int) -> np.ndarray:
    """A smile whose unit deviation is the root of theta."""
    return np.array([round(math.sqrt(theta) * 1e9), *parts, 365 * DAY_MS])


def test_the_smile_of_vogt_is_refused_until_it_is_raised() -> None:
    # Gatheral and Jacquier 2014, example 3.1: positive everywhere, and g is not.
    a, b, m, rho, sigma = -0.0410, 0.1331, 0.3586, 0.3060, 0.4153
    theta = a + b * (-rho * m + math.hypot(m, sigma))
    unit = math.sqrt(theta)
    outcomes = []
    for raised in range(60):
        parts = (
            (a / theta + raised / 40),
            b * (1 - rho) / unit,
            b * (1 + rho) / unit,
            m / unit,
            sigma / unit,
        )
        row = [round(part * UNIT) for part in parts]
        least = np.min(durrleman(smile_row(theta, *row), fine_grid(smile_row(theta, *row))))
        accepted = arbitrage.butterfly_free(round(theta * UNIT), *row, 0)
        assert least >= 0 if accepted else least < 0.02
        outcomes.append(accepted)
    assert not outcomes[0] and outcomes[-1]


@settings(deadline=None, max_examples=60)
@given(st.floats(0.0004, 0.5), st.floats(-0.75, 0.75), st.floats(0.05, 1.0))
def test_surface_svi_within_its_known_bounds_is_accepted(
    theta: float, rho: float, part: float
) -> None:
    # Gatheral and Jacquier 2014, theorem 4.2: theta phi (1 + |rho|) < 4 and the like of phi**2
    # suffice. Slightly inside, as the bound of a cell gives a little away.
    unit = math.sqrt(theta)
    phi = 0.8 * part * min(4 / (theta * (1 + abs(rho))), math.sqrt(4 / (theta * (1 + abs(rho)))))
    phi *= unit  # in units of v
    row = (
        round((1 - rho * rho) / 2 * UNIT),
        round(phi / 2 * (1 - rho) * UNIT),
        round(phi / 2 * (1 + rho) * UNIT),
        round(-rho / phi * UNIT),
        round(math.sqrt(1 - rho * rho) / phi * UNIT),
    )
    assert arbitrage.butterfly_free(round(theta * UNIT), *row, 0)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(
    st.floats(0.0001, 2.0),
    st.floats(0.05, 3.0),
    st.floats(0, 2.0),
    st.floats(0, 2.0),
    st.floats(-3, 3),
    st.floats(0.0625, 3),
)
def test_a_smile_is_accepted_if_and_only_if_it_has_no_negative_density(
    theta: float, least: float, left: float, right: float, middle: float, width: float
) -> None:
    parts = [round(value * UNIT) for value in (left, right, middle, width)]
    alpha = round((least - width * math.sqrt(left * right)) * UNIT)
    row = smile_row(theta, alpha, *parts)
    g = float(np.min(durrleman(row, fine_grid(row))))
    if arbitrage.butterfly_free(round(theta * UNIT), alpha, *parts, 0):
        assert g > -1e-6
    else:
        assert g < 0.05  # what the bound of a cell gives away


def flat(level: float) -> np.ndarray:
    row = np.zeros(SMILE_FIELDS, np.int64)
    row[ALPHA], row[5] = round(level * UNIT), UNIT
    return row


def test_smiles_that_cross_are_refused() -> None:
    smiling = np.array([0, UNIT // 2, UNIT // 2, UNIT // 2, 0, UNIT, 0])
    assert arbitrage.calendar_free(flat(0.9), smiling, 8 * UNIT)
    assert not arbitrage.calendar_free(flat(1.01), smiling, 8 * UNIT)  # at the money
    assert not arbitrage.calendar_free(smiling, flat(2), 8 * UNIT)  # in the wings
    assert arbitrage.calendar_free(smiling, flat(2), UNIT // 2)  # but not near the money


def test_a_crossing_between_two_points_is_refused() -> None:
    # A notch far narrower than a cell of the later smile.
    notch = np.array([0, UNIT, UNIT, UNIT, 0, WIDTH_MIN, 0])
    for place in range(-64, 65):
        notch[4] = place * UNIT // 20
        later = np.array([0, 0, UNIT // 2, UNIT // 2, 0, 3 * UNIT, 0])
        k = np.linspace(-3.5, 3.5, 70_001)
        near_float = 1 + np.hypot(k - notch[4] / UNIT, WIDTH_MIN / UNIT)
        later_float = 0.5 * np.hypot(k, 3.0)
        passed = arbitrage.calendar_free(notch, later, 7 * UNIT // 2)
        assert not passed or np.min(later_float - near_float) >= -1e-8


def test_a_repair_that_is_not_needed_moves_nothing() -> None:
    vols = [[int(600_000_000 * part) for part in SHAPE]] * 2
    args = one_voter(vols, [7 * DAY_MS, 30 * DAY_MS])
    renew(*args)
    assert args[10].tolist() == [1_000_000, 1_000_000]


def test_a_repair_lowers_the_confidence() -> None:
    # The nearer volatility four times the later one: total variance would fall.
    vols = [[2_000_000_000] * PILLARS, [500_000_000] * PILLARS]
    args = one_voter(vols, [7 * DAY_MS, 8 * DAY_MS])
    renew(*args)
    assert refuted(args) == []
    assert 0 < args[10][1] <= 1_000_000


@pytest.mark.parametrize("count", [steps.EXPIRIES_MAX])
def test_a_long_chain_keeps_its_order(count: int) -> None:
    levels = [500_000_000 + 400_000_000 * ((at * 7) % 5) for at in range(count)]
    vols = [[int(level * part) for part in SHAPE] for level in levels]
    args = one_voter(vols, [DAY_MS * (at + 1) for at in range(count)])
    renew(*args)
    assert refuted(args) == []
