"""No intermediate of a rule of the clearing house passes int64 within its bounds.

One claim for each few rules, with the range of what they return, in the order of
execution/risk_rules.py; how it is to be read stands in `rule_bounds`.
"""

from typing import Final

from quorate.execution.risk_rules import (
    EXP_ONE,
    band_high,
    band_low,
    clamp_move,
    close_out,
    confidence_addon,
    disposal_lots,
    disposal_price,
    ema_step,
    ema_ticks,
    ema_weight_e9,
    fillable_price,
    funding_hour_e9,
    funding_index_after,
    funding_index_step,
    funding_payment,
    funding_rate_e9,
    funding_shift,
    gap_auction_ms,
    health,
    insurance_delta,
    liquidation_price,
    margin_with_mark_holds,
    mark_candidate,
    mark_near_index,
    median3,
    oi_scaled_initial,
    power_of_two,
    premium_e9,
    ratio_kept,
    unhedged_lots,
    zero_price,
)
from quorate.formal.claims import Claim, Range
from quorate.formal.hints import assume, shown
from quorate.formal.rule_bounds import (
    EQUITY,
    LEVEL_LOTS,
    LOTS,
    OPEN,
    PRICE,
    PRICE_SET,
    QUANTUM,
    RATE,
    SHARE,
    SIDE,
    SIGN,
    SIZE,
    TIME,
    WORTH,
    WORTHS,
)
from quorate.types.limits import (
    ADDON_MAX_PPM,
    BAND_MAX_PPM,
    CASH_MAX_E6,
    CLAMP_MAX_PPM,
    E9,
    EMA_FULL_TAUS,
    EMA_SCALE,
    FUNDING_CAP_MAX_E9,
    FUNDING_INDEX_MAX,
    FUNDING_INTEREST_MAX_E9,
    FUNDING_INTERVAL_MAX_MS,
    FUNDING_RATE_MAX_E9,
    FUNDING_SHIFT_MAX,
    FUNDING_WORTH_MAX_E6,
    LIQUIDATION_SPREAD_MAX_PPM,
    POSITION_NOTIONAL_MAX_E6,
    POSITIONS_PER_ACCOUNT_MAX,
    PPM,
    PREMIUM_MAX_E9,
    PRICE_TICKS_MAX,
    RATE_MAX_PPM,
)

AVERAGE: Final[Range] = (-PRICE_TICKS_MAX * EMA_SCALE, PRICE_TICKS_MAX * EMA_SCALE)
INDEX: Final[Range] = (-FUNDING_INDEX_MAX, FUNDING_INDEX_MAX)
CASH: Final[Range] = (-CASH_MAX_E6, CASH_MAX_E6)
FUNDING: Final[Range] = (-FUNDING_RATE_MAX_E9, FUNDING_RATE_MAX_E9)


# --- marks ---------------------------------------------------------------------------------------
def mark_bounds(a: int, b: int, c: int, d: int, rate_ppm: int, most_ppm: int) -> bool:
    """median3, mark_candidate, mark_near_index, clamp_move: prices between their candidates."""
    middle = median3(a, b, c)
    found = mark_candidate(a, b, c, d)
    moved = clamp_move(d, found, most_ppm)
    between = min(a, b, c) <= middle and middle <= max(a, b, c)
    return between and 0 <= found and found <= PRICE_TICKS_MAX and 0 <= moved


def near_index_bounds(candidate: int, index: int, rate_ppm: int) -> bool:
    """mark_near_index: within a fifth of the index, and a positive price."""
    found = mark_near_index(candidate, index, rate_ppm)
    return 0 < found and abs(found - index) * 5 <= index


def ema_weight_bounds(dt_ms: int, tau_ms: int) -> bool:
    """ema_weight_e9: a weight between nothing and 1."""
    found = ema_weight_e9(dt_ms, tau_ms)
    return 0 <= found and found <= E9


