"""One connection to one peer, after TLS.

Greeting. Each end sends HELLO at once and takes nothing else before the other's; a greeting that
differs ends the connection. From then on the link is *up*.

Reading. A frame goes to the owner as soon as it is whole, and counts as backlog until the owner
gives credit for it. Above the bound no further frame is taken and the socket is not read, so a peer
that sends faster than we work is slowed down by its own network, and nobody else is.

Writing. What waits is in lanes; it is handed to TLS once per turn of the event loop and only while
its buffers are nearly empty, so that an urgent frame overtakes all but a few hundred kilobytes.

Silence. Whoever has sent nothing for a while sends a PING; whoever hears nothing for longer takes
the other end for gone. While we do not read, for backlog, we do not judge.
"""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Final, Protocol, cast

from quorate.runtime.peers.certificates import peer_index
from quorate.runtime.peers.counters import PeerCounters, Reason
from quorate.runtime.peers.frames import (
    GREETING,
    HELLO,
    PING,
    FrameReader,
    FrameRefused,
    Hello,
    Lane,
    hello_body,
    hello_read,
    parts_of,
)
from quorate.runtime.peers.lanes import Lanes, UrgentFull

HIGH_WATER_BYTES: Final = 1 << 16
TURN_BYTES: Final = 1 << 18  # written per link and turn of the event loop
WRITE_BYTES: Final = 1 << 16
# Of what TCP has taken, not more than this may be unsent; else the kernel takes megabytes, which
# no urgent frame could overtake. Python names the option from 3.12 on.
UNSENT_BYTES: Final = 1 << 17
TCP_NOTSENT_LOWAT: Final = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much may be with the owner of a link: bytes of bodies, and frames."""

    bytes_max: int
    frames_max: int


class Owner(Protocol):
    """What a link asks of the transport, and tells it."""

    hello: Hello
    pins: dict[bytes, int]
    frame_bytes: dict[int, int]
    backlog: Backlog

    def greeted(self, link: "Link") -> Reason | None:
        """Take a link in whose greeting is right, or say why not."""

    def received(self, link: "Link", kind: int, body: bytes) -> None:
        """Take a frame."""

    def burdened(self, peer: int) -> bool:
        """Say whether a peer's backlog is at its bound."""

    def ended(self, link: "Link", reason: Reason) -> None:
        """Hear that a connection is over, whether it was ever up or not."""

    def counters_of(self, peer: int) -> PeerCounters:
        """Give the counters of a peer."""


def tune(raw: socket.socket) -> None:
    """Set the options of a TCP socket before its connection is used. Raises OSError."""
    raw.setblocking(False)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)


