"""Price votes, indexes and guards; the same functions as `spec.oracle`.

`s.votes_sorted` holds the votes at hand, price and weight, by rising price.
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import QUARANTINE, auction_begin
from quorate.execution.kernels.rows import bytes_equal, emit_words
from quorate.execution.kernels.scalars import gap_auction_ms
from quorate.execution.kernels.series_state import series_ended
from quorate.types.clearing_codes import AuctionKind, FeedState, Guard, Switch
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import PPM, PRICE_TICKS_MAX, SPREAD_DOUBT, VOTERS_MAX
from quorate.types.records import Table

i8 = np.int64
OK, VOTER_KEY = int(Reject.OK), int(Reject.VOTER_KEY_REQUIRED)
FEED_MUST_EXIST = int(Reject.FEED_MUST_EXIST)
PRICE_RANGE = int(Reject.PRICE_MUST_BE_IN_RANGE)
INDEXED, SWITCHED = int(EventKind.INDEXED), int(EventKind.SWITCHED)
NONE, FRESH, STALE = int(FeedState.NONE), int(FeedState.FRESH), int(FeedState.STALE)
GUARD_NONE, NO_LIQUIDATION = int(Guard.NONE), int(Guard.NO_LIQUIDATION)
REDUCE_ONLY, HALT = int(Guard.REDUCE_ONLY), int(Guard.HALT)
SWITCH_GUARD, GAP = int(Switch.GUARD), int(AuctionKind.GAP)
T_FEEDS, T_VOTERS = int(Table.FEEDS), int(Table.VOTERS)


# --- voting --------------------------------------------------------------------------------------
@helper
def vote_price(s, signer, feed, price, external):
    """Take a voter's price of a feed, and of perpetuals elsewhere (0: none), as of block time."""
    s.now[0]["receipt_market"] = feed
    s.now[0]["receipt_price"] = price
    voter = voter_of(s, signer)
    if s.now[0]["session"] or voter < 0 or s.voters[voter]["weight"] == 0:
        return VOTER_KEY
    if feed < 0 or feed >= s.ledger[0]["feeds_high"]:
        return FEED_MUST_EXIST
    if price <= 0 or price > PRICE_TICKS_MAX or external < 0 or external > PRICE_TICKS_MAX:
        return PRICE_RANGE
    s.voters[voter]["votes_count"] += 1
    s.small_dirty[T_VOTERS] = 1
    slot = feed * VOTERS_MAX + voter
    vote = s.votes[slot]
    vote["price_ticks"] = price
    vote["external_ticks"] = external
    vote["time_ms"] = s.now[0]["time_ms"]
    vote["votes_count"] += 1
    s.votes_dirty[slot] = 1
    return OK


@helper
def voter_of(s, address):
    """Slot of the voter of that address, or -1."""
    for slot in range(s.ledger[0]["voters_high"]):
        if bytes_equal(s.voters[slot]["address"], address):
            return i8(slot)
    return i8(-1)


# --- the index -----------------------------------------------------------------------------------
@helper
def votes_sort(s, feed, external):
    """Sort the votes that count now into `votes_sorted`; return how many they are."""
    since_ms = s.now[0]["time_ms"] - s.parameters[0]["fresh_ms"]
    count = i8(0)
    for voter in range(s.ledger[0]["voters_high"]):
        vote = s.votes[feed * VOTERS_MAX + voter]
        weight = s.voters[voter]["weight"]
        price = vote["external_ticks"] if external else vote["price_ticks"]
        if weight == 0 or price == 0 or vote["time_ms"] < since_ms:
            continue
        at = count
        while at > 0 and s.votes_sorted[at - 1, 0] > price:
            s.votes_sorted[at, 0] = s.votes_sorted[at - 1, 0]
            s.votes_sorted[at, 1] = s.votes_sorted[at - 1, 1]
            at -= 1
        s.votes_sorted[at, 0] = price
        s.votes_sorted[at, 1] = weight
        count += 1
    return count


@helper
def weight_of(s, count):
    """Sum of the weights of the sorted votes."""
    total = i8(0)
    for at in range(count):
        total += s.votes_sorted[at, 1]
    return total


@helper
def weighted_quantile(s, count, part, parts):
    """Least price at which the cumulative weight reaches part / parts of all, rounded up."""
    wanted = weight_of(s, count) * part
    reached = i8(0)
    for at in range(count):
        reached += s.votes_sorted[at, 1]
        if reached * parts >= wanted:
            return s.votes_sorted[at, 0]
    return i8(0)


@helper
def votes_within(s, count, outlier_ppm):
    """Leave out the votes further from their median than that part of it; return what is left."""
    median = weighted_quantile(s, count, i8(1), i8(2))
    left = i8(0)
    for at in range(count):
        price = s.votes_sorted[at, 0]
        if abs(price - median) * PPM <= outlier_ppm * median:
            s.votes_sorted[left, 0] = price
            s.votes_sorted[left, 1] = s.votes_sorted[at, 1]
            left += 1
    return left


