"""Votes, certificates and requests of agreement <-> canonical bytes, little-endian.

    subject      kind u8, epoch u64, view u64; unless a nullify: parent_view u64, payload 68
    vote         subject, signer u16, signature 64
    certificate  subject, validators u16, bitmap of ceil(validators / 8) bytes, 64 per signer
    want         epoch u64, view u64

A bitmap has the bit 1 << (i % 8) of byte i // 8 for signer i, and no bit beyond its validators.
What a validator signs is SHA-256(tag 16, chain_id u64, consensus genesis hash 32, subject).
"""

import struct
from hashlib import sha256
from typing import Final

from quorate.types.consensus import (
    PAYLOAD_BYTES,
    VALIDATORS_MAX,
    VIEW_MAX,
    VOTE_SIGNATURE_BYTES,
    Certificate,
    Subject,
    Vote,
    VoteKind,
)

SUBJECT_HEAD: Final = struct.Struct("<BQQ")
SUBJECT_TAIL: Final = struct.Struct(f"<Q{PAYLOAD_BYTES}s")
VOTE_TAIL: Final = struct.Struct(f"<H{VOTE_SIGNATURE_BYTES}s")
COUNT: Final = struct.Struct("<H")
WANT: Final = struct.Struct("<QQ")
TAGS: Final = {
    VoteKind.NOTARIZE: b"QUORATE-NOTARIZE",
    VoteKind.NULLIFY: b"QUORATE-NULLIFY1",
    VoteKind.FINALIZE: b"QUORATE-FINALIZE",
}
CERTIFICATE_BYTES_MAX: Final = (
    SUBJECT_HEAD.size
    + SUBJECT_TAIL.size
    + COUNT.size
    + (VALIDATORS_MAX + 7) // 8
    + VALIDATORS_MAX * VOTE_SIGNATURE_BYTES
)
assert len({len(tag) for tag in TAGS.values()}) == 1


class MessageInvalid(Exception):
    """Bytes of a peer that are refused. The sentence says what is wrong; the peer is counted."""


def domain(chain_id: int, consensus_hash: bytes) -> bytes:
    """Give what binds a vote to its chain."""
    assert len(consensus_hash) == 32
    return chain_id.to_bytes(8, "little") + consensus_hash


def subject_digest(bound: bytes, subject: Subject) -> bytes:
    """Give the 32 bytes that a validator signs. bound: as `domain` gives it."""
    return sha256(TAGS[VoteKind(subject.kind)] + bound + encode_subject(subject)).digest()


def encode_subject(subject: Subject) -> bytes:
    """Write a subject."""
    head = SUBJECT_HEAD.pack(subject.kind, subject.epoch, subject.view)
    if subject.kind == VoteKind.NULLIFY:
        return head
    return head + SUBJECT_TAIL.pack(subject.parent_view, subject.payload)


def decode_subject(data: bytes) -> tuple[Subject, int]:
    """Read a subject; give it and where it ends. Raises MessageInvalid."""
    if len(data) < SUBJECT_HEAD.size:
        raise MessageInvalid("a subject shorter than its head")
    kind, epoch, view = SUBJECT_HEAD.unpack_from(data)
    at = SUBJECT_HEAD.size
    if not 1 <= view <= VIEW_MAX:
        raise MessageInvalid("a view out of range")
    if kind == VoteKind.NULLIFY:
        return Subject(kind, epoch, view, 0, b""), at
    if kind not in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
        raise MessageInvalid("a subject of no known kind")
    if len(data) < at + SUBJECT_TAIL.size:
        raise MessageInvalid("a proposal cut short")
    parent_view, payload = SUBJECT_TAIL.unpack_from(data, at)
    if parent_view >= view:
        raise MessageInvalid("a proposal whose parent is not before it")
    return Subject(kind, epoch, view, parent_view, payload), at + SUBJECT_TAIL.size


def encode_vote(vote: Vote) -> bytes:
    """Write a vote."""
    return encode_subject(vote.subject) + VOTE_TAIL.pack(vote.signer, vote.signature)


def decode_vote(data: bytes) -> Vote:
    """Read a vote. Whether it is signed is not looked at. Raises MessageInvalid."""
    subject, at = decode_subject(data)
    if len(data) != at + VOTE_TAIL.size:
        raise MessageInvalid("a vote of another length")
    signer, signature = VOTE_TAIL.unpack_from(data, at)
    return Vote(subject, signer, signature)


def encode_signers(signers: tuple[int, ...], validators: int) -> bytes:
    """Write a bitmap behind the number of validators."""
    bits = 0
    for signer in signers:
        bits |= 1 << signer
    return COUNT.pack(validators) + bits.to_bytes((validators + 7) // 8, "little")


def decode_signers(data: bytes, at: int, validators: int) -> tuple[tuple[int, ...], int]:
    """Read a bitmap of exactly so many validators. Raises MessageInvalid."""
    end = at + COUNT.size + (validators + 7) // 8
    if len(data) < end:
        raise MessageInvalid("a bitmap cut short")
    if COUNT.unpack_from(data, at)[0] != validators:
        raise MessageInvalid("a bitmap of another number of validators")
    bits = int.from_bytes(data[at + COUNT.size : end], "little")
    if bits >> validators:
        raise MessageInvalid("a bitmap with bits beyond its validators")
    return tuple(index for index in range(validators) if bits >> index & 1), end


def encode_certificate(certificate: Certificate, validators: int) -> bytes:
    """Write a certificate of a set of so many validators."""
    parts = [encode_subject(certificate.subject), encode_signers(certificate.signers, validators)]
    return b"".join([*parts, *certificate.signatures])


def decode_certificate(data: bytes, validators: int) -> Certificate:
    """Read a certificate; its weight and signatures are not looked at. Raises MessageInvalid."""
    certificate, end = certificate_within(data, 0, validators)
    if end != len(data):
        raise MessageInvalid("a certificate with bytes behind it")
    return certificate


def certificate_within(data: bytes, start: int, validators: int) -> tuple[Certificate, int]:
    """Read a certificate that starts somewhere; give where it ends. Raises MessageInvalid."""
    subject, size = decode_subject(data[start : start + SUBJECT_HEAD.size + SUBJECT_TAIL.size])
    signers, at = decode_signers(data, start + size, validators)
    end = at + VOTE_SIGNATURE_BYTES * len(signers)
    if len(data) < end:
        raise MessageInvalid("a certificate cut short")
    signatures = tuple(
        data[first : first + VOTE_SIGNATURE_BYTES]
        for first in range(at, end, VOTE_SIGNATURE_BYTES)
    )
    return Certificate(subject, signers, signatures), end


def encode_want(epoch: int, view: int) -> bytes:
    """Write a request for the certificates of a view."""
    return WANT.pack(epoch, view)


def decode_want(data: bytes) -> tuple[int, int]:
    """Read a request for the certificates of a view. Raises MessageInvalid."""
    if len(data) != WANT.size:
        raise MessageInvalid("a request of another length")
    epoch, view = WANT.unpack(data)
    if not 1 <= view <= VIEW_MAX:
        raise MessageInvalid("a view out of range")
    return epoch, view
