"""Marks (FORMULAS 2): the median of three prices, near the index, moved so much a tick at most.

The three are the index plus an average of how far the book stands from it, the book itself, and the
price elsewhere. Only a market under no guard gets a mark; only a book in continuous trading is
looked at, because in an auction it may be crossed.
"""

from quorate.execution import risk_rules
from quorate.execution.spec.bands import candidate_breaches
from quorate.execution.spec.clearing_rows import Feed, Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.rows import Market
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import Mode, Phase
from quorate.types.codes import EventKind, MarketKind
from quorate.types.limits import EMA_SCALE, TIERS_PER_SCHEDULE
from quorate.types.records import Table


def marks_tick(c: Context) -> None:
    """Phase 3 of a tick: every market's mark; those of series follow in `series_marks`."""
    for slot in range(1, c.t.row(Table.LEDGER, 0).risk_high):
        risk = c.t.row(Table.RISK, slot)
        if risk.mode == Mode.OFF or risk.guard:
            continue
        if c.t.row(Table.MARKETS, slot).kind != MarketKind.SERIES:
            mark_tick(c, slot)


def mark_tick(c: Context, slot: int) -> None:
    """Renew one market's averages and mark; a candidate outside a band leaves the mark."""
    risk: Risk = c.t.row(Table.RISK, slot)
    market: Market = c.t.row(Table.MARKETS, slot)
    feed: Feed = c.t.row(Table.FEEDS, risk.feed)
    index = index_ticks(feed, market)
    bid, ask = book_prices(c.t, risk, market)
    book = 0
    if bid:
        book = book_candidate(bid, ask, market.last_ticks)
        averages_move(risk, (bid + ask) * EMA_SCALE // 2 - index * EMA_SCALE, book, c.time_ms)
    based = priced(index + risk_rules.ema_ticks(risk.basis_ema_fp), market)
    external = min(feed.external_ticks, market.price_max_ticks)
    average = risk_rules.ema_ticks(risk.book_ema_fp)
    candidate = priced(risk_rules.mark_candidate(based, book, external, average), market)
    first = c.t.row(Table.MARGIN_TIERS, market.margin_schedule * TIERS_PER_SCHEDULE)
    candidate = risk_rules.mark_near_index(candidate, index, first.rate_ppm)
    before = market.mark_ticks
    mark = risk_rules.clamp_move(before, candidate, risk.mark_clamp_ppm)
    risk.external_ticks = external
    basis_fp, book_fp = risk.basis_ema_fp, risk.book_ema_fp
    c.t.put(Table.RISK, slot, risk)
    if candidate_breaches(c, slot, mark):
        mark = before
    else:
        market.mark_ticks, market.mark_ms = mark, c.time_ms
        c.t.put(Table.MARKETS, slot, market)
    after = c.t.row(Table.RISK, slot)
    c.emit_words(
        EventKind.MARKED,
        mark,
        before,
        index,
        based,
        book,
        external,
        basis_fp,
        book_fp,
        after.band_low_ticks,
        after.band_high_ticks,
        candidate,
        market=slot,
    )


def averages_move(risk: Risk, basis_fp: int, book: int, time_ms: int) -> None:
    """Move both averages towards the present book; the first one sets them."""
    book_fp = book * EMA_SCALE
    if risk.ema_ms:
        dt_ms = time_ms - risk.ema_ms
        basis_fp = risk_rules.ema_step(risk.basis_ema_fp, basis_fp, dt_ms, risk.basis_ema_ms)
        book_fp = risk_rules.ema_step(risk.book_ema_fp, book_fp, dt_ms, risk.book_ema_ms)
    risk.basis_ema_fp, risk.book_ema_fp, risk.ema_ms = basis_fp, book_fp, time_ms


def index_ticks(feed: Feed, market: Market) -> int:
    """The index as a price of the market, whose prices end at `price_max_ticks`."""
    return min(feed.price_ticks, market.price_max_ticks)


def priced(price: int, market: Market) -> int:
    """The nearest price that the market can have."""
    return min(max(price, 1), market.price_max_ticks)


def book_prices(t: Tables, risk: Risk, market: Market) -> tuple[int, int]:
    """Best bid and ask of a book that trades, 0 and 0 where one is missing or they cross."""
    if risk.phase != Phase.TRADING or not market.bid_best or not market.ask_best:
        return 0, 0
    bid = t.row(Table.LEVELS, market.bid_best).price
    ask = t.row(Table.LEVELS, market.ask_best).price
    return (bid, ask) if bid < ask else (0, 0)


def book_candidate(bid: int, ask: int, last: int) -> int:
    """Median of best bid, best ask and last trade; before any trade the middle, floored."""
    return risk_rules.median3(bid, ask, last) if last else (bid + ask) // 2
