"""The ABCI server without sockets: any cutting of the stream, order of answers, bounds.

STREAMS are what CometBFT wrote on its consensus connection from the first byte to the third commit,
lengths included: one validator, the kvstore application, hexadecimal.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quorate.runtime.cometbft.messages import (
    Request,
    Response,
    VerifyVoteExtensionStatus,
    frame,
    uvarint,
)
from quorate.runtime.cometbft.server import (
    AbciConnection,
    AbciServer,
    FrameRefused,
    Frames,
    Limits,
    Refusal,
)

STREAMS = {
    "v0.38.26": """
80012a7e0a0c088e8b81d80610f9afbcf6011211746573742d636861696e2d4242413863501a310a10088080c00a
10ffffffffffffffffff01120e08a08d0612040880c60a188080401a090a076564323535313922002a0022260a22
0a2051246fcd0eeefe9a63c44088f0deb423fff49584e35a45db7269c14bc593672d100a30010212005282014f08
87e0bf0a1a002801320c088e8b81d80610f9afbcf6013a2033a9ed5953d63cee14a8f627be969d94fb968f02a626
46c03718ef51b9dd9cae42140d2cfb372d23696ebbd872aa7208675b68c6bec70212006f8a016c120022203b0b84
cc1d4e9619120024653e4d96c5eba86f7302c52703cac3fc02402c9ee42801320c088e8b81d80610f9afbcf6013a
2033a9ed5953d63cee14a8f627be969d94fb968f02a62646c03718ef51b9dd9cae42140d2cfb372d23696ebbd872
aa7208675b68c6bec70212006fa2016c120022203b0b84cc1d4e9619120024653e4d96c5eba86f7302c52703cac3
fc02402c9ee42801320c088e8b81d80610f9afbcf6013a2033a9ed5953d63cee14a8f627be969d94fb968f02a626
46c03718ef51b9dd9cae42140d2cfb372d23696ebbd872aa7208675b68c6bec7021200025a000212007582017208
87e0bf0a1203613d311a1e121c0a180a140d2cfb372d23696ebbd872aa7208675b68c6bec7180a28022802320c08
908b81d80610a681fe87023a2033a9ed5953d63cee14a8f627be969d94fb968f02a62646c03718ef51b9dd9cae42
140d2cfb372d23696ebbd872aa7208675b68c6bec702120002120093018a018f010a03613d31121e121c0a180a14
0d2cfb372d23696ebbd872aa7208675b68c6bec7180a18022220a05b6560c1c23bf1682fbb775b0525c4d3d63ba9
e671f1f596faa161720a6c592802320c08908b81d80610a681fe87023a2033a9ed5953d63cee14a8f627be969d94
fb968f02a62646c03718ef51b9dd9cae42140d2cfb372d23696ebbd872aa7208675b68c6bec70212009301a2018f
010a03613d31121e121c0a180a140d2cfb372d23696ebbd872aa7208675b68c6bec7180a18022220a05b6560c1c2
3bf1682fbb775b0525c4d3d63ba9e671f1f596faa161720a6c592802320c08908b81d80610a681fe87023a2033a9
ed5953d63cee14a8f627be969d94fb968f02a62646c03718ef51b9dd9cae42140d2cfb372d23696ebbd872aa7208
675b68c6bec7021200025a00021200758201720887e0bf0a1203623d321a1e121c0a180a140d2cfb372d23696ebb
d872aa7208675b68c6bec7180a28022803320c08918b81d8061090c1b18b023a2033a9ed5953d63cee14a8f627be
969d94fb968f02a62646c03718ef51b9dd9cae42140d2cfb372d23696ebbd872aa7208675b68c6bec70212009301
8a018f010a03623d32121e121c0a180a140d2cfb372d23696ebbd872aa7208675b68c6bec7180a180222202f8cd5
61ff9e86e5d897796d39c5c59cc8884106bbee9d49af4dfceae5d251872803320c08918b81d8061090c1b18b023a
2033a9ed5953d63cee14a8f627be969d94fb968f02a62646c03718ef51b9dd9cae42140d2cfb372d23696ebbd872
aa7208675b68c6bec70212009301a2018f010a03623d32121e121c0a180a140d2cfb372d23696ebbd872aa720867
5b68c6bec7180a180222202f8cd561ff9e86e5d897796d39c5c59cc8884106bbee9d49af4dfceae5d25187280332
0c08918b81d8061090c1b18b023a2033a9ed5953d63cee14a8f627be969d94fb968f02a62646c03718ef51b9dd9c
ae42140d2cfb372d23696ebbd872aa7208675b68c6bec7021200025a00
""",
    "v1.0.1": """
