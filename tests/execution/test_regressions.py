"""What was found once, by name. Each test says in a sentence what was wrong."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.execution.image import same
from quorate.execution.machine import KernelMachine, SpecMachine, genesis_image
from quorate.execution.spec.genesis import GenesisRefused
from quorate.execution.spec.margin import assess
from quorate.sim.execution_fuzz import secrets_drawn
from quorate.types import limits
from quorate.types.codes import End, EventKind, Flag, MarketStatus, Reject, Side, Stp, Tif
from quorate.types.records import ADMITTED, Table
from tests.execution.clearing_exchange import house
from tests.execution.exchange import (
    GENESIS,
    PERP,
    ROOMY,
    SPOT,
    USD,
    Exchange,
    address,
    bought,
    sold,
)

R = Reject

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


# --- found by holding the rules against the issue ------------------------------------------------
def equity_of(ex: Exchange, name: str) -> tuple[int, int]:
    """Equity and initial margin of somebody's account, in 1e-6 USD."""
    tables = ex.lockstep.spec.tables
    equity, margin, _ = assess(tables, tables.row(Table.ACCOUNTS, ex.account(name)))
    return equity, margin


def test_a_maker_has_its_margin_checked_at_the_price_of_each_fill() -> None:
    """Bids far above the mark were each judged alone; filled together they left a debt."""
    ex = Exchange(ROOMY)
    ex.fund("eve", "mal", usd=40_000)
    for _ in range(8):
        ex.ok("eve", c.Place(PERP, Side.BUY, 119_000, 1))
    ex.ok("mal", c.Place(PERP, Side.SELL, 119_000, 8, tif=Tif.IOC))
    equity, margin = equity_of(ex, "eve")
    assert 0 <= margin <= equity


def test_a_stale_order_of_a_maker_fills_only_while_its_margin_holds() -> None:
    """The mark fell below a resting bid, whose loss nobody counted."""
    ex = Exchange(ROOMY)
    ex.fund("eve", usd=30_000)
    ex.fund("mal")
    ex.ok("eve", c.Place(PERP, Side.BUY, 100_000, 10))
    ex.ok("oracle", c.SetMark(PERP, 90_000))
    events = ex.ok("mal", c.Place(PERP, Side.SELL, 100_000, 10, tif=Tif.IOC))
    assert End(int(events[0]["end"])) == End.MARGIN
    assert equity_of(ex, "eve") == (30_000 * USD, 0)


def test_nobody_withdraws_what_the_chain_does_not_hold() -> None:
    """Profit against an account in debt could be withdrawn from other people's deposits."""
    ex = Exchange(ROOMY)
    ex.fund("ann", "ben", usd=20_000)
    ex.ok("ben", c.Place(PERP, Side.SELL, 100_000, 1))
    ex.ok("ann", c.Place(PERP, Side.BUY, 100_000, 1))
    ex.ok("oracle", c.SetMark(PERP, 160_000))
    assert equity_of(ex, "ben")[0] < 0
    away = address("outside")
    assert ex.code("ann", c.Withdraw(0, away, 50_000 * USD)) == R.WITHDRAWAL_EXCEEDS_FREE_BALANCE
    ex.ok("ann", c.Withdraw(0, away, 39_000 * USD))


def test_a_leverage_limit_below_one_is_refused() -> None:
    """Its test multiplied a whole notional by 100 and passed int64 in the kernels."""
    ex = Exchange()
    ex.fund("ann")
    assert ex.code("ann", c.ApproveAgent(address("bot"), 0, 0, 0, 99)) == R.FIELD_MUST_BE_IN_RANGE
    ex.ok("ann", c.ApproveAgent(address("bot"), 0, 0, 0, 100))


def test_the_zero_address_has_no_role() -> None:
    """It is the sentinel's key, and a second row with that key broke the search tree."""
    with pytest.raises(GenesisRefused, match="zero address"):
        genesis_image(replace(GENESIS, oracle=bytes(20)))


