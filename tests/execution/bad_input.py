"""Bad input, one entry a reject code: how it comes about, and a bundle that shows it.

`OF_STATE`: what execution refuses; each entry gets a prepared exchange and gives the bad bundle.
`OF_BYTES`: what admission refuses before, as (kind, bytes). docs/bad-input.md is written from the
words here and the sentences of the codes.
"""

from collections.abc import Callable
from dataclasses import replace

from quorate.admission import chain_of, sign_bundle
from quorate.codec import commands as c
from quorate.crypto import key_from_seed
from quorate.crypto.signatures import ORDER
from quorate.sim.execution_world import Row
from quorate.types import limits
from quorate.types.blocks import AssetSpec, MarketSpec
from quorate.types.codes import Flag, MarketStatus, Reject, Stp, Tif
from quorate.types.records import Table
from tests.execution.bad_input_clearing import OF_CLEARING, Case, cleared
from tests.execution.bad_input_options import OF_OPTIONS, desk
from tests.execution.exchange import (
    GENESIS,
    PERP,
    SPOT,
    USD,
    Exchange,
    address,
    bought,
    sold,
)

R = Reject
IOC, FOK, GTT = int(Tif.IOC), int(Tif.FOK), int(Tif.GTT)
POST, SLIDE, REDUCE = int(Flag.POST_ONLY), int(Flag.SLIDE), int(Flag.REDUCE_ONLY)
TAKER = int(Stp.CANCEL_TAKER) << Flag.STP_SHIFT
BOT, NOBODY = address("bot"), address("nobody")
ASSETS = tuple(AssetSpec(f"A{n}", 6) for n in range(limits.POSITIONS_PER_ACCOUNT_MAX + 2))
MANY_ASSETS = replace(GENESIS, assets=ASSETS)
LISTED = MarketSpec("NEW-PERP", 2, 1, 1, USD, 100, 100, 100, 0, 0, 0, 0, 0, 50)


def prepared(code: Reject) -> Exchange:
    """Alice sells 10 at 100100 and bids 10 at 99900 (client id 7); bob is rich, carol poor."""
    if code in (case[0] for case in OF_CLEARING):
        return cleared(code)
    if code in (case[0] for case in OF_OPTIONS):
        return desk()
    x = Exchange(replace(MANY_ASSETS, faucet_e6_max=5 if code == R.FAUCET_AMOUNT_TOO_LARGE else 0))
    x.fund("alice", "bob", "rich", usd=100_000_000, btc=10_000)
    x.fund("carol", usd=10)
    x.ok("alice", sold(100_100, 10), bought(99_900, 10, cloid=7))
    x.ok("alice", c.ApproveAgent(BOT, 0, 150_000 * USD, 250_000 * USD, 300))
    return x


def from_alice(*commands: c.Command, name: str = "alice") -> Callable[[Exchange], Row]:
    return lambda x: x.row(address(name), *commands)


def from_bob(*commands: c.Command) -> Callable[[Exchange], Row]:
    return from_alice(*commands, name="bob")


def governs(*commands: c.Command) -> Callable[[Exchange], Row]:
    return from_alice(*commands, name="governance")


def status(value: MarketStatus) -> Callable[[Exchange], Row]:
    def make(x: Exchange) -> Row:
        x.ok("governance", c.SetStatus(PERP, int(value)))
        return x.row(address("bob"), bought(99_000, 1))

    return make


def record(command: c.Command, at: int, value: int) -> Callable[[Exchange], Row]:
    """A command whose byte `at` says what admission would not let pass."""

    def make(x: Exchange) -> Row:
        signer, account, nonce, expiry, records = x.row(address("governance"), command)
        changed = bytearray(records[0])
        changed[at] = value
        return signer, account, nonce, expiry, [bytes(changed)]

    return make


def session_expired(x: Exchange) -> Row:
    x.ok("alice", c.ApproveAgent(address("late"), x.time_ms + 1500))
    return x.row(address("late"), c.CancelAll())


def nonce_below(x: Exchange) -> Row:
    x.rows(*(x.row(address("bob"), c.CancelAll()) for _ in range(101)))
    return x.row(address("bob"), c.CancelAll(), nonce=x.time_ms - 2000)


