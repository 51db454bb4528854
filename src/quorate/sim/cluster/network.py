"""Links between nodes: loss, duplication, delay, spikes, clogs, and cuts of every shape.

A node sends to validators; a twin's two nodes answer to one index. Cuts and clogs are per directed
link, so that a partition may be one-way, partial or leave a bridge.
"""

from random import Random
from typing import TYPE_CHECKING, Any

from quorate.codec.consensus import (
    MessageInvalid,
    decode_certificate,
    decode_vote,
    decode_want,
    encode_certificate,
    encode_vote,
    encode_want,
)
from quorate.ordering.messages import Message, Want
from quorate.types.consensus import Vote

if TYPE_CHECKING:
    from quorate.sim.cluster.node import Node
    from quorate.sim.cluster.world import World


class Network:
    """Messages on their way. cut, clog_ms: by sender's and receiver's number."""

    def __init__(self, world: "World", nodes: list["Node"]) -> None:
        config = world.config
        self.world = world
        self.rng = world.rng
        self.nodes = nodes
        self.by_index: dict[int, list[Node]] = {}
        for node in nodes:
            self.by_index.setdefault(node.index, []).append(node)
        self.others = [[n for n in nodes if n.index != node.index] for node in nodes]
        count = len(nodes)
        self.cut = [[False] * count for _ in range(count)]
        self.clog_ms = [[0] * count for _ in range(count)]
        self.last = [[0] * count for _ in range(count)]
        self.loss, self.duplicate = config.loss_e3, config.duplicate_e3
        self.spike, self.spike_ms = config.spike_e3, config.spike_ms
        self.delay_min, self.delay_span = config.delay_min_ms, config.delay_span_ms
        self.fifo, self.encoded = config.fifo, config.encoded

    def send(self, sender: "Node", message: Any, to: int | None) -> None:
        """Put a message of agreement, or a frame (kind, body), on the links to its receivers."""
        receivers = self.others[sender.number] if to is None else self.by_index[to]
        bits, world = self.rng.getrandbits, self.world
        row = self.cut[sender.number]
        clog = self.clog_ms[sender.number]
        carried: object = self.written(message) if self.encoded else message
        packet = (sender.index, carried)
        for node in receivers:
            if row[node.number] or not node.up:
                continue
            draw = bits(50)
            if draw & 1023 < self.loss:
                continue
            delay = self.delay_min + (draw >> 30) % self.delay_span + clog[node.number]
            if (draw >> 10) & 1023 < self.spike:
                delay += self.spike_ms
            at = world.now + delay
            if self.fifo:
                at = self.last[sender.number][node.number] = max(
                    at, self.last[sender.number][node.number]
                )
            world.post(at, node, node.deliver, packet)
            if (draw >> 20) & 1023 < self.duplicate:
                world.post(at + 1 + bits(6), node, node.deliver, packet)

    def written(self, message: Message) -> bytes:
        """Write a message as bytes."""
        if isinstance(message, Vote):
            return b"v" + encode_vote(message)
        if isinstance(message, Want):
            return b"w" + encode_want(*message)
        return b"c" + encode_certificate(message, len(self.world.config.weights))

    def read(self, data: bytes) -> Message | None:
        """Read what a peer sent; None where the decoder refuses it."""
        try:
            if data[:1] == b"v":
                return decode_vote(data[1:])
            if data[:1] == b"w":
                return Want(*decode_want(data[1:]))
            return decode_certificate(data[1:], len(self.world.config.weights))
        except MessageInvalid:
            self.world.count("messages_refused")
            return None

    # --- trouble ---------------------------------------------------------------------------------
    def sever(self, pairs: list[tuple[int, int]], cut: bool = True) -> None:
        """Cut directed links, or mend them."""
        for source, target in pairs:
            self.cut[source][target] = cut

    def calm(self, healed: list[int]) -> None:
        """Mend everything among these nodes, and part them from all others."""
        self.loss = self.duplicate = self.spike = 0
        count = len(self.nodes)
        together = dict.fromkeys(healed)
        self.cut = [
            [(source in together) != (target in together) for target in range(count)]
            for source in range(count)
        ]
        self.clog_ms = [[0] * count for _ in range(count)]


def partition(rng: Random, count: int) -> tuple[str, list[tuple[int, int]]]:
    """Draw a partition: its shape, and the directed links that it cuts."""
    order = list(range(count))
    rng.shuffle(order)
    size = rng.randrange(1, count)
    left, right = order[:size], order[size:]
    across = [(a, b) for a in left for b in right]
    back = [(b, a) for a, b in across]
    shape = rng.choice(("symmetric", "one_way", "partial", "bridge", "isolate"))
    if shape == "symmetric":
        return shape, across + back
    if shape == "one_way":
        return shape, across
    if shape == "partial":
        links = [(a, b) for a in order for b in order if a != b]
        return shape, [link for link in links if not rng.randrange(3)]
    if shape == "bridge":
        bridge = order[0]
        return shape, [(a, b) for a, b in across + back if bridge not in (a, b)]
    alone = order[0]
    return shape, [(alone, b) for b in order[1:]] + [(b, alone) for b in order[1:]]
