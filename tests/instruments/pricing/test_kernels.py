"""Machine code against plain Python: one source, one result."""

import numpy as np
import numpy.typing as npt

from quorate.instruments.pricing import greeks, kernels
from quorate.instruments.pricing.black76 import deviation_fp, implied_vol_e9, price_fp
from quorate.instruments.pricing.fixed import ratio_fp, root_years_q52
from tests.instruments.pricing.cases import Case, cases

Ints = npt.NDArray[np.int64]


def columns(found: list[Case]) -> list[Ints]:
    rows = [(c.forward, c.strike, c.vol_e9, c.time_ms, int(c.call)) for c in found]
    return [np.array(column, np.int64) for column in zip(*rows, strict=True)]


def test_prices() -> None:
    found = cases(31, 2000)
    prices = np.zeros(len(found), np.int64)
    kernels.price_many(*columns(found), prices)
    for case, price in zip(found, prices, strict=True):
        deviation = deviation_fp(case.vol_e9, case.time_ms)
        assert price == price_fp(case.forward, case.strike, deviation, case.call)


def test_greeks() -> None:
    found = sorted(cases(32, 2000), key=lambda case: case.time_ms // 10**9)
    rows = np.zeros((len(found), greeks.COLUMNS), np.int64)
    kernels.greeks_many(*columns(found), rows)
    for case, row in zip(found, rows, strict=True):
        expected = [0] * greeks.COLUMNS
        greeks.greeks_fill(
            ratio_fp(case.strike, case.forward),
            deviation_fp(case.vol_e9, case.time_ms),
            root_years_q52(case.time_ms),
            case.time_ms,
            case.call,
            expected,
        )
        assert row.tolist() == expected


def test_implied() -> None:
    found = cases(33, 300)
    forwards, strikes, vols, times, calls = columns(found)
    prices = np.zeros(len(found), np.int64)
    kernels.price_many(forwards, strikes, vols, times, calls, prices)
    implied = np.zeros(len(found), np.int64)
    kernels.implied_vol_many(prices, forwards, strikes, times, calls, implied)
    for case, price, vol_e9 in zip(found, prices, implied, strict=True):
        expected = implied_vol_e9(
            int(price), case.forward, case.strike, case.time_ms, case.call
        )
        assert vol_e9 == expected
