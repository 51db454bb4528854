"""A small seeded network of bare cores: loss, repetition, reordering, crashes, malicious voters.

The checks stand outside: they see what honest validators say, and count for themselves.
"""

import heapq
from collections.abc import Iterable
from hashlib import sha256
from random import Random

from quorate.ordering.messages import (
    Accuse,
    Build,
    Built,
    Certified,
    Certify,
    Effect,
    Event,
    Finalized,
    Journal,
    Message,
    Received,
    Tell,
    Tick,
    Verified,
    Verify,
    Wake,
    Want,
)
from quorate.ordering.simplex import Simplex
from quorate.ordering.voting import GENESIS_FLOOR, Floor, Settings
from quorate.types.consensus import Certificate, Proposal, Vote
from tests.ordering.world import (
    FINALIZE,
    FORGED,
    NOTARIZE,
    NULLIFY,
    TIMES,
    ShamScheme,
    nullify,
    signature_of,
    validator_set,
    vote,
)

BAD = b"\xba\xad"  # what an invalid payload starts with


def payload_of(view: int, maker: int, salt: int, bad: bool = False) -> bytes:
    """Make a payload; whoever is honest makes no bad one."""
    digest = sha256(b"%d %d %d" % (view, maker, salt)).digest()
    return ((BAD if bad else b"") + digest)[:32] + bytes(36)


def is_valid(payload: bytes) -> bool:
    """Judge a payload, alike everywhere."""
    return not payload.startswith(BAD)


class Witness:
    """Hears all that honest validators say; knows no rule but that of agreement.

    The malicious are taken to have voted for everything.
    """

    def __init__(self, count: int, malicious: Iterable[int]) -> None:
        self.count = count
        self.malicious = set(malicious)
        self.said: dict[tuple[int, int], dict[int, Vote]] = {}
        self.voters: dict[tuple[int, int, Proposal | None], set[int]] = {}
        self.finals: dict[int, Proposal] = {}

    def hears(self, signer: int, said: Vote) -> None:
        """Note an honest vote; no validator contradicts itself, whatever happened to it."""
        subject = said.subject
        kinds = self.said.setdefault((signer, subject.view), {})
        before = kinds.setdefault(subject.kind, said)
        assert before == said, f"validator {signer} said two things in view {subject.view}"
        assert not (NULLIFY in kinds and FINALIZE in kinds), (signer, subject.view)
        if NOTARIZE in kinds and FINALIZE in kinds:
            assert kinds[NOTARIZE].subject.proposal == kinds[FINALIZE].subject.proposal
        of = None if subject.kind == NULLIFY else subject.proposal
        assert of is None or is_valid(of.payload), "an honest vote for an invalid payload"
        self.voters.setdefault((subject.kind, subject.view, of), set()).add(signer)

    def shown(self, certificate: Certificate) -> None:
        """Note the votes in a certificate: some may have left in no other way."""
        subject, signers, signatures = certificate
        assert 3 * len(set(signers)) > 2 * self.count
        for signer, signature in zip(signers, signatures, strict=True):
            assert signature == signature_of(signer, subject)
            if signer not in self.malicious:
                self.hears(signer, Vote(subject, signer, signature))

    def finalized(self, final: Proposal, certificate: Certificate) -> None:
        """Note what somebody takes for final."""
        assert (certificate.subject.kind, certificate.subject.proposal) == (FINALIZE, final)
        self.shown(certificate)
        assert self.finals.setdefault(final.view, final) == final, "two finals of one view"

    def could_be(self, kind: int) -> dict[int, set[Proposal | None]]:
        """List what may have a certificate, by view."""
        found: dict[int, set[Proposal | None]] = {}
        for (voted, view, of), voters in self.voters.items():
            if voted == kind and 3 * len(voters | self.malicious) > 2 * self.count:
                found.setdefault(view, set()).add(of)
        return found

    def check(self) -> None:
        """Check the invariants I1 to I5 of CONSENSUS 1 over all that was ever said."""
        notarized, skipped = self.could_be(NOTARIZE), self.could_be(NULLIFY)
        final = self.could_be(FINALIZE)
        assert all(len(kept) == 1 for kept in notarized.values()), "I1"
        assert not set(final) & set(skipped), "I2"
        assert all(kept == notarized[view] for view, kept in final.items()), "I3"
        assert all(final[view] == {kept} for view, kept in self.finals.items())
        for view, kept in notarized.items():
            (of,) = kept
            assert of is not None
            assert of.parent_view == 0 or of.parent_view in notarized, "I4"
            assert all(below in skipped for below in range(of.parent_view + 1, view)), "I4"
        for view in final:
            at = view
            reached = set()
            while at > 0:
                reached.add(at)
                (of,) = notarized[at]
                assert of is not None
                at = of.parent_view
            assert {below for below in final if below <= view} <= reached, "I5"


