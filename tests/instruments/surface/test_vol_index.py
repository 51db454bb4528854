"""The volatility index against Cboe's published example, against floats, and its missing values."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.surface import vol_index
from quorate.instruments.surface.kernels import renew
from quorate.instruments.surface.kernels import vol_index as vol_index_kernel
from quorate.instruments.surface.smile import UNIT
from tests.instruments.surface.surface_world import (
    DAY_MS,
    SHAPE,
    one_voter,
    smiles_of,
    total_variance,
)

EXAMPLE = Path(__file__).parent / "cboe_2014.txt"
MINUTE_MS = 60_000


def strips() -> list[tuple[np.ndarray, np.ndarray]]:
    """The two strips of the white paper, in thousandths of a point."""
    texts = [line for line in EXAMPLE.read_text().splitlines() if not line.startswith("#")]
    middle = texts.index("----")
    found = []
    for part in (texts[:middle], texts[middle + 1 :]):
        pairs = [pair.split(":") for line in part for pair in line.split()]
        found.append(
            (
                np.array([int(strike) * 1000 for strike, _ in pairs], np.int64),
                np.array([int(price) for _, price in pairs], np.int64),
            )
        )
    return found


def test_the_white_papers_example() -> None:
    # Its numbers: F 1962.89996 and 1962.40006, sigma**2 0.01846292 and 0.01882101, index 13.69.
    minutes = (35_924, 46_394)
    rates = (0.000305, 0.000286)
    published = (0.01846292, 0.01882101)
    variances = []
    for (strikes, prices), count, rate, forward, sigma2 in zip(
        strips(), minutes, rates, (1_962_900, 1_962_400), published, strict=True
    ):
        years = count / 525_600
        # Undiscounted prices, in 1 / 2**10 of a thousandth so that the factor is not lost.
        grown = np.array([round(p * 1024 * math.exp(rate * years)) for p in prices], np.int64)
        found = vol_index.strip_variance_fp(strikes * 1024, grown, forward * 1024)
        variances.append(found)
        assert found / 2**40 / years == pytest.approx(sigma2, abs=2e-8)
    times = [count * MINUTE_MS for count in minutes]
    found = vol_index.index_between_e9(variances[0], times[0], variances[1], times[1])
    assert found / 1e7 == pytest.approx(13.685821, abs=5e-6)
    assert round(found / 1e7, 2) == 13.69


def surface(vols: list[list[int]], days: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    args = one_voter(vols, [round(day * DAY_MS) for day in days])
    renew(*args)
    return smiles_of(args), args[8], args[10]


def index_of(smiles: np.ndarray, times_ms: np.ndarray, confidence: np.ndarray) -> int:
    strikes, prices = np.zeros((2, vol_index.STRIP), np.int64)
    return vol_index.vol_index_e9(smiles, times_ms, confidence, strikes, prices)


@settings(deadline=None, max_examples=12)
@given(st.integers(50_000_000, 1_500_000_000))
def test_a_flat_surface_has_its_volatility_as_index(vol_e9: int) -> None:
    found = index_of(*surface([[vol_e9] * 9] * 2, [20, 45]))
    assert found == pytest.approx(vol_e9, rel=1e-4)


def variance_float(row: np.ndarray, reach: float) -> float:
    """The strip's integral over log-moneyness with 20,001 points, prices by erfc."""
    k = np.linspace(-reach, reach, 20_001)
    dev = np.sqrt(total_variance(row, k))
    cdf = np.vectorize(lambda z: math.erfc(-z / math.sqrt(2)) / 2)
    size = np.abs(k)
    value = np.exp(-np.maximum(k, 0)) * (
        cdf(-size / dev + dev / 2) - np.exp(size) * cdf(-size / dev - dev / 2)
    )
    return float(np.trapezoid(2 * value, k))


def test_a_smiling_surface_against_floats() -> None:
    levels = (0.55, 0.75)
    vols = [[int(level * part * 1e9) for part in SHAPE] for level in levels]
    days = (23.3, 51.3)
    smiles, times, confidence = surface(vols, list(days))
    near, after = (variance_float(smiles[at], 4.0) for at in range(2))
    total = near * (days[1] - 30) / (days[1] - days[0]) + after * (30 - days[0]) / (
        days[1] - days[0]
    )
    assert index_of(smiles, times, confidence) / 1e9 == pytest.approx(
        math.sqrt(total * 365 / 30), rel=1e-4
    )


def test_the_expiries_around_thirty_days_are_taken() -> None:
    days = [3, 7, 29.9, 30, 60, 90]
    vols = [[int(1e8 * (at + 5))] * 9 for at in range(6)]
    smiles, times, confidence = surface(vols, days)
    assert vol_index.near_expiry(times, confidence) == 2
    assert vol_index.next_expiry(times, confidence) == 3
    # At 30 days exactly the later expiry is all of it.
    assert index_of(smiles, times, confidence) == pytest.approx(8e8, rel=1e-4)
    confidence[2] = 0
    assert vol_index.near_expiry(times, confidence) == 1


@pytest.mark.parametrize("days", [[3, 40], [6.99, 40], [8, 29], [31, 60], [30, 60]])
def test_without_both_expiries_there_is_no_index(days: list[float]) -> None:
    smiles, times, confidence = surface([[600_000_000] * 9] * 2, days)
    assert index_of(smiles, times, confidence) == 0
    assert vol_index.vol_index_confidence_ppm(times, confidence) == 0


@pytest.mark.parametrize("lost", [0, 1])
def test_an_expiry_without_confidence_leaves_no_index(lost: int) -> None:
    smiles, times, confidence = surface([[600_000_000] * 9] * 2, [20, 40])
    assert index_of(smiles, times, confidence) > 0
    confidence[1 - lost] = 900_000
    assert vol_index.vol_index_confidence_ppm(times, confidence) == 900_000
    confidence[lost] = 0
    assert index_of(smiles, times, confidence) == 0


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.lists(st.integers(10_000_000, 5_000_000_000), min_size=9, max_size=9),
        min_size=2,
        max_size=2,
    ),
    st.integers(7, 29),
    st.integers(30, 1095),
)
def test_machine_code_and_python_agree(vols: list[list[int]], near: int, after: int) -> None:
    smiles, times, confidence = surface(vols, [near, after])
    strikes, prices = np.zeros((2, vol_index.STRIP), np.int64)
    compiled = vol_index_kernel(smiles, times, confidence, strikes, prices)
    assert compiled == index_of(smiles, times, confidence)
    assert np.all(np.diff(strikes) > 0) and strikes[0] > 0 and strikes[-1] < 2**40
    assert strikes[vol_index.STRIP_SIDE] == vol_index.STRIP_FORWARD
    assert compiled < 8 * UNIT
