"""What a client and a node say to one another over a stream.

A frame is u32 length (of all that follows), kind u8, number u64, body. `number` is the client's own
and comes back in the reply. Integers are little-endian.

    client to node
    SUBMIT    level u8, items            items as in docs/wire.md; level: QUEUED to hear of that too
    ASK       JSON                       a question of quorate/replica/query.py

    node to client
    QUEUED    nothing                    waits in memory; a crash loses it
    DONE      see DONE below             executed, durable and signed; or no item was admitted
    REFUSED   code u16                   the whole request
    ANSWER    JSON

The body of DONE: level u8 (REFUSED when no item was admitted), height u64, time_ms u64, items u32,
bundle_first u32, bundle_count u32, events u32; then a code u16 per item, then per event its index
in the block, u32; then the events, 112 bytes each. Items with code 0 are the bundles bundle_first,
bundle_first + 1 ... of the block.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Final

import numpy as np

from quorate.codec.nesting import nested_deeper
from quorate.replica.messages import Level, Reply
from quorate.types.codes import EventKind, Reject
from quorate.types.records import EVENT

FRAME_HEAD: Final = struct.Struct("<IBQ")
LENGTH: Final = struct.Struct("<I")
DONE_HEAD: Final = struct.Struct("<BQQIIII")
CODE: Final = struct.Struct("<H")
FRAME_BYTES_MAX: Final = 1 << 30
LEVELS_MAX: Final = 32  # questions and answers have a few
REQUEST_BYTES_MAX: Final = 1 << 24
HEAD_REST: Final = FRAME_HEAD.size - LENGTH.size
ENDS: Final = (int(EventKind.RECEIPT), int(EventKind.BUNDLE))


class FrameKind(IntEnum):
    """What a frame is."""

    SUBMIT = 1
    ASK = 2
    QUEUED = 17
    DONE = 18
    REFUSED = 19
    ANSWER = 20


class FrameRefused(Exception):
    """Bytes that are no frame. The stream cannot be read any further."""


@dataclass(frozen=True)
class Done:
    """What became of submitted items.

    level EXECUTED: durable and signed, `height` and `time_ms` are the block's; REFUSED: admission
    let no item in. codes: of admission, one per item. events: EVENT[k], all that the items' bundles
    caused: fills, cancels, and a RECEIPT closing each command; places: their indexes in the block.
    """

    level: Level
    height: int
    time_ms: int
    codes: tuple[Reject, ...]
    bundle_first: int
    bundle_count: int
    events: Any
    places: Any

    @cached_property
    def receipts(self) -> Any:
        """Give the events that close a command or a bundle, EVENT[n], in order."""
        return self.events[np.isin(self.events["kind"], ENDS)]

    @property
    def rejects(self) -> list[Reject]:
        """List every code that is not OK: of admission, of bundles and of commands."""
        refused = [code for code in self.codes if code]
        return refused + [Reject(int(code)) for code in self.receipts["code"] if code]


def frame(kind: int, number: int, body: bytes) -> bytes:
    """Write a frame."""
    return FRAME_HEAD.pack(HEAD_REST + len(body), kind, number) + body


def json_frame(kind: int, number: int, tree: Mapping[str, Any]) -> bytes:
    """Write a frame whose body is JSON."""
    return frame(kind, number, json.dumps(tree, separators=(",", ":")).encode("ascii"))


def reply_frame(reply: Reply) -> bytes:
    """Write a replica's reply."""
    head = DONE_HEAD.pack(
        reply.level,
        reply.height,
        reply.time_ms,
        len(reply.codes),
        reply.bundle_first,
        reply.bundle_count,
        len(reply.places),
    )
    codes = struct.pack(f"<{len(reply.codes)}H", *reply.codes)
    places = reply.places.astype("<u4").tobytes()
    return frame(FrameKind.DONE, reply.number, b"".join((head, codes, places, reply.events)))


def done_read(body: bytes) -> Done:
    """Read the body of DONE. Raises FrameRefused."""
    if len(body) < DONE_HEAD.size:
        raise FrameRefused("a reply shorter than its head")
    level, height, time_ms, items, first, count, events = DONE_HEAD.unpack_from(body)
    at_codes = DONE_HEAD.size
    at_places = at_codes + 2 * items
    at_events = at_places + 4 * events
    if len(body) != at_events + EVENT.itemsize * events:
        raise FrameRefused("a reply whose parts do not add up")
    codes = struct.unpack_from(f"<{items}H", body, at_codes)
    places = np.frombuffer(body, "<u4", events, at_places).astype(np.int64)
    rows = np.frombuffer(body, EVENT, events, at_events)
    found = tuple(Reject(code) for code in codes)
    return Done(Level(level), height, time_ms, found, first, count, rows, places)


def refused_read(body: bytes) -> Reject:
    """Read the body of REFUSED. Raises FrameRefused."""
    if len(body) != CODE.size:
        raise FrameRefused("a refusal that is not one code")
    return Reject(CODE.unpack(body)[0])


def json_read(body: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises FrameRefused."""
    if nested_deeper(body, LEVELS_MAX):
        raise FrameRefused("a body that nests too deeply")
    try:
        tree = json.loads(body)
    except ValueError as error:
        raise FrameRefused("a body that is not JSON") from error
    if not isinstance(tree, dict):
        raise FrameRefused("a body that is not a JSON object")
    return tree


class FrameReader:
    """Cuts a stream into frames."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self.frame_bytes_max = frame_bytes_max
        self.held = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes; give the frames that are whole: kind, number, body. Raises FrameRefused."""
        self.held += data
        found: list[tuple[int, int, bytes]] = []
        at = 0
        while len(self.held) - at >= FRAME_HEAD.size:
            length, kind, number = FRAME_HEAD.unpack_from(self.held, at)
            if not HEAD_REST <= length <= self.frame_bytes_max:
                raise FrameRefused(f"a frame of {length} bytes")
            end = at + LENGTH.size + length
            if end > len(self.held):
                break
            found.append((kind, number, bytes(self.held[at + FRAME_HEAD.size : end])))
            at = end
        del self.held[:at]
        return found
