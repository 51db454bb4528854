"""The snapshot: one state as bytes. Equal states give equal bytes.

    manifest   head | one directory entry per table | one SHA-256 per chunk | SHA-256 of all that
    chunks     the tables' bytes end to end, cut every 1 MiB; the last one may be shorter

The manifest's own digest names the snapshot: whoever trusts it can check each chunk alone, from
any peer and in any order. A table is `rows` rows of `row_bytes`, followed by `tail_bytes` of its
own, which this room does not look into. Tables stand in the order of their ids.

That the tables have the state root of the head is for `commitment` to check.
"""

import itertools
import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from quorate.storage.errors import (
    SnapshotDamaged,
    SnapshotTrailing,
    SnapshotTruncated,
    UnknownFormat,
    WrongChain,
)
from quorate.storage.log import Identity

SNAPSHOT_MAGIC = b"QUORSNAP"
SNAPSHOT_VERSION = 1
CHUNK_BYTES = 1 << 20
TABLES_MAX = 1024
DATA_BYTES_MAX = 1 << 40
DIGEST_BYTES = 32

_HEAD = struct.Struct("<8sIIQ32sQQ32sQIIQ")
_ENTRY = struct.Struct("<IIQQ")

assert DATA_BYTES_MAX // CHUNK_BYTES < 2**32, "a chunk's index is a u32"


class SnapshotHead(NamedTuple):
    """What the state is of. identity: chain and genesis; time_ms: of the block at height."""

    identity: Identity
    height: int
    time_ms: int
    state_root: bytes


class Table(NamedTuple):
    """One table. data: rows of row_bytes each, then tail_bytes; a buffer of format 'B'."""

    table_id: int
    row_bytes: int
    tail_bytes: int
    data: bytes | bytearray | memoryview


class TableEntry(NamedTuple):
    """A table's place in the directory."""

    table_id: int
    row_bytes: int
    rows_count: int
    tail_bytes: int

    @property
    def data_bytes(self) -> int:
        """The size of the table's data."""
        return self.row_bytes * self.rows_count + self.tail_bytes


class Manifest(NamedTuple):
    """All of a snapshot but its data, checked. digest: SHA-256, the snapshot's name."""

    head: SnapshotHead
    directory: tuple[TableEntry, ...]
    chunk_digests: tuple[bytes, ...]
    data_bytes: int
    manifest_bytes: int
    digest: bytes


class Snapshot(NamedTuple):
    """A snapshot whose every byte was checked. Table data are views into what was read."""

    manifest: Manifest
    tables: tuple[Table, ...]


def write(head: SnapshotHead, tables: Sequence[Table]) -> Iterator[bytes]:
    """Yield the manifest, then each chunk. The tables must rest unchanged until the end."""
    assert len(tables) <= TABLES_MAX
    assert len(head.identity.app_genesis) == 32 and len(head.state_root) == 32
    directory: list[TableEntry] = []
    for table in tables:
        view = memoryview(table.data)
        assert view.format == "B" and view.contiguous, "pass array.view(uint8) or bytes"
        rows_bytes = view.nbytes - table.tail_bytes
        assert table.row_bytes > 0 and table.tail_bytes >= 0
        assert rows_bytes >= 0 and rows_bytes % table.row_bytes == 0, "a part of a row"
        assert not directory or table.table_id > directory[-1].table_id, "tables out of order"
        directory.append(
            TableEntry(
                table.table_id, table.row_bytes, rows_bytes // table.row_bytes, table.tail_bytes
            )
        )
    data_bytes = sum(entry.data_bytes for entry in directory)
    assert data_bytes <= DATA_BYTES_MAX
    digests = [_digest(pieces) for pieces in _chunks(tables)]
    manifest = b"".join(
        (
            _head_bytes(head, len(directory), len(digests), data_bytes),
            *(_ENTRY.pack(*entry) for entry in directory),
            *digests,
        )
    )
    yield manifest + sha256(manifest).digest()
    for pieces in _chunks(tables):
        yield b"".join(pieces)


def _head_bytes(head: SnapshotHead, tables: int, chunks: int, data_bytes: int) -> bytes:
    return _HEAD.pack(
        SNAPSHOT_MAGIC, SNAPSHOT_VERSION, tables, head.identity.chain_id,
        head.identity.app_genesis, head.height, head.time_ms, head.state_root, 0,
        CHUNK_BYTES, chunks, data_bytes,
    )


def _chunks(tables: Sequence[Table]) -> Iterator[list[memoryview]]:
    """Each chunk as the pieces of tables that it is made of, without copying."""
    pieces: list[memoryview] = []
    room = CHUNK_BYTES
    for table in tables:
        view = memoryview(table.data)
        at = 0
        while at < len(view):
            piece = view[at : at + room]
            pieces.append(piece)
            at += len(piece)
            room -= len(piece)
            if room == 0:
                yield pieces
                pieces, room = [], CHUNK_BYTES
    if pieces:
        yield pieces


