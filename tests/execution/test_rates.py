"""Funding rates: impact prices, periods, pauses, residue, and a replay of recorded minutes."""

import csv
import gzip
import math
import random
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.execution.machine import KernelMachine, SpecMachine, genesis_image
from quorate.sim.execution_fuzz import differs, image_differs
from quorate.sim.execution_world import packed
from quorate.types.clearing_codes import Guard, InsuranceFlow, Phase
from quorate.types.codes import EventKind
from quorate.types.limits import IMPACT_LEVELS_MAX
from quorate.types.records import Table
from tests.execution.clearing_exchange import ALT, HOUSE, VOTERS, House, house, readings
from tests.execution.exchange import PERP, TIME_MS, USD, address, bought, sold

DATA = Path(__file__).parents[3] / "shared" / "data" / "perp"
HOUR_MS = 3_600_000


def quoted(bid: int, ask: int, lots: int = 10, **risk: int) -> House:
    """Index 1000 and a book of one level a side."""
    ages = dict.fromkeys(("fresh_ms", "reduce_ms", "halt_ms"), 12 * HOUR_MS)
    x = House(house(ages, **risk))
    x.fund("ann", "ben")
    x.index(1_000)
    x.ok("ann", bought(bid, lots))
    x.ok("ben", sold(ask, lots))
    return x


def funded(events: Any, market: int = PERP) -> Any:
    """The FUNDED event of a market in a block, or None."""
    rows = readings(events, EventKind.FUNDED)
    found = [event for event in rows if event["market"] == market]
    return found[0] if found else None


def run_until_funded(x: House, step_ms: int, blocks: int = 100) -> Any:
    """Empty blocks until market 1 pays."""
    for _ in range(blocks):
        event = funded(x.rows(step_ms=step_ms))
        if event is not None:
            return event
    raise AssertionError("nothing was paid")


# --- the formula ---------------------------------------------------------------------------------
def test_formulas_3_a_premium_of_one_percent() -> None:
    """FORMULAS 3: premium 1 % -> F8h 0.95 %, an eighth of it each hour."""
    x = quoted(1_010, 1_020, funding_interval_ms=HOUR_MS, impact_notional_e6=5_000 * USD)
    run_until_funded(x, 60_000)  # the first period had samples without a book
    event = run_until_funded(x, 60_000)
    assert event["premium_e9"] == 10_000_000 and event["rate_e9"] == 9_500_000 // 8
    assert event["index_ticks"] == 1_000 and event["samples_count"] == 60
    moved = int(event["funding_index"] - event["funding_index_before"])
    # One lot is worth 1000 USD: 1.1875 USD an hour.
    assert moved == 1_187_500 * 2 ** int(event["funding_shift"])


@pytest.mark.parametrize(
    ("bid", "ask", "premium_e9"),
    [(995, 1_005, 0), (970, 980, -20_000_000), (1_020, 1_030, 20_000_000)],
)
def test_sign_of_the_premium(bid: int, ask: int, premium_e9: int) -> None:
    x = quoted(bid, ask, impact_notional_e6=5_000 * USD)
    run_until_funded(x, 5_000)
    event = run_until_funded(x, 5_000)
    assert event["premium_e9"] == premium_e9
    assert (event["rate_e9"] > 0) == (premium_e9 >= 0)  # the interest is positive


def test_a_side_that_holds_less_than_the_impact_notional_contributes_nothing() -> None:
    x = quoted(1_020, 1_030, lots=4, impact_notional_e6=5_000 * USD)
    run_until_funded(x, 5_000)
    assert run_until_funded(x, 5_000)["premium_e9"] == 0


def test_the_rate_is_capped_each_hour() -> None:
    x = quoted(1_900, 1_910, impact_notional_e6=USD, funding_cap_e9=1_000_000)
    run_until_funded(x, 5_000)
    event = run_until_funded(x, 5_000)
    assert event["premium_e9"] == 900_000_000 and event["rate_e9"] == 1_000_000 // 60


# --- periods -------------------------------------------------------------------------------------
def test_periods_and_samples_begin_at_whole_intervals() -> None:
    x = quoted(1_010, 1_020)
    times, counts = [], []
    for _ in range(200):
        event = funded(x.rows())
        if event is not None:
            times.append(x.time_ms)
            counts.append(int(event["samples_count"]))
    assert [time % 60_000 for time in times] == [0, 0, 0]
    assert counts[1:] == [12, 12]


