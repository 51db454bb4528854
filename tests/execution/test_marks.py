"""Marks: the three candidates, the averages, the clamp, and what stops them."""

import math
import random
from statistics import median
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.types.clearing_codes import Guard, Phase
from quorate.types.clearing_spec import BandSpec
from quorate.types.codes import EventKind
from quorate.types.limits import EMA_SCALE
from quorate.types.records import Table
from tests.execution.clearing_exchange import VOTERS, House, house, readings
from tests.execution.exchange import PERP, address, bought, sold


def marked(events: Any, market: int = PERP) -> Any:
    """The one MARKED event of a market in a block."""
    rows = readings(events, EventKind.MARKED)
    found = [event for event in rows if event["market"] == market]
    assert len(found) == 1
    return found[0]


def quoted(bid: int, ask: int, **risk: int) -> House:
    """Index 1000, and a book of 10 lots a side."""
    x = House(house(**risk))
    x.fund("ann", "ben")
    x.index(1_000)
    x.ok("ann", bought(bid, 10))
    x.ok("ben", sold(ask, 10))
    return x


def test_without_a_book_the_mark_is_the_index() -> None:
    x = House()
    event = marked(x.index(1_000))
    assert (event["mark_ticks"], event["index_ticks"], event["book_candidate_ticks"]) == (
        1_000, 1_000, 0,
    )  # fmt: skip
    assert x.market().mark_ms == x.time_ms


def test_the_first_book_sets_both_averages() -> None:
    x = quoted(1_010, 1_020)
    event = marked(x.rows())
    assert event["basis_ema_fp"] == 15 * EMA_SCALE and event["book_ema_fp"] == 1_015 * EMA_SCALE
    assert event["basis_candidate_ticks"] == 1_015 and event["book_candidate_ticks"] == 1_015
    assert event["mark_ticks"] == 1_015


def test_the_book_is_the_median_of_bid_ask_and_last_trade() -> None:
    x = quoted(1_010, 1_020)
    x.ok("ann", bought(1_020, 1))
    assert marked(x.rows())["book_candidate_ticks"] == 1_020
    x.ok("ben", sold(1_010, 1))
    assert marked(x.rows())["book_candidate_ticks"] == 1_010
    x.ok("ann", bought(1_015, 1))
    x.ok("ben", sold(1_015, 1))
    assert marked(x.rows())["book_candidate_ticks"] == 1_015


def test_three_candidates_and_their_median() -> None:
    x = quoted(1_030, 1_040)
    x.votes(1_000, 1_000, 1_000, 1_000, external=1_020)
    event = marked(x.rows())
    three = [event[f"{name}_candidate_ticks"] for name in ("basis", "book", "external")]
    # The median is 1,035; a market of leverage 40 marks within a fortieth of its index.
    assert three == [1_035, 1_035, 1_020] and event["mark_ticks"] == 1_025
    # A book that turns is outvoted by the averaged basis and the price elsewhere.
    x.ok("ann", c.CancelAll(PERP))
    x.ok("ben", c.CancelAll(PERP))
    x.ok("ann", bought(700, 5))
    x.ok("ben", sold(800, 5))
    event = marked(x.rows())
    assert event["book_candidate_ticks"] == 750
    assert event["mark_ticks"] == 1_020 and 1_020 < event["basis_candidate_ticks"] < 1_035


def test_two_lots_of_a_thin_book_do_not_lead_the_mark_away_from_its_index() -> None:
    # Both the book and its average are whatever two small quotes say; the walk ends at the reach.
    x = House(house(mark_clamp_ppm=10_000))
    x.fund("ann", "ben", usd=10_000)
    x.doctor(Table.MARKETS, PERP, mark_ticks=1_000)
    x.index(1_000)
    for _ in range(60):
        target = x.market().mark_ticks * 104 // 100
        x.rows(
            x.row(address("ann"), c.CancelAll(PERP), bought(target - 1, 1)),
            x.row(address("ben"), c.CancelAll(PERP), sold(target, 1)),
        )
        x.votes(1_000, 1_000, 1_000, 1_000)
    assert x.market().mark_ticks == 1_025


