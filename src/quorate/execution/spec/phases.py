"""The phases of a block around its bundles, in their fixed order (ARCHITECTURE, *A block*).

The clearing house works in *ticks*: blocks in which phases 3 and 5 run, `tick_ms` apart by block
time. A venue without price feeds has no ticks.
"""

from quorate.execution.spec.bands import bands_tick
from quorate.execution.spec.changes import changes_begin
from quorate.execution.spec.context import Context
from quorate.execution.spec.expiries import series_begin
from quorate.execution.spec.liquidation import liquidation_tick
from quorate.execution.spec.marks import marks_tick
from quorate.execution.spec.options_listing import listings_tick
from quorate.execution.spec.oracle import oracle_tick
from quorate.execution.spec.rates import rates_tick
from quorate.execution.spec.rows import Chain
from quorate.execution.spec.series_tick import series_tick
from quorate.execution.spec.settlement import settlement
from quorate.execution.spec.sweeps import sweep
from quorate.execution.spec.switches import gap_begin
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.triggers import triggers_tick
from quorate.execution.spec.uncross import auctions_end
from quorate.types.records import NO_BUNDLE, Table


def begin(c: Context) -> None:
    """Phases 1 to 5, before the bundles."""
    version_step(c.t, c.height)
    changes_begin(c)
    gap_begin(c)
    sweep(c)
    if c.t.row(Table.LEDGER, 0).series_live:
        series_begin(c)
    tick = tick_begins(c)
    if tick:
        oracle_tick(c)
        marks_tick(c)
        bands_tick(c)
        rates_tick(c)
        listings_tick(c)
        if c.t.row(Table.LEDGER, 0).series_live:
            series_tick(c)
    if c.t.row(Table.LEDGER, 0).series_live:
        settlement(c)
    triggers_tick(c)
    if tick:
        liquidation_tick(c)


def end(c: Context) -> None:
    """Phase 7, after the bundles."""
    c.bundle, c.command, c.account, c.session, c.signer = NO_BUNDLE, 0, 0, 0, b""
    auctions_end(c)


def version_step(t: Tables, height: int) -> None:
    """Phase 1: the rules' version changes at its announced height."""
    chain: Chain = t.row(Table.CHAIN, 0)
    if chain.version_next and height >= chain.version_next_height:
        chain.protocol_version = chain.version_next
        chain.version_next = chain.version_next_height = 0
        t.put(Table.CHAIN, 0, chain)


def tick_begins(c: Context) -> bool:
    """Whether this block is a tick; the next one is then `tick_ms` after block time."""
    ledger = c.t.row(Table.LEDGER, 0)
    if not ledger.feeds_high or c.time_ms < ledger.tick_next_ms:
        return False
    ledger.tick_next_ms = c.time_ms + c.t.row(Table.PARAMETERS, 0).tick_ms
    ledger.tick_count += 1
    c.t.put(Table.LEDGER, 0, ledger)
    return True
