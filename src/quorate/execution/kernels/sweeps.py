"""Housekeeping at the start of a block; the same functions as `spec.sweeps`."""

import numba
import numpy as np

from quorate.compiled import helper, kernel
from quorate.execution.kernels.accounts import deadman_unlink, drop_session
from quorate.execution.kernels.book import deadman_fired, order_cancel, order_dead
from quorate.execution.kernels.changes import changes_begin
from quorate.execution.kernels.pools import nonces_release
from quorate.execution.kernels.rows import (
    T_CHAIN,
    bytes_copy,
    bytes_zero,
    nonce_cell,
    nonces_seek,
    nonces_unindex,
)
from quorate.execution.kernels.scalars import (
    nonce_in_window,
)
from quorate.execution.kernels.signatures import RECORD
from quorate.execution.kernels.switches import gap_begin
from quorate.types.codes import End
from quorate.types.limits import (
    DEADMAN_ACCOUNTS_PER_BLOCK,
    DEADMAN_CANCELS_PER_BLOCK,
    SESSION_GRACE_MS,
    SWEEP_NONCES_PER_BLOCK,
    SWEEP_ORDERS_PER_BLOCK,
    SWEEP_SESSIONS_PER_BLOCK,
)
from quorate.types.records import NO_BUNDLE

i8 = np.int64
END_NONE, END_DEADMAN = int(End.NONE), int(End.DEADMAN)


@helper
def sweep_deadman(s):
    """Walk the armed accounts; cancel all orders of those whose time has passed and disarm them."""
    cancels = 0
    slot = s.ledger[0]["armed_cursor"]
    if not slot:
        slot = s.ledger[0]["armed_head"]
    for _ in range(DEADMAN_ACCOUNTS_PER_BLOCK):
        if not slot:
            break
        following = i8(s.accounts[slot]["armed_next"])
        if deadman_fired(s, slot):
            while s.accounts[slot]["orders_head"] and cancels < DEADMAN_CANCELS_PER_BLOCK:
                order_cancel(s, i8(s.accounts[slot]["orders_head"]), END_DEADMAN)
                cancels += 1
            if s.accounts[slot]["orders_head"]:
                break
            deadman_unlink(s, slot)
        slot = following
    s.ledger[0]["armed_cursor"] = slot


@helper
def sweep_orders(s):
    """Cancel orders that have expired or whose account's switch has fired."""
    slot = s.ledger[0]["sweep_orders"]
    high = s.ledger[0]["orders_high"]
    for _ in range(min(SWEEP_ORDERS_PER_BLOCK, high - 1)):
        if slot >= high:
            slot = i8(1)
        if s.orders[slot]["order_id"]:
            end = order_dead(s, slot)
            if end != END_NONE:
                order_cancel(s, slot, end)
        slot += 1
    s.ledger[0]["sweep_orders"] = slot


@helper
def sweep_nonces(s):
    """Free the rows of signers whose every nonce, floor included, the window refuses anyway."""
    slot = s.ledger[0]["sweep_nonces"]
    high = s.ledger[0]["nonces_high"]
    for _ in range(min(SWEEP_NONCES_PER_BLOCK, high - 1)):
        if slot >= high:
            slot = i8(1)
        count = i8(s.nonces[slot]["count"])
        if count:
            cell, k = nonce_cell(s, slot, count - 1)
            if nonce_in_window(s.nonce_cells[cell, k], s.now[0]["time_ms"]) < 0:
                nonces_remove(s, slot)
        slot += 1
    s.ledger[0]["sweep_nonces"] = slot


@helper
def nonces_remove(s, slot):
    """Free a signer's row and close the gap in key order."""
    row = s.nonces[slot]
    nonces_unindex(s, slot)
    before = nonces_seek(s, row["signer"])
    bytes_copy(s.nonces[before]["next_signer"], row["next_signer"])
    s.nonces_dirty[before] = 1
    nonces_release(s, slot)
    s.ledger[0]["nonces_live"] -= i8(row["count"])
    bytes_zero(row["signer"])
    bytes_zero(row["next_signer"])
    row["count"] = 0
    row["floor"] = 0
    row["free_next"] = s.ledger[0]["nonces_free"]
    s.ledger[0]["nonces_free"] = slot
    s.nonces_dirty[slot] = 1


@helper
def sweep_sessions(s):
    """Free session keys that expired longer ago than the grace period."""
    slot = s.ledger[0]["sweep_sessions"]
    high = s.ledger[0]["sessions_high"]
    until_ms = s.now[0]["time_ms"] - SESSION_GRACE_MS
    for _ in range(min(SWEEP_SESSIONS_PER_BLOCK, high - 1)):
        if slot >= high:
            slot = i8(1)
        row = s.sessions[slot]
        if row["live"] and row["expiry_ms"] > 0 and row["expiry_ms"] <= until_ms:
            drop_session(s, slot)
        slot += 1
    s.ledger[0]["sweep_sessions"] = slot


@helper
def version_step(s):
    """Phase 1: the rules' version changes at its announced height."""
    chain = s.chain[0]
    if chain["version_next"] and s.now[0]["height"] >= chain["version_next_height"]:
        chain["protocol_version"] = chain["version_next"]
        chain["version_next"] = 0
        chain["version_next_height"] = 0


@kernel(numba.types.void(RECORD))
def begin_block(s):
    """Phases 1 and 2: version, parameters, gaps, dead-man switches, expired orders, unused rows.

    The event rows are empty before it and have room for all that it can emit.
    """
    s.now[0]["bundle"] = NO_BUNDLE
    s.now[0]["command"] = 0
    s.small_dirty[T_CHAIN] = 1
    version_step(s)
    changes_begin(s)
    gap_begin(s)
    sweep_deadman(s)
    sweep_orders(s)
    sweep_nonces(s)
    sweep_sessions(s)
