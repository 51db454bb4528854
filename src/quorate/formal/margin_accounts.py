"""Margin of whole accounts, of two legs and of four, through the code that judges them.

A leg enters the margin as lots * quantum * price, so the accounts here hold one lot of a quantum of
1, either side, and a price is the worth of the whole leg, at most what a scan admits in sum. The
worths of the scenarios are any numbers up to the largest payoff: what is shown does not depend on
how an option is priced. Four legs are two accounts of two each, put together.
"""

from typing import Any, Final

from quorate.formal.claims import Claim, Range
from quorate.formal.hints import assume, grid, shown
from quorate.instruments.margin.layout import (
    CALL,
    COLUMNS,
    DAMPENING_PPM,
    INITIAL_E6,
    MAINTENANCE_E6,
    MARKS_E6,
    OUTCOMES,
    PERPETUAL,
    PUT,
    REGULAR,
    RESULTS,
    WORST_E6,
)
from quorate.instruments.margin.parameters import DERIVE
from quorate.instruments.margin.portfolio import portfolio_margin, too_large
from quorate.instruments.margin.rules import scan_loss
from quorate.instruments.margin.standard import expiry_needed, settled, worst_settled
from quorate.types.limits import PPM, PRICE_TICKS_MAX, SCAN_WORTH_MAX_E6, STRIKES_REACH

REGULAR_COUNT: Final = len(REGULAR)
BASIS_WEIGHT_PPM: Final = 600_000  # of an expiry eighteen days away


def series_row(kind: int, mark: int, most: int, strike: int) -> list[int]:
    """Give the row of a series of the one underlying and expiry."""
    return [kind, 0, 0, strike, 1, mark, most, 0, 0, PPM, 0]


def judged(
    legs: Any, count: int, series: Any, rows: Any, expiry: Any, outcomes: Any, values: Any
) -> Any:
    """Run `portfolio_margin` on `legs`; give its results. Outcomes and values are its scratch."""
    expiries = grid([expiry])
    underlyings = grid([[1, 0]])
    results = grid([0] * RESULTS)
    orders = grid([[0, 0, 0, 0, 0]])
    tables = (series, underlyings, expiries, rows)
    portfolio_margin(
        legs, count, orders, 0, tables, grid([0]), DERIVE, values, outcomes, grid([0]),
        grid([0, 0, 0]), results,
    )  # fmt: skip
    return results


def two_legs(
    kind_a: int,
    kind_b: int,
    side_a: int,
    side_b: int,
    mark_a: int,
    mark_b: int,
    most_a: int,
    most_b: int,
    worths_a: list[int],
    worths_b: list[int],
) -> bool:
    """A spread needs at most what its legs need apart, and covers its worst in the scan.

    At most but for three units of rounding. It covers what it loses in every regular scenario.
    """
    assume(mark_a <= most_a and mark_b <= most_b)
    series = grid([series_row(kind_a, mark_a, most_a, 1), series_row(kind_b, mark_b, most_b, 1)])
    rows = grid([list(worths_a), list(worths_b)])
    both = [[0, side_a], [1, side_b]]
    return joined(both, [[0, side_a]], [[1, side_b]], series, rows)


def four_legs(
    sides: int,
    mark_a: int,
    mark_b: int,
    mark_c: int,
    mark_d: int,
    most: int,
    worths_a: list[int],
    worths_b: list[int],
    worths_c: list[int],
    worths_d: list[int],
) -> bool:
    """Two spreads in one account need at most what they need in two, and cover their worst."""
    assume(mark_a <= most and mark_b <= most)
    assume(mark_c <= most and mark_d <= most)
    series = grid(
        [
            series_row(CALL, mark_a, most, 1),
            series_row(CALL, mark_b, most, 1),
            series_row(PUT, mark_c, most, 1),
            series_row(PUT, mark_d, most, 1),
        ]
    )
    rows = grid([list(worths_a), list(worths_b), list(worths_c), list(worths_d)])
    side = sides
    both = [[0, 1], [1, -1], [2, side], [3, -side]]
    return joined(both, [[0, 1], [1, -1]], [[2, side], [3, -side]], series, rows)


