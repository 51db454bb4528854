"""Listing by rule: series like a template, at strikes around the index, for the next expiries.

A rule looks at the index of its template's feed at each tick, and lists what is missing: the expiry
nearest in time first, in it the strike nearest to the index first. LISTINGS_PER_TICK bounds what
all rules list in one tick; the rest follows at the next. A rule that has found everything listed
rests until the middle strike or the first expiry changes.

What is listed stays, traded or not: a series ends by expiring.
"""

from dataclasses import dataclass

from quorate.execution import options_rules
from quorate.execution.spec.clearing_rows import Band, Risk
from quorate.execution.spec.context import Context
from quorate.execution.spec.governance import governs
from quorate.execution.spec.options_products import range_of
from quorate.execution.spec.options_rows import Listing, Product, Series
from quorate.execution.spec.options_series import (
    NO_ROOM,
    expiry_find,
    expiry_join,
    expiry_sound,
    series_put,
)
from quorate.execution.spec.rows import Market
from quorate.execution.spec.tables import Tables
from quorate.types.clearing import RISK_PARAMETERS
from quorate.types.clearing_codes import FeedState
from quorate.types.codes import MarketStatus, Reject
from quorate.types.limits import (
    BANDS_PER_MARKET,
    LISTING_NAME_BYTES,
    LISTINGS_MAX,
    LISTINGS_PER_TICK,
    MARKETS_MAX,
)
from quorate.types.options import PARAMETERS
from quorate.types.payoff_codes import Input
from quorate.types.records import Table

MARKET_COPIED = (
    "kind", "tick_step", "lot_step", "quantum_e6", "price_max_ticks", "size_max_lots",
    "position_max_lots", "base_asset", "lot_units", "margin_schedule", "fee_schedule",
    "slippage_max_ppm",
)  # fmt: skip
RISK_COPIED = (*RISK_PARAMETERS, "funding_shift")
BAND_COPIED = ("tau_ms", "up_ppm", "down_ppm", "auction_ms")


@dataclass(slots=True)
class Budget:
    """What a tick may still list, and whether the rule at work has found all of its series."""

    left: int
    whole: bool


# --- the command ---------------------------------------------------------------------------------
def set_listing(c: Context, slot: int, listing: Listing) -> Reject:
    """Set a rule, the next one or one that is there; all zeros end it."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    ledger = c.t.row(Table.LEDGER, 0)
    if slot > ledger.listings_high or slot >= LISTINGS_MAX:
        return Reject.PARAMETER_OUT_OF_RANGE
    if not listing.period_ms:
        if slot == ledger.listings_high or listing != Listing():
            return Reject.PARAMETER_OUT_OF_RANGE
        c.t.put(Table.LISTINGS, slot, Listing())
        return Reject.OK
    code = listing_code(c, listing)
    if code:
        return code
    ledger.listings_high = max(ledger.listings_high, slot + 1)
    c.t.put(Table.LEDGER, 0, ledger)
    listing.used = 1
    c.t.put(Table.LISTINGS, slot, listing)
    return Reject.OK


def listing_code(c: Context, listing: Listing) -> Reject:
    """Whether a rule's template and numbers are such that all it lists may be listed."""
    if not 0 < listing.template < c.t.row(Table.LEDGER, 0).markets_high:
        return Reject.MARKET_MUST_EXIST
    series = c.t.row(Table.SERIES, listing.template)
    if not series.expiry_ms:
        return Reject.SERIES_NOT_LIVE
    if not options_rules.listing_sound(
        listing.period_ms,
        listing.offset_ms,
        listing.expiries_ahead,
        listing.step_ticks,
        listing.strikes_each_side,
    ):
        return Reject.PARAMETER_OUT_OF_RANGE
    product = c.t.row(Table.PRODUCTS, series.product)
    if not product.reach & options_rules.REACH_STRIKE and listing.strikes_each_side:
        return Reject.PARAMETER_OUT_OF_RANGE
    least_ms = c.t.row(Table.PARAMETERS, 0).listing_least_ms
    last_ms = c.time_ms + least_ms + listing.expiries_ahead * listing.period_ms
    if not expiry_sound(c, product, last_ms):
        return Reject.EXPIRY_OUT_OF_RANGE
    return Reject.OK


# --- the rule ------------------------------------------------------------------------------------
def listings_tick(c: Context) -> None:
    """Phase 3 of a tick, behind the indexes: list what the rules want and what is not there."""
    budget = Budget(LISTINGS_PER_TICK, True)
    for slot in range(c.t.row(Table.LEDGER, 0).listings_high):
        listing_tick(c, slot, budget)


def listing_tick(c: Context, slot: int, budget: Budget) -> None:
    """Bring one rule up to date, as far as the tick's budget goes."""
    listing: Listing = c.t.row(Table.LISTINGS, slot)
    if not listing.used:
        return
    template: Series = c.t.row(Table.SERIES, listing.template)
    product: Product = c.t.row(Table.PRODUCTS, template.product)
    feed = c.t.row(Table.FEEDS, c.t.row(Table.RISK, listing.template).feed)
    if feed.state != FeedState.FRESH:
        return
    middle = 0
    if product.reach & options_rules.REACH_STRIKE:
        middle = options_rules.strike_nearest(feed.price_ticks, listing.step_ticks)
    first_ms = options_rules.expiry_following(
        c.time_ms,
        c.t.row(Table.PARAMETERS, 0).listing_least_ms,
        listing.period_ms,
        listing.offset_ms,
    )
    if (listing.done_expiry_ms, listing.done_strike) == (first_ms, middle):
        return
    budget.whole = True
    for number in range(listing.expiries_ahead):
        if not budget.left:
            return
        strikes_list(c, listing, first_ms + number * listing.period_ms, middle, budget)
    if budget.whole:
        listing.done_expiry_ms, listing.done_strike = first_ms, middle
        c.t.put(Table.LISTINGS, slot, listing)


