"""The state root over all tables, and the scrub."""

import numpy as np
import pytest

from quorate.commitment.state_root import SCRUB_PERIOD, Mismatch, StateTree, TableShape
from quorate.commitment.tree import TableView
from quorate.types import records
from tests.commitment import naive

SHAPES = (TableShape(0, "chain", 112), TableShape(7, "accounts", 112, 64), TableShape(3, "x", 72))
NOTHING = np.zeros(0, dtype=np.int64)
NO_CHANGE = [NOTHING] * 3


def tables_of(seed: int, counts: tuple[int, int, int]) -> list[list[bytes]]:
    rng = np.random.default_rng(seed)
    tables = []
    for shape, count in zip(SHAPES, counts, strict=True):
        sizes = shape.row_bytes + shape.tail_bytes_each * rng.integers(0, 3, count)
        tables.append([rng.bytes(int(size)) for size in sizes])
    return tables


def views_of(tables: list[list[bytes]]) -> list[TableView]:
    pairs = zip(SHAPES, tables, strict=True)
    views = [naive.table_view(table, shape.row_bytes) for shape, table in pairs]
    if views[1].tails is None:
        no_tails = naive.tails_from(np.zeros(0, np.uint8), NOTHING, NOTHING)
        views[1] = views[1]._replace(tails=no_tails)
    return views


def naive_root(tables: list[list[bytes]]) -> bytes:
    tops = {
        shape.id: naive.table_root(table) for shape, table in zip(SHAPES, tables, strict=True)
    }
    leaves = {i: tops.get(i, bytes(32)) for i in range(32)}
    return naive.tree_root(leaves, 5)


def test_the_state_root_is_the_definition() -> None:
    tree = StateTree(SHAPES)
    assert tree.root == naive_root([[], [], []])
    for counts in ((1, 5, 0), (1, 40, 9), (1, 41, 700)):
        tables = tables_of(sum(counts), counts)
        views = views_of(tables)
        dirty = [np.arange(count, dtype=np.int64) for count in counts]
        assert tree.update(views, dirty) == naive_root(tables) == tree.full_root(views)
        assert tree.update(views, NO_CHANGE) == tree.root == naive_root(tables)


def test_a_later_table_counts_from_its_first_row_on() -> None:
    later = TableShape(12, "later", 72, empty_is_unused=True)
    tables = tables_of(5, (1, 20, 20))
    before, tree = StateTree(SHAPES), StateTree((*SHAPES, later))
    assert before.root == tree.root
    dirty = [np.arange(count, dtype=np.int64) for count in (1, 20, 20)]
    before.update(views_of(tables), dirty)
    empty = naive.table_view([], 72)
    assert tree.update([*views_of(tables), empty], [*dirty, NOTHING]) == before.root
    assert tree.full_root([*views_of(tables), empty]) == before.root
    first = naive.table_view([bytes(72)], 72)
    root = tree.update([*views_of(tables), first], [*NO_CHANGE, np.arange(1, dtype=np.int64)])
    assert root == tree.full_root([*views_of(tables), first]) != before.root
    tops = {shape.id: naive.table_root(table) for shape, table in zip(SHAPES, tables, strict=True)}
    tops[12] = naive.table_root([bytes(72)])
    assert root == naive.tree_root({i: tops.get(i, bytes(32)) for i in range(32)}, 5)


def test_siblings_lead_from_every_table_to_the_state_root() -> None:
    tree = StateTree(SHAPES)
    tables = tables_of(5, (1, 20, 20))
    tree.update(views_of(tables), NO_CHANGE)
    for shape, table in zip(SHAPES, tables, strict=True):
        for slot, text in enumerate(table):
            siblings, above = tree.siblings(shape.id, slot)
            index = slot | shape.id << 28
            assert naive.climbed(naive.sha256(text), index, siblings + above) == tree.root


def test_the_scrub_sees_every_leaf_once_in_a_period() -> None:
    tree = StateTree(SHAPES)
    tables = tables_of(9, (1, 3, 2100))
    views = views_of(tables)
    tree.update(views, NO_CHANGE)
    before = tree.count.messages
    assert [tree.scrub(height, views) for height in range(SCRUB_PERIOD)] == [[]] * SCRUB_PERIOD
    assert tree.count.messages - before == 2104


def test_the_scrub_finds_a_flipped_bit_in_a_row_a_tail_and_a_leaf() -> None:
    tree = StateTree(SHAPES)
    tables = tables_of(9, (1, 3, 2100))
    tables[1][2] = bytes(112 + 64)
    views = views_of(tables)
    tree.update(views, NO_CHANGE)
    views[2].rows[1029, 71] ^= 0x80
    assert tree.scrub(5, views) == [Mismatch(3, 1029)]
    assert tree.scrub(6, views) == []
    assert views[1].tails is not None
    pool, first, _ = views[1].tails(np.array([2]))
    pool[first[0] + 63] ^= 1
    assert tree.scrub(2 + 7 * SCRUB_PERIOD, views) == [Mismatch(7, 2)]
    chain = tree.trees[0]
    chain.nodes[8 * chain.capacity] ^= np.uint32(1)
    assert tree.scrub(0, views) == [Mismatch(0, 0)]


@pytest.mark.parametrize(
    "shapes",
    [
        (TableShape(1, "a", 64),),
        (TableShape(1, "a", 48, 8),),
        (TableShape(1, "a", 64, 8),),
        (TableShape(32, "a", 72),),
        (TableShape(1, "a", 72), TableShape(1, "b", 72)),
    ],
)
def test_a_bad_shape_stops_us(shapes: tuple[TableShape, ...]) -> None:
    with pytest.raises(AssertionError):
        StateTree(shapes)


def test_the_tables_of_the_exchange_have_good_shapes() -> None:
    shapes = [
        TableShape(table, table.name, dtype.itemsize, records.TAIL_BYTES.get(table, 0))
        for table, dtype in records.ROW_DTYPES.items()
    ]
    assert len(StateTree(shapes).trees) == len(records.ROW_DTYPES)
