"""What a run saw: series for the picture, counts of events, and money added up from scratch."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from quorate.sim.scenarios.clearing.driver import Look
from quorate.types.clearing_codes import LiquidationStep, Phase
from quorate.types.codes import EventKind, Reject
from quorate.types.events import EVENT_READINGS
from quorate.types.records import Table

STEPS: Final = {int(step): f"steps_{step.name.lower()}" for step in LiquidationStep}


@dataclass(slots=True)
class Series:
    """One market over time, a value a block. Times after the path's beginning; money in 1e-6."""

    time_ms: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    mark: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    interest: list[int] = field(default_factory=list)
    phase: list[int] = field(default_factory=list)
    guard: list[int] = field(default_factory=list)
    insurance: list[int] = field(default_factory=list)
    vault_lots: list[int] = field(default_factory=list)
    liquidated: list[int] = field(default_factory=list)
    deleveraged: list[int] = field(default_factory=list)


class Record:
    """Fed with every block of the run proper; `figures` says what came of it."""

    def __init__(self, quanta: list[int], vault: int) -> None:
        self.quanta, self.vault = quanta, vault
        self.series = [Series() for _ in quanta]
        self.counts: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.liquidated: set[int] = set()
        self.auction_ms = [0] * len(quanta)
        self.guarded_ms = [0] * len(quanta)
        self.insurance: list[int] = []
        self.conservation_delta = 0
        self.interest_max = [0] * len(quanta)
        self.first_step_ms = -1
        self.vault_worth: list[int] = []
        self.votes_refused = 0
        self.rates: list[int] = []

    # --- one block ---------------------------------------------------------------------------
    def see(self, after: Look, events: Any, now_ms: int, truth: list[int]) -> None:
        """Take a block in. `truth`: where each market's index really is."""
        self.counts["blocks"] += 1
        self.conservation_delta = max(self.conservation_delta, conservation_delta(after))
        liquidated, deleveraged = self.count(after, events, now_ms, truth)
        self.vault_worth.append(worth_e6(after, self.vault))
        venue = int(after.ledger["insurance_e6"])
        self.insurance.append(venue + int(after.risk["insurance_e6"].sum()))
        for number, series in enumerate(self.series, 1):
            risk, market = after.risk[number], after.markets[number]
            if series.time_ms:
                spent = now_ms - series.time_ms[-1]
                self.auction_ms[number - 1] += spent * (series.phase[-1] == Phase.AUCTION)
                self.guarded_ms[number - 1] += spent * (series.guard[-1] != 0)
            series.time_ms.append(now_ms)
            series.index.append(int(after.feeds[int(risk["feed"])]["price_ticks"]))
            series.mark.append(int(market["mark_ticks"]))
            series.last.append(int(market["last_ticks"]))
            series.interest.append(int(market["open_interest_lots"]))
            series.phase.append(int(risk["phase"]))
            series.guard.append(int(risk["guard"]))
            series.insurance.append(int(risk["insurance_e6"]))
            series.vault_lots.append(after.position(self.vault, number))
            series.liquidated.append(liquidated[number])
            series.deleveraged.append(deleveraged[number])
            self.interest_max[number - 1] = max(
                self.interest_max[number - 1], series.interest[-1]
            )

    def count(
        self, after: Look, events: Any, now_ms: int, truth: list[int]
    ) -> tuple[Counter[int], Counter[int]]:
        """Count a block's events; give liquidation steps and deleveraged lots by market."""
        liquidated: Counter[int] = Counter()
        deleveraged: Counter[int] = Counter()
        kinds = events["kind"]
        for kind, times in zip(*np.unique(kinds, return_counts=True), strict=True):
            self.counts[EventKind(int(kind)).name.lower()] += int(times)
        codes, times = np.unique(events["code"][kinds == EventKind.RECEIPT], return_counts=True)
        for code, often in zip(codes.tolist(), times.tolist(), strict=True):
            if code:
                self.rejects[Reject(code).name.lower()] += often
        for event in events[kinds == EventKind.LIQUIDATED].view(EVENT_READINGS["LIQUIDATED"]):
            market = int(event["market"])
            self.counts[STEPS[int(event["code"])]] += 1
            self.liquidated.add(int(event["account"]))
            liquidated[market] += 1
            if self.first_step_ms < 0:
                self.first_step_ms = now_ms
            if market and event["code"] != LiquidationStep.CANCELLED_ORDERS:
                self.step_seen(after, market, int(event["mark_ticks"]), truth[market - 1])
        funded = events[kinds == EventKind.FUNDED].view(EVENT_READINGS["FUNDED"])
        self.rates.extend(funded["rate_e9"].tolist())
        for event in events[kinds == EventKind.DELEVERAGED].view(EVENT_READINGS["DELEVERAGED"]):
            market, lots = int(event["market"]), int(event["lots"])
            deleveraged[market] += lots
            self.counts["deleveraged_lots"] += lots
            worth = lots * int(event["price_ticks"]) * self.quanta[market - 1]
            self.counts["adl_notional_e6"] += worth
        return liquidated, deleveraged

    def step_seen(self, after: Look, market: int, mark: int, truth: int) -> None:
        """Count steps that should not have been: in an auction, under a guard, off the path.

        Phase and guard of a block are set before its liquidations; an auction that these begin
        themselves, by trading, is not told apart by the phase alone.
        """
        risk = after.risk[market]
        begun_ms = int(risk["auction_begin_ms"])
        if risk["phase"] == Phase.AUCTION and begun_ms < after.time_ms:
            self.counts["steps_in_auction"] += 1
        self.counts["steps_while_guarded"] += bool(risk["guard"])
        self.counts["steps_off_path"] += abs(mark - truth) * 20 > truth

    # --- at the end --------------------------------------------------------------------------
    def figures(self, last: Look) -> dict[str, int]:
        """All figures that an expected table may bound, by name; money in 1e-6 USD."""
        names = [
            "blocks", "fill", "liquidated", "deleveraged", "funded", "auction_begun",
            "auction_ended", "switched", "insured", "steps_in_auction", "steps_while_guarded",
            "steps_off_path", "deleveraged_lots", "adl_notional_e6", *STEPS.values(),
        ]  # fmt: skip
        found = {name: self.counts[name] for name in names}
        found["first_step_ms"] = self.first_step_ms
        found["votes_refused"] = self.votes_refused
        found["vault_loss_e6"] = self.vault_worth[0] - min(self.vault_worth)
        found["vault_end_e6"] = self.vault_worth[-1] - self.vault_worth[0]
        found["funding_paid_by_longs"] = int(all(each >= 0 for each in self.rates))
        found["accounts_liquidated"] = len(self.liquidated)
        found["conservation_delta"] = self.conservation_delta
        found["insurance_start_e6"] = self.insurance[0]
        found["insurance_min_e6"] = min(self.insurance)
        found["insurance_end_e6"] = self.insurance[-1]
        found["time_in_auction_ms"] = sum(self.auction_ms)
        found["bad_debt_e6"] = sum(map(int, last.risk["bad_debt_e6"]))
        found["debtors"] = int(last.ledger["debtors_count"])
        for number, series in enumerate(self.series, 1):
            found[f"auction_ms_{number}"] = self.auction_ms[number - 1]
            found[f"guarded_ms_{number}"] = self.guarded_ms[number - 1]
            found[f"interest_max_lots_{number}"] = self.interest_max[number - 1]
            found[f"interest_end_lots_{number}"] = series.interest[-1]
            found[f"mark_min_{number}"] = min(series.mark)
            found[f"mark_max_{number}"] = max(series.mark)
            found[f"mark_end_{number}"] = series.mark[-1]
            found[f"index_min_{number}"] = min(series.index)
            found[f"index_max_{number}"] = max(series.index)
            found[f"insurance_drawn_{number}_e6"] = int(last.risk[number]["insurance_drawn_e6"])
            found[f"insurance_end_{number}_e6"] = series.insurance[-1]
            found[f"vault_lots_max_{number}"] = max(map(abs, series.vault_lots))
            found[f"bad_debt_{number}_e6"] = int(last.risk[number]["bad_debt_e6"])
            found[f"quarantined_{number}"] = int(Phase.QUARANTINE in series.phase)
        for reject in Reject:
            found[f"rejected_{reject.name.lower()}"] = self.rejects[reject.name.lower()]
        return found


