"""What governance changes: parameters with and without notice, tiers, bands, feeds, switches."""

from itertools import pairwise

import pytest

from quorate.codec import commands as c
from quorate.execution import rules
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_codes import ChangeKind, Switch
from quorate.types.clearing_spec import BandSpec
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import (
    BAND_MAX_PPM,
    CHANGES_MAX,
    GLOBAL_BOUNDS,
    PPM,
    RISK_BOUNDS,
    VOTERS_MAX,
)
from quorate.types.records import Table
from tests.execution.clearing_exchange import HOUSE, House, house, readings
from tests.execution.exchange import PERP, SPOT, USD, address, bought, sold

NOTICE = 5
FAR, CAP = RISK_PARAMETERS.index("price_far_ppm"), RISK_PARAMETERS.index("oi_cap_lots")
FEED, MODE = RISK_PARAMETERS.index("feed"), RISK_PARAMETERS.index("mode")
TICK, NOTICE_AT = GLOBALS.index("tick_ms"), GLOBALS.index("notice_blocks")


def governed() -> House:
    """Notice of five blocks; an index; two people with money."""
    x = House(house({"notice_blocks": NOTICE}))
    x.fund("ann", "ben")
    x.index(100_000)
    return x


def with_interest() -> House:
    """The same with an open position in market 1."""
    x = governed()
    x.ok("ann", sold(100_000, 2))
    x.ok("ben", bought(100_000, 2))
    return x


def changed(events: object) -> list[tuple[int, ...]]:
    """Kind, market, parameter, value and value before of each CHANGED."""
    names = ("code", "market", "parameter", "value", "value_before")
    return [tuple(int(row[name]) for name in names) for row in
            readings(events, EventKind.CHANGED)]  # fmt: skip


def test_at_once_while_nobody_is_in_the_market() -> None:
    x = governed()
    events = x.ok("governance", c.SetRisk(PERP, FAR, 7))
    assert changed(events) == [(ChangeKind.RISK, PERP, FAR, 7, 0)]
    assert x.risk().price_far_ppm == 7


def test_an_order_or_a_position_asks_for_notice() -> None:
    x = governed()
    x.ok("ann", sold(100_000, 2))
    assert x.code("governance", c.SetRisk(PERP, FAR, 7)) == Reject.CHANGE_NEEDS_NOTICE
    x = with_interest()
    for command in (
        c.SetRisk(PERP, FAR, 7),
        c.SetGlobal(TICK, 500),
        c.ScheduleTier(1, 10 * USD, 20, 0),
        c.SetMarginTier(1, 10 * USD, 20),
    ):
        assert x.code("governance", command) == Reject.CHANGE_NEEDS_NOTICE


def test_notice_is_a_number_of_blocks() -> None:
    x = with_interest()
    early = x.height + 1 + NOTICE - 1
    assert x.code("governance", c.SetRisk(PERP, FAR, 7, early)) == Reject.CHANGE_NEEDS_NOTICE
    height = x.height + 1 + NOTICE
    assert not changed(x.ok("governance", c.SetRisk(PERP, FAR, 7, height)))
    assert x.at(Table.CHANGES, 0).announced_height == x.height
    while x.height < height - 1:
        assert not changed(x.rows())
    assert x.risk().price_far_ppm == 0
    assert changed(x.rows()) == [(ChangeKind.RISK, PERP, FAR, 7, 0)]
    assert x.risk().price_far_ppm == 7 and not x.at(Table.LEDGER, 0).changes_live
    assert x.at(Table.CHANGES, 0).height == 0


def test_without_notice_blocks_the_next_height_is_the_first() -> None:
    x = House(house({"notice_blocks": 0}))
    here, next_one = x.height + 1, x.height + 3
    assert x.code("governance", c.SetGlobal(TICK, 500, here)) == Reject.CHANGE_NEEDS_NOTICE
    x.ok("governance", c.SetGlobal(TICK, 500, next_one))
    assert changed(x.rows()) == [(ChangeKind.GLOBAL, 0, TICK, 500, 1_000)]


