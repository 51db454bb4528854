"""Triggers of one account over a plain list, to hold the machines against.

Shares nothing with them: it is told what commands were sent, reads fills and receipts as a client
would, and says which triggers end or fire, in which order, and with what size. Levels of trailing
stops are fractions here.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from quorate.codec import commands as c
from quorate.types.clearing_codes import TriggerEnd, TriggerFlag, TriggerKind
from quorate.types.codes import EventKind, Reject
from quorate.types.records import NO_BUNDLE

SIZE_MAX = 5_000


@dataclass
class Open:
    """An order of the account, as its fills and receipts tell."""

    side: int
    filled: int = 0
    rests: bool = False


@dataclass
class Held:
    """A trigger."""

    id: int
    command: c.Trigger
    size: int
    parent: int
    pair: int
    waits: bool
    follows: bool
    best: int
    tried: bool = False


class Model:
    """What the account's triggers should do. `take` shows it one block after the other."""

    def __init__(self, account: int, mark: int) -> None:
        self.account, self.mark, self.last, self.position = account, mark, 0, 0
        self.halted = False
        self.rows: list[Held | None] = []
        self.free: list[int] = []
        self.orders: dict[int, Open] = {}
        self.seen: dict[str, int] = {}

    # --- reading ----------------------------------------------------------------------------
    def block(self, events: Any, commands: list[c.Command], own: bool) -> None:
        """Check a block's events against the commands of its one bundle."""
        rows = [row for row in events if row["bundle"] == NO_BUNDLE]
        self.phase(rows)
        self.place_order, self.place_filled, self.before = 0, 0, 0
        for row in events:
            if row["bundle"] == NO_BUNDLE:
                continue
            if row["kind"] == EventKind.RECEIPT and own:
                self.receipt(row, commands[int(row["command"])])
            elif row["kind"] != EventKind.TRIGGER_ENDED:
                self.trade(row)

    def trade(self, row: Any) -> None:
        """Fills and cancels of anybody."""
        if row["kind"] == EventKind.FILL:
            self.last = int(row["price"])
            if row["account"] == self.account:
                self.position = int(row["position"])
            if row["counter_account"] == self.account:
                self.position = int(row["counter_position"])
                order = self.orders[int(row["counter_order_id"])]
                order.filled += int(row["size"])
                order.rests = row["remaining"] > 0
                self.arm(int(row["counter_order_id"]), int(row["size"]))
        if row["kind"] == EventKind.CANCELLED and row["account"] == self.account:
            self.orders[int(row["order_id"])].rests = False

    def arm(self, order_id: int, lots: int) -> None:
        for row in self.rows:
            if row and row.parent == order_id:
                row.waits = False
                row.size += lots if row.follows else 0

    def receipt(self, row: Any, command: c.Command) -> None:
        code, order_id = Reject(int(row["code"])), int(row["order_id"])
        if isinstance(command, c.Place):
            self.place_order = self.place_filled = 0
        if isinstance(command, c.Trigger):
            code_due, made = self.judged(command, order_id)
            assert code == code_due, (command, code, code_due)
            self.before = 0
            if made:
                self.keep(made)
                self.before = order_id
            return
        self.before = 0
        if code:
            return
        if isinstance(command, c.Place):
            self.place_order, self.place_filled = order_id, int(row["size"])
            self.place_side = command.side
            self.orders[order_id] = Open(
                command.side, int(row["size"]), bool(row["remaining"])
            )
        elif isinstance(command, c.Modify) and order_id != command.order_id:
            old = self.orders[command.order_id]
            self.orders[order_id] = Open(old.side, int(row["size"]), bool(row["remaining"]))
            for each in self.rows:
                if each and each.parent == command.order_id:
                    each.parent = order_id
            if row["size"]:
                self.arm(order_id, int(row["size"]))
        elif isinstance(command, c.CancelTrigger):
            for each in self.rows:
                if each and each.id == command.trigger_id:
                    self.drop(each)
                    break

    # --- commands ---------------------------------------------------------------------------
    def judged(self, command: c.Trigger, trigger_id: int) -> tuple[Reject, Held | None]:
        """Whether the trigger should have been kept."""
        flags = command.flags
        if self.halted:
            return Reject.MARKET_HALTED, None
        wants = command.parent_id or flags & TriggerFlag.CHILD_LAST
        if sum(row is not None for row in self.rows) >= 64:
            return Reject.TRIGGERS_TOO_MANY_CANCEL_SOME, None
        size, parent, waits = command.size, 0, False
        if wants:
            named = command.parent_id or self.place_order
            order = self.orders.get(named)
            if order and order.rests:
                parent, filled, side = named, order.filled, order.side
            elif not command.parent_id and self.place_filled:
                filled, side = self.place_filled, self.place_side
            else:
                return Reject.TRIGGER_NEEDS_ITS_PARENT, None
            waits = not filled
            if not size:
                if side == command.side:
                    return Reject.FLAGS_MUST_AGREE, None
                size = filled
        elif not size and not self.reducible(command.side):
            return Reject.REDUCE_ONLY_WOULD_INCREASE, None
        best = self.price(command)
        if not wants and command.kind != TriggerKind.TRAILING and best:
            if self.reached(command, best, Fraction(command.trigger_ticks)):
                return Reject.TRIGGER_PRICE_ALREADY_PASSED, None
        pair = 0
        if flags & TriggerFlag.PAIR_LAST:
            pair = self.before
            if not pair or any(row and row.id == pair and row.pair for row in self.rows):
                return Reject.TRIGGER_NEEDS_ITS_PAIR, None
        follows = bool(wants and not command.size)
        if waits:
            best = 0
        return Reject.OK, Held(trigger_id, command, size, parent, pair, waits, follows, best)

    def keep(self, made: Held) -> None:
        for row in self.rows:
            if row and row.id == made.pair:
                row.pair = made.id
        if self.free:
            self.rows[self.free.pop()] = made
        else:
            self.rows.append(made)

    def drop(self, row: Held, pair: bool = True) -> list[int]:
        """Forget a trigger and its pair; give the pair's id."""
        at = self.rows.index(row)
        self.rows[at] = None
        self.free.append(at)
        for other in list(self.rows) if pair and row.pair else []:
            if other and other.id == row.pair:
                self.drop(other, pair=False)
                return [other.id]
        return []

    # --- phase 4 ----------------------------------------------------------------------------
    def reducible(self, side: int) -> int:
        return max(0, self.position if side else -self.position)

    def price(self, command: c.Trigger) -> int:
        return self.last if command.flags & TriggerFlag.WATCH_LAST else self.mark

    def reached(self, command: c.Trigger, price: int, level: Fraction) -> bool:
        below = (command.kind == TriggerKind.TAKE_PROFIT) != bool(command.side)
        return price <= level if below else price >= level

    def phase(self, events: list[Any]) -> None:
        """Every trigger once, in the order of rows; `events` must be just what follows from it."""
        due = iter(events)
        fired = [int(each["order_id"]) for each in events if each["kind"] == EventKind.TRIGGERED]
        for at in range(len(self.rows)):
            row = self.rows[at]
            if row is None:
                continue
            if row.parent and not self.orders[row.parent].rests:
                if row.waits:
                    self.ends(due, row, TriggerEnd.PARENT)
                    continue
                row.parent = 0
            if row.waits:
                continue
            bound = row.follows or not row.size
            lots = self.reducible(row.command.side)
            if bound and not lots:
                if not row.parent:
                    self.ends(due, row, TriggerEnd.NO_POSITION)
                continue
            price = self.price(row.command)
            if not price or self.halted:
                continue
            level = Fraction(row.command.trigger_ticks)
            if row.command.kind == TriggerKind.TRAILING:
                worst = min if not row.command.side else max
                row.best = worst(row.best, price) if row.best else price
                share = Fraction(row.command.trail_ppm, 1_000_000)
                level = row.best * (1 - share if row.command.side else 1 + share)
            if self.reached(row.command, price, level):
                if row.tried and row.id not in fired:
                    continue  # nobody is there; the model knows no book
                self.fires(due, row, price, min(row.size or lots, SIZE_MAX))
        assert not list(due)

    def ends(self, due: Any, row: Held, why: TriggerEnd) -> None:
        self.count(why.name)
        self.ended(next(due), row.id, why)
        for other in self.drop(row):
            self.ended(next(due), other, TriggerEnd.PAIR)

    def ended(self, event: Any, trigger_id: int, why: TriggerEnd) -> None:
        assert event["kind"] == EventKind.TRIGGER_ENDED
        assert (int(event["order_id"]), int(event["end"])) == (trigger_id, why)

    def fires(self, due: Any, row: Held, price: int, size: int) -> None:
        event = next(due)
        lots = self.reducible(row.command.side)
        filled = 0
        while event["kind"] != EventKind.TRIGGERED:
            self.trade(event)
            filled += int(event["size"]) if event["kind"] == EventKind.FILL else 0
            event = next(due)
        # Words: trigger, order, level, watched, size, limit, filled, remaining.
        assert int(event["order_id"]) == row.id and int(event["size"]) == price
        assert int(event["remaining"]) == size and int(event["counter_fee_e6"]) == filled
        self.count("code" if event["code"] else "fired")
        order_id, rest = int(event["counter_order_id"]), int(event["position"])
        if order_id:
            self.orders[order_id] = Open(row.command.side, filled, bool(rest))
        if row.follows or not row.size or row.command.flags & TriggerFlag.REDUCE_ONLY:
            assert filled <= lots
        if event["code"] == Reject.NO_LIQUIDITY_FOR_MARKET_ORDER:
            assert not row.tried
            row.tried = True
            self.count("nobody")
        elif row.size > size and not event["code"]:
            row.size -= size
            self.count("part")
        elif event["code"] or row.size or row.command.limit_ticks or lots <= size:
            for other in self.drop(row):
                self.ended(next(due), other, TriggerEnd.PAIR)
        else:
            self.count("kept")

    def count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1
