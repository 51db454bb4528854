"""Price votes, indexes, guards and the way back: each rule, and a seeded world against a model."""

import random
from fractions import Fraction
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.types.clearing_codes import AuctionKind, FeedState, Guard, Phase, Switch
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import PPM, PRICE_TICKS_MAX, VOTERS_MAX
from quorate.types.records import COMMAND, Table
from tests.execution.clearing_exchange import ALT, VOTERS, House, house, readings
from tests.execution.exchange import PERP, address, bought, sold

SLOW = {"tick_ms": 1_000, "fresh_ms": 10_000, "reduce_ms": 30_000, "halt_ms": 300_000}


# --- the vote ------------------------------------------------------------------------------------
def test_a_vote_is_refused_by_name() -> None:
    x = House()
    x.fund("ann")
    assert x.code("ann", c.VotePrice(0, 5)) == Reject.VOTER_KEY_REQUIRED
    assert x.code("vera", c.VotePrice(2, 5)) == Reject.FEED_MUST_EXIST
    for price, external in ((0, 0), (PRICE_TICKS_MAX + 1, 0), (5, PRICE_TICKS_MAX + 1)):
        assert x.code("vera", c.VotePrice(0, price, external)) == Reject.PRICE_MUST_BE_IN_RANGE
    assert x.code("vera", c.VotePrice(1, 1, PRICE_TICKS_MAX)) == Reject.OK
    row = x.at(Table.VOTES, VOTERS_MAX)
    assert (row.price_ticks, row.external_ticks, row.votes_count) == (1, PRICE_TICKS_MAX, 1)
    assert row.time_ms == x.time_ms and x.at(Table.VOTERS, 0).votes_count == 1


def test_negative_prices_are_refused_by_the_rule_itself() -> None:
    """Admission knows no negative price; the rule does not rely on it."""
    for name in ("price", "size"):
        x = House()
        signer, account, nonce, expiry, records = x.row(address("vera"), c.VotePrice(0, 5, 5))
        raw = bytearray(records[0])
        at = COMMAND.fields[name][1]
        raw[at : at + 8] = (-1).to_bytes(8, "little", signed=True)
        events = x.rows((signer, account, nonce, expiry, [bytes(raw)]))
        assert events[-1]["code"] == Reject.PRICE_MUST_BE_IN_RANGE


def test_a_session_of_a_voter_may_not_vote() -> None:
    x = House()
    x.ok("vera", c.ApproveAgent(address("bot")))
    row = x.row(address("bot"), c.VotePrice(0, 5), account=x.account("vera"))
    assert x.rows(row)[-1]["code"] == Reject.VOTER_KEY_REQUIRED


def test_a_voter_without_weight_neither_votes_nor_counts() -> None:
    x = House()
    x.votes(100, 100, 100, 100)
    x.doctor(Table.VOTERS, 3, weight=0)
    event = readings(x.rows(), EventKind.INDEXED)[0]
    assert (event["votes_count"], event["weight_total"], event["weight_present"]) == (3, 6, 6)
    assert x.code("vlad", c.VotePrice(0, 5)) == Reject.VOTER_KEY_REQUIRED


# --- the index -----------------------------------------------------------------------------------
def test_votes_of_a_block_count_from_the_next_tick_on() -> None:
    x = House()
    assert not len(readings(x.votes(100, 100, 100, 100), EventKind.INDEXED))
    assert x.feed().state == FeedState.NONE
    event = readings(x.rows(), EventKind.INDEXED)[0]
    assert (event["price_ticks"], event["state"]) == (100, FeedState.FRESH)
    assert x.feed().time_ms == x.time_ms


@pytest.mark.parametrize(
    ("prices", "index"),
    [
        ((100, 101, 102, 103), 102),  # weights 1, 2, 3, 4: 6 of 10 are reached at the third
        ((103, 102, 101, 100), 101),  # 4 + 3 reach half
        ((100, 103, 103, 100), 100),  # 5 of 10 is half: the lower one
        ((0, 100, 101, 102), 101),
        ((100, 101, 0, 102), 102),  # 7 of 10 are above two thirds of the weight
    ],
)
def test_lower_weighted_median(prices: tuple[int, ...], index: int) -> None:
    x = House()
    x.votes(*prices)
    x.rows()
    assert x.feed().price_ticks == index


