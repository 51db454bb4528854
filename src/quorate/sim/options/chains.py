"""Read recorded option chains: CSV files of one moment each, and the perpetuals' prices then.

The columns are those of Deribit's snapshots. Options there are settled in coin; what is read is the
volatility, the forward and the index, with which an option settled in the quote is priced.
"""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

PATTERN: Final = "deribit_options_snapshot_*.csv.gz"
PERPETUALS: Final = "deribit_perpetual_prices_*.csv.gz"


class ChainRefused(ValueError):
    """A folder or a file that cannot be used. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One option at one moment. Prices in the quote, volatility per year, 1.0 is 100 %."""

    name: str
    coin: str
    expiry_ms: int
    strike: float
    call: bool
    forward: float
    vol: float


@dataclass(frozen=True)
class Chain:
    """All options at one moment."""

    file: str
    time_ms: int
    quotes: Mapping[str, Quote]
    index: Mapping[str, float]
    perpetual: Mapping[str, float]


def time_ms_of(text: str) -> int:
    """Milliseconds of an ISO 8601 time."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def perpetual_prices(folder: Path) -> dict[tuple[str, str], float]:
    """Price of each perpetual by snapshot file and coin; the table lies beside the folder."""
    found: dict[tuple[str, str], float] = {}
    for path in sorted((*folder.glob(PERPETUALS), *folder.parent.glob(PERPETUALS))):
        with gzip.open(path, "rt", newline="") as lines:
            for row in csv.DictReader(lines):
                price = float(row["candle_price_used"])
                found[row["snapshot_file"], row["coin"]] = price
    return found


def chain(path: Path, perpetuals: Mapping[tuple[str, str], float]) -> Chain:
    """Read one file. Raises ChainRefused."""
    quotes: dict[str, Quote] = {}
    index: dict[str, float] = {}
    time_ms = 0
    try:
        with gzip.open(path, "rt", newline="") as lines:
            for row in csv.DictReader(lines):
                coin = row["currency"]
                time_ms = time_ms_of(row["timestamp"])
                index[coin] = float(row["index_price"])
                quotes[row["instrument_name"]] = Quote(
                    name=row["instrument_name"],
                    coin=coin,
                    expiry_ms=time_ms_of(row["expiry_datetime"]),
                    strike=float(row["strike"]),
                    call=row["option_type"] == "call",
                    forward=float(row["futures_price"]),
                    vol=float(row["implied_volatility"]),
                )
    except (OSError, KeyError, ValueError) as error:
        raise ChainRefused(f"{path.name} is not a recorded option chain: {error}.") from error
    if not quotes:
        raise ChainRefused(f"{path.name} holds no option.")
    plain = path.name.removesuffix(".gz")
    perpetual = {coin: perpetuals.get((plain, coin), index[coin]) for coin in index}
    return Chain(plain, time_ms, quotes, index, perpetual)


def chains(folder: Path, most: int) -> list[Chain]:
    """Read the first `most` recorded chains of a folder, in time order. Raises ChainRefused."""
    paths = sorted(folder.glob(PATTERN))[:most]
    if not paths:
        raise ChainRefused(f"{folder} holds no file {PATTERN}.")
    perpetuals = perpetual_prices(folder)
    return [chain(path, perpetuals) for path in paths]
