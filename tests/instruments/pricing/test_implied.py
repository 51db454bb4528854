"""Implied volatility: re-priced it gives the price back, for every price between its bounds."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from quorate.instruments.pricing.black76 import (
    VOL_CEILING_E9,
    deviation_fp,
    implied_vol_e9,
    price_fp,
)
from quorate.instruments.pricing.fixed import ONE, ratio_fp
from tests.instruments.pricing.cases import Case, any_case, cases

TOLERANCE = 1e-8 * ONE


def bounds(case: Case) -> tuple[int, int]:
    ratio = ratio_fp(case.strike, case.forward)
    return (max(0, ONE - ratio), ONE) if case.call else (max(0, ratio - ONE), ratio)


def implied(case: Case, price: int) -> int:
    return implied_vol_e9(price, case.forward, case.strike, case.time_ms, case.call)


def repriced(case: Case, vol_e9: int) -> int:
    deviation = deviation_fp(vol_e9, case.time_ms)
    return price_fp(case.forward, case.strike, deviation, case.call)


@given(any_case, st.floats(0, 1), st.booleans())
def test_any_price_between_its_bounds(case: Case, share: float, near_low: bool) -> None:
    low, high = bounds(case)
    offset = int((high - low) ** share) if near_low else int((high - low) * share)
    price = min(max(low + 1, low + offset), high - 1)
    assume(low < price < high)
    vol_e9 = implied(case, price)
    assert 0 < vol_e9 <= VOL_CEILING_E9
    assert abs(repriced(case, vol_e9) - price) <= TOLERANCE


@given(any_case)
def test_it_is_the_least(case: Case) -> None:
    low, high = bounds(case)
    price = repriced(case, case.vol_e9)
    assume(low < price < high)
    vol_e9 = implied(case, price)
    assert vol_e9 <= case.vol_e9
    assert repriced(case, vol_e9) == price
    assert vol_e9 == 1 or repriced(case, vol_e9 - 1) < price


@given(any_case, st.integers(0, 2**50))
def test_none_on_or_beyond_the_bounds(case: Case, beyond: int) -> None:
    low, high = bounds(case)
    assert implied(case, low - beyond) == 0
    assert implied(case, high + beyond) == 0


def test_the_volatility_comes_back_where_it_matters() -> None:
    """Within the price's 2**-40 over vega, wherever vega is above 1e-6 of the forward."""
    checked = 0
    for case in cases(21, 1000):
        d1 = math.log(case.forward / case.strike) / case.deviation + case.deviation / 2
        vega = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi * case.deviation**2)
        vega *= case.deviation**2 / (case.vol_e9 / 1e9)
        low, high = bounds(case)
        price = repriced(case, case.vol_e9)
        if vega > 1e-6 and low < price < high:
            checked += 1
            slack = 2 + 4e9 * 2**-40 / vega
            assert abs(implied(case, price) - case.vol_e9) <= slack, case
    assert checked > 300
