"""The show of `quorate demo`: a seeded market on four validators, two of which are killed.

Each validator is a process of its own, `quorate run HOME`; this process is all of their clients.
The story: make the homes, open the market, trade over all validators, kill -9 one of them, start it
again and see it catch up under load, the same with the leader of the moment; then compare every
root of every validator, count the money, and have an account's proof, under a certificate of the
quorum, checked by the stand-alone verifier.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from rich.console import RenderableType

from quorate.cli.demo_cluster_audit import whole_audit
from quorate.cli.demo_parts import (
    LIQUIDATION_S_MAX,
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
from quorate.cli.demo_traffic import Traffic
from quorate.replica.errors import AuditFailed, ReplayRefused
from quorate.runtime.development import BTC_PERP
from quorate.runtime.errors import NodeGone, QuestionFailed
from quorate.runtime.home import Home
from quorate.runtime.testnet import Testnet
from quorate.runtime.testnet_watch import Watch
from quorate.runtime.validator_process import ValidatorFailed
from quorate.runtime.validators import validator_set
from quorate.sim.demo.audit import doubled, lost
from quorate.sim.demo.cluster_summary import ClusterResult, Kill, Row, summary
from quorate.sim.demo.ledger import Ledger, Signer
from quorate.sim.demo.market import address, market_of
from quorate.sim.demo.screen import Shown, View, clock

SHOWN: Final = Shown(BTC_PERP, "BTC-PERP", 10, 10_000)
PHASES: Final = ("open", "trade", "kill -9", "catch up", "kill the leader", "catch up", "prove")
ROUND_S: Final = 0.1
UNDER_WAY_MAX: Final = 600  # bundles; beyond it the traders wait
POLL_S: Final = 0.25
WATCH_S: Final = 0.01
PAUSE_SHARE: Final = 0.1  # of the market's time, a killed validator stays away
PAUSE_S_MIN: Final = 2.0
CATCHUP_S_MAX: Final = 60.0
BEHIND_MAX: Final = 2  # blocks: as far as a validator may be by the time it answers
LEVELS_SHOWN, TRADES_SHOWN = 30, 40
LATEST: Final = 4_000  # latencies that the screen looks back on


class ClusterDemo:
    """The show. `view` and `watch` are what the screen draws from; `result` what the end says."""

    def __init__(
        self, folder: Path, homes: list[Home], seed: int, seconds: float, live: bool
    ) -> None:
        self.folder = folder
        self.homes = homes
        self.live = live
        self.net = Testnet(folder, homes)
        self.watch = Watch(self.net)
        self.ledger = Ledger()
        self.traffic = Traffic(self.watch, self.ledger)
        self.signer: Signer
        self.view = View(SHOWN, seed, seconds, phases=PHASES)
        self.view.alive = True
        self.result = ClusterResult(seed=seed, seconds=seconds, home=str(folder))
        self.roots_seen: dict[int, str] = {}
        self.finality_ms: list[int] = []
        self.load: asyncio.Task[None] | None = None
        self.began_s = 0.0  # when the market opened
        self.traded_s = 0.0
        self.market = market_of(homes[0].genesis, seed)
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
        failures = (DemoFailed, ValidatorFailed, ReplayRefused, AuditFailed)
        try:
            with self.net:
                await self.played()
                await self.watch.close()
                await asyncio.to_thread(self.net.stop)
            self.tell("the validators were told to stop, and stopped")
            await self.ending()
        except failures as error:
            self.result.findings.append(str(error))
        except NodeGone as error:
            self.result.findings.append(f"a validator went away: {error}")
        except QuestionFailed as error:
            self.result.findings.append(f"a validator has no answer: {error}")

    async def played(self) -> None:
        """Play all that needs running validators."""
        seconds = self.view.seconds
        async with self.watched():
            try:
                await self.opening()
                self.load = asyncio.ensure_future(self.trading())
                await self.until(0.2 * seconds)
                await self.crash(leader=False)
                await self.until(0.55 * seconds)
                await self.crash(leader=True)
                await self.until(seconds)
                while not self.liquidated and self.elapsed_s() < seconds + LIQUIDATION_S_MAX:
                    await self.until(0)
                await self.settled()
            finally:
                await self.close()

    async def close(self) -> None:
        """Let the traders go home."""
        if self.load is not None:
            self.load.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([self.load])
        await self.traffic.close()

    # --- watching --------------------------------------------------------------------------------
    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Keep the view up to date meanwhile."""
        watching = asyncio.ensure_future(self.look_on())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def look_on(self) -> None:
        """Ask the validators for what the screen shows."""
        while True:
            await asyncio.sleep(POLL_S)
            self.figures()
            with contextlib.suppress(NodeGone, QuestionFailed):
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
        """Ask all for their standing, and one for book and trades. Raises NodeGone."""
        view, number = self.view, self.view.shown.number
        await self.watch.look()
        for it in self.watch.standings:
            if it.running:
                self.seen(it.height, it.root)
        running = [it for it in self.watch.standings if it.index in self.watch.clients]
        if not running:
            return
        best = max(running, key=lambda it: it.height)
        view.height, view.root = best.height, best.root
        client = self.watch.clients[best.index]
        if not self.liquidated and await liquidation_seen(client):
            self.liquidated = True
            self.tell(liquidation_words(self.market))
        if not self.live:
            return
        view.orders_open = (await client.ask("status"))["orders_open"]
        depth = await client.ask("depth", market=number, levels=LEVELS_SHOWN)
        view.bids, view.asks = depth["bids"], depth["asks"]
        view.trades = (await client.ask("trades", market=number, count=TRADES_SHOWN))["trades"]
        view.last_ticks = view.trades[0]["price"] if view.trades else 0

    def seen(self, height: int, root: str) -> None:
        """Remember the root that a validator named for a height; all must name the same."""
        if root and self.roots_seen.setdefault(height, root) != root:
            self.result.findings.append(f"validators named two roots for height {height}")

    # --- the acts --------------------------------------------------------------------------------
    async def opening(self) -> None:
        """Start the validators and bring every account and key into being."""
        started_s = time.monotonic()
        await self.watch.start()
        # They find one another, and agree on a first block.
        await self.watch.agreed(1)
        self.signer = Signer(await self.watch.clients[0].chain())
        count = len(self.homes)
        self.tell(
            f"{count} validators run as processes of their own, up and agreed in "
            f"{time.monotonic() - started_s:.1f} s"
        )
        for sentence, drafts in self.market.openings():
            self.traffic.send(self.signer, drafts)
            await self.traffic.quiet()
            self.tell(sentence)
        if self.ledger.rejects:
            names = ", ".join(code.name for code in self.ledger.rejects)
            raise DemoFailed(f"the opening was refused: {names}")
        self.began_s = time.monotonic()
        self.tell(f"makers quote, takers trade, each at one of {count} validators")

    async def trading(self) -> None:
        """Send round after round until cancelled."""
        self.view.phase = 1
        next_s = time.monotonic()
        while True:
            for draft in self.market.round():
                self.traffic.send(self.signer, [draft])
                await asyncio.sleep(0)
            next_s = max(next_s + ROUND_S, time.monotonic() - ROUND_S)
            while len(self.traffic.tasks) > UNDER_WAY_MAX or time.monotonic() < next_s:
                await asyncio.sleep(min(ROUND_S, max(0.001, next_s - time.monotonic())))

    async def until(self, at_s: float) -> None:
        """Let the market run up to a time, for some moments at the least. Raises DemoFailed."""
        assert self.load is not None
        await asyncio.wait([self.load], timeout=max(PAUSE_S_MIN / 2, at_s - self.elapsed_s()))
        if self.load.done():
            await self.load
        for it in self.watch.standings:
            if it.state == "ended":
                words = self.net.validators[it.index].last_words()
                raise DemoFailed(f"validator {it.index} ended by itself: {words}")

    async def crash(self, leader: bool) -> None:
        """kill -9 a validator under load, let the others go on, and start it again."""
        count, before = len(self.homes), [kill.validator for kill in self.result.kills]
        while True:
            await self.watch.look()
            lead = max(self.watch.standings, key=lambda it: it.view)
            if not leader or lead.leader not in before:
                break  # each turn of leadership is short: another validator's comes soon
            await asyncio.sleep(WATCH_S)
        # Not the leader: the one that leads last of all after it.
        victim = lead.leader if leader else (lead.leader + count - 1) % count
        self.finality_ms += await self.watch.finality_ms(victim)
        height, view = self.watch.height_most(), lead.view
        kill = Kill(victim, leader, view, height, self.traffic.waiting_at(victim))
        self.view.phase += 1
        await self.watch.kill(victim)
        who = f"validator {victim}" + (f", the leader of view {view:,}" if leader else "")
        self.tell(f"kill -9 {who}: height {height:,}, {kill.in_flight} bundles with it")
        pause_s = max(PAUSE_S_MIN, PAUSE_SHARE * self.view.seconds)
        kill.pause_ms = 1000 * await self.longest_pause_s(pause_s)
        reached = self.watch.height_most()
        if reached <= height:
            raise DemoFailed(f"no block came after validator {victim} was killed")
        self.tell(
            f"the other {count - 1} went on: {reached - height:,} blocks, never more than "
            f"{kill.pause_ms:,.0f} ms without one"
        )
        self.view.phase += 1
        await self.restart(kill)
        self.result.kills.append(kill)

    async def longest_pause_s(self, for_s: float) -> float:
        """Watch the greatest height for a while; give the longest time that it stood still."""
        began_s = last_s = time.monotonic()
        longest_s, height = 0.0, self.watch.height_most()
        while (now_s := time.monotonic()) < began_s + for_s:
            await self.watch.look()
            if self.watch.height_most() > height:
                height, longest_s = self.watch.height_most(), max(longest_s, now_s - last_s)
                last_s = now_s
            await asyncio.sleep(WATCH_S)
        return max(longest_s, time.monotonic() - last_s)

    async def restart(self, kill: Kill) -> None:
        """Start a killed validator and see it catch up while the market goes on."""
        watch, victim = self.watch, kill.validator
        standing = watch.standings[victim]
        started_s = time.monotonic()
        self.traffic.away[victim] = None
        await watch.start(victim)
        kill.serving_s = time.monotonic() - started_s
        said = self.net.validators[victim].said
        kill.recovered_height = standing.height = said["height"]
        kill.blocks_missed = watch.height_most() - said["height"]
        if kill.recovered_height < kill.height - BEHIND_MAX:
            sentence = f"validator {victim} lost blocks: {said['height']} after {kill.height}"
            raise DemoFailed(sentence)
        while standing.height < watch.height_most() - BEHIND_MAX or standing.peers == 0:
            if time.monotonic() > started_s + CATCHUP_S_MAX:
                raise DemoFailed(f"validator {victim} did not catch up in {CATCHUP_S_MAX:.0f} s")
            await asyncio.sleep(WATCH_S)
            await watch.look()
        kill.catchup_s = time.monotonic() - started_s
        del self.traffic.away[victim]
        self.tell(
            f"validator {victim} is back at height {kill.recovered_height:,} after "
            f"{kill.serving_s:.1f} s, and with the others at {standing.height:,} after "
            f"{kill.catchup_s:.1f} s, the market going on"
        )

    async def settled(self) -> None:
        """Let everything come to rest, compare, add up the money, take the proof."""
        assert self.load is not None
        self.load.cancel()
        self.traded_s = self.elapsed_s()
        await self.traffic.quiet()
        self.view.phase = len(PHASES) - 1
        watch, result = self.watch, self.result
        await watch.look()
        height = watch.height_most()
        await watch.agreed(height)
        roots = [await watch.clients[at].ask("root", height=height) for at in watch.clients]
        for root in roots:
            self.seen(height, root["state_root"])
        self.tell(
            f"all {len(roots)} validators name the root {roots[0]['state_root'][:16]} at "
            f"height {height:,}"
        )
        money = await counted_money(watch.clients[0], self.market)
        result.accounts = money.accounts
        result.conservation_delta_e6, result.lots_delta = money.delta_e6, money.lots_delta
        if money.delta_e6 or money.lots_delta:
            result.findings.append("money or lots were made or lost")
        name = self.market.takers[0]
        answer = await watch.clients[1].ask("proof", address=address(name).hex())
        (self.folder / PROOF_NAME).write_text(answer["proof"], encoding="ascii")
        result.proof.account = f"0x{address(name).hex()}"
        for at in watch.clients:
            self.finality_ms += await watch.finality_ms(at)
        await watch.look()
        self.figures()
        result.rows = [
            Row(it.index, it.height, it.root[:16], it.blocks_led, it.finality_p50_ms,
                it.finality_p99_ms)
            for it in watch.standings
        ]  # fmt: skip

    async def ending(self) -> None:
        """Read all logs, execute again, and check the proof."""
        result, ledger = self.result, self.ledger
        self.tell("all logs are compared, and executed anew from genesis under the solo engine")
        started_s = time.monotonic()
        replayed = result.kills[-1].validator
        found = await asyncio.to_thread(
            whole_audit, self.homes, ledger, self.roots_seen, replayed
        )
        result.audit_s = time.monotonic() - started_s
        audit = found.audit
        result.findings += found.sentences
        result.blocks, result.fills, result.commands = audit.height, audit.fills, audit.commands
        result.bundles = sum(audit.executed.values())
        result.commands_per_s = audit.commands / self.traded_s
        result.rejects = {code.name: count for code, count in ledger.rejects_listed()}
        ordered = sorted(self.finality_ms)
        result.finality_blocks = len(ordered)
        if ordered:
            result.finality_p50_ms = ordered[len(ordered) // 2]
            result.finality_p99_ms = ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)]
        result.latency_p50_ms, result.latency_p99_ms = (ledger.latency_ms(p) for p in (50, 99))
        result.view_changes = found.view_changes
        result.heights_compared = found.roots.compared
        result.roots_different = len(found.roots.different)
        result.certificates = found.chain.certified
        result.acknowledged, result.resent = len(ledger.acknowledged), self.traffic.resent
        result.executed_before = len(ledger.executed_before)
        result.lost, result.doubled = len(lost(audit, ledger)), len(doubled(audit))
        first = self.homes[0]
        assert first.consensus is not None
        keys, path = validator_set(first.consensus).keys, self.folder / PROOF_NAME
        result.findings += await judged(result.proof, path, first.genesis_hash, keys)
        result.cleared, path = cleared(audit), self.folder / RECEIPT_NAME
        result.findings += await receipt_judged(result.receipt, audit, self.homes, path, keys)

    # --- before the audience ---------------------------------------------------------------------
    def picture(self, width: int, height: int) -> RenderableType:
        """Draw the live view."""
        from quorate.cli.demo_cluster_screen import picture

        return picture(self.view, self.watch.standings, width, height)

    def plain_lines(self) -> list[str]:
        """Write the figures where there is no screen."""
        from quorate.cli.demo_cluster_screen import plain_lines

        ended = not self.view.phase or not self.watch.clients
        return [] if ended else plain_lines(self.view, self.watch.standings)

    def ended(self) -> RenderableType | None:
        """Draw the end of the show, if it came far enough to have one."""
        return summary(self.result) if self.result.blocks else None
