"""What the load of etcd sends and understands: protobuf fields, and gRPC over HTTP/2 frames."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.cli.benches.rivals import etcd, grpc


def varint(text: bytes) -> tuple[int, bytes]:
    """Read a protobuf varint; give it and the rest."""
    size = next(i for i, byte in enumerate(text) if byte < 128) + 1
    return sum((byte & 127) << 7 * i for i, byte in enumerate(text[:size])), text[size:]


def fields(text: bytes) -> list[tuple[int, bytes]]:
    """Read length-delimited protobuf fields."""
    found = []
    while text:
        tag, text = varint(text)
        assert tag & 7 == 2
        size, text = varint(text)
        found.append((tag >> 3, text[:size]))
        text = text[size:]
    return found


@given(st.integers(1, 15), st.integers(0, 70_000))
def test_a_field_is_read_back(number: int, size: int) -> None:
    assert fields(etcd.field(number, b"x" * size)) == [(number, b"x" * size)]


def test_a_transaction_puts_new_keys() -> None:
    requests = etcd.Requests(3)
    keys = []
    for _ in range(2):
        operations = fields(requests.message())
        assert [number for number, _ in operations] == [2, 2, 2]
        for _number, operation in operations:
            ((kind, put),) = fields(operation)
            (key_field, key), (value_field, value) = fields(put)
            assert (kind, key_field, value_field, len(value)) == (2, 1, 2, 64)
            keys.append(key)
    assert keys == [b"r%011d" % n for n in range(1, 7)]
    assert requests.method.endswith("Txn") and etcd.Requests(1).method.endswith("Put")
    assert [number for number, _ in fields(etcd.Requests(1).message())] == [1, 2]


@pytest.mark.parametrize(
    "answer",
    [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{"],
    ids=["closed", "no_http", "no_json"],
)
def test_a_member_that_answers_otherwise_is_an_error_of_the_network(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            server, _address = listener.accept()
            with server:
                server.recv(2**16)
                server.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(OSError):
            etcd.asked(listener.getsockname()[1], "/v3/maintenance/status", {})
        thread.join(5)


# --- gRPC: a server that is a socket in this thread


@pytest.fixture
def pair() -> Iterator[tuple[grpc.Connection, socket.socket]]:
    """Give a connection and the server's end of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = grpc.Connection(listener.getsockname()[1], "/a.B/C", 5)
        server, _address = listener.accept()
        server.settimeout(5)
        with server:
            yield connection, server
        connection.close()


def frames_of(text: bytes) -> list[tuple[int, int, int, bytes]]:
    """Cut HTTP/2 frames: kind, flags, stream, payload."""
    found = []
    while text:
        size = int.from_bytes(text[:3], "big")
        stream = int.from_bytes(text[5:9], "big")
        found.append((text[3], text[4], stream, text[9 : 9 + size]))
        text = text[9 + size :]
    return found


def received(server: socket.socket) -> list[tuple[int, int, int, bytes]]:
    """What the client has sent by now, without the preface."""
    text = server.recv(2**20)
    return frames_of(text.removeprefix(grpc.PREFACE))


def reply(stream: int, message: bytes = b"ok") -> bytes:
    """Frames of a call that succeeded: headers, message, trailers."""
    body = b"\0" + struct.pack(">I", len(message)) + message
    return (
        grpc.frame(grpc.HEADERS, grpc.END_HEADERS, stream, b"\x88")
        + grpc.frame(grpc.DATA, 0, stream, body)
        + grpc.frame(grpc.HEADERS, grpc.END_HEADERS | grpc.END_STREAM, stream, b"\x88")
    )


Pair = tuple[grpc.Connection, socket.socket]


def test_a_call_is_headers_and_a_prefixed_message(pair: Pair) -> None:
    connection, server = pair
    assert [connection.call(b"one"), connection.call(b"two")] == [1, 3]
    connection.flush()
    sent = received(server)
    assert [(kind, stream) for kind, _flags, stream, _ in sent] == [
        (grpc.SETTINGS, 0),
        (grpc.WINDOW_UPDATE, 0),
        (grpc.HEADERS, 1),
        (grpc.HEADERS, 3),
        (grpc.DATA, 1),
        (grpc.DATA, 3),
    ]
    assert sent[4] == (grpc.DATA, grpc.END_STREAM, 1, b"\0\0\0\0\x03one")
    assert b"\x05:path\x06/a.B/C" in sent[2][3]


@pytest.mark.parametrize("cut", [1, 8, 9, 10, 23, 1000])
def test_answers_are_found_however_they_arrive(pair: Pair, cut: int) -> None:
    connection, server = pair
    calls = [connection.call(b"x") for _ in range(3)]
    text = b"".join(reply(stream) for stream in reversed(calls))
    found = []
    for place in range(0, len(text), cut):
        server.sendall(text[place : place + cut])
        found += connection.answered()
    assert found == calls[::-1]


def test_a_window_holds_calls_back_in_order(pair: Pair) -> None:
    connection, server = pair
    for _ in range(5):
        connection.call(b"x" * 15_000)
    connection.flush()
    first = received(server)
    assert [stream for kind, _, stream, _ in first if kind == grpc.DATA] == [1, 3, 5, 7]
    update = grpc.frame(grpc.WINDOW_UPDATE, 0, 0, struct.pack(">I", 20_000))
    server.sendall(update + grpc.frame(grpc.PING, 0, 0, b"12345678"))
    assert connection.answered() == []
    connection.flush()
    assert received(server) == [
        (grpc.PING, grpc.ACK, 0, b"12345678"),
        (grpc.DATA, grpc.END_STREAM, 9, b"\0" + struct.pack(">I", 15_000) + b"x" * 15_000),
    ]


def test_a_long_message_is_cut_into_frames(pair: Pair) -> None:
    connection, server = pair
    connection.call(b"x" * 40_000)
    connection.flush()
    sent = [one for one in received(server) if one[0] == grpc.DATA]
    assert [flags for _, flags, _, _ in sent] == [0, 0, grpc.END_STREAM]
    assert b"".join(part for *_, part in sent)[5:] == b"x" * 40_000
    with pytest.raises(grpc.CallFailed, match="window of a stream"):
        connection.call(b"x" * 65_531)


@pytest.mark.parametrize(
    "text",
    [
        grpc.frame(grpc.HEADERS, grpc.END_HEADERS | grpc.END_STREAM, 1, b"\x88"),
        grpc.frame(grpc.RST_STREAM, 0, 1, bytes(4)),
        grpc.frame(grpc.GOAWAY, 0, 0, bytes(8)),
        b"",
    ],
    ids=["status_alone", "reset", "goaway", "closed"],
)
def test_a_failed_call_is_not_an_answer(pair: Pair, text: bytes) -> None:
    connection, server = pair
    connection.call(b"x")
    server.sendall(text)
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(grpc.CallFailed):
        connection.answered()
