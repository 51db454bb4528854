"""Blocks by digest: taken in within bounds, asked for until they come, served to laggards.

A block is *kept* from when its proposal is known until it is dropped or finalized; the bytes may
come before or after. Bytes that nobody asked for wait in a few slots of the peer that sent them,
so that a block that overtakes its proposal is not lost and a peer that sends rubbish pushes out
only its own. What was finalized lately stays by height, for those who are behind.

That bytes have the digest under which they are offered is for the caller to check.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final, NamedTuple

DOUBLINGS_MAX: Final = 3


class Request(NamedTuple):
    """Ask a peer for the block with a digest."""

    peer: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class PayloadLimits:
    """early_slots, early_bytes_max: for each peer.

    kept_bytes_max: of blocks not final yet, beyond which others' are not taken in unasked.
    window_bytes_max: of finalized blocks that are served. retry_ms: until another peer is asked.
    """

    early_slots: int = 4
    early_bytes_max: int = 16 << 20
    kept_bytes_max: int = 256 << 20
    window_bytes_max: int = 64 << 20
    retry_ms: int = 500

    def __post_init__(self) -> None:
        assert self.early_slots > 0 and self.retry_ms > 0
        assert min(self.early_bytes_max, self.kept_bytes_max, self.window_bytes_max) > 0


class _Wish:
    """A block that we asked for. order: whom to ask, in turn; asked: how often we did.

    named: whom our caller thought most likely to have it.
    """

    __slots__ = ("asked", "due_ms", "named", "order", "wait_ms")

    def __init__(self, order: list[int], wait_ms: int) -> None:
        self.order = deque(order)
        self.named: dict[int, None] = {}
        self.asked = 0
        self.wait_ms = wait_ms
        self.due_ms = 0

    def name(self, candidates: list[int]) -> bool:
        """Put candidates that were not named before first; say whether there are any."""
        fresh = [peer for peer in dict.fromkeys(candidates) if peer not in self.named]
        for peer in reversed(fresh):
            self.order.remove(peer)
            self.order.appendleft(peer)
            self.named[peer] = None
        return bool(fresh)

    def ask(self, digest: bytes, now_ms: int) -> Request:
        """Ask the next in turn; after each round of all, wait twice as long."""
        rounds = self.asked // len(self.order)
        self.asked += 1
        self.due_ms = now_ms + self.wait_ms * (1 << min(rounds, DOUBLINGS_MAX))
        peer = self.order.popleft()
        self.order.append(peer)
        return Request(peer, digest)


class Payloads:
    """The blocks that one validator holds. me: its index; validators: how many there are."""

    def __init__(self, me: int, validators: int, limits: PayloadLimits) -> None:
        assert 0 <= me < validators
        self.me = me
        self.limits = limits
        self.others = [peer for peer in range(validators) if peer != me]
        self.early: list[OrderedDict[bytes, bytes]] = [OrderedDict() for _ in range(validators)]
        self.early_bytes = [0] * validators
        self.kept: dict[bytes, bytes | None] = {}
        self.kept_bytes = 0
        self.wishes: dict[bytes, _Wish] = {}
        self.window: deque[bytes] = deque()  # digests by height, the first that of `base`
        self.base = 0
        self.window_blocks: dict[bytes, bytes] = {}
        self.window_bytes = 0

    # --- in ---------------------------------------------------------------------------------------
    def offer(self, digest: bytes, data: bytes, peer: int) -> bool:
        """Take in a block; say whether it is held now. peer: who sent it, ourselves included.

        What is kept is held at once; anything else waits in the peer's slots. The bound on kept
        bytes is for what others sent unasked: what we asked for was notarized, so there is at most
        one in a view, and what is ours we cannot do without either.
        """
        if digest in self.window_blocks or self.kept.get(digest) is not None:
            return True
        if digest in self.kept:
            unasked = peer != self.me and digest not in self.wishes
            if unasked and self.kept_bytes + len(data) > self.limits.kept_bytes_max:
                return False
            self.hold(digest, data)
            return True
        slots, size = self.early[peer], len(data)
        if digest in slots:
            return True
        if size > self.limits.early_bytes_max:
            return False
        slots[digest] = data
        self.early_bytes[peer] += size
        while (
            len(slots) > self.limits.early_slots
            or self.early_bytes[peer] > self.limits.early_bytes_max
        ):
            self.early_bytes[peer] -= len(slots.popitem(last=False)[1])
        return True

    def hold(self, digest: bytes, data: bytes) -> None:
        """Hold the bytes of a block that is kept."""
        self.wishes.pop(digest, None)
        self.kept[digest] = data
        self.kept_bytes += len(data)

    def keep(self, digest: bytes) -> None:
        """Keep a block that has been proposed, whether its bytes are here or still to come.

        Bytes that are here stay, whatever the bound: it is for the caller to drop what it keeps.
        """
        if digest in self.window_blocks or self.kept.get(digest) is not None:
            return
        self.kept.setdefault(digest, None)
        data = self.early_taken(digest)
        if data is not None:
            self.hold(digest, data)

    def early_taken(self, digest: bytes) -> bytes | None:
        """Take a block out of all slots that have it."""
        found: bytes | None = None
        for peer, slots in enumerate(self.early):
            data = slots.pop(digest, None)
            if data is not None:
                found = data
                self.early_bytes[peer] -= len(data)
        return found

    def drop(self, digest: bytes) -> None:
        """Let go of a block that will not be final, and stop asking for it."""
        self.wishes.pop(digest, None)
        data = self.kept.pop(digest, None)
        if data is not None:
            self.kept_bytes -= len(data)

    def find(self, digest: bytes) -> bytes | None:
        """Give the bytes of a block; None if they are not here."""
        data = self.window_blocks.get(digest)
        if data is None:
            data = self.kept.get(digest)
        if data is not None:
            return data
        for slots in self.early:
            if digest in slots:
                return slots[digest]
        return None

    # --- asking -----------------------------------------------------------------------------------
    def want(self, digest: bytes, candidates: tuple[int, ...], now_ms: int) -> list[Request]:
        """Ask for a block: the candidates in turn, then everybody, again and again until it comes.

        The block is kept from now on. Wanting it again asks at once if it names new candidates.
        """
        self.keep(digest)
        if self.find(digest) is not None:
            return []
        wish = self.wishes.get(digest)
        first = wish is None
        if wish is None:
            wish = _Wish(self.others, self.limits.retry_ms)
        fresh = wish.name([peer for peer in candidates if peer in self.others])
        if not self.others or not (first or fresh):
            return []
        self.wishes[digest] = wish
        return [wish.ask(digest, now_ms)]

    def due(self) -> int | None:
        """Give when `retried` is to be called next; None while nothing is asked for."""
        return min((wish.due_ms for wish in self.wishes.values()), default=None)

    def retried(self, now_ms: int) -> list[Request]:
        """Ask somebody else for each block that has not come in time."""
        return [
            wish.ask(digest, now_ms)
            for digest, wish in self.wishes.items()
            if wish.due_ms <= now_ms
        ]

    # --- finalized --------------------------------------------------------------------------------
    def finalized(self, height: int, digest: bytes) -> None:
        """Move a block, whose bytes are here, to the window of those that are served.

        A height that does not follow the last one starts the window anew.
        """
        data = self.find(digest)
        assert data is not None, "a block is finalized when its bytes are at hand"
        if digest in self.window_blocks:
            return
        self.early_taken(digest)
        self.drop(digest)
        if not self.window or height != self.base + len(self.window):
            self.window.clear()
            self.window_blocks.clear()
            self.base, self.window_bytes = height, 0
        self.window.append(digest)
        self.window_blocks[digest] = data
        self.window_bytes += len(data)
        while self.window_bytes > self.limits.window_bytes_max and len(self.window) > 1:
            self.window_bytes -= len(self.window_blocks.pop(self.window.popleft()))
            self.base += 1

    def served(self, height: int, bytes_max: int) -> list[bytes]:
        """Give finalized blocks from a height on, contiguous; none if that height is not here.

        At least one comes, and as many as have bytes_max bytes together.
        """
        found: list[bytes] = []
        at = height - self.base
        while 0 <= at < len(self.window):
            data = self.window_blocks[self.window[at]]
            bytes_max -= len(data)
            if found and bytes_max < 0:
                break
            found.append(data)
            at += 1
        return found
