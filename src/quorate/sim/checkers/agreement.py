"""Agreement: whatever honest validators finalize is on one chain.

Blocks are linked by what their payloads commit to, not by what votes say of views.
"""

from typing import Final, NamedTuple

from quorate.sim.cluster.failure import Property, Violation

GENESIS: Final = bytes(68)


class Link(NamedTuple):
    """A block in its chain. builder: who made it; sound: whether anybody may finalize it."""

    view: int
    parent: bytes
    builder: int
    sound: bool


class Agreement:
    """The chain as far as anybody has finalized it. last: of each node, by its number."""

    def __init__(self) -> None:
        self.links: dict[bytes, Link] = {}
        self.chain: dict[int, bytes] = {0: GENESIS}
        self.top = 0
        self.last: dict[int, int] = {}

    def finalized(self, node: int, view: int, payload: bytes) -> list[bytes]:
        """Put a block and its ancestors on the chain; give what is new, oldest first."""
        fresh: list[bytes] = []
        at, below = payload, view
        while self.chain.get(below) != at:
            if below in self.chain:
                self.refuse(node, view, f"another block is final in view {below}")
            if below <= self.top:
                self.refuse(node, view, f"view {below} lies below a final block that skips it")
            link = self.links.get(at)
            if link is None or link.view != below:
                self.refuse(node, view, f"the block of view {below} is of no known leader")
            assert link is not None
            fresh.append(at)
            at = link.parent
            below = self.links[at].view if at in self.links else 0
            if at != GENESIS and at not in self.links:
                self.refuse(node, view, f"a block of view {below} has no known parent")
        if fresh and below != self.top:
            self.refuse(node, view, f"it stands on view {below}, but view {self.top} is final")
        for block in fresh[::-1]:
            self.chain[self.links[block].view] = block
        self.top = max(self.top, view)
        self.last[node] = max(self.last.get(node, 0), view)
        return fresh[::-1]

    def refuse(self, node: int, view: int, what: str) -> None:
        """Report it."""
        raise Violation(Property.AGREEMENT, f"node {node} finalized view {view}: {what}")
