"""Delivery of what is final, catching up with those who are ahead, and serving those behind.

A block goes to the ledger when it is the tip's child on the way to the newest final block and all
its bundles are judged. One that a quorum finalized and admission refuses would mean that more than
a third is malicious, or that we are wrong: the node halts.
"""

from typing import Final

from quorate.codec.consensus import CERTIFICATE_BYTES_MAX
from quorate.codec.peer import (
    RANGE_BYTES_MAX,
    PeerKind,
    Range,
    WantRange,
    encode_range,
)
from quorate.ordering.messages import Finalized, Floored
from quorate.replica.blocks import Held
from quorate.replica.building import Building
from quorate.replica.chain import CHASE_MAX, NEVER, RANGE_RETRY_MS
from quorate.replica.ledger import Ordered
from quorate.replica.mempool import laid_out
from quorate.replica.messages import Halt
from quorate.replica.offering import refuse
from quorate.replica.parts import Parts
from quorate.replica.ranges import range_fault
from quorate.replica.statesync import StateSync
from quorate.replica.validator_messages import BlocksRead, Execute, Progress, ReadBlocks
from quorate.types.consensus import Certificate

RANGE_SERVED_BLOCKS: Final = 64
BLOCKS_SENT_MAX: Final = 32  # to one peer within half a retry
RANGES_SENT_MAX: Final = 32  # to one peer within half a retry, and so many bytes
RANGES_SENT_BYTES_MAX: Final = 2 * RANGE_BYTES_MAX
RANGE_SERVED_BYTES: Final = RANGE_BYTES_MAX // 4


