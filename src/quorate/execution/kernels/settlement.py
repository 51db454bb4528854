"""Settlement of dated series; the same functions as `spec.settlement`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.expiries import series_moved
from quorate.execution.kernels.funding import funding_settle
from quorate.execution.kernels.match import book_fill, long_change
from quorate.execution.kernels.rows import emit_words, position_close_if_empty
from quorate.execution.kernels.scalars import notional
from quorate.execution.kernels.series_payoffs import payoff_inputs, payoff_of
from quorate.types.codes import EventKind, Side
from quorate.types.options_codes import ExpiryState, SeriesState
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED, Table

i8 = np.int64
BUY, SELL = int(Side.BUY), int(Side.SELL)
EXPIRED, SETTLING = int(SeriesState.EXPIRED), int(SeriesState.SETTLING)
SETTLED, FIXED = int(SeriesState.SETTLED), int(ExpiryState.FIXED)
EVENT_SETTLED, T_EXPIRIES = int(EventKind.SETTLED), int(Table.EXPIRIES)


@helper
def any_fixed(s):
    """Whether an expiry is fixed whose series are not all settled."""
    found = False
    for slot in range(s.ledger[0]["expiries_high"]):
        if s.expiries[slot]["state"] == FIXED:
            found = True
    return found


@helper
def may_settle(s, slot):
    """Whether a series has its fixing and its book is empty."""
    row = s.series[slot]
    if row["state"] != EXPIRED or s.markets[slot]["orders_count"]:
        return False
    return s.expiries[row["expiry"]]["state"] == FIXED


@helper
def settling(s, slot):
    """Give a series its payoff, which is its mark from now on; it may be 0."""
    row = s.series[slot]
    market = s.markets[slot]
    spot = s.feeds[s.risk[slot]["feed"]]["price_ticks"]
    payoff_inputs(s, slot, s.expiries[row["expiry"]]["fix_ticks"], spot)
    payoff = min(payoff_of(s, row["product"]), market["price_max_ticks"])
    row["settle_ticks"] = payoff
    row["model_ticks"] = payoff
    row["delta_fp"] = 0
    row["gamma_fp"] = 0
    row["vega_fp"] = 0
    row["theta_fp"] = 0
    row["rho_fp"] = 0
    row["state"] = SETTLING
    s.series_dirty[slot] = 1
    market["mark_ticks"] = payoff
    market["mark_ms"] = s.now[0]["time_ms"]
    s.markets_dirty[slot] = 1
    s.ledger[0]["settle_count"] += 1
    series_moved(s, slot, i8(EXPIRED))


@helper
def walk_begin(s):
    """Begin a walk over all accounts, if a series is SETTLING."""
    ledger = s.ledger[0]
    if ledger["settle_count"]:
        ledger["settle_cursor"] = 1
        ledger["settle_until"] = ledger["accounts_high"]


@helper
def account_settle(s, account):
    """Pay an account's positions in series that are SETTLING, the last row first."""
    k = i8(s.accounts[account]["positions_count"])
    while k > 0:
        k -= 1
        key = i8(s.positions[i8(s.positions_first[account]) + k]["key"])
        if key < ASSET_KEY and s.series[key]["state"] == SETTLING:
            position_settle(s, account, i8(s.positions_first[account]) + k, key)


@helper
def position_settle(s, account, cell, slot):
    """Close a position at its payoff: cash moves as by a fill, without a fee."""
    funding_settle(s, account, cell, slot)
    position = s.positions[cell]
    size = position["size"]
    isolated = i8(position["flags"]) & POSITION_ISOLATED
    payoff = s.series[slot]["settle_ticks"]
    market = s.markets[slot]
    if size:
        side = i8(SELL) if size > 0 else i8(BUY)
        book_fill(s, account, slot, slot, side, abs(size), payoff, i8(0))
        after = s.now[0]["book_position"]
        market["open_interest_lots"] += long_change(after, side, abs(size))
    position_close_if_empty(s, account, slot, True)
    s.accounts_dirty[account] = 1
    if size == 0:
        return
    s.markets_dirty[slot] = 1
    cash = notional(payoff, size, market["quantum_e6"])
    zero = i8(0)
    emit_words(
        s, EVENT_SETTLED, zero, zero, zero, slot, account, zero,
        payoff, size, cash, cash if isolated else zero,
        zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip


@helper
def series_settled(s, slot):
    """Delist a series that was paid, and free its expiry if no other uses it."""
    row = s.series[slot]
    if row["state"] != SETTLING:
        return
    row["state"] = SETTLED
    s.series_dirty[slot] = 1
    expiry = s.expiries[row["expiry"]]
    expiry["series_count"] -= 1
    if expiry["series_count"] == 0:
        s.expiries[row["expiry"]] = s.expiry_blank[0]
    s.small_dirty[T_EXPIRIES] = 1
    s.ledger[0]["series_live"] -= 1
    series_moved(s, slot, i8(SETTLING))


@helper
def walk_finish(s):
    """Note that no walk is under way."""
    ledger = s.ledger[0]
    ledger["settle_cursor"] = 0
    ledger["settle_until"] = 0
    ledger["settle_count"] = 0
