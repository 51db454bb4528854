"""Evidence: an accusation is two votes that exist and contradict each other, of a guilty one."""

from collections.abc import Sequence

from quorate.sim.checkers.one_vote import FINALIZE, NULLIFY, Subject
from quorate.sim.cluster.failure import Property, Violation


class Evidence:
    """Who was accused. guilty: who may be: those who lie, and those whose memory was taken."""

    def __init__(self, guilty: Sequence[int]) -> None:
        self.guilty = dict.fromkeys(guilty)
        self.accused: dict[int, None] = {}

    def accuse(self, signer: int, first: Subject, second: Subject, signed: bool) -> None:
        """Judge an accusation. signed: whether the signer did sign both."""
        if not signed:
            self.refuse(signer, "of a vote that it never cast")
        same_place = first[1:3] == second[1:3]
        skips = NULLIFY in (first[0], second[0])
        if skips:
            contradicts = FINALIZE in (first[0], second[0])
        else:
            contradicts = first[1:] != second[1:]
        if not same_place or not contradicts:
            self.refuse(signer, f"by two votes that do not contradict: {first}, {second}")
        if signer not in self.guilty:
            self.refuse(signer, "although it is honest")
        self.accused[signer] = None

    def refuse(self, signer: int, what: str) -> None:
        """Report it."""
        raise Violation(Property.EVIDENCE, f"validator {signer} is accused {what}")
