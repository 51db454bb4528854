"""Funding of perpetual series; the same functions as `spec.series_funding`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import TRADING
from quorate.execution.kernels.rates import FUNDED, following
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import (
    funding_index_after,
    mean_towards_zero,
    premium_step,
)

i8 = np.int64


@helper
def funding_tick(s, slot, payoff):
    """Pay at the end of an interval, and take a sample when one is due."""
    risk = s.risk[slot]
    if risk["phase"] != TRADING:
        return
    now_ms = s.now[0]["time_ms"]
    next_ms = risk["funding_next_ms"]
    if now_ms >= next_ms:
        due = next_ms > 0 and now_ms < next_ms + risk["funding_interval_ms"]
        if due and risk["premium_count"]:
            pay(s, slot, payoff)
        risk["premium_sum_e9"] = 0
        risk["premium_count"] = 0
        risk["funding_next_ms"] = following(now_ms, risk["funding_interval_ms"])
        s.risk_dirty[slot] = 1
    if now_ms >= risk["premium_next_ms"]:
        risk["premium_sum_e9"] += s.markets[slot]["mark_ticks"] - payoff
        risk["premium_count"] += 1
        risk["premium_next_ms"] = following(now_ms, risk["premium_interval_ms"])
        s.risk_dirty[slot] = 1


@helper
def pay(s, slot, payoff):
    """Move the funding index by the mean of the samples."""
    risk = s.risk[slot]
    market = s.markets[slot]
    rate = i8(mean_towards_zero(risk["premium_sum_e9"], risk["premium_count"]))
    shift = risk["funding_shift"]
    step = premium_step(rate, market["quantum_e6"], shift)
    before = risk["funding_index"]
    after = funding_index_after(before, step)
    risk["funding_index"] = after
    risk["funding_rate_e9"] = rate
    zero = i8(0)
    emit_words(
        s, FUNDED, zero, zero, zero, slot, zero, zero,
        rate, rate, payoff, after, before, risk["premium_count"], risk["funding_interval_ms"],
        risk["funding_pool_e6"], market["open_interest_lots"], shift, zero,
    )  # fmt: skip
