"""Market-maker protection: groups of quotes that are pulled when too much of them has traded.

What a group's resting orders trade is counted in half windows: this one, the one before and the
one before that, which together span at least the window and at most one and a half. When a limit
is reached the group is frozen and all its resting orders are cancelled before the taker meets the
next one, so that a group trades at most one resting order beyond its limit. Lots count whatever
their side; delta is the net worth bought less sold, of a series that of what it moves with, by its
delta of the last tick; vega is that of series, for one hundredth of volatility.
"""

from dataclasses import dataclass

from quorate.execution import rules, series_rules
from quorate.execution.spec.book import order_cancel
from quorate.execution.spec.clearing_rows import Group
from quorate.execution.spec.context import Context
from quorate.execution.spec.margin import room_covered
from quorate.execution.spec.rows import Account, Market, Order
from quorate.execution.spec.tables import Tables, insert, remove
from quorate.types.codes import End, EventKind, MarketKind, Reject, Side
from quorate.types.limits import (
    GROUP_NUMBER_MAX,
    GROUP_WINDOW_MS_MAX,
    GROUPS_MAX,
    GROUPS_PER_ACCOUNT_MAX,
    TIME_MS_MAX,
    VOLUME_MAX_E6,
)
from quorate.types.records import Table


@dataclass(slots=True)
class Tentative:
    """What a dry run has traded with a group, and whether that would freeze it."""

    lots: int = 0
    delta_e6: int = 0
    vega_e6: int = 0
    hit: bool = False


def group_find(t: Tables, account_slot: int, number: int) -> int:
    """Slot of an account's group, or 0."""
    slot: int = t.row(Table.ACCOUNTS, account_slot).groups_head
    while slot:
        row = t.row(Table.GROUPS, slot)
        if row.number == number:
            return slot
        slot = row.account_next
    return 0


def group_code(c: Context, number: int) -> tuple[Reject, int]:
    """Whether the account may rest orders in a group now, and the group's slot."""
    if not 0 < number <= GROUP_NUMBER_MAX:
        return Reject.FIELD_MUST_BE_IN_RANGE, 0
    slot = group_find(c.t, c.account, number)
    if not slot:
        return Reject.GROUP_MUST_EXIST, 0
    if c.t.row(Table.GROUPS, slot).frozen_until_ms > c.time_ms:
        return Reject.GROUP_FROZEN_WAIT, 0
    return Reject.OK, slot


# --- the command ---------------------------------------------------------------------------------
def set_group(c: Context, limits: Group) -> tuple[Reject, int]:
    """Set a group's limits anew, thaw it and begin to count from zero.

    A window of 0 cancels the group's orders and ends it. Returns how many orders that cancelled.
    """
    if not 0 < limits.number <= GROUP_NUMBER_MAX or limits.window_ms > GROUP_WINDOW_MS_MAX:
        return Reject.FIELD_MUST_BE_IN_RANGE, 0
    if limits.freeze_ms > TIME_MS_MAX // 4:
        return Reject.FIELD_MUST_BE_IN_RANGE, 0
    slot = group_find(c.t, c.account, limits.number)
    if not limits.window_ms:
        if not slot:
            return Reject.GROUP_MUST_EXIST, 0
        cancelled = group_cancel(c, c.account, slot, 0, End.USER)
        group_drop(c.t, slot)
        return Reject.OK, cancelled
    if slot:
        row = c.t.row(Table.GROUPS, slot)
        limits.account, limits.account_next = row.account, row.account_next
        limits.hits_count = row.hits_count
        c.t.put(Table.GROUPS, slot, limits)
        return Reject.OK, 0
    account: Account = c.t.row(Table.ACCOUNTS, c.account)
    if account.groups_count >= GROUPS_PER_ACCOUNT_MAX:
        return Reject.GROUPS_TOO_MANY, 0
    if not room_covered(c.t, account):
        return Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE, 0
    ledger = c.t.row(Table.LEDGER, 0)
    if not ledger.groups_free and ledger.groups_high >= GROUPS_MAX:
        return Reject.TABLE_FULL_SEND_LATER, 0
    limits.account, limits.account_next = c.account, account.groups_head
    account.groups_head = insert(c.t, Table.GROUPS, limits)
    account.groups_count += 1
    c.t.put(Table.ACCOUNTS, c.account, account)
    return Reject.OK, 0


def group_drop(t: Tables, slot: int) -> None:
    """Take a group out of its account's list and free its row."""
    row = t.row(Table.GROUPS, slot)
    account = t.row(Table.ACCOUNTS, row.account)
    account.groups_count -= 1
    if account.groups_head == slot:
        account.groups_head = row.account_next
    else:
        before = account.groups_head
        while t.row(Table.GROUPS, before).account_next != slot:
            before = t.row(Table.GROUPS, before).account_next
        other = t.row(Table.GROUPS, before)
        other.account_next = row.account_next
        t.put(Table.GROUPS, before, other)
    t.put(Table.ACCOUNTS, row.account, account)
    remove(t, Table.GROUPS, slot)


def group_cancel(
    c: Context, account_slot: int, group_slot: int, market_slot: int, end: End
) -> int:
    """Cancel a group's resting orders, in one market or (0) in all, newest first; how many."""
    cancelled = 0
    slot = c.t.row(Table.ACCOUNTS, account_slot).orders_head
    while slot:
        order = c.t.row(Table.ORDERS, slot)
        if order.group_slot == group_slot and market_slot in (0, order.market):
            order_cancel(c, slot, end)
            cancelled += 1
        slot = order.account_next
    return cancelled


