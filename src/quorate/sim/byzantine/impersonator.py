"""Speaks in others' names: votes of others under its own signature, certificates of its own making.

All of it must be dropped, and nobody accused: not those in whose name it speaks, and not itself,
since a signature that does not hold proves nothing of anybody.
"""

from quorate.ordering.messages import Effect, Event, Tell
from quorate.sim.byzantine.actor import Actor, retold
from quorate.types.consensus import Certificate, Subject, Vote, VoteKind, nullify_subject


class Impersonator(Actor):
    """Adds one forgery to each vote of its own."""

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Forge."""
        return retold(effects, self.forged)

    def forged(self, told: Tell) -> list[Effect]:
        """Add a forgery."""
        vote, hands = told.message, self.hands
        if not isinstance(vote, Vote):
            return [told]
        subject = vote.subject
        victim = hands.peers()[0]
        shape = hands.rng.randrange(6)
        lie: Vote | Certificate
        if shape == 0:
            lie = Vote(subject, victim, vote.signature)
        elif shape == 1:
            # In its own place, with a signature that is none.
            wrong = Subject(VoteKind.FINALIZE, *subject[1:])
            lie = Vote(
                wrong if subject.kind != VoteKind.NULLIFY else subject, hands.me, bytes(64)
            )
        elif shape == 2:
            lie = Vote(subject._replace(epoch=subject.epoch + 1), hands.me, vote.signature)
        else:
            lie = self.certificate(subject, vote.signature, shape)
        return [told, Tell(lie, told.to)]

    def certificate(self, subject: Subject, own: bytes, shape: int) -> Certificate:
        """Make a certificate that no quorum signed."""
        hands = self.hands
        count = len(hands.validators.keys)
        if shape == 3:
            return Certificate(subject, (hands.me,), (own,))
        if shape == 4:
            return Certificate(subject, (hands.me,) * count, (own,) * count)
        if subject.kind != VoteKind.FINALIZE:
            subject = nullify_subject(subject.epoch, subject.view)
        return Certificate(subject, tuple(range(count)), (own,) * count)
