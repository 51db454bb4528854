"""Proofs for export: one row of the state, or one event, under a signed checkpoint.

A proof is one line of canonical JSON (sorted keys, no white space, no line end). Digests and
preimages are lower-case hex. Its keys:

- format "quorate-proof-1", chain_id, genesis (hex), kind: account | position | order | event
- table, slot, preimage, siblings (28, from the leaf up), top_siblings (4): the leaf and its path
- position: {index, row}, only in a proof of kind position: which 64 bytes of the account's tail
- event: {count, index, preimage, siblings (24)}, only in a proof of kind event, whose table and
  slot are those of the chain row, which holds events_root
- checkpoint: {epoch, height, exec_block_digest, state_root, signatures: [{signer, signature}]}, in
  ascending order of signers. A signer is a compressed secp256k1 key (33 bytes), a signature is
  r || s (64 bytes, low s) over checkpoint_digest()
- file_digest: SHA-256 of the same JSON without this key. Merkle path and signatures carry the
  meaning; this makes a file with any changed byte fail, also where the change would be harmless

verifier.py checks such a file and shares nothing with this module but this text.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quorate.commitment.events import EVENTS_DEPTH, EventTree
from quorate.commitment.sha256 import DIGEST_BYTES, U8
from quorate.commitment.state_root import TOP_DEPTH, StateTree
from quorate.commitment.tree import DEPTH, TableView
from quorate.types.records import POSITION, ROW_DTYPES, Table

FORMAT = "quorate-proof-1"
CHECKPOINT_TAG = b"QUORATE-CHECKPT1"
SIGNER_BYTES = 33
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Checkpoint:
    """What validators sign after they executed a block. Digests are 32 bytes.

    signatures: compressed public key of each signer -> r || s.
    """

    chain_id: int
    genesis: bytes
    epoch: int
    height: int
    exec_block_digest: bytes
    state_root: bytes
    signatures: Mapping[bytes, bytes]


@dataclass(frozen=True)
class Inclusion:
    """A leaf of the state and the digests beside its path."""

    table: int
    slot: int
    preimage: bytes
    siblings: tuple[bytes, ...]
    top_siblings: tuple[bytes, ...]


@dataclass(frozen=True)
class EventInclusion:
    """An event of a block, its place among `count`, and the digests beside its path."""

    index: int
    count: int
    preimage: bytes
    siblings: tuple[bytes, ...]


@dataclass(frozen=True)
class PositionPart:
    """One position, and which of its account's positions it is."""

    index: int
    row: bytes


@dataclass(frozen=True)
class Proof:
    """All that a file says. `position` and `event` are set in proofs of those kinds alone."""

    kind: str
    inclusion: Inclusion
    checkpoint: Checkpoint
    position: PositionPart | None = None
    event: EventInclusion | None = None


def checkpoint_digest(checkpoint: Checkpoint) -> bytes:
    """Give the 32 bytes that a validator signs for a checkpoint."""
    message = b"".join(
        (
            CHECKPOINT_TAG,
            checkpoint.chain_id.to_bytes(8, "little"),
            checkpoint.genesis,
            checkpoint.epoch.to_bytes(8, "little"),
            checkpoint.height.to_bytes(8, "little"),
            checkpoint.exec_block_digest,
            checkpoint.state_root,
        )
    )
    return hashlib.sha256(message).digest()


def inclusion(state: StateTree, view: TableView, table: int, slot: int) -> Inclusion:
    """Take the leaf of `slot` and its path from a state that has been updated from `view`."""
    assert 0 <= slot < view.high_water
    siblings, above = state.siblings(table, slot)
    return Inclusion(table, slot, view.preimage(slot), tuple(siblings), tuple(above))


def account_proof(
    state: StateTree, view: TableView, account: int, checkpoint: Checkpoint
) -> Proof:
    """Prove an account's row and all its positions. `view` is that of the accounts."""
    found = inclusion(state, view, Table.ACCOUNTS, account)
    return Proof("account", found, checkpoint)


