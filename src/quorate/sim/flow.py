"""Seeded order flow over many accounts, built by columns so that making it costs little.

A `Flow` writes blocks of bundles: each bundle belongs to one account and holds places near the mid,
cancels and modifies of the account's recent orders, and takers. Everything follows from the seed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quorate.codec.commands import command_rows
from quorate.crypto.hashes import sha256
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.codes import Flag, Op, Side, Tif
from quorate.types.limits import (
    COMMAND_BYTES,
    COMMANDS_PER_BUNDLE_MAX,
    FILLS_PER_COMMAND_MAX,
    ORDERS_EXAMINED_PER_COMMAND_MAX,
    ORDERS_PER_ACCOUNT_MAX,
)
from quorate.types.records import ADMITTED

GENESIS_MS = 1_760_000_000_000
BRIDGE, GOVERNANCE, ORACLE = (bytes([n]) * 20 for n in (0xB1, 0x60, 0x0A))
PRICE_MID = 100_000
USD = 10**6
# Shares of the mix in per mille, in this order.
MIX = (("place", 400), ("cancel", 340), ("modify", 100), ("take", 140), ("market", 18), ("all", 2))


def bench_genesis(
    markets: int, *, bridge: bytes = BRIDGE, governance: bytes = GOVERNANCE, oracle: bytes = ORACLE
) -> Genesis:
    """Perpetuals of one shape: a lot is worth 1 USD at the mid."""
    return Genesis(
        name="bench",
        chain_id=9,
        time_ms=GENESIS_MS,
        protocol_version=1,
        order_rule=0,
        fills_per_command_max=FILLS_PER_COMMAND_MAX,
        orders_examined_per_command_max=ORDERS_EXAMINED_PER_COMMAND_MAX,
        orders_per_account_max=ORDERS_PER_ACCOUNT_MAX,
        faucet_e6_max=0,
        bridge=bridge,
        governance=governance,
        oracle=oracle,
        assets=(AssetSpec("USD", 6),),
        fee_schedules=((FeeTier(0, 100, 450), FeeTier(10**8 * USD, 50, 350)),),
        margin_schedules=((MarginTier(0, 40), MarginTier(150_000_000 * USD, 20)),),
        markets=tuple(
            MarketSpec(
                name=f"M{n}-PERP",
                kind=2,
                tick_step=1,
                lot_step=1,
                quantum_e6=10,
                price_max_ticks=10**7,
                size_max_lots=10**6,
                position_max_lots=4 * 10**7,
                base_asset=0,
                lot_units=0,
                margin_schedule=0,
                fee_schedule=0,
                slippage_max_ppm=50_000,
                mark_ticks=PRICE_MID,
            )
            for n in range(markets)
        ),
    )


def address_of_index(index: int) -> bytes:
    """An address without a key, for flow that is not signed."""
    return sha256(b"flow" + index.to_bytes(8, "little"))[:20]


@dataclass(frozen=True, slots=True)
class Block:
    """bundles: ADMITTED[n]; commands: uint8[m, 64], bundle after bundle."""

    height: int
    time_ms: int
    bundles: Any
    commands: Any


def one_signer(
    signer: bytes, commands: Any, *, height: int, time_ms: int, bundle_size: int
) -> Block:
    """A block in which one signer sends all commands in bundles of up to `bundle_size`."""
    count = len(commands)
    firsts = np.arange(0, count, bundle_size, dtype=np.int64)
    rows = np.zeros(len(firsts), ADMITTED)
    rows["signer"] = np.frombuffer(signer, np.uint8)
    rows["nonce"] = time_ms + np.arange(len(firsts))
    rows["first"] = firsts
    rows["count"] = np.minimum(bundle_size, count - firsts)
    rows["kind"] = 1
    return Block(height, time_ms, rows, commands)


def deposits(addresses: Any, amount_e6: int, *, height: int, time_ms: int) -> Block:
    """The bridge credits every address (uint8[n, 20]); this opens the accounts."""
    commands = command_rows(
        Op.DEPOSIT, len(addresses), address=addresses, amount=amount_e6, limit_a=1
    )
    return one_signer(
        BRIDGE, commands, height=height, time_ms=time_ms, bundle_size=COMMANDS_PER_BUNDLE_MAX
    )


class Flow:
    """The mixed flow. `addresses`: uint8[n, 20]; account i of the flow signs with addresses[i]."""

    def __init__(self, seed: int, addresses: Any, markets: int, height: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.addresses = addresses
        self.markets = markets
        self.height = height
        self.placed = np.zeros(len(addresses), np.int64)
        self.mids = np.full(markets + 1, PRICE_MID, np.int64)

    def block(self, bundles: int, size: int) -> Block:
        """A block of `bundles` bundles of `size` commands from distinct accounts."""
        rng = self.rng
        self.height += 1
        time_ms = GENESIS_MS + 200 * self.height
        self.mids[1:] += rng.integers(-3, 4, self.markets)
        self.mids.clip(PRICE_MID - 1000, PRICE_MID + 1000, out=self.mids)
        who = rng.choice(len(self.addresses), bundles, replace=False)
        shape = (bundles, size)
        draw = rng.integers(0, 1000, shape)
        ends = np.cumsum([share for _, share in MIX])
        kind = np.searchsorted(ends, draw, side="right")
        own = np.cumsum(kind == 0, axis=1) + self.placed[who][:, None]
        self.placed[who] = own[:, -1]
        commands = self._commands(kind.reshape(-1), own.reshape(-1))
        rows = np.zeros(bundles, ADMITTED)
        rows["signer"] = self.addresses[who]
        rows["nonce"] = time_ms
        rows["first"] = np.arange(bundles) * size
        rows["count"] = size
        rows["kind"] = 1
        return Block(self.height, time_ms, rows, commands)

    def _commands(self, kind: Any, own: Any) -> Any:
        rng = self.rng
        count = len(kind)
        market = rng.integers(1, self.markets + 1, count)
        side = rng.integers(0, 2, count)
        sign = np.where(side == Side.BUY, 1, -1)
        mid = self.mids[market]
        lots = rng.integers(1, 100, count)
        away = np.minimum(rng.geometric(0.04, count), 400)
        recent = own - rng.integers(0, 12, count)
        rows = np.zeros((count, COMMAND_BYTES), np.uint8)

        def write(name: str, op: Op, **columns: Any) -> None:
            at = np.flatnonzero(kind == [n for n, _ in MIX].index(name))
            picked = {k: v[at] if isinstance(v, np.ndarray) else v for k, v in columns.items()}
            rows[at] = command_rows(op, len(at), **picked)

        flags = np.where(rng.integers(0, 2, count) == 0, Flag.POST_ONLY | Flag.SLIDE, 0)
        write(
            "place",
            Op.PLACE,
            market=market,
            side=side,
            price=mid - sign * away,
            size=lots,
            flags=flags,
            cloid_lo=own,
        )
        write("cancel", Op.CANCEL_CLIENT, cloid_lo=np.maximum(recent, 1))
        write(
            "modify",
            Op.MODIFY_CLIENT,
            cloid_lo=np.maximum(recent, 1),
            price=mid - sign * away,
            size=lots,
        )
        write(
            "take",
            Op.PLACE,
            market=market,
            side=side,
            tif=int(Tif.IOC),
            price=mid + sign * 20,
            size=lots,
        )
        write(
            "market",
            Op.PLACE,
            market=market,
            side=side,
            tif=int(Tif.IOC),
            flags=int(Flag.MARKET),
            size=lots,
        )
        write("all", Op.CANCEL_ALL, market=market)
        return rows
