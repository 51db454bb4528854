"""No intermediate of a scalar rule passes int64 within its bounds: one claim for each rule.

The bounds are those that the rules' docstrings state, in the numbers of types/limits.py. Where a
rule states none, they are the limits of the kinds of its parameters. A claim also says within what
its rule's result lies, so that the next one can build on it.
"""

from typing import Final

from quorate.execution.entry_rules import (
    aggressive,
    loss_room,
    narrowed_price,
    open_interest_worth,
    price_far,
    price_within,
)
from quorate.execution.rules import (
    crosses,
    entry_closed,
    half_window,
    initial,
    leverage_holds,
    limit_reached,
    maintenance,
    market_price,
    nonce_in_window,
    notional,
    order_lots,
    ppm_ceil,
    reducible,
    sum_bounded,
    tier_deduction,
    tier_rate_ppm,
    trail_best,
    trail_ticks,
    trigger_fires,
    withdrawable_floor,
    worst_lots,
)
from quorate.formal.claims import Claim, Range
from quorate.formal.hints import assume, shown
from quorate.types.limits import (
    CASH_MAX_E6,
    DAY_MS,
    EQUITY_MAX_E6,
    INSURANCE_MAX_E6,
    INT64_MAX,
    LEVERAGE_MAX,
    LEVERAGE_MAX_E2,
    LEVERAGE_MIN_E2,
    MARGIN_RATE_MAX_PPM,
    OPEN_INTEREST_MAX_E6,
    ORDERS_MAX,
    PERPETUAL_LOTS_MAX,
    POSITION_NOTIONAL_MAX_E6,
    POSITIONS_PER_ACCOUNT_MAX,
    PPM,
    PRICE_TICKS_MAX,
    QUANTUM_E6_MAX,
    RATE_MAX_PPM,
    SIZE_LOTS_MAX,
    SLIPPAGE_MAX_PPM,
    TIME_MS_MAX,
)

SIDE: Final = (0, 1)
SIGN: Final = (-1, 1)
PRICE: Final[Range] = (0, PRICE_TICKS_MAX)
PRICE_SET: Final[Range] = (1, PRICE_TICKS_MAX)
LOTS: Final[Range] = (0, PERPETUAL_LOTS_MAX)
SIZE: Final[Range] = (-PERPETUAL_LOTS_MAX, PERPETUAL_LOTS_MAX)
LEVEL_LOTS: Final[Range] = (0, ORDERS_MAX * SIZE_LOTS_MAX)
QUANTUM: Final[Range] = (1, QUANTUM_E6_MAX)
WORTH: Final[Range] = (0, POSITION_NOTIONAL_MAX_E6)
WORTHS_MAX: Final = 2 * POSITIONS_PER_ACCOUNT_MAX * POSITION_NOTIONAL_MAX_E6
WORTHS: Final[Range] = (0, WORTHS_MAX)
EQUITY: Final[Range] = (-EQUITY_MAX_E6, EQUITY_MAX_E6)
MONEY: Final[Range] = (0, CASH_MAX_E6)
RATE: Final[Range] = (0, MARGIN_RATE_MAX_PPM)
SHARE: Final[Range] = (0, PPM)
TIME: Final[Range] = (0, TIME_MS_MAX)
OPEN: Final[Range] = (0, OPEN_INTEREST_MAX_E6)


def ppm_ceil_bounds(amount: int, rate_ppm: int) -> bool:
    """ppm_ceil: of an amount of money at a rate of at most 1 either way, at most the amount."""
    found = ppm_ceil(amount, rate_ppm)
    return -amount <= found and found <= amount


def notional_bounds(price: int, size: int, quantum_e6: int) -> bool:
    """notional: worth of a position or a difference of worths within the limit of a position."""
    assume(abs(price * size * quantum_e6) <= POSITION_NOTIONAL_MAX_E6)
    return notional(price, size, quantum_e6) == price * size * quantum_e6


def maintenance_bounds(value_e6: int, rate_ppm: int, deduction_e6: int) -> bool:
    """maintenance, initial: at most the worth, twice the worth."""
    once = maintenance(value_e6, rate_ppm, deduction_e6)
    twice = initial(value_e6, rate_ppm, deduction_e6)
    return once <= value_e6 and twice <= 2 * value_e6


def tier_bounds(
    leverage_max: int, deduction_before: int, lower_e6: int, rate_ppm: int, rate_before: int
) -> bool:
    """tier_rate_ppm, tier_deduction: a rate of at most a half; a deduction not above the worth."""
    assume(rate_before <= rate_ppm)
    rate = tier_rate_ppm(leverage_max)
    found = tier_deduction(deduction_before, lower_e6, rate_ppm, rate_before)
    most = deduction_before + lower_e6
    return 0 < rate and rate <= MARGIN_RATE_MAX_PPM and 0 <= found and found <= most


