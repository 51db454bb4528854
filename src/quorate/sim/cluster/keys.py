"""Signatures of a simulation: one hash each, keyed by the signer's secret.

A scheme signs with its own secret alone, so a Byzantine actor cannot forge another's vote. The ring
knows all secrets: it stands for what public keys do.
"""

from collections.abc import Callable
from hashlib import sha256

from quorate.types.consensus import Subject

Signed = Callable[[Subject], None]


class Keyring:
    """All secrets of a run, and the signatures made so far."""

    def __init__(self, seed: int, validators: int) -> None:
        self.secrets = [
            sha256(b"secret %d %d" % (seed, index)).digest() for index in range(validators)
        ]
        self.known: dict[tuple[int, Subject], bytes] = {}

    def signature(self, signer: int, subject: Subject) -> bytes:
        """Give the one signature of a signer over a subject, 64 bytes."""
        place = (signer, subject)
        made = self.known.get(place)
        if made is None:
            kind, epoch, view, parent_view, payload = subject
            words = b"%d %d %d %d " % (kind, epoch, view, parent_view)
            made = sha256(self.secrets[signer] + words + payload).digest() * 2
            self.known[place] = made
        return made


    def seal(self, signer: int, height: int, digest: bytes, root: bytes) -> bytes:
        """Give the one signature of a signer over a checkpoint, 64 bytes."""
        words = b"checkpoint %d " % height
        return sha256(self.secrets[signer] + words + digest + root).digest() * 2


class SimulatedScheme:
    """What the ordering core signs and checks with. signed: told of every signature asked for."""

    def __init__(self, ring: Keyring, me: int, signed: Signed | None = None) -> None:
        self.ring = ring
        self.me = me
        self.signed = signed

    def sign(self, subject: Subject) -> bytes | None:
        """Sign with our own secret."""
        if self.signed is not None:
            self.signed(subject)
        return self.ring.signature(self.me, subject)

    def holds(self, subject: Subject, signer: int, signature: bytes) -> bool:
        """Say whether a signature is the signer's over the subject."""
        return signature == self.ring.signature(signer, subject)
