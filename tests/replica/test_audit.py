"""The audit finds money that appeared, wherever it appeared, and memory that changed by itself."""

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.replica.audit import CashAudit, whole_check
from quorate.replica.errors import AuditFailed
from quorate.replica.messages import Halt
from quorate.replica.replica import Replica
from quorate.replica.views import KernelTables
from quorate.types.records import ADMITTED, Table
from tests.execution.clearing import Clearing
from tests.replica.world import (
    ALICE,
    BOB,
    FUNDS,
    NOW,
    bundle,
    replica_of,
    request,
    submit,
    synced,
)


def traded() -> tuple[Replica, KernelTables]:
    """Let Alice buy from Bob in a perpetual."""
    replica = replica_of("kernel")
    buy, sell = c.Place(1, 0, 600_000, 9), c.Place(1, 1, 600_000, 4)
    submit(
        replica,
        NOW,
        request(1, bundle(ALICE, 0, FUNDS, buy), bundle(BOB, 0, FUNDS, sell)),
    )
    synced(replica)
    tables = replica.executor.tables
    assert isinstance(tables, KernelTables)
    return replica, tables


def test_a_sound_state_passes() -> None:
    _, tables = traded()
    whole_check(tables)
    CashAudit(tables).check(tables, np.zeros(0, np.int64))


def test_cash_that_appears_in_a_touched_account_halts_at_that_block() -> None:
    replica, tables = traded()
    tables.arrays[Table.ACCOUNTS]["cash_e6"][4] += 1
    tables.machine.s.accounts_dirty[4] = 1
    effects = submit(replica, NOW, request(2, bundle(BOB, 1, FUNDS)))
    assert isinstance(effects[-1], Halt) and "quote asset" in effects[-1].reason


def test_fees_that_appear_halt() -> None:
    replica, tables = traded()
    tables.arrays[Table.LEDGER]["fees_e6"] += 1
    effects = submit(replica, NOW, request(2, bundle(BOB, 1, FUNDS)))
    assert isinstance(effects[-1], Halt)


def test_cash_is_summed_from_scratch() -> None:
    _, tables = traded()
    tables.arrays[Table.ACCOUNTS]["cash_e6"][4] += 1
    with pytest.raises(AuditFailed, match="quote asset"):
        whole_check(tables)


def test_units_of_another_asset_are_summed_from_scratch() -> None:
    _, tables = traded()
    tables.arrays[Table.ASSETS]["deposited"][2] += 1
    with pytest.raises(AuditFailed, match="hold 0 of asset 2 and are owed 1"):
        whole_check(tables)


def test_a_perpetual_has_as_many_lots_long_as_short() -> None:
    _, tables = traded()
    rows = tables.machine.s.positions
    (slot,) = np.flatnonzero(rows["size"] == 4)
    rows["size"][slot] = 5
    with pytest.raises(AuditFailed, match="market 1 is 1 lots more long than short"):
        whole_check(tables)


def test_the_sum_wraps_without_harm() -> None:
    _, tables = traded()
    cash = tables.arrays[Table.ACCOUNTS]["cash_e6"]
    audit = CashAudit(tables)
    cash[1:5] += [2**62, 2**62, -(2**62), -(2**62)]
    audit.fold(tables, np.arange(1, 3))
    audit.check(tables, np.arange(3, 6))


def test_the_scrub_finds_a_row_that_changed_without_a_command() -> None:
    replica, tables = traded()
    executor = replica.executor
    nobody, nothing = np.zeros(0, ADMITTED), np.zeros((0, 64), np.uint8)
    tables.arrays[Table.ACCOUNTS]["volume_prev_e6"][3] ^= 1
    # Slot 3 is looked at where height % SCRUB_PERIOD is 3.
    executor.execute(2, NOW, 1, bytes(32), nobody, nothing)
    with pytest.raises(AuditFailed, match="row 3 of table ACCOUNTS changed without a command"):
        executor.execute(3, NOW, 1, bytes(32), nobody, nothing)


def test_isolated_margin_insurance_and_pools_count() -> None:
    ex = Clearing()
    ex.fund("ann", "bob")
    tables = KernelTables(ex.lockstep.kernel)
    audit = CashAudit(tables)
    ex.ok("bob", c.Place(1, 1, 100_000, 5))
    ex.ok("ann", c.Isolate(1, 50_000 * 10**6))
    shift = ex.state(Table.RISK, 1).funding_shift
    ex.ok("ann", c.Place(1, 0, 100_000, 3))
    ex.poke(Table.RISK, 1, funding_index=7 * 10**6 << shift)
    ex.ok("ann", c.Place(1, 0, 100_000, 1))
    count = len(tables.rows(Table.ACCOUNTS))
    touched = np.array([ex.account("ann"), ex.account("bob")])
    audit.check(tables, touched)
    whole_check(tables)
    ex.poke(Table.RISK, 1, insurance_e6=5)
    with pytest.raises(AuditFailed, match="quote asset"):
        audit.check(tables, np.zeros(0, np.int64))
    ex.poke(Table.RISK, 1, insurance_e6=0)
    cells = tables.machine.s.positions
    (cell,) = np.flatnonzero(cells["isolated_e6"])
    cells["isolated_e6"][cell] += 1
    audit.check(tables, np.array([ex.account("bob")]))  # nobody touched it
    for check in (lambda: audit.check(tables, np.arange(count)), lambda: whole_check(tables)):
        with pytest.raises(AuditFailed, match="quote asset"):
            check()
    cells["isolated_e6"][cell] -= 1
    cells["flags"][cell] = 0
    with pytest.raises(AuditFailed, match="not isolated"):
        whole_check(tables)


def test_an_insurance_fund_below_zero_is_found() -> None:
    ex = Clearing()
    ex.fund("ann")
    ex.poke(Table.RISK, 1, insurance_e6=-5)
    ex.poke(Table.RISK, 3, insurance_e6=5)
    with pytest.raises(AuditFailed, match="below zero"):
        whole_check(KernelTables(ex.lockstep.kernel))
