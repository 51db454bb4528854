"""Accounts, subaccounts, session keys and money; the same functions as `spec.accounts`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import deadman_fired
from quorate.execution.kernels.margin import CROSS, assess, clears, closing_fees, keeps_count
from quorate.execution.kernels.rows import (
    T_ASSETS,
    account_at,
    bytes_any,
    bytes_copy,
    bytes_equal,
    bytes_zero,
    emit_ledger,
    open_account,
    position_close_if_empty,
    position_code,
    position_of,
    position_open,
    session_index,
    session_seek,
    session_unindex,
)
from quorate.execution.kernels.scalars import (
    withdrawable_floor,
)
from quorate.types.clearing_codes import Guard
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import (
    ACCOUNTS_MAX,
    CASH_MAX_E6,
    CASH_TRADING_MAX_E6,
    DEADMAN_AHEAD_MS_MIN,
    DEBTS_DUST_E6,
    DEPOSITED_MAX,
    LEVERAGE_MAX_E2,
    LEVERAGE_MIN_E2,
    SESSIONS_MAX,
    SESSIONS_PER_ACCOUNT_MAX,
    SUBACCOUNTS_MAX,
    SUPPLY_MAX,
)
from quorate.types.records import ASSET_KEY

i8 = np.int64
R = Reject
QUOTE = 0
GUARD_NONE = int(Guard.NONE)
GATED = int(R.WITHDRAWALS_GATED_WAIT)
OK = int(R.OK)
OWNER_KEY = int(R.OWNER_KEY_REQUIRED)
BRIDGE_KEY = int(R.BRIDGE_KEY_REQUIRED)
ACCOUNT_MUST_EXIST = int(R.ACCOUNT_MUST_EXIST)
ASSET_MUST_EXIST = int(R.ASSET_MUST_EXIST)
AMOUNT_POSITIVE = int(R.AMOUNT_MUST_BE_POSITIVE)
CASH_BOUND = int(R.ACCOUNT_CASH_BEYOND_BOUND)
FIELD_RANGE = int(R.FIELD_MUST_BE_IN_RANGE)
EXCEEDS_FREE = int(R.WITHDRAWAL_EXCEEDS_FREE_BALANCE)
SUPPLY_LIMIT = int(R.SUPPLY_WOULD_PASS_LIMIT)
TABLE_FULL = int(R.TABLE_FULL_SEND_LATER)
FAUCET_OFF, FAUCET_LARGE = int(R.FAUCET_OFF_ON_THIS_CHAIN), int(R.FAUCET_AMOUNT_TOO_LARGE)
TARGET_DIFFER = int(R.TARGET_MUST_DIFFER)
SUB_RANGE, SUB_OPEN = int(R.SUBACCOUNT_MUST_BE_IN_RANGE), int(R.SUBACCOUNT_ALREADY_OPEN)
EXPIRY_FUTURE = int(R.EXPIRY_MUST_BE_IN_THE_FUTURE)
AGENT_OWNS = int(R.AGENT_MUST_NOT_OWN_AN_ACCOUNT)
AGENT_APPROVED, AGENT_UNKNOWN = int(R.AGENT_ALREADY_APPROVED), int(R.AGENT_UNKNOWN)
AGENTS_TOO_MANY = int(R.AGENTS_TOO_MANY_REVOKE_ONE)
DEADMAN_FIRED, DEADMAN_AHEAD = int(R.DEADMAN_FIRED_WAIT_A_BLOCK), int(R.DEADMAN_MUST_BE_AHEAD)
DEPOSITED, WITHDRAWN = int(EventKind.DEPOSITED), int(EventKind.WITHDRAWN)
TRANSFERRED = int(EventKind.TRANSFERRED)



# --- money ---------------------------------------------------------------------------------------
@helper
def credit_code(s, account, asset, amount):
    """Whether an account may receive `amount` units of an asset."""
    if asset == QUOTE:
        if s.accounts[account]["cash_e6"] + amount > CASH_MAX_E6:
            return CASH_BOUND
        return OK
    return position_code(s, account, ASSET_KEY + asset)


@helper
def credit(s, account, asset, amount):
    """Add units of an asset."""
    if asset == QUOTE:
        s.accounts[account]["cash_e6"] += amount
    else:
        s.positions[position_open(s, account, ASSET_KEY + asset)]["size"] += amount
    s.accounts_dirty[account] = 1


@helper
def debit_code(s, account, asset, amount):
    """Whether `amount` units are free: neither held by orders nor needed as margin."""
    if asset == QUOTE:
        assess(s, account)
        now = s.now[0]
        floor = withdrawable_floor(now["margin"], now["value"])
        floor += closing_fees(s, account, i8(CROSS))
        if now["equity"] - amount < max(floor, keeps_count(s, account)):
            return EXCEEDS_FREE
        if s.accounts[account]["cash_e6"] - amount < -CASH_TRADING_MAX_E6:
            return EXCEEDS_FREE
        return OK
    cell = position_of(s, account, ASSET_KEY + asset)
    if cell < 0 or s.positions[cell]["size"] - s.positions[cell]["asks"] < amount:
        return EXCEEDS_FREE
    return OK


@helper
def debit(s, account, asset, amount):
    """Take units of an asset that `debit_code` found free."""
    if asset == QUOTE:
        s.accounts[account]["cash_e6"] -= amount
    else:
        s.positions[position_of(s, account, ASSET_KEY + asset)]["size"] -= amount
        position_close_if_empty(s, account, ASSET_KEY + asset, False)
    s.accounts_dirty[account] = 1


@helper
def amount_code(s, asset, amount):
    """Whether asset and amount make sense at all."""
    if asset >= s.ledger[0]["assets_high"]:
        return ASSET_MUST_EXIST
    if amount <= 0 or amount > SUPPLY_MAX:
        return AMOUNT_POSITIVE
    return OK


@helper
def supply_add(s, asset, amount):
    """Count units that enter the chain."""
    row = s.assets[asset]
    if row["deposited"] - row["withdrawn"] + amount > SUPPLY_MAX:
        return SUPPLY_LIMIT
    if row["deposited"] > DEPOSITED_MAX:
        # Only the difference matters; taking it early keeps both counts within int64 for ever.
        row["deposited"] -= row["withdrawn"]
        row["withdrawn"] = 0
    row["deposited"] += amount
    s.small_dirty[T_ASSETS] = 1
    return OK


@helper
def backing(s):
    """Quote units on the chain that are neither fees nor insurance."""
    row = s.assets[QUOTE]
    ledger = s.ledger[0]
    units = row["deposited"] - row["withdrawn"] - ledger["fees_e6"] - ledger["insurance_e6"]
    for slot in range(ledger["risk_high"]):
        units -= s.risk[slot]["insurance_e6"]
    return units


@helper
def gated(s):
    """Whether money may not leave its owner: after an outage, or while a loss is uncovered."""
    ledger = s.ledger[0]
    if s.now[0]["time_ms"] < ledger["gate_until_ms"] or ledger["debtors_count"] > 0:
        return True
    return ledger["debts_e6"] > DEBTS_DUST_E6


@helper
def stale(s, account):
    """Whether an account has lots whose mark follows no fresh index: what is free is unknown."""
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        position = s.positions[cell]
        market = i8(position["key"])
        if market >= ASSET_KEY or position["size"] == 0:
            continue
        if clears(s, market) and s.risk[market]["guard"] != GUARD_NONE:
            return True
    return False


@helper
def deposit(s, signer, command):
    """Bridge: money arrived outside. Opens the account of a new address."""
    if s.now[0]["session"] or not bytes_equal(signer, s.parameters[0]["bridge"]):
        return BRIDGE_KEY
    asset = i8(command["asset"])
    amount = command["amount"]
    address = command["address"]
    sub = i8(command["sub"])
    code = amount_code(s, asset, amount)
    if code != OK:
        return code
    target = account_at(s, address, sub)
    if not target:
        if sub or not bytes_any(address):
            return ACCOUNT_MUST_EXIST
        if s.ledger[0]["accounts_high"] >= ACCOUNTS_MAX:
            return TABLE_FULL
    code = credit_code(s, target, asset, amount)
    if code == OK:
        code = supply_add(s, asset, amount)
    if code != OK:
        return code
    if not target:
        target = open_account(s, address, i8(0))
    credit(s, target, asset, amount)
    emit_ledger(s, DEPOSITED, asset, target, i8(0), amount, address, command["limit_a"])
    return OK


@helper
def faucet(s, amount):
    """Development chains only: money from nowhere, counted as a deposit."""
    if s.now[0]["session"]:
        return OWNER_KEY
    most = s.parameters[0]["faucet_e6_max"]
    if not most:
        return FAUCET_OFF
    if amount > most:
        return FAUCET_LARGE
    account = s.now[0]["account"]
    code = amount_code(s, i8(QUOTE), amount)
    if code == OK:
        code = credit_code(s, account, i8(QUOTE), amount)
    if code == OK:
        code = supply_add(s, i8(QUOTE), amount)
    if code != OK:
        return code
    credit(s, account, i8(QUOTE), amount)
    address = s.accounts[account]["address"]
    emit_ledger(s, DEPOSITED, i8(QUOTE), account, i8(0), amount, address, i8(0))
    return OK


@helper
def withdraw(s, command):
    """Owner: money leaves; the bridge pays the destination outside against the event."""
    if s.now[0]["session"]:
        return OWNER_KEY
    account = s.now[0]["account"]
    if gated(s) or stale(s, account):
        return GATED
    asset = i8(command["asset"])
    amount = command["amount"]
    code = amount_code(s, asset, amount)
    if code == OK:
        code = debit_code(s, account, asset, amount)
    if code == OK and asset == QUOTE and amount > backing(s):
        code = EXCEEDS_FREE
    if code != OK:
        return code
    debit(s, account, asset, amount)
    s.assets[asset]["withdrawn"] += amount
    s.small_dirty[T_ASSETS] = 1
    withdrawal_id = s.ledger[0]["withdrawal_id_next"]
    s.ledger[0]["withdrawal_id_next"] = withdrawal_id + 1
    emit_ledger(
        s, WITHDRAWN, asset, account, i8(0), amount, command["address"], withdrawal_id
    )
    return OK


@helper
def transfer(s, command):
    """Owner: money moves to another account of this chain; gated unless it is the owner's own."""
    if s.now[0]["session"]:
        return OWNER_KEY
    account = s.now[0]["account"]
    if gated(s) and not bytes_equal(command["address"], s.accounts[account]["address"]):
        return GATED
    if stale(s, account):
        return GATED
    target = account_at(s, command["address"], i8(command["sub"]))
    if not target:
        return ACCOUNT_MUST_EXIST
    if target == account:
        return TARGET_DIFFER
    asset = i8(command["asset"])
    amount = command["amount"]
    code = amount_code(s, asset, amount)
    if code == OK:
        code = debit_code(s, account, asset, amount)
    if code == OK:
        code = credit_code(s, target, asset, amount)
    if code != OK:
        return code
    debit(s, account, asset, amount)
    credit(s, target, asset, amount)
    emit_ledger(s, TRANSFERRED, asset, account, target, amount, command["address"], i8(0))
    return OK


