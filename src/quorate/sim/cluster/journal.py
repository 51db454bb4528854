"""A node's log: the product's writer and scan on the disk that forgets."""

from collections.abc import Callable
from random import Random
from typing import Final

from quorate.sim.cluster.disk import Disk
from quorate.storage.log import Identity, LogScan, Record
from quorate.storage.writer import Entry, Operation, Writer

SEGMENT_BYTES: Final = 1 << 17
IDENTITY: Final = Identity(1, bytes(32))


class NodeLog:
    """The log of one node. tops: the greatest height label in each segment, for pruning."""

    def __init__(self, rng: Random, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.rng = rng
        self.segment_bytes = segment_bytes
        self.disk = Disk()
        self.tops: dict[int, int] = {}
        self.writer: Writer
        self.under_way = False

    def entropy(self) -> bytes:
        """Give the salt of a new segment."""
        return self.rng.randbytes(16)

    def found(self) -> None:
        """Start an empty log."""
        self.disk, self.tops, self.under_way = Disk(), {}, False
        writer, operations = Writer.founded(IDENTITY, self.segment_bytes, self.entropy)
        self.writer = writer
        self.do(operations)

    def recover(self) -> list[Record]:
        """Go on with what a crash left, and give its records. Raises StorageRefusal."""
        scan = LogScan(IDENTITY)
        numbers = sorted(self.disk.sizes)
        records: list[Record] = []
        self.tops, self.under_way = {}, False
        for number in numbers:
            found = scan.segment(number, self.disk.image(number), number == numbers[-1])
            records += found.records
            self.tops[number] = max([record.height for record in found.records], default=0)
        assert scan.tail is not None
        writer, operations = Writer.resumed(
            IDENTITY, scan.tail, self.segment_bytes, self.entropy
        )
        self.writer = writer
        self.do(operations)
        return records

    def do(self, operations: list[Operation]) -> None:
        """Execute operations in order."""
        for operation in operations:
            self.disk.execute(operation)

    def append(self, entries: list[Entry]) -> None:
        """Write records; they are not durable yet."""
        before = self.writer.header.number
        _, operations = self.writer.append(entries)
        for operation in operations:
            self.disk.execute(operation)
        tops = self.tops
        for entry in entries:
            if entry.height > tops.get(before, 0):
                tops[before] = entry.height
        for number in range(before + 1, self.writer.header.number + 1):
            # Which entry stands in which segment is not known here: all count in each.
            tops[number] = max([entry.height for entry in entries])

    def sync_begin(self) -> None:
        """Begin a sync of what has been appended."""
        self.under_way = bool(self.writer.sync())
        if self.under_way:
            self.disk.sync_begin()

    def sync_end(self) -> None:
        """The disk is done."""
        if self.under_way:
            self.under_way = False
            self.disk.sync_end()
            self.do(self.writer.synced())

    def prune(self, height: int, spare: Callable[[int], bool] = lambda _number: False) -> None:
        """Delete segments from the front in which all labels are below a height."""
        for number in sorted(self.tops):
            last = number == self.writer.header.number
            if last or self.tops[number] >= height or spare(number):
                return
            del self.tops[number]
            self.disk.remove(number)
