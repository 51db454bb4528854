"""What a validator's log says of agreement: the certificates of a quorum, and how far it came.

Read without the home's lock; changes nothing. A home holds certificates of many heights, not of
all: where several came at once, only the newest was written down.
"""

from dataclasses import dataclass

from quorate.codec.blocks import decode_checkpoint_certificate
from quorate.codec.consensus import MessageInvalid
from quorate.commitment.proof import Checkpoint
from quorate.replica.errors import ReplayRefused
from quorate.replica.parts import checkpoint_checking
from quorate.replica.records import (
    CERTIFIED,
    DELIVERED,
    EVIDENCE,
    RecordRefused,
    delivered_read,
)
from quorate.replica.replay import Replay
from quorate.runtime.disk import HomeRefused
from quorate.runtime.files import follow_segments
from quorate.runtime.home import Home
from quorate.runtime.validators import validator_set
from quorate.storage.log import Kind, Record
from quorate.types.consensus import CheckpointCertificate, CheckpointVote, ValidatorSet


@dataclass
class Agreement:
    """What was found in a log. heights: certified ones, rising; view: of the last delivery.

    certificate: that of the height asked for, or of the greatest at or below `signed`, the greatest
    height that this validator has a checkpoint of its own for. evidence: how many records.
    """

    heights: list[int]
    certificate: CheckpointCertificate | None = None
    signed: int = 0
    view: int = 0
    evidence: int = 0


def agreement(home: Home, height: int | None = None) -> Agreement:
    """Read a validator's log for what agreement left there. Raises as `follow_segments`."""
    assert home.consensus is not None
    validators = len(home.consensus.validators)
    found = Agreement([])
    # Some certificates came before their block was executed here.
    waiting: list[CheckpointCertificate] = []
    for scan in follow_segments(home.path, home.identity):
        for record in scan.records:
            try:
                certificate = taken(found, record, validators)
            except RecordRefused as refused:
                raise ReplayRefused(
                    f"Segment {record.segment} of the log, offset {record.offset}: {refused}."
                ) from refused
            if certificate is not None and height in (None, certificate.height):
                waiting.append(certificate)
        waiting = settled(found, waiting)
    return found


def taken(found: Agreement, record: Record, validators: int) -> CheckpointCertificate | None:
    """Take a record; give the certificate that it is. Raises RecordRefused, ReplayRefused."""
    if record.kind == Kind.CHECKPOINT:
        found.signed = max(found.signed, record.height)
    elif record.kind == DELIVERED:
        found.view = delivered_read(record.payload)[1]
    elif record.kind == EVIDENCE:
        found.evidence += 1
    elif record.kind == CERTIFIED:
        certificate = certificate_read(record, validators)
        found.heights.append(certificate.height)
        return certificate
    return None


def certificate_read(record: Record, validators: int) -> CheckpointCertificate:
    """Read a CERTIFIED record. Raises ReplayRefused."""
    try:
        return decode_checkpoint_certificate(bytes(record.payload), validators)
    except MessageInvalid as invalid:
        raise ReplayRefused(
            f"Segment {record.segment} of the log, offset {record.offset}: a certificate holds "
            f"{invalid}."
        ) from invalid


def settled(
    found: Agreement, waiting: list[CheckpointCertificate]
) -> list[CheckpointCertificate]:
    """Take over the newest certificate of a height that was executed; keep those of later ones."""
    done = [certificate for certificate in waiting if certificate.height <= found.signed]
    if done:
        found.certificate = max(done, key=lambda certificate: certificate.height)
    return [certificate for certificate in waiting if certificate.height > found.signed]


def certificate_at(home: Home, height: int | None) -> CheckpointCertificate:
    """Give a quorum's certificate of a height, or the newest. Raises HomeRefused."""
    found = agreement(home, height)
    if found.certificate is not None:
        return found.certificate
    if height is None:
        raise HomeRefused(
            f"{home.path} holds no certificate of a quorum yet; it comes when enough validators "
            "have run."
        )
    below = [at for at in found.heights if at < height]
    above = [at for at in found.heights if height < at <= found.signed]
    near = [str(at) for at in (*below[-1:], *above[:1])]
    nearest = f"; the nearest heights with one: {', '.join(near)}" if near else ""
    raise HomeRefused(f"{home.path} holds no certificate of height {height}{nearest}.")


def signed_by(certificate: CheckpointCertificate, home: Home) -> Checkpoint:
    """Give a certificate as proofs carry it: signatures under the validators' keys."""
    assert home.consensus is not None
    keys = validator_set(home.consensus).keys
    chain_id, genesis = home.identity
    epoch, height, digest, root, signers, signatures = certificate
    signed = {keys[at]: signature for at, signature in zip(signers, signatures, strict=True)}
    return Checkpoint(chain_id, genesis, epoch, height, digest, root, signed)


def certificate_fault(certificate: CheckpointCertificate, home: Home, votes: ValidatorSet) -> str:
    """Say what a certificate lacks; nothing of one that holds."""
    if votes.weight_of(certificate.signers) < votes.quorum:
        return "its signers are no quorum"
    holds = checkpoint_checking(home.identity, votes)
    epoch, height, digest, root, signers, signatures = certificate
    for signer, signature in zip(signers, signatures, strict=True):
        if not holds(CheckpointVote(epoch, height, digest, root, signer, signature)):
            return f"the signature of validator {signer} is wrong"
    return ""


def under_quorum(replay: Replay, certificate: CheckpointCertificate, home: Home) -> None:
    """Put the quorum's certificate in the place of our own checkpoint. Raises ReplayRefused."""
    executor = replay.executor
    assert executor.height == certificate.height and not replay.pending
    if certificate.state_root != executor.root:
        raise ReplayRefused(
            f"A quorum signed root {certificate.state_root.hex()[:16]} at height "
            f"{certificate.height}, but executing the log of {home.path} gives "
            f"{executor.root.hex()[:16]}; do not sign with its key."
        )
    replay.checkpoint = signed_by(certificate, home)
