"""Market-maker protection and mass quotes: each rule by itself, and what holds for every sequence.
"""

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.execution import rules
from quorate.types.codes import End, EventKind, MarketStatus, Reject
from quorate.types.limits import GROUPS_PER_ACCOUNT_MAX, PROTECTIONS_PER_COMMAND_MAX, TIME_MS_MAX
from quorate.types.records import Table
from tests.execution.exchange import PERP, ROOMY, Exchange, bought, fills, sold

MID = 100_000


def exchange(*names: str) -> Exchange:
    x = Exchange(ROOMY)
    x.fund("ann", "ben", "cleo", *names, usd=100_000_000)
    return x


def quoted(group: int, *levels: tuple[int, int, int, int], market: int = PERP) -> c.Quote:
    return c.Quote(market, group, tuple(c.QuoteLevel(*level) for level in levels))


def resting(x: Exchange, name: str) -> list[tuple[int, int, int, int]]:
    """(side, price, lots, group) of an account's open orders, oldest first."""
    account = x.account(name)
    rows = [r for r in x.lockstep.spec.tables.rows[Table.ORDERS].values() if r.account == account]
    rows.sort(key=lambda row: row.order_id)
    return [(row.side, row.price, row.remaining, row.group) for row in rows if row.order_id]


def protected(events: Any) -> list[tuple[int, int, int, int]]:
    """(group, lots, delta, cancelled) of each freeze."""
    rows = events[events["kind"] == EventKind.PROTECTED]
    return [
        (int(r["order_id"]), int(r["counter_order_id"]), int(r["price"]), int(r["fee_e6"]))
        for r in rows
    ]


# --- protection ----------------------------------------------------------------------------------
def test_a_group_is_pulled_before_the_next_order_is_met() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(7, 10_000, 30))
    x.ok("ann", *(sold(MID + k, 20, group=7) for k in range(4)), sold(MID + 9, 20))
    events = x.ok("ben", bought(MID + 9, 100))
    assert [size for _, size, _ in fills(events)] == [20, 20, 20]  # the last is not of the group
    worth = 20 * (MID + MID + 1)
    assert protected(events) == [(7, 40, -worth * 10**6, 2)]
    ends = events[events["kind"] == EventKind.CANCELLED]["end"]
    assert set(ends.tolist()) == {int(End.PROTECTION)} and len(ends) == 2
    assert x.code("ann", sold(MID + 50, 1, group=7)) == Reject.GROUP_FROZEN_WAIT
    x.ok("ann", c.SetGroup(7, 10_000, 30))
    assert x.code("ann", sold(MID + 50, 1, group=7)) == Reject.OK


def test_a_freeze_thaws_by_itself() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(1, 10_000, 5, freeze_ms=5_000))
    x.ok("ann", sold(MID, 10, group=1))
    x.ok("ben", bought(MID, 5))
    assert resting(x, "ann") == []
    order = sold(MID, 1, group=1)
    assert x.code("ann", order, step_ms=4_999) == Reject.GROUP_FROZEN_WAIT
    assert x.code("ann", order, step_ms=1) == Reject.OK
    x.ok("ann", c.SetGroup(2, 10_000, 1))
    x.ok("ann", sold(MID + 1, 1, group=2))
    x.ok("ben", bought(MID + 1, 2))
    frozen = x.lockstep.spec.tables.row(Table.GROUPS, 2)
    assert frozen.frozen_until_ms == TIME_MS_MAX and frozen.hits_count == 1


def test_delta_nets_what_lots_do_not() -> None:
    x = exchange()
    limit = 30 * MID * 10**6
    x.ok("ann", c.SetGroup(1, 10_000, 0, limit))
    for _ in range(3):
        x.ok("ann", c.CancelAll(), sold(MID, 20, group=1), bought(MID - 1, 20, group=1))
        assert not protected(x.ok("ben", bought(MID, 20)))
        assert not protected(x.ok("ben", sold(MID - 1, 20)))
    x.ok("ann", sold(MID, 20, group=1), sold(MID + 1, 20, group=1))
    assert len(protected(x.ok("ben", bought(MID + 1, 40)))) == 1


