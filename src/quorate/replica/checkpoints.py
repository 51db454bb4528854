"""What validators found after executing: their votes for roots, certificates, and disagreement.

One root per height for ever: ours is what the ledger signed. Votes of others are kept until we have
executed the same height and compared then. Signatures are checked when a quorum or a disagreement
makes them matter. Where signers of a third of the stake or more stand by another root than ours,
one side is wrong and we cannot know which: the replica halts and keeps the votes.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from quorate.commitment.proof import Checkpoint
from quorate.types.consensus import (
    CheckpointCertificate,
    CheckpointVote,
    ValidatorSet,
)

HEIGHTS_AHEAD: Final = 256  # of our own last: votes beyond are dropped
HEIGHTS_KEPT: Final = 256  # below our own last

Holds = Callable[[CheckpointVote], bool]


class Divergence(NamedTuple):
    """Others stand by another root than ours at a height. votes: theirs, checked."""

    height: int
    root: bytes
    votes: tuple[CheckpointVote, ...]


class Checkpoints:
    """Votes by height and signer. best: the certificate of the greatest height known."""

    def __init__(
        self,
        validators: ValidatorSet,
        me: int | None,
        holds: Holds,
        height: int = 0,
        best: CheckpointCertificate | None = None,
    ) -> None:
        self.validators = validators
        self.me = me
        self.holds = holds
        self.height = height
        self.best = best
        self.votes: dict[int, dict[int, CheckpointVote]] = {}
        self.own: dict[int, tuple[bytes, bytes]] = {}
        self.certificates: dict[int, CheckpointCertificate] = {}
        self.checked: dict[tuple[int, int], None] = {}
        self.forged = 0
        self.guilty: dict[int, tuple[CheckpointVote, CheckpointVote]] = {}
        self.accused: list[tuple[CheckpointVote, CheckpointVote]] = []

    def recovered(self, height: int, digest: bytes, root: bytes) -> None:
        """Take what our own execution had come to before a restart."""
        assert height == self.height
        self.own[height] = (digest, root)

    def settled(self, height: int, digest: bytes, root: bytes) -> Divergence | None:
        """Take what our own execution came to."""
        assert height == self.height + 1
        self.height = height
        self.own[height] = (digest, root)
        for old in [known for known in self.own if known <= height - HEIGHTS_KEPT]:
            del self.own[old]
        for old in [known for known in self.votes if known <= height - HEIGHTS_KEPT]:
            for signer in self.votes.pop(old):
                self.checked.pop((old, signer), None)
            self.certificates.pop(old, None)
        return self.divergence(height)

    def vote(self, vote: CheckpointVote, peer: int | None) -> Divergence | None:
        """Take a vote from its signer, or with peer None our own."""
        signer, height = vote.signer, vote.height
        if (peer is not None and signer != peer) or vote.epoch != self.validators.epoch:
            return None
        if not self.height - HEIGHTS_KEPT < height <= self.height + HEIGHTS_AHEAD:
            return None
        votes = self.votes.setdefault(height, {})
        if signer in votes:
            self.compare(votes[signer], vote)
            return None
        votes[signer] = vote
        if peer is None:
            self.checked[height, signer] = None
        self.certify(height, vote.exec_block_digest, vote.state_root)
        return self.divergence(height)

    def compare(self, first: CheckpointVote, second: CheckpointVote) -> None:
        """Accuse a signer of two roots at one height, once."""
        signer, height = first.signer, first.height
        if first[:4] == second[:4] or signer in self.guilty:
            return
        if self.sound(first) and self.holds(second):
            self.guilty[signer] = (first, second)
            self.accused.append((first, second))
        elif signer not in self.votes[height] and self.holds(second):
            # The first was no vote at all.
            self.votes[height][signer] = second
            self.checked[height, signer] = None

    def sound(self, vote: CheckpointVote) -> bool:
        """Check a vote's signature once; forget a vote that is none."""
        place = (vote.height, vote.signer)
        if place in self.checked:
            return True
        if self.holds(vote):
            self.checked[place] = None
            return True
        del self.votes[vote.height][vote.signer]
        self.forged += 1
        return False

    def certify(self, height: int, digest: bytes, root: bytes) -> None:
        """Make the certificate of a height if enough voted for one root."""
        if height in self.certificates:
            return
        weights, votes = self.validators.weights, self.votes[height]
        alike = [
            votes[signer]
            for signer in sorted(votes)
            if votes[signer].exec_block_digest == digest and votes[signer].state_root == root
        ]
        if sum(weights[vote.signer] for vote in alike) < self.validators.quorum:
            return
        sound: list[CheckpointVote] = []
        weight = 0
        for vote in alike:
            if weight < self.validators.quorum and self.sound(vote):
                sound.append(vote)
                weight += weights[vote.signer]
        if weight >= self.validators.quorum:
            signers = tuple(vote.signer for vote in sound)
            signatures = tuple(vote.signature for vote in sound)
            self.keep(
                CheckpointCertificate(
                    self.validators.epoch, height, digest, root, signers, signatures
                )
            )

    def keep(self, certificate: CheckpointCertificate) -> None:
        """Take a certificate that holds, made here or out of a header."""
        height = certificate.height
        if self.best is None or height > self.best.height:
            self.best = certificate
        if height > self.height - HEIGHTS_KEPT:
            self.certificates.setdefault(height, certificate)

    def carried(self, certificate: CheckpointCertificate) -> Divergence | None:
        """Take a header's certificate, checked by whoever judged the header."""
        self.keep(certificate)
        epoch, height, digest, root = certificate[:4]
        if self.height - HEIGHTS_KEPT < height <= self.height + HEIGHTS_AHEAD:
            votes = self.votes.setdefault(height, {})
            pairs = zip(certificate.signers, certificate.signatures, strict=True)
            for signer, signature in pairs:
                if signer not in votes:
                    votes[signer] = CheckpointVote(epoch, height, digest, root, signer, signature)
                    self.checked[height, signer] = None
        return self.divergence(height)

    def divergence(self, height: int) -> Divergence | None:
        """Compare with our own root: halt against a third of the stake (3w >= W)."""
        own, votes = self.own.get(height), self.votes.get(height)
        if own is None or votes is None:
            return None
        weights = self.validators.weights
        against = [
            votes[signer]
            for signer in sorted(votes)
            if (votes[signer].exec_block_digest, votes[signer].state_root) != own
        ]
        if 3 * sum(weights[vote.signer] for vote in against) < self.validators.total:
            return None
        against = [vote for vote in against if self.sound(vote)]
        if 3 * sum(weights[vote.signer] for vote in against) < self.validators.total:
            return None
        return Divergence(height, own[1], tuple(against))


def own_vote(checkpoint: Checkpoint, me: int) -> CheckpointVote:
    """Give what other validators are told of a checkpoint that we signed."""
    (signature,) = checkpoint.signatures.values()
    return CheckpointVote(
        checkpoint.epoch,
        checkpoint.height,
        checkpoint.exec_block_digest,
        checkpoint.state_root,
        me,
        signature,
    )
