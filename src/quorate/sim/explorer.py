"""An exhaustive search of the voting rules: every schedule of a small world, breadth first.

Only votes are modelled. The over-approximation: every leader may make every proposal, a Byzantine
validator has signed everything from the start, and the network delivers any subset of the votes: an
honest replica may hold any certificate that could be formed of the votes signed so far, or not
(docs/CONSENSUS.md, section 1, *Model check*). A state is therefore what the honest have signed, no
more, and a step is one more vote of one of them. Whether a vote may be signed is asked of the
functions in a `Rules` value (explorer_guards.py); this module has no rules of its own.

Why one representative of like replicas is enough (`World.symmetric`): no rule and no invariant
names a replica, and leaders are not modelled; renaming replicas of equal weight and memory maps
steps to steps and violations to violations. A state is the sorted tuple of their votes.

Invariants, of what the votes signed so far could certify:

    I1  at most one proposal of a view is notarized
    I2  no view has both a finalization and a nullification
    I3  what is finalized is notarized
    I4  the parent of what is notarized is notarized, and every view between is nullified
    I5  any two finalized proposals are on one chain: agreement
    I6  no replica that follows the rules and keeps its memory signs what `conflict` calls evidence
    I7  what is finalized, and all that it is built on, has a payload that certifies
"""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import Final, NamedTuple

from quorate.ordering.rules import conflict
from quorate.sim.explorer_guards import EPOCH, Guards, World, has_corrupt_part, parent_payload
from quorate.types.consensus import Proposal, Subject, VoteKind, nullify_subject

SAFETY: Final = ("I1", "I2", "I3", "I4", "I5", "I7")
ALL_INVARIANTS: Final = ("I1", "I2", "I3", "I4", "I5", "I6", "I7")
AGREEMENT: Final = ("I5",)
KIND_NAMES: Final = {
    VoteKind.NOTARIZE: "notarize",
    VoteKind.NULLIFY: "nullify",
    VoteKind.FINALIZE: "finalize",
}
CERTIFICATE_NAMES: Final = {
    VoteKind.NOTARIZE: "notarization",
    VoteKind.NULLIFY: "nullification",
    VoteKind.FINALIZE: "finalization",
}


class Outcome(NamedTuple):
    """What a search found.

    states: distinct ones seen. exhausted: whether these are all that can be reached. broken: the
    name of the violated invariant, or nothing; trace: a shortest way there, one sentence a step.
    """

    states: int
    exhausted: bool
    broken: str = ""
    trace: tuple[str, ...] = ()


class Certified(NamedTuple):
    """The certificates that could be formed."""

    notarized: tuple[Proposal, ...]
    nullified: tuple[int, ...]
    finalized: tuple[Proposal, ...]


State = tuple[int, ...]
Replicas = tuple[tuple[int, bool], ...]