def worst_lots_bounds(size: int, bids: int, asks: int) -> bool:
    """worst_lots: not below the position itself."""
    return worst_lots(size, bids, asks) >= abs(size)


def order_price_bounds(
    side: int, price: int, best: int, slippage_ppm: int, step: int, price_max: int, level: int
) -> bool:
    """crosses, market_price, trigger_fires, trail_best: prices stay prices."""
    assume(step <= price_max and best <= price_max)
    found = market_price(side, best, slippage_ppm, step, price_max)
    crosses(side, price, best)
    trigger_fires(0, side, price, level)
    trigger_fires(1, side, price, level)
    return 0 <= found and found <= 2 * PRICE_TICKS_MAX and trail_best(side, best, price) >= 0


def trail_bounds(side: int, best: int, trail_ppm: int) -> bool:
    """trail_ticks: between nothing and twice the best price."""
    found = trail_ticks(side, best, trail_ppm)
    return 0 <= found and found <= 2 * best


def entry_closed_bounds(entry_e6: int, size: int, closed: int) -> bool:
    """entry_closed: a part of the cost basis, and no more."""
    assume(closed <= size)
    found = entry_closed(entry_e6, size, closed)
    shown(entry_e6 // size * closed <= entry_e6 // size * size)
    shown(entry_e6 % size * closed <= entry_e6 % size * size)
    shown(entry_e6 % size * closed // size <= entry_e6 % size)
    return 0 <= found and found <= entry_e6


def order_bounds(side: int, size: int, lots: int, step: int, most: int) -> bool:
    """reducible, order_lots: never below nothing, never above the market's largest."""
    room = reducible(side, size)
    found = order_lots(lots, step, most)
    return 0 <= room and room <= abs(size) and 0 <= found and found <= most


def leverage_bounds(value_e6: int, equity_e6: int, leverage_e2: int) -> bool:
    """leverage_holds: means value * 100 <= equity * leverage."""
    holds = leverage_holds(value_e6, equity_e6, leverage_e2)
    rest = (value_e6 % leverage_e2 * 100 + leverage_e2 - 1) // leverage_e2
    least = value_e6 // leverage_e2 * 100 + rest
    shown(value_e6 * 100 <= least * leverage_e2)
    shown(least * leverage_e2 < value_e6 * 100 + leverage_e2)
    shown(least > equity_e6 or least * leverage_e2 <= equity_e6 * leverage_e2)
    shown(least <= equity_e6 or least * leverage_e2 >= (equity_e6 + 1) * leverage_e2)
    return holds == (value_e6 * 100 <= equity_e6 * leverage_e2)


def clock_bounds(nonce: int, time_ms: int, window_ms: int) -> bool:
    """nonce_in_window, half_window: any nonce, any time."""
    found = nonce_in_window(nonce, time_ms)
    return -1 <= found and found <= 1 and half_window(time_ms, window_ms) >= 0


def floor_bounds(initial_e6: int, value_e6: int) -> bool:
    """withdrawable_floor: not below the initial margin."""
    return withdrawable_floor(initial_e6, value_e6) >= initial_e6


def protection_bounds(total: int, now: int, before: int, old: int, most: int) -> bool:
    """sum_bounded, limit_reached: sums kept within their bound stay sums."""
    found = sum_bounded(total, most)
    limit_reached(now, before, old, most)
    return -most <= found and found <= most


# --- entry rules ---------------------------------------------------------------------------------
def open_interest_bounds(lots: int, mark: int, quantum_e6: int) -> bool:
    """open_interest_worth: the exact worth, or the most that is counted."""
    assume(mark * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    found = open_interest_worth(lots, mark, quantum_e6)
    exact = lots * (mark * quantum_e6)
    return found == min(exact, OPEN_INTEREST_MAX_E6)


def guard_bounds(side: int, price: int, index: int, far_ppm: int, step: int) -> bool:
    """price_far, aggressive, price_within: exact comparisons; the price is on the tick."""
    far = price_far(price, index, far_ppm)
    within = price_within(side, index, step)
    worse = aggressive(side, within, index)
    return far == (abs(price - index) * PPM > index * far_ppm // PPM * PPM) and not worse


def loss_room_bounds(
    equity_e6: int,
    initial_e6: int,
    maintenance_e6: int,
    initial_after_e6: int,
    maintenance_after_e6: int,
) -> bool:
    """loss_room: never more than the equity above the requirement after."""
    assume(maintenance_e6 <= initial_e6 and maintenance_after_e6 <= initial_after_e6)
    loss_room(equity_e6, initial_e6, maintenance_e6, initial_after_e6, maintenance_after_e6)
    return True


def narrowed_bounds(
    side: int,
    mark: int,
    lots: int,
    quantum_e6: int,
    room_e6: int,
    fee_ppm: int,
    step: int,
    price_max: int,
) -> bool:
    """narrowed_price: a price up to the highest, or none."""
    assume(mark * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    assume(price_max * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    assume(step <= price_max)
    found = narrowed_price(side, mark, lots, quantum_e6, room_e6, fee_ppm, step, price_max)
    return 0 <= found and found <= price_max


TIER_WORTH: Final[Range] = (0, POSITION_NOTIONAL_MAX_E6)
CLAIMS: Final = [
    Claim(ppm_ceil_bounds, {"amount": (0, EQUITY_MAX_E6), "rate_ppm": (-PPM, PPM)}),
    Claim(
        notional_bounds,
        {
            "price": (-PRICE_TICKS_MAX, PRICE_TICKS_MAX),
            "size": (-SIZE_LOTS_MAX, SIZE_LOTS_MAX),
            "quantum_e6": QUANTUM,
        },
    ),
    Claim(maintenance_bounds, {"value_e6": WORTH, "rate_ppm": RATE, "deduction_e6": WORTH}),
    Claim(
        tier_bounds,
        {
            "leverage_max": (1, LEVERAGE_MAX),
            "deduction_before": WORTH,
            "lower_e6": TIER_WORTH,
            "rate_ppm": RATE,
            "rate_before": RATE,
        },
    ),
    Claim(worst_lots_bounds, {"size": SIZE, "bids": LEVEL_LOTS, "asks": LEVEL_LOTS}),
    Claim(
        order_price_bounds,
        {
            "price": PRICE,
            "best": PRICE_SET,
            "slippage_ppm": (0, SLIPPAGE_MAX_PPM),
            "step": PRICE_SET,
            "price_max": PRICE_SET,
            "level": PRICE,
        },
        {"side": SIDE},
    ),
    Claim(trail_bounds, {"best": PRICE, "trail_ppm": SHARE}, {"side": SIDE}),
    Claim(
        entry_closed_bounds,
        {"entry_e6": MONEY, "size": (1, PERPETUAL_LOTS_MAX), "closed": (1, PERPETUAL_LOTS_MAX)},
    ),
    Claim(
        order_bounds,
        {
            "size": SIZE,
            "lots": (0, SIZE_LOTS_MAX),
            "step": (1, SIZE_LOTS_MAX),
            "most": (1, SIZE_LOTS_MAX),
        },
        {"side": SIDE},
    ),
    Claim(
        leverage_bounds,
        {
            "value_e6": WORTHS,
            "equity_e6": EQUITY,
            "leverage_e2": (LEVERAGE_MIN_E2, LEVERAGE_MAX_E2),
        },
    ),
    Claim(
        clock_bounds,
        {"nonce": (-INT64_MAX, INT64_MAX), "time_ms": TIME, "window_ms": (1, DAY_MS)},
    ),
    Claim(floor_bounds, {"initial_e6": WORTHS, "value_e6": WORTHS}),
    Claim(
        protection_bounds,
        {
            "total": (-INT64_MAX, INT64_MAX),
            "now": EQUITY,
            "before": (-(2**60), 2**60),
            "old": (-(2**60), 2**60),
            "most": (0, INT64_MAX),
        },
    ),
    Claim(open_interest_bounds, {"lots": LEVEL_LOTS, "mark": PRICE, "quantum_e6": QUANTUM}),
    Claim(
        guard_bounds,
        {"price": PRICE, "index": PRICE, "far_ppm": (0, 9 * PPM), "step": PRICE_SET},
        {"side": SIDE},
    ),
    Claim(
        loss_room_bounds,
        {
            "equity_e6": EQUITY,
            "initial_e6": WORTHS,
            "maintenance_e6": WORTHS,
            "initial_after_e6": WORTHS,
            "maintenance_after_e6": WORTHS,
        },
    ),
    Claim(
        narrowed_bounds,
        {
            "mark": PRICE_SET,
            "lots": (1, PERPETUAL_LOTS_MAX),
            "quantum_e6": QUANTUM,
            "room_e6": (-INSURANCE_MAX_E6, INSURANCE_MAX_E6),
            "fee_ppm": (0, RATE_MAX_PPM),
            "step": PRICE_SET,
            "price_max": PRICE_SET,
        },
        {"side": SIDE},
    ),
]
