"""A log that goes on from a snapshot: its BASE record read back, and what replaying makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec.blocks import encode_checkpoint_certificate
from quorate.execution.image import same
from quorate.replica.errors import ReplayRefused
from quorate.replica.records import (
    CERTIFIED,
    DELIVERED,
    Base,
    RecordRefused,
    base_payload,
    base_read,
    delivered_payload,
)
from quorate.replica.replay import Replay
from quorate.replica.resuming import Resuming
from quorate.replica.validity import ParentRef
from quorate.storage.log import Kind, Record
from quorate.types.consensus import CheckpointCertificate
from tests.replica.world import (
    IDENTITY,
    executor_of,
    logged,
    random_trading,
    replica_of,
    run_blocks,
)

VALIDATORS = 4


def certificate_of(height: int) -> CheckpointCertificate:
    signatures = (bytes([1]) * 64, bytes([2]) * 64, bytes([3]) * 64)
    digest, root = bytes([height % 256]) * 32, bytes([7]) * 32
    return CheckpointCertificate(0, height, digest, root, (0, 1, 3), signatures)


def record_of(kind: int, height: int, payload: bytes) -> Record:
    return Record(0, 0, kind, 0, 1, 1, 1, height, payload)


BASE = Base(77, 1_760_000_000_123, bytes(range(32)), certificate_of(50))


@given(
    view=st.integers(0, 2**63 - 1), time_ms=st.integers(0, 2**63 - 1), digest=st.binary(
        min_size=32, max_size=32), height=st.integers(1, 2**40),
)
def test_base_comes_back(view: int, time_ms: int, digest: bytes, height: int) -> None:
    base = Base(view, time_ms, digest, certificate_of(height))
    assert base_read(base_payload(base, VALIDATORS), VALIDATORS) == base


def test_every_shorter_or_longer_base_is_refused() -> None:
    payload = base_payload(BASE, VALIDATORS)
    for end in range(len(payload)):
        with pytest.raises(RecordRefused):
            base_read(payload[:end], VALIDATORS)
    with pytest.raises(RecordRefused):
        base_read(payload + b"\0", VALIDATORS)


def test_agreement_resumes_at_the_base() -> None:
    resuming = Resuming(VALIDATORS, 10)
    for height in (1, 2):
        place = delivered_payload(height, height, bytes([height]) * 32)
        resuming.feed(record_of(DELIVERED, height, place))
    resuming.feed(record_of(int(Kind.BASE), 50, base_payload(BASE, VALIDATORS)))
    found = resuming.resumption(50, BASE.time_ms, None)
    assert found.tip == ParentRef(77, BASE.digest, 50, BASE.time_ms)
    # Blocks of before are not offered to others: there is a gap above them.
    assert found.digests == {50: BASE.digest} and found.certificates == {}
    assert found.checkpoint == BASE.certificate and found.certified == {50: BASE.certificate}
    assert not resuming.signs(50), "others executed it"
    resuming.feed(record_of(DELIVERED, 51, delivered_payload(51, 80, bytes(32))))
    assert resuming.signs(51)
    assert resuming.resumption(51, BASE.time_ms, None).digests == {50: BASE.digest, 51: bytes(32)}


def test_certificates_of_snapshots_are_kept_and_the_newest_of_all() -> None:
    resuming = Resuming(VALIDATORS, 10)
    for height in (20, 23, 30, 27, 10):
        payload = encode_checkpoint_certificate(certificate_of(height), VALIDATORS)
        resuming.feed(record_of(CERTIFIED, height, payload))
    found = resuming.resumption(0, 0, None)
    assert found.checkpoint == certificate_of(30)
    assert sorted(found.certified) == [10, 20, 30]


def test_replay_passes_a_base_at_or_below_its_state_and_refuses_one_above() -> None:
    replica = replica_of()
    records = logged(run_blocks(replica, random_trading(6)))
    places = [at for at, record in enumerate(records) if record.kind == Kind.BLOCK]
    base = record_of(int(Kind.BASE), 4, b"not looked at")
    # The state of the snapshot, and the log after it.
    first = Replay(executor_of(), IDENTITY)
    first.feed(records, 4)
    first.settle()
    image = first.executor.image()
    going_on = Replay(executor_of(image=image), IDENTITY)
    going_on.feed([*records[: places[2]], base, *records[places[4] :]])
    going_on.settle()
    assert same(going_on.executor.image(), replica.ledger.executor.image())
    gap = Replay(executor_of(), IDENTITY)
    with pytest.raises(ReplayRefused, match="goes on from a snapshot of height 4"):
        gap.feed([*records[: places[2]], base, *records[places[4] :]])
    # Up to a height below it, it is not looked at.
    old = Replay(executor_of(), IDENTITY)
    old.feed([*records[: places[2]], base], 2)
    assert old.executor.height == 2