def table_full(x: Exchange) -> Row:
    x.doctor(Table.LEDGER, 0, positions_live=limits.POSITIONS_MAX)
    return x.row(address("bob"), bought(99_000, 1))


def too_many_orders(x: Exchange) -> Row:
    x.ok("bob", *(bought(1000 + n, 1) for n in range(5)))
    return x.row(address("bob"), bought(2000, 1))


def reduce_only(x: Exchange) -> Row:
    return x.row(address("bob"), sold(100_000, 1, flags=REDUCE))


def position_limit(x: Exchange) -> Row:
    x.ok("rich", *(bought(1, 5_000) for _ in range(4)))
    return x.row(address("rich"), bought(1, 1))


def positions_too_many(x: Exchange) -> Row:
    assets = range(1, limits.POSITIONS_PER_ACCOUNT_MAX + 1)
    x.ok("bridge", *(c.Deposit(n, address("carol"), 0, 1) for n in assets))
    return x.row(address("bridge"), c.Deposit(len(ASSETS) - 1, address("carol"), 0, 1))


def mark_missing(x: Exchange) -> Row:
    x.ok("governance", c.ListMarket(3, replace(LISTED, mark_ticks=0)))
    return x.row(address("bob"), c.Place(3, 0, 5, 1))


def filled_already(x: Exchange) -> Row:
    x.ok("bob", bought(100_100, 4, tif=IOC))
    return x.row(address("alice"), c.Modify(1, 100_100, 4))


def deadman_fired(x: Exchange) -> Row:
    """The sweep stands behind alice's switch, as when more than a block's share are armed."""
    x.ok("bob", c.Deadman(x.time_ms + 9_000_000))
    x.ok("alice", c.Deadman(x.time_ms + 2_000))
    x.doctor(Table.LEDGER, 0, armed_cursor=x.account("bob"))
    return x.row(address("alice"), bought(1, 1))


def cash_beyond(x: Exchange) -> Row:
    x.doctor(Table.ACCOUNTS, x.account("bob"), cash_e6=limits.CASH_TRADING_MAX_E6 + 1)
    return x.row(address("bob"), bought(99_000, 1))


def agents_too_many(x: Exchange) -> Row:
    for n in range(limits.SESSIONS_PER_ACCOUNT_MAX):
        x.ok("bob", c.ApproveAgent(address(f"agent {n}")))
    return x.row(address("bob"), c.ApproveAgent(address("one more")))


def supply_limit(x: Exchange) -> Row:
    x.ok("bridge", c.Deposit(2, address("bob"), 0, limits.SUPPLY_MAX))
    return x.row(address("bridge"), c.Deposit(2, address("bob"), 0, 1))


def session_leverage(x: Exchange) -> Row:
    x.ok("carol", c.ApproveAgent(address("small"), 0, 0, 0, 100))
    x.fund("carol", usd=99_000)
    return x.row(address("small"), bought(99_000, 1))


