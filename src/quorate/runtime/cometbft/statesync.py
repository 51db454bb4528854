"""CometBFT's state sync: our snapshots offered to others, and one of theirs taken here.

    ListSnapshots       the newest snapshots of this home, with what they are made of
    LoadSnapshotChunk   a piece of one
    OfferSnapshot       taken up only by an application that has executed nothing, but for a
                        snapshot that it took before
    ApplySnapshotChunk  checked against its digest, and put on disk; after the last one the whole is
                        checked: its state must have the app hash that CometBFT's light client has
                        verified. Then the log goes on from there, the file is moved to its place
                        (cluster/syncing.py says in which order), and the state is loaded

A wrong chunk is asked for again, of somebody else; a snapshot that is whole and has another root
is refused for good. A crash on the way leaves an application at height 0, or, from the moment at
which the log goes on from the snapshot, at its height; CometBFT's own state comes after ours, so it
may offer again then, and what it offers must not be older. What one offer has begun does nothing
any more once there is another; while a snapshot is put in its place, offers wait.
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from quorate.execution.image import Image
from quorate.replica.messages import Append, Sync
from quorate.replica.restoring import (
    FORMAT,
    Manifest,
    chunk_holds,
    manifest_bytes,
    manifest_read,
)
from quorate.replica.state import snapshot_image
from quorate.replica.validator_messages import (
    CheckSnapshot,
    ChunkRead,
    OpenPartial,
    ReadChunk,
    SnapshotChecked,
    SnapshotOffered,
    StoreChunk,
)
from quorate.runtime.cluster.syncing import Syncing, move
from quorate.runtime.cometbft.messages import (
    ApplySnapshotChunkResult,
    OfferSnapshotResult,
    Response,
)
from quorate.runtime.disk import read_whole
from quorate.runtime.files import snapshot_path
from quorate.runtime.home import Home
from quorate.runtime.recover import snapshot_name
from quorate.storage.log import Kind

Reply = Callable[[Any], None]
TICKET: Final = 0


class Restoring:
    """The snapshot that is being fetched."""

    def __init__(self, height: int, root: bytes, manifest: Manifest) -> None:
        self.height = height
        self.root = root
        self.manifest = manifest
        self.stored: dict[int, None] = {}


class StateSync:
    """Answers to the requests about snapshots; on the event loop, files on threads of their own.

    log: takes a list of effects for the log thread, and calls back when it is durable. install:
    loads a state into the ledger, and calls back when it stands. fresh: whether nothing was
    executed here. height: of the state here.
    """

    def __init__(
        self,
        home: Home,
        log: Callable[[list[Any], Callable[[], None]], None],
        install: Callable[[Image, Callable[[], None]], None],
        fresh: Callable[[], bool],
        height: Callable[[], int],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.home = home
        self.log = log
        self.install = install
        self.fresh = fresh
        self.height = height
        self.offered: dict[int, Manifest] = {}
        self.syncing = Syncing(home, self.found, failed, lambda height: None)
        self.restoring: Restoring | None = None
        self.placing = False
        self.held: list[tuple[Any, Reply]] = []

    def found(self, event: Any) -> None:
        """Note a snapshot of ours that may be offered."""
        if isinstance(event, SnapshotOffered):
            self.offered[event.height] = Manifest(event.size, event.digests)
            for old in [height for height in self.offered if height not in self.syncing.offers]:
                del self.offered[old]

    def look(self) -> None:
        """Look which snapshots there are."""
        self.syncing.offer()

    def stop(self) -> None:
        """Wait for nothing more."""
        self.syncing.stop()

    # --- for others ------------------------------------------------------------------------------
    def listed(self, body: Any, reply: Reply) -> None:
        """Answer ListSnapshots."""
        reply(Response(list_snapshots={"snapshots": [
            self.snapshot(height, manifest) for height, manifest in sorted(self.offered.items())
        ]}))  # fmt: skip

    def snapshot(self, height: int, manifest: Manifest) -> dict[str, Any]:
        """Describe a snapshot of ours."""
        metadata = manifest_bytes(manifest)
        return {
            "height": height,
            "format": FORMAT,
            "chunks": len(manifest.digests),
            "hash": hashlib.sha256(metadata).digest(),
            "metadata": metadata,
        }

    def loaded(self, body: Any, reply: Reply) -> None:
        """Answer LoadSnapshotChunk; a chunk that is not there is empty."""
        wanted = ReadChunk(TICKET, body.height, body.chunk)

        def done(found: ChunkRead) -> None:
            reply(Response(load_snapshot_chunk={"chunk": found.data or b""}))

        if body.format != FORMAT:
            reply(Response(load_snapshot_chunk={}))
            return
        self.syncing.begin(self.syncing.reading, lambda: self.syncing.read(wanted), done)

    # --- from others -----------------------------------------------------------------------------
    def offer(self, body: Any, reply: Reply) -> None:
        """Answer OfferSnapshot."""
        if self.placing:
            self.held.append((body, reply))
            return
        it = body.snapshot
        result = OfferSnapshotResult.REJECT
        manifest = manifest_read(it.metadata, it.chunks, it.hash)
        if it.format != FORMAT:
            result = OfferSnapshotResult.REJECT_FORMAT
        elif not self.fresh():
            sys.stderr.write("A snapshot was offered to a home that holds blocks already.\n")
            result = OfferSnapshotResult.ABORT
        elif manifest is not None and it.height >= max(self.height(), 1):
            self.restoring = Restoring(it.height, body.app_hash, manifest)
            wanted = OpenPartial(TICKET, manifest.size, manifest.digests)
            accepted = Response(offer_snapshot={"result": int(OfferSnapshotResult.ACCEPT)})
            syncing = self.syncing
            syncing.begin(syncing.writing, lambda: syncing.open(wanted), lambda _: reply(accepted))
            return
        reply(Response(offer_snapshot={"result": int(result)}))

    def apply(self, body: Any, reply: Reply) -> None:
        """Answer ApplySnapshotChunk."""
        it = self.restoring
        if it is None:
            reply(applied(ApplySnapshotChunkResult.ABORT))
            return
        if not chunk_holds(it.manifest, body.index, body.chunk):
            reply(applied(ApplySnapshotChunkResult.RETRY, [body.index], [body.sender]))
            return
        wanted = StoreChunk(it.height, body.index, body.chunk)

        def stored(_: Any) -> None:
            if self.restoring is not it:
                return  # who asked is gone
            it.stored[body.index] = None
            if len(it.stored) < len(it.manifest.digests):
                reply(applied(ApplySnapshotChunkResult.ACCEPT))
            else:
                self.check(it, reply)

        self.syncing.begin(self.syncing.writing, lambda: self.syncing.store(wanted), stored)

    def check(self, it: Restoring, reply: Reply) -> None:
        """Judge the whole; install what has the verified root."""
        wanted = CheckSnapshot(it.height, b"", it.root)

        def judged(found: SnapshotChecked) -> None:
            if self.restoring is not it:
                return
            if found.chunks:
                for index in found.chunks:
                    del it.stored[index]
                reply(applied(ApplySnapshotChunkResult.RETRY, list(found.chunks)))
            elif found.fault:
                sys.stderr.write(f"The snapshot of height {it.height} is refused: {found.fault}\n")
                self.restoring = None
                reply(applied(ApplySnapshotChunkResult.REJECT_SNAPSHOT))
            else:
                self.place(it, reply)

        self.syncing.begin(self.syncing.writing, lambda: self.syncing.check(wanted), judged)

    def place(self, it: Restoring, reply: Reply) -> None:
        """Log that the chain goes on from here, move the file, load the state, answer."""
        home = self.home
        self.placing = True

        def moved() -> Image:
            self.syncing.close()
            move(home.path, it.height)
            return image_of(home, snapshot_path(home.path, snapshot_name(it.height)))

        def logged() -> None:
            self.syncing.begin(self.syncing.writing, moved, loaded)

        def loaded(image: Image) -> None:
            self.install(image, installed)

        def installed() -> None:
            self.restoring, self.placing = None, False
            self.look()
            reply(applied(ApplySnapshotChunkResult.ACCEPT))
            held, self.held = self.held, []
            for waiting in held:
                self.offer(*waiting)

        self.log([Append(int(Kind.BASE), it.height, it.root), Sync(it.height)], logged)


def image_of(home: Home, path: Path) -> Image:
    """Read a snapshot that was checked. Raises StorageRefusal, StorageFailed."""
    _, image = snapshot_image(read_whole(path), home.identity)
    return image


def applied(
    result: ApplySnapshotChunkResult,
    again: list[int] | None = None,
    senders: list[str] | None = None,
) -> Any:
    """Write the answer to ApplySnapshotChunk."""
    found = {"result": int(result), "refetch_chunks": again or [], "reject_senders": senders or []}
    return Response(apply_snapshot_chunk=found)
