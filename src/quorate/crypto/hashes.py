"""The two hashes of the house: SHA-256 for everything of ours, Keccak-256 for Ethereum's rules."""

import hashlib

import sha3


def sha256(data: bytes) -> bytes:
    """Hash with SHA-256; 32 bytes."""
    return hashlib.sha256(data).digest()


def keccak256(data: bytes) -> bytes:
    """Hash with Keccak-256 as Ethereum does (not NIST SHA3-256); 32 bytes."""
    digest: bytes = sha3.keccak_256(data).digest()
    return digest
