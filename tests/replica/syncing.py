"""Four validators on fake disks, with a ledger that only hashes: the world of test_statesync.

A disk keeps records, snapshots and a partial file. It forgets, as real ones do: what is appended
and not synced is lost by a crash, and what is below the older of two snapshots is pruned. The
ledger's root is a hash over all blocks; a snapshot is that root blown up to some chunks, so that
whether one is the certified state can be told without a state.
"""

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from quorate.codec.blocks import decode_block
from quorate.codec.consensus import domain
from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import public_key, sign_compact
from quorate.ordering.scheme import KeyScheme
from quorate.replica.messages import Append, Halt, Settled, Sync
from quorate.replica.parts import ValidatorSettings, checkpoint_checking
from quorate.replica.records import (
    DELIVERED,
    PAYLOAD,
    block_bytes,
    delivered_payload,
    delivered_read,
)
from quorate.replica.resuming import Resuming
from quorate.replica.validator import Validator
from quorate.replica.validator_messages import (
    BlocksRead,
    CheckSnapshot,
    ChunkRead,
    ChunkStored,
    Execute,
    FromPeer,
    Install,
    Moment,
    OpenPartial,
    PartialOpened,
    PeerDown,
    PeerUp,
    ReadBlocks,
    ReadChunk,
    Send,
    SnapshotChecked,
    SnapshotOffered,
    StoreChunk,
    Tick,
    Wake,
)
from quorate.storage.log import Identity, Kind, Record
from quorate.storage.recovery import Plan, SegmentFound, SnapshotFound, decide
from quorate.types.consensus import ConsensusParameters, ValidatorSet

COUNT = 4
EVERY = 10
CHUNK_BYTES = 256
SNAPSHOT_BYTES = 2_500
IDENTITY = Identity(7, bytes(range(32)))
KEYS = [sha256(b"statesync %d" % index).digest() for index in range(COUNT)]
VALIDATORS = ValidatorSet(0, tuple(public_key(key) for key in KEYS), (1,) * COUNT)
PARAMETERS = ConsensusParameters(heartbeat_ms=300, skip_timeout_ms=1_000)
BOUND = domain(IDENTITY.chain_id, bytes(32))
WALL_MS = 1_760_000_000_000


def snapshot_of(height: int, time_ms: int, root: bytes, digest: bytes) -> bytes:
    """Make the snapshot of a state: its facts, and bytes that follow from its root."""
    facts = height.to_bytes(8, "little") + time_ms.to_bytes(8, "little") + root + digest
    count = (SNAPSHOT_BYTES - len(facts)) // 32 + 1
    blown = b"".join(sha256(facts + bytes([at])).digest() for at in range(count))
    return (facts + blown)[:SNAPSHOT_BYTES]


def facts_of(data: bytes) -> tuple[int, int, bytes, bytes] | None:
    """Read height, time, root and block digest of a snapshot; None if it is none."""
    height, time_ms = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
    root, digest = data[16:48], data[48:80]
    made = snapshot_of(height, time_ms, root, digest)
    return (height, time_ms, root, digest) if made == data else None


def chunks_of(data: bytes) -> list[bytes]:
    """Cut a snapshot as it is sent."""
    return [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]


@dataclass
class Disk:
    """What of one validator survives. records: (kind, label, payload), synced ones only."""

    records: list[tuple[int, int, bytes]] = field(default_factory=list)
    height_before: int = 0
    snapshots: dict[int, bytes] = field(default_factory=dict)
    partial: bytearray = field(default_factory=bytearray)

    def copy(self) -> "Disk":
        """Copy it."""
        return Disk(
            list(self.records), self.height_before, dict(self.snapshots), bytearray(self.partial)
        )

    def heights(self) -> dict[bytes, int]:
        """Say where blocks of agreement were delivered."""
        found = {}
        for kind, _, payload in self.records:
            if kind == DELIVERED:
                height, _, digest = delivered_read(payload)
                found[digest] = height
        return found

    def payloads(self) -> dict[bytes, bytes]:
        """Give the blocks of agreement by digest."""
        return {
            decode_block(payload, COUNT).digest: payload
            for kind, _, payload in self.records
            if kind == PAYLOAD
        }

    def base(self) -> int:
        """Give the height of the last BASE, 0 for none."""
        return max((label for kind, label, _ in self.records if kind == Kind.BASE), default=0)

    def prune(self) -> None:
        """Forget what is below the older of the two newest snapshots."""
        for old in sorted(self.snapshots)[:-2]:
            del self.snapshots[old]
        if len(self.snapshots) < 2:
            return
        floor = min(self.snapshots)
        heights = self.heights()

        def kept(kind: int, label: int, payload: bytes) -> bool:
            if kind == PAYLOAD:
                return heights.get(decode_block(payload, COUNT).digest, floor + 1) > floor
            if kind in (DELIVERED, Kind.BLOCK, Kind.BASE):
                return label > floor
            return True

        self.records = [record for record in self.records if kept(*record)]
        self.height_before = max(self.height_before, floor)