def test_changes_apply_by_height_and_then_by_slot() -> None:
    x = governed()
    last = x.height + 12
    x.ok("governance", c.SetRisk(PERP, FAR, 1, last), c.SetRisk(PERP, FAR, 2, last - 2),
         c.SetRisk(PERP, FAR, 3, last))  # fmt: skip
    found = []
    while x.height < last:
        found += [row[3:] for row in changed(x.rows())]
    assert found == [(2, 0), (1, 2), (3, 1)]
    # Freed slots are used again, the lowest first.
    x.ok("governance", c.SetRisk(PERP, FAR, 4, last + 20))
    assert x.at(Table.CHANGES, 0).value == 4 and x.at(Table.LEDGER, 0).changes_high == 3


def test_as_many_changes_as_fit_wait() -> None:
    x = governed()
    height = x.height + 1_000
    many = [c.SetRisk(PERP, FAR, k, height) for k in range(CHANGES_MAX)]
    x.ok("governance", *many)
    code = x.code("governance", c.SetGlobal(TICK, 500, height))
    assert code == Reject.CHANGES_TOO_MANY_WAIT


@pytest.mark.parametrize("parameter", range(len(RISK_PARAMETERS)))
def test_bounds_of_every_risk_parameter(parameter: int) -> None:
    x = House()
    low, high = RISK_BOUNDS[parameter]
    if parameter == FEED:
        high = 1  # as many feeds as there are
    if parameter == MODE:
        low = 1  # a clearing house is never taken away
    for value in {max(low, 0), high}:
        x.ok("governance", c.SetRisk(PERP, parameter, value))
        assert getattr(x.risk(), RISK_PARAMETERS[parameter]) == value
    wrong = Reject.FEED_MUST_EXIST if parameter == FEED else Reject.PARAMETER_OUT_OF_RANGE
    assert x.code("governance", c.SetRisk(PERP, parameter, high + 1)) == wrong
    if low > 0:
        code = x.code("governance", c.SetRisk(PERP, parameter, low - 1))
        assert code == Reject.PARAMETER_OUT_OF_RANGE


AGES = [GLOBALS.index(name) for name in ("fresh_ms", "reduce_ms", "halt_ms")]


@pytest.mark.parametrize("parameter", range(len(GLOBALS)))
def test_bounds_of_every_number_of_the_venue(parameter: int) -> None:
    x = House()
    low, high = GLOBAL_BOUNDS[parameter]
    fresh, reduce, halt = AGES
    for value in (high, low):
        others = [] if parameter not in AGES else [(halt, high), (reduce, high)]
        if parameter in AGES and value == low:
            others = [(fresh, low), (reduce, low)][: parameter - fresh]
        for other in others:
            x.ok("governance", c.SetGlobal(*other))
        x.ok("governance", c.SetGlobal(parameter, value))
        assert getattr(x.at(Table.PARAMETERS, 0), GLOBALS[parameter]) == value
    code = x.code("governance", c.SetGlobal(parameter, high + 1))
    assert code == Reject.PARAMETER_OUT_OF_RANGE


def test_an_index_is_stale_before_it_reduces_and_reduces_before_it_halts() -> None:
    """Nothing asked for that: a market could halt on an index that still counted as fresh."""
    x = House()
    fresh, reduce, halt = AGES
    now = x.at(Table.PARAMETERS, 0)
    out = Reject.PARAMETER_OUT_OF_RANGE
    assert x.code("governance", c.SetGlobal(fresh, now.reduce_ms + 1)) == out
    assert x.code("governance", c.SetGlobal(reduce, now.fresh_ms - 1)) == out
    assert x.code("governance", c.SetGlobal(reduce, now.halt_ms + 1)) == out
    assert x.code("governance", c.SetGlobal(halt, now.reduce_ms - 1)) == out
    x.ok("governance", c.SetGlobal(fresh, now.reduce_ms), c.SetGlobal(halt, now.reduce_ms))


def test_a_change_that_another_one_has_passed_is_dropped() -> None:
    x = House()
    fresh, reduce, _ = AGES
    before = x.at(Table.PARAMETERS, 0)
    at = x.height + 1 + before.notice_blocks + 2
    x.ok("governance", c.SetGlobal(fresh, before.reduce_ms, at))
    x.ok("governance", c.SetGlobal(reduce, before.fresh_ms, at - 1))
    events = [x.rows() for _ in range(5 + before.notice_blocks)]
    found = [each for block in events for each in readings(block, EventKind.CHANGED)]
    assert [(int(each["parameter"]), int(each["end"])) for each in found] == [
        (reduce, 0), (fresh, 1),
    ]  # fmt: skip
    after = x.at(Table.PARAMETERS, 0)
    assert after.fresh_ms == after.reduce_ms == before.fresh_ms


