"""What to write to the log, where, and when to sync: operations for a driver to execute in order.

The driver executes each list from first to last and stops for good at the first error. The
order is the order of durability: a `Create` must be durable, file and directory, before the
operation after it starts; a `Write` need not be before the next `Sync`.

    append   records for the current segment; at its end: write, sync, create the next, go on
    sync     one Sync. When the driver has done it, it calls
    synced   which moves on to a new sector and gives the MARK to write, not to wait for

The simulator's fake disk and the real files execute the same operations.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from quorate.storage.errors import RecordTooLarge
from quorate.storage.log import (
    HEIGHT_KINDS,
    RECORD_ALIGN_BYTES,
    RECORD_OVERHEAD_BYTES,
    SALT_BYTES,
    SECTOR_BYTES,
    SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN,
    Identity,
    Kind,
    Record,
    SegmentHeader,
    Tail,
    align_up,
    header_bytes,
    kind_known,
    record_bytes,
    record_end,
)

_NO_SALT = bytes(SALT_BYTES)


class Entry(NamedTuple):
    """Something to append. height: the block's, or any label the caller likes, u64."""

    kind: int
    height: int
    payload: bytes | memoryview
    flags: int = 0


class Create(NamedTuple):
    """Make a segment file: `head`, then zeros up to segment_bytes. All or nothing, durable."""

    segment: int
    head: bytes
    segment_bytes: int


class Write(NamedTuple):
    """Put data at a byte offset of a segment."""

    segment: int
    offset: int
    data: bytes


class Sync(NamedTuple):
    """Make all writes to a segment durable."""

    segment: int


Operation = Create | Write | Sync


def payload_bytes_max(segment_bytes: int) -> int:
    """The longest payload that fits in a segment, with its header and its last mark."""
    return segment_bytes - 2 * SECTOR_BYTES - RECORD_OVERHEAD_BYTES


