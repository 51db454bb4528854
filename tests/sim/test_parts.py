"""Clocks, disk, journal and network of the simulated world."""

import random

import pytest

from quorate.sim.cluster.clock import NEVER, RATE_EXACT, Clock
from quorate.sim.cluster.disk import Disk
from quorate.sim.cluster.journal import NodeLog
from quorate.sim.cluster.network import partition
from quorate.storage.errors import StorageRefusal
from quorate.storage.log import Kind
from quorate.storage.writer import Create, Entry, Sync, Write


def test_a_clock_drifts_freezes_and_never_goes_back() -> None:
    rng = random.Random(1)
    clock = Clock(1_000)
    now = before = 0
    for _ in range(300):
        now += rng.randrange(50)
        if rng.randrange(3) == 0:
            clock.run_at(now, rng.choice((0, RATE_EXACT, 900_000, 1_100_000)))
        assert clock.mono(now) >= before
        before = clock.mono(now)
        wanted = before + rng.randrange(1, 40)
        at = clock.when(wanted)
        if clock.rate:
            assert clock.mono(at) >= wanted > clock.mono(at - 1)
        else:
            assert at == NEVER
    clock.jump(-500)
    assert clock.wall(now) == clock.mono(now) + 500
    clock.correct(now, 7_000)
    assert clock.wall(now) == 7_000


def disk_with(*writes: tuple[int, bytes]) -> Disk:
    disk = Disk()
    disk.execute(Create(0, bytes(4096), 1 << 15))
    for offset, data in writes:
        disk.execute(Write(0, offset, data))
    return disk


def test_a_disk_keeps_what_was_synced_and_may_keep_the_rest() -> None:
    fates = set()
    for seed in range(60):
        disk = disk_with((4096, b"a" * 4096), (9000, b"b" * 8000))
        disk.execute(Sync(0))
        disk.execute(Write(0, 20480, b"c" * 4096))
        disk.crash(random.Random(seed))
        image = disk.image(0)
        assert image[4096:8192] == b"a" * 4096 and image[9000:17000] == b"b" * 8000
        fates.add(image[20480:24576])
    assert b"c" * 4096 in fates and bytes(4096) in fates and len(fates) > 3


def test_a_sync_covers_what_was_written_before_it_began() -> None:
    disk = disk_with((4096, b"a" * 100))
    disk.sync_begin()
    disk.execute(Write(0, 8192, b"b" * 100))
    disk.sync_end()
    assert disk.durable[0, 1][:100] == b"a" * 100 and (0, 2) not in disk.durable
    assert list(disk.dirty) == [(0, 2)]


def test_a_journal_comes_back_with_all_that_was_synced() -> None:
    rng = random.Random(3)
    log = NodeLog(rng, 1 << 15)
    log.found()
    synced: list[bytes] = []
    waiting: list[bytes] = []
    for life in range(120):
        for _ in range(rng.randrange(4)):
            payload = rng.randbytes(rng.randrange(1, 900))
            log.append([Entry(Kind.NOTE_FIRST, life, payload)])
            waiting.append(payload)
        if rng.getrandbits(1):
            log.sync_begin()
            log.sync_end()
            synced, waiting = synced + waiting, []
        if rng.randrange(8) == 0:
            log.disk.crash(rng)
            found = [bytes(record.payload) for record in log.recover()]
            assert found[: len(synced)] == synced
            assert found == (synced + waiting)[: len(found)]
            synced, waiting = found, []
    assert len(log.tops) > 3
    log.prune(100)
    assert min(log.tops.values()) >= 100 or len(log.tops) == 1
    assert log.recover()


def test_rot_in_the_middle_of_a_journal_is_refused() -> None:
    refused = 0
    for seed in range(40):
        log = NodeLog(random.Random(seed), 1 << 15)
        log.found()
        for height in range(4):
            log.append([Entry(Kind.NOTE_FIRST, height, bytes(3000))])
            log.sync_begin()
            log.sync_end()
        assert log.disk.rot(random.Random(seed))
        log.disk.crash(random.Random(seed))
        try:
            log.recover()
        except StorageRefusal:
            refused += 1
    # The rest hit padding that no checksum covers, or the last record, whose mark was lost.
    assert refused > 10


@pytest.mark.parametrize("count", [4, 7])
def test_partitions_of_every_shape(count: int) -> None:
    shapes = {}
    for seed in range(200):
        shape, pairs = partition(random.Random(seed), count)
        assert all(a != b and 0 <= a < count and 0 <= b < count for a, b in pairs)
        both = {(b, a) for a, b in pairs} == set(pairs)
        assert both or shape in ("one_way", "partial")
        shapes[shape] = shapes.get(shape, 0) + bool(pairs)
    assert len(shapes) == 5 and min(shapes.values()) > 10
