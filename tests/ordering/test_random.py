"""Bare cores under loss, repetition, reordering, partition, crashes and malicious voters, by seed.

Agreement always; after the network heals, progress of all the honest.
"""

import pytest

from tests.ordering.network import Network

CHAOS_MS, HEALED_MS_MAX, PROGRESS_VIEWS = 12_000, 120_000, 8


def survives(network: Network) -> None:
    """Run a network through its troubles and out of them."""
    network.runs(CHAOS_MS // 2)
    network.apart = set(network.random.sample(range(network.count), network.count // 2))
    network.runs(network.now_ms + network.delay_ms_max)  # what is under way may still arrive
    before = len(network.witness.finals)
    network.runs(CHAOS_MS * 3 // 4)
    if not network.malicious:
        # No half is a quorum, but for views in which the other half had voted already.
        assert len(network.witness.finals) <= before + 2
    network.apart = set()
    network.runs(CHAOS_MS)
    network.witness.check()
    network.heals()
    goal = max(network.floors()) + PROGRESS_VIEWS
    network.runs(CHAOS_MS + HEALED_MS_MAX, floor=goal)
    network.witness.check()
    assert min(network.floors()) >= goal, network.floors()
    assert network.accused <= set(network.malicious)


@pytest.mark.parametrize("seed", range(24))
def test_four_validators_with_a_malicious_one(seed: int) -> None:
    network = Network(seed, 4, [seed % 4], loss=(0.0, 0.05, 0.2, 0.4)[seed // 6])
    survives(network)
    assert network.accused


@pytest.mark.parametrize("seed", range(8))
def test_four_honest_validators(seed: int) -> None:
    survives(Network(seed, 4, loss=0.1 * (seed % 4)))


@pytest.mark.parametrize("seed", range(8))
def test_seven_validators_with_two_malicious_ones(seed: int) -> None:
    network = Network(seed, 7, [seed % 7, (seed * seed + 3) % 7], loss=0.1)
    survives(network)
    assert network.accused


def test_many_crashes() -> None:
    """A crash in every fiftieth step, at any effect."""
    network = Network(7, 4, [1], loss=0.05)
    network.crashes = 0.02
    survives(network)
    assert network.restarts > 10


def test_a_seed_gives_the_same_run_twice_and_another_seed_another() -> None:
    runs = []
    for seed in (1, 1, 2):
        network = Network(seed, 4, [3])
        network.runs(4_000)
        runs.append([node.entries for node in network.nodes.values()])
    assert runs[0] == runs[1] != runs[2]
