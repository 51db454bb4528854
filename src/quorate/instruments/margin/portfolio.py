"""Portfolio margin: the worst of a fixed scan of scenarios, and contingencies (FORMULAS 12).

A re-mark writes `worths[row, column]`, the worth of one lot of each series in each scenario, once;
an account is then sums of products over its legs. Per expiry the values of a scenario are
discounted and added to their underlying's outcome; skew, wings and basis are pairs of columns of
which each expiry counts the worse. Underlyings of one group offset each other in part.

The requirement is against equity that counts every leg at its mark. Every outcome but the
dampening of tails is a result at prices, so a long leg never needs more than its mark, and legs
together never need more than apart, but for a unit of rounding per leg and scenario.

Arrays as in `layout`; the code is plain Python over arrays and is compiled from this source.
`values` [EXPIRIES, COLUMNS] and `outcomes` [UNDERLYINGS + 1, OUTCOMES] are scratch; `touched`
[EXPIRIES + 2 * UNDERLYINGS] must be all 0 before the first call and is left so.
"""

from typing import Any

from quorate.instruments.margin.layout import (
    ASKS,
    BASIS_PAIR,
    BASIS_PPM,
    BIDS,
    COLUMNS,
    CONFIDENCE_PPM,
    DAMPENING_PPM,
    DISCOUNT_PPM,
    DOUBT_PPM,
    EXPIRY,
    GROUP,
    GUARD,
    GUARD_LOTS,
    INDEX,
    INITIAL_E6,
    INITIAL_PPM,
    KIND,
    LOTS,
    MAINTENANCE_E6,
    MAINTENANCE_PPM,
    MARK,
    MARKS_E6,
    MARKUP_PPM,
    NAKED_PPM,
    NO_SCENARIO,
    ORDER_ROW,
    OUTCOMES,
    PAIRS,
    PAYOFF_MAX,
    PERPETUAL_INITIAL_PPM,
    PERPETUAL_MAINTENANCE_PPM,
    QUANTUM_E6,
    ROW,
    SCAN,
    SCAN_INITIAL_PPM,
    SCAN_MAINTENANCE_PPM,
    SCENARIO,
    SPOT,
    TOO_LARGE,
    UNDERLYING,
    UNMET_E6,
    WORST_E6,
)
from quorate.instruments.margin.rules import (
    ask_loss,
    bid_loss,
    discounted,
    doubt,
    fillable_loss,
    grouped_loss,
    is_linear,
    requirement,
    scan_loss,
    share_up,
    worse_of_pair,
)
from quorate.types.limits import PPM, SCAN_WORTH_MAX_E6

HIGHEST = 6  # a spot's or perpetual's price in the highest scenario, over its mark


def leg_contingency(
    lots: int, short: int, series: Any, row: int, index: int, initial: bool, p: Any
) -> int:
    """Contingency of one series, rounded up: perpetual, naked short, haircut, confidence.

    lots: the largest position that open orders could lead to; short: lots sold at most, >= 0.
    """
    kind = int(series[row, KIND])
    quantum = int(series[row, QUANTUM_E6])
    if is_linear(kind):
        worth_e6 = lots * quantum * int(series[row, MARK])
        if kind == SPOT:
            rate_ppm = int(series[row, INITIAL_PPM] if initial else series[row, MAINTENANCE_PPM])
        else:
            rate_ppm = int(p[PERPETUAL_INITIAL_PPM] if initial else p[PERPETUAL_MAINTENANCE_PPM])
    else:
        worth_e6 = short * quantum * min(index, int(series[row, PAYOFF_MAX]))
        rate_ppm = int(p[NAKED_PPM])
    sum_e6 = share_up(worth_e6, rate_ppm)
    if initial:
        sum_e6 += doubt(worth_e6, int(series[row, CONFIDENCE_PPM]), int(p[DOUBT_PPM]))
    return sum_e6


def contingencies(
    legs: Any, count: int, orders: Any, order_count: int, tables: Any, initial: bool, p: Any
) -> int:
    """Contingencies of all legs, and of open orders as if each filled beside them."""
    series = tables[0]
    sum_e6 = 0
    for i in range(count):
        row = int(legs[i, ROW])
        lots = int(legs[i, LOTS])
        index = int(tables[1][int(series[row, UNDERLYING]), INDEX])
        sum_e6 += leg_contingency(abs(lots), max(0, -lots), series, row, index, initial, p)
    for k in range(order_count):
        row = int(orders[k, ORDER_ROW])
        index = int(tables[1][int(series[row, UNDERLYING]), INDEX])
        asks = int(orders[k, ASKS])
        larger = max(int(orders[k, BIDS]), asks)
        sum_e6 += leg_contingency(larger, asks, series, row, index, initial, p)
    return sum_e6


