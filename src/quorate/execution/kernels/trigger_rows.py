"""Rows of conditional orders; the same functions as `spec.trigger_rows`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.rows import emit_words
from quorate.types.clearing_codes import TRIGGER_FOLLOWS, TriggerEnd, TriggerState
from quorate.types.codes import EventKind

i8 = np.int64
ENDED = int(EventKind.TRIGGER_ENDED)
END_PAIR = int(TriggerEnd.PAIR)
ARMED = int(TriggerState.ARMED)


@helper
def trigger_insert(s, account):
    """A zeroed trigger row at the head of the account's list; return its slot."""
    ledger = s.ledger[0]
    slot = ledger["triggers_free"]
    if slot:
        ledger["triggers_free"] = i8(s.triggers[slot]["free_next"])
        s.triggers[slot]["free_next"] = 0
    else:
        slot = max(ledger["triggers_high"], 1)
        if slot == 1:
            s.triggers_dirty[0] = 1
        ledger["triggers_high"] = slot + 1
    row = s.accounts[account]
    head = i8(row["triggers_head"])
    s.triggers[slot]["account"] = account
    s.triggers[slot]["account_next"] = head
    if head:
        s.triggers[head]["account_prev"] = slot
        s.triggers_dirty[head] = 1
    row["triggers_head"] = slot
    row["triggers_count"] += 1
    s.accounts_dirty[account] = 1
    s.triggers_dirty[slot] = 1
    ledger["triggers_live"] += 1
    return slot


@helper
def trigger_drop(s, slot):
    """Take a trigger out of its account's list and free its row."""
    row = s.triggers[slot]
    account = i8(row["account"])
    before = i8(row["account_prev"])
    after = i8(row["account_next"])
    if before:
        s.triggers[before]["account_next"] = after
        s.triggers_dirty[before] = 1
    else:
        s.accounts[account]["triggers_head"] = after
    if after:
        s.triggers[after]["account_prev"] = before
        s.triggers_dirty[after] = 1
    s.accounts[account]["triggers_count"] -= 1
    s.accounts_dirty[account] = 1
    row["trigger_id"] = 0
    row["trigger_ticks"] = 0
    row["limit_ticks"] = 0
    row["size"] = 0
    row["trail_ppm"] = 0
    row["peak_ticks"] = 0
    row["parent_id"] = 0
    row["pair_id"] = 0
    row["account"] = 0
    row["market"] = 0
    row["account_prev"] = 0
    row["account_next"] = 0
    row["side"] = 0
    row["kind"] = 0
    row["watch"] = 0
    row["flags"] = 0
    row["state"] = 0
    row["placed_ms"] = 0
    ledger = s.ledger[0]
    row["free_next"] = ledger["triggers_free"]
    ledger["triggers_free"] = slot
    ledger["triggers_live"] -= 1
    s.triggers_dirty[slot] = 1


@helper
def trigger_find(s, account, trigger_id):
    """Slot of an account's trigger by its id, or 0."""
    slot = i8(s.accounts[account]["triggers_head"])
    while slot:
        if s.triggers[slot]["trigger_id"] == trigger_id:
            return slot
        slot = i8(s.triggers[slot]["account_next"])
    return i8(0)


@helper
def trigger_end(s, slot, why):
    """End a trigger that has not fired, say why, and end the one that it is paired with."""
    account = i8(s.triggers[slot]["account"])
    pair_id = i8(s.triggers[slot]["pair_id"])
    ended(s, slot, why)
    pair_end(s, account, pair_id)


@helper
def pair_end(s, account, pair_id):
    """End the other one of a pair, if there is one."""
    if pair_id:
        other = trigger_find(s, account, pair_id)
        if other:
            ended(s, other, i8(END_PAIR))


@helper
def ended(s, slot, why):
    """Say that a trigger ends, and free it."""
    row = s.triggers[slot]
    emit_words(
        s, ENDED, why, 0, i8(row["side"]), i8(row["market"]), i8(row["account"]), 0,
        row["trigger_id"], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    trigger_drop(s, slot)


# --- parents -------------------------------------------------------------------------------------
@helper
def children_filled(s, account, order_id, lots):
    """Arm the triggers that wait for an order, of which `lots` more have filled."""
    slot = i8(s.accounts[account]["triggers_head"])
    while slot:
        row = s.triggers[slot]
        if row["parent_id"] == order_id:
            row["state"] = ARMED
            if row["flags"] & TRIGGER_FOLLOWS:
                row["size"] += lots
            s.triggers_dirty[slot] = 1
        slot = i8(row["account_next"])


@helper
def children_moved(s, account, order_id, heir_id, lots):
    """Hand the triggers of a replaced order to its heir, of which `lots` filled at once."""
    slot = i8(s.accounts[account]["triggers_head"])
    while slot:
        row = s.triggers[slot]
        if row["parent_id"] == order_id:
            row["parent_id"] = heir_id
            s.triggers_dirty[slot] = 1
        slot = i8(row["account_next"])
    if lots:
        children_filled(s, account, heir_id, lots)
