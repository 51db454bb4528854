"""The step: what it does, in which order, and what it never does."""

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.commitment.proof import checkpoint_digest
from quorate.crypto import public_key, verify
from quorate.execution.machine import SpecMachine
from quorate.replica import executor as executor_module
from quorate.replica.intake import judged
from quorate.replica.messages import (
    Append,
    Asked,
    Halt,
    Judged,
    Level,
    Refuse,
    Snapshot,
    SnapshotMade,
    Stop,
    Stopping,
    Sync,
    Synced,
    Tick,
)
from quorate.replica.records import block_read, checkpoint_holds, checkpoint_read
from quorate.storage.log import Kind
from quorate.types.blocks import Item
from quorate.types.codes import EventKind, Reject
from quorate.types.records import Table
from tests.replica.world import (
    ALICE,
    BOB,
    CHAIN,
    FUNDS,
    IDENTITY,
    KEY,
    MACHINES,
    NOW,
    bundle,
    events_of,
    kinds,
    logged,
    replica_of,
    replies,
    request,
    submit,
    synced,
)


@pytest.mark.parametrize("kind", MACHINES)
def test_a_reply_stands_behind_the_sync_of_its_block(kind: str) -> None:
    replica = replica_of(kind)
    order = c.Place(1, 0, 600_000, 5)
    effects = submit(
        replica,
        NOW,
        request(1, bundle(ALICE, 0, FUNDS), bundle(ALICE, 1, order)),
        request(7, bundle(BOB, 0, FUNDS), client=2),
    )
    assert kinds(effects) == "Append Append Sync Reply Reply"
    block, checkpoint, sync = effects[:3]
    assert isinstance(block, Append) and block.kind == Kind.BLOCK
    assert isinstance(checkpoint, Append) and checkpoint.kind == Kind.CHECKPOINT
    assert sync == Sync(1)
    first, second = replies(effects)
    assert (first.client, first.number, second.client, second.number) == (1, 1, 2, 7)
    assert first.level == second.level == Level.EXECUTED
    assert (first.bundle_first, first.bundle_count) == (0, 2)
    assert (second.bundle_first, second.bundle_count) == (2, 1)
    assert list(events_of(first)["bundle"]) == [0, 0, 1]
    assert list(first.places) == [0, 1, 2] and list(second.places) == [3, 4]
    assert events_of(second)["kind"][-1] == EventKind.RECEIPT


def test_the_log_holds_the_block_and_a_signed_checkpoint() -> None:
    replica = replica_of()
    effects = submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS)))
    block_record, checkpoint_record = logged(effects)
    block = block_read(block_record.payload)
    checkpoint = checkpoint_read(checkpoint_record.payload, IDENTITY)
    assert (block.height, block.time_ms) == (1, NOW)
    assert checkpoint.exec_block_digest == block.digest
    assert checkpoint.state_root == replica.executor.root
    assert checkpoint_holds(checkpoint)
    (signature,) = checkpoint.signatures.values()
    assert verify(public_key(KEY), checkpoint_digest(checkpoint), signature)


def test_two_blocks_may_wait_for_the_disk_and_the_third_gathers() -> None:
    replica = replica_of()
    assert kinds(submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS)))).startswith("Append")
    assert kinds(submit(replica, NOW, request(2, bundle(ALICE, 1, FUNDS)))).startswith("Append")
    assert submit(replica, NOW, request(3, bundle(ALICE, 2, FUNDS))) == []
    assert submit(replica, NOW, request(4, bundle(ALICE, 3, FUNDS))) == []
    effects = replica.step(NOW, Synced(1))
    assert kinds(effects) == "Append Append Sync Reply Reply"
    assert replica.executor.height == 3


def test_stopping_brings_everything_to_an_end() -> None:
    replica = replica_of()
    for number in range(5):
        submit(replica, NOW, request(number, bundle(ALICE, number, FUNDS)))
    effects = replica.step(NOW, Stopping())
    assert [reply.number for reply in replies(effects)] == [2, 3, 4]


