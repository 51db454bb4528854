"""The homes of a chain of many: what is made can be read, and what does not fit is refused."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from quorate.codec.consensus_genesis import (
    consensus_hash,
    decode_consensus_genesis,
    encode_consensus_genesis,
)
from quorate.codec.genesis import encode_genesis
from quorate.crypto import public_key
from quorate.runtime import development
from quorate.runtime.config import CONFIG_TEXT, Cluster, cluster_text, read_config
from quorate.runtime.disk import HomeRefused, StorageFailed
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.files import LogFiles
from quorate.runtime.home import Home, init_home, read_home, read_key, read_secret, signer_of
from quorate.runtime.peers.certificates import transport_public_key
from quorate.runtime.peers.frames import Hello, Lane
from quorate.runtime.peers.transport import Limits, Transport
from quorate.runtime.validators import (
    hello_of,
    init_validators,
    material_of_home,
    seats_of,
    validator_set,
)
from quorate.types.consensus import ConsensusGenesis
from tests.live.nodes import config_text
from tests.runtime.peers.world import Recorder, run, until

TEXT = config_text(segment_mib=1)


def made(folder: Path, count: int = 4, **rest: object) -> list[Home]:
    return init_validators(folder, count, config_text=TEXT, **rest)


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return made(tmp_path / "chain")


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_what_is_made_can_be_read_wherever_it_is_moved(tmp_path: Path, count: int) -> None:
    homes = made(tmp_path / "chain", count)
    assert [home.path.name for home in homes] == [f"validator-{at}" for at in range(count)]
    for index, home in enumerate(homes):
        moved = home.path.rename(tmp_path / f"moved-{index}")
        read = read_home(moved)
        assert read == replace(home, path=moved)
        assert read.me == index and read.genesis == development.cleared_genesis()
        consensus = read.consensus
        assert consensus is not None and consensus == homes[0].consensus
        assert read.consensus_hash == consensus_hash(consensus)
        assert consensus.chain_id == development.CHAIN_ID
        assert consensus.app_genesis == read.genesis_hash
        assert validator_set(consensus).total == count
        own = consensus.validators[index]
        assert signer_of(moved) == (read_key(moved, "consensus"), own.consensus_key)
        assert transport_public_key(read_secret(moved, "transport")) == own.transport_key
        names = sorted(path.name for path in (moved / "keys").iterdir())
        assert names == sorted(
            f"{key}.key" for key in ("consensus", "transport", *development.ROLES)
        )
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in (moved / "keys").iterdir())
        LogFiles.open(moved, read.identity, read.config.segment_bytes).close()


def test_an_operators_genesis_comes_without_development_keys(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    genesis = replace(development.genesis(), chain_id=8, name="another")
    path.write_bytes(encode_genesis(genesis))
    home = made(tmp_path / "chain", 1, genesis_path=path)[0]
    assert read_home(home.path).genesis == genesis
    assert home.consensus is not None and home.consensus.chain_id == 8
    names = sorted(path.name for path in (home.path / "keys").iterdir())
    assert names == ["consensus.key", "transport.key"]


def test_addresses_of_one_machine_and_of_many(tmp_path: Path) -> None:
    def shown(home: Home) -> tuple[str, list[str]]:
        cluster = home.config.cluster
        assert cluster is not None
        return str(cluster.listen), [str(peer) for peer in cluster.peers]

    homes = made(tmp_path / "one", 3)
    peers = [f"tcp:127.0.0.1:{port}" for port in (7700, 7701, 7702)]
    assert [shown(home) for home in homes] == [(peer, peers) for peer in peers]
    hosts = ["a.example", "::1", "a.example"]
    homes = made(tmp_path / "many", 3, hosts=hosts, port_base=9000)
    peers = ["tcp:a.example:9000", "tcp:::1:9000", "tcp:a.example:9001"]
    assert [shown(home) for home in homes] == [(peer, peers) for peer in peers]
    assert [(seat.host, seat.port) for seat in seats_of(homes[0])] == [
        ("a.example", 9000), ("::1", 9000), ("a.example", 9001)
    ]  # fmt: skip


def test_a_solo_home_is_what_it_was(tmp_path: Path) -> None:
    home = init_home(tmp_path / "home", config_text=TEXT)
    assert home == read_home(home.path)
    assert home.consensus is None and home.config.cluster is None and home.me == -1
    names = sorted(path.name for path in home.path.iterdir() if path.name != "lock")
    assert names == ["config.toml", "genesis.json", "keys", "log", "snapshots"]
    assert (home.path / "config.toml").read_text() == TEXT
    assert signer_of(home.path)[1] == public_key(read_key(home.path, "checkpoint"))


def test_the_configuration_of_a_validator_is_that_of_a_node_but_for_the_heartbeat(
    tmp_path: Path,
) -> None:
    peers = [Endpoint(host="h", port=port) for port in (5, 6)]
    text = cluster_text(CONFIG_TEXT, peers[1], peers)
    alone, both = tomllib.loads(CONFIG_TEXT), tomllib.loads(text)
    assert both.pop("cluster") == {
        "listen": "tcp:h:6", "peers": ["tcp:h:5", "tcp:h:6"], "signer": "",
    }  # fmt: skip
    del alone["node"]["heartbeat_ms"]
    assert both == alone and "silence" not in text
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert read_config(path).cluster == Cluster(peers[1], tuple(peers))


# --- mistakes


def other_chain(folder: Path, homes: list[Home]) -> None:
    genesis = replace(development.genesis(), chain_id=8)
    (folder / "genesis.json").write_bytes(encode_genesis(genesis))


def other_genesis(folder: Path, homes: list[Home]) -> None:
    genesis = replace(development.genesis(), name="another")
    (folder / "genesis.json").write_bytes(encode_genesis(genesis))


def changed(folder: Path, change: Callable[[ConsensusGenesis], ConsensusGenesis]) -> None:
    path = folder / "consensus.json"
    consensus = decode_consensus_genesis(path.read_bytes())
    path.write_bytes(encode_consensus_genesis(change(consensus)))


def no_point(folder: Path, homes: list[Home]) -> None:
    def change(it: ConsensusGenesis) -> ConsensusGenesis:
        # No point of the curve has x = 5.
        bad = replace(it.validators[2], consensus_key=b"\x02" + (5).to_bytes(32, "big"))
        return replace(it, validators=(*it.validators[:2], bad, *it.validators[3:]))

    changed(folder, change)


def not_canonical(folder: Path, homes: list[Home]) -> None:
    path = folder / "consensus.json"
    path.write_bytes(path.read_bytes().replace(b":", b": ", 1))


def no_consensus(folder: Path, homes: list[Home]) -> None:
    (folder / "consensus.json").unlink()


def no_section(folder: Path, homes: list[Home]) -> None:
    (folder / "config.toml").write_text(TEXT)


def three_validators(folder: Path, homes: list[Home]) -> None:
    changed(folder, lambda it: replace(it, validators=it.validators[:3]))


def keys_swapped(name: str) -> Callable[[Path, list[Home]], None]:
    def swapped(folder: Path, homes: list[Home]) -> None:
        (folder / "keys" / name).write_bytes((homes[2].path / "keys" / name).read_bytes())

    swapped.__name__ = f"swapped_{name}"
    return swapped


def foreign(name: str) -> Callable[[Path, list[Home]], None]:
    def foreign_key(folder: Path, homes: list[Home]) -> None:
        (folder / "keys" / name).write_text("11" * 32 + "\n")

    foreign_key.__name__ = f"foreign_{name}"
    return foreign_key


def short_seed(folder: Path, homes: list[Home]) -> None:
    (folder / "keys" / "transport.key").write_text("11" * 31)


def open_seed(folder: Path, homes: list[Home]) -> None:
    (folder / "keys" / "transport.key").chmod(0o640)


def no_seed(folder: Path, homes: list[Home]) -> None:
    (folder / "keys" / "transport.key").unlink()


def edited(old: str, new: str) -> Callable[[Path, list[Home]], None]:
    def edit(folder: Path, homes: list[Home]) -> None:
        path = folder / "config.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    edit.__name__ = new or "removed"
    return edit


FIRST, SECOND = '    "tcp:127.0.0.1:7700",\n', '    "tcp:127.0.0.1:7701",\n'
LISTEN = 'listen = "tcp:127.0.0.1:7701"'
MISTAKES: list[tuple[Callable[[Path, list[Home]], None], str]] = [
    (other_chain, "consensus.json is of chain 7777, but genesis.json is of chain 8; put the"),
    (other_genesis, "consensus.json is for the genesis "),
    (no_point, "consensus.json: validators[2].consensus_key is no point of the curve; it must"),
    (not_canonical, "is no consensus.json: The genesis is not in its canonical form"),
    (no_consensus, "has lost its consensus.json; put a copy back, from a peer or a backup."),
    (no_section, "config.toml has no section [cluster], which a validator of consensus.json nee"),
    (three_validators, "config.toml: cluster.peers has 4 entries, but consensus.json has 3 val"),
    (keys_swapped("transport.key"), "transport.key is that of validator 2, but consensus.key is"),
    (keys_swapped("consensus.key"), "transport.key is that of validator 1, but consensus.key is"),
    (foreign("transport.key"), "transport.key is that of d04ab232742bb4ab3a1368bd4615e4e6d0224ab7"),
    (foreign("consensus.key"), "consensus.key is that of 034f355bdcb7cc0af728ef3cceb9615d90684bb5"),
    (short_seed, "transport.key holds no key: 64 hex digits are expected."),
    (open_seed, "transport.key can be read by others (mode 640); run chmod 600 on it."),
    (no_seed, "transport.key cannot be read: No such file or directory."),
    (edited(FIRST, ""), "config.toml: cluster.peers has 3 entries, but consensus.json has 4 val"),
    (edited(FIRST, SECOND), "cluster.peers[1] is that of peers[0]; each validator has an addr"),
    (edited(FIRST, '"unix:x",'), 'config.toml: cluster.peers[0] must be "tcp:HOST:PORT".'),
    (edited(FIRST, "5,"), 'config.toml: cluster.peers[0] must be "tcp:HOST:PORT".'),
    (edited(":7700", ":0"), 'config.toml: cluster.peers[0] must be "tcp:HOST:PORT".'),
    (edited(LISTEN, 'listen = "unix"'), 'config.toml: cluster.listen must be "tcp:HOST:PORT".'),
    (edited(LISTEN, ""), 'config.toml: cluster.listen must be "tcp:HOST:PORT".'),
    (edited(LISTEN, LISTEN + "\npears = 3"), "config.toml: cluster.pears is not a setting; remo"),
    (edited("peers = [", "peers = 7\nother = ["), "config.toml: cluster.other is not a setting"),
    (edited("[node]", "cluster = 3\n[node]"), "config.toml is not TOML: "),
    (edited("[node]", "[node]\nheartbeat_ms = 9"), "config.toml: node.heartbeat_ms is for a node"),
]


@pytest.mark.parametrize(
    ("change", "words"), MISTAKES, ids=[change.__name__ for change, _ in MISTAKES]
)
def test_a_home_that_does_not_fit_is_refused_in_one_sentence(
    change: Callable[[Path, list[Home]], None], words: str, homes: list[Home]
) -> None:
    folder = homes[1].path
    change(folder, homes)
    with pytest.raises(HomeRefused) as caught:
        read_home(folder)
    said = str(caught.value)
    assert words in said and said.startswith(str(folder)) and said.endswith(".")
    assert "\n" not in said and ".." not in said


@pytest.mark.parametrize(
    ("count", "rest", "said"),
    [
        (0, {}, "A chain has 1 to 128 validators, not 0."),
        (129, {}, "A chain has 1 to 128 validators, not 129."),
        (4, {"hosts": ["a", "b"]}, "There are 2 hosts for 4 validators; name one for each"),
        (2, {"hosts": ["a", ""]}, '"" is no host; name an address or a domain name.'),
        (2, {"hosts": ["a", 'b"']}, "is no host; name an address or a domain name."),
        (4, {"port_base": 65533}, "Port 65536 is not from 1 to 65535; choose another base."),
        (4, {"port_base": 0}, "Port 0 is not from 1 to 65535; choose another base."),
        (4, {"genesis_path": Path("nowhere.json")}, "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(
    tmp_path: Path, count: int, rest: dict[str, object], said: str
) -> None:
    with pytest.raises(HomeRefused) as caught:
        made(tmp_path / "chain", count, **rest)
    assert said in str(caught.value)
    assert not (tmp_path / "chain").exists()


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(HomeRefused, match="is not empty; choose a new folder"):
        made(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_disk_that_fails_at_the_third_home_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, calls = LogFiles.create, []

    def failing(path: Path, *rest: object) -> LogFiles:
        calls.append(path)
        if len(calls) == 3:
            raise StorageFailed("the disk is full")
        return create(path, *rest)

    monkeypatch.setattr(LogFiles, "create", failing)
    with pytest.raises(StorageFailed):
        made(tmp_path / "deep" / "chain")
    assert len(calls) == 3 and not list(tmp_path.iterdir())


def test_homes_hold_all_that_the_links_need(homes: list[Home]) -> None:
    assert hello_of(homes[0]) == Hello(development.CHAIN_ID, homes[0].consensus_hash)

    async def work() -> None:
        seats = list(seats_of(homes[0]))
        nodes: list[Transport] = []
        recorders = [Recorder() for _ in homes]
        for home, recorder in zip(homes, recorders, strict=True):
            read = read_home(home.path)
            node = Transport(
                read.me, seats, hello_of(read), material_of_home(read), Limits({1: 9}), recorder
            )
            recorder.transport = node
            nodes.append(node)
            at = await node.start(Endpoint(host="127.0.0.1", port=0))
            seats[read.me] = replace(seats[read.me], port=at.port)
        await until(lambda: all(len(recorder.ups) == 3 for recorder in recorders))
        assert nodes[0].broadcast(1, b"aye", Lane.URGENT) == 3
        await until(lambda: all(recorder.frames for recorder in recorders[1:]))
        for node in nodes:
            await node.stop()

    run("asyncio", work())
