"""Bugs that others fell into, docs/CONSENSUS.md section 8: a named test for each row that applies.

ROWS says of each of the thirty where it is tested, or why it does not apply to ordering.
"""

import itertools

import pytest

from quorate.codec.consensus import decode_vote
from quorate.ordering.messages import (
    Build,
    Built,
    Certified,
    Certify,
    Entered,
    Finalized,
    Floored,
    Reason,
    Received,
    Tell,
    Verified,
    Verify,
    Want,
)
from quorate.ordering.rules import Status
from quorate.ordering.simplex import STANDSTILL_MESSAGES, VIEWS_AHEAD
from quorate.ordering.voting import Floor
from quorate.types.consensus import VIEW_MAX, Certificate, Vote, quorum_weight
from tests.ordering.network import Network
from tests.ordering.world import (
    CERTIFICATE_DUE_MS,
    FINALIZE,
    LEADER_DUE_MS,
    NOTARIZE,
    NULLIFY,
    RETRY_MS,
    STANDSTILL_MS,
    Bench,
    accused,
    done,
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
    validator_set,
    votes_told,
)

ROWS = {
    1: "test_row_01_equivocating_leader_certificate_for_the_other",
    2: "test_row_02_one_vote_a_view_signer_and_kind_after_a_restart",
    3: "test_row_03_own_nullify_counts_after_a_restart_of_all",
    4: "test_row_04_replay_with_my_vote_against_the_certificate",
    5: "test_row_05_the_last_entry_is_not_the_view",
    6: "test_row_06_nothing_that_is_sent_again_passes_a_guard_by",
    7: "test_row_07_nothing_is_forgotten_before_its_work_is_handed_on",
    8: "test_row_08_certified_after_my_nullify",
    9: "test_row_09_halves_with_different_certificates_accept_both_ancestries",
    10: "test_row_10_quorum_of_sizes_that_are_not_3f_plus_1",
    11: "test_row_11_leaders_and_views_at_the_end_of_the_range",
    12: "not applicable: every vote is a signature of its own, no threshold shares",
    13: "not applicable: availability; tested with coded dispersal, when a leader codes",
    14: "test_row_14_application_ahead_of_the_journal",
    15: "test_row_15_growth_and_egress_of_a_standstill",
    16: "test_row_16_block_after_the_timeout_can_still_be_notarized",
    17: "test_row_17_a_parent_must_be_certified",
    18: "test_row_18_nullified_and_notarized_gives_one_chain",
    19: "not applicable: no slices and no pairings; weights of certificates in test_bad_input.py",
    20: "test_row_20_indexes_and_bitmaps_out_of_range",
    21: "not applicable: sync between replicas; tests/replica and the simulator",
    22: "not applicable: parameters are of genesis; tests/codec/test_consensus_genesis.py",
    23: "not applicable: leaders follow from genesis alone; test_guards.py has their proportion",
    24: "test_row_24_bounds_of_windows_are_not_off_by_one",
    25: "not applicable: no locks and no sending below the seam; tests/runtime",
    26: "test_row_26_stuck_between_nullify_and_a_payload_that_comes_late",
    27: "test_row_27_timers_start_with_the_view_and_not_by_themselves",
    28: "test_row_28_validators_restarted_in_different_views_meet_again",
    29: "not applicable: a view is left with a certificate only, nobody jumps without one",
    30: "test_row_30_flags_belong_to_their_view_and_both_certificates_give_a_parent",
}


def test_every_row_has_its_place() -> None:
    assert list(ROWS) == list(range(1, 31))
    named = {name for name in globals() if name.startswith("test_row_")}
    assert named == {place for place in ROWS.values() if place.startswith("test_row_")}


def four(**settings: object) -> list[Bench]:
    return made_by_hand([Bench(me=me, **settings) for me in range(4)])  # type: ignore[arg-type]


def made_by_hand(benches: list[Bench]) -> list[Bench]:
    """Let cores bear certificates that hold votes of theirs which they never cast."""
    for bench in benches:
        bench.core.recall = lambda held, certificate: None  # type: ignore[method-assign]
    return benches


def exchange(benches: list[Bench], sent: list[list[Vote | Certificate]]) -> None:
    """Give each what the others said to all, once."""
    for sender, messages in enumerate(sent):
        for bench in benches:
            if bench.core.me != sender:
                for message in messages:
                    bench.step(Received(sender, message))


