"""The one list of the modules that hold kernels.

`warm` compiles each of them in its own process, as many at a time as there are cores, in this
order: the longest first, since the others fit beside it. The test that refuses floats imports them
all. A module that imports another one of the list stands behind it.
"""

KERNEL_MODULES: tuple[str, ...] = (
    "quorate.execution.kernels.block",
    "quorate.execution.kernels.phase_triggers",
    "quorate.execution.kernels.phase_auctions",
    "quorate.execution.kernels.phase_liquidation",
    "quorate.execution.kernels.phase_tick",
    "quorate.instruments.surface.kernels",
    "quorate.execution.kernels.sweeps",
    "quorate.commitment.sha256",
    "quorate.execution.kernels.indexes",
    "quorate.execution.kernels.advice",
    "quorate.instruments.pricing.kernels",
    "quorate.admission.structure",
)
