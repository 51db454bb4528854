"""Restart from the journal: after any prefix of it nothing said before is contradicted."""

import itertools

import pytest

from quorate.codec.consensus import MessageInvalid, encode_certificate, encode_vote
from quorate.ordering import journal
from quorate.ordering.journal import JournalRefused, certified_bytes
from quorate.ordering.messages import (
    Built,
    Certified,
    Certify,
    Effect,
    Event,
    Finalized,
    Journal,
    Received,
    Record,
    Tell,
    Verified,
    WorkArrived,
)
from quorate.ordering.rules import Certify as Certification
from quorate.ordering.rules import Status
from quorate.ordering.voting import Floor
from quorate.types.consensus import GENESIS_PAYLOAD, Certificate, Vote
from tests.ordering.network import Network
from tests.ordering.world import (
    FINALIZE,
    LEADER_DUE_MS,
    NOTARIZE,
    NULLIFY,
    RETRY_MS,
    SKIP_MS,
    Bench,
    certificate,
    finalization,
    finalize,
    finalized_views,
    notarization,
    notarize,
    nullification,
    nullify,
    of_type,
    proposal,
    told,
    vote,
    votes_told,
)

VOTE, CERTIFICATE, CERTIFIED = (int(record) for record in Record)


def own(entries: list[tuple[int, bytes]]) -> list[Vote]:
    """Read the own votes of a journal."""
    return [journal.decode_vote(data) for record, data in entries if record == VOTE]


def contradict(first: Vote, second: Vote) -> bool:
    """Say by the words of CONSENSUS 6 whether two votes of one view may not both be."""
    one, other = first.subject, second.subject
    if one.view != other.view or one == other:
        return False
    kinds = {one.kind, other.kind}
    if NULLIFY in kinds:
        return FINALIZE in kinds
    return one.proposal != other.proposal