# --- counting ------------------------------------------------------------------------------------
def window_moved(row: Group, time_ms: int) -> None:
    """Bring the counts of a group up to the half window of a time."""
    half = rules.half_window(time_ms, row.window_ms)
    steps = half - row.half
    row.half = half
    if steps == 0:
        return
    if steps == 1:
        row.lots_old, row.lots_before = row.lots_before, row.lots_now
        row.delta_old_e6, row.delta_before_e6 = row.delta_before_e6, row.delta_now_e6
        row.vega_old_e6, row.vega_before_e6 = row.vega_before_e6, row.vega_now_e6
    else:
        row.lots_old = row.lots_now if steps == 2 else 0
        row.delta_old_e6 = row.delta_now_e6 if steps == 2 else 0
        row.vega_old_e6 = row.vega_now_e6 if steps == 2 else 0
        row.lots_before = row.delta_before_e6 = row.vega_before_e6 = 0
    row.lots_now = row.delta_now_e6 = row.vega_now_e6 = 0


def limits_reached(row: Group) -> bool:
    """Whether what was counted reaches one of the group's limits."""
    return (
        rules.limit_reached(row.lots_now, row.lots_before, row.lots_old, row.lots_max)
        or rules.limit_reached(
            row.delta_now_e6, row.delta_before_e6, row.delta_old_e6, row.delta_max_e6
        )
        or rules.limit_reached(
            row.vega_now_e6, row.vega_before_e6, row.vega_old_e6, row.vega_max_e6
        )
    )


def exposure(t: Tables, order: Order, market: Market, lots: int, price: int) -> tuple[int, int]:
    """Delta and vega of a fill for the holder of an order, in 1e-6 quote."""
    delta, vega = rules.notional(price, lots, market.quantum_e6), 0
    if market.kind == MarketKind.SERIES:
        row = t.row(Table.SERIES, order.market)
        forward = t.row(Table.FEEDS, t.row(Table.RISK, order.market).feed).price_ticks
        quantum = market.quantum_e6
        delta = series_rules.exposure_e6(lots, quantum, forward, row.delta_fp)
        vega = series_rules.exposure_e6(lots, quantum, forward, row.vega_fp // 100)
    return (-delta, -vega) if order.side == Side.SELL else (delta, vega)


def counted(row: Group, time_ms: int, lots: int, moved: tuple[int, int]) -> bool:
    """Count a fill of a group's order in a copy of its row; whether that reaches a limit."""
    window_moved(row, time_ms)
    row.lots_now = rules.sum_bounded(row.lots_now + lots, VOLUME_MAX_E6)
    row.delta_now_e6 = rules.sum_bounded(row.delta_now_e6 + moved[0], VOLUME_MAX_E6)
    row.vega_now_e6 = rules.sum_bounded(row.vega_now_e6 + moved[1], VOLUME_MAX_E6)
    return limits_reached(row)


def group_filled(c: Context, order: Order, market: Market, lots: int, price: int) -> bool:
    """Count a maker's fill towards its group's limits; freeze and pull the group at a limit."""
    row = c.t.row(Table.GROUPS, order.group_slot)
    hit = counted(row, c.time_ms, lots, exposure(c.t, order, market, lots, price))
    c.t.put(Table.GROUPS, order.group_slot, row)
    if hit:
        protect(c, order.group_slot)
    return hit


def protect(c: Context, slot: int) -> None:
    """Freeze a group, cancel its orders, and begin to count from zero."""
    row = c.t.row(Table.GROUPS, slot)
    lots = row.lots_now + row.lots_before + row.lots_old
    delta = row.delta_now_e6 + row.delta_before_e6 + row.delta_old_e6
    vega = row.vega_now_e6 + row.vega_before_e6 + row.vega_old_e6
    row.frozen_until_ms = c.time_ms + row.freeze_ms if row.freeze_ms else TIME_MS_MAX
    row.hits_count += 1
    row.lots_now = row.lots_before = row.lots_old = 0
    row.delta_now_e6 = row.delta_before_e6 = row.delta_old_e6 = 0
    row.vega_now_e6 = row.vega_before_e6 = row.vega_old_e6 = 0
    account, number, until = row.account, row.number, row.frozen_until_ms
    c.t.put(Table.GROUPS, slot, row)
    cancelled = group_cancel(c, account, slot, 0, End.PROTECTION)
    words = (number, lots, delta, vega, until, cancelled)
    c.emit_words(EventKind.PROTECTED, *words, account=account)


# --- dry runs ------------------------------------------------------------------------------------
def group_would_hit(
    c: Context, tentative: dict[int, Tentative], order: Order, market: Market, lots: int
) -> bool:
    """Count a dry run's fill; whether it would freeze the group."""
    seen = tentative.setdefault(order.group_slot, Tentative())
    delta, vega = exposure(c.t, order, market, lots, order.price)
    seen.lots = rules.sum_bounded(seen.lots + lots, VOLUME_MAX_E6)
    seen.delta_e6 = rules.sum_bounded(seen.delta_e6 + delta, VOLUME_MAX_E6)
    seen.vega_e6 = rules.sum_bounded(seen.vega_e6 + vega, VOLUME_MAX_E6)
    row = c.t.row(Table.GROUPS, order.group_slot)
    seen.hit = counted(row, c.time_ms, seen.lots, (seen.delta_e6, seen.vega_e6))
    return seen.hit
