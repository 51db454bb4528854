"""Questions that a node under CometBFT answers beside the ledger: its network, roots, proofs.

A header carries the root of the height before it, and its commit comes with the block after it. So
a proof waits until CometBFT has that commit, some hundred milliseconds with its default timeouts.
"""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from quorate.replica.application import Application
from quorate.replica.application_messages import Executed
from quorate.replica.messages import Answer, Asked
from quorate.runtime.cometbft.certifying import NotCertified, RootDiffers, certified
from quorate.runtime.cometbft.executing import Provable
from quorate.runtime.cometbft.rpc import Rpc, RpcFailed

PROOF_TRIES: Final = 40
PROOF_RETRY_S: Final = 0.25
PROOFS_WAITING_MAX: Final = 1024
ROOTS_KEPT: Final = 1024
LOOK_S: Final = 1.0
BUSY: Final = "Too many proofs wait for their commit; ask again."
Respond = Callable[[list[Any]], None]


class Answering:
    """What the event loop can answer without the ledger's thread."""

    def __init__(self, me: int, application: Application, rpc: Rpc, respond: Respond) -> None:
        self.me = me
        self.application = application
        self.rpc = rpc
        self.respond = respond
        self.cpu_ms: Callable[[], dict[str, int]] = dict
        self.roots: OrderedDict[int, tuple[bytes, bytes]] = OrderedDict()
        self.proving: dict[asyncio.Task[None], None] = {}
        self.peers: list[str] = []
        self.reached = False
        self.height_certified = 0

    def executed(self, event: Executed) -> None:
        """Remember what a block led to."""
        if event.outcome is not None:
            self.roots[event.height] = (event.digest, event.outcome.root)
            if len(self.roots) > ROOTS_KEPT:
                self.roots.popitem(last=False)

    def at_once(self, asked: Asked) -> Answer | None:
        """Answer a question about the network or a root; None for one about the state."""
        what = asked.question.get("ask")
        if what == "network":
            return Answer(asked.client, asked.number, self.network())
        if what == "finality":
            # CometBFT's block times are medians of votes, not a clock at the proposal.
            return Answer(asked.client, asked.number, {"finality_ms": []})
        if what == "root":
            return Answer(asked.client, asked.number, self.root(asked.question.get("height")))
        return None

    def root(self, height: Any) -> dict[str, Any]:
        """Give the root that this node came to at a recent height."""
        found = self.roots.get(height) if type(height) is int else None
        if found is None or height > self.application.height:
            return {"error": "This node holds no root of that height any more, or yet."}
        return {"height": height, "exec_block_digest": found[0].hex(), "state_root": found[1].hex()}

    def network(self) -> dict[str, Any]:
        """Say where this node and its CometBFT stand. Views and leaders are CometBFT's own."""
        it = self.application
        return {
            "me": self.me,
            "engine": "cometbft",
            "cometbft_reached": self.reached,
            "view": 0,
            "leader": -1,
            "height": it.height,
            "height_certified": min(self.height_certified, it.height),
            "time_ms": it.time_ms,
            "state_root": it.root.hex() if it.height else "",
            "peers": self.peers,
            "pool_bundles": len(it.mempool),
            "pool_bytes": it.mempool.bytes_held,
            "blocks_led": 0,
            "finality_p50_ms": 0,
            "finality_p99_ms": 0,
            "cpu_ms": self.cpu_ms(),
        }

    async def look(self) -> None:
        """Ask CometBFT again and again how far it is and whom it knows, until cancelled."""
        while True:
            before = self.reached
            try:
                height = (await self.rpc.status()).height_last
                self.height_certified = max(height - 1, 0)
                self.peers = await self.rpc.peers()
                self.reached = True
                if not before:
                    sys.stderr.write(f"CometBFT answers, at height {height}.\n")
            except RpcFailed as failed:
                self.reached, self.peers = False, []
                if before:
                    sys.stderr.write(f"CometBFT is gone: is it running? {failed}\n")
            await asyncio.sleep(LOOK_S)

    # --- proofs ----------------------------------------------------------------------------------
    def prove(self, wanted: Provable) -> None:
        """Answer with a proof when the commit over it has come."""
        if len(self.proving) >= PROOFS_WAITING_MAX:
            self.respond([Answer(wanted.client, wanted.number, {"error": BUSY})])
            return
        task = asyncio.ensure_future(self.proved(wanted))
        self.proving[task] = None
        task.add_done_callback(lambda done: self.proving.pop(done, None))

    async def proved(self, wanted: Provable) -> None:
        """Wait for the commit, and answer."""
        tree: dict[str, Any] = {}
        for _ in range(PROOF_TRIES):
            try:
                tree = {"proof": (await certified(self.rpc, wanted.proof)).decode("ascii")}
                break
            except NotCertified as early:
                tree = {"error": str(early)}
            except (RpcFailed, RootDiffers) as failed:
                tree = {"error": str(failed)}
                break
            await asyncio.sleep(PROOF_RETRY_S)
        self.respond([Answer(wanted.client, wanted.number, tree)])

    def close(self) -> None:
        """Wait for nothing more."""
        for task in list(self.proving):
            task.cancel()
