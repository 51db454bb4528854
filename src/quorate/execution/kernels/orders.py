"""Trading commands; the same functions as `spec.orders`.

A handler judges and prepares the taker; `take` has one call site, in `block`.
"""

import numba
import numpy as np

from quorate.compiled import helper, linked
from quorate.execution.kernels.auctions import trades_now
from quorate.execution.kernels.bands import band_breached
from quorate.execution.kernels.book import (
    best_level,
    deadman_fired,
    hold_e6,
    order_cancel,
    order_dead,
    order_shrink,
    position_key,
)
from quorate.execution.kernels.guards import entry_code
from quorate.execution.kernels.maps import find_client
from quorate.execution.kernels.margin import assess, fee_tier
from quorate.execution.kernels.match import fillable, owns, stp_mode
from quorate.execution.kernels.perpetuals import perpetual_code
from quorate.execution.kernels.protection import group_code
from quorate.execution.kernels.rows import position_code, position_of
from quorate.execution.kernels.scalars import (
    crosses,
    market_price,
    notional,
    ppm_ceil,
    reducible,
)
from quorate.execution.kernels.sessions import session_order_code, session_spot_code
from quorate.execution.kernels.signatures import RECORD
from quorate.types.clearing_codes import ORDER_HAS_CHILDREN
from quorate.types.codes import End, Flag, MarketKind, Reject, Side, Stp, Tif
from quorate.types.limits import CASH_TRADING_MAX_E6, LEVELS_MAX, ORDERS_MAX, TIERS_PER_SCHEDULE

i8 = np.int64
R = Reject
OK = int(R.OK)
BUY, SELL = int(Side.BUY), int(Side.SELL)
SPOT = int(MarketKind.SPOT)
REDUCE_ONLY, SLIDE, POST_ONLY = int(Flag.REDUCE_ONLY), int(Flag.SLIDE), int(Flag.POST_ONLY)
MARKET = int(Flag.MARKET)
GTT, IOC, FOK = int(Tif.GTT), int(Tif.IOC), int(Tif.FOK)
CANCEL_TAKER = int(Stp.CANCEL_TAKER)
END_USER, END_NONE = int(End.USER), int(End.NONE)
MARKET_MUST_EXIST = int(R.MARKET_MUST_EXIST)
FLAGS_MUST_AGREE = int(R.FLAGS_MUST_AGREE)
SIZE_RANGE, SIZE_LOT = int(R.SIZE_MUST_BE_IN_RANGE), int(R.SIZE_MUST_BE_MULTIPLE_OF_LOT)
PRICE_RANGE, PRICE_TICK = int(R.PRICE_MUST_BE_IN_RANGE), int(R.PRICE_MUST_BE_MULTIPLE_OF_TICK)
EXPIRY_FUTURE = int(R.EXPIRY_MUST_BE_IN_THE_FUTURE)
DEADMAN_FIRED = int(R.DEADMAN_FIRED_WAIT_A_BLOCK)
CLIENT_OPEN = int(R.CLIENT_ID_ALREADY_OPEN)
ORDERS_TOO_MANY = int(R.ORDERS_OPEN_TOO_MANY_CANCEL_SOME)
TABLE_FULL = int(R.TABLE_FULL_SEND_LATER)
WOULD_INCREASE = int(R.REDUCE_ONLY_WOULD_INCREASE)
NO_LIQUIDITY = int(R.NO_LIQUIDITY_FOR_MARKET_ORDER)
RESTING_ALONE = int(R.AUCTION_TAKES_RESTING_ORDERS_ALONE)
OUTSIDE_BAND = int(R.PRICE_OUTSIDE_BAND)
IMMEDIATE_NOT = int(R.IMMEDIATE_WOULD_NOT_FILL)
POST_ONLY_CROSS = int(R.POST_ONLY_WOULD_CROSS)
SELF_TRADE = int(R.SELF_TRADE_WOULD_CANCEL_TAKER)
BALANCE_INSUFFICIENT = int(R.BALANCE_INSUFFICIENT)
CASH_BOUND = int(R.ACCOUNT_CASH_BEYOND_BOUND)
ORDER_NOT_FOUND = int(R.ORDER_NOT_FOUND)
ALREADY_FILLED = int(R.ORDER_ALREADY_FILLED_TO_THAT_SIZE)



