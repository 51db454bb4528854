"""A Merkle tree over the slots of one table, kept up to date block by block.

The tree has DEPTH levels always. A node is SHA-256(left || right), a message of 64 bytes. The leaf
of a slot below the high-water mark is SHA-256(row || tail); every other leaf is 32 zero bytes. No
leaf message may be 64 bytes long, so that a leaf can never be read as a node.

Only the first 2**levels leaves are stored, in heap order; what lies to their right is empty, and
the digests of empty subtrees are known beforehand. The store doubles when the table outgrows it.
Capacity is not state: the root is that of the whole tree, whatever is stored of it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quorate.commitment.sha256 import (
    DIGEST_BYTES,
    DIGEST_WORDS,
    I64,
    NODE_COMPRESSIONS,
    U8,
    U32,
    Tails,
    digest_at,
    no_tails,
    rehash_ancestors,
    rehash_leaves,
    words_of,
)
from quorate.types import limits

DEPTH = limits.TREE_DEPTH
NODE_MESSAGE_BYTES = 64
LEVELS_MIN = 4
ROOT = 1


def empty_digests(depth: int) -> tuple[bytes, ...]:
    """Give the digests of empty subtrees of height 0 .. depth."""
    digests = [bytes(DIGEST_BYTES)]
    for _ in range(depth):
        digests.append(hashlib.sha256(digests[-1] * 2).digest())
    return tuple(digests)


EMPTY = empty_digests(DEPTH)
EMPTY_WORDS = tuple(words_of(digest) for digest in EMPTY)


class TableView(NamedTuple):
    """What the tree may see of a table: its bytes, and no meaning.

    rows uint8[n, row_bytes] holds all slots; slots below `high_water` have been used. `tails`
    gives the tails of slots int64[k], or is None for a table whose rows have none.
    """

    rows: U8
    high_water: int
    tails: Callable[[I64], Tails] | None = None

    def tails_of(self, slots: I64) -> Tails:
        """Give the tails of slots int64[k]."""
        return no_tails(slots.size) if self.tails is None else self.tails(slots)

    def preimage(self, slot: int) -> bytes:
        """Give the message of one leaf: its row and its tail."""
        pool, first, sizes = self.tails_of(np.array([slot], dtype=np.int64))
        tail = pool[int(first[0]) : int(first[0] + sizes[0])]
        row: U8 = self.rows[slot]
        return row.tobytes() + tail.tobytes()


@dataclass
class HashCount:
    """How much has been hashed: messages, and 64-byte compressions of SHA-256."""

    messages: int = 0
    compressions: int = 0

    def add_nodes(self, count: int) -> None:
        """Count `count` nodes."""
        self.messages += count
        self.compressions += count * NODE_COMPRESSIONS


def levels_for(slots_count: int) -> int:
    """Give the smallest number of stored levels that holds `slots_count` leaves."""
    return max(LEVELS_MIN, (slots_count - 1).bit_length())


def empty_store(levels: int) -> U32:
    """Make uint32[8 * 2**(levels+1)], the nodes of an empty tree in heap order."""
    nodes = np.zeros(2 * DIGEST_WORDS << levels, dtype=np.uint32)
    for level in range(levels + 1):
        width = 1 << level
        part = nodes[DIGEST_WORDS * width : 2 * DIGEST_WORDS * width]
        part.reshape(width, DIGEST_WORDS)[:] = EMPTY_WORDS[levels - level]
    return nodes


def checked_leaf_bytes(row_bytes: int, sizes: I64) -> None:
    """Assert that no leaf message has the length of a node's."""
    assert not bool((sizes == NODE_MESSAGE_BYTES - row_bytes).any()), "a leaf of 64 bytes"


def root_above(stored_root: bytes, levels: int, depth: int, empty: tuple[bytes, ...]) -> bytes:
    """Give the root of the whole tree from the root of its leftmost part of height `levels`."""
    digest = stored_root
    for level in range(levels, depth):
        digest = hashlib.sha256(digest + empty[level]).digest()
    return digest


