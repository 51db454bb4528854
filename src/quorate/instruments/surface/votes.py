"""From votes and quotes to the volatilities of one expiry's pillars, and how far they are believed.

As for prices (execution/spec/oracle): a stake-weighted median of each pillar, taken twice, the
second time without the votes too far from the first; no pillar without a quorum of the weight; and
a confidence, participation times (1 - doubt), in which the distance of the quartiles is the doubt.

The book then pulls: quotes on both sides at volatilities close to each other draw the pillars
beside them towards their middle. However deep, the book has at most a third of the say and moves a
pillar by at most PULL_MAX_PPM of itself, and a quote weighs by what can be traded against it, up to
a depth; so a thin book moves little, and no book moves much.
"""

from quorate.instruments.surface.arbitrage import Ints
from quorate.instruments.surface.fit import PILLAR_AT_MONEY, PILLAR_Z, PILLARS, within
from quorate.instruments.surface.smile import SMILE_VOL_MAX_E9, SMILE_VOL_MIN_E9, UNIT, ratio
from quorate.types.limits import PPM, SPREAD_DOUBT

CORE = 2  # pillars to either side of the money whose votes' distance is doubt
TIGHT_PPM = 100_000  # of its middle: from this distance of bid and ask on a quote says nothing
PULL_MAX_PPM = 20_000
VOTES_WEIGHT_PPM = 2 * PPM  # beside which the book weighs at most PPM
QUOTES_MAX = 512  # of one expiry

# A quote is one row of int64: these columns. The worth is of the smaller side.
QUOTE_PLACE, QUOTE_BID_E9, QUOTE_ASK_E9, QUOTE_WORTH_E6 = 0, 1, 2, 3
QUOTE_FIELDS = 4


# --- votes ----------------------------------------------------------------------------------------
def weight_within(votes: Ints, weights: Ints, pillar: int, low: int, high: int) -> int:
    """Return the weight of the votes on a pillar in [low, high]."""
    total = 0
    for voter in range(len(weights)):
        if low <= int(votes[voter, pillar]) <= high:
            total += int(weights[voter])
    return total


def vote_quantile(
    votes: Ints, weights: Ints, pillar: int, low: int, high: int, part: int, parts: int
) -> int:
    """Return the least vote in [low, high] at which part / parts of their weight is reached, or 0.

    Bounds: 0 < low; VOTERS_MAX voters; parts <= 4.
    """
    total = weight_within(votes, weights, pillar, low, high)
    found = 0
    for voter in range(len(weights)):
        vote = int(votes[voter, pillar])
        if not low <= vote <= high or int(weights[voter]) == 0:
            continue
        if found != 0 and vote >= found:
            continue
        if weight_within(votes, weights, pillar, low, vote) * parts >= total * part:
            found = vote
    return found


