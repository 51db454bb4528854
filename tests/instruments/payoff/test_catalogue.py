"""The catalogue: every product is admitted, pays what it says, and its parts add up."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.payoff import observations
from quorate.instruments.payoff.catalogue import CATALOGUE, PRODUCTS, Product
from quorate.instruments.payoff.language import PayoffError, evaluate, verify
from quorate.types.limits import PAYOFF_TEXT_BYTES_MAX, PPM, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Input, Life, Observation

# What each pays in one case: fix, strike and so on.
CASES = [
    ("dated_future", {"fix": 1700}, 1700),
    ("european_call", {"fix": 1700, "strike": 1500}, 200),
    ("european_call", {"fix": 1400, "strike": 1500}, 0),
    ("european_put", {"fix": 1400, "strike": 1500}, 100),
    ("straddle", {"fix": 1400, "strike": 1500}, 100),
    ("call_spread", {"fix": 1900, "strike": 1500, "upper": 1600}, 100),
    ("call_spread", {"fix": 1540, "strike": 1500, "upper": 1600}, 40),
    ("call_spread", {"fix": 1540, "strike": 1500, "upper": 1400}, 0),
    ("put_spread", {"fix": 1200, "strike": 1500, "lower": 1400}, 100),
    ("put_spread", {"fix": 1450, "strike": 1500, "lower": 1400}, 50),
    ("digital_call", {"fix": 1501, "strike": 1500, "rebate": 7}, 7),
    ("digital_call", {"fix": 1500, "strike": 1500, "rebate": 7}, 0),
    ("digital_put", {"fix": 1499, "strike": 1500, "rebate": 7}, 7),
    ("digital_put", {"fix": 1500, "strike": 1500, "rebate": 7}, 0),
    ("one_touch_up", {"touched_up": 1, "rebate": 7}, 7),
    ("one_touch_down", {"touched_down": 0, "rebate": 7}, 0),
    ("no_touch_up", {"touched_up": 1, "rebate": 7}, 0),
    ("no_touch_down", {"touched_down": 0, "rebate": 7}, 7),
    ("no_touch_double", {"touched_up": 0, "touched_down": 1, "rebate": 7}, 0),
    ("no_touch_double", {"touched_up": 0, "touched_down": 0, "rebate": 7}, 7),
    ("up_and_out_call", {"touched_up": 1, "fix": 1700, "strike": 1500, "rebate": 7}, 7),
    ("up_and_in_call", {"touched_up": 1, "fix": 1700, "strike": 1500, "rebate": 7}, 200),
    ("down_and_out_call", {"touched_down": 0, "fix": 1700, "strike": 1500, "rebate": 7}, 200),
    ("down_and_in_call", {"touched_down": 0, "fix": 1700, "strike": 1500, "rebate": 7}, 7),
    ("up_and_out_put", {"touched_up": 0, "fix": 1400, "strike": 1500, "rebate": 7}, 100),
    ("up_and_in_put", {"touched_up": 0, "fix": 1400, "strike": 1500, "rebate": 7}, 7),
    ("down_and_out_put", {"touched_down": 1, "fix": 1400, "strike": 1500, "rebate": 7}, 7),
    ("down_and_in_put", {"touched_down": 1, "fix": 1400, "strike": 1500, "rebate": 7}, 100),
    ("asian_call", {"avg": 1600, "strike": 1500}, 100),
    ("asian_put", {"avg": 1600, "strike": 1500}, 0),
    ("lookback_call", {"high": 1900, "strike": 1500}, 400),
    ("lookback_put", {"low": 1100, "strike": 1500}, 400),
    ("range_accrual", {"inside": 12, "rate": 5}, 60),
    # 80 % of volatility over a year: a realized variance of 0.64.
    ("variance_swap", {"realized": 640_000_000_000, "rate": 10_000, "cap": 9_999}, 6_400),
    ("variance_swap", {"realized": 640_000_000_000, "rate": 10_000, "cap": 5_000}, 5_000),
    ("power_perpetual", {"spot": 3_000_000}, 9_000_000),
    ("everlasting_call", {"spot": 1700, "strike": 1500}, 200),
    ("everlasting_put", {"spot": 1400, "strike": 1500}, 100),
]


@pytest.mark.parametrize(("name", "observed", "pays"), CASES)
def test_what_a_product_pays(name: str, observed: dict[str, int], pays: int) -> None:
    product = PRODUCTS[name]
    assert evaluate(product.payoff(), observed, product.ranges) == pays


def test_every_product_is_shown_and_named_once() -> None:
    assert {name for name, _, _ in CASES} == set(PRODUCTS)
    assert len(PRODUCTS) == len(CATALOGUE)


@pytest.mark.parametrize("product", CATALOGUE, ids=lambda product: product.name)
def test_every_product_is_admitted_and_no_narrower_bound_is(product: Product) -> None:
    verdict = product.verified()
    assert product.bounds[0] <= verdict.low and verdict.high <= product.bounds[1]
    assert len(product.text) <= PAYOFF_TEXT_BYTES_MAX
    with pytest.raises(PayoffError, match="could leave its declared bounds"):
        verify(product.payoff(), product.ranges, (verdict.low, verdict.high - 1))


@pytest.mark.parametrize("product", CATALOGUE, ids=lambda product: product.name)
def test_at_corners_and_between_a_product_stays_in_its_bounds(product: Product) -> None:
    draw = random.Random(product.name)
    payoff = product.payoff()
    seen = []
    for _ in range(300):
        observed = {}
        for name, (low, high) in product.ranges.items():
            observed[name] = draw.choice([low, high, draw.randint(low, high), low + 1])
        if "strike" in observed and draw.random() < 0.3:
            observed["strike"] = observed[next(iter(product.ranges))]
        seen.append(evaluate(payoff, observed, product.ranges))
    assert product.bounds[0] <= min(seen) and max(seen) <= product.bounds[1]
    assert len(set(seen)) > 2


def test_observations_are_declared_where_a_payoff_names_them() -> None:
    along = {Input.AVG, Input.LOW, Input.HIGH, Input.COUNT, Input.INSIDE, Input.REALIZED}
    along |= {Input.TOUCHED, Input.TOUCHED_UP, Input.TOUCHED_DOWN, Input.FIRST}
    for product in CATALOGUE:
        named = along & {*product.payoff().inputs()}
        assert bool(named) == (product.observation != Observation.NONE), product.name
        periodic = product.observation in (Observation.SAMPLED, Observation.CLOSE)
        assert periodic == (product.interval_ms > 0), product.name
        if product.life == Life.EVERLASTING:
            assert Input.FIX not in product.payoff().inputs()


PRICES = st.integers(1, PRICE_TICKS_MAX)


@given(PRICES, PRICES, st.integers(0, PRICE_TICKS_MAX), st.booleans())
def test_in_and_out_make_the_option_and_the_rebate(
    fix: int, strike: int, rebate: int, touched: bool
) -> None:
    observed = {"fix": fix, "strike": strike, "rebate": rebate}
    observed |= {"touched_up": int(touched), "touched_down": int(touched)}

    def pays(name: str) -> int:
        product = PRODUCTS[name]
        named = {n: value for n, value in observed.items() if n in product.ranges}
        return evaluate(product.payoff(), named, product.ranges)

    for kind in ("call", "put"):
        for side in ("up", "down"):
            both = pays(f"{side}_and_in_{kind}") + pays(f"{side}_and_out_{kind}")
            assert both == pays(f"european_{kind}") + rebate
    for side in ("up", "down"):
        assert pays(f"one_touch_{side}") + pays(f"no_touch_{side}") == rebate
    assert pays("european_call") - pays("european_put") == fix - strike
    assert pays("european_call") + pays("european_put") == pays("straddle")


# --- observations --------------------------------------------------------------------------------


def test_when_an_index_price_is_observed() -> None:
    def seen(rule: Observation, times: list[int], offset_ms: int = 0) -> list[int]:
        found, before = [], 0
        for time in times:
            if observations.is_observed(rule, time, before, 60, offset_ms):
                found.append(time)
            before = time
        return found

    times = [100, 119, 120, 121, 300, 301, 359, 360]
    assert seen(Observation.NONE, times) == []
    assert seen(Observation.BLOCK, times) == times
    assert seen(Observation.SAMPLED, times) == [100, 120, 300, 360]
    # The blocks at which an earlier one, 119, 121 and 359, turns out to have been a close.
    assert seen(Observation.CLOSE, times) == [120, 300, 360]
    assert seen(Observation.SAMPLED, times, offset_ms=1) == [100, 121, 300, 301]
    assert seen(Observation.CLOSE, times, offset_ms=1) == [121, 300, 301]


@given(PRICES, PRICES)
def test_a_squared_return(before: int, after: int) -> None:
    squared = observations.squared_return_ppm2(before, after)
    root = abs(after - before) * PPM // before
    assert squared == min(root, PPM) ** 2
    assert observations.squared_return_ppm2(100, 103) == 30_000**2
    assert observations.squared_return_ppm2(100, 97) == 30_000**2


def test_touches_and_means() -> None:
    assert [observations.touches_up(p, 100) for p in (99, 100, 101)] == [False, True, True]
    assert [observations.touches_down(p, 100) for p in (99, 100, 101)] == [True, True, False]
    assert not observations.touches_up(5, 0) and not observations.touches_down(5, 0)
    assert [observations.is_inside(p, 3, 5) for p in (2, 3, 5, 6)] == [False, True, True, False]
    assert observations.average(7, 2) == 3 and observations.average(0, 0) == 0