class Host:
    """One validator: its core, its disk and its ledger. lie: changes or withholds its frames."""

    def __init__(self, world: "World", index: int, disk: Disk) -> None:
        self.world = world
        self.index = index
        self.disk = disk
        self.up = False
        self.life = 0
        self.lie: Callable[[int, int, bytes], bytes | None] | None = None
        self.crash_in = -1
        self.effects_done = 0
        self.silent = False
        self.halted: Halt | None = None
        self.core: Validator
        self.unsynced: list[tuple[int, int, bytes]] = []
        self.height, self.time_ms, self.root = 0, WALL_MS, bytes(32)
        self.payloads: dict[bytes, bytes] = {}
        self.sent: list[tuple[int, int]] = []

    # --- life ------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin from the disk."""
        self.recover()
        self.up, self.silent = True, False
        self.life += 1
        self.carry_out(self.core.start(self.moment()))
        for height in sorted(self.disk.snapshots):
            self.offer(height)
        for other in self.world.hosts:
            if other is not self and other.up:
                self.post(PeerUp(other.index))
                other.post(PeerUp(self.index))

    def recover(self) -> None:
        """Read the disk as recovery does."""
        disk, base = self.disk, self.disk.base()
        found = facts_of(bytes(disk.partial))
        if base and base not in disk.snapshots and found is not None and found[0] == base:
            disk.snapshots[base] = bytes(disk.partial)
            self.world.installed.append((self.index, base))
        blocks = [label for kind, label, _ in disk.records if kind == Kind.BLOCK]
        last = max([disk.height_before, base, *blocks])
        plan = decide(
            [SnapshotFound(str(height), height, True) for height in disk.snapshots],
            [SegmentFound(0, 1, disk.height_before, last, base)],
        )
        assert isinstance(plan, Plan), plan
        self.height, self.time_ms, self.root = 0, WALL_MS, bytes(32)
        digest = bytes(32)
        if plan.snapshot is not None:
            loaded = facts_of(disk.snapshots[int(plan.snapshot)])
            assert loaded is not None
            self.height, self.time_ms, self.root, digest = loaded
        resuming = Resuming(COUNT, EVERY)
        self.payloads = disk.payloads()
        for sequence, (kind, label, payload) in enumerate(disk.records):
            resuming.feed(Record(0, 0, kind, 0, 1, sequence, sequence, label, payload))
            if kind == Kind.BLOCK and label > self.height:
                assert label == self.height + 1, f"block {label} follows block {self.height}"
                self.height, self.time_ms = label, int.from_bytes(payload[:8], "little")
                digest = payload[8:40]
                self.root = sha256(self.root + digest).digest()
        signed = self.checkpoint(digest, resuming.signs(self.height)) if self.height else None
        resumption = resuming.resumption(self.height, self.time_ms, signed)
        settings = ValidatorSettings(
            IDENTITY, VALIDATORS, PARAMETERS, self.index, WALL_MS, nonce=1 + self.life,
            snapshot_every=EVERY, chunk_bytes=CHUNK_BYTES,
        )  # fmt: skip
        scheme = KeyScheme(VALIDATORS, BOUND, KEYS[self.index])
        holds = checkpoint_checking(IDENTITY, VALIDATORS)
        self.core = Validator(settings, scheme, holds, resumption)
        self.unsynced = []

    def crash(self) -> None:
        """Lose everything but the disk."""
        self.up = False
        self.life += 1
        for other in self.world.hosts:
            if other is not self and other.up:
                other.post(PeerDown(self.index))

    # --- the core --------------------------------------------------------------------------------
    def moment(self) -> Moment:
        """Read the clock."""
        return Moment(self.world.now, WALL_MS + self.world.now)

    def post(self, event: Any, delay_ms: int = 0) -> None:
        """Have the core take an event, if it still lives then."""
        life = self.life

        def take() -> None:
            if self.up and self.life == life:
                self.carry_out(self.core.step(self.moment(), event))

        self.world.at(delay_ms, take)

    def carry_out(self, effects: list[Any]) -> None:
        """Do what the core wants, in order; a crash may come between any two."""
        for effect in effects:
            if not self.up:
                return
            assert not self.silent or isinstance(effect, Wake), f"{effect} after Install"
            if self.crash_in >= 0 and not isinstance(effect, Wake):
                if self.crash_in == 0:
                    self.crash_in = -1
                    self.crash()
                    self.world.at(500, self.start)
                    return
                self.crash_in -= 1
            self.effects_done += not isinstance(effect, Wake)
            action = ACTIONS.get(type(effect))
            if action is not None:
                action(self, effect)

    def append(self, effect: Append) -> None:
        """Write a record."""
        self.unsynced.append((effect.kind, effect.height, effect.payload))

    def sync(self, _: Any = None) -> None:
        """Make what was written durable."""
        for kind, _, payload in self.unsynced:
            if kind == PAYLOAD:
                self.payloads[decode_block(payload, COUNT).digest] = payload
        self.disk.records += self.unsynced
        self.unsynced = []

    def send(self, effect: Send) -> None:
        """Send a frame, or what a liar makes of it."""
        others = [it.index for it in self.world.hosts if it is not self]
        for peer in others if effect.peer is None else [effect.peer]:
            body: bytes | None = effect.body
            self.sent.append((peer, effect.kind))
            if self.lie is not None:
                body = self.lie(peer, effect.kind, effect.body)
            if body is not None:
                delay_ms = self.world.rng.randrange(2, 12)
                self.world.hosts[peer].post(FromPeer(self.index, effect.kind, body), delay_ms)

    def wake(self, effect: Wake) -> None:
        """Tick at that time."""
        self.post(Tick(), max(effect.at_ms - self.world.now, 1))

    def halt(self, effect: Halt) -> None:
        """Stop for good."""
        self.halted = effect
        self.up = False

    # --- the ledger ------------------------------------------------------------------------------
    def checkpoint(self, digest: bytes, signs: bool) -> Checkpoint:
        """Sign the present root."""
        bare = Checkpoint(*IDENTITY, 0, self.height, digest, self.root, {})
        if not signs:
            return bare
        self.world.signed(self.index, self.height, self.root)
        signature = sign_compact(KEYS[self.index], checkpoint_digest(bare))
        key = VALIDATORS.keys[self.index]
        return Checkpoint(*IDENTITY, 0, self.height, digest, self.root, {key: signature})

    def execute(self, effect: Execute) -> None:
        """Hash a block into the root, write it down, and say so a little later."""
        block = effect.block
        assert block.height == self.height + 1
        data = block_bytes(block.height, block.time_ms, 1, len(block.rows), block.items)
        digest = sha256(data).digest()
        self.height, self.time_ms = block.height, block.time_ms
        self.root = sha256(self.root + digest).digest()
        place = delivered_payload(block.height, block.view, block.block_digest)
        self.disk.records.append((DELIVERED, block.height, place))
        payload = block.time_ms.to_bytes(8, "little") + digest
        self.disk.records.append((int(Kind.BLOCK), block.height, payload))
        self.post(Settled(self.checkpoint(digest, block.signs)), 1)
        if block.height % EVERY == 0:
            made = snapshot_of(block.height, block.time_ms, self.root, digest)
            self.disk.snapshots[block.height] = made
            self.disk.prune()
            self.payloads = self.disk.payloads()
            self.offer(block.height)

    # --- files -----------------------------------------------------------------------------------
    def offer(self, height: int) -> None:
        """Offer a snapshot file."""
        data = self.disk.snapshots[height]
        digests = tuple(sha256(chunk).digest() for chunk in chunks_of(data))
        self.post(SnapshotOffered(height, len(data), digests), 5)

    def read_blocks(self, effect: ReadBlocks) -> None:
        """Read blocks that are not pruned."""
        found = tuple(self.payloads.get(digest) for digest in effect.digests)
        self.post(BlocksRead(effect.ticket, found), 3)

    def read_chunk(self, effect: ReadChunk) -> None:
        """Read a chunk of a snapshot."""
        data = self.disk.snapshots.get(effect.height)
        found = chunks_of(data)[effect.chunk] if data is not None else None
        self.post(ChunkRead(effect.ticket, found), 3)

    def open_partial(self, effect: OpenPartial) -> None:
        """Find chunks that are there."""
        partial = self.disk.partial
        del partial[effect.size :]
        partial.extend(bytes(effect.size - len(partial)))
        there = [
            at
            for at, chunk in enumerate(chunks_of(bytes(partial)))
            if sha256(chunk).digest() == effect.digests[at]
        ]
        self.post(PartialOpened(effect.ticket, tuple(there)), 3)

    def store_chunk(self, effect: StoreChunk) -> None:
        """Write a chunk."""
        at = effect.chunk * CHUNK_BYTES
        self.disk.partial[at : at + len(effect.data)] = effect.data
        self.post(ChunkStored(effect.height, effect.chunk), 2)

    def check_snapshot(self, effect: CheckSnapshot) -> None:
        """Look whether the file is the certified state."""
        found = facts_of(bytes(self.disk.partial))
        wanted = (effect.height, effect.state_root, effect.exec_block_digest)
        fault = "" if found is not None and (found[0], found[2], found[3]) == wanted else "another"
        self.post(SnapshotChecked(effect.height, fault), 3)

    def install(self, effect: Install) -> None:
        """Move the file, and a little later begin again from the disk."""
        assert not self.unsynced, "installed before BASE was durable"
        assert effect.height > self.height, "installed what was executed already"
        found = facts_of(bytes(self.disk.partial))
        assert found is not None and found[2] == self.world.roots[effect.height]
        self.disk.snapshots[effect.height] = bytes(self.disk.partial)
        self.world.installed.append((self.index, effect.height))
        self.silent = True
        life = self.life

        def again() -> None:
            if self.life == life:
                self.crash()
                self.start()

        self.world.at(700, again)  # as long as a start takes: others go on meanwhile


