"""Says everything late: each message waits for a time of chance, up to several deltas."""

from quorate.ordering.messages import Effect, Event, Tell, Wake
from quorate.sim.byzantine.actor import Actor


class Delayer(Actor):
    """Holds messages back. Nothing of that can be proved."""

    late: list[tuple[int, Tell]]
    wake_ms: int

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Keep what was said, say what is due."""
        if event is None:
            self.late, self.wake_ms = [], self.now
        span = 4 * self.core.settings.times.delta_ms
        kept: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Tell):
                self.late.append((self.now + self.hands.rng.randrange(span), effect))
            elif isinstance(effect, Wake):
                self.wake_ms = effect.at_ms
            else:
                kept.append(effect)
        kept += [told for due, told in self.late if due <= self.now]
        self.late = [(due, told) for due, told in self.late if due > self.now]
        at = min([due for due, _ in self.late], default=self.core.wake_at)
        return [*kept, Wake(min(at, self.core.wake_at))]
