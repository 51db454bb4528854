"""Whoever is not a validator of the chain, or does not behave like one, is refused and counted."""

import asyncio
import random
import ssl
from hashlib import sha256

import pytest

from quorate.runtime.peers.certificates import material_of
from quorate.runtime.peers.counters import Reason
from quorate.runtime.peers.frames import HELLO, Hello, Lane, hello_body, part_head, parts_of
from tests.runtime.peers.world import (
    BLOCK,
    CHAIN,
    HELLO_OURS,
    VOTE,
    World,
    closed,
    on_both_loops,
    run,
    seed_of,
    until,
    world,
)

OTHER_CHAIN = sha256(b"another consensus genesis").digest()
STRANGER = bytes([0xEE]) * 32


async def still_serves(it: World) -> None:
    """Check that validator 1 gets through to validator 0 all the same."""
    await it.start(1)
    await until(lambda: it.nodes[0].is_up(1) and it.nodes[1].is_up(0))
    assert it.nodes[1].send(0, VOTE, b"aye", Lane.URGENT)
    await until(lambda: it.recorders[0].frames)
    assert it.recorders[0].frames == [(1, VOTE, b"aye")]


def old_tls() -> ssl.SSLContext:
    context = material_of(seed_of(1), CHAIN).dialling
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def nameless() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@on_both_loops
@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (lambda: material_of(STRANGER, CHAIN).dialling, Reason.PIN),
        (lambda: material_of(seed_of(1), OTHER_CHAIN).dialling, Reason.TLS),
        (nameless, Reason.TLS),
        (old_tls, Reason.TLS),
    ],
    ids=["foreign key", "other chain", "no certificate", "TLS 1.2"],
)
def test_a_stranger_is_refused(loop: str, context: object, reason: Reason) -> None:
    async def work() -> None:
        async with world(2, started=1) as it:
            try:
                reader, writer = await it.dialled(0, context())
                await closed(reader)
                writer.transport.abort()
            except OSError:
                pass
            await until(lambda: it.nodes[0].counters.strangers)
            assert it.nodes[0].counters.strangers == {reason: 1}
            assert it.recorders[0].ups == []
            await still_serves(it)

    run(loop, work())


@on_both_loops
def test_a_seat_that_another_key_holds_is_not_believed(loop: str) -> None:
    async def work() -> None:
        async with world(3, started=0) as it:
            # At the seat of validator 0 sits validator 1, or nobody we know.
            for seed in (seed_of(1), STRANGER):
                sitting = await it.start(0, seed)
                dialling = await it.start(2)
                await until(lambda d=dialling: d.counters.peers[0].refusals[Reason.PIN] > 1)
                assert not dialling.is_up(0) and not dialling.is_up(1)
                assert it.recorders[2].ups == it.recorders[0].ups == []
                await dialling.stop()
                await sitting.stop()

    run(loop, work())


@on_both_loops
@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (Hello(7_777, CHAIN, version=2), Reason.VERSION),
        (Hello(7_778, CHAIN), Reason.CHAIN),
        (Hello(7_777, OTHER_CHAIN), Reason.GENESIS),
    ],
)
def test_another_greeting_ends_the_connection(loop: str, hello: Hello, reason: Reason) -> None:
    async def work() -> None:
        async with world(2, started=1) as it:
            reader, writer = await it.impostor(1, hello)
            await closed(reader)
            writer.transport.abort()
            assert it.nodes[0].counters.peers[1].refusals == {reason: 1}
            assert it.recorders[0].ups == []
            await still_serves(it)

    run(loop, work())


@on_both_loops
def test_the_lower_index_does_not_dial(loop: str) -> None:
    async def work() -> None:
        async with world(2) as it:
            await it.all_up()
            for index in (0, 1):  # validator 0 dials validator 1, and 1 itself
                reader, writer = await it.dialled(1, material_of(seed_of(index), CHAIN).dialling)
                writer.write(b"".join(parts_of(0, HELLO, hello_body(HELLO_OURS))))
                await closed(reader)
                writer.transport.abort()
                refusals = it.nodes[1].counters.peers[index].refusals
                assert refusals == {Reason.DIRECTION: 1}
            assert it.recorders[1].ups == [0] and it.recorders[1].downs == []

    run(loop, work())


