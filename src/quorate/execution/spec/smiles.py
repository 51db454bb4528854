"""Votes on smiles, and the smile and the forward of every expiry that follow from them.

A voter's last vote on an expiry counts while it is fresh, as on a price. Forward and volatilities
are stake-weighted medians, each pillar for itself. The pillars are kept as voted; when those of one
expiry change, the smiles of that expiry and of all later ones of the feed are fitted anew, nearest
first, because each must lie above the one before (instruments/surface). A smile's volatilities
stand while time passes. Without a quorum smile and pillars stay, confidence falls with their age
to nothing at `halt_ms`, and the forward is the index.
"""

from typing import Any

import numpy as np

from quorate.execution.spec.clearing_rows import Feed
from quorate.execution.spec.context import Context
from quorate.execution.spec.options_rows import Expiry, SmileVote
from quorate.execution.spec.oracle import voter_of
from quorate.execution.spec.rows import Parameters
from quorate.execution.spec.tables import Tables
from quorate.instruments.surface.arbitrage import BLENDS, repaired_into
from quorate.instruments.surface.fit import PILLAR_AT_MONEY, PILLARS_MIN, fitted_into
from quorate.instruments.surface.smile import (
    SMILE_VOL_MAX_E9,
    SMILE_VOL_MIN_E9,
    UNIT_VOL_E9,
    vol_e9_at,
)
from quorate.instruments.surface.steps import SURFACE_ROOMS
from quorate.instruments.surface.votes import pillars_into, vote_quantile, weight_within
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import (
    PPM,
    PRICE_TICKS_MAX,
    SMILE_DISTANCE_MAX,
    SMILE_PILLARS,
    SMILE_TIME_MS_MIN,
    SMILE_VOL_UNIT_E9,
    VOTERS_MAX,
)
from quorate.types.options import PILLARS, SMILE
from quorate.types.options_codes import ExpiryState
from quorate.types.records import Table

HALF = 2**31  # two volatilities share a word of a vote
FORWARD = SMILE_PILLARS  # column of the forward beside the pillars


