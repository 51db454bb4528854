"""Standard margin: each short leg by itself, with the offset of an expiry's largest payoff.

FORMULAS 11 (Derive) with 9 (Deribit, linear) as parameters. A long option counts nothing and needs
nothing. The requirement here is against equity that counts every leg at its mark: what is needed of
cash, and the marks of all options. Open orders count as if all asks filled, which no subset of them
can need more cash than, and each bid costs its mark.

Arrays as in `layout`; the code is plain Python over arrays and is compiled from this source.
"""

from typing import Any

from quorate.instruments.margin.layout import (
    ASKS,
    BIDS,
    CALL,
    CONFIDENCE_PPM,
    DOUBT_PPM,
    EXOTIC,
    EXOTIC_FLOOR_INITIAL_PPM,
    EXOTIC_FLOOR_MAINTENANCE_PPM,
    EXOTIC_LOSS_PPM,
    EXPIRY,
    FORWARD,
    INDEX,
    INITIAL_E6,
    INITIAL_PPM,
    KIND,
    LEAST_PPM,
    LOTS,
    MAINTENANCE_E6,
    MAINTENANCE_PPM,
    MARK,
    MARKS_E6,
    MOST_PPM,
    ORDER_ROW,
    PAYOFF_MAX,
    PUT,
    PUT_OFFSET_PPM,
    QUANTUM_E6,
    REGULAR,
    ROW,
    SCENARIO,
    SHORT_MARK_PPM,
    SHORT_PPM,
    STRIKE,
    UNDERLYING,
    UNPAIRED_INITIAL_PPM,
    UNPAIRED_MAINTENANCE_PPM,
    WORST_E6,
)
from quorate.instruments.margin.rules import (
    doubt,
    exotic_requirement,
    is_linear,
    is_option,
    offset_needed,
    option_payoff,
    share_up,
    short_call_maintenance,
    short_initial,
    short_put_initial,
    short_put_maintenance,
    within_payoff,
)
from quorate.types.limits import LEGS_MAX, PPM, STRIKES_REACH

REGULAR_COUNT = len(REGULAR)


def merge_orders(
    legs: Any, count: int, orders: Any, order_count: int, series: Any, merged: Any
) -> int:
    """Write to `merged` what each leg becomes at worst by open orders; the number of legs then.

    An option is as if every ask filled, a spot or perpetual on its riskier side. A series beyond
    LEGS_MAX is left out: the caller admits at most LEGS_MAX of both together.
    """
    for i in range(count):
        merged[i, ROW] = legs[i, ROW]
        merged[i, LOTS] = legs[i, LOTS]
    total = count
    for k in range(order_count):
        row = int(orders[k, ORDER_ROW])
        at = total
        for i in range(total):
            if merged[i, ROW] == row:
                at = i
                break
        if at == total:
            if total == LEGS_MAX:
                continue
            merged[at, ROW] = row
            merged[at, LOTS] = 0
            total += 1
        lots = int(merged[at, LOTS])
        down = lots - int(orders[k, ASKS])
        if is_linear(int(series[row, KIND])):
            up = lots + int(orders[k, BIDS])
            if abs(up) > abs(down):
                down = up
        merged[at, LOTS] = down
    return total


