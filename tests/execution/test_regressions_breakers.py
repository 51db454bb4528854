"""What a review of the circuit breakers found, by name. Each test says what was wrong."""

from dataclasses import replace
from typing import Any

from quorate.codec import commands as c
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.clearing_codes import Mode, Phase, TriggerFlag
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import TRIGGER_EQUITY_MIN_E6
from tests.execution.clearing_exchange import ALT, RISK, House, house, readings
from tests.execution.exchange import PERP, address, answers, bought, sold
from tests.execution.test_auctions import in_auction

R = Reject
GROUPS = range(1, 9)


def quotes(market: int, price: int) -> list[c.Command]:
    """An ask of one lot in each group."""
    return [c.Quote(market, k, (c.QuoteLevel(0, 0, price, 1),)) for k in GROUPS]


def traded(events: Any, market: int) -> int:
    """How many fills a market had."""
    return int((events["market"][events["kind"] == EventKind.FILL] == market).sum())


# --- auctions ------------------------------------------------------------------------------------
def test_fresh_orders_cannot_keep_an_auction_open() -> None:
    """Two groups that froze ended a block's uncrossing, and new ones stood there in the next."""
    x = in_auction()
    x.ok("cat", *(c.SetGroup(k, 2, 1, 0, 0, 1) for k in GROUPS))
    x.ok("cat", *quotes(PERP, 1_200))
    x.ok("ben", *(bought(1_250, 1) for _ in GROUPS))
    over = 0
    while x.phase() == Phase.AUCTION:
        ends_ms = x.risk().auction_end_ms
        late = x.time_ms + 1_000 >= ends_ms
        events = x.send("cat", *quotes(PERP, 1_200), bought(1_250, 1))
        codes = {int(code) for code in answers(events)}
        assert codes == ({int(R.MARKET_HALTED)} if late else {0})
        over += late
        assert over < 12
    assert over > 1
    assert x.code("cat", bought(1_000, 1)) == R.OK


def test_an_order_is_cancelled_while_its_auction_uncrosses() -> None:
    """Behind an auction's end nobody adds to the book, but everybody may leave it."""
    x = in_auction()
    order = int(x.ok("cat", bought(1_250, 1))["order_id"][-1])
    while x.time_ms + 1_000 < x.risk().auction_end_ms:
        x.rows()
    events = x.send("cat", bought(1_250, 1), c.Modify(order, 1_260, 1), c.Cancel(order))
    assert list(answers(events)) == [R.MARKET_HALTED, R.MARKET_HALTED, R.OK]
    assert x.phase() == Phase.TRADING


def test_groups_that_freeze_in_one_market_hold_up_no_other() -> None:
    """Frozen groups were counted for all markets of a block together."""
    genesis = house(mode=int(Mode.BATCH))
    x = House(genesis)
    x.fund("p", "q", "ann", "ben", usd=10_000_000)
    x.rows(*x.vote_rows(0, *[100_000] * 4), *x.vote_rows(1, *[1_000] * 4))
    x.rows()
    x.ok("p", *(c.SetGroup(k, 2, 1, 0, 0, 1) for k in GROUPS))
    for _ in range(4):
        events = x.rows(
            x.row(address("p"), *quotes(ALT, 1_000)),
            x.row(address("q"), *(c.Place(ALT, 0, 1_000, 1) for _ in range(3))),
            x.row(address("ann"), sold(100_000, 1)),
            x.row(address("ben"), bought(100_000, 1)),
        )
        assert (traded(events, PERP), traded(events, ALT)) == (1, 2)


# --- parameters ----------------------------------------------------------------------------------
MODE = RISK_PARAMETERS.index("mode")


def half_house(**numbers: int) -> House:
    """ALT has no clearing house yet."""
    genesis = house(numbers)
    assert genesis.clearing is not None
    clearing = replace(genesis.clearing, markets=genesis.clearing.markets[:1])
    x = House(replace(genesis, clearing=clearing))
    x.index(1_000)
    x.index(1_000, feed=1)
    x.fund("governance")
    return x


