"""Votes, certificates and requests <-> bytes: one encoding each, everything else refused."""

import struct
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec.consensus import (
    CERTIFICATE_BYTES_MAX,
    MessageInvalid,
    certificate_within,
    decode_certificate,
    decode_signers,
    decode_subject,
    decode_vote,
    decode_want,
    domain,
    encode_certificate,
    encode_signers,
    encode_subject,
    encode_vote,
    encode_want,
    subject_digest,
)
from quorate.types.consensus import VALIDATORS_MAX, VIEW_MAX, Certificate, Subject, Vote

PAYLOAD, SIGNATURE = bytes(range(68)), bytes(range(64))
NULLIFY_BYTES = struct.pack("<BQQ", 2, 7, 9)
NOTARIZE_BYTES = struct.pack("<BQQQ", 1, 7, 9, 4) + PAYLOAD

views = st.integers(1, VIEW_MAX)
epochs = st.integers(0, 2**64 - 1)


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    """Draw what can be voted on."""
    kind, epoch, view = draw(st.sampled_from([1, 2, 3])), draw(epochs), draw(views)
    if kind == 2:
        return Subject(kind, epoch, view, 0, b"")
    payload = draw(st.binary(min_size=68, max_size=68))
    return Subject(kind, epoch, view, draw(st.integers(0, view - 1)), payload)


@st.composite
def certificates(draw: st.DrawFn) -> tuple[Certificate, int]:
    """Draw a certificate, and of how many validators."""
    count = draw(st.integers(1, VALIDATORS_MAX))
    signers = sorted(draw(st.sets(st.integers(0, count - 1), max_size=12)))
    signatures = tuple(bytes([signer]) * 64 for signer in signers)
    return Certificate(draw(subjects()), tuple(signers), signatures), count


def votes() -> st.SearchStrategy[Vote]:
    return st.builds(
        Vote, subjects(), st.integers(0, 2**16 - 1), st.binary(min_size=64, max_size=64)
    )


def ends(decode: Callable[[bytes], Any], data: bytes) -> Any:
    """Decode, or say that it was refused; any other exception is a failure."""
    try:
        return decode(data)
    except MessageInvalid as refused:
        assert str(refused)
        return None


# --- what is well formed -------------------------------------------------------------------------
def test_the_layout_is_as_written_down() -> None:
    notarize, nullify = Subject(1, 7, 9, 4, PAYLOAD), Subject(2, 7, 9, 0, b"")
    assert encode_subject(notarize) == NOTARIZE_BYTES
    assert encode_subject(nullify) == NULLIFY_BYTES
    assert encode_vote(Vote(nullify, 258, SIGNATURE)) == NULLIFY_BYTES + b"\x02\x01" + SIGNATURE
    made = encode_certificate(Certificate(nullify, (0, 9), (SIGNATURE, bytes(64))), 10)
    assert made == NULLIFY_BYTES + b"\x0a\x00\x01\x02" + SIGNATURE + bytes(64)
    assert encode_want(7, 9) == struct.pack("<QQ", 7, 9)


def test_what_is_signed_binds_tag_chain_and_genesis() -> None:
    """By the words of the module's docstring; each kind has a tag of its own."""
    bound = domain(5, b"\x11" * 32)
    signed = b"QUORATE-NOTARIZE" + struct.pack("<Q", 5) + b"\x11" * 32 + NOTARIZE_BYTES
    assert subject_digest(bound, Subject(1, 7, 9, 4, PAYLOAD)) == sha256(signed).digest()
    digests = {
        subject_digest(other, subject)
        for other in (bound, domain(6, b"\x11" * 32), domain(5, b"\x12" * 32))
        for subject in (
            Subject(1, 7, 9, 4, PAYLOAD), Subject(2, 7, 9, 0, b""), Subject(3, 7, 9, 4, PAYLOAD)
        )
    }  # fmt: skip
    assert len(digests) == 9


@given(votes())
def test_votes_come_back(vote: Vote) -> None:
    assert decode_vote(encode_vote(vote)) == vote


@given(certificates())
def test_certificates_come_back(drawn: tuple[Certificate, int]) -> None:
    certificate, count = drawn
    data = encode_certificate(certificate, count)
    assert len(data) <= CERTIFICATE_BYTES_MAX
    assert decode_certificate(data, count) == certificate
    within = certificate_within(b"\xffpad" + data + b"rest", 4, count)
    assert within == (certificate, 4 + len(data))


@given(epochs, views)
def test_wants_come_back(epoch: int, view: int) -> None:
    assert decode_want(encode_want(epoch, view)) == (epoch, view)


