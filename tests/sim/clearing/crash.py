"""The small crash, run once on each machine for all tests of a process."""

from functools import cache
from pathlib import Path
from typing import Any

from quorate.sim.scenarios.clearing.description import Scenario, scenario_read
from quorate.sim.scenarios.clearing.run import Outcome, Run

FILE = Path(__file__).with_name("small.toml")
NO_DATA = Path("/nonexistent")


def small() -> Scenario:
    """The scenario."""
    return scenario_read("small", FILE.read_text(encoding="ascii"))


class Recorded(Run):
    """A run that keeps what its receipts' checker was shown."""

    def __init__(self, scenario: Scenario, spec: bool) -> None:
        super().__init__(scenario, NO_DATA, spec)
        self.shown: list[tuple[Any, Any, Any, int]] = []

    def block(self, time_ms: int) -> Any:
        """Keep the block."""
        events = super().block(time_ms)
        before, after = self.driver.before.image, self.driver.look.image
        self.shown.append((before, after, events.copy(), time_ms))
        return events


@cache
def crashed(spec: bool) -> tuple[Recorded, Outcome]:
    """Run the small crash."""
    run = Recorded(small(), spec)
    return run, run.go()
