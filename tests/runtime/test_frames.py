"""Frames survive any cutting of the stream; what is no frame is refused."""

import errno
import random
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from quorate.replica.messages import Level, Reply
from quorate.runtime.client import Replies
from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import (
    UNIX_PATH_BYTES_MAX,
    Endpoint,
    endpoint_read,
    listen_endpoint,
)
from quorate.runtime.frames import (
    FrameKind,
    FrameReader,
    FrameRefused,
    done_read,
    frame,
    json_read,
    refused_read,
    reply_frame,
)
from quorate.runtime.server import listening_fault
from quorate.types.codes import Reject
from quorate.types.records import EVENT


def reply() -> Reply:
    events = np.zeros(3, EVENT)
    events["kind"] = [3, 1, 2]
    events["code"] = [0, 0, 208]
    return Reply(1, 5, Level.EXECUTED, 7, 8, (0, 101), 4, 1, events.tobytes(), np.arange(3) + 2)


def test_a_reply_comes_back() -> None:
    ((kind, number, body),) = FrameReader().feed(reply_frame(reply()))
    done = done_read(body)
    assert (kind, number) == (FrameKind.DONE, 5)
    assert (done.level, done.height, done.time_ms) == (Level.EXECUTED, 7, 8)
    assert (done.bundle_first, done.bundle_count) == (4, 1)
    assert list(done.places) == [2, 3, 4] and len(done.receipts) == 2
    assert done.rejects == [Reject.LENGTH_MUST_MATCH_COUNT, Reject.NONCE_ALREADY_USED]


def test_any_cutting_of_the_stream_gives_the_same_frames() -> None:
    rng = random.Random(1)
    frames = [(rng.choice([1, 2]), at, rng.randbytes(rng.randrange(50))) for at in range(40)]
    stream = b"".join(frame(*each) for each in frames)
    for _ in range(20):
        reader = FrameReader()
        found = []
        at = 0
        while at < len(stream):
            step = rng.randrange(1, 60)
            found += reader.feed(stream[at : at + step])
            at += step
        assert found == frames


def test_a_deeply_nested_body_is_refused_before_it_is_parsed() -> None:
    """It overflowed the C stack of the JSON parser where the recursion limit had been raised."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(FrameRefused, match="nests"):
            json_read(b"[" * 200_000)
    finally:
        sys.setrecursionlimit(before)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(FrameRefused):
        FrameReader().feed(bytes(20))
    with pytest.raises(FrameRefused):
        FrameReader(100).feed(frame(1, 1, bytes(200)))
    body = reply_frame(reply())[13:]
    for cut in (b"", body[:20], body[:-1], body + b"\0"):
        with pytest.raises(FrameRefused):
            done_read(cut)
    for bad in (b"", b"[1]", b"{", b"[" * 100_000):
        with pytest.raises(FrameRefused):
            json_read(bad)
    with pytest.raises(FrameRefused):
        refused_read(b"\0")


def test_queued_is_told_apart_from_the_reply() -> None:
    replies = Replies()
    assert replies.feed(frame(FrameKind.QUEUED, 3, b"")) == [] and 3 in replies.queued
    assert replies.feed(frame(FrameKind.REFUSED, 3, b"\x6e\0")) == [3]
    assert replies.arrived[3] == Reject.BLOCK_FULL_SEND_LATER and 3 not in replies.queued


def test_a_socket_lies_in_the_home_or_nowhere() -> None:
    home = Path("/", "h" * (UNIX_PATH_BYTES_MAX - len("//node.sock")))
    assert listen_endpoint(home, "unix") == Endpoint(path=f"{home}/node.sock")
    with pytest.raises(HomeRefused, match="a Unix socket's path has at most 100"):
        listen_endpoint(Path(f"{home}h"), "unix")
    assert listen_endpoint(Path(f"{home}h"), "tcp:host:1") == Endpoint(host="host", port=1)


def test_what_asyncio_says_of_an_address_is_one_fault() -> None:
    taken = OSError(errno.EADDRINUSE, "error while attempting to bind on address")
    assert listening_fault(taken) == "Address already in use"
    assert listening_fault(OSError("no number")) == "Cannot assign requested address"
    assert listening_fault(socket.gaierror(-2, "Name unknown")) == "Name unknown"


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("unix:a/b c", Endpoint(path="a/b c")),
        ("tcp:127.0.0.1:80\n", Endpoint(host="127.0.0.1", port=80)),
        ("tcp:::1:80", Endpoint(host="::1", port=80)),
        ("tcp:host", None),
        ("tcp:host:99999", None),
        ("unix:", None),
        ("http://x", None),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint | None) -> None:
    assert endpoint_read(text) == endpoint
    if endpoint:
        assert endpoint_read(str(endpoint)) == endpoint
