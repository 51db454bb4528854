"""secp256k1 signatures over 32-byte digests, by libsecp256k1 through coincurve's binding.

coincurve's own classes cost about 4 us a call beyond the library, so its C functions are called
directly. A recoverable signature is r 32 || s 32 || v 1, big-endian, v in {0, 1}, 0 < r < n,
0 < s <= n // 2. The other forms that libraries accept (v of 2 and 3, high s) would be second
encodings of the same value, so they are refused before the library sees them.

A key is 32 bytes, a public key 33 (compressed), an address the last 20 of the Keccak-256 of the
64-byte point.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from quorate.crypto.hashes import keccak256, sha256
from quorate.types.limits import SIGNATURE_BYTES

ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
ORDER_BYTES: Final = ORDER.to_bytes(32, "big")
LOW_S_MAX: Final = (ORDER // 2).to_bytes(32, "big")
ZERO: Final = bytes(32)

UNCOMPRESSED: Final = 2  # SECP256K1_EC_UNCOMPRESSED
COMPRESSED: Final = 258  # SECP256K1_EC_COMPRESSED
POINT_BYTES: Final = 65
PUBLIC_KEY_BYTES: Final = 33

# Signatures that one call of a caller's map takes on: long enough to hide the hand-over to a
# thread, short enough that two threads end together.
RECOVER_CHUNK: Final = 256

Pairs = tuple[Sequence[bytes], Sequence[bytes]]
MapCall = Callable[
    [Callable[[Pairs], list[bytes | None]], Iterable[Pairs]], Iterable[list[bytes | None]]
]

# The context is only read after its making, so that threads may share it.
CONTEXT: Final[Any] = GLOBAL_CONTEXT.ctx


class Scratch:
    """Memory for one recovery at a time. Two threads never share one."""

    __slots__ = ("length", "point", "public", "signature", "view")

    def __init__(self) -> None:
        self.signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
        self.public = ffi.new("secp256k1_pubkey *")
        self.point = ffi.new("unsigned char[65]")
        self.length = ffi.new("size_t *", POINT_BYTES)
        self.view = ffi.buffer(self.point, POINT_BYTES)


def is_low_s(signature: bytes) -> bool:
    """Say whether s of a 64- or 65-byte signature is in the lower half of its range."""
    return signature[32:64] <= LOW_S_MAX


def is_well_formed(signature: bytes) -> bool:
    """Say whether 65 bytes are r || s || v with 0 < r < n, 0 < s <= n // 2, v in {0, 1}."""
    if len(signature) != SIGNATURE_BYTES or signature[64] > 1:
        return False
    # Big-endian numbers of one length compare as their bytes do.
    return ZERO < signature[:32] < ORDER_BYTES and ZERO < signature[32:64] <= LOW_S_MAX


def recovered(scratch: Scratch, digest: bytes, signature: bytes) -> bytes | None:
    """Recover as `recover` does, in the given memory."""
    if not is_well_formed(signature):
        return None
    raw, public = scratch.signature, scratch.public
    parsed = lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
        CONTEXT, raw, signature[:64], signature[64]
    )
    assert parsed == 1, "is_well_formed has refused what the library does not parse"
    if lib.secp256k1_ecdsa_recover(CONTEXT, public, raw, digest) != 1:
        return None
    scratch.length[0] = POINT_BYTES
    lib.secp256k1_ec_pubkey_serialize(CONTEXT, scratch.point, scratch.length, public, UNCOMPRESSED)
    return keccak256(scratch.view[1:POINT_BYTES])[12:]


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """Recover the 20-byte address that signed a 32-byte digest; None if the signature is bad."""
    assert len(digest) == 32
    return recovered(Scratch(), digest, signature)


def recover_chunk(pairs: Pairs) -> list[bytes | None]:
    """Recover one signer per (digests, signatures) pair. The library runs without the GIL."""
    scratch = Scratch()
    return [
        recovered(scratch, digest, signature)
        for digest, signature in zip(*pairs, strict=True)
    ]


