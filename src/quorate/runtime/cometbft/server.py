"""The ABCI socket server: CometBFT's connections in, requests to the application, answers back.

CometBFT opens four connections (consensus, mempool, query, snapshots) and does not say which is
which; the requests on each are answered in the order in which they came. Runs on the event loop,
asyncio's or uvloop's.

Upon receiving bytes: cut the frames that are whole, read them, and hand the requests to `take` as
one list, so that an application can check many transactions at once. Echo, flush and the two
requests about vote extensions, which are off, are answered here, in their place in the order.

Upon an answer: keep it until all before it are there, then write it; what becomes ready in one turn
of the event loop is written as one piece, so a flush never waits.

Bounds: above so many requests, or bytes of them, without an answer no further frame is cut and the
socket is not read; the same while the other end does not read what was written.

Upon what is no frame: close the connection, and count why. Upon a request that cannot be read or is
none of the table: answer an exception, on which CometBFT stops and prints it. Upon an error of
`take`: close the connection and hand the error to `failed`; nothing is swallowed.

The protocol has no authentication: whoever connects is obeyed. So listen on a Unix socket in a
folder that guards it, or on TCP that only this machine can reach.

Source: CometBFT v0.38 spec, section "ABCI++: Client and Server", "Socket".
"""

import asyncio
import os
import socket
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, cast

from google.protobuf.message import DecodeError

from quorate.runtime.cometbft.messages import (
    Request,
    Response,
    VerifyVoteExtensionStatus,
    frame,
)
from quorate.runtime.endpoint import UNIX_PATH_BYTES_MAX, Endpoint
from quorate.runtime.errors import CannotListen
from quorate.runtime.server import listening_fault

LENGTH_BYTES_MAX: Final = 10  # of a uvarint of 64 bits
CLOSE_POLLS: Final = 100
CLOSE_POLL_S: Final = 0.01
FLUSHED: Final = frame(Response(flush={}))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may hold, and how many there may be.

    requests: without an answer; request_bytes: of those together; frame_bytes: of one;
    unread_bytes: written and not read by the other end, above which it is disconnected.
    """

    requests: int = 8192
    request_bytes: int = 64 << 20
    frame_bytes: int = 64 << 20
    unread_bytes: int = 256 << 20
    connections: int = 16


class Refusal(StrEnum):
    """Why a connection was closed from this side."""

    CROWDED = "too many connections"
    LENGTH = "what came does not begin with the shortest form of a length"
    SIZE = "a request is longer than is allowed"
    UNREAD = "the answers are not read"


class FrameRefused(Exception):
    """Bytes that are no frame. The stream cannot be read any further."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Frames:
    """The stream of one connection, cut into frames: uvarint length, then so many bytes."""

    def __init__(self, frame_bytes_max: int) -> None:
        self.frame_bytes_max = frame_bytes_max
        self.held = bytearray()
        self.at = 0

    def following(self) -> bytes | None:
        """Give the body of the next frame, None where it is not whole yet. Raises FrameRefused."""
        length = 0
        place = self.at
        end = min(len(self.held), self.at + LENGTH_BYTES_MAX)
        while place < end:
            byte = self.held[place]
            length |= (byte & 0x7F) << 7 * (place - self.at)
            place += 1
            if byte < 0x80:
                break
        else:
            if place == self.at + LENGTH_BYTES_MAX:
                raise FrameRefused(Refusal.LENGTH)
            return None
        if byte == 0 and place > self.at + 1:
            raise FrameRefused(Refusal.LENGTH)
        if length > self.frame_bytes_max:
            raise FrameRefused(Refusal.SIZE)
        if place + length > len(self.held):
            return None
        self.at = place + length
        return bytes(memoryview(self.held)[place : self.at])

    def drop_taken(self) -> None:
        """Forget the frames that were given."""
        del self.held[: self.at]
        self.at = 0


def exception(error: str) -> Any:
    """Say that a request has no answer. CometBFT stops on it and prints the sentence."""
    return Response(exception={"error": error})


