"""From a client's items to the answer, at any of four validators (CONSENSUS 6, ARCHITECTURE)."""

from typing import Any

from quorate.admission import sign_bundle
from quorate.codec.commands import encode_commands
from quorate.codec.items import encode_items
from quorate.codec.peer import PeerKind
from quorate.replica.mempool import PoolLimits
from quorate.replica.messages import Level, Refuse, Reply, Request
from quorate.replica.validator_messages import Requested
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.replica.cluster import COUNT, WALL_MS, World
from tests.replica.world import ALICE, BOB, CHAIN, FUNDS, KEY, bundle, events_of

SMALL_POOL = PoolLimits(
    bundles_max=6, signer_bundles_max=2, source_bundles_max=5, finalized_max=1 << 10
)


def answered(world: World, node: int, number: int) -> Any:
    """Let time go on until a request is answered; give the one answer."""
    world.run(lambda: world.nodes[node].answers_to(number) != [])
    (answer,) = world.nodes[node].answers_to(number)
    return answer


def unsound(item: Item) -> Item:
    """Spoil an item's signature."""
    return Item(item.kind, item.data[:-1] + bytes([item.data[-1] ^ 0xFF]))


def expiring(nonce: int, expiry_ms: int, key: bytes = ALICE) -> Item:
    """Sign a bundle that expires."""
    return sign_bundle(key, CHAIN, 0, WALL_MS + nonce, encode_commands((FUNDS,)), expiry_ms)


def test_a_request_is_executed_and_answered_with_its_receipts_by_every_validator() -> None:
    for index in range(COUNT):
        world = World()
        world.nodes[index].submit(1, bundle(ALICE, 1, FUNDS), bundle(BOB, 1, FUNDS, FUNDS))
        reply = answered(world, index, 1)
        assert isinstance(reply, Reply) and reply.level == Level.EXECUTED
        assert reply.codes == (0, 0) and reply.bundle_count == 2
        assert set(events_of(reply)["bundle"].tolist()) == {0, 1}
        world.reach(reply.height)
        assert len({node.ledger.executor.root for node in world.nodes}) == 1


def test_requests_to_all_validators_at_once_are_each_answered_once() -> None:
    world = World()
    world.delay_ms = 3
    for number in range(1, 21):
        key = (ALICE, BOB, KEY)[number % 3]
        world.nodes[number % COUNT].submit(number, bundle(key, number, FUNDS), client=number)
    world.run(lambda: sum(len(node.answers) for node in world.nodes) == 20)
    world.pass_ms(1_000)
    for number in range(1, 21):
        (answer,) = world.nodes[number % COUNT].answers_to(number)
        assert isinstance(answer, Reply) and answer.level == Level.EXECUTED
        assert answer.client == number


def test_a_requests_bundles_stand_in_one_block_one_behind_the_other() -> None:
    world = World(ledger_ms=5)
    items = [[bundle(ALICE, 10 * at + k, FUNDS) for k in range(5)] for at in range(8)]
    for at, group in enumerate(items):
        world.nodes[at % COUNT].submit(at, *group)
    for at in range(8):
        reply = answered(world, at % COUNT, at)
        assert reply.level == Level.EXECUTED and reply.bundle_count == 5


def test_what_is_unsound_is_refused_by_its_own_code_and_the_rest_is_executed() -> None:
    world = World()
    sound, spoiled = bundle(ALICE, 1, FUNDS), unsound(bundle(BOB, 1, FUNDS))
    world.nodes[2].submit(1, spoiled, sound, sound)
    reply = answered(world, 2, 1)
    assert reply.level == Level.EXECUTED and reply.bundle_count == 1
    assert reply.codes[0] != 0 and reply.codes[1] == 0
    assert reply.codes[2] == Reject.NONCE_ALREADY_USED
    world.nodes[2].submit(2, spoiled)
    refused = answered(world, 2, 2)
    assert refused.codes == (reply.codes[0],) and refused.level == Level.REFUSED


def test_bytes_that_are_no_items_are_refused() -> None:
    world = World()
    node = world.nodes[0]
    short = encode_items([bundle(ALICE, 1, FUNDS)])[:-1]
    for number, data in enumerate((b"", b"\x01\xff", short)):
        node.take(Requested(Request(1, number, data)))
        (answer,) = node.answers_to(number)
        assert isinstance(answer, Refuse) and answer.code == Reject.LENGTH_MUST_MATCH_COUNT


