"""The cluster engine: the event loop of one validator, and the threads around it.

    event loop    sockets of clients and of validators, and the core        replica/validator.py
    admission     signatures of bundles, on a pool of threads               admission/judge.py
    execution     owns the tables: blocks, questions                        executing.py
    log           appends, one sync for all that waits, then releases       journal.py

Events that come in one turn of the loop are stepped together, and what they want written goes to
the log thread as one list. Early effects leave at once; so does everything else while no sync of
the core's is under way or wanted. What comes during one waits behind it, so that no later word
overtakes an earlier one's sync.
"""

import asyncio
import concurrent.futures
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvloop

from quorate.admission import chain_of
from quorate.codec.peer import KIND_BYTES_MAX, URGENT
from quorate.replica.intake import Intake
from quorate.replica.ledger import Ordered
from quorate.replica.messages import (
    Answer,
    Append,
    Asked,
    Refuse,
    Reply,
    Settled,
    Snapshot,
    SnapshotMade,
    Sync,
)
from quorate.replica.validator_messages import (
    Accused,
    Admit,
    Admitted,
    BlocksRead,
    CheckSnapshot,
    Execute,
    FromPeer,
    Install,
    Moment,
    OpenPartial,
    PeerDown,
    PeerUp,
    Progress,
    Quit,
    ReadBlocks,
    ReadChunk,
    Requested,
    Send,
    Stopping,
    StoreChunk,
    Tick,
    ValidatorEvent,
    Wake,
)
from quorate.runtime.cluster.admitting import Admitting
from quorate.runtime.cluster.answering import Answering
from quorate.runtime.cluster.begin import Begun
from quorate.runtime.cluster.executing import Executing, Provable
from quorate.runtime.cluster.executing import Last as LastTask
from quorate.runtime.cluster.inbox import Inbox
from quorate.runtime.cluster.journal import Journal, Last, Prune
from quorate.runtime.cluster.syncing import Syncing
from quorate.runtime.endpoint import ENDPOINT_NAME, SOCKET_NAME
from quorate.runtime.errors import NodeHalted, NodeRestart
from quorate.runtime.home import Home
from quorate.runtime.node import intake_limits
from quorate.runtime.peers.frames import Lane
from quorate.runtime.peers.transport import Limits, Transport
from quorate.runtime.server import Server
from quorate.runtime.snapshotting import Snapshotting
from quorate.runtime.spending import cpu_ms
from quorate.runtime.validators import hello_of, material_of_home, seats_of

# A thread that computes in Python gives the others a turn this often: the default of 5 ms would be
# most of a block's time.
SWITCH_S: Final = 0.0005
STOP_S: Final = 10.0
# Of peers' events, taken in one turn of the loop: clients and the clock are heard in between.
PEER_EVENTS_MAX: Final = 256
FORGOTTEN: Final = (
    "The journal is older than what this validator has signed, as after a backup was put back: it "
    "observes, and votes again when the others have answered.\n"
)
GARBAGE_THRESHOLDS: Final = (50_000, 20, 50)


