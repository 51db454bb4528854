"""Marks and greeks of series against Black-76 in floats; perpetual series and their funding."""

import math
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetSeries
from quorate.execution.spec.expected import fixing_parts
from quorate.instruments.payoff.catalogue import PRODUCTS
from quorate.instruments.pricing.black76 import price_ticks
from quorate.types.codes import EventKind, Reject
from quorate.types.options_codes import ObservationRule, SeriesState
from quorate.types.payoff_codes import Life
from quorate.types.records import Table
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import USD
from tests.execution.options_exchange import PRICES, SERIES, product
from tests.execution.series_desk import VOL_E9, SeriesDesk

ONE = 2**40
YEAR_MS = 365 * 86_400_000
WINDOW_MS = 30 * 60_000
FLAT = (VOL_E9,) * 9
HIGHEST = 2_000_000


@pytest.fixture
def desk() -> SeriesDesk:
    made = SeriesDesk()
    made.opened()
    return made


def black(forward: float, strike: float, vol: float, years: float) -> tuple[float, float, float]:
    """Price, delta and vega (per 1.00) of a call."""
    spread = vol * math.sqrt(years)
    high = math.log(forward / strike) / spread + spread / 2
    normal = NormalDist()
    price = forward * normal.cdf(high) - strike * normal.cdf(high - spread)
    return price, normal.cdf(high), forward * normal.pdf(high) * math.sqrt(years)


def flat(desk: SeriesDesk, forward: int, index: int) -> None:
    """Two beats in which all vote a flat smile."""
    for _ in range(2):
        rows = desk.vote_rows(0, *[index] * 4) + desk.smile_rows(0, forward, FLAT)
        desk.rows(*rows, step_ms=4_000)


def listed(desk: SeriesDesk, number: int, text: str, ranges: Any, market: int, **more: Any) -> None:
    """One more product and a series of it, on the expiry of the desk's call."""
    keys = ("rule", "sample_ms", "low", "high")
    kept = {key: more.pop(key) for key in keys if key in more}
    desk.ok("governance", product(number, text, ranges, **{"high": HIGHEST, **kept}))
    desk.market_made(market)
    expiry_ms = more.pop("expiry_ms", desk.series().expiry_ms)
    desk.ok("governance", SetSeries(market, number, expiry_ms, **more))


# --- European series -----------------------------------------------------------------------------
@pytest.mark.parametrize("forward", [60_000, 95_000, 100_000, 101_234, 150_000])
def test_a_call_is_marked_by_black_76(desk: SeriesDesk, forward: int) -> None:
    flat(desk, forward, 100_000)
    row, market = desk.series(), desk.market(SERIES)
    left_ms = row.expiry_ms - desk.time_ms - 2 * WINDOW_MS // 3
    price, delta, vega = black(forward, 100_000, row.vol_e9 / 1e9, left_ms / YEAR_MS)
    assert abs(row.vol_e9 / VOL_E9 - 1) < 0.001
    assert abs(row.model_ticks - price) <= 1.001
    assert market.mark_ticks == max(row.model_ticks, 1)
    assert abs(row.delta_fp / ONE - delta) < 1e-6
    assert abs(row.vega_fp / ONE * forward - vega) < 1e-3 * vega + 1
    assert row.gamma_fp >= 0 and row.theta_fp <= 0 and row.rho_fp <= 0


