"""The inputs of a series' payoff, and the payoff; the same functions as `spec.series_payoffs`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.payoffs import payoff_paid
from quorate.types.limits import PAYOFF_INPUTS, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Input

i8 = np.int64
FIX, SPOT, FIRST, AVG = int(Input.FIX), int(Input.SPOT), int(Input.FIRST), int(Input.AVG)
LOW, HIGH, COUNT = int(Input.LOW), int(Input.HIGH), int(Input.COUNT)
INSIDE, REALIZED = int(Input.INSIDE), int(Input.REALIZED)
TOUCHED_UP, TOUCHED_DOWN = int(Input.TOUCHED_UP), int(Input.TOUCHED_DOWN)
TOUCHED, STRIKE, UPPER = int(Input.TOUCHED), int(Input.STRIKE), int(Input.UPPER)
LOWER, REBATE, CAP, RATE = int(Input.LOWER), int(Input.REBATE), int(Input.CAP), int(Input.RATE)


@helper
def payoff_inputs(s, slot, fix, spot):
    """Write what a payoff reads into `payoff_inputs`, and its ranges beside it."""
    row = s.series[slot]
    product = s.products[row["product"]]
    inputs = s.payoff_inputs
    for k in range(PAYOFF_INPUTS):
        inputs[k] = 0
        s.payoff_lows[k] = product["ranges"][2 * k]
        s.payoff_highs[k] = product["ranges"][2 * k + 1]
    seen = row["seen_count"]
    low = row["seen_low"] if seen else fix
    high = row["seen_high"] if seen else fix
    inputs[FIX] = fix
    inputs[SPOT] = spot
    inputs[FIRST] = row["seen_first"] if seen else fix
    inputs[AVG] = row["seen_sum"] // seen if seen else fix
    inputs[LOW] = low
    inputs[HIGH] = high
    inputs[COUNT] = seen
    inputs[INSIDE] = row["seen_inside"]
    inputs[REALIZED] = row["seen_realized"]
    inputs[STRIKE] = row["strike"]
    inputs[UPPER] = row["upper"]
    inputs[LOWER] = row["lower"]
    inputs[REBATE] = row["rebate"]
    inputs[CAP] = row["cap"]
    inputs[RATE] = row["rate"]
    touches(s, low, high)


@helper
def touches(s, low, high):
    """Write whether a path of that range has touched the barriers; one at 0 is none."""
    inputs = s.payoff_inputs
    up = inputs[UPPER] > 0 and high >= inputs[UPPER]
    down = inputs[LOWER] > 0 and low <= inputs[LOWER]
    inputs[TOUCHED_UP] = i8(1) if up else i8(0)
    inputs[TOUCHED_DOWN] = i8(1) if down else i8(0)
    inputs[TOUCHED] = i8(1) if up or down else i8(0)


@helper
def payoff_of(s, product):
    """Payoff in ticks of the inputs that were written."""
    paid = i8(payoff_paid(s, product))
    return min(max(paid, i8(0)), i8(PRICE_TICKS_MAX))
