"""Price bands (FORMULAS 7): how far a price may go from the mark of a time ago.

A band keeps samples of the mark, an eighth of its time apart, in a ring; its reference is the
newest sample that is at least that old, else the oldest. Bands are tried by rising time (then by
number); the first one that a price leaves begins the auction, and is left out until it ends. The
tightest bounds stand in the market's risk row and are renewed in every tick; a price inside them
breaches nothing.
"""

from quorate.execution import risk_rules
from quorate.execution.spec.auctions import auction_open
from quorate.execution.spec.clearing_rows import Band, Risk
from quorate.execution.spec.context import Context
from quorate.types.clearing import BAND_SAMPLES
from quorate.types.clearing_codes import AuctionKind, Mode, Phase
from quorate.types.limits import BANDS_PER_MARKET
from quorate.types.records import Table


# --- samples -------------------------------------------------------------------------------------
def band_reference(row: Band, time_ms: int) -> int:
    """Newest sample that is at least tau old, else the oldest; 0 without samples."""
    price = 0
    for back in range(1, row.count + 1):
        at = (row.next - back) % BAND_SAMPLES
        price = getattr(row, f"price_{at}")
        if getattr(row, f"time_{at}_ms") <= time_ms - row.tau_ms:
            break
    return price


def band_sample(row: Band, price: int, time_ms: int) -> None:
    """Put a sample into the ring, in place of the oldest when it is full."""
    setattr(row, f"price_{row.next}", price)
    setattr(row, f"time_{row.next}_ms", time_ms)
    row.next = (row.next + 1) % BAND_SAMPLES
    row.count = min(row.count + 1, BAND_SAMPLES)
    row.sample_ms = time_ms


def bands_tick(c: Context) -> None:
    """Phase 3 of a tick, after the marks: sample the marks and renew the bounds.

    In an auction nothing is sampled: its end begins the samples anew.
    """
    ledger = c.t.row(Table.LEDGER, 0)
    for slot in range(1, ledger.bands_high // BANDS_PER_MARKET):
        risk = c.t.row(Table.RISK, slot)
        if risk.mode == Mode.OFF or risk.phase == Phase.AUCTION:
            continue
        mark = c.t.row(Table.MARKETS, slot).mark_ticks
        if not mark:
            continue
        for at in range(slot * BANDS_PER_MARKET, (slot + 1) * BANDS_PER_MARKET):
            row = c.t.row(Table.BANDS, at)
            if not row.auction_ms:
                continue
            if not row.count or c.time_ms >= row.sample_ms + row.tau_ms // BAND_SAMPLES:
                band_sample(row, mark, c.time_ms)
                c.t.put(Table.BANDS, at, row)
        bounds_renew(c, slot)


def bands_reset(c: Context, market_slot: int, price: int) -> None:
    """After an auction: samples begin anew with its price (0: with the mark of the next tick)."""
    if market_slot >= c.t.row(Table.LEDGER, 0).bands_high // BANDS_PER_MARKET:
        return
    for at in range(market_slot * BANDS_PER_MARKET, (market_slot + 1) * BANDS_PER_MARKET):
        row = c.t.row(Table.BANDS, at)
        fresh = Band(row.tau_ms, row.up_ppm, row.down_ppm, row.auction_ms)
        if row.auction_ms and price:
            band_sample(fresh, price, c.time_ms)
        c.t.put(Table.BANDS, at, fresh)
    bounds_renew(c, market_slot)


# --- bounds --------------------------------------------------------------------------------------
def bounds_renew(c: Context, market_slot: int) -> None:
    """Write the tightest bounds of the bands in force into the risk row; all 0 without any."""
    risk = c.t.row(Table.RISK, market_slot)
    low = high = auction_ms = tau_ms = 0
    for band in range(BANDS_PER_MARKET):
        row = c.t.row(Table.BANDS, market_slot * BANDS_PER_MARKET + band)
        if not band_holds(risk, row, band):
            continue
        reference = band_reference(row, c.time_ms)
        low = max(low, risk_rules.band_low(reference, row.down_ppm))
        top = risk_rules.band_high(reference, row.up_ppm)
        high = min(high, top) if high else top
        if not tau_ms or row.tau_ms < tau_ms:
            tau_ms, auction_ms = row.tau_ms, row.auction_ms
    risk.band_low_ticks, risk.band_high_ticks, risk.band_auction_ms = low, high, auction_ms
    c.t.put(Table.RISK, market_slot, risk)


def band_holds(risk: Risk, row: Band, band: int) -> bool:
    """Whether a band is in force: defined, with a sample, and not used in the present auction."""
    used = risk.phase == Phase.AUCTION and risk.auction_bands >> band & 1
    return bool(row.auction_ms and row.count and not used)


def band_breached(c: Context, market_slot: int, price: int, mark: int) -> int:
    """Number of the first band that a price leaves, or -1.

    `mark`: a price between it and a band's reference is on its way back and leaves nothing; 0 for
    trades, which have no such excuse.
    """
    risk = c.t.row(Table.RISK, market_slot)
    if not risk.band_high_ticks or risk.band_low_ticks <= price <= risk.band_high_ticks:
        return -1
    found, tau_ms = -1, 0
    for band in range(BANDS_PER_MARKET):
        row = c.t.row(Table.BANDS, market_slot * BANDS_PER_MARKET + band)
        if not band_holds(risk, row, band) or (found >= 0 and row.tau_ms >= tau_ms):
            continue
        reference = band_reference(row, c.time_ms)
        if price < risk_rules.band_low(reference, row.down_ppm):
            leaves = not 0 < mark <= price
        else:
            leaves = price > risk_rules.band_high(reference, row.up_ppm) and price > mark
        if leaves:
            found, tau_ms = band, row.tau_ms
    return found


def band_use(c: Context, market_slot: int, kind: AuctionKind, price: int, band: int) -> None:
    """Begin or extend the auction for which a price has left a band; the band is then left out."""
    row = c.t.row(Table.BANDS, market_slot * BANDS_PER_MARKET + band)
    reference = band_reference(row, c.time_ms)
    auction_open(c, market_slot, kind, c.time_ms + row.auction_ms, price, band, reference)
    risk = c.t.row(Table.RISK, market_slot)
    if risk.phase == Phase.AUCTION:
        risk.auction_bands |= 1 << band
        c.t.put(Table.RISK, market_slot, risk)
        bounds_renew(c, market_slot)


# --- who asks ------------------------------------------------------------------------------------
def candidate_breaches(c: Context, market_slot: int, price: int) -> bool:
    """Whether a mark candidate leaves a band: then the auction has begun and the mark stays.

    A candidate that comes back from outside, not beyond the mark that stands, breaches nothing.
    In quarantine no auction can begin, and the mark must follow the index: no band is tried.
    """
    if c.t.row(Table.RISK, market_slot).phase == Phase.QUARANTINE:
        return False
    band = band_breached(c, market_slot, price, c.t.row(Table.MARKETS, market_slot).mark_ticks)
    if band >= 0:
        band_use(c, market_slot, AuctionKind.BAND_MARK, price, band)
    return band >= 0
