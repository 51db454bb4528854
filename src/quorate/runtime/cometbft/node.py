"""The cometbft engine: the node beside a CometBFT process, and its threads.

    event loop    CometBFT's connections, clients, its RPC, and the core    replica/application.py
    admission     signatures of bundles, on a pool of threads               cluster/admitting.py
    execution     owns the tables: blocks, advice, questions                executing.py
    log           appends, syncs, then lets answers and replies go          journal.py

The core is stepped on the event loop, one request or one answer of another thread at a time. What a
committed block led to goes to the log as one list; CometBFT hears that the block is committed, and
clients hear of their bundles, when it is durable.
"""

import asyncio
import concurrent.futures
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvloop

from quorate.admission import chain_of
from quorate.replica.application_messages import (
    Advise,
    Answered,
    ApplicationEvent,
    Check,
    Codes,
    Execute,
    Executed,
    Installed,
    Reconnected,
    Refused,
    Reminded,
    Submit,
    Submitted,
)
from quorate.replica.intake import Intake
from quorate.replica.messages import (
    Answer,
    Append,
    Asked,
    Halt,
    Refuse,
    Reply,
    Snapshot,
    SnapshotMade,
    Stop,
    Sync,
)
from quorate.replica.validator_messages import Admit, Admitted, Requested
from quorate.runtime.cluster.admitting import Admitting
from quorate.runtime.cometbft.answering import Answering
from quorate.runtime.cometbft.begin import Begun
from quorate.runtime.cometbft.executing import Executing, Install, Provable, Queried
from quorate.runtime.cometbft.executing import Last as LastTask
from quorate.runtime.cometbft.journal import Journal, Last, Prune
from quorate.runtime.cometbft.rpc import Rpc
from quorate.runtime.cometbft.server import AbciConnection, AbciServer, exception
from quorate.runtime.cometbft.statesync import StateSync
from quorate.runtime.cometbft.submitting import Submitting
from quorate.runtime.cometbft.translating import (
    READERS,
    checked,
    queried,
    query_refused,
    question_of,
    response_of,
)
from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import ENDPOINT_NAME, SOCKET_NAME, Endpoint, abci_endpoint
from quorate.runtime.errors import CannotListen
from quorate.runtime.home import Home
from quorate.runtime.node import intake_limits
from quorate.runtime.recover import executor_of
from quorate.runtime.server import Server
from quorate.runtime.snapshotter import Made
from quorate.runtime.snapshotting import Snapshotting
from quorate.runtime.spending import cpu_ms

SWITCH_S: Final = 0.0005  # as in cluster/node.py: the default would be most of a block's time
STOP_S: Final = 10.0
REMIND_S: Final = 5.0
# Info among the first requests of a connection is CometBFT's greeting when it starts; later ones
# are questions of its clients.
GREETING_TICKETS: Final = 2

Asker = tuple[AbciConnection, str, tuple[int, ...], int]


class Logged:
    """Behind a Sync: call back when all before it is durable."""

    def __init__(self, done: Callable[[], None]) -> None:
        self.done = done


