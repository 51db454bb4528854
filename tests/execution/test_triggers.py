"""Conditional orders: a list-based model, seeded worlds in lockstep, and each rule by itself."""

import random
from dataclasses import replace
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.execution.machine import genesis_image
from quorate.sim.execution_conditional import ConditionalWorld
from quorate.sim.execution_fuzz import Lockstep, Tally
from quorate.types.clearing_codes import TriggerEnd, TriggerFlag, TriggerKind
from quorate.types.clearing_spec import ClearingSpec, FeedSpec, GlobalSpec, RiskSpec, VoterSpec
from quorate.types.codes import End, EventKind, MarketStatus, Reject
from quorate.types.limits import TRIGGERS_FIRED_PER_BLOCK
from quorate.types.records import NO_BUNDLE, Table
from tests.execution.exchange import PERP, ROOMY, SPOT, Exchange, address, bought, sold
from tests.execution.trigger_model import SIZE_MAX, Model

STOP, PROFIT, TRAIL = (int(kind) for kind in TriggerKind)
REDUCE, INDEX, LAST, PAIR, CHILD = (int(flag) for flag in TriggerFlag)
MID = 100_000


def stop(ticks: int, size: int = 0, side: int = 1, **more: int) -> c.Trigger:
    return c.Trigger(PERP, side, STOP, ticks, size, **more)


def profit(ticks: int, size: int = 0, side: int = 1, **more: int) -> c.Trigger:
    return c.Trigger(PERP, side, PROFIT, ticks, size, **more)


def trail(ppm: int, size: int = 0, side: int = 1, **more: int) -> c.Trigger:
    return c.Trigger(PERP, side, TRAIL, 0, size, trail_ppm=ppm, **more)


def exchange(**genesis: Any) -> Exchange:
    """A book around the mark by ben; ann holds nothing yet."""
    x = Exchange(replace(ROOMY, **genesis))
    x.fund("ann", "ben", usd=100_000_000)
    x.ok("ben", *(sold(MID + k, 100) for k in (1, 2)), *(bought(MID - k, 100) for k in (1, 2)))
    return x


def mark(x: Exchange, ticks: int) -> None:
    x.ok("oracle", c.SetMark(PERP, ticks))


def conditional(events: Any) -> list[tuple[str, int, int]]:
    """(kind, trigger, code or end) of the events of triggers."""
    found = []
    for row in events:
        if row["kind"] == EventKind.TRIGGERED:
            found.append(("fired", int(row["order_id"]), int(row["code"])))
        elif row["kind"] == EventKind.TRIGGER_ENDED:
            found.append(("ended", int(row["order_id"]), int(row["end"])))
    return found


def ids(events: Any) -> list[int]:
    """What each receipt names."""
    return [int(row["order_id"]) for row in events if row["kind"] == EventKind.RECEIPT]


def live(x: Exchange) -> int:
    return int(x.lockstep.spec.tables.row(Table.LEDGER, 0).triggers_live)


# --- against the model ---------------------------------------------------------------------------
def ann_says(rng: random.Random, model: Model) -> list[c.Command]:
    """A bundle: an order, triggers of every kind behind it, changes of what is there."""
    made: list[c.Command] = []
    rests = [order_id for order_id, order in model.orders.items() if order.rests]
    held = [row for row in model.rows if row]
    side = rng.randrange(2)
    for _ in range(rng.choice([2, 3, 4, 5])):
        draw, near = rng.random(), model.mark + rng.randrange(-300, 300)
        if draw < 0.25:
            tif, size = rng.choice([0, 0, 2]), rng.choice([1, 5, 20])
            made.append(c.Place(PERP, side, near, size, tif))
        elif draw < 0.31 and rests:
            made.append(c.Modify(rng.choice(rests), near, rng.choice([3, 8, 30])))
        elif draw < 0.37 and rests:
            made.append(c.Cancel(rng.choice(rests)))
        elif draw < 0.4 and held:
            made.append(c.CancelTrigger(rng.choice(held).id))
        else:
            behind = any(isinstance(one, c.Place) for one in made)
            paired = bool(made) and isinstance(made[-1], c.Trigger)
            made.append(trigger_drawn(rng, model, side, behind, paired, rests))
    return made


