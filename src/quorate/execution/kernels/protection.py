"""Market-maker protection; the same functions as `spec.protection`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import order_cancel
from quorate.execution.kernels.margin import room_covered
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import (
    exposure_e6,
    half_window,
    limit_reached,
    notional,
    sum_bounded,
)
from quorate.types.codes import End, EventKind, MarketKind, Reject, Side
from quorate.types.limits import (
    GROUP_NUMBER_MAX,
    GROUP_WINDOW_MS_MAX,
    GROUPS_MAX,
    GROUPS_PER_ACCOUNT_MAX,
    TIME_MS_MAX,
    VOLUME_MAX_E6,
)

i8 = np.int64
SELL, SERIES = int(Side.SELL), int(MarketKind.SERIES)
OK = int(Reject.OK)
FIELD_RANGE = int(Reject.FIELD_MUST_BE_IN_RANGE)
MUST_EXIST, FROZEN = int(Reject.GROUP_MUST_EXIST), int(Reject.GROUP_FROZEN_WAIT)
TOO_MANY, TABLE_FULL = int(Reject.GROUPS_TOO_MANY), int(Reject.TABLE_FULL_SEND_LATER)
INSUFFICIENT = int(Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE)
END_USER, END_PROTECTION = int(End.USER), int(End.PROTECTION)
PROTECTED = int(EventKind.PROTECTED)


@helper
def group_find(s, account, number):
    """Slot of an account's group, or 0."""
    slot = i8(s.accounts[account]["groups_head"])
    while slot:
        if i8(s.groups[slot]["number"]) == number:
            return slot
        slot = i8(s.groups[slot]["account_next"])
    return i8(0)


@helper
def group_code(s, number):
    """Whether the account may rest orders in a group now; its slot is left in the taker."""
    taker = s.taker[0]
    taker["group_slot"] = 0
    if number <= 0 or number > GROUP_NUMBER_MAX:
        return FIELD_RANGE
    slot = group_find(s, s.now[0]["account"], number)
    if not slot:
        return MUST_EXIST
    if s.groups[slot]["frozen_until_ms"] > s.now[0]["time_ms"]:
        return FROZEN
    taker["group_slot"] = slot
    return OK


# --- the command ---------------------------------------------------------------------------------
@helper
def set_group(s, command):
    """Set a group's limits anew, thaw it and begin to count from zero; a window of 0 ends it."""
    now = s.now[0]
    account = now["account"]
    number = i8(command["market"])
    window = command["price"]
    if number <= 0 or number > GROUP_NUMBER_MAX or window > GROUP_WINDOW_MS_MAX:
        return FIELD_RANGE
    if command["aux"] > TIME_MS_MAX // 4:
        return FIELD_RANGE
    slot = group_find(s, account, number)
    if not window:
        if not slot:
            return MUST_EXIST
        now["receipt_filled"] = group_cancel(s, account, slot, i8(0), i8(END_USER))
        group_drop(s, slot)
        return OK
    if not slot:
        ledger = s.ledger[0]
        if s.accounts[account]["groups_count"] >= GROUPS_PER_ACCOUNT_MAX:
            return TOO_MANY
        if not room_covered(s, account):
            return INSUFFICIENT
        if not ledger["groups_free"] and ledger["groups_high"] >= GROUPS_MAX:
            return TABLE_FULL
        slot = group_insert(s, account)
    row = s.groups[slot]
    row["number"] = number
    row["window_ms"] = window
    row["lots_max"] = command["size"]
    row["delta_max_e6"] = command["expiry_ms"]
    row["vega_max_e6"] = command["order_id"]
    row["freeze_ms"] = command["aux"]
    row["half"] = 0
    row["frozen_until_ms"] = 0
    counts_zero(s, slot)
    s.groups_dirty[slot] = 1
    return OK


@helper
def counts_zero(s, slot):
    """Begin to count from zero."""
    row = s.groups[slot]
    row["lots_now"] = 0
    row["lots_before"] = 0
    row["lots_old"] = 0
    row["delta_now_e6"] = 0
    row["delta_before_e6"] = 0
    row["delta_old_e6"] = 0
    row["vega_now_e6"] = 0
    row["vega_before_e6"] = 0
    row["vega_old_e6"] = 0


