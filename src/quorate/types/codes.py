"""Operations, flags, statuses, event kinds, and the reject codes with the sentence of each.

Values are part of the wire and of the state: never renumbered, only added to.
"""

from enum import IntEnum
from typing import Final


class Kind(IntEnum):
    """Kinds of payload item in a block. 3 to 5 are reserved (ARCHITECTURE, *A block*)."""

    NATIVE = 1
    EIP712 = 2
    HYPERLIQUID_L1 = 3
    HYPERLIQUID_USER = 4
    NATIVE_P256 = 5


class Op(IntEnum):
    """What a command does. Trading below 16, owner below 32, then bridge, governance, oracle."""

    PLACE = 1
    CANCEL = 2
    CANCEL_CLIENT = 3
    CANCEL_ALL = 4
    MODIFY = 5
    MODIFY_CLIENT = 6
    DEADMAN = 7
    TRIGGER = 8
    CANCEL_TRIGGER = 9
    QUOTE = 10
    SET_GROUP = 11
    ISOLATE = 12
    SET_MARGIN_MODE = 13
    APPROVE_AGENT = 16
    REVOKE_AGENT = 17
    WITHDRAW = 18
    TRANSFER = 19
    OPEN_SUBACCOUNT = 20
    FAUCET = 21
    DONATE = 22
    DEPOSIT = 32
    LIST_MARKET = 48
    SET_STATUS = 49
    SET_FEE_TIER = 50
    SET_MARGIN_TIER = 51
    ADD_ASSET = 52
    UPGRADE = 53
    SET_VALIDATOR = 54
    SET_RISK = 55
    SET_BAND = 56
    SET_FEED = 57
    SET_VOTER = 58
    SET_SWITCH = 59
    SET_GLOBAL = 60
    SCHEDULE_TIER = 61
    LIST_PRODUCT = 62
    SET_SERIES = 63
    SET_MARK = 64
    VOTE_PRICE = 65
    VOTE_SMILE = 66
    SET_LISTING = 72
    PRODUCT_PART = 253
    QUOTE_LEVEL = 254
    CONTINUATION = 255


class Side(IntEnum):
    BUY = 0
    SELL = 1


class Tif(IntEnum):
    """Time in force."""

    GTC = 0
    GTT = 1
    IOC = 2
    FOK = 3


class Flag(IntEnum):
    """Bits of a command's `flags`. Bits 2 and 3 hold the self-trade mode."""

    REDUCE_ONLY = 0x01
    SLIDE = 0x02
    STP_SHIFT = 2
    STP_MASK = 0x0C
    STP_MASTER = 0x10
    POST_ONLY = 0x20
    MARKET = 0x40


class Stp(IntEnum):
    """Self-trade prevention: what happens when a taker meets an order of its own."""

    CANCEL_MAKER = 0
    CANCEL_TAKER = 1
    CANCEL_BOTH = 2
    REDUCE_BOTH = 3


class MarketKind(IntEnum):
    SPOT = 1
    PERPETUAL = 2
    SERIES = 3


class MarketStatus(IntEnum):
    OPEN = 1
    POST_ONLY = 2
    REDUCE_ONLY = 3
    HALTED = 4


class KeyType(IntEnum):
    """What kind of public key a validator of the register has."""

    ED25519 = 1
    SECP256K1 = 2


class OrderRule(IntEnum):
    """Order of bundles inside a block."""

    ARRIVAL = 0
    MAKERS_FIRST = 1


class EventKind(IntEnum):
    """RECEIPT closes every command; BUNDLE stands for a bundle that changed nothing."""

    RECEIPT = 1
    BUNDLE = 2
    FILL = 3
    CANCELLED = 4
    REDUCED = 5
    DEPOSITED = 6
    WITHDRAWN = 7
    TRANSFERRED = 8
    INDEXED = 9
    MARKED = 10
    FUNDED = 11
    LIQUIDATED = 12
    DELEVERAGED = 13
    TRIGGERED = 14
    TRIGGER_ENDED = 15
    AUCTION_BEGUN = 16
    AUCTION_ENDED = 17
    PROTECTED = 18
    CHANGED = 19
    SWITCHED = 20
    INSURED = 21
    PRODUCT_LISTED = 22
    SERIES_LISTED = 23
    SMILED = 24
    FIXED = 25
    SERIES_MOVED = 26
    SETTLED = 27


