"""Logged records -> where agreement stood. The state is recovered by `replay`; this is the rest.

Fed with the records of the log in their order, from the first that is kept. What concerns views at
or below the last delivered block is passed over: nothing is signed there any more.
"""

from typing import Final

from quorate.codec.blocks import decode_block, decode_checkpoint_certificate, payload_of
from quorate.codec.consensus import MessageInvalid, decode_certificate
from quorate.commitment.proof import Checkpoint
from quorate.ordering.messages import Record as Entry
from quorate.replica.parts import Resumption
from quorate.replica.records import (
    AGREEMENT,
    CERTIFIED,
    DELIVERED,
    OBSERVING,
    PAYLOAD,
    VOTING,
    Base,
    RecordRefused,
    base_read,
    delivered_read,
)
from quorate.replica.validity import ParentRef
from quorate.storage.log import Kind, Record
from quorate.types.consensus import Certificate, CheckpointCertificate, VoteKind

VIEWS_FORGOTTEN_EVERY: Final = 256


class Resuming:
    """Takes the log's records; `resumption` is what they come to.

    validators: their number. snapshot_every: certificates of multiples of it are kept, 0 for none.
    """

    def __init__(self, validators: int, snapshot_every: int = 0) -> None:
        self.validators = validators
        self.snapshot_every = snapshot_every
        self.entries: list[tuple[int, int, bytes]] = []
        self.payloads: dict[bytes, tuple[int, bytes]] = {}
        self.finalizations: dict[bytes, Certificate] = {}
        self.digests: dict[int, bytes] = {}
        self.views: dict[int, int] = {}
        self.certificates: dict[int, Certificate] = {}
        self.checkpoint: CheckpointCertificate | None = None
        self.certified: dict[int, CheckpointCertificate] = {}
        self.observing = False
        self.vote_above = 0
        self.delivered = 0
        self.base = 0

    def feed(self, record: Record) -> None:
        """Take a record. Raises RecordRefused."""
        payload = bytes(record.payload)
        try:
            if record.kind == AGREEMENT:
                self.agreement(record.height, payload)
            elif record.kind == PAYLOAD:
                decoded = decode_block(payload, self.validators)
                self.payloads[decoded.digest] = (decoded.header.view, payload)
            elif record.kind == DELIVERED:
                self.deliver(*delivered_read(payload))
            elif record.kind == CERTIFIED:
                self.certify(decode_checkpoint_certificate(payload, self.validators))
            elif record.kind == Kind.BASE:
                self.go_on_from(base_read(payload, self.validators))
            elif record.kind == OBSERVING:
                self.observing = True
            elif record.kind == VOTING:
                self.observing = False
                self.vote_above = int.from_bytes(payload, "little")
        except MessageInvalid as invalid:
            raise RecordRefused(f"a record of agreement holds {invalid}") from invalid

    def agreement(self, view: int, payload: bytes) -> None:
        """Take an entry of ordering's journal."""
        if not payload or payload[0] not in tuple(Entry):
            raise RecordRefused("an entry of agreement of no known kind")
        record, data = payload[0], payload[1:]
        self.entries.append((view, record, data))
        if record == Entry.CERTIFICATE:
            found = decode_certificate(data, self.validators)
            if found.subject.kind == VoteKind.FINALIZE:
                self.finalizations[found.subject.payload] = found

    def certify(self, certificate: CheckpointCertificate) -> None:
        """Take a checkpoint certificate: keep the newest, and those of snapshots."""
        height = certificate.height
        if self.checkpoint is None or height > self.checkpoint.height:
            self.checkpoint = certificate
        if self.snapshot_every and height % self.snapshot_every == 0:
            self.certified[height] = certificate

    def go_on_from(self, base: Base) -> None:
        """Take a snapshot as what the log goes on from; blocks below it are missing."""
        height = base.certificate.height
        self.certify(base.certificate)
        self.certified[height] = base.certificate
        self.digests, self.views = {height: base.digest}, {height: base.view}
        self.certificates = {}
        self.base = height

    def deliver(self, height: int, view: int, digest: bytes) -> None:
        """Take where a block was delivered, and now and then forget what is behind."""
        self.digests[height] = digest
        self.views[height] = view
        certificate = self.finalizations.pop(payload_of(digest), None)
        if certificate is not None:
            self.certificates[height] = certificate
        self.delivered += 1
        if self.delivered % VIEWS_FORGOTTEN_EVERY == 0:
            # One block back: the last delivery may be of a block that was never logged.
            behind = self.views.get(height - 1, 0)
            self.entries = [entry for entry in self.entries if entry[0] > behind]
            self.payloads = {
                name: held for name, held in self.payloads.items() if held[0] > behind
            }

    def signs(self, height: int) -> bool:
        """Say whether the root of a block may be signed: what J12 forbids to votes, it does here.

        A block of a view above `vote_above` was not final when the journal was lost. What a
        fetched snapshot holds was executed and signed by others.
        """
        if self.observing or height == self.base:
            return False
        return self.views.get(height, 0) > self.vote_above

    def resumption(self, height: int, time_ms: int, signed: Checkpoint | None) -> Resumption:
        """Give what agreement goes on from, at the height and time of the recovered state.

        signed: our checkpoint of that height.

        Raises RecordRefused.
        """
        if height and height not in self.digests:
            raise RecordRefused(f"the log does not say where agreement put block {height}")
        view, tip = 0, None
        if height:
            view = self.views[height]
            tip = ParentRef(view, self.digests[height], height, time_ms)
        return Resumption(
            tip,
            self.certificates.get(height),
            tuple((record, data) for at, record, data in self.entries if at > view),
            tuple(data for at, data in self.payloads.values() if at > view),
            {at: digest for at, digest in self.digests.items() if at <= height},
            {at: found for at, found in self.certificates.items() if at <= height},
            self.checkpoint,
            signed,
            self.observing,
            self.vote_above,
            dict(self.certified),
        )
