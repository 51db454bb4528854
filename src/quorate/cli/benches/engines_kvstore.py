"""CometBFT alone, driving the key-value store that it brings: what is above it cannot be faster.

Four validators under the very settings that we make, without a node of ours. Transactions have the
sizes of our bundles and are handed in over RPC as our node does it, in turn to each validator. What
became final is told by a subscription to the blocks of the first validator; where each transaction
is wanted, for its latency, the block is asked for too.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import aiohttp
import numpy as np

from quorate.admission import chain_of
from quorate.cli.benches.cluster_flow import traders
from quorate.cli.benches.cluster_load import WAITING_MAX, Ran
from quorate.cli.benches.engines_nets import in_step, ports_of
from quorate.codec.items import ITEM_HEAD
from quorate.runtime.cometbft.answers import AnswerInvalid, decimal, inside
from quorate.runtime.cometbft.process import CometProcess
from quorate.runtime.cometbft.rpc import Rpc
from quorate.runtime.cometbft.submitting import Submitting
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.testnet import Testnet

STORE: Final = "kvstore"
SUBSCRIBED: Final = "tm.event='NewBlockEvents'"
NAME_LETTERS: Final = 16
SILENCE_S: Final = 60.0
ANSWER_S: Final = 60.0


def transactions(seed: int, count: int, size: int) -> list[bytes]:
    """Make transactions that the store takes: a name that no other has, "=", and a value.

    size: bytes of each. The values are hex of random bytes.
    """
    assert size > NAME_LETTERS + 1
    rng = np.random.default_rng(seed)
    letters = size - NAME_LETTERS - 1
    return [
        b"%08x%08x=" % (seed, at) + rng.bytes((letters + 1) // 2).hex().encode()[:letters]
        for at in range(count)
    ]


def block_read(tree: Any) -> list[bytes]:
    """Read the transactions in the answer to block. Raises AnswerInvalid."""
    found = inside(tree, "block", "data").get("txs") or []
    return [base64.b64decode(text) for text in found]


class KvLoad:
    """Connections to all validators' RPC. height: of the last block that was told of."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.rpcs = [Rpc(endpoint) for endpoint in endpoints]
        self.submitting = [Submitting(rpc, self.refuse) for rpc in self.rpcs]
        self.tasks: list[asyncio.Task[None]] = []
        self.refused = 0
        self.height = 0
        self.taken = 0
        self.stirred = asyncio.Event()
        self.finished: list[tuple[float, int]] = []
        self.due: dict[bytes, float] | None = None
        self.latencies_ms: list[float] = []

    async def __aenter__(self) -> "KvLoad":
        self.tasks = [asyncio.ensure_future(one.run()) for one in self.submitting]
        began = asyncio.Event()
        self.tasks.append(asyncio.ensure_future(self.watch(began)))
        await asyncio.wait_for(began.wait(), SILENCE_S)
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        for rpc in self.rpcs:
            await rpc.close()

    def refuse(self, refused: Sequence[tuple[bytes, int]]) -> None:
        """Count what the pool did not take."""
        self.refused += len(refused)
        self.stirred.set()

    # --- what became final -----------------------------------------------------------------------
    async def blocks(self, began: asyncio.Event) -> AsyncIterator[tuple[int, int]]:
        """Give height and number of transactions of every block from now on."""
        session = self.rpcs[0].opened()
        address = f"{self.rpcs[0].address}websocket"
        # The session's own limit of time is for one answer; this connection stays.
        async with session.ws_connect(address, timeout=aiohttp.ClientWSTimeout()) as stream:
            asked = {"jsonrpc": "2.0", "id": 0, "method": "subscribe"}
            await stream.send_str(json.dumps({**asked, "params": {"query": SUBSCRIBED}}))
            async for message in stream:
                result = json.loads(message.data)["result"]
                began.set()
                if result:
                    value = inside(result, "data", "value")
                    yield decimal(value, "height"), decimal(value, "num_txs")

    async def watch(self, began: asyncio.Event) -> None:
        """Note what becomes final, until cancelled."""
        async for height, taken in self.blocks(began):
            now_s = time.perf_counter()
            self.height = height
            self.taken += taken
            if taken:
                self.finished.append((now_s, taken))
            if self.due is not None and taken:
                for tx in await self.rpcs[0].asked(block_read, "block", height=height):
                    due_s = self.due.pop(tx, None)
                    if due_s is not None:
                        self.latencies_ms.append((now_s - due_s) * 1000)
            self.stirred.set()

    async def below(self, sent: int, waiting_max: int) -> None:
        """Wait until fewer than so many of `sent` are under way. Raises TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            while sent - self.taken - self.refused >= waiting_max:
                self.refuse_ended()
                self.stirred.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stirred.wait(), 1.0)

    def refuse_ended(self) -> None:
        """Raise what ended a part of the load."""
        for task in self.tasks:
            if task.done():
                task.result()
                raise AnswerInvalid("CometBFT ended the subscription to its blocks")

    # --- load ------------------------------------------------------------------------------------
    async def run(
        self,
        txs: Sequence[bytes],
        rate: float = 0.0,
        parcel: int = 1,
        waiting_max: int = WAITING_MAX,
        seconds: float = 0.0,
    ) -> Ran:
        """Send transactions as `Load.run` sends items, and wait until all are final.

        waiting_max: parcels under way. At a rate each one's latency is found.
        """
        self.taken = self.refused = 0
        self.finished, self.latencies_ms = [], []
        self.due = {} if rate else None
        start_s, sent = time.perf_counter(), 0
        for turn, first in enumerate(range(0, len(txs), parcel)):
            await self.below(sent, waiting_max * parcel)
            due_s = start_s + first / rate if rate else time.perf_counter()
            wait_s = due_s - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if seconds and time.perf_counter() - start_s > seconds:
                break
            chosen = tuple(txs[first : first + parcel])
            if self.due is not None:
                self.due.update(dict.fromkeys(chosen, due_s))
            self.submitting[turn % len(self.submitting)].put(chosen)
            sent += len(chosen)
        await self.below(sent, 1)
        ran = Ran(time.perf_counter() - start_s, self.latencies_ms, bundles=self.taken)
        ran.start_s, ran.finished = start_s, self.finished
        ran.refused = Counter({"refused": self.refused} if self.refused else {})
        return ran


class Store:
    """CometBFT with its own application, driven through its RPC."""

    def __init__(self, net: Testnet, processes: Sequence[CometProcess], load: KvLoad) -> None:
        self.chain = chain_of(*net.homes[0].identity)
        self.load = load
        self.pids = [process.pid for process in processes]
        self.ports = ports_of(net.homes)
        self.seeds = count(1)

    async def traffic(self, bundles: int, size: int) -> Sequence[Any]:
        """Make transactions of the size of such bundles."""
        sample = traders(self.chain, 1, 1, 1, size, 1)[0].items[0]
        return transactions(next(self.seeds), bundles, ITEM_HEAD.size + len(sample.data))

    async def run(
        self, items: Sequence[Any], rate: float, parcel: int, waiting_max: int, seconds: float
    ) -> Ran:
        """Send transactions by RPC."""
        return await self.load.run(items, rate, parcel, waiting_max, seconds)

    async def height(self) -> int:
        """Say how many blocks there are."""
        return self.load.height

    async def places(self) -> dict[str, int]:
        """Say nothing: there is no node of ours."""
        return {}


@asynccontextmanager
async def store_running(net: Testnet) -> AsyncIterator[Store]:
    """Run CometBFT alone in every home of a testnet whose validators do not run.

    Raises ValidatorFailed, TimeoutError.
    """
    assert net.guardian is not None
    processes = [
        CometProcess(home, net.folder / f"{home.path.name}-cometbft.log", STORE)
        for home in net.homes
    ]
    try:
        for process in processes:
            await asyncio.to_thread(process.start, net.guardian.pid)
        await in_step(processes)
        async with KvLoad([process.rpc for process in processes]) as load:
            yield Store(net, processes, load)
    finally:
        for process in processes:
            process.kill()