def test_block_time_never_goes_back() -> None:
    replica = replica_of()
    submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS)))
    synced(replica)
    (reply,) = replies(submit(replica, NOW - 500, request(2, bundle(ALICE, 1, FUNDS))))
    assert reply.time_ms == NOW == replica.executor.time_ms


def test_what_admission_refused_is_answered_at_once_and_is_in_no_block() -> None:
    replica = replica_of()
    (reply,) = replies(submit(replica, NOW, request(1, Item(1, bytes(161)))))
    assert reply.level == Level.REFUSED and reply.codes == (Reject.COUNT_MUST_BE_1_TO_1024,)
    assert replica.executor.height == 0


def test_a_request_that_is_not_items_is_refused_as_a_whole() -> None:
    replica = replica_of()
    broken = request(1, bundle(ALICE, 0, FUNDS))
    broken = type(broken)(broken.client, broken.number, broken.data[:-1])
    whole = request(2, bundle(BOB, 0, FUNDS))
    effects = submit(replica, NOW, broken, whole)
    assert effects[0] == Refuse(1, 1, Reject.LENGTH_MUST_MATCH_COUNT)
    assert [reply.number for reply in replies(effects)] == [2]


def test_sound_items_execute_beside_refused_ones() -> None:
    replica = replica_of()
    good, bad = bundle(ALICE, 0, FUNDS), Item(9, b"nothing known")
    effects = submit(replica, NOW, request(1, bad, good, bad), request(2, bad))
    refused, mixed = replies(effects)
    assert (refused.number, refused.level) == (2, Level.REFUSED)
    assert mixed.codes == (100, 0, 100) and mixed.bundle_count == 1
    assert block_read(logged(effects)[0].payload).rows["count"].tolist() == [1]


@pytest.mark.parametrize("kind", MACHINES)
def test_a_bundle_sent_twice_executes_once(kind: str) -> None:
    replica = replica_of(kind)
    twice = bundle(ALICE, 0, FUNDS)
    effects = submit(replica, NOW, request(1, twice, twice), request(2, twice))
    told, first = replies(effects)
    assert first.codes == (Reject.OK, Reject.NONCE_ALREADY_USED)
    assert told.number == 2 and told.codes == (Reject.NONCE_ALREADY_USED,)
    assert told.level == Level.REFUSED
    submit(replica, NOW, request(3, twice))
    rows = replica.executor.tables.rows(Table.ASSETS)
    assert rows[0]["deposited"] == FUNDS.amount


def test_a_bundle_that_waits_already_is_left_out() -> None:
    replica = replica_of()
    for number in range(2):
        submit(replica, NOW, request(number, bundle(BOB, number, FUNDS)))
    waits, other = bundle(ALICE, 0, FUNDS), bundle(ALICE, 1, FUNDS)
    assert submit(replica, NOW, request(3, waits)) == []
    assert submit(replica, NOW, request(4, waits, other)) == []
    effects = synced(replica)
    first, second = replies(effects)
    assert first.codes == (0,) and second.codes == (Reject.NONCE_ALREADY_USED, 0)
    assert (second.bundle_first, second.bundle_count) == (1, 1)
    block = block_read(logged(effects)[0].payload)
    assert len(block.rows) == 2
    assert list(events_of(second)["code"]) == [0, 0]


def test_a_failed_audit_halts_before_the_checkpoint() -> None:
    replica = replica_of()
    submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS)))
    synced(replica)
    machine = replica.executor.machine
    assert isinstance(machine, SpecMachine)
    account = machine.tables.row(Table.ACCOUNTS, 1)
    account.cash_e6 += 1
    machine.tables.put(Table.ACCOUNTS, 1, account)
    effects = submit(replica, NOW, request(2, bundle(BOB, 0, FUNDS)))
    assert kinds(effects) == "Append Sync Halt"
    block, _, halt = effects
    assert isinstance(block, Append) and block.kind == Kind.BLOCK
    assert isinstance(halt, Halt) and halt.height == 2
    assert halt.digest == block_read(block.payload).digest
    assert "quote asset" in halt.reason
    assert replica.checkpoint is not None and replica.checkpoint.height == 1
    assert submit(replica, NOW, request(3, bundle(BOB, 1, FUNDS))) == []


