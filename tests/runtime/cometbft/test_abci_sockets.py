"""The ABCI server over real sockets, on either event loop: slow, silent, noisy and lost peers."""

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from quorate.runtime.cometbft.messages import Request, Response, frame
from quorate.runtime.cometbft.server import AbciConnection, AbciServer, Limits, Refusal
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.errors import CannotListen
from tests.runtime.cometbft.test_abci_server import (
    FLUSH,
    OK,
    Asked,
    answer_numbered,
    check,
    numbered,
)

LOOPS = pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])


def run(factory: Any, scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(scene, 60))


async def dialled(at: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if at.path:
        return await asyncio.open_unix_connection(at.path)
    return await asyncio.open_connection(at.host, at.port)


@LOOPS
@pytest.mark.parametrize("unix", [True, False])
def test_four_connections_one_of_them_slow(factory: Any, unix: bool, tmp_path: Path) -> None:
    path = tmp_path / "abci.sock"

    async def scene() -> None:
        server = AbciServer(answer_numbered, pytest.fail)
        at = Endpoint(path=str(path)) if unix else Endpoint(host="127.0.0.1", port=0)
        at = await server.start(at)
        ends = [await dialled(at) for _ in range(4)]
        _, slow = ends[0]
        for byte in check(7) + check(8)[:5]:
            slow.write(bytes([byte]))
            await slow.drain()
        for reader, writer in ends[1:]:
            writer.write(b"".join(check(number) for number in range(300)) + FLUSH)
            want = b"".join(frame(numbered(n)) for n in range(300)) + frame(Response(flush={}))
            assert await reader.readexactly(len(want)) == want
        assert await ends[0][0].readexactly(len(frame(numbered(7)))) == frame(numbered(7))
        slow.close()  # in the middle of a frame
        while len(server.connections) > 3:
            await asyncio.sleep(0.01)
        await server.close()
        assert not server.connections and not server.refusals
        assert await ends[1][0].read() == b""

    run(factory, scene())


@LOOPS
def test_many_pipelined_requests_are_held_back(factory: Any) -> None:
    """100,000 requests, an application that answers later, and never more held than allowed."""
    count = 100_000
    waiting: list[tuple[AbciConnection, int]] = []
    most = [0, 0]

    def later(connection: AbciConnection, requests: list[Asked]) -> None:
        waiting.extend((connection, ticket) for ticket, _, _ in requests)
        most[0] = max(most[0], len(connection.sizes))
        most[1] = max(most[1], len(connection.frames.held))

    async def scene() -> None:
        server = AbciServer(later, pytest.fail)
        reader, writer = await dialled(await server.start(Endpoint(host="127.0.0.1", port=0)))
        writer.write(check(1) * count)

        async def answer_slowly() -> None:
            while True:
                await asyncio.sleep(0)
                batch = waiting[:3000]
                del waiting[:3000]
                for connection, ticket in reversed(batch):
                    connection.answer(ticket, OK)

        answering = asyncio.create_task(answer_slowly())
        assert await reader.readexactly(len(OK) * count) == OK * count
        answering.cancel()
        await server.close()

    run(factory, scene())
    assert most[0] == 8192 and most[1] < 1 << 20


@LOOPS
def test_a_peer_that_does_not_read_is_disconnected(factory: Any) -> None:
    chunk = frame(Response(load_snapshot_chunk={"chunk": bytes(1 << 20)}))

    def big(connection: AbciConnection, requests: list[Asked]) -> None:
        for ticket, _, _ in requests:
            connection.answer(ticket, chunk)

    async def scene() -> None:
        server = AbciServer(big, pytest.fail, Limits(unread_bytes=8 << 20))
        _, writer = await dialled(await server.start(Endpoint(host="127.0.0.1", port=0)))
        writer.transport.pause_reading()
        writer.write(frame(Request(load_snapshot_chunk={"chunk": 1})) * 64)
        while not server.refusals:
            await asyncio.sleep(0.01)
        assert server.refusals == {Refusal.UNREAD: 1} and not server.connections
        writer.transport.abort()
        await server.close()

    run(factory, scene())


@LOOPS
def test_noise_harms_nobody_else(factory: Any) -> None:
    rng = random.Random(5)

    async def scene() -> None:
        server = AbciServer(answer_numbered, lambda error: None)
        at = await server.start(Endpoint(host="127.0.0.1", port=0))
        reader, writer = await dialled(at)
        for _ in range(40):
            _, noisy = await dialled(at)
            noisy.write(rng.randbytes(rng.randrange(200)))
            noisy.transport.abort() if rng.random() < 0.5 else noisy.close()
        for number in range(20):
            writer.write(check(number))
            want = frame(numbered(number))
            assert await reader.readexactly(len(want)) == want
        await server.close()

    run(factory, scene())


@LOOPS
def test_what_is_ready_goes_out_before_the_end(factory: Any) -> None:
    held: list[AbciConnection] = []

    async def scene() -> None:
        server = AbciServer(lambda connection, _: held.append(connection), pytest.fail)
        reader, writer = await dialled(await server.start(Endpoint(host="127.0.0.1", port=0)))
        writer.write(check(1) + FLUSH + check(2))
        while not held:
            await asyncio.sleep(0.01)
        held[0].answer(0, OK)
        await server.close()
        held[0].answer(2, OK)
        assert await reader.read() == OK + frame(Response(flush={}))

    run(factory, scene())


@LOOPS
def test_where_it_cannot_listen_it_says_so(factory: Any, tmp_path: Path) -> None:
    async def scene() -> None:
        server = AbciServer(answer_numbered, pytest.fail)
        with pytest.raises(CannotListen, match="at most 100"):
            await server.start(Endpoint(path="/" + "x" * 100))
        with pytest.raises(CannotListen, match="No such file"):
            await server.start(Endpoint(path=str(tmp_path / "no" / "s")))
        at = await server.start(Endpoint(host="127.0.0.1", port=0))
        with pytest.raises(CannotListen, match="in use"):
            await AbciServer(answer_numbered, pytest.fail).start(at)
        await server.close()
        path = Endpoint(path=str(tmp_path / "s"))
        for _ in range(2):  # a socket that a killed node left behind is taken over
            again = AbciServer(answer_numbered, pytest.fail)
            await again.start(path)
            (await dialled(path))[1].close()

    run(factory, scene())
