"""Four whole validators in memory: the world of the tests of the validator's core.

Each node is a real core, a real ledger over the spec machine and a log that is a list of records;
admission is the real one. Votes are signed by a hash. Time is a number; a frame takes `delay_ms`,
and `world.lie` may change, withhold or multiply it. A node may be cut off after any record.

What leaves a node is watched: no vote or checkpoint before its record is durable, no
two votes that exclude each other, one root for a height.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from typing import Any

from quorate.admission.judge import admit_block
from quorate.codec.blocks import decode_block, decode_checkpoint_vote, digest_of
from quorate.codec.consensus import decode_vote, subject_digest
from quorate.codec.items import encode_items
from quorate.codec.peer import PeerKind
from quorate.commitment.proof import Checkpoint
from quorate.ordering.rules import conflict
from quorate.replica.ledger import Ledger, Settings
from quorate.replica.mempool import PoolLimits, bundles_of
from quorate.replica.messages import Append, Halt, Refuse, Reply, Request, Settled, Sync
from quorate.replica.parts import ValidatorSettings
from quorate.replica.records import AGREEMENT, PAYLOAD, checkpoint_payload, checkpoint_read
from quorate.replica.replay import Replay
from quorate.replica.resuming import Resuming
from quorate.replica.validator import Validator
from quorate.replica.validator_messages import (
    Accused,
    Admit,
    Admitted,
    BlocksRead,
    Execute,
    FromPeer,
    Moment,
    PeerDown,
    PeerUp,
    ReadBlocks,
    Requested,
    Send,
    Tick,
    Wake,
)
from quorate.storage.log import Kind, Record
from quorate.types.blocks import Item
from quorate.types.consensus import (
    CheckpointVote,
    ConsensusParameters,
    Subject,
    ValidatorSet,
    Vote,
    VoteKind,
)
from tests.replica.world import CHAIN, GENESIS, IDENTITY, executor_of

COUNT = 4
VALIDATORS = ValidatorSet(0, tuple(bytes([2, at]) * 16 + b"x" for at in range(COUNT)), (1,) * COUNT)
PARAMETERS = ConsensusParameters()
WALL_MS = GENESIS.time_ms + 1_000
EARLY = (PeerKind.PAYLOAD, PeerKind.BUNDLES)


def signature_of(subject: Subject, signer: int) -> bytes:
    """Sign a vote."""
    return sha256(subject_digest(b"", subject) + bytes([signer])).digest() * 2


def vote_of(subject: Subject, signer: int) -> Vote:
    """Make a vote."""
    return Vote(subject, signer, signature_of(subject, signer))


def seal(signer: int, height: int, digest: bytes, root: bytes) -> bytes:
    """Sign a checkpoint."""
    return sha256(b"%d %d " % (signer, height) + digest + root).digest() * 2


def checkpoint_vote(signer: int, height: int, digest: bytes, root: bytes) -> CheckpointVote:
    """Make a checkpoint vote."""
    return CheckpointVote(0, height, digest, root, signer, seal(signer, height, digest, root))


def seal_holds(vote: CheckpointVote) -> bool:
    """Check a checkpoint vote."""
    made = seal(vote.signer, vote.height, vote.exec_block_digest, vote.state_root)
    return made == vote.signature


class HashScheme:
    """Signs votes for one validator. signed: what it was asked to sign."""

    def __init__(self, me: int) -> None:
        self.me = me
        self.signed: list[Subject] = []

    def sign(self, subject: Subject) -> bytes | None:
        """Sign a vote."""
        self.signed.append(subject)
        return signature_of(subject, self.me)

    def holds(self, subject: Subject, signer: int, signature: bytes) -> bool:
        """Check a vote."""
        return signature == signature_of(subject, signer)


@dataclass
class Options:
    """How the nodes of a world are made. root_lie: changes the root that a node signs."""

    parameters: ConsensusParameters = PARAMETERS
    pool: PoolLimits = field(default_factory=PoolLimits)
    ledger_ms: int = 0
    admission_ms: int = 0
    root_lie: Callable[[int, int, bytes], bytes] = lambda index, height, root: root


class Node:
    """One validator and what is around it. records: (kind, label, payload), durable."""

    def __init__(self, world: "World", index: int) -> None:
        self.world = world
        self.index = index
        self.records: list[tuple[int, int, bytes]] = []
        self.unsynced: list[tuple[int, int, bytes]] = []
        self.up = False
        self.life = 0
        self.halted: Halt | None = None
        self.cut_after = -1
        self.answers: list[Reply | Refuse] = []
        self.accused: list[Accused] = []
        self.asked: list[Admit] = []
        self.read: list[ReadBlocks] = []
        self.sent: list[Send] = []
        self.said: dict[int, list[Subject]] = {}
        self.roots: dict[int, bytes] = {}
        self.entries: dict[bytes, None] = {}
        self.blocks: dict[bytes, bytes] = {}
        self.signed: dict[int, None] = {}
        self.wall_off_ms = 0
        self.core: Validator
        self.ledger: Ledger
        self.scheme: HashScheme

    @property
    def height(self) -> int:
        """Give the height of the last block executed."""
        return self.ledger.executor.height

    # --- life ------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin from the records of the log."""
        self.up, self.life, self.unsynced = True, self.life + 1, []
        self.recover()
        self.carry_out(self.core.start(self.moment()))
        for other in self.world.nodes:
            if self.up and other is not self and other.up:
                self.post(PeerUp(other.index))
                other.post(PeerUp(self.index))

    def recover(self) -> None:
        """Make core and ledger as recovery does."""
        options = self.world.options
        replay = Replay(executor_of("spec"), IDENTITY)
        resuming = Resuming(COUNT)
        records = [
            Record(0, 0, kind, 0, 1, at, at, label, payload)
            for at, (kind, label, payload) in enumerate(self.records)
        ]
        replay.feed(records)
        replay.settle()
        self.entries, self.blocks, self.signed = {}, {}, {}
        for record in records:
            resuming.feed(record)
            self.noted(record.kind, record.payload)
        executor, key = replay.executor, VALIDATORS.keys[self.index]

        def sealed(bare: Checkpoint) -> bytes:
            root = options.root_lie(self.index, bare.height, bare.state_root)
            assert self.roots.setdefault(bare.height, root) == root, "two roots signed"
            return seal(self.index, bare.height, bare.exec_block_digest, root)

        settings = Settings(IDENTITY, bytes(32), key)
        ledger = Ledger(executor, settings, replay.checkpoint, replay.trades, sealed)
        if replay.unsigned:
            digest = executor.chain()["exec_block_digest"].tobytes()
            signs = resuming.signs(executor.height)
            ledger.checkpoint = ledger.signed(executor.height, digest, executor.root, signs)
            payload = checkpoint_payload(ledger.checkpoint)
            self.records.append((int(Kind.CHECKPOINT), executor.height, payload))
            self.noted(int(Kind.CHECKPOINT), payload)
        self.ledger = ledger
        resumption = resuming.resumption(executor.height, executor.time_ms, ledger.checkpoint)
        made = ValidatorSettings(
            IDENTITY, VALIDATORS, options.parameters, self.index, GENESIS.time_ms,
            pool=options.pool, nonce=self.life,
        )  # fmt: skip
        self.scheme = HashScheme(self.index)
        self.core = Validator(made, self.scheme, seal_holds, resumption)

    def crash(self) -> None:
        """Lose everything but the durable records."""
        self.up, self.life, self.unsynced = False, self.life + 1, []
        for other in self.world.nodes:
            if other is not self and other.up:
                other.post(PeerDown(self.index))

    def moment(self) -> Moment:
        """Read the clocks."""
        now = self.world.now
        return Moment(now, WALL_MS + now + self.wall_off_ms)

    # --- events ----------------------------------------------------------------------------------
    def post(self, event: Any, delay_ms: int = 0) -> None:
        """Have the core take an event later, if the node still lives then."""
        self.later(delay_ms, lambda: self.take(event))

    def take(self, event: Any) -> list[Any]:
        """Have the core take an event now; give what it returned."""
        effects = self.core.step(self.moment(), event)
        self.carry_out(effects)
        return effects

    def later(self, delay_ms: int, action: Callable[[], Any]) -> None:
        """Do something later, if the node still lives then."""
        life = self.life

        def act() -> None:
            if self.up and self.life == life:
                action()

        self.world.at(delay_ms, act)

    def submit(self, number: int, *items: Item, client: int = 1) -> None:
        """Send items as a client does."""
        self.take(Requested(Request(client, number, encode_items(items))))

    def answers_to(self, number: int) -> list[Reply | Refuse]:
        """Give the answers to a request."""
        return [answer for answer in self.answers if answer.number == number]

    # --- effects ---------------------------------------------------------------------------------
    def carry_out(self, effects: Sequence[Any]) -> None:
        """Do what a step wants, in its order."""
        order_checked(effects)
        for effect in effects:
            if not self.up:
                return
            action = ACTIONS.get(type(effect))
            if action is not None:
                action(self, effect)

    def append(self, effect: Append) -> None:
        """Write a record; the plug may be pulled after any."""
        self.unsynced.append((effect.kind, effect.height, effect.payload))
        if len(self.records) + len(self.unsynced) == self.cut_after:
            self.cut_after = -1
            self.sync()
            self.crash()

    def sync(self, _: Any = None) -> None:
        """Make what was written durable."""
        for kind, _, payload in self.unsynced:
            self.noted(kind, payload)
        self.records += self.unsynced
        self.unsynced = []

    def noted(self, kind: int, payload: bytes) -> None:
        """Remember what the log holds, to compare with what leaves."""
        self.entries[bytes([kind]) + payload] = None
        if kind == PAYLOAD:
            self.blocks[decode_block(payload, COUNT).digest] = payload
        elif kind == Kind.CHECKPOINT:
            self.signed[checkpoint_read(payload, IDENTITY).height] = None

    def send(self, effect: Send) -> None:
        """Watch a frame, and hand it to the network."""
        self.sent.append(effect)
        self.watch(effect.kind, effect.body)
        others = [other for other in range(COUNT) if other != self.index]
        for peer in others if effect.peer is None else [effect.peer]:
            bodies: Iterable[bytes] = (effect.body,)
            if self.world.lie is not None:
                bodies = self.world.lie(self.index, peer, effect.kind, effect.body)
            for body in bodies:
                event = FromPeer(self.index, effect.kind, body)
                self.world.nodes[peer].post(event, self.world.delay_ms)

    def watch(self, kind: int, body: bytes) -> None:
        """Check that what leaves is durable, and excludes nothing that left before."""
        if kind == PeerKind.VOTE:
            assert bytes([AGREEMENT, 1]) + body in self.entries, "a vote before its record"
            subject = decode_vote(body).subject
            if subject.kind != VoteKind.NULLIFY:
                assert digest_of(subject.payload) in self.blocks, "a vote before its block"
            before = self.said.setdefault(subject.view, [])
            assert not any(conflict(known, subject) for known in before), "two votes that exclude"
            before.append(subject)
        elif kind == PeerKind.CHECKPOINT:
            vote = decode_checkpoint_vote(body)
            assert self.roots[vote.height] == vote.state_root
            assert vote.height in self.signed, "a checkpoint before its record"

    def admit(self, effect: Admit) -> None:
        """Check items, by the real admission."""
        self.asked.append(effect)
        found = tuple(bundles_of(effect.items, admit_block(effect.items, CHAIN)))
        self.post(Admitted(effect.ticket, found), self.world.options.admission_ms)

    def execute(self, effect: Execute) -> None:
        """Hand a block to the ledger."""
        self.later(self.world.options.ledger_ms, lambda: self.executed(effect))

    def executed(self, effect: Execute) -> None:
        """Let the ledger execute a block, and do what it wants."""
        self.carry_out([self.lied(made) for made in self.ledger.execute(effect.block)])

    def lied(self, effect: Any) -> Any:
        """Put another root into what the ledger tells, if this node is to be wrong."""
        if not isinstance(effect, Settled) or not effect.checkpoint.signatures:
            return effect
        found = effect.checkpoint
        height, digest = found.height, found.exec_block_digest
        root = self.world.options.root_lie(self.index, height, found.state_root)
        signatures = {VALIDATORS.keys[self.index]: seal(self.index, height, digest, root)}
        return Settled(replace(found, state_root=root, signatures=signatures))

    def read_blocks(self, effect: ReadBlocks) -> None:
        """Read blocks of the log."""
        self.read.append(effect)
        found = tuple(self.blocks.get(digest) for digest in effect.digests)
        self.post(BlocksRead(effect.ticket, found), 1)

    def wake(self, effect: Wake) -> None:
        """Tick at that time."""
        self.post(Tick(), max(effect.at_ms - self.world.now, 1))

    def halt(self, effect: Halt) -> None:
        """Stop for good; what was appended before is durable by now."""
        assert not self.unsynced
        self.halted, self.up = effect, False