def trigger_drawn(
    rng: random.Random, model: Model, side: int, behind: bool, paired: bool, rests: list[int]
) -> c.Trigger:
    """A trigger, mostly one that can be kept: an exit of what `side` opens."""
    kind = rng.choice([STOP, PROFIT, TRAIL])
    flags = rng.choice([0, REDUCE]) | rng.choice([0, LAST])
    if (behind and rng.random() < 0.7) or rng.random() < 0.05:
        flags |= CHILD
    if (paired and rng.random() < 0.6) or rng.random() < 0.05:
        flags |= PAIR
    parent = 0
    if not flags & CHILD and rng.random() < 0.3:
        parent = rng.choice([*rests, *rests, *rests, 1, 10**6])
    exit_side = 1 - side if rng.random() < 0.8 else side
    away = rng.randrange(1, 500) * (1 if (kind == PROFIT) == bool(exit_side) else -1)
    if rng.random() < 0.1:
        away = -away
    near = model.last if flags & LAST and model.last else model.mark
    limit = model.mark + rng.randrange(-50, 50) if rng.random() < 0.3 else 0
    ppm = rng.choice([500, 1_000, 3_000]) if kind == TRAIL else 0
    ticks = 0 if kind == TRAIL else near + away
    size = rng.choice([0, 0, 1, 4])
    return c.Trigger(PERP, exit_side, kind, ticks, size, flags, limit, parent, ppm)


def walk(seed: int, blocks: int, seen: dict[str, int]) -> None:
    rng = random.Random(f"triggers {seed}")
    x = Exchange(ROOMY)
    x.fund("ann", "ben", usd=10_000_000_000)
    model = Model(x.account("ann"), MID)
    for _ in range(blocks):
        draw = rng.random()
        if draw < 0.03 or (model.halted and draw < 0.4):
            status = MarketStatus.OPEN if model.halted else MarketStatus.HALTED
            model.block(x.send("governance", c.SetStatus(PERP, int(status))), [], False)
            model.halted = not model.halted
        elif draw < 0.4:
            ticks = max(90_000, min(110_000, model.mark + rng.randrange(-400, 400)))
            model.block(x.send("oracle", c.SetMark(PERP, ticks)), [], False)
            model.mark = ticks
        elif draw < 0.65:
            said = ann_says(rng, model)
            model.block(x.send("ann", *said), said, True)
        else:
            orders: list[c.Command] = [c.CancelAll()] if rng.random() < 0.1 else []
            for side in (0, 1):
                near = model.mark + rng.randrange(-200, 250) * (1 if side else -1)
                orders.append(c.Place(PERP, side, near, rng.choice([2, 10, 60])))
            model.block(x.send("ben", *orders), [], False)
        assert live(x) == sum(row is not None for row in model.rows)
    for name, number in model.seen.items():
        seen[name] = seen.get(name, 0) + number


@pytest.mark.slow
def test_triggers_do_what_a_list_of_them_does() -> None:
    seen: dict[str, int] = {}
    for seed in range(20):
        walk(seed, 90, seen)
    assert set(seen) >= {"PARENT", "NO_POSITION", "fired", "code"}, seen
    assert seen["fired"] > 100 and min(seen.values()) > 10, seen


