"""Random payoffs: an expression as a tree, its text, and its value by Python's own arithmetic."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quorate.types.limits import PAYOFF_VALUE_MAX
from quorate.types.payoff_codes import Input

NUMBERS = ("fix", "strike", "avg", "upper")
FLAGS = ("touched_up", "touched_down")
# By operator: how strong it binds, and what Python makes of its operands.
BINARY: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "or": (1, lambda a, b: a | b),
    "and": (2, lambda a, b: a & b),
    "<": (4, lambda a, b: int(a < b)),
    "<=": (4, lambda a, b: int(a <= b)),
    ">": (4, lambda a, b: int(a > b)),
    ">=": (4, lambda a, b: int(a >= b)),
    "==": (4, lambda a, b: int(a == b)),
    "!=": (4, lambda a, b: int(a != b)),
    "+": (5, lambda a, b: a + b),
    "-": (5, lambda a, b: a - b),
    "*": (6, lambda a, b: a * b),
}


@dataclass(frozen=True)
class Node:
    """One operation: its text with how strong it binds, and its operands for evaluation."""

    kind: str
    parts: tuple["Node", ...] = ()
    value: int = 0


class TooLarge(Exception):
    """A value beyond what the machine holds."""


def number(draw: random.Random, depth: int, constant_max: int) -> Node:
    """Draw a numeric expression."""
    if depth == 0 or draw.random() < 0.15:
        if draw.random() < 0.3:
            return Node("constant", value=draw.choice([0, 1, draw.randint(0, constant_max)]))
        return Node(draw.choice(NUMBERS))
    kind = draw.choice(["+", "-", "-", "*", "//", "min", "max", "abs", "sign", "if", "if"])
    below = depth - 1
    if kind == "//":
        divisor = draw.choice([1, 2, 3, draw.randint(1, constant_max)])
        return Node(kind, (number(draw, below, constant_max),), divisor)
    if kind == "if":
        sides = (number(draw, below, constant_max), number(draw, below, constant_max))
        return Node(kind, (condition(draw, below, constant_max), *sides))
    count = {"abs": 1, "sign": 1}.get(kind, 2)
    if kind in ("min", "max"):
        count = draw.choice([2, 2, 3])
    return Node(kind, tuple(number(draw, below, constant_max) for _ in range(count)))


def condition(draw: random.Random, depth: int, constant_max: int) -> Node:
    """Draw an expression that is true or false."""
    if draw.random() < 0.15:
        return Node(draw.choice(FLAGS))
    if depth == 0 or draw.random() < 0.6:
        kind = draw.choice(["<", "<=", ">", ">=", "==", "!="])
        below = max(depth - 1, 0)
        return Node(kind, tuple(number(draw, below, constant_max) for _ in range(2)))
    kind = draw.choice(["and", "or", "not"])
    count = 1 if kind == "not" else 2
    return Node(kind, tuple(condition(draw, depth - 1, constant_max) for _ in range(count)))


def written(node: Node, draw: random.Random) -> tuple[str, int]:
    """Write a tree with no more brackets than it needs, but for some drawn; and its strength."""
    text, strength = bare(node, draw)
    if draw.random() < 0.1:
        return f"({text})", 9
    return text, strength


def bare(node: Node, draw: random.Random) -> tuple[str, int]:
    """Write a tree without brackets around it."""

    def part(index: int, least: int) -> str:
        text, strength = written(node.parts[index], draw)
        return text if strength >= least else f"({text})"

    kind = node.kind
    space = " " * draw.choice([1, 1, 0, 2])
    if kind == "constant":
        return str(node.value), 9
    if kind == "if":
        return f"if {part(0, 0)} then {part(1, 0)} else {part(2, 0)}", 0
    if kind == "not":
        return f"not {part(0, 3)}", 3
    if kind == "sign":
        return f"-{space}{part(0, 7)}", 7
    if kind == "//":
        return f"{part(0, 6)}{space}//{space}{node.value}", 6
    if kind in BINARY:
        strength = BINARY[kind][0]
        left = strength + 1 if strength == 4 else strength
        gap = " " if kind.isalpha() else space
        return f"{part(0, left)}{gap}{kind}{gap}{part(1, strength + 1)}", strength
    if node.parts:
        arguments = f",{space}".join(part(index, 0) for index in range(len(node.parts)))
        return f"{kind}({arguments})", 9
    return kind, 9


def value_of(node: Node, observed: Mapping[str, int]) -> int:
    """Evaluate a tree, all of it, in whole numbers. Raises TooLarge."""
    parts = [value_of(part, observed) for part in node.parts]
    kind = node.kind
    if kind == "constant":
        value = node.value
    elif kind in BINARY:
        value = BINARY[kind][1](*parts)
    elif kind in ("min", "max"):
        value = min(parts) if kind == "min" else max(parts)
    elif kind == "//":
        value = parts[0] // node.value
    elif kind == "abs":
        value = abs(parts[0])
    elif kind == "sign":
        value = -parts[0]
    elif kind == "not":
        value = 1 - parts[0]
    elif kind == "if":
        value = parts[1] if parts[0] else parts[2]
    else:
        value = observed[kind]
    if abs(value) > PAYOFF_VALUE_MAX:
        raise TooLarge
    return value


def names_of(node: Node) -> list[str]:
    """List the inputs that a tree names, in order of their numbers."""
    found = set()
    if node.kind.upper() in Input.__members__:
        found.add(node.kind)
    for part in node.parts:
        found.update(names_of(part))
    return sorted(found, key=lambda name: Input[name.upper()])