def test_row_01_equivocating_leader_certificate_for_the_other() -> None:
    """Another proposal was notarized than I verified: no crash, no second vote, the view ends."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    made = bench.hears(notarization(proposal(1, tag=1), (1, 2, 3)))
    assert accused(made) == [1] and told(made, Certificate) == [notarization(proposal(1, tag=1))]
    bench.step(Certified(proposal(1, tag=1), True))
    assert bench.core.view == 2
    assert votes_told(bench.effects) == [(NOTARIZE, 1)]
    # And the mirror image: votes of the others make the certificate.
    votes = Bench()
    votes.hears(notarize(proposal(1), 1))
    votes.verdict(proposal(1))
    votes.hears(*[notarize(proposal(1, tag=1), signer) for signer in (1, 2, 3)])
    votes.hears(notarize(proposal(1, tag=1), 1))
    assert accused(votes.effects) == [1]
    assert votes_told(votes.effects) == [(NOTARIZE, 1), (NULLIFY, 1)]


def test_row_02_one_vote_a_view_signer_and_kind_after_a_restart() -> None:
    """My restored vote is counted once, however often it is said again."""
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    again = bench.restarted()
    for _ in range(3):
        again.passes(RETRY_MS)
    again.hears(nullify(1, 2), nullify(1, 2), nullify(1, 2))
    assert again.core.view == 1
    assert again.core.rounds.find(1).tally.weights == {nullify(1, 0).subject: 2}
    again.hears(nullify(1, 3))
    assert again.core.view == 2


def test_row_03_own_nullify_counts_after_a_restart_of_all() -> None:
    """All four nullified view 1 and crashed before any vote arrived."""
    benches = four()
    for bench in benches:
        bench.passes(LEADER_DUE_MS)
    again = [bench.restarted() for bench in benches]
    exchange(again, [told(bench.first, Vote) for bench in again])
    assert [bench.core.view for bench in again] == [2, 2, 2, 2]


def test_row_04_replay_with_my_vote_against_the_certificate() -> None:
    """The journal holds my notarize and the notarization of another proposal, in either order."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    bench.hears(notarization(proposal(1, tag=1)))
    for entries in (bench.entries, bench.entries[::-1]):
        again = Bench(entries=entries)
        ballot = again.ballot(1)
        assert (ballot.slot, ballot.my_notarize) == (proposal(1, tag=1), proposal(1))
        assert ballot.status == Status.EQUIVOCATED
        again.step(Certified(proposal(1, tag=1), True))
        assert again.core.view == 2
        assert votes_told(again.effects) == [(NOTARIZE, 1)]  # what was said before, again


def test_row_05_the_last_entry_is_not_the_view() -> None:
    """Entries stand out of the order of views; the view is that of the certificates."""
    bench = Bench()
    bench.hears(nullification(6), nullification(2), notarization(proposal(1)))
    bench.step(Certified(proposal(1), True))
    assert decode_vote(bench.entries[-1][1]).subject.view == 1
    for entries in itertools.islice(itertools.permutations(bench.entries), 40):
        assert Bench(entries=entries).core.view == 7


