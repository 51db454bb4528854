"""Steps of liquidations: prices, amounts, worth before and after, who was wound up, in order."""

from collections.abc import Iterator
from typing import Any, Final

from quorate.sim.receipts.steps import (
    Giver,
    book_could,
    differs,
    drawable,
    loss_share,
    ppm_up,
    round_of,
    vault_could,
    worst_price,
    zero_price,
)
from quorate.sim.receipts.worth import MILLION, Worth
from quorate.types.clearing_codes import InsuranceFlow, LiquidationStep
from quorate.types.records import Table

GIVERS_MAX: Final = 64  # counterparties of one step
E9: Final = 10**9
BANKRUPT: Final = 4
FULL: Final = 3
Event = dict[str, int]


class Steps:
    """Follows the steps of one block. `begin` looks at the state before a step's first event."""

    def __init__(self, worth: Worth, before: Any) -> None:
        self.worth = worth
        self.orders = before[Table.ORDERS].rows
        self.gone: set[int] = set()  # orders that filled or were cancelled in this block
        self.filled_e6 = self.filled_lots = self.fund_e6 = 0
        self.account = self.market = self.bucket = self.size = self.sign = 0
        self.equity = self.maintenance = self.standing = 0
        self.price = self.slice = self.loss = 0
        self.round: list[Giver] | None = None
        self.hedged = False
        self.places = GIVERS_MAX
        self.need = self.cancelled = 0
        self.adl_lots = self.adl_avoidable = 0
        self.own_paid = self.venue_paid = self.own_before = 0
        self.accounts: set[int] = set()

    # --- before ------------------------------------------------------------------------------
    def begin(self, events: list[Event]) -> Iterator[str]:
        """Look at the bucket before the step; `events`: its own, the receipt last."""
        worth, receipt = self.worth, events[-1]
        self.account, self.market = receipt["account"], receipt["market"]
        cancels = receipt["code"] == LiquidationStep.CANCELLED_ORDERS
        self.bucket = self.market if cancels else worth.bucket(self.account, self.market)
        self.size = worth.cell(self.account, self.market).size if self.market else 0
        self.sign = 1 if self.size > 0 else -1
        self.equity = worth.equity(self.account, self.bucket)
        self.maintenance = worth.maintenance(self.account, self.bucket)
        self.standing = worth.standing(self.account, self.bucket)
        self.filled_e6 = self.filled_lots = self.fund_e6 = 0
        self.own_paid = self.venue_paid = 0
        self.adl_lots = self.adl_avoidable = 0
        self.round, self.hedged, self.places = None, False, GIVERS_MAX
        self.accounts = {self.account}
        self.cancelled = len(events) - 1
        if not self.standing:
            yield f"account {self.account} is not below maintenance"
        self.own_before = worth.markets[self.market].risk["insurance_e6"]
        if cancels or not self.size:
            self.price = self.slice = self.loss = 0
            closed = receipt["code"] == LiquidationStep.PAID_BY_INSURANCE and self.bucket
            if closed:
                self.loss = min(max(-self.equity, 0), drawable(worth, self.market))
            elif not cancels:
                yield f"account {self.account} has no position in market {self.market}"
            return
        self.loss = loss_share(worth, self.account, self.market, receipt["lots"])
        yield from self.begin_price(receipt)

    def begin_price(self, receipt: Event) -> Iterator[str]:
        """The price that the step must have, and what it may take."""
        worth, market = self.worth, self.worth.markets[self.market]
        step, whole = receipt["code"], abs(self.size)
        least = market.risk["slice_min_e6"] // (market.mark * market.quantum_e6)
        lots = max(whole * market.risk["slice_ppm"] // MILLION, least)
        lots = lots // market.lot_step * market.lot_step
        self.slice = min(max(lots, market.lot_step), whole)
        lots = receipt["lots"]
        insured = step == LiquidationStep.SOLD_ON_BOOK and self.standing == BANKRUPT
        if insured:
            self.slice = whole
        elif step == LiquidationStep.SOLD_ON_BOOK:
            lots = self.slice
        elif step == LiquidationStep.DELEVERAGED:
            lots = whole if self.standing == BANKRUPT else self.slice
            self.need = lots
        by_mark = (LiquidationStep.PAID_BY_INSURANCE, LiquidationStep.LEFT_OPEN)
        self.price = receipt["price_ticks"] if insured else market.mark
        if insured and self.sign * (self.price - worst_price(worth, *self.at)) < 0:
            yield f"account {self.account} was offered below the worst price"
        if step not in by_mark and not insured:
            self.price = zero_price(worth, self.account, self.market, lots)
        if step == LiquidationStep.DELEVERAGED:
            yield from self.begin_deleveraging()

    def begin_deleveraging(self) -> Iterator[str]:
        """Nobody else could take the lots: neither the vault nor the book.

        For a bankrupt bucket both with what the funds hold at this moment.
        """
        vault = vault_could(self.worth, self.account, self.market)
        resting = self.resting()
        if self.standing == BANKRUPT:
            book = book_could(self.worth, *self.at, resting)
        else:
            fair = [each for each in resting if self.sign * (each[0] - self.price) >= 0]
            book = sum(lots for _, lots in fair)
        self.adl_avoidable = min(self.need, vault + book)
        if vault:
            yield f"the vault could have taken {vault} lots of account {self.account}"
        if book:
            yield f"the book could have taken {book} lots of account {self.account}"

    @property
    def at(self) -> tuple[int, int]:
        """The account and the market of the step."""
        return self.account, self.market

    def resting(self) -> list[tuple[int, int]]:
        """Price and lots of others' orders on the other side, inside the bands, untouched."""
        orders, risk = self.orders, self.worth.markets[self.market].risk
        wanted = orders["side"] == (0 if self.sign > 0 else 1)
        found = orders[(orders["order_id"] > 0) & (orders["market"] == self.market) & wanted]
        low, high = risk["band_low_ticks"], risk["band_high_ticks"]
        return [
            (int(order["price"]), int(order["remaining"]))
            for order in found
            if int(order["order_id"]) not in self.gone
            and int(order["account"]) != self.account
            and not (low and order["price"] < low)
            and not (high and order["price"] > high)
        ]

    # --- during ------------------------------------------------------------------------------
    def filled(self, event: Event) -> None:
        """Note a fill of this block."""
        self.gone.add(event["counter_order_id"])
        if event["account"] == self.account and event["market"] == self.market:
            quantum = self.worth.markets[self.market].quantum_e6
            self.filled_e6 += self.sign * event["price"] * event["size"] * quantum
            self.filled_lots += event["size"]
            self.accounts.add(event["counter_account"])

    def insured(self, event: Event) -> Iterator[str]:
        """Note what the step moved into or out of a fund."""
        if event["code"] not in (InsuranceFlow.FEE, InsuranceFlow.PAID):
            return
        amount = event["amount_e6"]
        self.fund_e6 += amount
        yield from differs("whom the fund's move concerns", event["account"], self.account)
        if event["code"] == InsuranceFlow.FEE:
            if amount <= 0 or event["market"] != self.market:
                yield "a liquidation's fee must go into the fund of its market"
            return
        if amount >= 0 or event["market"] not in (0, self.market):
            yield "a loss must be paid by the fund of its market or by the venue's"
        if event["market"]:
            self.own_paid -= amount
        else:
            if -amount > drawable(self.worth, self.market) - self.own_left():
                yield "the venue's fund paid more than the market may draw"
            self.worth.markets[self.market].risk["insurance_drawn_e6"] -= amount
            self.venue_paid -= amount

    def own_left(self) -> int:
        """What is left in the market's own fund."""
        return self.worth.markets[self.market].risk["insurance_e6"]

    def deleveraged(self, event: Event) -> Iterator[str]:
        """One counterparty: the one whose turn it is, for as many lots as it must give."""
        worth, market, other = self.worth, self.market, event["counter_account"]
        row = worth.markets[market]
        self.turn_round(bool(event["code"]))
        if event["code"] not in (0, 1) or not self.round:
            yield f"account {other} is wound up out of turn"
            self.round = [Giver(other, event["lots"], 1, 0)]
        giver = self.round.pop(0)
        lots = min(giver.lots, self.need)
        cell = worth.cell(other, market)
        said = (
            ("the counterparty", other, giver.slot),
            ("the lots", event["lots"], lots),
            ("the lots needed", event["lots_needed"], self.need),
            ("the mark", event["mark_ticks"], row.mark),
            ("the price", event["price_ticks"], self.price),
            ("the position", event["position"], worth.cell(self.account, market).size),
            ("the counterparty's position", event["counter_position"], cell.size),
            ("what hedges nothing", event["unhedged_lots"], worth.unhedged(other, market)),
            ("the equity before", event["counter_equity_before_e6"], giver.equity_e6),
            ("the score", event["score_e9"], giver.profit_e6 * E9 // giver.equity_e6),
            ("the side", event["side"], int(self.sign < 0)),
            ("the market", event["market"], market),
            ("the account", event["account"], self.account),
            ("the end", event["end"], 0),
        )
        for what, one, true in said:
            yield from differs(f"deleveraging {self.account}: {what}", one, true)
        bucket = worth.bucket(other, market)
        taken = event["lots"]
        worth.trade(self.account, market, -self.sign * taken, event["price_ticks"])
        worth.trade(other, market, self.sign * taken, event["price_ticks"])
        cash = self.sign * event["price_ticks"] * taken * row.quantum_e6
        yield from differs("the cash of a deleveraging", event["cash_e6"], cash)
        after = worth.equity(other, bucket)
        yield from differs("the equity after", event["counter_equity_after_e6"], after)
        self.need -= taken
        self.adl_lots += taken
        self.places -= 1
        self.accounts.add(other)

    def turn_round(self, hedged: bool) -> None:
        """Rank the counterparties of the round in which an event stands."""
        if self.round is not None and hedged == self.hedged:
            return
        if hedged and self.round is None:
            first = round_of(self.worth, self.account, self.market, self.price, False, 1)
            if first:  # lots that hedge nothing were passed by
                self.round = []
                return
        elif self.round:
            self.round = []
            return
        self.hedged = hedged
        self.round = round_of(
            self.worth, self.account, self.market, self.price, hedged, self.places
        )

    # --- after -------------------------------------------------------------------------------
    def liquidated(self, event: Event) -> Iterator[str]:
        """The receipt that closes a step."""
        worth, step = self.worth, event["code"]
        cancels = step == LiquidationStep.CANCELLED_ORDERS
        vaults = (LiquidationStep.TAKEN_BY_VAULT, LiquidationStep.PAID_BY_INSURANCE)
        mark = 0 if cancels and not self.market else worth.markets[self.market].mark
        other = worth.vault if step in vaults and self.size else 0
        said = (
            ("the state", event["end"], self.standing),
            ("the side", event["side"], int(self.size <= 0)),
            ("the mark", event["mark_ticks"], mark),
            ("the price", event["price_ticks"], self.price),
            ("the position", event["position"], self.size),
            ("the worth before", event["equity_before_e6"], self.equity),
            ("the requirement before", event["maintenance_before_e6"], self.maintenance),
            ("the fee", event["fee_e6"], 0),
            ("the other side", event["counter_account"], other),
        )
        for what, one, true in said:
            yield from differs(f"account {self.account}: {what}", one, true)
        yield from self.amounts(event)
        bucket = self.bucket
        after = worth.equity(self.account, bucket)
        needed = worth.maintenance(self.account, bucket)
        yield from differs("the worth after", event["equity_after_e6"], after)
        yield from differs("the requirement after", event["maintenance_after_e6"], needed)

    def amounts(self, event: Event) -> Iterator[str]:
        """Lots and money of a step, by its kind; the flows sum to zero."""
        step, lots = event["code"], event["lots"]
        market = self.worth.markets[self.market]
        value = self.sign * event["price_ticks"] * lots * market.quantum_e6
        if step == LiquidationStep.SOLD_ON_BOOK:
            value = self.filled_e6
            yield from differs("the lots sold", lots, self.filled_lots)
            yield from self.share(event)
            if lots > self.slice:
                yield f"{lots} lots were sold, the slice is {self.slice}"
            self.worth.move(self.account, self.market, -event["fund_e6"])
        elif step == LiquidationStep.DELEVERAGED:
            yield from differs("the lots deleveraged", lots, self.adl_lots)
            if self.need and self.round:
                yield f"{self.need} lots were left although somebody had them"
        elif step == LiquidationStep.TAKEN_BY_VAULT:
            yield from self.taken(lots, event["price_ticks"])
            if self.standing != FULL:
                yield "the vault takes over from a close-out alone"
        elif step == LiquidationStep.PAID_BY_INSURANCE:
            yield from differs("what the funds paid", -event["fund_e6"], self.loss)
            own = min(self.loss, self.own_before)
            yield from differs("what the market's fund paid", self.own_paid, own)
            if self.standing != BANKRUPT:
                yield "the funds pay for a bankrupt bucket alone"
            self.worth.move(self.account, self.market, -event["fund_e6"])
            if self.size:
                yield from self.taken(lots, event["price_ticks"])
            else:
                yield from differs("the lots of a closed position", lots, 0)
                self.worth.close_if_empty(self.account, self.market)
        else:
            value = 0
            left = step == LiquidationStep.LEFT_OPEN
            yield from differs("the count", lots, abs(self.size) if left else self.cancelled)
            if step not in (LiquidationStep.LEFT_OPEN, LiquidationStep.CANCELLED_ORDERS):
                yield f"there is no step {step}"
        yield from differs("what the fund got", event["fund_e6"], self.fund_e6)
        total = event["cash_e6"] + event["fund_e6"] + event["fee_e6"]
        yield from differs("the sum of the flows", total, value)

    def share(self, event: Event) -> Iterator[str]:
        """Of the improvement over the zero price the fund takes its part, rounded up.

        What a bankrupt bucket's lots got less than the mark and their part of the debt the funds
        pay: the market's own first.
        """
        market = self.worth.markets[self.market]
        insured = self.standing == BANKRUPT
        price = market.mark if insured else self.price
        least = self.sign * price * self.filled_lots * market.quantum_e6
        better = self.filled_e6 - least - (self.loss if insured else 0)
        if better < 0 and insured:
            yield from differs("what the funds paid", event["fund_e6"], better)
            yield from differs("the market's fund", self.own_paid, min(-better, self.own_before))
            return
        if better < 0:
            yield f"account {self.account} sold at worse than its zero price"
        part = ppm_up(abs(self.filled_e6), market.risk["liquidation_fee_ppm"])
        yield from differs("the fund's part", event["fund_e6"], max(0, min(better, part)))

    def taken(self, lots: int, price: int) -> Iterator[str]:
        """Lots went to the vault."""
        if not 0 < lots <= abs(self.size):
            yield f"the vault took {lots} of {abs(self.size)} lots"
        worth, vault = self.worth, self.worth.vault
        worth.trade(self.account, self.market, -self.sign * lots, price)
        worth.trade(vault, self.market, self.sign * lots, price)
        self.accounts.add(vault)
