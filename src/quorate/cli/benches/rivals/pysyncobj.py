"""PySyncObj, a Raft library in Python: 3 or 4 real processes over loopback TCP, journal on disk.

Durability as the library offers it, no more can be asked for: the journal is a memory-mapped file
that is written before an entry is sent or acknowledged but never synced, so that a record survives
the death of its processes and not a power cut. Nothing is signed and nothing is checked.

The load comes from within the leader's process, records as opaque bytes in calls of a replicated
method, a fixed number of calls under way. Each node runs its own loop (`autoTick=False`), which is
faster than the library's thread, and sends its batches every few milliseconds.
"""

import importlib.util
import json
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from quorate.cli.benches.rivals.processes import Group, attempted, free_ports
from quorate.cli.benches.rivals.records import RECORD_BYTES, pool
from quorate.cli.benches.rivals.results import Load, NotMeasured, Rival, Skipped

INSTALL = "The package pysyncobj is not installed; pip install pysyncobj==0.3.17"
DURABILITY = "journal in a memory-mapped file, never synced: survives kill -9, not a power cut"
PROGRAM = "quorate.cli.benches.rivals.pysyncobj_node"

# The fastest of those tried on two cores; the period is what a lone call waits for.
SINGLE = Load(requests=1_000, records=1)
BATCHED = Load(requests=50, records=500)
PERIOD_S = 0.002
BATCH_BYTES = 2**16
# Compaction stops everything else, so let it be rare; but a journal cannot grow past 4 GiB.
JOURNAL_BYTES = 2**28
COMPACTION_ENTRIES_MAX = 500_000

LEADER_S_MAX = 30
SETTLED_S_MAX = 10


class Nodes:
    """The node processes, addressed by number, with a deadline on every answer."""

    def __init__(self, children: Group, settings: dict[str, Any], count: int) -> None:
        addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
        self.children = children
        self.processes: list[subprocess.Popen[bytes]] = []
        self.selector = selectors.DefaultSelector()
        for number, own in enumerate(addresses):
            folder = children.folder / str(number)
            folder.mkdir()
            others = [address for address in addresses if address != own]
            text = json.dumps({**settings, "own": own, "others": others, "folder": str(folder)})
            child = children.start(f"node{number}", [sys.executable, "-m", PROGRAM, text])
            self.processes.append(child)
            assert child.stdout is not None
            self.selector.register(child.stdout, selectors.EVENT_READ, number)

    def ask(self, number: int, line: str) -> None:
        """Send one line to a node."""
        pipe = self.processes[number].stdin
        assert pipe is not None
        pipe.write(line.encode() + b"\n")
        pipe.flush()

    def heard(self, seconds: float, what: str) -> tuple[int, str]:
        """The next line of any node; raises NotMeasured when none comes within `seconds`."""
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            for key, _events in self.selector.select(0.2):
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if line:
                    return key.data, line.decode().strip()
            self.children.refuse_dead()
        raise NotMeasured(f"It gave no {what} within {seconds:.0f} s: {self.children.log_tail()}")

    def answer(self, number: int, line: str, seconds: float) -> str:
        """Ask one node and wait for its answer; a late `leader` of another is passed over."""
        self.ask(number, line)
        end_s = time.perf_counter() + seconds
        while True:
            speaker, text = self.heard(end_s - time.perf_counter(), f"answer to {line}")
            if speaker == number and text != "leader":
                return text


def settled(nodes: Nodes, records: int) -> None:
    """Wait until a majority has applied `records`; raise NotMeasured when it does not."""
    count = len(nodes.processes)
    end_s = time.perf_counter() + SETTLED_S_MAX
    while time.perf_counter() < end_s:
        applied = [int(nodes.answer(number, "count", SETTLED_S_MAX)) for number in range(count)]
        if sum(has >= records for has in applied) > count // 2:
            return
        time.sleep(0.1)
    raise NotMeasured(f"{records} records were acknowledged, its nodes applied {applied}.")


def driven(children: Group, name: str, seconds: int, count: int, load: Load) -> Rival:
    """Run the nodes and the load; raises NotMeasured."""
    records = children.folder / "pool"
    records.write_bytes(pool())
    settings = {
        "seconds": seconds,
        "pool": str(records),
        "requests": load.requests,
        "records": load.records,
        "record_bytes": RECORD_BYTES,
        "period_s": PERIOD_S,
        "batch_bytes": BATCH_BYTES,
        "compaction_entries": min(
            COMPACTION_ENTRIES_MAX, JOURNAL_BYTES // (load.records * RECORD_BYTES)
        ),
    }
    nodes = Nodes(children, settings, count)
    leader, _line = nodes.heard(LEADER_S_MAX, "leader")
    found = json.loads(nodes.answer(leader, "drive", seconds + 30))
    if found["failed"]:
        raise NotMeasured(f"{found['failed']} of its calls failed.")
    if found["p99_ms"] is None:
        raise NotMeasured(f"No call was answered within {seconds} s.")
    settled(nodes, found["acknowledged"] * load.records)
    return Rival(
        name,
        count,
        found["answers"] * load.records / seconds,
        found["p50_ms"],
        found["p99_ms"],
        load.words("call", "record"),
        DURABILITY,
    )


def installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("pysyncobj") is not None


def measure(
    seconds: int, folder: Path, *, nodes: int = 3, load: Load = BATCHED
) -> Rival | Skipped:
    """Measure PySyncObj for `seconds` with its journals under `folder`."""
    name = f"pysyncobj_{nodes}" if load.records == 1 else f"pysyncobj_{nodes}_batched"
    if not installed():
        return Skipped(name, INSTALL)
    return attempted(
        name, folder, lambda children: driven(children, name, seconds, nodes, load)
    )