def ema_step_bounds(value_fp: int, sample_fp: int, dt_ms: int, tau_ms: int) -> bool:
    """ema_step, ema_ticks: the average lies between the old one and the sample."""
    found = ema_step(value_fp, sample_fp, dt_ms, tau_ms)
    ema_ticks(found)
    low, high = min(value_fp, sample_fp), max(value_fp, sample_fp)
    weight = ema_weight_e9(dt_ms, tau_ms)
    gap = sample_fp - value_fp
    shown(gap < 0 or (gap // E9 * weight <= gap // E9 * E9 and 0 <= gap // E9 * weight))
    shown(gap >= 0 or (gap // E9 * weight >= gap // E9 * E9 and 0 >= gap // E9 * weight))
    shown(0 <= gap % E9 * weight and gap % E9 * weight <= gap % E9 * E9)
    # What is rounded away of a negative gap is at least what the low part adds.
    shown(gap >= 0 or gap // E9 * weight + (gap % E9 * weight + E9 // 2) // E9 <= 0)
    return low <= found and found <= high


# --- funding -------------------------------------------------------------------------------------
def premium_bounds(impact_bid: int, impact_ask: int, oracle: int) -> bool:
    """premium_e9: at most 6 000 percent either way."""
    return abs(premium_e9(impact_bid, impact_ask, oracle)) <= PREMIUM_MAX_E9


def funding_rate_bounds(
    premium_avg_e9: int, interest_e9: int, clamp_e9: int, cap_e9: int, interval_ms: int
) -> bool:
    """funding_rate_e9, funding_hour_e9: one interval's rate is within its cap."""
    eight = funding_rate_e9(premium_avg_e9, interest_e9, clamp_e9)
    hour = funding_hour_e9(eight, cap_e9, interval_ms)
    shown(cap_e9 * interval_ms <= FUNDING_CAP_MAX_E9 * interval_ms)
    within = abs(eight) <= PREMIUM_MAX_E9 + FUNDING_INTEREST_MAX_E9
    return within and abs(hour) <= FUNDING_RATE_MAX_E9


def funding_shift_bounds(price_max: int, quantum_e6: int) -> bool:
    """funding_shift, power_of_two: the worth of a lot, shifted, is within its limit."""
    assume(price_max * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    shift = funding_shift(price_max, quantum_e6)
    return 0 <= shift and shift <= FUNDING_SHIFT_MAX


def funding_step_bounds(oracle_ticks: int, quantum_e6: int, rate_e9: int, shift: int) -> bool:
    """funding_index_step: no step passes what the index has room for."""
    lot_e6 = oracle_ticks * quantum_e6
    assume(lot_e6 <= POSITION_NOTIONAL_MAX_E6)
    assume(shift == 0 or lot_e6 * power_of_two(shift) <= FUNDING_WORTH_MAX_E6)
    step = funding_index_step(oracle_ticks, quantum_e6, rate_e9, shift)
    return abs(step) <= (POSITION_NOTIONAL_MAX_E6 // E9 + 1) * (FUNDING_RATE_MAX_E9 + 1)


def funding_pay_bounds(size: int, now: int, then: int, step: int, shift: int) -> bool:
    """funding_index_after, funding_payment: the index stays in its range, a payment fits."""
    after = funding_index_after(now, step)
    funding_payment(size, after, then, shift)
    return abs(after) <= FUNDING_INDEX_MAX


# --- margin --------------------------------------------------------------------------------------
def open_interest_margin_bounds(
    initial_e6: int, value_e6: int, oi_value_e6: int, lower_e6: int, upper_e6: int
) -> bool:
    """oi_scaled_initial: never below the initial margin, never above the worth."""
    assume(lower_e6 <= upper_e6)
    found = oi_scaled_initial(initial_e6, value_e6, oi_value_e6, lower_e6, upper_e6)
    return initial_e6 <= found and found <= max(initial_e6, value_e6)


def addon_bounds(initial_e6: int, confidence_ppm: int, most_ppm: int) -> bool:
    """confidence_addon: between nothing and nine times the initial margin."""
    found = confidence_addon(initial_e6, confidence_ppm, most_ppm)
    return 0 <= found and found <= 9 * initial_e6


def mark_margin_bounds(
    margin_e6: int, initial_mark_e6: int, sign: int, price: int, mark: int, lots: int, quantum: int
) -> bool:
    """margin_with_mark_holds: means margin + profit at the mark >= initial margin."""
    assume(abs((mark - price) * lots * quantum) <= POSITION_NOTIONAL_MAX_E6)
    profit = sign * ((mark - price) * lots * quantum)
    holds = margin_with_mark_holds(margin_e6, initial_mark_e6, sign, price, mark, lots, quantum)
    return holds == (margin_e6 + profit >= initial_mark_e6)


# --- liquidation ---------------------------------------------------------------------------------
def standing_bounds(equity_e6: int, initial_e6: int, maintenance_e6: int, close_ppm: int) -> bool:
    """close_out, health: close-out within maintenance, one of five standings."""
    floor = close_out(maintenance_e6, close_ppm)
    found = health(equity_e6, initial_e6, maintenance_e6, floor)
    return 0 <= floor and floor <= maintenance_e6 and 0 <= found and found <= 5


def ratio_bounds(
    equity_after_e6: int, required_after_e6: int, equity_before_e6: int, required_before_e6: int
) -> bool:
    """ratio_kept: compares the exact products."""
    found = ratio_kept(equity_after_e6, required_after_e6, equity_before_e6, required_before_e6)
    before = equity_before_e6 * required_after_e6
    return found == (before <= equity_after_e6 * required_before_e6)


def zero_price_bounds(
    side_sign: int,
    mark: int,
    lots: int,
    quantum_e6: int,
    equity_e6: int,
    requirement_e6: int,
    freed_e6: int,
    price_max: int,
) -> bool:
    """zero_price: a price of the market."""
    assume(mark * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    assume(freed_e6 <= requirement_e6)
    found = zero_price(
        side_sign, mark, lots, quantum_e6, equity_e6, requirement_e6, freed_e6, price_max
    )
    return 1 <= found and found <= price_max


def fillable_bounds(
    side_sign: int,
    mark: int,
    equity_e6: int,
    requirement_e6: int,
    rate_ppm: int,
    adjust_ppm: int,
    spread_ppm: int,
    price_max: int,
) -> bool:
    """fillable_price: a price, no better for the account than the mark."""
    assume(mark <= price_max)
    found = fillable_price(
        side_sign, mark, equity_e6, requirement_e6, rate_ppm, adjust_ppm, spread_ppm, price_max
    )
    return 1 <= found and found <= price_max and side_sign * (mark - found) >= 0


def insurance_bounds(fill_e6: int, bankruptcy_e6: int, fee_ppm: int) -> bool:
    """insurance_delta: no more than the improvement."""
    return insurance_delta(fill_e6, bankruptcy_e6, fee_ppm) <= fill_e6 - bankruptcy_e6


def liquidation_price_bounds(
    sign: int, price: int, available_e6: int, lots: int, quantum_e6: int, rate_ppm: int
) -> bool:
    """liquidation_price: a price, or none."""
    assume(price * lots * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    found = liquidation_price(sign, price, available_e6, lots, quantum_e6, rate_ppm)
    return 0 <= found and found <= PRICE_TICKS_MAX


def unhedged_bounds(position: int, delta_value_e6: int, mark: int, quantum_e6: int) -> bool:
    """unhedged_lots: at most the position."""
    assume(mark * quantum_e6 <= POSITION_NOTIONAL_MAX_E6)
    found = unhedged_lots(position, delta_value_e6, mark, quantum_e6)
    return 0 <= found and found <= abs(position)


# --- breakers and disposal -----------------------------------------------------------------------
def band_bounds(reference: int, down_ppm: int, up_ppm: int) -> bool:
    """band_low, band_high: a band around its reference, at most ten times as high."""
    low = band_low(reference, down_ppm)
    high = band_high(reference, up_ppm)
    return 0 <= low and low <= reference and reference <= high and high <= 10 * reference


def disposal_bounds(
    position: int, full: int, part_ppm: int, volume_lots: int, share_ppm: int, gap_ms: int
) -> bool:
    """disposal_lots, gap_auction_ms: at most the position, nothing negative."""
    found = disposal_lots(position, full, part_ppm, volume_lots, share_ppm)
    return 0 <= found and found <= abs(position) and gap_auction_ms(gap_ms) >= 0


def disposal_price_bounds(side: int, book_price: int, bound_price: int) -> bool:
    """disposal_price: inside of the band's end."""
    found = disposal_price(side, book_price, bound_price)
    return found < bound_price if side == 0 else found > bound_price


WEIGHT_CUTS: Final = {
    ("ema_weight_e9", "share"): (0, EXP_ONE - 1),
    ("ema_weight_e9", "kept"): (0, EXP_ONE),
    ("ema_weight_e9", "range"): (0, EMA_FULL_TAUS - 1),
}
SHIFTS: Final = range(FUNDING_SHIFT_MAX + 1)
POSITION: Final[dict[str, Range]] = {
    "mark": PRICE_SET,
    "lots": (1, LOTS[1]),
    "quantum_e6": QUANTUM,
}
CLAIMS: Final = [
    Claim(
        mark_bounds,
        {
            **dict.fromkeys(("a", "b", "c", "d"), PRICE),
            "rate_ppm": RATE,
            "most_ppm": (0, CLAMP_MAX_PPM),
        },
    ),
    Claim(near_index_bounds, {"candidate": PRICE, "index": PRICE_SET, "rate_ppm": RATE}),
    Claim(ema_weight_bounds, {"dt_ms": TIME, "tau_ms": TIME}, cuts=WEIGHT_CUTS),
    Claim(
        ema_step_bounds,
        {"value_fp": AVERAGE, "sample_fp": AVERAGE, "dt_ms": TIME, "tau_ms": TIME},
        contracts={"ema_weight_e9": (0, E9)},
    ),
    Claim(premium_bounds, dict.fromkeys(("impact_bid", "impact_ask", "oracle"), PRICE)),
    Claim(
        funding_rate_bounds,
        {
            "premium_avg_e9": (-PREMIUM_MAX_E9, PREMIUM_MAX_E9),
            "interest_e9": (-FUNDING_INTEREST_MAX_E9, FUNDING_INTEREST_MAX_E9),
            "clamp_e9": (0, FUNDING_INTEREST_MAX_E9),
            "cap_e9": (0, FUNDING_CAP_MAX_E9),
            "interval_ms": (0, FUNDING_INTERVAL_MAX_MS),
        },
    ),
    Claim(funding_shift_bounds, {"price_max": PRICE_SET, "quantum_e6": QUANTUM}),
    Claim(
        funding_step_bounds,
        {"oracle_ticks": PRICE, "quantum_e6": QUANTUM, "rate_e9": FUNDING},
        {"shift": SHIFTS},
    ),
    Claim(
        funding_pay_bounds,
        {"size": SIZE, "now": INDEX, "then": INDEX, "step": INDEX},
        {"shift": SHIFTS},
    ),
    Claim(
        open_interest_margin_bounds,
        {
            "initial_e6": (0, 2 * POSITION_NOTIONAL_MAX_E6),
            "value_e6": WORTH,
            **dict.fromkeys(("oi_value_e6", "lower_e6", "upper_e6"), OPEN),
        },
    ),
    Claim(
        addon_bounds,
        {
            "initial_e6": (0, 2 * POSITION_NOTIONAL_MAX_E6),
            "confidence_ppm": (-PPM, 2 * PPM),
            "most_ppm": (0, ADDON_MAX_PPM),
        },
    ),
    Claim(
        mark_margin_bounds,
        {
            "margin_e6": EQUITY,
            "initial_mark_e6": WORTHS,
            "price": PRICE,
            "mark": PRICE,
            "lots": LOTS,
            "quantum": QUANTUM,
        },
        {"sign": SIGN},
    ),
    Claim(
        standing_bounds,
        {
            "equity_e6": EQUITY,
            "initial_e6": WORTHS,
            "maintenance_e6": (0, POSITIONS_PER_ACCOUNT_MAX * POSITION_NOTIONAL_MAX_E6),
            "close_ppm": SHARE,
        },
    ),
    Claim(
        ratio_bounds,
        {
            "equity_after_e6": EQUITY,
            "required_after_e6": WORTHS,
            "equity_before_e6": EQUITY,
            "required_before_e6": WORTHS,
        },
    ),
    Claim(
        zero_price_bounds,
        {
            **POSITION,
            "equity_e6": EQUITY,
            "requirement_e6": WORTHS,
            "freed_e6": WORTHS,
            "price_max": PRICE_SET,
        },
        {"side_sign": SIGN},
    ),
    Claim(
        fillable_bounds,
        {
            "mark": PRICE_SET,
            "equity_e6": EQUITY,
            "requirement_e6": WORTHS,
            "rate_ppm": RATE,
            "adjust_ppm": (0, 10 * PPM),
            "spread_ppm": (0, LIQUIDATION_SPREAD_MAX_PPM),
            "price_max": PRICE_SET,
        },
        {"side_sign": SIGN},
    ),
    Claim(
        insurance_bounds,
        {"fill_e6": CASH, "bankruptcy_e6": CASH, "fee_ppm": (0, RATE_MAX_PPM)},
    ),
    Claim(
        liquidation_price_bounds,
        {
            "price": PRICE_SET,
            "lots": LOTS,
            "available_e6": EQUITY,
            "quantum_e6": QUANTUM,
            "rate_ppm": RATE,
        },
        {"sign": SIGN},
    ),
    Claim(
        unhedged_bounds,
        {"position": SIZE, "delta_value_e6": EQUITY, "mark": PRICE, "quantum_e6": QUANTUM},
    ),
    Claim(band_bounds, {"reference": PRICE, "down_ppm": SHARE, "up_ppm": (0, BAND_MAX_PPM)}),
    Claim(
        disposal_bounds,
        {
            "position": SIZE,
            "full": LOTS,
            "part_ppm": SHARE,
            "volume_lots": LEVEL_LOTS,
            "share_ppm": SHARE,
            "gap_ms": TIME,
        },
    ),
    Claim(disposal_price_bounds, {"book_price": PRICE, "bound_price": PRICE}, {"side": SIDE}),
]
