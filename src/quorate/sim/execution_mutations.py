"""Wrong kernels, on purpose: what the fuzzer must find, or it guards nothing.

A mutation is one replacement in one source of the kernels, applied to a copy of the package. The
scalar rules are shared by spec and kernels, so mutating them would change both: only kernels are.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old` stands exactly once in `file`, a module of execution/kernels."""

    name: str
    file: str
    old: str
    new: str
    says: str


MUTATIONS: Final = (
    Mutation(
        "work_limit",
        "match",
        'fills == fills_max:\n            taker["end"]',
        'fills == fills_max + 1:\n            taker["end"]',
        "one fill more than the work limit",
    ),
    Mutation(
        "fee_rounding",
        "match",
        'maker_fee = ppm_ceil(value, s.fee_tiers[fee_tier(s, maker, schedule)]["maker_ppm"])',
        'maker_fee = value * s.fee_tiers[fee_tier(s, maker, schedule)]["maker_ppm"] // 1_000_000',
        "the maker's fee is rounded down",
    ),
    Mutation(
        "worst_side",
        "margin",
        'worst_lots(size, position["bids"], position["asks"])',
        'worst_lots(size, position["asks"], position["bids"])',
        "bids and asks are exchanged where the riskiest side is found",
    ),
    Mutation(
        "dirty_flag",
        "book",
        's.orders[tail]["newer"] = slot\n        s.orders_dirty[tail] = 1',
        's.orders[tail]["newer"] = slot',
        "an order that gets a younger neighbour is not marked",
    ),
    Mutation(
        "nonce_floor",
        "signers",
        'row["floor"] = s.nonce_cells[cell, k]',
        'row["floor"] += 0',
        "the floor stays when the lowest nonce goes",
    ),
    Mutation(
        "self_trade_scope",
        "match",
        'if not s.taker[0]["flags"] & STP_MASTER:\n        return False',
        "pass",
        "self-trade prevention always covers the master account",
    ),
    Mutation(
        "shrink_priority",
        "orders",
        'or lots > order["remaining"]:',
        'or lots != order["remaining"]:',
        "an order that shrinks goes to the end of the queue",
    ),
    Mutation(
        "free_list",
        "rows",
        'slot = ledger["levels_free"]\n    if slot:',
        'slot = ledger["levels_free"]\n    if slot and s.levels[slot]["worse"] == 0:',
        "of several freed levels only the last in the list is used again",
    ),
    Mutation(
        "reduce_only",
        "orders",
        'if lots < taker["size"]:',
        'if lots < taker["size"] and taker["tif"] < IOC:',
        "a reduce-only order that is immediate may turn the position",
    ),
    Mutation(
        "volume_window",
        "margin",
        "if at + 1 == window:",
        "if at < window:",
        "old volume counts for ever",
    ),
    Mutation(
        "fee_tier_edge",
        "margin",
        'tier["volume_min_e6"] > volume:',
        'tier["volume_min_e6"] >= volume:',
        "a volume that just reaches a tier does not get it",
    ),
    Mutation(
        "expiry_edge",
        "book",
        'expiry_ms > 0 and expiry_ms <= s.now[0]["time_ms"]:',
        'expiry_ms > 0 and expiry_ms < s.now[0]["time_ms"]:',
        "an order lives in the millisecond of its expiry",
    ),
    Mutation(
        "dry_run",
        "match",
        's.maker_tentative[account] += lots if order["side"] == BUY else -lots',
        "pass",
        "the dry run of fill-or-kill forgets what it took from a maker",
    ),
    Mutation(
        "register_kept",
        "governance",
        'if row["power"] == 0 and row["changed_height"] <= settled:',
        'if row["power"] == 0 and row["changed_height"] < settled:',
        "a removed validator keeps its row for a block too long",
    ),
    Mutation(
        "register_before",
        "governance",
        'elif row["changed_height"] != height:',
        'elif row["changed_height"] < 0:',
        "a validator's row forgets the change before the last",
    ),
)
NAMES: Final = tuple(mutation.name for mutation in MUTATIONS)


def mutation_of(name: str) -> Mutation | None:
    """The mutation of that name."""
    return next((mutation for mutation in MUTATIONS if mutation.name == name), None)


def write_mutant(package: Path, folder: Path, mutation: Mutation) -> None:
    """Copy the package `quorate` into `folder` and apply the mutation there."""
    target = folder / package.name
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    path = target / "execution" / "kernels" / f"{mutation.file}.py"
    text = path.read_text(encoding="ascii")
    assert text.count(mutation.old) == 1, f"{mutation.name}: the source has changed, change this"
    path.write_text(text.replace(mutation.old, mutation.new), encoding="ascii")
