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
    """The node cannot go on, though nothing is wrong with its state. The sentence says why."""
