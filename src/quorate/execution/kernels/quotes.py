"""Mass quote; the same function as `spec.quotes`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.match import rest
from quorate.execution.kernels.orders import market_code, placed, prepare
from quorate.execution.kernels.protection import group_cancel, group_code
from quorate.execution.kernels.series_marks import CALL, european_at
from quorate.instruments.surface.smile import SMILE_VOL_MAX_E9, SMILE_VOL_MIN_E9
from quorate.types.codes import End, Flag, MarketKind, Reject, Side, Tif
from quorate.types.limits import SMILE_VOL_UNIT_E9

i8 = np.int64
OK = int(Reject.OK)
BUY, SELL = int(Side.BUY), int(Side.SELL)
GTC, POST_ONLY = int(Tif.GTC), int(Flag.POST_ONLY)
END_REPLACED = int(End.REPLACED)
SERIES, VOL_RANGE = int(MarketKind.SERIES), int(Reject.VOLATILITY_MUST_BE_IN_RANGE)
VOL_MIN = SMILE_VOL_MIN_E9 // SMILE_VOL_UNIT_E9
VOL_MAX = SMILE_VOL_MAX_E9 // SMILE_VOL_UNIT_E9


@helper
def quote(s, commands, at):
    """Replace the group's quotes in a market by the levels in the records behind the head."""
    now = s.now[0]
    market = i8(commands[at]["market"])
    number = commands[at]["aux"]
    in_volatility = commands[at]["side"] != 0
    code = market_code(s, market, i8(POST_ONLY), i8(GTC))
    if code == OK:
        code = group_code(s, number)
    if code != OK:
        return code
    group_cancel(s, now["account"], s.taker[0]["group_slot"], market, i8(END_REPLACED))
    now["receipt_market"] = market
    first = OK
    for level in range(at + 1, at + 1 + commands[at]["size"]):
        record = commands[level]
        for side in range(2):
            price, lots = record["price"], record["size"]
            if side == SELL:
                price, lots = record["expiry_ms"], record["order_id"]
            if not lots:
                continue
            if in_volatility:
                price = price_of_volatility(s, market, i8(side), price)
            code = VOL_RANGE
            if price >= 0:
                code = quote_side(s, market, i8(side), price, lots, number)
            if code == OK:
                now["receipt_filled"] += 1
            else:
                now["receipt_remaining"] += 1
                if first == OK:
                    first = code
    return OK if now["receipt_filled"] else first


@helper
def quote_side(s, market, side, price, lots, number):
    """Rest one side of a level as an order of its own."""
    taker = s.taker[0]
    taker["market"] = market
    taker["side"] = side
    taker["tif"] = GTC
    taker["flags"] = POST_ONLY
    taker["price"] = price
    taker["size"] = lots
    taker["expiry_ms"] = 0
    taker["cloid_hi"] = 0
    taker["cloid_lo"] = 0
    taker["group"] = number
    code = placed(s)
    if code == OK:
        code = prepare(s)
    if code == OK:
        rest(s)
    return code


@helper
def price_of_volatility(s, market, side, vol_e6):
    """Price at which a side quotes a volatility in 1e-6, or -1 if it is none; see the spec."""
    row = s.series[market]
    found = s.markets[market]
    if found["kind"] != SERIES or row["expiry_ms"] == 0:
        return i8(-1)
    european = s.products[row["product"]]["european"]
    if european == 0 or row["strike"] <= 0 or s.expiries[row["expiry"]]["smile_unit_e9"] == 0:
        return i8(-1)
    if vol_e6 < VOL_MIN or vol_e6 > VOL_MAX:
        return i8(-1)
    up = side == SELL
    price = european_at(s, market, european == CALL, vol_e6 * SMILE_VOL_UNIT_E9, up)
    step = found["tick_step"]
    if up:
        price += step - 1
    return price // step * step
