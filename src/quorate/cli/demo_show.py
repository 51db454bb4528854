"""The show of `quorate demo --solo`: a seeded market on a node that is killed in the middle.

The node is a process of its own, `quorate run HOME`; this process is all of its clients. The story:
make a home, open the market, trade, kill -9 with bundles under way, start again, compare, trade on,
stop, execute the log once more, and have an account's proof checked by the stand-alone verifier.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from rich.console import RenderableType

from quorate.cli.demo_parts import (
    DEMO_CONFIG,
    LIQUIDATION_S_MAX,
    PATIENCE_S,
    PROOF_NAME,
    RECEIPT_NAME,
    DemoFailed,
    cleared,
    counted_money,
    judged,
    liquidation_seen,
    liquidation_words,
    receipt_judged,
)
from quorate.execution.machine import genesis_image
from quorate.replica.errors import AuditFailed, ReplayRefused
from quorate.runtime.client import AsyncClient
from quorate.runtime.development import BTC_PERP
from quorate.runtime.endpoint import home_endpoint
from quorate.runtime.errors import NodeGone, RequestRefused
from quorate.runtime.files import follow_segments
from quorate.runtime.home import Home, init_home, signer_of
from quorate.runtime.recover import executor_of
from quorate.sim.demo.audit import Audit, audited, disagreements, doubled, lost
from quorate.sim.demo.ledger import Ledger, Sent, Signer
from quorate.sim.demo.market import address, market_of
from quorate.sim.demo.screen import Shown, View, clock, picture, plain_line
from quorate.sim.demo.summary import Result, summary
from quorate.types.limits import INT64_MAX

SHOWN: Final = Shown(BTC_PERP, "BTC-PERP", 10, 10_000)
ROUND_S: Final = 0.05
UNDER_WAY_MAX: Final = 600  # bundles; beyond it the traders wait
POLL_S: Final = 0.25
TRADES_SHOWN: Final = 40
LATEST: Final = 4_000  # latencies that the screen looks back on
AFTER_CRASH_SHARE: Final = 0.2  # of the show, at the least, comes after the recovery


def made_home(path: Path) -> Home:
    """Make the home. Raises HomeRefused, StorageFailed."""
    return init_home(path, config_text=DEMO_CONFIG)


class Node:
    """The node's process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        """Start it and wait until it listens; give what it says of itself. Raises DemoFailed."""
        with (self.home / "node.err").open("ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-u", "-m", "quorate.cli.main", "run", str(self.home), "--json",
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert self.process.stdout is not None
        said = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while line := await self.process.stdout.readline():
                    said += line.decode()
                    with contextlib.suppress(ValueError):
                        return dict(json.loads(said))
        raise DemoFailed(f"the node did not start: {self.last_words()}")

    def last_words(self) -> str:
        """Give the last line that the node wrote as an error."""
        lines = (self.home / "node.err").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """Tell it to stop. Raises DemoFailed when it does not end well."""
        assert self.process is not None
        self.process.terminate()
        try:
            code = await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        except TimeoutError:
            raise DemoFailed("the node did not stop when it was told to") from None
        if code:
            raise DemoFailed(f"the node ended with code {code}: {self.last_words()}")

    async def end(self) -> None:
        """Leave no process behind."""
        if self.process is not None and self.process.returncode is None:
            await self.kill()


class Demo:
    """The show. `view` is what the screen draws from; `result` what the summary says."""

    def __init__(self, home: Home, seed: int, seconds: float, live: bool) -> None:
        self.home = home
        self.live = live
        _, self.signed_by = signer_of(home.path)
        self.node = Node(home.path)
        self.client: AsyncClient
        self.signer: Signer
        self.ledger = Ledger()
        self.view = View(SHOWN, seed, seconds)
        self.result = Result(seed=seed, seconds=seconds, home=str(home.path))
        self.roots_seen: dict[int, str] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.began_s = 0.0  # when the market opened
        self.up_s = 0.0
        self.market = market_of(home.genesis, seed)
        self.liquidated = False

    def tell(self, sentence: str) -> None:
        """Add a sentence to the story."""
        self.view.story.append((self.elapsed_s(), sentence))
        if not self.live:
            print(f"{clock(self.elapsed_s()):>5}  {sentence}", flush=True)

    def elapsed_s(self) -> float:
        """Give the seconds since the market opened."""
        return time.monotonic() - self.began_s if self.began_s else 0.0

    async def run(self) -> None:
        """Play the whole show; what is found wrong goes into the result."""
        try:
            async with self.watched():
                await self.opening()
                seconds, end_s = self.view.seconds, self.began_s + self.view.seconds
                await self.trading(end_s - seconds / 2, 1)
                await self.crash()
                least_s = time.monotonic() + AFTER_CRASH_SHARE * seconds
                await self.trading(max(end_s, least_s), 4)
                while not self.liquidated and time.monotonic() < end_s + LIQUIDATION_S_MAX:
                    await self.trading(time.monotonic() + 1, 4)
                await self.settled()
            await self.ending()
        except (DemoFailed, ReplayRefused, AuditFailed) as error:
            self.result.findings.append(str(error))
        except NodeGone as error:
            self.result.findings.append(f"the node went away: {error}")
        finally:
            await self.node.end()

    # --- clients ---------------------------------------------------------------------------------
    async def connect(self) -> None:
        """Connect to the node that runs."""
        self.client = await AsyncClient.connected(home_endpoint(self.home.path))
        self.view.alive = True

    def send(self, sent: Sent) -> None:
        """Let a bundle go its way."""
        self.tasks[sent.number] = asyncio.ensure_future(self.sending(sent))

    async def sending(self, sent: Sent) -> None:
        """Send a bundle and note what became of it; without a reply it stays under way."""
        try:
            while True:
                self.ledger.sending(sent)
                try:
                    done = await self.client.submit([sent.item])
                    break
                except RequestRefused:
                    await asyncio.sleep(ROUND_S)  # the queue is full
            self.ledger.told(sent, done.height, done.codes, done.events)
        except NodeGone:
            pass  # the crash looks after what is still under way
        finally:
            self.tasks.pop(sent.number, None)

    async def quiet(self) -> None:
        """Wait until nothing is under way. Raises DemoFailed."""
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=PATIENCE_S)
        if self.tasks or (self.ledger.under_way and self.view.alive):
            raise DemoFailed(f"{len(self.ledger.under_way)} bundles were never answered")

    # --- watching --------------------------------------------------------------------------------
    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Keep the view up to date meanwhile."""
        watching = asyncio.ensure_future(self.watch())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def watch(self) -> None:
        """Ask the node for what the screen shows."""
        while True:
            await asyncio.sleep(POLL_S)
            self.figures()
            if self.view.alive:
                with contextlib.suppress(NodeGone):
                    await self.look()

    def figures(self) -> None:
        """Take over what the ledger knows."""
        view, ledger = self.view, self.ledger
        view.elapsed_s = self.elapsed_s()
        view.rates.append(ledger.commands_per_s())
        view.commands, view.fills = ledger.commands, ledger.fills
        view.under_way = len(ledger.under_way)
        view.p50_ms, view.p99_ms = (ledger.latency_ms(p, LATEST) for p in (50, 99))
        view.rejects = ledger.rejects_listed()

    async def look(self) -> None:
        """Ask for status, book and trades. Raises NodeGone."""
        view, number = self.view, self.view.shown.number
        status = await self.client.ask("status")
        self.seen(status["height"], status["state_root"])
        view.height, view.root = status["height"], status["state_root"]
        view.orders_open = status["orders_open"]
        depth = await self.client.ask("depth", market=number, levels=30)
        view.bids, view.asks = depth["bids"], depth["asks"]
        view.trades = (await self.client.ask("trades", market=number, count=TRADES_SHOWN))["trades"]
        if view.trades:
            view.last_ticks = view.trades[0]["price"]
        if not self.liquidated and await liquidation_seen(self.client):
            self.liquidated = True
            self.tell(liquidation_words(self.market))

    def seen(self, height: int, root: str) -> None:
        """Remember the root that the node named for a height."""
        if self.roots_seen.setdefault(height, root) != root:
            self.result.findings.append(f"the node named two roots for height {height}")

    # --- the acts --------------------------------------------------------------------------------
    async def opening(self) -> None:
        """Start the node and bring every account and key into being."""
        started_s = time.monotonic()
        said = await self.node.start()
        await self.connect()
        self.signer = Signer(await self.client.chain())
        self.tell(
            f"a node runs as process {self.process_id()}, up in "
            f"{time.monotonic() - started_s:.1f} s, root {said['state_root'][:16]}"
        )
        for sentence, drafts in self.market.openings():
            for draft in drafts:
                for sent in self.signer.signed(draft):
                    self.send(sent)
            await self.quiet()
            self.tell(sentence)
        if self.ledger.rejects:
            names = ", ".join(code.name for code in self.ledger.rejects)
            raise DemoFailed(f"the opening was refused: {names}")
        self.began_s = time.monotonic()
        self.tell("makers quote, takers trade, some make mistakes on purpose")

    def process_id(self) -> int:
        """Give the node's process id."""
        assert self.node.process is not None
        return self.node.process.pid

    async def trading(self, until_s: float, phase: int) -> None:
        """Send round after round until the time has come. Raises DemoFailed."""
        self.view.phase = phase
        assert self.node.process is not None
        started_s = next_s = time.monotonic()
        while time.monotonic() < until_s:
            for draft in self.market.round():
                for sent in self.signer.signed(draft):
                    self.send(sent)
                await asyncio.sleep(0)
            next_s = max(next_s + ROUND_S, time.monotonic() - ROUND_S)
            while len(self.tasks) > UNDER_WAY_MAX or time.monotonic() < next_s:
                await asyncio.sleep(min(ROUND_S, max(0.001, next_s - time.monotonic())))
            if self.node.process.returncode is not None:
                raise DemoFailed(f"the node ended by itself: {self.node.last_words()}")
        self.up_s += time.monotonic() - started_s

    def send_round(self) -> None:
        """Send a round all at once."""
        for draft in self.market.round():
            for sent in self.signer.signed(draft):
                self.send(sent)

    async def crash(self) -> None:
        """kill -9 with bundles under way; start again; compare; send again what was under way."""
        view, ledger, crash = self.view, self.ledger, self.result.crash
        self.send_round()  # some of it is executing when the node dies
        status = await self.client.ask("status")
        self.send_round()  # and some has only just come
        await asyncio.sleep(0)
        killed_s = time.monotonic()
        view.phase, view.alive = 2, False
        await self.node.kill()
        await self.client.close()
        await self.quiet()
        crash.seen_height, crash.root_before = status["height"], status["state_root"]
        self.seen(crash.seen_height, crash.root_before)
        crash.acknowledged_height, crash.in_flight = ledger.height, len(ledger.under_way)
        crash.acknowledged_bundles = len(ledger.acknowledged)
        self.tell(
            f"kill -9: height {ledger.height:,} acknowledged, {crash.in_flight} bundles under way, "
            f"root {crash.root_before[:16]}"
        )
        view.phase = 3
        said = await self.node.start()
        crash.recovered_height, crash.recovery_s = said["height"], said["recovery_s"]
        crash.down_s = time.monotonic() - killed_s
        self.tell(
            f"started again: height {said['height']:,}, {said['commands_replayed']:,} commands "
            f"replayed in {crash.recovery_s:.2f} s"
        )
        if crash.recovered_height < crash.acknowledged_height:
            height = crash.recovered_height
            raise DemoFailed(f"height {ledger.height} was acknowledged, {height} recovered")
        self.seen(said["height"], said["state_root"])
        await self.compare(said["height"])
        await self.connect()
        await self.again()

    async def compare(self, height: int) -> None:
        """Hold the log up to a height, executed anew, against what the clients were told."""
        crash, view = self.result.crash, self.view
        audit = await self.audit(height)
        crash.root_after = audit.roots.get(crash.seen_height, "")
        same = crash.root_after == crash.root_before
        self.result.findings += disagreements(audit, self.ledger, self.roots_seen)
        view.recovered = "same root" if same else "OTHER ROOT"
        self.tell(
            f"{'the same' if same else 'ANOTHER'} root at height {crash.seen_height:,}; of "
            f"{crash.acknowledged_bundles:,} acknowledged bundles "
            f"{len(lost(audit, self.ledger))} lost, {len(doubled(audit))} executed twice"
        )

    async def again(self) -> None:
        """Send again, byte for byte, what was under way."""
        ledger, crash = self.ledger, self.result.crash
        waiting = list(ledger.under_way.values())
        for sent in waiting:
            sent.again = True
            self.send(sent)
            await asyncio.sleep(0)
        await self.quiet()
        crash.executed_before = len(ledger.executed_before)
        self.tell(
            f"the {len(waiting)} unanswered go out again: {crash.executed_before} had executed, "
            "none executes twice"
        )

    async def settled(self) -> None:
        """Let everything come to rest, add up the money, take the proof, stop the node."""
        await self.quiet()
        self.view.phase = 5
        await self.look()
        self.figures()
        await self.conservation()
        name = self.market.takers[0]
        answer = await self.client.ask("proof", address=address(name).hex())
        (self.home.path / PROOF_NAME).write_text(answer["proof"], encoding="ascii")
        self.result.proof.account = f"0x{address(name).hex()}"
        self.view.alive = False
        await self.client.close()
        await self.node.stop()
        self.tell("the node was told to stop, and stopped")

    async def conservation(self) -> None:
        """Add up all cash and all positions as the node shows them."""
        money, result = await counted_money(self.client, self.market), self.result
        result.accounts = money.accounts
        result.conservation_delta_e6, result.lots_delta = money.delta_e6, money.lots_delta
        if money.delta_e6 or money.lots_delta:
            result.findings.append("money or lots were made or lost")

    async def ending(self) -> None:
        """Execute the whole log once more, compare, and check the proof."""
        result, ledger, view = self.result, self.ledger, self.view
        self.tell("the whole log is executed once more from genesis, beside the node")
        started_s = time.monotonic()
        audit = await self.audit(INT64_MAX)
        result.audit_s = time.monotonic() - started_s
        result.findings += disagreements(audit, ledger, self.roots_seen)
        if audit.root != view.root:
            result.findings.append(f"the log leads to {audit.root[:16]}, not {view.root[:16]}")
        result.blocks, result.state_root, result.fills = audit.height, audit.root, audit.fills
        result.bundles, result.commands = sum(audit.executed.values()), audit.commands
        result.commands_per_s = ledger.commands / self.up_s
        result.rejects = {code.name: count for code, count in ledger.rejects_listed()}
        result.latency_p50_ms = ledger.latency_ms(50)
        result.latency_p99_ms = ledger.latency_ms(99)
        result.lost, result.doubled = len(lost(audit, ledger)), len(doubled(audit))
        result.log_bytes = audit.log_bytes
        result.cleared = cleared(audit)
        await self.prove(audit.height)
        result.findings += await receipt_judged(
            result.receipt, audit, [self.home], self.home.path / RECEIPT_NAME, [self.signed_by]
        )

    async def audit(self, height_last: int) -> Audit:
        """Execute the log again, on a thread of its own. Raises as `audited`."""
        home = self.home

        def work() -> Audit:
            executor = executor_of(home, genesis_image(home.genesis))
            return audited(
                executor, home.identity, follow_segments(home.path, home.identity), height_last
            )

        return await asyncio.to_thread(work)

    async def prove(self, height: int) -> None:
        """Have the stand-alone verifier check the proof, and two forgeries of it."""
        result, path = self.result, self.home.path / PROOF_NAME
        genesis_hash = self.home.genesis_hash
        result.findings += await judged(result.proof, path, genesis_hash, [self.signed_by])
        proved = json.loads(path.read_text(encoding="ascii"))["checkpoint"]["height"]
        if proved != height:
            result.proof.verified = False
            result.findings.append(f"the proof is of height {proved}, not {height}")

    # --- before the audience ---------------------------------------------------------------------
    def picture(self, width: int, height: int) -> RenderableType:
        """Draw the live view."""
        return picture(self.view, width, height)

    def plain_lines(self) -> list[str]:
        """Write the figures where there is no screen."""
        return [plain_line(self.view)] if self.view.phase else []

    def ended(self) -> RenderableType | None:
        """Draw the end of the show, if it came far enough to have one."""
        return summary(self.result) if self.result.blocks else None
