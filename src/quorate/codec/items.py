"""Payload items and executable blocks <-> canonical bytes.

An item is kind u8 || length u32 || bytes. A sequence of items has no count of its own: it ends
where its bytes end. An executable block is height u64 || time_ms u64 || protocol_version u32 ||
number of items u32 || items. All little-endian.
"""

import hashlib
import struct
from collections.abc import Iterable
from typing import Final

from quorate.types.blocks import ExecBlock, Item
from quorate.types.codes import Reject
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLE_BYTES_MAX,
    BUNDLES_PER_BLOCK_MAX,
    INT64_MAX,
    TIME_MS_MAX,
)

ITEM_HEAD: Final = struct.Struct("<BI")
BLOCK_HEAD: Final = struct.Struct("<QQII")


def encode_items(items: Iterable[Item]) -> bytes:
    """Write items one after another."""
    pack = ITEM_HEAD.pack
    parts: list[bytes] = []
    for item in items:
        parts.append(pack(item.kind, len(item.data)))
        parts.append(item.data)
    return b"".join(parts)


def decode_items(data: bytes) -> tuple[Item, ...] | Reject:
    """Read items up to the end of `data`. What is inside an item is for admission to judge."""
    if len(data) > BLOCK_BYTES_MAX:
        return Reject.BLOCK_FULL_SEND_LATER
    items: list[Item] = []
    unpack, head, end = ITEM_HEAD.unpack_from, ITEM_HEAD.size, len(data)
    at = 0
    while at < end:
        if len(items) == BUNDLES_PER_BLOCK_MAX:
            return Reject.BLOCK_FULL_SEND_LATER
        if end - at < head:
            return Reject.LENGTH_MUST_MATCH_COUNT
        kind, length = unpack(data, at)
        at += head
        if length > BUNDLE_BYTES_MAX or length > end - at:
            return Reject.LENGTH_MUST_MATCH_COUNT
        items.append(Item(kind, data[at : at + length]))
        at += length
    return tuple(items)


def encode_exec_block(block: ExecBlock) -> bytes:
    """Write a block as execution sees it."""
    assert 0 <= block.height <= INT64_MAX and 0 <= block.time_ms <= TIME_MS_MAX
    assert len(block.items) <= BUNDLES_PER_BLOCK_MAX
    head = BLOCK_HEAD.pack(block.height, block.time_ms, block.protocol_version, len(block.items))
    return head + encode_items(block.items)


def decode_exec_block(data: bytes) -> ExecBlock | Reject:
    """Read a block; its bytes must be the ones that encode_exec_block writes."""
    if len(data) < BLOCK_HEAD.size:
        return Reject.LENGTH_MUST_MATCH_COUNT
    height, time_ms, version, count = BLOCK_HEAD.unpack_from(data)
    if height > INT64_MAX or time_ms > TIME_MS_MAX:
        return Reject.FIELD_MUST_BE_IN_RANGE
    items = decode_items(data[BLOCK_HEAD.size :])
    if isinstance(items, Reject):
        return items
    if len(items) != count:
        return Reject.LENGTH_MUST_MATCH_COUNT
    return ExecBlock(height, time_ms, version, items)


def exec_block_digest(block: ExecBlock) -> bytes:
    """Give the SHA-256 of a block's canonical bytes."""
    return hashlib.sha256(encode_exec_block(block)).digest()
