"""The world of whole validators: clients submit signed bundles, ledgers execute them."""

from typing import Any

from quorate.codec.blocks import DecodedBlock, decode_block
from quorate.ordering.rules import RULES, Rules
from quorate.replica.messages import Request
from quorate.sim.checkers.exchange import ExchangeWatch
from quorate.sim.cluster import market
from quorate.sim.cluster.config import Config
from quorate.sim.cluster.failure import Property, Violation
from quorate.sim.cluster.full_node import FullNode
from quorate.sim.cluster.world import World
from quorate.types.blocks import Item
from quorate.types.consensus import ConsensusParameters


class FullWorld(World):
    """One run. requests: what each client sent; a client sends once."""

    rejoins = True

    def __init__(self, config: Config, rules: Rules = RULES) -> None:
        times = config.times
        self.parameters = ConsensusParameters(
            delta_ms=times.delta_ms,
            heartbeat_ms=times.heartbeat_ms,
            skip_timeout_ms=times.skip_timeout_ms,
            retry_ms=times.retry_ms,
            standstill_ms=times.standstill_ms,
            view_timeout_ms_max=3 * times.delta_ms_max,
            clock_precision_ms=500,
            message_delay_ms=2_000,
            checkpoint_lag_max=config.lag_max,
        )
        self.requests: dict[int, tuple[Item, ...]] = {}
        self.sent = 0
        self.blocks_read: dict[bytes, DecodedBlock] = {}
        super().__init__(config, rules)

    def new_node(self, number: int, index: int, honest: bool) -> Any:
        """Make a node."""
        return FullNode(self, number, index, honest)

    def new_watch(self) -> Any:
        """Make the checkers."""
        watch = ExchangeWatch(self.config.weights, self.config.lying, self.config.victims)
        watch.begin()
        for item in market.bundles():
            watch.sent[market.named(item)] = None
        return watch

    def decoded(self, block: bytes) -> DecodedBlock:
        """Read a block, once for all nodes."""
        found = self.blocks_read.get(block)
        if found is None:
            found = self.blocks_read[block] = decode_block(block, len(self.config.weights))
        return found

    # --- clients ---------------------------------------------------------------------------------
    def begin(self) -> None:
        """Start every node, the faults, and the clients."""
        super().begin()
        self.post(self.now + 1, self.nobody, self.submit, None)

    def submit(self, _: None) -> None:
        """Send the next bundles to a validator of chance, and now and then some old ones again."""
        rng, signed = self.rng, market.bundles()
        wait = 1 + rng.randrange(2 * self.config.submit_ms)
        self.post(self.now + wait, self.nobody, self.submit, None)
        node = self.nodes[rng.randrange(len(self.nodes))]
        if not node.up:
            return
        if self.sent and not rng.randrange(5):
            first = rng.randrange(self.sent)
            items = signed[first : first + 1]
        else:
            count = 1 if not self.sent else rng.randrange(1, 4)
            items = signed[self.sent : self.sent + count]
            self.sent += len(items)
        if items:
            client = len(self.requests) + 1
            self.requests[client] = items
            node.ask(Request(client, 1, market.written(items)))

    def blocks_final(self) -> int:
        """Count what is final."""
        return len(self.watch.blocks)

    # --- the second phase ------------------------------------------------------------------------
    def top(self) -> int:
        """Say how far anybody is."""
        return max([int(node.height) for node in self.honest])

    def has_progressed(self, node: Any, top: int) -> bool:
        """Say whether a healed node executed enough beyond what was executed anywhere."""
        return bool(node.up and node.height >= top + self.config.goal)

    def heal(self) -> None:
        """Run the second phase; in the end all healed have equal roots where they stand."""
        super().heal()
        own: dict[int, bytes] = {}
        for node in self.honest:
            if node.up:
                executor = node.ledger.executor
                if own.setdefault(executor.height, executor.root) != executor.root:
                    raise Violation(Property.ROOTS, f"two roots at height {executor.height}")
