"""The compiled rules give what the plain ones give, in results and in scratch."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.margin import kernels, marking, portfolio
from quorate.instruments.margin import layout as at
from quorate.types.limits import LEGS_MAX, SCAN_WORTH_MAX_E6
from tests.instruments.margin.worlds import QUANTUM_E6, Leg, Row, full_world, rows

FULL = full_world()
LEGS = st.lists(
    st.tuples(st.integers(0, len(FULL.series) - 1), st.integers(-(2**20), 2**20)),
    max_size=20,
    unique_by=lambda leg: leg[0],
)
ORDERS = st.lists(
    st.tuples(
        st.integers(0, len(FULL.series) - 1), st.integers(0, 2**10), st.integers(0, 2**10),
        st.integers(0, 2), st.integers(1, 2**9),
    ),
    max_size=6,
    unique_by=lambda order: order[0],
)  # fmt: skip


@given(LEGS, ORDERS)
@settings(max_examples=40)
def test_portfolio_margin_is_the_same_compiled(legs: list[Leg], orders: list[Row]) -> None:
    results = np.zeros(at.RESULTS, dtype=np.int64)
    kernels.scanned(
        rows(legs, at.LEG_FIELDS), len(legs), rows(orders, at.ORDER_FIELDS), len(orders),
        *FULL.tables, FULL.groups, FULL.parameters, *FULL.scratch(), results,
    )  # fmt: skip
    assert results.tolist() == FULL.portfolio(legs, orders)


@given(LEGS, ORDERS)
@settings(max_examples=40)
def test_standard_margin_is_the_same_compiled(legs: list[Leg], orders: list[Row]) -> None:
    results = np.zeros(at.RESULTS, dtype=np.int64)
    merged = np.zeros((LEGS_MAX, at.LEG_FIELDS), dtype=np.int64)
    kernels.by_leg(
        rows(legs, at.LEG_FIELDS), len(legs), rows(orders, at.ORDER_FIELDS), len(orders),
        *FULL.tables, FULL.parameters, merged, results,
    )  # fmt: skip
    assert results.tolist() == FULL.standard(legs, orders)


def test_many_accounts_are_those_one_by_one() -> None:
    rng = np.random.default_rng(3)
    accounts = [
        [(int(row), int(rng.integers(-9, 9))) for row in rng.choice(len(FULL.series), n, False)]
        for n in (3, 1, 40, 7)
    ]
    starts = np.cumsum([0, *(len(legs) for legs in accounts)]).astype(np.int64)
    results = np.zeros((len(accounts), at.RESULTS), dtype=np.int64)
    legs = rows([leg for account in accounts for leg in account], at.LEG_FIELDS)
    kernels.scanned_many(
        legs, starts, *FULL.tables, FULL.groups, FULL.parameters, *FULL.scratch(), results
    )
    assert results.tolist() == [FULL.portfolio(account) for account in accounts]


def test_the_table_of_worths_is_the_same_compiled() -> None:
    count = len(FULL.series)
    plain, compiled = FULL.expiries.copy(), FULL.expiries.copy()
    for expiries in (plain, compiled):
        expiries[:, at.DISCOUNT_PPM :] = 0
    left, right = np.zeros_like(FULL.worths), np.zeros_like(FULL.worths)
    marking.fill_worths(FULL.series, count, plain, left)
    kernels.remark(FULL.series, count, compiled, right)
    assert np.array_equal(left, right) and np.array_equal(plain, compiled)
    series, marked = FULL.series.copy(), FULL.series.copy()
    marking.fill_marks(series, count, plain)
    kernels.mark(marked, count, compiled)
    assert np.array_equal(series, marked)


@given(LEGS.filter(bool), ORDERS)
@settings(max_examples=40)
def test_nothing_overflows_up_to_the_largest_account(legs: list[Leg], orders: list[Row]) -> None:
    """Legs are scaled to just below SCAN_WORTH_MAX_E6; the plain rules raise where int64 wraps."""

    def highest(row: int) -> int:
        most = FULL.series[row, at.PAYOFF_MAX if FULL.series[row, at.KIND] >= at.CALL else at.MARK]
        return int(most) * (1 if FULL.series[row, at.KIND] >= at.CALL else portfolio.HIGHEST)

    gross = sum(abs(lots) * QUANTUM_E6 * highest(row) for row, lots in legs)
    used = sum((bids + asks) * QUANTUM_E6 * highest(row) for row, bids, asks, *_ in orders)
    times = max(1, (SCAN_WORTH_MAX_E6 - used) // max(1, gross))
    large = [(row, lots * times) for row, lots in legs]
    with np.errstate(all="raise"):
        found = FULL.portfolio(large, orders)
    assert gross == 0 or found[at.SCENARIO] != at.TOO_LARGE
    assert abs(found[at.INITIAL_E6]) < 2**62
    results = np.zeros(at.RESULTS, dtype=np.int64)
    kernels.scanned(
        rows(large, at.LEG_FIELDS), len(large), rows(orders, at.ORDER_FIELDS), len(orders),
        *FULL.tables, FULL.groups, FULL.parameters, *FULL.scratch(), results,
    )  # fmt: skip
    assert results.tolist() == found