def test_in_the_window_what_is_fixed_moves_no_more(desk: SeriesDesk) -> None:
    expiry_ms = desk.expiry(0).expiry_ms
    desk.doctor(
        Table.EXPIRIES, 0, fix_sum=104_000 * 225, fix_count=225,
        fix_next_ms=expiry_ms - WINDOW_MS // 2 + 4_000,
    )  # fmt: skip
    desk.to(expiry_ms - WINDOW_MS // 2)
    desk.lockstep.checks = False
    flat(desk, 100_000, 100_000)
    row = desk.series()
    ahead = (expiry_ms - desk.time_ms) // 4_000
    share = ahead / (ahead + desk.expiry(0).fix_count)
    assert abs(row.delta_fp / ONE - share) < 0.02  # 2 000 in the money, hardly any time value
    assert 1_990 <= row.model_ticks <= 2_020
    assert row.vega_fp >= 0


def test_a_stale_index_leaves_the_mark(desk: SeriesDesk) -> None:
    for _ in range(3):
        desk.beat(0)
    before = desk.market(SERIES)
    desk.beat(0)
    desk.beat(0)
    after = desk.market(SERIES)
    assert (before.mark_ticks, before.mark_ms) == (after.mark_ticks, after.mark_ms)


def test_without_a_smile_there_is_no_mark_and_no_order() -> None:
    desk = SeriesDesk()
    desk.ok("governance", product(0))
    desk.market_made()
    desk.beat(smiles=0)
    desk.ok("governance", SetSeries(SERIES, 0, desk.ahead(48), strike=100_000))
    desk.beat(smiles=0)
    assert desk.market(SERIES).mark_ticks == 0
    assert desk.code("alice", c.Place(SERIES, 0, 100, 1)) == Reject.MARK_PRICE_MISSING_WAIT


def test_a_mark_moves_by_the_clamp_and_comes_there() -> None:
    desk = SeriesDesk()
    desk.ok("governance", product(0))
    desk.market_made(mark_clamp_ppm=100_000)
    desk.beat(smiles=0)
    desk.ok("governance", SetSeries(SERIES, 0, desk.ahead(48), strike=100_000))
    desk.marked()
    first = desk.market(SERIES).mark_ticks
    seen = [first]
    for _ in range(12):
        desk.beat(106_000)
        seen.append(desk.market(SERIES).mark_ticks)
    assert all(b - a <= a * 100_000 // 1_000_000 for a, b in pairwise(seen))
    assert seen[-1] == desk.series().model_ticks > first * 2


# --- other payoffs -------------------------------------------------------------------------------
@pytest.mark.parametrize("deviation", [0.002, 0.02, 0.1, 0.3, 1.0, 2.0])
def test_parts_keep_the_mean_and_price_calls_within_one_part_in_eighty(deviation: float) -> None:
    """The stated error: 1.25 % of the price at the money, at any strike within three deviations."""
    forward, spread = 100_000_000, int(deviation * ONE)
    parts = fixing_parts(forward, spread)
    assert sum(weight for weight, _ in parts) == ONE
    assert [price for _, price in parts] == sorted(price for _, price in parts)
    mean = sum(weight * price for weight, price in parts) / ONE
    assert abs(mean / forward - 1) < 1e-4 if deviation > 1 else abs(mean - forward) <= 1
    most = price_ticks(forward, forward, spread, True, False)
    for step in range(-30, 31):
        strike = int(forward * math.exp(step / 10 * deviation))
        exact = price_ticks(forward, strike, spread, True, False)
        found = sum(weight * max(price - strike, 0) for weight, price in parts) // ONE
        assert abs(found - exact) <= 0.0125 * most


def test_every_dated_product_of_the_catalogue_is_marked_and_settles(desk: SeriesDesk) -> None:
    names = [each for each in PRODUCTS.values() if each.life != Life.EVERLASTING]
    at = SERIES
    for number, each in enumerate(names, start=1):
        at += 1
        low, high = each.bounds[0], min(each.bounds[1], HIGHEST)
        if each.name in ("range_accrual", "variance_swap"):
            continue  # their bounds pass the highest price of these markets
        ranges = {key: (a, min(b, HIGHEST)) for key, (a, b) in each.ranges.items()}
        values = {"strike": 100_000, "upper": 110_000, "lower": 92_000, "rebate": 1_000}
        named = {name: value for name, value in values.items() if name in each.ranges}
        rule = ObservationRule[each.observation.name]
        sample_ms = each.interval_ms if rule == ObservationRule.SAMPLED else 0
        listed(
            desk, number, each.text, ranges, desk.ledger().markets_high, low=low, high=high,
            rule=rule, sample_ms=sample_ms, **named,
        )  # fmt: skip
    desk.marked()
    markets = range(SERIES, desk.ledger().markets_high)
    for market in markets:
        row = desk.series(market)
        assert 0 < desk.market(market).mark_ticks <= HIGHEST, market
        assert row.vol_e9 > 0
    future = next(m for m in markets if desk.series(m).product == 1)
    assert abs(desk.series(future).model_ticks - 100_000) <= 1
    assert abs(desk.series(future).delta_fp / ONE - 1) < 0.001
    desk.sampled(103_000)
    desk.until_settled(103_000)
    for market in markets:
        assert desk.series(market).state == SeriesState.SETTLED
    assert desk.series(future).settle_ticks == 103_000


# --- perpetual series ----------------------------------------------------------------------------
@pytest.fixture
def everlasting(desk: SeriesDesk) -> SeriesDesk:
    """An everlasting call on 95 000 as market 5, with a book of bid 6 000 and ask 6 200."""
    text, ranges = "max(spot - strike, 0)", {"spot": PRICES, "strike": PRICES}
    listed(desk, 1, text, ranges, SERIES + 1, expiry_ms=0, strike=95_000)
    desk.marked()
    return desk


def test_an_everlasting_call_is_marked_between_payoff_and_book(everlasting: SeriesDesk) -> None:
    desk, market = everlasting, SERIES + 1
    assert desk.market(market).mark_ticks == desk.series(market).model_ticks == 5_000
    assert abs(desk.series(market).delta_fp / ONE - 1) < 0.01
    desk.ok("dave", c.Place(market, 0, 6_000, 5), c.Place(market, 1, 6_200, 5))
    for _ in range(3):
        desk.beat()
    assert desk.market(market).mark_ticks == 6_100
    assert desk.series(market).model_ticks == 5_000


def test_funding_pays_the_mark_over_the_payoff_and_sums_to_zero(everlasting: SeriesDesk) -> None:
    desk, market = everlasting, SERIES + 1
    desk.traded("alice", "bob", 10, 6_100, market)
    desk.ok("dave", c.Place(market, 0, 6_000, 5), c.Place(market, 1, 6_200, 5))
    money, paid = desk.money(), 0
    cash = desk.cash("alice"), desk.cash("bob")
    for _ in range(60):
        for row in readings(desk.beat(), EventKind.FUNDED):
            if row["market"] == market:
                paid += int(row["rate_e9"])
    assert paid > 0
    desk.traded("bob", "alice", 10, 6_100, market)  # closes both, and pays
    quantum = USD // 100
    fees = 2 * -(-10 * 6_100 * quantum * 450 // 1_000_000)
    moved = desk.cash("alice") - cash[0], desk.cash("bob") - cash[1]
    assert abs(moved[0] - 10 * 6_100 * quantum + 10 * paid * quantum) <= fees
    assert abs(moved[1] + 10 * 6_100 * quantum - 10 * paid * quantum) <= fees
    assert desk.money() == money
