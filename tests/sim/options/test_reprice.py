"""`quorate options reprice`: on recorded chains where they are, and on small ones made here."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.sim.options.reprice import float_price, with_parity_forwards
from quorate.sim.options.snapshots import HEADER, RecordedOption, option_of, snapshot_read
from quorate.sim.replays.read import FileRefused

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "options" / "snapshots"
GOOD = (
    "2026-02-05T21:29:37.885165+00:00,BTC-24APR26-88000-C,64195.92923076923,SYN.BTC-24APR26,call,"
    "88000.0,2026-04-24T08:00:00+00:00,0.21201302110537557,0.0185,0.02,0.020192,0.01925,"
    "64195.92923076923,SYN.BTC-24APR26,0.5988,0.15732,71.15287,226.4,30.8,0.0015,BTC,63718.97,45861"
)


def run(*arguments: str) -> tuple[int, str]:
    """Call the command; give its exit code and all that it printed."""
    result = CliRunner().invoke(app, ["options", "reprice", *arguments])
    return result.exit_code, result.output


def written(folder: Path, *lines: str) -> Path:
    path = folder / "deribit_options_snapshot_20260205T212937Z.csv.gz"
    with gzip.open(path, "wt", encoding="ascii") as out:
        out.write("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.mark.slow
def test_recorded_chains(tmp_path: Path) -> None:
    if not RECORDED.is_dir():
        pytest.skip(f"{RECORDED} is missing: the recorded chains are not part of the repository.")
    path = tmp_path / "out.json"
    code, text = run(str(RECORDED), "--json", str(path))
    assert code == 0, text
    report = json.loads(path.read_text())
    assert len(report["snapshots"]) == 9
    assert report["rows"] + report["rows_mark_zero"] == 15_564 and report["rows_unusable"] == 0
    assert report["median_rel_error"] < 0.00036
    assert report["p90_rel_error"] < 0.003
    # What the venue does not pay for it does not price: marks of 0 are far from any money.
    assert report["price_at_mark_zero_max"] < 1e-6
    assert report["float_difference_max"] < 4e-12
    # With forwards of the marks' own moment little is left but the rounding of the record.
    parity = report["with_parity_forward"]
    assert parity["median_rel_error"] < 0.0001 and parity["explained_by_rounding"] > 0.7


def test_one_option(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    code, text = run(str(tmp_path), "--json", "-")
    assert code == 0, text
    report = json.loads(text)
    option = option_of(GOOD)
    expected = abs(float_price(option) / 0.020192 - 1)
    assert report["rows"] == 1
    assert report["median_rel_error"] == pytest.approx(expected, abs=1e-9)
    assert report["snapshots"][0]["stamp"] == "20260205T212937Z"


def test_fields() -> None:
    option = option_of(GOOD)
    assert option.call and option.currency == "BTC"
    assert (option.strike_e6, option.forward_e6) == (88_000_000_000, 64_195_929_231)
    assert option.vol_e9 == 598_800_000
    # The recorded time to maturity has 365.25 days to the year.
    assert option.time_ms == pytest.approx(0.21201302110537557 * 365.25 * 86_400_000, abs=1)


def test_forwards_of_parity() -> None:
    call = option_of(GOOD)
    forward_e6, mark = 70_000_000_000, 0.1
    put_mark = mark - (1 - call.strike_e6 / forward_e6)

    def with_mark(mark: float, put: bool) -> RecordedOption:
        fields = GOOD.split(",")
        fields[10] = f"{mark:.12f}"
        fields[4] = "put" if put else "call"
        return option_of(",".join(fields))

    found = with_parity_forwards([with_mark(mark, False), with_mark(put_mark, True)])
    assert [abs(each.forward_e6 - forward_e6) <= 1 for each in found] == [True, True]
    assert with_parity_forwards([with_mark(mark, False)]) == []
    assert with_parity_forwards([with_mark(0.001, False), with_mark(put_mark, True)]) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("call", "swap", "option_type must be call or put"),
        ("88000.0", "dear", "strike must be a number"),
        ("0.5988", "-0.5", "implied_volatility must be a number from 0"),
        ("0.5988", "nan", "implied_volatility must be a number from 0"),
        ("2026-04-24T08:00:00+00:00", "soon", "expiry_datetime must be a time"),
        ("2026-04-24T08:00:00+00:00", "2026-04-24T08:00:00", "expiry_datetime must name its zone"),
        (",45861", "", "a line must have 23 fields"),
    ],
)
def test_refused_lines(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = written(tmp_path, GOOD, GOOD.replace(old, new))
    with pytest.raises(FileRefused, match=f"line 3: {says}"):
        snapshot_read(path)
    code, text = run(str(tmp_path))
    assert code == 2 and says in text


def test_users_mistakes(tmp_path: Path) -> None:
    assert run(str(tmp_path / "none"))[0] == 2
    assert run(str(tmp_path))[0] == 2
    written(tmp_path, GOOD)
    assert run(str(tmp_path), "--through", "20260101T000000Z")[0] == 2
    assert run(str(tmp_path), "--json", str(tmp_path / "no" / "out"))[0] == 2


def test_the_group_lists_its_commands() -> None:
    result = CliRunner().invoke(app, ["options", "--help"])
    assert result.exit_code == 0 and "reprice" in result.output
    assert CliRunner().invoke(app, ["options", "nothing"]).exit_code == 2
