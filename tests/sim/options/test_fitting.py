"""`quorate options fit`: on recorded chains where they are, and on a small one made here."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.cli.options_fit import wrong
from quorate.sim.options.fitting import (
    butterfly_found,
    calendar_found,
    expiries_of,
    fits,
    fitted,
)
from quorate.sim.options.snapshots import HEADER, Snapshot, option_of, snapshot_read

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "options" / "snapshots"
FORWARD = 70_000.0


def line(strike: int, day: int, vol: float, call: bool, width: float = 0.0004) -> str:
    """One recorded option, its quotes around a mark at that volatility."""
    years = (day - 4 + 8 / 24) / 365
    deviation = vol * math.sqrt(years)
    d1 = -math.log(strike / FORWARD) / deviation + deviation / 2
    side = 1 if call else -1

    def normal(z: float) -> float:
        return math.erfc(-z / math.sqrt(2)) / 2

    mark = side * (normal(side * d1) - strike / FORWARD * normal(side * (d1 - deviation)))
    bid = f"{mark - width:.6f}" if mark > width else ""
    letter, kind = ("C", "call") if call else ("P", "put")
    return (
        f"2026-02-04T00:00:00+00:00,BTC-{day}FEB26-{strike}-{letter},{FORWARD},BTC-{day}FEB26,"
        f"{kind},{strike}.0,2026-02-{day:02}T08:00:00+00:00,{years},{bid},{mark + width:.6f},"
        f"{mark:.8f},{mark:.6f},{FORWARD},BTC-{day}FEB26,{vol:.6f},0.5,10.0,1.0,1.0,0.0008,BTC,"
        f"{FORWARD},1.0"
    )


def smiling(strike: int, day: int) -> float:
    """A smile that is steeper the nearer the expiry."""
    k = math.log(strike / FORWARD) / math.sqrt((day - 4) / 365)
    return 0.5 + 0.04 * (math.sqrt((k - 0.2) ** 2 + 0.5) - 0.1 * k)


def chain(*days: int) -> list[str]:
    strikes = range(40_000, 110_001, 2_500)
    return [
        line(strike, day, smiling(strike, day), call)
        for day in days
        for strike in strikes
        for call in (False, True)
    ]


def written(folder: Path, *lines: str) -> Path:
    path = folder / "deribit_options_snapshot_20260204T000000Z.csv.gz"
    with gzip.open(path, "wt", encoding="ascii") as out:
        out.write("\n".join([HEADER, *lines]) + "\n")
    return path


def run(*arguments: str) -> tuple[int, str]:
    """Call the command; give its exit code and all that it printed."""
    result = CliRunner().invoke(app, ["options", "fit", *arguments])
    return result.exit_code, result.output


@pytest.mark.slow
def test_recorded_chains(tmp_path: Path) -> None:
    if not RECORDED.is_dir():
        pytest.skip(f"{RECORDED} is missing: the recorded chains are not part of the repository.")
    path = tmp_path / "out.json"
    code, text = run(str(RECORDED), "--json", str(path))
    assert code == 0, text
    report = json.loads(path.read_text())
    assert report["snapshots"] == 9 and report["rows"] > 6_500
    assert report["median_vol_points"] < 0.4 and report["p90_vol_points"] < 2.0
    assert report["butterfly_violations"] == report["calendar_violations"] == 0
    assert report["with_book"]["butterfly_violations"] == 0
    assert report["with_book"]["calendar_violations"] == 0
    assert report["expiries_without_smile"] <= 2
    assert report["inside_quotes_share"] > 0.75
    # The crash stands in the index: the evening of the 5th above every other moment.
    for currency in ("BTC", "ETH"):
        indexes = {m["stamp"]: m["vol_index"][currency] for m in report["moments"]}
        assert max(indexes, key=lambda stamp: indexes[stamp]) == "20260205T212937Z"
        assert indexes["20260205T212937Z"] > 1.4 * indexes["20260204T042403Z"]


def test_a_small_chain(tmp_path: Path) -> None:
    written(tmp_path, *chain(14, 21, 27))
    code, text = run(str(tmp_path), "--json", "-")
    assert code == 0, text
    report = json.loads(text)
    assert report["expiries"] == 3 and report["expiries_repaired"] == 0
    assert report["max_vol_points"] < 0.6 and report["median_vol_points"] < 0.15
    assert report["inside_quotes_share"] == 1
    assert report["moments"][0]["vol_index"] == {"BTC": None}  # no expiry beyond 30 days


def test_what_is_printed_for_people(tmp_path: Path) -> None:
    written(tmp_path, *chain(14))
    code, text = run(str(tmp_path))
    assert code == 0, text
    assert "0 butterflies, 0 calendar spreads" in text
    assert "volatility index: BTC none" in text


def test_the_votes_of_a_chain() -> None:
    options = [option_of(each) for each in chain(27)]
    (expiry,) = expiries_of(Snapshot("", options), "BTC")
    assert len(expiry.options) == len(options) // 2  # each strike on one side
    voted = expiry.pillars()
    assert voted[4] == pytest.approx(smiling(70_000, 27) * 1e9, rel=0.002)
    assert all(vol > 0 for vol in voted)
    short = [option for option in options if 50_000 < option.strike_e6 / 10**6 < 90_000]
    (expiry,) = expiries_of(Snapshot("", short), "BTC")
    # Without strikes as far out as a pillar there is no vote on it; the others stay as they were.
    assert expiry.pillars() == [0, *voted[1:7], 0, 0]
    for _, bid, ask, _ in expiry.quotes():
        assert bid < ask


def test_the_book_pulls_towards_its_middle() -> None:
    options = [option_of(each) for each in chain(27)]
    (expiry,) = expiries_of(Snapshot("", options), "BTC")
    surface = fitted([expiry], with_book=True)
    alone = fitted([expiry], with_book=False)
    # Quotes around the voted volatilities move next to nothing.
    assert np.max(np.abs(surface.vols(0)[0] - alone.vols(0)[0])) < 0.002


def test_arbitrage_is_found_and_is_an_error() -> None:
    flat = np.array([500_000_000, 2**30, 0, 0, 0, 2**30, 30 * 86_400_000])
    falling = flat.copy()
    falling[0] = 400_000_000
    assert calendar_found(flat, falling) and not calendar_found(falling, flat)
    steep = np.array([900_000_000, -(2**29), 2**31, 2**31, 0, 2**30, 365 * 86_400_000])
    assert butterfly_found(steep) and not butterfly_found(flat)
    good = fits([Snapshot("", [option_of(each) for each in chain(14)])])
    assert wrong(good) == ""
    good["with_book"]["calendar_violations"] = 1
    assert wrong(good) == "0 smiles admit butterflies and 1 calendar spreads."


@pytest.mark.parametrize("arguments", [("nowhere",), (".",)])
def test_a_folder_that_cannot_be_used(tmp_path: Path, arguments: tuple[str]) -> None:
    code, text = run(str(tmp_path / arguments[0]))
    assert code == 2 and text


def test_a_damaged_snapshot_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "x,y")
    code, text = run(str(tmp_path))
    assert code == 2 and path.name in text
    with pytest.raises(Exception, match="line 2"):
        snapshot_read(path)
