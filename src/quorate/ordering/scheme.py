"""How votes are signed and checked, behind a seam: real keys, a remote signer, or a simulation's.

A scheme signs subjects, not digests, so that a remote signer can keep a guard of its own.
"""

from typing import Protocol

from quorate.codec.consensus import subject_digest
from quorate.crypto import sign_compact, verify
from quorate.types.consensus import (
    VOTE_SIGNATURE_BYTES,
    Certificate,
    Subject,
    ValidatorSet,
)


class Scheme(Protocol):
    """Signs for one validator and checks all. The same subject gives the same signature."""

    def sign(self, subject: Subject) -> bytes | None:
        """Sign a vote; None when the signer refuses."""

    def holds(self, subject: Subject, signer: int, signature: bytes) -> bool:
        """Say whether a signature is the signer's over the subject."""


class KeyScheme:
    """secp256k1 over the subject's digest, RFC 6979 nonces, low s. key: None for an observer."""

    def __init__(self, validators: ValidatorSet, bound: bytes, key: bytes | None) -> None:
        self.validators = validators
        self.bound = bound
        self.key = key

    def sign(self, subject: Subject) -> bytes | None:
        """Sign a vote."""
        if self.key is None:
            return None
        return sign_compact(self.key, subject_digest(self.bound, subject))

    def holds(self, subject: Subject, signer: int, signature: bytes) -> bool:
        """Say whether a signature is the signer's."""
        digest = subject_digest(self.bound, subject)
        return verify(self.validators.keys[signer], digest, signature)


def certificate_holds(
    certificate: Certificate, validators: ValidatorSet, scheme: Scheme, quorum: int
) -> bool:
    """Check a certificate: epoch, signers, weight, and every signature (CONSENSUS 1)."""
    subject, signers, signatures = certificate
    if subject.epoch != validators.epoch or len(signers) != len(signatures):
        return False
    count = len(validators.keys)
    before = -1
    for signer in signers:
        if not before < signer < count:
            return False
        before = signer
    if validators.weight_of(signers) < quorum:
        return False
    return all(
        len(signature) == VOTE_SIGNATURE_BYTES and scheme.holds(subject, signer, signature)
        for signer, signature in zip(signers, signatures, strict=True)
    )
