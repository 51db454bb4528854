"""The admission thread of a validator: signatures of bundles, many in one go.

What a block needs goes before all else; own clients and the other validators take turns, so that
neither a burst of gossip nor a malicious peer makes agreement or a client wait for more than one
short batch. Many signatures at once are shared out to a pool, few are not worth the hand-over.
"""

import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from quorate.admission import Chain, admit_block
from quorate.replica.mempool import bundles_of
from quorate.replica.validator_messages import FOR_BLOCK, Admit, Admitted
from quorate.types.blocks import Item
from quorate.types.limits import COMMAND_BYTES, COMMANDS_PER_BLOCK_MAX

SHARED_MIN: Final = 64  # signatures from which on a second thread is worth waking
BATCH_ITEMS: Final = 256  # reached, a batch is closed: some 10 ms of signatures
BATCH_BYTES: Final = 1 << 20
# Admission lays out the commands of one block, no more: questions that could hold more together are
# asked apart, or the last one's bundles would be refused for want of room.
ROOM_BYTES: Final = COMMANDS_PER_BLOCK_MAX * COMMAND_BYTES


class Admitting:
    """The thread. answered: called on it with the answers to one batch."""

    def __init__(
        self, chain: Chain, threads: int, answered: Callable[[list[Admitted]], None]
    ) -> None:
        self.chain = chain
        self.answered = answered
        self.waiting: dict[int, deque[Admit]] = {}  # by source; the first has the next turn
        self.stirred = threading.Condition()
        self.last = False
        self.pool = concurrent.futures.ThreadPoolExecutor(threads, "signatures")

    def put(self, admit: Admit) -> None:
        """Take a question; on any thread."""
        with self.stirred:
            self.waiting.setdefault(admit.source, deque()).append(admit)
            self.stirred.notify()

    def end(self) -> None:
        """Have `run` end, whatever waits."""
        with self.stirred:
            self.last = True
            self.stirred.notify()

    def run(self) -> None:
        """Answer until `end`."""
        while True:
            with self.stirred:
                while not self.waiting and not self.last:
                    self.stirred.wait()
                if self.last:
                    break
                batch = self.batch()
            self.answer(batch)
        self.pool.shutdown(wait=False)

    def batch(self) -> list[Admit]:
        """Take the next batch, with the lock held: blocks first, then each source in turn."""
        batch: list[Admit] = []
        items = size = 0
        while self.waiting and items < BATCH_ITEMS and size < BATCH_BYTES:
            source = FOR_BLOCK if FOR_BLOCK in self.waiting else next(iter(self.waiting))
            admit = self.waiting[source][0]
            more = sum(len(item.data) for item in admit.items)
            if batch and size + more > ROOM_BYTES:
                break
            questions = self.waiting.pop(source)
            questions.popleft()
            if questions:
                self.waiting[source] = questions  # behind the others
            batch.append(admit)
            items += len(admit.items)
            size += more
        return batch

    def answer(self, batch: list[Admit]) -> None:
        """Check the signatures of a batch and sort the answers by question."""
        items: list[Item] = [item for admit in batch for item in admit.items]
        map_call = self.pool.map if len(items) >= SHARED_MIN else map
        found = bundles_of(items, admit_block(items, self.chain, map_call))
        answers: list[Admitted] = []
        at = 0
        for admit in batch:
            end = at + len(admit.items)
            answers.append(Admitted(admit.ticket, tuple(found[at:end])))
            at = end
        self.answered(answers)

