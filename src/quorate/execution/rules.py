"""Scalar rules: integers in, integers out. One source for spec, kernel and proof.

Everything here stays in the subset that the kernels compile: `+ - * // %`, comparisons, `if`,
loops with bounded ranges, no containers. Money is in 1e-6 of the quote; rounding always goes
against the account.
"""

from quorate.types.limits import NONCE_FUTURE_MS, NONCE_PAST_MS, PPM


def ppm_ceil(amount: int, rate_ppm: int) -> int:
    """Return amount * rate / 1e6, rounded up; `amount` >= 0, the rate may be negative (a rebate).

    Split at 1e6 so that no intermediate passes the larger of amount and amount * rate / 1e6.
    """
    whole = amount // PPM
    rest = amount % PPM
    return whole * rate_ppm - (-(rest * rate_ppm)) // PPM


def notional(price: int, size: int, quantum_e6: int) -> int:
    """Worth in 1e-6 quote of `size` lots at `price` ticks; exact."""
    return price * size * quantum_e6


def maintenance(value_e6: int, rate_ppm: int, deduction_e6: int) -> int:
    """Maintenance margin of a notional in its tier (FORMULAS 1: notional * rate - deduction)."""
    return ppm_ceil(value_e6, rate_ppm) - deduction_e6


def initial(value_e6: int, rate_ppm: int, deduction_e6: int) -> int:
    """Initial margin: twice the maintenance, that is notional / leverage (FORMULAS 1)."""
    return 2 * maintenance(value_e6, rate_ppm, deduction_e6)


def tier_rate_ppm(leverage_max: int) -> int:
    """Maintenance rate of a tier, 1 / (2 * leverage), rounded up (FORMULAS 1)."""
    return (PPM + 2 * leverage_max - 1) // (2 * leverage_max)


def tier_deduction(deduction_before: int, lower_e6: int, rate_ppm: int, rate_before: int) -> int:
    """Deduction of a tier (FORMULAS 1), floored: what is deducted from margin rounds down."""
    step = rate_ppm - rate_before
    return deduction_before + lower_e6 // PPM * step + lower_e6 % PPM * step // PPM


def worst_lots(size: int, bids: int, asks: int) -> int:
    """Largest position, in lots, that open orders could lead to."""
    up = abs(size + bids)
    down = abs(size - asks)
    if up > down:
        return up
    return down


def crosses(side: int, price: int, opposite: int) -> bool:
    """Whether an order of `side` (0 buy) at `price` meets a resting price of the other side."""
    if side == 0:
        return price >= opposite
    return price <= opposite


def market_price(side: int, best: int, slippage_ppm: int, step: int, price_max: int) -> int:
    """Limit price of a market order: best opposite price widened by the slippage, on the tick."""
    if side == 0:
        price = best + best * slippage_ppm // PPM
        if price > price_max:
            price = price_max
        return price // step * step
    price = best - best * slippage_ppm // PPM
    price = (price + step - 1) // step * step
    if price < step:
        price = step
    return price


def entry_closed(entry_e6: int, size: int, closed: int) -> int:
    """Part of a position's cost basis that belongs to `closed` of its |size| lots, floored.

    `entry_e6` >= 0, 0 < closed <= size <= PERPETUAL_LOTS_MAX.
    """
    return entry_e6 // size * closed + entry_e6 % size * closed // size


def reducible(side: int, size: int) -> int:
    """Lots by which an order of `side` may trade without turning or growing position `size`."""
    if side == 0:
        return -size if size < 0 else 0
    return size if size > 0 else 0


def leverage_holds(value_e6: int, equity_e6: int, leverage_e2: int) -> bool:
    """Whether value <= equity * leverage, the leverage in hundredths, without overflow."""
    whole = value_e6 // leverage_e2 * 100
    rest = (value_e6 % leverage_e2 * 100 + leverage_e2 - 1) // leverage_e2
    return whole + rest <= equity_e6


def nonce_in_window(nonce: int, time_ms: int) -> int:
    """-1 too old, 1 too far ahead, 0 inside (time - 2 days, time + 1 day), both ends outside."""
    if nonce <= time_ms - NONCE_PAST_MS:
        return -1
    if nonce >= time_ms + NONCE_FUTURE_MS:
        return 1
    return 0


def withdrawable_floor(initial_e6: int, value_e6: int) -> int:
    """Equity that must stay: the initial margin, and at least a tenth of the positions' worth."""
    tenth = (value_e6 + 9) // 10
    if tenth > initial_e6:
        return tenth
    return initial_e6


# --- conditional orders --------------------------------------------------------------------------
def trigger_fires(kind: int, side: int, price: int, level: int) -> bool:
    """Whether a watched price has reached a trigger's level.

    A stop (0) or trailing stop (2) of a buyer fires at its level and above, a take-profit (1) at
    its level and below; of a seller the other way round. A price of 0 is none.
    """
    if price <= 0:
        return False
    if (kind == 1) == (side == 0):
        return price <= level
    return price >= level


def trail_best(side: int, best: int, price: int) -> int:
    """Best watched price so far for the holder of a trailing stop; 0 is none yet."""
    if best == 0:
        return price
    if side == 0:
        return min(best, price)
    return max(best, price)


def trail_ticks(side: int, best: int, trail_ppm: int) -> int:
    """Level of a trailing stop: away from the best price by its trail, rounded away from it."""
    if side == 0:
        return (best * (PPM + trail_ppm) + PPM - 1) // PPM
    return best * (PPM - trail_ppm) // PPM


def order_lots(lots: int, step: int, most: int) -> int:
    """Size of an order for `lots`: rounded up to the lot step, within the market's largest."""
    size = (lots + step - 1) // step * step
    largest = most // step * step
    if size > largest:
        return largest
    return size


# --- market-maker protection ---------------------------------------------------------------------
def half_window(time_ms: int, window_ms: int) -> int:
    """Number of the half window in which a time lies; halves are rounded up."""
    return time_ms // ((window_ms + 1) // 2)


def sum_bounded(total: int, most: int) -> int:
    """A running sum kept within a bound of either sign."""
    if total > most:
        return most
    if total < -most:
        return -most
    return total


def limit_reached(now: int, before: int, old: int, most: int) -> bool:
    """Whether a signed sum over the halves reaches its limit; 0 is no limit.

    The oldest half may lie partly outside of the window, so that the sum is judged with it and
    without it.
    """
    if not most:
        return False
    recent = now + before
    return abs(recent) >= most or abs(recent + old) >= most
