"""Bad input from any peer: nothing raises, it is counted, memory is bounded, agreement goes on."""

import random
from collections.abc import Callable

import pytest

from quorate.codec.blocks import decode_block, encode_block, encode_checkpoint_vote, payload_of
from quorate.codec.consensus import encode_certificate, encode_vote
from quorate.codec.items import encode_items
from quorate.codec.peer import (
    KIND_BYTES_MAX,
    Chunk,
    PeerKind,
    PeerRecord,
    Snapshot,
    Status,
    WantCertificates,
    WantChunk,
    WantPayload,
    WantRange,
    WantSnapshot,
    WantStatus,
    encode_peer,
    encode_range,
)
from quorate.ordering.fetching import WANTS_MAX
from quorate.ordering.simplex import VIEWS_AHEAD
from quorate.ordering.voting import VIEWS_RETAINED
from quorate.replica.checkpoints import HEIGHTS_AHEAD, HEIGHTS_KEPT
from quorate.replica.clients import PEER_ADMITTING_BYTES_MAX
from quorate.replica.following import BLOCKS_SENT_MAX
from quorate.replica.intake import ITEM_BYTES_MIN
from quorate.replica.offences import Offences
from quorate.replica.validator_messages import FromPeer
from quorate.types.blocks import Item
from quorate.types.consensus import Proposal, VoteKind, nullify_subject, subject_of
from tests.replica.cluster import COUNT, Node, World, checkpoint_vote, vote_of
from tests.replica.world import ALICE, FUNDS, bundle

LIAR = 2
Frame = tuple[int, bytes]


