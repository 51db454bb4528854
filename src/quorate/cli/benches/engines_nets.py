"""Four validators of one engine on this machine, and the load for them, in one form for all.

What is driven is always the same: traders' bundles, or transactions of the same sizes where there
is no node of ours to understand them.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from quorate.cli.benches.cluster import TRADERS, VALIDATORS, Cluster, merged
from quorate.cli.benches.cluster_flow import traders
from quorate.cli.benches.cluster_load import Ran
from quorate.runtime.cometbft.homes import COMET_CONFIG, comet_place
from quorate.runtime.cometbft.process import CometProcess, PairProcess
from quorate.runtime.config import CLUSTER, COMETBFT
from quorate.runtime.home import COMETBFT_FOLDER, Home
from quorate.runtime.testnet import Testnet
from quorate.runtime.testnet_homes import local_homes, peers_of

IN_STEP_S: Final = 60.0
POLL_S: Final = 0.05
FUNDED_A_SECOND: Final = 1_000.0
# Written behind what `init` makes, which has no such section.
FAST_TEXT: Final = '\n[consensus]\ntimeout_commit = "0s"\n'


@dataclass(frozen=True, slots=True)
class Engine:
    """What is measured. engine: of the homes; store: CometBFT drives its own application.

    fast: without the pause that CometBFT makes after each block.
    """

    name: str
    words: str
    engine: str
    store: bool = False
    fast: bool = False


class Side(Protocol):
    """Validators that run, and their load. pids: of their processes; ports: of their links."""

    pids: list[int]
    ports: list[int]

    async def traffic(self, bundles: int, size: int) -> Sequence[Any]:
        """Make what is to be sent: so many bundles of so many commands."""
        ...

    async def run(
        self, items: Sequence[Any], rate: float, parcel: int, waiting_max: int, seconds: float
    ) -> Ran:
        """Send it, as `Load.run` does."""
        ...

    async def height(self) -> int:
        """Say how many blocks there are."""
        ...

    async def places(self) -> dict[str, int]:
        """Say which part of our nodes took how many ms of processor time, all validators."""
        ...


class Ours:
    """Our nodes, under our own engine or beside CometBFT."""

    def __init__(self, net: Testnet) -> None:
        self.cluster = Cluster(net)
        self.seed = 0
        self.pids = []
        for validator in net.validators:
            self.pids.append(validator.pid)
            if isinstance(validator, PairProcess):
                self.pids.append(validator.comet.pid)
        self.ports = ports_of(net.homes)

    async def traffic(self, bundles: int, size: int) -> Sequence[Any]:
        """Make bundles of new traders, and fund those.

        In requests of one bundle: those of more can come into more than one block, and are then
        answered before they are executed.
        """
        self.seed += 1
        nonce_ms = time.time_ns() // 1_000_000
        made = traders(
            self.cluster.chain, self.seed, TRADERS, -(-bundles // TRADERS), size, nonce_ms
        )
        funded = await self.cluster.load.run([trader.funding for trader in made], FUNDED_A_SECOND)
        assert funded.bundles == TRADERS, f"not all traders were funded: {funded.refused}"
        return merged(made)

    async def run(
        self, items: Sequence[Any], rate: float, parcel: int, waiting_max: int, seconds: float
    ) -> Ran:
        """Send bundles through the nodes' own sockets."""
        return await self.cluster.load.run(items, rate, parcel, waiting_max, seconds)

    async def height(self) -> int:
        """Say how many blocks there are."""
        return int((await self.cluster.load.network(0))["height"])

    async def places(self) -> dict[str, int]:
        """Say which part of our nodes took how much processor time."""
        return await self.cluster.cpu_ms()


def ports_of(homes: Sequence[Home]) -> list[int]:
    """Give the ports of the links between validators."""
    if homes[0].engine == COMETBFT:
        return [comet_place(home).listen.port for home in homes]
    return [endpoint.port for endpoint in peers_of(homes[0])]


def homes_of(folder: Path, engine: Engine) -> list[Home]:
    """Make the homes of an engine. Raises HomeRefused, StorageFailed."""
    homes, _ = local_homes(folder, VALIDATORS, engine=engine.engine)
    if engine.fast:
        for home in homes:
            with (home.path / COMETBFT_FOLDER / COMET_CONFIG).open("a") as config:
                config.write(FAST_TEXT)
    return homes


async def in_step(processes: Sequence[CometProcess]) -> None:
    """Wait until every CometBFT takes transactions: v1 refuses them while it asks for blocks.

    Raises TimeoutError.
    """
    async with asyncio.timeout(IN_STEP_S):
        for process in processes:
            while (await asyncio.to_thread(process.status)).get("sync_info", {}).get(
                "catching_up", True
            ):
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def running(folder: Path, engine: Engine) -> AsyncIterator[Side]:
    """Have four validators of an engine run, and be connected to all.

    Raises as `homes_of`, ValidatorFailed, NodeGone, TimeoutError.
    """
    os.makedirs(folder, exist_ok=True)
    with Testnet(folder / "net", homes_of(folder / "net", engine)) as net:
        if engine.store:
            # Here, since only those have its libraries who want that engine.
            from quorate.cli.benches.engines_kvstore import store_running

            async with store_running(net) as store:
                yield store
            return
        await asyncio.to_thread(net.start_all)
        await in_step([pair.comet for pair in net.validators if isinstance(pair, PairProcess)])
        ours = Ours(net)
        await ours.cluster.load.connect_all()
        try:
            yield ours
        finally:
            await ours.cluster.load.close()


ENGINES: Final = (
    Engine("quorate", "Quorate on its own engine", CLUSTER),
    Engine("cometbft", "Quorate on CometBFT, its default timeouts", COMETBFT),
    Engine("cometbft_fast", "Quorate on CometBFT, timeout_commit 0", COMETBFT, fast=True),
    Engine("kvstore", "CometBFT's kvstore, its default timeouts", COMETBFT, store=True),
    Engine("kvstore_fast", "CometBFT's kvstore, timeout_commit 0", COMETBFT, True, True),
)
