"""What validators send each other: the body of each kind of frame <-> a record, little-endian.

    VOTE               vote (codec.consensus)
    CERTIFICATE        certificate (codec.consensus)
    WANT_CERTIFICATES  epoch u64, view u64
    PAYLOAD            block (codec.blocks)
    WANT_PAYLOAD       block digest 32
    BUNDLES            items, at least one (codec.items)
    CHECKPOINT         checkpoint vote (codec.blocks)
    WANT_RANGE         height u64: finalized blocks from there on
    RANGE              blocks u16, at least 1; each length u32, block; finalization certificate of
                       the last
    WANT_STATUS        nonce u64
    STATUS             nonce u64, view u64, tip height u64, range_base u64, snapshot height u64,
                       present u8, then the certificate that let us into the view if present is 1
    WANT_SNAPSHOT      height u64
    SNAPSHOT           height u64, size u64, chunk_bytes u32, chunks u32, digest 32 of each chunk,
                       checkpoint certificate of the same height
    WANT_CHUNK         height u64, chunk u32
    CHUNK              height u64, chunk u32, bytes, at least one

The kind itself stands in the transport's frame. Decoding looks at form alone: signatures, weights
and whether a message fits what we know are for those whom the record is handed to.
"""

import struct
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from quorate.codec.blocks import (
    CHECKPOINT_CERTIFICATE_BYTES_MAX,
    CHECKPOINT_VOTE_BYTES,
    WHOLE_BLOCK_BYTES_MAX,
    DecodedBlock,
    checkpoint_within,
    decode_block,
    decode_checkpoint_vote,
    encode_checkpoint_certificate,
    encode_checkpoint_vote,
)
from quorate.codec.consensus import (
    CERTIFICATE_BYTES_MAX,
    SUBJECT_HEAD,
    SUBJECT_TAIL,
    VOTE_TAIL,
    WANT,
    MessageInvalid,
    certificate_within,
    decode_certificate,
    decode_vote,
    decode_want,
    encode_certificate,
    encode_vote,
    encode_want,
)
from quorate.codec.items import ITEM_HEAD, decode_items
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.consensus import (
    DIGEST_BYTES,
    VIEW_MAX,
    Certificate,
    CheckpointCertificate,
    CheckpointVote,
    Vote,
    VoteKind,
)
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLE_BYTES_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
    INT64_MAX,
)

COUNT: Final = struct.Struct("<H")
LENGTH: Final = struct.Struct("<I")
NUMBER: Final = struct.Struct("<Q")  # a height or a nonce
STATUS_HEAD: Final = struct.Struct("<QQQQQB")
SNAPSHOT_HEAD: Final = struct.Struct("<QQII")
CHUNK_HEAD: Final = struct.Struct("<QI")

RANGE_BLOCKS_MAX: Final = 1 << 12
RANGE_BYTES_MAX: Final = 32 << 20
BUNDLES_BYTES_MAX: Final = COMMANDS_PER_BLOCK_MAX * COMMAND_BYTES  # as large as a client's batch
CHUNK_BYTES_MAX: Final = 4 << 20
SNAPSHOT_CHUNKS_MAX: Final = 1 << 16


class PeerKind(IntEnum):
    """What a frame between validators holds."""

    VOTE = 1
    CERTIFICATE = 2
    WANT_CERTIFICATES = 3
    PAYLOAD = 4
    WANT_PAYLOAD = 5
    BUNDLES = 6
    CHECKPOINT = 7
    WANT_RANGE = 8
    RANGE = 9
    WANT_STATUS = 10
    STATUS = 11
    WANT_SNAPSHOT = 12
    SNAPSHOT = 13
    WANT_CHUNK = 14
    CHUNK = 15


# What goes before all else: small, and agreement waits for it.
URGENT: Final = frozenset(
    {
        PeerKind.VOTE,
        PeerKind.CERTIFICATE,
        PeerKind.WANT_CERTIFICATES,
        PeerKind.CHECKPOINT,
        PeerKind.WANT_PAYLOAD,
    }
)

