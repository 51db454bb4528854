"""The blocks at hand that are not delivered yet, and what is known of each.

A block is judged in parts that come at different times: its header against its parent, its
checkpoint certificate, its bundles by admission. `verdict` puts them together and answers None as
long as a part is missing; it never answers "no" for "not yet" (CONSENSUS 1, certify).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from quorate.codec.blocks import DecodedBlock, decode_block, digest_of
from quorate.codec.consensus import MessageInvalid
from quorate.codec.items import ITEM_HEAD, decode_items
from quorate.replica.mempool import Bundle, Mempool, item_hash
from quorate.replica.validator_messages import FOR_BLOCK, Admit
from quorate.replica.validity import ParentRef, checkpoint_fault, header_fault, items_fault
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.consensus import (
    DIGEST_BYTES,
    CheckpointCertificate,
    CheckpointVote,
    ConsensusParameters,
    Proposal,
    ValidatorSet,
)

GENESIS_DIGEST: Final = bytes(DIGEST_BYTES)
REFERENCES_MAX: Final = 256


class Held:
    """A block at hand. bundles: None until every item has been judged; fault: of its items.

    view: of the last proposal for whose sake it is here; what its own header says is its leader's
    word.
    """

    __slots__ = (
        "bundles", "checkpoint_checked", "data", "decoded", "fault", "hashes", "items", "known",
        "logged", "names", "ticket", "unknown", "view",
    )  # fmt: skip

    def __init__(self, decoded: DecodedBlock, data: bytes, view: int) -> None:
        self.decoded = decoded
        self.view = view
        self.data = data
        self.items: tuple[Item, ...] = ()
        self.hashes: tuple[bytes, ...] = ()
        self.names: dict[bytes, None] = {}
        self.known: dict[bytes, Bundle] = {}
        self.unknown: list[int] = []  # indexes of the items that admission has
        self.bundles: tuple[Bundle, ...] | None = None
        self.fault = ""
        self.checkpoint_checked = decoded.header.checkpoint is None
        self.ticket = 0
        self.logged = False

    @property
    def reference(self) -> ParentRef:
        """Give what a child knows of this block."""
        header = self.decoded.header
        return ParentRef(header.view, self.decoded.digest, header.height, header.time_ms)


class Blocks:
    """Blocks by digest. tip: the last one delivered; `references` knows some before it."""

    def __init__(
        self,
        validators: ValidatorSet,
        parameters: ConsensusParameters,
        mempool: Mempool,
        holds: Callable[[CheckpointVote], bool],
        tip: ParentRef,
    ) -> None:
        self.validators = validators
        self.parameters = parameters
        self.mempool = mempool
        self.holds = holds
        self.tip = tip
        self.held: dict[bytes, Held] = {}
        self.references: dict[bytes, ParentRef] = {tip.digest: tip}
        self.tickets: dict[int, bytes] = {}
        self.certificates_checked: dict[CheckpointCertificate, None] = {}

    # --- taking blocks in ------------------------------------------------------------------------
    def decode(self, data: bytes) -> DecodedBlock:
        """Read a block. Raises MessageInvalid."""
        return decode_block(data, len(self.validators.keys))

    def hold(self, decoded: DecodedBlock, data: bytes, view: int, ticket: int) -> list[Admit]:
        """Keep a block, and have those of its bundles checked that were not seen before.

        view: of the proposal for whose sake.
        """
        if decoded.digest in self.held:
            return []
        made = self.held[decoded.digest] = Held(decoded, data, view)
        items = decode_items(decoded.items)
        if isinstance(items, Reject):
            made.bundles, made.fault = (), "the block's items are not canonical"
            return []
        whole = decoded.header.items_bytes
        if whole > self.parameters.block_bytes_max and len(items) != 1:
            made.bundles, made.fault = (), "the block's items have more bytes than the chain allows"
            return []
        made.items = items
        made.hashes = tuple([hash_of(item) for item in items])
        made.names = dict.fromkeys(made.hashes)
        for at, name in enumerate(made.hashes):
            bundle = self.mempool.verified(name)
            if bundle is None:
                made.unknown.append(at)
            else:
                made.known[name] = bundle
        if not made.unknown:
            self.judge(made, [0] * len(items))
            return []
        made.ticket = ticket
        self.tickets[ticket] = decoded.digest
        return [Admit(ticket, tuple([items[at] for at in made.unknown]), FOR_BLOCK)]

    def hold_own(self, decoded: DecodedBlock, data: bytes, bundles: Sequence[Bundle]) -> None:
        """Keep a block that we have just made."""
        made = self.held[decoded.digest] = Held(decoded, data, decoded.header.view)
        made.bundles = tuple(bundles)
        made.hashes = tuple([bundle.hash for bundle in bundles])
        made.names = dict.fromkeys(made.hashes)
        made.checkpoint_checked = True

    def admitted(self, ticket: int, found: Sequence[Bundle | Reject]) -> bool:
        """Take admission's answer; say whether it was about a block."""
        digest = self.tickets.pop(ticket, None)
        made = self.held.get(digest) if digest is not None else None
        if digest is None:
            return False
        sound = [bundle for bundle in found if isinstance(bundle, Bundle)]
        self.mempool.learn(sound)
        if made is not None:
            made.known.update((bundle.hash, bundle) for bundle in sound)
            codes = [0] * len(made.items)
            for at, code in zip(made.unknown, found, strict=True):
                codes[at] = int(code) if isinstance(code, Reject) else 0
            self.judge(made, codes)
        return True

    def judge(self, made: Held, codes: Sequence[int]) -> None:
        """Put the bundles of a block together, or find the fault in them. codes: of each item."""
        made.fault = items_fault(made.items, codes, made.decoded.header)
        made.bundles = () if made.fault else tuple([made.known[name] for name in made.hashes])
        made.known = {}

    # --- judging ---------------------------------------------------------------------------------
    def find(self, payload: bytes) -> Held | None:
        """Give the block that a payload commits to, if it is at hand."""
        digest = digest_of(payload)
        return self.held.get(digest) if digest is not None else None

    def reference(self, digest: bytes) -> ParentRef | None:
        """Give what is known of a block that may be a parent."""
        made = self.held.get(digest)
        return made.reference if made is not None else self.references.get(digest)

    def verdict(self, proposal: Proposal, leader: int) -> tuple[bool | None, bytes | None]:
        """Judge a proposal's block: whether it is valid, None for not yet; and what is missing.

        What is missing is a digest, of the block itself or of its parent.
        """
        digest = digest_of(proposal.payload)
        if digest is None:
            return False, None
        made = self.held.get(digest)
        if made is None:
            return None, digest
        header = made.decoded.header
        parent = self.reference(header.parent_digest)
        if parent is None:
            if header.height <= self.tip.height:
                return None, None  # below what is delivered: nobody waits for it any more
            return None, header.parent_digest
        if header_fault(header, proposal, parent, leader, self.parameters):
            return False, None
        if not self.checkpoint_holds(made):
            return False, None
        if made.bundles is None:
            return None, None
        return not made.fault, None

    def checkpoint_holds(self, made: Held) -> bool:
        """Check the certificate that a header carries; one of many headers is checked once."""
        if made.checkpoint_checked:
            return True
        certificate = made.decoded.header.checkpoint
        assert certificate is not None
        if certificate not in self.certificates_checked:
            epoch, height, digest, root, _, _ = certificate

            def holds(signer: int, signature: bytes) -> bool:
                vote = CheckpointVote(epoch, height, digest, root, signer, signature)
                return self.holds(vote)

            if checkpoint_fault(certificate, self.validators, holds):
                return False
            self.certificates_checked[certificate] = None
            if len(self.certificates_checked) > REFERENCES_MAX:
                del self.certificates_checked[next(iter(self.certificates_checked))]
        made.checkpoint_checked = True
        return True

    # --- chains of blocks ------------------------------------------------------------------------
    def ancestors(self, digest: bytes) -> Iterator[Held]:
        """Walk from a block down to the tip, as far as blocks are at hand."""
        while digest != self.tip.digest:
            made = self.held.get(digest)
            if made is None:
                return
            yield made
            digest = made.decoded.header.parent_digest

    def excluded(self, parent: bytes) -> Callable[[bytes], bool]:
        """Say of a bundle whether an unfinalized ancestor holds it."""
        names = [made.names for made in self.ancestors(parent)]

        def held(name: bytes) -> bool:
            return any(name in known for known in names)

        return held

    def deliver(self, made: Held) -> None:
        """Move the tip up to the next block."""
        self.tip = made.reference
        self.references[self.tip.digest] = self.tip
        if len(self.references) > REFERENCES_MAX:
            del self.references[next(iter(self.references))]

    def prune(self, view: int, final: Sequence[Held] | None) -> list[bytes]:
        """Forget what is delivered or can never be: nothing at or below a final view comes back.

        final: the blocks between tip and final view, None where some of them are missing.
        """
        if final is None:
            gone = [
                digest
                for digest, made in self.held.items()
                if made.view <= view and made.decoded.header.height <= self.tip.height
            ]
        else:
            kept = {made.decoded.digest: None for made in final}
            gone = [
                digest
                for digest, made in self.held.items()
                if made.view <= view and digest not in kept
            ]
        for digest in gone:
            self.tickets.pop(self.held.pop(digest).ticket, None)
        return gone


def hash_of(item: Item) -> bytes:
    """Give what names a bundle in the pool: the hash of its item, signature included."""
    return item_hash(ITEM_HEAD.pack(item.kind, len(item.data)) + item.data)


def safe_decode(blocks: Blocks, data: bytes) -> DecodedBlock | None:
    """Read a block of a peer; None for bytes that are none."""
    try:
        return blocks.decode(data)
    except MessageInvalid:
        return None
