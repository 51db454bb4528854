"""A test or more for each numbered sentence of ordering/simplex.py, which its docstring cites.

Here from entering a view to judging a proposal; test_protocol_votes.py has the rest.
"""

import re

import pytest

from quorate.ordering import simplex
from quorate.ordering.messages import (
    Accuse,
    Build,
    Built,
    Certified,
    Journal,
    Reason,
    Tell,
    Verified,
    Verify,
    Want,
    WorkArrived,
    WorkDone,
)
from quorate.types.consensus import GENESIS_PAYLOAD, Vote
from tests.ordering import test_protocol_votes
from tests.ordering.world import (
    CERTIFICATE_DUE_MS,
    DELTA_MS,
    FORGED,
    HEARTBEAT_MS,
    LEADER_DUE_MS,
    NOTARIZE,
    NULLIFY,
    RETRY_MS,
    SKIP_MS,
    Bench,
    accused,
    entered,
    finalization,
    finalize,
    notarization,
    notarize,
    nullification,
    nullify,
    of_type,
    proposal,
    reasons,
    told,
    votes_told,
)


def leading(view: int = 4) -> Bench:
    """Bring validator 0 to the first view that it leads, all before it nullified."""
    bench = Bench()
    for below in range(1, view):
        bench.hears(nullification(below))
    return bench


def test_every_sentence_has_a_test_and_no_test_cites_another() -> None:
    numbers = re.findall(r"\b([A-Z]\d)  (?=\S)", simplex.__doc__ or "")
    assert len(numbers) == len(set(numbers)) == 27
    named = {**globals(), **vars(test_protocol_votes)}
    tests = [kept for name, kept in named.items() if name.startswith("test_") and callable(kept)]
    cited = {(kept.__doc__ or "").split(":")[0] for kept in tests} - {""}
    assert cited == set(numbers)


# --- entering a view -----------------------------------------------------------------------------
def test_a_view_is_entered_only_forwards() -> None:
    """E1: views only rise."""
    bench = Bench()
    assert entered(bench.hears(nullification(5))) == [6]
    assert entered(bench.hears(nullification(2), nullification(4))) == []
    assert bench.core.view == 6


def test_e1_an_idle_leader_may_wait_for_the_heartbeat() -> None:
    """E1: without work the proposal is due after the heartbeat and 2 delta."""
    bench = Bench()
    assert bench.passes(LEADER_DUE_MS - 1) == []
    assert reasons(bench.passes(1)) == [Reason.LEADER_TIMEOUT]


def test_e1_a_leader_with_work_must_propose_at_once() -> None:
    """E1: with work at entry the proposal is due after 2 delta."""
    bench = Bench()
    bench.step(WorkArrived())
    bench.hears(nullification(1))
    assert reasons(bench.passes(2 * DELTA_MS - 1)) == []
    assert reasons(bench.passes(1)) == [Reason.LEADER_TIMEOUT]


def test_e1_work_that_arrives_within_the_view_shortens_it_and_never_lengthens_it() -> None:
    """E1: 2 delta after the work, but no later than without it."""
    bench = Bench()
    bench.passes(50)
    bench.step(WorkArrived())
    assert bench.wake_ms == bench.now_ms + 2 * DELTA_MS
    late = Bench()
    late.passes(HEARTBEAT_MS + DELTA_MS)
    due = late.wake_ms
    late.step(WorkArrived())
    assert late.wake_ms == due


def test_e1_work_done_gives_the_next_leader_its_heartbeat_again() -> None:
    """E1: after the work is done the next view is an idle one."""
    bench = Bench()
    bench.step(WorkArrived())
    bench.step(WorkDone())
    bench.hears(nullification(1))
    assert bench.wake_ms == bench.now_ms + LEADER_DUE_MS


def test_e1_the_certificate_is_due_one_delta_after_the_proposal() -> None:
    """E1: with a proposal at hand the view ends one delta later."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    assert reasons(bench.passes(CERTIFICATE_DUE_MS - 1)) == []
    assert reasons(bench.passes(1)) == [Reason.CERTIFICATION_TIMEOUT]


def test_e1_delta_grows_until_a_finalization_and_not_only_until_a_view_goes_well() -> None:
    """E1: views since the last finalization make delta grow; a certified view does not reset it."""
    bench = Bench()
    waits = []
    for view in range(1, 12):
        bench.hears(nullification(view))
        waits.append(bench.core.deadline() - bench.now_ms)
    assert waits[0] == LEADER_DUE_MS and waits == sorted(waits) and waits[-1] > 5 * waits[0]
    bench.certified(proposal(12, 0))
    assert bench.core.view == 13 and bench.core.deadline() - bench.now_ms > waits[-1]
    bench.hears(finalization(proposal(12, 0)))
    bench.hears(nullification(13))
    assert bench.core.deadline() - bench.now_ms == LEADER_DUE_MS


def test_e2_a_silent_leader_is_skipped_while_a_quorum_is_heard() -> None:
    """E2: view 2's leader said nothing for skip_timeout; 1 and 3 did, and I am the third."""
    bench = Bench()
    bench.runs(SKIP_MS + 1)
    bench.hears(nullify(1, 1), nullify(1, 3))
    assert bench.core.view == 2
    assert reasons(bench.effects)[-1] == Reason.INACTIVITY


