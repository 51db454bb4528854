"""Liquidation: a state machine of one step a tick for each bucket below maintenance (FORMULAS 5).

The buckets of all accounts are looked at; those with the lowest equity over maintenance are worked
on, compared exactly. Each is judged again when its turn comes, since a step before may have changed
it. Whatever cannot be done ends in a market put in quarantine, never in an exception.
"""

from dataclasses import dataclass, field
from functools import cmp_to_key

from quorate.execution import risk_rules, rules, wide
from quorate.execution.spec.accounts import gated
from quorate.execution.spec.book import best_level, order_cancel
from quorate.execution.spec.closing import (
    Closing,
    bucket_move,
    closing_of,
    closing_price,
    in_bucket,
    loss_share_e6,
    market_after,
    market_greatest,
    receipt,
    value_e6,
    workable,
)
from quorate.execution.spec.context import Context
from quorate.execution.spec.deleverage import deleverage
from quorate.execution.spec.hedging import hedge_of
from quorate.execution.spec.insurance import (
    fund_e6,
    fund_move,
    insurance_holds,
    insurance_pays,
)
from quorate.execution.spec.insured_sale import sell_insured
from quorate.execution.spec.margin import CROSS, bucket_of, bucket_worth, standing_of
from quorate.execution.spec.match import take
from quorate.execution.spec.positions import position_close_if_empty, position_of
from quorate.execution.spec.rows import Account
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Taker
from quorate.execution.spec.vault import disposal_tick, take_over
from quorate.types.clearing_codes import (
    InsuranceFlow,
    LiquidationStep,
    Phase,
    Standing,
    Switch,
)
from quorate.types.codes import End, EventKind, MarketStatus, Side, Tif
from quorate.types.limits import (
    BANKRUPT_ROUNDS_PER_TICK_MAX,
    DEBTS_DUST_E6,
    DEBTS_FUND_PART,
    DELEVERAGINGS_PER_TICK_MAX,
    INSURANCE_MAX_E6,
    LIQUIDATION_CANCELS_PER_TICK,
    LIQUIDATION_TURNS_PER_TICK,
    LIQUIDATIONS_PER_TICK_MAX,
    PPM,
)
from quorate.types.records import POSITION_ISOLATED, Table


@dataclass(slots=True)
class Candidate:
    """A bucket below maintenance, as the scan found it."""

    account: int
    bucket: int
    equity_e6: int
    maintenance_e6: int


@dataclass(slots=True)
class Work:
    """What a tick has done so far: buckets in which more happened than the cancelling of orders,
    deleveragings, orders cancelled; markets and sides in which nobody could be deleveraged.
    """

    steps: int = 0
    deleveragings: int = 0
    cancels: int = 0
    barren: list[tuple[int, int]] = field(default_factory=list)


def liquidation_tick(c: Context) -> None:
    """Phase 5 of a tick: scan, liquidate, dispose. A halted or post-only venue only scans."""
    found = candidates(c.t)
    debts_note(c)
    if c.t.row(Table.PARAMETERS, 0).switch in (MarketStatus.POST_ONLY, MarketStatus.HALTED):
        return
    work = Work()
    for each in found:
        if work.steps >= c.t.row(Table.PARAMETERS, 0).liquidations_max:
            break
        c.account = each.account
        work.steps += liquidate(c, work, each.account, each.bucket)
    disposal_tick(c)
    c.account = 0


# --- the scan ------------------------------------------------------------------------------------
def candidates(t: Tables) -> list[Candidate]:
    """The worst buckets below maintenance that can be worked on, in the order of their turn.

    When there are more than a tick looks at, some places go to all in turn, from the ledger's
    cursor on: else buckets that nobody takes could hold back those behind them for good.
    """
    ledger = t.row(Table.LEDGER, 0)
    found = []
    for account in range(1, ledger.accounts_high):
        row = t.row(Table.ACCOUNTS, account)
        if account == ledger.vault:
            continue
        for bucket in buckets_of(row):
            worth = bucket_worth(t, row, bucket)
            below = worth.equity < worth.maintenance and workable(t, row, bucket)
            if below or coverable(t, row, bucket):
                found.append(Candidate(account, bucket, worth.equity, worth.maintenance))
        if row.standing and not in_debt(t, row):
            debtor_mark(t, account, Standing.HEALTHY)
    ranked = sorted(found, key=cmp_to_key(goes_first))
    worst = ranked[: LIQUIDATIONS_PER_TICK_MAX - LIQUIDATION_TURNS_PER_TICK]
    ledger, cursor = t.row(Table.LEDGER, 0), 0
    if len(ranked) > len(worst):
        waiting = [each for each in found if each.account >= ledger.scan_cursor]
        waiting = waiting[:LIQUIDATION_TURNS_PER_TICK]
        if len(waiting) == LIQUIDATION_TURNS_PER_TICK:
            # The last account may have more buckets; one that fills all places is passed.
            cursor = waiting[-1].account + (waiting[0].account == waiting[-1].account)
        waiting = [each for each in waiting if each not in worst]
        worst += sorted(waiting, key=cmp_to_key(goes_first))
    ledger.scan_cursor = cursor
    t.put(Table.LEDGER, 0, ledger)
    return worst


