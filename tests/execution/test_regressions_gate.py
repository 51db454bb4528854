"""Withdrawals while somebody is below zero, after a gap, and from accounts with a stale mark."""

import pytest

from quorate.codec import commands as c
from quorate.execution.spec import margin
from quorate.types.clearing_codes import Guard, Phase, Switch
from quorate.types.codes import EventKind, MarketStatus, Reject
from quorate.types.limits import DEBTS_DUST_E6, DEBTS_FUND_PART
from quorate.types.records import Table
from tests.execution.clearing_exchange import HOUSE, PERP, House, house, readings
from tests.execution.exchange import USD, address, bought, sold

GATED = Reject.WITHDRAWALS_GATED_WAIT


def worth(x: House, name: str, bucket: int = 0) -> margin.Worth:
    row = x.at(Table.ACCOUNTS, x.account(name))
    return margin.bucket_worth(x.lockstep.spec.tables, row, bucket)


def free(x: House, name: str) -> int:
    """What may leave by an account's own numbers."""
    own = worth(x, name)
    row = x.at(Table.ACCOUNTS, x.account(name))
    fees = margin.closing_fees(x.lockstep.spec.tables, row)
    return own.equity - max(own.initial, own.value // 10) - fees


def debts(x: House) -> int:
    return int(x.at(Table.LEDGER, 0).debts_e6)


def gates(events: object) -> list[tuple[int, int]]:
    rows = readings(events, EventKind.SWITCHED)
    return [
        (int(row["state"]), int(row["state_before"]))
        for row in rows
        if row["code"] == Switch.GATE
    ]


def leveraged(x: House) -> House:
    """dora is long and eve short the same 100 lots at 100 000; dora has little."""
    x.fund("dora", usd=300_000)
    x.fund("eve", "inn", usd=2_000_000)
    x.index(100_000)
    x.rows()
    x.ok("eve", sold(100_000, 100))
    x.ok("dora", bought(100_000, 100))
    return x


def test_a_bankrupt_that_waits_gates_withdrawals() -> None:
    """Only what liquidation left open counted: in an auction eve withdrew what dora never had."""
    x = leveraged(House(house({"gap_auctions": 1, "gate_ms": 1000}, vault_notional_max_e6=0)))
    x.rows(step_ms=10_000)
    assert x.phase() == Phase.AUCTION
    x.doctor(Table.LEDGER, 0, gate_until_ms=0)  # nothing but the debt is to gate here
    events = x.index(75_000)
    assert worth(x, "dora").equity < 0 and not x.at(Table.LEDGER, 0).debtors_count
    assert debts(x) == -worth(x, "dora").equity and gates(events) == [(1, 0)]
    assert x.code("eve", c.Withdraw(0, address("eve"), USD)) == GATED
    assert x.code("eve", c.Transfer(0, address("inn"), 0, USD)) == GATED
    events = x.index(100_000)
    assert debts(x) == 0 and gates(events) == [(0, 1)]
    x.ok("eve", c.Withdraw(0, address("eve"), free(x, "eve")))


def test_a_vault_below_zero_gates_withdrawals() -> None:
    """The scan passes the vault over, and nobody asked whether it was in debt."""
    numbers = {"vault_notional_max_e6": 10**15, "insurance_draw_max_e6": 0}
    x = House(house(**numbers))
    x.fund("vault", usd=300_000)
    leveraged(x)
    x.index(97_500)
    x.index(80_000)
    assert worth(x, "vault").equity < 0 and not x.at(Table.LEDGER, 0).debtors_count
    assert debts(x) == -worth(x, "vault").equity
    assert x.code("eve", c.Withdraw(0, address("eve"), USD)) == GATED


def test_isolated_buckets_owe_too_and_a_waiting_venue_still_counts() -> None:
    """Both were invisible to the gate: a bucket of its own, and a venue that liquidates nobody."""
    x = House(house(vault_notional_max_e6=0))
    x.fund("dora", "eve", "inn", usd=2_000_000)
    x.index(100_000)
    x.rows()
    x.ok("dora", c.Isolate(PERP, 300_000 * USD))
    x.ok("eve", sold(100_000, 100))
    x.ok("dora", bought(100_000, 100))
    x.ok("governance", c.SetSwitch(0, int(MarketStatus.POST_ONLY)))
    x.index(75_000)
    assert debts(x) == -worth(x, "dora", PERP).equity > 0
    assert x.code("inn", c.Withdraw(0, address("inn"), USD)) == GATED


@pytest.mark.parametrize("over", [0, 1])
def test_dust_is_no_weapon(over: int) -> None:
    """A debt of a dollar closes no gate; one unit more does, even without a position."""
    x = House()
    x.fund("ann", "bob", usd=1000)
    cash = 1000 * USD + DEBTS_DUST_E6 + over
    row = x.at(Table.ACCOUNTS, x.account("ann"))
    x.doctor(Table.ACCOUNTS, x.account("ann"), cash_e6=row.cash_e6 - cash)
    x.doctor(Table.ACCOUNTS, x.account("bob"), cash_e6=cash + 1000 * USD)
    x.rows()
    assert debts(x) == DEBTS_DUST_E6 + over
    code = x.code("bob", c.Withdraw(0, address("bob"), USD))
    assert code == (GATED if over else Reject.OK)


def test_debts_within_a_hundredth_of_the_venues_fund_close_no_gate() -> None:
    """Two dollars of debt in a small account shut the whole venue until somebody paid them."""
    x = House()
    x.fund("ann", "bob", "don", usd=10_000)
    x.ok("don", c.Donate(0, 5_000 * USD))
    owed = 50 * USD + DEBTS_DUST_E6
    row = x.at(Table.ACCOUNTS, x.account("ann"))
    x.doctor(Table.ACCOUNTS, x.account("ann"), cash_e6=row.cash_e6 - 10_000 * USD - owed)
    x.doctor(Table.ACCOUNTS, x.account("bob"), cash_e6=10_000 * USD + 10_000 * USD + owed)
    x.rows()
    assert debts(x) == DEBTS_DUST_E6
    x.ok("bob", c.Withdraw(0, address("bob"), USD))
    for name, more in (("ann", -1), ("bob", 1)):
        cash = x.at(Table.ACCOUNTS, x.account(name)).cash_e6
        x.doctor(Table.ACCOUNTS, x.account(name), cash_e6=cash + more)
    assert gates(x.rows()) == [(1, 0)]
    assert x.code("bob", c.Withdraw(0, address("bob"), USD)) == GATED
    x.ok("don", c.Donate(0, DEBTS_FUND_PART))
    assert gates(x.rows()) == [(0, 1)]
    x.ok("bob", c.Withdraw(0, address("bob"), USD))


def test_what_closing_a_position_costs_stays_in_the_account() -> None:
    """Who took out all above initial margin fell below it by the fee of going home."""
    x = leveraged(House(house()))
    row = x.at(Table.ACCOUNTS, x.account("eve"))
    t = x.lockstep.spec.tables
    market = x.at(Table.MARKETS, PERP)
    value = 100 * market.mark_ticks * market.quantum_e6
    tier = x.at(Table.FEE_TIERS, market.fee_schedule * 8)
    assert margin.closing_fees(t, row) == -(-value * tier.taker_ppm // 10**6) > 0
    most = free(x, "eve")
    over = c.Withdraw(0, address("eve"), most + 1)
    assert x.code("eve", over) == Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
    x.ok("eve", c.Withdraw(0, address("eve"), most))
    x.ok("inn", c.Isolate(PERP, 1_900_000 * USD))
    x.ok("inn", sold(100_000, 50))
    x.ok("eve", bought(100_000, 50))
    x.index(100_000)
    own = worth(x, "inn", PERP)
    row = x.at(Table.ACCOUNTS, x.account("inn"))
    spare = own.equity - max(own.initial, own.value // 10)
    most = spare - margin.closing_fees(t, row, PERP)
    assert margin.closing_fees(t, row) == 0 < margin.closing_fees(t, row, PERP)
    assert x.code("inn", c.Isolate(PERP, -most - 1)) == Reject.ISOLATED_MARGIN_INSUFFICIENT
    x.ok("inn", c.Isolate(PERP, -most))


@pytest.mark.parametrize(("gate_ms", "until_ms"), [(30_000, 60_000), (90_000, 90_000)])
def test_the_gate_after_a_gap_lasts_as_long_as_its_auction(gate_ms: int, until_ms: int) -> None:
    """The gate opened while the auction, and with it everybody's liquidation, still waited."""
    x = House(house({"gap_auctions": 1, "gate_ms": gate_ms}))
    x.rows()
    x.rows(step_ms=10_000)
    assert x.risk().auction_end_ms == x.time_ms + 60_000
    assert x.at(Table.LEDGER, 0).gate_until_ms == x.time_ms + until_ms


def test_lots_with_a_stale_mark_keep_their_accounts_money() -> None:
    """Withdrawals were judged by a mark of hours ago: ann took out what she might owe."""
    x = House(HOUSE)
    x.fund("ann", "bob", "cat", usd=2_000_000)
    x.ok("ann", c.OpenSubaccount(1))
    x.index(100_000)
    x.rows()
    x.ok("ann", c.Isolate(PERP, 1_500_000 * USD))
    x.ok("bob", sold(100_000, 100))
    x.ok("ann", bought(100_000, 100))
    while x.guard() == Guard.NONE:
        x.rows()
    assert x.code("ann", c.Withdraw(0, address("ann"), USD)) == GATED
    assert x.code("bob", c.Transfer(0, address("cat"), 0, USD)) == GATED
    assert x.code("ann", c.Transfer(0, address("ann"), 1, USD)) == GATED
    assert x.code("ann", c.Isolate(PERP, -USD)) == GATED
    x.ok("ann", c.Isolate(PERP, USD))
    x.ok("cat", c.Withdraw(0, address("cat"), USD))
    x.index(100_000)
    assert x.guard() == Guard.NONE
    x.ok("ann", c.Isolate(PERP, -USD), c.Withdraw(0, address("ann"), USD))
