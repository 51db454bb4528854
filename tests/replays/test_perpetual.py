"""The perpetual replays: books that balance, and a population that follows from its seed."""

import time
from pathlib import Path

import pytest

from quorate.sim.replays import binance, bitmex
from quorate.sim.replays.formats import read
from quorate.sim.replays.venue import World
from tests.replays.samples import BINANCE, BITMEX, HEADERS, written

WORLD = World(time.perf_counter_ns)


def minutes(folder: Path) -> Path:
    return written(folder, "minutes", HEADERS["bitmex"] + "\n" + BITMEX)


def test_minutes_move_a_market_that_balances(tmp_path: Path) -> None:
    report = bitmex.replay(read(minutes(tmp_path), "bitmex"), WORLD)
    assert report["messages"] == 30
    assert report["marks"] + 1 == report["blocks"]
    assert report["conservation_delta"] == report["self_trades"] == 0
    assert report["fills"] > 50
    assert report["spread"]["min_ticks"] >= 1
    assert report["spread"]["blocks"] + report["spread"]["one_sided"] == report["marks"]


def test_the_seed_makes_the_population(tmp_path: Path) -> None:
    bars = read(minutes(tmp_path), "bitmex")
    roots = [bitmex.replay(bars, WORLD, seed)["state_root"] for seed in (1, 1, 2)]
    assert roots[0] == roots[1] != roots[2]


def test_a_capture_is_followed_level_by_level(tmp_path: Path) -> None:
    report = binance.replay(read(written(tmp_path, "capture", BINANCE), "binance"), WORLD)
    # The trade of 0.5 fills whole; that of 5 meets 3.
    assert report["trades"] == 2 and report["trades_filled_whole"] == 1
    assert report["filled_lots"] == 500 + 3_000
    # Four levels of the snapshot and four updates of levels; the first two updates are covered.
    assert report["levels"] == 4 + 4 and report["levels_outside_limits"] == 1
    assert report["marks"] == 1 and report["gaps"] == 1
    assert report["conservation_delta"] == 0 and report["rejects"] == {}


@pytest.mark.slow
def test_a_recorded_crash(data: Path) -> None:
    path = data / "perp" / "bitmex_1m" / "XBTUSD_1m_2020-03.csv.gz"
    report = bitmex.replay(read(path, "bitmex", 2_000), WORLD)
    assert report["conservation_delta"] == 0 and report["fills"] > 1_000


@pytest.mark.slow
def test_a_recorded_capture(data: Path) -> None:
    path = data / "perp" / "binance_raw" / "usdm_btcusdt_20240808.gz"
    report = binance.replay(read(path, "binance", 6_000), WORLD)
    assert report["conservation_delta"] == 0 and report["gaps"] == 0
    assert report["trades_filled_whole"] * 10 > report["trades"] * 9