class Search:
    """A search under way: the votes of replicas by number, and what has been asked of the rules."""

    def __init__(self, world: World, invariants: tuple[str, ...]) -> None:
        self.world = world
        self.guards = Guards(world)
        self.layout = self.guards.layout
        self.invariants = invariants
        self.validators = world.honest
        self.kinds: Replicas = tuple(world.kind(index) for index in self.validators)
        self.classes = list(like_replicas(self.kinds)) if world.symmetric else []
        # The numbered vote sets, and for each kind of replica what follows from each.
        self.votes: list[int] = [0]
        self.number_of = {0: 0}
        self.next_of: dict[tuple[int, bool, int], tuple[int, ...]] = {}
        self.judgements: dict[int, tuple[str, str]] = {}
        # The states seen, each with the one that it was first reached from.
        self.came_from: dict[State, State | None] = {}
        self.view_masks = {
            view: sum([self.layout.unit[subject] for subject in subjects])
            for view, subjects in self.layout.by_view.items()
        }

    def certificates(self, state: State) -> int:
        """Give the mask of the certificates that the votes of a state could form."""
        votes, total = self.votes, self.layout.bias
        for number, (weight, _) in zip(state, self.kinds, strict=True):
            total += votes[number] * weight
        return total & self.layout.certificates

    def number(self, votes: int) -> int:
        """Number a set of votes."""
        if votes not in self.number_of:
            self.number_of[votes] = len(self.votes)
            self.votes.append(votes)
        return self.number_of[votes]

    def nexts(self, number: int, forgets: bool, certificates: int) -> tuple[int, ...]:
        """List the vote sets that one more vote of a replica leads to."""
        key = number, forgets, certificates
        known = self.next_of.get(key)
        if known is None:
            votes = self.votes[number]
            known = tuple(
                self.number(votes + self.layout.unit[move.subject])
                for view, mask in self.view_masks.items()
                for move in self.guards.moves(view, votes & mask, forgets)
                if any(need & certificates == need for need in move.needs)
            )
            self.next_of[key] = known
        return known

    def successors(self, state: State, certificates: int) -> Iterator[State]:
        """Give every state one vote further, like replicas in order."""
        previous = None
        for at, number in enumerate(state):
            here = number, self.kinds[at]
            if here == previous and self.classes:
                continue  # its twin has had these turns
            previous = here
            for changed in self.nexts(number, self.kinds[at][1], certificates):
                votes = [*state[:at], changed, *state[at + 1 :]]
                for start, end in self.classes:
                    if start <= at < end:
                        votes[start:end] = sorted(votes[start:end])
                yield tuple(votes)

    def fault(self, state: State, certificates: int) -> tuple[str, str]:
        """Name the first broken invariant of a state and say how it is broken."""
        known = self.judgements.get(certificates)
        if known is None:
            known = self.judgements[certificates] = self.certificate_fault(certificates)
        if known[0] or "I6" not in self.invariants:
            return known
        return self.vote_fault(state)

    def certificate_fault(self, certificates: int) -> tuple[str, str]:
        """Judge what depends on certificates alone."""
        held = self.layout.held_in(certificates)
        certified = Certified(
            tuple(s.proposal for s in held if s.kind == VoteKind.NOTARIZE),
            tuple(s.view for s in held if s.kind == VoteKind.NULLIFY),
            tuple(s.proposal for s in held if s.kind == VoteKind.FINALIZE),
        )
        for name, judge in JUDGES.items():
            said = judge(certified) if name in self.invariants else ""
            if said:
                return name, said
        return "", ""

    def vote_fault(self, state: State) -> tuple[str, str]:
        """Look for evidence against a replica that follows the rules and forgets nothing."""
        for number, (_, forgets) in zip(state, self.kinds, strict=True):
            signed = [] if forgets else self.layout.signed_in(self.votes[number])
            for first, second in combinations(signed, 2):
                if conflict(first, second):
                    said = f"one honest replica signed {vote_name(first)} and {vote_name(second)}"
                    return "I6", said
        return "", ""

    def run(self, states_max: int) -> Outcome:
        """Visit every state, the nearest first, until one breaks an invariant."""
        start: State = (0,) * len(self.kinds)
        came_from = self.came_from = {start: None}
        layer = [start]
        while layer:
            following: list[State] = []
            for state in layer:
                certificates = self.certificates(state)
                broken, said = self.fault(state, certificates)
                if broken:
                    trace = (*self.trace(state), f"{broken} is broken: {said}")
                    return Outcome(len(came_from), False, broken, trace)
                if len(came_from) > states_max:
                    return Outcome(len(came_from), False)
                for successor in self.successors(state, certificates):
                    if successor not in came_from:
                        came_from[successor] = state
                        following.append(successor)
            layer = following
        return Outcome(len(came_from), True)

    def trace(self, state: State) -> Iterator[str]:
        """Tell how a state was reached, with names for the replicas that sorting has mixed."""
        path = [state]
        while (before := self.came_from[path[-1]]) is not None:
            path.append(before)
        path.reverse()
        now = list(path[0])
        for before, after in pairwise(path):
            certificates = self.certificates(before)
            at, changed = self.step(now, after, certificates)
            added = self.layout.signed_in(self.votes[changed] - self.votes[now[at]])[0]
            yield self.sentence(at, added, self.votes[now[at]], certificates)
            now[at] = changed

    def step(self, now: list[int], after: State, certificates: int) -> tuple[int, int]:
        """Find whose vote leads from one state to the next: its place, and its votes then."""
        for at, number in enumerate(now):
            for changed in self.nexts(number, self.kinds[at][1], certificates):
                reached = [*now[:at], changed, *now[at + 1 :]]
                for start, end in self.classes:
                    reached[start:end] = sorted(reached[start:end])
                if tuple(reached) == after:
                    return at, changed
        raise AssertionError("a step of the search that cannot be taken")

    def sentence(self, at: int, added: Subject, votes: int, certificates: int) -> str:
        """Tell one step: who signs what, and the certificates that it takes."""
        forgets = self.kinds[at][1]
        moves = self.guards.moves(added.view, votes & self.view_masks[added.view], forgets)
        (move,) = [move for move in moves if move.subject == added]
        need = next(need for need in move.needs if need & certificates == need)
        holding = [certificate_name(subject) for subject in self.layout.held_in(need)]
        who = f"replica {self.validators[at]}{' (lost journal)' if forgets else ''}"
        return f"{who} signs {vote_name(added)}" + (
            f", holding {' and '.join(holding)}" if holding else ""
        )


