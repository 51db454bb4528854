"""Funding of perpetual series: what the mark lies above the payoff is paid over an interval.

Samples of mark less payoff are taken as premiums of other markets are; at the end of an interval
their mean, in whole ticks towards zero, moves the market's funding index by that much a lot, so
that holders pay it from longs to shorts, or the other way round. All of it stops while the market
is in an auction, in quarantine or under a guard.
"""

from quorate.execution import risk_rules, series_rules
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.rates import following
from quorate.execution.spec.rows import Market
from quorate.types.clearing_codes import Phase
from quorate.types.codes import EventKind
from quorate.types.records import Table


def funding_tick(c: Context, slot: int, payoff: int) -> None:
    """Pay at the end of an interval, and take a sample when one is due."""
    risk: Risk = c.t.row(Table.RISK, slot)
    market: Market = c.t.row(Table.MARKETS, slot)
    if risk.phase != Phase.TRADING:
        return
    if c.time_ms >= risk.funding_next_ms:
        due = risk.funding_next_ms and c.time_ms < risk.funding_next_ms + risk.funding_interval_ms
        if due and risk.premium_count:
            pay(c, slot, risk, market, payoff)
        risk.premium_sum_e9 = risk.premium_count = 0
        risk.funding_next_ms = following(c.time_ms, risk.funding_interval_ms)
        c.t.put(Table.RISK, slot, risk)
        risk = c.t.row(Table.RISK, slot)
    if c.time_ms >= risk.premium_next_ms:
        risk.premium_sum_e9 += market.mark_ticks - payoff
        risk.premium_count += 1
        risk.premium_next_ms = following(c.time_ms, risk.premium_interval_ms)
        c.t.put(Table.RISK, slot, risk)


def pay(c: Context, slot: int, risk: Risk, market: Market, payoff: int) -> None:
    """Move the funding index by the mean of the samples; the caller puts the row."""
    rate = series_rules.mean_towards_zero(risk.premium_sum_e9, risk.premium_count)
    step = series_rules.premium_step(rate, market.quantum_e6, risk.funding_shift)
    before = risk.funding_index
    risk.funding_index = risk_rules.funding_index_after(before, step)
    risk.funding_rate_e9 = rate
    c.emit_words(
        EventKind.FUNDED,
        rate,
        rate,
        payoff,
        risk.funding_index,
        before,
        risk.premium_count,
        risk.funding_interval_ms,
        risk.funding_pool_e6,
        market.open_interest_lots,
        risk.funding_shift,
        market=slot,
    )
