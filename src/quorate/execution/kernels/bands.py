"""Price bands (FORMULAS 7); the same functions as `spec.bands`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import AUCTION, auction_open
from quorate.execution.kernels.scalars import band_high, band_low
from quorate.types.clearing import BAND_SAMPLES
from quorate.types.clearing_codes import AuctionKind, Phase
from quorate.types.limits import BANDS_PER_MARKET

i8 = np.int64
BAND_MARK = int(AuctionKind.BAND_MARK)
QUARANTINE = int(Phase.QUARANTINE)
assert BAND_SAMPLES == 8, "the ring is written out below"


# --- samples -------------------------------------------------------------------------------------
@helper
def sample_price(row, at):
    """Price of a sample by its place in the ring."""
    if at < 4:
        if at < 2:
            return row["price_0"] if at == 0 else row["price_1"]
        return row["price_2"] if at == 2 else row["price_3"]
    if at < 6:
        return row["price_4"] if at == 4 else row["price_5"]
    return row["price_6"] if at == 6 else row["price_7"]


@helper
def sample_ms(row, at):
    """Time of a sample by its place in the ring."""
    if at < 4:
        if at < 2:
            return row["time_0_ms"] if at == 0 else row["time_1_ms"]
        return row["time_2_ms"] if at == 2 else row["time_3_ms"]
    if at < 6:
        return row["time_4_ms"] if at == 4 else row["time_5_ms"]
    return row["time_6_ms"] if at == 6 else row["time_7_ms"]


@helper
def sample_put(row, at, price, time_ms):
    """Write a sample at its place in the ring."""
    if at == 0:
        row["price_0"], row["time_0_ms"] = price, time_ms
    elif at == 1:
        row["price_1"], row["time_1_ms"] = price, time_ms
    elif at == 2:
        row["price_2"], row["time_2_ms"] = price, time_ms
    elif at == 3:
        row["price_3"], row["time_3_ms"] = price, time_ms
    elif at == 4:
        row["price_4"], row["time_4_ms"] = price, time_ms
    elif at == 5:
        row["price_5"], row["time_5_ms"] = price, time_ms
    elif at == 6:
        row["price_6"], row["time_6_ms"] = price, time_ms
    else:
        row["price_7"], row["time_7_ms"] = price, time_ms


@helper
def band_reference(s, at):
    """Newest sample of band row `at` that is at least tau old, else the oldest; 0 without."""
    row = s.bands[at]
    before_ms = s.now[0]["time_ms"] - row["tau_ms"]
    price = i8(0)
    for back in range(1, row["count"] + 1):
        place = (row["next"] - back) % BAND_SAMPLES
        price = sample_price(row, place)
        if sample_ms(row, place) <= before_ms:
            break
    return price


@helper
def band_sample(s, at, price):
    """Put a sample into the ring, in place of the oldest when it is full."""
    row = s.bands[at]
    time_ms = s.now[0]["time_ms"]
    sample_put(row, row["next"], price, time_ms)
    row["next"] = (row["next"] + 1) % BAND_SAMPLES
    if row["count"] < BAND_SAMPLES:
        row["count"] += 1
    row["sample_ms"] = time_ms
    s.bands_dirty[at] = 1


@helper
def band_clear(s, at):
    """Forget a band's samples."""
    row = s.bands[at]
    for place in range(BAND_SAMPLES):
        sample_put(row, place, i8(0), i8(0))
    row["count"] = 0
    row["next"] = 0
    row["sample_ms"] = 0
    s.bands_dirty[at] = 1