def test_e2_a_silent_leader_is_not_skipped_when_all_are_silent() -> None:
    """E2: without a quorum that is active the silence may be ours."""
    bench = Bench()
    bench.runs(SKIP_MS + 1)
    bench.hears(nullification(1), sender=1)
    assert bench.core.view == 2
    assert Reason.INACTIVITY not in reasons(bench.effects)


def test_e2_a_proposal_that_is_here_already_overrides_silence_and_guilt() -> None:
    """E2: the next leader's proposal came one view ahead."""
    bench = Bench()
    bench.hears(finalize(proposal(7, 0), 2), nullify(7, 2))
    assert accused(bench.effects) == [2]
    bench.hears(notarize(proposal(2, 0), 2))
    made = bench.hears(nullification(1))
    assert entered(made) == [2] and reasons(made) == []


def test_e2_a_leader_proved_malicious_is_given_up_at_once() -> None:
    """E2: guilt stays."""
    bench = Bench()
    bench.hears(finalize(proposal(7, 0), 2), nullify(7, 2))
    made = bench.hears(nullification(1))
    assert reasons(made) == [Reason.EQUIVOCATION] and (NULLIFY, 2) in votes_told(made)


def test_e3_a_leader_builds_once_on_the_highest_certified_view() -> None:
    """E3: view 1 is certified, 2 and 3 are nullified."""
    bench = Bench()
    bench.certified(proposal(1))
    bench.hears(nullification(2))
    made = bench.hears(nullification(3))
    assert of_type(made, Build) == [Build(4, 1, proposal(1).payload)]
    bench.hears(notarize(proposal(5, 0), 1), notarization(proposal(2, 1)))
    bench.passes(1)
    assert len(of_type(bench.effects, Build)) == 1


def test_e3_a_finalized_view_may_be_built_on_without_its_payload() -> None:
    """E3: a finalization is as good as a certified notarization."""
    bench = Bench()
    made = bench.hears(finalization(proposal(3, 0)))
    assert of_type(made, Build) == [Build(4, 3, proposal(3, 0).payload)]


def test_e3_what_is_missing_is_fetched_first_and_the_build_not_used_up() -> None:
    """E3: views 1 and 2 are unknown when 3 is nullified; each is wanted in turn."""
    bench = Bench()
    made = bench.hears(nullification(3))
    assert of_type(made, Build) == []
    wants = [effect.message for effect in of_type(made, Tell) if type(effect.message) is Want]
    assert wants == [Want(0, 2)]
    assert Want(0, 1) in [e.message for e in of_type(bench.hears(nullification(2)), Tell)]
    made = bench.hears(nullification(1))
    assert of_type(made, Build) == [Build(4, 0, GENESIS_PAYLOAD)]


def test_e3_a_parent_being_certified_is_waited_for() -> None:
    """E3: no request goes out for what is under way."""
    bench = Bench()
    bench.hears(nullification(1), nullification(2), notarization(proposal(3, 0)))
    made = bench.hears(nullification(4))
    assert of_type(made, Tell)[1:] == []
    leader = Bench()
    leader.hears(nullification(1), nullification(2), notarization(proposal(3, 0)))
    made = leader.hears(nullification(3))
    # With both certificates of view 3 at hand, either parent would do; the skipped one is ready.
    assert of_type(made, Build) == [Build(4, 0, GENESIS_PAYLOAD)]


def test_e3_nothing_is_built_in_a_view_that_i_nullified() -> None:
    """E3: the view ran out while the parent was missing."""
    bench = Bench()
    bench.hears(nullification(3))
    bench.passes(2 * LEADER_DUE_MS)
    assert bench.ballot(4).my_nullify
    bench.hears(nullification(2), nullification(1))
    assert of_type(bench.effects, Build) == []


# --- building ------------------------------------------------------------------------------------
def test_b1_the_built_payload_is_notarized_and_written_down_before_it_is_told() -> None:
    """B1: the leader's notarize is the proposal, and the journal comes first."""
    bench = leading()
    payload = proposal(4, 0).payload
    made = bench.step(Built(4, payload))
    assert told(made, Vote) == [notarize(proposal(4, 0), 0)]
    kinds = [type(effect) for effect in made if type(effect) in (Journal, Tell)]
    assert kinds == [Journal, Tell]
    assert bench.step(Built(4, payload)) == []


