"""The policy for machine code: how a kernel is compiled, where it is cached, which ones exist.

A room makes a kernel by `@kernel("int64(int64[::1])")` and a part of a kernel by `@helper`. Nothing
else in the house calls numba.njit. Read policy.py first, then warm.py.
"""

from quorate.compiled.modules import KERNEL_MODULES
from quorate.compiled.policy import (
    BOUNDS_CHECK,
    FOLDER,
    JIT_DISABLED,
    REGISTRY,
    CacheUnwritable,
    Kernel,
    canary_fires,
    folder_ready,
    helper,
    inlined,
    kernel,
    linked,
)
from quorate.compiled.warm import is_warm, warm

__all__ = [
    "BOUNDS_CHECK",
    "FOLDER",
    "JIT_DISABLED",
    "KERNEL_MODULES",
    "REGISTRY",
    "CacheUnwritable",
    "Kernel",
    "canary_fires",
    "folder_ready",
    "helper",
    "inlined",
    "is_warm",
    "kernel",
    "linked",
    "warm",
]