def test_outliers_leave_with_their_weight() -> None:
    x = House(house({"outlier_ppm": 100_000}))
    x.votes(1_000, 1_000, 1_100, 1_000)
    event = readings(x.rows(), EventKind.INDEXED)[0]
    assert (event["outliers_count"], event["price_ticks"]) == (0, 1_000)
    x.votes(1_000, 1_000, 1_101, 1_000)
    event = readings(x.rows(), EventKind.INDEXED)[0]
    assert (event["outliers_count"], event["weight_fresh"], event["weight_present"]) == (1, 10, 7)
    assert event["state"] == FeedState.FRESH and x.feed().participation_ppm == 700_000
    # With the heaviest gone as well the rest is no quorum, and the price stays.
    x.votes(1_000, 5, 1_200, 900_000)
    event = readings(x.rows(), EventKind.INDEXED)[0]
    assert (event["state"], event["price_ticks"]) == (FeedState.STALE, 1_000)


def test_confidence_falls_with_spread_and_absence() -> None:
    x = House()
    x.index(1_000)
    assert x.feed().confidence_ppm == PPM
    x.votes(1_000, 1_000, 1_010, 1_010)
    x.rows()
    # Quartiles 1000 and 1010 of an index of 1010: 0.99 %, rounded up; ten times that is taken off.
    assert (x.feed().spread_ppm, x.feed().confidence_ppm) == (9_901, PPM - 99_010)
    x.rows(step_ms=9_500)
    x.votes(0, 1_000, 1_000, 1_000)
    x.rows()
    assert (x.feed().participation_ppm, x.feed().confidence_ppm) == (900_000, 900_000)
    x.rows(step_ms=11_000)
    feed = x.feed()
    assert (feed.state, feed.confidence_ppm, feed.price_ticks) == (FeedState.STALE, 0, 1_000)


def test_prices_elsewhere_need_the_same_quorum() -> None:
    x = House()
    x.index(1_000, external=990)
    assert x.feed().external_ticks == 990
    rows = x.vote_rows(0, 1_000, 1_000, 0, 0, external=980)
    x.rows(*rows, *x.vote_rows(0, 0, 0, 1_000, 1_000))
    event = readings(x.rows(), EventKind.INDEXED)[0]
    assert (event["external_ticks"], event["state"]) == (0, FeedState.FRESH)


# --- guards --------------------------------------------------------------------------------------
def switches(events: Any, kind: Switch = Switch.GUARD) -> list[tuple[int, int, int]]:
    """(market, state, state before) of each switch of a kind."""
    rows = readings(events, EventKind.SWITCHED)
    return [
        (int(e["market"]), int(e["state"]), int(e["state_before"]))
        for e in rows
        if e["code"] == kind
    ]


def test_guards_rise_with_the_age_of_the_index() -> None:
    x = House(house(SLOW))
    x.index(1_000)
    assert x.guard() == Guard.NONE and x.guard(ALT) == Guard.HALT
    x.rows(step_ms=9_000)
    assert x.guard() == Guard.NONE  # the votes are ten seconds old, and fresh
    fresh_ms = x.feed().time_ms
    assert switches(x.rows()) == [(PERP, Guard.NO_LIQUIDATION, Guard.NONE)]
    x.rows(step_ms=fresh_ms + 30_000 - x.time_ms)
    assert x.guard() == Guard.NO_LIQUIDATION
    assert switches(x.rows()) == [(PERP, Guard.REDUCE_ONLY, Guard.NO_LIQUIDATION)]
    x.rows(step_ms=fresh_ms + 300_000 - x.time_ms)
    assert x.guard() == Guard.REDUCE_ONLY
    assert switches(x.rows()) == [(PERP, Guard.HALT, Guard.REDUCE_ONLY)]


