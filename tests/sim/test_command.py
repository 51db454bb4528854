"""`quorate sim` as a person uses it: the seed first, exit codes, JSON, mistakes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.sim.cluster.config import Config
from quorate.sim.cluster.failure import SENTENCES, Property
from quorate.sim.cluster.run import simulate
from quorate.sim.scenarios import catalogue

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "SIMULATOR.md"


def run(*arguments: str) -> tuple[int, str]:
    """Call the command; give its exit code and all that it printed."""
    result = CliRunner().invoke(app, ["sim", *arguments])
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add two short scenarios: one that holds, one that cannot."""
    sound = catalogue.Scenario(
        "sound", lambda seed: simulate(Config(seed, "sound", faults_ms=200))
    )
    stuck = catalogue.Scenario(
        "stuck", lambda seed: simulate(Config(seed, "stuck", faults_ms=200, heal_ms=99, goal=99))
    )
    monkeypatch.setitem(catalogue.SCENARIOS, "sound", sound)
    monkeypatch.setitem(catalogue.SCENARIOS, "stuck", stuck)


def test_a_run_prints_its_seed_first_and_writes_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    code, text = run("--scenario", "sound", "--seed", "5", "--twice", "--json", str(path))
    assert code == 0 and text.startswith("seed 5, scenario sound\n")
    tree = json.loads(path.read_text())
    assert tree["seed_first"] == 5 and tree["steps"] > 100 and tree["steps_per_s"] > 0
    assert tree["broken"] == "" and tree["views"] > 3 and len(tree["digest"]) == 64
    again = tmp_path / "again.json"
    run("--scenario", "sound", "--seed", "5", "--json", str(again))
    assert json.loads(again.read_text())["digest"] == tree["digest"]


def test_a_failure_ends_with_its_code_and_the_line_that_brings_it_back() -> None:
    code, text = run("--scenario", "stuck", "--seed", "6")
    assert code == Property.PROGRESS
    assert SENTENCES[Property.PROGRESS] in text
    assert text.rstrip().endswith("Again: quorate sim --scenario stuck --seed 6")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scenario", "nothing"), "no scenario nothing"),
        (("--seeds", "9:1"), "first:last"),
        (("--seeds", "1-9"), "first:last"),
        (("--json", "no/such/folder/x.json"), "a folder that exists"),
    ],
)
def test_mistakes_are_one_line_and_code_two(arguments: tuple[str, ...], said: str) -> None:
    code, text = run(*arguments)
    assert code == 2 and said in text and text.count("\n") == 1


def test_the_list_and_the_document_name_every_code() -> None:
    code, text = run("--list")
    assert code == 0
    document = DOCUMENT.read_text(encoding="ascii")
    for broken, sentence in SENTENCES.items():
        assert f"{int(broken)} {sentence}" in text
        assert f"| {int(broken)} | {broken.name} |" in document
    assert len(SENTENCES) == len(Property) - 1
    for name in catalogue.SCENARIOS:
        assert f"\n{name} " in f"\n{text}"


def test_many_seeds_are_run_in_processes_of_their_own() -> None:
    code, text = run("--scenario", "delayer", "--seeds", "1:2")
    assert code == 0 and text.startswith("seed 1 to 2, scenario delayer\n2 runs, ")
