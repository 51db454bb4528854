"""Forgeries are held against the peer that sent them, and cost a bounded number of checks."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec.peer import PeerKind, encode_peer
from quorate.ordering.messages import Offence
from quorate.replica.offences import (
    OFFENCES_MAX,
    PROVABLE,
    SHUNNED_MS,
    WINDOW_MS,
    Offences,
)
from quorate.replica.validator_messages import FromPeer, Quit
from quorate.types.consensus import Certificate, Vote, nullify_subject
from tests.replica.cluster import COUNT, World, signature_of, vote_of

FORGED = b"\xee" * 64
LIAR, HONEST = 1, 2


def forged_certificate(turn: int) -> Any:
    """The first signature holds, so that it costs more than one check."""
    subject = nullify_subject(0, 5 + turn)
    return Certificate(subject, (0, 1, 2), (signature_of(subject, 0), FORGED, FORGED))


def forged_vote(turn: int) -> Any:
    """Always of one place, so that each contradicts the one before."""
    return Vote(nullify_subject(0, 2), LIAR, FORGED[:32] + turn.to_bytes(32, "little"))


def frames_of(make: Callable[[int], Any], count: int) -> list[FromPeer]:
    made = [encode_peer(make(turn), COUNT) for turn in range(count)]
    return [FromPeer(LIAR, int(kind), body) for kind, body in made]


def spoiled(turn: int) -> FromPeer:
    return FromPeer(LIAR, int(PeerKind.VOTE), b"no vote %d" % turn)


FLOODS = {
    "certificates_forged": frames_of(forged_certificate, 4_000),
    "votes_forged": frames_of(forged_vote, 4_000),
    "frames_invalid": [spoiled(turn) for turn in range(4_000)],
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_forgeries_ends_in_one_quit_and_few_checks(name: str) -> None:
    world = World()
    node = world.nodes[0]
    checks = 0
    holds = node.scheme.holds

    def counted(*arguments: Any) -> bool:
        nonlocal checks
        checks += 1
        return holds(*arguments)

    node.scheme.holds = counted
    effects = node.core.steps(node.moment(), FLOODS[name])
    assert [e for e in effects if isinstance(e, Quit)] == [Quit(LIAR, SHUNNED_MS)]
    assert node.core.parts.offences.named() == {str(LIAR): {name: OFFENCES_MAX}}
    assert checks <= 3 * OFFENCES_MAX
    # It is not heard for a while, others are; and then it is heard again.
    parts = node.core.parts
    vote = encode_peer(vote_of(nullify_subject(0, 3), LIAR), COUNT)
    other = encode_peer(vote_of(nullify_subject(0, 3), HONEST), COUNT)
    node.take(FromPeer(LIAR, int(vote[0]), vote[1]))
    node.take(FromPeer(HONEST, int(other[0]), other[1]))
    votes = parts.simplex.rounds.find(3).tally.votes
    assert [signer for _, signer in votes] == [HONEST]
    world.now += SHUNNED_MS
    node.take(FromPeer(LIAR, int(vote[0]), vote[1]))
    assert [signer for _, signer in votes] == [HONEST, LIAR]


def test_four_honest_validators_hold_nothing_against_each_other() -> None:
    world = World()
    world.reach(6)
    world.nodes[3].crash()
    world.reach(12)
    world.nodes[3].start()
    world.run(lambda: world.nodes[3].height >= 14)
    assert [node.core.parts.offences.named() for node in world.nodes] == [{}] * COUNT


def test_an_offence_that_ordering_names_is_counted_once() -> None:
    parts = World().nodes[0].core.parts
    parts.offended(Offence(LIAR, "votes_misplaced", 3))
    assert parts.offences.counts == {LIAR: {"votes_misplaced": 3}} and parts.counts == {}
    parts.offence(LIAR, "gossip_unsound", 2)
    assert parts.counts == {"gossip_unsound": 2}


# --- the rule ------------------------------------------------------------------------------------
def test_what_may_be_a_mistake_is_counted_and_no_more() -> None:
    offences = Offences()
    assert not any(offences.count(LIAR, "gossip_unsound", 0, 1_000) for _ in range(50))
    assert not offences.is_shunned(LIAR, 0) and not offences.windows


def test_few_in_each_window_are_borne_for_ever() -> None:
    offences = Offences()
    for window in range(5):
        for _ in range(OFFENCES_MAX - 1):
            assert not offences.count(LIAR, "votes_forged", window * WINDOW_MS)
    assert offences.count(LIAR, "votes_forged", 4 * WINDOW_MS)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(PROVABLE), st.integers(0, 3_000), st.integers(1, 5)
        ),
        max_size=200,
    )
)
def test_nobody_is_shunned_for_another_and_nobody_goes_on_for_long(
    told: list[tuple[int, str, int, int]],
) -> None:
    """An oracle that keeps every offence: never more than the bound in what is heard."""
    offences, now = Offences(), 0
    heard: dict[int, list[tuple[int, int]]] = {}
    for peer, name, passed, times in told:
        now += passed
        if offences.is_shunned(peer, now):
            continue
        heard.setdefault(peer, []).append((now, times))
        quits = offences.count(peer, name, now, times)
        assert quits == offences.is_shunned(peer, now)
        recent = sum(n for at, n in heard[peer] if at > now - WINDOW_MS)
        assert not quits or recent >= OFFENCES_MAX
        if quits:
            heard[peer] = []
        else:
            assert recent < 2 * OFFENCES_MAX
    totals = {peer: sum(counts.values()) for peer, counts in offences.counts.items()}
    assert set(totals) <= {peer for peer, _, _, _ in told}
