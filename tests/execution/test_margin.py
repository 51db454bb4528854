"""Buckets, isolated margin, what may be done below initial margin, and gated withdrawals."""

import pytest

from quorate.codec import commands as c
from quorate.execution.spec.margin import standing_of
from quorate.types.clearing_codes import Guard, Standing
from quorate.types.codes import End, EventKind, Flag, Reject, Tif
from quorate.types.records import POSITION_ISOLATED, Table
from tests.execution.clearing import LEGACY, MARK, OTHER, Clearing
from tests.execution.exchange import PERP, SPOT, USD, address, bought, fills, sold

REDUCE = int(Flag.REDUCE_ONLY)
MARKET = int(Flag.MARKET)


def opened(lots: int = 10, **risk: int) -> Clearing:
    """Ann is long and Bob short, at the mark."""
    ex = Clearing(**risk)
    ex.fund("ann", "bob", "cat")
    ex.ok("bob", sold(MARK, lots))
    ex.ok("ann", bought(MARK, lots))
    return ex


# --- isolated margin -----------------------------------------------------------------------------
def test_isolation_begins_flat_and_moves_money_both_ways() -> None:
    ex = Clearing()
    ex.fund("ann", usd=1000)
    events = ex.ok("ann", c.Isolate(PERP, 300 * USD))
    assert (events[-1]["size"], events[-1]["remaining"]) == (300 * USD, 300 * USD)
    position = ex.position("ann", PERP)
    assert position is not None and position.flags == POSITION_ISOLATED
    assert ex.holder("ann").cash_e6 == 700 * USD
    ex.ok("ann", c.Isolate(PERP, -100 * USD))
    assert ex.worth("ann", PERP).equity == 200 * USD
    ex.ok("ann", c.Isolate(PERP, -200 * USD))
    assert ex.position("ann", PERP) is None and ex.holder("ann").cash_e6 == 1000 * USD


def test_isolation_refuses() -> None:
    ex = opened()
    ex.fund("dan", usd=1000)
    assert ex.code("dan", c.Isolate(9, USD)) == Reject.MARKET_MUST_EXIST
    assert ex.code("dan", c.Isolate(0, USD)) == Reject.MARKET_MUST_EXIST
    assert ex.code("dan", c.Isolate(SPOT, USD)) == Reject.MARKET_HAS_NO_CLEARING
    assert ex.code("dan", c.Isolate(LEGACY, USD)) == Reject.MARKET_HAS_NO_CLEARING
    assert ex.code("dan", c.Isolate(PERP, 0)) == Reject.AMOUNT_MUST_BE_POSITIVE
    assert ex.code("dan", c.Isolate(PERP, -1)) == Reject.ISOLATED_MARGIN_INSUFFICIENT
    over = c.Isolate(PERP, 1000 * USD + 1)
    assert ex.code("dan", over) == Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
    assert ex.code("ann", c.Isolate(PERP, USD)) == Reject.POSITION_MUST_BE_FLAT_FIRST
    ex.ok("dan", c.Isolate(OTHER, 500 * USD))
    less = c.Isolate(OTHER, -500 * USD - 1)
    assert ex.code("dan", less) == Reject.ISOLATED_MARGIN_INSUFFICIENT


def test_an_order_makes_a_row_that_cannot_be_isolated() -> None:
    ex = Clearing()
    ex.fund("ann")
    ex.ok("ann", bought(MARK - 5, 1))
    assert ex.code("ann", c.Isolate(PERP, USD)) == Reject.POSITION_MUST_BE_FLAT_FIRST


def test_trades_of_an_isolated_position_leave_cash_alone() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    ex.ok("ann", c.Isolate(PERP, 50_000 * USD))
    cash = ex.holder("ann").cash_e6
    ex.ok("bob", sold(MARK, 10))
    ex.ok("ann", bought(MARK, 10))
    fee = MARK * 10 * 450  # of 1e-6, in 1e-6
    assert ex.holder("ann").cash_e6 == cash
    assert ex.worth("ann", PERP).equity == 50_000 * USD - fee
    # Its margin is its own: the order that would need the rest of the account is refused.
    rich = bought(MARK, 20)
    assert ex.code("ann", rich) == Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE
    assert ex.code("ann", c.Isolate(PERP, -50_000 * USD)) == Reject.ISOLATED_MARGIN_INSUFFICIENT
    # A loss in it does not touch the other bucket.
    cross = ex.worth("ann")
    ex.mark(PERP, MARK - 6000)
    assert ex.worth("ann") == cross
    assert standing_of(ex.worth("ann", PERP)) == Standing.BANKRUPT


