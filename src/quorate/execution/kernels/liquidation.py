"""One step of a bucket's liquidation; the functions of `spec.liquidation` but for the scan."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import best_level, order_cancel
from quorate.execution.kernels.closing import (
    bucket_move,
    closing_price,
    closing_set,
    loss_share_e6,
    receipt,
    value_e6,
    workable,
)
from quorate.execution.kernels.hedging import hedge_find
from quorate.execution.kernels.insurance import (
    fund_e6,
    fund_move,
    insurance_holds,
    insurance_pays,
)
from quorate.execution.kernels.margin import bucket_of, bucket_worth, standing_of
from quorate.execution.kernels.rows import emit_words, position_close_if_empty
from quorate.execution.kernels.scalars import crosses, insurance_delta
from quorate.execution.kernels.scan import debt_without_lots, debtor_mark
from quorate.execution.kernels.vault import immediate_set
from quorate.types.clearing_codes import (
    InsuranceFlow,
    LiquidationStep,
    Phase,
    Standing,
    Switch,
)
from quorate.types.codes import End, EventKind, Side
from quorate.types.limits import INSURANCE_MAX_E6, PPM

i8 = np.int64
BUY, SELL = int(Side.BUY), int(Side.SELL)
HEALTHY, BANKRUPT = int(Standing.HEALTHY), int(Standing.BANKRUPT)
END_LIQUIDATION = int(End.LIQUIDATION)
CANCELLED_ORDERS = int(LiquidationStep.CANCELLED_ORDERS)
PAID_BY_INSURANCE = int(LiquidationStep.PAID_BY_INSURANCE)
HEDGED = int(LiquidationStep.HEDGED)
SOLD_ON_BOOK, LEFT_OPEN = int(LiquidationStep.SOLD_ON_BOOK), int(LiquidationStep.LEFT_OPEN)
QUARANTINE = int(Phase.QUARANTINE)
SWITCHED = int(EventKind.SWITCHED)
SWITCH_PHASE, SWITCH_GATE = int(Switch.PHASE), int(Switch.GATE)
FEE = int(InsuranceFlow.FEE)


@helper
def cover(s, account, bucket):
    """Have the funds pay what closed positions have left owing; see the spec."""
    debt = debt_without_lots(s, account, bucket)
    if debt:
        debt = min(debt, insurance_holds(s, bucket))
    if debt == 0 or not insurance_pays(s, bucket, debt):
        return False
    closing_set(s, account, bucket, bucket, BANKRUPT)
    bucket_move(s, account, bucket, debt)
    position_close_if_empty(s, account, bucket, True)
    receipt(s, PAID_BY_INSURANCE, i8(0), i8(0), -debt, debt, 0)
    return True


@helper
def standing_now(s, account, bucket):
    """Standing of a bucket that is below maintenance and can be worked on; HEALTHY for others."""
    bucket_worth(s, account, bucket)
    if s.now[0]["equity"] >= s.now[0]["maintenance"] or not workable(s, account, bucket):
        return i8(HEALTHY)
    return standing_of(s)


@helper
def orders_cancel(s, account, bucket, standing):
    """Cancel every open order of a bucket, newest first; the receipt's lots count them."""
    closing_set(s, account, bucket, bucket, standing)
    count = i8(0)
    slot = i8(s.accounts[account]["orders_head"])
    while slot:
        order = s.orders[slot]
        following = i8(order["account_next"])
        if bucket_of(s, account, i8(order["market"])) == bucket:
            order_cancel(s, slot, END_LIQUIDATION)
            count += 1
        slot = following
    if count:
        receipt(s, CANCELLED_ORDERS, i8(0), count, i8(0), i8(0), 0)
        s.closing[0]["cancels"] += count


# --- on the book ---------------------------------------------------------------------------------
@helper
def slice_lots(s):
    """Lots that one step offers: by worth at most slice_min_e6 or slice_ppm of the position."""
    closing = s.closing[0]
    row = s.markets[closing["market"]]
    risk = s.risk[closing["market"]]
    whole = abs(closing["size"])
    least = risk["slice_min_e6"] // (row["mark_ticks"] * row["quantum_e6"])
    lots = max(whole * risk["slice_ppm"] // PPM, least) // row["lot_step"] * row["lot_step"]
    return min(max(lots, row["lot_step"]), whole)


@helper
def sell_prepare(s):
    """Make the taker a slice at its zero price; whether it would trade at all."""
    s.closing[0]["step"] = SOLD_ON_BOOK
    lots = slice_lots(s)
    return offer_prepare(s, lots, closing_price(s, lots))


@helper
def hedge_prepare(s, account, bucket):
    """Make the taker a hedge at its zero price; whether there is one that would trade."""
    price = hedge_find(s, account, bucket)
    if price == 0:
        return False
    s.closing[0]["step"] = HEDGED
    return offer_prepare(s, abs(s.closing[0]["size"]), price)


@helper
def offer_prepare(s, lots, price):
    """Make the taker so many lots at a price; whether it would trade at all."""
    closing = s.closing[0]
    market = closing["market"]
    side = i8(SELL) if closing["size"] > 0 else i8(BUY)
    level = best_level(s, market, 1 - side)
    if not level or not crosses(side, price, s.levels[level]["price"]):
        return False
    immediate_set(s, market, side, price, lots, i8(0))
    return True


@helper
def sell_settle(s):
    """After the slice has been through the book: the fund's part, and the receipt."""
    closing = s.closing[0]
    market = closing["market"]
    taker = s.taker[0]
    filled, price = taker["filled"], taker["price"]
    if not filled:
        return
    got = closing["sign"] * taker["value_e6"]
    at_zero = value_e6(s, filled, price)
    fee = insurance_delta(got, at_zero, s.risk[market]["liquidation_fee_ppm"])
    fee = max(min(fee, INSURANCE_MAX_E6 - fund_e6(s, market)), i8(0))
    if fee:
        bucket_move(s, closing["account"], market, -fee)
        fund_move(s, market, fee, FEE)
    receipt(s, closing["step"], price, filled, fee, got - fee, 0)


# --- what nobody took ----------------------------------------------------------------------------
@helper
def leave_open(s):
    """Put the market in quarantine, count the account as a debtor, gate withdrawals."""
    closing = s.closing[0]
    market = closing["market"]
    risk = s.risk[market]
    lots = abs(closing["size"])
    before = risk["phase"]
    risk["phase"] = QUARANTINE
    risk["bad_debt_e6"] += loss_share_e6(s, lots)
    s.risk_dirty[market] = 1
    debtor_mark(s, closing["account"], BANKRUPT)
    receipt(s, LEFT_OPEN, s.markets[market]["mark_ticks"], lots, i8(0), i8(0), 0)
    switched(s, SWITCH_PHASE, market, QUARANTINE, before, i8(0))
    ledger = s.ledger[0]
    until = s.now[0]["time_ms"] + s.parameters[0]["gate_ms"]
    if until > ledger["gate_until_ms"]:
        gated = i8(1) if ledger["gate_until_ms"] > s.now[0]["time_ms"] else i8(0)
        ledger["gate_until_ms"] = until
        switched(s, SWITCH_GATE, i8(0), 1, gated, until)


@helper
def switched(s, switch, market, state, before, until_ms):
    """Emit SWITCHED."""
    emit_words(
        s,
        SWITCHED,
        0,
        switch,
        0,
        market,
        0,
        0,
        state,
        before,
        until_ms,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    )
