"""A venue in which much is liquidated: thin books, high leverage, votes that jump.

Markets 1 and 2 follow feed 0, so that one hedges the other; market 3 follows feed 1. Everything
follows from the seed, and spec and kernels run in lockstep.
"""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from quorate.codec import commands as c
from quorate.execution.machine import genesis_image
from quorate.sim.execution_fuzz import Lockstep
from quorate.sim.execution_world import Row, packed
from quorate.sim.liquidation_receipts import Receipts, terms_of
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.clearing_spec import ClearingSpec, FeedSpec, GlobalSpec, RiskSpec, VoterSpec
from quorate.types.codes import EventKind, Flag
from quorate.types.events import EVENT_READINGS
from quorate.types.records import Table

USD = 10**6
TIME_MS = 1_700_000_000_000
MARKETS = (1, 2, 3)
FEED_OF = {1: 0, 2: 0, 3: 1}
VOTERS = 3


def address(name: str) -> bytes:
    """Somebody's address."""
    return name.encode().ljust(20, b".")


def market(name: str, quantum_e6: int, schedule: int, lot_step: int = 1) -> MarketSpec:
    return MarketSpec(
        name, 2, 1, lot_step, quantum_e6, 20_000, 5_000 * lot_step, 20_000 * lot_step,
        0, 0, schedule, 0, 50_000, 0,
    )  # fmt: skip


RISK = RiskSpec(
    1,
    mark_clamp_ppm=0,
    basis_ema_ms=2**31,
    impact_notional_e6=100 * USD,
    premium_interval_ms=1_000,
    funding_interval_ms=7_000,
    price_far_ppm=0,
    slice_ppm=300_000,
    slice_min_e6=20 * USD,
    vault_notional_max_e6=600 * USD,
    insurance_draw_max_e6=40 * USD,
    disposal_interval_ms=3_000,
    disposal_full_lots=3,
    disposal_part_ppm=300_000,
    disposal_share_ppm=500_000,
    disposal_range_ppm=20_000,
)
GENESIS = Genesis(
    name="liquidation",
    chain_id=1,
    time_ms=TIME_MS,
    protocol_version=1,
    order_rule=0,
    fills_per_command_max=20,
    orders_examined_per_command_max=30,
    orders_per_account_max=12,
    faucet_e6_max=0,
    bridge=address("bridge"),
    governance=address("governance"),
    oracle=address("oracle"),
    assets=(AssetSpec("USD", 6),),
    fee_schedules=((FeeTier(0, 50, 300), FeeTier(10_000 * USD, -20, 200)),),
    margin_schedules=(
        (MarginTier(0, 50), MarginTier(500 * USD, 20)),
        (MarginTier(0, 25),),
    ),
    markets=(market("A", 10_000, 0), market("B", 3_333, 1, 2), market("C", 10_000, 0)),
    clearing=ClearingSpec(
        vault=address("vault"),
        feeds=(FeedSpec("F0", 1_000), FeedSpec("F1", 1_000)),
        voters=tuple(VoterSpec(address(f"voter{k}"), 1 + k) for k in range(VOTERS)),
        numbers=GlobalSpec(liquidations_max=6, gate_ms=20_000),
        markets=tuple(replace(RISK, market=m, feed=FEED_OF[m]) for m in MARKETS),
    ),
)


def without_backstop(genesis: Genesis = GENESIS) -> Genesis:
    """The same venue, whose vault and venue fund take nothing."""
    assert genesis.clearing is not None
    markets = tuple(
        replace(each, vault_notional_max_e6=0, insurance_draw_max_e6=0)
        for each in genesis.clearing.markets
    )
    return replace(genesis, clearing=replace(genesis.clearing, markets=markets))


