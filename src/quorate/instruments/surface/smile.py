"""One expiry's smile: total variance over log-moneyness, by five integers and a unit.

The form is SVI (Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces", 2014) in units of
the money: with v the deviation (volatility times the root of time) of the smile's own unit
volatility, x = ln(K / F) / v and omega = total variance / v**2,

    omega(x) = alpha + ((right - left) (x - middle) + (right + left) root((x - middle)**2
               + width**2)) / 2.

`left` and `right` are the slopes of the two wings. All five are in 1 / UNIT, and of the size of one
at every expiry, which keeps a 30-bit fraction exact enough from an hour to three years. A smile is
a function of x: it moves with the forward, and its volatilities stand while time passes.

Why passing time makes no arbitrage: with all volatilities kept, total variance shrinks by one
factor l <= 1, and Durrleman's g becomes A - l B - l**2 C + l D, concave in l, not negative at 0
(A is a square) nor at 1; and of two smiles the nearer one's factor is the smaller.

Scalar rules: integers in, integers out, one source for plain Python and machine code. `_fp` is
1 / 2**40, as in pricing; everything without a suffix is in 1 / UNIT.
"""

from quorate.instruments.pricing.black76 import deviation_fp
from quorate.instruments.pricing.fixed import ln_q52

# A smile is one row of int64: these columns. Its time is that for which it was fitted.
UNIT_VOL_E9, ALPHA, LEFT, RIGHT, MIDDLE, WIDTH, FIT_TIME_MS = 0, 1, 2, 3, 4, 5, 6
SMILE_FIELDS = 7

UNIT = 2**30
HALF_DIGIT = 2**15
PLACE_MAX = 2**42  # of a strike: 4,096 deviations from the forward
SLOPE_MAX = 2 * UNIT
MIDDLE_MAX = 4 * UNIT
WIDTH_MIN = UNIT // 16
WIDTH_MAX = 3 * UNIT
VARIANCE_MIN = UNIT // 64  # nowhere is the volatility below an eighth of the unit volatility
SMILE_VOL_MIN_E9 = 10_000_000
SMILE_VOL_MAX_E9 = 5_000_000_000


def scaled(a: int, b: int) -> int:
    """Return a * b / UNIT, rounded down, exactly. Bounds: |a * b| < 2**77, |b| < 2**47."""
    return (a // HALF_DIGIT * b + a % HALF_DIGIT * b // HALF_DIGIT) // HALF_DIGIT


def ratio(a: int, b: int) -> int:
    """Return UNIT * a / b, rounded down, exactly. Bounds: 0 <= a, 0 < b < 2**47, a / b < 2**32."""
    rest = a % b * HALF_DIGIT
    whole = a // b * HALF_DIGIT + rest // b
    return whole * HALF_DIGIT + rest % b * HALF_DIGIT // b


def square_root(n: int) -> int:
    """Return the root of n, rounded down. Bound: 0 <= n < 2**62.

    Newton's iteration from above: the guess is at most twice the root, so five steps leave an error
    below one, and the last two lines settle it.
    """
    if n < 2:
        return n
    guess = 2
    rest = n
    for bits in (16, 8, 4, 2, 1):
        if rest >= 4**bits:
            rest //= 4**bits
            guess *= 2**bits
    for _ in range(5):
        guess = (guess + n // guess) // 2
    if guess * guess > n:
        guess -= 1
    return guess


def hypotenuse(a: int, b: int) -> int:
    """Return the root of a**2 + b**2, off by less than one part in 2**28. |a|, |b| < 2**44."""
    size = abs(a)
    other = abs(b)
    if other > size:
        size = other
    drop = 1
    for _ in range(15):
        if size < UNIT:
            break
        size //= 2
        drop *= 2
    a //= drop
    b //= drop
    return square_root(a * a + b * b) * drop


def variance_at(x: int, alpha: int, left: int, right: int, middle: int, width: int) -> int:
    """Return omega at x, |x| <= PLACE_MAX; at least VARIANCE_MIN.

    Off by at most one part in 2**28 of what the two wings rise from `middle` to x.
    """
    away = x - middle
    across = scaled(away, right - left) + scaled(hypotenuse(away, width), right + left)
    found = alpha + across // 2
    return found if found > VARIANCE_MIN else VARIANCE_MIN


def variance_least(alpha: int, left: int, right: int, width: int) -> int:
    """Return the least omega of a smile, rounded down."""
    return alpha + scaled(width, square_root(left * right))


def deviation_ratio(variance: int) -> int:
    """Return the root of omega, off by one and one part in 2**29; 0 <= omega < 2**48."""
    spread = 2**30
    scale = 1
    for _ in range(8):
        if variance < 2**62 // spread:
            break
        spread //= 4
        scale *= 2
    return square_root(variance * spread) * scale


def place_of(forward: int, strike: int, unit_fp: int) -> int:
    """Return x of a strike, toward zero, within +-PLACE_MAX; unit_fp is v, above zero."""
    log_fp = (ln_q52(strike) - ln_q52(forward)) // 2**12
    size = abs(log_fp)
    if size // unit_fp >= PLACE_MAX // UNIT:
        return PLACE_MAX if log_fp > 0 else -PLACE_MAX
    place = ratio(size, unit_fp)
    return place if log_fp > 0 else -place


def smile_deviation_fp(
    unit_fp: int,
    alpha: int,
    left: int,
    right: int,
    middle: int,
    width: int,
    forward: int,
    strike: int,
) -> int:
    """Return the deviation (root of the total variance) of a strike, rounded down; unit_fp is v."""
    x = place_of(forward, strike, unit_fp)
    return scaled(unit_fp, deviation_ratio(variance_at(x, alpha, left, right, middle, width)))


def vol_e9_at(
    unit_vol_e9: int,
    alpha: int,
    left: int,
    right: int,
    middle: int,
    width: int,
    forward: int,
    strike: int,
    time_ms: int,
) -> int:
    """Return the volatility of a strike, in 1e-9 a year, within what pricing admits.

    time_ms: the time to expiry for which the smile was fitted. Not the time that is left: a smile's
    volatilities stand while time passes.
    """
    unit_fp = deviation_fp(unit_vol_e9, time_ms)
    x = place_of(forward, strike, unit_fp)
    found = scaled(unit_vol_e9, deviation_ratio(variance_at(x, alpha, left, right, middle, width)))
    if found < SMILE_VOL_MIN_E9:
        return SMILE_VOL_MIN_E9
    return found if found < SMILE_VOL_MAX_E9 else SMILE_VOL_MAX_E9
