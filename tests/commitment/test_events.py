"""The root of a block's events against the recursive definition."""

import numpy as np
import pytest

from quorate.commitment.events import EventTree, events_root_of
from tests.commitment import naive

COUNTS = [0, 1, 2, 3, 15, 16, 17, 40, 5, 0, 33, 1000, 7]


def block(count: int) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    return np.random.default_rng(count).integers(0, 256, (count, 112), dtype=np.uint8)


def naive_root(count: int) -> bytes:
    leaves = {i: naive.sha256(row.tobytes()) for i, row in enumerate(block(count))}
    return naive.sha256(count.to_bytes(8, "little") + naive.tree_root(leaves, 24))


def test_one_store_for_blocks_of_any_size() -> None:
    tree = EventTree()
    assert tree.root == naive_root(0)
    for count in COUNTS:
        assert tree.rebuild(block(count)) == tree.root == naive_root(count)


@pytest.mark.parametrize("count", [1, 2, 17, 40])
def test_siblings_lead_to_the_root(count: int) -> None:
    tree = EventTree()
    tree.rebuild(block(100))
    tree.rebuild(block(count))
    for i, row in enumerate(block(count)):
        siblings = tree.siblings(i)
        assert len(siblings) == 24
        root = naive.climbed(naive.sha256(row.tobytes()), i, siblings)
        assert events_root_of(count, root) == tree.root


def test_the_count_is_bound() -> None:
    tree = EventTree()
    roots = {tree.rebuild(np.zeros((count, 112), dtype=np.uint8)) for count in range(20)}
    assert len(roots) == 20
