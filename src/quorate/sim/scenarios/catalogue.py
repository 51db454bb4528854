"""All scenarios by name, as `quorate sim --scenario` takes them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from quorate.ordering.timing import Times
from quorate.sim.cluster.config import ACTORS, ACTORS_FULL, Config, drawn, drawn_full
from quorate.sim.cluster.failure import Outcome, Property
from quorate.sim.cluster.run import run_phases, simulate
from quorate.sim.scenarios import crash_points
from quorate.sim.scenarios.eager import Eager


class Scenario(NamedTuple):
    """says: what it is, in a few words. run: from a seed."""

    says: str
    run: Callable[[int], Outcome]


def simulate_whole(config: Config) -> Outcome:
    """Run whole validators. The kernels that they need are imported only here."""
    from quorate.sim.cluster.full_world import FullWorld

    return run_phases(FullWorld(config), True)


def swarm(seed: int) -> Outcome:
    """Run a drawn configuration: of whole validators for odd seeds, of bare cores for even ones."""
    config = drawn_full(seed) if seed % 2 else drawn(seed)
    config = replace(config, scenario="swarm")
    return simulate_whole(config) if seed % 2 else simulate(config)


def core(seed: int) -> Outcome:
    """Run a drawn configuration of ordering cores with nothing above them."""
    return simulate(replace(drawn(seed), scenario="core"))


def whole(seed: int) -> Outcome:
    """Run a drawn configuration of whole validators."""
    return simulate_whole(replace(drawn_full(seed), scenario="whole"))


def whole_every_fault(seed: int) -> Outcome:
    """Run a drawn configuration of whole validators with no fault left out."""
    return simulate_whole(replace(drawn_full(seed, True), scenario="whole-every-fault"))


def every_fault(seed: int) -> Outcome:
    """Run a drawn configuration with no fault left out."""
    return simulate(replace(drawn(seed, True), scenario="every-fault"))


def calm(seed: int) -> Outcome:
    """Run four validators whom nothing troubles: the measure of steps a second."""
    return simulate(Config(seed, "calm", faults_ms=60_000, steps_max=100_000))


def eager(seed: int) -> Outcome:
    """Run a drawn configuration with cores that only their guards hold back."""
    return simulate(replace(drawn(seed), scenario="eager"), make_core=Eager, heals=False)


def liar(actor: str, index: int = 1) -> Callable[[int], Outcome]:
    """Make the scenario of one liar among four, on links that lose some."""

    def run(seed: int) -> Outcome:
        return simulate(
            Config(
                seed, actor, liars=((index, actor),), loss_e3=20, duplicate_e3=20,
                faults_ms=10_000, steps_max=15_000,
            )
        )  # fmt: skip

    return run


def whole_liar(actor: str, index: int = 1) -> Callable[[int], Outcome]:
    """Make the scenario of one liar among four whole validators."""

    def run(seed: int) -> Outcome:
        return simulate_whole(
            Config(
                seed, f"whole-{actor}", liars=((index, actor),), loss_e3=10,
                times=Times(100, 200, 3_000, 200, 1_500, 2_000), faults_ms=6_000, steps_max=8_000,
            )
        )  # fmt: skip

    return run


def each_crash(name: str, all_at_once: bool, whole: bool) -> Callable[[int], Outcome]:
    """Make the scenario that crashes before each effect."""

    def run(seed: int) -> Outcome:
        runs = crash_points.run_points(seed, all_at_once, 1, whole)
        return crash_points.summed(seed, name, runs)

    return run


SCENARIOS: Final[dict[str, Scenario]] = {
    "swarm": Scenario("all drawn by the seed: whole validators if odd, cores if even", swarm),
    "core": Scenario("ordering cores; validators, liars, faults, rates, times drawn", core),
    "every-fault": Scenario("the same, with no fault left out", every_fault),
    "whole": Scenario("whole validators with ledgers and clients, all drawn", whole),
    "whole-every-fault": Scenario("the same, with no fault left out", whole_every_fault),
    "calm": Scenario("four validators, no trouble; for measurement", calm),
    "eager": Scenario("the swarm with cores that only their guards hold back", eager),
    **{
        name: Scenario(says, each_crash(name, all_at_once, whole))
        for name, says, all_at_once, whole in (
            ("crash-points", "a crash before each effect of each core", False, False),
            ("crash-points-all", "all cores crash, each before its k-th effect", True, False),
            ("whole-crash-points", "a crash before each effect of whole validators", False, True),
            ("whole-crash-points-all", "all validators crash, each at its k-th", True, True),
        )
    },
    **{name: Scenario(f"one {name} among four cores", liar(name)) for name in ACTORS},
    **{
        f"whole-{name}": Scenario(f"one {name} among four whole validators", whole_liar(name))
        for name in ACTORS_FULL
    },
}


def run_named(name: str, seed: int, twice: bool = False) -> Outcome:
    """Run a scenario. twice: run it again, and demand the same digest."""
    scenario = SCENARIOS[name]
    outcome = scenario.run(seed)
    if twice and not outcome.broken:
        again = scenario.run(seed)
        if again.digest != outcome.digest:
            sentence = f"one seed, two digests: {outcome.digest[:16]} and {again.digest[:16]}"
            return outcome._replace(broken=Property.DETERMINISM, sentence=sentence)
    return outcome
