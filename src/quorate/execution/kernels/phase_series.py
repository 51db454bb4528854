"""The kernels of series: their end in phase 2, their tick in phase 3, their settlement after it."""

import numba
import numpy as np

from quorate.compiled import helper, kernel
from quorate.execution.kernels.expiries import any_due, book_clear, expire
from quorate.execution.kernels.fixings import fixing_tick
from quorate.execution.kernels.observations import observation_tick
from quorate.execution.kernels.series_marks import series_mark_tick
from quorate.execution.kernels.settlement import (
    account_settle,
    any_fixed,
    may_settle,
    series_settled,
    settling,
    walk_begin,
    walk_finish,
)
from quorate.execution.kernels.signatures import INT64S, RECORD
from quorate.execution.kernels.smiles import smiles_tick
from quorate.execution.kernels.state import DONE, DRAIN_EVENTS, EVENT_ROWS
from quorate.types.limits import (
    ACCOUNTS_SETTLED_PER_BLOCK,
    EXPIRIES_MAX,
    ORDERS_EXPIRED_PER_BLOCK,
    POSITIONS_PER_ACCOUNT_MAX,
)
from quorate.types.options_codes import SeriesState
from quorate.types.records import NO_BUNDLE

i8 = np.int64
LIVE, EXPIRED = int(SeriesState.LIVE), int(SeriesState.EXPIRED)
FIXINGS, OBSERVATIONS, SMILES, MARKS, END = 0, 1, 2, 3, 4
# Steps of a settlement: series take their payoff, the walk, series are delisted.
BEGIN, WALK, DELIST, OVER = 0, 1, 2, 3
EVENTS_OF_STEP = 8
assert EVENT_ROWS > ORDERS_EXPIRED_PER_BLOCK + EXPIRIES_MAX + EVENTS_OF_STEP


@helper
def room(s, events):
    """Whether that many events fit."""
    return s.now[0]["events"] + events <= EVENT_ROWS


@kernel(numba.types.int64(RECORD, INT64S))
def series_begin(s, cursor):
    """Phase 2: series expire, and their orders are cancelled; cursor: series, cancelled orders."""
    if cursor[0] == 0:
        if not any_due(s):
            return DONE
        cursor[0] = 1
    while cursor[0] < s.ledger[0]["series_high"]:
        slot = i8(cursor[0])
        row = s.series[slot]
        if row["state"] == LIVE or row["state"] == EXPIRED:
            if not room(s, ORDERS_EXPIRED_PER_BLOCK + EVENTS_OF_STEP):
                return DRAIN_EVENTS
            expiry_ms = row["expiry_ms"]
            if row["state"] == LIVE and expiry_ms > 0 and expiry_ms <= s.now[0]["time_ms"]:
                expire(s, slot)
            if row["state"] == EXPIRED:
                cursor[1] += book_clear(s, slot, ORDERS_EXPIRED_PER_BLOCK - cursor[1])
        cursor[0] += 1
    return DONE


@kernel(numba.types.int64(RECORD, INT64S))
def series_tick(s, cursor):
    """Phase 3 of a tick: fixings, paths, smiles, marks; cursor: step, expiry or series in it."""
    s.now[0]["bundle"] = NO_BUNDLE
    s.now[0]["command"] = 0
    while cursor[0] < END:
        step = cursor[0]
        if step == SMILES:
            if not room(s, EXPIRIES_MAX):
                return DRAIN_EVENTS
            smiles_tick(s)
        high = s.ledger[0]["expiries_high"] if step == FIXINGS else s.ledger[0]["series_high"]
        while step != SMILES and cursor[1] < high:
            if not room(s, EVENTS_OF_STEP):
                return DRAIN_EVENTS
            at = i8(cursor[1])
            if step == FIXINGS:
                fixing_tick(s, at)
            elif step == OBSERVATIONS:
                observation_tick(s, at)
            else:
                series_mark_tick(s, at)
            cursor[1] += 1
        cursor[0] = step + 1
        cursor[1] = 1  # series are numbered from 1
    return DONE


@kernel(numba.types.int64(RECORD, INT64S))
def settlement(s, cursor):
    """Series whose expiry is fixed are paid; cursor: step, series in it, accounts paid."""
    ledger = s.ledger[0]
    if cursor[0] == BEGIN:
        if cursor[1] == 0:
            cursor[1] = 1
            if ledger["settle_until"] or not any_fixed(s):
                cursor[0] = WALK
    while cursor[0] == BEGIN:
        if not room(s, EVENTS_OF_STEP):
            return DRAIN_EVENTS
        if cursor[1] >= ledger["series_high"]:
            walk_begin(s)
            cursor[0] = WALK
        elif may_settle(s, i8(cursor[1])):
            settling(s, i8(cursor[1]))
        cursor[1] += 1
    while cursor[0] == WALK:
        if not room(s, POSITIONS_PER_ACCOUNT_MAX + EVENTS_OF_STEP):
            return DRAIN_EVENTS
        if ledger["settle_until"] == 0:
            return DONE
        if ledger["settle_cursor"] == ledger["settle_until"]:
            cursor[0] = DELIST
            cursor[1] = 1
        elif cursor[2] == ACCOUNTS_SETTLED_PER_BLOCK:
            return DONE
        else:
            account_settle(s, i8(ledger["settle_cursor"]))
            ledger["settle_cursor"] += 1
            cursor[2] += 1
    while cursor[0] == DELIST:
        if not room(s, EVENTS_OF_STEP):
            return DRAIN_EVENTS
        if cursor[1] >= ledger["series_high"]:
            walk_finish(s)
            cursor[0] = OVER
        else:
            series_settled(s, i8(cursor[1]))
        cursor[1] += 1
    return DONE
