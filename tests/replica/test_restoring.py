"""What a snapshot is made of, as another engine's state sync carries it."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from quorate.replica.restoring import Manifest, chunk_holds, manifest_bytes, manifest_read
from quorate.replica.state import SNAPSHOT_BYTES_MAX
from quorate.storage.snapshot import CHUNK_BYTES


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


SMALL = Manifest(CHUNK_BYTES + 5, (digest(b"a"), digest(b"b")))
DATA = manifest_bytes(SMALL)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifest_read(DATA, 2, digest(DATA)) == SMALL


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_no_other_byte_passes_for_it(at: int, flip: int) -> None:
    changed = DATA[:at] + bytes([DATA[at] ^ flip]) + DATA[at + 1 :]
    assert manifest_read(changed, 2, digest(DATA)) is None


def test_its_own_numbers_must_agree() -> None:
    for size, chunks in (
        (0, 2), (CHUNK_BYTES, 2), (2 * CHUNK_BYTES + 1, 2), (2**64 - 1, 2),
        (SNAPSHOT_BYTES_MAX + 1, 2),
    ):  # fmt: skip
        data = manifest_bytes(Manifest(size, SMALL.digests))
        assert manifest_read(data, chunks, digest(data)) is None, size
    assert manifest_read(DATA, 1, digest(DATA)) is None
    assert manifest_read(DATA, 2**32 - 1, digest(DATA)) is None
    assert manifest_read(b"", 0, digest(b"")) is None


def test_a_chunk_is_the_one_that_was_named() -> None:
    assert chunk_holds(SMALL, 0, b"a") and chunk_holds(SMALL, 1, b"b")
    assert not chunk_holds(SMALL, 0, b"b")
    assert not chunk_holds(SMALL, 2, b"a")
