"""Extents: where an account's positions and a signer's nonces lie together.

An extent has 2^class cells. It is taken from the free list of its class or from the unused end of
the pool; when it is full, its cells move to one of twice the size. Placement is derived: never
hashed or snapshotted, and laid out anew in slot order at load and when the pool runs short. The
last element of a `free` array is the highest cell used so far.
"""

import numpy as np

from quorate.compiled import helper

i8 = np.int64


@helper
def positions_used(s):
    """Cells of the position pool that have ever been used."""
    return s.positions_free[s.positions_free.shape[0] - 1] + 1


@helper
def nonces_used(s):
    return s.nonces_free[s.nonces_free.shape[0] - 1] + 1


@helper
def extent_take(free, size_class):
    """First cell of a fresh extent past the used end; the caller tried the free list."""
    last = free.shape[0] - 1
    first = free[last] + 1
    free[last] += i8(1) << size_class
    return first


@helper
def positions_grow(s, account):
    """Give an account's positions an extent of the next class and move them there."""
    old_class = i8(s.positions_class[account])
    old = i8(s.positions_first[account])
    new_class = old_class + 1
    first = s.positions_free[new_class]
    if first >= 0:
        s.positions_free[new_class] = s.positions[first]["size"]
    else:
        first = extent_take(s.positions_free, new_class)
    if old_class >= 0:
        for k in range(i8(1) << old_class):
            s.positions[first + k] = s.positions[old + k]
        s.positions[old]["size"] = s.positions_free[old_class]
        s.positions_free[old_class] = old
    s.positions_first[account] = first
    s.positions_class[account] = new_class


@helper
def positions_release(s, account):
    """Give back the extent of an account that holds no position."""
    size_class = i8(s.positions_class[account])
    first = i8(s.positions_first[account])
    s.positions[first]["size"] = s.positions_free[size_class]
    s.positions_free[size_class] = first
    s.positions_class[account] = -1


@helper
def nonces_grow(s, row):
    """Give a signer's nonces an extent of the next class and move them there."""
    old_class = i8(s.nonces_class[row])
    old = i8(s.nonces_first[row])
    new_class = old_class + 1
    first = s.nonces_free[new_class]
    if first >= 0:
        s.nonces_free[new_class] = s.nonce_cells[first, 0]
    else:
        first = extent_take(s.nonces_free, new_class)
    if old_class >= 0:
        for k in range(i8(1) << old_class):
            for j in range(s.nonce_cells.shape[1]):
                s.nonce_cells[first + k, j] = s.nonce_cells[old + k, j]
        s.nonce_cells[old, 0] = s.nonces_free[old_class]
        s.nonces_free[old_class] = old
    s.nonces_first[row] = first
    s.nonces_class[row] = new_class


@helper
def nonces_release(s, row):
    size_class = i8(s.nonces_class[row])
    first = i8(s.nonces_first[row])
    s.nonce_cells[first, 0] = s.nonces_free[size_class]
    s.nonces_free[size_class] = first
    s.nonces_class[row] = -1