# --- subaccounts and keys ------------------------------------------------------------------------
@helper
def open_subaccount(s, signer, sub):
    """Owner: open a further account under the same address."""
    if s.now[0]["session"]:
        return OWNER_KEY
    if sub <= 0 or sub >= SUBACCOUNTS_MAX:
        return SUB_RANGE
    if account_at(s, signer, sub):
        return SUB_OPEN
    if s.ledger[0]["accounts_high"] >= ACCOUNTS_MAX:
        return TABLE_FULL
    s.now[0]["receipt_order"] = open_account(s, signer, sub)
    return OK


@helper
def approve_agent(s, signer, command):
    """Owner: let a session key trade, for all accounts of the owner's address. 0 = no limit."""
    if s.now[0]["session"]:
        return OWNER_KEY
    expiry_ms = command["expiry_ms"]
    if expiry_ms and expiry_ms <= s.now[0]["time_ms"]:
        return EXPIRY_FUTURE
    leverage = command["limit_b"]
    if leverage and (leverage < LEVERAGE_MIN_E2 or leverage > LEVERAGE_MAX_E2):
        return FIELD_RANGE
    agent = command["address"]
    master = account_at(s, signer, i8(0))
    slot = session_seek(s, agent)
    if slot and bytes_equal(s.sessions[slot]["agent"], agent):
        if i8(s.sessions[slot]["account"]) != master:
            return AGENT_APPROVED
    else:
        # An agent may come to own an account later, by a deposit; it stays what it is.
        if not bytes_any(agent) or account_at(s, agent, i8(0)):
            return AGENT_OWNS
        if i8(s.accounts[master]["sessions_count"]) >= SESSIONS_PER_ACCOUNT_MAX:
            return AGENTS_TOO_MANY
        if not s.ledger[0]["sessions_free"] and s.ledger[0]["sessions_high"] >= SESSIONS_MAX:
            return TABLE_FULL
        slot = session_insert(s, slot, agent, master)
    row = s.sessions[slot]
    row["expiry_ms"] = expiry_ms
    row["order_notional_max_e6"] = command["amount"]
    row["position_notional_max_e6"] = command["limit_a"]
    row["leverage_max_e2"] = command["limit_b"]
    s.sessions_dirty[slot] = 1
    return OK


