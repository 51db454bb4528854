"""The greeks against QuantLib's calculator, each within its stated error, and against prices."""

import math
from dataclasses import replace

import pytest
import QuantLib
from hypothesis import given

from quorate.instruments.pricing import greeks
from quorate.instruments.pricing.black76 import YEAR_MS, deviation_fp, price_fp
from quorate.instruments.pricing.fixed import ONE, ratio_fp, root_years_q52
from quorate.instruments.pricing.greeks import DELTA, GAMMA, PRICE, RHO, THETA, VEGA
from tests.instruments.pricing.cases import Case, any_case, cases


def row_of(case: Case) -> list[int]:
    row = [0] * greeks.COLUMNS
    greeks.greeks_fill(
        ratio_fp(case.strike, case.forward),
        deviation_fp(case.vol_e9, case.time_ms),
        root_years_q52(case.time_ms),
        case.time_ms,
        case.call,
        row,
    )
    return row


# Of delta, gamma and vega the error is that of moneyness and deviation, which end at 2**-40: it
# is largest at the least deviation, 1e-4. Gamma's is relative to its peak, 0.4 / s.
ERRORS = {PRICE: 4e-12, DELTA: 1e-8, GAMMA: 3e-8, VEGA: 1e-10, THETA: 1e-9, RHO: 1e-11}


def quantlib(case: Case) -> dict[int, float]:
    """What QuantLib has for each column, over the forward."""
    kind = QuantLib.Option.Call if case.call else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(kind, case.strike / case.forward)
    calculator = QuantLib.BlackCalculator(payoff, 1.0, case.deviation)
    years = case.time_ms / YEAR_MS
    return {
        PRICE: calculator.value(),
        DELTA: calculator.deltaForward(),
        GAMMA: calculator.gammaForward(),
        VEGA: calculator.vega(years),
        THETA: calculator.theta(1.0, years) / 365,
        RHO: -years * calculator.value(),
    }


def test_against_quantlib() -> None:
    worst = dict.fromkeys(ERRORS, 0.0)
    for case in cases(11, 6000):
        row = row_of(case)
        for column, exact in quantlib(case).items():
            error = abs(row[column] / ONE - exact)
            if column == GAMMA:
                error *= case.deviation
            worst[column] = max(worst[column], error)
    assert {column: error for column, error in worst.items() if error > ERRORS[column]} == {}


def test_rho_is_the_slope_of_the_discounted_price() -> None:
    """QuantLib's discounted price at rates of 1e-6 either side of 0."""
    for case in cases(12, 200):
        kind = QuantLib.Option.Call if case.call else QuantLib.Option.Put
        years = case.time_ms / YEAR_MS
        prices = [
            QuantLib.blackFormula(
                kind, case.strike, case.forward, case.deviation, math.exp(-rate * years)
            )
            for rate in (-1e-6, 1e-6)
        ]
        slope = (prices[1] - prices[0]) / 2e-6 / case.forward
        assert row_of(case)[RHO] / ONE == pytest.approx(slope, abs=2e-8)


@given(any_case)
def test_row_holds_the_price(case: Case) -> None:
    deviation = deviation_fp(case.vol_e9, case.time_ms)
    row = row_of(case)
    assert row[PRICE] == price_fp(case.forward, case.strike, deviation, case.call)


@given(any_case)
def test_call_and_put(case: Case) -> None:
    call, put = row_of(replace(case, call=True)), row_of(replace(case, call=False))
    assert call[DELTA] - put[DELTA] == ONE
    assert call[GAMMA : RHO] == put[GAMMA : RHO]
    assert 0 <= call[DELTA] <= ONE
    assert call[GAMMA] >= 0 and call[VEGA] >= 0
    assert call[THETA] <= 0 and call[RHO] <= 0 and put[RHO] <= 0


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("ratio", [0, 1, ONE // 2, 2 * ONE, 2**62])
def test_without_time_value(ratio: int, call: bool) -> None:
    row = [7] * greeks.COLUMNS
    greeks.greeks_fill(ratio, 100, root_years_q52(3_600_000), 3_600_000, call, row)
    inside = ratio < ONE if call else ratio > ONE
    assert row[PRICE] == (abs(ratio - ONE) if inside else 0)
    assert row[DELTA] == (0 if not inside else ONE if call else -ONE)
    assert row[GAMMA : RHO] == [0, 0, 0]
    assert (row[RHO] < 0) == inside


def test_gamma_is_capped() -> None:
    assert greeks.gamma_fp(2**54, 1) == greeks.GAMMA_MAX_FP
    assert greeks.gamma_fp(2**54, 2**40) == 2**38
