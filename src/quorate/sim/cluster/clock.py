"""A node's two clocks as functions of the world's time, all in milliseconds.

`mono` never goes back: it may run fast or slow, or stand still. `wall` is unix time and may jump.
"""

from typing import Final

RATE_EXACT: Final = 1_000_000
NEVER: Final = 2**62
WALL_MS: Final = 1_760_000_000_000  # unix time at which every run begins


class Clock:
    """rate: millionths of a second of ours in a second of the world's; 0 while frozen."""

    __slots__ = ("mono_from", "now_from", "offset_ms", "rate")

    def __init__(self, wall_ms: int, rate: int = RATE_EXACT) -> None:
        self.now_from = 0
        self.mono_from = 0
        self.rate = rate
        self.offset_ms = wall_ms

    def mono(self, now_ms: int) -> int:
        """Give the time that timers go by."""
        return self.mono_from + (now_ms - self.now_from) * self.rate // RATE_EXACT

    def wall(self, now_ms: int) -> int:
        """Give unix time as this node believes it."""
        return self.mono(now_ms) + self.offset_ms

    def when(self, mono_ms: int) -> int:
        """Give the world's time at which `mono` will have reached a value; NEVER while frozen."""
        ahead = mono_ms - self.mono_from
        if ahead <= 0:
            return self.now_from
        if not self.rate or mono_ms >= NEVER:
            return NEVER
        return self.now_from + -(-ahead * RATE_EXACT // self.rate)

    def run_at(self, now_ms: int, rate: int) -> None:
        """Run at another rate from now on."""
        self.mono_from, self.now_from, self.rate = self.mono(now_ms), now_ms, rate

    def correct(self, now_ms: int, wall_ms: int) -> None:
        """Set the wall clock right."""
        self.offset_ms = wall_ms - self.mono(now_ms)

    def jump(self, by_ms: int) -> None:
        """Set the wall clock forward or back."""
        self.offset_ms += by_ms
