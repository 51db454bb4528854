"""A bankrupt position meets the book before vault and others, and the funds pay for its lots."""

from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.sim.receipts import Receipts
from quorate.types.clearing_codes import LiquidationStep as Step
from quorate.types.codes import EventKind
from quorate.types.records import Table
from tests.execution.liquidation_world import USD, Venue, World, readings, without_backstop
from tests.execution.test_liquidation import markets_but, steps

LOT_E6 = 10_000  # one tick of one lot of market 1


def bankrupt(vault: int = 0, fund: int = 50, **risk: int) -> Venue:
    """Ann is long 50 lots of market 1 from 1000 with 18 USD: at 950 she owes 7 and some."""
    v = Venue(markets_but(**risk) if risk else without_backstop())
    v.fund(ann=18, bob=300, carl=900)
    if vault:
        v.fund(vault=vault)
    v.trade("ann", "bob", 1, 1_000, 50)
    if fund:
        v.send("carl", c.Donate(1, fund * USD))
    return v


def owed(events: Any) -> int:
    """What the bucket owed before its first step."""
    return -int(readings(events, EventKind.LIQUIDATED)[0]["equity_before_e6"])


def test_the_book_goes_first_and_the_fund_pays_debt_and_slippage() -> None:
    """With a vault full the winners were wound up although the fund could pay."""
    v = bankrupt()
    v.send("carl", c.Place(1, 0, 949, 40), c.Place(1, 0, 945, 40))
    events = v.index(950, 1_000)
    assert steps(events) == [(1, Step.SOLD_ON_BOOK)]
    (row,) = readings(events, EventKind.LIQUIDATED)
    slippage = (40 * 1 + 10 * 5) * LOT_E6
    assert row["lots"] == 50 and row["price_ticks"] == 945
    assert -row["fund_e6"] == owed(events) + slippage
    assert v.at(Table.RISK, 1).insurance_e6 == 50 * USD + row["fund_e6"]
    assert v.size("ann", 1) == 0 and v.of("ann").cash_e6 == 0 and v.size("bob", 1) == -50


def test_a_short_is_bought_back_likewise() -> None:
    v = bankrupt(fund=50)
    v.fund(dora=18)
    v.trade("bob", "dora", 1, 1_000, 50)
    v.send("carl", c.Place(1, 1, 1_052, 100))
    events = v.index(1_050, 1_000)
    rows = readings(events, EventKind.LIQUIDATED)
    (row,) = rows[rows["account"] == v.account("dora")]
    assert row["code"] == Step.SOLD_ON_BOOK and v.size("dora", 1) == 0
    assert -row["fund_e6"] == -row["equity_before_e6"] + 50 * 2 * LOT_E6
    assert v.of("dora").cash_e6 == 0


def test_funds_pay_for_the_lots_they_reach_and_no_more() -> None:
    v = bankrupt(fund=3)
    v.send("carl", c.Place(1, 0, 950, 100))
    events = v.index(950, 1_000)
    assert steps(events) == [(1, Step.SOLD_ON_BOOK), (1, Step.DELEVERAGED)]
    sold, wound = readings(events, EventKind.LIQUIDATED)
    lots = 3 * USD * 50 // owed(events)
    assert (sold["lots"], wound["lots"]) == (lots, 50 - lots)
    left = v.at(Table.RISK, 1).insurance_e6
    assert left == 3 * USD + sold["fund_e6"] and 0 <= left < owed(events) / 50


def test_an_empty_fund_pays_nothing_and_a_bid_at_the_zero_price_is_hit() -> None:
    v = bankrupt(fund=0)
    v.send("carl", c.Place(1, 0, 950, 60))
    events = v.index(950, 1_000)
    assert steps(events) == [(1, Step.DELEVERAGED)] and v.size("carl", 1) == 0
    # At 960 she owes 2 and some, which is 5 ticks of 50 lots.
    v = bankrupt(fund=0)
    v.send("carl", c.Place(1, 0, 966, 60))
    events = v.index(960, 1_000)
    (row,) = readings(events, EventKind.LIQUIDATED)
    assert row["code"] == Step.SOLD_ON_BOOK and row["equity_before_e6"] < 0 < row["fund_e6"]
    assert v.size("carl", 1) == 50 and v.of("ann").cash_e6 == 0  # all of it is within the fee


def test_bids_far_below_the_mark_are_no_way_into_the_funds() -> None:
    """50 times: 1 % of maintenance, so that 1.5 % below the mark is the worst price."""
    v = bankrupt(fund=90)
    v.send("carl", c.Place(1, 0, 935, 30), c.Place(1, 0, 936, 7))
    events = v.index(950, 1_000)
    # 950 less 1.5 % is 935.75, rounded down for a long.
    assert steps(events)[0] == (1, Step.SOLD_ON_BOOK)
    assert v.size("carl", 1) == 37
    v = bankrupt(fund=90)
    v.send("carl", c.Place(1, 0, 934, 60))
    events = v.index(950, 1_000)
    assert steps(events) == [(1, Step.DELEVERAGED)]
    assert v.at(Table.RISK, 1).insurance_e6 == 90 * USD and v.size("carl", 1) == 0


