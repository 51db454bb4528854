"""A machine's tables as commitment, queries and the audit read them, whichever machine it is.

The kernel machine lends its arrays as they lie and says which rows a block touched; the spec is
shown through a copied image, and everything counts as touched.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np

from quorate.commitment.sha256 import I64, U8, Tails
from quorate.commitment.state_root import TableShape
from quorate.commitment.tree import TableView
from quorate.execution.image import Image, high_water, tail_bytes
from quorate.execution.machine import KernelMachine, Machine
from quorate.types.records import ADDRESS_BYTES, POSITION, ROW_DTYPES, TAIL_BYTES, Table

Answer = dict[str, Any]
HIDDEN: Final = ("reserved", "zero")
SHAPES = tuple(
    TableShape(
        table,
        table.name,
        ROW_DTYPES[table].itemsize,
        TAIL_BYTES.get(table, 0),
        empty_is_unused=table >= Table.VALIDATORS,
    )
    for table in Table
)


class Tables(Protocol):
    """The tables between two blocks. Views and dirty lists are in table order."""

    def rows(self, table: Table) -> Any:
        """Rows below the high-water mark, a structured array that is only to be read."""

    def views(self) -> list[TableView]:
        """Bytes of all tables."""

    def dirty(self) -> list[I64] | None:
        """Slots touched since the last call, ascending; None if that is not known."""


def flat(array: Any) -> U8:
    """Give the bytes of a contiguous array, uint8[n], without a copy."""
    octets: U8 = np.asarray(array).reshape(-1).view(np.uint8)
    return octets


def table_bytes(array: Any) -> U8:
    """Give a structured array's rows as bytes, uint8[n, row_bytes], without a copy."""
    return flat(array).reshape(len(array), array.dtype.itemsize)


class KernelTables:
    """The kernel machine's arrays, which lie where they are for as long as the machine lives.

    They are held as plain arrays: to ask the machine's record for each would cost as much as
    hashing a small block.
    """

    def __init__(self, machine: KernelMachine) -> None:
        self.machine = machine
        s = machine.s
        self.arrays = {table: machine.rows(table).view(np.ndarray) for table in Table}
        self.octets = {table: table_bytes(self.arrays[table]) for table in Table}
        self.positions, self.positions_first = flat(s.positions), np.asarray(s.positions_first)
        self.nonces, self.nonces_first = flat(s.nonce_cells), np.asarray(s.nonces_first)
        self.nonce_cell_bytes = s.nonce_cells.itemsize * s.nonce_cells.shape[1]
        self.tails = {Table.ACCOUNTS: self.account_tails, Table.NONCES: self.nonce_tails}

    def high(self, table: Table) -> int:
        """Give a table's high-water mark."""
        return high_water(table, self.arrays[Table.LEDGER][0], self.arrays[table])

    def rows(self, table: Table) -> Any:
        """See `Tables.rows`."""
        return self.arrays[table][: self.high(table)]

    def views(self) -> list[TableView]:
        """See `Tables.views`."""
        return [
            TableView(self.octets[table], self.high(table), self.tails.get(table))
            for table in Table
        ]

    def dirty(self) -> list[I64] | None:
        """See `Tables.dirty`."""
        touched = self.machine.dirty()
        return [touched[table] for table in Table]

    def account_tails(self, slots: I64) -> Tails:
        """Give where the positions of accounts lie."""
        counts = self.arrays[Table.ACCOUNTS]["positions_count"][slots].astype(np.int64)
        first = self.positions_first[slots].astype(np.int64)
        return Tails(self.positions, first * POSITION.itemsize, counts * POSITION.itemsize)

    def nonce_tails(self, slots: I64) -> Tails:
        """Give where the nonces of signers lie."""
        counts = self.arrays[Table.NONCES]["count"][slots].astype(np.int64)
        first = self.nonces_first[slots].astype(np.int64)
        return Tails(self.nonces, first * self.nonce_cell_bytes, counts * TAIL_BYTES[Table.NONCES])


class ImageTables:
    """The tables of an image: a copy that no block changes."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def rows(self, table: Table) -> Any:
        """See `Tables.rows`."""
        return self.image[table].rows

    def views(self) -> list[TableView]:
        """See `Tables.views`."""
        return [self.view(table) for table in Table]

    def view(self, table: Table) -> TableView:
        """Show one table."""
        part = self.image[table]
        # The hash kernel takes only arrays that could be written.
        rows = part.rows if part.rows.flags.writeable else part.rows.copy()
        octets = table_bytes(rows)
        if table not in TAIL_BYTES:
            return TableView(octets, len(part.rows))
        sizes = tail_bytes(table, part.rows)
        first = np.cumsum(sizes) - sizes
        pool = np.frombuffer(bytearray(part.tail), np.uint8)
        return TableView(octets, len(part.rows), lambda s: Tails(pool, first[s], sizes[s]))

    def dirty(self) -> list[I64] | None:
        """See `Tables.dirty`: an image does not know."""
        return None


def tables_of_machine(machine: Machine) -> Tables:
    """Show a machine's tables between blocks."""
    if isinstance(machine, KernelMachine):
        return KernelTables(machine)
    return ImageTables(machine.image())


def positions(tables: Tables, slots: Sequence[int] | I64) -> list[Any]:
    """Give the positions of accounts, one POSITION[n] each."""
    wanted = np.asarray(slots, np.int64)
    pool, first, sizes = tables.views()[Table.ACCOUNTS].tails_of(wanted)
    ends = first + sizes
    return [pool[a:b].view(POSITION) for a, b in zip(first.tolist(), ends.tolist(), strict=True)]


def fields(row: Any) -> Answer:
    """Give a row's fields by name."""
    found: Answer = {}
    for name in row.dtype.names:
        if name in HIDDEN:
            continue
        value = row[name]
        if not isinstance(value, np.ndarray):
            found[name] = int(value)
        elif name == "name":
            found[name] = value.tobytes().rstrip(b"\0").decode("ascii")
        else:
            octets = value.tobytes()
            found[name] = ("0x" if len(octets) == ADDRESS_BYTES else "") + octets.hex()
    return found
