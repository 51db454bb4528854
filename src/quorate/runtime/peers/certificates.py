"""Who is at the other end of a connection: TLS 1.3 and a key pinned in the consensus genesis.

A validator's transport key is Ed25519 and stands in the consensus genesis; its *pin* is the SHA-256
of its SubjectPublicKeyInfo. A connection belongs to the validator whose key signed the handshake.

TLS asks for a client's certificate only together with an authority that must have issued it, so
there is one: its key is derived from the hash of the consensus genesis. It is NOT a secret, anyone
can derive it, and a certificate from it proves nothing. It is there so that both ends demand a
certificate, so that TLS checks possession of the leaf's key, and so that nodes of another chain
fail in the handshake. Every node issues its own leaf. Who the peer is, is decided after the
handshake and by the pin alone: `peer_index`. Nothing may be sent or believed before that.

Certificates hold no clock: they are valid from 2000 to the end of 9999, and equal inputs give equal
bytes. A key is changed by an epoch with another validator set, not by expiry. There are no session
tickets, so each connection proves the key anew, and TLS 1.3 has no renegotiation.
"""

import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_TAG: Final = b"QUORATE-TLS-AUTH1"
SERIAL_TAG: Final = b"QUORATE-TLS-SERIAL1"
AUTHORITY_NAME: Final = "Quorate consensus genesis"
LEAF_NAME: Final = "Quorate validator"
SERIAL_BYTES: Final = 16
NOT_BEFORE: Final = datetime(2000, 1, 1, tzinfo=UTC)
NOT_AFTER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Material:
    """What a node shows and demands in handshakes. listening and dialling: TLS contexts."""

    listening: ssl.SSLContext
    dialling: ssl.SSLContext


def transport_public_key(seed: bytes) -> bytes:
    """Give the 32-byte Ed25519 public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def pin_of(transport_key: bytes) -> bytes:
    """Give the SHA-256 of the SubjectPublicKeyInfo of a 32-byte Ed25519 public key."""
    return spki_hash(Ed25519PublicKey.from_public_bytes(transport_key))


def spki_hash(key: Ed25519PublicKey) -> bytes:
    """Give the SHA-256 of a key's SubjectPublicKeyInfo."""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def pins_of(transport_keys: Sequence[bytes]) -> dict[bytes, int]:
    """Map the pins of all validators to their indexes."""
    return {pin_of(key): index for index, key in enumerate(transport_keys)}


def peer_index(certificate: bytes | None, pins: Mapping[bytes, int]) -> int | None:
    """Say whose certificate this is, in DER; None if its key is pinned to nobody."""
    if certificate is None:
        return None
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Anyone can issue certificates under the authority, also such as cannot be read.
        return None
    if not isinstance(key, Ed25519PublicKey):
        return None
    return pins.get(spki_hash(key))


# --- certificates --------------------------------------------------------------------------------
def authority_key(consensus_hash: bytes) -> Ed25519PrivateKey:
    """Derive the key of the authority, which is no secret."""
    return Ed25519PrivateKey.from_private_bytes(sha256(AUTHORITY_TAG + consensus_hash).digest())


def common_name(text: str) -> x509.Name:
    """Make the name of an issuer or a subject."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def begun(consensus_hash: bytes, key: Ed25519PublicKey, subject: str) -> x509.CertificateBuilder:
    """Begin a certificate: what authority and leaves have in common."""
    digest = sha256(SERIAL_TAG + consensus_hash + key.public_bytes_raw()).digest()
    # A serial number is positive, whatever the digest is.
    serial = int.from_bytes(digest[:SERIAL_BYTES], "big") | 1
    issuer = authority_key(consensus_hash).public_key()
    return (
        x509.CertificateBuilder(
            issuer_name=common_name(AUTHORITY_NAME),
            subject_name=common_name(subject),
            public_key=key,
            serial_number=serial,
            not_valid_before=NOT_BEFORE,
            not_valid_after=NOT_AFTER,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False
        )
    )


def key_usage(issues: bool) -> x509.KeyUsage:
    """Say what a key is for: issuing certificates, or signing handshakes."""
    return x509.KeyUsage(
        digital_signature=not issues,
        key_cert_sign=issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def authority_certificate(consensus_hash: bytes) -> x509.Certificate:
    """Issue the certificate of the authority of a chain."""
    key = authority_key(consensus_hash)
    builder = (
        begun(consensus_hash, key.public_key(), AUTHORITY_NAME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(issues=True), critical=True)
    )
    return builder.sign(key, algorithm=None)


def leaf_certificate(consensus_hash: bytes, transport_key: bytes) -> x509.Certificate:
    """Issue the certificate of a validator; anyone could, for anyone."""
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        begun(consensus_hash, Ed25519PublicKey.from_public_bytes(transport_key), LEAF_NAME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(issues=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
    )
    return builder.sign(authority_key(consensus_hash), algorithm=None)


# --- contexts ------------------------------------------------------------------------------------
def material_of(seed: bytes, consensus_hash: bytes) -> Material:
    """Make what a node shows and demands. seed: of its transport key, 32 bytes."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    leaf = leaf_certificate(consensus_hash, key.public_key().public_bytes_raw())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    shown = secret + leaf.public_bytes(Encoding.PEM)
    anchor = authority_certificate(consensus_hash).public_bytes(Encoding.DER)
    return Material(
        context_of(ssl.PROTOCOL_TLS_SERVER, shown, anchor),
        context_of(ssl.PROTOCOL_TLS_CLIENT, shown, anchor),
    )


def context_of(protocol: int, shown: bytes, anchor: bytes) -> ssl.SSLContext:
    """Make one TLS context. shown: key and leaf in PEM; anchor: the authority in DER."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.load_verify_locations(cadata=anchor)
    # The library reads keys from files alone; this one is in memory and has no name.
    fd = os.memfd_create("transport")
    try:
        os.write(fd, shown)
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
    return context