# The greatest body of each kind, in bytes.
KIND_BYTES_MAX: Final[dict[int, int]] = {
    PeerKind.VOTE: SUBJECT_HEAD.size + SUBJECT_TAIL.size + VOTE_TAIL.size,
    PeerKind.CERTIFICATE: CERTIFICATE_BYTES_MAX,
    PeerKind.WANT_CERTIFICATES: WANT.size,
    PeerKind.PAYLOAD: WHOLE_BLOCK_BYTES_MAX,
    PeerKind.WANT_PAYLOAD: DIGEST_BYTES,
    PeerKind.BUNDLES: BUNDLES_BYTES_MAX,
    PeerKind.CHECKPOINT: CHECKPOINT_VOTE_BYTES,
    PeerKind.WANT_RANGE: NUMBER.size,
    PeerKind.RANGE: RANGE_BYTES_MAX,
    PeerKind.WANT_STATUS: NUMBER.size,
    PeerKind.STATUS: STATUS_HEAD.size + CERTIFICATE_BYTES_MAX,
    PeerKind.WANT_SNAPSHOT: NUMBER.size,
    PeerKind.SNAPSHOT: (
        SNAPSHOT_HEAD.size + SNAPSHOT_CHUNKS_MAX * DIGEST_BYTES + CHECKPOINT_CERTIFICATE_BYTES_MAX
    ),
    PeerKind.WANT_CHUNK: CHUNK_HEAD.size,
    PeerKind.CHUNK: CHUNK_HEAD.size + CHUNK_BYTES_MAX,
}

# --- relations -----------------------------------------------------------------------------------
assert list(KIND_BYTES_MAX) == list(PeerKind)
# Whatever a chain may decide, a range can carry at least its next block.
RANGE_REST: Final = COUNT.size + LENGTH.size + CERTIFICATE_BYTES_MAX
assert RANGE_BYTES_MAX >= RANGE_REST + WHOLE_BLOCK_BYTES_MAX
assert RANGE_BLOCKS_MAX < 1 << 8 * COUNT.size
# Any bundle that a block can carry can be gossiped.
assert ITEM_HEAD.size + BUNDLE_BYTES_MAX <= BUNDLES_BYTES_MAX <= BLOCK_BYTES_MAX
# What is urgent is small, so that it never waits for itself.
assert all(KIND_BYTES_MAX[kind] <= 1 << 14 for kind in sorted(URGENT))


# --- records -------------------------------------------------------------------------------------
class WantCertificates(NamedTuple):
    """Please send what certificates you have of a view."""

    epoch: int
    view: int


class WantPayload(NamedTuple):
    """Please send the block with this digest."""

    digest: bytes


class Bundles(NamedTuple):
    """Items that wait for a block; data: their canonical bytes."""

    items: tuple[Item, ...]
    data: bytes


class WantRange(NamedTuple):
    """Please send finalized blocks from a height on."""

    height: int


class Range(NamedTuple):
    """Finalized blocks, and the certificate that finalizes the last one and so all."""

    blocks: tuple[DecodedBlock, ...]
    certificate: Certificate


class WantStatus(NamedTuple):
    """Please say where you are; the nonce shows that the answer is later than this."""

    nonce: int


class Status(NamedTuple):
    """Where a validator is. entry: the certificate that let it into its view, None in the first.

    tip: the height finalized last; range_base: the least height that it serves in ranges;
    snapshot: the height of the snapshot that it serves, 0 for none.
    """

    nonce: int
    view: int
    tip: int
    range_base: int
    snapshot: int
    entry: Certificate | None


class WantSnapshot(NamedTuple):
    """Please say what the snapshot of a height is made of."""

    height: int


