"""The commitment as its definition reads: recursive, over Python bytes, with hashlib alone."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np

from quorate.commitment.sha256 import I64, U8, Tails
from quorate.commitment.tree import TableView


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@cache
def empty_root(depth: int) -> bytes:
    return bytes(32) if depth == 0 else sha256(empty_root(depth - 1) * 2)


def tree_root(leaves: Mapping[int, bytes], depth: int, first: int = 0) -> bytes:
    """Hash the subtree over leaf digests [first, first + 2**depth); those not named are empty."""
    inside = {slot: leaf for slot, leaf in leaves.items() if first <= slot < first + (1 << depth)}
    if not inside:
        return empty_root(depth)
    if depth == 0:
        return inside[first]
    left = tree_root(inside, depth - 1, first)
    right = tree_root(inside, depth - 1, first + (1 << (depth - 1)))
    return sha256(left + right)


def table_root(messages: Sequence[bytes], depth: int = 28) -> bytes:
    """Give the root of a table whose slots have these leaf messages."""
    return tree_root({slot: sha256(text) for slot, text in enumerate(messages)}, depth)


def table_view(messages: Sequence[bytes], row_bytes: int, spare: int = 3) -> TableView:
    """Give messages as a table: rows, and what is beyond `row_bytes` as tails in one pool.

    The pool holds the tails in falling order of slots, with gaps, as a real one may.
    """
    rows = np.full((len(messages) + spare, row_bytes), 0xEE, dtype=np.uint8)
    first = np.zeros(len(messages), dtype=np.int64)
    sizes = np.zeros(len(messages), dtype=np.int64)
    pool = bytearray(b"gap")
    for slot in reversed(range(len(messages))):
        text = messages[slot]
        rows[slot] = np.frombuffer(text[:row_bytes], dtype=np.uint8)
        first[slot], sizes[slot] = len(pool), len(text) - row_bytes
        pool += text[row_bytes:] + b"gap"
    joined: U8 = np.frombuffer(bytes(pool), dtype=np.uint8).copy()
    if not sizes.any():
        return TableView(rows, len(messages))
    return TableView(rows, len(messages), tails_from(joined, first, sizes))


def tails_from(pool: U8, first: I64, sizes: I64) -> Callable[[I64], Tails]:
    return lambda slots: Tails(pool, first[slots], sizes[slots])


def climbed(leaf: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """Hash a leaf digest up its path."""
    for level, sibling in enumerate(siblings):
        leaf = sha256(sibling + leaf if index >> level & 1 else leaf + sibling)
    return leaf
