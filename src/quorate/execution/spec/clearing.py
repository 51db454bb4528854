"""What a clearing house is made of: feeds, voters, a market's risk row, its bands, the numbers.

Genesis and governance put them by the same functions. Every bound that the rules rely on is checked
here, when a value enters the state.
"""

from quorate.execution import risk_rules
from quorate.execution.spec.clearing_rows import Band, Feed, Risk, Voter
from quorate.execution.spec.tables import Tables
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_codes import FeedState, Mode
from quorate.types.codes import MarketKind, Reject
from quorate.types.limits import (
    BAND_MAX_PPM,
    BANDS_PER_MARKET,
    FEEDS_MAX,
    GLOBAL_BOUNDS,
    PPM,
    PRICE_TICKS_MAX,
    RISK_BOUNDS,
    TIME_MS_MAX,
    VOTER_WEIGHT_MAX,
    VOTERS_MAX,
)
from quorate.types.records import Table


def feed_add(t: Tables, slot: int, name: bytes, price_ticks: int) -> Reject:
    """Add a price feed under the next free number, and room for everybody's votes on it."""
    ledger = t.row(Table.LEDGER, 0)
    if slot != ledger.feeds_high or slot >= FEEDS_MAX:
        return Reject.FEED_MUST_EXIST
    if not 0 <= price_ticks <= PRICE_TICKS_MAX:
        return Reject.PRICE_MUST_BE_IN_RANGE
    ledger.feeds_high = slot + 1
    ledger.votes_high = ledger.feeds_high * VOTERS_MAX
    t.put(Table.LEDGER, 0, ledger)
    t.put(Table.FEEDS, slot, Feed(name=name, price_ticks=price_ticks, state=FeedState.NONE))
    return Reject.OK


def voter_put(t: Tables, address: bytes, weight: int) -> Reject:
    """Give an address a vote on prices, change its weight, or (0) take it away.

    A voter keeps its row, and with it the place of its votes, for ever.
    """
    if not any(address) or not 0 <= weight <= VOTER_WEIGHT_MAX:
        return Reject.PARAMETER_OUT_OF_RANGE
    ledger = t.row(Table.LEDGER, 0)
    for slot in range(ledger.voters_high):
        row = t.row(Table.VOTERS, slot)
        if row.address == address:
            row.weight = weight
            t.put(Table.VOTERS, slot, row)
            return Reject.OK
    if ledger.voters_high >= VOTERS_MAX:
        return Reject.TABLE_FULL_SEND_LATER
    slot = ledger.voters_high
    ledger.voters_high = slot + 1
    t.put(Table.LEDGER, 0, ledger)
    t.put(Table.VOTERS, slot, Voter(address=address, weight=weight))
    return Reject.OK


def risk_code(t: Tables, market_slot: int, parameter: int, value: int) -> Reject:
    """Whether a market's risk parameter, by its number, may have a value."""
    ledger = t.row(Table.LEDGER, 0)
    if not 0 < market_slot < ledger.markets_high:
        return Reject.MARKET_MUST_EXIST
    if t.row(Table.MARKETS, market_slot).kind == MarketKind.SPOT:
        return Reject.MARKET_HAS_NO_CLEARING
    if not 0 <= parameter < len(RISK_PARAMETERS):
        return Reject.PARAMETER_OUT_OF_RANGE
    low, high = RISK_BOUNDS[parameter]
    if not low <= value <= high:
        return Reject.PARAMETER_OUT_OF_RANGE
    if RISK_PARAMETERS[parameter] == "feed" and value >= ledger.feeds_high:
        return Reject.FEED_MUST_EXIST
    if RISK_PARAMETERS[parameter] == "feed" and t.row(Table.SERIES, market_slot).state:
        return Reject.SERIES_ALREADY_SET
    return Reject.OK


def risk_whole(t: Tables, market_slot: int) -> bool:
    """Whether all parameters but the mode are such as they may be: a new row is of zeros."""
    row = t.row(Table.RISK, market_slot)
    for name, (low, high) in zip(RISK_PARAMETERS, RISK_BOUNDS, strict=True):
        if name != "mode" and not low <= getattr(row, name) <= high:
            return False
    return bool(row.feed < t.row(Table.LEDGER, 0).feeds_high)


def risk_put(t: Tables, market_slot: int, parameter: int, value: int) -> int:
    """Write a parameter that `risk_code` admitted; return the value that it replaces.

    The first one gives the market its risk row.
    """
    ledger = t.row(Table.LEDGER, 0)
    if ledger.risk_high <= market_slot:
        for slot in range(ledger.risk_high, market_slot + 1):
            t.put(Table.RISK, slot, Risk())
        ledger.risk_high = market_slot + 1
        t.put(Table.LEDGER, 0, ledger)
    row = t.row(Table.RISK, market_slot)
    market = t.row(Table.MARKETS, market_slot)
    name = RISK_PARAMETERS[parameter]
    before = int(getattr(row, name))
    setattr(row, name, value)
    row.funding_shift = risk_rules.funding_shift(market.price_max_ticks, market.quantum_e6)
    t.put(Table.RISK, market_slot, row)
    return before


def band_code(t: Tables, market_slot: int, band: int, row: Band) -> Reject:
    """Whether a market may have that price band."""
    ledger = t.row(Table.LEDGER, 0)
    if not 0 < market_slot < ledger.markets_high:
        return Reject.MARKET_MUST_EXIST
    if t.row(Table.RISK, market_slot).mode == Mode.OFF:
        return Reject.MARKET_HAS_NO_CLEARING
    if not 0 <= band < BANDS_PER_MARKET:
        return Reject.PARAMETER_OUT_OF_RANGE
    if not row.auction_ms:
        return Reject.OK
    if not (0 < row.up_ppm <= BAND_MAX_PPM and 0 < row.down_ppm < PPM):
        return Reject.PARAMETER_OUT_OF_RANGE
    if not (0 < row.tau_ms <= TIME_MS_MAX // 4 and 0 < row.auction_ms <= TIME_MS_MAX // 4):
        return Reject.PARAMETER_OUT_OF_RANGE
    return Reject.OK


def band_put(t: Tables, market_slot: int, band: int, row: Band) -> None:
    """Write a band that `band_code` admitted; it begins without samples. No auction: no band."""
    ledger = t.row(Table.LEDGER, 0)
    wanted = (market_slot + 1) * BANDS_PER_MARKET
    for slot in range(ledger.bands_high, wanted):
        t.put(Table.BANDS, slot, Band())
    if wanted > ledger.bands_high:
        ledger.bands_high = wanted
        t.put(Table.LEDGER, 0, ledger)
    t.put(Table.BANDS, market_slot * BANDS_PER_MARKET + band, row if row.auction_ms else Band())


def global_code(parameter: int, value: int) -> Reject:
    """Whether a number of the venue may have a value."""
    if not 0 <= parameter < len(GLOBALS):
        return Reject.PARAMETER_OUT_OF_RANGE
    low, high = GLOBAL_BOUNDS[parameter]
    return Reject.OK if low <= value <= high else Reject.PARAMETER_OUT_OF_RANGE


def global_put(t: Tables, parameter: int, value: int) -> int:
    """Write a number of the venue; return the value that it replaces."""
    row = t.row(Table.PARAMETERS, 0)
    before = int(getattr(row, GLOBALS[parameter]))
    setattr(row, GLOBALS[parameter], value)
    t.put(Table.PARAMETERS, 0, row)
    return before
