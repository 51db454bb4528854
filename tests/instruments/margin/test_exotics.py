"""The scan of exotics: against European closed forms, by hand, and compiled against plain."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.margin import exotics, kernels, marking
from quorate.instruments.margin import layout as at
from quorate.instruments.payoff.catalogue import PRODUCTS
from quorate.instruments.payoff.language import declared
from quorate.types.limits import DAY_MS, PAYOFF_CODE_MAX, PAYOFF_INPUTS, PPM
from quorate.types.payoff_codes import Input
from tests.instruments.margin.worlds import World, series_row

INDEX = 100_000
NEUTRAL = exotics.NEUTRAL


def exotic_world(days: int = 30, vol_e9: int = 600_000_000) -> World:
    """One exotic (row 0) and a European call and put (rows 1, 2) on the same expiry."""
    expiries = np.zeros((2, at.EXPIRY_FIELDS), dtype=np.int64)
    expiries[:, at.FORWARD] = INDEX
    expiries[0, at.TIME_MS] = days * DAY_MS
    expiries[0, at.VARIABLE_PPM] = PPM
    kinds = (at.EXOTIC, at.CALL, at.PUT)
    table = [list(series_row(kind, 0, 0, INDEX, 1, vol_e9)) for kind in kinds]
    underlyings = np.array([(INDEX, 0)], dtype=np.int64)
    for row in table:
        row[at.PAYOFF_MAX] = 100 * INDEX
    return World(np.array(table, dtype=np.int64), underlyings, expiries)


def arguments(world: World, product: str, seen: dict[str, int], remaining: int) -> list[Any]:
    """What `fill_exotic` takes for row 0."""
    payoff = PRODUCTS[product].payoff()
    lows, highs = declared(PRODUCTS[product].ranges)
    inputs = np.zeros(PAYOFF_INPUTS, dtype=np.int64)
    for name, value in seen.items():
        inputs[Input[name.upper()]] = value
    return [
        world.series, world.expiries, world.worths, 0,
        np.array(payoff.code, dtype=np.int64), len(payoff.code),
        np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64), inputs, remaining,
        np.zeros(exotics.TERMINALS, dtype=np.int64), np.zeros(exotics.STATE, dtype=np.int64),
        np.zeros(PAYOFF_CODE_MAX, dtype=np.int64),
    ]  # fmt: skip


def prices(
    product: str, seen: dict[str, int], remaining: int = 0, days: int = 30
) -> tuple[World, list[int]]:
    """Prices of one product in ticks, by column."""
    world = exotic_world(days)
    exotics.fill_exotic(*arguments(world, product, seen, remaining))
    return world, [int(worth) // 1_000_000 for worth in world.worths[0]]


def test_the_state_of_a_path_has_room_for_all_inputs() -> None:
    assert exotics.STATE == PAYOFF_INPUTS
    assert at.REGULAR[NEUTRAL] == (0, at.VOL_SAME)


@given(st.integers(10_000, 2**36), st.integers(2**30, 3 * 2**40))
def test_terminals_have_the_mean_and_spread_they_stand_for(forward: int, deviation: int) -> None:
    found = np.zeros(exotics.TERMINALS, dtype=np.int64)
    exotics.terminal_prices(forward, deviation, found)
    assert sorted(found.tolist()) == found.tolist()
    assert found.sum() / exotics.TERMINALS == pytest.approx(forward, rel=1e-4, abs=1)
    if forward > 2**30 and found[0] > 2**20:
        assert np.log(found.astype(float)).std() == pytest.approx(deviation / 2**40, rel=1e-3)


@pytest.mark.parametrize(("product", "row"), [("european_call", 1), ("european_put", 2)])
@pytest.mark.parametrize("days", [2, 30, 200])
def test_european_payoffs_come_near_their_closed_form(product: str, row: int, days: int) -> None:
    """Within 0.3 % of the index in regular scenarios, 0.6 % in tails."""
    world, found = prices(product, {"strike": INDEX}, 0, days)
    for s in range(at.COLUMNS):
        if at.SKEW_UP <= at.VOL_MODE[s]:
            assert found[s] == found[NEUTRAL]  # an exotic has one volatility, and no skew
            continue
        exact = int(world.worths[row, s]) // 1_000_000
        part = 3 if s < len(at.REGULAR) else 6
        assert abs(found[s] - exact) <= INDEX * part // 1_000


def test_a_future_is_its_forward() -> None:
    _, found = prices("dated_future", {})
    for s in range(at.SCAN):
        assert found[s] == pytest.approx(INDEX * (PPM + int(at.SHOCK_PPM[s])) / PPM, rel=1e-4)


def test_a_digital_lies_between_nothing_and_its_rebate() -> None:
    _, found = prices("digital_call", {"strike": INDEX, "rebate": 1_000}, 0, 2)
    assert 400 < found[NEUTRAL] < 600
    assert found[0] == 0 and found[22] > 900


def test_a_touch_on_the_way_counts_and_what_was_touched_stays() -> None:
    far = {"upper": INDEX * 3 // 2, "rebate": 1_000}
    _, found = prices("one_touch_up", far, 1_000, 2)
    assert found[NEUTRAL] == 0 and found[25] == 1_000
    _, found = prices("one_touch_up", far | {"touched_up": 1}, 1_000, 2)
    assert set(found) == {1_000}
    # At 60 % for 30 days the barrier at 115 % is touched with probability 0.42 (reflection).
    _, found = prices("one_touch_up", {"upper": INDEX * 115 // 100, "rebate": 1_000}, 1_000, 30)
    assert 300 <= found[NEUTRAL] <= 500


def test_an_average_keeps_what_was_seen() -> None:
    seen = {"strike": INDEX, "avg": INDEX * 11 // 10, "count": 300, "first": INDEX}
    _, found = prices("asian_call", seen, 0)
    assert set(found) == {INDEX // 10}
    _, found = prices("asian_call", seen, 100)
    assert found[0] < found[NEUTRAL] < found[22]


def test_realized_variance_grows_by_what_is_still_to_come() -> None:
    # A variance of 1 pays 1 000 000: 0.6**2 * 30 / 365 of it, and 18 % squared after a shock.
    seen = {"rate": 1_000_000, "cap": 10**9, "realized": 0}
    world, found = prices("variance_swap", seen, 30)
    assert found[NEUTRAL] == pytest.approx(0.36 * 30 / 365 * PPM, rel=1e-2)
    horizon = int(world.expiries[0, at.HORIZON_PPM]) / PPM
    raised = (0.6 * (1 + horizon / 2)) ** 2 * 30 / 365 + 0.18**2
    assert found[0] == pytest.approx(raised * PPM, rel=1e-2)


@pytest.mark.parametrize("product", sorted(PRODUCTS))
def test_every_product_is_the_same_compiled(product: str) -> None:
    seen = {
        "strike": INDEX, "upper": INDEX * 12 // 10, "lower": INDEX * 8 // 10, "rebate": 5_000,
        "cap": 10**6, "rate": 1_000, "spot": INDEX, "first": INDEX, "avg": INDEX, "low": INDEX,
        "high": INDEX, "count": 10, "inside": 10, "realized": 10**9,
    }  # fmt: skip
    left, right = exotic_world(), exotic_world()
    exotics.fill_exotic(*arguments(left, product, seen, 50))
    kernels.remark_exotic(*arguments(right, product, seen, 50))
    assert np.array_equal(left.worths, right.worths)
    assert left.worths[0].min() >= 0
    assert exotics.exotic_mark(left.series, left.worths, 0) >= 1


def test_an_exotic_hedges_a_european_in_one_account() -> None:
    """A payoff that is the same text as an option's offsets it, but for the grid."""
    world, _ = prices("european_call", {"strike": INDEX})
    marking.fill_marks(world.series, 3, world.expiries)
    world.series[0, at.MARK] = exotics.exotic_mark(world.series, world.worths, 0)
    naked = world.portfolio([(1, -10)])
    hedged = world.portfolio([(1, -10), (0, 10)])
    assert hedged[at.INITIAL_E6] < naked[at.INITIAL_E6] // 4
