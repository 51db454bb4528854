"""Blocks by digest: bounds, asking, serving."""

from hashlib import sha256

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from quorate.availability.payloads import DOUBLINGS_MAX, PayloadLimits, Payloads, Request

ME, VALIDATORS = 1, 5
LIMITS = PayloadLimits(
    early_slots=3, early_bytes_max=300, kept_bytes_max=500, window_bytes_max=600, retry_ms=10
)


def block(number: int, size: int = 100) -> tuple[bytes, bytes]:
    """Make a digest and bytes."""
    data = number.to_bytes(4, "little") * (size // 4)
    return sha256(data).digest(), data


def held(limits: PayloadLimits = LIMITS, me: int = ME) -> Payloads:
    return Payloads(me, VALIDATORS, limits)


def finalize(payloads: Payloads, height: int, size: int = 100) -> bytes:
    """Bring a block in and finalize it."""
    digest, data = block(height, size)
    payloads.want(digest, (0,), 0)
    assert payloads.offer(digest, data, 0)
    payloads.finalized(height, digest)
    return data


# --- bounds --------------------------------------------------------------------------------------
def test_a_block_may_come_before_or_after_its_proposal() -> None:
    payloads = held()
    early, late = block(1), block(2)
    assert payloads.offer(*early, 0) and payloads.find(early[0]) == early[1]
    payloads.keep(early[0])
    payloads.keep(late[0])
    assert payloads.find(late[0]) is None
    assert payloads.offer(*late, 3)
    assert [payloads.find(digest) for digest, _ in (early, late)] == [early[1], late[1]]
    assert payloads.kept_bytes == 200 and payloads.early_bytes == [0] * VALIDATORS


def test_rubbish_pushes_out_only_its_senders_own() -> None:
    payloads = held()
    honest = block(0)
    payloads.offer(*honest, 2)
    for number in range(1, 20):
        assert payloads.offer(*block(number), 3)
    assert payloads.find(honest[0]) == honest[1]
    assert [n for n in range(20) if payloads.find(block(n)[0]) is not None] == [0, 17, 18, 19]


def test_who_sends_a_block_first_cannot_push_the_others_copy_out() -> None:
    payloads = held()
    for peer in (3, 2):
        payloads.offer(*block(0), peer)
    for number in range(1, 20):
        payloads.offer(*block(number), 3)
    assert payloads.find(block(0)[0]) is not None
    payloads.keep(block(0)[0])
    assert payloads.early_bytes[2] == 0 and payloads.early_bytes[3] == 300


def test_early_bytes_are_bounded_for_each_peer() -> None:
    payloads = held()
    payloads.offer(*block(1, 160), 0)
    payloads.offer(*block(2, 160), 0)
    assert payloads.find(block(1, 160)[0]) is None and payloads.early_bytes[0] == 160
    assert not payloads.offer(*block(3, 304), 0)
    assert payloads.offer(*block(4, 300), 0) and payloads.early_bytes[0] == 300
    assert payloads.offer(*block(4, 300), 0) and payloads.early_bytes[0] == 300


def test_what_others_send_unasked_is_bounded_and_what_is_asked_for_is_not() -> None:
    payloads = held()
    for number in range(6):
        payloads.keep(block(number)[0])
        assert payloads.offer(*block(number), 0) == (number < 5)
    last, data = block(5)
    assert payloads.find(last) is None and payloads.kept_bytes == 500
    assert payloads.want(last, (0,), 0) == [Request(0, last)]
    assert payloads.offer(last, data, 0) and payloads.find(last) == data
    payloads.drop(block(0)[0])
    payloads.drop(block(1)[0])
    assert payloads.find(block(0)[0]) is None and payloads.kept_bytes == 400
    assert payloads.offer(last, data, 4) and payloads.kept_bytes == 400


def test_our_own_and_what_is_here_when_it_is_kept_stay_whatever_the_bound() -> None:
    """What was judged can be finalized, so its bytes must not get lost on the way."""
    payloads = held()
    for number in range(8):
        digest, data = block(number)
        if number % 2:
            assert payloads.offer(digest, data, 3)
            payloads.keep(digest)
        else:
            payloads.keep(digest)
            assert payloads.offer(digest, data, ME)
    assert payloads.kept_bytes == 800 and payloads.early_bytes == [0] * VALIDATORS
    for number in range(8):
        payloads.finalized(number + 1, block(number)[0])
    assert payloads.kept_bytes == 0


def test_dropping_stops_the_asking() -> None:
    payloads = held()
    digest, _ = block(1)
    payloads.want(digest, (), 0)
    assert payloads.due() == 10
    payloads.drop(digest)
    payloads.drop(digest)
    assert payloads.due() is None and payloads.retried(10**6) == [] and not payloads.kept


# --- asking --------------------------------------------------------------------------------------
def asked(payloads: Payloads, digest: bytes, times: int, now_ms: int = 0) -> list[int]:
    """Go from one retry to the next; give who was asked."""
    found = []
    for _ in range(times):
        due_ms = payloads.due()
        assert due_ms is not None and due_ms > now_ms
        assert payloads.retried(due_ms - 1) == []
        ((peer, name),) = payloads.retried(due_ms)
        assert name == digest
        found.append(peer)
        now_ms = due_ms
    return found


def test_candidates_are_asked_in_turn_then_everybody() -> None:
    payloads = held()
    digest, data = block(1)
    assert payloads.want(digest, (4, ME, 2, 99, 4), 0) == [Request(4, digest)]
    assert asked(payloads, digest, 7) == [2, 0, 3, 4, 2, 0, 3]
    assert payloads.offer(digest, data, 3)
    assert payloads.due() is None and payloads.want(digest, (0,), 99) == []
    assert payloads.find(digest) == data


def test_waits_double_with_each_round_up_to_a_bound() -> None:
    payloads = held()
    digest, _ = block(1)
    payloads.want(digest, (), 0)
    waits, now_ms = [], 0
    for _ in range(24):
        due_ms = payloads.due()
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
        payloads.retried(now_ms)
    assert waits == [10] * 4 + [20] * 4 + [40] * 4 + [80] * 12
    assert 10 << DOUBLINGS_MAX == 80


def test_new_candidates_are_asked_at_once_and_known_ones_are_not_pestered() -> None:
    payloads = held()
    digest, _ = block(1)
    assert payloads.want(digest, (0,), 0) == [Request(0, digest)]
    assert payloads.want(digest, (0,), 1) == []
    assert payloads.want(digest, (0, 4, 3), 2) == [Request(4, digest)]
    assert payloads.want(digest, (3, 4), 3) == []
    assert asked(payloads, digest, 5, 3) == [3, 2, 0, 4, 3]


def test_a_block_that_is_here_is_not_asked_for() -> None:
    payloads = held()
    payloads.offer(*block(1), 3)
    assert payloads.want(block(1)[0], (0,), 0) == [] and payloads.due() is None
    finalize(payloads, 7)
    assert payloads.want(block(7)[0], (0,), 0) == [] and payloads.due() is None


def test_one_validator_alone_asks_nobody() -> None:
    payloads = Payloads(0, 1, LIMITS)
    assert payloads.want(block(1)[0], (0,), 0) == [] and payloads.due() is None


# --- finalized -----------------------------------------------------------------------------------
def test_finalized_blocks_are_served_in_order() -> None:
    payloads = held()
    datas = [finalize(payloads, height) for height in range(3, 8)]
    assert payloads.base == 3 and payloads.kept_bytes == 0 and not payloads.kept
    assert payloads.served(3, 10**6) == datas
    assert payloads.served(5, 200) == datas[2:4]
    assert payloads.served(5, 199) == payloads.served(5, 0) == datas[2:3]
    for height in (0, 2, 8, 10**9):
        assert payloads.served(height, 10**6) == []
    assert held().served(0, 10**6) == []


def test_the_window_is_bounded_and_its_lower_end_moves() -> None:
    payloads = held()
    datas = [finalize(payloads, height) for height in range(1, 21)]
    assert payloads.base == 15 and payloads.window_bytes == 600
    assert payloads.served(15, 10**6) == datas[14:] and payloads.served(14, 10**6) == []
    assert payloads.find(block(14)[0]) is None and payloads.find(block(15)[0]) == datas[14]
    large = finalize(payloads, 21, 4_000)
    assert payloads.base == 21 and payloads.served(21, 0) == [large]
    finalize(payloads, 22)
    assert payloads.base == 22 and payloads.window_bytes == 100


def test_a_gap_in_the_heights_starts_the_window_anew() -> None:
    payloads = held()
    finalize(payloads, 1)
    data = finalize(payloads, 9)
    assert payloads.base == 9 and payloads.served(1, 10**6) == []
    assert payloads.served(9, 10**6) == [data] and payloads.window_bytes == 100


def test_a_finalized_block_stays_where_it_is() -> None:
    payloads = held()
    data = finalize(payloads, 1)
    digest = block(1)[0]
    payloads.keep(digest)
    payloads.drop(digest)
    assert payloads.offer(digest, data, 2) and payloads.find(digest) == data
    payloads.finalized(1, digest)
    assert payloads.window_bytes == 100 and payloads.early_bytes == [0] * VALIDATORS


def test_an_early_block_can_be_finalized_and_a_missing_one_cannot() -> None:
    payloads = held()
    payloads.offer(*block(1), 3)
    payloads.finalized(1, block(1)[0])
    assert payloads.early_bytes == [0] * VALIDATORS and payloads.served(1, 1) == [block(1)[1]]
    with pytest.raises(AssertionError):
        payloads.finalized(2, block(2)[0])


# --- whatever happens ----------------------------------------------------------------------------
BLOCKS = [block(number, 4 * (10 + 7 * number)) for number in range(16)]
ANY = st.integers(0, len(BLOCKS) - 1)
PEERS = st.integers(0, VALIDATORS - 1)


class PayloadMachine(RuleBasedStateMachine):
    """The counts are those of the bytes that are held, and every bound holds."""

    def __init__(self) -> None:
        super().__init__()
        self.payloads = held()
        self.now_ms = 0
        self.height = 0

    @rule(number=ANY, peer=PEERS)
    def offer(self, number: int, peer: int) -> None:
        payloads = self.payloads
        digest, data = BLOCKS[number]
        fills = digest in payloads.kept and payloads.find(digest) is None
        bound = fills and peer != ME and digest not in payloads.wishes
        if payloads.offer(digest, data, peer):
            assert payloads.find(digest) == data
            assert not bound or payloads.kept_bytes <= LIMITS.kept_bytes_max
        elif bound:
            assert payloads.kept_bytes + len(data) > LIMITS.kept_bytes_max
        else:
            assert digest not in payloads.kept and len(data) > LIMITS.early_bytes_max

    @rule(number=ANY)
    def keep(self, number: int) -> None:
        self.payloads.keep(BLOCKS[number][0])

    @rule(number=ANY)
    def drop(self, number: int) -> None:
        self.payloads.drop(BLOCKS[number][0])

    @rule(number=ANY, candidates=st.lists(PEERS, max_size=3))
    def want(self, number: int, candidates: list[int]) -> None:
        digest, _ = BLOCKS[number]
        requests = self.payloads.want(digest, tuple(candidates), self.now_ms)
        assert all(it.digest == digest and it.peer != ME for it in requests)
        if self.payloads.find(digest) is None:
            assert digest in self.payloads.wishes
        else:
            assert not requests

    @rule(later_ms=st.integers(0, 60))
    def retry(self, later_ms: int) -> None:
        self.now_ms += later_ms
        for peer, digest in self.payloads.retried(self.now_ms):
            assert peer != ME and self.payloads.find(digest) is None
        due_ms = self.payloads.due()
        assert due_ms is None or due_ms > self.now_ms

    @rule(number=ANY, gap=st.sampled_from([1, 1, 1, 5]))
    def finalized(self, number: int, gap: int) -> None:
        digest, data = BLOCKS[number]
        fresh = digest not in self.payloads.window_blocks
        if self.payloads.find(digest) is not None and fresh:
            self.height += gap
            self.payloads.finalized(self.height, digest)
            assert self.payloads.served(self.height, 1) == [data]

    @invariant()
    def bounds_hold(self) -> None:
        payloads = self.payloads
        for slots, size in zip(payloads.early, payloads.early_bytes, strict=True):
            assert size == sum(map(len, slots.values())) <= LIMITS.early_bytes_max
            assert len(slots) <= LIMITS.early_slots
        kept = {digest: data for digest, data in payloads.kept.items() if data is not None}
        assert payloads.kept_bytes == sum(map(len, kept.values()))
        assert payloads.window_bytes == sum(map(len, payloads.window_blocks.values()))
        assert payloads.window_bytes <= LIMITS.window_bytes_max or len(payloads.window) == 1
        assert list(payloads.window) == list(payloads.window_blocks)
        for digest in payloads.wishes:
            assert payloads.find(digest) is None and digest in payloads.kept


PayloadMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestPayloads = PayloadMachine.TestCase
