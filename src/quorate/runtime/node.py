"""The solo engine: one process, three threads around one replica, and a process for snapshots.

    event loop    sockets, frames, the queue in front of admission      server.py
    admission     decode and signatures, on a pool of threads           replica/intake.py
    execution     owns the tables: blocks, questions                    replica/replica.py
    log           appends, syncs, then lets the replies go

Each hands its work to the next by a queue. While one batch is with admission the next one gathers,
and while one block is on its way to the disk the next one executes, so batches and blocks grow with
the load. The log thread takes all effects that wait and covers them with one sync.

Any exception of the execution thread is our own bug: the node marks its home halted, durably, and
stops without acknowledging. A failing disk stops it too, without the marker: the state is sound.
"""

import asyncio
import concurrent.futures
import os
import queue
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quorate.admission import Chain, chain_of
from quorate.replica.intake import BATCH_BYTES_MAX, Intake, Limits, judged
from quorate.replica.messages import (
    Answer,
    Append,
    Effect,
    Event,
    Halt,
    Judged,
    Refuse,
    Reply,
    Request,
    Snapshot,
    SnapshotMade,
    Stop,
    Stopping,
    Sync,
    Synced,
    Tick,
)
from quorate.replica.replica import Replica
from quorate.runtime.endpoint import ENDPOINT_NAME, SOCKET_NAME
from quorate.runtime.errors import NodeHalted, NodeStopped
from quorate.runtime.files import LogFiles
from quorate.runtime.halt import Halt as HaltMarker
from quorate.runtime.halt import write_halt
from quorate.runtime.home import MIB, Home
from quorate.runtime.server import Response, Server
from quorate.runtime.snapshotter import Made, prune_plan
from quorate.runtime.snapshotting import Snapshotting
from quorate.storage.recovery import Plan
from quorate.storage.writer import Entry, payload_bytes_max

TICK_S: Final = 0.05
POLL_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Last:
    """The execution thread has ended; nothing follows in the log thread's queue."""


def now_ms() -> int:
    """Read the clock."""
    return time.time_ns() // 1_000_000


