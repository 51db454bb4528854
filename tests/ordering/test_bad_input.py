"""What peers may send that is wrong: nothing raises, nothing changes, memory stays bounded.

What cannot be decoded is refused in tests/codec/test_consensus.py.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec.consensus import MessageInvalid, decode_certificate, decode_vote
from quorate.ordering.fetching import WANTS_MAX
from quorate.ordering.messages import Certified, Offence, Received, Verified, Verify, Want
from quorate.ordering.simplex import VIEWS_AHEAD
from quorate.ordering.voting import VIEWS_RETAINED
from quorate.types.consensus import VIEW_MAX, Certificate, Vote
from tests.ordering.world import (
    FINALIZE,
    FORGED,
    NOTARIZE,
    NULLIFY,
    RETRY_MS,
    SKIP_MS,
    Bench,
    accused,
    certificate,
    finalization,
    finalize,
    notarization,
    notarize,
    nullification,
    nullify,
    offences,
    proposal,
    told,
    vote,
)


def state(bench: Bench) -> tuple[object, ...]:
    """Give all that a message could change, but who was heard and what was counted."""
    core = bench.core
    rounds = {view: core.rounds.find(view) for view in core.rounds}
    return (
        core.view,
        core.floor,
        {view: held.ballot for view, held in rounds.items()},
        {view: dict(held.certificates) for view, held in rounds.items() if held.certificates},
        {view: dict(held.tally.votes) for view, held in rounds.items() if held.tally.votes},
        {view: dict(held.tally.weights) for view, held in rounds.items() if held.tally.weights},
        dict(core.fetching.wants),
        dict(core.guilty),
    )


def ready() -> Bench:
    """Bring a bench to view 4 above a finalized view 2, with a certificate and a proposal held."""
    bench = Bench(me=2)
    bench.certified(proposal(1))
    bench.hears(finalization(proposal(2)), notarize(proposal(3), 3))
    bench.verdict(proposal(3))
    bench.certified(proposal(3))
    bench.hears(notarize(proposal(4), 0))
    return bench


# --- votes ---------------------------------------------------------------------------------------
FAR = (4 + VIEWS_AHEAD + 1, 2**31, 2**61, VIEW_MAX)
WRONG_VOTES: dict[str, tuple[int, Vote]] = {
    "another's name": (1, nullify(4, 3)),
    "my name": (1, nullify(4, 2)),
    "a signer beyond the set": (1, vote(NULLIFY, 4, 4)),
    "the greatest signer": (1, vote(NULLIFY, 4, 2**16 - 1)),
    "another epoch": (1, vote(NULLIFY, 4, 1, epoch=1)),
    "the greatest epoch": (1, vote(NULLIFY, 4, 1, epoch=2**64 - 1)),
    "another epoch's proposal": (0, notarize(proposal(4, epoch=1), 0)),
    "a final view": (1, notarize(proposal(2, tag=1), 1)),
    "below the final view": (1, finalize(proposal(1), 1)),
    **{f"nullify of view {view}": (1, nullify(view, 1)) for view in FAR},
    **{f"notarize of view {view}": (1, notarize(proposal(view), 1)) for view in FAR},
    **{f"finalize of view {view}": (1, finalize(proposal(view, 0), 1)) for view in FAR},
}


@pytest.mark.parametrize("name", WRONG_VOTES)
def test_a_vote_out_of_place_changes_nothing_and_is_counted(name: str) -> None:
    bench = ready()
    sender, wrong = WRONG_VOTES[name]
    before, counted = state(bench), sum(bench.core.counts.values())
    made = bench.step(Received(sender, wrong))
    misplaced = wrong.signer != sender or wrong.subject.epoch != 0
    assert made == ([Offence(sender, "votes_misplaced", 1)] if misplaced else [])
    assert state(bench) == before
    assert sum(bench.core.counts.values()) == counted + 1


def test_a_vote_is_taken_only_from_its_signer() -> None:
    """A forgery on another connection must not fill a place."""
    bench = Bench()
    bench.hears(nullify(1, 2)._replace(signature=FORGED), sender=3)
    assert told(bench.hears(nullify(1, 1), nullify(1, 2), nullify(1, 3)), Certificate)
    assert bench.core.counts == {"votes_misplaced": 1}


def test_forged_votes_make_no_certificate_and_leave_room_for_true_ones() -> None:
    bench = Bench()
    forged = [nullify(1, signer)._replace(signature=FORGED) for signer in (1, 2, 3)]
    made = bench.hears(forged[1], forged[2])
    assert told(made, Certificate) == []
    made = bench.hears(nullify(1, 1))
    assert told(made, Certificate) == [] and bench.core.view == 1
    assert bench.core.counts["votes_forged"] == 2
    assert sorted(offences(bench.effects)) == [(2, "votes_forged"), (3, "votes_forged")]
    made = bench.hears(nullify(1, 2))
    assert bench.core.view == 2 and accused(bench.effects) == []
    assert told(made, Certificate) == [nullification(1, (0, 1, 2))]


def test_a_forged_contradiction_is_no_evidence() -> None:
    bench = Bench()
    bench.hears(finalize(proposal(1), 3), nullify(1, 3)._replace(signature=FORGED))
    bench.hears(finalize(proposal(1, tag=1), 3)._replace(signature=FORGED))
    assert accused(bench.effects) == []
    assert bench.hears(finalize(proposal(1, tag=1), 3)) != [] and accused(bench.effects) == [3]


# --- certificates --------------------------------------------------------------------------------
def wrong_certificates() -> dict[str, Certificate]:
    """List certificates of view 4 that do not hold, for four equal validators."""
    good = nullification(4, (0, 1, 3))
    subject, _, signatures = good
    return {
        "nobody": nullification(4, ()),
        "below the quorum": nullification(4, (0, 1)),
        "twice the same": nullification(4, (0, 1, 1)),
        "out of order": nullification(4, (1, 0, 3)),
        "beyond the set": nullification(4, (0, 1, 4)),
        "negative": Certificate(subject, (-1, 0, 1), signatures),
        "a signature too few": good._replace(signatures=signatures[:2]),
        "a signature too many": good._replace(signatures=(*signatures, signatures[0])),
        "a signer too many": good._replace(signers=(0, 1, 2, 3)),
        "a signature cut": good._replace(signatures=(*signatures[:2], signatures[2][:63])),
        "a signature padded": good._replace(signatures=(*signatures[:2], signatures[2] + b"\0")),
        "an empty signature": good._replace(signatures=(*signatures[:2], b"")),
        "signatures exchanged": good._replace(signatures=signatures[::-1]),
        "a forged signature": good._replace(signatures=(*signatures[:2], FORGED)),
        "signed for another view": good._replace(signatures=nullification(5, (0, 1, 3)).signatures),
        "another epoch": certificate(NULLIFY, 4, (0, 1, 3), epoch=1),
        "another kind": notarization(proposal(4), (0, 1, 3))._replace(signatures=signatures),
        "another proposal": notarization(proposal(4), (0, 1, 3))._replace(
            signatures=notarization(proposal(4, tag=1), (0, 1, 3)).signatures
        ),
        "a view far ahead": good._replace(subject=subject._replace(view=VIEW_MAX)),
    }


@pytest.mark.parametrize("name", wrong_certificates())
def test_a_certificate_that_does_not_hold_changes_nothing(name: str) -> None:
    bench = ready()
    before = state(bench)
    made = bench.hears(wrong_certificates()[name], sender=3)
    forged = name != "another epoch"
    assert made == ([Offence(3, "certificates_forged", 1)] if forged else [])
    assert state(bench) == before
    assert bench.core.counts.get("certificates_forged", 0) == forged


def test_the_weight_of_signers_counts_and_not_their_number() -> None:
    """Weights 5, 1, 1, 1: the quorum of 8 is 6, so the three small ones are none."""
    bench = Bench(me=1, weights=(5, 1, 1, 1))
    before = bench.core.view
    bench.hears(nullification(before, (1, 2, 3)))
    assert bench.core.view == before
    bench.hears(nullification(before, (0, 3)))
    assert bench.core.view == before + 1


def test_a_certificate_of_the_last_view_of_all_does_not_raise() -> None:
    """Only a quorum could sign it."""
    bench = Bench()
    bench.hears(nullification(VIEW_MAX))
    assert bench.core.view == VIEW_MAX + 1
    bench.runs(SKIP_MS)


# --- anything ------------------------------------------------------------------------------------
small_views = st.one_of(st.integers(1, 14), st.sampled_from([*FAR, VIEW_MAX - 1]))


@st.composite
def messages(draw: st.DrawFn) -> tuple[int, Vote | Certificate | Want]:
    """Draw a message of validator 1 or 3, true or false in any part."""
    sender, view = draw(st.sampled_from([1, 3])), draw(small_views)
    epoch = draw(st.sampled_from([0, 0, 0, 1]))
    if draw(st.integers(0, 5)) == 0:
        return sender, Want(epoch, view)
    of = proposal(view, draw(st.integers(0, min(view - 1, 14))), draw(st.integers(0, 1)), epoch)
    kind = draw(st.sampled_from([NOTARIZE, NULLIFY, FINALIZE]))
    subject_of = view if kind == NULLIFY else of
    forged = draw(st.integers(0, 4)) == 0
    if draw(st.booleans()):
        signer = draw(st.sampled_from([sender, sender, sender, 0, 4, 2**16 - 1]))
        made = vote(kind, subject_of, signer, epoch)
        return sender, made._replace(signature=FORGED) if forged else made
    # One malicious validator signs what it likes, and forges the rest.
    signers = tuple(draw(st.lists(st.integers(0, 5), max_size=5)))
    made = certificate(kind, subject_of, signers, epoch)
    pairs = zip(made.signers, made.signatures, strict=True)
    kept = tuple(signature if signer == 1 else FORGED for signer, signature in pairs)
    return sender, made._replace(signatures=kept)


@settings(max_examples=60)
@given(st.lists(messages(), max_size=24))
def test_nothing_that_a_peer_sends_raises_or_is_final(
    sent: list[tuple[int, Vote | Certificate | Want]],
) -> None:
    """And no message of theirs makes this validator contradict itself."""
    bench = Bench()
    for sender, message in sent:
        for effect in bench.step(Received(sender, message)):
            if isinstance(effect, Verify):
                bench.step(Verified(effect.proposal, effect.parent_payload, True))
        bench.passes(20)
    assert bench.core.floor.view == 0
    kinds = [(mine.subject.kind, mine.subject.view) for mine in told(bench.effects, Vote)]
    assert kinds.count((NOTARIZE, 1)) <= 1 and not any(kind == FINALIZE for kind, _ in kinds)


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_whatever_decodes_can_be_heard(data: bytes) -> None:
    """Bytes to events: the decoder refuses, or the core takes it in its stride."""
    bench = Bench()
    for kind in (1, 2, 3):
        framed = bytes([kind]) + data[1:]
        for decode in (decode_vote, lambda read: decode_certificate(read, 4)):
            try:
                bench.step(Received(1, decode(framed)))
            except MessageInvalid:
                continue
    assert bench.core.view == 1


# --- memory --------------------------------------------------------------------------------------
def held_things(bench: Bench) -> dict[str, int]:
    """Count what is kept."""
    rounds = [bench.core.rounds.find(view) for view in bench.core.rounds]
    return {
        "rounds": len(rounds),
        "votes": sum(len(held.tally.votes) for held in rounds),
        "weights": sum(len(held.tally.weights) for held in rounds),
        "verified": sum(len(held.tally.verified) for held in rounds),
        "certificates": sum(len(held.certificates) for held in rounds),
        "wants": len(bench.core.fetching.wants),
        "answered": sum(len(times) for times in bench.core.fetching.answered.values()),
    }


def flood(bench: Bench, tag: int) -> None:
    """Let validator 1 say all that it can in and out of every window."""
    views = [*range(1, 20), *range(1000 * tag, 1000 * tag + 60), 2**61 + tag]
    for view in (view for view in views if view):
        of = proposal(view, view - 1, tag)
        for made in (notarize(of, 1), finalize(of, 1), nullify(view, 1)):
            bench.step(Received(1, made))
            bench.step(Received(1, made._replace(signature=FORGED)))
        forged = notarize(proposal(view, view - 1, tag + 10**6), 1)._replace(signature=FORGED)
        bench.step(Received(1, forged))
        bench.step(Received(1, Want(0, view)))
        bench.step(Received(1, notarization(of, (1,))))
        bench.step(Received(1, nullification(view, (0, 1))))


def test_what_one_malicious_peer_makes_us_keep_is_bounded() -> None:
    """As many rounds as the window, one vote of a kind each, few wants; no more for more."""
    bench = Bench()
    flood(bench, 1)
    flood(bench, 2)  # contradicts the first, so that all signatures are looked at
    first = held_things(bench)
    for tag in range(3, 30):
        flood(bench, tag)
    assert held_things(bench) == first
    window = 1 + VIEWS_AHEAD
    assert first["rounds"] <= window and first["votes"] <= 3 * window + 1
    assert first["weights"] <= 3 * window + 1 and first["verified"] <= 3 * window + 1
    assert first["certificates"] == 0 and first["wants"] <= WANTS_MAX
    assert first["answered"] <= WANTS_MAX


def test_a_leader_that_forges_proposals_for_ever_leaves_nothing_behind() -> None:
    """Each is dropped as soon as its signature is looked at, and its weight with it."""
    bench = Bench()
    for tag in range(500):
        bench.hears(notarize(proposal(1, tag=tag), 1)._replace(signature=FORGED))
    assert held_things(bench)["weights"] == 0 and held_things(bench)["votes"] == 0
    assert bench.core.counts == {"votes_forged": 500}


def test_a_leader_that_invents_parents_makes_us_want_few() -> None:
    """A proposal waits for one certificate at a time."""
    bench = Bench()
    for view in range(1, 40):
        of = proposal(view, view - 1)
        if view % 4:
            bench.hears(notarize(of, view % 4))
        bench.hears(nullification(view))
    assert held_things(bench)["wants"] <= WANTS_MAX


def test_wants_are_answered_at_a_bounded_rate_whatever_views_they_name() -> None:
    """Many views in turn get no more than a few, again and again."""
    bench = Bench()
    bench.hears(finalization(proposal(200, 0)))
    for _ in range(3):
        for view in range(1, 200):
            bench.hears(Want(0, view), sender=2)
    assert len(told(bench.effects, Certificate, 2)) <= WANTS_MAX
    bench.passes(RETRY_MS)
    assert told(bench.hears(Want(0, 3), sender=2), Certificate, 2) == [
        finalization(proposal(200, 0))
    ]
    assert told(bench.hears(Want(0, 3), sender=3), Certificate, 3) != []


def test_rounds_below_the_last_finalized_are_forgotten() -> None:
    bench = Bench()
    for view in range(1, 200):
        bench.hears(finalization(proposal(view)))
    assert held_things(bench)["rounds"] <= VIEWS_RETAINED + 3
    for view in range(1, 200):
        bench.step(Certified(proposal(view), True))
        bench.step(Verified(proposal(view), b"", True))
    assert held_things(bench)["rounds"] <= VIEWS_RETAINED + 3


def test_a_want_of_another_epoch_is_not_answered() -> None:
    bench = Bench()
    bench.hears(nullification(1))
    assert bench.hears(Want(1, 1)) == []
    assert told(bench.hears(Want(0, 1)), Certificate, 1) == [nullification(1)]
