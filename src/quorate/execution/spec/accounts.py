"""Accounts, subaccounts, session keys, and money that moves outside of trades."""

from quorate.execution import rules
from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.margin import assess, closing_fees, keeps_count
from quorate.execution.spec.positions import (
    position_close_if_empty,
    position_code,
    position_of,
    position_open,
)
from quorate.execution.spec.rows import Account, Session
from quorate.execution.spec.tables import Tables, insert, remove, sought
from quorate.types.clearing_codes import Guard, Mode
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
from quorate.types.records import ASSET_KEY, Table

QUOTE = 0  # asset number of the quote asset; its balance is the account's cash


def account_at(t: Tables, address: bytes, sub: int) -> int:
    """Slot of an account, or 0."""
    slot = sought(t, Table.ACCOUNTS, (address, sub))
    row = t.row(Table.ACCOUNTS, slot)
    return slot if slot and (row.address, row.sub) == (address, sub) else 0


def open_account(t: Tables, address: bytes, sub: int) -> int:
    """Insert an empty account between its neighbours in key order; return its slot."""
    before = sought(t, Table.ACCOUNTS, (address, sub))
    neighbour = t.row(Table.ACCOUNTS, before)
    slot = insert(
        t,
        Table.ACCOUNTS,
        Account(
            address=address,
            sub=sub,
            next_address=neighbour.next_address,
            next_sub=neighbour.next_sub,
        ),
    )
    neighbour.next_address, neighbour.next_sub = address, sub
    t.put(Table.ACCOUNTS, before, neighbour)
    return slot


# --- money ---------------------------------------------------------------------------------------
def credit_code(t: Tables, account: Account, asset: int, amount: int) -> Reject:
    """Whether an account may receive `amount` units of an asset."""
    if asset == QUOTE:
        if account.cash_e6 + amount > CASH_MAX_E6:
            return Reject.ACCOUNT_CASH_BEYOND_BOUND
        return Reject.OK
    return position_code(t, account, ASSET_KEY + asset)


def credit(account: Account, asset: int, amount: int) -> None:
    """Add units of an asset."""
    if asset == QUOTE:
        account.cash_e6 += amount
    else:
        position_open(account, ASSET_KEY + asset).size += amount


def debit_code(t: Tables, account: Account, asset: int, amount: int) -> Reject:
    """Whether `amount` units are free: neither held by orders nor needed as margin."""
    if asset == QUOTE:
        equity, initial, value = assess(t, account)
        floor = rules.withdrawable_floor(initial, value) + closing_fees(t, account)
        if equity - amount < max(floor, keeps_count(account)):
            return Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
        if account.cash_e6 - amount < -CASH_TRADING_MAX_E6:
            return Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
        return Reject.OK
    position = position_of(account, ASSET_KEY + asset)
    if position is None or position.size - position.asks < amount:
        return Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
    return Reject.OK


def debit(account: Account, asset: int, amount: int) -> None:
    """Take units of an asset that `debit_code` found free."""
    if asset == QUOTE:
        account.cash_e6 -= amount
    else:
        position_open(account, ASSET_KEY + asset).size -= amount
        position_close_if_empty(account, ASSET_KEY + asset)


def amount_code(t: Tables, asset: int, amount: int) -> Reject:
    """Whether asset and amount make sense at all."""
    if asset >= t.row(Table.LEDGER, 0).assets_high:
        return Reject.ASSET_MUST_EXIST
    if not 0 < amount <= SUPPLY_MAX:
        return Reject.AMOUNT_MUST_BE_POSITIVE
    return Reject.OK


def supply_add(t: Tables, asset: int, amount: int) -> Reject:
    """Count units that enter the chain."""
    row = t.row(Table.ASSETS, asset)
    if row.deposited - row.withdrawn + amount > SUPPLY_MAX:
        return Reject.SUPPLY_WOULD_PASS_LIMIT
    if row.deposited > DEPOSITED_MAX:
        # Only the difference matters; taking it early keeps both counts within int64 for ever.
        row.deposited -= row.withdrawn
        row.withdrawn = 0
    row.deposited += amount
    t.put(Table.ASSETS, asset, row)
    return Reject.OK


