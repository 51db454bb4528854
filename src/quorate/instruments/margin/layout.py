"""Columns of the arrays that margin rules read, and the scenarios of the scan.

All arrays are int64. A *series* is a market: spot balance, perpetual, option or exotic; `row` is
its place in SERIES and in the table of worths. A *leg* is what one account has in one series. An
*expiry* is one of one underlying; each underlying has one more for what never expires, with a
discount and a markup of PPM and no basis. Index, forward and strike of an underlying are in the
ticks of its options.
"""

from typing import Final

import numpy as np

from quorate.types.limits import PPM

# Kinds of series.
SPOT: Final = 0
PERPETUAL: Final = 1
CALL: Final = 2
PUT: Final = 3
EXOTIC: Final = 4

# Columns of SERIES.
KIND: Final = 0
UNDERLYING: Final = 1
EXPIRY: Final = 2
STRIKE: Final = 3
QUANTUM_E6: Final = 4  # worth of one tick times one lot
MARK: Final = 5  # ticks
PAYOFF_MAX: Final = 6  # ticks; the highest price of the market
INITIAL_PPM: Final = 7  # of a perpetual's worth; of a spot balance, its haircut
MAINTENANCE_PPM: Final = 8
CONFIDENCE_PPM: Final = 9  # of the surface or feed behind the mark
VOL_E9: Final = 10  # of an option, from its surface
SERIES_FIELDS: Final = 11

# Columns of UNDERLYINGS.
INDEX: Final = 0  # ticks
GROUP: Final = 1  # correlation group
UNDERLYING_FIELDS: Final = 2

# Columns of EXPIRIES.
FORWARD: Final = 0  # ticks
TIME_MS: Final = 1  # to the settlement
VARIABLE_PPM: Final = 2  # share of the settlement that is not yet fixed
DISCOUNT_PPM: Final = 3  # of a value above zero, at most PPM
MARKUP_PPM: Final = 4  # of a value below zero, at least PPM
BASIS_PPM: Final = 5  # weight of the loss by a moved forward, at most PPM
# What a re-mark derives from the time, beside the three above.
ROOT_Q52: Final = 6  # square root of the time in years
LEAST_FP: Final = 7  # deviation of the least volatility after a rise
HORIZON_PPM: Final = 8  # (30 days / time) ** p
BASIS_SHOCK: Final = 9  # of the forward, in ppm
EXPIRY_FIELDS: Final = 10

# Columns of LEGS.
ROW: Final = 0
LOTS: Final = 1  # signed
LEG_FIELDS: Final = 2

# Columns of ORDERS: open orders of one series. Rows of one guard and underlying lie together.
ORDER_ROW: Final = 0
BIDS: Final = 1  # lots
ASKS: Final = 2
GUARD: Final = 3  # market-maker protection; 0: none
GUARD_LOTS: Final = 4  # lots after which it stops the rest
ORDER_FIELDS: Final = 5

# How a scenario moves volatility.
VOL_SAME: Final = 0
VOL_UP: Final = 1
VOL_DOWN: Final = 2
SKEW_UP: Final = 3  # by log-moneyness
SKEW_DOWN: Final = 4
WINGS_UP: Final = 5  # by its absolute value
WINGS_DOWN: Final = 6

# The scan (FORMULAS 12): shock in ppm and volatility; of tails the share of the loss that counts.
REGULAR: Final = (
    (-180_000, VOL_UP),
    *(
        (shock, vol)
        for shock in (-135_000, -90_000, -45_000, 0, 45_000, 90_000, 135_000)
        for vol in (VOL_UP, VOL_SAME, VOL_DOWN)
    ),
    (180_000, VOL_UP),
)
TAILS: Final = (
    (-660_000, 210_000),
    (-330_000, 420_000),
    (500_000, 277_000),
    (1_000_000, 139_000),
    (2_000_000, 69_000),
    (3_000_000, 46_000),
    (4_000_000, 35_000),
    (5_000_000, 28_000),
)
BASIS_SHOCK_PPM: Final = 45_000

SCAN: Final = len(REGULAR) + len(TAILS)  # columns that are summed over all expiries
# The last six columns come in pairs, of which each expiry counts the worse one.
PAIRS: Final = 3  # skew, wings, basis
COLUMNS: Final = SCAN + 2 * PAIRS
OUTCOMES: Final = SCAN + PAIRS
BASIS_PAIR: Final = PAIRS - 1

# Per column, basis apart: its shock is that of the expiry.
SHOCK_PPM: Final = np.array(
    [
        *(shock for shock, _ in REGULAR),
        *(shock for shock, _ in TAILS),
        *(0 for _ in range(2 * PAIRS)),
    ],
    dtype=np.int64,
)
VOL_MODE: Final = np.array(
    [
        *(mode for _, mode in REGULAR),
        *(VOL_UP for _ in TAILS),
        SKEW_UP,
        SKEW_DOWN,
        WINGS_UP,
        WINGS_DOWN,
        VOL_SAME,
        VOL_SAME,
    ],
    dtype=np.int64,
)
DAMPENING_PPM: Final = np.array(
    [
        *(PPM for _ in REGULAR),
        *(dampening for _, dampening in TAILS),
        *(PPM for _ in range(PAIRS)),
    ],
    dtype=np.int64,
)

# Columns of PARAMETERS, all in ppm (`parameters.py` has their values).
MOST_PPM: Final = 0  # of the index, for a short option at the money
LEAST_PPM: Final = 1
SHORT_PPM: Final = 2  # maintenance of a short option, of the index
SHORT_MARK_PPM: Final = 3  # of a short put, of its mark
PUT_OFFSET_PPM: Final = 4
UNPAIRED_INITIAL_PPM: Final = 5
UNPAIRED_MAINTENANCE_PPM: Final = 6
EXOTIC_LOSS_PPM: Final = 7  # maintenance of a short exotic, of its rise in the scan
EXOTIC_FLOOR_INITIAL_PPM: Final = 8
EXOTIC_FLOOR_MAINTENANCE_PPM: Final = 9
DOUBT_PPM: Final = 10  # below this confidence the rest of it is added
SCAN_INITIAL_PPM: Final = 11  # of the worst loss
SCAN_MAINTENANCE_PPM: Final = 12
PERPETUAL_INITIAL_PPM: Final = 13  # contingency, of the worth
PERPETUAL_MAINTENANCE_PPM: Final = 14
NAKED_PPM: Final = 15  # contingency of each short lot, of min(index, payoff_max)
PARAMETER_FIELDS: Final = 16

# What the results' array holds.
INITIAL_E6: Final = 0  # requirement against equity at marks
MAINTENANCE_E6: Final = 1
WORST_E6: Final = 2  # loss of the worst scenarios
MARKS_E6: Final = 3  # worth of all legs at their marks
SCENARIO: Final = 4  # the outcome that alone loses most; NO_SCENARIO, TOO_LARGE
RESULTS: Final = 5
NO_SCENARIO: Final = -1  # none loses
TOO_LARGE: Final = -2  # beyond SCAN_WORTH_MAX_E6: both requirements are UNMET_E6
UNMET_E6: Final = 2**62  # above any equity

for _frozen in (SHOCK_PPM, VOL_MODE, DAMPENING_PPM):
    _frozen.flags.writeable = False

assert len(REGULAR) == 23 and len(TAILS) == 8
assert len(SHOCK_PPM) == len(VOL_MODE) == COLUMNS and len(DAMPENING_PPM) == OUTCOMES
