"""Marks and greeks of series.

A series that expires has the mark of a model: what its payoff is expected to be, given the smile,
the forward, the samples of the fixing that are there (FORMULAS 13) and the path as far as it was
seen. A European one by Black-76; any other by the mean over parts of the fixing's distribution
(`expected`). A perpetual series follows its book around its payoff, as other marks follow theirs
around the index; funding (`series_funding`) pulls it there. A mark is at least one tick, moves by
the market's clamp and stays within its bands.
"""

from quorate.execution import risk_rules, series_rules
from quorate.execution.spec.bands import candidate_breaches
from quorate.execution.spec.clearing_rows import Feed, Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.expected import bumped, expected_ticks
from quorate.execution.spec.marks import (
    averages_move,
    book_candidate,
    book_prices,
    priced,
)
from quorate.execution.spec.options_rows import Expiry, Product, Series
from quorate.execution.spec.outlook import moving_ms, samples_ahead
from quorate.execution.spec.rows import Market
from quorate.execution.spec.series_funding import funding_tick
from quorate.execution.spec.series_payoffs import payoff_inputs, payoff_of
from quorate.execution.spec.smiles import vol_of
from quorate.execution.wide import mul_div_floor
from quorate.instruments.pricing.black76 import price_ticks, root_deviation_fp
from quorate.instruments.pricing.fixed import ratio_fp, root_years_q52
from quorate.instruments.pricing.greeks import COLUMNS, greeks_fill
from quorate.types.clearing_codes import Mode
from quorate.types.codes import EventKind
from quorate.types.limits import EMA_SCALE, FIXING_QUANTILES
from quorate.types.options_codes import ExpiryState, SeriesState
from quorate.types.records import Table

CALL = 1  # Product.european


def series_marks_tick(c: Context) -> None:
    """Renew the mark of every live series whose index is fresh."""
    for slot in range(1, c.t.row(Table.LEDGER, 0).series_high):
        row: Series = c.t.row(Table.SERIES, slot)
        risk: Risk = c.t.row(Table.RISK, slot)
        if row.state != SeriesState.LIVE or risk.mode == Mode.OFF or risk.guard:
            continue
        if row.expiry_ms:
            dated_tick(c, slot, row, risk)
        else:
            perpetual_tick(c, slot, row, risk)


# --- series that expire --------------------------------------------------------------------------
def dated_tick(c: Context, slot: int, row: Series, risk: Risk) -> None:
    """Price a series by its model; without a smile it has no mark."""
    expiry: Expiry = c.t.row(Table.EXPIRIES, row.expiry)
    if expiry.state != ExpiryState.OPEN or not expiry.smile_unit_e9:
        return
    if expiry.expiry_ms <= c.time_ms or not expiry.forward_ticks:
        return
    product: Product = c.t.row(Table.PRODUCTS, row.product)
    if product.european and row.strike > 0:
        european_price(c, row, product.european == CALL, expiry)
    else:
        other_price(c, row, product, expiry)
    c.t.put(Table.SERIES, slot, row)
    market: Market = c.t.row(Table.MARKETS, slot)
    mark_put(c, slot, priced(row.model_ticks, market), row.model_ticks, expiry.forward_ticks, 0)


def european_price(c: Context, row: Series, call: bool, expiry: Expiry) -> None:
    """Write price and greeks of a call or a put: Black-76 on what the fixing is expected to be.

    Greeks are those of the forward: what is fixed already moves no more.
    """
    forward = expiry.forward_ticks
    count, ahead = expiry.fix_count, samples_ahead(c, expiry)
    mean = series_rules.fixing_forward(expiry.fix_sum, count, ahead, forward)
    time_ms = moving_ms(c, expiry)
    root = root_years_q52(time_ms)
    row.vol_e9 = vol_of(expiry, forward, row.strike)
    deviation = series_rules.fixing_deviation_fp(
        root_deviation_fp(row.vol_e9, root), ahead, forward, count, mean
    )
    greeks = [0] * COLUMNS
    greeks_fill(ratio_fp(row.strike, mean), deviation, root, time_ms, call, greeks)
    row.model_ticks = price_ticks(mean, row.strike, deviation, call, False)
    _, delta, gamma, vega, theta, rho = greeks
    row.delta_fp = series_rules.fixing_part(delta, count, ahead)
    row.gamma_fp = series_rules.fixing_part(
        series_rules.fixing_part(gamma, count, ahead), count, ahead
    )
    row.vega_fp = series_rules.fixing_part(vega, count, ahead)
    row.theta_fp, row.rho_fp = series_rules.fixing_part(theta, count, ahead), rho