def test_a_window_of_zero_takes_the_group_and_its_orders_away() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(1, 1_000), c.SetGroup(2, 1_000), c.SetGroup(3, 1_000))
    x.ok("ann", sold(MID, 1, group=2), sold(MID, 1, group=1), sold(MID + 1, 1, group=2))
    events = x.ok("ann", c.SetGroup(2, 0))
    assert int(events[-1]["size"]) == 2 and resting(x, "ann") == [(1, MID, 1, 1)]
    assert x.code("ann", sold(MID, 1, group=2)) == Reject.GROUP_MUST_EXIST
    assert x.code("ann", c.SetGroup(2, 0)) == Reject.GROUP_MUST_EXIST
    assert x.code("ann", sold(MID, 1, group=256)) == Reject.FIELD_MUST_BE_IN_RANGE
    for number, window in ((0, 1), (256, 1), (1, 86_400_001)):
        assert x.code("ann", c.SetGroup(number, window)) == Reject.FIELD_MUST_BE_IN_RANGE
    made = [c.SetGroup(number, 1) for number in range(1, GROUPS_PER_ACCOUNT_MAX + 1)]
    x.ok("ann", *made)
    assert x.code("ann", c.SetGroup(99, 1)) == Reject.GROUPS_TOO_MANY


def test_a_modified_order_stays_in_its_group() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(1, 1_000, 5))
    order = int(x.ok("ann", sold(MID + 5, 10, group=1))[-1]["order_id"])
    x.ok("ann", c.Modify(order, MID + 2, 10))
    assert resting(x, "ann") == [(1, MID + 2, 10, 1)]
    assert len(protected(x.ok("ben", bought(MID + 2, 5)))) == 1


def test_one_taker_freezes_so_many_groups_and_stops() -> None:
    names = [f"m{k}" for k in range(PROTECTIONS_PER_COMMAND_MAX + 2)]
    x = exchange(*names)
    for k, name in enumerate(names):
        x.ok(name, c.SetGroup(1, 1_000, 1), sold(MID + k, 2, group=1))
    fok = bought(MID + 9, 10, tif=3)
    assert x.code("ben", fok) == Reject.FILL_OR_KILL_BEYOND_WORK_LIMIT
    events = x.ok("ben", bought(MID + 9, 50))
    assert len(protected(events)) == PROTECTIONS_PER_COMMAND_MAX
    assert events[-1]["end"] == End.WORK_LIMIT


def test_fill_or_kill_foresees_what_protection_pulls() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(1, 1_000, 4), *(sold(MID + k, 3, group=1) for k in range(4)))
    x.ok("cleo", sold(MID + 9, 5))
    before = resting(x, "ann")
    assert x.code("ben", bought(MID + 9, 12, tif=3)) == Reject.FILL_OR_KILL_NOT_FILLABLE
    assert resting(x, "ann") == before
    events = x.ok("ben", bought(MID + 9, 11, tif=3))
    assert [size for _, size, _ in fills(events)] == [3, 3, 5]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 700),  # milliseconds to the block
        st.integers(0, 1),  # side of the taker
        st.lists(st.integers(1, 6), min_size=1, max_size=4),  # sizes of the maker's quotes
        st.integers(1, 24),  # lots of the taker
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60)
@given(STEPS, st.integers(1, 15), st.integers(1, 2_000))
def test_no_window_ever_holds_more_than_the_limit_and_one_order(
    steps: list[tuple[int, int, list[int], int]], limit: int, window: int
) -> None:
    """Whatever is quoted and taken: less than the limit, and the one order that reached it."""
    x = exchange()
    x.ok("ann", c.SetGroup(1, window, limit, freeze_ms=window))
    seen: deque[tuple[int, int]] = deque()
    for step_ms, side, quotes, lots in steps:
        price = [MID + 50, MID - 50]
        book = [c.Place(PERP, 1 - side, price[side] + k, n, group=1) for k, n in enumerate(quotes)]
        x.send("ann", c.CancelAll(), *book, step_ms=step_ms)
        taken = c.Place(PERP, side, price[side] + (20 if side == 0 else -20), lots, 2)
        now_fills = fills(x.send("ben", taken, step_ms=0))
        for _, size, _ in now_fills:
            seen.append((x.time_ms, size))
            inside = [n for at, n in seen if at > x.time_ms - window]
            assert sum(inside) - inside[-1] < limit
            if sum(inside) >= limit:
                assert resting(x, "ann") == []
        x.send("ben", c.CancelAll(), step_ms=0)


