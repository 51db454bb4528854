"""Whether a market still trades its series."""

from quorate.execution.spec.tables import Tables
from quorate.types.codes import MarketKind
from quorate.types.options_codes import SeriesState
from quorate.types.records import Table


def series_ended(t: Tables, market_slot: int) -> bool:
    """Whether a market is of the kind SERIES and has none that is live."""
    if t.row(Table.MARKETS, market_slot).kind != MarketKind.SERIES:
        return False
    return bool(t.row(Table.SERIES, market_slot).state != SeriesState.LIVE)
