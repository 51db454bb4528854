"""A price-time book of thirty lines over LOBSTER messages, to hold the replayer against.

It shares no code with the package: dicts, lists, and the venue's rule that the best price trades
first and at one price the order that came first.
"""

from dataclasses import dataclass, field
from pathlib import Path

ADD, REDUCE, DELETE, EXECUTE = 1, 2, 3, 4
Row = tuple[int, int, int, int, int]  # type, order, size, price, direction


def rows_of(lines: list[str]) -> list[Row]:
    """Read lines: seconds, type, order, size, price, direction."""
    rows = []
    for line in lines:
        _, kind, order, size, price, direction = line.strip().split(",")
        rows.append((int(kind), int(order), int(size), int(price), int(direction)))
    return rows


@dataclass
class NaiveBook:
    """Open orders in order of arrival: id -> [direction, price, size]."""

    orders: dict[int, list[int]] = field(default_factory=dict)

    def front(self, direction: int) -> int:
        """The order that trades next on a side; 0 for none."""
        side = [(-direction * o[1], n, i) for n, (i, o) in enumerate(self.orders.items())
                if o[0] == direction]  # fmt: skip
        return min(side)[2] if side else 0

    def take(self, order: int, size: int) -> None:
        self.orders[order][2] -= size
        if self.orders[order][2] <= 0:
            del self.orders[order]

    def sweep(self, direction: int, price: int, size: int) -> int:
        """Trade `size` against a side down to `price`; what is left."""
        while size:
            order = self.front(direction)
            if not order or direction * self.orders[order][1] < direction * price:
                break
            lots = min(size, self.orders[order][2])
            self.take(order, lots)
            size -= lots
        return size


def reproduced(rows: list[Row], closed: bool) -> list[int]:
    """Lines, from 1, of the executions that hit exactly the recorded order.

    Closed: after a miss the recorded order is what traded. Open: the order in front is.
    """
    book, seen, hits = NaiveBook(), set(), []
    for line, (kind, order, size, price, direction) in enumerate(rows, 1):
        known = order in book.orders
        if kind == ADD:
            seen.add(order)
            left = size if closed else book.sweep(-direction, price, size)
            if left:
                book.orders[order] = [direction, price, left]
        elif kind == REDUCE and known:
            book.take(order, size)
        elif kind == DELETE and known:
            del book.orders[order]
        elif kind == EXECUTE and order in seen:
            if known and book.front(direction) == order and book.orders[order][2] >= size:
                hits.append(line)
                book.take(order, size)
            elif closed:
                book.take(order, size)
            else:
                book.sweep(direction, price, size)
    return hits


def lines_of(path: Path) -> list[str]:
    """Read a packed file."""
    import gzip

    return gzip.open(path, "rt").read().splitlines()