class Snapshot(NamedTuple):
    """What a snapshot is made of: all chunks have chunk_bytes but the last, which has the rest."""

    height: int
    size: int
    chunk_bytes: int
    digests: tuple[bytes, ...]
    certificate: CheckpointCertificate


class WantChunk(NamedTuple):
    """Please send one chunk of the snapshot of a height; chunks count from 0."""

    height: int
    chunk: int


class Chunk(NamedTuple):
    """One chunk of the snapshot of a height."""

    height: int
    chunk: int
    data: bytes


PeerRecord = (
    Vote
    | Certificate
    | WantCertificates
    | DecodedBlock
    | WantPayload
    | Bundles
    | CheckpointVote
    | WantRange
    | Range
    | WantStatus
    | Status
    | WantSnapshot
    | Snapshot
    | WantChunk
    | Chunk
)


# --- encoding ------------------------------------------------------------------------------------
def encode_range(blocks: Sequence[bytes], certificate: Certificate, validators: int) -> bytes:
    """Write a range from the bytes of its blocks."""
    assert 1 <= len(blocks) <= RANGE_BLOCKS_MAX
    parts = [COUNT.pack(len(blocks))]
    for block in blocks:
        parts += (LENGTH.pack(len(block)), block)
    return b"".join([*parts, encode_certificate(certificate, validators)])


def encode_status(status: Status, validators: int) -> bytes:
    """Write a status."""
    *numbers, entry = status
    head = STATUS_HEAD.pack(*numbers, entry is not None)
    return head if entry is None else head + encode_certificate(entry, validators)


def encode_snapshot(snapshot: Snapshot, validators: int) -> bytes:
    """Write what a snapshot is made of."""
    height, size, chunk_bytes, digests, certificate = snapshot
    head = SNAPSHOT_HEAD.pack(height, size, chunk_bytes, len(digests))
    tail = encode_checkpoint_certificate(certificate, validators)
    return b"".join([head, *digests, tail])


Encoder = tuple[PeerKind, Callable[[Any, int], bytes]]
ENCODERS: Final[dict[type, Encoder]] = {
    Vote: (PeerKind.VOTE, lambda record, _: encode_vote(record)),
    Certificate: (PeerKind.CERTIFICATE, encode_certificate),
    WantCertificates: (PeerKind.WANT_CERTIFICATES, lambda record, _: encode_want(*record)),
    DecodedBlock: (PeerKind.PAYLOAD, lambda record, _: record.header_bytes + record.items),
    WantPayload: (PeerKind.WANT_PAYLOAD, lambda record, _: record.digest),
    Bundles: (PeerKind.BUNDLES, lambda record, _: record.data),
    CheckpointVote: (PeerKind.CHECKPOINT, lambda record, _: encode_checkpoint_vote(record)),
    WantRange: (PeerKind.WANT_RANGE, lambda record, _: NUMBER.pack(*record)),
    Range: (
        PeerKind.RANGE,
        lambda record, validators: encode_range(
            [block.header_bytes + block.items for block in record.blocks],
            record.certificate,
            validators,
        ),
    ),
    WantStatus: (PeerKind.WANT_STATUS, lambda record, _: NUMBER.pack(*record)),
    Status: (PeerKind.STATUS, encode_status),
    WantSnapshot: (PeerKind.WANT_SNAPSHOT, lambda record, _: NUMBER.pack(*record)),
    Snapshot: (PeerKind.SNAPSHOT, encode_snapshot),
    WantChunk: (PeerKind.WANT_CHUNK, lambda record, _: CHUNK_HEAD.pack(*record)),
    Chunk: (
        PeerKind.CHUNK,
        lambda record, _: CHUNK_HEAD.pack(record.height, record.chunk) + record.data,
    ),
}


def encode_peer(record: PeerRecord, validators: int) -> tuple[PeerKind, bytes]:
    """Write a record; give the kind of its frame and the body."""
    kind, encode = ENCODERS[type(record)]
    body = encode(record, validators)
    assert len(body) <= KIND_BYTES_MAX[kind], "a frame that every peer would refuse"
    return kind, body


