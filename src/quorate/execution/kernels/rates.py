"""Funding rates (FORMULAS 3); the same functions as `spec.rates`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import TRADING
from quorate.execution.kernels.marks import index_ticks
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import (
    funding_hour_e9,
    funding_index_after,
    funding_index_step,
    funding_rate_e9,
    premium_e9,
)
from quorate.types.clearing_codes import InsuranceFlow
from quorate.types.codes import EventKind, MarketKind
from quorate.types.limits import IMPACT_LEVELS_MAX

i8 = np.int64
FUNDED, INSURED = int(EventKind.FUNDED), int(EventKind.INSURED)
RESIDUE, SERIES = int(InsuranceFlow.RESIDUE), int(MarketKind.SERIES)


@helper
def rates_market(s, market):
    """One market's payment, premium sample and residue."""
    risk = s.risk[market]
    if risk["mode"] == 0:
        return
    series = s.markets[market]["kind"] == SERIES
    if risk["guard"] == 0 and risk["phase"] == TRADING and not series:
        payment_tick(s, market)
        sample_tick(s, market)
    residue_tick(s, market)


@helper
def payment_tick(s, market):
    """At the end of a period move the index by its rate; see the spec."""
    risk = s.risk[market]
    now_ms = s.now[0]["time_ms"]
    next_ms = risk["funding_next_ms"]
    if now_ms < next_ms:
        return
    due = next_ms > 0 and now_ms < next_ms + risk["funding_interval_ms"]
    if due and risk["premium_count"]:
        payment(s, market)
    risk["premium_sum_e9"] = 0
    risk["premium_count"] = 0
    risk["funding_next_ms"] = following(now_ms, risk["funding_interval_ms"])
    s.risk_dirty[market] = 1


@helper
def payment(s, market):
    """Move the market's index by the rate of the period; longs pay shorts when it rises."""
    risk = s.risk[market]
    row = s.markets[market]
    index = index_ticks(s, market)
    premium = abs(risk["premium_sum_e9"]) // risk["premium_count"]
    if risk["premium_sum_e9"] < 0:
        premium = -premium
    rate_8h = funding_rate_e9(premium, risk["interest_e9"], risk["funding_clamp_e9"])
    rate = funding_hour_e9(rate_8h, risk["funding_cap_e9"], risk["funding_interval_ms"])
    shift = risk["funding_shift"]
    step = funding_index_step(index, row["quantum_e6"], rate, shift)
    before = risk["funding_index"]
    after = funding_index_after(before, step)
    risk["funding_index"] = after
    risk["funding_rate_e9"] = rate
    zero = i8(0)
    emit_words(
        s, FUNDED, zero, zero, zero, market, zero, zero,
        rate, premium, index, after, before, risk["premium_count"], risk["funding_interval_ms"],
        risk["funding_pool_e6"], row["open_interest_lots"], shift, zero,
    )  # fmt: skip


@helper
def sample_tick(s, market):
    """Take a premium sample when one is due."""
    risk = s.risk[market]
    now_ms = s.now[0]["time_ms"]
    if now_ms < risk["premium_next_ms"]:
        return
    row = s.markets[market]
    notional = risk["impact_notional_e6"]
    bid = impact_price(s, row["bid_best"], row["quantum_e6"], notional)
    ask = impact_price(s, row["ask_best"], row["quantum_e6"], notional)
    risk["premium_sum_e9"] += premium_e9(bid, ask, index_ticks(s, market))
    risk["premium_count"] += 1
    risk["premium_next_ms"] = following(now_ms, risk["premium_interval_ms"])
    s.risk_dirty[market] = 1


@helper
def following(time_ms, interval_ms):
    """First whole multiple of an interval after a time."""
    return (time_ms // interval_ms + 1) * interval_ms


@helper
def impact_price(s, level, quantum, notional):
    """Price to which an order of that worth trades through one side of the book; see the spec."""
    left = notional
    for _ in range(IMPACT_LEVELS_MAX):
        if level == 0:
            return i8(0)
        row = s.levels[level]
        lot = row["price"] * quantum
        if row["lots"] >= (left + lot - 1) // lot:
            return row["price"]
        left -= row["lots"] * lot
        level = i8(row["worse"])
    return i8(0)


@helper
def residue_tick(s, market):
    """Without an open position the pool is what rounding left: the insurance fund's."""
    risk = s.risk[market]
    amount = risk["funding_pool_e6"]
    if amount == 0 or s.markets[market]["open_interest_lots"]:
        return
    risk["insurance_e6"] += amount
    risk["funding_pool_e6"] = 0
    s.risk_dirty[market] = 1
    zero = i8(0)
    emit_words(
        s, INSURED, zero, i8(RESIDUE), zero, market, zero, zero,
        amount, risk["insurance_e6"], zero, zero, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
