"""The bench of engines: its meters and arithmetic, its command line, and one short run of it."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from quorate.cli.benches import engines
from quorate.cli.benches.cluster_load import Ran
from quorate.cli.benches.engines_kvstore import NAME_LETTERS, transactions
from quorate.cli.benches.engines_meters import bytes_between, bytes_sent, cpu_s
from quorate.cli.benches.engines_nets import ENGINES, FAST_TEXT, homes_of, ports_of
from quorate.cli.main import app
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.cometbft.homes import COMET_CONFIG
from quorate.runtime.home import COMETBFT_FOLDER
from tests.live.nodes import environment

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
RUN_S = 600.0


# --- meters --------------------------------------------------------------------------------------
@LINUX
def test_what_goes_over_a_link_is_counted_once_whoever_sends_it() -> None:
    with ExitStack() as stack:
        watched, other = (
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)
        )
        port = watched.getsockname()[1]
        dialled, strange = (
            stack.enter_context(socket.create_connection(listener.getsockname()))
            for listener in (watched, other)
        )
        accepted = stack.enter_context(watched.accept()[0])
        before = bytes_sent([port])
        dialled.sendall(bytes(10_000))
        accepted.sendall(bytes(300))
        strange.sendall(bytes(7))
        assert len(accepted.recv(10_000, socket.MSG_WAITALL)) == 10_000
        assert len(dialled.recv(300, socket.MSG_WAITALL)) == 300
        assert bytes_between(before, bytes_sent([port])) == 10_300
        assert len(before) == 2


def test_of_a_link_that_came_all_counts_and_of_one_that_ended_nothing() -> None:
    before = {(1, 2, b"a"): 100, (2, 1, b"b"): 50}
    after = {(1, 2, b"a"): 130, (3, 1, b"c"): 5}
    assert bytes_between(before, after) == 35


@LINUX
def test_processor_time_is_that_of_the_process() -> None:
    before, own_s = cpu_s([os.getpid()]), time.process_time()
    while time.process_time() - own_s < 0.1:
        sum(range(1000))
    assert cpu_s([os.getpid(), os.getpid()]) - 2 * before >= 0.1
    with pytest.raises(OSError, match="999999999"):
        cpu_s([999_999_999])


# --- arithmetic ----------------------------------------------------------------------------------
@given(
    st.integers(1, 500), st.floats(0.05, 2.0), st.floats(0.0, 1.0), st.integers(5, 30),
    st.floats(0.0, 1e6),
)  # fmt: skip
def test_equal_blocks_have_their_own_rate_wherever_the_run_cuts_them(
    size: int, pause_s: float, offset: float, seconds: int, start_s: float
) -> None:
    ran = Ran(start_s=start_s)
    count = int((seconds + 5) / pause_s) + 1
    ran.finished = [(start_s + (at + offset) * pause_s, size) for at in range(count)]
    assert engines.steady_rate(ran, seconds) == pytest.approx(size / pause_s, rel=1e-6)


def test_what_is_answered_in_the_ramp_and_after_the_end_does_not_count() -> None:
    ran = Ran(start_s=100.0)
    ran.finished = [(100.5, 7), (101.0, 900), (105.0, 40), (109.0, 60), (110.5, 5_000)]
    assert engines.steady_rate(ran, 10) == 100 / 8


@pytest.mark.parametrize("finished", [[], [(1.0, 50)], [(1.0, 50), (1.0, 50)], [(99.0, 50)]])
def test_without_two_answers_the_whole_run_is_the_rate(
    finished: list[tuple[float, int]],
) -> None:
    assert engines.steady_rate(Ran(20.0, finished=finished, bundles=300), 10) == 15


def test_a_short_run_has_less_under_way() -> None:
    found = [engines.under_way(seconds) for seconds in (0.001, 1.0, 5.0, 20.0)]
    assert found == [1, engines.UNDER_WAY // 5, engines.UNDER_WAY, engines.UNDER_WAY]


@given(st.integers(0, 2**31), st.integers(0, 50), st.integers(NAME_LETTERS + 2, 400))
def test_transactions_are_what_the_store_takes(seed: int, count: int, size: int) -> None:
    made = transactions(seed, count, size)
    assert len({tx.partition(b"=")[0] for tx in made}) == count
    for tx in made:
        assert len(tx) == size and tx.isascii()
        assert tx.count(b"=") == 1 and b":" not in tx and tx[0] != b"=" and tx[-1] != b"="


# --- homes ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_only_the_fast_ones_have_no_pause(
    engine: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert isinstance(engine, type(ENGINES[0]))
    homes = homes_of(tmp_path_factory.mktemp("e") / "n", engine)
    assert len(set(ports_of(homes))) == len(homes) == 4
    configs = [home.path / COMETBFT_FOLDER / COMET_CONFIG for home in homes]
    fast = [config.exists() and FAST_TEXT in config.read_text() for config in configs]
    assert fast == [engine.fast] * 4


# --- the command line ----------------------------------------------------------------------------
@pytest.mark.parametrize("arguments", [["root", "--seconds", "3"], ["engines", "--seconds", "0.5"]])
def test_seconds_are_for_engines(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["bench", *arguments])
    said = "quorate: --seconds is for `engines` alone, and is 1 or more.\n"
    assert (result.exit_code, result.stderr) == (2, said)


def test_without_cometbft_its_rows_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measured(folder: Path, engine: object, seconds: float) -> engines.Found:
        return engines.Found(rates=[1.0], light=Ran(latencies_ms=[5.0, 7.0]))

    monkeypatch.setenv("COMETBFT", "/nowhere/cometbft")
    monkeypatch.setattr(engines, "measured", measured)
    found = {figure.name: figure for figure in engines.engines(1.0)}
    skipped = [name for name in found if name.endswith(".skipped")]
    assert skipped == [f"engine.{engine.name}.skipped" for engine in ENGINES[1:]]
    assert all("/nowhere/cometbft, which is no program" in found[name].detail for name in skipped)
    assert found["engine.quorate.p50_ms"].value == 7.0
    assert not any("quorate_to" in name for name in found)


@pytest.mark.long
def test_a_short_run_measures_every_engine(cometbft: Program, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "quorate.cli.main", "bench", "engines",
            "--seconds", "1", "--json", path,
        ],
        env=environment(), capture_output=True, text=True, timeout=RUN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(path.read_text())}
    for engine in ENGINES:
        name = f"engine.{engine.name}"
        for what in ("commands_per_s", "p50_ms", "p99_ms", "cpu_s_per_million"):
            assert rows[f"{name}.{what}"]["value"] > 0, (engine.name, what)
            assert rows[f"{name}.{what}"]["detail"] in done.stdout
        version = rows[f"{name}.commands_per_s"]["detail"]
        assert (cometbft.version in version) == (engine.name != "quorate")
        if sys.platform == "linux":
            # Every command of 64 bytes reaches three other validators.
            assert rows[f"{name}.bytes_per_command"]["value"] > 3 * 64
    for engine_name in ("cometbft", "cometbft_fast"):
        for what in ("throughput", "p50"):
            assert rows[f"engine.quorate_to_{engine_name}.{what}"]["value"] > 0