ACTIONS: dict[type[Any], Callable[[Host, Any], None]] = {
    Append: Host.append,
    Sync: Host.sync,
    Send: Host.send,
    Wake: Host.wake,
    Halt: Host.halt,
    Execute: Host.execute,
    ReadBlocks: Host.read_blocks,
    ReadChunk: Host.read_chunk,
    OpenPartial: Host.open_partial,
    StoreChunk: Host.store_chunk,
    CheckSnapshot: Host.check_snapshot,
    Install: Host.install,
}


class World:
    """All hosts, and the time. roots: of each height, the same for everybody or it fails."""

    def __init__(self, disks: list[Disk], now: int = 0, seed: int = 1) -> None:
        self.now = now
        self.rng = random.Random(seed)
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.count = 0
        self.roots: dict[int, bytes] = {}
        self.signatures: dict[tuple[int, int], bytes] = {}
        self.installed: list[tuple[int, int]] = []
        self.hosts = [Host(self, index, disk) for index, disk in enumerate(disks)]

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something later."""
        self.count += 1
        heapq.heappush(self.queue, (self.now + delay_ms, self.count, action))

    def signed(self, index: int, height: int, root: bytes) -> None:
        """Check that nobody signs two roots, and that all sign one."""
        assert self.roots.setdefault(height, root) == root
        assert self.signatures.setdefault((index, height), root) == root

    def run(self, until: Callable[[], bool], limit_ms: int = 60_000) -> None:
        """Let time go on until something holds."""
        end = self.now + limit_ms
        while not until():
            assert self.queue and self.queue[0][0] <= end, "it did not come about in time"
            self.now, _, action = heapq.heappop(self.queue)
            action()
            for host in self.hosts:
                assert host.halted is None, host.halted

    def heights(self) -> Iterator[int]:
        """Give the height of each host that is up."""
        return (host.height for host in self.hosts if host.up)
