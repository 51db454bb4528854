"""The demo's traders as clients of several validators: each has his own, and others after it.

A bundle whose validator goes away is sent again, byte for byte, to the next one: it executes at
most once, whoever has it.
"""

import asyncio
from typing import Final

import numpy as np

from quorate.cli.demo_parts import PATIENCE_S, DemoFailed
from quorate.runtime.client import AsyncClient
from quorate.runtime.errors import NodeGone, RequestRefused
from quorate.runtime.testnet_watch import Watch
from quorate.sim.demo.ledger import Ledger, Sent, Signer
from quorate.sim.demo.market import Draft
from quorate.types.codes import Reject
from quorate.types.records import EVENT

AGAIN_S: Final = 0.05
NO_EVENTS: Final = np.zeros(0, EVENT)


class Traffic:
    """Bundles on their way. away: validators that traders leave alone; resent: how often."""

    def __init__(self, watch: Watch, ledger: Ledger) -> None:
        self.watch = watch
        self.ledger = ledger
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.at: dict[int, int] = {}
        self.away: dict[int, None] = {}
        self.resent = 0

    def send(self, signer: Signer, drafts: list[Draft]) -> None:
        """Sign drafts and let them go their way."""
        for draft in drafts:
            for sent in signer.signed(draft):
                self.ledger.sending(sent)
                self.tasks[sent.number] = asyncio.ensure_future(self.sending(sent))

    def chosen(self, sent: Sent) -> tuple[int, AsyncClient] | None:
        """Choose the trader's own validator, or the next that serves."""
        count = len(self.watch.standings)
        signer, _ = sent.name
        for step in range(count):
            index = (signer[0] + step) % count
            client = self.watch.clients.get(index)
            if client is not None and index not in self.away:
                return index, client
        return None

    async def sending(self, sent: Sent) -> None:
        """Send a bundle until somebody says what became of it, and note that."""
        try:
            while True:
                found = self.chosen(sent)
                if found is None:
                    await asyncio.sleep(AGAIN_S)
                    continue
                self.at[sent.number], client = found
                try:
                    done = await client.submit([sent.item])
                except RequestRefused as refused:
                    if refused.code == Reject.BLOCK_FULL_SEND_LATER:
                        await asyncio.sleep(AGAIN_S)
                        continue
                    self.ledger.told(sent, 0, (refused.code,), NO_EVENTS)
                    return
                except NodeGone:
                    sent.again = True
                    self.resent += 1
                    await asyncio.sleep(AGAIN_S)
                    continue
                self.ledger.told(sent, done.height, done.codes, done.events)
                return
        finally:
            self.at.pop(sent.number, None)
            self.tasks.pop(sent.number, None)

    def waiting_at(self, index: int) -> int:
        """Count the bundles that a validator has not answered yet."""
        return sum(at == index for at in self.at.values())

    async def quiet(self) -> None:
        """Wait until nothing is under way. Raises DemoFailed."""
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=PATIENCE_S)
        if self.tasks or self.ledger.under_way:
            raise DemoFailed(f"{len(self.ledger.under_way)} bundles were never answered")

    async def close(self) -> None:
        """Let go of what is still under way."""
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
