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
