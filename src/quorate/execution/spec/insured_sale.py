"""A bankrupt position on the book: the funds pay what its lots get less than the zero price.

What insurance money buys is lots that are not deleveraged: it is paid for lots that leave, with
each of them the part of the debt that it carries, and never for a bucket that stays as it is. The
order goes down to the price at which the funds still bear debt and slippage, and no further than
the worst price that a liquidation may ask of the book, so that bids far below the mark are no way
into the funds.
"""

from quorate.execution import risk_rules, rules
from quorate.execution.spec.book import best_level
from quorate.execution.spec.closing import (
    Closing,
    bucket_move,
    loss_share_e6,
    receipt,
    value_e6,
)
from quorate.execution.spec.context import Context
from quorate.execution.spec.insurance import (
    fund_e6,
    fund_move,
    insurance_holds,
    insurance_pays,
)
from quorate.execution.spec.margin import margin_tier
from quorate.execution.spec.match import take
from quorate.execution.spec.takers import Taker
from quorate.types.clearing_codes import InsuranceFlow, LiquidationStep
from quorate.types.codes import Side, Tif
from quorate.types.limits import (
    DISPOSAL_LEVELS_MAX,
    INSURANCE_MAX_E6,
    LIQUIDATION_SPREAD_PPM,
    PPM,
)
from quorate.types.records import Table


def sell_insured(c: Context, closing: Closing) -> bool:
    """Offer what the funds can pay for immediate-or-cancel; whether the book has moved.

    The funds pay what the lots got less than the mark and their part of the debt together; of an
    improvement the market's fund takes its part, as it does of a solvent one.
    """
    lots, price = insured_order(c, closing)
    if not lots:
        return False
    side = Side.SELL if closing.size > 0 else Side.BUY
    taker = Taker(closing.market, side, Tif.IOC, 0, price, lots, remaining=lots)
    before = len(c.events)
    take(c, taker)
    if not taker.filled:
        return len(c.events) > before  # makers that had to go make place for those behind them
    market, risk = c.t.row(Table.MARKETS, closing.market), c.t.row(Table.RISK, closing.market)
    loss = loss_share_e6(c.t, closing, taker.filled)
    got = closing.sign * taker.value_e6
    least = value_e6(c, closing, taker.filled, market.mark_ticks) + loss
    fund = risk_rules.insurance_delta(got, least, risk.liquidation_fee_ppm)
    fund = min(fund, INSURANCE_MAX_E6 - fund_e6(c, closing.market))
    if fund > 0:
        fund_move(c, closing.market, fund, InsuranceFlow.FEE)
    elif not insurance_pays(c, closing.market, -fund):
        fund = 0
    bucket_move(c, closing.account, closing.market, -fund)
    receipt(c, closing, LiquidationStep.SOLD_ON_BOOK, price, taker.filled, fund, got - fund)
    return True


def insured_order(c: Context, closing: Closing) -> tuple[int, int]:
    """Lots and limit price that the funds bear even if all trade at the limit; 0 lots if none.

    It takes in levels from the best one on while that holds, and of the best one a part. Later
    lots carry no more of the debt than the first ones, since requirements are convex in size.
    """
    t = c.t
    market = t.row(Table.MARKETS, closing.market)
    whole = abs(closing.size)
    step = min(market.lot_step, whole)
    share = loss_share_e6(t, closing, step) + value_e6(c, closing, step, market.mark_ticks)
    holds, worst = insurance_holds(t, closing.market), worst_price(c, closing)
    side = Side.SELL if closing.size > 0 else Side.BUY
    lots = price = volume = 0
    level_slot = best_level(market, 1 - side)
    for _ in range(DISPOSAL_LEVELS_MAX):
        if not level_slot or volume >= whole:
            break
        level = t.row(Table.LEVELS, level_slot)
        if not rules.crosses(side, worst, level.price):
            break
        volume = min(volume + level.lots, whole)
        steps = volume // step
        cost = share - value_e6(c, closing, step, level.price)
        if cost > 0 and holds // cost < steps:
            if not lots:
                lots, price = holds // cost * step, level.price
            break
        lots, price = steps * step, level.price
        level_slot = level.worse
    return lots, price


def worst_price(c: Context, closing: Closing) -> int:
    """Worst price that a bankrupt position may ask of the book (FORMULAS 4)."""
    market = c.t.row(Table.MARKETS, closing.market)
    return risk_rules.fillable_price(
        closing.sign,
        market.mark_ticks,
        closing.worth.equity,
        closing.worth.maintenance,
        margin_tier(c.t, market.margin_schedule, 0).rate_ppm,
        PPM,
        LIQUIDATION_SPREAD_PPM,
        market.price_max_ticks,
    )
