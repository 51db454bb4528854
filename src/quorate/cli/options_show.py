"""The story of `quorate options demo`: three options on four validators, from listing to payment.

Each validator is a process of its own; this process is all of their clients. Governance lists
products and series, voters say index and smile, makers quote, takers trade, the index is sampled,
the series expire, everybody is paid. Then the logs of all validators are compared, one is executed
anew, and the payment of one position is proved to the stand-alone verifier.
"""

import asyncio
import contextlib
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from quorate.cli import options_desk as desk
from quorate.cli.demo_cluster_audit import whole_audit
from quorate.cli.demo_parts import DemoFailed, event_judged
from quorate.cli.demo_traffic import Traffic
from quorate.cli.options_audit import Settlement, disagreements, settlement_of
from quorate.replica.errors import AuditFailed, ReplayRefused
from quorate.runtime.errors import NodeGone, QuestionFailed, RequestRefused
from quorate.runtime.frames import Done
from quorate.runtime.home import Home
from quorate.runtime.testnet import Testnet
from quorate.runtime.testnet_watch import Watch
from quorate.runtime.validator_process import ValidatorFailed
from quorate.runtime.validators import validator_set
from quorate.sim.demo.ledger import Ledger, Signer
from quorate.sim.demo.market import Draft, address
from quorate.sim.demo.summary import Proof
from quorate.types.codes import EventKind, Reject, Side
from quorate.types.payoff_codes import Refusal

PROOF_NAME: Final = "settlement.proof"
VOTE_S: Final = 0.2
UNDER_WAY_MAX: Final = 40  # votes; beyond it the voters wait
POLL_S: Final = 0.25
READY_S_MAX: Final = 60.0
SETTLED_S_MAX: Final = 90.0  # behind the expiry
MS: Final = 1000


@dataclass
class Result:
    """What the end says. findings: what was found wrong, in sentences."""

    seconds: float
    home: str
    ok: bool = False
    height: int = 0
    root: str = ""
    validators: int = 0
    heights_compared: int = 0
    roots_different: int = 0
    conservation_delta_e6: int | None = None
    lots_left: int | None = None
    refusal: str = ""
    series: list[dict[str, Any]] = field(default_factory=list)
    calendar: list[dict[str, Any]] = field(default_factory=list)
    theta: dict[str, Any] = field(default_factory=dict)
    fixings: list[dict[str, int]] = field(default_factory=list)
    payments: list[dict[str, int]] = field(default_factory=list)
    receipt: Proof = field(default_factory=Proof)
    findings: list[str] = field(default_factory=list)

    def tree(self) -> dict[str, Any]:
        """Give all of it for machines."""
        return asdict(self)