class ClusterNode:
    """One validator that serves. Made on the main thread; `serve` runs until it stops."""

    def __init__(self, home: Home, begun: Begun) -> None:
        self.home = home
        self.validator = begun.validator
        self.ledger = begun.ledger
        self.chain = chain_of(*home.identity)
        count = len(self.validator.parts.settings.validators.keys)
        self.journal = Journal(home, begun.files, count, self.released)
        for note in begun.notes:
            self.journal.found(note)
        self.executing = Executing(self.ledger, self.journal.take)
        self.intake = Intake(intake_limits(home))
        self.server = Server(self.intake, self.asked, self.offered)
        limits = Limits(KIND_BYTES_MAX)
        self.transport = Transport(
            home.me, seats_of(home), hello_of(home), material_of_home(home), limits, self
        )
        self.answering = Answering(home, self.validator, self.ledger, self.transport)
        self.answering.cpu_ms = self.cpu_ms
        self.snapshotting = Snapshotting(home)
        self.syncing = Syncing(home, self.post, self.fail, self.installed)
        self.events: list[ValidatorEvent] = []
        self.inbox = Inbox()
        self.pumping = False
        self.journaling = 0  # lists of the core that the log thread has not let go yet
        self.wake: asyncio.TimerHandle | None = None
        self.loop: asyncio.AbstractEventLoop
        self.stop_wanted: asyncio.Event
        self.failure: BaseException | None = None
        threads = home.config.admission_threads or len(os.sched_getaffinity(0))
        pool = concurrent.futures.ThreadPoolExecutor
        self.admitting = Admitting(self.chain, threads, self.admitted)
        self.threads = pool(4, "validator")

    # --- life ------------------------------------------------------------------------------------
    async def serve(self, announce: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT. Raises CannotListen, NodeHalted, NodeStopped."""
        sys.setswitchinterval(SWITCH_S)
        # What stands now stands until the end: not to be looked at by every collection.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        self.loop = asyncio.get_running_loop()
        self.stop_wanted = asyncio.Event()
        self.loop.set_exception_handler(self.mistaken)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stop_wanted.set)
        endpoint = await self.server.listen_home(self.home.path, self.home.config.listen)
        stopping = asyncio.ensure_future(self.stop_wanted.wait())
        log = self.loop.run_in_executor(self.threads, self.journal.run)
        execution = self.loop.run_in_executor(self.threads, self.executing.run)
        admission = self.loop.run_in_executor(self.threads, self.admitting.run)
        try:
            cluster = self.home.config.cluster
            assert cluster is not None
            await self.transport.start(cluster.listen)
            announce(str(endpoint))
            self.syncing.offer()
            self.carry_out(self.validator.start(self.moment()))
            ends: list[asyncio.Future[Any]] = [log, execution, admission, stopping]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self.close(log, execution, admission)
        if self.failure is not None:
            raise self.failure

    async def close(
        self,
        log: "asyncio.Future[None]",
        execution: "asyncio.Future[None]",
        admission: "asyncio.Future[None]",
    ) -> None:
        """Sign nothing more, bring the threads to an end, and raise what ended them."""
        self.server.deafen()
        self.validator.step(self.moment(), Stopping())
        self.admitting.end()
        self.executing.queue.put(LastTask())
        await asyncio.wait([execution, admission], timeout=STOP_S)
        self.journal.queue.put(Last())
        await asyncio.wait([log], timeout=STOP_S)
        await self.transport.stop()
        self.snapshotting.stop()
        self.syncing.stop()
        (self.home.path / ENDPOINT_NAME).unlink(missing_ok=True)
        (self.home.path / SOCKET_NAME).unlink(missing_ok=True)
        await self.server.close()
        self.threads.shutdown(wait=False)
        wrongs = [it.exception() for it in (execution, admission) if it.done()]
        wrong = next((error for error in wrongs if error is not None), None)
        ended = log.exception() if log.done() else None
        if isinstance(ended, NodeHalted) and wrong is not None:
            raise NodeHalted(str(ended)) from wrong
        if ended is not None:
            raise ended
        if wrong is not None:
            raise wrong

    # --- the core --------------------------------------------------------------------------------
    def moment(self) -> Moment:
        """Read the clocks."""
        return Moment(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)

    def post(self, event: ValidatorEvent) -> None:
        """Have the core take an event in this turn of the loop; on the loop's thread."""
        self.events.append(event)
        self.pump_soon()

    def pump_soon(self) -> None:
        """Have the core step in this turn of the loop."""
        if not self.pumping:
            self.pumping = True
            self.loop.call_soon(self.pump)

    def pump(self) -> None:
        """Step through what has come, of peers their share, and carry out what it leads to."""
        self.pumping = False
        events, self.events = self.events, []
        of_peers = self.inbox.take(PEER_EVENTS_MAX)
        effects = self.validator.steps(self.moment(), events + of_peers)
        self.pay(of_peers)
        if self.inbox:
            self.pump_soon()
        self.carry_out(effects)

    def mistaken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Stop at what a callback raised: our own bug, unless it is a connection's end.

        What was written is sound, and nothing more is signed.
        """
        error = context.get("exception")
        if isinstance(error, OSError) and "handle" not in context:
            return  # of a socket; one that a callback of ours raised has a handle
        loop.default_exception_handler(context)
        # Without an exception it is a library's word of what it had not tidied up.
        if error is not None:
            self.fail(error)

    def pay(self, taken: Sequence[ValidatorEvent]) -> None:
        """Let the transport read on from peers whose frames have been taken."""
        owed: dict[int, tuple[int, int]] = {}
        for event in taken:
            if isinstance(event, FromPeer):
                size, frames = owed.get(event.peer, (0, 0))
                owed[event.peer] = (size + len(event.body), frames + 1)
        for peer, (size, frames) in owed.items():
            self.transport.credit(peer, size, frames)

    def carry_out(self, effects: Sequence[Any]) -> None:
        """Do what may be done at once, and give the log thread the rest."""
        late: list[Any] = []
        blocks: list[Ordered] = []
        wake: int | None = None
        for effect in effects:
            if isinstance(effect, Send) and effect.early:
                self.send(effect)
            elif isinstance(effect, Wake):
                wake = effect.at_ms
            elif isinstance(effect, Execute):
                blocks.append(effect.block)
            elif isinstance(effect, Admit):
                self.admitting.put(effect)
            elif isinstance(effect, ReadBlocks):
                self.loop.run_in_executor(self.threads, self.read, effect)
            elif isinstance(effect, ReadChunk | OpenPartial | StoreChunk | CheckSnapshot):
                self.syncing.carry_out(effect)
            else:
                late.append(effect)
        wants_sync = any(isinstance(effect, Sync) for effect in late)
        if late and (self.journaling or wants_sync):
            self.journaling += 1
            self.journal.queue.put(late)
        elif late:
            # Nothing is on its way to the disk that these could overtake, and none needs it.
            appends = [effect for effect in late if isinstance(effect, Append)]
            if appends:
                self.journal.take(appends)
            self.release([effect for effect in late if not isinstance(effect, Append)])
        # Behind the finalization that they rest on: what the ledger logs is never durable first.
        for block in blocks:
            self.executing.queue.put(block)
        if wake is not None:
            if self.wake is not None:
                self.wake.cancel()
            delay_s = max(wake - time.monotonic_ns() // 1_000_000, 0) / 1000
            self.wake = self.loop.call_later(min(delay_s, 60.0), self.post, Tick())

    def released(self, effects: list[Any], lists: int) -> None:
        """Take what a sync has let go, and how many of our lists it was; on the log thread."""
        self.loop.call_soon_threadsafe(self.let_go, effects, lists)

    def let_go(self, effects: list[Any], lists: int) -> None:
        """Release, and note that so many lists are off our hands."""
        self.journaling -= lists
        self.release(effects)

    def release(self, effects: list[Any]) -> None:
        """Send, reply, and tell the core what the ledger came to."""
        responses: list[Reply | Refuse | Answer] = []
        for effect in effects:
            if isinstance(effect, Send):
                self.send(effect)
            elif isinstance(effect, Settled):
                self.post(effect)
            elif isinstance(effect, Reply | Refuse | Answer):
                responses.append(effect)
            elif isinstance(effect, Progress):
                responses += self.answering.progressed(effect)
                if effect.what == "forgotten":
                    sys.stderr.write(FORGOTTEN)
            elif isinstance(effect, Provable):
                responses += self.answering.provable(effect)
            elif isinstance(effect, Snapshot):
                self.snapshotting.begin(effect.height, self.snapshot_made)
            elif isinstance(effect, Install):
                self.syncing.install(effect)
            elif isinstance(effect, Quit):
                sys.stderr.write(f"Validator {effect.peer} sends forgeries; its link ends.\n")
                self.transport.banish(effect.peer, effect.span_ms / 1000)
            elif isinstance(effect, Accused):
                sys.stderr.write(f"Validator {effect.signer} signed two things that exclude.\n")
        if responses:
            self.server.respond(responses)

    def send(self, effect: Send) -> None:
        """Hand a frame to the transport."""
        lane = Lane.URGENT if effect.kind in URGENT else Lane.BULK
        if effect.peer is None:
            self.transport.broadcast(effect.kind, effect.body, lane)
        else:
            self.transport.send(effect.peer, effect.kind, effect.body, lane)

    # --- other places of work --------------------------------------------------------------------
    def admitted(self, answers: list[Admitted]) -> None:
        """Take what admission found; on its thread."""
        self.loop.call_soon_threadsafe(self.post_all, answers)

    def post_all(self, events: Sequence[ValidatorEvent]) -> None:
        """Have the core take several events."""
        for event in events:
            self.post(event)

    def read(self, read: ReadBlocks) -> None:
        """Read blocks from the log; on a thread beside the log's."""
        found = self.journal.read_blocks(read.digests)
        self.loop.call_soon_threadsafe(self.post, BlocksRead(read.ticket, found))

    def snapshot_made(self, height: int, made: Any) -> None:
        """Act on what the snapshot process found."""
        if made.fault:
            self.executing.queue.put(SnapshotMade(height, made.fault))
        elif made.snapshots:
            self.journal.queue.put(Prune(made.snapshots))
            self.syncing.offer()

    def installed(self, height: int) -> None:
        """Begin again from the home: the log goes on from a snapshot that was fetched."""
        self.fail(NodeRestart(height))

    def fail(self, error: BaseException) -> None:
        """Stop, and let `serve` raise why; sign nothing more."""
        self.failure = self.failure or error
        self.stop_wanted.set()

    # --- the transport's handlers ----------------------------------------------------------------
    def on_frame(self, peer: int, kind: int, body: bytes) -> None:
        """Take a frame of a validator."""
        self.inbox.put(peer, FromPeer(peer, kind, body))
        self.pump_soon()

    def on_up(self, peer: int) -> None:
        """Hear of a connection."""
        self.inbox.put(peer, PeerUp(peer))
        self.pump_soon()

    def on_down(self, peer: int, reason: Any) -> None:
        """Hear of a connection's end."""
        self.inbox.put(peer, PeerDown(peer))
        self.pump_soon()

    def cpu_ms(self) -> dict[str, int]:
        """Say how much processor time each place of work has taken; on the loop's thread."""
        return cpu_ms(self.journal.cpu_ns, self.executing.cpu_ns)

    # --- clients ---------------------------------------------------------------------------------
    def offered(self) -> None:
        """Hand the core what clients have sent."""
        while self.intake.waiting:
            for request in self.intake.take():
                self.post(Requested(request))

    def asked(self, asked: Asked) -> None:
        """Answer what the core knows, and hand the rest to the thread of the ledger."""
        answer = self.answering.at_once(asked)
        if answer is not None:
            self.server.respond([answer])
        else:
            self.executing.queue.put(asked)


def run_cluster_node(home: Home, begun: Begun, announce: Callable[[str], None]) -> None:
    """Serve until told to stop; `announce` is told where. Raises as `ClusterNode.serve`."""
    uvloop.run(ClusterNode(home, begun).serve(announce))