def joined(both: list[Any], some: list[Any], rest: list[Any], series: Any, rows: Any) -> bool:
    """Judge an account and the two that it is made of; say what is claimed of them."""
    orders = grid([[0, 0, 0, 0, 0]])
    assume(not too_large(grid(both), len(both), orders, 0, series))
    assume(not too_large(grid(some), len(some), orders, 0, series))
    assume(not too_large(grid(rest), len(rest), orders, 0, series))
    expiry = [1, 1, PPM, PPM, PPM, BASIS_WEIGHT_PPM, 1, 1, PPM, 1]
    out = grid([[0] * OUTCOMES, [0] * OUTCOMES])
    out_a = grid([[0] * OUTCOMES, [0] * OUTCOMES])
    out_b = grid([[0] * OUTCOMES, [0] * OUTCOMES])
    values = grid([[0] * COLUMNS])
    whole = judged(grid(both), len(both), series, rows, expiry, out, values)
    alone_a = judged(grid(some), len(some), series, rows, expiry, out_a, values)
    alone_b = judged(grid(rest), len(rest), series, rows, expiry, out_b, values)
    steps(out, out_a, out_b, whole, alone_a, alone_b)
    return holds(both, rows, whole, alone_a, alone_b)


def steps(out: Any, out_a: Any, out_b: Any, spread: Any, alone_a: Any, alone_b: Any) -> bool:
    """Steps from outcomes to losses: each outcome, each dampened loss, then the worst of them."""
    for s in range(OUTCOMES):
        part_ppm = int(DAMPENING_PPM[s])
        shown(out[0, s] + 1 >= out_a[0, s] + out_b[0, s])
        loss = scan_loss(out[0, s], part_ppm)
        apart = scan_loss(out_a[0, s], part_ppm) + scan_loss(out_b[0, s], part_ppm)
        if part_ppm == PPM:
            for each in (out[0, s], out_a[0, s], out_b[0, s]):
                shown(scan_loss(each, part_ppm) == max(0, -each))
        shown(loss <= apart + 1)
        shown(scan_loss(out_a[0, s], part_ppm) <= alone_a[WORST_E6])
        shown(scan_loss(out_b[0, s], part_ppm) <= alone_b[WORST_E6])
        shown(loss <= spread[WORST_E6])
        shown(loss <= alone_a[WORST_E6] + alone_b[WORST_E6] + 1)
    return True


def holds(both: list[Any], rows: Any, whole: Any, alone_a: Any, alone_b: Any) -> bool:
    """What is claimed of an account and the two that it is made of."""
    worst = whole[WORST_E6] <= alone_a[WORST_E6] + alone_b[WORST_E6] + 1
    shown(worst)
    initial = whole[INITIAL_E6] <= alone_a[INITIAL_E6] + alone_b[INITIAL_E6] + 3
    kept = whole[MAINTENANCE_E6] <= alone_a[MAINTENANCE_E6] + alone_b[MAINTENANCE_E6] + 3
    covered = True
    for s in range(REGULAR_COUNT):
        value = 0
        for leg in range(len(both)):
            value += both[leg][1] * rows[both[leg][0], s]
        covered = covered and whole[INITIAL_E6] >= whole[MARKS_E6] - value
    return worst and initial and kept and covered



# --- standard margin -----------------------------------------------------------------------------
def hedged(
    side_a: int, side_b: int, side_c: int, side_d: int, strike_a: int, strike_b: int,
    strike_c: int, strike_d: int, index: int, price: int,
) -> bool:  # fmt: skip
    """What the offset takes for the largest payoff owed covers every settlement up to its reach.

    Where no call is naked: of what is, the offset asks a multiple of the forward (`offset_needed`).
    Two calls and two puts of one expiry, one lot each of any side (0: none) and any strikes.
    """
    most = PRICE_TICKS_MAX
    series = grid(
        [
            series_row(CALL, 0, most, strike_a),
            series_row(CALL, 0, most, strike_b),
            series_row(PUT, 0, most, strike_c),
            series_row(PUT, 0, most, strike_d),
        ]
    )
    legs = grid([[0, side_a], [1, side_b], [2, side_c], [3, side_d]])
    reach = STRIKES_REACH * index
    assume(price <= reach)
    worst = worst_settled(legs, 4, series, 0, reach)
    return worst <= 0 and worst <= settled(legs, 4, series, 0, price)