class AbciConnection(asyncio.Protocol):
    """One connection. tickets: numbers of its requests, ascending from 0 without a gap.

    sizes: of the requests without an answer, in order; ready: answers that wait for one before
    them; out: what is written at the end of this turn of the event loop.
    """

    def __init__(self, server: "AbciServer") -> None:
        self.server = server
        self.limits = server.limits
        self.frames = Frames(server.limits.frame_bytes)
        self.transport: asyncio.Transport
        self.ticket_first = 0
        self.ticket_next = 0
        self.sizes: deque[int] = deque()
        self.bytes_held = 0
        self.ready: dict[int, bytes] = {}
        self.out: list[bytes] = []
        self.turning = False
        self.choked = False
        self.paused = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in, or close it when there are too many."""
        # uvloop's transports are none of asyncio's classes, only of their form.
        self.transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.server.connections) >= self.limits.connections:
            self.refuse(Refusal.CROWDED)
            return
        self.server.connections[self] = None

    def data_received(self, data: bytes) -> None:
        """Take requests."""
        if not self.lost:
            self.frames.held += data
            self.cut()

    def has_room(self, share: int = 1) -> bool:
        """Say whether so little is unanswered, in parts of what may be, that more can be taken."""
        return (
            not self.choked
            and len(self.sizes) * share < self.limits.requests
            and self.bytes_held * share < self.limits.request_bytes
        )

    def cut(self) -> None:
        """Take the frames that are whole, as many as there is room for, and hand them over."""
        taken: list[tuple[int, str, Any]] = []
        try:
            while self.has_room():
                body = self.frames.following()
                if body is None:
                    break
                self.request_received(body, taken)
        except FrameRefused as error:
            self.refuse(error.refusal)
            return
        self.frames.drop_taken()
        if taken:
            with HandingOver(self):
                self.server.take(self, taken)
        self.reading_set()

    def request_received(self, body: bytes, taken: list[tuple[int, str, Any]]) -> None:
        """Number a request; answer it if it is not for the application, else add it to `taken`."""
        ticket = self.ticket_next
        self.ticket_next += 1
        self.sizes.append(len(body))
        self.bytes_held += len(body)
        try:
            request = Request.FromString(body)
        except DecodeError:
            self.answer(ticket, exception("a request that is no message of ABCI"))
            return
        kind = request.WhichOneof("value")
        if kind == "flush":
            self.answer(ticket, FLUSHED)
        elif kind == "echo":
            self.answer(ticket, Response(echo={"message": request.echo.message}))
        elif kind == "extend_vote":
            self.answer(ticket, Response(extend_vote={}))
        elif kind == "verify_vote_extension":
            # A correct validator of this application extends its vote by nothing.
            foreign = bool(request.verify_vote_extension.vote_extension)
            status = (VerifyVoteExtensionStatus.ACCEPT, VerifyVoteExtensionStatus.REJECT)[foreign]
            self.answer(ticket, Response(verify_vote_extension={"status": status}))
        elif kind is None:
            self.answer(ticket, exception("a request that this application does not know"))
        else:
            taken.append((ticket, kind, getattr(request, kind)))

    def answer(self, ticket: int, response: Any) -> None:
        """Answer a request, once, in whatever order. To be called on the event loop.

        response: a Response, or the bytes that `frame` made of one. Nothing happens where the
        connection is lost.
        """
        if self.lost:
            return
        assert self.ticket_first <= ticket < self.ticket_next and ticket not in self.ready
        self.ready[ticket] = response if isinstance(response, bytes) else frame(response)
        while self.ticket_first in self.ready:
            self.out.append(self.ready.pop(self.ticket_first))
            self.bytes_held -= self.sizes.popleft()
            self.ticket_first += 1
        if self.out and not self.turning:
            self.turning = True
            self.server.loop.call_soon(self.turn)

    def turn(self) -> None:
        """Write what is ready, and go on with what waits for the room that this made."""
        self.turning = False
        if self.lost:
            return
        self.transport.write(b"".join(self.out))
        self.out.clear()
        if self.transport.get_write_buffer_size() > self.limits.unread_bytes:
            self.refuse(Refusal.UNREAD)
            return
        if self.paused:
            self.cut()

    def reading_set(self) -> None:
        """Read the socket while there is room; once there was none, from half of it on."""
        if self.lost or self.transport.is_closing():
            return
        if not self.has_room():
            self.transport.pause_reading()
            self.paused = True
        elif self.paused and self.has_room(2):
            self.transport.resume_reading()
            self.paused = False

    def pause_writing(self) -> None:
        """Take no further request: the other end does not read."""
        self.choked = True
        self.reading_set()

    def resume_writing(self) -> None:
        """Go on."""
        self.choked = False
        self.cut()

    def refuse(self, refusal: Refusal) -> None:
        """Close the connection at once, and count why."""
        self.server.refusals[refusal] += 1
        self.forget()
        self.transport.abort()

    def finish(self) -> None:
        """Write what is ready, take nothing more, and close once it has gone out."""
        self.transport.write(b"".join(self.out))
        self.out.clear()
        self.lost = True
        self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection; answers to what it asked come to nothing."""
        self.forget()

    def forget(self) -> None:
        """Take nothing more and write nothing more."""
        self.lost = True
        self.ready.clear()
        self.out.clear()
        self.frames.held.clear()
        self.server.connections.pop(self, None)


