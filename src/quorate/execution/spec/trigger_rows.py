"""Rows of conditional orders: an account's list of them, their ends, their parents.

A parent is an order. It marks itself by ORDER_HAS_CHILDREN, and each fill of it as a maker arms its
children (`children_filled`); a replaced one hands them over (`children_moved`). That a parent has
left is found when triggers are examined, so that cancels, expiries and liquidations need not look.
"""

from quorate.execution.spec.clearing_rows import Trigger
from quorate.execution.spec.context import Context
from quorate.execution.spec.rows import Account
from quorate.execution.spec.tables import Tables, insert, remove
from quorate.types.clearing_codes import TRIGGER_FOLLOWS, TriggerEnd, TriggerState
from quorate.types.codes import EventKind
from quorate.types.records import Table


def trigger_insert(t: Tables, row: Trigger) -> int:
    """Put a trigger at the head of its account's list; return its slot."""
    slot = insert(t, Table.TRIGGERS, row)
    account: Account = t.row(Table.ACCOUNTS, row.account)
    row = t.row(Table.TRIGGERS, slot)
    row.free_next = 0
    row.account_next = account.triggers_head
    t.put(Table.TRIGGERS, slot, row)
    if account.triggers_head:
        other = t.row(Table.TRIGGERS, account.triggers_head)
        other.account_prev = slot
        t.put(Table.TRIGGERS, account.triggers_head, other)
    account.triggers_head = slot
    account.triggers_count += 1
    t.put(Table.ACCOUNTS, row.account, account)
    ledger = t.row(Table.LEDGER, 0)
    ledger.triggers_live += 1
    t.put(Table.LEDGER, 0, ledger)
    return slot


def trigger_drop(t: Tables, slot: int) -> None:
    """Take a trigger out of its account's list and free its row."""
    row = t.row(Table.TRIGGERS, slot)
    account = t.row(Table.ACCOUNTS, row.account)
    if row.account_prev:
        other = t.row(Table.TRIGGERS, row.account_prev)
        other.account_next = row.account_next
        t.put(Table.TRIGGERS, row.account_prev, other)
    else:
        account.triggers_head = row.account_next
    if row.account_next:
        other = t.row(Table.TRIGGERS, row.account_next)
        other.account_prev = row.account_prev
        t.put(Table.TRIGGERS, row.account_next, other)
    account.triggers_count -= 1
    t.put(Table.ACCOUNTS, row.account, account)
    ledger = t.row(Table.LEDGER, 0)
    ledger.triggers_live -= 1
    t.put(Table.LEDGER, 0, ledger)
    remove(t, Table.TRIGGERS, slot)


def trigger_find(t: Tables, account_slot: int, trigger_id: int) -> int:
    """Slot of an account's trigger by its id, or 0."""
    slot: int = t.row(Table.ACCOUNTS, account_slot).triggers_head
    while slot:
        row = t.row(Table.TRIGGERS, slot)
        if row.trigger_id == trigger_id:
            return slot
        slot = row.account_next
    return 0


def trigger_end(c: Context, slot: int, why: TriggerEnd) -> None:
    """End a trigger that has not fired, say why, and end the one that it is paired with."""
    row = c.t.row(Table.TRIGGERS, slot)
    ended(c, slot, why)
    pair_end(c, row.account, row.pair_id)


def pair_end(c: Context, account_slot: int, pair_id: int) -> None:
    """End the other one of a pair, if there is one."""
    other = trigger_find(c.t, account_slot, pair_id) if pair_id else 0
    if other:
        ended(c, other, TriggerEnd.PAIR)


def ended(c: Context, slot: int, why: TriggerEnd) -> None:
    """Say that a trigger ends, and free it."""
    row = c.t.row(Table.TRIGGERS, slot)
    c.emit_words(
        EventKind.TRIGGER_ENDED,
        row.trigger_id,
        end=why,
        side=row.side,
        market=row.market,
        account=row.account,
    )
    trigger_drop(c.t, slot)


# --- parents -------------------------------------------------------------------------------------
def children_filled(t: Tables, account_slot: int, order_id: int, lots: int) -> None:
    """Arm the triggers that wait for an order, of which `lots` more have filled."""
    slot = t.row(Table.ACCOUNTS, account_slot).triggers_head
    while slot:
        row = t.row(Table.TRIGGERS, slot)
        if row.parent_id == order_id:
            row.state = TriggerState.ARMED
            if row.flags & TRIGGER_FOLLOWS:
                row.size += lots
            t.put(Table.TRIGGERS, slot, row)
        slot = row.account_next


def children_moved(t: Tables, account_slot: int, order_id: int, heir_id: int, lots: int) -> None:
    """Hand the triggers of a replaced order to its heir, of which `lots` filled at once."""
    slot = t.row(Table.ACCOUNTS, account_slot).triggers_head
    while slot:
        row = t.row(Table.TRIGGERS, slot)
        if row.parent_id == order_id:
            row.parent_id = heir_id
            t.put(Table.TRIGGERS, slot, row)
        slot = row.account_next
    if lots:
        children_filled(t, account_slot, heir_id, lots)
