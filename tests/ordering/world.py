"""One validator's core on a bench, with a scheme that costs nothing, and messages made by hand.

Leaders of four equal validators: view 1 is led by 1, 2 by 2, 3 by 3, 4 by 0. The core on the bench
is validator 0 unless a test says otherwise, so it leads view 4 first.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import TypeVar

from quorate.codec.consensus import encode_subject
from quorate.ordering.messages import (
    Accuse,
    Certified,
    Effect,
    Entered,
    Event,
    Finalized,
    GaveUp,
    Journal,
    Message,
    Offence,
    Reason,
    Received,
    Tell,
    Tick,
    Verified,
    Wake,
)
from quorate.ordering.rules import RULES, Rules
from quorate.ordering.simplex import Simplex
from quorate.ordering.timing import Times
from quorate.ordering.voting import GENESIS_FLOOR, Floor, Settings
from quorate.types.consensus import (
    GENESIS_PAYLOAD,
    Certificate,
    Proposal,
    Subject,
    ValidatorSet,
    Vote,
    VoteKind,
)

DELTA_MS, HEARTBEAT_MS, SKIP_MS, RETRY_MS, STANDSTILL_MS = 100, 200, 2_000, 500, 3_000
TIMES = Times(DELTA_MS, HEARTBEAT_MS, SKIP_MS, RETRY_MS, STANDSTILL_MS, 30_000)
LEADER_DUE_MS = HEARTBEAT_MS + 2 * DELTA_MS
CERTIFICATE_DUE_MS = LEADER_DUE_MS + DELTA_MS
FORGED = b"\xee" * 64

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE

E = TypeVar("E")


def signature_of(signer: int, subject: Subject) -> bytes:
    """Give what stands for a signature: only the sham schemes of these tests make it."""
    return sha256(signer.to_bytes(2, "little") + encode_subject(subject)).digest() * 2


class ShamScheme:
    """A scheme of SHA-256. It counts its checks, and can refuse to sign."""

    def __init__(self, me: int | None) -> None:
        self.me = me
        self.refuses = False
        self.checks = 0

    def sign(self, subject: Subject) -> bytes | None:
        if self.refuses or self.me is None:
            return None
        return signature_of(self.me, subject)

    def holds(self, subject: Subject, signer: int, signature: bytes) -> bool:
        self.checks += 1
        return signature == signature_of(signer, subject)


def validator_set(weights: Iterable[int], epoch: int = 0) -> ValidatorSet:
    """Make a set of so many validators."""
    kept = tuple(weights)
    keys = tuple(b"\x02" + index.to_bytes(32, "little") for index in range(len(kept)))
    return ValidatorSet(epoch, keys, kept)


# --- messages ------------------------------------------------------------------------------------
def proposal(view: int, parent: int | None = None, tag: int = 0, epoch: int = 0) -> Proposal:
    """Make the proposal of a view; another tag makes another."""
    body = sha256(b"%d %d" % (view, tag)).digest()
    return Proposal(epoch, view, view - 1 if parent is None else parent, body + bytes(36))


def about(kind: int, of: Proposal | int, epoch: int = 0) -> Subject:
    """Make a subject: of a proposal, or with a nullify of a view."""
    if isinstance(of, int):
        assert kind == NULLIFY
        return Subject(int(kind), epoch, of, 0, b"")
    return Subject(int(kind), of.epoch, of.view, of.parent_view, of.payload)


def vote(kind: int, of: Proposal | int, signer: int, epoch: int = 0) -> Vote:
    """Make a vote."""
    subject = about(kind, of, epoch)
    return Vote(subject, signer, signature_of(signer, subject))


def notarize(of: Proposal, signer: int) -> Vote:
    """Make a notarize."""
    return vote(NOTARIZE, of, signer)


def finalize(of: Proposal, signer: int) -> Vote:
    """Make a finalize."""
    return vote(FINALIZE, of, signer)


def nullify(view: int, signer: int) -> Vote:
    """Make a nullify."""
    return vote(NULLIFY, view, signer)


def certificate(
    kind: int, of: Proposal | int, signers: Iterable[int] = (1, 2, 3), epoch: int = 0
) -> Certificate:
    """Make a certificate of chosen signers, whether they are a quorum or not."""
    subject, kept = about(kind, of, epoch), tuple(signers)
    return Certificate(subject, kept, tuple(signature_of(signer, subject) for signer in kept))


def notarization(of: Proposal, signers: Iterable[int] = (1, 2, 3)) -> Certificate:
    """Make a notarization."""
    return certificate(NOTARIZE, of, signers)


def nullification(view: int, signers: Iterable[int] = (1, 2, 3)) -> Certificate:
    """Make a nullification."""
    return certificate(NULLIFY, view, signers)


def finalization(of: Proposal, signers: Iterable[int] = (1, 2, 3)) -> Certificate:
    """Make a finalization."""
    return certificate(FINALIZE, of, signers)


# --- effects -------------------------------------------------------------------------------------
def of_type(effects: list[Effect], kind: type[E]) -> list[E]:
    """List the effects of one type."""
    return [effect for effect in effects if isinstance(effect, kind)]


def told(effects: list[Effect], kind: type[E], to: int | None = None) -> list[E]:
    """List the messages of one type that were sent to one validator, or to all."""
    sent = [effect.message for effect in of_type(effects, Tell) if effect.to == to]
    return [message for message in sent if isinstance(message, kind)]


def votes_told(effects: list[Effect]) -> list[tuple[int, int]]:
    """List (kind, view) of the votes sent to all."""
    return [(sent.subject.kind, sent.subject.view) for sent in told(effects, Vote)]


def reasons(effects: list[Effect]) -> list[Reason]:
    """List why views were given up."""
    return [effect.reason for effect in of_type(effects, GaveUp)]


def done(effects: list[Effect]) -> list[Effect]:
    """List what a core does, without what it notes against its peers."""
    return [effect for effect in effects if not isinstance(effect, Offence)]


def offences(effects: list[Effect]) -> list[tuple[int, str]]:
    """List (peer, name) of the offences, each as often as it was counted."""
    found = of_type(effects, Offence)
    return [(effect.peer, effect.name) for effect in found for _ in range(effect.times)]


def accused(effects: list[Effect]) -> list[int]:
    """List who was accused."""
    return [effect.signer for effect in of_type(effects, Accuse)]


def finalized_views(effects: list[Effect]) -> list[int]:
    """List the views that became final."""
    return [effect.proposal.view for effect in of_type(effects, Finalized)]


def entered(effects: list[Effect]) -> list[int]:
    """List the views that began."""
    return [effect.view for effect in of_type(effects, Entered)]


class Bench:
    """A core, its clock, and everything that it ever asked for."""

    def __init__(
        self,
        me: int | None = 0,
        weights: Iterable[int] = (1, 1, 1, 1),
        floor: Floor = GENESIS_FLOOR,
        entries: Iterable[tuple[int, bytes]] = (),
        rules: Rules = RULES,
        vote_above: int = 0,
        now_ms: int = 1_000,
        started: bool = True,
    ) -> None:
        self.validators = validator_set(weights)
        self.scheme = ShamScheme(me)
        settings = Settings(self.validators, me, TIMES, vote_above)
        self.entries = [(int(record), data) for record, data in entries]
        self.core = Simplex(settings, self.scheme, floor, self.entries, rules)
        self.now_ms = now_ms
        self.wake_ms = 0
        self.effects: list[Effect] = []
        if started:
            self.first = self.took(self.core.start(now_ms))

    def took(self, effects: list[Effect]) -> list[Effect]:
        """Note effects, and write the journal as a log would."""
        self.effects += effects
        self.entries += [(int(e.record), e.data) for e in of_type(effects, Journal)]
        for wake in of_type(effects, Wake):
            self.wake_ms = wake.at_ms
        return effects

    def step(self, event: Event) -> list[Effect]:
        """Give the core an event at the present time."""
        return self.took(self.core.step(self.now_ms, event))

    def hears(self, *messages: Message, sender: int | None = None) -> list[Effect]:
        """Give messages: votes from their signers, all else from `sender` (1)."""
        made: list[Effect] = []
        for message in messages:
            signer = message.signer if isinstance(message, Vote) else 1
            made += self.step(Received(signer if sender is None else sender, message))
        return made

    def passes(self, ms: int) -> list[Effect]:
        """Let time pass, with one tick in the end."""
        self.now_ms += ms
        return self.step(Tick())

    def runs(self, ms: int) -> list[Effect]:
        """Let time pass, with a tick whenever the core asked for one."""
        end, made = self.now_ms + ms, []
        while self.wake_ms <= end:
            self.now_ms = max(self.now_ms, self.wake_ms)
            made += self.step(Tick())
        self.now_ms = end
        return made + self.step(Tick())

    def verdict(self, of: Proposal, ok: bool | None = True) -> list[Effect]:
        """Answer the Verify of a proposal whose parent is as the core believes."""
        parent = self.core.payload_at(of.parent_view) if of.parent_view else GENESIS_PAYLOAD
        return self.step(Verified(of, parent, ok))

    def certified(self, of: Proposal, ok: bool = True) -> list[Effect]:
        """Let a proposal be notarized by the others, and answer the Certify of it."""
        return self.hears(notarization(of)) + self.step(Certified(of, ok))

    def ballot(self, view: int):
        """Look at the ballot of a view."""
        return self.core.rounds[view]

    def restarted(self, **changes) -> "Bench":
        """Make a core from this one's journal."""
        settings = {"me": self.core.me, "weights": self.validators.weights} | changes
        return Bench(entries=self.entries, now_ms=self.now_ms, **settings)