def recover_many(
    digests: Sequence[bytes], signatures: Sequence[bytes], map_call: MapCall = map
) -> list[bytes | None]:
    """Recover the signers of many 32-byte digests, in order; None where a signature is bad.

    `map_call` is `map`, or the `map` of a thread pool that the caller owns.
    """
    assert len(digests) == len(signatures)
    chunks = [
        (digests[first : first + RECOVER_CHUNK], signatures[first : first + RECOVER_CHUNK])
        for first in range(0, len(digests), RECOVER_CHUNK)
    ]
    return [signer for part in map_call(recover_chunk, chunks) for signer in part]


def is_key(key: bytes) -> bool:
    """Say whether 32 bytes are a secret key: a number from 1 to n - 1."""
    return len(key) == 32 and ZERO < key < ORDER_BYTES


def key_from_seed(seed: str) -> bytes:
    """Derive a key from a text, for development and tests: whoever knows the text has the key."""
    counter = 0
    while True:
        key = sha256(b"QUORATE-DEV-KEY-1" + counter.to_bytes(4, "little") + seed.encode())
        if is_key(key):
            return key
        counter += 1


def public_point(key: bytes) -> Any:
    """Multiply the generator by a secret key."""
    assert is_key(key), "check a foreign key with is_key first"
    public = ffi.new("secp256k1_pubkey *")
    created = lib.secp256k1_ec_pubkey_create(CONTEXT, public, key)
    assert created == 1
    return public


def serialized(public: Any, size: int, form: int) -> bytes:
    """Write a parsed point in one of the library's forms of `size` bytes."""
    output = ffi.new("unsigned char[]", size)
    length = ffi.new("size_t *", size)
    lib.secp256k1_ec_pubkey_serialize(CONTEXT, output, length, public, form)
    assert length[0] == size
    return bytes(ffi.buffer(output, size))


def public_key(key: bytes) -> bytes:
    """Give the 33-byte public key of a secret key."""
    return serialized(public_point(key), PUBLIC_KEY_BYTES, COMPRESSED)


def parsed_point(public: bytes) -> Any | None:
    """Parse a 33-byte public key; None if it is no point of the curve."""
    if len(public) != PUBLIC_KEY_BYTES:
        return None
    point = ffi.new("secp256k1_pubkey *")
    if lib.secp256k1_ec_pubkey_parse(CONTEXT, point, public, PUBLIC_KEY_BYTES) != 1:
        return None
    return point


def address_of(public: bytes) -> bytes | None:
    """Give the 20-byte address of a 33-byte public key; None if it is no point of the curve."""
    point = parsed_point(public)
    if point is None:
        return None
    return keccak256(serialized(point, POINT_BYTES, UNCOMPRESSED)[1:])[12:]


def sign_recoverable(key: bytes, digest: bytes) -> bytes:
    """Sign a 32-byte digest: r || s || v, 65 bytes, low s, the nonce of RFC 6979."""
    assert is_key(key) and len(digest) == 32
    raw = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    signed = lib.secp256k1_ecdsa_sign_recoverable(CONTEXT, raw, digest, key, ffi.NULL, ffi.NULL)
    assert signed == 1
    output = ffi.new("unsigned char[64]")
    v = ffi.new("int *")
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(CONTEXT, output, v, raw)
    # v of 2 or 3 needs an r that was reduced by n: one chance in 2^127.
    assert v[0] <= 1
    return bytes(ffi.buffer(output, 64)) + bytes([v[0]])


def sign_compact(key: bytes, digest: bytes) -> bytes:
    """Sign a 32-byte digest: r || s, 64 bytes, low s, the nonce of RFC 6979."""
    return sign_recoverable(key, digest)[:64]


def verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Verify a 64-byte low-s signature of a 32-byte digest by a 33-byte public key."""
    assert len(digest) == 32
    if len(signature) != 64 or not is_low_s(signature):
        return False
    point = parsed_point(public)
    raw = ffi.new("secp256k1_ecdsa_signature *")
    if point is None or lib.secp256k1_ecdsa_signature_parse_compact(CONTEXT, raw, signature) != 1:
        return False
    verified: int = lib.secp256k1_ecdsa_verify(CONTEXT, raw, digest, point)
    return verified == 1
