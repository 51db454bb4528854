"""Binance's futures capture: depth updates as makers' quotes, trades as takers' orders.

A line is: nanoseconds of the recorder, a space, a JSON object. One is the REST snapshot of the
book; before it, depth updates and trades are left out, as are updates that it covers. Upon

* a depth update: the levels that it names are brought to the sizes that it says, one maker's order
  per level: placed, made smaller (which keeps its place), made larger, or cancelled. Cancels travel
  in bundles of their own, so that the order rule lets them run before any quote;
* a trade: an immediate-or-cancel order of that size at that price, by a seeded choice of takers;
* bookTicker: the middle becomes the oracle's mark, once in MARK_MS.

Our level is compared with the recorded one only when an update names it. Every update makes one
block, together with the trades that came before the next. An update that does not continue the one
before (`pu`) ends the replay's claim to the book and is counted.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from quorate.codec.commands import CancelClient, ModifyClient, Place, SetMark
from quorate.sim.replays import crowd
from quorate.sim.replays.chain import MARKET
from quorate.sim.replays.crowd import CLIENT_SHIFT
from quorate.sim.replays.formats import (
    DEPTH,
    PERP_PRICE_MAX,
    PERP_SIZE_MAX,
    TICKER,
    TRADE,
    BinanceMessage,
    is_book,
)
from quorate.sim.replays.venue import World
from quorate.types.codes import Flag, Side, Tif

MAKERS_PER_SIDE: Final = 2
TAKERS: Final = 24
MAKER_USD: Final = 2_000_000_000
TAKER_USD: Final = 100_000
MARK_MS: Final = 1_000


class Replay:
    """One run over all messages from the snapshot on."""

    def __init__(self, seed: int, world: World, snapshot: BinanceMessage) -> None:
        self.rng = random.Random(seed)
        names = [f"replay maker {index}" for index in range(2 * MAKERS_PER_SIDE)]
        traders = dict.fromkeys(names, MAKER_USD)
        self.takers = len(traders)
        traders.update((f"replay taker {index}", TAKER_USD) for index in range(TAKERS))
        mark = (snapshot.bids[0][0] + snapshot.asks[0][0]) // 2
        name = "Replay of Binance BTCUSDT"
        self.venue = crowd.opened(name, traders, snapshot.time_ms, mark, world)
        self.meter = crowd.SpreadMeter()
        self.clients: dict[tuple[int, int], int] = {}  # our order at (side, price)
        self.totals: dict[int, int] = {}
        self.count = 0
        self.counts: Counter[str] = Counter()
        self.marked_ms = snapshot.time_ms
        self.takes: dict[int, int] = {}  # lots wanted, by index of the command
        self.changes: dict[int, tuple[int, int]] = {}  # client id and new total, by the same

    def flush(self, time_ms: int) -> None:
        """Make a block and see what the recorded trades got."""
        filled: Counter[int] = Counter()
        outcome = self.venue.flush(time_ms)
        for fill in outcome.fills:
            filled[fill.command] += fill.lots
        for index, (client, total) in self.changes.items():
            if not outcome.codes[index]:
                self.totals[client] = total
        self.changes.clear()
        for index, lots in self.takes.items():
            self.counts["trades_filled_whole"] += filled[index] == lots
        self.takes.clear()
        self.meter.read(self.venue)

    def depth(self, m: BinanceMessage) -> None:
        """Bring the named levels to their sizes: cancels first, then all quotes."""
        self.flush(m.time_ms)
        quotes: list[tuple[int, Any, int, int]] = []
        for side, levels in ((int(Side.BUY), m.bids), (int(Side.SELL), m.asks)):
            for price, lots in levels:
                if not 0 < price <= PERP_PRICE_MAX or lots > PERP_SIZE_MAX:
                    self.counts["levels_outside_limits"] += 1
                    continue
                self.level(side, price, lots, quotes)
        quotes.sort(key=lambda quote: quote[0])
        for maker, command, client, total in quotes:
            self.changes[len(self.venue.queue)] = client, total
            self.venue.send(maker, command, client)

    def level(self, side: int, price: int, lots: int, quotes: list[Any]) -> None:
        """Bring one level to `lots`: send a cancel, or add (maker, command, client, total)."""
        maker = side * MAKERS_PER_SIDE + price % MAKERS_PER_SIDE
        client = self.clients.get((side, price), 0)
        open_lots = self.venue.open.get(client, 0) if client else 0
        self.counts["levels"] += 1
        if open_lots == lots:
            return
        flags = int(Flag.POST_ONLY)
        if not open_lots:
            self.count += 1
            client = maker + 1 << CLIENT_SHIFT | self.count
            self.clients[side, price] = client
            place = Place(MARKET, side, price, lots, flags=flags, cloid=client)
            quotes.append((maker, place, client, lots))
        elif not lots:
            del self.clients[side, price], self.totals[client]
            self.venue.send(maker, CancelClient(client), client)
        else:
            total = self.totals[client] - open_lots + lots
            # A larger order is a new one, which has filled nothing yet.
            after = total if lots < open_lots else lots
            quotes.append((maker, ModifyClient(client, price, total, flags), client, after))

    def trade(self, m: BinanceMessage) -> None:
        """Send a taker for a recorded trade."""
        ((price, lots),) = m.bids or m.asks
        if not 0 < price <= PERP_PRICE_MAX or not 0 < lots <= PERP_SIZE_MAX:
            self.counts["trades_outside_limits"] += 1
            return
        self.counts["trades"] += 1
        self.counts["trades_lots"] += lots
        side = int(Side.SELL if m.bids else Side.BUY)
        taker = self.takers + self.rng.randrange(TAKERS)
        self.takes[len(self.venue.queue)] = lots
        self.venue.send(taker, Place(MARKET, side, price, lots, tif=int(Tif.IOC)))

    def ticker(self, m: BinanceMessage) -> None:
        """Set the mark, now and then."""
        if m.time_ms - self.marked_ms >= MARK_MS:
            self.marked_ms = m.time_ms
            mark = (m.bids[0][0] + m.asks[0][0]) // 2
            if 0 < mark <= PERP_PRICE_MAX:
                self.venue.send(self.venue.oracle, SetMark(MARKET, mark))
                self.counts["marks"] += 1


def replay(
    messages: Sequence[BinanceMessage], world: World, seed: int = 1
) -> dict[str, Any]:
    """Replay a capture's messages, from its snapshot on."""
    start = next(index for index, m in enumerate(messages) if is_book(m))
    snapshot = messages[start]
    run = Replay(seed, world, snapshot)
    run.depth(snapshot)
    last, continued = snapshot.last, False
    for index, m in enumerate(messages[start + 1 :], start + 1):
        if m.type == DEPTH and m.last > snapshot.last:
            run.counts["gaps"] += continued and m.before != last
            last, continued = m.last, True
            run.depth(m)
        elif m.type == TRADE:
            run.trade(m)
        elif m.type == TICKER:
            run.ticker(m)
        if index % 256 == 0:
            world.progress(index, len(messages))
    run.flush(messages[-1].time_ms)
    world.progress(len(messages), len(messages))
    found = crowd.report("binance", len(messages), run.venue, run.meter)
    names = ("levels", "levels_outside_limits", "trades", "trades_lots", "trades_filled_whole",
             "trades_outside_limits", "marks", "gaps")  # fmt: skip
    return {**found, **{name: run.counts[name] for name in names}, "seed": seed}
