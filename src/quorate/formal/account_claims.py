"""The identities of an account: tiers, what raises a margin, standing, insurance.

Sections are those of FORMULAS; the other half stands in `risk_claims`.
"""

from typing import Final

from quorate.execution.risk_rules import (
    close_out,
    confidence_addon,
    health,
    insurance_delta,
    oi_scaled_initial,
    ratio_kept,
)
from quorate.execution.rules import maintenance, ppm_ceil, tier_deduction
from quorate.formal.claims import Claim
from quorate.formal.hints import assume, shown
from quorate.formal.risk_bounds import CASH
from quorate.formal.rule_bounds import EQUITY, OPEN, RATE, SHARE, WORTH, WORTHS
from quorate.types.limits import (
    ADDON_MAX_PPM,
    CASH_MAX_E6,
    POSITION_NOTIONAL_MAX_E6,
    PPM,
    RATE_MAX_PPM,
)


# --- margin (FORMULAS 1, 4, 11) ------------------------------------------------------------------
def maintenance_is_monotone(small_e6: int, large_e6: int, rate_ppm: int, deduction_e6: int) -> bool:
    """Within a tier a larger position never needs less."""
    assume(small_e6 <= large_e6)
    less = maintenance(small_e6, rate_ppm, deduction_e6)
    return less <= maintenance(large_e6, rate_ppm, deduction_e6)


def tiers_are_continuous(
    small_e6: int, lower_e6: int, large_e6: int, deduction_e6: int, rate_ppm: int, rate_after: int
) -> bool:
    """At the end of a tier the next asks for as much, up to one unit; across it, never for less."""
    assume(small_e6 <= lower_e6 and lower_e6 <= large_e6 and rate_ppm <= rate_after)
    deduction_after = tier_deduction(deduction_e6, lower_e6, rate_after, rate_ppm)
    end = maintenance(lower_e6, rate_ppm, deduction_e6)
    start = maintenance(lower_e6, rate_after, deduction_after)
    across = maintenance(large_e6, rate_after, deduction_after)
    step = rate_after - rate_ppm
    shown(lower_e6 * rate_after == lower_e6 * rate_ppm + lower_e6 * step)
    shown((deduction_after - deduction_e6) * PPM <= lower_e6 * step)
    shown((deduction_after - deduction_e6 + 1) * PPM > lower_e6 * step)
    shown((end + deduction_e6) * PPM >= lower_e6 * rate_ppm)
    shown((end + deduction_e6 - 1) * PPM < lower_e6 * rate_ppm)
    shown((start + deduction_after) * PPM >= lower_e6 * rate_after)
    shown((start + deduction_after - 1) * PPM < lower_e6 * rate_after)
    shown(start <= across)
    shown(maintenance(small_e6, rate_ppm, deduction_e6) <= end)
    continuous = end <= start and start <= end + 1
    return continuous and maintenance(small_e6, rate_ppm, deduction_e6) <= across


def maintenance_is_subadditive(a_e6: int, b_e6: int, rate_ppm: int) -> bool:
    """Two parts of a position need at least the whole's maintenance, and at most one unit more."""
    whole = ppm_ceil(a_e6 + b_e6, rate_ppm)
    parts = ppm_ceil(a_e6, rate_ppm) + ppm_ceil(b_e6, rate_ppm)
    return whole <= parts and parts <= whole + 1


def ppm_ceil_is_the_least(amount: int, rate_ppm: int) -> bool:
    """ppm_ceil is the least integer not below amount * rate / 1e6."""
    found = ppm_ceil(amount, rate_ppm)
    return found * PPM >= amount * rate_ppm and (found - 1) * PPM < amount * rate_ppm


def open_interest_raises_margin(
    initial_e6: int, value_e6: int, oi_e6: int, more_e6: int, lower_e6: int, upper_e6: int
) -> bool:
    """More open interest never lowers an initial margin."""
    assume(oi_e6 <= more_e6 and lower_e6 < upper_e6)
    less = oi_scaled_initial(initial_e6, value_e6, oi_e6, lower_e6, upper_e6)
    return less <= oi_scaled_initial(initial_e6, value_e6, more_e6, lower_e6, upper_e6)