def test_row_06_nothing_that_is_sent_again_passes_a_guard_by() -> None:
    """After my nullify neither retry, standstill, restart nor certificate brings a finalize."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    bench.passes(CERTIFICATE_DUE_MS)
    bench.certified(proposal(1))
    bench.hears(*[finalize(proposal(1), signer) for signer in (1, 2)])
    bench.runs(2 * STANDSTILL_MS)
    again = bench.restarted()
    again.runs(2 * STANDSTILL_MS)
    said = [*votes_told(bench.effects), *votes_told(again.effects)]
    assert (NULLIFY, 1) in said and (FINALIZE, 1) not in said
    # The flags of a view outlive a finalization below it, and are gone only when it is final.
    bench.hears(finalization(proposal(1)))
    assert bench.step(Certified(proposal(1), True)) == []


def test_row_07_nothing_is_forgotten_before_its_work_is_handed_on() -> None:
    """A want that finds no room, and an answer that never comes, are asked for again."""
    bench = Bench()
    for view in range(100, 140):
        bench.core.fetching.want(0, view, 1, bench.now_ms)
    made = bench.hears(nullification(1), nullification(3))
    made += bench.hears(notarize(proposal(5, 2), 1))
    assert Want(0, 2) not in [effect.message for effect in of_type(made, Tell)]
    for view in range(100, 140):
        bench.core.fetching.arrived(view)
    made = bench.hears(nullification(4))
    assert Want(0, 2) in [effect.message for effect in of_type(made, Tell)]
    # A certification that a crash took away is asked for again; so is a payload to propose.
    cut = Bench()
    cut.hears(nullification(1), nullification(2), notarization(proposal(3, 0)))
    assert of_type(cut.restarted().first, Certify) == [Certify(proposal(3, 0), (1, 2, 3))]
    cut.step(Certified(proposal(3, 0), True))
    assert of_type(cut.effects, Build) == of_type(cut.restarted().first, Build) != []


def test_row_08_certified_after_my_nullify() -> None:
    """I gave up, then the payload came: I go on with what the others notarized."""
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    bench.hears(notarization(proposal(1)))
    assert of_type(bench.effects, Certify) == [Certify(proposal(1), (1, 2, 3))]
    assert entered(bench.step(Certified(proposal(1), True))) == [2]


@pytest.mark.parametrize("leader", [1, 2])
def test_row_09_halves_with_different_certificates_accept_both_ancestries(leader: int) -> None:
    """0 and 1 left view 4 by its notarization, 2 and 3 by its nullification."""
    benches = four()
    view = 4 + leader
    for bench in benches:
        bench.hears(finalization(proposal(3, 0)))
    for bench in benches[:2]:
        bench.certified(proposal(4))
    for bench in benches[2:]:
        bench.hears(nullification(4))
    for bench in benches:
        for between in range(5, view):
            bench.hears(nullification(between))
    made = of_type(benches[leader].effects, Build)[-1]
    assert (made.view, made.parent_view) == (view, 4 if leader < 2 else 3)
    benches[leader].step(Built(view, proposal(view, made.parent_view).payload))
    proposed = told(benches[leader].effects, Vote)[-1]
    for bench in benches:
        if bench.core.me == leader:
            continue
        asked = [e for e in of_type(bench.hears(proposed), Tell) if type(e.message) is Want]
        knows = (bench.core.me < 2) == (leader < 2)
        assert asked == ([] if knows else [Tell(Want(0, 4), leader)])
        if not knows:
            answers = benches[leader].hears(Want(0, 4), sender=bench.core.me)
            for answer in told(answers, Certificate, bench.core.me):
                for effect in of_type(bench.hears(answer, sender=leader), Certify):
                    bench.step(Certified(effect.proposal, True))
        found = of_type(bench.effects, Verify)[-1]
        assert found.proposal == proposed.subject.proposal
        made_votes = bench.step(Verified(*found, True))
        assert (NOTARIZE, view) in votes_told(made_votes)


def test_row_10_quorum_of_sizes_that_are_not_3f_plus_1() -> None:
    """Five validators: three votes are no certificate, four are."""
    assert [quorum_weight(n) for n in (3, 4, 5, 6, 7, 8)] == [3, 3, 4, 5, 5, 6]
    bench = Bench(weights=(1,) * 5)
    bench.hears(nullify(1, 2), nullify(1, 3), nullify(1, 4), nullification(1, (2, 3, 4)))
    assert bench.core.view == 1
    bench.hears(nullification(1, (1, 2, 3, 4)))
    assert bench.core.view == 2


def test_row_11_leaders_and_views_at_the_end_of_the_range() -> None:
    """No index overflows, and the greatest view is a view."""
    validators = validator_set((3, 1))
    assert validators.leader(VIEW_MAX) == validators.leader(VIEW_MAX % 4)
    bench = Bench()
    bench.hears(finalization(proposal(VIEW_MAX - 4, 0)))
    for view in range(VIEW_MAX - 3, VIEW_MAX + 1):
        bench.hears(nullification(view))
    assert bench.core.view == VIEW_MAX + 1
    assert bench.restarted().core.view == VIEW_MAX + 1


def test_row_14_application_ahead_of_the_journal() -> None:
    """At the start by its floor, later by an event; and the validator goes on voting."""
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    final = finalization(proposal(9, 0))
    at_start = bench.restarted(floor=Floor(9, proposal(9, 0).payload, final))
    assert at_start.core.view == 10
    bench.step(Floored(final))
    assert of_type(bench.effects, Finalized) == [Finalized(proposal(9, 0), final)]
    for ahead in (at_start, bench, bench.restarted()):
        ahead.hears(notarize(proposal(10, 9), 2))
        assert (NOTARIZE, 10) in votes_told(ahead.verdict(proposal(10, 9)))


def test_row_15_growth_and_egress_of_a_standstill() -> None:
    """A view that went well does not end the growth; repeating is bounded however long it lasts."""
    bench = Bench()
    waits = []
    for view in range(1, 40):
        if view % 5 == 0:
            bench.hears(notarization(proposal(view, view - 1)))
            bench.step(Certified(proposal(view, view - 1), True))
        else:
            bench.hears(nullification(view))
        waits.append(bench.core.deadline() - bench.now_ms)
    assert waits == sorted(waits)
    bench.passes(bench.core.standstill_at - bench.now_ms)
    for _ in range(5):
        made = bench.passes(STANDSTILL_MS)
        repeated = [effect for effect in of_type(made, Tell) if type(effect.message) is not Want]
        assert 0 < len(repeated) <= STANDSTILL_MESSAGES + 2  # and the retry of the view itself


def test_row_16_block_after_the_timeout_can_still_be_notarized() -> None:
    """Two nullified, then the proposal came: without their notarize neither certificate forms."""
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    bench.hears(notarize(proposal(1), 1), notarize(proposal(1), 2))
    made = bench.verdict(proposal(1))
    assert votes_told(made) == [(NOTARIZE, 1)]
    assert told(made, Certificate) == [notarization(proposal(1), (0, 1, 2))]
    assert entered(bench.step(Certified(proposal(1), True))) == [2]
    assert (FINALIZE, 1) not in votes_told(bench.effects)


def test_row_17_a_parent_must_be_certified() -> None:
    """A notarized parent whose payload is not judged, or is bad, is none."""
    bench = Bench()
    bench.hears(notarization(proposal(1)), nullification(1), notarize(proposal(2), 2))
    assert of_type(bench.effects, Verify) == []
    bench.step(Certified(proposal(1), False))
    assert of_type(bench.effects, Verify) == [] and votes_told(bench.effects) == [(NULLIFY, 2)]


def test_row_18_nullified_and_notarized_gives_one_chain() -> None:
    """View 1 has both certificates; two children may be notarized, and only one is final."""
    finals = []
    for parent in (0, 1):
        bench = Bench()
        bench.certified(proposal(1))
        bench.hears(nullification(1), notarize(proposal(2, parent), 2))
        found = of_type(bench.effects, Verify)[-1]
        assert found.proposal.parent_view == parent
        bench.step(Verified(*found, True))
        assert (NOTARIZE, 2) in votes_told(bench.effects)
        # The other child of the same view gets nothing from this validator, ever.
        bench.hears(notarize(proposal(2, 1 - parent), 2))
        finals.append([kind for kind, view in votes_told(bench.effects) if view == 2])
    assert finals == [[NOTARIZE, NULLIFY], [NOTARIZE, NULLIFY]]
    for seed in range(2):
        network = Network(100 + seed, 4, [2], loss=0.25)
        network.runs(8_000)
        network.witness.check()
        both = network.witness.could_be(NOTARIZE).keys() & network.witness.could_be(NULLIFY).keys()
        assert both


def test_row_20_indexes_and_bitmaps_out_of_range() -> None:
    """Of a vote here; of bitmaps and lengths in tests/codec/test_consensus.py."""
    bench = Bench()
    for signer in (4, 5, 127, 128, 2**16 - 1):
        for sender in (1, 2, 3):
            assert done(bench.step(Received(sender, nullify(1, signer)))) == []
    for signers in ((1, 2, 4), (1, 2, 2**16 - 1), (-1, 1, 2), (1, 1, 2), (2, 1, 3)):
        made = notarization(proposal(1), (1, 2, 3))._replace(signers=signers)
        assert done(bench.hears(made)) == []
    assert bench.core.counts == {"votes_misplaced": 15, "certificates_forged": 5}


def test_row_24_bounds_of_windows_are_not_off_by_one() -> None:
    """The first and the last view of each window, and the next beyond."""
    bench = Bench()
    bench.hears(finalization(proposal(3, 0), (0, 2, 3)))
    for view, kept in ((3, False), (4, True), (4 + VIEWS_AHEAD, True), (5 + VIEWS_AHEAD, False)):
        bench.hears(finalize(proposal(view, 0), 1))
        held = bench.core.rounds.find(view)
        assert (held is not None and (FINALIZE, 1) in held.tally.votes) == kept
    only = Bench(vote_above=1)
    only.runs(2 * STANDSTILL_MS)
    assert votes_told(only.effects) == []
    only.hears(nullification(1))
    only.runs(2 * LEADER_DUE_MS)
    assert votes_told(only.effects)[0] == (NULLIFY, 2)


def test_row_26_stuck_between_nullify_and_a_payload_that_comes_late() -> None:
    """Skipping, an equivocating leader and a restart: the view is left all the same."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1), notarize(proposal(1, tag=1), 1))
    bench.hears(notarization(proposal(1)))
    again = bench.restarted()
    assert of_type(again.first, Certify) == [Certify(proposal(1), (1, 2, 3))]
    again.passes(RETRY_MS)
    assert (NULLIFY, 1) in votes_told(again.effects)
    assert entered(again.hears(nullify(1, 2), nullify(1, 3))) == [2]
    # The payload is still wanted, and what builds on it accepted when it comes.
    again.hears(notarize(proposal(2), 2))
    assert of_type(again.step(Certified(proposal(1), True)), Verify) == [
        Verify(proposal(2), proposal(1).payload)
    ]
    # With the payload bad for all, four validators leave by nullifying, the equivocation aside.
    bad = Bench()
    bad.hears(notarize(proposal(1), 1), notarization(proposal(1, tag=1)))
    made = bad.step(Certified(proposal(1, tag=1), False))
    assert reasons(made) == [Reason.FAILED_CERTIFICATION] and votes_told(made) == [(NULLIFY, 1)]


