"""What the options of a bucket require: the legs of its rows, judged by `instruments/margin`.

STANDARD: the series alone, a leg for itself, an expiry's largest loss as an offset. PORTFOLIO: a
scan of scenarios over the series and, with them, the perpetuals of their feeds, which then have no
tiers. Feeds do not offset one another. Both are requirements against equity at marks. A series
whose payoff is known (SETTLING) requires nothing.

Numbers are those that the last tick left in SERIES, EXPIRIES, FEEDS and MARKETS. Maintenance is of
the positions alone, the initial margin of what open orders may make of them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from quorate.execution import options_margin_rules, risk_rules, series_rules
from quorate.execution.spec.observations import interval_of
from quorate.execution.spec.options_rows import Expiry, Product, Series
from quorate.execution.spec.rows import Account, Parameters
from quorate.execution.spec.series_payoffs import payoff_inputs
from quorate.execution.spec.tables import Tables
from quorate.instruments.margin import layout as m
from quorate.instruments.margin.exotics import (
    NEUTRAL,
    STATE,
    TERMINALS,
    fill_exotic,
)
from quorate.instruments.margin.marking import expiry_terms, fill_linear, fill_option
from quorate.instruments.margin.parameters import DERIVE
from quorate.instruments.margin.portfolio import portfolio_margin
from quorate.instruments.margin.standard import standard_margin
from quorate.types.clearing_codes import Mode
from quorate.types.codes import MarketKind
from quorate.types.limits import (
    EXPIRIES_MAX,
    FEEDS_MAX,
    LEGS_MAX,
    PAYOFF_CODE_MAX,
    PAYOFF_INPUTS,
)
from quorate.types.options_codes import ExpiryState, MarginMode, ObservationRule, SeriesState
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED, Table

PARAMETERS: Final = np.array(DERIVE, dtype=np.int64)
NO_OFFSETS: Final = np.zeros(FEEDS_MAX, dtype=np.int64)  # each feed is a group of its own


@dataclass(slots=True)
class Leg:
    """What an account has in a market, or would have with an order or a trade that is judged.

    `interest_lots`: the market's open interest; -1: as it stands.
    """

    market: int
    size: int = 0
    bids: int = 0
    asks: int = 0
    interest_lots: int = -1


@dataclass(slots=True)
class Need:
    """What options add to a bucket's requirements, 1e-6 quote; less than 0 where perpetuals leave
    their tiers for the scan.
    """

    initial: int = 0
    maintenance: int = 0
    close_out: int = 0
    scanned: tuple[Leg, ...] = ()


# --- legs ----------------------------------------------------------------------------------------
def legs_of(account: Account, bucket: int, changed: Leg | None) -> list[Leg]:
    """What a bucket has, the changed leg in the place of what is there, else at the end."""
    found = []
    for position in account.positions:
        isolated = position.key if position.flags & POSITION_ISOLATED else 0
        if position.key >= ASSET_KEY or isolated != bucket:
            continue
        if changed and position.key == changed.market:
            found.append(changed)
            changed = None
        else:
            found.append(Leg(position.key, position.size, position.bids, position.asks))
    return [*found, changed] if changed else found


def is_margined(t: Tables, leg: Leg) -> bool:
    """Whether a leg is a series whose payoff is not yet known, with lots or orders."""
    if not (leg.size or leg.bids or leg.asks):
        return False
    if t.row(Table.MARKETS, leg.market).kind != MarketKind.SERIES:
        return False
    return t.row(Table.SERIES, leg.market).state in (SeriesState.LIVE, SeriesState.EXPIRED)


def is_scanned(t: Tables, leg: Leg, feeds: dict[int, bool]) -> bool:
    """Whether a leg is a perpetual of one of these feeds, in a market with a clearing house."""
    if not (leg.size or leg.bids or leg.asks):
        return False
    risk = t.row(Table.RISK, leg.market)
    perpetual = t.row(Table.MARKETS, leg.market).kind == MarketKind.PERPETUAL
    return perpetual and risk.mode != Mode.OFF and risk.feed in feeds


def options_need(
    t: Tables, account: Account, bucket: int, changed: Leg | None = None
) -> Need:
    """Requirements of a bucket's options; of perpetuals that are `scanned` the tiers are still to
    be taken off.
    """
    legs = legs_of(account, bucket, changed)
    series = [leg for leg in legs if is_margined(t, leg)]
    if not series:
        return Need()
    scanned: list[Leg] = []
    if account.margin_mode == MarginMode.PORTFOLIO:
        feeds = {t.row(Table.RISK, leg.market).feed: True for leg in series}
        scanned = [leg for leg in legs if is_scanned(t, leg, feeds)]
    initial, kept = judged(t, [*series, *scanned], account.margin_mode)
    ppm = max(t.row(Table.RISK, leg.market).close_ppm for leg in series)
    return Need(initial, kept, risk_rules.close_out(kept, ppm), tuple(scanned))


# --- judging -------------------------------------------------------------------------------------
def judged(t: Tables, legs: list[Leg], mode: int) -> tuple[int, int]:
    """Initial margin of legs with their orders, maintenance without."""
    tables = tables_of(t, legs, mode == MarginMode.PORTFOLIO)
    rows = np.zeros((LEGS_MAX + 1, m.LEG_FIELDS), dtype=np.int64)
    orders = np.zeros((LEGS_MAX, m.ORDER_FIELDS), dtype=np.int64)
    count = 0
    for k, leg in enumerate(legs):
        rows[k] = k, leg.size
        if leg.bids or leg.asks:
            orders[count, : m.GUARD] = k, leg.bids, leg.asks
            count += 1
    initial = required(rows, len(legs), orders, count, tables, mode)[m.INITIAL_E6]
    kept = required(rows, len(legs), orders, 0, tables, mode)[m.MAINTENANCE_E6]
    within = options_margin_rules.requirement_within
    return within(int(initial)), within(int(kept))


def required(
    rows: Any, count: int, orders: Any, orders_count: int, tables: Any, mode: int
) -> Any:
    """The results of either way of margin."""
    results = np.zeros(m.RESULTS, dtype=np.int64)
    if mode != MarginMode.PORTFOLIO:
        merged = np.zeros((LEGS_MAX, m.LEG_FIELDS), dtype=np.int64)
        standard_margin(rows, count, orders, orders_count, tables, PARAMETERS, merged, results)
        return results
    underlyings, expiries = len(tables[1]), len(tables[2])
    portfolio_margin(
        rows, count, orders, orders_count, tables, NO_OFFSETS, PARAMETERS,
        np.zeros((expiries, m.COLUMNS), dtype=np.int64),
        np.zeros((underlyings + 1, m.OUTCOMES), dtype=np.int64),
        np.zeros(expiries, dtype=np.int64),
        np.zeros(expiries + 2 * underlyings, dtype=np.int64),
        results,
    )  # fmt: skip
    return results


def tables_of(t: Tables, legs: list[Leg], scan: bool) -> Any:
    """Series, underlyings, expiries and worths of legs: row k is leg k's."""
    series = np.zeros((len(legs), m.SERIES_FIELDS), dtype=np.int64)
    worths = np.zeros((len(legs), m.COLUMNS), dtype=np.int64)
    feeds: dict[int, int] = {}
    dates: dict[int, int] = {}
    for k, leg in enumerate(legs):
        feed = t.row(Table.RISK, leg.market).feed
        row: Series = t.row(Table.SERIES, leg.market)
        date = row.expiry if row.state and row.expiry_ms else EXPIRIES_MAX + feed
        series[k] = series_terms(t, leg.market)
        series[k, m.UNDERLYING] = feeds.setdefault(feed, len(feeds))
        series[k, m.EXPIRY] = dates.setdefault(date, len(dates))
    underlyings = np.zeros((len(feeds), m.UNDERLYING_FIELDS), dtype=np.int64)
    for feed, at in feeds.items():
        underlyings[at] = t.row(Table.FEEDS, feed).price_ticks, at
    expiries = np.zeros((len(dates), m.EXPIRY_FIELDS), dtype=np.int64)
    for date, at in dates.items():
        expiries[at, : m.DISCOUNT_PPM] = date_terms(t, date)
        expiry_terms(expiries, at)
    for k, leg in enumerate(legs):
        if scan or series[k, m.KIND] == m.EXOTIC:
            worths[k] = worths_of(t, leg.market, series[k], expiries[series[k, m.EXPIRY]])
    return series, underlyings, expiries, worths


