"""What each scenario of the scan does to a forward and a volatility (FORMULAS 12).

Volatility shocks are taken of the deviation, sigma * sqrt(tau), which is what prices depend on, so
that no bound of admitted volatility cuts one off. Integers in, integers out; the same subset of the
language as `rules`. `_fp` is 2**-40, `_q52` 2**-52, `_ppm` 1e-6.
"""

from quorate.instruments.margin.layout import (
    BASIS_SHOCK_PPM,
    SKEW_DOWN,
    SKEW_UP,
    VOL_DOWN,
    VOL_UP,
    WINGS_DOWN,
    WINGS_UP,
)
from quorate.instruments.margin.rules import share_down, share_up
from quorate.instruments.pricing.black76 import DEVIATION_MAX_FP
from quorate.instruments.pricing.fixed import decay_q56, ln_q52, octaves, root_years_q52
from quorate.types.limits import DAY_MS, PPM, PRICE_TICKS_MAX

TIME_YEAR_MS = 365 * DAY_MS
MONTH_MS = 30 * DAY_MS
UP_PPM = 500_000
DOWN_PPM = 275_000
UP_VOL_E9 = 400_000_000  # a volatility that goes up goes at least there
DEVIATION_MIN_FP = 2**20
SKEW_CAP_PPM = 250_000
SKEW_CAP_DECAY_PPM = 100_000
SKEW_LEAST_PPM = 10_000
SKEW_SLOPE_PPM = 2_400_000  # 4 deviations at 60 %
DISCOUNT_BASE_PPM = 980_000
MARKUP_BASE_PPM = 1_020_000
BASIS_ADD_PPM = 500_000
BASIS_TIME_PPM = 2_000_000


def decay_fp(z_q52: int) -> int:
    """Return exp(-z) in 2**-40, floored, for 0 <= z <= 27."""
    halvings = octaves(z_q52)
    fine = decay_q56(z_q52, halvings) // 2**16
    for _ in range(halvings):
        fine //= 2
    return fine


def horizon_ppm(time_ms: int) -> int:
    """Return (30 days / max(time, 1 day)) ** p, p = 0.3 up to 30 days and 0.13 beyond, in ppm.

    Vol-up multipliers 1 + 0.5 * that: 1 d 2.387, 7 d 1.774, 30 d 1.5, 180 d 1.396.
    """
    time = time_ms if time_ms > DAY_MS else DAY_MS
    gap_q52 = ln_q52(MONTH_MS) - ln_q52(time)
    if gap_q52 >= 0:
        return PPM * 2**40 // decay_fp(gap_q52 // 1_000 * 300)
    return PPM * decay_fp(-gap_q52 // 1_000 * 130) // 2**40


def deviation_up(deviation_fp: int, least_fp: int, horizon: int) -> int:
    """Deviation of a volatility that rises; least: the deviation of UP_VOL_E9."""
    moved = share_up(deviation_fp, PPM + share_up(horizon, UP_PPM))
    return deviation_within(moved if moved > least_fp else least_fp)


def deviation_down(deviation_fp: int, horizon: int) -> int:
    """Deviation of a volatility that falls."""
    return deviation_within(share_down(deviation_fp, PPM - share_up(horizon, DOWN_PPM)))


def deviation_within(deviation_fp: int) -> int:
    """A deviation within what can be priced."""
    if deviation_fp < DEVIATION_MIN_FP:
        return DEVIATION_MIN_FP
    return deviation_fp if deviation_fp < DEVIATION_MAX_FP else DEVIATION_MAX_FP


def root_years_ppm(time_ms: int) -> int:
    """Square root of a time in years, in ppm."""
    return root_years_q52(time_ms if time_ms > 0 else 1) // 2**20 * PPM // 2**32


def log_moneyness_ppm(strike: int, forward: int) -> int:
    """ln(K / F) in ppm, floored."""
    return (ln_q52(strike) - ln_q52(forward)) // 2**20 * PPM // 2**32


def skew_ppm(moneyness_ppm: int, time_ms: int) -> int:
    """Relative shift of a volatility by skew, in ppm, of the sign of its log-moneyness.

    min(k * cap / k*, cap), cap = 0.25 - 0.1 * sqrt(tau), k* = max(0.01, 4 * 0.6 * sqrt(tau)).
    """
    root = root_years_ppm(time_ms)
    cap = SKEW_CAP_PPM - share_down(root, SKEW_CAP_DECAY_PPM)
    reach = share_up(root, SKEW_SLOPE_PPM)
    if reach < SKEW_LEAST_PPM:
        reach = SKEW_LEAST_PPM
    size = moneyness_ppm
    if size < 0:
        size = -size
    shift = size * cap // reach
    if shift > cap:
        shift = cap
    return -shift if moneyness_ppm < 0 else shift


def deviation_moved(deviation_fp: int, mode: int, least_fp: int, horizon: int, skew: int) -> int:
    """Deviation under a scenario's volatility `mode`; skew: that of `skew_ppm` for its strike."""
    if mode == VOL_UP:
        return deviation_up(deviation_fp, least_fp, horizon)
    if mode == VOL_DOWN:
        return deviation_down(deviation_fp, horizon)
    wing = skew if skew > 0 else -skew
    shift = 0
    if mode == SKEW_UP:
        shift = skew
    elif mode == SKEW_DOWN:
        shift = -skew
    elif mode == WINGS_UP:
        shift = wing
    elif mode == WINGS_DOWN:
        shift = -wing
    return deviation_within(share_up(deviation_fp, PPM + shift))


def price_moved(price: int, shock_ppm: int, variable_ppm: int) -> int:
    """A price after a shock of what is not yet fixed of it (FORMULAS 12, 13); at least 1 tick."""
    shock = shock_ppm * variable_ppm // PPM
    moved = price + share_down(price, shock) if shock >= 0 else price - share_up(price, -shock)
    if moved < 1:
        return 1
    return moved if moved < PRICE_TICKS_MAX else PRICE_TICKS_MAX


def basis_weight_ppm(time_ms: int) -> int:
    """Weight of the basis, 0.5 + 2 * tau, in ppm, rounded up."""
    return BASIS_ADD_PPM + (time_ms * BASIS_TIME_PPM + TIME_YEAR_MS - 1) // TIME_YEAR_MS


def basis_shock_ppm(weight_ppm: int) -> int:
    """Shock of the basis: 4.5 %, times the weight where that is above 1.

    Below 1 the weight is of the loss (`worse_of_pair`). Then every outcome is one at prices.
    """
    return share_up(BASIS_SHOCK_PPM, weight_ppm) if weight_ppm > PPM else BASIS_SHOCK_PPM


def decay_years_fp(time_ms: int) -> int:
    """Return exp(-0.1 * tau) in 2**-40; tau up to 3 years, rounded up."""
    return decay_fp((time_ms * 2**26 // (10 * TIME_YEAR_MS) + 1) * 2**26)


def discount_ppm(time_ms: int) -> int:
    """Static discount of a value above zero: 0.98 * exp(-0.1 * tau), in ppm, floored."""
    return DISCOUNT_BASE_PPM * decay_years_fp(time_ms) // 2**40


def markup_ppm(time_ms: int) -> int:
    """Markup of a value below zero: min(1 / discount, 1.02 * exp(0.1 * tau)), in ppm, up."""
    decay = decay_years_fp(time_ms)
    grown = (MARKUP_BASE_PPM * 2**40 + decay - 1) // decay
    discount = discount_ppm(time_ms)
    inverse = (PPM * PPM + discount - 1) // discount
    return grown if grown < inverse else inverse
