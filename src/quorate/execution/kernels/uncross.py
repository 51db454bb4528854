"""Uncrossing at one price; the same functions as `spec.uncross`.

What the spec returns together is left in `now`: `uncross_*`.
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import (
    best_level,
    order_cancel,
    order_dead,
    order_shrink,
    reserve,
)
from quorate.execution.kernels.funding import funding_settle
from quorate.execution.kernels.guards import interest_rose, reduces_alone
from quorate.execution.kernels.makers import (
    END_MARGIN,
    END_REDUCE_ONLY,
    offered,
    reducible_lots,
    spend,
)
from quorate.execution.kernels.margin import fee_tier, volume_add
from quorate.execution.kernels.match import (
    END_SELF_TRADE,
    EVENT_FILL,
    EVENT_REDUCED,
    book_fill,
    long_change,
    maker_filled,
    market_traded,
)
from quorate.execution.kernels.rows import emit, position_of
from quorate.execution.kernels.scalars import crosses, notional, ppm_ceil
from quorate.types.codes import End, Side
from quorate.types.limits import (
    AUCTION_FILLS_PER_BLOCK,
    AUCTION_ORDERS_PER_BLOCK,
    AUCTION_ROUNDS_MAX,
    PROTECTIONS_PER_UNCROSSING_MAX,
)

i8 = np.int64
BUY, SELL = int(Side.BUY), int(Side.SELL)
END_NONE = int(End.NONE)


@helper
def work_left(s):
    """Whether another market may begin."""
    now = s.now[0]
    return (
        now["uncross_real"] < AUCTION_ORDERS_PER_BLOCK
        and now["uncross_done"] < AUCTION_FILLS_PER_BLOCK
    )


# --- the price -----------------------------------------------------------------------------------
@helper
def crossed(s, market):
    """Whether the best bid reaches the best ask."""
    bid = s.markets[market]["bid_best"]
    ask = s.markets[market]["ask_best"]
    if bid == 0 or ask == 0:
        return False
    return s.levels[bid]["price"] >= s.levels[ask]["price"]


@helper
def settled_price(s, market):
    """Price and (in `now`) surplus of the orders that may trade; the others leave the book."""
    for _ in range(AUCTION_ROUNDS_MAX):
        price = indicative(s, market)
        if price == 0:
            break
        pairs(s, market, price, True)
        if s.now[0]["uncross_changed"] == 0 or s.now[0]["uncross_short"]:
            break
    return indicative(s, market)


@helper
def indicative(s, market):
    """Uncrossing price of a book as it stands, 0 if none; `now` has the least surplus."""
    now = s.now[0]
    now["uncross_surplus"] = 0
    if not overlap(s, market):
        return i8(0)
    low, high = now["uncross_low"], now["uncross_high"]
    step = s.markets[market]["tick_step"]
    bids = depth(s, s.markets[market]["bid_best"], i8(BUY), low)
    bid = now["uncross_level"]
    asks = depth(s, s.markets[market]["ask_best"], i8(SELL), low)
    ask = now["uncross_level"]
    least = i8(-1)
    first = last = at = low
    while at <= high:
        end = high
        if bid and s.levels[bid]["price"] < end:
            end = s.levels[bid]["price"]
        if ask and s.levels[ask]["price"] - step < end:
            end = s.levels[ask]["price"] - step
        surplus = abs(bids - asks)
        if least < 0 or surplus < least:
            least = surplus
            first = at
        if surplus == least:
            last = end
        at = end + step
        if bid and s.levels[bid]["price"] < at:
            bids -= s.levels[bid]["lots"]
            bid = i8(s.levels[bid]["better"])
        if ask and s.levels[ask]["price"] <= at:
            asks += s.levels[ask]["lots"]
            ask = i8(s.levels[ask]["worse"])
    now["uncross_surplus"] = least
    return nearest(s.markets[market]["mark_ticks"], first, last, step)


@helper
def overlap(s, market):
    """Whether the book crosses; `now` has the last ask and the last bid price that pairing reaches.
    """
    bid = s.markets[market]["bid_best"]
    ask = s.markets[market]["ask_best"]
    bid_left = ask_left = low = high = i8(0)
    found = False
    while bid and ask and s.levels[bid]["price"] >= s.levels[ask]["price"]:
        low = s.levels[ask]["price"]
        high = s.levels[bid]["price"]
        found = True
        if bid_left == 0:
            bid_left = s.levels[bid]["lots"]
        if ask_left == 0:
            ask_left = s.levels[ask]["lots"]
        pair = min(bid_left, ask_left)
        bid_left -= pair
        ask_left -= pair
        if bid_left == 0:
            bid = i8(s.levels[bid]["worse"])
        if ask_left == 0:
            ask = i8(s.levels[ask]["worse"])
    s.now[0]["uncross_low"] = low
    s.now[0]["uncross_high"] = high
    return found


@helper
def depth(s, level, side, price):
    """Lots of a side that would trade at a price; `now` has the level at which that changes."""
    lots = i8(0)
    last = i8(0)
    while level and crosses(side, s.levels[level]["price"], price):
        lots += s.levels[level]["lots"]
        last = level
        level = i8(s.levels[level]["worse"])
    s.now[0]["uncross_level"] = last if side == BUY else level
    return lots


@helper
def nearest(mark, low, high, step):
    """Tick of [low, high] nearest to the mark, the lower of two; both ends are on the tick."""
    if mark <= low:
        return low
    if mark >= high:
        return high
    below = mark // step * step
    return below if mark - below <= below + step - mark else below + step


# --- pairing -------------------------------------------------------------------------------------
@helper
def first_order(s, level, side, price):
    """Oldest order of a level, 0 if the level does not trade at the price."""
    if level and crosses(side, s.levels[level]["price"], price):
        return i8(s.levels[level]["head"])
    return i8(0)


@helper
def next_order(s, slot, price):
    """The order behind: the next newer one of its level, else the first of the next level."""
    order = s.orders[slot]
    if order["newer"]:
        return i8(order["newer"])
    worse = i8(s.levels[i8(order["level"])]["worse"])
    return first_order(s, worse, i8(order["side"]), price)


@helper
def pairs(s, market, price, dry):
    """Pair the best bids with the best asks at `price`, to the end or until work runs out."""
    now = s.now[0]
    now["uncross_lots"] = 0
    now["uncross_fills"] = 0
    now["uncross_changed"] = 0
    now["uncross_short"] = 0
    s.taker[0]["stamp"] += 1
    s.taker[0]["market"] = market
    s.taker[0]["interest"] = s.markets[market]["open_interest_lots"]
    bid = first_order(s, best_level(s, market, BUY), i8(BUY), price)
    ask = first_order(s, best_level(s, market, SELL), i8(SELL), price)
    bid_left = ask_left = i8(0)
    while bid and ask:
        if spent(s, dry):
            now["uncross_short"] = 1
            return
        if bid_left == 0:
            bid_left = s.orders[bid]["remaining"]
        if ask_left == 0:
            ask_left = s.orders[ask]["remaining"]
        lots = min(bid_left, ask_left)
        bid_next = next_order(s, bid, price)
        ask_next = next_order(s, ask, price)
        found = may_trade(s, bid, lots, ask, dry)
        if found < lots:
            bid_left = cut(s, bid, bid_left, found, now["uncross_end"])
            now["uncross_changed"] = 1
            if bid_left == 0:
                bid = bid_next
            continue
        found = may_trade(s, ask, lots, bid, dry)
        if found < lots:
            ask_left = cut(s, ask, ask_left, found, now["uncross_end"])
            now["uncross_changed"] = 1
            if ask_left == 0:
                ask = ask_next
            continue
        spend(s, bid, lots)
        spend(s, ask, lots)
        if dry:
            s.maker_tentative[i8(s.orders[bid]["account"])] += lots
            s.maker_tentative[i8(s.orders[ask]["account"])] -= lots
        else:
            hits = cross_fill(s, bid, ask, lots, price)
            now["uncross_lots"] += lots
            now["uncross_fills"] += 1
            now["uncross_done"] += 1
            if hits:
                # Orders behind may have gone with their group; the next pair is the book's best.
                now["uncross_hits"] += hits
                bid = first_order(s, best_level(s, market, BUY), i8(BUY), price)
                ask = first_order(s, best_level(s, market, SELL), i8(SELL), price)
                bid_left = ask_left = i8(0)
                continue
        bid_left -= lots
        ask_left -= lots
        if bid_left == 0:
            bid = bid_next
        if ask_left == 0:
            ask = ask_next


@helper
def spent(s, dry):
    """Count one more pair; say whether the block's work is used up instead."""
    now = s.now[0]
    if dry:
        now["uncross_dry"] += 1
        return now["uncross_dry"] > AUCTION_ORDERS_PER_BLOCK
    now["uncross_real"] += 1
    return (
        now["uncross_real"] > AUCTION_ORDERS_PER_BLOCK
        or now["uncross_done"] >= AUCTION_FILLS_PER_BLOCK
        or now["uncross_hits"] >= PROTECTIONS_PER_UNCROSSING_MAX
    )


