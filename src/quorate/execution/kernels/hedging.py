"""The hedge of a liquidation; the same as `spec.hedging`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.closing import market_waits
from quorate.execution.kernels.margin import bucket_of, bucket_worth, leg_worth
from quorate.execution.kernels.options_margin import (
    CROSS,
    PERPETUAL,
    PORTFOLIO,
    ROW,
    options_need,
    position_size,
    row_renew,
)
from quorate.execution.kernels.rows import position_code
from quorate.execution.kernels.scalars import zero_price
from quorate.instruments.margin import scalars as margin
from quorate.instruments.margin.liquidation import HEDGE_STEPS
from quorate.types.clearing_codes import Phase, Standing
from quorate.types.codes import Reject

i8 = np.int64
OK = int(Reject.OK)
QUARANTINE, PARTIAL = int(Phase.QUARANTINE), int(Standing.PARTIAL)
delta_lots, hedge_candidate = margin.delta_lots, margin.hedge_candidate
best_hedge = margin.best_hedge


@helper
def hedge_find(s, account, bucket):
    """Make the hedge a closing of so many lots; return its zero price, 0 where none helps."""
    if bucket != CROSS or i8(s.accounts[account]["margin_mode"]) != PORTFOLIO:
        return i8(0)
    for market in range(1, s.ledger[0]["risk_high"]):
        if s.markets[market]["kind"] != PERPETUAL or not usable(s, account, i8(market)):
            continue
        if not of_options(s, account, bucket, i8(market)):
            continue
        price = hedge_price(s, account, bucket, i8(market))
        if price:
            return price
    return i8(0)


@helper
def usable(s, account, market):
    """Whether a perpetual is one in which the account could be hedged now."""
    risk = s.risk[market]
    if risk["mode"] == 0 or risk["phase"] == QUARANTINE or market_waits(s, market):
        return False
    return position_code(s, account, market) == OK and bucket_of(s, account, market) == CROSS


@helper
def of_options(s, account, bucket, market):
    """Whether the bucket has options on a market's feed; its legs stand in `margin_legs`."""
    zero = i8(0)
    series = options_need(s, account, bucket, zero, zero, zero, zero)
    for k in range(series):
        if s.risk[s.margin_legs[k, ROW]]["feed"] == s.risk[market]["feed"]:
            return True
    return False


@helper
def hedge_price(s, account, bucket, market):
    """Write a market's hedge into `closing` and return its zero price; 0: it does not help."""
    row_renew(s, market, True)
    size = position_size(s, account, market)
    count = s.margin_counts[0]
    delta = i8(delta_lots(s.margin_legs, count, s.margin_series, s.margin_worths, market))
    now = s.now[0]
    zero = i8(0)
    for step in range(HEDGE_STEPS + 1):
        part = i8(hedge_candidate(delta, step, HEDGE_STEPS))
        options_need(s, account, bucket, market, size + part, zero, zero)
        s.margin_hedges[step] = now["options_kept"]
    best = best_hedge(s.margin_hedges, HEDGE_STEPS)
    lots = bounded(s, market, size, i8(hedge_candidate(delta, best, HEDGE_STEPS)))
    if lots == 0:
        return i8(0)
    leg_worth(s, account, bucket, market, size, zero, zero, i8(-1), True)
    before = now["own_maintenance"]
    leg_worth(s, account, bucket, market, size + lots, zero, zero, i8(-1), True)
    freed = before - now["own_maintenance"]
    if freed <= 0:
        return i8(0)
    bucket_worth(s, account, bucket)
    closing = s.closing[0]
    closing["account"] = account
    closing["bucket"] = bucket
    closing["market"] = market
    closing["standing"] = PARTIAL
    closing["equity"] = now["equity"]
    closing["maintenance"] = now["maintenance"]
    closing["size"] = -lots
    closing["sign"] = 1 if lots < 0 else -1
    terms = s.markets[market]
    return zero_price(
        closing["sign"],
        terms["mark_ticks"],
        abs(lots),
        terms["quantum_e6"],
        now["equity"],
        now["maintenance"],
        freed,
        terms["price_max_ticks"],
    )


@helper
def bounded(s, market, size, lots):
    """Lots within the market's largest position and in whole steps, towards zero."""
    terms = s.markets[market]
    room = terms["position_max_lots"] - (size if lots > 0 else -size)
    most = max(min(abs(lots), room), i8(0)) // terms["lot_step"] * terms["lot_step"]
    return most if lots > 0 else -most
