"""What the validators of a testnet say of themselves, asked again and again, for a screen."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any, Final

from quorate.runtime.client import AsyncClient
from quorate.runtime.errors import NodeGone, QuestionFailed
from quorate.runtime.testnet import Testnet
from quorate.runtime.validator_process import ValidatorFailed

ANSWER_S: Final = 5.0
AGREED_S: Final = 120.0
POLL_S: Final = 0.05


@dataclass
class Standing:
    """What is known of a validator. state: starting, running, killed or ended.

    height: executed here; certified: of the newest certificate known here. Times are in ms, of the
    blocks that it led since it started: from proposing to finality, on its own disk.
    """

    index: int
    state: str = "starting"
    view: int = 0
    leader: int = -1
    height: int = 0
    certified: int = 0
    root: str = ""
    peers: int = 0
    blocks_led: int = 0
    finality_p50_ms: int = 0
    finality_p99_ms: int = 0

    @property
    def running(self) -> bool:
        """Say whether it can be asked."""
        return self.state == "running"

    def take(self, answer: dict[str, Any]) -> None:
        """Take over an answer to the question `network`."""
        self.view, self.leader = answer["view"], answer["leader"]
        self.height, self.certified = answer["height"], answer["height_certified"]
        self.root, self.peers = answer["state_root"], len(answer["peers"])
        self.blocks_led = answer["blocks_led"]
        self.finality_p50_ms = answer["finality_p50_ms"]
        self.finality_p99_ms = answer["finality_p99_ms"]


class Watch:
    """A connection to each validator that runs, and its standing."""

    def __init__(self, net: Testnet) -> None:
        self.net = net
        self.standings = [Standing(home.me) for home in net.homes]
        self.clients: dict[int, AsyncClient] = {}

    async def connect(self, *indexes: int) -> None:
        """Connect to validators that listen; to all if none is named. Raises NodeGone."""
        for index in indexes or range(len(self.standings)):
            self.clients[index] = await AsyncClient.connected(self.net.endpoint(index))
            self.standings[index].state = "running"

    async def start(self, *indexes: int) -> None:
        """Start validators, all if none is named, and connect. Raises ValidatorFailed, NodeGone."""
        for index in indexes:
            self.standings[index].state = "starting"
            await asyncio.to_thread(self.net.start, index)
        if not indexes:
            await asyncio.to_thread(self.net.start_all)
        await self.connect(*indexes)

    async def kill(self, index: int) -> None:
        """kill -9 a validator."""
        self.net.kill(index)
        self.standings[index].state = "killed"
        await self.let_go(index)

    async def let_go(self, index: int) -> None:
        """Close the connection to a validator."""
        client = self.clients.pop(index, None)
        if client is not None:
            with contextlib.suppress(OSError):
                await client.close()

    async def close(self) -> None:
        """Close all connections."""
        for index in list(self.clients):
            await self.let_go(index)

    async def look(self) -> None:
        """Bring all standings up to date."""
        await asyncio.gather(*(self.look_at(index) for index in range(len(self.standings))))

    async def look_at(self, index: int) -> None:
        """Ask a validator; what does not answer in time is asked again later."""
        standing, client = self.standings[index], self.clients.get(index)
        if standing.running and not self.net.validators[index].running:
            standing.state = "ended"
            await self.let_go(index)
        elif client is not None:
            with contextlib.suppress(NodeGone, QuestionFailed, TimeoutError):
                standing.take(await asyncio.wait_for(client.ask("network"), ANSWER_S))

    async def finality_ms(self, index: int) -> list[int]:
        """Give the latest times from proposing to finality that a validator has measured."""
        client = self.clients.get(index)
        if client is None:
            return []
        answer = await client.ask("finality")
        return list(answer["finality_ms"])

    def height_most(self) -> int:
        """Give the greatest height that a running validator has executed."""
        return max((it.height for it in self.standings if it.running), default=0)

    async def agreed(self, height: int) -> None:
        """Wait until all that run have executed a height. Raises ValidatorFailed."""
        end_s = time.monotonic() + AGREED_S
        while True:
            await self.look()
            behind = [it.index for it in self.standings if it.running and it.height < height]
            if not behind:
                return
            if time.monotonic() > end_s:
                raise ValidatorFailed(f"Validator {behind[0]} did not come to height {height}.")
            await asyncio.sleep(POLL_S)
