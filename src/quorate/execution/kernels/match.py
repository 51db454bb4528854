"""Matching; the same functions as `spec.match`."""

import numba
import numpy as np

from quorate.compiled import helper, linked
from quorate.execution.kernels.auctions import trades_now
from quorate.execution.kernels.bands import band_breached, band_use
from quorate.execution.kernels.book import (
    best_level,
    hold_e6,
    order_cancel,
    order_dead,
    order_remove,
    order_rest,
    order_shrink,
    position_key,
    reserve,
)
from quorate.execution.kernels.funding import funding_settle
from quorate.execution.kernels.guards import interest_rose
from quorate.execution.kernels.makers import offered, offered_why, spend
from quorate.execution.kernels.margin import fee_tier, volume_add
from quorate.execution.kernels.protection import group_filled, group_seen, group_would_hit
from quorate.execution.kernels.rows import (
    bytes_equal,
    emit,
    position_close_if_empty,
    position_open,
)
from quorate.execution.kernels.scalars import (
    crosses,
    entry_closed,
    notional,
    ppm_ceil,
)
from quorate.execution.kernels.signatures import RECORD
from quorate.execution.kernels.trigger_rows import children_filled
from quorate.types.clearing_codes import ORDER_HAS_CHILDREN, AuctionKind
from quorate.types.codes import (
    End,
    EventKind,
    Flag,
    MarketKind,
    MarketStatus,
    Reject,
    Side,
    Stp,
    Tif,
)
from quorate.types.limits import PROTECTIONS_PER_COMMAND_MAX, VOLUME_MAX_E6
from quorate.types.records import POSITION_ISOLATED

i8 = np.int64
BUY = int(Side.BUY)
SPOT = int(MarketKind.SPOT)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)
STATUS_REDUCE_ONLY = int(MarketStatus.REDUCE_ONLY)
STP_MASTER = int(Flag.STP_MASTER)
STP_MASK, STP_SHIFT = int(Flag.STP_MASK), int(Flag.STP_SHIFT)
CANCEL_MAKER, CANCEL_TAKER = int(Stp.CANCEL_MAKER), int(Stp.CANCEL_TAKER)
REDUCE_BOTH = int(Stp.REDUCE_BOTH)
IOC, FOK = int(Tif.IOC), int(Tif.FOK)
END_NONE, END_FILLED, END_IMMEDIATE = int(End.NONE), int(End.FILLED), int(End.IMMEDIATE)
END_SELF_TRADE, END_WORK_LIMIT = int(End.SELF_TRADE), int(End.WORK_LIMIT)
END_MARGIN, END_REDUCE_ONLY = int(End.MARGIN), int(End.REDUCE_ONLY)
END_BAND, BAND_TRADE = int(End.BAND), int(AuctionKind.BAND_TRADE)
EVENT_FILL, EVENT_REDUCED = int(EventKind.FILL), int(EventKind.REDUCED)
HITS_MAX = PROTECTIONS_PER_COMMAND_MAX
OK = int(Reject.OK)
OUTSIDE_BAND = int(Reject.PRICE_OUTSIDE_BAND)
NOT_FILLABLE = int(Reject.FILL_OR_KILL_NOT_FILLABLE)
BEYOND_WORK_LIMIT = int(Reject.FILL_OR_KILL_BEYOND_WORK_LIMIT)



@helper
def owns(s, maker_account):
    """Whether maker and taker count as one for self-trade prevention."""
    account = s.now[0]["account"]
    if maker_account == account:
        return True
    if not s.taker[0]["flags"] & STP_MASTER:
        return False
    return bytes_equal(s.accounts[account]["address"], s.accounts[maker_account]["address"])


@helper
def stp_mode(s):
    return (s.taker[0]["flags"] & STP_MASK) >> STP_SHIFT


