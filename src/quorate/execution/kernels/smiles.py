"""Votes on smiles, smiles and forwards; the same functions as `spec.smiles`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.oracle import voter_of
from quorate.execution.kernels.rows import emit_words
from quorate.execution.kernels.smile_fits import NEAR, OWN, pillars_voted, smile_fitted
from quorate.instruments.surface.arbitrage import BLENDS
from quorate.instruments.surface.fit import PILLAR_AT_MONEY, PILLARS_MIN
from quorate.instruments.surface.scalars import (
    vol_e9_at,
    vote_quantile,
    weight_within,
)
from quorate.instruments.surface.smile import SMILE_VOL_MAX_E9, SMILE_VOL_MIN_E9, UNIT_VOL_E9
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
from quorate.types.options import SMILE
from quorate.types.options_codes import ExpiryState
from quorate.types.records import Table

i8 = np.int64
HALF = 2**31
FORWARD = SMILE_PILLARS
COLUMNS = len(SMILE)
OK, VOTER_KEY = int(Reject.OK), int(Reject.VOTER_KEY_REQUIRED)
NOT_LIVE, PRICE_RANGE = int(Reject.SERIES_NOT_LIVE), int(Reject.PRICE_MUST_BE_IN_RANGE)
VOL_RANGE = int(Reject.VOLATILITY_MUST_BE_IN_RANGE)
OPEN, SMILED, T_EXPIRIES = int(ExpiryState.OPEN), int(EventKind.SMILED), int(Table.EXPIRIES)


# --- voting --------------------------------------------------------------------------------------
@helper
def vote_smile(s, signer, command):
    """Take a voter's forward and volatilities of an expiry as of block time."""
    now = s.now[0]
    slot = i8(command["market"])
    forward = command["price"]
    now["receipt_market"] = slot
    now["receipt_price"] = forward
    voter = voter_of(s, signer)
    if now["session"] or voter < 0 or s.voters[voter]["weight"] == 0:
        return VOTER_KEY
    if slot >= s.ledger[0]["expiries_high"] or s.expiries[slot]["state"] != OPEN:
        return NOT_LIVE
    if not forward_sound(forward, s.feeds[s.expiries[slot]["feed"]]["price_ticks"]):
        return PRICE_RANGE
    vols = s.smile_pillars
    last = command["cloid_lo"]
    if (
        last // HALF != 0
        or not pair_sound(vols, i8(0), command["size"])
        or not pair_sound(vols, i8(2), command["expiry_ms"])
        or not pair_sound(vols, i8(4), command["order_id"])
        or not pair_sound(vols, i8(6), command["cloid_hi"])
        or not vol_sound(last * SMILE_VOL_UNIT_E9)
    ):
        return VOL_RANGE
    vols[8] = last * SMILE_VOL_UNIT_E9
    at = slot * VOTERS_MAX + voter
    vote = s.smile_votes[at]
    vote["time_ms"] = now["time_ms"]
    vote["forward_ticks"] = forward
    pillars_put(vote, vols)
    s.smile_votes_dirty[at] = 1
    return OK


@helper
def forward_sound(forward, index):
    """Whether a forward is a price, and near enough to the index where one is."""
    if forward <= 0 or forward > PRICE_TICKS_MAX:
        return False
    if index == 0:
        return True
    return forward <= index * SMILE_DISTANCE_MAX and index <= forward * SMILE_DISTANCE_MAX


@helper
def vol_sound(vol):
    """Whether a volatility is one that pricing admits."""
    return SMILE_VOL_MIN_E9 <= vol and vol <= SMILE_VOL_MAX_E9


@helper
def pair_sound(vols, at, word):
    """Write the two volatilities of a word; whether both are admitted."""
    vols[at] = word % HALF * SMILE_VOL_UNIT_E9
    vols[at + 1] = word // HALF * SMILE_VOL_UNIT_E9
    return vol_sound(vols[at]) and vol_sound(vols[at + 1])


@helper
def pillars_put(row, vols):
    """Write volatilities into the pillars of a vote or an expiry."""
    row["vol_0_e9"] = vols[0]
    row["vol_1_e9"] = vols[1]
    row["vol_2_e9"] = vols[2]
    row["vol_3_e9"] = vols[3]
    row["vol_4_e9"] = vols[4]
    row["vol_5_e9"] = vols[5]
    row["vol_6_e9"] = vols[6]
    row["vol_7_e9"] = vols[7]
    row["vol_8_e9"] = vols[8]


@helper
def pillars_read(row, vols):
    """Read the pillars of a vote or an expiry."""
    vols[0] = row["vol_0_e9"]
    vols[1] = row["vol_1_e9"]
    vols[2] = row["vol_2_e9"]
    vols[3] = row["vol_3_e9"]
    vols[4] = row["vol_4_e9"]
    vols[5] = row["vol_5_e9"]
    vols[6] = row["vol_6_e9"]
    vols[7] = row["vol_7_e9"]
    vols[8] = row["vol_8_e9"]


