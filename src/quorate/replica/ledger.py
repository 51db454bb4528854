"""What happens to a block once its order is decided: logged, executed, signed, answered. Sans-IO.

    a block   -> Append(BLOCK), execute, Append(CHECKPOINT), Sync, and only then a Reply to each
                 request: one sync covers as many requests as came while the last one was under way
    Asked     -> an answer from the state between blocks; it stands behind the Syncs of the blocks
                 that made the state, so nothing is shown that a crash could take back

The same under every engine: `Replica` orders blocks by itself, `Validator` agrees on them. When the
audit fails the block is kept, its checkpoint is not signed, and the node halts.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import sign_compact
from quorate.replica import query
from quorate.replica.errors import AuditFailed
from quorate.replica.executor import Executor
from quorate.replica.messages import (
    Answer,
    Append,
    Asked,
    Effect,
    Halt,
    Level,
    Reply,
    Settled,
    Snapshot,
    Span,
    Stop,
    Sync,
)
from quorate.replica.records import (
    DELIVERED,
    EPOCH,
    block_bytes,
    block_payload,
    checkpoint_payload,
    delivered_payload,
)
from quorate.replica.trades import Trades
from quorate.replica.versions import RELEASE, Release
from quorate.storage.log import Identity, Kind
from quorate.types.blocks import Executed

Sign = Callable[[Checkpoint], bytes | None]


@dataclass(frozen=True, slots=True)
class Settings:
    """key: of the chain's one validator. heartbeat_ms, snapshot_every: 0 for never."""

    identity: Identity
    key: bytes
    signer: bytes
    heartbeat_ms: int = 0
    snapshot_every: int = 0


@dataclass(frozen=True, slots=True)
class Ordered:
    """A block whose place is decided.

    items: canonical bytes; rows: ADMITTED[n]; commands: uint8[m, 64]. spans: the requests of our
    own clients in it. view, block_digest: where agreement put it; 0 where one node decides alone.
    signs: False where its root may have been signed before the journal was lost.
    """

    height: int
    time_ms: int
    items: bytes
    rows: Any
    commands: Any
    spans: tuple[Span, ...] = ()
    view: int = 0
    block_digest: bytes = b""
    signs: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """A block that is being executed, and the effects of this step up to its record."""

    height: int
    digest: bytes
    effects: tuple[Effect, ...]


def key_signing(key: bytes) -> Sign:
    """Sign checkpoints with a key that this process holds."""

    def sign(checkpoint: Checkpoint) -> bytes:
        return sign_compact(key, checkpoint_digest(checkpoint))

    return sign


class Ledger:
    """The state, and what was signed of it. `checkpoint`: of the last block, None before the first.

    attempt: the block under execution. When an execution ends by an error of ours, whoever drives
    the ledger logs it from here, so that the block at which we failed is there to be executed
    again. waiting: how many requests wait for a block, for whoever asks.
    """

    def __init__(
        self,
        executor: Executor,
        settings: Settings,
        checkpoint: Checkpoint | None = None,
        trades: Trades | None = None,
        sign: Sign | None = None,
        release: Release = RELEASE,
    ) -> None:
        self.executor = executor
        self.settings = settings
        self.checkpoint = checkpoint
        self.trades = trades or Trades()
        self.sign = sign or key_signing(settings.key)
        self.release = release
        self.stopped = False
        self.waiting = 0
        self.attempt: Attempt | None = None

    def asked(self, event: Asked) -> list[Effect]:
        """Answer from the present state."""
        return [Answer(event.client, event.number, query.answer(self, event.question))]

    def execute(self, block: Ordered, before: Sequence[Effect] = ()) -> list[Effect]:
        """Log, execute and sign the next block. before: what this step has to do already."""
        executor, settings = self.executor, self.settings
        height, rows = block.height, block.rows
        version = self.version_at(height)
        if not self.release.knows(version):
            return self.stop(version_wanted(height, version))
        data = block_bytes(height, block.time_ms, version, len(rows), block.items)
        digest = hashlib.sha256(data).digest()
        effects: list[Effect] = []
        if block.view:
            place = delivered_payload(height, block.view, block.block_digest)
            effects.append(Append(DELIVERED, height, place))
        effects.append(Append(Kind.BLOCK, height, block_payload(data, rows)))
        self.attempt = Attempt(height, digest, (*before, *effects))
        try:
            laid = self.release.rows_of(rows, lambda: block.items, version, settings.identity)
            executed = executor.execute(
                height, block.time_ms, version, digest, laid, block.commands
            )
        except AuditFailed as failed:
            # The block stands: whoever executes it anew, here or elsewhere, can check what failed.
            return [*effects, Sync(height), *self.halt(height, digest, str(failed))]
        self.checkpoint = self.signed(height, digest, executed.state_root, block.signs)
        self.trades.fold(height, block.time_ms, executor.events)
        self.attempt = None
        effects.append(Append(Kind.CHECKPOINT, height, checkpoint_payload(self.checkpoint)))
        effects.append(Sync(height))
        if block.view:
            effects.append(Settled(self.checkpoint))
        effects += self.replies(block, executed)
        if settings.snapshot_every and height % settings.snapshot_every == 0:
            effects.append(Snapshot(height))
        return effects

    def version_at(self, height: int) -> int:
        """Give the version of the next block, which a release may have begun by force."""
        version = self.executor.version_at(height)
        forced = self.release.forced(self.settings.identity, height, version)
        if forced:
            self.executor.announce(forced, height)
        return forced or version

    def signed(
        self, height: int, digest: bytes, root: bytes, signs: bool = True
    ) -> Checkpoint:
        """Sign what a block led to; an observer's checkpoint has no signature."""
        chain_id, genesis = self.settings.identity
        bare = Checkpoint(chain_id, genesis, EPOCH, height, digest, root, {})
        signature = self.sign(bare) if signs else None
        if signature is None:
            return bare
        return replace(bare, signatures={self.settings.signer: signature})

    def replies(self, block: Ordered, executed: Executed) -> list[Effect]:
        """Answer each request with the events of its bundles."""
        events = self.executor.events
        bundles = events["bundle"].astype(np.int64)
        places = np.arange(len(events), dtype=np.int64)
        if len(bundles) and (bundles[1:] < bundles[:-1]).any():
            # Makers came first, or the sweep's events, whose bundle is the greatest number.
            places = np.argsort(bundles, kind="stable")
            events, bundles = events[places], bundles[places]
        bounds = np.searchsorted(bundles, np.arange(len(block.rows) + 1)).tolist()
        effects: list[Effect] = []
        for span in block.spans:
            if not span.count:
                continue
            low, high = bounds[span.first], bounds[span.first + span.count]
            effects.append(
                Reply(
                    span.client,
                    span.number,
                    Level.EXECUTED,
                    executed.height,
                    block.time_ms,
                    span.codes,
                    span.first,
                    span.count,
                    events[low:high].tobytes(),
                    places[low:high],
                )
            )
        return effects

    # --- ends ------------------------------------------------------------------------------------
    def halt(self, height: int, digest: bytes, reason: str) -> list[Effect]:
        """Stop for good: our own bug."""
        self.stopped = True
        return [Halt(height, digest, reason)]

    def stop(self, reason: str) -> list[Effect]:
        """Stop without a fault, for a newer program to go on."""
        self.stopped = True
        return [Stop(reason)]


def version_wanted(height: int, version: int) -> str:
    """Say that this program cannot execute a height."""
    return (
        f"block {height} needs version {version} of the rules, which this program lacks; "
        "install one that has it and start again"
    )