93012a90010a0b08958b81d80610e192fa5c1211746573742d636861696e2d374172334b721a3d0a0a0880808002
1080ade204120e08a08d0612040880c60a188080401a090a07656432353531392200320c0a0610c0e0e6f0011202
080f3a040a001200222d100a1a2036062f5c6a8cb3ac3d168e0b615a38a4d4df3496c967aed54832ada29608a992
22076564323535313930010212005182014e0895f9ff011a002801320b08958b81d80610e192fa5c3a20370040ed
880bf3aba1f040891a83ea510e141e3e94631c982c645e56586f10694214ebd4a381026fef5b2424e3180fcfa3d0
c8af34bb0212006e8a016b1200222052bb974da088df791c45800b1a6d1e91c3a6ac98d6b3fcbec2144334ddcd2d
262801320b08958b81d80610e192fa5c3a20370040ed880bf3aba1f040891a83ea510e141e3e94631c982c645e56
586f10694214ebd4a381026fef5b2424e3180fcfa3d0c8af34bb02120070a2016d1200222052bb974da088df791c
45800b1a6d1e91c3a6ac98d6b3fcbec2144334ddcd2d262801320b08958b81d80610e192fa5c3a20370040ed880b
f3aba1f040891a83ea510e141e3e94631c982c645e56586f10694214ebd4a381026fef5b2424e3180fcfa3d0c8af
34bb4801021200025a00021200748201710895f9ff011203613d311a1e121c0a180a14ebd4a381026fef5b2424e3
180fcfa3d0c8af34bb180a28022802320b08978b81d80610afdace6f3a20370040ed880bf3aba1f040891a83ea51
0e141e3e94631c982c645e56586f10694214ebd4a381026fef5b2424e3180fcfa3d0c8af34bb02120092018a018e
010a03613d31121e121c0a180a14ebd4a381026fef5b2424e3180fcfa3d0c8af34bb180a18022220e7bdb5f27090
0666f7b8a0472fad8b01bd549dcfe5e5c5d62470389493c7f2862802320b08978b81d80610afdace6f3a20370040
ed880bf3aba1f040891a83ea510e141e3e94631c982c645e56586f10694214ebd4a381026fef5b2424e3180fcfa3
d0c8af34bb0212009401a20190010a03613d31121e121c0a180a14ebd4a381026fef5b2424e3180fcfa3d0c8af34
bb180a18022220e7bdb5f270900666f7b8a0472fad8b01bd549dcfe5e5c5d62470389493c7f2862802320b08978b
81d80610afdace6f3a20370040ed880bf3aba1f040891a83ea510e141e3e94631c982c645e56586f10694214ebd4
a381026fef5b2424e3180fcfa3d0c8af34bb4802021200025a00021200748201710895f9ff011203623d321a1e12
1c0a180a14ebd4a381026fef5b2424e3180fcfa3d0c8af34bb180a28022803320b08988b81d8061085948a733a20
370040ed880bf3aba1f040891a83ea510e141e3e94631c982c645e56586f10694214ebd4a381026fef5b2424e318
0fcfa3d0c8af34bb02120092018a018e010a03623d32121e121c0a180a14ebd4a381026fef5b2424e3180fcfa3d0
c8af34bb180a180222205ae4ce4892eb7df760a4a1d16fd1b24329959ebb46649be1c84461d4f892a4f92803320b
08988b81d8061085948a733a20370040ed880bf3aba1f040891a83ea510e141e3e94631c982c645e56586f106942
14ebd4a381026fef5b2424e3180fcfa3d0c8af34bb0212009401a20190010a03623d32121e121c0a180a14ebd4a3
81026fef5b2424e3180fcfa3d0c8af34bb180a180222205ae4ce4892eb7df760a4a1d16fd1b24329959ebb46649b
e1c84461d4f892a4f92803320b08988b81d8061085948a733a20370040ed880bf3aba1f040891a83ea510e141e3e
94631c982c645e56586f10694214ebd4a381026fef5b2424e3180fcfa3d0c8af34bb4803021200025a00
""",
}
PER_HEIGHT = ["prepare_proposal", "process_proposal", "finalize_block", "commit"]
FLUSH = frame(Request(flush={}))
OK = frame(Response(check_tx={}))
Asked = tuple[int, str, Any]


def bodies(stream: bytes) -> list[bytes]:
    """Cut a whole stream, by other code than the server's."""
    found = []
    while stream:
        size = next(at for at, byte in enumerate(stream) if byte < 0x80) + 1
        length = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(stream[:size]))
        assert size + length <= len(stream)
        found.append(stream[size : size + length])
        stream = stream[size + length :]
    return found


