"""Facts of the machine and of the program at rest: hashing, compilation, memory, disk sync."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from quorate.cli.benches.figures import Figure, median, seconds, spread
from quorate.cli.benches.kernels import MIXED_ACCOUNTS, MIXED_MARKETS, addresses_of
from quorate.codec.commands import command_rows
from quorate.commitment.sha256 import DIGEST_WORDS, no_tails, rehash_leaves
from quorate.execution.machine import KernelMachine, genesis_image
from quorate.replica.executor import Executor
from quorate.runtime.recover import process_secrets
from quorate.sim.flow import GENESIS_MS, USD, Block, Flow, bench_genesis, deposits
from quorate.types.codes import Op, Side
from quorate.types.limits import COMMANDS_PER_BUNDLE_MAX
from quorate.types.records import ADMITTED

MILLION = 1_000_000
WARM = "from quorate.compiled import warm; print(warm())"


def executor_of(markets: int) -> Executor:
    """An executor over the bench's genesis."""
    return Executor(KernelMachine(genesis_image(bench_genesis(markets)), process_secrets()))


def executed(executor: Executor, block: Block) -> None:
    """Execute a block and its root."""
    executor.execute(
        block.height, block.time_ms, 1, bytes(32), block.bundles, block.commands
    )


def hashes() -> Iterator[Figure]:
    """`root.hashes_per_s` and `root.hashes_per_command`."""
    count = 400_000
    rows = np.random.default_rng(1).integers(0, 256, (count, 112), np.uint8)
    slots = np.arange(count, dtype=np.int64)
    nodes = np.zeros(DIGEST_WORDS * count, np.uint32)
    tails = no_tails(count)
    runs = [seconds(lambda: rehash_leaves(rows, slots, tails, nodes, slots)) for _ in range(6)]
    rates = [count / spent for spent in runs[1:]]
    yield Figure(
        "root.hashes_per_s",
        median(rates),
        "hashes/s",
        f"leaves of 112 bytes (two compressions), one thread; {spread(rates)}",
    )
    addresses = addresses_of(MIXED_ACCOUNTS)
    executor = executor_of(MIXED_MARKETS)
    executed(executor, deposits(addresses, 10**6 * USD, height=1, time_ms=GENESIS_MS + 200))
    flow = Flow(1, addresses, MIXED_MARKETS, 1)
    for _ in range(10):
        executed(executor, flow.block(400, 50))
    state, events = executor.tree.count, executor.event_tree.hashes
    before = state.messages + events.messages
    for _ in range(10):
        executed(executor, flow.block(400, 50))
    count = state.messages + events.messages - before
    yield Figure(
        "root.hashes_per_command",
        count / (10 * 400 * 50),
        "hashes",
        "state and events roots together, mixed flow, blocks of 20,000 commands",
    )


def compilation() -> Iterator[Figure]:
    """`compile_s`: all kernels from an empty cache, as at the first start."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "QUORATE_CACHE_DIR": folder}
        start_s = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", WARM], env=environment, check=True, capture_output=True
        )
        spent = time.perf_counter() - start_s
    yield Figure("compile_s", spent, "s", f"{os.cpu_count()} processes, one run, empty cache")


def memory() -> Iterator[Figure]:
    """`rss.million_mib`: a process with a million accounts, each with one open order."""
    done = subprocess.run(
        [sys.executable, "-m", "quorate.cli.benches.facts"],
        check=True,
        capture_output=True,
        text=True,
    )
    yield Figure(
        "rss.million_mib",
        float(done.stdout.split()[-1]),
        "MiB",
        "peak resident memory with 1,000,000 accounts, signers and open orders, and their trees",
    )


def million() -> float:
    """Build that state in this process; return its peak resident memory in MiB."""
    executor = executor_of(1)
    height = 0
    step = 64 * COMMANDS_PER_BUNDLE_MAX
    for first in range(0, MILLION, step):
        count = min(step, MILLION - first)
        addresses = np.zeros((count, 20), np.uint8)
        numbers = np.arange(first + 1, first + count + 1, dtype=np.uint64)
        spread_numbers = numbers * np.uint64(0x9E3779B97F4A7C15)
        addresses[:, :8] = spread_numbers.view(np.uint8).reshape(count, 8)
        addresses[:, 12:] = numbers.view(np.uint8).reshape(count, 8)
        height += 1
        time_ms = GENESIS_MS + 200 * height
        executed(executor, deposits(addresses, 10**4 * USD, height=height, time_ms=time_ms))
        price = 90_000 + np.arange(count) % 5_000
        commands = command_rows(
            Op.PLACE, count, market=1, side=int(Side.BUY), price=price, size=1, cloid_lo=1
        )
        rows = np.zeros(count, ADMITTED)
        rows["signer"], rows["nonce"], rows["count"] = addresses, time_ms, 1
        rows["first"] = np.arange(count)
        height += 1
        executed(executor, Block(height, time_ms, rows, commands))
    live = int(executor.chain()["height"])
    assert live == height
    assert int(executor.machine.s.ledger[0]["orders_live"]) == MILLION  # type: ignore[attr-defined]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def disk() -> Iterator[Figure]:
    """`machine.fdatasync_p50_ms`: one 4 KiB write and its sync."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        fd = os.open(Path(folder) / "probe", os.O_RDWR | os.O_CREAT)
        try:
            os.posix_fallocate(fd, 0, 2**20)
            os.fsync(fd)
            for n in range(200):
                os.pwrite(fd, bytes([n]) * 4096, 4096 * n)
                times.append(1000 * seconds(lambda: os.fdatasync(fd)))
        finally:
            os.close(fd)
    yield Figure(
        "machine.fdatasync_p50_ms",
        median(times),
        "ms",
        f"4 KiB each, 200 of them, {min(times):.2f} to {max(times):.2f} ms",
    )


if __name__ == "__main__":
    sys.stdout.write(f"{million():.0f}\n")

