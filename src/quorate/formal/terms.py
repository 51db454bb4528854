"""Integer and boolean terms with intervals: what the translator builds and the solver reads.

Terms are shared (one object for one expression) and hold an interval that contains every value
they can take where the ranges and premises of their `Terms` hold. Constants are folded, and so are
comparisons that the intervals decide: most claims about overflow never reach the solver. The
integers are mathematical ones; that a value fits int64 is an obligation of its own.

A quotient is floored, as Python's and the kernels'. A `muldiv` is mul_div of execution/wide.py as
its docstring states it: exact, then kept within +-QUOTIENT_MAX.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from quorate.types.limits import QUOTIENT_MAX

# A bound at or beyond WIDEST stands for none; nothing finite that is met comes near it.
WIDEST: Final = 2**1000
UNBOUNDED: Final = 2**2000
BOOLEANS: Final = {"lt", "le", "eq", "not", "and", "or", "flag"}


class Term:
    """One expression. `op` names it, `args` are its parts, `value` a constant or a name."""

    __slots__ = ("args", "high", "low", "number", "op", "value")

    def __init__(
        self, number: int, op: str, args: tuple["Term", ...], value: int | str, low: int, high: int
    ) -> None:
        self.number = number
        self.op = op
        self.args = args
        self.value = value
        self.low = -UNBOUNDED if low <= -WIDEST else low
        self.high = UNBOUNDED if high >= WIDEST else high

    @property
    def boolean(self) -> bool:
        """Whether it is true or false instead of an integer."""
        return self.op in BOOLEANS or (self.op == "if" and self.args[1].boolean)

    @property
    def known(self) -> int | None:
        """Its only value, or None."""
        return self.low if self.low == self.high else None


def floor_div(a: int, b: int) -> int:
    """Floored quotient; of a division by zero 0, which an obligation excludes."""
    return a // b if b else 0


def mul_div_exact(a: int, b: int, c: int, up: int) -> int:
    """mul_div as its docstring states it; 0 for a division by zero."""
    if c == 0:
        return 0
    quotient = -(-(a * b) // c) if up else a * b // c
    return max(-QUOTIENT_MAX, min(QUOTIENT_MAX, quotient))


def product_bounds(a: Term, b: Term) -> tuple[int, int]:
    """Interval of a product."""
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    low, high = min(ends), max(ends)
    return (max(low, 0) if a is b else low), high


def quotient_bounds(low: int, high: int, b: Term) -> tuple[int, int]:
    """Interval of a floored quotient of [low, high] by `b`."""
    divisors = [end for end in (b.low, b.high, -1, 1) if end and b.low <= end <= b.high]
    if not divisors:
        return 0, 0
    ends = [x // y for x in (low, high) for y in divisors]
    if b.low <= 0 <= b.high:
        ends.append(0)
    return min(ends), max(ends)


class Terms:
    """A store of terms that share the ranges of their variables and their premises."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, tuple[int, ...], int | str], Term] = {}
        self.variables: dict[str, Term] = {}
        self.premises: list[Term] = []
        self.held: dict[int, bool] = {}  # what the premises say of conditions, by number
        self.true = self.constant(True)
        self.false = self.constant(False)

    def made(
        self, op: str, args: tuple[Term, ...], bounds: tuple[int, int], value: int | str = 0
    ) -> Term:
        """Give the one term of this expression."""
        key = (op, tuple(arg.number for arg in args), value)
        term = self.found.get(key)
        if term is None:
            term = Term(len(self.found), op, args, value, *bounds)
            self.found[key] = term
        return term

    # --- leaves ----------------------------------------------------------------------------------
    def constant(self, value: int) -> Term:
        """Give a constant, integer or boolean."""
        op = "flag" if isinstance(value, bool) else "constant"
        return self.made(op, (), (int(value), int(value)), int(value))

    def variable(self, name: str, low: int = -UNBOUNDED, high: int = UNBOUNDED) -> Term:
        """Give a new integer within [low, high]; raises ValueError where the name is taken."""
        if name in self.variables:
            raise ValueError(f"the variable {name} is there already")
        term = self.made("variable", (), (low, high), name)
        self.variables[name] = term
        return term

    # --- integers --------------------------------------------------------------------------------
    def integer(self, a: Term) -> Term:
        """Give a boolean as 0 or 1, an integer as it is."""
        return self.chosen(a, self.constant(1), self.constant(0)) if a.boolean else a

    def add(self, a: Term, b: Term) -> Term:
        """Sum."""
        if a.known == 0:
            return b
        if b.known == 0:
            return a
        return self.folded("add", (a, b), (a.low + b.low, a.high + b.high))

    def sub(self, a: Term, b: Term) -> Term:
        """Difference."""
        if b.known == 0:
            return a
        if a is b:
            return self.constant(0)
        return self.folded("sub", (a, b), (a.low - b.high, a.high - b.low))

    def mul(self, a: Term, b: Term) -> Term:
        """Product."""
        if a.known == 1:
            return b
        if b.known == 1:
            return a
        if a.number > b.number:
            a, b = b, a
        return self.folded("mul", (a, b), product_bounds(a, b))

    def div(self, a: Term, b: Term) -> Term:
        """Floored quotient."""
        if b.known == 1:
            return a
        return self.folded("div", (a, b), quotient_bounds(a.low, a.high, b))

    def mod(self, a: Term, b: Term) -> Term:
        """Rest of the floored quotient, with the divisor's sign."""
        low = min(b.low + 1, 0)
        high = max(b.high - 1, 0)
        if b.low > 0 and a.low >= 0:
            if a.high < b.low:
                return a
            high = min(high, a.high)
        if a.known is not None and b.known is not None:
            rest = a.known - floor_div(a.known, b.known) * b.known
            low, high = rest, rest
        return self.folded("mod", (a, b), (low, high))

    def mul_div(self, a: Term, b: Term, c: Term, up: bool) -> Term:
        """a * b / c as execution/wide.py states it."""
        low, high = product_bounds(a, b)
        if up:
            low, high = quotient_bounds(-high, -low, c)
            low, high = -high, -low
        else:
            low, high = quotient_bounds(low, high, c)
        low, high = max(low, -QUOTIENT_MAX), min(high, QUOTIENT_MAX)
        low, high = min(low, QUOTIENT_MAX), max(high, -QUOTIENT_MAX)
        if all(part.known is not None for part in (a, b, c)):
            low = high = mul_div_exact(a.low, b.low, c.low, up)
        return self.folded("muldiv", (a, b, c), (low, high), int(up))

    def absolute(self, a: Term) -> Term:
        """Absolute value."""
        if a.low >= 0:
            return a
        return self.chosen(self.less(a, self.constant(0)), self.sub(self.constant(0), a), a)

    def least(self, a: Term, b: Term) -> Term:
        """Smaller of two."""
        return self.chosen(self.not_above(a, b), a, b)

    def most(self, a: Term, b: Term) -> Term:
        """Larger of two."""
        return self.chosen(self.not_above(a, b), b, a)

    def folded(
        self, op: str, args: tuple[Term, ...], bounds: tuple[int, int], value: int | str = 0
    ) -> Term:
        """Give the term, or a constant where it can only be that."""
        if bounds[0] == bounds[1] and abs(bounds[0]) < WIDEST:
            return self.constant(bounds[0])
        return self.made(op, args, bounds, value)

    # --- booleans --------------------------------------------------------------------------------
    def truth(self, a: Term) -> Term:
        """Whether an integer is not zero; a boolean as it is, or as a premise says."""
        found = a if a.boolean else self.negated(self.equal(a, self.constant(0)))
        held = self.held.get(found.number)
        return found if held is None else self.constant(held)

    def less(self, a: Term, b: Term) -> Term:
        """a < b."""
        if a.high < b.low:
            return self.true
        if a.low >= b.high or a is b:
            return self.false
        return self.made("lt", (a, b), (0, 1))

    def not_above(self, a: Term, b: Term) -> Term:
        """a <= b."""
        if a.high <= b.low or a is b:
            return self.true
        if a.low > b.high:
            return self.false
        return self.made("le", (a, b), (0, 1))

    def equal(self, a: Term, b: Term) -> Term:
        """a == b, of two integers or two booleans."""
        if a.boolean != b.boolean:
            a, b = self.integer(a), self.integer(b)
        if a is b:
            return self.true
        if a.high < b.low or b.high < a.low:
            return self.false
        if a.known is not None and a.known == b.known:
            return self.true
        return self.made("eq", (a, b), (0, 1))

    def negated(self, a: Term) -> Term:
        """Not a."""
        if a.known is not None:
            return self.constant(not a.known)
        if a.op == "not":
            return a.args[0]
        if a.op == "lt":
            return self.not_above(a.args[1], a.args[0])
        if a.op == "le":
            return self.less(a.args[1], a.args[0])
        return self.made("not", (a,), (0, 1))

    def both(self, a: Term, b: Term) -> Term:
        """a and b."""
        if a.known == 0 or b.known == 0:
            return self.false
        if a.known == 1 or a is b:
            return b
        if b.known == 1:
            return a
        return self.made("and", (a, b), (0, 1))

    def either(self, a: Term, b: Term) -> Term:
        """a or b."""
        if a.known == 1 or b.known == 1:
            return self.true
        if a.known == 0 or a is b:
            return b
        if b.known == 0:
            return a
        return self.made("or", (a, b), (0, 1))

    def chosen(self, condition: Term, a: Term, b: Term) -> Term:
        """a where the condition holds, else b."""
        if condition.known is not None:
            return a if condition.known else b
        if a is b:
            return a
        if a.boolean != b.boolean:
            a, b = self.integer(a), self.integer(b)
        if a.boolean and a.known == 1 and b.known == 0:
            return condition
        if a.boolean and a.known == 0 and b.known == 1:
            return self.negated(condition)
        where, other = bounds_where(condition, a, True), bounds_where(condition, b, False)
        bounds = min(where[0], other[0]), max(where[1], other[1])
        return self.made("if", (condition, a, b), bounds)

    # --- premises --------------------------------------------------------------------------------
    def assume(self, premise: Term) -> None:
        """Let a premise hold everywhere. A bound by constants narrows the interval it bounds."""
        if premise.op == "and":
            for part in premise.args:
                self.assume(part)
            return
        self.premises.append(premise)
        self.held[premise.number] = True
        self.held[self.negated(premise).number] = False
        if premise.op not in {"lt", "le", "eq"} or premise.args[0].boolean:
            return
        a, b = premise.args
        step = 1 if premise.op == "lt" else 0
        if a.op not in {"constant", "flag"}:
            a.high = min(a.high, b.high - step)
            a.low = max(a.low, b.low) if premise.op == "eq" else a.low
        if b.op not in {"constant", "flag"}:
            b.low = max(b.low, a.low + step)
            b.high = min(b.high, a.high) if premise.op == "eq" else b.high


