"""BASE: the log goes on from a snapshot made elsewhere, and its height is the log's height."""

from hypothesis import given
from hypothesis import strategies as st

from quorate.storage.log import HEIGHT_KINDS, Kind, kind_known
from quorate.storage.recovery import Plan, Refusal, SegmentFound, SnapshotFound, decide
from quorate.storage.writer import Entry
from tests.storage.fake_disk import FakeDisk
from tests.storage.logs import IDENTITY, MemoryLog

LOG = [SegmentFound(0, 1, 0, 10), SegmentFound(1, 11, 10, 500, 500), SegmentFound(2, 21, 500, 505)]


def sound(height: int) -> SnapshotFound:
    return SnapshotFound(f"s{height}", height, True)


def test_height_of_a_base_is_the_height_of_the_log() -> None:
    log = MemoryLog().found()
    log.append(b"one", b"two")
    _, operations = log.writer.append([Entry(Kind.BASE, 500, b"base")])
    log.execute(operations)
    assert log.writer.height_last == 500
    log.append(b"next")
    log.sync()
    scans = log.resume()
    assert scans[-1].tail.height_last == log.writer.height_last == 501
    found = [(record.kind, record.height) for scan in scans for record in scan.records]
    assert found == [(Kind.BLOCK, 1), (Kind.BLOCK, 2), (Kind.BASE, 500), (Kind.BLOCK, 501)]


def test_next_segment_follows_the_height_of_a_base() -> None:
    log = MemoryLog().found()
    _, operations = log.writer.append([Entry(Kind.BASE, 500, b"base")])
    log.execute(operations)
    for _ in range(4):
        log.append(bytes(5_000))
    log.sync()
    headers = [scan.header for scan in log.resume()]
    assert len(headers) > 1 and headers[0].height_before == 0
    assert all(header.height_before >= 500 for header in headers[1:])


def test_a_base_that_was_never_synced_is_gone() -> None:
    log = MemoryLog().found()
    log.append(b"one")
    log.sync()
    _, operations = log.writer.append([Entry(Kind.BASE, 500, b"base")])
    disk: FakeDisk = log.disk
    del operations  # the crash comes before they are carried out
    scans = disk.scan(IDENTITY)
    assert scans[-1].tail.height_last == 1


def test_kinds() -> None:
    assert [kind for kind in range(64) if kind_known(kind)] == [1, 2, 3, 4, *range(16, 32)]
    assert HEIGHT_KINDS == (Kind.BLOCK, Kind.BASE)


def test_only_a_snapshot_at_or_above_the_base_will_do() -> None:
    plan = decide([sound(500), sound(8)], LOG)
    assert isinstance(plan, Plan) and (plan.snapshot, plan.replay_segment) == ("s500", 2)
    plan = decide([sound(503), sound(500)], LOG)
    assert isinstance(plan, Plan) and plan.snapshot == "s503"
    for below in ([], [sound(8)], [sound(499), sound(8)]):
        refusal = decide(below, LOG)
        assert isinstance(refusal, Refusal) and "starts after height 500" in refusal.sentence


def test_bad_snapshot_of_the_base_is_no_crash() -> None:
    refusal = decide([SnapshotFound("b500", 500, False), sound(8)], LOG)
    assert isinstance(refusal, Refusal) and "b500" in refusal.sentence


def test_segments_below_a_base_are_pruned_by_the_next_snapshot() -> None:
    # The older of two snapshots is still below: all of the log stays.
    plan = decide([sound(500), sound(8)], LOG)
    assert isinstance(plan, Plan) and plan.prune_segments == ()
    plan = decide([sound(504), sound(500), sound(8)], LOG)
    assert isinstance(plan, Plan)
    assert (plan.prune_segments, plan.prune_snapshots) == ((0, 1), ("s8",))


@given(
    heights=st.lists(st.integers(1, 40), max_size=5, unique=True),
    bases=st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_a_plan_never_replays_over_a_gap(heights: list[int], bases: list[int]) -> None:
    # Segment n ends at height 10 (n + 1); a base in it is at that height.
    segments = [
        SegmentFound(n, 10 * n + 1, 10 * n, 10 * (n + 1), 10 * (n + 1) if base else 0)
        for n, base in enumerate(bases)
    ]
    last_base = max(segment.base for segment in segments)
    plan = decide([sound(height) for height in heights], segments)
    if isinstance(plan, Plan):
        assert plan.height >= last_base
        assert plan.height in (0, *heights)
    else:
        usable = [height for height in heights if last_base <= height <= 30]
        assert max(heights, default=0) > 30 or (not usable and last_base > 0)
