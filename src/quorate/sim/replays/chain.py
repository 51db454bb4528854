"""The genesis of a replay: one market without fees, so that conservation is plain addition."""

from quorate.sim.replays.venue import (
    BRIDGE,
    CHAIN_ID,
    GOVERNANCE,
    ORACLE,
    PROTOCOL,
    address_of_seed,
)
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.limits import (
    FILLS_PER_COMMAND_MAX,
    ORDERS_EXAMINED_PER_COMMAND_MAX,
    ORDERS_PER_ACCOUNT_MAX,
)

MARKET = 1  # the number of the one market


def replay_genesis(
    name: str,
    time_ms: int,
    order_rule: int,
    assets: tuple[AssetSpec, ...],
    market: MarketSpec,
    margin: tuple[MarginTier, ...] = (),
) -> Genesis:
    """Describe a chain for one recorded market."""
    return Genesis(
        name=name,
        chain_id=CHAIN_ID,
        time_ms=time_ms,
        protocol_version=PROTOCOL,
        order_rule=order_rule,
        fills_per_command_max=FILLS_PER_COMMAND_MAX,
        orders_examined_per_command_max=ORDERS_EXAMINED_PER_COMMAND_MAX,
        orders_per_account_max=ORDERS_PER_ACCOUNT_MAX,
        faucet_e6_max=0,
        bridge=address_of_seed(BRIDGE),
        governance=address_of_seed(GOVERNANCE),
        oracle=address_of_seed(ORACLE),
        assets=assets,
        fee_schedules=((FeeTier(0, 0, 0),),),
        margin_schedules=(margin,) if margin else (),
        markets=(market,),
    )
