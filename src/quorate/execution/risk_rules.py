"""Scalar rules of the clearing house: integers in, integers out; one source, as `rules`.

The same subset of the language as `rules`. Prices are ticks, sizes are lots, money is 1e-6 of the
quote (`_e6`), rates are 1e-6 (`_ppm`) or 1e-9 (`_e9`). `quantum_e6` is the worth of one tick times
one lot; a worth, price * size * quantum, is at most POSITION_NOTIONAL_MAX_E6. A sign is +1 for a
long and -1 for a short position. Within the bounds that each rule states no intermediate passes
int64; a rule that states none takes any value of its kind up to the limit of that kind. Rounding
goes against the account and is named.
"""

from quorate.execution.rules import notional, ppm_ceil
from quorate.execution.wide import mul_div_ceil, mul_div_floor, products_in_order
from quorate.types.clearing_codes import Standing
from quorate.types.limits import (
    E9,
    EMA_FULL_TAUS,
    EMA_SCALE,
    FUNDING_INDEX_MAX,
    FUNDING_SHIFT_MAX,
    FUNDING_WORTH_MAX_E6,
    MARK_REACH_MAX_PPM,
    PPM,
    PREMIUM_MAX_E9,
    PRICE_TICKS_MAX,
)

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
FUNDING_HOURS = 8

# exp() is taken at 1 / 2**60: by its series up to one time constant, then by powers of 1 / e.
EXP_ONE = 2**60
EXP_TERMS = 20  # the next term is below 1 / 2**60
EXP_INVERSE_E = 424_136_118_829_305_329  # 2**60 / e, floored

HEALTHY = int(Standing.HEALTHY)
PRE_LIQUIDATION = int(Standing.PRE_LIQUIDATION)
PARTIAL = int(Standing.PARTIAL)
FULL = int(Standing.FULL)
BANKRUPT = int(Standing.BANKRUPT)


# --- marks -------------------------------------------------------------------------------------
def median3(a: int, b: int, c: int) -> int:
    """Return the middle one of three (FORMULAS 2: M2, and the mark of three candidates)."""
    if a > b:
        if b > c:
            return b
        return c if a > c else a
    if a > c:
        return a
    return c if b > c else b


def mark_candidate(oracle_based: int, book: int, external: int, book_ema: int) -> int:
    """Return the median of the prices that are there; 0 stands for a missing one (FORMULAS 2).

    Of exactly two the average of the book makes a third; without it, their mean, floored. One alone
    is the mark; 0 if there is none.
    """
    first = oracle_based
    second = book
    if oracle_based > 0 and book > 0 and external > 0:
        return median3(oracle_based, book, external)
    if oracle_based <= 0:
        first = external
    elif book <= 0:
        second = external
    if first <= 0:
        return second if second > 0 else 0
    if second <= 0:
        return first
    if book_ema > 0:
        return median3(first, second, book_ema)
    return (first + second) // 2


