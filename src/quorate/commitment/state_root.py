"""The state root: one tree of 32 table roots over the trees of all tables.

Leaf i of the top tree is the root of the table with id i; an unused id is 32 zero bytes, and so
is, while it has no rows, a table that came later: states of before keep their root. All tables
have the same depth, so a leaf of the whole stands at one known depth, and its table id and slot are
its path.

The scrub looks for memory that changed without a command: at each height it hashes 1/SCRUB_PERIOD
of all leaves anew from the tables and compares them with the stored digests.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quorate.commitment.sha256 import DIGEST_BYTES, I64
from quorate.commitment.tree import (
    DEPTH,
    EMPTY,
    NODE_MESSAGE_BYTES,
    HashCount,
    TableTree,
    TableView,
    full_root,
)

TOP_DEPTH = 5
TABLES_MAX = 1 << TOP_DEPTH
SCRUB_PERIOD = 1024


class TableShape(NamedTuple):
    """The bytes of a table's leaves: a row, then any number of pieces of `tail_bytes_each`.

    `tail_bytes_each` is 0 for a table without tails. `empty_is_unused`: without rows the table
    counts as an id that is not in use.
    """

    id: int
    name: str
    row_bytes: int
    tail_bytes_each: int = 0
    empty_is_unused: bool = False


class Mismatch(NamedTuple):
    """A leaf whose stored digest is not that of the table's bytes."""

    table: int
    slot: int


def checked_shape(shape: TableShape) -> None:
    """Assert that no leaf of the table can be 64 bytes long."""
    assert 0 <= shape.id < TABLES_MAX, shape
    assert shape.row_bytes > 0 and shape.tail_bytes_each >= 0, shape
    rest = NODE_MESSAGE_BYTES - shape.row_bytes
    reaches = rest == 0 or (shape.tail_bytes_each > 0 and rest % shape.tail_bytes_each == 0)
    assert rest < 0 or not reaches, f"a leaf of table {shape.name} can have 64 bytes"


def top_levels(roots: Sequence[bytes]) -> list[list[bytes]]:
    """Give the levels of the top tree, from its TABLES_MAX leaves to its root."""
    levels = [list(roots)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=True)
        levels.append([hashlib.sha256(left + right).digest() for left, right in pairs])
    return levels


class StateTree:
    """The trees of all tables. Views and dirty lists are given in the order of `tables`."""

    def __init__(self, tables: Sequence[TableShape]) -> None:
        """Make the tree of an empty state."""
        for shape in tables:
            checked_shape(shape)
        assert len({shape.id for shape in tables}) == len(tables), "a table id stands twice"
        self.tables = tuple(tables)
        self.count = HashCount()
        self.trees = tuple(TableTree(self.count) for _ in self.tables)
        self.top = top_levels(self.top_leaves([tree.root for tree in self.trees]))

    @property
    def root(self) -> bytes:
        """The state root after the last update."""
        return self.top[TOP_DEPTH][0]

    def top_leaves(self, roots: Sequence[bytes]) -> list[bytes]:
        """Put the tables' roots at their ids."""
        leaves = [bytes(DIGEST_BYTES)] * TABLES_MAX
        for shape, root in zip(self.tables, roots, strict=True):
            if not (shape.empty_is_unused and root == EMPTY[DEPTH]):
                leaves[shape.id] = root
        return leaves

    def checked_views(self, views: Sequence[TableView]) -> None:
        """Assert that each view has the rows that its table's shape states."""
        for shape, view in zip(self.tables, views, strict=True):
            assert view.rows.shape[1] == shape.row_bytes, shape
            assert (view.tails is None) == (shape.tail_bytes_each == 0), shape

    def update(self, views: Sequence[TableView], dirty: Sequence[I64]) -> bytes:
        """Hash what a block changed and return the state root.

        dirty: for each table the changed slots, int64[k], strictly ascending.
        """
        self.checked_views(views)
        roots = [
            tree.update(view, slots)
            for tree, view, slots in zip(self.trees, views, dirty, strict=True)
        ]
        self.top = top_levels(self.top_leaves(roots))
        self.count.add_nodes(TABLES_MAX - 1)
        return self.root

    def full_root(self, views: Sequence[TableView]) -> bytes:
        """Hash all tables anew and return the state root; the stored trees are not touched."""
        self.checked_views(views)
        roots = [full_root(view, self.count) for view in views]
        self.count.add_nodes(TABLES_MAX - 1)
        return top_levels(self.top_leaves(roots))[TOP_DEPTH][0]

    def scrub(self, height: int, views: Sequence[TableView]) -> list[Mismatch]:
        """Hash the leaves with slot % SCRUB_PERIOD == height % SCRUB_PERIOD and list mismatches.

        Call it between blocks: the views must be those of the last update.
        """
        self.checked_views(views)
        found = []
        for shape, tree, view in zip(self.tables, self.trees, views, strict=True):
            slots = np.arange(height % SCRUB_PERIOD, tree.high_water, SCRUB_PERIOD, dtype=np.int64)
            found += [Mismatch(shape.id, slot) for slot in tree.mismatches(view, slots)]
        return found

    def siblings(self, table: int, slot: int) -> tuple[list[bytes], list[bytes]]:
        """Give the digests beside the path of a leaf: DEPTH in its table, TOP_DEPTH above."""
        place = [shape.id for shape in self.tables].index(table)
        above = [self.top[level][(table >> level) ^ 1] for level in range(TOP_DEPTH)]
        return self.trees[place].siblings(slot), above
