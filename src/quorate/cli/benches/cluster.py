"""Figures of four validators on one machine, as real processes with real fsync.

    cluster.finality_*     from submission to executed receipt, 200 bundles of one command a second
    cluster.commands_per_s bundles of 50, executed with margin checks and state root
    cluster.failover_ms    the leader is killed: the longest time without a new block elsewhere
    cluster.catchup_s      a validator that missed a million commands is with the others again,
                           while the load goes on
    sim.steps_per_s        steps of the bare agreement core in the simulator, one process
    peer.*                 other systems on the same machine, in the same run
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from quorate.admission import chain_of
from quorate.cli.benches.cluster_flow import BUNDLE, Trader, traders
from quorate.cli.benches.cluster_load import Load
from quorate.cli.benches.facts import disk
from quorate.cli.benches.figures import Figure, median, spread
from quorate.cli.benches.rivals import measurements
from quorate.cli.benches.rivals.results import Rival
from quorate.runtime.testnet import Testnet
from quorate.sim.scenarios.catalogue import calm
from quorate.types.blocks import Item

VALIDATORS: Final = 4
TRADERS: Final = 64
LIGHT_RATE, LIGHT_S = 200, 20
FULL_S: Final = 30
FULL_BUNDLES: Final = 4_000 * FULL_S  # made beforehand: no machine of two cores gets through them
PARCEL, WAITING_MAX = 4, 64  # bundles a request, requests under way
CATCHUP_COMMANDS: Final = 1_000_000
CATCHUP_RATE: Final = 400  # bundles a second while the validator catches up
CATCHUP_S_MAX: Final = 120.0
FAILOVER_S: Final = 6.0
RIVAL_S: Final = 10
SIM_RUNS: Final = 5
POLL_S: Final = 0.002


def merged(made: list[Trader]) -> list[Item]:
    """Put the traders' bundles in the order in which they are sent: each trader in turn."""
    return [item for turn in zip(*(trader.items for trader in made), strict=True) for item in turn]


