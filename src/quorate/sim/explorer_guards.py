"""The moves of the explored world: every answer that the voting rules can give, as bit masks.

A world is validators, views and the proposals that leaders could make. Its votes and certificates
are numbered once; a certificate is one bit. For a replica that has signed given votes in a view,
`Guards.moves` lists the votes it may sign next, each with the least sets of certificates that it
must hold. The answers come from the functions of `Rules` alone, called with every context:

    other views   each certificate held or not, each notarized payload in every state of
                  certification; `ancestry` judges them, and last_finalized follows from them
    own view      slot, status, notarization, certification, current view; `may_sign` judges them

`may_sign` sees the other views only as `settled` and `last_finalized`, so the two halves are
enumerated apart. Certificates of later views reach it only as a higher last_finalized, for which
the finalization of the own view stands. The rules compare proposals of one view for equality only,
so of those that are neither voted on nor remembered one stands for all, with the certificates of
each. What contexts are possible follows from what the core is trusted with:

    link          a block names its parent by digest. It can be VERIFIED where the replica holds no
                  certificate of the parent's view, or holds one of exactly that parent
    certify       a corrupt payload never certifies, another never fails to (it may not be done)
    slots_follow  (optional) the slot is that of the notarization held, else of the own notarize;
                  where these differ it is EQUIVOCATED; who signed finalize keeps the notarization
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

from quorate.ordering.rules import (
    RULES,
    Ballot,
    Ballots,
    Certify,
    Rules,
    Standing,
    Status,
    Verdict,
)
from quorate.types.consensus import Proposal, Subject, VoteKind, nullify_subject, subject_of

EPOCH: Final = 0
LETTERS: Final = "ABCDEFGH"
CERTIFY_OF_SOUND: Final = (Certify.TRUE, Certify.READY, Certify.RUNNING, Certify.ABORTED)
CERTIFY_OF_CORRUPT: Final = (Certify.FALSE, Certify.READY, Certify.RUNNING, Certify.ABORTED)


@dataclass(frozen=True)
class World:
    """What is explored.

    weights: of all validators. byzantine: those who vote for everything. amnesiac: honest ones
    who remember no vote of their own. payloads, corrupt: how many proposals a leader may make on
    each parent whose payload certifies, and whose payload does not. slots_follow: see above.
    symmetric: count states that differ by the names of like replicas once.
    """

    weights: tuple[int, ...]
    views: int
    payloads: int = 2
    corrupt: int = 0
    byzantine: tuple[int, ...] = ()
    amnesiac: tuple[int, ...] = ()
    slots_follow: bool = True
    symmetric: bool = True
    rules: Rules = RULES

    @property
    def total(self) -> int:
        """The weight of all."""
        return sum(self.weights)

    @property
    def honest(self) -> tuple[int, ...]:
        """The validators that follow the rules, like ones side by side."""
        kept = [index for index in range(len(self.weights)) if index not in self.byzantine]
        return tuple(sorted(kept, key=lambda index: (*self.kind(index), index)))

    def kind(self, index: int) -> tuple[int, bool]:
        """What tells a replica from another: its weight and whether it forgets."""
        return self.weights[index], index in self.amnesiac


def proposals_of(world: World) -> tuple[Proposal, ...]:
    """Make every proposal of a world: on genesis and on every proposal of a lower view.

    A payload stands for the digest of a block, which binds its ancestors: it is the parent's
    payload, the view and a letter, in lower case where the payload is corrupt.
    """
    letters = LETTERS[: world.payloads] + LETTERS[: world.corrupt].lower()
    made: list[Proposal] = []
    for view in range(1, world.views + 1):
        parents = [(0, b""), *((parent.view, parent.payload) for parent in made)]
        made += [
            Proposal(EPOCH, view, parent_view, payload + f"{view}{letter}".encode())
            for parent_view, payload in parents
            for letter in letters
        ]
    return tuple(made)


def parent_payload(proposal: Proposal) -> bytes:
    """Give the payload of the parent that a block names."""
    return proposal.payload[:-2]


def is_corrupt(proposal: Proposal) -> bool:
    """Say whether a payload never certifies."""
    return proposal.payload[-1:].islower()


def has_corrupt_part(proposal: Proposal) -> bool:
    """Say whether the payload of a proposal, or of one that it is built on, never certifies."""
    return proposal.payload != proposal.payload.upper()


class Layout:
    """Numbers for what can be signed. A field of `width` bits counts the weight behind each.

    Added to `bias`, the top bit of a field is set exactly when the weight reaches the quorum: the
    certificates that exist are found by one addition. unit, held: a subject's lowest and top bit.
    """

    def __init__(self, world: World) -> None:
        self.proposals = proposals_of(world)
        self.subjects: list[Subject] = []
        for view in range(1, world.views + 1):
            self.subjects.append(nullify_subject(EPOCH, view))
            for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
                self.subjects += [subject_of(kind, p) for p in self.proposals if p.view == view]
        width = world.total.bit_length() + 1
        self.unit = {subject: 1 << at * width for at, subject in enumerate(self.subjects)}
        self.held = {subject: unit << width - 1 for subject, unit in self.unit.items()}
        quorum = world.rules.quorum(world.total)
        assert 1 <= quorum <= 1 << width - 1
        everything = sum(self.unit.values())
        byzantine = sum([world.weights[index] for index in world.byzantine])
        self.bias = everything * ((1 << width - 1) - quorum + byzantine)
        self.certificates = sum(self.held.values())
        self.by_view = {
            view: [subject for subject in self.subjects if subject.view == view]
            for view in range(1, world.views + 1)
        }

    def at(self, view: int) -> list[Proposal]:
        """List the proposals of a view."""
        return [proposal for proposal in self.proposals if proposal.view == view]

    def mask(self, kind: int, proposal: Proposal | None) -> int:
        """Give the bit of a certificate, or 0 for none."""
        return 0 if proposal is None else self.held[subject_of(kind, proposal)]

    def held_in(self, mask: int) -> list[Subject]:
        """List the certificates of a mask."""
        return [subject for subject, bit in self.held.items() if mask & bit]

    def signed_in(self, votes: int) -> list[Subject]:
        """List the votes of a sum of units."""
        return [subject for subject, unit in self.unit.items() if votes & unit]


class Beyond(NamedTuple):
    """What `may_sign` sees of other views, and whether the block's parent link can be verified."""

    settled: bool
    linked: bool
    last_finalized: int
    finalization: Proposal | None


