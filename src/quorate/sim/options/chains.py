"""Recorded option chains with the perpetuals' prices of the same moments.

The prices lie in a table of their own, beside the folder of the chains or in it; where a chain is
not in the table, the index stands for the perpetual.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.sim.options.snapshots import RecordedOption, snapshot_paths, snapshot_read
from quorate.sim.options.snapshots import rounded as number
from quorate.sim.replays.read import records, split

PERPETUALS: Final = "deribit_perpetual_prices_*.csv.gz"
HEADER: Final = (
    "snapshot_file,snapshot_timestamp_ms,obs_datetime,coin,instrument_name,candle_found,"
    "candle_tick_ms,candle_open_time_ms,candle_close_time_ms,candle_gap_open_seconds,"
    "candle_gap_close_seconds,candle_price_choice,candle_price_timestamp_ms,"
    "candle_price_gap_seconds,candle_open,candle_high,candle_low,candle_close,candle_volume,"
    "candle_cost,accepted_under_max_gap,candle_resolution,candle_price_used,"
    "perp_futures_mark_price,perp_futures_best_bid,perp_futures_best_ask,data_source"
)


@dataclass(frozen=True)
class Chain:
    """All options at one moment, by name; index and perpetual by coin, in 1e-6 of the quote."""

    stamp: str
    time_ms: int
    quotes: Mapping[str, RecordedOption]
    index_e6: Mapping[str, int]
    perpetual_e6: Mapping[str, int]


def perpetual_of(line: str) -> tuple[str, str, int]:
    """Read one price: the chain's stamp, the coin, 1e-6 of the quote. Raises LineRefused."""
    row = dict(zip(HEADER.split(","), split(line, HEADER.count(",") + 1), strict=True))
    stamp = row["snapshot_file"].rsplit("_", 1)[-1].removesuffix(".csv")
    return stamp, row["coin"], number(row["candle_price_used"], 6, "candle_price_used")


def perpetual_prices(folder: Path) -> dict[tuple[str, str], int]:
    """Price of each perpetual by stamp and coin. Raises FileRefused."""
    found: dict[tuple[str, str], int] = {}
    for path in sorted((*folder.glob(PERPETUALS), *folder.parent.glob(PERPETUALS))):
        for stamp, coin, price_e6 in records(path, perpetual_of, HEADER):
            found[stamp, coin] = price_e6
    return found


def chains(folder: Path, through: str) -> list[Chain]:
    """Read the chains whose stamp is at most `through`, oldest first. Raises FileRefused."""
    paths = snapshot_paths(folder, through)
    perpetuals = perpetual_prices(folder)
    found = []
    for path in paths:
        snapshot = snapshot_read(path)
        index_e6 = {option.currency: option.index_e6 for option in snapshot.options}
        found.append(
            Chain(
                snapshot.stamp,
                max(option.now_ms for option in snapshot.options),
                {option.name: option for option in snapshot.options},
                index_e6,
                {c: perpetuals.get((snapshot.stamp, c), index_e6[c]) for c in index_e6},
            )
        )
    return found