class End(IntEnum):
    """Why an order, or what remained of it, left the book or never reached it."""

    NONE = 0
    FILLED = 1
    USER = 2
    IMMEDIATE = 3
    WORK_LIMIT = 4
    SELF_TRADE = 5
    EXPIRED = 6
    DEADMAN = 7
    MARGIN = 8
    REDUCE_ONLY = 9
    REPLACED = 10
    BAND = 11
    LIQUIDATION = 12
    PROTECTION = 13
    AUCTION = 14
    EXPIRY = 15


class Reject(IntEnum):
    """Named by the remedy. 1xx decode, 2xx signature, nonce, 3xx order, 4xx account, 5xx role."""

    OK = 0
    # Admission: the bytes.
    KIND_MUST_BE_KNOWN = 100
    LENGTH_MUST_MATCH_COUNT = 101
    COUNT_MUST_BE_1_TO_1024 = 102
    FLAGS_MUST_BE_ZERO = 103
    OPERATION_MUST_BE_KNOWN = 104
    UNUSED_FIELDS_MUST_BE_ZERO = 105
    CONTINUATION_MUST_FOLLOW_ITS_HEAD = 106
    FIELD_MUST_BE_IN_RANGE = 107
    CHAIN_ID_MUST_MATCH = 108
    OWNER_COMMAND_MUST_STAND_ALONE = 109
    BLOCK_FULL_SEND_LATER = 110
    # Admission and transition: signature, signer, time, nonce.
    SIGNATURE_MUST_BE_VALID = 200
    SIGNATURE_S_MUST_BE_LOW = 201
    SIGNER_MUST_HAVE_AN_ACCOUNT = 202
    SIGNER_MUST_BE_APPROVED_FOR_ACCOUNT = 203
    SESSION_EXPIRED_APPROVE_AGAIN = 204
    BUNDLE_EXPIRED_SIGN_AGAIN = 205
    NONCE_TOO_OLD_USE_CURRENT_MS = 206
    NONCE_TOO_FAR_AHEAD_USE_CURRENT_MS = 207
    NONCE_ALREADY_USED = 208
    NONCE_BELOW_THE_HUNDRED_HIGHEST = 209
    TABLE_FULL_SEND_LATER = 210
    ACCOUNT_MUST_EXIST = 211
    # Orders.
    MARKET_MUST_EXIST = 300
    MARKET_HALTED = 301
    MARKET_POST_ONLY = 302
    MARKET_REDUCE_ONLY = 303
    PRICE_MUST_BE_MULTIPLE_OF_TICK = 304
    PRICE_MUST_BE_IN_RANGE = 305
    SIZE_MUST_BE_MULTIPLE_OF_LOT = 306
    SIZE_MUST_BE_IN_RANGE = 307
    FLAGS_MUST_AGREE = 308
    EXPIRY_MUST_BE_IN_THE_FUTURE = 309
    CLIENT_ID_ALREADY_OPEN = 310
    ORDERS_OPEN_TOO_MANY_CANCEL_SOME = 311
    POST_ONLY_WOULD_CROSS = 312
    NO_LIQUIDITY_FOR_MARKET_ORDER = 313
    FILL_OR_KILL_NOT_FILLABLE = 314
    FILL_OR_KILL_BEYOND_WORK_LIMIT = 315
    REDUCE_ONLY_WOULD_INCREASE = 316
    MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE = 317
    BALANCE_INSUFFICIENT = 318
    POSITION_WOULD_PASS_LIMIT = 319
    POSITIONS_TOO_MANY_CLOSE_ONE = 320
    MARK_PRICE_MISSING_WAIT = 321
    ORDER_NOT_FOUND = 322
    ORDER_ALREADY_FILLED_TO_THAT_SIZE = 323
    DEADMAN_FIRED_WAIT_A_BLOCK = 324
    IMMEDIATE_WOULD_NOT_FILL = 325
    ACCOUNT_CASH_BEYOND_BOUND = 326
    SELF_TRADE_WOULD_CANCEL_TAKER = 327
    PRICE_TOO_FAR_FROM_INDEX = 328
    OPEN_INTEREST_AT_CAP = 329
    OPEN_INTEREST_RISING_TOO_FAST = 330
    POSITION_BEYOND_LAST_TIER = 331
    PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE = 332
    AUCTION_TAKES_RESTING_ORDERS_ALONE = 333
    MARKET_QUARANTINED = 334
    INDEX_STALE_REDUCE_ONLY = 335
    INDEX_MISSING_MARKET_HALTED = 336
    ACCOUNT_POST_ONLY = 337
    ACCOUNT_REDUCE_ONLY = 338
    ACCOUNT_HALTED = 339
    CHAIN_POST_ONLY = 340
    CHAIN_REDUCE_ONLY = 341
    CHAIN_HALTED = 342
    TRIGGER_NOT_FOUND = 343
    TRIGGERS_TOO_MANY_CANCEL_SOME = 344
    TRIGGER_PRICE_ALREADY_PASSED = 345
    TRIGGER_NEEDS_ITS_PARENT = 346
    TRIGGER_NEEDS_ITS_PAIR = 347
    GROUP_MUST_EXIST = 348
    GROUP_FROZEN_WAIT = 349
    GROUPS_TOO_MANY = 350
    PRICE_OUTSIDE_BAND = 351
    MARKET_HAS_NO_CLEARING = 352
    SERIES_NOT_LIVE = 353
    VOLATILITY_MUST_BE_IN_RANGE = 354
    MARGIN_MODE_NEEDS_MORE_MARGIN = 355
    # Accounts, keys, ledger.
    OWNER_KEY_REQUIRED = 400
    AGENT_ALREADY_APPROVED = 401
    AGENT_UNKNOWN = 402
    AGENTS_TOO_MANY_REVOKE_ONE = 403
    SESSION_ORDER_SIZE_LIMIT = 404
    SESSION_POSITION_LIMIT = 405
    SESSION_LEVERAGE_LIMIT = 406
    ASSET_MUST_EXIST = 407
    AMOUNT_MUST_BE_POSITIVE = 408
    WITHDRAWAL_EXCEEDS_FREE_BALANCE = 409
    SUPPLY_WOULD_PASS_LIMIT = 410
    SUBACCOUNT_ALREADY_OPEN = 411
    SUBACCOUNT_MUST_BE_IN_RANGE = 412
    DEADMAN_MUST_BE_AHEAD = 413
    FAUCET_OFF_ON_THIS_CHAIN = 414
    FAUCET_AMOUNT_TOO_LARGE = 415
    TARGET_MUST_DIFFER = 416
    AGENT_MUST_NOT_OWN_AN_ACCOUNT = 417
    WITHDRAWALS_GATED_WAIT = 418
    POSITION_MUST_BE_FLAT_FIRST = 419
    ISOLATED_MARGIN_INSUFFICIENT = 420
    # Roles.
    BRIDGE_KEY_REQUIRED = 500
    GOVERNANCE_KEY_REQUIRED = 501
    ORACLE_KEY_REQUIRED = 502
    MARKET_ALREADY_LISTED = 503
    MARKET_PARAMETERS_OUT_OF_RANGE = 504
    SCHEDULE_MUST_EXIST = 505
    STATUS_MUST_BE_KNOWN = 506
    TIER_MUST_FOLLOW_THE_LAST = 507
    ASSET_ALREADY_KNOWN = 508
    UPGRADE_NEEDS_NOTICE = 509
    UPGRADE_VERSION_MUST_FOLLOW = 510
    VOTER_KEY_REQUIRED = 511
    FEED_MUST_EXIST = 512
    PARAMETER_OUT_OF_RANGE = 513
    CHANGE_NEEDS_NOTICE = 514
    CHANGES_TOO_MANY_WAIT = 515
    MARK_FOLLOWS_ITS_FEED = 516
    PRODUCT_MUST_EXIST = 517
    PAYOFF_REFUSED = 518
    PAYOFF_TEXT_AND_CODE_DIFFER = 519
    SERIES_ALREADY_SET = 520
    EXPIRY_OUT_OF_RANGE = 521
    SERIES_PARAMETER_OUT_OF_RANGE = 522


