"""Catching up by snapshot, when nobody can serve the next block any more. Sans-IO.

    IDLE        a peer that cannot serve a range says so by its status. When more than the malicious
                may weigh have said so, or everybody connected has or is silent, the snapshot that
                most of them name is wanted
    MANIFEST    all are asked what it is made of. An answer counts if its checkpoint certificate
                holds: that is checked before a byte of the state is asked for. Snapshots of equal
                states are equal bytes, so the honest answer alike. An answer that more than the
                malicious may weigh give is tried first; then that of who lied and failed least
                (standing.py), then that of most weight
    FETCHING    chunks from all who gave that answer, a few at a time; each is checked against its
                digest and put on disk, where it is found again after a crash. A peer that sends
                another chunk than it named is asked nothing more of this height. The block at the
                snapshot's height comes by range, so that a finalization proves it; it must be the
                one that the certificate says was executed
    CHECKING    the driver loads the file: if its state has not the certified root, that answer is
                never tried again, and all who gave it lied. Chunks that the disk has not kept
                prove nothing against anybody, and are asked for again
    INSTALLING  once the ledger rests, BASE is written, synced, and the node begins again from it

What lies at or below a block that was delivered here is never installed, so nothing that this
validator has signed is undone. Lies cost time. What a liar gives is not tried while more than the
malicious may weigh give another answer. Else each liar costs at most one transfer, of no more than
SNAPSHOT_BYTES_MAX, while anybody who never lied names a snapshot; when only liars do, one for each
height of which they hold a certificate. Who withholds chunks costs LATE_MAX times CHUNK_TIMEOUT_MS,
and again only after all others have failed as often; that timeout alone bounds how slow chunks are.
"""

from collections import deque
from enum import IntEnum
from hashlib import sha256
from typing import Final

from quorate.codec.peer import (
    Chunk,
    Range,
    Snapshot,
    Status,
    WantChunk,
    WantRange,
    WantSnapshot,
)
from quorate.replica.offering import UNASKED
from quorate.replica.parts import Parts
from quorate.replica.ranges import block_fault
from quorate.replica.records import PAYLOAD, Base, base_payload
from quorate.replica.standing import Standing
from quorate.replica.state import SNAPSHOT_BYTES_MAX
from quorate.replica.validator_messages import (
    CheckSnapshot,
    ChunkStored,
    Install,
    OpenPartial,
    PartialOpened,
    Progress,
    SnapshotChecked,
    StoreChunk,
)
from quorate.replica.validity import checkpoint_fault
from quorate.storage.log import Kind
from quorate.types.consensus import (
    CheckpointCertificate,
    CheckpointVote,
    faulty_weight_max,
)

MANIFEST_TIMEOUT_MS: Final = 3_000
MANIFEST_GRACE_MS: Final = 500  # after the first answer, for the others
CHUNK_TIMEOUT_MS: Final = 5_000
BLOCK_TIMEOUT_MS: Final = 1_000
BLOCK_ROUNDS_MAX: Final = 5
AGAIN_MS: Final = 1_000
CHUNKS_OF_PEER_MAX: Final = 2
CHUNKS_UNDER_WAY_MAX: Final = 8  # asked for, or on their way to the disk
LATE_MAX: Final = 8  # chunks withheld, for each who named them, before all is asked anew
NEVER: Final = 2**62
NOBODY: Final = -1


class Stage(IntEnum):
    """How far a snapshot has come."""

    IDLE = 0
    MANIFEST = 1
    FETCHING = 2
    CHECKING = 3
    INSTALLING = 4


class Offer:
    """One answer to what a snapshot is made of. givers: who gave it; peers: those still there."""

    __slots__ = ("givers", "name", "peers", "snapshot")

    def __init__(self, name: bytes, snapshot: Snapshot) -> None:
        self.name = name
        self.snapshot = snapshot
        self.peers: dict[int, None] = {}
        self.givers: dict[int, None] = {}