# --- a run in which everything happens -----------------------------------------------------------
def eventful() -> Bench:
    """Take validator 0 through every kind of entry and view."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    bench.certified(proposal(1))
    bench.hears(notarize(proposal(2), 2), notarize(proposal(2), 3))
    bench.verdict(proposal(2))
    bench.step(Certified(proposal(2), True))
    bench.passes(2 * LEADER_DUE_MS)
    bench.hears(nullification(3))
    bench.step(Built(4, proposal(4, 2).payload))
    bench.certified(proposal(4, 2, tag=1))
    bench.hears(finalization(proposal(2)))
    bench.hears(notarize(proposal(5, 4), 1), notarization(proposal(5, 4)))
    bench.passes(3 * LEADER_DUE_MS)
    bench.step(Certified(proposal(5, 4), False))
    bench.hears(nullification(5))
    bench.hears(notarize(proposal(6, 4), 2))
    bench.verdict(proposal(6, 4))
    bench.certified(proposal(6, 4))
    return bench


def temptations() -> list[Event]:
    """List events that invite a validator to say in each view what it may have said otherwise."""
    tempting: list[Event] = [WorkArrived()]
    for view in range(1, 9):
        leader = view % 4
        for tag, parent in itertools.product((2, 0, 1), range(view)):
            of = proposal(view, parent, tag)
            if leader:
                tempting.append(Received(leader, notarize(of, leader)))
            tempting.append(Built(view, of.payload))
            tempting += [Verified(of, GENESIS_PAYLOAD, True)]
            if parent:
                tempting += [
                    Verified(of, proposal(parent, below, other).payload, True)
                    for below, other in itertools.product(range(parent), (0, 1))
                ]
        tempting.append(Received(1, nullification(view)))
    return tempting


def late_certificates() -> list[Event]:
    """Certificates for what the eventful run notarized, each certified."""
    views = {1: 0, 2: 1, 4: 2, 5: 4, 6: 4}
    events: list[Event] = []
    for view, parent in views.items():
        of = proposal(view, parent, int(view == 4))
        events += [Received(1, notarization(of)), Certified(of, view != 5)]
    return events


def tempt(bench: Bench, turned: bool) -> None:
    groups = [late_certificates(), temptations()]
    for event in itertools.chain(*(groups[::-1] if turned else groups)):
        bench.step(event)
        bench.now_ms += 40
    for event in temptations():
        bench.step(event)
    bench.runs(SKIP_MS)


def test_the_eventful_run_is_eventful() -> None:
    entries = eventful().entries
    kinds = [(mine.subject.kind, mine.subject.view) for mine in own(entries)]
    assert kinds == [
        (NOTARIZE, 1), (FINALIZE, 1), (NOTARIZE, 2), (FINALIZE, 2), (NULLIFY, 3), (NOTARIZE, 4),
        (NULLIFY, 5), (NOTARIZE, 6), (FINALIZE, 6),
    ]  # fmt: skip
    assert {record for record, _ in entries} == {VOTE, CERTIFICATE, CERTIFIED}


PREFIXES = range(len(eventful().entries) + 1)


@pytest.mark.parametrize("kept", PREFIXES)
@pytest.mark.parametrize("turned", [False, True])
def test_no_prefix_of_the_journal_lets_a_validator_contradict_itself(
    kept: int, turned: bool
) -> None:
    """Whatever it is told after the restart, in either order."""
    entries = eventful().entries[:kept]
    again = Bench(entries=entries, now_ms=10_000)
    tempt(again, turned)
    said = own(entries) + told(again.effects, Vote)
    for first, second in itertools.combinations(said, 2):
        assert not contradict(first, second), (first.subject, second.subject)


@pytest.mark.parametrize("kept", PREFIXES)
def test_every_prefix_says_again_what_is_not_final(kept: int) -> None:
    """Its own votes and its certificates above the last finalization, at the start (R2)."""
    entries = eventful().entries[:kept]
    again = Bench(entries=entries, now_ms=10_000)
    sent = [effect.message for effect in of_type(again.first, Tell)]
    floor = max([0, *finalized_views(again.first)])
    for mine in own(entries):
        assert (mine in sent) == (mine.subject.view > floor)
    for record, data in entries:
        if record == CERTIFICATE:
            found = journal.decode_certificate(data, 4)
            if found.subject.view > floor:
                assert found in sent
    # A restart of the restart says the same.
    assert set(told(again.restarted().first, Vote)) == set(told(again.first, Vote))
    # Nothing that was signed anew is told before its entry.
    new = own(again.entries[kept:])
    assert {said for said in sent if isinstance(said, Vote)} - set(own(entries)) == set(new)


@pytest.mark.parametrize("kept", PREFIXES)
def test_every_prefix_leads_to_the_view_that_its_certificates_show(kept: int) -> None:
    """R1, J6: found by hand from the entries, not from the last of them."""
    entries = eventful().entries[:kept]
    certified = {data[:8] for record, data in entries if record == CERTIFIED and data[8]}
    view = 1
    for record, data in entries:
        if record == CERTIFICATE:
            found = journal.decode_certificate(data, 4).subject
            done = found.kind != NOTARIZE or found.view.to_bytes(8, "little") in certified
            view = max(view, found.view + 1 if done else 0)
    assert Bench(entries=entries).core.view == view


def journals_before_tells(effects: list[Effect]) -> None:
    """Check that each own vote and each certificate is written before it leaves."""
    written: set[bytes] = set()
    for effect in effects:
        if isinstance(effect, Journal):
            written.add(effect.data)
        elif isinstance(effect, Tell) and isinstance(effect.message, Vote):
            assert encode_vote(effect.message) in written
        elif isinstance(effect, Tell) and isinstance(effect.message, Certificate):
            assert encode_certificate(effect.message, 4) in written


def test_all_that_leaves_is_written_first() -> None:
    """J2: in the order of effects."""
    journals_before_tells(eventful().effects)


@pytest.mark.parametrize("seed", range(4))
def test_prefixes_of_the_journals_of_a_network(seed: int) -> None:
    """As above with the journals of a troubled run: at every prefix nothing is contradicted."""
    network = Network(seed, 4, [3], loss=0.2)
    network.runs(5_000)
    entries = network.nodes[0].entries
    assert len(entries) > 30
    for kept in range(len(entries)):
        again = Bench(entries=entries[:kept], now_ms=10_000)
        again.runs(SKIP_MS)
        said = own(entries[:kept])
        signed = told(again.effects, Vote)
        for first in signed:
            assert not any(contradict(first, second) for second in said if second != first)


# --- rule by rule --------------------------------------------------------------------------------
def test_j4_own_votes_come_back_with_their_flags() -> None:
    again = Bench(entries=eventful().entries)
    assert again.ballot(1).my_notarize == again.ballot(1).my_finalize == proposal(1)
    assert again.ballot(3).my_nullify and again.ballot(3).my_notarize is None
    assert again.ballot(6).status == Status.VERIFIED
    assert again.ballot(5).certify == Certification.FALSE
    assert again.ballot(6).certify == Certification.TRUE


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ((VOTE, encode_vote(nullify(1, 2))), JournalRefused),
        ((VOTE, encode_vote(vote(NULLIFY, 1, 0, epoch=1))), JournalRefused),
        ((CERTIFICATE, encode_certificate(certificate(NULLIFY, 1, epoch=1), 4)), JournalRefused),
        ((CERTIFIED, certified_bytes(1, proposal(1).payload, True)), JournalRefused),
        ((CERTIFIED, certified_bytes(1, proposal(1).payload, True)[:-1]), JournalRefused),
        ((4, b""), JournalRefused),
        ((0, encode_vote(nullify(1, 0))), JournalRefused),
        ((VOTE, encode_vote(nullify(1, 0))[:-1]), MessageInvalid),
        ((CERTIFICATE, encode_certificate(nullification(1), 4)[:-1]), MessageInvalid),
        ((CERTIFICATE, encode_certificate(nullification(1), 5)), MessageInvalid),
    ],
)  # fmt: skip
def test_j4_what_cannot_be_ours_is_refused(
    entry: tuple[int, bytes], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Bench(entries=[entry])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (notarize(proposal(1), 0), notarize(proposal(1, tag=1), 0)),
        (nullify(1, 0), finalize(proposal(1), 0)),
        (finalize(proposal(1), 0), nullify(1, 0)),
        (notarize(proposal(1), 0), finalize(proposal(1, tag=1), 0)),
    ],
)
def test_j4_a_journal_that_contradicts_itself_is_refused(first: Vote, second: Vote) -> None:
    """Two processes wrote it, or a hand did: to sign anything more would be reckless."""
    with pytest.raises(JournalRefused, match="contradict"):
        Bench(entries=[(VOTE, encode_vote(first)), (VOTE, encode_vote(second))])


def test_j5_a_certificate_against_my_own_vote_overrules_it_after_a_restart_too() -> None:
    """My flag stays, and I sign nothing more for either."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    bench.hears(notarization(proposal(1, tag=1)))
    again = bench.restarted()
    ballot = again.ballot(1)
    assert ballot.slot == proposal(1, tag=1) and ballot.status == Status.EQUIVOCATED
    assert ballot.my_notarize == proposal(1)
    assert of_type(again.first, Certify) == [Certify(proposal(1, tag=1), (1, 2, 3))]
    assert votes_told(again.step(Certified(proposal(1, tag=1), True))) == []
    assert again.core.view == 2