@helper
def pillars_differ(row, vols):
    """Whether the pillars of an expiry are others."""
    return (
        row["vol_0_e9"] != vols[0]
        or row["vol_1_e9"] != vols[1]
        or row["vol_2_e9"] != vols[2]
        or row["vol_3_e9"] != vols[3]
        or row["vol_4_e9"] != vols[4]
        or row["vol_5_e9"] != vols[5]
        or row["vol_6_e9"] != vols[6]
        or row["vol_7_e9"] != vols[7]
        or row["vol_8_e9"] != vols[8]
    )


# --- the tick ------------------------------------------------------------------------------------
@helper
def smiles_tick(s):
    """Renew every open expiry's smile, by feed and by rising expiry."""
    feed = i8(-1)
    expiry_ms = i8(0)
    slot = i8(-1)
    renewed = False
    near_clear(s)
    while True:
        slot = following(s, feed, expiry_ms, slot)
        if slot < 0:
            return
        row = s.expiries[slot]
        if row["feed"] != feed:
            near_clear(s)
            renewed = False
        feed = row["feed"]
        expiry_ms = row["expiry_ms"]
        if smile_tick(s, slot, renewed):
            renewed = True
        if row["smile_unit_e9"]:
            smile_read(s, slot)


@helper
def following(s, feed, expiry_ms, last):
    """The open expiry behind one by feed, time and row, or -1."""
    found = i8(-1)
    for slot in range(s.ledger[0]["expiries_high"]):
        row = s.expiries[slot]
        if row["state"] != OPEN or row["expiry_ms"] <= 0:
            continue
        if row["feed"] < feed or (row["feed"] == feed and row["expiry_ms"] < expiry_ms):
            continue
        if row["feed"] == feed and row["expiry_ms"] == expiry_ms and slot <= last:
            continue
        if found >= 0:
            best = s.expiries[found]
            if row["feed"] > best["feed"]:
                continue
            if row["feed"] == best["feed"] and row["expiry_ms"] >= best["expiry_ms"]:
                continue
        found = i8(slot)
    return found


@helper
def near_clear(s):
    """Note that no smile lies before."""
    for k in range(COLUMNS):
        s.smile_rows[NEAR, k] = 0


@helper
def smile_read(s, slot):
    """Note an expiry's smile as the one before."""
    row = s.expiries[slot]
    near = s.smile_rows[NEAR]
    near[0] = row["smile_unit_e9"]
    near[1] = row["smile_alpha"]
    near[2] = row["smile_left"]
    near[3] = row["smile_right"]
    near[4] = row["smile_middle"]
    near[5] = row["smile_width"]
    near[6] = row["smile_time_ms"]


@helper
def smile_tick(s, slot, renewed):
    """Renew one expiry's smile and forward; whether the smile was fitted anew. See the spec."""
    row = s.expiries[slot]
    index = s.feeds[row["feed"]]["price_ticks"]
    forward, spread = row["forward_ticks"], row["spread_ppm"]
    count, participation = row["votes_count"], row["participation_ppm"]
    confidence_before, smile_ms = row["confidence_ppm"], row["smile_ms"]
    voted_before = row["votes_ppm"]
    total = votes_fresh(s, slot)
    high = s.ledger[0]["voters_high"]
    votes = s.smile_fresh[:high]
    weights = s.smile_weights[:high]
    forward_tick(s, slot, index, votes, weights, total)
    pillars = s.smile_pillars
    for k in range(SMILE_PILLARS):
        pillars[k] = 0
    voted = i8(0)
    if total:
        voted = i8(pillars_voted(s, total))
    known = i8(0)
    for k in range(SMILE_PILLARS):
        if pillars[k] > 0:
            known += 1
    quorate = pillars[PILLAR_AT_MONEY] > 0 and known >= PILLARS_MIN
    changed = quorate and pillars_differ(row, pillars)
    fitted = False
    if changed or (renewed and row["smile_unit_e9"] != 0):
        if not quorate:
            pillars_read(row, pillars)
        fitted = smile_fit(s, slot)
    if quorate and (fitted or not changed):
        row["smile_ms"] = s.now[0]["time_ms"]
        row["votes_ppm"] = voted
    row["confidence_ppm"] = confidence(s, slot)
    if (
        fitted
        or forward != row["forward_ticks"]
        or spread != row["spread_ppm"]
        or count != row["votes_count"]
        or participation != row["participation_ppm"]
        or confidence_before != row["confidence_ppm"]
        or smile_ms != row["smile_ms"]
        or voted_before != row["votes_ppm"]
    ):
        s.small_dirty[T_EXPIRIES] = 1
        smiled(s, slot, index)
    return fitted


