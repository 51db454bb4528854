"""Funding rates (FORMULAS 3): premium samples, payments, and what rounding leaves.

Every so often the prices to which an order of some worth would trade through the book are held
against the index; the mean of a period's samples makes its rate, and the rate moves the market's
index, from which positions pay (`spec.funding`). All of it stops while the market is in an auction,
in quarantine or under a guard.
"""

from quorate.execution import risk_rules
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.marks import index_ticks
from quorate.execution.spec.rows import Market
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import InsuranceFlow, Mode, Phase
from quorate.types.codes import EventKind, MarketKind
from quorate.types.limits import IMPACT_LEVELS_MAX
from quorate.types.records import Table


def rates_tick(c: Context) -> None:
    """Phase 3 of a tick, after the marks: every market's payment, premium sample and residue."""
    for slot in range(1, c.t.row(Table.LEDGER, 0).risk_high):
        risk = c.t.row(Table.RISK, slot)
        if risk.mode == Mode.OFF:
            continue
        series = c.t.row(Table.MARKETS, slot).kind == MarketKind.SERIES
        if not risk.guard and risk.phase == Phase.TRADING and not series:
            payment_tick(c, slot)
            sample_tick(c, slot)
        residue_tick(c, slot)


def payment_tick(c: Context, slot: int) -> None:
    """At the end of a period move the index by its rate; periods begin at whole intervals.

    A period that ends in a pause is paid at the first tick behind it, and not at all when the pause
    lasts a whole further interval, nor without a sample.
    """
    risk: Risk = c.t.row(Table.RISK, slot)
    if c.time_ms < risk.funding_next_ms:
        return
    due = risk.funding_next_ms and c.time_ms < risk.funding_next_ms + risk.funding_interval_ms
    if due and risk.premium_count:
        payment(c, slot, risk)
    risk.premium_sum_e9 = risk.premium_count = 0
    risk.funding_next_ms = following(c.time_ms, risk.funding_interval_ms)
    c.t.put(Table.RISK, slot, risk)


def payment(c: Context, slot: int, risk: Risk) -> None:
    """Move the market's index by the rate of the period; longs pay shorts when it rises."""
    market: Market = c.t.row(Table.MARKETS, slot)
    index = index_ticks(c.t.row(Table.FEEDS, risk.feed), market)
    premium = abs(risk.premium_sum_e9) // risk.premium_count
    if risk.premium_sum_e9 < 0:
        premium = -premium
    rate_8h = risk_rules.funding_rate_e9(premium, risk.interest_e9, risk.funding_clamp_e9)
    rate = risk_rules.funding_hour_e9(rate_8h, risk.funding_cap_e9, risk.funding_interval_ms)
    step = risk_rules.funding_index_step(index, market.quantum_e6, rate, risk.funding_shift)
    before = risk.funding_index
    risk.funding_index = risk_rules.funding_index_after(before, step)
    risk.funding_rate_e9 = rate
    c.emit_words(
        EventKind.FUNDED,
        rate,
        premium,
        index,
        risk.funding_index,
        before,
        risk.premium_count,
        risk.funding_interval_ms,
        risk.funding_pool_e6,
        market.open_interest_lots,
        risk.funding_shift,
        market=slot,
    )


def sample_tick(c: Context, slot: int) -> None:
    """Take a premium sample when one is due."""
    risk: Risk = c.t.row(Table.RISK, slot)
    if c.time_ms < risk.premium_next_ms:
        return
    market: Market = c.t.row(Table.MARKETS, slot)
    index = index_ticks(c.t.row(Table.FEEDS, risk.feed), market)
    bid = impact_price(c.t, market.bid_best, market.quantum_e6, risk.impact_notional_e6)
    ask = impact_price(c.t, market.ask_best, market.quantum_e6, risk.impact_notional_e6)
    risk.premium_sum_e9 += risk_rules.premium_e9(bid, ask, index)
    risk.premium_count += 1
    risk.premium_next_ms = following(c.time_ms, risk.premium_interval_ms)
    c.t.put(Table.RISK, slot, risk)


def following(time_ms: int, interval_ms: int) -> int:
    """First whole multiple of an interval after a time."""
    return (time_ms // interval_ms + 1) * interval_ms


def impact_price(t: Tables, level_slot: int, quantum_e6: int, notional_e6: int) -> int:
    """Price to which an order of that worth trades through one side of the book.

    0 if the side, or its best IMPACT_LEVELS_MAX levels, hold less.
    """
    left_e6 = notional_e6
    for _ in range(IMPACT_LEVELS_MAX):
        if not level_slot:
            return 0
        level = t.row(Table.LEVELS, level_slot)
        lot_e6 = level.price * quantum_e6
        # By division: the worth of a whole level may pass int64.
        if level.lots >= -(-left_e6 // lot_e6):
            return int(level.price)
        left_e6 -= level.lots * lot_e6
        level_slot = level.worse
    return 0


def residue_tick(c: Context, slot: int) -> None:
    """Without an open position the pool is what rounding left: the insurance fund's."""
    risk: Risk = c.t.row(Table.RISK, slot)
    if not risk.funding_pool_e6 or c.t.row(Table.MARKETS, slot).open_interest_lots:
        return
    amount_e6 = risk.funding_pool_e6
    risk.insurance_e6 += amount_e6
    risk.funding_pool_e6 = 0
    c.t.put(Table.RISK, slot, risk)
    c.emit_words(
        EventKind.INSURED, amount_e6, risk.insurance_e6, code=InsuranceFlow.RESIDUE, market=slot
    )
