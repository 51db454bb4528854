"""The log thread of a validator: append, one sync for all that waits, then let the rest go.

Lists of effects come from the core and from the ledger, each in its order of durability. All that
wait are taken together: their records are appended, synced once, and then everything else in the
lists is released in its order. That is later than asked for, never earlier.
"""

import os
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quorate.codec.blocks import HEADER_BYTES_MAX, block_digest, decode_block, header_within
from quorate.codec.consensus import MessageInvalid
from quorate.replica.messages import Append, Halt, Stop, Sync
from quorate.replica.records import (
    AGREEMENT,
    DELIVERED,
    OBSERVING,
    PAYLOAD,
    VOTING,
    base_read,
    delivered_read,
)
from quorate.runtime.disk import io_failing
from quorate.runtime.errors import NodeHalted, NodeStopped
from quorate.runtime.files import LogFiles, segment_path
from quorate.runtime.halt import Halt as HaltMarker
from quorate.runtime.halt import write_halt
from quorate.runtime.home import Home
from quorate.runtime.snapshotter import prune_plan
from quorate.storage.log import RECORD_OVERHEAD_BYTES, Kind, Record
from quorate.storage.recovery import SnapshotFound
from quorate.storage.writer import Entry
from quorate.types.consensus import VIEW_MAX

Effects = Sequence[Any]
READING_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Last:
    """Nothing follows in the queue."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A list of the ledger's, not of the core's."""

    effects: list[Any]


