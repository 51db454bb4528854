"""The log thread: everything appended and one sync, and only then a reply. Without sockets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quorate.replica.messages import (
    Answer,
    Append,
    Halt,
    Level,
    Reply,
    Snapshot,
    Stop,
    Sync,
    Synced,
)
from quorate.runtime.disk import StorageFailed
from quorate.runtime.errors import NodeHalted, NodeStopped
from quorate.runtime.halt import read_halt
from quorate.runtime.home import Home, init_home
from quorate.runtime.node import Node
from quorate.storage.log import Kind
from tests.live.nodes import config_text
from tests.replica.world import replica_of

APPENDS = [Append(Kind.BLOCK, 1, b"block"), Append(Kind.CHECKPOINT, 1, b"checkpoint")]
REPLY = Reply(1, 1, Level.EXECUTED, 1, 1, (0,), 0, 1, b"", np.zeros(0, np.int64))


class Witness:
    """Stands in for the files and the event loop, and writes down what happens."""

    def __init__(self, failing: str = "") -> None:
        self.trail: list[str] = []
        self.failing = failing

    def note(self, what: str) -> None:
        self.trail.append(what)
        if what == self.failing:
            raise StorageFailed("the disk is sick")

    def append(self, entries: list[Any]) -> None:
        self.note(f"append {len(entries)}")

    def sync(self) -> None:
        self.note("sync")

    def call_soon_threadsafe(self, function: Any, argument: Any, *_: Any) -> None:
        many = isinstance(argument, list)
        self.note(f"{function.__name__} {len(argument) if many else argument}")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return init_home(tmp_path / "home", config_text=config_text(segment_mib=1))


def node_of(home: Home, witness: Witness) -> Node:
    files: Any = witness
    loop: Any = witness
    node = Node(home, files, replica_of())
    node.loop = loop
    return node


def test_replies_follow_the_sync_and_one_sync_covers_many_blocks(home: Home) -> None:
    witness = Witness()
    node = node_of(home, witness)
    node.carry_out([*APPENDS, Sync(1), REPLY, *APPENDS, Sync(2), REPLY, Snapshot(2)])
    assert witness.trail == ["append 4", "sync", "respond 2", "begin 2"]
    assert node.events.get() == Synced(2)


def test_answers_wait_for_no_disk_when_nothing_was_appended(home: Home) -> None:
    witness = Witness()
    node_of(home, witness).carry_out([Answer(1, 1, {})])
    assert witness.trail == ["respond 1"]


@pytest.mark.parametrize("failing", ["append 2", "sync"])
def test_nothing_is_said_after_a_failure(failing: str, home: Home) -> None:
    witness = Witness(failing)
    node = node_of(home, witness)
    with pytest.raises(StorageFailed):
        node.carry_out([*APPENDS, Sync(1), REPLY])
    assert witness.trail[-1] == failing and node.events.empty()
    assert read_halt(home.path) is None


def test_a_halt_is_durable_before_the_node_ends(home: Home) -> None:
    witness = Witness()
    with pytest.raises(NodeHalted, match="Halted at height 4: why"):
        node_of(home, witness).carry_out([*APPENDS, Sync(4), Halt(4, b"d" * 32, "why")])
    halt = read_halt(home.path)
    assert halt is not None and (halt.height, halt.digest) == (4, b"d" * 32)
    assert witness.trail == ["append 2", "sync"]


def test_a_stop_leaves_no_marker(home: Home) -> None:
    with pytest.raises(NodeStopped, match="a newer program"):
        node_of(home, Witness()).carry_out([Stop("a newer program is needed")])
    assert read_halt(home.path) is None
