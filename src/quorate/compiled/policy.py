"""How machine code is made and where it is kept.

Numba's own cache notices a change in the file that holds a kernel, and nothing else: not a changed
helper in another file, not a changed limit, not NUMBA_BOUNDSCHECK. So the cache folder is named by
a digest over everything that the machine code depends on: all sources of the rooms that hold
kernels and of those below (imports go strictly downward, so nothing else can reach a kernel), the
versions of numba, llvmlite and numpy, the CPU with its features, bounds checking, and every NUMBA_
setting. A folder is then right for ever, and a stale one is never read.

The folder is `kernels-<digest>` under $QUORATE_CACHE_DIR, or $XDG_CACHE_HOME/quorate, or
~/.cache/quorate. Importing this module names it and imports numba with it; the folder is made and
checked at the first kernel, so that a caller can import CacheUnwritable and then catch it.

Every kernel has an explicit signature and is compiled when its module is imported. A wrong array
(read-only, sliced, of another dtype) is then a TypeError, never a compilation of seconds in the
middle of a block. A helper has no signature: it is compiled into the kernels that call it.

Under NUMBA_DISABLE_JIT=1 `kernel` and `helper` return the Python function itself.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding
import numpy as np

PACKAGE = Path(__file__).resolve().parent.parent
FOLDERS_KEPT = 4
FOLDER_PREFIX = "kernels-"
DIGEST_HEX = 32
# The rooms that hold kernels, and all rooms that those may import.
ROOMS = (
    "types", "compiled", "codec", "crypto", "instruments", "admission", "execution", "commitment"
)  # fmt: skip
LIBRARIES = ("numba", "llvmlite", "numpy")


class CacheUnwritable(Exception):
    """The cache folder cannot be made or written. The message is one sentence with the remedy."""


def bounds_check_wanted() -> bool:
    """Say whether the environment asks for kernels that check every index."""
    return os.environ.get("QUORATE_BOUNDSCHECK", "0") == "1"


def source_paths(package: Path) -> list[Path]:
    """List every Python source under `package`, sorted by its name inside the package."""
    return sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix())


def kernel_sources(package: Path) -> list[Path]:
    """List the sources of which machine code may be made, in the same order."""
    return [
        path for path in source_paths(package) if path.relative_to(package).parts[0] in ROOMS
    ]


def sources_digest(package: Path) -> bytes:
    """Digest the names and bytes of the sources of all kernels under `package`; 32 bytes."""
    digest = hashlib.sha256()
    for path in kernel_sources(package):
        text = path.read_bytes()
        name = path.relative_to(package).as_posix().encode()
        digest.update(b"%d %s %d " % (len(name), name, len(text)))
        digest.update(text)
    return digest.digest()


def numba_settings() -> Iterable[str]:
    """Give each NUMBA_ setting of the environment but the cache folder, which is ours to set."""
    for name in sorted(os.environ):
        if name.startswith("NUMBA_") and name != "NUMBA_CACHE_DIR":
            yield f"{name}={os.environ[name]}"


def folder_digest(package: Path) -> str:
    """Digest everything that the machine code depends on; DIGEST_HEX hex digits."""
    digest = hashlib.sha256(sources_digest(package))
    parts = [f"{library} {version(library)}" for library in LIBRARIES]
    parts.append(llvmlite.binding.get_host_cpu_name())
    parts.append(llvmlite.binding.get_host_cpu_features().flatten())
    parts.append(f"boundscheck {bounds_check_wanted()}")
    parts.extend(numba_settings())
    for part in parts:
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()[:DIGEST_HEX]


def cache_home() -> Path:
    """Give the folder that holds the cache folders of all versions."""
    own = os.environ.get("QUORATE_CACHE_DIR", "")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    return Path(shared) / "quorate" if shared else Path.home() / ".cache" / "quorate"


BOUNDS_CHECK = bounds_check_wanted()
FOLDER = cache_home().absolute() / (FOLDER_PREFIX + folder_digest(PACKAGE))
os.environ["NUMBA_CACHE_DIR"] = str(FOLDER)

# The order matters: numba reads its settings when it is first imported.
import numba  # noqa: E402
from numba.core import config  # noqa: E402

# A program that imported numba before us has fixed another folder; the setting is read per kernel.
config.CACHE_DIR = str(FOLDER)
JIT_DISABLED = bool(config.DISABLE_JIT)


@dataclass(frozen=True)
class Kernel:
    """One compiled entry point.

    `seconds` is the time its import took: compiling, or reading the cache. `compiled` is numba's
    dispatcher, or the Python function under NUMBA_DISABLE_JIT=1.
    """

    module: str
    name: str
    signature: str
    seconds: float
    compiled: Any


REGISTRY: list[Kernel] = []


def stale_folders(home: Path, keep: Path) -> list[Path]:
    """List the cache folders under `home` beyond the FOLDERS_KEPT newest; `keep` is never one."""
    aged = []
    for path in home.glob(FOLDER_PREFIX + "*"):
        try:
            aged.append((path.stat().st_mtime_ns, path.name, path))
        except FileNotFoundError:
            continue  # another process is deleting the same stale folder
    newest = [path for _, _, path in sorted(aged, reverse=True) if path != keep]
    return newest[FOLDERS_KEPT - 1 :]


def folder_ready(folder: Path = FOLDER) -> None:
    """Make `folder`, show that it can be written, and delete stale ones beside it.

    Raises CacheUnwritable. Does nothing when no machine code is made (NUMBA_DISABLE_JIT=1).
    """
    if JIT_DISABLED:
        return
    fresh = not folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        os.utime(folder)
    except OSError as error:
        raise CacheUnwritable(
            f"The kernel cache folder {folder} cannot be written ({error.strerror}); set"
            " QUORATE_CACHE_DIR to a folder that can."
        ) from error
    # Only a process that adds a folder can push the count over the limit.
    if fresh:
        for stale in stale_folders(folder.parent, folder):
            shutil.rmtree(stale, ignore_errors=True)


def options() -> dict[str, Any]:
    """Give the compiler options that kernels and helpers share."""
    return {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": False,
        "boundscheck": BOUNDS_CHECK,
    }


def kernel(signature: str | Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile the decorated function now, for exactly the types of `signature`, and cache it.

    Raises CacheUnwritable at the first kernel of a process whose cache folder cannot be written.
    """
    if not REGISTRY:
        folder_ready()

    def compile_now(function: Callable[..., Any]) -> Any:
        start_s = time.perf_counter()
        compiled = numba.njit(signature, cache=True, **options())(function)
        seconds = time.perf_counter() - start_s
        row = Kernel(function.__module__, function.__qualname__, signature, seconds, compiled)
        REGISTRY.append(row)
        return compiled

    return compile_now


