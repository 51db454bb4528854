"""Settlement of dated series: EXPIRED -> SETTLING -> SETTLED.

When an expiry is fixed its series take their payoff as mark, and one walk over all accounts, a
bounded piece a block, pays every position of them: size * payoff * quantum from shorts to longs,
whole numbers that sum to zero because a market is as long as it is short. Series become SETTLING
only while no walk is under way, so that each walk pays all positions of all of them. Nothing can
trade in them, so no position moves behind the walk.
"""

from quorate.execution import rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.expiries import series_moved
from quorate.execution.spec.funding import settle
from quorate.execution.spec.match import book_fill, long_change
from quorate.execution.spec.options_rows import Expiry, Series
from quorate.execution.spec.positions import position_close_if_empty, position_open
from quorate.execution.spec.series_payoffs import payoff_inputs, payoff_of
from quorate.execution.spec.tables import Tables
from quorate.types.codes import EventKind, Side
from quorate.types.limits import ACCOUNTS_SETTLED_PER_BLOCK
from quorate.types.options_codes import ExpiryState, SeriesState
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED, Table


def settlement(c: Context) -> None:
    """Begin a walk if series wait for one, and go on with the present one."""
    ledger = c.t.row(Table.LEDGER, 0)
    if not ledger.settle_until and any_fixed(c.t):
        for slot in range(1, ledger.series_high):
            row: Series = c.t.row(Table.SERIES, slot)
            if may_settle(c.t, slot, row):
                settling(c, slot, row)
        walk_begin(c.t)
    if c.t.row(Table.LEDGER, 0).settle_until:
        walk(c)


def any_fixed(t: Tables) -> bool:
    """Whether an expiry is fixed whose series are not all settled."""
    high = t.row(Table.LEDGER, 0).expiries_high
    return any(t.row(Table.EXPIRIES, slot).state == ExpiryState.FIXED for slot in range(high))


def may_settle(t: Tables, slot: int, row: Series) -> bool:
    """Whether a series has its fixing and its book is empty."""
    if row.state != SeriesState.EXPIRED or t.row(Table.MARKETS, slot).orders_count:
        return False
    return bool(t.row(Table.EXPIRIES, row.expiry).state == ExpiryState.FIXED)


def settling(c: Context, slot: int, row: Series) -> None:
    """Give a series its payoff, which is its mark from now on; it may be 0."""
    product = c.t.row(Table.PRODUCTS, row.product)
    market = c.t.row(Table.MARKETS, slot)
    fix = c.t.row(Table.EXPIRIES, row.expiry).fix_ticks
    spot = c.t.row(Table.FEEDS, c.t.row(Table.RISK, slot).feed).price_ticks
    payoff = payoff_of(product, payoff_inputs(row, fix, spot))
    row.settle_ticks = row.model_ticks = min(payoff, market.price_max_ticks)
    row.delta_fp = row.gamma_fp = row.vega_fp = row.theta_fp = row.rho_fp = 0
    row.state = SeriesState.SETTLING
    c.t.put(Table.SERIES, slot, row)
    market.mark_ticks, market.mark_ms = row.settle_ticks, c.time_ms
    c.t.put(Table.MARKETS, slot, market)
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.settle_count += 1
    c.t.put(Table.LEDGER, 0, ledger)
    series_moved(c, slot, SeriesState.EXPIRED)


def walk_begin(t: Tables) -> None:
    """Begin a walk over all accounts, if a series is SETTLING."""
    ledger = t.row(Table.LEDGER, 0)
    if ledger.settle_count:
        ledger.settle_cursor, ledger.settle_until = 1, ledger.accounts_high
        t.put(Table.LEDGER, 0, ledger)


def walk(c: Context) -> None:
    """Settle the next accounts; behind the last one the series are settled."""
    ledger = c.t.row(Table.LEDGER, 0)
    begin, until = ledger.settle_cursor, ledger.settle_until
    end = min(begin + ACCOUNTS_SETTLED_PER_BLOCK, until)
    for account in range(begin, end):
        account_settle(c, account)
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.settle_cursor = end
    c.t.put(Table.LEDGER, 0, ledger)
    if end == until:
        walk_end(c)


def account_settle(c: Context, account_slot: int) -> None:
    """Pay an account's positions in series that are SETTLING, the last row first: a closed row's
    place is taken by one that was looked at.
    """
    keys = [each.key for each in c.t.row(Table.ACCOUNTS, account_slot).positions]
    for key in reversed(keys):
        if key < ASSET_KEY and c.t.row(Table.SERIES, key).state == SeriesState.SETTLING:
            position_settle(c, account_slot, key)


def position_settle(c: Context, account_slot: int, slot: int) -> None:
    """Close a position at its payoff: cash moves as by a fill, without a fee."""
    account = c.t.row(Table.ACCOUNTS, account_slot)
    position = position_open(account, slot)
    settle(c.t, account, position, slot)
    size, isolated = position.size, position.flags & POSITION_ISOLATED
    market, row = c.t.row(Table.MARKETS, slot), c.t.row(Table.SERIES, slot)
    side = Side.SELL if size > 0 else Side.BUY
    if size:
        after, _ = book_fill(account, slot, market, side, abs(size), row.settle_ticks, 0)
        market.open_interest_lots += long_change(after, side, abs(size))
    position_close_if_empty(account, slot, traded=True)
    c.t.put(Table.ACCOUNTS, account_slot, account)
    if not size:
        return
    c.t.put(Table.MARKETS, slot, market)
    cash = rules.notional(row.settle_ticks, size, market.quantum_e6)
    words = (row.settle_ticks, size, cash, cash if isolated else 0)
    c.emit_words(EventKind.SETTLED, *words, market=slot, account=account_slot)


def walk_end(c: Context) -> None:
    """Delist the series that were paid, and free the expiries that none uses any more."""
    for slot in range(1, c.t.row(Table.LEDGER, 0).series_high):
        row: Series = c.t.row(Table.SERIES, slot)
        if row.state != SeriesState.SETTLING:
            continue
        row.state = SeriesState.SETTLED
        expiry: Expiry = c.t.row(Table.EXPIRIES, row.expiry)
        expiry.series_count -= 1
        c.t.put(Table.EXPIRIES, row.expiry, expiry if expiry.series_count else Expiry())
        c.t.put(Table.SERIES, slot, row)
        ledger = c.t.row(Table.LEDGER, 0)
        ledger.series_live -= 1
        c.t.put(Table.LEDGER, 0, ledger)
        series_moved(c, slot, SeriesState.SETTLING)
    ledger = c.t.row(Table.LEDGER, 0)
    ledger.settle_cursor = ledger.settle_until = ledger.settle_count = 0
    c.t.put(Table.LEDGER, 0, ledger)