def coverable(t: Tables, row: Account, bucket: int) -> bool:
    """Whether a bucket without lots is in debt and its funds can pay of that."""
    return debt_without_lots(t, row, bucket) > 0 and insurance_holds(t, bucket) > 0


def debt_without_lots(t: Tables, row: Account, bucket: int) -> int:
    """What a bucket owes once its positions are closed; the cross bucket where series settle."""
    if bucket == CROSS:
        held = any(each.size for each in row.positions if in_bucket(each, CROSS))
        return 0 if held or not t.row(Table.LEDGER, 0).series_high else max(-row.cash_e6, 0)
    position = position_of(row, bucket)
    return max(-position.isolated_e6, 0) if position and not position.size else 0


def buckets_of(row: Account) -> list[int]:
    """The cross bucket and every isolated one of an account, in the order of its rows."""
    isolated = [each.key for each in row.positions if each.flags & POSITION_ISOLATED]
    return [CROSS, *isolated]


def debts_note(c: Context) -> None:
    """Sum what all buckets below zero owe, whether they wait or not; it gates withdrawals.

    A small part of the venue's fund stands behind them: what others have won from them is there,
    up to it, so that nobody's few dollars shut the venue; and no more of it, since what a market
    may draw is capped.
    """
    ledger = c.t.row(Table.LEDGER, 0)
    debts = 0
    for account in range(1, ledger.accounts_high):
        row = c.t.row(Table.ACCOUNTS, account)
        for bucket in buckets_of(row):
            debts += max(-bucket_worth(c.t, row, bucket).equity, 0)
    closed, before = ledger.debts_e6 > DEBTS_DUST_E6, gated(c)
    backed = ledger.insurance_e6 // DEBTS_FUND_PART
    ledger.debts_e6 = max(min(debts, INSURANCE_MAX_E6) - backed, 0)
    c.t.put(Table.LEDGER, 0, ledger)
    if closed != (ledger.debts_e6 > DEBTS_DUST_E6):
        words = (int(gated(c)), int(before), ledger.gate_until_ms)
        c.emit_words(EventKind.SWITCHED, *words, code=Switch.GATE)


def in_debt(t: Tables, row: Account) -> bool:
    """Whether a bucket of the account is worth less than nothing."""
    return any(bucket_worth(t, row, bucket).equity < 0 for bucket in buckets_of(row))


def goes_first(one: Candidate, other: Candidate) -> int:
    """-1 if `one` has its turn before `other`: lower equity over maintenance, account, bucket."""
    left = (one.equity_e6, other.maintenance_e6)
    right = (other.equity_e6, one.maintenance_e6)
    if not wide.products_in_order(*right, *left):
        return -1
    if not wide.products_in_order(*left, *right):
        return 1
    return -1 if (one.account, one.bucket) < (other.account, other.bucket) else 1


# --- one bucket ----------------------------------------------------------------------------------
def liquidate(c: Context, work: Work, account: int, bucket: int) -> bool:
    """One step of a bucket, by its standing once its orders are gone; whether it counts.

    Orders that went do not count: an account could place new ones for every tick and so hold back
    the buckets behind it. Their number has a bound of its own; whose orders pass it waits.
    """
    if cover(c, account, bucket):
        return True
    standing = standing_now(c, account, bucket)
    orders = c.t.row(Table.ACCOUNTS, account).orders_count
    if standing == Standing.HEALTHY or work.cancels + orders > LIQUIDATION_CANCELS_PER_TICK:
        return False
    work.cancels += orders_cancel(c, account, bucket, standing)
    before = len(c.events)
    standing = standing_now(c, account, bucket)
    if standing == Standing.PARTIAL:
        liquidate_partial(c, account, bucket)
    elif standing == Standing.FULL:
        liquidate_full(c, work, account, bucket)
    elif standing == Standing.BANKRUPT:
        liquidate_bankrupt(c, work, account, bucket)
    return len(c.events) > before