def test_the_same_items_at_another_validator_wait_for_the_same_result() -> None:
    world = World()
    items = bundle(ALICE, 1, FUNDS), bundle(BOB, 1, FUNDS)
    world.nodes[0].submit(1, *items)
    world.pass_ms(1)
    world.nodes[3].submit(2, *items)
    first, second = answered(world, 0, 1), answered(world, 3, 2)
    assert first.level == second.level == Level.EXECUTED
    assert (first.height, first.events) == (second.height, second.events)


def test_items_that_are_final_are_refused_as_used() -> None:
    world = World()
    world.nodes[0].submit(1, bundle(ALICE, 1, FUNDS))
    world.reach(answered(world, 0, 1).height)
    for node in world.nodes:
        node.submit(2, bundle(ALICE, 1, FUNDS), bundle(ALICE, 2 + node.index, FUNDS))
        reply = answered(world, node.index, 2)
        assert reply.codes == (Reject.NONCE_ALREADY_USED, 0)
        assert reply.level == Level.EXECUTED and reply.bundle_count == 1
        node.submit(3, bundle(ALICE, 1, FUNDS))
        assert answered(world, node.index, 3).codes == (Reject.NONCE_ALREADY_USED,)


def test_a_torn_request_is_answered_as_finalized_with_the_height_of_its_last_bundle() -> None:
    world = World()
    first, second = bundle(ALICE, 1, FUNDS), bundle(BOB, 1, FUNDS)
    # Another validator's client sends the second bundle first: its parcel is another there.
    world.nodes[1].submit(1, second)
    world.run(lambda: all(len(node.core.parts.mempool) for node in world.nodes))
    world.nodes[0].submit(2, first, second)
    reply = answered(world, 0, 2)
    assert reply.level == Level.FINALIZED and reply.codes == (0, 0)
    assert reply.height == max(answered(world, 1, 1).height, reply.height)
    world.reach(reply.height)
    for key in (ALICE, BOB):
        node = world.nodes[0]
        node.submit(3, bundle(key, 1, FUNDS))
        assert answered(world, 0, 3).codes == (Reject.NONCE_ALREADY_USED,)
        node.answers.clear()


def test_a_full_pool_and_a_full_quota_are_clear_rejects_and_pass() -> None:
    world = World(pool=SMALL_POOL)
    node = world.nodes[0]
    world.lie = lambda *frame: ()  # nothing is ordered meanwhile
    node.submit(1, *[bundle(ALICE, at, FUNDS) for at in range(3)])
    world.pass_ms(1)
    node.submit(2, bundle(ALICE, 9, FUNDS))
    assert answered(world, 0, 2).codes == (Reject.BLOCK_FULL_SEND_LATER,)
    node.submit(3, *[bundle(bytes([at]) * 32, 1, FUNDS) for at in range(1, 5)])
    world.pass_ms(1)
    assert node.answers_to(3) == []
    node.submit(4, bundle(BOB, 1, FUNDS))
    assert answered(world, 0, 4).codes == (Reject.BLOCK_FULL_SEND_LATER,)
    world.lie = None
    assert answered(world, 0, 1).codes == (0, 0, Reject.BLOCK_FULL_SEND_LATER)
    assert answered(world, 0, 3).codes == (0, 0, 0, Reject.BLOCK_FULL_SEND_LATER)
    node.submit(5, bundle(BOB, 1, FUNDS), bundle(ALICE, 9, FUNDS))
    assert answered(world, 0, 5).codes == (0, 0)


def test_too_much_with_admission_is_a_clear_reject() -> None:
    world = World(admission_ms=1_000)
    node = world.nodes[0]
    for number in range(40):
        node.submit(number, Item(1, bytes(60_000)), *[Item(1, bytes(60_000))] * 15)
    refused = [answer for answer in node.answers if isinstance(answer, Refuse)]
    assert refused and {answer.code for answer in refused} == {Reject.BLOCK_FULL_SEND_LATER}
    assert node.core.clients.admitting_bytes <= 32 << 20
    world.pass_ms(2_000)
    assert node.core.clients.admitting_bytes == 0 and not node.core.clients.inquiries
    assert len(node.answers) == 40


