"""Transports on the loopback of this machine, and peers made by hand that do as they like."""

import asyncio
import os
import ssl
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import pytest
import uvloop

from quorate.runtime.endpoint import Endpoint
from quorate.runtime.peers.certificates import material_of, pin_of, transport_public_key
from quorate.runtime.peers.counters import Reason
from quorate.runtime.peers.frames import HELLO, Hello, hello_body, parts_of
from quorate.runtime.peers.transport import Limits, Seat, Transport

CHAIN = sha256(b"a consensus genesis").digest()
HELLO_OURS = Hello(7_777, CHAIN)
VOTE, BLOCK = 1, 2
FRAME_BYTES = {VOTE: 4096, BLOCK: 4 << 20}
ANYWHERE = Endpoint(host="127.0.0.1", port=0)
PATIENCE_S = 20.0

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
for make_loop in LOOPS.values():
    # What a library opens once for all loops is no leak of ours.
    make_loop().close()
on_both_loops = pytest.mark.parametrize("loop", LOOPS)


def run(loop: str, work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop; what any callback raised fails the test."""
    raised: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: raised.append(said))
        async with asyncio.timeout(PATIENCE_S):
            await work

    descriptors = len(os.listdir("/proc/self/fd"))
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(watched())
    assert not raised
    assert len(os.listdir("/proc/self/fd")) <= descriptors


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to become true; the test's patience ends it."""
    while not condition():
        await asyncio.sleep(0.002)


def seed_of(index: int) -> bytes:
    """Give the transport key's seed of a validator of the test."""
    return bytes([index + 1]) * 32


class Recorder:
    """Handlers that remember. crediting: whether frames are dealt with at once."""

    def __init__(self) -> None:
        self.transport: Transport
        self.crediting = True
        self.frames: list[tuple[int, int, bytes]] = []
        self.ups: list[int] = []
        self.downs: list[tuple[int, Reason]] = []

    def on_frame(self, peer: int, kind: int, body: bytes) -> None:
        self.frames.append((peer, kind, body))
        if self.crediting:
            self.transport.credit(peer, len(body))

    def on_up(self, peer: int) -> None:
        self.ups.append(peer)

    def on_down(self, peer: int, reason: Reason) -> None:
        self.downs.append((peer, reason))


class World:
    """Some validators; the seats of those who have not started yet have port 0."""

    def __init__(self, count: int, limits: Limits) -> None:
        self.limits = limits
        pins = [pin_of(transport_public_key(seed_of(index))) for index in range(count)]
        self.seats = [Seat("127.0.0.1", 0, pin) for pin in pins]
        self.nodes: dict[int, Transport] = {}
        self.recorders: dict[int, Recorder] = {}

    async def start(self, index: int, seed: bytes | None = None) -> Transport:
        """Start a validator at its seat's port; those of lower indexes come first."""
        recorder = Recorder()
        material = material_of(seed or seed_of(index), CHAIN)
        node = Transport(index, self.seats, HELLO_OURS, material, self.limits, recorder)
        recorder.transport = node
        seat = self.seats[index]
        made = await node.start(Endpoint(host=seat.host, port=seat.port))
        self.seats[index] = Seat(made.host, made.port, seat.pin)
        self.nodes[index], self.recorders[index] = node, recorder
        return node

    async def all_up(self) -> None:
        """Wait until each has a link to each."""
        nodes = self.nodes
        await until(
            lambda: all(nodes[a].is_up(b) for a in nodes for b in nodes if a != b)
        )

    async def dialled(
        self, target: int, context: ssl.SSLContext
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a validator by hand."""
        seat = self.seats[target]
        return await asyncio.open_connection(
            seat.host, seat.port, ssl=context, server_hostname=""
        )

    async def impostor(
        self, index: int, hello: Hello = HELLO_OURS
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to validator 0 with the key of another, and greet."""
        material = material_of(seed_of(index), CHAIN)
        reader, writer = await self.dialled(0, material.dialling)
        writer.write(b"".join(parts_of(0, HELLO, hello_body(hello))))
        return reader, writer


@asynccontextmanager
async def world(count: int, started: int | None = None, **limits: Any) -> Any:
    """Start the first validators of a chain, all unless said otherwise; stop them in the end."""
    made = World(count, Limits(**{"frame_bytes": FRAME_BYTES, **limits}))
    try:
        for index in range(count if started is None else started):
            await made.start(index)
        yield made
    finally:
        for node in made.nodes.values():
            await node.stop()


async def closed(reader: asyncio.StreamReader) -> None:
    """Wait until the other end has closed."""
    try:
        while await reader.read(1 << 16):
            pass
    except OSError:
        pass
