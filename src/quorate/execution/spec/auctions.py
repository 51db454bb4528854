"""How a market goes into a call auction; how it comes out of one stands in `spec.uncross`.

In an auction orders rest without matching. Whatever begins it says until when; the latest end of
all causes holds (FORMULAS 7). A quarantined market stays quarantined.
"""

from quorate.execution.spec.context import Context
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import AuctionKind, Mode, Phase, Switch
from quorate.types.codes import EventKind
from quorate.types.records import Table


def trades_now(t: Tables, market_slot: int) -> bool:
    """Whether orders of a market match as they come; else they rest, and the book may cross."""
    risk = t.row(Table.RISK, market_slot)
    if risk.mode == Mode.OFF:
        return True
    return bool(risk.mode == Mode.CONTINUOUS and risk.phase == Phase.TRADING)


def auction_begin(
    c: Context, market_slot: int, kind: AuctionKind, until_ms: int, price: int
) -> None:
    """Move a market into an auction that ends at `until_ms`, or extend the present one."""
    auction_open(c, market_slot, kind, until_ms, price, -1, 0)


def auction_open(
    c: Context,
    market_slot: int,
    kind: AuctionKind,
    until_ms: int,
    price: int,
    band: int,
    reference: int,
) -> None:
    """Begin or extend; `price` is what breached `band` (-1: none) around `reference`, or 0."""
    risk = c.t.row(Table.RISK, market_slot)
    if risk.phase == Phase.QUARANTINE or (
        risk.phase == Phase.AUCTION and until_ms <= risk.auction_end_ms
    ):
        return
    began = risk.phase == Phase.TRADING
    if began:
        risk.phase, risk.auction_kind = Phase.AUCTION, kind
        risk.auction_begin_ms = c.time_ms
        risk.auction_bands = risk.auction_ticks = risk.auction_lots = 0
    risk.auction_end_ms = until_ms
    c.t.put(Table.RISK, market_slot, risk)
    c.emit_words(
        EventKind.AUCTION_BEGUN,
        until_ms,
        reference,
        price,
        risk.band_low_ticks,
        risk.band_high_ticks,
        band,
        code=kind,
        market=market_slot,
    )
    if began:
        c.emit_words(
            EventKind.SWITCHED,
            Phase.AUCTION,
            Phase.TRADING,
            until_ms,
            code=Switch.PHASE,
            market=market_slot,
        )