class World:
    """Blocks of votes, orders, deposits and donations; both machines run them."""

    def __init__(
        self, seed: int, genesis: Genesis = GENESIS, people: int = 12, jump: float = 0.14
    ) -> None:
        self.rng = random.Random(f"liquidation {seed}")
        self.genesis = genesis
        self.lockstep = Lockstep(genesis_image(genesis), random.Random(seed))
        self.people = [f"p{k}" for k in range(people)]
        self.prices = [1_000.0, 1_000.0]
        self.height, self.time_ms, self.nonces = 0, TIME_MS, 0
        self.steps: Counter[int] = Counter()
        self.standings: Counter[int] = Counter()
        self.kinds: Counter[int] = Counter()
        self.isolates = True
        self.jump = jump
        self.receipts = Receipts(terms_of(genesis))
        if people:
            rows = [self.row("bridge", c.Deposit(0, address("vault"), 0, 500 * USD))]
            rows += [self.deposit(name) for name in self.people]
            self.run([*rows, self.row("bridge", c.Deposit(0, address("governance"), 0, USD))])
        else:
            self.run([self.row("bridge", c.Deposit(0, address("governance"), 0, USD))])

    # --- blocks ---------------------------------------------------------------------------------
    @property
    def t(self) -> Any:
        """The spec's tables."""
        return self.lockstep.spec.tables

    def row(self, name: str, *commands: c.Command) -> Row:
        self.nonces += 1
        data = c.encode_commands(commands)
        records = [data[at : at + 64] for at in range(0, len(data), 64)]
        return address(name), 0, self.time_ms + self.nonces % 10_000, 0, records

    def run(self, rows: list[Row], step_ms: int = 1_000) -> Any:
        self.height += 1
        self.time_ms += step_ms
        events = self.lockstep.step(packed(self.height, self.time_ms, rows))
        for event in events[events["kind"] == EventKind.LIQUIDATED]:
            self.steps[int(event["code"])] += 1
            self.standings[int(event["end"])] += 1
        self.kinds.update(events["kind"].tolist())
        wrong = self.receipts.block(events)
        assert not wrong, wrong[:6]
        return events

    def block(self) -> Any:
        """Draw and run the next block."""
        rng = self.rng
        rows = self.votes()
        for name in self.people:
            if rng.random() < 0.5:
                rows.append(self.row(name, *self.commands(name)))
            if rng.random() < 0.06:
                rows.append(self.deposit(name))
        if rng.random() < 0.1:
            rows.append(self.row("bridge", c.Deposit(0, address("vault"), 0, 60 * USD)))
        if rng.random() < 0.1:
            donor = rng.choice(self.people)
            rows.append(self.row(donor, c.Donate(rng.choice([0, 1, 2, 3]), 3 * USD)))
        rows += self.open_quarantine()
        rng.shuffle(rows)
        return self.run(rows, rng.choice([500, 1_000, 1_000, 2_000]))

    def votes(self) -> list[Row]:
        """Feeds drift, and jump now and then; a feed is silent for a while sometimes."""
        rng, found = self.rng, []
        for feed in (0, 1):
            draw = rng.random()
            if draw < 0.45:
                width = 0.004
            elif draw < 0.75:
                width = 0.012
            else:
                width = self.jump
            price = self.prices[feed] * (1 + rng.uniform(-width, width))
            price += (1_000 - price) * 0.02
            self.prices[feed] = min(max(price, 30.0), 15_000.0)
            ticks = int(self.prices[feed])
            for k in range(VOTERS):
                found.append(self.row(f"voter{k}", c.VotePrice(feed, ticks, ticks)))
        return found

    def deposit(self, name: str) -> Row:
        amount = self.rng.choice([20, 60, 150]) * USD
        return self.row("bridge", c.Deposit(0, address(name), 0, amount))

    def commands(self, name: str) -> list[c.Command]:
        rng = self.rng
        found: list[c.Command] = []
        if rng.random() < 0.3:
            found.append(c.CancelAll())
        if self.isolates and rng.random() < 0.2:
            found.append(c.Isolate(rng.choice(MARKETS), rng.choice([-5, 3, 10, 30]) * USD))
        for _ in range(rng.choice([1, 1, 2, 3])):
            number = rng.choice([1, 1, 2, 3])
            mark = self.t.row(Table.MARKETS, number).mark_ticks or 1_000
            side = rng.randrange(2)
            price = max(1, mark + rng.randrange(-6, 7))
            size = rng.choice([1, 2, 5, 10, 25, 60]) * (2 if number == 2 else 1)
            if rng.random() < 0.15:
                size *= 4
            flags = int(Flag.REDUCE_ONLY) if rng.random() < 0.1 else 0
            found.append(c.Place(number, side, price, size, 0, flags))
        return found

    def open_quarantine(self) -> list[Row]:
        """Governance lifts a quarantine after a while."""
        found = []
        for number in MARKETS:
            if self.t.row(Table.RISK, number).phase == 2 and self.rng.random() < 0.2:
                found.append(self.row("governance", c.SetStatus(number, 1)))
        return found

    def poke(self, table: Table, slot: int, **values: int) -> None:
        """Write into both states."""
        row = self.t.row(table, slot)
        for name, value in values.items():
            setattr(row, name, value)
            self.lockstep.kernel.rows(table)[slot][name] = value
            if self.lockstep.shadow is not None:
                self.lockstep.shadow.rows(table)[slot][name] = value
        self.t.put(table, slot, row)
        self.lockstep.before = self.lockstep.spec.image()

    # --- reading --------------------------------------------------------------------------------
    def account(self, name: str) -> int:
        """Number of somebody's account."""
        rows = self.t.rows[Table.ACCOUNTS]
        return next(at for at, row in rows.items() if row.address == address(name))