GREETED = b"".join(parts_of(0, HELLO, hello_body(HELLO_OURS)))
BEFORE = [b"\x00" * 64, b"\xff" * 64, GREETED[:-1] + b"?" * 99, part_head(0, VOTE, 0, False)]
AFTER = [
    b"\xff" * 64,
    GREETED,
    part_head(0, 99, 0, False),
    part_head(0, VOTE, 4097, False),
    part_head(1, BLOCK, 1 << 29, False),
    part_head(1, BLOCK, 0, True),
]


@on_both_loops
def test_what_is_no_frame_ends_the_link(loop: str) -> None:
    async def work() -> None:
        async with world(2, started=1, handshakes_per_address_max=64) as it:
            counters = it.nodes[0].counters.peers[1]
            for sent in BEFORE:
                reader, writer = await it.dialled(0, material_of(seed_of(1), CHAIN).dialling)
                writer.write(sent)
                await closed(reader)
                writer.transport.abort()
            assert it.recorders[0].ups == []
            assert sum(counters.refusals.values()) == len(BEFORE)
            assert counters.refusals[Reason.FRAME] == len(BEFORE) - 1
            for sent in AFTER:
                reader, writer = await it.impostor(1)
                writer.write(sent)
                await closed(reader)
                writer.transport.abort()
            assert counters.downs == {Reason.FRAME: len(AFTER)}
            assert it.recorders[0].frames == []
            await still_serves(it)

    run(loop, work())


@on_both_loops
def test_random_bytes_end_the_link_at_most(loop: str) -> None:
    chance = random.Random(3)

    async def work() -> None:
        async with world(2, started=1) as it:
            for _ in range(30):
                reader, writer = await it.impostor(1)
                writer.write(part_head(0, VOTE, 9, False) + b"a vote...")
                writer.write(chance.randbytes(chance.randrange(1, 3000)))
                writer.write_eof() if writer.can_write_eof() else writer.close()
                await closed(reader)
                writer.transport.abort()
            downs = it.nodes[0].counters.peers[1].downs
            await until(lambda: sum(downs.values()) == 30)
            assert set(downs) <= {Reason.FRAME, Reason.CLOSED}
            frames = it.recorders[0].frames
            assert frames.count((1, VOTE, b"a vote...")) == 30
            frames.clear()
            await still_serves(it)

    run(loop, work())


@on_both_loops
def test_a_frame_cut_short_is_never_seen(loop: str) -> None:
    async def work() -> None:
        async with world(2, started=1) as it:
            body = bytes(200_000)
            whole = b"".join(parts_of(1, BLOCK, body))
            for size in (1, 5, 100, 70_000, len(whole) - 1):
                _, writer = await it.impostor(1)
                writer.write(whole[:size])
                await writer.drain()
                writer.close()
                downs = it.recorders[0].downs
                before = len(downs)
                await until(lambda downs=downs, before=before: len(downs) > before)
                writer.transport.abort()
            assert set(it.recorders[0].downs) == {(1, Reason.CLOSED)}
            assert it.recorders[0].frames == []
            await still_serves(it)

    run(loop, work())


@on_both_loops
def test_garbage_in_place_of_a_handshake(loop: str) -> None:
    async def work() -> None:
        async with world(2, started=1) as it:
            seat = it.seats[0]
            for sent in (b"GET / HTTP/1.1\r\n\r\n", bytes(1000), GREETED, b"\x16\x03\x01\xff\xff"):
                reader, writer = await asyncio.open_connection(seat.host, seat.port)
                writer.write(sent)
                writer.write_eof()
                await closed(reader)
                writer.transport.abort()
            strangers = it.nodes[0].counters.strangers
            await until(lambda: strangers[Reason.TLS] == 4)
            await still_serves(it)

    run(loop, work())


