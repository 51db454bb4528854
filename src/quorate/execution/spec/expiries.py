"""The end of a series' trading: LIVE -> EXPIRED, and its orders leave the book.

From the first block at or behind the expiry on the market is halted, so that nothing trades, no
auction ends and nobody is liquidated in it. Cancels pass.
"""

from quorate.execution.spec.book import order_cancel
from quorate.execution.spec.context import Context
from quorate.execution.spec.options_rows import Series
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import Mode, Phase, Switch
from quorate.types.codes import End, EventKind, MarketStatus
from quorate.types.limits import ORDERS_EXPIRED_PER_BLOCK
from quorate.types.options_codes import ExpiryState, SeriesState
from quorate.types.records import Table


def series_begin(c: Context) -> None:
    """Phase 2: series whose expiry has come expire; a bounded number of their orders is cancelled.

    Which series are looked at follows from the expiries in use, so that most blocks look at none.
    """
    if not any_due(c.t, c.time_ms):
        return
    cancels = 0
    for slot in range(1, c.t.row(Table.LEDGER, 0).series_high):
        row: Series = c.t.row(Table.SERIES, slot)
        if row.state == SeriesState.LIVE and 0 < row.expiry_ms <= c.time_ms:
            expire(c, slot, row)
        if c.t.row(Table.SERIES, slot).state == SeriesState.EXPIRED:
            cancels += book_clear(c, slot, ORDERS_EXPIRED_PER_BLOCK - cancels)


def any_due(t: Tables, time_ms: int) -> bool:
    """Whether an expiry in use lies at or before a time."""
    for slot in range(t.row(Table.LEDGER, 0).expiries_high):
        row = t.row(Table.EXPIRIES, slot)
        if row.state != ExpiryState.FREE and 0 < row.expiry_ms <= time_ms:
            return True
    return False


def expire(c: Context, slot: int, row: Series) -> None:
    """End a series' trading."""
    row.state = SeriesState.EXPIRED
    c.t.put(Table.SERIES, slot, row)
    market = c.t.row(Table.MARKETS, slot)
    market.status = MarketStatus.HALTED
    c.t.put(Table.MARKETS, slot, market)
    series_moved(c, slot, SeriesState.LIVE)


def book_clear(c: Context, slot: int, most: int) -> int:
    """Cancel a market's orders, bids first, each side by price and then by time; return how many.

    When none is left an auction that was going on is over.
    """
    cancels = 0
    while cancels < most:
        market = c.t.row(Table.MARKETS, slot)
        level = market.bid_best or market.ask_best
        if not level:
            break
        order_cancel(c, c.t.row(Table.LEVELS, level).head, End.EXPIRY)
        cancels += 1
    risk = c.t.row(Table.RISK, slot)
    if not c.t.row(Table.MARKETS, slot).orders_count and risk.phase == Phase.AUCTION:
        risk.phase = Phase.TRADING
        risk.auction_kind = risk.auction_begin_ms = risk.auction_end_ms = 0
        risk.auction_bands = risk.auction_ticks = risk.auction_lots = 0
        c.t.put(Table.RISK, slot, risk)
        if risk.mode != Mode.OFF:
            words = (Phase.TRADING, Phase.AUCTION)
            c.emit_words(EventKind.SWITCHED, *words, code=Switch.PHASE, market=slot)
    return cancels


def series_moved(c: Context, slot: int, before: SeriesState) -> None:
    """Say that a series is in another state."""
    row, market = c.t.row(Table.SERIES, slot), c.t.row(Table.MARKETS, slot)
    c.emit_words(
        EventKind.SERIES_MOVED,
        before,
        row.settle_ticks,
        market.open_interest_lots,
        market.mark_ticks,
        code=row.state,
        market=slot,
    )