@helper
def may_trade(s, slot, lots, other, dry):
    """Lots of `lots` that an order may trade with another one; `now` has why not more."""
    now = s.now[0]
    order = s.orders[slot]
    end = order_dead(s, slot)
    if end != END_NONE:
        now["uncross_end"] = end
        return i8(0)
    counter = s.orders[other]
    if order["account"] == counter["account"] and order["order_id"] > counter["order_id"]:
        now["uncross_end"] = END_SELF_TRADE
        return i8(0)
    found = offered(s, slot, lots, dry)
    now["uncross_end"] = END_MARGIN
    if reduces_alone(s, slot) and (found or not reducible_lots(s, slot, dry)):
        now["uncross_end"] = END_REDUCE_ONLY
    return found


@helper
def cut(s, slot, left, lots, end):
    """Take off an order what it may not trade: of the `left` lots it keeps `lots`; return them."""
    order = s.orders[slot]
    if order["remaining"] == left and lots == 0:
        order_cancel(s, slot, end)
        return i8(0)
    order_shrink(s, slot, left - lots)
    order["size"] -= left - lots
    event = s.events[emit(s, EVENT_REDUCED)]
    event["side"] = order["side"]
    event["end"] = end
    event["market"] = order["market"]
    event["account"] = order["account"]
    event["order_id"] = order["order_id"]
    event["price"] = order["price"]
    event["size"] = left - lots
    event["remaining"] = order["remaining"]
    return lots