def add_legs(
    legs: Any, count: int, series: Any, worths: Any, values: Any, marks: Any, touched: Any
) -> int:
    """Sum per expiry what the legs are worth in each scenario and at marks; all marks in e6."""
    sum_e6 = 0
    for i in range(count):
        row = int(legs[i, ROW])
        lots = int(legs[i, LOTS])
        expiry = int(series[row, EXPIRY])
        mark_e6 = lots * int(series[row, QUANTUM_E6]) * int(series[row, MARK])
        sum_e6 += mark_e6
        if touched[expiry] == 0:
            touched[expiry] = 1
            marks[expiry] = mark_e6
            for s in range(COLUMNS):
                values[expiry, s] = lots * worths[row, s]
        else:
            marks[expiry] += mark_e6
            for s in range(COLUMNS):
                values[expiry, s] += lots * worths[row, s]
    return sum_e6


def add_expiry(
    expiry: int, underlying: int, expiries: Any, values: Any, mark_e6: int, outcomes: Any
) -> None:
    """Add what an expiry gains in each scenario to the outcomes of its underlying."""
    discount_ppm = int(expiries[expiry, DISCOUNT_PPM])
    markup_ppm = int(expiries[expiry, MARKUP_PPM])
    if discount_ppm == PPM and markup_ppm == PPM:
        for s in range(SCAN):
            outcomes[underlying, s] += values[expiry, s] - mark_e6
    else:
        for s in range(SCAN):
            value_e6 = int(values[expiry, s])
            outcomes[underlying, s] += discounted(value_e6, discount_ppm, markup_ppm) - mark_e6
    for pair in range(PAIRS):
        at = SCAN + 2 * pair
        weight_ppm = PPM
        if pair == BASIS_PAIR:
            weight_ppm = int(expiries[expiry, BASIS_PPM])
        up_e6 = int(values[expiry, at]) - mark_e6
        down_e6 = int(values[expiry, at + 1]) - mark_e6
        outcomes[underlying, SCAN + pair] += worse_of_pair(up_e6, down_e6, weight_ppm)


def order_lot_losses(series: Any, expiries: Any, worths: Any, row: int, s: int, bid: bool) -> int:
    """What one lot bought, or sold, could lose in outcome `s`."""
    expiry = int(series[row, EXPIRY])
    mark_e6 = int(series[row, QUANTUM_E6]) * int(series[row, MARK])
    if s < SCAN:
        worth_e6 = int(worths[row, s])
        if bid:
            return bid_loss(worth_e6, mark_e6, int(expiries[expiry, DISCOUNT_PPM]))
        return ask_loss(worth_e6, mark_e6, int(expiries[expiry, MARKUP_PPM]))
    weight_ppm = PPM
    if s == SCAN + BASIS_PAIR:
        weight_ppm = int(expiries[expiry, BASIS_PPM])
    at = 2 * s - SCAN
    up_e6 = int(worths[row, at]) - mark_e6
    down_e6 = int(worths[row, at + 1]) - mark_e6
    if bid:
        return -worse_of_pair(up_e6, down_e6, weight_ppm)
    return -worse_of_pair(-up_e6, -down_e6, weight_ppm)


def run_loss(orders: Any, start: int, end: int, tables: Any, s: int) -> int:
    """Loss in outcome `s` of the worst subset of orders [start, end) of one guard that can fill."""
    series = tables[0]
    total_e6 = 0
    lot_max_e6 = 0
    first_e6 = 0
    second_e6 = 0
    for k in range(start, end):
        row = int(orders[k, ORDER_ROW])
        worse_e6 = 0
        for side in range(2):
            lots = int(orders[k, BIDS] if side == 0 else orders[k, ASKS])
            if lots > 0:
                lot_e6 = order_lot_losses(series, tables[2], tables[3], row, s, side == 0)
                lot_max_e6 = max(lot_max_e6, lot_e6)
                worse_e6 = max(worse_e6, lots * lot_e6)
        total_e6 += worse_e6
        if worse_e6 > first_e6:
            second_e6 = first_e6
            first_e6 = worse_e6
        elif worse_e6 > second_e6:
            second_e6 = worse_e6
    if orders[start, GUARD] == 0:
        return total_e6
    guard_lots = max(1, int(orders[start, GUARD_LOTS]))
    return fillable_loss(total_e6, lot_max_e6, first_e6, second_e6, guard_lots)


def add_orders(orders: Any, order_count: int, tables: Any, outcomes: Any) -> None:
    """Take from the outcomes what open orders could lose: the riskier side of each series."""
    series = tables[0]
    start = 0
    while start < order_count:
        underlying = int(series[int(orders[start, ORDER_ROW]), UNDERLYING])
        end = start + 1
        while (
            end < order_count
            and orders[end, GUARD] == orders[start, GUARD]
            and series[int(orders[end, ORDER_ROW]), UNDERLYING] == underlying
        ):
            end += 1
        for s in range(OUTCOMES):
            outcomes[underlying, s] -= run_loss(orders, start, end, tables, s)
        start = end


def worst_outcome(outcomes: Any, at: int) -> int:
    """Number of the outcome of row `at` whose dampened loss is the largest, or NO_SCENARIO."""
    found = NO_SCENARIO
    most_e6 = 0
    for s in range(OUTCOMES):
        loss_e6 = scan_loss(int(outcomes[at, s]), int(DAMPENING_PPM[s]))
        if loss_e6 > most_e6:
            most_e6 = loss_e6
            found = s
    return found


