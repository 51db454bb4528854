"""Values of the margin parameters: those of FORMULAS 11 and 12, and of 9 for comparison.

Floors of exotics have no published model: 5 % and 2.5 % of the index, or of the largest payoff
where that is less.
"""

from typing import Final

from quorate.instruments.margin import layout

# FORMULAS 11 (standard) and 12 (portfolio), by the columns of `layout`.
DERIVE: Final = (
    150_000,
    130_000,
    90_000,
    90_000,
    1_050_000,
    1_200_000,
    1_100_000,
    800_000,
    50_000,
    25_000,
    550_000,
    1_000_000,
    800_000,
    40_000,
    30_000,
    3_000,
)
# FORMULAS 9, linear: other coefficients of short options, the rest alike.
DERIBIT: Final = (150_000, 100_000, 75_000, 75_000, 1_000_000, *DERIVE[5:])

assert len(DERIVE) == len(DERIBIT) == layout.PARAMETER_FIELDS
