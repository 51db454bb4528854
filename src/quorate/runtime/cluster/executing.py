"""The execution thread of a validator, which owns the tables: blocks in order, questions between.

Any exception here is our own bug: the block at which it came is logged, and the node halts before
it signs the checkpoint.
"""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quorate.commitment.proof import Proof
from quorate.replica.ledger import Ledger, Ordered
from quorate.replica.messages import Answer, Asked, Effect, Halt, SnapshotMade, Sync
from quorate.replica.query import QuestionRefused, proof_of


@dataclass(frozen=True, slots=True)
class Last:
    """Nothing follows in the queue."""


@dataclass(frozen=True, slots=True)
class Provable:
    """A proof that waits for a quorum's certificate of its height."""

    client: int
    number: int
    proof: Proof


class Executing:
    """The ledger's thread. out: takes lists of effects, for the log thread."""

    def __init__(self, ledger: Ledger, out: Callable[[list[Any]], None]) -> None:
        self.ledger = ledger
        self.out = out
        self.cpu_ns = 0
        self.queue: queue.SimpleQueue[Ordered | Asked | SnapshotMade | Last] = queue.SimpleQueue()

    def run(self) -> None:
        """Execute until Last, or until the ledger stops."""
        ended = False
        try:
            while not ended:
                task = self.queue.get()
                if isinstance(task, Last):
                    ended = True
                elif isinstance(task, Ordered):
                    self.out(self.ledger.execute(task))
                    ended = self.ledger.stopped
                elif isinstance(task, SnapshotMade):
                    digest = self.ledger.executor.digest
                    self.out(list(self.ledger.halt(task.height, digest, task.fault)))
                    ended = True
                else:
                    self.out([self.answer(task)])
                self.cpu_ns = time.thread_time_ns()
        finally:
            if not ended:
                self.out(self.failed())

    def answer(self, asked: Asked) -> Any:
        """Answer a question from the present state; a proof waits for its certificate."""
        if asked.question.get("ask") != "proof":
            (effect,) = self.ledger.asked(asked)
            return effect
        try:
            proof = proof_of(self.ledger, asked.question)
        except QuestionRefused as refused:
            return Answer(asked.client, asked.number, {"error": str(refused)})
        return Provable(asked.client, asked.number, proof)

    def failed(self) -> list[Effect]:
        """What to do after an error of ours: log the block at which it came, and halt there."""
        reason = "the execution thread ended with an error, which is in the output"
        attempt, executor = self.ledger.attempt, self.ledger.executor
        if attempt is None:
            return [Halt(executor.height, executor.digest, reason)]
        sync, halt = Sync(attempt.height), Halt(attempt.height, attempt.digest, reason)
        return [*attempt.effects, sync, halt]
