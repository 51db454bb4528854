"""Market makers in series: protection by delta and vega, quotes in volatility."""

import pytest

from quorate.codec import commands as c
from quorate.types.codes import EventKind
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import USD
from tests.execution.options_exchange import SERIES
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