def test_averages_move_by_their_time_constants() -> None:
    x = quoted(1_010, 1_020, basis_ema_ms=150_000, book_ema_ms=30_000)
    x.rows()
    x.ok("ann", c.CancelAll(PERP))
    x.ok("ann", bought(970, 10))  # the middle is now 995
    event = marked(x.rows())
    left = math.exp(-1_000 / 150_000)
    # Two seconds since the sample before: the tick behind the cancel found no bid, and took none.
    assert abs(event["basis_ema_fp"] / EMA_SCALE - (-5 + 20 * left**2)) < 1e-3
    left = math.exp(-1_000 / 30_000)
    assert abs(event["book_ema_fp"] / EMA_SCALE - (995 + 20 * left**2)) < 1e-3


def test_one_side_alone_leaves_the_averages_as_they_stand() -> None:
    x = quoted(1_010, 1_020)
    x.rows()
    x.ok("ben", c.CancelAll(PERP))
    event = marked(x.rows())
    assert event["book_candidate_ticks"] == 0 and event["basis_ema_fp"] == 15 * EMA_SCALE
    assert event["mark_ticks"] == 1_015


def test_a_tick_moves_the_mark_by_the_clamp_at_most() -> None:
    x = House(house(mark_clamp_ppm=10_000))
    x.index(1_000)
    assert x.market().mark_ticks == 99_000  # the genesis mark was 100000
    x = House(house({"outlier_ppm": 1_000_000}, mark_clamp_ppm=10_000))
    x.doctor(Table.MARKETS, PERP, mark_ticks=1_000)
    x.votes(5_000, 5_000, 5_000, 5_000)
    found = [marked(x.rows())["mark_ticks"] for _ in range(3)]
    assert found == [1_010, 1_020, 1_030]
    assert marked(x.rows())["candidate_ticks"] == 5_000


def test_an_index_beyond_the_markets_prices_marks_its_last_price() -> None:
    x = House()
    event = marked(x.index(900_000, external=800_000))
    assert event["mark_ticks"] == event["index_ticks"] == x.market().price_max_ticks
    x = quoted(10, 12)
    x.rows()
    x.votes(1, 1, 1, 1)
    event = marked(x.rows())  # index 1 and a basis of hundreds below it: no price below 1
    assert event["basis_ema_fp"] < -500 * EMA_SCALE and event["basis_candidate_ticks"] == 1
    assert event["book_candidate_ticks"] == 11 and 1 <= event["mark_ticks"] <= 11


def test_a_guard_stops_the_mark() -> None:
    x = House()
    x.index(1_000)
    events = x.rows(step_ms=11_000)
    assert x.guard() == Guard.NO_LIQUIDATION and not len(readings(events, EventKind.MARKED))


def test_an_auctions_book_is_not_looked_at() -> None:
    x = quoted(1_010, 1_020)
    x.rows()
    x.doctor(Table.RISK, PERP, phase=int(Phase.AUCTION), auction_end_ms=2**46)
    event = marked(x.rows())
    assert event["book_candidate_ticks"] == 0 and event["mark_ticks"] == 1_015


def test_a_candidate_outside_a_band_begins_an_auction_and_the_mark_stays() -> None:
    x = House(house(bands=[BandSpec(60_000, 50_000, 50_000, 30_000)]))
    x.doctor(Table.MARKETS, PERP, mark_ticks=1_000)
    x.index(1_000)
    event = marked(x.index(1_040))
    assert event["mark_ticks"] == 1_040 and x.phase() == Phase.TRADING
    x.votes(1_100, 1_100, 1_100, 1_100)
    event = marked(x.rows())
    assert (event["mark_ticks"], event["candidate_ticks"]) == (1_040, 1_100)
    assert x.phase() == Phase.AUCTION and x.market().mark_ticks == 1_040


