"""What the tests of the surface share: votes of a plausible market, and float references."""

import math
from typing import Any

import numpy as np

from quorate.instruments.pricing.black76 import deviation_fp
from quorate.instruments.surface import steps
from quorate.instruments.surface.fit import PILLARS
from quorate.instruments.surface.smile import SMILE_FIELDS, UNIT

PPM = 1_000_000
DAY_MS = 86_400_000
SHAPE = np.array([1.25, 1.1, 1.03, 1.0, 1.0, 1.02, 1.06, 1.13, 1.2])
Floats = Any


def chain_args(votes: Any, weights: Any, times_ms: Any, quotes: Any = None) -> tuple[Any, ...]:
    """Arguments of a renewal with the usual settings, its results among them."""
    count = len(times_ms)
    rows = np.zeros((0, 4), np.int64) if quotes is None else quotes
    ends = np.full(count, len(rows), np.int64)
    return (
        np.ascontiguousarray(votes, np.int64),
        np.asarray(weights, np.int64),
        int(np.sum(weights)),
        666_667,
        150_000,
        rows,
        ends,
        10**10,
        np.asarray(times_ms, np.int64),
        np.zeros((count + 1, SMILE_FIELDS), np.int64),
        np.zeros(count, np.int64),
        np.zeros((steps.SURFACE_ROOMS, PILLARS), np.int64),
    )


def smiles_of(args: tuple[Any, ...]) -> Any:
    """The smiles among the arguments, after a renewal."""
    return args[9]


def one_voter(vols_e9: Any, times_ms: Any) -> tuple[Any, ...]:
    """Arguments with one voter, who votes these pillars for each expiry."""
    return chain_args(np.asarray(vols_e9, np.int64)[:, None, :], [1], times_ms)


def parts_of(row: Any) -> tuple[float, float, float, float, float, float]:
    """v and the five numbers of a smile, as floats."""
    unit = deviation_fp(int(row[0]), int(row[6])) / 2**40
    return (unit, *(int(value) / UNIT for value in row[1:6]))  # type: ignore[return-value]


def total_variance(row: Any, k: Floats) -> Floats:
    """Total variance at log-moneyness k, from the definition, in floats."""
    unit, alpha, left, right, middle, width = parts_of(row)
    away = k / unit - middle
    root = np.sqrt(away * away + width * width)
    return unit * unit * (alpha + ((right - left) * away + (right + left) * root) / 2)


def durrleman(row: Any, k: Floats, part: float = 1.0) -> Floats:
    """Durrleman's g of a part of the total variance, with exact derivatives, in floats."""
    unit, _, left, right, middle, width = parts_of(row)
    away = k / unit - middle
    root = np.sqrt(away * away + width * width)
    w = total_variance(row, k) * part
    slope = part * unit * ((right - left) + (right + left) * away / root) / 2
    bend = part * (right + left) / 2 * width * width / root**3
    return (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2


def fine_grid(row: Any, reach: float = 60.0) -> Floats:
    """Log-moneynesses far finer than any cell: even, and close around the smile's middle."""
    unit, _, _, _, middle, width = parts_of(row)
    even = np.linspace(-reach, reach, 12_001)
    close = middle + width * np.sinh(np.linspace(-9, 9, 6_001))
    return np.unique(np.concatenate([even, close])) * unit


def black_call(k: Floats, deviation: Floats) -> Floats:
    """Undiscounted call over the forward, by erfc, for arrays."""
    d1 = -k / deviation + deviation / 2
    normal = np.vectorize(lambda z: math.erfc(-z / math.sqrt(2)) / 2)
    return normal(d1) - np.exp(k) * normal(d1 - deviation)
