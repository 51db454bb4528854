"""Files of snapshots for catching up: read for others, and fetched from others. Off the loop.

    home/snapshots/HEIGHT.snapshot   made here or installed; what is offered
    home/sync/partial                what is being fetched: recovery does not look here

The order of installing, of which each step may be the last before a crash:

    the file is whole, checked and durable under sync/partial    nothing has happened yet
    BASE is synced in the log                                    the file is moved at the next start
    the file is moved to snapshots/                              as after any snapshot

The partial file stays after a crash and after a failure: its chunks are known by their digests.
Chunks of nothing but zeros are not: in a file that was only made large enough all are there, and
whoever names such chunks would have us read what nobody ever sent. They come again.
"""

import asyncio
import concurrent.futures
import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from quorate.replica.state import snapshot_image
from quorate.replica.validator_messages import (
    CheckSnapshot,
    ChunkRead,
    ChunkStored,
    Install,
    OpenPartial,
    PartialOpened,
    ReadChunk,
    SnapshotChecked,
    SnapshotOffered,
    StoreChunk,
    ValidatorEvent,
)
from quorate.runtime.disk import fsync_folder, io_failing, read_whole, write_all
from quorate.runtime.files import LogFiles, snapshot_names, snapshot_path
from quorate.runtime.home import Home
from quorate.runtime.recover import snapshot_name
from quorate.storage.errors import StorageRefusal
from quorate.storage.log import Identity
from quorate.storage.snapshot import (
    CHUNK_BYTES,
    manifest_bytes_max,
    manifest_read,
)
from quorate.types.records import Table

SYNC_FOLDER: Final = "sync"
PARTIAL_NAME: Final = "partial"
OFFERED: Final = 2  # the newest snapshots, of which chunks are sent

Wanted = ReadChunk | OpenPartial | StoreChunk | CheckSnapshot


