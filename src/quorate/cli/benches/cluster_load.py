"""Driving a cluster through its public client.

At a rate, each request is due at its own time, whether the ones before were answered or not, and
its latency counts from when it was due: a stalled cluster cannot hide behind clients that wait.
Without a rate, so many requests are kept under way, which finds out how fast the cluster is.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.replica.messages import Level
from quorate.runtime.client import AsyncClient
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.errors import NodeGone, RequestRefused
from quorate.types.blocks import Item

ANSWER_S: Final = 30.0
WAITING_MAX: Final = 1 << 20


@dataclass
class Ran:
    """What a run came to. latencies_ms: of executed requests; refused: by code.

    finished: when a request was answered, and how many bundles of it were executed; that moment and
    start_s are of time.perf_counter.
    """

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    bundles: int = 0
    rejected: int = 0
    start_s: float = 0.0
    finished: list[tuple[float, int]] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        """Give a latency of which so many percent are below, nearest rank."""
        ordered = sorted(self.latencies_ms)
        if not ordered:
            return 0.0
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Load:
    """Connections to all validators. A validator that is gone is left out until `connect`."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = list(endpoints)
        self.clients: dict[int, AsyncClient] = {}
        self.turn = 0

    async def connect(self, at: int) -> None:
        """Connect to a validator. Raises NodeGone."""
        self.clients[at] = await AsyncClient.connected(self.endpoints[at])

    async def connect_all(self) -> None:
        """Connect to every validator."""
        for at in range(len(self.endpoints)):
            await self.connect(at)

    async def network(self, at: int) -> dict[str, Any]:
        """Ask a validator where it stands. Raises NodeGone."""
        return await self.clients[at].ask("network")

    async def submit(self, items: Sequence[Item], due_s: float, ran: Ran) -> None:
        """Send a request to the next validator in turn and note what came of it."""
        self.turn += 1
        order = sorted(self.clients)
        at = order[self.turn % len(order)]
        try:
            done = await asyncio.wait_for(self.clients[at].submit(items), ANSWER_S)
        except RequestRefused as refused:
            ran.refused[refused.code.name] += len(items)
            return
        except (TimeoutError, NodeGone):
            self.clients.pop(at, None)
            ran.refused["unanswered"] += len(items)
            return
        if done.level == Level.EXECUTED:
            now_s, taken = time.perf_counter(), sum(1 for code in done.codes if not code)
            ran.latencies_ms.append((now_s - due_s) * 1000)
            ran.bundles += taken
            ran.finished.append((now_s, taken))
            ran.rejected += int((done.receipts["code"] != 0).sum())
        else:
            ran.refused[done.level.name] += len(items)

    async def run(
        self,
        items: Sequence[Item],
        rate: float = 0.0,
        parcel: int = 1,
        waiting_max: int = WAITING_MAX,
        seconds: float = 0.0,
    ) -> Ran:
        """Send items, `parcel` a request and `rate` items a second, and wait for all answers.

        rate: 0 to keep waiting_max requests under way. seconds: to stop after, 0 for never.
        """
        tasks: set[asyncio.Task[None]] = set()
        start_s = time.perf_counter()
        ran = Ran(start_s=start_s)
        for first in range(0, len(items), parcel):
            while len(tasks) >= waiting_max:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            due_s = start_s + first / rate if rate else time.perf_counter()
            wait_s = due_s - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if seconds and time.perf_counter() - start_s > seconds:
                break
            task = asyncio.ensure_future(self.submit(items[first : first + parcel], due_s, ran))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)
        ran.seconds = time.perf_counter() - start_s
        return ran

    async def close(self) -> None:
        """End all connections."""
        for client in list(self.clients.values()):
            await client.close()
