"""Catching up with those who are ahead, from memory and from the log, past peers that lie."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from quorate.codec.peer import PeerKind, Range, decode_peer, encode_range
from quorate.replica.following import RANGE_SERVED_BLOCKS, RANGES_SENT_MAX
from quorate.replica.validator_messages import FromPeer, Send
from tests.replica.cluster import COUNT, PARAMETERS, Node, World
from tests.replica.world import ALICE, FUNDS, bundle

FAST = replace(PARAMETERS, heartbeat_ms=40, delta_ms=60)
Spoil = Callable[[Range], bytes]


def behind(blocks: int) -> tuple[World, Node]:
    """Make a world in which one validator was down for so many blocks."""
    world = World(parameters=FAST)
    world.reach(2)
    late = world.nodes[3]
    late.crash()
    for at in range(3):
        world.nodes[at].submit(at, bundle(ALICE, at, FUNDS))
    world.reach(blocks)
    return world, late


def packed(blocks: list[bytes], found: Range) -> bytes:
    """Write a range."""
    return encode_range(blocks, found.certificate, COUNT)


def bytes_of(found: Range) -> list[bytes]:
    """Give the blocks of a range."""
    return [block.header_bytes + block.items for block in found.blocks]


def forged(found: Range) -> bytes:
    """Put other signatures under a range."""
    certificate = found.certificate
    spoiled = certificate._replace(signatures=tuple(bytes(64) for _ in certificate.signers))
    return encode_range(bytes_of(found), spoiled, COUNT)


LIES: dict[str, Spoil] = {
    "a missing link": lambda found: packed(bytes_of(found)[:1] + bytes_of(found)[2:], found),
    "a certificate that does not hold": forged,
    "a certificate of another block": lambda found: packed(bytes_of(found)[:-1], found),
    "blocks turned round": lambda found: packed(bytes_of(found)[::-1], found),
    "no first block": lambda found: packed(bytes_of(found)[1:], found),
    "nothing": lambda found: b"",
}


@pytest.mark.slow
def test_a_validator_that_was_down_catches_up_by_ranges_and_votes_again() -> None:
    world, late = behind(80)
    late.start()
    world.run(lambda: late.height >= world.nodes[0].height - 2)
    wanted = [effect for effect in late.sent if effect.kind == PeerKind.WANT_RANGE]
    assert 1 <= len(wanted) <= 6
    signed = len(late.scheme.signed)
    world.reach(late.height + 4)
    assert len(late.scheme.signed) > signed
    assert late.core.parts.chain.wanted is None and not late.core.parts.chain.near


@pytest.mark.slow
def test_hundreds_of_blocks_come_from_the_logs_of_peers_that_have_restarted() -> None:
    world, late = behind(300)
    for node in world.nodes[:3]:
        node.crash()
        node.start()
    late.start()
    world.run(lambda: late.height >= 300)
    read = [effect for node in world.nodes for effect in node.read]
    assert len(read) >= 4
    assert all(len(effect.digests) <= RANGE_SERVED_BLOCKS for effect in read)
    world.reach(late.height + 4)
    digests = [node.core.parts.chain.digests for node in world.nodes]
    assert all(it[at] == digests[0][at] for it in digests for at in range(1, 300))
    for node in world.nodes:
        assert not node.core.following.serving and not node.core.following.serving_peers
        assert len(node.core.parts.blocks.held) <= 8


@pytest.mark.parametrize("name", LIES)
def test_a_lying_range_is_thrown_away_and_another_peer_is_asked(name: str) -> None:
    world, late = behind(25)
    lies = []

    def lie(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        if kind != PeerKind.RANGE or sender == 0:
            return (body,)
        found = decode_peer(kind, body, COUNT)
        assert isinstance(found, Range)
        lies.append(sender)
        return (LIES[name](found) if len(found.blocks) > 2 else body,)

    world.lie = lie
    late.start()
    world.run(lambda: late.height >= 25)
    counts = late.core.parts.counts
    told = sum(
        counts.get(what, 0) for what in ("ranges_forged", "ranges_misplaced", "frames_invalid")
    )
    assert told >= 1 and lies
    world.lie = None
    world.reach(late.height + 3)
    assert late.halted is None


def test_a_range_of_another_chain_is_thrown_away() -> None:
    other = World(parameters=replace(FAST, heartbeat_ms=13))
    other.nodes[0].submit(9, bundle(ALICE, 77, FUNDS))
    other.reach(3)
    parts = other.nodes[0].core.parts
    height = max(at for at in parts.chain.certificates if at <= parts.blocks.tip.height)
    blocks = [other.nodes[0].blocks[parts.chain.digests[at]] for at in range(1, height + 1)]
    certificate = parts.chain.certificates[height]
    signatures = tuple(signature[::-1] for signature in certificate.signatures)
    foreign = encode_range(blocks, certificate._replace(signatures=signatures), COUNT)
    world, late = behind(20)
    world.lie = lambda sender, peer, kind, body: (
        (foreign,) if kind == PeerKind.RANGE and sender == 1 else (body,)
    )
    late.start()
    world.run(lambda: late.height >= 20)
    assert late.core.parts.counts["ranges_forged"] + late.core.parts.counts.get(
        "ranges_misplaced", 0
    )


def test_a_range_that_nobody_asked_for_changes_nothing() -> None:
    world, late = behind(20)
    parts = world.nodes[0].core.parts
    height = max(at for at in parts.chain.certificates if at <= 15)
    blocks = [world.nodes[0].blocks[parts.chain.digests[at]] for at in range(3, height + 1)]
    body = encode_range(blocks, parts.chain.certificates[height], COUNT)
    world.lie = lambda sender, peer, kind, it: ()
    late.start()
    late.take(FromPeer(1, PeerKind.RANGE, body))
    assert not late.core.parts.blocks.held and late.core.parts.blocks.tip.height == late.height
    world.lie = None
    world.run(lambda: late.height >= 20)


def test_who_asks_for_ranges_again_and_again_is_not_sent_more_than_a_bound() -> None:
    world, late = behind(20)
    node = world.nodes[0]
    asked = [FromPeer(1, int(PeerKind.WANT_RANGE), (1).to_bytes(8, "little"))] * 1_000
    effects = node.core.steps(node.moment(), asked)
    sent = [effect for effect in effects if isinstance(effect, Send) and effect.peer == 1]
    assert 0 < sum(effect.kind == PeerKind.RANGE for effect in sent) <= RANGES_SENT_MAX
    assert node.core.parts.counts["ranges_withheld"] == 1_000 - RANGES_SENT_MAX
    late.start()
    world.run(lambda: late.height >= 20)
    world.pass_ms(1_000)
    effects = node.core.steps(node.moment(), asked[:1])
    assert any(isinstance(effect, Send) and effect.kind == PeerKind.RANGE for effect in effects)


def test_a_silent_peer_is_passed_over() -> None:
    world, late = behind(25)
    world.lie = lambda sender, peer, kind, body: (
        () if kind == PeerKind.RANGE and sender in (0, 1) else (body,)
    )
    late.start()
    world.run(lambda: late.height >= 25)
