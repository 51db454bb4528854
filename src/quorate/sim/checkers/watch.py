"""All checkers of agreement, behind the hooks that a world calls."""

from collections.abc import Sequence
from typing import Any

from quorate.sim.checkers.agreement import Agreement, Link
from quorate.sim.checkers.certificates import Certificates
from quorate.sim.checkers.evidence import Evidence
from quorate.sim.checkers.one_vote import FINALIZE, NOTARIZE, OneVote, Subject
from quorate.sim.checkers.validity import Validity


class Watch:
    """liars: indexes of Byzantine validators. victims: those whose disk a fault may destroy."""

    def __init__(
        self, weights: Sequence[int], liars: Sequence[int], victims: Sequence[int]
    ) -> None:
        self.liars = dict.fromkeys(liars)
        self.one_vote = OneVote()
        self.certificates = Certificates(weights)
        self.agreement = Agreement()
        self.validity = Validity(weights)
        self.evidence = Evidence([*liars, *victims])

    def made(self, payload: bytes, link: Link) -> None:
        """A block was made."""
        self.agreement.links[payload] = link

    def signed(self, index: int, subject: Subject, view: int) -> None:
        """A validator that has entered `view` signs. A liar's vote anybody may hold at once."""
        self.certificates.sign(index, subject)
        if index in self.liars:
            self.certificates.leave(index, subject)
        else:
            self.one_vote.signed(index, subject, view)

    def vote_left(self, index: int, subject: Subject) -> None:
        """A vote leaves an honest validator."""
        self.one_vote.left(index, subject)
        if index not in self.one_vote.forgiven:
            if subject[0] == FINALIZE:
                self.validity.finalize_left(index, subject[2], subject[4])
            elif subject[0] == NOTARIZE:
                self.validity.notarize_left(index, subject[2], subject[4])
        self.certificates.leave(index, subject)

    def certificate_left(self, subject: Subject, signers: tuple[int, ...]) -> None:
        """A certificate leaves an honest validator."""
        self.certificates.sent(subject, signers)

    def certified(self, index: int, payload: bytes) -> None:
        """A validator's application has found a payload sound."""
        self.validity.certify(index, payload)

    def verified(self, index: int, payload: bytes) -> None:
        """A validator's application has judged a proposal valid, or made it."""
        self.validity.verify(index, payload)

    def finalized(self, node: int, view: int, payload: bytes) -> None:
        """An honest validator's core says that a block is final."""
        for block in self.agreement.finalized(node, view, payload):
            self.validity.finalized(block, self.agreement.links[block])

    def accused(self, signer: int, first: Any, second: Any) -> None:
        """An honest validator's core accuses. first, second: (subject, signer, signature)."""
        signed = self.certificates.signed
        both = all(
            vote[1] == signer and signed.get(vote[0], 0) >> signer & 1 for vote in (first, second)
        )
        self.evidence.accuse(signer, tuple(first[0]), tuple(second[0]), both)

    def accused_of_roots(self, signer: int, first: Any, second: Any) -> None:
        """An honest validator's core accuses. first, second: checkpoint votes, root at 3."""
        if first[1] != second[1] or first[2:4] == second[2:4]:
            self.evidence.refuse(signer, "by two checkpoints that do not contradict")
        if signer not in self.evidence.guilty:
            self.evidence.refuse(signer, "of two roots although it is honest")

    def forgive(self, index: int) -> None:
        """A fault has destroyed what a validator remembers."""
        self.one_vote.forgiven[index] = None
