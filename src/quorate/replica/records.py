"""What a replica writes into its log: payloads of BLOCK, CHECKPOINT and RESUMED records.

    BLOCK       the canonical bytes of the executable block, then 24 bytes per item: the signer
                that admission recovered, 20 bytes, and the number of commands, u32
    CHECKPOINT  height u64, exec_block_digest 32, state_root 32, signer 33, signature 64; signer
                and signature are zero where a node only observes
    DELIVERED   height u64, view u64, block digest 32: where agreement put the BLOCK that follows
    AGREEMENT   an entry of ordering's journal: what it is, u8, and its bytes; labelled by its view
    PAYLOAD     a block of agreement, before it is voted for; labelled by its view
    CERTIFIED   a checkpoint certificate
    EVIDENCE    two votes that prove their signer malicious: length of the first u32, both; or 0 and
                checkpoint votes: two of one signer, or one that stands against our root
    OBSERVING   nothing: the journal before it was lost, so what was signed is not known
    VOTING      view u64: an observer votes again, in views above it
    BASE        view u64, time_ms u64, block digest 32, then a checkpoint certificate: the log goes
                on from the certified snapshot of a height, where agreement put this block
    RESUMED     JSON: why a person let a halted node run again, and the halt's own words

A CHECKPOINT follows its BLOCK before the next BLOCK. The signers stand there so that recovery
trusts its own checksummed log instead of recovering a million signatures again, and the counts
so that a block is taken apart by array operations instead of item by item.
"""

import hashlib
import struct
from typing import Any, Final, NamedTuple

import numpy as np

from quorate.codec.blocks import (
    decode_checkpoint_certificate,
    encode_checkpoint_certificate,
)
from quorate.codec.consensus import MessageInvalid
from quorate.codec.items import BLOCK_HEAD, ITEM_HEAD
from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import sign_compact, verify
from quorate.storage.log import Identity, Kind
from quorate.types.consensus import VOTE_SIGNATURE_BYTES, CheckpointCertificate
from quorate.types.limits import BUNDLE_HEADER_BYTES, COMMAND_BYTES, SIGNATURE_BYTES
from quorate.types.records import ADMITTED, BUNDLE_HEADER

RESUMED: Final = int(Kind.NOTE_FIRST)
DELIVERED: Final = RESUMED + 1
AGREEMENT: Final = RESUMED + 2
PAYLOAD: Final = RESUMED + 3
CERTIFIED: Final = RESUMED + 4
EVIDENCE: Final = RESUMED + 5
OBSERVING: Final = RESUMED + 6
VOTING: Final = RESUMED + 7
EPOCH: Final = 0  # validator sets do not change in a chain of one
TRUSTED: Final = np.dtype([("signer", "u1", (20,)), ("count", "<u4")])
CHECKPOINT: Final = struct.Struct("<Q32s32s33s64s")
DELIVERED_FORM: Final = struct.Struct("<QQ32s")
BASE_HEAD: Final = struct.Struct("<QQ32s")
NOBODY: Final = bytes(33)
FRAME_BYTES: Final = ITEM_HEAD.size + BUNDLE_HEADER_BYTES + SIGNATURE_BYTES


class RecordRefused(Exception):
    """A record that is sound to the log and says something impossible. The sentence says what."""


class LoggedBlock(NamedTuple):
    """A block as it comes back from the log, laid out for execution."""

    height: int
    time_ms: int
    protocol_version: int
    digest: bytes
    rows: Any
    commands: Any


class Base(NamedTuple):
    """From what the log goes on: the block at the height of a certified snapshot.

    view, digest: where agreement put it; time_ms: its time.
    """

    view: int
    time_ms: int
    digest: bytes
    certificate: CheckpointCertificate


def block_bytes(
    height: int, time_ms: int, protocol_version: int, count: int, items: bytes
) -> bytes:
    """Write an executable block from its items' canonical bytes."""
    return BLOCK_HEAD.pack(height, time_ms, protocol_version, count) + items


def block_payload(block: bytes, rows: Any) -> bytes:
    """Write a BLOCK record; `rows` are the ADMITTED rows of the block's items."""
    trusted = np.empty(len(rows), TRUSTED)
    trusted["signer"] = rows["signer"]
    trusted["count"] = rows["count"]
    return block + trusted.tobytes()


def windows(octets: Any, starts: Any, size: int) -> Any:
    """Copy `size` bytes from each of `starts`: uint8[n, size]."""
    if not len(starts):
        return np.zeros((0, size), np.uint8)
    return np.lib.stride_tricks.sliding_window_view(octets, size)[starts]


