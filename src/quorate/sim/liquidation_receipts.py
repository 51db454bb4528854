"""Liquidation receipts recomputed from the events of a block alone. Shares no rule with execution.

It needs what a genesis says of markets (the worth of a tick and lot, the highest price) and the
events; it takes fractions and Python's integers. `receipt_faults` gives sentences; none is sound.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from quorate.types.clearing_codes import InsuranceFlow, LiquidationStep, Standing
from quorate.types.codes import EventKind, Side
from quorate.types.events import EVENT_READINGS
from quorate.types.records import NO_BUNDLE

FEE: Final = int(InsuranceFlow.FEE)
PAID: Final = int(InsuranceFlow.PAID)
CLOSED_IN_PART: Final = 2  # 1e-6 quote: two maintenance margins are rounded up


@dataclass(frozen=True, slots=True)
class Terms:
    """Of a market: worth of one tick and lot, highest price."""

    quantum_e6: int
    price_max: int


@dataclass(slots=True)
class Gathered:
    """What was said since the last receipt."""

    fills: list[Any]
    wound_up: list[Any]
    funds: list[Any]


class Receipts:
    """The receipts of one block, checked in their order."""

    def __init__(self, terms: dict[int, Terms]) -> None:
        self.terms = terms
        self.found: list[str] = []
        self.steps = 0
        self.flows_e6 = 0

    def fault(self, row: Any, sentence: str) -> None:
        step = LiquidationStep(int(row["code"])).name
        where = f"account {row['account']} market {row['market']}"
        self.found.append(f"{step} of {where}: {sentence}")

    def block(self, events: Any) -> list[str]:
        """Check a block's events; give the sentences of all blocks so far."""
        said = Gathered([], [], [])
        for event in events:
            kind = EventKind(int(event["kind"]))
            if kind == EventKind.FILL and event["bundle"] == NO_BUNDLE:
                said.fills.append(event)
            elif kind == EventKind.INSURED and event["code"] in (FEE, PAID):
                said.funds.append(reading(event, kind))
            elif kind == EventKind.DELEVERAGED:
                said.wound_up.append(reading(event, kind))
            elif kind == EventKind.LIQUIDATED:
                self.receipt(reading(event, kind), said)
                said = Gathered([], [], [])
        return self.found

    def receipt(self, row: Any, said: Gathered) -> None:
        """Check one receipt against what was said before it."""
        self.steps += 1
        step = LiquidationStep(int(row["code"]))
        fund = sum(int(each["amount_e6"]) for each in said.funds)
        if fund != row["fund_e6"]:
            self.fault(row, f"the funds moved by {fund}, the receipt says {row['fund_e6']}")
        if step in (LiquidationStep.CANCELLED_ORDERS, LiquidationStep.LEFT_OPEN):
            if row["cash_e6"] or row["fund_e6"] or row["fee_e6"]:
                self.fault(row, "money moved")
            return
        self.standing(row, step)
        fills = [each for each in said.fills if each["account"] == row["account"]]
        value = self.counter_value(row, step, fills, said.wound_up)
        rest = int(row["cash_e6"]) + int(row["fund_e6"]) + int(row["fee_e6"]) - value
        self.flows_e6 += rest
        if rest:
            self.fault(row, f"its flows sum to {rest}")
        if row["lots"]:
            self.worth(row, step)
            self.price(row, step, fills)

    def standing(self, row: Any, step: LiquidationStep) -> None:
        """The equity before says whether this step was allowed."""
        equity, kept = int(row["equity_before_e6"]), int(row["maintenance_before_e6"])
        bankrupt = row["end"] == Standing.BANKRUPT
        if equity >= kept and not (equity == kept == 0):
            self.fault(row, f"equity {equity} covers its maintenance {kept}")
        if step == LiquidationStep.PAID_BY_INSURANCE and not bankrupt:
            self.fault(row, "insurance paid for an account with equity")
        if step == LiquidationStep.TAKEN_BY_VAULT and equity < 0:
            self.fault(row, "the vault took a bankrupt position over without insurance")
        if step == LiquidationStep.SOLD_ON_BOOK and row["fund_e6"] < 0 and equity >= 0:
            self.fault(row, "insurance paid for an account with equity")

    def counter_value(
        self, row: Any, step: LiquidationStep, fills: list[Any], wound_up: list[Any]
    ) -> int:
        """What the other sides paid the bucket: fills, or price * lots."""
        quantum, sign = self.terms[int(row["market"])].quantum_e6, sign_of(row)
        if step == LiquidationStep.SOLD_ON_BOOK:
            lots = sum(int(each["size"]) for each in fills)
            if lots != row["lots"] or any(each["fee_e6"] for each in fills):
                self.fault(row, f"{lots} lots in fills, or a taker fee")
            return sign * quantum * sum(int(each["price"]) * int(each["size"]) for each in fills)
        if step == LiquidationStep.DELEVERAGED:
            self.wound_up(row, wound_up)
        return sign * int(row["price_ticks"]) * int(row["lots"]) * quantum

    def worth(self, row: Any, step: LiquidationStep) -> None:
        """Equity moves by the money less the lots at the mark; the health never falls.

        An isolated bucket that ended with its position has returned its rest to cash.
        """
        quantum = self.terms[int(row["market"])].quantum_e6
        lots, mark = int(row["lots"]), int(row["mark_ticks"])
        before, after = int(row["equity_before_e6"]), int(row["equity_after_e6"])
        kept, kept_after = int(row["maintenance_before_e6"]), int(row["maintenance_after_e6"])
        wanted = before + int(row["cash_e6"]) - sign_of(row) * mark * lots * quantum
        ended = lots == abs(int(row["position"])) and after == kept_after == 0
        if after != wanted and not (ended and wanted >= 0):
            self.fault(row, f"equity after is {after}, the flows make it {wanted}")
        after = wanted
        if before >= 0 and after * kept < before * (kept_after - CLOSED_IN_PART):
            self.fault(row, f"health fell from {before}/{kept} to {after}/{kept_after}")
        # Of lots that others took in part, each carries the mean of what all of them would free.
        rounded = 0 if row["lots"] == abs(row["position"]) else CLOSED_IN_PART
        if before < 0 and after * kept < before * (kept_after + rounded) - kept:
            self.fault(row, f"debt rose from {before}/{kept} to {after}/{kept_after}")
        paid = row["fund_e6"] < 0 and kept_after
        if paid and after * kept > before * (kept_after - CLOSED_IN_PART) + kept:
            self.fault(row, f"insurance left {after} of {before}: more than the lots' part")
        if row["fund_e6"] < 0 and after > 0:
            self.fault(row, f"insurance paid more than the debt, by {after}")
        if before >= 0 and after < 0:
            self.fault(row, f"equity {before} became {after}")
        if kept_after == 0 and after < 0:
            self.fault(row, f"a full close ended at {after}")

    def price(self, row: Any, step: LiquidationStep, fills: list[Any]) -> None:
        """The price is the zero price of the lots, where the receipt says what they freed."""
        terms, sign = self.terms[int(row["market"])], sign_of(row)
        price, lots, mark = int(row["price_ticks"]), int(row["lots"]), int(row["mark_ticks"])
        for each in fills:
            if sign * (int(each["price"]) - price) < 0:
                self.fault(row, f"a fill at {each['price']} is worse than {price}")
        if step == LiquidationStep.PAID_BY_INSURANCE:
            if price != mark:
                self.fault(row, f"the lots changed hands at {price}, the mark is {mark}")
            return
        if step != LiquidationStep.TAKEN_BY_VAULT:
            return
        kept = int(row["maintenance_before_e6"])
        freed = kept - int(row["maintenance_after_e6"])
        exact = mark - Fraction(
            sign * int(row["equity_before_e6"]) * freed, kept * lots * terms.quantum_e6
        )
        wanted = -(-exact.numerator // exact.denominator) if sign > 0 else int(exact // 1)
        if price != max(1, min(wanted, terms.price_max)):
            self.fault(row, f"the zero price is {wanted}, it says {price}")

    def wound_up(self, row: Any, parts: list[Any]) -> None:
        """Deleveraged lots add up; those that hedge nothing go first, best profit first."""
        quantum, sign = self.terms[int(row["market"])].quantum_e6, sign_of(row)
        if sum(int(each["lots"]) for each in parts) != row["lots"]:
            self.fault(row, "the deleveraged lots do not add up")
        need, before = 0, (0, 0)
        for place, each in enumerate(parts):
            lots, price = int(each["lots"]), int(each["price_ticks"])
            if place and each["lots_needed"] != need:
                self.fault(row, f"{each['lots_needed']} lots needed, it should be {need}")
            need = int(each["lots_needed"]) - lots
            theirs = int(each["counter_position"])
            if need < 0 or theirs * sign >= 0 or lots > abs(theirs) or price != row["price_ticks"]:
                self.fault(row, f"counterparty {each['counter_account']}: lots, side or price")
            if not each["code"] and lots > each["unhedged_lots"]:
                self.fault(row, f"counterparty {each['counter_account']}: a hedge was broken")
            change = sign * (int(each["mark_ticks"]) - price) * lots * quantum
            after = int(each["counter_equity_after_e6"])
            if after - int(each["counter_equity_before_e6"]) != change and after:
                self.fault(row, f"counterparty {each['counter_account']}: its equity")
            if after < 0:
                self.fault(row, f"counterparty {each['counter_account']}: left with {after}")
            rank = (int(each["code"]), -int(each["score_e9"]))
            if place and rank < before:
                self.fault(row, f"counterparty {each['counter_account']} came too late")
            before = rank


def reading(event: Any, kind: EventKind) -> Any:
    """An event by the names of its kind."""
    return event.view(EVENT_READINGS[kind.name])


def sign_of(row: Any) -> int:
    """1 for a long position, -1 for a short one."""
    return 1 if row["side"] == Side.BUY else -1


def terms_of(genesis: Any) -> dict[int, Terms]:
    """What the checker needs of each market of a genesis."""
    return {
        number: Terms(each.quantum_e6, each.price_max_ticks)
        for number, each in enumerate(genesis.markets, 1)
    }
