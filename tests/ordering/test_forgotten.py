"""A journal that was put back from an older copy: the first proof of it ends all signing (J12)."""

import pytest

from quorate.ordering.messages import Built, Certified, Floored, Forgotten
from quorate.types.consensus import VIEW_MAX, Certificate
from tests.ordering.world import (
    FORGED,
    Bench,
    finalization,
    notarization,
    notarize,
    nullification,
    of_type,
    proposal,
    signature_of,
    votes_told,
)

MINE = {
    "a notarization": notarization(proposal(1), (0, 1, 2)),
    "a nullification": nullification(1, (0, 1, 2)),
    "a finalization": finalization(proposal(1), (0, 2, 3)),
    "of a view far ahead": finalization(proposal(40), (0, 1, 3)),
}


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("floored", [False, True])
def test_a_vote_of_ours_that_the_journal_lacks_ends_all_signing(name: str, floored: bool) -> None:
    bench, proof = Bench(), MINE[name]
    if floored and not name.startswith("a n"):
        made = bench.step(Floored(proof))
    else:
        made = bench.hears(proof)
    (forgotten,) = of_type(made, Forgotten)
    assert forgotten.vote.subject == proof.subject and forgotten.vote.signer == 0
    assert forgotten.vote.signature == signature_of(0, proof.subject)
    assert bench.core.vote_above == VIEW_MAX
    assert bench.core.counts["votes_forgotten"] == 1
    # Neither time, nor proposals, nor our own turn to lead bring another vote.
    at = bench.core.view
    bench.hears(notarize(proposal(at, at - 1), bench.core.validators.leader(at)))
    made += bench.runs(20_000) + bench.hears(*[nullification(at + n) for n in range(6)])
    made += bench.step(Built(4, proposal(4).payload)) + bench.runs(20_000)
    assert votes_told(made) == [] and len(of_type(made, Forgotten)) == 1


def test_another_vote_of_the_same_kind_and_view_is_no_excuse() -> None:
    """The journal holds our notarize of one proposal, others hold that of another."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    assert len(votes_told(bench.verdict(proposal(1)))) == 1
    made = bench.hears(notarization(proposal(1, tag=1), (0, 2, 3)))
    assert [found.vote.subject.payload for found in of_type(made, Forgotten)] == [
        proposal(1, tag=1).payload
    ]


def voted() -> tuple[Bench, Certificate]:
    """Let a core vote, and others make a certificate with its vote."""
    bench = Bench()
    bench.hears(notarize(proposal(1), 1))
    bench.verdict(proposal(1))
    return bench, notarization(proposal(1), (0, 1, 2))


def test_our_own_votes_that_we_know_are_no_proof_even_after_a_restart() -> None:
    bench, found = voted()
    again = bench.restarted()
    for core in (bench, again):
        made = core.hears(found) + core.step(Certified(proposal(1), True))
        made += core.hears(finalization(proposal(1), (0, 1, 2)))
        assert of_type(made, Forgotten) == [] and core.core.vote_above == 0


def test_any_older_copy_of_the_journal_is_found_out() -> None:
    """Whatever prefix without the vote is restored, the certificate shows it."""
    bench, found = voted()
    bench.hears(found)
    whole = list(bench.entries)
    first = next(at for at, (record, _) in enumerate(whole) if record == 1)
    for length in range(len(whole) + 1):
        older = Bench(entries=whole[:length])
        proved = of_type(older.hears(found), Forgotten)
        assert len(proved) == (length <= first)


@pytest.mark.parametrize(
    "sent",
    [
        notarization(proposal(1), (0, 1, 2))._replace(
            signatures=(FORGED, *notarization(proposal(1), (1, 2)).signatures)
        ),
        nullification(1, (0, 1)),
        notarization(proposal(1), (1, 2, 3)),
    ],
)
def test_what_proves_nothing_silences_nobody(sent: Certificate) -> None:
    bench = Bench()
    made = bench.hears(sent)
    assert of_type(made, Forgotten) == [] and bench.core.vote_above == 0


def test_an_observer_that_has_begun_to_vote_again_bears_its_old_votes() -> None:
    """What it signed before its journal was lost lies at or below `vote_above`."""
    bench = Bench(vote_above=3)
    assert of_type(bench.hears(nullification(3, (0, 1, 2))), Forgotten) == []
    assert len(of_type(bench.hears(nullification(4, (0, 1, 2))), Forgotten)) == 1
    watcher = Bench(me=None)
    assert of_type(watcher.hears(nullification(1, (0, 1, 2))), Forgotten) == []
