"""What the options of a bucket require; the same as `spec.options_margin`.

The tables of `instruments/margin` stand in the state, by market, feed and expiry; an expiry's
number is its slot, that of what never expires EXPIRIES_MAX + feed. A row is written when it is
first needed after a tick, from committed rows that only a tick changes, so that nothing has to be
rebuilt at load. `margin_stamps` says for which tick, mark, feed and pace (of ticks and of samples)
a row holds.
"""

import numba
import numpy as np

from quorate.compiled import helper, linked
from quorate.execution.kernels.observations import interval_of
from quorate.execution.kernels.rows import position_of
from quorate.execution.kernels.scalars import (
    around_mark,
    close_out,
    expected_fix,
    fixing_whole,
    margin_time_ms,
    observations_left,
    requirement_within,
    unfixed_ppm,
)
from quorate.execution.kernels.series_payoffs import payoff_inputs
from quorate.execution.kernels.signatures import RECORD
from quorate.instruments.margin import layout
from quorate.instruments.margin import scalars as margin
from quorate.instruments.margin.exotics import NEUTRAL
from quorate.instruments.margin.parameters import DERIVE
from quorate.types.codes import MarketKind
from quorate.types.limits import DAY_MS, EXPIRIES_MAX, FIXING_SAMPLE_MS_MIN, PPM
from quorate.types.options_codes import ExpiryState, MarginMode, ObservationRule, SeriesState
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED

i8 = np.int64
INT64 = numba.types.int64
CROSS = 0
SAMPLES_MOST = 2**20  # of a fixing
assert DAY_MS // FIXING_SAMPLE_MS_MIN < SAMPLES_MOST
PERPETUAL, SERIES = int(MarketKind.PERPETUAL), int(MarketKind.SERIES)
LIVE, EXPIRED = int(SeriesState.LIVE), int(SeriesState.EXPIRED)
FIXED = int(ExpiryState.FIXED)
PORTFOLIO = int(MarginMode.PORTFOLIO)
NONE = int(ObservationRule.NONE)
# Columns of `margin_stamps` and `margin_dates`: what a row was written for.
TICK, MARK_FOR, FEED_FOR, PACE, SCANNED = 0, 1, 2, 3, 4
# Columns of the tables, and what is asked of a leg.
KIND, UNDERLYING, EXPIRY, STRIKE = layout.KIND, layout.UNDERLYING, layout.EXPIRY, layout.STRIKE
QUANTUM, MARK, PAYOFF_MAX = layout.QUANTUM_E6, layout.MARK, layout.PAYOFF_MAX
CONFIDENCE, VOL = layout.CONFIDENCE_PPM, layout.VOL_E9
OF_PERPETUAL, CALL, PUT, EXOTIC = layout.PERPETUAL, layout.CALL, layout.PUT, layout.EXOTIC
FORWARD, TIME, VARIABLE = layout.FORWARD, layout.TIME_MS, layout.VARIABLE_PPM
INDEX, GROUP = layout.INDEX, layout.GROUP
ROW, LOTS = layout.ROW, layout.LOTS
ORDER_ROW, BIDS, ASKS = layout.ORDER_ROW, layout.BIDS, layout.ASKS
GUARD, GUARD_LOTS = layout.GUARD, layout.GUARD_LOTS
COLUMNS, INITIAL, MAINTENANCE = layout.COLUMNS, layout.INITIAL_E6, layout.MAINTENANCE_E6
PARAMETERS = np.array(DERIVE, dtype=np.int64)
fill_linear, fill_option, fill_exotic = margin.fill_linear, margin.fill_option, margin.fill_exotic
expiry_terms = margin.expiry_terms
standard_margin, portfolio_margin = margin.standard_margin, margin.portfolio_margin


# --- legs ----------------------------------------------------------------------------------------
@helper
def is_margined(s, market):
    """Whether a market is a series whose payoff is not yet known."""
    if s.markets[market]["kind"] != SERIES:
        return False
    state = s.series[market]["state"]
    return state in (LIVE, EXPIRED)


@helper
def in_reach(s, cell, bucket):
    """Whether a position row is of a market in the bucket."""
    key = i8(s.positions[cell]["key"])
    if key >= ASSET_KEY:
        return False
    isolated = key if i8(s.positions[cell]["flags"]) & POSITION_ISOLATED else i8(CROSS)
    return isolated == bucket


@helper
def has_options(s, account, bucket, key):
    """Whether a bucket holds lots or orders of a series that is margined, or `key` is one."""
    if key and is_margined(s, key):
        return True
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        if not in_reach(s, cell, bucket):
            continue
        position = s.positions[cell]
        if position["size"] or position["bids"] or position["asks"]:
            if is_margined(s, i8(position["key"])):
                return True
    return False


