"""How recovery and the audit fail. Importing this compiles nothing, so that a command may name
them before the kernels are ready.
"""


class ReplayRefused(Exception):
    """The log and what follows from it do not agree. The sentence is for the operator."""


class VersionMissing(Exception):
    """The next block needs rules that this program lacks. The sentence is for the operator."""


class AuditFailed(Exception):
    """The state contradicts itself. The sentence says where; the block must not be signed."""
