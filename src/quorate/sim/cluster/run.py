"""A configuration in, an outcome out."""

from quorate.codec.consensus import MessageInvalid
from quorate.ordering.journal import JournalRefused
from quorate.ordering.rules import RULES, Rules
from quorate.ordering.simplex import Simplex
from quorate.sim.cluster.config import Config
from quorate.sim.cluster.failure import Outcome, Property, Violation
from quorate.sim.cluster.world import MakeCore, World

# What our own mistakes raise. A run that ends by one of them is a finding, with its seed.
MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    JournalRefused,
    LookupError,
    MessageInvalid,
    TypeError,
    ValueError,
)


def simulate(
    config: Config, rules: Rules = RULES, make_core: MakeCore = Simplex, heals: bool = True
) -> Outcome:
    """Run both phases. heals False: the first alone."""
    return run_phases(World(config, rules, make_core), heals)


def run_phases(world: World, heals: bool) -> Outcome:
    """Run a world, and sum up what came of it."""
    broken, sentence = Property.NONE, ""
    try:
        world.safety()
        if heals:
            world.heal()
    except Violation as violation:
        broken, sentence = violation.broken, violation.sentence
    except MISTAKES as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        where = "" if last is None else f" at line {last.tb_lineno}"
        name = "" if last is None else f" of {last.tb_frame.f_code.co_qualname}"
        broken = Property.RAISED
        sentence = f"{type(error).__name__}{where}{name}: {error}"
    return outcome_of(world, broken, sentence)


def outcome_of(world: World, broken: Property, sentence: str) -> Outcome:
    """Sum a run up."""
    for node in world.honest:
        for name, times in node.counted().items():
            world.counts[name] = world.counts.get(name, 0) + times
    return Outcome(
        world.config.seed,
        world.config.scenario,
        broken,
        sentence,
        world.now,
        world.steps,
        max(node.view for node in world.nodes),
        world.blocks_final(),
        tuple(sorted(world.watch.evidence.accused)),
        dict(sorted(world.counts.items())),
        world.digest(),
    )
