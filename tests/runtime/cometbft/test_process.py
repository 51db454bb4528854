"""CometBFT as a process, and the pair of it and our node: started, killed, stopped, told apart.

Real CometBFT drives its own kvstore. The pair is tested with two stand-ins, one that ends when its
application does, as CometBFT does.
"""

import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quorate.runtime.client import Client
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.cometbft.homes import comet_place, init_comet
from quorate.runtime.cometbft.process import (
    LINE_NAME,
    CometProcess,
    PairProcess,
    environment,
    refuse_other_line,
)
from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.home import Home
from quorate.runtime.testnet import Testnet, process_of
from quorate.runtime.testnet_homes import PORTS_EACH
from quorate.runtime.validator_process import ValidatorFailed, ValidatorProcess
from quorate.runtime.validators import init_validators
from tests.live.nodes import PATIENCE_S, config_text
from tests.live.validators import free_port_base

TEXT = config_text(segment_mib=1)
SELF = 0  # a process group of its own

NODE = """
import json, signal, sys, time
fate, home = sys.argv[1:]
if fate == "refuses":
    sys.exit("quorate: It cannot.")
open(home + "/alive", "w").close()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(json.dumps({"endpoint": "unix:" + home + "/node.sock"}), flush=True)
if fate == "dies":
    time.sleep(0.5)
    sys.exit("quorate: It died.")
time.sleep(600)
"""
COMET = """
import http.server, json, os, signal, sys, threading, time
if sys.argv[1] == "version":
    print("0.38.26")
    sys.exit(0)
home, proxy_app = sys.argv[3], sys.argv[5]
node, fate = json.load(open(os.environ["STAND_IN"]))
here = node[home]
print("a line that says little", flush=True)
if fate == "refuses":
    print("ERROR: failed to start node: it cannot", flush=True)
    print("Usage: and much more", flush=True)
    sys.exit(1)
def ended(*_):
    os._exit(0)
signal.signal(signal.SIGTERM, ended)
def watch():
    while fate != "clings":
        try:
            os.kill(int(open(home + "/../pid").read()), 0)
        except (OSError, ValueError):
            ended()
        time.sleep(0.02)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"result": {"node_info": {"id": here["id"]}}}).encode())
    def log_message(self, *_):
        pass
threading.Thread(target=watch, daemon=True).start()
http.server.HTTPServer(("127.0.0.1", here["port"]), Handler).serve_forever()
"""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    return tmp_path_factory.mktemp("net") / "n"


def made(folder: Path, count: int) -> list[Home]:
    """Make homes on ports that are free."""
    return init_comet(folder, count, port_base=free_port_base(2 * count), config_text=TEXT)


