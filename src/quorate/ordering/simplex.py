"""Simplex: one leader a view, three kinds of vote, a certificate for every view, used or skipped.

Finality takes three message delays, and a block comes every two. Quorums are by weight: any two
share more than the malicious may weigh. What may be signed stands in `rules.may_sign`, nowhere
else. The protocol, by numbered sentence; tests/ordering/test_protocol.py checks each one:

Entering view v, only if v is greater than the present view:
 E1  the leader's proposal is due 2 delta after its pool had work, or after the heartbeat without;
     the certificate one delta later. delta grows with views since the last finalization.
 E2  if the leader was silent for skip_timeout while a quorum was not, or was proved malicious, give
     up at once, unless its proposal is here already.
 E3  if I lead v and have not nullified it: ask for a payload, once, on the highest certified or
     finalized view below, all views between being nullified; fetch what is missing first.
Upon my payload being built:
 B1  notarize it: the leader's own notarize is the proposal. B2  If none is to be had, give up.
Upon the leader's first notarize(P) of view v, its signature checked:
 P1  P takes the slot. P2  The same P again changes nothing. P3  Another P: equivocation: the first
     stays, both votes are evidence, I neither notarize nor finalize in v any more.
 P4  Only up to one view ahead of the present one, and none at or below the last finalized.
Upon a proposal in the slot:
 A1  a parent that is not settled, or a gap of views not nullified, is fetched, from the leader
     first; the proposal waits. A2  A parent below the last finalized view: give up for good.
 A3  with its ancestry settled it is judged once; valid: notarize; invalid or unjudged: give up.
     A verdict on another proposal or another parent than at present is thrown away.
Upon a quorum of notarize(P), or a notarization:
 N1  keep it, send it on once. N2  P takes the slot whatever was there; if something else was, that
     is equivocation, and the leader's vote in the certificate evidence. N3  Have P certified: its
     payload at hand, durable and valid.
Upon the certification of P:
 C1  true: enter v + 1, and finalize P. C2  false: give up v, and never build on P.
 C3  it runs on after a nullification of v and ends only with a finalization at v or above.
Upon a quorum of nullify(v), or a nullification:
 K1  keep it, send it on once, enter v + 1.
Upon a quorum of finalize(P), or a finalization:
 F1  keep it, send it on once, enter v + 1; P and all its ancestors are final.
Upon the end of the present view's time, or giving up, unless I have finalized in it:
 T1  nullify(v). T2  Every retry: the same bytes again, with the certificate that let me in.
Upon a nullify(v) of another:
 L1  of a view that is over: answer with its certificates; if none of them ended it, with the one
     of a later view that did. L2  The leader's own, of the present view: give up.
Upon standstill, no finalization for so long:
 S1  send again the last finalization, the certificates above it and my votes above it, at most
     STANDSTILL_MESSAGES a time.
Upon restart:
 R1  votes and certificates come back from the journal, my votes are counted again, timers start
     fresh; the present view is found from the certificates. R2  What I said of views that are not
     final is sent again at once, within the bound of S1, since a crash may have come between the
     disk and the network.

Deviations: a notarize may follow a nullify (see rules.may_sign); delta grows, the reference keeps
it; standstill is TON's, bounded; a leader proved malicious is skipped.

Why safe: one notarize per honest replica and view, so one notarization per view; finalize excludes
nullify, so a finalized view is never skipped; a notarized proposal's ancestors are notarized and
the views between nullified; so any two finalized proposals are on one chain. The explorer in
quorate/sim/explorer.py and formal/Simplex.tla check it.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from quorate.ordering import journal
from quorate.ordering.messages import (
    Build,
    Built,
    Certified,
    Effect,
    Entered,
    Event,
    Finalized,
    Floored,
    GaveUp,
    Journal,
    Reason,
    Received,
    Record,
    Tell,
    Tick,
    Verified,
    Verify,
    Wake,
    WorkArrived,
    WorkDone,
)
from quorate.ordering.rounds import Round
from quorate.ordering.rules import RULES, Rules, Status, Verdict, is_settled, parent_for
from quorate.ordering.rules import Certify as Certification
from quorate.ordering.scheme import Scheme, certificate_holds
from quorate.ordering.voting import (
    FINALIZE,
    GENESIS_FLOOR,
    NEVER,
    NOTARIZE,
    NULLIFY,
    Floor,
    Settings,
    Voting,
)
from quorate.types.consensus import Certificate, Proposal, Vote

VIEWS_AHEAD: Final = 8  # of the present view: votes beyond are dropped
STANDSTILL_MESSAGES: Final = 24


class Simplex(Voting):
    """The core of one validator. `start` once, then `step` for every event."""

    def __init__(
        self,
        settings: Settings,
        scheme: Scheme,
        floor: Floor = GENESIS_FLOOR,
        entries: Iterable[tuple[int, bytes]] = (),
        rules: Rules = RULES,
    ) -> None:
        """Restore from the journal's entries, (record, data) in order. Raises JournalRefused."""
        super().__init__(settings, scheme, floor, entries, rules)
        self.handlers: dict[type[Any], Callable[[Any], None]] = {
            Tick: self.on_tick,
            Received: self.on_received,
            WorkArrived: self.on_work_arrived,
            WorkDone: self.on_work_done,
            Built: self.on_built,
            Verified: self.on_verified,
            Certified: self.on_certified,
            Floored: self.on_floored,
        }

    # --- the seam --------------------------------------------------------------------------------
    def start(self, now_ms: int) -> list[Effect]:
        """Enter the view that the journal leads to, and say again what was said (R1, R2)."""
        self.now = now_ms
        self.heard = [now_ms] * len(self.validators.keys)
        self.standstill_at = now_ms + self.settings.times.standstill_ms
        reached = self.floor.view
        for held in self.rounds.in_order():
            ballot, view = held.ballot, held.ballot.view
            if ballot.finalization is not None and view > self.floor.view:
                certificate = held.certificates[FINALIZE]
                self.floor = Floor(view, ballot.finalization.payload, certificate)
                self.out.append(Finalized(ballot.finalization, certificate))
            certified = ballot.notarization is not None and ballot.certify == Certification.TRUE
            if ballot.nullification or ballot.finalization is not None or certified:
                reached = max(reached, view)
        for held in self.rounds.in_order():
            self.certify(held)
        self.enter(reached + 1)
        for held in self.rounds.in_order():
            self.try_votes(held)
            if self.votes_in(held.ballot.view) and self.me is not None:
                for vote in held.tally.own(self.me):
                    self.conclude(held, vote.subject)
        self.said_again()
        return self.finished()

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        """Take one event; return what to do, in the order of durability."""
        assert now_ms >= self.now, "the clock of timers never goes back"
        self.now = now_ms
        self.handlers[type(event)](event)
        return self.finished()

    def finished(self) -> list[Effect]:
        """End a step: say when to wake, and hand the effects over."""
        at = self.due()
        if at <= self.now:
            self.on_time()
            at = self.due()
        if at != self.wake_at:
            self.wake_at = at
            self.out.append(Wake(at))
        effects, self.out = self.out, []
        return effects

    # --- events ----------------------------------------------------------------------------------
    def on_tick(self, event: Tick) -> None:
        """Do nothing but what every step does in the end: look at the time."""

    def on_received(self, event: Received) -> None:
        """Take a message."""
        message = event.message
        if isinstance(message, Vote):
            self.on_vote(event.sender, message)
        elif isinstance(message, Certificate):
            self.on_certificate(event.sender, message)
        elif message.epoch == self.validators.epoch:
            self.answer(event.sender, message.view)

    def on_work_arrived(self, event: WorkArrived) -> None:
        """Expect the leader to propose from now on (E1)."""
        if self.work_since is None:
            self.work_since = self.now
            if self.view:
                held = self.rounds.at(self.view)
                delta = self.settings.times.delta(self.view, self.floor.view)
                due = min(held.t_leader, self.now + 2 * delta)
                held.t_cert += due - held.t_leader
                held.t_leader = due

    def on_work_done(self, event: WorkDone) -> None:
        """Expect no proposal before the heartbeat."""
        self.work_since = None

    def on_built(self, event: Built) -> None:
        """Propose, or give up (B1, B2)."""
        held = self.rounds.find(event.view)
        if held is None or event.view <= self.floor.view or not held.build_asked:
            return
        if event.payload is None:
            self.give_up(held, Reason.MISSING_PROPOSAL)
            return
        asked, held.building = held.building, None
        if held.ballot.slot is not None or asked is None:
            return  # a certificate for another proposal has come
        parent_view, payload = asked
        proposal = Proposal(self.validators.epoch, event.view, parent_view, event.payload)
        found = self.rules.ancestry(proposal, self.rounds, self.floor.view)
        if found.verdict == Verdict.SETTLED and self.payload_at(parent_view) == payload:
            held.ballot = held.ballot._replace(slot=proposal, status=Status.VERIFIED)
            self.try_votes(held)
        else:
            # The floor has moved meanwhile.
            held.build_asked = False
            self.lead()

    def on_verified(self, event: Verified) -> None:
        """Notarize what is valid (A3)."""
        held = self.rounds.find(event.proposal.view)
        if held is None or held.verifying != (event.proposal, event.parent_payload):
            return
        held.verifying = None
        ballot = held.ballot
        if ballot.slot != event.proposal or ballot.status != Status.UNVERIFIED:
            return
        parent_view = event.proposal.parent_view
        if parent_view < self.floor.view or self.payload_at(parent_view) != event.parent_payload:
            held.pending = True
            self.consider(held)
        elif event.ok:
            held.ballot = ballot._replace(status=Status.VERIFIED)
            self.try_votes(held)
        else:
            reason = Reason.IGNORED_PROPOSAL if event.ok is None else Reason.INVALID_PROPOSAL
            self.give_up(held, reason)

    def on_certified(self, event: Certified) -> None:
        """Go on, or give up (C1, C2)."""
        held = self.rounds.find(event.proposal.view)
        if held is None or held.ballot.certify != Certification.RUNNING:
            return
        if held.ballot.notarization != event.proposal:
            return
        verdict = Certification.TRUE if event.ok else Certification.FALSE
        held.ballot = held.ballot._replace(certify=verdict)
        view, payload = event.proposal.view, event.proposal.payload
        entry = journal.certified_bytes(view, payload, event.ok)
        self.out.append(Journal(Record.CERTIFIED, view, entry))
        if event.ok:
            self.enter(view + 1)
            self.try_votes(held)
        else:
            self.give_up(held, Reason.FAILED_CERTIFICATION)
        self.settle()

    def on_floored(self, event: Floored) -> None:
        """Go on from a final state that the application came by otherwise (CONSENSUS 3, J8)."""
        view = event.certificate.subject.view
        if view > self.floor.view:
            held = self.rounds.at(view)
            self.recall(held, event.certificate)
            self.store(held, event.certificate)

    def on_vote(self, sender: int, vote: Vote) -> None:
        """Take a vote from its signer."""
        subject = vote.subject
        view = subject.view
        if vote.signer != sender or subject.epoch != self.validators.epoch:
            self.offend(sender, "votes_misplaced")
            return
        # Only who votes is a leader to wait for, whatever else it sends.
        self.heard[sender] = self.now
        if subject.kind == NULLIFY and view < self.view:
            self.answer(sender, view)
        if view <= self.floor.view or view > self.view + VIEWS_AHEAD:
            self.count("votes_out_of_window")
            return
        held = self.rounds.at(view)
        leads = self.validators.leader(view) == sender
        if subject.kind == NULLIFY and leads and view == self.view:
            self.give_up(held, Reason.LEADER_NULLIFY)
        self.tallied(held, vote, False)
        if subject.kind == NOTARIZE and leads and view <= self.view + 1:
            self.adopt(held)

    def on_certificate(self, sender: int, certificate: Certificate) -> None:
        """Take a certificate from anybody."""
        subject = certificate.subject
        if subject.view <= self.floor.view or subject.epoch != self.validators.epoch:
            return
        held = self.rounds.find(subject.view)
        if held is not None and subject.kind in held.certificates:
            return
        if not certificate_holds(certificate, self.validators, self.scheme, self.quorum):
            self.offend(sender, "certificates_forged")
            return
        held = self.rounds.at(subject.view)
        self.recall(held, certificate)
        self.store(held, certificate)
        self.compare(held, certificate)

    # --- proposals -------------------------------------------------------------------------------
    def adopt(self, held: Round) -> None:
        """Let the leader's proposal take the slot, once its signature is checked (P1)."""
        ballot = held.ballot
        leader = self.validators.leader(ballot.view)
        vote = held.tally.votes.get((NOTARIZE, leader))
        if ballot.slot is not None or vote is None or leader == self.me:
            return
        if ballot.status == Status.EQUIVOCATED:
            return  # both were seen before the view came near
        if not held.tally.sound((NOTARIZE, leader), self.scheme):
            held.tally.drop((NOTARIZE, leader), self.validators)
            self.offend(leader, "votes_forged")
            return
        proposal = vote.subject.proposal
        held.ballot = ballot._replace(slot=proposal, status=Status.UNVERIFIED)
        held.pending = True
        self.consider(held)

    def consider(self, held: Round) -> None:
        """Have a proposal judged as soon as its ancestry is settled (A1 to A3)."""
        ballot = held.ballot
        if not held.pending or ballot.slot is None or ballot.view <= self.floor.view:
            return
        if ballot.status != Status.UNVERIFIED or held.verifying is not None:
            return
        found = self.rules.ancestry(ballot.slot, self.rounds, self.floor.view)
        if found.verdict == Verdict.MISSING:
            leader = self.validators.leader(ballot.view)
            self.out += self.fetching.want(self.validators.epoch, found.view, leader, self.now)
        elif found.verdict == Verdict.INVALID:
            held.pending = False
            self.give_up(held, Reason.INVALID_PROPOSAL)
        elif found.verdict == Verdict.SETTLED:
            held.pending = False
            payload = self.payload_at(ballot.slot.parent_view)
            held.verifying = (ballot.slot, payload)
            self.out.append(Verify(ballot.slot, payload))

    def lead(self) -> None:
        """Ask for a payload in a view of mine, once (E3)."""
        view = self.view
        held = self.rounds.at(view)
        ballot = held.ballot
        idle = ballot.slot is None and ballot.my_notarize is None and not ballot.my_nullify
        if held.build_asked or not idle or not self.votes_in(view):
            return
        if self.validators.leader(view) != self.me:
            return
        parent, missing = parent_for(view, self.rounds, self.floor.view)
        if missing:
            below = self.rounds.find(missing)
            if below is None or below.ballot.certify != Certification.RUNNING:
                self.out += self.fetching.want(self.validators.epoch, missing, None, self.now)
            return
        held.build_asked = True
        held.building = (parent, self.payload_at(parent))
        self.out.append(Build(view, parent, self.payload_at(parent)))

    def settle(self) -> None:
        """Look again at all that waits for a certificate."""
        for held in self.rounds.in_order():
            if held.pending and held.ballot.view <= self.view + 1:
                self.consider(held)
        self.lead()

    # --- views -----------------------------------------------------------------------------------
    def enter(self, view: int) -> None:
        """Enter a view, never one that is behind (E1 to E3)."""
        if view <= self.view:
            return
        self.view = view
        times, held = self.settings.times, self.rounds.at(view)
        delta = times.delta(view, self.floor.view)
        due = self.now + times.heartbeat_ms
        if self.work_since is not None:
            due = min(due, max(self.now, self.work_since))
        held.t_leader = due + 2 * delta
        held.t_cert = held.t_leader + delta
        held.t_retry = self.now + times.retry_ms
        leader = self.validators.leader(view)
        self.out.append(Entered(view, leader))
        self.adopt(held)
        ahead = self.rounds.find(view + 1)
        if ahead is not None:
            self.adopt(ahead)
        if held.ballot.slot is None:
            if leader in self.guilty:
                self.give_up(held, Reason.EQUIVOCATION)
            elif leader != self.me and self.is_silent(leader):
                self.give_up(held, Reason.INACTIVITY)
        elif held.ballot.status == Status.EQUIVOCATED and not held.certificates:
            self.give_up(held, Reason.EQUIVOCATION)
        self.lead()

    def is_silent(self, leader: int) -> bool:
        """Say whether a leader said nothing for skip_timeout while a quorum did."""
        since = self.now - self.settings.times.skip_timeout_ms
        if self.heard[leader] >= since:
            return False
        weights = self.validators.weights
        active = sum(
            weight
            for index, weight in enumerate(weights)
            if index == self.me or self.heard[index] >= since
        )
        return active >= self.quorum

    # --- time ------------------------------------------------------------------------------------
    def deadline(self) -> int:
        """Say until when the present view may go on as it is."""
        held = self.rounds.at(self.view)
        ballot = held.ballot
        if ballot.my_finalize is not None or not self.votes_in(self.view):
            return NEVER
        if ballot.my_nullify or held.gave_up:
            return held.t_retry
        if held.reason:
            return self.now
        return held.t_leader if ballot.slot is None else held.t_cert

    def due(self) -> int:
        """Say when the next thing is to be done for its time's sake."""
        return min(self.deadline(), self.standstill_at, self.fetching.due())

    def on_time(self) -> None:
        """Give up, retry, fetch and repeat what is due (T1, T2, S1)."""
        while self.deadline() <= self.now:
            self.timed_out(self.rounds.at(self.view))
        self.out += self.fetching.retried(self.validators.epoch, self.now)
        if self.standstill_at <= self.now:
            self.standstill_at = self.now + self.settings.times.standstill_ms
            self.count("standstills")
            self.said_again()

    def timed_out(self, held: Round) -> None:
        """Nullify the present view, or say so again with what let us in."""
        held.t_retry = self.now + self.settings.times.retry_ms
        ballot = held.ballot
        if not held.gave_up and not ballot.my_nullify:
            held.gave_up = True
            reason = held.reason
            if not reason:
                late = ballot.slot is None
                reason = Reason.LEADER_TIMEOUT if late else Reason.CERTIFICATION_TIMEOUT
            self.out.append(GaveUp(ballot.view, self.validators.leader(ballot.view), reason))
        if not ballot.my_nullify:
            self.sign(NULLIFY, None, held, True)
            return
        assert self.me is not None
        self.out += [Tell(vote) for vote in held.tally.own(self.me)]
        entry = self.entry()
        if entry is not None:
            self.out.append(Tell(entry))

    def entry(self) -> Certificate | None:
        """Give the certificate that let us into the present view."""
        before = self.rounds.find(self.view - 1)
        found = before.ending() if before is not None else None
        return found if found is not None else self.floor.certificate

    def said_again(self) -> None:
        """Repeat what others may have missed, lowest views first, within a bound (S1, R2)."""
        messages: list[Vote | Certificate] = []
        if self.floor.certificate is not None:
            messages.append(self.floor.certificate)
        for held in self.rounds.in_order():
            if held.ballot.view <= self.floor.view:
                continue
            messages += list(held.certificates.values())
            if self.me is not None:
                messages += held.tally.own(self.me)
        # The lowest views first: who is behind can use nothing else; and always the present one.
        if self.me is not None and len(messages) > STANDSTILL_MESSAGES:
            present = self.rounds.at(self.view).tally.own(self.me)
            messages = [*messages[: STANDSTILL_MESSAGES - len(present)], *present]
        self.out += [Tell(message) for message in messages[:STANDSTILL_MESSAGES]]

    def answer(self, peer: int, view: int) -> None:
        """Send a validator what ended a view that it is still in, or wants to know of (L1)."""
        if not self.fetching.may_answer(peer, view, self.now):
            return
        held = self.rounds.find(view)
        found = list(held.certificates.values()) if held is not None else []
        over = held is not None and (held.ballot.nullification or is_settled(held.ballot))
        if view < self.view and not over:
            # We left it by a certificate of a later view.
            beyond = self.floor.certificate if view <= self.floor.view else self.entry()
            found += [beyond] if beyond is not None else []
        self.out += [Tell(certificate, peer) for certificate in found]
