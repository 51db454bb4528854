"""Series: bound by command; expiries and their rows. Both machines in lockstep."""

from dataclasses import replace
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetSeries
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.codes import MarketStatus, Reject
from quorate.types.limits import (
    OPTION_MS_MAX,
    PAYOFF_SAMPLES_MAX,
    VOTERS_MAX,
)
from quorate.types.options import PARAMETERS
from quorate.types.options_codes import ExpiryState, ObservationRule, SeriesState
from quorate.types.records import Table
from tests.execution.exchange import PERP, SPOT
from tests.execution.options_exchange import (
    DAY_MS,
    HOUR_MS,
    LEAST_MS,
    NUMBERS,
    PRICES,
    SERIES,
    SPEC,
    Desk,
    expiries_taken,
    product,
)

R = Reject


@pytest.fixture
def desk() -> Desk:
    x = Desk()
    x.listed()
    return x


# --- markets of kind SERIES ----------------------------------------------------------------------
def test_a_market_of_series_is_halted_until_it_has_one() -> None:
    x = Desk()
    x.ok("governance", product(0))
    x.market_made()
    assert x.market(SERIES).status == MarketStatus.HALTED
    for status in (MarketStatus.OPEN, MarketStatus.POST_ONLY, MarketStatus.REDUCE_ONLY):
        assert x.governs(c.SetStatus(SERIES, int(status))) == R.SERIES_NOT_LIVE
    assert x.governs(c.SetStatus(SERIES, int(MarketStatus.HALTED))) == R.OK
    assert x.code("oracle", c.SetMark(SERIES, 5)) == R.MARK_FOLLOWS_ITS_FEED
    x.ok("governance", SetSeries(SERIES, 0, x.ahead(3), strike=5))
    assert x.market(SERIES).status == MarketStatus.OPEN
    assert x.governs(c.SetStatus(SERIES, int(MarketStatus.POST_ONLY))) == R.OK


@pytest.mark.parametrize(
    "change",
    [
        {"mark_ticks": 1},
        {"base_asset": 1},
        {"lot_units": 1},
        {"position_max_lots": 0},
        {"size_max_lots": 2**38 - 1},
    ],
)
def test_bounds_of_a_market_of_series_are_a_perpetuals(change: dict[str, Any]) -> None:
    x = Desk()
    assert x.governs(c.ListMarket(SERIES, replace(SPEC, **change))) == (
        R.MARKET_PARAMETERS_OUT_OF_RANGE
    )
    assert x.governs(c.ListMarket(SERIES, replace(SPEC, kind=2))) == R.OK


def test_a_market_of_series_without_a_clearing_house_takes_no_mark() -> None:
    x = Desk()
    x.ok("governance", c.ListMarket(SERIES, SPEC))
    assert x.code("oracle", c.SetMark(SERIES, 5)) == R.MARK_FOLLOWS_ITS_FEED


# --- SET_SERIES ----------------------------------------------------------------------------------
def test_a_series_and_its_expiry(desk: Desk) -> None:
    row, expiry = desk.series(), desk.expiry(0)
    assert (row.state, row.product, row.strike, row.expiry) == (SeriesState.LIVE, 0, 100_000, 0)
    assert row.listed_ms == desk.time_ms and not row.template
    assert (expiry.state, expiry.feed, expiry.series_count) == (ExpiryState.OPEN, 0, 1)
    assert expiry.expiry_ms == row.expiry_ms
    # The window of the fixing: its samples are the multiples behind its begin, the last at expiry.
    samples = range(expiry.fix_next_ms, expiry.expiry_ms + 1, NUMBERS.fixing_sample_ms)
    assert len(samples) == 450 and samples[-1] == expiry.expiry_ms
    ledger = desk.ledger()
    assert (ledger.series_high, ledger.series_live) == (SERIES + 1, 1)
    assert (ledger.expiries_high, ledger.smile_votes_high) == (1, VOTERS_MAX)


