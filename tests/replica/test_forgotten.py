"""A validator whose log was put back from an older copy observes, and then votes again (J12)."""

import pytest

from quorate.codec.consensus import decode_certificate, decode_vote
from quorate.codec.peer import PeerKind, WantStatus, decode_peer
from quorate.replica.records import AGREEMENT, OBSERVING, VOTING
from quorate.replica.validator_messages import FromPeer, Progress, Send
from quorate.types.consensus import VIEW_MAX
from tests.replica.cluster import COUNT, Node, World

OLD = 3  # whose log is put back


def votes_of(sent: list[Send]) -> list[int]:
    """List the views of the votes among frames."""
    return [decode_vote(it.body).subject.view for it in sent if it.kind == PeerKind.VOTE]


def proof_for(node: Node) -> bytes:
    """Find a certificate of others that holds a vote which the node's journal lacks."""
    floor = node.core.parts.simplex.floor.view
    for other in node.world.nodes[:OLD]:
        for kind, _, payload in other.records:
            if kind == AGREEMENT and payload[0] == 2:
                found = decode_certificate(payload[1:], COUNT)
                if OLD in found.signers and found.subject.view > floor:
                    return payload[1:]
    raise AssertionError("nobody has seen a vote of the old validator")


def put_back(kept_height: int) -> tuple[World, Node, int]:
    """Put a validator's log back as it was at a height; also give the highest view it voted in."""
    world = World()
    world.reach(kept_height)
    node = world.nodes[OLD]
    older = list(node.records)
    world.reach(kept_height + 6)
    highest = max(votes_of(node.sent))
    node.crash()
    node.records = older
    node.start()
    return world, node, highest


@pytest.mark.parametrize("kept_height", [1, 3, 5])
@pytest.mark.parametrize("crashes", [False, True])
def test_it_signs_nothing_after_the_proof_until_it_is_safe(
    kept_height: int, crashes: bool
) -> None:
    world, node, highest = put_back(kept_height)
    assert not node.core.rejoining.observing
    said = len(node.sent)
    made = node.take(FromPeer(0, int(PeerKind.CERTIFICATE), proof_for(node)))
    assert [it.what for it in made if isinstance(it, Progress)].count("forgotten") == 1
    assert node.core.rejoining.observing
    assert (OBSERVING, VIEW_MAX, b"") in node.records
    if crashes:
        # Before anybody could answer: the log says so at the next start.
        node.crash()
        node.start()
        assert node.core.rejoining.observing
    world.run(lambda: not node.core.rejoining.observing)
    assert votes_of(node.sent[said:]) == [], "a vote while observing"
    (above,) = [label for kind, label, _ in node.records if kind == VOTING]
    assert above > highest
    # It votes again, only above, and the world has seen no two votes that exclude each other.
    world.run(lambda: votes_of(node.sent[said:]) != [])
    world.reach(node.height + 4)
    assert min(votes_of(node.sent[said:])) > above


def test_the_log_that_is_whole_proves_nothing_against_itself() -> None:
    world = World()
    world.reach(5)
    node = world.nodes[OLD]
    node.crash()
    world.pass_ms(500)
    node.start()
    world.reach(node.height + 6)
    assert not node.core.rejoining.observing
    assert OBSERVING not in [kind for kind, _, _ in node.records]


def test_an_answer_from_before_the_proof_does_not_count() -> None:
    _, node, _ = put_back(3)
    nonce = node.core.parts.settings.nonce
    before = node.core.rejoining.nonce
    assert before == nonce
    sent = len(node.sent)
    node.core.parts.peers.update(dict.fromkeys(range(OLD)))
    node.take(FromPeer(0, int(PeerKind.CERTIFICATE), proof_for(node)))
    asked = [
        (it.peer, decode_peer(it.kind, it.body, COUNT))
        for it in node.sent[sent:]
        if it.kind == PeerKind.WANT_STATUS
    ]
    assert asked == [(peer, WantStatus(nonce + 1)) for peer in range(OLD)]
