"""Rows as dataclasses. Field names and units are those of `types.records`, a test holds them equal.

An account carries its positions and a signer its nonces, because the leaf of each does.
"""

from dataclasses import dataclass, field

ZERO_ADDRESS = bytes(20)
ZERO_DIGEST = bytes(32)
ZERO_KEY = bytes(33)


@dataclass(slots=True)
class Chain:
    height: int = 0
    time_ms: int = 0
    protocol_version: int = 0
    version_next: int = 0
    version_next_height: int = 0
    exec_block_digest: bytes = ZERO_DIGEST
    events_root: bytes = ZERO_DIGEST


@dataclass(slots=True)
class Ledger:
    fees_e6: int = 0
    order_id_next: int = 1
    withdrawal_id_next: int = 1
    sweep_orders: int = 1
    sweep_nonces: int = 1
    sweep_sessions: int = 1
    armed_head: int = 0
    armed_cursor: int = 0
    assets_high: int = 0
    markets_high: int = 1
    accounts_high: int = 1
    orders_high: int = 1
    orders_free: int = 0
    orders_live: int = 0
    levels_high: int = 1
    levels_free: int = 0
    sessions_high: int = 1
    sessions_free: int = 0
    nonces_high: int = 1
    nonces_free: int = 0
    positions_live: int = 0
    nonces_live: int = 0
    insurance_e6: int = 0
    gate_until_ms: int = 0
    debtors_count: int = 0
    tick_next_ms: int = 0
    tick_count: int = 0
    vault: int = 0
    scan_cursor: int = 0
    trigger_cursor: int = 0
    feeds_high: int = 0
    voters_high: int = 0
    votes_high: int = 0
    risk_high: int = 0
    bands_high: int = 0
    triggers_high: int = 0
    triggers_free: int = 0
    triggers_live: int = 0
    groups_high: int = 0
    groups_free: int = 0
    changes_high: int = 0
    changes_live: int = 0
    block_ms: int = 0
    debts_e6: int = 0
    products_high: int = 0
    series_high: int = 0
    series_live: int = 0
    expiries_high: int = 0
    smile_votes_high: int = 0
    listings_high: int = 0
    settle_cursor: int = 0
    settle_until: int = 0
    settle_count: int = 0


@dataclass(slots=True)
class Parameters:
    bridge: bytes = ZERO_ADDRESS
    order_rule: int = 0
    governance: bytes = ZERO_ADDRESS
    orders_per_account_max: int = 0
    oracle: bytes = ZERO_ADDRESS
    fills_per_command_max: int = 0
    orders_examined_per_command_max: int = 0
    faucet_e6_max: int = 0
    vault: bytes = ZERO_ADDRESS
    switch: int = 0
    tick_ms: int = 0
    fresh_ms: int = 0
    reduce_ms: int = 0
    halt_ms: int = 0
    quorum_ppm: int = 0
    outlier_ppm: int = 0
    liquidations_max: int = 0
    notice_blocks: int = 0
    gap_auctions: int = 0
    gate_ms: int = 0
    fixing_window_ms: int = 0
    fixing_sample_ms: int = 0
    listing_least_ms: int = 0


@dataclass(slots=True)
class Asset:
    decimals: int = 0
    deposited: int = 0
    withdrawn: int = 0
    name: bytes = bytes(16)


@dataclass(slots=True)
class Market:
    kind: int = 0
    status: int = 0
    tick_step: int = 0
    lot_step: int = 0
    quantum_e6: int = 0
    price_max_ticks: int = 0
    size_max_lots: int = 0
    position_max_lots: int = 0
    base_asset: int = 0
    lot_units: int = 0
    margin_schedule: int = 0
    fee_schedule: int = 0
    slippage_max_ppm: int = 0
    mark_ticks: int = 0
    mark_ms: int = 0
    last_ticks: int = 0
    bid_best: int = 0
    ask_best: int = 0
    open_interest_lots: int = 0
    volume_e6: int = 0
    trades_count: int = 0
    orders_count: int = 0
    name: bytes = bytes(16)


@dataclass(slots=True)
class MarginTierRow:
    lower_e6: int = 0
    rate_ppm: int = 0
    deduction_e6: int = 0
    used: int = 0


@dataclass(slots=True)
class FeeTierRow:
    volume_min_e6: int = 0
    maker_ppm: int = 0
    taker_ppm: int = 0
    used: int = 0


@dataclass(slots=True)
class Position:
    key: int = 0
    orders_count: int = 0
    flags: int = 0
    size: int = 0
    bids: int = 0
    asks: int = 0
    entry_e6: int = 0
    realized_e6: int = 0
    funding_index: int = 0
    isolated_e6: int = 0


@dataclass(slots=True)
class Account:
    address: bytes = ZERO_ADDRESS
    sub: int = 0
    next_address: bytes = ZERO_ADDRESS
    next_sub: int = 0
    cash_e6: int = 0
    held_e6: int = 0
    deadman_ms: int = 0
    volume_cur_e6: int = 0
    volume_prev_e6: int = 0
    volume_window: int = 0
    orders_head: int = 0
    orders_count: int = 0
    armed_prev: int = 0
    armed_next: int = 0
    positions_count: int = 0
    sessions_count: int = 0
    triggers_head: int = 0
    groups_head: int = 0
    triggers_count: int = 0
    groups_count: int = 0
    switch: int = 0
    standing: int = 0
    margin_mode: int = 0
    positions: list[Position] = field(default_factory=list)


@dataclass(slots=True)
class Order:
    order_id: int = 0
    price: int = 0
    size: int = 0
    remaining: int = 0
    expiry_ms: int = 0
    cloid_hi: int = 0
    cloid_lo: int = 0
    placed_ms: int = 0
    account: int = 0
    market: int = 0
    level: int = 0
    older: int = 0
    newer: int = 0
    account_prev: int = 0
    account_next: int = 0
    hold_ppm: int = 0
    side: int = 0
    tif: int = 0
    flags: int = 0
    group: int = 0
    group_slot: int = 0


@dataclass(slots=True)
class Level:
    price: int = 0
    lots: int = 0
    market: int = 0
    side: int = 0
    head: int = 0
    tail: int = 0
    better: int = 0
    worse: int = 0
    orders_count: int = 0


@dataclass(slots=True)
class Session:
    agent: bytes = ZERO_ADDRESS
    live: int = 0
    next_agent: bytes = ZERO_ADDRESS
    account: int = 0
    expiry_ms: int = 0
    order_notional_max_e6: int = 0
    position_notional_max_e6: int = 0
    leverage_max_e2: int = 0


@dataclass(slots=True)
class Validator:
    key: bytes = ZERO_KEY
    key_type: int = 0
    power: int = 0
    changed_height: int = 0
    power_before: int = 0
    height_before: int = 0


@dataclass(slots=True)
class Nonces:
    signer: bytes = ZERO_ADDRESS
    count: int = 0
    next_signer: bytes = ZERO_ADDRESS
    free_next: int = 0
    floor: int = 0
    nonces: list[int] = field(default_factory=list)
