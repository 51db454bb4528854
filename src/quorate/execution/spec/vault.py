"""The backstop vault: an account that takes over what the book did not, and works it off.

What it takes is bounded by a notional in each market and by its own initial margin. Disposal
follows FORMULAS 8: a part of the position at a time, never more than a share of what rests near the
mark, at a price inside the bands.
"""

from quorate.execution import risk_rules, rules
from quorate.execution.spec.book import best_level
from quorate.execution.spec.clearing_rows import Risk
from quorate.execution.spec.closing import (
    Closing,
    bucket_move,
    closing_price,
    hand_over,
    loss_share_e6,
    market_waits,
    receipt,
    value_e6,
)
from quorate.execution.spec.context import Context
from quorate.execution.spec.insurance import insurance_holds, insurance_pays
from quorate.execution.spec.margin import CROSS, bucket_of, bucket_worth, fee_rates
from quorate.execution.spec.match import take
from quorate.execution.spec.options_margin import Leg
from quorate.execution.spec.positions import position_code, position_of
from quorate.execution.spec.rows import Market
from quorate.execution.spec.takers import Taker
from quorate.types.clearing_codes import LiquidationStep, Mode, Phase
from quorate.types.codes import Side, Tif
from quorate.types.limits import CASH_TRADING_MAX_E6, DISPOSAL_LEVELS_MAX, PPM
from quorate.types.records import Table


# --- taking over ---------------------------------------------------------------------------------
def take_over(c: Context, closing: Closing) -> int:
    """Have the vault take as many lots of a position as it may; return them.

    Of a bucket with equity it takes them at the zero price, and so the equity with them. Of a
    bankrupt one it takes as many as the insurance can pay for, which is the part of the debt that
    they carry; they then change hands at the mark.
    """
    lots = vault_room(c, closing)
    bankrupt = closing.worth.equity < 0
    if bankrupt:
        lots = lots_covered(c, closing, lots)
    if not lots:
        return 0
    vault = c.t.row(Table.LEDGER, 0).vault
    mark = c.t.row(Table.MARKETS, closing.market).mark_ticks
    price = mark if bankrupt else closing_price(c.t, closing, lots)
    if not vault_bears(c, closing, lots, price):
        return 0
    loss = loss_share_e6(c.t, closing, lots)
    if bankrupt:
        if not insurance_pays(c, closing.market, loss):
            return 0
        bucket_move(c, closing.account, closing.market, loss)
    hand_over(c, closing.account, vault, closing.market, lots, price)
    step = LiquidationStep.PAID_BY_INSURANCE if bankrupt else LiquidationStep.TAKEN_BY_VAULT
    cash = value_e6(c, closing, lots, price) + loss
    receipt(c, closing, step, price, lots, -loss, cash, vault)
    return lots


def lots_covered(c: Context, closing: Closing, most: int) -> int:
    """The most lots, in whole steps, of whose part of the debt the funds can pay all."""
    step = c.t.row(Table.MARKETS, closing.market).lot_step
    holds = insurance_holds(c.t, closing.market)
    low, high = 0, most // step
    while low < high:
        middle = (low + high + 1) // 2
        if loss_share_e6(c.t, closing, middle * step) <= holds:
            low = middle
        else:
            high = middle - 1
    return int(low * step)


def vault_room(c: Context, closing: Closing) -> int:
    """Lots that the vault's bounds in the market let it take, in whole steps."""
    t = c.t
    vault = t.row(Table.LEDGER, 0).vault
    risk, market = t.row(Table.RISK, closing.market), t.row(Table.MARKETS, closing.market)
    row = t.row(Table.ACCOUNTS, vault)
    if not vault or vault == closing.account or abs(row.cash_e6) > CASH_TRADING_MAX_E6:
        return 0
    if position_code(t, row, closing.market) or bucket_of(row, closing.market) != CROSS:
        return 0
    position = position_of(row, closing.market)
    held = closing.sign * position.size if position else 0
    most = risk.vault_notional_max_e6 // (market.mark_ticks * market.quantum_e6)
    room = min(min(most, market.position_max_lots) - held, abs(closing.size))
    return int(max(room // market.lot_step * market.lot_step, 0))


def vault_bears(c: Context, closing: Closing, lots: int, price: int) -> bool:
    """Whether the vault meets its initial margin after it took lots at a price."""
    t = c.t
    vault = t.row(Table.LEDGER, 0).vault
    market = t.row(Table.MARKETS, closing.market)
    row = t.row(Table.ACCOUNTS, vault)
    position = position_of(row, closing.market)
    size = (position.size if position else 0) + closing.sign * lots
    bids, asks = (position.bids, position.asks) if position else (0, 0)
    worth = bucket_worth(t, row, CROSS, Leg(closing.market, size, bids, asks))
    gained = closing.sign * rules.notional(market.mark_ticks - price, lots, market.quantum_e6)
    return worth.equity + gained >= worth.initial


# --- disposal ------------------------------------------------------------------------------------
def disposal_tick(c: Context) -> None:
    """End of phase 5: work off the vault's positions, market by market."""
    ledger = c.t.row(Table.LEDGER, 0)
    if not ledger.vault:
        return
    c.account = ledger.vault
    for market_slot in range(1, ledger.risk_high):
        dispose(c, market_slot)


def dispose(c: Context, market_slot: int) -> None:
    """Offer a part of the vault's position immediate-or-cancel, when its time has come."""
    t = c.t
    risk, market = t.row(Table.RISK, market_slot), t.row(Table.MARKETS, market_slot)
    row = t.row(Table.ACCOUNTS, c.account)
    position = position_of(row, market_slot)
    if risk.mode == Mode.OFF or not position or not position.size:
        return
    waits = market_waits(t, market_slot) or risk.phase != Phase.TRADING
    if waits or c.time_ms < risk.disposal_next_ms:
        return
    risk.disposal_next_ms = c.time_ms + risk.disposal_interval_ms
    t.put(Table.RISK, market_slot, risk)
    side = Side.SELL if position.size > 0 else Side.BUY
    price, lots = disposal_order(c, risk, market, side, position.size)
    if not lots:
        return
    _, fee_ppm = fee_rates(t, row, market.fee_schedule, c.time_ms)
    taker = Taker(market_slot, side, Tif.IOC, 0, price, lots, remaining=lots, fee_ppm=fee_ppm)
    take(c, taker)


def disposal_order(
    c: Context, risk: Risk, market: Market, side: Side, size: int
) -> tuple[int, int]:
    """Limit price and lots of a disposal; no lots if nothing rests in its range of the mark."""
    width = market.mark_ticks * risk.disposal_range_ppm // PPM
    price = market.mark_ticks - width if side == Side.SELL else market.mark_ticks + width
    bound = risk.band_low_ticks if side == Side.SELL else risk.band_high_ticks
    if bound:
        price = risk_rules.disposal_price(side, price, bound)
    price = max(1, min(price, market.price_max_ticks))
    volume = 0
    level_slot = best_level(market, 1 - side)
    for _ in range(DISPOSAL_LEVELS_MAX):
        if not level_slot:
            break
        level = c.t.row(Table.LEVELS, level_slot)
        if not rules.crosses(side, price, level.price):
            break
        volume += level.lots
        level_slot = level.worse
    lots = risk_rules.disposal_lots(
        size, risk.disposal_full_lots, risk.disposal_part_ppm, volume, risk.disposal_share_ppm
    )
    lots = -(-lots // market.lot_step) * market.lot_step
    return price, min(lots, abs(size))
