"""Snapshots for those who are too far behind for ranges: what we offer, and its chunks.

The snapshot process makes a file every so many blocks. It is offered when the checkpoint
certificate of its height is known, which is written down, so that it is offered again after a
restart. The newest OFFERS_KEPT are offered, so that who is fetching one can finish when the next
comes. Chunks are read by the driver and checked against the digests that were offered.

Whoever asks for what is not here is told where we are instead (`refuse`): from which height ranges
begin, and the newest snapshot.
"""

from typing import Final

from quorate.codec.blocks import encode_checkpoint_certificate
from quorate.codec.peer import Chunk, Snapshot, Status, WantChunk, WantSnapshot
from quorate.replica.checkpoints import HEIGHTS_KEPT
from quorate.replica.parts import Parts
from quorate.replica.records import CERTIFIED
from quorate.replica.validator_messages import ChunkRead, ReadChunk, SnapshotOffered
from quorate.types.consensus import CheckpointCertificate

OFFERS_KEPT: Final = 2
CERTIFICATES_KEPT: Final = 8
DESCRIBED_MAX: Final = 8  # answers about snapshots to one peer within one retry
CHUNKS_READING_MAX: Final = 4  # of one peer at a time
UNASKED: Final = 0  # the nonce of a status that answers another question


def refuse(parts: Parts, peer: int) -> None:
    """Tell a validator where we are, instead of what it asked for."""
    tip = parts.blocks.tip.height
    view, base = parts.simplex.view, parts.range_base
    parts.send(Status(UNASKED, view, tip, base, parts.snapshot, None), peer)


class Offering:
    """Our snapshots and their certificates. certified: as the log has them."""

    def __init__(self, parts: Parts, certified: dict[int, CheckpointCertificate]) -> None:
        self.parts = parts
        self.certificates = dict(certified)
        self.files: dict[int, SnapshotOffered] = {}
        self.described: dict[int, tuple[int, int]] = {}  # until when, and how often told so far
        self.reading: dict[int, tuple[int, WantChunk]] = {}
        every = parts.settings.snapshot_every
        self.awaited = parts.blocks.tip.height // every * every if every else 0

    def certified(self) -> None:
        """Write down the certificate of a snapshot's height as soon as there is one."""
        parts, every = self.parts, self.parts.settings.snapshot_every
        if not every:
            return
        oldest = parts.checkpoints.height - HEIGHTS_KEPT
        if self.awaited <= oldest:
            # No votes for it will come any more.
            self.awaited = (oldest // every + 1) * every
        found = parts.checkpoints.certificates.get(self.awaited)
        if found is not None and self.awaited not in self.certificates:
            self.certificates[found.height] = found
            validators = len(parts.settings.validators.keys)
            payload = encode_checkpoint_certificate(found, validators)
            parts.append(CERTIFIED, found.height, payload, True)
            for old in sorted(self.certificates)[:-CERTIFICATES_KEPT]:
                del self.certificates[old]
            self.newest()
        if not self.awaited or self.awaited in self.certificates:
            self.awaited += every

    def offered(self, event: SnapshotOffered) -> None:
        """Take a file that can be sent; let go of the oldest."""
        self.files[event.height] = event
        for old in sorted(self.files)[:-OFFERS_KEPT]:
            del self.files[old]
        self.newest()

    def newest(self) -> None:
        """Note the newest snapshot that we can prove."""
        proved = [height for height in self.files if height in self.certificates]
        self.parts.snapshot = max(proved, default=0)

    def asked(self, peer: int, want: WantSnapshot) -> None:
        """Say what a snapshot is made of, or which one we have; not many times in one retry."""
        now_ms = self.parts.now.mono_ms
        until_ms, times = self.described.get(peer, (0, 0))
        if until_ms <= now_ms:
            until_ms, times = now_ms + self.parts.settings.parameters.retry_ms, 0
        if times >= DESCRIBED_MAX:
            self.parts.count("snapshots_withheld")
            return
        self.described[peer] = (until_ms, times + 1)
        file = self.files.get(want.height)
        certificate = self.certificates.get(want.height)
        if file is None or certificate is None:
            refuse(self.parts, peer)
            return
        chunk_bytes = self.parts.settings.chunk_bytes
        found = Snapshot(want.height, file.size, chunk_bytes, file.digests, certificate)
        self.parts.send(found, peer)

    def chunk_asked(self, peer: int, want: WantChunk) -> None:
        """Have a chunk read; who asks for too many at once gets no answer."""
        file = self.files.get(want.height)
        busy = sum([asker == peer for asker, _ in self.reading.values()])
        if file is None:
            refuse(self.parts, peer)
        elif want.chunk < len(file.digests) and busy < CHUNKS_READING_MAX:
            ticket = self.parts.ticket()
            self.reading[ticket] = (peer, want)
            self.parts.at_once(ReadChunk(ticket, want.height, want.chunk))

    def chunk_read(self, event: ChunkRead) -> None:
        """Send a chunk."""
        asked = self.reading.pop(event.ticket, None)
        if asked is None:
            return
        peer, want = asked
        if event.data is not None:
            self.parts.send(Chunk(want.height, want.chunk, event.data), peer)
            return
        self.files.pop(want.height, None)
        self.newest()
        refuse(self.parts, peer)
