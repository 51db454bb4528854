"""An upgrade in the simulated world: whole validators, of two releases, over the same core."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from quorate.admission import chain_of, sign_bundle
from quorate.codec import commands as c
from quorate.codec.genesis import genesis_hash
from quorate.replica.ledger import Ledger
from quorate.replica.messages import Halt, Request, Stop
from quorate.replica.replay import Replay
from quorate.replica.resuming import Resuming
from quorate.replica.versions import SKIPPED, Release
from quorate.sim.cluster import market
from quorate.sim.cluster.config import Config
from quorate.sim.cluster.full_node import FullNode
from quorate.sim.cluster.full_world import FullWorld
from quorate.sim.flow import GENESIS_MS, bench_genesis
from quorate.storage.log import Identity

OLD = Release(SKIPPED, (), (1,))
NEW = Release(SKIPPED, (), (1, 2))
CACHES = (market.first_image, market.bundles, market.admitted)
QUIET = Config(1, "upgrade", faults_ms=0, steps_max=2**62)
FAULTY = replace(QUIET, loss_e3=30, duplicate_e3=20, sync_ms=3)
ACTIVE = 60


class UpgradingNode(FullNode):
    """A validator that runs a release. stopped: what it said when it stopped by itself."""

    release = OLD
    stopped = ""

    def ledger_of(self, replay: Replay, resuming: Resuming) -> Ledger:
        ledger = super().ledger_of(replay, resuming)
        ledger.release = self.release
        return ledger

    def execute(self, block: Any) -> None:
        if self.ledger.release.knows(self.ledger.executor.version_at(block.height)):
            super().execute(block)
        elif not self.ledger.stopped:
            self.late += self.ledger.execute(block)
            self.pump()

    def halt(self, effect: Halt | Stop) -> None:
        if isinstance(effect, Halt):
            super().halt(effect)
        self.stopped = effect.reason
        self.crash()

    def restart(self, _: object = None) -> None:
        # Started again with its old program it would stop again at once.
        if not self.stopped:
            super().restart()

    def upgrade(self) -> None:
        """Put the newer program in its place."""
        if self.up:
            self.crash()
        self.release, self.stopped = NEW, ""
        self.restart()


class UpgradingWorld(FullWorld):
    """A world whose nodes have releases."""

    def new_node(self, number: int, index: int, honest: bool) -> Any:
        return UpgradingNode(self, number, index, honest)


@pytest.fixture(autouse=True)
def governed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the bridge govern: its key is the one that the simulation knows."""
    roles = {role: market.address(market.BRIDGE) for role in ("bridge", "governance")}
    genesis = bench_genesis(2, **roles)
    identity = Identity(genesis.chain_id, genesis_hash(genesis))
    monkeypatch.setattr(market, "GENESIS", genesis)
    monkeypatch.setattr(market, "IDENTITY", identity)
    monkeypatch.setattr(market, "CHAIN", chain_of(*identity))
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def until(world: UpgradingWorld, height: int, nodes: list[Any]) -> None:
    """Run until nodes have executed a height."""
    end_ms = world.now + 120_000
    while any(node.ledger.executor.height < height for node in nodes):
        world.run(world.now + 50, 2**62)
        assert world.now < end_ms, [node.ledger.executor.height for node in nodes]


def announce(world: UpgradingWorld, node: UpgradingNode) -> None:
    """Have governance announce version 2."""
    command = c.encode_commands([c.Upgrade(2, ACTIVE)])
    item = sign_bundle(market.BRIDGE, market.CHAIN, 0, GENESIS_MS + 2, command)
    world.watch.sent[market.named(item)] = None
    world.requests[10**6] = (item,)
    node.ask(Request(10**6, 1, market.written([item])))
    while not all(node.ledger.executor.version_at(ACTIVE) == 2 for node in world.nodes):
        world.run(world.now + 10, 2**62)
        assert max(node.height for node in world.nodes) < ACTIVE - 20


def versions(node: UpgradingNode) -> int:
    """Give the version in force."""
    return int(node.ledger.executor.version_at(node.ledger.executor.height + 1))


@pytest.mark.slow
@pytest.mark.parametrize("config", [QUIET, FAULTY], ids=["quiet", "faulty"])
def test_all_but_one_upgrade_in_turn_and_the_last_one_later(config: Config) -> None:
    world = UpgradingWorld(config)
    world.begin()
    first, last = world.nodes[:3], world.nodes[3]
    until(world, 5, world.nodes)
    announce(world, world.nodes[0])
    for place, node in enumerate(first):
        node.upgrade()
        node.joined()
        until(world, 10 * (place + 1), world.nodes)
    assert max(node.height for node in world.nodes) < ACTIVE and not last.stopped
    assert versions(last) == 1
    until(world, ACTIVE + 10, first)
    assert [versions(node) for node in first] == [2, 2, 2]
    assert last.stopped.startswith(f"block {ACTIVE} needs version 2 of the rules")
    assert not last.up and last.ledger.executor.height == ACTIVE - 1
    last.upgrade()
    last.joined()
    until(world, ACTIVE + 20, world.nodes)
    world.heal()
    assert versions(last) == 2
    assert not world.counts.get("evidence", 0)


@pytest.mark.slow
def test_where_too_few_upgrade_the_chain_waits_for_them() -> None:
    world = UpgradingWorld(QUIET)
    world.begin()
    until(world, 5, world.nodes)
    announce(world, world.nodes[0])
    for node in world.nodes[:2]:
        node.upgrade()
        node.joined()
    until(world, ACTIVE - 1, world.nodes)
    world.run(world.now + 20_000, 2**62)
    assert [bool(node.stopped) for node in world.nodes] == [False, False, True, True]
    top = max(node.height for node in world.nodes)
    assert top < ACTIVE + 8, "two of four decide nothing"
    for node in world.nodes[2:]:
        node.upgrade()
        node.joined()
    until(world, top + 10, world.nodes)
    assert [versions(node) for node in world.nodes] == [2] * 4
