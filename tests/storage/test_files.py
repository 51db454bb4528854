"""The driver on a real disk: locks, full and failing disks, kill -9, snapshots, pruning, halts."""

import errno
import fcntl
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.runtime import files as files_module
from quorate.runtime.disk import HomeLocked, HomeRefused, StorageFailed
from quorate.runtime.files import LogFiles, follow_segments, segment_path
from quorate.runtime.halt import Halt, read_halt, remove_halt, write_halt
from quorate.storage.errors import LogDamaged, RecordTooLarge, WrongChain
from quorate.storage.log import SEGMENT_BYTES_MIN, Identity, Kind
from quorate.storage.recovery import Plan, SnapshotFound, decide
from quorate.storage.writer import Entry
from tests.storage.logs import IDENTITY, payloads_of

ROOT = Path(__file__).resolve().parents[2]


def made(
    home: Path, blocks: int = 0, size: int = 100, segment_bytes: int = SEGMENT_BYTES_MIN
) -> LogFiles:
    log = LogFiles.create(home, IDENTITY, segment_bytes)
    for height in range(1, blocks + 1):
        log.append([block(height, size)])
        log.sync()
    return log


def block(height: int, size: int = 100) -> Entry:
    return Entry(Kind.BLOCK, height, bytes([height % 256]) * size)


def reopened(home: Path) -> LogFiles:
    return LogFiles.open(home, IDENTITY, SEGMENT_BYTES_MIN)


def process(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


def test_what_was_written_is_read_after_reopening(tmp_path: Path) -> None:
    with made(tmp_path, 8, 3000) as log:
        written = payloads_of(list(log.read_segments()))
        assert log.durable == log.sequence_last == 8
    with reopened(tmp_path) as log:
        assert log.torn is None
        assert (log.sequence_last, log.durable, log.height_last) == (8, 8, 8)
        assert [found.height_last for found in log.segments_found] == [1, 2, 3, 4, 5, 6, 7, 8][1::2]
        assert log.append([block(9)]) == range(9, 10)
        assert payloads_of(list(log.read_segments())) == [*written, block(9).payload]
    assert segment_path(tmp_path, 0).stat().st_size == SEGMENT_BYTES_MIN


def test_a_torn_tail_is_cut_and_reported(tmp_path: Path) -> None:
    log = made(tmp_path, 0, segment_bytes=2 * SEGMENT_BYTES_MIN)
    for height in (1, 2):
        log.append([block(height)])
        log.sync()
    log.append([block(3)])
    place = next(log.read_segments()).records[2].offset
    log.close()
    with segment_path(tmp_path, 0).open("r+b") as file:
        # As if the machine had lost power before the last sync and the mark.
        file.seek(place + 70)
        file.write(bytes(2 * SEGMENT_BYTES_MIN - place - 70))
    with reopened(tmp_path) as log:
        assert log.torn is not None and (log.torn.offset, log.torn.sequence) == (place, 3)
        assert log.sequence_last == 2
    with reopened(tmp_path) as log:
        assert log.torn is None


def test_damage_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    made(tmp_path, 2).close()
    path = segment_path(tmp_path, 0)
    data = bytearray(path.read_bytes())
    data[4096 + 80] ^= 1
    path.write_bytes(data)
    for _ in range(2):
        with pytest.raises(LogDamaged, match="sequence 1"):
            reopened(tmp_path)
    assert path.read_bytes() == data
    with pytest.raises(WrongChain):
        LogFiles.open(tmp_path, Identity(8, bytes(32)))


def test_homes_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(HomeRefused, match="not a directory"):
        reopened(tmp_path / "nothing")
    with pytest.raises(HomeRefused, match="`init` makes one, `run` never does"):
        reopened(tmp_path)
    made(tmp_path).close()
    with pytest.raises(HomeRefused, match="has a log already"):
        made(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HomeRefused, match="cannot be made"):
        made(tmp_path / "file" / "home")


def test_second_opener_is_told_who_holds_the_home(tmp_path: Path) -> None:
    holder = process("tests/storage/writer_process.py", str(tmp_path), "create", "65536")
    assert holder.stdout is not None and holder.stdout.readline() == "ready\n"
    with pytest.raises(HomeLocked, match=f"held by process {holder.pid}; stop it first"):
        reopened(tmp_path)
    holder.kill()
    holder.communicate()
    with reopened(tmp_path), pytest.raises(HomeLocked, match=f"process {os.getpid()}"):
        reopened(tmp_path)


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(9)
    acknowledged = 0
    for turn in range(20):
        how = "open" if turn else "create"
        writer = process("tests/storage/writer_process.py", str(tmp_path), how, "65536")
        assert writer.stdout is not None and writer.stderr is not None
        assert writer.stdout.readline() == "ready\n", writer.stderr.read()
        for _ in range(rng.randrange(40)):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        left, error = writer.communicate()
        assert error == ""
        whole_lines = left.split("\n")[:-1]
        acknowledged = int(whole_lines[-1]) if whole_lines else acknowledged
    with reopened(tmp_path) as log:
        records = [record for scan in log.read_segments() for record in scan.records]
        assert log.segments_found[-1].number > 1
        assert len(records) >= acknowledged > 100
        for n, record in enumerate(records, 1):
            assert (record.sequence, record.height) == (n, n)
            assert bytes(record.payload) == b"%d " % n * (n % 700)


def failing(code: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_failed_write_or_sync_is_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    log = made(tmp_path, 2)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(code))
        with pytest.raises(StorageFailed, match=errno.errorcode[code]):
            log.append([block(3)])
            log.sync()
    # The disk works again, but what it has forgotten is not known: no second try.
    later: list[Callable[[], object]] = [
        lambda: log.append([block(4)]), log.sync, lambda: list(log.read_segments()),
        lambda: log.write_snapshot("s", []), lambda: log.prune(Plan(None, 0, 0, 1, (), (), ())),
    ]
    for use in later:
        with pytest.raises(StorageFailed, match=errno.errorcode[code]):
            use()
    log.close()
    with reopened(tmp_path) as log:
        assert log.sequence_last in (2, 3)


@pytest.mark.parametrize("call", ["posix_fallocate", "fsync", "open", "rename"])
def test_failed_rollover_is_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    log = made(tmp_path, 1, 7000)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(errno.EMFILE))
        with pytest.raises(StorageFailed, match=r"create .*EMFILE"):
            log.append([block(2, 7000)])
    with pytest.raises(StorageFailed):
        log.append([block(2)])
    log.close()
    with reopened(tmp_path) as log:
        assert (log.sequence_last, log.durable) == (1, 1)
        log.append([block(2, 7000)])
        log.sync()


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_pwrite = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda fd, data, at: whole_pwrite(fd, data[:1000], at))
        made(tmp_path, 3, 3000).close()
    with reopened(tmp_path) as log:
        assert log.sequence_last == 3


