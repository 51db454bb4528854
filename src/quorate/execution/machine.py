"""Two machines with one face: the spec, to compare with, and the kernels, to run.

A machine executes one block at a time: `run` applies the phases and returns the events, then `seal`
writes the chain row, whose events root the caller computes (hashing is another room's). Between
blocks `image` shows the whole state. The kernel machine also lends its tables as they lie, and says
which rows a block touched, so that the root is updated only where leaves changed.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from quorate.execution.image import Image, TableImage, checked, high_water, image_of, tables_of
from quorate.execution.kernels.state import (
    COMPACT_NONCES,
    COMPACT_POSITIONS,
    DONE,
    DRAIN_EVENTS,
    GROW_MAPS,
    NONCES_PER_CELL,
    SMALL_TABLES,
    STATE,
    State,
    allocate,
)
from quorate.execution.spec import block as spec_block
from quorate.execution.spec.genesis import genesis_state
from quorate.execution.spec.signers import bundle_hopeless
from quorate.types.blocks import Admitted, Genesis
from quorate.types.codes import MarketStatus, OrderRule
from quorate.types.limits import COMMAND_BYTES, PROTOCOL_VERSIONS
from quorate.types.records import (
    ADMITTED,
    COMMAND,
    EVENT,
    LEDGER_COMMAND,
    LISTING_CONTINUATION,
    POSITION,
    PRODUCT_WORDS_PART,
    VALIDATOR_COMMAND,
    Table,
)

# One command's 64 bytes, as the kernels read them.
READINGS = (
    COMMAND, LEDGER_COMMAND, LISTING_CONTINUATION, VALIDATOR_COMMAND, PRODUCT_WORDS_PART
)  # fmt: skip


# While the whole venue is switched to one of these, nobody is liquidated.
SWITCHES_THAT_WAIT = (MarketStatus.POST_ONLY, MarketStatus.HALTED)


class Machine(Protocol):
    """What a replica needs of an execution engine."""

    def run(self, height: int, time_ms: int, bundles: Any, commands: Any) -> Any:
        """Apply a block: ADMITTED[n], uint8[m, 64]; return EVENT[k], valid until the next call."""

    def seal(self, exec_block_digest: bytes, events_root: bytes) -> None:
        """Write the chain row of the block that was run."""

    def announce(self, version: int, height: int) -> None:
        """Have the next version of the rules begin at a height, as governance does by UPGRADE."""

    def hopeless(self, bundles: Any, time_ms: int) -> Any:
        """Codes of bundles, ADMITTED[n], that no block from time_ms on can execute: int64[n]."""

    def image(self) -> Image:
        """Copy of the whole committed state."""


def version_after(chain: Any, height: int) -> int:
    """Version of the rules under which `height` executes, by a chain row of a height before."""
    version = int(chain["protocol_version"])
    if chain["version_next"] and height >= chain["version_next_height"]:
        version = int(chain["version_next"])
    return version


def version_known(version: int) -> bool:
    """Whether this source can execute that version of the rules."""
    return version in PROTOCOL_VERSIONS


class SpecMachine:
    """The readable definition behind the same face; slow, for comparison."""

    def __init__(self, image: Image) -> None:
        self.tables = tables_of(image)
        self._next = (0, 0)

    def run(self, height: int, time_ms: int, bundles: Any, commands: Any) -> Any:
        """Apply a block; see `Machine.run`."""
        admitted = [
            Admitted(
                signer=row["signer"].tobytes(),
                account=int(row["account"]),
                nonce=int(row["nonce"]),
                expiry_ms=int(row["expiry_ms"]),
                commands=tuple(
                    commands[at].tobytes()
                    for at in range(int(row["first"]), int(row["first"] + row["count"]))
                ),
            )
            for row in bundles
        ]
        events = spec_block.execute(self.tables, height, time_ms, admitted)
        self._next = (height, time_ms)
        return np.frombuffer(b"".join(events), EVENT)

    def seal(self, exec_block_digest: bytes, events_root: bytes) -> None:
        """Write the chain row."""
        chain = self.tables.row(Table.CHAIN, 0)
        chain.height, chain.time_ms = self._next
        chain.exec_block_digest, chain.events_root = exec_block_digest, events_root
        self.tables.put(Table.CHAIN, 0, chain)

    def announce(self, version: int, height: int) -> None:
        """Write the next version into the chain row."""
        chain = self.tables.row(Table.CHAIN, 0)
        chain.version_next, chain.version_next_height = version, height
        self.tables.put(Table.CHAIN, 0, chain)

    def hopeless(self, bundles: Any, time_ms: int) -> Any:
        """See `Machine.hopeless`."""
        codes = [
            bundle_hopeless(
                self.tables,
                row["signer"].tobytes(),
                int(row["nonce"]),
                int(row["expiry_ms"]),
                time_ms,
            )
            for row in bundles
        ]
        return np.array(codes, np.int64)

    def image(self) -> Image:
        """Copy of the whole committed state."""
        return image_of(self.tables)


class KernelMachine:
    """The kernels over one record of arrays.

    `secrets`: int64[8] in [1, 2**31 - 1), drawn by the process; they shape derived indexes alone.
    """

    def __init__(self, image: Image, secrets: Any) -> None:
        # Importing the kernels compiles them; whoever only reads an image does not pay for that.
        from quorate.execution.kernels import (
            advice,
            block,
            indexes,
            phase_auctions,
            phase_liquidation,
            phase_series,
            phase_tick,
            phase_triggers,
            sweeps,
        )

        self.kernels, self.indexes, self.sweeps = block, indexes, sweeps
        self.advice, self.phase_tick, self.phase_auctions = advice, phase_tick, phase_auctions
        self.phase_triggers = phase_triggers
        self.phase_liquidation, self.phase_series = phase_liquidation, phase_series
        self.s: State = allocate(np.asarray(secrets, np.int64))
        self.fields = plain_fields(self.s)
        self.now = self.fields["now"][0]
        self.ledger = self.fields["ledger"][0]
        self.drained: list[Any] = []
        self._load(checked(image))
        self.indexes.rebuild(self.s)

    # --- loading and showing -----------------------------------------------------------------
    def _load(self, image: Image) -> None:
        s = self.s
        for part in image:
            self.rows(part.table)[: len(part.rows)] = part.rows
        self._positions_put(np.frombuffer(image[Table.ACCOUNTS].tail, POSITION))
        self._nonces_put(np.frombuffer(image[Table.NONCES].tail, "<i8"))
        while 2 * int(self.ledger["orders_live"]) > int(s.core[0]["map_mask"]):
            s.core[0]["map_mask"] = 2 * s.core[0]["map_mask"] + 1

    def _position_counts(self) -> Any:
        return self.s.accounts["positions_count"][: self.high(Table.ACCOUNTS)].astype(np.int64)

    def _nonce_counts(self) -> Any:
        return self.s.nonces["count"][: self.high(Table.NONCES)].astype(np.int64)

    def _positions(self) -> Any:
        """Copy of all positions in slot order, POSITION[n]."""
        return self.s.positions[spread(self.s.positions_first, self._position_counts(), 1)]

    def _nonces(self) -> Any:
        """Copy of all nonces in slot order, int64[n]."""
        return self.s.nonce_cells.reshape(-1)[
            spread(self.s.nonces_first, self._nonce_counts(), NONCES_PER_CELL)
        ]

    def _positions_put(self, rows: Any) -> None:
        """Lay all accounts' positions one behind the other, each with an extent that fits."""
        s, counts = self.s, self._position_counts()
        place(s.positions_first, s.positions_class, s.positions_free, extent_cells(counts, 1))
        s.positions[spread(s.positions_first, counts, 1)] = rows

    def _nonces_put(self, nonces: Any) -> None:
        """The same for signers' nonces."""
        s, counts = self.s, self._nonce_counts()
        sizes = extent_cells(counts, NONCES_PER_CELL)
        place(s.nonces_first, s.nonces_class, s.nonces_free, sizes)
        s.nonce_cells.reshape(-1)[spread(s.nonces_first, counts, NONCES_PER_CELL)] = nonces

    def image(self) -> Image:
        """Copy of the whole committed state."""
        parts = []
        for table in Table:
            rows = self.rows(table)[: self.high(table)].copy()
            tail = b""
            if table == Table.ACCOUNTS:
                tail = self._positions().tobytes()
            elif table == Table.NONCES:
                tail = self._nonces().tobytes()
            parts.append(TableImage(table, rows, tail))
        return tuple(parts)

    # --- one block -----------------------------------------------------------------------------
    def run(self, height: int, time_ms: int, bundles: Any, commands: Any) -> Any:
        """Apply a block; see `Machine.run`. The events are lent until the next call."""
        assert bundles.dtype == ADMITTED and commands.shape[1:] == (COMMAND_BYTES,)
        bundles = np.require(bundles, requirements=["C", "W"])
        flat = np.require(commands, requirements=["C", "W"]).reshape(-1)
        readings = [flat.view(each) for each in READINGS]
        order = self._order(bundles, readings[0])
        now = self.now
        now["height"], now["time_ms"], now["events"], now["examined"] = height, time_ms, 0, 0
        now["tick"] = 0
        self.drained = []
        self.sweeps.begin_block(self.s)
        if self.ledger["series_live"]:
            self._through(lambda at: self.phase_series.series_begin(self.s, at))
        if self.ledger["feeds_high"]:
            self._through(lambda at: self.phase_tick.run_tick(self.s, at))
        if self.ledger["series_live"] and now["tick"]:
            self._through(lambda at: self.phase_series.series_tick(self.s, at))
        if self.ledger["series_live"]:
            self._through(lambda at: self.phase_series.settlement(self.s, at))
        if self.ledger["triggers_live"]:
            self._through(lambda at: self.phase_triggers.triggers_tick(self.s, at))
        if now["tick"]:
            if now["events"] == len(self.fields["events"]):
                self._drain()  # the scan emits one event at most
            self.phase_liquidation.scan(self.s)
            if self.fields["parameters"][0]["switch"] not in SWITCHES_THAT_WAIT:
                self._through(lambda at: self.phase_liquidation.run_liquidation(self.s, at))
        self._through(lambda at: self.kernels.run_block(self.s, bundles, *readings, order, at))
        if self.ledger["risk_high"]:
            self._through(lambda at: self.phase_auctions.run_auctions(self.s, at))
        events = self.fields["events"][: int(now["events"])]
        return np.concatenate([*self.drained, events]) if self.drained else events

    def _through(self, phase: Callable[[Any], int]) -> None:
        """Run a phase to its end; it stops wherever an array could run short and is resumed.

        phase: takes its cursor, int64[4], zero at first, and says why it stopped.
        """
        cursor = np.zeros(4, np.int64)
        while True:
            stop = phase(cursor)
            if stop == DONE:
                return
            if stop == DRAIN_EVENTS:
                self._drain()
            elif stop == GROW_MAPS:
                self.indexes.maps_grow(self.s)
            elif stop == COMPACT_POSITIONS:
                self._positions_put(self._positions())
            else:
                assert stop == COMPACT_NONCES
                self._nonces_put(self._nonces())

    def _drain(self) -> None:
        """Put the events emitted so far by, so that all event rows are free."""
        self.drained.append(self.fields["events"][: int(self.now["events"])].copy())
        self.now["events"] = 0

    def _order(self, bundles: Any, commands: Any) -> Any:
        """Indexes of the bundles as they execute, int64[n]."""
        if self.fields["parameters"][0]["order_rule"] != OrderRule.MAKERS_FIRST:
            return np.arange(len(bundles), dtype=np.int64)
        classes = np.zeros(len(bundles), np.int64)
        self.indexes.bundle_classes(bundles, commands, classes)
        return np.argsort(classes, kind="stable").astype(np.int64)

    def seal(self, exec_block_digest: bytes, events_root: bytes) -> None:
        """Write the chain row."""
        chain, now = self.fields["chain"][0], self.now
        chain["height"], chain["time_ms"] = now["height"], now["time_ms"]
        chain["exec_block_digest"] = np.frombuffer(exec_block_digest, np.uint8)
        chain["events_root"] = np.frombuffer(events_root, np.uint8)

    def announce(self, version: int, height: int) -> None:
        """Write the next version into the chain row."""
        chain = self.fields["chain"][0]
        chain["version_next"], chain["version_next_height"] = version, height

    def hopeless(self, bundles: Any, time_ms: int) -> Any:
        """See `Machine.hopeless`."""
        codes = np.zeros(len(bundles), np.int64)
        writable = np.require(bundles, requirements=["C", "W"])
        self.advice.bundles_hopeless(self.s, writable, time_ms, codes)
        return codes

    # --- what commitment reads -----------------------------------------------------------------
    def dirty(self) -> dict[Table, Any]:
        """Slots that changed since the last call, int64 and ascending; the flags are cleared."""
        small = self.fields["small_dirty"]
        found: dict[Table, Any] = {}
        for table in Table:
            high = self.high(table)
            if table in SMALL_TABLES:
                touched = small[table] or table in (Table.CHAIN, Table.LEDGER)
                found[table] = np.arange(high if touched else 0, dtype=np.int64)
                continue
            flags = self.fields[f"{table.name.lower()}_dirty"]
            found[table] = np.flatnonzero(flags[:high])
            flags[found[table]] = 0
        small[:] = 0
        return found

    def rows(self, table: Table) -> Any:
        """The table's array as it lies, with room beyond the high-water mark."""
        return self.fields[table.name.lower()]

    def examined(self) -> int:
        """Resting orders that takers of the last block looked at, for measurements."""
        return int(self.now["examined"])

    def high(self, table: Table) -> int:
        """High-water mark of a table."""
        return high_water(table, self.ledger, self.rows(table))


