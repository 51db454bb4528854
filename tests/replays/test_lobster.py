"""LOBSTER: the replayer against a naive book, on made-up messages and on NASDAQ's."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from quorate.replica.executor import spec_machine
from quorate.sim.replays import lobster, venue
from quorate.sim.replays.formats import read
from quorate.sim.replays.lobster import OLDER, PASSED_OVER, REANNOUNCED, TOO_LARGE
from quorate.sim.replays.venue import World
from tests.conftest import ROOT
from tests.replays import naive
from tests.replays.samples import lobster_lines, written

WORLD = World(time.perf_counter_ns)
AAPL = "lobster_AAPL_20120621_0930_1030_message_50.csv.gz"
TIMING = ("commands_per_second", "time_ms")


def expected(lines: list[str]) -> dict[str, int]:
    rows = naive.rows_of(lines)
    return {
        "executions_recorded": sum(row[0] == naive.EXECUTE for row in rows),
        "executions_reproduced": len(naive.reproduced(rows, closed=True)),
        "reproduced_open_loop": len(naive.reproduced(rows, closed=False)),
    }


def holds_together(report: dict[str, Any]) -> None:
    assert report["conservation_delta"] == report["open_loop"]["conservation_delta"] == 0
    assert report["self_trades"] == report["unexplained"] == 0
    assert report["rejects"] == {}
    unmatched = report["unmatched"]
    assert len(unmatched) == report["executions_recorded"] - report["executions_reproduced"]
    assert {each["reason"] for each in unmatched} <= {OLDER, PASSED_OVER, REANNOUNCED, TOO_LARGE}


@pytest.mark.parametrize("seed", range(3))
def test_made_up_messages_come_out_as_in_the_naive_book(seed: int, tmp_path: Path) -> None:
    lines = lobster_lines(seed, 900)
    path = written(tmp_path, "made.csv", "\n".join(lines) + "\n")
    report = lobster.replay(read(path, "lobster"), WORLD)
    holds_together(report)
    wanted = expected(lines)
    assert {name: report[name] for name in wanted} == wanted
    missed = {each["line"] for each in report["unmatched"]}
    hits = naive.reproduced(naive.rows_of(lines), closed=True)
    assert not missed & set(hits)
    assert report["resyncs"] > 10, "the sample passes orders over"


def test_a_book_out_of_order_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The guard can fail: a replayer that believes every execution must come out says so.
    monkeypatch.setattr(lobster.RecordedBook, "is_next", lambda *_: True)
    path = written(tmp_path, "made.csv", "\n".join(lobster_lines(1, 400)) + "\n")
    assert lobster.replay(read(path, "lobster"), WORLD)["unexplained"] > 0


def test_a_resynchronised_book_is_the_recorded_one(tmp_path: Path) -> None:
    lines = lobster_lines(5, 800)
    path = written(tmp_path, "made.csv", "\n".join(lines) + "\n")
    messages = read(path, "lobster")
    run = lobster.Pass(messages, WORLD, closed=True)
    run.run()
    assert run.result.resyncs
    open_lots = {order: entry.lots for order, entry in run.book.orders.items()}
    assert run.venue.open == open_lots


def test_the_specification_gives_the_same_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "made.csv", "\n".join(lobster_lines(2, 150)) + "\n")
    messages = read(path, "lobster")
    report = lobster.replay(messages, WORLD)
    monkeypatch.setattr(venue, "kernel_machine", lambda image, secrets: spec_machine(image))
    assert lobster.replay(messages, WORLD)["state_root"] == report["state_root"]


def command_line(path: Path, hash_seed: str, *more: str) -> dict[str, Any]:
    """Run `quorate replay` in a process of its own."""
    command = [sys.executable, "-m", "quorate.cli.main", "replay", str(path), "--format", "lobster"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(
        [*command, "--json", "-", *more], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    report: dict[str, Any] = json.loads(run.stdout)
    return {name: value for name, value in report.items() if name not in TIMING}


@pytest.mark.slow
def test_the_hash_seed_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "made.csv", "\n".join(lobster_lines(7, 2_000)) + "\n")
    # Orders are passed over on purpose here, so the bar for a whole file does not apply.
    one = command_line(path, "1", "--limit", "1999")
    two = command_line(path, "2", "--limit", "1999")
    for report in (one, two):
        assert report["open_loop"].pop("commands_per_second")
    assert one == two


@pytest.mark.slow
def test_nasdaqs_first_hour(data: Path) -> None:
    path = data / "order_level" / AAPL
    report = lobster.replay(read(path, "lobster"), WORLD)
    holds_together(report)
    wanted = expected(naive.lines_of(path))
    assert {name: report[name] for name in wanted} == wanted
    assert wanted == {
        "executions_recorded": 4_067,
        "executions_reproduced": 4_031,
        "reproduced_open_loop": 3_989,
    }
    assert report["unmatched_by_reason"] == {OLDER: 12, REANNOUNCED: 15, PASSED_OVER: 9}
    again = lobster.replay(read(path, "lobster", 20_000), WORLD)
    assert lobster.replay(read(path, "lobster", 20_000), WORLD)["state_root"] == again["state_root"]
