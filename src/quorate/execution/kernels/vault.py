"""The backstop vault; the same functions as `spec.vault`, but for the call of `take`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import best_level
from quorate.execution.kernels.closing import (
    bucket_move,
    closing_price,
    hand_over,
    loss_share_e6,
    market_waits,
    receipt,
    value_e6,
)
from quorate.execution.kernels.insurance import insurance_holds, insurance_pays
from quorate.execution.kernels.margin import (
    bucket_entry,
    bucket_of,
    clears,
    fee_tier,
)
from quorate.execution.kernels.rows import position_code, position_of
from quorate.execution.kernels.scalars import (
    crosses,
    disposal_lots,
    disposal_price,
    notional,
)
from quorate.types.clearing_codes import LiquidationStep, Phase
from quorate.types.codes import Reject, Side, Tif
from quorate.types.limits import CASH_TRADING_MAX_E6, DISPOSAL_LEVELS_MAX, PPM

i8 = np.int64
OK = int(Reject.OK)
CROSS = 0
BUY, SELL, IOC = int(Side.BUY), int(Side.SELL), int(Tif.IOC)
TRADING = int(Phase.TRADING)
PAID_BY_INSURANCE = int(LiquidationStep.PAID_BY_INSURANCE)
TAKEN_BY_VAULT = int(LiquidationStep.TAKEN_BY_VAULT)


# --- taking over ---------------------------------------------------------------------------------
@helper
def take_over(s):
    """Have the vault take as many lots of the position as it may; return them."""
    lots = vault_room(s)
    closing = s.closing[0]
    bankrupt = closing["equity"] < 0
    if bankrupt:
        lots = lots_covered(s, lots)
    if not lots:
        return i8(0)
    account, market = closing["account"], closing["market"]
    vault = s.ledger[0]["vault"]
    price = s.markets[market]["mark_ticks"] if bankrupt else closing_price(s, lots)
    if not vault_bears(s, lots, price):
        return i8(0)
    loss = loss_share_e6(s, lots)
    if bankrupt:
        if not insurance_pays(s, market, loss):
            return i8(0)
        bucket_move(s, account, market, loss)
    hand_over(s, account, vault, market, lots, price)
    step = PAID_BY_INSURANCE if bankrupt else TAKEN_BY_VAULT
    receipt(s, step, price, lots, -loss, value_e6(s, lots, price) + loss, vault)
    return lots


@helper
def lots_covered(s, most):
    """The most lots, in whole steps, of whose part of the debt the funds can pay all."""
    market = s.closing[0]["market"]
    step = s.markets[market]["lot_step"]
    holds = insurance_holds(s, market)
    low = i8(0)
    high = most // step
    while low < high:
        middle = (low + high + 1) // 2
        if loss_share_e6(s, middle * step) <= holds:
            low = middle
        else:
            high = middle - 1
    return low * step


@helper
def vault_room(s):
    """Lots that the vault's bounds in the market let it take, in whole steps."""
    closing = s.closing[0]
    market = closing["market"]
    row = s.markets[market]
    vault = s.ledger[0]["vault"]
    if not vault or vault == closing["account"]:
        return i8(0)
    if abs(s.accounts[vault]["cash_e6"]) > CASH_TRADING_MAX_E6:
        return i8(0)
    if position_code(s, vault, market) != OK or bucket_of(s, vault, market) != CROSS:
        return i8(0)
    cell = position_of(s, vault, market)
    held = closing["sign"] * s.positions[cell]["size"] if cell >= 0 else i8(0)
    most = s.risk[market]["vault_notional_max_e6"] // (row["mark_ticks"] * row["quantum_e6"])
    room = min(min(most, row["position_max_lots"]) - held, abs(closing["size"]))
    return max(room // row["lot_step"] * row["lot_step"], i8(0))


@helper
def vault_bears(s, lots, price):
    """Whether the vault meets its initial margin after it took lots at a price."""
    closing = s.closing[0]
    market = closing["market"]
    row = s.markets[market]
    vault = s.ledger[0]["vault"]
    size = bids = asks = i8(0)
    cell = position_of(s, vault, market)
    if cell >= 0:
        size = s.positions[cell]["size"]
        bids = s.positions[cell]["bids"]
        asks = s.positions[cell]["asks"]
    size += closing["sign"] * lots
    bucket_entry(s, vault, i8(CROSS), market, size, bids, asks, i8(-1))
    gained = closing["sign"] * notional(row["mark_ticks"] - price, lots, row["quantum_e6"])
    return s.now[0]["equity"] + gained >= s.now[0]["margin"]


# --- disposal ------------------------------------------------------------------------------------
@helper
def disposal_due(s, market):
    """Prepare the taker of a disposal in a market; whether there is one to be taken."""
    vault = s.ledger[0]["vault"]
    if not clears(s, market):
        return False
    risk = s.risk[market]
    cell = position_of(s, vault, market)
    if cell < 0 or s.positions[cell]["size"] == 0:
        return False
    now_ms = s.now[0]["time_ms"]
    if market_waits(s, market) or risk["phase"] != TRADING or now_ms < risk["disposal_next_ms"]:
        return False
    risk["disposal_next_ms"] = now_ms + risk["disposal_interval_ms"]
    s.risk_dirty[market] = 1
    size = s.positions[cell]["size"]
    side = i8(SELL) if size > 0 else i8(BUY)
    price = disposal_limit(s, market, side)
    lots = disposal_size(s, market, side, price, size)
    if not lots:
        return False
    tier = fee_tier(s, vault, s.markets[market]["fee_schedule"])
    immediate_set(s, market, side, price, lots, s.fee_tiers[tier]["taker_ppm"])
    return True


@helper
def disposal_limit(s, market, side):
    """Limit price of a disposal."""
    risk = s.risk[market]
    mark = s.markets[market]["mark_ticks"]
    width = mark * risk["disposal_range_ppm"] // PPM
    price = mark - width if side == SELL else mark + width
    bound = risk["band_low_ticks"] if side == SELL else risk["band_high_ticks"]
    if bound:
        price = disposal_price(side, price, bound)
    return max(i8(1), min(price, s.markets[market]["price_max_ticks"]))


@helper
def disposal_size(s, market, side, price, size):
    """Lots of a disposal; none if nothing rests in its range of the mark."""
    risk = s.risk[market]
    volume = i8(0)
    level = best_level(s, market, 1 - side)
    for _ in range(DISPOSAL_LEVELS_MAX):
        if not level or not crosses(side, price, s.levels[level]["price"]):
            break
        volume += s.levels[level]["lots"]
        level = i8(s.levels[level]["worse"])
    lots = disposal_lots(
        size,
        risk["disposal_full_lots"],
        risk["disposal_part_ppm"],
        volume,
        risk["disposal_share_ppm"],
    )
    step = s.markets[market]["lot_step"]
    return min((lots + step - 1) // step * step, abs(size))


@helper
def immediate_set(s, market, side, price, lots, fee_ppm):
    """Make the taker an immediate-or-cancel order that nobody judges."""
    taker = s.taker[0]
    taker["market"] = market
    taker["side"] = side
    taker["tif"] = IOC
    taker["flags"] = 0
    taker["price"] = price
    taker["size"] = lots
    taker["expiry_ms"] = 0
    taker["cloid_hi"] = 0
    taker["cloid_lo"] = 0
    taker["hold_ppm"] = 0
    taker["remaining"] = lots
    taker["filled"] = 0
    taker["end"] = 0
    taker["replaced"] = 0
    taker["group"] = 0
    taker["group_slot"] = 0
    taker["kept"] = 0
    taker["fee_ppm"] = fee_ppm
    taker["value_e6"] = 0
    taker["fee_e6"] = 0
