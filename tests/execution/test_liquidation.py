"""Liquidation by example, spec and kernels in lockstep; every receipt is recomputed."""

from dataclasses import replace
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.types.clearing_codes import InsuranceFlow, LiquidationStep, Phase, Standing, Switch
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import (
    INSURANCE_MAX_E6,
    LIQUIDATION_TURNS_PER_TICK,
    LIQUIDATIONS_PER_TICK_MAX,
)
from quorate.types.records import Table
from tests.execution.liquidation_world import (
    GENESIS,
    USD,
    Venue,
    World,
    readings,
    without_backstop,
)

Step = LiquidationStep


def steps(events: Any) -> list[tuple[int, LiquidationStep]]:
    """(market, step) of each receipt."""
    rows = readings(events, EventKind.LIQUIDATED)
    return [(int(row["market"]), Step(int(row["code"]))) for row in rows]


def venue(backstop: bool = True) -> Venue:
    """Ann is long 60 lots of market 1, worth 600 USD at 1000, with 20 USD; Bob is short them."""
    v = Venue(GENESIS if backstop else without_backstop())
    v.fund(ann=20, bob=200, carl=400)
    v.trade("ann", "bob", 1, 1_000, 60)
    return v


def markets_but(**risk: int) -> Any:
    """The venue with other risk parameters in every market."""
    assert GENESIS.clearing is not None
    markets = tuple(replace(each, **risk) for each in GENESIS.clearing.markets)
    return replace(GENESIS, clearing=replace(GENESIS.clearing, markets=markets))


# --- partial -------------------------------------------------------------------------------------
def test_partial_sells_a_slice_and_the_fund_takes_part_of_the_improvement() -> None:
    v = venue()
    v.send("carl", c.Place(1, 0, 978, 100))
    events = v.index(978, 1_000)
    (row,) = readings(events, EventKind.LIQUIDATED)
    assert row["code"] == Step.SOLD_ON_BOOK and row["end"] == Standing.PARTIAL
    assert row["lots"] == 18 and v.size("ann", 1) == 42  # 300,000 ppm of 60
    assert row["price_ticks"] < 978 and row["fund_e6"] > 0
    assert v.at(Table.RISK, 1).insurance_e6 == row["fund_e6"]
    assert int(row["equity_after_e6"]) * int(row["maintenance_before_e6"]) > (
        int(row["equity_before_e6"]) * int(row["maintenance_after_e6"])
    )


def test_without_a_bid_a_partial_waits_and_orders_are_gone() -> None:
    v = venue()
    v.send("ann", c.Place(1, 0, 500, 1))
    events = v.index(978, 1_000)
    assert steps(events) == [(0, Step.CANCELLED_ORDERS)]
    assert v.size("ann", 1) == 60 and not v.of("ann").orders_count
    assert steps(v.run(v.votes_at())) == []


# --- full ----------------------------------------------------------------------------------------
def test_full_goes_to_the_vault_with_what_is_left_of_the_margin() -> None:
    v = venue()
    v.fund(vault=500)
    events = v.index(970, 1_000)
    (row,) = readings(events, EventKind.LIQUIDATED)
    assert row["code"] == Step.TAKEN_BY_VAULT and row["end"] == Standing.FULL
    assert v.size("vault", 1) > 0 and v.size("ann", 1) == 0
    assert 0 <= v.of("ann").cash_e6 < 60 * 10_000  # less than one tick of 60 lots


def test_full_without_a_vault_or_bids_is_deleveraged_in_slices() -> None:
    v = venue(backstop=False)
    events = v.index(970, 1_000)
    (row,) = readings(events, EventKind.LIQUIDATED)
    (part,) = readings(events, EventKind.DELEVERAGED)
    assert row["code"] == Step.DELEVERAGED and row["lots"] == 18
    assert part["counter_account"] == v.account("bob") and v.size("bob", 1) == -42
    assert part["price_ticks"] < part["mark_ticks"]


# --- bankrupt ------------------------------------------------------------------------------------
def test_insurance_of_the_market_pays_first_then_the_venue() -> None:
    v = venue()
    v.fund(vault=500)
    v.send("carl", c.Donate(1, 3 * USD), c.Donate(0, 90 * USD), c.Donate(2, 7 * USD))
    events = v.index(950, 1_000)
    (row,) = readings(events, EventKind.LIQUIDATED)
    paid = [each for each in readings(events, EventKind.INSURED) if each["code"] == 3]
    assert row["code"] == Step.PAID_BY_INSURANCE and row["price_ticks"] == row["mark_ticks"]
    assert [int(each["market"]) for each in paid] == [1, 0]
    assert int(paid[0]["amount_e6"]) == -3 * USD
    assert sum(int(each["amount_e6"]) for each in paid) == row["equity_before_e6"]
    assert v.at(Table.RISK, 2).insurance_e6 == 7 * USD
    assert v.at(Table.RISK, 1).insurance_drawn_e6 == -int(paid[1]["amount_e6"])
    assert v.of("ann").cash_e6 == 0


