"""Speed of the transition alone: `kernel.mixed` and `kernel.worst`.

Blocks are made beforehand; what is timed is `KernelMachine.run`, which orders the bundles, checks
nonces and sessions, executes, and writes every event.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from quorate.cli.benches.figures import Figure, median, seconds, spread
from quorate.cli.benches.shapes import SHAPES, Shape, Writer
from quorate.execution.machine import KernelMachine, genesis_image
from quorate.runtime.recover import process_secrets
from quorate.sim.flow import (
    GENESIS_MS,
    USD,
    Block,
    Flow,
    address_of_index,
    bench_genesis,
    deposits,
)
from quorate.types.codes import EventKind, Reject

ZERO = bytes(32)
MIXED_ACCOUNTS = 65_536
MIXED_MARKETS = 8
BUNDLE = 50
WORK = "commands+fills+examined/s"


def addresses_of(count: int) -> Any:
    """uint8[count, 20]."""
    return np.array([np.frombuffer(address_of_index(i), np.uint8) for i in range(count)])


def funded(markets: int, addresses: Any) -> KernelMachine:
    """A machine in which every address has an account with a million USD."""
    machine = KernelMachine(genesis_image(bench_genesis(markets)), process_secrets())
    block = deposits(addresses, 10**6 * USD, height=1, time_ms=GENESIS_MS + 200)
    events = run(machine, block)
    assert not events["code"].any()
    return machine


def run(machine: KernelMachine, block: Block) -> Any:
    """Execute and seal one block; the roots do not matter here."""
    events = machine.run(block.height, block.time_ms, block.bundles, block.commands)
    machine.seal(ZERO, ZERO)
    return events


def mixed() -> Iterator[Figure]:
    """The mixed flow over 8 markets and 65,536 accounts."""
    addresses = addresses_of(MIXED_ACCOUNTS)
    machine = funded(MIXED_MARKETS, addresses)
    flow = Flow(1, addresses, MIXED_MARKETS, 1)
    for _ in range(20):
        run(machine, flow.block(400, BUNDLE))
    rates = []
    fills = rejects = commands = 0
    for _ in range(7):
        blocks = [flow.block(400, BUNDLE) for _ in range(10)]
        spent = 0.0
        for block in blocks:
            spent += seconds(lambda block=block: run(machine, block))  # type: ignore[misc]
            events = machine.s.events[: int(machine.s.now[0]["events"])]
            fills += int((events["kind"] == EventKind.FILL).sum())
            rejects += int((events["code"] != Reject.OK).sum())
            commands += len(block.commands)
        rates.append(10 * 400 * BUNDLE / spent)
    yield Figure(
        "kernel.mixed",
        median(rates),
        "commands/s",
        f"{MIXED_MARKETS} markets, {MIXED_ACCOUNTS:,} accounts, bundles of {BUNDLE}, "
        f"{fills / commands:.2f} fills and {rejects / commands:.2f} rejects a command, "
        f"margin checked; {spread(rates)}",
    )


def shape_rate(shape: Shape) -> tuple[float, str]:
    """Work per second of one shape: commands, fills and orders examined; and what came of it."""
    addresses = addresses_of(4_096)
    machine = funded(64, addresses)
    writer = Writer(addresses, 1, 2)
    blocks = shape(writer)
    for prepared in iter(lambda: next(blocks), None):
        assert prepared is not None
        run(machine, prepared)
    rates = []
    commands = codes = 0
    for _ in range(7):
        work, spent = 0, 0.0
        for _ in range(4):
            block = next(blocks)
            assert block is not None
            spent += seconds(lambda block=block: run(machine, block))  # type: ignore[misc]
            events = machine.s.events[: int(machine.s.now[0]["events"])]
            fills = int((events["kind"] == EventKind.FILL).sum())
            work += len(block.commands) + fills + machine.examined()
            commands += len(block.commands)
            codes += int((events["code"] != Reject.OK).sum())
        rates.append(work / spent)
    return median(rates[1:]), f"{codes / commands:.0%} rejected; {spread(rates[1:])}"


def worst() -> Iterator[Figure]:
    """The minimum over the named shapes, and each of them."""
    rates = {name: shape_rate(shape) for name, shape in SHAPES.items()}
    for name, (rate, outcome) in rates.items():
        meaning = (SHAPES[name].__doc__ or "").strip()
        yield Figure(f"kernel.worst.{name}", rate, WORK, f"{meaning} {outcome}")
    slowest = min(rates, key=lambda name: rates[name][0])
    yield Figure("kernel.worst", rates[slowest][0], WORK, f"shape {slowest}")
