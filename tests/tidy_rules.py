"""The house rules as functions over a syntax tree. tests/test_tidy.py applies and tests them.

A rule takes a parsed file and yields (line, sentence); the sentence names the replacement.
"""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

Finding = tuple[int, str]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

FUNCTION_LINES_MAX = 70

PASS_IT_IN = "take it from the event (step(now_ms, event)) or as an argument"
AS_EFFECT = "return an effect and let runtime do it"
WORLD_MODULES = {
    **dict.fromkeys(("time", "datetime", "calendar"), f"a clock: {PASS_IT_IN}"),
    **dict.fromkeys(("random", "secrets", "uuid"), f"randomness: {PASS_IT_IN}"),
    **dict.fromkeys(("socket", "ssl", "select", "selectors", "http", "urllib"), AS_EFFECT),
    **dict.fromkeys(("threading", "asyncio", "concurrent", "multiprocessing", "queue"), AS_EFFECT),
    **dict.fromkeys(("subprocess", "signal", "logging", "warnings"), AS_EFFECT),
}
FILE_MODULES = dict.fromkeys(
    ("os", "pathlib", "shutil", "tempfile", "glob", "mmap", "fcntl"),
    f"bytes in, bytes out: {AS_EFFECT}",
)
FILE_CALLS = {"open": FILE_MODULES["os"], "input": FILE_MODULES["os"]}

PROCESS_CALLS = {
    "hash": "differs between processes: use sha256 from crypto, or the key itself",
    "id": "differs between processes: use an id from types",
}
BROAD_ERRORS = {"Exception", "BaseException"}

INTEGERS = "use a scaled integer (types)"
NAMED_ROUNDING = "use // or mul_div_floor / mul_div_ceil, which name the rounding"
MATH_OF_INTEGERS = {"isqrt", "gcd", "lcm", "comb", "perm", "factorial"}
FLOAT_ATTRIBUTES = {"float16", "float32", "float64", "longdouble", "true_divide"}
FLOAT_DTYPE = re.compile(r"[<>=|]?f(2|4|8)")

