"""Liquidation over small states, enumerated: three people, two markets, small integers.

A state is written into the spec's tables, one tick of liquidation runs, and what came of it is held
against sums and brute force written here. Nothing of it shares a rule with execution but the worth
of a bucket, which other tests check.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quorate.execution.image import image_of, tables_of
from quorate.execution.machine import genesis_image
from quorate.execution.spec import liquidation
from quorate.execution.spec.accounts import open_account
from quorate.execution.spec.context import Context
from quorate.execution.spec.margin import bucket_worth
from quorate.execution.spec.rows import Position
from quorate.execution.spec.tables import Tables, copy
from quorate.sim.execution_checker import faults
from quorate.sim.liquidation_receipts import Receipts, terms_of
from quorate.types.blocks import FeeTier, MarginTier
from quorate.types.clearing_codes import LiquidationStep, Phase
from quorate.types.codes import EventKind
from quorate.types.records import EVENT, POSITION_ISOLATED, Table
from tests.execution.liquidation_world import GENESIS, World, address, market, readings

Step = LiquidationStep
assert GENESIS.clearing is not None
# A lot is worth 1e-6 quote a tick, and the price is about 10, so that rounding bites everywhere.
SMALL = replace(
    GENESIS,
    fee_schedules=((FeeTier(0, 0, 0),),),
    margin_schedules=((MarginTier(0, 5), MarginTier(20, 2)),),
    markets=(market("A", 1, 0), market("B", 1, 0)),
    clearing=replace(
        GENESIS.clearing,
        markets=tuple(
            replace(each, feed=0, vault_notional_max_e6=25, insurance_draw_max_e6=4)
            for each in GENESIS.clearing.markets[:2]
        ),
    ),
)
PEOPLE = 3
SIZES = (-2, -1, 0, 1, 2)


def base() -> tuple[Tables, list[int]]:
    """Tables with three accounts without anything."""
    t = tables_of(genesis_image(SMALL))
    return t, [open_account(t, address(f"p{k}"), 0) for k in range(PEOPLE)]


def twin(t: Tables) -> Tables:
    """A copy that shares rows: rules put rows anew; the ledger's is counted in place."""
    other = Tables()
    other.rows = {table: dict(rows) for table, rows in t.rows.items()}
    other.rows[Table.LEDGER] = {0: copy(t.rows[Table.LEDGER][0])}
    other._keys = {table: list(keys) for table, keys in t._keys.items()}
    return other


def written(
    start: Tables,
    slots: list[int],
    sizes: list[tuple[int, ...]],
    equities: tuple[int, ...],
    marks: tuple[int, ...],
    vault: int = 0,
    fund: int = 0,
    isolated: bool = False,
) -> Tables:
    """A state: each person's lots by market and equity, the vault's cash, each fund."""
    t = twin(start)
    total = vault + 3 * fund
    for slot, lots, equity in zip(slots, sizes, equities, strict=True):
        row = t.row(Table.ACCOUNTS, slot)
        cash = equity - sum(n * mark for n, mark in zip(lots, marks, strict=True))
        for number, n in enumerate(lots, 1):
            if n:
                row.positions.append(Position(key=number, size=n, entry_e6=10 * abs(n)))
        if isolated and row.positions:
            row.positions[0].flags = POSITION_ISOLATED
            row.positions[0].isolated_e6 = cash
            cash = 5
            total += 5
        row.cash_e6 = cash
        t.put(Table.ACCOUNTS, slot, row)
        total += equity
    ledger = t.row(Table.LEDGER, 0)
    ledger.insurance_e6 = fund
    t.put(Table.LEDGER, 0, ledger)
    row = t.row(Table.ACCOUNTS, ledger.vault)
    row.cash_e6 = vault
    t.put(Table.ACCOUNTS, ledger.vault, row)
    asset = t.row(Table.ASSETS, 0)
    asset.deposited = total
    t.put(Table.ASSETS, 0, asset)
    for number, mark in enumerate(marks, 1):
        row = t.row(Table.MARKETS, number)
        row.mark_ticks = mark
        row.open_interest_lots = sum(max(lots[number - 1], 0) for lots in sizes)
        t.put(Table.MARKETS, number, row)
        risk = t.row(Table.RISK, number)
        risk.insurance_e6, risk.guard = fund, 0
        t.put(Table.RISK, number, risk)
    return t


