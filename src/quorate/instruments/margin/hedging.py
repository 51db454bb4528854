"""The hedge of an account in the perpetual that lowers its requirement most.

Delta is taken from the table of worths: the account's difference between the scenarios of +4.5 %
and -4.5 % without a move of volatility, over that of one lot of the perpetual. A few parts of it
are tried with the whole margin rule, so that nothing is hedged which does not lower what is needed.

Arrays as in `layout`; the code is plain Python over arrays and is compiled from this source.
"""

from typing import Any

from quorate.instruments.margin.layout import (
    LOTS,
    MAINTENANCE_E6,
    REGULAR,
    ROW,
    UNDERLYING,
    VOL_SAME,
)
from quorate.instruments.margin.liquidation import HEDGE_STEPS, best_hedge, hedge_candidate
from quorate.instruments.margin.portfolio import portfolio_margin

UP_COLUMN = REGULAR.index((45_000, VOL_SAME))
DOWN_COLUMN = REGULAR.index((-45_000, VOL_SAME))


def delta_lots(legs: Any, count: int, series: Any, worths: Any, perpetual: int) -> int:
    """Delta of an account in the underlying of a perpetual, in its lots, rounded towards zero."""
    underlying = int(series[perpetual, UNDERLYING])
    lot_e6 = int(worths[perpetual, UP_COLUMN]) - int(worths[perpetual, DOWN_COLUMN])
    if lot_e6 <= 0:
        return 0
    delta_e6 = 0
    for i in range(count):
        row = int(legs[i, ROW])
        if int(series[row, UNDERLYING]) == underlying:
            move_e6 = int(worths[row, UP_COLUMN]) - int(worths[row, DOWN_COLUMN])
            delta_e6 += int(legs[i, LOTS]) * move_e6
    if delta_e6 < 0:
        return -(-delta_e6 // lot_e6)
    return delta_e6 // lot_e6


def hedge_lots(
    legs: Any, count: int, perpetual: int, tables: Any, groups: Any, p: Any, values: Any,
    outcomes: Any, marks: Any, touched: Any, results: Any, requirements: Any,
) -> int:  # fmt: skip
    """Lots of the perpetual to trade (bought above 0) so that maintenance falls most; 0: none does.

    `legs` has room for one leg more, and is left as it was. `requirements` [HEDGE_STEPS + 1] gets
    the maintenance requirement after each part of the hedge; portfolio margin, without orders.
    """
    delta = delta_lots(legs, count, tables[0], tables[3], perpetual)
    at = count
    for i in range(count):
        if int(legs[i, ROW]) == perpetual:
            at = i
    before = 0
    total = count
    if at == count:
        total = count + 1
        legs[at, ROW] = perpetual
    else:
        before = int(legs[at, LOTS])
    for step in range(HEDGE_STEPS + 1):
        legs[at, LOTS] = before + hedge_candidate(delta, step, HEDGE_STEPS)
        portfolio_margin(
            legs, total, legs, 0, tables, groups, p, values, outcomes, marks, touched, results
        )
        requirements[step] = results[MAINTENANCE_E6]
    legs[at, LOTS] = before
    return hedge_candidate(delta, best_hedge(requirements, HEDGE_STEPS), HEDGE_STEPS)
