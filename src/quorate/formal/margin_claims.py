"""The scalar rules of option margin: exact shares, and what makes legs together no dearer.

`margin_accounts` takes whole accounts through the code.
"""

from typing import Final

from quorate.formal.claims import Claim, Range
from quorate.formal.hints import assume, shown
from quorate.instruments.margin.layout import DAMPENING_PPM
from quorate.instruments.margin.rules import (
    ask_loss,
    bid_loss,
    discounted,
    doubt,
    exotic_requirement,
    fillable_loss,
    grouped_loss,
    offset_needed,
    option_payoff,
    out_of_money,
    requirement,
    scan_factor_ppm,
    scan_loss,
    share_down,
    share_up,
    short_call_maintenance,
    short_initial,
    short_put_initial,
    short_put_maintenance,
    worse_of_pair,
)
from quorate.types.limits import (
    PPM,
    PRICE_TICKS_MAX,
    SCAN_FACTOR_MAX_PPM,
    SCAN_WORTH_MAX_E6,
)


# --- scalar rules --------------------------------------------------------------------------------
def share_is_exact(amount: int, rate_ppm: int) -> bool:
    """share_up and share_down are amount * rate / 1e6, rounded up and down."""
    up = share_up(amount, rate_ppm)
    down = share_down(amount, rate_ppm)
    exact = amount * rate_ppm
    highest = up * PPM >= exact and (up - 1) * PPM < exact
    return highest and down * PPM <= exact and (down + 1) * PPM > exact


def discount_is_concave(a: int, b: int, discount_ppm: int, markup_ppm: int) -> bool:
    """Two values together are worth what both are apart, but for a unit; none gains by it."""
    together = discounted(a + b, discount_ppm, markup_ppm)
    apart = discounted(a, discount_ppm, markup_ppm) + discounted(b, discount_ppm, markup_ppm)
    shown(abs(a) * discount_ppm <= abs(a) * markup_ppm)
    shown(abs(b) * discount_ppm <= abs(b) * markup_ppm)
    shown(abs(a + b) * discount_ppm <= abs(a + b) * markup_ppm)
    shown(abs(a) * discount_ppm <= abs(a) * PPM and abs(a) * PPM <= abs(a) * markup_ppm)
    return apart <= together + 1 and discounted(a, discount_ppm, markup_ppm) <= a


def pair_is_concave(
    up_a: int, down_a: int, up_b: int, down_b: int, weight_ppm: int
) -> bool:
    """Of two legs together the worse shock costs at most what it costs of each, but for a unit."""
    together = worse_of_pair(up_a + up_b, down_a + down_b, weight_ppm)
    apart = worse_of_pair(up_a, down_a, weight_ppm) + worse_of_pair(up_b, down_b, weight_ppm)
    worse_a = min(up_a, down_a, 0)
    worse_b = min(up_b, down_b, 0)
    both = min(up_a + up_b, down_a + down_b, 0)
    shown((both - worse_a - worse_b) * weight_ppm >= 0)
    return apart <= together + 1 and together <= 0


def loss_is_convex(a: int, b: int, dampening_ppm: int) -> bool:
    """A loss of two results together is at most both losses; a smaller result never loses less."""
    together = scan_loss(a + b, dampening_ppm)
    apart = scan_loss(a, dampening_ppm) + scan_loss(b, dampening_ppm)
    least = min(a, b)
    for each in (a, b, a + b, least):
        lost = scan_loss(each, dampening_ppm)
        shown(lost * PPM >= max(0, -each) * dampening_ppm)
        shown((lost - 1) * PPM < max(0, -each) * dampening_ppm)
    shown(max(0, -a) * dampening_ppm <= max(0, -least) * dampening_ppm)
    shown(max(0, -(a + b)) * dampening_ppm <= (max(0, -a) + max(0, -b)) * dampening_ppm)
    ordered = scan_loss(a, dampening_ppm) <= scan_loss(least, dampening_ppm)
    return together <= apart and ordered


