"""A home on disk -> the state it stands for.

`recover` is what `run` does with the log open for writing. `restored` is the same for a reader
without the lock: the snapshot process, proofs of older blocks, inspection.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quorate.execution.image import Image
from quorate.execution.machine import genesis_image
from quorate.replica.errors import VersionMissing
from quorate.replica.executor import Executor, kernel_machine, spec_machine
from quorate.replica.ledger import version_wanted
from quorate.replica.records import RESUMED
from quorate.replica.replay import Replay
from quorate.replica.state import snapshot_chunks, snapshot_image
from quorate.runtime.disk import HomeRefused, HomeUnsound
from quorate.runtime.files import (
    SNAPSHOT_FOLDER,
    LogFiles,
    follow_segments,
    read_snapshot,
    segment_numbers,
    segment_path,
    snapshot_names,
)
from quorate.runtime.home import Home
from quorate.storage.errors import SnapshotDamaged, StorageRefusal, UnknownFormat
from quorate.storage.log import SECTOR_BYTES, Record, SegmentScan, header_read
from quorate.storage.recovery import Plan, Refusal, SegmentFound, SnapshotFound, decide

SECRET_MAX: Final = (1 << 31) - 1
SECRETS: Final = 8

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Recovered:
    """A replay that has come to the end of the log, and what was decided on the way."""

    replay: Replay
    plan: Plan


def process_secrets() -> Any:
    """Draw what shapes the derived indexes of this process, int64[8]."""
    drawn = [1 + secrets.randbelow(SECRET_MAX - 1) for _ in range(SECRETS)]
    return np.array(drawn, np.int64)


def executor_of(home: Home, image: Image) -> Executor:
    """Load a state into the machine that the configuration names."""
    if home.config.machine == "spec":
        return Executor(spec_machine(image))
    return Executor(kernel_machine(image, process_secrets()))


def snapshot_name(height: int) -> str:
    """Name the snapshot of a height."""
    return f"{height:016d}.snapshot"


def snapshots_found(home: Home) -> list[SnapshotFound]:
    """Check every byte of every snapshot. Raises StorageFailed, WrongChain."""
    found = []
    for name in snapshot_names(home.path):
        try:
            head, _ = snapshot_image(read_snapshot(home.path, name), home.identity)
            found.append(SnapshotFound(name, head.height, True))
        except (SnapshotDamaged, UnknownFormat):
            found.append(SnapshotFound(name, 0, False))
    return found


def decided(
    snapshots: list[SnapshotFound],
    segments: list[SegmentFound],
    sequence_keep: int | None = None,
) -> Plan:
    """Decide what to load, and what may go. Raises HomeUnsound."""
    plan = decide(snapshots, segments, sequence_keep)
    if isinstance(plan, Refusal):
        raise HomeUnsound(plan.sentence)
    return plan


def refuse_lost_log(home: Home) -> None:
    """Refuse a home whose log is gone: `init` made one. Raises HomeUnsound."""
    if segment_numbers(home.path):
        return
    if home.consensus is not None:
        raise HomeUnsound(
            f"The log of {home.path} is gone, and with it what this validator has signed; "
            f"`quorate rejoin {home.path}` makes a new one, with which it first only observes."
        )
    raise HomeUnsound(
        f"The log of {home.path} is gone; restore the home from a peer or a backup, and do not "
        "make a new log with its key."
    )


def loaded(home: Home, plan: Plan) -> Executor:
    """Load the state that a plan starts from."""
    if plan.snapshot is None:
        return executor_of(home, genesis_image(home.genesis))
    _, image = snapshot_image(read_snapshot(home.path, plan.snapshot), home.identity)
    return executor_of(home, image)


def fed(
    replay: Replay,
    scans: Iterable[SegmentScan],
    height_last: int | None,
    progress: Progress | None,
    goal: int,
) -> None:
    """Feed a replay segment by segment, in pieces so that progress shows."""
    for scan in scans:
        for at in range(0, len(scan.records), 256):
            replay.feed(scan.records[at : at + 256], height_last)
            if progress is not None:
                progress(replay.executor.height, goal)
        if height_last is not None and replay.executor.height >= height_last:
            break
    replay.settle()


def recover(home: Home, files: LogFiles, progress: Progress | None = None) -> Recovered:
    """Load the newest sound snapshot and replay the log after it.

    Raises HomeRefused, ReplayRefused, VersionMissing, AuditFailed or StorageFailed.
    """
    plan = decided(snapshots_found(home), files.segments_found)
    replay = Replay(loaded(home, plan), home.identity)
    replay.settle_from = files.height_last
    fed(replay, files.read_segments(plan.replay_segment), None, progress, files.height_last)
    refuse_old_program(replay)
    return Recovered(replay, plan)


def refuse_old_program(replay: Replay) -> None:
    """Refuse to go on where the next block needs rules that this program lacks.

    Raises VersionMissing.
    """
    height = replay.executor.height + 1
    version = replay.executor.version_at(height)
    release = replay.release
    if not release.knows(release.forced(replay.identity, height, version) or version):
        sentence = version_wanted(height, version)
        raise VersionMissing(f"{sentence[:1].upper()}{sentence[1:]}.")


def noted(scans: Iterable[SegmentScan], notes: list[Record]) -> Iterator[SegmentScan]:
    """Pass scans on, and keep the notes in them of why a halted home was resumed."""
    for scan in scans:
        notes += [record for record in scan.records if record.kind == RESUMED]
        yield scan


def segments_listed(home: Home) -> list[SegmentFound]:
    """Describe the segments by their headers alone; the last one's height is only a lower bound."""
    numbers = segment_numbers(home.path)
    headers = []
    for number in numbers:
        with segment_path(home.path, number).open("rb") as file:
            headers.append(header_read(file.read(SECTOR_BYTES), number, home.identity))
    ends = [header.height_before for header in headers[1:]]
    ends += [header.height_before for header in headers[-1:]]
    return [
        SegmentFound(header.number, header.sequence_first, header.height_before, end)
        for header, end in zip(headers, ends, strict=True)
    ]


