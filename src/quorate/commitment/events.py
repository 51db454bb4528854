"""The events of one block in 32 bytes, and proofs of single events.

Event rows are leaves of a tree of fixed depth, in the order in which they happened; what lies
beyond the last one is empty (32 zero bytes). events_root = SHA-256(count || root of the tree), with
the count as 8 bytes, little endian. The chain row of the state holds events_root, so that the state
root covers the events.
"""

import hashlib

import numpy as np

from quorate.commitment.sha256 import (
    DIGEST_WORDS,
    I64,
    U8,
    digest_at,
    no_tails,
    rehash_ancestors,
    rehash_leaves,
)
from quorate.commitment.tree import EMPTY, EMPTY_WORDS, ROOT, HashCount, levels_for, root_above
from quorate.types.records import EVENT

EVENT_BYTES = EVENT.itemsize
EVENTS_DEPTH = 24
EVENTS_COUNT_MAX = 1 << EVENTS_DEPTH


def events_root_of(count: int, tree_root: bytes) -> bytes:
    """Bind the number of events to the root of their tree."""
    return hashlib.sha256(count.to_bytes(8, "little") + tree_root).digest()


class EventTree:
    """The tree of one block's events. Its store is kept from block to block and only grows."""

    def __init__(self) -> None:
        """Make the tree of a block without events."""
        self.hashes = HashCount()
        self.levels = levels_for(0)
        self.nodes = np.zeros(2 * DIGEST_WORDS << self.levels, dtype=np.uint32)
        self.count = 0
        self.root = events_root_of(0, EMPTY[EVENTS_DEPTH])

    def rebuild(self, rows: U8) -> bytes:
        """Hash the events of a block, rows uint8[count, EVENT_BYTES]; return events_root."""
        assert rows.shape[1] == EVENT_BYTES
        assert rows.shape[0] <= EVENTS_COUNT_MAX
        self.count = rows.shape[0]
        if levels_for(self.count) > self.levels:
            self.levels = levels_for(self.count)
            self.nodes = np.zeros(2 * DIGEST_WORDS << self.levels, dtype=np.uint32)
        tree_root = EMPTY[EVENTS_DEPTH]
        if self.count > 0:
            tree_root = self.hash_all(rows)
        self.root = events_root_of(self.count, tree_root)
        return self.root

    def hash_all(self, rows: U8) -> bytes:
        """Hash all leaves and nodes; return the tree's root."""
        slots: I64 = np.arange(self.count, dtype=np.int64)
        places = slots + (1 << self.levels)
        compressions = rehash_leaves(rows, slots, no_tails(self.count), self.nodes, places)
        self.hashes.compressions += compressions
        self.hashes.messages += self.count
        # Only the node right of the last one is read by its neighbour; older blocks left theirs.
        for level in range(self.levels):
            last = int(places[-1]) >> level
            if last & 1 == 0:
                start = DIGEST_WORDS * (last + 1)
                self.nodes[start : start + DIGEST_WORDS] = EMPTY_WORDS[level]
        self.hashes.add_nodes(rehash_ancestors(self.nodes, places, self.levels))
        self.hashes.add_nodes(EVENTS_DEPTH - self.levels)
        return root_above(digest_at(self.nodes, ROOT), self.levels, EVENTS_DEPTH, EMPTY)

    def siblings(self, index: int) -> list[bytes]:
        """Give the EVENTS_DEPTH digests beside the path of event `index` of the last block."""
        assert 0 <= index < self.count
        last = self.count - 1
        found = []
        for level in range(EVENTS_DEPTH):
            beside = (index >> level) ^ 1
            if beside > last >> level:
                found.append(EMPTY[level])
            else:
                found.append(digest_at(self.nodes, beside + (1 << (self.levels - level))))
        return found
