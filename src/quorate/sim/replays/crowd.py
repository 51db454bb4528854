"""A perpetual market under recorded prices: its genesis, its traders, and the spread they keep.

A tick is 0.1 USD and a lot is 0.001 BTC, so one tick times one lot is worth 1e-4 USD. The order
rule is `makers_first`: in a block, marks come first, then cancels, then quotes, then takers.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from quorate.sim.replays.chain import MARKET, replay_genesis
from quorate.sim.replays.formats import PERP_PRICE_MAX, PERP_SIZE_MAX, QUANTUM_E6
from quorate.sim.replays.venue import Venue, World
from quorate.types.blocks import AssetSpec, Genesis, MarginTier, MarketSpec
from quorate.types.codes import MarketKind, OrderRule
from quorate.types.records import Table

USD_E6: Final = 1_000_000
POSITION_MAX: Final = 40_000_000
SLIPPAGE_PPM: Final = 50_000
MARGIN: Final = (MarginTier(0, 40), MarginTier(150_000_000 * USD_E6, 20))
CLIENT_SHIFT: Final = 32  # a client id is the trader's number, then his own count


def genesis(name: str, time_ms: int, mark_ticks: int) -> Genesis:
    """Describe the chain: one perpetual, up to 40 times leverage, no fees."""
    market = MarketSpec(
        "BTC-PERP", int(MarketKind.PERPETUAL), 1, 1, QUANTUM_E6, PERP_PRICE_MAX,
        PERP_SIZE_MAX, POSITION_MAX, 0, 0, 0, 0, SLIPPAGE_PPM, mark_ticks,
    )  # fmt: skip
    rule = int(OrderRule.MAKERS_FIRST)
    return replay_genesis(name, time_ms, rule, (AssetSpec("USD", 6),), market, MARGIN)


@dataclass(slots=True)
class SpreadMeter:
    """Spreads in ticks after each block, and how often a side was empty."""

    ticks: list[int] = field(default_factory=list)
    one_sided: int = 0

    def read(self, venue: Venue) -> None:
        """Look at the best levels of the market."""
        tables = venue.executor.tables
        market = tables.rows(Table.MARKETS)[MARKET]
        bid, ask = int(market["bid_best"]), int(market["ask_best"])
        if not bid or not ask:
            self.one_sided += 1
            return
        prices = tables.rows(Table.LEVELS)["price"]
        self.ticks.append(int(prices[ask]) - int(prices[bid]))

    def report(self) -> dict[str, int]:
        """Sum up, in ticks."""
        if not self.ticks:
            return {"blocks": 0, "one_sided": self.one_sided}
        ordered = sorted(self.ticks)
        last = len(ordered) - 1
        return {
            "blocks": len(ordered),
            "one_sided": self.one_sided,
            "min_ticks": ordered[0],
            "median_ticks": ordered[last // 2],
            "p95_ticks": ordered[last * 95 // 100],
            "max_ticks": ordered[-1],
            "mean_milliticks": sum(ordered) * 1000 // len(ordered),
        }


def opened(
    name: str, traders: dict[str, int], time_ms: int, mark_ticks: int, world: World
) -> Venue:
    """Start a chain and credit each trader, by name, with whole USD."""
    venue = Venue(genesis(name, time_ms, mark_ticks), list(traders), world)
    for index, usd in enumerate(traders.values()):
        venue.deposit(index, 0, usd * USD_E6)
    venue.flush(time_ms)
    return venue


def report(format_name: str, messages: int, venue: Venue, meter: SpreadMeter) -> dict[str, Any]:
    """Give what the two perpetual replays have in common."""
    found = venue.report()
    rejects = found["rejects"]
    return {
        "format": format_name,
        "messages": messages,
        **found,
        "filled_lots": venue.tally.filled_lots,
        "margin_rejects": rejects.get("MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE", 0),
        "spread": meter.report(),
    }