# --- seeded worlds -------------------------------------------------------------------------------
@pytest.mark.slow
def test_seeded_worlds_agree_and_keep_their_promises() -> None:
    """Lockstep; a fill-or-kill order fills whole or not at all, whatever protection pulls."""
    tally, whole = Tally(), 0
    for seed in range(1, 31):
        world = ConditionalWorld(seed)
        lockstep = Lockstep(genesis_image(world.genesis), random.Random(seed))
        for _ in range(36):
            block = world.block(lockstep.spec.tables)
            lockstep.vary()
            events = lockstep.step(block, tally)
            for row in events[events["kind"] == EventKind.RECEIPT]:
                at = int(block.bundles[row["bundle"]]["first"] + row["command"])
                command = block.commands[at]
                if command[0] == c.Place.op and command[2] == 3 and not row["code"]:
                    assert row["end"] == End.FILLED and not row["remaining"]
                    whole += 1
    assert tally.blocks == 30 * 36 and whole > 20
    assert tally.kinds[EventKind.PROTECTED] > 30 and tally.kinds[EventKind.TRIGGERED] > 150
    assert {
        Reject.TRIGGER_NEEDS_ITS_PARENT,
        Reject.TRIGGER_NEEDS_ITS_PAIR,
        Reject.TRIGGER_PRICE_ALREADY_PASSED,
        Reject.TRIGGER_NOT_FOUND,
        Reject.GROUP_MUST_EXIST,
        Reject.GROUP_FROZEN_WAIT,
        Reject.SESSION_ORDER_SIZE_LIMIT,
    } <= set(tally.codes)


# --- rules one by one ----------------------------------------------------------------------------
def test_bracket_takes_profit_and_drops_its_stop() -> None:
    x = exchange()
    _, take, loss = ids(
        x.ok("ann", bought(MID + 1, 10), profit(MID + 500, flags=CHILD),
             stop(MID - 500, flags=CHILD | PAIR))
    )  # fmt: skip
    mark(x, MID + 499)
    assert conditional(x.rows()) == []
    mark(x, MID + 500)
    events = x.rows()
    assert conditional(events) == [("fired", take, 0), ("ended", loss, TriggerEnd.PAIR)]
    assert all(row["bundle"] == NO_BUNDLE for row in events)
    fill = events[events["kind"] == EventKind.FILL][0]
    assert (fill["size"], fill["position"]) == (10, 0) and live(x) == 0


def test_children_wait_follow_and_end_with_an_unfilled_parent() -> None:
    x = exchange()
    order, child = ids(x.ok("ann", bought(MID - 5, 30), stop(MID + 900, flags=CHILD)))
    t = x.lockstep.spec.tables
    assert conditional(x.rows()) == []  # past its price, but the parent has not filled
    row = t.row(Table.TRIGGERS, 1)
    assert (row.trigger_id, row.parent_id, row.size) == (child, order, 0)
    x.ok("ben", c.CancelAll(), sold(MID - 5, 7))
    assert t.row(Table.TRIGGERS, 1).size == 7
    events = x.rows()  # the exit meets what is left of the entry, and takes it back
    assert (int(events[0]["order_id"]), int(events[0]["end"])) == (order, End.SELF_TRADE)
    assert conditional(events) == [("fired", child, 0)] and not t.find_order(order)
    y = exchange()
    order, child = ids(y.ok("ann", bought(MID - 5, 30), stop(MID + 900, flags=CHILD)))
    y.ok("ann", c.Cancel(order))
    assert conditional(y.rows()) == [("ended", child, TriggerEnd.PARENT)]


def test_children_go_with_a_replaced_parent() -> None:
    x = exchange()
    order, child = ids(x.ok("ann", bought(MID - 5, 30), stop(MID - 900, flags=CHILD)))
    heir = ids(x.ok("ann", c.Modify(order, MID + 1, 40)))[0]
    row = x.lockstep.spec.tables.row(Table.TRIGGERS, 1)
    assert (row.trigger_id, row.parent_id, row.size) == (child, heir, 40)


def test_position_bound_follows_and_ends() -> None:
    x = exchange()
    assert x.code("ann", stop(MID - 50)) == Reject.REDUCE_ONLY_WOULD_INCREASE
    x.ok("ann", bought(MID + 1, 10))
    assert x.code("ann", stop(MID + 50, side=0)) == Reject.REDUCE_ONLY_WOULD_INCREASE
    first = ids(x.ok("ann", stop(MID - 50)))[0]
    x.ok("ann", bought(MID + 1, 15))
    mark(x, MID - 50)
    events = x.rows()
    assert conditional(events) == [("fired", first, 0)]
    assert sum(events[events["kind"] == EventKind.FILL]["size"]) == 25
    x.ok("ann", bought(MID + 1, 10))
    second = ids(x.ok("ann", stop(MID - 100)))[0]
    x.ok("ann", sold(MID - 2, 10))
    assert conditional(x.rows()) == [("ended", second, TriggerEnd.NO_POSITION)]


