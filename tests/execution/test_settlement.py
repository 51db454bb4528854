"""The end of a series: no orders, the fixing, the payoff as mark, everybody paid, delisted."""

from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetSeries
from quorate.execution.spec import settlement as spec_settlement
from quorate.types.codes import End, EventKind, MarketStatus, Reject
from quorate.types.options_codes import ExpiryState, SeriesState
from quorate.types.records import Table
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import USD
from tests.execution.options_exchange import PRICES, SERIES, product
from tests.execution.series_desk import SeriesDesk

WINDOW_MS = 60_000
QUANTUM = USD // 100


@pytest.fixture
def desk() -> SeriesDesk:
    made = SeriesDesk(fixing_window_ms=WINDOW_MS)
    made.opened()
    return made


def window(desk: SeriesDesk) -> None:
    """Move to the beginning of the fixing's window."""
    desk.to(desk.series().expiry_ms - WINDOW_MS)


def test_a_call_is_paid_from_shorts_to_longs(desk: SeriesDesk) -> None:
    desk.traded("alice", "bob", 30, 2_000)
    desk.traded("carol", "bob", 12, 2_100)
    before = {name: desk.cash(name) for name in ("alice", "bob", "carol")}
    money = desk.money()
    window(desk)
    found = desk.until_settled(103_500)
    (fixed,) = found[EventKind.FIXED]
    assert (fixed["fix_ticks"], fixed["samples_count"], fixed["missing_count"]) == (
        103_500, 15, 0,
    )  # fmt: skip
    paid = {name: desk.cash(name) - before[name] for name in before}
    worth = 3_500 * QUANTUM
    assert paid == {"alice": 30 * worth, "bob": -42 * worth, "carol": 12 * worth}
    assert sum(int(each["cash_e6"]) for each in found[EventKind.SETTLED]) == 0
    assert desk.money() == money
    states = [int(each["code"]) for each in found[EventKind.SERIES_MOVED]]
    assert states == [SeriesState.EXPIRED, SeriesState.SETTLING, SeriesState.SETTLED]
    assert [desk.position(name) for name in before] == [0, 0, 0]
    market = desk.market(SERIES)
    assert (market.status, market.open_interest_lots) == (MarketStatus.HALTED, 0)
    assert (market.mark_ticks, desk.ledger().series_live) == (3_500, 0)
    assert desk.expiry(0).state == ExpiryState.FREE
    assert desk.ledger().settle_until == desk.ledger().settle_count == 0


def test_a_worthless_call_pays_nothing_and_leaves(desk: SeriesDesk) -> None:
    desk.traded("alice", "bob", 30, 2_000)
    before = desk.cash("alice"), desk.cash("bob")
    window(desk)
    found = desk.until_settled(99_000)
    assert (desk.cash("alice"), desk.cash("bob")) == before
    assert [int(each["cash_e6"]) for each in found[EventKind.SETTLED]] == [0, 0]
    assert desk.position("alice") == desk.position("bob") == 0


def test_orders_leave_and_none_come_in(desk: SeriesDesk) -> None:
    desk.ok("alice", c.Place(SERIES, 0, 1_000, 5), c.Place(SERIES, 1, 9_000, 5))
    desk.to(desk.series().expiry_ms)
    events = desk.beat(0)
    cancelled = events[events["kind"] == EventKind.CANCELLED]
    assert [int(each) for each in cancelled["end"]] == [End.EXPIRY] * 2
    assert desk.code("bob", c.Place(SERIES, 0, 1_000, 5)) == Reject.SERIES_NOT_LIVE
    assert desk.code("governance", c.SetStatus(SERIES, 1)) == Reject.SERIES_NOT_LIVE
    assert desk.market(SERIES).orders_count == 0