def test_b1_a_payload_that_nobody_asked_for_is_ignored() -> None:
    """B1: only an answer to Build is proposed."""
    bench = Bench()
    assert bench.step(Built(4, proposal(4).payload)) == []
    assert bench.step(Built(1, proposal(1).payload)) == []


def test_b1_a_payload_built_on_what_is_final_no_more_is_built_anew() -> None:
    """B1: the floor moved while the payload was made, and the view goes on."""
    bench = leading()
    bench.hears(finalization(proposal(3, 0)))
    made = bench.step(Built(4, proposal(4, 0).payload))
    assert told(made, Vote) == []
    assert of_type(made, Build) == [Build(4, 3, proposal(3, 0).payload)]


def test_b2_a_leader_with_nothing_to_propose_gives_up() -> None:
    """B2: the application declined."""
    made = leading().step(Built(4, None))
    assert reasons(made) == [Reason.MISSING_PROPOSAL] and votes_told(made) == [(NULLIFY, 4)]


# --- the leader's notarize -----------------------------------------------------------------------
def test_p1_the_leaders_first_notarize_takes_the_slot() -> None:
    """P1: and it is judged."""
    bench = Bench()
    made = bench.hears(notarize(proposal(1), 1))
    assert bench.ballot(1).slot == proposal(1)
    assert of_type(made, Verify) == [Verify(proposal(1), GENESIS_PAYLOAD)]


def test_p1_another_validators_notarize_is_no_proposal() -> None:
    """P1: only the leader proposes."""
    bench = Bench()
    assert of_type(bench.hears(notarize(proposal(1), 2)), Verify) == []
    assert bench.ballot(1).slot is None


def test_p1_a_forged_proposal_never_touches_the_slot() -> None:
    """P1: its signature is checked first; the true one is taken after it."""
    bench = Bench()
    bench.hears(notarize(proposal(1, tag=1), 1)._replace(signature=FORGED))
    assert bench.ballot(1).slot is None and bench.core.counts["votes_forged"] == 1
    bench.hears(notarize(proposal(1), 1))
    assert bench.ballot(1).slot == proposal(1) and accused(bench.effects) == []


def test_p2_the_same_proposal_again_changes_nothing() -> None:
    """P2: no effect at all."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    before = bench.ballot(1)
    assert bench.hears(notarize(proposal(1), 1)) == [] and bench.ballot(1) == before


def test_p3_another_proposal_is_evidence_and_ends_the_view_for_me() -> None:
    """P3: the first stays in the slot, I accuse, and neither notarize nor finalize."""
    bench = Bench()
    first, second = notarize(proposal(1), 1), notarize(proposal(1, tag=1), 1)
    made = bench.hears(first, second)
    assert [(e.signer, set(e.evidence)) for e in of_type(made, Accuse)] == [(1, {first, second})]
    assert bench.ballot(1).slot == proposal(1)
    assert reasons(made) == [Reason.EQUIVOCATION]
    assert votes_told(bench.verdict(proposal(1))) == []
    bench.certified(proposal(1))
    assert bench.core.view == 2
    assert [kind for kind, view in votes_told(bench.effects) if view == 1] == [NULLIFY]


def test_p3_a_second_proposal_after_my_notarize_stops_my_finalize() -> None:
    """P3: a proposal proved equivocated is not finalized by me, though it may be by others."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    assert votes_told(bench.verdict(proposal(1))) == [(NOTARIZE, 1)]
    bench.hears(notarization(proposal(1)), notarize(proposal(1, tag=1), 1))
    bench.step(Certified(proposal(1), True))
    assert bench.core.view == 2 and votes_told(bench.effects) == [(NOTARIZE, 1)]
    assert accused(bench.effects) == [1]


def test_p3_each_signer_is_accused_once_a_view() -> None:
    """P3: a third proposal adds nothing."""
    bench = Bench()
    bench.hears(*[notarize(proposal(1, tag=tag), 1) for tag in range(4)])
    assert accused(bench.effects) == [1]


def test_p4_a_proposal_is_taken_up_to_one_view_ahead() -> None:
    """P4: of view 2 at once, of view 3 only when view 2 has begun."""
    bench = Bench()
    made = bench.hears(notarize(proposal(2, 0), 2), notarize(proposal(3, 0), 3))
    assert bench.ballot(2).slot == proposal(2, 0) and bench.ballot(3).slot is None
    assert of_type(made, Verify) == []
    bench.hears(nullification(1))
    assert bench.ballot(3).slot == proposal(3, 0)