def loss_of(outcomes: Any, at: int, s: int) -> int:
    """Dampened loss of one outcome; of none 0."""
    if s == NO_SCENARIO:
        return 0
    return scan_loss(int(outcomes[at, s]), int(DAMPENING_PPM[s]))


def group_worst(
    first: int, underlyings: Any, groups: Any, outcomes: Any, touched: Any, expiry_count: int,
    results: Any,
) -> int:  # fmt: skip
    """Loss of the correlation group of underlying `first`, whose marks in `touched` it clears.

    The worst outcome of an underlying is noted in the results where its loss is the largest so far.
    """
    total = len(underlyings)
    group = int(underlyings[first, GROUP])
    apart_e6 = 0
    for s in range(OUTCOMES):
        outcomes[total, s] = 0
    for u in range(first, total):
        if touched[expiry_count + u] == 0 or underlyings[u, GROUP] != group:
            continue
        touched[expiry_count + u] = 0
        worst = worst_outcome(outcomes, u)
        loss_e6 = loss_of(outcomes, u, worst)
        apart_e6 += loss_e6
        if loss_e6 > results[WORST_E6]:
            results[WORST_E6] = loss_e6
            results[SCENARIO] = worst
        for s in range(OUTCOMES):
            outcomes[total, s] += outcomes[u, s]
    together_e6 = loss_of(outcomes, total, worst_outcome(outcomes, total))
    return grouped_loss(apart_e6, together_e6, int(groups[group]))


def too_large(legs: Any, count: int, orders: Any, order_count: int, series: Any) -> bool:
    """Whether legs and orders at their highest prices pass SCAN_WORTH_MAX_E6 in sum."""
    sum_e6 = 0
    for i in range(count + order_count):
        if i < count:
            row = int(legs[i, ROW])
            lots = abs(int(legs[i, LOTS]))
        else:
            row = int(orders[i - count, ORDER_ROW])
            lots = int(orders[i - count, BIDS]) + int(orders[i - count, ASKS])
        kind = int(series[row, KIND])
        highest = int(series[row, PAYOFF_MAX])
        if is_linear(kind):
            highest = HIGHEST * int(series[row, MARK])
        sum_e6 += lots * int(series[row, QUANTUM_E6]) * highest
        if sum_e6 > SCAN_WORTH_MAX_E6:
            return True
    return False


def touch_underlyings(
    rows: Any, count: int, series: Any, expiry_count: int, outcomes: Any, touched: Any
) -> None:
    """Mark the underlyings of legs or orders (their rows stand first) and clear their outcomes."""
    for i in range(count):
        u = int(series[int(rows[i, ROW]), UNDERLYING])
        if touched[expiry_count + u] == 0:
            touched[expiry_count + u] = 1
            for s in range(OUTCOMES):
                outcomes[u, s] = 0


def portfolio_margin(
    legs: Any, count: int, orders: Any, order_count: int, tables: Any, groups: Any, p: Any,
    values: Any, outcomes: Any, marks: Any, touched: Any, results: Any,
) -> None:  # fmt: skip
    """Write an account's portfolio margin to `results`, all of its columns.

    tables: series, underlyings, expiries, worths; groups: the offset of each correlation group in
    ppm; p: PARAMETERS; the rest is scratch. Orders of one guard and underlying lie together.
    """
    series = tables[0]
    underlyings = tables[1]
    expiries = tables[2]
    expiry_count = len(expiries)
    results[WORST_E6] = 0
    results[MARKS_E6] = 0
    results[SCENARIO] = NO_SCENARIO
    if too_large(legs, count, orders, order_count, series):
        results[SCENARIO] = TOO_LARGE
        results[INITIAL_E6] = UNMET_E6
        results[MAINTENANCE_E6] = UNMET_E6
        return
    touch_underlyings(legs, count, series, expiry_count, outcomes, touched)
    touch_underlyings(orders, order_count, series, expiry_count, outcomes, touched)
    results[MARKS_E6] = add_legs(legs, count, series, tables[3], values, marks, touched)
    for i in range(count):
        row = int(legs[i, ROW])
        expiry = int(series[row, EXPIRY])
        if touched[expiry] == 1:
            touched[expiry] = 0
            u = int(series[row, UNDERLYING])
            add_expiry(expiry, u, expiries, values, int(marks[expiry]), outcomes)
    add_orders(orders, order_count, tables, outcomes)
    worst_e6 = 0
    for u in range(len(underlyings)):
        if touched[expiry_count + u] == 1:
            worst_e6 += group_worst(
                u, underlyings, groups, outcomes, touched, expiry_count, results
            )
    results[WORST_E6] = worst_e6
    initial_e6 = contingencies(legs, count, orders, order_count, tables, True, p)
    kept_e6 = contingencies(legs, count, orders, order_count, tables, False, p)
    results[INITIAL_E6] = requirement(worst_e6, int(p[SCAN_INITIAL_PPM]), initial_e6)
    results[MAINTENANCE_E6] = requirement(worst_e6, int(p[SCAN_MAINTENANCE_PPM]), kept_e6)
