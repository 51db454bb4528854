"""Price votes, the index that follows from them, and what a market may do without one.

A voter's last vote on a feed counts while it is fresh. The index is a stake-weighted median, taken
twice: the second time without the votes that are too far from the first. Without a quorum of weight
the price stays and the feed is stale; the older it gets, the less its markets may do.
"""

from quorate.execution import risk_rules
from quorate.execution.spec.auctions import auction_begin
from quorate.execution.spec.clearing_rows import Feed, Voter
from quorate.execution.spec.context import Context
from quorate.execution.spec.rows import Market, Parameters
from quorate.execution.spec.series_state import series_ended
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import AuctionKind, FeedState, Guard, Mode, Phase, Switch
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import PPM, PRICE_TICKS_MAX, SPREAD_DOUBT, VOTERS_MAX
from quorate.types.records import Table

Votes = list[tuple[int, int]]  # (price, weight), by rising price


# --- voting --------------------------------------------------------------------------------------
def vote_price(c: Context, feed: int, price_ticks: int, external_ticks: int) -> Reject:
    """Take a voter's price of a feed, and of perpetuals elsewhere (0: none), as of block time."""
    voter = -1 if c.session else voter_of(c.t, c.signer)
    row: Voter = c.t.row(Table.VOTERS, voter)
    if voter < 0 or not row.weight:
        return Reject.VOTER_KEY_REQUIRED
    if not 0 <= feed < c.t.row(Table.LEDGER, 0).feeds_high:
        return Reject.FEED_MUST_EXIST
    if not 0 < price_ticks <= PRICE_TICKS_MAX or not 0 <= external_ticks <= PRICE_TICKS_MAX:
        return Reject.PRICE_MUST_BE_IN_RANGE
    row.votes_count += 1
    c.t.put(Table.VOTERS, voter, row)
    slot = feed * VOTERS_MAX + voter
    vote = c.t.row(Table.VOTES, slot)
    vote.price_ticks, vote.external_ticks, vote.time_ms = price_ticks, external_ticks, c.time_ms
    vote.votes_count += 1
    c.t.put(Table.VOTES, slot, vote)
    return Reject.OK


def voter_of(t: Tables, address: bytes) -> int:
    """Slot of the voter of that address, or -1."""
    for slot in range(t.row(Table.LEDGER, 0).voters_high):
        if t.row(Table.VOTERS, slot).address == address:
            return slot
    return -1


# --- the index -----------------------------------------------------------------------------------
def oracle_tick(c: Context) -> None:
    """Phase 1 of a tick: every feed's index from the votes, then every market's guard."""
    ledger = c.t.row(Table.LEDGER, 0)
    before_ms = [feed_tick(c, slot) for slot in range(ledger.feeds_high)]
    for slot in range(1, ledger.risk_high):
        guard_tick(c, slot, before_ms)