def backing(t: Tables) -> int:
    """Quote units on the chain that are neither fees nor insurance.

    Profit against an account in debt has none.
    """
    asset, ledger = t.row(Table.ASSETS, QUOTE), t.row(Table.LEDGER, 0)
    units = asset.deposited - asset.withdrawn - ledger.fees_e6 - ledger.insurance_e6
    for slot in range(ledger.risk_high):
        units -= t.row(Table.RISK, slot).insurance_e6
    return int(units)


def gated(c: Context) -> bool:
    """Whether money may not leave its owner: after an outage, or while a loss is uncovered.

    That is: while anybody was left open, or the last scan found buckets below zero.
    """
    ledger = c.t.row(Table.LEDGER, 0)
    return bool(
        c.time_ms < ledger.gate_until_ms
        or ledger.debtors_count > 0
        or ledger.debts_e6 > DEBTS_DUST_E6
    )


def stale(t: Tables, account: Account) -> bool:
    """Whether an account has lots whose mark follows no fresh index: what is free is unknown."""
    return any(
        position.key < ASSET_KEY
        and position.size
        and t.row(Table.RISK, position.key).mode != Mode.OFF
        and t.row(Table.RISK, position.key).guard != Guard.NONE
        for position in account.positions
    )


def deposit(
    c: Context, asset: int, address: bytes, sub: int, amount: int, reference: int
) -> Reject:
    """Bridge: money arrived outside. Opens the account of a new address."""
    if c.session or c.signer != c.t.row(Table.PARAMETERS, 0).bridge:
        return Reject.BRIDGE_KEY_REQUIRED
    code = amount_code(c.t, asset, amount)
    if code:
        return code
    target = account_at(c.t, address, sub)
    if not target:
        if sub or not any(address):
            return Reject.ACCOUNT_MUST_EXIST
        if c.t.row(Table.LEDGER, 0).accounts_high >= ACCOUNTS_MAX:
            return Reject.TABLE_FULL_SEND_LATER
    code = credit_code(c.t, c.t.row(Table.ACCOUNTS, target), asset, amount)
    code = code or supply_add(c.t, asset, amount)
    if code:
        return code
    target = target or open_account(c.t, address, 0)
    row = c.t.row(Table.ACCOUNTS, target)
    credit(row, asset, amount)
    c.t.put(Table.ACCOUNTS, target, row)
    c.emit_ledger(
        EventKind.DEPOSITED,
        asset=asset,
        account=target,
        amount=amount,
        address=address,
        reference=reference,
    )
    return Reject.OK


def faucet(c: Context, amount: int) -> Reject:
    """Development chains only: money from nowhere, counted as a deposit."""
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    most = c.t.row(Table.PARAMETERS, 0).faucet_e6_max
    if not most:
        return Reject.FAUCET_OFF_ON_THIS_CHAIN
    if amount > most:
        return Reject.FAUCET_AMOUNT_TOO_LARGE
    row = c.t.row(Table.ACCOUNTS, c.account)
    code = amount_code(c.t, QUOTE, amount) or credit_code(c.t, row, QUOTE, amount)
    code = code or supply_add(c.t, QUOTE, amount)
    if code:
        return code
    credit(row, QUOTE, amount)
    c.t.put(Table.ACCOUNTS, c.account, row)
    c.emit_ledger(
        EventKind.DEPOSITED, asset=QUOTE, account=c.account, amount=amount, address=row.address
    )
    return Reject.OK


def withdraw(c: Context, asset: int, destination: bytes, amount: int) -> Reject:
    """Owner: money leaves; the bridge pays `destination` outside against the event."""
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    row = c.t.row(Table.ACCOUNTS, c.account)
    if gated(c) or stale(c.t, row):
        return Reject.WITHDRAWALS_GATED_WAIT
    code = amount_code(c.t, asset, amount) or debit_code(c.t, row, asset, amount)
    if not code and asset == QUOTE and amount > backing(c.t):
        code = Reject.WITHDRAWAL_EXCEEDS_FREE_BALANCE
    if code:
        return code
    debit(row, asset, amount)
    c.t.put(Table.ACCOUNTS, c.account, row)
    supply = c.t.row(Table.ASSETS, asset)
    supply.withdrawn += amount
    c.t.put(Table.ASSETS, asset, supply)
    ledger = c.t.row(Table.LEDGER, 0)
    withdrawal_id = ledger.withdrawal_id_next
    ledger.withdrawal_id_next += 1
    c.t.put(Table.LEDGER, 0, ledger)
    c.emit_ledger(
        EventKind.WITHDRAWN,
        asset=asset,
        account=c.account,
        amount=amount,
        address=destination,
        reference=withdrawal_id,
    )
    return Reject.OK


