"""Who signed a bundle, for which account, and whether its nonce is fresh.

A signer keeps the 100 highest nonces that it used and a floor: the highest nonce that was ever
dropped from the set. A nonce at or below the floor, or in the set, is refused; so a bundle executes
at most once although bundles of one signer may arrive in any order. Once every nonce and the floor
lie outside the window (`rules.nonce_in_window`), the window alone refuses them and the row is freed
(`sweeps.sweep_nonces`).
"""

from bisect import bisect_left

from quorate.execution import rules
from quorate.execution.spec.accounts import account_at, open_account
from quorate.execution.spec.context import Context
from quorate.execution.spec.rows import Nonces
from quorate.execution.spec.tables import Tables, insert, sought
from quorate.types.codes import Reject
from quorate.types.limits import ACCOUNTS_MAX, NONCE_ROWS_MAX, NONCES_MAX, NONCES_PER_SIGNER
from quorate.types.records import Table


def begin_bundle(
    c: Context, signer: bytes, account: int, nonce: int, expiry_ms: int
) -> tuple[Reject, bool]:
    """Judge a bundle and use up its nonce; return the code and whether the nonce was used.

    On OK the context says who acts. A refusal before the nonce leaves the state as it was.
    """
    c.signer, c.account, c.session = signer, 0, 0
    if expiry_ms and expiry_ms <= c.time_ms:
        return Reject.BUNDLE_EXPIRED_SIGN_AGAIN, False
    window = rules.nonce_in_window(nonce, c.time_ms)
    if window < 0:
        return Reject.NONCE_TOO_OLD_USE_CURRENT_MS, False
    if window > 0:
        return Reject.NONCE_TOO_FAR_AHEAD_USE_CURRENT_MS, False
    session = session_at(c.t, signer)
    master = c.t.row(Table.SESSIONS, session).account if session else account_at(c.t, signer, 0)
    faucet = c.t.row(Table.PARAMETERS, 0).faucet_e6_max > 0
    if not master and not faucet:
        return Reject.SIGNER_MUST_HAVE_AN_ACCOUNT, False
    code = nonce_fresh(c.t, signer, nonce)
    if code:
        return code, False
    if not master:
        if c.t.row(Table.LEDGER, 0).accounts_high >= ACCOUNTS_MAX:
            return Reject.TABLE_FULL_SEND_LATER, False
        master = open_account(c.t, signer, 0)
    nonce_use(c.t, signer, nonce)
    c.session = session
    c.account = account or master
    return may_act(c, master), True


def bundle_hopeless(t: Tables, signer: bytes, nonce: int, expiry_ms: int, time_ms: int) -> Reject:
    """Say why no block from time_ms on can execute a bundle; OK if one may.

    Only what stays so: an account may be opened, and a session approved, by the very next bundle.
    """
    if expiry_ms and expiry_ms <= time_ms:
        return Reject.BUNDLE_EXPIRED_SIGN_AGAIN
    if rules.nonce_in_window(nonce, time_ms) < 0:
        return Reject.NONCE_TOO_OLD_USE_CURRENT_MS
    code = nonce_fresh(t, signer, nonce)
    return Reject.OK if code == Reject.TABLE_FULL_SEND_LATER else code


def may_act(c: Context, master: int) -> Reject:
    """Whether the signer may act for the account that the bundle names."""
    if c.account >= c.t.row(Table.LEDGER, 0).accounts_high:
        return Reject.ACCOUNT_MUST_EXIST
    named = c.t.row(Table.ACCOUNTS, c.account)
    if named.address != c.signer:
        if not c.session or named.address != c.t.row(Table.ACCOUNTS, master).address:
            return Reject.SIGNER_MUST_BE_APPROVED_FOR_ACCOUNT
        expiry_ms = c.t.row(Table.SESSIONS, c.session).expiry_ms
        if expiry_ms and expiry_ms <= c.time_ms:
            return Reject.SESSION_EXPIRED_APPROVE_AGAIN
    else:
        c.session = 0
    return Reject.OK


def session_at(t: Tables, agent: bytes) -> int:
    """Slot of the live session of that key, or 0."""
    slot = sought(t, Table.SESSIONS, (agent,))
    return slot if slot and t.row(Table.SESSIONS, slot).agent == agent else 0


def nonce_fresh(t: Tables, signer: bytes, nonce: int) -> Reject:
    """Whether the signer has not used the nonce and may still use it."""
    slot = sought(t, Table.NONCES, (signer,))
    row = t.row(Table.NONCES, slot)
    ledger = t.row(Table.LEDGER, 0)
    full = ledger.nonces_live >= NONCES_MAX
    if not slot or row.signer != signer:
        rows_full = not ledger.nonces_free and ledger.nonces_high >= NONCE_ROWS_MAX
        return Reject.TABLE_FULL_SEND_LATER if full or rows_full else Reject.OK
    if nonce <= row.floor:
        return Reject.NONCE_BELOW_THE_HUNDRED_HIGHEST
    if nonce in row.nonces:
        return Reject.NONCE_ALREADY_USED
    if len(row.nonces) == NONCES_PER_SIGNER and nonce < row.nonces[0]:
        return Reject.NONCE_BELOW_THE_HUNDRED_HIGHEST
    if full and len(row.nonces) < NONCES_PER_SIGNER:
        return Reject.TABLE_FULL_SEND_LATER
    return Reject.OK


def nonce_use(t: Tables, signer: bytes, nonce: int) -> None:
    """Add a fresh nonce; beyond 100 the lowest goes and becomes the floor."""
    before = sought(t, Table.NONCES, (signer,))
    row = t.row(Table.NONCES, before)
    if before and row.signer == signer:
        if len(row.nonces) == NONCES_PER_SIGNER:
            row.floor = row.nonces.pop(0)
        row.nonces.insert(bisect_left(row.nonces, nonce), nonce)
        t.put(Table.NONCES, before, row)
        return
    fresh = Nonces(signer=signer, next_signer=row.next_signer, nonces=[nonce])
    insert(t, Table.NONCES, fresh)
    row.next_signer = signer
    t.put(Table.NONCES, before, row)
