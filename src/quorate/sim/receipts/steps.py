"""One FUNDED event, one liquidation step, one deleveraging, held against the state before it.

Each function takes the state as the events before have left it, says what is wrong in sentences,
and leaves the state as the event says that it is now.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from quorate.sim.receipts.worth import MILLION, Worth, ceil

HOURS_8_MS: Final = 8 * 3_600_000
HOUR_MS: Final = 3_600_000
E9: Final = 10**9
INDEX_MAX: Final = 2**61
SPREAD_PPM: Final = 1_500_000  # times the maintenance rate


def toward_zero(value: Fraction) -> int:
    """Cut the fraction off."""
    return int(value)


def ppm_up(amount: int, rate_ppm: int) -> int:
    """A part of an amount, rounded up."""
    return ceil(Fraction(amount * rate_ppm, MILLION))


def differs(what: str, said: int, true: int) -> Iterator[str]:
    """Say that a figure is not what it must be."""
    if said != true:
        yield f"{what} is {true}, the receipt says {said}"


# --- funding -------------------------------------------------------------------------------------
def funded(worth: Worth, event: Any, index_ticks: int) -> Iterator[str]:
    """A payment: premium from its samples, rate with clamp and cap, step of the index."""
    market = worth.markets[int(event["market"])]
    risk = market.risk
    count = risk["premium_count"]
    yield from differs("the number of samples", int(event["samples_count"]), count)
    yield from differs("the interval", int(event["interval_ms"]), risk["funding_interval_ms"])
    yield from differs("the index price", int(event["index_ticks"]), index_ticks)
    yield from differs("the pool", int(event["pool_e6"]), risk["funding_pool_e6"])
    yield from differs("the precision", int(event["funding_shift"]), risk["funding_shift"])
    yield from differs("the interest", int(event["open_interest_lots"]), market.interest)
    premium = toward_zero(Fraction(risk["premium_sum_e9"], max(1, count)))
    yield from differs("the mean premium", int(event["premium_e9"]), premium)
    clamp = risk["funding_clamp_e9"]
    rate_8h = premium + max(-clamp, min(clamp, risk["interest_e9"] - premium))
    rate = toward_zero(Fraction(rate_8h * risk["funding_interval_ms"], HOURS_8_MS))
    cap = risk["funding_cap_e9"] * risk["funding_interval_ms"] // HOUR_MS
    rate = max(-cap, min(cap, rate))
    yield from differs("the rate", int(event["rate_e9"]), rate)
    before = risk["funding_index"]
    yield from differs("the funding index before", int(event["funding_index_before"]), before)
    lot = index_ticks * market.quantum_e6 * 2 ** risk["funding_shift"]
    after = before + toward_zero(Fraction(lot * rate, E9))
    after = max(-INDEX_MAX, min(INDEX_MAX, after))
    yield from differs("the funding index after", int(event["funding_index"]), after)
    risk["funding_index"] = int(event["funding_index"])


# --- prices --------------------------------------------------------------------------------------
def zero_price(worth: Worth, slot: int, market: int, lots: int) -> int:
    """Price at which closing so many lots keeps equity over maintenance as it is (FORMULAS 4, 5).

    Up for longs, down for shorts, within the prices of the market.
    """
    row, bucket = worth.markets[market], worth.bucket(slot, market)
    cell = worth.cell(slot, market)
    sign = 1 if cell.size > 0 else -1
    needed = worth.maintenance(slot, bucket)
    if not needed or not lots:
        return row.mark
    left = worth.required(market, abs(cell.size) - lots)
    freed = worth.required(market, cell.size) - left
    share = Fraction(worth.equity(slot, bucket) * freed, needed * lots * row.quantum_e6)
    exact = row.mark - sign * share
    price = ceil(exact) if sign > 0 else exact.numerator // exact.denominator
    return max(1, min(price, row.price_max))


# --- insurance -----------------------------------------------------------------------------------
def drawable(worth: Worth, market: int) -> int:
    """What the funds that answer for a market could pay now."""
    risk = worth.markets[market].risk
    room = max(risk["insurance_draw_max_e6"] - risk["insurance_drawn_e6"], 0)
    return risk["insurance_e6"] + min(worth.venue_e6, room)


def loss_share(worth: Worth, slot: int, market: int, lots: int) -> int:
    """What so many lots carry of a bucket's negative equity, rounded up."""
    bucket = worth.bucket(slot, market)
    equity, needed = worth.equity(slot, bucket), worth.maintenance(slot, bucket)
    if equity >= 0 or not needed:
        return max(-equity, 0)
    size = abs(worth.cell(slot, market).size)
    freed = max(worth.required(market, size) - worth.required(market, size - lots), 0)
    return ceil(Fraction(-equity * freed, needed))


