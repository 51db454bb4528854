"""What a node tells of series, of expiries in the order of time, and of accounts by expiry."""

from typing import Any

import pytest

from quorate.codec.options_commands import SetSeries
from quorate.replica.ledger import Ledger
from quorate.replica.options_view import decimal
from quorate.replica.query import answer
from quorate.types.records import Table
from tests.execution.options_exchange import HIGH, PRICES, SERIES, product
from tests.execution.series_desk import SeriesDesk
from tests.replica import world

CAPPED = SERIES + 1
LOTS = 300


@pytest.fixture(scope="module")
def desk() -> SeriesDesk:
    """A call 49 hours ahead, which alice holds, and a capped one 25 hours ahead, bob's."""
    x = SeriesDesk()
    x.opened(hours=48)
    ranges = {"fix": PRICES, "strike": PRICES, "cap": (1, HIGH)}
    x.ok("governance", product(1, "min(max(fix - strike, 0), cap)", ranges, name="CAPPED"))
    x.market_made(CAPPED)
    x.ok("governance", SetSeries(CAPPED, 1, x.ahead(24), strike=101_000, cap=20_000))
    x.marked(100_000, smiles=2)
    mark = x.at(Table.MARKETS, SERIES).mark_ticks
    capped = x.at(Table.MARKETS, CAPPED).mark_ticks
    x.traded("alice", "carol", LOTS, mark)
    x.traded("bob", "alice", LOTS, capped, CAPPED)
    return x


def asked(x: SeriesDesk, **question: Any) -> Any:
    return answer(Ledger(world.executor_of("kernel", x.image()), world.SETTINGS), question)


def test_a_series_tells_its_greeks_as_integers_and_for_people(desk: SeriesDesk) -> None:
    call, capped = asked(desk, ask="series")["series"]
    row = desk.series(SERIES)
    assert (call["market"], call["product_name"], call["state_name"]) == (SERIES, "CALL", "LIVE")
    assert call["delta_fp"] == row.delta_fp > 0 and call["vol_e9"] == row.vol_e9
    assert call["left_ms"] == row.expiry_ms - desk.time_ms and call["strike"] == 100_000
    assert call["open_interest_lots"] == LOTS
    quantum = call["quantum_e6"]
    assert call["lot"]["mark_e6"] == call["mark_ticks"] * quantum
    assert call["lot"]["theta_e6"] == row.theta_fp * 100_000 * quantum // 2**40 < 0
    assert call["lot"]["delta_e6"] == row.delta_fp * 100_000 * quantum // 2**40
    assert call["shown"]["delta"].startswith("0.5") and call["shown"]["theta"].startswith("-")
    assert float(call["shown"]["vol"].rstrip(" %")) == pytest.approx(row.vol_e9 / 1e7, abs=0.01)
    assert capped["lot"]["theta_e6"] is None and capped["shown"]["theta"] == "not told"
    assert capped["lot"]["delta_e6"] > 0
    assert asked(desk, ask="series", market=CAPPED)["series"] == [capped]


def test_what_is_no_series_is_refused(desk: SeriesDesk) -> None:
    assert asked(desk, ask="series", market=1) == {"error": "Market 1 is no series."}


def test_expiries_come_in_the_order_of_time(desk: SeriesDesk) -> None:
    near, far = asked(desk, ask="calendar")["expiries"]
    assert near["expiry_ms"] < far["expiry_ms"]
    assert (near["series"], far["series"]) == ([CAPPED], [SERIES])
    assert near["left_ms"] == near["expiry_ms"] - desk.time_ms
    assert far["forward_ticks"] == far["index_ticks"] == 100_000 and far["feed"] == 0
    assert far["shown"]["vol_at_money"] == "80.00 %" and far["vol_at_money_e9"] == 800_000_000
    fixing = near["fixing"]
    assert fixing["samples_count"] == 0 and fixing["mean_ticks"] is fixing["fix_ticks"] is None
    assert fixing["samples_wanted"] == fixing["window_ms"] // fixing["sample_ms"] == 450


def test_an_account_tells_its_theta_and_what_it_holds_by_expiry(desk: SeriesDesk) -> None:
    found = asked(desk, ask="calendar", account=desk.account("alice"))
    near, far = found["expiries"]
    (short,), (long,) = near["positions"], far["positions"]
    assert (short["market"], short["lots"]) == (CAPPED, -LOTS) and short["worth_e6"] < 0
    assert (long["market"], long["lots"]) == (SERIES, LOTS) and long["worth_e6"] > 0
    row = desk.series(SERIES)
    quantum = desk.at(Table.MARKETS, SERIES).quantum_e6
    assert found["theta_e6"] == row.theta_fp * 100_000 * quantum * LOTS // 2**40 < 0
    assert found["theta_untold"] == [CAPPED] and short["theta_e6"] is None
    assert found["worth_e6"] == near["worth_e6"] + far["worth_e6"]
    assert found["delta_e6"] == short["delta_e6"] + long["delta_e6"]
    nobody = asked(desk, ask="calendar", account=desk.account("dave"))
    assert (nobody["expiries"], nobody["theta_e6"]) == ([], 0)


def test_the_fixing_is_told_as_far_as_it_is() -> None:
    x = SeriesDesk(fixing_window_ms=40_000)
    x.opened()
    x.to(x.expiry(0).expiry_ms - 20_000)
    x.beat(100_400)
    x.beat(100_800)
    (found,) = asked(x, ask="calendar")["expiries"]
    row, fixing = x.expiry(0), found["fixing"]
    assert fixing["samples_count"] == row.fix_count > 0 and fixing["samples_wanted"] == 10
    assert fixing["samples_missing"] == row.fix_missing > 0
    assert fixing["mean_ticks"] == row.fix_sum // row.fix_count
    x.until_settled(100_800)
    assert asked(x, ask="calendar")["expiries"] == []
    (settled,) = asked(x, ask="series")["series"]
    assert settled["state_name"] == "SETTLED" and settled["settle_ticks"] > 0


@pytest.mark.parametrize(
    ("value", "unit", "places", "text"),
    [(-1, 3, 1, "-0.3"), (-1, 300, 1, "0.0"), (1_234_567, 10, 2, "123,456.70"), (7, 2, 0, "3")],
)
def test_decimals_are_cut_towards_zero(value: int, unit: int, places: int, text: str) -> None:
    assert decimal(value, unit, places) == text