def test_j6_a_nullify_is_in_the_pool_again_and_sent_again_in_time() -> None:
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    again = bench.restarted()
    assert votes_told(again.first) == [(NULLIFY, 1)]
    assert votes_told(again.passes(RETRY_MS)) == [(NULLIFY, 1)]
    assert told(again.hears(nullify(1, 2), nullify(1, 3)), Certificate)


def test_j6_a_restored_validator_can_leave_a_view_with_the_nullifies_of_all_restored() -> None:
    """A whole cluster restarts after each nullified; votes from before the crash suffice."""
    benches = [Bench(me=me) for me in range(4)]
    for bench in benches:
        bench.passes(LEADER_DUE_MS)
    again = [bench.restarted() for bench in benches]
    sent = [said for bench in again for said in told(bench.first, Vote)]
    assert len(sent) == 4
    for bench in again:
        bench.hears(*[said for said in sent if said.signer != bench.core.me])
        assert bench.core.view == 2


def test_j8_a_floor_of_the_application_beyond_the_journal_is_where_to_go_on() -> None:
    bench = Bench()
    bench.passes(LEADER_DUE_MS)
    floor = Floor(7, proposal(7).payload, finalization(proposal(7)))
    again = bench.restarted(floor=floor)
    assert again.core.view == 8 and of_type(again.first, Finalized) == []
    assert told(again.first, Vote) == [] and finalization(proposal(7)) in told(
        again.first, Certificate
    )
    assert again.core.payload_at(7) == proposal(7).payload


def test_j8_a_floor_below_the_journal_brings_what_is_final_again() -> None:
    """The application lost what it had not written; it hears of the finalizations above."""
    bench = Bench()
    bench.hears(finalization(proposal(2)), finalization(proposal(5)))
    floor = Floor(2, proposal(2).payload, finalization(proposal(2)))
    assert finalized_views(bench.restarted(floor=floor).first) == [5]
    assert finalized_views(bench.restarted().first) == [2, 5]


def test_j11_the_last_entry_is_not_where_to_go_on_from() -> None:
    """A finalize of an old view is written after certificates of later ones."""
    bench = Bench()
    bench.hears(notarization(proposal(1)), nullification(1), nullification(2), nullification(3))
    bench.step(Certified(proposal(1), True))
    record, data = bench.entries[-1]
    assert record == VOTE and journal.decode_vote(data).subject.view == 1
    assert bench.restarted().core.view == bench.core.view == 4


def test_j11_a_certified_verdict_of_a_proposal_that_lost_is_not_taken_for_the_other() -> None:
    """The verdict names its payload."""
    entries = [
        (CERTIFICATE, encode_certificate(notarization(proposal(1)), 4)),
        (CERTIFIED, certified_bytes(1, proposal(1, tag=1).payload, True)),
    ]
    again = Bench(entries=entries)
    assert again.core.view == 1 and again.ballot(1).certify == Certification.RUNNING
