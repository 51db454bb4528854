"""Regressions of the clearing phases, each named for what once went wrong."""

from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.compiled.policy import JIT_DISABLED
from quorate.execution.kernels import phase_liquidation
from quorate.execution.spec import liquidation, margin
from quorate.types.clearing_codes import LiquidationStep, Phase
from quorate.types.clearing_spec import BandSpec
from quorate.types.codes import EventKind, MarketStatus
from quorate.types.records import Table
from tests.execution.clearing_exchange import ALT, House, house, readings
from tests.execution.exchange import PERP, address, bought, sold

Step = LiquidationStep
BAND = BandSpec(8_000, 100_000, 100_000, 5_000)


def both(x: House, perp: int, alt: int, *rows: Any) -> Any:
    """A block in which all voters vote on both feeds."""
    return x.rows(*x.vote_rows(0, *[perp] * 4), *x.vote_rows(1, *[alt] * 4), *rows)


def steps(events: Any) -> list[tuple[int, int, LiquidationStep, int]]:
    """(account, market, step, lots) of each receipt."""
    rows = readings(events, EventKind.LIQUIDATED)
    return [
        (int(r["account"]), int(r["market"]), Step(int(r["code"])), int(r["lots"])) for r in rows
    ]


def worth(x: House, name: str) -> Any:
    """Worth of somebody's cross bucket."""
    row = x.at(Table.ACCOUNTS, x.account(name))
    return margin.bucket_worth(x.lockstep.spec.tables, row, 0)


def size(x: House, name: str, market: int) -> int:
    """Somebody's position in lots."""
    held = x.at(Table.ACCOUNTS, x.account(name)).positions
    return next((each.size for each in held if each.key == market), 0)


def shielded() -> House:
    """Dora is long 100 lots of one market and a single lot of the thin other one."""
    x = House(house(vault_notional_max_e6=0))
    x.fund("dora", usd=300_000)
    x.fund("eve", "pam", usd=2_000_000)
    x.fund("governance")
    both(x, 100_000, 1_000)
    x.rows()
    x.ok("eve", sold(100_000, 100))
    x.ok("dora", bought(100_000, 100))
    x.ok("pam", c.Place(ALT, 1, 1_000, 1))
    x.ok("dora", c.Place(ALT, 0, 1_000, 1))
    return x


# --- one lot in a market that waits --------------------------------------------------------------
@pytest.mark.parametrize("waits", ["halted", "post_only", "auction", "guard"])
def test_one_lot_in_a_market_that_waits_shields_no_bucket(waits: str) -> None:
    x = shielded()
    dora = x.account("dora")
    x.ok("dora", c.Place(ALT, 0, 500, 1))
    if waits in ("halted", "post_only"):
        status = MarketStatus.HALTED if waits == "halted" else MarketStatus.POST_ONLY
        x.ok("governance", c.SetStatus(ALT, int(status)))
    elif waits == "auction":
        now = x.time_ms
        x.doctor(
            Table.RISK, ALT, phase=int(Phase.AUCTION), auction_kind=1, auction_begin_ms=now,
            auction_end_ms=now + 600_000,
        )  # fmt: skip
    found = []
    for k in range(12):
        perp = max(90_000, 100_000 - 1_000 * k)
        if waits == "guard":  # nobody votes on the thin market's feed any more
            events = x.rows(*x.vote_rows(0, *[perp] * 4))
        else:
            events = both(x, perp, 1_000)
        found += steps(events)
    assert size(x, "dora", ALT) == 1 and size(x, "dora", PERP) == 0
    assert not x.at(Table.ACCOUNTS, dora).orders_count
    assert found[0] == (dora, 0, Step.CANCELLED_ORDERS, 1)
    assert {each[:2] for each in found[1:]} == {(dora, PERP)}
    assert worth(x, "dora").equity > -10_000  # the share that the single lot carries


def test_a_bucket_all_of_whose_positions_wait_keeps_its_orders_and_takes_no_turn() -> None:
    x = shielded()
    x.ok("dora", c.Place(ALT, 0, 500, 1))
    for market in (PERP, ALT):
        x.ok("governance", c.SetStatus(market, int(MarketStatus.POST_ONLY)))
    found = []
    for _ in range(4):
        found += steps(both(x, 90_000, 1_000))
    assert not found and x.at(Table.ACCOUNTS, x.account("dora")).orders_count == 1
    x.ok("governance", c.SetStatus(ALT, int(MarketStatus.OPEN)))
    (first, *_) = steps(both(x, 90_000, 1_000)) or steps(both(x, 90_000, 1_000))
    assert first == (x.account("dora"), 0, Step.CANCELLED_ORDERS, 1)
    assert size(x, "dora", ALT) == 0 or size(x, "dora", PERP) == 100


# --- dust in front of others ---------------------------------------------------------------------
def dusty(**numbers: int) -> House:
    """Two buckets of dust below maintenance, and a large one that is healthier than they are."""
    x = House(house(numbers=numbers, vault_notional_max_e6=0, slice_ppm=200_000))
    x.fund("bob", "mm", usd=50_000_000)
    x.fund("big", usd=150_000)
    both(x, 100_000, 1_000)
    x.rows()
    x.fund("d1", "d2", usd=1)
    x.ok("bob", c.Place(ALT, 1, 1_000, 8))
    x.ok("d1", c.Place(ALT, 0, 1_000, 3))
    x.ok("d2", c.Place(ALT, 0, 1_000, 3))
    x.ok("bob", sold(100_000, 50))
    x.ok("big", bought(100_000, 50))
    x.ok("mm", bought(97_400, 1_000))
    return x


def dust_order(x: House) -> list[Any]:
    """Both buckets of dust place one order each."""
    return [x.row(address(name), c.Place(ALT, 1, 1_050, 1)) for name in ("d1", "d2")]


def test_dust_that_places_orders_for_every_tick_holds_back_nobody() -> None:
    x = dusty(liquidations_max=1)
    big, found = x.account("big"), []
    for _ in range(6):
        found += steps(both(x, 98_100, 976, *dust_order(x)))
    cancels = [each for each in found if each[2] == Step.CANCELLED_ORDERS]
    assert len(cancels) >= 4  # the dust had its turns
    assert (big, PERP, Step.SOLD_ON_BOOK, 10) in found and size(x, "big", PERP) < 50


@pytest.mark.skipif(not JIT_DISABLED, reason="a compiled kernel does not see another bound")
def test_who_would_pass_the_bound_of_cancelled_orders_waits_for_the_next_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (liquidation, phase_liquidation):
        monkeypatch.setattr(module, "LIQUIDATION_CANCELS_PER_TICK", 1)
    x = dusty(liquidations_max=2)
    big, dust = x.account("big"), [x.account(name) for name in ("d1", "d2")]
    both(x, 98_100, 976, *dust_order(x))
    first, second = (steps(both(x, 98_100, 976)) for _ in range(2))
    assert first == [(dust[0], 0, Step.CANCELLED_ORDERS, 1), (big, PERP, Step.SOLD_ON_BOOK, 10)]
    assert second[0] == (dust[1], 0, Step.CANCELLED_ORDERS, 1)


# --- quarantine ----------------------------------------------------------------------------------
def test_the_mark_of_a_market_in_quarantine_follows_the_index_past_its_bands() -> None:
    x = House(house(bands=(BAND,)))
    x.index(100_000)
    x.rows()
    x.doctor(Table.RISK, PERP, phase=int(Phase.QUARANTINE))
    x.index(85_000)
    assert x.market().mark_ticks == 85_000 and x.phase() == Phase.QUARANTINE
