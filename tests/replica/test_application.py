"""The application that CometBFT drives: each request, each bad input, each crash."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.codec.items import ITEM_HEAD, encode_items
from quorate.replica import application
from quorate.replica.application import proto_bytes
from quorate.replica.application_messages import (
    Commit,
    Decide,
    Done,
    Failed,
    Info,
    Outcome,
    Reconnected,
    Reminded,
    Submitted,
)
from quorate.replica.messages import Level, Reply, Request
from quorate.replica.validator_messages import Requested
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLES_PER_BLOCK_MAX,
    COMMANDS_PER_BLOCK_MAX,
    COMMANDS_PER_BUNDLE_MAX,
    DAY_MS,
    NONCES_PER_SIGNER,
    TIME_MS_MAX,
)
from tests.replica.bad_items import BAD_ITEMS
from tests.replica.comet import APP_STATE, MEMBERS, Comet, Crash, Node, transactions
from tests.replica.world import (
    ALICE,
    BOB,
    FUNDS,
    GENESIS,
    NOW,
    bundle,
    random_trading,
    replica_of,
    submit,
    synced,
)

ORDER = c.Place(1, 0, 600_000, 5)


def tx(key: bytes, nonce: int, *commands: c.Command) -> bytes:
    return transactions(bundle(key, nonce, *commands))[0]


# --- Info and InitChain --------------------------------------------------------------------------
def test_a_fresh_application_has_no_app_hash_and_begins_with_the_root_of_genesis() -> None:
    node = Node()
    assert node.info() == Info(0, b"", 1)
    assert node.begin() == Info(0, node.ledger.executor.root, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"app_state": b"{}"}, "app_state must be"),
        ({"app_state": b""}, "app_state must be"),
        ({"app_state": b"[" * 100_000}, "app_state must be"),
        ({"app_state": b"\xff"}, "app_state must be"),
        ({"app_state": APP_STATE.replace(b"7777", b"7778")}, "app_state must be"),
        ({"app_state": json.dumps({**json.loads(APP_STATE), "x": 1}).encode()}, "app_state"),
        ({"height": 2}, "initial_height must be 1"),
        ({"time_ms": -1}, "out of range"),
        ({"time_ms": TIME_MS_MAX + 1}, "out of range"),
        ({"ed25519": False}, "Ed25519 keys alone"),
        ({"extensions": True, "height": 3}, "not 3; vote extensions must be off"),
        ({"block_bytes_max": -1}, "block.max_bytes must be from 1 to 16777216, not -1"),
        ({"block_bytes_max": BLOCK_BYTES_MAX + 1}, "block.max_bytes"),
    ],
)
def test_a_foreign_chain_is_refused(changes: dict[str, Any], said: str) -> None:
    node = Node()
    answer = node.begin(**changes)
    assert isinstance(answer, Failed) and said in answer.sentence
    assert node.info().height == 0 and not node.records


def test_a_chain_does_not_begin_twice() -> None:
    node = Node()
    node.begin()
    node.block(1, NOW, ())
    answer = node.begin()
    assert isinstance(answer, Failed) and "begins its chain anew" in answer.sentence


# --- CheckTx -------------------------------------------------------------------------------------
def test_a_sound_bundle_may_wait_and_is_looked_at_once() -> None:
    node = Node()
    sound = tx(ALICE, 0, FUNDS)
    assert node.check(sound) == (0,)
    assert node.check(sound, sound) == (0, 0)
    assert node.admitted == 1 and node.advised == 3


@pytest.mark.parametrize("reject", sorted(BAD_ITEMS))
def test_a_bundle_that_admission_refuses_may_not_wait(reject: Reject) -> None:
    node = Node()
    bad = encode_items([BAD_ITEMS[reject]])
    good = tx(ALICE, 0, FUNDS)
    assert node.check(good, bad, good) == (0, int(reject), 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        ITEM_HEAD.pack(1, 0),
        ITEM_HEAD.pack(1, 5) + b"1234",
        ITEM_HEAD.pack(1, 3) + b"1234",
        encode_items([bundle(ALICE, 0, FUNDS), bundle(ALICE, 1, FUNDS)]),
        encode_items([bundle(ALICE, 0, FUNDS)]) + b"\0",
    ],
)
def test_what_is_not_one_item_may_not_wait(data: bytes) -> None:
    node = Node()
    assert node.check(data) == (int(Reject.LENGTH_MUST_MATCH_COUNT),)


@given(st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_any_bytes_get_a_code(data: bytes) -> None:
    assert Node().check(data)[0] != 0


def test_what_no_later_block_can_execute_may_not_wait() -> None:
    node = Node()
    node.begin()
    used = tx(ALICE, 0, FUNDS)
    many = [tx(BOB, 2 * at, FUNDS) for at in range(NONCES_PER_SIGNER + 1)]
    node.block(1, NOW, (used, *many))
    late = bundle(ALICE, 5, FUNDS)
    old = tx(ALICE, -3 * 86_400_000, FUNDS)
    assert node.check(used) == (int(Reject.NONCE_ALREADY_USED),)
    assert node.check(tx(ALICE, 0, ORDER)) == (int(Reject.NONCE_ALREADY_USED),)
    assert node.check(old) == (int(Reject.NONCE_TOO_OLD_USE_CURRENT_MS),)
    assert node.check(tx(BOB, 0, FUNDS)) == (int(Reject.NONCE_BELOW_THE_HUNDRED_HIGHEST),)
    assert node.check(*transactions(late)) == (0,)


def test_what_a_bundle_before_it_may_mend_may_wait() -> None:
    """The account of a first bundle is opened by a deposit that waits as well."""
    node = Node()
    assert node.check(tx(ALICE, 0, ORDER)) == (0,)
    assert node.check(tx(ALICE, 3 * 86_400_000, ORDER)) == (0,)  # a day ahead: told when executed


# --- proposals -----------------------------------------------------------------------------------
def test_a_proposal_holds_what_is_valid_once_in_its_order() -> None:
    node = Node()
    first, second = tx(ALICE, 0, FUNDS), tx(BOB, 0, FUNDS)
    bad = encode_items([BAD_ITEMS[Reject.SIGNATURE_MUST_BE_VALID]])
    assert node.prepare((second, bad, first, second, b"", first)) == (second, first)
    assert node.process((second, first)) == ""


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 6000))
@settings(max_examples=40, deadline=None)
def test_a_proposal_stays_within_its_bytes_as_cometbft_counts_them(
    sizes: list[int], bytes_max: int
) -> None:
    node = Node()
    txs = [tx(ALICE, at, *[FUNDS] * size) for at, size in enumerate(sizes)]
    chosen = node.prepare(txs, bytes_max)
    assert list(chosen) == txs[: len(chosen)]
    counted = [proto_bytes(len(each)) for each in txs]
    assert sum(counted[: len(chosen)]) <= bytes_max
    assert len(chosen) == len(txs) or sum(counted[: len(chosen) + 1]) > bytes_max


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_bytes_are_counted_as_protobuf_writes_them(size: int) -> None:
    from google.protobuf.descriptor_pb2 import SourceCodeInfo

    # A message with one field of bytes under a number below 16, as a block's transactions have.
    message = SourceCodeInfo.Location(leading_comments="x" * size)
    assert proto_bytes(size) == message.ByteSize()


def test_a_proposal_that_is_not_valid_is_refused() -> None:
    node = Node()
    good = tx(ALICE, 0, FUNDS)
    forged = encode_items([BAD_ITEMS[Reject.SIGNATURE_MUST_BE_VALID]])
    for txs, said in (
        ((good, good), "twice"),
        ((good, b"\0"), "transaction 1 is not one item"),
        ((forged, good), "not admitted: SIGNATURE"),
        ((encode_items([BAD_ITEMS[Reject.CHAIN_ID_MUST_MATCH]]),), "CHAIN_ID_MUST_MATCH"),
    ):
        assert said in node.process(txs), said
    assert "height" in node.process((good,), height=2)
    assert "time" in node.process((good,), time_ms=TIME_MS_MAX + 1)
    assert node.process((good,)) == ""
    assert not node.records and not node.halts


def test_a_proposal_beyond_the_limits_of_a_block_is_refused_before_its_signatures() -> None:
    node = Node()
    full = bundle(ALICE, 0, *[ORDER] * COMMANDS_PER_BUNDLE_MAX)
    count = COMMANDS_PER_BLOCK_MAX // COMMANDS_PER_BUNDLE_MAX + 1
    # Lengths alone decide: these differ in a byte of their signatures and none of them is checked.
    many = []
    for at in range(count):
        data = bytearray(full.data)
        data[-9] = at & 0xFF
        data[-10] = at >> 8
        many.append(encode_items([Item(full.kind, bytes(data))]))
    assert "more commands" in node.process(many)
    assert "more bundles" in node.process([b""] * (BUNDLES_PER_BLOCK_MAX + 1))
    assert "more bytes" in node.process([bytes(1 << 20)] * 17)


def test_no_order_of_transactions_breaks_a_proposal() -> None:
    """Execution sorts by the chain's own rule; an order is never a reason to refuse."""
    node = Node()
    txs = [tx(ALICE, 2, ORDER), tx(BOB, 0, FUNDS), tx(ALICE, 1, FUNDS)]
    assert node.process(txs) == "" == node.process(reversed(txs))


