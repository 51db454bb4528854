"""What can be found wrong with a run. A property's number is the exit code of `quorate sim`."""

from enum import IntEnum
from typing import NamedTuple


class Property(IntEnum):
    """What a checker holds the cluster to."""

    NONE = 0
    AGREEMENT = 10
    VALIDITY = 11
    ONE_VOTE = 12
    CERTIFICATES = 13
    EVIDENCE = 14
    ROOTS = 15
    MONEY = 16
    BOOK = 17
    ACKNOWLEDGED = 18
    PROGRESS = 19
    DETERMINISM = 20
    RAISED = 21
    GUARD_UNNOTICED = 22


SENTENCES = {
    Property.AGREEMENT: "two honest validators finalized what is not on one chain",
    Property.VALIDITY: "something was finalized that nobody may propose, or twice",
    Property.ONE_VOTE: "an honest validator signed what contradicts an earlier vote of its own",
    Property.CERTIFICATES: "a certificate exists that the votes cannot justify",
    Property.EVIDENCE: "an honest validator was accused, or a guilty one was not",
    Property.ROOTS: "two honest validators have different roots at one height",
    Property.MONEY: "money was made or lost",
    Property.BOOK: "a book is crossed",
    Property.ACKNOWLEDGED: "something acknowledged was lost",
    Property.PROGRESS: "a healed quorum did not go on in time",
    Property.DETERMINISM: "one seed led to two different runs",
    Property.RAISED: "a validator raised an error",
    Property.GUARD_UNNOTICED: "a broken guard was not noticed within its number of seeds",
}


class Violation(Exception):
    """A checker found something wrong."""

    def __init__(self, broken: Property, sentence: str) -> None:
        super().__init__(sentence)
        self.broken = broken
        self.sentence = sentence


class Outcome(NamedTuple):
    """What came of a run.

    broken: the property, NONE when all is well. at_ms: simulated time at the end. views: the
    highest entered. finalized: proposals final at the last healed validator. accused: who was
    proved malicious. counts: faults injected and what the cores counted, by name. digest: of all
    events, hex.
    """

    seed: int
    scenario: str
    broken: Property
    sentence: str
    at_ms: int
    steps: int
    views: int
    finalized: int
    accused: tuple[int, ...]
    counts: dict[str, int]
    digest: str
