"""Paths against a model in plain Python: what is observed when, and the sums that are kept."""

import random
from itertools import pairwise

import pytest

from quorate.codec.options_commands import SetSeries
from quorate.execution import series_rules
from quorate.types.clearing_codes import FeedState
from quorate.types.limits import PAYOFF_SAMPLES_MAX
from quorate.types.options_codes import ObservationRule
from quorate.types.records import Table
from tests.execution.options_exchange import PRICES, SERIES, product
from tests.execution.series_desk import SeriesDesk

MINUTE_MS, HOUR_MS, LATE_MS = 60_000, 3_600_000, 60_000
DAY_MS, OFFSET_MS = 24 * HOUR_MS, 8 * HOUR_MS
TEXT = "if avg > 0 and touched_up then high else low"
RANGES = {"avg": PRICES, "high": PRICES, "low": PRICES, "touched_up": (0, 1), "upper": PRICES}


def observing(rule: ObservationRule, sample_ms: int = 0) -> SeriesDesk:
    """A desk with a series that watches its path."""
    desk = SeriesDesk()
    desk.ok("governance", product(0, TEXT, RANGES, rule=rule, sample_ms=sample_ms))
    desk.market_made()
    desk.beat(smiles=0)
    desk.ok("governance", SetSeries(SERIES, 0, desk.ahead(60), upper=101_000))
    return desk


@pytest.mark.parametrize(
    ("rule", "sample_ms", "step_ms"),
    [
        (ObservationRule.BLOCK, 0, 9_000),
        (ObservationRule.SAMPLED, 20_000, 15_000),
        (ObservationRule.SAMPLED, 7_000, 30_000),
        (ObservationRule.CLOSE, 0, 6 * HOUR_MS),
    ],
)
def test_a_path_is_what_the_model_saw(
    rule: ObservationRule, sample_ms: int, step_ms: int
) -> None:
    rng, desk = random.Random(5), observing(rule, sample_ms)
    interval, offset = sample_ms, 0
    if rule == ObservationRule.CLOSE:
        interval, offset = DAY_MS, OFFSET_MS
    listed_ms, expiry_ms = desk.series().listed_ms, desk.series().expiry_ms
    seen: list[int] = []
    looked: set[int] = set()
    for _ in range(60):
        price = 100_000 + rng.randrange(-2_000, 2_001)
        silent = rng.random() < 0.2
        near = rule == ObservationRule.CLOSE and rng.random() < 0.5
        if near:  # ticks shortly before and behind a close, which itself is seen
            desk.to((desk.time_ms - offset) // DAY_MS * DAY_MS + DAY_MS + offset - 3_000)
            desk.beat(price, smiles=0)
            look(desk, seen, looked, interval, offset, listed_ms, expiry_ms)
            desk.beat(price, smiles=0)
        else:
            desk.beat(0 if silent else price, smiles=0, step_ms=rng.randrange(1_000, step_ms))
        look(desk, seen, looked, interval, offset, listed_ms, expiry_ms)
        if desk.time_ms > expiry_ms:
            break
    row = desk.series()
    assert (row.seen_count, row.seen_sum) == (len(seen), sum(seen)) and seen
    assert (row.seen_first, row.seen_last) == (seen[0], seen[-1])
    assert (row.seen_low, row.seen_high) == (min(seen), max(seen))
    squares = [series_rules.return_square(a, b) for a, b in pairwise(seen)]
    assert row.seen_realized == sum(squares)
    assert row.seen_inside == sum(0 <= price <= 101_000 for price in seen)


def look(
    desk: SeriesDesk,
    seen: list[int],
    looked: set[int],
    interval: int,
    offset: int,
    listed_ms: int,
    expiry_ms: int,
) -> None:
    """Observe as the description says: each multiple once, in time, with a fresh index."""
    now_ms, feed = desk.time_ms, desk.feed()
    fresh = feed.state == FeedState.FRESH
    if not interval:
        if fresh and now_ms <= expiry_ms:
            seen.append(feed.price_ticks)
        return
    multiple = now_ms - (now_ms - offset) % interval
    if multiple in looked or multiple <= listed_ms:
        return
    looked.add(multiple)
    if fresh and multiple <= expiry_ms and now_ms - multiple <= LATE_MS:
        seen.append(feed.price_ticks)


def test_sums_stop_and_barriers_go_on() -> None:
    desk = observing(ObservationRule.BLOCK)
    desk.beat(100_000, smiles=0)
    desk.doctor(Table.SERIES, SERIES, seen_count=PAYOFF_SAMPLES_MAX, seen_sum=5, seen_realized=6)
    desk.beat(150_000, smiles=0)
    desk.beat(90_000, smiles=0)
    desk.beat(90_000, smiles=0)
    row = desk.series()
    assert (row.seen_count, row.seen_sum, row.seen_realized) == (PAYOFF_SAMPLES_MAX, 5, 6)
    assert (row.seen_low, row.seen_high, row.seen_last) == (90_000, 150_000, 90_000)
