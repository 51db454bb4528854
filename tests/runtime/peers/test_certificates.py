"""Who is at the other end: pins, the public authority, and what a handshake refuses."""

import ssl
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.runtime.peers.certificates import (
    Material,
    authority_certificate,
    authority_key,
    leaf_certificate,
    material_of,
    peer_index,
    pin_of,
    pins_of,
    transport_public_key,
)

CHAIN, OTHER = sha256(b"one").digest(), sha256(b"two").digest()
SEEDS = [bytes([index + 1]) * 32 for index in range(3)]
KEYS = [transport_public_key(seed) for seed in SEEDS]
PINS = pins_of(KEYS)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_the_pin_is_the_hash_of_the_key_in_its_standard_form() -> None:
    # RFC 8410: the SubjectPublicKeyInfo of Ed25519 is this prefix and the key.
    prefix = bytes.fromhex("302a300506032b6570032100")
    for key in KEYS:
        assert pin_of(key) == sha256(prefix + key).digest()
    # RFC 8032, test 1.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert transport_public_key(seed) == key


def test_certificates_depend_on_nothing_but_chain_and_key() -> None:
    assert der(leaf_certificate(CHAIN, KEYS[0])) == der(leaf_certificate(CHAIN, KEYS[0]))
    assert der(authority_certificate(CHAIN)) == der(authority_certificate(CHAIN))
    made = [leaf_certificate(CHAIN, key) for key in KEYS] + [leaf_certificate(OTHER, KEYS[0])]
    assert len({certificate.serial_number for certificate in made}) == len(made)
    assert authority_certificate(CHAIN).public_key() != authority_certificate(OTHER).public_key()


def test_a_certificate_belongs_to_whom_its_key_is_pinned_to() -> None:
    for index, key in enumerate(KEYS):
        assert peer_index(der(leaf_certificate(CHAIN, key)), PINS) == index
        assert peer_index(der(leaf_certificate(OTHER, key)), PINS) == index
    stranger = transport_public_key(bytes(32))
    assert peer_index(der(leaf_certificate(CHAIN, stranger)), PINS) is None
    assert peer_index(None, PINS) is None


def test_a_key_of_another_kind_is_nobodys() -> None:
    like = leaf_certificate(CHAIN, KEYS[0])
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    builder = x509.CertificateBuilder(
        like.issuer, like.subject, other, 1, like.not_valid_before_utc, like.not_valid_after_utc
    )
    assert peer_index(der(builder.sign(authority_key(CHAIN), None)), PINS) is None


@settings(max_examples=200)
@given(st.data())
def test_a_mutated_certificate_raises_nothing(data: st.DataObject) -> None:
    text = bytearray(der(leaf_certificate(CHAIN, KEYS[1])))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    del text[data.draw(st.integers(0, len(text))) :]
    assert peer_index(bytes(text), PINS) in (None, 1)


# --- handshakes in memory


def shaken(
    listening: ssl.SSLContext, dialling: ssl.SSLContext
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Carry a handshake through, without sockets. Raises ssl.SSLError."""
    to_listener, to_dialler = ssl.MemoryBIO(), ssl.MemoryBIO()
    listener = listening.wrap_bio(to_listener, to_dialler, server_side=True)
    dialler = dialling.wrap_bio(to_dialler, to_listener, server_hostname=None)
    waiting = [dialler, listener]
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    assert not waiting
    for end in (dialler, listener):
        # The dialler only hears here whether its own certificate was taken.
        with pytest.raises(ssl.SSLWantReadError):
            end.read(1)
    return listener, dialler


def material(index: int, chain: bytes = CHAIN) -> Material:
    return material_of(SEEDS[index], chain)


def test_both_ends_learn_who_the_other_is() -> None:
    listener, dialler = shaken(material(0).listening, material(1).dialling)
    assert peer_index(listener.getpeercert(binary_form=True), PINS) == 1
    assert peer_index(dialler.getpeercert(binary_form=True), PINS) == 0
    assert dialler.version() == listener.version() == "TLSv1.3"


def test_no_session_can_be_resumed() -> None:
    _, dialler = shaken(material(0).listening, material(1).dialling)
    session = dialler.session
    assert session is None or not session.has_ticket
    assert not dialler.session_reused


def test_another_chain_fails_in_the_handshake() -> None:
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shaken(material(0).listening, material(1, OTHER).dialling)


def test_a_leaf_without_its_key_is_of_no_use(tmp_path: Path) -> None:
    """Anyone can issue a leaf for a validator's key, but not sign a handshake with it."""
    foreign, own = Ed25519PrivateKey.from_private_bytes(SEEDS[1]), tmp_path / "own"
    secret = foreign.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own.write_bytes(secret + leaf_certificate(CHAIN, KEYS[0]).public_bytes(Encoding.PEM))
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        material(1).dialling.load_cert_chain(own)


def test_a_client_without_a_certificate_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        shaken(material(0).listening, context)


def test_an_older_tls_is_refused() -> None:
    context = material(1).dialling
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        shaken(material(0).listening, context)
