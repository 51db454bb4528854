"""Validators that behave: frames in order, one link for each pair, and what gives way to what."""

import asyncio
import time
import tracemalloc

import pytest

from quorate.runtime.endpoint import Endpoint
from quorate.runtime.errors import CannotListen
from quorate.runtime.peers.counters import Reason
from quorate.runtime.peers.frames import PART_BYTES, Lane
from quorate.runtime.peers.link import HIGH_WATER_BYTES, WRITE_BYTES
from tests.runtime.peers.world import (
    BLOCK,
    VOTE,
    closed,
    on_both_loops,
    run,
    until,
    world,
)

MIB = 1 << 20


@on_both_loops
def test_two_exchange_frames_of_all_sizes_in_order(loop: str) -> None:
    sizes = [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7, 4 * MIB]

    async def work() -> None:
        async with world(2) as it:
            await it.all_up()
            bodies = [bytes([at]) * size for at, size in enumerate(sizes)]
            for sender, target in ((0, 1), (1, 0)):
                for body in bodies:
                    assert it.nodes[sender].send(target, BLOCK, body, Lane.BULK)
                assert it.nodes[sender].send(target, BLOCK, (b"in", b"", b"parts"), Lane.BULK)
                frames = it.recorders[target].frames
                await until(lambda frames=frames: len(frames) == len(sizes) + 1)
                wanted = [(sender, BLOCK, body) for body in [*bodies, b"inparts"]]
                assert frames == wanted
                mine = it.nodes[sender].counters.peers[target]
                theirs = it.nodes[target].counters.peers[sender]
                assert mine.frames_out[BLOCK] == theirs.frames_in[BLOCK] == len(sizes) + 1
                assert mine.bytes_out <= theirs.bytes_in < mine.bytes_out + 1000
                assert theirs.bytes_in > sum(sizes)

    run(loop, work())


@on_both_loops
def test_four_reach_one_another_over_six_links(loop: str) -> None:
    async def work() -> None:
        async with world(4) as it:
            await it.all_up()
            for index, node in it.nodes.items():
                assert node.broadcast(VOTE, b"vote of %d" % index, Lane.URGENT) == 3
            for index in it.nodes:
                frames = it.recorders[index].frames
                await until(lambda frames=frames: len(frames) == 3)
                wanted = [(peer, VOTE, b"vote of %d" % peer) for peer in range(4) if peer != index]
                assert sorted(frames) == wanted
                assert sorted(it.recorders[index].ups) == [frame[0] for frame in wanted]
                assert it.recorders[index].downs == []
                counters = it.nodes[index].counters.peers
                assert [peer.links for peer in counters] == [int(p != index) for p in range(4)]
                assert all(counters[peer].dials == 0 for peer in range(index, 4))

    run(loop, work())


@on_both_loops
def test_a_validator_that_comes_back_is_found_again(loop: str) -> None:
    async def work() -> None:
        async with world(3, redial_s_max=0.1) as it:
            await it.all_up()
            await it.nodes[0].stop()
            for index in (1, 2):
                recorder = it.recorders[index]
                await until(lambda recorder=recorder: recorder.downs)
                assert recorder.downs == [(0, Reason.CLOSED)]
                assert not it.nodes[index].send(0, VOTE, b"lost", Lane.URGENT)
                assert it.nodes[index].counters.peers[0].dropped_down == 1
            unreachable = it.nodes[2].counters.peers[0].refusals
            await until(lambda: unreachable[Reason.UNREACHABLE] > 2)
            await it.start(0)
            await it.all_up()
            assert it.nodes[1].counters.peers[0].reconnects == 1
            assert it.nodes[1].counters.peers[2].reconnects == 0
            assert it.nodes[1].send(0, VOTE, b"again", Lane.URGENT)
            await until(lambda: it.recorders[0].frames)
            assert it.recorders[0].frames == [(1, VOTE, b"again")]

    run(loop, work())


@on_both_loops
def test_a_connection_that_breaks_is_made_again(loop: str) -> None:
    async def work() -> None:
        async with world(2) as it:
            for times in range(1, 4):
                await it.all_up()
                it.nodes[times % 2].up_links()[0].transport.abort()
                await until(lambda: not it.nodes[0].is_up(1) and not it.nodes[1].is_up(0))
                await it.all_up()
                assert it.nodes[0].counters.peers[1].reconnects == times
                assert it.recorders[0].ups == [1] * (times + 1)
                assert it.recorders[0].downs == [(1, Reason.CLOSED)] * times

    run(loop, work())