def test_a_reduce_only_market_binds_makers_too() -> None:
    """A maker's order that rested from before could grow its position."""
    ex = Exchange(ROOMY)
    ex.fund("ann", "ben", "cleo")
    ex.ok("ben", c.Place(PERP, Side.SELL, 100_000, 5))
    ex.ok("ann", c.Place(PERP, Side.BUY, 100_000, 5))
    ex.ok("ben", c.Place(PERP, Side.SELL, 100_000, 5))
    ex.ok("cleo", c.Place(PERP, Side.SELL, 100_500, 5))
    ex.ok("ann", c.Place(PERP, Side.SELL, 101_000, 5))
    ex.ok("governance", c.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    reduce_only = int(Flag.REDUCE_ONLY)
    take = c.Place(PERP, Side.BUY, 101_000, 5, tif=Tif.IOC, flags=reduce_only)
    events = ex.ok("ben", take)
    fills = events[events["kind"] == EventKind.FILL]
    assert [int(fill["counter_account"]) for fill in fills] == [ex.account("ann")]


def test_a_session_key_cannot_pass_its_position_limit_in_spot() -> None:
    """The limit was looked at for perpetuals alone."""
    ex = Exchange(ROOMY)
    ex.fund("ann")
    ex.ok("ann", c.ApproveAgent(address("bot"), 0, 0, 100 * USD, 0))
    assert ex.code("bot", c.Place(SPOT, Side.BUY, 50_000, 100)) == R.SESSION_POSITION_LIMIT
    ex.ok("bot", c.Place(SPOT, Side.BUY, 500, 100))
    assert ex.code("bot", c.Place(SPOT, Side.BUY, 500, 120)) == R.SESSION_POSITION_LIMIT


def test_an_order_can_shrink_in_a_halted_market() -> None:
    """A part could not be cancelled where the whole could."""
    ex = Exchange(ROOMY)
    ex.fund("ann")
    ex.ok("ann", c.Place(PERP, Side.BUY, 90_000, 5, cloid=1))
    ex.ok("governance", c.SetStatus(PERP, MarketStatus.HALTED))
    ex.ok("ann", c.ModifyClient(1, 90_000, 2))
    assert ex.code("ann", c.ModifyClient(1, 90_000, 3)) == R.MARKET_HALTED


def test_a_raised_fee_takes_no_more_than_a_bid_holds() -> None:
    """The maker's fee was that of the moment, and its hold that of the day it was placed."""
    ex = Exchange(ROOMY)
    ex.fund("ann", usd=99_570)
    ex.fund("ben", btc=10**8)
    ex.ok("ann", c.Place(SPOT, Side.BUY, 50_000, 10 * 199))
    ex.ok("governance", c.SetFeeTier(8, 0, 100_000, 100_000))
    ex.ok("ben", c.Place(SPOT, Side.SELL, 50_000, 10 * 199))
    assert equity_of(ex, "ann")[0] >= 0


def test_a_deposit_to_an_agent_does_not_freeze_its_limits() -> None:
    """An agent that had come to own an account could not be approved anew."""
    ex = Exchange()
    ex.fund("ann")
    ex.ok("ann", c.ApproveAgent(address("bot"), 0, 0, 0, 0))
    ex.fund("bot", usd=1)
    ex.ok("ann", c.ApproveAgent(address("bot"), 0, 5, 5, 100))


def test_a_fill_or_kill_order_is_not_clipped_to_the_position() -> None:
    """Reduce-only took it down to the position, and it was then 'filled'."""
    ex = Exchange(ROOMY)
    ex.fund("ann", "ben")
    ex.ok("ben", c.Place(PERP, Side.SELL, 100_000, 5))
    ex.ok("ann", c.Place(PERP, Side.BUY, 100_000, 5))
    ex.ok("ben", c.Place(PERP, Side.BUY, 100_000, 10))
    flags = int(Flag.REDUCE_ONLY)
    kill = c.Place(PERP, Side.SELL, 100_000, 10, tif=Tif.FOK, flags=flags)
    assert ex.code("ann", kill) == R.REDUCE_ONLY_WOULD_INCREASE


def test_deposits_and_withdrawals_can_go_on_for_ever() -> None:
    """The count of all deposits had a limit of its own."""
    ex = Exchange()
    for _ in range(20):
        ex.ok("bridge", c.Deposit(0, address("ann"), 0, 2**58))
        ex.ok("ann", c.Withdraw(0, address("outside"), 2**58))


def test_a_fee_is_rounded_once_for_an_order() -> None:
    """Each fill rounded up, so that a bid which spent its whole balance ended in debt."""
    ex = Exchange(ROOMY)
    ex.ok("bridge", c.Deposit(0, address("ann"), 0, 50_035 * USD))
    ex.fund("ben", btc=10**8)
    ex.ok("ann", c.Place(SPOT, Side.BUY, 5_000, 10_000))
    for _ in range(5):
        ex.ok("ben", c.Place(SPOT, Side.SELL, 5_000, 10))
    assert equity_of(ex, "ann")[0] >= 0


def test_a_gap_is_measured_from_the_block_before_although_no_root_was_formed_of_it() -> None:
    # Recovery executes many blocks before it writes the chain row again; the gap between blocks was
    # read from that row, so that a replay began auctions which the first run had not.
    genesis = house({"gap_auctions": 1})
    for kind in (SpecMachine, lambda image: KernelMachine(image, secrets_drawn(Random(0)))):
        sealed, lazy = kind(genesis_image(genesis)), kind(genesis_image(genesis))
        rows, none = np.zeros(0, ADMITTED), np.zeros((0, 64), np.uint8)
        for height in range(1, 41):
            now_ms = genesis.time_ms + 1000 * height
            first = sealed.run(height, now_ms, rows, none).tobytes()
            assert lazy.run(height, now_ms, rows, none).tobytes() == first
            sealed.seal(bytes(32), bytes(32))
        lazy.seal(bytes(32), bytes(32))
        assert same(sealed.image(), lazy.image())
