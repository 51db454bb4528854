"""A bankrupt position on the book; the same functions as `spec.insured_sale`.

The caller takes between `insured_prepare` and `insured_settle`.
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import best_level
from quorate.execution.kernels.closing import bucket_move, loss_share_e6, receipt, value_e6
from quorate.execution.kernels.insurance import (
    fund_e6,
    fund_move,
    insurance_holds,
    insurance_pays,
)
from quorate.execution.kernels.scalars import crosses, fillable_price, insurance_delta
from quorate.execution.kernels.vault import immediate_set
from quorate.types.clearing_codes import InsuranceFlow, LiquidationStep
from quorate.types.codes import Side
from quorate.types.limits import (
    DISPOSAL_LEVELS_MAX,
    INSURANCE_MAX_E6,
    LIQUIDATION_SPREAD_PPM,
    PPM,
    TIERS_PER_SCHEDULE,
)

i8 = np.int64
BUY, SELL = int(Side.BUY), int(Side.SELL)
SOLD_ON_BOOK = int(LiquidationStep.SOLD_ON_BOOK)
FEE = int(InsuranceFlow.FEE)


@helper
def insured_prepare(s):
    """Make the taker what the funds can pay for; whether there is any."""
    closing = s.closing[0]
    market = closing["market"]
    row = s.markets[market]
    whole = abs(closing["size"])
    step = min(row["lot_step"], whole)
    share = loss_share_e6(s, step) + value_e6(s, step, row["mark_ticks"])
    holds = insurance_holds(s, market)
    worst = worst_price(s)
    side = i8(SELL) if closing["size"] > 0 else i8(BUY)
    lots = price = volume = i8(0)
    level = best_level(s, market, 1 - side)
    for _ in range(DISPOSAL_LEVELS_MAX):
        if not level or volume >= whole:
            break
        found = s.levels[level]
        if not crosses(side, worst, found["price"]):
            break
        volume = min(volume + found["lots"], whole)
        steps = volume // step
        cost = share - value_e6(s, step, found["price"])
        if cost > 0 and holds // cost < steps:
            if lots == 0:
                lots = holds // cost * step
                price = i8(found["price"])
            break
        lots = steps * step
        price = i8(found["price"])
        level = i8(found["worse"])
    if lots == 0:
        return False
    immediate_set(s, market, side, price, lots, i8(0))
    return True


@helper
def worst_price(s):
    """Worst price that a bankrupt position may ask of the book (FORMULAS 4)."""
    closing = s.closing[0]
    row = s.markets[closing["market"]]
    tier = s.margin_tiers[row["margin_schedule"] * TIERS_PER_SCHEDULE]
    return fillable_price(
        closing["sign"],
        row["mark_ticks"],
        closing["equity"],
        closing["maintenance"],
        tier["rate_ppm"],
        PPM,
        LIQUIDATION_SPREAD_PPM,
        row["price_max_ticks"],
    )


@helper
def insured_settle(s):
    """After the order has been through the book: what the funds pay or get, and the receipt."""
    closing = s.closing[0]
    market = closing["market"]
    taker = s.taker[0]
    filled, price = taker["filled"], taker["price"]
    got = closing["sign"] * taker["value_e6"]
    least = value_e6(s, filled, s.markets[market]["mark_ticks"]) + loss_share_e6(s, filled)
    fund = insurance_delta(got, least, s.risk[market]["liquidation_fee_ppm"])
    fund = min(fund, INSURANCE_MAX_E6 - fund_e6(s, market))
    if fund > 0:
        fund_move(s, market, fund, FEE)
    elif not insurance_pays(s, market, -fund):
        fund = i8(0)
    bucket_move(s, closing["account"], market, -fund)
    receipt(s, SOLD_ON_BOOK, price, filled, fund, got - fund, 0)
