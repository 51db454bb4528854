"""A crash before every single effect of a short run (FAULTS 5), and of all at once (FAULTS 6).

A run in which nothing goes wrong says how many effects each node carries out; then the run is done
again for each of them, with a crash before it, a restart, and the demand that all go on.
"""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Final, NamedTuple

from quorate.ordering.timing import Times
from quorate.sim.cluster.config import Config
from quorate.sim.cluster.failure import Outcome, Property, Violation
from quorate.sim.cluster.run import outcome_of
from quorate.sim.cluster.world import World

SHORT: Final = Config(
    0,
    "crash-points",
    delay_span_ms=8,
    times=Times(40, 40, 800, 100, 400, 800),
    faults_ms=150,
    heal_ms=20_000,
    goal=2,
)
EVERYBODY: Final = -1


def world_of(seed: int, whole: bool) -> World:
    """Make the world of a short run, of bare cores or of whole validators."""
    config = replace(SHORT, seed=seed)
    if not whole:
        return World(config)
    from quorate.sim.cluster.full_world import FullWorld

    return FullWorld(config)


class Point(NamedTuple):
    """Crash a node, or EVERYBODY, before its effect of this number."""

    node: int
    effect: int


def points(seed: int, all_at_once: bool, whole: bool = False) -> list[Point]:
    """List the points of a run."""
    world = world_of(seed, whole)
    world.counting = True
    world.safety()
    counts = [node.points for node in world.nodes]
    if all_at_once:
        return [Point(EVERYBODY, effect) for effect in range(max(counts))]
    return [Point(node, effect) for node, count in enumerate(counts) for effect in range(count)]


def run_point(seed: int, point: Point, whole: bool = False) -> Outcome:
    """Run with one crash."""
    world = world_of(seed, whole)
    for node in world.nodes:
        if point.node in (EVERYBODY, node.number):
            node.crash_in = point.effect
    broken, sentence = Property.NONE, ""
    try:
        world.safety()
        world.heal()
    except Violation as violation:
        broken = violation.broken
        sentence = f"crash of {point.node} before effect {point.effect}: {violation.sentence}"
    return outcome_of(world, broken, sentence)


def run_points(
    seed: int, all_at_once: bool = False, stride: int = 1, whole: bool = False
) -> Iterator[Outcome]:
    """Run them all, or one in `stride`."""
    for point in points(seed, all_at_once, whole)[::stride]:
        yield run_point(seed, point, whole)


def summed(seed: int, scenario: str, outcomes: Iterator[Outcome]) -> Outcome:
    """Put the runs of one enumeration together; the first that fails ends it."""
    digest = sha256()
    counts: dict[str, int] = {"runs": 0}
    steps = views = finalized = at_ms = 0
    for each in outcomes:
        digest.update(bytes.fromhex(each.digest))
        counts["runs"] += 1
        for name, times in each.counts.items():
            counts[name] = counts.get(name, 0) + times
        steps, at_ms = steps + each.steps, at_ms + each.at_ms
        views, finalized = views + each.views, finalized + each.finalized
        if each.broken:
            return each._replace(scenario=scenario)
    return Outcome(
        seed, scenario, Property.NONE, "", at_ms, steps, views, finalized, (),
        counts, digest.hexdigest(),
    )  # fmt: skip