def order_checked(effects: Sequence[Any]) -> None:
    """Check the order of what a step returns."""
    kinds = [type(effect) for effect in effects]
    syncs = [at for at, kind in enumerate(kinds) if kind is Sync]
    appends = [at for at, kind in enumerate(kinds) if kind is Append]
    assert all(first < second for first, second in pairwise([*appends, *syncs[-1:]]))
    votes = [
        at for at in appends if effects[at].kind == AGREEMENT and effects[at].payload[0] == 1
    ]
    assert bool(syncs) >= bool(votes), "a vote without a Sync"
    for at, effect in enumerate(effects):
        if isinstance(effect, Send) and effect.early:
            assert effect.kind in EARLY
        elif isinstance(effect, Send | Accused | Halt | Settled):
            assert all(place < at for place in [*appends, *syncs]), "said before it is durable"


ACTIONS: dict[type[Any], Callable[[Node, Any], None]] = {
    Append: Node.append,
    Sync: Node.sync,
    Send: Node.send,
    Admit: Node.admit,
    Execute: Node.execute,
    ReadBlocks: Node.read_blocks,
    Wake: Node.wake,
    Halt: Node.halt,
    Settled: lambda node, effect: node.post(effect),
    Reply: lambda node, effect: node.answers.append(effect),
    Refuse: lambda node, effect: node.answers.append(effect),
    Accused: lambda node, effect: node.accused.append(effect),
}
Lie = Callable[[int, int, int, bytes], Iterable[bytes]]


