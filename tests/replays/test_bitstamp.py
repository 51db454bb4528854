"""Bitstamp: events are read as trades of two named orders, and the book has the same trades."""

import time
from pathlib import Path

import pytest

from quorate.sim.replays import bitstamp
from quorate.sim.replays.formats import read
from quorate.sim.replays.venue import World
from tests.replays.samples import BITSTAMP, HEADERS, written

WORLD = World(time.perf_counter_ns)


def test_trades_between_named_orders(tmp_path: Path) -> None:
    path = written(tmp_path, "rows", HEADERS["bitstamp"] + "\n" + BITSTAMP)
    report = bitstamp.replay(read(path, "bitstamp"), WORLD)
    # 10 with 11, where the venue's rounding left one unit more; 10 with 12, which it had moved to
    # that price. The change of 5, older than the file, and the end of 10 have one side only.
    assert report["executions_recorded"] == 4
    assert report["executions_reproduced"] == 2
    assert report["fills"] == 2
    assert [each["line"] for each in report["unmatched"]] == [2, 14]
    assert report["unmatched_by_reason"] == {bitstamp.ONE_SIDED: 2}
    assert report["conservation_delta"] == report["self_trades"] == 0
    assert report["older_unknown"] == 1


def test_orders_beyond_the_markets_limits_are_counted(tmp_path: Path) -> None:
    big = "20,1430438400000,1430438400000,500.00,5,created,ask\n"
    path = written(tmp_path, "rows", HEADERS["bitstamp"] + "\n" + big + BITSTAMP)
    report = bitstamp.replay(read(path, "bitstamp"), WORLD)
    assert report["orders_outside_limits"] == 1
    assert [each["line"] for each in report["unmatched"]] == [3, 15]


@pytest.mark.slow
def test_five_recorded_hours(data: Path) -> None:
    path = data / "order_level" / "bitstamp_btcusd_20150501_orders.csv.xz"
    report = bitstamp.replay(read(path, "bitstamp"), WORLD)
    assert report["conservation_delta"] == report["self_trades"] == 0
    assert report["orders_outside_limits"] == 0
    missed = report["executions_recorded"] - report["executions_reproduced"]
    assert missed == len(report["unmatched"]) == report["unmatched_by_reason"][bitstamp.ONE_SIDED]
    assert report["executions_reproduced"] >= 565
