"""Logged records -> the state that they led to. Used by recovery, snapshots, proofs, inspection.

Recovery trusts its own checksummed log: signers are read, not recovered. A root is computed where
`roots_every` asks for one, and always for the last block that has a checkpoint; there it must be
the logged one. Blocks between need neither their events' root nor the state's: no later block
reads them.
"""

from collections.abc import Iterable
from typing import Final

from quorate.commitment.proof import Checkpoint
from quorate.replica.errors import ReplayRefused, VersionMissing
from quorate.replica.executor import Executor
from quorate.replica.records import (
    LoggedBlock,
    RecordRefused,
    block_items,
    block_read,
    block_under,
    checkpoint_read,
)
from quorate.replica.trades import Trades
from quorate.replica.versions import RELEASE, Release
from quorate.storage.log import Identity, Kind, Record

ROOTS_EVERY: Final = 1024


class Replay:
    """An executor that takes records in order.

    checkpoint: the last one logged. unsigned: whether the last block has none yet. settle_from:
    height from which each block's parent is compared first; the last block of a log may have no
    checkpoint of its own, and the last logged root is then its parent's.
    """

    def __init__(
        self,
        executor: Executor,
        identity: Identity,
        roots_every: int = ROOTS_EVERY,
        release: Release = RELEASE,
    ) -> None:
        self.executor = executor
        self.identity = identity
        self.roots_every = roots_every
        self.release = release
        self.checkpoint: Checkpoint | None = None
        self.trades = Trades()
        self.pending = False
        self.settle_from = 0
        self.bundles = self.commands = 0

    @property
    def unsigned(self) -> bool:
        """Say whether the last block has no checkpoint."""
        signed = self.checkpoint.height if self.checkpoint else 0
        return self.executor.height > signed

    def feed(self, records: Iterable[Record], height_last: int | None = None) -> None:
        """Take records up to the checkpoint of height_last; those of known heights are passed.

        Raises ReplayRefused, VersionMissing, or AuditFailed.
        """
        for record in records:
            if record.kind not in (Kind.BLOCK, Kind.CHECKPOINT, Kind.BASE):
                continue  # labelled by its view, not by a height
            if height_last is not None and record.height > height_last:
                return
            try:
                if record.kind == Kind.BLOCK:
                    self.block(record.payload)
                elif record.kind == Kind.CHECKPOINT:
                    self.logged(checkpoint_read(record.payload, self.identity))
                elif record.height > self.executor.height:
                    raise RecordRefused(
                        f"the log goes on from a snapshot of height {record.height}, and the "
                        f"state is that of {self.executor.height}"
                    )
            except RecordRefused as refused:
                raise ReplayRefused(
                    f"Segment {record.segment} of the log, offset {record.offset}: {refused}; "
                    "restore this node from a peer or a backup, do not delete the log."
                ) from refused

    def block(self, payload: bytes | memoryview) -> None:
        """Execute a logged block."""
        found = block_read(payload)
        executor = self.executor
        if found.height <= executor.height:
            return
        if found.height != executor.height + 1:
            raise RecordRefused(f"block {found.height} follows block {executor.height}")
        if found.time_ms < executor.time_ms:
            raise RecordRefused(f"the time of block {found.height} is before its parent's")
        found, payload = self.under_version(found, payload)
        if self.pending and 0 < self.settle_from <= found.height:
            self.settle()
        version = found.protocol_version
        rows = self.release.rows_of(
            found.rows, lambda: block_items(payload), version, self.identity
        )
        events = executor.apply(*found._replace(rows=rows))
        self.pending = True
        self.bundles += len(found.rows)
        self.commands += len(found.commands)
        self.trades.fold(found.height, found.time_ms, events)

    def under_version(
        self, found: LoggedBlock, payload: bytes | memoryview
    ) -> tuple[LoggedBlock, bytes | memoryview]:
        """Give a block as the version of its height reads it. Raises VersionMissing, RecordRefused.

        A block at which a node halted was logged under the version that failed. Where a release
        has forced another for its height, it is read under that one; had we signed it under the
        first, its checkpoint would not fit and the log would be refused.
        """
        executor, height = self.executor, found.height
        version = executor.version_at(height)
        forced = self.release.forced(self.identity, height, version)
        if forced:
            # The parent's root is of a state in which nothing was announced.
            self.settle()
            executor.announce(forced, height)
            version = forced
        if not self.release.knows(version):
            raise VersionMissing(
                f"Block {height} needs version {version} of the rules, which this program lacks; "
                "install one that has it."
            )
        if found.protocol_version == version:
            return found, payload
        if not forced:
            raise RecordRefused(
                f"block {height} is of version {found.protocol_version} of the rules"
            )
        payload = block_under(payload, version)
        return block_read(payload), payload

    def logged(self, checkpoint: Checkpoint) -> None:
        """Compare with a logged checkpoint."""
        executor = self.executor
        if checkpoint.height < executor.height:
            return
        if checkpoint.height > executor.height:
            raise RecordRefused(f"a checkpoint of {checkpoint.height} after {executor.height}")
        if self.pending and checkpoint.exec_block_digest != executor.digest:
            raise RecordRefused(f"the checkpoint of {checkpoint.height} is of another block")
        self.checkpoint = checkpoint
        if checkpoint.height % self.roots_every == 0 or not self.pending:
            self.settle()

    def settle(self) -> None:
        """Compute the root of the last block, and compare it if its checkpoint is logged."""
        if self.pending:
            self.executor.commit()
            self.pending = False
        signed = self.checkpoint
        if signed and signed.height == self.executor.height:
            if signed.state_root != self.executor.root:
                raise ReplayRefused(
                    f"Height {signed.height} was signed with root {signed.state_root.hex()[:16]}, "
                    f"but executing the log again gives {self.executor.root.hex()[:16]}: this "
                    "program, this memory or this disk is at fault; do not sign with this key."
                )
