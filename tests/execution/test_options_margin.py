"""Margin of options in the transition: vectors end to end, both ways, entry, liquidation."""

from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetMarginMode, SetSeries
from quorate.execution.spec.margin import Worth, bucket_worth
from quorate.types.clearing_codes import LiquidationStep
from quorate.types.codes import EventKind, Reject
from quorate.types.options_codes import MarginMode
from quorate.types.records import Table
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import PERP, USD, address
from tests.execution.options_exchange import PRICES, SERIES, product
from tests.execution.series_desk import SeriesDesk

QUANTUM = USD // 100
PUT = {"fix": PRICES, "strike": PRICES}


class Book(SeriesDesk):
    """A desk at an index of 3 000 with calls at 3 200, 1 800 and 2 000 and a put at 2 800."""

    STRIKES = (3_200, 1_800, 2_000)

    def __init__(self, index: int = 3_000, **numbers: int) -> None:
        super().__init__(**numbers)
        self.ok("governance", product(0))
        self.ok("governance", product(1, "max(strike - fix, 0)", PUT))
        expiry_ms = self.ahead(24 * 30)
        self.strikes = [(SERIES + k, strike, 0) for k, strike in enumerate(self.STRIKES)]
        self.strikes.append((SERIES + 3, 2_800, 1))
        for market, _, _ in self.strikes:
            self.market_made(market)
        self.beat(index, smiles=0)
        for market, strike, number in self.strikes:
            self.ok("governance", SetSeries(market, number, expiry_ms, strike=strike))
        self.marked(index)

    def mark(self, market: int, ticks: int) -> None:
        """Let a market have that mark until the next tick."""
        self.doctor(Table.MARKETS, market, mark_ticks=ticks)

    def worth(self, name: str, bucket: int = 0) -> Worth:
        t = self.lockstep.spec.tables
        return bucket_worth(t, t.row(Table.ACCOUNTS, self.account(name)), bucket)


def quick(desk: SeriesDesk, *bundles: Any) -> Any:
    """A block that is no tick."""
    return desk.rows(*bundles, step_ms=1)


@pytest.mark.parametrize(
    ("market", "mark", "initial", "kept"),
    [(SERIES, 90, 480, 360), (SERIES + 3, 80, 470, 350)],
)
def test_a_short_option_needs_what_formulas_11_says(
    market: int, mark: int, initial: int, kept: int
) -> None:
    book = Book()
    book.mark(market, mark)
    quick(
        book,
        book.row(address("bob"), c.Place(market, 1, mark, 1)),
        book.row(address("alice"), c.Place(market, 0, mark, 1)),
    )
    short, long = book.worth("bob"), book.worth("alice")
    assert short.initial == (initial - mark) * QUANTUM
    assert short.maintenance == (kept - mark) * QUANTUM
    assert long.initial == long.maintenance == mark * QUANTUM


def test_a_call_spread_needs_its_width() -> None:
    book = Book()
    short, long = SERIES + 1, SERIES + 2
    marks = {short: 1_250, long: 1_100}
    for market, mark in marks.items():
        book.mark(market, mark)
    for market, mark, (buyer, seller) in (
        (long, 1_100, ("bob", "carol")), (short, 1_250, ("carol", "bob"))
    ):  # fmt: skip
        quick(
            book,
            book.row(address(seller), c.Place(market, 1, mark, 1)),
            book.row(address(buyer), c.Place(market, 0, mark, 1)),
        )
    # Cash of 200 beside what the marks pay: 1 250 received, 1 100 paid.
    worth = book.worth("bob")
    assert worth.initial == worth.maintenance == (200 - 1_250 + 1_100) * QUANTUM


def test_the_owner_alone_chooses_and_only_with_margin() -> None:
    desk = SeriesDesk()
    desk.opened()
    desk.ok("bob", SetMarginMode(MarginMode.PORTFOLIO))
    slot = desk.account("bob")
    assert desk.at(Table.ACCOUNTS, slot).margin_mode == MarginMode.PORTFOLIO
    _, worth = hedged(desk)
    # Below what STANDARD needs it may not go back.
    desk.ok("bob", SetMarginMode(MarginMode.STANDARD))
    more = desk_worth(desk, "bob").initial
    assert worth.initial < more
    desk.ok("bob", SetMarginMode(MarginMode.PORTFOLIO))
    lost = worth.equity - more + 1
    desk.doctor(Table.ACCOUNTS, slot, cash_e6=desk.at(Table.ACCOUNTS, slot).cash_e6 - lost)
    refused = desk.code("bob", SetMarginMode(MarginMode.STANDARD), step_ms=1)
    assert refused == Reject.MARGIN_MODE_NEEDS_MORE_MARGIN
    assert desk.at(Table.ACCOUNTS, slot).margin_mode == MarginMode.PORTFOLIO


def desk_worth(desk: SeriesDesk, name: str, bucket: int = 0) -> Worth:
    t = desk.lockstep.spec.tables
    return bucket_worth(t, t.row(Table.ACCOUNTS, desk.account(name)), bucket)


