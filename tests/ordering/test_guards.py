"""What may be signed, against a table of its own; quorums and leaders, against brute force.

The table below is written from CONSENSUS 1 and 4 and shares nothing with ordering/rules.py.
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from math import gcd
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.ordering.rounds import Round
from quorate.ordering.rules import Ballot, Certify, Standing, Status, conflict, may_sign
from quorate.ordering.voting import Floor
from quorate.types.consensus import (
    Proposal,
    Subject,
    Vote,
    faulty_weight_max,
    leader_schedule,
    quorum_weight,
)
from tests.ordering.world import FINALIZE, NOTARIZE, NULLIFY, Bench, about, proposal, told

VIEW = 5
A, B = proposal(VIEW, 4), proposal(VIEW, 4, tag=1)


class Attempt(NamedTuple):
    """One attempt to sign in view VIEW."""

    kind: int
    of: Proposal | None


ATTEMPTS = [
    Attempt(int(NOTARIZE), A),
    Attempt(int(NOTARIZE), B),
    Attempt(int(NULLIFY), None),
    Attempt(int(FINALIZE), A),
    Attempt(int(FINALIZE), B),
]


class Scene(NamedTuple):
    """All that the guards may look at, besides what was signed."""

    slot: Proposal | None
    status: Status
    settled: bool
    notarization: Proposal | None
    certify: Certify
    view: int
    last_finalized: int


def scenes() -> Iterator[Scene]:
    """List every scene, also those that no run reaches."""
    yield from itertools.starmap(
        Scene,
        itertools.product(
            (None, A, B), Status, (False, True), (None, A, B), Certify,
            (VIEW - 1, VIEW, VIEW + 1), (VIEW - 2, VIEW - 1, VIEW, VIEW + 1),
        ),
    )  # fmt: skip


# --- the oracle ----------------------------------------------------------------------------------
def allowed(attempt: Attempt, said: tuple[Attempt, ...], scene: Scene) -> bool:
    """Decide by the words of CONSENSUS 1; `said` is what was signed before in this view."""
    notarized = [before.of for before in said if before.kind == 1]
    nullified = any(before.kind == 2 for before in said)
    final = [before.of for before in said if before.kind == 3]
    if attempt.kind == 1:
        verified = scene.status == 2 and scene.slot == attempt.of
        return not notarized and verified and scene.settled
    if attempt.kind == 2:
        return scene.view == VIEW and not final
    certified = scene.notarization == attempt.of and scene.certify == 2
    clean = not final and not nullified and scene.status != 3
    return scene.last_finalized < VIEW and certified and clean


def signer_refuses(attempt: Attempt, said: tuple[Attempt, ...]) -> bool:
    """Decide as a signer with the table of CONSENSUS 4, which knows only what was signed."""
    digests: dict[int, Proposal | None] = {before.kind: before.of for before in said}
    if attempt.kind == 1:
        return 1 in digests and digests[1] != attempt.of
    if attempt.kind == 2:
        return 3 in digests
    return 2 in digests or (3 in digests and digests[3] != attempt.of)


def ballot_of(scene: Scene, said: tuple[Attempt, ...]) -> Ballot:
    """Write a scene and what was signed in it as a ballot."""
    kept = {before.kind: before.of for before in said}
    return Ballot(
        VIEW, scene.slot, scene.status, kept.get(1), 2 in kept, kept.get(3), scene.notarization,
        False, None, scene.certify,
    )  # fmt: skip


def after(said: tuple[Attempt, ...], attempt: Attempt) -> tuple[Attempt, ...]:
    return said if attempt in said else (*said, attempt)


# --- the three guards ----------------------------------------------------------------------------
def test_every_sequence_of_three_attempts_in_every_scene_agrees_with_the_table() -> None:
    """Two steps are the beginnings of three."""
    signed, count = 0, 0
    for scene in scenes():
        reached: dict[tuple[Attempt, ...], None] = {(): None}
        for _ in range(3):
            onward: dict[tuple[Attempt, ...], None] = {}
            for said in reached:
                ballot = ballot_of(scene, said)
                standing = Standing(scene.view, scene.last_finalized)
                for attempt in ATTEMPTS:
                    verdict = may_sign(attempt.kind, attempt.of, ballot, standing, scene.settled)
                    assert verdict == allowed(attempt, said, scene), (scene, said, attempt)
                    assert not (verdict and signer_refuses(attempt, said)), (scene, said, attempt)
                    count += 1
                    signed += verdict
                    onward[after(said, attempt) if verdict else said] = None
            reached = onward
    assert count > 50_000 and signed > 5_000


def sequences(length: int) -> list[tuple[Attempt, ...]]:
    return list(itertools.product(ATTEMPTS, repeat=length))


LIVE_SCENES = [
    Scene(slot, status, settled, notarization, certify, VIEW, 4)
    for slot in (None, A)
    for status in Status
    for settled in (False, True)
    for notarization in (None, A, B)
    for certify in (Certify.RUNNING, Certify.TRUE)
]


@pytest.mark.parametrize("length", [2, 3])
def test_the_core_signs_what_the_table_allows_and_remembers_it(length: int) -> None:
    """The same through the core's own signature: what leaves it, in what order."""
    bench = Bench()
    sign = bench.core.sign
    bench.core.view, bench.core.floor = VIEW, Floor(VIEW - 1)
    for scene in LIVE_SCENES:
        for sequence in sequences(length):
            held = Round(VIEW)
            held.ballot = ballot_of(scene, ())
            # A certificate of each kind: no vote here makes one more.
            held.certificates = {1: None, 2: None, 3: None}  # type: ignore[dict-item]
            said: tuple[Attempt, ...] = ()
            for attempt in sequence:
                bench.core.out = []
                sign(attempt.kind, attempt.of, held, scene.settled)
                votes = told(bench.core.out, Vote)
                assert bool(votes) == allowed(attempt, said, scene), (scene, said, attempt)
                if votes:
                    of = VIEW if attempt.of is None else attempt.of
                    assert votes == [Vote(about(attempt.kind, of), 0, votes[0].signature)]
                    said = after(said, attempt)


