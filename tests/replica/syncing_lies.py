"""What a malicious validator may make of its frames while another catches up: see test_statesync.

A lie takes the peer, the kind and the body of a frame, and gives the body that is sent, or nothing.
"""

from collections.abc import Callable
from hashlib import sha256

from quorate.codec.blocks import encode_block
from quorate.codec.peer import (
    Chunk,
    PeerKind,
    Range,
    Snapshot,
    Status,
    decode_peer,
    encode_peer,
    encode_range,
)
from tests.replica.syncing import CHUNK_BYTES, COUNT, EVERY

Lie = Callable[[int, int, bytes], bytes | None]
FAR = 1 << 40


def wrong_chunks(peer: int, kind: int, body: bytes) -> bytes | None:
    """Send other bytes than were named."""
    if kind != PeerKind.CHUNK:
        return body
    return body[:-1] + bytes([body[-1] ^ 1])


def short_chunks(peer: int, kind: int, body: bytes) -> bytes | None:
    """Send chunks that end early."""
    return body[:-1] if kind == PeerKind.CHUNK else body


def no_chunks(peer: int, kind: int, body: bytes) -> bytes | None:
    """Name chunks, and send none."""
    return None if kind == PeerKind.CHUNK else body


def mute(peer: int, kind: int, body: bytes) -> bytes | None:
    """Answer nothing that is asked for catching up."""
    answers = (PeerKind.RANGE, PeerKind.STATUS, PeerKind.SNAPSHOT, PeerKind.CHUNK)
    return None if kind in answers else body


def no_block(peer: int, kind: int, body: bytes) -> bytes | None:
    """Send the blocks after the one that is asked for."""
    if kind != PeerKind.RANGE:
        return body
    found = decode_peer(kind, body, COUNT)
    assert isinstance(found, Range)
    blocks = [block.header_bytes + block.items for block in found.blocks[1:]]
    return encode_range(blocks, found.certificate, COUNT) if blocks else None


def unfinal_block(peer: int, kind: int, body: bytes) -> bytes | None:
    """Send the right blocks under a certificate whose signatures are of something else."""
    if kind != PeerKind.RANGE:
        return body
    found = decode_peer(kind, body, COUNT)
    assert isinstance(found, Range)
    signatures = tuple(signature[::-1] for signature in found.certificate.signatures)
    lied = found._replace(certificate=found.certificate._replace(signatures=signatures))
    return encode_peer(lied, COUNT)[1]


def another_block(peer: int, kind: int, body: bytes) -> bytes | None:
    """Send a block of the right height that nobody finalized."""
    if kind != PeerKind.RANGE:
        return body
    found = decode_peer(kind, body, COUNT)
    assert isinstance(found, Range)
    header = found.blocks[0].header
    other = encode_block(header._replace(time_ms=header.time_ms + 1), found.blocks[0].items, COUNT)
    return encode_range([other], found.certificate, COUNT)


def snapshot_with(change: Callable[[Snapshot], Snapshot]) -> Lie:
    """Lie about what a snapshot is made of."""

    def lie(peer: int, kind: int, body: bytes) -> bytes | None:
        if kind != PeerKind.SNAPSHOT:
            return body
        found = decode_peer(kind, body, COUNT)
        assert isinstance(found, Snapshot)
        return encode_peer(change(found), COUNT)[1]

    return lie


def another_root(found: Snapshot) -> Snapshot:
    """Put another root under the signatures."""
    return found._replace(certificate=found.certificate._replace(state_root=bytes(32)))


def no_quorum(found: Snapshot) -> Snapshot:
    """Leave a signer out of the certificate."""
    it = found.certificate
    return found._replace(
        certificate=it._replace(signers=it.signers[1:], signatures=it.signatures[1:])
    )


def one_signer_thrice(found: Snapshot) -> Snapshot:
    """Count one validator's signature for all."""
    it = found.certificate
    return found._replace(
        certificate=it._replace(signatures=(it.signatures[0],) * len(it.signers))
    )


def other_digests(found: Snapshot) -> Snapshot:
    """Name chunks that nobody has."""
    return found._replace(digests=tuple(sha256(digest).digest() for digest in found.digests))


def larger_chunks(found: Snapshot) -> Snapshot:
    """Cut otherwise than all do."""
    return found._replace(chunk_bytes=found.size, digests=found.digests[:1])


def status_with(base: int, snapshot: int) -> Lie:
    """Lie about what is served."""

    def lie(peer: int, kind: int, body: bytes) -> bytes | None:
        if kind != PeerKind.STATUS:
            return body
        found = decode_peer(kind, body, COUNT)
        assert isinstance(found, Status)
        lied = found._replace(range_base=base or found.range_base, snapshot=snapshot)
        return encode_peer(lied, COUNT)[1]

    return lie


LIES: dict[str, Lie] = {
    "wrong_chunks": wrong_chunks,
    "short_chunks": short_chunks,
    "no_chunks": no_chunks,
    "mute": mute,
    "no_block": no_block,
    "unfinal_block": unfinal_block,
    "another_block": another_block,
    "another_root": snapshot_with(another_root),
    "no_quorum": snapshot_with(no_quorum),
    "one_signer_thrice": snapshot_with(one_signer_thrice),
    "other_digests": snapshot_with(other_digests),
    "larger_chunks": snapshot_with(larger_chunks),
    "far": status_with(FAR, FAR),
    "nothing": status_with(0, 0),
    "old": status_with(0, EVERY),
}
NOTICED = {
    "wrong_chunks": "chunks_forged",
    "short_chunks": "chunks_forged",
    "no_chunks": "chunks_late",
    "unfinal_block": "snapshot_blocks_forged",
    "another_block": "snapshot_blocks_forged",
    "another_root": "snapshots_forged",
    "no_quorum": "snapshots_forged",
    "one_signer_thrice": "snapshots_forged",
    "larger_chunks": "snapshots_forged",
}


def invented(chunk_bytes: int = CHUNK_BYTES) -> Lie:
    """Answer with a true certificate, and chunks of a state that it is not of."""
    garbage = [bytes([at + 1]) * chunk_bytes for at in range(3)]

    def lie(peer: int, kind: int, body: bytes) -> bytes | None:
        if kind == PeerKind.SNAPSHOT:
            found = decode_peer(kind, body, COUNT)
            assert isinstance(found, Snapshot)
            digests = tuple(sha256(chunk).digest() for chunk in garbage)
            lied = found._replace(size=len(garbage) * CHUNK_BYTES, digests=digests)
            return encode_peer(lied, COUNT)[1]
        if kind == PeerKind.CHUNK:
            found = decode_peer(kind, body, COUNT)
            assert isinstance(found, Chunk)
            return encode_peer(found._replace(data=garbage[found.chunk]), COUNT)[1]
        return body

    return lie