def check(number: int, size: int = 8) -> bytes:
    return frame(Request(check_tx={"tx": number.to_bytes(8, "little").ljust(size, b"x")}))


def numbered(number: int) -> Any:
    return Response(check_tx={"gas_wanted": number})


def answers(stream: bytes) -> list[Any]:
    return [Response.FromString(body) for body in bodies(stream)]


class Turns:
    """Stands for the event loop: what is called soon is called by `run`."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def run(self) -> None:
        while self.calls:
            self.calls.pop(0)()


class Wire:
    """Stands for a transport, and keeps what is written. unread: bytes that it says it holds."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.reading = True
        self.closed = False
        self.unread = 0
        self.get_write_buffer_size = lambda: self.unread
        self.get_extra_info = lambda name: None

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data
        self.writes += 1

    def abort(self) -> None:
        self.closed = True

    close = abort

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Bench:
    """A server without sockets. asked: all that was handed over; failures: errors of `take`."""

    def __init__(self, take: Any = None, **limits: int) -> None:
        self.asked: list[Asked] = []
        self.failures: list[Exception] = []
        self.server = AbciServer(take or self.keep, self.failures.append, Limits(**limits))
        self.turns = Turns()
        self.server.loop = self.turns  # type: ignore[assignment]

    def keep(self, connection: AbciConnection, requests: list[Asked]) -> None:
        self.asked += requests

    def connect(self) -> tuple[AbciConnection, Wire]:
        connection, wire = AbciConnection(self.server), Wire()
        connection.connection_made(wire)  # type: ignore[arg-type]
        return connection, wire


def answer_numbered(connection: AbciConnection, requests: list[Asked]) -> None:
    """Answer each CheckTx at once with the number that its transaction begins with."""
    for ticket, _, body in requests:
        connection.answer(ticket, numbered(int.from_bytes(body.tx[:8], "little")))


# --- framing


@pytest.mark.parametrize("version", STREAMS)
@given(cuts=st.lists(st.integers(1, 400)))
@example(cuts=[1] * 1400)
def test_any_cutting_of_a_captured_stream_gives_the_same_requests(
    version: str, cuts: list[int]
) -> None:
    stream = bytes.fromhex(STREAMS[version])
    bench = Bench()
    connection, wire = bench.connect()
    rest = stream
    for cut in cuts:
        connection.data_received(rest[:cut])
        rest = rest[cut:]
    connection.data_received(rest)
    assert [kind for _, kind, _ in bench.asked] == ["init_chain", *PER_HEIGHT * 3]
    found = [Request(**{kind: body}).SerializeToString() for _, kind, body in bench.asked]
    assert found == [body for body in bodies(stream) if body != FLUSH[1:]]
    for ticket, kind, _ in reversed(bench.asked):
        connection.answer(ticket, Response(**{kind: {}}))
    bench.turns.run()
    told = [answer.WhichOneof("value") for answer in answers(wire.written)]
    assert told == [Request.FromString(body).WhichOneof("value") for body in bodies(stream)]
    assert not connection.frames.held and not connection.sizes and not connection.bytes_held


