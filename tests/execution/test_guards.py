"""Guards at the entry of an order: switches, phases, the index, open interest, tiers."""

from itertools import product

import pytest

from quorate.codec import commands as c
from quorate.types.clearing_codes import AuctionKind, Guard, Phase
from quorate.types.codes import Flag, MarketStatus, Reject, Tif
from quorate.types.records import Table
from tests.execution.clearing import LEGACY, MARK, OTHER, Clearing
from tests.execution.exchange import PERP, SPOT, bought, fills, sold

REDUCE, POST, MARKET = int(Flag.REDUCE_ONLY), int(Flag.POST_ONLY), int(Flag.MARKET)
IOC, FOK = int(Tif.IOC), int(Tif.FOK)
LEVELS = [MarketStatus.OPEN, MarketStatus.POST_ONLY, MarketStatus.REDUCE_ONLY, MarketStatus.HALTED]
WORDS = ["CHAIN", "ACCOUNT", "MARKET"]
GUARD_CODES = {3: Reject.INDEX_STALE_REDUCE_ONLY, 4: Reject.INDEX_MISSING_MARKET_HALTED}


def holding(**risk: int) -> Clearing:
    """Ann is long ten, Bob short."""
    ex = Clearing(**risk)
    ex.fund("ann", "bob", "cat")
    ex.ok("bob", sold(MARK, 10))
    ex.ok("ann", bought(MARK, 10))
    return ex


def test_the_most_restrictive_of_four_gives_the_code() -> None:
    ex = holding()
    ann = ex.account("ann")
    guards = {1: Guard.NONE, 3: Guard.REDUCE_ONLY, 4: Guard.HALT}
    for chain, account, status, guard in product((1, 2, 3, 4), (0, 3), (1, 2, 4), (1, 3, 4)):
        ex.poke(Table.PARAMETERS, 0, switch=chain)
        ex.poke(Table.ACCOUNTS, ann, switch=account)
        ex.poke(Table.MARKETS, PERP, status=status)
        ex.poke(Table.RISK, PERP, guard=int(guards[guard]))
        levels = [chain, account, status, guard]
        level = max(levels)
        wanted = Reject.OK
        if level > 1:
            at = levels.index(level)
            name = f"{WORDS[at]}_{LEVELS[level - 1].name}" if at < 3 else ""
            wanted = Reject[name] if name else GUARD_CODES[level]
        assert ex.code("ann", bought(MARK - 9, 1)) == wanted
        allowed = {1: 0, 2: POST, 3: REDUCE, 4: 0}[level]
        code = ex.code("ann", sold(MARK + 9, 1, flags=allowed))
        assert code == (wanted if level == 4 else Reject.OK)
        ex.ok("ann", c.CancelAll(PERP))


def test_switches_reach_markets_without_a_clearing_house() -> None:
    ex = holding()
    ex.poke(Table.PARAMETERS, 0, switch=int(MarketStatus.HALTED))
    for market in (SPOT, LEGACY):
        assert ex.code("ann", c.Place(market, 0, 50, 10)) == Reject.CHAIN_HALTED
    ex.poke(Table.PARAMETERS, 0, switch=0)
    ex.poke(Table.ACCOUNTS, ex.account("ann"), switch=int(MarketStatus.POST_ONLY))
    assert ex.code("ann", c.Place(SPOT, 0, 50, 10)) == Reject.ACCOUNT_POST_ONLY
    ex.ok("ann", c.Place(SPOT, 0, 50, 10, flags=POST))


def test_quarantine_takes_cancels_alone() -> None:
    ex = holding()
    ex.ok("ann", sold(MARK + 9, 1))
    ex.poke(Table.RISK, PERP, phase=int(Phase.QUARANTINE))
    for flags in (0, POST, REDUCE):
        assert ex.code("ann", sold(MARK + 8, 1, flags=flags)) == Reject.MARKET_QUARANTINED
    ex.ok("ann", c.CancelAll(PERP))
    ex.ok("ann", c.Place(OTHER, 0, MARK, 1))


@pytest.mark.parametrize("batch", [False, True])
def test_an_auction_takes_orders_that_may_rest(batch: bool) -> None:
    ex = holding()
    if batch:
        ex.poke(Table.RISK, PERP, mode=2)
    else:
        ex.poke(
            Table.RISK, PERP, phase=int(Phase.AUCTION), auction_kind=int(AuctionKind.GAP),
            auction_begin_ms=ex.time_ms, auction_end_ms=ex.time_ms + 10**8,
        )  # fmt: skip
    alone = Reject.AUCTION_TAKES_RESTING_ORDERS_ALONE
    for more in ({"flags": MARKET, "tif": IOC}, {"tif": IOC}, {"tif": FOK}):
        order = bought(0 if "flags" in more else MARK - 9, 1, **more)
        assert ex.code("cat", order) == alone
    ex.ok("cat", bought(MARK - 9, 1))
    ex.ok("cat", bought(MARK - 9, 1, flags=POST))
    ex.ok("cat", bought(MARK - 9, 1, tif=int(Tif.GTT), expiry_ms=ex.time_ms + 10**6))


