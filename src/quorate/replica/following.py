"""Delivery of what is final, catching up with those who are ahead, and serving those behind.

A block goes to the ledger when it is the tip's child on the way to the newest final block and all
its bundles are judged. One that a quorum finalized and admission refuses would mean that more than
a third is malicious, or that we are wrong: the node halts.
"""

import itertools
from typing import Final

import numpy as np

from quorate.codec.blocks import DecodedBlock
from quorate.codec.consensus import CERTIFICATE_BYTES_MAX
from quorate.codec.peer import (
    RANGE_BYTES_MAX,
    PeerKind,
    Range,
    WantRange,
    encode_range,
)
from quorate.ordering.messages import Finalized, Floored
from quorate.ordering.scheme import certificate_holds
from quorate.replica.blocks import Held
from quorate.replica.building import Building
from quorate.replica.chain import CHASE_MAX, range_proposal
from quorate.replica.ledger import Ordered
from quorate.replica.messages import Halt
from quorate.replica.parts import Parts
from quorate.replica.validator_messages import BlocksRead, Execute, Progress, ReadBlocks
from quorate.types.consensus import Certificate
from quorate.types.limits import COMMAND_BYTES
from quorate.types.records import ADMITTED

RANGE_SERVED_BLOCKS: Final = 64
RANGE_SERVED_BYTES: Final = RANGE_BYTES_MAX // 4