@pytest.mark.parametrize(
    ("head", "refusal"),
    [
        (b"\x80\0", Refusal.LENGTH),
        (b"\xff\x80\0", Refusal.LENGTH),
        (b"\xff" * 10, Refusal.LENGTH),
        (b"\x80" * 9 + b"\x80", Refusal.LENGTH),
        (uvarint(2**64 - 1), Refusal.SIZE),
        (uvarint(2**60), Refusal.SIZE),
        (uvarint(1001), Refusal.SIZE),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_no_frame_closes_the_connection(head: bytes, refusal: Refusal, whole: bool) -> None:
    bench = Bench(frame_bytes=1000)
    connection, wire = bench.connect()
    other, _ = bench.connect()
    connection.data_received(check(1))
    for part in [head] if whole else [head[at : at + 1] for at in range(len(head))]:
        connection.data_received(part)
    assert wire.closed and bench.server.refusals == {refusal: 1}
    assert list(bench.server.connections) == [other]
    connection.data_received(b"anything that was on its way")
    connection.answer(0, OK)
    bench.turns.run()
    assert not wire.written and not connection.frames.held and not bench.failures


def test_the_longest_frame_is_taken() -> None:
    frames = Frames(1000)
    frames.held += uvarint(1000) + bytes(1000)
    assert frames.following() == bytes(1000)
    frames.held += b"\x80"
    assert frames.following() is None
    frames.held += b"\x80" * 9
    with pytest.raises(FrameRefused):
        frames.following()


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_random_bytes_never_raise(noise: bytes, cuts: list[int]) -> None:
    bench = Bench(frame_bytes=100)
    connection, wire = bench.connect()
    for cut in [*cuts, 300]:
        connection.data_received(noise[:cut])
        noise = noise[cut:]
    for ticket, kind, _ in bench.asked:
        connection.answer(ticket, Response(**{kind: {}}))
    bench.turns.run()
    assert not bench.failures
    assert wire.closed == bool(bench.server.refusals)
    assert wire.closed or len(answers(wire.written)) == connection.ticket_next


# --- answers


@given(st.permutations(range(12)), st.lists(st.booleans(), min_size=12, max_size=12))
def test_answers_are_written_in_the_order_of_requests(order: list[int], turn: list[bool]) -> None:
    bench = Bench()
    connection, wire = bench.connect()
    connection.data_received(b"".join(check(number) for number in range(12)))
    done: list[int] = []
    for ticket, now in zip(order, turn, strict=True):
        connection.answer(ticket, numbered(ticket + 1))
        done.append(ticket)
        if now:
            bench.turns.run()
            ready = next(at for at in range(13) if at not in done)
            assert len(answers(wire.written)) == ready
    bench.turns.run()
    assert [a.check_tx.gas_wanted for a in answers(wire.written)] == list(range(1, 13))


def test_echo_and_flush_are_answered_in_their_place() -> None:
    bench = Bench()
    connection, wire = bench.connect()
    echo = frame(Request(echo={"message": "hello"}))
    connection.data_received(echo + check(1) + echo + FLUSH)
    bench.turns.run()
    assert wire.written == frame(Response(echo={"message": "hello"}))
    connection.answer(1, OK)
    bench.turns.run()
    assert wire.writes == 2
    kinds = [answer.WhichOneof("value") for answer in answers(wire.written)]
    assert kinds == ["echo", "check_tx", "echo", "flush"]
    assert [kind for _, kind, _ in bench.asked] == ["check_tx"]


def test_vote_extensions_are_off() -> None:
    bench = Bench()
    connection, wire = bench.connect()
    connection.data_received(frame(Request(extend_vote={"height": 3})))
    for extension in (b"", b"x"):
        verify = {"height": 3, "vote_extension": extension}
        connection.data_received(frame(Request(verify_vote_extension=verify)))
    bench.turns.run()
    assert answers(wire.written) == [
        Response(extend_vote={}),
        Response(verify_vote_extension={"status": VerifyVoteExtensionStatus.ACCEPT}),
        Response(verify_vote_extension={"status": VerifyVoteExtensionStatus.REJECT}),
    ]


@pytest.mark.parametrize("bad", [b"\0", b"\x03\xff\xff\xff", b"\x03\xfa\x01\0", b"\x02\x0a\x05"])
def test_a_request_that_is_none_is_answered_by_an_exception(bad: bytes) -> None:
    bench = Bench()
    connection, wire = bench.connect()
    connection.data_received(check(1) + bad + check(2))
    bench.turns.run()
    assert not wire.written
    for ticket, _, _ in bench.asked:
        connection.answer(ticket, OK)
    bench.turns.run()
    first, second, third = answers(wire.written)
    assert first == third == Response(check_tx={}) and second.exception.error


def test_an_answer_is_given_once() -> None:
    bench = Bench()
    connection, _ = bench.connect()
    connection.data_received(check(1) + check(2))
    connection.answer(1, OK)
    for ticket in (1, 2, -1):
        with pytest.raises(AssertionError):
            connection.answer(ticket, OK)
    connection.answer(0, OK)
    with pytest.raises(AssertionError):
        connection.answer(0, OK)


def test_an_error_of_the_application_is_handed_over() -> None:
    def raising(connection: AbciConnection, requests: list[Asked]) -> None:
        raise ZeroDivisionError("the application's own")

    bench = Bench(raising)
    connection, wire = bench.connect()
    other, other_wire = bench.connect()
    connection.data_received(FLUSH + check(1))
    other.data_received(FLUSH)
    bench.turns.run()
    assert [type(error) for error in bench.failures] == [ZeroDivisionError]
    assert wire.closed and not wire.written
    assert other_wire.written == frame(Response(flush={}))


def test_answers_for_a_lost_connection_come_to_nothing() -> None:
    bench = Bench()
    connection, wire = bench.connect()
    connection.data_received(check(1) + check(2) + check(3)[:4])
    connection.answer(0, OK)
    connection.connection_lost(None)
    connection.answer(1, OK)
    connection.answer(1, OK)
    assert not connection.ready and not connection.out
    bench.turns.run()
    assert not wire.written and not bench.server.connections
    assert not connection.frames.held and not bench.server.refusals


# --- bounds


def test_requests_without_an_answer_are_bounded() -> None:
    bench = Bench(requests=8)
    connection, wire = bench.connect()
    stream = b"".join(check(number) for number in range(100))
    connection.data_received(stream)
    assert len(bench.asked) == 8 and not wire.reading
    for ticket in range(3):
        connection.answer(ticket, OK)
    bench.turns.run()
    assert len(bench.asked) == 11 and not wire.reading
    while len(bench.asked) > connection.ticket_first:
        connection.answer(connection.ticket_first, OK)
        bench.turns.run()
        assert len(connection.sizes) <= 8
    assert len(bench.asked) == 100 and wire.reading
    assert wire.written == OK * 100


def test_reading_goes_on_from_half_of_the_bound() -> None:
    bench = Bench(requests=8)
    connection, wire = bench.connect()
    connection.data_received(b"".join(check(number) for number in range(8)))
    for ticket in range(8):
        assert wire.reading == (8 - ticket < 4)
        connection.answer(ticket, OK)
        bench.turns.run()


def test_bytes_without_an_answer_are_bounded() -> None:
    bench = Bench(request_bytes=5000, frame_bytes=20_000)
    connection, wire = bench.connect()
    connection.data_received(check(1, 10_000) + check(2, 2000) * 5)
    assert len(bench.asked) == 1 and not wire.reading
    connection.answer(0, OK)
    bench.turns.run()
    assert len(bench.asked) == 4 and not wire.reading
    for ticket in range(1, 6):
        connection.answer(ticket, OK)
        bench.turns.run()
    assert len(bench.asked) == 6 and wire.reading


def test_nothing_is_taken_while_answers_are_not_read() -> None:
    bench = Bench(unread_bytes=1000)
    connection, wire = bench.connect()
    connection.data_received(check(1))
    connection.pause_writing()
    assert not wire.reading
    connection.data_received(check(2) + check(3))
    assert len(bench.asked) == 1 and not wire.reading
    connection.resume_writing()
    assert len(bench.asked) == 3 and wire.reading
    wire.unread = 1001
    connection.answer(0, OK)
    bench.turns.run()
    assert wire.closed and bench.server.refusals == {Refusal.UNREAD: 1}


def test_connections_are_bounded() -> None:
    bench = Bench()
    wires = [bench.connect()[1] for _ in range(17)]
    assert [wire.closed for wire in wires] == [False] * 16 + [True]
    assert bench.server.refusals == {Refusal.CROWDED: 1} and len(bench.server.connections) == 16
