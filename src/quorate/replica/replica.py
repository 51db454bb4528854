"""A solo replica: admitted batches in, blocks, checkpoints and replies out. Sans-IO.

    Judged    -> the batch waits in the pool; as soon as fewer than `UNSYNCED_MAX` blocks wait for
                 the disk, all that fits becomes the next block, for the ledger to execute
    Synced    -> the next block
    Tick      -> an empty block when nothing has happened for `heartbeat_ms`, so that orders expire
    Asked     -> an answer from the state between blocks

A block's time is the clock's, but never before its parent's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from quorate.commitment.proof import Checkpoint
from quorate.replica.executor import Executor
from quorate.replica.ledger import Attempt, Ledger, Ordered, Settings
from quorate.replica.messages import (
    Asked,
    Batch,
    Effect,
    Event,
    Judged,
    Level,
    Refuse,
    Reply,
    SnapshotMade,
    Span,
    Stopping,
    Synced,
    Tick,
)
from quorate.replica.pool import Pool
from quorate.replica.trades import Trades
from quorate.types.limits import COMMAND_BYTES
from quorate.types.records import ADMITTED

# One block is on its way to the disk while the next one executes.
UNSYNCED_MAX: Final = 2


class Replica:
    """One chain of one validator: a pool in front of a ledger."""

    def __init__(
        self,
        executor: Executor,
        settings: Settings,
        checkpoint: Checkpoint | None = None,
        trades: Trades | None = None,
    ) -> None:
        self.ledger = Ledger(executor, settings, checkpoint, trades)
        self.executor = executor
        self.settings = settings
        self.pool = Pool()
        self.synced = executor.height
        self.handlers: dict[type[Any], Callable[[int, Any], list[Effect]]] = {
            Tick: self.tick,
            Judged: self.judged,
            Synced: self.disk_synced,
            Asked: self.asked,
            SnapshotMade: self.snapshot_made,
            Stopping: self.stopping,
        }

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Of the last block; None before the first."""
        return self.ledger.checkpoint

    @property
    def trades(self) -> Trades:
        """The latest trades."""
        return self.ledger.trades

    @property
    def attempt(self) -> Attempt | None:
        """The block under execution."""
        return self.ledger.attempt

    @property
    def stopped(self) -> bool:
        """Say whether nothing more will be executed."""
        return self.ledger.stopped

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        """Take one event; return what to do, in the order of durability."""
        return self.handlers[type(event)](now_ms, event)

    # --- handlers --------------------------------------------------------------------------------
    def tick(self, now_ms: int, event: Tick) -> list[Effect]:
        """Make a block when the chain has been silent for long enough."""
        silent = now_ms - self.executor.time_ms >= self.settings.heartbeat_ms > 0
        if silent and not self.pool and self.synced == self.executor.height:
            return self.block(now_ms, [])
        return []

    def judged(self, now_ms: int, event: Judged) -> list[Effect]:
        """Put a batch into the pool, and answer what will not be in a block."""
        batch = self.pool.without_known(event.batch)
        effects: list[Effect] = []
        for span in batch.spans:
            if span.refusal:
                effects.append(Refuse(span.client, span.number, span.refusal))
            elif not span.count:
                effects.append(refused(span))
        if len(batch.rows):
            self.pool.add(batch)
        return effects + self.blocks(now_ms)

    def disk_synced(self, now_ms: int, event: Synced) -> list[Effect]:
        """Go on now that the disk has caught up."""
        self.synced = max(self.synced, event.height)
        return self.blocks(now_ms)

    def asked(self, now_ms: int, event: Asked) -> list[Effect]:
        """Answer from the present state."""
        self.ledger.waiting = len(self.pool)
        return self.ledger.asked(event)

    def snapshot_made(self, now_ms: int, event: SnapshotMade) -> list[Effect]:
        """Halt when restoring and replaying did not give our own root."""
        if event.fault:
            return self.ledger.halt(event.height, self.executor.digest, event.fault)
        return []

    def stopping(self, now_ms: int, event: Stopping) -> list[Effect]:
        """Put all that waits into blocks, disk or no disk: their replies wait for it anyway."""
        effects: list[Effect] = []
        while self.pool and not self.stopped:
            effects += self.block(now_ms, self.pool.take(), effects)
        return effects

    # --- blocks ----------------------------------------------------------------------------------
    def blocks(self, now_ms: int) -> list[Effect]:
        """Make blocks of what waits, as long as the disk keeps up."""
        effects: list[Effect] = []
        while self.pool and self.executor.height - self.synced < UNSYNCED_MAX and not self.stopped:
            effects += self.block(now_ms, self.pool.take(), effects)
        return effects

    def block(
        self, now_ms: int, batches: Sequence[Batch], before: Sequence[Effect] = ()
    ) -> list[Effect]:
        """Make and execute the next block. before: what this step has to do already."""
        executor = self.executor
        rows, commands = joined(batches)
        items = b"".join([batch.items for batch in batches])
        spans: list[Span] = []
        base = 0
        for batch in batches:
            spans += [replace(span, first=base + span.first) for span in batch.spans]
            base += len(batch.rows)
        height, time_ms = executor.height + 1, max(now_ms, executor.time_ms)
        ordered = Ordered(height, time_ms, items, rows, commands, tuple(spans))
        return self.ledger.execute(ordered, before)


def refused(span: Span) -> Reply:
    """Answer a request of which no item goes into a block."""
    nothing = np.zeros(0, np.int64)
    return Reply(
        span.client, span.number, Level.REFUSED, 0, 0, span.codes, 0, 0, b"", nothing
    )


def joined(batches: Sequence[Batch]) -> tuple[Any, Any]:
    """Lay the batches of one block behind one another."""
    if len(batches) == 1:
        return batches[0].rows, batches[0].commands
    if not batches:
        return np.zeros(0, ADMITTED), np.zeros((0, COMMAND_BYTES), np.uint8)
    rows = np.concatenate([batch.rows for batch in batches])
    commands = np.concatenate([batch.commands for batch in batches])
    at = first = 0
    for batch in batches:
        rows["first"][at : at + len(batch.rows)] += first
        at += len(batch.rows)
        first += len(batch.commands)
    return rows, commands
