"""Marks (FORMULAS 2); the same functions as `spec.marks`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import TRADING
from quorate.execution.kernels.bands import candidate_breaches
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.scalars import (
    clamp_move,
    ema_step,
    ema_ticks,
    mark_candidate,
    mark_near_index,
    median3,
)
from quorate.types.codes import EventKind, MarketKind
from quorate.types.limits import EMA_SCALE, TIERS_PER_SCHEDULE

i8 = np.int64
MARKED, SERIES = int(EventKind.MARKED), int(MarketKind.SERIES)


@helper
def index_ticks(s, market):
    """The index as a price of the market, whose prices end at `price_max_ticks`."""
    price = s.feeds[s.risk[market]["feed"]]["price_ticks"]
    most = s.markets[market]["price_max_ticks"]
    return price if price < most else most


@helper
def priced(s, market, price):
    """The nearest price that the market can have."""
    if price < 1:
        return i8(1)
    most = s.markets[market]["price_max_ticks"]
    return price if price < most else most


@helper
def book_trades(s, market):
    """Whether the book is in continuous trading, with two sides that do not cross."""
    row = s.markets[market]
    bid, ask = row["bid_best"], row["ask_best"]
    if s.risk[market]["phase"] != TRADING or bid == 0 or ask == 0:
        return False
    return s.levels[bid]["price"] < s.levels[ask]["price"]


@helper
def book_candidate(s, market):
    """Median of best bid, best ask and last trade; before any trade the middle, floored."""
    row = s.markets[market]
    bid, ask = s.levels[row["bid_best"]]["price"], s.levels[row["ask_best"]]["price"]
    last = row["last_ticks"]
    return median3(bid, ask, last) if last else (bid + ask) // 2


@helper
def averages_move(s, market, index, book):
    """Move both averages towards the present book; the first one sets them."""
    risk = s.risk[market]
    row = s.markets[market]
    both = s.levels[row["bid_best"]]["price"] + s.levels[row["ask_best"]]["price"]
    basis_fp = both * (EMA_SCALE // 2) - index * EMA_SCALE
    book_fp = book * EMA_SCALE
    now_ms = s.now[0]["time_ms"]
    if risk["ema_ms"]:
        dt_ms = now_ms - risk["ema_ms"]
        basis_fp = ema_step(risk["basis_ema_fp"], basis_fp, dt_ms, risk["basis_ema_ms"])
        book_fp = ema_step(risk["book_ema_fp"], book_fp, dt_ms, risk["book_ema_ms"])
    risk["basis_ema_fp"] = basis_fp
    risk["book_ema_fp"] = book_fp
    risk["ema_ms"] = now_ms


@helper
def mark_tick(s, market):
    """Renew one market's averages and mark; a candidate outside a band leaves the mark."""
    risk = s.risk[market]
    row = s.markets[market]
    if risk["mode"] == 0 or risk["guard"] or row["kind"] == SERIES:
        return
    index = index_ticks(s, market)
    book = i8(0)
    if book_trades(s, market):
        book = i8(book_candidate(s, market))
        averages_move(s, market, index, book)
    based = priced(s, market, index + ema_ticks(risk["basis_ema_fp"]))
    external = s.feeds[risk["feed"]]["external_ticks"]
    if external > row["price_max_ticks"]:
        external = row["price_max_ticks"]
    average = ema_ticks(risk["book_ema_fp"])
    candidate = priced(s, market, mark_candidate(based, book, external, average))
    first = s.margin_tiers[row["margin_schedule"] * TIERS_PER_SCHEDULE]
    candidate = mark_near_index(candidate, index, first["rate_ppm"])
    before = row["mark_ticks"]
    mark = clamp_move(before, candidate, risk["mark_clamp_ppm"])
    risk["external_ticks"] = external
    s.risk_dirty[market] = 1
    if candidate_breaches(s, market, mark):
        mark = before
    else:
        row["mark_ticks"] = mark
        row["mark_ms"] = s.now[0]["time_ms"]
        s.markets_dirty[market] = 1
    zero = i8(0)
    emit_words(
        s, MARKED, zero, zero, zero, market, zero, zero,
        mark, before, index, based, book, external, risk["basis_ema_fp"], risk["book_ema_fp"],
        risk["band_low_ticks"], risk["band_high_ticks"], candidate,
    )  # fmt: skip
