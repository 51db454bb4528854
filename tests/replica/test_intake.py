"""The queue in front of admission is bounded, in order, and says clearly when it is full."""

import pytest

from quorate.replica.intake import BATCH_BYTES_MAX, Intake, Limits, judged
from quorate.replica.messages import Request
from quorate.types.codes import Reject
from tests.replica.world import ALICE, BOB, CHAIN, FUNDS, bundle, request


def test_a_full_queue_refuses_until_replies_have_gone_out() -> None:
    intake = Intake(Limits(bytes_max=1000, batch_bytes_max=600))
    assert intake.offer(Request(1, 1, bytes(500))) == Reject.OK
    assert intake.offer(Request(1, 2, bytes(500))) == Reject.OK
    assert intake.offer(Request(1, 3, bytes(1))) == Reject.BLOCK_FULL_SEND_LATER
    assert [taken.number for taken in intake.take()] == [1]
    assert intake.offer(Request(1, 3, bytes(1))) == Reject.BLOCK_FULL_SEND_LATER
    intake.release(500)
    assert intake.offer(Request(1, 3, bytes(1))) == Reject.OK
    assert [taken.number for taken in intake.take()] == [2, 3]
    assert intake.take() == ()


def test_what_fits_in_no_batch_is_refused() -> None:
    intake = Intake(Limits())
    assert intake.offer(Request(1, 1, bytes(BATCH_BYTES_MAX + 1))) == Reject.BLOCK_FULL_SEND_LATER
    assert intake.offer(Request(1, 1, b"")) == Reject.LENGTH_MUST_MATCH_COUNT
    assert not intake.waiting


def test_release_of_what_was_not_held_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        Intake(Limits()).release(1)


def test_spans_lead_to_each_requests_rows() -> None:
    bad = Request(3, 1, b"no items")
    requests = [
        request(1, bundle(ALICE, 0, FUNDS)),
        bad,
        request(2, bundle(BOB, 0, FUNDS), bundle(BOB, 1, FUNDS)),
    ]
    batch = judged(requests, CHAIN)
    assert [(span.first, span.count) for span in batch.spans] == [(0, 1), (1, 0), (1, 2)]
    assert batch.spans[1].refusal == Reject.LENGTH_MUST_MATCH_COUNT
    assert batch.items == requests[0].data + requests[2].data
