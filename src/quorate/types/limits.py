"""Every limit of the exchange, in one place, with the relations between them asserted at import.

Units: `_e6` is 1e-6 of the quote asset, `_ppm` is 1e-6, `_ms` is a millisecond, a *tick* and a
*lot* are the integer price and size units of one market. The relations say that no sum or product
formed from admitted values can pass int64; the place where each is used is named beside it.
"""

from typing import Final

INT64_MAX: Final = 2**63 - 1
PPM: Final = 1_000_000
DAY_MS: Final = 86_400_000

# Tables. Slot numbers are u32; slot 0 is the null link or the sentinel of a key-ordered table.
TREE_DEPTH: Final = 28
ACCOUNTS_MAX: Final = 2**21
ORDERS_MAX: Final = 2**21
LEVELS_MAX: Final = 2**20
SESSIONS_MAX: Final = 2**18
NONCE_ROWS_MAX: Final = 2**20
POSITIONS_MAX: Final = 2**22  # of all accounts together
NONCES_MAX: Final = 2**23  # of all signers together
MARKETS_MAX: Final = 4096
ASSETS_MAX: Final = 4096
SCHEDULES_MAX: Final = 64
TIERS_PER_SCHEDULE: Final = 8
POSITIONS_PER_ACCOUNT_MAX: Final = 64
ORDERS_PER_ACCOUNT_MAX: Final = 8192
SESSIONS_PER_ACCOUNT_MAX: Final = 64
SUBACCOUNTS_MAX: Final = 2**7  # numbers below it: one deposit must not fill the table
VALIDATOR_ROWS_MAX: Final = 256
VALIDATOR_POWER_MAX: Final = 2**40
# A removal's row keeps its place until every engine has told of it: this many blocks.
VALIDATOR_ROW_KEPT_BLOCKS: Final = 3

# Prices, sizes, money.
PRICE_TICKS_MAX: Final = 2**40 - 1
SIZE_LOTS_MAX: Final = 2**38 - 1
PERPETUAL_LOTS_MAX: Final = 2**31 - 1  # one perpetual position
QUANTUM_E6_MAX: Final = 2**40
ORDER_NOTIONAL_MAX_E6: Final = 2**50  # one order at the highest price of its market
POSITION_NOTIONAL_MAX_E6: Final = 2**52  # one position at the highest price of its market
DEPOSITED_MAX: Final = 2**61  # beyond it the counts of an asset are netted
SUPPLY_MAX: Final = 2**58  # deposits less withdrawals of one asset, in its own units
CASH_MAX_E6: Final = 2**60
CASH_TRADING_MAX_E6: Final = 2**59  # beyond it an account takes no new risk
RATE_MAX_PPM: Final = 100_000  # fees, 10 %
MARGIN_RATE_MAX_PPM: Final = 500_000  # maintenance at leverage 1
SLIPPAGE_MAX_PPM: Final = 500_000
LEVERAGE_MAX: Final = 1000
LEVERAGE_MIN_E2: Final = 100  # below it the leverage test could overflow
LEVERAGE_MAX_E2: Final = 100 * LEVERAGE_MAX
VOLUME_MAX_E6: Final = 2**60
VOLUME_WINDOW_MS: Final = 30 * DAY_MS
TIME_MS_MAX: Final = 2**47

# Bundles and blocks.
COMMAND_BYTES: Final = 64
COMMANDS_PER_BUNDLE_MAX: Final = 1024
BUNDLE_HEADER_BYTES: Final = 32
SIGNATURE_BYTES: Final = 65
BUNDLE_BYTES_MAX: Final = (
    BUNDLE_HEADER_BYTES + COMMANDS_PER_BUNDLE_MAX * COMMAND_BYTES + SIGNATURE_BYTES
)
BLOCK_BYTES_MAX: Final = 16 * 2**20
BUNDLES_PER_BLOCK_MAX: Final = 2**16
COMMANDS_PER_BLOCK_MAX: Final = 2**17

# Work. The two per-command bounds are genesis parameters below these ceilings.
FILLS_PER_COMMAND_MAX: Final = 4096
ORDERS_EXAMINED_PER_COMMAND_MAX: Final = 8192
SWEEP_ORDERS_PER_BLOCK: Final = 4096
SWEEP_NONCES_PER_BLOCK: Final = 1024
SWEEP_SESSIONS_PER_BLOCK: Final = 256
DEADMAN_ACCOUNTS_PER_BLOCK: Final = 1024
DEADMAN_CANCELS_PER_BLOCK: Final = 4096