def series_terms(t: Tables, slot: int) -> tuple[int, ...]:
    """A market's row of `layout`, underlying and expiry apart."""
    market, risk = t.row(Table.MARKETS, slot), t.row(Table.RISK, slot)
    confidence = t.row(Table.FEEDS, risk.feed).confidence_ppm
    row: Series = t.row(Table.SERIES, slot)
    if not row.state:
        return (
            m.PERPETUAL, 0, 0, 0, market.quantum_e6, market.mark_ticks, market.price_max_ticks,
            0, 0, confidence, 0,
        )  # fmt: skip
    product: Product = t.row(Table.PRODUCTS, row.product)
    kind = m.EXOTIC
    if product.european and row.strike > 0 and row.expiry_ms:
        kind = m.CALL if product.european == 1 else m.PUT
    if row.expiry_ms:
        confidence = min(confidence, t.row(Table.EXPIRIES, row.expiry).confidence_ppm)
    return (
        kind, 0, 0, row.strike, market.quantum_e6, market.mark_ticks, product.payoff_high,
        0, 0, confidence, row.vol_e9,
    )  # fmt: skip


def date_terms(t: Tables, date: int) -> tuple[int, int, int]:
    """Forward, time and share that can move of an expiry, or (EXPIRIES_MAX + feed) of none."""
    if date >= EXPIRIES_MAX:
        return max(t.row(Table.FEEDS, date - EXPIRIES_MAX).price_ticks, 1), 0, 1_000_000
    row: Expiry = t.row(Table.EXPIRIES, date)
    next_ms = t.row(Table.LEDGER, 0).tick_next_ms
    left_ms = options_margin_rules.margin_time_ms(row.expiry_ms, next_ms)
    if row.state == ExpiryState.FIXED:
        return max(row.fix_ticks, 1), left_ms, 0
    forward = row.forward_ticks or t.row(Table.FEEDS, row.feed).price_ticks
    numbers: Parameters = t.row(Table.PARAMETERS, 0)
    samples = options_margin_rules.fixing_whole(
        numbers.fixing_window_ms, numbers.fixing_sample_ms
    )
    return (
        options_margin_rules.expected_fix(row.fix_sum, row.fix_count, samples, forward),
        left_ms,
        options_margin_rules.unfixed_ppm(row.fix_count, samples),
    )