def cover(c: Context, account: int, bucket: int) -> bool:
    """Have the funds pay what closed positions have left owing, as far as they reach; whether they
    did. No lots are left that could owe it anew.
    """
    row = c.t.row(Table.ACCOUNTS, account)
    debt = debt_without_lots(c.t, row, bucket)
    if debt:
        debt = min(debt, insurance_holds(c.t, bucket))
    if not debt or not insurance_pays(c, bucket, debt):
        return False
    closing = closing_of(c, account, bucket, bucket, Standing.BANKRUPT)
    bucket_move(c, account, bucket, debt)
    row = c.t.row(Table.ACCOUNTS, account)
    position_close_if_empty(row, bucket, traded=True)
    c.t.put(Table.ACCOUNTS, account, row)
    receipt(c, closing, LiquidationStep.PAID_BY_INSURANCE, 0, 0, -debt, debt)
    return True


def standing_now(c: Context, account: int, bucket: int) -> Standing:
    """Standing of a bucket that is below maintenance and can be worked on; HEALTHY for others."""
    row = c.t.row(Table.ACCOUNTS, account)
    worth = bucket_worth(c.t, row, bucket)
    if worth.equity >= worth.maintenance or not workable(c.t, row, bucket):
        return Standing.HEALTHY
    return standing_of(worth)


def orders_cancel(c: Context, account: int, bucket: int, standing: Standing) -> int:
    """Cancel every open order of a bucket, newest first; the receipt's lots count them."""
    closing = closing_of(c, account, bucket, bucket, standing)
    count = 0
    slot = c.t.row(Table.ACCOUNTS, account).orders_head
    while slot:
        order = c.t.row(Table.ORDERS, slot)
        if bucket_of(c.t.row(Table.ACCOUNTS, account), order.market) == bucket:
            order_cancel(c, slot, End.LIQUIDATION)
            count += 1
        slot = order.account_next
    if count:
        receipt(c, closing, LiquidationStep.CANCELLED_ORDERS, 0, count, 0, 0)
    return count


def liquidate_partial(c: Context, account: int, bucket: int) -> None:
    """A hedge where one trades, else a slice of the position whose closing frees most."""
    hedge = hedge_of(c, account, bucket)
    if hedge:
        closing, price = hedge
        if offer(c, closing, abs(closing.size), price, LiquidationStep.HEDGED):
            return
    market_slot = market_greatest(c.t, c.t.row(Table.ACCOUNTS, account), bucket)
    sell(c, closing_of(c, account, bucket, market_slot, Standing.PARTIAL))


def liquidate_full(c: Context, work: Work, account: int, bucket: int) -> None:
    """Close-out: the vault first; of what it leaves, a slice on the book, else deleveraged.

    It ends as soon as what was taken has lifted the bucket to another standing: prices are whole
    ticks, rounded so that its health never falls.
    """
    market_slot = 0
    while standing_now(c, account, bucket) == Standing.FULL:
        row = c.t.row(Table.ACCOUNTS, account)
        market_slot = market_after(c.t, row, bucket, market_slot)
        if not market_slot:
            break
        take_over(c, closing_of(c, account, bucket, market_slot, Standing.FULL))
    if standing_now(c, account, bucket) != Standing.FULL:
        return
    market_slot = market_greatest(c.t, c.t.row(Table.ACCOUNTS, account), bucket)
    closing = closing_of(c, account, bucket, market_slot, Standing.FULL)
    if sell(c, closing):
        return
    side = (closing.market, closing.sign)
    if side not in work.barren and work.deleveragings < DELEVERAGINGS_PER_TICK_MAX:
        work.deleveragings += 1
        done, exhausted = deleverage(c, closing, slice_lots(c, closing))
        if exhausted and not done:
            work.barren.append(side)


def liquidate_bankrupt(c: Context, work: Work, account: int, bucket: int) -> None:
    """Market by market: the book, the vault, else deleveraging; what stays is left open."""
    market_slot = 0
    while standing_now(c, account, bucket) == Standing.BANKRUPT:
        row = c.t.row(Table.ACCOUNTS, account)
        market_slot = market_after(c.t, row, bucket, market_slot)
        if not market_slot:
            return
        close_bankrupt(c, work, account, bucket, market_slot)


