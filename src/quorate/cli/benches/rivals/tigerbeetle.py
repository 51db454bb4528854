"""TigerBeetle: 3 replicas from the binary `tigerbeetle` on PATH, driven by its own benchmark.

Durability is TigerBeetle's own and nothing is relaxed: direct I/O, an answer when a majority has
the batch on disk and the primary has executed it. A transfer is executed (two balances move, with
checks); nothing is signed. Only crashes are survived, as with the other rivals.

Batches of 8,189 transfers from one client, the defaults of `tigerbeetle benchmark` and the fastest
of those tried. That command takes a number of transfers and not a time, so that a short run on the
same cluster tells how many will take about the time asked for.

The package of that name holds only the client. The server comes with the releases of the project;
or from its source, with the Zig compiler 0.14.1 that the package ziglang carries.
"""

import re
import shutil
import time
from pathlib import Path

from quorate.cli.benches.rivals.processes import Group, attempted, free_ports
from quorate.cli.benches.rivals.results import NotMeasured, Rival, Skipped

NAME = "tigerbeetle_3"
INSTALL = (
    "The program tigerbeetle is not on PATH (the package of that name is only the client); take "
    "it from the project's releases, or pip install ziglang==0.14.1 and, in a checkout of its "
    "source, python -m ziglang build -Drelease."
)
DURABILITY = "direct I/O; a majority has the batch on disk before it is answered"
REPLICAS = 3
CACHE = "512MiB"
# Files and memory grow with the load: what a replica takes at the start and for each transfer.
DISK_BYTES_AT_START = 2 * 2**30
DISK_BYTES_PER_TRANSFER = 4_096
MEMORY_BYTES_PER_REPLICA = 3 * 2**30

CALIBRATION_TRANSFERS = 200_000
FORMAT_S_MAX = 60
START_S_MAX = 60

RATE = re.compile(r"^load accepted = (\d+) tx/s$", re.MULTILINE)
BATCH = re.compile(r"^transfer batch size = (\d+) txs$", re.MULTILINE)
LATENCY = re.compile(r"^batch latency p(\d+) *= (\d+) ms", re.MULTILINE)


def figures(text: str) -> tuple[int, int, int, int]:
    """Transfers/s, batch size, p50 and p99 in ms from what `benchmark` prints.

    Raises NotMeasured when one is missing.
    """
    rate, batch = RATE.search(text), BATCH.search(text)
    latencies = {int(share): int(ms) for share, ms in LATENCY.findall(text)}
    if rate is None or batch is None or not {50, 99} <= latencies.keys():
        shown = " ".join(text.split())[-200:] or "nothing"
        raise NotMeasured(f"Its benchmark did not print the figures, but: {shown}.")
    return int(rate[1]), int(batch[1]), latencies[50], latencies[99]


def transfers_within(rate: float, seconds: float, free_bytes: int) -> int:
    """Transfers that take about `seconds` and leave half of the free disk alone."""
    room = free_bytes // 2 - REPLICAS * DISK_BYTES_AT_START
    most = room // (REPLICAS * DISK_BYTES_PER_TRANSFER) - CALIBRATION_TRANSFERS
    if most < CALIBRATION_TRANSFERS:
        raise NotMeasured(f"Its three data files need more than {free_bytes >> 30} GiB of disk.")
    return int(min(rate * seconds, most))


def refuse_low_memory() -> None:
    """Raise NotMeasured when three replicas would not fit into the memory that is free."""
    info = Path("/proc/meminfo")
    found = re.search(r"^MemAvailable: +(\d+) kB$", info.read_text(), re.MULTILINE)
    needed = REPLICAS * MEMORY_BYTES_PER_REPLICA
    if found is not None and int(found[1]) * 1024 < needed:
        raise NotMeasured(f"Its three replicas need {needed >> 30} GiB of free memory.")


def started(children: Group, program: str) -> str:
    """Format and start the replicas; give their addresses."""
    addresses = ",".join(f"127.0.0.1:{port}" for port in free_ports(REPLICAS))
    for number in range(REPLICAS):
        data = str(children.folder / f"{number}.tigerbeetle")
        replica = [f"--replica={number}", f"--replica-count={REPLICAS}"]
        children.finished(
            "format", [program, "format", "--cluster=0", *replica, data], FORMAT_S_MAX
        )
        command = [program, "start", f"--addresses={addresses}", f"--cache-grid={CACHE}", data]
        children.start(f"replica{number}", command)
    return addresses


def loaded(
    children: Group, program: str, addresses: str, transfers: int, seconds: float
) -> tuple[int, int, int, int]:
    """Run its benchmark against the replicas; give the figures."""
    command = [program, "benchmark", f"--addresses={addresses}"]
    command += [f"--transfer-count={transfers}", "--query-count=0"]
    return figures(children.finished("benchmark", command, seconds))


def driven(children: Group, seconds: int, program: str) -> Rival:
    """Run the replicas and the load; raises NotMeasured."""
    refuse_low_memory()
    free_bytes = shutil.disk_usage(children.folder).free
    transfers_within(0, 0, free_bytes)
    addresses = started(children, program)
    time.sleep(0.5)
    children.refuse_dead()
    rate, *_rest = loaded(children, program, addresses, CALIBRATION_TRANSFERS, START_S_MAX)
    transfers = transfers_within(rate, seconds, free_bytes)
    rate, batch, p50_ms, p99_ms = loaded(
        children, program, addresses, transfers, START_S_MAX + 6 * seconds
    )
    return Rival(
        NAME,
        REPLICAS,
        rate,
        p50_ms,
        p99_ms,
        f"{batch} transfers in a batch, 1 batch under way, {transfers:,} in all",
        DURABILITY,
    )


def measure(seconds: int, folder: Path) -> Rival | Skipped:
    """Measure TigerBeetle for about `seconds` with its data under `folder`."""
    program = shutil.which("tigerbeetle")
    if program is None:
        return Skipped(NAME, INSTALL)
    return attempted(NAME, folder, lambda children: driven(children, seconds, program))
