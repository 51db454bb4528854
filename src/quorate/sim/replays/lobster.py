"""NASDAQ in LOBSTER's format: every order under its own client id, every execution tested.

A line is: seconds after midnight, type, order id, size, price x 10^4, direction (1 buy, -1 sell; of
the resting order). Upon

* 1 (new order): PLACE under the recorded id, by the maker that the id chooses;
* 2 (partial cancel): MODIFY to the smaller total size, which keeps the place in the queue;
* 3 (deletion): CANCEL by client id;
* 4 (execution of a visible order): an incoming immediate-or-cancel order of that size at the
  recorded price. It is *reproduced* if its first fill is the recorded order for the recorded size;
* 5 (execution of a hidden order): nothing, because the order was never shown. 6 and 7 (auction and
  halt) likewise.

References to orders older than the file are counted and not sent. Buyers and sellers are different
accounts, and takers are others again, so that no account ever trades with itself.

Closed loop: the recorded book says beforehand which executions cannot come out, since the recorded
order is not first; a block ends there, and after the miss the level is put back by ordinary
commands: its orders are cancelled and placed again as the recording has them. Each other execution
must come out; one that does not is put right at the end of its block and is a finding. Open loop:
nothing is put back.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.codec.commands import CancelClient, ModifyClient, Place
from quorate.sim.replays.chain import MARKET, replay_genesis
from quorate.sim.replays.formats import (
    ADD,
    CENT_E6,
    DAY,
    DELETE,
    EXECUTE,
    HIDDEN,
    REDUCE,
    SHARE_PRICE_MAX,
    SHARE_SIZE_MAX,
    LobsterMessage,
)
from quorate.sim.replays.queue import RecordedBook
from quorate.sim.replays.venue import Outcome, Venue, World
from quorate.types.blocks import AssetSpec, Genesis, MarketSpec
from quorate.types.codes import MarketKind, OrderRule, Tif

MAKERS_PER_SIDE: Final = 32
TAKERS: Final = 4
SHARES: Final = 1  # asset number
CASH_EACH: Final = 10**15  # 1e9 USD
SHARES_EACH: Final = 10**9
BLOCK_COMMANDS: Final = 1024

REANNOUNCED = "the recorded order is older than the one in front: its id is lower, the file " \
    "shows it only later, and the venue kept its time"  # fmt: skip
PASSED_OVER = "the venue passed over an order that stood in front and left it in the book, for a " \
    "reason that the file does not record"  # fmt: skip
TOO_LARGE = "the recorded size is more than what was open of the order"
OLDER = "the recorded order is older than the file, so it was never placed"
UNPREDICTED = "the recorded order was first in the recorded book and did not trade"


@dataclass(frozen=True, slots=True)
class Test:
    """A recorded execution that was sent. `command`: its index in the block."""

    line: int
    command: int
    message: LobsterMessage
    side: int
    first: int  # the oldest recorded order of the level, before the execution
    reason: str  # why it would not come out, if it should not


@dataclass(slots=True)
class Result:
    """What the executions of one pass came to."""

    recorded: int = 0
    sent: int = 0
    reproduced: int = 0
    resyncs: int = 0
    resync_commands: int = 0
    older_references: int = 0
    hidden: int = 0
    other: int = 0
    unmatched: list[dict[str, Any]] = field(default_factory=list)


def genesis() -> Genesis:
    """Describe the chain: shares for USD in cents, no fees."""
    market = MarketSpec(
        "AAPL-USD", int(MarketKind.SPOT), 1, 1, CENT_E6, SHARE_PRICE_MAX, SHARE_SIZE_MAX, 0,
        SHARES, 1, 0, 0, 0,
    )  # fmt: skip
    assets = (AssetSpec("USD", 6), AssetSpec("AAPL", 0))
    return replay_genesis("Replay of NASDAQ AAPL", DAY, int(OrderRule.ARRIVAL), assets, market)


def traders() -> list[str]:
    """Name the keys: makers who buy, makers who sell, takers."""
    makers = [f"replay maker {number}" for number in range(2 * MAKERS_PER_SIDE)]
    return makers + [f"replay taker {number}" for number in range(TAKERS)]


def maker_of(order: int, side: int) -> int:
    """Give the maker to whom a recorded order belongs."""
    return side * MAKERS_PER_SIDE + order % MAKERS_PER_SIDE


class Pass:
    """One run over all messages, closed loop or open."""

    def __init__(self, messages: Sequence[LobsterMessage], world: World, closed: bool) -> None:
        self.messages = messages
        self.world = world
        self.closed = closed
        self.venue = Venue(genesis(), traders(), world)
        self.book = RecordedBook()
        self.result = Result()
        self.tests: list[Test] = []

    def run(self) -> None:
        """Deposit, then send everything."""
        venue = self.venue
        for trader in range(2 * MAKERS_PER_SIDE + TAKERS):
            venue.deposit(trader, 0, CASH_EACH)
            venue.deposit(trader, SHARES, SHARES_EACH)
        venue.flush(self.messages[0].time_ms)
        handlers = {ADD: self.add, REDUCE: self.reduce, DELETE: self.delete}
        for line, message in enumerate(self.messages, 1):
            if message.type == EXECUTE:
                self.execute(line, message)
            elif message.type == HIDDEN:
                self.result.hidden += 1
            elif message.type > HIDDEN:
                self.result.other += 1
            elif (message.type == ADD) != (message.order in self.book.orders):
                handlers[message.type](message)
            else:
                # Not in the book: older than the file. In it already: an id told twice.
                self.result.older_references += message.type != ADD
                self.result.other += message.type == ADD
            if len(venue.queue) >= BLOCK_COMMANDS:
                self.flush(message.time_ms)
                self.world.progress(line, len(self.messages))
        self.flush(self.messages[-1].time_ms)
        self.world.progress(len(self.messages), len(self.messages))

    # --- one handler per type ----------------------------------------------------------------
    def place(self, order: int, side: int, price: int, lots: int) -> None:
        """Send an order under its recorded id."""
        command = Place(MARKET, side, price, lots, cloid=order)
        self.venue.send(maker_of(order, side), command, order)

    def cancel(self, order: int, side: int) -> None:
        """Send a cancel by client id."""
        self.venue.send(maker_of(order, side), CancelClient(order), order)

    def add(self, m: LobsterMessage) -> None:
        """A new order."""
        self.place(m.order, m.side, m.price, m.lots)
        self.book.add(m.order, m.side, m.price, m.lots)

    def reduce(self, m: LobsterMessage) -> None:
        """A partial cancel."""
        entry = self.book.orders[m.order]
        if entry.lots <= m.lots:
            self.delete(m)
            return
        command = ModifyClient(m.order, entry.price, entry.total - m.lots)
        self.venue.send(maker_of(m.order, entry.side), command, m.order)
        self.book.reduce(m.order, m.lots)

    def delete(self, m: LobsterMessage) -> None:
        """A deletion."""
        self.cancel(m.order, self.book.orders[m.order].side)
        self.book.remove(m.order)

    def execute(self, line: int, m: LobsterMessage) -> None:
        """An execution: an incoming order that has to meet the recorded one."""
        result, book = self.result, self.book
        result.recorded += 1
        entry = book.orders.get(m.order)
        if entry is None:
            self.missed(line, m, OLDER, 0)
            return
        result.sent += 1
        first, reason = book.first(entry.side, entry.price), reason_of(book, m.order, m.lots)
        taker = 2 * MAKERS_PER_SIDE + line % TAKERS
        self.tests.append(Test(line, len(self.venue.queue), m, entry.side, first, reason))
        command = Place(MARKET, 1 - entry.side, entry.price, m.lots, tif=int(Tif.IOC))
        self.venue.send(taker, command)
        if self.closed and reason != UNPREDICTED:
            before = list(book.levels[entry.side][entry.price])
            book.execute(m.order, m.lots)
            self.flush(m.time_ms, before)
        else:
            book.execute(m.order, m.lots)

    # --- what came of it ---------------------------------------------------------------------
    def missed(self, line: int, m: LobsterMessage, reason: str, first: int) -> None:
        """Note an execution that was not reproduced."""
        found = {"line": line, "order": m.order, "size": m.lots, "price_ticks": m.price}
        self.result.unmatched.append({**found, "in_front": first, "reason": reason})

    def flush(self, time_ms: int, before: Sequence[int] = ()) -> None:
        """Make a block and judge its executions; `before`: the level of one that must miss."""
        tests, self.tests = self.tests, []
        outcome = self.venue.flush(time_ms)
        firsts = {fill.command: fill for fill in reversed(outcome.fills)}
        for test in tests:
            fill, m = firsts.get(test.command), test.message
            if fill is not None and (fill.maker, fill.lots) == (m.order, m.lots):
                self.result.reproduced += 1
                continue
            self.missed(test.line, m, test.reason, test.first)
            if self.closed:
                self.resync(test, outcome, before if test is tests[-1] else ())

    def resync(self, test: Test, outcome: Outcome, before: Sequence[int]) -> None:
        """Put the levels that a missed execution touched back to what the recording has."""
        side, prices = test.side, {test.message.price: None}
        prices.update((fill.price, None) for fill in outcome.fills if fill.command == test.command)
        for price in prices:
            now = list(self.book.at(side, price))
            gone = before if price == test.message.price else ()
            for order in dict.fromkeys([*gone, *(order for order, _ in now)]):
                if order in self.venue.open:
                    self.cancel(order, side)
            for order, entry in now:
                entry.total = entry.lots
                self.place(order, side, price, entry.lots)
        self.result.resyncs += 1
        self.result.resync_commands += len(self.venue.queue)
        self.venue.flush(self.venue.time_ms)


def reason_of(book: RecordedBook, order: int, lots: int) -> str:
    """Say why an execution would not come out. Ids rise with the time of arrival at the venue."""
    entry = book.orders[order]
    if book.is_next(order, lots):
        return UNPREDICTED
    if entry.lots < lots:
        return TOO_LARGE
    is_best = book.best(entry.side) == entry.price
    is_late = order < book.first(entry.side, entry.price)
    return REANNOUNCED if is_best and is_late else PASSED_OVER


def replay(messages: Sequence[LobsterMessage], world: World, seed: int = 1) -> dict[str, Any]:
    """Replay a file's messages, closed loop and then open. Nothing here is drawn from the seed."""
    closed = Pass(messages, world, closed=True)
    closed.run()
    report = closed.venue.report()
    opened = Pass(messages, world, closed=False)
    opened.run()
    result, other = closed.result, opened.venue.report()
    return {
        "format": "lobster",
        "messages": len(messages),
        **report,
        "executions_recorded": result.recorded,
        "executions_sent": result.sent,
        "executions_reproduced": result.reproduced,
        "reproduced_open_loop": opened.result.reproduced,
        "resyncs": result.resyncs,
        "resync_commands": result.resync_commands,
        "older_references_not_sent": result.older_references,
        "hidden_not_sent": result.hidden,
        "other_not_sent": result.other,
        "unexplained": sum(each["reason"] == UNPREDICTED for each in result.unmatched),
        "unmatched_by_reason": dict(Counter(each["reason"] for each in result.unmatched)),
        "unmatched": result.unmatched,
        "open_loop": {
            name: other[name]
            for name in ("commands", "fills", "rejects", "self_trades", "conservation_delta",
                         "state_root", "commands_per_second")
        },
    }  # fmt: skip