def test_numbers_beyond_the_last_and_markets_without_clearing_are_refused() -> None:
    x = House()
    out, none = Reject.PARAMETER_OUT_OF_RANGE, Reject.MARKET_HAS_NO_CLEARING
    assert x.code("governance", c.SetRisk(PERP, len(RISK_PARAMETERS), 0)) == out
    assert x.code("governance", c.SetGlobal(len(GLOBALS), 0)) == out
    assert x.code("governance", c.SetRisk(SPOT, FAR, 0)) == none
    assert x.code("governance", c.SetRisk(9, FAR, 0)) == Reject.MARKET_MUST_EXIST
    assert x.code("governance", c.SetBand(SPOT, 0, 1, 1, 1, 1)) == none


# --- tiers ---------------------------------------------------------------------------------------
def test_a_tier_in_the_middle_moves_all_deductions_behind_it() -> None:
    x = House()
    x.ok("governance", c.ScheduleTier(2, 300_000_000 * USD, 10, 0))
    events = x.ok("governance", c.ScheduleTier(1, 100_000_000 * USD, 25, 0))
    assert changed(events) == [
        (ChangeKind.TIER, 1, 25, 100_000_000 * USD, 150_000_000 * USD)
    ]
    rows = [x.at(Table.MARGIN_TIERS, at) for at in range(3)]
    assert [row.rate_ppm for row in rows] == [12_500, 20_000, 50_000]
    deduction = 0
    for before, row in pairwise(rows):
        deduction += row.lower_e6 // PPM * (row.rate_ppm - before.rate_ppm)
        assert row.deduction_e6 == deduction
        # Maintenance is continuous where a tier begins (FORMULAS 1).
        ends = [rules.maintenance(row.lower_e6, one.rate_ppm, one.deduction_e6)
                for one in (before, row)]  # fmt: skip
        assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("slot", "lower", "leverage"),
    [(0, 1, 40), (1, 0, 20), (1, 300_000_000 * USD, 20), (1, 10, 41), (1, 10, 9), (0, 0, 19),
     (4, 10**15, 5), (512, 0, 5)],
)  # fmt: skip
def test_tiers_stay_in_order(slot: int, lower: int, leverage: int) -> None:
    x = House()
    x.ok("governance", c.ScheduleTier(2, 300_000_000 * USD, 10, 0))
    code = x.code("governance", c.ScheduleTier(slot, lower, leverage, 0))
    assert code == Reject.TIER_MUST_FOLLOW_THE_LAST


def test_a_tier_that_has_lost_its_place_is_dropped_and_says_so() -> None:
    x = House(house({"notice_blocks": 1}))
    height = x.height + 5
    x.ok("governance", c.ScheduleTier(1, 200_000_000 * USD, 20, height))
    x.ok("governance", c.ScheduleTier(2, 180_000_000 * USD, 10, 0))
    while x.height < height:
        events = x.rows()
    rows = readings(events, EventKind.CHANGED)
    assert [int(row["end"]) for row in rows] == [1]
    assert x.at(Table.MARGIN_TIERS, 1).lower_e6 == 150_000_000 * USD


def test_a_schedule_without_interest_changes_at_once() -> None:
    x = with_interest()
    x.ok("governance", c.ScheduleTier(8, 0, 10, 0), c.SetMarginTier(9, 10 * USD, 5))


# --- bands, feeds, voters ------------------------------------------------------------------------
def test_a_band_is_set_and_taken_away() -> None:
    x = governed()
    x.ok("governance", c.SetBand(PERP, 2, 8_000, 100_000, 50_000, 5_000))
    x.index(100_000)
    assert x.risk().band_high_ticks == 110_000
    x.ok("governance", c.SetBand(PERP, 2, 8_000, 100_000, 50_000, 0))
    assert x.risk().band_high_ticks == 0 and x.at(Table.BANDS, PERP * 4 + 2).tau_ms == 0


