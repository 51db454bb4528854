"""One validator: agreement, blocks, pool, checkpoints and clients put together. Sans-IO.

    Requested   -> bundles not seen before go to admission, the sound ones into the pool and to all
                   validators; a full pool is a clear reject (clients.py)
    ordering    -> Build: a block of what waits, or after the heartbeat an empty one (building.py)
                   Verify, Certify: judge the block, as soon as all its parts are at hand
                   Finalized: deliver it and its ancestors in order (following.py)
    delivery    -> Execute, and the ledger's Settled comes back: our checkpoint, sent to all
    checkpoints -> a certificate for headers and proofs; against a third of the stake: Halt

What a step returns stands in this order: what may leave early; everything to append; one Sync; all
that may only be said once that is durable. So no vote, certificate or checkpoint is out of the
house before it is on disk, whatever the driver does between steps.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from quorate.codec.blocks import (
    DecodedBlock,
    encode_checkpoint_certificate,
    encode_checkpoint_vote,
)
from quorate.codec.consensus import MessageInvalid, encode_vote
from quorate.codec.peer import (
    Bundles,
    Chunk,
    PeerRecord,
    Range,
    Snapshot,
    Status,
    WantCertificates,
    WantChunk,
    WantPayload,
    WantRange,
    WantSnapshot,
    WantStatus,
    decode_peer,
)
from quorate.ordering import messages as agreed
from quorate.ordering.rules import RULES, Rules
from quorate.ordering.scheme import Scheme
from quorate.replica.building import Building
from quorate.replica.checkpoints import Divergence, own_vote
from quorate.replica.clients import Clients
from quorate.replica.following import Following
from quorate.replica.messages import Halt, Settled, Sync
from quorate.replica.offering import Offering
from quorate.replica.parts import Parts, Resumption, ValidatorSettings
from quorate.replica.records import AGREEMENT, CERTIFIED, EVIDENCE
from quorate.replica.rejoining import Rejoining
from quorate.replica.statesync import StateSync
from quorate.replica.validator_messages import (
    Accused,
    Admitted,
    BlocksRead,
    ChunkRead,
    ChunkStored,
    FromPeer,
    Install,
    Moment,
    PartialOpened,
    PeerDown,
    PeerUp,
    Progress,
    Requested,
    SnapshotChecked,
    SnapshotOffered,
    Stopping,
    Tick,
    ValidatorEffect,
    ValidatorEvent,
    Wake,
)
from quorate.types.consensus import (
    Certificate,
    CheckpointVote,
    Evidence,
    Vote,
    VoteKind,
)

NEVER: Final = 2**62
CHECKPOINT_REPEAT_MS: Final = 1_000
# A certificate waits for delta / 4 before it is sent on.
CERTIFICATE_DELAY_PART: Final = 4


class Validator:
    """The core of one validator. `start` once, then `step` for every event."""

    def __init__(
        self,
        settings: ValidatorSettings,
        scheme: Scheme,
        holds: Callable[[CheckpointVote], bool],
        resumption: Resumption | None = None,
        rules: Rules = RULES,
    ) -> None:
        """Restore from what the log says. Raises JournalRefused.

        scheme: signs and checks votes. holds: checks checkpoint votes.
        """
        self.resumption = resumption = resumption or Resumption()
        self.parts = Parts(settings, scheme, holds, resumption, rules)
        self.building = Building(self.parts)
        self.offering = Offering(self.parts, resumption.certified)
        self.statesync = StateSync(self.parts)
        self.following = Following(self.parts, self.building, self.statesync)
        self.clients = Clients(self.parts)
        self.rejoining = Rejoining(self.parts, resumption.observing)
        self.stopped = False
        self.wake_at = NEVER
        self.repeat_at = NEVER
        self.best_logged = 0
        self.certificates: deque[tuple[int, Certificate]] = deque()
        self.certificate_delay_ms = settings.parameters.delta_ms // CERTIFICATE_DELAY_PART
        self.own_vote: CheckpointVote | None = None
        self.handlers = self.event_handlers()
        self.peer_handlers = self.message_handlers()
        self.ordering_handlers = self.effect_handlers()
        self.restore(resumption)

    def event_handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        """Say who takes which event."""
        return {
            Tick: self.on_tick,
            FromPeer: self.on_frame,
            PeerUp: self.on_peer_up,
            PeerDown: self.on_peer_down,
            Requested: self.on_requested,
            Admitted: self.on_admitted,
            Settled: self.on_settled,
            BlocksRead: self.following.blocks_read,
            SnapshotOffered: self.offering.offered,
            ChunkRead: self.offering.chunk_read,
            PartialOpened: self.statesync.partial_opened,
            ChunkStored: self.statesync.chunk_stored,
            SnapshotChecked: self.statesync.checked,
            Stopping: self.on_stopping,
        }

    def message_handlers(self) -> dict[type[Any], Callable[[int, Any], None]]:
        """Say who takes which message of a validator."""
        return {
            Vote: self.on_agreed,
            Certificate: self.on_agreed,
            WantCertificates: self.on_want_certificates,
            WantPayload: self.on_want_payload,
            Bundles: self.clients.gossiped,
            CheckpointVote: self.on_checkpoint,
            WantRange: self.on_want_range,
            Range: self.on_range,
            WantStatus: self.rejoining.asked,
            Status: self.on_status,
            WantSnapshot: self.offering.asked,
            Snapshot: self.statesync.snapshot_came,
            WantChunk: self.offering.chunk_asked,
            Chunk: self.statesync.chunk_came,
        }

    def effect_handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        """Say who carries out what ordering wants."""
        return {
            agreed.Journal: self.on_journal,
            agreed.Tell: self.on_tell,
            agreed.Build: self.building.asked_to_build,
            agreed.Verify: self.building.asked_to_verify,
            agreed.Certify: self.building.asked_to_certify,
            agreed.Finalized: self.following.finalized,
            agreed.Accuse: self.on_accuse,
            agreed.Offence: self.parts.offended,
            agreed.Forgotten: self.rejoining.forgot,
            agreed.Entered: self.on_entered,
            agreed.GaveUp: self.on_gave_up,
            agreed.Wake: self.on_wake,
        }

    def restore(self, resumption: Resumption) -> None:
        """Take back blocks that were written down and not delivered."""
        for data in resumption.blocks:
            decoded = self.parts.blocks.decode(data)
            self.parts.store(decoded.digest, data)
            view = decoded.header.view
            for effect in self.parts.blocks.hold(decoded, data, view, self.parts.ticket()):
                self.parts.at_once(effect)
            self.parts.blocks.held[decoded.digest].logged = True
        if resumption.checkpoint is not None:
            self.best_logged = resumption.checkpoint.height

    # --- the seam --------------------------------------------------------------------------------
    def start(self, now: Moment) -> list[ValidatorEffect]:
        """Go on where the log ends."""
        self.parts.now = now
        self.repeat_at = now.mono_ms + CHECKPOINT_REPEAT_MS
        signed = self.resumption.signed
        if signed is not None:
            # A crash may have come between the disk and the network.
            self.parts.checkpoints.recovered(
                signed.height, signed.exec_block_digest, signed.state_root
            )
            if signed.signatures:
                self.own_vote = own_vote(signed, self.parts.settings.me)
                self.parts.send(self.own_vote)
                self.parts.checkpoints.vote(self.own_vote, None)
        self.ordered(self.parts.simplex.start(now.mono_ms))
        return self.finished()

    def step(self, now: Moment, event: ValidatorEvent) -> list[ValidatorEffect]:
        """Take one event; return what to do, in the order of durability."""
        return self.steps(now, (event,))

    def steps(self, now: Moment, events: Sequence[ValidatorEvent]) -> list[ValidatorEffect]:
        """Take the events of one moment, in their order, and return what to do about all."""
        self.parts.now = now
        if self.stopped:
            return []
        for event in events:
            if not (self.stopped or self.parts.ending):
                self.handlers[type(event)](event)
                self.order()
        return self.finished()

    def finished(self) -> list[ValidatorEffect]:
        """Look at the time, and hand the effects over."""
        parts = self.parts
        if not (self.stopped or parts.ending):
            self.on_time()
        if parts.divergence is not None:
            self.diverged(parts.divergence)
        effects: list[ValidatorEffect] = [*parts.early, *parts.appends]
        if parts.sync_wanted:
            effects.append(Sync(parts.blocks.tip.height))
        effects += parts.after
        if parts.halt is not None:
            effects.append(parts.halt)
        effects.append(Wake(max(self.due(), parts.now.mono_ms + 1)))
        ended = any(isinstance(effect, Install) for effect in parts.after)
        self.stopped = self.stopped or parts.ending or ended
        parts.early, parts.appends, parts.after = [], [], []
        parts.sync_wanted = False
        return effects

    def on_time(self) -> None:
        """Do what is due, let ordering take what it was fed, and look at what has come of it."""
        parts = self.parts
        now_ms = parts.now.mono_ms
        self.note_work()
        if self.building.due() <= now_ms:
            self.building.on_time()
        if self.following.due() <= now_ms:
            self.following.on_time()
        if self.statesync.due() <= now_ms:
            self.statesync.on_time()
        if self.repeat_at <= now_ms:
            self.repeat_checkpoint()
        if self.wake_at <= now_ms and not parts.fed:
            parts.feed(agreed.Tick())
        self.order()
        self.send_certificates()
        self.certificates_new()
        self.accused_new()
        self.offering.certified()
        self.statesync.install()

    def due(self) -> int:
        """Say when the next thing is to be done for its time's sake."""
        fetching = min(self.following.due(), self.statesync.due())
        due = min(self.wake_at, self.building.due(), fetching, self.repeat_at)
        return min(due, self.certificates[0][0]) if self.certificates else due

    def order(self) -> None:
        """Let ordering take what it was fed."""
        parts = self.parts
        while parts.fed and not parts.ending:
            event = parts.fed.popleft()
            self.ordered(parts.simplex.step(parts.now.mono_ms, event))

    def ordered(self, effects: list[agreed.Effect]) -> None:
        """Carry out what ordering wants, up to where it shows that we have to halt."""
        for effect in effects:
            if not self.parts.ending:
                self.ordering_handlers[type(effect)](effect)

    def note_work(self) -> None:
        """Tell ordering whether leaders have something to propose."""
        parts = self.parts
        if len(parts.mempool):
            if parts.simplex.work_since is None:
                parts.feed(agreed.WorkArrived())
        elif parts.simplex.work_since is not None:
            parts.feed(agreed.WorkDone())

    # --- events ----------------------------------------------------------------------------------
    def on_tick(self, event: Tick) -> None:
        """Do nothing but what every step does in the end."""

    def on_frame(self, event: FromPeer) -> None:
        """Take a validator's message; what is none is dropped and counted."""
        if self.parts.offences.is_shunned(event.peer, self.parts.now.mono_ms):
            return
        validators = len(self.parts.settings.validators.keys)
        try:
            record = decode_peer(event.kind, event.body, validators)
        except MessageInvalid:
            self.parts.offence(event.peer, "frames_invalid")
            return
        if isinstance(record, DecodedBlock):
            self.building.payload_came(event.peer, record, event.body)
            self.following.advance()
            return
        handler = self.peer_handlers.get(type(record))
        if handler is None:
            self.parts.count("frames_unexpected")
            return
        handler(event.peer, record)

    def on_peer_up(self, event: PeerUp) -> None:
        """Greet a validator that has come."""
        self.parts.peers[event.peer] = None
        self.clients.peer_up(event.peer)
        self.rejoining.peer_up(event.peer)

    def on_peer_down(self, event: PeerDown) -> None:
        """Ask it for nothing any more."""
        self.parts.peers.pop(event.peer, None)
        self.statesync.peer_down(event.peer)

    def on_requested(self, event: Requested) -> None:
        """Take a client's request."""
        self.clients.requested(event.request)
        self.building.try_build()

    def on_admitted(self, event: Admitted) -> None:
        """Go on with what was waiting for signatures."""
        if self.parts.blocks.admitted(event.ticket, event.bundles):
            self.building.review()
            self.following.advance()
        else:
            self.clients.admitted(event)
            self.building.try_build()

    def on_settled(self, event: Settled) -> None:
        """Send our checkpoint of a block that the ledger has executed, and compare."""
        parts, checkpoint = self.parts, event.checkpoint
        height, digest = checkpoint.height, checkpoint.exec_block_digest
        found = parts.checkpoints.settled(height, digest, checkpoint.state_root)
        if checkpoint.signatures:
            self.own_vote = own_vote(checkpoint, parts.settings.me)
            parts.send(self.own_vote)
            found = found or parts.checkpoints.vote(self.own_vote, None)
        parts.divergence = parts.divergence or found
        if parts.ending:
            return
        self.clients.expire(parts.blocks.tip.time_ms)
        self.following.settled()
        self.building.try_build()

    def on_stopping(self, event: Stopping) -> None:
        """Say nothing more."""
        self.stopped = True

    # --- messages of validators ------------------------------------------------------------------
    def on_agreed(self, peer: int, message: Vote | Certificate) -> None:
        """Hand a vote or a certificate to ordering."""
        self.parts.feed(agreed.Received(peer, message))

    def on_want_certificates(self, peer: int, want: WantCertificates) -> None:
        """Hand a request for certificates to ordering."""
        self.parts.feed(agreed.Received(peer, agreed.Want(want.epoch, want.view)))

    def on_want_payload(self, peer: int, want: WantPayload) -> None:
        """Send a block that we have."""
        self.following.serve_block(peer, want.digest)

    def on_want_range(self, peer: int, want: WantRange) -> None:
        """Send finalized blocks to one who is behind."""
        self.following.serve(peer, want.height)

    def on_range(self, peer: int, found: Range) -> None:
        """Take finalized blocks: the next ones, or the one at the height of a snapshot."""
        if not self.statesync.range_came(peer, found):
            self.following.range_came(peer, found)

    def on_status(self, peer: int, status: Status) -> None:
        """Take where a validator is: it was asked, or cannot serve what it was asked for."""
        self.rejoining.answered(peer, status)
        self.statesync.status_came(peer, status, self.following.wanted_of(peer))
        self.following.refused(peer)

    def on_checkpoint(self, peer: int, vote: CheckpointVote) -> None:
        """Take what another validator came to."""
        found = self.parts.checkpoints.vote(vote, peer)
        self.parts.divergence = self.parts.divergence or found

    # --- what ordering wants ---------------------------------------------------------------------
    def on_journal(self, effect: agreed.Journal) -> None:
        """Write an entry of ordering's journal."""
        entry = bytes([effect.record]) + effect.data
        # The guards read our own votes alone. Certificates stand in the log in front of the votes
        # that they led to, and where the last ones are lost, others have them.
        lazy = effect.record != agreed.Record.VOTE
        self.parts.append(AGREEMENT, effect.view, entry, lazy)

    def on_tell(self, effect: agreed.Tell) -> None:
        """Send a message of ordering's."""
        message = effect.message
        record: PeerRecord
        if isinstance(message, agreed.Want):
            record = WantCertificates(message.epoch, message.view)
        else:
            record = message
        if isinstance(record, Certificate) and effect.to is None:
            self.certificates.append((self.parts.now.mono_ms + self.certificate_delay_ms, record))
        else:
            self.parts.send(record, effect.to)

    def send_certificates(self) -> None:
        """Send on the certificates whose time has come.

        All votes go to all, so that nearly everybody makes each certificate alone. One that a
        finalization overtakes within a fraction of delta is of no use to anybody any more.
        """
        floor, now_ms = self.parts.simplex.floor.view, self.parts.now.mono_ms
        while self.certificates:
            due_ms, certificate = self.certificates[0]
            final = certificate.subject.kind == VoteKind.FINALIZE
            needed = certificate.subject.view >= floor + (0 if final else 1)
            if needed and due_ms > now_ms and certificate.subject.kind != VoteKind.NULLIFY:
                return
            self.certificates.popleft()
            if needed:
                self.parts.send(certificate)

    def on_accuse(self, effect: agreed.Accuse) -> None:
        """Keep the proof that a validator is malicious."""
        first, second = (encode_vote(vote) for vote in effect.evidence)
        payload = len(first).to_bytes(4, "little") + first + second
        self.parts.append(EVIDENCE, effect.evidence.first.subject.view, payload)
        self.parts.after.append(Accused(effect.signer, Evidence(*effect.evidence)))

    def on_entered(self, effect: agreed.Entered) -> None:
        """Tell whoever watches."""
        self.note("view", view=effect.view, leader=effect.leader)

    def on_gave_up(self, effect: agreed.GaveUp) -> None:
        """Tell whoever watches."""
        self.note("gave_up", view=effect.view, leader=effect.leader, reason=int(effect.reason))

    def on_wake(self, effect: agreed.Wake) -> None:
        """Remember when ordering wants to be woken."""
        self.wake_at = effect.at_ms

    def note(self, what: str, **fields: int) -> None:
        """Tell whoever watches."""
        self.parts.after.append(Progress(what, tuple(fields.items())))

    # --- checkpoints -----------------------------------------------------------------------------
    def accused_new(self) -> None:
        """Keep the proof that a validator signed two roots of one height."""
        for pair in self.parts.checkpoints.accused:
            payload = b"".join([encode_checkpoint_vote(vote) for vote in pair])
            self.parts.append(EVIDENCE, pair[0].height, (0).to_bytes(4, "little") + payload)
            self.parts.after.append(Accused(pair[0].signer, pair))
        self.parts.checkpoints.accused = []

    def certificates_new(self) -> None:
        """Write down the newest certificate, and tell whoever waits for one."""
        best = self.parts.checkpoints.best
        if best is not None and best.height > self.best_logged:
            self.best_logged = best.height
            validators = len(self.parts.settings.validators.keys)
            payload = encode_checkpoint_certificate(best, validators)
            self.parts.append(CERTIFIED, best.height, payload, True)
            self.note("certified", height=best.height)

    def diverged(self, found: Divergence) -> None:
        """Halt against a third of the stake, and keep what they signed."""
        for vote in found.votes:
            payload = encode_checkpoint_vote(vote)
            self.parts.append(EVIDENCE, found.height, (0).to_bytes(4, "little") + payload)
        signers = ", ".join(str(vote.signer) for vote in found.votes)
        reason = (
            f"validators {signers} signed another state root at height {found.height} than this "
            f"node's {found.root.hex()[:16]}: one side is wrong, and this node cannot know which"
        )
        digest = self.parts.chain.digests.get(found.height, bytes(32))
        self.parts.halt = Halt(found.height, digest, reason)

    def repeat_checkpoint(self) -> None:
        """Send our newest checkpoint vote again where no certificate has come of it."""
        parts = self.parts
        self.rejoining.ask_again()
        self.repeat_at = parts.now.mono_ms + CHECKPOINT_REPEAT_MS
        best = parts.checkpoints.best
        own = self.own_vote
        if own is not None and (best is None or best.height < own.height):
            parts.send(own)
