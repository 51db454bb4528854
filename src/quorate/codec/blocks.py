"""Blocks of agreement and checkpoints <-> canonical bytes, little-endian.

    block        header, then the items' bytes
    header       version u16, epoch u64, view u64, parent_view u64, leader u16, height u64,
                 time_ms u64, parent_digest 32, items_count u32, items_bytes u32, items_digest 32,
                 present u8, then the checkpoint certificate if present is 1
    vote         epoch u64, height u64, exec_block_digest 32, state_root 32, signer u16,
                 signature 64
    certificate  epoch u64, height u64, exec_block_digest 32, state_root 32, validators u16,
                 bitmap of ceil(validators / 8) bytes, 64 per signer

A block's digest is SHA-256(tag 16, header); the header binds the items by the SHA-256 of their
bytes, so that a header alone shows a block's place. The payload of a proposal is the digest and
zeros: blocks are broadcast whole. Heights start at 1; what is inside the items is not looked at.
"""

import struct
from hashlib import sha256
from typing import Final, NamedTuple

from quorate.codec.consensus import MessageInvalid, decode_signers, encode_signers
from quorate.types.consensus import (
    DIGEST_BYTES,
    PAYLOAD_BYTES,
    VALIDATORS_MAX,
    VIEW_MAX,
    VOTE_SIGNATURE_BYTES,
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

VERSION: Final = 1
BLOCK_TAG: Final = b"QUORATE-BLOCK-01"
HEADER_FIXED: Final = struct.Struct(f"<HQQQHQQ{DIGEST_BYTES}sII{DIGEST_BYTES}sB")
CHECKPOINT_HEAD: Final = struct.Struct(f"<QQ{DIGEST_BYTES}s{DIGEST_BYTES}s")
CHECKPOINT_TAIL: Final = struct.Struct(f"<H{VOTE_SIGNATURE_BYTES}s")
CHECKPOINT_VOTE_BYTES: Final = CHECKPOINT_HEAD.size + CHECKPOINT_TAIL.size
CHECKPOINT_CERTIFICATE_BYTES_MAX: Final = (
    CHECKPOINT_HEAD.size
    + 2
    + (VALIDATORS_MAX + 7) // 8
    + VALIDATORS_MAX * VOTE_SIGNATURE_BYTES
)
HEADER_BYTES_MAX: Final = HEADER_FIXED.size + CHECKPOINT_CERTIFICATE_BYTES_MAX
WHOLE_BLOCK_BYTES_MAX: Final = HEADER_BYTES_MAX + BLOCK_BYTES_MAX
UNCODED: Final = bytes(PAYLOAD_BYTES - DIGEST_BYTES)
assert len(BLOCK_TAG) == 16


class DecodedBlock(NamedTuple):
    """A block and its parts. digest: what its payload commits to; items: their bytes."""

    header: Header
    header_bytes: bytes
    digest: bytes
    items: bytes


# --- checkpoints ---------------------------------------------------------------------------------
def encode_checkpoint_vote(vote: CheckpointVote) -> bytes:
    """Write a checkpoint vote."""
    epoch, height, digest, root, signer, signature = vote
    head = CHECKPOINT_HEAD.pack(epoch, height, digest, root)
    return head + CHECKPOINT_TAIL.pack(signer, signature)


def decode_checkpoint_vote(data: bytes) -> CheckpointVote:
    """Read a checkpoint vote. Who signed is not looked at. Raises MessageInvalid."""
    if len(data) != CHECKPOINT_VOTE_BYTES:
        raise MessageInvalid("a checkpoint vote of another length")
    epoch, height, digest, root = CHECKPOINT_HEAD.unpack_from(data)
    if not 1 <= height <= INT64_MAX:
        raise MessageInvalid("a checkpoint's height out of range")
    signer, signature = CHECKPOINT_TAIL.unpack_from(data, CHECKPOINT_HEAD.size)
    return CheckpointVote(epoch, height, digest, root, signer, signature)


def encode_checkpoint_certificate(certificate: CheckpointCertificate, validators: int) -> bytes:
    """Write a checkpoint certificate of a set of so many validators."""
    epoch, height, digest, root, signers, signatures = certificate
    head = CHECKPOINT_HEAD.pack(epoch, height, digest, root)
    return b"".join([head, encode_signers(signers, validators), *signatures])


def decode_checkpoint_certificate(data: bytes, validators: int) -> CheckpointCertificate:
    """Read a checkpoint certificate; weight and signatures are not looked at.

    Raises MessageInvalid.
    """
    certificate, end = checkpoint_within(data, 0, validators)
    if end != len(data):
        raise MessageInvalid("a checkpoint certificate with bytes behind it")
    return certificate


def checkpoint_within(
    data: bytes, start: int, validators: int
) -> tuple[CheckpointCertificate, int]:
    """Read a checkpoint certificate that starts somewhere; give where it ends.

    Raises MessageInvalid.
    """
    at = start + CHECKPOINT_HEAD.size
    if len(data) < at:
        raise MessageInvalid("a checkpoint certificate cut short")
    epoch, height, digest, root = CHECKPOINT_HEAD.unpack_from(data, start)
    if not 1 <= height <= INT64_MAX:
        raise MessageInvalid("a checkpoint's height out of range")
    signers, first = decode_signers(data, at, validators)
    end = first + VOTE_SIGNATURE_BYTES * len(signers)
    if len(data) < end:
        raise MessageInvalid("a checkpoint certificate cut short")
    signatures = tuple(
        data[begin : begin + VOTE_SIGNATURE_BYTES]
        for begin in range(first, end, VOTE_SIGNATURE_BYTES)
    )
    return CheckpointCertificate(epoch, height, digest, root, signers, signatures), end


# --- headers and blocks --------------------------------------------------------------------------
def encode_header(header: Header, validators: int) -> bytes:
    """Write a header of a chain with so many validators."""
    assert 1 <= header.height <= INT64_MAX and 0 <= header.time_ms <= TIME_MS_MAX
    assert len(header.parent_digest) == len(header.items_digest) == DIGEST_BYTES
    checkpoint = header.checkpoint
    fixed = HEADER_FIXED.pack(VERSION, *header[:-1], checkpoint is not None)
    if checkpoint is None:
        return fixed
    return fixed + encode_checkpoint_certificate(checkpoint, validators)


def header_within(data: bytes, validators: int) -> tuple[Header, int]:
    """Read the header that a block begins with; give where it ends. Raises MessageInvalid."""
    if len(data) < HEADER_FIXED.size:
        raise MessageInvalid("a block shorter than its header")
    version, *fields, present = HEADER_FIXED.unpack_from(data)
    if version != VERSION:
        raise MessageInvalid("a block of no known version")
    if present > 1:
        raise MessageInvalid("a block whose checkpoint is neither there nor not")
    _, view, parent_view, leader, height, time_ms, _, count, size, _ = fields
    if not 1 <= view <= VIEW_MAX or parent_view >= view:
        raise MessageInvalid("a block whose views are out of range")
    if leader >= validators:
        raise MessageInvalid("a block of a leader that is no validator")
    if not 1 <= height <= INT64_MAX or time_ms > TIME_MS_MAX:
        raise MessageInvalid("a block whose height or time is out of range")
    if count > BUNDLES_PER_BLOCK_MAX or size > BLOCK_BYTES_MAX:
        raise MessageInvalid("a block of more than a block may hold")
    end = HEADER_FIXED.size
    checkpoint = None
    if present:
        checkpoint, end = checkpoint_within(data, end, validators)
    return Header._make((*fields, checkpoint)), end


def block_digest(header_bytes: bytes) -> bytes:
    """Give what a payload commits to: the digest of a block's header."""
    return sha256(BLOCK_TAG + header_bytes).digest()


def encode_block(header: Header, items: bytes, validators: int) -> bytes:
    """Write a block; the header already binds the items."""
    assert len(items) == header.items_bytes <= BLOCK_BYTES_MAX
    return encode_header(header, validators) + items


def decode_block(data: bytes, validators: int) -> DecodedBlock:
    """Read a block: lengths and the items' digest hold. Raises MessageInvalid."""
    header, end = header_within(data, validators)
    if len(data) != end + header.items_bytes:
        raise MessageInvalid("a block whose items have another length")
    header_bytes, items = data[:end], data[end:]
    if sha256(items).digest() != header.items_digest:
        raise MessageInvalid("a block whose items are not those of its header")
    return DecodedBlock(header, header_bytes, block_digest(header_bytes), items)


# --- payloads ------------------------------------------------------------------------------------
def payload_of(digest: bytes) -> bytes:
    """Give the payload that commits to a block which is broadcast whole."""
    assert len(digest) == DIGEST_BYTES
    return digest + UNCODED


def digest_of(payload: bytes) -> bytes | None:
    """Give the block digest in a payload; None if it asks for coded dispersal."""
    if len(payload) != PAYLOAD_BYTES or payload[DIGEST_BYTES:] != UNCODED:
        return None
    return payload[:DIGEST_BYTES]