SET_TYPES = {"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}
SET_OPERATORS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
TAKES_ORDER = {"list", "tuple", "enumerate", "iter", "next", "zip", "map", "filter", "join"}
TAKES_ORDER |= {"extend", "fromkeys", "array", "fromiter"}
FORGETS_ORDER = {"sorted", "sum", "min", "max", "any", "all", "set", "frozenset", "len"}


class Source:
    """A parsed file, its nodes sorted by kind: one walk serves all rules."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.kinds: dict[type[ast.AST], list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            self.kinds.setdefault(type(node), []).append(node)

    def of(self, *kinds: type[ast.AST]) -> Iterator[Any]:
        for kind in kinds:
            yield from self.kinds.get(kind, [])


Rule = Callable[[Source], Iterator[Finding]]


def called_name(node: ast.expr) -> str:
    """Give the last name of what is called: f in f(), join in ",".join()."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def imported_modules(source: Source) -> Iterator[tuple[int, str]]:
    """List (line, dotted module) for each absolute import, wherever it stands."""
    for node in source.of(ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    for node in source.of(ast.ImportFrom):
        if node.level == 0:
            yield node.lineno, node.module


def banned_imports(source: Source, banned: dict[str, str]) -> Iterator[Finding]:
    """Refuse modules by their first name."""
    for line, module in imported_modules(source):
        remedy = banned.get(module.split(".")[0])
        if remedy:
            yield line, f"import of {module}: {remedy}"


def calls(source: Source, remedies: dict[str, str]) -> Iterator[Finding]:
    """Refuse calls of builtins by name."""
    for node in source.of(ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in remedies:
            yield node.lineno, f"{node.func.id}(): {remedies[node.func.id]}"


def world(source: Source) -> Iterator[Finding]:
    """Refuse clocks, randomness, sockets, threads and coroutines."""
    yield from banned_imports(source, WORLD_MODULES)
    for node in source.of(ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith):
        yield node.lineno, f"async code: {AS_EFFECT}"
    for node in source.of(ast.Attribute):
        if node.attr == "random" and called_name(node.value) in {"np", "numpy"}:
            yield node.lineno, f"np.random: {WORLD_MODULES['random']}"


def files(source: Source) -> Iterator[Finding]:
    """Refuse the file system and the environment."""
    yield from banned_imports(source, FILE_MODULES)
    yield from calls(source, FILE_CALLS)


def floats(source: Source) -> Iterator[Finding]:
    """Refuse whatever makes or names a float."""
    for node in source.of(ast.Constant):
        if isinstance(node.value, float | complex):
            yield node.lineno, f"float literal {node.value}: {INTEGERS}"
        elif isinstance(node.value, str) and FLOAT_DTYPE.fullmatch(node.value):
            yield node.lineno, f"float dtype '{node.value}': {INTEGERS}"
    for node in source.of(ast.BinOp, ast.AugAssign):
        if isinstance(node.op, ast.Div):
            yield node.lineno, f"true division: {NAMED_ROUNDING}"
    for node in source.of(ast.Name):
        if node.id in {"float", "complex"}:
            yield node.lineno, f"{node.id}: {INTEGERS}"
    for node in source.of(ast.Attribute):
        if node.attr in FLOAT_ATTRIBUTES:
            yield node.lineno, f"{node.attr}: {INTEGERS}"
        elif called_name(node.value) == "math" and node.attr not in MATH_OF_INTEGERS:
            yield node.lineno, f"math.{node.attr}: use fixed-point integer code"
    for node in source.of(ast.ImportFrom):
        for alias in node.names if node.module == "math" else []:
            if alias.name not in MATH_OF_INTEGERS:
                yield node.lineno, f"math.{alias.name}: use fixed-point integer code"


def prints(source: Source) -> Iterator[Finding]:
    """Refuse print."""
    yield from calls(source, {"print": "return the text; only cli prints"})


def process_values(source: Source) -> Iterator[Finding]:
    """Refuse values that differ from process to process."""
    yield from calls(source, PROCESS_CALLS)


def broad_excepts(source: Source) -> Iterator[Finding]:
    """Refuse handlers that would swallow our own bugs."""
    for node in source.of(ast.ExceptHandler):
        errors = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(error is None or called_name(error) in BROAD_ERRORS for error in errors):
            yield node.lineno, "broad except: name the error, and let our own bug stop the replica"


def kernel_options(source: Source) -> Iterator[Finding]:
    """Refuse compiler options and escapes that change results."""
    for node in source.of(ast.keyword):
        on = isinstance(node.value, ast.Constant) and node.value.value is True
        if on and node.arg in {"fastmath", "parallel"}:
            yield node.lineno, f"{node.arg}=True: leave it out, results must be alike everywhere"
    for node in source.of(ast.Attribute):
        if node.attr == "py_func":
            yield node.lineno, "py_func calls jitted children: start with NUMBA_DISABLE_JIT=1"
    for node in source.of(ast.Name, ast.Attribute, ast.alias):
        if "intrinsic" in {getattr(node, field, "") for field in ("id", "attr", "name")}:
            yield node.lineno, "intrinsic: use integer limbs (mul_div_floor)"


def names(source: Source) -> Iterator[Finding]:
    """Refuse function names that say nothing."""
    for node in source.of(*FUNCTIONS):
        if node.name.lstrip("_").startswith(("get_", "compute_")):
            yield node.lineno, f"{node.name}: name the thing (balance), not the act (get_balance)"


def lengths(source: Source) -> Iterator[Finding]:
    """Refuse functions that do not fit on a screen."""
    for node in source.of(*FUNCTIONS):
        lines = node.end_lineno - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            limit = f"{lines} lines, {FUNCTION_LINES_MAX} allowed"
            yield node.lineno, f"{node.name} has {limit}: split it, or use a table of handlers"


def docstring(source: Source) -> Iterator[Finding]:
    """Refuse a module that does not say what it is."""
    if not ast.get_docstring(source.tree):
        yield 1, "no module docstring: say in a sentence what the module is for"


def stands_alone(source: Source) -> Iterator[Finding]:
    """Refuse imports of the house."""
    for node in source.of(ast.ImportFrom):
        if node.level > 0:
            yield node.lineno, "relative import: an auditor runs this file without the house"
    yield from banned_imports(source, {"quorate": "an auditor runs this file without the house"})


class Sets:
    """What in one module is a set, as far as assignments and annotations tell."""

    def __init__(self, source: Source) -> None:
        self.attributes: set[str] = set()
        self.functions: set[str] = set()
        for node in source.of(ast.FunctionDef):
            if self.is_annotation(node.returns):
                self.functions.add(node.name)
        for node in source.of(ast.AnnAssign):
            if isinstance(node.target, ast.Attribute) and self.is_annotation(node.annotation):
                self.attributes.add(node.target.attr)
        for field in [field for node in source.of(ast.ClassDef) for field in node.body]:
            if isinstance(field, ast.AnnAssign) and self.is_annotation(field.annotation):
                self.attributes.add(called_name(field.target))
        for node in source.of(ast.Assign):
            match node.targets:
                case [ast.Attribute(attr=name)] if self.is_set(node.value, set()):
                    self.attributes.add(name)

    def is_annotation(self, kind: ast.expr | None) -> bool:
        match kind:
            case ast.Subscript(value=inner):
                return self.is_annotation(inner)
            case ast.BinOp(left=left, right=right):
                return self.is_annotation(left) or self.is_annotation(right)
            case None:
                return False
        return called_name(kind) in SET_TYPES

    def is_set(self, node: ast.expr, local: set[str]) -> bool:
        """Say whether an expression is a set; `local` are the names known to be sets."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in SET_METHODS:
                return self.is_set(owner, local)
            case ast.Call(func=function):
                return called_name(function) in {"set", "frozenset"} | self.functions
            case ast.BinOp(op=operator, left=left, right=right):
                if not isinstance(operator, SET_OPERATORS):
                    return False
                return any(self.is_set(side, local) or is_keys(side) for side in (left, right))
            case ast.IfExp(body=body, orelse=orelse):
                return self.is_set(body, local) or self.is_set(orelse, local)
            case ast.Name(id=name):
                return name in local
            case ast.Attribute(attr=name):
                return name in self.attributes
        return False

    def names_in(self, nodes: list[ast.AST]) -> set[str]:
        """Give the names that one scope binds to sets."""
        found: set[str] = set()
        for node in nodes:
            match node:
                case ast.arg(arg=name, annotation=kind) if self.is_annotation(kind):
                    found.add(name)
                case ast.AnnAssign(target=ast.Name(id=name), annotation=kind):
                    if self.is_annotation(kind):
                        found.add(name)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    if self.is_set(value, found):
                        found.add(name)
        return found


def is_keys(node: ast.expr) -> bool:
    """Say whether an expression is the keys of a dict, whose difference is a set."""
    return isinstance(node, ast.Call) and called_name(node.func) in {"keys", "items"}


def scopes(tree: ast.Module) -> Iterator[list[ast.AST]]:
    """Give the nodes of each scope in source order: the module, then each function."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        root = waiting.pop(0)
        nodes: list[ast.AST] = []
        stack = list(ast.iter_child_nodes(root))[::-1]
        while stack:
            node = stack.pop()
            if isinstance(node, FUNCTIONS):
                waiting.append(node)
                continue
            nodes.append(node)
            stack.extend(list(ast.iter_child_nodes(node))[::-1])
        yield nodes


def set_order(source: Source) -> Iterator[Finding]:
    """Refuse whatever depends on the order of a set."""
    sets = Sets(source)
    harmless = {
        argument
        for node in source.of(ast.Call)
        if called_name(node.func) in FORGETS_ORDER
        for argument in node.args
    }
    harmless.update(element for node in source.of(ast.Set) for element in node.elts)
    of_module: set[str] = set()
    for number, nodes in enumerate(scopes(source.tree)):
        known = of_module | sets.names_in(nodes)
        if number == 0:
            of_module = known
        for node in nodes:
            for iterated in iterated_in(node) if node not in harmless else []:
                if sets.is_set(iterated, known):
                    yield iterated.lineno, "order of a set: use sorted(...) or a dict keyed by id"


def iterated_in(node: ast.AST) -> Iterator[ast.expr]:
    """Give the expressions whose order a node makes visible."""
    match node:
        case ast.For(iter=source) | ast.YieldFrom(value=source) | ast.Starred(value=source):
            yield source
        case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
            yield from (generator.iter for generator in node.generators)
        case ast.Call(func=ast.Attribute(value=owner, attr="pop"), args=[]):
            yield owner
        case ast.Call(func=function, args=arguments) if called_name(function) in TAKES_ORDER:
            yield from arguments
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=source):
            yield source