class World:
    """Four nodes and the time. lie: (sender, receiver, kind, body) -> bodies that arrive."""

    def __init__(self, start: bool = True, **options: Any) -> None:
        self.options = Options(**options)
        self.now = 0
        self.delay_ms = 1
        self.lie: Lie | None = None
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.count = 0
        self.nodes = [Node(self, index) for index in range(COUNT)]
        if start:
            for node in self.nodes:
                node.start()

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something later."""
        self.count += 1
        heapq.heappush(self.queue, (self.now + delay_ms, self.count, action))

    def run(self, until: Callable[[], bool], limit_ms: int = 60_000) -> None:
        """Let time go on until something holds."""
        end = self.now + limit_ms
        while not until():
            assert self.queue and self.queue[0][0] <= end, "it did not come about in time"
            self.turn()

    def pass_ms(self, span_ms: int) -> None:
        """Let so much time go by."""
        end = self.now + span_ms
        while self.queue and self.queue[0][0] <= end:
            self.turn()
        self.now = end

    def turn(self) -> None:
        """Do what comes next."""
        self.now, _, action = heapq.heappop(self.queue)
        action()

    def reach(self, height: int, limit_ms: int = 60_000) -> None:
        """Let time go on until all nodes that are up have executed a height."""
        self.run(lambda: all(node.height >= height for node in self.up()), limit_ms)

    def up(self) -> list[Node]:
        """List the nodes that are up."""
        return [node for node in self.nodes if node.up]
