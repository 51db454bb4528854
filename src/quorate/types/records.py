"""Row and record layouts: the one definition of bytes for spec, kernel, wire and proof.

Every dtype is little-endian, explicit and without hidden padding. A *table row* is what a Merkle
leaf commits to. Two tables have a variable tail that belongs to the leaf: an account's positions
follow its row, a signer's nonces follow its row. A leaf is never 64 bytes long, so that it can
never be read as an inner node.

Links are slot numbers in their table, 0 for none. A free row is all zeros but for its free link
(`newer` in orders, `worse` in levels, `account` in sessions, `free_next` in nonces). Slot 0 of a
table that is ordered by key is the sentinel with the lowest key.
"""

from enum import IntEnum
from typing import Final

import numpy as np

from quorate.types import clearing, limits, options

ADDRESS_BYTES: Final = 20
VALIDATOR_KEY_BYTES: Final = 33
ASSET_KEY: Final = 0x8000_0000  # position keys at and above this are asset numbers, below markets


class Table(IntEnum):
    """Order of the table roots under the state root. 26 to 31 are reserved for later tables."""

    CHAIN = 0
    LEDGER = 1
    PARAMETERS = 2
    ASSETS = 3
    MARKETS = 4
    MARGIN_TIERS = 5
    FEE_TIERS = 6
    ACCOUNTS = 7
    ORDERS = 8
    LEVELS = 9
    SESSIONS = 10
    NONCES = 11
    VALIDATORS = 12
    FEEDS = 13
    VOTERS = 14
    VOTES = 15
    RISK = 16
    BANDS = 17
    TRIGGERS = 18
    GROUPS = 19
    CHANGES = 20
    PRODUCTS = 21
    SERIES = 22
    EXPIRIES = 23
    SMILE_VOTES = 24
    LISTINGS = 25