def test_the_largest_certificate_has_the_stated_size() -> None:
    subject = Subject(3, 2**64 - 1, VIEW_MAX, VIEW_MAX - 1, PAYLOAD)
    signers = tuple(range(VALIDATORS_MAX))
    data = encode_certificate(Certificate(subject, signers, (SIGNATURE,) * 128), VALIDATORS_MAX)
    assert len(data) == CERTIFICATE_BYTES_MAX
    assert decode_certificate(data, VALIDATORS_MAX).signers == signers


# --- what is not ---------------------------------------------------------------------------------
@given(votes())
def test_a_vote_of_any_other_length_is_refused(vote: Vote) -> None:
    data = encode_vote(vote)
    for cut in range(len(data)):
        with pytest.raises(MessageInvalid):
            decode_vote(data[:cut])
    with pytest.raises(MessageInvalid):
        decode_vote(data + b"\x00")


@given(certificates())
def test_a_certificate_cut_or_padded_anywhere_is_refused(drawn: tuple[Certificate, int]) -> None:
    certificate, count = drawn
    data = encode_certificate(certificate, count)
    for cut in range(0, len(data), 1 + len(data) // 150):
        with pytest.raises(MessageInvalid):
            decode_certificate(data[:cut], count)
    for padded in (data + b"\x00", data + bytes(64), data + data):
        with pytest.raises(MessageInvalid):
            decode_certificate(padded, count)


def test_a_request_of_any_other_length_is_refused() -> None:
    data = encode_want(1, 2)
    for wrong in [*(data[:cut] for cut in range(len(data))), data + b"\x00"]:
        with pytest.raises(MessageInvalid, match="length"):
            decode_want(wrong)


@pytest.mark.parametrize("view", [0, VIEW_MAX + 1, 2**63, 2**64 - 1])
def test_a_view_out_of_range_is_refused(view: int) -> None:
    for data in (struct.pack("<BQQ", 2, 0, view), struct.pack("<BQQQ", 1, 0, view, 0) + PAYLOAD):
        with pytest.raises(MessageInvalid, match="view out of range"):
            decode_subject(data)
    with pytest.raises(MessageInvalid, match="view out of range"):
        decode_want(struct.pack("<QQ", 0, view))


@pytest.mark.parametrize("kind", [0, *range(4, 256)])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(MessageInvalid, match="no known kind"):
        decode_subject(bytes([kind]) + NOTARIZE_BYTES[1:])


@pytest.mark.parametrize("parent", [9, 10, 2**64 - 1])
def test_a_parent_that_is_not_before_its_proposal_is_refused(parent: int) -> None:
    for kind in (1, 3):
        with pytest.raises(MessageInvalid, match="parent"):
            decode_subject(struct.pack("<BQQQ", kind, 7, 9, parent) + PAYLOAD)


def test_a_bitmap_of_another_set_of_validators_is_refused() -> None:
    """Its number, its length, and its bits must be of the set; no other bytes mean the same."""
    for count in range(1, VALIDATORS_MAX + 1):
        data = encode_signers(tuple(range(count)), count)
        assert decode_signers(data, 0, count) == (tuple(range(count)), len(data))
        for other in (count - 1, count + 1, VALIDATORS_MAX + 9):
            with pytest.raises(MessageInvalid):
                decode_signers(struct.pack("<H", other) + data[2:] + bytes(20), 0, count)
        for beyond in range(count, 8 * (len(data) - 2)):
            bits = bytearray(data)
            bits[2 + beyond // 8] |= 1 << beyond % 8
            with pytest.raises(MessageInvalid, match="beyond"):
                decode_signers(bytes(bits), 0, count)


@given(st.binary(max_size=300), st.integers(1, VALIDATORS_MAX))
def test_any_bytes_are_read_back_as_they_are_or_refused(data: bytes, count: int) -> None:
    """Whatever is accepted has no second encoding."""
    vote = ends(decode_vote, data)
    assert vote is None or encode_vote(vote) == data
    want = ends(decode_want, data)
    assert want is None or encode_want(*want) == data
    certificate = ends(lambda read: decode_certificate(read, count), data)
    assert certificate is None or encode_certificate(certificate, count) == data


@given(certificates(), st.data())
def test_a_certificate_with_any_byte_changed_is_refused_or_another(
    drawn: tuple[Certificate, int], data: st.DataObject
) -> None:
    certificate, count = drawn
    good = encode_certificate(certificate, count)
    at = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[at] ^= data.draw(st.integers(1, 255))
    found = ends(lambda read: decode_certificate(read, count), bytes(changed))
    assert found is None or (found != certificate and encode_certificate(found, count) == changed)
