"""What other validators have sent and the core has not taken yet: a queue for each, read in turns.

Whoever sends more than its share waits behind itself alone. What one peer sent, and that its link
came or went, stays in its order. How much a queue may hold is the transport's bound (its backlog):
credit is given when an event is taken from here.
"""

from collections import deque

from quorate.replica.validator_messages import ValidatorEvent


class Inbox:
    """Queues by peer; the one whose turn is next stands first."""

    def __init__(self) -> None:
        self.queues: dict[int, deque[ValidatorEvent]] = {}

    def __bool__(self) -> bool:
        return bool(self.queues)

    def put(self, peer: int, event: ValidatorEvent) -> None:
        """Add an event behind those of its peer."""
        queue = self.queues.get(peer)
        if queue is None:
            queue = self.queues[peer] = deque()
        queue.append(event)

    def take(self, events_max: int) -> list[ValidatorEvent]:
        """Take one event of each peer in turn, until nothing is left or so many are taken."""
        taken: list[ValidatorEvent] = []
        queues = self.queues
        while queues and len(taken) < events_max:
            peer = next(iter(queues))
            queue = queues.pop(peer)
            taken.append(queue.popleft())
            if queue:
                queues[peer] = queue
        return taken
