"""The table of worths: each series' lot in each scenario, written once a re-mark.

Rows of options are Black-76 at the shocked forward and deviation, rounded up to a tick, as a short
lot must be bought back; spots and perpetuals move with the index. Rows of exotics are written from
their payoff (`exotics`). The code is plain Python over arrays and is compiled from this source.
"""

from typing import Any

from quorate.instruments.margin.layout import (
    BASIS_PPM,
    BASIS_SHOCK,
    CALL,
    COLUMNS,
    DISCOUNT_PPM,
    EXPIRY,
    FORWARD,
    HORIZON_PPM,
    KIND,
    LEAST_FP,
    MARK,
    MARKUP_PPM,
    PAYOFF_MAX,
    QUANTUM_E6,
    ROOT_Q52,
    SCAN,
    SHOCK_PPM,
    STRIKE,
    TIME_MS,
    VARIABLE_PPM,
    VOL_E9,
    VOL_MODE,
)
from quorate.instruments.margin.rules import is_linear, is_option, within_payoff
from quorate.instruments.margin.shocks import (
    UP_VOL_E9,
    basis_shock_ppm,
    basis_weight_ppm,
    deviation_moved,
    discount_ppm,
    horizon_ppm,
    log_moneyness_ppm,
    markup_ppm,
    price_moved,
    skew_ppm,
)
from quorate.instruments.pricing.black76 import price_ticks, root_deviation_fp
from quorate.instruments.pricing.fixed import root_years_q52
from quorate.types.limits import PPM


def expiry_terms(expiries: Any, expiry: int) -> None:
    """Write what follows from the time of an expiry; 0 ms is an expiry that never comes."""
    time_ms = int(expiries[expiry, TIME_MS])
    if time_ms <= 0:
        expiries[expiry, DISCOUNT_PPM] = PPM
        expiries[expiry, MARKUP_PPM] = PPM
        expiries[expiry, BASIS_PPM] = 0
        return
    root = root_years_q52(time_ms)
    weight = basis_weight_ppm(time_ms)
    expiries[expiry, DISCOUNT_PPM] = discount_ppm(time_ms)
    expiries[expiry, MARKUP_PPM] = markup_ppm(time_ms)
    expiries[expiry, BASIS_PPM] = min(weight, PPM)
    expiries[expiry, ROOT_Q52] = root
    expiries[expiry, LEAST_FP] = root_deviation_fp(UP_VOL_E9, root)
    expiries[expiry, HORIZON_PPM] = horizon_ppm(time_ms)
    expiries[expiry, BASIS_SHOCK] = basis_shock_ppm(weight)


def column_shock(expiries: Any, expiry: int, s: int) -> int:
    """Price shock of a column in ppm."""
    if s < COLUMNS - 2:
        return int(SHOCK_PPM[s])
    shock = int(expiries[expiry, BASIS_SHOCK])
    return shock if s == COLUMNS - 2 else -shock


def fill_linear(series: Any, worths: Any, row: int) -> None:
    """Write the row of a spot or perpetual: its mark under each shock; no skew and no basis."""
    mark = int(series[row, MARK])
    quantum = int(series[row, QUANTUM_E6])
    for s in range(SCAN):
        worths[row, s] = price_moved(mark, int(SHOCK_PPM[s]), PPM) * quantum
    for s in range(SCAN, COLUMNS):
        worths[row, s] = mark * quantum


def fill_option(series: Any, expiries: Any, worths: Any, row: int) -> None:
    """Write the row of a European option."""
    expiry = int(series[row, EXPIRY])
    forward = int(expiries[expiry, FORWARD])
    variable = int(expiries[expiry, VARIABLE_PPM])
    least = int(expiries[expiry, LEAST_FP])
    horizon = int(expiries[expiry, HORIZON_PPM])
    strike = int(series[row, STRIKE])
    call = int(series[row, KIND]) == CALL
    most = int(series[row, PAYOFF_MAX])
    quantum = int(series[row, QUANTUM_E6])
    deviation = root_deviation_fp(int(series[row, VOL_E9]), int(expiries[expiry, ROOT_Q52]))
    skew = skew_ppm(log_moneyness_ppm(strike, forward), int(expiries[expiry, TIME_MS]))
    for s in range(COLUMNS):
        moved = price_moved(forward, column_shock(expiries, expiry, s), variable)
        spread = deviation_moved(deviation, int(VOL_MODE[s]), least, horizon, skew)
        worths[row, s] = within_payoff(price_ticks(moved, strike, spread, call, True), most)
        worths[row, s] *= quantum


def fill_worths(series: Any, count: int, expiries: Any, worths: Any) -> None:
    """Write the terms of all expiries and the rows of the first `count` series, exotics apart."""
    for expiry in range(len(expiries)):
        expiry_terms(expiries, expiry)
    for row in range(count):
        kind = int(series[row, KIND])
        if is_linear(kind):
            fill_linear(series, worths, row)
        elif is_option(kind):
            fill_option(series, expiries, worths, row)


def fill_marks(series: Any, count: int, expiries: Any) -> None:
    """Write the mark of each European option by its volatility, rounded down, at least a tick.

    It writes the terms of all expiries first, as `fill_worths` does.
    """
    for expiry in range(len(expiries)):
        expiry_terms(expiries, expiry)
    for row in range(count):
        kind = int(series[row, KIND])
        if is_option(kind):
            expiry = int(series[row, EXPIRY])
            root = int(expiries[expiry, ROOT_Q52])
            deviation = root_deviation_fp(int(series[row, VOL_E9]), root)
            forward = int(expiries[expiry, FORWARD])
            strike = int(series[row, STRIKE])
            ticks = price_ticks(forward, strike, deviation, kind == CALL, False)
            series[row, MARK] = max(1, within_payoff(ticks, int(series[row, PAYOFF_MAX])))