@helper
def cross_fill(s, bid, ask, lots, price):
    """Exchange `lots` between two resting orders at the uncrossing price; the event is a FILL.

    Returns how many groups of quotes that froze.
    """
    buy = s.orders[bid]
    sell = s.orders[ask]
    market = i8(buy["market"])
    value = notional(price, lots, s.markets[market]["quantum_e6"])
    event = s.events[emit(s, EVENT_FILL)]
    event["side"] = BUY
    event["market"] = market
    event["account"] = buy["account"]
    event["counter_account"] = sell["account"]
    event["order_id"] = buy["order_id"]
    event["counter_order_id"] = sell["order_id"]
    event["price"] = price
    event["size"] = lots
    event["fee_e6"] = cross_fee(s, bid, value)
    event["counter_fee_e6"] = cross_fee(s, ask, value)
    event["realized_e6"] = cross_side(s, bid, market, lots, price, value, event["fee_e6"])
    event["position"] = s.now[0]["book_position"]
    event["counter_realized_e6"] = cross_side(
        s, ask, market, lots, price, value, event["counter_fee_e6"]
    )
    event["counter_position"] = s.now[0]["book_position"]
    event["remaining"] = sell["remaining"]
    market_traded(s, market, price, value)
    opened = long_change(event["position"], i8(BUY), lots)
    opened += long_change(event["counter_position"], i8(SELL), lots)
    s.markets[market]["open_interest_lots"] += opened
    interest_rose(s, market, opened)
    s.ledger[0]["fees_e6"] += event["fee_e6"] + event["counter_fee_e6"]
    hits = i8(0)
    if maker_filled(s, bid, lots, price):
        hits += 1
    if maker_filled(s, ask, lots, price):
        hits += 1
    return hits


@helper
def cross_fee(s, slot, value):
    """The maker's fee of an order's owner; a rebate is none here."""
    order = s.orders[slot]
    schedule = s.markets[i8(order["market"])]["fee_schedule"]
    rate = s.fee_tiers[fee_tier(s, i8(order["account"]), schedule)]["maker_ppm"]
    return ppm_ceil(value, max(rate, i8(0)))


@helper
def cross_side(s, slot, market, lots, price, value, fee):
    """Book one side; return the profit it realized, leave the position in `now`."""
    order = s.orders[slot]
    account = i8(order["account"])
    side = i8(order["side"])
    reserve(s, slot, order["remaining"], order["remaining"] - lots)
    funding_settle(s, account, position_of(s, account, market), market)
    realized = book_fill(s, account, market, market, side, lots, price, fee)
    volume_add(s, account, value)
    s.accounts_dirty[account] = 1
    level = i8(order["level"])
    s.levels[level]["lots"] -= lots
    s.levels_dirty[level] = 1
    order["remaining"] -= lots
    s.orders_dirty[slot] = 1
    return realized
