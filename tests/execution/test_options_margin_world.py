"""Seeded worlds in which people with little money trade options under either way of margin.

Both machines in lockstep, restored now and then; indexes jump, so that liquidations happen. Money
is conserved in every block, and nobody comes below maintenance
by an order of his own.
"""

import random
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetMarginMode, SetSeries
from quorate.execution.spec.margin import bucket_worth
from quorate.types.clearing_codes import LiquidationStep
from quorate.types.codes import EventKind
from quorate.types.options_codes import ObservationRule
from quorate.types.records import Table
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import PERP, USD, address
from tests.execution.options_exchange import PRICES, SERIES, product
from tests.execution.series_desk import PEOPLE, SeriesDesk

PRODUCTS: tuple[tuple[str, dict[str, Any], dict[str, int], ObservationRule], ...] = (
    ("max(strike - fix, 0)", {"fix": PRICES, "strike": PRICES}, {"strike": 98_000},
     ObservationRule.NONE),
    ("max(fix - strike, 0)", {"fix": PRICES, "strike": PRICES}, {"strike": 104_000},
     ObservationRule.NONE),
    ("if high >= upper then rebate else 0",
     {"high": PRICES, "upper": PRICES, "rebate": (0, 9_000)},
     {"upper": 103_000, "rebate": 3_000}, ObservationRule.BLOCK),
    ("max(avg - strike, 0)", {"avg": PRICES, "strike": PRICES}, {"strike": 99_000},
     ObservationRule.SAMPLED),
)  # fmt: skip


class World:
    """A desk with calls, a put, a touch and an average on one feed, beside its perpetual."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.desk = desk = SeriesDesk()
        desk.lockstep.rng.seed(seed)
        desk.opened(hours=24 * 7)
        for number, (text, ranges, values, rule) in enumerate(PRODUCTS, start=1):
            sample_ms = 60_000 if rule == ObservationRule.SAMPLED else 0
            desk.ok("governance", product(number, text, ranges, rule=rule, sample_ms=sample_ms))
            market = desk.ledger().markets_high
            desk.market_made(market)
            expiry_ms = desk.series().expiry_ms
            desk.ok("governance", SetSeries(market, number, expiry_ms, **values))
        self.markets = [*range(SERIES, SERIES + 1 + len(PRODUCTS)), PERP]
        self.price, self.drift = 100_000, 700
        desk.marked()
        for name in PEOPLE[1:]:
            desk.ok(name, c.Withdraw(0, address(name), 980_000 * USD))
        self.money = desk.money()
        self.steps: set[int] = set()

    def run(self, blocks: int) -> None:
        """So many blocks."""
        desk, rng = self.desk, self.rng
        for _ in range(blocks):
            if rng.random() < 0.1:
                self.drift = rng.choice([-700, 0, 700])
            move = self.drift + rng.randrange(-300, 301)
            self.price = min(max(self.price + move, 80_000), 125_000)
            index = 0 if rng.random() < 0.05 else self.price
            more = [self.bundle() for _ in range(rng.randrange(5))]
            events = desk.beat(index, *more, smiles=rng.randrange(2))
            self.steps |= {int(each["code"]) for each in readings(events, EventKind.LIQUIDATED)}
            assert desk.money() == self.money
            desk.lockstep.vary()
            self.orders_hold()

    def orders_hold(self) -> None:
        """In a block that is no tick, an order never takes its owner below maintenance."""
        t = self.desk.lockstep.spec.tables
        slots = [self.desk.account(name) for name in PEOPLE]
        before = {at: bucket_worth(t, t.row(Table.ACCOUNTS, at)) for at in slots}
        self.desk.rows(*[self.bundle() for _ in range(2)], step_ms=1)
        for at in slots:
            was, now = before[at], bucket_worth(t, t.row(Table.ACCOUNTS, at))
            if was.equity >= was.maintenance:
                assert now.equity >= now.maintenance, (at, was, now)

    def bundle(self) -> Any:
        """Somebody's order, cancel, isolation or choice."""
        desk, rng = self.desk, self.rng
        market = rng.choice(self.markets)
        mark = max(desk.market(market).mark_ticks, 1)
        side = rng.randrange(2)
        lots = rng.randrange(1, 4) if market == PERP else rng.randrange(1, 400)
        price = max(mark + rng.randrange(-mark // 40 - 3, mark // 40 + 4), 1)
        command: Any = c.Place(market, side, price, lots)
        draw = rng.random()
        if draw < 0.1:
            command = c.CancelAll(market)
        elif draw < 0.13:
            command = c.Isolate(market, rng.randrange(1, 30) * 100 * USD)
        elif draw < 0.2:
            command = SetMarginMode(rng.randrange(2))
        return desk.row(address(rng.choice(PEOPLE)), command)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_worlds_of_options_on_little_margin(seed: int) -> None:
    world = World(seed)
    world.run(100)
    assert world.steps - {int(LiquidationStep.CANCELLED_ORDERS)}
