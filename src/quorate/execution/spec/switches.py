"""Circuit breakers that governance or a gap in block time moves, and what governance adds."""

from quorate.execution import risk_rules
from quorate.execution.spec.accounts import account_at, open_account
from quorate.execution.spec.auctions import auction_begin
from quorate.execution.spec.bands import bounds_renew
from quorate.execution.spec.clearing import band_code, band_put, feed_add, voter_put
from quorate.execution.spec.clearing_rows import Band
from quorate.execution.spec.context import Context
from quorate.execution.spec.governance import governs
from quorate.execution.spec.series_state import series_ended
from quorate.types.clearing_codes import AuctionKind, Mode, Switch
from quorate.types.codes import EventKind, MarketStatus, Reject
from quorate.types.limits import ACCOUNTS_MAX
from quorate.types.records import Table


def gap_begin(c: Context) -> None:
    """Phase 1: after a long gap between blocks every market with a clearing house goes into an
    auction, and withdrawals are gated to its end at least (FORMULAS 7, long blocks).

    The ledger holds the time of the block before: the chain row, which is written when a block's
    roots are, is behind while a replica catches up without hashing every block.
    """
    ledger = c.t.row(Table.LEDGER, 0)
    parameters = c.t.row(Table.PARAMETERS, 0)
    if not ledger.feeds_high:
        return
    before_ms, ledger.block_ms = ledger.block_ms, c.time_ms
    c.t.put(Table.LEDGER, 0, ledger)
    if not parameters.gap_auctions or not before_ms:
        return
    auction_ms = risk_rules.gap_auction_ms(c.time_ms - before_ms)
    if not auction_ms:
        return
    for slot in range(1, ledger.risk_high):
        if c.t.row(Table.RISK, slot).mode != Mode.OFF and not series_ended(c.t, slot):
            auction_begin(c, slot, AuctionKind.GAP, c.time_ms + auction_ms, 0)
    gate_until(c, c.time_ms + max(parameters.gate_ms, auction_ms))


def gate_until(c: Context, until_ms: int) -> None:
    """Gate withdrawals until a time, if they are not gated for longer."""
    ledger = c.t.row(Table.LEDGER, 0)
    before_ms = ledger.gate_until_ms
    if until_ms <= max(before_ms, c.time_ms):
        return
    ledger.gate_until_ms = until_ms
    c.t.put(Table.LEDGER, 0, ledger)
    c.emit_words(
        EventKind.SWITCHED, 1, int(before_ms > c.time_ms), until_ms, code=Switch.GATE
    )


def set_switch(c: Context, account_slot: int, switch: int) -> Reject:
    """Restrict an account, or (0) the whole venue; values are those of a market's status."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    if not MarketStatus.OPEN <= switch <= MarketStatus.HALTED:
        return Reject.STATUS_MUST_BE_KNOWN
    if account_slot >= c.t.row(Table.LEDGER, 0).accounts_high:
        return Reject.ACCOUNT_MUST_EXIST
    table = Table.ACCOUNTS if account_slot else Table.PARAMETERS
    row = c.t.row(table, account_slot)
    before, row.switch = row.switch, switch
    c.t.put(table, account_slot, row)
    kind = Switch.ACCOUNT if account_slot else Switch.CHAIN
    c.emit_words(EventKind.SWITCHED, switch, before, code=kind, account=account_slot)
    return Reject.OK


def set_band(c: Context, market_slot: int, band: int, row: Band) -> Reject:
    """Define one of a market's price bands anew, or (auction_ms 0) take it away."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    code = band_code(c.t, market_slot, band, row)
    if code:
        return code
    band_put(c.t, market_slot, band, row)
    bounds_renew(c, market_slot)
    return Reject.OK


def set_feed(c: Context, slot: int, name: bytes, price_ticks: int) -> Reject:
    """Add a price feed under the next free number."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    return feed_add(c.t, slot, name, price_ticks)


def set_voter(c: Context, address: bytes, weight: int) -> Reject:
    """Give an address a vote on prices, change its weight, or (0) take it away.

    It gets an account, from which its votes are sent. The vault votes on nothing.
    """
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    if address == c.t.row(Table.PARAMETERS, 0).vault:
        return Reject.PARAMETER_OUT_OF_RANGE
    known = account_at(c.t, address, 0)
    if not known and c.t.row(Table.LEDGER, 0).accounts_high >= ACCOUNTS_MAX:
        return Reject.TABLE_FULL_SEND_LATER
    code = voter_put(c.t, address, weight)
    if not code and not known:
        open_account(c.t, address, 0)
    return code