def test_a_position_beyond_one_order_is_closed_in_several() -> None:
    x = Exchange(ROOMY)
    x.fund("ann", "ben", usd=1_000_000_000)
    for _ in range(2):
        x.ok("ben", sold(MID, SIZE_MAX), bought(MID - 10, SIZE_MAX))
        x.ok("ann", bought(MID, SIZE_MAX))
    first = ids(x.ok("ann", stop(MID - 50)))[0]
    mark(x, MID - 50)
    assert conditional(x.rows()) == [("fired", first, 0)] and live(x) == 1
    assert conditional(x.rows()) == [("fired", first, 0)] and live(x) == 0
    account = x.lockstep.spec.tables.row(Table.ACCOUNTS, x.account("ann"))
    assert not account.positions


def test_trailing_stop_follows_the_best_price() -> None:
    x = exchange()
    x.ok("ann", bought(MID + 1, 10))
    first = ids(x.ok("ann", trail(10_000)))[0]
    for ticks, fires in ((MID + 2_000, 0), (MID + 981, 0), (MID + 980, 1)):
        mark(x, ticks)
        assert len(conditional(x.rows())) == fires, ticks
    assert live(x) == 0 and first


def test_a_refused_order_ends_the_trigger_with_its_code() -> None:
    x = exchange()
    first = ids(x.ok("ann", c.Trigger(PERP, 0, STOP, MID + 50, 5_000)))[0]
    x.ok("governance", c.SetStatus(PERP, int(MarketStatus.REDUCE_ONLY)))
    mark(x, MID + 50)
    code = int(Reject.MARKET_REDUCE_ONLY)
    assert conditional(x.rows()) == [("fired", first, code)] and live(x) == 0


def test_a_trigger_that_finds_nobody_says_so_once_and_fires_when_somebody_is_there() -> None:
    x = exchange()
    first = ids(x.ok("ann", c.Trigger(PERP, 0, STOP, MID + 50, 5_000)))[0]
    x.ok("ben", c.CancelAll())
    mark(x, MID + 50)
    code = int(Reject.NO_LIQUIDITY_FOR_MARKET_ORDER)
    assert conditional(x.rows()) == [("fired", first, code)] and live(x) == 1
    for _ in range(5):
        assert conditional(x.rows()) == [] and live(x) == 1
    x.ok("ben", sold(MID + 1, 100))
    assert conditional(x.rows()) == [("fired", first, 0)] and live(x) == 0


def test_a_limit_trigger_rests() -> None:
    x = exchange()
    first = ids(x.ok("ann", stop(MID - 50, 5, limit_ticks=MID + 1)))[0]
    mark(x, MID - 50)
    event = x.rows()[-1]
    assert (event["kind"], event["order_id"]) == (EventKind.TRIGGERED, first)
    order = x.lockstep.spec.tables.find_order(int(event["counter_order_id"]))
    assert x.lockstep.spec.tables.row(Table.ORDERS, order).price == MID + 1