def money(t: Tables) -> int:
    """All money but what was deposited: cash, isolated margin, funds, pools, fees."""
    rows = t.rows[Table.ACCOUNTS].values()
    total = sum(row.cash_e6 + sum(p.isolated_e6 for p in row.positions) for row in rows)
    total += sum(row.insurance_e6 + row.funding_pool_e6 for row in t.rows[Table.RISK].values())
    ledger = t.rows[Table.LEDGER][0]
    return int(total + ledger.insurance_e6 + ledger.fees_e6)


def ticked(t: Tables) -> Any:
    """Run one tick of liquidation; its events."""
    c = Context(t, 1, 1_700_000_100_000)
    liquidation.liquidation_tick(c)
    return np.frombuffer(b"".join(c.events), EVENT)


def judged(t: Tables, before: int, events: Any) -> None:
    """Sums, funds, lots and receipts."""
    assert money(t) == before
    held = {1: 0, 2: 0}
    longs = {1: 0, 2: 0}
    for row in t.rows[Table.ACCOUNTS].values():
        for position in row.positions:
            held[position.key] += position.size
            longs[position.key] += max(position.size, 0)
            assert position.size or position.isolated_e6
    assert not any(held.values())
    for number in (1, 2):
        assert t.rows[Table.MARKETS][number].open_interest_lots == longs[number]
        assert t.rows[Table.RISK][number].insurance_e6 >= 0
    assert t.rows[Table.LEDGER][0].insurance_e6 >= 0
    wrong = Receipts(terms_of(SMALL)).block(events)
    assert not wrong, wrong


def one_market() -> Iterator[tuple[list[tuple[int, ...]], tuple[int, ...], tuple[int, ...]]]:
    """Every split of lots in one market, equities around the margins, three marks."""
    for a, b in itertools.product(SIZES, SIZES):
        if abs(a + b) > 2 or not (a or b):
            continue
        sizes = [(a, 0), (b, 0), (-a - b, 0)]
        for equities in itertools.product((-3, -1, 0, 1, 4), repeat=PEOPLE):
            for mark in (1, 9, 12):
                yield sizes, equities, (mark, 10)


def two_markets() -> Iterator[tuple[list[tuple[int, ...]], tuple[int, ...], tuple[int, ...]]]:
    """Every split of lots in two markets, of which one hedges the other."""
    for a, b, x, y in itertools.product((-2, 0, 1), (-1, 0, 2), (-1, 0, 2), (-2, 0, 1)):
        sizes = [(a, x), (b, y), (-a - b, -x - y)]
        for equities in itertools.product((-2, 1, 5), repeat=PEOPLE):
            for marks in ((9, 11), (12, 8)):
                yield sizes, equities, marks


@pytest.mark.slow
@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(("vault", "fund"), [(0, 0), (3, 1), (50, 0), (50, 3)])
@pytest.mark.parametrize("states", [one_market, two_markets])
def test_every_small_state_is_worked_off(
    states: Any, vault: int, fund: int, isolated: bool
) -> None:
    """No state raises, mints money or makes a fund negative; who is bankrupt is dealt with."""
    start, slots = base()
    reached: set[int] = set()
    for sizes, equities, marks in states():
        t = written(start, slots, sizes, equities, marks, vault, fund, isolated)
        before = money(t)
        events = ticked(t)
        judged(t, before, events)
        rows = readings(events, EventKind.LIQUIDATED)
        reached.update(rows["code"].tolist())
        for row in rows:
            if row["code"] == Step.LEFT_OPEN:
                assert t.rows[Table.RISK][int(row["market"])].phase == Phase.QUARANTINE
                assert t.rows[Table.ACCOUNTS][int(row["account"])].standing
    wanted = {Step.DELEVERAGED, Step.LEFT_OPEN}
    wanted |= {Step.TAKEN_BY_VAULT} if vault == 50 else set()
    wanted |= {Step.PAID_BY_INSURANCE} if vault == 50 and fund else set()
    assert wanted <= reached, reached


