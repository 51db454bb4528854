"""Circuit breakers and what governance adds; the same functions as `spec.switches`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.auctions import MODE_OFF, SWITCHED, auction_begin
from quorate.execution.kernels.bands import band_clear, bounds_renew
from quorate.execution.kernels.clearing import band_code, band_put, feed_add, voter_put
from quorate.execution.kernels.governance import governs
from quorate.execution.kernels.rows import (
    T_PARAMETERS,
    account_at,
    bytes_equal,
    emit_words,
    open_account,
)
from quorate.execution.kernels.scalars import gap_auction_ms
from quorate.execution.kernels.series_state import series_ended
from quorate.types.clearing_codes import AuctionKind, Switch
from quorate.types.codes import MarketStatus, Reject
from quorate.types.limits import ACCOUNTS_MAX, BANDS_PER_MARKET

i8 = np.int64
R = Reject
OK, GOVERNANCE_KEY = int(R.OK), int(R.GOVERNANCE_KEY_REQUIRED)
STATUS_UNKNOWN, ACCOUNT_MUST_EXIST = int(R.STATUS_MUST_BE_KNOWN), int(R.ACCOUNT_MUST_EXIST)
OUT_OF_RANGE, TABLE_FULL = int(R.PARAMETER_OUT_OF_RANGE), int(R.TABLE_FULL_SEND_LATER)
STATUS_OPEN, STATUS_HALTED = int(MarketStatus.OPEN), int(MarketStatus.HALTED)
GAP = int(AuctionKind.GAP)
SWITCH_GATE, SWITCH_CHAIN = int(Switch.GATE), int(Switch.CHAIN)
SWITCH_ACCOUNT = int(Switch.ACCOUNT)


@helper
def switched(s, kind, account, state, before, until_ms):
    """A SWITCHED event of the venue or of an account."""
    zero = i8(0)
    emit_words(
        s, SWITCHED, zero, kind, zero, zero, account, zero,
        state, before, until_ms, zero, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip


@helper
def gap_begin(s):
    """Phase 1: after a long gap all markets with a clearing house go into an auction."""
    now_ms = s.now[0]["time_ms"]
    ledger = s.ledger[0]
    if ledger["feeds_high"] == 0:
        return
    before_ms = ledger["block_ms"]
    ledger["block_ms"] = now_ms
    if s.parameters[0]["gap_auctions"] == 0 or before_ms == 0:
        return
    auction_ms = gap_auction_ms(now_ms - before_ms)
    if auction_ms == 0:
        return
    for market in range(1, s.ledger[0]["risk_high"]):
        if s.risk[market]["mode"] != MODE_OFF and not series_ended(s, market):
            auction_begin(s, i8(market), GAP, now_ms + auction_ms, i8(0))
    gate_until(s, now_ms + max(s.parameters[0]["gate_ms"], auction_ms))


@helper
def gate_until(s, until_ms):
    """Gate withdrawals until a time, if they are not gated for longer."""
    now_ms = s.now[0]["time_ms"]
    before_ms = s.ledger[0]["gate_until_ms"]
    if until_ms <= before_ms or until_ms <= now_ms:
        return
    s.ledger[0]["gate_until_ms"] = until_ms
    gated = i8(1) if before_ms > now_ms else i8(0)
    switched(s, SWITCH_GATE, i8(0), i8(1), gated, until_ms)


@helper
def set_switch(s, signer, account, switch):
    """Restrict an account, or (0) the whole venue; values are those of a market's status."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if switch < STATUS_OPEN or switch > STATUS_HALTED:
        return STATUS_UNKNOWN
    if account >= s.ledger[0]["accounts_high"]:
        return ACCOUNT_MUST_EXIST
    if account:
        before = i8(s.accounts[account]["switch"])
        s.accounts[account]["switch"] = switch
        s.accounts_dirty[account] = 1
        switched(s, SWITCH_ACCOUNT, account, switch, before, i8(0))
    else:
        before = i8(s.parameters[0]["switch"])
        s.parameters[0]["switch"] = switch
        s.small_dirty[T_PARAMETERS] = 1
        switched(s, SWITCH_CHAIN, account, switch, before, i8(0))
    return OK


@helper
def set_band(s, signer, market, band, tau_ms, up_ppm, down_ppm, auction_ms):
    """Define one of a market's price bands anew, or (auction_ms 0) take it away."""
    s.now[0]["receipt_market"] = market
    if not governs(s, signer):
        return GOVERNANCE_KEY
    code = band_code(s, market, band, tau_ms, up_ppm, down_ppm, auction_ms)
    if code != OK:
        return code
    band_put(s, market, band, tau_ms, up_ppm, down_ppm, auction_ms)
    band_clear(s, market * BANDS_PER_MARKET + band)
    bounds_renew(s, market)
    return OK


@helper
def set_feed(s, signer, slot, price_ticks, hi, lo):
    """Add a price feed under the next free number."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    return feed_add(s, slot, price_ticks, hi, lo)


@helper
def set_voter(s, signer, address, weight):
    """Give an address a vote on prices, and an account; see the spec."""
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if bytes_equal(address, s.parameters[0]["vault"]):
        return OUT_OF_RANGE
    known = account_at(s, address, 0)
    if not known and s.ledger[0]["accounts_high"] >= ACCOUNTS_MAX:
        return TABLE_FULL
    code = voter_put(s, address, weight)
    if code == OK and not known:
        open_account(s, address, i8(0))
    return code