def short_ticks(series: Any, row: int, index: int, worst: int, p: Any, initial: bool) -> int:
    """Ticks of cash one short lot of an option or exotic needs; worst: its highest in the scan."""
    kind = int(series[row, KIND])
    mark = int(series[row, MARK])
    most = int(series[row, PAYOFF_MAX])
    if kind == EXOTIC:
        if initial:
            floor_ppm = int(p[EXOTIC_FLOOR_INITIAL_PPM])
            return exotic_requirement(mark, worst, most, index, PPM, floor_ppm)
        loss_ppm = int(p[EXOTIC_LOSS_PPM])
        floor_ppm = int(p[EXOTIC_FLOOR_MAINTENANCE_PPM])
        return exotic_requirement(mark, worst, most, index, loss_ppm, floor_ppm)
    if kind == CALL:
        kept = short_call_maintenance(index, mark, int(p[SHORT_PPM]))
    else:
        kept = short_put_maintenance(index, mark, int(p[SHORT_PPM]), int(p[SHORT_MARK_PPM]))
    if not initial:
        return within_payoff(kept, most)
    strike = int(series[row, STRIKE])
    call = kind == CALL
    first = short_initial(index, strike, mark, call, int(p[MOST_PPM]), int(p[LEAST_PPM]))
    if kind == PUT:
        first = short_put_initial(first, kept, int(p[PUT_OFFSET_PPM]))
    return within_payoff(first, most)


def worst_ticks(series: Any, worths: Any, row: int) -> int:
    """Highest price of a series over the regular scenarios, in ticks."""
    highest = 0
    for s in range(REGULAR_COUNT):
        highest = max(highest, int(worths[row, s]))
    return highest // int(series[row, QUANTUM_E6])


def settled(merged: Any, total: int, series: Any, expiry: int, price: int) -> int:
    """Sum of the payoffs of one expiry's options if it settled at `price`, in e6."""
    sum_e6 = 0
    for i in range(total):
        row = int(merged[i, ROW])
        kind = int(series[row, KIND])
        if is_option(kind) and series[row, EXPIRY] == expiry:
            strike = int(series[row, STRIKE])
            ticks = option_payoff(strike, price, kind == CALL, int(series[row, PAYOFF_MAX]))
            sum_e6 += ticks * int(merged[i, LOTS]) * int(series[row, QUANTUM_E6])
    return sum_e6


def worst_settled(merged: Any, total: int, series: Any, expiry: int, price_max: int) -> int:
    """Least sum of payoffs over 0, every strike, and where a call's payoff ends; at most 0.

    These are all the places where the sum can bend; a call's end counts up to `price_max`.
    """
    least = min(0, settled(merged, total, series, expiry, 0))
    for i in range(total):
        row = int(merged[i, ROW])
        kind = int(series[row, KIND])
        if is_option(kind) and series[row, EXPIRY] == expiry:
            strike = int(series[row, STRIKE])
            most = int(series[row, PAYOFF_MAX])
            least = min(least, settled(merged, total, series, expiry, strike))
            if kind == CALL and strike + most <= price_max:
                least = min(least, settled(merged, total, series, expiry, strike + most))
            if kind == PUT and most < strike:
                least = min(least, settled(merged, total, series, expiry, strike - most))
    return least


def expiry_needed(merged: Any, total: int, first: int, tables: Any, initial: bool, p: Any) -> int:
    """Cash that the options of one expiry need; `first` is the first leg of it.

    tables: series, underlyings, expiries, worths.
    """
    series = tables[0]
    row = int(merged[first, ROW])
    expiry = int(series[row, EXPIRY])
    index = int(tables[1][int(series[row, UNDERLYING]), INDEX])
    forward = int(tables[2][expiry, FORWARD])
    isolated_e6 = 0
    calls_e6 = 0
    for i in range(first, total):
        row = int(merged[i, ROW])
        kind = int(series[row, KIND])
        if not is_option(kind) or series[row, EXPIRY] != expiry:
            continue
        lots = int(merged[i, LOTS])
        quantum = int(series[row, QUANTUM_E6])
        if lots < 0:
            isolated_e6 -= lots * quantum * short_ticks(series, row, index, 0, p, initial)
        if kind == CALL:
            calls_e6 += lots * quantum * min(forward, int(series[row, PAYOFF_MAX]))
    worst_e6 = worst_settled(merged, total, series, expiry, STRIKES_REACH * index)
    unpaired_ppm = int(p[UNPAIRED_INITIAL_PPM] if initial else p[UNPAIRED_MAINTENANCE_PPM])
    return offset_needed(isolated_e6, worst_e6, calls_e6, unpaired_ppm)


