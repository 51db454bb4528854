"""What a validator holds and signs: ballots, votes, certificates. The base of `Simplex`.

Here a vote or certificate is kept, written down and sent on; what follows from it, the next view or
the next proposal, is for `simplex`, which fills in `enter` and `settle`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from quorate.codec.consensus import encode_certificate, encode_vote
from quorate.ordering import journal
from quorate.ordering.fetching import Fetching
from quorate.ordering.messages import (
    Accuse,
    Certify,
    Effect,
    Finalized,
    Forgotten,
    Journal,
    Offence,
    Reason,
    Record,
    Tell,
)
from quorate.ordering.rounds import Round, Rounds
from quorate.ordering.rules import RULES, Rules, Standing, Status, Verdict
from quorate.ordering.rules import Certify as Certification
from quorate.ordering.scheme import Scheme
from quorate.ordering.timing import Times
from quorate.types.consensus import (
    GENESIS_PAYLOAD,
    VIEW_MAX,
    Certificate,
    Evidence,
    Proposal,
    Subject,
    ValidatorSet,
    Vote,
    VoteKind,
    nullify_subject,
    subject_of,
)

NOTARIZE, NULLIFY, FINALIZE = (int(kind) for kind in VoteKind)

VIEWS_RETAINED: Final = 16  # below the last finalized: to answer those who are behind
NEVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class Settings:
    """me: index among the validators, None for an observer. vote_above: only there it votes."""

    validators: ValidatorSet
    me: int | None
    times: Times
    vote_above: int = 0


@dataclass(frozen=True, slots=True)
class Floor:
    """The newest final proposal: its view and payload; certificate None for genesis."""

    view: int = 0
    payload: bytes = GENESIS_PAYLOAD
    certificate: Certificate | None = None


GENESIS_FLOOR: Final = Floor()


class Voting(ABC):
    """The state of one validator, and its signature.

    view: the present one, 0 before the start. floor: the newest final proposal known. counts: of
    what happened, by name, for metrics.
    """

    def __init__(
        self,
        settings: Settings,
        scheme: Scheme,
        floor: Floor = GENESIS_FLOOR,
        entries: Iterable[tuple[int, bytes]] = (),
        rules: Rules = RULES,
    ) -> None:
        """Restore from the journal's entries, (record, data) in order. Raises JournalRefused."""
        self.settings, self.scheme, self.rules = settings, scheme, rules
        self.validators = settings.validators
        self.me = settings.me
        self.vote_above = settings.vote_above
        self.quorum = rules.quorum(self.validators.total)
        self.floor = floor
        self.view = 0
        self.now = 0
        self.work_since: int | None = None
        self.wake_at = NEVER
        self.standstill_at = NEVER
        self.counts: dict[str, int] = {}
        self.guilty: dict[int, None] = {}
        self.heard: list[int] = []
        self.out: list[Effect] = []
        count = len(self.validators.keys)
        found, votes = journal.restored(entries, self.me, self.validators.epoch, count)
        self.rounds = Rounds(found)
        for vote in votes:
            self.rounds.at(vote.subject.view).tally.add(vote, self.validators, scheme, True)
        self.fetching = Fetching(self.me, count, settings.times.retry_ms)

    @abstractmethod
    def enter(self, view: int) -> None:
        """Enter a view, never one that is behind."""

    @abstractmethod
    def settle(self) -> None:
        """Look again at all that waits for a certificate."""

    # --- votes -----------------------------------------------------------------------------------

    def tallied(self, held: Round, vote: Vote, own: bool) -> None:
        """Count a vote, and make the certificate when it was the last that was wanted."""
        counted = held.tally.add(vote, self.validators, self.scheme, own)
        self.offend(vote.signer, "votes_forged", counted.forged)
        if counted.evidence is not None:
            self.accuse(held, vote.signer, counted.evidence)
        if counted.fresh:
            self.conclude(held, vote.subject)

    def conclude(self, held: Round, subject: Subject) -> None:
        """Make the certificate of a subject, if enough voted for it and there is none yet."""
        if subject.kind in held.certificates:
            return
        made, forgers = held.tally.certificate(
            subject, self.validators, self.scheme, self.quorum
        )
        for forger in forgers:
            self.offend(forger, "votes_forged")
        if made is not None:
            self.store(held, made)

    def compare(self, held: Round, certificate: Certificate) -> None:
        """Hold the votes in a certificate of others against what their signers told us (N2)."""
        subject, signers, signatures = certificate
        for signer, signature in zip(signers, signatures, strict=True):
            if signer == self.me:
                continue
            vote = Vote(subject, signer, signature)
            counted = held.tally.add(vote, self.validators, self.scheme, True)
            self.offend(signer, "votes_forged", counted.forged)
            if counted.evidence is not None:
                self.accuse(held, signer, counted.evidence)

    def recall(self, held: Round, certificate: Certificate) -> None:
        """Sign nothing more if a certificate, checked, holds a vote of ours that we do not know.

        Our journal holds whatever left: it has been put back from an older copy (J12).
        """
        subject, signers, signatures = certificate
        me = self.me
        if me is None or me not in signers or not self.votes_in(subject.view):
            return
        known = held.tally.votes.get((subject.kind, me))
        if known is None or known.subject != subject:
            vote = Vote(subject, me, signatures[signers.index(me)])
            self.vote_above = VIEW_MAX
            self.count("votes_forgotten")
            self.out.append(Forgotten(vote))

    def accuse(self, held: Round, signer: int, evidence: Evidence) -> None:
        """Report a proved contradiction; a leader's two proposals end its view for us (P3)."""
        self.guilty[signer] = None
        if signer not in held.accused:
            held.accused[signer] = None
            self.count("evidence")
            self.out.append(Accuse(signer, evidence))
        kinds = (evidence.first.subject.kind, evidence.second.subject.kind)
        leads = self.validators.leader(held.ballot.view) == signer
        if leads and kinds == (NOTARIZE, NOTARIZE):
            self.equivocated(held)

    def equivocated(self, held: Round) -> None:
        """Sign nothing more for a proposal of this view; leave it, if no certificate does."""
        held.ballot = held.ballot._replace(status=Status.EQUIVOCATED)
        if not held.certificates:
            self.give_up(held, Reason.EQUIVOCATION)

    # --- certificates ----------------------------------------------------------------------------

    def store(self, held: Round, certificate: Certificate) -> None:
        """Keep a certificate, write it down, send it on once, and act on it (N1, K1, F1)."""
        subject = certificate.subject
        held.certificates[subject.kind] = certificate
        data = encode_certificate(certificate, len(self.validators.keys))
        self.out.append(Journal(Record.CERTIFICATE, subject.view, data))
        self.out.append(Tell(certificate))
        self.fetching.arrived(subject.view)
        if subject.kind == NULLIFY:
            held.ballot = held.ballot._replace(nullification=True)
            self.enter(subject.view + 1)
        elif subject.kind == NOTARIZE:
            self.on_notarization(held, subject.proposal)
        else:
            self.on_finalization(certificate)
        self.settle()

    def on_notarization(self, held: Round, proposal: Proposal) -> None:
        """Let the certificate overrule what we took for the proposal (N2), and certify it (N3)."""
        ballot = held.ballot
        if ballot.slot is not None and ballot.slot != proposal:
            self.count("proposals_overruled")
            held.ballot = ballot._replace(status=Status.EQUIVOCATED)
        elif ballot.status == Status.NONE:
            held.ballot = ballot._replace(status=Status.UNVERIFIED)
        held.ballot = held.ballot._replace(slot=proposal, notarization=proposal)
        self.certify(held)

    def certify(self, held: Round) -> None:
        """Have a notarized payload fetched and judged, unless that is under way or done."""
        ballot = held.ballot
        if ballot.notarization is None or ballot.certify != Certification.READY:
            return
        if ballot.view <= self.floor.view:
            return
        held.ballot = ballot._replace(certify=Certification.RUNNING)
        signers = held.certificates[NOTARIZE].signers
        self.out.append(Certify(ballot.notarization, signers))

    def on_finalization(self, certificate: Certificate) -> None:
        """Move the floor (F1); what is below is nobody's business any more."""
        proposal = certificate.subject.proposal
        if proposal.view <= self.floor.view:
            return
        held = self.rounds.at(proposal.view)
        held.certificates[FINALIZE] = certificate
        held.ballot = held.ballot._replace(finalization=proposal)
        self.floor = Floor(proposal.view, proposal.payload, certificate)
        for below in self.rounds.in_order():
            ballot = below.ballot
            if ballot.view <= proposal.view and ballot.certify < Certification.TRUE:
                below.ballot = ballot._replace(certify=Certification.ABORTED)
        self.rounds.prune(proposal.view - VIEWS_RETAINED)
        self.fetching.floor(proposal.view)
        self.standstill_at = self.now + self.settings.times.standstill_ms
        self.out.append(Finalized(proposal, certificate))
        self.enter(proposal.view + 1)

    # --- signing ---------------------------------------------------------------------------------
    def try_votes(self, held: Round) -> None:
        """Notarize and finalize as far as the guards allow."""
        slot, notarized = held.ballot.slot, held.ballot.notarization
        if slot is not None and held.ballot.status == Status.VERIFIED:
            found = self.rules.ancestry(slot, self.rounds, self.floor.view)
            self.sign(NOTARIZE, slot, held, found.verdict == Verdict.SETTLED)
        if notarized is not None:
            self.sign(FINALIZE, notarized, held, True)

    def sign(self, kind: int, proposal: Proposal | None, held: Round, settled: bool) -> None:
        """Sign, write down, send and count one vote, if the guards let us."""
        ballot = held.ballot
        standing = Standing(self.view, self.floor.view)
        if not self.votes_in(ballot.view):
            return
        if not self.rules.may_sign(kind, proposal, ballot, standing, settled):
            return
        subject = self.subject(kind, proposal, ballot.view)
        signature = self.scheme.sign(subject)
        if signature is None:
            self.count("signer_refusals")
            return
        if kind == NOTARIZE:
            held.ballot = ballot._replace(my_notarize=proposal)
        elif kind == FINALIZE:
            held.ballot = ballot._replace(my_finalize=proposal)
        else:
            held.ballot = ballot._replace(my_nullify=True)
        assert self.me is not None
        vote = Vote(subject, self.me, signature)
        self.out.append(Journal(Record.VOTE, ballot.view, encode_vote(vote)))
        self.out.append(Tell(vote))
        self.tallied(held, vote, True)

    def subject(self, kind: int, proposal: Proposal | None, view: int) -> Subject:
        """Give what a vote of ours is about."""
        if proposal is None:
            return nullify_subject(self.validators.epoch, view)
        return subject_of(kind, proposal)

    # --- what others ask of the state ------------------------------------------------------------
    def payload_at(self, view: int) -> bytes:
        """Give the payload of a settled view."""
        if view == self.floor.view:
            return self.floor.payload
        ballot = self.rounds.at(view).ballot
        found = ballot.finalization or ballot.notarization
        return found.payload if found is not None else b""

    def votes_in(self, view: int) -> bool:
        """Say whether we vote in a view at all."""
        return self.me is not None and view > self.vote_above and view > self.floor.view

    def give_up(self, held: Round, reason: Reason) -> None:
        """Stop waiting for a view. The nullify follows when it is the present one."""
        if held.reason == Reason.NONE:
            held.reason = reason

    def offend(self, peer: int, name: str, times: int = 1) -> None:
        """Count what a validator sent that no honest one sends, and say who it was."""
        self.count(name, times)
        if times:
            self.out.append(Offence(peer, name, times))

    def count(self, name: str, times: int = 1) -> None:
        """Count for metrics."""
        if times:
            self.counts[name] = self.counts.get(name, 0) + times
