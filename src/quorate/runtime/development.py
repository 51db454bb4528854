"""The development chain: its genesis, and keys that anyone can derive. Never for money."""

from dataclasses import replace

from quorate.crypto import address_of, key_from_seed, public_key
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import MarketKind, OrderRule
from quorate.types.limits import (
    DAY_MS,
    ORDERS_EXAMINED_PER_COMMAND_MAX,
    ORDERS_PER_ACCOUNT_MAX,
)

CHAIN_ID = 7_777
TIME_MS = 1_700_000_000_000
MILLION_E6 = 1_000_000 * 1_000_000
ROLES = ("bridge", "governance", "oracle")

QUOTE, BTC, ETH = 0, 1, 2  # asset numbers
BTC_PERP, ETH_PERP, BTC_USD = 1, 2, 3  # market numbers


def role_key(role: str) -> bytes:
    """Give the development key of a role, or of a trader by any other name."""
    return key_from_seed(role)


def key_address(key: bytes) -> bytes:
    """Give the address of a secret key."""
    address = address_of(public_key(key))
    assert address is not None
    return address


def markets() -> tuple[MarketSpec, ...]:
    """List two perpetuals and one spot market.

    BTC-PERP: tick 0.1 USD, lot 0.0001 BTC. ETH-PERP: tick 0.01 USD, lot 0.001 ETH. BTC-USD: tick
    0.01 USD, lot 0.0001 BTC.
    """
    perpetual, spot = int(MarketKind.PERPETUAL), int(MarketKind.SPOT)
    return (
        MarketSpec("BTC-PERP", perpetual, 1, 1, 10, 10_000_000, 10_000_000, 40_000_000, 0, 0,
                   0, 0, 50_000, 600_000),
        MarketSpec("ETH-PERP", perpetual, 1, 1, 10, 10_000_000, 10_000_000, 40_000_000, 0, 0,
                   1, 0, 50_000, 300_000),
        MarketSpec("BTC-USD", spot, 1, 1, 1, 100_000_000, 10_000_000, 0, BTC, 10_000,
                   0, 1, 50_000, 6_000_000),
    )  # fmt: skip


def clearing() -> ClearingSpec:
    """Describe a clearing house for the two perpetuals; the oracle's key is the one voter.

    Nobody has to run an oracle to trade here: the feeds begin with the markets' marks, and these
    prices serve until a vote comes, for thirty days after the first block. Meanwhile marks stand
    still and nobody is liquidated. A vote counts for a minute; while one does, marks move, funding
    runs and liquidations happen.

    A tick a second. Both markets may move by 5 % within a minute and 10 % within ten before an
    auction. The vault takes over up to 50 million USD in a market, if somebody gives it money.
    """
    bands = (BandSpec(60_000, 50_000, 50_000, 15_000), BandSpec(600_000, 100_000, 100_000, 60_000))
    deep = RiskSpec(
        BTC_PERP,
        feed=0,
        price_far_ppm=500_000,
        vault_notional_max_e6=50 * MILLION_E6,
        insurance_draw_max_e6=MILLION_E6,
        disposal_full_lots=100,
        bands=bands,
    )
    return ClearingSpec(
        vault=key_address(role_key("vault")),
        feeds=(FeedSpec("BTC", 600_000), FeedSpec("ETH", 300_000)),
        voters=(VoterSpec(key_address(role_key("oracle")), 1),),
        numbers=GlobalSpec(fresh_ms=60_000, reduce_ms=30 * DAY_MS, halt_ms=30 * DAY_MS),
        markets=(deep, replace(deep, market=ETH_PERP, feed=1)),
    )


def cleared_genesis() -> Genesis:
    """Describe the development chain with its clearing house.

    Its perpetuals follow the votes on their feeds: SET_MARK is refused there.
    """
    return replace(genesis(), clearing=clearing())


def genesis() -> Genesis:
    """Describe the development chain: a faucet, three markets, two fee schedules."""
    return Genesis(
        name="Quorate development chain",
        chain_id=CHAIN_ID,
        time_ms=TIME_MS,
        protocol_version=1,
        order_rule=int(OrderRule.ARRIVAL),
        fills_per_command_max=1024,
        orders_examined_per_command_max=ORDERS_EXAMINED_PER_COMMAND_MAX,
        orders_per_account_max=ORDERS_PER_ACCOUNT_MAX,
        faucet_e6_max=MILLION_E6,
        bridge=key_address(role_key("bridge")),
        governance=key_address(role_key("governance")),
        oracle=key_address(role_key("oracle")),
        assets=(AssetSpec("USD", 6), AssetSpec("BTC", 8), AssetSpec("ETH", 8)),
        fee_schedules=(
            (
                FeeTier(0, 150, 450),
                FeeTier(5 * MILLION_E6, 120, 400),
                FeeTier(25 * MILLION_E6, 80, 350),
                FeeTier(100 * MILLION_E6, 40, 300),
                FeeTier(500 * MILLION_E6, 0, 280),
            ),
            (FeeTier(0, 400, 700), FeeTier(5 * MILLION_E6, 300, 600)),
        ),
        margin_schedules=(
            (MarginTier(0, 40), MarginTier(150 * MILLION_E6, 20)),
            (MarginTier(0, 25), MarginTier(100 * MILLION_E6, 15)),
        ),
        markets=markets(),
    )