def is_first(merged: Any, i: int, series: Any, expiry: int) -> bool:
    """Whether no leg before `i` is an option of this expiry."""
    for j in range(i):
        row = int(merged[j, ROW])
        kind = int(series[row, KIND])
        if is_option(kind) and series[row, EXPIRY] == expiry:
            return False
    return True


def leg_needed(lots: int, row: int, tables: Any, initial: bool, p: Any) -> int:
    """What a leg adds by itself: a spot or perpetual all, an exotic its cash, all their doubt."""
    series = tables[0]
    kind = int(series[row, KIND])
    index = int(tables[1][int(series[row, UNDERLYING]), INDEX])
    lots_e6 = lots * int(series[row, QUANTUM_E6])
    needed_e6 = 0
    if is_linear(kind):
        rate_ppm = int(series[row, INITIAL_PPM] if initial else series[row, MAINTENANCE_PPM])
        worth_e6 = abs(lots_e6) * int(series[row, MARK])
        needed_e6 = share_up(worth_e6, rate_ppm)
    elif lots < 0:
        if kind == EXOTIC:
            worst = worst_ticks(series, tables[3], row)
            needed_e6 = -lots_e6 * short_ticks(series, row, index, worst, p, initial)
        worth_e6 = -lots_e6 * min(index, int(series[row, PAYOFF_MAX]))
    else:
        return 0
    if initial:
        needed_e6 += doubt(worth_e6, int(series[row, CONFIDENCE_PPM]), int(p[DOUBT_PPM]))
    return needed_e6


def marks_worth(legs: Any, count: int, series: Any, options: bool) -> int:
    """Worth of all legs at their marks, or of options and exotics alone, in e6."""
    sum_e6 = 0
    for i in range(count):
        row = int(legs[i, ROW])
        kind = int(series[row, KIND])
        if not options or not is_linear(kind):
            sum_e6 += int(legs[i, LOTS]) * int(series[row, QUANTUM_E6]) * int(series[row, MARK])
    return sum_e6


def bids_cost(orders: Any, order_count: int, series: Any) -> int:
    """What open bids for options and exotics may cost: their marks, which count for nothing."""
    sum_e6 = 0
    for k in range(order_count):
        row = int(orders[k, ORDER_ROW])
        kind = int(series[row, KIND])
        if not is_linear(kind):
            lots_e6 = int(orders[k, BIDS]) * int(series[row, QUANTUM_E6])
            sum_e6 += lots_e6 * int(series[row, MARK])
    return sum_e6


def standard_margin(
    legs: Any, count: int, orders: Any, order_count: int, tables: Any, p: Any, merged: Any,
    results: Any,
) -> None:  # fmt: skip
    """Write an account's standard margin to `results` (INITIAL_E6, MAINTENANCE_E6, MARKS_E6).

    tables: series, underlyings, expiries, worths; p: PARAMETERS; merged: room for LEGS_MAX legs.
    """
    series = tables[0]
    total = merge_orders(legs, count, orders, order_count, series, merged)
    free_e6 = marks_worth(legs, count, series, True) + bids_cost(orders, order_count, series)
    for level in range(2):
        initial = level == 0
        sum_e6 = free_e6
        for i in range(total):
            row = int(merged[i, ROW])
            kind = int(series[row, KIND])
            sum_e6 += leg_needed(int(merged[i, LOTS]), row, tables, initial, p)
            if is_option(kind):
                if is_first(merged, i, series, int(series[row, EXPIRY])):
                    sum_e6 += expiry_needed(merged, total, i, tables, initial, p)
        results[INITIAL_E6 if initial else MAINTENANCE_E6] = sum_e6
    results[WORST_E6] = 0
    results[MARKS_E6] = marks_worth(legs, count, series, False)
    results[SCENARIO] = -1
