"""What validators send each other, as bytes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec import peer
from quorate.codec.blocks import encode_block
from quorate.codec.consensus import MessageInvalid, encode_vote
from quorate.codec.peer import PeerKind, decode_peer, encode_peer
from quorate.types.consensus import (
    VALIDATORS_MAX,
    VIEW_MAX,
    Certificate,
    Subject,
    Vote,
    VoteKind,
    nullify_subject,
)
from quorate.types.limits import INT64_MAX
from tests.codec.peer_values import (
    CHECKPOINT,
    HEADER,
    ITEMS,
    RECORDS,
    VALIDATORS,
    mutations,
)

KINDS = list(PeerKind)
FINALIZE = Subject(VoteKind.FINALIZE, 0, 7, 6, bytes(68))
EVERY = tuple(range(VALIDATORS_MAX))
FULL = Certificate(FINALIZE, EVERY, (bytes(64),) * VALIDATORS_MAX)


def refused(kind: int, body: bytes, said: str) -> None:
    with pytest.raises(MessageInvalid, match=said):
        decode_peer(kind, body, VALIDATORS)


def test_the_numbers_of_the_kinds_are_pinned() -> None:
    assert set(RECORDS) == set(PeerKind)
    assert [kind.name for kind in KINDS] == [
        "VOTE", "CERTIFICATE", "WANT_CERTIFICATES", "PAYLOAD", "WANT_PAYLOAD", "BUNDLES",
        "CHECKPOINT", "WANT_RANGE", "RANGE", "WANT_STATUS", "STATUS", "WANT_SNAPSHOT",
        "SNAPSHOT", "WANT_CHUNK", "CHUNK",
    ]  # fmt: skip
    assert [int(kind) for kind in KINDS] == list(range(1, 16))
    assert set(peer.URGENT) == {PeerKind(kind) for kind in (1, 2, 3, 5, 7)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_round_trips(kind: PeerKind) -> None:
    @settings(max_examples=50)
    @given(RECORDS[kind])
    def holds(record: peer.PeerRecord) -> None:
        named, body = encode_peer(record, VALIDATORS)
        found = decode_peer(kind, body, VALIDATORS)
        assert named == kind and found == record and type(found) is type(record)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_and_changed_byte_is_refused_or_another_record(kind: PeerKind) -> None:
    """A cut gives a shorter record only where the form says so: items, and a chunk's bytes."""

    @settings(max_examples=6)
    @given(RECORDS[kind])
    def holds(record: peer.PeerRecord) -> None:
        _, body = encode_peer(record, VALIDATORS)
        cuts = [body[:size] for size in range(len(body))] + [body + b"\0"]
        for changed in cuts:
            shorter = changed_record(kind, changed)
            assert shorter is None or kind in (PeerKind.BUNDLES, PeerKind.CHUNK)
        for changed in mutations(body[:600]):
            changed_record(kind, changed + body[600:], record)

    holds()


def changed_record(kind: int, body: bytes, record: Any = None) -> Any:
    """Decode, and check that what is accepted is canonical and differs; None if refused."""
    try:
        found = decode_peer(kind, body, VALIDATORS)
    except MessageInvalid as error:
        assert str(error)
        return None
    assert encode_peer(found, VALIDATORS) == (kind, body)
    assert found != record
    return found


@given(st.sampled_from(KINDS), st.binary(max_size=300))
def test_any_bytes_are_refused_or_canonical(kind: PeerKind, body: bytes) -> None:
    changed_record(kind, body)


@pytest.mark.parametrize("kind", [0, 16, 240, 255])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    refused(kind, b"", "unknown kind")


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_passes_its_limit(kind: PeerKind) -> None:
    refused(kind, bytes(peer.KIND_BYTES_MAX[kind] + 1), "over its limit")


def test_a_vote_of_nobody_is_refused() -> None:
    vote = Vote(FINALIZE, VALIDATORS - 1, bytes(64))
    assert decode_peer(PeerKind.VOTE, encode_vote(vote), VALIDATORS) == vote
    refused(PeerKind.VOTE, encode_vote(vote._replace(signer=VALIDATORS)), "of nobody")
    checkpoint = peer.CheckpointVote(0, 1, bytes(32), bytes(32), VALIDATORS - 1, bytes(64))
    _, body = encode_peer(checkpoint, VALIDATORS)
    assert decode_peer(PeerKind.CHECKPOINT, body, VALIDATORS) == checkpoint
    _, body = encode_peer(checkpoint._replace(signer=VALIDATORS), VALIDATORS)
    refused(PeerKind.CHECKPOINT, body, "of nobody")


@pytest.mark.parametrize("form", [peer.WantRange, peer.WantSnapshot])
def test_heights_start_at_1(form: Any) -> None:
    for height in (0, INT64_MAX + 1):
        kind, body = encode_peer(form(height), VALIDATORS)
        refused(kind, body, "height out of range")
    for height in (1, INT64_MAX):
        kind, body = encode_peer(form(height), VALIDATORS)
        assert decode_peer(kind, body, VALIDATORS) == form(height)


@pytest.mark.parametrize("form", [peer.WantChunk, lambda h, i: peer.Chunk(h, i, b"x")])
def test_a_chunk_has_its_bounds(form: Any) -> None:
    for height, chunk in [(0, 0), (INT64_MAX + 1, 0), (1, peer.SNAPSHOT_CHUNKS_MAX)]:
        kind, body = encode_peer(form(height, chunk), VALIDATORS)
        refused(kind, body, "height out of range|beyond any snapshot")


