"""Worlds of conditional orders: triggers of every kind, brackets, groups of quotes, mass quotes."""

from dataclasses import replace
from typing import Any

from quorate.codec import commands as c
from quorate.codec.clearing_commands import (
    CancelTrigger,
    Quote,
    QuoteLevel,
    SetGroup,
    Trigger,
)
from quorate.sim.execution_commands import Author
from quorate.sim.execution_world import RICH_E6, World
from quorate.types.clearing_codes import TriggerFlag, TriggerKind
from quorate.types.codes import MarketKind
from quorate.types.limits import INT64_MAX
from quorate.types.records import Table


class ConditionalAuthor(Author):
    """As the author of other worlds, but mostly of triggers, groups and quotes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.triggers: dict[int, list[Any]] = {}
        self.groups: dict[int, list[int]] = {}

    def look(self, t: Any, time_ms: int, height: int) -> None:
        """Take note of the state."""
        super().look(t, time_ms, height)
        self.triggers, self.groups = {}, {}
        for row in t.rows[Table.TRIGGERS].values():
            if row.trigger_id:
                self.triggers.setdefault(row.account, []).append(row)
        for row in t.rows[Table.GROUPS].values():
            if row.number:
                self.groups.setdefault(row.account, []).append(row.number)

    def commands(self, account: int) -> list[bytes]:
        """One command of another world, or a few that belong together."""
        draw = self.rng.random()
        if draw < 0.5:
            return super().commands(account)
        if draw < 0.62:
            made: list[c.Command] = [self.trigger(account)]
        elif draw < 0.72:
            made = self.bracket(account)
        elif draw < 0.78:
            made = [self.trigger(account), self.trigger(account, TriggerFlag.PAIR_LAST)]
        elif draw < 0.82:
            made = [self.trigger_cancel(account)]
        elif draw < 0.87:
            made = [self.group(account)]
        elif draw < 0.95:
            made = [self.quote(account)]
        else:
            made = [self.grouped(account)]
        data = c.encode_commands(made)
        return [data[at : at + 64] for at in range(0, len(data), 64)]

    def trigger(
        self, account: int, flags: int = 0, slot: int = 0, side: int | None = None
    ) -> Trigger:
        """A trigger near the middle; `slot`, `side` where another command settles them."""
        rng = self.rng
        slot = slot or self.market_drawn()
        market = self.market_at(slot)
        held = self.held(account, slot) if market.kind == MarketKind.PERPETUAL else 0
        kind = rng.choice(list(TriggerKind))
        if side is None:
            side = int(held > 0) if held and rng.random() < 0.8 else rng.randrange(2)
        size = 0 if (held or flags) and rng.random() < 0.5 else self.size(market)
        flags |= rng.choice([0, 0, TriggerFlag.WATCH_LAST, TriggerFlag.WATCH_LAST, 6])
        if rng.random() < 0.05:
            flags |= TriggerFlag.WATCH_INDEX
        if rng.random() < 0.3 and market.kind == MarketKind.PERPETUAL:
            flags |= TriggerFlag.REDUCE_ONLY
        parent_id = 0
        own = self.orders.get(account)
        if not flags & TriggerFlag.CHILD_LAST and rng.random() < 0.25:
            parent_id = rng.choice(own).order_id if own else self.id_drawn(account)
            if rng.random() < 0.05:
                flags |= TriggerFlag.CHILD_LAST
        trailing = kind == TriggerKind.TRAILING
        trail = rng.choice([1, 5_000, 20_000, 100_000, 999_999]) if trailing else 0
        if rng.random() < 0.02:
            trail = rng.choice([0, 1_000_000, INT64_MAX])
        price = 0 if trailing else self.price(market, rng.randrange(2))
        limit = self.price(market, 1 - side) if rng.random() < 0.3 else 0
        return Trigger(slot, side, int(kind), price, size, int(flags), limit, parent_id, trail)

    def bracket(self, account: int) -> list[c.Command]:
        """An order and what it triggers: one child, or a take-profit and a stop that are a pair."""
        rng = self.rng
        order = self.place(account)
        assert isinstance(order, c.Place)
        child = int(TriggerFlag.CHILD_LAST)
        made: list[c.Command] = [order]
        for flags in (child, child | TriggerFlag.PAIR_LAST)[: rng.choice([1, 2, 2])]:
            made.append(self.trigger(account, flags, order.market, 1 - order.side))
        if rng.random() < 0.1:
            made.insert(rng.randrange(3), self.modify(account))
        return made

    def trigger_cancel(self, account: int) -> c.Command:
        own = self.triggers.get(account)
        if own and self.rng.random() < 0.9:
            return CancelTrigger(self.rng.choice(own).trigger_id)
        return CancelTrigger(self.rng.choice([0, self.order_id_next, INT64_MAX]))

    def number(self, account: int) -> int:
        """The number of a group that mostly exists."""
        own = self.groups.get(account)
        if own and self.rng.random() < 0.9:
            return self.rng.choice(own)
        return self.rng.choice([1, 2, 3, 255, 0, 256])

    def group(self, account: int) -> c.Command:
        rng = self.rng
        number = rng.choice([1, 2, 3, 4, *range(1, 30), 255, 0, 256])
        window = rng.choice([0, 1, 999, 5_000, 5_000, 60_000, 86_400_000, 86_400_001])
        lots = rng.choice([0, 0, 1, 3, 10, 40])
        delta = rng.choice([0, 0, RICH_E6 // 30, RICH_E6 // 3, INT64_MAX])
        freeze = rng.choice([0, 1, 1_000, 10_000, INT64_MAX])
        return SetGroup(number, window, lots, delta, rng.choice([0, 0, 1]), freeze)

    def quote(self, account: int) -> c.Command:
        rng = self.rng
        slot = self.market_drawn()
        market = self.market_at(slot)
        levels = []
        for _ in range(rng.choice([1, 2, 3, 5, 32 if rng.random() < 0.1 else 4])):
            bid, ask = self.size(market), self.size(market)
            if rng.random() < 0.2:
                bid = 0
            if rng.random() < 0.2:
                ask = 0
            prices = [self.price(market, side) for side in (0, 1)]
            levels.append(QuoteLevel(prices[0] if bid else 0, bid, prices[1] if ask else 0, ask))
        return Quote(slot, self.number(account), tuple(levels))

    def grouped(self, account: int) -> c.Command:
        """An order of a group."""
        order = self.place(account)
        assert isinstance(order, c.Place)
        return replace(order, group=self.number(account))


class ConditionalWorld(World):
    """A seeded world whose people use triggers, groups and mass quotes."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        old = self.author
        self.author = ConditionalAuthor(
            self.rng, self.genesis, old.owners, old.agents, old.strangers, RICH_E6
        )
