"""Figures of a run against the table that was written before it."""

from dataclasses import dataclass

from quorate.sim.scenarios.clearing.description import Scenario, ScenarioRefused

# Every table bounds these; what is expected of them is the same everywhere.
ALWAYS = ("conservation_delta", "receipts_wrong", "adl_minimal", "bad_debt_e6")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: what was expected, what was found, whether it holds."""

    figure: str
    least: int | None
    most: int | None
    found: int
    why: str

    @property
    def holds(self) -> bool:
        """Whether the figure lies within its bounds."""
        low = self.least is None or self.found >= self.least
        return low and (self.most is None or self.found <= self.most)

    @property
    def words(self) -> str:
        """The bounds as a reader writes them."""
        if self.least == self.most:
            return f"= {self.least:,}"
        parts = [f">= {self.least:,}"] if self.least is not None else []
        parts += [f"<= {self.most:,}"] if self.most is not None else []
        return ", ".join(parts)


def judged(scenario: Scenario, figures: dict[str, int]) -> list[Finding]:
    """Hold the figures to the table. Raises ScenarioRefused for a figure that does not exist."""
    unknown = [name for name in scenario.expected if name not in figures]
    if unknown:
        raise ScenarioRefused(f"{scenario.name}: there is no figure {unknown[0]}")
    return [
        Finding(name, each.least, each.most, figures[name], each.why)
        for name, each in scenario.expected.items()
    ]