def doubt_raises_margin(initial_e6: int, sure_ppm: int, doubtful_ppm: int, most_ppm: int) -> bool:
    """Less confidence never lowers the add-on."""
    assume(doubtful_ppm <= sure_ppm)
    less = confidence_addon(initial_e6, sure_ppm, most_ppm)
    shown((PPM - sure_ppm) * most_ppm <= (PPM - doubtful_ppm) * most_ppm)
    shown(
        initial_e6 * ((PPM - sure_ppm) * most_ppm)
        <= initial_e6 * ((PPM - doubtful_ppm) * most_ppm)
    )
    return less <= confidence_addon(initial_e6, doubtful_ppm, most_ppm)


# --- standing and insurance (FORMULAS 4, 5) ------------------------------------------------------
def health_is_ordered(
    less_e6: int, equity_e6: int, initial_e6: int, maintenance_e6: int, close_ppm: int
) -> bool:
    """More equity never worsens a standing; each requirement met, none below zero is passed by."""
    assume(less_e6 <= equity_e6 and maintenance_e6 <= initial_e6)
    floor = close_out(maintenance_e6, close_ppm)
    worse = health(less_e6, initial_e6, maintenance_e6, floor)
    better = health(equity_e6, initial_e6, maintenance_e6, floor)
    named = (better == 4) == (equity_e6 < 0)
    safe = (better <= 1) == (equity_e6 >= maintenance_e6 and equity_e6 >= 0)
    return better <= worse and named and safe


def insurance_leaves_the_bankruptcy_price(fill_e6: int, bankruptcy_e6: int, fee_ppm: int) -> bool:
    """After the fund has taken or paid, the account has at least what the zero price gave it.

    Exactly that where the fund pays: no account leaves a liquidation with more at its expense.
    """
    delta = insurance_delta(fill_e6, bankruptcy_e6, fee_ppm)
    left = fill_e6 - delta
    return left >= bankruptcy_e6 and (delta >= 0 or left == bankruptcy_e6)


def ratio_kept_is_transitive(a: int, ra: int, b: int, rb: int, c: int, rc: int) -> bool:
    """What does not fall in two steps does not fall in both."""
    assume(ra > 0 and rb > 0 and rc > 0)
    assume(ratio_kept(b, rb, a, ra) and ratio_kept(c, rc, b, rb))
    shown(a * rb * rc <= b * ra * rc)
    shown(b * rc * ra <= c * rb * ra)
    shown((c * ra - a * rc) * rb >= 0)
    return ratio_kept(c, rc, a, ra)


CLAIMS: Final = [
    Claim(
        maintenance_is_monotone,
        {"small_e6": WORTH, "large_e6": WORTH, "rate_ppm": RATE, "deduction_e6": WORTH},
    ),
    Claim(
        tiers_are_continuous,
        {
            **dict.fromkeys(("small_e6", "lower_e6", "large_e6", "deduction_e6"), WORTH),
            "rate_ppm": RATE,
            "rate_after": RATE,
        },
    ),
    Claim(maintenance_is_subadditive, {"a_e6": WORTH, "b_e6": WORTH, "rate_ppm": RATE}),
    Claim(ppm_ceil_is_the_least, {"amount": (0, CASH_MAX_E6), "rate_ppm": (-PPM, PPM)}),
    Claim(
        open_interest_raises_margin,
        {
            "initial_e6": (0, 2 * POSITION_NOTIONAL_MAX_E6),
            "value_e6": WORTH,
            **dict.fromkeys(("oi_e6", "more_e6", "lower_e6", "upper_e6"), OPEN),
        },
    ),
    Claim(
        doubt_raises_margin,
        {
            "initial_e6": (0, 2 * POSITION_NOTIONAL_MAX_E6),
            "sure_ppm": SHARE,
            "doubtful_ppm": SHARE,
            "most_ppm": (0, ADDON_MAX_PPM),
        },
    ),
    Claim(
        health_is_ordered,
        {
            "less_e6": EQUITY,
            "equity_e6": EQUITY,
            "initial_e6": WORTHS,
            "maintenance_e6": WORTHS,
            "close_ppm": SHARE,
        },
    ),
    Claim(
        insurance_leaves_the_bankruptcy_price,
        {"fill_e6": CASH, "bankruptcy_e6": CASH, "fee_ppm": (0, RATE_MAX_PPM)},
    ),
    Claim(
        ratio_kept_is_transitive,
        {
            **dict.fromkeys(("a", "b", "c"), EQUITY),
            **dict.fromkeys(("ra", "rb", "rc"), WORTHS),
        },
    ),
]
