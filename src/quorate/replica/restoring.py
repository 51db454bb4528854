"""A snapshot on its way here through an engine's own state sync: what is asked of each piece.

What a snapshot is made of, its *manifest*: size u64, then the SHA-256 of each chunk. Its hash is
what peers must agree on; nothing in it is believed but that a chunk is the one that was named. The
state that comes of all of them must have the root that the engine's light client has verified.
"""

import hashlib
import struct
from typing import Final, NamedTuple

from quorate.replica.state import SNAPSHOT_BYTES_MAX
from quorate.storage.snapshot import CHUNK_BYTES

FORMAT: Final = 1
DIGEST_BYTES: Final = 32
SIZE: Final = struct.Struct("<Q")


class Manifest(NamedTuple):
    """What a snapshot is made of. digests: of its chunks, the last may be shorter."""

    size: int
    digests: tuple[bytes, ...]


def manifest_bytes(manifest: Manifest) -> bytes:
    """Write a manifest."""
    return SIZE.pack(manifest.size) + b"".join(manifest.digests)


def manifest_read(data: bytes, chunks: int, digest: bytes) -> Manifest | None:
    """Read a manifest that has that hash and names so many chunks; None where it is none."""
    if len(data) != SIZE.size + DIGEST_BYTES * chunks or hashlib.sha256(data).digest() != digest:
        return None
    (size,) = SIZE.unpack_from(data)
    if not 0 < size <= SNAPSHOT_BYTES_MAX or chunks != -(-size // CHUNK_BYTES):
        return None
    at = range(SIZE.size, len(data), DIGEST_BYTES)
    return Manifest(size, tuple([data[first : first + DIGEST_BYTES] for first in at]))


def chunk_holds(manifest: Manifest, index: int, chunk: bytes) -> bool:
    """Say whether bytes are the chunk that the manifest names."""
    if index >= len(manifest.digests):
        return False
    return hashlib.sha256(chunk).digest() == manifest.digests[index]
