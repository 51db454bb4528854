"""`Receipts`: fed with every block, it holds each receipt against the state before.

The events of phases 3 to 5 stand before those of the first bundle; they are followed one by one on
a copy of the state. At the end of the block the accounts that no later event touched must be what
the receipts say, to the unit, and the insurance funds too.
"""

from collections import Counter
from fractions import Fraction
from typing import Any, Final

import numpy as np

from quorate.sim.receipts.liquidation import Steps
from quorate.sim.receipts.steps import differs, funded
from quorate.sim.receipts.worth import Worth
from quorate.types.clearing_codes import InsuranceFlow, LiquidationStep
from quorate.types.codes import End, EventKind
from quorate.types.events import EVENT_READINGS
from quorate.types.records import EVENT, NO_BUNDLE, Table

CHECKED: Final = (
    EventKind.FUNDED, EventKind.LIQUIDATED, EventKind.DELEVERAGED, EventKind.INSURED
)  # fmt: skip
WORST: Final = Fraction(-(10**60))  # of a debt without a position
READINGS: Final = {
    int(kind): EVENT_READINGS[kind.name] for kind in EventKind if kind.name in EVENT_READINGS
}
Event = dict[str, int]


def event_read(row: Any) -> Event:
    """Read one event into plain integers, by the names of its kind."""
    reading = READINGS.get(int(row["kind"]))
    if reading is not None:
        row = row.reshape(1).view(reading)[0]
    return {name: int(row[name]) for name in row.dtype.names}


class Receipts:
    """What has been checked, and what was wrong: sentences with the block's time."""

    def __init__(self) -> None:
        self.checked: Counter[int] = Counter()
        self.wrong = 0
        self.faults: list[str] = []
        self.avoidable_lots = 0
        self.deleveraged_lots = 0
        self.least_e6 = 0
        self.notional_e6 = 0

    def figures(self) -> dict[str, int]:
        """Sum up."""
        return {
            "receipts_checked": sum(self.checked.values()),
            "receipts_wrong": self.wrong,
            "adl_lots": self.deleveraged_lots,
            "adl_least_lots": self.deleveraged_lots - self.avoidable_lots,
            "adl_least_e6": self.least_e6,
            "adl_minimal": int(not self.avoidable_lots),
        }

    def fault(self, time_ms: int, sentence: str) -> None:
        """Note what is wrong."""
        self.wrong += 1
        self.faults.append(f"at {time_ms} ms: {sentence}")

    def check(self, before: Any, after: Any, events: Any, time_ms: int) -> None:
        """Check a block: the images around it and its events, EVENT[n]."""
        assert events.dtype == EVENT
        if not np.isin(events["kind"], CHECKED).any():
            return
        block = Block(self, before, time_ms, [event_read(row) for row in events])
        block.follow()
        block.hold_funds(after)
        block.hold_accounts(after)