def test_no_table_lets_a_signer_contradict_itself() -> None:
    """What either guard lets through in a sequence is never evidence."""
    for sequence in sequences(3):
        said: tuple[Attempt, ...] = ()
        for attempt in sequence:
            if not signer_refuses(attempt, said):
                said = after(said, attempt)
        for first, second in itertools.combinations(said, 2):
            kinds = {first.kind, second.kind}
            # A finalize of another proposal than was notarized is the fourth kind of evidence;
            # the table of a signer does not know of slots, the replica's does.
            if kinds != {1, 3}:
                assert not conflict(subject_of(first), subject_of(second))


def subject_of(attempt: Attempt) -> Subject:
    return about(attempt.kind, VIEW if attempt.of is None else attempt.of)


PROVES = {
    frozenset({(1, A), (1, B)}), frozenset({(3, A), (3, B)}), frozenset({(2, None), (3, A)}),
    frozenset({(2, None), (3, B)}), frozenset({(1, A), (3, B)}), frozenset({(1, B), (3, A)}),
}  # fmt: skip


def test_evidence_is_exactly_what_the_table_of_contradictions_lists() -> None:
    for first, second in itertools.product(ATTEMPTS, repeat=2):
        found = conflict(subject_of(first), subject_of(second))
        assert found == (frozenset({tuple(first), tuple(second)}) in PROVES)
        other_view = subject_of(second)._replace(view=VIEW + 1)
        other_epoch = subject_of(second)._replace(epoch=1)
        assert not conflict(subject_of(first), other_view)
        assert not conflict(subject_of(first), other_epoch)


# --- quorums -------------------------------------------------------------------------------------
def test_quorums_of_equal_weights_by_brute_force() -> None:
    """The quorum is what the honest can always reach; two of them share an honest validator."""
    for total in range(1, 401):
        faulty = max(weight for weight in range(total) if 3 * weight < total)
        assert faulty_weight_max(total) == faulty
        # Two quorums share more than a third, so that also the proof of a fork names that much.
        enough = [q for q in range(1, total + 1) if 3 * (2 * q - total) > total]
        assert quorum_weight(total) == min(enough) <= total - faulty
        assert all(2 * q - total > faulty for q in enough)
    assert [quorum_weight(n) for n in (4, 5, 6, 7, 100)] == [3, 4, 5, 5, 67]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_any_two_quorums_of_weights_share_honest_weight(weights: list[int]) -> None:
    """By enumeration of all subsets: of weights no two quorums share only what may be malicious."""
    total, members = sum(weights), range(len(weights))
    every = range(2 ** len(weights))
    masks = [sum(weights[i] for i in members if mask >> i & 1) for mask in every]
    quorum = quorum_weight(total)
    minimal = [
        mask
        for mask in every
        if masks[mask] >= quorum
        and all(masks[mask] - weights[i] < quorum for i in members if mask >> i & 1)
    ]
    for first, second in itertools.combinations_with_replacement(minimal, 2):
        assert 3 * masks[first & second] >= total  # more than may be malicious
    for mask, weight in enumerate(masks):
        if 3 * weight < total:
            rest = (2 ** len(weights) - 1) & ~mask
            assert masks[rest] >= quorum_weight(total)


# --- leaders -------------------------------------------------------------------------------------
def test_equal_validators_lead_in_turn() -> None:
    for count in range(1, 30):
        assert leader_schedule((7,) * count) == tuple(range(count))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_leaders_are_in_proportion_to_weight_and_spread(weights: list[int]) -> None:
    """Exactly so over a period; within any beginning of it, less than one turn per other off."""
    order = leader_schedule(tuple(weights))
    divisor, total = gcd(*weights), sum(weights)
    assert len(order) == total // divisor
    for index, weight in enumerate(weights):
        assert order.count(index) * divisor == weight
        led = 0
        for turn, leader in enumerate(order, 1):
            led += leader == index
            assert abs(led - Fraction(turn * weight, total)) < len(weights)


def test_the_schedule_repeats_for_every_view() -> None:
    validators = Bench(weights=(3, 1, 2), started=False).validators
    leaders = [validators.leader(view) for view in range(2**62 - 12, 2**62)]
    assert leaders[:6] == leaders[6:] and sorted(leaders[:6]) == [0, 0, 0, 1, 2, 2]
