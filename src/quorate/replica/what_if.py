"""Who would be liquidatable under a change of parameters or marks, before it is made.

A change is put into the state by the rules that would put it there, and every bucket of every
account but the vault is judged before and after, as a liquidation scan would. Reads a copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from quorate.execution import risk_rules
from quorate.execution.spec.changes import tier_code, tier_put
from quorate.execution.spec.clearing import global_change_code, global_put, risk_code, risk_put
from quorate.execution.spec.margin import CROSS, bucket_worth, margin_tier, standing_of
from quorate.execution.spec.rows import Account
from quorate.execution.spec.tables import Tables
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_codes import Mode, Standing
from quorate.types.codes import SENTENCES, MarketKind, Reject
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED, Table

WORST_SHOWN = 10


class ChangeRefused(ValueError):
    """The rules would refuse the change; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A bucket as it stands: number 0 is the account's cross margin, else an isolated market."""

    standing: Standing
    equity_e6: int
    maintenance_e6: int
    initial_e6: int
    notional_e6: int


Buckets = dict[tuple[int, int], Judged]  # by account and bucket


def judged(t: Tables) -> Buckets:
    """Judge every bucket that holds a position, the vault's aside."""
    found: Buckets = {}
    vault = t.row(Table.LEDGER, 0).vault
    for slot in range(1, t.row(Table.LEDGER, 0).accounts_high):
        account = t.row(Table.ACCOUNTS, slot)
        if slot == vault:
            continue
        buckets: dict[int, int] = {}
        for position in account.positions:
            if position.key >= ASSET_KEY or not position.size:
                continue
            market = t.row(Table.MARKETS, position.key)
            bucket = position.key if position.flags & POSITION_ISOLATED else CROSS
            worth = abs(position.size) * market.mark_ticks * market.quantum_e6
            buckets[bucket] = buckets.get(bucket, 0) + worth
        for bucket, notional in sorted(buckets.items()):
            at = bucket_worth(t, account, bucket)
            found[slot, bucket] = Judged(
                standing_of(at), at.equity, at.maintenance, at.initial, notional
            )
    return found


# --- changes -------------------------------------------------------------------------------------
def demand(code: Reject, what: str) -> None:
    """Refuse what the rules refuse."""
    if code:
        raise ChangeRefused(f"{what}: {SENTENCES[code]}")


def set_named(t: Tables, market: int | None, name: str, value: int) -> None:
    """Change a market's risk parameter, or a number of the venue. Raises ChangeRefused."""
    what = f"--set {name}={value}"
    if name in RISK_PARAMETERS:
        if market is None:
            raise ChangeRefused(f"{what}: this is a market's; name it with --market.")
        number = RISK_PARAMETERS.index(name)
        demand(risk_code(t, market, number, value), what)
        if t.row(Table.RISK, market).mode == Mode.OFF:
            raise ChangeRefused(f"{what}: {SENTENCES[Reject.MARKET_HAS_NO_CLEARING]}")
        if name == "mode" and value == Mode.OFF:
            raise ChangeRefused(f"{what}: a clearing house is never taken away.")
        risk_put(t, market, number, value)
    elif name in GLOBALS:
        number = GLOBALS.index(name)
        demand(global_change_code(t, number, value), what)
        global_put(t, number, value)
    else:
        raise ChangeRefused(f"{what}: no parameter has that name.")


def set_tier(t: Tables, slot: int, lower_e6: int, leverage: int) -> None:
    """Redefine or append a margin tier. Raises ChangeRefused."""
    demand(tier_code(t, slot, lower_e6, leverage), f"--tier {slot}:{lower_e6}:{leverage}")
    tier_put(t, slot, lower_e6, leverage)


def set_mark(t: Tables, market: int, ticks: int) -> None:
    """Let a market have another mark. Raises ChangeRefused."""
    what = f"--mark {market}={ticks}"
    if not 0 < market < t.row(Table.LEDGER, 0).markets_high:
        demand(Reject.MARKET_MUST_EXIST, what)
    row = t.row(Table.MARKETS, market)
    if row.kind != MarketKind.PERPETUAL:
        demand(Reject.MARKET_HAS_NO_CLEARING, what)
    if not 0 < ticks <= row.price_max_ticks:
        demand(Reject.PRICE_MUST_BE_IN_RANGE, what)
    row.mark_ticks = ticks
    t.put(Table.MARKETS, market, row)


# --- the answer ----------------------------------------------------------------------------------
def counts(buckets: Buckets) -> dict[str, dict[str, int]]:
    """How many buckets of each standing there are, and what their positions are worth."""
    found = {standing.name: {"buckets": 0, "notional_e6": 0} for standing in Standing}
    for each in buckets.values():
        found[each.standing.name]["buckets"] += 1
        found[each.standing.name]["notional_e6"] += each.notional_e6
    return found


def health_of(each: Judged) -> Fraction:
    """Equity over maintenance; below 1 a bucket is liquidated."""
    return Fraction(each.equity_e6, max(each.maintenance_e6, 1))


def answer(t: Tables, before: Buckets, after: Buckets) -> dict[str, Any]:
    """Compare two judgements of one state as a tree of JSON values."""
    below = [key for key, each in after.items() if each.standing >= Standing.PARTIAL]
    fallen = [key for key in below if before[key].standing < Standing.PARTIAL]
    ranked = sorted(after, key=lambda key: (health_of(after[key]), key))
    return {
        "before": counts(before),
        "after": counts(after),
        "liquidatable": len(below),
        "newly_liquidatable": len(fallen),
        "newly_liquidatable_notional_e6": sum(after[key].notional_e6 for key in fallen),
        "fallen": list(rows(t, before, after, fallen)),
        "worst": list(rows(t, before, after, ranked[:WORST_SHOWN])),
    }


def rows(
    t: Tables, before: Buckets, after: Buckets, keys: list[tuple[int, int]]
) -> Iterator[dict[str, Any]]:
    """Describe buckets before and after."""
    for key in keys:
        account, bucket = key
        row = t.row(Table.ACCOUNTS, account)
        yield {
            "account": account,
            "address": "0x" + row.address.hex(),
            "sub": row.sub,
            "bucket": bucket,
            "standing_before": before[key].standing.name,
            "standing_after": after[key].standing.name,
            "equity_before_e6": before[key].equity_e6,
            "equity_after_e6": after[key].equity_e6,
            "maintenance_before_e6": before[key].maintenance_e6,
            "maintenance_after_e6": after[key].maintenance_e6,
            "notional_after_e6": after[key].notional_e6,
            "liquidation_ticks": liquidation_ticks(t, row, bucket, after[key]),
        }


def liquidation_ticks(t: Tables, account: Account, bucket: int, at: Judged) -> dict[str, int]:
    """The mark of each of a bucket's markets at which it falls below maintenance, others as they
    are (FORMULAS 1); 0: at no price.
    """
    found = {}
    for position in account.positions:
        isolated = position.key if position.flags & POSITION_ISOLATED else CROSS
        if position.key >= ASSET_KEY or not position.size or isolated != bucket:
            continue
        market = t.row(Table.MARKETS, position.key)
        lots, sign = abs(position.size), 1 if position.size > 0 else -1
        value = lots * market.mark_ticks * market.quantum_e6
        found[str(position.key)] = risk_rules.liquidation_price(
            sign,
            market.mark_ticks,
            at.equity_e6 - at.maintenance_e6,
            lots,
            market.quantum_e6,
            margin_tier(t, market.margin_schedule, value).rate_ppm,
        )
    return found