def test_a_pause_at_the_end_of_a_period_delays_the_payment() -> None:
    x = quoted(1_010, 1_020)
    run_until_funded(x, 1_000)
    for _ in range(30):
        x.rows()
    count = x.risk().premium_count
    x.doctor(Table.RISK, PERP, phase=int(Phase.AUCTION), auction_end_ms=2**46)
    for _ in range(50):
        assert funded(x.rows()) is None
    assert x.risk().premium_count == count  # no sample in a pause
    x.doctor(Table.RISK, PERP, phase=int(Phase.TRADING))
    event = funded(x.rows())
    assert event is not None and event["samples_count"] == count
    assert x.risk().funding_next_ms % 60_000 == 0 and x.risk().funding_next_ms > x.time_ms


def test_a_pause_of_a_whole_interval_pays_nothing() -> None:
    x = quoted(1_010, 1_020)
    run_until_funded(x, 1_000)
    for _ in range(30):
        x.rows()
    x.doctor(Table.RISK, PERP, phase=int(Phase.QUARANTINE))
    for _ in range(3):
        x.rows(step_ms=50_000)
    x.doctor(Table.RISK, PERP, phase=int(Phase.TRADING))
    index = x.risk().funding_index
    assert funded(x.rows()) is None and x.risk().funding_index == index
    assert x.risk().premium_count == 1  # of the new period


def test_a_guard_pauses_funding() -> None:
    x = House(house(numbers={"fresh_ms": 5_000, "reduce_ms": 10**7, "halt_ms": 10**7}))
    x.fund("ann", "ben")
    x.index(1_000)
    x.ok("ann", bought(990, 10))
    for _ in range(200):
        assert funded(x.rows()) is None
    assert x.guard() == Guard.NO_LIQUIDATION
    assert x.risk().funding_index == 0 and x.risk().premium_count <= 2
    assert funded(x.index(1_000)) is None  # more than an interval has passed


def test_the_residue_goes_to_the_markets_insurance_fund() -> None:
    x = House()
    x.index(1_000)
    x.doctor(Table.RISK, PERP, funding_pool_e6=7, insurance_e6=5)
    x.doctor(Table.RISK, ALT, funding_pool_e6=3)
    x.doctor(Table.MARKETS, ALT, open_interest_lots=1)
    events = readings(x.rows(), EventKind.INSURED)
    assert len(events) == 1
    event = events[0]
    assert (event["amount_e6"], event["fund_after_e6"], event["market"]) == (7, 12, PERP)
    assert event["code"] == InsuranceFlow.RESIDUE
    assert (x.risk().funding_pool_e6, x.risk().insurance_e6) == (0, 12)
    assert x.risk(ALT).funding_pool_e6 == 3


# --- impact prices against a plain walk ----------------------------------------------------------
def walked(levels: list[tuple[int, int]], quantum_e6: int, notional_e6: int) -> int:
    """Price at which the running worth of a list of (price, lots), best first, reaches enough."""
    running = 0
    for price, lots in levels[:IMPACT_LEVELS_MAX]:
        running += price * lots * quantum_e6
        if running >= notional_e6:
            return price
    return 0


def premium_of(bids: Any, asks: Any, index: int, notional_e6: int) -> float:
    """FORMULAS 3 in floating point, from a book as lists."""
    bid, ask = walked(bids, USD, notional_e6), walked(asks, USD, notional_e6)
    return (max(bid - index, 0) - max(index - ask if ask else 0, 0)) / index


def test_seeded_books_give_the_premium_of_a_plain_walk() -> None:
    rng = random.Random("impact")
    notional = 40_000 * USD
    risk = {"premium_interval_ms": 1_000, "impact_notional_e6": notional}
    ages = dict.fromkeys(("fresh_ms", "reduce_ms", "halt_ms"), 12 * HOUR_MS)
    x = House(house(ages, funding_interval_ms=HOUR_MS, **risk))
    x.fund("ann", "ben", usd=10**9)
    x.index(1_000)
    seen = set()
    for _ in range(120):
        middle = rng.randrange(980, 1_021)
        book: list[list[tuple[int, int]]] = []
        rows = [x.row(address(name), c.CancelAll()) for name in ("ann", "ben")]
        for name, sign in (("ann", -1), ("ben", 1)):
            prices = sorted({middle + sign * rng.randrange(1, 30) for _ in range(rng.randrange(9))},
                            key=lambda price: abs(price - middle))  # fmt: skip
            levels = [(price, rng.randrange(1, 25)) for price in prices]
            book.append(levels)
            place = bought if sign < 0 else sold
            orders = [place(price, lots) for price, lots in levels]
            if orders:
                rows.append(x.row(address(name), *orders))
        x.rows(*rows)
        before = x.risk().premium_sum_e9
        if x.time_ms + 1_000 >= x.risk().funding_next_ms:
            before = 0
        x.rows()
        taken = (x.risk().premium_sum_e9 - before) / 1e9
        wanted = premium_of(*book, 1_000, notional)
        assert abs(taken - wanted) < 1e-9
        seen.add((wanted > 0) - (wanted < 0))
    assert seen == {-1, 0, 1}