@helper
def reaches(weight, total, quorum_ppm):
    """Whether a weight, above zero, is that part of all."""
    return weight > 0 and weight * PPM >= quorum_ppm * total


@helper
def feed_index(s, slot, count, weight_total):
    """Set index, spread, participation and confidence from the sorted votes; see the spec."""
    feed = s.feeds[slot]
    present = weight_of(s, count)
    feed["participation_ppm"] = present * PPM // weight_total if weight_total else i8(0)
    if reaches(present, weight_total, s.parameters[0]["quorum_ppm"]):
        price = weighted_quantile(s, count, i8(1), i8(2))
        apart = weighted_quantile(s, count, i8(3), i8(4)) - weighted_quantile(
            s, count, i8(1), i8(4)
        )
        spread = (apart * PPM + price - 1) // price
        feed["price_ticks"] = price
        feed["time_ms"] = s.now[0]["time_ms"]
        feed["state"] = FRESH
        feed["spread_ppm"] = spread if spread < PPM else i8(PPM)
    else:
        feed["state"] = STALE if feed["time_ms"] else NONE
    doubt = feed["spread_ppm"] * SPREAD_DOUBT
    if doubt > PPM:
        doubt = i8(PPM)
    feed["confidence_ppm"] = feed["participation_ppm"] * (PPM - doubt) // PPM


@helper
def feed_tick(s, slot):
    """Renew one index, and note the time of the one before."""
    feed = s.feeds[slot]
    parameters = s.parameters[0]
    if feed["price_ticks"] and feed["time_ms"] == 0:
        feed["time_ms"] = s.now[0]["time_ms"]
    s.index_before_ms[slot] = feed["time_ms"]
    state, price, external = feed["state"], feed["price_ticks"], feed["external_ticks"]
    total = i8(0)
    for voter in range(s.ledger[0]["voters_high"]):
        total += s.voters[voter]["weight"]
    fresh = votes_sort(s, slot, False)
    weight_fresh = weight_of(s, fresh)
    count = votes_within(s, fresh, parameters["outlier_ppm"])
    weight_present = weight_of(s, count)
    feed_index(s, slot, count, total)
    externals = votes_sort(s, slot, True)
    feed["external_ticks"] = 0
    if reaches(weight_of(s, externals), total, parameters["quorum_ppm"]):
        feed["external_ticks"] = weighted_quantile(s, externals, i8(1), i8(2))
    feed["votes_count"] = fresh
    s.small_dirty[T_FEEDS] = 1
    same = feed["state"] == state and feed["price_ticks"] == price
    if fresh or not same or feed["external_ticks"] != external:
        zero = i8(0)
        emit_words(
            s, INDEXED, zero, zero, zero, i8(slot), zero, zero,
            feed["price_ticks"], feed["external_ticks"], fresh, weight_fresh, total,
            feed["spread_ppm"], feed["confidence_ppm"], fresh - count, feed["state"],
            weight_present, zero,
        )  # fmt: skip


# --- guards --------------------------------------------------------------------------------------
@helper
def guard_of(s, feed):
    """What a market may do by the state and the age of its index."""
    row = s.feeds[feed]
    if row["state"] == FRESH:
        return GUARD_NONE
    age_ms = s.now[0]["time_ms"] - row["time_ms"]
    if row["time_ms"] == 0 or age_ms > s.parameters[0]["halt_ms"]:
        return HALT
    return REDUCE_ONLY if age_ms > s.parameters[0]["reduce_ms"] else NO_LIQUIDATION


@helper
def guard_tick(s, market):
    """Set one market's guard by its index's age; see the spec."""
    risk = s.risk[market]
    if risk["mode"] == 0 or series_ended(s, market):
        return
    feed = risk["feed"]
    guard = i8(guard_of(s, feed))
    before = risk["guard"]
    if guard == before:
        return
    risk["guard"] = guard
    s.risk_dirty[market] = 1
    zero = i8(0)
    emit_words(
        s, SWITCHED, zero, i8(SWITCH_GUARD), zero, i8(market), zero, zero,
        guard, before, zero, zero, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
    if guard != GUARD_NONE or before < REDUCE_ONLY or risk["phase"] == QUARANTINE:
        return
    now_ms = s.now[0]["time_ms"]
    then_ms = s.index_before_ms[feed]
    if then_ms == 0:
        if s.markets[market]["orders_count"] == 0:
            return
        then_ms = s.markets[market]["mark_ms"]
    wait_ms = i8(gap_auction_ms(now_ms - then_ms))
    if wait_ms:
        auction_begin(s, i8(market), i8(GAP), now_ms + wait_ms, s.feeds[feed]["price_ticks"])
