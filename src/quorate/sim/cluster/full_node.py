"""A whole validator as a node: agreement, pool, ledger, log. The driver of `replica.validator`.

What a step returns goes three ways: early effects leave at once; blocks go to the ledger, items to
admission, which answer after a while; all else waits for the log, in its order. The log takes what
waits together: it appends, syncs once, and lets the rest go. The ledger's effects join the queue.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from quorate.commitment.proof import Checkpoint
from quorate.replica.executor import Executor
from quorate.replica.ledger import Ledger
from quorate.replica.ledger import Settings as LedgerSettings
from quorate.replica.messages import (
    Append,
    Halt,
    Level,
    Refuse,
    Reply,
    Request,
    Settled,
    Stop,
    Sync,
)
from quorate.replica.parts import ValidatorSettings
from quorate.replica.records import OBSERVING, PAYLOAD, checkpoint_payload
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
    Progress,
    ReadBlocks,
    Requested,
    Send,
    Tick,
    Wake,
)
from quorate.sim.byzantine import Actor, Hands, actor_of
from quorate.sim.cluster import market
from quorate.sim.cluster.clock import NEVER
from quorate.sim.cluster.failure import Property, Violation
from quorate.sim.cluster.keys import SimulatedScheme
from quorate.sim.cluster.maker import BlockMaker
from quorate.sim.cluster.node import UNSET, Node
from quorate.storage.errors import StorageRefusal
from quorate.storage.log import Kind, Record
from quorate.storage.writer import Entry
from quorate.types.codes import Reject
from quorate.types.consensus import CheckpointVote, Evidence

if TYPE_CHECKING:
    from quorate.sim.cluster.full_world import FullWorld

ROOTS_EVERY: Final = 8


class FullNode(Node):
    """height: of the last block executed. halted: for good, by its own word."""

    world: "FullWorld"

    def __init__(self, world: "FullWorld", number: int, index: int, honest: bool) -> None:
        super().__init__(world, number, index, honest)
        self.height = 0
        self.halted = False
        self.late: list[Any] = []
        self.let_go: list[Any] | None = None
        self.ledger: Ledger
        self.ledger_free_ms = 0
        self.wrote: dict[bytes, bytes] = {}
        self.intact = True

    # --- life ------------------------------------------------------------------------------------
    def found(self) -> None:
        """Start for the first time."""
        self.log.found()
        self.begin([])

    def restart(self, _: object = None) -> None:
        """Start from what the disk kept."""
        if self.up or self.halted:
            return
        try:
            records = self.log.recover()
        except StorageRefusal:
            self.world.count("journals_refused")
            self.lose()
            records = self.log.recover()
        self.world.count("restarts")
        self.begin(records)

    def lose(self) -> None:
        """Start an empty journal whose first record says that there was another (J12)."""
        self.log.found()
        self.intact, self.observer = False, True
        if not self.world.config.forgetful:
            self.log.append([Entry(OBSERVING, 0, b"")])
            self.log.sync_begin()
            self.log.sync_end()

    def begin(self, records: Sequence[Record]) -> None:
        """Recover state and agreement from the records of the log, and start the core."""
        world = self.world
        self.life += 1
        self.up, self.view = True, 0
        self.late, self.let_go = [], None
        self.wake_ms = self.armed_ms = NEVER
        self.ledger_free_ms = world.now
        machine = market.machine_of(world.config.kernels, market.first_image())
        replay = Replay(Executor(machine), market.IDENTITY, ROOTS_EVERY)
        replay.feed(records)
        replay.settle()
        executor = replay.executor
        resuming = Resuming(len(world.config.weights))
        self.wrote = {}
        for record in records:
            resuming.feed(record)
            if record.kind == PAYLOAD:
                self.written(bytes(record.payload))
        self.ledger = self.ledger_of(replay, resuming)
        resumption = resuming.resumption(executor.height, executor.time_ms, self.ledger.checkpoint)
        self.height = executor.height
        if self.honest:
            world.watch.booted(self.number, self.height, self.intact)
        self.intact, self.observer = True, resumption.observing
        settings = ValidatorSettings(
            market.IDENTITY, world.validators, world.parameters, self.index,
            market.GENESIS.time_ms, nonce=world.rng.getrandbits(62),
        )  # fmt: skip
        scheme = SimulatedScheme(world.keyring, self.index, self.on_signed)
        rules = world.rules if self.honest else type(world.rules)()
        self.core = Validator(settings, scheme, self.holds, resumption, rules)
        if not self.honest:
            self.corrupt(scheme)
        self.perform(self.core.start(self.moment()))
        if self.up:
            self.greeted()

    def ledger_of(self, replay: Replay, resuming: Resuming) -> Ledger:
        """Make the ledger, signing the last block if a crash came between."""
        signer = self.world.validators.keys[self.index]
        settings = LedgerSettings(market.IDENTITY, bytes(32), signer)
        ledger = Ledger(replay.executor, settings, replay.checkpoint, replay.trades, self.sealed)
        if replay.unsigned:
            executor = replay.executor
            digest = executor.chain()["exec_block_digest"].tobytes()
            signs = resuming.signs(executor.height)
            ledger.checkpoint = ledger.signed(executor.height, digest, executor.root, signs)
            payload = checkpoint_payload(ledger.checkpoint)
            self.log.append([Entry(Kind.CHECKPOINT, executor.height, payload)])
            self.log.sync_begin()
            self.log.sync_end()
        return ledger

    def corrupt(self, scheme: SimulatedScheme) -> None:
        """Put a liar around the core of agreement."""
        world = self.world

        def seal(height: int, digest: bytes, root: bytes) -> bytes:
            return world.keyring.seal(self.index, height, digest, root)

        maker = BlockMaker(self)
        hands = Hands(self.index, scheme, world.validators, maker, world.rng, seal)
        name = dict(world.config.liars)[self.index]
        self.core.parts.simplex = actor_of(name, self.core.parts.simplex, hands)

    def crash(self) -> None:
        """Lose power; the others' connections end."""
        super().crash()
        for other in self.world.nodes:
            if other.up and other.index != self.index:
                self.world.post(self.world.now + 1, other, other.take, PeerDown(self.index))

    def greeted(self) -> None:
        """Connect to all who are up."""
        for other in self.world.nodes:
            if other.up and other.index != self.index:
                at = self.world.now + 1 + self.world.rng.randrange(20)
                self.world.post(at, other, other.take, PeerUp(self.index))
                self.world.post(at, self, self.take, PeerUp(other.index))

    def counted(self) -> dict[str, int]:
        """Give what the core and its agreement have counted, by name."""
        if self.core is None:
            return {}
        parts = self.core.parts
        return {**parts.counts, **parts.simplex.counts}

    def joined(self) -> None:
        """Connect again: all links have been mended."""
        self.greeted()

    def moment(self) -> Moment:
        """Read the clocks."""
        now = self.world.now
        return Moment(self.clock.mono(now), self.clock.wall(now))

    # --- signatures ------------------------------------------------------------------------------
    def sealed(self, checkpoint: Checkpoint) -> bytes:
        """Sign a checkpoint."""
        return self.world.keyring.seal(
            self.index, checkpoint.height, checkpoint.exec_block_digest, checkpoint.state_root
        )

    def holds(self, vote: CheckpointVote) -> bool:
        """Check a checkpoint vote."""
        made = self.world.keyring.seal(
            vote.signer, vote.height, vote.exec_block_digest, vote.state_root
        )
        return made == vote.signature

    # --- events ----------------------------------------------------------------------------------
    def deliver(self, packet: tuple[int, Any]) -> None:
        """Take a frame off a link."""
        sender, (kind, body) = packet
        self.take(FromPeer(sender, kind, body))

    def take(self, event: Any) -> None:
        """Step the core."""
        world = self.world
        world.steps += 1
        effects = self.core.step(self.moment(), event)
        world.note(self.number, len(effects))
        self.perform(effects)

    def tick(self) -> None:
        """Tell the core that time has passed."""
        self.take(Tick())

    def work(self, arrived: bool) -> None:
        """Bundles are the only work there is."""

    # --- effects ---------------------------------------------------------------------------------
    def perform(self, effects: Sequence[Any]) -> None:
        """Do what may be done at once, and let the rest wait for the log."""
        counted = self.crash_in != UNSET or self.world.counting
        for effect in effects:
            if counted and self.is_end():
                return
            if isinstance(effect, Send) and effect.early:
                self.send_frame(effect)
            elif isinstance(effect, Wake):
                self.wake_ms = effect.at_ms
                self.arm()
            elif isinstance(effect, Execute):
                self.hand_over(effect)
            elif isinstance(effect, Admit):
                found = tuple([market.admitted(item) for item in effect.items])
                self.later(Admitted(effect.ticket, found))
            elif isinstance(effect, ReadBlocks):
                blocks = tuple([self.wrote.get(digest) for digest in effect.digests])
                self.later(BlocksRead(effect.ticket, blocks))
            else:
                self.late.append(effect)
        self.pump()

    def later(self, event: Any) -> None:
        """Answer the core after a while."""
        world = self.world
        world.post(world.now + world.rng.getrandbits(8) % 4, self, self.take, event)

    def hand_over(self, effect: Execute) -> None:
        """Give the ledger a block; it executes them in their order."""
        block, world = effect.block, self.world
        if self.honest:
            world.watch.delivered(self.number, block.height, block.block_digest, block.items)
            world.finalized += 1
        self.ledger_free_ms = max(self.ledger_free_ms, world.now) + world.rng.getrandbits(8) % 5
        world.post(self.ledger_free_ms, self, self.execute, block)

    def execute(self, block: Any) -> None:
        """Execute a block."""
        effects = self.ledger.execute(block)
        self.height = block.height
        executor = self.ledger.executor
        if self.honest:
            self.world.watch.executed(self.number, self.height, executor)
        self.world.trace.append(executor.root)
        self.late += effects
        self.pump()

    def pump(self) -> None:
        """Write what waits, and let the rest go once it is durable."""
        if self.let_go is not None or not self.late:
            return
        waiting, self.late = self.late, []
        entries = [
            Entry(effect.kind, effect.height, effect.payload)
            for effect in waiting
            if isinstance(effect, Append)
        ]
        rest = [effect for effect in waiting if not isinstance(effect, Append | Sync)]
        if not entries:
            self.let_out(rest)
            return
        if self.world.config.hasty:
            self.let_out(rest)
            rest = []
        if not self.append_all(entries):
            return
        if not any(isinstance(effect, Sync) for effect in waiting):
            self.let_out(rest)
            return
        self.log.sync_begin()
        self.let_go = rest
        delay = self.world.rng.randrange(2 * self.sync_ms) + 1 if self.sync_ms else 0
        self.world.post(self.world.now + delay, self, self.on_synced, None)

    def append_all(self, entries: list[Entry]) -> bool:
        """Append records; say whether we live."""
        counted = self.crash_in != UNSET or self.world.counting
        for entry in entries:
            if counted and self.is_end():
                return False
            self.world.trace.append(bytes(entry.payload[-64:]))
            if entry.kind == PAYLOAD:
                self.written(bytes(entry.payload))
        self.log.append(entries)
        return not (counted and self.is_end())

    def written(self, block: bytes) -> None:
        """Remember a block of the log by its digest, to serve it."""
        decoded = self.world.decoded(block)
        self.wrote[decoded.digest] = block

    def on_synced(self, _: None) -> None:
        """The disk is done: let go, and write what has come since."""
        self.log.sync_end()
        rest, self.let_go = self.let_go or [], None
        self.let_out(rest)
        if self.up:
            self.pump()

    def let_out(self, effects: list[Any]) -> None:
        """Do what waited for the disk."""
        counted = self.crash_in != UNSET or self.world.counting
        for effect in effects:
            if counted and self.is_end():
                return
            if isinstance(effect, Send):
                self.send_frame(effect)
            elif isinstance(effect, Settled):
                self.world.post(self.world.now, self, self.take, effect)
            elif isinstance(effect, Reply | Refuse):
                self.answered(effect)
            elif isinstance(effect, Accused) and self.honest:
                evidence = effect.evidence
                if isinstance(evidence, Evidence):
                    self.world.watch.accused(effect.signer, evidence.first, evidence.second)
                else:
                    self.world.watch.accused_of_roots(effect.signer, *evidence)
            elif isinstance(effect, Progress):
                self.progressed(effect)
            elif isinstance(effect, Halt | Stop):
                self.halt(effect)
                return

    def progressed(self, effect: Progress) -> None:
        """Note views."""
        if effect.what == "view":
            self.view = dict(effect.fields)["view"]
        elif effect.what == "gave_up":
            self.world.count("gave_up")

    def halt(self, effect: Halt | Stop) -> None:
        """Stop for good. No honest validator has a reason to."""
        self.halted, self.up = True, False
        self.life += 1
        if self.honest:
            raise Violation(Property.ROOTS, f"validator {self.index} halts: {effect.reason}")

    def send_frame(self, effect: Send) -> None:
        """Hand a frame to the network, watched."""
        kind, body = effect.kind, effect.body
        if self.honest:
            self.world.watch.frame_left(self.index, kind, body)
        else:
            actor: Actor = self.core.parts.simplex
            body = actor.frame(kind, body)
        self.world.network.send(self, (kind, body), effect.peer)

    # --- clients ---------------------------------------------------------------------------------
    def ask(self, request: Request) -> None:
        """Take a request."""
        self.take(Requested(request))

    def answered(self, effect: Reply | Refuse) -> None:
        """Take note of what a client is told."""
        if not self.honest:
            return
        if isinstance(effect, Refuse):
            self.world.count("requests_refused")
            return
        self.world.count("requests_answered")
        if effect.level >= Level.EXECUTED:
            items = self.world.requests[effect.client]
            names = [
                market.named(item)
                for item, code in zip(items, effect.codes, strict=True)
                if code == Reject.OK
            ]
            self.world.watch.replied(self.number, effect.height, names)
