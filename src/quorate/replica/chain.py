"""From final proposals to blocks in their order, and catching up with those who are ahead.

Finalization names a block; its ancestors follow from the digests of parents. What is missing is
fetched: a few blocks by digest, a long way by range. A range is a run of blocks that ends with one
that has a finalization of its own, so that one certificate and the chain of digests prove all of
it; the same bytes serve whoever is behind, from memory, or from the log by way of the driver.
"""

from typing import Final, NamedTuple

from quorate.codec.blocks import digest_of
from quorate.replica.blocks import Blocks, Held
from quorate.types.consensus import Certificate, Proposal

CHASE_MAX: Final = 4  # missing ancestors fetched by digest; more is a range
EXECUTING_MAX: Final = 8  # blocks with the ledger at a time
RANGE_RETRY_MS: Final = 1_000
NEVER: Final = 2**62
HEIGHTS_MAX: Final = 1 << 17  # below the tip: who is further behind takes a snapshot
RECENT_HEIGHTS: Final = 1 << 12  # of which every certificate is kept
BUCKET_HEIGHTS: Final = 16


class Wanted(NamedTuple):
    """A range under way: from which height, asked of whom, to be given up when."""

    height: int
    peer: int
    due_ms: int


class Goal(NamedTuple):
    """The newest final block known: what delivery works towards. signers: of its certificate."""

    digest: bytes
    view: int
    signers: tuple[int, ...]


class Chain:
    """What is final, what is delivered of it, and what is known of heights below.

    digests: of delivered blocks by height, as far back as the log goes. certificates: the
    finalizations among them.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.goal: Goal | None = None
        self.near = b""  # the end of a range, on the way to the goal
        self.path: list[Held] = []
        self.path_goal = b""
        self.executing = 0
        self.digests: dict[int, bytes] = {}
        self.certificates: dict[int, Certificate] = {}
        self.finalizations: dict[bytes, Certificate] = {}
        self.wanted: Wanted | None = None
        self.turn = 0

    # --- finality --------------------------------------------------------------------------------
    def finalized(self, proposal: Proposal, certificate: Certificate) -> None:
        """Take a finalization; views only rise."""
        digest = digest_of(proposal.payload)
        assert digest is not None, "a quorum finalized a payload of a form that nobody notarizes"
        self.finalizations[digest] = certificate
        self.goal = Goal(digest, proposal.view, certificate.signers)

    def ready(self) -> Held | None:
        """Give the next block for the ledger, if all its parts are at hand."""
        if self.goal is None or self.executing >= EXECUTING_MAX:
            return None
        if not self.path and not self.missing():
            return None
        if not self.path or self.path[-1].bundles is None:
            return None
        return self.path.pop()

    def missing(self) -> bool:
        """Find the way from the goal down to the tip; say whether there is one to go."""
        assert self.goal is not None
        for digest in (self.goal.digest, self.near):
            way = list(self.blocks.ancestors(digest)) if digest else []
            if way and way[-1].decoded.header.parent_digest == self.blocks.tip.digest:
                self.path = way
                return True
        return False

    def final(self) -> list[Held] | None:
        """Give the blocks between the tip and the goal; None where some are missing."""
        if self.goal is None:
            return []
        whole = bool(self.path) and self.path[0].decoded.digest == self.goal.digest
        return self.path if whole else None

    def gap(self) -> tuple[bytes, int] | None:
        """Say which block is missing on the way to the goal, and how many may be; None: none."""
        if self.goal is None or self.path or self.near:
            return None
        lowest, height = self.goal.digest, 0
        for made in self.blocks.ancestors(self.goal.digest):
            lowest, height = made.decoded.header.parent_digest, made.decoded.header.height
        if lowest == self.blocks.tip.digest:
            return None
        return lowest, height - 1 - self.blocks.tip.height if height else 0

    def delivered(self, made: Held) -> None:
        """Note a block that went to the ledger."""
        header, digest = made.decoded.header, made.decoded.digest
        self.blocks.deliver(made)
        self.executing += 1
        self.digests[header.height] = digest
        certificate = self.finalizations.pop(digest, None)
        if certificate is not None:
            self.certificates[header.height] = certificate
        if self.near == digest:
            self.near = b""
        if self.goal is not None and self.goal.digest == digest:
            self.goal, self.near = None, b""
            self.finalizations.clear()
        self.thin(header.height)

    def thin(self, height: int) -> None:
        """Keep one certificate of BUCKET_HEIGHTS among the older ones, and bounded many digests."""
        old = height - RECENT_HEIGHTS
        first = old - old % BUCKET_HEIGHTS
        if any(below in self.certificates for below in range(first, old)):
            self.certificates.pop(old, None)
        gone = height - HEIGHTS_MAX
        self.digests.pop(gone, None)
        self.certificates.pop(gone, None)

    @property
    def lowest(self) -> int:
        """The least height of which the digest is known, 0 for none; heights came in order."""
        return next(iter(self.digests), 0)

    # --- catching up -----------------------------------------------------------------------------
    def range_wanted(self, peers: tuple[int, ...], now_ms: int) -> Wanted | None:
        """Choose whom to ask for the blocks above the tip, unless that is under way."""
        if (self.wanted is not None and now_ms < self.wanted.due_ms) or not peers:
            return None
        self.turn += 1
        peer = peers[self.turn % len(peers)]
        self.wanted = Wanted(self.blocks.tip.height + 1, peer, now_ms + RANGE_RETRY_MS)
        return self.wanted

    def range_came(self, peer: int) -> bool:
        """Say whether a range was asked of this peer, and take it as answered."""
        if self.wanted is None or self.wanted.peer != peer:
            return False
        self.wanted = None
        return True

    def range_end(self, first: int, count_max: int) -> int:
        """Give the last height of a range from `first` on that has a finalization; 0 for none."""
        for height in range(min(first + count_max - 1, self.blocks.tip.height), first - 1, -1):
            if height in self.certificates:
                return height
        return 0

    def due(self) -> int:
        """Say when a range is to be asked of another."""
        return self.wanted.due_ms if self.wanted is not None else NEVER
