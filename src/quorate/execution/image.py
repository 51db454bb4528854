"""A state as plain arrays: what snapshots store, what machines load, what tests compare.

An image has one `TableImage` per table in table order: its rows up to the high-water mark, and, for
accounts and signers, the tail elements of all rows joined in slot order.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import numpy as np

from quorate.execution.spec.rows import Position
from quorate.execution.spec.tables import ROW_TYPES, Tables
from quorate.types.limits import SCHEDULES_MAX, TIERS_PER_SCHEDULE, VALIDATOR_ROWS_MAX
from quorate.types.records import POSITION, ROW_DTYPES, Table

Image = tuple["TableImage", ...]
TIER_ROWS = SCHEDULES_MAX * TIERS_PER_SCHEDULE


@dataclass(frozen=True, slots=True)
class TableImage:
    """rows: structured array of the table's dtype; tail: bytes, elements in slot order."""

    table: Table
    rows: Any
    tail: bytes


class ImageRefused(ValueError):
    """An image whose parts do not fit together; the sentence says where."""


def high_water(table: Table, ledger: Any, rows: Any) -> int:
    """Rows of a table that have ever been used.

    ledger: its row, by name or field. rows: the table's own; the register of validators is dense
    and has no count in the ledger.
    """
    if table == Table.VALIDATORS:
        return int(np.count_nonzero(rows["key_type"]))
    if table in (Table.CHAIN, Table.LEDGER, Table.PARAMETERS):
        return 1
    if table in (Table.MARGIN_TIERS, Table.FEE_TIERS):
        return TIER_ROWS
    return int(ledger[f"{table.name.lower()}_high"])


def same(a: Image, b: Image) -> bool:
    """Whether two images are equal byte for byte."""
    return all(
        x.table == y.table and x.rows.tobytes() == y.rows.tobytes() and x.tail == y.tail
        for x, y in zip(a, b, strict=True)
    )


def checked(image: Image) -> Image:
    """Refuse an image with missing tables, wrong dtypes, or tails that do not match the counts."""
    if [part.table for part in image] != list(Table):
        raise ImageRefused("the tables are not those of this version, in order")
    ledger = image[Table.LEDGER].rows[0]
    for part in image:
        if part.rows.dtype != ROW_DTYPES[part.table]:
            raise ImageRefused(f"{part.table.name}: wrong row layout")
        if len(part.rows) != high_water(part.table, ledger, part.rows):
            raise ImageRefused(f"{part.table.name}: row count differs from the high-water mark")
        if part.table == Table.VALIDATORS and len(part.rows) > VALIDATOR_ROWS_MAX:
            raise ImageRefused("VALIDATORS: more rows than the register has")
        if len(part.tail) != int(tail_bytes(part.table, part.rows).sum()):
            raise ImageRefused(f"{part.table.name}: tail length differs from the rows' counts")
    return image


def tail_bytes(table: Table, rows: Any) -> Any:
    """Bytes of tail behind each row, int64[n]."""
    if table == Table.ACCOUNTS:
        return rows["positions_count"].astype(np.int64) * POSITION.itemsize
    if table == Table.NONCES:
        return rows["count"].astype(np.int64) * 8
    return np.zeros(len(rows), np.int64)


# --- from and to the spec's tables ---------------------------------------------------------------
def packer(dtype: Any) -> tuple[struct.Struct, Callable[[Any], tuple[Any, ...]]]:
    """How a dataclass row becomes the bytes of a table row, and which attributes it takes."""
    form, names = "<", []
    for name in dtype.names:
        kind = dtype[name]
        if name in ("reserved", "zero"):
            form += f"{kind.itemsize}x"
            continue
        form += f"{kind.itemsize}s" if kind.shape else LETTERS[kind.str]
        names.append(name)
    made = struct.Struct(form)
    assert made.size == dtype.itemsize
    return made, attrgetter(*names)


LETTERS = {"<i8": "q", "<u4": "I", "<u2": "H", "|u1": "B"}
PACKERS = {kind: packer(ROW_DTYPES[table]) for table, kind in ROW_TYPES.items()}
PACKERS[Position] = packer(POSITION)


def row_bytes(row: Any) -> bytes:
    """The bytes of a dataclass row, without its tail. A value beyond its field is our bug."""
    form, values = PACKERS[type(row)]
    return form.pack(*values(row))


def row_read(kind: type, source: Any) -> Any:
    """Read a structured scalar into a dataclass row."""
    values: dict[str, Any] = {}
    for each in fields(kind):
        if each.type in ("list[Position]", "list[int]") or each.name in ("positions", "nonces"):
            continue
        value = source[each.name]
        values[each.name] = value.tobytes() if isinstance(value, np.ndarray) else int(value)
    return kind(**values)


def image_of(t: Tables) -> Image:
    """Image of the spec's tables."""
    ledger_row = t.row(Table.LEDGER, 0)
    ledger = {each.name: getattr(ledger_row, each.name) for each in fields(ledger_row)}
    parts = []
    for table in Table:
        dtype = ROW_DTYPES[table]
        width = dtype.itemsize
        raw = bytearray(high_of(t, table, ledger) * width)
        tail: list[bytes] = []
        for slot, row in sorted(t.rows[table].items()):
            raw[slot * width : slot * width + width] = row_bytes(row)
            if table == Table.ACCOUNTS:
                tail.extend(map(row_bytes, row.positions))
            elif table == Table.NONCES:
                tail.append(struct.pack(f"<{len(row.nonces)}q", *row.nonces))
        assert len(raw) == high_of(t, table, ledger) * width, f"{table.name}: a row too many"
        parts.append(TableImage(table, np.frombuffer(raw, dtype), b"".join(tail)))
    return tuple(parts)


def high_of(t: Tables, table: Table, ledger: Any) -> int:
    """High-water mark of a table of the spec."""
    if table == Table.VALIDATORS:
        return len(t.rows[table])
    return high_water(table, ledger, None)


def tables_of(image: Image) -> Tables:
    """The spec's tables from an image, searches included."""
    t = Tables()
    for part in checked(image):
        sizes = tail_bytes(part.table, part.rows)
        ends = np.cumsum(sizes)
        for slot in range(len(part.rows)):
            row = row_read(ROW_TYPES[part.table], part.rows[slot])
            tail = part.tail[int(ends[slot] - sizes[slot]) : int(ends[slot])]
            if part.table == Table.ACCOUNTS:
                cells = np.frombuffer(tail, POSITION)
                row.positions = [row_read(Position, cell) for cell in cells]
            elif part.table == Table.NONCES:
                row.nonces = [int(nonce) for nonce in np.frombuffer(tail, "<i8")]
            t.put(part.table, slot, row)
            if searchable(part.table, slot, row):
                t.index(part.table, slot)
    # The counts that `put` keeps were in the ledger's row already.
    t.put(Table.LEDGER, 0, row_read(ROW_TYPES[Table.LEDGER], image[Table.LEDGER].rows[0]))
    return t


def searchable(table: Table, slot: int, row: Any) -> bool:
    """Whether a row takes part in searches: live rows and sentinels."""
    if table == Table.ORDERS:
        return bool(row.order_id)
    if table == Table.LEVELS:
        return bool(row.head)
    if table == Table.SESSIONS:
        return slot == 0 or bool(row.live)
    if table == Table.NONCES:
        return slot == 0 or bool(row.count)
    return table == Table.ACCOUNTS
