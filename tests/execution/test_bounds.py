"""Work beyond one block's or one buffer's share: it stops, goes on, and both machines agree."""

from dataclasses import replace

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.execution.machine import KernelMachine
from quorate.types import limits
from quorate.types.codes import End, EventKind, Reject
from quorate.types.records import Table
from tests.execution.exchange import GENESIS, ROOMY, USD, Exchange, address, bought

WIDE = replace(
    GENESIS,
    fills_per_command_max=limits.FILLS_PER_COMMAND_MAX,
    orders_examined_per_command_max=limits.ORDERS_EXAMINED_PER_COMMAND_MAX,
    orders_per_account_max=limits.ORDERS_PER_ACCOUNT_MAX,
)
ARMED = limits.DEADMAN_ACCOUNTS_PER_BLOCK + 60


def test_more_armed_accounts_than_one_sweep_visits() -> None:
    """1084 switches fire with 4336 orders: visits and cancels are bounded, orders die at once."""
    x = Exchange(ROOMY)
    names = [f"trader {n}" for n in range(ARMED)]
    deposits = [c.Deposit(0, address(name), 0, 20_000 * USD) for name in names]
    x.ok("bridge", *deposits[:1000])
    x.ok("bridge", *deposits[1000:])
    fire_ms = x.time_ms + 60_000
    orders = [bought(1 + n, 1) for n in range(4)]
    x.rows(*(x.row(address(name), *orders, c.Deadman(fire_ms)) for name in names))
    events = x.rows(step_ms=70_000)
    assert len(events) == limits.DEADMAN_CANCELS_PER_BLOCK + 240
    assert set(events["end"].tolist()) == {End.DEADMAN}
    ledger = x.image()[Table.LEDGER].rows[0]
    assert ledger["armed_cursor"] != 0 and ledger["orders_live"] == 0
    # The account on which the cursor stands disarms: refused, for its switch has fired.
    late = x.image()[Table.ACCOUNTS].rows[int(ledger["armed_cursor"])]["address"].tobytes()
    events = x.rows(x.row(late, c.Deadman(0)), x.row(late, bought(5, 1)))
    assert events["code"].tolist() == [0, 0], "this block's sweep came first"
    assert x.image()[Table.LEDGER].rows[0]["armed_head"] == 0


def test_the_cursor_steps_past_an_account_that_disarms() -> None:
    """The sweep ended in the middle of the list; the account it stands on leaves the list."""
    x = Exchange(ROOMY)
    names = [f"trader {n}" for n in range(ARMED)]
    deposits = [c.Deposit(0, address(name), 0, USD) for name in names]
    x.ok("bridge", *deposits[:1000])
    x.ok("bridge", *deposits[1000:])
    fire_ms = x.time_ms + 9_000_000
    x.rows(*(x.row(address(name), c.Deadman(fire_ms)) for name in names))
    x.rows()
    cursor = int(x.image()[Table.LEDGER].rows[0]["armed_cursor"])
    row = x.image()[Table.ACCOUNTS].rows[cursor]
    assert cursor and row["armed_next"]
    # The next sweep runs to the end of the list; the one after stands in its middle again.
    x.rows()
    events = x.rows(x.row(row["address"].tobytes(), c.Deadman(0)))
    assert events["code"].tolist() == [0]
    ledger = x.image()[Table.LEDGER].rows[0]
    assert ledger["armed_cursor"] == row["armed_next"]
    x.rows()


def test_a_block_with_more_events_than_the_buffer_holds() -> None:
    x = Exchange(WIDE)
    x.fund("ann")
    cancels = [c.Cancel(n) for n in range(1000, 1900)]
    events = x.rows(*(x.row(address("ann"), *cancels) for _ in range(90)))
    assert len(events) == 81_000
    assert set(events["code"].tolist()) == {int(Reject.ORDER_NOT_FOUND)}
    assert events["bundle"].tolist() == np.repeat(np.arange(90), 900).tolist()


def test_more_orders_than_the_maps_begin_with() -> None:
    """The maps grow in the middle of a block; a restored machine with other secrets agrees."""
    x = Exchange(WIDE)
    x.fund("ann", usd=10_000_000)
    places = [bought(1 + n % 50, 1, cloid=n + 1) for n in range(900)]
    for start in range(3):
        orders = [replace(each, cloid=each.cloid + 900 * start) for each in places]
        x.rows(x.row(address("ann"), *orders))
    assert x.image()[Table.LEDGER].rows[0]["orders_live"] == 2700
    x.lockstep.kernel = KernelMachine(x.image(), np.arange(11, 19))
    x.lockstep.kernel.dirty()
    events = x.ok("ann", c.CancelClient(2000), c.ModifyClient(2001, 60, 1), c.CancelAll(1))
    assert np.count_nonzero(events["kind"] == EventKind.CANCELLED) == 2701


@pytest.mark.parametrize("ahead_ms", [0, 1])
def test_a_hundred_nonces_and_a_floor(ahead_ms: int) -> None:
    x = Exchange()
    x.fund("ann")
    low = x.time_ms
    for start in range(0, 120, 40):
        nonces = [low + 1000 - n for n in range(start, start + 40)]
        x.rows(*(x.row(address("ann"), c.CancelAll(), nonce=nonce) for nonce in nonces))
    rows = x.image()[Table.NONCES]
    slot = [row["signer"].tobytes() for row in rows.rows].index(address("ann"))
    # Descending nonces: the hundred highest stay, lower ones are refused and never enter.
    assert (int(rows.rows[slot]["count"]), int(rows.rows[slot]["floor"])) == (100, 0)
    x.ok("ann", c.CancelAll(), nonce=low + 2000)
    assert int(x.image()[Table.NONCES].rows[slot]["floor"]) == low + 901
    code = x.code("ann", c.CancelAll(), nonce=low + 901 + ahead_ms)
    assert code in (Reject.NONCE_BELOW_THE_HUNDRED_HIGHEST, Reject.NONCE_ALREADY_USED)
