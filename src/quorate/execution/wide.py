"""Products of two int64 that pass 64 bits, and their quotients, in limbs of 31 bits.

A wide number is high * 2**62 + low with 0 <= low < 2**62; the two parts come from two functions,
since a rule returns one integer. No intermediate passes int64 within the stated bounds: the bound
of each sum stands beside it. The same subset of the language as `rules`; compiled from this source.
"""

from quorate.types.limits import LIMB, QUOTIENT_MAX, WIDE_LOW


def product_high(a: int, b: int) -> int:
    """Return a * b // 2**62 for 0 <= a, b < 2**63 and a * b < 2**124; below 2**62."""
    a_top = a // LIMB  # below 2**32
    a_rest = a % LIMB
    b_top = b // LIMB
    b_rest = b % LIMB
    left = a_rest * b_top + a_rest * b_rest // LIMB  # (2**31 - 1) * (2**32 - 1) + 2**31 < 2**63
    right = a_top * b_rest + left % LIMB
    return a_top * b_top + left // LIMB + right // LIMB


def product_low(a: int, b: int) -> int:
    """Return a * b % 2**62 for 0 <= a, b < 2**63."""
    a_rest = a % LIMB
    b_rest = b % LIMB
    least = a_rest * b_rest
    left = a_rest * (b // LIMB) + least // LIMB
    right = a // LIMB * b_rest + left % LIMB
    return right % LIMB * LIMB + least % LIMB


def wide_quotient(high: int, low: int, divisor: int) -> int:
    """Return (high * 2**62 + low) // divisor for 0 <= high < divisor; below 2**62.

    Two digits by Knuth's long division (The Art of Computer Programming 2, 4.3.1 D): with the
    divisor scaled to [2**62, 2**63), a guess from its upper 32 bits is too large by at most one.
    """
    if high == 0:
        return low // divisor
    top = divisor
    scale = 1
    if top < 2**31:
        top *= 2**32
        scale *= 2**32
    if top < 2**47:
        top *= 2**16
        scale *= 2**16
    if top < 2**55:
        top *= 2**8
        scale *= 2**8
    if top < 2**59:
        top *= 2**4
        scale *= 2**4
    if top < 2**61:
        top *= 2**2
        scale *= 2**2
    if top < 2**62:
        top *= 2
        scale *= 2
    beyond = WIDE_LOW // scale
    rest = high * scale + low // beyond  # below top, as high < divisor
    low = low % beyond * scale
    top_high = top // LIMB  # in [2**31, 2**32)
    top_low = top % LIMB
    quotient = 0
    for _ in range(2):
        guess = rest // top_high  # at most 2**31
        rest = (rest - guess * top_high) * LIMB + low // LIMB - guess * top_low
        low = low % LIMB * LIMB
        if rest < 0:  # above -2**62, and top is at least 2**62
            guess -= 1
            rest += top
        quotient = quotient * LIMB + guess
    return quotient


def mul_div(a: int, b: int, c: int, up: bool) -> int:
    """Return a * b / c, rounded up or down as `up` says; exact rounding, no error.

    Bounds: |a| < 2**63, 0 <= b < 2**63, 0 < c < 2**63, |a * b| < 2**124. A result beyond
    +-QUOTIENT_MAX is +-QUOTIENT_MAX.
    """
    size = a
    if a < 0:
        size = -a
    high = product_high(size, b)
    low = product_low(size, b)
    if high >= c:
        return -QUOTIENT_MAX if a < 0 else QUOTIENT_MAX
    quotient = wide_quotient(high, low, c)
    if (a < 0) != up:
        # Away from zero: one more, unless the division came out even.
        if product_low(quotient, c) != low or product_high(quotient, c) != high:
            quotient += 1
    return -quotient if a < 0 else quotient


def mul_div_floor(a: int, b: int, c: int) -> int:
    """Return a * b // c, rounded down. Bounds as for `mul_div`."""
    return mul_div(a, b, c, False)


def mul_div_ceil(a: int, b: int, c: int) -> int:
    """Return a * b / c, rounded up. Bounds as for `mul_div`."""
    return mul_div(a, b, c, True)


def sizes_in_order(a: int, b: int, c: int, d: int) -> bool:
    """Whether a * b <= c * d, exactly, for factors in [0, 2**63) and products below 2**124."""
    left = product_high(a, b)
    right = product_high(c, d)
    if left != right:
        return left < right
    return product_low(a, b) <= product_low(c, d)


def products_in_order(a: int, b: int, c: int, d: int) -> bool:
    """Whether a * b <= c * d, exactly. |a|, |c| < 2**63; 0 <= b, d < 2**63; products < 2**124."""
    if a < 0:
        if c >= 0:
            return True
        return sizes_in_order(-c, d, -a, b)
    if c < 0:
        return (a == 0 or b == 0) and d == 0
    return sizes_in_order(a, b, c, d)
