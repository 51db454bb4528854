"""Blocks, headers, checkpoints and payloads as bytes."""

import struct
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec import blocks as codec
from quorate.codec.blocks import DecodedBlock
from quorate.codec.consensus import MessageInvalid
from quorate.types.consensus import (
    VALIDATORS_MAX,
    VIEW_MAX,
    CheckpointCertificate,
    CheckpointVote,
    Header,
)
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLES_PER_BLOCK_MAX,
    INT64_MAX,
    TIME_MS_MAX,
)
from tests.codec.peer_values import (
    CHECKPOINT,
    CHECKPOINT_VOTES,
    HEADER,
    ITEMS,
    PARENT,
    ROOT,
    VALIDATORS,
    blocks,
    checkpoints,
    headers,
    mutations,
)

BARE = HEADER._replace(checkpoint=None)


def refused(data: bytes, said: str, validators: int = VALIDATORS) -> None:
    with pytest.raises(MessageInvalid, match=said):
        codec.decode_block(data, validators)


@given(blocks())
def test_a_block_round_trips(block: DecodedBlock) -> None:
    data = codec.encode_block(block.header, block.items, VALIDATORS)
    assert data == block.header_bytes + block.items
    assert codec.decode_block(data, VALIDATORS) == block
    assert block.digest == sha256(b"QUORATE-BLOCK-01" + block.header_bytes).digest()


@given(checkpoints())
def test_a_checkpoint_certificate_round_trips(certificate: CheckpointCertificate) -> None:
    data = codec.encode_checkpoint_certificate(certificate, VALIDATORS)
    assert codec.decode_checkpoint_certificate(data, VALIDATORS) == certificate


@given(CHECKPOINT_VOTES)
def test_a_checkpoint_vote_round_trips(vote: CheckpointVote) -> None:
    data = codec.encode_checkpoint_vote(vote)
    assert len(data) == codec.CHECKPOINT_VOTE_BYTES
    assert codec.decode_checkpoint_vote(data) == vote


def test_the_bytes_are_those_of_the_document() -> None:
    """Written field by field, with nothing of the codec's."""
    fixed = struct.pack("<H", 1) + struct.pack("<QQQ", 3, 9, 7) + struct.pack("<H", 2)
    fixed += struct.pack("<QQ", 6, 1_000) + PARENT + struct.pack("<II", 1, 7)
    fixed += sha256(ITEMS).digest()
    certificate = struct.pack("<QQ", 3, 5) + PARENT + ROOT + struct.pack("<H", 9) + b"\x01\x01"
    certificate += bytes(64) + bytes([1]) * 64
    assert codec.encode_checkpoint_certificate(CHECKPOINT, 9) == certificate
    assert codec.encode_block(HEADER, ITEMS, 9) == fixed + b"\x01" + certificate + ITEMS
    assert codec.encode_block(BARE, ITEMS, 9) == fixed + b"\0" + ITEMS
    vote = CheckpointVote(3, 5, PARENT, ROOT, 258, bytes([9]) * 64)
    expected = struct.pack("<QQ", 3, 5) + PARENT + ROOT + b"\x02\x01" + bytes([9]) * 64
    assert codec.encode_checkpoint_vote(vote) == expected


@pytest.mark.parametrize("header", [HEADER, BARE])
def test_every_truncation_and_extension_of_a_block_is_refused(header: Header) -> None:
    data = codec.encode_block(header, ITEMS, VALIDATORS)
    for size in range(len(data)):
        refused(data[:size], "cut short|shorter|another length")
    refused(data + b"\0", "another length")


@pytest.mark.parametrize("header", [HEADER, BARE])
def test_a_changed_byte_is_refused_or_another_block(header: Header) -> None:
    data = codec.encode_block(header, ITEMS, VALIDATORS)
    block = codec.decode_block(data, VALIDATORS)
    other_blocks = 0
    for changed in mutations(data):
        try:
            other = codec.decode_block(changed, VALIDATORS)
        except MessageInvalid:
            continue
        assert codec.encode_block(other.header, other.items, VALIDATORS) == changed
        assert other.header != block.header and other.digest != block.digest
        other_blocks += 1
    assert other_blocks > 500


def test_every_byte_of_the_items_is_bound_by_the_header() -> None:
    data = codec.encode_block(HEADER, ITEMS, VALIDATORS)
    for at in range(len(data) - len(ITEMS), len(data)):
        wrong = data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :]
        refused(wrong, "not those of its header")


@given(checkpoints(), st.data())
def test_a_changed_certificate_is_refused_or_another(
    certificate: CheckpointCertificate, data: st.DataObject
) -> None:
    text = codec.encode_checkpoint_certificate(certificate, VALIDATORS)
    size = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(MessageInvalid):
        codec.decode_checkpoint_certificate(text[:size], VALIDATORS)
    with pytest.raises(MessageInvalid):
        codec.decode_checkpoint_certificate(text + b"\0", VALIDATORS)
    changed = text[:size] + bytes([data.draw(st.integers(0, 255))]) + text[size + 1 :]
    try:
        other = codec.decode_checkpoint_certificate(changed, VALIDATORS)
    except MessageInvalid:
        return
    assert codec.encode_checkpoint_certificate(other, VALIDATORS) == changed
    assert (other == certificate) == (changed == text)