# --- FinalizeBlock and Commit --------------------------------------------------------------------
def test_nothing_is_logged_before_commit_and_info_names_only_what_is() -> None:
    node = Node()
    node.begin()
    outcome = node.ask(Decide, 1, NOW, (tx(ALICE, 0, FUNDS, ORDER),), MEMBERS)
    assert isinstance(outcome, Outcome) and outcome.root == node.ledger.executor.root
    assert node.records == [] and node.info() == Info(0, b"", 1)
    assert node.ask(Commit) == Done()
    assert len(node.records) == 2 and node.info() == Info(1, outcome.root, 1)


def test_the_answer_holds_the_code_of_each_bundle_and_command() -> None:
    node = Node()
    node.begin()
    txs = (
        tx(ALICE, 1, FUNDS, ORDER, c.Cancel(99)),
        tx(ALICE, 1, ORDER),
        tx(BOB, 0, FUNDS),
    )
    outcome = node.block(1, NOW, txs)
    lost = int(Reject.ORDER_NOT_FOUND)
    assert outcome.results == (
        (0, b"\0\0\0\0" + lost.to_bytes(2, "little")),
        (int(Reject.NONCE_ALREADY_USED), b""),
        (0, b"\0\0"),
    )


def test_a_block_is_executed_once_however_often_it_is_asked_for() -> None:
    node = Node()
    node.begin()
    txs = (tx(ALICE, 0, FUNDS, ORDER),)
    first = node.ask(Decide, 1, NOW, txs, MEMBERS)
    assert node.ask(Decide, 1, NOW, txs, MEMBERS) == first
    assert node.ledger.executor.height == 1
    other = node.ask(Decide, 1, NOW + 1, txs, MEMBERS)
    assert isinstance(other, Failed) and "as another block" in other.sentence
    assert node.ask(Commit) == Done()
    assert isinstance(node.ask(Commit), Failed)
    again = node.ask(Decide, 1, NOW, txs, MEMBERS)
    assert isinstance(again, Failed) and "does not follow" in again.sentence


