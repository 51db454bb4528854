"""The one list of the modules that hold kernels and linked functions.

`warm` compiles each of them in its own process, as many at a time as there are cores, in this
order, but none before those that it imports: what many wait for stands first, then the longest,
since the others fit beside it. The test that refuses floats imports them all.
"""

KERNEL_MODULES: tuple[str, ...] = (
    "quorate.execution.kernels.book",
    "quorate.execution.kernels.match",
    "quorate.execution.kernels.phase_auctions",
    "quorate.execution.kernels.orders",
    "quorate.execution.kernels.payoffs",
    "quorate.execution.kernels.smile_fits",
    "quorate.execution.kernels.options_margin",
    "quorate.execution.kernels.group_accounts",
    "quorate.execution.kernels.phase_liquidation",
    "quorate.execution.kernels.phase_series",
    "quorate.execution.kernels.phase_tick",
    "quorate.execution.kernels.group_clearing",
    "quorate.execution.kernels.group_governance",
    "quorate.execution.kernels.group_options",
    "quorate.execution.kernels.block",
    "quorate.execution.kernels.phase_triggers",
    "quorate.execution.kernels.sweeps",
    "quorate.commitment.sha256",
    "quorate.execution.kernels.indexes",
    "quorate.execution.kernels.advice",
    "quorate.admission.structure",
)

# What commands and benches use and no node does: compiled at first use, and walked for floats.
TOOL_MODULES: tuple[str, ...] = (
    "quorate.instruments.pricing.kernels",
    "quorate.instruments.payoff.kernels",
    "quorate.instruments.surface.kernels",
    "quorate.instruments.margin.kernels",
)