@helper
def leg_add(s, market, size, bids, asks):
    """Append a leg and its orders; their numbers stand in `margin_counts`."""
    count = s.margin_counts[0]
    s.margin_legs[count, ROW] = market
    s.margin_legs[count, LOTS] = size
    s.margin_counts[0] = count + 1
    if bids or asks:
        at = s.margin_counts[1]
        s.margin_orders[at, ORDER_ROW] = market
        s.margin_orders[at, BIDS] = bids
        s.margin_orders[at, ASKS] = asks
        s.margin_orders[at, GUARD] = 0
        s.margin_orders[at, GUARD_LOTS] = 0
        s.margin_counts[1] = at + 1


@helper
def wanted(s, market, pass_scanned):
    """Whether a market is gathered: series first; then perpetuals of a feed that has some."""
    if not pass_scanned:
        return is_margined(s, market)
    if s.markets[market]["kind"] != PERPETUAL or market >= s.ledger[0]["risk_high"]:
        return False
    risk = s.risk[market]
    return risk["mode"] != 0 and s.margin_feeds[risk["feed"]] == 1


@helper
def gather(s, account, bucket, key, size, bids, asks, pass_scanned):
    """Append the legs of one pass, `key` as it would be; return the greatest close-out rate."""
    close_ppm = i8(0)
    first = i8(s.positions_first[account])
    count = i8(s.accounts[account]["positions_count"])
    for at in range(count + 1):
        market = i8(key)
        lots, buys, sells = i8(size), i8(bids), i8(asks)
        if at < count:
            cell = first + at
            if not in_reach(s, cell, bucket):
                continue
            position = s.positions[cell]
            market = i8(position["key"])
            if market != key:
                lots, buys, sells = position["size"], position["bids"], position["asks"]
            else:
                key = i8(0)
        if market == 0 or (lots == 0 and buys == 0 and sells == 0):
            continue
        if not wanted(s, market, pass_scanned):
            continue
        leg_add(s, market, lots, buys, sells)
        if not pass_scanned:
            s.margin_feeds[s.risk[market]["feed"]] = 1
            close_ppm = max(close_ppm, s.risk[market]["close_ppm"])
    return close_ppm


# --- tables --------------------------------------------------------------------------------------
@helper
def row_renew(s, market, scan):
    """Write a market's row, and its worths if they are needed, unless they hold."""
    feed = i8(s.risk[market]["feed"])
    tick = s.ledger[0]["tick_count"]
    mark = i8(s.markets[market]["mark_ticks"])
    pace = s.parameters[0]["tick_ms"] * SAMPLES_MOST + samples_whole(s)
    stamp = s.margin_stamps[market]
    row = s.margin_series[market]
    if (
        stamp[TICK] != tick + 1
        or stamp[MARK_FOR] != mark
        or stamp[FEED_FOR] != feed
        or stamp[PACE] != pace
    ):
        series_write(s, market, feed, mark)
        stamp[TICK] = tick + 1
        stamp[MARK_FOR] = mark
        stamp[FEED_FOR] = feed
        stamp[PACE] = pace
        stamp[SCANNED] = 0
    # The tables of feeds and expiries are shared: another market may have written them.
    s.margin_underlyings[feed, INDEX] = s.feeds[feed]["price_ticks"]
    s.margin_underlyings[feed, GROUP] = feed
    if (scan or row[KIND] == EXOTIC) and stamp[SCANNED] == 0:
        worths_write(s, market)
        stamp[SCANNED] = 1


@helper
def series_write(s, market, feed, mark):
    """Write a market's row and that of its expiry."""
    row = s.margin_series[market]
    row[UNDERLYING] = feed
    row[EXPIRY] = EXPIRIES_MAX + feed
    row[QUANTUM] = s.markets[market]["quantum_e6"]
    row[MARK] = mark
    confidence = s.feeds[feed]["confidence_ppm"]
    series = s.series[market]
    if s.markets[market]["kind"] != SERIES:
        row[KIND] = OF_PERPETUAL
        row[STRIKE] = 0
        row[PAYOFF_MAX] = s.markets[market]["price_max_ticks"]
        row[VOL] = 0
    else:
        product = s.products[series["product"]]
        row[KIND] = EXOTIC
        if product["european"] and series["strike"] > 0 and series["expiry_ms"]:
            row[KIND] = CALL if product["european"] == 1 else PUT
        if series["expiry_ms"]:
            row[EXPIRY] = series["expiry"]
            confidence = min(confidence, s.expiries[series["expiry"]]["confidence_ppm"])
        row[STRIKE] = series["strike"]
        row[PAYOFF_MAX] = product["payoff_high"]
        row[VOL] = series["vol_e9"]
    row[CONFIDENCE] = confidence
    date_write(s, row[EXPIRY])


@helper
def samples_whole(s):
    """How many samples a whole fixing has."""
    numbers = s.parameters[0]
    return fixing_whole(numbers["fixing_window_ms"], numbers["fixing_sample_ms"])