@helper
def group_insert(s, account):
    """A zeroed group row at the head of the account's list; return its slot."""
    ledger = s.ledger[0]
    slot = ledger["groups_free"]
    if slot:
        ledger["groups_free"] = i8(s.groups[slot]["free_next"])
        s.groups[slot]["free_next"] = 0
    else:
        slot = max(ledger["groups_high"], 1)
        if slot == 1:
            s.groups_dirty[0] = 1
        ledger["groups_high"] = slot + 1
    row = s.accounts[account]
    s.groups[slot]["account"] = account
    s.groups[slot]["account_next"] = row["groups_head"]
    row["groups_head"] = slot
    row["groups_count"] += 1
    s.accounts_dirty[account] = 1
    return slot


@helper
def group_drop(s, slot):
    """Take a group out of its account's list and free its row."""
    row = s.groups[slot]
    account = i8(row["account"])
    after = i8(row["account_next"])
    before = i8(s.accounts[account]["groups_head"])
    if before == slot:
        s.accounts[account]["groups_head"] = after
    else:
        while i8(s.groups[before]["account_next"]) != slot:
            before = i8(s.groups[before]["account_next"])
        s.groups[before]["account_next"] = after
        s.groups_dirty[before] = 1
    s.accounts[account]["groups_count"] -= 1
    s.accounts_dirty[account] = 1
    row["account"] = 0
    row["number"] = 0
    row["account_next"] = 0
    row["window_ms"] = 0
    row["lots_max"] = 0
    row["delta_max_e6"] = 0
    row["vega_max_e6"] = 0
    row["freeze_ms"] = 0
    row["half"] = 0
    row["frozen_until_ms"] = 0
    row["hits_count"] = 0
    counts_zero(s, slot)
    row["free_next"] = s.ledger[0]["groups_free"]
    s.ledger[0]["groups_free"] = slot
    s.groups_dirty[slot] = 1


@helper
def group_cancel(s, account, group_slot, market, end):
    """Cancel a group's resting orders, in one market or (0) in all, newest first; how many."""
    cancelled = i8(0)
    slot = i8(s.accounts[account]["orders_head"])
    while slot:
        order = s.orders[slot]
        following = i8(order["account_next"])
        if i8(order["group_slot"]) == group_slot:
            if market == 0 or i8(order["market"]) == market:
                order_cancel(s, slot, end)
                cancelled += 1
        slot = following
    return cancelled


# --- counting ------------------------------------------------------------------------------------
@helper
def window_moved(s, slot):
    """Bring the counts of a group up to the present half window."""
    row = s.groups[slot]
    half = half_window(s.now[0]["time_ms"], row["window_ms"])
    steps = half - row["half"]
    if steps == 0:
        return
    row["half"] = half
    s.groups_dirty[slot] = 1
    if steps == 1:
        row["lots_old"] = row["lots_before"]
        row["lots_before"] = row["lots_now"]
        row["delta_old_e6"] = row["delta_before_e6"]
        row["delta_before_e6"] = row["delta_now_e6"]
        row["vega_old_e6"] = row["vega_before_e6"]
        row["vega_before_e6"] = row["vega_now_e6"]
    else:
        row["lots_old"] = row["lots_now"] if steps == 2 else 0
        row["delta_old_e6"] = row["delta_now_e6"] if steps == 2 else 0
        row["vega_old_e6"] = row["vega_now_e6"] if steps == 2 else 0
        row["lots_before"] = 0
        row["delta_before_e6"] = 0
        row["vega_before_e6"] = 0
    row["lots_now"] = 0
    row["delta_now_e6"] = 0
    row["vega_now_e6"] = 0


@helper
def reaches(steps, now, before, old, more, most):
    """Whether three counts, moved by so many halves and with `more` in this one, reach a limit."""
    if steps == 1:
        old = before
        before = now
        now = i8(0)
    elif steps != 0:
        old = now if steps == 2 else i8(0)
        before = i8(0)
        now = i8(0)
    return limit_reached(sum_bounded(now + more, i8(VOLUME_MAX_E6)), before, old, most)


@helper
def limits_reached(s, slot, lots, delta, vega):
    """Whether what was counted, with so much more in this half, reaches one of the limits."""
    row = s.groups[slot]
    steps = half_window(s.now[0]["time_ms"], row["window_ms"]) - row["half"]
    if reaches(
        steps, row["lots_now"], row["lots_before"], row["lots_old"], lots, row["lots_max"]
    ):
        return True
    before, old = row["delta_before_e6"], row["delta_old_e6"]
    if reaches(steps, row["delta_now_e6"], before, old, delta, row["delta_max_e6"]):
        return True
    before, old = row["vega_before_e6"], row["vega_old_e6"]
    return reaches(steps, row["vega_now_e6"], before, old, vega, row["vega_max_e6"])


