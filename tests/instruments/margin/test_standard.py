"""Standard margin against the vectors of FORMULAS 9 and 11, and its bounds."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.margin import layout as at
from quorate.instruments.margin import parameters, standard
from quorate.instruments.margin.rules import option_payoff
from tests.instruments.margin.worlds import (
    PAYOFF_MAX,
    Leg,
    Row,
    World,
    full_world,
    option,
    series_row,
    single_expiry,
)

E6 = 1_000_000
FULL = full_world()


def cash_needed(world: World, legs: Sequence[Leg], orders: Sequence[Row] = ()) -> tuple[int, int]:
    """Cash that options need, initial and maintenance, in whole units of the quote."""
    results = world.standard(legs, orders)
    marks_e6 = results[at.MARKS_E6]
    return (results[at.INITIAL_E6] - marks_e6) // E6, (results[at.MAINTENANCE_E6] - marks_e6) // E6


@pytest.mark.parametrize(
    ("kind", "strike", "mark", "initial", "kept"),
    [
        pytest.param(at.CALL, 3_200, 90, 480, 360, id="formulas-11-call"),
        pytest.param(at.PUT, 2_800, 80, 470, 350, id="formulas-11-put"),
        pytest.param(at.CALL, 3_000, 200, 650, 470, id="at-the-money"),
        pytest.param(at.CALL, 2_500, 520, 970, 790, id="in-the-money"),
        # max(0.09 S, 0.09 mk) = 270; 1.05 * (270 + 2200) = 2593.5, rounded up; 450 + 2200 is more.
        pytest.param(at.PUT, 5_200, 2_200, 2_650, 2_470, id="deep-put"),
        # 0.09 mk = 1080 leads: 1.05 * (1080 + 12000) is more than 450 + 12000.
        pytest.param(at.PUT, 15_000, 12_000, 13_734, 13_080, id="put-bound-by-maintenance"),
    ],
)
def test_short_legs_of_formulas_11(
    kind: int, strike: int, mark: int, initial: int, kept: int
) -> None:
    world = single_expiry(3_000, [(kind, strike, mark)])
    ticks = [
        standard.short_ticks(world.series, 0, 3_000, 0, world.parameters, level)
        for level in (True, False)
    ]
    assert ticks == [initial, kept]
    if mark < 1_000:  # a whole account: no offset helps one short leg
        assert cash_needed(world, [(0, -1)]) == (initial, kept)
    assert cash_needed(world, [(0, 1)]) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "strike", "mark", "initial", "kept"),
    [
        pytest.param(at.CALL, 70_000, 1_200, 7_200, 5_700, id="formulas-9-call"),
        pytest.param(at.PUT, 50_000, 900, 6_900, 5_400, id="formulas-9-put"),
        pytest.param(at.PUT, 120_000, 61_200, 70_200, 65_790, id="formulas-9-deep-put"),
    ],
)
def test_short_legs_of_formulas_9(
    kind: int, strike: int, mark: int, initial: int, kept: int
) -> None:
    # In coin .12/.095, .115/.09 and 1.17/1.0965 at 60 000.
    world = single_expiry(60_000, [(kind, strike, mark)])
    values = np.array(parameters.DERIBIT, dtype=np.int64)
    assert [
        standard.short_ticks(world.series, 0, 60_000, 0, values, level) for level in (True, False)
    ] == [initial, kept]


def test_a_call_spread_needs_its_width() -> None:
    world = single_expiry(3_000, [(at.CALL, 1_800, 1_210), (at.CALL, 2_000, 1_020)])
    assert cash_needed(world, [(0, -1), (1, 1)]) == (200, 200)
    # The other way round the long leg pays more everywhere: nothing.
    assert cash_needed(world, [(0, 1), (1, -1)]) == (0, 0)


def test_calls_that_are_short_count_at_the_forward() -> None:
    world = single_expiry(3_000, [(at.CALL, 1_000, 2_005), (at.CALL, 2_800, 260)])
    # Ten short, nine paired: worst at 2800 is 9 * 1800 - 10 * 1800, and 1.2 or 1.1 times 3000.
    # At 18 000 the account is worse, but no strike and no end of a payoff lies there.
    assert cash_needed(world, [(0, -10), (1, 9)]) == (16_200 + 1_800 + 3_600, 18_000 + 3_300)
    assert cash_needed(world, [(0, -10), (1, 10)]) == (18_000, 18_000)


def test_a_capped_call_bends_where_its_payoff_ends() -> None:
    world = single_expiry(3_000, [(at.CALL, 3_000, 200), (at.CALL, 4_000, 20)])
    world.series[0, at.PAYOFF_MAX] = 500
    # Long the capped call, short the higher one: from 4500 on it loses.
    worst = standard.worst_settled(
        np.array([(0, 1), (1, -1)], dtype=np.int64), 2, world.series, 0, 18_000
    )
    assert worst == 0
    world.series[1, at.PAYOFF_MAX] = 2_000
    worst = standard.worst_settled(
        np.array([(0, 1), (1, -1)], dtype=np.int64), 2, world.series, 0, 18_000
    )
    assert worst == (500 - 2_000) * E6


def test_a_short_lot_never_needs_more_than_it_can_pay() -> None:
    world = single_expiry(3_000, [(at.CALL, 3_000, 90)])
    world.series[0, at.PAYOFF_MAX] = 100
    assert cash_needed(world, [(0, -3)]) == (300, 300)


def test_perpetuals_and_spots_by_their_rates_on_the_riskier_side() -> None:
    world = single_expiry(3_000, [(at.CALL, 3_000, 90)])
    world.series[0, at.KIND] = at.PERPETUAL
    world.series[0, at.EXPIRY] = 1
    world.series[0, at.MARK] = 3_000
    assert world.standard([(0, 2)])[:2] == [600 * E6, 390 * E6]
    assert world.standard([(0, 2)], [(0, 1, 5, 0, 0)])[:2] == [900 * E6, 585 * E6]
    assert world.standard([(0, 2)], [(0, 4, 5, 0, 0)])[:2] == [1_800 * E6, 1_170 * E6]


def test_a_doubtful_price_adds_to_the_initial_margin_alone() -> None:
    world = single_expiry(3_000, [(at.CALL, 3_200, 90)])
    world.series[0, at.CONFIDENCE_PPM] = 550_000
    assert cash_needed(world, [(0, -1)]) == (480, 360)
    world.series[0, at.CONFIDENCE_PPM] = 500_000
    assert cash_needed(world, [(0, -1)]) == (480 + 1_500, 360)


def test_a_short_exotic_needs_its_worst_price_in_the_scan_and_a_floor() -> None:
    world = single_expiry(3_000, [(at.EXOTIC, 0, 300)])
    world.series[0, at.PAYOFF_MAX] = 1_000
    world.worths[0, :] = 300 * E6
    assert cash_needed(world, [(0, -1)]) == (350, 325)
    world.worths[0, 5] = 700 * E6
    world.worths[0, at.SCAN - 1] = 900 * E6  # tails are no regular scenario
    assert cash_needed(world, [(0, -1)]) == (750, 645)
    world.worths[0, 5] = 990 * E6
    assert cash_needed(world, [(0, -1)]) == (1_000, 877)
    assert cash_needed(world, [(0, 1)]) == (0, 0)


LEGS = st.lists(
    st.tuples(st.integers(2, len(FULL.series) - 1), st.integers(-9, 9)),
    min_size=1,
    max_size=6,
    unique_by=lambda leg: leg[0],
)


@given(LEGS, st.integers(2, len(FULL.series) - 1), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_more_long_options_never_need_more_cash(legs: list[Leg], row: int, more: int) -> None:
    if FULL.series[row, at.KIND] < at.CALL:
        return
    after = dict(legs)
    after[row] = after.get(row, 0) + more
    before = FULL.standard(legs)
    then = FULL.standard(list(after.items()))
    cost_e6 = more * int(FULL.series[row, at.MARK]) * int(FULL.series[row, at.QUANTUM_E6])
    for level in (at.INITIAL_E6, at.MAINTENANCE_E6):
        assert then[level] - before[level] <= cost_e6


@given(LEGS, st.data())
@settings(max_examples=40, deadline=None)
def test_no_subset_of_open_orders_needs_more_than_was_reserved(
    legs: list[Leg], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.sampled_from([r for r, _ in legs]), unique=True))
    orders = [(r, data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5)), 0, 0) for r in rows]
    reserved = FULL.standard(legs, orders)
    filled = dict(legs)
    for row, bids, asks, _guard, _lots in orders:
        if FULL.series[row, at.KIND] >= at.CALL:
            filled[row] += data.draw(st.integers(0, bids)) - data.draw(st.integers(0, asks))
    # Fills at the mark leave equity as it is, so that the requirements compare.
    now = FULL.standard(list(filled.items()))
    assert now[at.INITIAL_E6] <= reserved[at.INITIAL_E6]
    assert now[at.MAINTENANCE_E6] <= reserved[at.MAINTENANCE_E6]


@given(
    st.lists(
        st.tuples(st.sampled_from([at.CALL, at.PUT]), st.integers(1, 9_000), st.integers(-9, 9)),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 18_000),
)
@settings(max_examples=200, deadline=None)
def test_the_offset_covers_every_settlement_of_a_hedged_expiry(
    options: list[tuple[int, int, int]], price: int
) -> None:
    if sum(lots for kind, _, lots in options if kind == at.CALL) < 0:
        return
    table = np.array([series_row(kind, 0, 0, strike, 1) for kind, strike, _ in options])
    merged = np.array([(row, lots) for row, (_, _, lots) in enumerate(options)])
    worst_e6 = standard.worst_settled(merged, len(options), table, 0, 18_000)
    paid = sum(
        lots * option_payoff(strike, price, kind == at.CALL, PAYOFF_MAX)
        for kind, strike, lots in options
    )
    assert paid * E6 >= worst_e6


@given(LEGS)
@settings(max_examples=60, deadline=None)
def test_an_account_never_needs_more_than_its_legs_one_by_one(legs: list[Leg]) -> None:
    together = FULL.standard(legs)
    for level in (at.INITIAL_E6, at.MAINTENANCE_E6):
        assert together[level] <= sum(FULL.standard([leg])[level] for leg in legs)


def test_two_accounts_apart_may_need_less_than_one() -> None:
    """The offset is all or nothing (FORMULAS 11): a naked leg beside a spread spoils it."""
    world = single_expiry(
        3_000, [(at.CALL, 2_400, 640), (at.CALL, 2_700, 390), (at.CALL, 3_000, 190)]
    )
    naked, spread = cash_needed(world, [(0, -1)])[0], cash_needed(world, [(1, 1), (2, -1)])[0]
    assert (naked, spread) == (1_090, 0)
    assert cash_needed(world, [(0, -1), (1, 1), (2, -1)])[0] == 1_730


def test_rows_of_the_full_world_are_where_they_are_said_to_be() -> None:
    row = FULL.series[option(1, 2, 130, False)]
    assert (row[at.KIND], row[at.UNDERLYING], row[at.STRIKE]) == (at.PUT, 1, 3_120)