def transfer(c: Context, asset: int, address: bytes, sub: int, amount: int) -> Reject:
    """Owner: money moves to another account of this chain; gated unless it is the owner's own.

    Lots with a stale mark gate that too: money is only as free as its account's worth is known.
    """
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    source_row = c.t.row(Table.ACCOUNTS, c.account)
    if (address != c.signer and gated(c)) or stale(c.t, source_row):
        return Reject.WITHDRAWALS_GATED_WAIT
    target = account_at(c.t, address, sub)
    if not target:
        return Reject.ACCOUNT_MUST_EXIST
    if target == c.account:
        return Reject.TARGET_MUST_DIFFER
    target_row = c.t.row(Table.ACCOUNTS, target)
    code = amount_code(c.t, asset, amount) or debit_code(c.t, source_row, asset, amount)
    code = code or credit_code(c.t, target_row, asset, amount)
    if code:
        return code
    debit(source_row, asset, amount)
    credit(target_row, asset, amount)
    c.t.put(Table.ACCOUNTS, c.account, source_row)
    c.t.put(Table.ACCOUNTS, target, target_row)
    c.emit_ledger(
        EventKind.TRANSFERRED,
        asset=asset,
        account=c.account,
        counter_account=target,
        amount=amount,
        address=address,
    )
    return Reject.OK


# --- subaccounts and keys ------------------------------------------------------------------------
def open_subaccount(c: Context, sub: int, receipt: Receipt) -> Reject:
    """Owner: open a further account under the same address; the receipt's id is its number."""
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    if not 0 < sub < SUBACCOUNTS_MAX:
        return Reject.SUBACCOUNT_MUST_BE_IN_RANGE
    if account_at(c.t, c.signer, sub):
        return Reject.SUBACCOUNT_ALREADY_OPEN
    if c.t.row(Table.LEDGER, 0).accounts_high >= ACCOUNTS_MAX:
        return Reject.TABLE_FULL_SEND_LATER
    receipt.order_id = open_account(c.t, c.signer, sub)
    return Reject.OK


def approve_agent(
    c: Context,
    agent: bytes,
    expiry_ms: int,
    order_notional_max_e6: int,
    position_notional_max_e6: int,
    leverage_max_e2: int,
) -> Reject:
    """Owner: let a session key trade, for all accounts of the owner's address. 0 = no limit."""
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    if expiry_ms and expiry_ms <= c.time_ms:
        return Reject.EXPIRY_MUST_BE_IN_THE_FUTURE
    if leverage_max_e2 and not LEVERAGE_MIN_E2 <= leverage_max_e2 <= LEVERAGE_MAX_E2:
        return Reject.FIELD_MUST_BE_IN_RANGE
    master = account_at(c.t, c.signer, 0)
    before = sought(c.t, Table.SESSIONS, (agent,))
    neighbour = c.t.row(Table.SESSIONS, before)
    if before and neighbour.agent == agent:
        if neighbour.account != master:
            return Reject.AGENT_ALREADY_APPROVED
        slot, session = before, neighbour
    else:
        # An agent may come to own an account later, by a deposit; it stays what it is.
        if not any(agent) or account_at(c.t, agent, 0):
            return Reject.AGENT_MUST_NOT_OWN_AN_ACCOUNT
        owner = c.t.row(Table.ACCOUNTS, master)
        if owner.sessions_count >= SESSIONS_PER_ACCOUNT_MAX:
            return Reject.AGENTS_TOO_MANY_REVOKE_ONE
        full = c.t.row(Table.LEDGER, 0)
        if not full.sessions_free and full.sessions_high >= SESSIONS_MAX:
            return Reject.TABLE_FULL_SEND_LATER
        session = Session(agent=agent, live=1, account=master, next_agent=neighbour.next_agent)
        slot = insert(c.t, Table.SESSIONS, session)
        session = c.t.row(Table.SESSIONS, slot)
        neighbour.next_agent = agent
        c.t.put(Table.SESSIONS, before, neighbour)
        owner.sessions_count += 1
        c.t.put(Table.ACCOUNTS, master, owner)
    session.expiry_ms = expiry_ms
    session.order_notional_max_e6 = order_notional_max_e6
    session.position_notional_max_e6 = position_notional_max_e6
    session.leverage_max_e2 = leverage_max_e2
    c.t.put(Table.SESSIONS, slot, session)
    return Reject.OK