def helper(function: Callable[..., Any]) -> Any:
    """Let kernels call the decorated function. It has no cache of its own: it is part of theirs."""
    return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options())(function)


def linked(signature: str | Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile the decorated function once, for all kernels that call it.

    A helper is part of the machine code of every kernel that reaches it: what is long and reached
    by many is compiled anew for each. A linked function is machine code of its own that kernels
    call by address. Its arguments and its result are records and integers, as `signature` says.
    The name of a linked function is the symbol by which cached kernels find it. A checked run
    (QUORATE_BOUNDSCHECK=1) takes helpers in its place, since an IndexError cannot pass the call.
    """

    def link_now(function: Callable[..., Any]) -> Any:
        if JIT_DISABLED or BOUNDS_CHECK:
            return helper(function)
        compiled = kernel(signature)(function)
        result = compiled.overloads[compiled.signatures[0]]
        wrapper = result.fndesc.llvm_cfunc_wrapper_name
        symbol = f"quorate {function.__module__} {function.__qualname__}"
        address = result.library.get_pointer_to_function(wrapper)
        llvmlite.binding.add_symbol(symbol, address)
        return numba.types.ExternalFunction(symbol, result.signature)

    return link_now


def inlined(function: Callable[..., Any]) -> Any:
    """Make a helper that is copied into its caller, so that a loop around it can be vectorised."""
    return numba.njit(forceinline=True, **options())(function)


def canary(row: Any, index: int) -> int:
    """Read one element of int64[::1] `row`. Its caller asks for one that is out of range."""
    return int(row[index])


def canary_fires() -> bool:
    """Say whether a kernel that indexes out of range raises IndexError, as a checked run needs.

    The range is a part of a larger array, so that an unchecked read stays inside our own memory.
    """
    folder_ready()
    compiled = numba.njit("int64(int64[::1], int64)", cache=True, **options())(canary)
    whole = np.zeros(2, dtype=np.int64)
    try:
        compiled(whole[:1], 1)
    except IndexError:
        return True
    return False
