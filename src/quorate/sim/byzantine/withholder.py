"""Says as little as it can while it still counts: bytes to few, votes to few, certificates to none.

As leader it hands the bytes of its payload to the fewest who can notarize it with itself.
"""

from quorate.ordering.messages import Built, Effect, Event, Tell
from quorate.sim.byzantine.actor import Actor, retold
from quorate.types.consensus import Certificate


class Withholder(Actor):
    """Nothing that it does can be proved: silence is legal."""

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        """Give the bytes of its own payloads to few."""
        if isinstance(event, Built) and event.payload is not None:
            hands = self.hands
            held = self.core.rounds.find(event.view)
            asked = held.building if held is not None else None
            if asked is not None:
                peers = hands.peers()
                few = peers[: hands.rng.randrange(len(peers) + 1)]
                holders = [hands.me, *few]
                payload = hands.maker.make(event.view, asked[1], hands.me, True, holders)
                event = Built(event.view, payload)
        return super().step(now_ms, event)

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Say little."""
        return retold(effects, self.whispered)

    def whispered(self, told: Tell) -> list[Effect]:
        """Tell some and keep certificates."""
        if isinstance(told.message, Certificate):
            return []
        if told.to is not None:
            return [told]
        peers = self.hands.peers()
        return [Tell(told.message, peer) for peer in peers[: self.hands.rng.randrange(len(peers))]]
