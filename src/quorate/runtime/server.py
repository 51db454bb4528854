"""Clients' connections: bytes in, requests to the intake, replies back. Runs on the event loop.

The event loop never touches a table and never waits for the disk. It cuts frames, keeps the queue
in front of admission within its limit, and writes replies. A client that sends what is no frame,
or does not read its replies, is disconnected; its requests run on.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from quorate.replica.intake import Intake
from quorate.replica.messages import Answer, Asked, Level, Refuse, Reply, Request
from quorate.runtime.disk import io_failing, write_whole
from quorate.runtime.endpoint import ENDPOINT_NAME, SOCKET_NAME, Endpoint, listen_endpoint
from quorate.runtime.errors import CannotListen
from quorate.runtime.frames import (
    CODE,
    REQUEST_BYTES_MAX,
    FrameKind,
    FrameReader,
    FrameRefused,
    frame,
    json_frame,
    json_read,
    reply_frame,
)
from quorate.types.codes import Reject

UNREAD_BYTES_MAX: Final = 256 << 20
CLIENTS_MAX: Final = 1024
QUESTIONS_MAX: Final = 64  # under way, per client
FLUSH_POLLS: Final = 100
FLUSH_POLL_S: Final = 0.01

Response = Reply | Refuse | Answer


def listening_fault(error: OSError) -> str:
    """Say why a socket cannot listen, without the words that asyncio wraps around it."""
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    # Where no address of a name is one of this machine, asyncio gives no number.
    return os.strerror(error.errno or errno.EADDRNOTAVAIL)


class Connection(asyncio.Protocol):
    """One client. `held`: bytes of its requests under way, by their number."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.reader = FrameReader(REQUEST_BYTES_MAX)
        self.transport: asyncio.Transport
        self.number = 0
        self.held: dict[int, int] = {}
        self.asking: dict[int, None] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in, or close it when there are too many."""
        # uvloop's transports are none of asyncio's classes, only of their form.
        self.transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.server.add(self):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take frames."""
        try:
            for kind, number, body in self.reader.feed(data):
                self.frame_received(kind, number, body)
        except FrameRefused:
            self.transport.abort()

    def frame_received(self, kind: int, number: int, body: bytes) -> None:
        """Take one frame. Raises FrameRefused."""
        if number in self.held or number in self.asking:
            raise FrameRefused("a number that is under way")
        if kind == FrameKind.SUBMIT and body:
            self.submitted(number, body)
        elif kind == FrameKind.ASK:
            if len(self.asking) >= QUESTIONS_MAX:
                self.refuse(number, Reject.BLOCK_FULL_SEND_LATER)
                return
            self.asking[number] = None
            self.server.ask(Asked(self.number, number, json_read(body)))
        else:
            raise FrameRefused("a kind that clients do not send")

    def submitted(self, number: int, body: bytes) -> None:
        """Queue a request for admission."""
        request = Request(self.number, number, body[1:])
        code = self.server.intake.offer(request)
        if code:
            self.refuse(number, code)
            return
        self.held[number] = len(request.data)
        if body[0] == Level.QUEUED:
            self.transport.write(frame(FrameKind.QUEUED, number, b""))
        self.server.offered()

    def refuse(self, number: int, code: Reject) -> None:
        """Refuse a request as a whole."""
        self.transport.write(frame(FrameKind.REFUSED, number, CODE.pack(code)))

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the client; what it asked for is still executed."""
        self.server.remove(self)


class Server:
    """All connections of a node. `ask` hands a question on; `offered` says that requests wait."""

    def __init__(
        self, intake: Intake, ask: Callable[[Asked], None], offered: Callable[[], None]
    ) -> None:
        self.intake = intake
        self.ask = ask
        self.offered = offered
        self.connections: dict[int, Connection] = {}
        self.orphans: dict[tuple[int, int], int] = {}
        self.number_last = 0
        self.listener: asyncio.Server | None = None

    async def listen(self, endpoint: Endpoint) -> Endpoint:
        """Start to listen; give the endpoint as it came to be. Raises OSError."""
        loop = asyncio.get_running_loop()
        if endpoint.path:
            self.listener = await loop.create_unix_server(lambda: Connection(self), endpoint.path)
            return endpoint
        self.listener = await loop.create_server(
            lambda: Connection(self), endpoint.host, endpoint.port
        )
        host, port = self.listener.sockets[0].getsockname()[:2]
        return Endpoint(host=host, port=port)

    async def listen_home(self, home: Path, listen: str) -> Endpoint:
        """Listen where a home's configuration says, and leave word of it there.

        Raises HomeRefused, CannotListen or StorageFailed.
        """
        endpoint = listen_endpoint(home, listen)
        (home / SOCKET_NAME).unlink(missing_ok=True)
        try:
            made = await self.listen(endpoint)
        except OSError as error:
            raise CannotListen(f"Cannot listen at {endpoint}: {listening_fault(error)}.") from error
        with io_failing("write", home / ENDPOINT_NAME):
            write_whole(home / ENDPOINT_NAME, [f"{made}\n".encode()])
        return made

    def add(self, connection: Connection) -> bool:
        """Number a connection, unless there are too many."""
        self.number_last += 1
        connection.number = self.number_last
        if len(self.connections) >= CLIENTS_MAX:
            return False
        self.connections[connection.number] = connection
        return True

    def remove(self, connection: Connection) -> None:
        """Forget a connection; its requests hold their part of the queue until they are done."""
        self.connections.pop(connection.number, None)
        for number, size in connection.held.items():
            self.orphans[connection.number, number] = size

    def respond(self, responses: list[Response]) -> None:
        """Write replies to those who still listen."""
        for response in responses:
            connection = self.connections.get(response.client)
            if connection is None:
                self.intake.release(self.orphans.pop((response.client, response.number), 0))
                continue
            if isinstance(response, Answer):
                connection.asking.pop(response.number, None)
                data = json_frame(FrameKind.ANSWER, response.number, response.answer)
            else:
                self.intake.release(connection.held.pop(response.number))
                if isinstance(response, Refuse):
                    body = CODE.pack(response.code)
                    data = frame(FrameKind.REFUSED, response.number, body)
                else:
                    data = reply_frame(response)
            connection.transport.write(data)
            if connection.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
                connection.transport.abort()

    def deafen(self) -> None:
        """Take no further connection and read nothing more."""
        if self.listener is not None:
            self.listener.close()
        for connection in self.connections.values():
            connection.transport.pause_reading()

    async def close(self) -> None:
        """Close all connections, after what was written to them, if they read it soon."""
        for connection in list(self.connections.values()):
            connection.transport.close()
        for _ in range(FLUSH_POLLS):
            if not self.connections:
                return
            await asyncio.sleep(FLUSH_POLL_S)