LIMITED = """
import resource, sys
from pathlib import Path
from quorate.runtime.disk import StorageFailed
from quorate.runtime.files import LogFiles
from quorate.storage.writer import Entry
from tests.storage.logs import IDENTITY
home = Path(sys.argv[1])
log = LogFiles.create(home, IDENTITY, 1 << 17)
log.append([Entry(1, 1, b"kept")])
log.sync()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for height in range(2, 100):
        log.append([Entry(1, height, bytes(10_000))])
        print(log.sync())
except StorageFailed as failure:
    sys.exit(str(failure))
"""


@pytest.mark.parametrize(("limit", "action"), [(60_000, "write to"), (1 << 17, "create")])
def test_file_size_limit(tmp_path: Path, limit: int, action: str) -> None:
    # At the second limit the first segment fits, and a larger snapshot or segment would not.
    script = LIMITED if limit < 1 << 17 else LIMITED.replace(
        "log.sync()\nresource", "log.sync()\nlog._writer.segment_bytes = 1 << 18\nresource"
    )
    child = process("-c", script, str(tmp_path), str(limit))
    output, error = child.communicate()
    assert child.returncode == 1
    assert error.startswith(f"Could not {action} {tmp_path}") and "EFBIG" in error
    assert error.count("\n") == 1
    acknowledged = int(output.split()[-1])
    with LogFiles.open(tmp_path, IDENTITY) as log:
        assert log.sequence_last >= acknowledged > 3
    assert not list((tmp_path / "log").glob("*.tmp"))


def test_record_too_large_changes_nothing(tmp_path: Path) -> None:
    with made(tmp_path, 1) as log:
        with pytest.raises(RecordTooLarge):
            log.append([block(2), block(3, SEGMENT_BYTES_MIN)])
        assert log.append([block(2)]) == range(2, 3)