def feed_tick(c: Context, slot: int) -> int:
    """Renew one index; return the time of the one before, 0 without any."""
    parameters: Parameters = c.t.row(Table.PARAMETERS, 0)
    feed: Feed = c.t.row(Table.FEEDS, slot)
    if feed.price_ticks and not feed.time_ms:
        feed.time_ms = c.time_ms  # a price that it began with ages from its first tick on
    before_ms, before = feed.time_ms, (feed.state, feed.price_ticks, feed.external_ticks)
    weight_total = 0
    for at in range(c.t.row(Table.LEDGER, 0).voters_high):
        weight_total += c.t.row(Table.VOTERS, at).weight
    fresh = fresh_votes(c, slot, parameters.fresh_ms, False)
    present = within(fresh, parameters.outlier_ppm)
    weight_present = weight_of(present)
    feed.participation_ppm = weight_present * PPM // weight_total if weight_total else 0
    if reaches(weight_present, weight_total, parameters.quorum_ppm):
        feed.price_ticks = weighted_quantile(present, 1, 2)
        feed.time_ms, feed.state = c.time_ms, FeedState.FRESH
        apart = weighted_quantile(present, 3, 4) - weighted_quantile(present, 1, 4)
        feed.spread_ppm = min(-(-apart * PPM // feed.price_ticks), PPM)
    else:
        feed.state = FeedState.STALE if feed.time_ms else FeedState.NONE
    doubt_ppm = min(feed.spread_ppm * SPREAD_DOUBT, PPM)
    feed.confidence_ppm = feed.participation_ppm * (PPM - doubt_ppm) // PPM
    external = fresh_votes(c, slot, parameters.fresh_ms, True)
    quorum = reaches(weight_of(external), weight_total, parameters.quorum_ppm)
    feed.external_ticks = weighted_quantile(external, 1, 2) if quorum else 0
    feed.votes_count = len(fresh)
    c.t.put(Table.FEEDS, slot, feed)
    if fresh or (feed.state, feed.price_ticks, feed.external_ticks) != before:
        c.emit_words(
            EventKind.INDEXED,
            feed.price_ticks,
            feed.external_ticks,
            len(fresh),
            weight_of(fresh),
            weight_total,
            feed.spread_ppm,
            feed.confidence_ppm,
            len(fresh) - len(present),
            feed.state,
            weight_present,
            market=slot,
        )
    return before_ms


def fresh_votes(c: Context, feed: int, fresh_ms: int, external: bool) -> Votes:
    """Votes that count now, by price; of the prices elsewhere, those that were given."""
    found: Votes = []
    for voter in range(c.t.row(Table.LEDGER, 0).voters_high):
        weight = c.t.row(Table.VOTERS, voter).weight
        vote = c.t.row(Table.VOTES, feed * VOTERS_MAX + voter)
        price = vote.external_ticks if external else vote.price_ticks
        if weight and price and c.time_ms - vote.time_ms <= fresh_ms:
            found.append((price, weight))
    return sorted(found)


def weight_of(votes: Votes) -> int:
    """Sum of the weights."""
    return sum(weight for _, weight in votes)


def weighted_quantile(votes: Votes, part: int, parts: int) -> int:
    """Least price at which the cumulative weight reaches part / parts of all, rounded up."""
    total, reached = weight_of(votes), 0
    for price, weight in votes:
        reached += weight
        if reached * parts >= total * part:
            return price
    return 0


def within(votes: Votes, outlier_ppm: int) -> Votes:
    """The votes less those further from their median than that part of it."""
    median = weighted_quantile(votes, 1, 2)
    return [
        (price, weight)
        for price, weight in votes
        if abs(price - median) * PPM <= outlier_ppm * median
    ]


def reaches(weight: int, weight_total: int, quorum_ppm: int) -> bool:
    """Whether a weight, above zero, is that part of all."""
    return weight > 0 and weight * PPM >= quorum_ppm * weight_total


# --- guards --------------------------------------------------------------------------------------
def guard_tick(c: Context, slot: int, before_ms: list[int]) -> None:
    """Set one market's guard by its index's age.

    What was held back by reduce-only or more comes back through an auction, in which the old book
    can be withdrawn. How long follows from the age of the index before, or of the mark where there
    was none; an empty book before the first index needs no auction.
    """
    risk = c.t.row(Table.RISK, slot)
    if risk.mode == Mode.OFF or series_ended(c.t, slot):
        return
    feed: Feed = c.t.row(Table.FEEDS, risk.feed)
    guard = guard_of(feed, c.t.row(Table.PARAMETERS, 0), c.time_ms)
    before = risk.guard
    if guard == before:
        return
    risk.guard = guard
    c.t.put(Table.RISK, slot, risk)
    c.emit_words(EventKind.SWITCHED, guard, before, code=Switch.GUARD, market=slot)
    if guard or before < Guard.REDUCE_ONLY or risk.phase == Phase.QUARANTINE:
        return
    market: Market = c.t.row(Table.MARKETS, slot)
    then_ms = before_ms[risk.feed]
    if not then_ms and not market.orders_count:
        return
    wait_ms = risk_rules.gap_auction_ms(c.time_ms - (then_ms or market.mark_ms))
    if wait_ms:
        auction_begin(c, slot, AuctionKind.GAP, c.time_ms + wait_ms, feed.price_ticks)


def guard_of(feed: Feed, parameters: Parameters, time_ms: int) -> Guard:
    """What a market may do by the state and the age of its index."""
    if feed.state == FeedState.FRESH:
        return Guard.NONE
    age_ms = time_ms - feed.time_ms
    if not feed.time_ms or age_ms > parameters.halt_ms:
        return Guard.HALT
    return Guard.REDUCE_ONLY if age_ms > parameters.reduce_ms else Guard.NO_LIQUIDATION