def pillars_into(
    votes: Ints,
    weights: Ints,
    weight_total: int,
    quorum_ppm: int,
    outlier_ppm: int,
    pillars: Ints,
) -> int:
    """Write the voted volatility of each pillar, 0 for none; return the confidence in ppm.

    A vote of 0, or one outside what pricing admits, is none. votes: a row a voter; weight_total:
    also of those who did not vote.
    """
    spread_ppm = 0
    participation_ppm = 0
    for pillar in range(PILLARS):
        pillars[pillar] = 0
        middle = vote_quantile(
            votes, weights, pillar, SMILE_VOL_MIN_E9, SMILE_VOL_MAX_E9, 1, 2
        )
        if middle == 0:
            continue
        reach = middle // PPM * outlier_ppm + middle % PPM * outlier_ppm // PPM
        low = within(SMILE_VOL_MIN_E9, middle - reach, SMILE_VOL_MAX_E9)
        high = within(SMILE_VOL_MIN_E9, middle + reach, SMILE_VOL_MAX_E9)
        weight = weight_within(votes, weights, pillar, low, high)
        if weight == 0 or weight * PPM < weight_total * quorum_ppm:
            continue
        found = vote_quantile(votes, weights, pillar, low, high, 1, 2)
        pillars[pillar] = found
        if pillar == PILLAR_AT_MONEY:
            participation_ppm = weight * PPM // weight_total
        if abs(pillar - PILLAR_AT_MONEY) <= CORE:
            apart = vote_quantile(votes, weights, pillar, low, high, 3, 4)
            apart -= vote_quantile(votes, weights, pillar, low, high, 1, 4)
            apart_ppm = -(-apart * PPM // found)
            if apart_ppm > spread_ppm:
                spread_ppm = apart_ppm
    doubt_ppm = within(0, spread_ppm * SPREAD_DOUBT, PPM)
    return participation_ppm * (PPM - doubt_ppm) // PPM


# --- the book -------------------------------------------------------------------------------------
def pillar_below(z: int) -> int:
    """Return the last pillar at or below z that has one above it; -1 outside of the pillars."""
    if z < int(PILLAR_Z[0]) or z > int(PILLAR_Z[PILLARS - 1]):
        return -1
    found = 0
    for at in range(1, PILLARS - 1):
        if int(PILLAR_Z[at]) <= z:
            found = at
    return found


def quote_weight_ppm(bid_e9: int, ask_e9: int, worth_e6: int, depth_e6: int) -> int:
    """Return the weight of a quote: its worth up to the depth, less the wider it is."""
    if bid_e9 < SMILE_VOL_MIN_E9 or ask_e9 < bid_e9 or ask_e9 > SMILE_VOL_MAX_E9:
        return 0
    width_ppm = 2 * (ask_e9 - bid_e9) * PPM // (ask_e9 + bid_e9)
    if width_ppm >= TIGHT_PPM or worth_e6 <= 0:
        return 0
    worth = worth_e6 if worth_e6 < depth_e6 else depth_e6
    deep_ppm = ratio(worth // 2**6, depth_e6 // 2**6) * PPM // UNIT
    return deep_ppm * (TIGHT_PPM - width_ppm) // TIGHT_PPM


def pulled_into(quotes: Ints, depth_e6: int, pillars: Ints, room: Ints) -> None:
    """Draw each voted pillar towards the quotes beside it.

    quotes: at most QUOTES_MAX rows; the place z, in 1 / UNIT, is of the quote's own middle.
    depth_e6: at least 64, at most POSITION_NOTIONAL_MAX_E6. room: two rows of PILLARS.
    """
    for at in range(PILLARS):
        room[0, at] = 0
        room[1, at] = 0
    for row in range(len(quotes)):
        bid_e9, ask_e9 = int(quotes[row, QUOTE_BID_E9]), int(quotes[row, QUOTE_ASK_E9])
        weight = quote_weight_ppm(bid_e9, ask_e9, int(quotes[row, QUOTE_WORTH_E6]), depth_e6)
        z = int(quotes[row, QUOTE_PLACE])
        below = pillar_below(z)
        if weight == 0 or below < 0:
            continue
        vol0, vol1 = int(pillars[below]), int(pillars[below + 1])
        if vol0 == 0 or vol1 == 0:
            continue
        length = int(PILLAR_Z[below + 1]) - int(PILLAR_Z[below])
        share_ppm = (z - int(PILLAR_Z[below])) * PPM // length
        voted = vol0 + (vol1 - vol0) * share_ppm // PPM
        away = (bid_e9 + ask_e9) // 2 - voted
        for side in range(2):
            part = weight * (share_ppm if side == 1 else PPM - share_ppm) // PPM
            room[0, below + side] = int(room[0, below + side]) + part
            room[1, below + side] = int(room[1, below + side]) + part * away
    for at in range(PILLARS):
        weight = int(room[0, at])
        if weight == 0:
            continue
        vol = int(pillars[at])
        say = weight if weight < PPM else PPM
        pull = int(room[1, at]) // weight * say // (say + VOTES_WEIGHT_PPM)
        most = vol * PULL_MAX_PPM // PPM
        pillars[at] = within(
            SMILE_VOL_MIN_E9, vol + within(-most, pull, most), SMILE_VOL_MAX_E9
        )
