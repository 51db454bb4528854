"""A seeded world of auctions, batches, bands, gaps and changes, and a second opinion on each price.

The opinion knows events alone: it keeps the book from receipts, cancels and fills, tries every
price by brute force, and deals the lots out by price and time.
"""

import random
from typing import Any

from quorate.codec import commands as c
from quorate.types.clearing_spec import BandSpec
from quorate.types.codes import EventKind, Flag, Tif
from quorate.types.records import NO_BUNDLE, Table
from tests.execution.clearing_exchange import ALT, VOTERS, House, house, readings
from tests.execution.exchange import PERP, address

PEOPLE = ("ann", "ben", "cat", "dan", "eve")
BANDS = (BandSpec(8_000, 20_000, 15_000, 4_000), BandSpec(40_000, 60_000, 50_000, 9_000))


class Book:
    """Open orders of one market: id -> [side, price, lots, account]."""

    def __init__(self) -> None:
        self.orders: dict[int, list[int]] = {}

    def note(self, event: Any) -> None:
        """Follow one event of the market."""
        kind, order = int(event["kind"]), int(event["order_id"])
        if kind == EventKind.RECEIPT and not event["code"] and order and event["remaining"]:
            side, price, lots = (int(event[name]) for name in ("side", "price", "remaining"))
            self.orders[order] = [side, price, lots, int(event["account"])]
        elif kind == EventKind.CANCELLED:
            self.orders.pop(order, None)
        elif kind == EventKind.REDUCED:
            self.orders[order][2] = int(event["remaining"])
        elif kind == EventKind.FILL:
            for one in (order, int(event["counter_order_id"])):
                if one in self.orders:
                    self.orders[one][2] -= int(event["size"])
                    if not self.orders[one][2]:
                        del self.orders[one]

    def crossed(self) -> bool:
        """Whether a bid reaches an ask."""
        bids = [price for side, price, _, _ in self.orders.values() if side == 0]
        asks = [price for side, price, _, _ in self.orders.values() if side == 1]
        return bool(bids and asks and max(bids) >= min(asks))

    def price(self, mark: int) -> tuple[int, int, int]:
        """Price, lots and surplus by trying every price from the lowest to the highest order."""
        prices = [price for _, price, _, _ in self.orders.values()]
        best: tuple[int, int, int, int] | None = None
        for at in range(min(prices), max(prices) + 1):
            bids = sum(o[2] for o in self.orders.values() if o[0] == 0 and o[1] >= at)
            asks = sum(o[2] for o in self.orders.values() if o[0] == 1 and o[1] <= at)
            rank = (-min(bids, asks), abs(bids - asks), abs(at - mark), at)
            if best is None or rank < best:
                best = rank
        assert best is not None
        return best[3], -best[0], best[1]

    def shares(self, price: int, lots: int) -> dict[int, int]:
        """Lots of each order by price and then time, `lots` on each side."""
        found: dict[int, int] = {}
        for side, sign in ((0, -1), (1, 1)):
            left = lots
            in_line = sorted(
                (sign * o[1], order) for order, o in self.orders.items()
                if o[0] == side and sign * o[1] <= sign * price
            )  # fmt: skip
            for _, order in in_line:
                take = min(left, self.orders[order][2])
                if take:
                    found[order] = take
                left -= take
            assert not left
        return found


class Opinion:
    """Judges the events of every block."""

    def __init__(self) -> None:
        self.books = {PERP: Book(), ALT: Book()}
        self.auctions = self.lots = 0

    def block(self, events: Any, marks: dict[int, int]) -> None:
        """Judge a block. marks: each market's before its auctions."""
        # Fills of liquidations come before the commands, those of uncrossings behind them.
        steps = [k for k, e in enumerate(events) if e["kind"] == EventKind.LIQUIDATED]
        liquidated = steps[-1] if steps else -1
        for market, book in self.books.items():
            mine = [(k, e) for k, e in enumerate(events) if int(e["market"]) == market]
            uncrossed: list[Any] = []
            expected: tuple[int, int, int] | None = None
            shares: dict[int, int] = {}
            for k, event in mine:
                own = event["kind"] == EventKind.FILL and event["bundle"] == NO_BUNDLE
                if own and k > liquidated:
                    if expected is None:
                        expected = book.price(marks[market])
                        shares = book.shares(expected[0], expected[1])
                    assert int(event["price"]) == expected[0]
                    assert event["account"] != event["counter_account"]
                    uncrossed.append(event)
                book.note(event)
            if expected is None:
                continue
            got: dict[int, int] = {}
            for event in uncrossed:
                for name in ("order_id", "counter_order_id"):
                    got[int(event[name])] = got.get(int(event[name]), 0) + int(event["size"])
            assert got == shares, "not by price and time, or somebody was left out"
            assert not book.crossed()
            ended = [e for e in readings(events, EventKind.AUCTION_ENDED) if e["market"] == market]
            assert [(e["price_ticks"], e["lots"], e["surplus_lots"]) for e in ended] == [expected]
            self.auctions += 1
            self.lots += expected[1]


