"""Fixings: the mean of index samples in the window before an expiry (FORMULAS 13).

A sample belongs to a whole multiple of the interval. A tick with a fresh index gives its price to
the newest multiple that has passed and has none; those that passed without such a tick are missing
for ever, whatever the reason: a halted chain, a stale oracle, ticks further apart. Auctions and
halts of markets do not matter, since samples are of the index. Behind the expiry further multiples
count only while there are too few samples. Nobody decides a fixing by hand.
"""

from quorate.execution import options_rules, series_rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.options_rows import Expiry
from quorate.execution.spec.rows import Parameters
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import EventKind
from quorate.types.options_codes import ExpiryState
from quorate.types.records import Table


def fixings_tick(c: Context) -> None:
    """Sample every open expiry, and fix those that are due."""
    for slot in range(c.t.row(Table.LEDGER, 0).expiries_high):
        row: Expiry = c.t.row(Table.EXPIRIES, slot)
        if row.state == ExpiryState.OPEN and row.expiry_ms:
            fixing_tick(c, slot, row)


def fixing_tick(c: Context, slot: int, row: Expiry) -> None:
    """Take what an expiry's fixing gets of this tick; fix it if there is enough."""
    numbers: Parameters = c.t.row(Table.PARAMETERS, 0)
    window_ms, sample_ms = numbers.fixing_window_ms, numbers.fixing_sample_ms
    newest = series_rules.fixing_newest_ms(c.time_ms, sample_ms)
    first = options_rules.fixing_first_ms(row.expiry_ms, window_ms, sample_ms)
    following = max(row.fix_next_ms, first)
    if newest < following:
        return
    feed = c.t.row(Table.FEEDS, row.feed)
    least = series_rules.fixing_least(window_ms, sample_ms)
    row.fix_missing += series_rules.fixing_passed(following, newest, row.expiry_ms, sample_ms)
    fresh = feed.state == FeedState.FRESH
    if fresh and series_rules.fixing_takes(newest, row.expiry_ms, row.fix_count, least):
        row.fix_sum += feed.price_ticks
        row.fix_count += 1
        row.fix_missing -= newest <= row.expiry_ms
    row.fix_next_ms = newest + sample_ms
    fixed = c.time_ms >= row.expiry_ms and row.fix_count >= least
    if fixed:
        row.state, row.fix_ticks = ExpiryState.FIXED, row.fix_sum // row.fix_count
    c.t.put(Table.EXPIRIES, slot, row)
    if fixed:
        words = (row.fix_ticks, row.fix_count, row.fix_missing, row.fix_sum)
        c.emit_words(EventKind.FIXED, *words, row.expiry_ms, row.feed, market=slot)
