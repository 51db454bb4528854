"""Votes for and against: where a core would cast one vote, it casts all that contradict it too."""

from quorate.ordering.messages import Effect, Event, Tell
from quorate.sim.byzantine.actor import Actor, retold
from quorate.types.consensus import Subject, Vote, VoteKind, nullify_subject


class Conflicter(Actor):
    """Whoever hears it can prove that it lies."""

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Contradict every vote."""
        return retold(effects, self.contradicted)

    def contradicted(self, told: Tell) -> list[Effect]:
        """Add the votes that no honest validator casts beside this one."""
        vote, hands = told.message, self.hands
        if not isinstance(vote, Vote) or vote.signer != hands.me:
            return [told]
        kind, epoch, view, parent_view, payload = vote.subject
        if kind == VoteKind.NULLIFY:
            made = hands.maker.make(view, b"", hands.me, False)
            parent_view, payload = max(0, view - 1), made
        other = hands.maker.make(view, b"", hands.me, False)
        others = [
            Subject(VoteKind.NOTARIZE, epoch, view, parent_view, other),
            Subject(VoteKind.FINALIZE, epoch, view, parent_view, payload),
            nullify_subject(epoch, view),
        ]
        said: list[Effect] = [Tell(hands.vote(each), told.to) for each in others]
        said.insert(hands.rng.randrange(len(said) + 1), told)
        return said