CHAIN = np.dtype(
    [
        ("height", "<i8"),
        ("time_ms", "<i8"),
        ("protocol_version", "<i8"),
        ("version_next", "<i8"),
        ("version_next_height", "<i8"),
        ("exec_block_digest", "u1", (32,)),
        ("events_root", "u1", (32,)),
        ("reserved", "<i8"),
    ]
)
LEDGER = np.dtype(
    [
        ("fees_e6", "<i8"),
        ("order_id_next", "<i8"),
        ("withdrawal_id_next", "<i8"),
        ("sweep_orders", "<i8"),
        ("sweep_nonces", "<i8"),
        ("sweep_sessions", "<i8"),
        ("armed_head", "<i8"),
        ("armed_cursor", "<i8"),
        ("assets_high", "<i8"),
        ("markets_high", "<i8"),
        ("accounts_high", "<i8"),
        ("orders_high", "<i8"),
        ("orders_free", "<i8"),
        ("orders_live", "<i8"),
        ("levels_high", "<i8"),
        ("levels_free", "<i8"),
        ("sessions_high", "<i8"),
        ("sessions_free", "<i8"),
        ("nonces_high", "<i8"),
        ("nonces_free", "<i8"),
        ("positions_live", "<i8"),
        ("nonces_live", "<i8"),
        # of the clearing house
        ("insurance_e6", "<i8"),
        ("gate_until_ms", "<i8"),
        ("debtors_count", "<i8"),
        ("tick_next_ms", "<i8"),
        ("tick_count", "<i8"),
        ("vault", "<i8"),
        ("scan_cursor", "<i8"),
        ("trigger_cursor", "<i8"),
        ("feeds_high", "<i8"),
        ("voters_high", "<i8"),
        ("votes_high", "<i8"),
        ("risk_high", "<i8"),
        ("bands_high", "<i8"),
        ("triggers_high", "<i8"),
        ("triggers_free", "<i8"),
        ("triggers_live", "<i8"),
        ("groups_high", "<i8"),
        ("groups_free", "<i8"),
        ("changes_high", "<i8"),
        ("changes_live", "<i8"),
        ("block_ms", "<i8"),
        ("debts_e6", "<i8"),
        # of options
        ("products_high", "<i8"),
        ("series_high", "<i8"),
        ("series_live", "<i8"),
        ("expiries_high", "<i8"),
        ("smile_votes_high", "<i8"),
        ("listings_high", "<i8"),
        ("settle_cursor", "<i8"),
        ("settle_until", "<i8"),
        ("settle_count", "<i8"),
    ]
)
PARAMETERS = np.dtype(
    [
        ("bridge", "u1", (20,)),
        ("order_rule", "<u4"),
        ("governance", "u1", (20,)),
        ("orders_per_account_max", "<u4"),
        ("oracle", "u1", (20,)),
        ("fills_per_command_max", "<u4"),
        ("orders_examined_per_command_max", "<i8"),
        ("faucet_e6_max", "<i8"),
        ("vault", "u1", (20,)),
        ("switch", "<u4"),
        *clearing.int64_fields(" ".join(clearing.GLOBALS)),
        ("reserved", "<i8", (3,)),
    ]
)
ASSET = np.dtype(
    [
        ("decimals", "<i8"),
        ("deposited", "<i8"),
        ("withdrawn", "<i8"),
        ("name", "u1", (16,)),
        ("reserved", "<i8"),
    ]
)
MARKET = np.dtype(
    [
        ("kind", "<i8"),
        ("status", "<i8"),
        ("tick_step", "<i8"),
        ("lot_step", "<i8"),
        ("quantum_e6", "<i8"),
        ("price_max_ticks", "<i8"),
        ("size_max_lots", "<i8"),
        ("position_max_lots", "<i8"),
        ("base_asset", "<i8"),
        ("lot_units", "<i8"),
        ("margin_schedule", "<i8"),
        ("fee_schedule", "<i8"),
        ("slippage_max_ppm", "<i8"),
        ("mark_ticks", "<i8"),
        ("mark_ms", "<i8"),
        ("last_ticks", "<i8"),
        ("bid_best", "<i8"),
        ("ask_best", "<i8"),
        ("open_interest_lots", "<i8"),
        ("volume_e6", "<i8"),
        ("trades_count", "<i8"),
        ("orders_count", "<i8"),
        ("name", "u1", (16,)),
        ("reserved", "<i8", (6,)),
    ]
)
MARGIN_TIER = np.dtype(
    [
        ("lower_e6", "<i8"),
        ("rate_ppm", "<i8"),
        ("deduction_e6", "<i8"),
        ("used", "<i8"),
        ("reserved", "<i8", (2,)),
    ]
)
FEE_TIER = np.dtype(
    [
        ("volume_min_e6", "<i8"),
        ("maker_ppm", "<i8"),
        ("taker_ppm", "<i8"),
        ("used", "<i8"),
        ("reserved", "<i8", (2,)),
    ]
)
ACCOUNT = np.dtype(
    [
        ("address", "u1", (20,)),
        ("sub", "<u4"),
        ("next_address", "u1", (20,)),
        ("next_sub", "<u4"),
        ("cash_e6", "<i8"),
        ("held_e6", "<i8"),
        ("deadman_ms", "<i8"),
        ("volume_cur_e6", "<i8"),
        ("volume_prev_e6", "<i8"),
        ("volume_window", "<u4"),
        ("orders_head", "<u4"),
        ("orders_count", "<u4"),
        ("armed_prev", "<u4"),
        ("armed_next", "<u4"),
        ("positions_count", "<u2"),
        ("sessions_count", "<u2"),
        ("triggers_head", "<u4"),
        ("groups_head", "<u4"),
        ("triggers_count", "<u2"),
        ("groups_count", "<u2"),
        ("switch", "u1"),
        ("standing", "u1"),
        ("margin_mode", "u1"),
        ("zero", "u1"),
    ]
)
POSITION = np.dtype(
    [
        ("key", "<u4"),
        ("orders_count", "<u2"),
        ("flags", "<u2"),
        ("size", "<i8"),
        ("bids", "<i8"),
        ("asks", "<i8"),
        ("entry_e6", "<i8"),
        ("realized_e6", "<i8"),
        ("funding_index", "<i8"),
        ("isolated_e6", "<i8"),
    ]
)
ORDER = np.dtype(
    [
        ("order_id", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("remaining", "<i8"),
        ("expiry_ms", "<i8"),
        ("cloid_hi", "<i8"),
        ("cloid_lo", "<i8"),
        ("placed_ms", "<i8"),
        ("account", "<u4"),
        ("market", "<u4"),
        ("level", "<u4"),
        ("older", "<u4"),
        ("newer", "<u4"),
        ("account_prev", "<u4"),
        ("account_next", "<u4"),
        ("hold_ppm", "<u4"),
        ("side", "u1"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("group", "u1"),
        ("group_slot", "<u4"),
        ("reserved", "<i8"),
    ]
)
LEVEL = np.dtype(
    [
        ("price", "<i8"),
        ("lots", "<i8"),
        ("market", "<u4"),
        ("side", "<u4"),
        ("head", "<u4"),
        ("tail", "<u4"),
        ("better", "<u4"),
        ("worse", "<u4"),
        ("orders_count", "<u4"),
        ("reserved", "<u4"),
    ]
)
SESSION = np.dtype(
    [
        ("agent", "u1", (20,)),
        ("live", "<u4"),
        ("next_agent", "u1", (20,)),
        ("account", "<u4"),
        ("expiry_ms", "<i8"),
        ("order_notional_max_e6", "<i8"),
        ("position_notional_max_e6", "<i8"),
        ("leverage_max_e2", "<i8"),
        ("reserved", "<i8", (4,)),
    ]
)
NONCES = np.dtype(
    [
        ("signer", "u1", (20,)),
        ("count", "<u4"),
        ("next_signer", "u1", (20,)),
        ("free_next", "<u4"),
        ("floor", "<i8"),
        ("reserved", "<i8", (3,)),
    ]
)
# One validator of the register, with its last two changes: what an engine that applies a change two
# heights later needs in order to know the set that the next change meets.
VALIDATOR = np.dtype(
    [
        ("key", "u1", (33,)),
        ("key_type", "u1"),
        ("zero", "u1", (6,)),
        ("power", "<i8"),
        ("changed_height", "<i8"),
        ("power_before", "<i8"),
        ("height_before", "<i8"),
    ]
)
ROW_DTYPES: Final = {
    Table.CHAIN: CHAIN,
    Table.LEDGER: LEDGER,
    Table.PARAMETERS: PARAMETERS,
    Table.ASSETS: ASSET,
    Table.MARKETS: MARKET,
    Table.MARGIN_TIERS: MARGIN_TIER,
    Table.FEE_TIERS: FEE_TIER,
    Table.ACCOUNTS: ACCOUNT,
    Table.ORDERS: ORDER,
    Table.LEVELS: LEVEL,
    Table.SESSIONS: SESSION,
    Table.NONCES: NONCES,
    Table.VALIDATORS: VALIDATOR,
    Table.FEEDS: clearing.FEED,
    Table.VOTERS: clearing.VOTER,
    Table.VOTES: clearing.VOTE,
    Table.RISK: clearing.RISK,
    Table.BANDS: clearing.BAND,
    Table.TRIGGERS: clearing.TRIGGER,
    Table.GROUPS: clearing.GROUP,
    Table.CHANGES: clearing.CHANGE,
    Table.PRODUCTS: options.PRODUCT,
    Table.SERIES: options.SERIES,
    Table.EXPIRIES: options.EXPIRY,
    Table.SMILE_VOTES: options.SMILE_VOTE,
    Table.LISTINGS: options.LISTING,
}
POSITION_ISOLATED: Final = 1  # bit of a position's flags
TAIL_BYTES: Final = {Table.ACCOUNTS: 64, Table.NONCES: 8}  # bytes of one tail element

# --- wire --------------------------------------------------------------------------------------
# One command, 64 bytes, in four readings.
COMMAND = np.dtype(
    [
        ("op", "u1"),
        ("side", "u1"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("market", "<u4"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("expiry_ms", "<i8"),
        ("order_id", "<i8"),
        ("cloid_hi", "<i8"),
        ("cloid_lo", "<i8"),
        ("aux", "<i8"),
    ]
)
LEDGER_COMMAND = np.dtype(
    [
        ("op", "u1"),
        ("zero", "u1", (3,)),
        ("asset", "<u4"),
        ("address", "u1", (20,)),
        ("sub", "<u4"),
        ("amount", "<i8"),
        ("expiry_ms", "<i8"),
        ("limit_a", "<i8"),
        ("limit_b", "<i8"),
    ]
)
LISTING_CONTINUATION = np.dtype(
    [
        ("op", "u1"),
        ("zero", "u1", (3,)),
        ("base_asset", "<u4"),
        ("name", "u1", (16,)),
        ("lot_units", "<i8"),
        ("margin_schedule", "<u4"),
        ("fee_schedule", "<u4"),
        ("slippage_max_ppm", "<i8"),
        ("reserved", "<i8", (2,)),
    ]
)
VALIDATOR_COMMAND = np.dtype(
    [
        ("op", "u1"),
        ("key_type", "u1"),
        ("zero", "u1", (5,)),
        ("key", "u1", (33,)),
        ("power", "<i8"),
        ("reserved", "<i8", (2,)),
    ]
)
# Seven words of a product: its text, its bytecode, its ranges, one after another.
PRODUCT_PART = np.dtype(
    [("op", "u1"), ("zero", "u1", (7,)), *[(f"word_{k}", "<i8") for k in range(7)]]
)
# The same, its words as one array, as a kernel reads them.
PRODUCT_WORDS_PART = np.dtype([("op", "u1"), ("zero", "u1", (7,)), ("words", "<i8", (7,))])
BUNDLE_HEADER = np.dtype(
    [
        ("chain_id", "<u8"),
        ("account", "<u4"),
        ("flags", "<u2"),
        ("count", "<u2"),
        ("nonce", "<i8"),
        ("expiry_ms", "<i8"),
    ]
)
# What admission hands to execution for one bundle of a block: the recovered signer and where its
# commands stand in the block's one command array.
ADMITTED = np.dtype(
    [
        ("signer", "u1", (20,)),
        ("account", "<u4"),
        ("nonce", "<i8"),
        ("expiry_ms", "<i8"),
        ("first", "<i8"),
        ("count", "<i8"),
        ("kind", "<i8"),
    ]
)

# --- events ------------------------------------------------------------------------------------
# `command` is the index inside the bundle, `bundle` the index inside the block as ordered by the
# payload (not as executed). Events of phases before the bundles carry bundle = 2**32 - 1. In a
# RECEIPT, `size` is what filled, `remaining` what rests, and `end` why the rest did not rest.
NO_BUNDLE: Final = 0xFFFF_FFFF
EVENT = np.dtype(
    [
        ("kind", "u1"),
        ("end", "u1"),
        ("code", "<u2"),
        ("bundle", "<u4"),
        ("command", "<u2"),
        ("side", "u1"),
        ("zero", "u1"),
        ("market", "<u4"),
        ("account", "<u4"),
        ("counter_account", "<u4"),
        ("order_id", "<i8"),
        ("counter_order_id", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("remaining", "<i8"),
        ("fee_e6", "<i8"),
        ("counter_fee_e6", "<i8"),
        ("position", "<i8"),
        ("counter_position", "<i8"),
        ("realized_e6", "<i8"),
        ("counter_realized_e6", "<i8"),
    ]
)
# The same 112 bytes as read for DEPOSITED, WITHDRAWN and TRANSFERRED.
LEDGER_EVENT = np.dtype(
    [
        ("kind", "u1"),
        ("end", "u1"),
        ("code", "<u2"),
        ("bundle", "<u4"),
        ("command", "<u2"),
        ("side", "u1"),
        ("zero_side", "u1"),
        ("asset", "<u4"),
        ("account", "<u4"),
        ("counter_account", "<u4"),
        ("address", "u1", (20,)),
        ("zero", "<u4"),
        ("amount", "<i8"),
        ("reference", "<i8"),
        ("reserved", "<i8", (6,)),
    ]
)

# --- relations ---------------------------------------------------------------------------------
assert len(limits.RISK_BOUNDS) == len(clearing.RISK_PARAMETERS)
assert len(limits.GLOBAL_BOUNDS) == len(clearing.GLOBALS)
assert COMMAND.itemsize == limits.COMMAND_BYTES
assert LEDGER_COMMAND.itemsize == limits.COMMAND_BYTES
assert LISTING_CONTINUATION.itemsize == limits.COMMAND_BYTES
assert VALIDATOR_COMMAND.itemsize == limits.COMMAND_BYTES
assert PRODUCT_PART.itemsize == PRODUCT_WORDS_PART.itemsize == limits.COMMAND_BYTES
assert BUNDLE_HEADER.itemsize == limits.BUNDLE_HEADER_BYTES
assert EVENT.itemsize == LEDGER_EVENT.itemsize == 112
assert POSITION.itemsize == TAIL_BYTES[Table.ACCOUNTS]
assert all(dtype.itemsize % 8 == 0 for dtype in ROW_DTYPES.values())
assert all(dtype.itemsize != 64 for dtype in ROW_DTYPES.values()), "a leaf is never a node"
assert NONCES.itemsize > 64 and ACCOUNT.itemsize > 64