OF_STATE: tuple[Case, ...] = (
    (R.FIELD_MUST_BE_IN_RANGE, "a maker fee above the taker fee",
     governs(c.SetFeeTier(0, 0, 500, 400))),
    (R.SIGNER_MUST_HAVE_AN_ACCOUNT, "a key that nobody knows, on a chain without a faucet",
     lambda x: x.row(NOBODY, c.CancelAll())),
    (R.SIGNER_MUST_BE_APPROVED_FOR_ACCOUNT, "a session key not approved for the account, or "
     "another owner's account", lambda x: x.row(BOT, c.CancelAll(), account=x.account("bob"))),
    (R.SESSION_EXPIRED_APPROVE_AGAIN, "an expired session key", session_expired),
    (R.BUNDLE_EXPIRED_SIGN_AGAIN, "a bundle at or past its expiry",
     lambda x: x.row(address("bob"), c.CancelAll(), expiry=x.time_ms + 1000)),
    (R.NONCE_TOO_OLD_USE_CURRENT_MS, "a nonce two days or more before block time",
     lambda x: x.row(address("bob"), c.CancelAll(), nonce=x.time_ms + 1000 - 2 * limits.DAY_MS)),
    (R.NONCE_TOO_FAR_AHEAD_USE_CURRENT_MS, "a nonce a day or more after block time",
     lambda x: x.row(address("bob"), c.CancelAll(), nonce=x.time_ms + 1000 + limits.DAY_MS)),
    (R.NONCE_ALREADY_USED, "a replayed bundle",
     lambda x: (x.ok("bob", c.CancelAll(), nonce=x.time_ms + 1),
                x.row(address("bob"), c.CancelAll(), nonce=x.time_ms - 999))[1]),
    (R.NONCE_BELOW_THE_HUNDRED_HIGHEST, "a nonce at or below the signer's floor", nonce_below),
    (R.TABLE_FULL_SEND_LATER, "a state table at its limit", table_full),
    (R.ACCOUNT_MUST_EXIST, "an account number that was never given",
     lambda x: x.row(address("bob"), c.CancelAll(), account=999)),
    (R.MARKET_MUST_EXIST, "an unknown market", from_bob(c.Place(9, 0, 1, 1))),
    (R.MARKET_HALTED, "an order in a halted market", status(MarketStatus.HALTED)),
    (R.MARKET_POST_ONLY, "an order that may take, in a post-only market",
     status(MarketStatus.POST_ONLY)),
    (R.MARKET_REDUCE_ONLY, "an order that may grow a position, in a reduce-only market",
     status(MarketStatus.REDUCE_ONLY)),
    (R.PRICE_MUST_BE_MULTIPLE_OF_TICK, "an off-tick price", from_bob(c.Place(SPOT, 0, 1003, 10))),
    (R.PRICE_MUST_BE_IN_RANGE, "a price of zero, above the market's highest, or 2**63 - 1",
     from_bob(bought(limits.INT64_MAX, 1))),
    (R.SIZE_MUST_BE_MULTIPLE_OF_LOT, "an off-lot size", from_bob(c.Place(SPOT, 0, 1000, 15))),
    (R.SIZE_MUST_BE_IN_RANGE, "a size of zero, above the market's largest, or 2**63 - 1",
     from_bob(bought(100, limits.INT64_MAX))),
    (R.FLAGS_MUST_AGREE, "reduce-only in a spot market",
     from_bob(c.Place(SPOT, 0, 1000, 10, flags=REDUCE))),
    (R.EXPIRY_MUST_BE_IN_THE_FUTURE, "a good-till-time order whose time is block time or before",
     lambda x: x.row(address("bob"), bought(99_000, 1, tif=GTT, expiry_ms=x.time_ms + 1000))),
    (R.CLIENT_ID_ALREADY_OPEN, "a client id that an open order of the account has",
     from_alice(bought(99_000, 1, cloid=7))),
    (R.ORDERS_OPEN_TOO_MANY_CANCEL_SOME, "one open order too many", too_many_orders),
    (R.POST_ONLY_WOULD_CROSS, "a post-only order that would match",
     from_bob(bought(100_100, 1, flags=POST))),
    (R.NO_LIQUIDITY_FOR_MARKET_ORDER, "a market order against an empty side",
     from_bob(c.Place(SPOT, 0, 0, 10, tif=IOC, flags=int(Flag.MARKET)))),
    (R.FILL_OR_KILL_NOT_FILLABLE, "a fill-or-kill order for more than the book holds",
     from_bob(bought(100_100, 11, tif=FOK))),
    (R.FILL_OR_KILL_BEYOND_WORK_LIMIT, "a fill-or-kill order that needs too many fills",
     lambda x: (x.ok("rich", *(sold(100_000, 1) for _ in range(4))),
                x.row(address("bob"), bought(100_100, 5, tif=FOK)))[1]),
    (R.REDUCE_ONLY_WOULD_INCREASE, "a reduce-only order without a position to reduce",
     reduce_only),
    (R.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE, "an order whose initial margin is not covered",
     from_alice(bought(99_000, 1), name="carol")),
    (R.BALANCE_INSUFFICIENT, "a spot order beyond the free balance",
     from_bob(c.Place(SPOT, 1, 1000, 1000))),
    (R.POSITION_WOULD_PASS_LIMIT, "orders that could pass the market's largest position",
     position_limit),
    (R.POSITIONS_TOO_MANY_CLOSE_ONE, "one position or asset too many", positions_too_many),
    (R.MARK_PRICE_MISSING_WAIT, "an order before the first mark price", mark_missing),
    (R.ORDER_NOT_FOUND, "cancelling or modifying another's order, or one that is gone",
     from_bob(c.Cancel(1))),
    (R.ORDER_ALREADY_FILLED_TO_THAT_SIZE, "shrinking an order to what has filled",
     filled_already),
    (R.DEADMAN_FIRED_WAIT_A_BLOCK, "an order while a fired switch still cancels", deadman_fired),
    (R.IMMEDIATE_WOULD_NOT_FILL, "an immediate-or-cancel order that crosses nothing",
     from_bob(bought(100_099, 1, tif=IOC))),
    (R.ACCOUNT_CASH_BEYOND_BOUND, "new risk with a balance beyond the bound", cash_beyond),
    (R.SELF_TRADE_WOULD_CANCEL_TAKER, "meeting one's own order first, in mode cancel-taker",
     from_alice(bought(100_100, 1, flags=TAKER))),
    (R.OWNER_KEY_REQUIRED, "an owner's command signed by a session key",
     lambda x: x.row(BOT, c.Withdraw(0, NOBODY, 1))),
    (R.AGENT_ALREADY_APPROVED, "approving another account's agent", from_bob(c.ApproveAgent(BOT))),
    (R.AGENT_UNKNOWN, "revoking a key that is not an agent of the account",
     from_bob(c.RevokeAgent(BOT))),
    (R.AGENTS_TOO_MANY_REVOKE_ONE, "one agent too many", agents_too_many),
    (R.SESSION_ORDER_SIZE_LIMIT, "a session key's order above its largest",
     lambda x: x.row(BOT, bought(99_000, 2))),
    (R.SESSION_POSITION_LIMIT, "a session key's order that could pass its position limit",
     lambda x: x.row(BOT, bought(99_000, 1))),
    (R.SESSION_LEVERAGE_LIMIT, "a session key's order that would pass its leverage",
     session_leverage),
    (R.ASSET_MUST_EXIST, "an unknown asset", from_bob(c.Withdraw(999, NOBODY, 1))),
    (R.AMOUNT_MUST_BE_POSITIVE, "an amount of zero, or 2**63 - 1",
     from_bob(c.Withdraw(0, NOBODY, limits.INT64_MAX))),
    (R.WITHDRAWAL_EXCEEDS_FREE_BALANCE, "withdrawing what margin or orders need",
     from_alice(c.Withdraw(0, NOBODY, 100_000_000 * USD))),
    (R.SUPPLY_WOULD_PASS_LIMIT, "a deposit beyond the largest supply of an asset", supply_limit),
    (R.SUBACCOUNT_ALREADY_OPEN, "opening a subaccount twice",
     lambda x: (x.ok("bob", c.OpenSubaccount(1)), x.row(address("bob"), c.OpenSubaccount(1)))[1]),
    (R.SUBACCOUNT_MUST_BE_IN_RANGE, "subaccount 0 or 65536", from_bob(c.OpenSubaccount(65536))),
    (R.DEADMAN_MUST_BE_AHEAD, "a dead-man switch less than a second ahead",
     lambda x: x.row(address("bob"), c.Deadman(x.time_ms + 1999))),
    (R.FAUCET_OFF_ON_THIS_CHAIN, "the faucet of a chain that has none", from_bob(c.Faucet(1))),
    (R.FAUCET_AMOUNT_TOO_LARGE, "more than the faucet gives", from_bob(c.Faucet(6))),
    (R.TARGET_MUST_DIFFER, "a transfer to oneself",
     from_bob(c.Transfer(0, address("bob"), 0, 1))),
    (R.AGENT_MUST_NOT_OWN_AN_ACCOUNT, "approving a key that has an account",
     from_bob(c.ApproveAgent(address("alice")))),
    (R.BRIDGE_KEY_REQUIRED, "a deposit that the bridge did not sign",
     from_bob(c.Deposit(0, address("bob"), 0, 1))),
    (R.GOVERNANCE_KEY_REQUIRED, "a change of the rules that governance did not sign",
     from_bob(c.SetStatus(PERP, 1))),
    (R.ORACLE_KEY_REQUIRED, "a mark price that the oracle did not sign",
     from_bob(c.SetMark(PERP, 1))),
    (R.MARKET_ALREADY_LISTED, "a listing under a number that is not the next",
     governs(c.ListMarket(PERP, LISTED))),
    (R.MARKET_PARAMETERS_OUT_OF_RANGE, "a market whose orders could overflow",
     governs(c.ListMarket(3, replace(LISTED, size_max_lots=limits.SIZE_LOTS_MAX)))),
    (R.SCHEDULE_MUST_EXIST, "a market with an undefined schedule",
     governs(c.ListMarket(3, replace(LISTED, fee_schedule=63)))),
    (R.STATUS_MUST_BE_KNOWN, "an unknown market status (admission refuses the range before)",
     record(c.SetStatus(PERP, 1), 1, 9)),
    (R.TIER_MUST_FOLLOW_THE_LAST, "a tier that leaves a gap or does not rise",
     governs(c.SetMarginTier(5, 1, 2))),
    (R.ASSET_ALREADY_KNOWN, "an asset under a number that is not the next",
     governs(c.AddAsset(1, 6, "AGAIN"))),
    (R.UPGRADE_NEEDS_NOTICE, "an upgrade less than ten blocks ahead", governs(c.Upgrade(2, 12))),
    (R.UPGRADE_VERSION_MUST_FOLLOW, "an upgrade that leaves out a version",
     governs(c.Upgrade(3, 1000))),
    *OF_CLEARING,
    *OF_OPTIONS,
)  # fmt: skip


