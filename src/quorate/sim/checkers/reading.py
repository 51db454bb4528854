"""Frames between validators, read by hand: what the checkers of the whole validator go by.

Offsets are written out here a second time, from the documents of the formats, so that a codec that
writes nonsense is not believed by whoever watches it.
"""

import struct
from typing import Final, NamedTuple

from quorate.sim.checkers.one_vote import NULLIFY, Subject

VOTE_FRAME: Final = 1
CERTIFICATE_FRAME: Final = 2
CHECKPOINT_FRAME: Final = 7


class CheckpointSeen(NamedTuple):
    """A checkpoint vote as it was sent."""

    height: int
    digest: bytes
    root: bytes
    signer: int


def subject_at(body: bytes) -> tuple[Subject, int]:
    """Read a subject; give it and how long it is."""
    kind, epoch, view = struct.unpack_from("<BQQ", body)
    if kind == NULLIFY:
        return (kind, epoch, view, 0, b""), 17
    (parent_view,) = struct.unpack_from("<Q", body, 17)
    return (kind, epoch, view, parent_view, body[25:93]), 93


def vote_seen(body: bytes) -> tuple[Subject, int]:
    """Read a vote: its subject and its signer."""
    subject, size = subject_at(body)
    return subject, int.from_bytes(body[size : size + 2], "little")


def certificate_seen(body: bytes) -> tuple[Subject, tuple[int, ...]]:
    """Read a certificate: its subject and its signers."""
    subject, size = subject_at(body)
    count = int.from_bytes(body[size : size + 2], "little")
    bitmap = int.from_bytes(body[size + 2 : size + 2 + (count + 7) // 8], "little")
    return subject, tuple(index for index in range(count) if bitmap & 1 << index)


def checkpoint_seen(body: bytes) -> CheckpointSeen:
    """Read a checkpoint vote."""
    height = int.from_bytes(body[8:16], "little")
    return CheckpointSeen(
        height, body[16:48], body[48:80], int.from_bytes(body[80:82], "little")
    )


def items_seen(data: bytes) -> list[bytes]:
    """Take a block's items apart: kind u8, length u32, bytes."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "little")
        found.append(data[at:end])
        at = end
    return found
