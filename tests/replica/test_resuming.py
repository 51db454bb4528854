"""A crash after any record: a restart never says two different things, and goes on."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.replica.messages import Level, Reply
from quorate.types.codes import Reject
from tests.replica.cluster import COUNT, PARAMETERS, World
from tests.replica.world import ALICE, BOB, FUNDS, bundle

FAST = replace(PARAMETERS, heartbeat_ms=40, delta_ms=60)
BLOCKS = 4
RECORDS = 45  # what a run of so many blocks writes, nearly


def traded(world: World) -> None:
    """Send what makes some blocks with bundles in them."""
    for at in range(3):
        node = world.nodes[at]
        if node.up:
            node.submit(at, bundle((ALICE, BOB)[at % 2], at, FUNDS))


def went_on(world: World, start: int) -> None:
    """Check that all go on together, with the same roots at every height."""
    world.reach(start + 3)
    assert not any(node.halted or node.accused for node in world.nodes)
    heights = set(world.nodes[0].roots).intersection(*[node.roots for node in world.nodes])
    for height in heights:
        assert len({node.roots[height] for node in world.nodes}) == 1
    world.nodes[1].submit(50, bundle(ALICE, 50, FUNDS))
    world.run(lambda: world.nodes[1].answers_to(50) != [])
    (reply,) = world.nodes[1].answers_to(50)
    assert isinstance(reply, Reply) and reply.level >= Level.FINALIZED


def one_cut(records: int) -> None:
    """Pull the plug of one validator after so many records, and start it again."""
    world = World(parameters=FAST)
    node = world.nodes[0]
    node.cut_after = records
    traded(world)
    world.run(lambda: not node.up)
    assert len(node.records) == records
    world.pass_ms(30)
    node.start()
    went_on(world, max(it.height for it in world.nodes))


def all_cut(records: int) -> None:
    """Pull everybody's plug, each after so many records, and start all again."""
    world = World(parameters=FAST)
    for node in world.nodes:
        node.cut_after = records
    traded(world)
    world.run(lambda: sum(not node.up for node in world.nodes) >= 2, 20_000)
    for node in world.nodes:
        if node.up:
            node.cut_after = -1
            node.crash()
    for node in world.nodes:
        node.start()
    went_on(world, max(it.height for it in world.nodes))


@pytest.mark.parametrize("records", range(3, RECORDS, 7))
def test_a_validator_cut_off_after_a_record_goes_on(records: int) -> None:
    one_cut(records)


@pytest.mark.slow
def test_a_validator_cut_off_after_any_record_goes_on() -> None:
    for records in range(1, RECORDS):
        one_cut(records)


@pytest.mark.slow
def test_all_validators_cut_off_after_any_record_go_on() -> None:
    for records in range(1, RECORDS):
        all_cut(records)


def test_a_second_crash_in_the_midst_of_a_restart_is_no_worse() -> None:
    for more in (1, 2, 3):
        world = World(parameters=FAST)
        node = world.nodes[0]
        node.cut_after = 17
        traded(world)
        world.run(lambda it=node: not it.up)
        node.cut_after = len(node.records) + more
        node.start()
        world.run(lambda it=node: not it.up)
        node.start()
        went_on(world, max(it.height for it in world.nodes))


def test_after_a_restart_items_that_are_final_are_executed_once_all_the_same() -> None:
    world = World(parameters=FAST)
    item = bundle(ALICE, 1, FUNDS)
    world.nodes[0].submit(1, item)
    world.run(lambda: world.nodes[0].answers_to(1) != [])
    world.reach(3)
    for node in world.nodes:
        node.crash()
    for node in world.nodes:
        node.start()
    world.nodes[2].submit(2, item)
    world.run(lambda: world.nodes[2].answers_to(2) != [])
    (reply,) = world.nodes[2].answers_to(2)
    assert isinstance(reply, Reply)
    # The pool has forgotten, the state has not: the receipt says that the nonce was used.
    assert reply.level == Level.EXECUTED and reply.bundle_count == 1
    assert int(Reject.NONCE_ALREADY_USED).to_bytes(4, "little") in reply.events


def rough(world: World, rng: random.Random, lost: int) -> None:
    """Lose, double and delay frames by chance."""

    def lie(sender: int, peer: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        world.delay_ms = 1 + rng.randrange(30)
        if rng.randrange(100) < lost:
            return ()
        return (body, body) if rng.randrange(10) == 0 else (body,)

    world.lie = lie


@pytest.mark.slow
@settings(max_examples=12)
@given(st.integers(0, 2**32), st.integers(0, 15), st.integers(0, 40))
def test_the_order_of_effects_holds_in_any_run(seed: int, lost: int, ledger_ms: int) -> None:
    # What leaves too early, or contradicts, fails in the world itself (cluster.py).
    rng = random.Random(seed)
    world = World(parameters=FAST, ledger_ms=ledger_ms, admission_ms=rng.randrange(10))
    rough(world, rng, lost)
    for turn in range(25):
        node = world.nodes[rng.randrange(COUNT)]
        if node.up and rng.randrange(4):
            key = (ALICE, BOB)[turn % 2]
            node.submit(turn, *[bundle(key, 100 * turn + at, FUNDS) for at in range(2)])
        elif node.up and len(world.up()) == COUNT:
            node.cut_after = len(node.records) + 1 + rng.randrange(4)
        world.pass_ms(rng.randrange(60))
        for down in world.nodes:
            if not down.up and rng.randrange(2):
                down.start()
    for down in world.nodes:
        down.cut_after = -1
        if not down.up:
            down.start()
    world.lie, world.delay_ms = None, 1
    went_on(world, max(node.height for node in world.nodes))
