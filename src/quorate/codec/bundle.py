"""A bundle: what one key signs. Header 32 bytes || count x 64-byte commands || signature 65 bytes.

The digest of a native bundle (kind 1) is SHA-256 over a tag, the chain id, the hash of the
application's genesis, and the bytes before the signature. Chain and genesis are in it so that a
signature for one chain says nothing on another, even one that was given the same id.
"""

import hashlib
import struct
from typing import Final

from quorate.types.limits import (
    BUNDLE_HEADER_BYTES,
    COMMAND_BYTES,
    COMMANDS_PER_BUNDLE_MAX,
    INT64_MAX,
    SIGNATURE_BYTES,
)

DIGEST_TAG: Final = b"QUORATE-BUNDLE-1"
HEADER: Final = struct.Struct("<QIHHqq")
assert HEADER.size == BUNDLE_HEADER_BYTES


def encode_unsigned(
    chain_id: int, account: int, nonce: int, commands: bytes, expiry_ms: int = 0
) -> bytes:
    """Write header and commands (64 bytes each): a bundle that lacks its signature."""
    count, rest = divmod(len(commands), COMMAND_BYTES)
    assert rest == 0 and 1 <= count <= COMMANDS_PER_BUNDLE_MAX
    assert 0 <= nonce <= INT64_MAX and 0 <= expiry_ms <= INT64_MAX
    return HEADER.pack(chain_id, account, 0, count, nonce, expiry_ms) + commands


def unsigned_part(data: bytes) -> bytes:
    """Give header and commands of a signed bundle."""
    return data[:-SIGNATURE_BYTES]


def signature_part(data: bytes) -> bytes:
    """Give the 65-byte signature of a signed bundle."""
    return data[-SIGNATURE_BYTES:]


def command_part(data: bytes) -> bytes:
    """Give the commands of a signed bundle, 64 bytes each."""
    return data[BUNDLE_HEADER_BYTES:-SIGNATURE_BYTES]


def digest_prefix(chain_id: int, genesis_hash: bytes) -> bytes:
    """Give the 56 bytes that the digest of every native bundle of a chain begins with."""
    assert len(genesis_hash) == 32
    return DIGEST_TAG + chain_id.to_bytes(8, "little") + genesis_hash


def bundle_digest(prefix: bytes, unsigned: bytes) -> bytes:
    """Give the 32-byte digest that a native bundle's key signs."""
    return hashlib.sha256(prefix + unsigned).digest()