@contextmanager
def ending(processes: "list[CometProcess] | list[PairProcess]") -> Iterator[None]:
    """Leave none of them behind."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()


# --- CometBFT itself -----------------------------------------------------------------------------
def height(process: CometProcess) -> int:
    """Ask how far a CometBFT is."""
    return int(process.status()["sync_info"]["latest_block_height"])


@pytest.mark.slow
def test_three_of_cometbft_agree_on_our_homes(folder: Path, cometbft: Program) -> None:
    homes = made(folder, 3)
    processes = [CometProcess(it, folder / f"{it.me}.log", "kvstore") for it in homes]
    with ending(processes):
        for process in processes:
            process.start(SELF)
        end_s = time.monotonic() + PATIENCE_S
        while min(height(it) for it in processes) < 2:
            assert time.monotonic() < end_s, [it.status() for it in processes]
            time.sleep(0.1)
        for process, home in zip(processes, homes, strict=True):
            status = process.status()
            assert status["node_info"]["network"] == comet_place(home).chain_id
            assert status["validator_info"]["voting_power"] == "1"
            assert process.running and process.pid > 0
        for process in processes:
            process.tell_to_stop()
            process.stop()
            assert not process.running


def test_cometbft_says_why_it_does_not_start(folder: Path, cometbft: Program) -> None:
    (home,) = made(folder, 1)
    genesis = home.path / "cometbft/config/genesis.json"
    genesis.write_text(genesis.read_text().replace("quorate-7777", 50 * "x"))
    process = CometProcess(home, folder / "0.log", "kvstore")
    with pytest.raises(ValidatorFailed) as failed:
        process.start(SELF)
    assert str(failed.value).startswith("CometBFT of validator 0 did not start: ")
    assert "chain_id in genesis doc is too long" in str(failed.value)
    assert not process.running


def test_a_program_that_is_missing_is_the_operators_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home,) = made(folder, 1)
    monkeypatch.setenv("COMETBFT", "/nowhere/cometbft")
    with pytest.raises(ValidatorFailed, match="which is no program") as failed:
        CometProcess(home, folder / "0.log").start(SELF)
    assert failed.value.code == 2


def test_nothing_overrules_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CMTHOME", "TMHOME", "CMT_P2P_LADDR", "TM_MONIKER", "TMPDIR", "COMETBFT"):
        monkeypatch.setenv(name, "/x")
    found = environment()
    assert not {"CMTHOME", "TMHOME", "CMT_P2P_LADDR", "TM_MONIKER"} & set(found)
    assert {"TMPDIR", "COMETBFT", "PATH"} <= set(found)


# --- the pair ------------------------------------------------------------------------------------
class StandInNode(ValidatorProcess):
    """A node that only says where it listens. fate: what becomes of it."""

    fate = "lives"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-c", NODE, self.fate, str(self.home.path)]

    def start(self, group: int) -> None:
        super().start(group)
        (self.home.path / "pid").write_text(str(self.pid))


class World:
    """Pairs of stand-ins, and what their CometBFT is to do."""

    def __init__(self, folder: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.homes = made(folder, count)
        self.table = folder / "table.json"
        program = folder / "cometbft"
        program.write_text(f"#!{sys.executable}\n{textwrap.dedent(COMET)}")
        program.chmod(0o755)
        monkeypatch.setenv("COMETBFT", str(program))
        monkeypatch.setenv("STAND_IN", str(self.table))
        self.fate("lives")

    def fate(self, fate: str) -> None:
        """Say what becomes of each CometBFT that starts from now on."""
        rows: dict[str, Any] = {}
        for home in self.homes:
            assert home.config.cometbft is not None
            row = {"id": comet_place(home).node_id, "port": home.config.cometbft.rpc.port}
            rows[str(home.path / "cometbft")] = row
        self.table.write_text(json.dumps([rows, fate]))

    def pair(self, index: int = 0) -> PairProcess:
        """Make a pair; it is not started."""
        home = self.homes[index]
        pair = PairProcess(home, self.folder / f"{home.path.name}.log")
        pair.node = StandInNode(home, pair.node.log)
        return pair


@pytest.fixture
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(folder, 1, monkeypatch)


def until(holds: Any) -> None:
    """Wait until something is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_pair_starts_stops_and_starts_again(world: World) -> None:
    pair = world.pair()
    with ending([pair]):
        assert (pair.running, pair.pid) == (False, 0)
        for _ in range(2):
            pair.start(SELF)
            assert pair.running and pair.pid == pair.node.pid != pair.comet.pid
            assert pair.endpoint == Endpoint(path=f"{pair.home.path}/node.sock")
            assert pair.said["endpoint"] == str(pair.endpoint)
            pair.tell_to_stop()
            pair.stop()
            assert not (pair.running or pair.node.running or pair.comet.running)
            assert pair.node.process is not None and pair.node.process.returncode == 0


def test_when_the_node_is_killed_cometbft_ends_and_both_start_again(world: World) -> None:
    pair = world.pair()
    with ending([pair]):
        pair.start(SELF)
        first = pair.pid, pair.comet.pid
        pair.kill_node()
        assert not pair.running
        pair.start(SELF)
        assert pair.running and not {pair.pid, pair.comet.pid} & set(first)
        pair.stop()


def test_a_cometbft_that_outlives_its_application_is_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.runtime.cometbft.process.LEFT_S", 0.1)
    world.fate("clings")
    pair = world.pair()
    with ending([pair]):
        pair.start(SELF)
        first = pair.comet.pid
        pair.kill_node()
        assert pair.comet.running and not pair.running
        pair.start(SELF)
        assert pair.running and pair.comet.pid != first
        pair.kill_node()
        pair.stop()
        assert not pair.comet.running


def test_when_cometbft_is_killed_the_node_stays_for_the_next(world: World) -> None:
    pair = world.pair()
    with ending([pair]):
        pair.start(SELF)
        node, comet = pair.pid, pair.comet.pid
        pair.kill_comet()
        assert pair.node.running and not pair.running
        pair.start(SELF)
        assert pair.running and pair.pid == node and pair.comet.pid != comet
        pair.stop()


def test_kill_leaves_neither(world: World) -> None:
    pair = world.pair()
    with ending([pair]):
        pair.start(SELF)
        pair.kill()
        assert not (pair.node.running or pair.comet.running)
        pair.stop()  # whoever killed it knows


def test_each_says_why_it_does_not_start(world: World) -> None:
    pair = world.pair()
    with ending([pair]):
        world.fate("refuses")
        with pytest.raises(ValidatorFailed) as failed:
            pair.start(SELF)
        assert str(failed.value) == (
            "CometBFT of validator 0 did not start: failed to start node: it cannot"
        )
        assert not (pair.node.running or pair.comet.running)
        world.fate("lives")
        pair.node.fate = "refuses"  # type: ignore[attr-defined]
        with pytest.raises(ValidatorFailed) as failed:
            pair.start(SELF)
        assert str(failed.value) == "Validator 0 did not start: It cannot."
        assert not (pair.node.running or pair.comet.running)


