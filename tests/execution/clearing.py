"""An exchange with a clearing house that stands still: what tests of margin and entry share.

Markets 1 and 3 are perpetuals with a clearing house, 2 is spot, 4 a perpetual without one. Ticks
are a day apart, so that after the first block nothing moves by itself; tests write index, guard,
mark and funding index into both machines, and the checker goes on judging.
"""

from dataclasses import replace
from typing import Any

from quorate.execution.spec import margin
from quorate.execution.spec.rows import Account, Position
from quorate.types.blocks import FeeTier, Genesis
from quorate.types.clearing_spec import (
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.limits import DAY_MS
from quorate.types.records import Table
from tests.execution.exchange import PERP, ROOMY, Exchange, address

OTHER, LEGACY = 3, 4
MARK = 100_000
NUMBERS = GlobalSpec(tick_ms=DAY_MS)


def clearing_genesis(base: Genesis = ROOMY, **risk: int) -> Genesis:
    """A genesis whose two cleared markets have that risk, apart from defaults that are off."""
    perp = base.markets[0]
    values = {"price_far_ppm": 0, **risk}
    return replace(
        base,
        fee_schedules=((FeeTier(0, 150, 450),), (FeeTier(0, 400, 700),)),
        markets=(
            perp,
            base.markets[1],
            replace(perp, name="ETH-PERP"),
            replace(perp, name="OLD-PERP"),
        ),
        clearing=ClearingSpec(
            address("vault"),
            (FeedSpec("BTC", MARK), FeedSpec("ETH", MARK)),
            (VoterSpec(address("voter"), 1),),
            NUMBERS,
            (RiskSpec(PERP, **values), RiskSpec(OTHER, **{**values, "feed": 1})),
        ),
    )


class Clearing(Exchange):
    """Both machines with a clearing house, and a hand that moves what ticks would move."""

    def __init__(self, base: Genesis = ROOMY, **risk: int) -> None:
        super().__init__(clearing_genesis(base, **risk))
        self.rows()
        for market in (PERP, OTHER):
            self.poke(Table.RISK, market, guard=0, phase=0)

    def poke(self, table: Table, slot: int, **values: int) -> None:
        """Write into both states; the checker goes on."""
        checks = self.lockstep.checks
        self.doctor(table, slot, **values)
        self.lockstep.checks = checks

    def mark(self, market: int, ticks: int) -> None:
        """Move a mark."""
        self.poke(Table.MARKETS, market, mark_ticks=ticks)

    def state(self, table: Table, slot: int) -> Any:
        """A row of the spec."""
        return self.lockstep.spec.tables.row(table, slot)

    def holder(self, name: str) -> Account:
        """Somebody's account."""
        account: Account = self.state(Table.ACCOUNTS, self.account(name))
        return account

    def position(self, name: str, market: int) -> Position | None:
        """Somebody's position."""
        return margin.position_of(self.holder(name), market)

    def worth(self, name: str, bucket: int = margin.CROSS) -> margin.Worth:
        """What somebody's bucket is worth."""
        return margin.bucket_worth(self.lockstep.spec.tables, self.holder(name), bucket)

    def drain(self, name: str, equity_e6: int) -> None:
        """Have somebody's cross equity be that, at the cost of the supply."""
        account = self.account(name)
        change = equity_e6 - self.worth(name).equity
        self.poke(Table.ACCOUNTS, account, cash_e6=self.holder(name).cash_e6 + change)
        asset = self.state(Table.ASSETS, 0)
        self.poke(Table.ASSETS, 0, deposited=asset.deposited + change)
