"""Speed of the transition with the clearing house at work: `kernel.full`."""

from collections.abc import Iterator
from typing import Any

from quorate.cli.benches.figures import Figure, median, seconds, spread
from quorate.cli.benches.kernels import (
    BUNDLE,
    MIXED_ACCOUNTS,
    MIXED_MARKETS,
    addresses_of,
    run,
)
from quorate.execution.machine import KernelMachine, genesis_image
from quorate.runtime.recover import process_secrets
from quorate.sim.flow import GENESIS_MS, USD, deposits
from quorate.sim.flow_clearing import FullFlow, full_genesis
from quorate.types.codes import EventKind, Reject


def rejected(events: Any) -> int:
    """Commands that were refused; the code of an event of the clearing house is its own."""
    ours = (events["kind"] == EventKind.RECEIPT) | (events["kind"] == EventKind.BUNDLE)
    return int((ours & (events["code"] != Reject.OK)).sum())


def full() -> Iterator[Figure]:
    """The mixed flow with votes, marks, funding, bands, triggers, groups and the scan on."""
    addresses = addresses_of(MIXED_ACCOUNTS)
    machine = KernelMachine(genesis_image(full_genesis(MIXED_MARKETS)), process_secrets())
    events = run(machine, deposits(addresses, 10**6 * USD, height=1, time_ms=GENESIS_MS + 200))
    assert not rejected(events)
    flow = FullFlow(1, addresses, MIXED_MARKETS, 1)
    grouped = run(machine, flow.groups_block())
    assert not rejected(grouped)
    for _ in range(20):
        run(machine, flow.block(400, BUNDLE))
    rates = []
    fills = rejects = commands = ticks = fired = 0
    before = int(machine.ledger["tick_count"])
    for _ in range(7):
        blocks = [flow.block(400, BUNDLE) for _ in range(10)]
        spent = 0.0
        for block in blocks:
            spent += seconds(lambda block=block: run(machine, block))  # type: ignore[misc]
            events = machine.s.events[: int(machine.s.now[0]["events"])]
            fills += int((events["kind"] == EventKind.FILL).sum())
            fired += int((events["kind"] == EventKind.PROTECTED).sum())
            rejects += rejected(events)
            commands += len(block.commands)
        rates.append(sum(len(block.commands) for block in blocks) / spent)
    ticks = int(machine.ledger["tick_count"]) - before
    yield Figure(
        "kernel.full",
        median(rates),
        "commands/s",
        f"{MIXED_MARKETS} markets and feeds, {MIXED_ACCOUNTS:,} accounts, bundles of {BUNDLE}, "
        f"{fills / commands:.2f} fills and {rejects / commands:.2f} rejects a command, "
        f"{ticks} ticks in 70 blocks, {int(machine.ledger['triggers_live']):,} triggers, "
        f"{fired} groups frozen; {spread(rates)}",
    )