def block_read(payload: bytes | memoryview) -> LoggedBlock:
    """Read a BLOCK record. Raises RecordRefused."""
    if len(payload) < BLOCK_HEAD.size:
        raise RecordRefused("a block shorter than its head")
    height, time_ms, version, count = BLOCK_HEAD.unpack_from(payload)
    end = len(payload) - count * TRUSTED.itemsize
    if end < BLOCK_HEAD.size:
        raise RecordRefused(f"block {height} has no room for its {count} signers")
    octets = np.frombuffer(payload, np.uint8)
    trusted = octets[end:].view(TRUSTED)
    counts = trusted["count"].astype(np.int64)
    sizes = FRAME_BYTES + COMMAND_BYTES * counts
    ends = BLOCK_HEAD.size + np.cumsum(sizes)
    if (int(ends[-1]) if count else BLOCK_HEAD.size) != end:
        raise RecordRefused(f"the items of block {height} do not add up to its length")
    starts = ends - sizes
    headers = windows(octets, starts + ITEM_HEAD.size, BUNDLE_HEADER.itemsize).reshape(-1)
    header = headers.view(BUNDLE_HEADER)
    if (header["count"] != counts).any():
        raise RecordRefused(f"the counts of block {height} are not those of its items")
    rows = np.zeros(count, ADMITTED)
    rows["signer"], rows["count"] = trusted["signer"], counts
    rows["account"], rows["nonce"] = header["account"], header["nonce"]
    rows["expiry_ms"], rows["kind"] = header["expiry_ms"], octets[starts]
    rows["first"] = np.cumsum(counts) - counts
    within = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(rows["first"], counts)
    bodies = np.repeat(starts + ITEM_HEAD.size + BUNDLE_HEADER_BYTES, counts)
    commands = windows(octets, bodies + COMMAND_BYTES * within, COMMAND_BYTES)
    digest = hashlib.sha256(memoryview(payload)[:end]).digest()
    return LoggedBlock(height, time_ms, version, digest, rows, commands)


def block_items(payload: bytes | memoryview) -> bytes:
    """Give the items' canonical bytes of a BLOCK record that `block_read` has read."""
    count = BLOCK_HEAD.unpack_from(payload)[3]
    return bytes(payload[BLOCK_HEAD.size : len(payload) - count * TRUSTED.itemsize])


def block_under(payload: bytes | memoryview, version: int) -> bytes:
    """Give a BLOCK record as it reads under another version of the rules."""
    height, time_ms, _, count = BLOCK_HEAD.unpack_from(payload)
    head = BLOCK_HEAD.pack(height, time_ms, version, count)
    return head + bytes(payload[BLOCK_HEAD.size :])


def checkpoint_signed(
    key: bytes, signer: bytes, identity: Identity, height: int, digest: bytes, root: bytes
) -> Checkpoint:
    """Sign the checkpoint of a chain of one validator; `signer` is the key's public key."""
    bare = Checkpoint(identity.chain_id, identity.app_genesis, EPOCH, height, digest, root, {})
    signature = sign_compact(key, checkpoint_digest(bare))
    return Checkpoint(
        identity.chain_id, identity.app_genesis, EPOCH, height, digest, root, {signer: signature}
    )


def checkpoint_payload(checkpoint: Checkpoint) -> bytes:
    """Write a CHECKPOINT record."""
    signatures = checkpoint.signatures or {NOBODY: bytes(VOTE_SIGNATURE_BYTES)}
    ((signer, signature),) = signatures.items()
    return CHECKPOINT.pack(
        checkpoint.height,
        checkpoint.exec_block_digest,
        checkpoint.state_root,
        signer,
        signature,
    )


def checkpoint_read(payload: bytes | memoryview, identity: Identity) -> Checkpoint:
    """Read a CHECKPOINT record. Raises RecordRefused."""
    if len(payload) != CHECKPOINT.size:
        raise RecordRefused(f"a checkpoint of {len(payload)} bytes")
    height, digest, root, signer, signature = CHECKPOINT.unpack(payload)
    signatures = {} if signer == NOBODY else {signer: signature}
    return Checkpoint(
        identity.chain_id, identity.app_genesis, EPOCH, height, digest, root, signatures
    )


def delivered_payload(height: int, view: int, block_digest: bytes) -> bytes:
    """Write a DELIVERED record."""
    return DELIVERED_FORM.pack(height, view, block_digest)


def delivered_read(payload: bytes | memoryview) -> tuple[int, int, bytes]:
    """Read a DELIVERED record: height, view, block digest. Raises RecordRefused."""
    if len(payload) != DELIVERED_FORM.size:
        raise RecordRefused(f"a delivery of {len(payload)} bytes")
    height, view, digest = DELIVERED_FORM.unpack(payload)
    return height, view, digest


def base_payload(base: Base, validators: int) -> bytes:
    """Write a BASE record of a chain of so many validators."""
    head = BASE_HEAD.pack(base.view, base.time_ms, base.digest)
    return head + encode_checkpoint_certificate(base.certificate, validators)


def base_read(payload: bytes | memoryview, validators: int) -> Base:
    """Read a BASE record. Raises RecordRefused."""
    if len(payload) < BASE_HEAD.size:
        raise RecordRefused(f"a base of {len(payload)} bytes")
    view, time_ms, digest = BASE_HEAD.unpack_from(payload)
    try:
        rest = bytes(payload[BASE_HEAD.size :])
        return Base(view, time_ms, digest, decode_checkpoint_certificate(rest, validators))
    except MessageInvalid as invalid:
        raise RecordRefused(f"a base holds {invalid}") from invalid


def checkpoint_holds(checkpoint: Checkpoint) -> bool:
    """Say whether the one signature of a checkpoint is its signer's."""
    ((signer, signature),) = checkpoint.signatures.items()
    return verify(signer, checkpoint_digest(checkpoint), signature)
