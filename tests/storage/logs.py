"""Logs for the tests of this folder: an identity, a repeatable entropy, a driver in memory."""

import random
from collections.abc import Callable

from quorate.storage.log import SEGMENT_BYTES_MIN, Identity, Kind, SegmentScan
from quorate.storage.writer import Entry, Operation, Writer
from tests.storage.fake_disk import FakeDisk

IDENTITY = Identity(7, bytes(range(32)))
NOTE = Kind.NOTE_FIRST


def entropy_of(seed: int) -> Callable[[], bytes]:
    rng = random.Random(seed)
    return lambda: rng.randbytes(16)


class MemoryLog:
    """A writer on a fake disk; `appended` and `acknowledged` are what a client knows."""

    def __init__(self, disk: FakeDisk | None = None, seed: int = 1) -> None:
        self.disk = disk or FakeDisk()
        self.appended: list[bytes] = []
        self.acknowledged = 0
        self.writer: Writer
        self.observe: Callable[[], None] = lambda: None
        self._entropy = entropy_of(seed)

    def found(self, segment_bytes: int = SEGMENT_BYTES_MIN, height_before: int = 0) -> "MemoryLog":
        self.writer, operations = Writer.founded(
            IDENTITY, segment_bytes, self._entropy, height_before
        )
        self.execute(operations)
        return self

    def resume(self, segment_bytes: int = SEGMENT_BYTES_MIN) -> list[SegmentScan]:
        self.disk.sync()
        scans = self.disk.scan(IDENTITY)
        self.writer, operations = Writer.resumed(
            IDENTITY, scans[-1].tail, segment_bytes, self._entropy
        )
        self.execute(operations)
        return scans

    def append(self, *payloads: bytes, kind: int = Kind.BLOCK) -> None:
        height = self.writer.height_last
        entries = [Entry(kind, height + 1 + i, data) for i, data in enumerate(payloads)]
        self.appended += payloads
        _, operations = self.writer.append(entries)
        self.execute(operations)

    def sync(self) -> None:
        last = self.writer.sequence_last
        operations = self.writer.sync()
        self.execute(operations)
        self.acknowledged = last
        if operations:
            self.execute(self.writer.synced())

    def execute(self, operations: list[Operation]) -> None:
        for operation in operations:
            self.disk.execute(operation)
            self.observe()

    def images(self) -> dict[int, bytes]:
        return {number: bytes(data) for number, data in self.disk.current.items()}


def payloads_of(scans: list[SegmentScan]) -> list[bytes]:
    return [bytes(record.payload) for scan in scans for record in scan.records]
