"""The voting rules in every schedule of small worlds: what holds, and which broken rule is found.

Each search asks the functions of ordering/rules.py. Safety is judged with slots that may hold
anything (`slots_follow=False`), so it rests on the guards alone; that the honest are never in the
evidence needs slots that follow the certificates, as the core keeps them.
"""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.ordering.rules import (
    RULES,
    Ballot,
    Certify,
    Rules,
    Standing,
    Status,
    Verdict,
    ancestry,
    may_sign,
    parent_for,
)
from quorate.sim.explorer import AGREEMENT, ALL_INVARIANTS, SAFETY, Search, explore, reachable
from quorate.sim.explorer_guards import Guards, World, is_corrupt, parent_payload
from quorate.types.consensus import Proposal, VoteKind, nullify_subject, subject_of
from tests.ordering.broken_rules import MUTANTS, notarize_not_after_nullify

LIKE_FOUR = (1, 1, 1, 1)


def free(weights: tuple[int, ...], views: int, payloads: int, **other: object) -> World:
    """Make a world in which a slot may hold anything."""
    world = World(weights, views, payloads, slots_follow=False)
    return replace(world, **other)  # type: ignore[arg-type]


# --- what holds ----------------------------------------------------------------------------------
def test_two_views_two_proposals_with_the_slots_of_the_core() -> None:
    outcome = explore(World(LIKE_FOUR, 2, 2, byzantine=(3,)), ALL_INVARIANTS)
    assert (outcome.broken, outcome.exhausted, outcome.states) == ("", True, 48_330), outcome.trace


@pytest.mark.slow
def test_two_views_two_proposals_by_the_guards_alone() -> None:
    outcome = explore(free(LIKE_FOUR, 2, 2, byzantine=(3,)), SAFETY)
    assert (outcome.broken, outcome.exhausted, outcome.states) == ("", True, 62_432), outcome.trace


@pytest.mark.slow
def test_three_views() -> None:
    outcome = explore(free(LIKE_FOUR, 3, 1, byzantine=(3,)), SAFETY)
    assert (outcome.broken, outcome.exhausted) == ("", True), outcome.trace
    assert outcome.states == 1_247_333


@pytest.mark.slow
def test_seven_validators_two_byzantine() -> None:
    outcome = explore(free((1,) * 7, 2, 1, byzantine=(5, 6)), SAFETY)
    assert (outcome.broken, outcome.exhausted, outcome.states) == ("", True, 422_105), outcome.trace


