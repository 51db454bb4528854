"""Seeded arguments for each rule of the clearing house, up to the bounds that its docstring states.

Every second number or so is at an end of its range or beside a power of two: that is where an
intermediate would pass int64. `CASES` gives, for each rule, a function from a generator to a row.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from quorate.execution import risk_rules, wide
from quorate.types import limits as lim

Row = tuple[int, ...]

WORTH = lim.POSITION_NOTIONAL_MAX_E6
EQUITY = lim.EQUITY_MAX_E6
PRICE = lim.PRICE_TICKS_MAX
LOTS = lim.PERPETUAL_LOTS_MAX
TIME = lim.TIME_MS_MAX
INDEX = lim.FUNDING_INDEX_MAX
WHOLE = 2 * lim.POSITIONS_PER_ACCOUNT_MAX * WORTH  # the initial margin of a whole account


def number(rnd: Random, low: int, high: int) -> int:
    """Draw from low..high: an end, a power of two and its neighbours, or any order of magnitude."""
    kind = rnd.random()
    if kind < 0.2 or low == high:
        return rnd.choice((low, high))
    bits = max(abs(low), abs(high)).bit_length()
    drawn = 2 ** rnd.randrange(bits + 1) + rnd.randrange(-1, 2)
    if kind > 0.4:
        drawn = rnd.getrandbits(rnd.randrange(1, bits + 1))
    if low < 0 and rnd.random() < 0.5:
        drawn = -drawn
    return min(max(drawn, low), high)


def drawn(*ranges: tuple[int, int]) -> Callable[[Random], Row]:
    """Make a case of independent arguments."""
    return lambda rnd: tuple([number(rnd, low, high) for low, high in ranges])


def factors(rnd: Random) -> tuple[int, int]:
    """Draw two factors whose product stays below 2**124."""
    a = number(rnd, 0, 2**63 - 1)
    return a, number(rnd, 0, min(2**63 - 1, (2**124 - 1) // max(a, 1)))


def quotient_row(rnd: Random) -> Row:
    a, b = factors(rnd)
    return rnd.choice((1, -1)) * a, b, number(rnd, 1, 2**63 - 1)


def order_row(rnd: Random) -> Row:
    a, b = factors(rnd)
    c, d = (a, b) if rnd.random() < 0.2 else factors(rnd)
    c = min(c + rnd.randrange(2), (2**124 - 1) // max(d, 1), 2**63 - 1)
    return rnd.choice((1, -1)) * a, b, rnd.choice((1, -1)) * c, d


def market(rnd: Random) -> tuple[int, int, int]:
    """Draw a highest price, lots and a quantum, their product within a position's worth."""
    price = number(rnd, 1, PRICE)
    lots = number(rnd, 1, min(LOTS, WORTH // price))
    return price, lots, number(rnd, 1, min(lim.QUANTUM_E6_MAX, WORTH // (price * lots)))


def sign(rnd: Random) -> int:
    return rnd.choice((1, -1))


def shift_row(rnd: Random) -> Row:
    price, _, quantum = market(rnd)
    return price, quantum


def step_row(rnd: Random) -> Row:
    price, _, quantum = market(rnd)
    most = lim.FUNDING_RATE_MAX_E9
    shift = risk_rules.funding_shift(price, quantum)
    return number(rnd, 0, price), quantum, number(rnd, -most, most), shift


def mark_margin_row(rnd: Random) -> Row:
    price, lots, quantum = market(rnd)
    paid, mark = rnd.sample((price, number(rnd, 1, price)), 2)
    return (
        number(rnd, 0, EQUITY), number(rnd, 0, WHOLE), sign(rnd), paid, mark, lots, quantum
    )  # fmt: skip


def zero_price_row(rnd: Random) -> Row:
    price, lots, quantum = market(rnd)
    required = number(rnd, 0, WHOLE)
    return (
        sign(rnd), number(rnd, 1, price), lots, quantum, number(rnd, -EQUITY, EQUITY), required,
        number(rnd, 0, required), price,
    )  # fmt: skip


def fillable_row(rnd: Random) -> Row:
    price = number(rnd, 1, PRICE)
    return (
        sign(rnd), number(rnd, 1, price), number(rnd, -EQUITY, EQUITY), number(rnd, 0, WHOLE),
        number(rnd, 0, lim.MARGIN_RATE_MAX_PPM), number(rnd, 0, 10 * lim.PPM),
        number(rnd, 0, lim.LIQUIDATION_SPREAD_MAX_PPM), price,
    )  # fmt: skip


def liquidation_row(rnd: Random) -> Row:
    price, lots, quantum = market(rnd)
    rate = number(rnd, 0, lim.MARGIN_RATE_MAX_PPM)
    return sign(rnd), price, number(rnd, -EQUITY, EQUITY), lots, quantum, rate


def unhedged_row(rnd: Random) -> Row:
    price, lots, quantum = market(rnd)
    return sign(rnd) * lots, number(rnd, -EQUITY, EQUITY), price, quantum


FP = (-PRICE * lim.EMA_SCALE, PRICE * lim.EMA_SCALE)
RATE_8H = lim.PREMIUM_MAX_E9 + lim.FUNDING_INTEREST_MAX_E9
CASH = (-lim.CASH_MAX_E6, lim.CASH_MAX_E6)
INTEREST = (0, lim.OPEN_INTEREST_MAX_E6)
SHARE = (0, lim.PPM)

CASES: dict[str, Callable[[Random], Row]] = {
    "product_high": factors,
    "product_low": factors,
    "mul_div_floor": quotient_row,
    "mul_div_ceil": quotient_row,
    "products_in_order": order_row,
    "median3": drawn((0, PRICE), (0, PRICE), (0, PRICE)),
    "mark_candidate": drawn((0, PRICE), (0, PRICE), (0, PRICE), (0, PRICE)),
    "mark_near_index": drawn((1, PRICE), (1, PRICE), (1, lim.MARGIN_RATE_MAX_PPM)),
    "clamp_move": drawn((0, PRICE), (1, PRICE), (0, lim.CLAMP_MAX_PPM)),
    "ema_weight_e9": drawn((-1, TIME), (-1, TIME)),
    "ema_step": drawn(FP, FP, (-1, TIME), (-1, TIME)),
    "ema_ticks": drawn(FP),
    "band_low": drawn((1, PRICE), SHARE),
    "band_high": drawn((1, PRICE), (0, lim.BAND_MAX_PPM)),
    "gap_auction_ms": drawn((0, TIME)),
    "disposal_lots": drawn(
        (-LOTS, LOTS), (0, LOTS), SHARE, (0, lim.ORDERS_MAX * lim.SIZE_LOTS_MAX), SHARE
    ),
    "disposal_price": drawn((0, 1), (0, PRICE), (0, PRICE)),
    "premium_e9": drawn((0, PRICE), (0, PRICE), (0, PRICE)),
    "funding_rate_e9": drawn(
        (-lim.PREMIUM_MAX_E9, lim.PREMIUM_MAX_E9),
        (-lim.FUNDING_INTEREST_MAX_E9, lim.FUNDING_INTEREST_MAX_E9),
        (0, lim.FUNDING_INTEREST_MAX_E9),
    ),
    "funding_hour_e9": drawn(
        (-RATE_8H, RATE_8H), (0, lim.FUNDING_CAP_MAX_E9), (0, lim.FUNDING_INTERVAL_MAX_MS)
    ),
    "funding_shift": shift_row,
    "funding_index_step": step_row,
    "funding_index_after": drawn((-INDEX, INDEX), (-INDEX, INDEX)),
    "funding_payment": drawn((-LOTS, LOTS), (-INDEX, INDEX), (-INDEX, INDEX), (0, 30)),
    "oi_scaled_initial": drawn((0, WORTH), (0, WORTH), INTEREST, INTEREST, INTEREST),
    "confidence_addon": drawn((0, 2 * WORTH), (-1, lim.PPM + 1), (0, lim.ADDON_MAX_PPM)),
    "margin_with_mark_holds": mark_margin_row,
    "close_out": drawn((0, WHOLE), SHARE),
    "health": drawn((-EQUITY, EQUITY), (0, WHOLE), (0, WHOLE), (0, WHOLE)),
    "ratio_kept": drawn((-EQUITY, EQUITY), (0, WHOLE), (-EQUITY, EQUITY), (0, WHOLE)),
    "zero_price": zero_price_row,
    "fillable_price": fillable_row,
    "insurance_delta": drawn(CASH, CASH, (0, lim.RATE_MAX_PPM)),
    "liquidation_price": liquidation_row,
    "unhedged_lots": unhedged_row,
}


def rule(name: str) -> Any:
    """Give the plain rule of that name."""
    return getattr(wide if hasattr(wide, name) else risk_rules, name)


def rows(name: str, count: int, seed: int = 0) -> list[Row]:
    """Draw `count` rows of arguments for the rule."""
    rnd = Random(f"{name} {seed}")
    return [CASES[name](rnd) for _ in range(count)]
