"""As leader: builds on the last final block, past views that were never nullified.

With the ancestry checked nobody notarizes that. Nothing of it can be proved: a gap is no vote.
"""

from quorate.ordering.messages import Built, Effect, Event, Tell
from quorate.sim.byzantine.actor import Actor
from quorate.types.consensus import Subject, VoteKind


class Skipper(Actor):
    """Keeps its core from leading, and leads by itself."""

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        """Propose past the views between."""
        if not isinstance(event, Built):
            return super().step(now_ms, event)
        hands, floor = self.hands, self.core.floor
        if event.view <= floor.view:
            return []
        payload = hands.maker.make(event.view, floor.payload, hands.me)
        epoch = hands.validators.epoch
        subject = Subject(VoteKind.NOTARIZE, epoch, event.view, floor.view, payload)
        return [Tell(hands.vote(subject))]