class AuctionWorld:
    """People who trade around an index that wanders, in two markets; seeded."""

    def __init__(self, seed: int, modes: tuple[int, int] = (1, 2)) -> None:
        self.rng = random.Random(f"auctions {seed}")
        genesis = house({"gap_auctions": 1, "notice_blocks": 3}, BANDS, mark_clamp_ppm=10_000)
        self.x = House(genesis)
        self.index = 1_000
        self.x.fund(*PEOPLE[:-1], usd=60_000)
        self.x.fund(PEOPLE[-1], usd=300)
        self.x.index(self.index)
        self.x.index(self.index, feed=1)
        for market, mode in zip((PERP, ALT), modes, strict=True):
            if mode != 1:
                self.x.ok("governance", c.SetRisk(market, 0, mode))
        for market in (PERP, ALT):
            self.x.doctor(Table.MARKETS, market, mark_ticks=self.index)
        self.x.lockstep.checks = True
        self.opinion = Opinion()

    def price(self) -> int:
        """A price near the index, now and then far from it."""
        wide = self.rng.choice((5, 15, 40))
        return max(1, self.index + self.rng.randint(-wide, wide))

    def order(self) -> c.Command:
        """A new order of any kind."""
        rng = self.rng
        market, side = rng.choice((PERP, ALT)), rng.randrange(2)
        tif = rng.choices((Tif.GTC, Tif.GTT, Tif.IOC, Tif.FOK), (12, 2, 2, 1))[0]
        expiry = self.x.time_ms + 1_000 * rng.randint(2, 20) if tif == Tif.GTT else 0
        flags = rng.choice((0, 0, 0, Flag.REDUCE_ONLY))
        flags |= rng.randrange(4) << Flag.STP_SHIFT
        if tif <= Tif.GTT and rng.random() < 0.1:
            flags |= Flag.POST_ONLY
        return c.Place(market, side, self.price(), rng.randint(1, 9), tif, flags, expiry)

    def command(self) -> c.Command:
        """Mostly orders, else a cancel or a change of one."""
        rng, draw = self.rng, self.rng.random()
        orders = [row.order_id for row in self.x.lockstep.spec.tables.rows[Table.ORDERS].values()
                  if row.order_id]
        if draw < 0.8 or not orders:
            return self.order()
        if draw < 0.92:
            return c.Cancel(rng.choice(orders))
        return c.Modify(rng.choice(orders), self.price(), rng.randint(1, 9))

    def governed(self) -> list[c.Command]:
        """What governance does now and then."""
        rng, market = self.rng, self.rng.choice((PERP, ALT))
        soon = self.x.height + rng.randint(1, 9)
        return [rng.choice((
            c.SetRisk(market, 2, rng.choice((0, 5_000, 20_000)), rng.choice((0, soon))),
            c.SetGlobal(0, rng.choice((500, 1_000, 3_000)), rng.choice((0, soon))),
            c.ScheduleTier(rng.randrange(3), rng.choice((0, 10**13, 10**14)), rng.choice((40, 20)),
                           rng.choice((0, soon))),
            c.SetBand(market, rng.randrange(4), rng.choice((4_000, 20_000)), 30_000, 25_000,
                      rng.choice((0, 3_000))),
            c.SetStatus(market, 1), c.SetStatus(market, 1),
            c.SetStatus(market, rng.choice((2, 3, 4))),
            c.SetMarginTier(0, 0, 40),
            c.SetSwitch(rng.choice((0, 1)), rng.choice((1, 2))),
        ))]  # fmt: skip

    def block(self) -> Any:
        """Run a block, have it judged, give its events."""
        rng, x = self.rng, self.x
        self.index = max(500, self.index + rng.choice((0, 0, 0, 1, -1, 3, -3, 25, -25)))
        rows = x.vote_rows(rng.randrange(2), *[self.index] * len(VOTERS))
        for _ in range(rng.randint(0, 5)):
            commands = [self.command() for _ in range(rng.randint(1, 3))]
            rows.append(x.row(address(rng.choice(PEOPLE)), *commands))
        if rng.random() < 0.1:
            rows.append(x.row(address("governance"), *self.governed()))
        step_ms = rng.choices((1_000, 2_500, 12_000), (40, 8, 1))[0]
        events = x.rows(*rows, step_ms=step_ms)
        marks = {market: x.at(Table.MARKETS, market).mark_ticks for market in (PERP, ALT)}
        self.opinion.block(events, marks)
        return events
