"""Mass quote: one command that takes back a group's quotes in a market and rests new ones.

Each side of a level is a post-only order of its own, judged like any other; one that would cross is
skipped, not slid. In auctions and batches, where nothing trades on arrival, sides may cross. The
one receipt counts in `size` the orders that rest and in `remaining` the sides that were refused;
its code is OK, or the first refusal if nothing rests. A side of no lots is absent: levels without
lots just take the quotes back.
"""

from collections.abc import Sequence

from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.orders import market_code, place
from quorate.execution.spec.protection import group_cancel, group_code
from quorate.execution.spec.takers import Taker
from quorate.types.codes import End, Flag, Reject, Side, Tif

# Price and lots of a bid, price and lots of an ask.
Level = tuple[int, int, int, int]


def quote(
    c: Context, market_slot: int, number: int, levels: Sequence[Level], receipt: Receipt
) -> Reject:
    """Replace the group's quotes in a market."""
    code = market_code(c, market_slot, Flag.POST_ONLY, Tif.GTC)
    if code:
        return code
    code, group_slot = group_code(c, number)
    if code:
        return code
    group_cancel(c, c.account, group_slot, market_slot, End.REPLACED)
    receipt.market = market_slot
    first = Reject.OK
    for bid_ticks, bid_lots, ask_ticks, ask_lots in levels:
        sides = ((Side.BUY, bid_ticks, bid_lots), (Side.SELL, ask_ticks, ask_lots))
        for side, price, lots in sides:
            if not lots:
                continue
            taker = Taker(market_slot, side, Tif.GTC, Flag.POST_ONLY, price, lots, group=number)
            code = place(c, taker, Receipt())
            if code:
                receipt.remaining += 1
                first = first or code
            else:
                receipt.filled += 1
    return Reject.OK if receipt.filled else first