SOUND = {
    "corrupt payloads": (free(LIKE_FOUR, 2, 1, byzantine=(3,), corrupt=1), 26_583),
    "five validators": (free((1,) * 5, 2, 1, byzantine=(4,)), 19_095),
    "one lost journal": (free(LIKE_FOUR, 2, 1, amnesiac=(2,)), 140_848),
    "a heavy Byzantine": (free((2, 2, 1, 1, 1), 2, 1, byzantine=(0,)), 197_064),
    "two light Byzantine": (free((2, 2, 1, 1, 1), 2, 1, byzantine=(3, 4)), 13_946),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_the_quorum_tolerates(name: str) -> None:
    world, states = SOUND[name]
    outcome = explore(world, SAFETY)
    assert (outcome.broken, outcome.exhausted, outcome.states) == ("", True, states), outcome.trace


# --- what breaks ---------------------------------------------------------------------------------
THREE_OF_FIVE = RULES._replace(quorum=lambda total: 3)
BEYOND_THE_QUORUM = {
    "quorum 2f+1 of five": free((1,) * 5, 1, 2, byzantine=(4,), rules=THREE_OF_FIVE),
    "two Byzantine of four": free(LIKE_FOUR, 1, 2, byzantine=(2, 3)),
    "a Byzantine and a lost journal": free(LIKE_FOUR, 1, 2, byzantine=(3,), amnesiac=(2,)),
    "two lost journals": free(LIKE_FOUR, 1, 2, amnesiac=(2, 3)),
    "a Byzantine of three sevenths": free((3, 2, 1, 1), 1, 2, byzantine=(0,)),
}


@pytest.mark.parametrize("name", BEYOND_THE_QUORUM)
def test_more_than_the_quorum_tolerates_breaks_agreement(name: str) -> None:
    outcome = explore(BEYOND_THE_QUORUM[name], AGREEMENT)
    assert outcome.broken == "I5"


def test_a_violation_is_told_step_by_step() -> None:
    outcome = explore(BEYOND_THE_QUORUM["two Byzantine of four"], AGREEMENT)
    assert outcome.trace == (
        "replica 0 signs notarize 1A",
        "replica 1 signs notarize 1B",
        "replica 0 signs finalize 1A, holding notarization 1A",
        "replica 1 signs finalize 1B, holding notarization 1B",
        "I5 is broken: 1A and 1B can both be finalized",
    )


def test_a_search_cut_short_says_so() -> None:
    outcome = explore(free(LIKE_FOUR, 2, 1, byzantine=(3,)), SAFETY, states_max=100)
    assert not outcome.exhausted and not outcome.broken and outcome.states > 100


SMALL = free(LIKE_FOUR, 1, 2, byzantine=(3,))
TWO_VIEWS = free(LIKE_FOUR, 2, 1, byzantine=(3,))
WITH_CORRUPT = free((2, 1, 1), 2, 1, byzantine=(2,), corrupt=1)
TWO_PROPOSALS = free((2, 1, 1), 2, 2, byzantine=(2,))
CORE_SLOTS = World(LIKE_FOUR, 1, 2, byzantine=(3,))

# A mutant, a world that shows it, the invariant that it breaks first.
FOUND: list[tuple[str, World, str]] = [
    ("notarize twice", SMALL, "I1"),
    ("notarize unverified", WITH_CORRUPT, "I4"),
    ("notarize what is not in the slot", CORE_SLOTS, "I6"),
    ("notarize unsettled", TWO_VIEWS, "I4"),
    ("no gap check", TWO_VIEWS, "I4"),
    ("no parent check", TWO_VIEWS, "I4"),
    ("build on uncertified", WITH_CORRUPT, "I7"),
    ("nullify after finalize", SMALL, "I2"),
    ("finalize after nullify", SMALL, "I2"),
    ("finalize without notarization", SMALL, "I3"),
    ("finalize without certify", WITH_CORRUPT, "I7"),
    ("finalize equivocated", CORE_SLOTS, "I6"),
]
# Mutants in which two chains become final, not only the argument for one chain fails.
FORKING = [
    pytest.param("notarize twice", TWO_PROPOSALS, marks=pytest.mark.slow),
    pytest.param("notarize unverified", TWO_PROPOSALS, marks=pytest.mark.slow),
    ("notarize unsettled", TWO_VIEWS),
    ("no gap check", TWO_VIEWS),
    ("nullify after finalize", TWO_VIEWS),
    ("finalize after nullify", TWO_VIEWS),
    ("finalize without notarization", TWO_VIEWS),
]
# Mutants that reach the very states of the sound rules.
UNSEEN = {
    "build below finalized": "another condition covers it: what is finalized is not nullified, so"
    " a proposal that skips it has a gap",
    "finalize twice": "another condition covers it: one notarization a view, so one proposal",
    "nullify in any view": "the model grants any current view: this is about progress",
    "finalize below finalized": "the model grants not to know of a finalization: the vote is late,"
    " not wrong",
}


def broken(world: World, mutant: str) -> World:
    """Give a world in which everybody follows a mutant of the rules."""
    return replace(world, rules=MUTANTS[mutant])


def judged(world: World) -> tuple[str, ...]:
    """Choose the invariants that a world is to keep."""
    return ALL_INVARIANTS if world.slots_follow else SAFETY


@cache
def is_safe(world: World) -> bool:
    """Say whether a world keeps its invariants in every state."""
    return explore(world, judged(world)).exhausted


def test_every_mutant_is_judged() -> None:
    assert sorted([name for name, _, _ in FOUND] + list(UNSEEN)) == sorted(MUTANTS)


@pytest.mark.parametrize(("mutant", "world", "invariant"), FOUND, ids=[f[0] for f in FOUND])
def test_a_broken_rule_is_found(mutant: str, world: World, invariant: str) -> None:
    assert is_safe(world)
    assert explore(broken(world, mutant), judged(world)).broken == invariant


@pytest.mark.parametrize(("mutant", "world"), FORKING)
def test_a_broken_rule_forks_the_chain(mutant: str, world: World) -> None:
    assert is_safe(world)
    assert explore(broken(world, mutant), AGREEMENT).broken == "I5"


def test_two_notarizes_need_a_second_view_to_fork_the_chain() -> None:
    one_view = replace(TWO_PROPOSALS, views=1)
    assert explore(broken(one_view, "notarize twice"), AGREEMENT).exhausted


@pytest.mark.parametrize("mutant", UNSEEN)
def test_what_the_model_cannot_see_changes_no_state(mutant: str) -> None:
    for world in (TWO_VIEWS, SMALL):
        assert reachable(broken(world, mutant)) == reachable(world), UNSEEN[mutant]


@pytest.mark.parametrize("world", [TWO_VIEWS, SMALL, replace(TWO_VIEWS, slots_follow=True)])
def test_a_notarize_after_a_nullify_adds_no_state(world: World) -> None:
    strict = replace(world, rules=notarize_not_after_nullify())
    assert reachable(strict) == reachable(world)


# --- the evidence --------------------------------------------------------------------------------
def test_the_guards_alone_do_not_keep_the_honest_out_of_the_evidence() -> None:
    outcome = explore(SMALL, ALL_INVARIANTS)
    assert outcome.broken == "I6" and "notarize 1B and finalize 1A" in outcome.trace[-1]


def same_proposal(
    kind: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
) -> bool:
    """Sign notarize and finalize of one proposal only, whatever slot and status say."""
    mine = [p for p in (ballot.my_notarize, ballot.my_finalize) if p is not None]
    agrees = kind == VoteKind.NULLIFY or all(one == proposal for one in mine)
    return agrees and may_sign(kind, proposal, ballot, standing, settled)


def test_two_conditions_would_keep_them_out_without_slots() -> None:
    rules = RULES._replace(may_sign=same_proposal)
    for world in (SMALL, TWO_VIEWS):
        outcome = explore(replace(world, rules=rules), ALL_INVARIANTS)
        assert outcome.exhausted, outcome.trace
        core = explore(replace(world, slots_follow=True), ALL_INVARIANTS)
        assert outcome.states == core.states


# --- the explorer itself -------------------------------------------------------------------------
@pytest.mark.parametrize("world", [SMALL, TWO_VIEWS, replace(SMALL, byzantine=(), amnesiac=(3,))])
def test_like_replicas_stand_for_each_other(world: World) -> None:
    search = Search(world, ())
    sorted_states: dict[tuple[int, ...], None] = {}
    for state in reachable(replace(world, symmetric=False)):
        kinds = sorted(zip(search.kinds, state, strict=True))
        sorted_states[tuple(votes for _, votes in kinds)] = None
    found = [sorted(zip(search.kinds, state, strict=True)) for state in reachable(world)]
    assert sorted(tuple(votes for _, votes in state) for state in found) == sorted(sorted_states)


GUARDS = {
    world: Guards(world)
    for world in (
        free(LIKE_FOUR, 2, 2, byzantine=(3,)),
        free(LIKE_FOUR, 3, 1, byzantine=(3,)),
        WITH_CORRUPT,
    )
}


@given(st.data())
def test_no_context_allows_a_vote_that_the_explorer_leaves_out(data: st.DataObject) -> None:
    world = data.draw(st.sampled_from(list(GUARDS)))
    guards = GUARDS[world]
    layout = guards.layout
    proposal = data.draw(st.sampled_from(layout.proposals))
    kind = data.draw(st.sampled_from(list(VoteKind)))
    ballots = {view: ballot_drawn(data, guards, view) for view in range(1, world.views + 1)}
    finalized = [b.view for b in ballots.values() if b.finalization is not None]
    standing = Standing(data.draw(st.integers(1, 9)), max([0, *finalized]))
    ballot = ballots[proposal.view]
    settled = ancestry(proposal, ballots, standing.last_finalized).verdict == Verdict.SETTLED
    parent = ballots.get(proposal.parent_view, Ballot(0))
    certified = [c.payload for c in (parent.notarization, parent.finalization) if c is not None]
    linked = not certified or parent_payload(proposal) in certified
    if ballot.slot == proposal and ballot.status == Status.VERIFIED and not linked:
        ballot = ballot._replace(status=Status.UNVERIFIED)
    asked = None if kind == VoteKind.NULLIFY else proposal
    if not may_sign(kind, asked, ballot, standing, settled):
        return
    subject = subject_of(kind, proposal) if asked else nullify_subject(0, proposal.view)
    votes = votes_of(guards, ballot)
    if not votes & layout.unit[subject]:
        held = certificates_of(guards, list(ballots.values()))
        moves = guards.moves(proposal.view, votes, forgets=False)
        (move,) = [move for move in moves if move.subject == subject]
        assert any(need & held == need for need in move.needs)


def ballot_drawn(data: st.DataObject, guards: Guards, view: int) -> Ballot:
    """Draw a ballot: any votes of its own, any certificates, any slot."""
    maybe = st.sampled_from([None, *guards.layout.at(view)])
    notarization = data.draw(maybe)
    sound = notarization is not None and not is_corrupt(notarization)
    certify = data.draw(st.sampled_from([Certify.TRUE if sound else Certify.FALSE, Certify.READY]))
    return Ballot(
        view=view,
        slot=data.draw(maybe),
        status=data.draw(st.sampled_from(list(Status))),
        my_notarize=data.draw(maybe),
        my_nullify=data.draw(st.booleans()),
        my_finalize=data.draw(maybe),
        notarization=notarization,
        nullification=data.draw(st.booleans()),
        finalization=data.draw(maybe),
        certify=certify if notarization is not None else Certify.READY,
    )


def votes_of(guards: Guards, ballot: Ballot) -> int:
    """Add up the units of a replica's own votes in a view."""
    unit = guards.layout.unit
    votes = unit[nullify_subject(0, ballot.view)] if ballot.my_nullify else 0
    if ballot.my_notarize is not None:
        votes += unit[subject_of(VoteKind.NOTARIZE, ballot.my_notarize)]
    if ballot.my_finalize is not None:
        votes += unit[subject_of(VoteKind.FINALIZE, ballot.my_finalize)]
    return votes


def certificates_of(guards: Guards, ballots: list[Ballot]) -> int:
    """Give the mask of the certificates that ballots hold."""
    layout = guards.layout
    mask = 0
    for ballot in ballots:
        mask |= layout.mask(VoteKind.NOTARIZE, ballot.notarization)
        mask |= layout.mask(VoteKind.FINALIZE, ballot.finalization)
        mask |= layout.held[nullify_subject(0, ballot.view)] if ballot.nullification else 0
    return mask


def test_a_leader_builds_only_on_what_is_settled() -> None:
    guards = GUARDS[free(LIKE_FOUR, 3, 1, byzantine=(3,))]
    built = 0
    for first, _ in guards.knowledge(1):
        for second, _ in guards.knowledge(2):
            ballots = {1: first, 2: second}
            finalized = [b.view for b in ballots.values() if b.finalization is not None]
            last_finalized = max([0, *finalized])
            parent_view, missing = parent_for(3, ballots, last_finalized)
            if missing:
                assert not ballots[missing].nullification and missing > last_finalized
                continue
            built += 1
            proposal = Proposal(0, 3, parent_view, b"3A")
            assert ancestry(proposal, ballots, last_finalized).verdict == Verdict.SETTLED
    assert built > 100


def test_rules_are_asked_through_their_value() -> None:
    mute = Rules(may_sign=lambda *_: False)
    assert explore(free(LIKE_FOUR, 2, 1, rules=mute), ALL_INVARIANTS).states == 1