# --- worths --------------------------------------------------------------------------------------
def worths_of(t: Tables, slot: int, series: Any, expiry: Any) -> tuple[int, ...]:
    """Worth of one lot of a market in each scenario."""
    terms = tuple(int(value) for value in series)
    terms = (terms[m.KIND], 0, 0, *terms[m.STRIKE :])
    dated = tuple(int(value) for value in expiry)
    if terms[m.KIND] != m.EXOTIC:
        return plain_worths(terms, dated)
    row: Series = t.row(Table.SERIES, slot)
    product: Product = t.row(Table.PRODUCTS, row.product)
    spot = max(t.row(Table.FEEDS, t.row(Table.RISK, slot).feed).price_ticks, 1)
    inputs = tuple(payoff_inputs(row, spot, spot))
    remaining = observations_left(t, row, product)
    return exotic_worths(
        terms, dated, product.code, product.words, product.ranges, inputs, remaining
    )


def observations_left(t: Tables, row: Series, product: Product) -> int:
    """How many observations of a path are to come."""
    if product.rule == ObservationRule.NONE or not row.expiry_ms:
        return 0
    next_ms = t.row(Table.LEDGER, 0).tick_next_ms
    tick_ms = max(t.row(Table.PARAMETERS, 0).tick_ms, 1)
    interval_ms, _ = interval_of(product)
    return series_rules.observations_left(
        row.seen_next_ms if interval_ms else next_ms,
        row.expiry_ms,
        interval_ms or tick_ms,
        row.seen_count,
    )


def alone(terms: tuple[int, ...], dated: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Tables of a single series."""
    series = np.array([terms], dtype=np.int64)
    return series, np.array([dated], dtype=np.int64), np.zeros((1, m.COLUMNS), dtype=np.int64)


@lru_cache(maxsize=4096)
def plain_worths(terms: tuple[int, ...], dated: tuple[int, ...]) -> tuple[int, ...]:
    """Worths of a perpetual or a European option."""
    series, expiries, worths = alone(terms, dated)
    if terms[m.KIND] == m.PERPETUAL:
        fill_linear(series, worths, 0)
    else:
        fill_option(series, expiries, worths, 0)
    return tuple(int(worth) for worth in worths[0])


@lru_cache(maxsize=4096)
def exotic_worths(
    terms: tuple[int, ...],
    dated: tuple[int, ...],
    code: bytes,
    words: int,
    ranges: bytes,
    inputs: tuple[int, ...],
    remaining: int,
) -> tuple[int, ...]:
    """Worths of any other product, around its mark."""
    series, expiries, worths = alone(terms, dated)
    bounds = np.frombuffer(ranges, dtype="<i8")
    room = np.zeros(max(STATE, TERMINALS, PAYOFF_INPUTS), dtype=np.int64)
    fill_exotic(
        series, expiries, worths, 0, np.frombuffer(code, dtype="<i8"), words, bounds[::2],
        bounds[1::2], np.array(inputs, dtype=np.int64), remaining, room.copy(), room.copy(),
        np.zeros(PAYOFF_CODE_MAX, dtype=np.int64),
    )  # fmt: skip
    quantum = terms[m.QUANTUM_E6]
    neutral = int(worths[0, NEUTRAL])
    return tuple(
        options_margin_rules.around_mark(
            int(worth), neutral, terms[m.MARK] * quantum, terms[m.PAYOFF_MAX] * quantum
        )
        for worth in worths[0]
    )

