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
from quorate.execution.spec.series_marks import CALL, european_at
from quorate.execution.spec.takers import Taker
from quorate.instruments.surface.smile import SMILE_VOL_MAX_E9, SMILE_VOL_MIN_E9
from quorate.types.codes import End, Flag, MarketKind, Reject, Side, Tif
from quorate.types.limits import SMILE_VOL_UNIT_E9
from quorate.types.records import Table

# Price and lots of a bid, price and lots of an ask.
Level = tuple[int, int, int, int]


def quote(
    c: Context,
    market_slot: int,
    number: int,
    levels: Sequence[Level],
    in_volatility: int,
    receipt: Receipt,
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
            code = Reject.OK
            if in_volatility:
                code, price = price_of_volatility(c, market_slot, side, price)
            taker = Taker(market_slot, side, Tif.GTC, Flag.POST_ONLY, price, lots, group=number)
            code = code or place(c, taker, Receipt())
            if code:
                receipt.remaining += 1
                first = first or code
            else:
                receipt.filled += 1
    return Reject.OK if receipt.filled else first


def price_of_volatility(
    c: Context, market_slot: int, side: int, vol_e6: int
) -> tuple[Reject, int]:
    """Price at which a side quotes a volatility in 1e-6: by the forward of the last tick and the
    time that is left, a bid rounded down to the tick, an ask up.
    """
    row = c.t.row(Table.SERIES, market_slot)
    market = c.t.row(Table.MARKETS, market_slot)
    if market.kind != MarketKind.SERIES or not row.expiry_ms:
        return Reject.VOLATILITY_MUST_BE_IN_RANGE, 0
    product, expiry = c.t.row(Table.PRODUCTS, row.product), c.t.row(Table.EXPIRIES, row.expiry)
    if not product.european or row.strike <= 0 or not expiry.smile_unit_e9:
        return Reject.VOLATILITY_MUST_BE_IN_RANGE, 0
    if not SMILE_VOL_MIN_E9 <= vol_e6 * SMILE_VOL_UNIT_E9 <= SMILE_VOL_MAX_E9:
        return Reject.VOLATILITY_MUST_BE_IN_RANGE, 0
    vol_e9 = vol_e6 * SMILE_VOL_UNIT_E9
    up = side == Side.SELL
    price = european_at(c, row, product.european == CALL, expiry, vol_e9, up)
    step = market.tick_step
    return Reject.OK, -(-price // step) * step if up else price // step * step