def bounds_where(condition: Term, term: Term, holds: bool) -> tuple[int, int]:
    """Interval of a term where a condition holds, or does not, if it compares that very term."""
    low, high = term.low, term.high
    if condition.op not in {"lt", "le"}:
        return low, high
    left, right = condition.args if holds else condition.args[::-1]
    strict = 1 if (condition.op == "lt") == holds else 0
    if term is left:
        high = min(high, right.high - strict)
    if term is right:
        low = max(low, left.low + strict)
    return (low, high) if low <= high else (term.low, term.high)


def cone(terms: Iterable[Term]) -> list[Term]:
    """List everything that some terms are made of, parts first."""
    found: dict[int, Term] = {}
    waiting = list(terms)
    while waiting:
        term = waiting.pop()
        if term.number not in found:
            found[term.number] = term
            waiting.extend(term.args)
    return [found[number] for number in sorted(found)]


def values(terms: Iterable[Term], given: Mapping[str, int]) -> dict[int, int]:
    """Evaluate terms for given variables, in plain Python; by the number of each term."""
    out: dict[int, int] = {}
    for term in cone(terms):
        parts = [out[arg.number] for arg in term.args]
        match term.op:
            case "constant" | "flag":
                value = int(term.value)
            case "variable":
                value = given[str(term.value)]
            case "add":
                value = parts[0] + parts[1]
            case "sub":
                value = parts[0] - parts[1]
            case "mul":
                value = parts[0] * parts[1]
            case "div":
                value = floor_div(parts[0], parts[1])
            case "mod":
                value = parts[0] - floor_div(parts[0], parts[1]) * parts[1]
            case "muldiv":
                value = mul_div_exact(parts[0], parts[1], parts[2], int(term.value))
            case "if":
                value = parts[1] if parts[0] else parts[2]
            case _:
                value = int(bool(TRUTHS[term.op](*parts)))
        out[term.number] = value
    return out


TRUTHS: Final[dict[str, Callable[..., object]]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "not": lambda a: not a,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
}
