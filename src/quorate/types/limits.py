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

# The clearing house.
FEEDS_MAX: Final = 256
VOTERS_MAX: Final = 32
BANDS_PER_MARKET: Final = 4
TRIGGERS_MAX: Final = 2**17
TRIGGERS_PER_ACCOUNT_MAX: Final = 64
GROUPS_MAX: Final = 2**16
GROUPS_PER_ACCOUNT_MAX: Final = 16
TRIGGER_EQUITY_MIN_E6: Final = 1_000_000  # that an account keeps for each trigger and group
CHANGES_MAX: Final = 64
QUOTE_LEVELS_MAX: Final = 32
PROTECTIONS_PER_COMMAND_MAX: Final = 4  # groups that one taker may freeze before it stops
PROTECTIONS_PER_UNCROSSING_MAX: Final = 2  # after so many no further pair of the market
GROUP_WINDOW_MS_MAX: Final = DAY_MS
GROUP_NUMBER_MAX: Final = 255
VOTER_WEIGHT_MAX: Final = 2**32
SPREAD_DOUBT: Final = 10  # a tenth between the quartiles of the votes leaves no confidence
INSURANCE_MAX_E6: Final = 2**58
DEBTS_DUST_E6: Final = 1_000_000  # debts of all buckets together that close no gate

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

# Wide products, in limbs of 31 bits (execution/wide.py); a quotient beyond the last is the last.
LIMB: Final = 2**31
WIDE_LOW: Final = 2**62
QUOTIENT_MAX: Final = 2**62

# The clearing house (execution/risk_rules.py). `_e9` is 1e-9; `_fp` is 1 / EMA_SCALE of a tick.
E9: Final = 1_000_000_000
EQUITY_MAX_E6: Final = 2**61  # either sign
EMA_SCALE: Final = 2**16
EMA_FULL_TAUS: Final = 40  # after so many time constants nothing of the old value is left
PREMIUM_MAX_E9: Final = 60 * E9  # one sample, 6 000 %
FUNDING_INTEREST_MAX_E9: Final = E9  # the interest and the clamp, per 8 hours
FUNDING_CAP_MAX_E9: Final = E9 // 10  # per hour
FUNDING_INTERVAL_MAX_MS: Final = DAY_MS
FUNDING_RATE_MAX_E9: Final = 24 * FUNDING_CAP_MAX_E9  # one interval
FUNDING_SHIFT_MAX: Final = 30
FUNDING_WORTH_MAX_E6: Final = 2**44  # of one lot, times 2**shift
FUNDING_INDEX_MAX: Final = 2**61  # either sign
OPEN_INTEREST_MAX_E6: Final = 2**61
MARK_REACH_MAX_PPM: Final = 200_000  # of a mark from its index
CLAMP_MAX_PPM: Final = PPM  # the move of a mark in one update
BAND_MAX_PPM: Final = 9 * PPM  # the upper end of a price band; the lower ends at the whole price
ADDON_MAX_PPM: Final = 9 * PPM  # of the initial margin, at no confidence
LIQUIDATION_SPREAD_MAX_PPM: Final = 10 * PPM  # times the maintenance rate

# Margin of options (instruments/margin). Worths of a scenario table are those of one lot.
LEGS_MAX: Final = 256  # positions, and markets with open orders, of one account
SCAN_WORTH_MAX_E6: Final = 2**59  # of an account under portfolio margin, at the highest prices
SCAN_FACTOR_MAX_PPM: Final = 2 * PPM  # of a loss: its static discount, or a doubtful quote asset
SCAN_CONTINGENCY_MAX_PPM: Final = 2 * PPM  # of a worth, all contingencies together
STRIKES_REACH: Final = 6  # payoffs are looked at up to so many times the index
OPTION_TIME_MAX_MS: Final = 3 * 365 * DAY_MS

# Payoffs (instruments/payoff). A value within +-PAYOFF_VALUE_MAX leaves room for one sum.
PAYOFF_TEXT_BYTES_MAX: Final = 256
PAYOFF_CODE_MAX: Final = 64  # instructions of one payoff, and steps of one run
PAYOFF_DEPTH_MAX: Final = 32  # operators and brackets that are open at once
PAYOFF_VALUE_MAX: Final = 2**62 - 1  # either sign
PAYOFF_CONSTANT_MAX: Final = 2**50 - 1
PAYOFF_INPUTS: Final = 24
PAYOFF_SAMPLES_MAX: Final = 2**20  # observations of one series
PAYOFF_RETURN_MAX_PPM: Final = PPM  # one return within `realized`

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

