"""A test or more for each numbered sentence of ordering/simplex.py, which its docstring cites.

Here from a notarization to the restart; test_protocol.py has the rest, and checks that none lacks.
"""

import pytest

from quorate.ordering.messages import (
    Accuse,
    Build,
    Built,
    Certified,
    Certify,
    Finalized,
    Journal,
    Reason,
    Tell,
    Tick,
    Verify,
    Want,
)
from quorate.ordering.rules import Status
from quorate.ordering.simplex import STANDSTILL_MESSAGES
from quorate.ordering.voting import Floor
from quorate.types.consensus import GENESIS_PAYLOAD, Certificate, Vote
from tests.ordering.world import (
    CERTIFICATE_DUE_MS,
    FINALIZE,
    LEADER_DUE_MS,
    NULLIFY,
    RETRY_MS,
    STANDSTILL_MS,
    Bench,
    entered,
    finalization,
    finalize,
    finalized_views,
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


# --- notarizations -------------------------------------------------------------------------------
@pytest.mark.parametrize("as_votes", [False, True])
def test_n1_a_notarization_is_kept_written_down_and_sent_on_once(as_votes: bool) -> None:
    """N1: alike whether it came or was made of votes."""
    bench = Bench()
    messages = [notarize(proposal(1), signer) for signer in (1, 2, 3)]
    made = bench.hears(*(messages if as_votes else [notarization(proposal(1))]))
    assert told(made, Certificate) == [notarization(proposal(1))]
    order = [type(e) for e in made if type(e) is Journal or e == Tell(notarization(proposal(1)))]
    assert order == [Journal, Tell]
    again = bench.hears(notarization(proposal(1), (0, 1, 2)), *messages)
    assert again == []


def test_n2_a_notarization_fills_an_empty_slot() -> None:
    """N2: the slot was empty, so nothing is wrong."""
    bench = Bench()
    bench.hears(notarization(proposal(1)))
    assert bench.ballot(1).slot == proposal(1) and bench.ballot(1).status == Status.UNVERIFIED


def test_n2_a_notarization_overrules_the_slot_and_that_is_equivocation() -> None:
    """N2: I notarized the other one; I sign nothing more in this view, and go on."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    made = bench.certified(proposal(1, tag=1))
    assert bench.ballot(1).slot == proposal(1, tag=1)
    assert bench.ballot(1).status == Status.EQUIVOCATED
    assert bench.core.view == 2 and votes_told(made) == []


def test_n2_the_overruled_leader_is_accused_with_the_signature_in_the_certificate() -> None:
    """N2: the certificate holds the leader's other vote, in either order of arrival."""
    votes = {notarize(proposal(1), 1), notarize(proposal(1, tag=1), 1)}
    for turned in (False, True):
        bench = Bench()
        messages = [notarize(proposal(1), 1), notarization(proposal(1, tag=1))]
        bench.hears(*(messages[::-1] if turned else messages))
        found = of_type(bench.effects, Accuse)
        assert [(effect.signer, set(effect.evidence)) for effect in found] == [(1, votes)]
        assert bench.ballot(1).status == Status.EQUIVOCATED


def test_n3_a_notarized_payload_is_certified_from_its_signers() -> None:
    """N3: once, and by name of those who must have it."""
    bench = Bench()
    made = bench.hears(notarization(proposal(1), (0, 1, 3)))
    assert of_type(made, Certify) == [Certify(proposal(1), (0, 1, 3))]
    bench.hears(notarization(proposal(1)))
    bench.passes(1)
    assert len(of_type(bench.effects, Certify)) == 1


# --- certification -------------------------------------------------------------------------------
def test_c1_a_certified_proposal_begins_the_next_view_and_is_finalized() -> None:
    """C1: even without my own notarize or my own verification."""
    bench = Bench()
    bench.hears(notarization(proposal(1)))
    made = bench.step(Certified(proposal(1), True))
    assert entered(made) == [2] and told(made, Vote) == [finalize(proposal(1), 0)]
    entry = next(index for index, e in enumerate(made) if type(e) is Tell)
    assert sum(type(e) is Journal for e in made[:entry]) == 2


def test_c2_a_proposal_that_fails_ends_its_view_and_is_never_built_on() -> None:
    """C2: a child of it is invalid for ever."""
    bench = Bench()
    bench.hears(notarization(proposal(1)))
    made = bench.step(Certified(proposal(1), False))
    assert reasons(made) == [Reason.FAILED_CERTIFICATION] and votes_told(made) == [(NULLIFY, 1)]
    bench.hears(nullification(1))
    made = bench.hears(notarize(proposal(2), 2))
    assert reasons(made) == [Reason.INVALID_PROPOSAL]
    bench.hears(nullification(2))
    made = bench.hears(nullification(3))
    assert of_type(made, Build) == [Build(4, 0, GENESIS_PAYLOAD)]


def test_c3_certification_outlives_a_nullification() -> None:
    """C3: the late answer makes the view a parent, and no finalize follows my nullify."""
    bench = Bench()
    bench.hears(notarization(proposal(1)))
    bench.passes(CERTIFICATE_DUE_MS)
    bench.hears(nullification(1), notarize(proposal(2), 2))
    made = bench.step(Certified(proposal(1), True))
    assert of_type(made, Verify) == [Verify(proposal(2), proposal(1).payload)]
    assert (FINALIZE, 1) not in votes_told(bench.effects)


def test_c3_a_finalization_at_the_view_or_above_ends_it() -> None:
    """C3: an answer after it is nobody's."""
    for final in (proposal(1), proposal(3, 1)):
        bench = Bench()
        bench.hears(notarization(proposal(1)), finalization(final))
        assert bench.step(Certified(proposal(1), True)) == []


def test_c3_certification_of_a_view_above_the_finalization_goes_on() -> None:
    """C3: only what is final by now is over."""
    bench = Bench()
    bench.hears(notarization(proposal(2)), finalization(proposal(1)))
    made = bench.step(Certified(proposal(2), True))
    assert entered(made) == [3] and votes_told(made) == [(FINALIZE, 2)]


# --- nullifications and finalizations ------------------------------------------------------------
@pytest.mark.parametrize("as_votes", [False, True])
def test_k1_a_nullification_begins_the_next_view(as_votes: bool) -> None:
    """K1: kept, written down, sent on once."""
    bench = Bench()
    messages = [nullify(1, signer) for signer in (2, 3, 1)]
    # The leader's own comes last, and I follow it only when it has made the certificate.
    made = bench.hears(*(messages if as_votes else [nullification(1)]))
    assert entered(made) == [2] and told(made, Certificate) == [nullification(1)]
    assert told(bench.hears(nullification(1, (0, 1, 2)), *messages), Certificate) == []


@pytest.mark.parametrize("as_votes", [False, True])
def test_f1_a_finalization_makes_it_and_its_ancestors_final(as_votes: bool) -> None:
    """F1: kept, written down, sent on once; the next view begins; below it all is over."""
    bench = Bench()
    final = proposal(3, 1)
    messages = [finalize(final, signer) for signer in (1, 2, 3)]
    made = bench.hears(*(messages if as_votes else [finalization(final)]))
    assert of_type(made, Finalized) == [Finalized(final, finalization(final))]
    assert entered(made) == [4] and told(made, Certificate) == [finalization(final)]
    assert bench.core.floor.view == 3 and bench.core.floor.payload == final.payload
    assert bench.hears(finalization(proposal(1)), notarization(proposal(2)), *messages) == []


def test_f1_finalizations_only_rise() -> None:
    """F1: a later one makes an earlier one no news."""
    bench = Bench()
    bench.hears(finalization(proposal(5)), finalization(proposal(2)), finalization(proposal(6)))
    assert finalized_views(bench.effects) == [5, 6]


# --- the end of a view ---------------------------------------------------------------------------
def test_t1_the_end_of_time_is_a_nullify() -> None:
    """T1: after a notarize too."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    assert votes_told(bench.passes(CERTIFICATE_DUE_MS)) == [(NULLIFY, 1)]


def test_t1_a_view_in_which_i_finalized_is_not_nullified() -> None:
    """T1: no time and no message brings the nullify of view 1 about."""
    bench = Bench()
    bench.certified(proposal(1))
    bench.hears(nullify(1, 1), nullify(1, 2))
    bench.runs(2 * STANDSTILL_MS)
    assert (FINALIZE, 1) in votes_told(bench.effects)
    assert (NULLIFY, 1) not in votes_told(bench.effects)


def test_t2_every_retry_sends_the_same_bytes_and_the_certificate_that_let_me_in() -> None:
    """T2: the nullify, and the nullification of the view before."""
    bench = Bench()
    bench.hears(nullification(1))
    bench.passes(LEADER_DUE_MS)
    made = bench.passes(RETRY_MS - 1)
    assert made == []
    for _ in range(3):
        made = bench.passes(1) if not made else bench.passes(RETRY_MS)
        assert of_type(made, Tell) == [Tell(nullify(2, 0)), Tell(nullification(1))]
        assert of_type(made, Journal) == []


def test_t2_the_best_entry_certificate_is_sent() -> None:
    """T2: a finalization before a nullification before a notarization."""
    bench = Bench()
    bench.certified(proposal(1))
    bench.passes(LEADER_DUE_MS)
    assert told(bench.passes(RETRY_MS), Certificate) == [notarization(proposal(1))]
    bench.hears(finalization(proposal(1)))
    assert told(bench.passes(RETRY_MS), Certificate) == [finalization(proposal(1))]


def test_t2_the_certificate_of_a_floor_counts_as_what_let_me_in() -> None:
    """T2: also when the journal knows nothing of the floor's view but my own vote."""
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    floor = Floor(1, proposal(1).payload, finalization(proposal(1)))
    again = bench.restarted(floor=floor)
    assert again.core.view == 2
    again.passes(LEADER_DUE_MS)
    assert told(again.passes(RETRY_MS), Certificate) == [finalization(proposal(1))]


# --- what others say -----------------------------------------------------------------------------
def test_l1_a_nullify_of_a_view_that_is_over_is_answered_with_what_ended_it() -> None:
    """L1: to that peer alone."""
    bench = Bench()
    bench.hears(nullification(1))
    assert bench.hears(nullify(1, 2)) == [Tell(nullification(1), 2)]


def test_l1_a_view_that_was_jumped_over_is_answered_with_what_let_me_jump() -> None:
    """L1: nothing is held of view 1, but the nullification of view 3 ended it for me."""
    bench = Bench()
    bench.hears(nullification(3))
    assert told(bench.hears(nullify(1, 2)), Certificate, 2) == [nullification(3)]


def test_l1_a_view_below_a_finalization_is_answered_with_it() -> None:
    """L1: also when only a notarization of the view itself is held, which ends nothing."""
    bench = Bench()
    bench.hears(notarization(proposal(1)), finalization(proposal(3, 1)))
    assert finalization(proposal(3, 1)) in told(bench.hears(nullify(1, 2)), Certificate, 2)
    assert told(bench.hears(nullify(2, 3)), Certificate, 3) == [finalization(proposal(3, 1))]


def test_l1_answers_to_one_peer_about_one_view_are_seldom() -> None:
    """L1: a peer that repeats itself is answered twice a retry at most."""
    bench = Bench()
    bench.hears(nullification(1))
    bench.hears(*[nullify(1, 2)] * 50)
    assert len(told(bench.effects, Certificate, 2)) == 1
    bench.passes(RETRY_MS // 2)
    assert told(bench.hears(nullify(1, 2)), Certificate, 2) == [nullification(1)]


def test_l2_the_leaders_own_nullify_of_the_present_view_is_followed() -> None:
    """L2: no need to wait for its proposal."""
    bench = Bench()
    made = bench.hears(nullify(1, 1))
    assert reasons(made) == [Reason.LEADER_NULLIFY] and votes_told(made) == [(NULLIFY, 1)]


def test_l2_anothers_nullify_or_that_of_another_view_is_not_followed() -> None:
    """L2: only the leader's, only of the present view."""
    bench = Bench()
    bench.hears(nullify(1, 2), nullify(2, 2), nullify(5, 1))
    assert reasons(bench.effects) == []


# --- standstill ----------------------------------------------------------------------------------
def test_s1_a_standstill_repeats_certificates_and_votes_above_the_last_finalization() -> None:
    """S1: the finalization, the certificates above it, my votes above it."""
    bench = Bench()
    final = proposal(1)
    bench.hears(finalization(final))
    bench.certified(proposal(2))
    made = bench.runs(STANDSTILL_MS)
    sent = [effect.message for effect in of_type(made, Tell)]
    for message in (finalization(final), notarization(proposal(2)), finalize(proposal(2), 0)):
        assert message in sent
    assert bench.core.counts["standstills"] == 1


def test_s1_a_finalization_puts_the_standstill_off() -> None:
    """S1: time counts from the last finalization."""
    bench = Bench()
    bench.runs(STANDSTILL_MS - 1)
    bench.hears(finalization(proposal(5, 0)))
    bench.runs(STANDSTILL_MS - 1)
    assert "standstills" not in bench.core.counts


def test_s1_a_standstill_is_bounded_and_says_the_lowest_views() -> None:
    """S1: an observer of many views sends STANDSTILL_MESSAGES certificates, from the lowest."""
    bench = Bench(me=None)
    views = range(1, 3 * STANDSTILL_MESSAGES)
    bench.hears(*[nullification(view) for view in views])
    made = bench.passes(STANDSTILL_MS)
    assert told(made, Certificate) == [nullification(view) for view in views][:STANDSTILL_MESSAGES]


def test_s1_the_bound_holds_with_my_votes_and_those_of_the_present_view_are_among_them() -> None:
    """S1: what a restart repeats is bounded alike."""
    bench = Bench()
    for view in range(1, 2 * STANDSTILL_MESSAGES):
        bench.passes(bench.core.deadline() - bench.now_ms)
        bench.hears(nullification(view))
    bench.passes(bench.core.deadline() - bench.now_ms)
    view = bench.core.view
    sent = [effect.message for effect in of_type(bench.restarted().first, Tell)]
    assert len([kept for kept in sent if type(kept) is not Want]) == STANDSTILL_MESSAGES
    assert sent[:2] == [nullification(1), nullify(1, 0)] and nullify(view, 0) in sent


# --- restart -------------------------------------------------------------------------------------
def test_r1_a_restart_finds_the_view_and_starts_timers_fresh() -> None:
    """R1: votes, certificates and verdicts come back; the view follows from them."""
    bench = Bench()
    bench.certified(proposal(1))
    bench.hears(nullification(2), notarize(proposal(3, 1), 3))
    bench.verdict(proposal(3, 1))
    bench.passes(50)
    again = bench.restarted()
    assert again.core.view == bench.core.view == 3
    assert again.ballot(1).my_finalize == proposal(1)
    assert again.ballot(3).my_notarize == proposal(3, 1)
    assert again.wake_ms == again.now_ms + CERTIFICATE_DUE_MS


def test_r1_my_votes_are_counted_again() -> None:
    """R1: two others are enough to nullify with the vote from before the crash."""
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    again = bench.restarted()
    made = again.hears(nullify(1, 1), nullify(1, 2))
    assert told(made, Certificate) == [nullification(1, (0, 1, 2))]


def test_r1_a_validator_that_is_a_quorum_alone_makes_its_certificate_after_a_crash() -> None:
    """R1: the crash came between the vote and the certificate that it alone makes."""
    bench = Bench(me=0, weights=(1,))
    assert bench.core.view == 1
    bench.step(Built(1, None))
    assert bench.core.view == 2
    cut = Bench(me=0, weights=(1,), entries=bench.entries[:1], now_ms=bench.now_ms)
    assert cut.core.view == 2


def test_r2_what_was_said_of_views_that_are_not_final_is_said_again_at_once() -> None:
    """R2: at the very start, lowest views first; what is final needs no repeating."""
    bench = Bench()
    bench.certified(proposal(1))
    bench.certified(proposal(2))
    bench.hears(finalization(proposal(1)))
    sent = told(bench.restarted().first, Vote)
    assert sent == [finalize(proposal(2), 0)]


def test_r2_nothing_is_said_again_without_a_reason() -> None:
    """R2: a fresh start is silent."""
    assert told(Bench().first, Vote) == [] and Bench().step(Tick()) == []