def test_finalization_removes_bundles_from_every_pool() -> None:
    world = World()
    for index in range(COUNT):
        world.nodes[index].submit(1, bundle((ALICE, BOB)[index % 2], index, FUNDS))
    world.pass_ms(120)
    for node in world.nodes:
        assert len(node.answers) == 1
        assert len(node.core.parts.mempool) == 0 and not node.core.parts.claims.waiting


def test_a_bundle_that_is_known_is_not_checked_again() -> None:
    world = World()
    items = tuple(bundle(ALICE, at, FUNDS) for at in range(4))
    world.lie = lambda sender, peer, kind, body: (body,) if kind == PeerKind.BUNDLES else ()
    world.nodes[0].submit(1, *items)
    world.pass_ms(5)
    for node in world.nodes:
        node.submit(2, *items)
        node.submit(3, items[2])
    world.lie = None
    for node in world.nodes:
        assert answered(world, node.index, 2).codes == (0, 0, 0, 0)
        assert answered(world, node.index, 3).codes == (0,)
        assert [admit.items for admit in node.asked] == [items]


def test_only_bundles_absent_from_the_verified_set_are_checked_when_a_block_comes() -> None:
    world = World()
    first, second = bundle(ALICE, 1, FUNDS), bundle(BOB, 1, FUNDS)

    def lie(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        lost = kind == PeerKind.BUNDLES and peer == 2 and second.data in body
        return () if lost else (body,)

    world.lie = lie
    world.nodes[0].submit(1, first)
    world.nodes[0].submit(2, second)
    answered(world, 0, 2)
    world.reach(answered(world, 0, 1).height)
    asked = [admit.items for admit in world.nodes[2].asked]
    assert asked == [(first,), (second,)]


# --- expiry --------------------------------------------------------------------------------------
def held_up(world: World) -> None:
    """Keep all bundles from leaders, so that only empty blocks are made."""
    for node in world.nodes:
        node.core.parts.mempool.take = lambda *_: []  # type: ignore[method-assign]


def test_a_request_that_expires_while_it_waits_is_refused() -> None:
    world = World()
    world.delay_ms = 40
    held_up(world)
    world.nodes[0].submit(1, expiring(1, WALL_MS + 500), expiring(2, WALL_MS + 500))
    refused = answered(world, 0, 1)
    assert refused.level == Level.REFUSED
    assert refused.codes == (Reject.BUNDLE_EXPIRED_SIGN_AGAIN,) * 2
    assert not world.nodes[0].core.parts.claims.waiting


def test_what_expires_of_a_request_does_not_refuse_the_rest() -> None:
    world = World()
    world.delay_ms = 40
    takes = [node.core.parts.mempool.take for node in world.nodes]
    held_up(world)
    lasting = bundle(ALICE, 2, FUNDS)
    world.nodes[0].submit(1, expiring(1, WALL_MS + 500), lasting)
    world.pass_ms(1_500)
    assert world.nodes[0].answers == [], "a bundle that can still be executed was refused"
    for node, take in zip(world.nodes, takes, strict=True):
        node.core.parts.mempool.take = take  # type: ignore[method-assign]
    reply = answered(world, 0, 1)
    assert reply.codes == (Reject.BUNDLE_EXPIRED_SIGN_AGAIN, 0)
    assert reply.level == Level.EXECUTED and reply.bundle_count == 1


def test_a_request_of_which_one_was_final_and_one_expired_says_both() -> None:
    world = World()
    world.delay_ms = 40
    takes = [node.core.parts.mempool.take for node in world.nodes]
    first, second = bundle(ALICE, 2, FUNDS), expiring(1, WALL_MS + 700, BOB)
    for node, take in zip(world.nodes, takes, strict=True):
        node.core.parts.mempool.take = (  # type: ignore[method-assign]
            lambda limit, excluded, take=take: [
                bundle for bundle in take(limit, excluded) if bundle.item.endswith(first.data)
            ]
        )
    world.nodes[0].submit(1, first, second)
    reply = answered(world, 0, 1)
    assert reply.codes == (0, Reject.BUNDLE_EXPIRED_SIGN_AGAIN)
    assert (reply.level, reply.height) == (Level.FINALIZED, 1)
    assert not world.nodes[0].core.parts.claims.waiting
