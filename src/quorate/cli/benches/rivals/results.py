"""What the measurement of another system gives: its figures, or the sentence why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rival:
    """Figures of one system, driven in one way; a command is one record, put or transfer."""

    name: str
    nodes: int
    commands_per_s: float
    p50_ms: float
    p99_ms: float
    batching: str
    durability: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A system that was not measured, and a sentence that says why or what to install."""

    name: str
    reason: str


class NotMeasured(RuntimeError):
    """A rival that started but gave no figures; the text is a sentence."""


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest-rank percentile of ascending values: the least that `percent` of them do not exceed.

    Raises NotMeasured when there are no values.
    """
    if not ordered:
        raise NotMeasured("No request was answered within the measured time.")
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]


@dataclass(frozen=True, slots=True)
class Load:
    """How a closed loop drives a rival: requests under way at once, and records in each."""

    requests: int
    records: int

    def words(self, request: str, record: str) -> str:
        """This load in words, for `Rival.batching`."""
        carried = f"1 {record}" if self.records == 1 else f"{self.records} {record}s"
        return f"{carried} in a {request}, {self.requests} {request}s under way"
