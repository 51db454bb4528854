"""What positions pay: no unit is lost or made; paying late is paying at once, up to rounding."""

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.execution.kernels.state import allocate
from quorate.execution.spec import funding
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.rows import Account, Ledger, Position
from quorate.execution.spec.tables import Tables
from quorate.types.codes import EventKind
from quorate.types.limits import FUNDING_INDEX_MAX, PERPETUAL_LOTS_MAX
from quorate.types.records import POSITION_ISOLATED, Table
from tests.execution import funding_kernel
from tests.execution.clearing_exchange import House, house, readings
from tests.execution.exchange import PERP, USD, address, bought, sold

MARKET, PEOPLE = 1, 4
STATE = allocate(np.arange(1, 9))  # one for all examples: every test writes all that it reads


class Book:
    """Four positions in one market, in the spec's rows and in the kernel's arrays.

    Account k's position lies in cell k; the last one's is isolated.
    """

    def __init__(self, shift: int) -> None:
        self.shift, self.s = shift, STATE
        self.t = Tables()
        self.t.put(Table.LEDGER, 0, Ledger())
        self.t.put(Table.RISK, MARKET, Risk(mode=1, funding_shift=shift))
        risk = self.s.risk[MARKET]
        risk["funding_index"] = risk["funding_pool_e6"] = 0
        risk["funding_shift"] = shift
        for k in range(PEOPLE):
            flags = POSITION_ISOLATED if k == PEOPLE - 1 else 0
            self.t.put(Table.ACCOUNTS, k, Account(positions=[Position(MARKET, flags=flags)]))
            self.s.accounts[k]["cash_e6"] = 0
            cell = self.s.positions[k]
            cell["key"], cell["flags"] = MARKET, flags
            cell["size"] = cell["funding_index"] = cell["isolated_e6"] = 0
        self.exact = [Fraction(0)] * PEOPLE  # what each has owed in all, without rounding
        self.eager = [0] * PEOPLE  # what each would have paid, had it paid at every move
        self.settlements = [0] * PEOPLE
        self.moves = 0

    def position(self, k: int) -> Position:
        row: Position = self.t.row(Table.ACCOUNTS, k).positions[0]
        return row

    def move(self, step: int) -> None:
        """One funding payment of the market."""
        risk = self.t.row(Table.RISK, MARKET)
        risk.funding_index += step
        self.t.put(Table.RISK, MARKET, risk)
        self.s.risk[MARKET]["funding_index"] += step
        self.moves += 1
        for k in range(PEOPLE):
            due = Fraction(self.position(k).size * step, 2**self.shift)
            self.exact[k] += due
            self.eager[k] += -(-due.numerator // due.denominator)

    def settle(self, k: int) -> None:
        """Account k pays, in both, and then owes nothing."""
        account = self.t.row(Table.ACCOUNTS, k)
        owed = funding.owed(self.t, MARKET, account.positions[0])
        assert owed == funding_kernel.owed(self.s, k, MARKET)
        before = self.paid(k)
        funding.settle(self.t, account, account.positions[0], MARKET)
        self.t.put(Table.ACCOUNTS, k, account)
        funding_kernel.settle(self.s, k, k, MARKET)
        assert self.paid(k) - before == owed
        assert funding.owed(self.t, MARKET, self.position(k)) == 0
        self.settlements[k] += 1
        self.agree()

    def trade(self, k: int, other: int, lots: int) -> None:
        """Account k buys from another; both pay first."""
        for who, signed in ((k, lots), (other, -lots)):
            self.settle(who)
            account = self.t.row(Table.ACCOUNTS, who)
            account.positions[0].size += signed
            self.t.put(Table.ACCOUNTS, who, account)
            self.s.positions[who]["size"] += signed

    def paid(self, k: int) -> int:
        """What an account has paid so far; the isolated one out of its own margin alone."""
        account = self.t.row(Table.ACCOUNTS, k)
        bucket, other = account.cash_e6, account.positions[0].isolated_e6
        if k == PEOPLE - 1:
            bucket, other = other, bucket
        assert other == 0
        return -int(bucket)

    def pool(self) -> int:
        return int(self.t.row(Table.RISK, MARKET).funding_pool_e6)

    def agree(self) -> None:
        """Both hold the same, and no unit is lost or made."""
        assert self.pool() == self.s.risk[MARKET]["funding_pool_e6"]
        assert self.pool() == sum(self.paid(k) for k in range(PEOPLE))
        for k in range(PEOPLE):
            row, cell = self.position(k), self.s.positions[k]
            assert self.s.accounts[k]["cash_e6"] == self.t.row(Table.ACCOUNTS, k).cash_e6
            for name in ("size", "funding_index", "isolated_e6"):
                assert getattr(row, name) == cell[name], name
        # The pool and what is still owed, exactly: the residue, below one unit a settlement.
        residue = self.pool() + sum(self.outstanding(k) for k in range(PEOPLE))
        assert 0 <= residue <= sum(self.settlements) + 1

    def outstanding(self, k: int) -> Fraction:
        """What account k owes at this moment, exactly."""
        risk, row = self.t.row(Table.RISK, MARKET), self.position(k)
        return Fraction(row.size * (risk.funding_index - row.funding_index), 2**self.shift)


STEP = st.one_of(
    st.tuples(st.just("move"), st.integers(-(10**12), 10**12)),
    st.tuples(st.just("move"), st.integers(-5, 5)),
    st.tuples(st.just("settle"), st.integers(0, PEOPLE - 1)),
    st.tuples(st.just("trade"), st.tuples(st.integers(0, PEOPLE - 1), st.integers(1, PEOPLE - 1),
                                          st.integers(1, 50))),
)  # fmt: skip


@settings(max_examples=150)
@given(st.integers(0, 30), st.lists(STEP, min_size=1, max_size=60))
def test_paying_late_is_paying_at_once_up_to_rounding(
    shift: int, steps: list[tuple[str, Any]]
) -> None:
    book = Book(shift)
    for what, value in steps:
        if what == "move":
            book.move(value)
        elif what == "settle":
            book.settle(value)
        else:
            k, off, lots = value
            book.trade(k, (k + off) % PEOPLE, lots)
        assert sum(book.position(k).size for k in range(PEOPLE)) == 0
    for k in range(PEOPLE):
        book.settle(k)
        late, exact = book.paid(k), book.exact[k]
        assert exact <= late < exact + book.settlements[k]  # against the account, below one each
        assert exact <= book.eager[k] < exact + max(book.moves, 1)
    assert book.pool() == sum(book.paid(k) for k in range(PEOPLE)) >= 0
    assert sum(book.exact) == 0
    for k in range(PEOPLE):  # everybody out: the pool is the residue, and nobody owes
        size = book.position(k).size
        if k and size:
            book.trade(0, k, size)
    assert not any(book.position(k).size for k in range(PEOPLE))


def test_one_position_pays_up_and_receives_down() -> None:
    book = Book(1)
    book.trade(0, 1, 3)
    book.move(1)  # half a unit a lot
    book.settle(0)
    book.settle(1)
    assert (book.paid(0), book.paid(1), book.pool()) == (2, -1, 1)


def test_the_whole_range_of_the_index_and_of_lots() -> None:
    book = Book(30)
    book.trade(0, PEOPLE - 1, PERPETUAL_LOTS_MAX)
    book.move(-FUNDING_INDEX_MAX)
    book.settle(0)
    book.settle(PEOPLE - 1)
    assert book.paid(0) == -(FUNDING_INDEX_MAX * PERPETUAL_LOTS_MAX // 2**30)


def test_a_market_without_a_row_asks_nothing_and_gets_no_row() -> None:
    t, account = Tables(), Account(positions=[Position(7, size=5)])
    funding.settle(t, account, account.positions[0], 7)
    assert funding.owed(t, 7, account.positions[0]) == 0
    assert account.cash_e6 == 0 and not t.rows[Table.RISK]


# --- in a market that trades ---------------------------------------------------------------------
class Flows:
    """What each account has traded and owed, from events and from sizes, in exact numbers."""

    def __init__(self, x: House, names: tuple[str, ...], deposit_e6: int) -> None:
        self.x, self.accounts = x, [x.account(name) for name in names]
        self.cash = dict.fromkeys(self.accounts, deposit_e6)
        self.owed = dict.fromkeys(self.accounts, Fraction(0))
        self.settlements = dict.fromkeys(self.accounts, 1)
        self.fills = self.payments = 0

    def size(self, account: int) -> int:
        row = self.x.at(Table.ACCOUNTS, account)
        return sum(p.size for p in row.positions if p.key == PERP)

    def block(self, *rows: Any, step_ms: int = 1000) -> None:
        """Run a block; its tick charges the sizes that stood before it."""
        before = {account: self.size(account) for account in self.accounts}
        events = self.x.rows(*rows, step_ms=step_ms)
        for event in readings(events, EventKind.FUNDED):
            if event["market"] != PERP:
                continue
            self.payments += 1
            step = int(event["funding_index"] - event["funding_index_before"])
            for account, size in before.items():
                self.owed[account] += Fraction(size * step, 2 ** int(event["funding_shift"]))
        for event in events[events["kind"] == EventKind.FILL]:
            self.fills += 1
            worth = int(event["price"] * event["size"]) * USD
            taker, maker = int(event["account"]), int(event["counter_account"])
            sign = 1 if event["side"] == 0 else -1
            self.cash[taker] -= sign * worth + int(event["fee_e6"])
            self.cash[maker] += sign * worth - int(event["counter_fee_e6"])
            self.settlements[taker] += 1
            self.settlements[maker] += 1

    def paid(self, account: int) -> int:
        """What an account has paid in funding: what is missing in its cash and margin."""
        row = self.x.at(Table.ACCOUNTS, account)
        isolated = sum(p.isolated_e6 for p in row.positions)
        return int(self.cash[account] - row.cash_e6 - isolated)

    def outstanding(self, account: int) -> Fraction:
        """What it owes and has not paid, exactly."""
        risk = self.x.risk()
        return sum(
            (Fraction(p.size * (risk.funding_index - p.funding_index), 2**risk.funding_shift)
             for p in self.x.at(Table.ACCOUNTS, account).positions if p.key == PERP),
            Fraction(0),
        )  # fmt: skip

    def judge(self) -> None:
        """Each has paid what it owed, less than a unit above it a settlement; the pool has it."""
        for account in self.accounts:
            over = self.paid(account) + self.outstanding(account) - self.owed[account]
            assert 0 <= over < self.settlements[account]
        risk = self.x.risk()
        paid = sum(self.paid(account) for account in self.accounts)
        assert paid == risk.funding_pool_e6 + risk.insurance_e6
        assert sum(self.owed.values()) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_traded_market_pays_exactly_what_is_owed(seed: int) -> None:
    """Positions that grow, shrink and turn, an isolated one, payments every few seconds."""
    rng, names = random.Random(f"funding {seed}"), ("ann", "ben", "cy", "dee")
    ages = dict.fromkeys(("fresh_ms", "reduce_ms", "halt_ms"), 10**7)
    x = House(house(ages, funding_interval_ms=5_000, premium_interval_ms=1_000,
                    impact_notional_e6=USD, funding_clamp_e9=0, interest_e9=-10**7))  # fmt: skip
    x.fund(*names, usd=10_000_000)
    x.index(997)  # whose payments do not come out even
    flows = Flows(x, names, 10_000_000 * USD)
    flows.block(x.row(address("dee"), c.Isolate(PERP, 5_000_000 * USD)))
    for at in range(500):
        rows = []
        for name in rng.sample(names, 2):
            price = 1_000 + rng.randrange(-8, 9) + 40 * (at % 100 > 50)
            order = rng.choice([bought, sold])(price, rng.randrange(1, 40))
            rows.append(x.row(address(name), *([c.CancelAll()] * (rng.random() < 0.3)), order))
        flows.block(*rows, step_ms=rng.choice([1_000, 1_000, 2_500]))
        flows.judge()
    assert flows.fills > 200 and flows.payments > 100
    assert any(abs(owed) > 10 * USD for owed in flows.owed.values())
    for _ in range(40):  # everybody out, against whoever holds the other side
        rows = [x.row(address(name), c.CancelAll()) for name in names]
        for name, account in zip(names, flows.accounts, strict=True):
            if size := flows.size(account):
                place = sold if size > 0 else bought
                rows.append(x.row(address(name), place(1_000, abs(size))))
        flows.block(*rows)
        flows.judge()
    assert not any(flows.size(account) for account in flows.accounts)
    risk = x.risk()
    assert risk.funding_pool_e6 == 0 and 0 < risk.insurance_e6 < sum(flows.settlements.values())
