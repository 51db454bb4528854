"""Each checker refuses what it is there for, and nothing less."""

import pytest

from quorate.sim.checkers.agreement import GENESIS, Agreement, Link
from quorate.sim.checkers.arithmetic import is_quorum, is_tolerable, leaders
from quorate.sim.checkers.certificates import Certificates
from quorate.sim.checkers.evidence import Evidence
from quorate.sim.checkers.one_vote import FINALIZE, NOTARIZE, NULLIFY, OneVote, Subject
from quorate.sim.checkers.validity import Validity
from quorate.sim.cluster.failure import Property, Violation
from quorate.types.consensus import leader_schedule, quorum_weight

A, B, C = (bytes([letter]) * 68 for letter in b"abc")


def vote(kind: int, view: int = 1, payload: bytes = A, parent: int = 0) -> Subject:
    return (kind, 0, view, 0, b"") if kind == NULLIFY else (kind, 0, view, parent, payload)


def test_the_arithmetic_agrees_with_the_products() -> None:
    for total in range(1, 200):
        assert min(w for w in range(total + 1) if is_quorum(w, total)) == quorum_weight(total)
        assert not is_tolerable(total - total * 2 // 3, total)
    for weights in ((1, 1, 1, 1), (3, 1, 2), (5, 5, 1, 4), (2, 4, 6), (7,)):
        assert tuple(leaders(weights)) == leader_schedule(weights)


CONTRADICTIONS = [
    (vote(NOTARIZE), vote(NOTARIZE, payload=B)),
    (vote(FINALIZE), vote(FINALIZE, payload=B)),
    (vote(NULLIFY), vote(FINALIZE)),
    (vote(FINALIZE), vote(NULLIFY)),
    (vote(NOTARIZE), vote(FINALIZE, payload=B)),
    (vote(FINALIZE), vote(NOTARIZE, payload=B)),
]


@pytest.mark.parametrize(("first", "second"), CONTRADICTIONS)
def test_two_votes_that_contradict(first: Subject, second: Subject) -> None:
    watch = OneVote()
    watch.left(0, first)
    watch.left(1, second)
    with pytest.raises(Violation) as caught:
        watch.left(0, second)
    assert caught.value.broken == Property.ONE_VOTE
    with pytest.raises(Violation):
        watch.signed(0, second, 1)
    watch.forgiven[0] = None
    watch.left(0, second)


def test_votes_that_go_together() -> None:
    watch = OneVote()
    for subject in (vote(NOTARIZE), vote(NULLIFY), vote(NULLIFY), vote(NOTARIZE)):
        watch.left(0, subject)
    for subject in (vote(NOTARIZE, 2), vote(FINALIZE, 2), vote(FINALIZE, 2)):
        watch.left(0, subject)
    watch.signed(0, vote(NULLIFY), 1)


def test_a_vote_that_has_left_is_not_signed_again_and_no_view_is_nullified_late() -> None:
    watch = OneVote()
    watch.left(0, vote(NOTARIZE))
    with pytest.raises(Violation, match="signed again"):
        watch.signed(0, vote(NOTARIZE), 1)
    with pytest.raises(Violation, match="view 3 was entered"):
        watch.signed(0, vote(NULLIFY, 2), 3)


def cast(watch: Certificates, subject: Subject, signers: str) -> None:
    for signer in signers:
        watch.sign(int(signer), subject)
    for signer in signers:
        watch.leave(int(signer), subject)


def test_certificates_that_the_votes_cannot_justify() -> None:
    def after(*votes: tuple[Subject, str]) -> str:
        watch = Certificates((1, 1, 1, 1))
        try:
            for subject, signers in votes:
                cast(watch, subject, signers)
        except Violation as violation:
            assert violation.broken == Property.CERTIFICATES
            return violation.sentence
        return ""

    first, final = (vote(NOTARIZE), "012"), (vote(FINALIZE), "013")
    assert not after(first, final, (vote(NOTARIZE, 2, B, 1), "123"))
    assert not after(first, (vote(NULLIFY), "123"), (vote(NOTARIZE, 2, B, 1), "123"))
    assert "two proposals" in after(first, (vote(NOTARIZE, payload=B), "013"))
    assert "nullified and final" in after(first, final, (vote(NULLIFY), "123"))
    assert "not notarized" in after(final)
    assert "not nullified" in after(first, (vote(NOTARIZE, 3, B, 1), "012"))
    assert "which is not" in after((vote(NOTARIZE, 2, B, 1), "012"))


def test_certificates_as_they_are_sent() -> None:
    watch = Certificates((1, 1, 1, 1))
    cast(watch, vote(NOTARIZE), "01")
    watch.sign(2, vote(NOTARIZE))
    for signers, said in (((0, 1), "less than a quorum"), ((0, 1, 3), "nobody cast")):
        with pytest.raises(Violation, match=said):
            watch.sent(vote(NOTARIZE), signers)
    with pytest.raises(Violation, match="twice"):
        watch.sent(vote(NOTARIZE), (0, 1, 1))
    watch.sent(vote(NOTARIZE), (0, 1, 2))
    assert watch.notarized[1] == vote(NOTARIZE)


def chain_of(*links: tuple[bytes, int, bytes]) -> Agreement:
    watch = Agreement()
    for payload, view, parent in links:
        watch.links[payload] = Link(view, parent, 0, True)
    return watch


def test_finalized_blocks_are_on_one_chain() -> None:
    watch = chain_of((A, 1, GENESIS), (B, 3, A), (C, 4, GENESIS))
    assert watch.finalized(0, 3, B) == [A, B]
    assert watch.finalized(1, 1, A) == [] and watch.finalized(1, 3, B) == []
    with pytest.raises(Violation, match="stands on view 0, but view 3"):
        watch.finalized(2, 4, C)


def test_finalized_blocks_that_are_not() -> None:
    for links, last, said in (
        ([(A, 1, GENESIS), (B, 1, GENESIS)], (1, B), "another block"),
        ([(A, 3, GENESIS), (B, 2, GENESIS)], (2, B), "skips it"),
        ([(A, 1, GENESIS)], (2, C), "no known leader"),
    ):
        watch = chain_of(*links)
        watch.finalized(0, links[0][1], A)
        with pytest.raises(Violation, match=said) as caught:
            watch.finalized(1, *last)
        assert caught.value.broken == Property.AGREEMENT


def test_validity() -> None:
    watch = Validity((1, 1, 1, 1))
    watch.finalized(A, Link(1, GENESIS, 1, True))
    for payload, link, said in (
        (A, Link(1, GENESIS, 1, True), "twice"),
        (B, Link(2, GENESIS, 2, False), "not sound"),
        (C, Link(3, GENESIS, 2, True), "does not lead"),
    ):
        with pytest.raises(Violation, match=said):
            watch.finalized(payload, link)
    for left in (watch.finalize_left, watch.notarize_left):
        with pytest.raises(Violation):
            left(0, 1, A)
    watch.certify(0, A)
    watch.verify(0, A)
    watch.finalize_left(0, 1, A)
    watch.notarize_left(0, 1, A)


def test_evidence() -> None:
    watch = Evidence([2])
    watch.accuse(2, vote(NULLIFY), vote(FINALIZE), True)
    assert list(watch.accused) == [2]
    for signer, first, second, signed, said in (
        (1, vote(NULLIFY), vote(FINALIZE), True, "honest"),
        (2, vote(NULLIFY), vote(FINALIZE), False, "never cast"),
        (2, vote(NULLIFY), vote(NOTARIZE), True, "do not contradict"),
        (2, vote(NOTARIZE), vote(NOTARIZE, 2), True, "do not contradict"),
    ):
        with pytest.raises(Violation, match=said):
            watch.accuse(signer, first, second, signed)
