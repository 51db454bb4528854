"""What of a fixing is still to come; the same functions as `spec.outlook`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.scalars import fixing_remaining, fixing_time_ms

i8 = np.int64


@helper
def samples_ahead(s, slot):
    """How many samples of an expiry's fixing are to come."""
    numbers = s.parameters[0]
    expiry_ms = s.expiries[slot]["expiry_ms"]
    window_ms, sample_ms = numbers["fixing_window_ms"], numbers["fixing_sample_ms"]
    return i8(fixing_remaining(s.now[0]["time_ms"], expiry_ms, window_ms, sample_ms))


@helper
def moving_ms(s, slot):
    """For how long a price moves as much as an expiry's fixing still will."""
    left_ms = s.expiries[slot]["expiry_ms"] - s.now[0]["time_ms"]
    return i8(fixing_time_ms(left_ms, s.parameters[0]["fixing_window_ms"]))
