"""Compile every kernel before a node starts, one process per module.

A process that imports a kernel module compiles what the cache lacks and writes it there. `warm`
starts such processes, as many at a time as there are CPUs, and leaves a marker file in the cache
folder when all have succeeded. A module waits for those of the list that it imports: it would
otherwise compile their linked functions once more.
"""

import ast
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from quorate.compiled.modules import KERNEL_MODULES
from quorate.compiled.policy import FOLDER, JIT_DISABLED, PACKAGE, folder_ready, kernel_sources

MARKER = FOLDER / "warm"
IMPORT_ONE = "import importlib, sys; importlib.import_module(sys.argv[1])"
POLL_S = 0.02

Progress = Callable[[str, float, int, int], None]


def sources_stamp() -> str:
    """Digest the file times of the sources: numba compiles again when one of them changes."""
    digest = hashlib.sha256()
    for path in kernel_sources(PACKAGE):
        digest.update(b"%s %d\n" % (str(path).encode(), path.stat().st_mtime_ns))
    return digest.hexdigest()


def marker_lines(modules: Sequence[str]) -> list[str]:
    """Give what the marker says after `modules` were compiled."""
    return [sources_stamp(), *sorted(modules)]


def is_warm(modules: Sequence[str] = KERNEL_MODULES) -> bool:
    """Say whether the cache holds the kernels of all `modules` as their sources now stand."""
    if JIT_DISABLED:
        return True
    if not MARKER.is_file():
        return False
    lines = MARKER.read_text(encoding="ascii").splitlines()
    return bool(lines) and lines[0] == sources_stamp() and set(modules) <= set(lines[1:])


def imported(module: str) -> set[str]:
    """Give the modules of our own that the source of `module` imports, itself not counted."""
    path = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        return set()
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.split(".")[0] == PACKAGE.name}


def needs(modules: Sequence[str]) -> dict[str, set[str]]:
    """Give for each of `modules` those others of them that importing it imports as well."""
    known: dict[str, set[str]] = {}

    def reached(module: str) -> set[str]:
        if module not in known:
            known[module] = set()  # a cycle adds nothing
            for name in sorted(imported(module)):
                known[module] |= {name} | reached(name)
        return known[module]

    return {module: (reached(module) & set(modules)) - {module} for module in modules}


def started(module: str) -> "subprocess.Popen[bytes]":
    """Start a process that imports `module`."""
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    return subprocess.Popen([sys.executable, "-c", IMPORT_ONE, module], env=env)


def warm(
    modules: Sequence[str] = KERNEL_MODULES,
    progress: Progress | None = None,
    processes_max: int = 0,
) -> float:
    """Compile the kernels of `modules` in parallel and return the seconds it took.

    `progress(module, seconds, done, total)` is called as each module finishes. `processes_max` 0
    means one per usable CPU. Raises CacheUnwritable, and RuntimeError naming the modules that
    cannot be imported; their own error is on stderr.
    """
    folder_ready()
    start_s = time.perf_counter()
    limit = processes_max or len(os.sched_getaffinity(0))
    waiting = list(modules)
    missing = needs(modules)
    running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
    failed: list[str] = []
    done = 0
    while waiting or running:
        ready = [module for module in waiting if not missing[module]]
        for module in ready[: limit - len(running)]:
            waiting.remove(module)
            running[module] = (started(module), time.perf_counter())
        for module, (process, since_s) in list(running.items()):
            if process.poll() is None:
                continue
            del running[module]
            done += 1
            for needed in missing.values():
                needed.discard(module)
            if process.returncode != 0:
                failed.append(module)
            if progress is not None:
                progress(module, time.perf_counter() - since_s, done, len(modules))
        if running:
            time.sleep(POLL_S)
    if failed:
        raise RuntimeError(f"These kernel modules cannot be imported: {', '.join(failed)}.")
    if not JIT_DISABLED:
        MARKER.write_text("\n".join(marker_lines(modules)) + "\n", encoding="ascii")
    return time.perf_counter() - start_s
