"""Market makers in series: protection by delta and vega, quotes in volatility."""

from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetSeries
from quorate.instruments.pricing.black76 import deviation_fp, price_ticks
from quorate.types.codes import EventKind, Reject
from quorate.types.records import Table
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import PERP, USD
from tests.execution.options_exchange import PRICES, SERIES, product
from tests.execution.series_desk import SeriesDesk

ONE = 2**40
QUANTUM = USD // 100


@pytest.fixture
def desk() -> SeriesDesk:
    made = SeriesDesk()
    made.opened()
    return made


def quoted(desk: SeriesDesk, **limits: int) -> None:
    """Alice quotes in a group with limits, ten lots on each of two levels and sides."""
    levels = (c.QuoteLevel(2_300, 10, 2_450, 10), c.QuoteLevel(2_290, 10, 2_460, 10))
    desk.ok("alice", c.SetGroup(1, 60_000, **limits), c.Quote(SERIES, 1, levels))


def test_delta_of_a_series_is_that_of_what_it_moves_with(desk: SeriesDesk) -> None:
    row = desk.series()
    lot_e6 = row.delta_fp * 100_000 * QUANTUM // ONE
    quoted(desk, delta_max_e6=11 * lot_e6)
    desk.ok("bob", c.Place(SERIES, 0, 2_450, 10))
    assert desk.market(SERIES).orders_count == 3
    events = desk.ok("bob", c.Place(SERIES, 0, 2_460, 5))
    (hit,) = readings(events, EventKind.PROTECTED)
    # The delta is that of each fill's tick.
    assert abs(int(hit["delta_e6"]) + 15 * lot_e6) <= 15 * lot_e6 // 100_000
    assert desk.market(SERIES).orders_count == 0


def test_vega_is_counted_for_a_hundredth_of_volatility(desk: SeriesDesk) -> None:
    lot_e6 = desk.series().vega_fp * 100_000 * QUANTUM // ONE // 100
    quoted(desk, vega_max_e6=10 * lot_e6 - 20)
    events = desk.ok("bob", c.Place(SERIES, 1, 2_300, 10))
    (hit,) = readings(events, EventKind.PROTECTED)
    assert abs(int(hit["vega_e6"]) - 10 * lot_e6) <= 20
    assert desk.market(SERIES).orders_count == 0


def test_a_sold_option_counts_the_other_way(desk: SeriesDesk) -> None:
    """Bought and sold again, nothing of delta and vega is left to count."""
    row = desk.series()
    quoted(desk, delta_max_e6=15 * row.delta_fp * 100_000 * QUANTUM // ONE)
    desk.ok("bob", c.Place(SERIES, 0, 2_450, 10), c.Place(SERIES, 1, 2_300, 10))
    assert desk.market(SERIES).orders_count == 2


# --- volatility ----------------------------------------------------------------------------------
def in_volatility(desk: SeriesDesk, *levels: c.QuoteLevel, market: int = SERIES) -> Any:
    """Alice's quotes in volatility; give the receipt's code and counts."""
    events = desk.send("alice", c.Quote(market, 1, levels, in_volatility=1))
    (row,) = events[events["kind"] == EventKind.RECEIPT]
    return Reject(int(row["code"])), int(row["size"]), int(row["remaining"])


def best(desk: SeriesDesk) -> tuple[int, int]:
    """Best bid and ask."""
    market = desk.market(SERIES)
    rows = (desk.at(Table.LEVELS, slot) for slot in (market.bid_best, market.ask_best))
    bid, ask = (int(row.price) for row in rows)
    return bid, ask


def test_quotes_in_volatility_bid_down_and_ask_up(desk: SeriesDesk) -> None:
    desk.ok("alice", c.SetGroup(1, 60_000))
    level = c.QuoteLevel(780_000, 5, 820_000, 5)
    assert in_volatility(desk, level) == (Reject.OK, 2, 0)
    bid, ask = best(desk)
    left_ms = desk.expiry(0).expiry_ms - desk.time_ms - 20 * 60_000
    for price, vol_e9, up in ((bid, 780_000_000, False), (ask, 820_000_000, True)):
        deviation = deviation_fp(vol_e9, left_ms)
        assert price == price_ticks(100_000, 100_000, deviation, True, up)
    assert bid < desk.market(SERIES).mark_ticks < ask


def test_a_volatility_that_is_none_is_refused_by_side(desk: SeriesDesk) -> None:
    desk.ok("alice", c.SetGroup(1, 60_000))
    refused = Reject.VOLATILITY_MUST_BE_IN_RANGE
    for low, high in ((9_999, 5_000_001), (0, 2**62)):
        assert in_volatility(desk, c.QuoteLevel(low, 5, high, 5)) == (refused, 0, 2)
    assert in_volatility(desk, c.QuoteLevel(9_999, 5, 900_000, 5)) == (Reject.OK, 1, 1)
    level = c.QuoteLevel(780_000, 5, 820_000, 5)
    assert in_volatility(desk, level, market=PERP) == (refused, 0, 2)


def test_a_series_without_a_volatility_takes_prices_alone(desk: SeriesDesk) -> None:
    ranges = {"spot": PRICES, "strike": PRICES}
    desk.ok("governance", product(1, "max(spot - strike, 0)", ranges))
    desk.market_made(SERIES + 1)
    desk.ok("governance", SetSeries(SERIES + 1, 1, 0, strike=95_000))
    desk.marked()
    desk.ok("alice", c.SetGroup(1, 60_000))
    level = c.QuoteLevel(780_000, 5, 820_000, 5)
    refused = Reject.VOLATILITY_MUST_BE_IN_RANGE
    assert in_volatility(desk, level, market=SERIES + 1) == (refused, 0, 2)
