"""From a home to a replica: what a crash may have left, and what is put right."""

from pathlib import Path

import pytest

from quorate.replica.messages import Append, Judged, Synced
from quorate.replica.records import checkpoint_holds
from quorate.replica.replica import Replica
from quorate.runtime.disk import HomeRefused
from quorate.runtime.files import snapshot_names, snapshot_path, write_snapshot
from quorate.runtime.halt import Halt, write_halt
from quorate.runtime.home import Home, init_home
from quorate.runtime.recover import restored, snapshot_bytes, snapshot_name
from quorate.runtime.snapshotter import made_read, make, prune_plan
from quorate.runtime.start import Started, log_effects, start
from quorate.storage.log import Kind
from tests.live.nodes import config_text
from tests.replica.world import ALICE, FUNDS, NOW, bundle, judged_batch, request


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make a home of the specification, with small segments."""
    return init_home(tmp_path / "home", config_text=config_text(segment_mib=1, machine="spec"))


def add_blocks(started: Started, count: int, first: int = 0) -> None:
    """Make blocks of one bundle, each on disk before the next."""
    replica = started.replica
    for number in range(first, first + count):
        batch = judged_batch(request(number, bundle(ALICE, number, FUNDS)))
        log_effects(started.files, replica.step(NOW + 10 * number, Judged(batch)))
        replica.step(NOW, Synced(replica.executor.height))


def blocks_made(home: Home, count: int) -> Replica:
    started = start(home)
    add_blocks(started, count)
    started.files.close()
    return started.replica


def test_a_start_stands_where_the_last_run_ended(home: Home) -> None:
    before = blocks_made(home, 5)
    started = start(home)
    assert started.replica.executor.root == before.executor.root
    assert started.replica.checkpoint == before.checkpoint
    assert (started.blocks, started.bundles, started.commands) == (5, 5, 5)
    assert started.snapshot is None and started.torn is None
    started.files.close()


def test_block_time_does_not_go_back_over_a_restart(home: Home) -> None:
    blocks_made(home, 3)
    started = start(home)
    batch = judged_batch(request(9, bundle(ALICE, 9, FUNDS)))
    started.replica.step(NOW - 10_000, Judged(batch))
    assert started.replica.executor.time_ms == NOW + 20
    started.files.close()


def test_a_block_that_was_not_signed_before_the_crash_is_signed_at_the_start(home: Home) -> None:
    started = start(home)
    add_blocks(started, 2)
    batch = judged_batch(request(7, bundle(ALICE, 7, FUNDS)))
    effects = started.replica.step(NOW + 70, Judged(batch))
    only_block = [e for e in effects if isinstance(e, Append) and e.kind == Kind.BLOCK]
    log_effects(started.files, list(only_block))
    started.files.close()
    again = start(home)
    assert again.replica.executor.height == 3
    assert again.replica.checkpoint == started.replica.checkpoint
    assert again.replica.checkpoint is not None and checkpoint_holds(again.replica.checkpoint)
    again.files.close()
    assert restored(home).checkpoint == again.replica.checkpoint, "it is in the log now"


def test_a_torn_tail_is_cut_and_the_rest_stands(home: Home) -> None:
    before = blocks_made(home, 4)
    path = home.path / "log" / "0000000000.seg"
    data = bytearray(path.read_bytes())
    end = len(bytes(data).rstrip(b"\0"))
    data[end + 8 : end + 108] = b"\x55" * 100
    path.write_bytes(data)
    started = start(home)
    assert started.torn is not None
    assert started.replica.executor.root == before.executor.root
    started.files.close()
    again = start(home)
    assert again.torn is None
    again.files.close()


def test_snapshots_shorten_recovery_and_a_bad_one_only_costs_time(home: Home) -> None:
    before = blocks_made(home, 6)
    for height in (2, 4):
        assert make(home, height).fault == ""
    started = start(home)
    assert (started.snapshot, started.blocks) == (snapshot_name(4), 2)
    assert started.replica.executor.root == before.executor.root
    started.files.close()
    path = snapshot_path(home.path, snapshot_name(4))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    started = start(home)
    assert (started.snapshot, started.blocks) == (snapshot_name(2), 4)
    assert started.replica.executor.root == before.executor.root
    started.files.close()


def test_a_snapshot_is_the_same_bytes_however_it_was_made(home: Home) -> None:
    replica = blocks_made(home, 6)
    make(home, 3)
    from_snapshot = b"".join(snapshot_bytes(home, restored(home, 6)))
    from_genesis = b"".join(snapshot_bytes(home, restored(home, 6, None, 0)))
    assert from_snapshot == from_genesis
    assert replica.executor.root in from_snapshot


def test_a_log_that_executes_to_another_root_is_a_fault_of_the_snapshot(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quorate.replica.executor import Executor

    blocks_made(home, 3)
    healthy = Executor.commit

    def sick(self: Executor) -> object:
        executed = healthy(self)
        self.root = bytes(32)
        return executed

    monkeypatch.setattr(Executor, "commit", sick)
    made = make(home, 3)
    assert "was signed with root" in made.fault and snapshot_names(home.path) == []


def test_a_snapshot_process_that_died_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert made_read(b"", -9).fault == ""
    assert "without a report" in capsys.readouterr().err


def test_pruning_keeps_two_snapshots_and_the_log_above_the_older(home: Home) -> None:
    started = start(home)
    for height in range(60):
        batch = [bundle(ALICE, 100 * height + at, *[FUNDS] * 200) for at in range(3)]
        made = judged_batch(request(height, *batch))
        log_effects(started.files, started.replica.step(NOW + height, Judged(made)))
        started.replica.step(NOW, Synced(height + 1))
    started.files.close()
    for height in (20, 40, 55):
        made_snapshots = make(home, height).snapshots
    plan = prune_plan(home, made_snapshots)
    assert plan.prune_snapshots == (snapshot_name(20),) and plan.prune_segments
    started = start(home)
    started.files.prune(plan)
    started.files.close()
    again = start(home)
    assert again.snapshot == snapshot_name(55)
    assert again.replica.executor.root == started.replica.executor.root
    again.files.close()
    with pytest.raises(HomeRefused, match="The log of .* starts after height"):
        restored(home, 3)


def test_a_halted_home_is_not_started(home: Home) -> None:
    write_halt(home.path, Halt(3, bytes(32), "a reason"))
    with pytest.raises(HomeRefused, match="is halted at height 3: a reason"):
        start(home)


def test_a_snapshot_beyond_the_log_is_refused(home: Home, tmp_path: Path) -> None:
    blocks_made(home, 5)
    chunks = list(snapshot_bytes(home, restored(home, 5)))
    other = init_home(tmp_path / "other", config_text=config_text(segment_mib=1, machine="spec"))
    write_snapshot(other.path, snapshot_name(5), chunks)
    with pytest.raises(HomeRefused, match="the log was lost or restored from an older copy"):
        start(other)
