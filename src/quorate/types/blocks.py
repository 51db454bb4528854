"""What rooms hand to one another: payload items, executable blocks, receipts, genesis."""

from dataclasses import dataclass, field

from quorate.types.clearing_spec import ClearingSpec


@dataclass(frozen=True, slots=True)
class Item:
    """One signed payload item as received: `kind` u8 and the bundle's canonical bytes."""

    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ExecBlock:
    """What execution sees of a block, whatever engine ordered it. `time_ms` is block time."""

    height: int
    time_ms: int
    protocol_version: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Executed:
    """Result of one block: 32-byte digests and the block's events as EVENT bytes."""

    height: int
    exec_block_digest: bytes
    events_root: bytes
    state_root: bytes
    events: bytes


@dataclass(frozen=True, slots=True)
class FeeTier:
    """From `volume_min_e6` of trailing volume on, these rates; a negative one is a rebate."""

    volume_min_e6: int
    maker_ppm: int
    taker_ppm: int


@dataclass(frozen=True, slots=True)
class MarginTier:
    """From notional `lower_e6` on, at most `leverage_max` (FORMULAS 1)."""

    lower_e6: int
    leverage_max: int


@dataclass(frozen=True, slots=True)
class AssetSpec:
    name: str
    decimals: int


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """A market as listed. `kind`: 1 spot, 2 perpetual. `quantum_e6`: worth of one tick and lot."""

    name: str
    kind: int
    tick_step: int
    lot_step: int
    quantum_e6: int
    price_max_ticks: int
    size_max_lots: int
    position_max_lots: int
    base_asset: int
    lot_units: int
    margin_schedule: int
    fee_schedule: int
    slippage_max_ppm: int
    mark_ticks: int = 0


@dataclass(frozen=True, slots=True)
class Genesis:
    """The application's genesis. Its canonical JSON's SHA-256 is bound into every signature.

    Addresses are 20 bytes. Schedules are tuples of tiers, index = schedule number.
    """

    name: str
    chain_id: int
    time_ms: int
    protocol_version: int
    order_rule: int
    fills_per_command_max: int
    orders_examined_per_command_max: int
    orders_per_account_max: int
    faucet_e6_max: int
    bridge: bytes
    governance: bytes
    oracle: bytes
    assets: tuple[AssetSpec, ...]
    fee_schedules: tuple[tuple[FeeTier, ...], ...]
    margin_schedules: tuple[tuple[MarginTier, ...], ...]
    markets: tuple[MarketSpec, ...] = field(default=())
    clearing: ClearingSpec | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A bundle that passed admission: its recovered signer and its 64-byte commands."""

    signer: bytes
    account: int
    nonce: int
    expiry_ms: int
    commands: tuple[bytes, ...]
