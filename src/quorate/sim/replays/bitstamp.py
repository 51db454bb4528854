"""Bitstamp's order events: both sides of a trade are named, so every trade is tested as a pair.

A line is: id, time of the recorder in ms, time of the exchange in ms, price in USD, volume in 1e-8
BTC, action, direction. `pairs` first reads which events are executions: a volume that went down, or
a deletion with volume 0, of two orders of opposite sides, by the same amount (the venue rounds: two
units of 1e-8 apart at most), within PAIR_MS. Upon

* created: PLACE as it stands, under the recorded id; what crosses trades here as it did there;
* changed in price (the venue walks its market orders along the book): MODIFY to that price, and to
  the size that comes with it: who buys for a sum of money gets less at a dearer price;
* an execution: nothing is sent. The trade is *reproduced* if our book had a fill between just these
  two orders of that size. Where our order is then larger than the recorded one, it is reduced, and
  where it was filled although the recording still shows it UNDO_MS later, it is placed again;
* deleted with a volume: CANCEL by client id.

Orders older than the file have no created event. Their side, price and size follow from their later
events, and they are placed at the start, oldest first; the ones that the file never names are
unknown. Buyers and sellers are different accounts, so that no account trades with itself.

A tick is 0.01 USD and a lot is 1e-8 BTC, so their product is 1e-10 USD: the quote has ten decimals.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.codec.commands import CancelClient, ModifyClient, Place
from quorate.sim.replays.chain import MARKET, replay_genesis
from quorate.sim.replays.formats import (
    CHANGED,
    COIN_PRICE_MAX,
    COIN_SIZE_MAX,
    CREATED,
    DELETED,
    BitstampEvent,
    is_inside,
)
from quorate.sim.replays.venue import Venue, World
from quorate.types.blocks import AssetSpec, Genesis, MarketSpec
from quorate.types.codes import Flag, MarketKind, OrderRule
from quorate.types.limits import DAY_MS

BTC: Final = 1  # asset number
TRADERS_PER_SIDE: Final = 32
CASH_EACH: Final = 8 * 10**15  # 800,000 USD
BTC_EACH: Final = 10**12  # 10,000 BTC
ROUNDING_LOTS: Final = 2
PAIR_MS: Final = 2_000
PAIR_BACK: Final = 24  # executions between the two reports of one trade, at most
UNDO_MS: Final = 3_000
BLOCK_COMMANDS: Final = 1024

ONE_SIDED = "the file's two reports of the trade do not agree in size, or one is missing"
OTHER_FIRST = "our book matched one of the two orders with another one that stood before"
NO_FILL = "neither order traded here: the two did not cross when the later one was placed"


@dataclass(slots=True)
class Drop:
    """A volume that went down by `lots`, -1 for an order of unknown size. `other`: its partner."""

    index: int
    time_ms: int
    order: int
    side: int
    lots: int
    other: "Drop | None" = None


@dataclass(slots=True)
class Result:
    """What the executions came to."""

    recorded: int = 0
    reproduced: int = 0
    resyncs: int = 0
    dust: int = 0
    older_placed: int = 0
    older_unknown: int = 0
    unmatched: list[dict[str, Any]] = field(default_factory=list)


# --- which events are executions ----------------------------------------------------------------
def drops(events: Sequence[BitstampEvent]) -> tuple[dict[int, Drop], dict[int, BitstampEvent]]:
    """Find the events in which a volume went down, and the first event of each older order."""
    last: dict[int, BitstampEvent] = {}
    older: dict[int, BitstampEvent] = {}
    found: dict[int, Drop] = {}
    for index, event in enumerate(events):
        before = last.get(event.order)
        last[event.order] = event
        if event.action == CREATED:
            continue
        if before is None:
            older[event.order] = event
        elif before.action == DELETED:
            continue  # a report that was overtaken by that of the order's end
        # Whoever buys for a sum of money gets fewer lots as the venue walks him to a dearer price.
        elif event.action == CHANGED and event.price != before.price:
            continue
        if event.action == CHANGED or event.lots == 0:
            by = -1 if before is None else before.lots - event.lots
            if by:
                found[index] = Drop(index, event.time_ms, event.order, event.side, by)
    return found, older


def pair(found: dict[int, Drop]) -> None:
    """Join the two reports of each trade: first where both sizes are known, then where one is."""
    for unknown in (False, True):
        waiting: deque[Drop] = deque(maxlen=PAIR_BACK)
        for drop in found.values():
            if drop.other is not None:
                continue
            for before in reversed(waiting):
                if before.other is None and are_one_trade(before, drop, unknown):
                    before.other, drop.other = drop, before
                    break
            else:
                waiting.append(drop)


def are_one_trade(a: Drop, b: Drop, unknown: bool) -> bool:
    """Say whether two reports can be of one trade; `unknown`: the size of one is not known."""
    if a.side == b.side or b.time_ms - a.time_ms > PAIR_MS:
        return False
    if unknown:
        return (a.lots < 0) != (b.lots < 0)
    return a.lots > 0 and b.lots > 0 and abs(a.lots - b.lots) <= ROUNDING_LOTS


def opening(
    older: dict[int, BitstampEvent], found: dict[int, Drop], events: Sequence[BitstampEvent]
) -> list[BitstampEvent]:
    """Give the orders older than the file as they must have stood, oldest first."""
    first = {drop.order: drop for drop in reversed(found.values()) if drop.lots < 0}
    oldest = min((event.order for event in events if event.action == CREATED), default=0)
    made = []
    for order, event in sorted(older.items()):
        lots = event.lots
        drop = first.get(order)
        if order > oldest:
            continue
        if drop is not None:
            if drop.other is None:
                continue
            lots += drop.other.lots
            drop.lots = drop.other.lots
        made.append(BitstampEvent(events[0].time_ms, order, event.side, event.price, lots, CREATED))
    return made


# --- the replay -----------------------------------------------------------------------------------
def genesis(time_ms: int) -> Genesis:
    """Describe the chain: BTC for USD in units of 1e-10, no fees."""
    market = MarketSpec(
        "BTC-USD", int(MarketKind.SPOT), 1, 1, 1, COIN_PRICE_MAX, COIN_SIZE_MAX, 0, BTC, 1,
        0, 0, 0,
    )  # fmt: skip
    assets = (AssetSpec("USD", 10), AssetSpec("BTC", 8))
    arrival = int(OrderRule.ARRIVAL)
    return replay_genesis("Replay of Bitstamp BTC/USD", time_ms, arrival, assets, market)


class Replay:
    """One run over all events."""

    def __init__(self, events: Sequence[BitstampEvent], lines: Sequence[int], world: World) -> None:
        self.events = events
        self.lines = lines
        self.world = world
        names = [f"replay trader {number}" for number in range(2 * TRADERS_PER_SIDE)]
        self.venue = Venue(genesis(events[0].time_ms // DAY_MS * DAY_MS), names, world)
        self.result = Result()
        self.drops, self.older = drops(events)
        pair(self.drops)
        self.recorded: dict[int, BitstampEvent] = {}  # last event of each order that stands
        self.totals: dict[int, int] = {}  # size of our order, as MODIFY means it
        self.fills: dict[tuple[int, int], list[int]] = {}  # lots by pair of orders, not yet claimed
        self.partners: dict[int, int] = {}  # with whom an order last traded here
        self.undo: deque[tuple[int, int]] = deque()  # orders to look at, when

    def run(self) -> None:
        """Deposit, place what is older than the file, send everything."""
        venue, events = self.venue, self.events
        for trader in range(2 * TRADERS_PER_SIDE):
            if trader < TRADERS_PER_SIDE:
                venue.deposit(trader, 0, CASH_EACH)
            else:
                venue.deposit(trader, BTC, BTC_EACH)
        opened = opening(self.older, self.drops, events)
        self.result.older_placed = len(opened)
        self.result.older_unknown = len(self.older) - len(opened)
        for event in opened:
            self.created(event, int(Flag.POST_ONLY))
        self.flush(events[0].time_ms)
        handlers = {CREATED: self.created, CHANGED: self.changed, DELETED: self.deleted}
        for index, event in enumerate(events):
            while self.undo and self.undo[0][0] < event.time_ms:
                self.restore(self.undo.popleft()[1], event.time_ms)
            if event.action == CREATED or event.order in self.recorded:
                handlers[event.action](event)
            if index in self.drops:
                self.execution(self.drops[index], event)
            if len(venue.queue) >= BLOCK_COMMANDS:
                self.flush(event.time_ms)
                self.world.progress(index, len(events))
        self.flush(events[-1].time_ms)
        self.world.progress(len(events), len(events))

    def flush(self, time_ms: int) -> None:
        """Make a block and note its fills."""
        for fill in self.venue.flush(time_ms).fills:
            pair = (min(fill.maker, fill.taker), max(fill.maker, fill.taker))
            self.fills.setdefault(pair, []).append(fill.lots)
            self.partners[fill.maker], self.partners[fill.taker] = fill.taker, fill.maker
            self.undo.append((self.venue.time_ms + UNDO_MS, fill.maker))
            self.undo.append((self.venue.time_ms + UNDO_MS, fill.taker))

    def send(self, event: BitstampEvent, command: Any) -> None:
        """Queue a command about a recorded order."""
        trader = event.side * TRADERS_PER_SIDE + event.order % TRADERS_PER_SIDE
        self.venue.send(trader, command, event.order)

    # --- one handler per action ----------------------------------------------------------------
    def created(self, event: BitstampEvent, flags: int = 0) -> None:
        """A new order."""
        place = Place(
            MARKET, event.side, event.price, event.lots, flags=flags, cloid=event.order
        )
        self.send(event, place)
        self.recorded[event.order] = event
        self.totals[event.order] = event.lots

    def changed(self, event: BitstampEvent) -> None:
        """A new price; what a smaller volume means, `execution` looks at."""
        before = self.recorded[event.order]
        self.recorded[event.order] = event
        if event.price == before.price:
            return
        self.flush(event.time_ms)
        open_lots = self.venue.open.get(event.order, 0)
        less = before.lots - event.lots
        if open_lots > less:
            total = self.totals[event.order] - less
            self.send(event, ModifyClient(event.order, event.price, total))
            self.flush(event.time_ms)
            # A replaced order begins anew with what was open of it.
            self.totals[event.order] = open_lots - less

    def deleted(self, event: BitstampEvent) -> None:
        """A cancel, or the report that nothing is left."""
        before = self.recorded.pop(event.order)
        if event.lots:
            self.send(before, CancelClient(event.order))

    def execution(self, drop: Drop, event: BitstampEvent) -> None:
        """A recorded execution: look whether our book had it, and put our order right."""
        self.flush(event.time_ms)
        other = drop.other
        if other is None:
            self.result.recorded += 1
            self.missed(drop, 0, ONE_SIDED)
        elif other.index < drop.index:
            self.result.recorded += 1
            self.judge(drop, other)
        open_lots = self.venue.open.get(drop.order, 0)
        if open_lots > event.lots:
            if open_lots - event.lots <= ROUNDING_LOTS:
                self.result.dust += 1
            else:
                self.result.resyncs += 1
            self.shrink(event, open_lots)

    def judge(self, drop: Drop, other: Drop) -> None:
        """Claim our fill between the two orders, or say why there is none."""
        fills = self.fills.get((min(drop.order, other.order), max(drop.order, other.order)), [])
        for lots in fills:
            if abs(lots - drop.lots) <= ROUNDING_LOTS:
                fills.remove(lots)
                self.result.reproduced += 1
                return
        traded = drop.order in self.partners or other.order in self.partners
        self.missed(drop, other.order, OTHER_FIRST if traded else NO_FILL)

    def missed(self, drop: Drop, other: int, reason: str) -> None:
        """Note a trade that was not reproduced."""
        self.result.unmatched.append(
            {"line": self.lines[drop.index], "order": drop.order, "other": other, "size": drop.lots,
             "traded_here_with": self.partners.get(drop.order, 0), "reason": reason}
        )  # fmt: skip

    def shrink(self, event: BitstampEvent, open_lots: int) -> None:
        """Reduce our order to what the recording has."""
        order = event.order
        if event.lots == 0:
            self.send(event, CancelClient(order))
            return
        self.totals[order] -= open_lots - event.lots
        price = self.recorded[order].price
        self.send(event, ModifyClient(order, price, self.totals[order]))

    def restore(self, order: int, time_ms: int) -> None:
        """Place again what was filled here and still stands in the recording."""
        if order not in self.recorded:
            return
        self.flush(time_ms)
        event = self.recorded[order]
        open_lots = self.venue.open.get(order, 0)
        if event.lots - open_lots > ROUNDING_LOTS:
            if open_lots:
                self.send(event, CancelClient(order))
            self.created(event, int(Flag.POST_ONLY))
            self.result.resyncs += 1


def replay(every: Sequence[BitstampEvent], world: World, seed: int = 1) -> dict[str, Any]:
    """Replay a file's events. Nothing here is drawn from the seed."""
    outside = {event.order: None for event in every if not is_inside(event)}
    kept = [index for index, event in enumerate(every) if event.order not in outside]
    run = Replay([every[index] for index in kept], [index + 2 for index in kept], world)
    run.run()
    result = run.result
    return {
        "format": "bitstamp",
        "messages": len(every),
        **run.venue.report(),
        "executions_recorded": result.recorded,
        "executions_reproduced": result.reproduced,
        "resyncs": result.resyncs,
        "rounding_corrections": result.dust,
        "older_placed": result.older_placed,
        "older_unknown": result.older_unknown,
        "orders_outside_limits": len(outside),
        "unmatched_by_reason": dict(Counter(each["reason"] for each in result.unmatched)),
        "unmatched": result.unmatched,
    }
