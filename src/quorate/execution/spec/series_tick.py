"""What a tick does for series, after those of indexes and other marks."""

from quorate.execution.spec.context import Context
from quorate.execution.spec.fixings import fixings_tick
from quorate.execution.spec.observations import observations_tick
from quorate.execution.spec.series_marks import series_marks_tick
from quorate.execution.spec.smiles import smiles_tick


def series_tick(c: Context) -> None:
    """Phase 3 of a tick: fixings, paths, smiles, marks and the funding of perpetual series."""
    fixings_tick(c)
    observations_tick(c)
    smiles_tick(c)
    series_marks_tick(c)