class Syncing:
    """Carries out what the core wants of files; answers on the loop's thread.

    post: takes events for the core. failed: is told what ended a thread. installed: is called when
    the node is to begin again.
    """

    def __init__(
        self,
        home: Home,
        post: Callable[[ValidatorEvent], None],
        failed: Callable[[BaseException], None],
        installed: Callable[[int], None],
    ) -> None:
        self.home = home
        self.post = post
        self.failed = failed
        self.installed = installed
        self.offers: dict[int, SnapshotOffered] = {}
        self.fd = -1
        self.opened = OpenPartial(0, 0, ())
        self.stored: dict[int, None] = {}
        pool = concurrent.futures.ThreadPoolExecutor
        # What is fetched is written by one thread, in the order in which the core wants it.
        self.reading, self.writing = pool(1, "serving"), pool(1, "syncing")
        self.actions: dict[type[Any], tuple[Any, Callable[[Any], ValidatorEvent]]] = {
            ReadChunk: (self.reading, self.read),
            OpenPartial: (self.writing, self.open),
            StoreChunk: (self.writing, self.store),
            CheckSnapshot: (self.writing, self.check),
        }

    # --- on the loop -----------------------------------------------------------------------------
    def carry_out(self, wanted: Wanted) -> None:
        """Do one thing in a thread, and post its answer."""
        pool, action = self.actions[type(wanted)]
        self.begin(pool, lambda: action(wanted), self.post)

    def begin(
        self, pool: concurrent.futures.Executor, work: Callable[[], Any], done: Callable[[Any], Any]
    ) -> None:
        """Have a thread work, and hand on what comes of it."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(pool, work)

        def ended(future: "asyncio.Future[Any]") -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is not None:
                self.failed(error)
            else:
                done(future.result())

        future.add_done_callback(ended)

    def offer(self) -> None:
        """Look which snapshots there are, and offer the newest."""

        def offered(found: Sequence[SnapshotOffered]) -> None:
            for event in found:
                self.post(event)

        self.begin(self.reading, self.found, offered)

    def install(self, install: Install) -> None:
        """Move the fetched file to its place: the log says so."""

        def work() -> int:
            self.close()
            move(self.home.path, install.height)
            return install.height

        self.begin(self.writing, work, self.installed)

    def stop(self) -> None:
        """Wait for nothing more; what is half written is found by its digests."""
        for pool in (self.reading, self.writing):
            pool.shutdown(wait=True, cancel_futures=True)
        self.close()

    # --- serving, on the reading thread ----------------------------------------------------------
    def found(self) -> list[SnapshotOffered]:
        """Hash the chunks of the newest snapshots that were not offered yet. Raises StorageFailed.

        What stands there was checked when it was made or at start.
        """
        fresh = []
        for name in snapshot_names(self.home.path)[-OFFERED:]:
            height = height_of(name)
            if height and height not in self.offers:
                digests, size = [], 0
                path = snapshot_path(self.home.path, name)
                with io_failing("read", path), path.open("rb") as file:
                    while chunk := file.read(CHUNK_BYTES):
                        digests.append(sha256(chunk).digest())
                        size += len(chunk)
                self.offers[height] = SnapshotOffered(height, size, tuple(digests))
                fresh.append(self.offers[height])
        for old in sorted(self.offers)[:-OFFERED]:
            del self.offers[old]
        return fresh

    def read(self, wanted: ReadChunk) -> ChunkRead:
        """Read a chunk; none if its file is gone or holds something else. Raises StorageFailed."""
        offer = self.offers.get(wanted.height)
        path = snapshot_path(self.home.path, snapshot_name(wanted.height))
        if offer is None or wanted.chunk >= len(offer.digests):
            return ChunkRead(wanted.ticket, None)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return ChunkRead(wanted.ticket, None)
        try:
            with io_failing("read", path):
                data = os.pread(fd, CHUNK_BYTES, wanted.chunk * CHUNK_BYTES)
        finally:
            os.close(fd)
        sound = sha256(data).digest() == offer.digests[wanted.chunk]
        return ChunkRead(wanted.ticket, data if sound else None)

    # --- fetching, on the writing thread ---------------------------------------------------------
    def open(self, wanted: OpenPartial) -> PartialOpened:
        """Open the file, of the right size, and find the chunks in it. Raises StorageFailed."""
        self.close()
        path = partial_path(self.home.path)
        with io_failing("open", path):
            path.parent.mkdir(exist_ok=True)
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.ftruncate(self.fd, wanted.size)
            fsync_folder(path.parent)
            fsync_folder(self.home.path)
            self.opened, self.stored = wanted, {}
            there = tuple(
                index
                for index, digest in enumerate(wanted.digests)
                if (chunk := self.chunk(index)).count(0) < len(chunk)
                and sha256(chunk).digest() == digest
            )
        self.stored = dict.fromkeys(there)
        return PartialOpened(wanted.ticket, there)

    def chunk(self, index: int) -> bytes:
        """Read a chunk of the open file."""
        return os.pread(self.fd, CHUNK_BYTES, index * CHUNK_BYTES)

    def store(self, wanted: StoreChunk) -> ChunkStored:
        """Write a chunk; it need not be durable yet. Raises StorageFailed."""
        with io_failing("write to", partial_path(self.home.path)):
            write_all(self.fd, wanted.data, wanted.chunk * CHUNK_BYTES)
        self.stored[wanted.chunk] = None
        return ChunkStored(wanted.height, wanted.chunk)

    def check(self, wanted: CheckSnapshot) -> SnapshotChecked:
        """Make the file durable, then check all of it. Raises StorageFailed.

        It is taken into memory only if every chunk is there and its head is that of the state.
        """
        path = partial_path(self.home.path)
        with io_failing("sync", path):
            os.fsync(self.fd)
        with io_failing("read", path):
            missing = tuple(
                index
                for index, digest in enumerate(self.opened.digests)
                if index not in self.stored or sha256(self.chunk(index)).digest() != digest
            )
            head = os.pread(self.fd, manifest_bytes_max(self.opened.size), 0)
        height, digest, root = wanted
        if missing:
            fault = f"{len(missing)} chunks of the snapshot are not on disk as they came."
            return SnapshotChecked(height, fault, missing)
        identity = self.home.identity
        fault = head_fault(head, self.opened.size, identity, height, root)
        fault = fault or snapshot_fault(read_whole(path), identity, height, digest, root)
        return SnapshotChecked(height, fault)

    def close(self) -> None:
        """Close the file."""
        if self.fd != -1:
            os.close(self.fd)
            self.fd = -1


def partial_path(home: Path) -> Path:
    """Say where a snapshot is put together."""
    return home / SYNC_FOLDER / PARTIAL_NAME


def height_of(name: str) -> int:
    """Give the height in the name of a snapshot, 0 if it has none."""
    stem = name.partition(".")[0]
    height = int(stem) if stem.isdecimal() and stem.isascii() else 0
    return height if name == snapshot_name(height) else 0


def head_fault(
    head: bytes, size: int, identity: Identity, height: int, state_root: bytes
) -> str:
    """Say why the first bytes of a file of that size are not those of the certified state."""
    try:
        manifest = manifest_read(head, identity)
    except StorageRefusal as refused:
        return str(refused)
    if manifest.manifest_bytes + manifest.data_bytes != size:
        return "The snapshot has not the size that its head says."
    if manifest.head.height != height:
        return f"The snapshot is of height {manifest.head.height}, not {height}."
    if manifest.head.state_root != state_root:
        return "The snapshot's state has not the certified root."
    return ""


def snapshot_fault(
    data: bytes, identity: Identity, height: int, exec_block_digest: bytes, state_root: bytes
) -> str:
    """Say why bytes are not the certified state of a height; every byte is looked at.

    exec_block_digest: empty where only the root is known, which covers it.
    """
    try:
        head, image = snapshot_image(data, identity)
    except StorageRefusal as refused:
        return str(refused)
    if head.height != height:
        return f"The snapshot is of height {head.height}, not {height}."
    if head.state_root != state_root:
        return "The snapshot's state has not the certified root."
    made_by = image[Table.CHAIN].rows[0]["exec_block_digest"].tobytes()
    if exec_block_digest not in (b"", made_by):
        return "The snapshot's state was made by another block."
    return ""


def move(home: Path, height: int) -> None:
    """Put the fetched file where snapshots lie, durably. Raises StorageFailed."""
    source, target = partial_path(home), snapshot_path(home, snapshot_name(height))
    with io_failing("move", source):
        target.parent.mkdir(exist_ok=True)
        os.rename(source, target)
        fsync_folder(target.parent)
        fsync_folder(source.parent)


def finish_install(home: Home, files: LogFiles) -> None:
    """Move a fetched snapshot that the log goes on from, where a crash came between.

    Raises StorageFailed. What is not that snapshot is left; `recovery.decide` then refuses.
    """
    base = max([found.base for found in files.segments_found], default=0)
    path = partial_path(home.path)
    if not base or snapshot_name(base) in snapshot_names(home.path) or not path.exists():
        return
    try:
        head, _ = snapshot_image(read_whole(path), home.identity)
    except StorageRefusal:
        return
    if head.height == base:
        move(home.path, base)
