"""What was found once, by name. Each test says in a sentence what was wrong."""

from quorate.codec import commands as c
from quorate.types import limits
from quorate.types.codes import EventKind, Flag, Reject, Stp
from quorate.types.records import Table
from tests.execution.exchange import Exchange, address, bought, sold

REDUCE_BOTH = int(Stp.REDUCE_BOTH) << Flag.STP_SHIFT


def test_positions_of_new_accounts_do_not_share_a_cell() -> None:
    """An account opened after the load had extent class 0 at cell 0, as all others had."""
    x = Exchange()
    x.fund("ann", "ben", usd=1000, btc=5)
    tail = x.image()[Table.ACCOUNTS].tail
    assert len(tail) == 2 * 64


def test_replacing_an_order_needs_room_for_a_level() -> None:
    """Modify did not look whether a further price level fits and wrote past the table."""
    x = Exchange()
    x.fund("ann")
    x.ok("ann", bought(90_000, 1), bought(90_000, 2))
    x.doctor(Table.LEDGER, 0, levels_high=limits.LEVELS_MAX)
    events = [
        machine.run(9, x.time_ms, *block)
        for machine in (x.lockstep.spec, x.lockstep.kernel)
        for block in [one_block(x, c.Modify(1, 91_000, 1))]
    ]
    assert events[0].tobytes() == events[1].tobytes()
    assert events[0][-1]["code"] == Reject.TABLE_FULL_SEND_LATER


def one_block(x: Exchange, command: c.Command) -> tuple[object, object]:
    from quorate.sim.execution_world import packed

    block = packed(9, x.time_ms, [x.row(address("ann"), command, nonce=x.time_ms + 999)])
    return block.bundles, block.commands


def test_a_deposit_to_a_new_address_needs_room_for_its_position() -> None:
    """The kernel opened the account without asking whether a position fits."""
    x = Exchange()
    x.doctor(Table.LEDGER, 0, positions_live=limits.POSITIONS_MAX)
    code = x.code("bridge", c.Deposit(1, address("new"), 0, 5))
    assert code == Reject.TABLE_FULL_SEND_LATER
    assert x.code("bridge", c.Deposit(0, address("new"), 0, 5)) == Reject.OK


def test_lots_taken_off_by_self_trade_prevention_have_not_filled() -> None:
    """Reduce-both left the sizes alone, so that size less remaining counted them as filled."""
    x = Exchange()
    x.fund("ann")
    x.ok("ann", sold(100_000, 10))
    events = x.ok("ann", bought(100_000, 4, flags=REDUCE_BOTH))
    assert events["kind"].tolist() == [EventKind.REDUCED, EventKind.RECEIPT]
    row = x.image()[Table.ORDERS].rows[1]
    assert (int(row["size"]), int(row["remaining"])) == (6, 6)
    # So a new total of 5 is below what is open, and shrinks it in place.
    assert x.ok("ann", c.Modify(1, 100_000, 5))["order_id"].tolist() == [1]
    x.ok("ann", bought(100_000, 8, flags=REDUCE_BOTH))
    row = x.image()[Table.ORDERS].rows[1]
    assert (int(row["side"]), int(row["size"]), int(row["remaining"])) == (0, 3, 3)
