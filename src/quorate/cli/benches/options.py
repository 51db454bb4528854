"""Speed of pricing: `options.black76_per_s`, and the same work done by others in the same run."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from quorate.cli.benches.figures import Figure, median, seconds
from quorate.instruments.pricing.black76 import DAY_MS, YEAR_MS
from quorate.instruments.pricing.fixed import ONE
from quorate.instruments.pricing.greeks import COLUMNS, DELTA, PRICE
from quorate.instruments.pricing.kernels import greeks_many, implied_vol_many

OPTIONS = 100_000
EXPIRIES = 12
FORWARD_TICKS = 6_000_000
RUNS = 15

Ints = npt.NDArray[np.int64]


def board() -> list[Ints]:
    """Forward, strike, volatility, time and side of options between half and twice the forward."""
    rng = np.random.default_rng(7)
    forwards = np.full(OPTIONS, FORWARD_TICKS, np.int64)
    strikes = (FORWARD_TICKS * 2 ** rng.uniform(-1, 1, OPTIONS)).astype(np.int64)
    vols_e9 = rng.integers(300_000_000, 1_500_000_000, OPTIONS)
    # One expiry after another, as a venue keeps them.
    times_ms = np.sort(rng.choice(rng.integers(DAY_MS, YEAR_MS, EXPIRIES), OPTIONS))
    return [forwards, strikes, vols_e9, times_ms, rng.integers(0, 2, OPTIONS)]


def rate(work: Callable[[], object], count: int) -> list[float]:
    """Options a second, in millions, of each run."""
    return [count / seconds(work) / 1e6 for _ in range(RUNS)]


def float_greeks(forwards: Ints, strikes: Ints, vols_e9: Ints, times_ms: Ints, calls: Ints) -> Any:
    """The same columns in arrays of floats, erfc taken one by one as NumPy has none."""
    years = times_ms / YEAR_MS
    deviations = vols_e9 / 1e9 * np.sqrt(years)
    ratios = strikes / forwards
    d1 = -np.log(ratios) / deviations + deviations / 2
    density = np.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    side = 2 * calls - 1
    erfc = np.vectorize(math.erfc, otypes=[np.float64])
    first = erfc(-side * d1 / math.sqrt(2)) / 2
    second = erfc(-side * (d1 - deviations) / math.sqrt(2)) / 2
    prices = side * (first - ratios * second)
    vega = density * np.sqrt(years)
    theta = -density * deviations / (2 * times_ms / DAY_MS)
    return prices, side * first, density / deviations, vega, theta, -years * prices


def black76() -> Iterator[Figure]:
    """Price and five greeks of 100,000 options, and the implied volatility of each price."""
    columns = board()
    rows = np.zeros((OPTIONS, COLUMNS), np.int64)
    ours = rate(lambda: greeks_many(*columns, rows), OPTIONS)
    floats = rate(lambda: float_greeks(*columns), OPTIONS)
    found = float_greeks(*columns)
    difference = max(
        float(np.abs(rows[:, column] / ONE - found[column]).max()) for column in (PRICE, DELTA)
    )
    yield Figure(
        "options.black76_per_s",
        median(ours) * 1e6,
        "options/s",
        f"{OPTIONS:,} options, {EXPIRIES} expiries, price and five greeks in fixed point, one core;"
        f" {median(ours) / median(floats):.1f} times NumPy's floats in the same run;"
        f" price and delta within {difference:.0e} of them; runs {min(ours):.2f} to"
        f" {max(ours):.2f} million/s",
    )
    forwards, strikes, _, times_ms, calls = columns
    prices = np.ascontiguousarray(rows[:, PRICE])
    vols_e9 = np.zeros(OPTIONS, np.int64)
    implied = rate(
        lambda: implied_vol_many(prices, forwards, strikes, times_ms, calls, vols_e9), OPTIONS
    )
    yield Figure(
        "options.implied_per_s",
        median(implied) * 1e6,
        "options/s",
        f"implied volatility of the same options; runs {min(implied):.3f} to {max(implied):.3f}"
        " million/s",
    )