# --- voting --------------------------------------------------------------------------------------
def vote_smile(c: Context, slot: int, forward: int, words: tuple[int, ...]) -> Reject:
    """Take a voter's forward and volatilities of an expiry as of block time."""
    voter = -1 if c.session else voter_of(c.t, c.signer)
    if voter < 0 or not c.t.row(Table.VOTERS, voter).weight:
        return Reject.VOTER_KEY_REQUIRED
    row: Expiry = c.t.row(Table.EXPIRIES, slot)
    if slot >= c.t.row(Table.LEDGER, 0).expiries_high or row.state != ExpiryState.OPEN:
        return Reject.SERIES_NOT_LIVE
    index = c.t.row(Table.FEEDS, row.feed).price_ticks
    if not forward_sound(forward, index):
        return Reject.PRICE_MUST_BE_IN_RANGE
    vols = [half * SMILE_VOL_UNIT_E9 for word in words for half in (word % HALF, word // HALF)]
    if any(vols[SMILE_PILLARS:]) or not all(
        SMILE_VOL_MIN_E9 <= vol <= SMILE_VOL_MAX_E9 for vol in vols[:SMILE_PILLARS]
    ):
        return Reject.VOLATILITY_MUST_BE_IN_RANGE
    vote = SmileVote(c.time_ms, forward, *vols[:SMILE_PILLARS])
    c.t.put(Table.SMILE_VOTES, slot * VOTERS_MAX + voter, vote)
    return Reject.OK


def forward_sound(forward: int, index: int) -> bool:
    """Whether a forward is a price, and within SMILE_DISTANCE_MAX times the index where one is."""
    if not 0 < forward <= PRICE_TICKS_MAX:
        return False
    if not index:
        return True
    return forward <= index * SMILE_DISTANCE_MAX and index <= forward * SMILE_DISTANCE_MAX


# --- the tick ------------------------------------------------------------------------------------
def smiles_tick(c: Context) -> None:
    """Renew every open expiry's smile, by feed and by rising expiry."""
    feed, near, renewed = -1, np.zeros(len(SMILE), np.int64), False
    for slot in in_order(c.t):
        row: Expiry = c.t.row(Table.EXPIRIES, slot)
        if row.feed != feed:
            feed, near, renewed = row.feed, np.zeros(len(SMILE), np.int64), False
        renewed = smile_tick(c, slot, near, renewed) or renewed
        row = c.t.row(Table.EXPIRIES, slot)
        if row.smile_unit_e9:
            near = smile_of(row)


def in_order(t: Tables) -> list[int]:
    """Rows of the open expiries by feed and time; that of perpetual series has no smile."""
    high = t.row(Table.LEDGER, 0).expiries_high
    rows = [(t.row(Table.EXPIRIES, slot), slot) for slot in range(high)]
    found = [(row.feed, row.expiry_ms, slot) for row, slot in rows if is_open(row)]
    return [slot for _, _, slot in sorted(found)]


def is_open(row: Expiry) -> bool:
    """Whether an expiry is voted on: not fixed, and a time."""
    return row.state == ExpiryState.OPEN and row.expiry_ms > 0


def smile_of(row: Expiry) -> Any:
    """The fitted smile, a row of the surface."""
    return np.array([getattr(row, name) for name in SMILE], np.int64)


def smile_tick(c: Context, slot: int, near: Any, renewed: bool) -> bool:
    """Renew one expiry's smile and forward; whether the smile was fitted anew.

    near: the smile of the expiry before, zeros without one; renewed: whether it, or one before it,
    was fitted anew in this tick.
    """
    row: Expiry = c.t.row(Table.EXPIRIES, slot)
    before = c.t.row(Table.EXPIRIES, slot)
    feed: Feed = c.t.row(Table.FEEDS, row.feed)
    parameters: Parameters = c.t.row(Table.PARAMETERS, 0)
    votes, weights, total = fresh_votes(c, slot)
    present = int(weights.sum())
    row.votes_count = int(np.count_nonzero(weights))
    row.participation_ppm = present * PPM // total if total else 0
    forward_tick(row, feed, parameters, votes, weights, total)
    pillars = np.zeros(SMILE_PILLARS, np.int64)
    voted_ppm = 0
    if total:
        quorum, outlier = parameters.quorum_ppm, parameters.outlier_ppm
        voted_ppm = int(pillars_into(votes, weights, total, quorum, outlier, pillars))
    known = [int(vol) for vol in pillars]
    quorate = known[PILLAR_AT_MONEY] > 0 and sum(vol > 0 for vol in known) >= PILLARS_MIN
    kept = [getattr(row, name) for name in PILLARS]
    changed = quorate and known != kept
    wanted = known if quorate else kept
    fitted = False
    if changed or (renewed and row.smile_unit_e9):
        fitted = smile_fit(c, row, wanted, near)
    if quorate and (fitted or not changed):
        row.smile_ms, row.votes_ppm = c.time_ms, voted_ppm
    row.confidence_ppm = confidence(row, c.time_ms, parameters.halt_ms)
    if fitted or row != before:
        c.t.put(Table.EXPIRIES, slot, row)
        smiled(c, slot, feed.price_ticks)
    return fitted


def fresh_votes(c: Context, slot: int) -> tuple[Any, Any, int]:
    """Votes that count now, a row a voter, with their weights (0: none), and the weight of all."""
    fresh_ms = c.t.row(Table.PARAMETERS, 0).fresh_ms
    voters = c.t.row(Table.LEDGER, 0).voters_high
    votes = np.zeros((voters, SMILE_PILLARS + 1), np.int64)
    weights, total = np.zeros(voters, np.int64), 0
    for voter in range(voters):
        weight = c.t.row(Table.VOTERS, voter).weight
        total += weight
        vote = c.t.row(Table.SMILE_VOTES, slot * VOTERS_MAX + voter)
        if weight and vote.forward_ticks and c.time_ms - vote.time_ms <= fresh_ms:
            weights[voter] = weight
            votes[voter, :FORWARD] = [getattr(vote, name) for name in PILLARS]
            votes[voter, FORWARD] = vote.forward_ticks
    return votes, weights, total


def forward_tick(
    row: Expiry, feed: Feed, parameters: Parameters, votes: Any, weights: Any, total: int
) -> None:
    """Set the forward: the median of the votes, taken twice as that of prices, or the index."""
    row.forward_ticks, row.spread_ppm = feed.price_ticks, PPM
    first = int(vote_quantile(votes, weights, FORWARD, 1, PRICE_TICKS_MAX, 1, 2))
    if not first:
        return
    reach = first // PPM * parameters.outlier_ppm + first % PPM * parameters.outlier_ppm // PPM
    low, high = max(first - reach, 1), min(first + reach, PRICE_TICKS_MAX)
    weight = int(weight_within(votes, weights, FORWARD, low, high))
    if not weight or weight * PPM < total * parameters.quorum_ppm:
        return
    row.forward_ticks = int(vote_quantile(votes, weights, FORWARD, low, high, 1, 2))
    apart = int(vote_quantile(votes, weights, FORWARD, low, high, 3, 4))
    apart -= int(vote_quantile(votes, weights, FORWARD, low, high, 1, 4))
    row.spread_ppm = min(-(-apart * PPM // row.forward_ticks), PPM)


def smile_fit(c: Context, row: Expiry, wanted: list[int], near: Any) -> bool:
    """Fit a smile to pillars and repair it; what admits no smile leaves everything as it was."""
    time_ms = max(row.expiry_ms - c.time_ms, SMILE_TIME_MS_MIN)
    smile = np.zeros(len(SMILE), np.int64)
    room = np.zeros((SURFACE_ROOMS, SMILE_PILLARS), np.int64)
    if fitted_into(np.array(wanted, np.int64), time_ms, near, smile, room) < 0:
        return False
    moved = int(repaired_into(near, smile, room[9:12]))
    if moved < 0 or not smile[UNIT_VOL_E9]:
        return False
    for name, value in zip(SMILE, smile, strict=True):
        setattr(row, name, int(value))
    for name, vol in zip(PILLARS, wanted, strict=True):
        setattr(row, name, vol)
    row.smile_moved = moved
    return True


def confidence(row: Expiry, time_ms: int, halt_ms: int) -> int:
    """Confidence of the votes, less what the repair moved, less by age."""
    if not row.smile_unit_e9:
        return 0
    whole = row.votes_ppm * (2 * BLENDS - row.smile_moved) // (2 * BLENDS)
    return whole * max(halt_ms - (time_ms - row.smile_ms), 0) // halt_ms


def smiled(c: Context, slot: int, index: int) -> None:
    """Say what an expiry's smile is now."""
    row: Expiry = c.t.row(Table.EXPIRIES, slot)
    c.emit_words(
        EventKind.SMILED,
        row.forward_ticks,
        index,
        row.confidence_ppm,
        row.votes_count,
        row.state,
        row.vol_0_e9,
        row.vol_4_e9,
        row.vol_8_e9,
        row.spread_ppm,
        row.participation_ppm,
        market=slot,
    )


def vol_of(row: Expiry, forward: int, strike: int) -> int:
    """Volatility of a strike by an expiry's smile, in 1e-9."""
    return int(
        vol_e9_at(
            row.smile_unit_e9,
            row.smile_alpha,
            row.smile_left,
            row.smile_right,
            row.smile_middle,
            row.smile_width,
            forward,
            strike,
            row.smile_time_ms,
        )
    )