@given(st.integers(1, 10**6), st.lists(st.integers(0, 10**6), min_size=2, max_size=30))
def test_three_halves_span_a_window_and_at_most_one_and_a_half(
    window: int, steps: list[int]
) -> None:
    at, times = 10**12, []
    for step in steps:
        at += step
        times.append(at)
    for time_ms in times:
        now = rules.half_window(at, window)
        counted = now - rules.half_window(time_ms, window) <= 2
        if time_ms > at - window:
            assert counted
        if counted:
            assert at - time_ms < 3 * ((window + 1) // 2)


# --- mass quotes ---------------------------------------------------------------------------------
def test_a_quote_replaces_the_groups_orders_in_that_market_alone() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(1, 1_000), c.SetGroup(2, 1_000))
    x.ok("ann", sold(MID + 9, 3), sold(MID + 8, 3, group=2), sold(MID + 7, 3, group=1))
    events = x.ok("ann", quoted(1, (MID - 1, 5, MID + 1, 6), (MID - 2, 7, 0, 0)))
    receipts = events[events["kind"] == EventKind.RECEIPT]
    assert len(receipts) == 1
    assert (receipts[0]["size"], receipts[0]["remaining"], receipts[0]["code"]) == (3, 0, 0)
    assert resting(x, "ann") == [
        (1, MID + 9, 3, 0), (1, MID + 8, 3, 2), (0, MID - 1, 5, 1), (1, MID + 1, 6, 1),
        (0, MID - 2, 7, 1),
    ]  # fmt: skip
    events = x.send("ann", quoted(1, (0, 0, 0, 0)), c.CancelAll(PERP))
    assert events[events["kind"] == EventKind.RECEIPT]["command"].tolist() == [0, 2]


def test_sides_that_cross_are_skipped_and_counted() -> None:
    x = exchange()
    x.ok("ben", sold(MID, 5))
    x.ok("ann", c.SetGroup(1, 1_000))
    events = x.send("ann", quoted(1, (MID, 5, MID + 1, 5), (MID + 3, 1, MID + 2, 1)))
    last = events[-1]
    assert (last["code"], last["size"], last["remaining"]) == (0, 2, 2)
    assert resting(x, "ann") == [(1, MID + 1, 5, 1), (1, MID + 2, 1, 1)]
    last = x.send("ann", quoted(1, (MID, 5, 0, 0)))[-1]
    assert (last["code"], last["size"], last["remaining"]) == (Reject.POST_ONLY_WOULD_CROSS, 0, 1)
    assert resting(x, "ann") == []


@pytest.mark.parametrize(
    ("quote", "code"),
    [
        (quoted(1, (MID, 1, 0, 0), market=9), Reject.MARKET_MUST_EXIST),
        (quoted(2, (MID, 1, 0, 0)), Reject.GROUP_MUST_EXIST),
        (quoted(0, (MID, 1, 0, 0)), Reject.FIELD_MUST_BE_IN_RANGE),
        (quoted(1, (MID, 5_001, 0, 0)), Reject.SIZE_MUST_BE_IN_RANGE),
        (quoted(1, (0, 1, 0, 0)), Reject.PRICE_MUST_BE_IN_RANGE),
    ],
)
def test_refused_quotes(quote: c.Quote, code: Reject) -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(1, 1_000))
    assert x.code("ann", quote) == code


def test_a_market_that_takes_no_post_only_orders_takes_no_quotes() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(1, 1_000), sold(MID, 1, group=1))
    x.ok("governance", c.SetStatus(PERP, int(MarketStatus.HALTED)))
    assert x.code("ann", quoted(1, (MID - 1, 1, 0, 0))) == Reject.MARKET_HALTED
    assert resting(x, "ann") == [(1, MID, 1, 1)]
    x.ok("governance", c.SetStatus(PERP, int(MarketStatus.POST_ONLY)))
    assert x.code("ann", quoted(1, (MID - 1, 1, 0, 0))) == Reject.OK


def test_the_largest_quote() -> None:
    x = exchange()
    x.ok("ann", c.SetGroup(255, 1_000))
    levels = [(MID - k, 1, MID + k, 1) for k in range(1, 33)]
    assert x.send("ann", quoted(255, *levels))[-1]["size"] == 64
    assert x.send("ann", quoted(255, *levels))[-1]["size"] == 64
    assert len(resting(x, "ann")) == 64