def test_the_vault_takes_what_the_funds_can_pay_and_the_rest_is_deleveraged() -> None:
    v = Venue(markets_but(insurance_draw_max_e6=2 * USD))
    v.fund(ann=20, bob=200, carl=400, vault=500)
    v.trade("ann", "bob", 1, 1_000, 60)
    v.send("carl", c.Donate(0, 90 * USD), c.Donate(2, 90 * USD))
    events = v.index(950, 1_000)
    # 60 lots owe a little over 10 USD; the first ones carry most of it, as their tier requires
    # more: 2 USD pay for 5.
    assert steps(events) == [(1, Step.PAID_BY_INSURANCE), (1, Step.DELEVERAGED)]
    rows = readings(events, EventKind.LIQUIDATED)
    assert rows["lots"].tolist() == [5, 55] and v.size("vault", 1) == 5
    assert v.at(Table.RISK, 1).insurance_drawn_e6 == -rows[0]["fund_e6"] <= 2 * USD
    assert v.at(Table.RISK, 2).insurance_e6 == 90 * USD
    assert v.size("bob", 1) == -5 and 0 <= v.of("ann").cash_e6 < 60 * 10_000


def test_an_isolated_loss_never_reaches_cash_or_another_fund() -> None:
    v = Venue(without_backstop())
    v.fund(ann=100, bob=200, carl=400)
    v.send("ann", c.Isolate(1, 20 * USD))
    v.trade("ann", "bob", 1, 1_000, 60)
    cash = v.of("ann").cash_e6
    v.send("carl", c.Donate(2, 50 * USD), c.Donate(0, 50 * USD))
    events = v.index(940, 1_000)
    assert steps(events) == [(1, Step.DELEVERAGED)]
    assert 0 <= v.of("ann").cash_e6 - cash < 60 * 10_000
    assert v.at(Table.RISK, 2).insurance_e6 == v.at(Table.LEDGER, 0).insurance_e6 == 50 * USD


def test_the_most_profitable_leverage_goes_first_and_hedges_stay() -> None:
    v = Venue(without_backstop())
    v.fund(ann=20, bob=300, carl=60, dora=60)
    v.trade("ann", "bob", 1, 1_000, 20)
    v.trade("ann", "carl", 1, 1_000, 20)
    v.trade("ann", "dora", 1, 1_000, 20)
    # Dora's short of market 1 hedges her long of market 2, of the same feed.
    v.trade("dora", "bob", 2, 1_000, 60)
    events = v.index(955, 1_000)
    parts = readings(events, EventKind.DELEVERAGED)
    names = [v.account(name) for name in ("carl", "bob", "dora")]
    assert int(parts[0]["counter_account"]) == names[0]
    assert v.size("carl", 1) == 0
    by_name = {int(each["counter_account"]): each for each in parts if each["code"] == 0}
    assert names[2] not in by_name or by_name[names[2]]["unhedged_lots"] < 20


def left_open() -> Venue:
    """Ann is bankrupt in market 1; Bob, who alone holds its other side, is so by market 3."""
    v = Venue(without_backstop())
    v.fund(ann=20, bob=60, carl=900)
    v.trade("ann", "bob", 1, 1_000, 60)
    v.trade("bob", "carl", 3, 1_000, 90)
    return v


def test_what_nobody_can_take_is_left_open_and_quarantines_its_market_alone() -> None:
    v = left_open()
    events = v.index(950, 880)
    assert (1, Step.LEFT_OPEN) in steps(events)
    assert v.at(Table.RISK, 1).phase == Phase.QUARANTINE
    assert v.at(Table.RISK, 3).phase == Phase.TRADING
    assert v.at(Table.RISK, 1).bad_debt_e6 > 0
    ledger = v.at(Table.LEDGER, 0)
    assert ledger.debtors_count == 1 and v.of("ann").standing == Standing.BANKRUPT
    assert ledger.gate_until_ms == v.time_ms + 20_000
    switched = readings(events, EventKind.SWITCHED)
    codes = [int(each["code"]) for each in switched]
    assert Switch.PHASE in codes and Switch.GATE in codes
    assert v.code("carl", c.Withdraw(0, b"w" * 20, USD)) == Reject.WITHDRAWALS_GATED_WAIT
    # Bob's other position was worked off all the same, and the chain goes on.
    assert v.size("bob", 3) == 0
    assert steps(v.run(v.votes_at())) == []


def test_a_quarantine_is_lifted_and_the_rest_tried_again() -> None:
    v = left_open()
    v.index(950, 880)
    v.fund(bob=500)
    v.send("governance", c.SetStatus(1, 1))
    events = v.run(v.votes_at())
    assert steps(events) == [(1, Step.DELEVERAGED)]
    v.run(v.votes_at())
    assert v.at(Table.LEDGER, 0).debtors_count == 0 and v.of("ann").standing == 0


# --- waiting -------------------------------------------------------------------------------------
@pytest.mark.parametrize("switch", [2, 4])
def test_a_stale_index_or_a_switched_venue_liquidates_nobody(switch: int) -> None:
    v = venue()
    v.poke(Table.PARAMETERS, 0, switch=switch)
    assert steps(v.index(950, 1_000)) == []
    v.poke(Table.PARAMETERS, 0, switch=0)
    v.poke(Table.MARKETS, 1, status=switch)
    assert steps(v.run(v.votes_at())) == []
    v.poke(Table.MARKETS, 1, status=1)
    v.time_ms += 60_000
    assert steps(v.run([])) == []  # no fresh votes any more
    v.run(v.votes_at())


