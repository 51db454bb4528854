"""Price paths: what an index is at a time, from written points or from recorded minutes."""

from bisect import bisect_right
from pathlib import Path
from typing import Final

from quorate.sim.replays.formats import read
from quorate.sim.scenarios.clearing.description import PricePath
from quorate.types.limits import PPM

STEP_MS: Final = 15_000  # a minute goes through four prices


class Prices:
    """Times after the beginning and the prices from then on, in ticks."""

    def __init__(self, points: list[tuple[int, int]], straight: bool) -> None:
        self.times = [time_ms for time_ms, _ in points]
        self.prices = [price for _, price in points]
        self.straight = straight

    def at(self, time_ms: int) -> int:
        """Price at a time; before the first point the first, after the last the last."""
        index = bisect_right(self.times, time_ms) - 1
        if index < 0:
            return self.prices[0]
        if not self.straight or index + 1 == len(self.times):
            return self.prices[index]
        begin, end = self.times[index], self.times[index + 1]
        low, high = self.prices[index], self.prices[index + 1]
        return low + (high - low) * (time_ms - begin) // (end - begin)


def path_read(source: PricePath, data: Path) -> Prices:
    """Read a price path. Raises FileRefused."""
    if not source.file:
        return Prices(list(source.points), True)
    return Prices(minutes(data / source.file, source), False)


def minutes(path: Path, source: PricePath) -> list[tuple[int, int]]:
    """Recorded minutes as steps, less those smaller than `move_ppm`."""
    found: list[tuple[int, int]] = []
    from_ms, until_ms = 1000 * source.from_s, 1000 * source.until_s
    for bar in read(path, "bitmex", 0):
        if not from_ms <= bar.time_ms < until_ms:
            continue
        for number, price in enumerate(bar.path()):
            time_ms = bar.time_ms - from_ms + number * STEP_MS
            moved = abs(price - found[-1][1]) * PPM if found else PPM * PPM
            if not found or number == 3 or moved > found[-1][1] * source.move_ppm:
                found.append((time_ms, price))
    return found