# --- decoding ------------------------------------------------------------------------------------
def unpacked(form: struct.Struct, body: bytes) -> tuple[int, ...]:
    """Read a body of fixed length. Raises MessageInvalid."""
    if len(body) != form.size:
        raise MessageInvalid("a body of another length")
    return form.unpack(body)


def height_checked(height: int) -> int:
    """Give the height of a block, which is at least 1. Raises MessageInvalid."""
    if not 1 <= height <= INT64_MAX:
        raise MessageInvalid("a height out of range")
    return height


def chunk_checked(chunk: int) -> int:
    """Give the number of a chunk. Raises MessageInvalid."""
    if chunk >= SNAPSHOT_CHUNKS_MAX:
        raise MessageInvalid("a chunk beyond any snapshot")
    return chunk


def read_vote(body: bytes, validators: int) -> Vote:
    """Read a vote of one of the validators. Raises MessageInvalid."""
    vote = decode_vote(body)
    if vote.signer >= validators:
        raise MessageInvalid("a vote of nobody")
    return vote


def read_checkpoint(body: bytes, validators: int) -> CheckpointVote:
    """Read a checkpoint vote of one of the validators. Raises MessageInvalid."""
    vote = decode_checkpoint_vote(body)
    if vote.signer >= validators:
        raise MessageInvalid("a checkpoint vote of nobody")
    return vote


def read_want_payload(body: bytes, _: int) -> WantPayload:
    """Read a request for a block. Raises MessageInvalid."""
    if len(body) != DIGEST_BYTES:
        raise MessageInvalid("a digest of another length")
    return WantPayload(body)


def read_bundles(body: bytes, _: int) -> Bundles:
    """Read items; what is inside them is for admission to judge. Raises MessageInvalid."""
    items = decode_items(body)
    if isinstance(items, Reject):
        raise MessageInvalid(f"bundles that are no items: {items.name}")
    if not items:
        raise MessageInvalid("a message of no bundles")
    return Bundles(items, body)


def read_range(body: bytes, validators: int) -> Range:
    """Read finalized blocks; whether each is the next one's parent is not looked at.

    Raises MessageInvalid.
    """
    if len(body) < COUNT.size:
        raise MessageInvalid("a range cut short")
    (count,) = COUNT.unpack_from(body)
    if not 1 <= count <= RANGE_BLOCKS_MAX:
        raise MessageInvalid("a range of no or of too many blocks")
    blocks: list[DecodedBlock] = []
    at = COUNT.size
    for _ in range(count):
        first = at + LENGTH.size
        if len(body) < first:
            raise MessageInvalid("a range cut short")
        at = first + LENGTH.unpack_from(body, at)[0]
        if len(body) < at:
            raise MessageInvalid("a range cut short")
        blocks.append(decode_block(body[first:at], validators))
    certificate, end = certificate_within(body, at, validators)
    if end != len(body):
        raise MessageInvalid("a range with bytes behind it")
    if certificate.subject.kind != VoteKind.FINALIZE:
        raise MessageInvalid("a range that is not finalized")
    return Range(tuple(blocks), certificate)


def read_status(body: bytes, validators: int) -> Status:
    """Read where a validator says that it is. Raises MessageInvalid."""
    if len(body) < STATUS_HEAD.size:
        raise MessageInvalid("a status cut short")
    nonce, view, tip, base, snapshot, present = STATUS_HEAD.unpack_from(body)
    if view > VIEW_MAX or max(tip, base, snapshot) > INT64_MAX:
        raise MessageInvalid("a status out of range")
    if present > 1:
        raise MessageInvalid("a status whose certificate is neither there nor not")
    entry, end = None, STATUS_HEAD.size
    if present:
        entry, end = certificate_within(body, end, validators)
    if end != len(body):
        raise MessageInvalid("a status with bytes behind it")
    return Status(nonce, view, tip, base, snapshot, entry)


