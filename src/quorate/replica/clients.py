"""What clients and other validators want ordered: into the pool, and to everybody.

A bundle that was found sound is not checked again, wherever it comes from next, and the client of
a second copy waits for the same result. Copies that come together are checked each: the first
answer may be that its sender's share of the pool is full.
"""

from dataclasses import dataclass
from typing import Final

from quorate.codec.items import decode_items
from quorate.codec.peer import Bundles, PeerKind
from quorate.replica.blocks import hash_of
from quorate.replica.claims import Claim, Claims
from quorate.replica.intake import ITEM_BYTES_MIN
from quorate.replica.mempool import OWN_CLIENTS, Bundle
from quorate.replica.messages import Refuse, Request, Span
from quorate.replica.parts import Parts
from quorate.replica.pooling import Sifted, pooled, sifted
from quorate.replica.replica import refused
from quorate.replica.validator_messages import Admit, Admitted
from quorate.types.blocks import Item
from quorate.types.codes import Reject

ADMITTING_BYTES_MAX: Final = 32 << 20  # of all sources, with admission
PEER_ADMITTING_BYTES_MAX: Final = 2 << 20
GOSSIP_BYTES_MAX: Final = 1 << 20  # of one frame; below what a peer may have with admission
REGOSSIP_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Items from one source. names: their hashes; asked: the indexes that admission has."""

    source: int
    client: int
    number: int
    items: tuple[Item, ...]
    names: tuple[bytes, ...]
    asked: tuple[int, ...]
    size: int


class Clients:
    """Requests on their way into the pool."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.inquiries: dict[int, Inquiry] = {}
        self.admitting: dict[int, int] = {}
        self.admitting_bytes = 0

    @property
    def claims(self) -> Claims:
        """Who waits for what."""
        return self.parts.claims

    def requested(self, request: Request) -> None:
        """Take a client's items."""
        items = decode_items(request.data)
        if isinstance(items, Reject) or not items:
            code = items if isinstance(items, Reject) else Reject.LENGTH_MUST_MATCH_COUNT
            self.parts.at_once(Refuse(request.client, request.number, code))
            return
        size = charged(request.data, items)
        if self.admitting_bytes + size > ADMITTING_BYTES_MAX:
            code = Reject.BLOCK_FULL_SEND_LATER
            self.parts.at_once(Refuse(request.client, request.number, code))
            return
        self.inquire(OWN_CLIENTS, request.client, request.number, items, size)

    def gossiped(self, peer: int, bundles: Bundles) -> None:
        """Take bundles from a validator; what is over its share is dropped, and it is counted."""
        size = charged(bundles.data, bundles.items)
        if self.admitting.get(peer, 0) + size > PEER_ADMITTING_BYTES_MAX:
            self.parts.count("gossip_dropped")
            return
        self.inquire(peer, 0, 0, bundles.items, size)

    def inquire(
        self, source: int, client: int, number: int, items: tuple[Item, ...], size: int
    ) -> None:
        """Have admission look at what is not known to be sound."""
        verified = self.parts.mempool.verified
        names = tuple([hash_of(item) for item in items])
        asked = tuple([at for at, name in enumerate(names) if verified(name) is None])
        inquiry = Inquiry(source, client, number, items, names, asked, size)
        if not asked:
            self.judged(inquiry, ())
            return
        ticket = self.parts.ticket()
        self.inquiries[ticket] = inquiry
        self.admitting[source] = self.admitting.get(source, 0) + size
        self.admitting_bytes += size
        self.parts.at_once(Admit(ticket, tuple([items[at] for at in asked]), source))

    def admitted(self, event: Admitted) -> None:
        """Take admission's answer."""
        inquiry = self.inquiries.pop(event.ticket, None)
        if inquiry is None:
            return
        self.admitting[inquiry.source] -= inquiry.size
        self.admitting_bytes -= inquiry.size
        self.judged(inquiry, event.bundles)

    def judged(self, inquiry: Inquiry, found: tuple[Bundle | Reject, ...]) -> None:
        """Put what is sound into the pool, and tell the client of what is not."""
        judgement = dict(zip(inquiry.asked, found, strict=True))
        verified = self.parts.mempool.verified
        it = sifted(
            inquiry.names,
            [judgement.get(at) or verified(name) for at, name in enumerate(inquiry.names)],
        )
        if inquiry.source != OWN_CLIENTS:
            if len(it.sound) < len(inquiry.items):
                unsound = len(inquiry.items) - len(it.sound)
                self.parts.offence(inquiry.source, "gossip_unsound", unsound)
            self.parts.mempool.add(it.sound, inquiry.source)
            return
        self.pooled(inquiry, it)

    def pooled(self, inquiry: Inquiry, it: Sifted) -> None:
        """Let a client's sound bundles wait, and send them to all validators."""
        waiting, fresh = pooled(self.parts.mempool, it)
        codes = tuple(it.codes)
        if not waiting:
            span = Span(inquiry.client, inquiry.number, codes, 0, 0)
            self.parts.at_once(refused(span))
            return
        names = tuple([bundle.hash for bundle in waiting])
        self.claims.add(Claim(inquiry.client, inquiry.number, codes, names))
        self.gossip(fresh, None)

    def gossip(self, items: list[bytes], peer: int | None) -> None:
        """Send bundles to a validator, or to all, in frames of bounded size."""
        run: list[bytes] = []
        size = 0
        for item in items:
            if run and size + len(item) > GOSSIP_BYTES_MAX:
                self.parts.send_bytes(int(PeerKind.BUNDLES), b"".join(run), peer, True)
                run, size = [], 0
            run.append(item)
            size += len(item)
        if run:
            self.parts.send_bytes(int(PeerKind.BUNDLES), b"".join(run), peer, True)

    def peer_up(self, peer: int) -> None:
        """Send a validator that has come back what our clients wait for."""
        items: list[bytes] = []
        size = 0
        for name in self.claims.waiting:
            bundle = self.parts.mempool.verified(name)
            if bundle is not None:
                items.append(bundle.item)
                size += len(bundle.item)
                if size > REGOSSIP_BYTES_MAX:
                    break
        self.gossip(items, peer)

    def expire(self, time_ms: int) -> None:
        """Tell clients of bundles that expired while they waited."""
        gone = self.parts.mempool.expired(time_ms)
        names = [bundle.hash for bundle in gone]
        self.parts.after += self.claims.withdrawn(names, Reject.BUNDLE_EXPIRED_SIGN_AGAIN)


def charged(data: bytes, items: tuple[Item, ...]) -> int:
    """Say for how many bytes items count while with admission: none for less than a sound one."""
    return max(len(data), ITEM_BYTES_MIN * len(items))