@helper
def fillable(s):
    """Dry run of `take` for a fill-or-kill order: whether its whole size would trade."""
    taker = s.taker[0]
    taker["interest"] = s.markets[taker["market"]]["open_interest_lots"]
    examined_max = s.parameters[0]["orders_examined_per_command_max"]
    fills_max = i8(s.parameters[0]["fills_per_command_max"])
    side, price = taker["side"], taker["price"]
    left = taker["size"]
    fills = i8(0)
    examined = i8(0)
    hits = i8(0)
    level = best_level(s, taker["market"], 1 - side)
    while level and crosses(side, price, s.levels[level]["price"]):
        if band_breached(s, taker["market"], s.levels[level]["price"], i8(0)) >= 0:
            return OUTSIDE_BAND
        slot = i8(s.levels[level]["head"])
        while slot:
            order = s.orders[slot]
            group = i8(order["group_slot"])
            if group:
                group_seen(s, group)
                if s.group_hit[group]:
                    slot = i8(order["newer"])
                    continue
            if examined == examined_max or fills == fills_max or hits == HITS_MAX:
                return BEYOND_WORK_LIMIT
            examined += 1
            s.now[0]["examined"] += 1
            account = i8(order["account"])
            if order_dead(s, slot) == END_NONE:
                if owns(s, account):
                    if stp_mode(s) != CANCEL_MAKER:
                        return NOT_FILLABLE
                else:
                    lots = offered(s, slot, left, True)
                    if lots:
                        fills += 1
                        left -= lots
                        if not left:
                            return OK
                        spend(s, slot, lots)
                        s.maker_tentative[account] += lots if order["side"] == BUY else -lots
                        if group and group_would_hit(
                            s, group, i8(order["side"]), taker["market"], order["price"], lots
                        ):
                            hits += 1
                        elif lots < order["remaining"]:
                            continue  # `match` looks at it again, finds nothing and cancels it
            slot = i8(order["newer"])
        level = i8(s.levels[level]["worse"])
    return NOT_FILLABLE


@helper
def rest(s):
    """Give an order that cannot match an id, and rest it; what `take` does with such a one."""
    s.taker[0]["order_id"] = s.ledger[0]["order_id_next"]
    s.ledger[0]["order_id_next"] += 1
    order_rest(s)


@helper
def match(s):
    """Trade against the best resting orders until nothing more crosses or the work is done."""
    taker = s.taker[0]
    examined_max = s.parameters[0]["orders_examined_per_command_max"]
    fills_max = i8(s.parameters[0]["fills_per_command_max"])
    market = taker["market"]
    side, price = taker["side"], taker["price"]
    fills = i8(0)
    examined = i8(0)
    if not trades_now(s, market):
        return
    while taker["remaining"]:
        level = best_level(s, market, 1 - side)
        if not level or not crosses(side, price, s.levels[level]["price"]):
            return
        if taker["hits"] == HITS_MAX or examined == examined_max or fills == fills_max:
            taker["end"] = END_WORK_LIMIT
            return
        examined += 1
        s.now[0]["examined"] += 1
        slot = i8(s.levels[level]["head"])
        lots = i8(0)
        end = order_dead(s, slot)
        if end == END_NONE:
            if owns(s, i8(s.orders[slot]["account"])):
                mode = stp_mode(s)
                if mode == REDUCE_BOTH and reduce_both(s, slot):
                    if not taker["remaining"]:
                        taker["end"] = END_SELF_TRADE
                    continue
                if mode != CANCEL_MAKER and mode != REDUCE_BOTH:
                    taker["end"] = END_SELF_TRADE
                    if mode == CANCEL_TAKER:
                        return
                end = END_SELF_TRADE
            else:
                lots = offered(s, slot, taker["remaining"], False)
                if not lots:
                    end = offered_why(s, slot)
        if lots:
            if leaves_band(s, s.levels[level]["price"]):
                return
            spend(s, slot, lots)
            fill(s, slot, lots)
            fills += 1
        else:
            order_cancel(s, slot, end)
            if taker["end"] == END_SELF_TRADE:
                return


