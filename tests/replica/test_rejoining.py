"""Back from a lost journal (CONSENSUS 3, J12): when an observer may vote again, and where."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec.consensus import domain, subject_digest
from quorate.codec.peer import Status, WantStatus, decode_peer
from quorate.crypto import key_from_seed, public_key, sign_compact
from quorate.ordering.scheme import KeyScheme
from quorate.replica.messages import Append
from quorate.replica.parts import Resumption, ValidatorSettings
from quorate.replica.records import AGREEMENT, DELIVERED, OBSERVING, VOTING, delivered_payload
from quorate.replica.resuming import Resuming
from quorate.replica.validator import Validator
from quorate.replica.validator_messages import FromPeer, Moment, PeerUp, Send, Tick
from quorate.runtime.cluster.journal import Journal
from quorate.storage.log import Identity, Record
from quorate.types.consensus import (
    PAYLOAD_BYTES,
    VIEW_MAX,
    Certificate,
    ConsensusParameters,
    Proposal,
    Subject,
    ValidatorSet,
    VoteKind,
    faulty_weight_max,
    nullify_subject,
    subject_of,
)

NONCE = 77
IDENTITY = Identity(1, b"g" * 32)
BOUND = domain(1, b"c" * 32)
KEYS = [key_from_seed(f"validator {index}") for index in range(7)]


def observer(weights: tuple[int, ...] = (1, 1, 1, 1)) -> Validator:
    """Make the last validator, whose journal is gone."""
    keys = tuple(public_key(key) for key in KEYS[: len(weights)])
    validators = ValidatorSet(0, keys, weights)
    me = len(weights) - 1
    settings = ValidatorSettings(
        IDENTITY, validators, ConsensusParameters(), me, 1_000, nonce=NONCE
    )
    scheme = KeyScheme(validators, BOUND, KEYS[me])
    made = Validator(settings, scheme, lambda vote: True, Resumption(observing=True))
    made.start(Moment(0, 1_000))
    return made


def certificate(subject: Subject, signers: tuple[int, ...] = (0, 1, 2)) -> Certificate:
    """Have validators sign a subject."""
    digest = subject_digest(BOUND, subject)
    return Certificate(subject, signers, tuple(sign_compact(KEYS[at], digest) for at in signers))


def proposal(view: int) -> Proposal:
    return Proposal(0, view, view - 1, b"p" * 32 + bytes(PAYLOAD_BYTES - 32))


def status(view: int, entry: Certificate | None, nonce: int = NONCE) -> Status:
    return Status(nonce, view, 0, 0, 0, entry)


def answered(validator: Validator, peer: int, found: Status) -> None:
    validator.rejoining.answered(peer, found)


def in_view(view: int) -> Status:
    """A sound answer of one who is in a view."""
    return status(view, certificate(nullify_subject(0, view - 1)) if view > 1 else None)


def test_all_others_of_four_must_answer_and_then_it_votes_above() -> None:
    validator = observer()
    simplex = validator.parts.simplex
    answered(validator, 0, in_view(9))
    answered(validator, 1, in_view(12))
    answered(validator, 1, in_view(11))
    answered(validator, 0, in_view(10))
    assert validator.rejoining.observing and simplex.vote_above == VIEW_MAX
    answered(validator, 2, in_view(1))
    assert not validator.rejoining.observing and simplex.vote_above == 15
    (voting,) = [effect for effect in validator.finished() if isinstance(effect, Append)]
    assert voting == Append(VOTING, 15, (15).to_bytes(8, "little"))
    assert [simplex.votes_in(view) for view in (1, 12, 15, 16)] == [False, False, False, True]
    # A late answer takes nothing back.
    answered(validator, 1, in_view(40))
    assert simplex.vote_above == 15


@pytest.mark.parametrize(
    "found",
    [
        status(9, certificate(nullify_subject(0, 8)), nonce=NONCE + 1),
        status(9, None),
        status(10, certificate(nullify_subject(0, 8))),
        status(8, certificate(nullify_subject(0, 8))),
        # A finalization is no reason to believe in any view but the next.
        status(10**9, certificate(subject_of(VoteKind.FINALIZE, proposal(8)))),
        status(9, certificate(nullify_subject(0, 8), (0, 1))),
        status(9, certificate(nullify_subject(1, 8))),
        status(9, certificate(nullify_subject(0, 8))._replace(signatures=(b"\0" * 64,) * 3)),
    ],
)
def test_an_answer_that_proves_nothing_does_not_count(found: Status) -> None:
    validator = observer()
    answered(validator, 0, in_view(9))
    answered(validator, 1, in_view(9))
    answered(validator, 2, found)
    assert validator.rejoining.observing
    answered(validator, 2, in_view(5))
    assert not validator.rejoining.observing and validator.parts.simplex.vote_above == 12


@pytest.mark.parametrize("kind", [VoteKind.NOTARIZE, VoteKind.FINALIZE])
def test_a_view_may_be_entered_by_any_certificate(kind: VoteKind) -> None:
    validator = observer()
    for peer in range(3):
        answered(validator, peer, status(9, certificate(subject_of(kind, proposal(8)))))
    assert not validator.rejoining.observing


@given(st.lists(st.integers(1, 9), min_size=4, max_size=7), st.permutations(range(6)), st.data())
def test_it_waits_for_the_weight_of_the_rule(
    weights: list[int], order: list[int], data: st.DataObject
) -> None:
    validator = observer(tuple(weights))
    total, heard = sum(weights), 0
    quorum = 2 * total // 3 + 1
    for peer in [peer for peer in order if peer < len(weights) - 1]:
        answered(validator, peer, in_view(1))
        heard += weights[peer]
        wanted = heard > total - quorum + faulty_weight_max(total)
        assert validator.rejoining.observing == (not wanted)
        if wanted:
            return


def asked_of(effects: list[Any]) -> list[int | None]:
    """Name those whom a step asks where they are."""
    return [
        effect.peer
        for effect in effects
        if isinstance(effect, Send)
        and decode_peer(effect.kind, effect.body, 4) == WantStatus(NONCE)
    ]


def test_whoever_does_not_answer_is_asked_again() -> None:
    validator = observer()
    assert asked_of(validator.step(Moment(1, 1_001), PeerUp(0))) == [0]
    validator.step(Moment(2, 1_002), PeerUp(1))
    answered(validator, 1, in_view(1))
    assert asked_of(validator.step(Moment(3, 1_003), Tick())) == []
    assert asked_of(validator.step(Moment(2_000, 3_000), Tick())) == [0]


def test_an_observer_answers_others_and_stays_silent_itself() -> None:
    validator = observer()
    effects = validator.step(Moment(1, 1_001), FromPeer(0, 0, b""))
    effects += validator.step(Moment(60_000, 61_000), Tick())
    assert not [effect for effect in effects if isinstance(effect, Append)]
    assert validator.parts.simplex.votes_in(10**6) is False


# --- the log -------------------------------------------------------------------------------------
def record(kind: int, label: int, payload: bytes = b"") -> Record:
    return Record(0, 0, kind, 0, 1, 1, 0, label, payload)


def test_roots_are_signed_where_votes_are() -> None:
    resuming = Resuming(4)
    for height, view in ((1, 3), (2, 9), (3, 10)):
        resuming.feed(record(DELIVERED, height, delivered_payload(height, view, b"d" * 32)))
    assert [resuming.signs(height) for height in (1, 2, 3)] == [True] * 3
    resuming.feed(record(OBSERVING, 0))
    assert [resuming.signs(height) for height in (1, 2, 3)] == [False] * 3
    resuming.feed(record(VOTING, 9, (9).to_bytes(8, "little")))
    assert [resuming.signs(height) for height in (1, 2, 3)] == [False, False, True]


def test_the_log_keeps_what_forbids_votes_until_it_is_final(tmp_path: Path) -> None:
    nothing: Any = None
    journal = Journal(nothing, nothing, 4, lambda effects: None)
    journal.note(OBSERVING, 0, 5)
    journal.note(AGREEMENT, 10, 20)
    journal.note(DELIVERED, 1_000, 30)
    assert min(journal.views.values()) == 5, "or a restart would vote at once"
    journal.note(VOTING, 2_000, 40)
    journal.note(AGREEMENT, 1_001, 50)
    journal.note(AGREEMENT, 2_000, 60)
    journal.note(DELIVERED, 1_999, 70)
    assert min(journal.views.values()) == 40
    journal.note(DELIVERED, 2_001, 80)
    assert not journal.views