def test_cancelling_is_bounded(desk: SeriesDesk, monkeypatch: Any) -> None:
    from quorate.compiled import policy
    from quorate.execution.kernels import phase_series
    from quorate.execution.spec import expiries

    if not policy.JIT_DISABLED:
        pytest.skip("a bound that was compiled in cannot be lowered")
    monkeypatch.setattr(expiries, "ORDERS_EXPIRED_PER_BLOCK", 3)
    monkeypatch.setattr(phase_series, "ORDERS_EXPIRED_PER_BLOCK", 3)
    desk.ok("alice", *[c.Place(SERIES, 0, 1_000 + k, 1) for k in range(7)])
    desk.to(desk.series().expiry_ms)
    counts = [desk.market(SERIES).orders_count for _ in range(4) if len(desk.beat(0)) >= 0]
    assert counts == [4, 1, 0, 0]


def test_the_walk_is_bounded_and_resumed(desk: SeriesDesk, monkeypatch: Any) -> None:
    from quorate.compiled import policy
    from quorate.execution.kernels import phase_series

    if not policy.JIT_DISABLED:
        pytest.skip("a bound that was compiled in cannot be lowered")
    monkeypatch.setattr(spec_settlement, "ACCOUNTS_SETTLED_PER_BLOCK", 4)
    monkeypatch.setattr(phase_series, "ACCOUNTS_SETTLED_PER_BLOCK", 4)
    desk.traded("alice", "bob", 30, 2_000)
    desk.traded("dave", "carol", 7, 2_000)
    money = desk.money()
    window(desk)
    seen = set()
    for _ in range(600):
        desk.beat(101_000)
        seen.add(desk.ledger().settle_cursor)
        assert desk.money() == money
        if desk.series().state == SeriesState.SETTLED:
            break
    assert len(seen) > 2
    assert [desk.position(name) for name in ("alice", "bob", "carol", "dave")] == [0] * 4


def test_an_isolated_position_is_paid_into_its_margin_and_back(desk: SeriesDesk) -> None:
    desk.ok("alice", c.Isolate(SERIES, 50_000 * USD))
    desk.traded("bob", "alice", 30, 2_000)
    whole = desk.cash("alice") + isolated(desk, "alice")
    window(desk)
    found = desk.until_settled(103_500)
    assert desk.cash("alice") == whole - 30 * 3_500 * QUANTUM
    shares = {int(each["isolated_e6"]) for each in found[EventKind.SETTLED]}
    assert shares == {0, -30 * 3_500 * QUANTUM}


def isolated(desk: SeriesDesk, name: str) -> int:
    """Isolated margin of somebody."""
    row = desk.at(Table.ACCOUNTS, desk.account(name))
    return sum(int(each.isolated_e6) for each in row.positions)


def test_series_of_one_expiry_settle_in_one_walk(desk: SeriesDesk) -> None:
    expiry_ms = desk.series().expiry_ms
    text = "max(strike - fix, 0)"
    desk.ok("governance", product(1, text, {"fix": PRICES, "strike": PRICES}, name="PUT"))
    desk.market_made(SERIES + 1)
    desk.ok("governance", SetSeries(SERIES + 1, 1, expiry_ms, strike=101_000))
    desk.marked()
    assert desk.expiry(0).series_count == 2
    desk.traded("alice", "bob", 3, 2_000)
    desk.traded("alice", "carol", 5, 3_000, SERIES + 1)
    money = desk.money()
    window(desk)
    found = desk.until_settled(100_400)
    settled = found[EventKind.SETTLED]
    paid = sorted((int(each["market"]), int(each["cash_e6"]) // QUANTUM) for each in settled)
    assert paid == [(4, -1_200), (4, 1_200), (5, -3_000), (5, 3_000)]
    assert desk.money() == money
    assert desk.series(SERIES + 1).state == SeriesState.SETTLED
    assert desk.expiry(0).state == ExpiryState.FREE


def test_triggers_of_an_expired_series_end(desk: SeriesDesk) -> None:
    desk.traded("alice", "bob", 3, 2_000)
    desk.ok("alice", c.Trigger(SERIES, 1, 0, 100))
    desk.to(desk.series().expiry_ms)
    ended = readings(desk.beat(0), EventKind.TRIGGER_ENDED)
    assert [int(each["end"]) for each in ended] == [6]
    assert desk.ledger().triggers_live == 0