def test_a_best_bid_that_has_to_go_does_not_hide_the_next_one() -> None:
    """The order's limit was the best level's, whose maker lacked margin: nothing traded at all."""
    v = bankrupt(fund=50)
    v.fund(dora=30)
    v.trade("dora", "bob", 3, 1_000, 60)
    v.send("dora", c.Place(1, 0, 949, 50))
    v.send("carl", c.Place(1, 0, 948, 60))
    events = v.index(950, 975)
    assert steps(events) == [(1, Step.SOLD_ON_BOOK)]
    (row,) = readings(events, EventKind.LIQUIDATED)
    assert (row["lots"], row["price_ticks"]) == (50, 948)
    assert not v.of("dora").orders_count and v.size("dora", 1) == 0


def test_book_then_vault_then_the_others() -> None:
    v = bankrupt(vault=500, fund=50, vault_notional_max_e6=200 * USD, insurance_draw_max_e6=0)
    v.send("carl", c.Place(1, 0, 949, 10))
    events = v.index(950, 1_000)
    rows = readings(events, EventKind.LIQUIDATED)
    assert [Step(int(each)) for each in rows["code"]] == [
        Step.SOLD_ON_BOOK, Step.PAID_BY_INSURANCE, Step.DELEVERAGED,
    ]  # fmt: skip
    assert rows["lots"].tolist() == [10, 21, 19]
    assert rows[2]["fund_e6"] == 0 and v.of("ann").cash_e6 < 60 * LOT_E6


def test_a_drawn_out_venue_fund_pays_up_to_the_markets_cap() -> None:
    v = bankrupt(fund=1, vault_notional_max_e6=0, insurance_draw_max_e6=2 * USD)
    v.send("carl", c.Donate(0, 100 * USD), c.Donate(2, 70 * USD), c.Place(1, 0, 950, 100))
    events = v.index(950, 1_000)
    sold = readings(events, EventKind.LIQUIDATED)[0]
    assert sold["code"] == Step.SOLD_ON_BOOK and 0 < -sold["fund_e6"] <= 3 * USD
    assert v.at(Table.RISK, 1).insurance_drawn_e6 == -sold["fund_e6"] - USD
    assert v.at(Table.RISK, 2).insurance_e6 == 70 * USD


def test_a_debt_without_a_position_is_paid_as_far_as_the_funds_reach() -> None:
    """They paid all of it or nothing, and it gated withdrawals of the whole venue."""
    v = Venue(markets_but(insurance_draw_max_e6=2 * USD))
    v.fund(ann=50, bob=300, carl=900)
    v.send("ann", c.Isolate(1, 20 * USD))
    row = v.of("ann")
    row.positions[0].isolated_e6 -= 27 * USD
    v.lockstep.checks = False
    v.t.put(Table.ACCOUNTS, v.account("ann"), row)
    first = v.lockstep.kernel.s.positions_first[v.account("ann")]
    v.lockstep.kernel.s.positions[first]["isolated_e6"] -= 27 * USD
    v.lockstep.before = v.lockstep.spec.image()
    v.run([*v.votes_at(), v.row("carl", c.Donate(1, 3 * USD), c.Donate(0, 90 * USD))])
    before = v.lockstep.spec.image()
    events = v.run(v.votes_at())
    checker = Receipts()
    checker.check(before, v.lockstep.spec.image(), events, v.time_ms)
    assert checker.wrong == 0, checker.faults
    (row,) = readings(events, EventKind.LIQUIDATED)
    assert row["code"] == Step.PAID_BY_INSURANCE and row["fund_e6"] == -5 * USD
    assert row["lots"] == 0 and row["equity_after_e6"] == -2 * USD
    assert v.at(Table.RISK, 1).insurance_e6 == 0
    assert v.at(Table.RISK, 1).insurance_drawn_e6 == 2 * USD
    v.send("carl", c.Donate(1, 3 * USD))
    (row,) = readings(v.run(v.votes_at()), EventKind.LIQUIDATED)
    assert row["fund_e6"] == -2 * USD and v.at(Table.RISK, 1).insurance_e6 == USD
    assert not v.of("ann").positions


def checked(world: World, blocks: int) -> Receipts:
    """Run blocks and have every receipt recomputed from the state before it."""
    receipts, inner = Receipts(), world.run

    def run(rows: Any, step_ms: int = 1_000) -> Any:
        before = world.lockstep.spec.image()
        events = inner(rows, step_ms)
        receipts.check(before, world.lockstep.spec.image(), events, world.time_ms)
        return events

    world.run = run  # type: ignore[method-assign]
    for _ in range(blocks):
        world.lockstep.vary()
        world.block()
    return receipts


# In world 100 the state checker ends an isolated position that the venue keeps; which of the two is
# mistaken is open (docs/decisions/013, "What is weak").
OPEN = pytest.mark.xfail(reason="the checker ends an isolated position that stays", strict=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [pytest.param(0, marks=OPEN), 1, 2, 3])
def test_in_seeded_worlds_nobody_is_wound_up_for_what_book_vault_and_funds_could_take(
    seed: int,
) -> None:
    world = World(100 + seed, jump=0.3)
    receipts = checked(world, 250)
    assert not receipts.wrong, receipts.faults[:5]
    assert receipts.avoidable_lots == 0 < receipts.deleveraged_lots
