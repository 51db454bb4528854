"""Seeded people with little margin, on both machines: what no order may do to anybody's bucket.

Four people trade two markets with a clearing house and one without, cross and isolated, while a
hand moves marks, indexes, funding and guards between the blocks. Each block has one bundle of one
command; both machines agree on it and the checker finds the state sound.
"""

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.execution.spec.margin import Worth, bucket_worth, standing_of
from quorate.types.blocks import MarginTier
from quorate.types.clearing_codes import Guard, Standing
from quorate.types.codes import EventKind, Flag, MarketStatus, Reject, Tif
from quorate.types.records import POSITION_ISOLATED, Table
from tests.execution.clearing import LEGACY, MARK, OTHER, Clearing
from tests.execution.exchange import PERP, ROOMY, USD, address

PEOPLE = ("ann", "bob", "cat", "dan")
BLOCKS = 400
TIERS = (
    (MarginTier(0, 40), MarginTier(900_000 * USD, 10), MarginTier(2_500_000 * USD, 3)),
)


class Crowd:
    """What people do, and everybody's buckets before and after each of their commands."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"margin {seed}")
        draw = self.rng.choice
        # What others open may raise everybody's initial margin: only without it can ratios be held.
        self.scale = draw([0, 0, 20_000_000 * USD])
        self.ex = Clearing(
            replace(ROOMY, margin_schedules=TIERS),
            oi_lower_e6=draw([0, 2_000_000 * USD]),
            oi_upper_e6=self.scale,
            confidence_ppm=draw([0, 300_000]),
            oi_rise_lots=draw([0, 0, 25]),
            oi_cap_lots=draw([0, 0, 60]),
            price_far_ppm=draw([0, 50_000]),
        )
        for name in PEOPLE:
            self.ex.fund(name, usd=self.rng.choice([40_000, 150_000, 2_000_000]))
        self.codes: dict[Reject, int] = {}
        self.fills = self.below = 0

    # --- buckets ----------------------------------------------------------------------------
    def buckets(self) -> dict[tuple[str, int], Worth]:
        """Everybody's buckets."""
        t, found = self.ex.lockstep.spec.tables, {}
        for name in PEOPLE:
            row = self.ex.holder(name)
            keys = [p.key for p in row.positions if p.flags & POSITION_ISOLATED]
            for bucket in (0, *keys):
                found[name, bucket] = bucket_worth(t, row, bucket)
        return found

    def judge(self, before: dict[tuple[str, int], Worth], traded: set[str], fills: int) -> None:
        """Hold buckets after a command against those before it."""
        after = self.buckets()
        for (name, bucket), old in before.items():
            new = after.get((name, bucket))
            if new is None or name not in traded:
                continue
            if old.clears and old.equity >= old.maintenance:
                assert new.equity >= new.maintenance, (name, bucket, old, new)
            if self.scale or not old.initial or not new.initial:
                continue
            if standing_of(old) != Standing.HEALTHY:
                self.below += 1
                slack = Fraction(2 * fills + 2, new.initial)  # fees and margins, rounded up
                assert Fraction(new.equity, new.initial) + slack >= Fraction(
                    old.equity, old.initial
                ), (name, bucket, old, new)

    # --- what happens -----------------------------------------------------------------------
    def hand(self) -> None:
        """Move what ticks would move."""
        rng, ex = self.rng, self.ex
        market = rng.choice([PERP, PERP, OTHER, LEGACY])
        row = ex.state(Table.MARKETS, market)
        if rng.random() < 0.35:
            step = rng.choice([-3000, -700, -300, -100, 100, 300, 700, 3000])
            ex.mark(market, max(MARK // 2, min(row.mark_ticks + step, MARK * 3 // 2)))
        name = self.rng.choice(PEOPLE)
        if rng.random() < 0.02:
            status = rng.choice([MarketStatus.REDUCE_ONLY, MarketStatus.POST_ONLY])
            ex.poke(Table.ACCOUNTS, ex.account(name), switch=int(status))
        elif rng.random() < 0.1:
            worth = ex.worth(name)
            if worth.clears:
                ex.drain(name, rng.randrange(worth.maintenance // 2, worth.initial + 1))
        elif rng.random() < 0.2:
            ex.poke(Table.ACCOUNTS, ex.account(name), switch=0)
            ex.fund(name, usd=20_000)
        if market == LEGACY or rng.random() < 0.7:
            return
        now = ex.state(Table.RISK, market)
        move = rng.randrange(-90 * USD, 90 * USD) << now.funding_shift
        guard = rng.choice([Guard.NONE] * 16 + [Guard.NO_LIQUIDATION, Guard.REDUCE_ONLY])
        ex.poke(Table.RISK, market, funding_index=now.funding_index + move, guard=int(guard))
        mark = int(ex.state(Table.MARKETS, market).mark_ticks)
        price = mark + rng.randrange(-200, 200)
        ex.poke(Table.FEEDS, now.feed, price_ticks=price, confidence_ppm=rng.choice([0, 10**6]))

    def command(self) -> c.Command:
        rng = self.rng
        market = rng.choice([PERP, PERP, PERP, OTHER, LEGACY])
        draw = rng.random()
        if draw < 0.1:
            amount = rng.choice([5_000, 20_000, 60_000, -1_000, -10_000, -60_000]) * USD
            return c.Isolate(rng.choice([PERP, OTHER]), amount)
        if draw < 0.16:
            return c.CancelAll(rng.choice([0, market]))
        if draw < 0.22:
            return c.Withdraw(0, address("ann"), rng.choice([100, 2_000, 300_000]) * USD)
        if draw < 0.26:
            return c.Modify(rng.randrange(1, 600), MARK + rng.randrange(-400, 400), 5)
        mark = int(self.ex.state(Table.MARKETS, market).mark_ticks)
        away = rng.choice([-2500, -300, 300, 2500]) if rng.random() < 0.1 else 0
        price = mark + rng.choice([-40, -40, 0, 0, 0, 0, 40, 40]) + away
        tif = rng.choice([Tif.GTC] * 6 + [Tif.IOC, Tif.FOK])
        flags = rng.choice([0] * 7 + [Flag.REDUCE_ONLY])
        if rng.random() < 0.2:
            price, tif, flags = 0, Tif.IOC, flags | Flag.MARKET
        lots = rng.choice([1, 2, 3, 5, 10, 20])
        return c.Place(market, rng.randrange(2), price, lots, int(tif), int(flags))

    def run(self, blocks: int) -> None:
        """Let them."""
        for _ in range(blocks):
            self.hand()
            name, command = self.rng.choice(PEOPLE), self.command()
            before = self.buckets()
            events: Any = self.ex.send(name, command)
            fills = events[events["kind"] == EventKind.FILL]
            names = {self.ex.account(one): one for one in PEOPLE}
            makers = {names[int(slot)] for slot in fills["counter_account"]}
            self.fills += len(fills)
            code = Reject(int(events[-1]["code"]))
            self.codes[code] = self.codes.get(code, 0) + 1
            if isinstance(command, c.Place) and command.tif == Tif.FOK and not code:
                assert int(fills["size"].sum()) == command.size or command.flags
            # Cancelling is not trading: with less required, negative equity weighs more.
            acting = {name} if not isinstance(command, c.CancelAll) and not code else set[str]()
            self.judge(before, makers | acting, len(fills))


def test_a_short_life() -> None:
    crowd = Crowd(0)
    crowd.run(60)
    assert crowd.fills


@pytest.mark.slow
def test_crowds_keep_the_rules() -> None:
    codes: dict[Reject, int] = {}
    fills = below = 0
    for seed in range(8):
        crowd = Crowd(seed)
        crowd.run(BLOCKS)
        fills, below = fills + crowd.fills, below + crowd.below
        for code, count in crowd.codes.items():
            codes[code] = codes.get(code, 0) + count
    assert fills > 100 and below > 50
    for code in (
        Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE,
        Reject.ISOLATED_MARGIN_INSUFFICIENT,
        Reject.POSITION_MUST_BE_FLAT_FIRST,
        Reject.PRICE_TOO_FAR_FROM_INDEX,
        Reject.INDEX_STALE_REDUCE_ONLY,
    ):
        assert codes.get(code, 0) > 3, code.name