class OptionsShow:
    """The show; `result` is what the end says."""

    def __init__(self, folder: Path, homes: list[Home], seconds: float) -> None:
        self.folder, self.homes = folder, homes
        self.net = Testnet(folder, homes)
        self.watch = Watch(self.net)
        self.ledger = Ledger()
        self.traffic = Traffic(self.watch, self.ledger)
        self.signer: Signer
        self.result = Result(seconds, str(folder), validators=len(homes))
        self.began_s = time.monotonic()
        self.listed_ms = self.expiry_ms = 0
        self.expiry: int | None = None  # its row, once there is one
        self.people: dict[int, str] = {}
        self.told: dict[int, dict[str, Any]] = {}

    def tell(self, sentence: str) -> None:
        """Add a sentence to the story."""
        print(f"{time.monotonic() - self.began_s:>5.1f} s  {sentence}", flush=True)

    async def run(self) -> None:
        """Play the whole story; what is found wrong goes into the result."""
        found = self.result.findings
        try:
            with self.net:
                await self.played()
                await self.watch.close()
                await asyncio.to_thread(self.net.stop)
            await self.ending()
        except (DemoFailed, ValidatorFailed, ReplayRefused, AuditFailed) as error:
            found.append(str(error))
        except NodeGone as error:
            found.append(f"a validator went away: {error}")
        except (QuestionFailed, RequestRefused) as error:
            found.append(f"a validator has no answer: {error}")

    async def played(self) -> None:
        """Play all that needs running validators."""
        await self.watch.start()
        await self.watch.agreed(1)
        self.signer = Signer(await self.watch.clients[0].chain())
        self.tell(f"{len(self.homes)} validators run as processes of their own, and agree")
        voting: asyncio.Task[None] | None = None
        try:
            await self.listing()
            voting = asyncio.ensure_future(self.voting())
            await self.trading(voting)
            await self.settling(voting)
        finally:
            if voting is not None:
                voting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([voting])
            await self.traffic.close()
        await self.agreed()

    # --- sending and asking ----------------------------------------------------------------------
    async def sent(self, made: Draft, refused: bool = False) -> Done:
        """Send a bundle and wait for what became of it. Raises DemoFailed if it is refused."""
        (sent,) = self.signer.signed(made)
        self.ledger.sending(sent)
        done = await self.watch.clients[sent.number % len(self.homes)].submit([sent.item])
        self.ledger.told(sent, done.height, done.codes, done.events)
        if done.rejects and not refused:
            raise DemoFailed(f"what {made.signer} sent was refused: {done.rejects[0].name}")
        return done

    async def ask(self, ask: str, **question: Any) -> dict[str, Any]:
        """Ask the first validator. Raises NodeGone, QuestionFailed."""
        return await self.watch.clients[0].ask(ask, **question)

    async def all_series(self) -> dict[int, dict[str, Any]]:
        """Give what is told of each series, by market."""
        return {row["market"]: row for row in (await self.ask("series"))["series"]}

    async def waited(self, what: str, most_s: float, voting: "asyncio.Task[None]") -> None:
        """Let a moment pass while voters vote. Raises DemoFailed at the end of patience."""
        if voting.done():
            await voting
            raise DemoFailed("the voters have gone")
        if time.monotonic() - self.began_s > most_s:
            raise DemoFailed(f"{what} was waited for too long")
        await asyncio.sleep(POLL_S)

    def deadline_s(self, patience_s: float) -> float:
        """Give when patience ends, in seconds since the beginning."""
        return time.monotonic() - self.began_s + patience_s

    # --- the acts --------------------------------------------------------------------------------
    async def listing(self) -> None:
        """Fund everybody; list products, of which one lies, markets and series."""
        await self.sent(desk.funding())
        done = await self.sent(desk.lying(), refused=True)
        (receipt,) = done.receipts
        code, refusal = Reject(int(receipt["code"])), Refusal(int(receipt["price"]))
        self.result.refusal = refusal.name
        self.tell(
            f"a call that lies about its highest payoff: {code.name}, {refusal.name}, at place "
            f"{int(receipt['size'])} of its text, word {int(receipt['remaining'])} of its code"
        )
        if (code, refusal) != (Reject.PAYOFF_REFUSED, Refusal.BOUNDS_BROKEN):
            raise DemoFailed("a product that lies about its bounds was not refused for that")
        await self.sent(desk.products())
        for each in desk.LISTED:
            verdict = each.verdict()
            self.tell(
                f"product {each.product}, {each.name}: {each.text}; the checker found "
                f"{verdict.low:,} to {verdict.high:,} ticks in {len(verdict.intervals)} "
                "instructions, none of which can overflow"
            )
        await self.sent(desk.markets())
        self.listed_ms = time.time_ns() // 10**6
        self.expiry_ms = (self.listed_ms + int(self.result.seconds * MS)) // MS * MS + MS
        await self.sent(desk.series(self.expiry_ms))
        (row,) = (await self.ask("calendar"))["expiries"]
        self.expiry = row["expiry"]
        names = ", ".join(each.market_name for each in desk.LISTED)
        self.tell(f"series {names}: listed, and expire in {self.result.seconds:.0f} s")

    async def voting(self) -> None:
        """Vote on index and smile until cancelled."""
        count, next_s = 0, time.monotonic()
        while True:
            passed_ms = time.time_ns() // 10**6 - self.listed_ms
            share = passed_ms / (self.expiry_ms - self.listed_ms)
            expiry = self.expiry if share < 1 else None
            if len(self.traffic.tasks) < UNDER_WAY_MAX:
                self.traffic.send(self.signer, desk.votes(count, share, expiry))
            count += 1
            next_s = max(next_s + VOTE_S, time.monotonic())
            await asyncio.sleep(max(next_s - time.monotonic(), VOTE_S / 4))

    async def trading(self, voting: "asyncio.Task[None]") -> None:
        """Wait for marks, quote, trade."""
        most_s = self.deadline_s(READY_S_MAX)
        while not all(row["mark_ticks"] for row in (await self.all_series()).values()):
            await self.waited("a mark for every series", most_s, voting)
        told = await self.all_series()
        self.tell("four voters said index and smile; marks and greeks from it:")
        for row in told.values():
            shown = row["shown"]
            self.tell(
                f"  {row['name']}: mark {row['mark_ticks']:,} ticks, volatility {shown['vol']}, "
                f"delta {shown['delta']}, gamma {shown['gamma']}, vega {shown['vega']}, "
                f"theta {shown['theta']}"
            )
        marks = {market: row["mark_ticks"] for market, row in told.items()}
        for made in desk.quotes(marks):
            await self.sent(made)
        for trade in desk.TRADES:
            await self.traded(trade)
        await self.looked()

    async def traded(self, trade: desk.Trade) -> None:
        """Let a taker take what rests. Raises DemoFailed if nothing was filled."""
        depth = await self.ask("depth", market=trade.market, levels=desk.QUOTE_LOTS)
        side, far = ("asks", -1) if trade.side == Side.BUY else ("bids", -1)
        done = await self.sent(desk.taking(trade, depth[side][far][0]))
        fills = done.events[done.events["kind"] == EventKind.FILL]
        lots = int(fills["size"].sum())
        name = desk.LISTED[trade.market - desk.FIRST].market_name
        if not lots:
            raise DemoFailed(f"{trade.taker} found nobody to trade {name} with")
        verb = "buys" if trade.side == Side.BUY else "sells"
        prices = ", ".join(f"{price:,}" for price in sorted(set(fills["price"].tolist())))
        self.tell(f"{trade.taker} {verb} {lots:,} lots of {name} at {prices} ticks")

    async def looked(self) -> None:
        """Show the calendar, and one account's."""
        self.result.calendar = (await self.ask("calendar"))["expiries"]
        for row in self.result.calendar:
            self.tell(
                f"calendar: in {row['left_ms'] / MS:.0f} s {len(row['series'])} series on "
                f"{row['feed_name']}, forward {row['forward_ticks']:,}, volatility at the money "
                f"{row['shown']['vol_at_money']}, confidence {row['shown']['confidence']}"
            )
        self.result.theta = await self.ask("calendar", address=address("alice").hex())
        shown = self.result.theta["shown"]
        self.tell(f"alice holds options worth {shown['worth']} USD, theta {shown['theta']}")

    async def settling(self, voting: "asyncio.Task[None]") -> None:
        """Wait until the series are sampled, fixed and settled."""
        left_s = (self.expiry_ms - time.time_ns() // 10**6) / MS
        most_s, half = self.deadline_s(left_s + SETTLED_S_MAX), False
        while True:
            told = await self.all_series()
            if all(row["state_name"] == "SETTLED" for row in told.values()):
                break
            rows = (await self.ask("calendar"))["expiries"]
            fixing = rows[0]["fixing"] if rows else {"samples_count": 0}
            if not half and fixing["samples_count"] * 2 >= fixing.get("samples_wanted", 2):
                half = True
                self.tell(
                    f"fixing: {fixing['samples_count']} of {fixing['samples_wanted']} samples, "
                    f"{fixing['samples_missing']} missing, mean {fixing['mean_ticks']:,}"
                )
            await self.waited("the settlement", most_s, voting)
        self.told = told
        self.result.series = list(told.values())
        self.tell("every series is fixed and settled; orders and positions are gone")

    async def agreed(self) -> None:
        """Count the money, and have all validators name one root. Raises DemoFailed."""
        await self.counted()
        await self.watch.look()
        height = self.watch.height_most()
        await self.watch.agreed(height)
        roots = {it.height: it.root for it in self.watch.standings}
        for it in self.watch.standings:
            if roots[it.height] != it.root:
                self.result.findings.append(f"validators name two roots for height {it.height}")
        best = max(self.watch.standings, key=lambda it: it.height)
        self.result.height, self.result.root = best.height, best.root

    async def counted(self) -> None:
        """Add up all money and all positions."""
        status = await self.ask("status")
        asset = (await self.ask("assets"))["assets"][0]
        money = status["fees_e6"] + (await self.ask("clearing"))["insurance_e6"]
        for listed in (await self.ask("markets"))["markets"]:
            risk = listed.get("risk", {})
            money += risk.get("insurance_e6", 0) + risk.get("funding_pool_e6", 0)
        names = {address(name): name for name in (*desk.MAKERS, *desk.TAKERS)}
        left = 0
        for number in range(1, status["accounts"] + 1):
            account = await self.ask("account", account=number)
            owner = bytes.fromhex(account["address"].removeprefix("0x"))
            self.people[number] = names.get(owner, f"account {number}")
            money += account["cash_e6"]
            money += sum(position["isolated_e6"] for position in account["positions"])
            left += sum(abs(position["size"]) for position in account["positions"])
        self.result.conservation_delta_e6 = money - (asset["deposited"] - asset["withdrawn"])
        self.result.lots_left = left
        if self.result.conservation_delta_e6:
            self.result.findings.append(f"money changed by {self.result.conservation_delta_e6}")
        if left:
            self.result.findings.append(f"{left} lots were not settled")

    # --- the end ---------------------------------------------------------------------------------
    async def ending(self) -> None:
        """Compare all logs, execute them anew, compute the payments, prove one."""
        result, first = self.result, self.homes[0]
        found = await asyncio.to_thread(whole_audit, self.homes, self.ledger, {}, 1)
        result.findings += found.sentences
        result.heights_compared = found.roots.compared
        result.roots_different = len(found.roots.different)
        settled = await asyncio.to_thread(settlement_of, first)
        quantum_e6 = {market: row["quantum_e6"] for market, row in self.told.items()}
        result.findings += disagreements(settled, self.told, quantum_e6)
        result.fixings, result.payments = settled.fixed, settled.paid
        self.paid(settled)
        assert first.consensus is not None
        keys, path = validator_set(first.consensus).keys, self.folder / PROOF_NAME
        result.findings += await event_judged(
            result.receipt, settled.places, "settled", self.homes, path, keys
        )
        self.last_words()

    def paid(self, settled: Settlement) -> None:
        """Say what the log says: the fixing, and what each position was paid."""
        for fix in settled.fixed:
            self.tell(
                f"FIXED at {fix['fix_ticks']:,} ticks: the mean of {fix['samples_count']} samples, "
                f"{fix['missing_count']} missing"
            )
        for each in desk.LISTED:
            rows = settled.of(each.market)
            ticks = rows[0]["settle_ticks"] if rows else 0
            self.tell(f"SETTLED {each.market_name}: {each.text} is {ticks:,} ticks a lot")
            for row in rows:
                who = self.people.get(row["account"], "?")
                self.tell(f"  {who}: {row['lots']:+,} lots, {row['cash_e6'] / 1e6:+,.2f} USD")
            self.tell(f"  sum {sum(row['cash_e6'] for row in rows)}")

    def last_words(self) -> None:
        """Say what was compared and proved."""
        result = self.result
        self.tell(
            f"one root at {result.heights_compared:,} heights on {result.validators} validators, "
            f"{result.roots_different} differ; money: {result.conservation_delta_e6} lost or made"
        )
        for line in result.receipt.words:
            self.tell(f"  {line}")
