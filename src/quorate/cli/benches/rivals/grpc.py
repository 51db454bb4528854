"""As much of gRPC as a load needs: unary calls of one method, many under way on one connection.

HTTP/2 framing as in RFC 9113, headers as HPACK literals without an index (RFC 7541, 6.2.2), a
message with its five-byte prefix in one DATA frame. What the server's headers say is not decoded:
a unary call that succeeded has sent a message, one that failed sends a status and no message.
"""

import socket
import struct
from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 2, 4, 5
FRAME_HEADER_BYTES = 9
WINDOW_BYTES = 65_535
WINDOW_BYTES_MAX = 2**31 - 1
FRAME_BYTES = 16_384
READ_BYTES = 2**18
STREAMS_MAX = 2**30


class CallFailed(RuntimeError):
    """The connection or a call on it failed; the text is a sentence."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame."""
    size = len(payload)
    return struct.pack(">BHBBI", size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def literal(name: str, value: str) -> bytes:
    """One header field as an HPACK literal, never indexed; both shorter than 127 bytes."""
    assert len(name) < 127 and len(value) < 127
    return b"\x10" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call_headers(authority: str, method: str) -> bytes:
    """The header block of every call of one method."""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    )
    return b"".join(literal(name, value) for name, value in fields)


class Connection:
    """One connection on which calls of one method are sent and answered in any order."""

    def __init__(self, port: int, method: str, timeout_s: float) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.headers = call_headers(f"127.0.0.1:{port}", method)
        self.stream = 1
        self.window = WINDOW_BYTES
        self.stream_window = WINDOW_BYTES
        self.frame_bytes = FRAME_BYTES
        self.unread = b""
        self.waiting: list[bytes] = []  # DATA frames that the window holds back, oldest first
        self.messages: dict[int, int] = {}  # calls under way: bytes of message received
        settings = struct.pack(">HIHI", ENABLE_PUSH, 0, INITIAL_WINDOW_SIZE, WINDOW_BYTES_MAX)
        grown = struct.pack(">I", WINDOW_BYTES_MAX - WINDOW_BYTES)
        self.out = bytearray(
            PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, grown)
        )
        self.received_bytes = 0

    def call(self, message: bytes) -> int:
        """Queue a call; give its number. `flush` sends. Raises CallFailed when it is too long."""
        stream, self.stream = self.stream, self.stream + 2
        if stream > STREAMS_MAX:
            raise CallFailed("A connection has no stream numbers left.")
        body = b"\0" + struct.pack(">I", len(message)) + message
        if len(body) > self.stream_window:
            raise CallFailed(f"A call of {len(body)} bytes does not fit the window of a stream.")
        self.messages[stream] = 0
        self.out += frame(HEADERS, END_HEADERS, stream, self.headers)
        cuts = range(0, len(body), self.frame_bytes)
        for cut in cuts:
            part = body[cut : cut + self.frame_bytes]
            flags = END_STREAM if cut == cuts[-1] else 0
            self.waiting.append(frame(DATA, flags, stream, part))
        return stream

    def flush(self) -> None:
        """Send what is queued, as far as the server's window allows."""
        sent = 0
        for ready in self.waiting:
            size = len(ready) - FRAME_HEADER_BYTES
            if size > self.window:
                break
            self.window -= size
            self.out += ready
            sent += 1
        del self.waiting[:sent]
        if self.out:
            self.socket.sendall(self.out)
            self.out.clear()

    def answered(self) -> list[int]:
        """Read once from the socket; give the calls that are answered. Raises CallFailed."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise CallFailed("The server closed a connection.")
        done = []
        for kind, flags, stream, payload in self.frames(received):
            if kind == DATA:
                self.messages[stream] += len(payload)
                self.received_bytes += len(payload)
            elif kind in (SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM):
                self.control(kind, flags, stream, payload)
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                if not self.messages.pop(stream):
                    raise CallFailed("The server refused a call.")
                done.append(stream)
        if self.received_bytes > WINDOW_BYTES_MAX // 2:
            self.out += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self.received_bytes))
            self.received_bytes = 0
        return done

    def frames(self, received: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Cut what was received into frames: kind, flags, stream, payload."""
        text = self.unread + received
        place, end = 0, len(text)
        while end - place >= FRAME_HEADER_BYTES:
            high, low, kind, flags, stream = struct.unpack_from(">BHBBI", text, place)
            stop = place + FRAME_HEADER_BYTES + (high << 16 | low)
            if stop > end:
                break
            yield kind, flags, stream, text[place + FRAME_HEADER_BYTES : stop]
            place = stop
        self.unread = text[place:]

    def control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Follow a frame that is about the connection; raises CallFailed on its end."""
        if kind == WINDOW_UPDATE and stream == 0:
            self.window += int.from_bytes(payload, "big")
        elif kind == PING and not flags & ACK:
            self.out += frame(PING, ACK, 0, payload)
        elif kind == SETTINGS and not flags & ACK:
            for place in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, place)
                if name == INITIAL_WINDOW_SIZE:
                    self.stream_window = value
                elif name == MAX_FRAME_SIZE:
                    self.frame_bytes = value
            self.out += frame(SETTINGS, ACK, 0, b"")
        elif kind in (RST_STREAM, GOAWAY):
            raise CallFailed("The server ended a call or the connection.")

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