@helper
def votes_fresh(s, slot):
    """Write the votes that count now and their weights; return the weight of all voters.

    How many voted, and their part of the weight, go into the expiry's row.
    """
    row = s.expiries[slot]
    since_ms = s.now[0]["time_ms"] - s.parameters[0]["fresh_ms"]
    total = i8(0)
    present = i8(0)
    count = i8(0)
    for voter in range(s.ledger[0]["voters_high"]):
        weight = s.voters[voter]["weight"]
        total += weight
        s.smile_weights[voter] = 0
        for k in range(SMILE_PILLARS + 1):
            s.smile_fresh[voter, k] = 0
        vote = s.smile_votes[slot * VOTERS_MAX + voter]
        if weight == 0 or vote["forward_ticks"] == 0 or vote["time_ms"] < since_ms:
            continue
        s.smile_weights[voter] = weight
        pillars_read(vote, s.smile_fresh[voter])
        s.smile_fresh[voter, FORWARD] = vote["forward_ticks"]
        present += weight
        count += 1
    row["votes_count"] = count
    row["participation_ppm"] = present * PPM // total if total else i8(0)
    return total


@helper
def forward_tick(s, slot, index, votes, weights, total):
    """Set the forward: the median of the votes, taken twice, or the index."""
    row = s.expiries[slot]
    row["forward_ticks"] = index
    row["spread_ppm"] = PPM
    most = i8(PRICE_TICKS_MAX)
    one = i8(1)
    first = i8(vote_quantile(votes, weights, FORWARD, one, most, 1, 2))
    if first == 0:
        return
    outlier = s.parameters[0]["outlier_ppm"]
    reach = first // PPM * outlier + first % PPM * outlier // PPM
    low = max(first - reach, one)
    high = min(first + reach, most)
    weight = i8(weight_within(votes, weights, FORWARD, low, high))
    if weight == 0 or weight * PPM < total * s.parameters[0]["quorum_ppm"]:
        return
    forward = i8(vote_quantile(votes, weights, FORWARD, low, high, 1, 2))
    apart = i8(vote_quantile(votes, weights, FORWARD, low, high, 3, 4))
    apart -= i8(vote_quantile(votes, weights, FORWARD, low, high, 1, 4))
    row["forward_ticks"] = forward
    row["spread_ppm"] = min((apart * PPM + forward - 1) // forward, i8(PPM))


@helper
def smile_fit(s, slot):
    """Fit a smile to `smile_pillars` and repair it; see the spec."""
    row = s.expiries[slot]
    time_ms = max(row["expiry_ms"] - s.now[0]["time_ms"], i8(SMILE_TIME_MS_MIN))
    own = s.smile_rows[OWN]
    for k in range(COLUMNS):
        own[k] = 0
    moved = i8(smile_fitted(s, time_ms))
    if moved < 0 or own[UNIT_VOL_E9] == 0:
        return False
    row["smile_unit_e9"] = own[0]
    row["smile_alpha"] = own[1]
    row["smile_left"] = own[2]
    row["smile_right"] = own[3]
    row["smile_middle"] = own[4]
    row["smile_width"] = own[5]
    row["smile_time_ms"] = own[6]
    pillars_put(row, s.smile_pillars)
    row["smile_moved"] = moved
    return True


@helper
def confidence(s, slot):
    """Confidence of the votes, less what the repair moved, less by age."""
    row = s.expiries[slot]
    if row["smile_unit_e9"] == 0:
        return i8(0)
    halt_ms = s.parameters[0]["halt_ms"]
    whole = row["votes_ppm"] * (2 * BLENDS - row["smile_moved"]) // (2 * BLENDS)
    age_ms = s.now[0]["time_ms"] - row["smile_ms"]
    return whole * max(halt_ms - age_ms, i8(0)) // halt_ms


@helper
def smiled(s, slot, index):
    """Say what an expiry's smile is now."""
    row = s.expiries[slot]
    zero = i8(0)
    emit_words(
        s, SMILED, zero, zero, zero, slot, zero, zero,
        row["forward_ticks"], index, row["confidence_ppm"], row["votes_count"], row["state"],
        row["vol_0_e9"], row["vol_4_e9"], row["vol_8_e9"], row["spread_ppm"],
        row["participation_ppm"], zero,
    )  # fmt: skip


@helper
def vol_of(s, slot, forward, strike):
    """Volatility of a strike by an expiry's smile, in 1e-9."""
    row = s.expiries[slot]
    return i8(
        vol_e9_at(
            row["smile_unit_e9"],
            row["smile_alpha"],
            row["smile_left"],
            row["smile_right"],
            row["smile_middle"],
            row["smile_width"],
            forward,
            strike,
            row["smile_time_ms"],
        )
    )
