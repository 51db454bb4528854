"""Many-lane SHA-256 against hashlib."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.commitment import sha256
from quorate.commitment.sha256 import Tails

ROOT = Path(__file__).resolve().parents[2]


def random_bytes(seed: int, *shape: int) -> sha256.U8:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", range(301))
def test_every_length(size: int) -> None:
    rows = random_bytes(size, 19, size)
    assert sha256.digests_of(rows) == [hashlib.sha256(row.tobytes()).digest() for row in rows]


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 31, 32, 33, 100])
def test_every_fill_of_the_lanes(count: int) -> None:
    rows = random_bytes(count, count, 112)
    assert sha256.digests_of(rows) == [hashlib.sha256(row.tobytes()).digest() for row in rows]


@settings(max_examples=60)
@given(
    st.integers(0, 130),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 200)), min_size=1, max_size=60),
    st.integers(0, 2**32),
)
def test_rows_with_tails(row_bytes: int, leaves: list[tuple[int, int]], seed: int) -> None:
    rows = random_bytes(seed, 7, row_bytes)
    slots = np.array([slot for slot, _ in leaves], dtype=np.int64)
    sizes = np.array([size for _, size in leaves], dtype=np.int64)
    first = np.cumsum(sizes) - sizes + 5
    pool = random_bytes(seed + 1, int(sizes.sum()) + 5)
    places = np.random.default_rng(seed).permutation(slots.size).astype(np.int64)
    nodes = np.zeros(8 * slots.size, dtype=np.uint32)
    compressions = sha256.rehash_leaves(rows, slots, Tails(pool, first, sizes), nodes, places)
    blocks = 0
    for i, slot in enumerate(slots):
        text = rows[slot].tobytes() + pool[first[i] : first[i] + sizes[i]].tobytes()
        blocks += (len(text) + 9 + 63) // 64
        assert sha256.digest_at(nodes, int(places[i])) == hashlib.sha256(text).digest()
    assert compressions == blocks


@settings(max_examples=60)
@given(st.sets(st.integers(0, 255), min_size=1, max_size=80), st.integers(0, 2**32))
def test_ancestors_are_hashed_and_nothing_else(changed: set[int], seed: int) -> None:
    levels = 8
    nodes = np.random.default_rng(seed).integers(0, 2**32, 8 << 9, dtype=np.uint32)
    before = nodes.copy()
    indexes = np.array(sorted(changed), dtype=np.int64) + 256
    hashed = sha256.rehash_ancestors(nodes, indexes, levels)
    ancestors = {int(index) >> up for index in indexes for up in range(1, levels + 1)}
    assert hashed == len(ancestors)
    for node in range(1, 512):
        if node in ancestors:
            message = sha256.digest_at(nodes, 2 * node) + sha256.digest_at(nodes, 2 * node + 1)
            assert sha256.digest_at(nodes, node) == hashlib.sha256(message).digest()
        else:
            assert sha256.digest_at(nodes, node) == sha256.digest_at(before, node)


def test_words_and_bytes_are_inverse() -> None:
    digest = hashlib.sha256(b"a").digest()
    assert sha256.digest_at(sha256.words_of(digest), 0) == digest


def test_a_tail_outside_its_pool_is_refused() -> None:
    rows, one = random_bytes(1, 1, 8), np.ones(1, dtype=np.int64)
    nodes = np.zeros(8, dtype=np.uint32)
    with pytest.raises(AssertionError):
        sha256.rehash_leaves(rows, one - 1, Tails(random_bytes(1, 8), one, 8 * one), nodes, one - 1)


SMALL = """
import hashlib, sys
import numpy as np
from quorate.commitment import sha256
rng = np.random.default_rng(7)
for size in (0, 55, 56, 112, 119):
    rows = rng.integers(0, 256, (17, size), dtype=np.uint8)
    assert sha256.digests_of(rows) == [hashlib.sha256(row.tobytes()).digest() for row in rows]
nodes = rng.integers(0, 2**32, 64, dtype=np.uint32)
sha256.rehash_ancestors(nodes, np.array([4, 6]), 2)
root = sha256.digest_at(nodes, 2) + sha256.digest_at(nodes, 3)
assert sha256.digest_at(nodes, 1) == hashlib.sha256(root).digest()
print("equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["NUMBA_DISABLE_JIT", "QUORATE_BOUNDSCHECK"])
def test_plain_python_and_checked_machine_code_agree(tmp_path: Path, setting: str) -> None:
    env = {**os.environ, setting: "1", "QUORATE_CACHE_DIR": str(tmp_path)}
    env["PYTHONPATH"] = str(ROOT / "src")
    command = [sys.executable, "-W", "error", "-c", SMALL]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr
