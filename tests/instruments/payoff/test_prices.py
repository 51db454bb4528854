"""The mean of what a product pays over random paths, against QuantLib's closed forms.

One seeded set of paths of closed_forms' world, seen STEPS times and rounded to ticks; what a payoff
names is formed from them by the definitions of `types.payoff_codes.Input`, and the machine pays.
Each mean must lie within four of its standard errors and, where the closed form knows of paths that
are seen at all times, within what its correction for discrete observation leaves: ALLOWED of the
index.
"""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from quorate.instruments.payoff import kernels
from quorate.instruments.payoff.catalogue import PRODUCTS
from quorate.instruments.payoff.language import declared
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PPM
from quorate.types.payoff_codes import Input
from tests.instruments.payoff import closed_forms as form

pytestmark = pytest.mark.slow

PATHS, CHUNK = 120_000, 10_000
UPPER, LOWER, STRIKE, REBATE = 1_300_000, 750_000, 1_050_000, 40_000
RATE = 900
ALLOWED = 0.0001

Floats = np.ndarray[Any, np.dtype[np.float64]]


@functools.cache
def paths() -> dict[str, Floats]:
    """Draw all paths and form what is observed of them, by name of the input."""
    draw = np.random.default_rng(20_260_205)
    step = form.YEARS / form.STEPS
    parts: dict[str, list[Floats]] = {}
    for _ in range(PATHS // CHUNK // 2):
        normal = draw.standard_normal((CHUNK, form.STEPS))
        normal = np.concatenate([normal, -normal])  # antithetic pairs, CHUNK rows apart
        moves = form.VOLATILITY * np.sqrt(step) * normal - form.VOLATILITY**2 / 2 * step
        exact = form.SPOT * np.exp(np.cumsum(moves, axis=1))
        price = np.rint(exact)
        before = np.concatenate([np.full((2 * CHUNK, 1), form.SPOT), price[:, :-1]], axis=1)
        returns = np.minimum(np.abs(price - before) * PPM // before, PPM)
        seen = {
            "fix": price[:, -1],
            "spot": price[:, -1],
            "avg": np.floor(price.mean(axis=1)),
            "low": price.min(axis=1),
            "high": price.max(axis=1),
            "inside": ((price >= LOWER) & (price <= UPPER)).sum(axis=1),
            "realized": (returns**2).sum(axis=1),
            "geometric": np.exp(np.log(exact).mean(axis=1)),
        }
        for name, values in seen.items():
            parts.setdefault(name, []).append(values)
    found = {name: np.concatenate(values) for name, values in parts.items()}
    found["touched_up"] = found["high"] >= UPPER
    found["touched_down"] = found["low"] <= LOWER
    return found


def paid(name: str, **parameters: int) -> Floats:
    """Run a product over all paths; give the mean of each antithetic pair."""
    product = PRODUCTS[name]
    payoff = product.payoff()
    code = np.array(payoff.code, dtype=np.int64)
    lows, highs = (np.array(part, dtype=np.int64) for part in declared(product.ranges))
    inputs = np.zeros((PATHS, PAYOFF_INPUTS), dtype=np.int64)
    for number in payoff.inputs():
        key = number.name.lower()
        inputs[:, number] = parameters[key] if number >= Input.STRIKE else paths()[key]
    values = np.zeros(PAYOFF_CODE_MAX, dtype=np.int64)
    run = kernels.payoff_now
    ticks = [run(code, len(code), row, lows, highs, values) for row in inputs]
    return pairs(np.array(ticks, dtype=np.float64))


def pairs(values: Floats) -> Floats:
    """Give the mean of each antithetic pair, so that what is left is independent."""
    return values.reshape(-1, 2, CHUNK).mean(axis=1).ravel()


def assert_mean(values: Floats, wanted: float, allowed: float = 0.0) -> None:
    """Check a mean against a closed form, in ticks."""
    error = 4 * values.std() / np.sqrt(len(values)) + allowed * form.SPOT
    assert abs(values.mean() - wanted) < error, (values.mean(), wanted, error)
    # A test that would let everything pass says nothing.
    assert error < 0.007 * form.SPOT


QL = form.ql.Barrier
CALL, PUT = form.CALL, form.PUT
OPTION = {"strike": STRIKE}
PAID = {"rebate": REBATE}
EXACT: dict[str, tuple[Mapping[str, int], float]] = {
    "dated_future": ({}, form.SPOT),
    "european_call": (OPTION, form.vanilla(CALL, STRIKE)),
    "european_put": (OPTION, form.vanilla(PUT, STRIKE)),
    "everlasting_call": (OPTION, form.vanilla(CALL, STRIKE)),
    "everlasting_put": (OPTION, form.vanilla(PUT, STRIKE)),
    "straddle": (OPTION, form.vanilla(CALL, STRIKE) + form.vanilla(PUT, STRIKE)),
    "call_spread": (
        OPTION | {"upper": UPPER},
        form.vanilla(CALL, STRIKE) - form.vanilla(CALL, UPPER),
    ),
    "put_spread": (
        OPTION | {"lower": LOWER},
        form.vanilla(PUT, STRIKE) - form.vanilla(PUT, LOWER),
    ),
    "digital_call": (OPTION | PAID, form.digital(CALL, STRIKE, REBATE)),
    "digital_put": (OPTION | PAID, form.digital(PUT, STRIKE, REBATE)),
    # The second moment of the index, in millions of ticks.
    "power_perpetual": (
        {},
        form.SPOT**2 * np.exp(form.VOLATILITY**2 * form.YEARS) / 1_000_000,
    ),
}
CORRECTED: dict[str, tuple[Mapping[str, int], float]] = {
    "one_touch_up": (PAID, form.one_touch(CALL, UPPER, REBATE)),
    "one_touch_down": (PAID, form.one_touch(PUT, LOWER, REBATE)),
    "no_touch_up": (PAID, REBATE - form.one_touch(CALL, UPPER, REBATE)),
    "no_touch_down": (PAID, REBATE - form.one_touch(PUT, LOWER, REBATE)),
    "no_touch_double": (PAID, form.no_touch_double(LOWER, UPPER, REBATE)),
    "up_and_out_call": (OPTION | PAID, form.knock(QL.UpOut, CALL, UPPER, STRIKE, REBATE)),
    "up_and_in_call": (OPTION | PAID, form.knock(QL.UpIn, CALL, UPPER, STRIKE, REBATE)),
    "down_and_out_call": (OPTION | PAID, form.knock(QL.DownOut, CALL, LOWER, STRIKE, REBATE)),
    "down_and_in_call": (OPTION | PAID, form.knock(QL.DownIn, CALL, LOWER, STRIKE, REBATE)),
    "up_and_out_put": (OPTION | PAID, form.knock(QL.UpOut, PUT, UPPER, STRIKE, REBATE)),
    "up_and_in_put": (OPTION | PAID, form.knock(QL.UpIn, PUT, UPPER, STRIKE, REBATE)),
    "down_and_out_put": (OPTION | PAID, form.knock(QL.DownOut, PUT, LOWER, STRIKE, REBATE)),
    "down_and_in_put": (OPTION | PAID, form.knock(QL.DownIn, PUT, LOWER, STRIKE, REBATE)),
    "lookback_call": (OPTION, form.lookback(CALL, STRIKE)),
    "lookback_put": (OPTION, form.lookback(PUT, STRIKE)),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_product_of_the_end_is_worth_its_closed_form(name: str) -> None:
    parameters, wanted = EXACT[name]
    assert_mean(paid(name, **parameters), wanted)


@pytest.mark.parametrize("name", CORRECTED)
def test_a_product_of_the_path_is_worth_its_corrected_closed_form(name: str) -> None:
    parameters, wanted = CORRECTED[name]
    assert_mean(paid(name, **parameters), wanted, ALLOWED)


@pytest.mark.parametrize("kind", [CALL, PUT], ids=["call", "put"])
def test_an_asian_option_by_its_geometric_sister(kind: int) -> None:
    sign = 1 if kind == CALL else -1
    mine = paid("asian_call" if kind == CALL else "asian_put", strike=STRIKE)
    sister = pairs(np.maximum(sign * (paths()["geometric"] - STRIKE), 0))
    # The sister's closed form is exact, and takes most of the noise away.
    controlled = mine - sister + form.geometric_asian(kind, STRIKE)
    assert_mean(sister, form.geometric_asian(kind, STRIKE))
    assert controlled.std() < mine.std() / 5
    # Two matched moments leave this much of the index.
    assert_mean(controlled, form.arithmetic_asian(kind, STRIKE), ALLOWED)


def test_a_range_accrual_is_a_sum_of_digitals() -> None:
    step = form.YEARS / form.STEPS
    inside = 0.0
    for day in range(1, form.STEPS + 1):
        deviation = form.VOLATILITY * np.sqrt(day * step)
        above = [chance_above(barrier, deviation) for barrier in (LOWER - 0.5, UPPER + 0.5)]
        inside += above[0] - above[1]
    assert_mean(paid("range_accrual", rate=RATE), RATE * inside)


def chance_above(barrier: float, deviation: float) -> float:
    """Give the chance that the index ends above a barrier, by QuantLib's normal distribution."""
    normal = form.ql.CumulativeNormalDistribution()
    return float(normal(np.log(form.SPOT / barrier) / deviation - deviation / 2))


def test_a_variance_swap_is_worth_the_fair_variance() -> None:
    rate = 100_000_000
    values = paid("variance_swap", rate=rate, cap=2**39)
    # Simple returns: each squared is worth exp(variance of a step) - 1; and half a ppm is cut off.
    step = form.VOLATILITY**2 * form.YEARS / form.STEPS
    wanted = form.STEPS * np.expm1(step) * rate
    error = 5 * values.std() / np.sqrt(len(values))
    cut = form.STEPS * 2e-6 * np.sqrt(step) * rate
    assert abs(values.mean() - wanted) < error + cut < 0.005 * wanted
    assert abs(form.fair_variance() * form.YEARS * rate / wanted - 1) < 0.001


def test_every_product_is_priced_here() -> None:
    others = {"asian_call", "asian_put", "range_accrual", "variance_swap"}
    assert set(EXACT) | set(CORRECTED) | others == set(PRODUCTS)
