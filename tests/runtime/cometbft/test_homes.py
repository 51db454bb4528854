"""Homes under CometBFT: what is in them, that CometBFT reads them, how a testnet's move."""

import json
import os
import socket
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quorate.codec.genesis import encode_genesis, genesis_hash
from quorate.runtime import development
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.cometbft.homes import (
    comet_place,
    comet_ports,
    init_comet,
    proxy_app,
    rfc3339,
)
from quorate.runtime.config import CONFIG_TEXT, CometBft, cometbft_text, read_config
from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import Endpoint, abci_endpoint
from quorate.runtime.home import CONSENSUS_NAME, Home, read_home
from quorate.runtime.survey import survey
from quorate.runtime.testnet_homes import free_base, local_homes, ports_of
from quorate.runtime.validators import init_validators
from quorate.types.limits import BLOCK_BYTES_MAX, BUNDLE_BYTES_MAX, TIME_MS_MAX
from tests.live.nodes import config_text

TEXT = config_text(segment_mib=1)
RPC = Endpoint(host="127.0.0.1", port=9)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    return tmp_path_factory.mktemp("net") / "n"


def made(folder: Path, count: int = 3, **rest: Any) -> list[Home]:
    """Make homes with small logs."""
    return init_comet(folder, count, config_text=TEXT, **rest)


def comet_config(home: Home) -> dict[str, Any]:
    """Read CometBFT's configuration."""
    return tomllib.loads((home.path / "cometbft/config/config.toml").read_text())


def comet_genesis(home: Home) -> dict[str, Any]:
    """Read CometBFT's genesis."""
    return dict(json.loads((home.path / "cometbft/config/genesis.json").read_bytes()))


# --- what is made --------------------------------------------------------------------------------
def test_a_home_is_read_as_it_was_made(folder: Path) -> None:
    homes = made(folder)
    assert [read_home(home.path) for home in homes] == homes
    assert [home.me for home in homes] == [0, 1, 2]
    assert {home.engine for home in homes} == {"cometbft"}
    for index, home in enumerate(homes):
        assert home.config.cometbft == CometBft(
            "unix", Endpoint(host="127.0.0.1", port=26_657 + 2 * index)
        )
        assert not (home.path / "keys" / "checkpoint.key").exists()
        assert proxy_app(home) == f"unix://{home.path}/abci.sock"


def test_engines_are_told_apart(tmp_path: Path) -> None:
    from quorate.runtime.home import init_home

    assert init_home(tmp_path / "solo", config_text=TEXT).engine == "solo"
    assert init_validators(tmp_path / "many", 1, config_text=TEXT)[0].engine == "cluster"


def test_the_genesis_binds_ours(folder: Path) -> None:
    homes = made(folder)
    trees = [comet_genesis(home) for home in homes]
    assert trees[1:] == trees[:-1]
    tree, ours = trees[0], development.cleared_genesis()
    assert tree["app_state"] == {"app_genesis": genesis_hash(ours).hex(), "chain_id": "7777"}
    assert tree["chain_id"] == f"quorate-7777-{genesis_hash(ours).hex()[:16]}"
    assert (tree["initial_height"], tree["app_hash"]) == ("1", "")
    # A first block of years ago would refuse the nonces of today.
    age = datetime.now(UTC) - datetime.fromisoformat(tree["genesis_time"])
    assert timedelta(0) <= age < timedelta(minutes=5)
    params = tree["consensus_params"]
    assert 0 < int(params["block"]["max_bytes"]) < BLOCK_BYTES_MAX
    assert params["block"]["max_gas"] == "-1"
    assert params["validator"]["pub_key_types"] == ["ed25519"]
    assert [row["power"] for row in tree["validators"]] == ["1"] * 3


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
     (TIME_MS_MAX, "6429-10-17T02:45:55.328Z")],
)  # fmt: skip
def test_times_are_written_to_the_millisecond(time_ms: int, text: str) -> None:
    assert rfc3339(time_ms) == text