def mark_near_index(candidate: int, index: int, rate_ppm: int) -> int:
    """A mark's candidate, brought to within min(1 / leverage, 20 %) of the index (FORMULAS 2).

    rate_ppm: maintenance rate of the first tier, half of 1 / leverage. Two of the three prices may
    be those of a thin book, which a few lots move; the index is what the voters agree on. Rounding
    is towards the index. Bounds: 0 < index, candidate <= PRICE_TICKS_MAX.
    """
    reach_ppm = 2 * rate_ppm
    if reach_ppm > MARK_REACH_MAX_PPM:
        reach_ppm = MARK_REACH_MAX_PPM
    low = index - reach_ppm * (index // PPM) - reach_ppm * (index % PPM) // PPM
    high = index + reach_ppm * (index // PPM) + reach_ppm * (index % PPM) // PPM
    if candidate < low:
        return low
    if candidate > high:
        return high
    return candidate


def clamp_move(before: int, candidate: int, most_ppm: int) -> int:
    """Return the candidate, moved from `before` by at most most_ppm of it (FORMULAS 2).

    The most is floored and at least one tick. `most_ppm` 0, or no price before (0), clamps nothing.
    Bound: most_ppm <= CLAMP_MAX_PPM.
    """
    if most_ppm == 0 or before == 0:
        return candidate
    most = before * most_ppm // PPM
    if most < 1:
        most = 1
    if candidate > before + most:
        return before + most
    if candidate < before - most:
        return before - most
    return candidate


def ema_weight_e9(dt_ms: int, tau_ms: int) -> int:
    """Weight of a new sample after `dt_ms`: 1 - exp(-dt / tau) in 1e-9, to nearest (FORMULAS 2).

    Off by less than 1e-9. 1e9 from EMA_FULL_TAUS time constants on and for tau <= 0 (no averaging);
    0 for dt <= 0. Bounds: both at most TIME_MS_MAX.
    """
    if dt_ms <= 0:
        return 0
    if tau_ms <= 0 or dt_ms >= EMA_FULL_TAUS * tau_ms:
        return E9
    share = mul_div_floor(dt_ms % tau_ms, EXP_ONE, tau_ms)
    kept = EXP_ONE
    for back in range(EXP_TERMS):
        kept = EXP_ONE - mul_div_floor(share, kept, EXP_ONE) // (EXP_TERMS - back)
    for _ in range(dt_ms // tau_ms):
        kept = mul_div_floor(kept, EXP_INVERSE_E, EXP_ONE)
    return E9 - (mul_div_floor(kept, 2 * E9, EXP_ONE) + 1) // 2


def ema_step(value_fp: int, sample_fp: int, dt_ms: int, tau_ms: int) -> int:
    """Move an average towards a sample by the weight of `dt_ms`, to nearest (FORMULAS 2).

    Both in 1 / EMA_SCALE of a tick, of either sign, at most PRICE_TICKS_MAX ticks. The result lies
    between them; it stands still when the move would be below half of 1 / EMA_SCALE.
    """
    gap = sample_fp - value_fp
    weight_e9 = ema_weight_e9(dt_ms, tau_ms)
    return value_fp + gap // E9 * weight_e9 + (gap % E9 * weight_e9 + E9 // 2) // E9


def ema_ticks(value_fp: int) -> int:
    """Whole ticks of an average, to nearest, a half upwards (FORMULAS 2)."""
    return (value_fp + EMA_SCALE // 2) // EMA_SCALE


# --- funding -----------------------------------------------------------------------------------
def premium_e9(impact_bid: int, impact_ask: int, oracle: int) -> int:
    """Premium of the impact prices over the oracle, in 1e-9, towards zero (FORMULAS 3).

    A missing side (0) contributes 0, as does a missing oracle. At most PREMIUM_MAX_E9 either way.
    """
    gap = 0
    if impact_bid > oracle:
        gap += impact_bid - oracle
    if 0 < impact_ask < oracle:
        gap -= oracle - impact_ask
    if oracle <= 0 or gap == 0:
        return 0
    premium = mul_div_floor(abs(gap), E9, oracle)
    if premium > PREMIUM_MAX_E9:
        premium = PREMIUM_MAX_E9
    return premium if gap > 0 else -premium


def funding_rate_e9(premium_avg_e9: int, interest_e9: int, clamp_e9: int) -> int:
    """Rate per 8 hours: premium + clamp(interest - premium, +-clamp), exact (FORMULAS 3: F8h)."""
    move = interest_e9 - premium_avg_e9
    if move > clamp_e9:
        move = clamp_e9
    if move < -clamp_e9:
        move = -clamp_e9
    return premium_avg_e9 + move


def funding_hour_e9(rate_8h_e9: int, cap_e9: int, interval_ms: int) -> int:
    """Rate of one interval: the share of 8 hours, at most the hourly cap's share (FORMULAS 3).

    Towards zero. Bounds: |rate| <= PREMIUM_MAX_E9 + FUNDING_INTEREST_MAX_E9, 0 <= cap <=
    FUNDING_CAP_MAX_E9, 0 <= interval <= FUNDING_INTERVAL_MAX_MS.
    """
    rate = abs(rate_8h_e9) * interval_ms // (FUNDING_HOURS * HOUR_MS)
    cap = cap_e9 * interval_ms // HOUR_MS
    if rate > cap:
        rate = cap
    return rate if rate_8h_e9 > 0 else -rate


def power_of_two(exponent: int) -> int:
    """Return 2**exponent, 0 <= exponent <= 62."""
    power = 1
    for _ in range(exponent):
        power *= 2
    return power


def funding_shift(price_max: int, quantum_e6: int) -> int:
    """Largest k in 0..FUNDING_SHIFT_MAX with price * quantum * 2**k <= FUNDING_WORTH_MAX_E6.

    The precision of a market's funding index (FORMULAS 3): bits below 1e-6 quote per lot. 0 where
    none fits. Bound: price_max * quantum <= POSITION_NOTIONAL_MAX_E6.
    """
    worth = price_max * quantum_e6
    shift = 0
    for _ in range(FUNDING_SHIFT_MAX):
        if worth * 2 <= FUNDING_WORTH_MAX_E6:
            worth *= 2
            shift += 1
    return shift


def funding_index_step(oracle_ticks: int, quantum_e6: int, rate_e9: int, shift: int) -> int:
    """What a long of one lot pays for one interval, in 1e-6 quote / 2**shift (FORMULAS 3).

    Towards zero, so that neither side pays more than the rate. Bounds: |rate| <=
    FUNDING_RATE_MAX_E9, worth of the lot times 2**shift <= FUNDING_WORTH_MAX_E6, or shift 0.
    """
    worth = oracle_ticks * quantum_e6 * power_of_two(shift)
    rate = abs(rate_e9)
    step = worth // E9 * rate + worth % E9 * rate // E9
    return step if rate_e9 > 0 else -step


def funding_index_after(index: int, step: int) -> int:
    """Add a step to a funding index, which stops at +-FUNDING_INDEX_MAX (FORMULAS 3).

    All positions of a market read the one index, so that what is paid stays what is received.
    """
    after = index + step
    if after > FUNDING_INDEX_MAX:
        return FUNDING_INDEX_MAX
    if after < -FUNDING_INDEX_MAX:
        return -FUNDING_INDEX_MAX
    return after


def funding_payment(size: int, index_now: int, index_then: int, shift: int) -> int:
    """What a position of `size` lots pays since `index_then`, in 1e-6 quote (FORMULAS 3).

    size * (now - then) / 2**shift, rounded up: a payer pays the part, a receiver goes without it.
    Negative: it receives. Bounds: |size| <= PERPETUAL_LOTS_MAX, |index| <= FUNDING_INDEX_MAX; a
    payment of a thousand times the largest worth of a position saturates.
    """
    move = index_now - index_then
    if size < 0:
        move = -move
    return mul_div_ceil(move, abs(size), power_of_two(shift))


# --- margin ------------------------------------------------------------------------------------
def oi_scaled_initial(
    initial_e6: int, value_e6: int, oi_value_e6: int, lower_e6: int, upper_e6: int
) -> int:
    """Initial margin that grows with the market's open interest to the whole worth (FORMULAS 4).

    IM + share * (value - IM), share = (oi - lower) / (upper - lower) within 0..1; rounded up.
    `upper` 0 turns it off. Bounds: value <= POSITION_NOTIONAL_MAX_E6, the open interest and its two
    ends <= OPEN_INTEREST_MAX_E6.
    """
    if upper_e6 <= 0 or oi_value_e6 <= lower_e6 or initial_e6 >= value_e6:
        return initial_e6
    if oi_value_e6 >= upper_e6:
        return value_e6
    room = value_e6 - initial_e6
    return initial_e6 + mul_div_ceil(room, oi_value_e6 - lower_e6, upper_e6 - lower_e6)


def confidence_addon(initial_e6: int, confidence_ppm: int, most_ppm: int) -> int:
    """What a doubtful oracle adds to an initial margin, rounded up (FORMULAS 11, contingency).

    IM * most * (1 - confidence), the confidence within 0..1. Bounds: IM that of one position, at
    most twice POSITION_NOTIONAL_MAX_E6; most <= ADDON_MAX_PPM.
    """
    doubt_ppm = PPM - confidence_ppm
    if doubt_ppm <= 0:
        return 0
    if doubt_ppm > PPM:
        doubt_ppm = PPM
    return mul_div_ceil(initial_e6, doubt_ppm * most_ppm, PPM * PPM)


def margin_with_mark_holds(
    margin_e6: int,
    initial_mark_e6: int,
    sign: int,
    price: int,
    mark: int,
    lots: int,
    quantum_e6: int,
) -> bool:
    """Whether a margin opens `lots` at `price` as the mark sees it, exact (FORMULAS 15, Injective).

    margin >= the initial margin at the mark - the profit at the mark, which is negative where the
    price is worse than the mark; a profit is counted.
    """
    profit = sign * notional(mark - price, lots, quantum_e6)
    return margin_e6 >= initial_mark_e6 - profit


# --- liquidation -------------------------------------------------------------------------------
def close_out(maintenance_e6: int, close_ppm: int) -> int:
    """Close-out requirement, a part of maintenance, rounded up (FORMULAS 5: Ci; 6: 2/3 MM)."""
    return ppm_ceil(maintenance_e6, close_ppm)


def health(equity_e6: int, initial_e6: int, maintenance_e6: int, close_out_e6: int) -> int:
    """Standing of an account, of the five of FORMULAS 5.

    Each requirement is met by equity that equals it; bankrupt is below zero.
    """
    if equity_e6 < 0:
        return BANKRUPT
    if equity_e6 >= initial_e6:
        return HEALTHY
    if equity_e6 >= maintenance_e6:
        return PRE_LIQUIDATION
    if equity_e6 >= close_out_e6:
        return PARTIAL
    return FULL


def ratio_kept(
    equity_after_e6: int, required_after_e6: int, equity_before_e6: int, required_before_e6: int
) -> bool:
    """Whether equity over requirement has not fallen, exact (FORMULAS 5: pre-liquidation).

    Compares the cross products: with nothing required after, it holds unless equity is negative.
    Bounds: equity within +-EQUITY_MAX_E6, requirements >= 0, what 64 whole positions may be worth.
    """
    return products_in_order(
        equity_before_e6, required_after_e6, equity_after_e6, required_before_e6
    )


def zero_price(
    side_sign: int,
    mark: int,
    lots: int,
    quantum_e6: int,
    equity_e6: int,
    requirement_e6: int,
    freed_e6: int,
    price_max: int,
) -> int:
    """Price at which closing `lots` keeps equity over requirement as it is (FORMULAS 4, 5).

    z = mark - sign * equity * freed / (requirement * lots * quantum), in ticks; freed: by how much
    the requirement falls. Up for longs, down for shorts, clamped to [1, price_max]: while equity is
    not negative, no fill at z lowers equity / requirement. The two divisions floor one after the
    other, which is the floor of the one. With nothing required or closed, the mark.
    Bounds: |equity| <= EQUITY_MAX_E6, 0 <= freed <= requirement, worth as above.
    """
    price = mark
    if requirement_e6 > 0 and lots > 0:
        share_e6 = mul_div_floor(equity_e6, freed_e6, requirement_e6)
        price -= side_sign * (share_e6 // (lots * quantum_e6))
    if price < 1:
        return 1
    if price > price_max:
        return price_max
    return price


def fillable_price(
    side_sign: int,
    mark: int,
    equity_e6: int,
    requirement_e6: int,
    rate_ppm: int,
    adjust_ppm: int,
    spread_ppm: int,
    price_max: int,
) -> int:
    """Worst price that a liquidation may ask of the book (FORMULAS 4, with the sign of the code).

    mark * (1 - sign * ABR * spread * rate), ABR = clamp(adjust * (1 - equity / requirement), 0, 1);
    rate: the maintenance rate. Down for longs, up for shorts, clamped to [1, price_max]; ABR and
    spread * rate are floored to 1e-9. With nothing required, the mark. Bounds: |equity| <=
    EQUITY_MAX_E6, rate <= MARGIN_RATE_MAX_PPM, adjust <= 10 * PPM, spread <=
    LIQUIDATION_SPREAD_MAX_PPM.
    """
    if requirement_e6 <= 0 or equity_e6 >= requirement_e6:
        return mark
    near_e9 = mul_div_floor(requirement_e6 - equity_e6, adjust_ppm * 1_000, requirement_e6)
    if near_e9 > E9:
        near_e9 = E9
    discount = mul_div_ceil(mark, rate_ppm * spread_ppm // 1_000 * near_e9, E9 * E9)
    price = mark - side_sign * discount
    if price < 1:
        return 1
    if price > price_max:
        return price_max
    return price


def insurance_delta(fill_e6: int, bankruptcy_e6: int, fee_ppm: int) -> int:
    """What the insurance fund takes from a liquidation, or pays (negative) (FORMULAS 4).

    Both amounts are what the account receives, negative where it pays: by the fill, and at the
    bankruptcy price. Of an improvement the fund takes fee * |fill|, rounded up, at most all of it.
    Bounds: both within +-CASH_MAX_E6.
    """
    improvement = fill_e6 - bankruptcy_e6
    if improvement <= 0:
        return improvement
    fee = ppm_ceil(abs(fill_e6), fee_ppm)
    return fee if fee < improvement else improvement


def liquidation_price(
    sign: int, price: int, margin_available_e6: int, lots: int, quantum_e6: int, rate_ppm: int
) -> int:
    """Price at which equity meets maintenance, for display (FORMULAS 1: liq_px).

    price - sign * available / lots / (1 - sign * rate), available: equity less maintenance at
    `price`. Up for longs, down for shorts, within 0..PRICE_TICKS_MAX; 0 for a long: no price.
    Bound: |available| <= EQUITY_MAX_E6.
    """
    if lots <= 0:
        return 0
    room_e6 = mul_div_floor(margin_available_e6, PPM, PPM - sign * rate_ppm)
    found = price - sign * (room_e6 // (lots * quantum_e6))
    if found < 0:
        return 0
    if found > PRICE_TICKS_MAX:
        return PRICE_TICKS_MAX
    return found


def unhedged_lots(position: int, delta_value_e6: int, mark: int, quantum_e6: int) -> int:
    """Lots of a position that can be taken without breaking a hedge, floored (FORMULAS 5: ADL).

    delta_value_e6: the account's signed worth over all markets of the same index. Only what makes
    the delta is taken: nothing of a position against it, at most |delta| of one that bears it.
    """
    lots = abs(position)
    lot_e6 = mark * quantum_e6
    if lot_e6 <= 0 or (delta_value_e6 > 0) != (position > 0):
        return 0
    bare = abs(delta_value_e6) // lot_e6
    return bare if bare < lots else lots


# --- breakers and disposal ---------------------------------------------------------------------
def band_low(reference: int, down_ppm: int) -> int:
    """Lowest price inside a band: reference * (1 - down), rounded up (FORMULAS 7). down <= PPM."""
    return reference - reference * down_ppm // PPM


def band_high(reference: int, up_ppm: int) -> int:
    """Highest price inside a band: reference * (1 + up), rounded down (FORMULAS 7).

    Bound: up <= BAND_MAX_PPM; taken apart at PPM, as the whole product could pass int64.
    """
    return reference + reference // PPM * up_ppm + reference % PPM * up_ppm // PPM


def gap_auction_ms(gap_ms: int) -> int:
    """Length of the auction after a gap between blocks; 0: none (FORMULAS 7, long blocks)."""
    if gap_ms >= 24 * HOUR_MS:
        return 6 * HOUR_MS
    if gap_ms >= 6 * HOUR_MS:
        return 3 * HOUR_MS
    if gap_ms >= 10 * MINUTE_MS:
        return HOUR_MS
    if gap_ms >= MINUTE_MS:
        return 5 * MINUTE_MS
    if gap_ms >= 10_000:
        return MINUTE_MS
    return 0


def disposal_lots(position: int, full: int, part_ppm: int, volume_lots: int, share_ppm: int) -> int:
    """Lots of a taken-over position to be sold or bought back at once (FORMULAS 8).

    min(share * volume of the other side, floored; the whole of up to `full` lots, else a part,
    rounded up). Unsigned. Bounds: the part and the share <= PPM, any sum of lots as volume.
    """
    lots = abs(position)
    if lots > full:
        lots = ppm_ceil(lots, part_ppm)
    most = volume_lots // PPM * share_ppm + volume_lots % PPM * share_ppm // PPM
    return most if most < lots else lots


def disposal_price(side: int, book_price: int, bound_price: int) -> int:
    """Limit price of a disposal, `side` 0 buying, 1 selling, in ticks (FORMULAS 8).

    bound_price: the end of the tightest band towards which the order moves the price. The order
    stays one tick inside it, and so never starts an auction.
    """
    if side == 0:
        inside = bound_price - 1
        return book_price if book_price < inside else inside
    inside = bound_price + 1
    return book_price if book_price > inside else inside
