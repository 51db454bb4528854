"""The clearing house of a genesis, put by the rules that govern its later changes."""

from dataclasses import fields

from quorate.execution.spec.accounts import account_at, open_account
from quorate.execution.spec.clearing import (
    band_code,
    band_put,
    feed_add,
    global_change_code,
    global_code,
    global_put,
    risk_code,
    risk_put,
    voter_put,
)
from quorate.execution.spec.clearing_rows import Band
from quorate.execution.spec.tables import Tables
from quorate.types.blocks import Genesis
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_spec import ClearingSpec, GlobalSpec, RiskSpec
from quorate.types.codes import Reject
from quorate.types.records import Table

assert tuple(each.name for each in fields(GlobalSpec)) == GLOBALS
assert tuple(each.name for each in fields(RiskSpec))[1:-1] == RISK_PARAMETERS


class ClearingRefused(ValueError):
    """The genesis breaks a rule of the clearing house; the sentence says which."""


def demand(code: Reject, what: str) -> None:
    """Refuse the genesis where a rule refused a part of it."""
    if code:
        raise ClearingRefused(f"clearing: {what}: {code.name}")


def clearing_put(t: Tables, genesis: Genesis, spec: ClearingSpec) -> None:
    """Write the tables of the clearing house. Raises ClearingRefused."""
    if not any(spec.vault):
        raise ClearingRefused("clearing: the vault must not be the zero address")
    roles = (genesis.bridge, genesis.governance, genesis.oracle)
    if spec.vault in roles or spec.vault in [each.address for each in spec.voters]:
        raise ClearingRefused("clearing: the vault must be a key of its own")
    parameters = t.row(Table.PARAMETERS, 0)
    parameters.vault = spec.vault
    t.put(Table.PARAMETERS, 0, parameters)
    ledger = t.row(Table.LEDGER, 0)
    ledger.vault = open_account(t, spec.vault, 0)
    after = t.row(Table.LEDGER, 0)
    after.vault = ledger.vault
    t.put(Table.LEDGER, 0, after)
    for number, name in enumerate(GLOBALS):
        value = getattr(spec.numbers, name)
        demand(global_code(number, value), f"numbers.{name}")
        global_put(t, number, value)
    for number, name in enumerate(GLOBALS):
        value = getattr(spec.numbers, name)
        demand(global_change_code(t, number, value), f"numbers.{name} beside the others")
    for slot, feed in enumerate(spec.feeds):
        demand(feed_add(t, slot, feed.name.encode().ljust(16, b"\0"), feed.price_ticks), feed.name)
    for voter in spec.voters:
        demand(voter_put(t, voter.address, voter.weight), "0x" + voter.address.hex())
        if not account_at(t, voter.address, 0):
            open_account(t, voter.address, 0)
    for risk in spec.markets:
        risk_spec_put(t, risk)


def risk_spec_put(t: Tables, risk: RiskSpec) -> None:
    """Write one market's risk row and bands."""
    what = f"market {risk.market}"
    for number, name in enumerate(RISK_PARAMETERS):
        value = getattr(risk, name)
        demand(risk_code(t, risk.market, number, value), f"{what}: {name}")
        risk_put(t, risk.market, number, value)
    for number, band in enumerate(risk.bands):
        row = Band(
            tau_ms=band.tau_ms,
            up_ppm=band.up_ppm,
            down_ppm=band.down_ppm,
            auction_ms=band.auction_ms,
        )
        demand(band_code(t, risk.market, number, row), f"{what}: band {number}")
        band_put(t, risk.market, number, row)