# --- deleveraging against brute force ------------------------------------------------------------
def holders(t: Tables, row: Any) -> list[tuple[int, int, int]]:
    """(lots that hedge nothing, lots, lots that its equity bears) of each counterparty before."""
    sign = 1 if row["side"] == 0 else -1
    number, mark, price = int(row["market"]), int(row["mark_ticks"]), int(row["price_ticks"])
    found = []
    for slot, account in t.rows[Table.ACCOUNTS].items():
        size = next((p.size for p in account.positions if p.key == number), 0)
        if size * sign >= 0 or slot == row["account"]:
            continue
        own = [p for p in account.positions if p.key == number and p.flags]
        equity = bucket_worth(t, account, number if own else 0).equity
        marks = {key: t.rows[Table.MARKETS][key].mark_ticks for key in (1, 2)}
        delta = sum(p.size * marks[p.key] for p in account.positions)
        bare = min(abs(delta) // mark, abs(size)) if delta * size > 0 else 0
        loss = sign * (price - mark)
        bears = equity // loss if loss > 0 else abs(size)
        found.append((bare, abs(size), bears) if equity > 0 else (0, 0, 0))
    return found


def least_broken(parties: list[tuple[int, int, int]], need: int) -> tuple[int, int]:
    """Over every way to take lots: the most that can be taken up to `need`, then the fewest lots
    of hedges among them.
    """
    best = (0, 0)
    for taken in itertools.product(*(range(lots + 1) for _, lots, _ in parties)):
        if sum(taken) > need:
            continue
        if any(n > bears for n, (_, _, bears) in zip(taken, parties, strict=True)):
            continue
        broken = sum(max(n - bare, 0) for n, (bare, _, _) in zip(taken, parties, strict=True))
        best = max(best, (sum(taken), -broken))
    return best[0], -best[1]


@pytest.mark.slow
def test_deleveraging_takes_the_least_and_keeps_hedges_where_it_can() -> None:
    """Against every other choice: as many lots as are needed, as few of hedges as possible."""
    start, slots = base()
    compared = broken = 0
    for sizes, equities, marks in itertools.chain(one_market(), two_markets()):
        t = written(start, slots, sizes, equities, marks)
        seen = twin(t)
        events = ticked(t)
        rows = readings(events, EventKind.LIQUIDATED)
        if not len(rows) or rows[0]["code"] != Step.DELEVERAGED:
            continue
        row = rows[0]
        parts = readings(events, EventKind.DELEVERAGED)
        mine = parts[parts["account"] == row["account"]]
        mine = mine[mine["market"] == row["market"]]
        need = int(mine[0]["lots_needed"])
        most, least = least_broken(holders(seen, row), need)
        lots = int(mine["lots"].sum())
        hedges = int(mine[mine["code"] == 1]["lots"].sum())
        assert lots == most <= need
        assert hedges == least
        compared += 1
        broken += hedges > 0
    assert compared > 1_000 and broken > 20, (compared, broken)


# --- the order of a tick -------------------------------------------------------------------------
@pytest.mark.slow
def test_any_order_of_a_ticks_candidates_conserves_money(monkeypatch: pytest.MonkeyPatch) -> None:
    """Permuted, the candidates of a tick never halt it, mint money or make a fund negative."""
    rng = random.Random(11)
    found = liquidation.candidates
    world = World(3, people=14)
    tried = 0
    for _ in range(120):
        world.block()
        shaken = tables_of(world.lockstep.before)
        for number in (1, 2, 3):
            row = shaken.row(Table.MARKETS, number)
            row.mark_ticks = max(1, int(row.mark_ticks * rng.uniform(0.8, 1.2)))
            shaken.put(Table.MARKETS, number, row)
        if len(found(shaken)) < 2:
            continue
        image = image_of(shaken)
        for _ in range(4):
            t = tables_of(image)

            def permuted(tables: Tables) -> list[Any]:
                chosen = found(tables)
                rng.shuffle(chosen)
                return chosen

            monkeypatch.setattr(liquidation, "candidates", permuted)
            c = Context(t, world.height, world.time_ms)
            liquidation.liquidation_tick(c)
            assert not faults(image_of(t), world.time_ms)
            events = np.frombuffer(b"".join(c.events), EVENT)
            assert not Receipts(terms_of(world.genesis)).block(events)
            tried += 1
        monkeypatch.setattr(liquidation, "candidates", found)
    assert tried >= 100, tried
