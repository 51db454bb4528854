"""Phase 5 of a tick: the scan, the liquidations it found, the vault's disposal.

A unit of work is one action on one position, or the cancelling of a bucket's orders; between units
the kernel may stop for what `shortage` says.
"""

import numba
import numpy as np

from quorate.compiled import helper, kernel
from quorate.execution.kernels.closing import closing_set, market_after, market_greatest
from quorate.execution.kernels.deleverage import deleverage
from quorate.execution.kernels.insured_sale import insured_prepare, insured_settle
from quorate.execution.kernels.liquidation import (
    cover,
    hedge_prepare,
    leave_open,
    orders_cancel,
    sell_prepare,
    sell_settle,
    slice_lots,
    standing_now,
)
from quorate.execution.kernels.match import take
from quorate.execution.kernels.room import EVENTS_BESIDES, events_of_command, shortage
from quorate.execution.kernels.scan import scan_all
from quorate.execution.kernels.signatures import INT64S, RECORD
from quorate.execution.kernels.state import DONE, EVENT_ROWS
from quorate.execution.kernels.vault import disposal_due, take_over
from quorate.types.clearing_codes import Standing
from quorate.types.limits import (
    BANKRUPT_ROUNDS_PER_TICK_MAX,
    DELEVERAGED_PER_STEP_MAX,
    DELEVERAGINGS_PER_TICK_MAX,
    LIQUIDATION_CANCELS_PER_TICK,
    ORDERS_EXAMINED_PER_COMMAND_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    PROTECTIONS_PER_COMMAND_MAX,
)

i8 = np.int64
HEALTHY, PARTIAL = int(Standing.HEALTHY), int(Standing.PARTIAL)
FULL, BANKRUPT = int(Standing.FULL), int(Standing.BANKRUPT)
# Where a tick stands (cursor[0]), and a bucket in it (cursor[2]).
WORK, DISPOSE = 0, 1
CANCEL, SLICE, TAKE_OVER, CLOSE_OUT, WIND_UP, FINISHED, OFFER, YIELD = 0, 1, 2, 3, 4, 5, 6, 7
HEDGE = 8
EVENTS_OF_UNIT = DELEVERAGED_PER_STEP_MAX + 8
assert EVENT_ROWS > EVENTS_OF_UNIT + EVENTS_BESIDES + ORDERS_EXAMINED_PER_COMMAND_MAX + (
    (PROTECTIONS_PER_COMMAND_MAX + 1) * (ORDERS_PER_ACCOUNT_MAX + 1)
)


@helper
def unit(s, account, bucket, stage, market, cursor):
    """Do one unit of a bucket's step and set the cursor to the next; True if a slice is to trade.

    The caller then takes it and settles.
    """
    if stage == CANCEL:
        if cover(s, account, bucket):
            s.closing[0]["acted"] = 1
            cursor[2] = FINISHED
            return False
        standing = standing_now(s, account, bucket)
        orders = i8(s.accounts[account]["orders_count"])
        if s.closing[0]["cancels"] + orders > LIQUIDATION_CANCELS_PER_TICK:
            standing = i8(HEALTHY)
        if standing != HEALTHY:
            orders_cancel(s, account, bucket, standing)
            standing = standing_now(s, account, bucket)
        cursor[2] = FINISHED
        if standing == PARTIAL:
            cursor[2] = HEDGE
        elif standing == FULL:
            cursor[2] = TAKE_OVER
        elif standing == BANKRUPT:
            cursor[2] = WIND_UP
        return False
    if stage in (WIND_UP, OFFER, YIELD):
        return unit_bankrupt(s, account, bucket, stage, market, cursor)
    wanted = PARTIAL if stage in (SLICE, HEDGE) else FULL
    if standing_now(s, account, bucket) != wanted:
        s.closing[0]["size"] = 0
        cursor[2] = FINISHED
        return False
    if stage == HEDGE:
        cursor[2] = SLICE
        return hedge_prepare(s, account, bucket)
    if stage in (SLICE, CLOSE_OUT):
        cursor[2] = FINISHED
        closing_set(s, account, bucket, market_greatest(s, account, bucket), wanted)
        return sell_prepare(s)
    market = market_after(s, account, bucket, market)
    cursor[3] = market
    if not market:
        cursor[2] = CLOSE_OUT
        return False
    closing_set(s, account, bucket, market, wanted)
    take_over(s)
    return False