def plain_fields(s: State) -> dict[str, Any]:
    """The record's fields as plain arrays: looking one up in the record costs microseconds."""
    found: dict[str, Any] = {}
    for name, (dtype, *_) in (STATE.fields or {}).items():
        array = getattr(s, name).view(np.ndarray)
        found[name] = array.view(dtype.base) if dtype.base.names else array
    return found


# --- placing extents at load ---------------------------------------------------------------------
def extent_cells(counts: Any, per_cell: int) -> Any:
    """Cells of the extents that hold `counts` elements: 0, or the next power of two. int64[n]."""
    cells = (counts + per_cell - 1) // per_cell
    size = np.zeros_like(cells)
    exponent = 0
    while (cells > size).any():
        size = np.where(cells > size, np.int64(1 << exponent), size)
        exponent += 1
    return size


def place(first: Any, size_class: Any, free: Any, sizes: Any) -> None:
    """Lay extents of `sizes` cells one behind the other, in slot order."""
    ends = np.cumsum(sizes)
    first[: len(sizes)] = ends - sizes
    exponents = np.full(len(sizes), -1, np.int8)
    for exponent in range(len(free) - 1):
        exponents[sizes == 1 << exponent] = exponent
    size_class[: len(sizes)] = exponents
    free[:] = -1
    free[-1] = (int(ends[-1]) if len(ends) else 0) - 1


def spread(first: Any, counts: Any, per_cell: int) -> Any:
    """Element indexes of all extents' contents in slot order, int64[sum(counts)]."""
    starts = first[: len(counts)].astype(np.int64) * per_cell
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()), dtype=np.int64)


def genesis_image(genesis: Genesis) -> Image:
    """Image of the state before the first block. Raises GenesisRefused."""
    return image_of(genesis_state(genesis))