class HandingOver:
    """Around the application's own code: its error ends the connection, and goes to `failed`."""

    def __init__(self, connection: AbciConnection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Hand an error over. KeyboardInterrupt and its like go on upwards."""
        if not isinstance(error, Exception):
            return False
        self.connection.forget()
        self.connection.transport.abort()
        self.connection.server.failed(error)
        return True


Take = Callable[[AbciConnection, list[tuple[int, str, Any]]], None]


class AbciServer:
    """All connections. Requests go to `take` as (ticket, kind, body); `failed` hears of its errors.

    kind: the field of Request, such as "check_tx"; body: the message in it. `take` must not wait:
    it may answer at once or later, by `connection.answer(ticket, response)`.
    """

    def __init__(
        self, take: Take, failed: Callable[[Exception], None], limits: Limits | None = None
    ) -> None:
        self.take = take
        self.failed = failed
        self.limits = limits or Limits()
        self.connections: dict[AbciConnection, None] = {}
        self.refusals: Counter[Refusal] = Counter()
        self.listener: asyncio.Server | None = None
        self.loop: asyncio.AbstractEventLoop

    async def start(self, endpoint: Endpoint) -> Endpoint:
        """Start to listen; give the endpoint as it came to be. Raises CannotListen."""
        self.loop = asyncio.get_running_loop()
        size = len(os.fsencode(endpoint.path))
        if size > UNIX_PATH_BYTES_MAX:
            raise CannotListen(
                f"{endpoint.path} has {size} bytes, but a Unix socket's path has at most "
                f"{UNIX_PATH_BYTES_MAX}: name it by a shorter path, or listen on tcp:127.0.0.1."
            )
        try:
            return await self.listen(endpoint)
        except OSError as error:
            raise CannotListen(f"Cannot listen at {endpoint}: {listening_fault(error)}.") from error

    async def listen(self, endpoint: Endpoint) -> Endpoint:
        """Start to listen. Raises OSError."""
        if endpoint.path:
            self.listener = await self.loop.create_unix_server(
                lambda: AbciConnection(self), endpoint.path
            )
            return endpoint
        self.listener = await self.loop.create_server(
            lambda: AbciConnection(self), endpoint.host, endpoint.port
        )
        host, port = self.listener.sockets[0].getsockname()[:2]
        return Endpoint(host=host, port=port)

    async def close(self) -> None:
        """Listen no more; close all connections, after what is ready if it is read soon."""
        if self.listener is not None:
            self.listener.close()
        for connection in list(self.connections):
            connection.finish()
        for _ in range(CLOSE_POLLS):
            if not self.connections:
                return
            await asyncio.sleep(CLOSE_POLL_S)
        for connection in list(self.connections):
            connection.transport.abort()
