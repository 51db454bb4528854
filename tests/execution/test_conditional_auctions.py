"""Triggers, groups and mass quotes where orders meet at one price: batches and auctions."""

from typing import Any

from quorate.codec import commands as c
from quorate.types.clearing_codes import Mode, Phase, TriggerFlag, TriggerKind
from quorate.types.codes import End, EventKind
from quorate.types.records import Table
from tests.execution.clearing_exchange import ALT, House, house
from tests.execution.exchange import fills

CHILD, PAIR = int(TriggerFlag.CHILD_LAST), int(TriggerFlag.PAIR_LAST)


def batch() -> House:
    """Market ALT in batches, index and mark 1000."""
    x = House(house({"gap_auctions": 0}))
    x.doctor(Table.MARKETS, ALT, mark_ticks=1_000)
    x.lockstep.checks = True
    x.fund("ann", "ben", "cat")
    x.index(1_000, feed=1)
    x.ok("governance", c.SetRisk(ALT, 0, int(Mode.BATCH)))
    assert x.at(Table.RISK, ALT).mode == Mode.BATCH
    return x


def order(side: int, price: int, size: int, **more: int) -> c.Place:
    return c.Place(ALT, side, price, size, **more)


def of_kind(events: Any, kind: EventKind) -> Any:
    return events[events["kind"] == kind]


def test_a_batch_arms_the_bracket_of_what_it_fills() -> None:
    x = batch()
    x.ok("ben", order(1, 1_000, 5))
    profit = c.Trigger(ALT, 1, int(TriggerKind.TAKE_PROFIT), 1_100, flags=CHILD)
    stop = c.Trigger(ALT, 1, int(TriggerKind.STOP), 900, flags=CHILD | PAIR)
    events = x.ok("ann", order(0, 1_000, 7), profit, stop)
    assert [size for _, size, _ in fills(events)] == [5]
    rows = [x.at(Table.TRIGGERS, slot) for slot in (1, 2)]
    assert [(row.state, row.size) for row in rows] == [(2, 5), (2, 5)]


def test_a_group_is_pulled_between_two_pairs_of_a_batch() -> None:
    x = batch()
    x.ok("ann", c.SetGroup(1, 10_000, 4))
    quote = c.Quote(ALT, 1, tuple(c.QuoteLevel(0, 0, 1_000 + k, 3) for k in range(3)))
    x.ok("ann", quote)
    events = x.ok("ben", order(0, 1_010, 9))
    assert sum(size for _, size, _ in fills(events)) == 6
    assert len(of_kind(events, EventKind.PROTECTED)) == 1
    ends = of_kind(events, EventKind.CANCELLED)["end"].tolist()
    assert ends == [int(End.PROTECTION)]
    assert x.at(Table.ACCOUNTS, x.account("ann")).orders_count == 0


def test_quotes_may_cross_in_a_batch() -> None:
    x = batch()
    x.ok("ann", c.SetGroup(1, 10_000))
    x.ok("ben", order(0, 1_000, 4))
    events = x.ok("ann", c.Quote(ALT, 1, (c.QuoteLevel(990, 2, 1_000, 3),)))
    assert [size for _, size, _ in fills(events)] == [3]


def test_a_market_stop_in_a_batch_is_a_limit_order_within_the_slippage() -> None:
    x = batch()
    x.ok("ben", order(1, 1_000, 5))
    x.ok("ann", order(0, 1_000, 5), c.Trigger(ALT, 1, int(TriggerKind.STOP), 950, 0, CHILD))
    x.ok("cat", order(0, 940, 5))
    for _ in range(40):
        if x.at(Table.LEDGER, 0).triggers_live:
            x.index(940, feed=1)
    assert not x.at(Table.LEDGER, 0).triggers_live
    position = [p for p in x.at(Table.ACCOUNTS, x.account("ann")).positions if p.key == ALT]
    assert not position
    assert x.at(Table.RISK, ALT).phase == Phase.TRADING