class StateSync:
    """One snapshot at a time on its way here."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.stage = Stage.IDLE
        self.due_ms = NEVER
        self.statuses: dict[int, Status] = {}
        self.silent: dict[int, None] = {}
        self.height = 0
        self.naming: list[int] = []  # who had that snapshot when we asked for it
        self.failed: dict[int, None] = {}  # heights of which nobody had anything
        self.answered: dict[int, None] = {}
        self.offers: dict[bytes, Offer] = {}
        self.refused: dict[bytes, None] = {}  # answers that were not the certified state
        self.standing = Standing(parts.settings.validators)
        self.offer: Offer | None = None
        self.missing: deque[int] = deque()
        self.asked: dict[int, tuple[int, int]] = {}  # chunk: of whom, until when
        self.storing: dict[int, None] = {}
        self.late: dict[int, int] = {}  # chunks in a row that each peer withheld
        self.late_count = 0
        self.opened = False
        self.ticket = 0
        self.base: Base | None = None
        self.block = b""
        self.block_due = NEVER
        self.block_turn = 0
        self.block_peer = NOBODY

    # --- whether it is needed --------------------------------------------------------------------
    def cannot_serve(self, peer: int) -> bool:
        """Say whether a validator has said that it lacks the next block that we need."""
        status = self.statuses.get(peer)
        return status is not None and status.range_base > self.parts.blocks.tip.height + 1

    def status_came(self, peer: int, status: Status, of_range: bool) -> None:
        """Take what a validator answered instead of what we asked for.

        of_range: that was the range of the next blocks, else the snapshot or a part of it.
        """
        if status.nonce != UNASKED:
            return
        self.statuses[peer] = status
        if self.stage == Stage.IDLE:
            self.consider()
        elif of_range:
            pass
        elif self.stage == Stage.MANIFEST:
            self.answered[peer] = None
            self.choose_early()
        elif self.stage == Stage.FETCHING:
            if self.block_peer == peer:
                self.block_peer = NOBODY
            else:
                self.leave_out(peer)  # it has this snapshot no longer

    def missed(self, peer: int) -> None:
        """Note that a validator did not answer our request for a range."""
        self.silent[peer] = None
        self.consider()

    def served(self) -> None:
        """Note that a range has come."""
        self.silent.clear()

    def peer_down(self, peer: int) -> None:
        """Ask a validator that is gone for nothing any more."""
        self.statuses.pop(peer, None)
        self.silent.pop(peer, None)
        self.answered.pop(peer, None)
        for offer in self.offers.values():
            offer.peers.pop(peer, None)
        if self.stage == Stage.FETCHING:
            self.leave_out(peer)

    def consider(self) -> None:
        """Begin if ranges will not come."""
        parts = self.parts
        if self.stage != Stage.IDLE or self.due_ms != NEVER:
            return
        lacking = [peer for peer in parts.peers if self.cannot_serve(peer)]
        if not lacking:
            return
        validators = parts.settings.validators
        enough = validators.weight_of(tuple(lacking)) > faulty_weight_max(validators.total)
        if enough or all(peer in lacking or peer in self.silent for peer in parts.peers):
            self.begin()

    # --- what it is made of ----------------------------------------------------------------------
    def begin(self) -> None:
        """Ask all for the snapshot that ranks highest by who names it, of equals the newest."""
        parts, standing = self.parts, self.standing
        named: dict[int, list[int]] = {}
        for peer, status in self.statuses.items():
            height = status.snapshot
            if peer in parts.peers and height > parts.blocks.tip.height:
                if height not in self.failed and standing.sound(height, [peer]):
                    named.setdefault(height, []).append(peer)
        if not named:
            self.rest()
            return
        self.height = max(named, key=lambda height: (standing.rank(named[height]), height))
        self.naming = named[self.height]
        self.stage = Stage.MANIFEST
        self.due_ms = parts.now.mono_ms + MANIFEST_TIMEOUT_MS
        asked = standing.sound(self.height, parts.peers)
        self.answered = {peer: None for peer in parts.peers if peer not in asked}
        self.offers = {}
        for peer in asked:
            parts.send(WantSnapshot(self.height), peer)
        fields = (("height", self.height), ("tip", parts.blocks.tip.height))
        parts.after.append(Progress("snapshot_wanted", fields))

    def rest(self) -> None:
        """Wait a while; then what failed before may be tried again."""
        self.stage, self.offer = Stage.IDLE, None
        self.due_ms = self.parts.now.mono_ms + AGAIN_MS
        self.block_due = NEVER
        self.asked.clear()
        self.failed.clear()

    def snapshot_came(self, peer: int, snapshot: Snapshot) -> None:
        """Take an answer, if its certificate holds."""
        parts = self.parts
        if self.stage != Stage.MANIFEST or snapshot.height != self.height:
            parts.count("snapshots_unasked")
            return
        if peer in self.answered:
            return
        self.answered[peer] = None
        certificate = snapshot.certificate
        if snapshot.size > SNAPSHOT_BYTES_MAX:
            parts.count("snapshots_oversized")
        elif snapshot.chunk_bytes == parts.settings.chunk_bytes and self.certified(certificate):
            name = named_by(snapshot)
            offer = self.offers.setdefault(name, Offer(name, snapshot))
            offer.peers[peer] = offer.givers[peer] = None
            self.due_ms = min(self.due_ms, parts.now.mono_ms + MANIFEST_GRACE_MS)
        else:
            parts.count("snapshots_forged")
        self.choose_early()

    def certified(self, certificate: CheckpointCertificate) -> bool:
        """Check a checkpoint certificate: signers, weight, every signature."""
        parts = self.parts
        epoch, height, digest, root, _, _ = certificate

        def holds(signer: int, signature: bytes) -> bool:
            vote = CheckpointVote(epoch, height, digest, root, signer, signature)
            return parts.blocks.holds(vote)

        return not checkpoint_fault(certificate, parts.settings.validators, holds)

    def choose_early(self) -> None:
        """Choose as soon as all have answered."""
        if all(peer in self.answered for peer in self.parts.peers):
            self.choose()

    def choose(self) -> None:
        """Fetch the answer that ranks highest by who gave it, of those not found wrong."""
        standing = self.standing
        untried = [name for name in sorted(self.offers) if name not in self.refused]
        found = {name: standing.sound(self.height, self.offers[name].peers) for name in untried}
        sound = {name: givers for name, givers in found.items() if givers}
        best = max(sound, key=lambda name: standing.rank(sound[name]), default=b"")
        if not best or (not standing.honest(sound[best]) and self.other_named()):
            standing.failed(self.naming)
            self.failed[self.height] = None
            self.begin()
            return
        self.offer, self.stage, self.due_ms = self.offers[best], Stage.FETCHING, NEVER
        self.missing, self.opened = deque(), False
        self.asked, self.storing, self.late_count = {}, {}, 0
        self.base, self.block_turn = None, 0
        snapshot = self.offer.snapshot
        self.ticket = self.parts.ticket()
        self.parts.at_once(OpenPartial(self.ticket, snapshot.size, snapshot.digests))
        self.ask_for_block()

    def other_named(self) -> bool:
        """Say whether one who never lied names another height, that has not failed."""
        parts, failed = self.parts, {**self.failed, self.height: None}
        return any(
            peer in parts.peers and it.snapshot > parts.blocks.tip.height
            for peer, it in self.statuses.items()
            if it.snapshot not in failed and self.standing.honest([peer])
        )

    def came_to_nothing(self, peers: list[int]) -> None:
        """Hold it against these and those who led us here, but not who gave another answer."""
        assert self.offer is not None
        others = [it for name, it in self.offers.items() if name not in self.refused]
        spared = [peer for it in others if it is not self.offer for peer in it.givers]
        led = dict.fromkeys([*peers, *self.naming])
        self.standing.failed([peer for peer in led if peer not in spared])

    # --- chunks ----------------------------------------------------------------------------------
    def partial_opened(self, event: PartialOpened) -> None:
        """Ask for what is not on disk yet."""
        if self.stage != Stage.FETCHING or self.offer is None or event.ticket != self.ticket:
            return
        there = dict.fromkeys(event.chunks)
        count = len(self.offer.snapshot.digests)
        self.missing = deque(index for index in range(count) if index not in there)
        self.opened = True
        self.parts.count("chunks_found", len(there))
        self.go_on()

    def sources(self) -> list[int]:
        """Name those of whom chunks are asked, the least busy first.

        They are those who never lied if any are, and of these those who were punctual.
        """
        offer = self.offer
        assert offer is not None
        sound = self.standing.sound(self.height, offer.peers)
        bad = {peer: (self.standing.lies.get(peer, 0), self.late.get(peer, 0)) for peer in sound}
        least = min(bad.values(), default=(0, 0))
        busy = [peer for peer, _ in self.asked.values()]
        punctual = [peer for peer in sound if bad[peer] == least]
        return sorted(punctual, key=lambda peer: (busy.count(peer), peer))

    def go_on(self) -> None:
        """Ask for more, or have the whole checked, or start over when nobody is left."""
        if self.stage != Stage.FETCHING or not self.opened:
            return
        offer = self.offer
        assert offer is not None
        if self.parts.blocks.tip.height >= self.height:
            self.rest()  # ranges were faster
            return
        if not self.missing and not self.asked and not self.storing:
            if self.base is not None:
                self.stage = Stage.CHECKING
                certificate = offer.snapshot.certificate
                wanted = certificate.exec_block_digest, certificate.state_root
                self.parts.at_once(CheckSnapshot(self.height, *wanted))
            return
        while self.missing and len(self.asked) + len(self.storing) < CHUNKS_UNDER_WAY_MAX:
            sources = self.sources()
            if not sources:
                break
            peer = sources[0]
            if sum([of == peer for of, _ in self.asked.values()]) >= CHUNKS_OF_PEER_MAX:
                break
            chunk = self.missing.popleft()
            self.asked[chunk] = (peer, self.parts.now.mono_ms + CHUNK_TIMEOUT_MS)
            self.parts.send(WantChunk(self.height, chunk), peer)
        if not self.sources() or self.late_count > LATE_MAX * len(offer.peers):
            self.came_to_nothing(list(offer.givers))
            self.parts.count("snapshots_given_up")
            self.rest()

    def leave_out(self, peer: int) -> None:
        """Ask others for what a validator was asked for."""
        if self.offer is not None:
            self.offer.peers.pop(peer, None)
        for chunk in [chunk for chunk, (of, _) in self.asked.items() if of == peer]:
            del self.asked[chunk]
            self.missing.appendleft(chunk)
        self.go_on()

    def chunk_came(self, peer: int, chunk: Chunk) -> None:
        """Take a chunk that we asked for, if it is what was named."""
        index, data = chunk.chunk, chunk.data
        asked = self.asked.get(index)
        if chunk.height != self.height or asked is None or asked[0] != peer:
            self.parts.count("chunks_unasked")
            return
        offer = self.offer
        assert offer is not None
        snapshot = offer.snapshot
        size = min(snapshot.chunk_bytes, snapshot.size - index * snapshot.chunk_bytes)
        if len(data) != size or sha256(data).digest() != snapshot.digests[index]:
            self.parts.count("chunks_forged")
            self.standing.lied(self.height, [peer])
            self.leave_out(peer)
            return
        del self.asked[index]
        self.late.pop(peer, None)
        self.storing[index] = None
        self.parts.at_once(StoreChunk(self.height, index, data))
        self.go_on()

    def chunk_stored(self, event: ChunkStored) -> None:
        """Let go of a chunk that is on disk."""
        if event.height == self.height:
            self.storing.pop(event.chunk, None)
            self.go_on()

    # --- the block at its height -----------------------------------------------------------------
    def ask_for_block(self) -> None:
        """Ask the next in turn for the block of the snapshot's height, but not for ever."""
        peers = sorted(self.parts.peers)
        self.block_due = self.parts.now.mono_ms + BLOCK_TIMEOUT_MS
        self.block_turn += 1
        if self.block_turn > BLOCK_ROUNDS_MAX * len(peers):
            # Whoever made this snapshot may have pruned the block since: a newer one will come.
            self.parts.count("snapshots_given_up")
            self.rest()
            return
        self.block_peer = peers[self.block_turn % len(peers)]
        self.parts.send(WantRange(self.height), self.block_peer)

    def range_came(self, peer: int, found: Range) -> bool:
        """Take the block at the snapshot's height; say whether the range was meant for us."""
        offer, parts = self.offer, self.parts
        wanted = self.stage == Stage.FETCHING and self.base is None and offer is not None
        first = found.blocks[0]
        if not wanted or offer is None or first.header.height != self.height:
            return False
        certificate = offer.snapshot.certificate
        fault = block_fault(found, certificate, parts.settings.validators, parts.scheme)
        if fault:
            parts.count("snapshot_blocks_forged")
            if peer == self.block_peer:
                self.ask_for_block()
            return True
        header = first.header
        self.base = Base(header.view, header.time_ms, first.digest, certificate)
        self.block = first.header_bytes + first.items
        self.block_due = NEVER
        self.go_on()
        return True

    # --- the end ---------------------------------------------------------------------------------
    def checked(self, event: SnapshotChecked) -> None:
        """Install the certified state; what is another is never tried again."""
        if self.stage != Stage.CHECKING or event.height != self.height:
            return
        assert self.offer is not None
        if event.chunks:
            self.parts.count("chunks_rotted", len(event.chunks))
            self.late_count += len(event.chunks)
            self.missing.extend(event.chunks)
            self.stage = Stage.FETCHING
            self.go_on()
            return
        if event.fault:
            self.parts.count("snapshots_refused")
            self.refused[self.offer.name] = None
            self.standing.lied(self.height, self.offer.givers)
            self.came_to_nothing([])
            self.rest()
            return
        self.stage = Stage.INSTALLING
        self.parts.installing = True

    def install(self) -> None:
        """Write down from what the log goes on, as soon as the ledger rests."""
        parts = self.parts
        if self.stage != Stage.INSTALLING or parts.chain.executing:
            return
        if parts.blocks.tip.height >= self.height:
            parts.installing = False
            self.rest()
            return
        assert self.base is not None
        validators = len(parts.settings.validators.keys)
        parts.append(PAYLOAD, self.base.view, self.block)
        parts.append(int(Kind.BASE), self.height, base_payload(self.base, validators))
        parts.after.append(Install(self.height))

    def due(self) -> int:
        """Say when something is to be asked again."""
        chunks = min([due_ms for _, due_ms in self.asked.values()], default=NEVER)
        return min(self.due_ms, self.block_due, chunks)

    def on_time(self) -> None:
        """Ask another for what did not come."""
        now_ms = self.parts.now.mono_ms
        if self.due_ms <= now_ms:
            self.due_ms = NEVER
            if self.stage == Stage.MANIFEST:
                self.choose()
            else:
                self.consider()
        if self.block_due <= now_ms:
            self.ask_for_block()
        late = [chunk for chunk, (_, due_ms) in self.asked.items() if due_ms <= now_ms]
        for chunk in late:
            peer, _ = self.asked.pop(chunk)
            self.missing.append(chunk)
            self.late[peer] = self.late.get(peer, 0) + 1
            self.late_count += 1
            self.parts.count("chunks_late")
        if late:
            self.go_on()


def named_by(snapshot: Snapshot) -> bytes:
    """Give what two answers that are alike share: all but who signed the certificate."""
    height, size, chunk_bytes, digests, certificate = snapshot
    head = b"".join([number.to_bytes(8, "little") for number in (height, size, chunk_bytes)])
    certified = certificate.exec_block_digest + certificate.state_root
    return sha256(b"".join([head, certified, *digests])).digest()