def test_only_so_many_levels_of_a_side_are_walked() -> None:
    """A wall of single lots hides what is behind it; the sample is then 0 and the walk bounded."""
    genesis = replace(HOUSE, orders_per_account_max=400, orders_examined_per_command_max=400)
    for levels, wanted in ((IMPACT_LEVELS_MAX - 1, 1_500), (IMPACT_LEVELS_MAX, 0)):
        x = House(house(genesis=genesis, premium_interval_ms=1_000,
                        impact_notional_e6=1_000_000 * USD))  # fmt: skip
        x.fund("ann", usd=10**9)
        x.index(1_000)
        wall = [bought(2_000 - k, 1) for k in range(levels)]
        x.ok("ann", *wall, bought(1_500, 900))
        before = x.risk().premium_sum_e9
        x.rows()
        assert x.risk().premium_sum_e9 - before == (wanted - 1_000 if wanted else 0) * 1_000_000


def test_a_level_whose_worth_passes_int64_is_enough() -> None:
    x = quoted(1_010, 1_020, impact_notional_e6=5_000 * USD, premium_interval_ms=1_000)
    slot = x.market().bid_best
    x.doctor(Table.LEVELS, slot, lots=2**58)
    before = x.risk().premium_sum_e9
    x.rows()
    assert x.risk().premium_sum_e9 - before == 10_000_000


# --- recorded minutes ----------------------------------------------------------------------------
def minutes(name: str, first: int, count: int) -> list[dict[str, float]]:
    """Recorded minute bars; the test is skipped where they are not."""
    path = DATA / "bitmex_1m" / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here: recorded market data is kept beside the repository")
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))[first : first + count]
    return [{key: float(value) for key, value in row.items()} for row in rows]


REPLAYED = house(
    {"tick_ms": 60_000, "fresh_ms": 150_000, "reduce_ms": 150_000},
    premium_interval_ms=60_000,
    funding_interval_ms=HOUR_MS,
    impact_notional_e6=20_000 * USD,
)


class Recorded:
    """Both machines, a maker, four voters, and the same market in floats.

    Prices are ticks of half a dollar; one lot is worth 1 USD a tick.
    """

    def __init__(self) -> None:
        image = genesis_image(replace(REPLAYED, time_ms=TIME_MS - TIME_MS % HOUR_MS))
        self.spec, self.kernel = SpecMachine(image), KernelMachine(image, np.arange(1, 9))
        self.height, self.time_ms, self.nonce = 0, TIME_MS - TIME_MS % HOUR_MS, 0
        self.samples: list[float] = []
        self.book: Any = ([], [])
        self.votes: list[int] = []
        self.paid = 0.0
        self.hours: list[tuple[float, float]] = []

    def block(self, *bundles: tuple[str, list[c.Command]], step_ms: int = 60_000) -> Any:
        """Run a block on both machines and compare their events."""
        self.height, self.time_ms = self.height + 1, self.time_ms + step_ms
        rows = []
        for name, commands in bundles:
            self.nonce += 1
            data = c.encode_commands(commands)
            records = [data[at : at + 64] for at in range(0, len(data), 64)]
            rows.append((address(name), 0, self.time_ms + self.nonce % 1_000, 0, records))
        block = packed(self.height, self.time_ms, rows)
        found = []
        for machine in (self.spec, self.kernel):
            events = machine.run(block.height, block.time_ms, block.bundles, block.commands)
            machine.seal(bytes(32), bytes(32))
            found.append(events.copy())
        differs(found[0], found[1], "kernels")
        return found[0]

    def minute(self, bar: dict[str, float], middle: float, rng: random.Random) -> Any:
        """The tick sees votes and book of the minute before; then come those of this one."""
        index = float(lower_median(self.votes)) if self.votes else 0.0
        ended = self.time_ms % HOUR_MS == HOUR_MS - 60_000
        if index and ended and self.samples:
            premium = fmean(self.samples)
            eight = premium + min(max(1e-4 - premium, -5e-4), 5e-4)
            rate = min(max(eight / 8, -0.04), 0.04)
            self.paid += index * rate
            self.hours.append((premium, rate))
        if ended:
            self.samples = []
        if index:
            self.samples.append(premium_of(*self.book, int(index), 20_000 * USD))
        prices = [bar["open"], bar["low"], bar["high"], bar["close"]]
        self.votes = [round(2 * price) for price in prices]
        bundles: list[tuple[str, list[c.Command]]] = [
            (name, [c.VotePrice(0, vote)]) for name, vote in zip(VOTERS, self.votes, strict=True)
        ]
        if not index:
            return self.block(*bundles)  # nothing may rest before the first index
        best = round(2 * middle)
        bids = [(best - 1 - 2 * k, rng.randrange(1, 6)) for k in range(4)]
        asks = [(best + 1 + 2 * k, rng.randrange(1, 6)) for k in range(4)]
        self.book = (bids, asks)
        orders = [bought(*level) for level in bids] + [sold(*level) for level in asks]
        bundles.append(("ann", [c.CancelAll(PERP), *orders]))
        return self.block(*bundles)


