"""Housekeeping at the start of a block, a bounded piece each from a committed cursor."""

from quorate.execution import rules
from quorate.execution.spec.accounts import deadman_fired, deadman_unlink, drop_session
from quorate.execution.spec.book import order_cancel, order_dead
from quorate.execution.spec.context import Context
from quorate.execution.spec.tables import remove
from quorate.types.codes import End
from quorate.types.limits import (
    DEADMAN_ACCOUNTS_PER_BLOCK,
    DEADMAN_CANCELS_PER_BLOCK,
    SESSION_GRACE_MS,
    SWEEP_NONCES_PER_BLOCK,
    SWEEP_ORDERS_PER_BLOCK,
    SWEEP_SESSIONS_PER_BLOCK,
)
from quorate.types.records import Table


def sweep(c: Context) -> None:
    """Phase 2: dead-man switches, then expired orders, then rows that nothing needs any more."""
    sweep_deadman(c)
    sweep_orders(c)
    sweep_nonces(c)
    sweep_sessions(c)


def sweep_deadman(c: Context) -> None:
    """Walk the armed accounts; cancel all orders of those whose time has passed and disarm them."""
    cancels = 0
    slot = c.t.row(Table.LEDGER, 0).armed_cursor or c.t.row(Table.LEDGER, 0).armed_head
    for _ in range(DEADMAN_ACCOUNTS_PER_BLOCK):
        if not slot:
            break
        account = c.t.row(Table.ACCOUNTS, slot)
        following = account.armed_next
        if deadman_fired(account, c.time_ms):
            while account.orders_head and cancels < DEADMAN_CANCELS_PER_BLOCK:
                order_cancel(c, account.orders_head, End.DEADMAN)
                account = c.t.row(Table.ACCOUNTS, slot)
                cancels += 1
            if account.orders_head:
                break
            deadman_unlink(c.t, slot)
        slot = following
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.armed_cursor = slot
    c.t.put(Table.LEDGER, 0, ledger)


def sweep_orders(c: Context) -> None:
    """Cancel orders that have expired or whose account's switch has fired."""
    ledger = c.t.row(Table.LEDGER, 0)
    slot, high = ledger.sweep_orders, ledger.orders_high
    for _ in range(min(SWEEP_ORDERS_PER_BLOCK, high - 1)):
        if slot >= high:
            slot = 1
        order = c.t.row(Table.ORDERS, slot)
        if order.order_id:
            dead = order_dead(c, order)
            if dead:
                order_cancel(c, slot, dead)
        slot += 1
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.sweep_orders = slot
    c.t.put(Table.LEDGER, 0, ledger)


def sweep_nonces(c: Context) -> None:
    """Free the rows of signers whose every nonce, floor included, the window refuses anyway."""
    ledger = c.t.row(Table.LEDGER, 0)
    slot, high = ledger.sweep_nonces, ledger.nonces_high
    for _ in range(min(SWEEP_NONCES_PER_BLOCK, high - 1)):
        if slot >= high:
            slot = 1
        row = c.t.row(Table.NONCES, slot)
        if row.nonces and rules.nonce_in_window(row.nonces[-1], c.time_ms) < 0:
            remove(c.t, Table.NONCES, slot)
            before = c.t.seek(Table.NONCES, (row.signer,))
            neighbour = c.t.row(Table.NONCES, before)
            neighbour.next_signer = row.next_signer
            c.t.put(Table.NONCES, before, neighbour)
        slot += 1
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.sweep_nonces = slot
    c.t.put(Table.LEDGER, 0, ledger)


def sweep_sessions(c: Context) -> None:
    """Free session keys that expired longer ago than the grace period."""
    ledger = c.t.row(Table.LEDGER, 0)
    slot, high = ledger.sweep_sessions, ledger.sessions_high
    for _ in range(min(SWEEP_SESSIONS_PER_BLOCK, high - 1)):
        if slot >= high:
            slot = 1
        row = c.t.row(Table.SESSIONS, slot)
        if row.live and 0 < row.expiry_ms <= c.time_ms - SESSION_GRACE_MS:
            drop_session(c.t, slot)
        slot += 1
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.sweep_sessions = slot
    c.t.put(Table.LEDGER, 0, ledger)
