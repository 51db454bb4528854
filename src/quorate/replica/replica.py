"""A solo replica: admitted batches in, blocks, checkpoints and replies out. Sans-IO.

    Judged    -> the batch waits in the pool; as soon as fewer than `UNSYNCED_MAX` blocks wait for
                 the disk, all that fits becomes the next block
    a block   -> Append(BLOCK), execute, Append(CHECKPOINT), Sync, and only then a Reply to each
                 request: one sync covers as many requests as came while the last one was under way
    Synced    -> the next block
    Tick      -> an empty block when nothing has happened for `heartbeat_ms`, so that orders expire
    Asked     -> an answer from the state between blocks; it stands behind the Syncs of the blocks
                 that made the state, so nothing is shown that a crash could take back

A block's time is the clock's, but never before its parent's. When the audit fails the block is
kept, its checkpoint is not signed, and the replica halts.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quorate.commitment.proof import Checkpoint
from quorate.execution.machine import version_known
from quorate.replica import query
from quorate.replica.errors import AuditFailed
from quorate.replica.executor import Executor
from quorate.replica.messages import (
    Answer,
    Append,
    Asked,
    Batch,
    Effect,
    Event,
    Halt,
    Judged,
    Level,
    Refuse,
    Reply,
    Snapshot,
    SnapshotMade,
    Span,
    Stop,
    Stopping,
    Sync,
    Synced,
    Tick,
)
from quorate.replica.pool import Pool
from quorate.replica.records import (
    block_bytes,
    block_payload,
    checkpoint_payload,
    checkpoint_signed,
)
from quorate.replica.trades import Trades
from quorate.storage.log import Identity, Kind
from quorate.types.blocks import Executed
from quorate.types.limits import COMMAND_BYTES
from quorate.types.records import ADMITTED

# One block is on its way to the disk while the next one executes.
UNSYNCED_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """key: of the chain's one validator. heartbeat_ms, snapshot_every: 0 for never."""

    identity: Identity
    key: bytes
    signer: bytes
    heartbeat_ms: int = 0
    snapshot_every: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A block that is being executed, and the effects of this step up to its record."""

    height: int
    digest: bytes
    effects: tuple[Effect, ...]


class Replica:
    """One chain of one validator. `checkpoint`: of the last block, None before the first.

    attempt: the block under execution. When `step` ends by an error of ours, whoever drives the
    replica logs it from here, so that the block at which we failed is there to be executed again.
    """

    def __init__(
        self,
        executor: Executor,
        settings: Settings,
        checkpoint: Checkpoint | None = None,
        trades: Trades | None = None,
    ) -> None:
        self.executor = executor
        self.settings = settings
        self.checkpoint = checkpoint
        self.trades = trades or Trades()
        self.pool = Pool()
        self.synced = executor.height
        self.stopped = False
        self.attempt: Attempt | None = None
        self.handlers: dict[type[Any], Callable[[int, Any], list[Effect]]] = {
            Tick: self.tick,
            Judged: self.judged,
            Synced: self.disk_synced,
            Asked: self.asked,
            SnapshotMade: self.snapshot_made,
            Stopping: self.stopping,
        }

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
        answer = query.answer(self, event.question)
        return [Answer(event.client, event.number, answer)]

    def snapshot_made(self, now_ms: int, event: SnapshotMade) -> list[Effect]:
        """Halt when restoring and replaying did not give our own root."""
        if event.fault:
            return self.halt(event.height, self.executor.digest, event.fault)
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
        """Make, log, execute and sign the next block. before: what this step has to do already."""
        executor, settings = self.executor, self.settings
        height, time_ms = executor.height + 1, max(now_ms, executor.time_ms)
        version = executor.version_at(height)
        if not version_known(version):
            return self.stop(
                f"block {height} needs version {version} of the rules, which this program lacks; "
                "install one that has it and start again"
            )
        rows, commands = joined(batches)
        items = b"".join([batch.items for batch in batches])
        block = block_bytes(height, time_ms, version, len(rows), items)
        digest = hashlib.sha256(block).digest()
        effects: list[Effect] = [Append(Kind.BLOCK, height, block_payload(block, rows))]
        self.attempt = Attempt(height, digest, (*before, *effects))
        try:
            executed = executor.execute(height, time_ms, version, digest, rows, commands)
        except AuditFailed as failed:
            # The block stands: whoever executes it anew, here or elsewhere, can check what failed.
            return [*effects, Sync(height), *self.halt(height, digest, str(failed))]
        self.checkpoint = checkpoint_signed(
            settings.key, settings.signer, settings.identity, height, digest, executed.state_root
        )
        self.trades.fold(height, time_ms, executor.events)
        self.attempt = None
        effects.append(Append(Kind.CHECKPOINT, height, checkpoint_payload(self.checkpoint)))
        effects.append(Sync(height))
        effects += self.replies(batches, executed, time_ms)
        if settings.snapshot_every and height % settings.snapshot_every == 0:
            effects.append(Snapshot(height))
        return effects

    def replies(
        self, batches: Sequence[Batch], executed: Executed, time_ms: int
    ) -> list[Effect]:
        """Answer each request with the events of its bundles."""
        events = self.executor.events
        bundles = events["bundle"].astype(np.int64)
        places = np.arange(len(events), dtype=np.int64)
        if len(bundles) and (bundles[1:] < bundles[:-1]).any():
            # Makers came first, or the sweep's events, whose bundle is the greatest number.
            places = np.argsort(bundles, kind="stable")
            events, bundles = events[places], bundles[places]
        count = sum(len(batch.rows) for batch in batches)
        bounds = np.searchsorted(bundles, np.arange(count + 1)).tolist()
        effects: list[Effect] = []
        base = 0
        for batch in batches:
            for span in batch.spans:
                if not span.count:
                    continue
                first = base + span.first
                low, high = bounds[first], bounds[first + span.count]
                effects.append(
                    Reply(
                        span.client,
                        span.number,
                        Level.EXECUTED,
                        executed.height,
                        time_ms,
                        span.codes,
                        first,
                        span.count,
                        events[low:high].tobytes(),
                        places[low:high],
                    )
                )
            base += len(batch.rows)
        return effects

    # --- ends ------------------------------------------------------------------------------------
    def halt(self, height: int, digest: bytes, reason: str) -> list[Effect]:
        """Stop for good: our own bug."""
        self.stopped = True
        return [Halt(height, digest, reason)]

    def stop(self, reason: str) -> list[Effect]:
        """Stop without a fault."""
        self.stopped = True
        return [Stop(reason)]


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
