"""A block comes back from the log as admission laid it out."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.admission import admit_block
from quorate.codec import commands as c
from quorate.codec.items import encode_exec_block
from quorate.replica.records import (
    RecordRefused,
    block_bytes,
    block_payload,
    block_read,
    checkpoint_holds,
    checkpoint_payload,
    checkpoint_read,
    checkpoint_signed,
)
from quorate.types.blocks import ExecBlock
from tests.replica.world import ALICE, BOB, CHAIN, FUNDS, IDENTITY, KEY, SETTINGS, bundle

COUNTS = st.lists(st.integers(1, 5), max_size=6)


@given(COUNTS)
def test_a_block_comes_back(counts: list[int]) -> None:
    items = tuple(
        bundle((ALICE, BOB)[at % 2], at, *[c.Place(1, 0, 600_000, at + 1)] * count)
        for at, count in enumerate(counts)
    )
    admitted = admit_block(items, CHAIN)
    whole = encode_exec_block(ExecBlock(9, 77, 1, items))
    found = block_read(block_payload(whole, admitted.rows))
    assert found[:3] == (9, 77, 1) and found.digest == hashlib.sha256(whole).digest()
    assert np.array_equal(found.rows, admitted.rows)
    assert np.array_equal(found.commands, admitted.commands)
    assert whole == block_bytes(9, 77, 1, len(items), whole[24:])


def payload() -> bytes:
    items = (bundle(ALICE, 0, FUNDS), bundle(BOB, 0, FUNDS, FUNDS))
    rows = admit_block(items, CHAIN).rows
    return block_payload(encode_exec_block(ExecBlock(1, 1, 1, items)), rows)


def test_whatever_has_another_length_is_refused() -> None:
    whole = payload()
    for end in range(len(whole)):
        with pytest.raises(RecordRefused):
            block_read(whole[:end])
    with pytest.raises(RecordRefused):
        block_read(whole + b"\0")


def test_counts_must_be_those_of_the_items() -> None:
    changed = bytearray(payload())
    changed[-4], changed[-28] = 1, 2
    with pytest.raises(RecordRefused):
        block_read(bytes(changed))


def test_a_checkpoint_comes_back() -> None:
    made = checkpoint_signed(KEY, SETTINGS.signer, IDENTITY, 5, b"d" * 32, b"r" * 32)
    found = checkpoint_read(checkpoint_payload(made), IDENTITY)
    assert found == made and checkpoint_holds(found)
    other = IDENTITY._replace(chain_id=IDENTITY.chain_id + 1)
    assert not checkpoint_holds(checkpoint_read(checkpoint_payload(made), other))
