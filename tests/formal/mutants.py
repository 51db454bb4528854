"""A rule with one fault put in: the module's source, changed in one place, made anew."""

import inspect
import linecache
from collections.abc import Mapping
from types import FunctionType, ModuleType


def mutant(module: ModuleType, old: str, new: str) -> Mapping[tuple[str, str], FunctionType]:
    """Give the functions of a module in which `old`, which stands there once, is `new`."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {module.__name__}"
    text = source.replace(old, new)
    name = f"<{module.__name__} with {new!r}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space = {"__name__": module.__name__}
    exec(compile(text, name, "exec"), space)
    return {
        (module.__name__, each.__name__): each
        for each in space.values()
        if isinstance(each, FunctionType) and each.__module__ == module.__name__
    }
