"""Faults: which strike, whom, when. All of them draw from the world's one random generator."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from quorate.sim.cluster.clock import RATE_EXACT, WALL_MS
from quorate.sim.cluster.network import partition

if TYPE_CHECKING:
    from quorate.sim.cluster.node import Node
    from quorate.sim.cluster.world import World

EFFECTS_AHEAD = 24  # a crash comes before one of so many effects


class Nemesis:
    """Strikes until it is told to stop. weak: nodes that a fault may rob of their memory."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.rng = world.rng
        self.active = True
        self.restart_ms = 20 * world.config.times.delta_ms
        self.restarts = True
        self.strikes: dict[str, Callable[[], None]] = {
            "crash": self.crash,
            "crash_all": self.crash_all,
            "partition": self.partition,
            "clog": self.clog,
            "wall_jump": self.wall_jump,
            "drift": self.drift,
            "freeze": self.freeze,
            "slow_disk": self.slow_disk,
            "rot": self.rot,
            "lose": self.lose,
        }

    def begin(self) -> None:
        """Let each fault strike after a while."""
        for name in self.world.config.faults:
            self.again(name)

    def again(self, name: str) -> None:
        """Draw when a fault strikes next."""
        world = self.world
        at = world.now + 1 + self.rng.randrange(2 * world.config.every_ms)
        world.post(at, world.nobody, self.strike, name)

    def strike(self, name: str) -> None:
        """Strike, if the time of faults is not over."""
        if self.active:
            self.world.count(f"fault_{name}")
            self.strikes[name]()
            self.again(name)

    def one(self) -> "Node":
        """Draw an honest node."""
        honest: list[Node] = self.world.honest
        return honest[self.rng.randrange(len(honest))]

    def weak(self) -> "Node | None":
        """Draw a node that may lose its memory."""
        victims = self.world.config.victims
        found: list[Node] = [node for node in self.world.honest if node.index in victims]
        return found[self.rng.randrange(len(found))] if found else None

    def later(self, what: Callable[[None], None]) -> None:
        """Undo something after a while."""
        wait = 1 + self.rng.randrange(self.world.config.every_ms)
        self.world.post(self.world.now + wait, self.world.nobody, what, None)

    # --- crashes ---------------------------------------------------------------------------------
    def crash(self) -> None:
        """Crash a node: now, or before one of its next effects."""
        node = self.one()
        if not node.up:
            return
        if self.rng.getrandbits(2):
            node.crash_in = self.rng.randrange(EFFECTS_AHEAD)
        else:
            node.crash()

    def crash_all(self) -> None:
        """Crash every node, each before one of its next effects."""
        for node in self.world.honest:
            if node.up:
                node.crash_in = self.rng.randrange(EFFECTS_AHEAD)

    def crashed(self, node: "Node") -> None:
        """Have a node started again after a while."""
        if self.restarts:
            wait = 1 + self.rng.randrange(self.restart_ms)
            self.world.post(self.world.now + wait, self.world.nobody, node.restart, None)

    def rot(self) -> None:
        """Flip a bit on the disk of a node that may lose its memory."""
        node = self.weak()
        if node is not None and node.log.disk.rot(self.rng):
            self.world.watch.forgive(node.index)

    def lose(self) -> None:
        """Take a node's journal away, with a crash."""
        node = self.weak()
        if node is not None and node.up:
            node.crash()
            node.lose()
            if not (self.world.config.forgetful or self.world.rejoins):
                self.world.watch.forgive(node.index)

    # --- network ---------------------------------------------------------------------------------
    def partition(self) -> None:
        """Cut links; mend them after a while, or let them flap first."""
        network = self.world.network
        shape, pairs = partition(self.rng, len(self.world.nodes))
        self.world.count(f"partition_{shape}")
        network.sever(pairs)
        flaps = self.rng.randrange(4) if self.rng.getrandbits(1) else 0

        def mend(_: None, left: int = flaps) -> None:
            if self.active:
                network.sever(pairs, False)
                if left:
                    self.later(lambda _none: self.flap(pairs, left))

        self.later(mend)

    def flap(self, pairs: list[tuple[int, int]], left: int) -> None:
        """Cut the same links again."""
        if not self.active:
            return
        network = self.world.network
        network.sever(pairs)
        self.world.count("partition_flaps")

        def mend(_: None) -> None:
            if self.active:
                network.sever(pairs, False)
                if left > 1:
                    self.later(lambda _none: self.flap(pairs, left - 1))

        self.later(mend)

    def clog(self) -> None:
        """Slow one link down for a while."""
        world = self.world
        count = len(world.nodes)
        source, target = self.rng.randrange(count), self.rng.randrange(count)
        world.network.clog_ms[source][target] = self.rng.randrange(
            1, 20 * world.config.times.delta_ms
        )

        def unclog(_: None) -> None:
            world.network.clog_ms[source][target] = 0

        self.later(unclog)

    # --- clocks and disks ------------------------------------------------------------------------
    def wall_jump(self) -> None:
        """Set a wall clock forward or back."""
        self.one().clock.jump(self.rng.randrange(-3_600_000, 3_600_001))

    def drift(self) -> None:
        """Let a node's clocks run fast or slow from now on, by up to a tenth."""
        rate = RATE_EXACT * self.rng.randrange(900, 1101) // 1000
        self.retime(self.one(), rate)

    def freeze(self) -> None:
        """Stop a node's clocks for a while."""
        node = self.one()
        self.retime(node, 0)
        self.later(lambda _none: self.retime(node, RATE_EXACT))

    def retime(self, node: "Node", rate: int) -> None:
        """Let a node's clocks run at another rate."""
        node.clock.run_at(self.world.now, rate)
        if node.up:
            node.armed_ms = 2**62
            node.arm()

    def slow_disk(self) -> None:
        """Slow a disk down for a while."""
        node = self.one()
        node.sync_ms = self.rng.randrange(1, 10 * self.world.config.times.delta_ms)

        def recover(_: None) -> None:
            node.sync_ms = self.world.config.sync_ms

        self.later(recover)

    # --- the end ---------------------------------------------------------------------------------
    def stop(self) -> None:
        """Strike no more; what was armed is disarmed, and clocks and disks are well again."""
        self.active = False
        self.restarts = False
        for node in self.world.nodes:
            node.crash_in = -1
            node.sync_ms = self.world.config.sync_ms
            self.retime(node, RATE_EXACT)
            node.clock.correct(self.world.now, WALL_MS + self.world.now)
