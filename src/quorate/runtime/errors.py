"""How a node and its clients fail. Importing this compiles nothing."""

from quorate.types.codes import SENTENCES, Reject


class NodeGone(Exception):
    """No node answers, or the connection has ended."""


class RequestRefused(Exception):
    """The node refused a whole request. code: why."""

    def __init__(self, code: Reject) -> None:
        super().__init__(f"{code.name}: {SENTENCES[code]}")
        self.code = code


class QuestionFailed(Exception):
    """The node has no answer to a question; the message says why."""


class NodeHalted(Exception):
    """The node has marked its home halted. The sentence says why."""


class CannotListen(Exception):
    """The node cannot listen where its configuration says. The sentence says why."""


class NodeStopped(Exception):
    """The node cannot go on with this program; a newer one can. The sentence says why."""


class NodeRestart(Exception):
    """The node has caught up by a snapshot, and begins again from its home. height: of it."""

    def __init__(self, height: int) -> None:
        super().__init__(f"Caught up by the snapshot of height {height}.")
        self.height = height