def test_a_decided_block_that_is_not_valid_halts_and_logs_nothing() -> None:
    node = Node()
    node.begin()
    assert node.ask(Decide, 1, NOW, (b"\0",), MEMBERS) is None
    (halt,) = node.halts
    assert halt.height == 1 and "not valid" in halt.reason and not node.records


def test_a_block_time_before_its_parents_is_taken_for_its_parents() -> None:
    node = Node()
    node.begin()
    node.block(1, NOW, ())
    node.block(2, NOW - 5, ())
    assert node.ledger.executor.time_ms == NOW == Node(node.records).ledger.executor.time_ms


def test_the_same_blocks_give_the_same_roots_as_under_the_solo_engine() -> None:
    blocks = random_trading(12)
    solo, node = replica_of(), Node()
    node.begin()
    for index, requests in enumerate(blocks):
        now_ms = NOW + 10 * index
        effects = submit(solo, now_ms, *requests)
        synced(solo)
        assert effects
        txs = transactions(*[item for it in requests for item in items_of(it)])
        outcome = node.block(index + 1, now_ms, txs)
        assert outcome.root == solo.executor.root
        assert node.ledger.executor.digest == solo.executor.digest


def items_of(request: Request) -> list[Item]:
    from quorate.codec.items import decode_items

    items = decode_items(request.data)
    assert not isinstance(items, Reject)
    return list(items)


