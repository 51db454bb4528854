"""The four formats: what a line says, as a record of integers. Nothing here imports a kernel.

LOBSTER: seconds after midnight, type, order id, size, price x 10^4, direction (1 buy, -1 sell; of
the resting order). Bitstamp: id, recorder's ms, exchange's ms, price in USD, volume in 1e-8 BTC,
action, direction. BitMEX: unix seconds, open, high, low, close, volume in USD. Binance: 19 digits,
in nanoseconds, a space, a JSON object. The bounds of the replayed markets stand here, as a line
beyond them is refused (LOBSTER, BitMEX) or counted (Bitstamp, Binance).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quorate.sim.replays.read import FileRefused, LineRefused, integer, records, scaled, split
from quorate.types.codes import Side
from quorate.types.limits import DAY_MS, ORDER_NOTIONAL_MAX_E6, TIME_MS_MAX

# --- LOBSTER --------------------------------------------------------------------------------------
ADD, REDUCE, DELETE, EXECUTE, HIDDEN, CROSS, HALT = range(1, 8)
PRICE_UNIT: Final = 100  # LOBSTER's price is in 1e-4 USD, a tick is a cent
CENT_E6: Final = 10_000
TIME_DECIMALS: Final = 12  # nanoseconds, some with the tail of a binary fraction
DAY: Final = 1_340_236_800_000  # 2012-06-21; the file says no day
SHARE_PRICE_MAX: Final = 100_000
SHARE_SIZE_MAX: Final = 1_000_000
assert SHARE_PRICE_MAX * SHARE_SIZE_MAX * CENT_E6 <= ORDER_NOTIONAL_MAX_E6


@dataclass(frozen=True, slots=True)
class LobsterMessage:
    """One line of LOBSTER. `price` in ticks, `side` of the order that it names."""

    time_ms: int
    type: int
    order: int
    lots: int
    price: int
    side: int


def since_midnight(seconds: str) -> int:
    """Read seconds after midnight. Raises LineRefused."""
    found: int = scaled(seconds, TIME_DECIMALS, "the time") // 10 ** (TIME_DECIMALS - 3)
    if found >= DAY_MS:
        raise LineRefused("the time must be seconds after midnight")
    return found


def parse_lobster(line: str) -> LobsterMessage:
    """Read a line of LOBSTER. Raises LineRefused."""
    seconds, kind, order, size, price, direction = split(line, 6)
    message = LobsterMessage(
        DAY + since_midnight(seconds),
        integer(kind, "the type", 1),
        integer(order, "the order id"),
        integer(size, "the size", -1),
        integer(price, "the price", -1) // PRICE_UNIT,
        int(Side.BUY if direction == "1" else Side.SELL),
    )
    if direction not in ("1", "-1") or message.type > HALT:
        raise LineRefused("the type must be 1 to 7 and the direction 1 or -1")
    if message.type <= EXECUTE:
        if int(price) % PRICE_UNIT or not 0 < message.price <= SHARE_PRICE_MAX:
            raise LineRefused(f"the price must be whole cents up to {SHARE_PRICE_MAX // 100} USD")
        if not 0 < message.lots <= SHARE_SIZE_MAX or not message.order:
            raise LineRefused(f"the size must be 1 to {SHARE_SIZE_MAX} and the order id above 0")
    return message


# --- Bitstamp -------------------------------------------------------------------------------------
BITSTAMP_HEADER: Final = "id,timestamp,exchange.timestamp,price,volume,action,direction"
CREATED, CHANGED, DELETED = "created", "changed", "deleted"
SIDES: Final = {"bid": int(Side.BUY), "ask": int(Side.SELL)}
COIN_PRICE_MAX: Final = 40_000
COIN_SIZE_MAX: Final = 28_000_000_000
assert COIN_PRICE_MAX * COIN_SIZE_MAX <= ORDER_NOTIONAL_MAX_E6


@dataclass(frozen=True, slots=True)
class BitstampEvent:
    """One line of Bitstamp. `price` in ticks; `lots`: what is open after it."""

    time_ms: int
    order: int
    side: int
    price: int
    lots: int
    action: str


def parse_bitstamp(line: str) -> BitstampEvent:
    """Read a line of Bitstamp. Raises LineRefused."""
    order, time_ms, _, price, lots, action, direction = split(line, 7)
    event = BitstampEvent(
        integer(time_ms, "the timestamp", DAY_MS, TIME_MS_MAX),
        integer(order, "the id", 1),
        SIDES.get(direction, -1),
        scaled(price, 2, "the price"),
        integer(lots, "the volume"),
        action,
    )
    if event.side < 0 or action not in (CREATED, CHANGED, DELETED):
        raise LineRefused("the action is created, changed or deleted, the direction bid or ask")
    return event


def is_inside(event: BitstampEvent) -> bool:
    """Say whether the market's limits take the order."""
    return 0 < event.price <= COIN_PRICE_MAX and event.lots <= COIN_SIZE_MAX