def test_a_trade_that_ends_it_returns_the_rest() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    ex.ok("ann", c.Isolate(PERP, 50_000 * USD))
    ex.ok("bob", sold(MARK, 10), bought(MARK - 100, 10))
    ex.ok("ann", bought(MARK, 10))
    ex.ok("ann", sold(MARK - 100, 10, flags=REDUCE))
    fees = MARK * 10 * 450 + (MARK - 100) * 10 * 450
    assert ex.position("ann", PERP) is None
    assert ex.holder("ann").cash_e6 == 1_000_000 * USD - 1000 * USD - fees


def test_a_maker_that_ends_it_gets_the_rest_too() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    ex.ok("ann", c.Isolate(PERP, 50_000 * USD))
    ex.ok("bob", sold(MARK, 10))
    ex.ok("ann", bought(MARK, 10))
    ex.ok("ann", sold(MARK + 100, 10, flags=REDUCE))
    ex.ok("bob", bought(MARK + 100, 10))
    assert ex.position("ann", PERP) is None
    assert ex.holder("ann").cash_e6 > 1_000_000 * USD


def test_a_cancel_does_not_end_isolation() -> None:
    ex = Clearing()
    ex.fund("ann")
    ex.ok("ann", c.Isolate(PERP, 5_000 * USD), bought(MARK - 5, 1))
    ex.ok("ann", c.CancelAll(PERP))
    position = ex.position("ann", PERP)
    assert position is not None and position.isolated_e6 == 5_000 * USD


def test_a_close_that_would_leave_less_than_nothing_is_refused() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    ex.ok("ann", c.Isolate(PERP, 50_000 * USD))
    ex.ok("bob", sold(MARK, 10))
    ex.ok("ann", bought(MARK, 10))
    ex.ok("bob", bought(MARK, 10))
    # As if the funds had to pay: after the close one unit less than nothing would be left.
    position = ex.position("ann", PERP)
    assert position is not None
    tables = ex.lockstep.spec.tables
    account = ex.account("ann")
    row = tables.row(Table.ACCOUNTS, account)
    fee = MARK * 10 * 450
    wanted = -MARK * 10 * USD + fee - 1
    change = wanted - row.positions[0].isolated_e6
    row.positions[0].isolated_e6 += change
    tables.put(Table.ACCOUNTS, account, row)
    machine = ex.lockstep.kernel
    machine.s.positions[machine.s.positions_first[account]]["isolated_e6"] += change
    asset = ex.state(Table.ASSETS, 0)
    ex.poke(Table.ASSETS, 0, deposited=asset.deposited + change)
    code = ex.code("ann", sold(MARK, 10, flags=REDUCE))
    assert code == Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE


def test_funding_is_paid_out_of_the_bucket_before_a_fill() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    ex.ok("ann", c.Isolate(PERP, 50_000 * USD))
    ex.ok("bob", sold(MARK, 10), sold(MARK, 1))
    ex.ok("ann", bought(MARK, 10))
    cash, equity = ex.holder("ann").cash_e6, ex.worth("ann", PERP).equity
    short = ex.worth("bob").equity
    shift = ex.state(Table.RISK, PERP).funding_shift
    ex.poke(Table.RISK, PERP, funding_index=7 * USD << shift)
    assert ex.worth("ann", PERP).equity == equity - 70 * USD
    assert ex.worth("bob").equity == short + 70 * USD
    ex.ok("ann", bought(MARK, 1))
    assert ex.holder("ann").cash_e6 == cash
    assert ex.worth("ann", PERP).equity == equity - 70 * USD - MARK * 450
    assert ex.state(Table.RISK, PERP).funding_pool_e6 == 0
    position = ex.position("ann", PERP)
    assert position is not None and position.funding_index == 7 * USD << shift


def test_a_position_that_opens_owes_nothing_of_before() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    ex.poke(Table.RISK, PERP, funding_index=10**12)
    ex.ok("bob", sold(MARK, 1))
    ex.ok("ann", bought(MARK, 1))
    assert ex.worth("ann").equity == 1_000_000 * USD - MARK * 450


