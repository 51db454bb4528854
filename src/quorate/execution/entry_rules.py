"""Scalar rules of order entry into a clearing house; one source, in the subset of `rules`."""

from quorate.execution.rules import notional
from quorate.execution.wide import mul_div_ceil, mul_div_floor
from quorate.types.limits import OPEN_INTEREST_MAX_E6, PPM

LOTS_SMALL, LOT_SMALL_E6 = 2**31, 2**30
assert LOTS_SMALL * LOT_SMALL_E6 <= OPEN_INTEREST_MAX_E6


def open_interest_worth(lots: int, mark: int, quantum_e6: int) -> int:
    """Worth of a market's open interest at the mark, at most OPEN_INTEREST_MAX_E6 (FORMULAS 4)."""
    lot_e6 = mark * quantum_e6
    # Without a division where two small factors cannot pass the bound: this runs for every order.
    if (lots >= LOTS_SMALL or lot_e6 >= LOT_SMALL_E6) and lot_e6 > 0:
        if lots > OPEN_INTEREST_MAX_E6 // lot_e6:
            return OPEN_INTEREST_MAX_E6
    return lots * lot_e6


def price_far(price: int, index: int, far_ppm: int) -> bool:
    """Whether a price is more than `far_ppm` of the index away from it (FORMULAS 2, guards)."""
    return abs(price - index) > index // PPM * far_ppm + index % PPM * far_ppm // PPM


def aggressive(side: int, price: int, index: int) -> bool:
    """Whether an order bids above or offers below the index (FORMULAS 2, guards)."""
    if side == 0:
        return price > index
    return price < index


def price_within(side: int, index: int, step: int) -> int:
    """Worst price on the tick at which an order is no more aggressive than the index."""
    if side == 0:
        return index // step * step
    return (index + step - 1) // step * step


def loss_room(
    equity_e6: int,
    initial_e6: int,
    maintenance_e6: int,
    initial_after_e6: int,
    maintenance_after_e6: int,
) -> int:
    """Most that a reducing trade may cost a bucket, loss and fee together (FORMULAS 5).

    Up to it equity over initial margin does not fall, or equity still covers initial margin; and
    maintenance stays covered, or, where it was not, equity over maintenance does not fall. What
    is equal is allowed: a cost at the room is a fill at the zero price, floored.
    """
    room = 0
    if initial_e6 > 0:
        room = mul_div_floor(equity_e6, max(initial_e6 - initial_after_e6, 0), initial_e6)
    if equity_e6 >= initial_e6:
        room = max(room, equity_e6 - initial_after_e6)
    kept = equity_e6 - maintenance_after_e6
    if equity_e6 < 0 and maintenance_e6 == 0:
        kept = room
    elif equity_e6 < maintenance_e6:
        freed = max(maintenance_e6 - maintenance_after_e6, 0)
        kept = mul_div_floor(equity_e6, freed, maintenance_e6)
    return min(room, kept)


def narrowed_price(
    side: int,
    mark: int,
    lots: int,
    quantum_e6: int,
    room_e6: int,
    fee_ppm: int,
    step: int,
    price_max: int,
) -> int:
    """Worst price on the tick at which `lots` cost at most the room, fee included; 0: none."""
    worth = notional(mark, lots, quantum_e6)
    lot_e6 = lots * quantum_e6
    if side == 0:
        most = mul_div_floor(worth + room_e6 - 1, PPM, PPM + fee_ppm)
        price = min(most // lot_e6, price_max) // step * step
        return max(price, 0)
    least = mul_div_ceil(worth - room_e6 + 1, PPM, PPM - fee_ppm)
    price = (least + lot_e6 - 1) // lot_e6
    price = (price + step - 1) // step * step
    if price > price_max:
        return 0
    return max(price, step)
