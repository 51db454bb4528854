"""The same load on our own engine, on CometBFT, and on CometBFT alone, one after the other.

    engine.NAME.commands_per_s      bundles of 50, so many under way that blocks are full
    engine.NAME.p50_ms, p99_ms      200 bundles of one command a second, from when each was due
    engine.NAME.cpu_s_per_million   user and system of all validators' processes, while full
    engine.NAME.bytes_per_command   TCP between validators, as the kernel counts it, while full
    engine.quorate_to_NAME.*        how many times the one's throughput; what share of its latency

Four validators each, on this machine, which the load generator shares with them.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from quorate.cli.benches.cluster import LIGHT_RATE
from quorate.cli.benches.cluster_flow import BUNDLE
from quorate.cli.benches.cluster_load import WAITING_MAX, Ran
from quorate.cli.benches.engines_meters import bytes_between, bytes_sent, cpu_s
from quorate.cli.benches.engines_nets import ENGINES, Engine, Side, running
from quorate.cli.benches.figures import Figure, median, spread
from quorate.runtime.cometbft.binary import comet_program, refuse_without_libraries
from quorate.runtime.config import COMETBFT
from quorate.runtime.disk import HomeRefused

SECONDS: Final = 20
RUNS: Final = 3
RAMP_SHARE: Final = 0.15  # of a run, at its begin, which is not counted
UNDER_WAY: Final = 4_096  # requests of one bundle: about three full blocks of CometBFT
FULL_S: Final = 5.0  # a run that is shorter has less under way, or it would be mostly ramp
TRIAL_S: Final = 5.0
TRIAL_RATE: Final = 4_000
AMPLE: Final = 1.5  # bundles made for a run, by what the one before it came to
RATIOS: Final = ("cometbft", "cometbft_fast")


@dataclass
class Found:
    """What the measurement of one engine came to. sent: bytes, None where nobody counts them."""

    under_way: int = UNDER_WAY
    rates: list[float] = field(default_factory=list)
    commands: int = 0
    blocks: int = 0
    refused: int = 0
    rejected: int = 0
    cpu_s: float = 0.0
    sent: int | None = 0
    places: dict[str, int] = field(default_factory=dict)
    full_ms: list[float] = field(default_factory=list)
    light: Ran = field(default_factory=Ran)
    light_blocks: int = 0


def under_way(seconds: float) -> int:
    """Say how many bundles are under way in a run of so many seconds."""
    return max(1, int(UNDER_WAY * min(1.0, seconds / FULL_S)))


def steady_rate(ran: Ran, seconds: float) -> float:
    """Give bundles a second between two answers: the last of the ramp, and the last in time.

    So a rate counts whole blocks, however few there are. Where there are not two such answers, in a
    run that is short for the blocks, it is that of the whole run.
    """
    ramp_s, end_s = ran.start_s + RAMP_SHARE * seconds, ran.start_s + seconds
    inside = [(at_s, bundles) for at_s, bundles in ran.finished if at_s <= end_s]
    first_s = min([at_s for at_s, _ in inside], default=0.0)
    began_s = max([at_s for at_s, _ in inside if at_s <= ramp_s], default=first_s)
    last_s = max([at_s for at_s, _ in inside], default=0.0)
    if last_s <= began_s:
        return ran.bundles / ran.seconds
    return sum(bundles for at_s, bundles in inside if at_s > began_s) / (last_s - began_s)


async def full(side: Side, found: Found, bundles: int, seconds: float) -> float:
    """Run once with many bundles under way; give bundles a second."""
    items = await side.traffic(bundles, BUNDLE)
    height, places = await side.height(), await side.places()
    spent_s, sent = cpu_s(side.pids), sent_now(side)
    ran = await side.run(items, 0.0, 1, found.under_way, seconds)
    found.cpu_s += cpu_s(side.pids) - spent_s
    sent_last = sent_now(side)
    if sent is None or sent_last is None or found.sent is None:
        found.sent = None
    else:
        found.sent += bytes_between(sent, sent_last)
    for place, spent_ms in (await side.places()).items():
        found.places[place] = found.places.get(place, 0) + spent_ms - places[place]
    found.blocks += await side.height() - height
    found.commands += ran.bundles * BUNDLE
    found.refused += sum(ran.refused.values())
    found.rejected += ran.rejected
    found.full_ms += ran.latencies_ms
    rate = steady_rate(ran, min(seconds, ran.seconds))
    found.rates.append(rate * BUNDLE)
    return rate


def sent_now(side: Side) -> dict[tuple[int, int, bytes], int] | None:
    """Ask what the links have sent; None where the system does not tell."""
    try:
        return bytes_sent(side.ports)
    except OSError:
        return None


async def measured(folder: Path, engine: Engine, seconds: float) -> Found:
    """Measure one engine. Raises as `running`."""
    found = Found(under_way(seconds))
    async with running(folder, engine) as side:
        trial_s = min(TRIAL_S, seconds)
        rate = await full(side, Found(under_way(trial_s)), int(TRIAL_RATE * trial_s), trial_s)
        for _ in range(RUNS):
            bundles = int(AMPLE * rate * seconds) + found.under_way
            rate = await full(side, found, bundles, seconds)
        items = await side.traffic(int(LIGHT_RATE * seconds), 1)
        height = await side.height()
        found.light = await side.run(items, LIGHT_RATE, 1, WAITING_MAX, 0.0)
        found.light_blocks = await side.height() - height
    return found


def figures(engine: Engine, found: Found, version: str) -> Iterator[Figure]:
    """Give the figures of one engine."""
    name, million = f"engine.{engine.name}", found.commands / 1_000_000 or 1.0
    words = f"{engine.words}{version}"
    per_block = found.commands / BUNDLE / max(found.blocks, 1)
    full_ms = Ran(latencies_ms=found.full_ms)
    waited = f", p50 {full_ms.percentile(50):,.0f} ms there" if found.full_ms else ""
    yield Figure(
        f"{name}.commands_per_s",
        median(found.rates),
        "commands/s",
        f"{words}; bundles of {BUNDLE}, {found.under_way:,} under way, {per_block:,.0f} a block"
        f"{waited}, {found.refused} refused; {spread(found.rates)}",
    )
    light = found.light
    detail = (
        f"{LIGHT_RATE} bundles of 1 a second for {light.seconds:.0f} s, {found.light_blocks} "
        f"blocks, {sum(light.refused.values())} refused"
    )
    yield Figure(f"{name}.p50_ms", light.percentile(50), "ms", detail)
    yield Figure(f"{name}.p99_ms", light.percentile(99), "ms", detail)
    parts = ", ".join(
        f"{place} {spent_ms / 1000 / million:,.0f}"
        for place, spent_ms in sorted(found.places.items())
    )
    ours = sum(found.places.values()) / 1000
    rest = f", CometBFT {(found.cpu_s - ours) / million:,.0f}" if engine.engine == COMETBFT else ""
    where = f"{parts}{rest}" if parts else "CometBFT alone"
    yield Figure(f"{name}.cpu_s_per_million", found.cpu_s / million, "s", f"all: {where}")
    if found.sent is not None:
        yield Figure(
            f"{name}.bytes_per_command",
            found.sent / max(found.commands, 1),
            "bytes",
            "TCP between all validators, both directions, by the kernel's count (TCP_INFO)",
        )


def ratios(ours: Found, name: str, theirs: Found) -> Iterator[Figure]:
    """Compare our engine with another one of this run."""
    title = f"engine.quorate_to_{name}"
    rate, its = median(ours.rates), median(theirs.rates)
    yield Figure(f"{title}.throughput", rate / its if its else 0.0, "times", "ours by theirs")
    p50, its_p50 = ours.light.percentile(50), theirs.light.percentile(50)
    yield Figure(f"{title}.p50", p50 / its_p50 if its_p50 else 0.0, "of it", "ours by theirs")


def missing() -> tuple[str, str]:
    """Say which CometBFT there is, or by a sentence why there is none."""
    try:
        refuse_without_libraries()
        return comet_program().version, ""
    except HomeRefused as refused:
        return "", str(refused)


def engines(seconds: float = SECONDS) -> Iterator[Figure]:
    """All figures of `quorate bench engines`. seconds: of each run. Raises as `running`."""
    version, sentence = missing()
    found: dict[str, Found] = {}
    for engine in ENGINES:
        if engine.engine == COMETBFT and sentence:
            yield Figure(f"engine.{engine.name}.skipped", 0, "", sentence)
            continue
        folder = Path(tempfile.mkdtemp(prefix="quorate-engines-"))
        try:
            found[engine.name] = asyncio.run(measured(folder, engine, seconds))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        said = f" ({version})" if engine.engine == COMETBFT else ""
        yield from figures(engine, found[engine.name], said)
        if engine.name in RATIOS:
            yield from ratios(found["quorate"], engine.name, found[engine.name])