def test_a_checkpoint_vote_of_another_length_or_height_is_refused() -> None:
    vote = CheckpointVote(3, 5, PARENT, ROOT, 1, bytes(64))
    text = codec.encode_checkpoint_vote(vote)
    for wrong in (b"", text[:-1], text + b"\0"):
        with pytest.raises(MessageInvalid, match="length"):
            codec.decode_checkpoint_vote(wrong)
    for height in (0, INT64_MAX + 1):
        with pytest.raises(MessageInvalid, match="height"):
            codec.decode_checkpoint_vote(codec.encode_checkpoint_vote(vote._replace(height=height)))
    last = vote._replace(height=INT64_MAX)
    assert codec.decode_checkpoint_vote(codec.encode_checkpoint_vote(last)) == last


def raw_block(**changes: int) -> bytes:
    """Write a block as the encoder would if it looked at nothing."""
    header = BARE._replace(**changes)
    return codec.HEADER_FIXED.pack(1, *header[:-1], 0) + ITEMS


@pytest.mark.parametrize(
    ("field", "greatest", "said"),
    [
        ("view", VIEW_MAX, "views"),
        ("leader", VALIDATORS - 1, "leader"),
        ("height", INT64_MAX, "height or time"),
        ("time_ms", TIME_MS_MAX, "height or time"),
        ("items_count", BUNDLES_PER_BLOCK_MAX, "more than a block"),
    ],
)
def test_each_number_has_its_bound(field: str, greatest: int, said: str) -> None:
    sound = codec.decode_block(raw_block(**{field: greatest}), VALIDATORS)
    assert sound.header._asdict()[field] == greatest
    refused(raw_block(**{field: greatest + 1}), said)


def test_more_bounds_of_a_header() -> None:
    refused(raw_block(view=0, parent_view=0), "views")
    refused(raw_block(parent_view=9), "views")
    refused(raw_block(height=0), "height or time")
    refused(raw_block(items_bytes=BLOCK_BYTES_MAX + 1), "more than a block")
    refused(raw_block(items_bytes=BLOCK_BYTES_MAX), "another length")
    data = codec.encode_block(BARE, ITEMS, VALIDATORS)
    refused(b"\x02" + data[1:], "version")
    at = codec.HEADER_FIXED.size - 1
    refused(data[:at] + b"\x02" + data[at + 1 :], "neither there nor not")
    checked = codec.encode_block(HEADER, ITEMS, VALIDATORS)
    refused(checked, "another number of validators", validators=8)
    below = CHECKPOINT._replace(height=0)
    refused(codec.encode_block(HEADER._replace(checkpoint=below), ITEMS, 9), "checkpoint's height")


def test_a_bit_beyond_the_validators_is_refused() -> None:
    text = bytearray(codec.encode_checkpoint_certificate(CHECKPOINT, VALIDATORS))
    text[codec.CHECKPOINT_HEAD.size + 3] |= 0x02
    with pytest.raises(MessageInvalid, match="beyond"):
        codec.decode_checkpoint_certificate(bytes(text) + bytes(64), VALIDATORS)


def test_the_greatest_block_has_the_stated_size() -> None:
    every = tuple(range(VALIDATORS_MAX))
    full = CHECKPOINT._replace(signers=every, signatures=(bytes(64),) * VALIDATORS_MAX)
    text = codec.encode_checkpoint_certificate(full, VALIDATORS_MAX)
    assert len(text) == codec.CHECKPOINT_CERTIFICATE_BYTES_MAX
    items = bytes(BLOCK_BYTES_MAX)
    header = HEADER._replace(
        checkpoint=full, items_bytes=len(items), items_digest=sha256(items).digest()
    )
    data = codec.encode_block(header, items, VALIDATORS_MAX)
    assert len(data) == codec.WHOLE_BLOCK_BYTES_MAX
    assert codec.decode_block(data, VALIDATORS_MAX).header == header


@settings(max_examples=50)
@given(headers(), headers())
def test_different_headers_have_different_digests(first: Header, second: Header) -> None:
    digests = {
        codec.block_digest(codec.encode_header(header, VALIDATORS)) for header in (first, second)
    }
    assert (len(digests) == 1) == (first == second)


def test_the_encoder_refuses_what_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        codec.encode_block(HEADER, ITEMS + b"\0", VALIDATORS)
    with pytest.raises(AssertionError):
        codec.encode_header(HEADER._replace(height=0), VALIDATORS)
    with pytest.raises(AssertionError):
        codec.encode_header(HEADER._replace(time_ms=TIME_MS_MAX + 1), VALIDATORS)


def test_a_payload_is_a_digest_and_zeros() -> None:
    payload = codec.payload_of(ROOT)
    assert payload == ROOT + bytes(36) and codec.digest_of(payload) == ROOT
    for at in range(32, 68):
        coded = payload[:at] + b"\x01" + payload[at + 1 :]
        assert codec.digest_of(coded) is None
    assert codec.digest_of(payload[:-1]) is None and codec.digest_of(payload + b"\0") is None
    assert codec.digest_of(b"") is None
