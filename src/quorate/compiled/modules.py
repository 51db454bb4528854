"""The one list of the modules that hold kernels.

`warm` compiles each of them in its own process; the test that refuses floats imports them all. A
module that another one imports stands before it.
"""

KERNEL_MODULES: tuple[str, ...] = (
    "quorate.commitment.sha256",
    "quorate.admission.structure",
    "quorate.execution.kernels.sweeps",
    "quorate.execution.kernels.block",
)
