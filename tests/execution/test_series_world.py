"""Seeded worlds of series: listed, traded, expired, fixed and settled while votes come and go.

Both machines in lockstep, restored and squeezed now and then; money is conserved in every block,
and each series ends with nobody in it.
"""

import random
from itertools import pairwise
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetSeries
from quorate.types.codes import EventKind
from quorate.types.options_codes import ExpiryState, ObservationRule, SeriesState
from quorate.types.records import Table
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import USD, address
from tests.execution.options_exchange import PRICES, SERIES, product
from tests.execution.series_desk import PEOPLE, STEP_MS, SeriesDesk

FLAG, PAID = (0, 1), (0, 50_000)
NONE, BLOCK = ObservationRule.NONE, ObservationRule.BLOCK
SAMPLED, CLOSE = ObservationRule.SAMPLED, ObservationRule.CLOSE
# Text, what it names beside a strike or an upper barrier, the series' parameter, what it observes.
PRODUCTS = (
    ("max(strike - fix, 0)", {"fix": PRICES, "strike": PRICES}, {"strike": 101_000}, NONE),
    ("fix", {"fix": PRICES}, {}, NONE),
    (
        "if touched_up then rebate else 0",
        {"touched_up": FLAG, "upper": PRICES, "rebate": PAID},
        {"upper": 101_500, "rebate": 900},
        BLOCK,
    ),
    ("max(avg - strike, 0)", {"avg": PRICES, "strike": PRICES}, {"strike": 99_000}, SAMPLED),
    ("max(high - strike, 0)", {"high": PRICES, "strike": PRICES}, {"strike": 99_000}, CLOSE),
)


class World:
    """A desk with an option of each product over two expiries, and one without expiry."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.desk = desk = SeriesDesk(fixing_window_ms=80_000)
        desk.lockstep.rng.seed(seed)
        desk.opened(hours=5)
        expiries = [desk.series().expiry_ms, desk.series().expiry_ms + 3_600_000]
        for number, (text, ranges, values, rule) in enumerate(PRODUCTS, start=1):
            sample_ms = 60_000 if rule == ObservationRule.SAMPLED else 0
            desk.ok("governance", product(number, text, ranges, rule=rule, sample_ms=sample_ms))
            market = desk.ledger().markets_high
            desk.market_made(market, mark_clamp_ppm=self.rng.choice([0, 50_000]))
            desk.ok("governance", SetSeries(market, number, expiries[number % 2], **values))
        market = desk.ledger().markets_high
        spots = {"spot": PRICES, "strike": PRICES}
        desk.ok("governance", product(len(PRODUCTS) + 1, "max(spot - strike, 0)", spots))
        desk.market_made(market)
        desk.ok("governance", SetSeries(market, len(PRODUCTS) + 1, 0, strike=97_000))
        self.everlasting, self.markets = market, list(range(SERIES, market + 1))
        self.price = 100_000
        desk.marked(smiles=2)
        self.money = desk.money()

    def run(self, blocks: int) -> None:
        """So many blocks; money is the same after each."""
        desk, rng = self.desk, self.rng
        for _ in range(blocks):
            self.price = min(max(self.price + rng.randrange(-400, 401), 80_000), 125_000)
            index = 0 if rng.random() < 0.1 else self.price
            smiles = rng.choice([0, 0, 1, 2])
            open_rows = [at for at in range(2) if desk.expiry(at).state == ExpiryState.OPEN]
            step_ms = rng.choice([1_000, 2_000, 2_000, STEP_MS, STEP_MS, 9_000])
            more = [self.bundle() for _ in range(rng.randrange(2, 6))]
            if smiles and index:
                for at in open_rows[:smiles]:
                    more += desk.smile_rows(at, index + rng.randrange(-200, 201))
            desk.beat(index, *more, smiles=0, step_ms=step_ms)
            assert desk.money() == self.money
            desk.lockstep.vary()

    def bundle(self) -> Any:
        """Somebody's orders, cancels, triggers or isolation in some series."""
        desk, rng = self.desk, self.rng
        market = rng.choice(self.markets)
        mark = max(desk.market(market).mark_ticks, 1)
        side, lots = rng.randrange(2), rng.randrange(1, 20)
        price = max(mark + rng.randrange(-mark // 20 - 3, mark // 20 + 4), 1)
        command: Any = c.Place(market, side, price, lots)
        draw = rng.random()
        if draw < 0.1:
            command = c.CancelAll(market)
        elif draw < 0.15:
            command = c.Isolate(market, rng.randrange(1, 50) * 100 * USD)
        elif draw < 0.2:
            command = c.Trigger(market, side, rng.randrange(2), price)
        return desk.row(address(rng.choice(PEOPLE)), command)

    def expire(self, slot: int) -> list[Any]:
        """Let an expiry come and its series settle; give the events of payments."""
        desk, paid = self.desk, list[Any]()
        desk.to(max(desk.expiry(slot).expiry_ms - 90_000, desk.time_ms + STEP_MS))
        for _ in range(200):
            index = 0 if self.rng.random() < 0.1 else self.price
            events = desk.beat(index, smiles=0)
            paid.extend(readings(events, EventKind.SETTLED))
            assert desk.money() == self.money
            if desk.expiry(slot).state == ExpiryState.FREE:
                return paid
        raise AssertionError("not settled")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_world_of_series_ends_with_nobody_in_it(seed: int) -> None:
    world = World(seed)
    desk = world.desk
    world.run(60)
    sums: dict[int, int] = {}
    for slot in range(2):
        for each in world.expire(slot):
            sums[int(each["market"])] = sums.get(int(each["market"]), 0) + int(each["cash_e6"])
        world.run(25)
    assert sums and not any(sums.values())
    for market in world.markets[:-1]:
        assert desk.series(market).state == SeriesState.SETTLED
        assert desk.market(market).open_interest_lots == desk.market(market).orders_count == 0
        assert not any(desk.position(name, market) for name in PEOPLE)
    assert desk.series(world.everlasting).state == SeriesState.LIVE
    assert desk.ledger().series_live == 1


@pytest.mark.slow
def test_funding_of_a_perpetual_series_sums_to_its_pool() -> None:
    world = World(7)
    desk, market = world.desk, world.everlasting
    marks = []
    for _ in range(40):
        world.run(4)
        marks.append(desk.risk(market).funding_index)
    assert any(a != b for a, b in pairwise(marks))
    risk, owed = desk.risk(market), 0
    shift = risk.funding_shift
    for row in desk.lockstep.spec.tables.rows[Table.ACCOUNTS].values():
        for each in row.positions:
            if each.key == market:
                owed += each.size * (risk.funding_index - each.funding_index)
    rounding = 2 * len(PEOPLE) * 200
    assert 0 <= risk.funding_pool_e6 + (owed >> shift) <= rounding
