"""A state before a block, and what the block's events have changed since. Whole numbers, fractions.

Accounts are copied out of the image when they are first looked at. A *bucket* is the cross account
(0) or the market of an isolated position.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import merge
from typing import Any, Final

import numpy as np

from quorate.types.records import ASSET_KEY, POSITION, POSITION_ISOLATED, Table

MILLION: Final = 1_000_000
TIERS: Final = 8  # of a schedule


def ceil(value: Fraction) -> int:
    """Round up."""
    return -(-value.numerator // value.denominator)


@dataclass(slots=True)
class Cell:
    """A position: signed lots, cost basis, index at the last payment, isolated margin."""

    size: int = 0
    entry_e6: int = 0
    funding_index: int = 0
    isolated_e6: int = 0
    isolated: bool = False
    orders: int = 0


@dataclass(slots=True)
class Holder:
    """An account."""

    cash_e6: int
    held_e6: int
    cells: dict[int, Cell] = field(default_factory=dict)


@dataclass(slots=True)
class MarketNow:
    """A market and its risk row, as far as margin depends on them."""

    quantum_e6: int
    price_max: int
    position_max: int
    lot_step: int
    mark: int
    interest: int
    tiers: list[tuple[int, int, int]]
    risk: dict[str, int]


class Worth:
    """The state as the events have left it so far."""

    def __init__(self, image: Any) -> None:
        self.accounts = image[Table.ACCOUNTS].rows
        self.positions = np.frombuffer(image[Table.ACCOUNTS].tail, POSITION)
        counts = self.accounts["positions_count"].astype(np.int64)
        self.ends = np.cumsum(counts)
        self.owners = np.repeat(np.arange(len(counts)), counts)
        self.holders: dict[int, Holder] = {}
        tiers = image[Table.MARGIN_TIERS].rows
        risk = image[Table.RISK].rows
        self.markets: list[MarketNow] = []
        for number, row in enumerate(image[Table.MARKETS].rows):
            first = int(row["margin_schedule"]) * TIERS
            used = [tier for tier in tiers[first : first + TIERS] if tier["used"]]
            rules = [
                (int(tier["lower_e6"]), int(tier["rate_ppm"]), int(tier["deduction_e6"]))
                for tier in used
            ]
            names = [name for name in risk.dtype.names if name != "reserved"]
            has = number < len(risk)
            values = {name: int(risk[number][name]) if has else 0 for name in names}
            self.markets.append(
                MarketNow(
                    int(row["quantum_e6"]),
                    int(row["price_max_ticks"]),
                    int(row["position_max_lots"]),
                    int(row["lot_step"]),
                    int(row["mark_ticks"]),
                    int(row["open_interest_lots"]),
                    rules,
                    values,
                )
            )
        ledger = image[Table.LEDGER].rows[0]
        self.vault = int(ledger["vault"])
        self.venue_e6 = int(ledger["insurance_e6"])
        feeds = image[Table.FEEDS].rows
        # Slots that changed since the image, and accounts ranked by market and sign as it has them.
        self.changed: set[int] = set()
        self.rankings: dict[tuple[int, int], list[tuple[Fraction, int]]] = {}
        self.indexes = [int(price) for price in feeds["price_ticks"]]
        self.confidences = [int(each) for each in feeds["confidence_ppm"]]

    # --- accounts ----------------------------------------------------------------------------
    def holder(self, slot: int) -> Holder:
        """An account, to read and to change."""
        found = self.holders.get(slot)
        if found is None:
            row = self.accounts[slot]
            found = Holder(int(row["cash_e6"]), int(row["held_e6"]))
            end = int(self.ends[slot])
            for cell in self.positions[end - int(row["positions_count"]) : end]:
                if cell["key"] < ASSET_KEY:
                    found.cells[int(cell["key"])] = Cell(
                        int(cell["size"]),
                        int(cell["entry_e6"]),
                        int(cell["funding_index"]),
                        int(cell["isolated_e6"]),
                        bool(cell["flags"] & POSITION_ISOLATED),
                        int(cell["orders_count"]),
                    )
            self.holders[slot] = found
        return found

    def ranked(self, market: int, sign: int) -> Iterator[int]:
        """Accounts with a position of that sign and with equity, the highest score first.

        Equal scores: the lower number. The order of those that have not changed is kept while
        marks and funding stand; those that have are judged anew and merged in.
        """
        kept = self.rankings.get((market, sign))
        if kept is None:
            mine = (self.positions["key"] == market) & (self.positions["size"] * sign > 0)
            kept = self.rankings[market, sign] = self.keys(self.owners[mine].tolist(), market, sign)
        fresh = self.keys(sorted(self.changed), market, sign)
        for _, slot in merge((each for each in kept if each[1] not in self.changed), fresh):
            yield slot

    def keys(self, slots: list[int], market: int, sign: int) -> list[tuple[Fraction, int]]:
        """Sort accounts for `ranked`."""
        found = []
        for slot in slots:
            if slot and self.cell(slot, market).size * sign > 0:
                score = self.score(slot, market)
                if score is not None:
                    found.append((-score, slot))
        return sorted(found)

    def moved(self) -> None:
        """A mark or a funding index has moved: nothing that was ranked stands."""
        self.rankings.clear()

    def cell(self, slot: int, market: int) -> Cell:
        """A position; an empty one if the account has none."""
        return self.holder(slot).cells.get(market, NOTHING)

    def bucket(self, slot: int, market: int) -> int:
        """The bucket to which an account's position in a market belongs."""
        return market if self.cell(slot, market).isolated else 0

    def in_bucket(self, slot: int, bucket: int) -> list[tuple[int, Cell]]:
        """Positions of a bucket, by market."""
        cells = sorted(self.holder(slot).cells.items())
        if bucket:
            return [(key, cell) for key, cell in cells if key == bucket and cell.isolated]
        return [(key, cell) for key, cell in cells if not cell.isolated]

    # --- worth -------------------------------------------------------------------------------
    def owed(self, market: int, cell: Cell) -> int:
        """Funding that a position owes, rounded up."""
        risk = self.markets[market].risk
        moved = Fraction(risk["funding_index"] - cell.funding_index, 2 ** risk["funding_shift"])
        return ceil(cell.size * moved)

    def equity(self, slot: int, bucket: int) -> int:
        """AV of a bucket, in 1e-6 USD."""
        holder = self.holder(slot)
        total = 0 if bucket else holder.cash_e6 - holder.held_e6
        for key, cell in self.in_bucket(slot, bucket):
            market = self.markets[key]
            total += cell.size * market.mark * market.quantum_e6 - self.owed(key, cell)
            total += cell.isolated_e6 if bucket else 0
        return total

    def required(self, market: int, lots: int) -> int:
        """Maintenance margin of so many lots at the mark."""
        row = self.markets[market]
        value = abs(lots) * row.mark * row.quantum_e6
        rate, deduction = 0, 0
        for lower, rate_ppm, deducted in row.tiers:
            if lower <= value:
                rate, deduction = rate_ppm, deducted
        return ceil(Fraction(value * rate, MILLION)) - deduction

    def maintenance(self, slot: int, bucket: int) -> int:
        """MM of a bucket."""
        return sum(self.required(key, cell.size) for key, cell in self.in_bucket(slot, bucket))

    def close_out(self, slot: int, bucket: int) -> int:
        """CM of a bucket."""
        return sum(
            ceil(
                Fraction(self.required(key, cell.size))
                * Fraction(self.markets[key].risk["close_ppm"], MILLION)
            )
            for key, cell in self.in_bucket(slot, bucket)
        )

    def standing(self, slot: int, bucket: int) -> int:
        """The state of a bucket below maintenance: 2 partial, 3 full, 4 bankrupt; else 0."""
        equity = self.equity(slot, bucket)
        if equity < 0:
            return 4
        if equity >= self.maintenance(slot, bucket):
            return 0
        return 2 if equity >= self.close_out(slot, bucket) else 3

    def initial(self, market: int, lots: int) -> int:
        """IM of so many lots: twice maintenance, scaled by open interest, more when in doubt."""
        row = self.markets[market]
        value = abs(lots) * row.mark * row.quantum_e6
        initial = 2 * self.required(market, lots)
        lower, upper = row.risk["oi_lower_e6"], row.risk["oi_upper_e6"]
        if upper > 0 and initial < value:
            interest = row.interest * row.mark * row.quantum_e6
            share = min(Fraction(1), max(Fraction(0), Fraction(interest - lower, upper - lower)))
            initial += ceil((value - initial) * share)
        doubt = max(0, min(MILLION, MILLION - self.confidences[row.risk["feed"]]))
        most = row.risk["confidence_ppm"]
        return initial + ceil(Fraction(initial * doubt * most, MILLION * MILLION))

    def unhedged(self, slot: int, market: int) -> int:
        """Lots of a position that hedge nothing in the markets of the same feed."""
        row, feed = self.markets[market], self.markets[market].risk["feed"]
        delta = sum(
            cell.size * self.markets[key].mark * self.markets[key].quantum_e6
            for key, cell in self.holder(slot).cells.items()
            if self.markets[key].risk["feed"] == feed and self.markets[key].risk["mode"]
        )
        size = self.cell(slot, market).size
        if size * delta <= 0:
            return 0
        return min(abs(size), abs(delta) // (row.mark * row.quantum_e6))

    def score(self, slot: int, market: int) -> Fraction | None:
        """Unrealized profit over the bucket's equity; None without equity."""
        cell, row = self.cell(slot, market), self.markets[market]
        sign = 1 if cell.size > 0 else -1
        profit = cell.size * row.mark * row.quantum_e6 - sign * cell.entry_e6
        equity = self.equity(slot, self.bucket(slot, market))
        return Fraction(profit, equity) if equity > 0 else None

    # --- changes -----------------------------------------------------------------------------
    def pay_funding(self, slot: int, market: int) -> None:
        """A position that is touched pays what it owes."""
        cell = self.holder(slot).cells.get(market)
        if cell is not None and self.markets[market].risk["mode"]:
            self.move(slot, market, -self.owed(market, cell))
            cell.funding_index = self.markets[market].risk["funding_index"]
            self.changed.add(slot)

    def move(self, slot: int, market: int, amount_e6: int) -> None:
        """Credit (or debit) the bucket to which a position belongs."""
        holder = self.holder(slot)
        self.changed.add(slot)
        cell = holder.cells.get(market)
        if cell is not None and cell.isolated:
            cell.isolated_e6 += amount_e6
        else:
            holder.cash_e6 += amount_e6

    def trade(self, slot: int, market: int, lots: int, price: int, fee_e6: int = 0) -> None:
        """Add signed lots at a price, after funding has been paid."""
        holder = self.holder(slot)
        self.pay_funding(slot, market)
        cell = holder.cells.get(market)
        if cell is None:
            cell = holder.cells[market] = Cell(
                funding_index=self.markets[market].risk["funding_index"]
            )
        lot_e6 = price * self.markets[market].quantum_e6
        self.move(slot, market, -lots * lot_e6 - fee_e6)  # notes that the account has changed
        before = cell.size
        cell.size += lots
        if before * lots >= 0:
            cell.entry_e6 += abs(lots) * lot_e6
            return
        closed = min(abs(lots), abs(before))
        cell.entry_e6 -= cell.entry_e6 * closed // abs(before)
        cell.entry_e6 += (abs(lots) - closed) * lot_e6
        self.close_if_empty(slot, market)

    def close_if_empty(self, slot: int, market: int) -> None:
        """A position without lots and orders ends; margin that it had to itself returns to cash,
        but less than nothing does not.
        """
        holder = self.holder(slot)
        cell = holder.cells.get(market)
        if cell is not None and not cell.size and not cell.orders and cell.isolated_e6 >= 0:
            holder.cash_e6 += cell.isolated_e6
            del holder.cells[market]

    def order_gone(self, slot: int, market: int) -> None:
        """One open order less."""
        cell = self.holder(slot).cells.get(market)
        if cell is not None and cell.orders:
            cell.orders -= 1
            self.changed.add(slot)
            self.close_if_empty(slot, market)


NOTHING: Final = Cell()