class Writer:
    """Where the log stands. `founded` starts a log, `resumed` goes on with a scanned one.

    segment_bytes is for segments to come. entropy() gives 16 random bytes, one per segment.
    """

    def __init__(
        self,
        identity: Identity,
        tail: Tail,
        segment_bytes: int,
        entropy: Callable[[], bytes],
    ) -> None:
        assert SEGMENT_BYTES_MIN <= segment_bytes <= SEGMENT_BYTES_MAX
        assert segment_bytes % SECTOR_BYTES == 0
        self.identity = identity
        self.header = tail.header
        self.segment_bytes = segment_bytes
        self.position = align_up(tail.end, SECTOR_BYTES)
        self.sequence_last = tail.sequence_last
        self.height_last = tail.height_last
        self.durable = tail.durable
        self.life = tail.life
        self._entropy = entropy
        self._syncing: int | None = None
        # Segment and offset of the payload of each entry of the last `append`.
        self.placed: list[tuple[int, int]] = []

    @classmethod
    def founded(
        cls,
        identity: Identity,
        segment_bytes: int,
        entropy: Callable[[], bytes],
        height_before: int = 0,
    ) -> tuple["Writer", list[Operation]]:
        """A new log whose first block will be height_before + 1."""
        header = SegmentHeader(0, _NO_SALT, _NO_SALT, segment_bytes, 1, height_before, 1)
        writer = cls(
            identity, Tail(header, SECTOR_BYTES, SECTOR_BYTES, 0, height_before, 0, 1),
            segment_bytes, entropy,
        )
        return writer, [writer._create(0)]

    @classmethod
    def resumed(
        cls,
        identity: Identity,
        tail: Tail,
        segment_bytes: int,
        entropy: Callable[[], bytes],
    ) -> tuple["Writer", list[Operation]]:
        """A log found on disk. The last segment was synced before it was scanned.

        A torn tail is overwritten with zeros; a mark with the next life fences off whatever
        a disk may still bring back of it.
        """
        writer = cls(identity, tail, segment_bytes, entropy)
        writer.durable = tail.sequence_last
        writer.life = tail.life + 1
        operations: list[Operation] = []
        number = tail.header.number
        if tail.dirty_end > tail.end:
            operations.append(Write(number, tail.end, bytes(tail.dirty_end - tail.end)))
        if writer._fits(RECORD_OVERHEAD_BYTES):
            operations += [writer._mark(), Sync(number)]
        else:
            operations += [Sync(number), writer._create(number + 1)]
        return writer, operations

    def append(self, entries: Sequence[Entry]) -> tuple[range, list[Operation]]:
        """The sequences given to the entries, and what to execute.

        Raises RecordTooLarge, before anything has changed.
        """
        limit = payload_bytes_max(self.segment_bytes)
        for entry in entries:
            assert kind_known(entry.kind) and entry.kind != Kind.MARK
            if len(entry.payload) > limit:
                raise RecordTooLarge(
                    f"A record of {len(entry.payload)} bytes does not fit in a segment of "
                    f"{self.segment_bytes}; {limit} is the most."
                )
        operations: list[Operation] = []
        run: list[bytes] = []
        run_from = self.position
        sequence_first = self.sequence_last + 1
        self.placed = []
        for entry in entries:
            if not self._fits(RECORD_OVERHEAD_BYTES + len(entry.payload)):
                number = self.header.number
                if run:
                    operations.append(Write(number, run_from, b"".join(run)))
                self.durable = self.sequence_last
                operations += [Sync(number), self._create(number + 1)]
                run, run_from = [], self.position
            self.sequence_last += 1
            if entry.kind in HEIGHT_KINDS:
                self.height_last = max(self.height_last, entry.height)
            self.placed.append((self.header.number, self.position + RECORD_OVERHEAD_BYTES))
            run.append(self._record(entry))
        if run:
            operations.append(Write(self.header.number, run_from, b"".join(run)))
        return range(sequence_first, self.sequence_last + 1), operations

    def sync(self) -> list[Operation]:
        """One Sync, or nothing where all is durable. `synced` must follow before the next."""
        assert self._syncing is None, "a sync is under way"
        if self.durable == self.sequence_last:
            return []
        self._syncing = self.sequence_last
        # What is appended from here on, even while the disk works, is in another sector.
        self.position = align_up(self.position, SECTOR_BYTES)
        return [Sync(self.header.number)]

    def synced(self) -> list[Operation]:
        """The Sync of `sync` is done: the mark to write now, without another sync."""
        assert self._syncing is not None, "no sync is under way"
        # A rollover in between has moved `durable` further already.
        self.durable = max(self.durable, self._syncing)
        self._syncing = None
        return [self._mark()] if self._fits(0) else []

    def _fits(self, size: int) -> bool:
        """Whether size more bytes leave room for a mark in a sector of its own."""
        end = align_up(align_up(self.position + size, RECORD_ALIGN_BYTES), SECTOR_BYTES)
        return end + RECORD_OVERHEAD_BYTES <= self.header.segment_bytes

    def _mark(self) -> Write:
        at = self.position
        return Write(self.header.number, at, self._record(Entry(Kind.MARK, 0, b"")))

    def _record(self, entry: Entry) -> bytes:
        record = Record(
            self.header.number, self.position, entry.kind, entry.flags, self.life,
            self.sequence_last, self.durable, entry.height, entry.payload,
        )
        self.position = record_end(record)
        assert self.position <= self.header.segment_bytes
        return record_bytes(self.header, record)

    def _create(self, number: int) -> Create:
        """Move to a new segment; all before it has been synced by the operations so far."""
        salt = self._entropy()
        while salt[:4] == bytes(4):
            salt = self._entropy()
        self.header = SegmentHeader(
            number, salt, self.header.salt, self.segment_bytes, self.sequence_last + 1,
            self.height_last, self.life,
        )
        self.position = SECTOR_BYTES
        head = header_bytes(self.header, self.identity)
        return Create(number, head, self.segment_bytes)
