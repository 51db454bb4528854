"""Hypothesis strategies of what validators send each other, for chains of VALIDATORS."""

from collections.abc import Iterator
from hashlib import sha256

from hypothesis import strategies as st

from quorate.codec import peer
from quorate.codec.blocks import DecodedBlock, decode_block, encode_block
from quorate.codec.items import encode_items
from quorate.types.consensus import (
    VIEW_MAX,
    Certificate,
    CheckpointCertificate,
    CheckpointVote,
    Header,
    Subject,
    Vote,
    VoteKind,
    nullify_subject,
)
from quorate.types.limits import INT64_MAX, TIME_MS_MAX
from tests.codec import values

VALIDATORS = 9
U64 = st.integers(0, 2**64 - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
SIGNATURES = st.binary(min_size=64, max_size=64)
SIGNERS = st.integers(0, VALIDATORS - 1)
SEVERAL = st.lists(SIGNERS, unique=True).map(lambda found: tuple(sorted(found)))
HEIGHTS = st.integers(1, INT64_MAX)
VIEWS = st.integers(1, VIEW_MAX)
SOME_ITEMS = st.lists(values.ITEMS, min_size=1, max_size=3).map(tuple)

# One of each, fixed.
ROOT, PARENT = bytes([7]) * 32, bytes([8]) * 32
CHECKPOINT = CheckpointCertificate(3, 5, PARENT, ROOT, (0, 8), (bytes(64), bytes([1]) * 64))
ITEMS = b"\x01\x02\0\0\0ab"
HEADER = Header(3, 9, 7, 2, 6, 1_000, PARENT, 1, len(ITEMS), sha256(ITEMS).digest(), CHECKPOINT)


@st.composite
def subjects(draw: st.DrawFn, kinds: tuple[VoteKind, ...] = tuple(VoteKind)) -> Subject:
    """Draw what is voted on."""
    kind, view = draw(st.sampled_from(kinds)), draw(VIEWS)
    if kind == VoteKind.NULLIFY:
        return nullify_subject(draw(U64), view)
    payload = draw(st.binary(min_size=68, max_size=68))
    return Subject(kind, draw(U64), view, draw(st.integers(0, view - 1)), payload)


@st.composite
def certificates(draw: st.DrawFn, kinds: tuple[VoteKind, ...] = tuple(VoteKind)) -> Certificate:
    """Draw a certificate of any signers, quorum or not."""
    signers = draw(SEVERAL)
    return Certificate(draw(subjects(kinds)), signers, tuple(draw(SIGNATURES) for _ in signers))


@st.composite
def checkpoints(draw: st.DrawFn) -> CheckpointCertificate:
    """Draw a checkpoint certificate of any signers, quorum or not."""
    signers = draw(SEVERAL)
    signatures = tuple(draw(SIGNATURES) for _ in signers)
    return CheckpointCertificate(
        draw(U64), draw(HEIGHTS), draw(DIGESTS), draw(DIGESTS), signers, signatures
    )


@st.composite
def headers(draw: st.DrawFn, count: int = 0, items: bytes = b"") -> Header:
    """Draw a header that binds items."""
    view = draw(VIEWS)
    return Header(
        draw(U64),
        view,
        draw(st.integers(0, view - 1)),
        draw(SIGNERS),
        draw(HEIGHTS),
        draw(st.integers(0, TIME_MS_MAX)),
        draw(DIGESTS),
        count,
        len(items),
        sha256(items).digest(),
        draw(st.none() | checkpoints()),
    )


@st.composite
def blocks(draw: st.DrawFn) -> DecodedBlock:
    """Draw a block."""
    found = draw(st.just(()) | SOME_ITEMS)
    items = encode_items(found)
    header = draw(headers(len(found), items))
    return decode_block(encode_block(header, items, VALIDATORS), VALIDATORS)


@st.composite
def snapshots(draw: st.DrawFn) -> peer.Snapshot:
    """Draw what a snapshot is made of."""
    digests = tuple(draw(st.lists(DIGESTS, min_size=1, max_size=4)))
    chunk_bytes = draw(st.integers(1, peer.CHUNK_BYTES_MAX))
    size = chunk_bytes * (len(digests) - 1) + draw(st.integers(1, chunk_bytes))
    certificate = draw(checkpoints())
    return peer.Snapshot(certificate.height, size, chunk_bytes, digests, certificate)


CHUNKS = st.integers(0, peer.SNAPSHOT_CHUNKS_MAX - 1)
TIPS = st.integers(0, INT64_MAX)
FINALIZATIONS = certificates((VoteKind.FINALIZE,))
CHECKPOINT_VOTES = st.builds(
    CheckpointVote, U64, HEIGHTS, DIGESTS, DIGESTS, SIGNERS, SIGNATURES
)
RECORDS: dict[peer.PeerKind, st.SearchStrategy[peer.PeerRecord]] = {
    peer.PeerKind.VOTE: st.builds(Vote, subjects(), SIGNERS, SIGNATURES),
    peer.PeerKind.CERTIFICATE: certificates(),
    peer.PeerKind.WANT_CERTIFICATES: st.builds(peer.WantCertificates, U64, VIEWS),
    peer.PeerKind.PAYLOAD: blocks(),
    peer.PeerKind.WANT_PAYLOAD: st.builds(peer.WantPayload, DIGESTS),
    peer.PeerKind.BUNDLES: SOME_ITEMS.map(lambda items: peer.Bundles(items, encode_items(items))),
    peer.PeerKind.CHECKPOINT: CHECKPOINT_VOTES,
    peer.PeerKind.WANT_RANGE: st.builds(peer.WantRange, HEIGHTS),
    peer.PeerKind.RANGE: st.builds(
        peer.Range, st.lists(blocks(), min_size=1, max_size=3).map(tuple), FINALIZATIONS
    ),
    peer.PeerKind.WANT_STATUS: st.builds(peer.WantStatus, U64),
    peer.PeerKind.STATUS: st.builds(
        peer.Status,
        U64,
        st.integers(0, VIEW_MAX),
        TIPS,
        TIPS,
        TIPS,
        st.none() | certificates(),
    ),
    peer.PeerKind.WANT_SNAPSHOT: st.builds(peer.WantSnapshot, HEIGHTS),
    peer.PeerKind.SNAPSHOT: snapshots(),
    peer.PeerKind.WANT_CHUNK: st.builds(peer.WantChunk, HEIGHTS, CHUNKS),
    peer.PeerKind.CHUNK: st.builds(peer.Chunk, HEIGHTS, CHUNKS, st.binary(min_size=1)),
}


def mutations(data: bytes) -> Iterator[bytes]:
    """Give every one-byte neighbour that differs by one bit or is 0, 1 or 255, byte by byte."""
    for at, byte in enumerate(data):
        for other in sorted({byte ^ 1 << bit for bit in range(8)} | {0, 1, 255} - {byte}):
            yield data[:at] + bytes([other]) + data[at + 1 :]