@dataclass(frozen=True, slots=True)
class Prune:
    """Snapshots were made; what they make superfluous may go."""

    snapshots: tuple[SnapshotFound, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payload lies: segment, offset and size of the bytes."""

    segment: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Found:
    """A record that the log held at start. digest: of a block of agreement, else empty."""

    kind: int
    view: int
    sequence: int
    digest: bytes
    place: Place


class Journal:
    """The log, and where in it blocks of agreement lie. `run` is the thread.

    released: called on the log thread with what a sync has let go, and of how many of the core's
    lists it comes.
    """

    def __init__(
        self,
        home: Home,
        files: LogFiles,
        validators: int,
        released: Callable[[list[Any], int], None],
    ) -> None:
        self.home = home
        self.files = files
        self.validators = validators
        self.released = released
        self.queue: queue.SimpleQueue[Effects | Foreign | Prune | Last] = queue.SimpleQueue()
        self.places: dict[bytes, Place] = {}
        # The first record of each view that is not delivered yet: it and all after it are kept.
        self.views: dict[int, int] = {}
        self.synced = 0
        self.cpu_ns = 0

    @staticmethod
    def concerns(record: Record) -> bool:
        """Say whether `found` wants to see a record."""
        kinds = (AGREEMENT, PAYLOAD, DELIVERED, OBSERVING, VOTING, Kind.BASE)
        return record.kind in kinds

    @staticmethod
    def brief(record: Record, validators: int) -> Found:
        """Take from a record what `found` needs, and let go of the segment's bytes."""
        digest, size, view = b"", len(record.payload), record.height
        if record.kind == PAYLOAD:
            digest = header_digest(record.payload, validators) or b""
        elif record.kind == DELIVERED:
            _, view, _ = delivered_read(record.payload)
        elif record.kind == Kind.BASE:
            view = base_read(record.payload, validators).view
        place = Place(record.segment, record.offset + RECORD_OVERHEAD_BYTES, size)
        return Found(record.kind, view, record.sequence, digest, place)

    def found(self, it: Found) -> None:
        """Take a record that the log held at start."""
        self.note(it.kind, it.view, it.sequence)
        if it.digest:
            self.places[it.digest] = it.place

    def note(self, kind: int, view: int, sequence: int) -> None:
        """Remember from which record on agreement would replay. view: what it is labelled by."""
        if kind in (DELIVERED, Kind.BASE):
            for old in [known for known in self.views if known < view]:
                del self.views[old]
        elif kind in (AGREEMENT, PAYLOAD):
            self.views.setdefault(view, sequence)
        elif kind == OBSERVING:
            # Kept until it votes again: without it, a restart would vote at once.
            self.views[VIEW_MAX] = sequence
        elif kind == VOTING:
            # And this until all it forbids is final.
            self.views.pop(VIEW_MAX, None)
            self.views[view] = min(sequence, self.views.get(view, sequence))

    # --- the thread ------------------------------------------------------------------------------
    def take(self, effects: list[Any]) -> None:
        """Take a list of the ledger's; on any thread."""
        self.queue.put(Foreign(effects))

    def run(self) -> None:
        """Carry lists out until Last. Raises StorageFailed, NodeHalted or NodeStopped."""
        last = False
        while not last:
            waiting = [self.queue.get()]
            while not self.queue.empty():
                waiting.append(self.queue.get())
            effects: list[Any] = []
            lists = 0
            for part in waiting:
                if isinstance(part, Last):
                    last = True
                elif isinstance(part, Prune):
                    self.prune(part)
                elif isinstance(part, Foreign):
                    effects += part.effects
                else:
                    effects += part
                    lists += 1
            self.carry_out(effects, lists)
            self.cpu_ns = time.thread_time_ns()
        self.files.close()

    def carry_out(self, effects: list[Any], lists: int) -> None:
        """Append everything, sync once, then release the rest."""
        appends = [effect for effect in effects if isinstance(effect, Append)]
        if appends:
            entries = [Entry(it.kind, it.height, it.payload) for it in appends]
            sequences = self.files.append(entries)
            for it, sequence, (segment, offset) in zip(
                appends, sequences, self.files.placed, strict=True
            ):
                if it.kind == DELIVERED:
                    self.note(it.kind, delivered_read(it.payload)[1], sequence)
                elif it.kind == Kind.BASE:
                    self.note(it.kind, base_read(it.payload, self.validators).view, sequence)
                else:
                    self.note(it.kind, it.height, sequence)
                if it.kind != PAYLOAD:
                    continue
                digest = header_digest(it.payload, self.validators)
                if digest is not None:
                    self.places[digest] = Place(segment, offset, len(it.payload))
            if any(isinstance(effect, Sync) for effect in effects):
                self.files.sync()
                self.synced += 1
        free = [effect for effect in effects if not isinstance(effect, Append | Sync)]
        if free or lists:
            known = [effect for effect in free if not isinstance(effect, Halt | Stop)]
            self.released(known, lists)
        for effect in free:
            if isinstance(effect, Halt):
                marker = HaltMarker(effect.height, effect.digest, effect.reason)
                write_halt(self.home.path, marker)
                raise NodeHalted(f"Halted at height {effect.height}: {effect.reason}.")
            if isinstance(effect, Stop):
                raise NodeStopped(f"Stopped: {effect.reason}.")

    def prune(self, prune: Prune) -> None:
        """Remove what snapshots have made superfluous, but nothing that agreement would replay."""
        keep = min(self.views.values(), default=self.files.sequence_last + 1)
        plan = prune_plan(self.home, prune.snapshots, keep)
        self.files.prune(plan, self.home.config.archive)
        gone = dict.fromkeys(plan.prune_segments)
        self.places = {
            digest: place for digest, place in self.places.items() if place.segment not in gone
        }

    # --- reading back ----------------------------------------------------------------------------
    def read_blocks(self, digests: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """Read blocks of agreement; on any thread, beside the one that appends."""
        return tuple(self.read_block(digest) for digest in digests[:READING_MAX])

    def read_block(self, digest: bytes) -> bytes | None:
        """Read one block; None if the log does not hold it any more, or not as it was.

        What rotted would be taken for a forgery of ours.
        """
        place = self.places.get(digest)
        if place is None:
            return None
        path = segment_path(self.home.path, place.segment)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            with io_failing("read", path):
                data = os.pread(fd, place.size, place.offset)
        finally:
            os.close(fd)
        try:
            found = decode_block(data, self.validators)
        except MessageInvalid:
            return None
        return data if found.digest == digest else None


def header_digest(block: bytes | memoryview, validators: int) -> bytes | None:
    """Give the digest of a block of agreement by its header alone; None if it has none."""
    try:
        _, end = header_within(bytes(block[:HEADER_BYTES_MAX]), validators)
    except MessageInvalid:
        return None
    return block_digest(bytes(block[:end]))

