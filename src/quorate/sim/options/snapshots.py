"""Snapshots of Deribit's option chains: one file a moment, one line an option.

Deribit's options are settled in coin: a mark is a fraction of the underlying, as is what Black-76
gives over the forward, without discounting. The forward is the recorded price of the future of the
expiry, real or synthetic. Times are taken from the stamps, since the recorded time to maturity
counts a year as 365.25 days, which the recorded marks do not.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from quorate.sim.replays.read import FileRefused, LineRefused, records, split

HEADER: Final = (
    "timestamp,instrument_name,underlying,underlying_name,option_type,strike,expiry_datetime,"
    "time_to_maturity,bid_price,ask_price,mark_price,mid_price,futures_price,"
    "futures_instrument_name,implied_volatility,delta,vega,open_interest,volume,bid_ask_spread,"
    "currency,index_price,volume_usd"
)
PREFIX: Final = "deribit_options_snapshot_"
SUFFIX: Final = ".csv.gz"


@dataclass(frozen=True, slots=True)
class RecordedOption:
    """One line. A price in coin is a Decimal as written, or None where it says nothing."""

    name: str
    currency: str
    call: bool
    strike_e6: int
    forward_e6: int
    index_e6: int
    vol_e9: int
    now_ms: int
    expiry_ms: int
    bid: Decimal | None
    ask: Decimal | None
    mark: Decimal
    open_interest: Decimal

    @property
    def time_ms(self) -> int:
        """Time to expiry."""
        return self.expiry_ms - self.now_ms


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One file; `stamp` is as its name says, 20260204T042403Z."""

    stamp: str
    options: list[RecordedOption]


def decimal(text: str, name: str) -> Decimal:
    """Read a number. Raises LineRefused."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise LineRefused(f"{name} must be a number") from None
    if not found.is_finite() or found < 0:
        raise LineRefused(f"{name} must be a number from 0")
    return found


def rounded(text: str, decimals: int, name: str) -> int:
    """Read a number, to the nearest 10**-decimals. Raises LineRefused."""
    return round(decimal(text, name) * 10**decimals)


def milliseconds(text: str, name: str) -> int:
    """Read a time with its zone. Raises LineRefused."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise LineRefused(f"{name} must be a time") from None
    if found.tzinfo is None:
        raise LineRefused(f"{name} must name its zone")
    return round(found.timestamp() * 1000)


def option_of(line: str) -> RecordedOption:
    """Read one line. Raises LineRefused."""
    row = dict(zip(HEADER.split(","), split(line, HEADER.count(",") + 1), strict=True))
    if row["option_type"] not in ("call", "put"):
        raise LineRefused("option_type must be call or put")
    return RecordedOption(
        name=row["instrument_name"],
        currency=row["currency"],
        call=row["option_type"] == "call",
        strike_e6=rounded(row["strike"], 6, "strike"),
        forward_e6=rounded(row["futures_price"], 6, "futures_price"),
        index_e6=rounded(row["index_price"], 6, "index_price"),
        vol_e9=rounded(row["implied_volatility"], 9, "implied_volatility"),
        now_ms=milliseconds(row["timestamp"], "timestamp"),
        expiry_ms=milliseconds(row["expiry_datetime"], "expiry_datetime"),
        bid=decimal(row["bid_price"], "bid_price") if row["bid_price"] else None,
        ask=decimal(row["ask_price"], "ask_price") if row["ask_price"] else None,
        mark=decimal(row["mark_price"], "mark_price"),
        open_interest=decimal(row["open_interest"], "open_interest"),
    )


def snapshot_paths(folder: Path, through: str) -> list[Path]:
    """List the snapshots of a folder whose stamp is at most `through`, oldest first.

    Raises FileRefused where there is none.
    """
    found = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))
    kept = [path for path in found if stamp_of(path) <= through]
    if not kept:
        raise FileRefused(f"{folder} holds no {PREFIX}*{SUFFIX} through {through}.")
    return kept


def stamp_of(path: Path) -> str:
    """The moment in a file's name."""
    return path.name.removeprefix(PREFIX).removesuffix(SUFFIX)


def snapshot_read(path: Path) -> Snapshot:
    """Read one snapshot whole. Raises FileRefused."""
    return Snapshot(stamp_of(path), records(path, option_of, HEADER))
