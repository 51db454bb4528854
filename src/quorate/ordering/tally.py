"""The votes of one view, as they come in: at most one a signer and kind.

Signatures are looked at only when it matters: at quorum, or when two votes contradict each other.
Until then a vote is its sender's word, given over his own authenticated connection, so that
nobody can fill another's place.
"""

from typing import Final, NamedTuple

from quorate.ordering.rules import conflict
from quorate.ordering.scheme import Scheme
from quorate.types.consensus import Certificate, Evidence, Subject, ValidatorSet, Vote, VoteKind

KINDS: Final = tuple(int(kind) for kind in VoteKind)


class Counted(NamedTuple):
    """What came of a vote.

    fresh: it was not known. weight: of its subject, now. evidence: it proves its signer malicious.
    forged: how many signatures were found to be none.
    """

    fresh: bool
    evidence: Evidence | None = None
    forged: int = 0


class Tally:
    """Votes of one view by kind and signer."""

    __slots__ = ("verified", "votes", "weights")

    def __init__(self) -> None:
        self.votes: dict[tuple[int, int], Vote] = {}
        self.weights: dict[Subject, int] = {}
        self.verified: dict[tuple[int, int], None] = {}

    def add(self, vote: Vote, validators: ValidatorSet, scheme: Scheme, sound: bool) -> Counted:
        """Take a vote. sound: our own, or out of a certificate, so that nobody need look."""
        subject, signer, _ = vote
        place = (subject.kind, signer)
        known = self.votes.get(place)
        forged = 0
        if known is not None:
            if known == vote:
                return Counted(False)
            if not (sound or scheme.holds(subject, signer, vote.signature)):
                return Counted(False, forged=1)
            if self.sound(place, scheme):
                proved = conflict(known.subject, subject)
                return Counted(False, Evidence(known, vote) if proved else None)
            # The first was no vote at all: this one takes its place.
            self.drop(place, validators)
            forged = 1
            self.verified[place] = None
        self.votes[place] = vote
        self.weights[subject] = self.weights.get(subject, 0) + validators.weights[signer]
        if sound:
            self.verified[place] = None
        return Counted(True, self.contradiction(vote, scheme), forged)

    def contradiction(self, vote: Vote, scheme: Scheme) -> Evidence | None:
        """Find a vote of another kind that no honest signer casts beside this one."""
        for kind in KINDS:
            other = self.votes.get((kind, vote.signer))
            if other is not None and other is not vote and conflict(other.subject, vote.subject):
                places = (kind, vote.signer), (vote.subject.kind, vote.signer)
                if all(self.sound(place, scheme) for place in places):
                    return Evidence(other, vote)
        return None

    def sound(self, place: tuple[int, int], scheme: Scheme) -> bool:
        """Check the signature of a vote that is held, once."""
        if place in self.verified:
            return True
        vote = self.votes[place]
        if scheme.holds(vote.subject, vote.signer, vote.signature):
            self.verified[place] = None
            return True
        return False

    def drop(self, place: tuple[int, int], validators: ValidatorSet) -> None:
        """Forget a vote that was none."""
        vote = self.votes.pop(place)
        left = self.weights.pop(vote.subject) - validators.weights[vote.signer]
        if left:
            self.weights[vote.subject] = left

    def certificate(
        self, subject: Subject, validators: ValidatorSet, scheme: Scheme, quorum: int
    ) -> tuple[Certificate | None, tuple[int, ...]]:
        """Make a certificate if enough voted for a subject; also name those whose vote was none."""
        if self.weights.get(subject, 0) < quorum:
            return None, ()
        signers, forgers, weight = [], [], 0
        for signer in range(len(validators.keys)):
            vote = self.votes.get((subject.kind, signer))
            if vote is None or vote.subject != subject:
                continue
            place = (subject.kind, signer)
            if not self.sound(place, scheme):
                self.drop(place, validators)
                forgers.append(signer)
                continue
            signers.append(signer)
            weight += validators.weights[signer]
            if weight >= quorum:
                break
        if weight < quorum:
            return None, tuple(forgers)
        signatures = tuple(self.votes[subject.kind, signer].signature for signer in signers)
        return Certificate(subject, tuple(signers), signatures), tuple(forgers)

    def own(self, signer: int) -> list[Vote]:
        """List a signer's votes, in the order of their kinds."""
        found = [self.votes.get((kind, signer)) for kind in KINDS]
        return [vote for vote in found if vote is not None]
