"""Marks and greeks of series; the same functions as `spec.series_marks`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.bands import candidate_breaches
from quorate.execution.kernels.expected import bumped, expected_ticks
from quorate.execution.kernels.marks import (
    MARKED,
    averages_move,
    book_candidate,
    book_trades,
    priced,
)
from quorate.execution.kernels.outlook import moving_ms, samples_ahead
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import (
    clamp_move,
    delta_of,
    ema_ticks,
    fixing_deviation_fp,
    fixing_forward,
    fixing_part,
    gamma_of,
    mark_candidate,
    mul_div_floor,
    vega_of,
)
from quorate.execution.kernels.series_funding import funding_tick
from quorate.execution.kernels.series_payoffs import payoff_inputs, payoff_of
from quorate.execution.kernels.smiles import vol_of
from quorate.execution.series_rules import ONE_FP, VOL_BUMP
from quorate.instruments.pricing.scalars import (
    greeks_fill,
    price_ticks,
    ratio_fp,
    root_deviation_fp,
    root_years_q52,
)
from quorate.types.limits import FIXING_QUANTILES
from quorate.types.options_codes import ExpiryState, SeriesState

i8 = np.int64
CALL = 1
LIVE, OPEN = int(SeriesState.LIVE), int(ExpiryState.OPEN)


@helper
def series_mark_tick(s, slot):
    """Renew the mark of a live series whose index is fresh."""
    row = s.series[slot]
    risk = s.risk[slot]
    if row["state"] != LIVE or risk["mode"] == 0 or risk["guard"]:
        return
    if row["expiry_ms"]:
        dated_tick(s, slot)
    else:
        perpetual_tick(s, slot)


# --- series that expire --------------------------------------------------------------------------
@helper
def dated_tick(s, slot):
    """Price a series by its model; without a smile it has no mark."""
    row = s.series[slot]
    expiry = s.expiries[row["expiry"]]
    if expiry["state"] != OPEN or expiry["smile_unit_e9"] == 0:
        return
    if expiry["expiry_ms"] <= s.now[0]["time_ms"] or expiry["forward_ticks"] == 0:
        return
    european = s.products[row["product"]]["european"]
    if european != 0 and row["strike"] > 0:
        european_price(s, slot, european == CALL)
    else:
        other_price(s, slot)
    s.series_dirty[slot] = 1
    model = row["model_ticks"]
    mark_put(s, slot, priced(s, slot, model), model, expiry["forward_ticks"], i8(0))


@helper
def european_price(s, slot, call):
    """Write price and greeks of a call or a put; see the spec."""
    row = s.series[slot]
    expiry = s.expiries[row["expiry"]]
    forward = expiry["forward_ticks"]
    count = expiry["fix_count"]
    ahead = samples_ahead(s, row["expiry"])
    mean = i8(fixing_forward(expiry["fix_sum"], count, ahead, forward))
    time_ms = moving_ms(s, row["expiry"])
    root = i8(root_years_q52(time_ms))
    vol = vol_of(s, row["expiry"], forward, row["strike"])
    row["vol_e9"] = vol
    deviation = i8(
        fixing_deviation_fp(root_deviation_fp(vol, root), ahead, forward, count, mean)
    )
    greeks = s.greeks
    greeks_fill(ratio_fp(row["strike"], mean), deviation, root, time_ms, call, greeks)
    row["model_ticks"] = price_ticks(mean, row["strike"], deviation, call, False)
    row["delta_fp"] = fixing_part(greeks[1], count, ahead)
    row["gamma_fp"] = fixing_part(fixing_part(greeks[2], count, ahead), count, ahead)
    row["vega_fp"] = fixing_part(greeks[3], count, ahead)
    row["theta_fp"] = fixing_part(greeks[4], count, ahead)
    row["rho_fp"] = greeks[5]


@helper
def european_at(s, slot, call, vol, up):
    """Price of a call or a put at a volatility, by the forward of the last tick."""
    row = s.series[slot]
    expiry = s.expiries[row["expiry"]]
    forward = expiry["forward_ticks"]
    count = expiry["fix_count"]
    ahead = samples_ahead(s, row["expiry"])
    mean = i8(fixing_forward(expiry["fix_sum"], count, ahead, forward))
    root = i8(root_years_q52(moving_ms(s, row["expiry"])))
    deviation = fixing_deviation_fp(root_deviation_fp(vol, root), ahead, forward, count, mean)
    return i8(price_ticks(mean, row["strike"], deviation, call, up))


@helper
def other_price(s, slot):
    """Write price and greeks of any payoff; see the spec."""
    row = s.series[slot]
    forward = s.expiries[row["expiry"]]["forward_ticks"]
    strike = row["strike"] if row["strike"] > 0 else forward
    vol = vol_of(s, row["expiry"], forward, strike)
    row["vol_e9"] = vol
    total = expected_ticks(s, slot, forward, vol)
    move = bumped(forward)
    up = expected_ticks(s, slot, forward + move, vol)
    down = expected_ticks(s, slot, forward - move, vol)
    higher = expected_ticks(s, slot, forward, vol + VOL_BUMP)
    row["model_ticks"] = total // FIXING_QUANTILES
    row["delta_fp"] = delta_of(up - down, move)
    row["gamma_fp"] = gamma_of(up - 2 * total + down, move, forward)
    row["vega_fp"] = vega_of(higher - total, forward)
    row["theta_fp"] = 0
    row["rho_fp"] = 0


@helper
def mark_put(s, slot, candidate, model, index, book):
    """Move a market's mark towards a candidate, and say so if it moved."""
    risk = s.risk[slot]
    market = s.markets[slot]
    before = market["mark_ticks"]
    mark = i8(clamp_move(before, candidate, risk["mark_clamp_ppm"]))
    if candidate_breaches(s, slot, mark):
        mark = before
    else:
        market["mark_ticks"] = mark
        market["mark_ms"] = s.now[0]["time_ms"]
        s.markets_dirty[slot] = 1
    if mark == before:
        return
    zero = i8(0)
    emit_words(
        s, MARKED, zero, zero, zero, slot, zero, zero,
        mark, before, index, model, book, zero, risk["basis_ema_fp"], risk["book_ema_fp"],
        risk["band_low_ticks"], risk["band_high_ticks"], candidate,
    )  # fmt: skip