def test_the_greatest_chunk_passes_and_an_empty_one_does_not() -> None:
    chunk = peer.Chunk(1, 2, bytes(peer.CHUNK_BYTES_MAX))
    assert changed_record(*encode_peer(chunk, VALIDATORS)) == chunk
    refused(*encode_peer(chunk._replace(data=b""), VALIDATORS), "of nothing")


def test_bundles_are_items() -> None:
    refused(PeerKind.BUNDLES, b"", "no bundles")
    refused(PeerKind.BUNDLES, b"\x01\x05\0\0\0abcd", "LENGTH_MUST_MATCH_COUNT")


def test_a_range_is_of_some_blocks_and_finalized() -> None:
    certificate = Certificate(FINALIZE, (), ())
    tail = peer.encode_certificate(certificate, VALIDATORS)
    refused(PeerKind.RANGE, b"\0\0" + tail, "no or of too many")
    many = peer.COUNT.pack(peer.RANGE_BLOCKS_MAX + 1)
    refused(PeerKind.RANGE, many + tail, "no or of too many")
    block = encode_block(HEADER, ITEMS, VALIDATORS)
    for subject in (FINALIZE._replace(kind=VoteKind.NOTARIZE), nullify_subject(0, 7)):
        body = peer.encode_range([block], Certificate(subject, (), ()), VALIDATORS)
        refused(PeerKind.RANGE, body, "not finalized")
    body = peer.encode_range([block] * 3, certificate, VALIDATORS)
    found = decode_peer(PeerKind.RANGE, body, VALIDATORS)
    assert isinstance(found, peer.Range)
    assert [it.header_bytes + it.items for it in found.blocks] == [block] * 3
    with pytest.raises(AssertionError):
        peer.encode_range([], certificate, VALIDATORS)


@pytest.mark.parametrize(
    ("field", "greatest", "said"),
    [
        ("view", VIEW_MAX, "out of range"),
        ("tip", INT64_MAX, "out of range"),
        ("range_base", INT64_MAX, "out of range"),
        ("snapshot", INT64_MAX, "out of range"),
    ],
)
def test_a_status_has_its_bounds(field: str, greatest: int, said: str) -> None:
    status = peer.Status(2**64 - 1, 1, 0, 1, 0, None)
    kind, body = encode_peer(status._replace(**{field: greatest}), VALIDATORS)
    assert changed_record(kind, body) is not None
    kind, body = encode_peer(status._replace(**{field: greatest + 1}), VALIDATORS)
    refused(kind, body, said)


def test_a_status_has_a_certificate_or_not() -> None:
    _, body = encode_peer(peer.Status(1, 1, 0, 1, 0, None), VALIDATORS)
    refused(PeerKind.STATUS, body[:-1] + b"\x02", "neither there nor not")
    refused(PeerKind.STATUS, body + b"\0", "bytes behind it")
    refused(PeerKind.STATUS, body[:-1] + b"\x01", "shorter than its head")


SNAPSHOT = peer.Snapshot(CHECKPOINT.height, 25, 10, (bytes(32),) * 3, CHECKPOINT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 20}, "add up"),
        ({"size": 31}, "add up"),
        ({"size": 0}, "add up"),
        ({"size": 0, "digests": ()}, "chunks out of range"),
        ({"chunk_bytes": 0}, "chunks out of range"),
        ({"chunk_bytes": peer.CHUNK_BYTES_MAX + 1}, "chunks out of range"),
        ({"height": CHECKPOINT.height + 1}, "checkpoint of another height"),
        ({"size": 10 * 65_537, "digests": (bytes(32),) * 65_537}, "chunks out of range"),
    ],
)
def test_a_snapshot_agrees_with_itself(changes: dict[str, Any], said: str) -> None:
    kind, body = encode_peer(SNAPSHOT, VALIDATORS)
    assert changed_record(kind, body) == SNAPSHOT
    wrong = peer.encode_snapshot(SNAPSHOT._replace(**changes), VALIDATORS)
    refused(PeerKind.SNAPSHOT, wrong, said)


def test_the_greatest_of_each_kind_has_the_stated_size() -> None:
    checkpoint = CHECKPOINT._replace(signers=EVERY, signatures=(bytes(64),) * VALIDATORS_MAX)
    chunks = peer.SNAPSHOT_CHUNKS_MAX
    greatest: list[peer.PeerRecord] = [
        Vote(FINALIZE, 0, bytes(64)),
        FULL,
        peer.WantCertificates(0, 1),
        peer.WantPayload(bytes(32)),
        peer.CheckpointVote(0, 1, bytes(32), bytes(32), 0, bytes(64)),
        peer.WantRange(1),
        peer.WantStatus(0),
        peer.Status(0, 1, 0, 1, 0, FULL),
        peer.WantSnapshot(1),
        peer.Snapshot(checkpoint.height, chunks, 1, (bytes(32),) * chunks, checkpoint),
        peer.WantChunk(1, 0),
        peer.Chunk(1, 0, bytes(peer.CHUNK_BYTES_MAX)),
    ]
    for record in greatest:
        kind, body = encode_peer(record, VALIDATORS_MAX)
        assert len(body) == peer.KIND_BYTES_MAX[kind], kind
        assert decode_peer(kind, body, VALIDATORS_MAX) == record


def test_the_encoder_refuses_what_every_peer_would() -> None:
    with pytest.raises(AssertionError):
        encode_peer(peer.Chunk(1, 0, bytes(peer.CHUNK_BYTES_MAX + 1)), VALIDATORS)
