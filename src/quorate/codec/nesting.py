"""How deep a JSON text nests, found without parsing it.

The parser calls itself for each level, and where the limit of recursion has been raised it ends the
process instead of raising.
"""

import re
from typing import Final

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
