"""Generated values of what validators sign, send and start from, for the pinned formats."""

import random
from collections.abc import Iterator
from hashlib import sha256

from quorate.codec import peer
from quorate.codec.blocks import decode_block, encode_block, payload_of
from quorate.codec.consensus import domain, subject_digest
from quorate.codec.consensus_genesis import consensus_hash, encode_consensus_genesis
from quorate.codec.items import encode_items
from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import key_from_seed, public_key
from quorate.types.blocks import Item
from quorate.types.consensus import (
    Certificate,
    CheckpointCertificate,
    CheckpointVote,
    ConsensusGenesis,
    Header,
    Subject,
    ValidatorSpec,
    Vote,
    VoteKind,
    nullify_subject,
)

VALIDATORS = 7
BOUND = domain(77, bytes(range(32)))


def subject(rng: random.Random) -> Subject:
    kind, view = rng.choice(list(VoteKind)), rng.randrange(1, 2**62)
    epoch = rng.getrandbits(8)
    if kind == VoteKind.NULLIFY:
        return nullify_subject(epoch, view)
    return Subject(kind, epoch, view, rng.randrange(view), payload_of(rng.randbytes(32)))


def signers(rng: random.Random) -> tuple[int, ...]:
    return tuple(sorted(rng.sample(range(VALIDATORS), rng.randrange(1, VALIDATORS + 1))))


def certificate(rng: random.Random, kind: int | None = None) -> Certificate:
    found = subject(rng)
    while kind is not None and found.kind != kind:
        found = subject(rng)
    names = signers(rng)
    return Certificate(found, names, tuple(rng.randbytes(64) for _ in names))


def checkpoint(rng: random.Random, height: int | None = None) -> CheckpointCertificate:
    names = signers(rng)
    at = rng.randrange(1, 2**40) if height is None else height
    signatures = tuple(rng.randbytes(64) for _ in names)
    return CheckpointCertificate(0, at, rng.randbytes(32), rng.randbytes(32), names, signatures)


def block(rng: random.Random) -> bytes:
    found = [Item(rng.randrange(1, 3), rng.randbytes(rng.randrange(1, 200))) for _ in range(3)]
    items = encode_items(found)
    view = rng.randrange(1, 2**50)
    header = Header(
        rng.getrandbits(8), view, rng.randrange(view), rng.randrange(VALIDATORS),
        rng.randrange(1, 2**50), rng.getrandbits(45), rng.randbytes(32), len(found), len(items),
        sha256(items).digest(), rng.choice([None, checkpoint(rng)]),
    )  # fmt: skip
    return encode_block(header, items, VALIDATORS)


def vote_digests() -> Iterator[bytes]:
    rng = random.Random("votes")
    for _ in range(60):
        yield subject_digest(BOUND, subject(rng))


def checkpoint_digests() -> Iterator[bytes]:
    rng = random.Random("checkpoints")
    for _ in range(30):
        digest, root = rng.randbytes(32), rng.randbytes(32)
        yield checkpoint_digest(
            Checkpoint(77, bytes(range(32)), 0, rng.getrandbits(60), digest, root, {})
        )


def blocks() -> Iterator[bytes]:
    rng = random.Random("agreed blocks")
    for _ in range(30):
        data = block(rng)
        yield data
        yield decode_block(data, VALIDATORS).digest


def records(rng: random.Random) -> Iterator[peer.PeerRecord]:
    data = [decode_block(block(rng), VALIDATORS) for _ in range(2)]
    items = (Item(1, rng.randbytes(40)),)
    height, at = rng.randrange(1, 2**50), rng.randrange(1, 2**50)
    chunks = tuple(rng.randbytes(32) for _ in range(3))
    yield Vote(subject(rng), rng.randrange(VALIDATORS), rng.randbytes(64))
    yield certificate(rng)
    yield peer.WantCertificates(rng.getrandbits(8), at)
    yield data[0]
    yield peer.WantPayload(rng.randbytes(32))
    yield peer.Bundles(items, encode_items(items))
    yield CheckpointVote(0, height, rng.randbytes(32), rng.randbytes(32), 3, rng.randbytes(64))
    yield peer.WantRange(height)
    yield peer.Range(tuple(data), certificate(rng, VoteKind.FINALIZE))
    yield peer.WantStatus(rng.getrandbits(64))
    yield peer.Status(rng.getrandbits(64), at, height, 1, 0, rng.choice([None, certificate(rng)]))
    yield peer.WantSnapshot(height)
    yield peer.Snapshot(height, 2_500, 1_000, chunks, checkpoint(rng, height))
    yield peer.WantChunk(height, rng.randrange(1 << 16))
    yield peer.Chunk(height, rng.randrange(1 << 16), rng.randbytes(50))


def peer_frames() -> Iterator[bytes]:
    rng = random.Random("frames")
    for _ in range(20):
        for record in records(rng):
            kind, body = peer.encode_peer(record, VALIDATORS)
            yield bytes([kind]) + body


def consensus_geneses() -> Iterator[bytes]:
    rng = random.Random("consensus")
    for count in (1, 4, 7):
        validators = tuple(
            ValidatorSpec(
                f"validator-{n}", public_key(key_from_seed(f"{count} {n}")), rng.randbytes(32), 1
            )
            for n in range(count)
        )
        genesis = ConsensusGenesis(77, rng.randbytes(32), validators)
        yield encode_consensus_genesis(genesis)
        yield consensus_hash(genesis)
