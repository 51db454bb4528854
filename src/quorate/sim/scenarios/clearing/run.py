"""Run a scenario: open the accounts, let the price path pass, judge what came of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from quorate.sim.receipts import Receipts
from quorate.sim.scenarios.clearing.actors import Makers, Script, Takers, Voters
from quorate.sim.scenarios.clearing.description import Scenario
from quorate.sim.scenarios.clearing.driver import Driver
from quorate.sim.scenarios.clearing.judge import Finding, judged
from quorate.sim.scenarios.clearing.opening import deposits, fund, insure, orders
from quorate.sim.scenarios.clearing.population import (
    BEGIN_MS,
    genesis_of,
    population_drawn,
)
from quorate.sim.scenarios.clearing.prices import path_read
from quorate.sim.scenarios.clearing.record import Record
from quorate.types.codes import EventKind, Reject

OPENING_MS: Final = 1_000  # between two blocks of the opening
SENTENCES_MAX: Final = 20
Progress = Callable[[int, int], None]


class Actor(Protocol):
    """Somebody who may send bundles into each block."""

    def act(self, driver: Driver, now_ms: int) -> None:
        """Queue what is to be in the next block."""


@dataclass(slots=True)
class Outcome:
    """What a run gave. figures: by name; faults: sentences of the receipts' checker."""

    scenario: Scenario
    figures: dict[str, int]
    findings: list[Finding]
    faults: list[str]
    rejects: dict[str, int]
    refused: dict[str, int]
    root: str
    record: Record
    opened: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every line of the table holds."""
        return not self.failed


class Run:
    """One scenario on one machine."""

    def __init__(self, scenario: Scenario, data: Path, spec: bool = False) -> None:
        self.scenario = scenario
        self.paths = [path_read(feed.path, data) for feed in scenario.feeds]
        self.marks = [self.paths[market.feed].at(0) for market in scenario.markets]
        self.driver = Driver(genesis_of(scenario, self.paths), spec)
        self.traders = population_drawn(scenario, self.marks)
        by_market = [self.paths[market.feed] for market in scenario.markets]
        self.voters = Voters(scenario, self.paths)
        self.books = [
            Makers(scenario, k, by_market[maker.market - 1])
            for k, maker in enumerate(scenario.makers)
        ]
        self.takers = [
            Takers(scenario, k, by_market[flow.market - 1])
            for k, flow in enumerate(scenario.flows)
        ]
        self.script = Script(scenario, self.paths)
        self.receipts = Receipts()
        self.deposited_e6 = 0
        self.refused: Counter[str] = Counter()  # commands of the opening

    # --- blocks ------------------------------------------------------------------------------
    def block(self, time_ms: int) -> Any:
        """Make a block and have its receipts checked."""
        driver = self.driver
        events = driver.block(time_ms)
        self.receipts.check(driver.before.image, driver.look.image, events, time_ms)
        return events

    def open(self) -> int:
        """Fund everybody and bring the population to its positions; give the time of the end."""
        driver, time_ms = self.driver, BEGIN_MS
        credited = deposits(self.scenario, self.traders, self.books, self.takers, self.script)
        self.deposited_e6 = fund(driver, credited)
        time_ms = self.opening_block(time_ms)
        slots = driver.look.slots()
        for book in self.books:
            book.slots = [slots[address] for address in book.addresses]
        insure(driver, self.scenario, self.traders)
        time_ms = self.opening_block(time_ms)
        for each in orders(self.scenario, self.traders, self.books, self.marks):
            for address, order in each:
                driver.send(address, order)
            time_ms = self.opening_block(time_ms)
        return time_ms

    def opening_block(self, time_ms: int) -> int:
        """Make one block of the opening, with votes; give its time."""
        self.voters.act(self.driver, -1)
        events = self.block(time_ms + OPENING_MS)
        codes = events["code"][events["kind"] == EventKind.RECEIPT]
        self.refused.update(Reject(code).name.lower() for code in codes.tolist() if code)
        return time_ms + OPENING_MS

    def go(self, progress: Progress = lambda done, total: None) -> Outcome:
        """Run the whole scenario."""
        scenario, driver = self.scenario, self.driver
        begin_ms = self.open() + scenario.settle_ms
        vault = int(driver.look.ledger["vault"])
        record = Record([market.quantum_e6 for market in scenario.markets], vault)
        opened = sum(map(int, driver.look.markets["open_interest_lots"]))
        for now_ms in range(-scenario.settle_ms + 1, scenario.run_ms, scenario.block_ms):
            if any(halt.from_ms <= now_ms < halt.until_ms for halt in scenario.halts):
                continue
            actors: list[Actor] = [self.voters, *self.books, *self.takers, self.script]
            for actor in actors:
                actor.act(driver, now_ms)
            events = self.block(begin_ms + now_ms)
            truth = [self.paths[market.feed].at(now_ms) for market in scenario.markets]
            record.see(driver.look, events, now_ms, truth)
            progress(now_ms + scenario.settle_ms, scenario.run_ms + scenario.settle_ms)
        return self.outcome(record, opened)

    def outcome(self, record: Record, opened: int) -> Outcome:
        """Sum the run up."""
        record.votes_refused = self.voters.refused
        figures = record.figures(self.driver.look)
        figures["accounts"] = self.scenario.accounts
        figures["opened_lots"] = opened
        figures["refused_at_opening"] = sum(self.refused.values())
        figures.update(self.receipts.figures())
        findings = judged(self.scenario, figures)
        return Outcome(
            self.scenario,
            figures,
            findings,
            self.receipts.faults[:SENTENCES_MAX],
            dict(sorted(record.rejects.items())),
            dict(sorted(self.refused.items())),
            self.driver.root(),
            record,
            opened,
            [each.figure for each in findings if not each.holds],
        )


def tree_of(outcome: Outcome) -> dict[str, Any]:
    """An outcome for a program."""
    figures = outcome.figures
    shown = [name for name in figures if figures[name] or not name.startswith("rejected_")]
    return {
        "name": outcome.scenario.name,
        "says": outcome.scenario.says,
        "passed": outcome.passed,
        "failed": outcome.failed,
        "conservation_delta": figures["conservation_delta"],
        "bad_debt": figures["bad_debt_e6"],
        "adl_notional": figures["adl_notional_e6"],
        "adl_least": figures["adl_least_e6"],
        "adl_minimal": bool(figures["adl_minimal"]),
        "insurance_fund": {
            "start": figures["insurance_start_e6"],
            "min": figures["insurance_min_e6"],
            "end": figures["insurance_end_e6"],
        },
        "time_in_auction_ms": {
            market.name: outcome.record.auction_ms[k]
            for k, market in enumerate(outcome.scenario.markets)
        },
        "receipts_checked": figures["receipts_checked"],
        "receipts_wrong": figures["receipts_wrong"],
        "faults": outcome.faults,
        "root": outcome.root,
        "figures": {name: figures[name] for name in shown},
        "rejects": outcome.rejects,
        "rejects_of_opening": outcome.refused,
        "expected": [
            {
                "figure": each.figure,
                "bounds": each.words,
                "least": each.least,
                "most": each.most,
                "found": each.found,
                "holds": each.holds,
                "why": each.why,
            }
            for each in outcome.findings
        ],
    }

