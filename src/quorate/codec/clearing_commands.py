"""Builders of the commands of the clearing house; see commands.py, of which this is a part."""

from dataclasses import dataclass
from typing import ClassVar

from quorate.types.codes import Op


@dataclass(frozen=True, slots=True)
class Trigger:
    """A conditional order. `size` 0: all of the position; `limit_ticks` 0: a market order.

    `kind` and `flags`: types/clearing_codes.py. `parent_id`: the order that must fill first.
    """

    op: ClassVar[Op] = Op.TRIGGER
    market: int
    side: int
    kind: int
    trigger_ticks: int
    size: int = 0
    flags: int = 0
    limit_ticks: int = 0
    parent_id: int = 0
    trail_ppm: int = 0


@dataclass(frozen=True, slots=True)
class CancelTrigger:
    op: ClassVar[Op] = Op.CANCEL_TRIGGER
    trigger_id: int


@dataclass(frozen=True, slots=True)
class QuoteLevel:
    """Two-sided; a side with 0 lots is absent, and its price is 0."""

    op: ClassVar[Op] = Op.QUOTE_LEVEL
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


@dataclass(frozen=True, slots=True)
class Quote:
    """Mass quote: take back the group's quotes in the market and rest these post-only orders.

    One record and one more for each level. With `in_volatility` 1 the prices of the levels are
    volatilities in 1e-6, of a European series; the forward makes them prices at execution.
    """

    op: ClassVar[Op] = Op.QUOTE
    market: int
    group: int
    levels: tuple[QuoteLevel, ...]
    in_volatility: int = 0

    @property
    def levels_count(self) -> int:
        """How many records follow."""
        return len(self.levels)


@dataclass(frozen=True, slots=True)
class SetGroup:
    """Market-maker protection of a group of quotes; a limit of 0 is none, a window of 0 ends it."""

    op: ClassVar[Op] = Op.SET_GROUP
    group: int
    window_ms: int
    lots_max: int = 0
    delta_max_e6: int = 0
    vega_max_e6: int = 0
    freeze_ms: int = 0


@dataclass(frozen=True, slots=True)
class Isolate:
    """Move margin into a market's isolated position, or (negative) out of it."""

    op: ClassVar[Op] = Op.ISOLATE
    market: int
    amount_e6: int


@dataclass(frozen=True, slots=True)
class Donate:
    """Give cash to a market's insurance fund, or (market 0) to that of the whole venue."""

    op: ClassVar[Op] = Op.DONATE
    market: int
    amount: int


@dataclass(frozen=True, slots=True)
class SetRisk:
    """Set a market's parameter (its place in clearing.RISK_PARAMETERS) from a height on."""

    op: ClassVar[Op] = Op.SET_RISK
    market: int
    parameter: int
    value: int
    height: int = 0


@dataclass(frozen=True, slots=True)
class SetBand:
    """A price band; an `auction_ms` of 0 takes it away."""

    op: ClassVar[Op] = Op.SET_BAND
    market: int
    band: int
    tau_ms: int
    up_ppm: int
    down_ppm: int
    auction_ms: int


@dataclass(frozen=True, slots=True)
class SetFeed:
    op: ClassVar[Op] = Op.SET_FEED
    feed: int
    name: str
    price_ticks: int = 0


@dataclass(frozen=True, slots=True)
class SetVoter:
    """A weight of 0 takes the vote away."""

    op: ClassVar[Op] = Op.SET_VOTER
    voter: bytes
    weight: int


@dataclass(frozen=True, slots=True)
class SetSwitch:
    """Restrict an account, or (0) the whole venue; values are those of a market's status."""

    op: ClassVar[Op] = Op.SET_SWITCH
    account: int
    switch: int


@dataclass(frozen=True, slots=True)
class SetGlobal:
    """Set a number of the clearing house (its place in clearing.GLOBALS) from a height on."""

    op: ClassVar[Op] = Op.SET_GLOBAL
    parameter: int
    value: int
    height: int = 0


@dataclass(frozen=True, slots=True)
class ScheduleTier:
    """Redefine or append a margin tier from a height on."""

    op: ClassVar[Op] = Op.SCHEDULE_TIER
    slot: int
    lower_e6: int
    leverage_max: int
    height: int


@dataclass(frozen=True, slots=True)
class VotePrice:
    """A voter's index price, and the price of perpetuals elsewhere (0 for none), in ticks."""

    op: ClassVar[Op] = Op.VOTE_PRICE
    feed: int
    price_ticks: int
    external_ticks: int = 0