@on_both_loops
def test_the_slow_are_not_waited_for(loop: str) -> None:
    async def work() -> None:
        async with world(2, started=1, handshake_timeout_s=0.3) as it:
            seat = it.seats[0]
            silent, silent_writer = await asyncio.open_connection(seat.host, seat.port)
            # A real handshake, one byte at a time; and one that is never followed by a greeting.
            drop, drop_writer = await asyncio.open_connection(seat.host, seat.port)
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03":
                drop_writer.write(bytes([byte]))
                await asyncio.sleep(0.01)
            mute, mute_writer = await it.dialled(0, material_of(seed_of(1), CHAIN).dialling)
            for reader, writer in (
                (silent, silent_writer), (drop, drop_writer), (mute, mute_writer)
            ):
                await closed(reader)
                writer.transport.abort()
            counters = it.nodes[0].counters
            await until(lambda: sum(counters.strangers.values()) == 2)
            assert set(counters.strangers) <= {Reason.SLOW, Reason.TLS}
            assert counters.peers[1].refusals == {Reason.SLOW: 1}
            assert not it.nodes[0].shaking
            await still_serves(it)

    run(loop, work())


@on_both_loops
@pytest.mark.parametrize(("per_address", "refused"), [(4, 16), (64, 12)])
def test_a_flood_of_connections_is_bounded(loop: str, per_address: int, refused: int) -> None:
    """Twenty that say nothing: an address has a share; where all are taken the oldest goes."""

    async def work() -> None:
        limits = {"handshakes_max": 8, "handshakes_per_address_max": per_address}
        async with world(2, started=1, **limits) as it:
            seat, node = it.seats[0], it.nodes[0]
            ends = [await asyncio.open_connection(seat.host, seat.port) for _ in range(20)]
            strangers = node.counters.strangers
            await until(lambda: sum(strangers.values()) >= refused)
            assert len(node.shaking) == min(per_address, 8)
            if per_address > 8:
                await still_serves(it)
                assert set(strangers) == {Reason.CROWDED}
            for reader, writer in ends:
                writer.transport.abort()
                del reader
            await until(lambda: not node.shaking)

    run(loop, work())


@on_both_loops
@pytest.mark.parametrize("banning", [0, 1])
def test_a_banished_peer_is_refused_until_the_time_is_over(loop: str, banning: int) -> None:
    """Whichever of the two dials: the listening side refuses, the dialling side waits."""

    async def work() -> None:
        async with world(3, redial_s_min=0.01, redial_s_max=0.02) as it:
            await it.all_up()
            banner, other = it.nodes[banning], it.nodes[1 - banning]
            dialler = it.nodes[1].counters.peers[0]
            dials = dialler.dials
            banner.banish(1 - banning, 3600.0)
            assert not banner.is_up(1 - banning)
            assert it.recorders[banning].downs == [(1 - banning, Reason.BANISHED)]
            await until(lambda: not other.is_up(banning))
            if banning == 0:
                refusals = banner.counters.peers[1].refusals
                await until(lambda: refusals[Reason.BANISHED] >= 3)
            else:
                await asyncio.sleep(0.1)
                assert dialler.dials == dials
            # A shorter time takes nothing away, and nobody else is concerned.
            banner.banish(1 - banning, 0.0)
            assert banner.banished_s(1 - banning) > 3000 and not banner.is_up(1 - banning)
            assert banner.is_up(2) and it.nodes[2].is_up(banning)
            assert it.recorders[banning].ups.count(1 - banning) == 1

    run(loop, work())


@on_both_loops
def test_a_banished_peer_comes_back(loop: str) -> None:
    async def work() -> None:
        async with world(2, redial_s_min=0.01, redial_s_max=0.02) as it:
            await it.all_up()
            it.nodes[0].banish(1, 0.05)
            it.nodes[1].banish(0, 0.05)
            await until(lambda: not it.nodes[1].is_up(0))
            await it.all_up()
            assert it.nodes[0].counters.peers[1].links == 2

    run(loop, work())
