"""Bands, auctions, batches and gaps: FORMULAS 7 as transitions, and what each edge answers."""

from itertools import pairwise
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.compiled import JIT_DISABLED
from quorate.execution.spec.clearing_rows import Band, Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.uncross import nearest
from quorate.types.clearing import BAND_SAMPLES
from quorate.types.clearing_codes import AuctionKind, Mode, Phase, Switch
from quorate.types.clearing_spec import BandSpec
from quorate.types.codes import End, EventKind, Flag, Reject, Side, Tif
from quorate.types.records import Table
from tests.execution.auction_world import AuctionWorld
from tests.execution.clearing_exchange import ALT, House, house, readings
from tests.execution.exchange import PERP, answers, bought, fills, sold

# Model-free vector of FORMULAS 7: 1.1 / 0.95.
VECTOR = BandSpec(8_000, 100_000, 50_000, 5_000)
IOC, FOK = int(Tif.IOC), int(Tif.FOK)


def banded(*bands: BandSpec, index: int = 1_000, **risk: int) -> House:
    """Mark and index 1000, the band's first sample taken, three people with money."""
    x = House(house({"gap_auctions": 0}, bands or (VECTOR,), **risk))
    x.doctor(Table.MARKETS, PERP, mark_ticks=index)
    x.doctor(Table.MARKETS, ALT, mark_ticks=index)
    x.lockstep.checks = True
    x.fund("ann", "ben", "cat")
    x.index(index)
    return x


def in_auction(*bands: BandSpec) -> House:
    """An auction that an ask at 1200 and a bid at 1300 began."""
    x = banded(*bands)
    x.ok("ann", sold(1_200, 5))
    x.ok("ben", bought(1_300, 3))
    assert x.phase() == Phase.AUCTION
    return x


def ended(events: Any, market: int = PERP) -> list[tuple[int, ...]]:
    """Price, lots, surplus and fills of each AUCTION_ENDED of a market."""
    names = ("price_ticks", "lots", "surplus_lots", "fills_count")
    rows = readings(events, EventKind.AUCTION_ENDED)
    return [tuple(int(row[name]) for name in names) for row in rows if row["market"] == market]


def until_over(x: House) -> Any:
    """Empty blocks until the auction is over; the events of the last."""
    for _ in range(60):
        events = x.rows()
        if x.phase() == Phase.TRADING:
            return events
    raise AssertionError("the auction does not end")


# --- bands ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("mark", "low", "high"), [(1_000, 950, 1_100), (900, 855, 990)])
def test_vector_7_model_free_bounds(mark: int, low: int, high: int) -> None:
    x = banded(index=mark)
    assert (x.risk().band_low_ticks, x.risk().band_high_ticks) == (low, high)
    assert x.risk().band_auction_ms == VECTOR.auction_ms


def test_the_reference_is_the_newest_sample_of_that_age_else_the_oldest() -> None:
    row = Band(8_000, 1, 1, 1, count=3, next=3)
    for k, (price, at) in enumerate(((100, 1_000), (110, 2_000), (120, 3_000))):
        setattr(row, f"price_{k}", price)
        setattr(row, f"time_{k}_ms", at)
    from quorate.execution.spec.bands import band_reference

    assert [band_reference(row, at) for at in (3_000, 9_000, 10_000, 11_000)] == [
        100, 100, 110, 120,
    ]  # fmt: skip
    assert band_reference(Band(8_000), 9_000) == 0


def test_the_ring_keeps_the_last_eight_marks_an_eighth_apart() -> None:
    x = banded()
    for step in range(12):
        x.index(1_000 + step)
    row = x.at(Table.BANDS, PERP * 4)
    assert row.count == BAND_SAMPLES
    times = sorted(getattr(row, f"time_{k}_ms") for k in range(BAND_SAMPLES))
    assert {b - a for a, b in pairwise(times)} == {1_000}
    assert getattr(row, f"price_{(row.next - 1) % 8}") == x.market().mark_ticks


