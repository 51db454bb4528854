"""Payload items and executable blocks."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec import items as codec
from quorate.types import limits
from quorate.types.blocks import ExecBlock, Item
from quorate.types.codes import Reject
from tests.codec import values


@given(st.lists(values.ITEMS, max_size=6))
def test_items_round_trip(items: list[Item]) -> None:
    assert codec.decode_items(codec.encode_items(items)) == tuple(items)


@given(st.binary(max_size=64))
def test_bytes_that_decode_are_canonical(data: bytes) -> None:
    items = codec.decode_items(data)
    if not isinstance(items, Reject):
        assert codec.encode_items(items) == data


@given(values.BLOCKS)
def test_blocks_round_trip(block: ExecBlock) -> None:
    data = codec.encode_exec_block(block)
    assert codec.decode_exec_block(data) == block
    assert codec.exec_block_digest(block) == hashlib.sha256(data).digest()


@given(values.BLOCKS)
def test_a_truncated_or_longer_block_is_refused(block: ExecBlock) -> None:
    data = codec.encode_exec_block(block)
    for wrong in (data[:-1], data + b"\0", data + bytes(5), b""):
        assert codec.decode_exec_block(wrong) == Reject.LENGTH_MUST_MATCH_COUNT


def test_every_truncation_of_an_item_is_refused() -> None:
    data = codec.encode_items([Item(1, b"abc")])
    assert data == b"\x01\x03\0\0\0abc"
    for size in range(1, len(data)):
        assert codec.decode_items(data[:size]) == Reject.LENGTH_MUST_MATCH_COUNT


def test_oversize_is_refused() -> None:
    largest = Item(1, bytes(limits.BUNDLE_BYTES_MAX))
    assert codec.decode_items(codec.encode_items([largest])) == (largest,)
    larger = Item(1, bytes(limits.BUNDLE_BYTES_MAX + 1))
    refused = codec.decode_items(codec.encode_items([larger]))
    assert refused == Reject.LENGTH_MUST_MATCH_COUNT
    many = codec.encode_items([Item(1, b"")] * (limits.BUNDLES_PER_BLOCK_MAX + 1))
    assert codec.decode_items(many) == Reject.BLOCK_FULL_SEND_LATER
    assert len(codec.decode_items(many[:-5])) == limits.BUNDLES_PER_BLOCK_MAX
    huge = bytes(limits.BLOCK_BYTES_MAX + 1)
    assert codec.decode_items(huge) == Reject.BLOCK_FULL_SEND_LATER


def test_numbers_beyond_their_limit_are_refused() -> None:
    high = codec.BLOCK_HEAD.pack(2**63, 0, 1, 0)
    late = codec.BLOCK_HEAD.pack(0, limits.TIME_MS_MAX + 1, 1, 0)
    assert codec.decode_exec_block(high) == Reject.FIELD_MUST_BE_IN_RANGE
    assert codec.decode_exec_block(late) == Reject.FIELD_MUST_BE_IN_RANGE
    with pytest.raises(AssertionError):
        codec.encode_exec_block(ExecBlock(-1, 0, 1, ()))