@on_both_loops
def test_two_dials_of_one_validator_leave_one_link(loop: str) -> None:
    async def work() -> None:
        async with world(2, started=1) as it:
            dials = [await it.impostor(1) for _ in range(5)]
            node = it.nodes[0]
            await until(lambda: node.counters.peers[1].links == 5)
            assert len(node.up_links()) == 1
            assert it.recorders[0].downs == [(1, Reason.REPLACED)] * 4
            assert node.send(1, VOTE, b"to the last", Lane.URGENT)

            async def told(reader: asyncio.StreamReader) -> bool:
                data = b""
                while b"to the last" not in data:
                    more = await reader.read(1 << 16)
                    if not more:
                        return False
                    data += more
                return True

            assert sum(await asyncio.gather(*[told(reader) for reader, _ in dials])) == 1
            assert len(node.up_links()) == 1
            for _, writer in dials:
                writer.transport.abort()

    run(loop, work())


@on_both_loops
def test_urgent_overtakes_bulk_that_is_queued(loop: str) -> None:
    blocks = 40  # more than TCP's buffers on the way take

    async def work() -> None:
        async with world(2, bulk_bytes_max=64 * MIB, backlog_bytes_max=MIB) as it:
            await it.all_up()
            recorder = it.recorders[1]
            recorder.crediting = False
            for _ in range(blocks):
                assert it.nodes[0].send(1, BLOCK, bytes(MIB), Lane.BULK)
            await until(lambda: recorder.frames)
            link = it.nodes[0].links[1]
            await until(lambda: not link.writable)
            # What is with TLS cannot be overtaken, so it must be little.
            assert link.transport.get_write_buffer_size() < HIGH_WATER_BYTES + 2 * WRITE_BYTES
            assert it.nodes[0].send(1, VOTE, b"aye", Lane.URGENT)
            recorder.crediting = True
            it.nodes[1].credit(0, MIB)
            await until(lambda: len(recorder.frames) == blocks + 1)
            kinds = [kind for _, kind, _ in recorder.frames]
            assert kinds.index(VOTE) < blocks - 5

    run(loop, work())


@on_both_loops
def test_a_peer_that_sends_too_fast_is_slowed_down_and_nothing_grows(loop: str) -> None:
    sent, size = 60, MIB

    async def work() -> None:
        limits = {"bulk_bytes_max": 4 * MIB, "backlog_bytes_max": 2 * MIB}
        async with world(3, **limits) as it:
            await it.all_up()
            slow, fast = it.recorders[0], it.nodes[1]
            slow.crediting = False
            body = bytes(size)
            tracemalloc.start()
            try:
                for _ in range(sent):
                    fast.send(0, BLOCK, body, Lane.BULK)
                    await asyncio.sleep(0.002)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            # Two frames with the handler, a third one begun, and what TLS holds; bodies that wait
            # to be sent are all the same one.
            assert peak < 8 * MIB
            assert len(slow.frames) == 2
            # Somebody else is not held up.
            it.nodes[2].send(0, VOTE, b"aye", Lane.URGENT)
            await until(lambda: slow.frames[-1][0] == 2)
            counters = fast.counters.peers[0]
            assert counters.dropped_bulk > 0
            slow.crediting = True
            it.nodes[0].credit(2, len(b"aye"))
            it.nodes[0].credit(1, 2 * size, frames=2)
            await until(lambda: counters.frames_out[BLOCK] + counters.dropped_bulk == sent)
            await until(lambda: len(slow.frames) == 1 + counters.frames_out[BLOCK])
            assert it.nodes[0].owed_bytes == it.nodes[0].owed_frames == [0, 0, 0]
            assert slow.downs == []

    run(loop, work())