class Memory(NamedTuple):
    """The votes of its own in one view that a replica remembers."""

    notarize: Proposal | None
    nullify: bool
    finalize: Proposal | None


class Move(NamedTuple):
    """A vote and the least sets of certificates of which one must be held to sign it."""

    subject: Subject
    needs: tuple[int, ...]


class Guards:
    """Answers of the rules in one world, each asked once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.layout = Layout(world)
        self.beyond_of: dict[tuple[int, Proposal | None], dict[Beyond, tuple[int, ...]]] = {}
        self.moves_of: dict[tuple[int, int, bool], tuple[Move, ...]] = {}

    def moves(self, view: int, votes: int, forgets: bool) -> tuple[Move, ...]:
        """List what may be signed in a view by a replica that has signed `votes` in it."""
        key = view, votes, forgets
        if key not in self.moves_of:
            memories = [Memory(None, False, None)] if forgets else list(self.memories(votes))
            found = []
            for subject in self.layout.by_view[view]:
                if not votes & self.layout.unit[subject]:
                    needs = [n for memory in memories for n in self.needs(subject, memory)]
                    if needs:
                        found.append(Move(subject, least(needs)))
            self.moves_of[key] = tuple(found)
        return self.moves_of[key]

    def memories(self, votes: int) -> Iterator[Memory]:
        """Give what a replica may remember: all, or one of two notarizes if a rule allowed two."""
        signed = self.layout.signed_in(votes)
        nullified = any(s.kind == VoteKind.NULLIFY for s in signed)
        remembered: dict[int, list[Proposal | None]] = {}
        for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
            remembered[kind] = [s.proposal for s in signed if s.kind == kind] or [None]
        for notarize, finalize in product(*remembered.values()):
            yield Memory(notarize, nullified, finalize)

    def needs(self, subject: Subject, memory: Memory) -> tuple[int, ...]:
        """Ask `may_sign` in every context; give the certificates of those where it agrees."""
        proposal = None if subject.kind == VoteKind.NULLIFY else subject.proposal
        may_sign = self.world.rules.may_sign
        named = [p for p in (proposal, memory.notarize, memory.finalize) if p is not None]
        named = list(dict.fromkeys(named))
        found: tuple[int, ...] = ()
        for notarization, nullification, held in self.own_certificates(subject.view, named):
            for beyond, masks in self.beyond(subject.view, proposal).items():
                wanted = [mask | other for mask in held for other in masks]
                if all(any(have & want == have for have in found) for want in wanted):
                    continue
                if any(
                    may_sign(subject.kind, proposal, ballot, standing, beyond.settled)
                    for ballot in self.ballots(
                        Ballot(
                            view=subject.view,
                            my_notarize=memory.notarize,
                            my_nullify=memory.nullify,
                            my_finalize=memory.finalize,
                            notarization=notarization,
                            nullification=nullification,
                            finalization=beyond.finalization,
                        ),
                        proposal if not beyond.linked else None,
                        named,
                    )
                    for standing in (
                        Standing(subject.view, beyond.last_finalized),
                        Standing(subject.view + 1, beyond.last_finalized),
                    )
                ):
                    found = least([*found, *wanted])
        return found

    def own_certificates(
        self, view: int, named: list[Proposal]
    ) -> Iterator[tuple[Proposal | None, bool, list[int]]]:
        """Give what may be held of the own view, the proposals that stand for each other as one."""
        layout = self.layout
        null = layout.held[nullify_subject(EPOCH, view)]
        alike: list[list[Proposal]] = [[proposal] for proposal in named]
        for corrupt in (False, True):
            alike.append([p for p in self.unnamed(view, named) if is_corrupt(p) == corrupt])
        notarizations: list[tuple[Proposal | None, list[int]]] = [(None, [0])]
        for group in alike:
            masks = [layout.mask(VoteKind.NOTARIZE, proposal) for proposal in group]
            notarizations += [(group[0], masks)] if group else []
        for notarization, masks in notarizations:
            yield notarization, False, masks
            yield notarization, True, [mask | null for mask in masks]

    def ballots(
        self, held: Ballot, unlinked: Proposal | None, named: list[Proposal]
    ) -> Iterator[Ballot]:
        """Complete a ballot by every slot, status and state of certification.

        unlinked: a proposal that cannot be verified now.
        """
        for status in Status:
            for slot in self.slots(held, status, named):
                if status == Status.VERIFIED and slot == unlinked != held.my_notarize:
                    continue
                for certify in certifications(held.notarization):
                    yield held._replace(slot=slot, status=status, certify=certify)

    def slots(self, held: Ballot, status: Status, named: list[Proposal]) -> list[Proposal | None]:
        """List what a slot of the given status may hold."""
        if self.world.slots_follow:
            if held.my_finalize not in (None, held.notarization):
                return []
            bound = held.notarization or held.my_notarize
            if bound is not None:
                torn = held.my_notarize not in (None, bound)
                possible = status == Status.EQUIVOCATED if torn else status != Status.NONE
                return [bound] if possible else []
        if status == Status.NONE:
            return [None]
        shown = [*named] if held.notarization is None else [*named, held.notarization]
        return [*dict.fromkeys(shown), *self.unnamed(held.view, shown)[:1]]

    def unnamed(self, view: int, named: list[Proposal]) -> list[Proposal]:
        """List the proposals of a view but for some."""
        return [proposal for proposal in self.layout.at(view) if proposal not in named]

    def beyond(self, view: int, proposal: Proposal | None) -> dict[Beyond, tuple[int, ...]]:
        """Ask `ancestry` in every context; give what `may_sign` sees, and what it takes."""
        key = view, proposal
        if key not in self.beyond_of:
            found: dict[Beyond, list[int]] = {}
            own = self.layout.at(view)[:1] if proposal is None else [proposal]
            below = product(*[list(self.knowledge(u)) for u in range(1, view)])
            for known, finalization in product(below, [None, *own]):
                ballots = {ballot.view: ballot for ballot, _ in known}
                finalized = [u for u, ballot in ballots.items() if ballot.finalization is not None]
                last_finalized = max([0, *finalized]) if finalization is None else view
                seen = self.judged(proposal, ballots, last_finalized, finalization)
                mask = self.layout.mask(VoteKind.FINALIZE, finalization)
                for _, held in known:
                    mask |= held
                found.setdefault(seen, []).append(mask)
            self.beyond_of[key] = {seen: least(masks) for seen, masks in found.items()}
        return self.beyond_of[key]

    def judged(
        self,
        proposal: Proposal | None,
        ballots: Ballots,
        last_finalized: int,
        finalization: Proposal | None,
    ) -> Beyond:
        """Judge one context of the other views."""
        if proposal is None:
            return Beyond(False, False, last_finalized, finalization)
        verdict = self.world.rules.ancestry(proposal, ballots, last_finalized).verdict
        parent = ballots.get(proposal.parent_view, Ballot(0))
        certified = [c.payload for c in (parent.notarization, parent.finalization) if c is not None]
        linked = not certified or parent_payload(proposal) in certified
        return Beyond(verdict == Verdict.SETTLED, linked, last_finalized, finalization)

    def knowledge(self, view: int) -> Iterator[tuple[Ballot, int]]:
        """Give every combination of certificates that a replica may hold of another view."""
        layout = self.layout
        proposals = layout.at(view)
        null = layout.held[nullify_subject(EPOCH, view)]
        for notarization, nullified, finalization in product(
            [None, *proposals], (False, True), [None, *proposals]
        ):
            mask = layout.mask(VoteKind.NOTARIZE, notarization) | (null if nullified else 0)
            mask |= layout.mask(VoteKind.FINALIZE, finalization)
            for certify in certifications(notarization):
                ballot = Ballot(
                    view=view,
                    notarization=notarization,
                    nullification=nullified,
                    finalization=finalization,
                    certify=certify,
                )
                yield ballot, mask


def certifications(notarization: Proposal | None) -> tuple[Certify, ...]:
    """List how far the certification of a notarized payload may be."""
    if notarization is None:
        return (Certify.READY,)
    return CERTIFY_OF_CORRUPT if is_corrupt(notarization) else CERTIFY_OF_SOUND


def least(masks: list[int]) -> tuple[int, ...]:
    """Keep the masks that contain no other."""
    kept: list[int] = []
    for mask in sorted(dict.fromkeys(masks), key=int.bit_count):
        if not any(have & mask == have for have in kept):
            kept.append(mask)
    return tuple(kept)