def regular_loss_is_whole(result_e6: int) -> bool:
    """Of a scenario that is not dampened the whole loss counts."""
    return scan_loss(result_e6, PPM) == max(0, -result_e6)


def group_is_between(apart_e6: int, together_e6: int, offset_ppm: int) -> bool:
    """A correlation group needs at least its loss together, at most its losses apart."""
    found = grouped_loss(apart_e6, together_e6, offset_ppm)
    return together_e6 <= found and found <= max(apart_e6, together_e6)


def orders_are_between(
    total_e6: int, lot_e6: int, first_e6: int, second_e6: int, guard_lots: int
) -> bool:
    """Guarded orders reserve at most all of them, and the two largest series where these fit."""
    assume(first_e6 + second_e6 <= total_e6)
    found = fillable_loss(total_e6, lot_e6, first_e6, second_e6, guard_lots)
    return found <= total_e6 and found >= first_e6 + second_e6


def lot_losses_hold(worth_e6: int, mark_e6: int, discount_ppm: int, markup_ppm: int) -> bool:
    """An order's lot loses at least what it is worth less, or more, after the discount."""
    bid = bid_loss(worth_e6, mark_e6, discount_ppm)
    ask = ask_loss(worth_e6, mark_e6, markup_ppm)
    shown(worth_e6 * discount_ppm <= worth_e6 * PPM and worth_e6 * PPM <= worth_e6 * markup_ppm)
    return bid >= max(0, mark_e6 - worth_e6) and ask >= max(0, worth_e6 - mark_e6)


def exotic_is_between(
    mark: int, worst: int, payoff_max: int, index: int, loss_ppm: int, floor_ppm: int
) -> bool:
    """A short exotic needs at least its mark, at most what it can pay, all of its rise at 1."""
    assume(mark <= payoff_max and worst <= payoff_max)
    found = exotic_requirement(mark, worst, payoff_max, index, loss_ppm, floor_ppm)
    whole = exotic_requirement(mark, worst, payoff_max, index, PPM, floor_ppm)
    return mark <= found and found <= payoff_max and max(worst, mark) <= whole


def short_options_are_ordered(
    index: int, strike: int, mark: int, most_ppm: int, least_ppm: int, short_ppm: int
) -> bool:
    """A short option needs at least its mark, a put initially at least its maintenance."""
    assume(least_ppm <= most_ppm)
    call = short_initial(index, strike, mark, True, most_ppm, least_ppm)
    put = short_initial(index, strike, mark, False, most_ppm, least_ppm)
    kept = short_put_maintenance(index, mark, short_ppm, short_ppm)
    first = short_put_initial(put, kept, 1_050_000)
    marked = min(call, put, short_call_maintenance(index, mark, short_ppm), kept) >= mark
    gaps = out_of_money(index, strike, True) + out_of_money(index, strike, False)
    return marked and first >= kept and gaps == abs(index - strike)


def offset_is_between(isolated_e6: int, worst_e6: int, calls_e6: int, rate_ppm: int) -> bool:
    """An expiry never needs more than its legs one by one, and nothing below zero."""
    found = offset_needed(isolated_e6, worst_e6, calls_e6, rate_ppm)
    return 0 <= found and found <= isolated_e6


def requirement_is_monotone(
    worst_e6: int, more_e6: int, factor_ppm: int, contingency_e6: int, quote_ppm: int
) -> bool:
    """A larger loss never needs less; the factor of a doubtful quote asset is from 1 to 2."""
    assume(worst_e6 <= more_e6)
    shown(worst_e6 * factor_ppm <= more_e6 * factor_ppm)
    less = requirement(worst_e6, factor_ppm, contingency_e6)
    factor = scan_factor_ppm(quote_ppm)
    within = PPM <= factor and factor <= SCAN_FACTOR_MAX_PPM
    return less <= requirement(more_e6, factor_ppm, contingency_e6) and within


