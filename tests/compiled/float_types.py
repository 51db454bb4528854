"""Which values of the compiled kernels numba has typed as floats. A program of its own.

It must run on an empty cache: a kernel read from a cache brings no types with it. Arguments: the
modules to import. Prints one line per finding; exit code 1 when there is one.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from numba.core import types

from quorate.compiled import REGISTRY

FLOAT = re.compile("float|complex")
CALLABLE = (types.Dispatcher, types.Function, types.Module)


def is_float(kind: Any) -> bool:
    """Say whether a numba type is a float or holds one."""
    return not isinstance(kind, CALLABLE) and bool(FLOAT.search(str(kind)))


def float_values(dispatcher: Any, seen: set[int]) -> Iterator[str]:
    """List the float values of a dispatcher and of all dispatchers that it calls."""
    if id(dispatcher) in seen:
        return
    seen.add(id(dispatcher))
    assert dispatcher.overloads, f"{dispatcher} is not compiled"
    name = f"{dispatcher.__module__}.{dispatcher.__qualname__}"
    for compiled in dispatcher.overloads.values():
        annotation = compiled.type_annotation
        assert hasattr(annotation, "typemap"), f"{name} came from a cache, without its types"
        for value, kind in annotation.typemap.items():
            if is_float(kind):
                yield f"{name}: {value} is {kind}"
            if isinstance(kind, types.Dispatcher):
                yield from float_values(kind.dispatcher, seen)
        for call in annotation.calltypes.values():
            if call is not None and any(map(is_float, (call.return_type, *call.args))):
                yield f"{name}: a call is {call}"


def main(modules: list[str]) -> int:
    """Import the modules, which compiles their kernels, and print the floats in them."""
    for module in modules:
        importlib.import_module(module)
    seen: set[int] = set()
    found = [line for row in REGISTRY for line in float_values(row.compiled, seen)]
    print("\n".join([*found, f"{len(REGISTRY)} kernels, {len(seen)} functions"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
