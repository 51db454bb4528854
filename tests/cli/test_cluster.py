"""`quorate cluster`: real validators that agree, go on after a restart, and leave nobody behind."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.cli.validators_view import lines, root_styles, table
from quorate.runtime.home import read_home
from quorate.runtime.replay_chain import replayed_chain
from quorate.runtime.testnet_watch import Standing
from tests.live.nodes import PATIENCE_S, connected, quorate

COUNT = 4


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command in this process; give exit code, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    return tmp_path_factory.mktemp("net") / "n"


# --- what an operator got wrong ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--validators", 0], "A chain has 1 to 128 validators, not 0."),
        (["--validators", 129], "A chain has 1 to 128 validators, not 129."),
        (["--port-base", 65_535], "Port 65535 is not from 1 to 65532."),
    ],
)
def test_a_mistake_is_one_line_and_makes_nothing(
    arguments: list[object], words: str, folder: Path
) -> None:
    code, output, errors = run("cluster", "--home", folder, *arguments)
    assert (code, output, errors) == (2, "", f"quorate: {words}\n")
    assert not folder.exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    code, output, errors = run("cluster", "--home", tmp_path)
    assert (code, output) == (2, "") and errors.count("\n") == 1
    assert "is not empty, and holds no validator-0" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# --- how validators are shown --------------------------------------------------------------------
def test_a_line_and_a_row_for_each_validator() -> None:
    standings = [
        Standing(0, "running", 9, 0, 7, 6, "ab" * 32, 3, 2, 12, 40),
        Standing(1, "killed", 8, 0, 5, 5, "cd" * 32, 2, 0, 0, 0),
        Standing(2),
    ]
    first, second, third = lines(standings)
    assert "validator 0  leads" in first and "height 7  view 9  root abababababababab" in first
    assert first.endswith("peers 3  finality p50 12 p99 40 ms")
    assert "validator 1  killed" in second and second.endswith("peers -  finality p50 - p99 - ms")
    assert "validator 2  starting" in third and "root -" in third
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(width=100, record=True, file=nowhere)
        console.print(table(standings))
        shown = console.export_text()
    assert "abababababababab" in shown and "killed" in shown and "p99 ms" in shown


def test_two_roots_of_one_height_are_red() -> None:
    one, two = (Standing(at, "running", height=7, root=root) for at, root in enumerate("ab"))
    three = Standing(2, "running", height=8, root="b")
    assert list(root_styles([one, two, three]).values()) == ["cyan", "bold red", "cyan"]


# --- real processes ------------------------------------------------------------------------------
def started(folder: Path, *arguments: object) -> "tuple[subprocess.Popen[str], list[int]]":
    """Start a cluster; give it and the processes of its validators when all listen."""
    cluster = quorate("cluster", "--home", folder, "--port-base", 0, *arguments)
    assert cluster.stdout is not None
    pids = []
    for line in cluster.stdout:
        pids += [int(pid) for pid in re.findall(r"^  validator \d+  process (\d+)", line)]
        if line.startswith("Ctrl-C"):
            return cluster, pids
    cluster.wait(PATIENCE_S)
    assert cluster.stderr is not None
    raise AssertionError(f"the cluster did not start: {cluster.stderr.read()}")


def ended(cluster: "subprocess.Popen[str]", number: int) -> str:
    """End a cluster by a signal; it must end well."""
    cluster.send_signal(number)
    output, errors = cluster.communicate(timeout=PATIENCE_S)
    assert (cluster.returncode, errors) == (0, ""), output + errors
    return output


def alive(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def agreed(folder: Path, height: int) -> dict[str, object]:
    """Wait until all validators are at a height, with one root; give what the last says."""
    end_s = time.monotonic() + PATIENCE_S
    roots = []
    for index in range(COUNT):
        with connected(folder / f"validator-{index}") as client:
            while (answer := client.ask("network"))["height"] < height:
                assert time.monotonic() < end_s, f"validator {index} is at {answer['height']}"
                time.sleep(0.05)
            roots.append(client.ask("root", height=height)["state_root"])
    assert len(roots[0]) == 64 and roots == [roots[0]] * COUNT
    return answer


@pytest.mark.slow
def test_validators_agree_stop_and_go_on_with_the_same_chain(folder: Path) -> None:
    cluster, pids = started(folder)
    assert len(pids) == COUNT and all(alive(pid) for pid in pids)
    answer = agreed(folder, 10)
    assert answer["validators"] == COUNT and int(str(answer["blocks_led"])) > 0
    code, output, errors = run("cluster", "--home", folder)
    assert (code, output) == (2, "") and "is held by process" in errors
    assert "Stopped at heights " in ended(cluster, signal.SIGINT)
    assert not any(alive(pid) for pid in pids)
    stopped = [replayed_chain(read_home(folder / f"validator-{at}")) for at in range(COUNT)]
    assert all(it.heights >= 10 and it.certified and not it.different for it in stopped)

    cluster, pids = started(folder, "--validators", COUNT)
    agreed(folder, max(it.heights for it in stopped) + 3)
    ended(cluster, signal.SIGTERM)
    again = replayed_chain(read_home(folder / "validator-0"))
    assert again.heights > stopped[0].heights and not again.different


@pytest.mark.slow
def test_validators_end_when_the_cluster_is_killed(folder: Path) -> None:
    cluster, pids = started(folder)
    cluster.kill()
    cluster.wait(PATIENCE_S)
    end_s = time.monotonic() + PATIENCE_S
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end_s, "validators outlived their cluster"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_validator_that_cannot_start_ends_all_with_its_words(folder: Path) -> None:
    cluster, _ = started(folder)
    ended(cluster, signal.SIGTERM)
    (folder / "validator-2" / "keys" / "transport.key").chmod(0o644)
    code, _, errors = run("cluster", "--home", folder)
    assert code == 2 and "run chmod 600 on it" in errors
    (folder / "validator-2" / "keys" / "transport.key").chmod(0o600)
    (folder / "validator-2" / "log").rename(folder / "validator-2" / "lost")
    broken = quorate("cluster", "--home", folder, "--port-base", 0)
    output, errors = broken.communicate(timeout=PATIENCE_S)
    assert broken.returncode == 1, output + errors
    assert errors.count("\n") == 1 and "Validator 2 did not start: The log of" in errors
