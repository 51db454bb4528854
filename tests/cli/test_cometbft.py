"""The engine cometbft on the command line: what is made, what is said, what is refused."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.cluster import headline
from quorate.cli.main import app
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.cometbft.homes import comet_place, init_comet
from quorate.runtime.home import Home, read_home
from quorate.runtime.replay_chain import replayed_chain
from tests.live.nodes import PATIENCE_S, config_text, connected, quorate

TEXT = config_text(segment_mib=1)


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command in this process; give exit code, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def refused(said: str, *arguments: object) -> None:
    """Expect one line, exit code 2 and no output."""
    code, output, errors = run(*arguments)
    assert (code, output, errors.count("\n")) == (2, "", 1), errors
    assert said in errors


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    return tmp_path_factory.mktemp("net") / "n"


@pytest.fixture
def homes(folder: Path) -> list[Home]:
    return init_comet(folder, 2, config_text=TEXT)


# --- init ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 validator"), (4, "4 validators, 3 decide, 1 may fail"),
     (6, "6 validators, 5 decide, 1 may fail")],
)  # fmt: skip
def test_the_summary_names_every_home(folder: Path, count: int, words: str) -> None:
    code, output, errors = run("init", folder, "--engine", "cometbft", "--validators", count)
    assert (code, errors) == (0, "")
    homes = [read_home(folder / f"validator-{index}") for index in range(count)]
    assert [home.me for home in homes] == list(range(count))
    first, place = homes[0].path, comet_place(homes[0])
    lines = [
        f"Made {folder}: Quorate development chain, chain 7777, {words}.",
        f"  genesis hash    {homes[0].genesis_hash.hex()}",
        f"  cometbft chain  {place.chain_id}",
    ]
    for index, home in enumerate(homes):
        node_id = comet_place(home).node_id
        lines.append(f"  validator-{index}     port {26_656 + 2 * index}, node {node_id}")
    lines += [
        "Each folder is one validator's whole home: move it to its machine, with its keys.",
        f"Start each: quorate run {first}",
        f"  and beside it: cometbft start --home {first}/cometbft "
        f"--proxy_app unix://{first}/abci.sock",
    ]
    assert output.splitlines() == lines


def test_json_of_two_hosts(folder: Path) -> None:
    code, output, errors = run(
        "init", folder, "--engine", "cometbft", "--validators", 2,
        "--hosts", "a.example, b.example", "--json",
    )  # fmt: skip
    assert (code, errors) == (0, "")
    homes = [read_home(folder / f"validator-{index}") for index in range(2)]
    assert json.loads(output) == {
        "folder": str(folder),
        "chain_id": 7777,
        "genesis_hash": homes[0].genesis_hash.hex(),
        "cometbft_chain_id": comet_place(homes[0]).chain_id,
        "validators": [
            {
                "home": str(home.path),
                "cometbft_home": f"{home.path}/cometbft",
                "node_id": comet_place(home).node_id,
                "p2p": "tcp:0.0.0.0:26656",
                "rpc": "tcp:127.0.0.1:26657",
                "proxy_app": f"unix://{home.path}/abci.sock",
            }
            for home in homes
        ],
    }


def test_our_half_of_a_node_says_what_cometbft_must_be_told(folder: Path) -> None:
    code, output, errors = run("init", folder, "--engine", "cometbft")
    home = read_home(folder)
    state = {"app_genesis": home.genesis_hash.hex(), "chain_id": "7777"}
    assert (code, errors, home.me) == (0, "", -1)
    assert not (folder / "cometbft").exists()
    assert output.splitlines() == [
        f"Made {folder}: Quorate development chain, chain 7777, our half alone.",
        f"  genesis hash  {home.genesis_hash.hex()}",
        f"  app_state     {json.dumps(state)}, of CometBFT's genesis",
        "  rpc           tcp:127.0.0.1:26657, of CometBFT; config.toml names another",
        f"Start it: quorate run {folder}",
        f"  and beside it: cometbft start --home CMTHOME --proxy_app unix://{folder}/abci.sock",
    ]
    other = folder.parent / "o"
    tree = json.loads(run("init", other, "--engine", "cometbft", "--json")[1])
    assert tree == {
        "home": str(other), "chain_id": 7777, "genesis_hash": home.genesis_hash.hex(),
        "app_state": state, "proxy_app": f"unix://{other}/abci.sock", "rpc": "tcp:127.0.0.1:26657",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "rest", "kind"),
    [(None, [], "solo"), ("solo", [], "solo"), ("cometbft", [], "cometbft"),
     (None, ["--validators", 1], "cluster"),
     ("cluster", ["--validators", 1], "cluster"), ("cometbft", ["--validators", 1], "cometbft")],
)  # fmt: skip
def test_the_engine_that_a_home_gets(
    folder: Path, engine: str | None, rest: list[object], kind: str
) -> None:
    named = [] if engine is None else ["--engine", engine]
    assert run("init", folder, *named, *rest)[0] == 0
    home = folder / "validator-0" if rest else folder
    assert read_home(home).engine == kind


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "tendermint"],
         '--engine takes solo, cluster or cometbft, not "tendermint".'),
        (["--engine", "solo", "--validators", 4],
         "--engine solo is a node alone; leave --validators out."),
        (["--engine", "cometbft", "--hosts", "a"],
         "--hosts and --port-base are for a chain of many; add --validators N."),
        (["--engine", "cometbft", "--genesis", "nowhere.json"],
         "nowhere.json cannot be read: No such file or directory."),
        (["--engine", "cluster", "--port-base", 5],
         "--engine cluster is for a chain of many; add --validators N."),
        (["--engine", "solo", "--port-base", 5],
         "--hosts and --port-base are for a chain of many; add --validators N."),
        (["--engine", "cometbft", "--validators", 200],
         "A chain has 1 to 128 validators, not 200."),
        (["--engine", "cometbft", "--validators", 2, "--port-base", 65_534],
         "Port 65536 is not from 1 to 65534; choose another base."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_leaves_nothing(
    folder: Path, arguments: list[object], said: str
) -> None:
    refused(said, "init", folder, *arguments)
    assert not folder.exists()


# --- cluster -------------------------------------------------------------------------------------
def test_an_engine_of_one_node_is_no_cluster(folder: Path) -> None:
    refused('--engine takes cluster or cometbft, not "solo".', "cluster", "--engine", "solo")


def test_another_engine_than_that_of_the_homes_is_refused(homes: list[Home], folder: Path) -> None:
    refused(
        "holds a chain of the engine cometbft, not cluster; name another folder.",
        "cluster", "--home", folder, "--engine", "cluster",
    )  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_a_cluster_without_cometbft_makes_nothing(
    named: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not named:
        init_comet(folder, 1, config_text=TEXT)
    before = sorted(folder.rglob("*"))
    monkeypatch.setenv("COMETBFT", "/nowhere/cometbft")
    engine = ["--engine", "cometbft"] if named else []
    refused("is no program; take cometbft_", "cluster", "--home", folder, *engine)
    assert sorted(folder.rglob("*")) == before


def test_the_headline_names_the_engine(homes: list[Home], folder: Path) -> None:
    assert headline(folder, homes, False, True) == (
        f"Found {folder}: Quorate development chain, chain 7777 on CometBFT, 2 validators, "
        "2 decide, none may fail."
    )


# --- what else there is for a home ---------------------------------------------------------------
def test_inspect_shows_the_place_beside_cometbft(homes: list[Home]) -> None:
    home = homes[1]
    place = comet_place(home)
    code, output, errors = run("inspect", home.path)
    assert (code, errors) == (0, "")
    assert f"  cometbft      chain {place.chain_id}, node {place.node_id}\n" in output
    assert "                abci unix, rpc tcp:127.0.0.1:26659\n" in output
    assert "  validator     1 of 2 at genesis\n" in output
    assert "signer" not in output
    (home.path / "cometbft").rename(home.path.parent / "elsewhere")
    output = run("inspect", home.path)[1]
    assert "  cometbft      CometBFT's home is elsewhere\n" in output
    assert "at genesis" not in output


def test_commands_of_the_other_engines_refuse(homes: list[Home], tmp_path: Path) -> None:
    home = homes[0].path
    refused("is of the engine cometbft, where nothing is signed here", "rejoin", home)
    refused("is of the engine cometbft, which signs itself",
            "signer", home, "--guard", tmp_path / "g", "--init")  # fmt: skip
    assert not (tmp_path / "g").exists()


def test_run_without_its_libraries_is_one_line(
    homes: list[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.runtime.cometbft.binary.LIBRARIES", ("no_such_library",))
    refused('pip install "quorate[cometbft]"', "run", homes[0].path)


# --- real processes ------------------------------------------------------------------------------
def started(folder: Path, *arguments: object) -> "tuple[subprocess.Popen[str], list[int]]":
    """Start a cluster; give it and the processes of CometBFT when all listen."""
    cluster = quorate("cluster", "--home", folder, "--port-base", 0, "--plain", *arguments)
    assert cluster.stdout is not None
    pids = []
    for line in cluster.stdout:
        pids += [int(pid) for pid in re.findall(r"CometBFT: process (\d+)", line)]
        if line.startswith("Ctrl-C"):
            return cluster, pids
    cluster.wait(PATIENCE_S)
    assert cluster.stderr is not None
    raise AssertionError(f"the cluster did not start: {cluster.stderr.read()}")


def agreed(folder: Path, height: int, indexes: range) -> None:
    """Wait until validators are at a height, with one root."""
    end_s = time.monotonic() + PATIENCE_S
    roots = []
    for index in indexes:
        with connected(folder / f"validator-{index}") as client:
            while (found := client.ask("network")["height"]) < height:
                assert time.monotonic() < end_s, f"validator {index} is at {found}"
                time.sleep(0.1)
            roots.append(client.ask("root", height=height)["state_root"])
    assert roots == [roots[0]] * len(indexes) and len(roots[0]) == 64


@pytest.mark.slow
def test_pairs_agree_outlive_one_stop_and_go_on(folder: Path, cometbft: Program) -> None:
    cluster, pids = started(folder, "--engine", "cometbft", "--validators", 4)
    try:
        assert len(pids) == 4
        agreed(folder, 3, range(4))
        os.kill(pids[3], signal.SIGKILL)
        assert cluster.stdout is not None
        for line in cluster.stdout:
            if line.startswith("  validator 3  ended"):
                break
        agreed(folder, 5, range(3))
        cluster.send_signal(signal.SIGINT)
        output, errors = cluster.communicate(timeout=PATIENCE_S)
        assert (cluster.returncode, errors) == (0, ""), output + errors

        cluster, _ = started(folder)
        agreed(folder, 7, range(4))
        cluster.send_signal(signal.SIGTERM)
        output, errors = cluster.communicate(timeout=PATIENCE_S)
        assert (cluster.returncode, errors) == (0, ""), output + errors
    finally:
        cluster.kill()
        cluster.communicate()
    for index in range(4):
        found = replayed_chain(read_home(folder / f"validator-{index}"))
        assert found.heights >= 7 and not found.different
