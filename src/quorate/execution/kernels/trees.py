"""Crit-bit trees: ordered search whose depth is bounded by a key's bits, whoever chooses the keys.

A tree's leaves are table slots, its inner nodes carry the number of the first bit in which their
two sides differ. Keys are rows of 48-bit words, most significant word first; bit b of a key is bit
47 - b % 64 of word b // 64. A child >= 0 is a node, a child < 0 the leaf -1 - child. There is one
node fewer than leaves, so nodes never run short before the table does. (D. J. Bernstein,
"Crit-bit trees"; insertion needs no rebalancing and its cost no trust in the keys.)
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.state import EMPTY

i8 = np.int64


@helper
def bit_at(word, bit):
    return (word >> (47 - (bit & 63))) & 1


@helper
def top_bit(word):
    """Number of the highest set bit of a 48-bit word, counted from the top; word > 0."""
    bit = 0
    if word < (1 << 24):
        bit += 24
        word <<= 24
    if word < (1 << 36):
        bit += 12
        word <<= 12
    if word < (1 << 42):
        bit += 6
        word <<= 6
    if word < (1 << 45):
        bit += 3
        word <<= 3
    if word < (1 << 46):
        bit += 2
        word <<= 2
    if word < (1 << 47):
        bit += 1
    return bit


@helper
def tree_leaf(child, bit, root, probe):
    """Leaf that the probe's bits lead to in a tree that is not empty."""
    at = i8(root)
    while at >= 0:
        b = i8(bit[at])
        at = i8(child[at, bit_at(probe[b >> 6], b)])
    return -1 - at


@helper
def tree_differs(keys, leaf, probe):
    """First bit in which a leaf's key and the probe differ, or -1."""
    for w in range(keys.shape[1]):
        difference = keys[leaf, w] ^ probe[w]
        if difference:
            return w * 64 + top_bit(difference)
    return -1


@helper
def tree_most(child, at):
    """Greatest leaf below a child reference."""
    while at >= 0:
        at = i8(child[at, 1])
    return -1 - at


@helper
def tree_floor(child, bit, keys, root, probe):
    """Leaf with the greatest key <= probe, or -1."""
    if root == EMPTY:
        return -1
    leaf = tree_leaf(child, bit, root, probe)
    differs = tree_differs(keys, leaf, probe)
    if differs < 0:
        return leaf
    at = i8(root)
    below = i8(EMPTY)
    while at >= 0:
        b = i8(bit[at])
        if b > differs:
            break
        if bit_at(probe[b >> 6], b):
            below = i8(child[at, 0])
            at = i8(child[at, 1])
        else:
            at = i8(child[at, 0])
    if bit_at(probe[differs >> 6], differs):
        return tree_most(child, at)
    if below == EMPTY:
        return -1
    return tree_most(child, below)


@helper
def tree_insert(child, bit, keys, roots, which, meta, slot):
    """Add the leaf `slot`, whose key stands in `keys` already and is not yet in the tree."""
    probe = keys[slot]
    root = i8(roots[which])
    if root == EMPTY:
        roots[which] = -1 - slot
        return
    differs = tree_differs(keys, tree_leaf(child, bit, root, probe), probe)
    node = meta[1]
    if node >= 0:
        meta[1] = i8(child[node, 0])
    else:
        node = meta[0]
        meta[0] += 1
    parent = i8(-1)
    side = i8(0)
    at = root
    while at >= 0:
        b = i8(bit[at])
        if b > differs:
            break
        parent = at
        side = bit_at(probe[b >> 6], b)
        at = i8(child[at, side])
    own = bit_at(probe[differs >> 6], differs)
    bit[node] = differs
    child[node, own] = -1 - slot
    child[node, 1 - own] = at
    if parent < 0:
        roots[which] = node
    else:
        child[parent, side] = node


@helper
def tree_remove(child, bit, keys, roots, which, meta, slot):
    """Drop the leaf `slot`, whose key still stands in `keys`."""
    probe = keys[slot]
    grand = i8(-1)
    grand_side = i8(0)
    parent = i8(-1)
    side = i8(0)
    at = i8(roots[which])
    while at >= 0:
        b = i8(bit[at])
        grand, grand_side = parent, side
        parent = at
        side = bit_at(probe[b >> 6], b)
        at = i8(child[at, side])
    if parent < 0:
        roots[which] = EMPTY
        return
    other = child[parent, 1 - side]
    if grand < 0:
        roots[which] = other
    else:
        child[grand, grand_side] = other
    child[parent, 0] = meta[1]
    meta[1] = parent