def worth_e6(look: Look, slot: int) -> int:
    """Cash of an account and its positions at the mark."""
    worth = int(look.accounts[slot]["cash_e6"])
    for cell in look.cells(slot):
        market = look.markets[int(cell["key"])]
        worth += int(cell["size"]) * int(market["mark_ticks"]) * int(market["quantum_e6"])
        worth += int(cell["isolated_e6"])
    return worth


def total(column: Any) -> int:
    """Sum a column in whole integers."""
    return sum(map(int, column))


def conservation_delta(look: Look) -> int:
    """Add money and lots up from an image: the absolute differences, which must be zero."""
    assets = look.image[Table.ASSETS].rows[0]
    held = total(look.accounts["cash_e6"]) + total(look.positions["isolated_e6"])
    held += int(look.ledger["fees_e6"]) + int(look.ledger["insurance_e6"])
    held += total(look.risk["insurance_e6"]) + total(look.risk["funding_pool_e6"])
    delta = abs(held - int(assets["deposited"]) + int(assets["withdrawn"]))
    for number in range(1, len(look.markets)):
        sizes = look.positions["size"][look.positions["key"] == number]
        longs = total(sizes[sizes > 0])
        delta += abs(total(sizes)) + abs(longs - int(look.markets[number]["open_interest_lots"]))
    return delta
