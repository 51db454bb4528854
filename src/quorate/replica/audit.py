"""What must hold after every block, whatever the commands were. A failure is our own bug.

Each block: the money of all accounts (cash and isolated margin), the fees collected, the insurance
funds and the funding pools are what was deposited less what was withdrawn of the quote asset. Only
accounts that the block touched are looked at; a copy of what every account had says what they had
before.

Each full round of the scrub, and at snapshots: the same from scratch, the same for every other
asset, no insurance fund below zero, isolated margin only where it may be, and as many lots long as
short in every perpetual market.
"""

from typing import Any, Final

import numpy as np

from quorate.commitment.sha256 import I64
from quorate.replica.errors import AuditFailed
from quorate.replica.views import Tables
from quorate.types.codes import MarketKind
from quorate.types.records import ASSET_KEY, POSITION, POSITION_ISOLATED, Table

WRAP: Final = 1 << 64


def quote_owed(tables: Tables) -> int:
    """What the accounts' money must add up to."""
    asset = tables.rows(Table.ASSETS)[0]
    ledger, risk = tables.rows(Table.LEDGER)[0], tables.rows(Table.RISK)
    owed = int(asset["deposited"]) - int(asset["withdrawn"])
    owed -= int(ledger["fees_e6"]) + int(ledger["insurance_e6"])
    if len(risk):
        owed -= int(risk["insurance_e6"].sum(dtype=np.int64))
        owed -= int(risk["funding_pool_e6"].sum(dtype=np.int64))
    return owed


def money_of(tables: Tables, slots: I64) -> I64:
    """Give cash and isolated margin of accounts, int64[n]; sums may wrap."""
    money: I64 = tables.rows(Table.ACCOUNTS)["cash_e6"][slots]
    if not len(tables.rows(Table.RISK)) or not slots.size:
        return money
    isolated, counts = positions_of(tables, slots)
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(isolated["isolated_e6"])])
    ends = np.cumsum(counts)
    money = np.add(money, np.subtract(sums[ends], sums[ends - counts]))
    return money


class CashAudit:
    """The running sum of all accounts' money.

    Partial sums may wrap at 2^64, so totals are compared modulo 2^64. That loses nothing: the
    true sum is the supply, which lies below 2^58.
    """

    def __init__(self, tables: Tables) -> None:
        self.cash = np.zeros(0, np.int64)
        self.total = 0
        count = len(tables.rows(Table.ACCOUNTS))
        self.fold(tables, np.arange(count, dtype=np.int64))

    def fold(self, tables: Tables, slots: I64) -> None:
        """Take in the present money of accounts `slots`, each named once."""
        accounts = tables.rows(Table.ACCOUNTS)
        if len(accounts) > len(self.cash):
            grown = np.zeros(max(1024, 2 * len(accounts)), np.int64)
            grown[: len(self.cash)] = self.cash
            self.cash = grown
        present = money_of(tables, slots)
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
    every = np.arange(len(accounts), dtype=np.int64)
    cash, owed = int(money_of(tables, every).sum(dtype=np.int64)), quote_owed(tables)
    if (cash - owed) % WRAP:
        raise AuditFailed(f"the accounts hold {cash} of the quote asset and are owed {owed}")
    funds_check(tables)
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
        if markets[slot]["kind"] != MarketKind.SPOT and lots:
            raise AuditFailed(f"market {slot} is {lots} lots more long than short")


def funds_check(tables: Tables) -> None:
    """No insurance fund is below zero, and no margin lies in a position that is not isolated."""
    risk = tables.rows(Table.RISK)
    if tables.rows(Table.LEDGER)[0]["insurance_e6"] < 0 or (risk["insurance_e6"] < 0).any():
        raise AuditFailed("an insurance fund is below zero")
    rows = position_rows(tables)
    stray = (rows["isolated_e6"] != 0) & (rows["flags"] & POSITION_ISOLATED == 0)
    if stray.any():
        raise AuditFailed("margin lies in a position that is not isolated")


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
    return positions_of(tables, np.arange(count, dtype=np.int64))[0]


def positions_of(tables: Tables, slots: I64) -> tuple[Any, I64]:
    """Copy the positions of accounts, POSITION[n], and say how many each has."""
    tails = tables.views()[Table.ACCOUNTS].tails_of(slots)
    cells = tails.sizes // POSITION.itemsize
    starts = tails.first // POSITION.itemsize
    before = np.cumsum(cells) - cells
    index = np.repeat(starts - before, cells) + np.arange(int(cells.sum()), dtype=np.int64)
    return tails.pool.view(POSITION)[index], cells