def test_a_trade_at_the_edge_of_the_band_is_a_trade() -> None:
    x = banded()
    x.ok("ann", sold(1_100, 1), sold(1_101, 1))
    assert fills(x.ok("ben", bought(1_100, 1))) == [(1, 1, 1_100)]
    x.ok("ben", bought(1_101, 1))
    assert x.phase() == Phase.AUCTION


def test_an_order_that_may_rest_begins_the_auction_and_rests() -> None:
    x = banded()
    x.ok("ann", sold(1_090, 2), sold(1_150, 2))
    events = x.ok("ben", bought(1_200, 5))
    assert fills(events) == [(1, 2, 1_090)]
    begun = readings(events, EventKind.AUCTION_BEGUN)[0]
    assert begun["code"] == AuctionKind.BAND_TRADE and begun["price_ticks"] == 1_150
    assert (begun["reference_ticks"], begun["band_high_ticks"], begun["band"]) == (1_000, 1_100, 0)
    assert begun["end_ms"] == x.time_ms + 5_000 == x.risk().auction_end_ms
    switched = readings(events, EventKind.SWITCHED)[0]
    assert switched["code"] == Switch.PHASE and switched["state"] == Phase.AUCTION
    assert events[-1]["remaining"] == 3 and x.phase() == Phase.AUCTION
    # The band is used: nothing holds the price any more until the auction is over.
    assert x.risk().auction_bands == 1 and x.risk().band_high_ticks == 0


def test_an_immediate_order_beyond_the_band_is_refused_and_begins_nothing() -> None:
    x = banded()
    x.ok("ann", sold(1_150, 2))
    market = c.Place(PERP, 0, 0, 1, IOC, Flag.MARKET)
    for order in (bought(1_200, 1, tif=IOC), bought(1_200, 1, tif=FOK), market):
        assert x.code("ben", order) == Reject.PRICE_OUTSIDE_BAND
    x.ok("ann", sold(1_090, 1))
    assert x.code("ben", bought(1_200, 2, tif=FOK)) == Reject.PRICE_OUTSIDE_BAND
    assert x.phase() == Phase.TRADING


def test_an_immediate_order_stops_at_the_band() -> None:
    x = banded()
    x.ok("ann", sold(1_090, 2), sold(1_150, 2))
    receipt = x.ok("ben", bought(1_200, 5, tif=IOC))[-1]
    assert (receipt["end"], receipt["size"], receipt["remaining"]) == (End.BAND, 2, 0)
    assert x.phase() == Phase.TRADING


def test_a_mark_candidate_beyond_the_band_begins_the_auction_and_the_mark_stays() -> None:
    x = banded()
    events = x.index(1_200)
    begun = readings(events, EventKind.AUCTION_BEGUN)[0]
    assert begun["code"] == AuctionKind.BAND_MARK and begun["price_ticks"] == 1_200
    assert x.market().mark_ticks == 1_000
    # Its band is left out until the auction is over, so that the mark follows.
    x.rows()
    assert x.market().mark_ticks == 1_200


def test_a_mark_on_its_way_back_breaches_nothing() -> None:
    x = banded(mark_clamp_ppm=10_000)
    x.doctor(Table.MARKETS, PERP, mark_ticks=1_300)
    events = x.rows()
    assert not len(readings(events, EventKind.AUCTION_BEGUN))
    assert x.market().mark_ticks == 1_287


# --- auctions ------------------------------------------------------------------------------------
def test_an_auction_takes_resting_orders_alone() -> None:
    x = in_auction()
    for order in (bought(1_300, 1, tif=IOC), bought(1_300, 1, tif=FOK)):
        assert x.code("cat", order) == Reject.AUCTION_TAKES_RESTING_ORDERS_ALONE
    assert not fills(x.ok("cat", bought(1_250, 1), bought(1_260, 1, flags=int(Flag.POST_ONLY))))
    x.ok("cat", c.CancelAll(PERP))


