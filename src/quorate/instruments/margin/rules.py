"""Scalar rules of option margin: integers in, integers out; one source for spec, kernel and proof.

The same subset of the language as `execution.rules`. A requirement is what equity at marks must
reach; a loss is positive; rounding goes against the account. `_ppm` is 1e-6, `_e6` 1e-6 of the
quote. Worths are at most SCAN_WORTH_MAX_E6 in sum.
"""

from quorate.instruments.margin.layout import CALL, PERPETUAL, PUT
from quorate.types.limits import PPM, SCAN_FACTOR_MAX_PPM

QUOTE_SOUND_PPM = 990_000  # below it the quote asset is taken to lose its peg
QUOTE_FACTOR = 4


# --- kinds of series ----------------------------------------------------------------------------
def is_linear(kind: int) -> bool:
    """Whether a series is a spot balance or a perpetual, which move as the index does."""
    return kind <= PERPETUAL


def is_option(kind: int) -> bool:
    """Whether a series is a European option."""
    return CALL <= kind <= PUT


# --- shares -------------------------------------------------------------------------------------


def share_up(amount: int, rate_ppm: int) -> int:
    """Return amount * rate / 1e6, rounded up; either sign of the amount, rate in 0..4 * PPM.

    Taken apart at 1e6, so that no intermediate passes the larger of amount and result.
    """
    return amount // PPM * rate_ppm - (-(amount % PPM * rate_ppm)) // PPM


def share_down(amount: int, rate_ppm: int) -> int:
    """Return amount * rate / 1e6, rounded down; bounds as for `share_up`."""
    return amount // PPM * rate_ppm + amount % PPM * rate_ppm // PPM


# --- standard margin: per lot, in ticks ---------------------------------------------------------
def out_of_money(index: int, strike: int, call: bool) -> int:
    """Ticks by which an option is out of the money, 0 in it."""
    gap = strike - index
    if not call:
        gap = -gap
    return gap if gap > 0 else 0


def short_call_maintenance(index: int, mark: int, rate_ppm: int) -> int:
    """Ticks a short call needs of cash: rate * S + mark (FORMULAS 11, 9)."""
    return share_up(index, rate_ppm) + mark


def short_put_maintenance(index: int, mark: int, rate_ppm: int, mark_rate_ppm: int) -> int:
    """Ticks a short put needs of cash: max(rate * S, mark_rate * mark) + mark (FORMULAS 11, 9)."""
    of_index = share_up(index, rate_ppm)
    of_mark = share_up(mark, mark_rate_ppm)
    return (of_index if of_index > of_mark else of_mark) + mark


def short_initial(
    index: int, strike: int, mark: int, call: bool, most_ppm: int, least_ppm: int
) -> int:
    """Ticks a short option needs of cash: max(most * S - OTM, least * S) + mark (FORMULAS 11, 9).

    For a put this is before the bound by its maintenance margin (`short_put_initial`).
    """
    near = share_up(index, most_ppm) - out_of_money(index, strike, call)
    least = share_up(index, least_ppm)
    return (near if near > least else least) + mark


def short_put_initial(initial: int, maintenance: int, offset_ppm: int) -> int:
    """Initial margin of a short put: at least offset * its maintenance (FORMULAS 11: 1.05)."""
    least = share_up(maintenance, offset_ppm)
    return initial if initial > least else least


def exotic_requirement(
    mark: int, worst: int, payoff_max: int, index: int, loss_ppm: int, floor_ppm: int
) -> int:
    """Ticks a short exotic needs of cash: its worst price in the scan, and a floor.

    mark + loss * (worst - mark) + floor * min(S, payoff_max), at most payoff_max. worst: the
    highest price over the regular scenarios, found by its own payoff. Not less than the mark.
    """
    rise = worst - mark
    if rise < 0:
        rise = 0
    base = index if index < payoff_max else payoff_max
    return within_payoff(mark + share_up(rise, loss_ppm) + share_up(base, floor_ppm), payoff_max)


def within_payoff(requirement: int, payoff_max: int) -> int:
    """A short lot never needs more than the most that it can pay."""
    return requirement if requirement < payoff_max else payoff_max


def option_payoff(strike: int, price: int, call: bool, payoff_max: int) -> int:
    """Payoff in ticks of a European option that settles at `price`, within [0, payoff_max]."""
    gain = price - strike
    if not call:
        gain = -gain
    if gain < 0:
        return 0
    return gain if gain < payoff_max else payoff_max


