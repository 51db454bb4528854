"""A small market of options: its genesis, and what everybody in it signs.

Four voters say an index and a smile; governance lists three products of the catalogue and a series
of each; two makers quote, three takers trade. The numbers of the venue are short, so that a series
lives for seconds: its fixing is the mean of 20 samples in the last ten of them. Nothing here knows
of connections or clocks: `options_show` sends it.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from quorate.codec import commands as c
from quorate.codec.options_commands import ListProduct, SetSeries, VoteSmile
from quorate.instruments.listing import product_command
from quorate.instruments.payoff.catalogue import PRODUCTS
from quorate.instruments.payoff.language import Verdict, verify
from quorate.runtime.development import cleared_genesis, key_address, role_key
from quorate.sim.demo.market import Draft, address, draft
from quorate.types.blocks import Genesis, MarketSpec
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.clearing_spec import FeedSpec, GlobalSpec, RiskSpec, VoterSpec
from quorate.types.codes import MarketKind, Side, Tif
from quorate.types.options_codes import ObservationRule

VOTERS: Final = ("voter 0", "voter 1", "voter 2", "voter 3")
MAKERS: Final = ("maker 0", "maker 1")
TAKERS: Final = ("alice", "bob", "carol")
MAKER_E6, TAKER_E6 = 1_000_000 * 10**6, 100_000 * 10**6
FEED: Final = 0
INDEX_TICKS: Final = 600_000  # 60,000.0 USD
PRICE_MAX_TICKS: Final = 10_000_000
SMILE_E9: Final = tuple(vol * 1_000_000 for vol in (700, 660, 630, 610, 600, 605, 615, 630, 660))
SAMPLE_MS: Final = 1_000  # of the Asian's path
QUOTE_LOTS: Final = 20_000
SPREAD_PARTS: Final = 40  # a quote lies this part of the mark away from it
NUMBERS: Final = GlobalSpec(
    tick_ms=250,
    fresh_ms=5_000,
    fixing_window_ms=10_000,
    fixing_sample_ms=500,
    listing_least_ms=5_000,
)
# A premium moves fast in its last seconds: half of itself in a tick.
RISK: Final = RiskSpec(0, feed=FEED, mark_clamp_ppm=500_000)


@dataclass(frozen=True, slots=True)
class Listed:
    """A product of the catalogue and the series of it; market: its number, from 1."""

    product: int
    name: str
    market: int
    market_name: str
    parameters: dict[str, int]
    sample_ms: int = 0

    @property
    def text(self) -> str:
        """The payoff."""
        return PRODUCTS[self.name].text

    @property
    def ranges(self) -> dict[str, tuple[int, int]]:
        """What the catalogue declares, as far as prices of this venue go."""
        found = PRODUCTS[self.name].ranges.items()
        return {name: (low, min(high, PRICE_MAX_TICKS)) for name, (low, high) in found}

    @property
    def bounds(self) -> tuple[int, int]:
        """Of the payoff, as far as prices of this venue go."""
        low, high = PRODUCTS[self.name].bounds
        return low, min(high, PRICE_MAX_TICKS)

    def verdict(self) -> Verdict:
        """Check the product as the chain will."""
        return verify(PRODUCTS[self.name].payoff(), self.ranges, self.bounds)

    def command(self) -> ListProduct:
        """List the product: its text, and the bytecode that it compiles to."""
        rule = ObservationRule[PRODUCTS[self.name].observation.name]
        return product_command(
            self.product, self.name, self.text, self.ranges, self.bounds, rule, self.sample_ms
        )


@dataclass(frozen=True, slots=True)
class Trade:
    """What a taker wants; side as in an order."""

    taker: str
    market: int
    side: Side
    lots: int


FIRST: Final = len(cleared_genesis().markets) + 1
LISTED: Final = (
    Listed(0, "european_call", FIRST, "BTC-CALL", {"strike": INDEX_TICKS}),
    Listed(1, "asian_call", FIRST + 1, "BTC-ASIAN", {"strike": INDEX_TICKS - 3_000}, SAMPLE_MS),
    Listed(
        2, "digital_call", FIRST + 2, "BTC-DIGITAL", {"strike": INDEX_TICKS, "rebate": 5_000}
    ),
)
TRADES: Final = (
    Trade("alice", FIRST, Side.BUY, 10_000),
    Trade("bob", FIRST, Side.SELL, 4_000),
    Trade("carol", FIRST + 1, Side.BUY, 8_000),
    Trade("alice", FIRST + 1, Side.SELL, 3_000),
    Trade("bob", FIRST + 2, Side.BUY, 6_000),
)


def options_genesis() -> Genesis:
    """Describe the development chain with four voters and a fixing of seconds."""
    genesis = cleared_genesis()
    assert genesis.clearing is not None
    voters = tuple(VoterSpec(key_address(role_key(name)), 1) for name in VOTERS)
    feeds = (FeedSpec("BTC", INDEX_TICKS), *genesis.clearing.feeds[1:])
    clearing = replace(genesis.clearing, voters=voters, feeds=feeds, numbers=NUMBERS)
    return replace(genesis, name="Quorate options demo", clearing=clearing)


def funding() -> Draft:
    """Give makers and takers their money."""
    money = [(name, MAKER_E6) for name in MAKERS] + [(name, TAKER_E6) for name in TAKERS]
    return draft("bridge", *(c.Deposit(0, address(name), 0, e6, 1) for name, e6 in money))


def lying() -> Draft:
    """Try to list a call that says that it never pays more than a tenth of what it may."""
    honest = LISTED[0].command()
    return draft("governance", replace(honest, payoff_high=honest.payoff_high // 10))


def products() -> Draft:
    """List the products."""
    return draft("governance", *(each.command() for each in LISTED))


def markets() -> Draft:
    """Make a market for each series; it is halted until the series is bound to it."""
    commands: list[Any] = []
    for each in LISTED:
        spec = MarketSpec(
            each.market_name, int(MarketKind.SERIES), 1, 1, 10, PRICE_MAX_TICKS, 10_000_000,
            40_000_000, 0, 0, 0, 0, 50_000, 0,
        )  # fmt: skip
        numbers = replace(RISK, market=each.market)
        values = [int(getattr(numbers, name)) for name in RISK_PARAMETERS]
        risk = [c.SetRisk(each.market, at, value) for at, value in enumerate(values)]
        commands += [c.ListMarket(each.market, spec), *risk[1:], risk[0]]
    return draft("governance", *commands)


def series(expiry_ms: int) -> Draft:
    """Bind each market to its product, its parameters and an expiry; they open."""
    return draft(
        "governance",
        *(SetSeries(it.market, it.product, expiry_ms, **it.parameters) for it in LISTED),
    )


def votes(count: int, share: float, expiry: int | None) -> list[Draft]:
    """Say what every voter votes for: an index that climbs by a part in 400, and a smile.

    count: of rounds so far; share: of the life of the series that has passed, from 0 to 1.
    """
    price = INDEX_TICKS + int(INDEX_TICKS / 400 * min(share, 1.0)) + 25 * (count % 7 - 3)
    commands: list[Any] = [c.VotePrice(FEED, price, price)]
    if expiry is not None:
        commands.append(VoteSmile(expiry, price, SMILE_E9))
    return [draft(name, *commands) for name in VOTERS]


def quotes(marks: dict[int, int]) -> list[Draft]:
    """Quote every series on both sides of its mark; the second maker a little further away."""
    made = []
    for at, maker in enumerate(MAKERS, 1):
        commands = []
        for market, mark in marks.items():
            away = at * (mark // SPREAD_PARTS + 1)
            for side, price in ((Side.BUY, max(mark - away, 1)), (Side.SELL, mark + away)):
                commands.append(c.Place(market, int(side), price, QUOTE_LOTS))
        made.append(draft(maker, *commands))
    return made


def taking(trade: Trade, price: int) -> Draft:
    """Take what rests at a price or better, and leave nothing behind."""
    order = c.Place(trade.market, int(trade.side), price, trade.lots, tif=int(Tif.IOC))
    return draft(trade.taker, order)


def observed(of: Listed, fix_ticks: int, told: dict[str, Any]) -> dict[str, int]:
    """Give what a payoff reads, of the fixing and of what a node tells of the settled series."""
    seen = int(told["seen_count"])
    path = {"avg": int(told["seen_sum"]) // seen} if seen else {}
    return {"fix": fix_ticks, **path, **of.parameters}