def test_uncrossing_is_at_one_price_by_price_and_time_with_makers_fees() -> None:
    x = in_auction()
    x.ok("cat", bought(1_300, 3), sold(1_400, 1))
    events = until_over(x)
    # 5 trade anywhere from 1200 to 1300; 1 is left over everywhere; the mark is nearer to 1200.
    assert ended(events) == [(1_200, 5, 1, 2)]
    rows = events[events["kind"] == EventKind.FILL]
    assert [(int(row["order_id"]), int(row["size"])) for row in rows] == [(2, 3), (3, 2)]
    assert {int(row["price"]) for row in rows} == {1_200}
    assert {int(row["side"]) for row in rows} == {Side.BUY}
    for row in rows:
        fee = -(-1_200 * int(row["size"]) * 10**6 * 150 // 10**6)
        assert row["fee_e6"] == row["counter_fee_e6"] == fee
    assert x.phase() == Phase.TRADING and x.risk().auction_end_ms == 0
    # The uncrossing price is the one sample of every band.
    assert (x.risk().band_low_ticks, x.risk().band_high_ticks) == (1_140, 1_320)


def test_an_auction_without_a_cross_ends_without_a_price() -> None:
    x = in_auction()
    x.ok("ben", c.CancelAll(PERP))
    assert ended(until_over(x)) == [(0, 0, 0, 0)]


def test_the_indicative_price_beyond_an_unused_band_extends_by_its_time() -> None:
    wide = BandSpec(16_000, 150_000, 150_000, 7_000)
    x = in_auction(VECTOR, wide)
    begun_ms = x.risk().auction_begin_ms
    while x.risk().auction_bands == 1:
        events = x.rows()
    assert x.risk().auction_bands == 3 and x.phase() == Phase.AUCTION
    begun = readings(events, EventKind.AUCTION_BEGUN)[0]
    assert (begun["band"], begun["price_ticks"]) == (1, 1_200)
    assert begun["end_ms"] == begun_ms + 5_000 + 7_000 == x.risk().auction_end_ms
    assert ended(until_over(x)) == [(1_200, 3, 2, 1)]
    assert x.time_ms == begun_ms + 12_000


def test_the_first_band_by_time_decides_whatever_its_number() -> None:
    x = in_auction(BandSpec(16_000, 150_000, 150_000, 7_000), VECTOR)
    assert x.risk().auction_bands == 2


def test_governance_outranks_the_end_of_an_auction() -> None:
    x = in_auction()
    x.ok("governance", c.SetStatus(PERP, 4))
    for _ in range(10):
        x.rows()
    assert x.phase() == Phase.AUCTION
    assert ended(x.ok("governance", c.SetStatus(PERP, 1)))


def test_one_owner_does_not_trade_with_itself() -> None:
    x = in_auction()
    x.ok("ann", bought(1_310, 4))
    events = until_over(x)
    gone = events[events["kind"] == EventKind.CANCELLED]
    assert [(int(row["order_id"]), int(row["end"])) for row in gone] == [(3, End.SELF_TRADE)]
    assert ended(events) == [(1_200, 3, 2, 1)]


def test_who_has_no_margin_leaves_before_the_price_is_found() -> None:
    x = in_auction()
    x.fund("dan", usd=300)
    x.ok("dan", bought(1_205, 1))
    x.ok("cat", bought(1_203, 1))
    x.doctor(Table.ACCOUNTS, x.account("dan"), cash_e6=1)
    events = until_over(x)
    gone = events[events["kind"] == EventKind.CANCELLED]
    assert [(int(row["order_id"]), int(row["end"])) for row in gone] == [(3, End.MARGIN)]
    assert ended(events) == [(1_200, 4, 1, 2)]


def test_reduce_only_trades_what_it_reduces() -> None:
    x = banded()
    x.ok("ann", sold(1_000, 2))
    x.ok("ben", bought(1_000, 2))
    reduce = int(Flag.REDUCE_ONLY)
    x.ok("ben", sold(1_050, 2, flags=reduce), sold(1_060, 2, flags=reduce))
    x.ok("ann", sold(1_150, 4))
    x.ok("cat", bought(1_160, 6))  # takes what is inside the band, then begins the auction
    assert x.phase() == Phase.AUCTION
    x.ok("cat", sold(1_170, 3))
    assert ended(until_over(x))[0][:2] == (1_150, 4)


@pytest.mark.parametrize(
    ("mark", "low", "high", "step", "price"),
    [(5, 10, 20, 5, 10), (17, 10, 20, 5, 15), (18, 10, 20, 5, 20), (99, 10, 20, 5, 20),
     (15, 10, 20, 2, 14), (0, 10, 20, 1, 10)],
)  # fmt: skip
def test_the_tick_nearest_to_the_mark(
    mark: int, low: int, high: int, step: int, price: int
) -> None:
    assert nearest(mark, low, high, step) == price


# --- batches -------------------------------------------------------------------------------------
def test_a_batch_crosses_at_the_end_of_its_block() -> None:
    x = banded()
    x.ok("governance", c.SetRisk(ALT, 0, int(Mode.BATCH)))
    x.index(1_000, feed=1)
    place = [c.Place(ALT, 1, 990, 3), c.Place(ALT, 1, 1_010, 3)]
    events = x.rows(
        x.row(b"ann".ljust(20, b"."), *place),
        x.row(b"ben".ljust(20, b"."), c.Place(ALT, 0, 1_020, 4), c.Place(ALT, 0, 1_020, 1, IOC)),
        x.row(b"cat".ljust(20, b"."), c.Place(ALT, 0, 1_005, 4)),
    )
    codes = [int(e["code"]) for e in events if e["kind"] == EventKind.RECEIPT]
    assert codes == [0, 0, 0, Reject.AUCTION_TAKES_RESTING_ORDERS_ALONE, 0]
    assert ended(events, ALT) == [(1_010, 4, 2, 2)]
    assert not len(readings(x.rows(), EventKind.AUCTION_ENDED))
    assert x.phase(ALT) == Phase.TRADING


def test_a_batch_beyond_a_band_becomes_an_auction() -> None:
    x = banded()
    x.ok("governance", c.SetRisk(ALT, 0, int(Mode.BATCH)))
    x.index(1_000, feed=1)
    x.ok("ann", c.Place(ALT, 1, 1_200, 3))
    x.ok("ben", c.Place(ALT, 0, 1_200, 3))
    assert x.phase(ALT) == Phase.AUCTION
    for _ in range(6):
        x.rows()
    assert x.phase(ALT) == Phase.TRADING and x.market(ALT).last_ticks == 1_200


# --- work that one block cannot do ---------------------------------------------------------------
def test_what_a_block_cannot_do_goes_on_in_the_next_at_the_same_price(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from quorate.execution.kernels import uncross as kernels
    from quorate.execution.spec import uncross as spec

    if not JIT_DISABLED:
        pytest.skip("the bound is frozen in machine code")
    for module in (kernels, spec):
        monkeypatch.setattr(module, "AUCTION_FILLS_PER_BLOCK", 2)
    x = in_auction()
    for name in ("ben", "cat", "ben", "cat"):
        x.ok(name, bought(1_250, 1))
    while x.risk().auction_ticks == 0:
        first = x.rows()
    assert len(fills(first)) == 2 and x.phase() == Phase.AUCTION
    second = x.send("cat", c.CancelAll(PERP), bought(1_500, 9))
    assert list(answers(second)) == [0, Reject.MARKET_HALTED]
    assert x.phase() == Phase.TRADING
    assert [price for _, _, price in fills(first) + fills(second)] == [1_200] * 3
    assert ended(second)[0][:2] == (1_200, 5)


# --- gaps ----------------------------------------------------------------------------------------
def test_a_long_gap_moves_every_market_into_an_auction_and_gates_withdrawals() -> None:
    x = House(house({"gap_auctions": 1, "gate_ms": 30_000}))
    x.fund("ann")
    events = x.rows(step_ms=10_000)
    begun = readings(events, EventKind.AUCTION_BEGUN)
    assert [int(row["market"]) for row in begun] == [PERP, ALT]
    assert {int(row["code"]) for row in begun} == {AuctionKind.GAP}
    assert {int(row["end_ms"]) for row in begun} == {x.time_ms + 60_000}
    gate = readings(events, EventKind.SWITCHED)[-1]
    assert (gate["code"], gate["until_ms"]) == (Switch.GATE, x.time_ms + 60_000)
    assert x.at(Table.LEDGER, 0).gate_until_ms == x.time_ms + 60_000
    # A longer gap lengthens the auction; a shorter cause does not cut it.
    x.rows(step_ms=60_000)
    assert x.risk().auction_end_ms == x.time_ms + 300_000
    x.rows(step_ms=10_000)
    assert x.risk().auction_end_ms == x.time_ms + 290_000


@pytest.mark.parametrize(("gap_auctions", "step_ms"), [(0, 60_000), (1, 9_999)])
def test_no_gap_no_auction(gap_auctions: int, step_ms: int) -> None:
    x = House(house({"gap_auctions": gap_auctions}))
    x.rows()
    x.rows(step_ms=step_ms)
    assert x.phase() == Phase.TRADING and not x.at(Table.LEDGER, 0).gate_until_ms


def test_the_way_from_genesis_to_the_first_block_is_no_gap() -> None:
    x = House(house({"gap_auctions": 1}))
    x.rows(step_ms=86_400_000)
    assert x.phase() == Phase.TRADING


# --- quarantine ----------------------------------------------------------------------------------
def test_governance_lifts_a_quarantine_through_an_auction() -> None:
    x = banded()
    x.doctor(Table.RISK, PERP, phase=int(Phase.QUARANTINE))
    x.lockstep.checks = True
    events = x.ok("governance", c.SetStatus(PERP, 1))
    states = [(int(row["code"]), int(row["state"])) for row in
              readings(events, EventKind.SWITCHED)]  # fmt: skip
    assert states == [
        (Switch.STATUS, 1), (Switch.PHASE, Phase.TRADING), (Switch.PHASE, Phase.AUCTION),
        (Switch.PHASE, Phase.TRADING),
    ]  # fmt: skip
    assert x.phase() == Phase.TRADING


def test_nothing_begins_in_a_quarantine() -> None:
    from quorate.execution.spec.auctions import auction_begin

    t = Tables()
    t.put(Table.RISK, PERP, Risk(mode=1, phase=Phase.QUARANTINE))
    context = Context(t, 1, 1_000)
    auction_begin(context, PERP, AuctionKind.GAP, 5_000, 0)
    assert not context.events and t.row(Table.RISK, PERP).phase == Phase.QUARANTINE


# --- a seeded world ------------------------------------------------------------------------------
def explore(seed: int, blocks: int, modes: tuple[int, int]) -> AuctionWorld:
    """Run a world; every block is compared, checked, and judged by brute force."""
    world = AuctionWorld(seed, modes)
    for _ in range(blocks):
        world.block()
    return world


@pytest.mark.parametrize("seed", [1, 2])
def test_seeded_auctions_find_the_price_that_brute_force_finds(seed: int) -> None:
    world = explore(seed, 60, (2, 2))
    assert world.opinion.auctions > 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7))
def test_long_seeded_worlds_of_auctions(seed: int) -> None:
    world = explore(100 + seed, 300, ((1, 2), (1, 1), (2, 2))[seed % 3])
    assert world.opinion.auctions > 3
