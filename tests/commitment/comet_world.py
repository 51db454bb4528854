"""Signed headers of CometBFT over the state of proof_world, and those recorded from real nodes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from quorate.commitment import comet_verifier
from quorate.commitment.comet_header import (
    BlockId,
    CommitSignature,
    Header,
    SignedHeader,
    Time,
    block_id_fields,
    header_fields,
)
from tests.commitment.proof_world import CHAIN_ID, GENESIS, HEIGHT, World

VECTORS = Path(__file__).parent.parent / "vectors"
RECORDED: dict[str, Any] = json.loads((VECTORS / "cometbft.json").read_text())
NAME = f"quorate-{CHAIN_ID}-{GENESIS.hex()[:16]}"
ABSENT, COMMIT, NIL = 1, 2, 3
# Five voted for the block, one for none, one is away.
FLAGS = (COMMIT, COMMIT, NIL, COMMIT, ABSENT, COMMIT, COMMIT)
NO_HASH = bytes(32)


def key_of(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


KEYS = {public(key_of(number)): key_of(number) for number in range(1, 8)}
EQUAL = dict.fromkeys(KEYS, 1)


def header(app_hash: bytes, height: int, powers: dict[bytes, int], name: str = NAME) -> Header:
    hashes = [bytes([number]) * 32 for number in range(1, 8)]
    validators = comet_verifier.validators_hash(powers)
    return Header(
        version_block=11, version_app=1, chain_id=name, height=height,
        time=Time(1_790_000_000, 123_456_789), last_block_id=BlockId(hashes[0], hashes[1], 3),
        last_commit_hash=hashes[2], data_hash=hashes[3], validators_hash=validators,
        next_validators_hash=validators, consensus_hash=hashes[4], app_hash=app_hash,
        last_results_hash=hashes[5], evidence_hash=hashes[6], proposer_address=bytes(20),
    )  # fmt: skip


def vote(key: bytes, flag: int, of: Header, round_: int, block_id: BlockId) -> CommitSignature:
    """Vote with one of KEYS at a time of its own; the library signs."""
    if flag == ABSENT:
        return CommitSignature(ABSENT, Time(0, 0), b"")
    time = Time(of.time.seconds + key[0], key[1])
    encoded = comet_verifier.BlockId(block_id_fields(block_id), "").encoded
    message = comet_verifier.sign_bytes(
        of.chain_id, of.height, round_, encoded if flag == COMMIT else b"", time.seconds, time.nanos
    )
    return CommitSignature(flag, time, KEYS[key].sign(message))


def signed(
    of: Header, powers: dict[bytes, int], flags: Sequence[int] = FLAGS, round_: int = 2
) -> SignedHeader:
    """Sign a header with the keys of `powers` in their order."""
    found = comet_verifier.Header(header_fields(of))
    block_id = BlockId(found.hash, bytes([9]) * 32, 1)
    keys = comet_verifier.in_order(powers)
    votes = [vote(key, flag, of, round_, block_id) for key, flag in zip(keys, flags, strict=True)]
    return SignedHeader(of, round_, block_id, tuple(votes))


def signed_over(
    world: World, powers: dict[bytes, int] = EQUAL, flags: Sequence[int] = FLAGS, name: str = NAME
) -> SignedHeader:
    """Sign the header that certifies a world's root."""
    of = header(world.checkpoint.state_root, HEIGHT + 1, powers, name)
    return signed(of, powers, flags)


def with_vote(of: SignedHeader, at: int, by: CommitSignature) -> SignedHeader:
    """Put another vote into a commit."""
    return replace(of, signatures=(*of.signatures[:at], by, *of.signatures[at + 1 :]))