@on_both_loops
def test_frames_without_a_body_are_backlog_too(loop: str) -> None:
    async def work() -> None:
        async with world(2, backlog_frames_max=10) as it:
            await it.all_up()
            recorder = it.recorders[0]
            recorder.crediting = False
            for _ in range(100):
                it.nodes[1].send(0, VOTE, b"", Lane.URGENT)
            await until(lambda: not it.nodes[0].links[1].reading)
            assert len(recorder.frames) == 10
            it.nodes[0].credit(1, 0, frames=4)
            assert not it.nodes[0].links[1].reading
            it.nodes[0].credit(1, 0, frames=1)
            await until(lambda: len(recorder.frames) == 15)
            await asyncio.sleep(0.01)
            assert len(recorder.frames) == 15
            recorder.crediting = True
            it.nodes[0].credit(1, 0, frames=10)
            await until(lambda: len(recorder.frames) == 100)

    run(loop, work())


@on_both_loops
def test_a_peer_that_does_not_even_take_votes_loses_its_link(loop: str) -> None:
    async def work() -> None:
        async with world(2, started=1, urgent_bytes_max=MIB) as it:
            reader, writer = await it.impostor(1)
            writer.transport.pause_reading()
            node = it.nodes[0]
            await until(lambda: node.is_up(1))
            count = 0
            while node.is_up(1):
                node.send(1, VOTE, bytes(4096), Lane.URGENT)
                count += 1
                if count % 50 == 0:
                    await asyncio.sleep(0)
            assert it.recorders[0].downs == [(1, Reason.URGENT_FULL)]
            assert node.counters.peers[1].downs == {Reason.URGENT_FULL: 1}
            writer.transport.resume_reading()
            await closed(reader)
            writer.transport.abort()

    run(loop, work())


@on_both_loops
def test_pings_keep_a_quiet_link_and_silence_ends_it(loop: str) -> None:
    async def work() -> None:
        async with world(3, started=2, ping_s=0.1, idle_s=0.4) as it:
            await it.all_up()
            # A third validator greets and then says nothing.
            reader, writer = await it.impostor(2)
            recorder = it.recorders[0]
            await until(lambda: recorder.downs)
            assert recorder.downs == [(2, Reason.IDLE)]
            assert recorder.ups == [1, 2] and it.nodes[0].is_up(1)
            assert recorder.frames == []
            await closed(reader)
            writer.transport.abort()

    run(loop, work())


@on_both_loops
def test_a_process_that_stood_still_blames_nobody(loop: str) -> None:
    async def work() -> None:
        async with world(2, ping_s=0.1, idle_s=0.3) as it:
            await it.all_up()
            for _ in range(3):
                time.sleep(0.5)
                await asyncio.sleep(0.1)
            assert it.recorders[0].downs == it.recorders[1].downs == []

    run(loop, work())


@on_both_loops
def test_a_peer_we_do_not_read_is_not_taken_for_gone(loop: str) -> None:
    async def work() -> None:
        async with world(2, ping_s=0.05, idle_s=0.2, backlog_frames_max=1) as it:
            await it.all_up()
            it.recorders[0].crediting = False
            it.nodes[1].send(0, VOTE, b"aye", Lane.URGENT)
            await until(lambda: it.recorders[0].frames)
            await asyncio.sleep(0.6)
            it.recorders[0].crediting = True
            it.nodes[0].credit(1, 3)
            it.nodes[1].send(0, VOTE, b"nay", Lane.URGENT)
            await until(lambda: len(it.recorders[0].frames) == 2)
            assert it.recorders[0].downs == it.recorders[1].downs == []

    run(loop, work())


def test_a_port_that_is_taken_is_one_sentence() -> None:
    async def work() -> None:
        async with world(2, started=1) as it:
            port = it.seats[0].port
            said = f"Cannot listen for validators at tcp:127.0.0.1:{port}: Address already in use."
            it.seats[1] = type(it.seats[0])("127.0.0.1", port, bytes(32))
            with pytest.raises(CannotListen) as caught:
                await it.start(1)
            assert str(caught.value) == said
            # An address for documentation, which no machine has.
            with pytest.raises(CannotListen, match="at tcp:192.0.2.1:1: Cannot assign"):
                await it.nodes[0].start(Endpoint(host="192.0.2.1", port=1))

    run("asyncio", work())


def test_ipv6_with_brackets() -> None:
    async def work() -> None:
        async with world(2, started=0) as it:
            seat = it.seats[0]
            it.seats[0] = type(seat)("[::1]", 0, seat.pin)
            try:
                await it.start(0)
            except CannotListen as error:
                pytest.skip(f"no IPv6 on this machine: {error}")
            await it.start(1)
            await it.all_up()

    run("asyncio", work())