def lower_median(votes: list[int]) -> int:
    """Of the votes of weights 1 to 4: the fifth of ten."""
    return sorted(vote for k, vote in enumerate(votes) for _ in range(k + 1))[4]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "day"), [("XBTUSD_1m_2020-03", 11), ("XBTUSD_1m_2021-05", 18)]
)
def test_recorded_minutes_pay_what_floats_say(name: str, day: int) -> None:
    """A day through a crash: votes from each minute's bar, a book about a wandering basis.

    Rates are floored to 1e-9 an hour (8e-9 of the premium's mean and cut), the index to its bits.
    """
    bars = minutes(name, day * 1_440, 1_440 + 60)
    rng, x, basis = random.Random(name), Recorded(), 0.0
    x.block(("bridge", [c.Deposit(0, address("ann"), 0, 10**9 * USD)]), step_ms=0)
    found = []
    for bar in bars:
        basis = 0.995 * basis + rng.gauss(0, 0.0007)
        event = funded(x.minute(bar, bar["close"] * (1 + basis), rng))
        if event is not None:
            found.append(event)
    image_differs(x.spec.image(), x.kernel.image(), "kernels")
    assert len(found) == len(x.hours) >= 24
    for event, (premium, rate) in zip(found, x.hours, strict=True):
        assert abs(event["premium_e9"] / 1e9 - premium) <= 2e-9
        assert abs(event["rate_e9"] / 1e9 - rate) <= 2e-9
    risk = x.spec.tables.row(Table.RISK, PERP)
    index_usd = risk.funding_index / 2**risk.funding_shift / USD
    assert abs(index_usd - x.paid) <= 25 * 90_000 * 2e-9 + 1e-6
    rates = [rate for _, rate in x.hours]
    assert min(rates) < 0 < max(rates) and len(set(rates)) > 20


@pytest.mark.slow
def test_recorded_rates_are_the_formulas_own() -> None:
    """Rates of two venues: most often the interest itself, and inside what the rule can give."""
    from quorate.execution import risk_rules

    path = DATA / "funding"
    if not path.exists():
        pytest.skip(f"{path} is not here: recorded market data is kept beside the repository")
    eight: dict[str, list[float]] = {}
    for name, hours in (("BTC_binance", 8), ("ETH_binance", 8), ("BTC_dydx", 1)):
        with gzip.open(path / f"{name}_funding.csv.gz", "rt") as file:
            rows = [float(row["Funding Rate"]) for row in csv.DictReader(file)]
        eight[name] = [rate * 8 / hours for rate in rows]
    for name, rates in eight.items():
        found = [risk_rules.funding_rate_e9(round(r * 1e9), 100_000, 500_000) for r in rates]
        # A premium of what was paid gives a rate within the clamp of it.
        assert all(abs(f - round(r * 1e9)) <= 500_000 for f, r in zip(found, rates, strict=True))
        hourly = [risk_rules.funding_hour_e9(f, 40_000_000, HOUR_MS) for f in found]
        assert max(map(abs, hourly)) < 40_000_000, name  # none of them would have met the cap
        assert math.isclose(max(map(abs, hourly)) * 8, max(map(abs, found)), abs_tol=8)
    common = max(set(eight["BTC_binance"]), key=eight["BTC_binance"].count)
    assert common == 1e-4 and eight["BTC_binance"].count(common) > 1_000
    quiet = risk_rules.funding_rate_e9(-300_000, 100_000, 500_000)
    assert quiet == round(common * 1e9)
