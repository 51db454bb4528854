"""Liquidation of option portfolios: the hedge that helps, and the slices of an auction.

FORMULAS 12. A hedge is a trade in the perpetual at its mark; it moves no equity, so that the only
question is by how much the requirement falls. What a hedge does not mend is sold in slices of the
whole risk: a part of every leg and of the cash, at a price between the marks and nothing.
"""

from typing import Any

from quorate.instruments.margin.rules import share_down, share_up
from quorate.types.limits import PPM

HEDGE_STEPS = 8  # parts of the whole hedge that are tried
# Solvent auction: 5 % to 30 % off within 15 minutes, then to 100 % within 12 hours.
FAST_MS = 15 * 60_000
SLOW_MS = 12 * 60 * 60_000
FAST_FROM_PPM = 50_000
FAST_TO_PPM = 300_000
BUFFER_PPM = 150_000
INSOLVENT_MS = 60 * 60_000


def hedge_candidate(delta_lots: int, step: int, steps: int) -> int:
    """Lots of the perpetual to trade for part `step` of `steps` of the hedge, towards zero.

    delta_lots: the account's delta in the underlying, in lots of the perpetual, signed. The trade
    is against it and never beyond it.
    """
    size = delta_lots
    if delta_lots < 0:
        size = -delta_lots
    part = size // steps * step + size % steps * step // steps
    return part if delta_lots < 0 else -part


def best_hedge(requirements: Any, steps: int) -> int:
    """Step of the least requirement; of equal ones the smallest, 0 being no hedge at all.

    requirements[k]: the requirement after step k of the hedge, for k in 0..steps.
    """
    best = 0
    for k in range(1, steps + 1):
        if requirements[k] < requirements[best]:
            best = k
    return best


def auction_discount_ppm(elapsed_ms: int) -> int:
    """Discount on the marks' value of a solvent auction, `elapsed_ms` after its start.

    5 % to 30 % in 15 minutes, to 100 % in 12 hours from there; linear, rounded down.
    """
    if elapsed_ms <= 0:
        return FAST_FROM_PPM
    if elapsed_ms < FAST_MS:
        return FAST_FROM_PPM + (FAST_TO_PPM - FAST_FROM_PPM) * elapsed_ms // FAST_MS
    slow_ms = elapsed_ms - FAST_MS
    if slow_ms >= SLOW_MS:
        return PPM
    return FAST_TO_PPM + (PPM - FAST_TO_PPM) * slow_ms // SLOW_MS


def buffer_margin(value_e6: int, requirement_e6: int) -> int:
    """Margin short of the buffer, negative where there is a shortage (FORMULAS 12).

    MM + 0.15 * (MM - MtM) in the source's signs: its MM is equity - requirement. value: equity at
    marks; requirement: maintenance. Rounded down, so that a slice is not too small.
    """
    margin_e6 = value_e6 - requirement_e6
    return margin_e6 - share_up(requirement_e6, BUFFER_PPM)


def slice_share_ppm(value_e6: int, requirement_e6: int, reserved_e6: int, discount_ppm: int) -> int:
    """Largest share of a solvent account's risk that one bidder may take, in ppm, rounded up.

    BM / (BM - d * MtM - (1 - d) * reserved), d = 1 - discount (FORMULAS 12): after it the buffer
    margin is met. reserved: cash that earlier bidders paid, which is not sold again. Within
    1..PPM; the whole where no share of it would do; 0 where the buffer is met.
    """
    buffer_e6 = buffer_margin(value_e6, requirement_e6)
    if buffer_e6 >= 0:
        return 0
    kept_ppm = PPM - discount_ppm
    paid_e6 = share_down(value_e6, kept_ppm) + share_down(reserved_e6, discount_ppm)
    whole_e6 = paid_e6 - buffer_e6
    if paid_e6 <= 0:
        return PPM
    # Both are below SCAN_WORTH_MAX_E6: brought to 2**40 so that the product keeps within int64.
    lack_e6 = -buffer_e6
    while whole_e6 >= 2**42:
        whole_e6 //= 2
        lack_e6 = (lack_e6 + 1) // 2
    share = (lack_e6 * PPM + whole_e6 - 1) // whole_e6
    return share if share < PPM else PPM


def slice_price(value_e6: int, reserved_e6: int, discount_ppm: int, share_ppm: int) -> int:
    """What a bidder pays for `share_ppm` of the risk at this discount, rounded up, in e6.

    share * (1 - discount) * (value - reserved): he takes that share of every leg and of the cash
    that is not reserved.
    """
    return share_up(share_up(value_e6 - reserved_e6, PPM - discount_ppm), share_ppm)


def insolvent_offer(value_e6: int, requirement_e6: int, elapsed_ms: int) -> int:
    """What the fund pays a bidder for all of an insolvent account's risk, in e6, rounded down.

    From -min(0, value) to what meets maintenance, requirement - value, in 60 minutes, linear.
    """
    least_e6 = 0
    if value_e6 < 0:
        least_e6 = -value_e6
    most_e6 = requirement_e6 - value_e6
    if most_e6 <= least_e6 or elapsed_ms <= 0:
        return least_e6
    if elapsed_ms >= INSOLVENT_MS:
        return most_e6
    return least_e6 + share_down(most_e6 - least_e6, elapsed_ms * PPM // INSOLVENT_MS)


def withdrawal_fee_ppm(debt_e6: int, deposits_e6: int) -> int:
    """Fee on withdrawals while the fund has a debt: debt / (debt + deposits), in ppm, rounded up.

    FORMULAS 12. Bound: both within SCAN_WORTH_MAX_E6.
    """
    if debt_e6 <= 0:
        return 0
    whole_e6 = debt_e6 + deposits_e6
    part_e6 = debt_e6
    while whole_e6 >= 2**42:
        whole_e6 //= 2
        part_e6 = (part_e6 + 1) // 2
    fee = (part_e6 * PPM + whole_e6 - 1) // whole_e6
    return fee if fee < PPM else PPM
