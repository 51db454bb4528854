"""`quorate what-if`: who would be liquidatable, from a snapshot and from a home."""

import json
from pathlib import Path

import pytest

from quorate.codec import commands as c
from quorate.replica.state import image_root, snapshot_chunks
from quorate.storage.log import Identity
from quorate.types.records import Table
from tests.cli.test_operator import home, run  # noqa: F401
from tests.execution.clearing_exchange import House, house
from tests.execution.exchange import PERP, address, bought, sold

MARK = 100_000
IDENTITY = Identity(7, bytes(range(32)))


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Path]:
    """Ben is long 10 lots with 30000 USD, cat with 300000; ann is short."""
    x = House(house())
    x.fund("ann", usd=900_000)
    x.fund("ben", usd=30_000)
    x.fund("cat", usd=300_000)
    x.index(MARK)
    x.ok("ann", sold(MARK, 20))
    x.ok("ben", bought(MARK, 10))
    x.ok("cat", bought(MARK, 10))
    path = tmp_path_factory.mktemp("what-if") / "snapshot"
    image = x.image()
    path.write_bytes(b"".join(snapshot_chunks(IDENTITY, image, image_root(image))))
    return x, path


def asked(path: Path, *options: object) -> dict[str, object]:
    """The answer as a tree."""
    code, out, err = run("what-if", path, *options, "--json", "-")
    assert (code, err) == (0, ""), err
    tree: dict[str, object] = json.loads(out)
    return tree


def test_a_lower_mark_shows_who_falls(traded: tuple[House, Path]) -> None:
    x, path = traded
    tree = asked(path, "--mark", f"{PERP}=98000")
    # Ben: 30000 - fee 450 - 20000; maintenance 1/80 of 980000 is 12250.
    fallen = tree["fallen"]
    assert isinstance(fallen, list) and [row["account"] for row in fallen] == [x.account("ben")]
    row = fallen[0]
    assert row["address"] == "0x" + address("ben").hex()
    assert (row["standing_before"], row["standing_after"]) == ("HEALTHY", "PARTIAL")
    assert row["maintenance_after_e6"] == 12_250 * 10**6
    assert row["equity_after_e6"] == (30_000 - 450 - 20_000) * 10**6
    assert row["notional_after_e6"] == 980_000 * 10**6
    # 2700 short, of which a higher mark gives back 1 less 1/80 of each tick of ten lots.
    assert row["liquidation_ticks"] == {str(PERP): 98_274}
    assert tree["newly_liquidatable"] == tree["liquidatable"] == 1
    after = tree["after"]
    assert isinstance(after, dict)
    assert after["PARTIAL"] == {"buckets": 1, "notional_e6": 980_000 * 10**6}
    assert after["HEALTHY"]["buckets"] == 2
    worst = tree["worst"]
    assert isinstance(worst, list) and worst[0] == row and len(worst) == 3


def test_a_steeper_tier_and_a_parameter(traded: tuple[House, Path]) -> None:
    _, path = traded
    tree = asked(path, "--tier", "0:0:20", "--set", "close_ppm=1000000", "--market", PERP)
    assert tree["newly_liquidatable"] == 0
    assert isinstance(tree["after"], dict)
    assert tree["after"]["PRE_LIQUIDATION"]["buckets"] == 1
    tree = asked(path, "--tier", "1:150000000000000:10", "--tier", "0:0:16", "--set", "tick_ms=5")
    assert tree["newly_liquidatable"] == 1


def test_the_state_itself_stays(traded: tuple[House, Path]) -> None:
    x, path = traded
    before = path.read_bytes()
    asked(path, "--mark", f"{PERP}=50000")
    assert path.read_bytes() == before and x.at(Table.MARKETS, PERP).mark_ticks == MARK


def test_the_change_then_made_has_the_effect_shown(traded: tuple[House, Path]) -> None:
    _, path = traded
    shown = asked(path, "--tier", "0:0:20")["worst"]
    x = House(house())
    x.ok("governance", c.ScheduleTier(0, 0, 20, 0))
    assert isinstance(shown, list)
    ben = next(row for row in shown if row["address"] == "0x" + address("ben").hex())
    rate = x.at(Table.MARGIN_TIERS, 0).rate_ppm
    assert ben["maintenance_after_e6"] == 1_000_000 * rate


def test_a_table_for_readers_and_a_file_for_machines(
    traded: tuple[House, Path], tmp_path: Path
) -> None:
    _, path = traded
    out = tmp_path / "answer.json"
    code, text, _ = run("what-if", path, "--mark", f"{PERP}=98000", "--json", out)
    assert code == 0 and "1 of 1 liquidatable" in text and "healthy -> partial" in text
    assert json.loads(out.read_text())["liquidatable"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Propose a change"),
        (("--set", "close_ppm"), "--set takes NAME=VALUE"),
        (("--set", "close_ppm=5"), "name it with --market"),
        (("--set", "nothing=5"), "no parameter has that name"),
        (("--set", "close_ppm=0", "--market", "1"), "passes a limit"),
        (("--set", "mode=0", "--market", "1"), "never taken away"),
        (("--set", "close_ppm=5", "--market", "2"), "no clearing house"),
        (("--set", "close_ppm=5", "--market", "9"), "No market has that number"),
        (("--set", "quorum_ppm=0",), "passes a limit"),
        (("--tier", "0:5",), "--tier takes SLOT:LOWER:LEVERAGE"),
        (("--tier", "1:0:20",), "Give tiers in order"),
        (("--mark", "1:5",), "--mark takes N=TICKS"),
        (("--mark", "1=0",), "above zero"),
        (("--mark", "2=5",), "no clearing house"),
        (("--mark", "7=5",), "No market has that number"),
        (("--mark", "1=5", "--json", "/nowhere/x"), "a folder that exists"),
    ],
)
def test_bad_input_is_one_line(
    traded: tuple[House, Path], options: tuple[str, ...], said: str
) -> None:
    code, out, err = run("what-if", traded[1], *options)
    assert (code, out) == (2, "") and err.count("\n") == 1 and said in err, err


def test_a_file_that_is_no_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert run("what-if", path, "--mark", "1=5")[0] == 2
    path.write_bytes(b"nothing")
    code, _, err = run("what-if", path, "--mark", "1=5")
    assert code == 1 and "less than its head" in err
    path.write_bytes(bytes(500))
    assert "does not start as a snapshot does" in run("what-if", path, "--mark", "1=5")[2]


@pytest.mark.slow
def test_a_home(home: object) -> None:  # noqa: F811
    path = getattr(home, "path")  # noqa: B009
    tree = asked(path, "--mark", "1=12345")
    assert tree["height"] == 2 and tree["liquidatable"] == 0
    assert run("what-if", path.parent, "--mark", "1=5")[0] == 2
