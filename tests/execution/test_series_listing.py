"""Series listed by rule, against a plain model. Both machines in lockstep."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetListing, SetSeries
from quorate.execution.machine import KernelMachine
from quorate.sim.execution_world import Row
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import MarketStatus, Reject
from quorate.types.limits import (
    LISTING_PERIOD_MS_MIN,
    LISTINGS_MAX,
    LISTINGS_PER_TICK,
    MARKETS_MAX,
    OPTION_MS_MAX,
)
from quorate.types.options_codes import ObservationRule
from quorate.types.records import Table
from tests.execution.clearing_exchange import house
from tests.execution.exchange import PERP
from tests.execution.options_exchange import (
    DAY_MS,
    HIGH,
    HOUR_MS,
    LEAST_MS,
    PRICES,
    SERIES,
    SPEC,
    Desk,
    announced,
    expiries_taken,
    product,
)

R = Reject


@pytest.fixture
def desk() -> Desk:
    x = Desk()
    x.listed()
    return x


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
        {"period_ms": LISTING_PERIOD_MS_MIN - 1, "offset_ms": 0},
        {"period_ms": OPTION_MS_MAX + 1},
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
    long = {"period_ms": OPTION_MS_MAX - LEAST_MS, "ahead": 1}
    assert x.governs(x.rule(**{**long, "ahead": 2})) == R.EXPIRY_OUT_OF_RANGE
    assert x.governs(x.rule(**long)) == R.OK
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
    assert LEAST_MS < expiry_ms - desk.time_ms <= LEAST_MS + DAY_MS
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
    expiry_ms = (desk.time_ms + LEAST_MS - 8 * HOUR_MS) // DAY_MS * DAY_MS + 8 * HOUR_MS
    second = expiry_ms + 2 * DAY_MS
    desk.market_made(5)
    desk.ok("governance", SetSeries(5, 0, second, strike=777))
    expiries_taken(desk, 2)
    desk.ok("governance", desk.rule(ahead=3, each_side=1))
    found = [*announced(desk.votes(*[100_000] * 4)), *announced(desk.rows())]
    assert {int(event["expiry_ms"]) for event in found} == {second}
    assert not desk.at(Table.LISTINGS, 0).done_expiry_ms


# --- against a plain model -----------------------------------------------------------------------
class Model:
    """What should be listed, from the words of the rule: no caches, no slots."""

    def __init__(self, there: set[tuple[int, int]], least_ms: int) -> None:
        self.there, self.least_ms = there, least_ms

    def tick(self, time_ms: int, index: int, rules: list[SetListing]) -> list[tuple[int, int]]:
        """(expiry, strike) of the series that one tick lists."""
        made: list[tuple[int, int]] = []
        for rule in rules:
            step = rule.step_ticks
            middle = max(
                (k * step for k in (index // step, index // step + 1)),
                key=lambda strike: (-abs(strike - index), strike),
            )
            first = (time_ms + self.least_ms) // rule.period_ms
            expiries = [
                k * rule.period_ms + rule.offset_ms
                for k in range(first - 2, first + 40)
            ]
            ahead = [each for each in expiries if each > time_ms + self.least_ms]
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

    def __init__(self, least_ms: int) -> None:
        super().__init__(house({"tick_ms": 0, "fresh_ms": 6_000, "listing_least_ms": least_ms}))
        self.rules: list[SetListing] = []
        self.found = 0
        self.listed()
        self.model = Model({(self.series().expiry_ms, self.series().strike)}, least_ms)

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
    rng, index = random.Random(seed), 100_000
    x = Watched(rng.choice([LEAST_MS, 20_000]))
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
                    period_ms=(period_ms := rng.choice([20_000, HOUR_MS, 24 * HOUR_MS])),
                    offset_ms=rng.choice([0, period_ms // 2]),
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