def spread_alone(
    kind: int,
    side_a: int,
    side_b: int,
    strike_a: int,
    strike_b: int,
    mark_a: int,
    mark_b: int,
    index: int,
    forward: int,
) -> bool:
    """Two options of one expiry need of cash at most what they need one by one.

    Where no mark is an arbitrage: a call's at most the forward, a put's at most its strike and at
    least strike less forward; where the forward is within a hundredth of the index; and where a
    put's highest price is its strike. Beyond it one leg alone can be the cheaper one.
    """
    most = PRICE_TICKS_MAX
    assume(abs(forward - index) * 100 <= index and index >= 1_000)
    if kind == CALL:
        assume(max(mark_a, mark_b) <= forward)
    else:
        assume(strike_a - forward <= mark_a and mark_a <= strike_a)
        assume(strike_b - forward <= mark_b and mark_b <= strike_b)
    row_a = series_row(kind, mark_a, most if kind == CALL else strike_a, strike_a)
    row_b = series_row(kind, mark_b, most if kind == CALL else strike_b, strike_b)
    series = grid([row_a, row_b])
    expiries = grid([[forward, 1, PPM, PPM, PPM, 0, 1, 1, PPM, 1]])
    tables = (series, grid([[index, 0]]), expiries, series)
    both = expiry_needed(grid([[0, side_a], [1, side_b]]), 2, 0, tables, True, DERIVE)
    alone_a = expiry_needed(grid([[0, side_a]]), 1, 0, tables, True, DERIVE)
    alone_b = expiry_needed(grid([[1, side_b]]), 1, 0, tables, True, DERIVE)
    kept = expiry_needed(grid([[0, side_a], [1, side_b]]), 2, 0, tables, False, DERIVE)
    return 0 <= both and 0 <= kept and both <= alone_a + alone_b


WORTH: Final[Range] = (0, SCAN_WORTH_MAX_E6)
PRICE: Final[Range] = (1, PRICE_TICKS_MAX)
COLUMNS_OF: Final = (COLUMNS, 0, SCAN_WORTH_MAX_E6)
SPLIT: Final = frozenset({"loss_of"})
HEDGED: Final = (
    (1, -1, 0, 0),
    (-1, 1, 0, 0),
    (0, 0, -1, 1),
    (0, 0, -1, -1),
    (-1, 1, -1, 1),
    (1, -1, 1, -1),
    (-1, 1, -1, -1),
)
CLAIMS: Final = [
    *(
        Claim(
            two_legs,
            dict.fromkeys(("mark_a", "mark_b", "most_a", "most_b"), WORTH),
            {"kind_a": (CALL,), "kind_b": (kind,), "side_a": (a,), "side_b": (b,)},
            {"worths_a": COLUMNS_OF, "worths_b": COLUMNS_OF},
            split=SPLIT,
            named=f"two legs, {a:+} option {b:+} {'option' if kind == CALL else 'perpetual'}",
        )
        for a, b in ((1, -1), (1, 1), (-1, -1))
        for kind in (CALL, PERPETUAL)
    ),
    *(
        Claim(
            four_legs,
            dict.fromkeys(("mark_a", "mark_b", "mark_c", "mark_d", "most"), WORTH),
            {"sides": (side,)},
            dict.fromkeys(("worths_a", "worths_b", "worths_c", "worths_d"), COLUMNS_OF),
            split=SPLIT,
            named=f"four legs, a call spread and a put spread {side:+}",
        )
        for side in (1, -1)
    ),
    *(
        Claim(
            hedged,
            dict.fromkeys(
                ("strike_a", "strike_b", "strike_c", "strike_d", "index", "price"), PRICE
            ),
            {"side_a": (a,), "side_b": (b,), "side_c": (c,), "side_d": (d,)},
            owed=False,
            named=f"offset of calls {a:+} {b:+}, puts {c:+} {d:+}",
        )
        for a, b, c, d in HEDGED
    ),
    *(
        Claim(
            spread_alone,
            {
                **dict.fromkeys(("strike_a", "strike_b", "index", "forward"), PRICE),
                **dict.fromkeys(("mark_a", "mark_b"), (0, PRICE_TICKS_MAX)),
            },
            {"kind": (kind,), "side_a": (a,), "side_b": (b,)},
            named=f"standard margin of {'calls' if kind == CALL else 'puts'} {a:+} {b:+}",
        )
        for kind in (CALL, PUT)
        for a, b in ((1, -1), (-1, -1))
    ),
]
