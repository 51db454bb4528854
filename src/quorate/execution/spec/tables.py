"""The narrow interface through which every rule touches state: row, put, insert, remove, seek.

`Tables` keeps rows in dicts and hands out copies, so that a rule changes state only by `put`.
A later implementation may run the same rules on a partial state proved by Merkle witnesses: what
a search returns (`seek`, `find_*`) is a hint, and the rules check it against committed links.
"""

from bisect import bisect_right, insort
from dataclasses import fields
from operator import attrgetter
from typing import Any

from quorate.execution.spec.clearing_rows import (
    Band,
    Change,
    Feed,
    Group,
    Risk,
    Trigger,
    Vote,
    Voter,
)
from quorate.execution.spec.options_rows import Expiry, Listing, Product, Series, SmileVote
from quorate.execution.spec.rows import (
    Account,
    Asset,
    Chain,
    FeeTierRow,
    Ledger,
    Level,
    MarginTierRow,
    Market,
    Nonces,
    Order,
    Parameters,
    Position,
    Session,
    Validator,
)
from quorate.types.records import Table

ROW_TYPES: dict[Table, type] = {
    Table.CHAIN: Chain,
    Table.LEDGER: Ledger,
    Table.PARAMETERS: Parameters,
    Table.ASSETS: Asset,
    Table.MARKETS: Market,
    Table.MARGIN_TIERS: MarginTierRow,
    Table.FEE_TIERS: FeeTierRow,
    Table.ACCOUNTS: Account,
    Table.ORDERS: Order,
    Table.LEVELS: Level,
    Table.SESSIONS: Session,
    Table.NONCES: Nonces,
    Table.VALIDATORS: Validator,
    Table.FEEDS: Feed,
    Table.VOTERS: Voter,
    Table.VOTES: Vote,
    Table.RISK: Risk,
    Table.BANDS: Band,
    Table.TRIGGERS: Trigger,
    Table.GROUPS: Group,
    Table.CHANGES: Change,
    Table.PRODUCTS: Product,
    Table.SERIES: Series,
    Table.EXPIRIES: Expiry,
    Table.SMILE_VOTES: SmileVote,
    Table.LISTINGS: Listing,
}

Key = tuple[Any, ...]
VALUES = {
    kind: attrgetter(*(each.name for each in fields(kind)))
    for kind in (*ROW_TYPES.values(), Position)
}


def copy(row: Any) -> Any:
    """Copy of a row that shares its lists; three times as quick as the library's copy."""
    kind = type(row)
    return kind(*VALUES[kind](row))


class Tables:
    """Committed rows by (table, slot), and the searches over them."""

    def __init__(self) -> None:
        self.rows: dict[Table, dict[int, Any]] = {table: {} for table in Table}
        self._keys: dict[Table, list[tuple[Key, int]]] = {table: [] for table in Table}
        self._order_slots: dict[int, int] = {}
        self._client_slots: dict[tuple[int, int, int], int] = {}

    def row(self, table: Table, slot: int) -> Any:
        """Copy of a row; a row never written reads as its type's blank."""
        row = self.rows[table].get(slot)
        if row is None:
            return ROW_TYPES[table]()
        duplicate = copy(row)
        if table is Table.ACCOUNTS:
            duplicate.positions = [copy(position) for position in row.positions]
        elif table is Table.NONCES:
            duplicate.nonces = list(row.nonces)
        return duplicate

    def put(self, table: Table, slot: int, row: Any) -> None:
        """Write a row back. The caller does not keep using the object."""
        if table is Table.ACCOUNTS:
            self._count("positions_live", len(row.positions) - self._tail_before(table, slot))
            row.positions_count = len(row.positions)
        elif table is Table.NONCES:
            self._count("nonces_live", len(row.nonces) - self._tail_before(table, slot))
            row.count = len(row.nonces)
        self.rows[table][slot] = row

    def _tail_before(self, table: Table, slot: int) -> int:
        row = self.rows[table].get(slot)
        if row is None:
            return 0
        return int(row.positions_count if table is Table.ACCOUNTS else row.count)

    def _count(self, name: str, change: int) -> None:
        """Keep the ledger's count of tail elements, which their limits are checked against."""
        if change:
            ledger = self.rows[Table.LEDGER][0]
            setattr(ledger, name, getattr(ledger, name) + change)

    # --- searches ------------------------------------------------------------------------------
    def seek(self, table: Table, key: Key) -> int:
        """Slot of the row with the greatest key <= `key`; a sentinel has the least key."""
        keys = self._keys[table]
        return keys[bisect_right(keys, (key, 2**63)) - 1][1]

    def seek_level(self, market: int, side: int, price: int) -> int:
        """Level at `price` or the next better one of that book side; 0 if none is as good."""
        rank = -price if side == 0 else price
        keys = self._keys[Table.LEVELS]
        at = bisect_right(keys, ((market, side, rank), 2**63)) - 1
        if at < 0 or keys[at][0][:2] != (market, side):
            return 0
        return keys[at][1]

    def find_order(self, order_id: int) -> int:
        """Slot of an open order, or 0."""
        return self._order_slots.get(order_id, 0)

    def find_client(self, account: int, cloid_hi: int, cloid_lo: int) -> int:
        """Slot of an account's open order by client id, or 0."""
        return self._client_slots.get((account, cloid_hi, cloid_lo), 0)

    # --- what the searches are built from --------------------------------------------------------
    def index(self, table: Table, slot: int) -> None:
        """Make a row that was just put findable."""
        row = self.rows[table][slot]
        if table is Table.ORDERS:
            self._order_slots[row.order_id] = slot
            if row.cloid_hi or row.cloid_lo:
                self._client_slots[row.account, row.cloid_hi, row.cloid_lo] = slot
        else:
            insort(self._keys[table], (key_of(table, row), slot))

    def unindex(self, table: Table, slot: int) -> None:
        """Forget a row that is about to be freed."""
        row = self.rows[table][slot]
        if table is Table.ORDERS:
            del self._order_slots[row.order_id]
            if row.cloid_hi or row.cloid_lo:
                del self._client_slots[row.account, row.cloid_hi, row.cloid_lo]
        else:
            self._keys[table].remove((key_of(table, row), slot))


