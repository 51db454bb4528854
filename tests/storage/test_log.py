"""The log format: what is written is read, and every kind of damage gets its name."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.storage.errors import LogDamaged, RecordTooLarge, UnknownFormat, WrongChain
from quorate.storage.log import (
    SECTOR_BYTES,
    SEGMENT_BYTES_MIN,
    Identity,
    Kind,
    Record,
    SegmentHeader,
    header_bytes,
    header_read,
    record_bytes,
)
from quorate.storage.writer import Entry, payload_bytes_max
from tests.storage.fake_disk import scan_all
from tests.storage.logs import IDENTITY, NOTE, MemoryLog, payloads_of

BATCHES = st.lists(
    st.one_of(st.none(), st.lists(st.binary(max_size=3000), min_size=1, max_size=4)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_what_is_appended_is_read_in_order(batches: list[list[bytes] | None]) -> None:
    log = MemoryLog().found()
    for batch in batches:
        if batch is None:
            log.sync()
        else:
            log.append(*batch)
    scans = log.disk.scan(IDENTITY)
    assert payloads_of(scans) == log.appended
    assert scans[-1].torn is None
    records = [record for scan in scans for record in scan.records]
    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    assert [record.height for record in records] == list(range(1, len(records) + 1))
    tail = scans[-1].tail
    assert (tail.sequence_last, tail.height_last) == (len(records), len(records))
    assert tail.durable >= log.acknowledged
    for before, after in itertools.pairwise(scans):
        assert after.header.number == before.header.number + 1
        assert after.header.height_before == before.tail.height_last


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1),
)
def test_header_round_trip(number: int, first: int, height: int, life: int, chain: int) -> None:
    header = SegmentHeader(number, b"salt" * 4, b"last" * 4, SEGMENT_BYTES_MIN, first, height, life)
    identity = Identity(chain, b"g" * 32)
    data = header_bytes(header, identity)
    assert len(data) == SECTOR_BYTES
    assert header_read(data, number, identity) == header


def test_kind_flags_and_height_are_kept() -> None:
    log = MemoryLog().found()
    entries = [
        Entry(Kind.BLOCK, 1, b"block", 3), Entry(Kind.CHECKPOINT, 1, b"", 255),
        Entry(NOTE, 2**64 - 1, b"vote"),
    ]
    sequences, operations = log.writer.append(entries)
    log.execute(operations)
    records = log.disk.scan(IDENTITY)[0].records
    assert sequences == range(1, 4)
    assert [Entry(r.kind, r.height, bytes(r.payload), r.flags) for r in records] == entries


def test_longest_payload_fits_and_one_byte_more_is_refused() -> None:
    log = MemoryLog().found()
    limit = payload_bytes_max(SEGMENT_BYTES_MIN)
    before = log.writer.position
    with pytest.raises(RecordTooLarge, match=str(limit)):
        log.writer.append([Entry(NOTE, 0, b"small"), Entry(NOTE, 0, bytes(limit + 1))])
    assert (log.writer.position, log.writer.sequence_last) == (before, 0)
    log.append(b"x" * limit, b"y" * limit)
    log.sync()
    scans = log.disk.scan(IDENTITY)
    assert payloads_of(scans) == log.appended and len(scans) == 2
    assert scans[-1].tail.durable == 2, "there is always room for the mark"


def test_each_batch_starts_in_its_own_sector() -> None:
    log = MemoryLog().found()
    for payload in (b"a", b"b"):
        log.append(payload)
        log.sync()
    first, second = log.disk.scan(IDENTITY)[0].records
    assert first.offset // SECTOR_BYTES < second.offset // SECTOR_BYTES


def test_second_sync_does_nothing() -> None:
    log = MemoryLog().found()
    log.append(b"a")
    log.sync()
    assert log.writer.sync() == []


def test_append_while_a_sync_is_under_way_is_not_taken_for_durable() -> None:
    log = MemoryLog().found()
    log.append(b"first")
    syncing = log.writer.sync()
    log.append(b"second")
    log.execute(syncing)
    log.execute(log.writer.synced())
    scan = log.disk.scan(IDENTITY)[0]
    assert payloads_of([scan]) == [b"first", b"second"]
    assert scan.tail.durable == 1
    first, second = scan.records
    assert first.offset // SECTOR_BYTES < second.offset // SECTOR_BYTES


def three_records() -> MemoryLog:
    log = MemoryLog().found(8 * SECTOR_BYTES)
    for payload in (b"one", b"two", b"three"):
        log.append(payload * 20)
        log.sync()
    return log


def test_wrong_chain_and_wrong_genesis_are_named() -> None:
    images = three_records().images()
    for other in (Identity(8, IDENTITY.app_genesis), Identity(7, bytes(32))):
        with pytest.raises(WrongChain, match="belongs to chain 7"):
            scan_all(images, other)


def test_unknown_version_is_named() -> None:
    images = three_records().images()
    changed = bytearray(images[0])
    changed[8] = 2
    with pytest.raises(UnknownFormat, match="log format 2"):
        scan_all({0: bytes(changed)}, IDENTITY)


def test_record_of_an_unknown_kind_is_never_cut_off() -> None:
    log = three_records()
    at = log.writer.position
    record = Record(0, at, 99, 0, 1, 4, 3, 0, memoryview(b"from a later program"))
    data = record_bytes(log.writer.header, record)
    log.disk.current[0][at : at + len(data)] = data
    with pytest.raises(UnknownFormat, match="kind 99"):
        log.disk.scan(IDENTITY)


def test_damage_in_the_middle_is_named_with_its_place() -> None:
    images = three_records().images()
    second = scan_all(images, IDENTITY)[0].records[1]
    changed = bytearray(images[0])
    changed[second.offset + 70] ^= 1
    with pytest.raises(LogDamaged) as caught:
        scan_all({0: bytes(changed)}, IDENTITY)
    damage = caught.value
    assert (damage.segment, damage.offset, damage.sequence) == (0, second.offset, 2)
    assert "checksum" in damage.reason


def test_zeroed_sector_in_the_middle_is_damage() -> None:
    images = three_records().images()
    second = scan_all(images, IDENTITY)[0].records[1]
    sector = second.offset // SECTOR_BYTES * SECTOR_BYTES
    changed = bytearray(images[0])
    changed[sector : sector + SECTOR_BYTES] = bytes(SECTOR_BYTES)
    with pytest.raises(LogDamaged, match="sequence 2"):
        scan_all({0: bytes(changed)}, IDENTITY)


@pytest.mark.parametrize("size", [0, 100, SECTOR_BYTES, SECTOR_BYTES + 1, 8 * SECTOR_BYTES - 1])
def test_truncated_and_grown_files_are_damage(size: int) -> None:
    image = three_records().images()[0]
    with pytest.raises(LogDamaged, match=f"{size} bytes"):
        scan_all({0: image[:size]}, IDENTITY)
    with pytest.raises(LogDamaged, match="should have"):
        scan_all({0: image + b"\0"}, IDENTITY)


def test_misdirected_write_over_a_record_is_damage_and_behind_the_end_is_torn() -> None:
    log = three_records()
    image = log.images()[0]
    first, second, _ = scan_all({0: image}, IDENTITY)[0].records
    found = image[first.offset : first.offset + 128]
    over = bytearray(image)
    over[second.offset : second.offset + 128] = found
    with pytest.raises(LogDamaged, match=f"written for segment 0, offset {first.offset}"):
        scan_all({0: bytes(over)}, IDENTITY)
    behind = bytearray(image)
    at = log.writer.position
    behind[at : at + 128] = found
    torn = scan_all({0: bytes(behind)}, IDENTITY)[0].torn
    assert torn is not None and (torn.sequence, torn.records_lost) == (4, 0)


def two_segments() -> dict[int, bytes]:
    log = MemoryLog().found()
    for i in range(4):
        log.append(bytes([i]) * 5000)
        log.sync()
    images = log.images()
    assert len(images) > 2
    return images


def test_missing_segment_and_swapped_segments_are_damage() -> None:
    images = two_segments()
    last = max(images)
    with pytest.raises(LogDamaged, match="segment 1, offset 0.*missing"):
        scan_all({0: images[0], last: images[last]}, IDENTITY)
    with pytest.raises(LogDamaged, match="the file holds segment 1"):
        scan_all({**images, 0: images[1]}, IDENTITY)


def test_lost_record_at_the_end_of_a_finished_segment_is_damage() -> None:
    images = two_segments()
    last = scan_all(images, IDENTITY)[0].records[-1]
    changed = bytearray(images[0])
    changed[last.offset :] = bytes(len(changed) - last.offset)
    with pytest.raises(LogDamaged, match=f"sequence {last.sequence}"):
        scan_all({**images, 0: bytes(changed)}, IDENTITY)


def test_finished_segment_from_an_older_log_is_damage() -> None:
    older = MemoryLog(seed=2).found()
    older.append(b"another past")
    images = two_segments()
    with pytest.raises(LogDamaged, match="made to follow"):
        scan_all({**images, 0: older.images()[0]}, IDENTITY)


def test_record_of_an_earlier_life_brought_back_by_the_disk_is_not_read() -> None:
    log = three_records()
    log.append(b"unsynced, and lost in the crash" * 200, b"stale")
    stale = bytes(log.disk.current[0])
    at = scan_all({0: stale}, IDENTITY)[0].records[-1].offset
    image = bytearray(log.disk.durable[0])
    log.disk.dirty.clear()
    log.disk.current[0] = image
    log.resume()
    log.append(b"fresh")
    log.sync()
    # The disk brings the old sector back, behind what is now the end.
    log.disk.current[0][at : at + 128] = stale[at : at + 128]
    scan = log.disk.scan(IDENTITY)[0]
    assert payloads_of([scan])[-1] == b"fresh"
    assert scan.torn is not None
    assert at > scan.records[-1].offset


def test_life_grows_at_each_resume_and_sequences_go_on() -> None:
    log = three_records()
    for life in (2, 3, 4):
        log.resume(8 * SECTOR_BYTES)
        log.append(b"again")
        log.sync()
        last = log.disk.scan(IDENTITY)[-1].records[-1]
        assert (last.life, last.sequence) == (life, life + 2)


def test_resume_of_a_full_segment_goes_to_the_next() -> None:
    log = MemoryLog().found()
    log.append(b"x" * payload_bytes_max(SEGMENT_BYTES_MIN))
    log.sync()
    log.resume()
    assert log.writer.header.number == 1
    assert log.disk.scan(IDENTITY)[1].tail.durable == 1


def test_payload_that_imitates_a_record_deceives_nobody() -> None:
    log = three_records()
    # Even with the salt known: a fake record in a torn payload counts only at its own offset.
    at = log.writer.position
    inner_at = at + 64 + 8
    fake = Record(0, inner_at + 8, Kind.MARK, 0, 1, 99, 99, 0, memoryview(b""))
    payload = bytes(8) + record_bytes(log.writer.header, fake) + b"rest" * 100
    log.append(payload)
    log.disk.current[0][at + 200] ^= 255
    scan = log.disk.scan(IDENTITY)[0]
    assert scan.torn is not None and scan.torn.sequence == 4


def test_segments_that_do_not_join_are_damage() -> None:
    images = two_segments()
    header = header_read(images[1], 1, IDENTITY)
    changes = {
        "starts with sequence 7": header._replace(sequence_first=7),
        "follows height 9": header._replace(height_before=9),
        "made to follow": header._replace(salt_before=b"x" * 16),
        "older than the one before": header._replace(life=0),
    }
    for said, changed in changes.items():
        image = header_bytes(changed, IDENTITY) + images[1][SECTOR_BYTES:]
        with pytest.raises(LogDamaged, match=said):
            scan_all({**images, 1: image}, IDENTITY)


def test_sound_record_that_cannot_stand_here_is_not_read() -> None:
    log = three_records()
    at = log.writer.position
    fitting = Record(0, at, NOTE, 0, 1, 4, 3, 0, b"fits")
    faults = {
        "sequence 5": fitting._replace(sequence=5),
        "takes 2 to be durable": fitting._replace(durable=2),
        "earlier life": fitting._replace(life=0),
        "": fitting,
    }
    for said, record in faults.items():
        data = record_bytes(log.writer.header, record)
        log.disk.current[0][at : at + len(data)] = data
        torn = log.disk.scan(IDENTITY)[0].torn
        assert (torn is None) if not said else (torn is not None and said in torn.reason)
    data = record_bytes(log.writer.header, fitting._replace(durable=4))
    log.disk.current[0][at : at + len(data)] = data
    with pytest.raises(LogDamaged, match="shows that 4 was durable"):
        log.disk.scan(IDENTITY)
