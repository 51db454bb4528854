"""No byte of a log or of a snapshot may change unnoticed: each is changed in turn."""

import pytest

from quorate.storage import snapshot
from quorate.storage.errors import StorageRefusal
from quorate.storage.log import SECTOR_BYTES, record_end
from tests.storage.fake_disk import scan_all
from tests.storage.logs import IDENTITY, MemoryLog, payloads_of

SEGMENT_BYTES = 6 * SECTOR_BYTES


def small_log() -> MemoryLog:
    """Two segments; batches of one and of two records, all acknowledged."""
    log = MemoryLog().found(SEGMENT_BYTES)
    for batch in ([b"a" * 300, b"b" * 41], [b"c" * 4000], [b"d" * 3100], [b"e" * 7, b"f" * 30]):
        log.append(*batch)
        log.sync()
    assert sorted(log.images()) == [0, 1] and log.acknowledged == 6
    return log


def sweep(images: dict[int, bytes], number: int, must_keep: list[bytes]) -> int:
    """Flip each byte of a segment; returns how often the log was cut instead of refused."""
    cut = 0
    image = images[number]
    changed = bytearray(image)
    for at in range(len(image)):
        changed[at] ^= 1 << at % 8
        try:
            scans = scan_all({**images, number: bytes(changed)}, IDENTITY)
        except StorageRefusal:
            pass
        else:
            assert scans[-1].torn is not None, f"segment {number}, byte {at} went unnoticed"
            assert payloads_of(scans)[: len(must_keep)] == must_keep, f"{number}, byte {at}"
            cut += 1
        changed[at] = image[at]
    return cut


@pytest.mark.parametrize("number", [0, 1])
def test_no_flip_in_a_marked_log_costs_an_acknowledged_record(number: int) -> None:
    log = small_log()
    cut = sweep(log.images(), number, log.appended)
    # Only what lies behind the last record was cut: its mark, and zeros.
    end = record_end(scan_all(log.images(), IDENTITY)[-1].records[-1])
    assert cut == (SEGMENT_BYTES - end if number == 1 else 0)


@pytest.mark.parametrize("number", [0, 1])
def test_without_the_last_mark_a_flip_costs_at_most_the_last_batch(number: int) -> None:
    log = small_log()
    images = {number: bytes(data) for number, data in log.disk.durable.items()}
    assert scan_all(images, IDENTITY)[-1].tail.durable == 4
    sweep(images, number, log.appended[:4])


@pytest.mark.parametrize("number", [0, 1])
def test_every_zeroed_and_every_noisy_sector_is_noticed(number: int) -> None:
    log = small_log()
    images = log.images()
    for at in range(0, SEGMENT_BYTES, 512):
        for filler in (bytes(512), b"\xa5" * 512):
            changed = bytearray(images[number])
            changed[at : at + 512] = filler
            if changed == images[number]:
                continue
            try:
                scans = scan_all({**images, number: bytes(changed)}, IDENTITY)
            except StorageRefusal:
                continue
            # Nothing but the last mark and what lies behind it may go without a refusal.
            assert payloads_of(scans) == log.appended


def test_no_flip_in_a_snapshot_goes_unnoticed() -> None:
    head = snapshot.SnapshotHead(IDENTITY, 12, 34, b"r" * 32)
    tables = [
        snapshot.Table(1, 8, 3, b"12345678abc"), snapshot.Table(2, 4, 0, b""),
        snapshot.Table(9, 1, 0, b"x" * 500),
    ]
    data = b"".join(snapshot.write(head, tables))
    changed = bytearray(data)
    for at in range(len(data)):
        for bit in range(8):
            changed[at] = data[at] ^ (1 << bit)
            with pytest.raises(StorageRefusal):
                snapshot.read(bytes(changed), IDENTITY)
        changed[at] = data[at]
        with pytest.raises(StorageRefusal):
            snapshot.read(data[:at], IDENTITY)