class Cluster:
    """Running validators and a load for them."""

    def __init__(self, net: Testnet) -> None:
        self.net = net
        self.chain = chain_of(*net.homes[0].identity)
        self.load = Load([net.endpoint(at) for at in range(VALIDATORS)])
        self.seed = 0

    async def traffic(self, bundles: int, size: int) -> list[Item]:
        """Make and fund traders with so many bundles together."""
        self.seed += 1
        each = -(-bundles // TRADERS)
        nonce_ms = time.time_ns() // 1_000_000
        made = traders(self.chain, self.seed, TRADERS, each, size, nonce_ms)
        funded = await self.load.run([trader.funding for trader in made], 1_000.0, TRADERS)
        assert funded.bundles == TRADERS, f"not all traders were funded: {funded.refused}"
        return merged(made)

    async def cpu_ms(self) -> dict[str, int]:
        """Add up the processor time of all validators by place of work."""
        total: dict[str, int] = {}
        for at in sorted(self.load.clients):
            for name, spent in (await self.load.network(at))["cpu_ms"].items():
                total[name] = total.get(name, 0) + spent
        return total


async def finality(cluster: Cluster) -> AsyncIterator[Figure]:
    """Measure latency at light load."""
    items = await cluster.traffic(LIGHT_RATE * LIGHT_S, 1)
    before = await cluster.load.network(0)
    ran = await cluster.load.run(items, LIGHT_RATE)
    after = await cluster.load.network(0)
    detail = (
        f"{LIGHT_RATE} bundles of 1 a second for {ran.seconds:.0f} s over {VALIDATORS} validators, "
        f"submission to executed receipt; {after['height'] - before['height']} blocks, "
        f"{sum(ran.refused.values())} refused"
    )
    yield Figure("cluster.finality_p50_ms", ran.percentile(50), "ms", detail)
    yield Figure("cluster.finality_p99_ms", ran.percentile(99), "ms", detail)


async def throughput(cluster: Cluster) -> AsyncIterator[Figure]:
    """Measure commands a second in bundles of 50, and where the processor time goes."""
    items = await cluster.traffic(FULL_BUNDLES, BUNDLE)
    spent_before = await cluster.cpu_ms()
    before = await cluster.load.network(0)
    ran = await cluster.load.run(items, 0.0, PARCEL, WAITING_MAX, FULL_S)
    after = await cluster.load.network(0)
    spent = await cluster.cpu_ms()
    commands = ran.bundles * BUNDLE
    blocks = after["height"] - before["height"]
    detail = (
        f"bundles of {BUNDLE}, {WAITING_MAX * PARCEL} of them under way, {ran.seconds:.1f} s, "
        f"{blocks} blocks, p50 {ran.percentile(50):.0f} ms, p99 {ran.percentile(99):.0f} ms, "
        f"{ran.rejected / max(commands, 1):.1%} of commands rejected by rules, "
        f"{sum(ran.refused.values())} bundles refused"
    )
    yield Figure("cluster.commands_per_s", commands / ran.seconds, "commands/s", detail)
    words = "submission to executed receipt at that load"
    yield Figure("cluster.full_p99_ms", ran.percentile(99), "ms", words)
    rooms = {
        "loop": "ordering, replica, sockets and TLS",
        "admission": "decoding and signatures, and what no thread owns",
        "execution": "execution and commitment",
        "log": "storage",
    }
    for name, words in rooms.items():
        seconds = (spent[name] - spent_before[name]) / 1000
        per_million = seconds * 1_000_000 / max(commands, 1)
        yield Figure(
            f"cluster.cpu_s_per_million.{name}", per_million, "s", f"{words}; all validators"
        )


async def failover(cluster: Cluster) -> AsyncIterator[Figure]:
    """Kill the leader under light load, and watch the others' heights."""
    items = await cluster.traffic(int(LIGHT_RATE * FAILOVER_S), 1)
    leader = int((await cluster.load.network(0))["leader"])
    watched = next(at for at in range(VALIDATORS) if at != leader)
    watcher = Load([cluster.net.endpoint(watched)])
    await watcher.connect(0)
    await cluster.load.clients.pop(leader).close()
    running = asyncio.ensure_future(cluster.load.run(items, LIGHT_RATE))
    await asyncio.sleep(FAILOVER_S / 4)
    cluster.net.kill(leader)
    killed_s = last_s = time.perf_counter()
    height, longest_s = int((await watcher.network(0))["height"]), 0.0
    while not running.done():
        await asyncio.sleep(POLL_S)
        now = int((await watcher.network(0))["height"])
        if now > height:
            longest_s = max(longest_s, time.perf_counter() - last_s)
            height, last_s = now, time.perf_counter()
    ran = await running
    parameters = cluster.net.homes[0].consensus
    assert parameters is not None
    timeout = parameters.parameters.heartbeat_ms + 3 * parameters.parameters.delta_ms
    yield Figure(
        "cluster.failover_ms",
        longest_s * 1000,
        "ms",
        f"longest time without a new block in the {time.perf_counter() - killed_s:.1f} s after the "
        f"kill; a view's whole timeout is {timeout} ms; receipts' p99 {ran.percentile(99):.0f} ms",
    )
    await watcher.close()
    cluster.net.start(leader)
    await cluster.load.connect(leader)


async def catchup(cluster: Cluster) -> AsyncIterator[Figure]:
    """Kill a validator, pass a million commands, and bring it back under load."""
    victim = VALIDATORS - 1
    await cluster.load.clients.pop(victim).close()
    cluster.net.kill(victim)
    missed = await cluster.traffic(CATCHUP_COMMANDS // BUNDLE, BUNDLE)
    await cluster.load.run(missed, 0.0, PARCEL, WAITING_MAX)
    items = await cluster.traffic(int(CATCHUP_RATE * CATCHUP_S_MAX), BUNDLE)
    running = asyncio.ensure_future(cluster.load.run(items, CATCHUP_RATE, PARCEL, WAITING_MAX))
    started_s = time.perf_counter()
    await asyncio.get_running_loop().run_in_executor(None, cluster.net.start, victim)
    serving_s = time.perf_counter() - started_s
    watcher = Load([cluster.net.endpoint(victim)])
    await watcher.connect(0)
    took_s = 0.0
    while not running.done() and not took_s:
        await asyncio.sleep(POLL_S * 10)
        behind = (await cluster.load.network(0))["height"] - (await watcher.network(0))["height"]
        if behind <= 2:
            took_s = time.perf_counter() - started_s
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await watcher.close()
    detail = (
        f"{len(missed) * BUNDLE:,} commands missed, {CATCHUP_RATE * BUNDLE:,} commands/s going on; "
        f"from start of the process, of which {serving_s:.1f} s until it serves"
    )
    if not took_s:
        took_s, detail = CATCHUP_S_MAX, f"not within {CATCHUP_S_MAX:.0f} s: {detail}"
    yield Figure("cluster.catchup_s", took_s, "s", detail)


async def measured(net: Testnet) -> AsyncIterator[Figure]:
    """Run all measurements on one cluster."""
    cluster = Cluster(net)
    await cluster.load.connect_all()
    for measure in (finality, throughput, failover, catchup):
        async for figure in measure(cluster):
            yield figure
    await cluster.load.close()


def cluster() -> Iterator[Figure]:
    """All figures of `quorate bench cluster`."""
    yield from disk()
    folder = Path(tempfile.mkdtemp(prefix="quorate-cluster-"))
    ours: dict[str, float] = {}
    try:
        with Testnet.made(folder / "net", VALIDATORS) as net:
            runner = asyncio.Runner()
            figures = measured(net)
            with runner:
                while (figure := runner.run(anext_or_none(figures))) is not None:
                    ours[figure.name] = figure.value
                    yield figure
        yield from simulator()
        yield from rivals(folder, ours)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def simulator() -> Iterator[Figure]:
    """`sim.steps_per_s`."""
    rates: list[float] = []
    for seed in range(1, SIM_RUNS + 1):
        start_s = time.process_time()
        outcome = calm(seed)
        rates.append(outcome.steps / (time.process_time() - start_s))
        assert not outcome.broken, outcome.sentence
    detail = f"steps of bare agreement cores, checkers on, one process; {spread(rates)}"
    yield Figure("sim.steps_per_s", median(rates), "steps/s", detail)


async def anext_or_none(figures: AsyncIterator[Figure]) -> Figure | None:
    """Give the next figure, None after the last."""
    return await anext(figures, None)


def rivals(folder: Path, ours: dict[str, float]) -> Iterator[Figure]:
    """Other systems in the same run, and our ratio to each."""
    os.makedirs(folder / "rivals", exist_ok=True)
    rate = ours["cluster.commands_per_s"]
    for found in measurements(RIVAL_S, folder / "rivals"):
        name = f"peer.{found.name}"
        if not isinstance(found, Rival):
            yield Figure(f"{name}.skipped", 0, "", found.reason)
            continue
        how = f"{found.nodes} nodes, {found.batching}; {found.durability}"
        how += f"; ours: {rate / found.commands_per_s:.2f}x"
        yield Figure(f"{name}.commands_per_s", found.commands_per_s, "records/s", how)
        yield Figure(f"{name}.p50_ms", found.p50_ms, "ms", f"p99 {found.p99_ms:.0f} ms")