def test_each_refusal_of_a_series() -> None:
    x = Desk()
    x.fund("ann")
    x.ok("governance", product(0))
    x.ok("governance", c.ListMarket(SERIES, SPEC))
    sound = SetSeries(SERIES, 0, x.ahead(30), strike=100_000)
    assert x.code("ann", sound) == R.GOVERNANCE_KEY_REQUIRED
    assert x.governs(replace(sound, market=0)) == R.MARKET_MUST_EXIST
    assert x.governs(replace(sound, market=SERIES + 1)) == R.MARKET_MUST_EXIST
    assert x.governs(replace(sound, market=PERP)) == R.SERIES_ALREADY_SET
    assert x.governs(replace(sound, market=SPOT)) == R.SERIES_ALREADY_SET
    assert x.governs(replace(sound, product=1)) == R.PRODUCT_MUST_EXIST
    assert x.governs(sound) == R.MARKET_HAS_NO_CLEARING
    x.market_made(SERIES + 1)
    sound = replace(sound, market=SERIES + 1)
    for strike in (0, PRICES[1] + 1, -1, 2**63 - 1, -(2**63)):
        assert x.governs(replace(sound, strike=strike)) == R.SERIES_PARAMETER_OUT_OF_RANGE
    for name in PARAMETERS[1:]:
        for value in (1, -1):
            wrong = replace(sound, **{name: value})
            assert x.governs(wrong) == R.SERIES_PARAMETER_OUT_OF_RANGE
    least, most = x.time_ms + LEAST_MS, x.time_ms + OPTION_MS_MAX
    for expiry_ms in (0, 1, least + 1_000 - 1, most + 10_000, 2**63 - 1):
        assert x.governs(replace(sound, expiry_ms=expiry_ms)) == R.EXPIRY_OUT_OF_RANGE
    assert x.governs(replace(sound, expiry_ms=x.time_ms + LEAST_MS + 1_000)) == R.OK
    assert x.governs(sound) == R.SERIES_ALREADY_SET


def test_an_expiry_at_both_ends() -> None:
    x = Desk()
    x.ok("governance", product(0))
    for slot, ahead_ms in ((4, LEAST_MS), (5, OPTION_MS_MAX)):
        x.market_made(slot)
        at_ms = x.time_ms + 1_000  # of the block that follows
        beyond = -1 if ahead_ms == LEAST_MS else 1_001
        wrong = SetSeries(slot, 0, at_ms + ahead_ms + beyond, strike=1)
        assert x.governs(wrong) == R.EXPIRY_OUT_OF_RANGE
        assert x.governs(replace(wrong, expiry_ms=x.time_ms + 1_000 + ahead_ms)) == R.OK


def test_the_payoff_fits_the_prices_of_its_market() -> None:
    x = Desk()
    x.ok("governance", product(0, high=SPEC.price_max_ticks + 1), product(1))
    x.market_made()
    series = SetSeries(SERIES, 0, x.ahead(9), strike=1)
    assert x.governs(series) == R.MARKET_PARAMETERS_OUT_OF_RANGE
    assert x.governs(replace(series, product=1)) == R.OK


def test_without_an_expiry_neither_fixing_nor_path() -> None:
    x = Desk()
    x.ok(
        "governance",
        product(0),
        product(1, "avg", {"avg": PRICES}, rule=ObservationRule.BLOCK),
        product(2, "max(spot - strike, 0)", {"spot": PRICES, "strike": PRICES}, name="EVER"),
    )
    x.market_made()
    assert x.governs(SetSeries(SERIES, 0, 0, strike=9)) == R.EXPIRY_OUT_OF_RANGE
    assert x.governs(SetSeries(SERIES, 1, 0)) == R.EXPIRY_OUT_OF_RANGE
    assert x.governs(SetSeries(SERIES, 2, 0, strike=9)) == R.OK
    assert x.ledger().expiries_high == 0 and x.series().state == SeriesState.LIVE
    x.market_made(5)
    assert x.governs(SetSeries(5, 2, x.ahead(9), strike=9)) == R.OK