# --- what admission refuses ----------------------------------------------------------------------
CHAIN = chain_of(1, bytes(32))
KEY = key_from_seed("alice")
SOUND = sign_bundle(KEY, CHAIN, 0, 5, c.encode_command(bought(100, 1))).data


def changed(at: int, value: int) -> tuple[int, bytes]:
    """The sound bundle with one byte changed."""
    data = bytearray(SOUND)
    data[at] = value
    return 1, bytes(data)


def signed(*commands: bytes) -> tuple[int, bytes]:
    return 1, sign_bundle(KEY, CHAIN, 0, 5, b"".join(commands)).data


def high_s() -> tuple[int, bytes]:
    s = ORDER - int.from_bytes(SOUND[-33:-1], "big")
    return 1, SOUND[:-33] + s.to_bytes(32, "big") + bytes([1 - SOUND[-1]])


LISTING = c.encode_command(c.ListMarket(3, LISTED))
OF_BYTES: tuple[tuple[Reject, str, tuple[int, bytes]], ...] = (
    (R.KIND_MUST_BE_KNOWN, "an unknown kind of item", (9, SOUND)),
    (R.LENGTH_MUST_MATCH_COUNT, "a wrong length", (1, SOUND + b"0")),
    (R.COUNT_MUST_BE_1_TO_1024, "no command, or more than 1024", changed(14, 0)),
    (R.FLAGS_MUST_BE_ZERO, "reserved header flags", changed(12, 1)),
    (R.OPERATION_MUST_BE_KNOWN, "an unknown tag (operation)", changed(32, 99)),
    (R.UNUSED_FIELDS_MUST_BE_ZERO, "a field that the operation does not use", changed(64, 1)),
    (R.CONTINUATION_MUST_FOLLOW_ITS_HEAD, "a listing without its second record, a quote "
     "without as many levels as it says, a product without its text and code",
     signed(LISTING[:64])),
    (R.FIELD_MUST_BE_IN_RANGE, "a negative price or size, a side or time in force beyond its enum",
     changed(33, 2)),
    (R.CHAIN_ID_MUST_MATCH, "the wrong chain", changed(0, 2)),
    (R.OWNER_COMMAND_MUST_STAND_ALONE, "a wallet-signed item that is no single owner command",
     (2, SOUND)),
    (R.SIGNATURE_MUST_BE_VALID, "a bad signature", (1, SOUND[:-65] + bytes(65))),
    (R.SIGNATURE_S_MUST_BE_LOW, "a high-s signature", high_s()),
    (R.FLAGS_MUST_AGREE, "slide without post-only, a market order with a price, and the like",
     signed(c.encode_command(bought(100, 1, flags=SLIDE)))),
)  # fmt: skip
