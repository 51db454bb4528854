"""The client's side of a node: send items, wait for what became of them, ask about the state.

Blocking, one thread (a script, the demo, a replayer):

    with Client(home_endpoint(home)) as client:
        done = client.submit([sign_bundle(key, client.chain(), 0, nonce, commands)])
        done.height, done.rejects, done.receipts["order_id"]
        client.ask("depth", market=1, levels=5)

`post` sends without waiting and `wait` takes the reply up later, so that many requests can be under
way. `AsyncClient` is the same for asyncio. Both raise NodeGone when the connection ends: a request
without a reply may or may not have been executed. Sending the very same items again is safe; what
has been executed is then told NONCE_ALREADY_USED.
"""

import asyncio
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final

from quorate.admission import Chain, chain_of
from quorate.codec.items import encode_items
from quorate.replica.messages import Level
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.errors import NodeGone, QuestionFailed, RequestRefused
from quorate.runtime.frames import (
    Done,
    FrameKind,
    FrameReader,
    FrameRefused,
    done_read,
    frame,
    json_frame,
    json_read,
    refused_read,
)
from quorate.types.blocks import Item
from quorate.types.codes import SENTENCES, Reject

READ_BYTES: Final = 1 << 20


class Replies:
    """Replies that have come and were not taken yet, by the number of their request."""

    def __init__(self) -> None:
        self.reader = FrameReader()
        self.arrived: dict[int, Done | Reject | dict[str, Any]] = {}
        self.queued: dict[int, None] = {}

    def feed(self, data: bytes) -> list[int]:
        """Take bytes of the stream; give the numbers that are now answered."""
        numbers: list[int] = []
        try:
            for kind, number, body in self.reader.feed(data):
                if kind == FrameKind.QUEUED:
                    self.queued[number] = None
                    continue
                self.queued.pop(number, None)
                self.arrived[number] = READERS[FrameKind(kind)](body)
                numbers.append(number)
        except (FrameRefused, ValueError, KeyError) as error:
            raise NodeGone(f"What answers is not a node: {error}.") from error
        return numbers


READERS: Final[dict[FrameKind, Any]] = {
    FrameKind.DONE: done_read,
    FrameKind.REFUSED: refused_read,
    FrameKind.ANSWER: json_read,
}


def done_of(reply: object) -> Done:
    """Take a reply to SUBMIT. Raises RequestRefused."""
    if isinstance(reply, Reject):
        raise RequestRefused(reply)
    assert isinstance(reply, Done), "the node answered a submission with an answer"
    return reply


def answer_of(reply: object) -> dict[str, Any]:
    """Take a reply to ASK. Raises QuestionFailed."""
    if isinstance(reply, Reject):
        raise QuestionFailed(SENTENCES[reply])
    assert isinstance(reply, dict), "the node answered a question with receipts"
    if "error" in reply:
        raise QuestionFailed(str(reply["error"]))
    return reply


def submit_frame(number: int, items: Iterable[Item], level: Level) -> bytes:
    """Write a SUBMIT frame."""
    return frame(FrameKind.SUBMIT, number, bytes([level]) + encode_items(items))


