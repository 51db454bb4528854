"""Expressions of the functions that run, as terms; what each owes to machine arithmetic.

The wide products of execution/wide.py are terms of their own (`muldiv`) or products of mathematical
integers, with the bounds of their docstrings as obligations.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, Final

from quorate.execution import wide
from quorate.formal.frames import Cells, Frame, Obligation, Unsupported, Value
from quorate.formal.hints import assume, grid, shown
from quorate.formal.terms import Term, Terms
from quorate.types.limits import INT64_MAX

INT64_MIN: Final = -(2**63)
WIDE_PRODUCT: Final = 2**124
CASTS: Final = {"int", "i8", "int64", "bool"}
COPIES: Final = {"len", "list"}
BUILTINS: Final = {"min", "max", "abs"}


@dataclass
class Expressions:
    """Translates expressions; gathers obligations and premises.

    `replaced` gives another function for (module, name): a mutated rule in place of the true one.
    `silent` modules leave no obligations: claims reason in mathematical integers. `cuts` bound what
    the intervals cannot: a name of a function, or "range", the rounds of its loops. That the bound
    holds is an obligation; then the value is read as kept within it. `contracts` stand for calls of
    a function whose range another claim shows: any number within it, the same for the same call.
    A call of a function in `split` whose last argument is one of some constants is made for each.
    """

    terms: Terms
    replaced: Mapping[tuple[str, str], FunctionType] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    wide_axioms: bool = True
    cuts: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    obligations: list[Obligation] = field(default_factory=list)
    settled: int = 0  # obligations that the intervals decided
    contracts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    split: frozenset[str] = frozenset()
    steps: list[tuple[Term, int]] = field(default_factory=list)  # and the premises before it
    arrays: list[Cells] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    # --- what is owed ----------------------------------------------------------------------------
    def call(
        self, function: Callable[..., Any], args: list[Value], guard: Term | None = None
    ) -> Value:
        """Give what a function returns for `args`; raises Unsupported."""
        raise NotImplementedError

    def refuse(self, node: ast.AST, frame: Frame, matter: str) -> Unsupported:
        """Make the refusal of a node."""
        line = getattr(node, "lineno", 1) + frame.first_line - 1
        return Unsupported(f"{frame.function.__qualname__}, line {line}: {matter}")

    def live(self, frame: Frame) -> Term:
        """Whether the frame is still executing its block."""
        return self.terms.both(frame.guard, self.terms.negated(frame.gone))

    def owe(self, node: ast.AST, frame: Frame, kind: str, holds: Term) -> None:
        """Note an obligation, unless the intervals settle it."""
        if frame.function.__module__ in self.silent:
            return
        guard = self.live(frame)
        if holds.known == 1 or guard.known == 0:
            self.settled += 1
            return
        line = getattr(node, "lineno", 1) + frame.first_line - 1
        self.obligations.append(Obligation(kind, frame.function.__qualname__, line, holds, guard))

    def fits(self, node: ast.AST, frame: Frame, term: Term) -> Term:
        """Note that a value must fit int64; give the value."""
        terms = self.terms
        low = terms.not_above(terms.constant(INT64_MIN), term)
        high = terms.not_above(term, terms.constant(INT64_MAX))
        self.owe(node, frame, "fits int64", terms.both(low, high))
        return term

    def cut(self, node: ast.AST, name: str, value: Value, frame: Frame) -> Value:
        """Keep a value within the cut of its name, if it has one, and owe that it lies there."""
        bounds = self.cuts.get((frame.function.__name__, name))
        if bounds is None or not isinstance(value, Term):
            return value
        terms = self.terms
        low, high = terms.constant(bounds[0]), terms.constant(bounds[1])
        inside = terms.both(terms.not_above(low, value), terms.not_above(value, high))
        self.owe(node, frame, f"{name} in {bounds[0]}..{bounds[1]}", inside)
        return terms.least(terms.most(value, low), high)

    # --- expressions -----------------------------------------------------------------------------
    def value(self, node: ast.expr, frame: Frame) -> Value:
        """Give the value of an expression."""
        handler = EXPRESSIONS.get(type(node))
        if handler is None:
            raise self.refuse(node, frame, f"{type(node).__name__} is outside of the subset")
        return handler(self, node, frame)

    def integer(self, node: ast.expr, frame: Frame) -> Term:
        """Give the value of an expression that must be an integer."""
        value = self.value(node, frame)
        if not isinstance(value, Term):
            raise self.refuse(node, frame, "an integer is wanted here")
        return self.terms.integer(value)

    def truth(self, node: ast.expr, frame: Frame) -> Term:
        """Give the truth of an expression."""
        value = self.value(node, frame)
        if not isinstance(value, Term):
            raise self.refuse(node, frame, "a truth is wanted here")
        return self.terms.truth(value)

    def lifted(self, value: Any) -> Value:
        """Give a Python value as a value of the translation."""
        if isinstance(value, Term | Cells | FunctionType | ModuleType):
            return value
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, bool | int):
            return self.terms.constant(value if isinstance(value, bool) else int(value))
        if isinstance(value, tuple | list):
            return tuple(self.lifted(each) for each in value)
        return value

    def array(self, cells: list[Any]) -> Cells:
        """Make an array of values."""
        array = Cells(cells)
        self.arrays.append(array)
        return array

    def of_constant(self, node: ast.Constant, frame: Frame) -> Value:
        if not isinstance(node.value, bool | int):
            raise self.refuse(node, frame, "only integers and booleans are constants")
        return self.fits(node, frame, self.terms.constant(node.value))

    def of_name(self, node: ast.Name, frame: Frame) -> Value:
        if node.id in frame.names:
            found = frame.names[node.id]
            if found is None:
                raise self.refuse(node, frame, f"{node.id} may not be bound")
            return found
        if node.id in frame.function.__globals__:
            return self.lifted(frame.function.__globals__[node.id])
        raise self.refuse(node, frame, f"{node.id} is not known")

    def of_attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        owner = self.value(node.value, frame)
        if isinstance(owner, ModuleType | type) and hasattr(owner, node.attr):
            return self.lifted(getattr(owner, node.attr))
        raise self.refuse(node, frame, f".{node.attr} is outside of the subset")

    def of_tuple(self, node: ast.Tuple, frame: Frame) -> Value:
        return tuple(self.value(each, frame) for each in node.elts)

    def of_list(self, node: ast.List, frame: Frame) -> Value:
        return self.array([self.value(each, frame) for each in node.elts])

    def of_binary(self, node: ast.BinOp, frame: Frame) -> Value:
        return self.operation(
            node, node.op, self.value(node.left, frame), self.value(node.right, frame), frame
        )

    def operation(
        self, node: ast.AST, operator: ast.operator, left: Value, right: Value, frame: Frame
    ) -> Value:
        """Apply an operator to two integers, with its obligations."""
        terms = self.terms
        if isinstance(left, Cells) and isinstance(right, Term) and right.known is not None:
            if isinstance(operator, ast.Mult):
                return self.array(left.cells * right.known)
        if not isinstance(left, Term) or not isinstance(right, Term):
            raise self.refuse(node, frame, "an operator takes integers")
        a, b = terms.integer(left), terms.integer(right)
        match operator:
            case ast.Add():
                return self.fits(node, frame, terms.add(a, b))
            case ast.Sub():
                return self.fits(node, frame, terms.sub(a, b))
            case ast.Mult():
                return self.fits(node, frame, terms.mul(a, b))
            case ast.FloorDiv() | ast.Mod():
                zero = terms.equal(b, terms.constant(0))
                self.owe(node, frame, "divisor is not zero", terms.negated(zero))
                made = terms.div if isinstance(operator, ast.FloorDiv) else terms.mod
                return self.fits(node, frame, made(a, b))
            case ast.Pow() if a.known is not None and b.known is not None and b.known >= 0:
                return self.fits(node, frame, terms.constant(int(a.known**b.known)))
            case ast.LShift() if b.known is not None and 0 <= b.known < 63:
                return self.fits(node, frame, terms.mul(a, terms.constant(1 << b.known)))
            case ast.RShift() if b.known is not None and 0 <= b.known < 63:
                return terms.div(a, terms.constant(1 << b.known))
            case ast.BitAnd() if left.boolean and right.boolean:
                return terms.both(left, right)
            case ast.BitOr() if left.boolean and right.boolean:
                return terms.either(left, right)
            case ast.BitOr() if a.known is not None and b.known is not None:
                return terms.constant(int(a.known | b.known))
        raise self.refuse(node, frame, f"{type(operator).__name__} is outside of the subset")

    def of_unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        if isinstance(node.op, ast.Not):
            return self.terms.negated(self.truth(node.operand, frame))
        value = self.integer(node.operand, frame)
        if isinstance(node.op, ast.USub):
            return self.fits(node, frame, self.terms.sub(self.terms.constant(0), value))
        raise self.refuse(node, frame, "this operator is outside of the subset")

    def of_compare(self, node: ast.Compare, frame: Frame) -> Value:
        terms = self.terms
        found = terms.true
        left = self.value(node.left, frame)
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node, frame)
            if isinstance(operator, ast.In | ast.NotIn) and isinstance(right, tuple):
                inside = self.inside(node, left, right, frame)
                wanted = inside if isinstance(operator, ast.In) else terms.negated(inside)
                found = terms.both(found, wanted)
                continue
            made = COMPARISONS.get(type(operator))
            if made is None or not isinstance(left, Term) or not isinstance(right, Term):
                raise self.refuse(node, frame, "this comparison is outside of the subset")
            if not isinstance(operator, ast.Eq | ast.NotEq):
                left, right = terms.integer(left), terms.integer(right)
            found = terms.both(found, made(terms, left, right))
            left = right
        return found

    def inside(self, node: ast.AST, left: Value, right: tuple[Value, ...], frame: Frame) -> Term:
        """Whether an integer is one of some."""
        found = self.terms.false
        for each in right:
            if not isinstance(left, Term) or not isinstance(each, Term):
                raise self.refuse(node, frame, "`in` compares integers")
            found = self.terms.either(found, self.terms.equal(left, each))
        return found

    def of_bool(self, node: ast.BoolOp, frame: Frame) -> Value:
        """Translate `and` and `or`, of which the right side is read only where it decides."""
        found = self.truth(node.values[0], frame)
        both = isinstance(node.op, ast.And)
        outer = frame.guard
        for each in node.values[1:]:
            open_still = found if both else self.terms.negated(found)
            frame.guard = self.terms.both(frame.guard, open_still)
            if frame.guard.known == 0:
                break
            right = self.truth(each, frame)
            found = self.terms.both(found, right) if both else self.terms.either(found, right)
        frame.guard = outer
        return found

    def of_choice(self, node: ast.IfExp, frame: Frame) -> Value:
        condition = self.truth(node.test, frame)
        if condition.known is not None:
            return self.value(node.body if condition.known else node.orelse, frame)
        outer = frame.guard
        frame.guard = self.terms.both(outer, condition)
        first = self.value(node.body, frame)
        frame.guard = self.terms.both(outer, self.terms.negated(condition))
        other = self.value(node.orelse, frame)
        frame.guard = outer
        return self.merged(condition, first, other)

    def row(self, node: ast.Subscript, frame: Frame) -> tuple[Value, Term]:
        """Find the array whose cell a subscript names, and the index in it."""
        array = self.value(node.value, frame)
        at = self.value(node.slice, frame)
        parts = at if isinstance(at, tuple) else (at,)
        for part in parts[:-1]:
            array = self.part(node, array, part, frame)
        if not isinstance(array, Cells | tuple) or not isinstance(parts[-1], Term):
            raise self.refuse(node, frame, "only an array is indexed, by integers")
        return array, parts[-1]

    def part(self, node: ast.AST, array: Value, at: Term, frame: Frame) -> Value:
        """Give one cell of an array, at an index that is known."""
        cells = array.cells if isinstance(array, Cells) else array
        if at.known is None:
            raise self.refuse(node, frame, "an index must be known")
        if not 0 <= at.known < len(cells):
            raise self.refuse(node, frame, f"index {at.known} is out of range")
        return cells[at.known]

    def cell(self, node: ast.Subscript, frame: Frame) -> tuple[Cells, int]:
        """Find the array and the index that is written to."""
        array, at = self.row(node, frame)
        self.part(node, array, at, frame)
        if not isinstance(array, Cells) or at.known is None:
            raise self.refuse(node, frame, "this array is constant")
        return array, at.known

    def of_subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        array, at = self.row(node, frame)
        if at.known is None:
            return self.looked_up(node, array, at, frame)
        return self.part(node, array, at, frame)

    def looked_up(self, node: ast.AST, array: Value, at: Term, frame: Frame) -> Term:
        """Read a short array at an index that is not known, as a chain of choices."""
        terms = self.terms
        cells = array.cells if isinstance(array, Cells) else array
        if len(cells) > 256:
            raise self.refuse(node, frame, "an array read at an unknown index is too long")
        low = terms.not_above(terms.constant(0), at)
        high = terms.less(at, terms.constant(len(cells)))
        self.owe(node, frame, "index in range", terms.both(low, high))
        found = cells[-1]
        for number in range(len(cells) - 2, -1, -1):
            here = terms.equal(at, terms.constant(number))
            found = terms.chosen(here, cells[number], found)
        assert isinstance(found, Term)
        return found

    def of_call(self, node: ast.Call, frame: Frame) -> Value:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if node.keywords:
            raise self.refuse(node, frame, "keyword arguments are outside of the subset")
        own = frame.names.get(name, frame.function.__globals__.get(name))
        if own is grid:
            return self.value(node.args[0], frame)
        if own in (assume, shown):
            return self.hint(name, node, frame)
        if name in COPIES or name in BUILTINS or name in CASTS:
            return self.builtin(name, node, frame)
        function = self.value(node.func, frame)
        if not callable(function):
            raise self.refuse(node, frame, f"{name} is no function")
        args = [self.value(arg, frame) for arg in node.args]
        plain = inspect.unwrap(function)
        if self.wide_axioms and getattr(plain, "__module__", "") == wide.__name__:
            axiom = WIDE.get(plain.__name__)
            if axiom is not None and (plain.__module__, plain.__name__) not in self.replaced:
                return axiom(self, node, args, frame)
        if plain.__name__ in self.contracts:
            return self.contracted(plain.__name__, args)
        if plain.__name__ in self.split:
            return self.called_split(function, args[:-1], args[-1], frame)
        return self.called(function, args, frame)

    def called_split(
        self, function: Callable[..., Any], args: list[Value], last: Term, frame: Frame
    ) -> Value:
        """Call a function for each constant that its last argument may be."""
        if last.op != "if":
            return self.called(function, [*args, last], frame)
        condition, first, other = last.args
        return self.merged(
            condition,
            self.called_split(function, args, first, frame),
            self.called_split(function, args, other, frame),
        )

    def contracted(self, name: str, args: list[Value]) -> Term:
        """Give the number that stands for a call."""
        call = f"{name}({', '.join(str(arg.number) for arg in args)})"
        found = self.terms.variables.get(call)
        return found or self.terms.variable(call, *self.contracts[name])

    def called(self, function: Callable[..., Any], args: list[Value], frame: Frame) -> Value:
        """Call a function; where the caller is gone it writes nothing."""
        here = self.terms.negated(frame.gone)
        before = [(array, list(array.cells)) for array in self.arrays]
        found = self.call(function, args, self.live(frame))
        if here.known is None:
            for array, old in before:
                self.merge_cells(here, array, array.cells, old)
        return found

    def merge_cells(self, condition: Term, array: Cells, new: list[Any], old: list[Any]) -> None:
        """Let an array be `new` where the condition holds, else `old`."""
        if new == old:
            array.cells[:] = new
            return
        pairs = zip(new, old, strict=True)
        array.cells[:] = [a if a is b else self.merged(condition, a, b) for a, b in pairs]

    def merged(self, condition: Term, a: Value, b: Value) -> Value:
        """a where the condition holds, else b; a value that only one branch has is that one."""
        if a is None or b is None or a is b:
            return b if a is None else a
        if condition.known is not None:
            return a if condition.known else b
        if isinstance(a, Term) and isinstance(b, Term):
            return self.terms.chosen(condition, a, b)
        if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
            return tuple(self.merged(condition, x, y) for x, y in zip(a, b, strict=True))
        raise Unsupported("two branches leave values of different kinds")

    def hint(self, name: str, node: ast.Call, frame: Frame) -> Term:
        """Take a premise, or a step, from a claim."""
        terms = self.terms
        holds = self.truth(node.args[0], frame)
        fact = terms.either(terms.negated(self.live(frame)), holds)
        if name == "assume":
            terms.assume(fact)
        else:
            self.steps.append((fact, len(terms.premises)))
        return terms.true

    def builtin(self, name: str, node: ast.Call, frame: Frame) -> Value:
        """Apply a function of Python or a cast."""
        terms = self.terms
        args = [self.value(arg, frame) for arg in node.args]
        if name == "len":
            return terms.constant(len(args[0] if isinstance(args[0], tuple) else args[0].cells))
        if name == "list":
            return self.array(list(args[0] if isinstance(args[0], tuple) else args[0].cells))
        if name == "bool":
            return terms.truth(args[0])
        if not all(isinstance(arg, Term) for arg in args):
            raise self.refuse(node, frame, f"{name} takes integers")
        if name in CASTS:
            return terms.integer(args[0])
        found = terms.integer(args[0])
        if name == "abs":
            return self.fits(node, frame, terms.absolute(found))
        for each in args[1:]:
            made = terms.least if name == "min" else terms.most
            found = made(found, terms.integer(each))
        return found

    def wide_bounds(
        self, node: ast.AST, a: Term, b: Term, frame: Frame, first_signed: bool
    ) -> None:
        """Note the bounds of a wide product."""
        terms = self.terms
        zero = terms.constant(0)
        self.owe(node, frame, "a wide factor is not negative", terms.not_above(zero, b))
        least = terms.constant(-INT64_MAX) if first_signed else zero
        self.owe(node, frame, "a wide factor is in range", terms.not_above(least, a))
        product = terms.mul(a, b)
        low = terms.less(terms.constant(-WIDE_PRODUCT), product)
        high = terms.less(product, terms.constant(WIDE_PRODUCT))
        self.owe(node, frame, "a wide product is below 2**124", terms.both(low, high))

    def wide_quotient(self, node: ast.AST, args: list[Value], up: bool, frame: Frame) -> Term:
        a, b, c = (self.terms.integer(arg) for arg in args)
        self.wide_bounds(node, a, b, frame, True)
        divisor = self.terms.less(self.terms.constant(0), c)
        self.owe(node, frame, "a wide divisor is positive", divisor)
        return self.terms.mul_div(a, b, c, up)

    def wide_order(self, node: ast.AST, args: list[Value], signed: bool, frame: Frame) -> Term:
        a, b, c, d = (self.terms.integer(arg) for arg in args)
        self.wide_bounds(node, a, b, frame, signed)
        self.wide_bounds(node, c, d, frame, signed)
        return self.terms.not_above(self.terms.mul(a, b), self.terms.mul(c, d))


Handler = Callable[[Any, Any, Frame], Value]
EXPRESSIONS: Final[dict[type[ast.expr], Handler]] = {
    ast.Constant: Expressions.of_constant,
    ast.Name: Expressions.of_name,
    ast.Attribute: Expressions.of_attribute,
    ast.Tuple: Expressions.of_tuple,
    ast.List: Expressions.of_list,
    ast.BinOp: Expressions.of_binary,
    ast.UnaryOp: Expressions.of_unary,
    ast.Compare: Expressions.of_compare,
    ast.BoolOp: Expressions.of_bool,
    ast.IfExp: Expressions.of_choice,
    ast.Subscript: Expressions.of_subscript,
    ast.Call: Expressions.of_call,
}
COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Terms, Term, Term], Term]]] = {
    ast.Lt: Terms.less,
    ast.LtE: Terms.not_above,
    ast.Gt: lambda terms, a, b: terms.less(b, a),
    ast.GtE: lambda terms, a, b: terms.not_above(b, a),
    ast.Eq: Terms.equal,
    ast.NotEq: lambda terms, a, b: terms.negated(terms.equal(a, b)),
}
WIDE: Final[dict[str, Callable[[Any, ast.AST, list[Value], Frame], Term]]] = {
    "mul_div_floor": lambda self, node, args, frame: self.wide_quotient(node, args, False, frame),
    "mul_div_ceil": lambda self, node, args, frame: self.wide_quotient(node, args, True, frame),
    "sizes_in_order": lambda self, node, args, frame: self.wide_order(node, args, False, frame),
    "products_in_order": lambda self, node, args, frame: self.wide_order(node, args, True, frame),
}