def test_a_node_that_ends_by_itself_is_what_stop_tells(world: World) -> None:
    pair = world.pair()
    pair.node.fate = "dies"  # type: ignore[attr-defined]
    with ending([pair]):
        pair.start(SELF)
        until(lambda: not pair.node.running)
        with pytest.raises(ValidatorFailed, match=r"Validator 0 ended with code 1: It died\."):
            pair.stop()
        assert not pair.comet.running


def test_a_node_that_dies_while_cometbft_starts_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fate("clings")
    monkeypatch.setattr(CometProcess, "status", lambda self: {})  # it never answers
    pair = world.pair()
    pair.node.fate = "dies"  # type: ignore[attr-defined]
    with ending([pair]):
        with pytest.raises(ValidatorFailed, match=r"Validator 0 ended with code 1: It died\."):
            pair.start(SELF)
        assert not (pair.node.running or pair.comet.running)


def test_another_cometbft_at_its_port_is_not_taken_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.runtime.cometbft.process.START_S", 1.0)
    monkeypatch.setattr(CometProcess, "status", lambda self: {"node_info": {"id": 40 * "a"}})
    process = world.pair().comet
    (world.homes[0].path / "pid").write_text(str(os.getpid()))
    with ending([process]), pytest.raises(ValidatorFailed, match="it did not listen within"):
        process.start(SELF)


# --- as a testnet --------------------------------------------------------------------------------
def test_the_engine_of_a_home_decides_what_runs_it(folder: Path, tmp_path: Path) -> None:
    (one,) = init_validators(tmp_path / "c", 1, config_text=TEXT)
    (two,) = made(folder, 1)
    assert type(process_of(one, tmp_path / "log")) is ValidatorProcess
    assert type(process_of(two, tmp_path / "log")) is PairProcess


def test_a_testnet_of_pairs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(folder, 3, monkeypatch)
    assert PORTS_EACH >= 2 * 3
    net = Testnet(folder, world.homes)
    pairs = [world.pair(index) for index in range(3)]
    net.validators = [*pairs]
    with net:
        net.start_all()
        assert all(it.running for it in net.validators)
        pids = [pid for it in pairs for pid in (it.pid, it.comet.pid)]
        assert len(set(pids)) == 6
        assert {os.getpgid(pid) for pid in pids} == {net.guardian.pid if net.guardian else 0}
        net.kill(1)
        assert [it.running for it in net.validators] == [True, False, True]
        net.start(1)
        assert net.endpoint(1).path.endswith("validator-1/node.sock")
        os.kill(pairs[2].comet.pid, signal.SIGKILL)
        until(lambda: not net.validators[2].running)
        net.start(2)
        net.stop()
    assert not any(it.running for it in net.validators)


@pytest.mark.slow
def test_either_of_a_pair_is_killed_and_comes_back(folder: Path, cometbft: Program) -> None:
    with Testnet.made(folder, 4, TEXT, engine="cometbft") as net:
        pairs = [it for it in net.validators if isinstance(it, PairProcess)]
        assert len(pairs) == 4

        def reached(more: int) -> None:
            """Wait until all have executed so many blocks more than the first now has."""
            with Client(pairs[0].endpoint) as client:
                wanted = client.ask("network")["height"] + more
            roots = []
            for pair in pairs:
                with Client(pair.endpoint) as client:
                    until(lambda c=client: c.ask("network")["height"] >= wanted)
                    roots.append(client.ask("root", height=wanted)["state_root"])
            assert roots == [roots[0]] * 4

        reached(2)
        pairs[1].kill_node()
        until(lambda: not pairs[1].comet.running)
        net.start(1)
        reached(2)
        pairs[2].kill_comet()
        assert pairs[2].node.running
        net.start(2)
        reached(2)
        net.kill(3)
        net.start(3)
        reached(2)
        net.stop()


def test_a_home_keeps_the_line_of_cometbft_that_it_was_begun_with(folder: Path) -> None:
    """One start of the other line damages what the first has written."""
    (home,) = made(folder, 1)
    old, new = Program(Path("/a/cometbft"), "0.38.26"), Program(Path("/b/cometbft"), "1.0.1")
    refuse_other_line(home, old)
    refuse_other_line(home, Program(Path("/a/cometbft"), "0.38.27"))
    with pytest.raises(HomeRefused, match=r"begun with CometBFT 0\.x, and /b/cometbft is 1\.0\.1"):
        refuse_other_line(home, new)
    (home.path / "cometbft" / LINE_NAME).write_bytes(b"\xff")
    with pytest.raises(HomeRefused, match="cannot be read"):
        refuse_other_line(home, old)
