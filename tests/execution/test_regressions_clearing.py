"""Regressions of the clearing phases, each named for what once went wrong."""

from dataclasses import replace
from typing import Any

import pytest

from quorate.codec import commands as c
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
    return [(int(r["account"]), int(r["market"]), Step(int(r["code"])), int(r["lots"])) for r in rows]


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
