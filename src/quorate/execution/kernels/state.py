"""The arrays that kernels work on, as one record: committed tables, derived indexes, scratch.

Committed tables have the dtypes of `types.records`. Everything else is derived: rebuilt at load,
never hashed, snapshotted or iterated for a result. The multipliers of the hash maps are a secret of
the process, so that nobody can choose keys that collide.

The whole state is one NumPy record whose fields are the tables at the size of their limits. It is
zeroed memory of the operating system, so that only rows in use take real memory; nothing ever moves
or grows; and a kernel passes one pointer to its helpers, where a tuple of arrays would be hundreds
of arguments and minutes of compilation (docs/decisions/005-state-record.md).
"""

from typing import Any

import numpy as np

from quorate.instruments.margin import layout
from quorate.instruments.margin.exotics import STATE as PATH
from quorate.instruments.margin.exotics import TERMINALS
from quorate.instruments.margin.liquidation import HEDGE_STEPS
from quorate.instruments.payoff.checker import CHECK_OUT, CHECK_WORK
from quorate.instruments.payoff.compiler import COMPILE_WORK
from quorate.instruments.surface.steps import SURFACE_ROOMS
from quorate.types import clearing, limits, options
from quorate.types import records as r
from quorate.types.records import Table

EMPTY = 2**31 - 1  # a tree without leaves
KEY_WORDS = 4  # an address and a subaccount as four 48-bit words
POSITION_CLASSES = 8  # extents of 1, 2, 4 .. 128 cells of one position
NONCE_CLASSES = 5  # extents of 1, 2, 4 .. 16 cells of eight nonces
NONCES_PER_CELL = 8
POSITION_CELLS = 2 * limits.POSITIONS_MAX
NONCE_CELLS = 2**22
ORDER_MAP = 2 * limits.ORDERS_MAX
ORDER_MAP_LEAST = 2**12
EVENT_ROWS = 2**17
LEVEL_CACHE = 2**14
MARGIN_DATES = limits.EXPIRIES_MAX + limits.FEEDS_MAX  # expiries, and of each feed what has none
assert 1 << (POSITION_CLASSES - 1) == limits.POSITIONS_PER_ACCOUNT_MAX
assert NONCES_PER_CELL << (NONCE_CLASSES - 1) >= limits.NONCES_PER_SIGNER
# Extents are at most twice what they hold, rounded up to a cell; compaction reaches that.
assert 2 * limits.POSITIONS_MAX <= POSITION_CELLS
assert 2 * (limits.NONCES_MAX // NONCES_PER_CELL + limits.NONCE_ROWS_MAX) <= NONCE_CELLS
assert EVENT_ROWS > limits.ORDERS_EXAMINED_PER_COMMAND_MAX + 8
assert EVENT_ROWS > (
    limits.DEADMAN_CANCELS_PER_BLOCK + limits.SWEEP_ORDERS_PER_BLOCK
    + limits.CHANGES_MAX + 2 * limits.MARKETS_MAX + 1
)  # fmt: skip

# Trees by number: index of `key_roots` and of `tree_meta`, whose columns are the nodes used so far
# and the head of the free nodes.
LEVEL_TREE, ACCOUNT_TREE, SESSION_TREE, NONCE_TREE = 0, 1, 2, 3


def int64_fields(names: str) -> np.dtype[Any]:
    """A record of int64 fields."""
    return np.dtype([(name, "<i8") for name in names.split()])


TAKER = int64_fields(
    "market side tif flags price size expiry_ms cloid_hi cloid_lo hold_ppm order_id "
    "remaining filled end active replaced stamp fee_ppm value_e6 fee_e6 interest "
    "group group_slot kept kept_id hits"
)
NOW = int64_fields(
    "height time_ms bundle command account session events examined equity margin value "
    "maintenance close_out clears legacy options options_initial options_kept options_close "
    "own_initial own_maintenance book_position receipt_end "
    "receipt_side receipt_market receipt_order receipt_price receipt_filled receipt_remaining "
    "uncross_low uncross_high uncross_level uncross_surplus uncross_lots uncross_fills "
    "uncross_changed uncross_short uncross_end uncross_dry uncross_real uncross_done tick "
    "uncross_hits "
    "last_order last_filled last_market last_side last_trigger last_trigger_command"
)
# A conditional order that is being judged; `parent` is its slot.
DRAFT = int64_fields(
    "market side kind trigger_ticks limit_ticks size flags trail_ppm parent_id watch state "
    "peak_ticks parent"
)
CORE = int64_fields("map_mask")
# The position that a liquidation works on, and what the tick has done so far.
CLOSING = int64_fields(
    "account bucket market standing size sign equity maintenance count steps acted deleveragings "
    "cancels rounds found turns step"
)
CANDIDATE = int64_fields("account bucket equity maintenance")
COUNTERPARTY = int64_fields("account profit equity lots")
# What a tick may still list by rules, and whether the rule at work has found all of its series.
BUDGET = int64_fields("left whole")
# What the scan of all accounts needs of a market, prepared once a tick.
SCANNED = int64_fields("lot_e6 rate index shift mode barren_long barren_short")


def key_tree(name: str, rows: int) -> list[tuple[Any, ...]]:
    """Fields of a tree over addresses: children, bits, keys."""
    return [
        (f"{name}_child", "<i4", (rows, 2)),
        (f"{name}_bit", "<i4", (rows,)),
        (f"{name}_keys", "<i8", (rows, KEY_WORDS)),
    ]


STATE = np.dtype(
    [
        # one row each
        ("chain", r.CHAIN, (1,)),
        ("ledger", r.LEDGER, (1,)),
        ("parameters", r.PARAMETERS, (1,)),
        ("taker", TAKER, (1,)),
        ("now", NOW, (1,)),
        ("draft", DRAFT, (1,)),
        ("core", CORE, (1,)),
        ("closing", CLOSING, (1,)),
        ("candidates", CANDIDATE, (limits.LIQUIDATIONS_PER_TICK_MAX,)),
        ("turns", CANDIDATE, (limits.LIQUIDATION_TURNS_PER_TICK,)),
        ("counterparties", COUNTERPARTY, (limits.DELEVERAGED_PER_STEP_MAX,)),
        ("scanned", SCANNED, (limits.MARKETS_MAX,)),
        ("budget", BUDGET, (1,)),
        # a payoff that is compiled and checked: its text, code, where each word of it stands in the
        # text, the declared ranges by input, and what the compiler and the checker work with
        ("payoff_words", "<i8", (7 * limits.PRODUCT_PARTS,)),
        ("payoff_text", "<i8", (limits.PAYOFF_TEXT_BYTES_MAX,)),
        ("payoff_code", "<i8", (limits.PAYOFF_CODE_MAX,)),
        ("payoff_places", "<i8", (limits.PAYOFF_CODE_MAX,)),
        ("payoff_lows", "<i8", (limits.PAYOFF_INPUTS,)),
        ("payoff_highs", "<i8", (limits.PAYOFF_INPUTS,)),
        ("payoff_work", "<i8", (max(COMPILE_WORK, CHECK_WORK),)),
        ("payoff_out", "<i8", (CHECK_OUT,)),
        # what a payoff reads and makes; greeks; the parts of a fixing's distribution
        ("payoff_inputs", "<i8", (limits.PAYOFF_INPUTS,)),
        ("payoff_values", "<i8", (limits.PAYOFF_CODE_MAX,)),
        ("greeks", "<i8", (8,)),
        ("part_weights", "<i8", (limits.FIXING_QUANTILES,)),
        ("part_prices", "<i8", (limits.FIXING_QUANTILES,)),
        ("expiry_blank", options.EXPIRY, (1,)),
        # fresh votes on a smile with the forward as last column, their weights; the pillars; the
        # smile of the expiry before and of this one; room to fit
        ("smile_fresh", "<i8", (limits.VOTERS_MAX, limits.SMILE_PILLARS + 1)),
        ("smile_weights", "<i8", (limits.VOTERS_MAX,)),
        ("smile_pillars", "<i8", (limits.SMILE_PILLARS,)),
        ("smile_rows", "<i8", (2, len(options.SMILE))),
        ("smile_room", "<i8", (SURFACE_ROOMS, limits.SMILE_PILLARS)),
        # margin of options: legs of one account with their orders, and their numbers; by market the
        # tables of `instruments/margin` with what they were written for; by feed and by expiry the
        # others; what the rules work with
        ("margin_counts", "<i8", (2,)),
        ("margin_legs", "<i8", (limits.LEGS_MAX + 1, layout.LEG_FIELDS)),
        ("margin_orders", "<i8", (limits.LEGS_MAX, layout.ORDER_FIELDS)),
        ("margin_merged", "<i8", (limits.LEGS_MAX, layout.LEG_FIELDS)),
        ("margin_results", "<i8", (layout.RESULTS,)),
        ("margin_feeds", "u1", (limits.FEEDS_MAX,)),
        ("margin_series", "<i8", (limits.MARKETS_MAX, layout.SERIES_FIELDS)),
        ("margin_worths", "<i8", (limits.MARKETS_MAX, layout.COLUMNS)),
        ("margin_stamps", "<i8", (limits.MARKETS_MAX, 5)),
        ("margin_underlyings", "<i8", (limits.FEEDS_MAX, layout.UNDERLYING_FIELDS)),
        ("margin_offsets", "<i8", (limits.FEEDS_MAX,)),
        ("margin_expiries", "<i8", (MARGIN_DATES, layout.EXPIRY_FIELDS)),
        ("margin_dates", "<i8", (MARGIN_DATES,)),
        ("margin_values", "<i8", (MARGIN_DATES, layout.COLUMNS)),
        ("margin_outcomes", "<i8", (limits.FEEDS_MAX + 1, layout.OUTCOMES)),
        ("margin_marks", "<i8", (MARGIN_DATES,)),
        ("margin_touched", "<i8", (MARGIN_DATES + 2 * limits.FEEDS_MAX,)),
        ("margin_hedges", "<i8", (HEDGE_STEPS + 1,)),
        ("margin_prices", "<i8", (TERMINALS,)),
        ("margin_state", "<i8", (PATH,)),
        # which strikes of one expiry a listing rule has found, by their number
        ("strikes_there", "u1", (2 * limits.LISTING_STRIKES_MAX + 1,)),
        # committed tables
        ("assets", r.ASSET, (limits.ASSETS_MAX,)),
        ("markets", r.MARKET, (limits.MARKETS_MAX,)),
        ("margin_tiers", r.MARGIN_TIER, (limits.SCHEDULES_MAX * limits.TIERS_PER_SCHEDULE,)),
        ("fee_tiers", r.FEE_TIER, (limits.SCHEDULES_MAX * limits.TIERS_PER_SCHEDULE,)),
        ("validators", r.VALIDATOR, (limits.VALIDATOR_ROWS_MAX,)),
        ("feeds", clearing.FEED, (limits.FEEDS_MAX,)),
        ("voters", clearing.VOTER, (limits.VOTERS_MAX,)),
        ("votes", clearing.VOTE, (limits.FEEDS_MAX * limits.VOTERS_MAX,)),
        ("risk", clearing.RISK, (limits.MARKETS_MAX,)),
        ("bands", clearing.BAND, (limits.MARKETS_MAX * limits.BANDS_PER_MARKET,)),
        ("triggers", clearing.TRIGGER, (limits.TRIGGERS_MAX,)),
        ("groups", clearing.GROUP, (limits.GROUPS_MAX,)),
        ("changes", clearing.CHANGE, (limits.CHANGES_MAX,)),
        ("products", options.PRODUCT, (limits.PRODUCTS_MAX,)),
        ("series", options.SERIES, (limits.MARKETS_MAX,)),
        ("expiries", options.EXPIRY, (limits.EXPIRIES_MAX,)),
        ("smile_votes", options.SMILE_VOTE, (limits.EXPIRIES_MAX * limits.VOTERS_MAX,)),
        ("listings", options.LISTING, (limits.LISTINGS_MAX,)),
        ("accounts", r.ACCOUNT, (limits.ACCOUNTS_MAX,)),
        ("positions", r.POSITION, (POSITION_CELLS,)),
        ("orders", r.ORDER, (limits.ORDERS_MAX,)),
        ("levels", r.LEVEL, (limits.LEVELS_MAX,)),
        ("sessions", r.SESSION, (limits.SESSIONS_MAX,)),
        ("nonces", r.NONCES, (limits.NONCE_ROWS_MAX,)),
        ("nonce_cells", "<i8", (NONCE_CELLS, NONCES_PER_CELL)),
        # dirty flags, one byte a row; of small tables one byte a table
        ("small_dirty", "u1", (32,)),
        ("markets_dirty", "u1", (limits.MARKETS_MAX,)),
        ("accounts_dirty", "u1", (limits.ACCOUNTS_MAX,)),
        ("orders_dirty", "u1", (limits.ORDERS_MAX,)),
        ("levels_dirty", "u1", (limits.LEVELS_MAX,)),
        ("sessions_dirty", "u1", (limits.SESSIONS_MAX,)),
        ("nonces_dirty", "u1", (limits.NONCE_ROWS_MAX,)),
        ("votes_dirty", "u1", (limits.FEEDS_MAX * limits.VOTERS_MAX,)),
        ("risk_dirty", "u1", (limits.MARKETS_MAX,)),
        ("bands_dirty", "u1", (limits.MARKETS_MAX * limits.BANDS_PER_MARKET,)),
        ("triggers_dirty", "u1", (limits.TRIGGERS_MAX,)),
        ("groups_dirty", "u1", (limits.GROUPS_MAX,)),
        ("series_dirty", "u1", (limits.MARKETS_MAX,)),
        ("smile_votes_dirty", "u1", (limits.EXPIRIES_MAX * limits.VOTERS_MAX,)),
        # where an account's positions and a signer's nonces lie: first cell and size class; the
        # free extents by class and, last, the highest cell used
        ("positions_first", "<i4", (limits.ACCOUNTS_MAX,)),
        ("positions_class", "i1", (limits.ACCOUNTS_MAX,)),
        ("positions_free", "<i8", (POSITION_CLASSES + 1,)),
        ("nonces_first", "<i4", (limits.NONCE_ROWS_MAX,)),
        ("nonces_class", "i1", (limits.NONCE_ROWS_MAX,)),
        ("nonces_free", "<i8", (NONCE_CLASSES + 1,)),
        # search trees; roots of the price trees by 2 * market + side
        ("level_child", "<i4", (limits.LEVELS_MAX, 2)),
        ("level_bit", "<i4", (limits.LEVELS_MAX,)),
        ("level_keys", "<i8", (limits.LEVELS_MAX, 1)),
        ("level_roots", "<i4", (2 * limits.MARKETS_MAX,)),
        ("level_cache", "<i4", (LEVEL_CACHE,)),
        *key_tree("account", limits.ACCOUNTS_MAX),
        *key_tree("session", limits.SESSIONS_MAX),
        *key_tree("nonce", limits.NONCE_ROWS_MAX),
        ("key_roots", "<i4", (4,)),
        ("tree_meta", "<i8", (4, 2)),
        ("probe", "<i8", (KEY_WORDS,)),
        # hash maps from ids to order slots, used up to `map_mask`
        ("secrets", "<i8", (8,)),
        ("id_map", "<i8", (ORDER_MAP,)),
        ("client_map", "<i8", (ORDER_MAP,)),
        # of a tick: the votes on one feed by rising price, with their weights; when each index was
        # renewed before
        ("votes_sorted", "<i8", (limits.VOTERS_MAX, 2)),
        ("index_before_ms", "<i8", (limits.FEEDS_MAX,)),
        # what the current command knows of makers
        ("maker_stamp", "<i8", (limits.ACCOUNTS_MAX,)),
        ("maker_tentative", "<i8", (limits.ACCOUNTS_MAX,)),
        ("maker_equity", "<i8", (limits.ACCOUNTS_MAX,)),
        ("maker_margin", "<i8", (limits.ACCOUNTS_MAX,)),
        # of makers with positions in a clearing house; maintenance is -1 for others
        ("maker_maintenance", "<i8", (limits.ACCOUNTS_MAX,)),
        ("maker_spent", "<i8", (limits.ACCOUNTS_MAX,)),
        ("maker_own", "<i8", (limits.ACCOUNTS_MAX, 2)),
        # what a dry run has traded with groups of quotes
        ("group_stamp", "<i8", (limits.GROUPS_MAX,)),
        ("group_lots", "<i8", (limits.GROUPS_MAX,)),
        ("group_delta", "<i8", (limits.GROUPS_MAX,)),
        ("group_vega", "<i8", (limits.GROUPS_MAX,)),
        ("group_hit", "<i8", (limits.GROUPS_MAX,)),
        ("events", r.EVENT, (EVENT_ROWS,)),
    ],
    align=True,
)
State = Any  # np.record of STATE: fields by attribute, each a view

assert STATE.itemsize < 2**31, "NumPy keeps field offsets in 32 bits"

# Tables whose dirtiness is one flag each, by table number.
SMALL_TABLES = (
    Table.CHAIN,
    Table.LEDGER,
    Table.PARAMETERS,
    Table.ASSETS,
    Table.MARGIN_TIERS,
    Table.FEE_TIERS,
    Table.VALIDATORS,
    Table.FEEDS,
    Table.VOTERS,
    Table.CHANGES,
    Table.PRODUCTS,
    Table.EXPIRIES,
    Table.LISTINGS,
)

# Why `run_block` stopped before the end.
DONE, DRAIN_EVENTS, GROW_MAPS, COMPACT_POSITIONS, COMPACT_NONCES = 0, 1, 2, 3, 4


def allocate(secrets: Any) -> State:
    """An empty state. `secrets`: int64[8] in [1, 2**31 - 1), random per process."""
    s = np.zeros(1, STATE).view(np.recarray)[0]
    s.positions_class[:] = -1
    s.nonces_class[:] = -1
    s.positions_free[:] = -1
    s.nonces_free[:] = -1
    s.level_roots[:] = EMPTY
    s.key_roots[:] = EMPTY
    s.tree_meta[:, 1] = -1
    s.secrets[:] = secrets
    s.core[0]["map_mask"] = ORDER_MAP_LEAST - 1
    s.taker[0]["interest"] = -1
    return s
