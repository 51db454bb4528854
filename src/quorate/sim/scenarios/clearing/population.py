"""The chain of a scenario and its seeded accounts, with the positions that they begin with."""

import hashlib
import random
from dataclasses import dataclass, field
from typing import Final

from quorate.sim.scenarios.clearing.description import Group, Market, Scenario
from quorate.sim.scenarios.clearing.prices import Prices
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import MarketKind, OrderRule
from quorate.types.limits import (
    FILLS_PER_COMMAND_MAX,
    ORDERS_EXAMINED_PER_COMMAND_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    PPM,
)

USD_E6: Final = 1_000_000
BEGIN_MS: Final = 1_760_000_000_000
CHAIN_ID: Final = 7_705
SLACK_PPM: Final = 2_000  # of the worth, on top of the margin that the leverage leaves


def address_of_name(name: str) -> bytes:
    """Twenty bytes for a name; nobody signs in a scenario."""
    return hashlib.sha256(b"scenario " + name.encode("ascii")).digest()[:20]


BRIDGE: Final = address_of_name("bridge")
GOVERNANCE: Final = address_of_name("governance")
ORACLE: Final = address_of_name("oracle")
VAULT: Final = address_of_name("vault")
DONOR: Final = address_of_name("donor")


def voter_address(index: int) -> bytes:
    """The address of a voter."""
    return address_of_name(f"voter {index}")


def genesis_of(scenario: Scenario, paths: list[Prices]) -> Genesis:
    """Describe the chain of a scenario."""
    schedules = tuple(
        tuple(MarginTier(usd * USD_E6, times) for usd, times in market.leverage)
        for market in scenario.markets
    )
    fees = tuple((FeeTier(0, each.maker_ppm, each.taker_ppm),) for each in scenario.markets)
    markets = tuple(
        market_spec(market, index, paths[market.feed].at(0))
        for index, market in enumerate(scenario.markets)
    )
    feeds = tuple(
        FeedSpec(feed.name, path.at(0)) for feed, path in zip(scenario.feeds, paths, strict=True)
    )
    voters = tuple(
        VoterSpec(voter_address(k), voter.weight) for k, voter in enumerate(scenario.voters)
    )
    risks = tuple(
        RiskSpec(
            market=number,
            feed=market.feed,
            bands=tuple(
                BandSpec(band.tau_ms, band.up_ppm, band.down_ppm, band.auction_ms)
                for band in market.bands
            ),
            **market.risk,
        )
        for number, market in enumerate(scenario.markets, 1)
    )
    clearing = ClearingSpec(VAULT, feeds, voters, GlobalSpec(**scenario.numbers), risks)
    return Genesis(
        name=f"Scenario {scenario.name}",
        chain_id=CHAIN_ID,
        time_ms=BEGIN_MS,
        protocol_version=1,
        order_rule=int(OrderRule.MAKERS_FIRST),
        fills_per_command_max=FILLS_PER_COMMAND_MAX,
        orders_examined_per_command_max=ORDERS_EXAMINED_PER_COMMAND_MAX,
        orders_per_account_max=ORDERS_PER_ACCOUNT_MAX,
        faucet_e6_max=0,
        bridge=BRIDGE,
        governance=GOVERNANCE,
        oracle=ORACLE,
        assets=(AssetSpec("USD", 6),),
        fee_schedules=fees,
        margin_schedules=schedules,
        markets=markets,
        clearing=clearing,
    )


def market_spec(market: Market, index: int, mark_ticks: int) -> MarketSpec:
    """A market as listed."""
    return MarketSpec(
        name=market.name,
        kind=int(MarketKind.PERPETUAL),
        tick_step=1,
        lot_step=1,
        quantum_e6=market.quantum_e6,
        price_max_ticks=market.price_max_ticks,
        size_max_lots=market.size_max_lots,
        position_max_lots=market.position_max_lots,
        base_asset=0,
        lot_units=0,
        margin_schedule=index,
        fee_schedule=index,
        slippage_max_ppm=market.slippage_max_ppm,
        mark_ticks=mark_ticks,
    )


# --- accounts ------------------------------------------------------------------------------------
@dataclass(slots=True)
class Trader:
    """One account: what it deposits, what it isolates by market, the signed lots it begins with."""

    address: bytes
    deposit_e6: int = 0
    isolated_e6: dict[int, int] = field(default_factory=dict)
    lots: dict[int, int] = field(default_factory=dict)


def drawn(rng: random.Random, weights: tuple[tuple[int, int], ...]) -> int:
    """Draw a value by its weight."""
    at = rng.randrange(sum(weight for _, weight in weights))
    for value, weight in weights:
        if at < weight:
            return value
        at -= weight
    raise AssertionError("the weights have a sum")


def size_drawn(rng: random.Random, size: tuple[int, int]) -> int:
    """Draw whole USD, evenly on a logarithmic scale: a power of two, then evenly within it."""
    low, high = size
    scales = [low]
    while scales[-1] * 2 < high:
        scales.append(scales[-1] * 2)
    begin = scales[rng.randrange(len(scales))]
    return rng.randrange(begin, min(2 * begin, high) + 1)


def position_add(
    trader: Trader, market: int, lots: int, leverage: int, lot_e6: int, isolated: bool
) -> None:
    """Give a trader a position, and the money that its leverage leaves."""
    worth_e6 = abs(lots) * lot_e6
    margin_e6 = -(-worth_e6 // leverage) + worth_e6 * SLACK_PPM // PPM
    trader.lots[market] = lots
    trader.deposit_e6 += margin_e6
    if isolated:
        trader.isolated_e6[market] = margin_e6


def group_drawn(
    rng: random.Random, group: Group, scenario: Scenario, marks: list[int]
) -> list[Trader]:
    """Draw the accounts of a group."""
    found = []
    market = scenario.markets[group.market - 1]
    lot_e6 = marks[group.market - 1] * market.quantum_e6
    for index in range(group.accounts):
        trader = Trader(address_of_name(f"{scenario.name} {group.name} {index}"))
        leverage = drawn(rng, group.leverage)
        sign = 1 if rng.randrange(PPM) < group.long_ppm else -1
        lots = max(1, size_drawn(rng, group.size_usd) * USD_E6 // lot_e6)
        lots = min(lots, market.size_max_lots)
        isolated = rng.randrange(PPM) < group.isolated_ppm
        position_add(trader, group.market, sign * lots, leverage, lot_e6, isolated)
        if group.hedge_market and rng.randrange(PPM) < group.hedge_ppm:
            other = scenario.markets[group.hedge_market - 1]
            other_e6 = marks[group.hedge_market - 1] * other.quantum_e6
            hedge = max(1, lots * lot_e6 // (2 * other_e6))
            position_add(trader, group.hedge_market, -sign * hedge, leverage, other_e6, False)
        found.append(trader)
    return found


def population_drawn(scenario: Scenario, marks: list[int]) -> list[Trader]:
    """Draw the accounts of all groups."""
    found = []
    for number, group in enumerate(scenario.groups):
        rng = random.Random(f"scenario {scenario.name} {scenario.seed} {number}")
        found.extend(group_drawn(rng, group, scenario, marks))
    return found
