"""Hypothesis strategies of commands, items, blocks and genesis, by the types' own bounds."""

from dataclasses import fields

from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.types import limits
from quorate.types.blocks import (
    AssetSpec,
    ExecBlock,
    FeeTier,
    Genesis,
    Item,
    MarginTier,
    MarketSpec,
)
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import Flag, KeyType, Tif

ADDRESSES = st.binary(min_size=20, max_size=20)
U32 = st.integers(0, 2**32 - 1)
POSITIVE = st.integers(0, limits.INT64_MAX)
CLOIDS = st.integers(0, 2**128 - 1)
NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=16)
STP = st.sampled_from([0x00, 0x04, 0x08, 0x0C])


@st.composite
def places(draw: st.DrawFn) -> c.Place:
    """Draw an order whose flags agree."""
    tif = draw(st.sampled_from(Tif))
    flags = draw(STP) | draw(st.sampled_from([0, Flag.STP_MASTER]))
    flags |= draw(st.sampled_from([0, Flag.REDUCE_ONLY]))
    price = draw(POSITIVE)
    if tif in (Tif.IOC, Tif.FOK):
        if draw(st.booleans()):
            flags |= Flag.MARKET
            price = 0
    elif draw(st.booleans()):
        flags |= Flag.POST_ONLY | draw(st.sampled_from([0, Flag.SLIDE]))
    expiry_ms = draw(st.integers(1, limits.INT64_MAX)) if tif == Tif.GTT else 0
    side = draw(st.sampled_from([0, 1]))
    return c.Place(
        draw(U32), side, price, draw(POSITIVE), int(tif), int(flags), expiry_ms, draw(CLOIDS),
        draw(POSITIVE),
    )  # fmt: skip


MODIFY_FLAGS = st.builds(lambda stp, rest: stp | rest, STP, st.sampled_from([0, 0x10, 0x20, 0x30]))
TICKS = st.integers(1, limits.PRICE_TICKS_MAX)
LOTS = st.integers(1, limits.SIZE_LOTS_MAX)
MARKETS = st.builds(
    MarketSpec,
    name=NAMES,
    kind=st.sampled_from([1, 2]),
    tick_step=TICKS,
    lot_step=LOTS,
    quantum_e6=st.integers(1, limits.QUANTUM_E6_MAX),
    price_max_ticks=TICKS,
    size_max_lots=LOTS,
    position_max_lots=POSITIVE,
    base_asset=st.integers(0, limits.ASSETS_MAX - 1),
    lot_units=st.integers(0, limits.SUPPLY_MAX),
    margin_schedule=st.integers(0, limits.SCHEDULES_MAX - 1),
    fee_schedule=st.integers(0, limits.SCHEDULES_MAX - 1),
    slippage_max_ppm=st.integers(0, limits.SLIPPAGE_MAX_PPM),
    mark_ticks=st.integers(0, limits.PRICE_TICKS_MAX),
)
OWNER = st.one_of(
    st.builds(c.ApproveAgent, ADDRESSES, POSITIVE, POSITIVE, POSITIVE, POSITIVE),
    st.builds(c.RevokeAgent, ADDRESSES),
    st.builds(c.Withdraw, U32, ADDRESSES, POSITIVE),
    st.builds(c.Transfer, U32, ADDRESSES, U32, POSITIVE),
    st.builds(c.OpenSubaccount, U32),
)
ED25519_KEYS = st.binary(min_size=32, max_size=32).map(lambda key: key + b"\0")
SECP256K1_KEYS = st.builds(
    lambda sign, x: sign + x, st.sampled_from([b"\2", b"\3"]), st.binary(min_size=32, max_size=32)
)
VALIDATORS = st.one_of(
    st.builds(c.SetValidator, st.just(int(KeyType.ED25519)), ED25519_KEYS, POSITIVE),
    st.builds(c.SetValidator, st.just(int(KeyType.SECP256K1)), SECP256K1_KEYS, POSITIVE),
)
SIGNED = st.integers(-(2**63), limits.INT64_MAX)
LEVELS = st.builds(c.QuoteLevel, POSITIVE, POSITIVE, POSITIVE, POSITIVE)
CLEARING = st.one_of(
    st.builds(
        c.Trigger, U32, st.integers(0, 1), st.integers(0, 2), POSITIVE, POSITIVE,
        st.integers(0, 31), POSITIVE, POSITIVE, POSITIVE,
    ),
    st.builds(c.CancelTrigger, POSITIVE),
    st.builds(
        c.Quote, U32, POSITIVE,
        st.lists(LEVELS, min_size=1, max_size=limits.QUOTE_LEVELS_MAX).map(tuple),
        st.integers(0, 1),
    ),
    st.builds(c.SetGroup, U32, POSITIVE, POSITIVE, POSITIVE, POSITIVE, POSITIVE),
    st.builds(c.Isolate, U32, SIGNED),
    st.builds(c.Donate, U32, POSITIVE),
    st.builds(c.SetRisk, U32, POSITIVE, SIGNED, POSITIVE),
    st.builds(c.SetBand, U32, st.integers(0, 3), POSITIVE, POSITIVE, POSITIVE, POSITIVE),
    st.builds(c.SetFeed, U32, NAMES, POSITIVE),
    st.builds(c.SetVoter, ADDRESSES, POSITIVE),
    st.builds(c.SetSwitch, U32, st.integers(1, 4)),
    st.builds(c.SetGlobal, POSITIVE, POSITIVE, POSITIVE),
    st.builds(c.ScheduleTier, U32, POSITIVE, POSITIVE, POSITIVE),
    st.builds(c.VotePrice, U32, POSITIVE, POSITIVE),
)  # fmt: skip
COMMANDS = st.one_of(
    places(),
    CLEARING,
    st.builds(c.Cancel, POSITIVE),
    st.builds(c.CancelClient, CLOIDS),
    st.builds(c.CancelAll, U32),
    st.builds(c.Modify, POSITIVE, POSITIVE, POSITIVE, MODIFY_FLAGS),
    st.builds(c.ModifyClient, CLOIDS, POSITIVE, POSITIVE, MODIFY_FLAGS),
    st.builds(c.Deadman, POSITIVE),
    OWNER,
    st.builds(c.Faucet, POSITIVE),
    st.builds(c.Deposit, U32, ADDRESSES, U32, POSITIVE, POSITIVE),
    st.builds(c.ListMarket, U32, MARKETS),
    st.builds(c.SetStatus, U32, st.integers(1, 4)),
    st.builds(
        c.SetFeeTier, U32, POSITIVE, st.integers(-(2**63), limits.INT64_MAX), POSITIVE
    ),
    st.builds(c.SetMarginTier, U32, POSITIVE, POSITIVE),
    st.builds(c.AddAsset, U32, POSITIVE, NAMES),
    st.builds(c.Upgrade, POSITIVE, POSITIVE),
    VALIDATORS,
    st.builds(c.SetMark, U32, POSITIVE),
)