def read_snapshot(body: bytes, validators: int) -> Snapshot:
    """Read what a snapshot is made of: its numbers agree. Raises MessageInvalid."""
    if len(body) < SNAPSHOT_HEAD.size:
        raise MessageInvalid("a snapshot's parts cut short")
    height, size, chunk_bytes, count = SNAPSHOT_HEAD.unpack_from(body)
    if not 1 <= chunk_bytes <= CHUNK_BYTES_MAX or not 1 <= count <= SNAPSHOT_CHUNKS_MAX:
        raise MessageInvalid("a snapshot of chunks out of range")
    if count != -(-size // chunk_bytes):
        raise MessageInvalid("a snapshot whose chunks do not add up to its size")
    at = SNAPSHOT_HEAD.size
    first = at + count * DIGEST_BYTES
    if len(body) < first:
        raise MessageInvalid("a snapshot's parts cut short")
    certificate, end = checkpoint_within(body, first, validators)
    if end != len(body):
        raise MessageInvalid("a snapshot's parts with bytes behind them")
    if certificate.height != height:
        raise MessageInvalid("a snapshot with the checkpoint of another height")
    digests = tuple(body[i : i + DIGEST_BYTES] for i in range(at, first, DIGEST_BYTES))
    return Snapshot(height, size, chunk_bytes, digests, certificate)


def read_want_chunk(body: bytes, _: int) -> WantChunk:
    """Read a request for a chunk. Raises MessageInvalid."""
    height, chunk = unpacked(CHUNK_HEAD, body)
    return WantChunk(height_checked(height), chunk_checked(chunk))


def read_chunk(body: bytes, _: int) -> Chunk:
    """Read a chunk. Raises MessageInvalid."""
    if len(body) <= CHUNK_HEAD.size:
        raise MessageInvalid("a chunk of nothing")
    height, chunk = CHUNK_HEAD.unpack_from(body)
    return Chunk(height_checked(height), chunk_checked(chunk), body[CHUNK_HEAD.size :])


DECODERS: Final[dict[int, Callable[[bytes, int], PeerRecord]]] = {
    PeerKind.VOTE: read_vote,
    PeerKind.CERTIFICATE: decode_certificate,
    PeerKind.WANT_CERTIFICATES: lambda body, _: WantCertificates(*decode_want(body)),
    PeerKind.PAYLOAD: decode_block,
    PeerKind.WANT_PAYLOAD: read_want_payload,
    PeerKind.BUNDLES: read_bundles,
    PeerKind.CHECKPOINT: read_checkpoint,
    PeerKind.WANT_RANGE: lambda body, _: WantRange(height_checked(*unpacked(NUMBER, body))),
    PeerKind.RANGE: read_range,
    PeerKind.WANT_STATUS: lambda body, _: WantStatus(*unpacked(NUMBER, body)),
    PeerKind.STATUS: read_status,
    PeerKind.WANT_SNAPSHOT: lambda body, _: WantSnapshot(height_checked(*unpacked(NUMBER, body))),
    PeerKind.SNAPSHOT: read_snapshot,
    PeerKind.WANT_CHUNK: read_want_chunk,
    PeerKind.CHUNK: read_chunk,
}
assert list(DECODERS) == list(PeerKind)


def decode_peer(kind: int, body: bytes, validators: int) -> PeerRecord:
    """Read the body of a frame. Raises MessageInvalid for what no honest validator writes."""
    decode = DECODERS.get(kind)
    if decode is None:
        raise MessageInvalid(f"a frame of the unknown kind {kind}")
    if len(body) > KIND_BYTES_MAX[kind]:
        raise MessageInvalid(f"a frame of kind {kind} over its limit")
    return decode(body, validators)
