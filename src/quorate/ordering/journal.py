"""The journal's entries <-> bytes, and what they say of each view (CONSENSUS 3, J1 to J7).

    VOTE         an own vote, before it leaves
    CERTIFICATE  a certificate, when it is made or comes
    CERTIFIED    view u64, ok u8, payload 68: whether a notarized payload was found valid

Replay does not take the last entry for the place to go on from: entries of different views stand in
any order. The view is found anew from the certificates.
"""

import struct
from collections.abc import Iterable
from typing import Final

from quorate.codec.consensus import decode_certificate, decode_vote
from quorate.ordering.messages import Record
from quorate.ordering.rounds import Round
from quorate.ordering.rules import Certify, Status, conflict
from quorate.types.consensus import PAYLOAD_BYTES, Certificate, Subject, Vote, VoteKind

CERTIFIED: Final = struct.Struct(f"<QB{PAYLOAD_BYTES}s")


class JournalRefused(Exception):
    """A journal that is sound to its checksums and cannot be ours. The sentence says why."""


def certified_bytes(view: int, payload: bytes, ok: bool) -> bytes:
    """Write whether a notarized payload was found valid."""
    return CERTIFIED.pack(view, ok, payload)


def vote_restored(held: Round, vote: Vote) -> None:
    """Restore an own vote: its one-shot flag, and with a notarize the verified proposal (J4)."""
    ballot, subject = held.ballot, vote.subject
    if subject.kind == VoteKind.NULLIFY:
        held.ballot = ballot._replace(my_nullify=True)
    elif subject.kind == VoteKind.FINALIZE:
        held.ballot = ballot._replace(my_finalize=subject.proposal)
    else:
        proposal = subject.proposal
        held.ballot = ballot._replace(my_notarize=proposal)
        if ballot.slot is not None and ballot.slot != proposal:
            held.ballot = held.ballot._replace(status=Status.EQUIVOCATED)
        elif ballot.status != Status.EQUIVOCATED:
            held.ballot = held.ballot._replace(slot=proposal, status=Status.VERIFIED)


def certificate_restored(held: Round, certificate: Certificate) -> None:
    """Restore a certificate; one that contradicts our own proposal overrides it (J5)."""
    subject = certificate.subject
    held.certificates[subject.kind] = certificate
    ballot = held.ballot
    if subject.kind == VoteKind.NULLIFY:
        held.ballot = ballot._replace(nullification=True)
        return
    proposal = subject.proposal
    if subject.kind == VoteKind.FINALIZE:
        held.ballot = ballot._replace(finalization=proposal)
        return
    status = ballot.status
    if ballot.slot is not None and ballot.slot != proposal:
        status = Status.EQUIVOCATED
    elif status == Status.NONE:
        status = Status.UNVERIFIED
    held.ballot = ballot._replace(notarization=proposal, slot=proposal, status=status)


def restored(
    entries: Iterable[tuple[int, bytes]], me: int | None, epoch: int, validators: int
) -> tuple[dict[int, Round], list[Vote]]:
    """Replay entries in the order in which they were appended; also give our own votes.

    Raises JournalRefused, or MessageInvalid.
    """
    rounds: dict[int, Round] = {}
    votes: list[Vote] = []
    said: dict[int, list[Subject]] = {}
    verdicts: list[tuple[int, bool, bytes]] = []
    for record, data in entries:
        if record == Record.VOTE:
            vote = decode_vote(data)
            if vote.signer != me or vote.subject.epoch != epoch:
                raise JournalRefused("the journal holds a vote of another validator or epoch")
            view = vote.subject.view
            before = said.setdefault(view, [])
            if any(conflict(subject, vote.subject) for subject in before):
                raise JournalRefused(f"the journal holds votes of view {view} that contradict")
            before.append(vote.subject)
            vote_restored(rounds.setdefault(view, Round(view)), vote)
            votes.append(vote)
        elif record == Record.CERTIFICATE:
            found = decode_certificate(data, validators)
            view = found.subject.view
            if found.subject.epoch != epoch:
                raise JournalRefused("the journal holds a certificate of another epoch")
            certificate_restored(rounds.setdefault(view, Round(view)), found)
        elif record == Record.CERTIFIED and len(data) == CERTIFIED.size:
            view, ok, payload = CERTIFIED.unpack(data)
            verdicts.append((view, bool(ok), payload))
        else:
            raise JournalRefused(f"the journal holds a record {record} of {len(data)} bytes")
    for view, ok, payload in verdicts:
        held = rounds.get(view)
        if held is None or held.ballot.notarization is None:
            raise JournalRefused(f"view {view} was certified without a notarization")
        if held.ballot.notarization.payload == payload:
            held.ballot = held.ballot._replace(certify=Certify.TRUE if ok else Certify.FALSE)
    return rounds, votes