ITEMS = st.builds(Item, st.integers(0, 255), st.binary(max_size=300))
BLOCKS = st.builds(
    ExecBlock,
    POSITIVE,
    st.integers(0, limits.TIME_MS_MAX),
    U32,
    st.lists(ITEMS, max_size=5).map(tuple),
)

FEE_TIERS = st.builds(
    FeeTier,
    st.integers(0, limits.VOLUME_MAX_E6),
    st.integers(-limits.RATE_MAX_PPM, limits.RATE_MAX_PPM),
    st.integers(0, limits.RATE_MAX_PPM),
)
MARGIN_TIERS = st.builds(
    MarginTier, st.integers(0, limits.POSITION_NOTIONAL_MAX_E6), st.integers(1, 1000)
)


def schedules(tiers: st.SearchStrategy) -> st.SearchStrategy:
    """Draw up to three schedules of up to three tiers."""
    return st.lists(st.lists(tiers, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)


def numbers(kind: type, **others: st.SearchStrategy) -> st.SearchStrategy:
    """Draw a part of a clearing house whose other fields are integers."""
    return st.builds(kind, **{each.name: others.get(each.name, POSITIVE) for each in fields(kind)})


CLEARINGS = st.builds(
    ClearingSpec,
    vault=ADDRESSES,
    feeds=st.lists(numbers(FeedSpec, name=NAMES), min_size=1, max_size=2).map(tuple),
    voters=st.lists(numbers(VoterSpec, address=ADDRESSES), min_size=1, max_size=2).map(tuple),
    numbers=numbers(GlobalSpec),
    markets=st.lists(
        numbers(
            RiskSpec,
            interest_e9=st.integers(-limits.INT64_MAX, limits.INT64_MAX),
            bands=st.lists(numbers(BandSpec), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)

GENESES = st.builds(
    Genesis,
    name=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=64),
    chain_id=st.integers(1, 2**52 - 20),
    time_ms=st.integers(0, limits.TIME_MS_MAX),
    protocol_version=st.just(1),
    order_rule=st.sampled_from([0, 1]),
    fills_per_command_max=st.integers(1, limits.FILLS_PER_COMMAND_MAX),
    orders_examined_per_command_max=st.integers(1, limits.ORDERS_EXAMINED_PER_COMMAND_MAX),
    orders_per_account_max=st.integers(1, limits.ORDERS_PER_ACCOUNT_MAX),
    faucet_e6_max=st.integers(0, limits.SUPPLY_MAX),
    bridge=ADDRESSES,
    governance=ADDRESSES,
    oracle=ADDRESSES,
    assets=st.lists(
        st.builds(AssetSpec, NAMES, st.integers(0, 18)), min_size=1, max_size=3
    ).map(tuple),
    fee_schedules=schedules(FEE_TIERS),
    margin_schedules=schedules(MARGIN_TIERS),
    markets=st.lists(MARKETS, max_size=3).map(tuple),
    clearing=st.one_of(st.none(), CLEARINGS),
)
