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

import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quorate.codec.commands import CancelClient, ModifyClient, Place, SetMark
from quorate.sim.replays import crowd
from quorate.sim.replays.chain import MARKET
from quorate.sim.replays.crowd import CLIENT_SHIFT, LOT_DECIMALS, PRICE_MAX, SIZE_MAX, TICK_DECIMALS
from quorate.sim.replays.read import FileRefused, LineRefused, records, scaled
from quorate.sim.replays.venue import World
from quorate.types.codes import Flag, Side, Tif

MAKERS_PER_SIDE: Final = 2
TAKERS: Final = 24
MAKER_USD: Final = 2_000_000_000
TAKER_USD: Final = 100_000
MARK_MS: Final = 1_000
SNAPSHOT, DEPTH, TRADE, TICKER = "snapshot", "depthUpdate", "trade", "bookTicker"

Levels = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One line. bids, asks: (ticks, lots); of a trade or ticker, one level each or none."""

    time_ms: int
    type: str
    bids: Levels
    asks: Levels
    last: int = 0
    before: int = 0


def levels_of(rows: Any) -> Levels:
    """Read [[price, size], ...]. Raises LineRefused."""
    if not isinstance(rows, list):
        raise LineRefused("levels must be a list")
    made = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 2:
            raise LineRefused("a level must be a price and a size")
        price = scaled(str(row[0]), TICK_DECIMALS, "a price")
        made.append((price, scaled(str(row[1]), LOT_DECIMALS, "a size")))
    return tuple(made)


def parse(line: str) -> Message:
    """Read a line. Raises LineRefused."""
    stamp, _, text = line.partition(" ")
    time_ms = milliseconds(stamp)
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise LineRefused("after the time there must be a JSON object") from error
    if not isinstance(tree, dict):
        raise LineRefused("after the time there must be a JSON object")
    body = tree.get("data", tree)
    try:
        return message_of(time_ms, body)
    except (KeyError, TypeError, AttributeError) as error:
        raise LineRefused(f"the object lacks or misuses {error}") from error


def milliseconds(stamp: str) -> int:
    """Read nanoseconds as milliseconds. Raises LineRefused."""
    if len(stamp) != 19 or not stamp.isdigit():
        raise LineRefused("the time must be 19 digits of nanoseconds")
    return int(stamp) // 1_000_000


def message_of(time_ms: int, body: dict[str, Any]) -> Message:
    """Read the object of a line; raises as access to it does."""
    if "lastUpdateId" in body:
        last = int(body["lastUpdateId"])
        return Message(time_ms, SNAPSHOT, levels_of(body["bids"]), levels_of(body["asks"]), last)
    kind = body.get("e", "")
    if kind == DEPTH:
        bids, asks = levels_of(body["b"]), levels_of(body["a"])
        return Message(time_ms, DEPTH, bids, asks, int(body["u"]), int(body["pu"]))
    if kind == TRADE:
        level = levels_of([[body["p"], body["q"]]])
        # `m`: the buyer was the maker, so the taker sold into a bid.
        return Message(time_ms, TRADE, level if body["m"] else (), () if body["m"] else level)
    if kind == TICKER:
        bid, ask = levels_of([[body["b"], body["B"]]]), levels_of([[body["a"], body["A"]]])
        return Message(time_ms, TICKER, bid, ask)
    raise LineRefused("the stream must be depth, trade or bookTicker")


class Replay:
    """One run over all messages from the snapshot on."""

    def __init__(self, seed: int, world: World, snapshot: Message) -> None:
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

    def depth(self, m: Message) -> None:
        """Bring the named levels to their sizes: cancels first, then all quotes."""
        self.flush(m.time_ms)
        quotes: list[tuple[int, Any, int, int]] = []
        for side, levels in ((int(Side.BUY), m.bids), (int(Side.SELL), m.asks)):
            for price, lots in levels:
                if not 0 < price <= PRICE_MAX or lots > SIZE_MAX:
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

    def trade(self, m: Message) -> None:
        """Send a taker for a recorded trade."""
        ((price, lots),) = m.bids or m.asks
        if not 0 < price <= PRICE_MAX or not 0 < lots <= SIZE_MAX:
            self.counts["trades_outside_limits"] += 1
            return
        self.counts["trades"] += 1
        self.counts["trades_lots"] += lots
        side = int(Side.SELL if m.bids else Side.BUY)
        taker = self.takers + self.rng.randrange(TAKERS)
        self.takes[len(self.venue.queue)] = lots
        self.venue.send(taker, Place(MARKET, side, price, lots, tif=int(Tif.IOC)))

    def ticker(self, m: Message) -> None:
        """Set the mark, now and then."""
        if m.time_ms - self.marked_ms >= MARK_MS:
            self.marked_ms = m.time_ms
            mark = (m.bids[0][0] + m.asks[0][0]) // 2
            if 0 < mark <= PRICE_MAX:
                self.venue.send(self.venue.oracle, SetMark(MARKET, mark))
                self.counts["marks"] += 1


def is_book(m: Message) -> bool:
    """Say whether a message is a snapshot with two sides."""
    return m.type == SNAPSHOT and bool(m.bids) and bool(m.asks)


def replay(path: Path, world: World, limit: int = 0, seed: int = 1) -> dict[str, Any]:
    """Replay a capture. Raises FileRefused."""
    messages = records(path, parse, limit=limit)
    start = 0
    while start < len(messages) and not is_book(messages[start]):
        start += 1
    if start == len(messages):
        raise FileRefused(f"{path} holds no REST snapshot in its first {len(messages)} lines.")
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
