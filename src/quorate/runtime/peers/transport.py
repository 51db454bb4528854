"""All links of one validator: who listens, who dials, and one link for each pair.

Of a pair the validator with the higher index dials and the other one listens, so the two never dial
each other at once. A peer that dials while its link stands has lost that link without our noticing:
once the new connection has proved its key and greeted, it takes the old one's place. A dialler
tries again after a pause that doubles, with jitter, and starts small again after a link that
lasted. A peer that sends forgeries may be banished: its link ends, and neither end's dialling
brings another about until the time is over.

A handshake costs a stranger little and us a millisecond, so the ones under way are counted: an
address has a share, and where all are taken the oldest makes room, since an honest one ends within
a few round trips.

Everything runs on one event loop, which may be asyncio's own or uvloop. Handlers are called on it
and must not raise; an exception from one is our own bug and goes to the loop's handler.
"""

import asyncio
import os
import random
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from quorate.runtime.endpoint import Endpoint
from quorate.runtime.errors import CannotListen
from quorate.runtime.peers.certificates import Material
from quorate.runtime.peers.counters import Counters, PeerCounters, Reason
from quorate.runtime.peers.frames import Hello, Lane, limits_with_control
from quorate.runtime.peers.lanes import Lanes
from quorate.runtime.peers.link import Backlog, Link, tune

LISTEN_BACKLOG: Final = 256
ACCEPT_RETRY_S: Final = 0.1
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a validator listens, and the pin of its transport key (certificates.pin_of)."""

    host: str
    port: int
    pin: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may cost. frame_bytes: the greatest body of each kind.

    urgent and bulk: bytes waiting to be sent to a peer. backlog: of frames that a handler has not
    given credit for; a peer may exceed it by one frame.
    """

    frame_bytes: Mapping[int, int]
    urgent_bytes_max: int = 4 * MIB
    bulk_bytes_max: int = 32 * MIB
    backlog_bytes_max: int = 32 * MIB
    backlog_frames_max: int = 1 << 15
    handshakes_max: int = 64
    handshakes_per_address_max: int = 16
    handshake_timeout_s: float = 5.0
    ping_s: float = 2.0
    idle_s: float = 8.0
    redial_s_min: float = 0.05
    redial_s_max: float = 2.0


class Handlers(Protocol):
    """Who is told. For each frame of `on_frame`, `credit` is owed to the transport."""

    def on_frame(self, peer: int, kind: int, body: bytes) -> None:
        """Take a frame."""

    def on_up(self, peer: int) -> None:
        """Hear that frames can be sent."""

    def on_down(self, peer: int, reason: Reason) -> None:
        """Hear that the link is gone, and with it what was not yet sent."""


