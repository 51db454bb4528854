"""Snapshots: equal states give equal bytes, and nothing else is read."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.storage import snapshot
from quorate.storage.errors import (
    SnapshotDamaged,
    SnapshotTrailing,
    SnapshotTruncated,
    UnknownFormat,
    WrongChain,
)
from quorate.storage.log import Identity
from quorate.storage.snapshot import CHUNK_BYTES, SnapshotHead, Table
from tests.storage.logs import IDENTITY

HEAD = SnapshotHead(IDENTITY, 1000, 1_700_000_000_000, b"r" * 32)


@st.composite
def tables(draw: st.DrawFn) -> list[Table]:
    ids = sorted(draw(st.sets(st.integers(0, 2**32 - 1), max_size=5)))
    made = []
    for table_id in ids:
        row_bytes, rows = draw(st.integers(1, 40)), draw(st.integers(0, 20))
        tail = draw(st.binary(max_size=50))
        rows_data = draw(st.binary(min_size=row_bytes * rows, max_size=row_bytes * rows))
        made.append(Table(table_id, row_bytes, len(tail), rows_data + tail))
    return made


@given(tables(), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_round_trip(made: list[Table], height: int, time_ms: int) -> None:
    head = HEAD._replace(height=height, time_ms=time_ms)
    data = b"".join(snapshot.write(head, made))
    read = snapshot.read(data, IDENTITY)
    assert read.manifest.head == head
    assert [table._replace(data=bytes(table.data)) for table in read.tables] == made
    assert data == b"".join(snapshot.write(head, made))


def big_tables() -> list[Table]:
    rows = np.zeros(40_000, dtype=[("id", "<i8"), ("value", "<i8", 7)])
    rows["id"] = np.arange(len(rows))
    return [
        Table(3, 64, 0, memoryview(rows.view(np.uint8))),
        Table(4, 1, 0, bytes(CHUNK_BYTES)),
        Table(5, 8, 5, b"12345678tail5"),
    ]


def test_chunks_are_of_one_size_and_can_be_checked_alone() -> None:
    pieces = list(snapshot.write(HEAD, big_tables()))
    manifest = snapshot.manifest_read(pieces[0], IDENTITY)
    assert [len(piece) for piece in pieces[1:-1]] == [CHUNK_BYTES] * (len(pieces) - 2)
    assert manifest.digest == hashlib.sha256(pieces[0][:-32]).digest()
    for index, piece in enumerate(pieces[1:]):
        snapshot.chunk_check(manifest, index, piece)
    with pytest.raises(SnapshotDamaged, match="Chunk 0 does not match"):
        snapshot.chunk_check(manifest, 0, pieces[2])
    with pytest.raises(SnapshotDamaged, match="Chunk 3 has 1048576 bytes"):
        snapshot.chunk_check(manifest, 3, pieces[1])


def test_refusals_are_named() -> None:
    pieces = list(snapshot.write(HEAD, big_tables()))
    data = b"".join(pieces)
    with pytest.raises(SnapshotTruncated, match="of its"):
        snapshot.read(data[:-1], IDENTITY)
    with pytest.raises(SnapshotTruncated, match="manifest alone"):
        snapshot.read(data[:150], IDENTITY)
    with pytest.raises(SnapshotTruncated, match="less than its head"):
        snapshot.read(b"", IDENTITY)
    with pytest.raises(SnapshotTrailing, match="1 bytes after its end"):
        snapshot.read(data + b"\0", IDENTITY)
    with pytest.raises(SnapshotDamaged, match="Chunk 0"):
        snapshot.read(b"".join([pieces[0], pieces[2], pieces[1], *pieces[3:]]), IDENTITY)
    with pytest.raises(WrongChain, match="chain 7"):
        snapshot.read(data, Identity(8, IDENTITY.app_genesis))
    with pytest.raises(WrongChain):
        snapshot.read(data, Identity(7, bytes(32)))
    with pytest.raises(UnknownFormat, match="format 2"):
        snapshot.read(data[:8] + b"\2" + data[9:], IDENTITY)
    with pytest.raises(SnapshotDamaged, match="does not start"):
        snapshot.read(b"x" * 500, IDENTITY)


def resealed(data: bytes, at: int, change: bytes, manifest_bytes: int) -> bytes:
    """A manifest with a change in it and a digest that fits."""
    body = data[:at] + change + data[at + len(change) : manifest_bytes - 32]
    return body + hashlib.sha256(body).digest() + data[manifest_bytes:]


def test_manifest_with_a_good_digest_and_bad_claims_is_refused() -> None:
    made = [Table(1, 4, 0, b"abcd"), Table(2, 4, 0, b"efgh")]
    data = b"".join(snapshot.write(HEAD, made))
    size = snapshot.manifest_read(data, IDENTITY).manifest_bytes
    directory = size - 32 - 32 - 2 * 24
    claims = {
        directory: b"\2\0\0\0",  # both tables have id 2
        directory + 4: b"\0\0\0\0",  # rows of no bytes
        directory + 8: b"\2",  # a row too many
        directory - 8: b"\xff" * 8,  # 2**64 bytes of data
        directory - 12: b"\xff\xff\xff\xff",  # 2**32 chunks
        directory - 20: b"\1",  # the field that is kept zero
        12: b"\xff\xff\xff\xff",  # 2**32 tables
    }
    for at, change in claims.items():
        with pytest.raises(SnapshotDamaged):
            snapshot.read(resealed(data, at, change, size), IDENTITY)
