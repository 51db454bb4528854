"""What stands above a bare ordering core: payloads that are digests of nothing but their place.

A payload commits to its view, its builder and the payload it stands on. Its bytes exist with
whoever made it, and with those who were given them.
"""

from hashlib import sha256
from typing import NamedTuple

from quorate.sim.checkers.agreement import Link
from quorate.sim.checkers.watch import Watch


class Made(NamedTuple):
    """A payload that exists. holders: who has its bytes; None: whoever asks."""

    link: Link
    holders: dict[int, None] | None


class Application:
    """All payloads of a run."""

    def __init__(self, watch: Watch, order: tuple[int, ...]) -> None:
        self.watch = watch
        self.order = order
        self.made: dict[bytes, Made] = {}
        self.variants = 0

    def make(
        self,
        view: int,
        parent: bytes,
        builder: int,
        sound: bool = True,
        holders: list[int] | None = None,
    ) -> bytes:
        """Make a payload; no two are alike."""
        self.variants += 1
        words = b"block %d %d %d %d " % (view, builder, self.variants, sound)
        payload = sha256(words + parent).digest() + bytes(36)
        link = Link(view, parent, builder, sound)
        self.made[payload] = Made(link, None if holders is None else dict.fromkeys(holders))
        self.watch.made(payload, link)
        return payload

    def is_held(self, index: int, payload: bytes) -> bool:
        """Say whether a validator has the bytes of a payload."""
        made = self.made.get(payload)
        return made is not None and (made.holders is None or index in made.holders)

    def give(self, index: int, payload: bytes) -> None:
        """Hand the bytes to a validator."""
        holders = self.made[payload].holders
        if holders is not None:
            holders[index] = None

    def is_valid(self, view: int, payload: bytes) -> bool:
        """Judge a payload by itself: what certification asks."""
        made = self.made.get(payload)
        if made is None:
            return False
        link = made.link
        leader = self.order[view % len(self.order)]
        return link.sound and link.view == view and link.builder == leader

    def is_valid_on(self, view: int, payload: bytes, parent: bytes) -> bool:
        """Judge a payload on a parent: what is asked before a notarize."""
        return self.is_valid(view, payload) and self.made[payload].link.parent in (parent, b"")