class Transport:
    """The links of validator `me`. seats: of all validators, in their order."""

    def __init__(
        self,
        me: int,
        seats: Sequence[Seat],
        hello: Hello,
        material: Material,
        limits: Limits,
        handlers: Handlers,
    ) -> None:
        assert 0 <= me < len(seats)
        self.me = me
        self.seats = tuple(seats)
        self.hello = hello
        self.pins = {seat.pin: index for index, seat in enumerate(seats)}
        assert len(self.pins) == len(self.seats), "a key stands for one validator"
        self.material = material
        self.limits = limits
        self.frame_bytes = limits_with_control(limits.frame_bytes)
        self.backlog = Backlog(limits.backlog_bytes_max, limits.backlog_frames_max)
        self.handlers = handlers
        self.counters = Counters(tuple(PeerCounters() for _ in seats))
        self.links: list[Link | None] = [None for _ in seats]
        self.banished_until_s = [0.0 for _ in seats]
        self.owed_bytes = [0 for _ in seats]
        self.owed_frames = [0 for _ in seats]
        self.listener: socket.socket | None = None
        self.tasks: list[asyncio.Task[None]] = []
        # Handshakes under way on the listening side, oldest first, and where each comes from.
        self.shaking: dict[asyncio.Task[None], str] = {}
        self.stopping = False

    # --- starting and stopping --------------------------------------------------------------------
    async def start(self, listen: Endpoint) -> Endpoint:
        """Listen, begin to dial, and give the endpoint as it came to be. Raises CannotListen."""
        try:
            self.listener = await listening(listen)
        except OSError as error:
            said = error.strerror or os.strerror(error.errno or 0)
            raise CannotListen(f"Cannot listen for validators at {listen}: {said}.") from error
        self.tasks.append(asyncio.ensure_future(self.accept(self.listener)))
        self.tasks.append(asyncio.ensure_future(self.watch()))
        for peer in range(self.me):
            self.tasks.append(asyncio.ensure_future(self.dial(peer)))
        return Endpoint(host=listen.host, port=self.listener.getsockname()[1])

    async def stop(self) -> None:
        """Close everything; what was not sent is lost."""
        self.stopping = True
        waiting = [*self.tasks, *self.shaking]
        for task in waiting:
            task.cancel()
        for link in self.up_links():
            link.end(Reason.STOPPED)
        await asyncio.gather(*waiting, return_exceptions=True)
        if self.listener is not None:
            self.listener.close()
        # Aborted connections close their sockets in the loop's next turn.
        await asyncio.sleep(0)

    # --- sending ----------------------------------------------------------------------------------
    def send(
        self, peer: int, kind: int, body: bytes | Sequence[bytes], lane: Lane
    ) -> bool:
        """Queue a frame for a peer; False if it is already known to be lost.

        True is no promise: the link may go down, and bulk may still be dropped for newer bulk.
        """
        joined = body if isinstance(body, bytes) else b"".join(body)
        assert len(joined) <= self.limits.frame_bytes[kind], "the peer would refuse it"
        return self.sent(peer, kind, joined, lane)

    def broadcast(self, kind: int, body: bytes | Sequence[bytes], lane: Lane) -> int:
        """Queue a frame for every peer; give for how many."""
        joined = body if isinstance(body, bytes) else b"".join(body)
        assert len(joined) <= self.limits.frame_bytes[kind], "the peers would refuse it"
        others = (peer for peer in range(len(self.seats)) if peer != self.me)
        return sum([self.sent(peer, kind, joined, lane) for peer in others])

    def sent(self, peer: int, kind: int, body: bytes, lane: Lane) -> bool:
        """Queue a frame that has been looked at."""
        link = self.links[peer]
        if link is None:
            self.counters.peers[peer].dropped_down += 1
            return False
        return link.send(kind, body, lane)

    def is_up(self, peer: int) -> bool:
        """Say whether a link to a peer stands."""
        return self.links[peer] is not None

    def up_links(self) -> list[Link]:
        """List the links that stand."""
        return [link for link in self.links if link is not None]

    def credit(self, peer: int, size: int, frames: int = 1) -> None:
        """Be told that frames of `on_frame` have been dealt with. size: bytes of their bodies."""
        self.owed_bytes[peer] -= size
        self.owed_frames[peer] -= frames
        assert self.owed_bytes[peer] >= 0, "more credit than was owed"
        assert self.owed_frames[peer] >= 0, "more credit than was owed"
        link = self.links[peer]
        # Half, so that reading does not stop and start with every frame.
        if link is not None and not link.reading:
            if 2 * self.owed_bytes[peer] <= self.backlog.bytes_max:
                if 2 * self.owed_frames[peer] <= self.backlog.frames_max:
                    link.resume()

    def banish(self, peer: int, span_s: float) -> None:
        """End the link to a peer, and take none to it for so long from now."""
        until_s = asyncio.get_running_loop().time() + span_s
        self.banished_until_s[peer] = max(self.banished_until_s[peer], until_s)
        link = self.links[peer]
        if link is not None:
            link.end(Reason.BANISHED)

    def banished_s(self, peer: int) -> float:
        """Say for how long yet a peer is refused; not above zero when it is not."""
        return self.banished_until_s[peer] - asyncio.get_running_loop().time()

    # --- what links ask and tell ------------------------------------------------------------------
    def counters_of(self, peer: int) -> PeerCounters:
        """Give the counters of a peer."""
        return self.counters.peers[peer]

    def burdened(self, peer: int) -> bool:
        """Say whether a peer's backlog is at its bound."""
        return (
            self.owed_bytes[peer] >= self.backlog.bytes_max
            or self.owed_frames[peer] >= self.backlog.frames_max
        )

    def greeted(self, link: Link) -> Reason | None:
        """Take a link in, in the place of an older one; or say why not."""
        peer = link.peer
        assert peer is not None
        if link.expected is None and peer <= self.me:
            return Reason.DIRECTION
        if self.stopping:
            return Reason.STOPPED
        if self.banished_s(peer) > 0:
            return Reason.BANISHED
        old = self.links[peer]
        if old is not None:
            old.end(Reason.REPLACED)
        self.links[peer] = link
        self.counters.peers[peer].links += 1
        link.up = True
        link.settled.set()
        self.handlers.on_up(peer)
        return None

    def received(self, link: Link, kind: int, body: bytes) -> None:
        """Hand a frame on; credit is owed for it."""
        assert link.peer is not None
        self.owed_bytes[link.peer] += len(body)
        self.owed_frames[link.peer] += 1
        self.handlers.on_frame(link.peer, kind, body)

    def ended(self, link: Link, reason: Reason) -> None:
        """Count what became of a connection, and let go of its link."""
        peer = link.peer
        if peer is None:
            self.refused(link.expected, reason)
        elif self.links[peer] is link:
            self.links[peer] = None
            self.counters.peers[peer].downs[reason] += 1
            self.handlers.on_down(peer, reason)
        else:
            self.refused(peer, reason)

    def refused(self, peer: int | None, reason: Reason) -> None:
        """Count a connection that never became a link. peer: None for a stranger."""
        counters = self.counters
        counted = counters.strangers if peer is None else counters.peers[peer].refusals
        counted[reason] += 1

    # --- listening --------------------------------------------------------------------------------
    async def accept(self, listener: socket.socket) -> None:
        """Accept connections and let each prove itself."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                raw, address = await loop.sock_accept(listener)
            except OSError:
                # Out of file descriptors, or the other end was gone already.
                await asyncio.sleep(ACCEPT_RETRY_S)
                continue
            host = str(address[0])
            here = Counter(self.shaking.values())[host]
            if here >= self.limits.handshakes_per_address_max:
                self.refused(None, Reason.CROWDED)
                raw.close()
                continue
            if len(self.shaking) >= self.limits.handshakes_max:
                self.refused(None, Reason.CROWDED)
                oldest = next(iter(self.shaking))
                del self.shaking[oldest]
                oldest.cancel()
            try:
                tune(raw)
            except OSError:
                raw.close()
                continue
            task = asyncio.ensure_future(self.shake(raw))
            self.shaking[task] = host
            task.add_done_callback(lambda done: self.shaking.pop(done, None))

    async def shake(self, raw: socket.socket) -> None:
        """Carry one accepted connection through its handshake and greeting."""
        link = Link(self, None, self.lanes())
        await self.proved(link, raw, listening_side=True)

    def lanes(self) -> Lanes:
        """Make the lanes of a new link."""
        return Lanes(self.limits.urgent_bytes_max, self.limits.bulk_bytes_max)

    async def proved(self, link: Link, raw: socket.socket, listening_side: bool) -> None:
        """Bring a connection to where it is up or over. Takes the socket."""
        loop = asyncio.get_running_loop()
        patience_s = self.limits.handshake_timeout_s
        try:
            async with asyncio.timeout(patience_s):
                if listening_side:
                    await loop.connect_accepted_socket(
                        lambda: link, raw, ssl=self.material.listening,
                        ssl_handshake_timeout=patience_s,
                    )  # fmt: skip
                else:
                    await loop.create_connection(
                        lambda: link, sock=raw, ssl=self.material.dialling,
                        server_hostname="", ssl_handshake_timeout=patience_s,
                    )  # fmt: skip
                await link.settled.wait()
        except TimeoutError:
            link.end(Reason.SLOW)
        except OSError:
            # Every error of TLS is one too, and the handshake's own timeout.
            link.end(Reason.TLS)
        except asyncio.CancelledError:
            link.end(Reason.STOPPED if self.stopping else Reason.CROWDED)
            raise

    # --- dialling ---------------------------------------------------------------------------------
    async def dial(self, peer: int) -> None:
        """Keep a link to a peer of a lower index, for ever."""
        loop = asyncio.get_running_loop()
        pause_s = self.limits.redial_s_min
        while True:
            await asyncio.sleep(max(self.banished_s(peer), 0.0))
            self.counters.peers[peer].dials += 1
            raw = await self.reached(self.seats[peer])
            if raw is None:
                self.refused(peer, Reason.UNREACHABLE)
            else:
                link = Link(self, peer, self.lanes())
                await self.proved(link, raw, listening_side=False)
                up_s = loop.time()
                await link.over.wait()
                if loop.time() - up_s > self.limits.redial_s_max:
                    pause_s = self.limits.redial_s_min
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, self.limits.redial_s_max)

    async def reached(self, seat: Seat) -> socket.socket | None:
        """Connect to a seat at one of its addresses; None if nobody answers in time."""
        loop = asyncio.get_running_loop()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self.limits.handshake_timeout_s):
                found = await loop.getaddrinfo(
                    bare(seat.host), seat.port, type=socket.SOCK_STREAM
                )
                for family, kind, protocol, _, address in found:
                    raw = socket.socket(family, kind, protocol)
                    connected = False
                    try:
                        tune(raw)
                        await loop.sock_connect(raw, address)
                        connected = True
                        return raw
                    except OSError:
                        continue
                    finally:
                        if not connected:
                            raw.close()
        return None

    async def watch(self) -> None:
        """Look for silence, for ever."""
        limits = self.limits
        loop = asyncio.get_running_loop()
        pause_s = limits.ping_s / 2
        while True:
            before_s = loop.time()
            await asyncio.sleep(pause_s)
            now_s = loop.time()
            # While this process itself stood still, nobody could be heard.
            deaf_s = now_s - before_s - pause_s
            for link in self.up_links():
                link.heard_s += deaf_s
                link.watch(now_s, limits.ping_s, limits.idle_s)


def bare(host: str) -> str:
    """Take the brackets from an IPv6 address."""
    return host.removeprefix("[").removesuffix("]")


async def listening(endpoint: Endpoint) -> socket.socket:
    """Listen at the first address of an endpoint. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        bare(endpoint.host), endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    raw = socket.socket(family, kind, protocol)
    try:
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        raw.bind(address)
        raw.listen(LISTEN_BACKLOG)
    except OSError:
        raw.close()
        raise
    return raw
