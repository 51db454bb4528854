"""What must hold of the whole validator: one chain, one root, sound money, nothing lost.

    agreement     one block a height, the same at every honest validator, heights without a gap
    validity      every bundle in it was sent by a client, none stands in one block twice, and
                  none takes effect in two blocks: a second time it changes nothing
    roots         one root a height, the same at every honest validator; its checkpoint votes agree
    money, book   the state of every so many heights, judged from its rows alone
    acknowledged  what was answered EXECUTED is in the block that the answer names, and whoever
                  answered still has that block after every crash
"""

from hashlib import sha256
from typing import Any, Final

from quorate.sim.checkers.one_vote import OneVote
from quorate.sim.checkers.reading import (
    CERTIFICATE_FRAME,
    CHECKPOINT_FRAME,
    VOTE_FRAME,
    certificate_seen,
    checkpoint_seen,
    items_seen,
    vote_seen,
)
from quorate.sim.checkers.watch import Watch
from quorate.sim.cluster.failure import Property, Violation
from quorate.sim.execution_checker import faults

NOTHING_CHANGED: Final = 2  # the kind of the one event of a bundle without effect
STATE_EVERY: Final = 8  # heights between looks at the whole state


class ExchangeWatch(Watch):
    """blocks: digest by height. roots: (digest, root) by height. sent: what clients signed."""

    one_vote: OneVote

    def begin(self) -> None:
        """Start with nothing seen."""
        self.blocks: dict[int, bytes] = {}
        self.bundles: dict[int, dict[bytes, None]] = {}
        self.effective: dict[bytes, int] = {}
        self.roots: dict[int, tuple[bytes, bytes]] = {}
        self.votes: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self.sent: dict[bytes, None] = {}
        self.heights: dict[int, int] = {}
        self.acknowledged: dict[int, int] = {}
        self.replies = 0

    # --- agreement on the wire -------------------------------------------------------------------
    def frame_left(self, index: int, kind: int, body: bytes) -> None:
        """A frame leaves an honest validator."""
        if kind == VOTE_FRAME:
            subject, signer = vote_seen(body)
            if signer != index:
                self.refuse(Property.ONE_VOTE, f"validator {index} sends a vote of {signer}")
            self.one_vote.left(index, subject)
            self.certificates.leave(index, subject)
        elif kind == CERTIFICATE_FRAME:
            self.certificates.sent(*certificate_seen(body))
        elif kind == CHECKPOINT_FRAME:
            self.checkpoint_left(index, body)

    def checkpoint_left(self, index: int, body: bytes) -> None:
        """A checkpoint vote leaves: one root a height for ever, and the one that was executed."""
        seen = checkpoint_seen(body)
        found = (seen.digest, seen.root)
        if self.votes.setdefault((index, seen.height), found) != found:
            self.refuse(
                Property.ROOTS, f"validator {index} signs a second root at height {seen.height}"
            )
        if self.roots.get(seen.height, found) != found:
            self.refuse(
                Property.ROOTS, f"validator {index} signs another root at height {seen.height}"
            )

    # --- blocks ----------------------------------------------------------------------------------
    def delivered(self, node: int, height: int, digest: bytes, items: bytes) -> None:
        """An honest validator hands a block to its ledger."""
        if height != self.heights.get(node, 0) + 1:
            self.refuse(
                Property.AGREEMENT,
                f"node {node} delivers height {height} after {self.heights.get(node, 0)}",
            )
        self.heights[node] = height
        known = self.blocks.get(height)
        if known is not None:
            if known != digest:
                self.refuse(Property.AGREEMENT, f"two blocks are final at height {height}")
            return
        self.blocks[height] = digest
        self.bundles[height] = {}
        for item in items_seen(items):
            name = sha256(item).digest()
            if name not in self.sent:
                self.refuse(Property.VALIDITY, f"height {height} holds what no client sent")
            if name in self.bundles[height]:
                self.refuse(Property.VALIDITY, f"height {height} holds a bundle twice")
            self.bundles[height][name] = None

    def executed(self, node: int, height: int, executor: Any) -> None:
        """An honest validator has executed a block."""
        digest, root = executor.digest, executor.root
        known = self.roots.get(height)
        if known is None:
            self.roots[height] = (digest, root)
            self.effects(height, executor.events)
            if height % STATE_EVERY == 0:
                self.look(height, executor)
        elif known != (digest, root):
            self.refuse(Property.ROOTS, f"node {node} comes to another root at height {height}")

    def effects(self, height: int, events: Any) -> None:
        """Hold each bundle of a block to taking effect once, in the order of the block."""
        idle = dict.fromkeys(events["bundle"][events["kind"] == NOTHING_CHANGED].tolist())
        for index, name in enumerate(self.bundles[height]):
            if index not in idle and self.effective.setdefault(name, height) != height:
                before = self.effective[name]
                self.refuse(
                    Property.VALIDITY, f"a bundle of {before} takes effect again in {height}"
                )

    def look(self, height: int, machine: Any) -> None:
        """Judge a whole state."""
        image = machine.image()
        chain = image[0].rows[0]
        for sentence in faults(image, int(chain["time_ms"])):
            broken = Property.BOOK if "crossed" in sentence else Property.MONEY
            self.refuse(broken, f"height {height}: {sentence}")

    # --- clients ---------------------------------------------------------------------------------
    def replied(self, node: int, height: int, names: list[bytes]) -> None:
        """A validator answers EXECUTED. names: the bundles that it answers for."""
        self.replies += 1
        for name in names:
            if name not in self.bundles.get(height, {}):
                self.refuse(
                    Property.ACKNOWLEDGED,
                    f"node {node} answers for height {height}, where the bundle is not",
                )
        self.acknowledged[node] = max(self.acknowledged.get(node, 0), height)

    def booted(self, node: int, height: int, intact: bool) -> None:
        """A validator starts again. intact: its journal was not taken from it."""
        self.heights[node] = height
        if not intact:
            self.acknowledged.pop(node, None)
        if height < self.acknowledged.get(node, 0):
            self.refuse(
                Property.ACKNOWLEDGED,
                f"node {node} is back at {height}, and answered for {self.acknowledged[node]}",
            )

    def refuse(self, broken: Property, sentence: str) -> None:
        """Report it."""
        raise Violation(broken, sentence)
