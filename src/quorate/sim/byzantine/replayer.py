"""Repeats what it has heard and said, out of season, to anybody. It signs nothing that is false."""

from typing import Final

from quorate.ordering.messages import Effect, Event, Message, Received, Tell
from quorate.sim.byzantine.actor import Actor

KEPT: Final = 64


class Replayer(Actor):
    """Remembers a bounded number of messages, its own and others'."""

    kept: list[Message]

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Add an old message to every third step."""
        rng = self.hands.rng
        if event is None:
            self.kept = []
        heard = [event.message] if isinstance(event, Received) else []
        said = [effect.message for effect in effects if isinstance(effect, Tell)]
        for message in [*heard, *said]:
            if len(self.kept) < KEPT:
                self.kept.append(message)
            else:
                self.kept[rng.randrange(KEPT)] = message
        if self.kept and not rng.randrange(3):
            again = self.kept[rng.randrange(len(self.kept))]
            return [*effects, Tell(again, self.hands.peers()[0])]
        return effects
