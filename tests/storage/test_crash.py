"""A crash at every operation, with every fate of what was not synced."""

import random

import pytest

from quorate.storage.log import SEGMENT_BYTES_MIN
from tests.storage.fake_disk import FakeDisk
from tests.storage.logs import IDENTITY, MemoryLog, payloads_of

# What is appended between syncs: within one sector, over several, over the end of a segment.
SCRIPTS = {
    "small": [[b"a"], [b"b", b"c"], [b"d" * 100]],
    "wide": [[b"a" * 5000], [b"b" * 3000, b"c" * 3000], [b"d"]],
    "rollover": [[b"a" * 7000], [b"b" * 6000, b"c" * 100, b"d" * 7000], [b"e" * 7900]],
    "records that fill a sector": [[b"a" * (4096 - 128)], [b"b" * (4096 - 128), b"c" * 4032]],
}


def recover_and_check(
    disk: FakeDisk, known: MemoryLog, crashes_within: random.Random | None
) -> int:
    """Recover twice over; nothing acknowledged is lost, nothing appears twice or out of order."""
    log = MemoryLog(disk, seed=99)
    found: list[bytes] = []
    checked = 0

    def crash_again() -> None:
        nonlocal checked
        assert crashes_within is not None
        for again in disk.crashes(crashes_within, 4):
            checked += recover_and_check(again, known, None)

    if crashes_within is not None:
        log.observe = crash_again
    found = payloads_of(log.resume())
    log.observe = lambda: None
    assert known.acknowledged <= len(found), "an acknowledged record is lost"
    assert found == known.appended[: len(found)]
    log.append(b"after", b"the crash")
    log.sync()
    scans = log.disk.scan(IDENTITY)
    assert payloads_of(scans) == [*found, b"after", b"the crash"]
    assert scans[-1].torn is None
    return checked + 1


@pytest.mark.parametrize("sector_bytes", [512, 4096])
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_acknowledged_record_survives_every_crash(script: str, sector_bytes: int) -> None:
    rng = random.Random(f"{script} {sector_bytes}")
    log = MemoryLog(FakeDisk(sector_bytes))
    checked = 0

    def crash() -> None:
        nonlocal checked
        for disk in log.disk.crashes(rng, 150):
            checked += recover_and_check(disk, log, rng if checked % 8 == 0 else None)

    log.observe = crash
    log.found()
    for batch in SCRIPTS[script]:
        for payload in batch:
            log.append(payload)
        log.sync()
    log.append(b"never synced")
    assert checked > 50


def test_random_lives_of_one_log() -> None:
    """Crash, recover, go on, crash again: forty lives of one log."""
    rng = random.Random(5)
    log = MemoryLog(FakeDisk(512)).found()
    for life in range(40):
        for _ in range(rng.randrange(1, 5)):
            sizes = [rng.randrange(2500) for _ in range(rng.randrange(1, 4))]
            log.append(*(b"%d " % life + rng.randbytes(size) for size in sizes))
            if rng.random() < 0.6:
                log.sync()
        log.disk = rng.choice(list(log.disk.crashes(rng, 30)))
        found = payloads_of(log.resume())
        assert log.acknowledged <= len(found)
        assert found == log.appended[: len(found)]
        log.appended = found
        log.acknowledged = len(found)
    assert log.writer.header.number > 3 and log.writer.life == 41


def test_a_lost_batch_of_which_a_later_record_survived_is_torn_not_damage() -> None:
    log = MemoryLog().found(4 * SEGMENT_BYTES_MIN)
    log.append(b"kept")
    log.sync()
    log.append(b"a" * 5000, b"b" * 5000, b"c" * 100)
    image = log.disk.current[0]
    image[8192 + 64 : 12288] = bytes(12288 - 8192 - 64)
    scan = log.disk.scan(IDENTITY)[0]
    assert payloads_of([scan]) == [b"kept"]
    assert scan.torn is not None and (scan.torn.sequence, scan.torn.records_lost) == (2, 2)