class Malicious:
    """Votes for everything, to some and not to others; as a leader proposes two things at once."""

    def __init__(self, network: "Network", me: int) -> None:
        self.network, self.me = network, me
        self.seen: dict[object, None] = {}
        self.notarized = 0

    def hears(self, message: Message) -> None:
        if isinstance(message, Want) or message.subject in self.seen:
            return
        subject = message.subject
        self.seen[subject] = None
        if subject.kind == NULLIFY:
            self.says(nullify(subject.view, self.me))
        else:
            for kind in (NOTARIZE, FINALIZE):
                self.says(vote(kind, subject.proposal, self.me))
            self.says(nullify(subject.view, self.me))
        if isinstance(message, Certificate) and subject.kind != NULLIFY:
            self.notarized = max(self.notarized, subject.view)
        for view in (subject.view, subject.view + 1):
            if self.network.validators.leader(view) == self.me and view not in self.seen:
                self.seen[view] = None
                self.leads(view)
        self.annoys(subject.view)

    def says(self, message: Message, odds: float = 0.7) -> None:
        for peer in self.network.others(self.me):
            if self.network.random.random() < odds:
                self.network.sends(self.me, peer, message)

    def leads(self, view: int) -> None:
        random = self.network.random
        parent = random.choice([self.notarized, self.notarized, view - 1, 0])
        made = [payload_of(view, self.me, salt, random.random() < 0.2) for salt in (1, 2)]
        for payload in made:
            proposed = Proposal(0, view, min(parent, view - 1), payload)
            self.says(vote(NOTARIZE, proposed, self.me), 0.6)

    def annoys(self, view: int) -> None:
        random = self.network.random
        if random.random() < 0.1:
            far = view + random.randint(-3, 2**random.randint(1, 61))
            self.says(Want(0, max(far, 1)))
            self.says(nullify(max(far, 1), self.me))
            subject = nullify(max(far, 1), self.me).subject
            signers = tuple(range(self.network.count))[1:]
            signed = tuple(FORGED if s != self.me else signature_of(s, subject) for s in signers)
            self.says(Certificate(subject, signers, signed))


class Node:
    """An honest validator: its core, its disk, and how often it was started."""

    def __init__(self, me: int) -> None:
        self.me = me
        self.core: Simplex | None = None
        self.scheme = ShamScheme(me)
        self.entries: list[tuple[int, bytes]] = []
        self.floor = GENESIS_FLOOR
        self.starts = 0
        self.wake_ms = 0


