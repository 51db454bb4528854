"""Questions to z3: one small claim a query, a time limit on each, and *unknown* is a failure.

A quotient by a constant is z3's own; one by a variable is a fresh integer with the inequalities
that define it, which is exact, and lets z3 reason by products. Where integers do not decide a
claim in time the same query is put over the reals: what holds there holds for integers.
A claim that z3 leaves open is also tried on many inputs, corners first, so that a false one is
refuted by an example and not just unproved.
"""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.formal.terms import UNBOUNDED, Term, Terms, cone, values
from quorate.types.limits import QUOTIENT_MAX

Z3_VERSION: Final = "5.4.0"
TIMEOUT_MS: Final = 20_000
# How a query is tried: by z3's core alone or with its tactics, over the reals or not, the seed, the
# part of the time in percent. Whether a proof by products is found at once or not at all depends on
# where the search starts: so it starts anew.
ATTEMPTS: Final = (
    (True, False, 0, 10),
    (False, False, 0, 20),
    (True, True, 0, 10),
    (True, False, 1, 10),
    (False, True, 0, 20),
    (False, False, 2, 30),
)
TRIES: Final = 3_000
TERMS_TRIED: Final = 600_000  # terms evaluated in all tries together
FACTS_MAX: Final = 40  # more of them are sifted


class SolverMissing(Exception):
    """z3 is not installed, or is not the version that the proofs are pinned to."""


@dataclass(frozen=True)
class Answer:
    """What came of one query. `verdict`: proved, refuted or unknown; `example` refutes it."""

    verdict: str
    seconds: float
    by: str  # intervals, integers, reals, an example
    example: dict[str, int] = field(default_factory=dict)

    @property
    def proved(self) -> bool:
        """Whether the claim holds."""
        return self.verdict == "proved"


def z3_module() -> Any:
    """Import z3; raises SolverMissing where it is not there or not the pinned version."""
    try:
        import z3
    except ImportError as error:
        raise SolverMissing('The proofs need z3: pip install "quorate[prove]".') from error
    found = ".".join(z3.get_version_string().split(".")[:3])
    if found != Z3_VERSION:
        raise SolverMissing(f"The proofs are pinned to z3 {Z3_VERSION}; this is {found}.")
    return z3


def quotient_name(term: Term) -> str:
    """Name the quotient of a division, which its quotient and its rest share."""
    return "quotient.{}.{}".format(*(arg.number for arg in term.args))


class Encoder:
    """Terms as expressions of z3, over integers or over reals, with what defines quotients."""

    def __init__(self, real: bool) -> None:
        self.z3 = z3_module()
        self.context = self.z3.Context()  # of its own: no query depends on those before it
        self.real = real
        self.defined: list[Any] = []
        self.made: dict[int, Any] = {}

    def number(self, name: str) -> Any:
        """Give a number that is not known."""
        kind = self.z3.Real if self.real else self.z3.Int
        return kind(name, self.context)

    def value(self, number: int) -> Any:
        """Give a constant."""
        kind = self.z3.RealVal if self.real else self.z3.IntVal
        return kind(number, self.context)

    def encoded(self, term: Term) -> Any:
        """Give a term as an expression."""
        for part in cone([term]):
            if part.number not in self.made:
                parts = [self.made[arg.number] for arg in part.args]
                self.made[part.number] = self.one(part, parts)
        return self.made[term.number]

    def one(self, term: Term, parts: list[Any]) -> Any:
        """Encode one term, its parts encoded."""
        z3 = self.z3
        match term.op:
            case "constant":
                return self.value(int(term.value))
            case "flag":
                return z3.BoolVal(bool(term.value), self.context)
            case "variable":
                return self.variable(term)
            case "add":
                return parts[0] + parts[1]
            case "sub":
                return parts[0] - parts[1]
            case "mul":
                return parts[0] * parts[1]
            case "div":
                return self.quotient(term, parts)
            case "mod":
                return self.rest(term, parts)
            case "muldiv":
                return self.wide_quotient(term, parts)
            case "if":
                return z3.If(*parts)
            case "lt":
                return parts[0] < parts[1]
            case "le":
                return parts[0] <= parts[1]
            case "eq":
                return parts[0] == parts[1]
            case "not":
                return z3.Not(parts[0])
            case "and":
                return z3.And(*parts)
            case "or":
                return z3.Or(*parts)
        raise AssertionError(term.op)

    def variable(self, term: Term) -> Any:
        """Encode a variable with its range."""
        made = self.number(str(term.value))
        self.bound(made, term)
        return made

    def bound(self, made: Any, term: Term) -> None:
        """State the interval of a term."""
        if term.low > -UNBOUNDED:
            self.defined.append(made >= self.value(term.low))
        if term.high < UNBOUNDED:
            self.defined.append(made <= self.value(term.high))

    def divided(self, name: str, above: Any, below: Any, divisor: Term, up: bool) -> Any:
        """Give above / below, rounded down or up, as a fresh number with what defines it."""
        made = self.number(name)
        product = made * below
        if up:
            rule = self.z3.And(product >= above, product < above + below)
        else:
            rule = self.z3.And(product <= above, above < product + below)
        if divisor.low > 0:
            self.defined.append(rule)
            return made
        self.defined.append(self.z3.Implies(below > 0, rule))
        if divisor.low < 0 and not up:
            turned = self.z3.And(product >= above, above > product + below)
            self.defined.append(self.z3.Implies(below < 0, turned))
        return made

    def quotient(self, term: Term, parts: list[Any]) -> Any:
        """Encode a floored quotient."""
        divisor = term.args[1]
        if not self.real and divisor.known is not None and divisor.known > 0:
            return parts[0] / parts[1]
        made = self.divided(quotient_name(term), parts[0], parts[1], divisor, False)
        self.bound(made, term)
        return made

    def rest(self, term: Term, parts: list[Any]) -> Any:
        """Encode the rest of a floored quotient."""
        divisor = term.args[1]
        if not self.real and divisor.known is not None and divisor.known > 0:
            return parts[0] % parts[1]
        made = self.divided(quotient_name(term), parts[0], parts[1], divisor, False)
        rest = parts[0] - made * parts[1]
        self.bound(rest, term)
        return rest

    def wide_quotient(self, term: Term, parts: list[Any]) -> Any:
        """Encode mul_div: the exact quotient, kept within +-QUOTIENT_MAX."""
        up = bool(term.value)
        above = parts[0] * parts[1]
        made = self.divided(f"wide.{term.number}", above, parts[2], term.args[2], up)
        most, least = self.value(QUOTIENT_MAX), self.value(-QUOTIENT_MAX)
        kept = self.z3.If(made > most, most, self.z3.If(made < least, least, made))
        self.bound(kept, term)
        return kept


