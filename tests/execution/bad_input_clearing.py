"""Bad input of the clearing house: its part of tests/execution/bad_input.py.

`cleared` is a venue of which market 1 has a clearing house: the index stands at 100 000, which is
its mark; alice sells 10 at 100 100 and bids 10 at 99 900.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from quorate.codec import commands as c
from quorate.sim.execution_world import Row
from quorate.types import limits
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.clearing_codes import Phase, TriggerFlag
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import MarketStatus, Reject, Tif
from quorate.types.records import Table
from tests.execution.exchange import (
    GENESIS,
    PERP,
    SPOT,
    USD,
    Exchange,
    address,
    bought,
    sold,
)

R = Reject
IOC = int(Tif.IOC)
INDEX = 100_000
NUMBERS = GlobalSpec(notice_blocks=5)
RISK = RiskSpec(
    PERP, mark_clamp_ppm=1_000_000, price_far_ppm=100_000, vault_notional_max_e6=0, slice_min_e6=0
)
BAND = BandSpec(60_000, 50_000, 50_000, 10_000)
CLEARING = ClearingSpec(
    address("vault"), (FeedSpec("BTC", INDEX),), (VoterSpec(address("vera"), 1),), NUMBERS, (RISK,)
)
# What a market needs for its code, beside RISK.
CHANGED: dict[Reject, dict[str, Any]] = {
    R.OPEN_INTEREST_AT_CAP: {"oi_cap_lots": 10},
    R.OPEN_INTEREST_RISING_TOO_FAST: {"oi_rise_lots": 10, "oi_window_ms": limits.DAY_MS},
    R.POSITION_BEYOND_LAST_TIER: {"tier_max_e6": 1_100_000 * USD},
    R.AUCTION_TAKES_RESTING_ORDERS_ALONE: {"mode": 2},
    R.PRICE_OUTSIDE_BAND: {"bands": (BAND,)},
}


def cleared(code: Reject) -> Exchange:
    """The venue as above; for some codes its market has a rule more."""
    risk = replace(RISK, **CHANGED.get(code, {}))
    x = Exchange(replace(GENESIS, clearing=replace(CLEARING, markets=(risk,))))
    x.fund("alice", "bob", "rich", usd=100_000_000, btc=10_000)
    x.fund("carol", usd=3_000)
    vote(x, INDEX)
    x.ok("alice", sold(100_100, 10), bought(99_900, 10))
    vote(x, INDEX)
    return x


def vote(x: Exchange, price: int) -> None:
    """Move the index, and the mark with it; it is there from the next block on."""
    x.ok("vera", c.VotePrice(0, price, price))
    x.rows()


def says(name: str, *commands: c.Command) -> Callable[[Exchange], Row]:
    return lambda x: x.row(address(name), *commands)


def traded(lots: int, *commands: c.Command, name: str = "bob") -> Callable[[Exchange], Row]:
    """After rich has bought of alice."""

    def make(x: Exchange) -> Row:
        x.ok("rich", bought(100_100, lots, tif=IOC))
        return x.row(address(name), *commands)

    return make


def later(step_ms: int, *commands: c.Command) -> Callable[[Exchange], Row]:
    """After a time without votes."""

    def make(x: Exchange) -> Row:
        x.rows(step_ms=step_ms)
        return x.row(address("bob"), *commands)

    return make


def pre_liquidation(x: Exchange) -> Row:
    x.ok("carol", bought(100_100, 1, tif=IOC))
    vote(x, 98_900)
    vote(x, 98_900)
    return x.row(address("carol"), bought(95_000, 1))


def quarantined(x: Exchange) -> Row:
    x.doctor(Table.RISK, PERP, phase=int(Phase.QUARANTINE))
    return x.row(address("bob"), bought(99_000, 1))


def switched(value: MarketStatus, name: str = "") -> Callable[[Exchange], Row]:
    """After governance has restricted the venue, or the account of `name`."""

    def make(x: Exchange) -> Row:
        account = x.account(name) if name else 0
        x.ok("governance", c.SetSwitch(account, int(value)))
        return x.row(address("bob"), bought(99_000, 1))

    return make


def triggers_too_many(x: Exchange) -> Row:
    stops = [c.Trigger(PERP, 1, 0, 90_000 + n, 1) for n in range(limits.TRIGGERS_PER_ACCOUNT_MAX)]
    x.ok("bob", *stops)
    return x.row(address("bob"), c.Trigger(PERP, 1, 0, 90_000, 1))


def group_frozen(x: Exchange) -> Row:
    x.ok("bob", c.SetGroup(1, 60_000, 1), bought(100_000, 2, group=1))
    x.ok("rich", sold(100_000, 2, tif=IOC))
    return x.row(address("bob"), bought(99_000, 1, group=1))


def groups_too_many(x: Exchange) -> Row:
    x.ok("bob", *(c.SetGroup(1 + n, 1_000, 9) for n in range(limits.GROUPS_PER_ACCOUNT_MAX)))
    return x.row(address("bob"), c.SetGroup(99, 1_000, 9))


def outside_band(x: Exchange) -> Row:
    x.ok("alice", c.CancelAll())
    x.ok("alice", sold(107_000, 1))
    return x.row(address("bob"), bought(107_000, 1, tif=IOC))


def gated(x: Exchange) -> Row:
    x.doctor(Table.LEDGER, 0, gate_until_ms=x.time_ms + limits.DAY_MS)
    return x.row(address("bob"), c.Withdraw(0, address("nobody"), 1))


def isolated_margin(x: Exchange) -> Row:
    x.ok("bob", c.Isolate(PERP, 10_000 * USD))
    x.ok("bob", bought(100_100, 1, tif=IOC))
    return x.row(address("bob"), c.Isolate(PERP, -9_000 * USD))


def changes_too_many(x: Exchange) -> Row:
    far, number = x.height + 1_000, RISK_PARAMETERS.index("close_ppm")
    changes = [c.SetRisk(PERP, number, 1 + n, far + n) for n in range(limits.CHANGES_MAX)]
    x.ok("governance", *changes)
    return x.row(address("governance"), c.SetRisk(PERP, number, 1, far))


STOP = c.Trigger(PERP, 1, 0, 95_000, 1)
Case = tuple[Reject, str, Callable[[Exchange], Row]]
OF_CLEARING: tuple[Case, ...] = (
    (R.PRICE_TOO_FAR_FROM_INDEX, "an order far from the index", says("bob", bought(89_000, 1))),
    (R.OPEN_INTEREST_AT_CAP, "an order that could raise open interest above its cap",
     traded(10, bought(99_000, 1))),
    (R.OPEN_INTEREST_RISING_TOO_FAST, "an order that could raise open interest too fast",
     traded(10, bought(99_000, 1))),
    (R.POSITION_BEYOND_LAST_TIER, "an order for more than the last margin tier carries",
     says("bob", bought(99_000, 12))),
    (R.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE, "an order of an account below initial margin that "
     "does not reduce, or at a price worse than the zero price", pre_liquidation),
    (R.AUCTION_TAKES_RESTING_ORDERS_ALONE, "an immediate order in an auction or a batch market",
     says("bob", bought(100_100, 1, tif=IOC))),
    (R.MARKET_QUARANTINED, "an order in a quarantined market", quarantined),
    (R.INDEX_STALE_REDUCE_ONLY, "an order that does not reduce while the index is stale",
     later(31_000, bought(99_000, 1))),
    (R.INDEX_MISSING_MARKET_HALTED, "an order while the index has been stale for long",
     later(301_000, bought(99_000, 1))),
    (R.ACCOUNT_POST_ONLY, "an order that may take, of an account restricted to post-only",
     switched(MarketStatus.POST_ONLY, "bob")),
    (R.ACCOUNT_REDUCE_ONLY, "an order that may grow a position, of an account restricted to "
     "reduce-only", switched(MarketStatus.REDUCE_ONLY, "bob")),
    (R.ACCOUNT_HALTED, "an order of a halted account", switched(MarketStatus.HALTED, "bob")),
    (R.CHAIN_POST_ONLY, "an order that may take, while the venue is post-only",
     switched(MarketStatus.POST_ONLY)),
    (R.CHAIN_REDUCE_ONLY, "an order that may grow a position, while the venue is reduce-only",
     switched(MarketStatus.REDUCE_ONLY)),
    (R.CHAIN_HALTED, "an order while the venue is halted", switched(MarketStatus.HALTED)),
    (R.TRIGGER_NOT_FOUND, "cancelling a trigger that is gone, or another's",
     says("bob", c.CancelTrigger(99))),
    (R.TRIGGERS_TOO_MANY_CANCEL_SOME, "one trigger too many", triggers_too_many),
    (R.TRIGGER_PRICE_ALREADY_PASSED, "a stop on the wrong side of the price that it watches",
     says("bob", replace(STOP, trigger_ticks=105_000))),
    (R.TRIGGER_NEEDS_ITS_PARENT, "a child trigger without an accepted order before it",
     says("bob", replace(STOP, flags=int(TriggerFlag.CHILD_LAST)))),
    (R.TRIGGER_NEEDS_ITS_PAIR, "a paired trigger without an accepted trigger before it",
     says("bob", replace(STOP, flags=int(TriggerFlag.PAIR_LAST)))),
    (R.GROUP_MUST_EXIST, "an order or quote in a group that was never set",
     says("bob", bought(99_000, 1, group=7))),
    (R.GROUP_FROZEN_WAIT, "an order or quote in a group whose protection has fired", group_frozen),
    (R.GROUPS_TOO_MANY, "one group too many", groups_too_many),
    (R.PRICE_OUTSIDE_BAND, "an immediate order that would trade outside the price band",
     outside_band),
    (R.MARKET_HAS_NO_CLEARING, "isolated margin, bands or risk parameters where there is no "
     "clearing house", says("bob", c.Isolate(SPOT, 5))),
    (R.WITHDRAWALS_GATED_WAIT, "a withdrawal after an outage or while a loss is uncovered", gated),
    (R.POSITION_MUST_BE_FLAT_FIRST, "isolating a position that is open or has orders",
     traded(1, c.Isolate(PERP, 1_000 * USD), name="rich")),
    (R.ISOLATED_MARGIN_INSUFFICIENT, "taking margin out of an isolated position that needs it",
     isolated_margin),
    (R.VOTER_KEY_REQUIRED, "a price vote of a key that has no vote",
     says("bob", c.VotePrice(0, INDEX))),
    (R.FEED_MUST_EXIST, "an unknown price feed", says("vera", c.VotePrice(9, INDEX))),
    (R.PARAMETER_OUT_OF_RANGE, "an unknown parameter, or a value beyond its bounds",
     says("governance", c.SetGlobal(99, 1))),
    (R.CHANGE_NEEDS_NOTICE, "a change of risk parameters at once while positions are open",
     traded(1, c.SetRisk(PERP, RISK_PARAMETERS.index("close_ppm"), 500_000), name="governance")),
    (R.CHANGES_TOO_MANY_WAIT, "one announced change too many", changes_too_many),
    (R.MARK_FOLLOWS_ITS_FEED, "a mark set by the oracle's key where the market has a feed",
     says("oracle", c.SetMark(PERP, INDEX))),
)  # fmt: skip