class Following:
    """Final blocks on their way to the ledger."""

    def __init__(self, parts: Parts, building: Building) -> None:
        self.parts = parts
        self.building = building
        self.serving: dict[int, tuple[int, int]] = {}
        self.serving_peers: dict[int, None] = {}

    # --- delivery --------------------------------------------------------------------------------
    def finalized(self, event: Finalized) -> None:
        """Take a finalization."""
        parts = self.parts
        if event.proposal.view > parts.blocks.tip.view:
            parts.chain.finalized(event.proposal, event.certificate)
        self.advance()

    def advance(self) -> None:
        """Deliver what is ready; fetch what is missing."""
        parts = self.parts
        made = parts.chain.ready()
        while made is not None:
            if made.fault:
                self.halt(made)
                return
            self.deliver(made)
            made = parts.chain.ready()
        self.fetch()

    def deliver(self, made: Held) -> None:
        """Hand a block to the ledger, and let go of its bundles."""
        parts, header = self.parts, made.decoded.header
        assert made.bundles is not None
        self.building.log(made)
        parts.chain.delivered(made)
        if header.checkpoint is not None:
            parts.divergence = parts.divergence or parts.checkpoints.carried(header.checkpoint)
        spans, torn = parts.claims.delivered(made.hashes, header.height, header.time_ms)
        for reply in torn:
            parts.after.append(reply)
        rows, commands = laid_out(made)
        ordered = Ordered(
            header.height,
            header.time_ms,
            made.decoded.items,
            rows,
            commands,
            spans,
            header.view,
            made.decoded.digest,
        )
        parts.at_once(Execute(ordered))
        parts.mempool.finalized(made.hashes)
        parts.payloads.finalized(header.height, made.decoded.digest)
        fields = (("height", header.height), ("view", header.view), ("time_ms", header.time_ms))
        parts.after.append(Progress("delivered", fields))

    def halt(self, made: Held) -> None:
        """Stop at a final block that is not valid."""
        reason = f"a quorum finalized a block that is not valid: {made.fault}"
        height = made.decoded.header.height
        self.parts.after.append(Halt(height, made.decoded.digest, reason))

    def settled(self) -> None:
        """Go on now that the ledger is done with a block."""
        parts = self.parts
        parts.chain.executing -= 1
        for digest in parts.blocks.prune(parts.simplex.floor.view):
            parts.payloads.drop(digest)
        self.advance()

    # --- catching up -----------------------------------------------------------------------------
    def fetch(self) -> None:
        """Ask for what is missing on the way to the newest final block."""
        parts = self.parts
        gap = parts.chain.gap()
        if gap is None:
            return
        digest, count = gap
        assert parts.chain.goal is not None
        if count <= CHASE_MAX:
            if self.building.obtain(digest, parts.chain.goal.signers):
                self.advance()
            return
        peers = tuple(peer for peer in parts.chain.goal.signers if peer in parts.peers)
        wanted = parts.chain.range_wanted(peers or tuple(parts.peers), parts.now.mono_ms)
        if wanted is not None:
            parts.send(WantRange(wanted.height), wanted.peer)

    def range_came(self, peer: int, found: Range) -> None:
        """Take a range that we asked for, if its certificate and digests hold."""
        parts = self.parts
        if not parts.chain.range_came(peer):
            return
        last = found.blocks[-1]
        proposal = range_proposal(found.certificate, last.digest)
        validators = parts.settings.validators
        sound = (
            proposal is not None
            and linked(found.blocks)
            and certificate_holds(
                found.certificate, validators, parts.scheme, validators.quorum
            )
        )
        if not sound:
            parts.count("ranges_forged")
            self.fetch()
            return
        for decoded in found.blocks:
            if decoded.header.height > parts.blocks.tip.height:
                data = decoded.header_bytes + decoded.items
                parts.store(decoded.digest, data)
                for effect in parts.blocks.hold(decoded, data, parts.ticket()):
                    parts.at_once(effect)
        if last.header.height > parts.blocks.tip.height:
            parts.chain.near = last.digest
            parts.chain.finalizations[last.digest] = found.certificate
            parts.feed(Floored(found.certificate))
        self.advance()

    # --- serving ---------------------------------------------------------------------------------
    def serve(self, peer: int, height: int) -> None:
        """Send a validator who is behind the blocks from a height on."""
        parts, chain = self.parts, self.parts.chain
        if peer in self.serving_peers or height > parts.blocks.tip.height:
            return
        last = chain.range_end(height, RANGE_SERVED_BLOCKS)
        if not last:
            return
        recent = parts.payloads.served(height, RANGE_SERVED_BYTES)
        while recent:
            end = height + len(recent) - 1
            if end in chain.certificates:
                self.send_range(peer, recent, chain.certificates[end])
                return
            recent.pop()
        digests = [chain.digests.get(at) for at in range(height, last + 1)]
        known = [digest for digest in digests if digest is not None]
        if len(known) == len(digests):
            ticket = parts.ticket()
            self.serving[ticket] = (peer, height)
            self.serving_peers[peer] = None
            parts.at_once(ReadBlocks(ticket, tuple(known)))

    def blocks_read(self, event: BlocksRead) -> None:
        """Send what was read, as far as one frame and the certificates reach."""
        asked = self.serving.pop(event.ticket, None)
        if asked is None:
            return
        peer, first = asked
        self.serving_peers.pop(peer, None)
        blocks: list[bytes] = []
        size = 0
        ends: list[tuple[int, Certificate]] = []
        for data in event.blocks:
            if data is None or size + len(data) > RANGE_BYTES_MAX - CERTIFICATE_BYTES_MAX - 4096:
                break
            size += len(data)
            found = self.parts.chain.certificates.get(first + len(blocks))
            blocks.append(data)
            if found is not None:
                ends.append((len(blocks), found))
            if size > RANGE_SERVED_BYTES and ends:
                break
        if ends:
            count, certificate = ends[-1]
            self.send_range(peer, blocks[:count], certificate)

    def send_range(self, peer: int, blocks: list[bytes], certificate: Certificate) -> None:
        """Send a range."""
        validators = len(self.parts.settings.validators.keys)
        body = encode_range(blocks, certificate, validators)
        self.parts.send_bytes(int(PeerKind.RANGE), body, peer)

    def due(self) -> int:
        """Say when to ask another for a range."""
        return self.parts.chain.due()

    def on_time(self) -> None:
        """Ask again."""
        if self.parts.chain.due() <= self.parts.now.mono_ms:
            self.parts.chain.wanted = None
            self.fetch()


def linked(blocks: tuple[DecodedBlock, ...]) -> bool:
    """Say whether each block is the parent of the next."""
    return all(
        child.header.parent_digest == parent.digest
        and child.header.height == parent.header.height + 1
        for parent, child in itertools.pairwise(blocks)
    )


def laid_out(made: Held) -> tuple[object, object]:
    """Lay a block's bundles out for execution: ADMITTED[n], uint8[m, 64]."""
    assert made.bundles is not None
    rows = np.frombuffer(bytearray(b"".join([b.row for b in made.bundles])), ADMITTED)
    counts = rows["count"].astype(np.int64)
    rows["first"] = np.cumsum(counts) - counts
    octets = bytearray(b"".join([b.commands for b in made.bundles]))
    return rows, np.frombuffer(octets, np.uint8).reshape(-1, COMMAND_BYTES)

