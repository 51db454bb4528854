"""Every condition of the rules, removed alone, is noticed; with none removed nothing is."""

import pytest

from quorate.sim.scenarios.broken import EACH, Broken, hunt, run_whole

NAMES = [each.name for each in EACH]


@pytest.mark.slow
@pytest.mark.parametrize("broken", EACH, ids=NAMES)
def test_a_missing_condition_is_noticed_within_its_seeds(broken: Broken) -> None:
    noticed = hunt(broken)
    assert 0 < noticed.after <= broken.seeds


@pytest.mark.slow
@pytest.mark.parametrize("broken", EACH, ids=NAMES)
def test_with_nothing_removed_the_same_scenario_is_clean(broken: Broken) -> None:
    for seed in (1, 2):
        outcome = run_whole(broken, seed)
        assert not outcome.broken, outcome.sentence
        assert outcome.finalized