@pytest.mark.slow
def test_buckets_that_nobody_takes_hold_back_nobody_for_good() -> None:
    """As many worse ones as a tick has places, in a market without bids, kept the rest waiting."""
    v = Venue(without_backstop())
    crowd = [f"c{k}" for k in range(LIQUIDATIONS_PER_TICK_MAX - LIQUIDATION_TURNS_PER_TICK + 8)]
    v.fund(bob=9_000, carl=900, dora=20, **dict.fromkeys(crowd, 20))
    for begin in range(0, len(crowd), 50):
        some = crowd[begin : begin + 50]
        v.send("bob", c.Place(1, 1, 1_000, 60 * len(some)))
        v.run([*v.votes_at(), *(v.row(name, c.Place(1, 0, 1_000, 60, 2)) for name in some)])
    assert all(v.size(name, 1) == 60 for name in crowd)
    v.trade("dora", "bob", 3, 1_000, 60)
    v.send("carl", c.Place(3, 0, 978, 100))
    events = [v.index(977, 978)]
    events += [v.run(v.votes_at()) for _ in range(len(crowd) // LIQUIDATION_TURNS_PER_TICK + 1)]
    found = [each for block in events for each in steps(block)]
    assert (3, Step.SOLD_ON_BOOK) in found and {each[0] for each in found} == {3}
    assert v.at(Table.LEDGER, 0).scan_cursor


# --- the vault -----------------------------------------------------------------------------------
def test_the_vault_disposes_of_what_it_took_a_part_at_a_time() -> None:
    v = venue()
    v.fund(vault=500)
    v.index(970, 1_000)
    held = v.size("vault", 1)
    v.send("carl", c.Place(1, 0, 969, 10))
    for _ in range(4):
        v.run(v.votes_at())
    sold = held - v.size("vault", 1)
    assert sold == 5  # half of what rests near the mark, at most 300,000 ppm of the position
    assert v.at(Table.RISK, 1).disposal_next_ms > v.time_ms - 3_000


def test_a_vault_without_margin_or_room_takes_nothing() -> None:
    v = venue()  # its account is empty
    assert steps(v.index(970, 1_000)) == [(1, Step.DELEVERAGED)]


# --- donations -----------------------------------------------------------------------------------
def test_donations_and_their_refusals() -> None:
    v = venue()
    events = v.send("carl", c.Donate(0, 5), c.Donate(3, 6))
    given = readings(events, EventKind.INSURED)
    assert [(int(e["market"]), int(e["amount_e6"])) for e in given] == [(0, 5), (3, 6)]
    assert (given["code"] == InsuranceFlow.DONATED).all()
    assert v.code("carl", c.Donate(9, 5)) == Reject.MARKET_MUST_EXIST
    assert v.code("carl", c.Donate(1, 0)) == Reject.AMOUNT_MUST_BE_POSITIVE
    assert v.code("carl", c.Donate(1, 401 * USD)) == Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
    v.poke(Table.RISK, 2, mode=0)
    assert v.code("carl", c.Donate(2, 5)) == Reject.MARKET_HAS_NO_CLEARING
    v.lockstep.checks = False
    v.poke(Table.LEDGER, 0, insurance_e6=INSURANCE_MAX_E6)
    assert v.code("carl", c.Donate(0, 5)) == Reject.SUPPLY_WOULD_PASS_LIMIT
    agent = b"a" * 20
    v.send("carl", c.ApproveAgent(agent, 0, 0, 0, 0))
    row = v.row("carl", c.Donate(1, 5))
    events = v.run([(agent, v.account("carl"), *row[2:])])
    assert events[-1]["code"] == Reject.OWNER_KEY_REQUIRED


# --- worlds --------------------------------------------------------------------------------------
@pytest.mark.slow
def test_seeded_worlds_reach_every_step() -> None:
    """Spec and kernels agree; money, funds and receipts are sound in every block."""
    reached: dict[int, int] = {}
    standings: dict[int, int] = {}
    for seed in range(6):
        world = World(seed)
        for _ in range(320):
            world.lockstep.vary()
            world.block()
        for name, into in (("steps", reached), ("standings", standings)):
            for key, count in getattr(world, name).items():
                into[key] = into.get(key, 0) + count
    for step in set(Step) - {Step.LEFT_OPEN, Step.HEDGED}:
        assert reached.get(step, 0) >= 5, (step, reached)
    assert sum(reached.values()) >= 300, reached
    assert min(standings[each] for each in (2, 3, 4)) >= 8, standings


@pytest.mark.slow
def test_a_venue_without_backstop_goes_on_through_crashes() -> None:
    world = World(7, without_backstop(), people=5, jump=0.6)
    for _ in range(300):
        world.lockstep.vary()
        world.block()
    assert world.steps[Step.DELEVERAGED] >= 10, world.steps
