"""A table's tree against the recursive definition, under updates and growth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.commitment.tree import (
    DEPTH,
    EMPTY,
    HashCount,
    TableTree,
    TableView,
    full_root,
)
from tests.commitment import naive

ROW = 112
NOTHING = np.zeros(0, dtype=np.int64)

rows = st.binary(min_size=ROW, max_size=ROW)
tails = st.integers(0, 3).flatmap(lambda n: st.binary(min_size=64 * n, max_size=64 * n))
messages = st.builds(bytes.__add__, rows, tails)


def indexes(*slots: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(sorted(set(slots)), dtype=np.int64)


def test_an_empty_table() -> None:
    assert EMPTY[DEPTH] == naive.empty_root(DEPTH) == TableTree(HashCount()).root


@settings(max_examples=40)
@given(st.lists(messages, max_size=40))
def test_the_full_root_is_the_definition(table: list[bytes]) -> None:
    view = naive.table_view(table, ROW)
    assert full_root(view, HashCount()) == naive.table_root(table)


edits = st.tuples(
    st.lists(messages, max_size=12),
    st.lists(st.tuples(st.integers(0, 2**16), messages), max_size=12),
)


@settings(max_examples=40)
@given(st.lists(edits, max_size=6), st.integers(0, 300))
def test_updates_and_growth_give_the_full_root(
    steps: list[tuple[list[bytes], list[tuple[int, bytes]]]], slots_count: int
) -> None:
    tree, roomy = TableTree(HashCount()), TableTree(HashCount(), slots_count)
    table: list[bytes] = []
    for appended, changed in steps:
        dirty = set()
        for place, text in changed if table else []:
            table[place % len(table)] = text
            dirty.add(place % len(table))
        table += appended
        view = naive.table_view(table, ROW)
        root = tree.update(view, indexes(*dirty))
        assert root == roomy.update(view, indexes(*dirty)) == naive.table_root(table)
        assert root == full_root(view, HashCount())


def test_growth_over_many_doublings() -> None:
    table = [bytes([i % 256]) * 56 for i in range(3000)]
    tree = TableTree(HashCount())
    for high_water in (1, 16, 17, 500, 2049, 3000):
        view = naive.table_view(table, 56)._replace(high_water=high_water)
        assert tree.update(view, NOTHING) == naive.table_root(table[:high_water])
    assert tree.capacity == 4096


def test_siblings_lead_to_the_root() -> None:
    table = [bytes([i]) * 56 for i in range(21)]
    tree = TableTree(HashCount())
    root = tree.update(naive.table_view(table, 56), NOTHING)
    for slot, text in enumerate(table):
        assert tree.leaf(slot) == naive.sha256(text)
        assert naive.climbed(tree.leaf(slot), slot, tree.siblings(slot)) == root
    assert tree.leaf(21) == tree.leaf(2**27) == bytes(32)
    assert naive.climbed(bytes(32), 21, tree.siblings(21)) == root


def test_zero_rows_below_the_high_water_mark_are_leaves() -> None:
    tree = TableTree(HashCount())
    root = tree.update(TableView(np.zeros((8, 56), dtype=np.uint8), 2), NOTHING)
    assert root == naive.table_root([bytes(56)] * 2) != tree.update(
        TableView(np.zeros((8, 56), dtype=np.uint8), 3), NOTHING
    )


def test_hashes_are_counted() -> None:
    count = HashCount()
    tree = TableTree(count, 16)
    view = naive.table_view([bytes(ROW)] * 16, ROW)
    tree.update(view, NOTHING)
    assert (count.messages, count.compressions) == (16 + 15 + 24, 2 * (16 + 15 + 24))
    tree.update(view, indexes(3, 4))
    # Slots 3 and 4 meet in their third ancestor: 2 + 2 + 1 + 1 stored nodes.
    assert count.messages == 55 + 2 + 6 + 24


@pytest.mark.parametrize("row_bytes", [56, 64])
def test_a_leaf_of_64_bytes_stops_us(row_bytes: int) -> None:
    table = [bytes(row_bytes), bytes(64)]
    with pytest.raises(AssertionError, match="64 bytes"):
        TableTree(HashCount()).update(naive.table_view(table, row_bytes), NOTHING)


@pytest.mark.parametrize("dirty", [[1, 0], [0, 0], [2], [-1]])
def test_a_bad_dirty_list_stops_us(dirty: list[int]) -> None:
    view = naive.table_view([bytes(56)] * 2, 56)
    with pytest.raises(AssertionError):
        TableTree(HashCount()).update(view, np.array(dirty, dtype=np.int64))


def test_a_falling_high_water_mark_stops_us() -> None:
    view = naive.table_view([bytes(56)] * 2, 56)
    tree = TableTree(HashCount())
    tree.update(view, NOTHING)
    with pytest.raises(AssertionError):
        tree.update(view._replace(high_water=1), NOTHING)


def test_a_pinned_root() -> None:
    table = [bytes([i]) * 112 for i in range(5)]
    root = full_root(naive.table_view(table, 112), HashCount())
    assert root == naive.table_root(table)
    assert root.hex() == "5c77a1db62653830ac768fec8302a0601ebd7b37adc7618fbf28ad3d2ccee7bc"