# --- place ---------------------------------------------------------------------------------------
@helper
def place(s, command):
    """Judge a new order and prepare the taker."""
    taker = s.taker[0]
    taker["market"] = i8(command["market"])
    taker["side"] = i8(command["side"])
    taker["tif"] = i8(command["tif"])
    taker["flags"] = i8(command["flags"])
    taker["price"] = command["price"]
    taker["size"] = command["size"]
    taker["expiry_ms"] = command["expiry_ms"]
    taker["cloid_hi"] = command["cloid_hi"]
    taker["cloid_lo"] = command["cloid_lo"]
    taker["group"] = command["aux"]
    return placed(s)


@helper
def placed(s):
    """Judge a new order that has been read into the taker."""
    taker = s.taker[0]
    taker["active"] = 0
    taker["replaced"] = 0
    taker["group_slot"] = 0
    taker["kept"] = 0
    code = market_code(s, taker["market"], taker["flags"], taker["tif"])
    if code == OK:
        code = size_code(s, taker["market"], taker["size"])
    if code == OK:
        code = price_code(s)
    if code == OK:
        code = place_code(s)
    return code


@helper
def market_code(s, slot, flags, tif):
    """Whether the market takes orders of that kind now."""
    if slot <= 0 or slot >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    code = entry_code(s, slot, flags, tif)
    if code != OK:
        return code
    if s.markets[slot]["kind"] == SPOT and flags & REDUCE_ONLY:
        return FLAGS_MUST_AGREE
    return OK


@helper
def size_code(s, slot, size):
    """Whether a size in lots is one of the market's."""
    if size <= 0 or size > s.markets[slot]["size_max_lots"]:
        return SIZE_RANGE
    step = s.markets[slot]["lot_step"]
    if step > 1 and size % step:
        return SIZE_LOT
    return OK


@helper
def price_code(s):
    """Whether a limit price in ticks is one of the market's."""
    taker = s.taker[0]
    if taker["flags"] & MARKET:
        return OK
    market = s.markets[taker["market"]]
    if taker["price"] <= 0 or taker["price"] > market["price_max_ticks"]:
        return PRICE_RANGE
    if market["tick_step"] > 1 and taker["price"] % market["tick_step"]:
        return PRICE_TICK
    return OK


@helper
def place_code(s):
    """What only a new order, not a replaced one, must satisfy."""
    taker = s.taker[0]
    account = s.now[0]["account"]
    if taker["tif"] == GTT and taker["expiry_ms"] <= s.now[0]["time_ms"]:
        return EXPIRY_FUTURE
    if deadman_fired(s, account):
        return DEADMAN_FIRED
    if (taker["cloid_hi"] or taker["cloid_lo"]) and find_client(
        s, account, taker["cloid_hi"], taker["cloid_lo"]
    ):
        return CLIENT_OPEN
    if taker["group"]:
        code = group_code(s, taker["group"])
        if code != OK:
            return code
    if taker["tif"] < IOC:
        most = i8(s.parameters[0]["orders_per_account_max"])
        if i8(s.accounts[account]["orders_count"]) >= most:
            return ORDERS_TOO_MANY
        ledger = s.ledger[0]
        if not ledger["orders_free"] and ledger["orders_high"] >= ORDERS_MAX:
            return TABLE_FULL
        return level_code(s)
    return OK


@helper
def level_code(s):
    """Whether a further price level fits."""
    ledger = s.ledger[0]
    if not ledger["levels_free"] and ledger["levels_high"] >= LEVELS_MAX:
        return TABLE_FULL
    return OK


