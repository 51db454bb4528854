"""Blocks: when they are built, what may be in them, who votes for them (ARCHITECTURE, A block)."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from quorate.codec.blocks import DecodedBlock, decode_block, digest_of, encode_block, payload_of
from quorate.codec.consensus import decode_vote, encode_vote
from quorate.codec.items import decode_items, encode_items
from quorate.codec.peer import PeerKind
from quorate.ordering.messages import Certify, Record
from quorate.replica.records import AGREEMENT, EVIDENCE
from quorate.types.consensus import CheckpointCertificate, Header, Proposal, VoteKind, subject_of
from tests.replica.cluster import COUNT, PARAMETERS, VALIDATORS, WALL_MS, World, vote_of
from tests.replica.world import ALICE, BOB, FUNDS, bundle

Change = Callable[[Header], Header]


def blocks_of(world: World, index: int = 0) -> list[DecodedBlock]:
    """Give the blocks that a node has delivered, by height."""
    node = world.nodes[index]
    digests = node.core.parts.chain.digests
    return [decode_block(node.blocks[digests[at]], COUNT) for at in sorted(digests)]


def liar(world: World, leader: int, change: Callable[[Header, bytes], tuple[Header, bytes]]) -> Any:
    """Have one leader send changed blocks, and notarize those instead of its own."""
    changed: dict[bytes, bytes] = {}

    def lie(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        if sender != leader:
            return (body,)
        if kind == PeerKind.PAYLOAD:
            decoded = decode_block(body, COUNT)
            if decoded.header.leader != leader:
                return (body,)
            header, items = change(decoded.header, decoded.items)
            header = header._replace(
                items_bytes=len(items), items_digest=sha256(items).digest()
            )
            data = encode_block(header, items, COUNT)
            changed[decoded.digest] = decode_block(data, COUNT).digest
            return (data,)
        if kind == PeerKind.VOTE:
            subject = decode_vote(body).subject
            digest = digest_of(subject.payload) if subject.payload else None
            if digest in changed:
                if subject.kind != VoteKind.NOTARIZE:
                    return ()
                made = subject._replace(payload=payload_of(changed[digest]))
                return (encode_vote(vote_of(made, sender)),)
        return () if kind == PeerKind.CERTIFICATE else (body,)

    world.lie = lie
    return changed


def refused(world: World, leader: int, change: Callable[[Header, bytes], tuple[Header, bytes]],
            views: int = 1) -> None:  # fmt: skip
    """Check that no honest validator votes for a leader's changed blocks, and all goes on."""
    changed = liar(world, leader, change)
    start = max(node.height for node in world.nodes)
    honest = [node for node in world.nodes if node.index != leader]
    world.run(lambda: len(changed) >= views)
    world.run(lambda: all(node.height >= start + 3 for node in honest))
    bad = {payload_of(digest) for digest in changed.values()}
    for node in honest:
        assert not any(subject.payload in bad for subject in node.scheme.signed)


# --- when ----------------------------------------------------------------------------------------
def test_an_idle_leader_proposes_an_empty_block_after_the_heartbeat() -> None:
    world = World()
    world.reach(3)
    first, second, third = blocks_of(world)[:3]
    assert [block.header.items_count for block in (first, second, third)] == [0, 0, 0]
    heartbeat = PARAMETERS.heartbeat_ms
    assert second.header.time_ms - first.header.time_ms >= heartbeat
    assert third.header.time_ms - second.header.time_ms < heartbeat + 20
    assert not any(subject.kind == VoteKind.NULLIFY for subject in world.nodes[0].scheme.signed)


def test_a_leader_proposes_as_soon_as_it_has_bundles() -> None:
    world = World()
    world.reach(2)
    world.pass_ms(20)
    before = world.now
    world.nodes[0].submit(1, bundle(ALICE, 1, FUNDS))
    world.run(lambda: world.nodes[0].answers_to(1) != [])
    assert world.now - before < PARAMETERS.heartbeat_ms // 2


def test_a_proposal_omits_the_bundles_of_its_unfinalized_ancestors() -> None:
    world = World(ledger_ms=50)
    for at in range(40):
        world.nodes[at % COUNT].submit(at, bundle((ALICE, BOB)[at % 2], at, FUNDS))
        world.pass_ms(2)
    world.run(lambda: sum(len(node.answers) for node in world.nodes) == 40)
    seen: list[bytes] = []
    for block in blocks_of(world):
        items = decode_items(block.items)
        assert isinstance(items, tuple)
        seen += [item.data for item in items]
    assert len(seen) == len(set(seen)) == 40


