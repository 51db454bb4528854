"""One kernel that calls each rule of the clearing house, for the comparison with plain Python.

A rule has no machine code of its own: it is compiled into the kernels that call it. `rows_values`
names the rule and gives a row of arguments for each value; NAMES are the rules in its order.
"""

import numpy as np
import numpy.typing as npt

from quorate.compiled import helper, kernel
from quorate.execution.kernels.scalars import (
    band_high,
    band_low,
    clamp_move,
    close_out,
    confidence_addon,
    disposal_lots,
    disposal_price,
    ema_step,
    ema_ticks,
    ema_weight_e9,
    fillable_price,
    funding_hour_e9,
    funding_index_after,
    funding_index_step,
    funding_payment,
    funding_rate_e9,
    funding_shift,
    gap_auction_ms,
    health,
    insurance_delta,
    liquidation_price,
    margin_with_mark_holds,
    mark_candidate,
    mark_near_index,
    median3,
    mul_div_ceil,
    mul_div_floor,
    oi_scaled_initial,
    premium_e9,
    product_high,
    product_low,
    products_in_order,
    ratio_kept,
    unhedged_lots,
    zero_price,
)

i8 = np.int64
NAMES = (
    "product_high",
    "product_low",
    "mul_div_floor",
    "mul_div_ceil",
    "products_in_order",
    "median3",
    "mark_candidate",
    "clamp_move",
    "ema_weight_e9",
    "ema_step",
    "ema_ticks",
    "band_low",
    "band_high",
    "gap_auction_ms",
    "disposal_lots",
    "disposal_price",
    "premium_e9",
    "funding_rate_e9",
    "funding_hour_e9",
    "funding_shift",
    "funding_index_step",
    "funding_index_after",
    "funding_payment",
    "oi_scaled_initial",
    "confidence_addon",
    "margin_with_mark_holds",
    "close_out",
    "health",
    "ratio_kept",
    "zero_price",
    "fillable_price",
    "insurance_delta",
    "liquidation_price",
    "unhedged_lots",
    "mark_near_index",
)


@helper
def wide_value(op, x):
    if op == 0:
        return i8(product_high(x[0], x[1]))
    if op == 1:
        return i8(product_low(x[0], x[1]))
    if op == 2:
        return i8(mul_div_floor(x[0], x[1], x[2]))
    if op == 3:
        return i8(mul_div_ceil(x[0], x[1], x[2]))
    return i8(products_in_order(x[0], x[1], x[2], x[3]))


@helper
def mark_value(op, x):
    if op == 5:
        return i8(median3(x[0], x[1], x[2]))
    if op == 6:
        return i8(mark_candidate(x[0], x[1], x[2], x[3]))
    if op == 7:
        return i8(clamp_move(x[0], x[1], x[2]))
    if op == 8:
        return i8(ema_weight_e9(x[0], x[1]))
    if op == 9:
        return i8(ema_step(x[0], x[1], x[2], x[3]))
    if op == 10:
        return i8(ema_ticks(x[0]))
    if op == 11:
        return i8(band_low(x[0], x[1]))
    if op == 12:
        return i8(band_high(x[0], x[1]))
    if op == 13:
        return i8(gap_auction_ms(x[0]))
    if op == 14:
        return i8(disposal_lots(x[0], x[1], x[2], x[3], x[4]))
    return i8(disposal_price(x[0], x[1], x[2]))


@helper
def funding_value(op, x):
    if op == 16:
        return i8(premium_e9(x[0], x[1], x[2]))
    if op == 17:
        return i8(funding_rate_e9(x[0], x[1], x[2]))
    if op == 18:
        return i8(funding_hour_e9(x[0], x[1], x[2]))
    if op == 19:
        return i8(funding_shift(x[0], x[1]))
    if op == 20:
        return i8(funding_index_step(x[0], x[1], x[2], x[3]))
    if op == 21:
        return i8(funding_index_after(x[0], x[1]))
    return i8(funding_payment(x[0], x[1], x[2], x[3]))


@helper
def margin_value(op, x):
    if op == 23:
        return i8(oi_scaled_initial(x[0], x[1], x[2], x[3], x[4]))
    if op == 24:
        return i8(confidence_addon(x[0], x[1], x[2]))
    if op == 25:
        return i8(margin_with_mark_holds(x[0], x[1], x[2], x[3], x[4], x[5], x[6]))
    if op == 26:
        return i8(close_out(x[0], x[1]))
    if op == 27:
        return i8(health(x[0], x[1], x[2], x[3]))
    if op == 28:
        return i8(ratio_kept(x[0], x[1], x[2], x[3]))
    if op == 29:
        return i8(zero_price(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]))
    if op == 30:
        return i8(fillable_price(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]))
    if op == 31:
        return i8(insurance_delta(x[0], x[1], x[2]))
    if op == 32:
        return i8(liquidation_price(x[0], x[1], x[2], x[3], x[4], x[5]))
    if op == 33:
        return i8(unhedged_lots(x[0], x[1], x[2], x[3]))
    return i8(mark_near_index(x[0], x[1], x[2]))


@kernel("void(int64, int64[:, ::1], int64[::1])")
def values_fill(op, rows, values):
    for n in range(rows.shape[0]):
        if op < 5:
            values[n] = wide_value(op, rows[n])
        elif op < 16:
            values[n] = mark_value(op, rows[n])
        elif op < 23:
            values[n] = funding_value(op, rows[n])
        else:
            values[n] = margin_value(op, rows[n])


def rows_values(name: str, rows: list[tuple[int, ...]]) -> list[int]:
    """Give the compiled rule's value for each row of arguments."""
    values: npt.NDArray[np.int64] = np.zeros(len(rows), np.int64)
    values_fill(NAMES.index(name), np.array(rows, np.int64), values)
    return [int(value) for value in values]