# --- judgements that new and replaced orders share -----------------------------------------------
@helper
def cross_code(s):
    """Settle a market order's price, keep post-only orders passive, refuse what cannot match."""
    taker = s.taker[0]
    market = s.markets[taker["market"]]
    side, flags = taker["side"], taker["flags"]
    immediate = taker["tif"] == IOC or taker["tif"] == FOK
    if not trades_now(s, taker["market"]):
        return RESTING_ALONE if immediate else OK
    opposite = best_level(s, taker["market"], 1 - side)
    if not opposite:
        if flags & MARKET:
            return NO_LIQUIDITY
        return IMMEDIATE_NOT if taker["tif"] == IOC else OK
    best = s.levels[opposite]["price"]
    if flags & MARKET:
        taker["price"] = market_price(
            side, best, market["slippage_max_ppm"], market["tick_step"], market["price_max_ticks"]
        )
    crossing = crosses(side, taker["price"], best)
    if flags & POST_ONLY:
        if crossing:
            if not flags & SLIDE:
                return POST_ONLY_CROSS
            step = market["tick_step"]
            taker["price"] = best - step if side == BUY else best + step
            if taker["price"] <= 0 or taker["price"] > market["price_max_ticks"]:
                return POST_ONLY_CROSS
        return OK
    if taker["tif"] == IOC and not crossing:
        return IMMEDIATE_NOT
    if immediate and crossing and band_breached(s, taker["market"], best, i8(0)) >= 0:
        return OUTSIDE_BAND
    if crossing and stp_mode(s) == CANCEL_TAKER:
        head = i8(s.levels[opposite]["head"])
        if owns(s, i8(s.orders[head]["account"])) and order_dead(s, head) == END_NONE:
            return SELF_TRADE
    return OK


@helper
def spot_code(s, account):
    """Whether the balances cover a spot order at its limit price, fee included."""
    taker = s.taker[0]
    market = s.markets[taker["market"]]
    replaced = taker["replaced"]
    value = notional(taker["price"], taker["size"], market["quantum_e6"])
    code = session_order_code(s, value)
    if code != OK:
        return code
    if taker["side"] == SELL:
        cell = position_of(s, account, position_key(s, taker["market"]))
        free = s.positions[cell]["size"] - s.positions[cell]["asks"] if cell >= 0 else i8(0)
        if replaced:
            free += s.orders[replaced]["remaining"] * market["lot_units"]
        if free < taker["size"] * market["lot_units"]:
            return BALANCE_INSUFFICIENT
        return OK
    if abs(s.accounts[account]["cash_e6"]) > CASH_TRADING_MAX_E6:
        return CASH_BOUND
    code = session_spot_code(s, account, value)
    if code != OK:
        return code
    cost = value + ppm_ceil(value, taker["hold_ppm"])
    if replaced:
        cost -= hold_e6(s, replaced, s.orders[replaced]["remaining"])
    assess(s, account)
    if s.now[0]["equity"] - cost < s.now[0]["margin"]:
        return BALANCE_INSUFFICIENT
    return OK


# --- modify --------------------------------------------------------------------------------------
@helper
def modify(s, slot, command):
    """Change price and total size: shrink in place, or prepare the taker that replaces it."""
    order = s.orders[slot]
    account = s.now[0]["account"]
    if not slot or i8(order["account"]) != account or order_dead(s, slot) != END_NONE:
        return ORDER_NOT_FOUND
    taker = s.taker[0]
    size = command["size"]
    taker["market"] = i8(order["market"])
    taker["side"] = i8(order["side"])
    taker["tif"] = i8(order["tif"])
    taker["flags"] = i8(command["flags"]) | (i8(order["flags"]) & REDUCE_ONLY)
    taker["price"] = command["price"]
    taker["expiry_ms"] = order["expiry_ms"]
    taker["cloid_hi"] = order["cloid_hi"]
    taker["cloid_lo"] = order["cloid_lo"]
    taker["replaced"] = slot
    taker["group"] = i8(order["group"])
    taker["group_slot"] = i8(order["group_slot"])
    taker["kept"] = i8(order["flags"]) & ORDER_HAS_CHILDREN
    taker["kept_id"] = order["order_id"]
    code = size_code(s, taker["market"], size)
    if code != OK:
        return code
    filled = order["size"] - order["remaining"]
    if size <= filled:
        return ALREADY_FILLED
    lots = size - filled
    if taker["price"] != order["price"] or lots > order["remaining"]:
        return replace(s, lots)
    # Like a cancel of a part: possible in every market status.
    order_shrink(s, slot, order["remaining"] - lots)
    order["size"] = size
    now = s.now[0]
    now["receipt_side"] = taker["side"]
    now["receipt_market"] = taker["market"]
    now["receipt_order"] = order["order_id"]
    now["receipt_price"] = taker["price"]
    now["receipt_remaining"] = lots
    return OK


