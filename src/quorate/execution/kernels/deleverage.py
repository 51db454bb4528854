"""Auto-deleveraging; the same functions as `spec.deleverage`.

The counterparties of a round stand in `s.counterparties`, best first, as many as may be taken.
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.closing import (
    closing_price,
    hand_over,
    loss_share_e6,
    receipt,
    value_e6,
)
from quorate.execution.kernels.margin import bucket_of, bucket_worth, clears
from quorate.execution.kernels.rows import emit_words, position_of
from quorate.execution.kernels.scalars import (
    mul_div_floor,
    notional,
    products_in_order,
    unhedged_lots,
)
from quorate.types.clearing_codes import LiquidationStep
from quorate.types.codes import EventKind, Side
from quorate.types.limits import DELEVERAGED_PER_STEP_MAX, E9
from quorate.types.records import ASSET_KEY

i8 = np.int64
BUY, SELL = int(Side.BUY), int(Side.SELL)
EVENT_DELEVERAGED = int(EventKind.DELEVERAGED)
STEP_DELEVERAGED = int(LiquidationStep.DELEVERAGED)


@helper
def deleverage(s, lots):
    """Wind up lots of the position at its zero price; whether some stay that nobody can take."""
    closing = s.closing[0]
    market = closing["market"]
    price = closing_price(s, lots)
    covered = value_e6(s, lots, price) - value_e6(s, lots, s.markets[market]["mark_ticks"])
    if closing["equity"] < 0 and covered < loss_share_e6(s, lots):
        return True
    need = lots
    places = i8(DELEVERAGED_PER_STEP_MAX)
    exhausted = False
    for hedged in range(2):
        if not places:
            exhausted = False
            break
        found = counterparties(s, price, hedged, places)
        exhausted = found <= places
        for k in range(min(found, places)):
            if not need:
                break
            taken = min(need, s.counterparties[k]["lots"])
            wind_up(s, k, price, taken, need, hedged)
            need -= taken
            places -= 1
        if not need:
            break
    done = lots - need
    if done:
        s.risk[market]["deleveraged_lots"] += done
        s.risk_dirty[market] = 1
        receipt(s, STEP_DELEVERAGED, price, done, i8(0), value_e6(s, done, price), 0)
    return exhausted and need > 0


@helper
def delta_value_e6(s, account, feed):
    """Signed worth of an account's positions in all markets of a feed."""
    total = i8(0)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        key = i8(s.positions[cell]["key"])
        if key >= ASSET_KEY or not clears(s, key) or s.risk[key]["feed"] != feed:
            continue
        market = s.markets[key]
        total += notional(market["mark_ticks"], s.positions[cell]["size"], market["quantum_e6"])
    return total


@helper
def counterparties(s, price, hedged, places):
    """Rank those of whom this round may take lots; return how many there are."""
    closing = s.closing[0]
    market, sign = closing["market"], closing["sign"]
    count = i8(0)
    for account in range(1, s.ledger[0]["accounts_high"]):
        if i8(s.accounts[account]["positions_count"]) == 0 or account == closing["account"]:
            continue
        cell = position_of(s, account, market)
        if cell < 0 or s.positions[cell]["size"] * sign >= 0:
            continue
        lots = counterparty_lots(s, account, cell, price, hedged)
        if not lots:
            continue
        row = s.markets[market]
        size = s.positions[cell]["size"]
        value = notional(row["mark_ticks"], abs(size), row["quantum_e6"])
        profit = -sign * (value - s.positions[cell]["entry_e6"])
        rank(s, min(count, places), places, account, profit, s.now[0]["equity"], lots)
        count += 1
    return count


@helper
def counterparty_lots(s, account, cell, price, hedged):
    """Lots that this round may take of an account; its bucket's equity stays in `now`."""
    closing = s.closing[0]
    market = closing["market"]
    row = s.markets[market]
    bucket_worth(s, account, bucket_of(s, account, market))
    equity = s.now[0]["equity"]
    if equity <= 0:
        return i8(0)
    size = s.positions[cell]["size"]
    lots = abs(size) if hedged else unhedged(s, account, size)
    loss_lot = closing["sign"] * (price - row["mark_ticks"]) * row["quantum_e6"]
    if loss_lot > 0:
        lots = min(lots, equity // loss_lot)
    return lots // row["lot_step"] * row["lot_step"]


@helper
def unhedged(s, account, size):
    """Lots of a counterparty's position that hedge nothing."""
    market = s.closing[0]["market"]
    row = s.markets[market]
    delta = delta_value_e6(s, account, s.risk[market]["feed"])
    return unhedged_lots(size, delta, row["mark_ticks"], row["quantum_e6"])


@helper
def rank(s, count, places, account, profit, equity, lots):
    """Put a counterparty in its place among `count` ranked ones; the last of `places` falls out.

    Accounts come by rising number, so that an equal one stays behind those before it.
    """
    if count == places:
        last = s.counterparties[count - 1]
        if products_in_order(profit, last["equity"], last["profit"], equity):
            return
        count -= 1
    at = count
    while at > 0:
        before = s.counterparties[at - 1]
        if products_in_order(profit, before["equity"], before["profit"], equity):
            break
        s.counterparties[at] = before
        at -= 1
    row = s.counterparties[at]
    row["account"] = account
    row["profit"] = profit
    row["equity"] = equity
    row["lots"] = lots


@helper
def wind_up(s, k, price, lots, need, hedged):
    """Close lots of both, and tell what a checker needs."""
    closing = s.closing[0]
    market, account = closing["market"], closing["account"]
    other = s.counterparties[k]
    counter = other["account"]
    bucket = bucket_of(s, counter, market)
    ours = s.positions[position_of(s, account, market)]["size"]
    theirs = s.positions[position_of(s, counter, market)]["size"]
    bare = unhedged(s, counter, theirs)
    hand_over(s, account, counter, market, lots, price)
    bucket_worth(s, counter, bucket)
    emit_words(
        s,
        EVENT_DELEVERAGED,
        0,
        hedged,
        BUY if closing["size"] > 0 else SELL,
        market,
        account,
        counter,
        s.markets[market]["mark_ticks"],
        price,
        lots,
        ours,
        theirs,
        bare,
        other["equity"],
        s.now[0]["equity"],
        value_e6(s, lots, price),
        need,
        mul_div_floor(other["profit"], E9, other["equity"]),
    )
