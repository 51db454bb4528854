"""Bundles of our own clients on their way into CometBFT's pool, by its RPC.

They go in the order in which they came, one batch after the other. CometBFT says at once whether
its pool has room; what it then asks of each by CheckTx is answered in this very process, which
needs no word about it. Waiting for that word would leave one bundle of a node's under way at a
time, since CometBFT works through a batch in sequence, and cost a third of the throughput.

Where CometBFT cannot be asked, the batch is asked again: handing a bundle over twice does no harm,
for the pool knows what it has, and execution what a nonce was used for. But only the first answer
about a bundle can refuse it: a full pool says that it is full before it looks whether it has the
bundle, so of one that may be in there already "full" says nothing, and its client waits on.
"""

import asyncio
import itertools
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from quorate.runtime.cometbft.rpc import Rpc, RpcFailed, RpcRefused
from quorate.types.codes import Reject

RETRY_S: Final = 0.5
BATCH_ITEMS: Final = 256
HANDED_MAX: Final = 1 << 17  # names remembered, the oldest forgotten first
KNOWN: Final = "already exists in cache"  # CometBFT's pool has it, or had it lately
LATER: Final = "catching up"  # v1.x takes nothing while it fetches blocks

Refusals = tuple[tuple[bytes, int], ...]


class Submitting:
    """The queue in front of CometBFT's pool. refused: is told hash and code of what was refused."""

    def __init__(self, rpc: Rpc, refused: Callable[[Refusals], None]) -> None:
        self.rpc = rpc
        self.refused = refused
        self.waiting: dict[bytes, None] = {}  # in order; none twice, however often it is put
        self.handed: dict[bytes, None] = {}  # hashes of those that CometBFT may have
        self.batch_items = BATCH_ITEMS
        self.stirred = asyncio.Event()

    def put(self, items: tuple[bytes, ...]) -> None:
        """Hand over items; on the event loop."""
        self.waiting.update(dict.fromkeys(items))
        self.stirred.set()

    async def run(self) -> None:
        """Hand over what waits, until cancelled."""
        while True:
            await self.stirred.wait()
            batch = list(itertools.islice(self.waiting, self.batch_items))
            for item in batch:
                del self.waiting[item]
            if not self.waiting:
                self.stirred.clear()
            again = await self.hand_over(batch)
            if again:
                # Behind the others, and fewer at a time: one that never gets through stops nobody.
                self.batch_items = max(self.batch_items // 2, 1)
                self.put(tuple(again))
                await asyncio.sleep(RETRY_S)
            else:
                self.batch_items = BATCH_ITEMS

    async def hand_over(self, batch: list[bytes]) -> list[bytes]:
        """Hand over a batch; give what could not be asked about."""
        again: list[bytes] = []
        refused: list[tuple[bytes, int]] = []
        verdicts = await self.rpc.broadcast_many(batch, wait=False)
        for item, verdict in zip(batch, verdicts, strict=True):
            name = sha256(item).digest()
            if isinstance(verdict, RpcRefused) and LATER in verdict.data:
                again.append(item)
            elif isinstance(verdict, RpcRefused) and KNOWN not in verdict.data:
                if name not in self.handed:
                    # Its pool is full, or the bundle larger than its operator lets in.
                    refused.append((name, int(Reject.BLOCK_FULL_SEND_LATER)))
            else:
                self.handed[name] = None
                if isinstance(verdict, RpcFailed) and not isinstance(verdict, RpcRefused):
                    again.append(item)
        while len(self.handed) > HANDED_MAX:
            del self.handed[next(iter(self.handed))]
        if refused:
            self.refused(tuple(refused))
        return again