def worst_price(worth: Worth, slot: int, market: int) -> int:
    """Worst price that a bankrupt position may ask of the book (FORMULAS 4, at the full discount).

    Below the mark for longs, above it for shorts, by half as much again as its maintenance rate.
    """
    row, cell = worth.markets[market], worth.cell(slot, market)
    sign = 1 if cell.size > 0 else -1
    rate_ppm = row.tiers[0][1]
    away = ceil(Fraction(row.mark * rate_ppm * SPREAD_PPM, MILLION * MILLION))
    return max(1, min(row.mark - sign * away, row.price_max))


def lots_covered(worth: Worth, slot: int, market: int, most: int) -> int:
    """The most lots, in whole steps, of whose part of the debt the funds can pay all."""
    step, holds = worth.markets[market].lot_step, drawable(worth, market)
    low, high = 0, most // step
    while low < high:
        middle = (low + high + 1) // 2
        paid = loss_share(worth, slot, market, middle * step) <= holds
        low, high = (middle, high) if paid else (low, middle - 1)
    return low * step


def book_could(worth: Worth, slot: int, market: int, resting: list[tuple[int, int]]) -> int:
    """Lots of a bankrupt position that the book could still take with the funds' money.

    resting: price and lots of those who bid for it. Each lot costs the funds its part of the debt
    and what its price is worse than the mark.
    """
    row, size = worth.markets[market], worth.cell(slot, market).size
    sign = 1 if size > 0 else -1
    step, holds, worst = row.lot_step, drawable(worth, market), worst_price(worth, slot, market)
    share, need, total = loss_share(worth, slot, market, step), abs(size), 0
    for price, lots in sorted(resting, key=lambda each: -sign * each[0]):
        if sign * (price - worst) < 0:
            break
        cost = share + sign * (row.mark - price) * step * row.quantum_e6
        steps = min(lots, need - total) // step
        if cost > 0:
            steps = min(steps, holds // cost)
            holds -= steps * cost
        total += steps * step
    return total


def vault_room(worth: Worth, slot: int, market: int) -> int:
    """Lots that the vault's bound in the market leaves room for."""
    row, size = worth.markets[market], worth.cell(slot, market).size
    if not worth.vault or slot == worth.vault or worth.cell(worth.vault, market).isolated:
        return 0
    sign = 1 if size > 0 else -1
    held = sign * worth.cell(worth.vault, market).size
    most = row.risk["vault_notional_max_e6"] // (row.mark * row.quantum_e6)
    room = min(min(most, row.position_max) - held, abs(size))
    return max(0, room // row.lot_step * row.lot_step)


def vault_could(worth: Worth, slot: int, market: int) -> int:
    """Lots that the vault could still take with its own margin, and the funds' money; else 0."""
    lots = vault_room(worth, slot, market)
    if not lots:
        return 0
    row, cell = worth.markets[market], worth.cell(slot, market)
    sign = 1 if cell.size > 0 else -1
    bankrupt = worth.equity(slot, worth.bucket(slot, market)) < 0
    if bankrupt:
        lots = lots_covered(worth, slot, market, lots)
    price = row.mark if bankrupt else zero_price(worth, slot, market, lots)
    gained = sign * (row.mark - price) * lots * row.quantum_e6
    mine = worth.in_bucket(worth.vault, 0)
    sizes = {key: held.size for key, held in mine}
    sizes[market] = sizes.get(market, 0) + sign * lots
    needed = sum(worth.initial(key, size) for key, size in sizes.items())
    return lots if worth.equity(worth.vault, 0) + gained >= needed else 0


# --- deleveraging --------------------------------------------------------------------------------
@dataclass(slots=True)
class Giver:
    """A counterparty of a deleveraging, and what a round may take of it."""

    slot: int
    lots: int
    equity_e6: int
    profit_e6: int


def round_of(
    worth: Worth, slot: int, market: int, price: int, hedged: bool, most: int
) -> list[Giver]:
    """Counterparties in the order in which a round takes them, so many at most.

    First round: lots that hedge nothing; second round: any. The highest profit over equity goes
    first, then the lower number. Nobody is wound up below zero.
    """
    sign = 1 if worth.cell(slot, market).size > 0 else -1
    row = worth.markets[market]
    loss_lot = sign * (price - row.mark) * row.quantum_e6
    found: list[Giver] = []
    for other in worth.ranked(market, -sign):
        if len(found) == most:
            break
        if other == slot:
            continue
        cell, equity = worth.cell(other, market), worth.equity(other, worth.bucket(other, market))
        profit = cell.size * row.mark * row.quantum_e6 + sign * cell.entry_e6
        lots = abs(cell.size) if hedged else worth.unhedged(other, market)
        if loss_lot > 0:
            lots = min(lots, equity // loss_lot)
        lots = lots // row.lot_step * row.lot_step
        if lots:
            found.append(Giver(other, lots, equity, profit))
    return found