def test_p4_none_is_taken_at_or_below_the_last_finalized() -> None:
    """P4: what is final needs no proposal."""
    bench = Bench()
    bench.hears(finalization(proposal(3, 0)))
    made = bench.hears(notarize(proposal(3, 0), 3), notarize(proposal(1), 1))
    assert made == [] and bench.ballot(3).slot is None and bench.ballot(1).slot is None


# --- judging -------------------------------------------------------------------------------------
def test_a1_a_missing_parent_is_wanted_of_the_leader_and_then_of_the_others() -> None:
    """A1: the proposal waits; requests go round robin, a retry apart."""
    bench = Bench()
    bench.hears(nullification(2))
    made = bench.hears(notarize(proposal(3, 1), 3))
    assert [e for e in of_type(made, Tell) if type(e.message) is Want] == [Tell(Want(0, 1), 3)]
    asked = []
    for _ in range(3):
        made = bench.passes(RETRY_MS)
        asked += [e.to for e in of_type(made, Tell) if e.message == Want(0, 1)]
    assert asked == [1, 2, 3]
    made = bench.certified(proposal(1))
    assert of_type(made, Verify) == [Verify(proposal(3, 1), proposal(1).payload)]


def test_a1_a_gap_that_is_not_nullified_is_wanted() -> None:
    """A1: view 2 lies between parent and proposal."""
    bench = Bench()
    bench.certified(proposal(1))
    bench.hears(notarization(proposal(2)))
    bench.step(Certified(proposal(2), True))
    made = bench.hears(notarize(proposal(3, 1), 3))
    assert Tell(Want(0, 2), 3) in made and of_type(made, Verify) == []
    assert of_type(bench.hears(nullification(2)), Verify) == [
        Verify(proposal(3, 1), proposal(1).payload)
    ]


def test_a1_a_parent_that_is_being_certified_is_not_asked_for() -> None:
    """A1: notarized and not certified is not settled, and nobody else can help."""
    bench = Bench()
    bench.hears(notarization(proposal(1)), nullification(1))
    made = bench.hears(notarize(proposal(2), 2))
    assert told(made, Want, 2) == [] and of_type(made, Verify) == []
    assert of_type(bench.step(Certified(proposal(1), True)), Verify) == [
        Verify(proposal(2), proposal(1).payload)
    ]


def test_a2_a_parent_below_the_last_finalized_is_never_accepted() -> None:
    """A2: give up at once."""
    bench = Bench()
    bench.hears(finalization(proposal(2, 0)))
    made = bench.hears(notarize(proposal(3, 1), 3))
    assert reasons(made) == [Reason.INVALID_PROPOSAL] and votes_told(made) == [(NULLIFY, 3)]


def test_a2_a_parent_that_falls_below_the_floor_while_it_is_judged_ends_the_view() -> None:
    """A2: valid in itself, the proposal skips what has become final meanwhile."""
    bench = Bench()
    bench.certified(proposal(1))
    bench.hears(nullification(2), notarize(proposal(3, 1), 3))
    bench.hears(finalization(proposal(2)))
    made = bench.step(Verified(proposal(3, 1), proposal(1).payload, True))
    assert reasons(made) == [Reason.INVALID_PROPOSAL] and votes_told(made) == [(NULLIFY, 3)]


def test_a3_a_valid_proposal_is_judged_once_and_notarized() -> None:
    """A3: written down first."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    made = bench.verdict(proposal(1))
    assert [type(effect) for effect in made] == [Journal, Tell]
    assert told(made, Vote) == [notarize(proposal(1), 0)]
    bench.passes(1)
    assert len(of_type(bench.effects, Verify)) == 1 and bench.verdict(proposal(1)) == []


@pytest.mark.parametrize(
    ("ok", "reason"), [(False, Reason.INVALID_PROPOSAL), (None, Reason.IGNORED_PROPOSAL)]
)
def test_a3_an_invalid_or_unjudged_proposal_ends_the_view(ok: bool | None, reason: Reason) -> None:
    """A3: and is not asked about again."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    made = bench.verdict(proposal(1), ok)
    assert reasons(made) == [reason] and votes_told(made) == [(NULLIFY, 1)]
    assert of_type(bench.hears(nullification(2)), Verify) == []


def test_a3_a_verdict_on_another_proposal_or_parent_is_thrown_away() -> None:
    """A3: only what was asked about, and is still in the slot, counts."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    assert bench.step(Verified(proposal(1, tag=1), GENESIS_PAYLOAD, True)) == []
    assert bench.step(Verified(proposal(1), b"\x01" * 68, True)) == []
    bench.hears(notarization(proposal(1, tag=1)))
    assert votes_told(bench.step(Verified(proposal(1), GENESIS_PAYLOAD, True))) == []
    assert bench.ballot(1).my_notarize is None