@helper
def replace(s, lots):
    """Judge the rest of a modify that cannot shrink in place."""
    taker = s.taker[0]
    taker["size"] = lots
    code = market_code(s, taker["market"], taker["flags"], taker["tif"])
    if code == OK:
        code = price_code(s)
    if code == OK:
        code = level_code(s)
    if code == OK:
        code = prepare(s)
    return code


# --- cancel --------------------------------------------------------------------------------------
@helper
def cancel(s, slot):
    """Take one's own order out of the book; possible in every market status."""
    order = s.orders[slot]
    now = s.now[0]
    if not slot or i8(order["account"]) != now["account"]:
        return ORDER_NOT_FOUND
    now["receipt_side"] = i8(order["side"])
    now["receipt_market"] = i8(order["market"])
    now["receipt_order"] = order["order_id"]
    now["receipt_price"] = order["price"]
    order_cancel(s, slot, END_USER)
    return OK


@helper
def cancel_all(s, market):
    """Cancel every order of the account, or those in one market; newest first."""
    if market >= s.ledger[0]["markets_high"]:
        return MARKET_MUST_EXIST
    now = s.now[0]
    slot = i8(s.accounts[now["account"]]["orders_head"])
    while slot:
        order = s.orders[slot]
        following = i8(order["account_next"])
        if market == 0 or i8(order["market"]) == market:
            order_cancel(s, slot, END_USER)
            now["receipt_filled"] += 1
        slot = following
    now["receipt_market"] = market
    return OK


@linked(numba.types.int64(RECORD))
def prepare(s):
    """Settle price and size of the taker and judge its risk; on OK it is ready for `take`."""
    taker = s.taker[0]
    account = s.now[0]["account"]
    market = taker["market"]
    taker["remaining"] = 0
    taker["filled"] = 0
    taker["end"] = END_NONE
    taker["stamp"] += 1
    code = cross_code(s)
    if code != OK:
        return code
    key = position_key(s, market)
    if taker["flags"] & REDUCE_ONLY:
        cell = position_of(s, account, key)
        lots = reducible(taker["side"], s.positions[cell]["size"]) if cell >= 0 else i8(0)
        if not lots or (taker["tif"] == FOK and lots < taker["size"]):
            return WOULD_INCREASE
        if lots < taker["size"]:
            taker["size"] = lots
    code = position_code(s, account, key)
    if code != OK:
        return code
    schedule = s.markets[market]["fee_schedule"]
    taker["hold_ppm"] = s.fee_tiers[schedule * TIERS_PER_SCHEDULE]["taker_ppm"]
    taker["fee_ppm"] = s.fee_tiers[fee_tier(s, account, schedule)]["taker_ppm"]
    taker["value_e6"] = 0
    taker["fee_e6"] = 0
    if s.markets[market]["kind"] == SPOT:
        code = spot_code(s, account)
    else:
        code = perpetual_code(s, account)
    if code != OK:
        return code
    taker["remaining"] = taker["size"]
    taker["active"] = 1
    if taker["tif"] == FOK:
        return fillable(s)
    return OK
