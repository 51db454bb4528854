"""Order flows that are bad for a book, each a named shape; `kernel.worst` is the slowest.

A shape is a preparation and a block that is run again and again. What counts is work: commands,
fills and resting orders examined together, since one command may be made to look at thousands.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from quorate.codec.commands import command_rows
from quorate.sim.flow import GENESIS_MS, PRICE_MID, Block
from quorate.types.codes import Op, Side, Tif
from quorate.types.records import ADMITTED

BUY, SELL = int(Side.BUY), int(Side.SELL)
IOC, FOK = int(Tif.IOC), int(Tif.FOK)


class Writer:
    """Builds blocks in which given accounts each send a run of commands."""

    def __init__(self, addresses: Any, height: int, seed: int) -> None:
        self.addresses = addresses
        self.height = height
        self.rng = np.random.default_rng(seed)

    def block(self, commands: Any, size: int, who: Any = None) -> Block:
        """Split commands into bundles of `size`; bundle i comes from account who[i]."""
        self.height += 1
        time_ms = GENESIS_MS + 200 * self.height
        count = -(-len(commands) // size)
        if who is None:
            who = np.arange(count) % len(self.addresses)
        rows = np.zeros(count, ADMITTED)
        rows["signer"] = self.addresses[who]
        # An account may send several bundles in a block.
        rows["nonce"] = time_ms + np.arange(count) // len(self.addresses)
        rows["first"] = np.arange(count) * size
        rows["count"] = np.minimum(size, len(commands) - rows["first"])
        rows["kind"] = 1
        return Block(self.height, time_ms, rows, commands)


def places(count: int, **columns: Any) -> Any:
    """Place commands of market 1 unless told otherwise."""
    return command_rows(Op.PLACE, count, **{"market": 1, "size": 1, **columns})


Shape = Callable[[Writer], Iterator[Block | None]]
# A shape yields its preparing blocks, then None, then measured blocks without end.


def sparse_levels(w: Writer) -> Iterator[Block | None]:
    """Every order opens a level of its own, far from the others; the next bundle cancels them."""
    n = 20_000
    yield None
    while True:
        prices = w.rng.choice(PRICE_MID - 1000, n, replace=False) + 1
        made = places(n, side=BUY, price=prices, cloid_lo=np.arange(1, n + 1))
        yield w.block(made, 50)
        yield w.block(command_rows(Op.CANCEL_CLIENT, n, cloid_lo=np.arange(1, n + 1)), 50)


def long_queue(w: Writer) -> Iterator[Block | None]:
    """One level with 100,000 orders; orders leave its middle and join its end."""
    n = 100_000
    ids = np.arange(1, n + 1)
    yield w.block(places(n, side=BUY, price=PRICE_MID - 50, cloid_lo=ids), 50)
    yield None
    while True:
        at = (w.rng.integers(0, n // 100, 200)[:, None] * 100 + np.arange(50)).reshape(-1)
        at = at.reshape(-1, 50)[np.unique(at.reshape(-1, 50)[:, 0], return_index=True)[1]]
        who = at[:, 0] // 50
        flat = ids[at.reshape(-1)]
        yield w.block(command_rows(Op.CANCEL_CLIENT, len(flat), cloid_lo=flat), 50, who)
        again = places(len(flat), side=BUY, price=PRICE_MID - 50, cloid_lo=flat)
        yield w.block(again, 50, who)


def cancel_storm(w: Writer) -> Iterator[Block | None]:
    """Orders at 1,000 levels, placed by one block and cancelled by the next, oldest first."""
    n = 50_000
    ids = np.arange(1, n + 1)
    yield None
    while True:
        price = PRICE_MID - 1 - w.rng.integers(0, 1000, n)
        yield w.block(places(n, side=BUY, price=price, cloid_lo=ids), 50)
        yield w.block(command_rows(Op.CANCEL_CLIENT, n, cloid_lo=ids), 50)


def static_book(w: Writer) -> Iterator[Block | None]:
    """A deep book that never moves, and a stream of orders that join and leave at its top."""
    deep = 200_000
    price = PRICE_MID - 500 - w.rng.integers(0, 5000, deep)
    yield w.block(places(deep, side=BUY, price=price), 100)
    yield None
    n = 20_000
    ids = np.arange(1, n + 1)
    while True:
        yield w.block(places(n, side=BUY, price=PRICE_MID - 10 + ids % 9, cloid_lo=ids), 50)
        yield w.block(command_rows(Op.CANCEL_CLIENT, n, cloid_lo=ids), 50)


def sweeps(w: Writer) -> Iterator[Block | None]:
    """Makers fill 4,000 levels with one order each; one taker then sweeps them all."""
    levels = 4_000
    yield None
    while True:
        price = PRICE_MID + 1 + w.rng.permutation(levels)
        yield w.block(places(levels, side=SELL, price=price), 50)
        last = len(w.addresses) - 1
        take = places(1, side=BUY, price=PRICE_MID + levels, size=levels, tif=IOC)
        yield w.block(take, 1, np.array([last]))
        price = PRICE_MID - 1 - w.rng.permutation(levels)
        yield w.block(places(levels, side=BUY, price=price), 50)
        take = places(1, side=SELL, price=PRICE_MID - levels, size=levels, tif=IOC)
        yield w.block(take, 1, np.array([last]))


def failing_fok(w: Writer) -> Iterator[Block | None]:
    """Fill-or-kill orders that look at 4,000 resting orders of as many accounts and then fail."""
    deep = 4_000
    who = np.arange(deep)
    yield w.block(places(deep, side=SELL, price=PRICE_MID + 1 + who), 1, who)
    yield None
    n = 200
    while True:
        kill = places(n, side=BUY, price=PRICE_MID + deep, size=deep + 5, tif=FOK)
        yield w.block(kill, 1, len(w.addresses) - 1 - np.arange(n))


def powers(w: Writer) -> Iterator[Block | None]:
    """Prices at powers of two, which make the search tree as deep as the price has bits."""
    bits = np.minimum(2 ** np.arange(1, 17), PRICE_MID - 1)
    n = 16_000
    ids = np.arange(1, n + 1)
    yield None
    while True:
        price = np.maximum(bits[ids % len(bits)] - (ids // len(bits)) % 3, 1)
        yield w.block(places(n, side=BUY, price=price, cloid_lo=ids), 16)
        yield w.block(command_rows(Op.CANCEL_CLIENT, n, cloid_lo=ids), 16)


def wide_accounts(w: Writer) -> Iterator[Block | None]:
    """Every account has orders in all 60 markets, so that each margin check looks at 60 rows."""
    markets = 60
    accounts = 500
    who = np.arange(accounts)
    market = np.tile(np.arange(1, markets + 1), accounts)
    yield w.block(places(len(market), market=market, side=BUY, price=90_000), markets, who)
    yield None
    ids = np.arange(1, accounts * 20 + 1)
    while True:
        made = places(
            len(ids), market=1 + ids % markets, side=BUY, price=89_000 + ids % 7, cloid_lo=ids
        )
        yield w.block(made, 20, who)
        yield w.block(command_rows(Op.CANCEL_CLIENT, len(ids), cloid_lo=ids), 20, who)


SHAPES: dict[str, Shape] = {
    "sparse_levels": sparse_levels,
    "long_queue": long_queue,
    "cancel_storm": cancel_storm,
    "static_book": static_book,
    "sweeps": sweeps,
    "failing_fok": failing_fok,
    "powers": powers,
    "wide_accounts": wide_accounts,
}