def test_an_operators_genesis_and_hosts(tmp_path: Path, folder: Path) -> None:
    ours = tmp_path / "genesis.json"
    ours.write_bytes(encode_genesis(development.genesis()))
    hosts = ["a.example", "2001:db8::1", "a.example"]
    homes = made(folder, genesis_path=ours, hosts=hosts, port_base=100)
    configs = [comet_config(home) for home in homes]
    assert [it["p2p"]["external_address"] for it in configs] == [
        "a.example:100", "[2001:db8::1]:100", "a.example:102",
    ]  # fmt: skip
    assert [it["p2p"]["laddr"] for it in configs] == [
        "tcp://0.0.0.0:100", "tcp://0.0.0.0:100", "tcp://0.0.0.0:102",
    ]  # fmt: skip
    assert [it["rpc"]["laddr"] for it in configs] == [
        "tcp://127.0.0.1:101", "tcp://127.0.0.1:101", "tcp://127.0.0.1:103",
    ]  # fmt: skip
    ids = [comet_place(home).node_id for home in homes]
    assert configs[1]["p2p"]["persistent_peers"] == (
        f"{ids[0]}@a.example:100,{ids[2]}@a.example:102"
    )
    # Nobody holds the keys of roles but whoever wrote that genesis.
    assert not list((homes[0].path / "keys").iterdir())


def test_private_files_are_their_owners_alone(folder: Path) -> None:
    for home in made(folder, 1):
        comet = home.path / "cometbft"
        for name in ("config/node_key.json", "config/priv_validator_key.json",
                     "data/priv_validator_state.json"):  # fmt: skip
            assert (comet / name).stat().st_mode & 0o777 == 0o600
        for path in (comet, comet / "config", comet / "data"):
            assert path.stat().st_mode & 0o077 == 0


def test_no_two_keys_are_alike(folder: Path) -> None:
    names = ("node_key.json", "priv_validator_key.json")
    texts = [(home.path / "cometbft/config" / name).read_text() for home in made(folder)
             for name in names]  # fmt: skip
    values = [json.loads(text)["priv_key"]["value"] for text in texts]
    assert len(set(values)) == len(values)


def test_the_mempool_takes_our_largest_bundle(folder: Path) -> None:
    (home,) = made(folder, 1)
    mempool, rpc = comet_config(home)["mempool"], comet_config(home)["rpc"]
    assert mempool["max_tx_bytes"] == BUNDLE_BYTES_MAX + 5  # kind and length before it
    assert mempool["size"] >= 5_000 and mempool["cache_size"] >= mempool["size"]
    assert mempool["recheck"] is False
    assert rpc["max_body_bytes"] > 4 * mempool["max_tx_bytes"] // 3


def test_what_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from quorate.runtime.cometbft import homes

    done = homes.write_private
    calls: list[Path] = []

    def failing(path: Path, tree: Any) -> None:
        calls.append(path)
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        done(path, tree)

    monkeypatch.setattr(homes, "write_private", failing)
    with pytest.raises(Exception, match="No space left"):
        made(folder)
    assert len(calls) == 5 and not folder.exists()


@pytest.mark.parametrize(
    ("count", "rest", "words"),
    [
        (0, {}, "A chain has 1 to 128 validators, not 0."),
        (2, {"hosts": ["a"]}, "There are 1 hosts for 2 validators"),
        (1, {"hosts": ["a b"]}, '"a b" is no host'),
        (2, {"port_base": 65_533}, "Port 65535 is not from 1 to 65534"),
        (1, {"genesis_path": Path("nowhere.json")}, "nowhere.json cannot be read"),
    ],
)
def test_a_mistake_makes_nothing(
    folder: Path, count: int, rest: dict[str, Any], words: str
) -> None:
    with pytest.raises(HomeRefused, match=words):
        made(folder, count, **rest)
    assert not folder.exists()