def offset_needed(isolated_e6: int, worst_payoff_e6: int, unpaired_e6: int, rate_ppm: int) -> int:
    """Cash one expiry needs: per leg, or its largest payoff at any strike (FORMULAS 11).

    isolated: the sum of the short legs; worst_payoff: the least over 0 and the strikes; unpaired:
    worth of the calls at the forward, of which what is short counts at `rate`. The smaller of both.
    """
    loss_e6 = 0
    if worst_payoff_e6 < 0:
        loss_e6 = -worst_payoff_e6
    if unpaired_e6 < 0:
        loss_e6 += share_up(-unpaired_e6, rate_ppm)
    return isolated_e6 if isolated_e6 < loss_e6 else loss_e6


def doubt(worth_e6: int, confidence_ppm: int, threshold_ppm: int) -> int:
    """What a doubtful price adds to an initial margin: (1 - confidence) * worth (FORMULAS 11)."""
    if confidence_ppm >= threshold_ppm:
        return 0
    return share_up(worth_e6, PPM - confidence_ppm)


# --- portfolio margin ---------------------------------------------------------------------------
def discounted(value_e6: int, discount_ppm: int, markup_ppm: int) -> int:
    """Value of one expiry in a scenario after the static discount, floored (FORMULAS 12).

    A value above zero shrinks, one below zero grows: discount <= PPM <= markup. Then the value of
    two parts together is never below the sum of theirs, but for one unit of rounding.
    """
    if value_e6 > 0:
        return share_down(value_e6, discount_ppm)
    return share_down(value_e6, markup_ppm)


def worse_of_pair(up_e6: int, down_e6: int, weight_ppm: int) -> int:
    """Result of one expiry under a shock of either sign: the worse, never a gain (FORMULAS 12)."""
    worse = up_e6 if up_e6 < down_e6 else down_e6
    if worse >= 0:
        return 0
    return share_down(worse, weight_ppm)


def scan_loss(result_e6: int, dampening_ppm: int) -> int:
    """Loss that counts of one scenario; a gain is none (FORMULAS 12)."""
    if result_e6 >= 0:
        return 0
    return share_up(-result_e6, dampening_ppm)


def grouped_loss(apart_e6: int, together_e6: int, offset_ppm: int) -> int:
    """Loss of a correlation group of underlyings: apart - offset * (apart - together), rounded up.

    apart: the sum of each underlying's own worst scenario; together: the worst scenario of them
    all, moved alike. Never below `together` nor above `apart`; the offset is at most PPM.
    """
    if apart_e6 <= together_e6:
        return together_e6
    return apart_e6 - share_down(apart_e6 - together_e6, offset_ppm)


def bid_loss(worth_e6: int, mark_e6: int, discount_ppm: int) -> int:
    """What one bought lot can lose in a scenario: mark - discounted worth, not below 0."""
    loss = mark_e6 - share_down(worth_e6, discount_ppm)
    return loss if loss > 0 else 0


def ask_loss(worth_e6: int, mark_e6: int, markup_ppm: int) -> int:
    """What one sold lot can lose in a scenario: marked-up worth - mark, not below 0."""
    loss = share_up(worth_e6, markup_ppm) - mark_e6
    return loss if loss > 0 else 0


def fillable_loss(
    total_e6: int, lot_e6: int, first_e6: int, second_e6: int, guard_lots: int
) -> int:
    """Loss of the worst subset of guarded orders that can fill (FORMULAS 12, open orders).

    total: if all filled; lot: the largest per lot; first, second: the two largest series'. The
    guard stops the rest after `guard_lots` >= 1 lots, but two series may fill at once. Without
    overflow, as the product is formed only where it is below the total.
    """
    two = first_e6 + second_e6
    if lot_e6 <= 0 or guard_lots >= total_e6 // lot_e6 + 1:
        return total_e6
    capped = guard_lots * lot_e6
    if capped < two:
        capped = two
    return capped if capped < total_e6 else total_e6


def requirement(worst_e6: int, factor_ppm: int, contingency_e6: int) -> int:
    """Requirement by the scan: factor * worst loss + contingencies (FORMULAS 12)."""
    return share_up(worst_e6, factor_ppm) + contingency_e6


def scan_factor_ppm(quote_ppm: int) -> int:
    """Factor of the initial loss: 1 + 4 * (0.99 - price of the quote asset), from 1 to 2.

    FORMULAS 12. quote_ppm: what one unit of the quote asset is worth.
    """
    if quote_ppm >= QUOTE_SOUND_PPM:
        return PPM
    factor = PPM + QUOTE_FACTOR * (QUOTE_SOUND_PPM - quote_ppm)
    return factor if factor < SCAN_FACTOR_MAX_PPM else SCAN_FACTOR_MAX_PPM