@helper
def date_write(s, date):
    """Write the row of an expiry, or of what never expires, once a tick."""
    tick = s.ledger[0]["tick_count"]
    samples = samples_whole(s)
    stamp = (tick + 1) * SAMPLES_MOST + samples
    if s.margin_dates[date] == stamp:
        return
    s.margin_dates[date] = stamp
    row = s.margin_expiries[date]
    if date >= EXPIRIES_MAX:
        row[FORWARD] = max(s.feeds[date - EXPIRIES_MAX]["price_ticks"], i8(1))
        row[TIME] = 0
        row[VARIABLE] = PPM
    else:
        expiry = s.expiries[date]
        row[TIME] = margin_time_ms(expiry["expiry_ms"], s.ledger[0]["tick_next_ms"])
        if expiry["state"] == FIXED:
            row[FORWARD] = max(expiry["fix_ticks"], i8(1))
            row[VARIABLE] = 0
        else:
            forward = expiry["forward_ticks"]
            if forward == 0:
                forward = s.feeds[expiry["feed"]]["price_ticks"]
            count = expiry["fix_count"]
            row[FORWARD] = expected_fix(expiry["fix_sum"], count, samples, forward)
            row[VARIABLE] = unfixed_ppm(count, samples)
    expiry_terms(s.margin_expiries, date)


@helper
def worths_write(s, market):
    """Write what a lot is worth in each scenario."""
    row = s.margin_series[market]
    if row[KIND] == OF_PERPETUAL:
        fill_linear(s.margin_series, s.margin_worths, market)
        return
    if row[KIND] != EXOTIC:
        fill_option(s.margin_series, s.margin_expiries, s.margin_worths, market)
        return
    series = s.series[market]
    product = s.products[series["product"]]
    spot = max(s.feeds[row[UNDERLYING]]["price_ticks"], i8(1))
    payoff_inputs(s, market, spot, spot)
    fill_exotic(
        s.margin_series, s.margin_expiries, s.margin_worths, market, product["code"],
        product["words"], s.payoff_lows, s.payoff_highs, s.payoff_inputs,
        observations_to_come(s, market), s.margin_prices, s.margin_state, s.payoff_values,
    )  # fmt: skip
    worths = s.margin_worths[market]
    neutral = worths[NEUTRAL]
    quantum = row[QUANTUM]
    for k in range(COLUMNS):
        worths[k] = around_mark(
            worths[k], neutral, row[MARK] * quantum, row[PAYOFF_MAX] * quantum
        )


@helper
def observations_to_come(s, market):
    """How many observations of a path are to come."""
    series = s.series[market]
    product = series["product"]
    if s.products[product]["rule"] == NONE or series["expiry_ms"] == 0:
        return i8(0)
    interval_ms = i8(interval_of(s, product))
    next_ms = series["seen_next_ms"]
    if interval_ms == 0:
        next_ms = s.ledger[0]["tick_next_ms"]
        interval_ms = max(s.parameters[0]["tick_ms"], i8(1))
    return observations_left(next_ms, series["expiry_ms"], interval_ms, series["seen_count"])


@helper
def position_size(s, account, market):
    """Lots of a position, or 0."""
    cell = position_of(s, account, market)
    return s.positions[cell]["size"] if cell >= 0 else i8(0)


# --- judging -------------------------------------------------------------------------------------
@helper
def judge(s, count, orders, scan):
    """Write the results of either way of margin."""
    tables = (s.margin_series, s.margin_underlyings, s.margin_expiries, s.margin_worths)
    if scan:
        portfolio_margin(
            s.margin_legs, count, s.margin_orders, orders, tables, s.margin_offsets, PARAMETERS,
            s.margin_values, s.margin_outcomes, s.margin_marks, s.margin_touched,
            s.margin_results,
        )  # fmt: skip
    else:
        standard_margin(
            s.margin_legs, count, s.margin_orders, orders, tables, PARAMETERS, s.margin_merged,
            s.margin_results,
        )  # fmt: skip


@linked(INT64(RECORD, INT64, INT64, INT64, INT64, INT64, INT64))
def options_need(s, account, bucket, key, size, bids, asks):
    """Leave in `now` what a bucket's options require, and return the number of series.

    The legs stand in `margin_legs`: series first, then the perpetuals that are scanned with them,
    whose tiers are still to be taken off. key: a market that would have these lots, or 0.
    """
    now = s.now[0]
    now["options_initial"] = 0
    now["options_kept"] = 0
    now["options_close"] = 0
    s.margin_counts[0] = 0
    s.margin_counts[1] = 0
    close_ppm = gather(s, account, bucket, key, size, bids, asks, False)
    series = s.margin_counts[0]
    if series == 0:
        return i8(0)
    scan = i8(s.accounts[account]["margin_mode"]) == PORTFOLIO
    if scan:
        gather(s, account, bucket, key, size, bids, asks, True)
    for k in range(series):
        s.margin_feeds[s.risk[s.margin_legs[k, ROW]]["feed"]] = 0
    for k in range(s.margin_counts[0]):
        row_renew(s, s.margin_legs[k, ROW], scan)
    count = s.margin_counts[0]
    orders = s.margin_counts[1]
    judge(s, count, orders, scan)
    now["options_initial"] = requirement_within(s.margin_results[INITIAL])
    if orders:
        judge(s, count, i8(0), scan)
    kept = requirement_within(s.margin_results[MAINTENANCE])
    now["options_kept"] = kept
    now["options_close"] = close_out(kept, close_ppm)
    return series
