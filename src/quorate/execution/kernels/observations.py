"""What a series has seen of its path; the same functions as `spec.observations`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.scalars import (
    observation_takes,
    observed_newest_ms,
    return_square,
)
from quorate.types.clearing_codes import FeedState
from quorate.types.limits import CLOSE_OFFSET_MS, DAY_MS, PAYOFF_SAMPLES_MAX
from quorate.types.options_codes import ObservationRule, SeriesState

i8 = np.int64
FRESH = int(FeedState.FRESH)
LIVE, EXPIRED = int(SeriesState.LIVE), int(SeriesState.EXPIRED)
NONE, SAMPLED = int(ObservationRule.NONE), int(ObservationRule.SAMPLED)
CLOSE = int(ObservationRule.CLOSE)


@helper
def interval_of(s, product):
    """Interval of a product's observations; 0: every tick."""
    rule = s.products[product]["rule"]
    if rule == SAMPLED:
        return s.products[product]["sample_ms"]
    return i8(DAY_MS) if rule == CLOSE else i8(0)


@helper
def offset_of(s, product):
    """Offset of a product's observations from whole multiples of the interval."""
    return i8(CLOSE_OFFSET_MS) if s.products[product]["rule"] == CLOSE else i8(0)


@helper
def observation_tick(s, slot):
    """Observe the index if one is due; what passes unseen stays missing."""
    row = s.series[slot]
    expiry_ms = row["expiry_ms"]
    if (row["state"] != LIVE and row["state"] != EXPIRED) or expiry_ms == 0:
        return
    product = row["product"]
    if s.products[product]["rule"] == NONE:
        return
    now_ms = s.now[0]["time_ms"]
    feed = s.feeds[s.risk[slot]["feed"]]
    interval_ms = interval_of(s, product)
    due = now_ms <= expiry_ms
    if interval_ms:
        newest = observed_newest_ms(now_ms, interval_ms, offset_of(s, product))
        next_ms = row["seen_next_ms"]
        due = observation_takes(newest, next_ms, expiry_ms, now_ms)
        if newest >= next_ms:
            row["seen_next_ms"] = newest + interval_ms
            s.series_dirty[slot] = 1
    if due and feed["state"] == FRESH:
        observe(s, slot, feed["price_ticks"])


@helper
def observe(s, slot, price):
    """Count one observation."""
    row = s.series[slot]
    if row["seen_count"] == 0:
        row["seen_first"] = price
        row["seen_low"] = price
        row["seen_high"] = price
    if row["seen_count"] < PAYOFF_SAMPLES_MAX:
        row["seen_sum"] += price
        row["seen_count"] += 1
        if row["lower"] <= price and price <= row["upper"]:
            row["seen_inside"] += 1
        row["seen_realized"] += return_square(row["seen_last"], price)
    row["seen_low"] = min(row["seen_low"], price)
    row["seen_high"] = max(row["seen_high"], price)
    row["seen_last"] = price
    s.series_dirty[slot] = 1