# --- CometBFT's own word -------------------------------------------------------------------------
def test_cometbft_finds_the_same_keys_and_ids(folder: Path, cometbft: Program) -> None:
    for home in made(folder, 2):
        place, comet = comet_place(home), home.path / "cometbft"

        def says(what: str, comet: Path = comet) -> str:
            command = [str(cometbft.path), what, "--home", str(comet)]
            environment = {"PATH": os.environ["PATH"]}
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment, timeout=30
            )
            return done.stdout.strip()

        assert says("show-node-id") == place.node_id
        row = comet_genesis(home)["validators"][home.me]
        assert json.loads(says("show-validator")) == row["pub_key"]


# --- reading -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('abci = "unix"', "abci = 7", 'cometbft.abci must be "unix"'),
        ('abci = "unix"', 'abci = "tcp:h:0"', 'cometbft.abci must be "unix"'),
        ('abci = "unix"', 'abci = "unix:"', 'cometbft.abci must be "unix"'),
        ('rpc = "tcp:127.0.0.1:9"', 'rpc = "unix:/x"', 'cometbft.rpc must be "tcp:HOST:PORT"'),
        ('rpc = "tcp:127.0.0.1:9"', 'rpc = "tcp:h:0"', 'cometbft.rpc must be "tcp:HOST:PORT"'),
        ("abci =", "abc =", "cometbft.abc is not a setting; remove it"),
        ("[cometbft]", "[[cometbft]]", "cometbft must be a section"),
        ("[node]", "[node]\nheartbeat_ms = 5", "node.heartbeat_ms is for a node alone"),
        ("[log]", '[cluster]\nlisten = "tcp:h:1"\npeers = []\n[log]', "are two engines"),
    ],
)
def test_a_section_that_is_wrong_is_refused(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = tmp_path / "config.toml"
    text = cometbft_text(CONFIG_TEXT, RPC)
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(HomeRefused, match=words):
        read_config(path)


@pytest.mark.parametrize(
    ("abci", "said"),
    [
        ("unix", "unix:/q/abci.sock"),
        ("unix:/run/q.sock", "unix:/run/q.sock"),
        ("unix:q.sock", "unix:/q/q.sock"),
        ("tcp:10.0.0.1:26658", "tcp:10.0.0.1:26658"),
    ],
)
def test_the_application_is_reached_where_the_section_says(
    tmp_path: Path, abci: str, said: str
) -> None:
    path = tmp_path / "config.toml"
    text = cometbft_text(CONFIG_TEXT, RPC)
    path.write_text(text.replace('abci = "unix"', f'abci = "{abci}"'))
    found = read_config(path).cometbft
    assert found == CometBft(abci, RPC)
    assert str(abci_endpoint(Path("/q"), abci)) == said


def test_an_empty_section_has_cometbfts_own_port(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[cometbft]\n")
    assert read_config(path).cometbft == CometBft("unix", Endpoint(host="127.0.0.1", port=26_657))


def test_a_socket_of_too_long_a_path_is_refused() -> None:
    with pytest.raises(HomeRefused, match='set abci = "tcp'):
        abci_endpoint(Path("/" + 100 * "x"), "unix")


def test_files_of_two_engines_in_one_home_are_refused(folder: Path) -> None:
    (home,) = made(folder, 1)
    (home.path / CONSENSUS_NAME).write_text("{}")
    with pytest.raises(HomeRefused, match="is of the engine cluster; remove one of them"):
        read_home(home.path)


def test_a_home_whose_cometbft_is_elsewhere_is_no_validator_of_it(folder: Path) -> None:
    homes = made(folder, 2)
    (homes[1].path / "cometbft").rename(folder / "elsewhere")
    found = read_home(homes[1].path)
    assert (found.me, found.engine) == (-1, "cometbft")
    with pytest.raises(HomeRefused, match=r"genesis.json cannot be read"):
        comet_place(found)
    key = homes[0].path / "cometbft/config/priv_validator_key.json"
    key.write_text("[]")
    assert read_home(homes[0].path).me == -1


def test_a_survey_needs_no_key(folder: Path) -> None:
    home = made(folder, 2)[1]
    tree = survey(home)
    assert (tree["engine"], tree["validator"], tree["chain"]["signer"]) == ("cometbft", None, "")
    place = comet_place(home)
    assert tree["cometbft"] == {
        "me": 1, "abci": "unix", "rpc": "tcp:127.0.0.1:26659", "chain_id": place.chain_id,
        "validators": 2, "node_id": place.node_id,
    }  # fmt: skip


# --- a testnet's homes ---------------------------------------------------------------------------
def local(folder: Path, count: int | None = None, engine: str | None = "cometbft") -> list[Home]:
    """Make the homes of a testnet, or take them."""
    return local_homes(folder, count, config_text=TEXT, engine=engine)[0]


def test_a_testnet_is_taken_again_as_it_is(folder: Path) -> None:
    homes = local(folder)
    assert len(homes) == 4
    base = comet_ports(homes)[0]
    assert ports_of(homes) == list(range(base, base + 8))
    assert local_homes(folder) == (homes, False)


def test_a_port_that_is_taken_moves_all_of_them(folder: Path) -> None:
    homes = local(folder, 3)
    before = ports_of(homes)
    book = homes[1].path / "cometbft/config/addrbook.json"
    book.write_text("{}")
    with socket.socket() as other:
        other.bind(("127.0.0.1", before[3]))
        other.listen()
        moved = local(folder)
        after = ports_of(moved)
    assert before[3] not in after and after == list(range(after[0], after[0] + 6))
    assert ports_of([read_home(home.path) for home in homes]) == after
    assert not book.exists()
    for index, home in enumerate(moved):
        config = comet_config(home)
        assert config["rpc"]["laddr"] == f"tcp://127.0.0.1:{after[2 * index + 1]}"
        assert config["p2p"]["laddr"] == f"tcp://127.0.0.1:{after[2 * index]}"
        assert config["p2p"]["external_address"] == f"127.0.0.1:{after[2 * index]}"
        others = [after[2 * at] for at in range(3) if at != index]
        assert [peer.port for peer in comet_place(home).peers] == others


def test_ports_that_overlap_the_old_ones_are_each_moved_once(folder: Path) -> None:
    from quorate.runtime.cometbft.homes import comet_rebased

    base = free_base(16, 0)
    homes = made(folder, 4, port_base=base)
    assert ports_of(comet_rebased(homes, base + 3)) == list(range(base + 3, base + 11))


def test_engines_that_contradict_are_refused(folder: Path, tmp_path: Path) -> None:
    local(folder, 2)
    with pytest.raises(HomeRefused, match="holds a chain of the engine cometbft, not cluster"):
        local(folder, engine="cluster")
    local(tmp_path / "c", 2, engine=None)
    with pytest.raises(HomeRefused, match="holds a chain of the engine cluster, not cometbft"):
        local(tmp_path / "c")
    (folder / "validator-1").rename(folder / "aside")
    (tmp_path / "c" / "validator-1").rename(folder / "validator-1")
    with pytest.raises(HomeRefused, match="is of another chain than"):
        local(folder, engine=None)


def test_strange_homes_are_refused(folder: Path, tmp_path: Path) -> None:
    local(folder, 3)
    with pytest.raises(HomeRefused, match="holds a chain of 3 validators, not 4"):
        local(folder, 4)
    (folder / "validator-2").rename(tmp_path / "spare")
    with pytest.raises(HomeRefused, match="holds the homes of 2 of 3 validators"):
        local(folder)
    other = tmp_path / "o"
    local(other, 3)
    (other / "validator-2").rename(folder / "validator-2")
    with pytest.raises(HomeRefused, match="is of another chain than"):
        local(folder)
    far = tmp_path / "f"
    made(far, 2, hosts=["127.0.0.1", "b.example"])
    with pytest.raises(HomeRefused, match=r"other addresses than 127.0.0.1"):
        local(far)