class Block:
    """One block under check."""

    def __init__(
        self, receipts: Receipts, before: Any, time_ms: int, events: list[Event]
    ) -> None:
        self.receipts, self.time_ms, self.events = receipts, time_ms, events
        self.worth = Worth(before)
        self.prefix = next(
            (k for k, each in enumerate(events) if each["bundle"] != NO_BUNDLE), len(events)
        )
        self.steps = Steps(self.worth, before)
        self.begin = {}  # index of a step's first event: index of its receipt
        for at in range(self.prefix):
            if events[at]["kind"] == EventKind.LIQUIDATED:
                self.begin[self.step_begin(at)] = at
        self.touched: set[int] = set()
        self.keys: dict[tuple[int, int], tuple[Fraction, int, int]] = {}
        self.last_key: tuple[Fraction, int, int] | None = None

    def fault(self, sentence: str) -> None:
        """Note what is wrong with this block."""
        self.receipts.fault(self.time_ms, sentence)

    def step_begin(self, at: int) -> int:
        """Index of the first event that belongs to the step of a LIQUIDATED event."""
        events, receipt = self.events, self.events[at]
        first = at
        while first:
            each = events[first - 1]
            kind = each["kind"]
            if receipt["code"] in (LiquidationStep.SOLD_ON_BOOK, LiquidationStep.HEDGED):
                fill = kind == EventKind.FILL and each["account"] == receipt["account"]
                book = kind in (EventKind.CANCELLED, EventKind.REDUCED)
                mine = fill or (book and each["end"] != End.LIQUIDATION)
                moved = each["code"] in (InsuranceFlow.FEE, InsuranceFlow.PAID)
                mine = mine or (kind == EventKind.INSURED and moved)
            elif receipt["code"] == LiquidationStep.DELEVERAGED:
                mine = kind == EventKind.DELEVERAGED and each["account"] == receipt["account"]
            elif receipt["code"] == LiquidationStep.PAID_BY_INSURANCE:
                mine = kind == EventKind.INSURED and each["code"] == InsuranceFlow.PAID
            else:
                mine = kind == EventKind.CANCELLED and each["end"] == End.LIQUIDATION
                mine = mine and receipt["code"] == LiquidationStep.CANCELLED_ORDERS
            if not mine:
                break
            first -= 1
        return first

    # --- following ---------------------------------------------------------------------------
    def follow(self) -> None:
        """Go through the events before the bundles; of the others only the funds matter."""
        open_until = -1
        for at, event in enumerate(self.events):
            kind = event["kind"]
            if kind in CHECKED:
                self.receipts.checked[kind] += 1
            if at >= self.prefix:
                self.follow_bundle(event)
                continue
            if at in self.begin:
                if not self.keys:
                    self.scan()
                open_until = self.begin[at]
                self.say(self.steps.begin(self.events[at : open_until + 1]))
            if kind == EventKind.DELEVERAGED and at > open_until:
                self.fault("a deleveraging has no liquidation receipt behind it")
            self.apply(event)

    def say(self, sentences: Any) -> None:
        """Note all sentences."""
        for sentence in sentences:
            self.fault(sentence)

    def apply(self, event: Event) -> None:
        """Let one event before the bundles change the state."""
        worth, kind = self.worth, event["kind"]
        if kind == EventKind.INDEXED:
            worth.indexes[event["market"]] = event["price_ticks"]
            worth.confidences[event["market"]] = event["confidence_ppm"]
        elif kind == EventKind.MARKED:
            market = worth.markets[event["market"]]
            self.say(differs("the mark before", event["mark_before_ticks"], market.mark))
            market.mark = event["mark_ticks"]
            worth.moved()
            market.risk["band_low_ticks"] = event["band_low_ticks"]
            market.risk["band_high_ticks"] = event["band_high_ticks"]
        elif kind == EventKind.FUNDED:
            feed = worth.markets[event["market"]].risk["feed"]
            self.say(funded(worth, event, worth.indexes[feed]))
            worth.moved()
        elif kind == EventKind.FILL:
            self.fill(event)
        elif kind == EventKind.CANCELLED:
            self.steps.gone.add(event["order_id"])
            worth.order_gone(event["account"], event["market"])
        elif kind == EventKind.INSURED:
            self.insured(event)
        elif kind == EventKind.DELEVERAGED:
            self.say(self.steps.deleveraged(event))
        elif kind == EventKind.LIQUIDATED:
            self.liquidated(event)

    def fill(self, event: Event) -> None:
        """Book both sides of a fill."""
        worth, market = self.worth, event["market"]
        lots = -event["size"] if event["side"] else event["size"]
        self.steps.filled(event)
        worth.trade(event["account"], market, lots, event["price"], event["fee_e6"])
        maker = event["counter_account"]
        if not event["remaining"]:
            cell = worth.holder(maker).cells.get(market)
            if cell is not None and cell.orders:
                cell.orders -= 1
        worth.trade(maker, market, -lots, event["price"], event["counter_fee_e6"])
        held = worth.cell(event["account"], market).size
        self.say(differs("the taker's position", event["position"], held))
        self.touched.update((event["account"], maker))

    def insured(self, event: Event) -> None:
        """Follow a fund, and hold what it says to what it was."""
        worth, market = self.worth, event["market"]
        if event["code"] == InsuranceFlow.RESIDUE:
            pool = worth.markets[market].risk["funding_pool_e6"]
            self.say(differs("the pool's residue", event["amount_e6"], pool))
            worth.markets[market].risk["funding_pool_e6"] = 0
        self.say(self.steps.insured(event))
        self.fund(event)

    def fund(self, event: Event) -> None:
        """Add to a fund."""
        worth, market = self.worth, event["market"]
        if market:
            worth.markets[market].risk["insurance_e6"] += event["amount_e6"]
            held = worth.markets[market].risk["insurance_e6"]
        else:
            worth.venue_e6 += event["amount_e6"]
            held = worth.venue_e6
        self.say(differs("the fund", event["fund_after_e6"], held))
        if held < 0:
            self.fault(f"the fund of market {market} is {held}")

    def follow_bundle(self, event: Event) -> None:
        """Events of bundles and after them: accounts are only noted, funds are followed."""
        self.touched.discard(event["account"])
        self.touched.discard(event["counter_account"])
        if event["kind"] == EventKind.INSURED:
            if event["code"] != InsuranceFlow.DONATED or event["amount_e6"] <= 0:
                self.fault("a bundle moved insurance by something else than a donation")
            self.fund(event)

    # --- liquidation -------------------------------------------------------------------------
    def scan(self) -> None:
        """Note how far below maintenance each bucket is before the first step of the block."""
        accounts = {
            each["account"]
            for each in self.events[: self.prefix]
            if each["kind"] == EventKind.LIQUIDATED
        }
        for slot in sorted(accounts):
            cells = self.worth.holder(slot).cells
            buckets = {0, *(key for key, cell in cells.items() if cell.isolated)}
            for bucket in sorted(buckets):
                needed, equity = (
                    self.worth.maintenance(slot, bucket),
                    self.worth.equity(slot, bucket),
                )
                if needed:
                    self.keys[slot, bucket] = (Fraction(equity, needed), slot, bucket)
                elif equity < 0:
                    self.keys[slot, bucket] = (WORST, slot, bucket)

    def liquidated(self, event: Event) -> None:
        """Check the receipt of a step, and that the worst bucket had its turn first."""
        steps, receipts = self.steps, self.receipts
        key = self.keys.get((event["account"], steps.bucket))
        if key is None or key[0] >= 1:
            self.fault(f"account {event['account']} was not below maintenance")
        elif self.last_key is not None and key < self.last_key:
            self.fault(f"account {event['account']} had its turn too late")
        else:
            self.last_key = key
        self.say(steps.liquidated(event))
        self.touched.update(steps.accounts)
        receipts.deleveraged_lots += steps.adl_lots
        receipts.avoidable_lots += steps.adl_avoidable
        quantum = self.worth.markets[event["market"]].quantum_e6 if event["market"] else 0
        lot_e6 = event["price_ticks"] * quantum
        receipts.notional_e6 += steps.adl_lots * lot_e6
        receipts.least_e6 += (steps.adl_lots - steps.adl_avoidable) * lot_e6

    # --- the end of the block ----------------------------------------------------------------
    def hold_funds(self, after: Any) -> None:
        """Every fund is what its receipts make it."""
        ledger = after[Table.LEDGER].rows[0]
        self.say(differs("the venue's fund", int(ledger["insurance_e6"]), self.worth.venue_e6))
        risk = after[Table.RISK].rows
        for number in range(1, len(risk)):
            held = self.worth.markets[number].risk["insurance_e6"]
            self.say(
                differs(f"the fund of {number}", int(risk[number]["insurance_e6"]), held)
            )

    def hold_accounts(self, after: Any) -> None:
        """Accounts that no bundle touched have the cash and lots that the receipts give them."""
        worth, now = self.worth, Worth(after)
        for slot in sorted(self.touched):
            then, found = worth.holder(slot), now.holder(slot)
            if then.cash_e6 != found.cash_e6:
                self.fault(f"account {slot} has {found.cash_e6}, receipts give {then.cash_e6}")
            for key in sorted({*then.cells, *found.cells}):
                ours, theirs = worth.cell(slot, key), now.cell(slot, key)
                mine = (ours.size, ours.isolated_e6)
                if mine != (theirs.size, theirs.isolated_e6):
                    self.fault(
                        f"account {slot} holds {(theirs.size, theirs.isolated_e6)} in market "
                        f"{key}, receipts give {mine}"
                    )
