"""The real disk under `storage`: one home directory, one process, one log.

    home/lock          held by flock for as long as the process lives; holds its pid
    home/log/N.seg     the segments
    home/snapshots/    one file per snapshot
    home/halt.json     stands while this node must not run

An error while writing or syncing is final: `StorageFailed` is raised, and the `LogFiles` raises it
again at each further use. Nothing is retried, because after a failed fsync the kernel may call
pages clean that never reached the disk. The process exits, and the next start reads the disk
itself, past the page cache.

`append`, `sync` and all else of one `LogFiles` are called from one thread, the log thread.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quorate.runtime.disk import (
    TEMPORARY_SUFFIX,
    HomeLocked,
    HomeRefused,
    StorageFailed,
    flock_or_refuse,
    fsync_folder,
    io_failing,
    move_durably,
    read_whole,
    remove_leftovers,
    write_all,
    write_whole,
)
from quorate.storage.errors import LogDamaged
from quorate.storage.log import (
    SALT_BYTES,
    SEGMENT_BYTES_DEFAULT,
    Identity,
    Kind,
    LogScan,
    SegmentScan,
    Torn,
)
from quorate.storage.recovery import Plan, SegmentFound
from quorate.storage.writer import Create, Entry, Operation, Sync, Write, Writer

LOCK_NAME = "lock"
LOG_FOLDER = "log"
SNAPSHOT_FOLDER = "snapshots"
READ_TRIES_MAX = 5

_SEGMENT_NAME = re.compile(r"[0-9]{10}\.seg")
_SNAPSHOT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class LogFiles:
    """The log of one home, open for writing. `create` makes one, `open` goes on with one.

    segments_found: what `open` found, for `recovery.decide`. torn: the unsynced tail that was
    cut off, if any.
    """

    def __init__(self, home: Path, identity: Identity) -> None:
        """Only take the lock. Callers use `create` or `open`."""
        self.home = home
        self.identity = identity
        self.torn: Torn | None = None
        self.segments_found: list[SegmentFound] = []
        self._failure: str | None = None
        self._fd = -1
        self._writer: Writer
        try:
            self._lock_fd = os.open(
                home / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
        except OSError as error:
            raise HomeRefused(f"{home} cannot be opened: {error.strerror}.") from error
        try:
            flock_or_refuse(self._lock_fd, home)
            with io_failing("write our pid into", home / LOCK_NAME):
                os.ftruncate(self._lock_fd, 0)
                write_all(self._lock_fd, b"%d\n" % os.getpid(), 0)
        except (HomeLocked, StorageFailed):
            os.close(self._lock_fd)
            raise

    @classmethod
    def create(
        cls,
        home: Path,
        identity: Identity,
        segment_bytes: int = SEGMENT_BYTES_DEFAULT,
        height_before: int = 0,
    ) -> "LogFiles":
        """Make a log where none is; the first block will be height_before + 1.

        Raises HomeRefused, HomeLocked or StorageFailed.
        """
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeRefused(f"{home} cannot be made: {error.strerror}.") from error
        files = cls(home, identity)
        with files._opening():
            with io_failing("prepare", home):
                if segment_numbers(home):
                    raise HomeRefused(f"{home} has a log already; `run` goes on with it.")
                files._take_home()
            files._writer, operations = Writer.founded(
                identity, segment_bytes, _salt, height_before
            )
            files._execute(operations)
        return files

    @classmethod
    def open(
        cls, home: Path, identity: Identity, segment_bytes: int = SEGMENT_BYTES_DEFAULT
    ) -> "LogFiles":
        """Check the whole log, cut a torn tail, and stand ready to append.

        Raises LogDamaged, WrongChain, UnknownFormat, HomeRefused or HomeLocked before anything
        but the lock file is changed; StorageFailed.
        """
        if not home.is_dir():
            raise HomeRefused(f"{home} is not a directory; `init` makes one.")
        files = cls(home, identity)
        with files._opening():
            numbers = segment_numbers(home)
            if not numbers:
                raise HomeRefused(f"{home} holds no log; `init` makes one, `run` never does.")
            files._fd = _open_past_cache(segment_path(home, numbers[-1]))
            scan = None
            for scan in _scans(home, identity, numbers):
                files.segments_found.append(_found(scan))
            assert scan is not None
            files.torn = scan.torn
            with io_failing("prepare", home):
                files._take_home()
            files._writer, operations = Writer.resumed(
                identity, scan.tail, segment_bytes, _salt
            )
            files._execute(operations)
        return files

    @property
    def sequence_last(self) -> int:
        """The last sequence appended, 0 for none."""
        return self._writer.sequence_last

    @property
    def durable(self) -> int:
        """The last sequence that is durable."""
        return self._writer.durable

    @property
    def height_last(self) -> int:
        """The greatest height of a block appended, or the height the log was founded on."""
        return self._writer.height_last

    @property
    def placed(self) -> list[tuple[int, int]]:
        """Segment and offset of the payload of each entry of the last `append`."""
        return self._writer.placed

    def append(self, entries: Sequence[Entry]) -> range:
        """Write entries; they are not durable yet. Returns their sequences.

        Raises RecordTooLarge, with nothing changed, or StorageFailed.
        """
        self._usable()
        sequences, operations = self._writer.append(entries)
        self._execute(operations)
        return sequences

    def sync(self) -> int:
        """Make all that was appended durable; the last durable sequence. Raises StorageFailed."""
        self._usable()
        operations = self._writer.sync()
        if operations:
            self._execute(operations)
            self._execute(self._writer.synced())
        return self._writer.durable

    def read_segments(self, number_first: int = 0) -> Iterator[SegmentScan]:
        """The log as it stands, segment by segment, from the one numbered number_first.

        A segment's payloads hold all of its bytes in memory: drop them before the next.
        """
        self._usable()
        numbers = [number for number in segment_numbers(self.home) if number >= number_first]
        yield from _scans(self.home, self.identity, numbers)

    def write_snapshot(self, name: str, chunks: Iterable[bytes]) -> None:
        """As `write_snapshot` of this module, but a failure is final for the log too."""
        self._usable()
        with self._poisoning():
            write_snapshot(self.home, name, chunks)

    def prune(self, plan: Plan, archive: Path | None = None) -> None:
        """Remove what the plan no longer needs, or move it to a folder. Raises StorageFailed.

        A crash in between leaves a log that starts later, or one snapshot too many.
        """
        self._usable()
        assert self._writer.header.number not in plan.prune_segments
        doomed = [snapshot_path(self.home, name) for name in plan.prune_snapshots]
        doomed += [segment_path(self.home, number) for number in plan.prune_segments]
        with self._poisoning():
            for path in doomed:
                with io_failing("prune", path):
                    if archive is None:
                        path.unlink()
                    else:
                        move_durably(path, archive)
                    # Segments must vanish in their order, or a crash leaves a hole.
                    fsync_folder(path.parent)

    def close(self) -> None:
        """Sync, write the mark that proves it, and let the home go. Raises StorageFailed."""
        try:
            if self._failure is None and self._fd != -1:
                self.sync()
                with self._poisoning(), io_failing("sync", self._segment_path()):
                    os.fdatasync(self._fd)
        finally:
            self._abandon()

    def __enter__(self) -> "LogFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _usable(self) -> None:
        if self._failure is not None:
            raise StorageFailed(self._failure)

    def _segment_path(self) -> Path:
        return segment_path(self.home, self._writer.header.number)

    @contextmanager
    def _opening(self) -> Iterator[None]:
        """Let go of lock and file if a home cannot be opened after all."""
        ready = False
        try:
            yield
            ready = True
        finally:
            if not ready:
                self._abandon()

    @contextmanager
    def _poisoning(self) -> Iterator[None]:
        """Remember the first StorageFailed for good."""
        try:
            yield
        except StorageFailed as failure:
            self._failure = str(failure)
            raise

    def _take_home(self) -> None:
        """Make the folders and clear what a crash left half made. Raises OSError."""
        for folder in (self.home / LOG_FOLDER, self.home / SNAPSHOT_FOLDER):
            folder.mkdir(exist_ok=True)
            remove_leftovers(folder)
        fsync_folder(self.home)

    def _execute(self, operations: list[Operation]) -> None:
        """Do what the writer wants, in its order; stop for good at the first error."""
        with self._poisoning():
            for operation in operations:
                path = segment_path(self.home, operation.segment)
                if isinstance(operation, Write):
                    with io_failing("write to", path):
                        write_all(self._fd, operation.data, operation.offset)
                elif isinstance(operation, Sync):
                    with io_failing("sync", path):
                        os.fdatasync(self._fd)
                else:
                    with io_failing("create", path):
                        self._create(path, operation)

    def _create(self, path: Path, operation: Create) -> None:
        if self._fd != -1:
            os.close(self._fd)
            self._fd = -1
        assert not path.exists(), "a segment is never written over"
        write_whole(path, [operation.head], operation.segment_bytes)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def _abandon(self) -> None:
        for fd in (self._fd, self._lock_fd):
            if fd != -1:
                os.close(fd)
        self._fd = self._lock_fd = -1
        self._failure = self._failure or "This log is closed."


def _salt() -> bytes:
    return os.urandom(SALT_BYTES)


def _found(scan: SegmentScan) -> SegmentFound:
    header = scan.header
    return SegmentFound(
        header.number,
        header.sequence_first,
        header.height_before,
        scan.tail.height_last,
        max((record.height for record in scan.records if record.kind == Kind.BASE), default=0),
    )


def segment_path(home: Path, number: int) -> Path:
    """Where a segment lies."""
    return home / LOG_FOLDER / f"{number:010d}.seg"


def segment_numbers(home: Path) -> list[int]:
    """The segments there are, in order. Raises StorageFailed."""
    folder = home / LOG_FOLDER
    with io_failing("list", folder):
        names = os.listdir(folder) if folder.is_dir() else []
    return sorted(int(name[:10]) for name in names if _SEGMENT_NAME.fullmatch(name))


def _open_past_cache(path: Path) -> int:
    """Open a segment such that reading it shows what the disk has. Raises StorageFailed.

    After a failed fsync a page may be marked clean with bytes that were never written. So: sync
    what is dirty, then drop what is clean.
    """
    with io_failing("open", path):
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        os.fdatasync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return fd


def _scans(home: Path, identity: Identity, numbers: list[int]) -> Iterator[SegmentScan]:
    scan = LogScan(identity)
    for number in numbers:
        data = read_whole(segment_path(home, number))
        yield scan.segment(number, data, number == numbers[-1])


def follow_segments(
    home: Path, identity: Identity, number_first: int = 0
) -> Iterator[SegmentScan]:
    """What is durable in a log that another process may be writing, segment by segment.

    For a reader without the lock: it gives only records known to be durable, so that a snapshot
    made from them is never ahead of the log. Changes nothing. Raises LogDamaged, WrongChain,
    UnknownFormat or StorageFailed.
    """
    numbers = [number for number in segment_numbers(home) if number >= number_first]
    scan = LogScan(identity)
    for number in numbers[:-1]:
        # Synced before the next segment was made, so all of it is durable and at rest.
        yield scan.segment(number, read_whole(segment_path(home, number)), False)
    for number in numbers[-1:]:
        found = _scan_moving(home, scan, number)
        kept = [record for record in found.records if record.sequence <= found.tail.durable]
        yield found._replace(records=kept, torn=None)


def _scan_moving(home: Path, scan: LogScan, number: int) -> SegmentScan:
    """Scan a segment that is being written.

    A read that overlaps with writes can see a later one without an earlier one, which looks
    like damage. True damage stays when we look again.
    """
    for _ in range(READ_TRIES_MAX - 1):
        try:
            return scan.segment(number, read_whole(segment_path(home, number)), True)
        except LogDamaged:
            continue
    return scan.segment(number, read_whole(segment_path(home, number)), True)


def snapshot_path(home: Path, name: str) -> Path:
    """Where a snapshot lies."""
    assert _SNAPSHOT_NAME.fullmatch(name) and not name.endswith(TEMPORARY_SUFFIX)
    return home / SNAPSHOT_FOLDER / name


def snapshot_names(home: Path) -> list[str]:
    """The snapshots there are, by name. Raises StorageFailed."""
    folder = home / SNAPSHOT_FOLDER
    with io_failing("list", folder):
        names = os.listdir(folder) if folder.is_dir() else []
    return sorted(
        name
        for name in names
        if _SNAPSHOT_NAME.fullmatch(name) and not name.endswith(TEMPORARY_SUFFIX)
    )


def write_snapshot(home: Path, name: str, chunks: Iterable[bytes]) -> None:
    """Write a snapshot durably; it is there whole or not at all. Needs no lock on the home.

    Raises StorageFailed; HomeLocked if another process writes the same snapshot.
    """
    path = snapshot_path(home, name)
    with io_failing("write", path):
        path.parent.mkdir(exist_ok=True)
        write_whole(path, chunks)


def read_snapshot(home: Path, name: str) -> bytes:
    """The bytes of a snapshot, for `storage.snapshot.read`. Raises StorageFailed."""
    return read_whole(snapshot_path(home, name))