# Work of the clearing phases in one block.
TRIGGERS_EXAMINED_PER_BLOCK: Final = 2**16
TRIGGERS_FIRED_PER_BLOCK: Final = 256
LIQUIDATIONS_PER_TICK_MAX: Final = 256
LIQUIDATION_CANCELS_PER_TICK: Final = 8192  # orders of the buckets that are liquidated
DELEVERAGED_PER_STEP_MAX: Final = 64
DELEVERAGINGS_PER_TICK_MAX: Final = 16  # each looks at every account
DISPOSAL_LEVELS_MAX: Final = 256
AUCTION_FILLS_PER_BLOCK: Final = 4096
AUCTION_ORDERS_PER_BLOCK: Final = 8192
AUCTION_ROUNDS_MAX: Final = 8  # how often a price is found anew because an order had to go
IMPACT_LEVELS_MAX: Final = 256  # of one book side, for one premium sample

# A dead-man switch nearer than this could fire before the reply that armed it.
DEADMAN_AHEAD_MS_MIN: Final = 1_000

# Versions of the rules that this source can execute. How one begins, and in what 2 differs from 1:
# replica/versions.py.
PROTOCOL_VERSIONS: Final = (1, 2)
UPGRADE_NOTICE_BLOCKS_MIN: Final = 10

