"""Fixings against a model of the rule in plain Python, over ticks that come as they like."""

import random
from itertools import pairwise

import pytest

from quorate.execution import series_rules
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import EventKind
from quorate.types.options_codes import ExpiryState
from tests.execution.clearing_exchange import readings
from tests.execution.series_desk import SeriesDesk

WINDOW_MS, SAMPLE_MS = 120_000, 4_000
LEAST = 15
MINUTE_MS = 60_000


class Model:
    """A fixing, written down from its description: samples by the multiple that they belong to."""

    def __init__(self, expiry_ms: int) -> None:
        self.expiry_ms = expiry_ms
        self.looked: set[int] = set()
        self.samples: dict[int, int] = {}

    def tick(self, time_ms: int, price: int | None) -> int | None:
        """A tick with a fresh price, or None; give the fixing once there is one."""
        multiple = time_ms - time_ms % SAMPLE_MS
        if multiple not in self.looked and multiple > self.expiry_ms - WINDOW_MS:
            self.looked.add(multiple)
            late = multiple > self.expiry_ms
            if price is not None and (not late or len(self.samples) < LEAST):
                self.samples[multiple] = price
        if time_ms >= self.expiry_ms and len(self.samples) >= LEAST:
            return sum(self.samples.values()) // len(self.samples)
        return None

    def missing(self) -> int:
        """Multiples of the window without a sample, once all have passed."""
        within = [each for each in self.samples if each <= self.expiry_ms]
        return WINDOW_MS // SAMPLE_MS - len(within)


def against_the_model(seed: int, step_most_ms: int, silent: float, gap_ms: int) -> None:
    """Let both machines and the model see the same ticks until the expiry is fixed."""
    rng = random.Random(seed)
    desk = SeriesDesk(fixing_window_ms=WINDOW_MS)
    desk.opened()
    expiry_ms = desk.expiry(0).expiry_ms
    model = Model(expiry_ms)
    desk.to(expiry_ms - WINDOW_MS - 20_000)
    gap_at = rng.randrange(3, 8) if gap_ms else 0
    price = 100_000
    for at in range(2_000):
        price = max(price + rng.randrange(-300, 301), 1)
        step_ms = rng.randrange(1_000, step_most_ms + 1)
        if at == gap_at:
            step_ms += gap_ms
        events = desk.beat(0 if rng.random() < silent else price, smiles=0, step_ms=step_ms)
        feed = desk.feed()
        fresh = feed.state == FeedState.FRESH
        fixing = model.tick(desk.time_ms, feed.price_ticks if fresh else None)
        fixed = readings(events, EventKind.FIXED)
        assert bool(len(fixed)) == (fixing is not None)
        if fixing is not None:
            (row,) = fixed
            assert row["fix_ticks"] == fixing
            assert row["samples_count"] == len(model.samples)
            assert row["missing_count"] == model.missing()
            assert row["sum"] == sum(model.samples.values())
            return
        row = desk.expiry(0)
        assert (row.state, row.fix_count) == (ExpiryState.OPEN, len(model.samples))
    raise AssertionError("never fixed")


@pytest.mark.parametrize(
    ("step_most_ms", "silent", "gap_ms"),
    [
        (3_000, 0.0, 0),  # ticks nearer to each other than samples
        (9_000, 0.1, 0),
        (30_000, 0.0, 0),  # and further apart: too few within the window
        (12_000, 0.5, 0),  # an oracle that is stale half of the time
        (6_000, 0.2, 40_000),  # a chain that halts within the window
        (6_000, 0.2, 3_600_000),  # and over the expiry
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fixings_follow_the_model(
    seed: int, step_most_ms: int, silent: float, gap_ms: int
) -> None:
    against_the_model(seed, step_most_ms, silent, gap_ms)


def test_the_forward_looking_part() -> None:
    """FORMULAS 13: 15 minutes left, mean 1646 so far, forward 1652."""
    assert series_rules.fixing_forward(1646 * 225, 225, 225, 1652) == 1649
    assert series_rules.fixing_least(30 * MINUTE_MS, SAMPLE_MS) == 225
    expiry_ms = 1_700_000_000_000
    for before_ms, ahead in ((31 * MINUTE_MS, 450), (15 * MINUTE_MS, 225), (0, 0)):
        left = series_rules.fixing_remaining(
            expiry_ms - before_ms, expiry_ms, 30 * MINUTE_MS, SAMPLE_MS
        )
        assert left == ahead


def test_the_time_of_a_mean_is_continuous_and_falls() -> None:
    lefts = range(0, 2 * WINDOW_MS, 1_000)
    times = [series_rules.fixing_time_ms(left, WINDOW_MS) for left in lefts]
    assert times == sorted(times)
    assert abs(series_rules.fixing_time_ms(WINDOW_MS, WINDOW_MS) - WINDOW_MS // 3) <= 1
    assert all(b - a <= 1_000 for a, b in pairwise(times))
