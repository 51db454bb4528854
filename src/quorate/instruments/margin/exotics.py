"""Worths of exotics in the scan, by running their own payoff.

A scenario's value is the mean payoff over TERMINALS paths of equal weight: from the shocked index
to the middle quantiles of the lognormal terminal price at the shocked deviation, scaled to the mean
and variance they stand for. What a path observes on the way is taken from its two ends: the mean
half way between them; the extremes at the median of the Brownian bridge's, ((x + y) +
sqrt((x - y)**2 + 2 v ln 2)) / 2 for log-prices x, y and variance v; the realized variance at v and
the square of the shock. It comes on top of what was observed so far. That is a model of margin, not
of a price: errors against closed forms are stated in docs/options-margin.md.

The code is plain Python over arrays and is compiled from this source.
"""

from typing import Any, Final

import numpy as np

from quorate.instruments.margin.layout import (
    COLUMNS,
    EXPIRY,
    FORWARD,
    HORIZON_PPM,
    LEAST_FP,
    PAYOFF_MAX,
    QUANTUM_E6,
    REGULAR,
    ROOT_Q52,
    VARIABLE_PPM,
    VOL_E9,
    VOL_MODE,
    VOL_SAME,
)
from quorate.instruments.margin.marking import column_shock
from quorate.instruments.margin.rules import within_payoff
from quorate.instruments.margin.shocks import decay_fp, deviation_moved, price_moved
from quorate.instruments.payoff.machine import payoff_ticks
from quorate.instruments.pricing.black76 import root_deviation_fp
from quorate.instruments.pricing.fixed import ln_q52, product_q52, root_q28
from quorate.types.limits import PAYOFF_RETURN_MAX_PPM, PAYOFF_SAMPLES_MAX, PPM, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Input

FIX = int(Input.FIX)
SPOT_NOW = int(Input.SPOT)
FIRST = int(Input.FIRST)
AVG = int(Input.AVG)
LOW = int(Input.LOW)
HIGH = int(Input.HIGH)
COUNT = int(Input.COUNT)
INSIDE = int(Input.INSIDE)
REALIZED = int(Input.REALIZED)
TOUCHED_UP = int(Input.TOUCHED_UP)
TOUCHED_DOWN = int(Input.TOUCHED_DOWN)
TOUCHED = int(Input.TOUCHED)
UPPER = int(Input.UPPER)
LOWER = int(Input.LOWER)

# Middle quantiles (j + 1/2) / 16 of the normal distribution, scaled to a variance of 1, in 2**-40;
# the upper half, the lower mirrors it.
QUANTILES_FP: Final = np.array(
    [
        89_706_454_638, 271_367_243_002, 460_187_691_975, 662_546_798_802,
        888_252_778_719, 1_155_462_944_506, 1_507_849_084_730, 2_131_028_314_815,
    ],
    dtype=np.int64,
)  # fmt: skip
QUANTILES_FP.flags.writeable = False
TERMINALS: Final = 2 * len(QUANTILES_FP)
LN2_TWICE_FP: Final = 1_524_244_201_922  # 2 ln 2
NEUTRAL: Final = REGULAR.index((0, VOL_SAME))  # the column of no shock
STATE: Final = 24  # inputs of a payoff, and so the room for a path's state


def terminal_decay(deviation_fp: int, j: int) -> int:
    """exp(deviation * (z_j - z_last)) in 2**-40, for terminal j of TERMINALS; at most 1."""
    half = TERMINALS // 2
    size = int(QUANTILES_FP[j - half]) if j >= half else -int(QUANTILES_FP[half - 1 - j])
    gap = int(QUANTILES_FP[half - 1]) - size
    # 2**-40 times 2**-40 to 2**-52: product_q52 takes off 2**52, which leaves 2**-28.
    z_q28 = product_q52(deviation_fp, gap)
    return decay_fp(z_q28 * 2**24) if z_q28 < 27 * 2**28 else 0