# --- requirements --------------------------------------------------------------------------------
def test_standings_of_a_bucket() -> None:
    ex = opened()
    worth = ex.worth("ann")
    initial, kept, close = worth.initial, worth.maintenance, worth.close_out
    assert (initial, kept) == (25_000 * USD, 12_500 * USD)  # 40 times: 2.5 % and half of it
    for equity, standing in (
        (initial, Standing.HEALTHY),
        (initial - 1, Standing.PRE_LIQUIDATION),
        (kept, Standing.PRE_LIQUIDATION),
        (kept - 1, Standing.PARTIAL),
        (close, Standing.PARTIAL),
        (close - 1, Standing.FULL),
        (0, Standing.FULL),
        (-1, Standing.BANKRUPT),
    ):
        ex.drain("ann", equity)
        assert standing_of(ex.worth("ann")) == standing


def test_an_index_in_doubt_and_open_interest_raise_entry_alone() -> None:
    plain = opened().worth("ann")
    doubtful = opened(confidence_ppm=100_000).worth("ann")
    assert doubtful.initial == plain.initial * 11 // 10
    assert (doubtful.maintenance, doubtful.equity) == (plain.maintenance, plain.equity)
    half = MARK * 10 * USD * 2  # the end of the scale: the open interest stands halfway to it
    scaled = opened(oi_upper_e6=half).worth("ann")
    assert scaled.initial == (plain.initial + plain.value) // 2
    assert scaled.maintenance == plain.maintenance


def test_positions_without_a_clearing_house_count_by_their_entry_margin() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    ex.ok("bob", c.Place(LEGACY, 1, MARK, 10))
    ex.ok("ann", c.Place(LEGACY, 0, MARK, 10))
    worth = ex.worth("ann")
    assert (worth.initial, worth.maintenance, worth.close_out) == (
        25_000 * USD, 12_500 * USD, 0,
    )  # fmt: skip
    ex.drain("ann", 0)
    assert standing_of(ex.worth("ann")) == Standing.HEALTHY


# --- below initial margin ------------------------------------------------------------------------
def test_below_initial_margin_orders_reduce_at_the_zero_price_or_better() -> None:
    ex = opened()
    ex.ok("cat", bought(MARK - 4000, 10))
    ex.drain("ann", 20_000 * USD)  # 80 % of initial margin: the zero price is 2 % below the mark
    grow = bought(MARK - 5000, 1)
    assert ex.code("ann", grow) == Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE
    # Maintenance binds here: equity 20 000 less the loss must cover what is left of 12 500.
    deep = sold(MARK - 4000, 5, flags=REDUCE)
    assert ex.code("ann", deep) == Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE
    near = sold(MARK - 1900, 5, flags=REDUCE)
    ex.ok("ann", near)
    assert ex.code("ann", sold(MARK, 6)) == Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE


