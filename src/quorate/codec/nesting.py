"""How deep a JSON text nests, found without parsing it.

The parser calls itself for each level, and where the limit of recursion has been raised it ends the
process instead of raising.
"""

import json
import re
from typing import Any, Final

LEVELS_MAX: Final = 32
TOKEN: Final = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


def nested_deeper(data: bytes, levels: int) -> bool:
    """Whether a text opens more than `levels` lists and objects inside one another."""
    depth = 0
    in_string = False
    for match in TOKEN.finditer(data):
        token = match.group()
        if token == b'"':
            in_string = not in_string
        elif not in_string and len(token) == 1:
            depth += 1 if token in b"[{" else -1
            if depth > levels:
                return True
    return False


def json_within(data: bytes, levels: int = LEVELS_MAX) -> Any:
    """Parse JSON that came from outside. Raises ValueError, also where it nests too deeply."""
    if nested_deeper(data, levels):
        raise ValueError(f"it nests more than {levels} levels")
    return json.loads(data)
