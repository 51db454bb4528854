"""Series: bound by command, listed by rule; expiries and their rows. Both machines in lockstep."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetListing, SetSeries
from quorate.execution.machine import KernelMachine
from quorate.execution.spec.options_rows import Expiry
from quorate.sim.execution_world import Row
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import MarketStatus, Reject
from quorate.types.limits import (
    EXPIRIES_MAX,
    FIXING_SAMPLE_MS,
    FIXING_SAMPLES,
    LISTING_LEAST_MS,
    LISTINGS_MAX,
    LISTINGS_PER_TICK,
    MARKETS_MAX,
    OPTION_MS_MAX,
    PAYOFF_SAMPLES_MAX,
    VOTERS_MAX,
)
from quorate.types.options import PARAMETERS
from quorate.types.options_codes import ExpiryState, ObservationRule, SeriesState
from quorate.types.records import Table
from tests.execution.clearing_exchange import house
from tests.execution.exchange import PERP, SPOT
from tests.execution.options_exchange import (
    DAY_MS,
    HIGH,
    HOUR_MS,
    PRICES,
    SERIES,
    SPEC,
    Desk,
    announced,
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
def test_bounds_of_a_market_of_series_are_a_perpetuals(change: dict[str, int]) -> None:
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
    samples = range(expiry.fix_next_ms, expiry.expiry_ms + 1, FIXING_SAMPLE_MS)
    assert len(samples) == FIXING_SAMPLES and samples[-1] == expiry.expiry_ms
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
    least, most = x.time_ms + LISTING_LEAST_MS, x.time_ms + OPTION_MS_MAX
    for expiry_ms in (0, 1, least + 1_000 - 1, most + 10_000, 2**63 - 1):
        assert x.governs(replace(sound, expiry_ms=expiry_ms)) == R.EXPIRY_OUT_OF_RANGE
    assert x.governs(replace(sound, expiry_ms=x.time_ms + LISTING_LEAST_MS + 1_000)) == R.OK
    assert x.governs(sound) == R.SERIES_ALREADY_SET


def test_an_expiry_at_both_ends() -> None:
    x = Desk()
    x.ok("governance", product(0))
    for slot, ahead_ms in ((4, LISTING_LEAST_MS), (5, OPTION_MS_MAX)):
        x.market_made(slot)
        at_ms = x.time_ms + 1_000  # of the block that follows
        beyond = -1 if ahead_ms == LISTING_LEAST_MS else 1_001
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


def expiries_taken(x: Desk, first: int) -> None:
    """Give all rows of EXPIRIES from `first` on to somebody else."""
    ledger = x.lockstep.spec.tables.row(Table.LEDGER, 0)
    ledger.expiries_high, ledger.smile_votes_high = EXPIRIES_MAX, EXPIRIES_MAX * VOTERS_MAX
    x.lockstep.spec.tables.put(Table.LEDGER, 0, ledger)
    x.lockstep.kernel.ledger["expiries_high"] = EXPIRIES_MAX
    x.lockstep.kernel.ledger["smile_votes_high"] = EXPIRIES_MAX * VOTERS_MAX
    for slot in range(first, EXPIRIES_MAX):
        row = Expiry(state=int(ExpiryState.OPEN), expiry_ms=9, feed=9)
        x.lockstep.spec.tables.put(Table.EXPIRIES, slot, row)
        for name in ("state", "expiry_ms", "feed"):
            x.lockstep.kernel.rows(Table.EXPIRIES)[slot][name] = getattr(row, name)
    x.doctor(Table.EXPIRIES, EXPIRIES_MAX - 1)


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


# --- SET_LISTING ---------------------------------------------------------------------------------
def test_each_refusal_of_a_rule(desk: Desk) -> None:
    x = desk
    x.fund("ann")
    assert x.code("ann", x.rule()) == R.GOVERNANCE_KEY_REQUIRED
    assert x.governs(x.rule(slot=1)) == R.PARAMETER_OUT_OF_RANGE
    assert x.governs(SetListing(0, 0, 0, 0, 0, 0, 0)) == R.PARAMETER_OUT_OF_RANGE
    assert x.governs(x.rule(template=9)) == R.MARKET_MUST_EXIST
    assert x.governs(x.rule(template=2**63 - 1)) == R.MARKET_MUST_EXIST
    assert x.governs(x.rule(template=PERP)) == R.SERIES_NOT_LIVE
    for wrong in (
        {"period_ms": LISTING_LEAST_MS - 1, "offset_ms": 0},
        {"period_ms": OPTION_MS_MAX + 1},
        {"period_ms": OPTION_MS_MAX, "ahead": 1},
        {"period_ms": 2**63 - 1},
        {"offset_ms": DAY_MS},
        {"ahead": 0},
        {"ahead": 17},
        {"ahead": 2**63 - 1},
        {"step": 0},
        {"step": 2**40},
        {"each_side": 33},
        {"each_side": 2**63 - 1},
    ):
        assert x.governs(x.rule(**wrong)) == R.PARAMETER_OUT_OF_RANGE, wrong
    assert x.governs(x.rule()) == R.OK
    for number in range(1, LISTINGS_MAX):
        assert x.governs(x.rule(slot=number)) == R.OK
    assert x.governs(x.rule(slot=LISTINGS_MAX)) == R.PARAMETER_OUT_OF_RANGE


def test_a_rule_needs_a_template_that_expires_and_samples_that_end() -> None:
    x = Desk()
    x.ok(
        "governance",
        product(0, "spot", {"spot": PRICES}),
        product(1, "avg", {"avg": PRICES}, rule=ObservationRule.SAMPLED, sample_ms=1_000),
    )
    x.market_made(4)
    x.market_made(5)
    x.ok("governance", SetSeries(4, 0, 0), SetSeries(5, 1, x.ahead(5)))
    assert x.governs(x.rule(template=4)) == R.SERIES_NOT_LIVE
    long = x.rule(template=5, period_ms=7 * DAY_MS, ahead=2, each_side=0)
    assert x.governs(long) == R.EXPIRY_OUT_OF_RANGE
    assert x.governs(replace(long, expiries_ahead=1)) == R.OK
    strikes = replace(long, expiries_ahead=1, strikes_each_side=1)
    assert x.governs(strikes) == R.PARAMETER_OUT_OF_RANGE, "its payoff names no strike"


def test_a_rule_ends(desk: Desk) -> None:
    desk.ok("governance", desk.rule(each_side=0))
    desk.index(100_000)
    high = desk.ledger().markets_high
    assert high == SERIES + 1 + 3
    assert desk.governs(SetListing(0, SERIES, 0, 0, 0, 0, 0)) == R.PARAMETER_OUT_OF_RANGE
    desk.ok("governance", SetListing(0, 0, 0, 0, 0, 0, 0))
    desk.index(150_000)
    assert desk.ledger().markets_high == high


# --- the rule ------------------------------------------------------------------------------------
def test_what_a_rule_lists(desk: Desk) -> None:
    desk.ok("governance", desk.rule(ahead=1, each_side=1))
    found = announced(desk.votes(*[102_500] * 4))
    assert [int(event["strike"]) for event in found] == [100_000, 105_000, 95_000]
    slots = [int(event["market"]) for event in found]
    assert slots == [5, 6, 7] and {int(event["code"]) for event in found} == {1}
    expiry_ms = int(found[0]["expiry_ms"])
    assert expiry_ms % DAY_MS == 8 * HOUR_MS
    assert LISTING_LEAST_MS < expiry_ms - desk.time_ms <= LISTING_LEAST_MS + DAY_MS
    assert [desk.market(slot).name.rstrip(b"\0") for slot in slots] == [
        b"BTC-C-5", b"BTC-C-6", b"BTC-C-7",
    ]  # fmt: skip
    for slot in slots:
        row, model = desk.market(slot), desk.market(SERIES)
        assert row.status == MarketStatus.OPEN and desk.series(slot).template == SERIES
        for name in ("kind", "quantum_e6", "price_max_ticks", "fee_schedule", "position_max_lots"):
            assert getattr(row, name) == getattr(model, name)
        risk, other = desk.risk(slot), desk.risk(SERIES)
        for name in (*RISK_PARAMETERS, "funding_shift"):
            assert getattr(risk, name) == getattr(other, name)


def test_a_long_name_is_shortened() -> None:
    x = Desk()
    x.ok("governance", product(0))
    x.market_made(spec=replace(SPEC, name="ABCDEFGHIJKLMNOP"))
    x.index(100_000)
    x.ok("governance", SetSeries(SERIES, 0, x.ahead(48), strike=1))
    x.ok("governance", x.rule(ahead=8, each_side=3))
    for _ in range(9):
        x.votes(*[100_000] * 4)
    assert x.market(9).name == b"ABCDEFGH-9".ljust(16, b"\0")
    assert x.market(12).name == b"ABCDEFGH-12".ljust(16, b"\0")


def test_bands_are_copied_without_their_samples(desk: Desk) -> None:
    desk.ok("governance", c.SetBand(SERIES, 1, 60_000, 90_000, 80_000, 5_000))
    desk.index(100_000)
    desk.ok("governance", desk.rule(ahead=1, each_side=0))
    desk.index(100_000)
    band = desk.at(Table.BANDS, 4 * 5 + 1)
    assert (band.tau_ms, band.up_ppm, band.down_ppm) == (60_000, 90_000, 80_000)
    assert band.auction_ms == 5_000 and not desk.at(Table.BANDS, 4 * 5).auction_ms
    assert desk.ledger().bands_high == 4 * 6


def test_a_product_without_a_strike_is_listed_once_an_expiry() -> None:
    x = Desk()
    x.ok("governance", product(0, "fix", {"fix": PRICES}, name="FUTURE"))
    x.market_made()
    x.index(100_000)
    x.ok("governance", SetSeries(SERIES, 0, x.ahead(30)))
    x.ok("governance", x.rule(each_side=0, ahead=4, step=1))
    for index in (100_000, 120_000, 140_000):
        x.index(index)
    assert x.ledger().markets_high == SERIES + 1 + 4
    assert len({x.series(slot).expiry_ms for slot in range(5, 9)}) == 4


def test_a_stale_index_lists_nothing(desk: Desk) -> None:
    desk.rows(step_ms=60_000)
    assert desk.feed().state == FeedState.STALE
    desk.ok("governance", desk.rule())
    assert not announced(desk.rows())
    desk.votes(*[100_000] * 4)
    assert len(announced(desk.rows())) == LISTINGS_PER_TICK


def test_strikes_stay_within_the_declared_range(desk: Desk) -> None:
    desk.ok("governance", desk.rule(step=60_000, each_side=32, ahead=1))
    for _ in range(6):
        desk.votes(*[100_000] * 4)
    found = {desk.series(slot).strike for slot in range(5, desk.ledger().markets_high)}
    assert found == {60_000 * k for k in range(1, 17)}


def test_markets_run_out(desk: Desk) -> None:
    desk.ok("governance", desk.rule())
    desk.doctor(Table.LEDGER, 0, markets_high=MARKETS_MAX)
    desk.votes(*[100_000] * 4)
    assert not announced(desk.rows()) and not desk.at(Table.LISTINGS, 0).done_expiry_ms
    desk.doctor(Table.LEDGER, 0, markets_high=SERIES + 1)
    assert announced(desk.rows())


def test_an_expiry_without_a_row_leaves_the_others_their_series(desk: Desk) -> None:
    expiry_ms = (desk.time_ms + LISTING_LEAST_MS - 8 * HOUR_MS) // DAY_MS * DAY_MS + 8 * HOUR_MS
    second = expiry_ms + 2 * DAY_MS
    desk.market_made(5)
    desk.ok("governance", SetSeries(5, 0, second, strike=777))
    expiries_taken(desk, 2)
    desk.ok("governance", desk.rule(ahead=3, each_side=1))
    desk.votes(*[100_000] * 4)
    found = announced(desk.rows())
    assert {int(event["expiry_ms"]) for event in found} == {second}
    assert not desk.at(Table.LISTINGS, 0).done_expiry_ms


# --- against a plain model -----------------------------------------------------------------------
class Model:
    """What should be listed, from the words of the rule: no caches, no slots."""

    def __init__(self, there: set[tuple[int, int]]) -> None:
        self.there = there

    def tick(self, time_ms: int, index: int, rules: list[SetListing]) -> list[tuple[int, int]]:
        """(expiry, strike) of the series that one tick lists."""
        made: list[tuple[int, int]] = []
        for rule in rules:
            step = rule.step_ticks
            middle = max(
                (k * step for k in (index // step, index // step + 1)),
                key=lambda strike: (-abs(strike - index), strike),
            )
            expiries = [
                k * rule.period_ms + rule.offset_ms
                for k in range(time_ms // rule.period_ms - 1, time_ms // rule.period_ms + 40)
            ]
            ahead = [each for each in expiries if each > time_ms + LISTING_LEAST_MS]
            strikes = [middle + k * step for k in range(-32, 33)]
            strikes = [s for s in strikes if abs(s - middle) <= rule.strikes_each_side * step]
            strikes.sort(key=lambda strike: (abs(strike - middle), -strike))
            for expiry_ms in ahead[: rule.expiries_ahead]:
                for strike in strikes:
                    wanted = (expiry_ms, strike)
                    inside = PRICES[0] <= strike <= PRICES[1]
                    if inside and wanted not in self.there and len(made) < LISTINGS_PER_TICK:
                        made.append(wanted)
                        self.there.add(wanted)
        return made


class Watched(Desk):
    """A desk of which each block is a tick, held against the model."""

    def __init__(self) -> None:
        super().__init__(house({"tick_ms": 0, "fresh_ms": 6_000}))
        self.rules: list[SetListing] = []
        self.found = 0
        self.listed()
        self.model = Model({(self.series().expiry_ms, self.series().strike)})

    def rows(self, *bundles: Row, step_ms: int = 1_000) -> Any:
        events = super().rows(*bundles, step_ms=step_ms)
        if not self.rules:
            return events
        found = [(int(event["expiry_ms"]), int(event["strike"])) for event in announced(events)]
        feed = self.feed()
        fresh = feed.state == FeedState.FRESH
        wanted = self.model.tick(self.time_ms, feed.price_ticks, self.rules) if fresh else []
        assert found == wanted
        self.found += len(found)
        return events

    def ruled(self, rule: SetListing) -> None:
        """Set a rule; it works from the next block on."""
        self.ok("governance", rule)
        self.rules[rule.listing : rule.listing + 1] = [rule]


def world(seed: int, blocks: int) -> None:
    """Index, time and rules move; in every block the machines and the model list the same."""
    x, rng, index = Watched(), random.Random(seed), 100_000
    x.ruled(x.rule())
    x.ruled(x.rule(slot=1, period_ms=2 * HOUR_MS, offset_ms=0))
    for _ in range(blocks):
        index = min(1_200_000, max(900, index + rng.choice([0, 0, 300, -300, 9_000, -9_000])))
        step_ms = rng.choice([1_000, 1_000, 4_000, HOUR_MS])
        if rng.random() < 0.8:
            x.votes(*[index] * 4, step_ms=step_ms)
        else:
            x.rows(step_ms=step_ms)
        if rng.random() < 0.1:
            x.ruled(
                x.rule(
                    slot=rng.randrange(2),
                    period_ms=rng.choice([1, 2, 24]) * HOUR_MS,
                    offset_ms=rng.choice([0, HOUR_MS // 2]),
                    ahead=rng.choice([1, 2, 5]),
                    step=rng.choice([1_000, 5_000, 50_000]),
                    each_side=rng.choice([0, 1, 4]),
                )
            )
    assert x.found > blocks // 4


@pytest.mark.parametrize("seed", range(3))
def test_the_rule_lists_what_the_model_lists(seed: int) -> None:
    world(seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 9))
def test_the_rule_lists_what_the_model_lists_for_long(seed: int) -> None:
    world(seed, 400)


def test_series_survive_a_restart(desk: Desk) -> None:
    desk.ok("governance", desk.rule())
    desk.index(100_000)
    image = desk.image()
    restored = KernelMachine(image, np.arange(21, 29))
    again = restored.image()
    for table in (Table.PRODUCTS, Table.SERIES, Table.EXPIRIES, Table.LISTINGS, Table.SMILE_VOTES):
        assert again[table].rows.tobytes() == image[table].rows.tobytes() != b""
    restored.dirty()
    desk.lockstep.kernel = restored
    for index in (100_000, 107_000, 93_000):
        desk.index(index)
    assert desk.ledger().markets_high > SERIES + 12 and HIGH < desk.market(5).price_max_ticks