def test_a_short_gap_comes_back_at_once_and_a_long_one_through_an_auction() -> None:
    x = House(house(SLOW))
    x.index(1_000)
    x.rows(step_ms=20_000)
    assert x.guard() == Guard.NO_LIQUIDATION
    assert switches(x.index(1_010)) == [(PERP, Guard.NONE, Guard.NO_LIQUIDATION)]
    assert x.phase() == Phase.TRADING and x.market().mark_ticks == 1_010
    then_ms = x.time_ms
    x.rows(step_ms=3_600_000)
    assert x.guard() == Guard.HALT and x.market().mark_ticks == 1_010
    x.votes(900, 900, 900, 900)
    events = x.rows()
    assert switches(events) == [(PERP, Guard.NONE, Guard.HALT)]
    assert switches(events, Switch.PHASE) == [(PERP, Phase.AUCTION, Phase.TRADING)]
    risk = x.risk()
    assert (risk.phase, risk.auction_kind) == (Phase.AUCTION, AuctionKind.GAP)
    assert x.time_ms - then_ms == 3_602_000  # an hour: the table says an hour of auction
    assert risk.auction_end_ms == x.time_ms + 3_600_000


def test_the_first_index_of_a_feed_opens_at_once_and_an_old_starting_price_does_not() -> None:
    x = House()
    x.index(1_000)
    assert (x.guard(), x.phase()) == (Guard.NONE, Phase.TRADING)
    x = House()
    x.doctor(Table.FEEDS, 0, price_ticks=1_000)
    x.rows()
    assert x.feed().time_ms == x.time_ms and x.guard() == Guard.NO_LIQUIDATION
    x.rows(step_ms=100_000)
    assert x.guard() == Guard.REDUCE_ONLY
    x.index(1_000)
    assert (x.guard(), x.phase()) == (Guard.NONE, Phase.AUCTION)


def test_a_book_from_before_the_first_index_meets_it_in_an_auction() -> None:
    x = House()
    x.fund("ann")
    x.index(1_000)
    x.ok("ann", bought(990, 5))
    x.doctor(Table.RISK, PERP, feed=1)
    x.rows()
    assert x.guard() == Guard.HALT
    x.rows(step_ms=60_000)
    x.index(1_000, feed=1)
    assert (x.guard(), x.phase()) == (Guard.NONE, Phase.AUCTION)


def test_quarantine_stays_quarantine() -> None:
    x = House(house(SLOW))
    x.index(1_000)
    x.doctor(Table.RISK, PERP, phase=int(Phase.QUARANTINE))
    x.rows(step_ms=100_000)
    x.index(1_000)
    assert (x.guard(), x.phase()) == (Guard.NONE, Phase.QUARANTINE)


def test_ticks_are_as_far_apart_as_the_venue_says() -> None:
    x = House(house({"tick_ms": 2_500}))
    x.votes(1_000, 1_000, 1_000, 1_000)
    marked = []
    for _ in range(9):
        marked.append(bool(len(readings(x.rows(), EventKind.MARKED))))
    assert marked == [False, False, True, False, False, True, False, False, True]


def test_the_oracle_key_sets_no_mark_of_a_market_with_a_clearing_house() -> None:
    x = House()
    x.fund("oracle")
    assert x.code("oracle", c.SetMark(PERP, 5)) == Reject.MARK_FOLLOWS_ITS_FEED
    assert x.code("oracle", c.SetMark(2, 5)) == Reject.OK


