"""One root per height for ever, certificates, and what is done against a third of the stake."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec.blocks import encode_checkpoint_vote
from quorate.codec.peer import PeerKind
from quorate.replica.checkpoints import HEIGHTS_AHEAD, HEIGHTS_KEPT, Checkpoints
from quorate.replica.messages import Append, Halt, Sync
from quorate.replica.records import EVIDENCE
from quorate.replica.validator_messages import (
    Execute,
    FromPeer,
    Send,
    Stopping,
    Tick,
    ValidatorEvent,
)
from quorate.types.consensus import CheckpointCertificate, CheckpointVote, ValidatorSet
from tests.replica.cluster import VALIDATORS, Node, World, checkpoint_vote, seal_holds
from tests.replica.world import ALICE, FUNDS, bundle

OURS, THEIRS, DIGEST = b"o" * 32, b"t" * 32, b"d" * 32


def lying(*liars: int) -> Any:
    """Make the named validators sign another root from height 3 on."""
    return lambda index, height, root: THEIRS if index in liars and height >= 3 else root


def evidence(node: Node) -> list[bytes]:
    """Give what a node has kept as evidence."""
    return [payload for kind, _, payload in node.records if kind == EVIDENCE]


# --- in a world ----------------------------------------------------------------------------------
def test_a_root_is_certified_off_the_ordering_path_and_carried_in_headers() -> None:
    world = World()
    world.reach(6)
    for node in world.nodes:
        best = node.core.parts.checkpoints.best
        assert best is not None and best.height >= 4
        assert len(node.core.parts.blocks.certificates_checked) >= 3
        assert node.core.parts.checkpoints.forged == 0


def test_who_is_alone_against_all_halts_with_its_evidence_and_the_others_go_on() -> None:
    world = World(root_lie=lying(2))
    world.run(lambda: world.nodes[2].halted is not None)
    halt = world.nodes[2].halted
    assert halt is not None and halt.height == 3 and "signed another state root" in halt.reason
    assert len(evidence(world.nodes[2])) >= 2
    signed = len(world.nodes[2].scheme.signed)
    world.reach(12)
    assert not any(node.halted for node in world.nodes if node.index != 2)
    assert len(world.nodes[2].scheme.signed) == signed
    assert not any(evidence(node) for node in world.nodes if node.index != 2)


def test_half_against_half_halts_everybody() -> None:
    world = World(root_lie=lying(0, 3))
    world.run(lambda: all(node.halted for node in world.nodes))
    for node in world.nodes:
        assert node.halted is not None and node.halted.height == 3
        assert len(evidence(node)) == 2


def test_a_foreign_root_is_kept_and_compared_after_our_own_execution() -> None:
    world = World()
    node = world.nodes[0]
    world.lie = lambda sender, peer, kind, body: (
        () if kind == PeerKind.CHECKPOINT and peer == 0 else (body,)
    )
    for signer in (1, 2):
        body = encode_checkpoint_vote(checkpoint_vote(signer, 5, DIGEST, THEIRS))
        node.take(FromPeer(signer, PeerKind.CHECKPOINT, body))
    world.run(lambda: node.height == 4)
    assert node.halted is None
    world.run(lambda: node.halted is not None)
    assert node.halted is not None and node.halted.height == 5 == node.height


def halting(node: Node, height: int) -> list[ValidatorEvent]:
    """Make events after which a node has to halt."""
    bodies = [
        (signer, encode_checkpoint_vote(checkpoint_vote(signer, height, DIGEST, THEIRS)))
        for signer in (1, 2)
    ]
    return [FromPeer(signer, int(PeerKind.CHECKPOINT), body) for signer, body in bodies]


@pytest.mark.parametrize("start", range(1, 13))
def test_nothing_is_signed_or_executed_in_the_step_that_halts(start: int) -> None:
    world = World()
    node = world.nodes[0]
    held: list[ValidatorEvent] = []
    cut = [False]

    def lie(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        if peer == 0 and kind == PeerKind.CHECKPOINT:
            return ()
        if peer == 0 and cut[0]:
            held.append(FromPeer(sender, kind, body))
            return ()
        return (body,)

    world.lie = lie
    world.reach(3)
    world.pass_ms(start)
    cut[0] = True
    world.nodes[1].submit(1, bundle(ALICE, 1, FUNDS))
    world.pass_ms(700)
    signed = len(node.scheme.signed)
    effects = node.core.steps(node.moment(), [*halting(node, 3), *held])
    assert len(node.scheme.signed) == signed
    assert [type(effect) for effect in effects if isinstance(effect, Halt)] == [Halt]
    assert not any(isinstance(effect, Execute) for effect in effects)
    assert not any(isinstance(effect, Send) and effect.kind == PeerKind.VOTE for effect in effects)
    appended = [effect.kind for effect in effects if isinstance(effect, Append)]
    assert appended.count(EVIDENCE) == 2
    kinds = [type(effect) for effect in effects]
    assert kinds.index(Sync) < kinds.index(Halt)
    assert node.core.steps(node.moment(), held) == []


def test_nothing_is_signed_after_stopping_even_if_it_is_due() -> None:
    world = World()
    world.reach(2)
    node = world.nodes[0]
    signed = len(node.scheme.signed)
    world.now += 60_000
    effects = node.core.step(node.moment(), Stopping())
    assert not any(isinstance(effect, Append | Send) for effect in effects)
    assert node.core.step(node.moment(), Tick()) == []
    assert len(node.scheme.signed) == signed


# --- the votes themselves ------------------------------------------------------------------------
def weighted(*weights: int) -> Checkpoints:
    """Make the votes of a set of validators with these weights; we are the first."""
    keys = tuple(bytes([at]) * 33 for at in range(len(weights)))
    return Checkpoints(ValidatorSet(0, keys, weights), 0, seal_holds)


@pytest.mark.parametrize(
    ("weights", "against", "halts"),
    [
        ((1, 1, 1, 1), (1,), False),
        ((1, 1, 1, 1), (1, 2), True),
        ((3, 2, 2, 2), (1,), False),
        ((2, 3, 2, 2), (1,), True),
        ((10, 9, 9, 9), (1,), False),
        ((10, 10, 5, 5), (1,), True),
        ((4, 1, 1, 1, 1, 1), (1, 2), False),
        ((4, 1, 1, 1, 1, 1), (1, 2, 3), True),
    ],
)
def test_less_than_a_third_against_us_goes_on_and_a_third_halts(
    weights: tuple[int, ...], against: tuple[int, ...], halts: bool
) -> None:
    for settled_first in (True, False):
        votes = weighted(*weights)
        found = []
        if settled_first:
            found.append(votes.settled(1, DIGEST, OURS))
        for signer in against:
            found.append(votes.vote(checkpoint_vote(signer, 1, DIGEST, THEIRS), signer))
        if not settled_first:
            found.append(votes.settled(1, DIGEST, OURS))
        assert any(it is not None for it in found) == halts


Signed = tuple[int, int, bytes, bool]
VOTES = st.lists(
    st.tuples(
        st.integers(1, 4), st.integers(1, 2), st.sampled_from((OURS, THEIRS)), st.booleans()
    ),
    max_size=14,
)


@given(VOTES, st.integers(0, 14), st.tuples(*[st.integers(1, 4)] * 5))
def test_certificates_and_halts_are_those_of_a_plain_count(
    votes: list[Signed], settled_after: int, weights: tuple[int, ...]
) -> None:
    held = weighted(*weights)
    total, halted = sum(weights), False
    # A signer's first vote of a height counts; a forged one keeps its place until it is looked at.
    forgers = {(signer, height) for signer, height, _, sound in votes if not sound}
    for at, (signer, height, root, sound) in enumerate([*votes, (1, 9, OURS, True)]):
        if at == min(settled_after, len(votes)):
            for ours in (1, 2):
                halted |= held.settled(ours, DIGEST, OURS) is not None
                own = checkpoint_vote(0, ours, DIGEST, OURS)
                halted |= held.vote(own, None) is not None
        vote = checkpoint_vote(signer, height, DIGEST, root)
        if not sound:
            vote = vote._replace(signature=bytes(64))
        halted |= held.vote(vote, signer) is not None
    firsts: dict[tuple[int, int], tuple[bytes, bool]] = {}
    for signer, height, root, sound in votes:
        if (signer, height) not in forgers:
            firsts.setdefault((signer, height), (root, sound))
    for height in (1, 2):
        honest = {s: root for (s, h), (root, _) in firsts.items() if h == height}
        for root in (OURS, THEIRS):
            weight = sum(weights[s] for s, it in honest.items() if it == root)
            weight += weights[0] if root == OURS else 0
            made = held.certificates.get(height)
            if made is not None and made.state_root == root:
                assert sum(weights[s] for s in made.signers) > 2 * total / 3
            elif not any(h == height for _, h in forgers):
                assert 3 * weight <= 2 * total
    if not forgers:
        expected = any(
            3 * sum(weights[s] for (s, h), (root, _) in firsts.items() if (h, root) == (at, THEIRS))
            >= total
            for at in (1, 2)
        )
        assert halted == expected


def test_a_vote_counts_only_from_its_signer_in_this_epoch_and_near_our_height() -> None:
    votes = weighted(1, 1, 1, 1)
    far = HEIGHTS_AHEAD + 1
    assert votes.vote(checkpoint_vote(1, 1, DIGEST, THEIRS), 2) is None
    votes.vote(checkpoint_vote(1, 1, DIGEST, THEIRS)._replace(epoch=1), 1)
    votes.vote(checkpoint_vote(1, far, DIGEST, THEIRS), 1)
    assert not votes.votes
    votes.vote(checkpoint_vote(1, far - 1, DIGEST, THEIRS), 1)
    assert list(votes.votes) == [far - 1]


def test_what_is_far_below_is_forgotten() -> None:
    votes = weighted(1, 1, 1, 1)
    for height in range(1, 3 * HEIGHTS_KEPT):
        votes.settled(height, DIGEST, OURS)
        for signer in range(4):
            peer = signer or None
            votes.vote(checkpoint_vote(signer, height, DIGEST, OURS), peer)
    for kept in (votes.votes, votes.own, votes.certificates):
        assert len(kept) == HEIGHTS_KEPT
    assert len(votes.checked) <= 4 * HEIGHTS_KEPT


def test_votes_in_a_carried_certificate_count_against_us() -> None:
    votes = weighted(1, 1, 1, 1)
    signers = (1, 2, 3)
    made = [checkpoint_vote(signer, 1, DIGEST, THEIRS) for signer in signers]
    certificate = CheckpointCertificate(
        0, 1, DIGEST, THEIRS, signers, tuple(vote.signature for vote in made)
    )
    assert votes.carried(certificate) is None
    found = votes.settled(1, DIGEST, OURS)
    assert found is not None and {vote.signer for vote in found.votes} == {1, 2, 3}
    assert all(isinstance(vote, CheckpointVote) for vote in found.votes)
    assert VALIDATORS.total == 4