class Venue(World):
    """The same venue without draws: a test says who does what."""

    def __init__(self, genesis: Genesis = GENESIS) -> None:
        super().__init__(0, genesis, people=0)
        self.index(1_000, 1_000)

    def fund(self, **usd: int) -> None:
        """Deposits."""
        self.run([self.row("bridge", c.Deposit(0, address(name), 0, amount * USD))
                  for name, amount in usd.items()])

    def send(self, name: str, *commands: c.Command) -> Any:
        """A block of one bundle whose commands must succeed, with the votes as they were."""
        events = self.run([*self.votes_at(), self.row(name, *commands)])
        receipts = events[(events["kind"] == EventKind.RECEIPT)]
        assert not receipts["code"].any(), receipts["code"]
        return events

    def code(self, name: str, *commands: c.Command) -> int:
        """Code of the last receipt of a bundle."""
        events = self.run([*self.votes_at(), self.row(name, *commands)])
        rows = events[(events["kind"] == EventKind.RECEIPT) | (events["kind"] == EventKind.BUNDLE)]
        return int(rows[-1]["code"])

    def votes_at(self) -> list[Row]:
        """Everybody's votes for the present prices."""
        return [
            self.row(f"voter{k}", c.VotePrice(feed, int(price), int(price)))
            for feed, price in enumerate(self.prices)
            for k in range(VOTERS)
        ]

    def index(self, *prices: int) -> Any:
        """Move the indexes; the events of the tick in which marks and liquidations follow."""
        self.prices = [float(price) for price in prices]
        self.run(self.votes_at())
        return self.run(self.votes_at())

    def trade(self, buyer: str, seller: str, market: int, price: int, size: int) -> None:
        """Two people trade with one another."""
        self.send(seller, c.Place(market, 1, price, size))
        self.send(buyer, c.Place(market, 0, price, size, 2))

    def at(self, table: Table, slot: int) -> Any:
        """A row of the state."""
        return self.t.row(table, slot)

    def of(self, name: str) -> Any:
        """Somebody's account."""
        return self.t.row(Table.ACCOUNTS, self.account(name))

    def size(self, name: str, market: int) -> int:
        """Somebody's position in lots."""
        return next((p.size for p in self.of(name).positions if p.key == market), 0)


def readings(events: Any, kind: EventKind) -> Any:
    """The events of one kind, by their own names."""
    return np.ascontiguousarray(events[events["kind"] == kind]).view(EVENT_READINGS[kind.name])