def test_a_halted_market_keeps_its_triggers() -> None:
    x = exchange()
    first = ids(x.ok("ann", stop(MID - 50, 5)))[0]
    mark(x, MID - 50)
    x.lockstep.spec.tables.row(Table.MARKETS, PERP)
    y = exchange()
    second = ids(y.ok("ann", stop(MID - 50, 5)))[0]
    y.ok("governance", c.SetStatus(PERP, int(MarketStatus.HALTED)))
    mark(y, MID - 50)
    assert conditional(y.rows()) == [] and live(y) == 1
    assert y.code("ann", stop(MID - 90, 5)) == Reject.MARKET_HALTED
    y.ok("governance", c.SetStatus(PERP, int(MarketStatus.OPEN)))
    assert conditional(y.rows()) == [("fired", second, 0)]
    assert conditional(x.rows()) == [("fired", first, 0)]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (c.Trigger(3, 1, STOP, 10, 1), Reject.MARKET_MUST_EXIST),
        (stop(MID - 1, 1, flags=INDEX | LAST), Reject.FLAGS_MUST_AGREE),
        (stop(MID - 1, 1, flags=CHILD, parent_id=1), Reject.FLAGS_MUST_AGREE),
        (c.Trigger(SPOT, 1, STOP, 10, 10, REDUCE | LAST), Reject.FLAGS_MUST_AGREE),
        (stop(MID - 1, 1, flags=INDEX), Reject.MARKET_HAS_NO_CLEARING),
        (c.Trigger(SPOT, 1, STOP, 10, 10), Reject.MARK_PRICE_MISSING_WAIT),
        (c.Trigger(SPOT, 1, STOP, 10, 0, LAST), Reject.SIZE_MUST_BE_IN_RANGE),
        (c.Trigger(SPOT, 1, STOP, 11, 10, LAST), Reject.PRICE_MUST_BE_MULTIPLE_OF_TICK),
        (c.Trigger(SPOT, 1, STOP, 10, 11, LAST), Reject.SIZE_MUST_BE_MULTIPLE_OF_LOT),
        (stop(0, 1), Reject.PRICE_MUST_BE_IN_RANGE),
        (stop(200_001, 1), Reject.PRICE_MUST_BE_IN_RANGE),
        (stop(MID - 1, 1, limit_ticks=200_001), Reject.PRICE_MUST_BE_IN_RANGE),
        (stop(MID - 1, 5_001), Reject.SIZE_MUST_BE_IN_RANGE),
        (stop(MID - 1, 1, trail_ppm=1), Reject.FIELD_MUST_BE_IN_RANGE),
        (trail(0, 1), Reject.FIELD_MUST_BE_IN_RANGE),
        (trail(1_000_000, 1), Reject.FIELD_MUST_BE_IN_RANGE),
        (c.Trigger(PERP, 1, TRAIL, 5, 1, trail_ppm=1), Reject.PRICE_MUST_BE_IN_RANGE),
        (stop(MID, 1), Reject.TRIGGER_PRICE_ALREADY_PASSED),
        (profit(MID, 1), Reject.TRIGGER_PRICE_ALREADY_PASSED),
        (stop(MID, 1, side=0), Reject.TRIGGER_PRICE_ALREADY_PASSED),
        (profit(MID, 1, side=0), Reject.TRIGGER_PRICE_ALREADY_PASSED),
        (stop(MID - 1, 1, flags=CHILD), Reject.TRIGGER_NEEDS_ITS_PARENT),
        (stop(MID - 1, 1, parent_id=1), Reject.TRIGGER_NEEDS_ITS_PARENT),
        (stop(MID - 1, 1, flags=PAIR), Reject.TRIGGER_NEEDS_ITS_PAIR),
        (c.CancelTrigger(1), Reject.TRIGGER_NOT_FOUND),
    ],
)
def test_refusals(command: c.Command, code: Reject) -> None:
    x = exchange()
    assert x.code("ann", command) == code
    assert live(x) == 0


def test_ids_of_orders_and_triggers_are_one_sequence_and_cancels_take_pairs_along() -> None:
    x = exchange()
    order, first, second, other = ids(
        x.ok("ann", bought(MID - 9, 1), stop(MID - 50, 1), profit(MID + 50, 1, flags=PAIR),
             stop(MID - 70, 1))
    )  # fmt: skip
    assert [first, second, other] == [order + 1, order + 2, order + 3]
    assert x.code("ben", c.CancelTrigger(first)) == Reject.TRIGGER_NOT_FOUND
    assert conditional(x.ok("ann", c.CancelTrigger(second))) == [
        ("ended", second, TriggerEnd.USER), ("ended", first, TriggerEnd.PAIR),
    ]  # fmt: skip
    events = x.ok("ann", stop(MID - 60, 1), profit(MID + 60, 1, flags=PAIR), c.CancelTrigger(0))
    assert int(events[-1]["size"]) == 2 and live(x) == 0
    assert x.code("ann", stop(MID - 60, 1), profit(MID + 60, 1, flags=PAIR),
                  stop(MID - 80, 1, flags=PAIR)) == Reject.TRIGGER_NEEDS_ITS_PAIR  # fmt: skip


