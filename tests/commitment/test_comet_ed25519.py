"""Ed25519 as the stand-alone adapter has it: the RFC, a library, and the corners of ZIP-215."""

import hashlib
import itertools
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.commitment import comet_verifier
from quorate.commitment.comet_verifier import D, L, P, ed25519_holds
from tests.commitment.comet_world import VECTORS, key_of, public

RFC_8032 = json.loads((VECTORS / "ed25519.json").read_text())["vectors"]
SECRETS = st.binary(min_size=32, max_size=32)


def library_holds(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def small_order_encodings() -> list[bytes]:
    """Write every point of small order in every way, from the curve's equation alone."""
    # A point of order 8 doubles to one with y = 0, so that x*x = -y*y: -D*y^4 - 2*y^2 + 1 = 0.
    root = square_root((1 + D) % P)
    assert root is not None
    squares = [(-1 + sign * root) * pow(D, -1, P) % P for sign in (1, -1)]
    eighth = [found for square in squares if (found := square_root(square)) is not None]
    found = []
    for y in [1, P - 1, 0, *eighth, *(P - y for y in eighth)]:
        for encoded, sign in itertools.product((y, y + P), (0, 1)):
            if encoded < 1 << 255:
                found.append((encoded | sign << 255).to_bytes(32, "little"))
    return found


def square_root(value: int) -> int | None:
    root = pow(value, (P + 3) // 8, P)
    for candidate in (root, root * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == value:
            return candidate
    return None


def times(scalar: int) -> comet_verifier.Point:
    assert comet_verifier.BASE is not None
    total = comet_verifier.IDENTITY
    for bit in range(scalar.bit_length() - 1, -1, -1):
        total = comet_verifier.twice(total)
        if scalar >> bit & 1:
            total = comet_verifier.added(total, comet_verifier.BASE)
    return total


SMALL = small_order_encodings()


@pytest.mark.parametrize("vector", RFC_8032, ids=lambda vector: vector["name"])
def test_the_vectors_of_the_rfc(vector: dict[str, str]) -> None:
    parts = [bytes.fromhex(vector[name]) for name in ("public", "message", "signature")]
    assert ed25519_holds(*parts)
    key, message, signature = parts
    assert not ed25519_holds(key, message + b"\0", signature)
    assert not ed25519_holds(key, message, signature[:-1] + bytes([signature[-1] ^ 1]))


def test_all_five_vectors_are_there() -> None:
    names = ["TEST 1", "TEST 2", "TEST 3", "TEST 1024", "TEST SHA(abc)"]
    assert [vector["name"] for vector in RFC_8032] == names


@settings(max_examples=40)
@given(SECRETS, st.binary(max_size=300), st.integers(0, 511), st.integers(0, 255))
def test_signatures_as_the_library_makes_them(
    secret: bytes, message: bytes, bit: int, key_bit: int
) -> None:
    signer = Ed25519PrivateKey.from_private_bytes(secret)
    key, signature = public(signer), signer.sign(message)
    assert ed25519_holds(key, message, signature)
    flipped = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
    assert not ed25519_holds(key, message, flipped)
    assert not library_holds(key, message, flipped)
    other = (int.from_bytes(key, "little") ^ 1 << key_bit).to_bytes(32, "little")
    assert not ed25519_holds(other, message, signature)
    assert not ed25519_holds(key, message + b"x", signature)


@settings(max_examples=60)
@given(SECRETS, SECRETS, st.binary(min_size=64, max_size=64), st.binary(max_size=8))
def test_noise_is_no_signature(secret: bytes, noise: bytes, signature: bytes, data: bytes) -> None:
    key = public(Ed25519PrivateKey.from_private_bytes(secret))
    assert not ed25519_holds(key, data, signature)
    # A key of small order may take noise for a signature: see the table of ZIP-215 below.
    point = comet_verifier.point_read(noise)
    if point is not None and noise not in SMALL:
        assert not ed25519_holds(noise, data, signature)


def test_s_of_the_order_or_more_is_refused() -> None:
    signer, message = key_of(3), b"message"
    key, signature = public(signer), signer.sign(message)
    s = int.from_bytes(signature[32:], "little")
    assert ed25519_holds(key, message, signature)
    for other in (s + L, s + 2 * L, L, 2**256 - 1):
        twin = signature[:32] + other.to_bytes(32, "little")
        assert not ed25519_holds(key, message, twin)


def test_the_points_of_small_order_are_all_found() -> None:
    """ZIP-215 names 14 encodings: eight canonical ones, and six that are not."""
    assert len(SMALL) == len(set(SMALL)) == 14
    for encoded in SMALL:
        point = comet_verifier.point_read(encoded)
        assert point is not None
        for _ in range(3):
            point = comet_verifier.twice(point)
        assert point[0] == 0 and point[1] == point[2]


def test_points_of_small_order_are_taken_as_zip_215_says() -> None:
    """Its table of 196 signatures with s = 0: each is valid, over any message."""
    for key, r in itertools.product(SMALL, SMALL):
        assert ed25519_holds(key, b"Zcash", r + bytes(32))
        assert not ed25519_holds(key, b"Zcash", r + (1).to_bytes(32, "little"))


def written(point: comet_verifier.Point) -> bytes:
    """Write a point as the RFC does."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@pytest.mark.parametrize("torsion", SMALL, ids=bytes.hex)
def test_the_equation_is_the_one_with_the_cofactor(torsion: bytes) -> None:
    """A signer may add a point of small order to R; without the cofactor this is no signature."""
    message = b"message"
    expanded = hashlib.sha512((7).to_bytes(32, "big")).digest()
    secret = int.from_bytes(expanded[:32], "little") & (1 << 254) - 8 | 1 << 254
    key, small = public(key_of(7)), comet_verifier.point_read(torsion)
    assert small is not None and written(times(secret % L)) == key
    r = written(comet_verifier.added(times(12345), small))
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little")
    s = (12345 + k * secret) % L
    signature = r + s.to_bytes(32, "little")
    assert ed25519_holds(key, message, signature)
    identity = small[0] == 0 and small[1] == 1
    assert library_holds(key, message, signature) == identity


def test_what_is_no_point_is_refused() -> None:
    signature = key_of(1).sign(b"m")
    none = [y for y in range(2, 60) if comet_verifier.point_read(y.to_bytes(32, "little")) is None]
    assert 20 < len(none) < 40
    for y in none:
        bad = y.to_bytes(32, "little")
        assert not ed25519_holds(bad, b"m", signature)
        assert not ed25519_holds(public(key_of(1)), b"m", bad + signature[32:])


@settings(max_examples=40)
@given(st.integers(0, L - 1), st.integers(0, L - 1))
def test_the_arithmetic_is_a_group_of_order_l(a: int, b: int) -> None:
    def affine(scalar: int) -> tuple[int, int]:
        x, y, z, _ = times(scalar)
        inverse = pow(z, -1, P)
        return x * inverse % P, y * inverse % P

    def sum_of(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
        """Add by the curve's own law, with division."""
        (x1, y1), (x2, y2) = one, two
        t = D * x1 * x2 * y1 * y2
        x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P
        return x, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P

    assert sum_of(affine(a), affine(b)) == affine((a + b) % L)
    assert affine(L) == (0, 1)
