"""A small exchange with a clearing house: as `exchange`, plus feeds, voters and votes.

Market 1 is a perpetual with a clearing house on feed 0, market 2 spot, market 3 a second perpetual
on feed 1 whose lot is worth 0.01 USD a tick. Four voters of weight 1, 2, 3 and 4. A tick is every
second, and so is a block.
"""

from dataclasses import replace
from typing import Any

from quorate.codec import commands as c
from quorate.types.blocks import Genesis, MarketSpec
from quorate.types.clearing_codes import Guard, Phase
from quorate.types.clearing_spec import (
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import EventKind
from quorate.types.events import EVENT_READINGS
from quorate.types.records import EVENT, Table
from tests.execution.exchange import PERP, ROOMY, USD, Exchange, address

ALT = 3
VOTERS = ("vera", "viktor", "vito", "vlad")
RISK = RiskSpec(
    PERP,
    mark_clamp_ppm=0,
    impact_notional_e6=1_000 * USD,
    premium_interval_ms=5_000,
    funding_interval_ms=60_000,
    price_far_ppm=0,
)
CLEARING = ClearingSpec(
    vault=address("vault"),
    feeds=(FeedSpec("BTC"), FeedSpec("ALT")),
    voters=tuple(VoterSpec(address(name), k + 1) for k, name in enumerate(VOTERS)),
    numbers=GlobalSpec(),
    markets=(RISK, replace(RISK, market=ALT, feed=1)),
)
MARKETS = (
    *ROOMY.markets,
    MarketSpec("ALT-PERP", 2, 1, 1, USD // 100, 2_000_000, 50_000, 200_000, 0, 0, 0, 0, 50_000, 0),
)
HOUSE: Genesis = replace(ROOMY, markets=MARKETS, clearing=CLEARING)


def house(
    numbers: dict[str, int] | None = None, bands: Any = (), genesis: Genesis = HOUSE, **risk: int
) -> Genesis:
    """The genesis with other numbers of the venue, bands, and risk parameters of both markets."""
    assert genesis.clearing is not None
    clearing = replace(
        genesis.clearing,
        numbers=replace(genesis.clearing.numbers, **(numbers or {})),
        markets=tuple(
            replace(each, bands=tuple(bands), **risk) for each in genesis.clearing.markets
        ),
    )
    return replace(genesis, clearing=clearing)


class House(Exchange):
    """Both machines of an exchange with a clearing house."""

    def __init__(self, genesis: Genesis = HOUSE) -> None:
        super().__init__(genesis)

    def vote_rows(self, feed: int, *prices: int, external: int = 0) -> list[Any]:
        """A bundle of each voter in order; 0: this one does not vote."""
        return [
            self.row(address(name), c.VotePrice(feed, price, external))
            for name, price in zip(VOTERS, prices, strict=False)
            if price
        ]

    def votes(self, *prices: int, feed: int = 0, external: int = 0, step_ms: int = 1000) -> Any:
        """A block of votes on one feed; they count from the next tick on."""
        return self.rows(*self.vote_rows(feed, *prices, external=external), step_ms=step_ms)

    def index(self, price: int, feed: int = 0, external: int = 0) -> Any:
        """All voters agree; give the events of the tick behind their votes."""
        self.votes(*[price] * len(VOTERS), feed=feed, external=external)
        return self.rows()

    def at(self, table: Table, slot: int) -> Any:
        """A row of the state."""
        return self.lockstep.spec.tables.row(table, slot)

    def feed(self, slot: int = 0) -> Any:
        return self.at(Table.FEEDS, slot)

    def risk(self, market: int = PERP) -> Any:
        return self.at(Table.RISK, market)

    def market(self, market: int = PERP) -> Any:
        return self.at(Table.MARKETS, market)

    def guard(self, market: int = PERP) -> Guard:
        return Guard(self.risk(market).guard)

    def phase(self, market: int = PERP) -> Phase:
        return Phase(self.risk(market).phase)


def readings(events: Any, kind: EventKind) -> Any:
    """The events of one kind, by their own names."""
    assert events.dtype == EVENT
    return events[events["kind"] == kind].view(EVENT_READINGS[kind.name])
