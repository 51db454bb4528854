"""One vote per guard, over the whole life of an honest validator, crashes included.

Watched where a vote leaves a node: what never left binds nobody. In one view a validator may let go
of one notarize, of nullifies, and of one finalize; never a nullify and a finalize both, and never
a finalize of another proposal than it notarized. Once one has left, none is signed a second time,
and no view is nullified that was left before.
"""

from typing import Final

from quorate.sim.cluster.failure import Property, Violation

NOTARIZE: Final = 1
NULLIFY: Final = 2
FINALIZE: Final = 3
NAMES: Final = {NOTARIZE: "notarize", NULLIFY: "nullify", FINALIZE: "finalize"}

Subject = tuple[int, int, int, int, bytes]


class OneVote:
    """What has left each honest validator, by view. forgiven: who lost its memory by a fault."""

    def __init__(self) -> None:
        self.cast: dict[tuple[int, int], dict[int, Subject]] = {}
        self.forgiven: dict[int, None] = {}

    def left(self, index: int, subject: Subject) -> None:
        """Take note of a vote on its way."""
        kind, view = subject[0], subject[2]
        cast = self.cast.setdefault((index, view), {})
        before = cast.get(kind)
        if before == subject:
            return
        if cast:
            self.contradicted(index, view, contradiction(cast, subject))
        cast[kind] = subject

    def signed(self, index: int, subject: Subject, entered: int) -> None:
        """Take note of a signature that is being made. entered: a view that was surely entered."""
        kind, view = subject[0], subject[2]
        cast = self.cast.get((index, view))
        if cast:
            self.contradicted(index, view, contradiction(cast, subject))
            if kind != NULLIFY and kind in cast:
                self.contradicted(index, view, f"the {NAMES[kind]} that has left is signed again")
        if kind == NULLIFY and view < entered:
            self.contradicted(index, view, f"a nullify, though view {entered} was entered")

    def contradicted(self, index: int, view: int, what: str) -> None:
        """Report it, unless this validator's memory was taken from it."""
        if what and index not in self.forgiven:
            raise Violation(Property.ONE_VOTE, f"validator {index}, view {view}: {what}")


def contradiction(cast: dict[int, Subject], subject: Subject) -> str:
    """Say how a vote contradicts what has left; nothing when it does not."""
    kind = subject[0]
    if cast.get(kind, subject) != subject:
        return f"a second {NAMES[kind]}, of something else"
    if kind == NULLIFY and FINALIZE in cast:
        return "a nullify after a finalize"
    if kind == FINALIZE and NULLIFY in cast:
        return "a finalize after a nullify"
    other = cast.get(NOTARIZE if kind == FINALIZE else FINALIZE)
    if kind != NULLIFY and other is not None and other[1:] != subject[1:]:
        return "a notarize and the finalize of another proposal"
    return ""