def captured(world: World) -> dict[int, list[bytes]]:
    """Let a world run for a while; give sound frames of every kind, as it has seen them."""
    found: dict[int, list[bytes]] = {int(kind): [] for kind in PeerKind}

    def lie(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        if sender == LIAR and peer == 0:
            found[kind].append(body)
        return (body,)

    world.lie = lie
    for at in range(4):
        world.nodes[LIAR].submit(at, bundle(ALICE, at, FUNDS))
        world.reach(2 * at + 2)
    world.lie = None
    parts = world.nodes[0].core.parts
    height, certificate = next(iter(parts.chain.certificates.items()))
    digest = parts.chain.digests[height]
    best = parts.checkpoints.best
    assert best is not None
    records: list[PeerRecord] = [
        WantCertificates(0, 3), WantPayload(digest), WantRange(1), WantStatus(7),
        Status(7, certificate.subject.view + 1, height, 1, 0, certificate),
        WantSnapshot(height), Snapshot(best.height, 3, 2, (digest, digest), best),
        WantChunk(height, 0), Chunk(height, 0, b"chunk"),
    ]  # fmt: skip
    for record in records:
        kind, body = encode_peer(record, COUNT)
        found[kind].append(body)
    block = world.nodes[0].blocks[digest]
    found[PeerKind.RANGE].append(encode_range([block], certificate, COUNT))
    found[PeerKind.CERTIFICATE].append(encode_certificate(certificate, COUNT))
    assert all(found.values())
    return found


def spoiled(rng: random.Random, body: bytes) -> bytes:
    """Spoil a frame: cut, stretch, flip, repeat, or make up."""
    how = rng.randrange(6)
    if how == 0:
        return body[: rng.randrange(len(body))]
    if how == 1:
        return body + rng.randbytes(rng.randrange(1, 40))
    if how == 2:
        return rng.randbytes(rng.randrange(200))
    made = bytearray(body)
    for _ in range(1 + rng.randrange(4)):
        made[rng.randrange(len(made))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    if how == 3:
        at = rng.randrange(len(made))
        made[at : at + 8] = bytes([0xFF] * 8)
    return bytes(made)


def bounded(node: Node) -> None:
    """Check that nothing has grown beyond what validators and limits allow."""
    core, parts = node.core, node.core.parts
    payloads, limits = parts.payloads, parts.settings.payloads
    assert len(parts.blocks.held) <= 2 * VIEWS_AHEAD and len(parts.blocks.tickets) <= VIEWS_AHEAD
    assert all(len(slots) <= limits.early_slots for slots in payloads.early)
    assert all(size <= limits.early_bytes_max for size in payloads.early_bytes)
    assert len(payloads.kept) <= 2 * VIEWS_AHEAD and len(payloads.wishes) <= VIEWS_AHEAD
    assert len(parts.simplex.rounds) <= VIEWS_RETAINED + 2 * VIEWS_AHEAD
    assert len(parts.simplex.fetching.wants) <= WANTS_MAX
    assert all(len(it) <= WANTS_MAX for it in parts.simplex.fetching.answered.values())
    assert len(parts.checkpoints.votes) <= HEIGHTS_AHEAD + HEIGHTS_KEPT
    assert all(size <= PEER_ADMITTING_BYTES_MAX for size in core.clients.admitting.values())
    assert len(core.building.verifies) <= VIEWS_AHEAD
    assert len(core.building.certifies) <= VIEWS_AHEAD
    assert len(core.following.serving) < COUNT
    assert all(len(sent) <= BLOCKS_SENT_MAX for sent in core.following.sent.values())
    assert len(core.offering.reading) < 4 * COUNT
    assert len(parts.counts) < 40 and len(core.certificates) <= 3 * VIEWS_AHEAD


@pytest.mark.parametrize("kind", PeerKind)
def test_no_frame_of_any_kind_raises_whatever_is_in_it(kind: PeerKind) -> None:
    rng = random.Random(int(kind))
    world = World()
    frames = captured(world)
    node = world.nodes[0]
    for turn in range(300):
        body = spoiled(rng, rng.choice(frames[kind]))
        node.take(FromPeer(1 + turn % 3, kind, body))
        # Or nobody would be heard after a few.
        node.core.parts.offences = Offences()
        if turn % 30 == 0:
            world.pass_ms(5)
    for body in (b"", b"\xff", bytes(KIND_BYTES_MAX[kind] + 1)):
        before = node.core.parts.counts["frames_invalid"]
        node.take(FromPeer(LIAR, kind, body))
        assert node.core.parts.counts["frames_invalid"] == before + 1
    bounded(node)
    assert node.halted is None
    world.reach(node.height + 4)


@pytest.mark.parametrize("seed", range(3))
def test_sound_frames_of_another_time_and_peer_do_no_harm(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    frames = captured(world)
    node = world.nodes[0]
    kinds = sorted(frames)
    for turn in range(600):
        kind = rng.choice(kinds)
        node.take(FromPeer(rng.randrange(1, COUNT), kind, rng.choice(frames[kind])))
        if turn % 20 == 0:
            world.pass_ms(rng.randrange(10))
    bounded(node)
    world.reach(node.height + 4)
    assert node.halted is None and not node.accused


def test_a_kind_that_nobody_knows_is_counted() -> None:
    world = World()
    node = world.nodes[0]
    for kind in (0, 16, 255, 1 << 20):
        node.take(FromPeer(1, kind, b"body"))
    assert node.core.parts.counts["frames_invalid"] == 4


# --- floods --------------------------------------------------------------------------------------
def flood_of_votes(turn: int, node: Node) -> Frame:
    """Vote in every view there could be."""
    subject = nullify_subject(turn % 2, node.core.parts.simplex.view + turn % 5_000)
    return int(PeerKind.VOTE), encode_vote(vote_of(subject, LIAR))


def flood_of_proposals(turn: int, node: Node) -> Frame:
    """Propose something else in every turn."""
    view = node.core.parts.simplex.view + turn % 9
    proposal = Proposal(0, view, view - 1, payload_of(turn.to_bytes(32, "little")))
    subject = subject_of((VoteKind.NOTARIZE, VoteKind.FINALIZE)[turn % 2], proposal)
    return int(PeerKind.VOTE), encode_vote(vote_of(subject, LIAR))


def flood_of_blocks(turn: int, node: Node) -> Frame:
    """Send blocks that nobody has proposed."""
    made = next(iter(node.blocks.values()))
    header = decode_block(made, COUNT).header._replace(time_ms=turn)
    return int(PeerKind.PAYLOAD), encode_block(header, made[-header.items_bytes :], COUNT)


def flood_of_bundles(turn: int, node: Node) -> Frame:
    """Send bundles that nobody has signed, each item as small as can be or large."""
    size = (0, 60_000)[turn % 2]
    items = [Item(1, turn.to_bytes(8, "little") + bytes(size))] * 8
    return int(PeerKind.BUNDLES), encode_items(items)


def flood_of_checkpoints(turn: int, node: Node) -> Frame:
    """Sign roots of every height."""
    vote = checkpoint_vote(LIAR, 1 + turn * 7 % 100_000, bytes(32), turn.to_bytes(32, "big"))
    return int(PeerKind.CHECKPOINT), encode_checkpoint_vote(vote)


def flood_of_wants(turn: int, node: Node) -> Frame:
    """Ask for everything."""
    digests = list(node.blocks)
    record = (
        WantCertificates(0, turn % 50),
        WantPayload(digests[turn % len(digests)]),
        WantRange(1 + turn % 4),
        WantStatus(turn),
        WantSnapshot(turn + 1),
        WantChunk(turn + 1, turn),
    )[turn % 6]
    kind, body = encode_peer(record, COUNT)
    return int(kind), body


FLOODS: list[Callable[[int, Node], Frame]] = [
    flood_of_votes, flood_of_proposals, flood_of_blocks, flood_of_bundles, flood_of_checkpoints,
    flood_of_wants,
]  # fmt: skip


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_from_one_peer_is_bounded_and_the_chain_goes_on(
    flood: Callable[[int, Node], Frame],
) -> None:
    world = World(admission_ms=20)
    world.nodes[0].submit(1, bundle(ALICE, 1, FUNDS))
    world.reach(3)
    node = world.nodes[0]
    start = node.height
    for turn in range(2_000):
        kind, body = flood(turn, node)
        node.take(FromPeer(LIAR, kind, body))
        if turn % 100 == 0:
            bounded(node)
            world.pass_ms(20)
    bounded(node)
    world.reach(start + 4)
    assert node.halted is None
    world.pass_ms(100)
    assert not node.core.clients.inquiries and node.core.clients.admitting_bytes == 0


def test_the_smallest_bundles_cannot_fill_the_memory_while_admission_is_slow() -> None:
    world = World(admission_ms=100_000)
    node = world.nodes[0]
    frames = [
        FromPeer(LIAR, int(PeerKind.BUNDLES), encode_items([Item(at % 256, b"")] * 8))
        for at in range(8_000)
    ]
    node.core.steps(node.moment(), frames)
    held = sum(len(inquiry.items) for inquiry in node.core.clients.inquiries.values())
    assert 0 < held <= PEER_ADMITTING_BYTES_MAX // ITEM_BYTES_MIN
    assert node.core.parts.counts["gossip_dropped"] > 0
    node.core.steps(node.moment(), [FromPeer(1, frames[0].kind, encode_items([Item(1, b"x")]))])
    assert 1 in node.core.clients.admitting