@pytest.mark.parametrize(
    "band",
    [(0, 1, 1, 1), (1, 0, 1, 1), (1, BAND_MAX_PPM + 1, 1, 1), (1, 1, 0, 1), (1, 1, PPM, 1),
     (2**46, 1, 1, 1), (1, 1, 1, 2**46)],
)  # fmt: skip
def test_bounds_of_a_band(band: tuple[int, int, int, int]) -> None:
    x = House()
    assert x.code("governance", c.SetBand(PERP, 0, *band)) == Reject.PARAMETER_OUT_OF_RANGE
    x.ok("governance", c.SetBand(PERP, 3, 1, BAND_MAX_PPM, PPM - 1, 1))


def test_feeds_are_numbered_in_order() -> None:
    x = House()
    assert x.code("governance", c.SetFeed(3, "X")) == Reject.FEED_MUST_EXIST
    assert x.code("governance", c.SetFeed(1, "X")) == Reject.FEED_MUST_EXIST
    x.ok("governance", c.SetFeed(2, "SOL", 55))
    assert x.feed(2).name.rstrip(b"\0") == b"SOL" and x.feed(2).price_ticks == 55
    assert x.at(Table.LEDGER, 0).votes_high == 3 * VOTERS_MAX


def test_a_new_voter_gets_an_account_and_a_vote() -> None:
    x = House()
    x.ok("governance", c.SetVoter(address("new"), 9))
    assert x.account("new")
    x.ok("new", c.VotePrice(0, 500))
    x.ok("governance", c.SetVoter(address("new"), 0))
    assert x.code("new", c.VotePrice(0, 500)) == Reject.VOTER_KEY_REQUIRED
    out = Reject.PARAMETER_OUT_OF_RANGE
    assert x.code("governance", c.SetVoter(bytes(20), 1)) == out
    assert x.code("governance", c.SetVoter(address("vault"), 1)) == out


# --- switches ------------------------------------------------------------------------------------
def test_switches_of_chain_and_account() -> None:
    x = governed()
    ann = x.account("ann")
    for account, kind in ((0, Switch.CHAIN), (ann, Switch.ACCOUNT)):
        event = readings(x.ok("governance", c.SetSwitch(account, 3)), EventKind.SWITCHED)[0]
        assert (event["code"], event["state"], event["state_before"]) == (kind, 3, 0)
        assert event["account"] == account
        x.ok("governance", c.SetSwitch(account, 1))
    assert x.code("governance", c.SetSwitch(99, 1)) == Reject.ACCOUNT_MUST_EXIST


def test_a_status_says_what_it_was() -> None:
    x = governed()
    event = readings(x.ok("governance", c.SetStatus(PERP, 2)), EventKind.SWITCHED)[0]
    assert (event["code"], event["state"], event["state_before"]) == (Switch.STATUS, 2, 1)


def test_governance_alone() -> None:
    x = governed()
    for command in (
        c.SetRisk(PERP, FAR, 1), c.SetGlobal(TICK, 1), c.ScheduleTier(0, 0, 40, 0),
        c.SetBand(PERP, 0, 1, 1, 1, 1), c.SetFeed(2, "X"), c.SetVoter(address("x"), 1),
        c.SetSwitch(0, 1),
    ):  # fmt: skip
        assert x.code("ann", command) == Reject.GOVERNANCE_KEY_REQUIRED


def test_a_market_gets_its_clearing_house_by_governance() -> None:
    assert HOUSE.clearing is not None
    x = House(house(bands=[BandSpec(8_000, 1_000, 1_000, 1_000)]))
    spec = HOUSE.markets[2]
    x.ok("governance", c.ListMarket(4, spec))
    assert x.code("governance", c.SetBand(4, 0, 1, 1, 1, 1)) == Reject.MARKET_HAS_NO_CLEARING
    for number, name in reversed(list(enumerate(RISK_PARAMETERS))):
        x.ok("governance", c.SetRisk(4, number, int(getattr(HOUSE.clearing.markets[0], name))))
    x.ok("governance", c.SetBand(4, 0, 1_000, 1_000, 1_000, 1_000))
    assert x.risk(4).mode == 1 and x.at(Table.LEDGER, 0).bands_high == 20
