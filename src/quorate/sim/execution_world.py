"""Seeded worlds for the lockstep of spec and kernels: a genesis, a population, blocks of bundles.

A world reads the state between blocks (the spec's tables), so that its commands hit: they cancel
orders that exist, move prices around the book, spend what accounts have. Bundles are built as
admission would hand them over, so they need no signature; but every command could be admitted.
Everything follows from the seed.
"""

import random
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quorate.execution.spec.tables import Tables
from quorate.sim.execution_clearing import with_clearing
from quorate.sim.execution_commands import Author
from quorate.sim.execution_options import OptionsAuthor
from quorate.types import limits
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.codes import MarketKind
from quorate.types.limits import DAY_MS, VOLUME_WINDOW_MS
from quorate.types.records import ADMITTED

GENESIS_MS: Final = 1_760_000_000_000
HOUR_MS: Final = 3_600_000
USD: Final = 10**6
RICH_E6: Final = 30 * USD
PERPETUAL, SPOT = int(MarketKind.PERPETUAL), int(MarketKind.SPOT)
FEE_SCHEDULES: Final = (
    (FeeTier(0, -333, 777), FeeTier(3 * USD, -350, 700), FeeTier(50 * USD, -360, 401)),
    (FeeTier(0, 0, 0),),
    (FeeTier(0, 100_000, 100_000), FeeTier(1, 99_999, 100_000)),
)
MARGIN_SCHEDULES: Final = (
    (MarginTier(0, 40), MarginTier(8 * USD, 20)),
    (MarginTier(0, 7), MarginTier(2 * USD + 1, 3), MarginTier(33 * USD, 2)),
    (MarginTier(0, 1000), MarginTier(10 * USD, 1)),
)


# A bundle: signer, account, nonce, expiry_ms, commands of 64 bytes.
Row = tuple[bytes, int, int, int, list[bytes]]


@dataclass(frozen=True, slots=True)
class Block:
    """bundles: ADMITTED[n]; commands: uint8[m, 64], bundle after bundle."""

    height: int
    time_ms: int
    bundles: Any
    commands: Any