class Following:
    """Final blocks on their way to the ledger."""

    def __init__(self, parts: Parts, building: Building, statesync: StateSync) -> None:
        self.parts = parts
        self.building = building
        self.statesync = statesync
        self.serving: dict[int, tuple[int, int]] = {}
        self.serving_peers: dict[int, None] = {}
        # A block wanted by its digest, and when to go over to ranges if it does not come.
        self.chased = b""
        self.chase_due = NEVER
        self.reading: dict[int, int] = {}
        self.sent: dict[int, dict[bytes, int]] = {}
        # Ranges sent to a peer lately: until when they count, how many, their bytes.
        self.ranges: dict[int, tuple[int, int, int]] = {}

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
        if parts.installing:
            return
        while not parts.ending:
            made = parts.chain.ready()
            if made is None:
                self.fetch()
                return
            self.deliver(made)

    def deliver(self, made: Held) -> None:
        """Hand a block to the ledger, and let go of its bundles."""
        parts, header = self.parts, made.decoded.header
        assert made.bundles is not None
        if made.fault:
            reason = f"a quorum finalized a block that is not valid: {made.fault}"
            parts.halt = Halt(header.height, made.decoded.digest, reason)
        elif header.checkpoint is not None:
            parts.divergence = parts.checkpoints.carried(header.checkpoint)
        if parts.ending:
            return
        self.building.log(made)
        parts.chain.delivered(made)
        parts.range_base = max(parts.range_base, parts.chain.lowest)
        spans, torn = parts.claims.delivered(made.hashes, header.height, header.time_ms)
        for reply in torn:
            parts.after.append(reply)
        assert made.bundles is not None
        rows, commands = laid_out(made.bundles)
        ordered = Ordered(
            header.height,
            header.time_ms,
            made.decoded.items,
            rows,
            commands,
            spans,
            header.view,
            made.decoded.digest,
            header.view > parts.simplex.vote_above,
        )
        parts.at_once(Execute(ordered))
        parts.mempool.finalized(made.hashes)
        parts.payloads.finalized(header.height, made.decoded.digest)
        fields = (("height", header.height), ("view", header.view), ("time_ms", header.time_ms))
        parts.after.append(Progress("delivered", fields))

    def settled(self) -> None:
        """Go on now that the ledger is done with a block."""
        parts = self.parts
        parts.chain.executing -= 1
        self.building.review()
        for digest in parts.blocks.prune(parts.simplex.floor.view, parts.chain.final()):
            parts.payloads.drop(digest)
        self.advance()

    # --- catching up -----------------------------------------------------------------------------
    def fetch(self) -> None:
        """Ask for what is missing on the way to the newest final block."""
        parts = self.parts
        gap = parts.chain.gap()
        if gap is None:
            self.chased, self.chase_due = b"", NEVER
            return
        digest, count = gap
        assert parts.chain.goal is not None
        if count <= CHASE_MAX:
            if self.building.obtain(digest, parts.chain.goal.view, parts.chain.goal.signers):
                self.advance()
                return
            if digest != self.chased:
                self.chased, self.chase_due = digest, parts.now.mono_ms + RANGE_RETRY_MS
            if parts.now.mono_ms < self.chase_due:
                return
            # Peers keep few blocks in memory, after a start none: ranges come from their logs.
            self.chase_due = parts.now.mono_ms + RANGE_RETRY_MS
        else:
            self.chased, self.chase_due = b"", NEVER
        able = tuple(peer for peer in parts.peers if not self.statesync.cannot_serve(peer))
        signers = tuple(peer for peer in able if peer in parts.chain.goal.signers)
        peers = signers or able or tuple(parts.peers)
        wanted = parts.chain.range_wanted(peers, parts.now.mono_ms)
        if wanted is not None:
            parts.send(WantRange(wanted.height), wanted.peer)

    def range_came(self, peer: int, found: Range) -> None:
        """Take a range that we asked for, if its certificate and digests hold."""
        parts = self.parts
        if not parts.chain.range_came(peer):
            return
        last = found.blocks[-1]
        if found.blocks[0].header.height > parts.blocks.tip.height + 1:
            # Final, but not what comes next: it would keep us from asking for that.
            parts.count("ranges_misplaced")
            self.fetch()
            return
        if range_fault(found, parts.settings.validators, parts.scheme):
            parts.offence(peer, "ranges_forged")
            self.fetch()
            return
        self.statesync.served()
        for decoded in found.blocks:
            if decoded.header.height > parts.blocks.tip.height:
                data = decoded.header_bytes + decoded.items
                parts.store(decoded.digest, data)
                view = decoded.header.view
                for effect in parts.blocks.hold(decoded, data, view, parts.ticket()):
                    parts.at_once(effect)
        if last.header.height > parts.blocks.tip.height:
            parts.chain.near = last.digest
            parts.chain.finalizations[last.digest] = found.certificate
            parts.feed(Floored(found.certificate))
        self.advance()

    # --- serving ---------------------------------------------------------------------------------
    def serve_block(self, peer: int, digest: bytes) -> None:
        """Send a validator a block, the same one at most twice a retry and not many at a time."""
        parts = self.parts
        data = parts.payloads.find(digest)
        now_ms, until = parts.now.mono_ms, self.sent.setdefault(peer, {})
        for known in [known for known, at_ms in until.items() if at_ms <= now_ms]:
            del until[known]
        if digest in until or len(until) >= BLOCKS_SENT_MAX:
            parts.count("payloads_withheld")
            return
        until[digest] = now_ms + parts.settings.parameters.retry_ms // 2
        if data is not None:
            parts.send_bytes(int(PeerKind.PAYLOAD), data, peer)
            return
        # Delivered before a restart, or long ago: the log may have it.
        ticket = parts.ticket()
        self.reading[ticket] = peer
        parts.at_once(ReadBlocks(ticket, (digest,)))

    def serve(self, peer: int, height: int) -> None:
        """Send a validator who is behind the blocks from a height on."""
        parts, chain = self.parts, self.parts.chain
        if peer in self.serving_peers or height > parts.blocks.tip.height:
            return
        if not self.may_send_range(peer):
            parts.count("ranges_withheld")
            return
        last = chain.range_end(height, RANGE_SERVED_BLOCKS)
        if not last or height < parts.range_base:
            refuse(parts, peer)
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
        else:
            refuse(parts, peer)

    def may_send_range(self, peer: int) -> bool:
        """Count a range that a validator asks for, unless it has had its share of late."""
        now_ms = self.parts.now.mono_ms
        until_ms, count, size = self.ranges.get(peer, (0, 0, 0))
        if until_ms <= now_ms:
            until_ms = now_ms + self.parts.settings.parameters.retry_ms // 2
            count = size = 0
        if count >= RANGES_SENT_MAX or size >= RANGES_SENT_BYTES_MAX:
            return False
        self.ranges[peer] = (until_ms, count + 1, size)
        return True

    def blocks_read(self, event: BlocksRead) -> None:
        """Send what was read, as far as one frame and the certificates reach."""
        reader = self.reading.pop(event.ticket, None)
        if reader is not None and event.blocks[0] is not None:
            self.parts.send_bytes(int(PeerKind.PAYLOAD), event.blocks[0], reader)
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
            return
        if not blocks:
            # The log has been pruned since: nothing below is here either.
            self.parts.range_base = max(self.parts.range_base, first + 1)
        refuse(self.parts, peer)

    def send_range(self, peer: int, blocks: list[bytes], certificate: Certificate) -> None:
        """Send a range."""
        validators = len(self.parts.settings.validators.keys)
        body = encode_range(blocks, certificate, validators)
        until_ms, count, size = self.ranges[peer]
        self.ranges[peer] = (until_ms, count, size + len(body))
        self.parts.send_bytes(int(PeerKind.RANGE), body, peer)

    def due(self) -> int:
        """Say when to ask another for a range."""
        return min(self.parts.chain.due(), self.chase_due)

    def on_time(self) -> None:
        """Ask again."""
        wanted = self.parts.chain.wanted
        if wanted is not None and wanted.due_ms <= self.parts.now.mono_ms:
            self.parts.chain.wanted = None
            self.statesync.missed(wanted.peer)
            self.fetch()
        elif self.chase_due <= self.parts.now.mono_ms:
            self.fetch()

    def wanted_of(self, peer: int) -> bool:
        """Say whether a validator was asked for a range."""
        wanted = self.parts.chain.wanted
        return wanted is not None and wanted.peer == peer

    def refused(self, peer: int) -> None:
        """Ask another at once if a validator cannot serve our range, and another may."""
        mute = [other for other in self.parts.peers if not self.statesync.cannot_serve(other)]
        if self.wanted_of(peer) and self.statesync.cannot_serve(peer) and mute:
            self.parts.chain.wanted = None
            self.fetch()
