"""What a measurement is, and how often it is repeated."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One named value, median of several runs where `detail` says so."""

    name: str
    value: float
    unit: str
    detail: str


def median(values: Sequence[float]) -> float:
    """Median of runs."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The runs behind a median, in words."""
    return f"median of {len(values)} runs, {min(values):,.0f} to {max(values):,.0f}"


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s