def market_ordinary(rng: random.Random, name: str, kind: int) -> MarketSpec:
    """A market whose bounds lie near the prices that the world uses."""
    tick, lot = rng.choice([1, 1, 5, 25]), rng.choice([1, 1, 3, 10])
    mid = tick * rng.choice([40, 100, 400])
    size_max = lot * rng.choice([20, 100])
    worth_e6 = RICH_E6 // rng.choice([3, 10, 30, 100])  # of an ordinary order
    return MarketSpec(
        name=name,
        kind=kind,
        tick_step=tick,
        lot_step=lot,
        quantum_e6=max(1, worth_e6 // (3 * lot * mid)),
        price_max_ticks=mid * rng.choice([2, 3, 10]) + rng.choice([0, 1, tick]),
        size_max_lots=size_max,
        position_max_lots=size_max * rng.choice([1, 2, 5]) if kind == PERPETUAL else 0,
        base_asset=0 if kind == PERPETUAL else rng.choice([1, 2]),
        lot_units=0 if kind == PERPETUAL else rng.choice([1, 7, 1000]),
        margin_schedule=rng.randrange(len(MARGIN_SCHEDULES)) if kind == PERPETUAL else 0,
        fee_schedule=rng.choice([0, 0, 0, 1, 1, 2, 3]),
        slippage_max_ppm=rng.choice([0, 10_000, 50_000, 500_000]),
        mark_ticks=rng.choice([mid, mid, mid, mid, 0]),
    )


def market_extreme(rng: random.Random, name: str) -> MarketSpec:
    """A perpetual whose orders reach the limits on notional."""
    price_max, size_max = rng.choice(
        [(limits.PRICE_TICKS_MAX, 1024), (2**20, 2**30), (2**19, limits.PERPETUAL_LOTS_MAX)]
    )
    most = limits.POSITION_NOTIONAL_MAX_E6 // price_max
    return MarketSpec(
        name=name,
        kind=PERPETUAL,
        tick_step=1,
        lot_step=1,
        quantum_e6=1,
        price_max_ticks=price_max,
        size_max_lots=min(size_max, limits.ORDER_NOTIONAL_MAX_E6 // price_max),
        position_max_lots=min(most, limits.PERPETUAL_LOTS_MAX),
        base_asset=0,
        lot_units=0,
        margin_schedule=rng.randrange(len(MARGIN_SCHEDULES)),
        fee_schedule=rng.choice([0, 1]),
        slippage_max_ppm=500_000,
        mark_ticks=price_max - rng.randrange(3),
    )


def markets_drawn(rng: random.Random) -> tuple[MarketSpec, ...]:
    """Two to four markets; the first is a perpetual."""
    kinds = [PERPETUAL] + [rng.choice([PERPETUAL, SPOT, SPOT]) for _ in range(rng.randrange(1, 4))]
    found = [market_ordinary(rng, f"M{n}", kind) for n, kind in enumerate(kinds, 1)]
    if rng.random() < 0.15:
        found[-1] = market_extreme(rng, found[-1].name)
    return tuple(found)


def edge_schedule(market: MarketSpec) -> tuple[FeeTier, ...]:
    """A schedule with tiers that the first fills at the market's mark reach exactly."""
    edge_e6 = max(1, market.mark_ticks * market.lot_step * market.quantum_e6)
    edges = [FeeTier(edge_e6 * k, 140 - 10 * k, 450 - 10 * k) for k in (1, 2, 3, 5, 8)]
    last_e6 = edges[-1].volume_min_e6
    return (FeeTier(0, 150, 450), *edges, FeeTier(last_e6 + 50 * USD, -50, 350))


def genesis_drawn(rng: random.Random) -> Genesis:
    """Tiny work limits half of the time, roles that are sometimes one key."""
    markets = markets_drawn(rng)
    fills = rng.choice([1, 2, 2, 3, 5, 50])
    examined = fills + rng.choice([0, 1, 2, 6, 20, 50, 50])
    bridge, governance, oracle = (rng.randbytes(20) for _ in range(3))
    if rng.random() < 0.2:
        governance = oracle = bridge
    return Genesis(
        name="fuzz",
        chain_id=1,
        time_ms=GENESIS_MS + rng.randrange(VOLUME_WINDOW_MS),
        protocol_version=1,
        order_rule=rng.randrange(2),
        fills_per_command_max=fills,
        orders_examined_per_command_max=examined,
        orders_per_account_max=rng.choice([examined, examined, max(1, examined // 2)]),
        faucet_e6_max=rng.choice([0, 0, 50 * USD]),
        bridge=bridge,
        governance=governance,
        oracle=oracle,
        assets=(AssetSpec("USD", 6), AssetSpec("A1", 8), AssetSpec("A2", 18)),
        fee_schedules=(edge_schedule(markets[0]), *FEE_SCHEDULES),
        margin_schedules=MARGIN_SCHEDULES,
        markets=markets,
    )


def addresses_drawn(rng: random.Random, count: int) -> list[bytes]:
    """Addresses of which some differ in one bit alone."""
    found = [rng.randbytes(20) for _ in range(count)]
    for k in range(1, count):
        if rng.random() < 0.4:
            near = bytearray(found[k - 1])
            near[rng.choice([0, 5, 6, 17, 18, 19])] ^= 1 << rng.randrange(8)
            found[k] = bytes(near)
    return list(dict.fromkeys(found))


class World:
    """One seeded world. Call `block` with the state before the block."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"execution {seed}")
        self.genesis = genesis_drawn(self.rng)
        clearing = random.Random(f"clearing {seed}")
        if clearing.random() < 0.5:
            self.genesis = with_clearing(clearing, self.genesis)
        g = self.genesis
        self.options: OptionsAuthor | None = None
        if g.clearing is not None and random.Random(f"with options {seed}").random() < 0.4:
            self.options = OptionsAuthor(seed, g)
        self.owners = addresses_drawn(self.rng, self.rng.randrange(4, 14))
        self.agents = addresses_drawn(self.rng, 6)
        self.strangers = [self.rng.randbytes(20) for _ in range(3)]
        self.roles = list(dict.fromkeys((g.bridge, g.governance, g.oracle)))
        self.height = 0
        self.time_ms = g.time_ms
        self.used: dict[bytes, list[int]] = {}
        self.author = Author(self.rng, g, self.owners, self.agents, self.strangers, RICH_E6)

    # --- time and nonces --------------------------------------------------------------------
    def time_step(self) -> int:
        """Milliseconds to the next block: mostly a moment, sometimes days."""
        draw = self.rng.random()
        if draw < 0.8:
            return self.rng.choice([0, 1, 200, 1000, 2500])
        if draw < 0.93:
            return self.rng.randrange(HOUR_MS)
        return self.rng.choice(
            [DAY_MS, 2 * DAY_MS, 3 * DAY_MS + 1, VOLUME_WINDOW_MS, 2 * VOLUME_WINDOW_MS + 1]
        )

    def nonce(self, signer: bytes) -> int:
        """Mostly a fresh one; else used, too old, too far ahead, or anywhere in the window."""
        rng, used = self.rng, self.used.setdefault(signer, [])
        draw = rng.random()
        low, high = self.time_ms - limits.NONCE_PAST_MS, self.time_ms + limits.NONCE_FUTURE_MS
        if draw < 0.85:
            nonce = max(self.time_ms, used[-1] + 1 if used else 0)
            if nonce >= high:
                nonce = rng.randrange(low + 1, high)
        elif draw < 0.9 and used:
            nonce = rng.choice(used[-120:])
        elif draw < 0.93:
            nonce = rng.choice([low, low + 1, low - 1, high, high - 1, high + 1, 0])
        elif draw < 0.94:
            nonce = limits.INT64_MAX
        else:
            nonce = rng.randrange(low + 1, high)
        if low < nonce < high - HOUR_MS:
            used.append(nonce)
        return nonce

    # --- who acts ---------------------------------------------------------------------------
    def actor(self) -> tuple[bytes, int]:
        """A signer and the account number that its bundle names; 0 leaves it to the signer."""
        rng, author = self.rng, self.author
        draw = rng.random()
        if draw < 0.72:
            signer = rng.choice(self.owners)
            own = author.accounts_of(signer)
            return signer, rng.choice([0, *own, *own])
        if draw < 0.92:
            signer = rng.choice(list(author.sessions) or self.agents)
            own = author.accounts_of(author.master_of(signer))
            if rng.random() < 0.9 and own:
                return signer, rng.choice([0, *own])
            return signer, rng.randrange(author.accounts_high + 2)
        if draw < 0.94:
            signer = rng.choice(self.strangers + self.agents)
            return signer, rng.choice([0, 0, rng.randrange(1, 9)])
        if draw < 0.98:
            return rng.choice(self.owners), 0
        return rng.choice(self.owners + self.roles), rng.choice(
            [0, rng.randrange(author.accounts_high + 2), 2**32 - 1]
        )

    # --- a block ----------------------------------------------------------------------------
    def block(self, t: Tables) -> Block:
        """Draw the next block."""
        rng = self.rng
        self.height += 1
        clearing = self.author.clearing
        if self.height <= 2:
            self.time_ms += 1
        else:
            self.time_ms += self.time_step() if clearing is None else clearing.time_step()
        self.author.look(t, self.time_ms, self.height)
        rows: list[Row] = []
        for role, make in (
            (self.genesis.bridge, self.author.bridge_commands),
            (self.genesis.oracle, self.author.oracle_commands),
            (self.genesis.governance, self.author.governance_commands),
        ):
            commands = make()
            if commands:
                rows.append((role, 0, self.nonce(role), 0, commands))
        if clearing is not None:
            for voter, said in clearing.votes():
                rows.append((voter, 0, self.nonce(voter), 0, said))
        for _ in range(rng.choice([1, 4, 8, 12])):
            rows.append(self.bundle())
        if rng.random() < 0.03:
            rows.extend(self.storm())
        rng.shuffle(rows)
        if self.options is not None:
            self.options.look(t, self.time_ms)
            listed = self.options.commands()
            if listed:
                governance = self.genesis.governance
                rows.append((governance, 0, self.options.nonce_drawn(), 0, listed))
        return packed(self.height, self.time_ms, rows)

    def bundle(self) -> Row:
        """A bundle of somebody's commands."""
        rng = self.rng
        signer, account = self.actor()
        acting = account or self.author.default_account(signer)
        commands: list[bytes] = []
        for _ in range(rng.choice([1, 1, 2, 4, 9])):
            commands.extend(self.author.commands(acting))
        expiry_ms = 0
        if rng.random() < 0.08:
            expiry_ms = max(0, self.time_ms + rng.choice([-1, 0, 1, 5000]))
        return signer, account, self.nonce(signer), expiry_ms, commands

    def storm(self) -> list[Row]:
        """Enough bundles of one signer, in any order of nonces, to fill its set and pass it."""
        rng, signer = self.rng, self.rng.choice(self.owners)
        low = self.time_ms - rng.choice([300, limits.NONCE_PAST_MS - 1])
        nonces = [low + rng.randrange(600) for _ in range(rng.choice([60, 130]))]
        account = self.author.default_account(signer)
        return [(signer, 0, nonce, 0, self.author.commands(account)) for nonce in nonces]


def packed(height: int, time_ms: int, rows: list[Row]) -> Block:
    """Lay bundles out as admission does."""
    bundles = np.zeros(len(rows), ADMITTED)
    first = 0
    for row, (signer, account, nonce, expiry_ms, commands) in zip(bundles, rows, strict=True):
        row["signer"] = np.frombuffer(signer, np.uint8)
        row["account"], row["nonce"], row["expiry_ms"] = account, nonce, expiry_ms
        row["first"], row["count"], row["kind"] = first, len(commands), 1
        first += len(commands)
    data = b"".join(b"".join(row[4]) for row in rows)
    commands_array = np.frombuffer(data, np.uint8).reshape(-1, limits.COMMAND_BYTES).copy()
    return Block(height, time_ms, bundles, commands_array)


def without(block: Block, start: int, stop: int) -> Block:
    """The block less some of its bundles."""
    rows: list[Row] = []
    for k, row in enumerate(block.bundles):
        first, count = int(row["first"]), int(row["count"])
        commands = [block.commands[at].tobytes() for at in range(first, first + count)]
        if not start <= k < stop:
            signer, account = row["signer"].tobytes(), int(row["account"])
            rows.append((signer, account, int(row["nonce"]), int(row["expiry_ms"]), commands))
    return packed(block.height, block.time_ms, rows)
