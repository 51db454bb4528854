"""Fixings (FORMULAS 13); the same functions as `spec.fixings`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import fixing_newest_ms, fixing_passed, fixing_takes
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import EventKind
from quorate.types.limits import FIXING_SAMPLE_MS, FIXING_SAMPLES_MIN
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
    newest = fixing_newest_ms(now_ms)
    next_ms = row["fix_next_ms"]
    if newest < next_ms:
        return
    s.small_dirty[T_EXPIRIES] = 1
    feed = s.feeds[row["feed"]]
    row["fix_missing"] += fixing_passed(next_ms, newest, expiry_ms)
    if feed["state"] == FRESH and fixing_takes(newest, next_ms, expiry_ms, row["fix_count"]):
        row["fix_sum"] += feed["price_ticks"]
        row["fix_count"] += 1
        if newest <= expiry_ms:
            row["fix_missing"] -= 1
    row["fix_next_ms"] = newest + FIXING_SAMPLE_MS
    count = row["fix_count"]
    if now_ms < expiry_ms or count < FIXING_SAMPLES_MIN:
        return
    row["state"] = FIXED
    row["fix_ticks"] = row["fix_sum"] // count
    zero = i8(0)
    emit_words(
        s, EVENT_FIXED, zero, zero, zero, i8(slot), zero, zero,
        row["fix_ticks"], count, row["fix_missing"], row["fix_sum"], expiry_ms, row["feed"],
        zero, zero, zero, zero, zero,
    )  # fmt: skip