def european_at(
    c: Context, row: Series, call: bool, expiry: Expiry, vol_e9: int, up: bool
) -> int:
    """Price of a call or a put at a volatility, by the forward of the last tick."""
    forward = expiry.forward_ticks
    count, ahead = expiry.fix_count, samples_ahead(c, expiry)
    mean = series_rules.fixing_forward(expiry.fix_sum, count, ahead, forward)
    root = root_years_q52(moving_ms(c, expiry))
    deviation = series_rules.fixing_deviation_fp(
        root_deviation_fp(vol_e9, root), ahead, forward, count, mean
    )
    return price_ticks(mean, row.strike, deviation, call, up)


def other_price(c: Context, row: Series, product: Product, expiry: Expiry) -> None:
    """Write price and greeks of any payoff, the greeks by bumps; theta and rho are not told."""
    forward = expiry.forward_ticks
    row.vol_e9 = vol_of(expiry, forward, row.strike if row.strike > 0 else forward)
    total = expected_ticks(c, row, product, expiry, forward, row.vol_e9)
    move = bumped(forward)
    up = expected_ticks(c, row, product, expiry, forward + move, row.vol_e9)
    down = expected_ticks(c, row, product, expiry, forward - move, row.vol_e9)
    higher = expected_ticks(c, row, product, expiry, forward, row.vol_e9 + series_rules.VOL_BUMP)
    row.model_ticks = total // FIXING_QUANTILES
    row.delta_fp = series_rules.delta_of(up - down, move)
    row.gamma_fp = series_rules.gamma_of(up - 2 * total + down, move, forward)
    row.vega_fp = series_rules.vega_of(higher - total, forward)
    row.theta_fp = row.rho_fp = 0


def mark_put(
    c: Context, slot: int, candidate: int, model: int, index: int, book: int
) -> None:
    """Move a market's mark towards a candidate, and say so if it moved."""
    risk: Risk = c.t.row(Table.RISK, slot)
    market: Market = c.t.row(Table.MARKETS, slot)
    before = market.mark_ticks
    mark = risk_rules.clamp_move(before, candidate, risk.mark_clamp_ppm)
    if candidate_breaches(c, slot, mark):
        mark = before
    else:
        market.mark_ticks, market.mark_ms = mark, c.time_ms
        c.t.put(Table.MARKETS, slot, market)
    if mark == before:
        return
    risk = c.t.row(Table.RISK, slot)
    c.emit_words(
        EventKind.MARKED,
        mark,
        before,
        index,
        model,
        book,
        0,
        risk.basis_ema_fp,
        risk.book_ema_fp,
        risk.band_low_ticks,
        risk.band_high_ticks,
        candidate,
        market=slot,
    )


# --- perpetual series ----------------------------------------------------------------------------
def perpetual_tick(c: Context, slot: int, row: Series, risk: Risk) -> None:
    """Mark a series without expiry between its payoff now and its book; then its funding."""
    feed: Feed = c.t.row(Table.FEEDS, risk.feed)
    market: Market = c.t.row(Table.MARKETS, slot)
    product: Product = c.t.row(Table.PRODUCTS, row.product)
    payoff = spot_payoff(product, row, feed.price_ticks, market)
    move = bumped(feed.price_ticks)
    up = spot_payoff(product, row, feed.price_ticks + move, market)
    down = spot_payoff(product, row, feed.price_ticks - move, market)
    row.model_ticks = payoff
    row.delta_fp = mul_div_floor(up - down, series_rules.ONE_FP, 2 * move)
    c.t.put(Table.SERIES, slot, row)
    bid, ask = book_prices(c.t, risk, market)
    book = 0
    if bid:
        book = book_candidate(bid, ask, market.last_ticks)
        averages_move(risk, (bid + ask) * EMA_SCALE // 2 - payoff * EMA_SCALE, book, c.time_ms)
        c.t.put(Table.RISK, slot, risk)
        risk = c.t.row(Table.RISK, slot)
    based = priced(payoff + risk_rules.ema_ticks(risk.basis_ema_fp), market)
    average = risk_rules.ema_ticks(risk.book_ema_fp)
    candidate = priced(risk_rules.mark_candidate(based, book, 0, average), market)
    mark_put(c, slot, candidate, based, payoff, book)
    funding_tick(c, slot, payoff)


def spot_payoff(product: Product, row: Series, spot: int, market: Market) -> int:
    """Payoff of a series without expiry at an index."""
    paid = payoff_of(product, payoff_inputs(row, spot, spot))
    return min(paid, market.price_max_ticks)
