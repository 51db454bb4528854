"""Runs of the simulated cluster: the swarm, determinism, liars, crash points."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quorate.sim.cluster.config import ACTORS, FAULTS, Config, drawn
from quorate.sim.cluster.failure import Outcome, Property
from quorate.sim.cluster.run import simulate
from quorate.sim.scenarios.catalogue import SCENARIOS, run_named
from quorate.sim.scenarios.crash_points import points, run_points, summed

# What leaves proof of itself, and what is only a nuisance.
PROVABLE = ("equivocator", "conflicter", "twin")


def held(outcome: Outcome) -> Outcome:
    """Expect a run to be clean; the message brings it back."""
    assert not outcome.broken, f"{outcome.broken.name}: {outcome.sentence} (seed {outcome.seed})"
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 6, 11, 16, 21])
def test_25_seeds_with_every_fault(first: int) -> None:
    for seed in range(first, first + 5):
        outcome = held(run_named("every-fault", seed))
        struck = [name for name in FAULTS if outcome.counts.get(f"fault_{name}")]
        assert len(struck) > len(FAULTS) // 2 and outcome.finalized > 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300, 308))
def test_the_swarm_holds(seed: int) -> None:
    held(run_named("core", seed))


def test_a_drawn_configuration_covers_everything_there_is() -> None:
    configs = [drawn(seed) for seed in range(300)]
    assert {len(config.weights) for config in configs} == {4, 5, 7, 10}
    assert {name for config in configs for name in config.faults} == set(FAULTS)
    assert {actor for config in configs for _, actor in config.liars} == set(ACTORS)
    for config in configs:
        bad = {*config.lying, *config.victims}
        assert 3 * sum(config.weights[index] for index in bad) < sum(config.weights)


# --- determinism


def test_a_seed_gives_the_same_digest_twice_and_another_seed_another() -> None:
    digests = []
    for seed in (3, 4, 7):
        config = replace(drawn(seed, True), steps_max=4_000)
        first, second = simulate(config), simulate(config)
        assert first == second
        digests.append(first.digest)
    assert len(set(digests)) == 3


def test_the_order_of_hashes_does_not_matter() -> None:
    program = (
        "from dataclasses import replace\n"
        "from quorate.sim.cluster.config import drawn\n"
        "from quorate.sim.cluster.run import simulate\n"
        "print([simulate(replace(drawn(s, True), steps_max=3000)).digest for s in (5, 9, 10)])\n"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    found = []
    for seed in ("1", "4242"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": source}
        command = [sys.executable, "-c", program]
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        found.append(run.stdout)
    assert found[0] == found[1] and len(found[0]) > 192


def test_a_run_that_differs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from quorate.sim.scenarios import catalogue

    drift = iter(range(9))
    moody = catalogue.Scenario(
        "never the same",
        lambda seed: simulate(Config(seed + next(drift), faults_ms=100, steps_max=500)),
    )
    monkeypatch.setitem(catalogue.SCENARIOS, "moody", moody)
    assert run_named("moody", 1, twice=True).broken == Property.DETERMINISM
    assert run_named("moody", 1).broken == Property.NONE


# --- liars


@pytest.mark.parametrize("actor", ACTORS)
def test_one_liar_among_four_stops_nobody_and_is_accused_if_it_can_be(actor: str) -> None:
    outcome = held(SCENARIOS[actor].run(2))
    assert outcome.finalized > 20
    assert outcome.accused == ((1,) if actor in PROVABLE else ())


@pytest.mark.slow
@pytest.mark.parametrize("actors", [("equivocator", "twin"), ("conflicter", "impersonator")])
def test_two_liars_among_seven(actors: tuple[str, str]) -> None:
    liars = ((2, actors[0]), (5, actors[1]))
    config = Config(6, "two liars", (1,) * 7, liars, loss_e3=20, faults_ms=5_000, steps_max=25_000)
    outcome = held(simulate(config))
    assert outcome.finalized > 20
    assert set(outcome.accused) == {i for i, actor in liars if actor in PROVABLE}


# --- crash points


@pytest.mark.slow
def test_a_crash_before_any_effect_of_a_node() -> None:
    every = points(1, False)
    assert len({point.node for point in every}) == 4 and len(every) > 400
    outcome = held(summed(1, "crash-points", run_points(1, stride=29)))
    assert outcome.counts["crashes"] == outcome.counts["runs"] == len(every[::29])


def test_a_crash_of_all_nodes_at_once() -> None:
    outcome = held(summed(2, "crash-points-all", run_points(2, all_at_once=True, stride=11)))
    assert outcome.counts["crashes"] > 3 * outcome.counts["runs"]


# --- the second phase


def test_a_cluster_that_cannot_go_on_is_reported() -> None:
    config = Config(1, "stuck", faults_ms=500, heal_ms=2_000, goal=10_000)
    assert simulate(config).broken == Property.PROGRESS


@pytest.mark.slow
def test_a_liar_beyond_a_third_breaks_agreement() -> None:
    """A measure of the checkers: where two of four lie, agreement must break before their eyes."""
    liars = ((1, "conflicter"), (2, "conflicter"))
    config = Config(1, "too many", liars=liars, faults_ms=20_000, steps_max=40_000, loss_e3=50)
    outcomes = (
        simulate(replace(config, seed=seed), heals=False) for seed in range(3)
    )
    assert any(each.broken in (Property.AGREEMENT, Property.CERTIFICATES) for each in outcomes)
