"""The surface of one underlying, from votes and quotes to marks: the passes over its expiries.

`surface_into` renews all smiles, nearest expiry first, since each must lie above the one before.
`marks_into` prices a list of series from them. Arrays of int64 in and out, the same source for
plain Python and machine code.
"""

from quorate.instruments.pricing.black76 import price_ticks, root_deviation_fp
from quorate.instruments.pricing.fixed import root_years_q52
from quorate.instruments.surface.arbitrage import BLENDS, Ints, repaired_into
from quorate.instruments.surface.fit import fitted_into
from quorate.instruments.surface.smile import (
    ALPHA,
    FIT_TIME_MS,
    LEFT,
    MIDDLE,
    RIGHT,
    SMILE_FIELDS,
    UNIT_VOL_E9,
    WIDTH,
    vol_e9_at,
)
from quorate.instruments.surface.votes import pillars_into, pulled_into

SURFACE_ROOMS = 12  # rows of PILLARS that a renewal works in
EXPIRIES_MAX = 64
SERIES_STRIKE, SERIES_CALL, SERIES_EXPIRY = 0, 1, 2  # columns of a series
SERIES_FIELDS = 3


def nothing_into(smile: Ints) -> None:
    """Write that there is no smile."""
    for at in range(SMILE_FIELDS):
        smile[at] = 0


def expiry_into(
    votes: Ints,
    weights: Ints,
    weight_total: int,
    quorum_ppm: int,
    outlier_ppm: int,
    quotes: Ints,
    depth_e6: int,
    time_ms: int,
    near: Ints,
    smile: Ints,
    room: Ints,
) -> int:
    """Renew one smile; return its confidence in ppm, 0 where there is none.

    A repair lowers the confidence by its length: what was moved far is not what was voted.
    """
    pillars = room[8]
    nothing_into(smile)
    confidence_ppm = pillars_into(
        votes, weights, weight_total, quorum_ppm, outlier_ppm, pillars
    )
    if confidence_ppm <= 0:
        return 0
    pulled_into(quotes, depth_e6, pillars, room)
    if fitted_into(pillars, time_ms, near, smile, room) < 0:
        nothing_into(smile)
        return 0
    moved = repaired_into(near, smile, room[9:12])
    if moved < 0:
        nothing_into(smile)
        return 0
    return confidence_ppm * (2 * BLENDS - moved) // (2 * BLENDS)


def surface_into(
    votes: Ints,
    weights: Ints,
    weight_total: int,
    quorum_ppm: int,
    outlier_ppm: int,
    quotes: Ints,
    quote_ends: Ints,
    depth_e6: int,
    times_ms: Ints,
    smiles: Ints,
    confidence_ppm: Ints,
    room: Ints,
) -> None:
    """Renew the smiles of all expiries of one underlying.

    votes: expiry, voter, pillar. quotes: those of all expiries, in their order; quote_ends: where
    each one's end. times_ms rise, each within what pricing admits. smiles: a row for each expiry
    and one more, the last, which stays zero. room: SURFACE_ROOMS rows of PILLARS.
    """
    count = len(times_ms)
    nothing_into(smiles[count])
    before = count
    start = 0
    for at in range(count):
        end = int(quote_ends[at])
        confidence_ppm[at] = expiry_into(
            votes[at],
            weights,
            weight_total,
            quorum_ppm,
            outlier_ppm,
            quotes[start:end],
            depth_e6,
            int(times_ms[at]),
            smiles[before],
            smiles[at],
            room,
        )
        start = end
        if int(smiles[at, UNIT_VOL_E9]) > 0:
            before = at


def marks_into(
    series: Ints,
    forwards: Ints,
    left_ms: Ints,
    smiles: Ints,
    roots_q52: Ints,
    vols_e9: Ints,
    marks: Ints,
) -> None:
    """Write the volatility and the mark of each series, 0 where its expiry has no smile.

    series: rows of strike, call and expiry. forwards, left_ms: of each expiry; the time left.
    A mark is the price in ticks, rounded down, and at least one tick: nothing trades below it.
    roots_q52: as many as expiries, to work in.
    """
    for at in range(len(left_ms)):
        roots_q52[at] = root_years_q52(int(left_ms[at]))
    for row in range(len(series)):
        at = int(series[row, SERIES_EXPIRY])
        vols_e9[row] = 0
        marks[row] = 0
        if int(smiles[at, UNIT_VOL_E9]) == 0:
            continue
        strike = int(series[row, SERIES_STRIKE])
        forward = int(forwards[at])
        vol_e9 = vol_e9_at(
            int(smiles[at, UNIT_VOL_E9]),
            int(smiles[at, ALPHA]),
            int(smiles[at, LEFT]),
            int(smiles[at, RIGHT]),
            int(smiles[at, MIDDLE]),
            int(smiles[at, WIDTH]),
            forward,
            strike,
            int(smiles[at, FIT_TIME_MS]),
        )
        deviation = root_deviation_fp(vol_e9, int(roots_q52[at]))
        call = int(series[row, SERIES_CALL]) != 0
        mark = price_ticks(forward, strike, deviation, call, False)
        vols_e9[row] = vol_e9
        marks[row] = mark if mark > 0 else 1
