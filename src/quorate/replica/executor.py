"""One block after another: the transition, the audit, and the root that commits to both.

`Executor` puts a machine, the state tree and the event tree together. What it is given has been
admitted; what it returns may be signed. It serves replicas, recovery, the snapshot process, the
demo, the replayer and benchmarks alike:

    executor = Executor(kernel_machine(genesis_image(genesis), secrets))
    admitted = admit_block(items, chain)                    # all sound
    executed = executor.execute(height, time_ms, version, digest, admitted.rows, admitted.commands)

Whoever recovers many blocks calls `apply` for each and `commit` where a root is wanted: what
`apply` leaves out, no later block reads.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from quorate.commitment.events import EVENT_BYTES, EventTree
from quorate.commitment.sha256 import I64
from quorate.commitment.state_root import SCRUB_PERIOD, StateTree
from quorate.execution.image import Image
from quorate.execution.machine import (
    KernelMachine,
    Machine,
    SpecMachine,
    version_after,
    version_known,
)
from quorate.replica.audit import CashAudit, whole_check
from quorate.replica.errors import AuditFailed
from quorate.replica.views import SHAPES, KernelTables, Tables, tables_of_machine
from quorate.types.blocks import Executed
from quorate.types.records import EVENT, Table

NO_SLOTS = np.zeros(0, np.int64)
NO_EVENTS = np.zeros(0, EVENT)


class Executor:
    """A state and its root. Between blocks `tables` shows the state that `root` commits to.

    events: EVENT[k] of the last block. time_ms, height: of the last block applied.
    """

    def __init__(self, machine: Machine) -> None:
        """Hash the machine's whole state."""
        self.machine = machine
        self.event_tree = EventTree()
        self.events: Any = NO_EVENTS
        self.digest = b""
        self.tables: Tables = tables_of_machine(machine)
        self.tables.dirty()
        self.tree = StateTree(SHAPES)
        self.root = self.tree.update(self.tables.views(), [NO_SLOTS] * len(SHAPES))
        self.cash = CashAudit(self.tables)
        chain = self.chain()
        self.height, self.time_ms = int(chain["height"]), int(chain["time_ms"])

    def chain(self) -> Any:
        """Give the chain row."""
        return self.tables.rows(Table.CHAIN)[0]

    def image(self) -> Image:
        """Copy the whole state, for a snapshot."""
        return self.machine.image()

    def execute(
        self,
        height: int,
        time_ms: int,
        protocol_version: int,
        exec_block_digest: bytes,
        rows: Any,
        commands: Any,
    ) -> Executed:
        """Execute a block of admitted bundles: ADMITTED[n], uint8[m, 64]. Raises AuditFailed."""
        self.apply(height, time_ms, protocol_version, exec_block_digest, rows, commands)
        return self.commit()

    def apply(
        self,
        height: int,
        time_ms: int,
        protocol_version: int,
        exec_block_digest: bytes,
        rows: Any,
        commands: Any,
    ) -> Any:
        """Run a block without hashing; return its events, EVENT[k]. `commit` must follow once."""
        assert height == self.height + 1, f"block {height} after {self.height}"
        assert time_ms >= self.time_ms, f"block time went back from {self.time_ms} to {time_ms}"
        # The version that stands in the chain row may be older: the change is part of the block.
        assert version_known(protocol_version)
        assert protocol_version == self.version_at(height)
        events = self.machine.run(height, time_ms, rows, commands)
        # The hash kernel takes only arrays that could be written.
        self.events = events if events.flags.writeable else events.copy()
        self.height, self.time_ms, self.digest = height, time_ms, exec_block_digest
        return self.events

    def version_at(self, height: int) -> int:
        """Give the version under which `height` executes, also between `apply` and `commit`."""
        if isinstance(self.machine, SpecMachine):
            return version_after(asdict(self.machine.tables.row(Table.CHAIN, 0)), height)
        return version_after(self.chain(), height)

    def hopeless(self, rows: Any) -> Any:
        """Say which of ADMITTED[n] no later block can execute: codes, 0 for the rest, int64[n]."""
        return self.machine.hopeless(rows, self.time_ms)

    def announce(self, version: int, height: int) -> None:
        """Have a version begin at the next height, before that block is executed."""
        assert height == self.height + 1
        self.machine.announce(version, height)

    def commit(self) -> Executed:
        """Hash events and state after the last block, and audit. Raises AuditFailed."""
        octets = self.events.view(np.uint8).reshape(-1, EVENT_BYTES)
        events_root = self.event_tree.rebuild(octets)
        self.machine.seal(self.digest, events_root)
        if isinstance(self.tables, KernelTables):
            self.commit_touched(self.tables)
        else:
            self.commit_whole()
        return Executed(self.height, self.digest, events_root, self.root, self.events.tobytes())

    def commit_touched(self, tables: KernelTables) -> None:
        """Hash and audit the rows that were touched."""
        views, dirty = tables.views(), tables.dirty()
        assert dirty is not None
        self.root = self.tree.update(views, dirty)
        self.cash.check(tables, dirty[Table.ACCOUNTS])
        self.scrub(views)
        if self.height % SCRUB_PERIOD == 0:
            whole_check(tables)

    def commit_whole(self) -> None:
        """Hash and audit everything."""
        self.tables = tables_of_machine(self.machine)
        self.tree = StateTree(SHAPES)
        self.root = self.tree.update(self.tables.views(), [NO_SLOTS] * len(SHAPES))
        whole_check(self.tables)

    def scrub(self, views: list[Any]) -> None:
        """Look for memory that changed without a command, 1/1024 of it a block.

        `StateTree.scrub`, less the tables that have no slot to look at: at most heights, most.
        """
        first = self.height % SCRUB_PERIOD
        for table, tree, view in zip(Table, self.tree.trees, views, strict=True):
            if first < tree.high_water:
                slots: I64 = np.arange(first, tree.high_water, SCRUB_PERIOD, dtype=np.int64)
                found = tree.mismatches(view, slots)
                if found:
                    raise AuditFailed(
                        f"row {found[0]} of table {table.name} changed without a command"
                    )


def kernel_machine(image: Image, secrets: Any) -> KernelMachine:
    """Load an image into the kernels. `secrets`: int64[8] in [1, 2**31 - 1), of this process."""
    return KernelMachine(image, secrets)


def spec_machine(image: Image) -> SpecMachine:
    """Load an image into the readable definition."""
    return SpecMachine(image)
