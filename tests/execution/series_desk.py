"""A desk of options: `options_exchange` with votes on smiles, trades, and time up to expiry.

Market 4 is a European call at 100 000 on feed 0; series of other products are put beside it. The
votes of everybody are sent in each block, as validators do.
"""

from typing import Any

from quorate.codec import commands as c
from quorate.codec.options_commands import SetSeries, VoteSmile
from quorate.types.clearing_spec import GlobalSpec
from quorate.types.codes import EventKind
from quorate.types.options_codes import SeriesState
from quorate.types.records import Table
from tests.execution.clearing_exchange import HOUSE, VOTERS, house, readings
from tests.execution.exchange import address, answers
from tests.execution.options_exchange import SERIES, Desk, product

VOL_E9 = 800_000_000
SMILE = tuple(VOL_E9 + 1_000_000 * lift for lift in (60, 40, 20, 10, 0, 5, 10, 20, 40))
PEOPLE = ("alice", "bob", "carol", "dave")
# A block every four seconds: a tick and a sample of a fixing each; votes live for two of them.
STEP_MS = 4_000
NUMBERS = {"fresh_ms": 8_000, "gap_auctions": 0}
assert set(NUMBERS) <= set(GlobalSpec.__slots__)


class SeriesDesk(Desk):
    """Both machines of the desk, in lockstep."""

    def __init__(self, **numbers: int) -> None:
        super().__init__(house({**NUMBERS, **numbers}, genesis=HOUSE))
        self.fund(*PEOPLE)

    # --- voters ---------------------------------------------------------------------------------
    def smile_rows(
        self, slot: int = 0, forward: int = 100_000, vols: tuple[int, ...] = SMILE
    ) -> list[Any]:
        """A bundle of each voter: the same smile."""
        vote = VoteSmile(slot, forward, vols)
        return [self.row(address(name), vote) for name in VOTERS]

    def beat(
        self, index: int = 100_000, *more: Any, smiles: int = 1, step_ms: int = STEP_MS
    ) -> Any:
        """A block in which all voters say an index (0: none) and the smiles of so many expiries."""
        rows = self.vote_rows(0, *[index] * 4) if index else []
        for slot in range(smiles if index else 0):
            rows += self.smile_rows(slot, index)
        return self.rows(*rows, *more, step_ms=step_ms)

    # --- series ---------------------------------------------------------------------------------
    def opened(self, *, hours: int = 48, index: int = 100_000) -> None:
        """A European call that has a mark."""
        self.ok("governance", product(0))
        self.market_made()
        self.beat(index, smiles=0)
        self.ok("governance", SetSeries(SERIES, 0, self.ahead(hours), strike=100_000))
        self.marked(index)

    def marked(self, index: int = 100_000, smiles: int = 1) -> None:
        """Vote until what was voted is in the marks."""
        self.beat(index, smiles=smiles)
        self.beat(index, smiles=smiles)

    def traded(self, buyer: str, seller: str, lots: int, price: int, market: int = SERIES) -> Any:
        """Let two people trade; both orders must be taken."""
        events = self.rows(
            self.row(address(seller), c.Place(market, 1, price, lots)),
            self.row(address(buyer), c.Place(market, 0, price, lots)),
        )
        assert not answers(events).any(), answers(events)
        return events

    def to(self, time_ms: int, index: int = 100_000) -> None:
        """Jump so that the next beat lies at a time."""
        self.time_ms = time_ms - STEP_MS

    def sampled(self, index: int, slot: int = 0, count: int = 448) -> None:
        """Pretend that the window of an expiry but its last two samples has passed at an index."""
        expiry_ms = self.expiry(slot).expiry_ms
        self.doctor(
            Table.EXPIRIES,
            slot,
            fix_sum=index * count,
            fix_count=count,
            fix_missing=448 - count,
            fix_next_ms=expiry_ms - STEP_MS,
        )
        self.to(expiry_ms - STEP_MS)

    def until_settled(self, index: int = 100_000, market: int = SERIES, most: int = 1_000) -> Any:
        """Beat until a series is settled; give all events of kinds that a settlement has."""
        kinds = (EventKind.FIXED, EventKind.SERIES_MOVED, EventKind.SETTLED)
        found: dict[EventKind, list[Any]] = {kind: [] for kind in kinds}
        checks = self.lockstep.checks
        for _ in range(most):
            last = self.time_ms + STEP_MS < self.series(market).expiry_ms
            self.lockstep.checks = checks and not last
            events = self.beat(index, smiles=0)
            for kind in kinds:
                found[kind].extend(readings(events, kind))
            if self.series(market).state == SeriesState.SETTLED:
                return found
        raise AssertionError("not settled")

    # --- looking --------------------------------------------------------------------------------
    def position(self, name: str, market: int = SERIES) -> int:
        """Lots that somebody holds."""
        row = self.at(Table.ACCOUNTS, self.account(name))
        return sum(each.size for each in row.positions if each.key == market)

    def cash(self, name: str) -> int:
        """Somebody's cash in 1e-6 quote."""
        return int(self.at(Table.ACCOUNTS, self.account(name)).cash_e6)

    def money(self) -> int:
        """Cash and isolated margin of everybody, fees and funds."""
        tables = self.lockstep.spec.tables
        total = 0
        for row in tables.rows[Table.ACCOUNTS].values():
            total += row.cash_e6 + sum(each.isolated_e6 for each in row.positions)
        ledger = self.ledger()
        risks = tables.rows[Table.RISK].values()
        total += sum(row.insurance_e6 + row.funding_pool_e6 for row in risks)
        return total + ledger.fees_e6 + ledger.insurance_e6
