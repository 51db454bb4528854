"""Mass quote; the same function as `spec.quotes`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.match import rest
from quorate.execution.kernels.orders import market_code, placed, prepare
from quorate.execution.kernels.protection import group_cancel, group_code
from quorate.types.codes import End, Flag, Reject, Side, Tif

i8 = np.int64
OK = int(Reject.OK)
BUY, SELL = int(Side.BUY), int(Side.SELL)
GTC, POST_ONLY = int(Tif.GTC), int(Flag.POST_ONLY)
END_REPLACED = int(End.REPLACED)


@helper
def quote(s, commands, at):
    """Replace the group's quotes in a market by the levels in the records behind the head."""
    now = s.now[0]
    market = i8(commands[at]["market"])
    number = commands[at]["aux"]
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