def test_a_version_that_this_program_lacks_stops_before_its_height(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replica = replica_of()
    monkeypatch.setattr(executor_module, "version_after", lambda chain, height: 8 * height - 7)
    assert "Reply" in kinds(submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS))))
    (stop,) = submit(replica, NOW, request(2, bundle(ALICE, 1, FUNDS)))
    assert isinstance(stop, Stop) and "block 2 needs version 9" in stop.reason
    assert replica.executor.height == 1 and replica.stopped


def test_silence_makes_an_empty_block_only_where_configured() -> None:
    assert replica_of().step(NOW + 10**9, Tick()) == []
    replica = replica_of(heartbeat_ms=1000)
    submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS)))
    assert replica.step(NOW + 5000, Tick()) == [], "the disk has not caught up"
    synced(replica)
    assert replica.step(NOW + 999, Tick()) == []
    assert kinds(replica.step(NOW + 1000, Tick())) == "Append Append Sync"
    assert (replica.executor.height, replica.executor.time_ms) == (2, NOW + 1000)


def test_a_snapshot_is_asked_for_behind_the_sync() -> None:
    replica = replica_of(snapshot_every=2)
    first = submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS)))
    second = submit(replica, NOW, request(2, bundle(ALICE, 1, FUNDS)))
    assert kinds(first) == "Append Append Sync Reply"
    assert kinds(second) == "Append Append Sync Reply Snapshot"
    assert second[-1] == Snapshot(2)


def test_a_snapshot_that_differs_halts() -> None:
    replica = replica_of()
    assert replica.step(NOW, SnapshotMade(5, "")) == []
    (halt,) = replica.step(NOW, SnapshotMade(5, "another root"))
    assert isinstance(halt, Halt) and halt.reason == "another root" and replica.stopped


def test_a_question_is_answered_behind_the_blocks_it_sees() -> None:
    replica = replica_of()
    effects = submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS)))
    effects += replica.step(NOW, Asked(3, 9, {"ask": "status"}))
    assert kinds(effects) == "Append Append Sync Reply Answer"


def test_one_block_of_several_batches_points_at_the_right_commands() -> None:
    replica = replica_of()
    for number in range(2):
        submit(replica, NOW, request(number, bundle(BOB, number, FUNDS)))
    for number, amount in enumerate((3, 5, 7), start=10):
        submit(replica, NOW, request(number, bundle(ALICE, number, c.Faucet(amount))))
    effects = synced(replica)
    assert replica.executor.tables.rows(Table.ASSETS)[0]["deposited"] == 2 * FUNDS.amount + 15
    assert [reply.bundle_first for reply in replies(effects)] == [0, 1, 2]


def test_makers_first_gives_each_request_its_own_events() -> None:
    replica = replica_of()
    machine = replica.executor.machine
    assert isinstance(machine, SpecMachine)
    parameters = machine.tables.row(Table.PARAMETERS, 0)
    parameters.order_rule = 1
    machine.tables.put(Table.PARAMETERS, 0, parameters)
    submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS), bundle(BOB, 0, FUNDS)))
    synced(replica)
    taker, maker = c.Place(1, 0, 600_000, 5), c.Place(1, 1, 600_000, 5, flags=0x20)
    first, second = replies(
        submit(replica, NOW, request(2, bundle(ALICE, 1, taker)), request(3, bundle(BOB, 1, maker)))
    )
    assert set(events_of(first)["bundle"]) == {0} and set(events_of(second)["bundle"]) == {1}
    assert min(second.places) < min(first.places)
    events = replica.executor.events
    for reply in (first, second):
        assert np.array_equal(events[reply.places], events_of(reply))


def test_an_empty_batch_is_nothing() -> None:
    assert replica_of().step(NOW, Judged(judged([], CHAIN))) == []
