"""What of a fixing is still to come: its samples, and the time for which it still moves."""

from quorate.execution import series_rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.options_rows import Expiry
from quorate.execution.spec.rows import Parameters
from quorate.types.records import Table


def samples_ahead(c: Context, expiry: Expiry) -> int:
    """How many samples of an expiry's fixing are to come."""
    numbers: Parameters = c.t.row(Table.PARAMETERS, 0)
    return series_rules.fixing_remaining(
        c.time_ms, expiry.expiry_ms, numbers.fixing_window_ms, numbers.fixing_sample_ms
    )


def moving_ms(c: Context, expiry: Expiry) -> int:
    """For how long a price moves as much as an expiry's fixing still will."""
    numbers: Parameters = c.t.row(Table.PARAMETERS, 0)
    return series_rules.fixing_time_ms(expiry.expiry_ms - c.time_ms, numbers.fixing_window_ms)