def terminal_prices(forward: int, deviation_fp: int, prices: Any) -> None:
    """Write TERMINALS equally likely prices whose mean is the forward, from the lowest up."""
    total = 0
    for j in range(TERMINALS):
        prices[j] = terminal_decay(deviation_fp, j)
        total += int(prices[j])
    for j in range(TERMINALS):
        share_fp = TERMINALS * (int(prices[j]) * 2**22 // (total // 2**18))
        price = product_q52(forward * 2**12, share_fp)
        prices[j] = min(max(price, 1), PRICE_TICKS_MAX)


def bridge_factor_fp(start: int, end: int, deviation_fp: int) -> int:
    """How far a path's median extreme lies beyond its ends: exp(-x) in 2**-40, in (0, 1].

    x = (sqrt(d**2 + 2 v ln 2) - |d|) / 2, d the distance of the ends' logarithms.
    """
    gap_q20 = abs(ln_q52(start) - ln_q52(end)) // 2**32
    spread_q20 = deviation_fp // 2**20
    square = gap_q20 * gap_q20 + product_q52(spread_q20 * spread_q20 * 2**12, LN2_TWICE_FP)
    if square <= 0:
        return 2**40
    x_q52 = (root_q28(square) - gap_q20 * 2**28) * 2**3
    if x_q52 >= 27 * 2**52:
        return 1
    return max(1, decay_fp(x_q52)) if x_q52 > 0 else 2**40


def observe_path(
    inputs: Any, remaining: int, start: int, end: int, variance_ppm2: int, factor_fp: int,
    state: Any,
) -> None:  # fmt: skip
    """Write to `state` what a payoff sees after a path from `start` to `end`.

    inputs: what it sees now, its parameters among it; remaining: observations to come.
    """
    for k in range(STATE):
        state[k] = inputs[k]
    state[FIX] = end
    state[SPOT_NOW] = end
    lowest = max(1, product_q52(min(start, end) * 2**12, factor_fp))
    highest = min(PRICE_TICKS_MAX, max(start, end) * 2**20 // max(1, factor_fp // 2**20))
    seen = int(inputs[COUNT])
    if remaining > 0:
        middle = (start + end) // 2
        state[AVG] = (int(inputs[AVG]) * seen + middle * remaining) // (seen + remaining)
        inside = 0
        if int(inputs[LOWER]) <= middle and middle <= int(inputs[UPPER]):
            inside = remaining
        state[INSIDE] = int(inputs[INSIDE]) + inside
        state[COUNT] = min(seen + remaining, PAYOFF_SAMPLES_MAX)
        state[REALIZED] = int(inputs[REALIZED]) + variance_ppm2
        state[HIGH] = max(int(inputs[HIGH]), highest)
        state[LOW] = min(int(inputs[LOW]), lowest) if seen > 0 else lowest
        if seen == 0:
            state[FIRST] = start
        if int(inputs[UPPER]) > 0 and highest >= int(inputs[UPPER]):
            state[TOUCHED_UP] = 1
            state[TOUCHED] = 1
        if int(inputs[LOWER]) > 0 and lowest <= int(inputs[LOWER]):
            state[TOUCHED_DOWN] = 1
            state[TOUCHED] = 1


def fill_exotic(
    series: Any, expiries: Any, worths: Any, row: int, code: Any, count: int, lows: Any,
    highs: Any, inputs: Any, remaining: int, prices: Any, state: Any, values: Any,
) -> None:  # fmt: skip
    """Write the row of an exotic: the mean payoff over the terminals of each scenario, rounded up.

    code, count, lows, highs: the payoff as the checker admitted it; inputs: what it sees now;
    prices [TERMINALS], state [STATE] and values [PAYOFF_CODE_MAX] are scratch. A payoff is
    within its bounds by admission; beyond PAYOFF_MAX it would be cut off, and a fault counts so.
    """
    expiry = int(series[row, EXPIRY])
    forward = int(expiries[expiry, FORWARD])
    horizon = int(expiries[expiry, HORIZON_PPM])
    most = int(series[row, PAYOFF_MAX])
    deviation = root_deviation_fp(int(series[row, VOL_E9]), int(expiries[expiry, ROOT_Q52]))
    for s in range(COLUMNS):
        shock = column_shock(expiries, expiry, s)
        start = price_moved(forward, shock, int(expiries[expiry, VARIABLE_PPM]))
        spread = deviation_moved(
            deviation, int(VOL_MODE[s]), int(expiries[expiry, LEAST_FP]), horizon, 0
        )
        jump = min(abs(shock), PAYOFF_RETURN_MAX_PPM)
        spread_ppm = spread // 2**20 * PPM // 2**20
        variance_ppm2 = spread_ppm * spread_ppm + jump * jump
        terminal_prices(start, spread, prices)
        total = 0
        for j in range(TERMINALS):
            end = int(prices[j])
            factor = bridge_factor_fp(start, end, spread)
            observe_path(inputs, remaining, start, end, variance_ppm2, factor, state)
            ticks = payoff_ticks(code, count, state, lows, highs, values)
            total += within_payoff(ticks, most) if ticks >= 0 else most
        worths[row, s] = -(-total // TERMINALS) * int(series[row, QUANTUM_E6])


def exotic_mark(series: Any, worths: Any, row: int) -> int:
    """Mark of an exotic by its own scan where no market gives one: the price without a shock."""
    return max(1, int(worths[row, NEUTRAL]) // int(series[row, QUANTUM_E6]))
