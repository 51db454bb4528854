"""Signatures: against coincurve's own classes and eth_keys, and at the edges of r, s and v."""

from concurrent.futures import ThreadPoolExecutor

import coincurve
import pytest
from eth_keys.backends.native import NativeECCBackend
from eth_keys.datatypes import PrivateKey as EthKey
from eth_keys.datatypes import Signature as EthSignature
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate import crypto
from quorate.crypto.signatures import ORDER

KEYS = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
DIGESTS = st.binary(min_size=32, max_size=32)
KEY = crypto.key_from_seed("alice")
PUBLIC = crypto.public_key(KEY)
ADDRESS = crypto.address_of(PUBLIC)
FIELD = 2**256 - 2**32 - 977
DIGEST = crypto.sha256(b"a bundle")
SIGNATURE = crypto.sign_recoverable(KEY, DIGEST)


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_hashes() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert crypto.keccak256(b"").hex() == empty
    assert crypto.sha256(b"abc").hex().startswith("ba7816bf8f01cfea")


def test_a_known_key_has_its_known_address() -> None:
    key = bytes.fromhex("0123456789012345678901234567890123456789012345678901234567890123")
    address = crypto.address_of(crypto.public_key(key))
    assert address is not None
    assert address.hex() == "14791697260e4c9a71f18484c9f997b308e59325"


@given(KEYS, DIGESTS)
def test_signing_and_recovering_agree_with_coincurve(key: bytes, digest: bytes) -> None:
    theirs = coincurve.PrivateKey(key)
    signature = crypto.sign_recoverable(key, digest)
    assert signature == theirs.sign_recoverable(digest, hasher=None)
    assert crypto.public_key(key) == theirs.public_key.format()
    point = theirs.public_key.format(compressed=False)
    assert crypto.recover(digest, signature) == crypto.keccak256(point[1:])[12:]
    assert crypto.recover(digest, signature) == crypto.address_of(crypto.public_key(key))
    assert crypto.sign_compact(key, digest) == signature[:64]
    assert crypto.verify(crypto.public_key(key), digest, signature[:64])


@settings(max_examples=25)
@given(KEYS, DIGESTS)
def test_recovering_agrees_with_a_python_implementation(key: bytes, digest: bytes) -> None:
    signature = crypto.sign_recoverable(key, digest)
    public = NativeECCBackend().ecdsa_recover(digest, EthSignature(signature))
    assert public == EthKey(key).public_key
    assert crypto.recover(digest, signature) == public.to_canonical_address()


