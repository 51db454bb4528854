"""The snapshot process: restore the last snapshot, replay the log above it, write the next one.

    python -m quorate.runtime.snapshotter HOME HEIGHT

It reads the home without its lock while the node goes on. The root that it comes to must be the one
that the node signed at that height, so every snapshot is also a check that restoring and replaying
gives what executing gave. It reports one JSON object on stdout: `fault`, empty or a sentence, and
`snapshots`, [name, height, sound] of each that is there now. The node halts on a fault.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.replica.audit import whole_check
from quorate.replica.errors import AuditFailed, ReplayRefused
from quorate.runtime.files import write_snapshot
from quorate.runtime.home import Home, read_home
from quorate.runtime.recover import (
    decided,
    restored,
    segments_listed,
    snapshot_bytes,
    snapshot_name,
    snapshots_found,
)
from quorate.storage.errors import LogDamaged
from quorate.storage.recovery import Plan, SnapshotFound

COMMAND: Final = (sys.executable, "-m", "quorate.runtime.snapshotter")
NICENESS: Final = 10


@dataclass(frozen=True, slots=True)
class Made:
    """What the process reports."""

    fault: str
    snapshots: tuple[SnapshotFound, ...]


def made_read(output: bytes, exit_code: int) -> Made:
    """Read a report. A process that died without one has found nothing, neither good nor bad."""
    try:
        tree = json.loads(output)
        found = tuple(SnapshotFound(*fields) for fields in tree["snapshots"])
        return Made(str(tree["fault"]), found)
    except (ValueError, TypeError, KeyError):
        sys.stderr.write(f"The snapshot process ended with {exit_code} and without a report.\n")
        return Made("", ())


def make(home: Home, height: int) -> Made:
    """Make the snapshot of a height. Raises HomeRefused, StorageFailed or VersionMissing."""
    try:
        replay = restored(home, height)
        signed = replay.checkpoint
        if signed is None or signed.height != height:
            return Made(f"the log holds no checkpoint of height {height}", ())
        whole_check(replay.executor.tables)
    except (ReplayRefused, AuditFailed, LogDamaged) as error:
        return Made(str(error).rstrip("."), ())
    write_snapshot(home.path, snapshot_name(height), snapshot_bytes(home, replay))
    return Made("", tuple(snapshots_found(home)))


def prune_plan(
    home: Home, snapshots: Sequence[SnapshotFound], sequence_keep: int | None = None
) -> Plan:
    """Decide what the snapshots that were found make superfluous.

    sequence_keep: the first record that agreement would still replay.
    """
    segments = segments_listed(home)
    # The last segment's header does not know its last height; what has a snapshot was logged.
    reached = max([found.height for found in snapshots if found.sound], default=0)
    last = segments[-1]
    segments[-1] = last._replace(height_last=max(last.height_last, reached))
    return decided(list(snapshots), segments, sequence_keep)


def main(arguments: Sequence[str]) -> int:
    """Run the process."""
    os.nice(NICENESS)
    made = make(read_home(Path(arguments[0])), int(arguments[1]))
    sys.stdout.write(json.dumps({"fault": made.fault, "snapshots": made.snapshots}) + "\n")
    return 1 if made.fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