class Link(asyncio.Protocol):
    """One connection. expected: which peer was dialled; None on the listening side."""

    def __init__(self, owner: Owner, expected: int | None, lanes: Lanes) -> None:
        self.owner = owner
        self.expected = expected
        self.lanes = lanes
        self.loop = asyncio.get_running_loop()
        self.reader = FrameReader(GREETING)
        self.transport: asyncio.Transport | None = None
        self.peer: int | None = None
        self.up = False
        self.reason: Reason | None = None
        self.settled = asyncio.Event()  # up, or over before that
        self.over = asyncio.Event()
        self.begun_s = self.loop.time()
        self.heard_s = self.said_s = self.begun_s
        self.writable = True
        self.reading = True
        self.flushing = False

    # --- making and ending ------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find out who it is, and greet."""
        # uvloop's transports have its methods and are no instances of it.
        made = self.transport = cast(asyncio.Transport, transport)
        if self.reason is not None:
            made.abort()
            return
        made.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        tls = made.get_extra_info("ssl_object")
        assert isinstance(tls, ssl.SSLObject), "validators speak over TLS alone"
        peer = peer_index(tls.getpeercert(binary_form=True), self.owner.pins)
        if peer is None or self.expected not in (None, peer):
            self.end(Reason.PIN)
            return
        self.peer = peer
        self.heard_s = self.said_s = self.loop.time()
        made.write(b"".join(parts_of(Lane.URGENT, HELLO, hello_body(self.owner.hello))))

    def connection_lost(self, error: Exception | None) -> None:
        """Hear that it is over."""
        self.finish(Reason.CLOSED)

    def end(self, reason: Reason) -> None:
        """End the connection at once; what waits to be sent is lost."""
        if self.transport is not None:
            self.transport.abort()
        self.finish(reason)

    def finish(self, reason: Reason) -> None:
        """Tell the owner, once."""
        if self.reason is not None:
            return
        self.reason = reason
        self.up = False
        self.owner.ended(self, reason)
        self.settled.set()
        self.over.set()

    # --- reading ----------------------------------------------------------------------------------
    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self.reason is not None:
            return
        self.heard_s = self.loop.time()
        if self.peer is not None:
            self.owner.counters_of(self.peer).bytes_in += len(data)
        self.reader.feed(data)
        self.take()

    def take(self) -> None:
        """Take the frames that are whole, as long as the backlog allows."""
        try:
            while self.reason is None and self.reading:
                if self.peer is not None and self.up and self.owner.burdened(self.peer):
                    self.pause()
                    return
                frame = self.reader.take()
                if frame is None:
                    return
                self.frame_received(*frame)
        except FrameRefused:
            self.end(Reason.FRAME)

    def frame_received(self, kind: int, body: bytes) -> None:
        """Take one frame. Raises FrameRefused."""
        assert self.peer is not None
        if not self.up:
            self.greet(hello_read(body))
        elif kind != PING:
            self.owner.counters_of(self.peer).frames_in[kind] += 1
            self.owner.received(self, kind, body)

    def greet(self, theirs: Hello) -> None:
        """Judge a greeting; the link is up if it is ours."""
        ours = self.owner.hello
        if theirs.version != ours.version:
            self.end(Reason.VERSION)
        elif theirs.chain_id != ours.chain_id:
            self.end(Reason.CHAIN)
        elif theirs.genesis != ours.genesis:
            self.end(Reason.GENESIS)
        else:
            self.reader.limits = self.owner.frame_bytes
            refused = self.owner.greeted(self)
            if refused is not None:
                self.end(refused)

    def pause(self) -> None:
        """Read no more until `resume`."""
        assert self.transport is not None
        self.reading = False
        self.transport.pause_reading()

    def resume(self) -> None:
        """Read on; what is held comes first, in a turn of its own."""
        if self.reading or self.reason is not None:
            return
        assert self.transport is not None
        self.reading = True
        self.heard_s = self.loop.time()
        self.transport.resume_reading()
        self.loop.call_soon(self.take)

    # --- writing ----------------------------------------------------------------------------------
    def send(self, kind: int, body: bytes, lane: Lane) -> bool:
        """Queue a frame; False if that ended the link, or if the frame itself was dropped."""
        assert self.peer is not None
        try:
            queued, dropped = self.lanes.put(lane, kind, body)
        except UrgentFull:
            self.end(Reason.URGENT_FULL)
            return False
        self.owner.counters_of(self.peer).dropped_bulk += dropped + (not queued)
        self.flush_soon()
        return queued

    def flush_soon(self) -> None:
        """Write at the end of this turn, so that what is queued in it goes in one piece."""
        if not self.flushing and self.writable and self.reason is None:
            self.flushing = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Hand waiting parts to TLS, until its buffers fill or others should have their turn."""
        self.flushing = False
        written = 0
        while self.writable and self.reason is None and self.lanes and written < TURN_BYTES:
            written += self.write(WRITE_BYTES)
        if self.lanes:
            self.flush_soon()

    def write(self, bytes_max: int) -> int:
        """Write some parts; give their size in bytes."""
        assert self.transport is not None and self.peer is not None
        pieces, ended = self.lanes.take(bytes_max)
        data = b"".join(pieces)
        counters = self.owner.counters_of(self.peer)
        counters.bytes_out += len(data)
        counters.frames_out.update(ended)
        self.said_s = self.loop.time()
        self.transport.write(data)
        return len(data)

    def pause_writing(self) -> None:
        """Leave frames in their lanes, where urgent ones can overtake."""
        self.writable = False

    def resume_writing(self) -> None:
        """Write on."""
        self.writable = True
        if self.lanes:
            self.flush_soon()

    # --- silence ----------------------------------------------------------------------------------
    def watch(self, now_s: float, ping_s: float, idle_s: float) -> None:
        """End a silent link; break our own silence."""
        if self.reading and now_s - self.heard_s > idle_s:
            self.end(Reason.IDLE)
        elif now_s - self.said_s >= ping_s and not self.lanes:
            self.send(PING, b"", Lane.URGENT)