def payoff_within(strike: int, price: int, payoff_max: int, more: int) -> bool:
    """A European payoff stays in its bounds, and moves by at most as much as the price does."""
    call = option_payoff(strike, price, True, payoff_max)
    put = option_payoff(strike, price, False, payoff_max)
    moved = option_payoff(strike, price + more, True, payoff_max)
    bounded = 0 <= min(call, put) and max(call, put) <= payoff_max
    return bounded and call <= moved and moved <= call + more and min(call, put) == 0


def doubt_holds(worth_e6: int, confidence_ppm: int, threshold_ppm: int) -> bool:
    """What a doubtful price adds is a part of the worth."""
    found = doubt(worth_e6, confidence_ppm, threshold_ppm)
    return 0 <= found and found <= worth_e6


SUM: Final[Range] = (-4 * SCAN_WORTH_MAX_E6, 4 * SCAN_WORTH_MAX_E6)
VALUE: Final[Range] = (-SCAN_WORTH_MAX_E6, SCAN_WORTH_MAX_E6)
DAMPENINGS: Final = tuple(sorted({int(each) for each in DAMPENING_PPM}))
WORTH: Final[Range] = (0, SCAN_WORTH_MAX_E6)
PRICE: Final[Range] = (1, PRICE_TICKS_MAX)
AMOUNT: Final[Range] = (0, PRICE_TICKS_MAX)
SHARE: Final[Range] = (0, PPM)
MARKUP: Final[Range] = (PPM, SCAN_FACTOR_MAX_PPM)
CLAIMS: Final = [
    Claim(share_is_exact, {"amount": SUM, "rate_ppm": (0, 2 * PPM)}),
    Claim(
        discount_is_concave,
        {"a": VALUE, "b": VALUE, "discount_ppm": SHARE, "markup_ppm": MARKUP},
    ),
    Claim(
        pair_is_concave,
        {**dict.fromkeys(("up_a", "down_a", "up_b", "down_b"), VALUE), "weight_ppm": SHARE},
    ),
    Claim(loss_is_convex, {"a": SUM, "b": SUM}, {"dampening_ppm": DAMPENINGS}),
    Claim(regular_loss_is_whole, {"result_e6": SUM}),
    Claim(
        group_is_between,
        {"apart_e6": WORTH, "together_e6": WORTH, "offset_ppm": SHARE},
    ),
    Claim(
        orders_are_between,
        {
            **dict.fromkeys(("total_e6", "lot_e6", "first_e6", "second_e6"), WORTH),
            "guard_lots": (1, 2**62),
        },
    ),
    Claim(
        lot_losses_hold,
        {"worth_e6": WORTH, "mark_e6": WORTH, "discount_ppm": SHARE, "markup_ppm": MARKUP},
    ),
    Claim(
        exotic_is_between,
        {
            **dict.fromkeys(("mark", "worst", "payoff_max"), AMOUNT),
            "index": PRICE,
            "loss_ppm": SHARE,
            "floor_ppm": SHARE,
        },
    ),
    Claim(
        short_options_are_ordered,
        {
            **dict.fromkeys(("index", "strike"), PRICE),
            "mark": AMOUNT,
            **dict.fromkeys(("most_ppm", "least_ppm", "short_ppm"), SHARE),
        },
    ),
    Claim(
        offset_is_between,
        {"isolated_e6": WORTH, "worst_e6": VALUE, "calls_e6": VALUE, "rate_ppm": MARKUP},
    ),
    Claim(
        requirement_is_monotone,
        {
            "worst_e6": WORTH,
            "more_e6": WORTH,
            "factor_ppm": (0, SCAN_FACTOR_MAX_PPM),
            "contingency_e6": WORTH,
            "quote_ppm": (0, 2 * PPM),
        },
    ),
    Claim(
        payoff_within,
        {"strike": PRICE, "price": AMOUNT, "payoff_max": AMOUNT, "more": AMOUNT},
    ),
    Claim(
        doubt_holds,
        {"worth_e6": WORTH, "confidence_ppm": SHARE, "threshold_ppm": SHARE},
    ),
]