@helper
def unit_bankrupt(s, account, bucket, stage, market, cursor):
    """One unit of a bankrupt bucket: its next market, an offer on the book, or who else takes."""
    closing = s.closing[0]
    if stage == WIND_UP:
        cursor[2] = FINISHED
        if standing_now(s, account, bucket) == BANKRUPT:
            cursor[3] = market_after(s, account, bucket, market)
            closing["rounds"] = 0
            if cursor[3]:
                cursor[2] = OFFER
        return False
    if stage == OFFER:
        cursor[2] = WIND_UP
        if closing["rounds"] == BANKRUPT_ROUNDS_PER_TICK_MAX:
            return False
        closing["rounds"] += 1
        if standing_now(s, account, bucket) != BANKRUPT:
            return False
        closing_set(s, account, bucket, market, BANKRUPT)
        if not closing["size"]:
            return False
        cursor[2] = YIELD
        return insured_prepare(s)
    cursor[2] = WIND_UP
    closing_set(s, account, bucket, market, BANKRUPT)
    if take_over(s):
        cursor[2] = OFFER
    elif budget(s) and deleverage(s, abs(closing["size"])):
        closing_set(s, account, bucket, market, BANKRUPT)
        leave_open(s)
    return False


@helper
def budget(s):
    """Whether the tick may look for counterparties once more."""
    if s.closing[0]["deleveragings"] >= DELEVERAGINGS_PER_TICK_MAX:
        return False
    s.closing[0]["deleveragings"] += 1
    return True


@helper
def slice_fails(s, stage):
    """What follows a slice of which nothing traded: a close-out is deleveraged."""
    closing = s.closing[0]
    if stage != CLOSE_OUT or not closing["size"]:
        return
    noted = s.scanned[closing["market"]]
    barren = noted["barren_long"] if closing["sign"] > 0 else noted["barren_short"]
    if barren or not budget(s):
        return
    before = s.now[0]["events"]
    if deleverage(s, slice_lots(s)) and s.now[0]["events"] == before:
        if closing["sign"] > 0:
            noted["barren_long"] = 1
        else:
            noted["barren_short"] = 1


@kernel(numba.types.void(RECORD))
def scan(s):
    """Mark every account to market and find whom `run_liquidation` works on."""
    closing = s.closing[0]
    closing["steps"] = 0
    closing["acted"] = 0
    closing["deleveragings"] = 0
    closing["cancels"] = 0
    scan_all(s)


@kernel(numba.types.int64(RECORD, INT64S))
def run_liquidation(s, cursor):
    """Run phase 5 from `cursor` on; DONE at its end, else what must be seen to before going on.

    cursor, int64[4]: work or disposal; candidate or market; stage of the bucket's step; the market
    that the stage has reached.
    """
    now = s.now[0]
    closing = s.closing[0]
    events = events_of_command(s) + i8(s.parameters[0]["orders_per_account_max"]) + EVENTS_OF_UNIT
    while True:
        short = shortage(s, events)
        if short != DONE:
            return short
        trades = False
        stage = i8(cursor[2])
        before = now["events"]
        if cursor[0] == WORK:
            steps_max = s.parameters[0]["liquidations_max"]
            if cursor[1] >= closing["count"] or closing["steps"] >= steps_max:
                cursor[0] = DISPOSE
                cursor[1] = 1
                continue
            row = s.candidates[cursor[1]]
            account, bucket = row["account"], row["bucket"]
            now["account"] = account
            if stage != FINISHED:
                trades = unit(s, account, bucket, stage, i8(cursor[3]), cursor)
        else:
            if not s.ledger[0]["vault"] or cursor[1] >= s.ledger[0]["risk_high"]:
                break
            now["account"] = s.ledger[0]["vault"]
            trades = disposal_due(s, i8(cursor[1]))
            cursor[1] += 1
        filled = False
        if trades:
            take(s)
            filled = s.taker[0]["filled"] > 0
        if cursor[0] == WORK:
            if stage == OFFER:
                if filled:
                    insured_settle(s)
                if trades and now["events"] != before:
                    cursor[2] = OFFER
            elif filled:
                sell_settle(s)
                if stage == HEDGE:
                    cursor[2] = FINISHED
            elif stage == CLOSE_OUT:
                slice_fails(s, stage)
            if now["events"] != before and stage != CANCEL:
                closing["acted"] = 1
            if stage == FINISHED:
                closing["steps"] += closing["acted"]
                closing["acted"] = 0
                cursor[1] += 1
                cursor[2] = CANCEL
                cursor[3] = 0
    now["account"] = 0
    return DONE
