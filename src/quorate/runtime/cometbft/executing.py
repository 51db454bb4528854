"""The execution thread of a node under CometBFT, which owns the tables.

Blocks come one at a time, each when CometBFT has decided it, and go before all that waits here.
Between them bundles that want to wait are looked at, and questions answered. A question may see a
block that is executed and not committed yet: nothing can take it back, for CometBFT stored the
block before it asked for it.

Any exception here is our own bug: the node halts, and CometBFT hears no root of that block.
"""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quorate.commitment.proof import Checkpoint, Proof
from quorate.execution.image import Image
from quorate.replica.application_messages import (
    Advise,
    Advised,
    Execute,
    Executed,
    Installed,
    Outcome,
)
from quorate.replica.executor import Executor
from quorate.replica.ledger import Ledger
from quorate.replica.messages import Answer, Asked, Halt, SnapshotMade
from quorate.replica.query import QuestionRefused, answer, proof_of
from quorate.replica.results import results_of
from quorate.replica.validators import accepted, changed_at, next_members


@dataclass(frozen=True, slots=True)
class Last:
    """Nothing follows in the queue."""


@dataclass(frozen=True, slots=True)
class Stirred:
    """A block waits."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question that came by ABCI. ticket: the driver's."""

    ticket: int
    question: dict[str, Any]
    prove: bool


@dataclass(frozen=True, slots=True)
class Queried:
    """The answer to a Query; of the state of that height. proof: None if none was wanted."""

    ticket: int
    height: int
    answer: dict[str, Any]
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Provable:
    """A proof that a client wants, for the commit that certifies its height to be added."""

    client: int
    number: int
    proof: Proof


@dataclass(frozen=True, slots=True)
class Install:
    """Go on from a snapshot's state."""

    image: Image


Task = Advise | Asked | Query | SnapshotMade | Install | Stirred | Last


class Executing:
    """The ledger's thread. out: takes what comes of a task, on this thread.

    machine_of: loads a state into the machine that the home is configured for.
    """

    def __init__(
        self,
        ledger: Ledger,
        machine_of: Callable[[Image], Executor],
        out: Callable[[Any], None],
    ) -> None:
        self.ledger = ledger
        self.machine_of = machine_of
        self.out = out
        self.cpu_ns = 0
        self.queue: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self.blocks: queue.SimpleQueue[Execute] = queue.SimpleQueue()
        self.actions: dict[type[Any], Callable[[Any], Any]] = {
            Advise: self.advise,
            Asked: self.asked,
            Query: self.queried,
            SnapshotMade: self.snapshot_made,
            Install: self.install,
        }

    def put(self, task: Task | Execute) -> None:
        """Take a task; on any thread."""
        if isinstance(task, Execute):
            self.blocks.put(task)
            self.queue.put(Stirred())
        else:
            self.queue.put(task)

    def run(self) -> None:
        """Work until Last, or until the ledger stops."""
        ended = False
        try:
            while not ended:
                task = self.queue.get()
                while not ended and not self.blocks.empty():
                    self.out(self.execute(self.blocks.get()))
                    ended = self.ledger.stopped
                if ended or isinstance(task, Last):
                    ended = True
                elif not isinstance(task, Stirred):
                    self.out(self.actions[type(task)](task))
                    ended = self.ledger.stopped
                self.cpu_ns = time.thread_time_ns()
        finally:
            if not ended:
                self.out(self.failed())

    def execute(self, task: Execute) -> Executed:
        """Execute a decided block; say what it did for CometBFT."""
        height, executor = task.block.height, self.ledger.executor
        members = next_members(task.members, executor.tables, height)
        effects = tuple(self.ledger.execute(task.block))
        if self.ledger.stopped:
            return Executed(height, effects, None)
        changes = accepted(members, changed_at(executor.tables, height))
        results = results_of(executor.events, len(task.block.rows))
        version = executor.version_at(height + 1)
        renewed = version != int(executor.chain()["protocol_version"])
        outcome = Outcome(executor.root, results, tuple(changes), version, renewed)
        return Executed(height, effects, outcome, executor.digest)

    def advise(self, task: Advise) -> Advised:
        """Say which bundles no later block can execute."""
        return Advised(task.ticket, tuple(self.ledger.executor.hopeless(task.rows).tolist()))

    def asked(self, task: Asked) -> Any:
        """Answer a client; what proves a row waits for its commit."""
        if task.question.get("ask") != "proof":
            (effect,) = self.ledger.asked(task)
            return effect
        try:
            return Provable(task.client, task.number, proof_of(self.ledger, task.question))
        except QuestionRefused as refused:
            return Answer(task.client, task.number, {"error": str(refused)})

    def queried(self, task: Query) -> Queried:
        """Answer a question that came by ABCI."""
        found = answer(self.ledger, task.question)
        proof = None
        if task.prove and "error" not in found:
            try:
                proof = proof_of(self.ledger, task.question)
            except QuestionRefused as refused:
                found = {"error": f"What is asked has no proof: {refused}"}
        return Queried(task.ticket, self.ledger.executor.height, found, proof)

    def snapshot_made(self, task: SnapshotMade) -> Any:
        """Halt where restoring and replaying did not give our own root."""
        digest = self.ledger.executor.digest
        (effect,) = self.ledger.halt(task.height, digest, task.fault)
        return effect

    def install(self, task: Install) -> Installed:
        """Put a snapshot's state in the place of ours."""
        self.ledger.executor = self.machine_of(task.image)
        self.ledger.checkpoint = present(self.ledger)
        return standing(self.ledger.executor)

    def failed(self) -> Halt:
        """Say where an error of ours came. The block at which it did is in CometBFT's store."""
        reason = "the execution thread ended with an error, which is in the output"
        attempt, executor = self.ledger.attempt, self.ledger.executor
        if attempt is None:
            return Halt(executor.height, executor.digest, reason)
        return Halt(attempt.height, attempt.digest, reason)


def present(ledger: Ledger) -> Checkpoint | None:
    """Give the unsigned checkpoint of the state as it stands; none before the first block."""
    executor = ledger.executor
    digest = executor.chain()["exec_block_digest"].tobytes()
    return ledger.signed(executor.height, digest, executor.root) if executor.height else None


def standing(executor: Executor) -> Installed:
    """Say where a state stands."""
    height = executor.height
    return Installed(height, executor.time_ms, executor.root, executor.version_at(height + 1))
