"""Scenarios end to end, and `quorate scenario` as a person uses it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.cli.scenario import SHARED
from quorate.sim.scenarios.clearing.description import Scenario, scenario_load, scenario_names
from quorate.sim.scenarios.clearing.run import Outcome, Run, tree_of
from tests.sim.clearing.crash import NO_DATA, crashed


def called(*arguments: str) -> tuple[int, str]:
    """Call the command; give its exit code and what it printed."""
    result = CliRunner().invoke(app, ["scenario", *arguments])
    return result.exit_code, result.output


def passed(scenario: Scenario, data: Path = NO_DATA) -> Outcome:
    """Run a scenario that must pass."""
    outcome = Run(scenario, data).go()
    assert not outcome.faults
    assert not outcome.failed, [
        (each.figure, each.found, each.words) for each in outcome.findings if not each.holds
    ]
    return outcome


# The recorded crashes, each with its 10,000 accounts, take a minute.
CRASHES = ("bitmex_2020_03", "bitmex_2021_05")
SCENARIOS = [
    pytest.param(name, marks=pytest.mark.long if name in CRASHES else pytest.mark.slow)
    for name in scenario_names()
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_as_expected(name: str) -> None:
    scenario = scenario_load(name)
    missing = [file for file in scenario.files if not (SHARED / file).is_file()]
    if missing:
        pytest.skip(f"needs the recorded data: {missing[0]} below {SHARED}")
    passed(scenario, SHARED)


def rotated(scenario: Scenario, by: int) -> Scenario:
    """The scenario with its markets, and all that names them, in another order."""
    count = len(scenario.markets)
    order = [(k + by) % count for k in range(count)]
    place = {old + 1: order.index(old) + 1 for old in range(count)}
    markets = tuple(scenario.markets[old] for old in order)
    groups = tuple(replace(each, market=place[each.market]) for each in scenario.groups)
    makers = tuple(replace(each, market=place[each.market]) for each in scenario.makers)
    return replace(
        scenario, markets=markets, groups=groups, makers=makers, expected={}, vault_usd=10**6
    )


@pytest.mark.slow
def test_the_order_of_isolated_markets_does_not_matter() -> None:
    """Each market's fund and deleveraging come out alike, whatever its number."""
    base = scenario_load("dydx_isolated_order")
    base = replace(
        base,
        run_ms=90_000,
        groups=tuple(replace(each, accounts=30) for each in base.groups),
    )
    found = []
    for by in range(len(base.markets)):
        scenario = rotated(base, by)
        outcome = passed(scenario)
        ends = {}
        for number, market in enumerate(scenario.markets, 1):
            series = outcome.record.series[number - 1]
            ends[market.name] = (
                series.insurance[-1], sum(series.deleveraged), sum(series.liquidated),
                series.interest[-1],
            )  # fmt: skip
        found.append(ends)
    assert all(each == found[0] for each in found)
    assert any(deleveraged for _, deleveraged, _, _ in found[0].values())


def test_an_outcome_says_what_the_house_asks_for() -> None:
    tree = tree_of(crashed(False)[1])
    for name in ("name", "conservation_delta", "bad_debt", "adl_notional", "adl_minimal", "passed"):
        assert name in tree, name
    assert tree["passed"] is True and tree["conservation_delta"] == 0
    assert tree["adl_notional"] == tree["adl_least"] > 0 and tree["adl_minimal"] is True
    assert len(tree["root"]) == 64 and json.dumps(tree)


def test_the_same_seed_gives_the_same_root() -> None:
    run, outcome = crashed(False)
    again = Run(run.scenario, NO_DATA).go()
    assert again.root == outcome.root
    other = Run(replace(run.scenario, seed=12), NO_DATA).go()
    assert other.root != outcome.root


def test_the_list_names_every_scenario() -> None:
    code, text = called("run", "--list")
    assert code == 0 and all(name in text for name in scenario_names())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "nothing"), "There is no scenario nothing"),
        (("run",), "Name a scenario"),
        (("walk", "jelly"), "takes run"),
        (("run", "jelly", "--data", "/nonexistent"), "is not a folder"),
        (("run", "jelly", "--json", "/nonexistent/x"), "must be a file in a folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    code, text = called(*arguments)
    assert code == 2 and said in text and len(text.strip().splitlines()) == 1


def test_recorded_data_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    code, text = called(
        "run", "bitmex_2020_03", "--data", str(tmp_path), "--json", str(out), "--spec"
    )
    assert code == 0 and "skipped" in text and "QUORATE_DATA" in text
    assert "skipped" in json.loads(out.read_text())["scenarios"][0]


def test_a_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots: matplotlib")
    from quorate.sim.scenarios.clearing.plots import draw

    path = tmp_path / "small.png"
    draw(crashed(False)[1], path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 20_000


def test_without_matplotlib_plots_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, text = called("run", "jelly", "--plots", str(tmp_path))
    assert code == 2 and "quorate[plots]" in text and len(text.strip().splitlines()) == 1
