"""Series: a market of kind SERIES is bound, once, to a product, an expiry and its parameters.

An expiry of one feed that a series uses has a row in EXPIRIES, found by feed and time. A free row
is taken before a new one, the lowest first; the votes on its smile begin anew.
"""

from quorate.execution import options_rules
from quorate.execution.spec.context import Context
from quorate.execution.spec.governance import governs
from quorate.execution.spec.options_products import range_of
from quorate.execution.spec.options_rows import Expiry, Product, Series, SmileVote
from quorate.execution.spec.tables import Tables
from quorate.types.clearing_codes import Mode
from quorate.types.codes import EventKind, MarketKind, MarketStatus, Reject
from quorate.types.limits import EXPIRIES_MAX, VOTERS_MAX
from quorate.types.options import PARAMETERS
from quorate.types.options_codes import ExpiryState, SeriesState
from quorate.types.payoff_codes import Input
from quorate.types.records import Table

NO_ROOM = -1


def set_series(c: Context, slot: int, series: Series) -> Reject:
    """Bind a market to its series and open it; `series` names product, expiry and parameters."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    code = series_code(c, slot, series)
    if code:
        return code
    if series.expiry_ms:
        feed = c.t.row(Table.RISK, slot).feed
        series.expiry = expiry_join(c.t, feed, series.expiry_ms)
        if series.expiry == NO_ROOM:
            return Reject.TABLE_FULL_SEND_LATER
    market = c.t.row(Table.MARKETS, slot)
    market.status = MarketStatus.OPEN
    c.t.put(Table.MARKETS, slot, market)
    series_put(c, slot, series)
    return Reject.OK


def series_code(c: Context, slot: int, series: Series) -> Reject:
    """Whether a market may become that series."""
    ledger = c.t.row(Table.LEDGER, 0)
    if not 0 < slot < ledger.markets_high:
        return Reject.MARKET_MUST_EXIST
    market = c.t.row(Table.MARKETS, slot)
    if market.kind != MarketKind.SERIES or c.t.row(Table.SERIES, slot).state:
        return Reject.SERIES_ALREADY_SET
    if not 0 <= series.product < ledger.products_high:
        return Reject.PRODUCT_MUST_EXIST
    if c.t.row(Table.RISK, slot).mode == Mode.OFF:
        return Reject.MARKET_HAS_NO_CLEARING
    product = c.t.row(Table.PRODUCTS, series.product)
    for name in PARAMETERS:
        low, high = range_of(product, Input[name.upper()])
        if not low <= getattr(series, name) <= high:
            return Reject.SERIES_PARAMETER_OUT_OF_RANGE
    if not expiry_sound(c, product, series.expiry_ms):
        return Reject.EXPIRY_OUT_OF_RANGE
    if product.payoff_high > market.price_max_ticks:
        return Reject.MARKET_PARAMETERS_OUT_OF_RANGE
    return Reject.OK


def expiry_sound(c: Context, product: Product, expiry_ms: int) -> bool:
    """Whether a series of a product may be listed now with an expiry."""
    least_ms = c.t.row(Table.PARAMETERS, 0).listing_least_ms
    return options_rules.expiry_sound(
        expiry_ms, c.time_ms, least_ms, product.reach, product.rule, product.sample_ms
    )


def series_put(c: Context, slot: int, series: Series, by_rule: int = 0) -> None:
    """Write a judged series, which begins to live."""
    product = c.t.row(Table.PRODUCTS, series.product)
    series.state, series.listed_ms = SeriesState.LIVE, c.time_ms
    series.seen_next_ms = options_rules.observed_next_ms(
        product.rule, product.sample_ms, c.time_ms
    )
    ledger = c.t.row(Table.LEDGER, 0)
    for at in range(ledger.series_high, slot):
        c.t.put(Table.SERIES, at, Series())
    ledger.series_high = max(ledger.series_high, slot + 1)
    ledger.series_live += 1
    c.t.put(Table.LEDGER, 0, ledger)
    words = (series.product, series.expiry, series.expiry_ms)
    c.emit_words(
        EventKind.SERIES_LISTED,
        *words,
        *(getattr(series, name) for name in PARAMETERS),
        series.template,
        code=by_rule,
        market=slot,
    )
    c.t.put(Table.SERIES, slot, series)


# --- expiries ------------------------------------------------------------------------------------
def expiry_find(t: Tables, feed: int, expiry_ms: int) -> int:
    """Row of an expiry that series use, or NO_ROOM."""
    for slot in range(t.row(Table.LEDGER, 0).expiries_high):
        row = t.row(Table.EXPIRIES, slot)
        if row.state == ExpiryState.OPEN and (row.feed, row.expiry_ms) == (feed, expiry_ms):
            return slot
    return NO_ROOM


def expiry_free(t: Tables) -> int:
    """The lowest free row, else a new one; NO_ROOM if all are in use."""
    high = int(t.row(Table.LEDGER, 0).expiries_high)
    for slot in range(high):
        if t.row(Table.EXPIRIES, slot).state == ExpiryState.FREE:
            return slot
    return high if high < EXPIRIES_MAX else NO_ROOM


def expiry_join(t: Tables, feed: int, expiry_ms: int) -> int:
    """Row of an expiry for one more series, opened if it is missing; NO_ROOM without a row."""
    slot = expiry_find(t, feed, expiry_ms)
    if slot == NO_ROOM:
        slot = expiry_free(t)
        if slot == NO_ROOM:
            return NO_ROOM
        expiry_open(t, slot, feed, expiry_ms)
    row = t.row(Table.EXPIRIES, slot)
    row.series_count += 1
    t.put(Table.EXPIRIES, slot, row)
    return slot


def expiry_open(t: Tables, slot: int, feed: int, expiry_ms: int) -> None:
    """Begin an expiry in a row, with nobody's vote on its smile."""
    ledger = t.row(Table.LEDGER, 0)
    if slot == ledger.expiries_high:
        ledger.expiries_high = slot + 1
        ledger.smile_votes_high = ledger.expiries_high * VOTERS_MAX
        t.put(Table.LEDGER, 0, ledger)
    row = Expiry(feed=feed, expiry_ms=expiry_ms, state=ExpiryState.OPEN)
    numbers = t.row(Table.PARAMETERS, 0)
    row.fix_next_ms = options_rules.fixing_first_ms(
        expiry_ms, numbers.fixing_window_ms, numbers.fixing_sample_ms
    )
    t.put(Table.EXPIRIES, slot, row)
    for vote in range(slot * VOTERS_MAX, (slot + 1) * VOTERS_MAX):
        t.put(Table.SMILE_VOTES, vote, SmileVote())