def position_proof(
    state: StateTree, view: TableView, account: int, index: int, checkpoint: Checkpoint
) -> Proof:
    """Prove position `index` of an account. `view` is that of the accounts."""
    found = inclusion(state, view, Table.ACCOUNTS, account)
    first = ROW_DTYPES[Table.ACCOUNTS].itemsize + index * POSITION.itemsize
    row = found.preimage[first : first + POSITION.itemsize]
    assert index >= 0 and len(row) == POSITION.itemsize, "the account has no such position"
    return Proof("position", found, checkpoint, position=PositionPart(index, row))


def order_proof(state: StateTree, view: TableView, slot: int, checkpoint: Checkpoint) -> Proof:
    """Prove a resting order. `view` is that of the orders."""
    return Proof("order", inclusion(state, view, Table.ORDERS, slot), checkpoint)


def event_proof(
    state: StateTree,
    view: TableView,
    events: EventTree,
    rows: U8,
    index: int,
    checkpoint: Checkpoint,
) -> Proof:
    """Prove event `index` of the block whose rows uint8[count, 112] `events` was rebuilt from.

    `view` is that of the chain table, whose row holds the root of the same events.
    """
    found = inclusion(state, view, Table.CHAIN, 0)
    row: U8 = rows[index]
    event = EventInclusion(index, events.count, row.tobytes(), tuple(events.siblings(index)))
    return Proof("event", found, checkpoint, event=event)


def hexes(digests: tuple[bytes, ...], count: int) -> list[str]:
    """Write `count` digests as hex."""
    assert len(digests) == count and all(len(digest) == DIGEST_BYTES for digest in digests)
    return [digest.hex() for digest in digests]


def checkpoint_fields(checkpoint: Checkpoint) -> dict[str, Any]:
    """Give the JSON object of a checkpoint."""
    assert len(checkpoint.exec_block_digest) == len(checkpoint.state_root) == DIGEST_BYTES
    signatures = []
    for signer, signature in sorted(checkpoint.signatures.items()):
        assert len(signer) == SIGNER_BYTES and len(signature) == SIGNATURE_BYTES
        signatures.append({"signature": signature.hex(), "signer": signer.hex()})
    return {
        "epoch": checkpoint.epoch,
        "exec_block_digest": checkpoint.exec_block_digest.hex(),
        "height": checkpoint.height,
        "signatures": signatures,
        "state_root": checkpoint.state_root.hex(),
    }


def fields(proof: Proof) -> dict[str, Any]:
    """Give the JSON object of a proof without its file digest."""
    leaf = proof.inclusion
    assert len(proof.checkpoint.genesis) == DIGEST_BYTES
    found: dict[str, Any] = {
        "chain_id": proof.checkpoint.chain_id,
        "checkpoint": checkpoint_fields(proof.checkpoint),
        "format": FORMAT,
        "genesis": proof.checkpoint.genesis.hex(),
        "kind": proof.kind,
        "preimage": leaf.preimage.hex(),
        "siblings": hexes(leaf.siblings, DEPTH),
        "slot": leaf.slot,
        "table": int(leaf.table),
        "top_siblings": hexes(leaf.top_siblings, TOP_DEPTH),
    }
    if proof.position is not None:
        found["position"] = {"index": proof.position.index, "row": proof.position.row.hex()}
    if proof.event is not None:
        found["event"] = {
            "count": proof.event.count,
            "index": proof.event.index,
            "preimage": proof.event.preimage.hex(),
            "siblings": hexes(proof.event.siblings, EVENTS_DEPTH),
        }
    return found


def canonical(value: dict[str, Any]) -> bytes:
    """Write JSON in its one accepted form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def exported(proof: Proof) -> bytes:
    """Write a proof as the bytes of a file for the verifier."""
    found = fields(proof)
    digest = hashlib.sha256(canonical(found)).hexdigest()
    return canonical({**found, "file_digest": digest})
