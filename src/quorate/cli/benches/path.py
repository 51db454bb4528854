"""The whole signed path in one process: admission, ordering, execution, root, log on disk.

One thread does everything in turn, so a figure is what one core carries. A batch of requests is
admitted (decode, limits, signature recovery), the replica makes a block of it, executes, hashes and
signs the checkpoint; then block and checkpoint go to the log and are synced before the replies.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from quorate.admission import Chain, chain_of, sign_bundle
from quorate.cli.benches.figures import Figure, median, spread
from quorate.codec.commands import command_rows
from quorate.codec.genesis import encode_genesis
from quorate.codec.items import encode_items
from quorate.crypto import address_of, key_from_seed, public_key
from quorate.crypto.signatures import MapCall
from quorate.replica.intake import judged
from quorate.replica.ledger import Settings
from quorate.replica.messages import Effect, Judged, Reply, Request, Sync, Synced
from quorate.replica.replica import Replica
from quorate.runtime.files import LogFiles
from quorate.runtime.home import Home, init_home, read_home, signer_of
from quorate.runtime.recover import recover
from quorate.runtime.start import log_effects
from quorate.sim.flow import GENESIS_MS, USD, Flow, bench_genesis
from quorate.types.codes import Op
from quorate.types.limits import COMMANDS_PER_BUNDLE_MAX

ACCOUNTS = 2_048
MARKETS = 8
BRIDGE_KEY = key_from_seed("bench bridge")


def key_address(key: bytes) -> bytes:
    """Address of a key."""
    address = address_of(public_key(key))
    assert address is not None
    return address


class World:
    """A home in a temporary folder, its replica, and signers whose accounts are funded."""

    def __init__(self, folder: Path) -> None:
        genesis = bench_genesis(MARKETS, bridge=key_address(BRIDGE_KEY))
        path = folder / "genesis.json"
        path.write_bytes(encode_genesis(genesis))
        self.home: Home = init_home(folder / "home", path)
        self.chain: Chain = chain_of(genesis.chain_id, self.home.genesis_hash)
        self.keys = [key_from_seed(f"bench {n}") for n in range(ACCOUNTS)]
        self.addresses = np.array(
            [np.frombuffer(key_address(key), np.uint8) for key in self.keys]
        )
        self.key_of = {a.tobytes(): k for a, k in zip(self.addresses, self.keys, strict=True)}
        home = self.home
        self.files = LogFiles.open(home.path, home.identity, home.config.segment_bytes)
        key, signer = signer_of(self.home.path)
        executor = recover(self.home, self.files).replay.executor
        self.replica = Replica(executor, Settings(self.home.identity, key, signer))
        self.flow = Flow(3, self.addresses, MARKETS, 1)
        self.map: MapCall = map
        self.deposit()

    def deposit(self) -> None:
        """Fund every account."""
        rows = command_rows(
            Op.DEPOSIT, ACCOUNTS, address=self.addresses, amount=10**6 * USD, limit_a=1
        )
        items = [
            sign_bundle(BRIDGE_KEY, self.chain, 0, GENESIS_MS + n, part.tobytes())
            for n, part in enumerate(
                rows[at : at + COMMANDS_PER_BUNDLE_MAX]
                for at in range(0, ACCOUNTS, COMMANDS_PER_BUNDLE_MAX)
            )
        ]
        self.carry([Request(0, 0, encode_items(items))], GENESIS_MS)

    def signed(self, bundles: int, size: int) -> tuple[list[Request], int]:
        """Requests of one bundle each for one block, and the block's time."""
        block = self.flow.block(bundles, size)
        requests = []
        for n, row in enumerate(block.bundles):
            key = self.key_of[row["signer"].tobytes()]
            first = int(row["first"])
            commands = block.commands[first : first + size].tobytes()
            item = sign_bundle(key, self.chain, 0, int(row["nonce"]), commands)
            requests.append(Request(0, n, encode_items([item])))
        return requests, block.time_ms

    def carry(self, requests: Sequence[Request], now_ms: int) -> list[Effect]:
        """Take requests from bytes to durable replies."""
        effects = self.replica.step(now_ms, Judged(judged(requests, self.chain, self.map)))
        log_effects(self.files, effects)
        for effect in effects:
            if isinstance(effect, Sync):
                effects = effects + self.replica.step(now_ms, Synced(effect.height))
        return effects


def path_rate(world: World, bundles: int, size: int, blocks: int) -> tuple[float, float]:
    """Commands per second of `blocks` blocks, and the milliseconds of the median block."""
    made = [world.signed(bundles, size) for _ in range(blocks)]
    times = []
    for requests, now_ms in made:
        start_s = time.perf_counter()
        effects = world.carry(requests, now_ms)
        times.append(time.perf_counter() - start_s)
        assert sum(isinstance(effect, Reply) for effect in effects) == bundles
    return blocks * bundles * size / sum(times), 1000 * median(times)


def in_world(work: Any) -> Iterator[Figure]:
    """Run a measurement in a world that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="quorate-bench-"))
    try:
        world = World(folder)
        yield from work(world)
        world.files.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def path() -> Iterator[Figure]:
    """`path.bundle50` and `path.bundle1`."""
    yield from in_world(path_figures)


def path_figures(world: World) -> Iterator[Figure]:
    for name, bundles, size, blocks in (
        ("path.bundle50", 600, 50, 3),
        ("path.bundle1", 2_000, 1, 3),
    ):
        path_rate(world, bundles, size, 2)
        runs = [path_rate(world, bundles, size, blocks) for _ in range(5)]
        rates = [rate for rate, _ in runs]
        block_ms = median([each for _, each in runs])
        yield Figure(
            name,
            median(rates),
            "commands/s",
            f"{bundles} bundles of {size} a block, one thread, one sync a block, "
            f"{block_ms:.1f} ms a block; {spread(rates)}",
        )
    with ThreadPoolExecutor(2) as pool:
        world.map = pool.map
        rates = [path_rate(world, 2_000, 1, 3)[0] for _ in range(5)]
    world.map = map
    yield Figure(
        "path.bundle1.two_threads",
        median(rates),
        "commands/s",
        f"the same with signatures recovered on two threads; {spread(rates)}",
    )


def recovery() -> Iterator[Figure]:
    """`recovery.million_s`: open a log of a million commands and stand at its last root."""
    yield from in_world(recovery_figures)


def recovery_figures(world: World) -> Iterator[Figure]:
    commands = 0
    while commands < 1_000_000:
        requests, now_ms = world.signed(400, 50)
        world.carry(requests, now_ms)
        commands += 400 * 50
    root = world.replica.executor.root
    log_bytes = sum(f.stat().st_size for f in world.home.path.rglob("*") if f.is_file())
    world.files.close()
    times = []
    for _ in range(3):
        start_s = time.perf_counter()
        home = read_home(world.home.path)
        files = LogFiles.open(home.path, home.identity, home.config.segment_bytes)
        found = recover(home, files).replay.executor
        times.append(time.perf_counter() - start_s)
        assert found.root == root
        files.close()
    yield Figure(
        "recovery.million_s",
        median(times),
        "s",
        f"{commands:,} commands in {found.height:,} blocks, {log_bytes / 2**20:,.0f} MiB of files, "
        f"every logged root compared; {', '.join(f'{t:.2f}' for t in times)} s",
    )

