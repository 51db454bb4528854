"""What a translation is made of besides terms: arrays, calls under way, and what is owed."""

from dataclasses import dataclass
from types import FunctionType
from typing import Any

from quorate.formal.terms import Term


class Unsupported(Exception):
    """Something outside of the subset; the message names the function, the line and the matter."""


class Cells:
    """An array: a list of terms or of arrays that is changed in place."""

    def __init__(self, cells: list[Any]) -> None:
        self.cells = cells


Value = Any  # Term | Cells | tuple of values | a function or module, where it is only named


@dataclass(frozen=True)
class Obligation:
    """What must hold for machine arithmetic to be the mathematical one, at one place."""

    kind: str
    function: str
    line: int
    holds: Term
    guard: Term


@dataclass
class Frame:
    """One call under translation: its names, and whether it has returned or left its loop."""

    function: FunctionType
    names: dict[str, Value]
    guard: Term
    gone: Term  # returned, or out of this round of the loop
    returned: Term
    broken: Term
    value: Value = None
    first_line: int = 1