# Bounds of a market's risk parameters and of the venue's numbers, in the order in which
# `clearing` names them. A million ppm and a thousand million e9 are 1.
_RATE = (0, PPM)
_MS = (0, TIME_MS_MAX // 4)
_E6 = (0, POSITION_NOTIONAL_MAX_E6)
_SUM_E6 = (0, INSURANCE_MAX_E6)
_LOTS = (0, ORDERS_MAX * PERPETUAL_LOTS_MAX)
RISK_BOUNDS: Final = (
    (0, 2),  # mode
    (0, FEEDS_MAX - 1),  # feed
    _RATE,  # mark_clamp_ppm
    (1, 2**32),  # basis_ema_ms
    (1, 2**32),  # book_ema_ms
    _E6,  # impact_notional_e6
    (100, DAY_MS),  # premium_interval_ms
    (1_000, DAY_MS),  # funding_interval_ms
    (-10_000_000, 10_000_000),  # interest_e9
    (0, 1_000_000_000),  # funding_clamp_e9
    (0, 40_000_000),  # funding_cap_e9, an hour
    (0, 9 * PPM),  # price_far_ppm
    _LOTS,  # oi_cap_lots
    _LOTS,  # oi_rise_lots
    (1, DAY_MS),  # oi_window_ms
    _SUM_E6,  # oi_lower_e6
    _SUM_E6,  # oi_upper_e6
    (1, PPM),  # close_ppm
    (0, RATE_MAX_PPM),  # liquidation_fee_ppm
    (1, PPM),  # slice_ppm
    _E6,  # slice_min_e6
    _E6,  # vault_notional_max_e6
    _SUM_E6,  # insurance_draw_max_e6
    (0, 9 * PPM),  # confidence_ppm
    (100, DAY_MS),  # disposal_interval_ms
    (0, PERPETUAL_LOTS_MAX),  # disposal_full_lots
    _RATE,  # disposal_part_ppm
    _RATE,  # disposal_share_ppm
    _RATE,  # disposal_range_ppm
    _E6,  # tier_max_e6
)
GLOBAL_BOUNDS: Final = (
    (0, DAY_MS),  # tick_ms
    (1, DAY_MS),  # fresh_ms
    (1, 30 * DAY_MS),  # reduce_ms
    (1, 30 * DAY_MS),  # halt_ms
    (1, PPM),  # quorum_ppm
    (1, PPM),  # outlier_ppm
    (1, LIQUIDATIONS_PER_TICK_MAX),  # liquidations_max
    (0, 2**20),  # notice_blocks
    (0, 1),  # gap_auctions
    _MS,  # gate_ms
)

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
# The first account of a tick is never held back.
assert ORDERS_PER_ACCOUNT_MAX <= LIQUIDATION_CANCELS_PER_TICK
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
# A weighted median sums all weights, and compares twice a part with the whole.
assert 4 * VOTERS_MAX * VOTER_WEIGHT_MAX * PPM < INT64_MAX
assert INSURANCE_MAX_E6 + CASH_MAX_E6 < INT64_MAX
# Distances of votes are compared in ppm; a spread is at most the whole price.
assert 2 * PRICE_TICKS_MAX * PPM < INT64_MAX and SPREAD_DOUBT * PPM * PPM < INT64_MAX
# A day of premium samples, one each 100 ms.
assert 864_000 * PREMIUM_MAX_E9 < INT64_MAX
assert max(TRIGGERS_MAX, GROUPS_MAX, FEEDS_MAX * VOTERS_MAX) <= 2**TREE_DEPTH
assert MARKETS_MAX * BANDS_PER_MARKET <= 2**TREE_DEPTH
# A trigger looks for its pair and its parent's children among those of its account.
assert TRIGGERS_PER_ACCOUNT_MAX <= ORDERS_EXAMINED_PER_COMMAND_MAX
# Wide arithmetic: two low limbs make a low part, and a quotient may grow by one.
assert LIMB * LIMB == WIDE_LOW and QUOTIENT_MAX <= WIDE_LOW < INT64_MAX
# Equity is cash and every position at its mark; its product with a margin stays below 2**124.
assert CASH_MAX_E6 + POSITIONS_PER_ACCOUNT_MAX * POSITION_NOTIONAL_MAX_E6 <= EQUITY_MAX_E6
assert EQUITY_MAX_E6 * 2 * POSITIONS_PER_ACCOUNT_MAX * POSITION_NOTIONAL_MAX_E6 < 2**124
assert EQUITY_MAX_E6 * PPM < 2**124
# The liquidation price divides by at least (1 - the highest rate) and must not saturate.
assert EQUITY_MAX_E6 * PPM // (PPM - MARGIN_RATE_MAX_PPM) <= QUOTIENT_MAX
# A basis is a difference of two prices; a step of the average forms (gap % E9) * weight.
assert 2 * PRICE_TICKS_MAX * EMA_SCALE < INT64_MAX // 4 and 2 * E9 * E9 < INT64_MAX
assert TIME_MS_MAX * EMA_FULL_TAUS < INT64_MAX
# The mean of a day of samples, ten each second, is formed from their sum.
assert DAY_MS // 100 * PREMIUM_MAX_E9 < INT64_MAX
assert (PREMIUM_MAX_E9 + FUNDING_INTEREST_MAX_E9) * FUNDING_INTERVAL_MAX_MS < INT64_MAX
assert FUNDING_CAP_MAX_E9 * FUNDING_INTERVAL_MAX_MS < INT64_MAX
# A step of the funding index forms (worth // E9) * rate and (worth % E9) * rate; the worth of one
# lot passes FUNDING_WORTH_MAX_E6 only where no shift is left to take.
assert E9 * FUNDING_RATE_MAX_E9 < INT64_MAX
assert (POSITION_NOTIONAL_MAX_E6 // E9 + 1) * FUNDING_RATE_MAX_E9 < INT64_MAX // 2
assert FUNDING_INDEX_MAX + (POSITION_NOTIONAL_MAX_E6 // E9 + 1) * (FUNDING_RATE_MAX_E9 + 1) < (
    INT64_MAX
)
# A payment multiplies the difference of two indexes by a position.
assert 2 * FUNDING_INDEX_MAX * PERPETUAL_LOTS_MAX < 2**124
# A hundred years of the highest rate on the largest worth do not fill the index.
assert FUNDING_WORTH_MAX_E6 // E9 * 24 * 36_525 * FUNDING_CAP_MAX_E9 < FUNDING_INDEX_MAX
assert PRICE_TICKS_MAX * CLAMP_MAX_PPM < INT64_MAX and PRICE_TICKS_MAX * PPM < INT64_MAX
assert (PRICE_TICKS_MAX // PPM + 1) * BAND_MAX_PPM + PPM * BAND_MAX_PPM < INT64_MAX
# The add-on of one position's initial margin is not cut off.
assert 2 * POSITION_NOTIONAL_MAX_E6 * ADDON_MAX_PPM // PPM < QUOTIENT_MAX
assert MARGIN_RATE_MAX_PPM * LIQUIDATION_SPREAD_MAX_PPM // 1_000 * E9 < INT64_MAX
assert POSITION_NOTIONAL_MAX_E6 < OPEN_INTEREST_MAX_E6
assert OPEN_INTEREST_MAX_E6 * POSITION_NOTIONAL_MAX_E6 < 2**124
# A leg's worth and its open orders' are each a position's at most, and are summed over all legs.
assert 4 * LEGS_MAX * POSITION_NOTIONAL_MAX_E6 < INT64_MAX
# A scan sums discounted losses of positions, of open orders and of the contingencies.
assert 4 * SCAN_WORTH_MAX_E6 * SCAN_FACTOR_MAX_PPM // PPM < INT64_MAX
assert SCAN_WORTH_MAX_E6 * (SCAN_FACTOR_MAX_PPM + SCAN_CONTINGENCY_MAX_PPM) // PPM < INT64_MAX
# A share in ppm is taken apart at PPM.
assert 2 * SCAN_WORTH_MAX_E6 // PPM * 4 * PPM < INT64_MAX and 9 * PPM * PPM < INT64_MAX
assert PRICE_TICKS_MAX * STRIKES_REACH < INT64_MAX
# Two values of a payoff can be added, and an instruction word holds its operands and its constant.
assert 2 * PAYOFF_VALUE_MAX < INT64_MAX and PAYOFF_CONSTANT_MAX < 2**50
assert PAYOFF_CONSTANT_MAX * 64 * 64 + 64 * 64 < INT64_MAX and PAYOFF_CODE_MAX <= 64
assert PAYOFF_SAMPLES_MAX * PAYOFF_RETURN_MAX_PPM**2 <= PAYOFF_VALUE_MAX
assert PRICE_TICKS_MAX <= PAYOFF_CONSTANT_MAX
# A mean of observations is formed from their sum.
assert PAYOFF_SAMPLES_MAX * PRICE_TICKS_MAX < PAYOFF_VALUE_MAX
