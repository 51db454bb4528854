"""Snapshots: equal states give equal bytes, restoring equals replaying, damage is refused."""

import hashlib

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.commitment.state_root import StateTree
from quorate.execution.image import same
from quorate.replica.executor import Executor
from quorate.replica.replay import Replay
from quorate.replica.state import image_root, snapshot_chunks, snapshot_image
from quorate.replica.views import SHAPES, ImageTables
from quorate.runtime import development
from quorate.storage.errors import SnapshotDamaged, StorageRefusal
from quorate.types.records import Table
from tests.replica.world import (
    IDENTITY,
    MACHINES,
    bundle,
    executor_of,
    logged,
    machine_of,
    random_trading,
    replica_of,
    request,
    run_blocks,
)

GOVERNANCE = development.role_key("governance")
TRADING = random_trading(24)
VALIDATORS = [bytes([number]) * 32 for number in (1, 2, 3)]
TRADING[5:5] = [
    [
        request(
            100,
            bundle(
                GOVERNANCE,
                0,
                *(c.SetValidator(1, c.validator_key(1, key), 10) for key in VALIDATORS),
            ),
        )
    ],
    [request(101, bundle(GOVERNANCE, 1, c.SetValidator(1, c.validator_key(1, VALIDATORS[1]), 0)))],
]
HEIGHT = len(TRADING)


def snapshot_of(executor: Executor) -> bytes:
    return b"".join(snapshot_chunks(IDENTITY, executor.image(), executor.root))


def test_spec_kernels_and_a_restored_state_give_the_same_bytes() -> None:
    spec, kernel = replica_of("spec"), replica_of("kernel")
    run_blocks(spec, TRADING)
    run_blocks(kernel, TRADING)
    data = snapshot_of(spec.executor)
    assert snapshot_of(kernel.executor) == data
    for kind in MACHINES:
        head, image = snapshot_image(data, IDENTITY)
        assert head.height == HEIGHT and head.state_root == spec.executor.root
        assert snapshot_of(Executor(machine_of(kind, image))) == data


@pytest.mark.parametrize("kind", MACHINES)
def test_restoring_and_replaying_equals_replaying(kind: str) -> None:
    whole, half = replica_of(kind), replica_of(kind)
    records = logged(run_blocks(whole, TRADING))
    run_blocks(half, TRADING[:12])
    _, image = snapshot_image(snapshot_of(half.executor), IDENTITY)
    replay = Replay(executor_of(kind, image), IDENTITY, roots_every=1)
    replay.feed(records)
    replay.settle()
    assert replay.executor.root == whole.executor.root
    assert snapshot_of(replay.executor) == snapshot_of(whole.executor)


def test_the_root_of_an_image_is_that_of_the_running_state() -> None:
    replica = replica_of("kernel")
    run_blocks(replica, TRADING)
    assert image_root(replica.executor.image()) == replica.executor.root
    loaded = executor_of("kernel", replica.executor.image())
    assert loaded.root == replica.executor.root
    assert same(loaded.image(), replica.executor.image())


def test_any_changed_byte_is_refused() -> None:
    data = snapshot_of(executor_of())
    rng = np.random.default_rng(3)
    for at in rng.integers(0, len(data), 60).tolist():
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(0, 8))
        with pytest.raises(StorageRefusal):
            snapshot_image(bytes(changed), IDENTITY)


def test_a_state_of_another_root_is_refused() -> None:
    executor = executor_of()
    chunks = snapshot_chunks(IDENTITY, executor.image(), hashlib.sha256(b"").digest())
    with pytest.raises(SnapshotDamaged, match="another root than its head says"):
        snapshot_image(b"".join(chunks), IDENTITY)


def test_tables_that_do_not_fit_together_are_refused() -> None:
    image = list(executor_of().image())
    accounts = image[Table.ACCOUNTS]
    rows = accounts.rows.copy()
    rows["positions_count"][1] = 1
    image[Table.ACCOUNTS] = type(accounts)(accounts.table, rows, accounts.tail)
    chunks = snapshot_chunks(IDENTITY, tuple(image), bytes(32))
    with pytest.raises(SnapshotDamaged, match="do not fit together"):
        snapshot_image(b"".join(chunks), IDENTITY)


def test_the_register_is_part_of_the_state() -> None:
    replica = replica_of("kernel")
    run_blocks(replica, TRADING)
    rows = replica.executor.tables.rows(Table.VALIDATORS)
    assert rows["power"].tolist() == [10, 0, 10]
    assert [key.tobytes()[:32] for key in rows["key"]] == VALIDATORS
    assert rows["changed_height"].tolist() == [6, 7, 6]
    image = list(replica.executor.image())
    register = image[Table.VALIDATORS].rows.copy()
    register["power_before"][1] = 0
    image[Table.VALIDATORS] = type(image[0])(Table.VALIDATORS, register, b"")
    assert image_root(tuple(image)) != replica.executor.root


@pytest.mark.parametrize("kind", MACHINES)
def test_an_empty_register_leaves_the_root_of_a_state_without_one(kind: str) -> None:
    replica = replica_of(kind)
    run_blocks(replica, TRADING[:5])
    views = ImageTables(replica.executor.image()).views()
    before = StateTree(SHAPES[: Table.VALIDATORS]).full_root(views[: Table.VALIDATORS])
    assert replica.executor.root == before
    run_blocks(replica, TRADING[5:6])
    views = ImageTables(replica.executor.image()).views()
    without = StateTree(SHAPES[: Table.VALIDATORS]).full_root(views[: Table.VALIDATORS])
    assert replica.executor.root == image_root(replica.executor.image()) != without