class Client:
    """One blocking connection. Not to be shared by threads."""

    def __init__(self, endpoint: Endpoint, timeout_s: float | None = 60.0) -> None:
        """Connect. timeout_s: for each wait; None waits for ever. Raises NodeGone."""
        self.replies = Replies()
        self.number = 0
        self._chain: Chain | None = None
        try:
            if endpoint.path:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.socket.settimeout(timeout_s)
                self.socket.connect(endpoint.path)
            else:
                self.socket = socket.create_connection((endpoint.host, endpoint.port), timeout_s)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise NodeGone(f"No node answers at {endpoint}: {error.strerror or error}.") from error

    def post(self, items: Iterable[Item], level: Level = Level.EXECUTED) -> int:
        """Send items and return the request's number at once."""
        self.number += 1
        self.send(submit_frame(self.number, items, level))
        return self.number

    def wait(self, number: int) -> Done:
        """Wait for the reply to a request posted. Raises RequestRefused or NodeGone."""
        return done_of(self.reply(number))

    def submit(self, items: Iterable[Item]) -> Done:
        """Send items and wait until they are executed, durable and signed."""
        return self.wait(self.post(items))

    def ask(self, ask: str, **question: Any) -> dict[str, Any]:
        """Ask a question of quorate/replica/query.py. Raises QuestionFailed or NodeGone."""
        self.number += 1
        self.send(json_frame(FrameKind.ASK, self.number, {"ask": ask, **question}))
        return answer_of(self.reply(self.number))

    def chain(self) -> Chain:
        """Give what signatures for this node's chain are bound to."""
        if self._chain is None:
            status = self.ask("status")
            genesis_hash = bytes.fromhex(status["genesis_hash"])
            self._chain = chain_of(status["chain_id"], genesis_hash)
        return self._chain

    def arrived(self) -> list[int]:
        """List the requests whose replies have come and were not taken yet, without waiting."""
        return list(self.replies.arrived)

    def send(self, data: bytes) -> None:
        """Write to the stream, reading what comes meanwhile only when somebody waits for it."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise NodeGone(f"The connection ended: {error.strerror or error}.") from error

    def reply(self, number: int) -> object:
        """Read until the reply to `number` is there."""
        while number not in self.replies.arrived:
            try:
                data = self.socket.recv(READ_BYTES)
            except OSError as error:
                raise NodeGone(f"No reply came: {error.strerror or error}.") from error
            if not data:
                raise NodeGone("The node closed the connection.")
            self.replies.feed(data)
        return self.replies.arrived.pop(number)

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient:
    """One connection under asyncio. Use `await AsyncClient.connected(endpoint)`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.replies = Replies()
        self.number = 0
        self.waiting: dict[int, asyncio.Future[object]] = {}
        self._chain: Chain | None = None
        self.reading = asyncio.ensure_future(self.read())

    @classmethod
    async def connected(cls, endpoint: Endpoint) -> "AsyncClient":
        """Connect. Raises NodeGone."""
        try:
            if endpoint.path:
                streams = await asyncio.open_unix_connection(endpoint.path)
            else:
                streams = await asyncio.open_connection(endpoint.host, endpoint.port)
        except OSError as error:
            raise NodeGone(f"No node answers at {endpoint}: {error.strerror or error}.") from error
        return cls(*streams)

    async def read(self) -> None:
        """Hand replies to those who wait, until the stream ends."""
        try:
            while data := await self.reader.read(READ_BYTES):
                for number in self.replies.feed(data):
                    reply = self.replies.arrived.pop(number)
                    waiting = self.waiting.pop(number, None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(reply)
        except OSError:
            pass  # told to whoever waits, below
        finally:
            for waiting in self.waiting.values():
                if not waiting.done():
                    waiting.set_exception(NodeGone("The node closed the connection."))
            self.waiting.clear()

    async def call(self, number: int, data: bytes) -> object:
        """Send a frame and wait for its reply."""
        if self.reading.done():
            raise NodeGone("The node closed the connection.")
        waiting = self.waiting[number] = asyncio.get_running_loop().create_future()
        self.writer.write(data)
        try:
            await self.writer.drain()
        except OSError as error:
            del self.waiting[number]
            raise NodeGone("The node closed the connection.") from error
        return await waiting

    async def submit(self, items: Iterable[Item]) -> Done:
        """Send items and wait until they are executed, durable and signed."""
        self.number += 1
        return done_of(
            await self.call(self.number, submit_frame(self.number, items, Level.EXECUTED))
        )

    async def ask(self, ask: str, **question: Any) -> dict[str, Any]:
        """Ask a question of quorate/replica/query.py. Raises QuestionFailed or NodeGone."""
        self.number += 1
        data = json_frame(FrameKind.ASK, self.number, {"ask": ask, **question})
        return answer_of(await self.call(self.number, data))

    async def chain(self) -> Chain:
        """Give what signatures for this node's chain are bound to."""
        if self._chain is None:
            status = await self.ask("status")
            genesis_hash = bytes.fromhex(status["genesis_hash"])
            self._chain = chain_of(status["chain_id"], genesis_hash)
        return self._chain

    async def close(self) -> None:
        """End the connection."""
        self.writer.close()
        await self.reading
