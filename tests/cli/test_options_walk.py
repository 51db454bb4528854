"""The commands of docs/options.md do what the page says that they do."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.cli.options import COMMANDS
from tests.live.nodes import quorate

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "options.md").read_text(encoding="ascii")
SHOWN = re.findall(r"^\$ quorate (options .*)\n((?:(?!```).*\n)+)```$", PAGE, re.MULTILINE)
DEMO_S = 300


@pytest.mark.parametrize(("line", "output"), SHOWN)
def test_a_command_prints_what_the_page_shows(line: str, output: str) -> None:
    ran = CliRunner().invoke(app, shlex.split(line))
    assert ran.stdout == output
    assert ran.exit_code == (0 if output.startswith("admitted") else 1)


def test_the_page_shows_an_admission_and_three_refusals() -> None:
    assert [output.split()[0].strip(":,") for _, output in SHOWN] == ["admitted"] + ["refused"] * 3


def test_every_command_of_the_page_exists() -> None:
    named = set(re.findall(r"quorate options ([a-z]+)", PAGE))
    assert {"demo", "payoff", "products"} <= named <= set(COMMANDS)
    assert "quorate options demo " in (ROOT / "README.md").read_text(encoding="ascii")


@pytest.mark.slow
def test_the_story_of_the_page_comes_to_a_good_end(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    folder = tmp_path_factory.mktemp("options")
    out, home = folder / "result.json", folder / "home"
    show = quorate("options", "demo", "--seconds", 25, "--home", home, "--json", out)
    output, errors = show.communicate(timeout=DEMO_S)
    assert show.returncode == 0, output + errors
    found = json.loads(out.read_text())
    assert found["ok"] and found["findings"] == [] and found["refusal"] == "BOUNDS_BROKEN"
    assert found["roots_different"] == 0 and found["heights_compared"] > 10
    assert found["conservation_delta_e6"] == found["lots_left"] == 0
    (fix,) = found["fixings"]
    assert fix["samples_count"] >= 10 and fix["fix_ticks"] == fix["sum"] // fix["samples_count"]
    assert len(found["payments"]) >= 6 and sum(row["cash_e6"] for row in found["payments"]) == 0
    assert any(row["cash_e6"] > 0 for row in found["payments"])
    assert [row["state_name"] for row in found["series"]] == ["SETTLED"] * 3
    assert found["theta"]["theta_e6"] < 0 and len(found["calendar"][0]["series"]) == 3
    assert found["receipt"]["verified"] and "  kind: settled" in found["receipt"]["words"]
    proof = home / "settlement.proof"
    check = quorate("verify", proof, "--consensus", home / "validator-1" / "consensus.json")
    said, _ = check.communicate(timeout=DEMO_S)
    assert check.returncode == 0 and "signed by 3 of 4 validators" in said