def close_bankrupt(c: Context, work: Work, account: int, bucket: int, market_slot: int) -> None:
    """Work off a bankrupt position: in each round the first of book, vault and others that takes.

    After so many rounds the book may still take more: the rest waits for the next tick.
    """
    for _ in range(BANKRUPT_ROUNDS_PER_TICK_MAX):
        if standing_now(c, account, bucket) != Standing.BANKRUPT:
            return
        closing = closing_of(c, account, bucket, market_slot, Standing.BANKRUPT)
        if not closing.size:
            return
        if sell_insured(c, closing) or take_over(c, closing):
            continue
        if work.deleveragings < DELEVERAGINGS_PER_TICK_MAX:
            work.deleveragings += 1
            _, exhausted = deleverage(c, closing, abs(closing.size))
            if exhausted:
                leave_open(c, closing_of(c, account, bucket, market_slot, Standing.BANKRUPT))
        return


# --- on the book ---------------------------------------------------------------------------------
def slice_lots(c: Context, closing: Closing) -> int:
    """Lots that one step offers: by worth at most slice_min_e6 or slice_ppm of the position."""
    market, risk = c.t.row(Table.MARKETS, closing.market), c.t.row(Table.RISK, closing.market)
    whole = abs(closing.size)
    least = risk.slice_min_e6 // (market.mark_ticks * market.quantum_e6)
    lots = max(whole * risk.slice_ppm // PPM, least) // market.lot_step * market.lot_step
    return int(min(max(lots, market.lot_step), whole))


def sell(c: Context, closing: Closing) -> int:
    """Offer a slice at its zero price; return the lots that traded."""
    lots = slice_lots(c, closing)
    price = closing_price(c.t, closing, lots)
    return offer(c, closing, lots, price, LiquidationStep.SOLD_ON_BOOK)


def offer(c: Context, closing: Closing, lots: int, price: int, step: LiquidationStep) -> int:
    """Offer lots immediate-or-cancel at their zero price; return those that traded.

    The taker pays no fee; of what it got over the zero price the market's fund takes its part.
    """
    side = Side.SELL if closing.size > 0 else Side.BUY
    market = c.t.row(Table.MARKETS, closing.market)
    level = best_level(market, 1 - side)
    if not level or not rules.crosses(side, price, c.t.row(Table.LEVELS, level).price):
        return 0
    taker = Taker(closing.market, side, Tif.IOC, 0, price, lots, remaining=lots)
    take(c, taker)
    if not taker.filled:
        return 0
    risk = c.t.row(Table.RISK, closing.market)
    got = closing.sign * taker.value_e6
    fee = risk_rules.insurance_delta(
        got, value_e6(c, closing, taker.filled, price), risk.liquidation_fee_ppm
    )
    fee = max(min(fee, INSURANCE_MAX_E6 - fund_e6(c, closing.market)), 0)
    if fee:
        bucket_move(c, closing.account, closing.market, -fee)
        fund_move(c, closing.market, fee, InsuranceFlow.FEE)
    receipt(c, closing, step, price, taker.filled, fee, got - fee)
    return taker.filled


# --- what nobody took ----------------------------------------------------------------------------
def leave_open(c: Context, closing: Closing) -> None:
    """Put the market in quarantine, count the account as a debtor, gate withdrawals."""
    risk = c.t.row(Table.RISK, closing.market)
    before, risk.phase = risk.phase, Phase.QUARANTINE
    risk.bad_debt_e6 += loss_share_e6(c.t, closing, abs(closing.size))
    c.t.put(Table.RISK, closing.market, risk)
    debtor_mark(c.t, closing.account, Standing.BANKRUPT)
    mark = c.t.row(Table.MARKETS, closing.market).mark_ticks
    receipt(c, closing, LiquidationStep.LEFT_OPEN, mark, abs(closing.size), 0, 0)
    words = (risk.phase, before)
    c.emit_words(EventKind.SWITCHED, *words, code=Switch.PHASE, market=closing.market)
    ledger = c.t.row(Table.LEDGER, 0)
    until = c.time_ms + c.t.row(Table.PARAMETERS, 0).gate_ms
    if until > ledger.gate_until_ms:
        gated = ledger.gate_until_ms > c.time_ms
        ledger.gate_until_ms = until
        c.t.put(Table.LEDGER, 0, ledger)
        c.emit_words(EventKind.SWITCHED, 1, int(gated), until, code=Switch.GATE)


def debtor_mark(t: Tables, account: int, standing: Standing) -> None:
    """Note in an account's row whether it owes what nobody covered, and count those that do."""
    row = t.row(Table.ACCOUNTS, account)
    if row.standing == standing:
        return
    row.standing = standing
    t.put(Table.ACCOUNTS, account, row)
    ledger = t.row(Table.LEDGER, 0)
    ledger.debtors_count += 1 if standing else -1
    t.put(Table.LEDGER, 0, ledger)
