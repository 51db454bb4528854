"""The world of one run: a queue of what will happen, and the two phases.

    safety  faults strike; checkers raise `Violation` at the first event that breaks a property
    heal    faults end. An honest quorum with its journals intact is brought up and joined by
            links that lose nothing; the others are helped too, or left as they are. Within a bound
            of simulated time every healed validator finalizes `goal` more proposals

The queue is ordered by time, then by the order of posting, so a run is a function of its Config.
"""

import heapq
import struct
from collections.abc import Callable
from hashlib import sha256
from random import Random
from typing import Any, Final

from quorate.ordering.rules import RULES, Rules
from quorate.ordering.simplex import Simplex
from quorate.ordering.voting import Floor, Settings
from quorate.sim.byzantine import Hands, actor_of
from quorate.sim.byzantine.shameless import Shameless
from quorate.sim.checkers.arithmetic import is_quorum, leaders
from quorate.sim.checkers.watch import Watch
from quorate.sim.cluster.application import Application
from quorate.sim.cluster.config import Config
from quorate.sim.cluster.failure import Property, Violation
from quorate.sim.cluster.keys import Keyring, SimulatedScheme
from quorate.sim.cluster.nemesis import Nemesis
from quorate.sim.cluster.network import Network
from quorate.sim.cluster.node import Node
from quorate.types.consensus import KEY_BYTES, ValidatorSet

STEP: Final = struct.Struct("<QBH")
TRACE_PARTS: Final = 2_048
CHECK_MS: Final = 20

Posted = tuple[int, int, int, Any, Callable[[Any], None], Any]
MakeCore = Callable[[Settings, SimulatedScheme, Floor, list[tuple[int, bytes]], Rules], Simplex]


class Nobody:
    """Whom events are for that no crash takes back."""

    life = 0


