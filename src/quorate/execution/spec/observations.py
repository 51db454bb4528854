"""What a series has seen of its path, by the rule of observation of its product.

Paths are kept per series, because each one begins when it is listed. Sums stop at
PAYOFF_SAMPLES_MAX observations, so that they fit; first, last, low and high go on.
"""

from quorate.execution import series_rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.options_rows import Product, Series
from quorate.types.clearing_codes import FeedState
from quorate.types.limits import CLOSE_OFFSET_MS, DAY_MS, PAYOFF_SAMPLES_MAX
from quorate.types.options_codes import ObservationRule, SeriesState
from quorate.types.records import Table


def observations_tick(c: Context) -> None:
    """Look at the path of every series that is not settled."""
    for slot in range(1, c.t.row(Table.LEDGER, 0).series_high):
        row: Series = c.t.row(Table.SERIES, slot)
        if row.state in (SeriesState.LIVE, SeriesState.EXPIRED) and row.expiry_ms:
            observation_tick(c, slot, row)


def observation_tick(c: Context, slot: int, row: Series) -> None:
    """Observe the index if one is due; what passes unseen stays missing."""
    product: Product = c.t.row(Table.PRODUCTS, row.product)
    if product.rule == ObservationRule.NONE:
        return
    interval_ms, offset_ms = interval_of(product)
    if interval_ms:
        newest = series_rules.observed_newest_ms(c.time_ms, interval_ms, offset_ms)
        due = series_rules.observation_takes(
            newest, row.seen_next_ms, row.expiry_ms, c.time_ms
        )
        passed = newest >= row.seen_next_ms
    else:
        due, passed = c.time_ms <= row.expiry_ms, False
    feed = c.t.row(Table.FEEDS, c.t.row(Table.RISK, slot).feed)
    seen = due and feed.state == FeedState.FRESH
    if seen:
        observe(row, feed.price_ticks)
    if passed:
        row.seen_next_ms = newest + interval_ms
    if seen or passed:
        c.t.put(Table.SERIES, slot, row)


def interval_of(product: Product) -> tuple[int, int]:
    """Interval and offset of a product's observations; 0 and 0: every tick."""
    if product.rule == ObservationRule.SAMPLED:
        return product.sample_ms, 0
    if product.rule == ObservationRule.CLOSE:
        return DAY_MS, CLOSE_OFFSET_MS
    return 0, 0


def observe(row: Series, price: int) -> None:
    """Count one observation."""
    if not row.seen_count:
        row.seen_first = row.seen_low = row.seen_high = price
    if row.seen_count < PAYOFF_SAMPLES_MAX:
        row.seen_sum += price
        row.seen_count += 1
        row.seen_inside += row.lower <= price <= row.upper
        row.seen_realized += series_rules.return_square(row.seen_last, price)
    row.seen_low, row.seen_high = min(row.seen_low, price), max(row.seen_high, price)
    row.seen_last = price
