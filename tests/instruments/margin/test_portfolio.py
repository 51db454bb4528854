"""Portfolio margin: its parts one by one, and what holds for any account."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.margin import layout as at
from quorate.instruments.margin import rules
from quorate.types.limits import PPM
from tests.instruments.margin.worlds import (
    QUANTUM_E6,
    ROWS_EACH,
    Leg,
    full_world,
    option,
    single_expiry,
)

E6 = 1_000_000
FULL = full_world()
SPOT, PERP = 0, 1
OTHER_PERP = ROWS_EACH + 1
STRADDLE = [(option(0, 1, 100, True), -1), (option(0, 1, 100, False), -1)]
LEGS = st.lists(
    st.tuples(st.integers(1, len(FULL.series) - 1), st.integers(-9, 9)),
    min_size=1,
    max_size=6,
    unique_by=lambda leg: leg[0],
).map(lambda legs: [leg for leg in legs if FULL.series[leg[0], at.KIND] != at.SPOT])


def merged(one: list[Leg], two: list[Leg]) -> list[Leg]:
    """Both accounts as one."""
    both = dict(one)
    for row, lots in two:
        both[row] = both.get(row, 0) + lots
    return list(both.items())


def losses(legs: list[Leg], column: int) -> int:
    """Loss of the legs in one column of the scan, at prices."""
    series, worths = FULL.series, FULL.worths
    return -sum(
        lots * (int(worths[row, column]) - int(series[row, at.MARK]) * QUANTUM_E6)
        for row, lots in legs
    )


def slack(legs: list[Leg]) -> int:
    """Rounding of an account: a unit per leg and share."""
    return 10 * (len(legs) + 1)


# --- parts ---------------------------------------------------------------------------------------
def test_a_perpetual_alone_needs_its_worst_move_and_four_per_cent() -> None:
    # 18 % regular; tails: 0.21 * 66 % and 0.42 * 33 % are less, up 0.139 * 100 % is, too.
    found = FULL.portfolio([(PERP, 2)])
    assert found[at.INITIAL_E6] == 6_000 * E6 * 22 // 100
    assert found[at.MAINTENANCE_E6] == 6_000 * E6 * (18 * 8 + 30) // 1_000
    assert found[at.WORST_E6] == 6_000 * E6 * 18 // 100
    assert found[at.MARKS_E6] == 6_000 * E6
    assert found[at.SCENARIO] == 0
    assert FULL.portfolio([(PERP, -2)])[at.INITIAL_E6] == found[at.INITIAL_E6]
    assert FULL.portfolio([(PERP, -2)])[at.SCENARIO] == 22


def test_spot_against_a_perpetual_leaves_haircut_and_contingency() -> None:
    found = FULL.portfolio([(SPOT, 3), (PERP, -3)])
    assert found[at.WORST_E6] == 0 and found[at.SCENARIO] == at.NO_SCENARIO
    assert found[at.INITIAL_E6] == 9_000 * E6 * (100 + 40) // 1_000
    assert found[at.MAINTENANCE_E6] == 9_000 * E6 * (65 + 30) // 1_000


def test_underlyings_of_a_group_offset_each_other_in_part() -> None:
    # Long 3000 worth 4 lots, short 2400 worth 5 lots: 12 000 each.
    legs = [(PERP, 4), (OTHER_PERP, -5)]
    assert FULL.portfolio(legs)[at.WORST_E6] == 2 * 2_160 * E6 // 2
    FULL.groups[0] = 0
    assert FULL.portfolio(legs)[at.WORST_E6] == 2 * 2_160 * E6
    FULL.groups[0] = PPM
    assert FULL.portfolio(legs)[at.WORST_E6] == 0
    FULL.groups[0] = 500_000


def test_other_groups_do_not_offset() -> None:
    world = full_world()
    world.underlyings[1, at.GROUP] = 1
    world.groups = np.array([PPM, PPM], dtype=np.int64)
    assert world.portfolio([(PERP, 4), (OTHER_PERP, -5)])[at.WORST_E6] == 2 * 2_160 * E6


def test_a_short_straddle_by_hand() -> None:
    found = FULL.portfolio(STRADDLE)
    expiry = int(FULL.series[STRADDLE[0][0], at.EXPIRY])
    markup = int(FULL.expiries[expiry, at.MARKUP_PPM])
    marks_e6 = sum(lots * int(FULL.series[row, at.MARK]) * E6 for row, lots in STRADDLE)
    worst = 0
    for s in range(at.SCAN):
        value_e6 = marks_e6 - losses(STRADDLE, s)
        loss = marks_e6 - value_e6 * markup // PPM
        worst = max(worst, -(-loss * int(at.DAMPENING_PPM[s]) // PPM))
    assert found[at.WORST_E6] == worst and found[at.SCENARIO] < at.SCAN
    naked = 2 * 3_000 * E6 * 3 // 1_000
    assert found[at.INITIAL_E6] == worst + naked
    assert found[at.MAINTENANCE_E6] == -(-worst * 8 // 10) + naked


def test_skew_catches_what_is_flat_in_price_and_volatility() -> None:
    # Long the low wing, short the high one, hedged: worst is a tilt of the smile.
    world = full_world()
    row = option(0, 1, 80, False)
    up, down = at.SCAN, at.SCAN + 1
    world.worths[row, :] = int(world.series[row, at.MARK]) * QUANTUM_E6
    world.worths[row, up] += 70 * E6
    world.worths[row, down] -= 20 * E6
    world.expiries[:, at.MARKUP_PPM] = PPM
    world.expiries[:, at.DISCOUNT_PPM] = PPM
    assert world.portfolio([(row, -1)])[at.WORST_E6] == 70 * E6
    assert world.portfolio([(row, 1)])[at.WORST_E6] == 20 * E6
    assert world.portfolio([(row, 1)])[at.SCENARIO] == at.SCAN


def test_basis_does_not_net_between_expiries() -> None:
    world = full_world()
    near, far = option(0, 0, 100, True), option(0, 2, 100, True)
    for row, sign in ((near, 1), (far, 1)):
        mark_e6 = int(world.series[row, at.MARK]) * QUANTUM_E6
        world.worths[row, :] = mark_e6
        world.worths[row, at.COLUMNS - 2] = mark_e6 + sign * 100 * E6
        world.worths[row, at.COLUMNS - 1] = mark_e6 - sign * 100 * E6
    world.expiries[:, at.MARKUP_PPM] = PPM
    world.expiries[:, at.DISCOUNT_PPM] = PPM
    weights = [
        int(world.expiries[int(world.series[r, at.EXPIRY]), at.BASIS_PPM]) for r in (near, far)
    ]
    assert weights[1] == PPM and weights[0] < PPM
    found = world.portfolio([(near, 1), (far, -1)])
    assert found[at.WORST_E6] == 100 * weights[0] + 100 * weights[1]
    assert found[at.SCENARIO] == at.OUTCOMES - 1


def test_a_doubtful_price_adds_to_the_initial_margin_alone() -> None:
    world = full_world()
    sure = world.portfolio(STRADDLE)
    world.series[STRADDLE[0][0], at.CONFIDENCE_PPM] = 500_000
    doubted = world.portfolio(STRADDLE)
    assert doubted[at.INITIAL_E6] - sure[at.INITIAL_E6] == 1_500 * E6
    assert doubted[at.MAINTENANCE_E6] == sure[at.MAINTENANCE_E6]


def test_what_is_too_large_to_be_summed_is_never_met() -> None:
    found = FULL.portfolio([(PERP, 2**36)])
    assert found[at.SCENARIO] == at.TOO_LARGE
    assert found[at.INITIAL_E6] == found[at.MAINTENANCE_E6] == at.UNMET_E6


# --- open orders ---------------------------------------------------------------------------------
def test_the_riskier_side_of_open_orders_counts() -> None:
    alone = FULL.portfolio([], [(PERP, 3, 1, 0, 0)])
    assert alone[at.INITIAL_E6] == FULL.portfolio([(PERP, 3)])[at.INITIAL_E6]
    assert (
        FULL.portfolio([(PERP, 2)], [(PERP, 3, 0, 0, 0)])[at.INITIAL_E6]
        == (FULL.portfolio([(PERP, 5)])[at.INITIAL_E6])
    )


def test_a_guard_limits_what_can_fill() -> None:
    rows = [option(0, 1, strike, True) for strike in (95, 100, 105, 130)]
    free = FULL.portfolio([], [(row, 0, 10, 0, 0) for row in rows])
    guarded = FULL.portfolio([], [(row, 0, 10, 1, 12) for row in rows])
    two = FULL.portfolio([], [(row, 0, 10, 1, 1) for row in rows])
    assert two[at.WORST_E6] <= guarded[at.WORST_E6] < free[at.WORST_E6]
    # At least two series fill at once, whatever the guard says.
    pairs = [
        FULL.portfolio([], [(a, 0, 10, 0, 0), (b, 0, 10, 0, 0)])[at.WORST_E6]
        for a in rows
        for b in rows
        if a != b
    ]
    assert two[at.WORST_E6] >= max(pairs)


@given(LEGS, st.data())
@settings(max_examples=40, deadline=None)
def test_no_subset_of_open_orders_needs_more_than_was_reserved(
    legs: list[Leg], data: st.DataObject
) -> None:
    rows = [row for row, _ in legs]
    orders = [(r, data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5)), 0, 0) for r in rows]
    reserved = FULL.portfolio(legs, orders)
    filled = dict(legs)
    for row, bids, asks, _guard, _lots in orders:
        filled[row] += data.draw(st.integers(0, bids)) - data.draw(st.integers(0, asks))
    now = FULL.portfolio(list(filled.items()))
    loose = slack(legs) * 10
    assert now[at.WORST_E6] <= reserved[at.WORST_E6] + loose
    assert now[at.INITIAL_E6] <= reserved[at.INITIAL_E6] + loose


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=6),
    st.integers(1, 40),
    st.data(),
)
def test_a_guarded_subset_never_loses_more(
    parts: list[tuple[int, int]], guard_lots: int, data: st.DataObject
) -> None:
    """parts: loss of one lot, and lots. Any fills up to the guard lose at most what is reserved."""
    sums = sorted((loss * lots for loss, lots in parts), reverse=True)
    reserved = rules.fillable_loss(
        sum(sums), max(loss for loss, _ in parts), sums[0],
        sums[1] if len(sums) > 1 else 0, guard_lots,
    )  # fmt: skip
    left, lost = guard_lots, 0
    for loss, lots in parts:
        filled = data.draw(st.integers(0, min(left, lots)))
        left -= filled
        lost += filled * loss
    assert lost <= reserved <= sum(sums)


# --- any account ---------------------------------------------------------------------------------
@given(LEGS, LEGS)
@settings(max_examples=60, deadline=None)
def test_accounts_together_never_need_more_than_apart(one: list[Leg], two: list[Leg]) -> None:
    both = merged(one, two)
    together, first, second = FULL.portfolio(both), FULL.portfolio(one), FULL.portfolio(two)
    loose = slack(one) + slack(two)
    for level in (at.INITIAL_E6, at.MAINTENANCE_E6, at.WORST_E6):
        assert together[level] <= first[level] + second[level] + loose


@given(LEGS)
@settings(max_examples=60, deadline=None)
def test_initial_margin_covers_every_regular_scenario(legs: list[Leg]) -> None:
    found = FULL.portfolio(legs)
    for s in range(len(at.REGULAR)):
        assert found[at.WORST_E6] >= losses(legs, s)
    for s in range(len(at.REGULAR), at.SCAN):
        assert found[at.WORST_E6] * PPM >= (losses(legs, s) - 1) * int(at.DAMPENING_PPM[s])
    assert found[at.INITIAL_E6] >= found[at.MAINTENANCE_E6] >= 0


@given(LEGS, st.integers(2, len(FULL.series) - 1), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_long_option_never_needs_more_than_its_mark(legs: list[Leg], row: int, more: int) -> None:
    if FULL.series[row, at.KIND] < at.CALL:
        return
    before = FULL.portfolio(legs)
    then = FULL.portfolio(merged(legs, [(row, more)]))
    mark_e6 = more * int(FULL.series[row, at.MARK]) * QUANTUM_E6
    assert then[at.WORST_E6] - before[at.WORST_E6] <= mark_e6 + slack(legs)
    assert then[at.INITIAL_E6] - before[at.INITIAL_E6] <= mark_e6 + slack(legs)


@given(LEGS, st.integers(2, 7))
@settings(max_examples=40, deadline=None)
def test_margin_grows_with_the_size_and_no_faster(legs: list[Leg], times: int) -> None:
    once = FULL.portfolio(legs)
    larger = FULL.portfolio([(row, lots * times) for row, lots in legs])
    for level in (at.INITIAL_E6, at.MAINTENANCE_E6, at.WORST_E6):
        assert once[level] <= larger[level] + slack(legs)
        assert larger[level] <= times * once[level]


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.integers(0, PPM),
       st.integers(PPM, 2 * PPM))  # fmt: skip
def test_the_discount_never_favours_splitting(a: int, b: int, less: int, more: int) -> None:
    apart = rules.discounted(a, less, more) + rules.discounted(b, less, more)
    assert rules.discounted(a + b, less, more) >= apart
    assert rules.discounted(a, less, more) <= a


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, PPM))
def test_a_group_lies_between_together_and_apart(one: int, two: int, offset: int) -> None:
    apart, together = max(one, two), min(one, two)
    assert together <= rules.grouped_loss(apart, together, offset) <= apart


@pytest.mark.parametrize(("amount", "rate"), [(7, 500_000), (-7, 500_000), (10**15 + 1, 333_333)])
def test_shares_round_as_they_say(amount: int, rate: int) -> None:
    assert rules.share_down(amount, rate) == amount * rate // PPM
    assert rules.share_up(amount, rate) == -(-amount * rate // PPM)


def test_an_expiry_that_settles_soon_moves_only_by_what_is_not_fixed() -> None:
    world = single_expiry(3_000, [(at.CALL, 3_000, 60)])
    world.expiries[0, at.VARIABLE_PPM] = 0
    world.__post_init__()
    assert len(set(world.worths[0, : at.SCAN].tolist())) == 3  # by volatility alone


@pytest.mark.parametrize(
    ("quote_ppm", "factor_ppm"),
    [(PPM, PPM), (990_000, PPM), (980_000, 1_040_000), (740_000, 2 * PPM), (0, 2 * PPM)],
)
def test_a_quote_asset_below_its_peg_raises_the_factor(quote_ppm: int, factor_ppm: int) -> None:
    assert rules.scan_factor_ppm(quote_ppm) == factor_ppm
