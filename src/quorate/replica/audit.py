"""What must hold after every block, whatever the commands were. A failure is our own bug.

Each block: the cash of all accounts and the fees collected are what was deposited less what was
withdrawn of the quote asset. Only accounts that the block touched are looked at; a copy of
every account's cash says what they had before.

Each full round of the scrub, and at snapshots: the same from scratch, the same for every other
asset, and as many lots long as short in every perpetual market.
"""

from typing import Any, Final

import numpy as np

from quorate.commitment.sha256 import I64
from quorate.replica.errors import AuditFailed
from quorate.replica.views import Tables
from quorate.types.codes import MarketKind
from quorate.types.records import ASSET_KEY, POSITION, Table

WRAP: Final = 1 << 64


def quote_owed(tables: Tables) -> int:
    """What the accounts' cash must add up to."""
    asset = tables.rows(Table.ASSETS)[0]
    fees = tables.rows(Table.LEDGER)[0]["fees_e6"]
    return int(asset["deposited"]) - int(asset["withdrawn"]) - int(fees)


class CashAudit:
    """The running sum of all accounts' cash.

    Partial sums may wrap at 2^64, so totals are compared modulo 2^64. That loses nothing: the
    true sum is the supply, which lies below 2^58.
    """

    def __init__(self, tables: Tables) -> None:
        self.cash = np.zeros(0, np.int64)
        self.total = 0
        count = len(tables.rows(Table.ACCOUNTS))
        self.fold(tables, np.arange(count, dtype=np.int64))

    def fold(self, tables: Tables, slots: I64) -> None:
        """Take in the present cash of accounts `slots`, each named once."""
        accounts = tables.rows(Table.ACCOUNTS)
        if len(accounts) > len(self.cash):
            grown = np.zeros(max(1024, 2 * len(accounts)), np.int64)
            grown[: len(self.cash)] = self.cash
            self.cash = grown
        present = accounts["cash_e6"][slots]
        change = np.subtract(present, self.cash[slots]).sum(dtype=np.int64)
        self.cash[slots] = present
        self.total += int(change)

    def check(self, tables: Tables, slots: I64) -> None:
        """Compare after a block that touched accounts `slots`. Raises AuditFailed."""
        if slots.size:
            self.fold(tables, slots)
        owed = quote_owed(tables)
        if (self.total - owed) % WRAP:
            raise AuditFailed(
                f"the accounts hold {self.total} of the quote asset and are owed {owed}"
            )


def whole_check(tables: Tables) -> None:
    """Add up every asset and every perpetual market from scratch. Raises AuditFailed."""
    accounts = tables.rows(Table.ACCOUNTS)
    cash, owed = int(accounts["cash_e6"].sum(dtype=np.int64)), quote_owed(tables)
    if cash != owed:
        raise AuditFailed(f"the accounts hold {cash} of the quote asset and are owed {owed}")
    keys, sums = position_sums(tables)
    assets, markets = tables.rows(Table.ASSETS), tables.rows(Table.MARKETS)
    held = dict(zip(keys, sums, strict=True))
    for slot in range(1, len(assets)):
        owed = int(assets[slot]["deposited"]) - int(assets[slot]["withdrawn"])
        units = held.get(ASSET_KEY + slot, 0)
        if units != owed:
            raise AuditFailed(f"the accounts hold {units} of asset {slot} and are owed {owed}")
    for slot in range(1, len(markets)):
        lots = held.get(slot, 0)
        if markets[slot]["kind"] == MarketKind.PERPETUAL and lots:
            raise AuditFailed(f"market {slot} is {lots} lots more long than short")


def position_sums(tables: Tables) -> tuple[list[int], list[int]]:
    """Give the keys of all positions and the sum of sizes of each."""
    rows = position_rows(tables)
    keys, places = np.unique(rows["key"], return_inverse=True)
    sums = np.zeros(len(keys), np.int64)
    np.add.at(sums, places, rows["size"])
    return keys.tolist(), sums.tolist()


def position_rows(tables: Tables) -> Any:
    """Copy the positions of all accounts, POSITION[n]."""
    count = len(tables.rows(Table.ACCOUNTS))
    tails = tables.views()[Table.ACCOUNTS].tails_of(np.arange(count, dtype=np.int64))
    cells = tails.sizes // POSITION.itemsize
    starts = tails.first // POSITION.itemsize
    before = np.cumsum(cells) - cells
    index = np.repeat(starts - before, cells) + np.arange(int(cells.sum()), dtype=np.int64)
    return tails.pool.view(POSITION)[index]