# --- crashes -------------------------------------------------------------------------------------
@given(
    st.lists(
        st.tuples(st.sampled_from(Comet.POINTS), st.booleans(), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_crash_of_either_process_leads_back_to_the_same_app_hashes(
    plan: list[tuple[str, bool, bool]],
) -> None:
    """whole: the application dies too; twice: the handshake after it is cut off as well."""
    comet, plain = Comet(), Node()
    comet.handshake()
    plain.begin()
    for at, (crash, whole, twice) in enumerate(plan):
        txs = (tx(ALICE, 2 * at, FUNDS), tx(BOB, at, FUNDS, ORDER))
        try:
            comet.decide(NOW + at, txs, crash)
        except Crash:
            comet.restart(whole)
            if twice:
                comet.restart(True)
        outcome = plain.block(at + 1, NOW + at, txs)
        assert comet.store.roots[-1] == outcome.root
        assert comet.node.info() == Info(at + 1, outcome.root, 1)


def test_an_application_that_lost_its_log_is_told_the_whole_chain() -> None:
    comet = Comet()
    comet.handshake()
    for at in range(3):
        comet.decide(NOW + at, (tx(ALICE, at, FUNDS),))
    root = comet.node.info().root
    comet.node = Node()
    comet.handshake()
    assert comet.node.info() == Info(3, root, 1)


# --- our own clients -----------------------------------------------------------------------------
def asked(node: Node, number: int, *items: Item) -> None:
    node.step(Requested(Request(1, number, encode_items(items))))


def test_a_client_hears_of_its_bundles_when_their_block_is_durable() -> None:
    node = Node()
    node.begin()
    mine = [bundle(ALICE, 0, FUNDS), bundle(ALICE, 1, ORDER)]
    asked(node, 7, *mine)
    assert node.submitted == list(transactions(*mine)) and not node.replies
    txs = transactions(bundle(BOB, 0, FUNDS), *mine)
    assert isinstance(node.ask(Decide, 1, NOW, txs, MEMBERS), Outcome)
    assert not node.replies
    node.ask(Commit)
    (reply,) = node.replies
    assert isinstance(reply, Reply) and reply.level == Level.EXECUTED
    assert (reply.number, reply.height, reply.bundle_first, reply.bundle_count) == (7, 1, 1, 2)


def test_a_client_hears_what_admission_and_the_engine_refuse() -> None:
    node = Node()
    bad, good = BAD_ITEMS[Reject.SIGNATURE_MUST_BE_VALID], bundle(ALICE, 0, FUNDS)
    asked(node, 1, bad)
    asked(node, 2, good)
    asked(node, 3, good)  # waits for the same bundle; it is handed over once
    assert len(node.submitted) == 1
    (reply,) = node.replies
    assert isinstance(reply, Reply) and reply.codes == (int(Reject.SIGNATURE_MUST_BE_VALID),)
    name = node.application.mempool.head.bundle.hash  # type: ignore[union-attr]
    node.step(Submitted(((name, int(Reject.BLOCK_FULL_SEND_LATER)),)))
    assert [it.codes for it in node.replies[1:] if isinstance(it, Reply)] == [
        (int(Reject.BLOCK_FULL_SEND_LATER),)
    ] * 2
    asked(node, 4, good)
    assert len(node.submitted) == 2, "what was refused may be sent again"


def test_what_clients_wait_for_is_handed_over_again_when_the_engine_comes_back() -> None:
    node = Node()
    node.begin()
    waits, done = bundle(ALICE, 0, FUNDS), bundle(BOB, 0, FUNDS)
    asked(node, 1, waits)
    asked(node, 2, done)
    node.block(1, NOW, transactions(done))
    node.submitted.clear()
    node.step(Reconnected())
    assert node.submitted == list(transactions(waits))
    node.block(2, NOW, transactions(waits))
    node.submitted.clear()
    node.step(Reconnected())
    assert node.submitted == []


def test_what_waits_for_long_is_handed_over_again() -> None:
    node = Node()
    node.begin()
    asked(node, 1, bundle(ALICE, 0, FUNDS))
    node.submitted.clear()
    node.step(Reminded())
    asked(node, 2, bundle(BOB, 0, FUNDS))
    node.submitted.clear()
    node.step(Reminded())
    assert node.submitted == list(transactions(bundle(ALICE, 0, FUNDS)))
    node.submitted.clear()
    node.step(Reminded())
    assert len(node.submitted) == 2


def test_a_client_hears_from_check_tx_that_its_bundle_is_hopeless() -> None:
    """The engine's pool lets go of it without a word to whoever handed it over."""
    node = Node()
    node.begin()
    node.block(1, NOW, (tx(ALICE, 0, FUNDS),))
    late = bundle(ALICE, 0, ORDER)
    asked(node, 1, late)
    assert not node.replies
    assert node.check(*transactions(late), tx(BOB, 0, FUNDS)) == (208, 0)
    (reply,) = node.replies
    assert isinstance(reply, Reply) and reply.codes == (int(Reject.NONCE_ALREADY_USED),)


def test_a_bundle_that_was_executed_is_not_waited_for_again() -> None:
    node = Node()
    node.begin()
    mine = bundle(ALICE, 0, FUNDS)
    node.block(1, NOW, transactions(mine))
    asked(node, 1, mine)
    (reply,) = node.replies
    assert isinstance(reply, Reply) and reply.codes == (int(Reject.NONCE_ALREADY_USED),)


def test_what_left_its_nonce_unused_may_be_sent_again() -> None:
    """The same bytes, when what was in the way is gone: here the time."""
    node = Node()
    node.begin()
    early = bundle(ALICE, DAY_MS + 5_000, FUNDS)
    outcome = node.block(1, NOW, transactions(early))
    ahead = int(Reject.NONCE_TOO_FAR_AHEAD_USE_CURRENT_MS)
    assert outcome.results == ((ahead, b""),)
    asked(node, 1, early)
    assert not node.replies and node.submitted == list(transactions(early))
    node.block(2, NOW + 6_000, transactions(early))
    (reply,) = node.replies
    assert isinstance(reply, Reply) and reply.level == Level.EXECUTED
    asked(node, 2, early)
    assert isinstance(node.replies[1], Reply) and node.replies[1].codes == (208,)


def test_reminders_are_bounded_and_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "REMINDED_MAX", 4)
    node = Node()
    node.begin()
    mine = [bundle(ALICE, at, FUNDS) for at in range(10)]
    asked(node, 1, *mine)
    node.step(Reminded())
    seen: list[list[bytes]] = []
    for _ in range(3):
        node.submitted.clear()
        node.step(Reminded())
        seen.append(list(node.submitted))
    txs = list(transactions(*mine))
    assert seen == [txs[0:4], txs[4:8], txs[8:10] + txs[0:2]]


def test_a_bundle_that_expires_in_the_pool_is_told_to_its_client() -> None:
    from quorate.admission import sign_bundle
    from tests.replica.world import CHAIN

    node = Node()
    node.begin()
    short = sign_bundle(ALICE, CHAIN, 0, NOW, c.encode_commands([FUNDS]), expiry_ms=NOW + 10)
    asked(node, 1, short)
    node.block(1, NOW, ())
    assert not node.replies
    node.block(2, NOW + 10, ())
    (reply,) = node.replies
    assert isinstance(reply, Reply) and reply.codes == (int(Reject.BUNDLE_EXPIRED_SIGN_AGAIN),)
    assert GENESIS.time_ms < NOW