def explore(
    world: World, invariants: tuple[str, ...] = ALL_INVARIANTS, states_max: int = 10**9
) -> Outcome:
    """Search a world until an invariant breaks, states_max is passed or every state is seen."""
    return Search(world, invariants).run(states_max)


def reachable(world: World) -> dict[State, None]:
    """Give every state that can be reached, each replica's votes as a sum of `Layout.unit`."""
    search = Search(world, ())
    search.run(10**9)
    found: dict[State, None] = {}
    for state in search.came_from:
        votes = [search.votes[number] for number in state]
        for start, end in search.classes:
            votes[start:end] = sorted(votes[start:end])
        found[tuple(votes)] = None
    return found


def like_replicas(kinds: Replicas) -> Iterator[tuple[int, int]]:
    """Give the ranges of places whose replicas differ only in name."""
    start = 0
    for at in range(1, len(kinds) + 1):
        if at == len(kinds) or kinds[at] != kinds[start]:
            yield start, at
            start = at


# --- the invariants ------------------------------------------------------------------------------
def notarized_twice(certified: Certified) -> str:
    """I1: at most one notarization in a view."""
    for first, second in combinations(certified.notarized, 2):
        if first.view == second.view:
            return f"{proposal_name(first)} and {proposal_name(second)} can both be notarized"
    return ""


def finalized_and_nullified(certified: Certified) -> str:
    """I2: a finalization and a nullification exclude each other."""
    for proposal in certified.finalized:
        if proposal.view in certified.nullified:
            return f"{proposal_name(proposal)} can be finalized and view {proposal.view} nullified"
    return ""


def finalized_unnotarized(certified: Certified) -> str:
    """I3: a finalization implies a notarization."""
    for proposal in certified.finalized:
        if proposal not in certified.notarized:
            return f"{proposal_name(proposal)} can be finalized, not notarized"
    return ""


def notarized_adrift(certified: Certified) -> str:
    """I4: the parent of what is notarized is notarized and the views between are nullified."""
    payloads = [proposal.payload for proposal in certified.notarized]
    for proposal in certified.notarized:
        if proposal.parent_view > 0 and parent_payload(proposal) not in payloads:
            return f"{proposal_name(proposal)} can be notarized, its parent cannot"
        for between in range(proposal.parent_view + 1, proposal.view):
            if between not in certified.nullified:
                return f"{proposal_name(proposal)} can be notarized, view {between} not nullified"
    return ""


def disagreement(certified: Certified) -> str:
    """I5: any two finalized proposals are on one chain. A payload starts with its ancestors'."""
    for first, second in combinations(certified.finalized, 2):
        low, high = sorted((first, second), key=lambda proposal: proposal.view)
        if not high.payload.startswith(low.payload) or low.view == high.view:
            return f"{proposal_name(first)} and {proposal_name(second)} can both be finalized"
    return ""


def finalized_corrupt(certified: Certified) -> str:
    """I7: what is finalized, and what it is built on, certifies."""
    for proposal in certified.finalized:
        if has_corrupt_part(proposal):
            return f"{proposal_name(proposal)} can be finalized, a payload of it never certifies"
    return ""


JUDGES: Final[dict[str, Callable[[Certified], str]]] = {
    "I1": notarized_twice,
    "I2": finalized_and_nullified,
    "I3": finalized_unnotarized,
    "I4": notarized_adrift,
    "I5": disagreement,
    "I7": finalized_corrupt,
}


# --- names ---------------------------------------------------------------------------------------
def proposal_name(proposal: Proposal) -> str:
    """Name a proposal by its chain: 1A<-2B is B of view 2 on A of view 1."""
    text = proposal.payload.decode()
    return "<-".join(text[at : at + 2] for at in range(0, len(text), 2))


def vote_name(subject: Subject) -> str:
    """Name a vote."""
    return subject_name(subject, KIND_NAMES)


def certificate_name(subject: Subject) -> str:
    """Name a certificate."""
    return subject_name(subject, CERTIFICATE_NAMES)


def subject_name(subject: Subject, names: dict[VoteKind, str]) -> str:
    """Name what is signed or certified."""
    kind = names[VoteKind(subject.kind)]
    if subject == nullify_subject(EPOCH, subject.view):
        return f"{kind} {subject.view}"
    return f"{kind} {proposal_name(subject.proposal)}"
