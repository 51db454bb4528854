"""The latest trades, folded from blocks as they execute. Derived: gone after a restart, and rebuilt
from the log that is replayed."""

from collections import deque
from typing import Any, NamedTuple

from quorate.types.codes import EventKind
from quorate.types.records import EVENT

TRADES_KEPT_MIN = 10_000
FILL = int(EventKind.FILL)


class Fills(NamedTuple):
    """The fills of one block, EVENT[k]."""

    height: int
    time_ms: int
    rows: Any


class Trades:
    """Fills of the latest blocks, TRADES_KEPT_MIN at least, if there were that many."""

    def __init__(self) -> None:
        self.blocks: deque[Fills] = deque()
        self.count = 0

    def fold(self, height: int, time_ms: int, events: Any) -> None:
        """Take in the events of a block, EVENT[k]."""
        assert events.dtype == EVENT
        fills = events[events["kind"] == FILL]
        if len(fills):
            self.blocks.append(Fills(height, time_ms, fills))
            self.count += len(fills)
        while self.count - (len(self.blocks[0].rows) if self.blocks else 0) >= TRADES_KEPT_MIN:
            self.count -= len(self.blocks.popleft().rows)

    def latest(self, market: int, count: int) -> list[dict[str, int]]:
        """Give the latest trades of a market, newest first."""
        found: list[dict[str, int]] = []
        for block in reversed(self.blocks):
            for row in block.rows[block.rows["market"] == market][::-1]:
                if len(found) == count:
                    return found
                found.append(
                    {
                        "height": block.height,
                        "time_ms": block.time_ms,
                        "price": int(row["price"]),
                        "size": int(row["size"]),
                        "side": int(row["side"]),
                        "taker_account": int(row["account"]),
                        "maker_account": int(row["counter_account"]),
                        "taker_order_id": int(row["order_id"]),
                        "maker_order_id": int(row["counter_order_id"]),
                    }
                )
        return found
