"""Recovery decisions: every case of snapshots and segments, with the decision it must give."""

from hypothesis import given
from hypothesis import strategies as st

from quorate.storage.recovery import Plan, Refusal, SegmentFound, SnapshotFound, decide

# Blocks 1..10, 11..20, 21..30; each segment holds ten records.
LOG = [SegmentFound(0, 1, 0, 10), SegmentFound(1, 11, 10, 20), SegmentFound(2, 21, 20, 30)]


def sound(height: int) -> SnapshotFound:
    return SnapshotFound(f"s{height}", height, True)


def bad(height: int) -> SnapshotFound:
    return SnapshotFound(f"b{height}", height, False)


def test_without_snapshots_all_is_replayed_from_genesis() -> None:
    assert decide([], LOG) == Plan(None, 0, 0, 1, (), (), ())


def test_newest_sound_snapshot_is_loaded_and_the_rest_is_pruned() -> None:
    plan = decide([sound(5), sound(22), sound(12), bad(28)], LOG)
    assert plan == Plan("s22", 22, 2, 21, ("b28",), (0,), ("s5",))


def test_replay_starts_in_the_segment_of_the_next_height() -> None:
    for height, segment in ((9, 0), (10, 1), (11, 1), (20, 2), (30, 2)):
        plan = decide([sound(height)], LOG)
        assert isinstance(plan, Plan) and plan.replay_segment == segment
        assert plan.prune_segments == (), "one snapshot is not enough to prune by"


def test_ordering_can_keep_segments() -> None:
    snapshots = [sound(29), sound(28)]
    for keep, pruned in ((None, (0, 1)), (21, (0, 1)), (20, (0,)), (11, (0,)), (10, ()), (1, ())):
        plan = decide(snapshots, LOG, keep)
        assert isinstance(plan, Plan) and plan.prune_segments == pruned


def test_bad_snapshot_falls_back_to_the_one_before() -> None:
    plan = decide([bad(25), sound(15)], LOG[1:])
    assert isinstance(plan, Plan) and (plan.snapshot, plan.replay_segment) == ("s15", 1)


def test_no_snapshot_reaches_a_pruned_log() -> None:
    refusal = decide([bad(25), sound(5)], LOG[1:])
    assert isinstance(refusal, Refusal)
    assert "starts after height 10" in refusal.sentence and "b25" in refusal.sentence


def test_snapshot_ahead_of_the_log_means_a_lost_log() -> None:
    refusal = decide([sound(31)], LOG)
    assert isinstance(refusal, Refusal) and "restored from an older copy" in refusal.sentence


def test_log_founded_on_a_snapshot_from_a_peer() -> None:
    plan = decide([sound(500)], [SegmentFound(0, 1, 500, 500)])
    assert plan == Plan("s500", 500, 0, 1, (), (), ())


def test_holes_in_the_log_are_refused() -> None:
    for log in ([], [LOG[0], LOG[2]], [LOG[0], SegmentFound(1, 11, 11, 20)]):
        refusal = decide([sound(10)], log)
        assert isinstance(refusal, Refusal) and refusal.sentence.endswith((".", "."))


@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=6),
    st.lists(st.integers(0, 8), min_size=1, max_size=6), st.integers(0, 10),
    st.none() | st.integers(1, 40),
)
def test_after_pruning_the_decision_is_the_same_and_nothing_more_goes(
    found: list[tuple[int, bool]], sizes: list[int], base: int, keep: int | None
) -> None:
    snapshots = [SnapshotFound(f"n{i}", h, ok) for i, (h, ok) in enumerate(found)]
    log, height, sequence = [], base, 1
    for number, size in enumerate(sizes):
        log.append(SegmentFound(number, sequence, height, height + size))
        height, sequence = height + size, sequence + size
    plan = decide(snapshots, log, keep)
    if isinstance(plan, Refusal):
        return
    kept_log = [segment for segment in log if segment.number not in plan.prune_segments]
    kept_snapshots = [s for s in snapshots if s.name not in plan.prune_snapshots]
    again = decide(kept_snapshots, kept_log, keep)
    assert isinstance(again, Plan)
    assert again[:4] == plan[:4]
    assert again.prune_segments == again.prune_snapshots == ()
    # The blocks to replay are all there, also after the loss of the newest snapshot.
    assert kept_log[0].height_before <= plan.height
    two = sorted({s.height for s in kept_snapshots if s.sound}, reverse=True)[:2]
    if plan.prune_segments:
        assert len(two) == 2 and kept_log[0].height_before <= two[1]
