"""The stream between two validators, cut into frames.

    part    word u32, kind u8, piece
    word    bit 31: more parts of this frame follow; bit 30: lane; bits 0 to 29: bytes of the piece

Integers are little-endian. A piece has at most PART_BYTES, so a long frame goes in parts, and the
parts of one lane may stand between those of the other: a vote waits for one part of a block, not
for all of it. Within a lane the parts of a frame follow one another and bear the same kind.

Kinds below CONTROL are the caller's, and each has a limit. The others are the link's own: HELLO
(version u16, chain_id u64, hash of the consensus genesis 32) is the first frame in either
direction, PING says only that somebody is there.
"""

import struct
from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

VERSION: Final = 1
PART_HEAD: Final = struct.Struct("<IB")
PART_BYTES: Final = 1 << 16
MORE: Final = 1 << 31
LANE_SHIFT: Final = 30
SIZE_MASK: Final = (1 << LANE_SHIFT) - 1
CONTROL: Final = 0xF0
HELLO: Final = 0xF0
PING: Final = 0xF1
HELLO_BODY: Final = struct.Struct("<HQ32s")
FRAME_BYTES_MAX: Final = 1 << 30
# Of a bytearray, removing less than this from its front costs more than it frees.
COMPACT_BYTES: Final = 1 << 18


class Lane(IntEnum):
    """What goes first. URGENT: votes and certificates; BULK: payloads and catching up."""

    URGENT = 0
    BULK = 1


class FrameRefused(Exception):
    """Bytes that are no frame. The stream cannot be read any further."""


class Hello(NamedTuple):
    """The greeting: which protocol on which chain. genesis: hash of the consensus genesis."""

    chain_id: int
    genesis: bytes
    version: int = VERSION


Frame = tuple[int, bytes]
GREETING: Final[Mapping[int, int]] = {HELLO: HELLO_BODY.size}


def hello_body(hello: Hello) -> bytes:
    """Write a greeting."""
    return HELLO_BODY.pack(hello.version, hello.chain_id, hello.genesis)


def hello_read(body: bytes) -> Hello:
    """Read a greeting. Raises FrameRefused."""
    if len(body) != HELLO_BODY.size:
        raise FrameRefused("a greeting of another size")
    version, chain_id, genesis = HELLO_BODY.unpack(body)
    return Hello(chain_id, genesis, version)


def limits_with_control(limits: Mapping[int, int]) -> dict[int, int]:
    """Add the link's own kinds to the caller's, which must be below CONTROL."""
    assert all(0 <= kind < CONTROL for kind in limits), "kinds from CONTROL up are the link's own"
    assert all(0 <= size <= FRAME_BYTES_MAX for size in limits.values())
    return {**limits, PING: 0}


def part_head(lane: int, kind: int, size: int, more: bool) -> bytes:
    """Write the head of a part."""
    return PART_HEAD.pack((MORE if more else 0) | lane << LANE_SHIFT | size, kind)


def parts_of(lane: int, kind: int, body: bytes) -> list[bytes | memoryview]:
    """Write a frame as parts: heads and pieces in turn. The pieces are views of `body`."""
    size = len(body)
    if size <= PART_BYTES:
        return [part_head(lane, kind, size, False), body]
    view = memoryview(body)
    found: list[bytes | memoryview] = []
    for at in range(0, size, PART_BYTES):
        piece = view[at : at + PART_BYTES]
        found += (part_head(lane, kind, len(piece), at + PART_BYTES < size), piece)
    return found


class _Open:
    """A frame of which parts are still to come."""

    __slots__ = ("kind", "pieces", "size")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.pieces: list[bytes] = []
        self.size = 0


class FrameReader:
    """Cuts a stream into frames. limits: the greatest body of each kind, in bytes.

    `take` gives one frame at a time, so that the caller may stop between two. What is held is
    bounded: what was fed, and in each lane one frame that is within its limit.
    """

    def __init__(self, limits: Mapping[int, int]) -> None:
        self.limits = limits
        self.held = bytearray()
        self.at = 0
        self.lanes: list[_Open | None] = [None for _ in Lane]

    def feed(self, data: bytes) -> None:
        """Hold bytes."""
        if self.at == len(self.held):
            self.held = bytearray(data)
            self.at = 0
            return
        if self.at >= COMPACT_BYTES:
            del self.held[: self.at]
            self.at = 0
        self.held += data

    def take(self) -> Frame | None:
        """Give the next whole frame: kind and body; None if more bytes are needed.

        Raises FrameRefused as soon as a head is wrong, before its piece is waited for.
        """
        while len(self.held) - self.at >= PART_HEAD.size:
            word, kind = PART_HEAD.unpack_from(self.held, self.at)
            size = word & SIZE_MASK
            lane = word >> LANE_SHIFT & 1
            begun = self.lanes[lane]
            self.check(begun, kind, size, bool(word & MORE))
            first = self.at + PART_HEAD.size
            if first + size > len(self.held):
                return None
            piece = bytes(memoryview(self.held)[first : first + size])
            self.at = first + size
            if word & MORE:
                if begun is None:
                    begun = self.lanes[lane] = _Open(kind)
                begun.pieces.append(piece)
                begun.size += size
            elif begun is None:
                return kind, piece
            else:
                self.lanes[lane] = None
                return kind, b"".join([*begun.pieces, piece])
        return None

    def check(self, begun: _Open | None, kind: int, size: int, more: bool) -> None:
        """Refuse the head of a part that cannot be right. Raises FrameRefused."""
        limit = self.limits.get(kind)
        if limit is None:
            raise FrameRefused(f"a frame of the unknown kind {kind}")
        if size > PART_BYTES:
            raise FrameRefused(f"a part of {size} bytes")
        if more and size < PART_BYTES:
            # Else a frame could come in parts of nothing, without end.
            raise FrameRefused("a part that is not full, though more follow")
        before = 0
        if begun is not None:
            if begun.kind != kind:
                raise FrameRefused(f"a part of kind {kind} within a frame of kind {begun.kind}")
            before = begun.size
        if before + size > limit:
            raise FrameRefused(f"a frame of kind {kind} over {limit} bytes")


class Outgoing:
    """A frame on its way out, part by part."""

    __slots__ = ("kind", "parts", "size")

    def __init__(self, lane: int, kind: int, body: bytes) -> None:
        self.kind = kind
        self.size = len(body)
        self.parts = deque(parts_of(lane, kind, body))
