"""Replaying the log gives what executing gave; a log that says otherwise is refused."""

from dataclasses import replace
from typing import Any

import pytest

from quorate.execution.image import same
from quorate.replica import executor as executor_module
from quorate.replica.errors import ReplayRefused, VersionMissing
from quorate.replica.messages import Effect
from quorate.replica.records import checkpoint_payload, checkpoint_read
from quorate.replica.replay import Replay
from quorate.replica.replica import Replica
from quorate.storage.log import Kind, Record
from tests.replica.world import (
    ALICE,
    FUNDS,
    IDENTITY,
    MACHINES,
    NOW,
    bundle,
    executor_of,
    logged,
    random_trading,
    replica_of,
    request,
    run_blocks,
    submit,
)

BLOCKS = 30


@pytest.fixture(scope="module")
def day() -> tuple[Replica, list[Effect]]:
    """Run a day of trading by the specification."""
    replica = replica_of()
    return replica, run_blocks(replica, random_trading(BLOCKS))


def replay_of(kind: str, records: list[Record], **options: Any) -> Replay:
    replay = Replay(executor_of(kind), IDENTITY, **options)
    replay.feed(records)
    replay.settle()
    return replay


def altered(records: list[Record], at: int, **changes: Any) -> list[Record]:
    return [*records[:at], records[at]._replace(**changes), *records[at + 1 :]]


def test_the_kernels_come_to_the_root_of_the_specification(
    day: tuple[Replica, list[Effect]],
) -> None:
    replica, effects = day
    kernel = replica_of("kernel")
    assert logged(run_blocks(kernel, random_trading(BLOCKS))) == logged(effects)
    assert kernel.executor.root == replica.executor.root
    assert same(kernel.executor.image(), replica.executor.image())


@pytest.mark.parametrize("roots_every", [1, 7, 1024])
@pytest.mark.parametrize("kind", MACHINES)
def test_recovery_equals_the_uninterrupted_run(
    day: tuple[Replica, list[Effect]], kind: str, roots_every: int
) -> None:
    replica, effects = day
    replay = replay_of(kind, logged(effects), roots_every=roots_every)
    assert replay.executor.height == BLOCKS and not replay.unsigned
    assert replay.executor.root == replica.executor.root
    assert same(replay.executor.image(), replica.executor.image())
    assert replay.checkpoint == replica.checkpoint
    assert replay.trades.latest(1, 50) == replica.trades.latest(1, 50)


@pytest.mark.parametrize("kind", MACHINES)
def test_recovery_goes_on_as_if_nothing_had_happened(
    day: tuple[Replica, list[Effect]], kind: str
) -> None:
    replica, effects = day
    records = logged(effects)
    replay = replay_of(kind, records[:20])
    again = Replica(replay.executor, replica.settings, replay.checkpoint)
    for index, requests in enumerate(random_trading(BLOCKS)):
        if index >= 10:
            submit(again, NOW + 10 * index, *requests)
            again.synced = again.executor.height
    assert again.executor.root == replica.executor.root
    assert again.checkpoint == replica.checkpoint


def test_a_block_without_its_checkpoint_is_unsigned(day: tuple[Replica, list[Effect]]) -> None:
    replica, effects = day
    replay = replay_of("spec", logged(effects)[:-1])
    assert replay.unsigned and replay.executor.root == replica.executor.root


def test_records_of_known_heights_are_passed(day: tuple[Replica, list[Effect]]) -> None:
    replica, effects = day
    replay = replay_of("spec", logged(effects)[:10])
    replay.feed(logged(effects))
    replay.settle()
    assert replay.executor.root == replica.executor.root


def test_replay_ends_at_the_height_asked_for(day: tuple[Replica, list[Effect]]) -> None:
    _, effects = day
    replay = Replay(executor_of(), IDENTITY)
    replay.feed(logged(effects), 4)
    replay.settle()
    assert replay.executor.height == 4 and not replay.unsigned


def test_another_root_than_the_logged_one_is_refused(
    day: tuple[Replica, list[Effect]],
) -> None:
    records = logged(day[1])
    last = checkpoint_read(records[-1].payload, IDENTITY)
    wrong = checkpoint_payload(replace(last, state_root=bytes(32)))
    with pytest.raises(ReplayRefused, match=f"Height {BLOCKS} was signed with root 0000"):
        replay_of("spec", altered(records, len(records) - 1, payload=wrong))


def test_the_last_logged_root_is_compared_though_a_block_without_one_follows(
    day: tuple[Replica, list[Effect]],
) -> None:
    """The block that a crash left unsigned was executed before its parent's root was looked at."""
    records = logged(day[1])[:-1]
    last = checkpoint_read(records[-2].payload, IDENTITY)
    wrong = checkpoint_payload(replace(last, state_root=bytes(32)))
    replay = Replay(executor_of("spec"), IDENTITY)
    replay.settle_from = BLOCKS
    with pytest.raises(ReplayRefused, match=f"Height {BLOCKS - 1} was signed with root 0000"):
        replay.feed(altered(records, len(records) - 2, payload=wrong))


def test_a_missing_block_is_refused(day: tuple[Replica, list[Effect]]) -> None:
    records = logged(day[1])
    with pytest.raises(ReplayRefused, match="block 3 follows block 1"):
        replay_of("spec", [*records[:2], *records[4:]])
    with pytest.raises(ReplayRefused, match="a checkpoint of 2 after 1"):
        replay_of("spec", [*records[:2], *records[3:]])


def test_a_checkpoint_of_another_block_is_refused(day: tuple[Replica, list[Effect]]) -> None:
    records = logged(day[1])
    other = replace(checkpoint_read(records[3].payload, IDENTITY), exec_block_digest=bytes(32))
    with pytest.raises(ReplayRefused, match="the checkpoint of 2 is of another block"):
        replay_of("spec", altered(records, 3, payload=checkpoint_payload(other)))


def test_an_impossible_payload_is_refused_with_its_place(
    day: tuple[Replica, list[Effect]],
) -> None:
    records = logged(day[1])
    cut = bytes(records[2].payload)[:-1]
    with pytest.raises(ReplayRefused, match=r"offset 8192: the items of block 2 do not add up"):
        replay_of("spec", altered(records, 2, payload=cut))
    with pytest.raises(ReplayRefused, match="a block shorter than its head"):
        replay_of("spec", altered(records, 2, payload=b"short"))
    with pytest.raises(ReplayRefused, match="a checkpoint of 5 bytes"):
        replay_of("spec", altered(records, 3, payload=b"short"))


def test_block_time_that_goes_back_is_refused() -> None:
    replica = replica_of()
    records = logged(submit(replica, NOW, request(1, bundle(ALICE, 0, FUNDS))))
    payload = bytearray(records[0].payload)
    payload[8:16] = (1).to_bytes(8, "little")
    with pytest.raises(ReplayRefused, match="the time of block 1 is before its parent's"):
        replay_of("spec", altered(records, 0, payload=bytes(payload)))


def test_notes_are_passed(day: tuple[Replica, list[Effect]]) -> None:
    replica, effects = day
    records = logged(effects)
    note = records[5]._replace(kind=int(Kind.NOTE_FIRST), payload=b"{}")
    replay = replay_of("spec", [*records[:6], note, *records[6:]])
    assert replay.executor.root == replica.executor.root


def test_an_unknown_version_is_named(
    day: tuple[Replica, list[Effect]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        executor_module, "version_after", lambda chain, height: 9 if height > 4 else 1
    )
    with pytest.raises(VersionMissing, match="Block 5 needs version 9"):
        replay_of("spec", logged(day[1]))
