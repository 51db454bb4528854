"""The admission thread of a validator: signatures of bundles, all that wait in one go.

One thread takes the questions in their order; many signatures at once are shared out to a pool,
few are not worth the hand-over.
"""

import concurrent.futures
import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from quorate.admission import Chain, admit_block
from quorate.replica.mempool import bundles_of
from quorate.replica.validator_messages import Admit, Admitted
from quorate.types.blocks import Item
from quorate.types.limits import BUNDLES_PER_BLOCK_MAX, COMMANDS_PER_BLOCK_MAX

SHARED_MIN: Final = 64  # signatures from which on a second thread is worth waking
BATCH_BYTES_MAX: Final = 4 << 20  # so that a block's question does not wait behind all gossip


@dataclass(frozen=True, slots=True)
class Last:
    """Nothing follows in the queue."""


class Admitting:
    """The thread. answered: called on it with the answers to one batch."""

    def __init__(
        self, chain: Chain, threads: int, answered: Callable[[list[Admitted]], None]
    ) -> None:
        self.chain = chain
        self.answered = answered
        self.queue: queue.SimpleQueue[Admit | Last] = queue.SimpleQueue()
        self.pool = concurrent.futures.ThreadPoolExecutor(threads, "signatures")

    def run(self) -> None:
        """Answer until Last."""
        last = False
        while not last:
            batch: list[Admit] = []
            size = items = 0
            task = self.queue.get()
            while True:
                if isinstance(task, Last):
                    last = True
                    break
                batch.append(task)
                items += len(task.items)
                size += sum(len(item.data) for item in task.items)
                if size > BATCH_BYTES_MAX or items > BUNDLES_PER_BLOCK_MAX // 2:
                    break
                if self.queue.empty():
                    break
                task = self.queue.get()
            if batch:
                self.answer(batch)
        self.pool.shutdown(wait=False)

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


assert COMMANDS_PER_BLOCK_MAX >= BATCH_BYTES_MAX // 64, "a batch has room in one laid-out block"