def hedged(desk: SeriesDesk) -> tuple[Worth, Worth]:
    """Bob is short calls on 3 units, and long 2 lots of the perpetual of a unit each."""
    desk.traded("alice", "bob", 300, 2_400)
    before = desk_worth(desk, "bob")
    desk.traded("bob", "dave", 2, 100_000, PERP)
    return before, desk_worth(desk, "bob")


def test_a_hedge_lowers_portfolio_margin_and_not_the_standard_one() -> None:
    desk = SeriesDesk()
    desk.opened()
    desk.ok("bob", SetMarginMode(MarginMode.PORTFOLIO))
    before, after = hedged(desk)
    assert after.maintenance < before.maintenance
    desk.ok("bob", SetMarginMode(MarginMode.STANDARD))
    # By leg: 9 % of 300 calls' index, and 2.5 % of two lots' worth in tiers.
    assert desk_worth(desk, "bob").maintenance > 300 * 9_000 * QUANTUM


def test_nobody_is_liquidated_by_an_order_that_was_taken() -> None:
    """An order at the very edge of initial margin leaves maintenance covered, in either mode."""
    for mode in MarginMode:
        desk = SeriesDesk()
        desk.opened()
        desk.ok("bob", SetMarginMode(mode))
        desk.doctor(Table.ACCOUNTS, desk.account("bob"), cash_e6=10_000 * USD)
        desk.ok("alice", c.Place(SERIES, 0, 2_300, 500))
        taken = 0
        for lots in (256, 128, 64, 32, 16, 8, 4, 2, 1):
            code = desk.code("bob", c.Place(SERIES, 1, 2_300, lots), step_ms=1)
            taken += lots if code == Reject.OK else 0
            worth = desk_worth(desk, "bob")
            assert worth.equity >= worth.initial >= worth.maintenance
        assert taken and taken < 511
        assert desk.position("bob") == -taken


def liquidated(desk: SeriesDesk) -> Any:
    """The receipts of liquidation of the next ticks."""
    found = []
    for _ in range(3):
        found.extend(readings(desk.beat(), EventKind.LIQUIDATED))
    return found


def poor(desk: SeriesDesk, name: str, share_ppm: int) -> None:
    """Leave somebody that share of maintenance margin."""
    worth = desk_worth(desk, name)
    slot = desk.account(name)
    lack = worth.equity - worth.maintenance * share_ppm // 1_000_000
    desk.doctor(Table.ACCOUNTS, slot, cash_e6=desk.at(Table.ACCOUNTS, slot).cash_e6 - lack)


def test_liquidation_hedges_first_where_that_helps() -> None:
    desk = SeriesDesk()
    desk.opened()
    desk.ok("bob", SetMarginMode(MarginMode.PORTFOLIO))
    desk.traded("alice", "bob", 300, 2_400)
    desk.ok("carol", c.Place(PERP, 1, 100_000, 10))
    desk.ok("dave", c.Place(SERIES, 1, 2_400, 500))
    money = desk.money()
    poor(desk, "bob", 950_000)
    left = desk.money() - money
    steps = liquidated(desk)
    assert steps[0]["code"] == LiquidationStep.HEDGED and steps[0]["market"] == PERP
    assert steps[0]["maintenance_after_e6"] < steps[0]["maintenance_before_e6"]
    assert desk.position("bob", PERP) > 0
    assert desk.money() == money + left


def test_liquidation_buys_back_what_is_short() -> None:
    desk = SeriesDesk()
    desk.opened()
    desk.traded("alice", "bob", 300, 2_400)
    desk.ok("dave", c.Place(SERIES, 1, 2_400, 500))
    poor(desk, "bob", 900_000)
    money = desk.money()
    steps = liquidated(desk)
    assert {int(each["code"]) for each in steps} == {LiquidationStep.SOLD_ON_BOOK}
    assert desk.position("bob") > -300
    assert desk.money() == money


def test_what_settlement_leaves_owing_is_paid_by_the_venue() -> None:
    desk = SeriesDesk()
    desk.opened()
    desk.traded("alice", "bob", 300, 2_400)
    row = desk.at(Table.LEDGER, 0)
    desk.doctor(Table.LEDGER, 0, insurance_e6=row.insurance_e6 + 50_000 * USD)
    desk.sampled(110_000)
    slot = desk.account("bob")
    # What 300 calls pay at 110 000 is 30 000 USD: bob lacks a third of it.
    desk.doctor(Table.ACCOUNTS, slot, cash_e6=20_000 * USD)
    money = desk.money()
    desk.until_settled(110_000)
    desk.beat(110_000, smiles=0)
    assert desk.cash("bob") == 0 and desk.position("bob") == 0
    assert desk.money() == money


def test_an_isolated_series_is_a_leg_of_its_own() -> None:
    desk = SeriesDesk()
    desk.opened()
    desk.ok("bob", c.Isolate(SERIES, 10_000 * USD))
    desk.traded("alice", "bob", 30, 2_400)
    worth = desk_worth(desk, "bob", SERIES)
    assert worth.initial == 4_500 * USD and worth.maintenance == 2_700 * USD
    assert desk_worth(desk, "bob").initial == 0
