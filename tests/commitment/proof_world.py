"""A small state with all kinds of proofs, signed by three of four validators."""

from dataclasses import dataclass, replace

import coincurve
import numpy as np

from quorate.commitment import proof
from quorate.commitment.events import EventTree
from quorate.commitment.sha256 import U8, Tails
from quorate.commitment.state_root import StateTree, TableShape
from quorate.commitment.tree import TableView
from quorate.types import clearing, records
from quorate.types.records import Table

GENESIS = bytes(range(32))
CHAIN_ID = 4242
HEIGHT = 1_000_007
LIQUIDATED, TRIGGER_ENDED = 7, 8  # indexes of these events
KEYS = sorted(
    (coincurve.PrivateKey(bytes([i]) * 32) for i in range(1, 5)),
    key=lambda key: key.public_key.format(),
)
SIGNERS = [key.public_key.format() for key in KEYS]
Rows = np.ndarray[tuple[int], np.dtype[np.void]]
NOTHING = np.zeros(0, dtype=np.int64)


def as_bytes(rows: Rows) -> U8:
    return rows.view(np.uint8).reshape(rows.size, rows.dtype.itemsize)


def random_rows(seed: int, dtype: "np.dtype[np.void]", count: int) -> Rows:
    rng = np.random.default_rng(seed)
    return np.frombuffer(rng.bytes(dtype.itemsize * count), dtype=dtype).copy()


def signature(key: coincurve.PrivateKey, digest: bytes) -> bytes:
    return bytes(key.sign_recoverable(digest, hasher=None)[:64])


def signed(checkpoint: proof.Checkpoint, count: int = 3) -> proof.Checkpoint:
    digest = proof.checkpoint_digest(checkpoint)
    return replace(
        checkpoint,
        signatures={key.public_key.format(): signature(key, digest) for key in KEYS[:count]},
    )


@dataclass
class World:
    """The state, its views, its events and a checkpoint."""

    state: StateTree
    views: dict[Table, TableView]
    events: EventTree
    event_rows: U8
    checkpoint: proof.Checkpoint

    def account(self) -> proof.Proof:
        return proof.account_proof(self.state, self.views[Table.ACCOUNTS], 2, self.checkpoint)

    def position(self) -> proof.Proof:
        view = self.views[Table.ACCOUNTS]
        return proof.position_proof(self.state, view, 2, 1, self.checkpoint)

    def order(self) -> proof.Proof:
        return proof.order_proof(self.state, self.views[Table.ORDERS], 5, self.checkpoint)

    def event(self, index: int = 3) -> proof.Proof:
        view = self.views[Table.CHAIN]
        return proof.event_proof(
            self.state, view, self.events, self.event_rows, index, self.checkpoint
        )


def accounts_view() -> TableView:
    """Make three accounts that hold 0, 1 and 2 positions."""
    rows = random_rows(1, records.ACCOUNT, 3)
    rows["positions_count"] = [0, 1, 2]
    rows["cash_e6"][2] = -12_345_678
    positions = random_rows(2, records.POSITION, 3)
    positions["key"] = [1, 7, records.ASSET_KEY + 3]
    first, sizes = np.array([0, 0, 64]), np.array([0, 64, 128])
    pool = as_bytes(positions).reshape(-1)
    return TableView(as_bytes(rows), 3, lambda slots: Tails(pool, first[slots], sizes[slots]))


def liquidated() -> Rows:
    """Make the event of one step of a liquidation."""
    row = np.zeros(1, clearing.EVENT_READINGS["LIQUIDATED"])
    for name, value in {
        "kind": 12, "end": 2, "code": 2, "side": 1, "market": 7, "account": 3,
        "mark_ticks": 50_000, "price_ticks": 49_000, "lots": 5, "position": -12,
        "equity_before_e6": 12_500_000, "maintenance_before_e6": 20_000_000,
        "equity_after_e6": -1, "maintenance_after_e6": 5, "fee_e6": 0, "fund_e6": 250_000,
        "cash_e6": 4,
    }.items():  # fmt: skip
        row[name] = value
    return row


def world() -> World:
    """Make the state of height HEIGHT and its signed checkpoint."""
    events = EventTree()
    event_table = random_rows(3, records.EVENT, 11)
    event_table["kind"] = 3
    event_table["kind"][9] = 6
    event_table[LIQUIDATED] = np.frombuffer(liquidated().tobytes(), records.EVENT)[0]
    event_table["kind"][TRIGGER_ENDED] = 15
    event_rows = as_bytes(event_table)
    chain = random_rows(4, records.CHAIN, 1)
    chain["height"] = HEIGHT
    chain["events_root"][0] = np.frombuffer(events.rebuild(event_rows), dtype=np.uint8)
    orders = random_rows(5, records.ORDER, 6)
    orders["order_id"] = range(6)
    orders["side"], orders["tif"] = 1, 2
    views = {
        Table.CHAIN: TableView(as_bytes(chain), 1),
        Table.ACCOUNTS: accounts_view(),
        Table.ORDERS: TableView(as_bytes(orders), 6),
    }
    shapes = [
        TableShape(
            table,
            table.name,
            records.ROW_DTYPES[table].itemsize,
            records.TAIL_BYTES.get(table, 0),
        )
        for table in views
    ]
    state = StateTree(shapes)
    root = state.update(list(views.values()), [NOTHING] * 3)
    checkpoint = proof.Checkpoint(CHAIN_ID, GENESIS, 6, HEIGHT, bytes([9]) * 32, root, {})
    return World(state, views, events, event_rows, signed(checkpoint))