@helper
def session_insert(s, before, agent, master):
    """Link a fresh session behind its neighbour in key order; return its slot."""
    ledger = s.ledger[0]
    slot = ledger["sessions_free"]
    if slot:
        ledger["sessions_free"] = i8(s.sessions[slot]["account"])
    else:
        slot = ledger["sessions_high"]
        ledger["sessions_high"] = slot + 1
    row = s.sessions[slot]
    bytes_copy(row["agent"], agent)
    row["live"] = 1
    row["account"] = master
    bytes_copy(row["next_agent"], s.sessions[before]["next_agent"])
    bytes_copy(s.sessions[before]["next_agent"], agent)
    session_index(s, slot)
    s.sessions_dirty[slot] = 1
    s.sessions_dirty[before] = 1
    s.accounts[master]["sessions_count"] += 1
    s.accounts_dirty[master] = 1
    return slot


@helper
def revoke_agent(s, signer, agent):
    """Owner: withdraw a session key's approval at once."""
    if s.now[0]["session"]:
        return OWNER_KEY
    master = account_at(s, signer, i8(0))
    slot = session_seek(s, agent)
    row = s.sessions[slot]
    if not slot or not bytes_equal(row["agent"], agent) or i8(row["account"]) != master:
        return AGENT_UNKNOWN
    drop_session(s, slot)
    return OK