def usable_image(home: Home, height_max: int | None) -> Image:
    """Load the newest sound snapshot of at most that height, or genesis."""
    for name in reversed(snapshot_names(home.path)):
        try:
            head, image = snapshot_image(read_snapshot(home.path, name), home.identity)
        except StorageRefusal:
            continue
        if height_max is None or head.height <= height_max:
            return image
    return genesis_image(home.genesis)


def restored(
    home: Home,
    height: int | None = None,
    progress: Progress | None = None,
    snapshot_max: int | None = None,
    notes: list[Record] | None = None,
) -> Replay:
    """Restore the state of a height, or of the last durable block, without the lock.

    snapshot_max: start from no later snapshot, so that blocks above it execute again. notes:
    takes those of the segments that are read.
    Raises HomeRefused, ReplayRefused, VersionMissing, AuditFailed, LogDamaged, StorageFailed.
    """
    refuse_lost_log(home)
    segments = segments_listed(home)
    image = usable_image(home, height if snapshot_max is None else snapshot_max)
    executor = executor_of(home, image)
    if executor.height < segments[0].height_before:
        raise HomeRefused(
            f"The log of {home.path} starts after height {segments[0].height_before}, and no "
            f"snapshot in {SNAPSHOT_FOLDER} is of a height that would do."
        )
    first = [found.number for found in segments if found.height_before <= executor.height][-1]
    replay = Replay(executor, home.identity)
    goal = height if height is not None else segments[-1].height_last
    scans = noted(follow_segments(home.path, home.identity, first), [] if notes is None else notes)
    fed(replay, scans, height, progress, goal)
    if height is not None and replay.executor.height != height:
        raise HomeRefused(
            f"The log of {home.path} holds no durable block {height}; "
            f"its last is {replay.executor.height}."
        )
    return replay


def snapshot_bytes(home: Home, replay: Replay) -> Iterable[bytes]:
    """Give the bytes of a snapshot of a settled replay."""
    return snapshot_chunks(home.identity, replay.executor.image(), replay.executor.root)
