"""One PySyncObj node as a process: `python -m` this module with its settings as JSON.

It says `leader` on stdout when it leads and is connected to all others. On `drive` on stdin it
drives the load of its settings from within its own process, which is the shortest way to a
PySyncObj leader, and says its figures as JSON; on `count` it says how many records it has applied.
It ends when stdin does.
"""

import gc
import importlib
import json
import select
import sys
import time
from pathlib import Path
from typing import Any

from quorate.cli.benches.rivals.results import percentile

TICK_S = 0.001
IDLE_TICK_S = 0.02
WARM_UP_S = 1.0


def ledger_class() -> Any:
    """The replicated object: it counts the records that it is given."""
    library: Any = importlib.import_module("pysyncobj")

    class Ledger(library.SyncObj):  # type: ignore[misc]
        """Counts bytes of opaque records; the count is the replicated state."""

        def __init__(self, own: str, others: list[str], conf: Any) -> None:
            super().__init__(own, others, conf)
            self.bytes_count = 0

        @library.replicated
        def append(self, records: bytes) -> None:
            """Apply one call."""
            self.bytes_count += len(records)

    return Ledger


def configuration(settings: dict[str, Any]) -> Any:
    """Settings for throughput: batches every few milliseconds, rare compaction, journal on disk."""
    library: Any = importlib.import_module("pysyncobj")
    folder = Path(settings["folder"])
    return library.SyncObjConf(
        autoTick=False,
        journalFile=str(folder / "journal"),
        fullDumpFile=str(folder / "dump"),
        appendEntriesUseBatch=True,
        appendEntriesPeriod=settings["period_s"],
        appendEntriesBatchSizeBytes=settings["batch_bytes"],
        sendBufferSize=2**20,
        recvBufferSize=2**20,
        raftMinTimeout=2.0,
        raftMaxTimeout=4.0,
        connectionTimeout=8.0,
        connectionRetryTime=0.2,
        # Compaction copies the journal while nothing else happens: let it be rare.
        logCompactionMinEntries=settings["compaction_entries"],
        commandsQueueSize=0,
    )


def said(*parts: object) -> None:
    """Write one line to the parent."""
    print(*parts, flush=True)


class Driver:
    """A closed loop: `requests` calls under way, each answered when it is committed and applied."""

    def __init__(self, node: Any, settings: dict[str, Any]) -> None:
        self.node = node
        self.requests: int = settings["requests"]
        self.call_bytes: int = settings["records"] * settings["record_bytes"]
        pool = Path(settings["pool"]).read_bytes()
        self.pool_bytes = len(pool)
        self.pool = pool + pool[: self.call_bytes]
        self.place = 0
        self.under_way = 0
        self.failed = 0
        self.answers: list[tuple[float, float]] = []

    def submit(self) -> None:
        """Make one call."""
        self.place = (self.place + self.call_bytes) % self.pool_bytes
        sent_s = time.perf_counter()

        def answered(_result: object, reason: int) -> None:
            self.under_way -= 1
            if reason:
                self.failed += 1
            else:
                self.answers.append((sent_s, time.perf_counter()))

        self.under_way += 1
        self.node.append(self.pool[self.place : self.place + self.call_bytes], callback=answered)

    def run(self, seconds: float) -> dict[str, Any]:
        """Drive for a warm-up and for `seconds`, then let the calls under way end."""
        start_s = time.perf_counter() + WARM_UP_S
        end_s = start_s + seconds
        while time.perf_counter() < end_s:
            while self.under_way < self.requests:
                self.submit()
            self.node.doTick(TICK_S)
        limit_s = time.perf_counter() + 10
        while self.under_way and time.perf_counter() < limit_s:
            self.node.doTick(TICK_S)
        inside = [(a, b) for a, b in self.answers if start_s <= b < end_s]
        latencies_ms = sorted(1000 * (b - a) for a, b in inside if a >= start_s)
        return {
            "answers": len(inside),
            "acknowledged": len(self.answers),
            "failed": self.failed + self.under_way,
            "p50_ms": percentile(latencies_ms, 50) if latencies_ms else None,
            "p99_ms": percentile(latencies_ms, 99) if latencies_ms else None,
        }


def answer(node: Any, line: str, settings: dict[str, Any]) -> None:
    """Do what the parent asks in one line."""
    if line == "drive":
        said(json.dumps(Driver(node, settings).run(settings["seconds"])))
    elif line == "count":
        said(node.bytes_count // settings["record_bytes"])


def main(text: str) -> None:
    """Run the node until stdin ends."""
    # The journal is a list of millions of tuples without cycles: walking it only costs time.
    gc.disable()
    settings = json.loads(text)
    others: list[str] = settings["others"]
    node = ledger_class()(settings["own"], others, configuration(settings))
    announced = False
    while True:
        node.doTick(IDLE_TICK_S)
        status = node.getStatus() if not announced else {}
        linked = [status.get(f"partner_node_status_server_{other}") == 2 for other in others]
        if not announced and node._isLeader() and node.isReady() and all(linked):
            announced = True
            said("leader")
        if select.select([sys.stdin], [], [], 0)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            answer(node, line.strip(), settings)


if __name__ == "__main__":
    main(sys.argv[1])