class World:
    """One run. make_core: how honest validators' cores are made, to run a broken one.

    rejoins: whether one who lost its journal may vote again, and is held to what it said before.
    """

    rejoins = False

    def __init__(
        self, config: Config, rules: Rules = RULES, make_core: MakeCore = Simplex
    ) -> None:
        self.config, self.rules, self.make_core = config, rules, make_core
        self.rng = Random(config.seed)
        self.now = 0
        self.queue: list[Posted] = []
        self.posted = 0
        self.steps = 0
        self.finalized = 0
        self.counts: dict[str, int] = {}
        self.trace: list[bytes] = []
        self.hash = sha256()
        self.nobody = Nobody()
        self.counting = False
        self.working = config.work == "always"
        count = len(config.weights)
        keys = tuple(index.to_bytes(KEY_BYTES, "little") for index in range(count))
        self.validators = ValidatorSet(0, keys, config.weights)
        self.keyring = Keyring(config.seed, count)
        self.watch = self.new_watch()
        self.application = Application(self.watch, tuple(leaders(config.weights)))
        self.nemesis = Nemesis(self)
        self.nodes: list[Any] = self.peopled()
        self.honest = [node for node in self.nodes if node.honest]
        self.network = Network(self, self.nodes)

    def new_node(self, number: int, index: int, honest: bool) -> Any:
        """Make a node."""
        return Node(self, number, index, honest)

    def new_watch(self) -> Any:
        """Make the checkers."""
        return Watch(self.config.weights, self.config.lying, self.config.victims)

    def peopled(self) -> list[Any]:
        """Make the nodes: one a validator, two of a twin."""
        actors = dict(self.config.liars)
        nodes: list[Any] = []
        for index in range(len(self.config.weights)):
            for _ in range(2 if actors.get(index) == "twin" else 1):
                nodes.append(self.new_node(len(nodes), index, index not in actors))
        return nodes

    def core_of(
        self,
        node: Node,
        settings: Settings,
        scheme: SimulatedScheme,
        floor: Floor,
        entries: list[tuple[int, bytes]],
    ) -> Any:
        """Make what a node drives."""
        if node.honest:
            return self.make_core(settings, scheme, floor, entries, self.rules)
        core = Shameless(settings, scheme, floor, entries)
        hands = Hands(node.index, scheme, self.validators, self.application, self.rng)
        return actor_of(dict(self.config.liars)[node.index], core, hands)

    # --- the queue -------------------------------------------------------------------------------
    def post(self, at_ms: int, whom: Any, what: Callable[[Any], None], with_what: Any) -> None:
        """Let something happen to somebody, if he lives then as he does now."""
        self.posted += 1
        heapq.heappush(self.queue, (at_ms, self.posted, whom.life, whom, what, with_what))

    def run(self, until_ms: int, steps_max: int) -> None:
        """Let happen what is due."""
        queue, pop = self.queue, heapq.heappop
        while queue and queue[0][0] <= until_ms and self.steps < steps_max:
            self.now, _, life, whom, what, with_what = pop(queue)
            if whom.life == life:
                what(with_what)
        if self.steps < steps_max:
            self.now = max(self.now, until_ms)

    def note(self, number: int, effects: int) -> None:
        """Put a step into the trace."""
        trace = self.trace
        trace.append(STEP.pack(self.now, number, effects))
        if len(trace) > TRACE_PARTS:
            self.hash.update(b"".join(trace))
            trace.clear()

    def digest(self) -> str:
        """Give the digest of all that has happened."""
        self.hash.update(b"".join(self.trace))
        self.trace.clear()
        return self.hash.hexdigest()

    def count(self, name: str) -> None:
        """Count by name."""
        self.counts[name] = self.counts.get(name, 0) + 1

    # --- the two phases --------------------------------------------------------------------------
    def begin(self) -> None:
        """Start every node, and the faults."""
        for node in self.nodes:
            node.found()
        if self.config.work == "bursts":
            self.burst(None)
        self.nemesis.begin()

    def burst(self, _: None) -> None:
        """Have work, or none, for a while."""
        self.working = not self.working
        for node in self.nodes:
            if node.up:
                node.work(self.working)
        wait = 1 + self.rng.randrange(20 * self.config.times.delta_ms)
        self.post(self.now + wait, self.nobody, self.burst, None)

    def safety(self) -> None:
        """Run the first phase."""
        self.begin()
        self.run(self.config.faults_ms, self.config.steps_max)

    def heal(self) -> None:
        """Run the second phase. Raises Violation when progress does not come in time."""
        self.nemesis.stop()
        healed = self.chosen()
        joined = [node.number for node in self.nodes if node in healed or not node.honest]
        self.network.calm(joined)
        for node in healed:
            if not node.up:
                node.restart()
        for node in healed:
            node.joined()
        top = self.top()
        began_ms = self.now
        while self.now < began_ms + self.config.heal_ms:
            self.run(self.now + CHECK_MS, 2**62)
            if all(self.has_progressed(node, top) for node in healed):
                return
        stuck = [node.index for node in healed if not self.has_progressed(node, top)]
        raise Violation(
            Property.PROGRESS,
            f"validators {stuck} did not pass view {top} by {self.config.goal} proposals within "
            f"{self.config.heal_ms} ms after the heal at {began_ms} ms",
        )

    def blocks_final(self) -> int:
        """Count what is final."""
        return len(self.watch.validity.seen)

    def chosen(self) -> list[Any]:
        """Choose whom to heal: all honest ones, or a quorum of those whose
        memory no fault may take: the others count among the faulty."""
        if self.config.heal_all:
            return list(self.honest)
        sound = [node for node in self.honest if node.index not in self.config.victims]
        self.rng.shuffle(sound)
        taken: list[Any] = []
        for node in sound:
            weight = sum(self.config.weights[each.index] for each in taken)
            if not is_quorum(weight, self.validators.total):
                taken.append(node)
        return taken

    def top(self) -> int:
        """Say how far anybody is."""
        return max([int(node.floor) for node in self.nodes])

    def has_progressed(self, node: Any, top: int) -> bool:
        """Say whether a healed node finalized enough beyond what was final anywhere."""
        chain = self.watch.agreement.chain
        if not node.up or node.floor <= top:
            return False
        beyond = [view for view in range(top + 1, node.floor + 1) if view in chain]
        return len(beyond) >= self.config.goal