def _digest(pieces: list[memoryview]) -> bytes:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def manifest_read(data: bytes | memoryview, identity: Identity) -> Manifest:
    """Check and read the manifest at the start of data; what follows it is not looked at.

    Raises SnapshotTruncated, SnapshotDamaged, UnknownFormat or WrongChain.
    """
    view = memoryview(data)
    if len(view) < _HEAD.size:
        raise SnapshotTruncated(f"The snapshot has {len(view)} bytes, less than its head.")
    (magic, version, tables_count, chain_id, app_genesis, height, time_ms, state_root, zero,
     chunk_bytes, chunks_count, data_bytes) = _HEAD.unpack_from(view)
    if magic != SNAPSHOT_MAGIC:
        raise SnapshotDamaged("The file does not start as a snapshot does.")
    if version != SNAPSHOT_VERSION:
        raise UnknownFormat(
            f"The snapshot has format {version}; this program reads {SNAPSHOT_VERSION}."
        )
    if tables_count > TABLES_MAX or data_bytes > DATA_BYTES_MAX or chunk_bytes != CHUNK_BYTES:
        raise SnapshotDamaged("The snapshot's head claims more than a snapshot may hold.")
    if zero or chunks_count != -(-data_bytes // CHUNK_BYTES):
        raise SnapshotDamaged("The snapshot's head does not agree with itself.")
    digests_from = _HEAD.size + tables_count * _ENTRY.size
    digest_from = digests_from + chunks_count * DIGEST_BYTES
    manifest_bytes = digest_from + DIGEST_BYTES
    if len(view) < manifest_bytes:
        raise SnapshotTruncated(
            f"The snapshot has {len(view)} bytes; its manifest alone has {manifest_bytes}."
        )
    digest = bytes(view[digest_from:manifest_bytes])
    if sha256(view[:digest_from]).digest() != digest:
        raise SnapshotDamaged("The snapshot's manifest does not match its digest.")
    found = Identity(chain_id, app_genesis)
    if found != identity:
        raise WrongChain(
            f"The snapshot belongs to chain {chain_id}, genesis {app_genesis.hex()[:16]}; "
            f"this node runs chain {identity.chain_id}, "
            f"genesis {identity.app_genesis.hex()[:16]}."
        )
    directory = tuple(
        TableEntry(*_ENTRY.unpack_from(view, at))
        for at in range(_HEAD.size, digests_from, _ENTRY.size)
    )
    _directory_check(directory, data_bytes)
    chunk_digests = tuple(
        bytes(view[at : at + DIGEST_BYTES])
        for at in range(digests_from, digest_from, DIGEST_BYTES)
    )
    head = SnapshotHead(found, height, time_ms, state_root)
    return Manifest(head, directory, chunk_digests, data_bytes, manifest_bytes, digest)


def identity_read(data: bytes | memoryview) -> Identity:
    """Read which chain a snapshot says it is of; `read` checks the rest. Raises StorageRefusal."""
    if len(data) < _HEAD.size:
        raise SnapshotTruncated(f"The snapshot has {len(data)} bytes, less than its head.")
    fields = _HEAD.unpack_from(data)
    if fields[0] != SNAPSHOT_MAGIC:
        raise SnapshotDamaged("The file does not start as a snapshot does.")
    return Identity(fields[3], fields[4])


def manifest_bytes_max(size: int) -> int:
    """The most bytes that the manifest of a snapshot of so many bytes has."""
    chunks = size // CHUNK_BYTES + 1
    return _HEAD.size + TABLES_MAX * _ENTRY.size + (chunks + 1) * DIGEST_BYTES


def _directory_check(directory: tuple[TableEntry, ...], data_bytes: int) -> None:
    """Refuse a directory that a writer of ours would not have made."""
    ids = [entry.table_id for entry in directory]
    if any(before >= after for before, after in itertools.pairwise(ids)):
        raise SnapshotDamaged("The snapshot's tables are not in the order of their ids.")
    if any(entry.row_bytes == 0 for entry in directory):
        raise SnapshotDamaged("The snapshot has a table with rows of no bytes.")
    if sum(entry.data_bytes for entry in directory) != data_bytes:
        raise SnapshotDamaged("The snapshot's tables do not add up to its data.")


def chunk_bytes_at(manifest: Manifest, index: int) -> int:
    """The size of a chunk."""
    assert 0 <= index < len(manifest.chunk_digests)
    return min(CHUNK_BYTES, manifest.data_bytes - index * CHUNK_BYTES)


def chunk_check(manifest: Manifest, index: int, chunk: bytes | memoryview) -> None:
    """Refuse a chunk that is not the one at index. Raises SnapshotDamaged."""
    expected = chunk_bytes_at(manifest, index)
    if len(chunk) != expected:
        raise SnapshotDamaged(f"Chunk {index} has {len(chunk)} bytes and should have {expected}.")
    if sha256(chunk).digest() != manifest.chunk_digests[index]:
        raise SnapshotDamaged(f"Chunk {index} does not match its digest.")


def read(data: bytes | memoryview, identity: Identity) -> Snapshot:
    """Check every byte of a whole snapshot, then give its tables.

    Raises SnapshotTruncated, SnapshotTrailing, SnapshotDamaged, UnknownFormat or WrongChain.
    """
    view = memoryview(data)
    manifest = manifest_read(view, identity)
    expected = manifest.manifest_bytes + manifest.data_bytes
    if len(view) < expected:
        raise SnapshotTruncated(f"The snapshot has {len(view)} of its {expected} bytes.")
    if len(view) > expected:
        raise SnapshotTrailing(f"The snapshot has {len(view) - expected} bytes after its end.")
    at = manifest.manifest_bytes
    for index in range(len(manifest.chunk_digests)):
        size = chunk_bytes_at(manifest, index)
        chunk_check(manifest, index, view[at : at + size])
        at += size
    tables = []
    at = manifest.manifest_bytes
    for entry in manifest.directory:
        data_view = view[at : at + entry.data_bytes]
        tables.append(Table(entry.table_id, entry.row_bytes, entry.tail_bytes, data_view))
        at += entry.data_bytes
    return Snapshot(manifest, tuple(tables))