def revoke_agent(c: Context, agent: bytes) -> Reject:
    """Owner: withdraw a session key's approval at once."""
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    master = account_at(c.t, c.signer, 0)
    slot = sought(c.t, Table.SESSIONS, (agent,))
    row = c.t.row(Table.SESSIONS, slot)
    if not slot or row.agent != agent or row.account != master:
        return Reject.AGENT_UNKNOWN
    drop_session(c.t, slot)
    return Reject.OK


def drop_session(t: Tables, slot: int) -> None:
    """Free a session's row and close the gap in key order."""
    row = t.row(Table.SESSIONS, slot)
    remove(t, Table.SESSIONS, slot)
    before = t.seek(Table.SESSIONS, (row.agent,))
    neighbour = t.row(Table.SESSIONS, before)
    neighbour.next_agent = row.next_agent
    t.put(Table.SESSIONS, before, neighbour)
    owner = t.row(Table.ACCOUNTS, row.account)
    owner.sessions_count -= 1
    t.put(Table.ACCOUNTS, row.account, owner)


# --- dead-man switch -----------------------------------------------------------------------------
def deadman_fired(account: Account, time_ms: int) -> bool:
    """Whether the switch is past its time. Orders of such an account are dead already."""
    return 0 < account.deadman_ms <= time_ms


def deadman(c: Context, at_ms: int) -> Reject:
    """Arm the switch for `at_ms`, move it, or disarm it with 0."""
    row = c.t.row(Table.ACCOUNTS, c.account)
    if deadman_fired(row, c.time_ms):
        return Reject.DEADMAN_FIRED_WAIT_A_BLOCK
    if at_ms and at_ms < c.time_ms + DEADMAN_AHEAD_MS_MIN:
        return Reject.DEADMAN_MUST_BE_AHEAD
    armed = row.deadman_ms != 0
    row.deadman_ms = at_ms
    c.t.put(Table.ACCOUNTS, c.account, row)
    if at_ms and not armed:
        deadman_link(c.t, c.account)
    elif armed and not at_ms:
        deadman_unlink(c.t, c.account)
    return Reject.OK


def deadman_link(t: Tables, slot: int) -> None:
    """Put an account at the head of the list of armed accounts."""
    ledger = t.row(Table.LEDGER, 0)
    head = ledger.armed_head
    row = t.row(Table.ACCOUNTS, slot)
    row.armed_next = head
    t.put(Table.ACCOUNTS, slot, row)
    if head:
        other = t.row(Table.ACCOUNTS, head)
        other.armed_prev = slot
        t.put(Table.ACCOUNTS, head, other)
    ledger.armed_head = slot
    t.put(Table.LEDGER, 0, ledger)


def deadman_unlink(t: Tables, slot: int) -> None:
    """Take an account off the list; the sweep's cursor steps past it."""
    row = t.row(Table.ACCOUNTS, slot)
    before, after = row.armed_prev, row.armed_next
    row.armed_prev = row.armed_next = 0
    row.deadman_ms = 0
    t.put(Table.ACCOUNTS, slot, row)
    ledger = t.row(Table.LEDGER, 0)
    if before:
        other = t.row(Table.ACCOUNTS, before)
        other.armed_next = after
        t.put(Table.ACCOUNTS, before, other)
    else:
        ledger.armed_head = after
    if after:
        other = t.row(Table.ACCOUNTS, after)
        other.armed_prev = before
        t.put(Table.ACCOUNTS, after, other)
    if ledger.armed_cursor == slot:
        ledger.armed_cursor = after
    t.put(Table.LEDGER, 0, ledger)
