"""Who signed a bundle and whether its nonce is fresh; the same functions as `spec.signers`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.pools import nonces_grow
from quorate.execution.kernels.rows import (
    account_at,
    bytes_copy,
    bytes_equal,
    nonce_cell,
    nonces_index,
    nonces_seek,
    open_account,
    session_at,
)
from quorate.execution.kernels.scalars import (
    nonce_in_window,
)
from quorate.execution.kernels.state import NONCES_PER_CELL
from quorate.types.codes import Reject
from quorate.types.limits import ACCOUNTS_MAX, NONCE_ROWS_MAX, NONCES_MAX, NONCES_PER_SIGNER

i8 = np.int64
R = Reject
OK = int(R.OK)
BUNDLE_EXPIRED = int(R.BUNDLE_EXPIRED_SIGN_AGAIN)
NONCE_OLD = int(R.NONCE_TOO_OLD_USE_CURRENT_MS)
NONCE_AHEAD = int(R.NONCE_TOO_FAR_AHEAD_USE_CURRENT_MS)
NONCE_USED = int(R.NONCE_ALREADY_USED)
NONCE_BELOW = int(R.NONCE_BELOW_THE_HUNDRED_HIGHEST)
SIGNER_UNKNOWN = int(R.SIGNER_MUST_HAVE_AN_ACCOUNT)
NOT_APPROVED = int(R.SIGNER_MUST_BE_APPROVED_FOR_ACCOUNT)
SESSION_EXPIRED = int(R.SESSION_EXPIRED_APPROVE_AGAIN)
ACCOUNT_MUST_EXIST = int(R.ACCOUNT_MUST_EXIST)
TABLE_FULL = int(R.TABLE_FULL_SEND_LATER)



@helper
def begin_bundle(s, bundle):
    """Judge a bundle and use up its nonce; on OK `now` says who acts."""
    now = s.now[0]
    now["account"] = 0
    now["session"] = 0
    time_ms = now["time_ms"]
    signer = bundle["signer"]
    nonce = bundle["nonce"]
    if bundle["expiry_ms"] and bundle["expiry_ms"] <= time_ms:
        return BUNDLE_EXPIRED
    window = nonce_in_window(nonce, time_ms)
    if window:
        return NONCE_OLD if window < 0 else NONCE_AHEAD
    session = session_at(s, signer)
    master = i8(s.sessions[session]["account"]) if session else account_at(s, signer, i8(0))
    if not master and s.parameters[0]["faucet_e6_max"] == 0:
        return SIGNER_UNKNOWN
    slot = nonces_seek(s, signer)
    known = slot != 0 and bytes_equal(s.nonces[slot]["signer"], signer)
    code = nonce_fresh(s, slot, nonce) if known else nonces_room(s)
    if code != OK:
        return code
    if not master:
        if s.ledger[0]["accounts_high"] >= ACCOUNTS_MAX:
            return TABLE_FULL
        master = open_account(s, signer, i8(0))
    if not known:
        slot = nonces_insert(s, slot, signer)
    nonce_use(s, slot, nonce)
    account = i8(bundle["account"])
    now["session"] = session
    now["account"] = account if account else master
    return may_act(s, signer, master)


@helper
def may_act(s, signer, master):
    """Whether the signer may act for the account that the bundle names."""
    now = s.now[0]
    account = now["account"]
    if account >= s.ledger[0]["accounts_high"]:
        return ACCOUNT_MUST_EXIST
    session = now["session"]
    address = s.accounts[account]["address"]
    if bytes_equal(address, signer):
        now["session"] = 0
        return OK
    if not session or not bytes_equal(address, s.accounts[master]["address"]):
        return NOT_APPROVED
    expiry_ms = s.sessions[session]["expiry_ms"]
    if expiry_ms and expiry_ms <= now["time_ms"]:
        return SESSION_EXPIRED
    return OK


@helper
def nonces_room(s):
    """Whether a further signer fits."""
    if s.ledger[0]["nonces_live"] >= NONCES_MAX:
        return TABLE_FULL
    if not s.ledger[0]["nonces_free"] and s.ledger[0]["nonces_high"] >= NONCE_ROWS_MAX:
        return TABLE_FULL
    return OK


@helper
def nonce_place(s, slot, nonce):
    """Index of the first of the signer's nonces, which ascend, that is not below `nonce`."""
    low = i8(0)
    high = i8(s.nonces[slot]["count"])
    while low < high:
        middle = (low + high) >> 1
        cell, k = nonce_cell(s, slot, middle)
        if s.nonce_cells[cell, k] < nonce:
            low = middle + 1
        else:
            high = middle
    return low


@helper
def nonce_fresh(s, slot, nonce):
    """Whether the signer has not used the nonce and may still use it."""
    row = s.nonces[slot]
    if nonce <= row["floor"]:
        return NONCE_BELOW
    at = nonce_place(s, slot, nonce)
    count = i8(row["count"])
    if at < count:
        cell, k = nonce_cell(s, slot, at)
        if s.nonce_cells[cell, k] == nonce:
            return NONCE_USED
    if at == 0 and count == NONCES_PER_SIGNER:
        return NONCE_BELOW
    if count < NONCES_PER_SIGNER and s.ledger[0]["nonces_live"] >= NONCES_MAX:
        return TABLE_FULL
    return OK


@helper
def nonces_insert(s, before, signer):
    """Link a row for a new signer behind its neighbour in key order; return its slot."""
    ledger = s.ledger[0]
    slot = ledger["nonces_free"]
    if slot:
        ledger["nonces_free"] = i8(s.nonces[slot]["free_next"])
        s.nonces[slot]["free_next"] = 0
    else:
        slot = ledger["nonces_high"]
        ledger["nonces_high"] = slot + 1
    row = s.nonces[slot]
    bytes_copy(row["signer"], signer)
    bytes_copy(row["next_signer"], s.nonces[before]["next_signer"])
    bytes_copy(s.nonces[before]["next_signer"], signer)
    nonces_index(s, slot)
    s.nonces_dirty[slot] = 1
    s.nonces_dirty[before] = 1
    return slot


@helper
def nonce_use(s, slot, nonce):
    """Add a fresh nonce; beyond 100 the lowest goes and becomes the floor."""
    row = s.nonces[slot]
    count = i8(row["count"])
    if count == NONCES_PER_SIGNER:
        cell, k = nonce_cell(s, slot, i8(0))
        row["floor"] = s.nonce_cells[cell, k]
        for j in range(count - 1):
            cell, k = nonce_cell(s, slot, j + 1)
            moved = s.nonce_cells[cell, k]
            cell, k = nonce_cell(s, slot, j)
            s.nonce_cells[cell, k] = moved
        count -= 1
        row["count"] = count
        s.ledger[0]["nonces_live"] -= 1
    size_class = i8(s.nonces_class[slot])
    if size_class < 0 or count == (NONCES_PER_CELL << size_class):
        nonces_grow(s, slot)
    at = nonce_place(s, slot, nonce)
    for j in range(count, at, -1):
        cell, k = nonce_cell(s, slot, j - 1)
        moved = s.nonce_cells[cell, k]
        cell, k = nonce_cell(s, slot, j)
        s.nonce_cells[cell, k] = moved
    cell, k = nonce_cell(s, slot, at)
    s.nonce_cells[cell, k] = nonce
    row["count"] = count + 1
    s.ledger[0]["nonces_live"] += 1
    s.nonces_dirty[slot] = 1
