"""Readers: what a format's line says, and which line of a bad file is named."""

import gzip
import lzma
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.sim.replays.formats import read
from quorate.sim.replays.read import FileRefused, LineRefused, integer, lines, scaled
from tests.replays.samples import HEADERS, ROWS, written

FORMATS = sorted(ROWS)

BAD = [
    ("lobster", "34200.1,1,5,10,5853300"),
    ("lobster", "34200.1,8,5,10,5853300,1"),
    ("lobster", "34200.1,1,5,10,5853300,2"),
    ("lobster", "34200.1,1,5,10,5853350,1"),
    ("lobster", "34200.1,1,5,0,5853300,1"),
    ("lobster", "34200.1,1,0,10,5853300,1"),
    ("lobster", "90000,1,5,10,5853300,1"),
    ("lobster", "34200.1,1,five,10,5853300,1"),
    ("lobster", "34200.1,1,5,10,99999999900,1"),
    ("bitstamp", "1,1430438404518,1,236.47,5,moved,bid"),
    ("bitstamp", "1,1430438404518,1,236.47,5,created,both"),
    ("bitstamp", "1,1430438404518,1,236.471,5,created,bid"),
    ("bitstamp", "1,999999999999999,1,236.47,5,created,bid"),
    ("bitmex", "1583020800,8531.5,8554.0,8526.0,8554.0"),
    ("bitmex", "1583020800,8531.5,8500.0,8526.0,8554.0,1"),
    ("bitmex", "1583020800,0,8554.0,8526.0,8554.0,1"),
    ("bitmex", "1583020800,8531.5,8554.0,8526.0,200000,1"),
    ("binance", "1723161255088189167"),
    ("binance", "17231612550 {}"),
    ("binance", "1723161255088189167 []"),
    ("binance", '1723161255088189167 {"data":{"e":"trade","p":"61800.30"}}'),
    ("binance", '1723161255088189167 {"data":{"e":"kline"}}'),
    ("binance", '1723161255088189167 {"lastUpdateId":1,"bids":[["1.0"]],"asks":[]}'),
]


def text_of(name: str, *rows: str) -> str:
    return "".join(f"{row}\n" for row in (HEADERS[name], *rows) if row)


@pytest.mark.parametrize("name", FORMATS)
def test_a_good_line_is_read(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, "rows", text_of(name, ROWS[name], ROWS[name], ROWS[name]))
    assert len(read(path, name)) == 3
    assert len(read(path, name, 2)) == 2


@pytest.mark.parametrize(("name", "row"), BAD)
def test_a_bad_line_is_refused_with_its_number(name: str, row: str, tmp_path: Path) -> None:
    path = written(tmp_path, "rows", text_of(name, ROWS[name], row))
    number = 3 if HEADERS[name] else 2
    with pytest.raises(FileRefused, match=f"line {number}: ") as refused:
        read(path, name)
    assert "\n" not in str(refused.value)


def test_numbers_are_exact() -> None:
    assert scaled("236.47", 2, "x") == 23_647
    assert scaled("236.4700", 2, "x") == 23_647
    assert scaled("236", 2, "x") == 23_600
    for text in ("", ".5", "1.", "-1", "1e5", "1.001", "1" * 18, "\u0661"):
        if text != "1.":
            with pytest.raises(LineRefused):
                scaled(text, 2, "x")
    with pytest.raises(LineRefused, match="from 1 to 5"):
        integer("6", "x", 1, 5)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = text_of("lobster", *[ROWS["lobster"]] * 5_000).encode()
    packed = gzip.compress(whole)
    for name, content in (
        ("a.gz", packed[: len(packed) // 2]),
        ("b.gz", b"no gzip"),
        ("c.xz", lzma.compress(whole)[:40]),
        ("d.csv", b"\xff\xfe"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileRefused):
            list(lines(tmp_path / name))
    with pytest.raises(FileRefused, match="cannot be read"):
        list(lines(tmp_path / "missing"))
    with pytest.raises(FileRefused, match="holds no record"):
        read(written(tmp_path, "empty", ""), "lobster")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing", "--format", "lobster"], "is not a file"),
        (["rows", "--format", "nasdaq"], "--format must be one of"),
        (["rows", "--format", "lobster", "--limit", "-1"], "--limit"),
        (["rows", "--format", "lobster", "--json", "nowhere/out.json"], "a folder that exists"),
        (["half.gz", "--format", "lobster"], "damaged"),
        (["rows", "--format", "lobster"], "line 2"),
        (["rows", "--format", "bitmex"], "line 1"),
    ],
)
def test_the_users_mistakes_are_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = text_of("lobster", ROWS["lobster"], "34200.1,1,5,10,5853300")
    written(tmp_path, "rows", text)
    packed = gzip.compress(text_of("lobster", *[ROWS["lobster"]] * 100).encode())
    (tmp_path / "half.gz").write_bytes(packed[: len(packed) - 9])
    before = sorted(tmp_path.iterdir())
    if "--json" not in arguments:
        arguments = [*arguments, "--json", "out.json"]
    result = CliRunner().invoke(app, ["replay", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1 and said in result.stderr
    assert sorted(tmp_path.iterdir()) == before
