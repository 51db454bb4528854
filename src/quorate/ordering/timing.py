"""Times of the protocol, in milliseconds of a clock that never goes back.

    t_leader  the proposal of a view is due: 2 * delta after the leader had work, or the heartbeat
    t_cert    its certificate is due: delta later
    t_retry   a nullify is sent again

delta grows with the views since the last finalization, by half each, and falls back only when one
comes: a network slower than we thought gets the time that it needs, whatever it is.
"""

from dataclasses import dataclass
from typing import Final

# A pipeline of healthy views runs this far ahead of finalization.
VIEWS_UNFINALIZED_FREE: Final = 3
GROWTH_STEPS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Times:
    """delta_ms: bound on a message's delay; delta_ms_max: to which it grows."""

    delta_ms: int
    heartbeat_ms: int
    skip_timeout_ms: int
    retry_ms: int
    standstill_ms: int
    delta_ms_max: int

    def __post_init__(self) -> None:
        assert 0 < self.delta_ms <= self.delta_ms_max
        assert 0 <= self.heartbeat_ms and 0 < self.retry_ms < self.skip_timeout_ms
        assert self.heartbeat_ms + 3 * self.delta_ms < self.skip_timeout_ms
        assert self.standstill_ms > 3 * self.delta_ms

    def delta(self, view: int, last_finalized: int) -> int:
        """Give the delta of a view (TON's rule; CONSENSUS 2)."""
        steps = view - last_finalized - VIEWS_UNFINALIZED_FREE
        delta = self.delta_ms
        for _ in range(min(steps, GROWTH_STEPS_MAX)):
            if delta >= self.delta_ms_max:
                break
            delta += (delta + 1) // 2
        return min(delta, self.delta_ms_max)