# --- the index -----------------------------------------------------------------------------------
def test_a_price_may_not_be_far_from_the_index() -> None:
    ex = holding(price_far_ppm=100_000)
    far = Reject.PRICE_TOO_FAR_FROM_INDEX
    for price, code in (
        (MARK * 9 // 10, Reject.OK),
        (MARK * 9 // 10 - 1, far),
    ):
        assert ex.code("cat", bought(price, 1)) == code
    for price, code in ((MARK * 11 // 10, Reject.OK), (MARK * 11 // 10 + 1, far)):
        assert ex.code("cat", sold(price, 1)) == code
    ex.poke(Table.FEEDS, 0, price_ticks=0)  # without an index there is nothing to be far from
    ex.ok("cat", bought(5, 1))


# --- open interest -------------------------------------------------------------------------------
def test_open_interest_does_not_pass_its_cap() -> None:
    ex = holding(oi_cap_lots=12)
    at_cap = Reject.OPEN_INTEREST_AT_CAP
    assert ex.code("cat", bought(MARK - 9, 3)) == at_cap
    ex.ok("cat", bought(MARK - 9, 2))
    assert ex.code("ann", sold(MARK + 9, 13)) == at_cap  # ten to close, three to turn it
    ex.ok("ann", sold(MARK + 9, 12))


def test_at_the_cap_nobody_turns_or_leans_on_the_index() -> None:
    ex = holding(oi_cap_lots=10)
    at_cap = Reject.OPEN_INTEREST_AT_CAP
    ex.ok("ann", sold(MARK, 4, flags=REDUCE))
    assert ex.code("ann", sold(MARK - 1, 4, flags=REDUCE)) == at_cap
    assert ex.code("bob", bought(MARK + 1, 1, flags=REDUCE)) == at_cap
    assert ex.code("ann", sold(MARK, 11)) == at_cap
    # A market order is narrowed to the index instead.
    events = ex.ok("bob", bought(0, 3, flags=REDUCE | MARKET, tif=IOC))
    assert int(events[-1]["price"]) == MARK and fills(events)
    ex.ok("cat", bought(MARK - 1, 1))  # seven are open now


def test_a_market_order_beyond_the_index_is_refused_at_the_cap() -> None:
    ex = holding(oi_cap_lots=10)
    ex.ok("ann", sold(MARK + 5, 4, flags=REDUCE))
    order = bought(0, 3, flags=REDUCE | MARKET, tif=IOC)
    assert ex.code("bob", order) == Reject.OPEN_INTEREST_AT_CAP


def test_open_interest_rises_so_much_a_window() -> None:
    ex = holding(oi_rise_lots=10, oi_window_ms=60_000)
    fast = Reject.OPEN_INTEREST_RISING_TOO_FAST
    assert ex.code("cat", sold(MARK, 1)) == fast
    ex.ok("ann", sold(MARK, 10, flags=REDUCE))  # closing is free, and does not give room back
    ex.ok("bob", bought(MARK, 5, flags=REDUCE))
    assert ex.state(Table.MARKETS, PERP).open_interest_lots == 5
    assert ex.code("cat", sold(MARK, 1)) == fast
    ex.rows(step_ms=60_000)
    ex.ok("cat", bought(MARK - 1, 10))
    assert ex.code("cat", bought(MARK - 2, 11)) == fast
    assert ex.state(Table.RISK, PERP).oi_window_lots == 10  # what rests has not risen yet
    ex.ok("bob", sold(MARK - 1, 7))
    row = ex.state(Table.RISK, PERP)
    assert (row.oi_window_lots, row.oi_window_begin_ms) == (7, ex.time_ms)


def test_a_position_stays_below_the_last_tier() -> None:
    ex = holding(tier_max_e6=MARK * 12 * 10**6)
    beyond = Reject.POSITION_BEYOND_LAST_TIER
    assert ex.code("ann", bought(MARK - 9, 3)) == beyond
    ex.ok("ann", bought(MARK - 9, 2))
    ex.mark(PERP, MARK * 2)
    assert ex.code("ann", bought(MARK - 9, 1)) == beyond
    ex.ok("ann", sold(MARK * 2, 3))  # reducing is not held up
