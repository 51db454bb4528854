"""Validity: what is final was made by the leader of its view, is sound, and stands there once."""

from collections.abc import Sequence

from quorate.sim.checkers.agreement import Link
from quorate.sim.checkers.arithmetic import leaders
from quorate.sim.cluster.failure import Property, Violation


class Validity:
    """Blocks as they become final. certified, verified: what each node's application has
    found sound, for good or on its parent."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.order = leaders(weights)
        self.seen: dict[bytes, None] = {}
        self.certified: dict[tuple[int, bytes], None] = {}
        self.verified: dict[tuple[int, bytes], None] = {}

    def finalized(self, payload: bytes, link: Link) -> None:
        """Judge a block that has become final."""
        if payload in self.seen:
            self.refuse(link.view, "the same block is final twice")
        self.seen[payload] = None
        if not link.sound:
            self.refuse(link.view, "the block is not sound")
        if link.builder != self.order[link.view % len(self.order)]:
            self.refuse(link.view, f"validator {link.builder} does not lead it")

    def certify(self, index: int, payload: bytes) -> None:
        """Take note that an application has found a payload sound, durably."""
        self.certified[index, payload] = None

    def finalize_left(self, index: int, view: int, payload: bytes) -> None:
        """Hold a validator to its word: it finalizes only what it could execute."""
        if (index, payload) not in self.certified:
            self.refuse(view, f"validator {index} voted to finalize what it had not certified")

    def verify(self, index: int, payload: bytes) -> None:
        """Take note that an application has judged a proposal on its parent valid, or made it."""
        self.verified[index, payload] = None

    def notarize_left(self, index: int, view: int, payload: bytes) -> None:
        """Hold a validator to its word: it notarizes only what its application accepts."""
        if (index, payload) not in self.verified:
            self.refuse(view, f"validator {index} notarized what it had not found valid")

    def refuse(self, view: int, what: str) -> None:
        """Report it."""
        raise Violation(Property.VALIDITY, f"view {view}: {what}")