def test_a_market_order_is_narrowed_to_the_zero_price() -> None:
    ex = opened()
    ex.ok("cat", bought(MARK - 100, 2), bought(MARK - 4000, 8))
    ex.drain("ann", 20_000 * USD)
    events = ex.ok("ann", sold(0, 5, tif=int(Tif.IOC), flags=REDUCE | MARKET))
    assert fills(events) and [lots for _, lots, _ in fills(events)] == [2]
    assert events[-1]["end"] == End.IMMEDIATE
    limit = int(events[-1]["price"])
    # 80 % of 2.5 % below the mark, less the fee of 0.045 %, upwards to the tick.
    exact = (MARK * 98 * 10**4 // 100 + 1) / (10**4 - 4.5)
    assert 0 <= limit - exact < 1.1


def test_a_market_order_that_cannot_be_narrowed_is_refused() -> None:
    ex = opened()
    ex.ok("cat", bought(MARK - 4000, 8))
    ex.drain("ann", 20_000 * USD)
    order = sold(0, 5, tif=int(Tif.IOC), flags=REDUCE | MARKET)
    assert ex.code("ann", order) == Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE


def test_a_bankrupt_bucket_may_only_gain() -> None:
    ex = opened()
    ex.ok("cat", bought(MARK - 100, 5))
    ex.drain("ann", -1000 * USD)
    order = sold(MARK - 100, 5, flags=REDUCE)
    assert ex.code("ann", order) == Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE


def test_a_maker_below_initial_margin_may_reduce_and_not_grow() -> None:
    ex = opened()
    ex.ok("ann", sold(MARK + 50, 4), bought(MARK - 50, 4))
    ex.drain("ann", 25_000 * USD)
    events = ex.ok("cat", sold(MARK - 50, 1, tif=int(Tif.GTC)))
    cancelled = events[events["kind"] == EventKind.CANCELLED]
    assert not fills(events) and cancelled["end"].tolist() == [End.MARGIN]
    assert [lots for _, lots, _ in fills(ex.ok("cat", bought(MARK + 50, 4)))] == [4]


def test_a_maker_under_a_guard_may_only_reduce() -> None:
    ex = opened()
    ex.ok("ann", sold(MARK + 50, 20))
    ex.ok("bob", c.Place(OTHER, 1, MARK, 2))
    ex.poke(Table.RISK, PERP, guard=int(Guard.REDUCE_ONLY))
    assert ex.code("cat", bought(MARK + 50, 20)) == Reject.INDEX_STALE_REDUCE_ONLY
    events = ex.ok("bob", bought(MARK + 50, 10, flags=REDUCE))
    assert [lots for _, lots, _ in fills(events)] == [10]
    assert ex.position("ann", PERP) is not None  # its order still stands, and may do no more
    ex.poke(Table.RISK, PERP, guard=0)
    ex.ok("cat", sold(MARK + 60, 5))
    ex.ok("bob", bought(MARK + 50, 1))
    ex.poke(Table.RISK, PERP, guard=int(Guard.REDUCE_ONLY))
    assert ex.code("bob", sold(MARK, 1)) == Reject.INDEX_STALE_REDUCE_ONLY


def test_fill_or_kill_fills_whole_where_open_interest_scales_margin() -> None:
    ex = Clearing(oi_upper_e6=MARK * 40 * USD)
    ex.fund("ann", "bob", "cat", usd=600_000)
    for name in ("ann", "bob"):
        ex.ok(name, sold(MARK, 8))
    events = ex.send("cat", bought(MARK, 10, tif=int(Tif.FOK)))
    code = Reject(int(events[-1]["code"]))
    if code == Reject.OK:
        assert sum(lots for _, lots, _ in fills(events)) == 10
    else:
        assert not fills(events)


# --- gates ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("cause", ["time", "debtor"])
def test_withdrawals_are_gated(cause: str) -> None:
    ex = Clearing()
    ex.fund("ann", "bob", usd=1000)
    ex.ok("ann", c.OpenSubaccount(1))
    if cause == "time":
        ex.poke(Table.LEDGER, 0, gate_until_ms=ex.time_ms + 5000)
    else:
        ex.doctor(Table.LEDGER, 0, debtors_count=1)  # nobody is one, as the checker would say
    gated = Reject.WITHDRAWALS_GATED_WAIT
    assert ex.code("ann", c.Withdraw(0, address("ann"), USD)) == gated
    assert ex.code("ann", c.Transfer(0, address("bob"), 0, USD)) == gated
    ex.ok("ann", c.Transfer(0, address("ann"), 1, USD))
    if cause == "time":
        ex.rows(step_ms=5000)
    else:
        ex.doctor(Table.LEDGER, 0, debtors_count=0)
    ex.ok("ann", c.Withdraw(0, address("ann"), USD))


def test_insurance_is_nobodys_to_withdraw() -> None:
    ex = opened()
    ex.ok("cat", bought(MARK + 4000, 10))
    ex.mark(PERP, MARK * 2 - 5)  # bob owes more than he has, and ann has won it
    fund = 600_000 * USD
    ex.poke(Table.RISK, PERP, insurance_e6=fund)
    asset = ex.state(Table.ASSETS, 0)
    ex.poke(Table.ASSETS, 0, deposited=asset.deposited + fund)
    backed = 3_000_000 * USD - ex.state(Table.LEDGER, 0).fees_e6
    ex.ok("ann", sold(MARK + 4000, 10, flags=REDUCE))
    over = c.Withdraw(0, address("ann"), backed + 1)
    assert ex.code("ann", over) == Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