# --- BitMEX ---------------------------------------------------------------------------------------
BITMEX_HEADER: Final = "ts,open,high,low,close,volume_usd"
TICK_DECIMALS: Final = 1
LOT_DECIMALS: Final = 3
QUANTUM_E6: Final = 100  # a tick of 0.1 USD times a lot of 0.001 BTC
PERP_PRICE_MAX: Final = 1_000_000  # 100,000 USD
PERP_SIZE_MAX: Final = 10_000_000  # 10,000 BTC
assert PERP_PRICE_MAX * PERP_SIZE_MAX * QUANTUM_E6 <= ORDER_NOTIONAL_MAX_E6


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute. Prices in ticks, volume in USD."""

    time_ms: int
    open: int
    high: int
    low: int
    close: int
    volume_usd: int

    def path(self) -> list[int]:
        """Give the prices that the minute went through."""
        extremes = [self.high, self.low]
        if abs(self.open - self.low) < abs(self.open - self.high):
            extremes.reverse()
        return [self.open, *extremes, self.close]


def parse_bitmex(line: str) -> Bar:
    """Read a line of BitMEX. Raises LineRefused."""
    fields = split(line, 6)
    bar = Bar(
        1000 * integer(fields[0], "the time", 1, TIME_MS_MAX // 1000),
        scaled(fields[1], TICK_DECIMALS, "the open"),
        scaled(fields[2], TICK_DECIMALS, "the high"),
        scaled(fields[3], TICK_DECIMALS, "the low"),
        scaled(fields[4], TICK_DECIMALS, "the close"),
        integer(fields[5], "the volume"),
    )
    if not all(0 < price <= PERP_PRICE_MAX for price in bar.path()):
        raise LineRefused(f"prices must be above 0 and at most {PERP_PRICE_MAX // 10} USD")
    if bar.low > bar.high:
        raise LineRefused("the low must not be above the high")
    return bar


# --- Binance --------------------------------------------------------------------------------------
SNAPSHOT, DEPTH, TRADE, TICKER = "snapshot", "depthUpdate", "trade", "bookTicker"
Levels = tuple[tuple[int, int], ...]
EMPTY: Final[Levels] = ()


@dataclass(frozen=True, slots=True)
class BinanceMessage:
    """One line of Binance. bids, asks: (ticks, lots); of a trade or ticker at most one each."""

    time_ms: int
    type: str
    bids: Levels
    asks: Levels
    last: int = 0
    before: int = 0


def levels_of(rows: Any) -> Levels:
    """Read [[price, size], ...]. Raises LineRefused."""
    if not isinstance(rows, list):
        raise LineRefused("levels must be a list")
    made = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 2:
            raise LineRefused("a level must be a price and a size")
        price = scaled(str(row[0]), TICK_DECIMALS, "a price")
        made.append((price, scaled(str(row[1]), LOT_DECIMALS, "a size")))
    return tuple(made)


def parse_binance(line: str) -> BinanceMessage:
    """Read a line of Binance. Raises LineRefused."""
    stamp, _, text = line.partition(" ")
    time_ms = milliseconds(stamp)
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise LineRefused("after the time there must be a JSON object") from error
    if not isinstance(tree, dict):
        raise LineRefused("after the time there must be a JSON object")
    body = tree.get("data", tree)
    try:
        return message_of(time_ms, body)
    except (KeyError, TypeError, AttributeError) as error:
        raise LineRefused(f"the object lacks or misuses {error}") from error


def milliseconds(stamp: str) -> int:
    """Read nanoseconds as milliseconds. Raises LineRefused."""
    if len(stamp) != 19 or not stamp.isdigit():
        raise LineRefused("the time must be 19 digits of nanoseconds")
    return int(stamp) // 1_000_000


def update(value: Any) -> int:
    """Read the number of an update. Raises LineRefused."""
    return integer(str(value), "an update's number")


def message_of(time_ms: int, body: dict[str, Any]) -> BinanceMessage:
    """Read the object of a line; raises as access to it does."""
    if "lastUpdateId" in body:
        bids, asks = levels_of(body["bids"]), levels_of(body["asks"])
        return BinanceMessage(time_ms, SNAPSHOT, bids, asks, update(body["lastUpdateId"]))
    kind = body.get("e", "")
    if kind == DEPTH:
        bids, asks = levels_of(body["b"]), levels_of(body["a"])
        return BinanceMessage(time_ms, DEPTH, bids, asks, update(body["u"]), update(body["pu"]))
    if kind == TRADE:
        level = levels_of([[body["p"], body["q"]]])
        # `m`: the buyer was the maker, so the taker sold into a bid.
        bids, asks = (level, EMPTY) if body["m"] else (EMPTY, level)
        return BinanceMessage(time_ms, TRADE, bids, asks)
    if kind == TICKER:
        bid, ask = levels_of([[body["b"], body["B"]]]), levels_of([[body["a"], body["A"]]])
        return BinanceMessage(time_ms, TICKER, bid, ask)
    raise LineRefused("the stream must be depth, trade or bookTicker")


def is_book(m: BinanceMessage) -> bool:
    """Say whether a message is a snapshot with two sides."""
    return m.type == SNAPSHOT and bool(m.bids) and bool(m.asks)


# --- all of them ----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Format:
    """How a format is read. `needs` must hold for one record at least, or `lacks` is said."""

    parse: Callable[[str], Any]
    header: str = ""
    needs: Callable[[Any], bool] = lambda record: True
    lacks: str = ""


FORMATS: Final = {
    "lobster": Format(parse_lobster),
    "bitstamp": Format(
        parse_bitstamp, BITSTAMP_HEADER, is_inside, "no order within the market's limits"
    ),
    "bitmex": Format(parse_bitmex, BITMEX_HEADER),
    "binance": Format(parse_binance, "", is_book, "no REST snapshot of both sides"),
}


def read(path: Path, name: str, limit: int = 0) -> list[Any]:
    """Read a whole file of a format. `limit` rows, 0 for all. Raises FileRefused."""
    form = FORMATS[name]
    found = records(path, form.parse, form.header, limit)
    if not any(form.needs(record) for record in found):
        raise FileRefused(f"{path} holds {form.lacks} in its first {len(found)} rows.")
    return found