@helper
def drop_session(s, slot):
    """Free a session's row and close the gap in key order."""
    row = s.sessions[slot]
    session_unindex(s, slot)
    before = session_seek(s, row["agent"])
    bytes_copy(s.sessions[before]["next_agent"], row["next_agent"])
    s.sessions_dirty[before] = 1
    account = i8(row["account"])
    s.accounts[account]["sessions_count"] -= 1
    s.accounts_dirty[account] = 1
    bytes_zero(row["agent"])
    bytes_zero(row["next_agent"])
    row["live"] = 0
    row["expiry_ms"] = 0
    row["order_notional_max_e6"] = 0
    row["position_notional_max_e6"] = 0
    row["leverage_max_e2"] = 0
    row["account"] = s.ledger[0]["sessions_free"]
    s.ledger[0]["sessions_free"] = slot
    s.sessions_dirty[slot] = 1


# --- dead-man switch -----------------------------------------------------------------------------
@helper
def deadman(s, at_ms):
    """Arm the switch for `at_ms`, move it, or disarm it with 0."""
    account = s.now[0]["account"]
    row = s.accounts[account]
    if deadman_fired(s, account):
        return DEADMAN_FIRED
    if at_ms and at_ms < s.now[0]["time_ms"] + DEADMAN_AHEAD_MS_MIN:
        return DEADMAN_AHEAD
    armed = row["deadman_ms"] != 0
    row["deadman_ms"] = at_ms
    s.accounts_dirty[account] = 1
    if at_ms and not armed:
        head = s.ledger[0]["armed_head"]
        row["armed_next"] = head
        if head:
            s.accounts[head]["armed_prev"] = account
            s.accounts_dirty[head] = 1
        s.ledger[0]["armed_head"] = account
    elif armed and not at_ms:
        deadman_unlink(s, account)
    return OK


@helper
def deadman_unlink(s, account):
    """Take an account off the list of armed ones; the sweep's cursor steps past it."""
    row = s.accounts[account]
    before = i8(row["armed_prev"])
    after = i8(row["armed_next"])
    row["armed_prev"] = 0
    row["armed_next"] = 0
    row["deadman_ms"] = 0
    s.accounts_dirty[account] = 1
    if before:
        s.accounts[before]["armed_next"] = after
        s.accounts_dirty[before] = 1
    else:
        s.ledger[0]["armed_head"] = after
    if after:
        s.accounts[after]["armed_prev"] = before
        s.accounts_dirty[after] = 1
    if s.ledger[0]["armed_cursor"] == account:
        s.ledger[0]["armed_cursor"] = after