R = Reject
SENTENCES: Final[dict[Reject, str]] = {
    R.OK: "Done.",
    R.KIND_MUST_BE_KNOWN: "Send kind 1 (native bundle) or 2 (EIP-712 owner command).",
    R.LENGTH_MUST_MATCH_COUNT: "Send header, 64 bytes per command and a 65-byte signature.",
    R.COUNT_MUST_BE_1_TO_1024: "Put 1 to 1024 commands in a bundle.",
    R.FLAGS_MUST_BE_ZERO: "Set the header's flags to zero; they are reserved.",
    R.OPERATION_MUST_BE_KNOWN: "Use an operation of this protocol version.",
    R.UNUSED_FIELDS_MUST_BE_ZERO: "Set every field that the operation does not use to zero.",
    R.CONTINUATION_MUST_FOLLOW_ITS_HEAD: "Put the continuation record right after its head.",
    R.FIELD_MUST_BE_IN_RANGE: "A field lies outside the range of its type; see the limits.",
    R.CHAIN_ID_MUST_MATCH: "Sign for this chain's id.",
    R.OWNER_COMMAND_MUST_STAND_ALONE: "An EIP-712 item carries exactly one owner command.",
    R.BLOCK_FULL_SEND_LATER: "The queue is full; send again after the next block.",
    R.SIGNATURE_MUST_BE_VALID: "Sign the bundle's digest with secp256k1; r, s, v are malformed.",
    R.SIGNATURE_S_MUST_BE_LOW: "Use the low-s form of the signature.",
    R.SIGNER_MUST_HAVE_AN_ACCOUNT: "Deposit first, or have the key approved as an agent; the "
    "address recovered from the signature has no account.",
    R.SIGNER_MUST_BE_APPROVED_FOR_ACCOUNT: "The key may not act for that account.",
    R.SESSION_EXPIRED_APPROVE_AGAIN: "The session key has expired; approve it again.",
    R.BUNDLE_EXPIRED_SIGN_AGAIN: "The bundle's expiry has passed; sign it again.",
    R.NONCE_TOO_OLD_USE_CURRENT_MS: "Use the present unix time in milliseconds as nonce.",
    R.NONCE_TOO_FAR_AHEAD_USE_CURRENT_MS: "The nonce is more than a day ahead of block time.",
    R.NONCE_ALREADY_USED: "This nonce has been used; increase it by one.",
    R.NONCE_BELOW_THE_HUNDRED_HIGHEST: "The nonce is at or below the signer's floor; use a newer.",
    R.TABLE_FULL_SEND_LATER: "A state table is at its limit.",
    R.ACCOUNT_MUST_EXIST: "No account has that number.",
    R.MARKET_MUST_EXIST: "No market has that number.",
    R.MARKET_HALTED: "The market is halted; cancels alone are accepted.",
    R.MARKET_POST_ONLY: "The market accepts post-only orders alone.",
    R.MARKET_REDUCE_ONLY: "The market accepts reduce-only orders alone.",
    R.PRICE_MUST_BE_MULTIPLE_OF_TICK: "Round the price to the market's tick.",
    R.PRICE_MUST_BE_IN_RANGE: "The price must be above zero and at most the market's highest.",
    R.SIZE_MUST_BE_MULTIPLE_OF_LOT: "Round the size to the market's lot.",
    R.SIZE_MUST_BE_IN_RANGE: "The size must be above zero and at most the market's largest.",
    R.FLAGS_MUST_AGREE: "The time in force and the flags contradict one another.",
    R.EXPIRY_MUST_BE_IN_THE_FUTURE: "Give a good-till-time order an expiry after block time.",
    R.CLIENT_ID_ALREADY_OPEN: "An open order of the account has that client id.",
    R.ORDERS_OPEN_TOO_MANY_CANCEL_SOME: "The account has as many open orders as it may.",
    R.POST_ONLY_WOULD_CROSS: "A post-only order would have matched; price it away or let it slide.",
    R.NO_LIQUIDITY_FOR_MARKET_ORDER: "Nothing rests on the other side.",
    R.FILL_OR_KILL_NOT_FILLABLE: "The book cannot fill the whole size at that price.",
    R.FILL_OR_KILL_BEYOND_WORK_LIMIT: "Filling it would pass the work bound; send smaller orders.",
    R.REDUCE_ONLY_WOULD_INCREASE: "There is no position that this order would reduce.",
    R.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE: "Initial margin would not be covered.",
    R.BALANCE_INSUFFICIENT: "The free balance does not cover the order.",
    R.POSITION_WOULD_PASS_LIMIT: "Position and open orders would pass the market's bound.",
    R.POSITIONS_TOO_MANY_CLOSE_ONE: "The account holds as many positions as it may.",
    R.MARK_PRICE_MISSING_WAIT: "The market has no mark price yet.",
    R.ORDER_NOT_FOUND: "No open order of this account has that id: filled, cancelled or unknown.",
    R.ORDER_ALREADY_FILLED_TO_THAT_SIZE: "The order has already filled to the new size or beyond.",
    R.DEADMAN_FIRED_WAIT_A_BLOCK: "The dead-man switch has fired; its cancels finish first.",
    R.IMMEDIATE_WOULD_NOT_FILL: "Nothing rests at that price or better.",
    R.ACCOUNT_CASH_BEYOND_BOUND: "The account's balance is beyond the bound for new risk.",
    R.SELF_TRADE_WOULD_CANCEL_TAKER: "The order would first meet one of your own.",
    R.PRICE_TOO_FAR_FROM_INDEX: "The price is further from the index than the market allows.",
    R.OPEN_INTEREST_AT_CAP: "Open interest is at its cap: no increase, no turn of a "
    "position, no price more aggressive than the index.",
    R.OPEN_INTEREST_RISING_TOO_FAST: "Open interest is rising too fast; wait for the next window.",
    R.POSITION_BEYOND_LAST_TIER: "The position would pass what the market's last tier carries.",
    R.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE: "Below initial margin only orders that reduce, at "
    "the zero price or better; deposit to do more.",
    R.AUCTION_TAKES_RESTING_ORDERS_ALONE: "The market is in an auction; send orders that may rest.",
    R.MARKET_QUARANTINED: "The market is quarantined; cancels alone are accepted.",
    R.INDEX_STALE_REDUCE_ONLY: "The index is stale; reduce-only orders alone are accepted.",
    R.INDEX_MISSING_MARKET_HALTED: "The index has been stale for long; cancels alone are accepted.",
    R.ACCOUNT_POST_ONLY: "The account is restricted to post-only orders.",
    R.ACCOUNT_REDUCE_ONLY: "The account is restricted to reduce-only orders.",
    R.ACCOUNT_HALTED: "The account is halted; cancels alone are accepted.",
    R.CHAIN_POST_ONLY: "The whole venue accepts post-only orders alone.",
    R.CHAIN_REDUCE_ONLY: "The whole venue accepts reduce-only orders alone.",
    R.CHAIN_HALTED: "The whole venue is halted; cancels alone are accepted.",
    R.TRIGGER_NOT_FOUND: "No trigger of this account has that id: fired, cancelled or unknown.",
    R.TRIGGERS_TOO_MANY_CANCEL_SOME: "The account has as many triggers as it may.",
    R.TRIGGER_PRICE_ALREADY_PASSED: "The watched price is past the trigger already.",
    R.TRIGGER_NEEDS_ITS_PARENT: "Put the trigger behind the accepted order that it belongs to.",
    R.TRIGGER_NEEDS_ITS_PAIR: "Put the trigger behind the accepted trigger that it is paired with.",
    R.GROUP_MUST_EXIST: "Set the group's limits first.",
    R.GROUP_FROZEN_WAIT: "The group's protection has fired; wait until it thaws, or reset it.",
    R.GROUPS_TOO_MANY: "The account has as many groups as it may.",
    R.PRICE_OUTSIDE_BAND: "The trade would leave the price band; send an order that may rest.",
    R.MARKET_HAS_NO_CLEARING: "The market has no clearing house; this needs one.",
    R.SERIES_NOT_LIVE: "The series has expired, or is not yet listed.",
    R.VOLATILITY_MUST_BE_IN_RANGE: "Give a volatility from 1 % to 500 %, of a series with a smile.",
    R.MARGIN_MODE_NEEDS_MORE_MARGIN: "Under that mode initial margin would not be covered.",
    R.OWNER_KEY_REQUIRED: "Sign this command with the account's own key, not a session key.",
    R.AGENT_ALREADY_APPROVED: "That key is an agent of another account.",
    R.AGENT_UNKNOWN: "That key is not an agent of this account.",
    R.AGENTS_TOO_MANY_REVOKE_ONE: "The account has as many agents as it may.",
    R.SESSION_ORDER_SIZE_LIMIT: "The order is above the session key's largest order.",
    R.SESSION_POSITION_LIMIT: "The position would pass the session key's limit.",
    R.SESSION_LEVERAGE_LIMIT: "The account's leverage would pass the session key's limit.",
    R.ASSET_MUST_EXIST: "No asset has that number.",
    R.AMOUNT_MUST_BE_POSITIVE: "Give an amount above zero and within the supply limit.",
    R.WITHDRAWAL_EXCEEDS_FREE_BALANCE: "Margin and open orders need part of that balance.",
    R.SUPPLY_WOULD_PASS_LIMIT: "The asset's supply would pass its limit.",
    R.SUBACCOUNT_ALREADY_OPEN: "That subaccount is open already.",
    R.SUBACCOUNT_MUST_BE_IN_RANGE: "Number subaccounts from 1 to 127.",
    R.DEADMAN_MUST_BE_AHEAD: "Set the switch at least a second after block time.",
    R.FAUCET_OFF_ON_THIS_CHAIN: "This chain has no faucet.",
    R.FAUCET_AMOUNT_TOO_LARGE: "Ask the faucet for no more than its limit.",
    R.TARGET_MUST_DIFFER: "Source and target are the same account.",
    R.AGENT_MUST_NOT_OWN_AN_ACCOUNT: "Choose a fresh key as agent.",
    R.WITHDRAWALS_GATED_WAIT: "Withdrawals are gated after an outage or an uncovered loss; wait.",
    R.POSITION_MUST_BE_FLAT_FIRST: "Close the position and cancel its orders first.",
    R.ISOLATED_MARGIN_INSUFFICIENT: "The isolated position needs that margin.",
    R.BRIDGE_KEY_REQUIRED: "Only the bridge account may do this.",
    R.GOVERNANCE_KEY_REQUIRED: "Only the governance account may do this.",
    R.ORACLE_KEY_REQUIRED: "Only the oracle account may do this.",
    R.MARKET_ALREADY_LISTED: "Number the market with the next free number.",
    R.MARKET_PARAMETERS_OUT_OF_RANGE: "The market's parameters pass a limit or contradict.",
    R.SCHEDULE_MUST_EXIST: "Define the schedule's tiers first.",
    R.STATUS_MUST_BE_KNOWN: "Use open, post-only, reduce-only or halted.",
    R.TIER_MUST_FOLLOW_THE_LAST: "Give tiers in order, each above the one before.",
    R.ASSET_ALREADY_KNOWN: "Number the asset with the next free number.",
    R.UPGRADE_NEEDS_NOTICE: "Announce an upgrade at least ten blocks ahead.",
    R.UPGRADE_VERSION_MUST_FOLLOW: "The new version must be the present one plus one.",
    R.VOTER_KEY_REQUIRED: "Only a registered voter's own key may vote on prices.",
    R.FEED_MUST_EXIST: "No price feed has that number.",
    R.PARAMETER_OUT_OF_RANGE: "The parameter is unknown, or its value passes a limit.",
    R.CHANGE_NEEDS_NOTICE: "Announce the change further ahead, while positions are open.",
    R.CHANGES_TOO_MANY_WAIT: "As many changes as may be are announced; wait for one to begin.",
    R.MARK_FOLLOWS_ITS_FEED: "The market's mark follows its feed; vote on the feed.",
    R.PRODUCT_MUST_EXIST: "Number a product with the next free number, or name one that is listed.",
    R.PAYOFF_REFUSED: "The payoff does not pass the checker; see the receipt for code and place.",
    R.PAYOFF_TEXT_AND_CODE_DIFFER: "The bytecode is not what the text compiles to.",
    R.SERIES_ALREADY_SET: "The market has its series already, or is not of that kind.",
    R.EXPIRY_OUT_OF_RANGE: "Choose an expiry at least an hour and at most three years ahead.",
    R.SERIES_PARAMETER_OUT_OF_RANGE: "A parameter lies outside the product's range.",
}
assert set(SENTENCES) == set(Reject), "every reject code has its sentence"
