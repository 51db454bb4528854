"""The kernel of a tick's phases 1 and 3: indexes and guards, marks, bands, funding rates."""

import numba
import numpy as np

from quorate.compiled import helper, kernel
from quorate.execution.kernels.bands import bands_tick
from quorate.execution.kernels.marks import mark_tick
from quorate.execution.kernels.options_listing import listings_tick
from quorate.execution.kernels.oracle import feed_tick, guard_tick
from quorate.execution.kernels.rates import rates_market
from quorate.execution.kernels.signatures import INT64S, RECORD
from quorate.execution.kernels.state import DONE, DRAIN_EVENTS, EVENT_ROWS
from quorate.types.limits import LISTINGS_PER_TICK

i8 = np.int64
BEGIN, FEEDS, GUARDS, MARKS, BANDS, RATES, LISTINGS = 0, 1, 2, 3, 4, 5, 6
# Events of one feed or market in one of these steps, at most.
EVENTS_OF_STEP = 8


@helper
def tick_begins(s):
    """Whether this block is a tick; the next one is then `tick_ms` after block time."""
    ledger = s.ledger[0]
    if ledger["feeds_high"] == 0 or s.now[0]["time_ms"] < ledger["tick_next_ms"]:
        return False
    ledger["tick_next_ms"] = s.now[0]["time_ms"] + s.parameters[0]["tick_ms"]
    ledger["tick_count"] += 1
    return True


@kernel(numba.types.int64(RECORD, INT64S))
def run_tick(s, cursor):
    """Run the phases from `cursor` on if the block is a tick, which `now["tick"]` then says.

    DONE, or why it stopped. cursor, int64[4]: the step, and the feed or market in it.
    """
    if cursor[0] == BEGIN:
        if not tick_begins(s):
            return DONE
        s.now[0]["tick"] = 1
        cursor[0] = FEEDS
        cursor[1] = 0
    while True:
        step = cursor[0]
        high = s.ledger[0]["feeds_high"] if step == FEEDS else s.ledger[0]["risk_high"]
        if step == LISTINGS:
            if s.now[0]["events"] + LISTINGS_PER_TICK > EVENT_ROWS:
                return DRAIN_EVENTS
            listings_tick(s)
            return DONE
        if step == BANDS:
            bands_tick(s)
        while step != BANDS and cursor[1] < high:
            if s.now[0]["events"] + EVENTS_OF_STEP > EVENT_ROWS:
                return DRAIN_EVENTS
            at = i8(cursor[1])
            if step == FEEDS:
                feed_tick(s, at)
            elif step == GUARDS:
                guard_tick(s, at)
            elif step == MARKS:
                mark_tick(s, at)
            else:
                rates_market(s, at)
            cursor[1] += 1
        cursor[0] = step + 1
        cursor[1] = 1  # markets are numbered from 1