# --- size ----------------------------------------------------------------------------------------
def test_no_block_has_more_bytes_than_the_chain_allows() -> None:
    size = len(encode_items([bundle(ALICE, 1, FUNDS)]))
    limit = 3 * size + 1
    world = World(parameters=replace(PARAMETERS, block_bytes_max=limit))
    for at in range(10):
        world.nodes[0].submit(at, bundle(ALICE, at, FUNDS))
    large = bundle(BOB, 1, *[FUNDS] * 40)
    world.nodes[0].submit(10, large)
    world.run(lambda: len(world.nodes[0].answers) == 11)
    sizes = [block.header.items_bytes for block in blocks_of(world)]
    assert max(sizes) == len(encode_items([large])), "a larger bundle has a block of its own"
    assert sorted(sizes)[-2] == 3 * size


def test_nobody_votes_for_a_block_that_is_too_large() -> None:
    items = encode_items([bundle(ALICE, at, FUNDS) for at in range(4)])
    world = World(parameters=replace(PARAMETERS, block_bytes_max=len(items) - 1))
    refused(world, 1, lambda header, _: (header._replace(items_count=4), items))


# --- what is in it -------------------------------------------------------------------------------
SOUND, OTHER = bundle(ALICE, 1, FUNDS), bundle(BOB, 1, FUNDS)
SPOILED = replace(SOUND, data=SOUND.data[:-1] + bytes([SOUND.data[-1] ^ 0xFF]))
CONTENTS = {
    "an unsound signature": (2, encode_items([OTHER, SPOILED])),
    "an item twice": (2, encode_items([SOUND, SOUND])),
    "another count": (3, encode_items([SOUND, OTHER])),
    "no items": (1, b"\x01\xff\xff"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_nobody_votes_for_a_block_whose_items_are_not_valid(name: str) -> None:
    count, items = CONTENTS[name]
    refused(World(), 2, lambda header, _: (header._replace(items_count=count), items))


HEADERS: dict[str, Change] = {
    "another epoch": lambda header: header._replace(epoch=1),
    "another view": lambda header: header._replace(view=header.view + 1),
    "another leader": lambda header: header._replace(leader=3),
    "another height": lambda header: header._replace(height=header.height + 1),
    "another parent": lambda header: header._replace(parent_digest=bytes(31) + b"x"),
    "another parent view": lambda header: header._replace(parent_view=0),
    "beyond all": lambda header: header._replace(view=10**9, height=10**9),
    "beyond all, on nothing": lambda header: header._replace(
        view=10**9, height=10**9, parent_digest=sha256(b"%d" % header.view).digest()
    ),
    "before its parent": lambda header: header._replace(time_ms=WALL_MS - 100_000),
    "far ahead": lambda header: header._replace(time_ms=header.time_ms + 2_000),
    "far behind": lambda header: header._replace(time_ms=header.time_ms - 3_000),
}


@pytest.mark.parametrize("name", HEADERS)
def test_nobody_votes_for_a_block_whose_header_does_not_fit(name: str) -> None:
    world = World()
    world.reach(2)
    refused(world, 1, lambda header, items: (HEADERS[name](header), items))


@pytest.mark.parametrize("name", HEADERS)
def test_what_a_malicious_leader_proposes_does_not_stay_in_memory(name: str) -> None:
    world = World()
    world.reach(2)
    refused(world, 1, lambda header, items: (HEADERS[name](header), items), views=6)
    world.reach(world.nodes[0].height + 4)
    for node in world.nodes:
        if node.index != 1:
            parts = node.core.parts
            assert len(parts.blocks.held) <= 4
            assert len(parts.payloads.kept) <= 4 and not parts.blocks.tickets
            assert len(parts.payloads.wishes) <= 1
            assert parts.payloads.kept_bytes == sum(
                len(data) for data in parts.payloads.kept.values() if data is not None
            )
            assert len(node.core.building.verifies) <= 2


def test_a_block_that_nobody_needs_any_more_is_not_asked_for() -> None:
    world = World()
    world.reach(2)
    world.nodes[1].crash()
    core = world.nodes[0].core
    view = core.parts.simplex.view + 1
    while VALIDATORS.leader(view) != 1:
        view += 1
    proposal = Proposal(0, view, 1, payload_of(sha256(b"lost").digest()))
    core.building.asked_to_certify(Certify(proposal, (1, 2, 3)))
    assert len(core.parts.payloads.wishes) == 1
    world.reach(world.nodes[0].height + 6)
    assert core.parts.simplex.floor.view > view
    assert not core.building.certifies
    assert not core.parts.payloads.wishes and proposal.payload[:32] not in core.parts.payloads.kept


# --- time ----------------------------------------------------------------------------------------
def test_the_time_of_blocks_never_goes_back_whatever_the_leaders_clocks_say() -> None:
    world = World()
    for node, off_ms in zip(world.nodes, (0, -200, 250, -150), strict=True):
        node.wall_off_ms = off_ms
    for at in range(30):
        world.nodes[at % COUNT].submit(at, bundle((ALICE, BOB)[at % 2], at, FUNDS))
        world.pass_ms(7)
    world.reach(8)
    times = [block.header.time_ms for block in blocks_of(world)]
    assert times == sorted(times)
    assert not any(node.core.parts.counts.get("proposals_outside_clock") for node in world.nodes)


def test_the_window_of_the_clock_is_asked_before_a_notarize_and_never_later() -> None:
    world = World()
    world.reach(1)
    slow = world.nodes[3]
    slow.wall_off_ms = -10_000
    world.reach(8)
    taken = [block.header.leader for block in blocks_of(world, 3)[1:]]
    assert slow.core.parts.counts["proposals_outside_clock"] >= 4
    notarized = [subject for subject in slow.scheme.signed if subject.kind == VoteKind.NOTARIZE]
    assert len(notarized) <= 2 + taken.count(3) and len(taken) >= 7
    verdicts = [
        payload[9]
        for kind, _, payload in slow.records
        if kind == AGREEMENT and payload[0] == Record.CERTIFIED
    ]
    assert len(verdicts) >= 5 and set(verdicts) == {True}


# --- lag -----------------------------------------------------------------------------------------
def without_checkpoints(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
    """Lose all checkpoint votes."""
    return () if kind == PeerKind.CHECKPOINT else (body,)


def test_while_certificates_lag_agreement_orders_nothing() -> None:
    world = World(parameters=replace(PARAMETERS, checkpoint_lag_max=5, heartbeat_ms=20))
    world.lie = without_checkpoints
    world.reach(5)
    world.nodes[0].submit(1, bundle(ALICE, 1, FUNDS))
    before = world.nodes[0].core.parts.simplex.view
    world.pass_ms(1_000)
    assert not world.nodes[0].answers
    beyond = blocks_of(world)[5:]
    assert len(beyond) > 5 and not any(block.header.items_count for block in beyond)
    assert all(node.core.parts.counts["blocks_empty_for_lag"] for node in world.nodes)
    views = world.nodes[0].core.parts.simplex.view - before
    assert views <= 1_000 // 20, "views go by faster than the heartbeat while nothing can be"
    world.lie = None
    world.run(lambda: world.nodes[0].answers_to(1) != [])
    assert sum(block.header.items_count for block in blocks_of(world)) == 1


def test_headers_carry_certificates_within_the_lag_bound() -> None:
    world = World(parameters=replace(PARAMETERS, checkpoint_lag_max=4, heartbeat_ms=20))
    world.reach(20)
    for block in blocks_of(world):
        found, height = block.header.checkpoint, block.header.height
        assert found is not None or height <= 4
        assert found is None or height - 4 <= found.height < height


def test_nobody_votes_for_a_block_whose_certificate_is_older_than_the_bound() -> None:
    world = World(parameters=replace(PARAMETERS, checkpoint_lag_max=4, heartbeat_ms=20))
    world.reach(8)
    old = blocks_of(world)[3].header.checkpoint
    assert isinstance(old, CheckpointCertificate) and old.height <= 3
    items = encode_items([SOUND])
    for leader, checkpoint in ((1, old), (2, None)):
        refused(
            world,
            leader,
            lambda header, _, it=checkpoint: (
                header._replace(checkpoint=it, items_count=1), items
            ),
        )


def test_nobody_votes_for_a_block_whose_certificate_is_forged_or_not_of_an_ancestor() -> None:
    world = World()
    world.reach(4)
    found = blocks_of(world)[-1].header.checkpoint
    assert found is not None
    forged = found._replace(state_root=bytes(32))
    few = found._replace(signers=found.signers[:2], signatures=found.signatures[:2])
    later = found._replace(height=10**6)
    for certificate in (forged, few, later):
        refused(
            world, 1, lambda header, items, it=certificate: (header._replace(checkpoint=it), items)
        )


# --- equivocation --------------------------------------------------------------------------------
def test_evidence_of_equivocation_is_durable_before_anything_else_leaves() -> None:
    world = World()
    world.reach(2)

    def lie(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        if kind == PeerKind.VOTE and sender == 1:
            subject = decode_vote(body).subject
            if subject.kind == VoteKind.NOTARIZE and VALIDATORS.leader(subject.view) == 1:
                other = Proposal(0, subject.view, subject.parent_view, payload_of(bytes(32)))
                return body, encode_vote(vote_of(subject_of(VoteKind.NOTARIZE, other), 1))
        return (body,)

    world.lie = lie
    world.run(lambda: all(node.accused for node in world.nodes if node.index != 1))
    world.lie = None
    for node in world.nodes:
        assert {accused.signer for accused in node.accused} <= {1}
        assert [kind for kind, _, _ in node.records].count(EVIDENCE) == len(node.accused)
    world.reach(world.nodes[0].height + 4)