class Network:
    """All of them, and what lies between."""

    def __init__(
        self, seed: int, count: int, malicious: Iterable[int] = (), loss: float = 0.1
    ) -> None:
        self.random = Random(seed)
        self.count, self.loss = count, loss
        self.repeats, self.crashes, self.delay_ms_max = 0.1, 0.006, 80
        self.validators = validator_set((1,) * count)
        self.queue: list[tuple[int, int, int, int, Event]] = []
        self.now_ms = self.made = self.steps = self.restarts = 0
        self.malicious = {me: Malicious(self, me) for me in malicious}
        self.witness = Witness(count, self.malicious)
        self.nodes = {me: Node(me) for me in range(count) if me not in self.malicious}
        self.apart: set[int] = set()  # whom the others cannot hear, nor they them
        self.accused: set[int] = set()
        for node in self.nodes.values():
            self.starts(node)

    def others(self, me: int) -> list[int]:
        return [peer for peer in range(self.count) if peer != me]

    def push(self, at_ms: int, to: int, starts: int, event: Event) -> None:
        self.made += 1
        heapq.heappush(self.queue, (at_ms, self.made, to, starts, event))

    def sends(self, sender: int, to: int, message: Message) -> None:
        """Lose, delay or repeat a message."""
        if (sender in self.apart) != (to in self.apart):
            return
        while self.random.random() >= self.loss:
            at_ms = self.now_ms + self.random.randint(1, self.delay_ms_max)
            self.push(at_ms, to, -1, Received(sender, message))
            if self.random.random() >= self.repeats:
                return

    def starts(self, node: Node) -> None:
        """Start a validator from its disk; at times the application is ahead of the journal."""
        floor = node.floor if self.random.random() < 0.5 else GENESIS_FLOOR
        settings = Settings(self.validators, node.me, TIMES)
        node.core = Simplex(settings, node.scheme, floor, node.entries)
        node.starts += 1
        self.performs(node, node.core.start(self.now_ms))

    def performs(self, node: Node, effects: list[Effect]) -> None:
        """Do what a core asks; a crash may come between any two effects, or before the sync."""
        journals = [effect for effect in effects if isinstance(effect, Journal)]
        crash = effects and self.random.random() < self.crashes
        if crash and journals and self.random.random() < 0.5:
            kept = self.random.randrange(len(journals))
            node.entries += [(int(entry.record), entry.data) for entry in journals[:kept]]
            return self.stops(node)
        node.entries += [(int(entry.record), entry.data) for entry in journals]
        until = self.random.randrange(len(effects)) if crash else len(effects)
        for effect in effects[:until]:
            self.perform(node, effect)
        if crash:
            self.stops(node)
        return None

    def stops(self, node: Node) -> None:
        node.core = None
        self.restarts += 1
        self.push(self.now_ms + self.random.randint(10, 1_500), node.me, node.starts, Tick())

    def perform(self, node: Node, effect: Effect) -> None:
        """Do one thing that a core asks."""
        soon = self.now_ms + self.random.randint(0, 30)
        match effect:
            case Tell(message, to):
                if isinstance(message, Vote):
                    self.witness.hears(node.me, message)
                elif isinstance(message, Certificate):
                    self.witness.shown(message)
                for peer in self.others(node.me) if to is None else [to]:
                    self.sends(node.me, peer, message)
            case Build(view):
                payload = payload_of(view, node.me, node.starts)
                offered = None if self.random.random() < 0.02 else payload
                self.push(soon, node.me, node.starts, Built(view, offered))
            case Verify(of, parent):
                answer = Verified(of, parent, is_valid(of.payload))
                self.push(soon, node.me, node.starts, answer)
            case Certify(of):
                answer_ms = soon + self.random.choice([0, 0, 0, 400])
                self.push(answer_ms, node.me, node.starts, Certified(of, is_valid(of.payload)))
            case Finalized(final, certificate):
                self.witness.finalized(final, certificate)
                if final.view > node.floor.view:
                    node.floor = Floor(final.view, final.payload, certificate)
            case Wake(at_ms):
                node.wake_ms = at_ms
                self.push(at_ms, node.me, node.starts, Tick())
            case Accuse(signer):
                self.accused.add(signer)

    def runs(self, until_ms: int, floor: int | None = None) -> None:
        """Run to a time, or until all have finalized so much."""
        while self.queue and self.queue[0][0] <= until_ms:
            self.now_ms, _, to, starts, event = heapq.heappop(self.queue)
            if to in self.malicious:
                if isinstance(event, Received):
                    self.malicious[to].hears(event.message)
                continue
            node = self.nodes[to]
            if node.core is None:
                if starts == node.starts and isinstance(event, Tick):
                    self.starts(node)
                continue
            if starts not in (-1, node.starts):
                continue
            if isinstance(event, Tick) and node.wake_ms > self.now_ms:
                continue
            self.steps += 1
            self.performs(node, node.core.step(self.now_ms, event))
            if floor is not None and min(self.floors()) >= floor:
                return

    def floors(self) -> list[int]:
        """List how far each honest validator has finalized."""
        return [node.core.floor.view if node.core else 0 for node in self.nodes.values()]

    def heals(self) -> None:
        """Let messages through from here on, and nobody crash."""
        self.loss = self.repeats = self.crashes = 0.0
        self.apart = set()
        self.delay_ms_max = 20