@helper
def bands_tick(s):
    """Phase 3 of a tick, after the marks: sample the marks and renew the bounds."""
    time_ms = s.now[0]["time_ms"]
    for market in range(1, s.ledger[0]["bands_high"] // BANDS_PER_MARKET):
        risk = s.risk[market]
        mark = s.markets[market]["mark_ticks"]
        if risk["mode"] == 0 or risk["phase"] == AUCTION or mark == 0:
            continue
        for at in range(market * BANDS_PER_MARKET, (market + 1) * BANDS_PER_MARKET):
            row = s.bands[at]
            if row["auction_ms"] == 0:
                continue
            if row["count"] == 0 or time_ms >= row["sample_ms"] + row["tau_ms"] // BAND_SAMPLES:
                band_sample(s, at, mark)
        bounds_renew(s, i8(market))


@helper
def bands_reset(s, market, price):
    """After an auction: samples begin anew with its price (0: with the mark of the next tick)."""
    if market >= s.ledger[0]["bands_high"] // BANDS_PER_MARKET:
        return
    for at in range(market * BANDS_PER_MARKET, (market + 1) * BANDS_PER_MARKET):
        band_clear(s, at)
        if s.bands[at]["auction_ms"] and price:
            band_sample(s, at, price)
    bounds_renew(s, market)


# --- bounds --------------------------------------------------------------------------------------
@helper
def bounds_renew(s, market):
    """Write the tightest bounds of the bands in force into the risk row; all 0 without any."""
    low = high = auction_ms = tau_ms = i8(0)
    for band in range(BANDS_PER_MARKET):
        if not band_holds(s, market, band):
            continue
        at = market * BANDS_PER_MARKET + band
        row = s.bands[at]
        reference = band_reference(s, at)
        bottom = band_low(reference, row["down_ppm"])
        top = band_high(reference, row["up_ppm"])
        if bottom > low:
            low = bottom
        if high == 0 or top < high:
            high = top
        if tau_ms == 0 or row["tau_ms"] < tau_ms:
            tau_ms = row["tau_ms"]
            auction_ms = row["auction_ms"]
    risk = s.risk[market]
    risk["band_low_ticks"] = low
    risk["band_high_ticks"] = high
    risk["band_auction_ms"] = auction_ms
    s.risk_dirty[market] = 1


@helper
def band_holds(s, market, band):
    """Whether a band is in force: defined, with a sample, and not used in the present auction."""
    row = s.bands[market * BANDS_PER_MARKET + band]
    if row["auction_ms"] == 0 or row["count"] == 0:
        return False
    risk = s.risk[market]
    return risk["phase"] != AUCTION or (risk["auction_bands"] >> band) & 1 == 0


@helper
def band_breached(s, market, price, mark):
    """Number of the first band that a price leaves, or -1; see the spec."""
    risk = s.risk[market]
    high = risk["band_high_ticks"]
    if high == 0 or (price >= risk["band_low_ticks"] and price <= high):
        return i8(-1)
    found = i8(-1)
    tau_ms = i8(0)
    for band in range(BANDS_PER_MARKET):
        at = market * BANDS_PER_MARKET + band
        row = s.bands[at]
        if not band_holds(s, market, band) or (found >= 0 and row["tau_ms"] >= tau_ms):
            continue
        reference = band_reference(s, at)
        if price < band_low(reference, row["down_ppm"]):
            leaves = mark == 0 or price < mark
        else:
            leaves = price > mark and price > band_high(reference, row["up_ppm"])
        if leaves:
            found = i8(band)
            tau_ms = row["tau_ms"]
    return found


@helper
def band_use(s, market, kind, price, band):
    """Begin or extend the auction for which a price has left a band; the band is then left out."""
    at = market * BANDS_PER_MARKET + band
    reference = band_reference(s, at)
    until_ms = s.now[0]["time_ms"] + s.bands[at]["auction_ms"]
    auction_open(s, market, kind, until_ms, price, band, reference)
    risk = s.risk[market]
    if risk["phase"] == AUCTION:
        risk["auction_bands"] |= i8(1) << band
        bounds_renew(s, market)


# --- who asks ------------------------------------------------------------------------------------
@helper
def candidate_breaches(s, market, price):
    """Whether a mark candidate leaves a band: then the auction has begun and the mark stays; not
    in quarantine, where no auction can begin.
    """
    if s.risk[market]["phase"] == QUARANTINE:
        return False
    band = band_breached(s, market, price, s.markets[market]["mark_ticks"])
    if band >= 0:
        band_use(s, market, BAND_MARK, price, band)
    return band >= 0
