"""A small exchange with products and series: as `clearing_exchange`, plus builders of both.

`listed` makes market 4 of kind SERIES, with the risk numbers of market 1, and feed 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from quorate.codec import commands as c
from quorate.codec.options_commands import ListProduct, SetListing, SetSeries
from quorate.execution.spec.options_rows import Expiry
from quorate.instruments.payoff.language import declared, parse
from quorate.types.blocks import MarketSpec
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.clearing_spec import GlobalSpec
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import EXPIRIES_MAX, PAYOFF_CODE_MAX, VOTERS_MAX
from quorate.types.options_codes import ExpiryState, ObservationRule
from quorate.types.records import Table
from tests.execution.clearing_exchange import RISK, House, readings
from tests.execution.exchange import USD

SERIES = 4
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NUMBERS = GlobalSpec()
LEAST_MS = NUMBERS.listing_least_ms
PRICES = (1, 1_000_000)
HIGH = 1_000_000
Ranges = Mapping[str, tuple[int, int]]
SPEC = MarketSpec(
    "BTC-C", 3, 1, 1, USD // 100, 2_000_000, 50_000, 200_000, 0, 0, 0, 0, 50_000, 0
)
CALL_TEXT = "max(fix - strike, 0)"
CALL_RANGES: Ranges = {"fix": PRICES, "strike": PRICES}


def code_of(text: str) -> tuple[int, ...]:
    """The bytecode of a text as a product carries it."""
    code = parse(text).code
    return (*code, *[0] * (PAYOFF_CODE_MAX - len(code)))


def ranges_of(ranges: Ranges) -> tuple[int, ...]:
    """Ranges by name as a product carries them."""
    return tuple(bound for pair in zip(*declared(ranges), strict=True) for bound in pair)


def product(
    slot: int,
    text: str = CALL_TEXT,
    ranges: Ranges = CALL_RANGES,
    *,
    low: int = 0,
    high: int = HIGH,
    rule: int = ObservationRule.NONE,
    sample_ms: int = 0,
    name: str = "CALL",
) -> ListProduct:
    """The command that lists a payoff."""
    code, bounds = code_of(text), ranges_of(ranges)
    return ListProduct(slot, name, int(rule), low, high, sample_ms, text, code, bounds)


class Desk(House):
    """An exchange on which governance lists."""

    def governs(self, *commands: c.Command) -> Reject:
        """Code of the last of governance's commands."""
        return self.code("governance", *commands)

    def market_made(self, slot: int = SERIES, spec: MarketSpec = SPEC, **risk: Any) -> None:
        """List a market of kind SERIES and give it a clearing house."""
        numbers = replace(RISK, mode=1, **risk)
        values = [int(getattr(numbers, name)) for name in RISK_PARAMETERS]
        changes = [c.SetRisk(slot, number, value) for number, value in enumerate(values)]
        self.ok("governance", c.ListMarket(slot, spec), *changes[1:], changes[0])

    def listed(self, *, index: int = 100_000, **more: Any) -> None:
        """A European call as product 0, market 4 bound to it at 100 000, two days ahead."""
        self.ok("governance", product(0))
        self.market_made()
        self.index(index)
        strike = more.pop("strike", 100_000)
        self.ok("governance", SetSeries(SERIES, 0, self.ahead(48), strike=strike, **more))

    def ahead(self, hours: int) -> int:
        """The whole hour after so many hours."""
        return (self.time_ms // HOUR_MS + hours + 1) * HOUR_MS

    def series(self, slot: int = SERIES) -> Any:
        return self.at(Table.SERIES, slot)

    def expiry(self, slot: int) -> Any:
        return self.at(Table.EXPIRIES, slot)

    def ledger(self) -> Any:
        return self.at(Table.LEDGER, 0)

    def rule(
        self,
        *,
        slot: int = 0,
        template: int = SERIES,
        period_ms: int = DAY_MS,
        offset_ms: int = 8 * HOUR_MS,
        ahead: int = 3,
        step: int = 5_000,
        each_side: int = 2,
    ) -> SetListing:
        """The command that sets a listing rule."""
        return SetListing(slot, template, period_ms, offset_ms, ahead, step, each_side)


def refusals(events: Any) -> list[tuple[Reject, int, int, int]]:
    """Of each receipt: its code, the checker's code, the place in the text, the word."""
    rows = events[events["kind"] == EventKind.RECEIPT]
    return [
        (Reject(int(row["code"])), int(row["price"]), int(row["size"]), int(row["remaining"]))
        for row in rows
    ]


def announced(events: Any) -> Sequence[Any]:
    """The events SERIES_LISTED."""
    return list(readings(events, EventKind.SERIES_LISTED))


def expiries_taken(x: Desk, first: int) -> None:
    """Give all rows of EXPIRIES from `first` on to somebody else."""
    ledger = x.lockstep.spec.tables.row(Table.LEDGER, 0)
    ledger.expiries_high, ledger.smile_votes_high = EXPIRIES_MAX, EXPIRIES_MAX * VOTERS_MAX
    x.lockstep.spec.tables.put(Table.LEDGER, 0, ledger)
    x.lockstep.kernel.ledger["expiries_high"] = EXPIRIES_MAX
    x.lockstep.kernel.ledger["smile_votes_high"] = EXPIRIES_MAX * VOTERS_MAX
    for slot in range(first, EXPIRIES_MAX):
        row = Expiry(state=int(ExpiryState.OPEN), expiry_ms=9, feed=9)
        x.lockstep.spec.tables.put(Table.EXPIRIES, slot, row)
        for name in ("state", "expiry_ms", "feed"):
            x.lockstep.kernel.rows(Table.EXPIRIES)[slot][name] = getattr(row, name)
    x.doctor(Table.EXPIRIES, EXPIRIES_MAX - 1)