# --- a seeded world against floats ---------------------------------------------------------------
class Averages:
    """The two averages in floating point."""

    def __init__(self) -> None:
        self.basis, self.book, self.at_ms = 0.0, 0.0, 0

    def move(self, bid: int, ask: int, book: float, index: int, time_ms: int) -> None:
        """Take the samples of a tick."""
        keep = [math.exp(-(time_ms - self.at_ms) / tau) for tau in (150_000, 30_000)]
        if not self.at_ms:
            keep = [0.0, 0.0]
        self.basis += (1 - keep[0]) * ((bid + ask) / 2 - index - self.basis)
        self.book += (1 - keep[1]) * (book - self.book)
        self.at_ms = time_ms


def sides(x: House) -> tuple[int, int]:
    """Best bid and ask of market 1, from the rows of orders alone; 0 for none."""
    rows = x.lockstep.spec.tables.rows[Table.ORDERS].values()
    live = [row for row in rows if row.order_id and row.market == PERP]
    bids, asks = ([o.price for o in live if o.side == side] for side in (0, 1))
    return max(bids, default=0), min(asks, default=0)


def drawn_rows(x: House, rng: random.Random, price: int) -> list[Any]:
    """Votes, and orders about the price."""
    rows = x.vote_rows(0, *(price + rng.randrange(-3, 4) for _ in VOTERS),
                       external=rng.choice([0, price + 40]))  # fmt: skip
    for name in ("ann", "ben", "cy"):
        draw, near = rng.random(), price + rng.randrange(-150, 151)
        if draw < 0.5:
            order = rng.choice([bought(near - 60, 2), sold(near + 60, 2)])
            rows.append(x.row(address(name), order))
        elif draw < 0.7:
            rows.append(x.row(address(name), c.CancelAll()))
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_seeded_marks_agree_with_floats(seed: int) -> None:
    """Both machines against the formula in floats, tick by tick, to one tick of price."""
    rng = random.Random(f"marks {seed}")
    clamp = [0, 1_000, 2_000][seed]
    x = House(house({"outlier_ppm": 1_000_000}, mark_clamp_ppm=clamp))
    x.fund("ann", "ben", "cy", usd=10**9)
    x.doctor(Table.MARKETS, PERP, mark_ticks=50_000)
    x.index(50_000)
    price, last, averages = 50_000, 0, Averages()
    before, both, clamped = 50_000, 0, 0
    for _ in range(700):
        bid, ask = sides(x)
        step = rng.choice([1_000, 1_000, 1_700, 5_000])
        events = x.rows(*drawn_rows(x, rng, price), step_ms=step)
        rows = readings(events, EventKind.MARKED)
        for event in rows[rows["market"] == PERP]:
            index, book = int(event["index_ticks"]), 0
            if bid and ask:
                book = int(median([bid, ask, last])) if last else (bid + ask) // 2
                averages.move(bid, ask, book, index, x.time_ms)
                both += 1
            there = [index + averages.basis, book, int(event["external_candidate_ticks"])]
            assert abs(event["basis_candidate_ticks"] - there[0]) <= 0.51
            assert event["book_candidate_ticks"] == book
            there = [one for one in there if one]
            if len(there) == 2 and averages.book:
                there.append(averages.book)
            near = max(index - index // 40, min(index + index // 40, median(there)))
            assert abs(event["candidate_ticks"] - near) <= 1
            most = max(1, before * clamp // 10**6) if clamp else 10**9
            move = max(-most, min(most, int(event["candidate_ticks"]) - before))
            assert event["mark_ticks"] == before + move == x.market().mark_ticks
            before += move
            clamped += abs(move) == most
        for fill in events[events["kind"] == EventKind.FILL]:
            last = int(fill["price"])
        price = max(40_000, min(60_000, price + rng.randrange(-300, 301)))
    assert 150 < both < 690 and last and (not clamp or clamped > 20)