@helper
def leaves_band(s, price):
    """Whether a fill at that price would leave the bands; what follows for market and taker."""
    taker = s.taker[0]
    band = band_breached(s, taker["market"], price, i8(0))
    if band < 0:
        return False
    if taker["tif"] == IOC or taker["tif"] == FOK:
        taker["end"] = END_BAND
    else:
        band_use(s, taker["market"], BAND_TRADE, price, band)
    return True


@helper
def reduce_both(s, slot):
    """Take the smaller size off taker and own resting order; False if the resting one is used up.

    Then the caller cancels it; a taker that is used up as well ends there. The lots leave the
    sizes too: size less remaining is what filled.
    """
    taker = s.taker[0]
    order = s.orders[slot]
    lots = taker["remaining"]
    if order["remaining"] <= lots:
        taker["remaining"] = lots - order["remaining"]
        taker["size"] -= order["remaining"]
        if not taker["remaining"]:
            taker["end"] = END_SELF_TRADE
        return False
    taker["remaining"] = 0
    taker["size"] -= lots
    order_shrink(s, slot, lots)
    order["size"] -= lots
    event = s.events[emit(s, EVENT_REDUCED)]
    event["side"] = order["side"]
    event["end"] = END_SELF_TRADE
    event["market"] = order["market"]
    event["account"] = order["account"]
    event["order_id"] = order["order_id"]
    event["price"] = order["price"]
    event["size"] = lots
    event["remaining"] = order["remaining"]
    return True


# --- one fill ------------------------------------------------------------------------------------
@helper
def fill(s, slot, lots):
    """Exchange `lots` at the maker's price: money, positions, fees, volumes, and the event."""
    taker = s.taker[0]
    order = s.orders[slot]
    market_slot = taker["market"]
    market = s.markets[market_slot]
    account = s.now[0]["account"]
    maker = i8(order["account"])
    price = order["price"]
    value = notional(price, lots, market["quantum_e6"])
    schedule = market["fee_schedule"]
    maker_fee = ppm_ceil(value, s.fee_tiers[fee_tier(s, maker, schedule)]["maker_ppm"])
    remaining = order["remaining"] - lots
    if market["kind"] == SPOT and order["side"] == BUY:
        freed = hold_e6(s, slot, order["remaining"]) - hold_e6(s, slot, remaining) - value
        if freed < maker_fee:
            maker_fee = freed
    taker["value_e6"] += value
    taker_fee = ppm_ceil(taker["value_e6"], taker["fee_ppm"]) - taker["fee_e6"]
    taker["fee_e6"] += taker_fee

    reserve(s, slot, order["remaining"], remaining)
    key = position_key(s, market_slot)
    if market["kind"] != SPOT and market_slot < s.ledger[0]["risk_high"]:
        funding_settle(s, account, position_open(s, account, key), market_slot)
        funding_settle(s, maker, position_open(s, maker, key), market_slot)
    event = s.events[emit(s, EVENT_FILL)]
    event["side"] = taker["side"]
    event["market"] = market_slot
    event["account"] = account
    event["counter_account"] = maker
    event["order_id"] = taker["order_id"]
    event["counter_order_id"] = order["order_id"]
    event["price"] = price
    event["size"] = lots
    event["remaining"] = remaining
    event["fee_e6"] = taker_fee
    event["counter_fee_e6"] = maker_fee
    event["realized_e6"] = book_fill(
        s, account, key, market_slot, taker["side"], lots, price, taker_fee
    )
    event["position"] = s.now[0]["book_position"]
    event["counter_realized_e6"] = book_fill(
        s, maker, key, market_slot, i8(order["side"]), lots, price, maker_fee
    )
    event["counter_position"] = s.now[0]["book_position"]
    taker["remaining"] -= lots
    taker["filled"] += lots
    volume_add(s, account, value)
    volume_add(s, maker, value)
    position_close_if_empty(s, account, key, True)
    s.accounts_dirty[account] = 1
    s.accounts_dirty[maker] = 1

    level = i8(order["level"])
    s.levels[level]["lots"] -= lots
    s.levels_dirty[level] = 1
    order["remaining"] = remaining
    s.orders_dirty[slot] = 1
    market_traded(s, market_slot, price, value)
    if market["kind"] != SPOT:
        change = long_change(event["position"], taker["side"], lots)
        change += long_change(event["counter_position"], i8(order["side"]), lots)
        market["open_interest_lots"] += change
        interest_rose(s, market_slot, change)
    s.ledger[0]["fees_e6"] += taker_fee + maker_fee
    if maker_filled(s, slot, lots, price):
        taker["hits"] += 1


