"""Translate the functions that run into terms: their syntax trees, executed over terms.

Branches are merged by if-then-else, loops with a known or bounded count are unrolled, calls are
followed. Every arithmetic operation leaves an obligation *fits int64*, every division *divisor is
not zero*; an index that is not known must lie in its array. What lies outside of the subset is
refused with its place, so that this is also a checker of the language of the kernels.

An array is a list of terms, written in place; what a branch writes to one is merged cell by cell.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from quorate.formal.expressions import Expressions
from quorate.formal.frames import Frame, Unsupported, Value
from quorate.formal.terms import Term

ROUNDS_MAX: Final = 4096  # of one loop
CALLS_MAX: Final = 40  # inside one another


@functools.cache
def parsed(function: FunctionType) -> tuple[ast.FunctionDef, int]:
    """Parse the source of a function; give its tree and the line where it starts."""
    lines, first_line = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise Unsupported(f"{function.__qualname__} is no plain function")
    return tree, first_line


def loaded(target: ast.expr) -> ast.expr:
    """Give the expression that reads what a target writes."""
    copy = ast.parse(ast.unparse(target), mode="eval").body
    for node in ast.walk(copy):
        ast.copy_location(node, target)
    return copy


class Translator(Expressions):
    """Translates calls of functions, statement by statement."""

    # --- calls -----------------------------------------------------------------------------------
    def call(
        self, function: Callable[..., Any], args: list[Value], guard: Term | None = None
    ) -> Value:
        """Give what a function returns for `args`; raises Unsupported."""
        guard = self.terms.true if guard is None else guard
        plain = inspect.unwrap(function)
        if not isinstance(plain, FunctionType):
            raise Unsupported(f"{function!r} is no function of the subset")
        plain = self.replaced.get((plain.__module__, plain.__name__), plain)
        self.calls.append(plain.__qualname__)
        if len(self.calls) > CALLS_MAX:
            raise Unsupported(f"{plain.__qualname__}: calls nest too deeply")
        tree, first_line = parsed(plain)
        names = [arg.arg for arg in tree.args.args]
        defaults = plain.__defaults__ or ()
        given = list(args)
        if len(given) + len(defaults) >= len(names) > len(given):
            given += [self.lifted(each) for each in defaults[len(given) - len(names) :]]
        if len(given) != len(names):
            raise Unsupported(f"{plain.__qualname__} takes {len(names)} arguments, got {len(args)}")
        no = self.terms.false
        frame = Frame(plain, dict(zip(names, given, strict=True)), guard, no, no, no)
        frame.first_line = first_line
        self.block(tree.body, frame)
        self.calls.pop()
        return frame.value

    # --- statements ------------------------------------------------------------------------------
    def block(self, body: list[ast.stmt], frame: Frame) -> None:
        """Execute statements until none can still be reached."""
        for node in body:
            if self.live(frame).known == 0:
                return
            handler = STATEMENTS.get(type(node))
            if handler is None:
                raise self.refuse(node, frame, f"{type(node).__name__} is outside of the subset")
            handler(self, node, frame)

    def leave(self, frame: Frame) -> Term:
        """Where the frame is executing now, it is gone; give that condition."""
        here = self.terms.negated(frame.gone)
        frame.gone = self.terms.true
        return here

    def do_return(self, node: ast.Return, frame: Frame) -> None:
        value = None if node.value is None else self.value(node.value, frame)
        here = self.terms.both(self.terms.negated(frame.gone), self.terms.negated(frame.returned))
        if value is not None:
            before = frame.value
            frame.value = value if before is None else self.merged(here, value, before)
        frame.returned = self.terms.either(frame.returned, here)
        self.leave(frame)

    def do_break(self, node: ast.Break, frame: Frame) -> None:
        frame.broken = self.terms.either(frame.broken, self.leave(frame))

    def do_continue(self, node: ast.Continue, frame: Frame) -> None:
        self.leave(frame)

    def do_pass(self, node: ast.Pass, frame: Frame) -> None:
        pass

    def do_expr(self, node: ast.Expr, frame: Frame) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value, frame)

    def do_assert(self, node: ast.Assert, frame: Frame) -> None:
        self.owe(node, frame, "assertion", self.truth(node.test, frame))

    def do_assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self.value(node.value, frame)
        for target in node.targets:
            self.store(target, value, frame)

    def do_ann_assign(self, node: ast.AnnAssign, frame: Frame) -> None:
        if node.value is not None:
            self.store(node.target, self.value(node.value, frame), frame)

    def do_aug_assign(self, node: ast.AugAssign, frame: Frame) -> None:
        before = self.value(ast.copy_location(loaded(node.target), node), frame)
        self.store(
            node.target,
            self.operation(node, node.op, before, self.value(node.value, frame), frame),
            frame,
        )

    def store(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Bind a name, or write a cell."""
        if isinstance(target, ast.Name):
            value = self.cut(target, target.id, value, frame)
            # Who has returned reads no names; who has left a round of a loop does.
            if frame.gone is not frame.returned:
                here = self.terms.negated(frame.gone)
                value = self.merged(here, value, frame.names.get(target.id))
            frame.names[target.id] = value
            return
        if isinstance(target, ast.Tuple) and isinstance(value, tuple):
            for part, each in zip(target.elts, value, strict=True):
                self.store(part, each, frame)
            return
        if isinstance(target, ast.Subscript):
            cells, at = self.cell(target, frame)
            here = self.terms.negated(frame.gone)
            cells.cells[at] = self.merged(here, value, cells.cells[at])
            return
        raise self.refuse(target, frame, "this target is outside of the subset")

    def do_if(self, node: ast.If, frame: Frame) -> None:
        condition = self.truth(node.test, frame)
        if condition.known is not None:
            self.block(node.body if condition.known else node.orelse, frame)
            return
        self.fork(condition, node.body, node.orelse, frame)

    def fork(
        self, condition: Term, body: list[ast.stmt], orelse: list[ast.stmt], frame: Frame
    ) -> None:
        """Execute both branches and merge what they leave."""
        terms = self.terms
        cells = [list(array.cells) for array in self.arrays]
        arrays = len(self.arrays)
        first = Frame(**{**frame.__dict__, "names": dict(frame.names)})
        first.guard = terms.both(frame.guard, condition)
        self.block(body, first)
        after = [list(array.cells) for array in self.arrays[:arrays]]
        for array, old in zip(self.arrays, cells, strict=False):
            array.cells[:] = old
        other = Frame(**{**frame.__dict__, "names": dict(frame.names)})
        other.guard = terms.both(frame.guard, terms.negated(condition))
        self.block(orelse, other)
        for array, new in zip(self.arrays[:arrays], after, strict=True):
            self.merge_cells(condition, array, new, list(array.cells))
        for part in ("gone", "returned", "broken"):
            merged = terms.chosen(condition, getattr(first, part), getattr(other, part))
            setattr(frame, part, merged)
        frame.value = self.merged(condition, first.value, other.value)
        if first.returned.known == 1:
            frame.names = other.names
        elif other.returned.known == 1:
            frame.names = first.names
        else:
            frame.names = {
                name: self.merged(condition, first.names.get(name), other.names.get(name))
                for name in {**first.names, **other.names}
            }

    def do_for(self, node: ast.For, frame: Frame) -> None:
        if isinstance(node.iter, ast.Tuple):
            for each in self.value(node.iter, frame):
                self.store(node.target, each, frame)
                self.block(node.body, frame)
            return
        if not isinstance(node.iter, ast.Call) or not isinstance(node.target, ast.Name):
            raise self.refuse(node, frame, "only range() is iterated")
        named = getattr(node.iter.func, "id", "")
        if named not in {"range", "prange"} or node.orelse:
            raise self.refuse(node, frame, "only range() is iterated")
        bounds = [self.integer(arg, frame) for arg in node.iter.args]
        step = bounds[2].known if len(bounds) == 3 else 1
        start = bounds[0].known if len(bounds) > 1 else 0
        stop = bounds[1] if len(bounds) > 1 else bounds[0]
        stop = self.cut(node, "range", stop, frame)
        if step is None or start is None or step == 0 or (step < 0 and stop.known is None):
            raise self.refuse(node, frame, "a loop needs a known start and step")
        if not 0 <= (stop.high - start) // step < ROUNDS_MAX and stop.high > start:
            raise self.refuse(node, frame, "a loop needs a bound")
        around, gone = frame.broken, frame.gone
        frame.broken = self.terms.false
        for number in range(start, stop.high, step):
            count = self.terms.constant(number)
            inside = self.terms.less(count, stop) if step > 0 else self.terms.true
            if not self.round(inside, node, {node.target.id: count}, gone, frame):
                break
        frame.broken = around
        frame.gone = self.terms.either(gone, frame.returned)

    def do_while(self, node: ast.While, frame: Frame) -> None:
        around, gone = frame.broken, frame.gone
        frame.broken = self.terms.false
        for _ in range(ROUNDS_MAX):
            inside = self.truth(node.test, frame)
            if not self.round(inside, node, {}, gone, frame):
                break
        else:
            raise self.refuse(node, frame, f"a loop of more than {ROUNDS_MAX} rounds")
        frame.broken = around
        frame.gone = self.terms.either(gone, frame.returned)

    def round(
        self,
        inside: Term,
        node: ast.For | ast.While,
        names: dict[str, Value],
        gone: Term,
        frame: Frame,
    ) -> bool:
        """Execute one round where `inside` holds; say whether another may follow.

        `gone`: where the frame was gone before the loop.
        """
        terms = self.terms
        if inside.known == 0 or self.live(frame).known == 0:
            return False
        frame.names.update(names)
        if inside.known == 1:
            self.block(node.body, frame)
        else:
            self.fork(inside, node.body, [ast.Break()], frame)
        # `continue` ends with the round; a return and a break stay.
        frame.gone = terms.either(gone, terms.either(frame.returned, frame.broken))
        return frame.gone.known != 1


STATEMENTS: Final[dict[type[ast.stmt], Callable[[Translator, Any, Frame], None]]] = {
    ast.Return: Translator.do_return,
    ast.Break: Translator.do_break,
    ast.Continue: Translator.do_continue,
    ast.Pass: Translator.do_pass,
    ast.Expr: Translator.do_expr,
    ast.Assert: Translator.do_assert,
    ast.Assign: Translator.do_assign,
    ast.AnnAssign: Translator.do_ann_assign,
    ast.AugAssign: Translator.do_aug_assign,
    ast.If: Translator.do_if,
    ast.For: Translator.do_for,
    ast.While: Translator.do_while,
}