def test_follower_sees_what_is_durable_and_needs_no_lock(tmp_path: Path) -> None:
    with made(tmp_path, 5, 3000) as log:
        log.append([block(6)])
        seen = [r.sequence for scan in follow_segments(tmp_path, IDENTITY) for r in scan.records]
        assert seen == [1, 2, 3, 4, 5]
        log.sync()
        scans = list(follow_segments(tmp_path, IDENTITY, 1))
        assert [r.sequence for scan in scans for r in scan.records][-1] == 6
        assert scans[0].header.number == 1


def test_follower_looks_again_before_it_calls_a_moving_log_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made(tmp_path, 2) as log:
        good = segment_path(tmp_path, 0).read_bytes()
        hole = good[:4096] + bytes(4096) + good[8192:]
        reads = [hole, hole, good]
        monkeypatch.setattr(files_module, "read_whole", lambda _: reads.pop(0))
        assert len(next(follow_segments(tmp_path, IDENTITY)).records) == 2
        reads = [hole] * 5
        with pytest.raises(LogDamaged):
            next(follow_segments(tmp_path, IDENTITY))
        log.sync()


def test_leftovers_of_a_crash_are_cleared_but_not_those_at_work(tmp_path: Path) -> None:
    made(tmp_path).close()
    dead, at_work = tmp_path / "snapshots" / "s1.tmp", tmp_path / "snapshots" / "s2.tmp"
    dead.write_bytes(b"half")
    (tmp_path / "log" / "0000000001.seg.tmp").write_bytes(b"half")
    with at_work.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(HomeLocked):
            files_module.write_snapshot(tmp_path, "s2", [b"two at once"])
        reopened(tmp_path).close()
        assert files_module.snapshot_names(tmp_path) == []
        assert os.listdir(tmp_path / "snapshots") == ["s2.tmp"]
    assert os.listdir(tmp_path / "log") == ["0000000000.seg"]


def test_snapshots_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with made(tmp_path) as log:
        log.write_snapshot("s1", [b"one", b"two"])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(errno.EIO))
            with pytest.raises(StorageFailed, match="EIO"):
                files_module.write_snapshot(tmp_path, "s2", [b"three"])
        assert os.listdir(tmp_path / "snapshots") == ["s1"]
        files_module.write_snapshot(tmp_path, "s2", [b"four"])
        assert files_module.read_snapshot(tmp_path, "s1") == b"onetwo"
        assert files_module.read_snapshot(tmp_path, "s2") == b"four"
        log.append([block(1)])


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("other_disk", [False, True])
def test_prune_by_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archived: bool, other_disk: bool
) -> None:
    home, archive = tmp_path / "home", tmp_path / "archive"
    archive.mkdir()
    made(home, 8, 3000).close()
    with reopened(home) as log:
        for height in (1, 5, 7):
            log.write_snapshot(f"s{height}", [b"%d" % height])
        found = [SnapshotFound(f"s{height}", height, True) for height in (1, 5, 7)]
        plan = decide(found, log.segments_found)
        assert isinstance(plan, Plan) and plan.prune_segments == (0, 1)
        whole = segment_path(home, 0).read_bytes()
        with monkeypatch.context() as patch:
            if other_disk:
                move = os.rename
                patch.setattr(os, "rename", lambda source, target: (
                    move(source, target) if str(source).endswith(".tmp")
                    else failing(errno.EXDEV)()
                ))
            log.prune(plan, archive if archived else None)
        assert files_module.segment_numbers(home) == [2, 3, 4]
        assert files_module.snapshot_names(home) == ["s5", "s7"]
        names = sorted(path.name for path in archive.iterdir())
        assert names == (["0000000000.seg", "0000000001.seg", "s1"] if archived else [])
        if archived:
            assert (archive / "0000000000.seg").read_bytes() == whole
    reopened(home).close()


def test_halt_marker(tmp_path: Path) -> None:
    assert read_halt(tmp_path) is None
    halt = Halt(12, b"d" * 32, "the book is crossed: 5 > 4")
    write_halt(tmp_path, halt)
    assert read_halt(tmp_path) == halt
    path = tmp_path / "halt.json"
    for damaged in (b"", b"{}", b"[1]", b"\xff", path.read_bytes().replace(b"12", b'"12"')):
        path.write_bytes(damaged)
        found = read_halt(tmp_path)
        assert found is not None and "damaged" in found.reason
    remove_halt(tmp_path)
    remove_halt(tmp_path)
    assert read_halt(tmp_path) is None


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    made(tmp_path, 5, 3000).close()
    for _ in range(3):
        with pytest.raises(WrongChain):
            LogFiles.open(tmp_path, Identity(8, bytes(32)))
        reopened(tmp_path).close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > before