def strikes_list(
    c: Context, listing: Listing, expiry_ms: int, middle: int, budget: Budget
) -> None:
    """List the missing strikes of one expiry, the nearest to the middle first."""
    template: Series = c.t.row(Table.SERIES, listing.template)
    product: Product = c.t.row(Table.PRODUCTS, template.product)
    if not expiry_sound(c, product, expiry_ms):
        return  # the venue's least time before an expiry has grown since the rule was set
    low, high = range_of(product, Input.STRIKE)
    there = strikes_there(c.t, listing.template, expiry_ms)
    for number in range(2 * listing.strikes_each_side + 1):
        strike = options_rules.strike_number(middle, listing.step_ticks, number)
        if strike in there or not low <= strike <= high:
            continue
        if not budget.left or not series_list(c, listing.template, expiry_ms, strike):
            budget.whole = False
            return
        budget.left -= 1


def strikes_there(t: Tables, template_slot: int, expiry_ms: int) -> dict[int, int]:
    """Strikes of an expiry that differ from the template in nothing else, each with its market."""
    template: Series = t.row(Table.SERIES, template_slot)
    expiry = expiry_find(t, t.row(Table.RISK, template_slot).feed, expiry_ms)
    found: dict[int, int] = {}
    if expiry == NO_ROOM:
        return found
    for slot in range(1, t.row(Table.LEDGER, 0).series_high):
        row: Series = t.row(Table.SERIES, slot)
        if (row.expiry, row.expiry_ms) == (expiry, expiry_ms) and alike(row, template):
            found[row.strike] = slot
    return found


def alike(a: Series, b: Series) -> bool:
    """Whether two series are of one product and differ at most in expiry and strike."""
    names = ("product", *(name for name in PARAMETERS if name != "strike"))
    return all(getattr(a, name) == getattr(b, name) for name in names)


def series_list(c: Context, template_slot: int, expiry_ms: int, strike: int) -> bool:
    """List one series like the template, as a new market; False without room for it."""
    ledger = c.t.row(Table.LEDGER, 0)
    slot = ledger.markets_high
    if slot >= MARKETS_MAX:
        return False
    risk: Risk = c.t.row(Table.RISK, template_slot)
    expiry = expiry_join(c.t, risk.feed, expiry_ms)
    if expiry == NO_ROOM:
        return False
    market_copy(c.t, template_slot, slot)
    template: Series = c.t.row(Table.SERIES, template_slot)
    series = Series(product=template.product, expiry=expiry, expiry_ms=expiry_ms)
    for name in PARAMETERS:
        setattr(series, name, getattr(template, name))
    series.strike, series.template = strike, template_slot
    series_put(c, slot, series, by_rule=1)
    return True


def market_copy(t: Tables, source: int, slot: int) -> None:
    """Make a market with another one's parameters, risk numbers and bands, and nothing else."""
    ledger = t.row(Table.LEDGER, 0)
    ledger.markets_high = slot + 1
    for at in range(ledger.risk_high, slot):
        t.put(Table.RISK, at, Risk())
    ledger.risk_high = max(ledger.risk_high, slot + 1)
    t.put(Table.LEDGER, 0, ledger)
    model = t.row(Table.MARKETS, source)
    market = Market(**{name: getattr(model, name) for name in MARKET_COPIED})
    market.status, market.name = MarketStatus.OPEN, name_numbered(model.name, slot)
    t.put(Table.MARKETS, slot, market)
    risk = t.row(Table.RISK, source)
    t.put(Table.RISK, slot, Risk(**{name: getattr(risk, name) for name in RISK_COPIED}))
    bands_copy(t, source, slot)


def name_numbered(name: bytes, number: int) -> bytes:
    """Name a series that a rule lists: its template's name, shortened, and its own number."""
    kept = name.rstrip(b"\0")[:LISTING_NAME_BYTES]
    return (kept + b"-%d" % number).ljust(len(name), b"\0")


def bands_copy(t: Tables, source: int, slot: int) -> None:
    """Give a market the bands of another one, without its samples."""
    ledger = t.row(Table.LEDGER, 0)
    if ledger.bands_high <= source * BANDS_PER_MARKET:
        return
    for at in range(ledger.bands_high, (slot + 1) * BANDS_PER_MARKET):
        t.put(Table.BANDS, at, Band())
    ledger.bands_high = max(ledger.bands_high, (slot + 1) * BANDS_PER_MARKET)
    t.put(Table.LEDGER, 0, ledger)
    for k in range(BANDS_PER_MARKET):
        model = t.row(Table.BANDS, source * BANDS_PER_MARKET + k)
        band = Band(**{name: getattr(model, name) for name in BAND_COPIED})
        t.put(Table.BANDS, slot * BANDS_PER_MARKET + k, band)