@helper
def fill_delta(s, side, market, price, lots):
    """Delta of a fill for the holder of an order, in 1e-6 quote; see `spec.protection.exposure`."""
    row = s.markets[market]
    value = notional(price, lots, row["quantum_e6"])
    if row["kind"] == SERIES:
        forward = s.feeds[s.risk[market]["feed"]]["price_ticks"]
        value = i8(exposure_e6(lots, row["quantum_e6"], forward, s.series[market]["delta_fp"]))
    return -value if side == SELL else value


@helper
def fill_vega(s, side, market, lots):
    """Vega of a fill for the holder of an order, in 1e-6 quote; 0 but of series."""
    row = s.markets[market]
    if row["kind"] != SERIES:
        return i8(0)
    forward = s.feeds[s.risk[market]["feed"]]["price_ticks"]
    part = s.series[market]["vega_fp"] // 100
    value = i8(exposure_e6(lots, row["quantum_e6"], forward, part))
    return -value if side == SELL else value


@helper
def group_filled(s, slot, side, market, price, lots):
    """Count a maker's fill towards its group's limits; freeze and pull the group at a limit.

    slot: of the group. side, price: of the maker's order. Returns whether a limit was reached.
    """
    window_moved(s, slot)
    row = s.groups[slot]
    value = fill_delta(s, side, market, price, lots)
    vega = fill_vega(s, side, market, lots)
    row["vega_now_e6"] = sum_bounded(row["vega_now_e6"] + vega, i8(VOLUME_MAX_E6))
    row["lots_now"] = sum_bounded(row["lots_now"] + lots, i8(VOLUME_MAX_E6))
    row["delta_now_e6"] = sum_bounded(row["delta_now_e6"] + value, i8(VOLUME_MAX_E6))
    s.groups_dirty[slot] = 1
    if limits_reached(s, slot, i8(0), i8(0), i8(0)):
        protect(s, slot)
        return True
    return False


@helper
def protect(s, slot):
    """Freeze a group, cancel its orders, and begin to count from zero."""
    row = s.groups[slot]
    lots = row["lots_now"] + row["lots_before"] + row["lots_old"]
    delta = row["delta_now_e6"] + row["delta_before_e6"] + row["delta_old_e6"]
    vega = row["vega_now_e6"] + row["vega_before_e6"] + row["vega_old_e6"]
    until = s.now[0]["time_ms"] + row["freeze_ms"]
    if not row["freeze_ms"]:
        until = i8(TIME_MS_MAX)
    row["frozen_until_ms"] = until
    row["hits_count"] += 1
    counts_zero(s, slot)
    s.groups_dirty[slot] = 1
    account = i8(row["account"])
    cancelled = group_cancel(s, account, slot, i8(0), i8(END_PROTECTION))
    emit_words(
        s, PROTECTED, 0, 0, 0, 0, account, 0,
        i8(row["number"]), lots, delta, vega, until, cancelled, 0, 0, 0, 0, 0,
    )  # fmt: skip


# --- dry runs ------------------------------------------------------------------------------------
@helper
def group_seen(s, slot):
    """Look at a group, once per command: nothing tentative yet, not frozen."""
    stamp = s.taker[0]["stamp"]
    if s.group_stamp[slot] != stamp:
        s.group_stamp[slot] = stamp
        s.group_lots[slot] = 0
        s.group_delta[slot] = 0
        s.group_vega[slot] = 0
        s.group_hit[slot] = 0


@helper
def group_would_hit(s, slot, side, market, price, lots):
    """Count a dry run's fill; whether it would freeze the group."""
    group_seen(s, slot)
    value = fill_delta(s, side, market, price, lots)
    vega = fill_vega(s, side, market, lots)
    s.group_vega[slot] = sum_bounded(s.group_vega[slot] + vega, i8(VOLUME_MAX_E6))
    s.group_lots[slot] = sum_bounded(s.group_lots[slot] + lots, i8(VOLUME_MAX_E6))
    s.group_delta[slot] = sum_bounded(s.group_delta[slot] + value, i8(VOLUME_MAX_E6))
    lots, value, vega = s.group_lots[slot], s.group_delta[slot], s.group_vega[slot]
    hit = limits_reached(s, slot, lots, value, vega)
    s.group_hit[slot] = 1 if hit else 0
    return hit