# --- perpetual series ----------------------------------------------------------------------------
@helper
def perpetual_tick(s, slot):
    """Mark a series without expiry between its payoff now and its book; then its funding."""
    row = s.series[slot]
    risk = s.risk[slot]
    spot = s.feeds[risk["feed"]]["price_ticks"]
    payoff = spot_payoff(s, slot, spot)
    move = bumped(spot)
    up = spot_payoff(s, slot, spot + move)
    down = spot_payoff(s, slot, spot - move)
    row["model_ticks"] = payoff
    row["delta_fp"] = mul_div_floor(up - down, ONE_FP, 2 * move)
    s.series_dirty[slot] = 1
    book = i8(0)
    if book_trades(s, slot):
        book = i8(book_candidate(s, slot))
        averages_move(s, slot, payoff, book)
        s.risk_dirty[slot] = 1
    based = priced(s, slot, payoff + ema_ticks(risk["basis_ema_fp"]))
    average = ema_ticks(risk["book_ema_fp"])
    candidate = priced(s, slot, mark_candidate(based, book, i8(0), average))
    mark_put(s, slot, candidate, based, payoff, book)
    funding_tick(s, slot, payoff)


@helper
def spot_payoff(s, slot, spot):
    """Payoff of a series without expiry at an index."""
    payoff_inputs(s, slot, spot, spot)
    return min(payoff_of(s, s.series[slot]["product"]), s.markets[slot]["price_max_ticks"])
