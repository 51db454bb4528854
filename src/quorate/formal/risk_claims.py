"""The identities of the risk engine: zero price, funding, tiers, standing, insurance.

Sections are those of FORMULAS. Each holds for the integers that the rules compute, with the
rounding that they name; `exact_zero_price` is the formula itself, with nothing rounded.
"""

from typing import Final

from quorate.execution.entry_rules import loss_room, narrowed_price
from quorate.execution.risk_rules import (
    fillable_price,
    funding_payment,
    power_of_two,
    premium_e9,
    zero_price,
)
from quorate.execution.rules import notional, ppm_ceil
from quorate.execution.wide import mul_div_floor
from quorate.formal.claims import Claim
from quorate.formal.hints import assume, shown
from quorate.formal.risk_bounds import CASH, POSITION, SHIFTS
from quorate.formal.rule_bounds import (
    EQUITY,
    PRICE_SET,
    RATE,
    SIDE,
    SIGN,
    WORTHS,
)
from quorate.types.limits import (
    E9,
    FUNDING_INDEX_MAX,
    FUNDING_SHIFT_MAX,
    LIQUIDATION_SPREAD_MAX_PPM,
    PERPETUAL_LOTS_MAX,
    POSITION_NOTIONAL_MAX_E6,
    PPM,
    PRICE_TICKS_MAX,
    QUOTIENT_MAX,
    RATE_MAX_PPM,
)