def asked(
    terms: Terms,
    facts: Iterable[Term],
    goal: Term,
    timeout_ms: int,
    core: bool = True,
    real: bool = False,
    seed: int = 0,
) -> Any:
    """Ask z3 whether facts leave the goal no exception; give encoder, solver and answer."""
    encoder = Encoder(real)
    made = encoder.z3.SimpleSolver if core else encoder.z3.Solver
    solver = made(ctx=encoder.context)
    solver.set("timeout", timeout_ms)
    solver.set("random_seed", seed)
    wanted = [encoder.encoded(fact) for fact in facts]
    wanted.append(encoder.z3.Not(encoder.encoded(goal)))
    for variable in terms.variables.values():
        encoder.encoded(variable)
    wanted += encoder.defined
    if seed:
        random.Random(seed).shuffle(wanted)
    solver.add(*wanted)
    return encoder, solver, str(solver.check())


def proved(
    terms: Terms,
    goal: Term,
    facts: Iterable[Term] = (),
    timeout_ms: int = TIMEOUT_MS,
    premises: int | None = None,
) -> Answer:
    """Try to prove that a goal holds wherever the premises, the ranges and the facts do.

    `premises`: only so many of them are used, all of them if none is said.
    """
    start_s = time.perf_counter()
    facts = [*terms.premises[:premises], *relevant(goal, list(facts))]

    def answer(verdict: str, by: str, example: dict[str, int] | None = None) -> Answer:
        return Answer(verdict, time.perf_counter() - start_s, by, example or {})

    if goal.known == 1 or any(fact.known == 0 for fact in facts):
        return answer("proved", "intervals")
    for number, (core, real, seed, share) in enumerate(ATTEMPTS):
        share_ms = timeout_ms * share // 100
        encoder, solver, found = asked(terms, facts, goal, share_ms, core, real, seed)
        if found == "unsat":
            return answer("proved", "reals" if real else "integers")
        if found == "sat" and not real:
            model = solver.model()
            example = {
                name: model.eval(encoder.encoded(variable), model_completion=True).as_long()
                for name, variable in terms.variables.items()
            }
            return answer("refuted", "integers", example)
        if number == 1:
            tried = exception(terms, goal, [*terms.premises, *facts])
            if tried is not None:
                return answer("refuted", "an example", tried)
    return answer("unknown", "nothing")


def relevant(goal: Term, facts: list[Term]) -> list[Term]:
    """Leave out, of many facts, those that speak of variables that the goal does not have."""
    if len(facts) <= FACTS_MAX:
        return facts
    spoken = variables_of(goal)
    return [fact for fact in facts if variables_of(fact) <= spoken]


def variables_of(term: Term) -> set[str]:
    """Name the variables of a term."""
    return {str(part.value) for part in cone([term]) if part.op == "variable"}


def satisfiable(terms: Terms, timeout_ms: int = TIMEOUT_MS) -> bool:
    """Say whether some input meets the ranges and premises: else every claim would hold."""
    if exception(terms, terms.false, terms.premises) is not None:
        return True
    return bool(asked(terms, terms.premises, terms.false, timeout_ms)[2] == "sat")


def corners(term: Term) -> list[int]:
    """Give values of a variable that are worth a try."""
    low = max(term.low, -(2**63))
    high = min(term.high, 2**63 - 1)
    found = {low, low + 1, high, high - 1, -1, 0, 1, 2, (low + high) // 2}
    found.update(sign * 2**power for power in range(4, 63, 6) for sign in (1, -1))
    return sorted(each for each in found if low <= each <= high)


def picked(draw: random.Random, term: Term, near: list[int]) -> int:
    """Draw one value of a variable: a corner, near another value, or of any size."""
    kind = draw.randrange(4)
    low, high = max(term.low, -(2**63)), min(term.high, 2**63 - 1)
    if kind == 0:
        return draw.choice(near)
    if kind == 1:
        return draw.randint(low, high)
    value = draw.choice((1, -1)) * draw.getrandbits(draw.randint(1, 62))
    return min(max(value, low), high)


def exception(terms: Terms, goal: Term, facts: list[Term]) -> dict[str, int] | None:
    """Search for inputs that meet all facts and not the goal; give them or None."""
    draw = random.Random(1)
    near = {name: corners(variable) for name, variable in terms.variables.items()}
    tries = min(TRIES, TERMS_TRIED // len(cone([*facts, goal])) + 20)
    for _ in range(tries):
        given = {name: picked(draw, each, near[name]) for name, each in terms.variables.items()}
        found = values([*facts, goal], given)
        if all(found[each.number] for each in facts) and not found[goal.number]:
            return given
    return None