class CometNode:
    """One node that serves. Made on the main thread; `serve` runs until it stops."""

    def __init__(self, home: Home, begun: Begun) -> None:
        assert home.config.cometbft is not None
        self.home = home
        self.application = begun.application
        self.ledger = begun.ledger
        self.journal = Journal(home, begun.files, self.released)
        self.executing = Executing(
            self.ledger, lambda image: executor_of(home, image), self.executed
        )
        threads = home.config.admission_threads or len(os.sched_getaffinity(0))
        self.admitting = Admitting(chain_of(*home.identity), threads, self.admitted)
        self.intake = Intake(intake_limits(home))
        self.server = Server(self.intake, self.asked, self.offered)
        self.abci = AbciServer(self.taken, self.fail)
        self.rpc = Rpc(home.config.cometbft.rpc)
        self.submitting = Submitting(self.rpc, self.submitted)
        self.answering = Answering(home.me, self.application, self.rpc, self.server.respond)
        self.answering.cpu_ms = self.cpu_ms
        self.snapshotting = Snapshotting(home)
        self.statesync = StateSync(
            home, self.log, self.install, self.fresh, lambda: self.application.height, self.fail
        )
        self.askers: dict[int, Asker] = {}
        self.ticket_last = 0
        self.base = begun.base
        self.installing: Callable[[], None] | None = None
        self.failure: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop
        self.stop_wanted: asyncio.Event
        self.threads = concurrent.futures.ThreadPoolExecutor(3, "node")

    # --- life ------------------------------------------------------------------------------------
    async def serve(self, announce: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT. Raises CannotListen, HomeRefused, NodeHalted."""
        sys.setswitchinterval(SWITCH_S)
        self.loop = asyncio.get_running_loop()
        self.stop_wanted = asyncio.Event()
        self.loop.set_exception_handler(self.mistaken)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stop_wanted.set)
        assert self.home.config.cometbft is not None
        abci = abci_endpoint(self.home.path, self.home.config.cometbft.abci)
        endpoint = await self.server.listen_home(self.home.path, self.home.config.listen)
        stopping = asyncio.ensure_future(self.stop_wanted.wait())
        parts = (self.journal.run, self.executing.run, self.admitting.run)
        log, execution, admission = [
            self.loop.run_in_executor(self.threads, part) for part in parts
        ]
        endless = (self.submitting.run(), self.answering.look(), self.remind())
        tasks = [asyncio.ensure_future(part) for part in endless]
        try:
            if abci.path:
                remove_socket(abci)
            await self.abci.start(abci)
            self.statesync.look()
            announce(str(endpoint))
            ends: list[asyncio.Future[Any]] = [log, execution, admission, stopping, *tasks]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self.close(log, execution, admission, tasks)
        if self.failure is not None:
            raise self.failure

    async def close(
        self,
        log: "asyncio.Future[None]",
        execution: "asyncio.Future[None]",
        admission: "asyncio.Future[None]",
        tasks: "Sequence[asyncio.Future[None]]",
    ) -> None:
        """Answer nothing more, bring the threads to an end, and raise what ended them."""
        self.server.deafen()
        await self.abci.close()
        self.admitting.end()
        self.executing.put(LastTask())
        await asyncio.wait([execution, admission], timeout=STOP_S)
        self.journal.queue.put(Last())
        await asyncio.wait([log], timeout=STOP_S)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self.answering.close()
        await self.rpc.close()
        self.snapshotting.stop()
        self.statesync.stop()
        (self.home.path / ENDPOINT_NAME).unlink(missing_ok=True)
        (self.home.path / SOCKET_NAME).unlink(missing_ok=True)
        await self.server.close()
        self.threads.shutdown(wait=False)
        parts = (execution, admission, *tasks)
        wrong = next(
            (it.exception() for it in parts if it.done() and not it.cancelled() and it.exception()),
            None,
        )
        ended = log.exception() if log.done() else None
        if ended is not None:
            raise ended from wrong
        if wrong is not None:
            raise wrong

    def mistaken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Stop at what a callback raised: our own bug, unless it is a connection's end."""
        error = context.get("exception")
        if isinstance(error, OSError) and "handle" not in context:
            return  # of a socket; one that a callback of ours raised has a handle
        loop.default_exception_handler(context)
        # Without an exception it is a library's word of what it had not tidied up.
        if error is not None:
            self.fail(error)

    def fail(self, error: BaseException | None) -> None:
        """Stop at an error of ours; what was written is sound, and CometBFT hears nothing."""
        self.failure = self.failure or error
        self.stop_wanted.set()

    # --- what CometBFT asks ----------------------------------------------------------------------
    def taken(self, connection: AbciConnection, requests: list[tuple[int, str, Any]]) -> None:
        """Take requests; checks that came together are asked together."""
        checks: list[tuple[int, bytes]] = []
        for ticket, kind, body in requests:
            if kind == "check_tx":
                checks.append((ticket, bytes(body.tx)))
            elif kind in READERS:
                own = self.asker(connection, kind, (ticket,))
                self.step(READERS[kind](own, body))
                if kind == "info" and ticket < GREETING_TICKETS:
                    self.step(Reconnected())
            else:
                self.other(connection, ticket, kind, body)
        if checks:
            own = self.asker(connection, "check_tx", tuple([ticket for ticket, _ in checks]))
            self.step(Check(own, tuple([transaction for _, transaction in checks])))

    def asker(
        self, connection: AbciConnection, kind: str, tickets: tuple[int, ...], height: int = 0
    ) -> int:
        """Number a question of CometBFT's. height: that a Query asked for."""
        self.ticket_last += 1
        self.askers[self.ticket_last] = (connection, kind, tickets, height)
        return self.ticket_last

    def other(self, connection: AbciConnection, ticket: int, kind: str, body: Any) -> None:
        """Take a request that is not for the core: a question, or about snapshots."""

        def reply(response: Any) -> None:
            connection.answer(ticket, response)

        if kind == "query":
            own = self.asker(connection, kind, (ticket,), body.height)
            question = question_of(own, body)
            if isinstance(question, str):
                del self.askers[own]
                reply(query_refused(question))
            else:
                self.executing.put(question)
        elif kind == "list_snapshots":
            self.statesync.listed(body, reply)
        elif kind == "load_snapshot_chunk":
            self.statesync.loaded(body, reply)
        elif kind == "offer_snapshot":
            self.statesync.offer(body, reply)
        elif kind == "apply_snapshot_chunk":
            self.statesync.apply(body, reply)
        else:
            reply(exception(f"a request that this application does not know: {kind}"))

    def answer(self, effect: Answered) -> None:
        """Write the core's answer to whoever asked."""
        connection, kind, tickets, _ = self.askers.pop(effect.ticket)
        if isinstance(effect.answer, Codes):
            for ticket, code in zip(tickets, effect.answer.codes, strict=True):
                connection.answer(ticket, checked(code))
        else:
            connection.answer(tickets[0], response_of(kind, effect.answer))

    # --- the core --------------------------------------------------------------------------------
    def step(self, event: ApplicationEvent) -> None:
        """Have the core take an event, and carry out what it leads to; on the loop's thread."""
        effects = self.application.step(event)
        if any(isinstance(effect, Append | Sync | Halt | Stop) for effect in effects):
            self.journal.queue.put(effects)
        else:
            self.release(effects)

    def release(self, effects: Sequence[Any]) -> None:
        """Do what may be done now."""
        responses: list[Reply | Refuse | Answer] = []
        for effect in effects:
            if isinstance(effect, Answered):
                self.answer(effect)
            elif isinstance(effect, Reply | Refuse | Answer):
                responses.append(effect)
            elif isinstance(effect, Admit):
                self.admitting.put(effect)
            elif isinstance(effect, Advise | Execute):
                self.executing.put(effect)
            elif isinstance(effect, Submit):
                self.submitting.put(effect.items)
            elif isinstance(effect, Snapshot):
                self.snapshotting.begin(effect.height, self.snapshot_made)
            elif isinstance(effect, Logged):
                effect.done()
            elif isinstance(effect, Refused):
                self.fail(HomeRefused(effect.sentence))
        if responses:
            self.server.respond(responses)

    def released(self, effects: list[Any]) -> None:
        """Take what a sync has let go; on the log thread."""
        self.loop.call_soon_threadsafe(self.release, effects)

    # --- other places of work --------------------------------------------------------------------
    def admitted(self, answers: list[Admitted]) -> None:
        """Take what admission found; on its thread."""
        for answer in answers:
            self.loop.call_soon_threadsafe(self.step, answer)

    def executed(self, found: Any) -> None:
        """Take what came of a task; on the execution thread."""
        self.loop.call_soon_threadsafe(self.executed_here, found)

    def executed_here(self, found: Any) -> None:
        """Hand on what came of a task of the execution thread."""
        if isinstance(found, Answer):
            self.server.respond([found])
        elif isinstance(found, Provable):
            self.answering.prove(found)
        elif isinstance(found, Queried):
            connection, _, tickets, height = self.askers.pop(found.ticket)
            connection.answer(tickets[0], queried(found, height))
        elif isinstance(found, Halt):
            self.journal.queue.put([found])
        else:
            self.step(found)
            if isinstance(found, Executed):
                self.answering.executed(found)
            elif isinstance(found, Installed) and self.installing is not None:
                self.base = found.height
                done, self.installing = self.installing, None
                done()

    def submitted(self, refused: tuple[tuple[bytes, int], ...]) -> None:
        """Take what CometBFT's pool refused."""
        if refused:
            self.step(Submitted(refused))

    async def remind(self) -> None:
        """Have what waits for long handed over again, until cancelled."""
        while True:
            await asyncio.sleep(REMIND_S)
            self.step(Reminded())

    def snapshot_made(self, height: int, made: Made) -> None:
        """Act on what the snapshot process found."""
        if made.fault:
            self.executing.put(SnapshotMade(height, made.fault))
        elif made.snapshots:
            self.journal.queue.put(Prune(made.snapshots))
            self.statesync.look()

    # --- state sync ------------------------------------------------------------------------------
    def fresh(self) -> bool:
        """Say whether nothing was executed here, at most a snapshot taken."""
        application = self.application
        return application.height in (0, self.base) and application.pending is None

    def log(self, effects: list[Any], done: Callable[[], None]) -> None:
        """Have effects logged, and be called back when they are durable."""
        self.journal.queue.put([*effects, Logged(done)])

    def install(self, image: Any, done: Callable[[], None]) -> None:
        """Load a state, and be called back when it stands."""
        self.installing = done
        self.executing.put(Install(image))

    def cpu_ms(self) -> dict[str, int]:
        """Say how much processor time each place of work has taken; on the loop's thread."""
        return cpu_ms(self.journal.cpu_ns, self.executing.cpu_ns)

    # --- clients ---------------------------------------------------------------------------------
    def offered(self) -> None:
        """Take what clients have sent."""
        while self.intake.waiting:
            for request in self.intake.take():
                self.step(Requested(request))

    def asked(self, asked: Asked) -> None:
        """Take a client's question."""
        found = self.answering.at_once(asked)
        if found is not None:
            self.server.respond([found])
        else:
            self.executing.put(asked)


def remove_socket(endpoint: Endpoint) -> None:
    """Remove the socket that a killed node left. Raises CannotListen for anything else there."""
    try:
        mode = os.lstat(endpoint.path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotListen(f"Cannot listen at {endpoint}: {error.strerror}.") from error
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"Cannot listen at {endpoint}: a file is there that is no socket.")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(endpoint.path) == 0:
            raise CannotListen(f"Cannot listen at {endpoint}: another node does.")
    os.unlink(endpoint.path)


def run_comet_node(home: Home, begun: Begun, announce: Callable[[str], None]) -> None:
    """Serve until told to stop; `announce` is told where. Raises as `CometNode.serve`."""
    node = CometNode(home, begun)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(node.serve(announce))
