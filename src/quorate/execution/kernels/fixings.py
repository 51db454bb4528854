"""Fixings (FORMULAS 13); the same functions as `spec.fixings`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import (
    fixing_first_ms,
    fixing_least,
    fixing_newest_ms,
    fixing_passed,
    fixing_takes,
)
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import EventKind
from quorate.types.options_codes import ExpiryState
from quorate.types.records import Table

i8 = np.int64
FRESH, OPEN, FIXED = int(FeedState.FRESH), int(ExpiryState.OPEN), int(ExpiryState.FIXED)
EVENT_FIXED, T_EXPIRIES = int(EventKind.FIXED), int(Table.EXPIRIES)


@helper
def fixing_tick(s, slot):
    """Take what an expiry's fixing gets of this tick; fix it if there is enough."""
    row = s.expiries[slot]
    expiry_ms = row["expiry_ms"]
    if row["state"] != OPEN or expiry_ms == 0:
        return
    now_ms = s.now[0]["time_ms"]
    numbers = s.parameters[0]
    window_ms, sample_ms = numbers["fixing_window_ms"], numbers["fixing_sample_ms"]
    newest = fixing_newest_ms(now_ms, sample_ms)
    first = fixing_first_ms(expiry_ms, window_ms, sample_ms)
    following = max(row["fix_next_ms"], first)
    if newest < following:
        return
    s.small_dirty[T_EXPIRIES] = 1
    feed = s.feeds[row["feed"]]
    least = fixing_least(window_ms, sample_ms)
    row["fix_missing"] += fixing_passed(following, newest, expiry_ms, sample_ms)
    if feed["state"] == FRESH and fixing_takes(newest, expiry_ms, row["fix_count"], least):
        row["fix_sum"] += feed["price_ticks"]
        row["fix_count"] += 1
        if newest <= expiry_ms:
            row["fix_missing"] -= 1
    row["fix_next_ms"] = newest + sample_ms
    count = row["fix_count"]
    if now_ms < expiry_ms or count < least:
        return
    row["state"] = FIXED
    row["fix_ticks"] = row["fix_sum"] // count
    zero = i8(0)
    emit_words(
        s, EVENT_FIXED, zero, zero, zero, i8(slot), zero, zero,
        row["fix_ticks"], count, row["fix_missing"], row["fix_sum"], expiry_ms, row["feed"],
        zero, zero, zero, zero, zero,
    )  # fmt: skip
