"""Votes under real keys: bound to kind, chain and genesis; whatever is no signature is refused."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec.consensus import domain
from quorate.crypto import public_key
from quorate.ordering.scheme import KeyScheme, certificate_holds
from quorate.types.consensus import Certificate, ValidatorSet
from tests.ordering.world import FINALIZE, NOTARIZE, NULLIFY, about, proposal

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
KEYS = [hashlib.sha256(b"validator %d" % index).digest() for index in range(4)]
SET = ValidatorSet(0, tuple(public_key(key) for key in KEYS), (1, 1, 1, 1))
BOUND = domain(1, bytes(32))
SCHEMES = [KeyScheme(SET, BOUND, key) for key in KEYS]
SUBJECTS = [about(NOTARIZE, proposal(3)), about(NULLIFY, 3), about(FINALIZE, proposal(3))]


def test_the_same_subject_gives_the_same_signature_and_it_holds_for_its_signer_alone() -> None:
    for subject in SUBJECTS:
        for index, scheme in enumerate(SCHEMES):
            signature = scheme.sign(subject)
            assert signature is not None and signature == scheme.sign(subject)
            assert [scheme.holds(subject, other, signature) for other in range(4)] == [
                other == index for other in range(4)
            ]
            for another in SUBJECTS:
                assert scheme.holds(another, index, signature) == (another == subject)


@pytest.mark.parametrize("bound", [domain(2, bytes(32)), domain(1, b"\x01" + bytes(31))])
def test_a_signature_of_another_chain_or_genesis_does_not_hold(bound: bytes) -> None:
    signature = SCHEMES[0].sign(SUBJECTS[0])
    assert signature is not None
    assert not KeyScheme(SET, bound, None).holds(SUBJECTS[0], 0, signature)


def test_an_observer_signs_nothing() -> None:
    assert KeyScheme(SET, BOUND, None).sign(SUBJECTS[0]) is None


def test_the_high_s_of_a_signature_is_none() -> None:
    signature = SCHEMES[0].sign(SUBJECTS[0])
    assert signature is not None
    high = ORDER - int.from_bytes(signature[32:], "big")
    assert not SCHEMES[1].holds(SUBJECTS[0], 0, signature[:32] + high.to_bytes(32, "big"))


@pytest.mark.parametrize("r", [0, 1, ORDER - 1, ORDER, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, ORDER // 2, ORDER - 1, ORDER, 2**256 - 1])
def test_numbers_at_the_edges_are_no_signature(r: int, s: int) -> None:
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert not SCHEMES[0].holds(SUBJECTS[0], 0, raw)


@settings(max_examples=50)
@given(st.binary(max_size=80))
def test_bytes_are_no_signature(raw: bytes) -> None:
    assert not SCHEMES[0].holds(SUBJECTS[1], 1, raw)


def test_a_certificate_holds_with_a_quorum_of_real_signatures_and_with_each_of_them() -> None:
    subject = SUBJECTS[2]
    signatures = tuple(scheme.sign(subject) or b"" for scheme in SCHEMES)
    checker = KeyScheme(SET, BOUND, None)
    good = Certificate(subject, (0, 1, 3), (signatures[0], signatures[1], signatures[3]))
    assert certificate_holds(good, SET, checker, SET.quorum)
    for index in range(3):
        swapped = list(good.signatures)
        swapped[index] = signatures[2]
        wrong = good._replace(signatures=tuple(swapped))
        assert not certificate_holds(wrong, SET, checker, SET.quorum)
    few = Certificate(subject, (0, 1), signatures[:2])
    assert not certificate_holds(few, SET, checker, SET.quorum)