# Nonces are unix milliseconds; the window is exclusive at both ends.
NONCES_PER_SIGNER: Final = 100
NONCE_PAST_MS: Final = 2 * DAY_MS
NONCE_FUTURE_MS: Final = DAY_MS

# An expired session stays this long, so that its key hears that it expired.
SESSION_GRACE_MS: Final = 2 * DAY_MS

# A dead-man switch nearer than this could fire before the reply that armed it.
DEADMAN_AHEAD_MS_MIN: Final = 1_000

# Versions of the rules that this source can execute. How one begins, and in what 2 differs from 1:
# replica/versions.py.
PROTOCOL_VERSIONS: Final = (1, 2)
UPGRADE_NOTICE_BLOCKS_MIN: Final = 10

# --- relations ---------------------------------------------------------------------------------
# A level's lots are a sum over at most every open order.
assert ORDERS_MAX * SIZE_LOTS_MAX < INT64_MAX
# Prices are keys of the price index, which is 48 bits wide.
assert PRICE_TICKS_MAX < 2**47
# Equity sums every position at its mark, and initial margin twice the maintenance of each.
assert POSITIONS_PER_ACCOUNT_MAX * POSITION_NOTIONAL_MAX_E6 * 2 + 2 * CASH_MAX_E6 < INT64_MAX
# `ppm_ceil` forms (x // PPM) * rate and (x % PPM) * rate.
assert (CASH_MAX_E6 // PPM + 1) * PPM + PPM * PPM < INT64_MAX
assert RATE_MAX_PPM < PPM and MARGIN_RATE_MAX_PPM < PPM and SLIPPAGE_MAX_PPM < PPM
# Market orders widen a price by the slippage.
assert PRICE_TICKS_MAX * (PPM + SLIPPAGE_MAX_PPM) < INT64_MAX
# A whole register stays below what CometBFT allows a validator set (v0.38 spec, Validators).
assert VALIDATOR_ROWS_MAX * VALIDATOR_POWER_MAX < 2**63 // 8
assert VALIDATOR_ROWS_MAX <= 2**TREE_DEPTH
# A session's leverage test multiplies whole account notionals, divided by leverage, by 100.
assert 2 * POSITIONS_PER_ACCOUNT_MAX * POSITION_NOTIONAL_MAX_E6 < INT64_MAX // 2
assert LEVERAGE_MIN_E2 >= 100 and LEVERAGE_MAX_E2 * 100 + LEVERAGE_MAX_E2 < INT64_MAX
assert DEPOSITED_MAX + SUPPLY_MAX < INT64_MAX
# The closed part of a cost basis is formed as (entry % size) * closed.
assert PERPETUAL_LOTS_MAX**2 < INT64_MAX
# One cancel-all looks at every open order of an account.
assert ORDERS_PER_ACCOUNT_MAX <= ORDERS_EXAMINED_PER_COMMAND_MAX
# One command cannot carry an account past the cash bound: its whole notional and fee on top of
# the trading bound, and no supply of the quote asset can either.
assert CASH_TRADING_MAX_E6 + 2 * ORDER_NOTIONAL_MAX_E6 <= CASH_MAX_E6
assert SUPPLY_MAX + CASH_TRADING_MAX_E6 <= CASH_MAX_E6
# An order never passes what a position of its market may reach.
assert ORDER_NOTIONAL_MAX_E6 <= POSITION_NOTIONAL_MAX_E6
# A volume bucket saturates before it can overflow.
assert VOLUME_MAX_E6 + ORDER_NOTIONAL_MAX_E6 < INT64_MAX
# Slots fit their trees.
assert max(ACCOUNTS_MAX, ORDERS_MAX, LEVELS_MAX, SESSIONS_MAX, NONCE_ROWS_MAX) <= 2**TREE_DEPTH
assert SCHEDULES_MAX * TIERS_PER_SCHEDULE <= 2**TREE_DEPTH
# The most that one block may hold fits its byte limit's order of magnitude: the byte limit binds.
assert BUNDLE_BYTES_MAX < BLOCK_BYTES_MAX
assert FILLS_PER_COMMAND_MAX <= ORDERS_EXAMINED_PER_COMMAND_MAX
assert NONCE_PAST_MS + NONCE_FUTURE_MS < TIME_MS_MAX
