"""What ordering asks of blocks: to build one, to judge one before a vote, to certify one.

A leader builds as soon as bundles wait that no unfinalized ancestor holds, but not within PACE_MS
of being asked, or after the heartbeat an empty block. A judgement is given when all parts are at
hand; a payload that does not come is fetched from those who notarized it.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from quorate.availability.payloads import Payloads
from quorate.codec.blocks import DecodedBlock, digest_of, encode_block, payload_of
from quorate.codec.peer import PeerKind
from quorate.ordering.messages import Build, Built, Certified, Certify, Verified, Verify
from quorate.replica.blocks import Held, safe_decode
from quorate.replica.mempool import Bundle
from quorate.replica.parts import Parts
from quorate.replica.records import PAYLOAD
from quorate.replica.validity import ParentRef, clock_fault
from quorate.types.consensus import CheckpointCertificate, Header, Proposal

NEVER: Final = 2**62
# A leader waits so long after it was asked: fewer and larger blocks leave the processors time to
# pass each on, and the median of finality is lower for it (docs/decisions/007-agreement.md).
PACE_MS: Final = 10
LEDGER_BUSY: Final = 2  # blocks with the ledger


class Question(NamedTuple):
    """A proposal that ordering wants verified. wall_ms: when it came."""

    proposal: Proposal
    parent_payload: bytes
    wall_ms: int


class Building:
    """Blocks that are to be built, verified or certified."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.build: Build | None = None
        self.build_due = NEVER
        self.paced = 0
        self.verifies: dict[int, Question] = {}
        self.certifies: dict[int, Certify] = {}

    @property
    def payloads(self) -> Payloads:
        """The store of blocks' bytes."""
        return self.parts.payloads

    # --- building --------------------------------------------------------------------------------
    def asked_to_build(self, build: Build) -> None:
        """Build now if there is work, or when the heartbeat is due."""
        self.build = build
        self.paced = self.parts.now.mono_ms + PACE_MS
        self.build_due = self.parts.now.mono_ms + self.parts.settings.parameters.heartbeat_ms
        self.try_build()

    def try_build(self) -> None:
        """Build if there is work or it is time."""
        parts, build = self.parts, self.build
        if build is None:
            return
        if build.view < parts.simplex.view:
            self.build, self.build_due = None, NEVER
            return
        digest = digest_of(build.parent_payload)
        parent = parts.blocks.reference(digest) if digest is not None else None
        due = parts.now.mono_ms >= self.build_due
        lag_max = parts.settings.parameters.checkpoint_lag_max
        if parent is None:
            # We are behind: the parent is final, and not here yet.
            if due:
                self.built(build, None)
            return
        if not due and parts.now.mono_ms < self.paced:
            return
        self.paced = 0  # from here on, whatever comes is proposed at once
        if not due and parts.chain.executing >= LEDGER_BUSY:
            return  # the ledger is the bottleneck: what comes meanwhile goes into one block
        carried = self.carried(parent.height + 1)
        lags = carried is None or carried.height <= parent.height - lag_max
        if lags and parent.height >= lag_max:
            # Results lag behind agreement: only a block without bundles is valid.
            if due:
                parts.count("blocks_empty_for_lag")
                self.propose(build, parent, [], carried)
            return
        excluded = parts.blocks.excluded(parent.digest)
        if due or parts.mempool.fresh(excluded):
            limit = parts.settings.parameters.block_bytes_max
            self.propose(build, parent, parts.mempool.take(limit, excluded), carried)

    def carried(self, height: int) -> CheckpointCertificate | None:
        """Give the newest checkpoint certificate that a block of a height can carry."""
        known = self.parts.checkpoints
        if known.best is None or known.best.height < height:
            return known.best
        return known.certificates.get(height - 1)

    def propose(
        self,
        build: Build,
        parent: ParentRef,
        bundles: list[Bundle],
        carried: CheckpointCertificate | None,
    ) -> None:
        """Make a block, relay it at once, and let ordering vote for it."""
        parts = self.parts
        settings = parts.settings
        height = parent.height + 1
        items = b"".join([bundle.item for bundle in bundles])
        header = Header(
            settings.validators.epoch,
            build.view,
            build.parent_view,
            settings.me,
            height,
            max(parent.time_ms, parts.now.wall_ms),
            parent.digest,
            len(bundles),
            len(items),
            sha256(items).digest(),
            carried,
        )
        data = encode_block(header, items, len(settings.validators.keys))
        decoded = parts.blocks.decode(data)
        parts.blocks.hold_own(decoded, data, bundles)
        parts.store(decoded.digest, data)
        parts.send_bytes(int(PeerKind.PAYLOAD), data, None, True)
        self.log(parts.blocks.held[decoded.digest])
        self.built(build, payload_of(decoded.digest))

    def built(self, build: Build, payload: bytes | None) -> None:
        """Tell ordering."""
        self.build, self.build_due = None, NEVER
        self.parts.feed(Built(build.view, payload))

    # --- judging ---------------------------------------------------------------------------------
    def asked_to_verify(self, verify: Verify) -> None:
        """Judge a proposal now or when its block is here."""
        question = Question(verify.proposal, verify.parent_payload, self.parts.now.wall_ms)
        self.verifies[verify.proposal.view] = question
        self.review()

    def asked_to_certify(self, certify: Certify) -> None:
        """Get and judge a notarized block."""
        self.certifies[certify.proposal.view] = certify
        self.review()

    def payload_came(self, peer: int, decoded: DecodedBlock, data: bytes) -> None:
        """Take a block's bytes from a validator."""
        if self.payloads.offer(decoded.digest, data, peer):
            self.review()

    def obtain(self, digest: bytes, view: int, peers: tuple[int, ...]) -> bool:
        """Hold a block whose bytes are at hand, or ask for them; say whether it is held now.

        view: of the proposal for whose sake.
        """
        parts = self.parts
        if digest in parts.blocks.held:
            return True
        data = self.payloads.find(digest)
        if data is None:
            for peer, wanted in self.payloads.want(digest, peers, parts.now.mono_ms):
                parts.send_bytes(int(PeerKind.WANT_PAYLOAD), wanted, peer)
            return False
        decoded = safe_decode(parts.blocks, data)
        assert decoded is not None and decoded.digest == digest, "only decoded blocks are stored"
        self.payloads.keep(digest)
        for effect in parts.blocks.hold(decoded, data, view, parts.ticket()):
            parts.at_once(effect)
        return True

    def review(self) -> None:
        """Answer ordering's questions as far as that is possible now."""
        floor = self.parts.simplex.floor.view
        for view in sorted(self.verifies):
            if view <= floor or self.verified(self.verifies[view]):
                del self.verifies[view]
        for view in sorted(self.certifies):
            if view <= floor:
                self.forget(self.certifies.pop(view).proposal)
            elif self.certified(self.certifies[view]):
                del self.certifies[view]

    def forget(self, proposal: Proposal) -> None:
        """Stop asking for a block; if it is final after all, delivery asks for it again."""
        digest = digest_of(proposal.payload)
        if digest is not None and self.payloads.find(digest) is None:
            self.payloads.drop(digest)

    def verdict(self, proposal: Proposal, fetch_from: tuple[int, ...]) -> bool | None:
        """Judge a proposal's block, fetching what is missing where somebody is named."""
        parts = self.parts
        leader, view = parts.settings.validators.leader(proposal.view), proposal.view
        made = parts.blocks.find(proposal.payload)
        if made is not None:
            made.view = max(made.view, view)
        while True:
            found, missing = parts.blocks.verdict(proposal, leader)
            if missing is None:
                return found
            at_hand = self.payloads.find(missing) is not None
            if not at_hand and not fetch_from:
                return None
            if not self.obtain(missing, view, fetch_from):
                return None

    def verified(self, question: Question) -> bool:
        """Answer a Verify if that is possible."""
        parts, proposal = self.parts, question.proposal
        found = self.verdict(proposal, ())
        if found is None:
            return False
        made = parts.blocks.find(proposal.payload)
        if found and made is not None:
            header = made.decoded.header
            parent = parts.blocks.reference(header.parent_digest)
            assert parent is not None, "the verdict has looked at it"
            found = header.parent_digest == digest_of(question.parent_payload)
            fault = clock_fault(
                header.time_ms,
                question.wall_ms,
                parent.time_ms,
                proposal.view - parts.simplex.floor.view,
                parts.settings.parameters,
            )
            if fault:
                parts.count("proposals_outside_clock")
                found = False
            if found:
                self.log(made)
        if not found:
            parts.count("proposals_invalid")
        parts.feed(Verified(proposal, question.parent_payload, found))
        return True

    def certified(self, certify: Certify) -> bool:
        """Answer a Certify if that is possible."""
        found = self.verdict(certify.proposal, certify.signers)
        if found is None:
            return False
        made = self.parts.blocks.find(certify.proposal.payload)
        if found and made is not None:
            self.log(made)
        self.parts.feed(Certified(certify.proposal, found))
        return True

    def log(self, made: Held) -> None:
        """Write a block down before anything is signed about it (CONSENSUS 3, J9).

        The vote that follows it in the log has it synced.
        """
        if not made.logged:
            made.logged = True
            self.parts.append(PAYLOAD, made.decoded.header.view, made.data, True)

    def due(self) -> int:
        """Say when there is something to do without an event."""
        waits = self.build is not None and self.paced and len(self.parts.mempool)
        build_due = self.paced if waits else self.build_due
        payloads_due = self.payloads.due()
        return build_due if payloads_due is None else min(build_due, payloads_due)

    def on_time(self) -> None:
        """Build at the heartbeat, and ask again for what did not come."""
        self.try_build()
        for peer, wanted in self.payloads.retried(self.parts.now.mono_ms):
            self.parts.send_bytes(int(PeerKind.WANT_PAYLOAD), wanted, peer)
