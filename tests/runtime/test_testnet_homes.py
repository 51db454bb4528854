"""The homes of a testnet: made once, taken again, moved to other ports, refused when strange."""

import fcntl
import socket
from pathlib import Path

import pytest

from quorate.runtime.disk import HomeLocked, HomeRefused
from quorate.runtime.home import init_home, read_home
from quorate.runtime.testnet_homes import free_base, local_homes, peers_of, port_free
from quorate.runtime.validators import init_validators
from tests.live.nodes import config_text

TEXT = config_text(segment_mib=1)


def ports(folder: Path, index: int) -> list[int]:
    """Read where a validator reaches the others."""
    return [endpoint.port for endpoint in peers_of(read_home(folder / f"validator-{index}"))]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    return tmp_path_factory.mktemp("net")


@pytest.mark.parametrize(("count", "homes"), [(None, 4), (1, 1), (7, 7)])
def test_new_homes_are_taken_again_as_they_are(
    folder: Path, count: int | None, homes: int
) -> None:
    made, new = local_homes(folder, count, config_text=TEXT)
    assert new and len(made) == homes
    again, new = local_homes(folder, count)
    assert not new and again == made
    assert [home.me for home in again] == list(range(homes))


def test_a_port_that_is_taken_moves_all_of_them_in_every_home(folder: Path) -> None:
    homes, _ = local_homes(folder, 4, config_text=TEXT)
    before = ports(folder, 0)
    with socket.socket() as other:
        # A connection of an earlier test of this process may have ended there lately.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before[2]))
        other.listen()
        assert not port_free(before[2])
        moved, new = local_homes(folder)
        assert not new
        after = ports(folder, 0)
        assert before[2] not in after and after == list(range(after[0], after[0] + 4))
        assert all(ports(folder, index) == after for index in range(4))
        for index, home in enumerate(moved):
            cluster = home.config.cluster
            assert cluster is not None and cluster.listen.port == after[index]
            assert home.consensus_hash == homes[0].consensus_hash
        fresh, _ = local_homes(folder / "other", 4, before[0], TEXT)
        assert ports(folder / "other", 0)[0] != before[0] and len(fresh) == 4


def test_a_base_that_is_free_is_taken(folder: Path) -> None:
    base = free_base(3, 0)
    assert free_base(3, base) == base
    homes, _ = local_homes(folder, 3, base, TEXT)
    assert [endpoint.port for endpoint in peers_of(homes[0])] == [base, base + 1, base + 2]


@pytest.mark.parametrize("base", [-1, 65_533, 70_000])
def test_a_base_that_is_no_port_is_refused(folder: Path, base: int) -> None:
    with pytest.raises(HomeRefused, match="is not from 1 to 65532"):
        local_homes(folder / "new", 4, base)
    assert not (folder / "new").exists()


def test_a_node_that_runs_there_is_named(folder: Path) -> None:
    homes, _ = local_homes(folder, 2, config_text=TEXT)
    with (homes[1].path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(HomeLocked, match="is held by"):
            local_homes(folder)


def refused(folder: Path, words: str, count: int | None = None) -> None:
    """See that a folder is refused and left as it is."""
    before = sorted(path for path in folder.rglob("*"))
    with pytest.raises(HomeRefused, match=words):
        local_homes(folder, count)
    assert sorted(path for path in folder.rglob("*")) == before


def test_what_is_no_testnet_is_refused(folder: Path) -> None:
    (folder / "mine").write_text("mine")
    refused(folder, "is not empty, and holds no validator-0; name another folder")


def test_a_home_of_a_node_alone_is_refused(folder: Path) -> None:
    init_home(folder / "validator-0", config_text=TEXT)
    refused(folder, "is not the home of validator 0 of a chain")


def test_too_few_too_many_and_mixed_homes_are_refused(folder: Path) -> None:
    local_homes(folder / "a", 3, config_text=TEXT)
    local_homes(folder / "b", 3, config_text=TEXT)
    refused(folder / "a", "holds a chain of 3 validators, not 4", 4)
    (folder / "a" / "validator-2").rename(folder / "spare")
    refused(folder / "a", "holds the homes of 2 of 3 validators")
    (folder / "b" / "validator-2").rename(folder / "a" / "validator-2")
    refused(folder / "a", "is of another chain than")
    (folder / "a" / "validator-2").rename(folder / "b" / "validator-3")
    refused(folder / "b", "is not the home of validator 2 of a chain")


def test_validators_of_other_machines_are_refused(folder: Path) -> None:
    init_validators(folder, 2, None, ["127.0.0.1", "b.example"], None, TEXT)
    refused(folder, "other addresses than 127.0.0.1")