# --- zero price (FORMULAS 4, 5) ------------------------------------------------------------------
def zero_price_keeps_ratio(
    side_sign: int,
    mark: int,
    lots: int,
    quantum_e6: int,
    equity_e6: int,
    requirement_e6: int,
    freed_e6: int,
    price_max: int,
    fill: int,
) -> bool:
    """A fill at the zero price or better never lowers equity over requirement."""
    assume(mark * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    assume(freed_e6 <= requirement_e6)
    assume(mark <= price_max)
    zero = zero_price(
        side_sign, mark, lots, quantum_e6, equity_e6, requirement_e6, freed_e6, price_max
    )
    assume(side_sign * (fill - zero) >= 0)
    lot_e6 = lots * quantum_e6
    after = equity_e6 + side_sign * (fill - mark) * lot_e6
    share = equity_e6 * freed_e6 // requirement_e6
    shown(share * requirement_e6 <= equity_e6 * freed_e6)
    shown(0 <= share)
    shown(side_sign * (mark - zero) <= share // lot_e6)
    shown(side_sign * (mark - fill) <= share // lot_e6)
    shown(side_sign * (mark - fill) * lot_e6 <= share // lot_e6 * lot_e6)
    shown(share // lot_e6 * lot_e6 <= share)
    shown(after >= equity_e6 - share)
    shown((after - equity_e6 + share) * requirement_e6 >= 0)
    return equity_e6 * (requirement_e6 - freed_e6) <= after * requirement_e6


def zero_price_ends_at_zero(
    side_sign: int, mark: int, lots: int, quantum_e6: int, equity_e6: int, requirement_e6: int
) -> bool:
    """Closing all at the zero price leaves nothing but the rounding to a tick: less than one."""
    assume(mark * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    zero = zero_price(
        side_sign,
        mark,
        lots,
        quantum_e6,
        equity_e6,
        requirement_e6,
        requirement_e6,
        PRICE_TICKS_MAX,
    )
    assume(1 < zero and zero < PRICE_TICKS_MAX)
    lot_e6 = lots * quantum_e6
    after = equity_e6 + side_sign * (zero - mark) * lot_e6
    shown(equity_e6 * requirement_e6 // requirement_e6 == equity_e6)
    shown(side_sign * (mark - zero) == equity_e6 // lot_e6)
    return 0 <= after and after < lot_e6


def exact_zero_price(
    equity: int, requirement: int, freed: int, worth: int, sign: int, gap: int, paid: int
) -> bool:
    """With nothing rounded a fill at z keeps the ratio exactly, and z closes the whole at zero.

    z is the number for which (mark - z) * sign * worth * requirement = equity * freed, where worth
    is that of one tick of the lots closed; `gap` is mark - z.
    """
    assume(paid == sign * gap * worth)
    assume(paid * requirement == equity * freed)
    after = equity - paid
    kept = after * requirement == equity * (requirement - freed)
    return kept and (freed != requirement or after == 0)


def better_than_zero_price(
    equity: int, requirement: int, freed: int, worth: int, sign: int, gap: int, paid: int
) -> bool:
    """With nothing rounded a fill that improves on z ends above the ratio."""
    assume(paid == sign * gap * worth)
    assume(paid * requirement < equity * freed)
    after = equity - paid
    return after * requirement > equity * (requirement - freed)


def narrowed_price_holds(
    side: int,
    mark: int,
    lots: int,
    quantum_e6: int,
    room_e6: int,
    fee_ppm: int,
    step: int,
    price_max: int,
) -> bool:
    """At the narrowed price a trade costs at most its room, the fee included."""
    assume(mark * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    assume(price_max * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    assume(step <= price_max)
    price = narrowed_price(side, mark, lots, quantum_e6, room_e6, fee_ppm, step, price_max)
    assume(price > 0)
    worth = notional(mark, lots, quantum_e6)
    paid = notional(price, lots, quantum_e6)
    loss = paid - worth if side == 0 else worth - paid
    lot_e6 = lots * quantum_e6
    if side == 0:
        most = (worth + room_e6 - 1) * PPM // (PPM + fee_ppm)
        shown(most // lot_e6 * lot_e6 <= most)
        shown(price <= most // lot_e6)
        shown(price * lot_e6 <= most // lot_e6 * lot_e6)
        shown(paid <= most)
        shown(paid * (PPM + fee_ppm) <= (worth + room_e6 - 1) * PPM)
    else:
        least = -(-((worth - room_e6 + 1) * PPM) // (PPM - fee_ppm))
        up = (least + lot_e6 - 1) // lot_e6
        shown(up * lot_e6 >= least)
        shown(price >= up)
        shown(price * lot_e6 >= up * lot_e6)
        shown(paid >= least)
        shown(paid * (PPM - fee_ppm) >= (worth - room_e6 + 1) * PPM)
    return loss + ppm_ceil(paid, fee_ppm) <= room_e6


def loss_room_keeps_ratio(
    equity_e6: int,
    initial_e6: int,
    maintenance_e6: int,
    initial_after_e6: int,
    maintenance_after_e6: int,
    cost_e6: int,
) -> bool:
    """A cost within the room keeps what the standing asks for.

    Equity covers the initial margin after, or equity over initial margin has not fallen; and the
    same of maintenance.
    """
    assume(maintenance_e6 <= initial_e6 and maintenance_after_e6 <= initial_after_e6)
    assume(initial_after_e6 <= initial_e6 and maintenance_after_e6 <= maintenance_e6)
    assume(equity_e6 >= 0 and maintenance_e6 > 0)
    room = loss_room(equity_e6, initial_e6, maintenance_e6, initial_after_e6, maintenance_after_e6)
    assume(cost_e6 <= room)
    after = equity_e6 - cost_e6
    initial_share = equity_e6 * (initial_e6 - initial_after_e6) // initial_e6
    maintenance_share = equity_e6 * (maintenance_e6 - maintenance_after_e6) // maintenance_e6
    shown(initial_share * initial_e6 <= equity_e6 * (initial_e6 - initial_after_e6))
    shown(maintenance_share * maintenance_e6 <= equity_e6 * (maintenance_e6 - maintenance_after_e6))
    shown(after >= initial_after_e6 or cost_e6 <= initial_share)
    shown(after >= maintenance_after_e6 or cost_e6 <= maintenance_share)
    shown(cost_e6 > initial_share or (initial_share - cost_e6) * initial_e6 >= 0)
    shown(cost_e6 > maintenance_share or (maintenance_share - cost_e6) * maintenance_e6 >= 0)
    initial_holds = after * initial_e6 >= equity_e6 * initial_after_e6
    maintenance_holds = after * maintenance_e6 >= equity_e6 * maintenance_after_e6
    return (after >= initial_after_e6 or initial_holds) and (
        after >= maintenance_after_e6 or maintenance_holds
    )


def fillable_is_worse_with_less(
    mark: int, less_e6: int, equity_e6: int, requirement_e6: int, rate_ppm: int, spread_ppm: int
) -> bool:
    """The less equity, the further a liquidation of a long may go down, of a short up."""
    assume(less_e6 <= equity_e6 and equity_e6 < requirement_e6)
    low = fillable_price(1, mark, less_e6, requirement_e6, rate_ppm, PPM, spread_ppm, mark * 2)
    high = fillable_price(1, mark, equity_e6, requirement_e6, rate_ppm, PPM, spread_ppm, mark * 2)
    near = min(mul_div_floor(requirement_e6 - equity_e6, PPM * 1_000, requirement_e6), E9)
    near_less = min(mul_div_floor(requirement_e6 - less_e6, PPM * 1_000, requirement_e6), E9)
    rate_e9 = rate_ppm * spread_ppm // 1_000
    shown(near <= near_less)
    shown(rate_e9 * near <= rate_e9 * near_less)
    shown(mark * (rate_e9 * near) <= mark * (rate_e9 * near_less))
    return low <= high


# --- funding (FORMULAS 3) ------------------------------------------------------------------------
def funding_owes_its_share(size: int, now: int, then: int, shift: int) -> bool:
    """One payment is the exact share, rounded up by less than one unit against the payer."""
    move = now - then
    unit = power_of_two(shift)
    assume(abs(size * move) <= (QUOTIENT_MAX - 1) * unit)
    over = funding_payment(size, now, then, shift) * unit - size * move
    return 0 <= over and over < unit


def funding_of_four_sums_to_residue(
    a: int, b: int, c: int, d: int, now: int, then: int, shift: int
) -> bool:
    """Four positions whose lots sum to nothing pay in all at least 0 and less than 4 units."""
    assume(a + b + c + d == 0)
    unit = power_of_two(shift)
    most = (QUOTIENT_MAX - 1) * unit
    move = now - then
    assume(max(abs(a * move), abs(b * move)) <= most and max(abs(c * move), abs(d * move)) <= most)
    total = (
        funding_payment(a, now, then, shift)
        + funding_payment(b, now, then, shift)
        + funding_payment(c, now, then, shift)
        + funding_payment(d, now, then, shift)
    )
    owed_a = funding_payment(a, now, then, shift) * unit - a * move
    owed_b = funding_payment(b, now, then, shift) * unit - b * move
    owed_c = funding_payment(c, now, then, shift) * unit - c * move
    owed_d = funding_payment(d, now, then, shift) * unit - d * move
    shown(0 <= owed_a and owed_a < unit)
    shown(0 <= owed_b and owed_b < unit)
    shown(0 <= owed_c and owed_c < unit)
    shown(0 <= owed_d and owed_d < unit)
    shown(a * move + b * move + c * move + d * move == 0)
    return 0 <= total and total < 4


def funding_residue_step(
    pool: int, exact: int, count: int, size: int, now: int, then: int, shift: int
) -> bool:
    """Induction: a further payment keeps 0 <= pool * unit - exact <= count * (unit - 1).

    `exact` is the sum of lots * index over all payments so far, which is zero once everybody has
    paid, longs and shorts being alike. Then 0 <= pool < count: `funding_residue_end`.
    """
    unit = power_of_two(shift)
    move = now - then
    assume(abs(size * move) <= (QUOTIENT_MAX - 1) * unit)
    assume(0 <= pool * unit - exact and pool * unit - exact <= count * (unit - 1))
    paid = funding_payment(size, now, then, shift)
    over = (pool + paid) * unit - (exact + size * move)
    return 0 <= over and over <= (count + 1) * (unit - 1)


def funding_residue_end(pool: int, count: int, shift: int) -> bool:
    """When everybody has paid, the pool holds the residue: at least 0, less than the count."""
    unit = power_of_two(shift)
    assume(0 <= pool * unit and pool * unit <= count * (unit - 1))
    return 0 <= pool and pool < count


def premium_is_odd(above: int, oracle: int) -> bool:
    """A premium above the oracle and the same below are alike but for the sign."""
    assume(above < oracle)
    return premium_e9(oracle + above, 0, oracle) == -premium_e9(0, oracle - above, oracle)


ANY: Final = (-(2**62), 2**62)
ZERO: Final = {**POSITION, "requirement_e6": (1, WORTHS[1])}
INDEXES: Final = {
    "now": (-FUNDING_INDEX_MAX, FUNDING_INDEX_MAX),
    "then": (-FUNDING_INDEX_MAX, FUNDING_INDEX_MAX),
}
LOTS_SIGNED: Final = (-PERPETUAL_LOTS_MAX, PERPETUAL_LOTS_MAX)
EXACT: Final = {
    **dict.fromkeys(("equity", "gap", "paid"), ANY),
    **dict.fromkeys(("requirement", "freed", "worth"), (1, 2**62)),
}
CLAIMS: Final = [
    Claim(
        zero_price_keeps_ratio,
        {
            **ZERO,
            "equity_e6": (0, EQUITY[1]),
            "freed_e6": WORTHS,
            "price_max": PRICE_SET,
            "fill": PRICE_SET,
        },
        {"side_sign": SIGN},
    ),
    Claim(zero_price_ends_at_zero, {**ZERO, "equity_e6": EQUITY}, {"side_sign": SIGN}),
    Claim(exact_zero_price, EXACT, {"sign": SIGN}, owed=False),
    Claim(better_than_zero_price, EXACT, {"sign": SIGN}, owed=False),
    Claim(
        narrowed_price_holds,
        {
            **POSITION,
            "room_e6": (-POSITION_NOTIONAL_MAX_E6, POSITION_NOTIONAL_MAX_E6),
            "fee_ppm": (0, RATE_MAX_PPM),
            "step": PRICE_SET,
            "price_max": PRICE_SET,
        },
        {"side": SIDE},
    ),
    Claim(
        loss_room_keeps_ratio,
        {
            "equity_e6": (0, EQUITY[1]),
            **dict.fromkeys(("initial_e6", "maintenance_e6"), WORTHS),
            **dict.fromkeys(("initial_after_e6", "maintenance_after_e6"), WORTHS),
            "cost_e6": EQUITY,
        },
    ),
    Claim(
        fillable_is_worse_with_less,
        {
            "mark": (1, PRICE_TICKS_MAX),
            "less_e6": EQUITY,
            "equity_e6": EQUITY,
            "requirement_e6": (1, WORTHS[1]),
            "rate_ppm": RATE,
            "spread_ppm": (0, LIQUIDATION_SPREAD_MAX_PPM),
        },
    ),
    Claim(funding_owes_its_share, {"size": LOTS_SIGNED, **INDEXES}, {"shift": SHIFTS}),
    Claim(
        funding_of_four_sums_to_residue,
        {**dict.fromkeys(("a", "b", "c", "d"), LOTS_SIGNED), **INDEXES},
        {"shift": (0, FUNDING_SHIFT_MAX)},
    ),
    Claim(
        funding_residue_step,
        {
            "pool": CASH,
            "exact": (-(2**124), 2**124),
            "count": (0, 2**62),
            "size": LOTS_SIGNED,
            **INDEXES,
        },
        {"shift": SHIFTS},
    ),
    Claim(funding_residue_end, {"pool": CASH, "count": (1, 2**62)}, {"shift": SHIFTS}),
    Claim(premium_is_odd, {"above": (0, PRICE_TICKS_MAX // 2), "oracle": PRICE_SET}),
]
