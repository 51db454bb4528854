"""What can be certified by the votes that exist, and what must follow from it.

    I1  at most one proposal of a view has a quorum of notarizes
    I2  no view has a quorum of nullifies and one of finalizes
    I3  what has a quorum of finalizes has one of notarizes
    I4  what has a quorum of notarizes stands on a parent that has one, or is final, and every view
        between has a quorum of nullifies
    and a certificate that an honest validator sends holds votes that exist, of a quorum

A vote of an honest validator counts for I1 and I2 once it has left, since a crash may take back
what has not; to justify other votes it counts from when it was signed. A liar's counts at once.
"""

from collections.abc import Sequence

from quorate.sim.checkers.arithmetic import is_quorum
from quorate.sim.checkers.one_vote import NOTARIZE, NULLIFY, Subject
from quorate.sim.cluster.failure import Property, Violation


class Certificates:
    """Votes by subject, as bits of signers: signed ones, and those that have left."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = list(weights)
        self.total = sum(weights)
        self.signed: dict[Subject, int] = {}
        self.public: dict[Subject, int] = {}
        self.notarized: dict[int, Subject] = {}
        self.nullified: dict[int, None] = {}
        self.finalized: dict[int, Subject] = {}
        self.checked: dict[tuple[Subject, tuple[int, ...]], None] = {}

    def sign(self, index: int, subject: Subject) -> None:
        """Take note of a signature."""
        self.signed[subject] = self.signed.get(subject, 0) | 1 << index

    def leave(self, index: int, subject: Subject) -> None:
        """Take note of a vote that anybody may hold from now on."""
        before = self.public.get(subject, 0)
        after = before | 1 << index
        if after == before:
            return
        self.public[subject] = after
        if not self.is_quorum(before) and self.is_quorum(after):
            self.formed(subject)

    def is_quorum(self, bits: int) -> bool:
        """Say whether signers, as bits, are a quorum."""
        weight = 0
        for index, own in enumerate(self.weights):
            if bits >> index & 1:
                weight += own
        return is_quorum(weight, self.total)

    def formed(self, subject: Subject) -> None:
        """Check what a new certificate implies."""
        kind, view = subject[0], subject[2]
        if kind == NOTARIZE:
            if view in self.notarized:
                self.refuse(view, "two proposals are notarized")
            self.notarized[view] = subject
            self.justified(subject)
        elif kind == NULLIFY:
            self.nullified[view] = None
        else:
            if view in self.finalized:
                self.refuse(view, "two proposals are final")
            self.finalized[view] = subject
            if not self.is_quorum(self.signed.get((NOTARIZE, *subject[1:]), 0)):
                self.refuse(view, "final, and not notarized")
        if view in self.nullified and view in self.finalized:
            self.refuse(view, "nullified and final")

    def justified(self, subject: Subject) -> None:
        """Check what a notarized proposal stands on (I4)."""
        _, epoch, view, parent_view, _ = subject
        if parent_view and parent_view not in self.notarized:
            # Its votes may not have left yet: then they must at least be signed.
            found = any(
                other[2] == parent_view and other[0] != NULLIFY and self.is_quorum(bits)
                for other, bits in self.signed.items()
            )
            if not found:
                self.refuse(view, f"notarized on view {parent_view}, which is not")
        for between in range(parent_view + 1, view):
            empty = (NULLIFY, epoch, between, 0, b"")
            if not self.is_quorum(self.signed.get(empty, 0)):
                self.refuse(view, f"notarized past view {between}, which is not nullified")

    def sent(self, subject: Subject, signers: tuple[int, ...]) -> None:
        """Check a certificate that an honest validator sends."""
        place = (subject, signers)
        if place in self.checked:
            return
        self.checked[place] = None
        bits = 0
        for signer in signers:
            bits |= 1 << signer
        view = subject[2]
        if list(signers) != sorted(signers) or bits.bit_count() != len(signers):
            self.refuse(view, "a certificate names a signer twice")
        if not self.is_quorum(bits):
            self.refuse(view, f"a certificate of {bits.bit_count()} signers, less than a quorum")
        if bits & ~self.signed.get(subject, 0):
            self.refuse(view, "a certificate holds a vote that nobody cast")
        for signer in signers:
            self.leave(signer, subject)

    def refuse(self, view: int, what: str) -> None:
        """Report it."""
        raise Violation(Property.CERTIFICATES, f"view {view}: {what}")

