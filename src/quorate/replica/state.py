"""A state <-> the tables of a snapshot. What a snapshot says is checked against its root."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from quorate.commitment.state_root import StateTree
from quorate.execution.image import TIER_ROWS, Image, ImageRefused, TableImage, checked
from quorate.replica.views import SHAPES, ImageTables
from quorate.storage import snapshot
from quorate.storage.errors import SnapshotDamaged
from quorate.storage.log import Identity
from quorate.types.limits import (
    ACCOUNTS_MAX,
    ASSETS_MAX,
    BANDS_PER_MARKET,
    CHANGES_MAX,
    EXPIRIES_MAX,
    FEEDS_MAX,
    GROUPS_MAX,
    LEVELS_MAX,
    LISTINGS_MAX,
    MARKETS_MAX,
    NONCE_ROWS_MAX,
    NONCES_MAX,
    ORDERS_MAX,
    POSITIONS_MAX,
    PRODUCTS_MAX,
    SESSIONS_MAX,
    TRIGGERS_MAX,
    VALIDATOR_ROWS_MAX,
    VOTERS_MAX,
)
from quorate.types.records import POSITION, ROW_DTYPES, Table

ROWS_MAX: Final = {
    Table.ASSETS: ASSETS_MAX,
    Table.MARKETS: MARKETS_MAX,
    Table.MARGIN_TIERS: TIER_ROWS,
    Table.FEE_TIERS: TIER_ROWS,
    Table.ACCOUNTS: ACCOUNTS_MAX,
    Table.ORDERS: ORDERS_MAX,
    Table.LEVELS: LEVELS_MAX,
    Table.SESSIONS: SESSIONS_MAX,
    Table.NONCES: NONCE_ROWS_MAX,
    Table.VALIDATORS: VALIDATOR_ROWS_MAX,
    Table.FEEDS: FEEDS_MAX,
    Table.VOTERS: VOTERS_MAX,
    Table.VOTES: FEEDS_MAX * VOTERS_MAX,
    Table.RISK: MARKETS_MAX,
    Table.BANDS: MARKETS_MAX * BANDS_PER_MARKET,
    Table.TRIGGERS: TRIGGERS_MAX,
    Table.GROUPS: GROUPS_MAX,
    Table.CHANGES: CHANGES_MAX,
    Table.PRODUCTS: PRODUCTS_MAX,
    Table.SERIES: MARKETS_MAX,
    Table.EXPIRIES: EXPIRIES_MAX,
    Table.SMILE_VOTES: EXPIRIES_MAX * VOTERS_MAX,
    Table.LISTINGS: LISTINGS_MAX,
}
TABLE_BYTES_MAX: Final = (
    sum([ROW_DTYPES[table].itemsize * ROWS_MAX.get(table, 1) for table in Table])
    + POSITIONS_MAX * POSITION.itemsize
    + NONCES_MAX * 8
)
# Full tables with room for the manifest: twice is far more than both, and fits into a memory.
SNAPSHOT_BYTES_MAX: Final = 2 * TABLE_BYTES_MAX


def image_root(image: Image) -> bytes:
    """Hash a whole state."""
    return StateTree(SHAPES).full_root(ImageTables(image).views())


def snapshot_chunks(identity: Identity, image: Image, state_root: bytes) -> Iterator[bytes]:
    """Write a state as the bytes of a snapshot."""
    chain = image[Table.CHAIN].rows[0]
    head = snapshot.SnapshotHead(
        identity, int(chain["height"]), int(chain["time_ms"]), state_root
    )
    return snapshot.write(head, [stored(part) for part in image])


def stored(part: TableImage) -> snapshot.Table:
    """Give one table as a snapshot takes it."""
    rows = np.ascontiguousarray(part.rows).view(np.uint8).tobytes()
    return snapshot.Table(
        int(part.table), part.rows.dtype.itemsize, len(part.tail), rows + part.tail
    )


def snapshot_image(data: bytes, identity: Identity) -> tuple[snapshot.SnapshotHead, Image]:
    """Check every byte of a snapshot and give its state. Raises StorageRefusal."""
    found = snapshot.read(data, identity)
    head = found.manifest.head
    if [table.table_id for table in found.tables] != list(Table):
        raise SnapshotDamaged("The snapshot's tables are not those of this version.")
    try:
        image = checked(tuple(loaded(table) for table in found.tables))
    except ImageRefused as refused:
        raise SnapshotDamaged(f"The snapshot's tables do not fit together: {refused}.") from refused
    chain = image[Table.CHAIN].rows[0]
    if (int(chain["height"]), int(chain["time_ms"])) != (head.height, head.time_ms):
        raise SnapshotDamaged("The snapshot's head is of another block than its state.")
    if image_root(image) != head.state_root:
        raise SnapshotDamaged("The snapshot's state has another root than its head says.")
    return head, image


def loaded(table: snapshot.Table) -> TableImage:
    """Take one table out of a snapshot."""
    kind = Table(table.table_id)
    dtype: Any = ROW_DTYPES[kind]
    if table.row_bytes != dtype.itemsize:
        raise SnapshotDamaged(f"Rows of table {kind.name} have {table.row_bytes} bytes.")
    data = bytes(table.data)
    end = len(data) - table.tail_bytes
    return TableImage(kind, np.frombuffer(data[:end], dtype), data[end:])