def test_samples_end_before_they_are_too_many() -> None:
    x = Desk()
    averaged = product(
        0, "avg", {"avg": PRICES}, rule=ObservationRule.SAMPLED, sample_ms=1_000
    )
    x.ok("governance", averaged)
    x.market_made()
    expiry_ms = x.time_ms + 1_000 + 1_000 * PAYOFF_SAMPLES_MAX
    assert x.governs(SetSeries(SERIES, 0, expiry_ms)) == R.EXPIRY_OUT_OF_RANGE
    x.ok("governance", SetSeries(SERIES, 0, x.time_ms + 1_000 * PAYOFF_SAMPLES_MAX))
    assert x.series().seen_next_ms == x.time_ms // 1_000 * 1_000 + 1_000


def test_closes_are_at_eight_in_the_morning() -> None:
    x = Desk()
    x.ok("governance", product(0, "avg", {"avg": PRICES}, rule=ObservationRule.CLOSE))
    x.market_made()
    x.ok("governance", SetSeries(SERIES, 0, x.ahead(72)))
    next_ms = x.series().seen_next_ms
    assert next_ms % DAY_MS == 8 * HOUR_MS and 0 < next_ms - x.time_ms <= DAY_MS


def test_a_series_keeps_its_feed_and_nothing_else(desk: Desk) -> None:
    feed, close = (RISK_PARAMETERS.index(name) for name in ("feed", "close_ppm"))
    assert desk.governs(c.SetRisk(SERIES, feed, 1)) == R.SERIES_ALREADY_SET
    assert desk.governs(c.SetRisk(SERIES, close, 5)) == R.OK
    assert desk.governs(c.SetRisk(PERP, feed, 1)) == R.OK


# --- expiries ------------------------------------------------------------------------------------
def test_an_expiry_is_shared_by_feed_and_time(desk: Desk) -> None:
    for slot, feed, ahead in ((5, 0, 48), (6, 1, 48), (7, 0, 72)):
        desk.market_made(slot, feed=feed)
        expiry_ms = desk.series().expiry_ms + (ahead - 48) * HOUR_MS
        desk.ok("governance", SetSeries(slot, 0, expiry_ms, strike=7))
    assert [desk.series(slot).expiry for slot in (4, 5, 6, 7)] == [0, 0, 1, 2]
    assert [desk.expiry(slot).series_count for slot in range(3)] == [2, 1, 1]
    assert desk.expiry(1).feed == 1


def test_a_free_row_is_taken_first_and_its_votes_are_forgotten(desk: Desk) -> None:
    desk.market_made(5)
    desk.ok("governance", SetSeries(5, 0, desk.ahead(100), strike=7))
    desk.doctor(Table.EXPIRIES, 0, state=int(ExpiryState.FREE), vol_8_e9=5, fix_sum=9)
    desk.doctor(Table.SMILE_VOTES, 3, time_ms=desk.time_ms, forward_ticks=9, vol_0_e9=7)
    desk.market_made(6)
    desk.ok("governance", SetSeries(6, 0, desk.ahead(200), strike=7))
    assert desk.series(6).expiry == 0 and desk.ledger().expiries_high == 2
    row = desk.expiry(0)
    assert (row.state, row.series_count, row.vol_8_e9, row.fix_sum) == (ExpiryState.OPEN, 1, 0, 0)
    vote = desk.at(Table.SMILE_VOTES, 3)
    assert (vote.time_ms, vote.forward_ticks, vote.vol_0_e9) == (0, 0, 0)


def test_an_expiry_too_many() -> None:
    x = Desk()
    x.ok("governance", product(0))
    x.market_made()
    expiries_taken(x, 0)
    assert x.governs(SetSeries(SERIES, 0, x.ahead(5), strike=9)) == R.TABLE_FULL_SEND_LATER
    assert x.series().state == SeriesState.NONE
    x.doctor(Table.EXPIRIES, 77, state=int(ExpiryState.FREE), expiry_ms=0, feed=0)
    x.ok("governance", SetSeries(SERIES, 0, x.ahead(5), strike=9))
    assert x.series().expiry == 77
