"""Speed of the clearing house alone: `risk.scan_million_ms`.

A million accounts with three positions each are written straight into the tables; what is timed is
the scan that follows every price update: each account marked to market and held against its
maintenance margin, those near it judged exactly.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from quorate.cli.benches.figures import Figure, median, seconds, spread
from quorate.execution.machine import KernelMachine, genesis_image
from quorate.runtime.recover import process_secrets
from quorate.sim.flow import PRICE_MID, bench_genesis
from quorate.types.clearing_spec import ClearingSpec, FeedSpec, GlobalSpec, RiskSpec, VoterSpec

ACCOUNTS = 1_000_000
POSITIONS = 3
MARKETS = 16
RUNS = 15


def scan_machine() -> KernelMachine:
    """A machine of a million accounts, entered at leverages of 3 to 30."""
    clearing = ClearingSpec(
        vault=bytes([0x7A]) * 20,
        feeds=(FeedSpec("INDEX", PRICE_MID),),
        voters=(VoterSpec(bytes([0x70]) * 20, 1),),
        numbers=GlobalSpec(),
        markets=tuple(RiskSpec(market) for market in range(1, MARKETS + 1)),
    )
    machine = KernelMachine(
        genesis_image(replace(bench_genesis(MARKETS), clearing=clearing)), process_secrets()
    )
    s = machine.s
    first = int(s.ledger[0]["accounts_high"])
    rng = np.random.default_rng(5)
    cells = ACCOUNTS * (POSITIONS + 1)  # an extent has room for a power of two
    slots = np.arange(first, first + ACCOUNTS)
    starts = np.arange(0, cells, POSITIONS + 1)
    s.positions_first[slots] = starts
    s.positions_class[slots] = 2
    s.positions_free[-1] = cells - 1
    sizes = rng.integers(1, 1_000, (POSITIONS, ACCOUNTS)) * rng.choice([-1, 1], (1, ACCOUNTS))
    for k in range(POSITIONS):
        at = s.positions[starts + k]
        at["key"] = 1 + (slots * POSITIONS + k) % MARKETS
        at["size"] = sizes[k]
        s.positions[starts + k] = at
    rows = s.accounts[slots]
    worth_e6 = np.abs(sizes).sum(axis=0) * PRICE_MID * 10
    signed_e6 = sizes.sum(axis=0) * PRICE_MID * 10
    # Leverage of 3 to 30, all entered at the mid: a long's cash is what it paid, below zero.
    rows["cash_e6"] = worth_e6 // rng.integers(3, 31, ACCOUNTS) - signed_e6
    rows["positions_count"] = POSITIONS
    s.accounts[slots] = rows
    s.ledger[0]["accounts_high"] = first + ACCOUNTS
    s.ledger[0]["positions_live"] = ACCOUNTS * POSITIONS
    s.risk["guard"][:] = 0
    return machine


def scan() -> Iterator[Figure]:
    """One price update of every market, and the scan of a million accounts."""
    machine = scan_machine()
    s: Any = machine.s
    rng = np.random.default_rng(6)
    spent, found = [], []
    for _ in range(RUNS):
        moved = PRICE_MID + rng.integers(-3_000, 3_000, MARKETS)
        s.markets["mark_ticks"][1 : MARKETS + 1] = moved
        spent.append(1_000 * seconds(lambda: machine.phase_liquidation.scan(s)))
        found.append(int(s.closing[0]["count"]))
    yield Figure(
        "risk.scan_million_ms",
        median(spent[1:]),
        "ms",
        f"{ACCOUNTS:,} accounts with {POSITIONS} positions in {MARKETS} markets, one core, up to"
        f" {max(found)} buckets found below maintenance; {spread(spent[1:])}",
    )


