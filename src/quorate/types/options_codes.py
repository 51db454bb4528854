"""States and kinds of products and series. Part of the state: never renumbered."""

from enum import IntEnum


class SeriesState(IntEnum):
    """Life of a series; NONE is a market of kind SERIES without one yet."""

    NONE = 0
    LIVE = 1
    EXPIRED = 2
    SETTLING = 3
    SETTLED = 4


class ExpiryState(IntEnum):
    """Of an expiry: FREE row, sampled for its fixing, fixed."""

    FREE = 0
    OPEN = 1
    FIXED = 2


class ObservationRule(IntEnum):
    """When a path is looked at: every tick, at multiples of `sample_ms`, once a day."""

    NONE = 0
    BLOCK = 1
    SAMPLED = 2
    CLOSE = 3


class MarginMode(IntEnum):
    """How an account's options are margined."""

    STANDARD = 0
    PORTFOLIO = 1