def intake_limits(home: Home) -> Limits:
    """Give the queue's limits; a batch with its signers must fit in a segment of the log."""
    config = home.config
    batch = min(BATCH_BYTES_MAX, payload_bytes_max(config.segment_bytes) // 2)
    return Limits(config.queue_mib * MIB, batch)


class Node:
    """A recovered replica that serves. Made on the main thread; `serve` runs until it stops."""

    def __init__(self, home: Home, files: LogFiles, replica: Replica) -> None:
        self.home = home
        self.files = files
        self.replica = replica
        self.chain: Chain = chain_of(*home.identity)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.effects: queue.SimpleQueue[list[Effect] | Plan | Last] = queue.SimpleQueue()
        self.intake = Intake(intake_limits(home))
        self.server = Server(self.intake, self.events.put, self.admit_more)
        self.admitting = False
        self.snapshotting = Snapshotting(home)
        self.loop: asyncio.AbstractEventLoop
        self.admission_failure: BaseException | None = None
        self.stop_wanted: asyncio.Event
        threads = home.config.admission_threads or len(os.sched_getaffinity(0))
        pool = concurrent.futures.ThreadPoolExecutor
        self.admission = pool(1, "admission")
        self.recovery = pool(threads, "signatures")
        self.threads = pool(2, "node")

    # --- the event loop --------------------------------------------------------------------------
    async def serve(self, announce: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT. Raises as `listen`, NodeHalted, NodeStopped."""
        self.loop = asyncio.get_running_loop()
        self.stop_wanted = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stop_wanted.set)
        # Before the threads start: a port that is taken, or nobody who reads what is announced,
        # must not leave them waiting for work.
        endpoint = await self.server.listen_home(self.home.path, self.home.config.listen)
        stopping = asyncio.ensure_future(self.stop_wanted.wait())
        try:
            announce(str(endpoint))
            log = self.loop.run_in_executor(self.threads, self.run_log)
            execution = self.loop.run_in_executor(self.threads, self.run_execution)
            ends: list[asyncio.Future[Any]] = [log, execution, stopping]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            await self.drain(log, execution)
        finally:
            stopping.cancel()
            self.snapshotting.stop()
            (self.home.path / ENDPOINT_NAME).unlink(missing_ok=True)
            (self.home.path / SOCKET_NAME).unlink(missing_ok=True)
            await self.server.close()
            for executor in (self.admission, self.recovery, self.threads):
                executor.shutdown(wait=False)

    async def drain(
        self, log: "asyncio.Future[None]", execution: "asyncio.Future[None]"
    ) -> None:
        """Bring what was accepted to an end; raise what ended the threads."""
        self.server.deafen()
        while self.admitting and not (log.done() or execution.done()):
            await asyncio.sleep(POLL_S)
        self.events.put(Stopping())
        await asyncio.wait([log, execution])
        if self.admission_failure is not None:
            raise self.admission_failure
        failure = execution.exception()
        if failure is not None and isinstance(log.exception(), NodeHalted):
            # Our own bug: the halt says what follows from it, its cause says where it is.
            raise NodeHalted(str(log.exception())) from failure
        log.result()
        execution.result()

    def admit_more(self) -> None:
        """Give admission its next batch, unless it has one."""
        if self.admitting or not self.intake.waiting:
            return
        requests = self.intake.take()
        self.admitting = True
        judging = self.loop.run_in_executor(self.admission, self.judge, requests)
        judging.add_done_callback(self.judged)

    def judged(self, judging: "asyncio.Future[None]") -> None:
        """Go on after a batch; our own bug in admission stops the node."""
        self.admitting = False
        self.admission_failure = judging.exception()
        if self.admission_failure is None:
            self.admit_more()
        else:
            self.stop_wanted.set()

    def judge(self, requests: Sequence[Request]) -> None:
        """Run admission over a batch; on the admission thread."""
        self.events.put(Judged(judged(requests, self.chain, self.recovery.map)))

    # --- the execution thread ---------------------------------------------------------------------
    def run_execution(self) -> None:
        """Step the replica until it stops; a failure that it does not name itself halts too."""
        ended = False
        try:
            while not ended:
                last = self.stepped(self.next_events())
                ended = last or self.replica.stopped
        finally:
            if not ended:
                self.effects.put(self.failed())
            self.effects.put(Last())

    def failed(self) -> list[Effect]:
        """What to do after an error of ours: log the block at which it came, and halt there."""
        reason = "the execution thread ended with an error, which is in the output"
        attempt, executor = self.replica.attempt, self.replica.executor
        if attempt is None:
            return [Halt(executor.height, executor.digest, reason)]
        sync, halt = Sync(attempt.height), Halt(attempt.height, attempt.digest, reason)
        return [*attempt.effects, sync, halt]

    def next_events(self) -> list[Event]:
        """Wait for events, at most a tick."""
        try:
            found: list[Event] = [self.events.get(timeout=TICK_S)]
        except queue.Empty:
            return [Tick()]
        while not self.events.empty():
            found.append(self.events.get())
        return found

    def stepped(self, events: list[Event]) -> bool:
        """Step through events; say whether the last block has been made."""
        effects: list[Effect] = []
        try:
            for event in events:
                effects += self.replica.step(now_ms(), event)
                if isinstance(event, Stopping):
                    return True
            return False
        finally:
            # Also when a later event fails: what the earlier ones made is durable first.
            if effects:
                self.effects.put(effects)

    # --- the log thread ---------------------------------------------------------------------------
    def run_log(self) -> None:
        """Carry effects out. Raises StorageFailed, NodeHalted or NodeStopped."""
        ended = False
        try:
            last = False
            while not last:
                effects: list[Effect] = []
                waiting = [self.effects.get()]
                while not self.effects.empty():
                    waiting.append(self.effects.get())
                for part in waiting:
                    if isinstance(part, Last):
                        last = True
                    elif isinstance(part, Plan):
                        self.files.prune(part, self.home.config.archive)
                    else:
                        effects += part
                self.carry_out(effects)
            self.files.close()
            ended = True
        finally:
            if not ended:
                self.events.put(Stopping())

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Append everything, sync once, then send: later than asked for, never earlier."""
        entries = [Entry(e.kind, e.height, e.payload) for e in effects if isinstance(e, Append)]
        if entries:
            self.files.append(entries)
            self.files.sync()
        heights = [effect.height for effect in effects if isinstance(effect, Sync)]
        if heights:
            self.events.put(Synced(heights[-1]))
        responses: list[Response] = [
            effect for effect in effects if isinstance(effect, Reply | Refuse | Answer)
        ]
        if responses:
            self.loop.call_soon_threadsafe(self.server.respond, responses)
        for effect in effects:
            if isinstance(effect, Halt):
                write_halt(
                    self.home.path, HaltMarker(effect.height, effect.digest, effect.reason)
                )
                raise NodeHalted(f"Halted at height {effect.height}: {effect.reason}.")
            if isinstance(effect, Stop):
                raise NodeStopped(f"Stopped: {effect.reason}.")
            if isinstance(effect, Snapshot):
                begin = self.snapshotting.begin
                self.loop.call_soon_threadsafe(begin, effect.height, self.snapshot_made)

    # --- snapshots --------------------------------------------------------------------------------
    def snapshot_made(self, height: int, made: Made) -> None:
        """Act on what the snapshot process found."""
        if made.fault:
            self.events.put(SnapshotMade(height, made.fault))
        elif made.snapshots:
            self.effects.put(prune_plan(self.home, made.snapshots))


def run_node(
    home: Home, files: LogFiles, replica: Replica, announce: Callable[[str], None]
) -> None:
    """Serve until told to stop; `announce` is told where. Raises as `Node.serve`."""
    asyncio.run(Node(home, files, replica).serve(announce))
