"""What to do with what was found at start: which snapshot, which records, what may go.

Pure decisions over short descriptions. A snapshot is described after its every byte was checked,
a segment after it was scanned. Heights are those of BLOCK and BASE records.

    load     the newest sound snapshot from whose height the log goes on without a gap;
             failing all, genesis, if the log goes back to it. Where a BASE stands in the log, no
             snapshot below it will do: blocks are missing there
    replay   every block above that height
    keep     the newest two sound snapshots and all of the log above the older of them, so that
             one bad snapshot costs a longer replay and nothing else
    refuse   what cannot be explained by a crash: each refusal is one sentence
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

SNAPSHOTS_KEPT = 2


class SnapshotFound(NamedTuple):
    """A snapshot file. sound: whether its every byte was checked and agrees."""

    name: str
    height: int
    sound: bool


class SegmentFound(NamedTuple):
    """A scanned segment: its blocks have heights in (height_before, height_last].

    base: the greatest height of a BASE in it, 0 for none.
    """

    number: int
    sequence_first: int
    height_before: int
    height_last: int
    base: int = 0


class Plan(NamedTuple):
    """What to do. snapshot: name of the one to load, or None for genesis.

    height: the state's after loading; blocks above it are replayed, and the first of them is
    in replay_segment, at or after sequence replay_sequence. snapshots_bad: names that did not
    check. prune_*: what is no longer needed, in the order in which to remove it.
    """

    snapshot: str | None
    height: int
    replay_segment: int
    replay_sequence: int
    snapshots_bad: tuple[str, ...]
    prune_segments: tuple[int, ...]
    prune_snapshots: tuple[str, ...]


class Refusal(NamedTuple):
    """Why there is nothing safe to do. sentence: for the operator."""

    sentence: str


def decide(
    snapshots: Sequence[SnapshotFound],
    segments: Sequence[SegmentFound],
    sequence_keep: int | None = None,
) -> Plan | Refusal:
    """Decide how to start from what was found, in any order.

    sequence_keep: no segment that may hold this sequence or a later one is pruned; ordering
    gives the first record that it would still replay (its floor). None: no such wish.
    """
    log = sorted(segments)
    fault = _log_fault(log)
    if fault:
        return Refusal(fault)
    sound = sorted((found for found in snapshots if found.sound), key=_newest_first)
    bad = tuple(sorted(found.name for found in snapshots if not found.sound))
    base = max(found.base for found in log)
    height_base, height_last = max(log[0].height_before, base), log[-1].height_last
    if sound and sound[0].height > height_last:
        # A snapshot is made from the log, so the log was longer once. Voting on from here could
        # contradict votes that are gone with it.
        return Refusal(
            f"Snapshot {sound[0].name} is of height {sound[0].height}, but the log ends at "
            f"{height_last}: the log was lost or restored from an older copy; "
            "restore this node from a peer or a backup as an observer."
        )
    usable = [found for found in sound if found.height >= height_base]
    if usable:
        name, height = usable[0].name, usable[0].height
    elif height_base == 0:
        name, height = None, 0
    else:
        return Refusal(
            f"The log starts after height {height_base} and no sound snapshot reaches it"
            f"{' (bad: ' + ', '.join(bad) + ')' if bad else ''}; "
            "fetch a snapshot from a peer."
        )
    replay = next((found for found in log if found.height_last > height), log[-1])
    return Plan(
        name, height, replay.number, replay.sequence_first, bad,
        *_prunable(sound, snapshots, log, sequence_keep),
    )


def _newest_first(found: SnapshotFound) -> tuple[int, str]:
    return (-found.height, found.name)


def _log_fault(log: list[SegmentFound]) -> str:
    """Why the segments are not one log; empty if they are."""
    if not log:
        return "There is no log here: `init` makes one, `run` never does."
    for before, after in itertools.pairwise(log):
        if after.number != before.number + 1:
            return (
                f"Segment {before.number + 1} of the log is missing; "
                "restore this node from a peer or a backup."
            )
        joined = after.height_before == before.height_last
        if not joined or after.sequence_first < before.sequence_first:
            return (
                f"Segment {after.number} of the log follows height {after.height_before}, but "
                f"segment {before.number} ends at {before.height_last}; "
                "restore this node from a peer or a backup."
            )
    return ""


def _prunable(
    sound: list[SnapshotFound],
    snapshots: Sequence[SnapshotFound],
    log: list[SegmentFound],
    sequence_keep: int | None,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Segments and snapshots wholly below the older of the snapshots kept."""
    heights = sorted({found.height for found in sound}, reverse=True)
    if len(heights) < SNAPSHOTS_KEPT:
        return (), ()
    floor = heights[SNAPSHOTS_KEPT - 1]
    segments = []
    for segment, after in itertools.pairwise(log):
        wanted = sequence_keep is not None and after.sequence_first > sequence_keep
        if segment.height_last > floor or wanted:
            # Only a run from the start may go: what stays must be one log.
            break
        segments.append(segment.number)
    old = sorted((found for found in snapshots if found.height < floor), key=_newest_first)
    return tuple(segments), tuple(found.name for found in reversed(old))