@helper
def maker_filled(s, slot, lots, price):
    """What follows a resting order's fill: triggers arm, it goes if empty, its group is protected;
    whether that froze the group, so that other orders went too.
    """
    order = s.orders[slot]
    group, side, market = i8(order["group_slot"]), i8(order["side"]), i8(order["market"])
    if order["flags"] & ORDER_HAS_CHILDREN:
        children_filled(s, i8(order["account"]), order["order_id"], lots)
    if not order["remaining"]:
        order_remove(s, slot)
    return group != 0 and group_filled(s, group, side, market, price, lots)


@helper
def book_fill(s, account, key, market, side, lots, price, fee):
    """Book one side of a fill; return the profit it realized, leave the position in `now`."""
    sign = i8(1) if side == BUY else i8(-1)
    quantum = s.markets[market]["quantum_e6"]
    value = notional(price, lots, quantum)
    position = s.positions[position_open(s, account, key)]
    if i8(position["flags"]) & POSITION_ISOLATED:
        position["isolated_e6"] -= sign * value + fee
    else:
        s.accounts[account]["cash_e6"] -= sign * value + fee
    size = position["size"]
    if s.markets[market]["kind"] == SPOT:
        position["size"] = size + sign * lots * s.markets[market]["lot_units"]
        s.now[0]["book_position"] = position["size"]
        return i8(0)
    position["size"] = size + sign * lots
    s.now[0]["book_position"] = position["size"]
    if size * sign >= 0:
        position["entry_e6"] += value
        return i8(0)
    held = abs(size)
    closed = lots if lots < held else held
    cost = entry_closed(position["entry_e6"], held, closed)
    worth = notional(price, closed, quantum)
    position["entry_e6"] += value - worth - cost
    realized = -sign * (worth - cost)
    position["realized_e6"] = saturated(position["realized_e6"] + realized)
    return realized


@helper
def saturated(total):
    """Keep a running sum within the bound of volumes."""
    if total > VOLUME_MAX_E6:
        return i8(VOLUME_MAX_E6)
    if total < -VOLUME_MAX_E6:
        return i8(-VOLUME_MAX_E6)
    return total


@helper
def long_change(position, side, lots):
    """Change in lots held long by one side of a fill, from the position after it."""
    before = position - lots if side == BUY else position + lots
    return max(position, 0) - max(before, 0)


@helper
def market_traded(s, market, price, value):
    """Note a trade in the market's row."""
    row = s.markets[market]
    row["last_ticks"] = price
    row["trades_count"] += 1
    volume = row["volume_e6"] + value
    row["volume_e6"] = volume if volume < VOLUME_MAX_E6 else i8(VOLUME_MAX_E6)
    s.markets_dirty[market] = 1


@linked(numba.types.int64(RECORD))
def take(s):
    """Give the order an id, match it against the book, and rest or cancel what remains.

    Returns what filled.
    """
    taker = s.taker[0]
    taker["order_id"] = s.ledger[0]["order_id_next"]
    s.ledger[0]["order_id_next"] += 1
    taker["hits"] = 0
    taker["stamp"] += 1  # what a dry run has taken has not happened
    taker["interest"] = s.markets[taker["market"]]["open_interest_lots"]
    match(s)
    taker["interest"] = -1
    if not taker["remaining"]:
        if taker["end"] == END_NONE:
            taker["end"] = END_FILLED
        return taker["filled"]
    if taker["end"] == END_NONE and taker["tif"] >= IOC:
        taker["end"] = END_IMMEDIATE
    if taker["end"] == END_NONE:
        order_rest(s)
    else:
        taker["remaining"] = 0
    return taker["filled"]
