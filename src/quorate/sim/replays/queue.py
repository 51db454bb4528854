"""The recorded book: what the venue that was recorded held, order by order, in price-time priority.

It follows the recording alone, never the exchange under test. The replayer asks it three things:
which total size a reduction leaves, whether a recorded execution hits the front of the book (so
that nothing has to be waited for), and how a level stood, to put it right after a miss.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from quorate.types.codes import Side


@dataclass(slots=True)
class Entry:
    """One recorded order. `lots` still open; `total`: its size less what was cancelled of it."""

    side: int
    price: int
    lots: int
    total: int


class RecordedBook:
    """Orders by id, and the ids of each level from the oldest to the newest."""

    def __init__(self) -> None:
        self.orders: dict[int, Entry] = {}
        self.levels: tuple[dict[int, dict[int, None]], ...] = ({}, {})

    def add(self, order: int, side: int, price: int, lots: int) -> None:
        """Put an order at the end of its level."""
        self.orders[order] = Entry(side, price, lots, lots)
        self.levels[side].setdefault(price, {})[order] = None

    def remove(self, order: int) -> None:
        """Take an order out."""
        entry = self.orders.pop(order)
        level = self.levels[entry.side][entry.price]
        del level[order]
        if not level:
            del self.levels[entry.side][entry.price]

    def execute(self, order: int, lots: int) -> None:
        """Take traded lots off an order."""
        entry = self.orders[order]
        entry.lots -= lots
        if entry.lots <= 0:
            self.remove(order)

    def reduce(self, order: int, lots: int) -> None:
        """Take cancelled lots off an order, and off what it counts as its total size."""
        self.orders[order].total -= lots
        self.execute(order, lots)

    def best(self, side: int) -> int:
        """Give the best price of a side, 0 for an empty one."""
        prices = self.levels[side]
        if not prices:
            return 0
        return max(prices) if side == Side.BUY else min(prices)

    def first(self, side: int, price: int) -> int:
        """Give the oldest order of a level, 0 if there is none."""
        return next(iter(self.levels[side].get(price, ())), 0)

    def at(self, side: int, price: int) -> Iterator[tuple[int, Entry]]:
        """Give the orders of a level, oldest first."""
        for order in self.levels[side].get(price, ()):
            yield order, self.orders[order]

    def is_next(self, order: int, lots: int) -> bool:
        """Say whether an incoming order of `lots` must trade with just this order."""
        entry = self.orders[order]
        return (
            self.first(entry.side, entry.price) == order
            and self.best(entry.side) == entry.price
            and entry.lots >= lots
        )
