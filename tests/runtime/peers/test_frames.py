"""Frames survive any cutting of the stream; what is no frame is refused at its head."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.runtime.peers.frames import (
    GREETING,
    HELLO,
    PART_BYTES,
    PART_HEAD,
    PING,
    Frame,
    FrameReader,
    FrameRefused,
    Hello,
    Lane,
    hello_body,
    hello_read,
    limits_with_control,
    part_head,
    parts_of,
)
from quorate.runtime.peers.lanes import FRAME_COST, Lanes, UrgentFull

VOTE, BLOCK = 1, 2
LIMITS = limits_with_control({VOTE: 300, BLOCK: 5 * PART_BYTES})
SIZES = [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 4 * PART_BYTES + 7]


def body_of(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def taken(reader: FrameReader) -> list[Frame]:
    found = []
    while (frame := reader.take()) is not None:
        found.append(frame)
    return found


def stream_of(frames: list[tuple[Lane, int, bytes]], bytes_max: int) -> bytes:
    """Send frames as a link does."""
    lanes = Lanes(1 << 30, 1 << 30)
    for lane, kind, body in frames:
        lanes.put(lane, kind, body)
    stream = b""
    while lanes:
        pieces, _ = lanes.take(bytes_max)
        stream += b"".join(pieces)
    return stream


FRAMES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(Lane), st.just(VOTE), st.integers(0, 300)),
        st.tuples(st.sampled_from(Lane), st.just(BLOCK), st.sampled_from(SIZES)),
    ),
    max_size=8,
)


@given(FRAMES, st.integers(1, 200_000), st.integers(1, 100_000))
def test_frames_survive_any_cutting(
    shapes: list[tuple[Lane, int, int]], bytes_max: int, cut: int
) -> None:
    frames = [(lane, kind, body_of(size, at)) for at, (lane, kind, size) in enumerate(shapes)]
    stream = stream_of(frames, bytes_max)
    reader = FrameReader(LIMITS)
    got: list[Frame] = []
    for at in range(0, len(stream), cut):
        reader.feed(stream[at : at + cut])
        got += taken(reader)
    # All was queued before the first part went, so all that is urgent comes first.
    wanted = sorted(frames, key=lambda frame: frame[0])
    assert got == [(kind, body) for _, kind, body in wanted]


def test_a_vote_overtakes_a_block_that_has_begun() -> None:
    lanes = Lanes(1 << 20, 1 << 20)
    block = body_of(3 * PART_BYTES)
    lanes.put(Lane.BULK, BLOCK, block)
    first, ended = lanes.take(1)
    assert ended == []
    lanes.put(Lane.URGENT, VOTE, b"aye")
    second, ended = lanes.take(1)
    assert ended == [VOTE]
    rest, ended = lanes.take(1 << 20)
    assert ended == [BLOCK] and not lanes and lanes.held == [0, 0]
    reader = FrameReader(LIMITS)
    reader.feed(b"".join([*first, *second, *rest]))
    assert taken(reader) == [(VOTE, b"aye"), (BLOCK, block)]


def head(size: int, kind: int, more: bool = False, lane: Lane = Lane.BULK) -> bytes:
    return part_head(lane, kind, size, more)


FULL = bytes(PART_BYTES)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (head(1, 99), "unknown kind 99"),
        (head(1, HELLO), "unknown kind 240"),
        (head(1, PING), "kind 241 over 0 bytes"),
        (head(301, VOTE), "kind 1 over 300 bytes"),
        (head(PART_BYTES + 1, BLOCK), "a part of 65537 bytes"),
        (PART_HEAD.pack(0x3FFF_FFFF, BLOCK), "a part of 1073741823 bytes"),
        (head(0, BLOCK, more=True), "a part that is not full"),
        (head(PART_BYTES - 1, BLOCK, more=True), "a part that is not full"),
        (head(PART_BYTES, BLOCK, more=True) + FULL + head(1, VOTE), "a part of kind 1 within"),
        ((head(PART_BYTES, BLOCK, more=True) + FULL) * 5 + head(1, BLOCK), "over 327680 bytes"),
        ((head(PART_BYTES, BLOCK, more=True) + FULL) * 6, "over 327680 bytes"),
    ],
)
def test_a_wrong_head_is_refused_before_its_piece_is_waited_for(data: bytes, said: str) -> None:
    reader = FrameReader(LIMITS)
    reader.feed(data)
    with pytest.raises(FrameRefused, match=said):
        taken(reader)


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_frames_or_refused(chunks: list[bytes]) -> None:
    reader = FrameReader(LIMITS)
    try:
        for chunk in chunks:
            reader.feed(chunk)
            for kind, body in taken(reader):
                assert len(body) <= LIMITS[kind]
            assert len(reader.held) - reader.at < PART_BYTES + PART_HEAD.size
    except FrameRefused:
        pass


def test_what_is_held_does_not_grow_with_what_has_passed() -> None:
    reader = FrameReader(LIMITS)
    # Never ends at a frame's end, so that something is always held.
    piece = b"".join(parts_of(Lane.BULK, BLOCK, body_of(PART_BYTES - 100)))
    stream = piece * 40
    for at in range(0, len(stream), 50_000):
        reader.feed(stream[at : at + 50_000])
        taken(reader)
        assert len(reader.held) < 1 << 19


def test_the_greeting_is_all_that_is_taken_at_first() -> None:
    ours = Hello(7, bytes(range(32)))
    (first, body) = parts_of(Lane.URGENT, HELLO, hello_body(ours))
    reader = FrameReader(GREETING)
    reader.feed(bytes(first) + bytes(body))
    assert taken(reader) == [(HELLO, hello_body(ours))]
    assert hello_read(hello_body(ours)) == ours
    with pytest.raises(FrameRefused):
        hello_read(hello_body(ours)[:-1])
    for other in (head(1, VOTE), head(43, HELLO)):
        reader = FrameReader(GREETING)
        reader.feed(other)
        with pytest.raises(FrameRefused):
            reader.take()


def test_kinds_of_the_link_cannot_be_taken() -> None:
    with pytest.raises(AssertionError):
        limits_with_control({HELLO: 5})


# --- lanes


def test_the_oldest_bulk_frame_makes_room_and_urgent_never_does() -> None:
    lanes = Lanes(3 * (100 + FRAME_COST), 3 * (100 + FRAME_COST))
    for number in range(3):
        assert lanes.put(Lane.BULK, VOTE, bytes([number]) * 100) == (True, 0)
        assert lanes.put(Lane.URGENT, VOTE, bytes([number]) * 100) == (True, 0)
    assert lanes.put(Lane.BULK, VOTE, b"\x03" * 100) == (True, 1)
    with pytest.raises(UrgentFull):
        lanes.put(Lane.URGENT, VOTE, b"")
    pieces, ended = lanes.take(1 << 20)
    assert [bytes(piece)[0] for piece in pieces[1::2]] == [0, 1, 2, 1, 2, 3]
    assert len(ended) == 6 and lanes.held == [0, 0]


def test_a_frame_that_has_begun_is_not_dropped() -> None:
    size = 2 * PART_BYTES
    lanes = Lanes(0, 2 * (size + FRAME_COST))
    first, second, third = (body_of(size, seed) for seed in range(3))
    assert lanes.put(Lane.BULK, BLOCK, first) == (True, 0)
    begun, _ = lanes.take(1)
    assert lanes.put(Lane.BULK, BLOCK, second) == (True, 0)
    assert lanes.put(Lane.BULK, BLOCK, third) == (True, 1)
    # Not even alone would this fit beside what has begun, so nothing else is dropped for it.
    assert lanes.put(Lane.BULK, BLOCK, bytes(3 * size)) == (False, 0)
    rest, _ = lanes.take(1 << 20)
    reader = FrameReader(LIMITS)
    reader.feed(b"".join([*begun, *rest]))
    assert taken(reader) == [(BLOCK, first), (BLOCK, third)]


@given(st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 3000), st.booleans()), max_size=60))
def test_what_waits_stays_within_its_bound(steps: list[tuple[Lane, int, bool]]) -> None:
    lanes = Lanes(5_000, 5_000)
    sent = put = dropped = 0
    for lane, size, taking in steps:
        if taking:
            sent += len(lanes.take(2_000)[1])
            continue
        try:
            queued, lost = lanes.put(lane, BLOCK, bytes(size))
        except UrgentFull:
            continue
        put += queued
        dropped += lost
        waiting = [sum(FRAME_COST + frame.size for frame in it) for it in lanes.waiting]
        assert [a + lanes.begun_cost(b) for a, b in zip(waiting, Lane, strict=True)] == lanes.held
        assert max(lanes.held) <= 5_000
    assert put == sent + dropped + len(lanes.take(1 << 20)[1])