def key_of(table: Table, row: Any) -> Key:
    """Key by which a row of an ordered table is sought."""
    if table is Table.ACCOUNTS:
        return (row.address, row.sub)
    if table is Table.SESSIONS:
        return (row.agent,)
    if table is Table.NONCES:
        return (row.signer,)
    assert table is Table.LEVELS
    return (row.market, row.side, -row.price if row.side == 0 else row.price)


def sought(t: Tables, table: Table, key: Key) -> int:
    """`seek`, whose answer may come from an untrusted hint, held against the committed links."""
    slot = t.seek(table, key)
    row = t.row(table, slot)
    if table is Table.ACCOUNTS:
        following: Key = (row.next_address, row.next_sub)
        last = not any(row.next_address)
    elif table is Table.SESSIONS:
        following, last = (row.next_agent,), not any(row.next_agent)
    else:
        assert table is Table.NONCES
        following, last = (row.next_signer,), not any(row.next_signer)
    assert key_of(table, row) <= key and (last or key < following), "seek told an untruth"
    return slot


# --- slots: last in, first out, kept in the free rows -------------------------------------------
_FREE_LINK = {
    Table.ORDERS: ("orders_high", "orders_free", "newer"),
    Table.LEVELS: ("levels_high", "levels_free", "worse"),
    Table.SESSIONS: ("sessions_high", "sessions_free", "account"),
    Table.NONCES: ("nonces_high", "nonces_free", "free_next"),
    Table.TRIGGERS: ("triggers_high", "triggers_free", "free_next"),
    Table.GROUPS: ("groups_high", "groups_free", "free_next"),
}
# Tables that are found by walking links from an account, and never sought. Their slot 0 comes into
# being with slot 1, so that a state without them has no rows.
UNSOUGHT = (Table.TRIGGERS, Table.GROUPS)


def insert(t: Tables, table: Table, row: Any) -> int:
    """Put `row` into the slot freed last, else into the next unused one; return the slot."""
    ledger = t.row(Table.LEDGER, 0)
    if table is Table.ACCOUNTS:
        slot = ledger.accounts_high
        ledger.accounts_high += 1
    else:
        high, free, link = _FREE_LINK[table]
        slot = getattr(ledger, free)
        if slot:
            setattr(ledger, free, getattr(t.row(table, slot), link))
        else:
            slot = max(getattr(ledger, high), 1)
            if table in UNSOUGHT and slot == 1:
                t.put(table, 0, ROW_TYPES[table]())
            setattr(ledger, high, slot + 1)
    t.put(Table.LEDGER, 0, ledger)
    t.put(table, slot, row)
    if table not in UNSOUGHT:
        t.index(table, slot)
    return int(slot)


def remove(t: Tables, table: Table, slot: int) -> None:
    """Free a row: all zeros but for the link to the slot freed before it."""
    if table not in UNSOUGHT:
        t.unindex(table, slot)
    _, free, link = _FREE_LINK[table]
    ledger = t.row(Table.LEDGER, 0)
    blank = ROW_TYPES[table]()
    setattr(blank, link, getattr(ledger, free))
    t.put(table, slot, blank)
    ledger = t.row(Table.LEDGER, 0)
    setattr(ledger, free, slot)
    t.put(Table.LEDGER, 0, ledger)
