"""Thin names over libraries: hashes (hashes.py) and secp256k1 signatures (signatures.py)."""

from quorate.crypto.hashes import keccak256, sha256
from quorate.crypto.signatures import (
    address_of,
    is_key,
    is_low_s,
    key_from_seed,
    public_key,
    recover,
    recover_many,
    sign_compact,
    sign_recoverable,
    verify,
)

__all__ = [
    "address_of",
    "is_key",
    "is_low_s",
    "keccak256",
    "key_from_seed",
    "public_key",
    "recover",
    "recover_many",
    "sha256",
    "sign_compact",
    "sign_recoverable",
    "verify",
]