def parameters() -> list[c.Command]:
    """All of a market's risk parameters but the mode."""
    return [
        c.SetRisk(ALT, k, getattr(RISK, name), 0)
        for k, name in enumerate(RISK_PARAMETERS)
        if name != "mode"
    ]


def test_a_clearing_house_begins_when_its_parameters_are_whole() -> None:
    """The first SET_RISK made a row of zeros, and mode 1 then divided by its intervals."""
    x = half_house()
    assert x.code("governance", c.SetRisk(ALT, MODE, 1, 0)) == R.PARAMETER_OUT_OF_RANGE
    *most, last = parameters()
    x.ok("governance", *most[:-20])
    assert x.code("governance", c.SetRisk(ALT, MODE, 2, 0)) == R.PARAMETER_OUT_OF_RANGE
    x.ok("governance", *most, last)
    x.ok("governance", c.SetRisk(ALT, MODE, 1, 0))
    x.index(1_000)
    assert x.risk(ALT).mode == Mode.CONTINUOUS and x.market(ALT).mark_ticks == 1_000


def test_a_change_of_mode_is_judged_again_when_it_applies() -> None:
    """OFF announced before a clearing house began took it away when its height came."""
    x = half_house(notice_blocks=1)
    height = x.height + 8
    x.ok("governance", c.SetRisk(ALT, MODE, 0, height))
    x.ok("governance", *parameters())
    x.ok("governance", c.SetRisk(ALT, MODE, 1, 0))
    events = x.rows()
    while x.height < height:
        events = x.rows()
    changed = readings(events, EventKind.CHANGED)
    assert [(int(row["end"]), int(row["value_before"])) for row in changed] == [(1, 1)]
    assert x.risk(ALT).mode == Mode.CONTINUOUS


# --- triggers ------------------------------------------------------------------------------------
def test_a_child_of_replaced_orders_fires_in_parts() -> None:
    """A child that followed an order and its heirs passed the largest order and vanished."""
    x = House(house())
    x.index(1_000)
    x.fund("ann", "ben", usd=50_000_000)
    most = x.market().size_max_lots
    child = c.Trigger(PERP, 1, 1, 1_100, flags=int(TriggerFlag.CHILD_LAST))
    events = x.ok("ann", bought(1_000, most), child)
    order = int(events["order_id"][events["kind"] == EventKind.RECEIPT][0])
    x.ok("ben", sold(1_000, most - 1_000))
    for price in (999, 1_000):
        events = x.ok("ann", c.Modify(order, price, most))
        order = int(events["order_id"][events["kind"] == EventKind.RECEIPT][0])
    x.ok("ben", sold(1_000, most))
    x.ok("ben", bought(1_110, most), bought(1_110, most))
    fired = [readings(x.index(1_110), EventKind.TRIGGERED)]
    fired += [readings(x.rows(), EventKind.TRIGGERED) for _ in range(2)]
    parts = [(int(row["size"]), int(row["filled"])) for rows in fired for row in rows]
    assert parts == [(most, most), (most - 1_000, most - 1_000)]


def test_triggers_and_groups_need_an_account_that_is_worth_something() -> None:
    """Subaccounts without money could fill both tables for nothing."""
    x = House(house())
    x.index(1_000)
    x.ok("bridge", c.Deposit(0, address("ann"), 0, 3 * TRIGGER_EQUITY_MIN_E6 - 1))
    x.ok("ann", c.OpenSubaccount(1))
    poor = R.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE
    stop, group = c.Trigger(PERP, 0, 0, 1_900, size=1), c.SetGroup(1, 1_000, 1, 0, 0, 1)
    events = x.send("ann", stop, group, account=x.account("ann", 1))
    assert list(answers(events)) == [poor, poor]
    events = x.send("ann", stop, group, stop, c.SetGroup(2, 1_000, 1, 0, 0, 1), group)
    assert list(answers(events)) == [0, 0, poor, poor, 0]
    code = x.code("ann", c.Withdraw(0, address("ann"), TRIGGER_EQUITY_MIN_E6))
    assert code == R.WITHDRAWAL_EXCEEDS_FREE_BALANCE
    x.ok("ann", c.CancelTrigger(0), c.Withdraw(0, address("ann"), TRIGGER_EQUITY_MIN_E6))
