"""What governance says of products and series in a fuzzed world.

Draws from a source of its own, so that trade in a world does not depend on what is listed.
"""

import random
from dataclasses import replace
from typing import Final

from quorate.codec import commands as c
from quorate.codec.options_commands import ListProduct, SetListing, SetSeries
from quorate.execution.spec.tables import Tables
from quorate.instruments.payoff.language import declared, parse
from quorate.sim.execution_clearing import records
from quorate.types.blocks import Genesis
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.codes import MarketKind
from quorate.types.limits import DAY_MS, INT64_MAX, OPTION_MS_MAX, PAYOFF_CODE_MAX
from quorate.types.options_codes import ObservationRule
from quorate.types.records import Table

HOUR_MS: Final = 3_600_000
MARKETS_ENOUGH: Final = 40  # no more are listed in one world: spec and image work by the row
# Texts, what they name of a path, and what they never pay more than, in highest prices.
PAYOFFS: Final = (
    ("max(fix - strike, 0)", (), 1),
    ("max(strike - fix, 0)", (), 1),
    ("fix", (), 1),
    ("max(spot - strike, 0)", (), 1),
    ("min(max(fix - strike, 0), cap)", (), 1),
    ("if fix > strike then rebate else 0", (), 1),
    ("max(avg - strike, 0)", ("avg",), 1),
    ("if touched_up then rebate else 0", ("touched_up",), 1),
    ("high - low", ("high", "low"), 1),
    ("max(fix - strike, 0) * 2", (), 2),
    ("fix * fix", (), 1),
)


class OptionsAuthor:
    """Writes governance's commands; `look` shows it the state before each block."""

    def __init__(self, seed: int, genesis: Genesis) -> None:
        assert genesis.clearing is not None
        self.rng = random.Random(f"options {seed}")
        self.risk = genesis.clearing.markets[0]
        self.market = genesis.markets[self.risk.market - 1]
        self.time_ms = self.products = self.listings = 0
        self.markets_high = 1
        self.series: list[int] = []
        self.nonce = genesis.time_ms

    def look(self, t: Tables, time_ms: int) -> None:
        """Take note of the state."""
        ledger = t.row(Table.LEDGER, 0)
        self.time_ms = time_ms
        self.products, self.listings = ledger.products_high, ledger.listings_high
        self.markets_high = ledger.markets_high
        self.series = [slot for slot, row in t.rows[Table.SERIES].items() if row.state]

    def nonce_drawn(self) -> int:
        """A fresh one, apart from what the world draws for the same key."""
        self.nonce = max(self.nonce + 1, self.time_ms + 100_000)
        return self.nonce

    def commands(self) -> list[bytes]:
        """A bundle, or nothing."""
        draw = self.rng.random()
        if draw < 0.12 or not self.products:
            return records(self.product())
        if draw < 0.3 and self.markets_high < MARKETS_ENOUGH:
            return records(*self.series_made())
        if draw < 0.34:
            return records(self.bound(self.rng.randrange(self.markets_high + 2)))
        if draw < 0.46:
            return records(self.rule())
        return []

    def product(self) -> ListProduct:
        """Mostly a sound payoff; sometimes of other code, other bounds or another number."""
        rng, top = self.rng, self.market.price_max_ticks
        text, path, worth = rng.choice(PAYOFFS)
        payoff = parse(text)
        ranges = {number.name.lower(): (1, top) for number in payoff.inputs()}
        if "touched_up" in path:
            ranges["touched_up"], ranges["upper"] = (0, 1), (1, top)
        lows, highs = declared(ranges)
        rule, sample_ms = ObservationRule.NONE, 0
        if path or rng.random() < 0.05:
            rule = rng.choice([rule.BLOCK, rule.SAMPLED, rule.CLOSE])
            sample_ms = rng.choice([1_000, 60_000]) if rule == ObservationRule.SAMPLED else 0
        code = [*payoff.code, *[0] * (PAYOFF_CODE_MAX - len(payoff.code))]
        if rng.random() < 0.08:
            code[rng.randrange(PAYOFF_CODE_MAX)] += rng.choice([-1, 1])
        slot, high = self.products, min(top * worth, INT64_MAX)
        if rng.random() < 0.08:
            slot, high = rng.choice([0, slot, slot + 1]), rng.choice([0, high - 1, INT64_MAX])
        bounds = tuple(bound for pair in zip(lows, highs, strict=True) for bound in pair)
        return ListProduct(slot, "P", int(rule), 0, high, sample_ms, text, tuple(code), bounds)

    def series_made(self) -> list[c.Command]:
        """A market of kind SERIES with everything that it needs, and its series."""
        slot = self.markets_high
        spec = replace(self.market, kind=int(MarketKind.SERIES), mark_ticks=0, name="S")
        values = [int(getattr(self.risk, name)) for name in RISK_PARAMETERS]
        changes = [c.SetRisk(slot, number, value) for number, value in enumerate(values)]
        return [c.ListMarket(slot, spec), *changes[1:], changes[0], self.bound(slot)]

    def bound(self, slot: int) -> SetSeries:
        """A series at a strike near the middle, an hour to three years ahead."""
        rng, top = self.rng, self.market.price_max_ticks
        ahead_ms = rng.choice([HOUR_MS, 2 * HOUR_MS, DAY_MS, 30 * DAY_MS, OPTION_MS_MAX])
        expiry_ms = (self.time_ms + ahead_ms) // HOUR_MS * HOUR_MS + rng.choice([0, HOUR_MS])
        product = rng.randrange(self.products + 1)
        series = SetSeries(slot, product, rng.choice([0, *[expiry_ms] * 5]))
        for name in ("strike", "upper", "rebate", "cap"):
            value = max(1, top // 3 * rng.choice([50, 90, 100, 110, 150]) // 100)
            if rng.random() < (0.8 if name == "strike" else 0.15):
                series = replace(series, **{name: value})
        return series

    def rule(self) -> SetListing:
        """A listing rule with few series, or the end of one."""
        rng, top = self.rng, self.market.price_max_ticks
        slot = rng.randrange(self.listings + 1)
        if rng.random() < 0.2 or self.markets_high >= MARKETS_ENOUGH:
            return SetListing(min(slot, max(self.listings - 1, 0)), 0, 0, 0, 0, 0, 0)
        template = rng.choice([*self.series, self.markets_high])
        period_ms = rng.choice([HOUR_MS - 1, HOUR_MS, 4 * HOUR_MS, DAY_MS])
        step = max(1, top // rng.choice([10, 40, 100]))
        ahead, each_side = rng.choice([0, 1, 2]), rng.choice([0, 1, 2])
        return SetListing(slot, template, period_ms, 0, ahead, step, each_side)
