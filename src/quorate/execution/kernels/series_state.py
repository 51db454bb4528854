"""Whether a market still trades its series; the same function as `spec.series_state`."""

from quorate.compiled import helper
from quorate.types.codes import MarketKind
from quorate.types.options_codes import SeriesState

SERIES, LIVE = int(MarketKind.SERIES), int(SeriesState.LIVE)


@helper
def series_ended(s, market):
    """Whether a market is of the kind SERIES and has none that is live."""
    return s.markets[market]["kind"] == SERIES and s.series[market]["state"] != LIVE
