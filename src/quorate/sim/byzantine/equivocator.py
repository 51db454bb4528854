"""As leader: two proposals for one view. Some hear of one, some of the other, one of both.

It notarizes and finalizes both, so that either can become final if quorums allow it.
"""

from quorate.ordering.messages import Effect, Event, Tell
from quorate.sim.byzantine.actor import Actor, retold
from quorate.types.consensus import Subject, Vote, VoteKind


class Equivocator(Actor):
    """Splits its peers anew for every view that it leads."""

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Tell two stories."""
        return retold(effects, self.split)

    def split(self, told: Tell) -> list[Effect]:
        """Add a second story to each proposal of its own."""
        vote, hands = told.message, self.hands
        leads = isinstance(vote, Vote) and vote.subject.kind == VoteKind.NOTARIZE
        if not leads or told.to is not None or not isinstance(vote, Vote):
            return [told]
        subject = vote.subject
        if hands.validators.leader(subject.view) != hands.me:
            return [told]
        parent = self.core.payload_at(subject.parent_view)
        other = hands.maker.make(subject.view, parent, hands.me)
        second = hands.vote(subject._replace(payload=other))
        peers = hands.peers()
        cut = hands.rng.randrange(len(peers))
        stories = [*self.story(vote, peers[: cut + 1]), *self.story(second, peers[cut:])]
        hands.rng.shuffle(stories)
        return [*stories]

    def story(self, vote: Vote, peers: list[int]) -> list[Tell]:
        """Notarize to some, and finalize in the same breath."""
        final = self.hands.vote(Subject(VoteKind.FINALIZE, *vote.subject[1:]))
        return [Tell(said, peer) for peer in peers for said in (vote, final)]
