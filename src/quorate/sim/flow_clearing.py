"""The mixed flow of `flow.py` on a venue with everything on: votes, triggers, protected quotes.

Each block four voters vote on every feed, part of the accounts guard their positions with triggers
and part of the resting orders belong to protected groups. Ticks come once a second of block time,
so that the scan of all accounts, marks, funding and bands run beside the orders.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from quorate.codec.commands import command_rows
from quorate.sim.flow import GENESIS_MS, PRICE_MID, USD, Block, Flow, bench_genesis
from quorate.types.blocks import Genesis
from quorate.types.clearing_codes import TriggerFlag, TriggerKind
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import Op
from quorate.types.limits import GROUPS_MAX
from quorate.types.records import ADMITTED

VAULT = bytes([0xFA]) * 20
VOTERS = tuple(bytes([0xE0 + n]) * 20 for n in range(4))
GROUP = 1
TRIGGERS_PER_BLOCK = 100


def clearing_spec(markets: int, numbers: GlobalSpec = GlobalSpec()) -> ClearingSpec:  # noqa: B008
    """A clearing house with every rule on, wide enough that trade at the mid goes on."""
    risk = RiskSpec(
        market=0,
        oi_cap_lots=10**12,
        oi_rise_lots=10**12,
        oi_lower_e6=10**9 * USD,
        oi_upper_e6=10**10 * USD,
        vault_notional_max_e6=10**8 * USD,
        insurance_draw_max_e6=10**8 * USD,
        confidence_ppm=100_000,
        tier_max_e6=10**9 * USD,
        bands=(
            BandSpec(60_000, 100_000, 100_000, 60_000),
            BandSpec(600_000, 200_000, 200_000, 300_000),
        ),
    )
    return ClearingSpec(
        vault=VAULT,
        feeds=tuple(FeedSpec(f"M{n}", PRICE_MID) for n in range(markets)),
        voters=tuple(VoterSpec(voter, 1) for voter in VOTERS),
        numbers=numbers,
        markets=tuple(replace(risk, market=n + 1, feed=n) for n in range(markets)),
    )


def full_genesis(markets: int) -> Genesis:
    """The venue of the mixed flow with a clearing house for each market."""
    return replace(bench_genesis(markets), clearing=clearing_spec(markets))


class FullFlow(Flow):
    """The mixed flow, and what the clearing house adds to it."""

    def groups_block(self) -> Block:
        """A block in which accounts set the limits of their groups: as many as the table takes."""
        self.height += 1
        time_ms = GENESIS_MS + 200 * self.height
        count = min(len(self.addresses), GROUPS_MAX - 1)
        commands = command_rows(
            Op.SET_GROUP,
            count,
            market=GROUP,
            price=10_000,
            size=100_000,
            expiry_ms=10**7 * USD,
            aux=1_000,
        )
        rows = np.zeros(count, ADMITTED)
        rows["signer"], rows["nonce"], rows["kind"] = self.addresses[:count], time_ms, 1
        rows["first"], rows["count"] = np.arange(count), 1
        return Block(self.height, time_ms, rows, commands)

    def block(self, bundles: int, size: int) -> Block:
        """A block of the mixed flow, with votes before it and triggers behind it."""
        base = super().block(bundles, size)
        orders = base.commands.reshape(bundles, size, -1)
        places = orders[: bundles // 4, :, 0] == Op.PLACE
        # `aux`, the group of an order, is the last word of its record.
        orders[: bundles // 4, :, 56] = np.where(places, GROUP, 0)
        votes = [self._votes() for _ in VOTERS]
        guards = self._guards(base)
        commands = np.concatenate([*votes, base.commands, guards])
        rows = np.zeros(len(VOTERS) + bundles + len(guards), ADMITTED)
        rows["nonce"], rows["kind"] = base.time_ms, 1
        rows["count"] = [self.markets] * len(VOTERS) + [size] * bundles + [1] * len(guards)
        rows["first"] = np.cumsum(rows["count"]) - rows["count"]
        rows["signer"][: len(VOTERS)] = [np.frombuffer(one, np.uint8) for one in VOTERS]
        rows["signer"][len(VOTERS) : len(VOTERS) + bundles] = base.bundles["signer"]
        rows["signer"][len(VOTERS) + bundles :] = base.bundles["signer"][: len(guards)]
        rows["nonce"][len(VOTERS) + bundles :] += 1
        return Block(base.height, base.time_ms, rows, commands)

    def _votes(self) -> Any:
        prices = self.mids[1:] + self.rng.integers(-2, 3, self.markets)
        return command_rows(
            Op.VOTE_PRICE, self.markets, market=np.arange(self.markets), price=prices, size=prices
        )

    def _guards(self, base: Block) -> Any:
        """Stops far from the market, one of each of the first accounts of the block."""
        count = min(TRIGGERS_PER_BLOCK, len(base.bundles))
        return command_rows(
            Op.TRIGGER,
            count,
            market=self.rng.integers(1, self.markets + 1, count),
            side=1,
            tif=int(TriggerKind.STOP),
            flags=int(TriggerFlag.REDUCE_ONLY),
            price=PRICE_MID - self.rng.integers(2_000, 9_000, count),
            size=self.rng.integers(1, 50, count),
        )