def test_no_more_than_64_an_account() -> None:
    x = exchange()
    for _ in range(8):
        x.ok("ann", *(stop(MID - 50, 1) for _ in range(8)))
    assert x.code("ann", stop(MID - 50, 1)) == Reject.TRIGGERS_TOO_MANY_CANCEL_SOME


def test_a_block_fires_so_many_and_carries_the_rest_over() -> None:
    x = exchange()
    names = [f"p{k}" for k in range(5)]
    x.fund(*names)
    for name in names:
        x.ok(name, *(stop(MID - 50, 1, limit_ticks=MID + 900) for _ in range(64)))
    mark(x, MID - 50)
    fired = conditional(x.rows())
    assert len(fired) == TRIGGERS_FIRED_PER_BLOCK
    cursor = x.lockstep.spec.tables.row(Table.LEDGER, 0).trigger_cursor
    assert cursor == TRIGGERS_FIRED_PER_BLOCK + 1
    assert len(conditional(x.rows())) == 5 * 64 - TRIGGERS_FIRED_PER_BLOCK
    assert x.lockstep.spec.tables.row(Table.LEDGER, 0).trigger_cursor == 0 and live(x) == 0


def test_a_session_with_limits_sets_triggers_that_reduce_alone() -> None:
    x = exchange()
    x.ok("ann", bought(MID + 1, 10))
    x.ok("ann", c.ApproveAgent(address("agent"), 0, 10**12, 0, 0))
    assert x.code("agent", stop(MID - 50, 5)) == Reject.SESSION_ORDER_SIZE_LIMIT
    assert x.code("agent", stop(MID - 50, 5, flags=REDUCE)) == Reject.OK
    assert x.code("agent", stop(MID - 50)) == Reject.OK


def test_spot_children_sell_what_the_parent_bought() -> None:
    x = Exchange(ROOMY)
    x.fund("ann", "ben", usd=1_000_000, btc=1_000_000)
    x.ok("ben", c.Place(SPOT, 1, 1_000, 100), c.Place(SPOT, 0, 995, 100))
    _, child = ids(
        x.ok("ann", c.Place(SPOT, 0, 1_000, 60, 2), c.Trigger(SPOT, 1, STOP, 990, 0, CHILD | LAST))
    )
    x.ok("ben", c.Place(SPOT, 0, 990, 100))
    x.ok("ann", c.Place(SPOT, 1, 990, 150, 2))
    events = x.rows()
    assert conditional(events) == [("fired", child, 0)]
    assert sum(events[events["kind"] == EventKind.FILL]["size"]) == 50


def test_an_index_trigger_watches_the_feed() -> None:
    clearing = ClearingSpec(
        address("vault"), (FeedSpec("BTC", MID),), (VoterSpec(address("voter"), 1),),
        GlobalSpec(), (RiskSpec(PERP),),
    )  # fmt: skip
    x = Exchange(replace(ROOMY, clearing=clearing))
    x.fund("ann", usd=1_000_000)
    assert x.code("ann", stop(MID, 1, flags=INDEX)) == Reject.TRIGGER_PRICE_ALREADY_PASSED
    first = ids(x.ok("ann", stop(MID - 50, 1, flags=INDEX, limit_ticks=MID)))[0]
    assert conditional(x.rows()) == []
    x.doctor(Table.FEEDS, 0, price_ticks=MID - 50)
    assert [row[:2] for row in conditional(x.rows())] == [("fired", first)]
