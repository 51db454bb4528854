"""Two nodes with one key, neither knowing of the other: a cloned machine, or a restored backup.

Each hears everything and tells a part of the others, drawn anew for each message, so that both are
believed by somebody. What they say together is what no honest validator says; whether anybody can
prove it depends on who hears what.
"""

from quorate.ordering.messages import Effect, Event, Tell
from quorate.sim.byzantine.actor import Actor, retold


class Twin(Actor):
    """One of the two."""

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Tell some."""
        return retold(effects, self.told_to_some)

    def told_to_some(self, told: Tell) -> list[Effect]:
        """Draw who hears it."""
        if told.to is not None:
            return [told]
        peers = self.hands.peers()
        heard = peers[: 1 + self.hands.rng.randrange(len(peers))]
        return [Tell(told.message, peer) for peer in heard]
