"""Files of scenarios: all of them can be read, and every bound has its reason."""

import re

import pytest

from quorate.sim.scenarios.clearing.description import (
    Scenario,
    ScenarioRefused,
    scenario_load,
    scenario_names,
    scenario_read,
)
from quorate.sim.scenarios.clearing.judge import ALWAYS, judged
from quorate.sim.scenarios.clearing.population import genesis_of, population_drawn
from quorate.sim.scenarios.clearing.prices import path_read
from tests.sim.clearing.crash import FILE, NO_DATA, crashed

NAMES = (
    "bitmex_2020_03", "bitmex_2021_05", "dydx_isolated_order", "dydx_stale_restart", "jelly",
    "one_sided", "oracle_gap", "oracle_negative", "oracle_spike", "oracle_zero", "popcat",
)  # fmt: skip
SMALL = FILE.read_text(encoding="ascii")


@pytest.fixture(scope="module", params=NAMES)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return scenario_load(request.param)


def test_all_scenarios_are_there() -> None:
    assert scenario_names() == list(NAMES)


def test_every_bound_has_a_reason(scenario: Scenario) -> None:
    assert set(ALWAYS) <= set(scenario.expected)
    for name, each in scenario.expected.items():
        assert each.least is not None or each.most is not None, name
        assert each.least is None or each.most is None or each.least <= each.most, name
        assert len(each.why.split()) >= 4 and each.why.endswith("."), name
    assert scenario.sources and all(source.endswith(".") for source in scenario.sources)


def test_the_replays_of_recorded_minutes_have_ten_thousand_accounts(scenario: Scenario) -> None:
    if scenario.files:
        assert scenario.accounts == 10_000
        assert all(re.fullmatch(r"perp/bitmex_1m/\S+\.csv\.gz", name) for name in scenario.files)


def test_every_bounded_figure_is_one_that_a_run_gives(scenario: Scenario) -> None:
    _, outcome = crashed(False)
    for name in scenario.expected:
        assert re.sub(r"_\d(?=_|$)", "_1", name) in outcome.figures, name


def test_a_population_follows_from_its_seed() -> None:
    scenario = scenario_load("popcat")
    paths = [path_read(feed.path, NO_DATA) for feed in scenario.feeds]
    marks = [paths[market.feed].at(0) for market in scenario.markets]
    one, other = population_drawn(scenario, marks), population_drawn(scenario, marks)
    assert one == other and len({trader.address for trader in one}) == len(one)
    assert genesis_of(scenario, paths) == genesis_of(scenario, paths)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 11", "", "small needs seed"),
        ("seed = 11", "seed = 1.5", "small.seed must be of type int"),
        ("seed = 11", "seed = 11\nhaste = 1", "small has no haste"),
        ("seed = 11", "seed =", "small: Invalid value"),
        ("long_ppm = 800_000", "long = 1", "small.groups[0] has no long"),
        ("[[5, 1], [8, 1]]", "[[5, 1], [8]]", "small.groups[1].leverage[1] must have 2 values"),
        ("[[5, 1], [8, 1]]", "5", "small.groups[1].leverage must be a list"),
        ("feed = 0", "feed = 7", "a feed is named that it does not have"),
        ("market = 2", "market = 3", "a market is named that it does not have"),
        ('actor = "rester"', 'actor = "nobody"', "there is no actor nobody"),
        ('why = "Money is moved, never made."', 'why = " "', "conservation_delta has no reason"),
    ],
)
def test_a_file_that_says_something_else_is_refused(old: str, new: str, said: str) -> None:
    assert old in SMALL
    with pytest.raises(ScenarioRefused) as refused:
        scenario_read("small", SMALL.replace(old, new))
    assert said in str(refused.value)


def test_a_figure_that_does_not_exist_is_refused() -> None:
    scenario = scenario_read("small", SMALL.replace("conservation_delta]", "wonders]"))
    with pytest.raises(ScenarioRefused, match="there is no figure wonders"):
        judged(scenario, {"conservation_delta": 0})