def test_row_27_timers_start_with_the_view_and_not_by_themselves() -> None:
    """Time alone takes nobody into another view; a certificate starts all timers anew."""
    bench = Bench()
    bench.runs(20 * STANDSTILL_MS)
    assert bench.core.view == 1 and len(of_type(bench.effects, Entered)) == 1
    bench.hears(nullification(1))
    assert bench.core.deadline() == bench.now_ms + LEADER_DUE_MS


def test_row_28_validators_restarted_in_different_views_meet_again() -> None:
    """Each was in another view, each holds what let it in; retries bring all to the highest."""
    benches = four()
    for bench in benches:
        for view in range(1, 2 + 3 * bench.core.me):
            bench.hears(nullification(view))
        bench.passes(bench.core.deadline() - bench.now_ms)
    again = made_by_hand([bench.restarted() for bench in benches])
    assert len({bench.core.view for bench in again}) == 4
    for _ in range(2):
        sent = []
        for bench in again:
            made = bench.passes(RETRY_MS)
            sent.append([effect.message for effect in of_type(made, Tell) if effect.to is None])
        exchange(again, sent)
    assert {bench.core.view for bench in again} == {max(b.core.view for b in again)}
    for bench in again:
        said = [*votes_told(benches[bench.core.me].effects), *votes_told(bench.effects)]
        assert all(kind == NULLIFY for kind, _ in said)


def test_row_30_flags_belong_to_their_view_and_both_certificates_give_a_parent() -> None:
    """A contradiction in view 6 marks view 6; a leader with both certificates builds once."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.hears(notarize(proposal(6), 2), notarize(proposal(6, tag=1), 2))
    assert bench.ballot(6).status == Status.EQUIVOCATED
    assert bench.ballot(1).status == Status.UNVERIFIED and reasons(bench.effects) == []
    assert votes_told(bench.verdict(proposal(1))) == [(NOTARIZE, 1)]
    leader = Bench()
    leader.certified(proposal(1))
    leader.hears(nullification(1), nullification(2), nullification(3))
    assert of_type(leader.effects, Build) == [Build(4, 1, proposal(1).payload)]