class TableTree:
    """The tree of one table. `count` is shared by the trees of one state."""

    def __init__(self, count: HashCount, slots_count: int = 0) -> None:
        """Make an empty tree with room for `slots_count` leaves before it must grow."""
        assert slots_count <= 1 << DEPTH
        self.count = count
        self.levels = levels_for(slots_count)
        self.nodes = empty_store(self.levels)
        self.high_water = 0
        self.root = EMPTY[DEPTH]

    @property
    def capacity(self) -> int:
        """How many leaves are stored."""
        return 1 << self.levels

    def grow(self, slots_count: int) -> None:
        """Store at least `slots_count` leaves; the old store becomes the left part of the new.

        The nodes above the old root are not hashed: a caller grows only to change a new leaf.
        """
        levels = levels_for(slots_count)
        if levels <= self.levels:
            return
        assert levels <= DEPTH
        nodes = empty_store(levels)
        for level in range(self.levels + 1):
            words = DIGEST_WORDS << level
            start = DIGEST_WORDS << (level + levels - self.levels)
            nodes[start : start + words] = self.nodes[words : 2 * words]
        self.nodes = nodes
        self.levels = levels

    def update(self, view: TableView, dirty: I64) -> bytes:
        """Hash the leaves of slots `dirty` and all above them; return the new root.

        dirty int64[k], strictly ascending, below view.high_water. A slot that the high-water mark
        has passed since the last call need not be named.
        """
        assert self.high_water <= view.high_water <= view.rows.shape[0]
        assert dirty.size == 0 or (0 <= int(dirty[0]) and int(dirty[-1]) < view.high_water)
        assert bool((dirty[1:] > dirty[:-1]).all()), "dirty slots must be sorted and unique"
        if view.high_water > self.high_water:
            passed = np.arange(self.high_water, view.high_water, dtype=np.int64)
            dirty = np.union1d(dirty, passed)
            self.grow(view.high_water)
            self.high_water = view.high_water
        if dirty.size == 0:
            return self.root
        places = dirty + self.capacity
        self.hash_leaves(view, dirty, self.nodes, places)
        self.count.add_nodes(rehash_ancestors(self.nodes, places, self.levels))
        self.count.add_nodes(DEPTH - self.levels)
        self.root = root_above(digest_at(self.nodes, ROOT), self.levels, DEPTH, EMPTY)
        return self.root

    def hash_leaves(self, view: TableView, slots: I64, nodes: U32, places: I64) -> None:
        """Hash the leaves of slots int64[k] into places int64[k] of nodes uint32[8 * n]."""
        tails = view.tails_of(slots)
        checked_leaf_bytes(view.rows.shape[1], tails.sizes)
        self.count.compressions += rehash_leaves(view.rows, slots, tails, nodes, places)
        self.count.messages += slots.size

    def mismatches(self, view: TableView, slots: I64) -> list[int]:
        """Hash the leaves of slots int64[k] anew and list those whose stored digest differs."""
        fresh = np.zeros(DIGEST_WORDS * slots.size, dtype=np.uint32)
        self.hash_leaves(view, slots, fresh, np.arange(slots.size, dtype=np.int64))
        stored = self.nodes.reshape(-1, DIGEST_WORDS)[slots + self.capacity]
        differs = (fresh.reshape(-1, DIGEST_WORDS) != stored).any(axis=1)
        return [int(slot) for slot in slots[differs]]

    def leaf(self, slot: int) -> bytes:
        """Give the digest of leaf `slot`, 0 <= slot < 2**DEPTH."""
        return digest_at(self.nodes, slot + self.capacity) if slot < self.capacity else EMPTY[0]

    def siblings(self, slot: int) -> list[bytes]:
        """Give the DEPTH digests beside the path from stored leaf `slot` up to the root."""
        assert 0 <= slot < self.capacity
        path = [(slot + self.capacity) >> level for level in range(self.levels)]
        stored = [digest_at(self.nodes, index ^ 1) for index in path]
        return stored + list(EMPTY[self.levels : DEPTH])


def full_root(view: TableView, count: HashCount) -> bytes:
    """Hash a whole table anew and return its root."""
    return TableTree(count, view.high_water).update(view, np.zeros(0, dtype=np.int64))
