"""The state before the first block."""

from quorate.execution.spec.accounts import account_at, open_account
from quorate.execution.spec.clearing_genesis import ClearingRefused, clearing_put
from quorate.execution.spec.governance import (
    asset_add,
    fee_tier_put,
    margin_tier_put,
    market_list,
)
from quorate.execution.spec.rows import Account, Chain, Ledger, Market, Nonces, Parameters, Session
from quorate.execution.spec.tables import Tables
from quorate.types.blocks import Genesis, MarketSpec
from quorate.types.codes import Reject
from quorate.types.limits import (
    FILLS_PER_COMMAND_MAX,
    ORDERS_EXAMINED_PER_COMMAND_MAX,
    PROTOCOL_VERSIONS,
    TIERS_PER_SCHEDULE,
)
from quorate.types.records import Table


class GenesisRefused(ValueError):
    """The genesis breaks a rule of the transition; the sentence says which."""


def genesis_state(genesis: Genesis) -> Tables:
    """Build the tables that a genesis describes, by the same rules as governance commands."""
    t = Tables()
    parameters_put(t, genesis)
    t.put(
        Table.CHAIN,
        0,
        Chain(time_ms=genesis.time_ms, protocol_version=genesis.protocol_version),
    )
    t.put(Table.LEDGER, 0, Ledger())
    for table, sentinel in (
        (Table.ACCOUNTS, Account()),
        (Table.SESSIONS, Session()),
        (Table.NONCES, Nonces()),
    ):
        t.put(table, 0, sentinel)
        t.index(table, 0)
    for address in (genesis.bridge, genesis.governance, genesis.oracle):
        if not any(address):
            # It is the key of the sentinel of every table that is ordered by address.
            raise GenesisRefused("bridge, governance and oracle must not be the zero address")
        if not account_at(t, address, 0):
            open_account(t, address, 0)
    for slot, asset in enumerate(genesis.assets):
        name = name_bytes(asset.name)
        demand(asset_add(t, slot, asset.decimals, name), f"asset {slot}")
    for schedule, fees in enumerate(genesis.fee_schedules):
        for k, fee in enumerate(fees):
            at = schedule * TIERS_PER_SCHEDULE + k
            code = fee_tier_put(t, at, fee.volume_min_e6, fee.maker_ppm, fee.taker_ppm)
            demand(code, f"fee schedule {schedule} tier {k}")
    for schedule, margins in enumerate(genesis.margin_schedules):
        for k, tier in enumerate(margins):
            at = schedule * TIERS_PER_SCHEDULE + k
            code = margin_tier_put(t, at, tier.lower_e6, tier.leverage_max)
            demand(code, f"margin schedule {schedule} tier {k}")
    for slot, market in enumerate(genesis.markets, start=1):
        code = market_list(t, slot, market_row(market), genesis.time_ms)
        demand(code, f"market {slot} ({market.name})")
    if genesis.clearing is not None:
        try:
            clearing_put(t, genesis, genesis.clearing)
        except ClearingRefused as refused:
            raise GenesisRefused(str(refused)) from refused
    return t


def parameters_put(t: Tables, genesis: Genesis) -> None:
    """Write the parameters row after checking it against the limits."""
    fills, examined = genesis.fills_per_command_max, genesis.orders_examined_per_command_max
    if not 0 < fills <= min(examined, FILLS_PER_COMMAND_MAX):
        raise GenesisRefused("fills_per_command_max passes its limit or orders_examined")
    if examined > ORDERS_EXAMINED_PER_COMMAND_MAX:
        raise GenesisRefused("orders_examined_per_command_max passes its limit")
    if not 0 < genesis.orders_per_account_max <= examined:
        # One cancel-all looks at every open order of an account.
        raise GenesisRefused(
            "orders_per_account_max must be within orders_examined_per_command_max"
        )
    if genesis.protocol_version not in PROTOCOL_VERSIONS:
        raise GenesisRefused(f"protocol_version {genesis.protocol_version} is not known here")
    if not genesis.assets:
        raise GenesisRefused("assets must begin with the quote asset")
    t.put(
        Table.PARAMETERS,
        0,
        Parameters(
            bridge=genesis.bridge,
            order_rule=genesis.order_rule,
            governance=genesis.governance,
            orders_per_account_max=genesis.orders_per_account_max,
            oracle=genesis.oracle,
            fills_per_command_max=fills,
            orders_examined_per_command_max=examined,
            faucet_e6_max=genesis.faucet_e6_max,
        ),
    )


def demand(code: Reject, what: str) -> None:
    """Refuse the genesis where a rule refused a part of it."""
    if code:
        raise GenesisRefused(f"{what}: {code.name}")


def name_bytes(name: str) -> bytes:
    """A name as 16 ASCII bytes, zero padded."""
    raw = name.encode("ascii", "replace")
    if len(raw) > 16 or raw != name.encode():
        raise GenesisRefused(f"name {name!r} must be at most 16 ASCII characters")
    return raw.ljust(16, b"\0")


def market_row(market: MarketSpec) -> Market:
    """A market's row from its genesis entry."""
    return Market(
        kind=market.kind,
        tick_step=market.tick_step,
        lot_step=market.lot_step,
        quantum_e6=market.quantum_e6,
        price_max_ticks=market.price_max_ticks,
        size_max_lots=market.size_max_lots,
        position_max_lots=market.position_max_lots,
        base_asset=market.base_asset,
        lot_units=market.lot_units,
        margin_schedule=market.margin_schedule,
        fee_schedule=market.fee_schedule,
        slippage_max_ppm=market.slippage_max_ppm,
        mark_ticks=market.mark_ticks,
        name=name_bytes(market.name),
    )
