"""A disk that forgets: what was written but not synced may be there after a crash, or not.

It executes the operations of `quorate.storage.writer` as `quorate.runtime.files` does. A crash
decides for each sector that changed since the last sync: the old bytes, the new ones, the first
half of the new ones, or noise.
"""

import itertools
import random
from collections.abc import Iterator

from quorate.storage.log import Identity, LogScan, SegmentScan
from quorate.storage.writer import Create, Operation, Sync, Write

OLD, NEW, HALF, NOISE = range(4)


class FakeDisk:
    """Segments by number: `durable` survives a crash for certain, `current` is what is read."""

    def __init__(self, sector_bytes: int = 4096) -> None:
        self.sector_bytes = sector_bytes
        self.durable: dict[int, bytearray] = {}
        self.current: dict[int, bytearray] = {}
        self.dirty: set[tuple[int, int]] = set()

    def execute(self, operation: Operation) -> None:
        if isinstance(operation, Create):
            assert operation.segment not in self.current
            image = operation.head.ljust(operation.segment_bytes, b"\0")
            self.durable[operation.segment] = bytearray(image)
            self.current[operation.segment] = bytearray(image)
        elif isinstance(operation, Write):
            assert operation.segment == max(self.current), "a write to a finished segment"
            end = operation.offset + len(operation.data)
            assert operation.data and end <= len(self.current[operation.segment])
            self.current[operation.segment][operation.offset : end] = operation.data
            for at in range(operation.offset // self.sector_bytes, -(-end // self.sector_bytes)):
                self.dirty.add((operation.segment, at * self.sector_bytes))
        else:
            assert isinstance(operation, Sync)
            self.sync()

    def sync(self) -> None:
        for segment, at in self.dirty:
            self._keep(self.durable, segment, at, self.current)
        self.dirty.clear()

    def crashed(self, fates: list[int], rng: random.Random) -> "FakeDisk":
        """The disk after a crash; fates: one of OLD, NEW, HALF, NOISE per dirty sector."""
        disk = FakeDisk(self.sector_bytes)
        disk.durable = {segment: bytearray(data) for segment, data in self.durable.items()}
        for (segment, at), fate in zip(sorted(self.dirty), fates, strict=True):
            if fate == NOISE:
                noise = rng.randbytes(self.sector_bytes)
                disk.durable[segment][at : at + self.sector_bytes] = noise
            elif fate != OLD:
                size = self.sector_bytes // (2 if fate == HALF else 1)
                disk.durable[segment][at : at + size] = self.current[segment][at : at + size]
        disk.current = {segment: bytearray(data) for segment, data in disk.durable.items()}
        return disk

    def crashes(self, rng: random.Random, most: int) -> Iterator["FakeDisk"]:
        """Crashes of this moment: all of them where that is at most `most`, or a sample."""
        count = len(self.dirty)
        if 4**count <= most:
            for fates in itertools.product(range(4), repeat=count):
                yield self.crashed(list(fates), rng)
            return
        for kept in range(count + 1):
            yield self.crashed([NEW] * kept + [OLD] * (count - kept), rng)
            yield self.crashed([OLD] * kept + [NEW] * (count - kept), rng)
        for _ in range(most - 2 * count):
            yield self.crashed([rng.randrange(4) for _ in range(count)], rng)

    def scan(self, identity: Identity) -> list[SegmentScan]:
        return scan_all({n: bytes(data) for n, data in self.current.items()}, identity)

    def _keep(
        self,
        target: dict[int, bytearray],
        segment: int,
        at: int,
        source: dict[int, bytearray],
    ) -> None:
        target[segment][at : at + self.sector_bytes] = source[segment][at : at + self.sector_bytes]


def scan_all(images: dict[int, bytes], identity: Identity) -> list[SegmentScan]:
    """Scan a whole log in memory."""
    scan = LogScan(identity)
    numbers = sorted(images)
    return [scan.segment(n, images[n], n == numbers[-1]) for n in numbers]