R, S, V = SIGNATURE[:32], SIGNATURE[32:64], SIGNATURE[64:]
HIGH_S = number(ORDER - int.from_bytes(S, "big"))
MALFORMED = {
    "empty": b"",
    "short": SIGNATURE[:-1],
    "long": SIGNATURE + b"\0",
    "high s": R + HIGH_S + V,
    "high s, v flipped": R + HIGH_S + bytes([V[0] ^ 1]),
    "s above half by one": R + number(ORDER // 2 + 1) + V,
    "r = 0": bytes(32) + S + V,
    "s = 0": R + bytes(32) + V,
    "r = s = 0": bytes(65),
    "r = n": number(ORDER) + S + V,
    "r = n + 1": number(ORDER + 1) + S + V,
    "s = n": R + number(ORDER) + V,
    "r = 2^256 - 1": b"\xff" * 32 + S + V,
    "s = 2^256 - 1": R + b"\xff" * 32 + V,
    "v = 2": R + S + b"\x02",
    "v = 3": R + S + b"\x03",
    "v = 27": R + S + b"\x1b",
    "v = 255": R + S + b"\xff",
    # 5^3 + 7 is no square in the field.
    "r is no x of a point": number(5) + S + V,
}


@pytest.mark.parametrize("signature", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_signature_recovers_nobody(signature: bytes) -> None:
    assert crypto.recover(DIGEST, signature) is None


def test_the_key_that_would_be_infinity_is_nobody() -> None:
    # Q = (s R - e G) / r is infinity when R = G and s = e, which libraries must refuse.
    generator_x = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
    small = number(12345)
    assert crypto.recover(small, number(generator_x) + small + b"\0") is None
    assert crypto.recover(small, number(generator_x) + small + b"\1") is not None


def is_x(x: int) -> bool:
    """Say whether x is the coordinate of a point of the curve."""
    return pow((pow(x, 3, FIELD) + 7) % FIELD, (FIELD - 1) // 2, FIELD) == 1


def test_an_r_that_was_reduced_is_refused_though_the_library_takes_it() -> None:
    r = next(r for r in range(1, 100) if is_x(r + ORDER))
    for v in (b"\2", b"\3"):
        signature = number(r) + S + v
        assert coincurve.PublicKey.from_signature_and_message(signature, DIGEST, hasher=None)
        assert crypto.recover(DIGEST, signature) is None


@pytest.mark.parametrize("v", [b"\0", b"\1"])
@pytest.mark.parametrize("r", [1, 2, 3, 4, 6, ORDER - 1, ORDER - 2])
@pytest.mark.parametrize("s", [1, 2, ORDER // 2])
def test_well_formed_edges_are_judged_as_by_the_python_implementation(
    r: int, s: int, v: bytes
) -> None:
    signature = number(r) + number(s) + v
    ours = crypto.recover(DIGEST, signature)
    # Its check that r is the x of a point comes first; ours is the library's own.
    if not is_x(r):
        assert ours is None
        return
    theirs = NativeECCBackend().ecdsa_recover(DIGEST, EthSignature(signature))
    assert ours == theirs.to_canonical_address()


def test_every_bit_of_a_signature_matters() -> None:
    for at in range(65):
        for bit in range(8):
            changed = bytearray(SIGNATURE)
            changed[at] ^= 1 << bit
            assert crypto.recover(DIGEST, bytes(changed)) != ADDRESS


def test_many_are_recovered_in_order_with_or_without_threads() -> None:
    digests = [crypto.sha256(bytes([i % 256, i // 256])) for i in range(600)]
    signatures = [crypto.sign_recoverable(KEY, digest) for digest in digests]
    signatures[300] = bytes(65)
    expected = [None if i == 300 else ADDRESS for i in range(600)]
    assert crypto.recover_many(digests, signatures) == expected
    with ThreadPoolExecutor(2) as pool:
        assert crypto.recover_many(digests, signatures, pool.map) == expected
    assert crypto.recover_many([], []) == []


def test_verify_refuses_what_is_not_this_signature() -> None:
    signature = SIGNATURE[:64]
    other = crypto.public_key(crypto.key_from_seed("bob"))
    assert crypto.verify(PUBLIC, DIGEST, signature)
    assert not crypto.verify(other, DIGEST, signature)
    assert not crypto.verify(PUBLIC, crypto.sha256(b""), signature)
    assert not crypto.verify(PUBLIC, DIGEST, R + HIGH_S)
    assert not crypto.verify(PUBLIC, DIGEST, bytes(64))
    assert not crypto.verify(PUBLIC, DIGEST, number(ORDER) + S)
    assert not crypto.verify(PUBLIC, DIGEST, SIGNATURE)
    assert not crypto.verify(PUBLIC, DIGEST, b"")
    uncompressed = coincurve.PublicKey(PUBLIC).format(compressed=False)
    assert not crypto.verify(uncompressed, DIGEST, signature), "one encoding of a public key"
    assert not crypto.verify(bytes(33), DIGEST, signature)


def test_a_public_key_off_the_curve_has_no_address() -> None:
    assert crypto.address_of(b"\x02" + number(5)) is None
    assert crypto.address_of(b"\x05" + PUBLIC[1:]) is None
    assert crypto.address_of(b"") is None


def test_keys() -> None:
    assert crypto.is_key(number(1)) and crypto.is_key(number(ORDER - 1))
    assert not crypto.is_key(bytes(32)) and not crypto.is_key(number(ORDER))
    assert not crypto.is_key(bytes(31)) and not crypto.is_key(b"\1" * 33)
    assert crypto.key_from_seed("alice") == KEY != crypto.key_from_seed("bob")
    with pytest.raises(AssertionError):
        crypto.sign_recoverable(bytes(32), DIGEST)
    with pytest.raises(AssertionError):
        crypto.recover(b"short", SIGNATURE)
