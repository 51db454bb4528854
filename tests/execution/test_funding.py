"""What positions pay: no unit is lost or made; paying late is paying at once, up to rounding."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.execution.kernels.funding import funding_owed, funding_settle
from quorate.execution.kernels.state import allocate
from quorate.execution.spec import funding
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.rows import Account, Ledger, Position
from quorate.execution.spec.tables import Tables
from quorate.types.limits import FUNDING_INDEX_MAX, PERPETUAL_LOTS_MAX
from quorate.types.records import POSITION_ISOLATED, Table

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
        assert owed == funding_owed(self.s, k, MARKET)
        before = self.paid(k)
        funding.settle(self.t, account, account.positions[0], MARKET)
        self.t.put(Table.ACCOUNTS, k, account)
        funding_settle(self.s, k, k, MARKET)
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
