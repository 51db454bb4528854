"""One validator of the simulated cluster: a core, its clock, its journal, its life and death.

The driver keeps the seam's promise: the Journal entries of a step are appended, one sync makes
them durable, then the Tells leave. A crash may come between any two of these; `crash_in` counts
them down. While a disk is slow, what is to leave waits, and one sync covers several steps.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from quorate.codec.consensus import decode_certificate
from quorate.ordering.messages import (
    Accuse,
    Build,
    Built,
    Certified,
    Certify,
    Effect,
    Entered,
    Event,
    Finalized,
    Forgotten,
    GaveUp,
    Journal,
    Message,
    Offence,
    Received,
    Record,
    Tell,
    Tick,
    Verified,
    Verify,
    Wake,
    WorkArrived,
    WorkDone,
)
from quorate.ordering.voting import FINALIZE, GENESIS_FLOOR, Floor, Settings
from quorate.sim.cluster.clock import NEVER, WALL_MS, Clock
from quorate.sim.cluster.journal import NodeLog
from quorate.sim.cluster.keys import SimulatedScheme
from quorate.storage.errors import StorageRefusal
from quorate.storage.log import Kind
from quorate.storage.writer import Entry
from quorate.types.consensus import Certificate, Vote

if TYPE_CHECKING:
    from quorate.sim.cluster.world import World

NOTE: Final = int(Kind.NOTE_FIRST)
FETCH_RETRY_MS: Final = 50
UNSET: Final = -1


class Node:
    """number: among the nodes; index: among the validators. honest: held to the rules.

    life: counts boots and crashes, so that what was meant for an earlier life is dropped.
    """

    def __init__(self, world: "World", number: int, index: int, honest: bool) -> None:
        self.world = world
        self.number, self.index, self.honest = number, index, honest
        self.clock = Clock(WALL_MS)
        self.log = NodeLog(world.rng)
        self.life = 0
        self.up = False
        self.observer = False
        self.core: Any = None
        self.outbox: list[Tell] = []
        self.leaving: list[Tell] | None = None
        self.dirty = False
        self.crash_in = UNSET
        self.points = 0
        self.wake_ms = NEVER
        self.armed_ms = NEVER
        self.sync_ms = world.config.sync_ms
        self.floor = self.keep_from = 0
        self.view = 0
        self.handlers: dict[type[Any], Callable[[Any], None]] = {
            Build: self.on_build,
            Verify: self.on_verify,
            Certify: self.on_certify,
            Finalized: self.on_finalized,
            Accuse: self.on_accuse,
            Offence: self.on_noted,
            Forgotten: self.on_noted,
            Entered: self.on_entered,
            GaveUp: self.on_gave_up,
            Wake: self.on_wake_asked,
        }

    # --- life ------------------------------------------------------------------------------------
    def found(self) -> None:
        """Start for the first time."""
        self.log.found()
        self.boot(GENESIS_FLOOR, [])

    def restart(self, _: object = None) -> None:
        """Start from what the disk kept."""
        if self.up:
            return
        try:
            records = self.log.recover()
        except StorageRefusal:
            self.world.count("journals_refused")
            self.lose()
            records = []
        entries = [(int(r.kind) - NOTE, bytes(r.payload)) for r in records]
        floor = self.floor_of(entries)
        above = [entry for entry, r in zip(entries, records, strict=True) if r.height > floor.view]
        self.world.count("restarts")
        self.boot(floor, above)

    def floor_of(self, entries: list[tuple[int, bytes]]) -> Floor:
        """Find the newest finalization in the journal."""
        floor = GENESIS_FLOOR
        count = len(self.world.config.weights)
        for record, data in entries:
            if record == Record.CERTIFICATE and data[0] == FINALIZE:
                found = decode_certificate(data, count)
                if found.subject.view > floor.view:
                    floor = Floor(found.subject.view, found.subject.payload, found)
        return floor

    def lose(self) -> None:
        """Start an empty journal; an honest node that knows only observes (J12)."""
        self.log.found()
        if not self.world.config.forgetful:
            self.observer = True

    def boot(self, floor: Floor, entries: list[tuple[int, bytes]]) -> None:
        """Make a core and start it."""
        self.life += 1
        self.up = True
        self.view = 0
        self.outbox, self.leaving, self.dirty = [], None, False
        self.wake_ms = self.armed_ms = NEVER
        world = self.world
        me = None if self.observer else self.index
        settings = Settings(world.validators, me, world.config.times)
        scheme = SimulatedScheme(world.keyring, self.index, self.on_signed)
        self.core = world.core_of(self, settings, scheme, floor, entries)
        mono = self.clock.mono(world.now)
        self.perform(self.core.start(mono))
        if self.up and world.working:
            self.take(WorkArrived())

    def on_signed(self, subject: Any) -> None:
        """Tell the checkers what is being signed."""
        self.world.watch.signed(self.index, subject, self.view)

    def counted(self) -> dict[str, int]:
        """Give what the core has counted, by name."""
        return dict(self.core.counts) if self.core is not None else {}

    def joined(self) -> None:
        """Hear that all links have been mended."""

    def crash(self) -> None:
        """Lose power."""
        self.world.count("crashes")
        self.life += 1
        self.up = False
        self.core = None
        self.crash_in = UNSET
        self.log.disk.crash(self.world.rng)
        self.log.under_way = False
        self.world.nemesis.crashed(self)

    # --- events ----------------------------------------------------------------------------------
    def deliver(self, packet: tuple[int, Any]) -> None:
        """Take a message off a link."""
        sender, message = packet
        if isinstance(message, bytes):
            message = self.world.network.read(message)
            if message is None:
                return
        self.take(Received(sender, message))

    def take(self, event: Event) -> None:
        """Step the core."""
        world = self.world
        world.steps += 1
        effects = self.core.step(self.clock.mono(world.now), event)
        world.note(self.number, len(effects))
        self.perform(effects)

    def tick(self) -> None:
        """Tell the core that time has passed."""
        self.take(Tick())

    def work(self, arrived: bool) -> None:
        """Say that there is something to order, or nothing any more."""
        self.take(WorkArrived() if arrived else WorkDone())

    def on_wake_asked(self, effect: Wake) -> None:
        """Set the one timer."""
        self.wake_ms = effect.at_ms
        self.arm()

    def arm(self) -> None:
        """Post a wake unless one comes early enough."""
        at = self.clock.when(self.wake_ms)
        if at < self.armed_ms:
            self.armed_ms = max(at, self.world.now)
            self.world.post(self.armed_ms, self, self.on_timer, self.armed_ms)

    def on_timer(self, posted_ms: int) -> None:
        """Tick, or wait on when the timer has moved."""
        if posted_ms != self.armed_ms:
            return
        self.armed_ms = NEVER
        if self.clock.mono(self.world.now) < self.wake_ms:
            self.arm()
        else:
            self.wake_ms = NEVER
            self.tick()

    # --- effects ---------------------------------------------------------------------------------
    def perform(self, effects: list[Effect]) -> None:
        """Carry out a step's effects."""
        if self.crash_in != UNSET or self.world.counting:
            self.perform_counted(effects)
            return
        entries = None
        outbox, handlers = self.outbox, self.handlers
        for effect in effects:
            kind = type(effect)
            if kind is Tell:
                outbox.append(cast(Tell, effect))
            elif kind is Journal:
                record, view, data = cast(Journal, effect)
                if entries is None:
                    entries = []
                entries.append(Entry(NOTE + record, view, data))
            else:
                handlers[kind](effect)
        if entries is not None:
            self.append(entries)
        if self.leaving is None and (self.outbox or self.dirty):
            self.flush()

    def perform_counted(self, effects: list[Effect]) -> None:
        """Carry them out one by one, and crash before the one that is due."""
        life = self.life
        for effect in effects:
            if self.is_end():
                return
            if isinstance(effect, Tell):
                self.outbox.append(effect)
            elif isinstance(effect, Journal):
                self.append([Entry(NOTE + effect.record, effect.view, effect.data)])
            else:
                self.handlers[type(effect)](effect)
        if self.life == life and self.leaving is None and (self.outbox or self.dirty):
            self.flush()

    def is_end(self) -> bool:
        """Count one point at which a crash may come; say whether it came."""
        self.points += 1
        if self.crash_in == UNSET:
            return False
        if self.crash_in > 0:
            self.crash_in -= 1
            return False
        self.crash()
        return True

    def append(self, entries: list[Entry]) -> None:
        """Write to the journal."""
        note = self.world.trace
        for entry in entries:
            note.append(bytes(entry.payload))
        if self.world.config.hasty:
            self.release()
        self.log.append(entries)
        self.dirty = True

    def release(self) -> None:
        """Send without waiting for the disk: what no driver may do."""
        waiting, self.outbox = self.outbox, []
        self.send(waiting)

    def flush(self) -> None:
        """Sync if anything was written, then let go of what waits."""
        counted = self.crash_in != UNSET or self.world.counting
        if self.world.config.hasty:
            self.release()
        if self.dirty:
            if counted and self.is_end():
                return
            self.dirty = False
            self.keep_from = self.floor
            self.log.sync_begin()
            if self.sync_ms:
                self.leaving, self.outbox = self.outbox, []
                delay = 1 + self.world.rng.randrange(2 * self.sync_ms)
                self.world.post(self.world.now + delay, self, self.on_synced, None)
                return
            self.synced()
        waiting, self.outbox = self.outbox, []
        self.send(waiting)

    def synced(self) -> None:
        """End a sync, and prune what the finalization that it made durable leaves behind."""
        self.log.sync_end()
        self.log.prune(self.keep_from)

    def on_synced(self, _: None) -> None:
        """The disk is done: let go, and sync what has come since."""
        self.synced()
        leaving, self.leaving = self.leaving or [], None
        life = self.life
        self.send(leaving)
        if self.life == life and (self.outbox or self.dirty):
            self.flush()

    def send(self, tells: list[Tell]) -> None:
        """Hand messages to the network, watched."""
        counted = self.crash_in != UNSET or self.world.counting
        send = self.world.network.send
        for message, to in tells:
            if counted and self.is_end():
                return
            if self.honest:
                self.watched(message)
            send(self, message, to)

    def watched(self, message: Message) -> None:
        """Show the checkers what leaves."""
        if isinstance(message, Vote):
            self.world.watch.vote_left(self.index, message.subject)
        elif isinstance(message, Certificate):
            self.world.watch.certificate_left(message.subject, message.signers)

    # --- the application -------------------------------------------------------------------------
    def on_build(self, effect: Build) -> None:
        """Make a payload, at once or when the heartbeat is due."""
        world = self.world
        times = world.config.times
        wait = 0 if world.working else times.heartbeat_ms
        draw = world.rng.getrandbits(20)
        delay = wait + draw % 3
        payload = None
        if draw >> 10 >= world.config.refusal_e3:
            payload = world.application.make(effect.view, effect.parent_payload, self.index)
            world.watch.verified(self.index, payload)
        world.post(world.now + delay, self, self.take, Built(effect.view, payload))

    def on_verify(self, effect: Verify) -> None:
        """Judge a payload if its bytes are here; with a clock that is off, sound ones are not."""
        world = self.world
        proposal, parent = effect
        draw = world.rng.getrandbits(20)
        ok: bool | None = None
        if world.application.is_held(self.index, proposal.payload):
            ok = world.application.is_valid_on(proposal.view, proposal.payload, parent)
            ok = ok and draw >> 10 >= world.config.refusal_e3
            if ok:
                world.watch.verified(self.index, proposal.payload)
        world.post(world.now + draw % 3, self, self.take, Verified(proposal, parent, ok))

    def on_certify(self, effect: Certify) -> None:
        """Get the bytes, from whoever has them and can be reached, and judge them."""
        world = self.world
        if not world.application.is_held(self.index, effect.proposal.payload):
            world.post(world.now + FETCH_RETRY_MS, self, self.fetch, effect)
        else:
            delay = world.rng.getrandbits(8) % 3
            world.post(world.now + delay, self, self.on_certified, effect.proposal)

    def fetch(self, effect: Certify) -> None:
        """Ask the signers for the bytes of a payload."""
        if effect.proposal.view <= self.floor:
            return
        world = self.world
        payload = effect.proposal.payload
        cut = world.network.cut
        for node in world.nodes:
            reached = node.up and not cut[node.number][self.number]
            reached = reached and not cut[self.number][node.number]
            if reached and node.honest and world.application.is_held(node.index, payload):
                world.application.give(self.index, payload)
                break
        self.on_certify(effect)

    def on_certified(self, proposal: Any) -> None:
        """Tell the core what became of a certification."""
        world = self.world
        ok = world.application.is_valid(proposal.view, proposal.payload)
        if ok:
            world.watch.certified(self.index, proposal.payload)
        self.take(Certified(proposal, ok))

    def on_finalized(self, effect: Finalized) -> None:
        """Note what is final."""
        proposal = effect.proposal
        self.floor = max(self.floor, proposal.view)
        if self.honest:
            self.world.watch.finalized(self.number, proposal.view, proposal.payload)
            self.world.finalized += 1

    def on_noted(self, effect: Offence | Forgotten) -> None:
        """Do nothing: what a core notes for its own node is no checker's business."""

    def on_accuse(self, effect: Accuse) -> None:
        """Hand an accusation to the checkers."""
        if self.honest:
            self.world.watch.accused(
                effect.signer, effect.evidence.first, effect.evidence.second
            )

    def on_entered(self, effect: Entered) -> None:
        """Note the view."""
        self.view = effect.view

    def on_gave_up(self, effect: GaveUp) -> None:
        """Count why views are given up."""
        self.world.count(f"gave_up_{effect.reason.name.lower()}")