# --- a seeded world, against a model that shares no code -----------------------------------------
def model(x: House, feed: int) -> tuple[int, int, int, int]:
    """(state, price, external, confidence) that a tick now must give, from the rows before it.

    Weights are small here, so that a weighted list can be written out unit by unit.
    """
    now = x.time_ms + STEP_MS
    numbers, before = x.at(Table.PARAMETERS, 0), x.feed(feed)
    prices, externals, everybody = [], [], 0
    for k in range(len(VOTERS)):
        weight = x.at(Table.VOTERS, k).weight
        vote = x.at(Table.VOTES, feed * VOTERS_MAX + k)
        everybody += weight
        if vote.votes_count and now <= vote.time_ms + numbers.fresh_ms:
            prices += [vote.price_ticks] * weight
            externals += [vote.external_ticks] * weight * bool(vote.external_ticks)
    quorum = Fraction(numbers.quorum_ppm, PPM) * everybody
    prices.sort()
    if prices:
        middle = prices[(len(prices) + 1) // 2 - 1]
        far = Fraction(numbers.outlier_ppm, PPM) * middle
        prices = [price for price in prices if abs(price - middle) <= far]
    state, price, spread = FeedState.STALE, before.price_ticks, before.spread_ppm
    if prices and len(prices) >= quorum:
        state, count = FeedState.FRESH, len(prices)
        price = prices[(count + 1) // 2 - 1]
        low, high = prices[-(-count // 4) - 1], prices[-(-3 * count // 4) - 1]
        spread = min(-(-PPM * (high - low) // price), PPM)
    elif not before.time_ms:
        state = FeedState.NONE
    share = PPM * len(prices) // everybody if everybody else 0
    confidence = share * (PPM - min(10 * spread, PPM)) // PPM
    externals.sort()
    external = 0
    if externals and len(externals) >= quorum:
        external = externals[(len(externals) + 1) // 2 - 1]
    return int(state), price, external, confidence


STEP_MS = 0


def drawn_price(rng: random.Random, price: int) -> int:
    """Mostly near, sometimes a spike, an edge or nothing."""
    draw = rng.random()
    if draw < 0.75:
        return max(1, price + rng.randrange(-3, 4))
    if draw < 0.85:
        return max(1, price * rng.choice([1, 2, 8]) // rng.choice([1, 3, 10]))
    if draw < 0.9:
        return rng.choice([1, PRICE_TICKS_MAX, 200_000])
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_seeded_votes_agree_with_the_model(seed: int) -> None:
    """Both machines and the model, through gaps, spikes, absent and removed voters."""
    global STEP_MS
    rng = random.Random(f"votes {seed}")
    numbers = dict(SLOW, quorum_ppm=rng.choice([500_000, 666_667, 900_000]), halt_ms=90_000)
    x = House(house(numbers, mark_clamp_ppm=rng.choice([0, 10_000])))
    x.fund("ann", "ben", usd=10_000_000)
    price, states, guards, auctions = 1_000, set(), set(), 0
    for _ in range(550):
        price = max(10, price + rng.randrange(-5, 6))
        rows, present = [], rng.choice([0.0, 0.5, 0.9, 0.95, 1.0])
        for feed in (0, 1):
            for name in VOTERS:
                wanted = drawn_price(rng, price) if rng.random() < present else 0
                if wanted:
                    elsewhere = rng.choice([0, price, price + 9])
                    rows.append(x.row(address(name), c.VotePrice(feed, wanted, elsewhere)))
        if rng.random() < 0.3:
            side = rng.choice([bought(price - rng.randrange(4), 2), sold(price + 2, 2)])
            rows.append(x.row(address(rng.choice(["ann", "ben"])), side, c.CancelAll()))
        if rng.random() < 0.03:
            x.doctor(Table.VOTERS, rng.randrange(4), weight=rng.randrange(5))
        draw = rng.random()
        STEP_MS = rng.randrange(1_000, 4_000) if draw < 0.93 else rng.randrange(200_000)
        ticks = STEP_MS >= x.at(Table.LEDGER, 0).tick_next_ms - x.time_ms
        wanted_rows = [model(x, feed) for feed in (0, 1)]
        events = x.rows(*rows, step_ms=STEP_MS)
        if ticks:
            for feed in (0, 1):
                row = x.feed(feed)
                found = (row.state, row.price_ticks, row.external_ticks, row.confidence_ppm)
                assert found == wanted_rows[feed]
                states.add(row.state)
        guards |= {x.guard(PERP), x.guard(ALT)}
        begun = readings(events, EventKind.AUCTION_BEGUN)
        auctions += int((begun["code"] == AuctionKind.GAP).sum())
        for market in (PERP, ALT):  # nobody ends auctions here
            if x.phase(market) == Phase.AUCTION and x.time_ms >= x.risk(market).auction_end_ms:
                x.doctor(Table.RISK, market, phase=0)
    assert states >= {FeedState.FRESH, FeedState.STALE} and guards == set(Guard)
    assert auctions >= 3
