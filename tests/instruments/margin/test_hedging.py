"""The hedge in the perpetual: it helps a bare delta, and only where it helps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.margin import hedging, kernels
from quorate.instruments.margin import layout as at
from quorate.instruments.margin.liquidation import HEDGE_STEPS
from tests.instruments.margin.worlds import Leg, full_world, option, rows

FULL = full_world()
PERP = 1


def hedged(legs: list[Leg]) -> tuple[int, list[int]]:
    """Lots to trade in the first perpetual, and the requirement after each part."""
    table = rows([*legs, (0, 77)], at.LEG_FIELDS)
    before = table.copy()
    results = np.zeros(at.RESULTS, dtype=np.int64)
    requirements = np.zeros(HEDGE_STEPS + 1, dtype=np.int64)
    lots = hedging.hedge_lots(
        table, len(legs), PERP, FULL.tables, FULL.groups, FULL.parameters, *FULL.scratch(),
        results, requirements,
    )  # fmt: skip
    assert np.array_equal(table[: len(legs)], before[: len(legs)])
    return lots, [int(value) for value in requirements]


def test_a_short_put_is_hedged_by_selling() -> None:
    legs = [(option(0, 1, 130, False), -40)]  # deep in the money: a delta of nearly 40 long
    delta = hedging.delta_lots(rows(legs, 2), 1, FULL.series, FULL.worths, PERP)
    assert 30 <= delta <= 40
    lots, requirements = hedged(legs)
    assert -40 <= lots < 0
    assert min(requirements) < requirements[0] * 2 // 3
    after = FULL.portfolio([*legs, (PERP, lots)])
    assert after[at.MAINTENANCE_E6] == min(requirements)


def test_what_is_hedged_already_is_left() -> None:
    lots, requirements = hedged([(option(0, 1, 100, True), -1), (option(0, 1, 100, False), -1)])
    assert lots == 0 and requirements[0] == min(requirements)


@given(
    st.lists(
        st.tuples(st.integers(1, len(FULL.series) - 1), st.integers(-9, 9)),
        min_size=1,
        max_size=5,
        unique_by=lambda leg: leg[0],
    )
)
@settings(max_examples=20)
def test_a_hedge_never_raises_the_requirement_and_is_the_same_compiled(legs: list[Leg]) -> None:
    lots, requirements = hedged(legs)
    before = FULL.portfolio(legs)[at.MAINTENANCE_E6]
    after = dict(legs)
    after[PERP] = after.get(PERP, 0) + lots
    now = FULL.portfolio(list(after.items()))[at.MAINTENANCE_E6]
    assert now <= before and now == min(requirements)
    results = np.zeros(at.RESULTS, dtype=np.int64)
    found = np.zeros(HEDGE_STEPS + 1, dtype=np.int64)
    compiled = kernels.hedge(
        rows([*legs, (0, 0)], at.LEG_FIELDS), len(legs), PERP, *FULL.tables, FULL.groups,
        FULL.parameters, *FULL.scratch(), results, found,
    )  # fmt: skip
    assert compiled == lots and found.tolist() == requirements
