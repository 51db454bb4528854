"""A claim is a function of the same subset that returns whether it holds for its arguments.

The translator reads it as it reads the rules that it calls, and a test calls it with random numbers
as plain Python. The goals of a claim are the parts of the conjunction that it returns and, of the
rules that it calls, what these owe to machine arithmetic. A parameter that has cases is a constant,
one case after another.
"""

import inspect
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from quorate.formal.frames import Obligation, Unsupported
from quorate.formal.solve import TIMEOUT_MS, Answer, proved, satisfiable
from quorate.formal.terms import Term, Terms
from quorate.formal.translate import Translator

Range = tuple[int, int]


@dataclass(frozen=True)
class Claim:
    """What is claimed, for which arguments.

    `ranges`: of each parameter, both ends inside; numbers in `cases` instead make it a constant,
    (count, low, high) in `arrays` an array.
    `cuts`, `contracts`, `split`: see Expressions. `models` stand for functions that other claims
    show to be equal to them. Without `owed` only the statement is shown, not what the rules owe.
    """

    statement: Callable[..., bool]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    cases: Mapping[str, Sequence[int]] = field(default_factory=dict)
    arrays: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    cuts: Mapping[tuple[str, str], Range] = field(default_factory=dict)
    contracts: Mapping[str, Range] = field(default_factory=dict)
    split: frozenset[str] = frozenset()
    models: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    owed: bool = True
    wide_axioms: bool = True
    named: str = ""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return self.named or self.statement.__name__

    @property
    def text(self) -> str:
        """What it says, in a sentence."""
        return (inspect.getdoc(self.statement) or "").split("\n\n")[0].replace("\n", " ")


@dataclass(frozen=True)
class Goal:
    """One part of a claim: its place, what must hold, and from what it is shown."""

    place: str
    holds: Term
    facts: tuple[Term, ...]
    premises: int | None = None  # how many of them, where not all


@dataclass(frozen=True)
class Finding:
    """What became of a claim. `failures`: (place, answer) of what is not proved."""

    name: str
    goals: int
    settled: int
    failures: tuple[tuple[str, Answer], ...]
    seconds: float
    by: Mapping[str, int]

    @property
    def proved(self) -> bool:
        """Whether all of it is proved."""
        return not self.failures


def conjuncts(term: Term) -> Iterator[Term]:
    """Give the parts of a conjunction."""
    if term.op == "and":
        for part in term.args:
            yield from conjuncts(part)
    else:
        yield term


def case_choices(claim: Claim) -> Iterator[dict[str, int]]:
    """Give each choice of the constants."""
    for chosen in itertools.product(*claim.cases.values()):
        yield dict(zip(claim.cases, chosen, strict=True))


def translated(
    claim: Claim, chosen: Mapping[str, int], replaced: Mapping[tuple[str, str], FunctionType]
) -> tuple[Terms, list[Goal], int]:
    """Translate a claim; give its terms, its goals, and how many obligations need no solver."""
    terms = Terms()
    here = claim.statement.__module__
    translator = Translator(
        terms,
        {**replaced, **claim.models},
        silent=frozenset({here}),
        wide_axioms=claim.wide_axioms,
        cuts=claim.cuts,
        contracts=claim.contracts,
        split=claim.split,
    )
    args: list[Any] = []
    for name in inspect.signature(claim.statement).parameters:
        if name in chosen:
            args.append(terms.constant(chosen[name]))
        elif name in claim.arrays:
            count, low, high = claim.arrays[name]
            cells = [terms.variable(f"{name}[{at}]", low, high) for at in range(count)]
            args.append(translator.array(cells))
        else:
            args.append(terms.variable(name, *claim.ranges[name]))
    holds = translator.call(claim.statement, args)
    if not isinstance(holds, Term):
        raise Unsupported(f"{claim.name} returns no truth")
    # A step may use the steps before it; everything else may use all of them.
    steps = tuple(step for step, _ in translator.steps)
    goals = [
        Goal(f"{claim.name}, step {at + 1}", step, steps[:at], known)
        for at, (step, known) in enumerate(translator.steps)
    ]
    goals += [Goal(claim.name, part, steps) for part in conjuncts(terms.truth(holds))]
    settled = 0
    if claim.owed:
        settled = translator.settled
        goals += [owed_goal(each, steps) for each in translator.obligations]
    return terms, goals, settled


def owed_goal(owed: Obligation, steps: tuple[Term, ...]) -> Goal:
    """Make a goal of an obligation."""
    place = f"{owed.function}, line {owed.line}: {owed.kind}"
    return Goal(place, owed.holds, (owed.guard, *steps))


def examined(
    claim: Claim,
    replaced: Mapping[tuple[str, str], FunctionType] | None = None,
    timeout_ms: int = TIMEOUT_MS,
    failures_max: int = 3,
) -> Finding:
    """Try to prove a claim; stops after `failures_max` goals that are not proved.

    A claim whose premises no input of any case meets fails: it would say nothing. Raises
    Unsupported.
    """
    start_s = time.perf_counter()
    failures: list[tuple[str, Answer]] = []
    by: dict[str, int] = {}
    goals_count = settled_count = 0
    met = False
    for chosen in case_choices(claim):
        terms, goals, settled = translated(claim, chosen, replaced or {})
        settled_count += settled
        goals_count += len(goals) + settled
        met = met or not terms.premises or satisfiable(terms, timeout_ms)
        for goal in goals:
            if len(failures) >= failures_max:
                break
            answer = proved(terms, goal.holds, goal.facts, timeout_ms, goal.premises)
            by[answer.by] = by.get(answer.by, 0) + 1
            if not answer.proved:
                failures.append((placed(goal.place, chosen), answer))
    if not met:
        failures.append((f"{claim.name}: premises", Answer("refuted", 0.0, "no input", {})))
    seconds = time.perf_counter() - start_s
    return Finding(claim.name, goals_count, settled_count, tuple(failures), seconds, by)


def placed(place: str, chosen: Mapping[str, int]) -> str:
    """Name a goal with its case."""
    if not chosen:
        return place
    return f"{place} ({', '.join(f'{name} {value}' for name, value in chosen.items())})"
