"""Whole validators in the simulated world: agreement, ledger, clients, lost journals, liars."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quorate.sim.cluster.config import ACTORS_FULL, Config, drawn_full
from quorate.sim.cluster.failure import Outcome, Property
from quorate.sim.cluster.full_world import FullWorld
from quorate.sim.cluster.run import run_phases
from quorate.sim.scenarios.catalogue import run_named
from quorate.sim.scenarios.crash_points import run_points, summed

PROVABLE = ("equivocator", "conflicter", "twin")
CALM = Config(1, "calm", faults_ms=2_000, steps_max=4_000)


def held(outcome: Outcome) -> Outcome:
    """Expect a run to be clean; the message brings it back."""
    assert not outcome.broken, f"{outcome.broken.name}: {outcome.sentence} (seed {outcome.seed})"
    return outcome


@pytest.mark.parametrize(
    "kernels", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["spec", "kernels"]
)
def test_clients_are_answered_and_all_come_to_the_same_roots(kernels: bool) -> None:
    world = FullWorld(replace(CALM, kernels=kernels))
    held(run_phases(world, True))
    assert world.watch.replies > 15 and len(world.watch.roots) > 20
    for node in world.honest:
        executor = node.ledger.executor
        assert world.watch.roots[executor.height] == (executor.digest, executor.root)


@pytest.mark.slow
def test_spec_and_kernels_come_to_the_same_run() -> None:
    spec, kernels = (run_phases(FullWorld(replace(CALM, kernels=k)), True) for k in (False, True))
    assert spec == kernels


@pytest.mark.slow
@pytest.mark.parametrize("actor", ACTORS_FULL)
def test_one_liar_among_four_whole_validators(actor: str) -> None:
    outcome = held(run_named(f"whole-{actor}", 1))
    assert outcome.finalized > 20
    assert outcome.accused == ((1,) if actor in PROVABLE else ())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 26))
def test_whole_validators_with_every_fault(seed: int) -> None:
    held(run_named("whole-every-fault", seed))


@pytest.mark.slow
def test_who_lost_its_journal_observes_and_then_votes_again() -> None:
    config = Config(
        3, "lost", victims=(2,), faults=("lose",), every_ms=1_000, faults_ms=4_000,
        steps_max=9_000, heal_ms=30_000,
    )  # fmt: skip
    world = FullWorld(config)
    held(run_phases(world, True))
    assert world.counts["fault_lose"] >= 1
    assert all(not node.core.rejoining.observing for node in world.honest)
    assert 2 not in world.watch.one_vote.forgiven


@pytest.mark.slow
def test_who_lost_its_journal_and_votes_on_is_noticed() -> None:
    config = Config(
        1, "lost", victims=(2,), faults=("lose",), every_ms=300, faults_ms=5_000,
        loss_e3=100, forgetful=True,
    )  # fmt: skip
    found = [
        run_phases(FullWorld(replace(config, seed=seed)), False).broken for seed in range(1, 11)
    ]
    assert Property.ONE_VOTE in found


@pytest.mark.slow
def test_a_driver_that_sends_before_it_syncs_is_noticed() -> None:
    config = Config(
        1, "hasty", faults=("crash", "crash_all"), every_ms=250, faults_ms=5_000, hasty=True,
        loss_e3=100, delay_span_ms=30,
    )  # fmt: skip
    found = [
        run_phases(FullWorld(replace(config, seed=seed)), False).broken for seed in range(1, 21)
    ]
    assert {Property.ONE_VOTE, Property.ACKNOWLEDGED} & set(found)


@pytest.mark.slow
@pytest.mark.parametrize("all_at_once", [False, True], ids=["one", "all"])
def test_a_crash_before_an_effect_of_a_whole_validator(all_at_once: bool) -> None:
    outcome = held(summed(1, "points", run_points(1, all_at_once, 61, whole=True)))
    assert outcome.counts["crashes"] >= outcome.counts["runs"] > 4


@pytest.mark.slow
def test_the_order_of_hashes_does_not_matter_to_whole_validators() -> None:
    program = (
        "from dataclasses import replace\n"
        "from quorate.sim.cluster.config import drawn_full\n"
        "from quorate.sim.cluster.full_world import FullWorld\n"
        "from quorate.sim.cluster.run import run_phases\n"
        "for seed in (4, 7):\n"
        "    config = replace(drawn_full(seed, True), steps_max=1_500, kernels=False)\n"
        "    print(run_phases(FullWorld(config), False).digest)\n"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    found = []
    for seed in ("1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source}
        command = [sys.executable, "-c", program]
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=True
        )
        found.append(run.stdout)
    assert found[0] == found[1] and len(found[0]) == 130


def test_a_seed_runs_twice_alike_and_another_differently() -> None:
    config = replace(drawn_full(5, True), steps_max=1_500, kernels=False)
    first, again = (run_phases(FullWorld(config), False) for _ in range(2))
    assert first == again
    other = run_phases(FullWorld(replace(config, seed=6)), False)
    assert other.digest != first.digest
